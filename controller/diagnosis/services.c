/* controller/diagnosis/services.c: the failing service and what it leans on, through the ranking of root causes. */
#include <math.h>
#include <string.h>

#include "controller/cause/cause.h"
#include "controller/diagnosis/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { SAMPLES_LEAST = 8 }; /* before the fault, to know what is usual */

static const double least_factor = 0.2, most_factor = 1.6;
static const double of_new_lines = 0.5; /* of the logarithm of their number: loud is not guilty */

CLEANUP_DEFINE(struct cause, cleanup_cause, cause_free)

struct ranking {
	struct inquiry *q;
	struct cause *cause;
	const char *const *names;
	size_t count;
};

static bool is_one_of(const struct ranking *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++)
		if (text_equal(r->names[i], name))
			return true;
	return false;
}

static enum err_code add_calls(struct ranking *r, const char *service, struct err *reterr)
{
	struct service s;
	bool found;
	enum err_code rc = fleet_service_get(r->q->t, service, &s, &found, reterr);
	for (size_t i = 0; rc == ERR_OK && found && i < s.depends_on.count; i++) {
		const char *on = LIST_AT(s.depends_on, const char *, i);
		if (is_one_of(r, on))
			rc = cause_calls(r->cause, service, on, reterr);
	}
	return rc;
}

/* Being unwell is like errors on every request: it explains whoever leans on it, and is explained by what it leans on.
 */
static enum err_code add_health(struct ranking *r, const char *service, struct err *reterr)
{
	static const double well[] = {0, 0}, down[] = {1, 1}, degraded[] = {0.5, 0.5};
	struct health_summary h;
	enum err_code rc = health_of_service(r->q->t, service, &h, reterr);
	if (rc != ERR_OK || (h.worst != HEALTH_DOWN && h.worst != HEALTH_DEGRADED))
		return rc;
	struct cause_series s = {service, "errors", well, 2, NULL, 0, h.worst == HEALTH_DOWN ? down : degraded, 2};
	return cause_series_add(r->cause, &s, reterr);
}

static enum err_code add_metric(
    struct ranking *r, const struct health_metric *m, const char *service, struct err *reterr)
{
	double before[HEALTH_SAMPLES_MAX], during[HEALTH_SAMPLES_MAX];
	struct cause_series s = {.service = service, .metric = m->metric, .before = before, .during = during};
	for (size_t i = 0; i < m->samples.count && i < HEALTH_SAMPLES_MAX; i++) {
		const struct health_sample *x = &LIST_AT(m->samples, struct health_sample, i);
		if (x->at_ms < r->q->incident.fault_ms)
			before[s.before_count++] = x->value;
		else
			during[s.during_count++] = x->value;
	}
	if (s.before_count < SAMPLES_LEAST || !s.during_count)
		return ERR_OK;
	return cause_series_add(r->cause, &s, reterr);
}

static enum err_code add_metrics(struct ranking *r, const char *service, struct err *reterr)
{
	struct list places, metrics;
	enum err_code rc = fleet_placements(r->q->t, service, &places, reterr);
	for (size_t i = 0; rc == ERR_OK && i < places.count && i < DIAGNOSIS_HOSTS_MAX; i++) {
		const char *host = LIST_AT(places, struct placement, i).host;
		rc = health_metrics(r->q->t, &health_metric_table, service, host, &metrics, reterr);
		for (size_t k = 0; rc == ERR_OK && k < metrics.count; k++)
			rc = add_metric(r, &LIST_AT(metrics, struct health_metric, k), service, reterr);
	}
	return rc;
}

static enum err_code add_lines(struct ranking *r, const char *service, struct err *reterr)
{
	struct list patterns;
	uint64_t fault_ms = r->q->incident.fault_ms, count = 0;
	uint64_t since = fault_ms > DIAGNOSIS_WINDOW_MS ? fault_ms - DIAGNOSIS_WINDOW_MS : 0;
	enum err_code rc = diagnosis_new_patterns(r->q->t, service, since, &patterns, reterr);
	for (size_t i = 0; rc == ERR_OK && i < patterns.count; i++)
		if (LIST_AT(patterns, struct error_pattern, i).severity >= LOG_SEVERITY_ERROR)
			count += LIST_AT(patterns, struct error_pattern, i).count;
	return rc == ERR_OK && count ? cause_evidence(r->cause, service, of_new_lines * log1p((double)count),
					   "new lines of errors", reterr)
				     : rc;
}

static enum err_code add_service(struct ranking *r, const char *service, struct err *reterr)
{
	enum err_code rc = cause_service(r->cause, service, reterr);
	if (rc == ERR_OK)
		rc = add_calls(r, service, reterr);
	if (rc == ERR_OK)
		rc = add_health(r, service, reterr);
	if (rc == ERR_OK)
		rc = add_metrics(r, service, reterr);
	return rc == ERR_OK ? add_lines(r, service, reterr) : rc;
}

static void take_verdict(const struct ranking *r, const struct cause_verdict *v, struct ranked_service *ret)
{
	double sum = 0;
	for (size_t i = 0; i < v->count; i++)
		sum += v->ranked[i].score;
	for (size_t i = 0; i < r->count; i++)
		ret[i] = (struct ranked_service){r->names[i], i ? least_factor : 1, 0, NULL};
	for (size_t k = 0; !v->abstained && k < v->count; k++)
		for (size_t i = 0; i < r->count; i++) {
			if (!text_equal(r->names[i], v->ranked[k].service))
				continue;
			ret[i].factor = least_factor + most_factor * v->ranked[k].score / sum;
			ret[i].confidence = k ? 0 : v->confidence;
			for (unsigned kind = 0; !k && kind < CAUSE_KIND_COUNT; kind++)
				if (v->ranked[k].reason[kind] && !ret[i].reason)
					ret[i].reason = arena_strdup(turn_arena(r->q->t), v->ranked[k].reason[kind]);
		}
}

enum err_code services_rank(
    struct inquiry *q, const struct list *leans_on, struct ranked_service *ret, size_t *ret_count, struct err *reterr)
{
	CLEANUP(cleanup_cause) struct cause *cause = NULL;
	const char *names[DIAGNOSIS_SERVICES_MAX + 1] = {q->incident.service};
	struct ranking r = {q, NULL, names, 1};
	struct cause_verdict v;
	for (size_t i = 0; i < leans_on->count && i < DIAGNOSIS_SERVICES_MAX; i++)
		names[r.count++] = LIST_AT(*leans_on, const char *, i);
	enum err_code rc = cause_new(&cause, reterr);
	r.cause = cause;
	for (size_t i = 0; rc == ERR_OK && i < r.count; i++)
		rc = add_service(&r, names[i], reterr);
	if (rc == ERR_OK && (rc = cause_alert(cause, names[0], NULL, reterr)) == ERR_OK &&
	    (rc = cause_conclude(cause, &v, reterr)) == ERR_OK) {
		take_verdict(&r, &v, ret);
		*ret_count = r.count;
	}
	return rc;
}
