/* controller/anomaly/sequence.h: is a session of events like the normal ones?
 *
 * Learns from normal sessions alone.  A session is judged by kinds of events never seen, pairs and triples of
 * successive events never seen, how far its counts of events lie from those of the nearest normal session, how far the
 * count of any one kind, pair or run lies from that of other sessions, and by relations between two kinds that it
 * breaks (always before, always after, as many).  What is usual for each of these is measured on normal sessions by
 * models that had not seen them (cross-validation), so that there is no threshold to set: the score is 0.5 where about
 * one normal session in SEQUENCE_ODDS would be.
 *
 * Pure.  One model belongs to one thread.  Memory is bounded by limits.h whatever is learnt.  An event is any 64-bit
 * number; equal numbers are equal kinds (sequence_event() makes one of a word). */
#ifndef KEDGE_CONTROLLER_ANOMALY_SEQUENCE_H
#define KEDGE_CONTROLLER_ANOMALY_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

#include "controller/anomaly/limits.h"
#include "shared/base/err.h"

struct sequence_model;

uint64_t sequence_event(const void *word, size_t size);

/* ERR_NOMEM. */
ERR_CHECK enum err_code sequence_model_new(struct sequence_model **ret, struct err *reterr);
void sequence_model_free(struct sequence_model *m); /* NULL is a no-op */

/* One normal session; an empty one counts.  ERR_STATE after sequence_model_fit(), ERR_NOMEM. */
ERR_CHECK enum err_code sequence_model_learn(
    struct sequence_model *m, const uint64_t *events, size_t count, struct err *reterr);
/* Once, when all were learnt.  ERR_STATE: no session was; ERR_NOMEM. */
ERR_CHECK enum err_code sequence_model_fit(struct sequence_model *m, struct err *reterr);
/* How strange a session is, in nats.  ERR_STATE before the fit; ERR_NOMEM. */
ERR_CHECK enum err_code sequence_model_measure(
    struct sequence_model *m, const uint64_t *events, size_t count, double *ret_nats, struct err *reterr);
/* 0 (as normal ones are) .. 1; an anomaly from 0.5 on. */
double sequence_model_score(const struct sequence_model *m, double nats);

/* Many sessions at once tell more than one; ends: of each session, in events.  What hardly any normal session has and
 * many of these do marks those that have it, and each way of looking weighs as it sets these apart from the learnt
 * ones. Where strange ones are more frequent than normal sessions explain, the limit goes where the excess is told best
 * (the highest F1 that the two distributions let expect).  Without an excess, and with fewer than SEQUENCE_BATCH_LEAST
 * sessions, each is judged as alone.  The model stays as it was.  *ret_scores as of sequence_model_score().  ERR_STATE
 * before the fit; ERR_NOMEM. */
ERR_CHECK enum err_code sequence_model_judge(struct sequence_model *m, const uint64_t *events, const size_t *ends,
    size_t count, double *ret_scores, struct err *reterr);

#endif
