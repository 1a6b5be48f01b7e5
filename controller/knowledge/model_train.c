/* controller/knowledge/model_train.c: making a model from examples, with figures that can be believed: every example is
 * judged by weights that have not seen its system, and its confidence by one that has not either. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/knowledge/examples.h"
#include "controller/knowledge/train.h"
#include "shared/base/openssl.h"

#include <openssl/evp.h>

static const double sure = 0.95; /* for the card's figures */

struct school {
	struct lesson *lessons;
	struct look *looks;
	const char *systems[MODEL_SYSTEMS_MAX];
	uint64_t size[MODEL_SYSTEMS_MAX];
	bool learned[MODEL_SYSTEMS_MAX]; /* from any of its examples */
	uint32_t system_count;
	size_t count, total; /* examples; with what came with the program and what the lexicon adds */
	size_t own;          /* that came with the program */
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
		if (k == EXAMPLE_SYSTEMS_MAX)
			return err_set(reterr, ERR_LIMIT, "more than %d systems", EXAMPLE_SYSTEMS_MAX);
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

/* With lessons NULL: only counts. */
static size_t phrases(struct lesson *lessons, struct look *looks, uint32_t system)
{
	const char *phrase;
	char text[LEXICON_PHRASE_MAX];
	size_t size, n = 0;
	enum error_class class;
	int strength;
	for (size_t i = 0; lexicon_entry(i, &phrase, &size, &class, &strength); i++) {
		if (strength != 3)
			continue;
		if (lessons) {
			lessons[n] = (struct lesson){.look = &looks[n], .class = class, .system = system, .own = true};
			look_at(text, spell(phrase, size, text, sizeof text), &looks[n]);
		}
		n++;
	}
	return n;
}

/* What came with the program: each kind of software is a system from `system` on.  With lessons NULL: only counts. */
static enum err_code own_examples(struct lesson *lessons, struct look *looks, uint32_t system, size_t *ret_count,
    uint32_t *ret_systems, struct err *reterr)
{
	struct own_examples cursor = {0};
	struct own_example e;
	const char *kind = NULL;
	size_t n = 0, size;
	uint32_t kinds = 0;
	bool more = true;
	own_examples_shipped(&cursor.at, &size);
	cursor.end = cursor.at + size;
	for (;;) {
		enum err_code rc = own_examples_next(&cursor, &e, &more, reterr);
		if (rc != ERR_OK)
			return rc;
		if (!more)
			break;
		kinds += e.kind != kind;
		kind = e.kind;
		if (lessons) {
			lessons[n] = (struct lesson){
			    .look = &looks[n], .class = e.class, .system = system + kinds - 1, .own = true};
			look_at(e.text, e.text_size, &looks[n]);
		}
		n++;
	}
	*ret_count = n;
	*ret_systems = kinds;
	return kinds < MODEL_SYSTEMS_MAX - EXAMPLE_SYSTEMS_MAX
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "examples: more kinds of software than %d",
			 MODEL_SYSTEMS_MAX - EXAMPLE_SYSTEMS_MAX - 1);
}

/* The examples; behind them those that came with the program, and what the lexicon says outright as one more system:
 * they are learned, never held back and never judged. */
static enum err_code enrol(struct school *s, const struct example *e, size_t count, struct err *reterr)
{
	uint32_t kinds = 0;
	enum err_code rc = name_systems(s, e, count, reterr);
	if (rc == ERR_OK)
		rc = own_examples(NULL, NULL, 0, &s->own, &kinds, reterr);
	if (rc != ERR_OK)
		return rc;
	s->count = count;
	s->total = count + s->own + phrases(NULL, NULL, 0);
	s->lessons = calloc(s->total + 1, sizeof *s->lessons);
	s->looks = calloc(s->total + 1, sizeof *s->looks);
	if (!s->lessons || !s->looks)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu examples", count);
	for (size_t i = 0; i < count; i++) {
		struct lesson *l = &s->lessons[i];
		l->look = &s->looks[i];
		l->class = e[i].class;
		l->apart = e[i].judge;
		while (strcmp(s->systems[l->system], e[i].system) != 0)
			l->system++;
		s->size[l->system]++;
		s->learned[l->system] |= !l->apart;
		look_at(e[i].text, strlen(e[i].text), l->look);
	}
	rc = own_examples(s->lessons + count, s->looks + count, s->system_count, &s->own, &kinds, reterr);
	phrases(s->lessons + count + s->own, s->looks + count + s->own, s->system_count + kinds);
	return rc;
}

static void leave(struct school *s)
{
	free(s->lessons);
	free(s->looks);
}

static void judge(const struct model *m, struct lesson *l)
{
	model_shares(m, l->look, l->share);
	l->answer = (uint32_t)shares_first(l->share);
	l->right = l->answer == l->class;
}

static void trust(const struct model_card *card, struct lesson *l)
{
	l->confidence = calibrated(card, l->look, (enum error_class)l->answer, l->share[l->answer]);
}

static void judge_system(const struct model *m, struct school *s, uint32_t system)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->lessons[i].system == system)
			judge(m, &s->lessons[i]);
}

/* Round by round, one system held back, and at last the weights of all: by those the systems are judged that nothing
 * was learned from.  Leaves m with these weights. */
static enum err_code learn_and_judge(struct school *s, struct model *m, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (uint32_t k = 0; rc == ERR_OK && k < s->system_count; k++) {
		if (!s->learned[k])
			continue;
		rc = fit_weights(m, s->lessons, s->total, k, reterr);
		if (rc == ERR_OK)
			judge_system(m, s, k);
	}
	if (rc == ERR_OK)
		rc = fit_weights(m, s->lessons, s->total, UINT32_MAX, reterr);
	for (uint32_t k = 0; rc == ERR_OK && k < s->system_count; k++)
		if (!s->learned[k])
			judge_system(m, s, k);
	return rc;
}

/* When all answers are there: the confidence, by a calibration that leaves the same system out. */
static enum err_code trust_all(struct school *s, struct model *m, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (uint32_t k = 0; rc == ERR_OK && k < s->system_count; k++) {
		struct model_card card = m->card;
		rc = fit_calibration(&card, m->arena, s->lessons, s->count, k, reterr);
		for (size_t i = 0; rc == ERR_OK && i < s->count; i++)
			if (s->lessons[i].system == k)
				trust(&card, &s->lessons[i]);
	}
	return rc;
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
	uint64_t judged = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct lesson *l = &s->lessons[i];
		double confidence = l->confidence;
		unsigned bin = (unsigned)(confidence * 10);
		off[bin < 9 ? bin : 9] += confidence - l->right;
		right += l->right;
		judged += l->apart;
		sure_count += confidence >= sure;
		sure_right += confidence >= sure && l->right;
	}
	double n = s->count ? (double)s->count : 1, ece = 0;
	for (unsigned b = 0; b < 10; b++)
		ece += fabs(off[b]) / n;
	card->examples = s->count;
	card->judged = judged;
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
		     EVP_DigestUpdate(ctx, e[i].text, strlen(e[i].text) + 1) == 1 &&
		     (!e[i].judge || EVP_DigestUpdate(ctx, "judge", sizeof "judge") == 1);
	}
	ok = ok && EVP_DigestFinal_ex(ctx, ret->b, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool digest_own(struct digest *ret)
{
	const char *text;
	size_t size;
	own_examples_shipped(&text, &size);
	return EVP_Digest(text, size, ret->b, NULL, EVP_sha256(), NULL) == 1;
}

static enum err_code teach(struct school *s, struct model *m, const struct example *e, size_t count, struct err *reterr)
{
	enum err_code rc = enrol(s, e, count, reterr);
	uint32_t learned = 0;
	for (uint32_t k = 0; k < s->system_count; k++)
		learned += s->learned[k];
	if (rc == ERR_OK && learned < 2)
		rc = err_set(
		    reterr, ERR_INVALID, "examples of at least two systems are needed: one is held back each round");
	m->card.own_examples = s->own;
	if (rc == ERR_OK && (!digest_examples(e, count, &m->card.training) || !digest_own(&m->card.own)))
		rc = err_set(reterr, ERR_INTERNAL, "SHA-256 of the examples failed");
	if (rc == ERR_OK)
		rc = learn_and_judge(s, m, reterr);
	if (rc == ERR_OK)
		rc = trust_all(s, m, reterr);
	if (rc == ERR_OK)
		rc = fit_calibration(&m->card, m->arena, s->lessons, s->count, UINT32_MAX, reterr);
	if (rc == ERR_OK)
		rc = each_system(s, m->arena, &m->card.systems, reterr);
	if (rc != ERR_OK)
		return rc;
	figures(s, &m->card);
	return ERR_OK;
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
		trust(&m->card, &s.lessons[i]);
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
