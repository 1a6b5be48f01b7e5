/* controller/knowledge/train.c: fitting the weights.
 *
 * Multinomial logistic regression by stochastic gradient descent whose steps shrink per weight (Duchi, Hazan, Singer:
 * Adaptive Subgradient Methods, JMLR 2011), the weights averaged over the later rounds (Polyak, Juditsky: Acceleration
 * of Stochastic Approximation by Averaging, 1992).  Order and starting point are fixed: the same lessons give the same
 * weights.  Systems count by the third root of their size, so that the largest does not speak for all; the examples
 * that come with the program count by kinds of software in the same way, and somewhat less.  Each time a lesson is
 * learned a part of its features is left out, by chance, so that a few strong ones that the next system may not have do
 * not carry it alone (Globerson, Roweis: Nightmare at Test Time, ICML 2006). */
#include "controller/knowledge/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 15, ROUNDS_BEFORE_MEAN = 5 };
static const double rate = 0.04, shrink = 1e-4, shared_shrink = 3e-2, least_step = 1e-3;
static const double system_power = 0.35, own_weight = 0.7, left_out = 0.2;

struct fitting {
	struct model *m;
	const struct lesson *lessons;
	float *squares; /* of the gradients, beside m->cells */
	float shared_squares[MODEL_SHARED];
	float *sums; /* of the weights, over the later rounds */
	double shared_sums[MODEL_SHARED];
	double *weights; /* of lessons */
	uint32_t *order;
	size_t count;      /* of order */
	uint64_t chance;   /* state of a fixed sequence */
	struct look *look; /* the lesson with what is left of its features */
};

static void weigh(struct fitting *f)
{
	double per_system[MODEL_SYSTEMS_MAX] = {0}, sum = 0;
	for (size_t i = 0; i < f->count; i++)
		per_system[f->lessons[f->order[i]].system]++;
	for (size_t i = 0; i < f->count; i++) {
		const struct lesson *l = &f->lessons[f->order[i]];
		double *w = &f->weights[f->order[i]];
		*w = pow(per_system[l->system], system_power - 1) * (l->own ? own_weight : 1);
		sum += *w;
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

static uint64_t next_chance(uint64_t *state) /* Knuth's MMIX constants */
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* What is left counts for what is not, too. */
static void leave_out(struct fitting *f, const struct look *whole)
{
	const uint64_t below = (uint64_t)(left_out * (double)(UINT64_C(1) << 31));
	const float scale = (float)(1 / (1 - left_out));
	struct look *l = f->look;
	memcpy(l->lexicon, whole->lexicon, sizeof l->lexicon);
	l->features.count = 0;
	for (size_t i = 0; i < whole->features.count; i++) {
		const struct feature *x = &whole->features.items[i];
		if (next_chance(&f->chance) >= below)
			l->features.items[l->features.count++] = (struct feature){x->cell, x->value * scale};
	}
}

static void learn(struct fitting *f, const struct lesson *l, double weight)
{
	double slope[ERROR_CLASS_COUNT];
	const struct look *look = f->look;
	leave_out(f, l->look);
	model_shares(f->m, look, slope);
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
		slope[c] = (slope[c] - (c == l->class)) * weight;
	for (unsigned k = 0; k < MODEL_SHARED; k++) {
		double g = shared_shrink * (double)f->m->shared[k];
		for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
			g += slope[c] * (double)look->lexicon[c][k];
		descend(&f->m->shared[k], &f->shared_squares[k], rate, g);
	}
	for (size_t i = 0; i < look->features.count; i++) {
		const struct feature *x = &look->features.items[i];
		size_t at = (size_t)x->cell * ERROR_CLASS_COUNT;
		for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
			descend(&f->m->cells[at + c], &f->squares[at + c], rate,
			    slope[c] * (double)x->value + shrink * (double)f->m->cells[at + c]);
	}
}

static void shuffle(struct fitting *f, uint64_t *state)
{
	for (size_t i = f->count; i-- > 1;) {
		size_t k = (size_t)next_chance(state) % (i + 1);
		uint32_t x = f->order[i];
		f->order[i] = f->order[k];
		f->order[k] = x;
	}
}

static void add_to_sums(struct fitting *f)
{
	for (size_t i = 0; i < (size_t)MODEL_CELLS * ERROR_CLASS_COUNT; i++)
		f->sums[i] += f->m->cells[i];
	for (size_t k = 0; k < MODEL_SHARED; k++)
		f->shared_sums[k] += (double)f->m->shared[k];
}

static void take_means(struct fitting *f)
{
	const int rounds = ROUNDS - ROUNDS_BEFORE_MEAN;
	for (size_t i = 0; i < (size_t)MODEL_CELLS * ERROR_CLASS_COUNT; i++)
		f->m->cells[i] = f->sums[i] / (float)rounds;
	for (size_t k = 0; k < MODEL_SHARED; k++)
		f->m->shared[k] = (float)(f->shared_sums[k] / rounds);
}

static void run(struct fitting *f)
{
	memset(f->m->cells, 0, (size_t)MODEL_CELLS * ERROR_CLASS_COUNT * sizeof *f->m->cells);
	memset(f->m->shared, 0, sizeof f->m->shared);
	uint64_t state = 42;
	f->chance = 777;
	for (int round = 0; round < ROUNDS; round++) {
		shuffle(f, &state);
		for (size_t i = 0; i < f->count; i++)
			learn(f, &f->lessons[f->order[i]], f->weights[f->order[i]]);
		if (round >= ROUNDS_BEFORE_MEAN)
			add_to_sums(f);
	}
	take_means(f);
}

static void fitting_done(struct fitting *f)
{
	free(f->squares);
	free(f->sums);
	free(f->weights);
	free(f->order);
	free(f->look);
}

static enum err_code fitting_init(
    struct fitting *f, struct model *m, const struct lesson *lessons, size_t count, uint32_t held, struct err *reterr)
{
	*f = (struct fitting){.m = m, .lessons = lessons};
	f->squares = calloc((size_t)MODEL_CELLS * ERROR_CLASS_COUNT, sizeof *f->squares);
	f->sums = calloc((size_t)MODEL_CELLS * ERROR_CLASS_COUNT, sizeof *f->sums);
	f->weights = calloc(count + 1, sizeof *f->weights);
	f->order = calloc(count + 1, sizeof *f->order);
	f->look = calloc(1, sizeof *f->look);
	if (!f->squares || !f->sums || !f->weights || !f->order || !f->look)
		return err_set(reterr, ERR_NOMEM, "out of memory for training");
	for (size_t i = 0; i < count; i++)
		if (lessons[i].system != held && !lessons[i].apart)
			f->order[f->count++] = (uint32_t)i;
	weigh(f);
	return ERR_OK;
}

enum err_code fit_weights(
    struct model *m, const struct lesson *lessons, size_t count, uint32_t held, struct err *reterr)
{
	struct fitting f;
	enum err_code rc = fitting_init(&f, m, lessons, count, held, reterr);
	if (rc == ERR_OK)
		run(&f);
	fitting_done(&f);
	return rc;
}
