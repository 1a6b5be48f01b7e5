/* agent/worker/snapshots.c: restore points taken and read back, by schedule or by order. */
#include "agent/database/outline.h"
#include "agent/worker/internal.h"
#include "agent/worker/schema.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static void on_progress(void *ctx, const struct snapshot_progress *p)
{
	struct work *w = ctx;
	char size[TEXT_TIME_MAX], line[TEXT_LINE_MAX];
	text_format(line, sizeof line, "%llu entries, %s read", (unsigned long long)p->entries,
	    text_size_human(p->bytes_read, size));
	struct progress out = {.step = STEP_SAFETY, .text = line};
	if (!w->out->progress || !w->spec->order || clock_mono_ms() - w->began_ms < 1000)
		return;
	out.order = w->spec->order->order;
	out.service = w->spec->order->service;
	w->out->progress(w->out->ctx, &out);
}

/* Of the database, to be compared with later: evidence, which no restore point fails for. */
static void note_outline(struct work *w, const struct service_config *service, struct id snapshot)
{
	struct err why = ERR_INIT;
	enum err_code rc = outline_keep(w->c->state_directory, service, snapshot, &why);
	if (rc != ERR_OK && rc != ERR_UNSUPPORTED)
		log_warn(
		    "database", "service=%s what its database is made of was not noted: %s", service->name, why.msg);
}

static enum err_code take(
    struct work *w, const char *name, uint32_t reason, bool suspect, struct snapshot_summary *ret, struct err *reterr)
{
	const struct service_config *service = agent_config_service(w->c, name);
	char folder[PATH_LIMIT];
	if (!service)
		return err_set(reterr, ERR_NOT_FOUND, "agent.yaml declares no service %s", name);
	if (!text_format(folder, sizeof folder, "%s/prepare", w->c->state_directory))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	struct snapshot_options o = {.reason = reason,
	    .suspect = suspect,
	    .now_ms = clock_wall_ms(),
	    .progress = on_progress,
	    .progress_ctx = w,
	    .cancel = w->out->cancel};
	struct snapshot_version schemas[COMPONENT_COUNT];
	struct err why = ERR_INIT;
	schema_versions(service, w->arena, schemas, &o.version_count);
	o.versions = schemas;
	if (database_archive_make(w->repo, w->c->state_directory, service, &why) != ERR_OK)
		log_warn("database", "service=%s has no archive of its log: %s", name, why.msg);
	enum err_code rc = database_snapshot(w->repo, service, &o, folder, w->arena, ret, reterr);
	if (rc == ERR_OK && database_archive_based(w->c->state_directory, service, o.now_ms, &why) != ERR_OK)
		log_warn("database", "service=%s it is not watched whether its log is archived: %s", name, why.msg);
	if (rc == ERR_OK)
		note_outline(w, service, ret->snapshot);
	return rc;
}

void work_snapshot(struct work *w)
{
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	if (take(w, w->spec->service, w->spec->reason, w->spec->suspect, &s, &err) != ERR_OK)
		work_tell_snapshot_failed(w, w->spec->service, w->spec->reason, err.msg);
	else
		work_tell_snapshot(w, &s, false);
}

void work_order_snapshot(struct work *w)
{
	const struct order *o = w->spec->order;
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	if (take(w, o->service, SNAPSHOT_MANUAL, false, &s, &err) != ERR_OK) {
		work_tell_snapshot_failed(w, o->service, SNAPSHOT_MANUAL, err.msg);
		work_end_order(w, ORDER_REFUSED, err.msg);
		return;
	}
	work_tell_snapshot(w, &s, false);
	char id[ID_TEXT_MAX], line[TEXT_LINE_MAX];
	text_format(line, sizeof line, "restore point %s", id_format(ID_SNAPSHOT, s.snapshot, id));
	work_end_order(w, ORDER_OK, line);
}

void work_order_verify(struct work *w)
{
	const struct order *o = w->spec->order;
	struct verify_options options = {.now_ms = clock_wall_ms(), .cancel = w->out->cancel};
	struct verify_result done;
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	enum err_code rc = snapshot_get(w->repo, o->snapshot, w->arena, &s, &err);
	if (rc == ERR_OK)
		rc = snapshot_verify(w->repo, o->snapshot, &options, &done, &err);
	if (rc == ERR_CORRUPT)
		work_tell_damage(w, o->snapshot);
	if (rc != ERR_OK) {
		work_end_order(w, rc == ERR_CORRUPT ? ORDER_FAILED_DIRTY : ORDER_REFUSED, err.msg);
		return;
	}
	work_tell_snapshot(w, &s, true);
	char line[TEXT_LINE_MAX];
	text_format(line, sizeof line, "%llu chunks read back and authenticated", (unsigned long long)done.chunks);
	work_end_order(w, ORDER_OK, line);
}
