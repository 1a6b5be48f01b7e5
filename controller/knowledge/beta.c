/* controller/knowledge/beta.c: quantiles of Beta(1 + worked, 1 + failed).
 *
 * The regularised incomplete beta function by Lentz's evaluation of its continued fraction (Abramowitz and Stegun
 * 26.5.8), its inverse by halving. */
#include "controller/knowledge/beta.h"

#include <math.h>

enum { FRACTION_STEPS = 300, HALVINGS = 60 };
static const double tiny = 1e-300, close_enough = 1e-13;

static double away_from_zero(double v)
{
	return fabs(v) < tiny ? tiny : v;
}

static double fraction(double a, double b, double x)
{
	double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), h = d;
	for (int m = 1; m <= FRACTION_STEPS; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		d = 1 / away_from_zero(1 + even * d);
		c = away_from_zero(1 + even / c);
		h *= d * c;
		d = 1 / away_from_zero(1 + odd * d);
		c = away_from_zero(1 + odd / c);
		h *= d * c;
		if (fabs(d * c - 1) < close_enough)
			break;
	}
	return h;
}

static double below(double a, double b, double x)
{
	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	return x < (a + 1) / (a + b + 2) ? front * fraction(a, b, x) / a : 1 - front * fraction(b, a, 1 - x) / b;
}

static double quantile(double a, double b, double p)
{
	double low = 0, high = 1;
	for (int i = 0; i < HALVINGS; i++) {
		double middle = (low + high) / 2;
		if (below(a, b, middle) < p)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

struct success_rate success_rate_of(uint64_t worked, uint64_t failed)
{
	double a = 1 + (double)worked, b = 1 + (double)failed;
	return (struct success_rate){.mean = a / (a + b), .low = quantile(a, b, 0.05), .high = quantile(a, b, 0.95)};
}
