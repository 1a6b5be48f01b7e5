/* shared/base/arena.h: memory that is released together.
 *
 * A turn, a message or a request owns one arena; everything decoded or built for it lives there, so nothing has to be
 * freed one by one, and a hostile input can use no more than the arena's limit.  Not thread-safe. */
#ifndef KEDGE_SHARED_BASE_ARENA_H
#define KEDGE_SHARED_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "shared/base/err.h"

struct arena;

/* limit_bytes caps what the arena ever hands out (0: ARENA_DEFAULT_LIMIT).  NULL when out of memory. */
struct arena *arena_new(size_t limit_bytes);
void arena_free(struct arena *a);         /* NULL is a no-op */
void arena_reset(struct arena *a);        /* forgets all contents, keeps the first block */
size_t arena_used(const struct arena *a); /* bytes handed out since new or reset */

/* A moment to go back to: releasing forgets all that was taken since the mark (which stays good for more).  Marks nest;
 * a reset or a release to an older one ends them. */
struct arena_mark {
	const void *newest;
	size_t block_used, used;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark mark);

/* Zeroed, aligned for any type.  NULL past the limit or out of memory. */
void *arena_alloc(struct arena *a, size_t size_bytes);
void *arena_array(struct arena *a, size_t count, size_t size_bytes); /* checks the product */
void *arena_dup(struct arena *a, const void *p, size_t size_bytes);
char *arena_strdup(struct arena *a, const char *s); /* NULL in, NULL out */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap);

static inline void arena_cleanup(struct arena **a)
{
	arena_free(*a);
}

#endif
