/* controller/diagnosis/metrics.c: see metrics.h. */
#include "controller/diagnosis/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/series.h"
#include "shared/base/text.h"

static const double of_anomaly = 0.9; /* times its score of 0.5 to 1: less than a probe that says so itself */
static const double of_limit = 0.7, of_limit_reached = 1.0;

struct collected {
	struct arena *arena;
	const char *service, *host;
	struct evidence *items;
	size_t count;
};

static enum err_code add(struct collected *c, const char *text, double weight, uint64_t at_ms, struct err *reterr)
{
	if (!text)
		return err_set(reterr, ERR_NOMEM, "out of memory for evidence");
	bool full = c->count == METRIC_EVIDENCE_MAX;
	if (full && c->items[c->count - 1].weight >= weight)
		return ERR_OK;
	size_t at = full ? c->count - 1 : c->count++;
	for (; at && c->items[at - 1].weight < weight; at--)
		c->items[at] = c->items[at - 1];
	c->items[at] = (struct evidence){EVIDENCE_METRIC, c->service, c->host, text, weight, at_ms};
	return ERR_OK;
}

/* ---- left its usual course ---- */

struct excursion {
	double score, value;
	uint64_t at_ms;
};

/* The strongest alarm at or after since_ms; score 0: there is none. */
static enum err_code find_excursion(
    const struct list *samples, uint64_t since_ms, struct excursion *ret, struct err *reterr)
{
	struct series *s;
	enum err_code rc = series_new(&s, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret = (struct excursion){0};
	for (size_t i = 0; i < samples->count; i++) {
		const struct health_sample *x = &LIST_AT(*samples, struct health_sample, i);
		double score = series_add(s, (int64_t)(x->at_ms / 1000), x->value);
		if (score >= 0.5 && x->at_ms >= since_ms && score > ret->score)
			*ret = (struct excursion){score, x->value, x->at_ms};
	}
	series_free(s);
	return ERR_OK;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/* The middle of what was measured before; an even count takes the upper one. */
static double usual_before(const struct list *samples, uint64_t at_ms)
{
	double values[HEALTH_SAMPLES_MAX];
	size_t n = 0;
	for (size_t i = 0; i < samples->count && n < HEALTH_SAMPLES_MAX; i++) {
		const struct health_sample *x = &LIST_AT(*samples, struct health_sample, i);
		if (x->at_ms < at_ms && isfinite(x->value))
			values[n++] = x->value;
	}
	qsort(values, n, sizeof *values, by_size);
	return n ? values[n / 2] : 0;
}

static enum err_code judge_course(
    struct collected *c, const struct health_metric *m, uint64_t fault_ms, struct err *reterr)
{
	struct excursion x;
	uint64_t since_ms = fault_ms > METRIC_BEFORE_MS ? fault_ms - METRIC_BEFORE_MS : 0;
	if (m->samples.count < METRIC_SAMPLES_LEAST)
		return ERR_OK;
	enum err_code rc = find_excursion(&m->samples, since_ms, &x, reterr);
	if (rc != ERR_OK || x.score == 0)
		return rc;
	const char *unit = m->unit ? m->unit : "";
	const char *text = arena_printf(c->arena, "%s on %s left its usual course: %.4g%s, usually %.4g%s", m->metric,
	    m->host, x.value, unit, usual_before(&m->samples, x.at_ms), unit);
	return add(c, text, of_anomaly * x.score, x.at_ms, reterr);
}

/* ---- about to reach its limit ---- */

static const char *limit_text(struct collected *c, const struct health_metric *m, uint64_t now_ms)
{
	char earliest[TEXT_TIME_MAX], latest[TEXT_TIME_MAX];
	if (m->likely_ms <= now_ms && m->likely_ms == m->earliest_ms)
		return arena_printf(c->arena, "%s on %s is at its limit", m->metric, m->host);
	text_duration_human(m->earliest_ms > now_ms ? m->earliest_ms - now_ms : 0, earliest);
	if (!m->latest_ms)
		return arena_printf(c->arena, "%s on %s may reach its limit in %s", m->metric, m->host, earliest);
	text_duration_human(m->latest_ms > now_ms ? m->latest_ms - now_ms : 0, latest);
	return arena_printf(c->arena, "%s on %s reaches its limit in %s to %s", m->metric, m->host, earliest, latest);
}

static enum err_code judge_trend(
    struct collected *c, const struct health_metric *m, uint64_t now_ms, struct err *reterr)
{
	if (!m->earliest_ms || m->earliest_ms > now_ms + METRIC_HORIZON_MS)
		return ERR_OK;
	uint64_t at_ms = m->samples.count ? LIST_AT(m->samples, struct health_sample, m->samples.count - 1).at_ms : 0;
	return add(c, limit_text(c, m, now_ms), m->likely_ms <= now_ms ? of_limit_reached : of_limit, at_ms, reterr);
}

static enum err_code examine(
    struct turn *t, struct collected *c, const char *service, uint64_t fault_ms, struct err *reterr)
{
	struct list hour, week;
	enum err_code rc = health_metrics(t, &health_metric_table, service, c->host, &hour, reterr);
	if (rc == ERR_OK)
		rc = health_metrics(t, &health_trend_table, service, c->host, &week, reterr);
	for (size_t i = 0; rc == ERR_OK && i < hour.count; i++)
		rc = judge_course(c, &LIST_AT(hour, struct health_metric, i), fault_ms, reterr);
	for (size_t i = 0; rc == ERR_OK && i < week.count; i++)
		rc = judge_trend(c, &LIST_AT(week, struct health_metric, i), turn_now_ms(t), reterr);
	return rc;
}

enum err_code metric_evidence(struct turn *t, const char *service, const char *host, uint64_t fault_ms,
    struct evidence *ret, size_t *ret_count, struct err *reterr)
{
	struct collected c = {turn_arena(t), service, host, ret, 0};
	enum err_code rc = examine(t, &c, service, fault_ms, reterr);
	if (rc == ERR_OK)
		rc = examine(t, &c, "-", fault_ms, reterr);
	if (rc == ERR_OK)
		*ret_count = c.count;
	return rc;
}
