/* tests/unit/agent/orders/host.h: a host without disk, spool and workers: what orders.h asks of the world, remembered.
 *
 * The journal holds bytes, as a disk would: what comes back after a crash is what was encoded.  Any io call can fail,
 * or be the last one before a crash (made, or not made).  Workers are kept as what they did: begun, ended, and how
 * often. */
#ifndef KEDGE_TESTS_UNIT_AGENT_KEEPER_HOST_H
#define KEDGE_TESTS_UNIT_AGENT_KEEPER_HOST_H

#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/orders/orders.h"
#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum { HOST_MAX = 4096, HOUR = 3600 * 1000, TOLD_MAX = 64 };

struct host_file {
	struct id order;
	struct buf bytes;
	bool there;
};

struct host_job {
	struct id order;
	unsigned begun, resumed, effects; /* effects: how often it really changed something */
	bool running, cancelled, changing;
	char service[NAME_MAX_BYTES + 1];
};

struct host_told { /* of one order */
	struct id order;
	unsigned accepted, ends, other_ends; /* other_ends: an end that is not the first one's outcome */
	enum order_outcome outcome;
	char text[TEXT_LINE_MAX];
	bool unacknowledged;
};

struct host {
	struct arena *arena;
	const struct agent_config *config;
	struct orders *orders;
	struct host_file files[HOST_MAX];
	struct host_job jobs[HOST_MAX];
	struct host_told told[HOST_MAX];
	size_t file_count, job_count, told_count;
	uint64_t epoch, now_ms;
	bool authorise;
	/* io */
	unsigned calls;
	int fail_at, crash_at; /* counted from 1; 0: never */
	bool crash_after;      /* the call is still made */
	unsigned fail_for;     /* how many calls fail from there on */
	bool dead;
};

static const char *const host_yaml = "host: h1\n"
				     "domain: example.org\n"
				     "state_directory: /nowhere\n"
				     "services:\n"
				     "  portal:\n"
				     "    components: { config: { paths: [/etc/portal] } }\n"
				     "    rollback: { max_per_hour: 3 }\n"
				     "  other:\n"
				     "    components: { config: { paths: [/etc/other] } }\n"
				     "    rollback: { max_per_hour: 60 }\n";

/* False: the call is to fail.  *ret_made false: nothing of it is to remain. */
static inline bool host_call(struct host *h, bool *ret_made)
{
	*ret_made = false;
	if (h->dead)
		return false;
	h->calls++;
	if (h->crash_at && h->calls >= (unsigned)h->crash_at) {
		h->dead = true;
		*ret_made = h->crash_after;
		return false;
	}
	if (h->fail_at && h->calls >= (unsigned)h->fail_at && h->calls < (unsigned)h->fail_at + h->fail_for)
		return false;
	*ret_made = true;
	return true;
}

static inline struct host_file *host_file(struct host *h, struct id order)
{
	for (size_t i = 0; i < h->file_count; i++)
		if (id_equal(h->files[i].order, order))
			return &h->files[i];
	assert_true(h->file_count < HOST_MAX);
	h->files[h->file_count] = (struct host_file){.order = order};
	return &h->files[h->file_count++];
}

static inline struct host_job *host_job(struct host *h, struct id order)
{
	for (size_t i = 0; i < h->job_count; i++)
		if (id_equal(h->jobs[i].order, order))
			return &h->jobs[i];
	assert_true(h->job_count < HOST_MAX);
	h->jobs[h->job_count] = (struct host_job){.order = order};
	return &h->jobs[h->job_count++];
}

static inline struct host_told *host_told(struct host *h, struct id order)
{
	for (size_t i = 0; i < h->told_count; i++)
		if (id_equal(h->told[i].order, order))
			return &h->told[i];
	assert_true(h->told_count < HOST_MAX);
	h->told[h->told_count] = (struct host_told){.order = order};
	return &h->told[h->told_count++];
}

static inline enum err_code host_put(void *ctx, const struct order_entry *e, struct err *reterr)
{
	struct host *h = ctx;
	bool made, ok = host_call(h, &made);
	if (made) {
		struct host_file *f = host_file(h, e->order_id);
		struct buf bytes = BUF_INIT;
		assert_int_equal(record_to_msgpack(&order_entry_type, e, &bytes, NULL), ERR_OK);
		buf_done(&f->bytes);
		f->bytes = bytes;
		f->there = true;
	}
	return ok ? ERR_OK : err_set(reterr, ERR_FULL, "the disk is full");
}

static inline enum err_code host_remove(void *ctx, struct id order, struct err *reterr)
{
	struct host *h = ctx;
	bool made, ok = host_call(h, &made);
	if (made)
		host_file(h, order)->there = false;
	return ok ? ERR_OK : err_set(reterr, ERR_IO, "the disk is bad");
}

static inline enum err_code host_put_epoch(void *ctx, uint64_t epoch, struct err *reterr)
{
	struct host *h = ctx;
	bool made, ok = host_call(h, &made);
	if (made)
		h->epoch = epoch;
	return ok ? ERR_OK : err_set(reterr, ERR_FULL, "the disk is full");
}

static inline enum err_code host_start(void *ctx, const struct order *o, bool resume, struct err *reterr)
{
	struct host *h = ctx;
	bool made, ok = host_call(h, &made);
	if (made) {
		struct host_job *j = host_job(h, o->order);
		assert_false(j->running);
		assert_true(resume || !j->begun); /* never blindly again */
		/* One change of a service at a time. */
		text_copy(j->service, sizeof j->service, o->service);
		j->changing = o->kind == ORDER_ROLLBACK || o->kind == ORDER_UNDO;
		for (size_t i = 0; i < h->job_count; i++)
			assert_false(j->changing && h->jobs[i].running && h->jobs[i].changing &&
				     text_equal(j->service, h->jobs[i].service));
		j->begun += !resume;
		j->resumed += resume;
		j->running = true;
	}
	return ok ? ERR_OK : err_set(reterr, ERR_NOMEM, "no process for a worker");
}

static inline void host_cancel(void *ctx, struct id order)
{
	struct host *h = ctx;
	bool made;
	(void)host_call(h, &made);
	if (made)
		host_job(h, order)->cancelled = true;
}

static inline void host_tell(void *ctx, const struct order_report *r)
{
	struct host *h = ctx;
	bool made;
	(void)host_call(h, &made);
	if (!made)
		return;
	struct host_told *t = host_told(h, r->order);
	if (r->outcome == ORDER_OPEN) {
		t->accepted++;
		return;
	}
	struct order_entry kept;
	struct host_file *f = host_file(h, r->order); /* journalled before it is told, always */
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	assert_true(f->there);
	assert_int_equal(
	    record_from_msgpack(&order_entry_type, f->bytes.data, f->bytes.size, arena, &kept, NULL), ERR_OK);
	assert_int_equal(kept.phase, ORDER_DONE);
	assert_int_equal(kept.report->outcome, r->outcome);
	if (t->ends++ == 0) {
		t->outcome = r->outcome;
		text_copy(t->text, sizeof t->text, r->text ? r->text : "");
	}
	t->other_ends += t->outcome != r->outcome;
	t->unacknowledged = true;
}

static inline bool host_authorised(void *ctx, const struct order *o, char why[TEXT_LINE_MAX])
{
	(void)o;
	text_copy(why, TEXT_LINE_MAX, "nobody has approved it");
	return ((struct host *)ctx)->authorise;
}

static inline uint64_t host_now(void *ctx)
{
	return ((struct host *)ctx)->now_ms;
}

/* A keeper begins on what the journal holds. */
static inline void host_boot(struct host *h)
{
	struct orders_io io = {
	    h, host_put, host_remove, host_put_epoch, host_start, host_cancel, host_tell, host_authorised, host_now};
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	struct order_entry *entries = arena_array(arena, h->file_count + 1, sizeof *entries);
	size_t count = 0;
	for (size_t i = 0; i < h->job_count; i++)
		h->jobs[i].running = false; /* workers die with their keeper */
	for (size_t i = 0; i < h->file_count; i++)
		if (h->files[i].there)
			assert_int_equal(record_from_msgpack(&order_entry_type, h->files[i].bytes.data,
					     h->files[i].bytes.size, arena, &entries[count++], NULL),
			    ERR_OK);
	orders_free(h->orders);
	h->orders = NULL;
	h->dead = false;
	h->crash_at = 0;
	assert_int_equal(orders_new(h->config, &io, &h->orders, NULL), ERR_OK);
	assert_int_equal(orders_load(h->orders, entries, count, h->epoch, NULL), ERR_OK);
}

static inline void host_restart(struct host *h)
{
	host_boot(h);
	orders_resume(h->orders);
}

static inline struct host *host_new(void)
{
	struct host *h = calloc(1, sizeof *h);
	struct err err = ERR_INIT;
	assert_non_null(h);
	log_setup(NULL, getenv("KEDGE_LOG") ? LOG_LEVEL_DEBUG
					    : LOG_LEVEL_COUNT); /* nobody reads it but whoever looks for a fault */
	h->arena = arena_new(0);
	h->now_ms = 1000ull * HOUR;
	h->authorise = true;
	if (agent_config_parse("agent.yaml", host_yaml, strlen(host_yaml), h->arena, &h->config, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	host_restart(h);
	return h;
}

static inline void host_free(struct host *h)
{
	orders_free(h->orders);
	for (size_t i = 0; i < h->file_count; i++)
		buf_done(&h->files[i].bytes);
	arena_free(h->arena);
	free(h);
}

static inline struct id host_id(uint64_t n)
{
	struct id id = {{1}};
	memcpy(id.b + 8, &n, sizeof n);
	return id;
}

static inline struct order host_order(const struct host *h, uint64_t n)
{
	static const uint32_t config_only[] = {COMPONENT_CONFIG};
	return (struct order){.order = host_id(n),
	    .kind = ORDER_ROLLBACK,
	    .epoch = 5,
	    .issued_ms = h->now_ms,
	    .expires_ms = h->now_ms + HOUR,
	    .run_limit_ms = 60000,
	    .host = "h1",
	    .service = "portal",
	    .components = {(void *)(uintptr_t)config_only, 1},
	    .snapshot = host_id(900),
	    .issuer = "operator eve",
	    .reason = "bad"};
}

/* The worker of an order ends it.  A second worker of it finds the first one's end, and tells that. */
static inline void host_end_job(struct host *h, uint64_t n, enum order_outcome outcome)
{
	struct host_job *j = host_job(h, host_id(n));
	assert_true(j->running);
	if (!j->effects)
		j->effects++;
	j->running = false;
	struct order_report r = {.order = host_id(n),
	    .kind = ORDER_ROLLBACK,
	    .service = j->service,
	    .outcome = outcome,
	    .at_ms = h->now_ms,
	    .safety_snapshot = host_id(800 + n),
	    .healthy = true,
	    .digests_match = true,
	    .text = "done"};
	orders_on_job_report(h->orders, &r);
	orders_on_job_lost(h->orders, host_id(n)); /* as the keeper does whenever a worker is gone */
}

#endif
