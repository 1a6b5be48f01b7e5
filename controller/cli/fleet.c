/* controller/cli/fleet.c: hosts, services and restore points: pages made of several tables, and requests that need
 * looking up first. */
#include <stdlib.h>
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

struct host_page {
	const struct host *host;
	struct list placements, health, forecasts;
};
#define S struct host_page
static const struct field host_fields[] = {
    F_RECORD(S, host, struct host, &host_type, FIELD_REQUIRED, "the host"),
    F_LIST(S, placements, &placement_type, CLI_PAGE_ROWS, 0, "services that it declares"),
    F_LIST(S, health, &service_health_type, CLI_PAGE_ROWS, 0, "how they are"),
    F_LIST(
	S, forecasts, &health_forecast_type, CLI_PAGE_ROWS, 0, "what moves towards its limit there, the nearest first"),
};
#undef S
const struct record_type host_page_type =
    RECORD_TYPE("host_page", struct host_page, host_fields, "a host with what runs on it");

struct service_page {
	const struct service *service;
	struct list health, drift, forecasts;
};
#define S struct service_page
static const struct field service_fields[] = {
    F_RECORD(S, service, struct service, &service_type, FIELD_REQUIRED, "the service"),
    F_LIST(S, health, &service_health_type, INCIDENT_HOSTS_MAX, 0, "how it is on every host"),
    F_LIST(S, drift, &drift_type, INCIDENT_HOSTS_MAX, 0, "what differs from the last restore point"),
    F_LIST(S, forecasts, &health_forecast_type, CLI_PAGE_ROWS, 0, "what moves towards its limit, the nearest first"),
};
#undef S
const struct record_type service_page_type =
    RECORD_TYPE("service_page", struct service_page, service_fields, "a service with its health everywhere");

static enum err_code fetch(
    struct cli *c, const char *noun, const char *field, const char *value, size_t limit, struct list *ret)
{
	struct filter f = {field, value};
	struct rows rows;
	enum err_code rc = api_list(c, noun, &f, 1, false, limit, &rows);
	if (rc == ERR_OK)
		*ret = rows_list(c, &rows);
	return rc;
}

static int by_earliest(const void *a, const void *b)
{
	const struct health_metric *x = a, *y = b;
	return x->earliest_ms < y->earliest_ms ? -1 : x->earliest_ms > y->earliest_ms;
}

/* Those with an end in sight; most metrics have none. */
static enum err_code forecasts(struct cli *c, const char *field, const char *value, struct list *ret)
{
	struct list all = {0};
	enum err_code rc = fetch(c, "forecast", field, value, CLI_TRENDS, &all);
	struct health_metric *kept = rc == ERR_OK ? arena_array(c->arena, all.count, sizeof *kept) : NULL;
	size_t n = 0;
	for (size_t i = 0; kept && i < all.count; i++) {
		const struct health_metric *m = &LIST_AT(all, struct health_metric, i);
		if (m->earliest_ms)
			kept[n++] = *m;
	}
	if (n)
		qsort(kept, n, sizeof *kept, by_earliest);
	*ret = (struct list){kept, n < CLI_PAGE_ROWS ? n : CLI_PAGE_ROWS};
	return rc;
}

static void block(
    struct cli *c, struct buf *out, const char *title, const struct record_type *t, const struct list *items)
{
	if (!items->count)
		return;
	out_heading(out, c, "%s", title);
	out_list(c, out, t, items, NULL, 2);
}

int run_host_show(struct cli *c)
{
	const char *name = cli_word(c, "host");
	struct host h;
	struct host_page p = {.host = &h};
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	enum err_code rc = api_one(c, "host", name, &h);
	if (rc != ERR_OK || (rc = fetch(c, "placement", "host", name, CLI_PAGE_ROWS, &p.placements)) != ERR_OK ||
	    (rc = fetch(c, "health", "host", name, CLI_PAGE_ROWS, &p.health)) != ERR_OK ||
	    (rc = forecasts(c, "host", name, &p.forecasts)) != ERR_OK ||
	    (cli_for_people(c) && (rc = record_sheet(&host_type, &h, &c->table, &out, &c->err)) != ERR_OK))
		return cli_fail(c, rc);
	if (cli_for_people(c)) {
		block(c, &out, "Services", &placement_type, &p.placements);
		block(c, &out, "Health", &service_health_type, &p.health);
		block(c, &out, "Moves towards its limit", &health_forecast_type, &p.forecasts);
	}
	return out_page(c, &out, &host_page_type, &p);
}

/* Components that do differ: a drift record of zeros says that nothing does. */
static struct list differing(struct cli *c, const struct list *all)
{
	struct drift *kept = arena_array(c->arena, all->count, sizeof *kept);
	size_t n = 0;
	for (size_t i = 0; kept && i < all->count; i++) {
		const struct drift *d = &LIST_AT(*all, struct drift, i);
		if (d->changed || d->added || d->removed)
			kept[n++] = *d;
	}
	return (struct list){kept, n};
}

int run_service_show(struct cli *c)
{
	const char *name = cli_word(c, "service");
	struct service s;
	struct service_page p = {.service = &s};
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	enum err_code rc = api_one(c, "service", name, &s);
	if (rc != ERR_OK || (rc = fetch(c, "health", "service", name, INCIDENT_HOSTS_MAX, &p.health)) != ERR_OK ||
	    (rc = fetch(c, "drift", "service", name, INCIDENT_HOSTS_MAX, &p.drift)) != ERR_OK ||
	    (rc = forecasts(c, "service", name, &p.forecasts)) != ERR_OK ||
	    (cli_for_people(c) && (rc = record_sheet(&service_type, &s, &c->table, &out, &c->err)) != ERR_OK))
		return cli_fail(c, rc);
	if (cli_for_people(c)) {
		struct list drift = differing(c, &p.drift);
		block(c, &out, "Health", &service_health_type, &p.health);
		block(c, &out, "Differs from its restore point", &drift_type, &drift);
		block(c, &out, "Moves towards its limit", &health_forecast_type, &p.forecasts);
	}
	return out_page(c, &out, &service_page_type, &p);
}

/* ---- requests ---- */

int run_maintenance(struct cli *c)
{
	struct request_args a;
	const char *span = words_option(&c->w, "for");
	bool end = words_flag(&c->w, "end"), until = words_flag(&c->w, "until");
	uint64_t ms = 0;
	if ((span != NULL) + end + until != 1)
		return cli_usage(c, "say --for DURATION, --until TIME or --end: exactly one of them");
	if (!end && !words_flag(&c->w, "reason"))
		return cli_usage(c, "say why with --reason TEXT");
	enum err_code rc = request_from_words(c, &a);
	if (rc == ERR_OK && span && (rc = text_duration_ms(span, &ms, &c->err)) == ERR_OK)
		a.until_ms = c->io->now_ms(c->io->ctx) + ms;
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	char when[TEXT_TIME_MAX];
	const char *done =
	    end ? arena_printf(c->arena, "the window over %s is ended", a.service)
		: arena_printf(c->arena, "%s is in maintenance until %s", a.service, text_time(a.until_ms, when));
	return request_post(c, &a, done ? done : "done");
}

/* The request names service and host too; the restore point knows them. */
int run_snapshot_verify(struct cli *c)
{
	struct system_snapshot s;
	struct request_args a = {.snapshot = cli_word(c, "snapshot")};
	enum err_code rc = api_one(c, "snapshot", a.snapshot, &s);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	a.service = s.service;
	a.host = s.host;
	return request_post(c, &a, "done");
}

/* Adds, or changes what is given: what is not given stays. */
int run_operator_put(struct cli *c)
{
	struct operator was = {0};
	struct request_args a = {.name = cli_word(c, "name")};
	const char *role;
	enum err_code rc = api_one(c, "operator", a.name, &was);
	bool fresh = rc == ERR_NOT_FOUND;
	if (rc != ERR_OK && !fresh)
		return cli_fail(c, rc);
	rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && (role = words_option_at(&c->w, "role", i)) != NULL; i++)
		rc = request_set(c, &a, "roles", role);
	for (size_t i = 0; rc == ERR_OK && (role = words_option_at(&c->w, "public-key", i)) != NULL; i++)
		rc = public_key_add(c, role, &a.keys);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (fresh && !a.roles.count)
		return cli_usage(
		    c, "%s is new: say what they may do with --role viewer, responder, approver or admin", a.name);
	if (words_flag(&c->w, "disable") && words_flag(&c->w, "enable"))
		return cli_usage(c, "--disable or --enable, not both");
	if (!a.roles.count)
		a.roles = was.roles;
	if (!a.keys.count)
		a.keys = was.keys;
	a.disabled = words_flag(&c->w, "disable") || (was.disabled && !words_flag(&c->w, "enable"));
	return request_post(c, &a, "done");
}
