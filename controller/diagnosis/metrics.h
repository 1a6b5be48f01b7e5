/* controller/diagnosis/metrics.h: what the measurements of a place say about a fault.
 *
 * Two kinds of evidence: a metric that left its usual course shortly before or during the fault (controller/anomaly/
 * series.h over the last hour), and one that is about to reach its limit, as health forecasts it from the last week.
 * Pure: reads through the turn. */
#ifndef KEDGE_CONTROLLER_DIAGNOSIS_METRICS_H
#define KEDGE_CONTROLLER_DIAGNOSIS_METRICS_H

#include "controller/diagnosis/diagnosis.h"

enum {
	METRIC_EVIDENCE_MAX = 8,              /* of one place: the strongest */
	METRIC_SAMPLES_LEAST = 24,            /* of an hour, to know what is usual */
	METRIC_HORIZON_MS = 24 * 3600 * 1000, /* a limit that lies further ahead explains nothing yet */
	METRIC_BEFORE_MS = 10 * 60 * 1000,    /* how long before the fault a change may be part of it */
};

/* Of a service on a host, and of the host itself; ret holds METRIC_EVIDENCE_MAX, strongest first. */
ERR_CHECK enum err_code metric_evidence(struct turn *t, const char *service, const char *host, uint64_t fault_ms,
    struct evidence *ret, size_t *ret_count, struct err *reterr);

#endif
