/* agent/repository/index_internal.h: what index*.c share. */
#ifndef KEDGE_AGENT_REPOSITORY_INDEX_INTERNAL_H
#define KEDGE_AGENT_REPOSITORY_INDEX_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent/repository/index_list.h"
#include "shared/base/limits.h"

enum { INDEX_STAMP_SIZE = 20 };

/* The index as one list says it is; immutable once others see it, counted by its users. */
struct index_state {
	atomic_uint users;
	struct index_list list; /* its runs: as the runs below */
	struct run **runs;
};
struct index {
	char folder[PATH_LIMIT];
	int folder_fd, guard_fd;
	const struct keys *keys;
	pthread_mutex_t writers; /* one at a time, also while it writes */
	pthread_mutex_t mutex;   /* of the next two */
	struct index_state *now;
	uint8_t stamp[INDEX_STAMP_SIZE]; /* of the list: its first bytes, a nonce among them */
	bool broken;                     /* under writers: whether the last list is on the disk is not known */
};

void index_state_leave(struct index_state *s);        /* NULL is a no-op */
struct index_state *index_state_now(struct index *x); /* one more user */
/* Of the list on the disk.  False: there is none. */
bool index_stamp(const struct index *x, uint8_t ret[INDEX_STAMP_SIZE]);
/* On to what the disk has.  ERR_STATE: it is another index now. */
ERR_CHECK enum err_code index_refresh(struct index *x, struct err *reterr);
ERR_CHECK enum err_code index_guard_take(struct index *x, struct err *reterr);
void index_guard_give(struct index *x);

/* index_merge.c: entries of several sources in order of id, each id once: the first source that has it tells. */
struct index_source {
	const struct run *run; /* NULL: the next two */
	const uint8_t *entries;
	size_t count;
	/* index_merge's own */
	struct run_cursor cursor;
	const uint8_t *head;
	size_t at;
};
/* False: this entry does not count, and an older one may. */
typedef bool index_counts_fn(void *ctx, const struct place *p);
/* *goon false: enough. */
typedef enum err_code index_take_fn(void *ctx, const uint8_t *entry, bool *goon, struct err *reterr);
ERR_CHECK enum err_code index_merge(struct index_source *sources, size_t count, index_counts_fn *counts,
    void *counts_ctx, index_take_fn *take, void *take_ctx, struct err *reterr);

#endif
