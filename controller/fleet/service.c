/* controller/fleet/service.c: which services there are and which host runs them. */
#include <string.h>

#include "controller/fleet/internal.h"
#include "shared/base/text.h"

const char *fleet_place(struct turn *t, const char *service, const char *host)
{
	return arena_printf(turn_arena(t), "%s/%s", service, host);
}

enum err_code fleet_service_get(
    struct turn *t, const char *name, struct service *ret, bool *ret_found, struct err *reterr)
{
	struct service key = {.name = name};
	return turn_get(t, &service_table, &key, ret, ret_found, reterr);
}

enum err_code fleet_placement_get(
    struct turn *t, const char *service, const char *host, struct placement *ret, bool *ret_found, struct err *reterr)
{
	struct placement key = {.service = service, .host = host};
	return turn_get(t, &placement_table, &key, ret, ret_found, reterr);
}

static enum err_code placement_keep(
    struct turn *t, struct list *list, size_t *capacity, const struct placement *p, struct err *reterr)
{
	if (list->count == *capacity) {
		size_t more = *capacity ? 2 * *capacity : 16;
		struct placement *grown = arena_array(turn_arena(t), more, sizeof(*grown));
		if (!grown)
			return err_set(reterr, ERR_NOMEM, "out of memory for %zu placements", more);
		if (list->count > 0)
			memcpy(grown, list->items, list->count * sizeof(*grown));
		list->items = grown;
		*capacity = more;
	}
	LIST_AT(*list, struct placement, list->count++) = *p;
	return ERR_OK;
}

static enum err_code placements_collect(
    struct turn *t, struct turn_scan *scan, bool undeclared_too, struct list *ret, struct err *reterr)
{
	struct list out = {0};
	size_t capacity = 0;
	enum err_code rc = ERR_OK;
	struct placement p;
	while (turn_scan_step(scan, &p, &rc, reterr))
		if (undeclared_too || !p.undeclared)
			rc = placement_keep(t, &out, &capacity, &p, reterr);
	if (rc == ERR_OK)
		*ret = out;
	return rc;
}

enum err_code fleet_placements(struct turn *t, const char *service, struct list *ret, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct placement key = {.service = service};
	enum err_code rc = turn_scan_key(t, &placement_table, &key, 1, false, &scan, reterr);
	return rc == ERR_OK ? placements_collect(t, &scan, false, ret, reterr) : rc;
}

static enum err_code placements_of_host(
    struct turn *t, const char *host, bool undeclared_too, struct list *ret, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct placement like = {.host = host};
	enum err_code rc = turn_scan_index(t, &placement_table, "host", &like, false, &scan, reterr);
	return rc == ERR_OK ? placements_collect(t, &scan, undeclared_too, ret, reterr) : rc;
}

enum err_code fleet_host_placements(struct turn *t, const char *host, struct list *ret, struct err *reterr)
{
	return placements_of_host(t, host, false, ret, reterr);
}

/* Timers and restore points name a placement "service/host", windows use "*", the host's own metrics "-". */
static enum err_code name_check(const char *name, struct err *reterr)
{
	if (name[0] && !strchr(name, '/') && strcmp(name, "*") != 0 && strcmp(name, "-") != 0)
		return ERR_OK;
	return err_set(reterr, ERR_INVALID, "a service cannot be called \"%s\": no '/', and neither * nor -", name);
}

static enum err_code placement_declare(
    struct turn *t, const char *host, const struct declared_service *d, struct err *reterr)
{
	struct placement old, new = {
				  .service = d->name,
				  .host = host,
				  .components = d->components,
				  .automatic = d->automatic,
				  .actions = d->actions,
				  .depends_on = d->depends_on,
				  .probes = d->probes,
				  .answer_ms = d->answer_ms,
				  .snapshot_every_ms = d->snapshot_every_ms,
				  .self_affecting = d->self_affecting,
				  .storage = d->storage,
				  .since_ms = turn_now_ms(t),
			      };
	bool found;
	enum err_code rc = fleet_placement_get(t, d->name, host, &old, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (found) {
		new.since_ms = old.undeclared ? turn_now_ms(t) : old.since_ms;
		new.health = old.health;
		new.health_since_ms = old.health_since_ms;
		if (record_equal(&placement_type, &old, &new))
			return ERR_OK;
	}
	return turn_put(t, &placement_table, &new, reterr);
}

/* A service leans on whatever any of its hosts says it does, and is there as long as one host declares it. */
static enum err_code service_refresh(struct turn *t, const char *name, struct err *reterr)
{
	struct service old, new = {.name = name, .first_seen_ms = turn_now_ms(t)};
	struct list placements;
	struct names depends = {0};
	bool found;
	enum err_code rc = fleet_service_get(t, name, &old, &found, reterr);
	if (rc == ERR_OK)
		rc = fleet_placements(t, name, &placements, reterr);
	for (size_t i = 0; rc == ERR_OK && i < placements.count; i++) {
		const struct list *names = &LIST_AT(placements, struct placement, i).depends_on;
		for (size_t k = 0; rc == ERR_OK && k < names->count && depends.count < FLEET_DEPENDS_MAX; k++)
			rc = names_add(t, &depends, LIST_AT(*names, const char *, k), reterr);
	}
	if (rc != ERR_OK)
		return rc;
	new.depends_on = (struct list){depends.items, depends.count};
	new.undeclared = placements.count == 0;
	if (found) {
		new.first_seen_ms = old.first_seen_ms;
		if (record_equal(&service_type, &old, &new))
			return ERR_OK;
	}
	return turn_put(t, &service_table, &new, reterr);
}

static bool declares(const struct list *declared, const char *service)
{
	for (size_t i = 0; i < declared->count; i++)
		if (text_equal(LIST_AT(*declared, struct declared_service, i).name, service))
			return true;
	return false;
}

static enum err_code placement_undeclare(struct turn *t, struct placement *p, struct err *reterr)
{
	p->undeclared = true;
	p->health = HEALTH_UNKNOWN;
	p->health_since_ms = turn_now_ms(t);
	enum err_code rc = turn_put(t, &placement_table, p, reterr);
	if (rc != ERR_OK)
		return rc;
	struct actor who = actor_host(p->host);
	return audit_note(t, &who, "service.undeclare", "service", fleet_place(t, p->service, p->host), AUDIT_DONE,
	    reterr, "%s no longer declares %s", p->host, p->service);
}

enum err_code fleet_declare(struct turn *t, const char *host, const struct list *declared, struct err *reterr)
{
	struct list before;
	enum err_code rc = placements_of_host(t, host, true, &before, reterr);
	for (size_t i = 0; rc == ERR_OK && i < declared->count; i++) {
		const struct declared_service *d = &LIST_AT(*declared, struct declared_service, i);
		rc = name_check(d->name, reterr);
		if (rc == ERR_OK)
			rc = placement_declare(t, host, d, reterr);
		if (rc == ERR_OK)
			rc = service_refresh(t, d->name, reterr);
	}
	for (size_t i = 0; rc == ERR_OK && i < before.count; i++) {
		struct placement *p = &LIST_AT(before, struct placement, i);
		if (p->undeclared || declares(declared, p->service))
			continue;
		rc = placement_undeclare(t, p, reterr);
		if (rc == ERR_OK)
			rc = service_refresh(t, p->service, reterr);
	}
	return rc;
}
