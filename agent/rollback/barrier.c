/* What stays must understand what comes: the code of one schema beside a database of another is an outage of its own.
 */
#include "agent/rollback/walk.h"
#include "shared/base/text.h"

static const char *version_of(const struct snapshot_summary *s, const char *name)
{
	for (size_t i = 0; s && i < s->versions.count; i++)
		if (text_equal(LIST_AT(s->versions, struct snapshot_version, i).name, name))
			return LIST_AT(s->versions, struct snapshot_version, i).value;
	return NULL;
}

static const char *said_now(const struct rollback_request *r, const char *name)
{
	for (size_t i = 0; i < r->schema_count; i++)
		if (text_equal(r->schema[i].name, name))
			return r->schema[i].value;
	return NULL;
}

/* The newest one that was taken with the facts around it: safety nets are not. */
static enum err_code newest(const struct walk *w, const struct snapshot_summary **ret, struct err *reterr)
{
	struct list all;
	enum err_code rc = snapshot_list(w->repo, w->r->service->name, w->arena, &all, NULL, reterr);
	*ret = NULL;
	for (size_t i = 0; rc == ERR_OK && i < all.count && !*ret; i++)
		if (LIST_AT(all, struct snapshot_summary, i).reason != SNAPSHOT_SAFETY)
			*ret = &LIST_AT(all, struct snapshot_summary, i);
	return rc;
}

static enum err_code refuse(const char *component, const char *then, const char *now, struct err *reterr)
{
	return err_set(reterr, ERR_STATE,
	    "the schema of its %s is \"%.60s\" now and was \"%.60s\" then, and the %s would stay as it is: put it back "
	    "too, or say --cross-schema if what comes back works with it",
	    component, now ? now : "not known", then ? then : "not known", component);
}

enum err_code barrier_check(const struct walk *w, struct err *reterr)
{
	const struct snapshot_summary *target = snapshot_about(w->target), *last = NULL;
	char name[NAME_MAX_BYTES];
	if (w->r->cross_schema || w->r->as_it_was || target->reason == SNAPSHOT_SAFETY)
		return ERR_OK;
	bool looked = false; /* at all restore points: only where it matters */
	enum err_code rc = ERR_OK;
	for (unsigned i = 0; rc == ERR_OK && i < COMPONENT_COUNT; i++) {
		const char *component = enum_name(&component_enum, i);
		if (w->j.components & 1u << i || !components_get(&w->r->service->components, (enum component)i) ||
		    !text_format(name, sizeof name, "%s_schema", component))
			continue;
		const char *then = version_of(target, name), *now = said_now(w->r, name);
		if (!now && !looked)
			rc = newest(w, &last, reterr);
		looked = looked || !now;
		if (!now)
			now = version_of(last, name);
		if (rc == ERR_OK && (then || now) && !text_equal(then, now))
			rc = refuse(component, then, now, reterr);
	}
	return rc;
}
