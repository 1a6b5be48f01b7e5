/* A host with a repository, and a store in memory. */
#ifndef KEDGE_TESTS_UNIT_AGENT_OFFHOST_RIG_H
#define KEDGE_TESTS_UNIT_AGENT_OFFHOST_RIG_H

#include "agent/offhost/copied.h"
#include "agent/offhost/offhost.h"
#include "tests/lib/snapshot_world.h"
#include "tests/unit/agent/offhost/memory_store.h"

enum { RIG_LOCK_MS = 30 * 24 * 3600 * 1000u };

struct rig {
	struct world w;
	struct memory_store store;
	struct offhost o;
	char folder[WORLD_PATH], back[WORLD_PATH], key[WORLD_PATH], last_finding[TEXT_LINE_MAX];
	unsigned findings, pauses;
	uint64_t now_ms;
	struct copy_result copied;
	struct copy_proof proof;
	struct offhost_restore_result restored;
	struct err err;
};

static inline uint64_t rig_now(void *ctx)
{
	return ((struct rig *)ctx)->now_ms++;
}
static inline void rig_pause(void *ctx, uint64_t ms, const atomic_bool *cancel)
{
	(void)cancel;
	struct rig *r = ctx;
	r->pauses++;
	r->now_ms += ms;
}
static inline void rig_finding(void *ctx, const char *text)
{
	struct rig *r = ctx;
	r->findings++;
	text_copy(r->last_finding, sizeof r->last_finding, text);
}

static unsigned rig_syncs;
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd)
{
	(void)fd;
	return 0;
}
int __wrap_fdatasync(int fd)
{
	(void)fd;
	rig_syncs++;
	return 0;
}

static inline void rig_init(struct rig *r)
{
	memset(r, 0, sizeof *r);
	r->store.syncs = &rig_syncs;
	world_init(&r->w);
	(void)text_format(r->folder, WORLD_PATH, "%s/offhost", r->w.dir);
	(void)text_format(r->back, WORLD_PATH, "%s/back", r->w.dir);
	(void)text_format(r->key, WORLD_PATH, "%s/keys/repository", r->w.repo_path);
	r->now_ms = r->w.now_ms;
	r->o = (struct offhost){
	    .store = {&r->store, memory_put, memory_put_begin, memory_put_end, memory_get, memory_head, memory_retain},
	    .destination = "https://store/b/p/",
	    .prefix = "p/",
	    .host = WORLD_HOST,
	    .folder = r->folder,
	    .ctx = r,
	    .now_ms = rig_now,
	    .pause = rig_pause,
	    .finding = rig_finding};
	world_text(r->w.config_dir, "a.conf", "one\n");
	world_noise(r->w.data_dir, "noise", 3 << 20, 1);
	world_settle();
}

static inline void rig_done(struct rig *r)
{
	memory_done(&r->store);
	world_done(&r->w);
}

static inline struct id rig_point(struct rig *r)
{
	struct snapshot_summary s;
	WORLD_OK(&r->w, world_create(&r->w, &s));
	return s.snapshot;
}

static inline enum err_code rig_copy(struct rig *r)
{
	static const uint8_t wrapped[] = "wrapped";
	return offhost_copy(&r->o, r->w.repo, (struct bytes){wrapped, sizeof wrapped}, &r->copied, &r->err);
}
static inline enum err_code rig_verify(struct rig *r, bool sample)
{
	r->findings = 0;
	return offhost_verify(&r->o, r->w.repo, sample, &r->proof, &r->err);
}

#define RIG_OK(r, call)                                                                                                \
	do {                                                                                                           \
		enum err_code code_ = (call);                                                                          \
		if (code_)                                                                                             \
			fail_msg("%s: %s: %s (%s)", #call, err_code_name(code_), (r)->err.msg, (r)->last_finding);     \
	} while (0)

static inline enum err_code rig_open_keys(void *ctx, const char *into, struct keys **ret, struct err *reterr)
{
	struct rig *r = ctx;
	(void)into;
	return keys_load(r->key, ret, reterr);
}

static inline enum err_code rig_restore(struct rig *r, struct id snapshot)
{
	struct offhost_restore_options o = {
	    .into = r->back, .snapshot = snapshot, .open_keys = rig_open_keys, .ctx = r};
	return offhost_restore(&r->o, &o, &r->restored, &r->err);
}

/* The restored repository gives back what the host had. */
static inline void rig_prove_restored(struct rig *r, struct id id, size_t points)
{
	struct repo *repo;
	struct list all;
	struct verify_result v;
	struct verify_options o = {.now_ms = 0};
	RIG_OK(r, repo_open(r->back, WORLD_HOST, &repo, &r->err));
	RIG_OK(r, snapshot_list(repo, NULL, r->w.arena, &all, NULL, &r->err));
	assert_int_equal(all.count, points);
	RIG_OK(r, snapshot_verify(repo, id, &o, &v, &r->err));
	assert_true(v.chunks > 0);
	repo_close(repo);
}

#endif
