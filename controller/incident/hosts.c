/* controller/incident/hosts.c: a host that nobody hears is one incident, not one of each service that runs there; hosts
 * that fall silent together are one, too. */
#include "controller/incident/internal.h"
#include "shared/base/text.h"

static const char overloaded[] = "overloaded";

bool incident_is_of_hosts(const struct incident *i)
{
	return text_equal(i->service, INCIDENT_OF_HOSTS);
}

/* Why nothing is known of what the host runs; NULL: it is heard. */
static enum err_code unheard(struct turn *t, const char *host, const char **ret, struct err *reterr)
{
	struct host h;
	bool found;
	enum err_code rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret = NULL;
	if (found && h.state != HOST_CONNECTED)
		*ret = enum_name(&host_state_enum, h.state);
	else if (found && h.lagging)
		*ret = overloaded;
	return ERR_OK;
}

enum err_code incident_hosts_title(struct turn *t, const struct incident *i, const char **ret, struct err *reterr)
{
	const struct list *hosts = i->failing.count > 0 ? &i->failing : &i->hosts;
	const char *first = hosts->count > 0 ? LIST_AT(*hosts, const char *, 0) : "unknown", *word = NULL;
	enum err_code rc = hosts->count == 1 ? unheard(t, first, &word, reterr) : ERR_OK;
	if (rc != ERR_OK)
		return rc;
	*ret = hosts->count > 1
		   ? arena_printf(turn_arena(t), "no word from host %s and %zu more", first, hosts->count - 1)
		   : arena_printf(turn_arena(t), "host %s is %s", first, word ? word : "silent");
	return *ret ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a title");
}

/* A service that no host shows any more weighs more than one that others still run. */
static enum err_code weigh(struct turn *t, const char *host, enum severity *ret, struct err *reterr)
{
	struct list runs;
	enum severity s = SEVERITY_MEDIUM;
	enum err_code rc = health_of_host(t, host, &runs, reterr);
	for (size_t k = 0; rc == ERR_OK && k < runs.count; k++) {
		const struct service_health *one = &LIST_AT(runs, struct service_health, k);
		struct health_summary sum;
		if (!one->evidence_ms) /* nothing was ever known of it: it has no probes */
			continue;
		rc = health_of_service(t, one->service, &sum, reterr);
		if (rc == ERR_OK && sum.by_state[HEALTH_UNKNOWN] >= sum.hosts)
			s = SEVERITY_HIGH;
	}
	if (rc == ERR_OK)
		*ret = s;
	return rc;
}

static bool together(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= INCIDENT_TOGETHER_MS;
}

typedef bool (*match_fn)(struct turn *t, const struct incident *i, const void *of);

/* The newest incident of hosts that matches. */
static enum err_code newest_of_hosts(
    struct turn *t, match_fn match, const void *of, struct incident *ret, bool *ret_found, struct err *reterr)
{
	struct incident like = {.service = INCIDENT_OF_HOSTS}, i;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	bool found = false;
	enum err_code rc = turn_scan_index(t, &incident_table, "service", &like, true, &scan, reterr);
	for (unsigned n = 0; !found && n < INCIDENT_LOOKBACK && turn_scan_step(&scan, &i, &rc, reterr); n++)
		found = match(t, &i, of);
	if (rc != ERR_OK)
		return rc;
	*ret_found = found;
	if (found)
		*ret = i;
	return ERR_OK;
}

static bool open_has(struct turn *t, const struct incident *i, const void *of)
{
	(void)t;
	return incident_is_open(i) && list_has_name(&i->hosts, of);
}

static bool open_fails(struct turn *t, const struct incident *i, const void *of)
{
	(void)t;
	return incident_is_open(i) && list_has_name(&i->failing, of);
}

static bool open_since(struct turn *t, const struct incident *i, const void *of)
{
	(void)t;
	return incident_is_open(i) && i->failing.count > 0 && together(i->fault_ms, *(const uint64_t *)of);
}

static bool ended_has(struct turn *t, const struct incident *i, const void *of)
{
	(void)t;
	return i->state == INCIDENT_RESOLVED && list_has_name(&i->hosts, of);
}

/* Does a service run on a host of it? */
static bool open_runs(struct turn *t, const struct incident *i, const void *of)
{
	for (size_t k = 0; incident_is_open(i) && k < i->failing.count; k++) {
		struct service_health s;
		struct err none = ERR_INIT;
		bool found;
		if (health_get(t, of, LIST_AT(i->failing, const char *, k), &s, &found, &none) == ERR_OK && found)
			return true;
	}
	return false;
}

enum err_code incident_hosts_below(
    struct turn *t, const char *service, struct incident *ret, bool *ret_found, struct err *reterr)
{
	struct health_summary sum;
	*ret_found = false;
	enum err_code rc = health_of_service(t, service, &sum, reterr);
	if (rc != ERR_OK || sum.hosts == 0 || sum.by_state[HEALTH_UNKNOWN] < sum.hosts)
		return rc;
	return newest_of_hosts(t, open_runs, service, ret, ret_found, reterr);
}

/* What leans on services that nothing is known of any more, and fails since, is explained by the host's silence. */
static enum err_code gather(
    struct turn *t, const struct incident *i, const char *host, uint64_t since_ms, struct err *reterr)
{
	struct list runs;
	enum err_code rc = health_of_host(t, host, &runs, reterr);
	for (size_t k = 0; rc == ERR_OK && k < runs.count; k++) {
		const char *service = LIST_AT(runs, struct service_health, k).service;
		struct health_summary sum;
		rc = health_of_service(t, service, &sum, reterr);
		if (rc == ERR_OK && sum.by_state[HEALTH_UNKNOWN] >= sum.hosts)
			rc = incident_gather_of(t, i, service,
			    since_ms > INCIDENT_TOGETHER_MS ? since_ms - INCIDENT_TOGETHER_MS : 0, reterr);
	}
	return rc;
}

/* Which incident the silence belongs to; *ret_event what must be done with it: JOINED (an open one), RELAPSED, OPENED.
 */
static enum err_code belongs(struct turn *t, const struct incident_config *c, const struct health_transition *tr,
    struct incident *ret, enum incident_event *ret_what, struct err *reterr)
{
	bool found;
	*ret_what = INCIDENT_JOINED;
	enum err_code rc = newest_of_hosts(t, open_has, tr->host, ret, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = newest_of_hosts(t, open_since, &tr->since_ms, ret, &found, reterr);
	if (rc != ERR_OK || found)
		return rc;
	rc = newest_of_hosts(t, ended_has, tr->host, ret, &found, reterr);
	*ret_what = rc == ERR_OK && found && turn_now_ms(t) - ret->resolved_ms <= c->relapse_ms ? INCIDENT_RELAPSED
												: INCIDENT_OPENED;
	if (!found)
		ret->incident = no_id;
	return rc;
}

static enum err_code silence(struct turn *t, const struct incident_config *c, const struct health_transition *tr,
    struct incident *ret, enum incident_event *ret_event, struct err *reterr)
{
	enum severity severity;
	enum incident_event what;
	bool known = false;
	enum err_code rc = weigh(t, tr->host, &severity, reterr);
	if (rc == ERR_OK)
		rc = belongs(t, c, tr, ret, &what, reterr);
	if (rc != ERR_OK)
		return rc;
	if (what == INCIDENT_OPENED) {
		rc = incident_begin(t, c, INCIDENT_OF_HOSTS, tr, severity, ret->incident, ret, ret_event, reterr);
	} else if (what == INCIDENT_RELAPSED) {
		*ret_event = what;
		rc = incident_relapse(t, c, ret, tr, severity, reterr);
	} else {
		known = list_has_name(&ret->failing, tr->host);
		rc = incident_take_bad(t, ret, tr, severity, ret_event, reterr);
	}
	return rc == ERR_OK && !known ? gather(t, ret, tr->host, tr->since_ms, reterr) : rc;
}

enum err_code incident_host_unheard(struct turn *t, const struct incident_config *c, const struct health_transition *tr,
    struct incident *ret, enum incident_event *ret_event, bool *ret_mine, struct err *reterr)
{
	const char *why = NULL;
	*ret_mine = false;
	if (tr->to != HEALTH_UNKNOWN)
		return ERR_OK;
	enum err_code rc = unheard(t, tr->host, &why, reterr);
	if (rc != ERR_OK || !why)
		return rc;
	*ret_mine = true;
	return silence(t, c, tr, ret, ret_event, reterr);
}

enum err_code incident_host_heard(struct turn *t, const struct incident_config *c, const struct health_transition *tr,
    struct incident *ret, enum incident_event *ret_event, struct err *reterr)
{
	const char *why = NULL;
	bool found;
	*ret_event = INCIDENT_NOTHING;
	if (tr->to == HEALTH_UNKNOWN && !tr->gone)
		return ERR_OK;
	enum err_code rc = newest_of_hosts(t, open_fails, tr->host, ret, &found, reterr);
	if (rc == ERR_OK && found)
		rc = unheard(t, tr->host, &why, reterr);
	/* Who is overloaded shows nothing: one that shows how it is, is not any more, though it has yet to say so. */
	if (rc != ERR_OK || !found || (why && (tr->to == HEALTH_UNKNOWN || !text_equal(why, overloaded))))
		return rc;
	return incident_take_good(t, c, ret, tr, ret_event, reterr);
}
