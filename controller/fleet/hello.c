/* controller/fleet/hello.c: a host says hello: which run of its agent counts, its clock, its spool, what it declares.
 */
#include <inttypes.h>
#include <string.h>

#include "controller/audit/event.h"
#include "controller/fleet/internal.h"

struct visit {
	struct turn *turn;
	const struct fleet_config *config;
	const struct hello *hello;
	struct host h;
	struct id boots[FLEET_BOOTS_MAX]; /* room for h.boots */
	struct hello_outcome out;
};

static size_t earlier_run(const struct host *h, struct id boot)
{
	size_t i = 0;
	while (i < h->boots.count && !id_equal(LIST_AT(h->boots, struct id, i), boot))
		i++;
	return i;
}

/* The run that counted until now becomes an earlier one, and boot the one that counts. */
static void replace_run(struct visit *v, struct id boot)
{
	struct host *h = &v->h;
	size_t count = 0, drop = earlier_run(h, boot);
	bool full = h->boots.count == FLEET_BOOTS_MAX && drop == h->boots.count;
	for (size_t i = full ? 1 : 0; i < h->boots.count; i++)
		if (i != drop)
			v->boots[count++] = LIST_AT(h->boots, struct id, i);
	if (!id_is_zero(h->boot)) {
		v->boots[count++] = h->boot;
		if (h->state == HOST_CONNECTED)
			v->out.displaced = h->boot;
	}
	h->boots = (struct list){v->boots, count};
	h->boot = boot;
	h->hello_uptime_ms = 0;
}

static enum err_code bar(struct visit *v, struct err *reterr)
{
	struct host *h = &v->h;
	h->state = HOST_BARRED;
	h->since_ms = turn_now_ms(v->turn);
	h->note = "two running agents use this host's identity";
	v->out.result = HELLO_BARRED;
	v->out.newly_barred = true;
	enum err_code rc = turn_timer_clear(v->turn, FLEET_TIMER_SILENT, (struct id){{0}}, h->name, reterr);
	if (rc == ERR_OK)
		rc = event_tell(v->turn, "host", h->name, SEVERITY_HIGH, reterr,
		    "%s is barred: two running agents use its identity", h->name);
	if (rc != ERR_OK)
		return rc;
	return audit_note(v->turn, &actor_controller, "host.bar", "host", h->name, AUDIT_DONE, reterr,
	    "two running agents use one identity; both are barred until an operator decides");
}

/* An earlier run is back: it never ended (P49). */
static enum err_code returned(struct visit *v, struct err *reterr)
{
	struct host *h = &v->h;
	uint64_t now = turn_now_ms(v->turn);
	if (h->returns == 0 || now - h->returned_ms > FLEET_RETURNS_WINDOW_MS) {
		h->returns = 0;
		h->returned_ms = now;
	}
	h->returns++;
	if (h->returns >= FLEET_RETURNS_BARRED)
		return bar(v, reterr);
	if (h->state == HOST_CONNECTED)
		v->out.result = HELLO_RIVAL;
	else
		replace_run(v, v->hello->boot);
	return ERR_OK;
}

static enum err_code judge(struct visit *v, struct err *reterr)
{
	const struct host *h = &v->h;
	if (v->hello->version_least > MESSAGE_VERSION || v->hello->version < MESSAGE_VERSION_LEAST)
		v->out.result = HELLO_VERSION;
	else if (h->state == HOST_REVOKED)
		v->out.result = HELLO_REVOKED;
	else if (h->state == HOST_BARRED)
		v->out.result = HELLO_BARRED;
	else if (earlier_run(h, v->hello->boot) < h->boots.count)
		return returned(v, reterr);
	else if (!id_equal(h->boot, v->hello->boot))
		replace_run(v, v->hello->boot);
	return ERR_OK;
}

static enum err_code take_clock(struct visit *v, struct err *reterr)
{
	struct host *h = &v->h;
	h->skew_ms = (int64_t)(turn_now_ms(v->turn) - v->hello->clock_ms);
	bool skewed = h->skew_ms > FLEET_SKEW_MAX_MS || h->skew_ms < -FLEET_SKEW_MAX_MS;
	bool changed = skewed != h->skewed;
	h->skewed = skewed;
	v->out.newly_skewed = changed && skewed;
	if (!changed)
		return ERR_OK;
	return audit_note(v->turn, &actor_controller, "host.clock", "host", h->name, AUDIT_DONE, reterr,
	    skewed ? "its clock differs by %" PRId64 " ms" : "its clock is right again (%" PRId64 " ms)", h->skew_ms);
}

/* What the spool does not hold any more will never come: go on from what it holds, and say so.  A hello that was on its
 * way while a newer connection was at work tells of a spool that has moved on since: what came after it is not taken
 * twice. */
static enum err_code take_spool(struct visit *v, struct err *reterr)
{
	struct host *h = &v->h;
	if (v->hello->uptime_ms < h->hello_uptime_ms)
		return ERR_OK;
	h->hello_uptime_ms = v->hello->uptime_ms;
	uint64_t first = v->hello->first_sequence, last = v->hello->last_sequence, old = h->acknowledged;
	if (first == 0 || (first <= old + 1 && last >= old))
		return ERR_OK;
	h->acknowledged = first - 1;
	if (first > old + 1)
		return audit_note(v->turn, &actor_controller, "host.reports_lost", "host", h->name, AUDIT_FAILED,
		    reterr, "reports %" PRIu64 " to %" PRIu64 " are no longer in its spool", old + 1, first - 1);
	return audit_note(v->turn, &actor_controller, "host.spool_new", "host", h->name, AUDIT_DONE, reterr,
	    "its spool was made anew: %" PRIu64 " were acknowledged, it holds %" PRIu64 " to %" PRIu64, old, first,
	    last);
}

static enum err_code admit(struct visit *v, struct err *reterr)
{
	struct host *h = &v->h;
	uint64_t now = turn_now_ms(v->turn);
	enum err_code rc = take_clock(v, reterr);
	if (rc == ERR_OK)
		rc = take_spool(v, reterr);
	if (rc == ERR_OK && !h->first_seen_ms) {
		h->first_seen_ms = now;
		struct actor who = actor_host(h->name);
		rc = audit_note(v->turn, &who, "host.first_seen", "host", h->name, AUDIT_DONE, reterr, "agent %s",
		    v->hello->agent_version ? v->hello->agent_version : "of unknown version");
	}
	if (rc == ERR_OK && h->state != HOST_CONNECTED) {
		h->state = HOST_CONNECTED;
		h->since_ms = now;
	}
	if (rc != ERR_OK)
		return rc;
	h->last_seen_ms = now;
	h->version = v->hello->agent_version;
	h->capabilities = v->hello->capabilities;
	h->certificate_expires_ms = v->hello->certificate_expires_ms;
	v->out.epoch_rose = v->hello->epoch_seen > h->epoch_seen;
	if (v->out.epoch_rose)
		h->epoch_seen = v->hello->epoch_seen;
	return turn_timer_set(
	    v->turn, FLEET_TIMER_SILENT, (struct id){{0}}, h->name, now + 2 * v->config->heartbeat_ms, reterr);
}

enum err_code fleet_on_hello(struct turn *t, const struct fleet_config *c, const char *host, const struct hello *hello,
    struct hello_outcome *ret, struct err *reterr)
{
	struct visit v = {.turn = t, .config = c, .hello = hello};
	bool found;
	if (strcmp(host, hello->host) != 0)
		return err_set(reterr, ERR_DENIED, "the certificate is that of %s, hello says %s", host, hello->host);
	enum err_code rc = fleet_host_get(t, host, &v.h, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!found)
		v.h = (struct host){.name = host, .since_ms = turn_now_ms(t)};
	rc = judge(&v, reterr);
	if (rc == ERR_OK && v.out.result == HELLO_WELCOME) {
		rc = admit(&v, reterr);
		if (rc == ERR_OK)
			rc = fleet_declare(t, host, &hello->services, reterr);
	}
	bool changed = v.out.result == HELLO_WELCOME || v.out.result == HELLO_RIVAL || v.out.newly_barred;
	if (rc == ERR_OK && changed)
		rc = turn_put(t, &host_table, &v.h, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "hello of %s", host);
	/* The list of earlier runs stands on this stack; the caller gets it from the arena. */
	v.h.boots.items = arena_dup(turn_arena(t), v.h.boots.items, v.h.boots.count * sizeof(struct id));
	if (v.h.boots.count > 0 && !v.h.boots.items)
		return err_set(reterr, ERR_NOMEM, "hello of %s: out of memory", host);
	v.out.host = v.h;
	*ret = v.out;
	return ERR_OK;
}
