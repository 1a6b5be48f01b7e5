/* controller/anomaly/trend.c: see trend.h.  Within, time is in hours before the newest sample (so at most 0) and values
 * are turned so that the limit lies above. */
#include "controller/anomaly/trend.h"

#include <math.h>
#include <stdlib.h>

static const double one_sided = 1.645;    /* of a normal distribution: 5 % on either side */
static const double reset_share = 0.3;    /* of the range of values: a drop that large … */
static const double reset_steps = 8;      /* … and so many usual steps large is a reset */
static const double overdue_share = 0.25; /* of a tooth: so far above the highest tooth the reset did not come */
static const double walks = 0.6;          /* residuals that hang together more than this wander */
static const double noise_peaks = 3; /* so many standard deviations above its line a value reaches the limit early */
static const double kink = 1.3;      /* slopes differ whose difference is so many times their errors */
static const double hour_ms = 3600.0 * 1000;
static const double most_hours = 24.0 * 365 * 50; /* what is further away is never */

struct point {
	double t, v;
};
struct fit {
	double slope, slope_error; /* error: one-sided 5 % */
	double noise;              /* standard deviation around the line, by the median */
	double level;              /* of the line at the newest point */
	double wander;             /* where residuals wander like a random walk: per square root of an hour; else 0 */
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/* Reorders v. */
static double quantile(double *v, size_t count, double q)
{
	qsort(v, count, sizeof *v, by_size);
	return v[(size_t)(q * (double)(count - 1) + 0.5)];
}

/* ---- one line ---- */

static double slope_of(const struct point *p, size_t count)
{
	static _Thread_local double slopes[TREND_POINTS_MAX * (TREND_POINTS_MAX - 1) / 2];
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			if (p[j].t > p[i].t)
				slopes[n++] = (p[j].v - p[i].v) / (p[j].t - p[i].t);
	return n ? quantile(slopes, n, 0.5) : 0;
}

/* How many of count residuals are worth as many independent ones. */
static double independent(const double *r, size_t count, double *ret_rho)
{
	double both = 0, squares = 0;
	for (size_t i = 0; i < count; i++) {
		squares += r[i] * r[i];
		if (i)
			both += r[i] * r[i - 1];
	}
	double rho = squares > 0 ? both / squares : 0;
	/* The estimate is too low by about (1 + 3 rho) / n where samples are few. */
	rho = fmin(0.97, fmax(0, rho + (1 + 3 * rho) / (double)count));
	*ret_rho = rho;
	return fmax(3, (double)count * (1 - rho) / (1 + rho));
}

/* 5 % of Student's distribution, by Cornish and Fisher's expansion of the normal one. */
static double student(double freedom)
{
	double z = one_sided, z2 = z * z;
	return z * (1 + (z2 + 1) / (4 * freedom) + (5 * z2 * z2 + 16 * z2 + 3) / (96 * freedom * freedom));
}

static struct fit fit_line(const struct point *p, size_t count)
{
	double r[TREND_POINTS_MAX], sorted[TREND_POINTS_MAX], mean = 0, spread = 0;
	struct fit f = {.slope = slope_of(p, count)};
	for (size_t i = 0; i < count; i++) {
		sorted[i] = p[i].v - f.slope * p[i].t;
		mean += p[i].t / (double)count;
	}
	f.level = quantile(sorted, count, 0.5);
	for (size_t i = 0; i < count; i++) {
		r[i] = p[i].v - f.level - f.slope * p[i].t;
		sorted[i] = fabs(r[i]);
		spread += (p[i].t - mean) * (p[i].t - mean);
	}
	f.noise = 1.4826 * quantile(sorted, count, 0.5);
	double square = 0, steps = 0, rho;
	for (size_t i = 0; i < count; i++) {
		square += r[i] * r[i] / ((double)count - 2);
		if (i)
			steps += (r[i] - r[i - 1]) * (r[i] - r[i - 1]);
	}
	double n = independent(r, count, &rho), sigma = fmax(f.noise, fmin(sqrt(square), 3 * f.noise));
	if (spread > 0)
		f.slope_error = student(n - 2) * sigma / sqrt(spread * n / (double)count);
	if (rho > walks && p[count - 1].t > p[0].t)
		f.wander = (rho - walks) / (1 - walks) * sqrt(steps / (p[count - 1].t - p[0].t));
	return f;
}

/* The newest half and its half, where they clearly run at another slope than what was before. */
static struct fit fit_newest(const struct point *p, size_t count)
{
	struct fit f = fit_line(p, count);
	for (size_t n = count / 2; n >= TREND_LEAST; n /= 2) {
		if (count - n < TREND_LEAST)
			continue;
		struct fit g = fit_line(p + count - n, n), before = fit_line(p, count - n);
		if (fabs(g.slope - before.slope) > kink * hypot(g.slope_error, before.slope_error))
			f = g;
	}
	return f;
}

/* ---- resets ---- */

struct teeth {
	size_t resets, begin; /* begin: the first point behind the last reset */
	struct point tops[TREND_TEETH_MAX];
	size_t top_count;
	double height; /* median of the drops */
};

static struct teeth find_teeth(const struct point *p, size_t count)
{
	double values[TREND_POINTS_MAX], steps[TREND_POINTS_MAX], drops[TREND_TEETH_MAX];
	struct teeth t = {0};
	for (size_t i = 0; i < count; i++) {
		values[i] = p[i].v;
		steps[i] = i ? p[i].v - p[i - 1].v : 0;
	}
	double usual = quantile(steps + 1, count - 1, 0.5); /* of a line that rises, its slope */
	for (size_t i = 1; i < count; i++)
		steps[i] = fabs(steps[i] - usual);
	double range = quantile(values, count, 0.97) - quantile(values, count, 0.03);
	double least = fmax(reset_share * range, reset_steps * quantile(steps + 1, count - 1, 0.5));
	for (size_t i = 1; i < count; i++) {
		double drop = p[i - 1].v - p[i].v;
		if (drop <= 0 || drop < least)
			continue;
		/* A single point that stands out is no top: what follows must stay down. */
		if (i >= 2 && p[i - 1].v - p[i - 2].v > least)
			continue;
		t.resets++;
		t.begin = i;
		if (t.top_count < TREND_TEETH_MAX) {
			drops[t.top_count] = drop;
			t.tops[t.top_count++] = p[i - 1];
		}
	}
	if (t.top_count)
		t.height = quantile(drops, t.top_count, 0.5);
	return t;
}

/* ---- the whole ---- */

static uint64_t at(uint64_t newest_ms, double hours)
{
	return hours >= 0 && hours < most_hours ? newest_ms + (uint64_t)(hours * hour_ms) : TREND_NEVER;
}

/* Hours until slope * h + wander * sqrt(h) makes up for room. */
static double passage(double room, double slope, double wander)
{
	double root = (sqrt(wander * wander + 4 * slope * room) - wander) / (2 * slope);
	return root * root;
}

/* room: from the line's newest value to the limit.  period: hours from tooth to tooth, or 0. */
static void project(struct trend *ret, const struct fit *f, double room, double period, uint64_t newest_ms)
{
	ret->per_hour = f->slope;
	ret->state = TREND_STEADY;
	double slowest = f->slope - f->slope_error, fastest = f->slope + f->slope_error;
	if (f->slope <= 0 || slowest <= 0)
		return; /* not even the direction is sure */
	double peaks = noise_peaks * f->noise;
	ret->likely_ms = at(newest_ms, fmax(0, room - peaks / 2) / f->slope + period / 2);
	if (ret->likely_ms == TREND_NEVER)
		return;
	/* Rounded, the ends of an interval without width may lie on the wrong sides of its middle. */
	uint64_t near_ms = at(newest_ms, passage(fmax(0, room - peaks), fastest, one_sided * f->wander));
	ret->near_ms = near_ms < ret->likely_ms ? near_ms : ret->likely_ms;
	uint64_t far_ms = at(newest_ms, passage(room + f->noise, slowest, -one_sided * f->wander) + period);
	ret->far_ms = far_ms > ret->likely_ms ? far_ms : ret->likely_ms;
	ret->state = TREND_TOWARDS;
}

/* At most TREND_POINTS_MAX points, each the median of a run of samples, turned so that the limit lies above. */
static size_t condense(const struct trend_sample *s, size_t count, double sign, struct point *ret, uint64_t *ret_newest)
{
	uint64_t newest = 0, last = 0;
	size_t usable = 0;
	for (size_t i = 0; i < count; i++)
		if (isfinite(s[i].value) && s[i].at_ms > last) {
			last = newest = s[i].at_ms;
			usable++;
		}
	size_t run = (usable + TREND_POINTS_MAX - 1) / TREND_POINTS_MAX, n = 0, in_run = 0;
	double values[TREND_RUN_MAX], time = 0;
	size_t left = usable;
	last = 0;
	for (size_t i = 0; i < count && n < TREND_POINTS_MAX; i++) {
		if (!isfinite(s[i].value) || s[i].at_ms <= last)
			continue;
		last = s[i].at_ms;
		left--;
		time += -(double)(newest - last) / hour_ms;
		if (in_run < TREND_RUN_MAX)
			values[in_run] = sign * s[i].value;
		in_run++;
		if (in_run < run && left)
			continue;
		size_t kept = in_run < TREND_RUN_MAX ? in_run : TREND_RUN_MAX;
		ret[n++] = (struct point){time / (double)in_run, quantile(values, kept, 0.5)};
		time = 0;
		in_run = 0;
	}
	*ret_newest = newest;
	return n;
}

static double newest_value(const struct trend_sample *s, size_t count)
{
	while (count && !isfinite(s[count - 1].value))
		count--;
	return count ? s[count - 1].value : NAN;
}

/* Repeated resets: until the next one is overdue, it is the tops that must get to the limit.  False: it is overdue. */
static bool goes_by_teeth(struct trend *ret, const struct teeth *t, double newest, double limit, uint64_t newest_ms)
{
	double highest = t->tops[0].v,
	       period = (t->tops[t->top_count - 1].t - t->tops[0].t) / (double)(t->top_count - 1);
	for (size_t i = 1; i < t->top_count; i++)
		highest = fmax(highest, t->tops[i].v);
	struct fit f = {.level = highest};
	if (t->top_count >= TREND_TEETH_LEAST)
		f = fit_line(t->tops, t->top_count);
	if (newest > fmax(highest, f.level + f.noise) + overdue_share * t->height)
		return false;
	if (t->top_count >= TREND_TEETH_LEAST)
		project(ret, &f, limit - f.level, period, newest_ms);
	else
		ret->state = TREND_STEADY;
	return true;
}

struct trend trend_of(const struct trend_sample *samples, size_t count, double limit, bool rising)
{
	struct point p[TREND_POINTS_MAX];
	struct trend ret = {.near_ms = TREND_NEVER, .likely_ms = TREND_NEVER, .far_ms = TREND_NEVER};
	double newest = newest_value(samples, count);
	if (!isfinite(newest) || !isfinite(limit))
		return ret;
	if (count > TREND_SAMPLES_MAX) {
		samples += count - TREND_SAMPLES_MAX;
		count = TREND_SAMPLES_MAX;
	}
	double sign = rising ? 1 : -1, room = sign * (limit - newest);
	if (room <= 0) {
		ret.state = TREND_REACHED;
		return ret;
	}
	uint64_t newest_ms;
	size_t n = condense(samples, count, sign, p, &newest_ms);
	if (n < TREND_LEAST)
		return ret;
	struct teeth teeth = find_teeth(p, n);
	ret.resets = teeth.resets;
	if (teeth.top_count >= 2 && goes_by_teeth(&ret, &teeth, sign * newest, sign * limit, newest_ms))
		return ret;
	if (n - teeth.begin < TREND_LEAST)
		return ret;
	struct fit f = fit_newest(p + teeth.begin, n - teeth.begin);
	project(&ret, &f, fmax(0, (room + sign * limit - f.level) / 2), 0, newest_ms);
	return ret;
}

bool trend_alarms(const struct trend *t, uint64_t now_ms, uint64_t horizon_ms)
{
	if (t->state == TREND_REACHED)
		return true;
	return t->state == TREND_TOWARDS && t->near_ms != TREND_NEVER &&
	       (t->near_ms <= now_ms || t->near_ms - now_ms <= horizon_ms);
}
