/* agent/worker/keep.c: restore points read back when that is due, old ones removed, prepared trees cleaned. */
#include "agent/rollback/prepared.h"
#include "agent/worker/internal.h"
#include "agent/worker/upkeep.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

void work_verify(struct work *w)
{
	const struct service_config *service = agent_config_service(w->c, w->spec->service);
	struct verify_options o = {.now_ms = clock_wall_ms(), .cancel = w->out->cancel};
	struct verify_result done;
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	enum upkeep_due due = UPKEEP_NOTHING;
	upkeep_gently();
	enum err_code rc = service ? upkeep_due(service, w->repo, o.now_ms, w->arena, &due, &s, &err) : ERR_OK;
	if (rc == ERR_OK && due == UPKEEP_NOTHING)
		return;
	o.sample = due == UPKEEP_SAMPLE;
	if (rc == ERR_OK)
		rc = snapshot_verify(w->repo, s.snapshot, &o, &done, &err);
	if (rc == ERR_CORRUPT) {
		work_tell_notice(w, SEVERITY_HIGH, "snapshot-damaged", w->spec->service, err.msg);
		work_tell_damage(w, due == UPKEEP_NOTHING ? (struct id){0} : s.snapshot);
	}
	if (rc != ERR_OK && rc != ERR_CANCELLED)
		log_error("snapshot", "service=%s not verified: %s", w->spec->service, err.msg);
	if (rc != ERR_OK)
		return;
	log_info("snapshot", "service=%s %s: %llu of %llu chunks read back and authenticated", s.service,
	    id_text(ID_SNAPSHOT, s.snapshot), (unsigned long long)done.chunks, (unsigned long long)done.chunks_total);
	if (due == UPKEEP_VERIFY)
		work_tell_snapshot(w, &s, true);
}

/* Trees that were staged beforehand and have had their day, and what an interrupted process left undone with them. */
static void clean_prepared(struct work *w)
{
	struct err err = ERR_INIT;
	size_t swept = 0;
	for (size_t i = 0; i < w->c->services.count; i++)
		work_settle(w, &LIST_AT(w->c->services, struct service_config, i));
	if (rollback_prepared_sweep(w->repo, w->c->state_directory, clock_wall_ms(), w->arena, &swept, &err) != ERR_OK)
		log_warn("rollback", "prepared trees are not cleaned: %s", err.msg);
	else if (swept)
		log_info("rollback", "%zu prepared trees removed", swept);
}

void work_prune(struct work *w)
{
	struct prune_result done;
	struct err err = ERR_INIT;
	char size[TEXT_TIME_MAX];
	size_t spared = 0;
	upkeep_gently();
	clean_prepared(w);
	enum err_code rc = upkeep_prune(w->c, w->repo, NULL, true, w->out->cancel, w->arena, &done, &spared, &err);
	if (rc == ERR_CORRUPT)
		work_tell_notice(w, SEVERITY_HIGH, "repository-damaged", NULL, err.msg);
	if (rc != ERR_OK && rc != ERR_CANCELLED && rc != ERR_BUSY)
		log_warn("snapshot", "nothing was pruned: %s", err.msg);
	if (rc == ERR_OK)
		log_info("snapshot",
		    "pruned: %zu restore points removed, %llu packs condemned, %llu written anew, %s freed; %zu services keep all for now",
		    done.removed.count, (unsigned long long)done.condemned_packs,
		    (unsigned long long)done.repacked_packs, text_size_human(done.deleted_bytes, size), spared);
}
