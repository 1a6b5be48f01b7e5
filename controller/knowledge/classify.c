/* controller/knowledge/classify.c: what the model says of a message, and how sure it may be. */
#include <math.h>
#include <string.h>

#include "controller/knowledge/model_internal.h"

void look_at(const char *text, size_t size, struct look *ret)
{
	struct message_token tokens[MESSAGE_TOKENS_MAX];
	uint8_t worth[ERROR_CLASS_COUNT];
	memset(ret->lexicon, 0, sizeof ret->lexicon);
	message_features(text, size, &ret->features);
	size_t n = message_tokens(text, size, tokens, MESSAGE_TOKENS_MAX);
	ret->certain = lexicon_certain(tokens, n);
	if (!lexicon_match(tokens, n, worth))
		return;
	unsigned first = 0;
	for (unsigned c = 1; c < ERROR_CLASS_COUNT; c++)
		if (worth[c] > worth[first])
			first = c;
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++) {
		unsigned strength = worth[c] / LEXICON_STEPS, words = worth[c] % LEXICON_STEPS;
		float length = words > 3 ? 1.0f : (float)words / 3.0f;
		float *f = ret->lexicon[c];
		if (!strength)
			continue;
		f[strength - 1] = 1.0f;
		f[3] = c == first;
		f[4] = c == first && strength == 3;
		f[5] = c != first && strength == worth[first] / LEXICON_STEPS;
		f[6] = strength == 3 ? length : 0.0f;
		f[7] = strength == 2 ? length : 0.0f;
	}
}

void model_shares(const struct model *m, const struct look *l, double ret[ERROR_CLASS_COUNT])
{
	double z[ERROR_CLASS_COUNT], most = -1e300, sum = 0;
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++) {
		z[c] = 0;
		for (unsigned k = 0; k < MODEL_SHARED; k++)
			z[c] += (double)m->shared[k] * (double)l->lexicon[c][k];
	}
	for (size_t i = 0; i < l->features.count; i++) {
		const float *w = m->cells + (size_t)l->features.items[i].cell * ERROR_CLASS_COUNT;
		for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
			z[c] += (double)w[c] * (double)l->features.items[i].value;
	}
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
		most = z[c] > most ? z[c] : most;
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
		sum += ret[c] = exp(z[c] - most);
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
		ret[c] /= sum;
}

enum error_class shares_first(const double share[ERROR_CLASS_COUNT])
{
	unsigned first = 0;
	for (unsigned c = 1; c < ERROR_CLASS_COUNT; c++)
		if (share[c] > share[first])
			first = c;
	return (enum error_class)first;
}

bool beyond_doubt(const struct look *l, enum error_class class)
{
	return l->certain == 1u << class;
}

double calibration_at(const struct list *points, double score)
{
	double from = 0, right = 0;
	for (size_t i = 0; i < points->count; i++) {
		const struct model_calibration *p = &LIST_AT(*points, struct model_calibration, i);
		if (score <= p->score) {
			double width = p->score - from;
			return width > 0 ? right + (p->right - right) * (score - from) / width : p->right;
		}
		from = p->score;
		right = p->right;
	}
	return points->count ? right : score;
}

static double moved(double p, double log_odds)
{
	p = fmin(fmax(p, 0.005), 0.995);
	return 1 / (1 + exp(-log(p / (1 - p)) - log_odds));
}

double calibrated(const struct model_card *card, const struct look *l, enum error_class class, double share)
{
	double p;
	if (!beyond_doubt(l, class))
		p = calibration_at(&card->calibration, share);
	else {
		p = calibration_at(&card->certain, share);
		for (size_t i = 0; i < card->shifts.count; i++) {
			const struct model_shift *s = &LIST_AT(card->shifts, struct model_shift, i);
			if (s->class == class)
				p = moved(p, s->shift);
		}
	}
	if (card->sure_right > p && p >= card->sure_from)
		p = card->sure_right;
	return fmin(fmax(p, 0), 1); /* a file may say what it likes */
}

void model_classify(const struct model *m, const char *text, size_t size, struct verdict *ret)
{
	struct look look;
	look_at(text, size, &look);
	model_shares(m, &look, ret->share);
	ret->class = shares_first(ret->share);
	ret->confidence = calibrated(&m->card, &look, ret->class, ret->share[ret->class]);
}
