/* shared/base/cleanup.h: cleanup attributes, the default way to release what a function holds. */
#ifndef KEDGE_SHARED_BASE_CLEANUP_H
#define KEDGE_SHARED_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hand the pointer (or descriptor) on and disarm its cleanup. */
#define TAKE_PTR(p)                                                                                                    \
	__extension__({                                                                                                \
		__typeof__(p) take_ = (p);                                                                             \
		(p) = NULL;                                                                                            \
		take_;                                                                                                 \
	})
#define TAKE_FD(fd)                                                                                                    \
	__extension__({                                                                                                \
		int take_ = (fd);                                                                                      \
		(fd) = -1;                                                                                             \
		take_;                                                                                                 \
	})

/* Define `static inline void NAME(T **p)` that calls free_fn when *p is set: CLEANUP(NAME) T *x = NULL; */
#define CLEANUP_DEFINE(T, NAME, free_fn)                                                                               \
	static inline void NAME(T **p)                                                                                 \
	{                                                                                                              \
		if (*p)                                                                                                \
			free_fn(*p);                                                                                   \
	}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}
static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
CLEANUP_DEFINE(FILE, cleanup_file, fclose)
CLEANUP_DEFINE(DIR, cleanup_dir, closedir)

#endif
