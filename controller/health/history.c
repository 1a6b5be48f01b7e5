/* controller/health/history.c: bounded rings of what was: changes of health, values of metrics. */
#include <string.h>

#include "controller/anomaly/trend.h"
#include "controller/health/internal.h"
#include "shared/base/text.h"

/* Room for one more, the oldest dropped when full; *ret_at is where at_ms belongs. */
static struct health_change *ring_room(struct turn *t, struct list *changes, uint64_t at_ms, struct err *reterr)
{
	struct health_change *grown = arena_array(turn_arena(t), HEALTH_HISTORY_MAX + 1, sizeof(*grown));
	if (!grown) {
		(void)err_set(reterr, ERR_NOMEM, "out of memory for history");
		return NULL;
	}
	size_t drop = changes->count == HEALTH_HISTORY_MAX ? 1 : 0;
	const struct health_change *old = changes->items;
	size_t at = 0, count = changes->count - drop;
	while (at < count && old[drop + at].at_ms <= at_ms)
		at++;
	if (at > 0)
		memcpy(grown, old + drop, at * sizeof(*grown));
	if (at < count)
		memcpy(grown + at + 1, old + drop + at, (count - at) * sizeof(*grown));
	*changes = (struct list){grown, count + 1};
	return grown + at;
}

enum err_code history_add(struct turn *t, const char *service, const char *host, const struct health_change *change,
    enum health *ret_before, struct err *reterr)
{
	struct health_history h = {.service = service, .host = host};
	bool found;
	enum err_code rc = turn_get(t, &health_history_table, &h, &h, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	enum health before = HEALTH_UNKNOWN;
	for (size_t i = 0; i < h.changes.count && LIST_AT(h.changes, struct health_change, i).at_ms <= change->at_ms;
	     i++)
		before = (enum health)LIST_AT(h.changes, struct health_change, i).state;
	*ret_before = before;
	if (change->historic && before == (enum health)change->state)
		return ERR_OK; /* nothing changed then */
	struct health_change *room = ring_room(t, &h.changes, change->at_ms, reterr);
	if (!room)
		return ERR_NOMEM;
	*room = *change;
	return turn_put(t, &health_history_table, &h, reterr);
}

static enum err_code metric_count(struct turn *t, const struct health_metric *key, size_t *ret, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct health_metric m;
	size_t count = 0;
	enum err_code rc = turn_scan_key(t, &health_metric_table, key, 2, false, &scan, reterr);
	while (turn_scan_step(&scan, &m, &rc, reterr))
		count++;
	*ret = count;
	return rc;
}

/* max: the oldest gives way to the newest. */
static enum err_code sample_add(
    struct turn *t, struct health_metric *m, size_t max, const struct health_sample *sample, struct err *reterr)
{
	size_t count = m->samples.count, drop = count >= max ? count - max + 1 : 0;
	const struct health_sample *old = m->samples.items;
	struct health_sample *grown = arena_array(turn_arena(t), count + 1, sizeof(*grown));
	if (!grown)
		return err_set(reterr, ERR_NOMEM, "out of memory for samples");
	if (count > drop)
		memcpy(grown, old + drop, (count - drop) * sizeof(*grown));
	grown[count - drop] = *sample;
	m->samples = (struct list){grown, count - drop + 1};
	return ERR_OK;
}

bool health_metric_limit(const struct health_metric *m, double *ret, bool *ret_rising)
{
	const char *dot = strrchr(m->metric, '.'), *name = dot ? dot + 1 : m->metric;
	if (text_equal(m->unit, "%"))
		*ret = 100;
	else if (text_equal(m->unit, "d") || (text_equal(m->unit, "B") && text_equal(name, "free")))
		*ret = 0;
	else
		return false;
	*ret_rising = *ret > 0;
	return true;
}

/* When it reaches its limit, from a week of samples; once an hour, as they come. */
static struct trend forecast(struct health_metric *m)
{
	struct trend_sample samples[HEALTH_TREND_MAX];
	size_t count = m->samples.count < HEALTH_TREND_MAX ? m->samples.count : HEALTH_TREND_MAX;
	double limit;
	bool rising;
	m->earliest_ms = m->likely_ms = m->latest_ms = 0;
	if (!count || !health_metric_limit(m, &limit, &rising))
		return (struct trend){.state = TREND_UNKNOWN};
	for (size_t i = 0; i < count; i++) {
		const struct health_sample *x = &LIST_AT(m->samples, struct health_sample, i);
		samples[i] = (struct trend_sample){x->at_ms, x->value};
	}
	struct trend t = trend_of(samples, count, limit, rising);
	if (t.state == TREND_REACHED)
		m->earliest_ms = m->likely_ms = m->latest_ms = samples[count - 1].at_ms;
	if (t.state == TREND_TOWARDS) {
		m->earliest_ms = t.near_ms;
		m->likely_ms = t.likely_ms;
		m->latest_ms = t.far_ms == TREND_NEVER ? 0 : t.far_ms;
	}
	return t;
}

/* Load comes and goes: where it points to tells nobody what to do before it is there. */
static bool fills(const struct health_metric *m)
{
	const char *dot = strrchr(m->metric, '.'), *name = dot ? dot + 1 : m->metric;
	return !text_equal(name, "cpu");
}

static enum err_code near_add(
    struct turn *t, const struct health_metric *m, struct health_transitions *out, struct err *reterr)
{
	struct health_metric *grown = arena_array(turn_arena(t), out->near.count + 1, sizeof(*grown));
	if (!grown)
		return err_set(reterr, ERR_NOMEM, "out of memory for forecasts");
	if (out->near.count)
		memcpy(grown, out->near.items, out->near.count * sizeof(*grown));
	grown[out->near.count] = *m;
	out->near = (struct list){grown, out->near.count + 1};
	return ERR_OK;
}

/* A disk fills in hours, a certificate has days. */
static uint64_t horizon_of(const struct health_config *c, const struct health_metric *m)
{
	return text_equal(m->unit, "d") ? c->forecast_days_ms : c->forecast_ms;
}

/* Told once when the near end of the interval comes within the horizon; again only after it was out of sight, or beyond
 * twice that.  What is at its limit already is a state, which probes judge.  During maintenance it waits. */
static enum err_code raise_alarm(struct turn *t, const struct health_config *c, struct health_metric *m,
    const struct trend *f, struct health_transitions *out, struct err *reterr)
{
	uint64_t now_ms = turn_now_ms(t), until_ms = 0;
	if (!m->earliest_ms || m->earliest_ms > now_ms + 2 * horizon_of(c, m))
		m->told_ms = 0;
	if (m->told_ms || f->state != TREND_TOWARDS || !trend_alarms(f, now_ms, horizon_of(c, m)) || !fills(m))
		return ERR_OK;
	enum err_code rc =
	    text_equal(m->service, "-") ? ERR_OK : health_maintenance_until(t, m->service, m->host, &until_ms, reterr);
	if (rc != ERR_OK || until_ms > now_ms)
		return rc;
	m->told_ms = now_ms;
	return near_add(t, m, out, reterr);
}

/* The first sample of each hour is kept for a week. */
static enum err_code trend_keep(struct turn *t, const struct health_config *c, const struct health_metric *of,
    const struct health_sample *sample, struct health_transitions *out, struct err *reterr)
{
	struct health_metric m = {.service = of->service, .host = of->host, .metric = of->metric};
	bool found;
	enum err_code rc = turn_get(t, &health_trend_table, &m, &m, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (found && m.samples.count &&
	    LIST_AT(m.samples, struct health_sample, m.samples.count - 1).at_ms >= sample->at_ms)
		return ERR_OK;
	m.unit = of->unit;
	if ((rc = sample_add(t, &m, HEALTH_TREND_MAX, sample, reterr)) != ERR_OK)
		return rc;
	struct trend f = forecast(&m);
	bool fresh = sample->at_ms + HEALTH_HISTORIC_MS >= turn_now_ms(t); /* what is replayed tells nobody */
	if (fresh && (rc = raise_alarm(t, c, &m, &f, out, reterr)) != ERR_OK)
		return rc;
	return turn_put(t, &health_trend_table, &m, reterr);
}

/* Every host has its own beginning of the hour, lest the forecasts of a fleet fall due at one moment. */
static uint64_t hour_of(const char *host)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
	for (; *host; host++)
		h = (h ^ (unsigned char)*host) * 0x100000001b3u;
	return h % HEALTH_TREND_EVERY_MS;
}

static enum err_code metric_keep(struct turn *t, const struct health_config *c, struct health_metric *m,
    const struct health_sample *sample, struct health_transitions *out, struct err *reterr)
{
	size_t count = m->samples.count;
	uint64_t last_ms = count ? LIST_AT(m->samples, struct health_sample, count - 1).at_ms : 0;
	if (count && sample->at_ms < last_ms + HEALTH_SAMPLE_EVERY_MS)
		return ERR_OK;
	enum err_code rc = ERR_OK;
	uint64_t shift_ms = hour_of(m->host);
	if (!count || (sample->at_ms + shift_ms) / HEALTH_TREND_EVERY_MS > (last_ms + shift_ms) / HEALTH_TREND_EVERY_MS)
		rc = trend_keep(t, c, m, sample, out, reterr);
	if (rc == ERR_OK)
		rc = sample_add(t, m, HEALTH_SAMPLES_MAX, sample, reterr);
	return rc == ERR_OK ? turn_put(t, &health_metric_table, m, reterr) : rc;
}

enum err_code metrics_keep(struct turn *t, const struct health_config *c, const struct metrics_from *from,
    const struct list *metrics, struct health_transitions *out, struct err *reterr)
{
	for (size_t i = 0; i < metrics->count; i++) {
		const struct metric *in = &LIST_AT(*metrics, struct metric, i);
		const char *name = from->probe ? arena_printf(turn_arena(t), "%s.%s", from->probe, in->name) : in->name;
		if (!name)
			return err_set(reterr, ERR_NOMEM, "out of memory for metrics");
		struct health_metric m = {.service = from->service, .host = from->host, .metric = name};
		bool found;
		size_t count = 0;
		enum err_code rc = turn_get(t, &health_metric_table, &m, &m, &found, reterr);
		if (rc == ERR_OK && !found) {
			rc = metric_count(t, &m, &count, reterr);
			m.unit = in->unit;
		}
		if (rc == ERR_OK && count < HEALTH_METRICS_MAX)
			rc = metric_keep(t, c, &m, &(struct health_sample){from->at_ms, in->value}, out, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

enum err_code health_metrics(struct turn *t, const struct table *table, const char *service, const char *host,
    struct list *ret, struct err *reterr)
{
	const struct health_metric key = {.service = service, .host = host};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct list all = {0};
	enum err_code rc = turn_scan_key(t, table, &key, 2, false, &scan, reterr);
	if (rc != ERR_OK || (rc = turn_scan_take(&scan, HEALTH_METRICS_MAX, &all, reterr)) != ERR_OK)
		return rc;
	*ret = all;
	return ERR_OK;
}
