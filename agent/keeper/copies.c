/* agent/keeper/copies.c: when copies off the host are made: after each restore point, when the log of a database has
 * grown, and every so often; later and
 * later while the store is away.  Somebody is told once when that lasts. */
#include <string.h>
#include <sys/stat.h>

#include "agent/keeper/internal.h"
#include "agent/keeper/jitter.h"
#include "agent/offhost/session.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	COPIES_SETTLE_MS = 2 * 1000, /* restore points of several services come close together */
	COPIES_LOG_MS = 30 * 1000, /* between looks at the logs: a segment that is at most a minute old when it comes is
				    off the host before it is three */
	COPIES_RETRY_MS = 60 * 1000,             /* after a failure; doubles up to `every` */
	COPIES_ALARM_LEAST_MS = 3600 * 1000,     /* less is a hiccup of the network, */
	COPIES_ALARM_MOST_MS = 24 * 3600 * 1000, /* more is not, however seldom copies are made */
	COPIES_ALARM_TIMES = 3,                  /* of `every` */
	COPIES_STATUS_ARENA = 256 << 10,
};

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

/* A folder changes when a file comes into it. */
static bool logs_grew(struct keeper *k)
{
	struct timespec newest = k->copies.log_changed;
	char path[PATH_LIMIT];
	struct stat st;
	for (size_t i = 0; i < k->watched_count; i++) {
		const struct service_config *s = k->watched[i].service;
		const struct component_config *c = s->components.database;
		if (c && c->postgres && c->postgres->wal_archive &&
		    text_format(path, sizeof path, "%s/wal/%s/log", k->c->state_directory, s->name) &&
		    stat(path, &st) == 0 && is_later(&st.st_mtim, &newest))
			newest = st.st_mtim;
	}
	bool grew = is_later(&newest, &k->copies.log_changed);
	k->copies.log_changed = newest;
	return grew;
}

static void look_at_logs(struct keeper *k, uint64_t now_ms)
{
	if (now_ms < k->copies.next_look_ms || jobs_running(k->jobs, WORK_COPY, NULL))
		return;
	k->copies.next_look_ms = now_ms + COPIES_LOG_MS;
	if (logs_grew(k) && !k->copies.retry_ms) /* while the store is away its own clock decides */
		k->copies.next_ms = now_ms;
}

void copies_tick(struct keeper *k, uint64_t now_ms)
{
	struct work_spec spec = {.kind = WORK_COPY};
	struct err err = ERR_INIT;
	if (k->c->copies && !k->stopping)
		look_at_logs(k, now_ms);
	if (!k->c->copies || k->stopping || now_ms < k->copies.next_ms || jobs_running(k->jobs, WORK_COPY, NULL))
		return;
	k->copies.next_ms = now_ms + jittered_ms(k->c->host, "copies", k->c->copies->every_ms);
	if (jobs_start(k->jobs, &spec, &err) != ERR_OK)
		log_warn("offhost", "cannot be copied now: %s", err.msg);
}

static void want_soon(struct keeper *k, uint64_t delay_ms)
{
	uint64_t then_ms = loop_now_ms(k->loop) + delay_ms;
	if (then_ms < k->copies.next_ms)
		k->copies.next_ms = then_ms;
}

static uint64_t alarm_after_ms(const struct keeper *k)
{
	uint64_t ms = COPIES_ALARM_TIMES * k->c->copies->every_ms;
	return ms < COPIES_ALARM_LEAST_MS  ? COPIES_ALARM_LEAST_MS
	       : ms > COPIES_ALARM_MOST_MS ? COPIES_ALARM_MOST_MS
					   : ms;
}

/* Once for each time that something begins to be wrong; over (NULL: nothing) when it ends. */
static void raise(struct keeper *k, bool wrong, bool *raised, const char *what, const char *text, const char *over)
{
	if (wrong && !*raised)
		keeper_notice(k, SEVERITY_MEDIUM, what, NULL, text);
	if (!wrong && *raised && over)
		keeper_notice(k, SEVERITY_LOW, over, NULL, "copies off the host are made again");
	*raised = wrong;
}

static void look_at_outcome(struct keeper *k)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(COPIES_STATUS_ARENA);
	struct copy_status s;
	struct err err = ERR_INIT;
	char folder[PATH_LIMIT];
	if (!arena || offhost_folder(k->c, folder, &err) != ERR_OK ||
	    offhost_status_read(folder, arena, &s, &err) != ERR_OK) {
		log_warn("offhost", "how the copies stand cannot be read: %s", err.msg);
		return;
	}
	bool failed = s.error != NULL;
	uint64_t wall_ms = clock_wall_ms();
	k->copies.retry_ms = !failed ? 0 : k->copies.retry_ms ? 2 * k->copies.retry_ms : COPIES_RETRY_MS;
	if (k->copies.retry_ms > k->c->copies->every_ms)
		k->copies.retry_ms = k->c->copies->every_ms;
	if (failed)
		k->copies.next_ms = loop_now_ms(k->loop) + k->copies.retry_ms;
	raise(k, failed && s.failing_since_ms + alarm_after_ms(k) < wall_ms, &k->copies.failing_told, "copy-failing",
	    s.error ? s.error : "", "copy-works");
	raise(k, s.damaged > 0, &k->copies.damaged_told, "copy-incomplete",
	    "restore points are damaged on this host and are not copied: see its log", NULL);
	raise(k, s.lock_error != NULL, &k->copies.lock_told, "copy-lock", s.lock_error ? s.lock_error : "", NULL);
}

void copies_on_ended(struct keeper *k, const struct work_spec *spec)
{
	bool point = spec->kind == WORK_SNAPSHOT || (spec->order && spec->order->kind == ORDER_SNAPSHOT);
	if (!k->c->copies)
		return;
	if (spec->kind == WORK_COPY)
		look_at_outcome(k);
	else if (point && !k->copies.retry_ms) /* while the store is away its own clock decides */
		want_soon(k, COPIES_SETTLE_MS);
}
