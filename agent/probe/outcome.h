/* agent/probe/outcome.h: what one run of a probe gave, of fixed size.  Times in milliseconds; text not yet redacted. */
#ifndef KEDGE_AGENT_PROBE_OUTCOME_H
#define KEDGE_AGENT_PROBE_OUTCOME_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/probe/limits.h"
#include "shared/message/types.h"

enum { PROBE_METRIC_NAME_MAX = 64, PROBE_UNIT_MAX = 16 };

struct probe_metric {
	char name[PROBE_METRIC_NAME_MAX];
	char unit[PROBE_UNIT_MAX];
	double value, warn, critical; /* finite; 0: no threshold */
};

struct probe_outcome {
	enum probe_state state;
	bool gone; /* a process does not run */
	uint64_t took_ms;
	char text[PROBE_TEXT_MAX];
	struct probe_metric metrics[PROBE_METRICS_MAX];
	size_t metric_count;
};

void outcome_say(struct probe_outcome *o, enum probe_state state, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Cuts names, drops what is not finite or past the limit. */
void outcome_metric(
    struct probe_outcome *o, const char *name, double value, const char *unit, double warn, double critical);
enum probe_state outcome_worse(enum probe_state a, enum probe_state b); /* CRITICAL, WARNING, UNKNOWN, OK */

#endif
