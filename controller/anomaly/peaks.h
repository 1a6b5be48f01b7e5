/* controller/anomaly/peaks.h: how surprising is a value among the largest of its own past?
 *
 * Keeps the highest peaks of one quantity.  Values near each other in time are one peak: what is high stays high for a
 * while, and counts once.  A power law through the peaks (Hill's estimator, drawn towards a usual tail while there are
 * few) tells how many as high as this one were to be expected so far; the surprise is -ln of that number.  So it bears
 * no unit, needs no threshold, and rises more slowly where a series is given to extremes.  Pure, not thread-safe. */
#ifndef KEDGE_CONTROLLER_ANOMALY_PEAKS_H
#define KEDGE_CONTROLLER_ANOMALY_PEAKS_H

#include <stdint.h>

#include "controller/anomaly/limits.h"

struct peaks {
	double values[PEAKS_KEPT];
	uint64_t at[PEAKS_KEPT];
	double lowest; /* of the values, once there are PEAKS_KEPT */
	uint32_t count;
	uint32_t current; /* index + 1 of the newest peak; 0: there is none */
};

/* The surprise of value at row `row` in nats, PEAKS_NONE when it is nothing special; then keeps it.  apart: rows that
 * lie between two peaks.  Only what is above 0 can surprise. */
double peaks_add(struct peaks *p, double value, uint64_t row, uint64_t apart, double least);

#endif
