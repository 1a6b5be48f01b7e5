/* controller/anomaly/sequence_internal.h: between the files of a sequence model.
 *
 * Everything is measured in nats, -ln of how probable it is in a normal session.  Each way of looking at a session is a
 * view.  Novelty (kinds, pairs of known kinds, triples of known pairs that were not seen) is a rate: normal sessions
 * that a model has not seen bring some, too, the longer the more.  Counts are compared with the nearest profile: of
 * each kind that differs, how often normal sessions differ there, and by how much.  Amounts are those of single kinds,
 * repeats those of single
 * pairs, runs how often a kind comes in a row, each against its own spread; relations are what always holds of two
 * kinds. */
#ifndef KEDGE_CONTROLLER_ANOMALY_SEQUENCE_INTERNAL_H
#define KEDGE_CONTROLLER_ANOMALY_SEQUENCE_INTERNAL_H

#include <stdbool.h>

#include "controller/anomaly/grams.h"
#include "controller/anomaly/profiles.h"
#include "controller/anomaly/relations.h"
#include "controller/anomaly/sequence.h"
#include "controller/anomaly/spreads.h"

enum {
	NOVEL_KINDS,
	NOVEL_PAIRS,
	NOVEL_TRIPLES,
	NOVEL_COUNT,
	VIEW_COUNTS = NOVEL_COUNT,
	VIEW_AMOUNTS,
	VIEW_REPEATS,
	VIEW_RUNS,
	VIEW_RELATIONS,
	VIEW_COUNT
};

/* What one set of normal sessions has shown. */
struct part {
	uint32_t *kinds; /* sessions that had it, by kind */
	struct grams pairs, triples;
	struct profiles profiles;
};

/* Of a kind: how its counts differ from the nearest profile's in normal sessions. */
struct habit {
	uint32_t sessions; /* in which they do */
	double sum;        /* of the differences */
};

struct sequence_model {
	struct grams kinds; /* event -> kind + 1 */
	size_t kind_count;
	uint32_t *events; /* of all sessions kept, as kinds */
	size_t event_count, event_capacity;
	size_t *ends; /* of each session, in events */
	size_t session_count, session_capacity;
	uint64_t offered;
	unsigned thinned; /* every 2^thinned-th session is kept */
	bool fitted;
	struct part whole;
	struct relations relations;
	struct spreads kind_amounts, kind_runs, pair_amounts;
	float *weights; /* by kind */
	struct habit *habits;
	double rates[NOVEL_COUNT], limit;
	double usual_strange; /* how often a new kind occurs in a normal session that has one: mean of ln(1 + count) */
	/* Nats of normal sessions by models that had not seen them; session_count each. */
	double *usual[VIEW_COUNT]; /* ascending */
	double *totals;            /* by session */
	float *views;              /* [session][view] */
	/* scratch of one session */
	struct grams strangers;
	uint32_t *session, *sorted;
	uint64_t *pairs;
	struct amount *amounts, *differences;
};

struct measure {
	size_t novel[NOVEL_COUNT], length;
	double strange;          /* ln(1 + count) of the most frequent kind that is new; 0: there is none */
	double nats[VIEW_COUNT]; /* those of the views from VIEW_COUNTS on */
};

/* A session that was learnt, as kinds. */
struct learnt {
	const uint32_t *events;
	size_t count;
};
struct learnt sequence_learnt(const struct sequence_model *m, size_t index);

/* ---- sequence_part.c: what a session shows ---- */

/* Before the first event and behind the last one stands an edge: how a session begins and ends is part of its order. */
uint64_t sequence_pair(const uint32_t *events, size_t count, size_t i);
/* Fills m->amounts, returns how many. */
size_t sequence_amounts(struct sequence_model *m, const uint32_t *events, size_t count);
/* All sessions but those of one fold; SEQUENCE_FOLDS: all.  False: no memory. */
bool part_build(struct part *p, struct sequence_model *m, size_t without);
void part_done(struct part *p);
/* Novelty; the nats of the views from VIEW_COUNTS on are left alone. */
void part_measure(
    const struct part *p, struct sequence_model *m, const uint32_t *events, size_t count, struct measure *ret);
/* How far the session's counts lie from the nearest profile's; leaves the differences in m->differences. */
size_t part_differences(const struct part *p, struct sequence_model *m, const uint32_t *events, size_t count);
/* How often each kind comes in a row at most: fills m->amounts, ascending by kind, returns how many. */
size_t sequence_runs(struct sequence_model *m, const uint32_t *events, size_t count);
/* The surprise in m->differences by the habits as they stand. */
double sequence_differences_nats(const struct sequence_model *m, size_t count);
/* Amounts, runs, repeats and relations: one session more (by = 1), or one taken back (by = -1).  False: no memory. */
bool quantities_learn(struct sequence_model *m, struct learnt session, int by);
void quantities_measure(struct sequence_model *m, const uint32_t *events, size_t count, struct measure *ret);

/* ---- sequence_usual.c: what is usual ---- */

/* Fills weights, habits, rates, usual, totals and limit; whole is there.  False: no memory. */
bool usual_learn(struct sequence_model *m);
/* One view by itself, no more than unseen normal sessions bear out. */
double usual_view(const struct sequence_model *m, const struct measure *x, size_t view);
/* All views together. */
double usual_total(const struct sequence_model *m, const struct measure *x);
/* Where one normal session in SEQUENCE_ODDS would be, or as far out as these show (ascending). */
double usual_limit(const double *totals, size_t count);
/* The share of unseen normal sessions (ascending) that reach a value, one more counted among them. */
double usual_share(const double *values, size_t count, double value);
int usual_order(const void *a, const void *b);

/* 0.5 and above from the limit on. */
double sequence_score(double nats, double limit);
/* Fills m->session: kinds that were never learnt get numbers of their own behind the others, for this session.  False:
 * no memory. */
bool sequence_translate(struct sequence_model *m, const uint64_t *events, size_t count);
/* All views of a session that is to be judged; no more than SEQUENCE_EVENTS_MAX.  False: no memory. */
bool sequence_measure(struct sequence_model *m, const uint64_t *events, size_t count, struct measure *ret);

#endif
