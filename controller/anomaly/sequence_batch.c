/* controller/anomaly/sequence_batch.c: see sequence.h; many sessions at once.
 *
 * What occurs in hardly any normal session and in many of the batch marks those of it: the lift of a feature is how
 * many times as often it is there as normal sessions explain, and a session's is the highest of its features'. Features
 * that normal sessions have more often say nothing, however much more frequent they are now: work drifts.
 *
 * What a nat of a view or of a lift is worth differs from system to system, and the batch shows it: what the learnt
 * sessions reach as often as those of the batch is worth nothing (contrast.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/contrast.h"
#include "controller/anomaly/sequence_internal.h"

enum { COLUMN_TOTAL = VIEW_COUNT, COLUMN_LIFT, COLUMNS }; /* of a row, behind its views */

static const double sure_tail = 0.1;      /* a batch is compared with the strangest tenth of normal sessions */
static const double most_anomalies = 0.3; /* of all sessions in nature, however many a batch has been given */
static const double nearly = 0.005;       /* limits whose worth differs by no more are as good as each other */
static const double close_by = 0.5;       /* odds that differ by no more may lie on either side of a limit by chance */
static const double valley = 0.2;         /* of F1, that a limit gains where none lies so close */
static const double crowd = 0.05;         /* of what is strange: so many in one place are what others are parted from */
static const double least_normal = 0.02;  /* of any batch */
static const double rare_share = 0.005;   /* of normal sessions that may have a feature that marks a strange one */
static const double slopes[] = {[COLUMN_TOTAL] = 0.5, [COLUMN_LIFT] = 0.5}; /* until the sessions tell better */
/* A session that was learnt is measured without itself: what is the same differs by so much. */
static const double same_odds = 0.1;
static const double low_odds = 1.5; /* standard deviations: a count may be that much too high by chance … */
static const double high_odds = 2;  /* … or too low */
enum { FEATURES_MAX = 5 * SEQUENCE_EVENTS_MAX + 2 };
enum { OF_EDGE = 1, OF_PAIR, OF_AMOUNT, OF_RUN, OF_ABSENCE };

struct batch {
	struct sequence_model *m;
	const uint64_t *events;
	const size_t *ends;
	size_t count;
	uint32_t *always; /* ascending: kinds that all but a few normal sessions have */
	size_t always_count;
	struct grams features; /* how many normal sessions << 32 | how many of the batch have it */
	uint64_t *found;       /* features of one session, each once, ascending */
	uint64_t *kinds;       /* scratch: what its events are */
	float *rows, *learnt;  /* of each session of the batch, and of each that was learnt: what contrast.h compares */
	double *nats;          /* of each session of the batch */
	double *usual, *batch; /* ascending: of the normal sessions, of the batch */
	double *worth;         /* scratch: of the limit just below each session of the batch, these ascending */
	double ratio;          /* normal sessions of the batch for each that was learnt */
};

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static uint64_t feature(uint64_t a, uint64_t b, uint64_t of)
{
	return gram_mix(gram_mix(a, b), of);
}

/* The features of m->session: its pairs, its kinds, that a kind occurs 2, 4, 8, … times or in a row, and that one does
 * not which nearly always does.  raw: the events that it was made of, by which kinds never learnt are known; NULL:
 * there are none. */
static size_t features_of(struct batch *b, const uint64_t *raw, size_t count)
{
	const struct sequence_model *m = b->m;
	uint64_t *f = b->found, *k = b->kinds, before = UINT32_MAX;
	size_t n = 0, kept = 0, always = 0, run_of = 0;
	for (size_t i = 0; i < count; i++) {
		run_of = i && m->session[i] == m->session[i - 1] ? run_of + 1 : 1;
		k[i] = m->session[i] < m->kind_count || !raw ? m->session[i] : raw[i] | 1ull << 63;
		f[n++] = feature(before, k[i], OF_PAIR);
		if (run_of > 1 && (run_of & (run_of - 1)) == 0)
			f[n++] = feature(k[i], run_of, OF_RUN);
		before = k[i];
	}
	f[n++] = feature(before, 0, OF_EDGE);
	qsort(k, count, sizeof *k, by_key);
	for (size_t i = 0, run; i < count; i += run) {
		for (run = 1; i + run < count && k[i + run] == k[i];)
			run++;
		for (size_t least = 1; least <= run; least *= 2)
			f[n++] = feature(k[i], least, OF_AMOUNT);
		while (always < b->always_count && b->always[always] < k[i])
			f[n++] = feature(b->always[always++], 0, OF_ABSENCE);
		always += always < b->always_count && b->always[always] == k[i];
	}
	while (always < b->always_count)
		f[n++] = feature(b->always[always++], 0, OF_ABSENCE);
	qsort(f, n, sizeof *f, by_key);
	for (size_t i = 0; i < n; i++)
		if (!kept || f[i] != f[kept - 1])
			f[kept++] = f[i];
	return kept;
}

static size_t features_of_learnt(struct batch *b, size_t index)
{
	struct learnt s = sequence_learnt(b->m, index);
	if (s.count)
		memcpy(b->m->session, s.events, s.count * sizeof *s.events);
	return features_of(b, NULL, s.count);
}

static const uint64_t *session_at(const struct batch *b, size_t index, size_t *ret_count)
{
	size_t from = index ? b->ends[index - 1] : 0, count = b->ends[index] - from;
	*ret_count = count < SEQUENCE_EVENTS_MAX ? count : SEQUENCE_EVENTS_MAX;
	return b->events + from;
}

static bool features_of_session(struct batch *b, size_t index, size_t *ret)
{
	size_t count;
	const uint64_t *raw = session_at(b, index, &count);
	bool ok = sequence_translate(b->m, raw, count);
	if (ok)
		*ret = features_of(b, raw, count);
	return ok;
}

/* Past the limit of a set further features say nothing. */
static bool features_count(struct batch *b, size_t n, uint64_t by)
{
	bool ok = true;
	for (size_t i = 0; i < n && ok; i++) {
		uint64_t *v = grams_at(&b->features, b->found[i]);
		ok = v || b->features.count == b->features.limit;
		if (v)
			*v += by;
	}
	return ok;
}

static bool count_all(struct batch *b)
{
	double most = (1 - rare_share) * (double)b->m->session_count;
	for (size_t k = 0; k < b->m->kind_count; k++)
		if ((double)b->m->whole.kinds[k] >= most)
			b->always[b->always_count++] = (uint32_t)k;
	bool ok = true;
	size_t n = 0;
	for (size_t i = 0; i < b->m->session_count && ok; i++)
		ok = features_count(b, features_of_learnt(b, i), 1ull << 32);
	for (size_t i = 0; i < b->count && ok; i++)
		ok = features_of_session(b, i, &n) && features_count(b, n, 1);
	return ok;
}

/* Of one feature, in nats; 0: it says nothing.  learnt: the session is one of those that were learnt.  None vouches for
 * itself. */
static double lift(const struct batch *b, uint64_t feature, bool learnt)
{
	uint64_t v = grams_get(&b->features, feature);
	double normal = (double)(v >> 32) - learnt, told = (double)(v & UINT32_MAX) - !learnt;
	double surely = told - low_odds * sqrt(fmax(0, told));
	if (normal > rare_share * (double)b->m->session_count || surely <= 0)
		return 0;
	return fmax(0, log(surely / ((normal + high_odds * sqrt(normal) + 1) * b->ratio)));
}

/* The highest of its features'. */
static void add_lifts(const struct batch *b, size_t n, bool learnt, float *row)
{
	double most = 0;
	for (size_t i = 0; i < n; i++)
		most = fmax(most, lift(b, b->found[i], learnt));
	row[COLUMN_LIFT] = (float)most;
}

static bool add_all_lifts(struct batch *b)
{
	bool ok = true;
	size_t n = 0;
	for (size_t i = 0; i < b->m->session_count; i++)
		add_lifts(b, features_of_learnt(b, i), true, b->learnt + i * COLUMNS);
	for (size_t i = 0; i < b->count && ok; i++) {
		ok = features_of_session(b, i, &n);
		if (ok)
			add_lifts(b, n, false, b->rows + i * COLUMNS);
	}
	return ok;
}

/* ---- the distributions of both ---- */

static void sort_both(struct batch *b)
{
	memcpy(b->batch, b->nats, b->count * sizeof *b->batch);
	qsort(b->batch, b->count, sizeof *b->batch, usual_order);
	qsort(b->usual, b->m->session_count, sizeof *b->usual, usual_order);
}

struct excess {
	double likely, sure; /* share of the batch that is strange; sure: with two standard errors off */
};

/* Of unseen normal sessions those that reach the i-th of the batch. */
static double wrong_at(const struct batch *b, size_t i)
{
	return usual_share(b->usual, b->m->session_count, b->batch[i] - same_odds);
}

/* Where strange sessions are more frequent than normal ones explain: there where that is surest.  The most that any
 * limit shows would be the luck of many. */
static struct excess excess_of(const struct batch *b)
{
	struct excess r = {0};
	double learnt = (double)b->m->session_count, count = (double)b->count;
	for (size_t i = 0; i < b->count; i++) {
		double told = (count - (double)i) / count, usual = wrong_at(b, i);
		double error = sqrt(usual * (1 - usual) * (1 / count + 1 / learnt));
		double sure = (told - usual - 2 * error) / (1 - usual);
		if (usual < sure_tail && sure > r.sure && (i == 0 || b->batch[i] > b->batch[i - 1]))
			r = (struct excess){(told - usual) / (1 - usual), sure};
	}
	return r;
}

/* The limit just below the i-th of the batch. */
static double between(const struct batch *b, size_t i)
{
	return b->batch[i - 1] + (b->batch[i] - b->batch[i - 1]) / 2;
}

/* That the two distributions let expect of a limit just below the i-th of the batch; 0: that is none. */
static double f1_at(const struct batch *b, struct excess excess, size_t i)
{
	double told = (double)(b->count - i) / (double)b->count, wrong = wrong_at(b, i);
	double share = fmin(excess.likely, most_anomalies);
	wrong += sqrt(wrong / (double)b->m->session_count); /* so few have shown it that it may be more */
	if (wrong >= sure_tail || b->batch[i] <= b->batch[i - 1])
		return 0;
	double found = fmin(1, (told - wrong * (1 - excess.likely)) / excess.likely);
	return fmax(0, 2 * share * found / (share + share * found + (1 - share) * wrong));
}

/* What each limit just below the i-th is worth, into b->worth; returns the highest; 0: there is no excess.  Few
 * sessions that were learnt know little of how far normal ones reach, and the batch shows it: where those that lie
 * together further out are parted from the others by a stretch that hardly any lies in, the limit belongs there. */
static double weigh_limits(struct batch *b)
{
	struct excess excess = excess_of(b);
	size_t below = b->count, up_to = b->count, most_near = 0;
	double best = 0, few = crowd * excess.likely * (double)b->count;
	for (size_t i = b->count; i-- > 1 && excess.sure > 0;) {
		double limit = between(b, i);
		while (up_to && b->batch[up_to - 1] > limit + close_by)
			up_to--;
		while (below && b->batch[below - 1] >= limit - close_by)
			below--;
		size_t near = up_to - below;
		most_near = near > most_near ? near : most_near;
		b->worth[i] = f1_at(b, excess, i);
		if (b->worth[i] > 0)
			b->worth[i] += valley * (double)(most_near - near) / ((double)most_near + few);
		best = fmax(best, b->worth[i]);
	}
	return best;
}

/* The middle of those limits that are worth most, or nearly so: how many sessions lie just here or there is chance.
 * False: there is no excess. */
static bool limit_of(struct batch *b, double *ret)
{
	double best = weigh_limits(b), low = INFINITY, high = 0;
	for (size_t i = 1; i < b->count && best > 0; i++)
		if (b->worth[i] > 0 && b->worth[i] >= best - nearly) {
			low = fmin(low, between(b, i));
			high = between(b, i); /* they ascend */
		}
	*ret = low + (high - low) / 2;
	return best > 0;
}

static bool measure_all(struct batch *b)
{
	struct sequence_model *m = b->m;
	for (size_t i = 0; i < m->session_count; i++) {
		memcpy(b->learnt + i * COLUMNS, m->views + i * VIEW_COUNT, VIEW_COUNT * sizeof *b->learnt);
		b->learnt[i * COLUMNS + COLUMN_TOTAL] = (float)m->totals[i];
	}
	for (size_t i = 0; i < b->count; i++) {
		struct measure x;
		size_t count;
		const uint64_t *events = session_at(b, i, &count);
		float *row = b->rows + i * COLUMNS;
		if (!sequence_measure(m, events, count, &x))
			return false;
		for (size_t v = 0; v < VIEW_COUNT; v++)
			row[v] = (float)usual_view(m, &x, v);
		b->nats[i] = usual_total(m, &x);
		row[COLUMN_TOTAL] = (float)b->nats[i];
	}
	memcpy(b->usual, m->totals, m->session_count * sizeof *b->usual);
	return true;
}

/* Replaces nats and usual by the odds of being of what only the batch has. */
static bool compare(struct batch *b)
{
	struct contrast *c = contrast_new(slopes, COLUMNS);
	bool ok = c && contrast_fit(c, b->learnt, b->m->session_count, b->rows, b->count);
	for (size_t i = 0; i < b->m->session_count && ok; i++)
		b->usual[i] = contrast_odds(c, b->learnt + i * COLUMNS, i);
	for (size_t i = 0; i < b->count && ok; i++)
		b->nats[i] = contrast_odds(c, b->rows + i * COLUMNS, i);
	contrast_free(c);
	return ok;
}

static bool judge(struct batch *b, double *ret_scores)
{
	struct sequence_model *m = b->m;
	if (!measure_all(b))
		return false;
	for (size_t i = 0; i < b->count; i++)
		ret_scores[i] = sequence_model_score(m, b->nats[i]);
	sort_both(b);
	b->ratio = (double)b->count * fmax(least_normal, 1 - excess_of(b).sure) / (double)m->session_count;
	if (b->count < SEQUENCE_BATCH_LEAST)
		return true;
	if (!count_all(b) || !add_all_lifts(b) || !compare(b))
		return false;
	sort_both(b);
	double limit;
	if (limit_of(b, &limit))
		for (size_t i = 0; i < b->count; i++)
			ret_scores[i] = 1 / (1 + exp(limit - b->nats[i]));
	return true;
}

enum err_code sequence_model_judge(struct sequence_model *m, const uint64_t *events, const size_t *ends, size_t count,
    double *ret_scores, struct err *reterr)
{
	if (!m->fitted)
		return err_set(reterr, ERR_STATE, "this model has not been fitted");
	struct batch b = {.m = m, .events = events, .ends = ends, .count = count};
	grams_init(&b.features, SEQUENCE_FEATURES_MAX);
	b.found = calloc(FEATURES_MAX + m->kind_count, sizeof *b.found);
	b.always = calloc(m->kind_count + 1, sizeof *b.always);
	b.kinds = calloc(SEQUENCE_EVENTS_MAX, sizeof *b.kinds);
	b.rows = calloc(count * COLUMNS + 1, sizeof *b.rows);
	b.learnt = calloc(m->session_count * COLUMNS, sizeof *b.learnt);
	b.nats = calloc(count + 1, sizeof *b.nats);
	b.batch = calloc(count + 1, sizeof *b.batch);
	b.worth = calloc(count + 1, sizeof *b.worth);
	b.usual = calloc(m->session_count, sizeof *b.usual);
	bool ok = b.found && b.always && b.kinds && b.rows && b.learnt && b.nats && b.batch && b.worth && b.usual &&
		  judge(&b, ret_scores);
	grams_done(&b.features);
	free(b.found);
	free(b.always);
	free(b.kinds);
	free(b.nats);
	free(b.batch);
	free(b.worth);
	free(b.usual);
	free(b.rows);
	free(b.learnt);
	return ok ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}
