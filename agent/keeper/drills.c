/* agent/keeper/drills.c: when a restore is practised, and the alarm when none has gone well for too long. */
#include <sys/stat.h>

#include "agent/keeper/internal.h"
#include "agent/rollback/drill.h"
#include "agent/worker/upkeep.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	LOOK_EVERY_MS = 60 * 1000, /* drills are a matter of hours */
	ALARM_EVERY_MS = DAY_MS,   /* said again every day until it is mended */
	LINE_MAX_BYTES = 160,
};

/* Since when there could have been one: the repository is that old. */
static uint64_t since_ms(const struct keeper *k)
{
	char path[PATH_LIMIT];
	struct stat st;
	if (!text_format(path, sizeof path, "%s/repository/FORMAT", k->c->state_directory) || stat(path, &st) != 0)
		return clock_wall_ms();
	return (uint64_t)st.st_mtim.tv_sec * 1000;
}

static void raise_alarm(struct watched *w, const struct drill_report *last, uint64_t now_ms)
{
	char text[LINE_MAX_BYTES], when[TEXT_TIME_MAX];
	bool ever = last && last->proven_ms;
	text_format(text, sizeof text, "no restore of %s has been proven %s%s", w->service->name,
	    ever ? "since " : "yet", ever ? text_time(last->proven_ms, when) : "");
	log_error("drill", "service=%s %s", w->service->name, text);
	keeper_notice(w->k, SEVERITY_HIGH, "no-proven-restore", w->service->name, text);
	w->next_drill_alarm_ms = now_ms + ALARM_EVERY_MS;
}

static bool is_busy(const struct keeper *k)
{
	return orders_running(k->orders) || jobs_running(k->jobs, WORK_SNAPSHOT, NULL) ||
	       jobs_running(k->jobs, WORK_VERIFY, NULL) || jobs_running(k->jobs, WORK_PRUNE, NULL) ||
	       jobs_running(k->jobs, WORK_DRILL, NULL);
}

/* The last one decides when the next is due: a restart makes none too many; what failed is tried again in a quarter of
 * the time. */
static bool is_due(const struct watched *w, const struct drill_report *last, uint64_t wall_ms)
{
	uint64_t every_ms = w->service->snapshots.drill_every_ms;
	if (!last)
		return true;
	return last->at_ms > wall_ms || wall_ms - last->at_ms >= (last->ok ? every_ms : every_ms / 4);
}

void drills_tick(struct watched *w, uint64_t now_ms)
{
	struct keeper *k = w->k;
	struct work_spec spec = {.kind = WORK_DRILL, .service = w->service->name};
	struct drill_report found, *last = NULL;
	struct err err = ERR_INIT;
	if (!w->service->snapshots.drill_every_ms || now_ms < w->next_drill_look_ms)
		return;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(1 << 20);
	if (!arena)
		return;
	w->next_drill_look_ms = now_ms + LOOK_EVERY_MS;
	if (drill_last(k->c->state_directory, w->service->name, arena, &found, NULL) == ERR_OK)
		last = &found;
	if (now_ms >= w->next_drill_alarm_ms && drill_is_overdue(w->service, last, since_ms(k), clock_wall_ms()))
		raise_alarm(w, last, now_ms);
	if (is_busy(k) || !is_due(w, last, clock_wall_ms()))
		return;
	if (jobs_start(k->jobs, &spec, &err) != ERR_OK)
		log_warn("drill", "service=%s cannot be practised now: %s", w->service->name, err.msg);
}
