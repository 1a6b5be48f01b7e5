/* controller/anomaly/peaks.c: see peaks.h. */
#include "controller/anomaly/peaks.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

static const double prior_weight = 4;   /* the usual tail weighs as much as so many peaks */
static const double prior_spread = 0.8; /* mean ln(peak / lowest peak) of the usual tail */
static const double from_nothing = 9;   /* the first value above 0 where all were 0 */
static const double most = 40;

static bool is_current(const struct peaks *p, size_t i, uint64_t row, uint64_t apart)
{
	return p->current == i + 1 && row - p->at[i] <= apart;
}

/* Of all peaks but the one that goes on. */
static double surprise_of(const struct peaks *p, double value, uint64_t row, uint64_t apart, double least)
{
	double high = least, low = INFINITY, sum = 0;
	size_t count = 0;
	for (size_t i = 0; i < p->count; i++)
		if (!is_current(p, i, row, apart)) {
			high = fmax(high, p->values[i]);
			low = fmin(low, p->values[i]);
			count++;
		}
	if (count < PEAKS_LEAST || value < high)
		return PEAKS_NONE;
	if (high <= 0)
		return from_nothing;
	bool skipped = false;
	for (size_t i = 0; i < p->count; i++)
		if (!is_current(p, i, row, apart)) {
			if (!skipped && p->values[i] == low)
				skipped = true;
			else
				sum += low > 1e-12 * p->values[i] ? log(p->values[i] / low) : 3;
		}
	double index = ((double)(count - 1) + prior_weight) / (sum + prior_weight * prior_spread);
	return fmin(most, index * log(value / high));
}

static void keep(struct peaks *p, double value, uint64_t row, uint64_t apart)
{
	size_t at = 0;
	if (p->current && is_current(p, p->current - 1, row, apart)) {
		at = p->current - 1;
		if (value < p->values[at])
			return;
	} else if (p->count < PEAKS_KEPT) {
		at = p->count++;
	} else {
		for (size_t i = 1; i < p->count; i++)
			if (p->values[i] < p->values[at])
				at = i;
		if (value <= p->values[at])
			return;
	}
	p->values[at] = value;
	p->at[at] = row;
	p->current = (uint32_t)at + 1;
	p->lowest = p->values[0];
	for (size_t i = 1; i < p->count; i++)
		p->lowest = fmin(p->lowest, p->values[i]);
}

double peaks_add(struct peaks *p, double value, uint64_t row, uint64_t apart, double least)
{
	if (p->count == PEAKS_KEPT && value < p->lowest)
		return PEAKS_NONE; /* nearly always: neither surprising nor kept */
	double s = value > 0 ? surprise_of(p, value, row, apart, least) : PEAKS_NONE;
	keep(p, value, row, apart);
	return s;
}
