/* controller/knowledge/calibrate.c: what a share is worth, measured on answers about systems that the weights had not
 * seen.
 *
 * Two curves, one for answers that the lexicon says beyond doubt and one for all others: pool adjacent violators (Ayer
 * et al. 1955) over the sorted shares.  Within the first the classes are not worth the same: each is moved by what it
 * was better or worse than the curve, held back by answers that are supposed.  Last, the largest set of answers of both
 * that was right often enough taken together counts as sure. */
#include <math.h>
#include <stdlib.h>

#include "controller/knowledge/train.h"

enum {
	STEP_LEAST = 120,   /* answers behind one step of a curve */
	CERTAIN_LEAST = 60, /* of the one for what is beyond doubt: fewer, and more alike */
	SURE_LEAST = 60,    /* answers behind what is called sure */
	SHIFT_SUPPOSED = 20 /* answers that are supposed of each class */
};
static const double shift_supposed_right = 0.9;
static const double system_power = 0.5; /* the next system will be none of these */
static const double sure_right = 0.951; /* promised is .95: what was chosen does somewhat worse elsewhere */

struct step {
	double score, right, weight;
};

static enum error_class answer_of(const struct lesson *l)
{
	return (enum error_class)l->answer;
}

static double share_of(const struct lesson *l)
{
	return l->share[l->answer];
}

static int by_share(const void *a, const void *b)
{
	const struct lesson *x = *(const struct lesson *const *)a, *y = *(const struct lesson *const *)b;
	if (share_of(x) != share_of(y))
		return share_of(x) < share_of(y) ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* The judged answers of one curve, sorted. */
static enum err_code gather(const struct lesson *lessons, size_t count, uint32_t held, bool certain,
    const struct lesson ***ret, size_t *ret_count, struct err *reterr)
{
	const struct lesson **found = calloc(count + 1, sizeof *found);
	size_t n = 0;
	if (!found)
		return err_set(reterr, ERR_NOMEM, "out of memory for a calibration");
	for (size_t i = 0; i < count; i++) {
		const struct lesson *l = &lessons[i];
		if (!l->own && l->system != held && beyond_doubt(l->look, answer_of(l)) == certain)
			found[n++] = l;
	}
	qsort(found, n, sizeof *found, by_share);
	*ret = found;
	*ret_count = n;
	return ERR_OK;
}

static size_t pool(struct step *steps, size_t n, struct step next)
{
	steps[n++] = next;
	while (n > 1 && steps[n - 2].right >= steps[n - 1].right) {
		struct step *a = &steps[n - 2], *b = &steps[n - 1];
		double w = a->weight + b->weight;
		*a = (struct step){(a->score * a->weight + b->score * b->weight) / w,
		    (a->right * a->weight + b->right * b->weight) / w, w};
		n--;
	}
	return n;
}

/* Steps in groups of at least so many answers, then pooled so that they rise.  A system counts by its answers to the
 * power: with 1 each answer as much as another, with 0 each system. */
static enum err_code fit_curve(const struct lesson **sorted, size_t count, size_t least, double power,
    struct arena *arena, struct list *ret, struct err *reterr)
{
	struct step steps[MODEL_BINS_MAX];
	double per_system[MODEL_SYSTEMS_MAX] = {0};
	for (size_t i = 0; i < count; i++)
		per_system[sorted[i]->system]++;
	size_t n = 0, groups = count / least < MODEL_BINS_MAX ? count / least : MODEL_BINS_MAX;
	groups = groups ? groups : 1;
	for (size_t g = 0; g < groups && count; g++) {
		struct step next = {0, 0, 0};
		for (size_t i = count * g / groups; i < count * (g + 1) / groups; i++) {
			double w = pow(per_system[sorted[i]->system], power - 1);
			next.score += w * share_of(sorted[i]);
			next.right += w * sorted[i]->right;
			next.weight += w;
		}
		next.score /= next.weight; /* count >= groups: none is empty */
		next.right /= next.weight;
		n = pool(steps, n, next);
	}
	struct model_calibration *points = arena_array(arena, n + 1, sizeof *points);
	if (!points)
		return err_set(reterr, ERR_NOMEM, "out of memory for a calibration");
	for (size_t i = 0; i < n; i++)
		points[i] = (struct model_calibration){steps[i].score, steps[i].right};
	*ret = (struct list){points, n};
	return ERR_OK;
}

static double log_odds(double p)
{
	p = fmin(fmax(p, 0.005), 0.995);
	return log(p / (1 - p));
}

static enum err_code fit_shifts(
    struct model_card *card, struct arena *arena, const struct lesson **answers, size_t count, struct err *reterr)
{
	struct model_shift *shifts = arena_array(arena, ERROR_CLASS_COUNT, sizeof *shifts);
	if (!shifts)
		return err_set(reterr, ERR_NOMEM, "out of memory for a calibration");
	for (uint32_t c = 0; c < ERROR_CLASS_COUNT; c++) {
		double expected = SHIFT_SUPPOSED * shift_supposed_right, right = expected, all = SHIFT_SUPPOSED;
		for (size_t i = 0; i < count; i++)
			if (answers[i]->answer == c) {
				expected += calibration_at(&card->certain, share_of(answers[i]));
				right += answers[i]->right;
				all++;
			}
		shifts[c] = (struct model_shift){c, log_odds(right / all) - log_odds(expected / all)};
	}
	card->shifts = (struct list){shifts, ERROR_CLASS_COUNT};
	return ERR_OK;
}

struct said {
	double confidence, weight;
	bool right;
};
static int by_confidence(const void *a, const void *b)
{
	const struct said *x = a, *y = b;
	if (x->confidence != y->confidence)
		return x->confidence > y->confidence ? -1 : 1;
	return (int)y->right - (int)x->right;
}

/* Of both curves.  A system counts as in the first. */
static size_t all_said(
    const struct model_card *card, const struct lesson *lessons, size_t count, uint32_t held, struct said *said)
{
	double per_system[MODEL_SYSTEMS_MAX] = {0};
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		per_system[lessons[i].system]++;
	for (size_t i = 0; i < count; i++) {
		const struct lesson *l = &lessons[i];
		if (!l->own && l->system != held)
			said[n++] = (struct said){calibrated(card, l->look, answer_of(l), share_of(l)),
			    pow(per_system[l->system], system_power - 1), l->right};
	}
	qsort(said, n, sizeof *said, by_confidence);
	return n;
}

/* From the most confident on: the largest set that was right often enough. */
static enum err_code find_sure(
    struct model_card *card, const struct lesson *lessons, size_t count, uint32_t held, struct err *reterr)
{
	struct said *said = calloc(count + 1, sizeof *said);
	double right = 0, all = 0, from = 0, best = 0;
	if (!said)
		return err_set(reterr, ERR_NOMEM, "out of memory for a calibration");
	size_t n = all_said(card, lessons, count, held, said);
	for (size_t i = 0; i < n; i++) {
		right += said[i].weight * said[i].right;
		all += said[i].weight;
		bool whole = i + 1 == n || said[i + 1].confidence < said[i].confidence; /* equals go together */
		if (whole && i + 1 >= SURE_LEAST && right >= sure_right * all) {
			from = said[i].confidence;
			best = right / all;
		}
	}
	free(said);
	card->sure_from = from;
	card->sure_right = best;
	return ERR_OK;
}

enum err_code fit_calibration(struct model_card *card, struct arena *arena, const struct lesson *lessons, size_t count,
    uint32_t held, struct err *reterr)
{
	const struct lesson **answers = NULL;
	size_t n = 0;
	card->sure_from = card->sure_right = 0;
	card->shifts = (struct list){NULL, 0};
	enum err_code rc = gather(lessons, count, held, false, &answers, &n, reterr);
	if (rc == ERR_OK)
		rc = fit_curve(answers, n, STEP_LEAST, system_power, arena, &card->calibration, reterr);
	free(answers);
	answers = NULL;
	if (rc == ERR_OK)
		rc = gather(lessons, count, held, true, &answers, &n, reterr);
	if (rc == ERR_OK)
		rc = fit_curve(answers, n, CERTAIN_LEAST, system_power, arena, &card->certain, reterr);
	if (rc == ERR_OK)
		rc = fit_shifts(card, arena, answers, n, reterr);
	free(answers);
	if (rc == ERR_OK)
		rc = find_sure(card, lessons, count, held, reterr);
	return rc;
}
