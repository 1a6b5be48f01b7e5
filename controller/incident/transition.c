/* controller/incident/transition.c: health moved: what does it mean for incidents? */
#include <inttypes.h>
#include <string.h>

#include "controller/incident/internal.h"

enum err_code incident_severity(
    struct turn *t, const struct health_transition *tr, enum severity *ret, bool *ret_none, struct err *reterr)
{
	bool unknown = tr->to == HEALTH_UNKNOWN && tr->prolonged;
	*ret_none = tr->historic || !(tr->to == HEALTH_DOWN || tr->to == HEALTH_DEGRADED || unknown);
	if (*ret_none)
		return ERR_OK;
	*ret = SEVERITY_MEDIUM;
	if (tr->to == HEALTH_DEGRADED)
		return ERR_OK;
	struct health_summary sum;
	struct list dependents;
	enum err_code rc = health_of_service(t, tr->service, &sum, reterr);
	if (rc == ERR_OK)
		rc = fleet_dependents(t, tr->service, &dependents, reterr);
	if (rc != ERR_OK)
		return rc;
	bool everywhere = sum.by_state[tr->to] >= sum.hosts;
	if (unknown)
		*ret = everywhere ? SEVERITY_HIGH : SEVERITY_MEDIUM;
	else
		*ret = everywhere || dependents.count > 0 ? SEVERITY_CRITICAL : SEVERITY_HIGH;
	return ERR_OK;
}

/* Worst of the hosts that fail; HEALTHY when none does. */
static enum err_code refresh_health(struct turn *t, struct incident *i, struct err *reterr)
{
	static const unsigned rank[HEALTH_COUNT] = {[HEALTH_HEALTHY] = 0,
	    [HEALTH_MAINTENANCE] = 1,
	    [HEALTH_UNKNOWN] = 2,
	    [HEALTH_DEGRADED] = 3,
	    [HEALTH_DOWN] = 4};
	enum health worst = HEALTH_HEALTHY;
	for (size_t k = 0; k < i->failing.count; k++) {
		struct service_health s;
		bool found;
		enum err_code rc = health_get(t, i->service, LIST_AT(i->failing, const char *, k), &s, &found, reterr);
		if (rc != ERR_OK)
			return rc;
		enum health state = found ? (enum health)s.state : HEALTH_UNKNOWN;
		if (rank[state] > rank[worst])
			worst = state;
	}
	i->health = worst;
	return ERR_OK;
}

static const char *title_of(struct turn *t, const struct incident *i, enum health worst)
{
	const char *first = i->hosts.count > 0 ? LIST_AT(i->hosts, const char *, 0) : "no host";
	const char *state = enum_name(&health_enum, worst);
	if (i->hosts.count <= 1)
		return arena_printf(turn_arena(t), "%s is %s on %s", i->service, state, first);
	return arena_printf(turn_arena(t), "%s is %s on %s and %zu more", i->service, state, first, i->hosts.count - 1);
}

/* The host and what failed there become part of the incident. */
static enum err_code take_in(
    struct turn *t, struct incident *i, const struct health_transition *tr, enum severity severity, struct err *reterr)
{
	enum health shown = (enum health)i->health;
	enum err_code rc = list_add_name(t, &i->hosts, tr->host, INCIDENT_HOSTS_MAX, reterr);
	if (rc == ERR_OK)
		rc = list_add_name(t, &i->failing, tr->host, INCIDENT_HOSTS_MAX, reterr);
	if (rc == ERR_OK && tr->probe)
		rc = list_add_name(t, &i->probes, tr->probe, INCIDENT_PROBES_MAX, reterr);
	if (rc == ERR_OK)
		rc = refresh_health(t, i, reterr);
	if (rc != ERR_OK)
		return rc;
	if (severity > i->severity)
		i->severity = severity;
	if (incident_is_of_hosts(i))
		rc = incident_hosts_title(t, i, &i->title, reterr);
	else if (!i->title || severity == i->severity || shown != (enum health)i->health)
		i->title = title_of(t, i, (enum health)i->health);
	if (rc != ERR_OK)
		return rc;
	struct actor who = actor_host(tr->host);
	return incident_say(t, i, &who, tr->since_ms, "health", reterr, "%s on %s is %s%s%s", tr->service, tr->host,
	    enum_name(&health_enum, tr->to), tr->reason ? ": " : "", tr->reason ? tr->reason : "");
}

enum err_code incident_begin(struct turn *t, const struct incident_config *c, const char *service,
    const struct health_transition *tr, enum severity severity, struct id earlier, struct incident *ret,
    enum incident_event *ret_event, struct err *reterr)
{
	uint64_t now = turn_now_ms(t);
	struct incident i = {
	    .incident = turn_id(t),
	    .severity = severity,
	    .service = service,
	    .fault_ms = tr->since_ms,
	    .opened_ms = now,
	    .state_since_ms = now,
	};
	enum err_code rc = turn_number(t, "incident", &i.number, reterr);
	if (rc == ERR_OK)
		rc = list_add_id(t, &i.related, earlier, INCIDENT_LINKS_MAX, reterr);
	if (rc == ERR_OK)
		rc = take_in(t, &i, tr, severity, reterr);
	if (rc == ERR_OK)
		rc = incident_cause(t, &i, &i.suppressed_by, reterr);
	if (rc == ERR_OK)
		rc = incident_say(t, &i, &actor_controller, 0, "opened", reterr, "%s: %s",
		    enum_name(&severity_enum, i.severity), i.title);
	if (rc == ERR_OK)
		rc = incident_deadline(t, c, &i, reterr);
	if (rc == ERR_OK)
		rc = incident_audit(t, &actor_controller, "incident.open", &i, reterr, "INC-%" PRIu64 " %s: %s",
		    i.number, enum_name(&severity_enum, i.severity), i.title);
	if (rc == ERR_OK)
		rc = incident_save(t, &i, reterr);
	if (rc == ERR_OK && id_is_zero(i.suppressed_by))
		rc = incident_gather(t, &i, reterr);
	*ret = i;
	*ret_event = id_is_zero(i.suppressed_by) ? INCIDENT_OPENED : INCIDENT_SUPPRESSED;
	return rc;
}

static enum err_code unproven(struct turn *t, struct incident *i, struct err *reterr)
{
	i->healthy_since_ms = 0;
	return turn_timer_clear(t, INCIDENT_TIMER_PROVE, i->incident, NULL, reterr);
}

enum err_code incident_take_bad(struct turn *t, struct incident *i, const struct health_transition *tr,
    enum severity severity, enum incident_event *ret_event, struct err *reterr)
{
	bool joined = !list_has_name(&i->hosts, tr->host), proving = i->healthy_since_ms != 0;
	bool worse = severity > i->severity;
	enum err_code rc = proving ? unproven(t, i, reterr) : ERR_OK;
	if (rc == ERR_OK)
		rc = take_in(t, i, tr, severity, reterr);
	if (rc == ERR_OK && worse)
		rc = incident_say(
		    t, i, &actor_controller, 0, "worsened", reterr, "now %s", enum_name(&severity_enum, severity));
	*ret_event = worse     ? INCIDENT_WORSENED
		     : joined  ? INCIDENT_JOINED
		     : proving ? INCIDENT_FAULTY
			       : INCIDENT_NOTHING;
	return rc == ERR_OK ? incident_save(t, i, reterr) : rc;
}

enum err_code incident_relapse(struct turn *t, const struct incident_config *c, struct incident *i,
    const struct health_transition *tr, enum severity severity, struct err *reterr)
{
	i->relapses++;
	i->fault_ms = tr->since_ms; /* what changed before the first fault may not explain this one */
	i->acknowledged_ms = 0;     /* whoever had it thought that it was over */
	i->acknowledged_by = NULL;
	i->resolution = NULL;
	i->review_due_ms = 0;
	i->healthy_since_ms = 0;
	enum err_code rc = turn_timer_clear(t, INCIDENT_TIMER_REVIEW, i->incident, NULL, reterr);
	if (rc == ERR_OK)
		rc = incident_summary_forget(t, i, reterr);
	if (rc == ERR_OK)
		rc = take_in(t, i, tr, severity, reterr);
	if (rc == ERR_OK)
		rc = incident_cause(t, i, &i->suppressed_by, reterr);
	if (rc == ERR_OK)
		rc = incident_say(
		    t, i, &actor_controller, 0, "relapse", reterr, "back after it was resolved, time %u", i->relapses);
	if (rc == ERR_OK)
		rc = incident_enter(t, c, &actor_controller, i, INCIDENT_INVESTIGATING, reterr);
	if (rc == ERR_OK)
		rc = incident_audit(
		    t, &actor_controller, "incident.relapse", i, reterr, "INC-%" PRIu64 ": %s", i->number, i->title);
	if (rc == ERR_OK)
		rc = incident_save(t, i, reterr);
	if (rc == ERR_OK && id_is_zero(i->suppressed_by))
		rc = incident_gather(t, i, reterr);
	return rc;
}

/* The service's newest incident, if there is one. */
static enum err_code newest(
    struct turn *t, const char *service, struct incident *ret, bool *ret_found, struct err *reterr)
{
	struct incident like = {.service = service};
	return turn_find(t, &incident_table, "service", &like, true, ret, ret_found, reterr);
}

static enum err_code bad(struct turn *t, const struct incident_config *c, const struct health_transition *tr,
    enum severity severity, struct incident *ret, enum incident_event *ret_event, struct err *reterr)
{
	bool found;
	struct id earlier = no_id;
	enum err_code rc = incident_of_service(t, tr->service, ret, &found, reterr);
	if (rc != ERR_OK || found)
		return rc == ERR_OK ? incident_take_bad(t, ret, tr, severity, ret_event, reterr) : rc;
	rc = newest(t, tr->service, ret, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (found && ret->state == INCIDENT_RESOLVED) {
		/* another host of the service is another fault */
		if (turn_now_ms(t) - ret->resolved_ms <= c->relapse_ms && list_has_name(&ret->hosts, tr->host)) {
			*ret_event = INCIDENT_RELAPSED;
			return incident_relapse(t, c, ret, tr, severity, reterr);
		}
		earlier = ret->incident;
	}
	return incident_begin(t, c, tr->service, tr, severity, earlier, ret, ret_event, reterr);
}

enum err_code incident_take_good(struct turn *t, const struct incident_config *c, struct incident *i,
    const struct health_transition *tr, enum incident_event *ret_event, struct err *reterr)
{
	struct actor who = actor_host(tr->host);
	enum err_code rc = list_drop_name(t, &i->failing, tr->host, reterr);
	if (rc == ERR_OK)
		rc = refresh_health(t, i, reterr);
	if (rc == ERR_OK)
		rc = incident_is_of_hosts(i)
			 ? incident_say(t, i, &who, 0, "health", reterr, "host %s is heard again", tr->host)
			 : incident_say(t, i, &who, tr->since_ms, "health", reterr,
			       tr->gone ? "%s is no longer on %s" : "%s on %s is HEALTHY", tr->service, tr->host);
	if (rc == ERR_OK && i->failing.count == 0) {
		i->healthy_since_ms = turn_now_ms(t);
		*ret_event = INCIDENT_RECOVERED;
		rc = turn_timer_set(t, INCIDENT_TIMER_PROVE, i->incident, NULL, turn_now_ms(t) + c->prove_ms, reterr);
	}
	return rc == ERR_OK ? incident_save(t, i, reterr) : rc;
}

/* Unknown is not healthy: a host of an incident that is being proven must show itself again. */
static enum err_code unknown(struct turn *t, struct incident *i, const struct health_transition *tr,
    enum incident_event *ret_event, struct err *reterr)
{
	struct actor who = actor_controller;
	enum err_code rc = unproven(t, i, reterr);
	if (rc == ERR_OK)
		rc = list_add_name(t, &i->failing, tr->host, INCIDENT_HOSTS_MAX, reterr);
	if (rc == ERR_OK)
		rc = refresh_health(t, i, reterr);
	if (rc == ERR_OK)
		rc = incident_say(
		    t, i, &who, tr->since_ms, "health", reterr, "%s on %s is UNKNOWN", tr->service, tr->host);
	*ret_event = INCIDENT_FAULTY;
	return rc == ERR_OK ? incident_save(t, i, reterr) : rc;
}

/* What it means for its service's own incident. */
static enum err_code of_service(struct turn *t, const struct incident_config *c, const struct health_transition *tr,
    struct incident *ret, enum incident_event *ret_event, struct err *reterr)
{
	struct incident i;
	bool found;
	enum err_code rc = incident_of_service(t, tr->service, &i, &found, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	if ((tr->to == HEALTH_HEALTHY || tr->gone) && list_has_name(&i.failing, tr->host))
		rc = incident_take_good(t, c, &i, tr, ret_event, reterr);
	else if (tr->to == HEALTH_UNKNOWN && !tr->gone && i.healthy_since_ms && list_has_name(&i.hosts, tr->host))
		rc = unknown(t, &i, tr, ret_event, reterr);
	if (rc == ERR_OK && *ret_event != INCIDENT_NOTHING)
		*ret = i;
	return rc;
}

enum err_code incident_on_transition(struct turn *t, const struct incident_config *c,
    const struct health_transition *tr, struct incident *ret, enum incident_event *ret_event, struct err *reterr)
{
	enum severity severity;
	enum incident_event heard;
	struct incident of_host;
	bool none, mine = false;
	*ret_event = INCIDENT_NOTHING;
	if (tr->historic)
		return ERR_OK;
	enum err_code rc = incident_host_heard(t, c, tr, &of_host, &heard, reterr);
	if (rc == ERR_OK)
		rc = incident_severity(t, tr, &severity, &none, reterr);
	if (rc == ERR_OK && !none && !tr->gone)
		rc = incident_host_unheard(t, c, tr, ret, ret_event, &mine, reterr);
	if (rc != ERR_OK || mine)
		return rc;
	rc = !none && !tr->gone ? bad(t, c, tr, severity, ret, ret_event, reterr)
				: of_service(t, c, tr, ret, ret_event, reterr);
	if (rc == ERR_OK && *ret_event == INCIDENT_NOTHING && heard != INCIDENT_NOTHING) {
		*ret = of_host;
		*ret_event = heard;
	}
	return rc;
}
