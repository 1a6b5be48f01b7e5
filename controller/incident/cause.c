/* controller/incident/cause.c: one cause, one page.  An incident is explained by the open incident of a service that
 * its own leans on, or of the silent host that such a service runs on. */
#include <inttypes.h>

#include "controller/incident/internal.h"

enum { CHAIN_MAX = 16 }; /* longer ones explain nothing: somebody hears of each */

/* What explains `other` explains what leans on it: chains are kept flat.  But what is over explains nothing that fails
 * now, though it still holds those that get time to heal: nobody would ever release a newcomer.  *ret zero: it is
 * explained by `of` itself. */
static enum err_code root_of(
    struct turn *t, const struct incident *other, struct id of, struct id *ret, struct err *reterr)
{
	struct incident at = *other, above;
	*ret = no_id;
	for (unsigned n = 0; n < CHAIN_MAX && !id_equal(at.incident, of); n++) {
		bool found = false;
		enum err_code rc =
		    id_is_zero(at.suppressed_by) ? ERR_OK : incident_get(t, at.suppressed_by, &above, &found, reterr);
		if (rc != ERR_OK)
			return rc;
		if (!found || !incident_is_open(&above)) {
			*ret = at.incident;
			return ERR_OK;
		}
		at = above;
	}
	return ERR_OK;
}

enum err_code incident_cause(struct turn *t, const struct incident *i, struct id *ret, struct err *reterr)
{
	struct list dependencies;
	struct id cause = no_id;
	enum err_code rc = fleet_dependencies(t, i->service, &dependencies, reterr);
	for (size_t k = 0; rc == ERR_OK && k < dependencies.count && id_is_zero(cause); k++) {
		struct incident other;
		struct id root = no_id;
		bool found;
		rc = incident_of_service(t, LIST_AT(dependencies, const char *, k), &other, &found, reterr);
		if (rc == ERR_OK && !found)
			rc = incident_hosts_below(t, LIST_AT(dependencies, const char *, k), &other, &found, reterr);
		if (rc == ERR_OK && found)
			rc = root_of(t, &other, i->incident, &root, reterr);
		cause = root;
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
