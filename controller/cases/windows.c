/* controller/cases/windows.c: which rows are of the fault, and which of before. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cases/internal.h"
#include "shared/base/text.h"

/* Unix time in whichever unit, by its size: seconds reach 10^11 in the year 5138. */
static double to_seconds(double v)
{
	for (int i = 0; i < 3 && fabs(v) >= 1e11; i++)
		v /= 1000;
	return v;
}

bool case_time(const char *text, double *ret)
{
	char full[TEXT_TIME_MAX + 8];
	uint64_t ms;
	double v;
	size_t n = strlen(text);
	if (text_f64(text, &v, NULL) == ERR_OK) {
		*ret = to_seconds(v);
		return true;
	}
	if (n < 16 || n > TEXT_TIME_MAX)
		return false;
	bool zoned = text[n - 1] == 'Z' || (n > 19 && strpbrk(text + 19, "+-"));
	if (!text_format(full, sizeof full, "%s%s%s", text, n == 16 ? ":00" : "", zoned ? "" : "Z"))
		return false;
	full[10] = 'T';
	if (text_parse_time(full, &ms, NULL) != ERR_OK)
		return false;
	*ret = (double)ms / 1000;
	return true;
}

/* JSON: a number, or a text. */
static bool time_of(const char *json, double *ret)
{
	char text[64];
	size_t n = json ? strlen(json) : 0;
	if (!n || n >= sizeof text)
		return false;
	bool quoted = json[0] == '"';
	if (quoted && (n < 2 || json[n - 1] != '"'))
		return false;
	text_copy(text, sizeof text, quoted ? json + 1 : json);
	if (quoted)
		text[n - 2] = '\0';
	return case_time(text, ret);
}

/* "[from,to]", canonical. */
static bool pair_of(const char *json, double ret[2])
{
	char text[128], *comma;
	size_t n = json ? strlen(json) : 0;
	if (n < 5 || n >= sizeof text || json[0] != '[' || json[n - 1] != ']')
		return false;
	memcpy(text, json + 1, n - 2);
	text[n - 2] = '\0';
	if (!(comma = strchr(text, ',')))
		return false;
	*comma = '\0';
	return time_of(text, &ret[0]) && time_of(comma + 1, &ret[1]);
}

bool windows_of(const struct given_case *g, const struct case_alert *alert, struct windows *ret)
{
	struct windows w = {{NAN, NAN}, {NAN, NAN}, false, NAN};
	bool ok = true;
	if (g->abnormal) {
		ok = pair_of(g->abnormal, w.during) && (!g->normal || pair_of(g->normal, w.before));
		w.closed = true;
	} else if (g->from) {
		ok = time_of(g->from, &w.during[0]) && (!g->to || time_of(g->to, &w.during[1]));
	} else if (g->inject_time) {
		ok = time_of(g->inject_time, &w.during[0]);
	} else if (alert && alert->time) {
		ok = time_of(alert->time, &w.alert);
	}
	if (ok)
		*ret = w;
	return ok;
}

static bool within(double t, const double w[2], bool closed)
{
	return !(t < w[0]) && (isnan(w[1]) || t < w[1] || (closed && t <= w[1]));
}

static double step_of(const struct table_file *t)
{
	double step = INFINITY;
	for (size_t i = 1; i < t->row_count; i++) {
		double d = t->times[i] - t->times[i - 1];
		if (d > 0 && d < step)
			step = d;
	}
	return isfinite(step) ? step : 0;
}

/* The last ones before the fault, so many as tell what is usual. */
static void keep_recent(const struct table_file *t, enum phase *phases)
{
	size_t kept = 0;
	for (size_t i = t->row_count; i-- > 0;)
		if (phases[i] == PHASE_BEFORE && ++kept > CASES_BASELINE_ROWS)
			phases[i] = PHASE_NONE;
}

void windows_rows(const struct windows *w, const struct table_file *t, bool elsewhere, enum phase *phases)
{
	double step = step_of(t);
	enum phase quiet = elsewhere ? PHASE_SETTLED : PHASE_BEFORE;
	for (size_t i = 0; i < t->row_count; i++) {
		double at = t->times[i];
		if (!isnan(w->alert))
			phases[i] = at + step > w->alert ? PHASE_DURING : quiet;
		else if (isnan(w->during[0])) /* nobody says when: the last third */
			phases[i] = 3 * i >= 2 * t->row_count ? PHASE_DURING : quiet;
		else if (within(at, w->during, w->closed))
			phases[i] = PHASE_DURING;
		else if (isnan(w->before[0]))
			phases[i] = at < w->during[0] ? quiet : PHASE_NONE;
		else
			phases[i] = within(at, w->before, w->closed) ? PHASE_BEFORE : PHASE_NONE;
	}
	if (isnan(w->alert) && isnan(w->before[0]))
		keep_recent(t, phases);
}
