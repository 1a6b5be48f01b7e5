/* controller/fleet/host.c: one host's reports, silence, and what operators decide about it.  hello.c is how it begins.
 */
#include <inttypes.h>
#include <string.h>

#include "controller/audit/event.h"
#include "controller/fleet/internal.h"

enum err_code fleet_host_get(struct turn *t, const char *name, struct host *ret, bool *ret_found, struct err *reterr)
{
	struct host key = {.name = name};
	return turn_get(t, &host_table, &key, ret, ret_found, reterr);
}

bool fleet_host_usable(const struct host *h)
{
	return h->state == HOST_CONNECTED;
}

uint64_t fleet_time(const struct host *h, uint64_t host_ms)
{
	if (h->skew_ms >= 0)
		return host_ms + (uint64_t)h->skew_ms;
	uint64_t ahead = (uint64_t)-h->skew_ms;
	return host_ms > ahead ? host_ms - ahead : 0;
}

static enum err_code host_need(struct turn *t, const char *name, struct host *ret, struct err *reterr)
{
	bool found;
	enum err_code rc = fleet_host_get(t, name, ret, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "no host is called %s", name);
	return rc;
}

static enum err_code host_move(struct turn *t, struct host *h, enum host_state state, struct err *reterr)
{
	if (h->state != (uint32_t)state) {
		h->state = state;
		h->since_ms = turn_now_ms(t);
		enum err_code rc = event_tell(
		    t, "host", h->name, SEVERITY_LOW, reterr, "%s is %s", h->name, enum_name(&host_state_enum, state));
		if (rc != ERR_OK)
			return rc;
	}
	return turn_put(t, &host_table, h, reterr);
}

enum err_code fleet_host_silent(struct turn *t, struct host *h, struct err *reterr)
{
	return host_move(t, h, HOST_SILENT, reterr);
}

static enum err_code watch(struct turn *t, const char *host, uint64_t due_ms, struct err *reterr)
{
	return turn_timer_set(t, FLEET_TIMER_SILENT, (struct id){{0}}, host, due_ms, reterr);
}

static enum err_code boot_one(struct turn *t, const struct fleet_config *c, struct host *h, struct err *reterr)
{
	if (h->state != HOST_CONNECTED && h->state != HOST_SILENT)
		return ERR_OK;
	h->awaited_ms = turn_now_ms(t) + 2 * c->heartbeat_ms;
	enum err_code rc = host_move(t, h, HOST_SILENT, reterr);
	if (rc != ERR_OK)
		return rc;
	return watch(t, h->name, turn_now_ms(t) + 2 * c->heartbeat_ms, reterr);
}

enum err_code fleet_on_boot(struct turn *t, const struct fleet_config *c, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct host h;
	enum err_code rc = turn_scan_key(t, &host_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &h, &rc, reterr))
		rc = boot_one(t, c, &h, reterr);
	return rc;
}

enum err_code fleet_on_gone(
    struct turn *t, const struct fleet_config *c, const char *host, struct id boot, struct err *reterr)
{
	(void)c; /* the deadline that hello set still stands: a short break is no silence */
	struct host h;
	bool found;
	enum err_code rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc != ERR_OK || !found || h.state != HOST_CONNECTED || !id_equal(h.boot, boot))
		return rc;
	return host_move(t, &h, HOST_SILENT, reterr);
}

/* The last sequence that the report stands for. */
static uint64_t last_of(const struct report *r)
{
	return r->through ? r->through : r->sequence;
}

/* A run of dropped reports may begin before what is known: those were taken before they were dropped. */
static enum report_result sequence_rule(const struct host *h, const struct report *r)
{
	if (last_of(r) <= h->acknowledged)
		return REPORT_REPEATED;
	return r->sequence <= h->acknowledged + 1 ? REPORT_NEXT : REPORT_GAP;
}

static enum err_code lost(struct turn *t, const struct host *h, const struct report *r, struct err *reterr)
{
	return audit_note(t, &actor_controller, "host.reports_lost", "host", h->name, AUDIT_FAILED, reterr,
	    "reports %" PRIu64 " to %" PRIu64 " were dropped on the host: its spool was full", h->acknowledged + 1,
	    r->through);
}

enum err_code fleet_on_report(struct turn *t, const char *host, struct id boot, const struct report *r,
    enum report_result *ret, struct host *ret_host, struct err *reterr)
{
	struct host h = {.name = host};
	bool found;
	enum err_code rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	bool stranger = !found || (h.state != HOST_CONNECTED && h.state != HOST_SILENT) || !id_equal(h.boot, boot);
	enum report_result result = stranger ? REPORT_STRANGER : sequence_rule(&h, r);
	if (result == REPORT_NEXT && r->through)
		rc = lost(t, &h, r, reterr);
	if (rc != ERR_OK)
		return rc;
	if (result == REPORT_NEXT)
		h.acknowledged = last_of(r);
	if (result == REPORT_NEXT || result == REPORT_REPEATED) {
		h.last_seen_ms = turn_now_ms(t);
		if (h.state == HOST_SILENT) /* it had stalled, not gone: its deadline ended with the silence */
			rc = watch(t, host, h.last_seen_ms, reterr);
		if (rc == ERR_OK)
			rc = host_move(t, &h, HOST_CONNECTED, reterr);
	}
	if (rc != ERR_OK)
		return rc;
	*ret = result;
	*ret_host = h;
	return ERR_OK;
}

enum err_code fleet_on_timer(
    struct turn *t, const struct fleet_config *c, const struct timer *timer, bool *ret_silent, struct err *reterr)
{
	*ret_silent = false;
	if (strcmp(timer->kind, FLEET_TIMER_SILENT) != 0)
		return ERR_OK;
	struct host h;
	bool found;
	enum err_code rc = fleet_host_get(t, timer->name, &h, &found, reterr);
	if (rc != ERR_OK || !found || (h.state != HOST_CONNECTED && h.state != HOST_SILENT))
		return rc;
	uint64_t due = h.last_seen_ms + 2 * c->heartbeat_ms;
	if (due > turn_now_ms(t))
		return watch(t, h.name, due, reterr);
	rc = host_move(t, &h, HOST_SILENT, reterr);
	if (rc == ERR_OK)
		*ret_silent = true;
	return rc;
}

enum err_code fleet_on_lagging(struct turn *t, const char *host, bool lagging, struct err *reterr)
{
	struct host h;
	bool found;
	enum err_code rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc != ERR_OK || !found || h.lagging == lagging)
		return rc;
	h.lagging = lagging;
	return turn_put(t, &host_table, &h, reterr);
}

/* keep counts from now on; every other run is an earlier one. */
static void boots_settle(struct host *h, struct id keep, struct id *room)
{
	size_t count = 0;
	for (size_t i = 0; i < h->boots.count; i++) {
		struct id boot = LIST_AT(h->boots, struct id, i);
		if (!id_equal(boot, keep))
			room[count++] = boot;
	}
	if (!id_is_zero(h->boot) && !id_equal(h->boot, keep) && count < FLEET_BOOTS_MAX)
		room[count++] = h->boot;
	h->boots = (struct list){room, id_is_zero(keep) ? 0 : count};
	h->boot = keep;
}

enum err_code fleet_host_unbar(
    struct turn *t, const struct actor *who, const char *host, struct id keep, struct err *reterr)
{
	struct host h;
	enum err_code rc = host_need(t, host, &h, reterr);
	if (rc != ERR_OK)
		return rc;
	if (h.state != HOST_BARRED)
		return err_set(
		    reterr, ERR_STATE, "%s is not barred but %s", host, enum_name(&host_state_enum, h.state));
	struct id room[FLEET_BOOTS_MAX];
	boots_settle(&h, keep, room);
	h.returns = 0;
	h.returned_ms = 0;
	h.note = NULL;
	rc = host_move(t, &h, HOST_SILENT, reterr);
	if (rc != ERR_OK)
		return rc;
	return audit_note(t, who, "host.unbar", "host", host, AUDIT_DONE, reterr, "keeps %s",
	    id_is_zero(keep) ? "whichever comes first" : id_text(ID_BOOT, keep));
}

enum err_code fleet_host_revoke(
    struct turn *t, const struct actor *who, const char *host, const char *reason, struct err *reterr)
{
	struct host h;
	enum err_code rc = host_need(t, host, &h, reterr);
	if (rc != ERR_OK)
		return rc;
	if (h.state == HOST_REVOKED)
		return ERR_OK;
	h.note = reason;
	rc = host_move(t, &h, HOST_REVOKED, reterr);
	if (rc == ERR_OK)
		rc = turn_timer_clear(t, FLEET_TIMER_SILENT, (struct id){{0}}, host, reterr);
	if (rc == ERR_OK && !id_is_zero(h.boot))
		rc = turn_emit(t,
		    &(struct effect){
			.kind = EFFECT_CLOSE, .host = host, .boot = h.boot, .bye = BYE_REVOKED, .text = "revoked"},
		    reterr);
	if (rc != ERR_OK)
		return rc;
	return audit_note(
	    t, who, "host.revoke", "host", host, AUDIT_DONE, reterr, "%s", reason ? reason : "no reason given");
}

enum err_code fleet_host_add(struct turn *t, const char *host, struct err *reterr)
{
	struct host h = {.name = host};
	bool found;
	enum err_code rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc != ERR_OK || (found && h.state != HOST_REVOKED))
		return rc;
	if (!found)
		h = (struct host){.name = host, .since_ms = turn_now_ms(t)};
	h.note = NULL;
	return host_move(t, &h, HOST_NEVER_SEEN, reterr);
}
