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
		const float *w = m->cells + (size_t)l->features.items[i].cell * MODEL_COLUMNS;
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

void confidence_signs(const struct look *l, const double share[ERROR_CLASS_COUNT], double ret[MODEL_SIGNS])
{
	unsigned first = shares_first(share), n = 0;
	double second = 0, third = 0, certain = 0;
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++) {
		certain += (double)l->lexicon[c][2];
		if (c == first)
			continue;
		if (share[c] > second) {
			third = second;
			second = share[c];
		} else if (share[c] > third)
			third = share[c];
	}
	const float *f = l->lexicon[first];
	double odds = log((share[first] + 1e-9) / (1 - share[first] + 1e-9));
	memset(ret, 0, MODEL_SIGNS * sizeof *ret);
	ret[n++] = 1;
	ret[n++] = odds;
	ret[n++] = log((share[first] + 1e-9) / (second + 1e-9));
	ret[n++] = log((second + 1e-9) / (third + 1e-9));
	ret[n++] = (double)f[3];
	ret[n++] = (double)f[4];
	ret[n++] = (double)f[6];
	ret[n++] = certain - (double)f[2]; /* others that are as good as said */
	ret[n + first] = 1;
	ret[n + ERROR_CLASS_COUNT + first] = (double)f[4];
	ret[n + 2 * ERROR_CLASS_COUNT + first] = odds;
}

double confidence_of(const struct model *m, const struct look *l, const double signs[MODEL_SIGNS])
{
	double z = 0;
	for (unsigned k = 0; k < MODEL_SIGNS; k++)
		z += (double)m->confidence[k] * signs[k];
	for (size_t i = 0; i < l->features.count; i++)
		z += (double)m->cells[(size_t)l->features.items[i].cell * MODEL_COLUMNS + ERROR_CLASS_COUNT] *
		     (double)l->features.items[i].value;
	return 1 / (1 + exp(-z));
}

double calibrated(const struct model_card *card, double confidence)
{
	double score = 0, right = 0; /* the line between the points on both sides */
	for (size_t i = 0; i < card->calibration.count; i++) {
		const struct model_calibration *p = &LIST_AT(card->calibration, struct model_calibration, i);
		if (confidence <= p->score) {
			double width = p->score - score;
			return width > 0 ? right + (p->right - right) * (confidence - score) / width : p->right;
		}
		score = p->score;
		right = p->right;
	}
	return card->calibration.count ? right : confidence;
}

bool said_outright(const struct look *l, enum error_class class)
{
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
		if (c != class && l->lexicon[c][2] > 0)
			return false;
	return l->lexicon[class][4] > 0;
}

double settled_confidence(
    const struct model_card *card, const struct look *l, enum error_class class, double share, double confidence)
{
	double settled = calibrated(card, confidence);
	for (size_t i = 0; i < card->sure.count && said_outright(l, class); i++) {
		const struct model_sure *s = &LIST_AT(card->sure, struct model_sure, i);
		if (s->class == class && share >= s->share && s->right > settled)
			settled = s->right;
	}
	return settled;
}

void model_classify(const struct model *m, const char *text, size_t size, struct verdict *ret)
{
	struct look look;
	double signs[MODEL_SIGNS];
	look_at(text, size, &look);
	model_shares(m, &look, ret->share);
	ret->class = shares_first(ret->share);
	confidence_signs(&look, ret->share, signs);
	ret->confidence =
	    settled_confidence(&m->card, &look, ret->class, ret->share[ret->class], confidence_of(m, &look, signs));
}
