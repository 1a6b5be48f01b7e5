/* controller/anomaly/window.c: see window.h. */
#include "controller/anomaly/window.h"

#include <stdlib.h>
#include <string.h>

bool window_init(struct window *w, size_t capacity)
{
	*w = (struct window){.newest = calloc(capacity, sizeof(double)),
	    .sorted = calloc(capacity, sizeof(double)),
	    .capacity = capacity};
	return w->newest && w->sorted;
}

void window_done(struct window *w)
{
	free(w->newest);
	free(w->sorted);
	*w = (struct window){0};
}

/* The first place whose value is not below. */
static size_t place_of(const struct window *w, double value)
{
	size_t low = 0, high = w->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (w->sorted[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void window_add(struct window *w, double value)
{
	if (w->count == w->capacity) {
		size_t gone = place_of(w, w->newest[w->at]);
		memmove(w->sorted + gone, w->sorted + gone + 1, (w->count - gone - 1) * sizeof *w->sorted);
		w->count--;
	}
	size_t place = place_of(w, value);
	memmove(w->sorted + place + 1, w->sorted + place, (w->count - place) * sizeof *w->sorted);
	w->sorted[place] = value;
	w->count++;
	w->newest[w->at] = value;
	w->at = (w->at + 1) % w->capacity;
}

double window_quantile(const struct window *w, double q)
{
	return w->count ? w->sorted[(size_t)(q * (double)w->count)] : 0;
}

double window_share_beyond(const struct window *w, double value)
{
	size_t below = place_of(w, value), above = w->count - below;
	return ((double)(value > window_quantile(w, 0.5) ? above : below) + 1) / ((double)w->count + 1);
}
