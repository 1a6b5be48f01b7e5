/* controller/anomaly/limits.h: bounds of the anomaly detectors, each with its reason. */
#ifndef KEDGE_CONTROLLER_ANOMALY_LIMITS_H
#define KEDGE_CONTROLLER_ANOMALY_LIMITS_H

enum {
	SEQUENCE_EVENTS_MAX = 1 << 16,   /* of one session; what follows is not looked at: sessions are one task's */
	SEQUENCE_KINDS_MAX = 1 << 16,    /* kinds of events; further ones are one kind, "other" */
	SEQUENCE_SESSIONS_MAX = 1 << 14, /* normal sessions kept; past it every other one is let go */
	SEQUENCE_KEPT_MAX = 1 << 23,     /* events of all sessions kept: 32 MiB */
	SEQUENCE_GRAMS_MAX = 1 << 20,    /* distinct pairs, and triples, of one model: 16 MiB each */
	SEQUENCE_PROFILES_MAX = 1024, /* distinct counts of events that a session is compared with, commonest first */
	RELATIONS_KINDS = 256,        /* commonest kinds, whose relations are learnt: 1 MiB */
	SEQUENCE_ODDS = 1000,         /* one normal session in so many may be called an anomaly */
	SEQUENCE_BATCH_LEAST = 50,    /* sessions whose distribution tells anything */
	SEQUENCE_BATCH_MAX = 1 << 20, /* sessions judged together: 64 MiB of rows and scores */
	SEQUENCE_BATCH_EVENTS_MAX = 1 << 23, /* of those: 64 MiB */
	SEQUENCE_FEATURES_MAX = 1 << 22,     /* of normal and judged sessions together: 128 MiB at worst */
	CONTRAST_ROWS = 1 << 13,             /* of each of two sets that curves are fitted to: 3 MiB at 51 terms */
	CONTRAST_FOLDS = 4,                  /* a row is judged by curves of the others */
	SEQUENCE_FOLDS = 20,                 /* the normal sessions are scored by models of the others */
};

enum {
	SERIES_SCALES = 9,       /* windows of 1, 2, 4, … 256 rows */
	SERIES_BUFFER = 2048,    /* rows behind the widest window and what it is compared with: 5 × 256 */
	SERIES_WINDOW = 4096,    /* rows behind median and quantiles: two weeks of five minutes */
	SERIES_WARM_WIDTHS = 20, /* a window is looked at once the series is so many times as long */
	SERIES_SILENT_ROWS = 20, /* before that nothing is known */
	SERIES_TAIL_LEAST = 60,  /* values behind quantiles of 3 % */
	SERIES_STEP_ROWS = 4,    /* that a step is taken from */
	SERIES_UNREST_UP = 2,    /* scales from which on differences say more than the level does: 4 rows, … */
	SERIES_UNREST_DOWN = 4,  /* … and 16 rows for their absence */
	PEAKS_KEPT = 14,         /* enough for the slope of a tail, few enough to be of the tail */
	PEAKS_LEAST = 3,         /* with fewer there is nothing to compare with */
	SERIES_CONSTANT = 288,   /* rows of one and the same value, a day of five minutes: any other then is news */
	PEAKS_NONE = 0,
};

enum {
	TREND_SAMPLES_MAX = 4096, /* the newest of a history that count */
	TREND_POINTS_MAX = 96,    /* that they are condensed to: slopes between all pairs are 4,560 */
	TREND_RUN_MAX = 64,       /* samples behind one point: 4096 / 96 and some */
	TREND_LEAST = 8,          /* points of a line; fewer tell nothing */
	TREND_TEETH_MAX = 48,     /* resets that are looked at */
	TREND_TEETH_LEAST = 6,    /* teeth whose heights show a trend */
};

#endif
