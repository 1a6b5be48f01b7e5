/* controller/knowledge/similar.h: which past incident was like this one.
 *
 * An incident is a bag of events with counts (kinds of log lines, anomalies, failed probes), and where their order is
 * known also of pairs that follow each other.  How far two are apart is a mean of four measures that err differently:
 * cosine and overlap of damped counts as they are, and cosine and difference with events weighed by how much they told
 * about the causes of the other incidents (mutual information).  An incident's own cause has no part in that when it is
 * the one that is asked about.  Pure; one object belongs to one thread. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_SIMILAR_H
#define KEDGE_CONTROLLER_KNOWLEDGE_SIMILAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/knowledge/limits.h"
#include "shared/base/err.h"

struct similar;
struct similar_hit {
	uint32_t row;
	double distance;
};

ERR_CHECK enum err_code similar_new(struct similar **ret, struct err *reterr);
void similar_free(struct similar *s); /* NULL is a no-op */

/* A new row; the calls below are about it until the next one.  cause NULL: not known.  `past`: it may be found (else it
 * only asks).  Rows of one incident never find one another: those of one group, or where that is NULL those whose ids
 * are equal up to their last '/'. */
ERR_CHECK enum err_code similar_row(struct similar *s, const char *id, const char *group, const char *cause, bool past,
    uint32_t *ret_row, struct err *reterr);
/* An event of the newest row; counts of the same event add up.  A count of 0 or less is nothing. */
ERR_CHECK enum err_code similar_event(struct similar *s, const char *event, double count, struct err *reterr);
/* No more rows come. */
ERR_CHECK enum err_code similar_ready(struct similar *s, struct err *reterr);

size_t similar_count(const struct similar *s);
const char *similar_id(const struct similar *s, uint32_t row);
const char *similar_cause(const struct similar *s, uint32_t row); /* NULL: not known */
/* The nearest past rows, nearest first, at most max (<= SIMILAR_RANK_MAX).  *ret_confidence: how surely the first one's
 * cause is this one's. */
ERR_CHECK enum err_code similar_find(struct similar *s, uint32_t row, struct similar_hit *ret, size_t max,
    size_t *ret_count, double *ret_confidence, struct err *reterr);

#endif
