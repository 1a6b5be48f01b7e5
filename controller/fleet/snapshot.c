/* controller/fleet/snapshot.c: restore points and the evidence that they are good. */
#include <string.h>

#include "controller/fleet/internal.h"
#include "shared/base/text.h"

enum err_code fleet_snapshot_get(
    struct turn *t, struct id snapshot, struct system_snapshot *ret, bool *ret_found, struct err *reterr)
{
	struct system_snapshot key = {.snapshot = snapshot};
	return turn_get(t, &system_snapshot_table, &key, ret, ret_found, reterr);
}

static enum err_code place_scan(
    struct turn *t, const char *service, const char *host, struct turn_scan *ret, struct err *reterr)
{
	struct system_snapshot like = {.place = fleet_place(t, service, host)};
	if (!like.place)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return turn_scan_index(t, &system_snapshot_table, "place", &like, true, ret, reterr);
}

/* The restore point that what runs now began from. */
static enum err_code newest(struct turn *t, const char *service, const char *host, struct system_snapshot *ret,
    bool *ret_found, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = place_scan(t, service, host, &scan, reterr);
	return rc == ERR_OK ? turn_scan_next(&scan, ret, ret_found, reterr) : rc;
}

static const struct component_point *point_of(const struct system_snapshot *s, enum component which)
{
	for (size_t i = 0; i < s->components.count; i++)
		if (LIST_AT(s->components, struct component_point, i).component == (uint32_t)which)
			return &LIST_AT(s->components, struct component_point, i);
	return NULL;
}

/* Do both hold the same of the components before `end`? */
static bool same_points(const struct system_snapshot *a, const struct system_snapshot *b, enum component end)
{
	for (unsigned c = 0; c < (unsigned)end; c++) {
		const struct component_point *p = point_of(a, (enum component)c), *q = point_of(b, (enum component)c);
		if (!p != !q || (p && memcmp(&p->digest, &q->digest, sizeof(p->digest)) != 0))
			return false;
	}
	return true;
}

/* The live run of evidence ends at `at_ms`. */
static void settle(struct system_snapshot *s, uint64_t at_ms)
{
	if (s->healthy_since_ms && at_ms > s->healthy_since_ms && at_ms - s->healthy_since_ms > s->healthy_ms)
		s->healthy_ms = at_ms - s->healthy_since_ms;
	s->healthy_since_ms = 0;
}

/* s comes after `before` on the same placement: hand over what is known. */
static enum err_code succeed(
    struct turn *t, struct system_snapshot *before, struct system_snapshot *s, struct err *reterr)
{
	bool same = same_points(before, s, COMPONENT_COUNT);
	s->new_make = !same_points(before, s, COMPONENT_DATA);
	if (same && before->healthy_since_ms && s->healthy_since_ms)
		s->healthy_since_ms = before->healthy_since_ms;
	settle(before, s->taken_ms);
	if (!same && !before->left_ms)
		before->left_ms = s->taken_ms;
	return turn_put(t, &system_snapshot_table, before, reterr);
}

static enum err_code snapshot_new(
    struct turn *t, const struct host *h, const struct snapshot_report *r, struct id incident, struct err *reterr)
{
	uint64_t now = turn_now_ms(t), taken = fleet_time(h, r->taken_ms);
	struct system_snapshot before, s = {
					   .snapshot = r->snapshot,
					   .service = r->service,
					   .host = h->name,
					   .place = fleet_place(t, r->service, h->name),
					   .reason = r->reason,
					   .taken_ms = taken < now ? taken : now,
					   .took_ms = r->took_ms,
					   .stored_bytes = r->stored_bytes,
					   .components = r->components,
					   .suspect = r->suspect || !id_is_zero(incident),
					   .verified = r->verified,
					   .damaged = r->damaged && !r->verified,
					   .read_back_ms = r->verified ? now : 0,
					   .incident = incident,
				       };
	struct placement p;
	bool found, healthy;
	enum err_code rc = fleet_placement_get(t, r->service, h->name, &p, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	healthy = found && p.health == HEALTH_HEALTHY;
	s.healthy_when_taken = healthy && p.health_since_ms <= s.taken_ms;
	if (healthy)
		s.healthy_since_ms = p.health_since_ms > s.taken_ms ? p.health_since_ms : s.taken_ms;
	rc = newest(t, r->service, h->name, &before, &found, reterr);
	if (rc == ERR_OK && found && before.taken_ms > s.taken_ms) { /* told late: something newer runs */
		s.healthy_since_ms = 0;
		s.left_ms = before.taken_ms;
	} else if (rc == ERR_OK && found) {
		rc = succeed(t, &before, &s, reterr);
	}
	return rc == ERR_OK ? turn_put(t, &system_snapshot_table, &s, reterr) : rc;
}

static enum err_code snapshot_again(
    struct turn *t, struct system_snapshot *s, const struct snapshot_report *r, struct err *reterr)
{
	s->suspect |= r->suspect;
	if (r->damaged)
		s->verified = false;
	s->damaged |= r->damaged;
	if (r->verified) {
		s->verified = true;
		s->damaged = false;
		s->read_back_ms = turn_now_ms(t);
	}
	if (r->removed) {
		s->removed = true;
		s->place = NULL;
	}
	return turn_put(t, &system_snapshot_table, s, reterr);
}

enum err_code fleet_on_snapshot(
    struct turn *t, const struct host *h, const struct snapshot_report *r, struct id incident, struct err *reterr)
{
	struct system_snapshot s;
	struct actor who = actor_host(h->name);
	const char *place = fleet_place(t, r->service, h->name);
	bool found;
	if (r->error)
		return audit_note(t, &who, "snapshot.create", "service", place, AUDIT_FAILED, reterr,
		    "%s snapshot of %s failed", enum_name(&snapshot_reason_enum, r->reason), r->service);
	enum err_code rc = fleet_snapshot_get(t, r->snapshot, &s, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (found && !text_equal(s.host, h->name))
		return err_set(reterr, ERR_DENIED, "%s reports a restore point of %s", h->name, s.host);
	if (found)
		return snapshot_again(t, &s, r, reterr);
	if (r->removed)
		return ERR_OK;
	rc = snapshot_new(t, h, r, incident, reterr);
	if (rc != ERR_OK || r->reason == SNAPSHOT_SCHEDULED)
		return rc;
	return audit_note(t, &who, "snapshot.create", "snapshot", id_text(ID_SNAPSHOT, r->snapshot), AUDIT_DONE, reterr,
	    "%s snapshot of %s", enum_name(&snapshot_reason_enum, r->reason), r->service);
}

enum err_code fleet_snapshot_condemn(
    struct turn *t, const struct actor *who, struct id snapshot, const char *why, struct err *reterr)
{
	struct system_snapshot s;
	bool found;
	enum err_code rc = fleet_snapshot_get(t, snapshot, &s, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!found)
		return err_set(reterr, ERR_NOT_FOUND, "no restore point %s", id_text(ID_SNAPSHOT, snapshot));
	s.condemned = why;
	rc = turn_put(t, &system_snapshot_table, &s, reterr);
	if (rc != ERR_OK)
		return rc;
	return audit_note(
	    t, who, "snapshot.condemn", "snapshot", id_text(ID_SNAPSHOT, snapshot), AUDIT_DONE, reterr, "%s", why);
}

/* A new make that turned bad so soon was bad when it was taken: the probes had only not seen it yet. */
static void doubt(struct system_snapshot *s, uint64_t bad_ms)
{
	if (s->new_make && bad_ms < s->taken_ms + FLEET_DOUBT_MS)
		s->healthy_when_taken = false;
}

enum err_code fleet_on_health(
    struct turn *t, const char *service, const char *host, enum health state, uint64_t since_ms, struct err *reterr)
{
	struct placement p;
	struct system_snapshot s;
	bool found;
	enum err_code rc = fleet_placement_get(t, service, host, &p, &found, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	p.health = state;
	p.health_since_ms = since_ms;
	rc = turn_put(t, &placement_table, &p, reterr);
	if (rc == ERR_OK)
		rc = newest(t, service, host, &s, &found, reterr);
	if (rc != ERR_OK || !found || s.left_ms)
		return rc;
	if (state == HEALTH_HEALTHY) {
		s.healthy_since_ms = since_ms > s.taken_ms ? since_ms : s.taken_ms;
	} else {
		settle(&s, since_ms);
		if (state == HEALTH_DOWN || state == HEALTH_DEGRADED)
			doubt(&s, since_ms);
	}
	return turn_put(t, &system_snapshot_table, &s, reterr);
}

/* drift.c: a component is no longer what the newest restore point holds. */
enum err_code fleet_snapshot_left(
    struct turn *t, const char *service, const char *host, uint64_t at_ms, struct err *reterr)
{
	struct system_snapshot s;
	bool found;
	enum err_code rc = newest(t, service, host, &s, &found, reterr);
	if (rc != ERR_OK || !found || s.left_ms)
		return rc;
	uint64_t left = at_ms > s.taken_ms ? at_ms : s.taken_ms;
	settle(&s, left);
	s.left_ms = left;
	return turn_put(t, &system_snapshot_table, &s, reterr);
}

bool fleet_snapshot_good(const struct fleet_config *c, const struct system_snapshot *s, uint64_t now_ms)
{
	if (s->suspect || s->damaged || s->removed || s->condemned || !id_is_zero(s->incident))
		return false;
	if (s->reason != SNAPSHOT_SCHEDULED && s->reason != SNAPSHOT_MANUAL)
		return false;
	uint64_t proven = s->healthy_ms;
	if (s->healthy_since_ms && now_ms > s->healthy_since_ms && now_ms - s->healthy_since_ms > proven)
		proven = now_ms - s->healthy_since_ms;
	return s->healthy_when_taken || (proven > 0 && proven >= c->proof_ms);
}

static bool holds(const struct system_snapshot *s, const struct list *components)
{
	for (size_t i = 0; components && i < components->count; i++)
		if (!point_of(s, (enum component)LIST_AT(*components, uint32_t, i)))
			return false;
	return true;
}

enum err_code fleet_last_known_good(struct turn *t, const struct fleet_config *c, const char *service, const char *host,
    const struct list *components, uint64_t before_ms, struct system_snapshot *ret, bool *ret_found, struct err *reterr)
{
	struct list points;
	enum err_code rc = fleet_snapshots(t, service, host, &points, reterr);
	if (rc != ERR_OK)
		return rc;
	const struct system_snapshot *best = NULL;
	for (size_t i = 0; i < points.count && !(best && best->verified); i++) {
		const struct system_snapshot *s = &LIST_AT(points, struct system_snapshot, i);
		if ((before_ms && s->taken_ms >= before_ms) || !holds(s, components) ||
		    !fleet_snapshot_good(c, s, turn_now_ms(t)))
			continue;
		if (!best || (s->verified && same_points(best, s, COMPONENT_COUNT)))
			best = s;
	}
	*ret_found = best != NULL;
	if (best)
		*ret = *best;
	return ERR_OK;
}

enum err_code fleet_snapshots(
    struct turn *t, const char *service, const char *host, struct list *ret, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct list all = {0};
	enum err_code rc = place_scan(t, service, host, &scan, reterr);
	if (rc != ERR_OK || (rc = turn_scan_take(&scan, FLEET_SNAPSHOTS_KEPT_MAX, &all, reterr)) != ERR_OK)
		return rc;
	*ret = all;
	return ERR_OK;
}
