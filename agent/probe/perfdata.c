#include "agent/probe/perfdata.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"

enum { NUMBER_MAX = 40 }; /* characters of one number */

void outcome_say(struct probe_outcome *o, enum probe_state state, const char *fmt, ...)
{
	va_list ap;
	char text[2 * PROBE_TEXT_MAX];
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	o->state = state;
	text_copy(o->text, sizeof o->text, text);
}

void outcome_metric(
    struct probe_outcome *o, const char *name, double value, const char *unit, double warn, double critical)
{
	if (o->metric_count == PROBE_METRICS_MAX || !isfinite(value) || !name[0])
		return;
	struct probe_metric *m = &o->metrics[o->metric_count++];
	*m = (struct probe_metric){
	    .value = value, .warn = isfinite(warn) ? warn : 0, .critical = isfinite(critical) ? critical : 0};
	text_copy(m->name, sizeof m->name, name);
	text_copy(m->unit, sizeof m->unit, unit);
}

enum probe_state outcome_worse(enum probe_state a, enum probe_state b)
{
	static const int rank[PROBE_STATE_COUNT] = {
	    [PROBE_OK] = 0, [PROBE_UNKNOWN] = 1, [PROBE_WARNING] = 2, [PROBE_CRITICAL] = 3};
	return rank[a] >= rank[b] ? a : b;
}

/* A number at the front of [p, end); where it ends, or NULL.  Plain decimals only: no hex, no "inf". */
static const char *take_number(const char *p, const char *end, double *ret)
{
	char text[NUMBER_MAX];
	size_t n = 0;
	while (p + n < end && n < sizeof text - 1 && p[n] && strchr("0123456789.+-eE,", p[n])) {
		bool exponent = p[n] == 'e' || p[n] == 'E';
		if (exponent && (n == 0 || p + n + 1 >= end || !strchr("0123456789+-", p[n + 1])))
			break;
		text[n] = p[n];
		if (text[n] == ',') /* a decimal comma: some plugins run in such a locale */
			text[n] = '.';
		n++;
	}
	text[n] = '\0';
	char *stop;
	double v = strtod(text, &stop);
	if (stop == text || !isfinite(v))
		return NULL;
	*ret = v;
	return p + (stop - text);
}

/* A threshold range "10", "10:", "~:10", "@10:20": the outer bound is what people compare with. */
static double threshold(const char *p, const char *end)
{
	double low = 0, high = 0;
	if (p < end && *p == '@')
		p++;
	if (p < end && *p == '~')
		p++;
	const char *after = take_number(p, end, &low);
	if (!after)
		after = p;
	if (after < end && *after == ':')
		return take_number(after + 1, end, &high) ? high : low;
	return low;
}

/* The end of one item: a space outside of its quoted label. */
static const char *item_end(const char *p, const char *end)
{
	bool quoted = false;
	for (; p < end; p++) {
		if (*p == '\'')
			quoted = !quoted;
		else if (!quoted && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r' || *p == '|'))
			break;
	}
	return p;
}

static const char *label_end(const char *p, const char *end)
{
	bool quoted = false;
	for (; p < end && (quoted || *p != '='); p++)
		if (*p == '\'')
			quoted = !quoted;
	return p;
}

/* 'label'=value[UOM];[warn];[crit];[min];[max] */
static void take_item(const char *p, const char *end, struct probe_outcome *ret)
{
	char name[PROBE_METRIC_NAME_MAX], unit[PROBE_UNIT_MAX];
	const char *equals = label_end(p, end);
	size_t n = 0;
	double value;
	if (equals == end)
		return;
	for (; p < equals && n < sizeof name - 1; p++)
		if (*p != '\'' && (unsigned char)*p >= ' ')
			name[n++] = *p;
	name[n] = '\0';
	const char *at = take_number(equals + 1, end, &value);
	if (!at || !text_utf8_valid(name, n))
		return; /* "U": undetermined */
	for (n = 0; at < end && *at != ';'; at++)
		if (n < sizeof unit - 1 && *at > ' ' && *at < 127)
			unit[n++] = *at;
	unit[n] = '\0';
	double bounds[2] = {0, 0};
	for (size_t i = 0; i < 2 && at < end && *at == ';'; i++) {
		const char *stop = memchr(at + 1, ';', (size_t)(end - at - 1));
		bounds[i] = threshold(at + 1, stop ? stop : end);
		at = stop ? stop : end;
	}
	outcome_metric(ret, name, value, unit, bounds[0], bounds[1]);
}

static void take_items(const char *p, const char *end, struct probe_outcome *ret)
{
	while (p < end && ret->metric_count < PROBE_METRICS_MAX) {
		while (p < end && strchr(" \t\r\n|", *p))
			p++;
		const char *stop = item_end(p, end);
		if (stop > p)
			take_item(p, stop, ret);
		p = stop;
	}
}

void perfdata_parse(const char *output, size_t size, struct probe_outcome *ret)
{
	const char *end = output + size;
	const char *line = memchr(output, '\n', size);
	const char *first_end = line ? line : end;
	const char *bar = memchr(output, '|', (size_t)(first_end - output));
	const char *text_end = bar ? bar : first_end;
	size_t n = 0;
	ret->metric_count = 0;
	while (text_end > output && strchr(" \t\r", text_end[-1]))
		text_end--;
	for (const char *p = output; p < text_end && n < sizeof ret->text - 1; p++)
		ret->text[n++] = (unsigned char)*p < ' ' ? ' ' : *p;
	ret->text[n] = '\0';
	if (bar)
		take_items(bar + 1, first_end, ret);
	/* The long output may have its own bar; what follows it is performance data to the end. */
	const char *later = line ? memchr(line, '|', (size_t)(end - line)) : NULL;
	if (later)
		take_items(later + 1, end, ret);
}
