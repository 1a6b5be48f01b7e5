/* agent/keeper/observe.c: what the keeper sees: health, logs, drift, and the schedule of snapshots. */
#include <string.h>

#include "agent/database/database.h"
#include "agent/keeper/internal.h"
#include "agent/keeper/jitter.h"
#include "agent/worker/upkeep.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum { REPORT_ARENA = 1 << 20 };

void keeper_tell(struct keeper *k, enum importance importance, struct report *r)
{
	struct err err = ERR_INIT;
	r->sequence = 1; /* the link gives the real one */
	r->at_ms = clock_wall_ms();
	r->importance = importance;
	if (k->outgoing && outgoing_add(k->outgoing, r, &err) != ERR_OK)
		log_warn("keeper", "a report was dropped: %s", err.msg);
}

void keeper_notice(struct keeper *k, enum severity severity, const char *what, const char *service, const char *text)
{
	char line[TEXT_LINE_MAX];
	text_copy(line, sizeof line, text);
	struct notice_report body = {.severity = severity, .what = what, .text = line, .service = service};
	struct report r = {.notice = &body};
	keeper_tell(k, IMPORTANCE_EVENT, &r);
}

static struct watched *find(struct keeper *k, const char *service)
{
	for (size_t i = 0; i < k->watched_count; i++)
		if (text_equal(k->watched[i].service->name, service))
			return &k->watched[i];
	return NULL;
}

/* ---- health ---- */

static void report_health(struct watched *w, bool changed)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(REPORT_ARENA);
	struct health_report body = {.service = w->service->name, .changed = changed};
	struct err err = ERR_INIT;
	if (!w->service->probes.count)
		return;
	if (!arena || probe_set_results(w->k->probes, w->service->name, arena, &body.results, &err) != ERR_OK) {
		log_warn("keeper", "service=%s health cannot be told: %s", w->service->name, err.msg);
		return;
	}
	struct report r = {.health = &body};
	keeper_tell(w->k, changed ? IMPORTANCE_EVENT : IMPORTANCE_HEALTH, &r);
	w->last_report_ms = loop_now_ms(w->k->loop);
}

void observe_tell_health(struct watched *w)
{
	report_health(w, true);
}

static void want_drift(struct watched *w)
{
	w->drift_wanted = true;
	w->next_drift_ms = 0;
}

static void on_result(void *ctx, const struct service_config *service, const struct probe_result *result, bool changed)
{
	struct keeper *k = ctx;
	struct watched *w = find(k, service->name);
	if (!w || !changed)
		return;
	log_info("probe", "service=%s probe=%s is %s: %s", service->name, result->probe,
	    enum_name(&probe_state_enum, result->settled), result->text ? result->text : "");
	report_health(w, true);
	if (result->settled == PROBE_CRITICAL || result->settled == PROBE_WARNING) {
		want_drift(w); /* what changed?  The controller wants to know before it asks */
		logwatch_flush(k->logs);
	}
}

static bool is_well(struct watched *w)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(REPORT_ARENA);
	struct list results;
	if (!w->service->probes.count)
		return true;
	if (!arena || probe_set_results(w->k->probes, w->service->name, arena, &results, NULL) != ERR_OK)
		return false;
	for (size_t i = 0; i < results.count; i++)
		if (LIST_AT(results, struct probe_result, i).settled == PROBE_CRITICAL)
			return false;
	return true;
}

static void on_order_checked(void *ctx, const struct probe_check *check)
{
	struct watched *w = ctx;
	struct order_report r = {.order = w->probe_order,
	    .kind = ORDER_PROBE,
	    .service = w->service->name,
	    .outcome = ORDER_OK,
	    .at_ms = clock_wall_ms(),
	    .healthy = check->all_ok,
	    .text = check->all_ok ? "every probe passed" : "not every probe passed"};
	report_health(w, true);
	if (id_is_zero(w->probe_order))
		return;
	w->probe_order = (struct id){0};
	orders_on_job_report(w->k->orders, &r);
}

enum err_code observe_probe_order(struct keeper *k, const struct order *o, struct err *reterr)
{
	struct watched *w = find(k, o->service);
	if (!w || !id_is_zero(w->probe_order))
		return err_set(reterr, w ? ERR_BUSY : ERR_NOT_FOUND,
		    w ? "its probes are being run already" : "agent.yaml declares no such service");
	w->probe_order = o->order;
	looks_replaced(w);
	enum err_code rc = probe_set_check(k->probes, o->service, true, on_order_checked, w, reterr);
	if (rc != ERR_OK)
		w->probe_order = (struct id){0};
	return rc;
}

void observe_changed(struct keeper *k, const char *service, bool begins)
{
	struct watched *w = find(k, service);
	if (!w || !k->probes) /* the keeper ends */
		return;
	if (begins || !w->untouched)
		probe_set_hold(k->probes, service, begins);
	w->untouched = false;
	if (begins)
		return;
	want_drift(w);
	looks_replaced(w);
	if (probe_set_check(k->probes, service, false, on_order_checked, w, NULL) != ERR_OK)
		report_health(w, true);
}

/* ---- logs ---- */

static enum err_code on_log(void *ctx, const struct log_report *report, struct err *reterr)
{
	struct keeper *k = ctx;
	struct report r = {.sequence = 1, .at_ms = clock_wall_ms(), .importance = IMPORTANCE_EVENT, .log = report};
	return k->outgoing ? outgoing_add(k->outgoing, &r, reterr) : ERR_OK;
}

/* ---- drift: only what is new is told, or what a failing probe made us look for: that nothing changed tells, too ----
 */

static bool is_news(struct watched *w, const struct drift_report *d)
{
	struct seen_drift *s = &w->drift[d->component];
	const char *version = d->version_now ? d->version_now : "";
	bool same = s->known && id_equal(s->snapshot, d->snapshot) && s->changed == d->changed &&
		    s->added == d->added && s->removed == d->removed && s->newest_ms == d->newest_change_ms &&
		    !memcmp(&s->digest, &d->digest, sizeof s->digest) && text_starts(version, s->version);
	bool said = d->checked && !(s->checked && s->refused == (d->refused != NULL));
	struct seen_drift seen = {.known = true,
	    .snapshot = d->snapshot,
	    .changed = d->changed,
	    .added = d->added,
	    .removed = d->removed,
	    .newest_ms = d->newest_change_ms,
	    .digest = d->digest,
	    .checked = d->checked || (same && s->checked),
	    .refused = d->checked ? d->refused != NULL : same && s->refused};
	text_copy(seen.version, sizeof seen.version, version);
	*s = seen;
	return !same || said;
}

/* What the probes knew of a service stays true where an order changed nothing of it. */
static bool left_alone(const struct order_report *r)
{
	if (r->outcome != ORDER_REFUSED && r->outcome != ORDER_EXPIRED && r->outcome != ORDER_CANCELLED)
		return false;
	for (size_t i = 0; i < r->steps.count; i++) {
		uint32_t kind = LIST_AT(r->steps, struct order_step, i).kind;
		if (kind == STEP_STOP || kind == STEP_ACTION)
			return false;
	}
	return true;
}

void observe_report(struct keeper *k, const struct report *r)
{
	struct watched *w = r->drift ? find(k, r->drift->service) : NULL;
	struct report copy = *r;
	if (r->order) {
		struct watched *of = r->order->service ? find(k, r->order->service) : NULL;
		if (of && order_is_changing((enum order_kind)r->order->kind))
			of->untouched = left_alone(r->order);
		orders_on_job_report(k->orders, r->order);
		return;
	}
	if (w && r->drift->component < COMPONENT_COUNT && !is_news(w, r->drift) && !w->drift_told)
		return;
	if (w)
		log_info("drift", "service=%s %s: %llu changed, %llu added, %llu removed", r->drift->service,
		    enum_name(&component_enum, r->drift->component), (unsigned long long)r->drift->changed,
		    (unsigned long long)r->drift->added, (unsigned long long)r->drift->removed);
	keeper_tell(k, (enum importance)r->importance, &copy);
}

/* Of the probes that fail, the one that does so since last. */
static void note_failing(struct watched *w, struct work_spec *spec)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(REPORT_ARENA);
	struct list results = {0};
	if (!arena || probe_set_results(w->k->probes, w->service->name, arena, &results, NULL) != ERR_OK)
		return;
	for (size_t i = 0; i < results.count; i++) {
		const struct probe_result *r = &LIST_AT(results, struct probe_result, i);
		bool fails = r->settled == PROBE_CRITICAL || r->settled == PROBE_WARNING;
		if (!fails || r->since_ms < spec->failed_ms)
			continue;
		spec->failed_ms = r->since_ms;
		spec->passed_ms = r->passed_ms ? r->passed_ms : r->since_ms;
	}
}

static void drift_tick(struct watched *w, uint64_t now_ms)
{
	struct keeper *k = w->k;
	struct work_spec spec = {.kind = WORK_DRIFT, .service = w->service->name, .suspect = !is_well(w)};
	uint64_t every_ms = k->c->drift_every_ms ? k->c->drift_every_ms : KEEPER_DRIFT_DEFAULT_MS;
	struct err err = ERR_INIT;
	if (now_ms < w->next_drift_ms || jobs_running(k->jobs, WORK_DRIFT, w->service->name) ||
	    orders_is_running(k->orders, w->service->name))
		return;
	w->next_drift_ms = now_ms + every_ms;
	w->drift_told = w->drift_wanted;
	spec.asked = w->drift_wanted;
	w->drift_wanted = false;
	note_failing(w, &spec);
	if (jobs_start(k->jobs, &spec, &err) != ERR_OK)
		log_warn("drift", "service=%s cannot be compared now: %s", w->service->name, err.msg);
}

/* ---- snapshots by schedule, with a jitter that is this host's own ---- */

static uint64_t jittered(const struct watched *w, uint64_t every_ms)
{
	return jittered_ms(w->k->c->host, w->service->name, every_ms);
}

static void snapshot_tick(struct watched *w, uint64_t now_ms)
{
	struct keeper *k = w->k;
	struct err err = ERR_INIT;
	if (!w->service->snapshots.every_ms || now_ms < w->next_snapshot_ms ||
	    orders_is_running(k->orders, w->service->name))
		return;
	w->next_snapshot_ms = now_ms + jittered(w, w->service->snapshots.every_ms);
	struct work_spec spec = {
	    .kind = WORK_SNAPSHOT, .service = w->service->name, .reason = SNAPSHOT_SCHEDULED, .suspect = !is_well(w)};
	observe_yield(k);
	if (jobs_start(k->jobs, &spec, &err) != ERR_OK) {
		log_error("snapshot", "service=%s cannot be taken now: %s", w->service->name, err.msg);
		w->next_snapshot_ms = now_ms + KEEPER_DRIFT_DEFAULT_MS;
	}
}

/* ---- upkeep by schedule: what can wait, one at a time ---- */

void observe_yield(struct keeper *k)
{
	uint64_t again_ms = loop_now_ms(k->loop) + UPKEEP_RETRY_MS;
	if (jobs_running(k->jobs, WORK_PRUNE, NULL))
		k->next_prune_ms = again_ms;
	for (size_t i = 0; i < k->watched_count; i++)
		if (jobs_running(k->jobs, WORK_VERIFY, k->watched[i].service->name))
			k->watched[i].next_verify_ms = again_ms;
	jobs_stop(k->jobs, WORK_PRUNE, NULL);
	jobs_stop(k->jobs, WORK_VERIFY, NULL);
	jobs_stop(k->jobs, WORK_DRILL, NULL);
}

static bool is_busy(const struct keeper *k)
{
	return orders_running(k->orders) || jobs_running(k->jobs, WORK_SNAPSHOT, NULL) ||
	       jobs_running(k->jobs, WORK_VERIFY, NULL) || jobs_running(k->jobs, WORK_PRUNE, NULL);
}

static uint64_t shorter(uint64_t a, uint64_t b)
{
	return a && (a < b || !b) ? a : b;
}

/* The worker looks for itself what is due; here is only how often it is asked. */
static void verify_tick(struct watched *w, uint64_t now_ms)
{
	struct keeper *k = w->k;
	struct work_spec spec = {.kind = WORK_VERIFY, .service = w->service->name};
	uint64_t every_ms = shorter(w->service->snapshots.verify_every_ms, w->service->snapshots.sample_every_ms);
	struct err err = ERR_INIT;
	if (!every_ms || now_ms < w->next_verify_ms || is_busy(k))
		return;
	w->next_verify_ms = now_ms + jittered(w, every_ms);
	if (jobs_start(k->jobs, &spec, &err) != ERR_OK)
		log_warn("snapshot", "service=%s cannot be verified now: %s", w->service->name, err.msg);
}

static void prune_tick(struct keeper *k, uint64_t now_ms)
{
	struct work_spec spec = {.kind = WORK_PRUNE};
	struct err err = ERR_INIT;
	if (!k->c->prune_every_ms || !k->watched_count || now_ms < k->next_prune_ms || is_busy(k))
		return;
	k->next_prune_ms = now_ms + jittered(&k->watched[0], k->c->prune_every_ms);
	if (jobs_start(k->jobs, &spec, &err) != ERR_OK)
		log_warn("snapshot", "cannot be pruned now: %s", err.msg);
}

static void plan_upkeep(struct keeper *k)
{
	uint64_t now_ms = loop_now_ms(k->loop);
	for (size_t i = 0; i < k->watched_count; i++) {
		struct watched *w = &k->watched[i];
		const struct snapshots_config *c = &w->service->snapshots;
		w->next_verify_ms =
		    now_ms + jittered(w, shorter(shorter(c->verify_every_ms, c->sample_every_ms), UPKEEP_FIRST_MS));
		w->next_drill_look_ms = now_ms + jittered(w, shorter(c->drill_every_ms, UPKEEP_FIRST_MS));
		if (!i)
			k->next_prune_ms = now_ms + jittered(w, shorter(k->c->prune_every_ms, UPKEEP_FIRST_MS));
	}
}

/* What was frozen for a copy when everything died at once. */
static void thaw_leftover(struct watched *w)
{
	char work[PATH_LIMIT];
	struct err err = ERR_INIT;
	if (!text_format(work, sizeof work, "%s/prepare", w->k->c->state_directory) ||
	    database_thaw_leftover(work, w->service, &err) == ERR_OK)
		return;
	log_error("database", "service=%s %s", w->service->name, err.msg);
	keeper_notice(w->k, SEVERITY_CRITICAL, "frozen", w->service->name, err.msg);
}

/* The newest scheduled one decides when the next is due: a restart takes none too many, and no whole fleet that
 * restarts takes those together that are overdue.  age_ms: UINT64_MAX: there is none yet, and no host is left without.
 */
static uint64_t first_snapshot_ms(const struct watched *w, uint64_t age_ms)
{
	uint64_t own_ms = w->service->snapshots.every_ms, every_ms = jittered(w, own_ms);
	if (age_ms < every_ms)
		return every_ms - age_ms;
	return KEEPER_FIRST_SNAPSHOT_MS +
	       (age_ms == UINT64_MAX ? 0 : jitter_overdue_ms(w->k->c->host, w->service->name, own_ms));
}

static void plan_snapshots(struct keeper *k)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	struct repo *repo = NULL;
	struct err err = ERR_INIT;
	uint64_t now_ms = loop_now_ms(k->loop), wall_ms = clock_wall_ms();
	if (!arena || work_repo(k->c, &repo, &err) != ERR_OK) {
		log_error("keeper", "the repository cannot be used: %s", err.msg);
		keeper_notice(k, SEVERITY_HIGH, "repository-unusable", NULL, err.msg);
		return;
	}
	for (size_t i = 0; i < k->watched_count; i++) {
		struct watched *w = &k->watched[i];
		struct list all;
		if (database_archive_make(repo, k->c->state_directory, w->service, &err) != ERR_OK)
			log_warn("database", "service=%s has no archive of its log: %s", w->service->name, err.msg);
		thaw_leftover(w);
		uint64_t age_ms = UINT64_MAX;
		if (snapshot_list(repo, w->service->name, arena, &all, NULL, &err) != ERR_OK)
			continue;
		for (size_t n = 0; n < all.count && age_ms == UINT64_MAX; n++) {
			const struct snapshot_summary *s = &LIST_AT(all, struct snapshot_summary, n);
			if (s->reason == SNAPSHOT_SCHEDULED && s->taken_ms <= wall_ms)
				age_ms = wall_ms - s->taken_ms;
		}
		w->next_snapshot_ms = now_ms + first_snapshot_ms(w, age_ms);
	}
	repo_close(repo);
}

/* ---- all together ---- */

enum err_code observe_new(struct keeper *k, struct err *reterr)
{
	k->watched_count = k->c->services.count;
	k->watched = arena_array(k->arena, k->watched_count + 1, sizeof *k->watched);
	if (!k->watched)
		return err_set(reterr, ERR_NOMEM, "out of memory for the services");
	for (size_t i = 0; i < k->watched_count; i++) {
		k->watched[i].k = k;
		k->watched[i].service = &LIST_AT(k->c->services, struct service_config, i);
	}
	k->probe_events = (struct probe_set_events){k, on_result};
	k->log_events = (struct logwatch_events){k, on_log};
	enum err_code rc = probe_set_new(k->loop, k->c, &k->probe_events, &k->probes, reterr);
	if (rc == ERR_OK)
		rc = deaths_new(k, reterr);
	if (rc == ERR_OK)
		rc = logwatch_new(k->loop, k->c, k->c->state_directory, &k->log_events, &k->logs, reterr);
	if (rc == ERR_OK)
		plan_snapshots(k);
	plan_upkeep(k);
	return rc;
}

void observe_free(struct keeper *k)
{
	if (k->logs)
		logwatch_free(k->logs);
	pidwatch_free(k->pids);
	if (k->probes)
		probe_set_free(k->probes);
	k->logs = NULL;
	k->probes = NULL;
}

void observe_tick(struct keeper *k, uint64_t now_ms)
{
	for (size_t i = 0; i < k->watched_count; i++) {
		struct watched *w = &k->watched[i];
		if (now_ms - w->last_report_ms >= k->heartbeat_ms)
			report_health(w, false);
		if (k->stopping)
			continue;
		snapshot_tick(w, now_ms);
		drift_tick(w, now_ms);
		verify_tick(w, now_ms);
		drills_tick(w, now_ms);
		reach_tick(w, now_ms);
	}
	if (k->stopping)
		return;
	looks_tick(k, now_ms);
	prune_tick(k, now_ms);
	pidwatch_tick(k->pids, now_ms);
	byhand_tick(k);
}

void observe_everything(struct keeper *k)
{
	for (size_t i = 0; i < k->watched_count; i++) {
		memset(k->watched[i].drift, 0, sizeof k->watched[i].drift);
		report_health(&k->watched[i], true);
	}
}
