/* agent/worker/tell.c: what a worker tells the controller. */
#include "agent/worker/internal.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

void work_tell(struct work *w, enum importance importance, struct report *r)
{
	r->sequence = 1; /* the link gives the real one */
	r->at_ms = clock_wall_ms();
	r->importance = importance;
	w->out->report(w->out->ctx, r);
}

void work_tell_order(struct work *w, const struct order_report *o)
{
	struct report r = {.order = o};
	work_tell(w, IMPORTANCE_RESULT, &r);
}

void work_end_order(struct work *w, enum order_outcome outcome, const char *text)
{
	const struct order *o = w->spec->order;
	char line[TEXT_LINE_MAX];
	text_copy(line, sizeof line, text ? text : "");
	struct order_report r = {.order = o->order,
	    .kind = o->kind,
	    .service = o->service,
	    .outcome = outcome,
	    .at_ms = clock_wall_ms(),
	    .steps = {w->steps, w->step_count},
	    .text = line[0] ? line : NULL};
	work_tell_order(w, &r);
}

void work_tell_notice(struct work *w, enum severity severity, const char *what, const char *service, const char *text)
{
	char line[TEXT_LINE_MAX];
	text_copy(line, sizeof line, text);
	struct notice_report body = {.severity = severity, .what = what, .text = line, .service = service};
	struct report r = {.notice = &body};
	work_tell(w, IMPORTANCE_EVENT, &r);
}

enum err_code work_snapshot_report(
    const struct snapshot_summary *s, struct arena *arena, struct snapshot_report *ret, struct err *reterr)
{
	struct component_point *points = arena_array(arena, s->components.count + 1, sizeof *points);
	if (!points)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < s->components.count; i++) {
		const struct snapshot_component *c = &LIST_AT(s->components, struct snapshot_component, i);
		points[i] = (struct component_point){c->component, c->digest, c->entries, c->size_bytes, c->version};
	}
	*ret = (struct snapshot_report){.snapshot = s->snapshot,
	    .service = s->service,
	    .reason = s->reason,
	    .taken_ms = s->taken_ms,
	    .took_ms = s->took_ms,
	    .stored_bytes = s->stored_bytes,
	    .components = {points, s->components.count},
	    .suspect = s->suspect || s->marks.suspect};
	return ERR_OK;
}

void work_tell_snapshot(struct work *w, const struct snapshot_summary *s, bool verified)
{
	struct snapshot_report body;
	struct report r = {.snapshot = &body};
	struct err err = ERR_INIT;
	if (work_snapshot_report(s, w->arena, &body, &err) != ERR_OK) {
		log_error("snapshot", "service=%s %s is not told: %s", s->service, id_text(ID_SNAPSHOT, s->snapshot),
		    err.msg);
		return;
	}
	body.verified = verified;
	body.damaged = !verified && s->marks.damage != NULL;
	work_tell(w, IMPORTANCE_EVENT, &r);
}

void work_tell_damage(struct work *w, struct id snapshot)
{
	struct snapshot_summary s;
	if (!id_is_zero(snapshot) && snapshot_get(w->repo, snapshot, w->arena, &s, NULL) == ERR_OK)
		work_tell_snapshot(w, &s, false);
}

void work_tell_snapshot_failed(struct work *w, const char *service, uint32_t reason, const char *why)
{
	char line[TEXT_LINE_MAX];
	struct random random;
	text_copy(line, sizeof line, why);
	random_init_system(&random);
	struct snapshot_report body = {.snapshot = id_new(clock_wall_ms(), &random), /* of the attempt */
	    .service = service,
	    .reason = reason,
	    .taken_ms = clock_wall_ms(),
	    .error = line};
	struct report r = {.snapshot = &body};
	log_error("snapshot", "service=%s not taken: %s", service, why);
	work_tell(w, IMPORTANCE_EVENT, &r);
}
