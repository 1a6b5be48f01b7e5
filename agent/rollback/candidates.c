/* The restore points that a progressive rollback may try. */
#include <string.h>

#include "agent/rollback/progressive_internal.h"
#include "shared/base/text.h"

/* One that was taken while the service was not well, or that cannot be trusted, proves nothing and helps nobody. */
static bool is_eligible(const struct snapshot_summary *s, uint32_t components)
{
	if (s->suspect || s->marks.suspect || s->marks.damage || s->reason == SNAPSHOT_SAFETY ||
	    s->reason == SNAPSHOT_EMERGENCY)
		return false;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++)
		if (components & 1u << i && !snapshot_summary_component(s, (enum component)i))
			return false;
	return true;
}

/* Newest first in; a run of restore points without a difference counts once, by its newest. */
static bool same_as_newer(const struct snapshot_summary *newer, const struct snapshot_summary *s, uint32_t components)
{
	for (unsigned i = 0; newer && i < COMPONENT_COUNT; i++) {
		const struct snapshot_component *a = snapshot_summary_component(newer, (enum component)i);
		const struct snapshot_component *b = snapshot_summary_component(s, (enum component)i);
		if (components & 1u << i && (!a || !b || memcmp(&a->digest, &b->digest, sizeof a->digest) != 0))
			return false;
	}
	return newer != NULL;
}

enum err_code candidates_find(struct repo *repo, const struct rollback_request *r, uint32_t components,
    struct arena *arena, struct candidates *ret, struct err *reterr)
{
	struct list all;
	const struct snapshot_summary *kept[SEARCH_PLACES_MAX];
	size_t n = 0;
	bool reached = id_is_zero(r->snapshot);
	enum err_code rc = snapshot_list(repo, r->service->name, arena, &all, NULL, reterr);
	for (size_t i = 0; rc == ERR_OK && i < all.count && n < SEARCH_PLACES_MAX; i++) {
		const struct snapshot_summary *s = &LIST_AT(all, struct snapshot_summary, i);
		bool named = id_equal(s->snapshot, r->snapshot);
		reached = reached || named;
		if (reached &&
		    (named || (is_eligible(s, components) && !same_as_newer(n ? kept[n - 1] : NULL, s, components))))
			kept[n++] = s;
	}
	if (rc != ERR_OK)
		return rc;
	if (!n)
		return err_set(reterr, ERR_NOT_FOUND,
		    "%s has no restore point that could be tried: see `kedge-agent snapshot list %s`", r->service->name,
		    r->service->name);
	*ret = (struct candidates){.count = n};
	for (size_t i = 0; i < n; i++)
		ret->about[i] = *kept[n - 1 - i];
	return ERR_OK;
}

enum err_code candidates_again(
    struct repo *repo, const struct list *ids, struct arena *arena, struct candidates *ret, struct err *reterr)
{
	*ret = (struct candidates){.count = ids->count};
	for (size_t i = 0; i < ids->count; i++) {
		enum err_code rc = snapshot_get(repo, LIST_AT(*ids, struct id, i), arena, &ret->about[i], reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

enum err_code candidates_look(struct repo *repo, const struct service_config *service, uint32_t components,
    struct candidates *c, struct err *reterr)
{
	struct snapshot *newest = NULL;
	struct diff_options o = {.components = components & ~(1u << COMPONENT_DATABASE)};
	struct diff_result d = {0};
	enum err_code rc = snapshot_open(repo, c->about[c->count - 1].snapshot, &newest, reterr);
	if (rc == ERR_OK && o.components)
		rc = snapshot_diff_live(newest, service, &o, NULL, NULL, &d, reterr);
	snapshot_close(newest);
	for (unsigned i = 0; rc == ERR_OK && i < COMPONENT_COUNT; i++) {
		c->live[i] = d.component[i].digest;
		c->has_live[i] = d.component[i].compared;
	}
	return rc;
}

bool candidates_equal(const struct candidates *c, size_t a, size_t b, uint32_t components)
{
	return same_as_newer(&c->about[a], &c->about[b], components);
}

/* A database is never known to be the same: it changes under our eyes. */
bool candidates_is_live(const struct candidates *c, size_t a, uint32_t components)
{
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		const struct snapshot_component *s = snapshot_summary_component(&c->about[a], (enum component)i);
		if (components & 1u << i &&
		    (!c->has_live[i] || !s || memcmp(&c->live[i], &s->digest, sizeof s->digest) != 0))
			return false;
	}
	return true;
}

static const char *version_of(const struct snapshot_summary *s, const char *name)
{
	for (size_t i = 0; i < s->versions.count; i++)
		if (text_equal(LIST_AT(s->versions, struct snapshot_version, i).name, name))
			return LIST_AT(s->versions, struct snapshot_version, i).value;
	return NULL;
}

/* What stays must understand what comes: the schema of every component that stays is the one of the newest. */
bool candidates_fit(const struct candidates *c, size_t at, uint32_t components)
{
	char name[NAME_MAX_BYTES];
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		if (components & 1u << i || !text_format(name, sizeof name, "%s_schema", enum_name(&component_enum, i)))
			continue;
		for (size_t k = at; k + 1 < c->count; k++) { /* one in between is a barrier, too */
			const char *then = version_of(&c->about[k], name), *now = version_of(&c->about[k + 1], name);
			if ((then || now) && !text_equal(then, now))
				return false;
		}
	}
	return true;
}
