/* controller/diagnosis/patterns.c: log templates as hosts report them, merged over the fleet. */
#include "controller/diagnosis/diagnosis.h"
#include "shared/base/text.h"

static bool named(const struct list *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (text_equal(LIST_AT(*names, const char *, i), name))
			return true;
	return false;
}

static enum err_code add_host(struct turn *t, struct error_pattern *p, const char *host, struct err *reterr)
{
	if (named(&p->hosts, host) || p->hosts.count >= PATTERN_HOSTS_MAX)
		return ERR_OK;
	const char **names = arena_array(turn_arena(t), p->hosts.count + 1, sizeof *names);
	if (!names)
		return err_set(reterr, ERR_NOMEM, "out of memory for a pattern");
	for (size_t i = 0; i < p->hosts.count; i++)
		names[i] = LIST_AT(p->hosts, const char *, i);
	names[p->hosts.count] = host;
	p->hosts = (struct list){names, p->hosts.count + 1};
	return ERR_OK;
}

static enum err_code merge(struct turn *t, const struct host *h, const char *service, const struct log_template *l,
    bool *ret_new, struct err *reterr)
{
	struct error_pattern p = {.service = service, .template_id = l->template_id};
	bool found;
	enum err_code rc = turn_get(t, &error_pattern_table, &p, &p, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	uint64_t first_ms = fleet_time(h, l->first_ms), last_ms = fleet_time(h, l->last_ms);
	if (!found)
		p = (struct error_pattern){.service = service,
		    .template_id = l->template_id,
		    .template_text = l->template_text,
		    .first_ms = first_ms};
	if (found && first_ms > p.last_ms + PATTERN_SILENCE_MS)
		p.again_ms = first_ms;
	p.severity = l->severity > p.severity ? l->severity : p.severity;
	p.first_ms = first_ms < p.first_ms ? first_ms : p.first_ms;
	p.last_ms = last_ms > p.last_ms ? last_ms : p.last_ms;
	p.count += l->count;
	p.last_host = h->name;
	if (l->sample)
		p.sample = l->sample;
	*ret_new = !found;
	if ((rc = add_host(t, &p, h->name, reterr)) != ERR_OK)
		return rc;
	return turn_put(t, &error_pattern_table, &p, reterr);
}

/* A service that makes ever new patterns keeps the last seen ones. */
static enum err_code trim(struct turn *t, const char *service, struct err *reterr)
{
	for (size_t extra = 1; extra;) {
		struct error_pattern key = {.service = service}, p, oldest = {0};
		CLEANUP(turn_scan_done) struct turn_scan scan = {0};
		size_t count = 0;
		enum err_code rc = turn_scan_key(t, &error_pattern_table, &key, 1, false, &scan, reterr);
		while (turn_scan_step(&scan, &p, &rc, reterr))
			if (count++ == 0 || p.last_ms < oldest.last_ms)
				oldest = p;
		extra = count > PATTERN_KEPT_MAX ? count - PATTERN_KEPT_MAX : 0;
		if (rc != ERR_OK || (extra && (rc = turn_delete(t, &error_pattern_table, &oldest, reterr)) != ERR_OK))
			return rc;
	}
	return ERR_OK;
}

enum err_code diagnosis_on_log_report(
    struct turn *t, const struct host *h, const struct log_report *r, struct err *reterr)
{
	bool any_new = false;
	for (size_t i = 0; i < r->templates.count; i++) {
		bool is_new;
		enum err_code rc =
		    merge(t, h, r->service, &LIST_AT(r->templates, struct log_template, i), &is_new, reterr);
		if (rc != ERR_OK)
			return rc;
		any_new = any_new || is_new;
	}
	return any_new ? trim(t, r->service, reterr) : ERR_OK;
}

static uint64_t news_ms(const struct error_pattern *p)
{
	return p->again_ms ? p->again_ms : p->first_ms;
}

static uint64_t last_ms(const struct error_pattern *p)
{
	return p->severity >= LOG_SEVERITY_WARNING ? p->last_ms : 0;
}

static enum err_code patterns_since(struct turn *t, const char *service, uint64_t since_ms,
    uint64_t (*when_ms)(const struct error_pattern *), struct list *ret, struct err *reterr)
{
	struct error_pattern key = {.service = service}, p;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct error_pattern *all = arena_array(turn_arena(t), PATTERN_KEPT_MAX, sizeof *all);
	size_t count = 0;
	enum err_code rc = all ? turn_scan_key(t, &error_pattern_table, &key, 1, false, &scan, reterr)
			       : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK)
		return rc;
	while (turn_scan_step(&scan, &p, &rc, reterr) && count < PATTERN_KEPT_MAX) {
		if (when_ms(&p) < since_ms)
			continue;
		size_t at = count++; /* newest first; there are few */
		for (; at && when_ms(&all[at - 1]) < when_ms(&p); at--)
			all[at] = all[at - 1];
		all[at] = p;
	}
	if (rc == ERR_OK)
		*ret = (struct list){all, count};
	return rc;
}

enum err_code diagnosis_new_patterns(
    struct turn *t, const char *service, uint64_t since_ms, struct list *ret, struct err *reterr)
{
	return patterns_since(t, service, since_ms, news_ms, ret, reterr);
}

enum err_code diagnosis_patterns_seen(
    struct turn *t, const char *service, uint64_t since_ms, struct list *ret, struct err *reterr)
{
	return patterns_since(t, service, since_ms ? since_ms : 1, last_ms, ret, reterr);
}
