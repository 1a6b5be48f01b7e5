/* A store in memory: puts what is not there, gives what is; and fails, forgets and lies as it is told. */
#ifndef KEDGE_TESTS_UNIT_AGENT_OFFHOST_MEMORY_STORE_H
#define KEDGE_TESTS_UNIT_AGENT_OFFHOST_MEMORY_STORE_H

#include <sys/stat.h>
#include <unistd.h>

#include "agent/bucket/bucket.h"
#include "agent/repository/seal.h"
#include "tests/lib/unit.h"

enum { MEMORY_OBJECTS = 8192 };

struct memory_object {
	char name[BUCKET_NAME_MAX];
	uint8_t *data;
	uint64_t size, until_ms;
	uint32_t lock;
	unsigned puts; /* bodies that arrived for this name, taken or not */
};
struct memory_store {
	struct memory_object *all; /* room for MEMORY_OBJECTS, made with the first */
	size_t count;
	unsigned calls;
	unsigned dies_at; /* from this call on nothing gets through; 0: never */
	bool dies_late;   /* that call still has its effect */
	unsigned fails;   /* so many calls are answered with fail_with first */
	enum err_code fail_with;
	unsigned fails_at;     /* this call, too */
	unsigned breaks;       /* so many gets break off in the middle */
	bool hides;            /* what is missing is not told to be so */
	const unsigned *syncs; /* of files, so far */
	unsigned syncs_before; /* the last put */
	bool no_locks;         /* locks cannot be renewed */
	struct memory_flight { /* a put that was begun */
		struct bucket_object o;
		char name[BUCKET_NAME_MAX];
		int fd;
		uint32_t number;
	} flights[BUCKET_FLIGHTS];
	unsigned flying, most_flying;
};

static inline void memory_done(struct memory_store *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->all[i].data);
	free(m->all);
	*m = (struct memory_store){.syncs = m->syncs};
}

static inline struct memory_object *memory_find(struct memory_store *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->all[i].name, name) == 0)
			return &m->all[i];
	return NULL;
}

static inline struct memory_object *memory_find_like(struct memory_store *m, const char *part)
{
	for (size_t i = 0; i < m->count; i++)
		if (strstr(m->all[i].name, part))
			return &m->all[i];
	return NULL;
}

static inline void memory_remove(struct memory_store *m, struct memory_object *o)
{
	free(o->data);
	*o = m->all[--m->count];
}

/* False: the call does not even arrive. */
static inline bool memory_call(struct memory_store *m, enum err_code *rc, struct err *reterr)
{
	m->calls++;
	*rc = ERR_OK;
	if (m->dies_at && m->calls >= m->dies_at)
		*rc = err_set(reterr, ERR_CANCELLED, "killed");
	else if (m->calls == m->fails_at || (m->fails && m->fails--))
		*rc = err_set(reterr, m->fail_with, "as told");
	return *rc == ERR_OK || (m->dies_late && m->dies_at == m->calls);
}

/* "Begun" is on the disk before anything is sent. */
static inline void memory_begun(struct memory_store *m, const char *name)
{
	if (!m->syncs || strstr(name, "/repository"))
		return;
	for (size_t i = 0; i < BUCKET_FLIGHTS; i++)
		if (strcmp(m->flights[i].name, name) == 0)
			return; /* it is tried again */
	assert_true(*m->syncs > m->syncs_before);
	m->syncs_before = *m->syncs;
}

static inline enum err_code memory_take(
    struct memory_store *m, const struct bucket_object *o, int fd, enum bucket_outcome *ret, struct err *reterr)
{
	enum err_code rc;
	struct stat st;
	if (!memory_call(m, &rc, reterr))
		return rc;
	struct memory_object *there = memory_find(m, o->name);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal((uint64_t)st.st_size, o->size_bytes);
	if (there) {
		there->puts++;
		*ret = BUCKET_EXISTS;
		return rc;
	}
	assert_true(m->count < MEMORY_OBJECTS);
	if (!m->all)
		assert_non_null(m->all = calloc(MEMORY_OBJECTS, sizeof *m->all));
	struct memory_object *mine = &m->all[m->count++];
	*mine = (struct memory_object){.size = o->size_bytes,
	    .until_ms = o->lock_until_ms,
	    .lock = o->lock,
	    .puts = 1,
	    .data = malloc(o->size_bytes + 1)};
	strcpy(mine->name, o->name);
	assert_int_equal(pread(fd, mine->data, o->size_bytes, 0), (ssize_t)o->size_bytes);
	struct sha256 *sum = sha256_new();
	uint8_t digest[32];
	sha256_add(sum, mine->data, mine->size);
	sha256_end(sum, digest);
	sha256_free(sum);
	assert_memory_equal(digest, o->sha256.b, 32);
	*ret = BUCKET_DONE;
	return rc;
}

static inline enum err_code memory_put(
    void *ctx, const struct bucket_object *o, int fd, enum bucket_outcome *ret, struct err *reterr)
{
	struct memory_store *m = ctx;
	assert_int_equal(m->flying, 0);
	memory_begun(m, o->name);
	return memory_take(m, o, fd, ret, reterr);
}

static inline enum err_code memory_put_begin(
    void *ctx, const struct bucket_object *o, int fd, uint32_t number, struct err *reterr)
{
	struct memory_store *m = ctx;
	(void)reterr;
	assert_true(m->flying < BUCKET_FLIGHTS);
	memory_begun(m, o->name);
	struct memory_flight *f = &m->flights[m->flying++];
	*f = (struct memory_flight){.o = *o, .fd = dup(fd), .number = number};
	strcpy(f->name, o->name);
	f->o.name = f->name;
	if (m->most_flying < m->flying)
		m->most_flying = m->flying;
	return ERR_OK;
}

/* The one that was begun last comes first. */
static inline enum err_code memory_put_end(void *ctx, struct bucket_ended *ret, struct err *reterr)
{
	struct memory_store *m = ctx;
	(void)reterr;
	assert_true(m->flying > 0);
	struct memory_flight *f = &m->flights[--m->flying];
	*ret = (struct bucket_ended){.number = f->number};
	ret->rc = memory_take(m, &f->o, f->fd, &ret->outcome, &ret->why);
	close(f->fd);
	return ERR_OK;
}

static inline enum err_code memory_get(void *ctx, const char *name, uint64_t limit_bytes, bucket_sink_fn *sink,
    void *sink_ctx, enum bucket_outcome *ret, struct err *reterr)
{
	struct memory_store *m = ctx;
	enum err_code rc;
	if (!memory_call(m, &rc, reterr) || rc)
		return rc;
	struct memory_object *o = memory_find(m, name);
	*ret = o ? BUCKET_DONE : m->hides ? BUCKET_HIDDEN : BUCKET_MISSING;
	if (o && o->size > limit_bytes)
		return err_set(reterr, ERR_LIMIT, "%s is too large", name);
	if (o && m->breaks && o->size > 1) {
		m->breaks--;
		(void)sink(sink_ctx, o->data, o->size / 2);
		return err_set(reterr, ERR_UNREACHABLE, "the connection broke");
	}
	return !o || sink(sink_ctx, o->data, o->size) ? ERR_OK : err_set(reterr, ERR_CANCELLED, "not taken");
}

static inline enum err_code memory_head(
    void *ctx, const char *name, enum bucket_outcome *ret, uint64_t *ret_size, struct err *reterr)
{
	struct memory_store *m = ctx;
	enum err_code rc;
	if (!memory_call(m, &rc, reterr) || rc)
		return rc;
	struct memory_object *o = memory_find(m, name);
	*ret = o ? BUCKET_DONE : m->hides ? BUCKET_HIDDEN : BUCKET_MISSING;
	if (o)
		*ret_size = o->size;
	return ERR_OK;
}

static inline enum err_code memory_retain(
    void *ctx, const char *name, enum bucket_lock lock, uint64_t until_ms, enum bucket_outcome *ret, struct err *reterr)
{
	struct memory_store *m = ctx;
	enum err_code rc;
	if (!memory_call(m, &rc, reterr))
		return rc;
	struct memory_object *o = memory_find(m, name);
	if (m->no_locks)
		return err_set(reterr, ERR_DENIED, "the credential may not lock");
	*ret = o ? BUCKET_DONE : BUCKET_MISSING;
	if (o) {
		assert_true(until_ms >= o->until_ms); /* a lock never gets shorter */
		o->until_ms = until_ms;
		o->lock = (uint32_t)lock;
	}
	return rc;
}

#endif
