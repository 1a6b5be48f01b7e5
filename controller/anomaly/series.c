/* controller/anomaly/series.c: see series.h. */
#include "controller/anomaly/series.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/peaks.h"
#include "controller/anomaly/season.h"
#include "controller/anomaly/window.h"

static const double alarm_nats = 1.6;      /* of all views together */
static const double tail_nats = 4;         /* of the plain rarity of a value that are nothing special */
static const double nearly = 0.75;         /* of a step: steps that large count as its likes */
static const double step_weight = 0.7;     /* of the rarity of a step, against that of a value */
static const double apart_share = 0.003;   /* of the rows so far: peaks closer than that are one */
static const double silence_share = 0.075; /* of the rows so far: after an alarm … */
static const double silence_least = 0.02;  /* … of which none is told again in this part */
static const double greater = 2;           /* … and in the rest only what is so much greater */
static const double granted = 0.05;        /* of the spread of values: no deviation that small surprises */
static const double news_nats = 9;         /* of the first change of a constant */
static const double largest_value = 1e150; /* squares and sums stay finite */

enum view { VIEW_LEVEL, VIEW_CONTRAST, VIEW_UNREST, VIEW_SEASON, VIEW_COUNT };
enum { UP, DOWN, DIRECTIONS };

/* Running sums, so that the mean of any window costs two look-ups. */
struct sums {
	double value, unrest, season; /* of all rows in the buffer up to here */
};

struct series {
	uint64_t rows;
	bool varies;             /* not every value was the same */
	double spread;           /* of the values in the window */
	double previous, unrest; /* value before; sum of |differences| of all rows */
	uint64_t season_since;   /* row of the first forecast; UINT64_MAX: there was none */
	struct sums sums[2 * SERIES_BUFFER + 1];
	size_t filled;               /* rows in the buffer: sums[filled] is the newest */
	struct window window, steps; /* values; how far they lie from the mean of the rows just before */
	struct season *season;
	struct peaks peaks[VIEW_COUNT][SERIES_SCALES][DIRECTIONS];
	uint64_t alarm_row; /* UINT64_MAX: there was none */
	double alarm;       /* its surprise */
};

enum err_code series_new(struct series **ret, struct err *reterr)
{
	struct series *s = calloc(1, sizeof *s);
	if (s) {
		s->season = season_new();
		s->alarm_row = s->season_since = UINT64_MAX;
	}
	if (!s || !s->season || !window_init(&s->window, SERIES_WINDOW) || !window_init(&s->steps, SERIES_WINDOW)) {
		series_free(s);
		return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	*ret = s;
	return ERR_OK;
}

void series_free(struct series *s)
{
	if (!s)
		return;
	window_done(&s->window);
	window_done(&s->steps);
	season_free(s->season);
	free(s);
}

/* ---- sums ---- */

static void sums_add(struct series *s, double value, double unrest, double season)
{
	if (s->filled == 2 * SERIES_BUFFER) {
		/* The older half goes; starting from 0 again keeps rounding errors from piling up. */
		struct sums base = s->sums[SERIES_BUFFER];
		for (size_t i = 0; i <= SERIES_BUFFER; i++) {
			const struct sums *from = &s->sums[SERIES_BUFFER + i];
			s->sums[i] = (struct sums){
			    from->value - base.value, from->unrest - base.unrest, from->season - base.season};
		}
		s->filled = SERIES_BUFFER;
	}
	struct sums last = s->sums[s->filled];
	s->sums[++s->filled] = (struct sums){last.value + value, last.unrest + unrest, last.season + season};
}

/* The mean over `width` rows that end `back` rows ago. */
static struct sums mean(const struct series *s, size_t width, size_t back)
{
	const struct sums *to = &s->sums[s->filled - back], *from = to - width;
	double n = (double)width;
	return (struct sums){
	    (to->value - from->value) / n, (to->unrest - from->unrest) / n, (to->season - from->season) / n};
}

/* ---- views ---- */

static void look(struct series *s, double *surprise, enum view v, size_t scale, int direction, double value)
{
	uint64_t apart = (uint64_t)(apart_share * (double)s->rows), least = 2ull << scale;
	double x = peaks_add(&s->peaks[v][scale][direction], value, s->rows, apart > least ? apart : least,
	    v == VIEW_UNREST ? 0 : granted * s->spread);
	surprise[v] = fmax(surprise[v], x);
}

static void look_both(struct series *s, double *surprise, enum view v, size_t scale, double value)
{
	look(s, surprise, v, scale, UP, value);
	look(s, surprise, v, scale, DOWN, -value);
}

static void look_at_unrest(struct series *s, double *surprise, size_t scale, double unrest)
{
	double usual = s->unrest / (double)(s->rows + 1);
	if (scale >= SERIES_UNREST_UP)
		look(s, surprise, VIEW_UNREST, scale, UP, unrest);
	if (scale >= SERIES_UNREST_DOWN && usual > 0)
		look(s, surprise, VIEW_UNREST, scale, DOWN, -log(unrest / usual + 1e-3));
}

static void look_at_scale(struct series *s, double *surprise, size_t scale, double median)
{
	size_t width = (size_t)1 << scale;
	struct sums now = mean(s, width, 0);
	look_both(s, surprise, VIEW_LEVEL, scale, now.value - median);
	look_both(s, surprise, VIEW_CONTRAST, scale, now.value - mean(s, 4 * width, width).value);
	look_at_unrest(s, surprise, scale, now.unrest);
	if (s->season_since != UINT64_MAX && s->rows - s->season_since >= SERIES_WARM_WIDTHS * width)
		look_both(s, surprise, VIEW_SEASON, scale, now.season);
}

/* How rare a value is among all of the window: a power law through two quantiles of one side, told by how far they lie
 * from the median.  Unlike peaks it does not forget that a series has been this high before, so it counts only beyond
 * what is rare anyway. */
static double tail_surprise(double distance, double tenth, double thirty_third)
{
	if (tenth <= 0 || thirty_third <= tenth || distance <= thirty_third)
		return 0;
	double index = fmin(20, log(0.1 / 0.03) / log(thirty_third / tenth));
	return fmax(0, index * log(distance / thirty_third) - log(0.03) - tail_nats);
}

static double rarity(const struct window *w, double value)
{
	double median = window_quantile(w, 0.5);
	if (w->count < SERIES_TAIL_LEAST)
		return 0;
	return value > median
		   ? tail_surprise(value - median, window_quantile(w, 0.9) - median, window_quantile(w, 0.97) - median)
		   : tail_surprise(median - value, median - window_quantile(w, 0.1), median - window_quantile(w, 0.03));
}

/* The same of the step from the rows just before, where edges that come back every day make the tail: no rarer than
 * steps nearly as large have been. */
static double step_rarity(const struct window *w, double step)
{
	double nats = rarity(w, step), median = window_quantile(w, 0.5);
	if (nats <= 0)
		return 0;
	double seen = -log(window_share_beyond(w, median + nearly * (step - median))) - tail_nats;
	return step_weight * fmax(0, fmin(nats, seen));
}

/* The rarer of the value and its step; keeps both. */
static double rare(struct series *s, double value)
{
	double nats = rarity(&s->window, value);
	window_add(&s->window, value);
	if (s->rows <= SERIES_STEP_ROWS)
		return nats;
	double step = value - mean(s, SERIES_STEP_ROWS, 1).value;
	nats = fmax(nats, step_rarity(&s->steps, step));
	window_add(&s->steps, step);
	return nats;
}

/* ---- alarms ---- */

static bool stays_silent(const struct series *s, double surprise)
{
	if (s->alarm_row == UINT64_MAX)
		return false;
	double since = (double)(s->rows - s->alarm_row), known = (double)s->rows;
	return since < silence_least * known || (since < silence_share * known && surprise < greater * s->alarm);
}

static double score_of(struct series *s, double surprise)
{
	double score = surprise / (surprise + alarm_nats);
	if (score < 0.5)
		return score;
	if (stays_silent(s, surprise))
		return 0.499;
	s->alarm_row = s->rows;
	s->alarm = surprise;
	return score;
}

double series_add(struct series *s, int64_t time_s, double value)
{
	if (!isfinite(value) || fabs(value) > largest_value)
		return 0;
	double surprise[VIEW_COUNT] = {0}, expected, sum = 0;
	double median = s->rows ? window_quantile(&s->window, 0.5) : value;
	s->spread = window_quantile(&s->window, 0.97) - window_quantile(&s->window, 0.03);
	double unrest = s->rows ? fabs(value - s->previous) : 0;
	bool seasonal = time_s != SERIES_NO_TIME && season_add(s->season, time_s, value, median, &expected);
	if (seasonal && s->season_since == UINT64_MAX)
		s->season_since = s->rows;
	s->unrest += unrest;
	s->previous = value;
	sums_add(s, value, unrest, seasonal ? value - expected : 0);
	for (size_t scale = 0; scale < SERIES_SCALES && s->rows + 1 >= (uint64_t)SERIES_WARM_WIDTHS << scale; scale++)
		look_at_scale(s, surprise, scale, median);
	for (size_t v = 0; v < VIEW_COUNT; v++)
		sum += surprise[v];
	sum += rare(s, value);
	if (!s->varies && s->rows && value != median) {
		s->varies = true;
		if (s->rows >= SERIES_CONSTANT)
			sum += news_nats;
	}
	double score = s->rows < SERIES_SILENT_ROWS ? 0 : score_of(s, sum);
	s->rows++;
	return score;
}
