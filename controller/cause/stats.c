/* controller/cause/stats.c: quantiles of small samples. */
#include "controller/cause/stats.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

size_t stats_sort(double *v, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		if (isfinite(v[i]))
			v[n++] = v[i];
	qsort(v, n, sizeof *v, by_value);
	return n;
}

double stats_quantile(const double *sorted, size_t count, double p)
{
	if (count == 0)
		return NAN;
	double at = p * (double)(count - 1);
	size_t i = (size_t)at;
	if (i + 1 >= count)
		return sorted[count - 1];
	double part = at - (double)i;
	return sorted[i] * (1 - part) + sorted[i + 1] * part; /* not by the difference, which may overflow */
}

double stats_spread(const double *sorted, size_t count)
{
	return stats_quantile(sorted, count, 0.75) - stats_quantile(sorted, count, 0.25);
}

double stats_high(const double *sorted, size_t count)
{
	return stats_quantile(sorted, count, 0.5) / 3 + stats_quantile(sorted, count, 0.75) / 3 +
	       stats_quantile(sorted, count, 0.9) / 3;
}

double stats_low(const double *sorted, size_t count)
{
	return stats_quantile(sorted, count, 0.5) / 3 + stats_quantile(sorted, count, 0.25) / 3 +
	       stats_quantile(sorted, count, 0.1) / 3;
}

double stats_weight(double z)
{
	return z >= 1 ? 1 + log(z) : 0;
}
