/* controller/fleet/graph.c: who leans on whom.  Breadth first, so that the nearest come first; cycles end where they
 * began. */
#include <string.h>

#include "controller/fleet/internal.h"

struct graph {
	struct service *items; /* by name, as the table is */
	size_t count;
};

static enum err_code graph_load(struct turn *t, struct graph *ret, struct err *reterr)
{
	struct graph g = {arena_array(turn_arena(t), FLEET_GRAPH_MAX, sizeof(struct service)), 0};
	if (!g.items)
		return err_set(reterr, ERR_NOMEM, "out of memory for the service graph");
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct service s;
	enum err_code rc = turn_scan_key(t, &service_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &s, &rc, reterr)) {
		if (s.undeclared)
			continue;
		if (g.count == FLEET_GRAPH_MAX)
			rc = err_set(reterr, ERR_LIMIT, "more than %d services", FLEET_GRAPH_MAX);
		else
			g.items[g.count++] = s;
	}
	if (rc == ERR_OK)
		*ret = g;
	return rc;
}

static bool leans_on(const struct service *s, const char *name)
{
	for (size_t i = 0; i < s->depends_on.count; i++)
		if (strcmp(LIST_AT(s->depends_on, const char *, i), name) == 0)
			return true;
	return false;
}

static enum err_code neighbours(
    struct turn *t, const struct graph *g, const char *name, bool up, struct names *ret, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < g->count; i++) {
		const struct service *s = &g->items[i];
		if (up && leans_on(s, name))
			rc = names_add(t, ret, s->name, reterr);
		if (!up && strcmp(s->name, name) == 0)
			for (size_t k = 0; rc == ERR_OK && k < s->depends_on.count; k++)
				rc = names_add(t, ret, LIST_AT(s->depends_on, const char *, k), reterr);
	}
	return rc;
}

/* Level by level; a level is sorted because names_add sorts. */
static enum err_code graph_walk(struct turn *t, const char *service, bool up, struct list *ret, struct err *reterr)
{
	struct graph g = {0};
	struct names seen = {0}, level = {0};
	enum err_code rc = graph_load(t, &g, reterr);
	if (rc == ERR_OK)
		rc = names_append(t, &level, service, reterr);
	while (rc == ERR_OK && level.count > 0) {
		struct names next = {0}, found = {0};
		for (size_t i = 0; rc == ERR_OK && i < level.count; i++)
			rc = neighbours(t, &g, level.items[i], up, &found, reterr);
		for (size_t i = 0; rc == ERR_OK && i < found.count; i++) {
			if (strcmp(found.items[i], service) == 0 || names_has(&seen, found.items[i]))
				continue;
			rc = names_append(t, &seen, found.items[i], reterr);
			if (rc == ERR_OK)
				rc = names_append(t, &next, found.items[i], reterr);
		}
		level = next;
	}
	if (rc == ERR_OK)
		*ret = (struct list){seen.items, seen.count};
	return rc;
}

enum err_code fleet_dependencies(struct turn *t, const char *service, struct list *ret, struct err *reterr)
{
	return graph_walk(t, service, false, ret, reterr);
}

enum err_code fleet_dependents(struct turn *t, const char *service, struct list *ret, struct err *reterr)
{
	return graph_walk(t, service, true, ret, reterr);
}
