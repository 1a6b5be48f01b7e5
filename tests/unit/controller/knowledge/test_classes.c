/* What kind of error a message tells of: words, the lexicon, the model and its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/knowledge/beta.h"
#include "controller/knowledge/examples.h"
#include "controller/knowledge/train.h"
#include "shared/base/openssl.h"

#include <openssl/evp.h>

static void words_are(const char *text, const char *wanted)
{
	struct message_token t[32];
	char got[512] = "";
	size_t n = message_tokens(text, strlen(text), t, 32);
	for (size_t i = 0; i < n; i++) {
		strcat(got, i ? " " : "");
		strcat(got, t[i].text);
	}
	assert_string_equal(got, wanted);
}

static void values_are_left_out(void **state)
{
	(void)state;
	words_are("relation \"%s\" does not exist", "relation % does not exist");
	words_are("can't open {path}: 13", "can not open % : #");
	words_are("GetDiskByURI(%s) failed with error(%v)", "get disk by uri % failed with error %");
	words_are("HTTP 503, code 42P01, took 1234 ms", "http 503 code 42p01 took # ms");
	words_are("", "");
	words_are("%% done", "done");
	words_are("\xff\xfe broken \x01", "broken");
}

static void stems_meet(void **state)
{
	(void)state;
	static const char *const same[][2] = {{"failed", "failing"}, {"timeouts", "timeout"},
	    {"connections", "connection"}, {"unauthorised", "unauthorized"}, {"stopped", "stop"}, {"retries", "retry"},
	    {"restarting", "restarts"}};
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		char a[MESSAGE_TOKEN_MAX], b[MESSAGE_TOKEN_MAX];
		word_stem(same[i][0], a);
		word_stem(same[i][1], b);
		assert_string_equal(a, b);
	}
}

static unsigned certain(const char *text)
{
	struct message_token t[64];
	return lexicon_certain(t, message_tokens(text, strlen(text), t, 64));
}

static unsigned strength(const char *text, enum error_class class)
{
	struct message_token t[64];
	uint8_t worth[ERROR_CLASS_COUNT];
	lexicon_match(t, message_tokens(text, strlen(text), t, 64), worth);
	return worth[class] / LEXICON_STEPS;
}

/* Every phrase is found in a text made of it: a phrase that its own tokens cannot spell would never match. */
static void every_phrase_can_match(void **state)
{
	(void)state;
	const char *phrase;
	size_t size, n = 0;
	enum error_class class;
	int wanted;
	for (; lexicon_entry(n, &phrase, &size, &class, &wanted); n++) {
		char text[256];
		size_t k = 0;
		for (size_t i = 0; i < size && k + 8 < sizeof text; i++) {
			char c = phrase[i];
			if (c == '%')
				k += (size_t)sprintf(text + k, "%%s");
			else if (c == '~' || c == '_')
				k += (size_t)sprintf(text + k, "zz");
			else if (c != '*' && c != '^' && c != '$')
				text[k++] = c;
		}
		text[k] = 0;
		bool found = wanted == 4 ? certain(text) >> class & 1 : (int)strength(text, class) >= wanted;
		if (!found)
			fail_msg("\"%.*s\" does not match \"%s\"", (int)size, phrase, text);
	}
	assert_true(n > 1000);
	assert_false(lexicon_entry(n, &phrase, &size, &class, &wanted));
}

static void the_lexicon_knows_the_standards(void **state)
{
	(void)state;
	assert_int_equal(strength("open /etc/x: Permission denied", CLASS_AUTH), 3);
	assert_int_equal(strength("write: No space left on device", CLASS_RESOURCE), 3);
	assert_int_equal(strength("connect: Connection refused", CLASS_UNAVAILABLE), 3);
	assert_int_equal(strength("context deadline exceeded", CLASS_TIMEOUT_CANCEL), 3);
	assert_int_equal(strength("404 page not found", CLASS_NOT_FOUND), 3);
	assert_int_equal(strength("operation not supported", CLASS_UNSUPPORTED), 3);
	assert_int_equal(strength("deadlock detected", CLASS_CONFLICT), 3);
	assert_int_equal(strength("all is well", CLASS_CONFLICT), 0);
}

/* What says whose fault it is; "not found" and "not supported" do not. */
static void beyond_doubt_is_little(void **state)
{
	(void)state;
	assert_int_equal(certain("open /etc/x: Permission denied"), 1u << CLASS_AUTH);
	assert_int_equal(certain("owner is required"), 1u << CLASS_INVALID);
	assert_int_equal(
	    certain("deadline exceeded: connection refused"), 1u << CLASS_TIMEOUT_CANCEL | 1u << CLASS_UNAVAILABLE);
	assert_int_equal(certain("index not found"), 0);
	assert_int_equal(certain("not supported"), 0);
	assert_int_equal(certain("table \"x\" does not exist"), 0);
	assert_int_equal(certain("start value must be %d or more"), 1u << CLASS_INVALID);
	assert_int_equal(certain("the handler must return an array"), 1u << CLASS_INVALID);
	assert_int_equal(certain(""), 0);
	struct look l;
	look_at("deadline exceeded: connection refused", 37, &l); /* two at once are no certainty */
	assert_false(beyond_doubt(&l, CLASS_TIMEOUT_CANCEL));
	look_at("owner is required", 17, &l);
	assert_true(beyond_doubt(&l, CLASS_INVALID));
	assert_false(beyond_doubt(&l, CLASS_AUTH));
}

/* The same words mean something else where an error from below is handed on. */
static void the_manner_counts(void **state)
{
	(void)state;
	static const char *const texts[] = {"cannot open: %s", "cannot open: %v", "cannot open:%v", "Cannot open: %s",
	    "cannot open: %s."}; /* the third hands nothing on */
	struct features f[5];
	for (size_t i = 0; i < 5; i++) {
		message_features(texts[i], strlen(texts[i]), &f[i]);
		assert_true(f[i].count > 0 && f[i].count < MESSAGE_FEATURES_MAX);
		for (size_t k = 0; k < i; k++)
			assert_true(f[i].count != f[k].count ||
				    memcmp(f[i].items, f[k].items, f[i].count * sizeof *f[i].items) != 0);
	}
	static const char odd[] = "100% %% %-%5.%\0%ld{ %"; /* marks that are none, a NUL, an end in the middle */
	message_features(odd, sizeof odd - 1, &f[0]);
}

/* Of the examples that come with the program each kind has several, each class some; none twice under one class. */
static void our_own_examples_are_whole(void **state)
{
	(void)state;
	struct own_examples c = {0};
	struct own_example e;
	struct err err = ERR_INIT;
	size_t size, n = 0, per_class[ERROR_CLASS_COUNT] = {0};
	bool more = true;
	own_examples_shipped(&c.at, &size);
	c.end = c.at + size;
	for (; own_examples_next(&c, &e, &more, &err) == ERR_OK && more; n++) {
		struct message_token t[64];
		per_class[e.class]++;
		assert_true(e.kind_size > 2 && e.text_size < 200);
		assert_true(message_tokens(e.text, e.text_size, t, 64) > 0);
	}
	if (err.code != ERR_OK)
		fail_msg("%s", err.msg);
	assert_true(n > 2000);
	for (unsigned k = 0; k < ERROR_CLASS_COUNT; k++)
		assert_true(per_class[k] > 30);
}

static enum err_code own_text(const char *text, struct own_example *e, bool *more, struct err *err)
{
	struct own_examples c = {.at = text, .end = text + strlen(text)};
	enum err_code rc = own_examples_next(&c, e, more, err);
	while (rc == ERR_OK && *more)
		rc = own_examples_next(&c, e, more, err);
	return rc;
}

static void own_examples_are_read(void **state)
{
	(void)state;
	struct own_example e = {0};
	struct err err = ERR_INIT;
	bool more;
	assert_int_equal(own_text("# a\n\n@ some kind\n=auth\nno\n=state\nstill so", &e, &more, &err), ERR_OK);
	assert_true(e.class == CLASS_STATE && e.text_size == 8 && memcmp(e.text, "still so", 8) == 0);
	assert_true(e.kind_size == 9 && memcmp(e.kind, "some kind", 9) == 0);
	assert_int_equal(own_text("", &e, &more, &err), ERR_OK);
	assert_int_equal(own_text("@ kind\nno class\n", &e, &more, &err), ERR_INVALID);
	assert_int_equal(own_text("=auth\nno kind\n", &e, &more, &err), ERR_INVALID);
	assert_int_equal(own_text("@ kind\n=auth\na\n@ other\nno class again\n", &e, &more, &err), ERR_INVALID);
	assert_non_null(strstr(err.msg, "line 5"));
	assert_int_equal(own_text("@ kind\n=authentic\n", &e, &more, &err), ERR_INVALID);
	assert_int_equal(own_text("@kind\n", &e, &more, &err), ERR_INVALID);
}

/* ---- the calibration ---- */

enum { JUDGED = 800 };

/* Answers of two systems.  The first half is beyond doubt, and right but for one in `one_wrong_in`; of the others
 * every second is. */
static void answers_of(struct lesson *l, struct look *looks, unsigned one_wrong_in)
{
	memset(looks, 0, 2 * sizeof *looks);
	looks[0].certain = 1u << CLASS_AUTH;
	for (unsigned i = 0; i < JUDGED; i++) {
		bool sure = i < JUDGED / 2;
		l[i] =
		    (struct lesson){.look = &looks[!sure], .system = i % 2, .answer = CLASS_AUTH, .class = CLASS_AUTH};
		l[i].share[CLASS_AUTH] = 0.5 + 0.4 * (i % 97) / 97;
		l[i].right = sure ? i % one_wrong_in != 0 : i / 2 % 2 != 0;
	}
}

static void confidence_is_what_it_turned_out_to_be(void **state)
{
	(void)state;
	struct lesson *l = calloc(JUDGED, sizeof *l);
	struct look *looks = calloc(2, sizeof *looks);
	struct arena *arena = arena_new(1 << 20);
	struct model_card card = {0};
	struct err err = ERR_INIT;
	answers_of(l, looks, 50); /* .98: more than enough */
	assert_int_equal(fit_calibration(&card, arena, l, JUDGED, UINT32_MAX, &err), ERR_OK);
	double sure = calibrated(&card, &looks[0], CLASS_AUTH, 0.8),
	       rest = calibrated(&card, &looks[1], CLASS_AUTH, 0.8);
	assert_true(sure >= 0.95 && sure < 1 && card.sure_right > 0.97);
	assert_true(rest > 0.45 && rest < 0.55);
	double before = 0;
	for (double share = 0; share <= 1; share += 0.01) { /* never the less for a larger share */
		double now = calibrated(&card, &looks[0], CLASS_AUTH, share);
		assert_true(now >= before && now <= 1);
		before = now;
	}
	answers_of(l, looks, 10); /* .90: nothing of it is sure */
	assert_int_equal(fit_calibration(&card, arena, l, JUDGED, UINT32_MAX, &err), ERR_OK);
	assert_true(card.sure_right == 0 && calibrated(&card, &looks[0], CLASS_AUTH, 0.9) < 0.95);
	for (unsigned i = 0; i < JUDGED; i++) /* of the system that is held back nothing is known */
		l[i].right = i % 2 == 1;
	assert_int_equal(fit_calibration(&card, arena, l, JUDGED, 1, &err), ERR_OK);
	assert_true(calibrated(&card, &looks[1], CLASS_AUTH, 0.9) < 0.01);
	assert_int_equal(fit_calibration(&card, arena, l, JUDGED, 0, &err), ERR_OK);
	assert_true(calibrated(&card, &looks[1], CLASS_AUTH, 0.9) > 0.99);
	for (unsigned i = 0; i < JUDGED; i++) /* where more is worse the curve is flat and does not fall */
		l[i].right = l[i].share[CLASS_AUTH] < 0.7;
	assert_int_equal(fit_calibration(&card, arena, l, JUDGED, UINT32_MAX, &err), ERR_OK);
	assert_true(calibrated(&card, &looks[1], CLASS_AUTH, 0.88) > 0.4);
	assert_int_equal(fit_calibration(&card, arena, l, 0, UINT32_MAX, &err), ERR_OK); /* of nothing: the share */
	assert_true(calibrated(&card, &looks[1], CLASS_AUTH, 0.7) == 0.7 && card.sure_right == 0);
	arena_free(arena);
	free(looks);
	free(l);
}

static void the_shipped_model_answers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum error_class class;
	} asked[] = {
	    {"permission denied for table accounts", CLASS_AUTH},
	    {"bucket name is required", CLASS_INVALID},
	    {"user \"x\" not found", CLASS_NOT_FOUND},
	    {"bucket already exists", CLASS_ALREADY_EXISTS},
	    {"method is not implemented", CLASS_UNSUPPORTED},
	    {"too many open files", CLASS_RESOURCE},
	};
	const struct model *m;
	struct err err = ERR_INIT;
	struct verdict v;
	if (model_shipped(&m, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		double sum = 0;
		model_classify(m, asked[i].text, strlen(asked[i].text), &v);
		assert_int_equal(v.class, asked[i].class);
		for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
			sum += v.share[c];
		assert_true(sum > 0.999 && sum < 1.001 && v.confidence > 0 && v.confidence <= 1);
	}
	const struct model_card *card = model_card(m);
	assert_true(
	    card->examples > 1000 && card->systems.count >= 2 && card->accuracy > 0.68 && card->macro_f1 > 0.55);
	assert_true(card->own_examples > 2000 && card->ece <= 0.06 && card->sure_accuracy >= 0.95 &&
		    card->sure_coverage >= 0.15);
	struct own_examples own = {0};
	struct digest digest;
	size_t size;
	own_examples_shipped(&own.at, &size);
	assert_int_equal(EVP_Digest(own.at, size, digest.b, NULL, EVP_sha256(), NULL), 1);
	assert_memory_equal(&digest, &card->own, sizeof digest); /* else: train it anew */
	char *endless = malloc(1 << 20);
	memset(endless, 'x', 1 << 20);
	for (size_t i = 5; i < 1 << 20; i += 7)
		endless[i] = ' ';
	model_classify(m, endless, 1 << 20, &v); /* bounded work, whatever comes */
	model_classify(m, "", 0, &v);
	free(endless);
}

/* Two systems that say the same two things in other words. */
static void examples_of(struct example *e, size_t n)
{
	static const char *const texts[] = {
	    "name is required", "value must be given", "thing was not found", "no such object"};
	for (size_t i = 0; i < n; i++)
		e[i] = (struct example){.system = i % 2 ? "one" : "two",
		    .text = texts[(i / 2) % 4],
		    .class = (i / 2) % 4 < 2 ? CLASS_INVALID : CLASS_NOT_FOUND};
}

/* A third system that calls everything by the wrong name: what is only judged leaves the weights alone, and takes the
 * confidence down. */
static void what_is_judged_is_not_learned(void **state)
{
	(void)state;
	enum { LEARNED = 160, ALL = 480 };
	static struct example e[ALL];
	struct model *without, *with;
	struct err err = ERR_INIT;
	struct verdict v, w;
	examples_of(e, LEARNED);
	for (size_t i = LEARNED; i < ALL; i++)
		e[i] = (struct example){
		    .system = "three", .text = e[i % LEARNED].text, .class = CLASS_CONFLICT, .judge = true};
	assert_int_equal(model_train(e, LEARNED, &without, &err), ERR_OK);
	assert_int_equal(model_train(e, ALL, &with, &err), ERR_OK);
	model_classify(without, "owner is required", 17, &v);
	model_classify(with, "owner is required", 17, &w);
	assert_memory_equal(v.share, w.share, sizeof v.share);
	assert_true(w.confidence < v.confidence - 0.2);
	const struct model_card *card = model_card(with);
	assert_true(card->examples == ALL && card->judged == ALL - LEARNED && card->systems.count == 3);
	assert_true(LIST_AT(card->systems, struct model_system, 1).accuracy == 0);
	assert_memory_not_equal(&card->training, &model_card(without)->training, sizeof card->training);
	model_free(without);
	model_free(with);
	for (size_t i = 0; i < LEARNED; i++)
		e[i].judge = true;
	assert_int_equal(model_train(e, LEARNED, &with, &err), ERR_INVALID); /* there is nothing to learn from */
}

static void the_same_examples_give_the_same_model(void **state)
{
	(void)state;
	struct example e[160];
	struct model *a, *b, *read;
	struct buf x = BUF_INIT, y = BUF_INIT;
	struct err err = ERR_INIT;
	struct verdict v, w;
	examples_of(e, 160);
	assert_int_equal(model_train(e, 160, &a, &err), ERR_OK);
	assert_int_equal(model_train(e, 160, &b, &err), ERR_OK);
	assert_int_equal(model_to_text(a, &x, &err), ERR_OK);
	assert_int_equal(model_to_text(b, &y, &err), ERR_OK);
	assert_true(x.size == y.size && memcmp(x.data, y.data, x.size) == 0);
	assert_true(model_card(a)->accuracy > 0.99 && model_card(a)->systems.count == 2);
	assert_int_equal(model_from_text(buf_str(&x), x.size, &read, &err), ERR_OK);
	model_classify(a, "owner is required", 17, &v);
	model_classify(read, "owner is required", 17, &w);
	assert_int_equal(v.class, CLASS_INVALID);
	assert_int_equal(w.class, v.class);
	assert_true(w.share[w.class] > v.share[v.class] - 0.02 && w.share[w.class] < v.share[v.class] + 0.02);
	assert_int_equal(model_train(e, 1, &b, &err), ERR_INVALID);
	model_free(a);
	model_free(read);
	model_free(b);
	buf_done(&x);
	buf_done(&y);
}

static void a_damaged_file_is_refused(void **state)
{
	(void)state;
	const struct model *shipped;
	struct model *m = NULL;
	struct buf x = BUF_INIT;
	struct err err = ERR_INIT;
	assert_int_equal(model_shipped(&shipped, &err), ERR_OK);
	assert_int_equal(model_to_text(shipped, &x, &err), ERR_OK);
	assert_int_equal(model_from_text(buf_str(&x), x.size / 2, &m, &err), ERR_INVALID);
	size_t whole = x.size - 2;
	while (x.data[whole - 1] != '\n')
		whole--;
	assert_int_equal(model_from_text(buf_str(&x), whole, &m, &err), ERR_INVALID); /* a line is missing */
	assert_int_equal(model_from_text(buf_str(&x), 5, &m, &err), ERR_INVALID);
	assert_int_equal(model_from_text("", 0, &m, &err), ERR_INVALID);
	x.data[x.size - 10] = '!';
	assert_int_equal(model_from_text(buf_str(&x), x.size, &m, &err), ERR_INVALID);
	assert_non_null(strstr(err.msg, "line"));
	x.data[x.size - 10] = 'A';
	memcpy(strstr((char *)x.data, "words-"), "wards-", 6);
	assert_int_equal(model_from_text(buf_str(&x), x.size, &m, &err), ERR_UNSUPPORTED);
	assert_null(m);
	buf_done(&x);
}

static void near(double got, double wanted)
{
	if (got < wanted - 5e-4 || got > wanted + 5e-4)
		fail_msg("%.5f, expected %.5f", got, wanted);
}

/* Quantiles of Beta distributions with closed forms: flat, x^n, and a symmetric one from tables. */
static void rates_have_intervals(void **state)
{
	(void)state;
	struct success_rate flat = success_rate_of(0, 0), nine = success_rate_of(9, 0), none = success_rate_of(0, 4);
	near(flat.mean, 0.5);
	near(flat.low, 0.05);
	near(flat.high, 0.95);
	near(nine.mean, 10.0 / 11);
	near(nine.low, 0.74113);                          /* 0.05^(1/10) */
	near(nine.high, 0.99488);                         /* 0.95^(1/10) */
	near(none.low, 0.01021);                          /* 1 - 0.95^(1/5) */
	near(none.high, 0.45072);                         /* 1 - 0.05^(1/5) */
	struct success_rate even = success_rate_of(4, 4); /* Beta(5, 5) */
	near(even.low, 0.25137);
	near(even.high, 0.74863);
	struct success_rate many = success_rate_of(900000, 100000);
	assert_true(many.low > 0.899 && many.high < 0.901);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_left_out),
	    cmocka_unit_test(stems_meet),
	    cmocka_unit_test(every_phrase_can_match),
	    cmocka_unit_test(the_lexicon_knows_the_standards),
	    cmocka_unit_test(beyond_doubt_is_little),
	    cmocka_unit_test(the_manner_counts),
	    cmocka_unit_test(our_own_examples_are_whole),
	    cmocka_unit_test(own_examples_are_read),
	    cmocka_unit_test(confidence_is_what_it_turned_out_to_be),
	    cmocka_unit_test(the_shipped_model_answers),
	    cmocka_unit_test(what_is_judged_is_not_learned),
	    cmocka_unit_test(the_same_examples_give_the_same_model),
	    cmocka_unit_test(a_damaged_file_is_refused),
	    cmocka_unit_test(rates_have_intervals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
