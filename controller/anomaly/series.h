/* controller/anomaly/series.h: is the newest value of a series out of the ordinary?
 *
 * Streaming: the score of a row depends on it and on those before it alone.  Four views look at the series over windows
 * of 1, 2, 4, … rows: its level against its median, against the rows just before, its restlessness, and how far it lies
 * from what its day or week lets expect.  Each window of each view is compared with its own past peaks (peaks.h); a
 * view is as surprised as its most surprised window, and the surprises of the views add up.
 *
 * An alarm is one row: what stays high is not told again, and the longer a series is known the longer an alarm stands
 * for what follows it, unless something clearly greater comes.
 *
 * Pure, memory fixed (about 400 KiB a detector).  One detector belongs to one thread. */
#ifndef KEDGE_CONTROLLER_ANOMALY_SERIES_H
#define KEDGE_CONTROLLER_ANOMALY_SERIES_H

#include <stdint.h>

#include "controller/anomaly/limits.h"
#include "shared/base/err.h"

#define SERIES_NO_TIME INT64_MIN

struct series;

/* ERR_NOMEM. */
ERR_CHECK enum err_code series_new(struct series **ret, struct err *reterr);
void series_free(struct series *s); /* NULL is a no-op */
/* The score of the next row, 0 .. 1: an anomaly from 0.5 on.  time_s: seconds since 1970, or SERIES_NO_TIME; it may
 * jump. A value that is not finite is a missing one: its score is 0 and nothing is learnt from it. */
double series_add(struct series *s, int64_t time_s, double value);

#endif
