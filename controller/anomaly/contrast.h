/* controller/anomaly/contrast.h: what sets one set of sessions apart from another.
 *
 * Each session is a row of surprises in nats.  The share of rows of its kind that belong to the second set is fitted as
 * a logistic curve of a sum of curves, one a column, none of which ever falls: more surprise never speaks for the first
 * set.  Where the second set is a mixture of the first with something else, the sum orders rows by how likely they are
 * of the something else.  A row is judged by a curve that was fitted without it (folds).
 *
 * Pure, not thread-safe; memory is bounded by CONTRAST_ROWS. */
#ifndef KEDGE_CONTROLLER_ANOMALY_CONTRAST_H
#define KEDGE_CONTROLLER_ANOMALY_CONTRAST_H

#include <stdbool.h>
#include <stddef.h>

#include "controller/anomaly/limits.h"

struct contrast;

/* slopes: what each of the columns is worth a nat as long as nothing is known; copied.  NULL: no memory. */
struct contrast *contrast_new(const double *slopes, size_t columns);
void contrast_free(struct contrast *c); /* NULL is a no-op */
/* first and second: rows of `columns` numbers from 0 on, borrowed for the call.  Of each set no more than CONTRAST_ROWS
 * are looked at, evenly spread.  False: no memory. */
bool contrast_fit(struct contrast *c, const float *first, size_t first_count, const float *second, size_t second_count);
/* The log-odds of the row with this index in its own set, by the curve that had not seen it. */
double contrast_odds(const struct contrast *c, const float *row, size_t index);

#endif
