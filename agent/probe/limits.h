/* agent/probe/limits.h: the limits of probing, each with its reason. */
#ifndef KEDGE_AGENT_PROBE_LIMITS_H
#define KEDGE_AGENT_PROBE_LIMITS_H

enum {
	PROBE_EVERY_SHALLOW_MS = 30000, /* the three tiers, where a probe names no interval */
	PROBE_EVERY_DEEP_MS = 300000,
	PROBE_EVERY_FULL_MS = 1800000,
	PROBE_EVERY_LEAST_MS = 200, /* faster would measure ourselves */
	PROBE_TIMEOUT_DEFAULT_MS = 10000,
	PROBE_FIRST_MAX_MS = 2000,    /* a fresh agent knows its services soon */
	PROBE_FIRST_LATER_MS = 60000, /* the deep and full tiers may wait a little */
	PROBE_RETRY_MS = 5000,        /* a result that contradicts the settled state is looked at again this soon */
	PROBE_OVERDUE_MS = 5000,      /* past its timeout: a runner that gives no answer is broken */
	PROBE_SLOW_DEFAULT_MS = 1000, /* a good answer slower than this is a warning */
	PROBE_RISE_DEFAULT = 2,       /* good results in a row that turn it good */
	PROBE_FALL_DEFAULT = 2,       /* bad results in a row that turn it bad */
	PROBE_RUNNING_MAX = 16,       /* at once: a herd of plugins would be the load that they measure */
	PROBE_LAG_MS =
	    500, /* our own wake-up later than this: what was measured meanwhile says nothing about the service */
	PROBE_LAG_MEMORY_MS = 5000, /* and for this long after */
	PROBE_BEAT_MS = 250,        /* how often lag is looked for while something runs */
	PROBE_STARVED_PERCENT = 40, /* share of a run spent waiting for a cpu that makes a bad result worthless */
	PROBE_STALE_INTERVALS = 3,  /* no result for this many intervals plus the timeout: UNKNOWN */
	PROBE_TEXT_MAX = 512,       /* first line of a result */
	PROBE_METRICS_MAX = 32,     /* of one result */
	PROBE_BODY_MAX = 64 << 10,  /* of an http answer that is searched; the rest is not read */
	PROBE_HEAD_MAX = 16 << 10,  /* of an http answer's head */
};

#endif
