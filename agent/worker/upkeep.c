#include "agent/snapshot/upkeep.h"
#include "agent/worker/upkeep.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/database/database.h"
#include "agent/orders/journal.h"
#include "agent/rollback/rollback.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { NICE = 10, IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_IDLE = 3, IOPRIO_CLASS_SHIFT = 13 }; /* ioprio_set(2) */

CLEANUP_DEFINE(struct order_journal, order_journal_cleanup, order_journal_close)

void upkeep_gently(void)
{
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
}

/* ---- what must stay ---- */

static bool has_ended(const struct order_entry *e)
{
	return e->phase == ORDER_DONE;
}

/* Restore points that orders name which have not ended, or that belong to an incident. */
static enum err_code find_protected(
    const struct agent_config *c, struct arena *arena, struct id **ret, size_t *ret_count, struct err *reterr)
{
	CLEANUP(order_journal_cleanup) struct order_journal *journal = NULL;
	struct list entries;
	uint64_t epoch;
	size_t count = 0;
	enum err_code rc = order_journal_open(c->state_directory, &journal, reterr);
	if (rc == ERR_OK)
		rc = order_journal_load(journal, arena, &entries, &epoch, reterr);
	if (rc != ERR_OK)
		return rc;
	struct id *ids = arena_array(arena, 2 * entries.count + 1, sizeof *ids);
	if (!ids)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < entries.count; i++) {
		const struct order_entry *e = &LIST_AT(entries, struct order_entry, i);
		/* Of an incident also afterwards: people go on asking about it, and may want it once more. */
		if (e->order && !id_is_zero(e->order->snapshot) && (!has_ended(e) || !id_is_zero(e->order->incident)))
			ids[count++] = e->order->snapshot;
		if (e->report && !id_is_zero(e->report->safety_snapshot)) /* an undo may go back to it for as long as
									     the order is remembered */
			ids[count++] = e->report->safety_snapshot;
	}
	*ret = ids;
	*ret_count = count;
	return ERR_OK;
}

/* Its newest restore point was taken while it was not well, and that began less than UPKEEP_TROUBLE_MS ago. */
static bool is_in_trouble(const struct list *newest_first, uint64_t now_ms)
{
	uint64_t since_ms = 0;
	for (size_t i = 0; i < newest_first->count; i++) {
		const struct snapshot_summary *s = &LIST_AT(*newest_first, struct snapshot_summary, i);
		if (s->reason == SNAPSHOT_SAFETY || s->reason == SNAPSHOT_EMERGENCY)
			continue;
		if (!s->suspect && !s->marks.suspect)
			break;
		since_ms = s->taken_ms;
	}
	return since_ms && since_ms + UPKEEP_TROUBLE_MS > now_ms;
}

static enum err_code make_rules(const struct agent_config *c, struct repo *r, const char *service, struct arena *arena,
    struct prune_rule **ret, size_t *ret_count, size_t *ret_spared, struct err *reterr)
{
	struct prune_rule *rules = arena_array(arena, c->services.count + 1, sizeof *rules);
	size_t count = 0, spared = 0;
	if (!rules)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < c->services.count; i++) {
		const struct service_config *s = &LIST_AT(c->services, struct service_config, i);
		struct list all;
		if (service && !text_equal(service, s->name))
			continue;
		enum err_code rc = snapshot_list(r, s->name, arena, &all, NULL, reterr);
		if (rc != ERR_OK)
			return rc;
		if (is_in_trouble(&all, clock_wall_ms()))
			spared++;
		else
			rules[count++] = (struct prune_rule){s->name, s->snapshots.keep};
	}
	*ret = rules;
	*ret_count = count;
	*ret_spared = spared;
	return ERR_OK;
}

static enum err_code check_quiet(const struct agent_config *c, struct arena *arena, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct list pending;
	if (text_format(path, sizeof path, "%s/HOLD", c->state_directory) && file_exists(path))
		return err_set(reterr, ERR_STATE, "this host is on hold: %s is there", path);
	enum err_code rc = rollback_pending(c->state_directory, arena, &pending, reterr);
	if (rc == ERR_OK && pending.count)
		rc = err_set(reterr, ERR_STATE,
		    "a rollback of %s is under way or was interrupted, and may need any restore point; see "
		    "`kedge-agent rollback recover`",
		    LIST_AT(pending, struct rollback_pending, 0).service);
	return rc;
}

enum err_code upkeep_prune(const struct agent_config *c, struct repo *r, const char *service, bool apply,
    const atomic_bool *cancel, struct arena *arena, struct prune_result *ret, size_t *ret_spared, struct err *reterr)
{
	struct prune_options o = {.now_ms = clock_wall_ms(), .apply = apply, .cancel = cancel};
	struct prune_rule *rules = NULL;
	struct id *protect = NULL;
	enum err_code rc = check_quiet(c, arena, reterr);
	if (rc == ERR_OK)
		rc = make_rules(c, r, service, arena, &rules, &o.rule_count, ret_spared, reterr);
	if (rc == ERR_OK)
		rc = find_protected(c, arena, &protect, &o.protect_count, reterr);
	o.rules = rules;
	o.protect = protect;
	if (rc == ERR_OK)
		rc = repo_prune(r, &o, arena, ret, reterr);
	for (size_t i = 0; rc == ERR_OK && apply && i < c->services.count; i++)
		rc = database_archive_sweep(
		    r, c->state_directory, &LIST_AT(c->services, struct service_config, i), o.now_ms, arena, reterr);
	return rc;
}

/* ---- reading back ---- */

enum err_code upkeep_due(const struct service_config *service, struct repo *r, uint64_t now_ms, struct arena *arena,
    enum upkeep_due *ret, struct snapshot_summary *ret_newest, struct err *reterr)
{
	const struct snapshots_config *c = &service->snapshots;
	const struct snapshot_summary *newest = NULL;
	uint64_t verified_ms = 0, sampled_ms = 0;
	struct list all;
	enum err_code rc = snapshot_list(r, service->name, arena, &all, NULL, reterr);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < all.count; i++) {
		const struct snapshot_summary *s = &LIST_AT(all, struct snapshot_summary, i);
		if (!newest && s->reason != SNAPSHOT_SAFETY && !s->marks.damage)
			newest = s;
		if (s->marks.verified_ms > verified_ms)
			verified_ms = s->marks.verified_ms;
		if (s->marks.sampled_ms > sampled_ms)
			sampled_ms = s->marks.sampled_ms;
	}
	sampled_ms = sampled_ms > verified_ms ? sampled_ms : verified_ms;
	*ret = UPKEEP_NOTHING;
	if (!newest)
		return ERR_OK;
	if (c->verify_every_ms && verified_ms + c->verify_every_ms <= now_ms)
		*ret = UPKEEP_VERIFY;
	else if (c->sample_every_ms && sampled_ms + c->sample_every_ms <= now_ms)
		*ret = UPKEEP_SAMPLE;
	*ret_newest = *newest;
	return ERR_OK;
}
