#include "controller/center/around.h"

static enum err_code ask(struct turn *t, const char *service, bool doubt, size_t *left, struct err *reterr)
{
	struct list placements;
	enum err_code rc = fleet_placements(t, service, &placements, reterr);
	for (size_t i = 0; rc == ERR_OK && *left && i < placements.count; i++) {
		const struct placement *p = &LIST_AT(placements, struct placement, i);
		bool asked;
		--*left;
		rc = health_look(t, service, p->host, false, &asked, reterr);
		if (rc == ERR_OK && doubt)
			rc = fleet_doubt(t, p->host, asked, reterr);
	}
	return rc;
}

static enum err_code ask_each(struct turn *t, const struct list *services, bool doubt, size_t *left, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && *left && i < services->count; i++)
		rc = ask(t, LIST_AT(*services, const char *, i), doubt, left, reterr);
	return rc;
}

enum err_code around_look(struct turn *t, const struct incident *i, struct err *reterr)
{
	struct list below, above;
	size_t left = AROUND_MAX;
	if (incident_is_of_hosts(i))
		return ERR_OK;
	enum err_code rc = fleet_dependencies(t, i->service, &below, reterr);
	if (rc == ERR_OK)
		rc = ask_each(t, &below, true, &left, reterr);
	if (rc == ERR_OK)
		rc = fleet_dependents(t, i->service, &above, reterr);
	if (rc == ERR_OK)
		rc = ask_each(t, &above, false, &left, reterr);
	return rc == ERR_OK ? ask(t, i->service, false, &left, reterr) : rc;
}
