/* controller/knowledge/model_train.c: making a model from examples, with figures that can be believed: every example is
 * judged by weights that have not seen its system, and its confidence by one that has not either. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/knowledge/train.h"
#include "shared/base/openssl.h"

#include <openssl/evp.h>

enum {
	STEP_LEAST = 60, /* answers behind one step of the calibration */
	SURE_LEAST = 15, /* answers behind a class that is called as good as certain */
};
static const double sure = 0.95;

struct school {
	struct lesson *lessons;
	struct look *looks;
	const char *systems[MODEL_SYSTEMS_MAX];
	uint64_t size[MODEL_SYSTEMS_MAX];
	uint32_t system_count;
	size_t count, total; /* examples; with what the lexicon adds */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err_code name_systems(struct school *s, const struct example *e, size_t count, struct err *reterr)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t k = 0;
		while (k < s->system_count && strcmp(s->systems[k], e[i].system) != 0)
			k++;
		if (k == MODEL_SYSTEMS_MAX - 1) /* the last is the lexicon's */
			return err_set(reterr, ERR_LIMIT, "more than %d systems", MODEL_SYSTEMS_MAX - 1);
		if (k == s->system_count)
			s->systems[s->system_count++] = e[i].system;
	}
	qsort(s->systems, s->system_count, sizeof *s->systems, by_name);
	return ERR_OK;
}

/* A phrase of the lexicon as a message would have it. */
static size_t spell(const char *phrase, size_t size, char *out, size_t room)
{
	size_t n = 0;
	for (size_t i = 0; i < size && n + 3 < room; i++) {
		bool value = phrase[i] == '%' || phrase[i] == '~' || phrase[i] == '_';
		if (value)
			out[n++] = '%';
		if (!strchr("*^$", phrase[i]))
			out[n++] = value ? 's' : phrase[i];
	}
	return n;
}

static size_t phrases(struct lesson *lessons, struct look *looks, uint32_t system)
{
	const char *phrase;
	char text[LEXICON_PHRASE_MAX];
	size_t size, n = 0;
	enum error_class class;
	int strength;
	for (size_t i = 0; lexicon_entry(i, &phrase, &size, &class, &strength); i++) {
		if (strength < 3)
			continue;
		if (lessons) {
			lessons[n] = (struct lesson){.look = &looks[n], .class = class, .system = system};
			look_at(text, spell(phrase, size, text, sizeof text), &looks[n]);
		}
		n++;
	}
	return n;
}

/* The examples, and behind them what the lexicon says outright, as a system of its own that is never held back and
 * never judged: its words are learned where no phrase of it stands whole. */
static enum err_code enrol(struct school *s, const struct example *e, size_t count, struct err *reterr)
{
	enum err_code rc = name_systems(s, e, count, reterr);
	if (rc != ERR_OK)
		return rc;
	s->count = count;
	s->total = count + phrases(NULL, NULL, 0);
	s->lessons = calloc(s->total + 1, sizeof *s->lessons);
	s->looks = calloc(s->total + 1, sizeof *s->looks);
	if (!s->lessons || !s->looks)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu examples", count);
	for (size_t i = 0; i < count; i++) {
		struct lesson *l = &s->lessons[i];
		l->look = &s->looks[i];
		l->class = e[i].class;
		while (strcmp(s->systems[l->system], e[i].system) != 0)
			l->system++;
		s->size[l->system]++;
		look_at(e[i].text, strlen(e[i].text), l->look);
	}
	phrases(s->lessons + count, s->looks + count, s->system_count);
	return ERR_OK;
}

static void leave(struct school *s)
{
	free(s->lessons);
	free(s->looks);
}

static void judge(const struct model *m, struct lesson *l)
{
	model_shares(m, l->look, l->share);
	confidence_signs(l->look, l->share, l->signs);
	l->answer = (uint32_t)shares_first(l->share);
	l->right = l->answer == l->class;
}

/* Round by round, one system held back: first the answers, then, when all of them are there, the confidence. */
static enum err_code hold_back(struct school *s, struct model *m, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (uint32_t k = 0; rc == ERR_OK && k < s->system_count; k++) {
		rc = fit_weights(m, s->lessons, s->total, k, reterr);
		for (size_t i = 0; rc == ERR_OK && i < s->count; i++)
			if (s->lessons[i].system == k)
				judge(m, &s->lessons[i]);
	}
	for (uint32_t k = 0; rc == ERR_OK && k < s->system_count; k++) {
		rc = fit_confidence(m, s->lessons, s->count, k, reterr);
		for (size_t i = 0; rc == ERR_OK && i < s->count; i++)
			if (s->lessons[i].system == k)
				s->lessons[i].confidence = confidence_of(m, s->lessons[i].look, s->lessons[i].signs);
	}
	return rc;
}

/* ---- calibration: pool adjacent violators (Ayer et al. 1955) over the sorted confidences ---- */

struct step {
	double score, right, weight;
};
static int by_confidence(const void *a, const void *b)
{
	const struct lesson *x = *(const struct lesson *const *)a, *y = *(const struct lesson *const *)b;
	if (x->confidence != y->confidence)
		return x->confidence < y->confidence ? -1 : 1;
	return x < y ? -1 : x > y;
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

/* Steps in groups of at least STEP_LEAST answers, then pooled so that they rise. */
static enum err_code calibrate(struct school *s, struct arena *arena, struct list *ret, struct err *reterr)
{
	const struct lesson **sorted = calloc(s->count + 1, sizeof *sorted);
	struct step *steps = calloc(s->count / STEP_LEAST + 2, sizeof *steps);
	size_t n = 0, groups = s->count / STEP_LEAST < MODEL_BINS_MAX ? s->count / STEP_LEAST : MODEL_BINS_MAX;
	groups = groups ? groups : 1;
	struct model_calibration *points = arena_array(arena, groups + 1, sizeof *points);
	if (!sorted || !steps || !points) {
		free(sorted);
		free(steps);
		return err_set(reterr, ERR_NOMEM, "out of memory for a calibration");
	}
	for (size_t i = 0; i < s->count; i++)
		sorted[i] = &s->lessons[i];
	qsort(sorted, s->count, sizeof *sorted, by_confidence);
	for (size_t g = 0; g < groups; g++) {
		struct step next = {0, 0, 0};
		for (size_t i = s->count * g / groups; i < s->count * (g + 1) / groups; i++) {
			next.score += sorted[i]->confidence;
			next.right += sorted[i]->right;
			next.weight++;
		}
		if (next.weight > 0) {
			next.score /= next.weight;
			next.right /= next.weight;
			n = pool(steps, n, next);
		}
	}
	for (size_t i = 0; i < n; i++)
		points[i] = (struct model_calibration){steps[i].score, steps[i].right};
	free(sorted);
	free(steps);
	*ret = (struct list){points, n};
	return ERR_OK;
}

/* ---- what is as good as certain ---- */

static double settled(const struct model_card *card, const struct lesson *l)
{
	return settled_confidence(card, l->look, (enum error_class)l->answer, l->share[l->answer], l->confidence);
}

/* From which share on answers of a class that the lexicon says outright were right often enough, on systems that were
 * held back.  False: from none, or too few of them. */
static bool find_sure(const struct school *s, uint32_t class, struct model_sure *ret)
{
	for (unsigned percent = 50; percent < 99; percent++) {
		double right = 0, all = 0, share = percent / 100.0;
		for (size_t i = 0; i < s->count; i++) {
			const struct lesson *l = &s->lessons[i];
			if (l->answer == class && l->share[class] >= share &&
			    said_outright(l->look, (enum error_class) class)) {
				right += l->right;
				all++;
			}
		}
		if (all < SURE_LEAST)
			return false;
		if (right >= sure * all) {
			*ret = (struct model_sure){class, share, right / all};
			return true;
		}
	}
	return false;
}

static enum err_code find_all_sure(struct school *s, struct arena *arena, struct list *ret, struct err *reterr)
{
	struct model_sure *found = arena_array(arena, ERROR_CLASS_COUNT, sizeof *found);
	size_t n = 0;
	if (!found)
		return err_set(reterr, ERR_NOMEM, "out of memory for a calibration");
	for (uint32_t c = 0; c < ERROR_CLASS_COUNT; c++)
		n += find_sure(s, c, &found[n]);
	*ret = (struct list){found, n};
	return ERR_OK;
}

/* ---- figures ---- */

static double macro_f1(const struct lesson *l, size_t count)
{
	double sum = 0, classes = 0;
	for (uint32_t c = 0; c < ERROR_CLASS_COUNT; c++) {
		double right = 0, given = 0, there = 0;
		for (size_t i = 0; i < count; i++) {
			right += l[i].class == c && l[i].right;
			given += l[i].answer == c;
			there += l[i].class == c;
		}
		if (there > 0) {
			classes++;
			sum += 2 * right / (given + there);
		}
	}
	return classes > 0 ? sum / classes : 0;
}

static void figures(struct school *s, struct model_card *card)
{
	double right = 0, sure_count = 0, sure_right = 0, off[10] = {0};
	for (size_t i = 0; i < s->count; i++) {
		const struct lesson *l = &s->lessons[i];
		double confidence = settled(card, l);
		unsigned bin = (unsigned)(confidence * 10);
		off[bin < 9 ? bin : 9] += confidence - l->right;
		right += l->right;
		sure_count += confidence >= sure;
		sure_right += confidence >= sure && l->right;
	}
	double n = s->count ? (double)s->count : 1, ece = 0;
	for (unsigned b = 0; b < 10; b++)
		ece += fabs(off[b]) / n;
	card->examples = s->count;
	card->accuracy = right / n;
	card->macro_f1 = macro_f1(s->lessons, s->count);
	card->ece = ece;
	card->sure_coverage = sure_count / n;
	card->sure_accuracy = sure_count > 0 ? sure_right / sure_count : 0;
}

static enum err_code each_system(struct school *s, struct arena *arena, struct list *ret, struct err *reterr)
{
	struct model_system *rows = arena_array(arena, s->system_count + 1, sizeof *rows);
	if (!rows)
		return err_set(reterr, ERR_NOMEM, "out of memory for a model's figures");
	for (uint32_t k = 0; k < s->system_count; k++) {
		double right = 0;
		for (size_t i = 0; i < s->count; i++)
			right += s->lessons[i].system == k && s->lessons[i].right;
		rows[k].system = arena_strdup(arena, s->systems[k]);
		rows[k].messages = s->size[k];
		rows[k].accuracy = s->size[k] ? right / (double)s->size[k] : 0;
		if (!rows[k].system)
			return err_set(reterr, ERR_NOMEM, "out of memory for a model's figures");
	}
	*ret = (struct list){rows, s->system_count};
	return ERR_OK;
}

/* Of the examples as they were given, each field ended by a NUL. */
static bool digest_examples(const struct example *e, size_t count, struct digest *ret)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
	for (size_t i = 0; ok && i < count; i++) {
		const char *class = error_class_enum.names[e[i].class];
		ok = EVP_DigestUpdate(ctx, e[i].system, strlen(e[i].system) + 1) == 1 &&
		     EVP_DigestUpdate(ctx, class, strlen(class) + 1) == 1 &&
		     EVP_DigestUpdate(ctx, e[i].text, strlen(e[i].text) + 1) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(ctx, ret->b, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static enum err_code teach(struct school *s, struct model *m, const struct example *e, size_t count, struct err *reterr)
{
	enum err_code rc = enrol(s, e, count, reterr);
	if (rc == ERR_OK && s->system_count < 2)
		rc = err_set(
		    reterr, ERR_INVALID, "examples of at least two systems are needed: one is held back each round");
	if (rc == ERR_OK && !digest_examples(e, count, &m->card.training))
		rc = err_set(reterr, ERR_INTERNAL, "SHA-256 of the examples failed");
	if (rc == ERR_OK)
		rc = hold_back(s, m, reterr);
	if (rc == ERR_OK)
		rc = calibrate(s, m->arena, &m->card.calibration, reterr);
	if (rc == ERR_OK)
		rc = find_all_sure(s, m->arena, &m->card.sure, reterr);
	if (rc == ERR_OK)
		rc = each_system(s, m->arena, &m->card.systems, reterr);
	if (rc != ERR_OK)
		return rc;
	figures(s, &m->card);
	rc = fit_weights(m, s->lessons, s->total, UINT32_MAX, reterr);
	return rc == ERR_OK ? fit_confidence(m, s->lessons, s->count, UINT32_MAX, reterr) : rc;
}

enum err_code model_train(const struct example *examples, size_t count, struct model **ret, struct err *reterr)
{
	struct school school = {0};
	struct model *m;
	enum err_code rc = model_new(&m, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = teach(&school, m, examples, count, reterr);
	leave(&school);
	if (rc != ERR_OK) {
		model_free(m);
		return rc;
	}
	*ret = m;
	return ERR_OK;
}

enum err_code model_evaluate(const struct model *m, const struct example *examples, size_t count, struct arena *arena,
    struct model_card *ret, struct err *reterr)
{
	struct school s = {0};
	struct model_card card = m->card;
	enum err_code rc = enrol(&s, examples, count, reterr);
	for (size_t i = 0; rc == ERR_OK && i < count; i++) {
		judge(m, &s.lessons[i]);
		s.lessons[i].confidence = confidence_of(m, s.lessons[i].look, s.lessons[i].signs);
	}
	if (rc == ERR_OK)
		rc = each_system(&s, arena, &card.systems, reterr);
	if (rc == ERR_OK && !digest_examples(examples, count, &card.training))
		rc = err_set(reterr, ERR_INTERNAL, "SHA-256 of the examples failed");
	if (rc == ERR_OK) {
		figures(&s, &card);
		*ret = card;
	}
	leave(&s);
	return rc;
}
