/* controller/anomaly/window.h: the newest values of a series in order of size, for its quantiles.  Bounded by its
 * capacity.  Pure, not thread-safe. */
#ifndef KEDGE_CONTROLLER_ANOMALY_WINDOW_H
#define KEDGE_CONTROLLER_ANOMALY_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

struct window {
	double *newest, *sorted; /* a ring, and the same in order */
	size_t capacity, count, at;
};

bool window_init(struct window *w, size_t capacity); /* false: no memory */
void window_done(struct window *w);
void window_add(struct window *w, double value); /* finite */
/* The share of values that lie at or beyond, on the far side of the middle; one more is counted among them. */
double window_share_beyond(const struct window *w, double value);
/* 0 <= q < 1; 0 when empty. */
double window_quantile(const struct window *w, double q);

#endif
