/* controller/incident/cause.c: one cause, one page.  An incident is explained by the open incident of a service that
 * its own leans on, or of the silent host that such a service runs on. */
#include <inttypes.h>

#include "controller/incident/internal.h"

/* Who explains an incident is never explained itself: chains are kept flat. */
static struct id root_of(const struct incident *i)
{
	return id_is_zero(i->suppressed_by) ? i->incident : i->suppressed_by;
}

enum err_code incident_cause(struct turn *t, const struct incident *i, struct id *ret, struct err *reterr)
{
	struct list dependencies;
	struct id cause = no_id;
	enum err_code rc = fleet_dependencies(t, i->service, &dependencies, reterr);
	for (size_t k = 0; rc == ERR_OK && k < dependencies.count && id_is_zero(cause); k++) {
		struct incident other;
		bool found;
		rc = incident_of_service(t, LIST_AT(dependencies, const char *, k), &other, &found, reterr);
		if (rc == ERR_OK && !found)
			rc = incident_hosts_below(t, LIST_AT(dependencies, const char *, k), &other, &found, reterr);
		if (rc == ERR_OK && found && !id_equal(root_of(&other), i->incident))
			cause = root_of(&other);
	}
	if (rc == ERR_OK)
		*ret = cause;
	return rc;
}

typedef enum err_code (*child_fn)(struct turn *t, const struct incident_config *c, struct incident *child,
    const struct incident *parent, struct err *reterr);

static enum err_code each_child(struct turn *t, const struct incident_config *c, struct id of,
    const struct incident *parent, child_fn fn, struct err *reterr)
{
	struct incident like = {.suppressed_by = of};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct incident child;
	enum err_code rc = turn_scan_index(t, &incident_table, "suppressed_by", &like, false, &scan, reterr);
	while (turn_scan_step(&scan, &child, &rc, reterr)) {
		if (incident_is_open(&child))
			rc = fn(t, c, &child, parent, reterr);
	}
	return rc;
}

static enum err_code adopt(struct turn *t, const struct incident_config *c, struct incident *child,
    const struct incident *parent, struct err *reterr)
{
	(void)c;
	child->suppressed_by = parent->incident;
	enum err_code rc = incident_say(t, child, &actor_controller, 0, "cause", reterr,
	    "explained by INC-%" PRIu64 ": %s", parent->number, parent->title);
	return rc == ERR_OK ? incident_save(t, child, reterr) : rc;
}

enum err_code incident_gather_of(
    struct turn *t, const struct incident *i, const char *service, uint64_t since_ms, struct err *reterr)
{
	struct list dependents;
	enum err_code rc = fleet_dependents(t, service, &dependents, reterr);
	for (size_t k = 0; rc == ERR_OK && k < dependents.count; k++) {
		struct incident other;
		bool found;
		rc = incident_of_service(t, LIST_AT(dependents, const char *, k), &other, &found, reterr);
		if (rc != ERR_OK || !found || !id_is_zero(other.suppressed_by) || other.fault_ms < since_ms)
			continue;
		rc = each_child(t, NULL, other.incident, i, adopt, reterr);
		if (rc == ERR_OK)
			rc = adopt(t, NULL, &other, i, reterr);
	}
	return rc;
}

enum err_code incident_gather(struct turn *t, const struct incident *i, struct err *reterr)
{
	return incident_gather_of(t, i, i->service, 0, reterr);
}

static enum err_code later(struct turn *t, const struct incident_config *c, struct incident *child,
    const struct incident *parent, struct err *reterr)
{
	(void)parent;
	return turn_timer_set(t, INCIDENT_TIMER_RELEASE, child->incident, NULL, turn_now_ms(t) + c->release_ms, reterr);
}

enum err_code incident_release_later(
    struct turn *t, const struct incident_config *c, const struct incident *i, struct err *reterr)
{
	return each_child(t, c, i->incident, i, later, reterr);
}
