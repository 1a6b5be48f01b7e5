/* controller/knowledge/train.c: fitting the weights.
 *
 * Multinomial logistic regression by stochastic gradient descent whose steps shrink per weight (Duchi, Hazan, Singer:
 * Adaptive Subgradient Methods, JMLR 2011).  Order and starting point are fixed: the same lessons give the same
 * weights. Systems count by the third root of their size, so that the largest does not speak for all; rare classes
 * count more. What was seen in one system only is held small: it is more likely that system's habit than the language
 * of the field. */
#include "controller/knowledge/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 15, CONFIDENCE_ROUNDS = 10 };
static const double rate = 0.04, shrink = 6e-2, shared_shrink = 1e-4, least_step = 1e-3;
static const double confidence_rate = 0.03, confidence_shrink = 3e-2, sign_shrink = 1e-3;
static const double system_power = 0.35, class_power = 0.35;
static const double seldom[] = {1.0, 0.4, 0.6}; /* of features that stand in none or one, in two systems */

struct fitting {
	struct model *m;
	const struct lesson *lessons;
	float *squares; /* of the gradients, beside m->cells */
	float shared_squares[MODEL_SHARED];
	uint64_t *seen;  /* cell -> systems that it stands in */
	double *weights; /* of lessons */
	uint32_t *order;
	size_t count; /* of order */
};

static void weigh(struct fitting *f, double class_weight)
{
	double per_system[MODEL_SYSTEMS_MAX] = {0}, per_class[MODEL_SYSTEMS_MAX][ERROR_CLASS_COUNT] = {{0}}, sum = 0;
	for (size_t i = 0; i < f->count; i++) {
		const struct lesson *l = &f->lessons[f->order[i]];
		per_system[l->system]++;
		per_class[l->system][l->class]++;
	}
	for (size_t i = 0; i < f->count; i++) {
		const struct lesson *l = &f->lessons[f->order[i]];
		double share = per_class[l->system][l->class] / per_system[l->system];
		f->weights[f->order[i]] = pow(per_system[l->system], system_power - 1) * pow(share, -class_weight);
		sum += f->weights[f->order[i]];
	}
	for (size_t i = 0; i < f->count; i++)
		f->weights[f->order[i]] *= (double)f->count / sum;
}

static void descend(float *weight, float *square, double speed, double gradient)
{
	double s = (double)*square + gradient * gradient;
	*square = (float)s;
	*weight = (float)((double)*weight - speed * gradient / (least_step + sqrt(s)));
}

static double hold(const struct fitting *f, uint32_t cell, double strength)
{
	int systems = __builtin_popcountll(f->seen[cell]);
	double r = systems > 2 ? 1.0 : seldom[systems];
	return strength / (r * r);
}

static void learn(struct fitting *f, const struct lesson *l, double weight)
{
	double slope[ERROR_CLASS_COUNT];
	model_shares(f->m, l->look, slope);
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
		slope[c] = (slope[c] - (c == l->class)) * weight;
	for (unsigned k = 0; k < MODEL_SHARED; k++) {
		double g = shared_shrink * (double)f->m->shared[k];
		for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
			g += slope[c] * (double)l->look->lexicon[c][k];
		descend(&f->m->shared[k], &f->shared_squares[k], rate, g);
	}
	for (size_t i = 0; i < l->look->features.count; i++) {
		const struct feature *x = &l->look->features.items[i];
		size_t at = (size_t)x->cell * MODEL_COLUMNS;
		double held = hold(f, x->cell, shrink);
		for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
			descend(&f->m->cells[at + c], &f->squares[at + c], rate,
			    slope[c] * (double)x->value + held * (double)f->m->cells[at + c]);
	}
}

static void shuffle(struct fitting *f, uint64_t *state) /* by a fixed sequence (Knuth's MMIX constants) */
{
	for (size_t i = f->count; i-- > 1;) {
		*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		size_t k = (size_t)(*state >> 33) % (i + 1);
		uint32_t x = f->order[i];
		f->order[i] = f->order[k];
		f->order[k] = x;
	}
}

static void run(struct fitting *f)
{
	memset(f->m->cells, 0, (size_t)MODEL_CELLS * MODEL_COLUMNS * sizeof *f->m->cells);
	memset(f->m->shared, 0, sizeof f->m->shared);
	uint64_t state = 42;
	for (int round = 0; round < ROUNDS; round++) {
		shuffle(f, &state);
		for (size_t i = 0; i < f->count; i++)
			learn(f, &f->lessons[f->order[i]], f->weights[f->order[i]]);
	}
}

/* ---- confidence: is the first class right?  The same descent, one column ---- */

static double confidence_slope(const struct fitting *f, const struct lesson *l)
{
	return confidence_of(f->m, l->look, l->signs) - l->right;
}

static void learn_confidence(struct fitting *f, const struct lesson *l, double weight, float *sign_squares)
{
	double slope = confidence_slope(f, l) * weight;
	for (unsigned k = 0; k < MODEL_SIGNS; k++)
		if (l->signs[k] != 0)
			descend(&f->m->confidence[k], &sign_squares[k], confidence_rate,
			    slope * l->signs[k] + sign_shrink * (double)f->m->confidence[k]);
	for (size_t i = 0; i < l->look->features.count; i++) {
		const struct feature *x = &l->look->features.items[i];
		size_t at = (size_t)x->cell * MODEL_COLUMNS + ERROR_CLASS_COUNT;
		descend(&f->m->cells[at], &f->squares[at], confidence_rate,
		    slope * (double)x->value + hold(f, x->cell, confidence_shrink) * (double)f->m->cells[at]);
	}
}

static void run_confidence(struct fitting *f)
{
	float sign_squares[MODEL_SIGNS] = {0};
	memset(f->m->confidence, 0, sizeof f->m->confidence);
	for (size_t i = 0; i < MODEL_CELLS; i++)
		f->m->cells[i * MODEL_COLUMNS + ERROR_CLASS_COUNT] = 0;
	uint64_t state = 7;
	for (int round = 0; round < CONFIDENCE_ROUNDS; round++) {
		shuffle(f, &state);
		for (size_t i = 0; i < f->count; i++)
			learn_confidence(f, &f->lessons[f->order[i]], f->weights[f->order[i]], sign_squares);
	}
}

static void fitting_done(struct fitting *f)
{
	free(f->squares);
	free(f->seen);
	free(f->weights);
	free(f->order);
}

static enum err_code fitting_init(struct fitting *f, struct model *m, const struct lesson *lessons, size_t count,
    uint32_t held, double class_weight, struct err *reterr)
{
	*f = (struct fitting){.m = m, .lessons = lessons};
	f->squares = calloc((size_t)MODEL_CELLS * MODEL_COLUMNS, sizeof *f->squares);
	f->seen = calloc(MODEL_CELLS, sizeof *f->seen);
	f->weights = calloc(count + 1, sizeof *f->weights);
	f->order = calloc(count + 1, sizeof *f->order);
	if (!f->squares || !f->seen || !f->weights || !f->order)
		return err_set(reterr, ERR_NOMEM, "out of memory for training");
	for (size_t i = 0; i < count; i++) {
		const struct lesson *l = &f->lessons[i];
		if (l->system == held)
			continue;
		f->order[f->count++] = (uint32_t)i;
		for (size_t k = 0; k < l->look->features.count; k++)
			f->seen[l->look->features.items[k].cell] |= UINT64_C(1) << l->system;
	}
	weigh(f, class_weight);
	return ERR_OK;
}

enum err_code fit_weights(
    struct model *m, const struct lesson *lessons, size_t count, uint32_t held, struct err *reterr)
{
	struct fitting f;
	enum err_code rc = fitting_init(&f, m, lessons, count, held, class_power, reterr);
	if (rc == ERR_OK)
		run(&f);
	fitting_done(&f);
	return rc;
}

enum err_code fit_confidence(
    struct model *m, const struct lesson *lessons, size_t count, uint32_t held, struct err *reterr)
{
	struct fitting f;
	enum err_code rc = fitting_init(&f, m, lessons, count, held, 0, reterr);
	if (rc == ERR_OK)
		run_confidence(&f);
	fitting_done(&f);
	return rc;
}
