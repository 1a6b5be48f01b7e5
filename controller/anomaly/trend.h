/* controller/anomaly/trend.h: when will it be full?
 *
 * From the history of something that has a limit (a disk, inodes, memory, descriptors, a log that is not archived) the
 * time at which it reaches it, with an interval of nine in ten (measured on histories whose end is known: 0.92 for
 * steady growth, 0.75 to 0.79 where it wanders).  The slope is the median of the slopes between all pairs (Theil and
 * Sen), which single outliers do not move; its error counts only as many samples as are independent of each other.
 * Where the newest part runs at another slope, that part counts alone.  Resets (a clean-up, a rotation, a restart) are
 * found: after one only what followed counts, and where they repeat it is the height of the teeth that must grow to the
 * limit.
 *
 * Pure; any thread. */
#ifndef KEDGE_CONTROLLER_ANOMALY_TREND_H
#define KEDGE_CONTROLLER_ANOMALY_TREND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/anomaly/limits.h"

struct trend_sample {
	uint64_t at_ms;
	double value;
};

enum trend_state {
	TREND_UNKNOWN, /* too little to tell */
	TREND_STEADY,  /* does not move towards the limit, as far as one can tell, or is brought back before it */
	TREND_TOWARDS, /* moves towards it: the times below are set */
	TREND_REACHED, /* the newest value is at the limit or beyond */
};

#define TREND_NEVER UINT64_MAX

struct trend {
	enum trend_state state;
	uint64_t near_ms, likely_ms, far_ms; /* absolute; far_ms may be TREND_NEVER */
	double per_hour;                     /* the slope */
	size_t resets;
};

/* Samples in ascending time; one that is not later than that before it, or not finite, is passed over.  rising: the
 * limit is reached from below (a disk fills); else from above (days left run out). */
struct trend trend_of(const struct trend_sample *samples, size_t count, double limit, bool rising);

/* Whether it is time to say so: only when the near end of the interval lies within the horizon. */
bool trend_alarms(const struct trend *t, uint64_t now_ms, uint64_t horizon_ms);

#endif
