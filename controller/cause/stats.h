/* controller/cause/stats.h: quantiles of small samples.  Pure. */
#ifndef KEDGE_CONTROLLER_CAUSE_STATS_H
#define KEDGE_CONTROLLER_CAUSE_STATS_H

#include <stddef.h>

/* Finite values first, in order; returns how many. */
size_t stats_sort(double *v, size_t count);
/* Of a sorted sample, linear between neighbours; NaN of none. */
double stats_quantile(const double *sorted, size_t count, double p);
double stats_spread(const double *sorted, size_t count); /* the interquartile range */
/* The mean of median, upper quartile and ninth decile: what rose, also if only sometimes.  And its mirror image. */
double stats_high(const double *sorted, size_t count);
double stats_low(const double *sorted, size_t count);
/* 1 + ln z from z = 1 on, else 0: how much a strength weighs. */
double stats_weight(double z);

#endif
