/* controller/health/judge.c: what a set of probe results says.  Worst first: CRITICAL, WARNING, a limit exceeded,
 * UNKNOWN, OK. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controller/health/internal.h"
#include "shared/base/text.h"

const char *health_reason(struct arena *arena, const char *text)
{
	char *cut = text ? arena_alloc(arena, TEXT_LINE_MAX + 1) : NULL;
	if (cut)
		text_copy(cut, TEXT_LINE_MAX + 1, text);
	return cut;
}

struct limit {
	const char *name; /* the metric's name begins with it */
	double value;
	bool percent; /* else a time, in milliseconds */
};

/* Milliseconds (or percent) that a metric says; false when its unit is another thing. */
static bool metric_value(const struct metric *m, bool percent, double *ret)
{
	const char *unit = m->unit ? m->unit : "";
	if (percent) {
		*ret = m->value;
		return strcmp(unit, "%") == 0;
	}
	double scale = strcmp(unit, "s") == 0    ? 1000
		       : strcmp(unit, "ms") == 0 ? 1
		       : strcmp(unit, "us") == 0 ? 0.001
						 : 0;
	*ret = m->value * scale;
	return scale > 0;
}

static bool exceeds(const struct health_config *c, const struct metric *m, const struct limit **ret, struct limit *room,
    double *ret_value)
{
	const struct limit limits[] = {
	    {"response", c->response_ms, false},
	    {"time", c->response_ms, false},
	    {"error", c->errors_percent, true},
	    {"cpu", c->cpu_percent, true},
	    {"mem", c->memory_percent, true},
	    {"disk", c->disk_percent, true},
	};
	if (m->warn > 0 || m->critical > 0) /* the probe has limits of its own and has judged by them */
		return false;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct limit *l = &limits[i];
		double value;
		if (strncasecmp(m->name, l->name, strlen(l->name)) != 0 || !metric_value(m, l->percent, &value))
			continue;
		if (l->value > 0 && value > l->value) {
			*room = *l;
			*ret = room;
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static const char *breach_reason(const struct health_config *c, const struct probe_result *r, struct arena *arena)
{
	for (size_t i = 0; i < r->metrics.count; i++) {
		const struct metric *m = &LIST_AT(r->metrics, struct metric, i);
		const struct limit *l;
		struct limit room;
		double value;
		if (exceeds(c, m, &l, &room, &value))
			return arena_printf(arena, "%s: %s %.1f %s, limit %.1f", r->probe, m->name, value,
			    l->percent ? "%" : "ms", l->value);
	}
	return NULL;
}

/* A deep probe that has not run yet is no gap in the evidence: its tier runs every few minutes at most. */
static bool counts(const struct probe_result *r)
{
	return !(r->settled == PROBE_UNKNOWN && r->tier != PROBE_SHALLOW && r->at_ms == 0);
}

static unsigned rank(const struct probe_result *r, bool breach)
{
	switch ((enum probe_state)r->settled) {
	case PROBE_CRITICAL:
		return 4;
	case PROBE_WARNING:
		return 3;
	case PROBE_OK:
		return breach ? 2 : 0;
	default:
		return 1;
	}
}

enum err_code health_judge(const struct health_config *c, const struct list *results, bool lagging, struct arena *arena,
    struct health_verdict *ret, struct err *reterr)
{
	static const enum health states[] = {
	    HEALTH_HEALTHY, HEALTH_UNKNOWN, HEALTH_DEGRADED, HEALTH_DEGRADED, HEALTH_DOWN};
	const struct probe_result *worst = NULL;
	const char *worst_breach = NULL;
	unsigned worst_rank = 0;
	for (size_t i = 0; i < results->count; i++) {
		const struct probe_result *r = &LIST_AT(*results, struct probe_result, i);
		if (!counts(r))
			continue;
		const char *breach = breach_reason(c, r, arena);
		if (!worst || rank(r, breach) > worst_rank) {
			worst = r;
			worst_rank = rank(r, breach);
			worst_breach = breach;
		}
	}
	struct health_verdict v = {.state = worst ? states[worst_rank] : HEALTH_UNKNOWN};
	v.breach = worst_rank == 2;
	if (!worst)
		v.reason = "no probe has answered";
	else if (lagging && worst_rank > 0) {
		v = (struct health_verdict){
		    .state = HEALTH_UNKNOWN, .reason = "the agent is overloaded: its probes say nothing"};
	} else if (worst_rank > 0) {
		v.probe = worst->probe;
		v.reason = v.breach ? worst_breach
				    : arena_printf(arena, "%s: %s", worst->probe,
					  worst->text ? worst->text : enum_name(&probe_state_enum, worst->settled));
		v.reason = health_reason(arena, v.reason);
		if (!v.reason)
			return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	*ret = v;
	return ERR_OK;
}
