/* What kind of error a message tells of: words, the lexicon, the model and its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/knowledge/beta.h"
#include "controller/knowledge/model_internal.h"

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
		if ((int)strength(text, class) < wanted)
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
	assert_true(card->examples > 1000 && card->systems.count >= 2 && card->accuracy > 0.6 && card->macro_f1 > 0.5);
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
		e[i] = (struct example){
		    i % 2 ? "one" : "two", texts[(i / 2) % 4], (i / 2) % 4 < 2 ? CLASS_INVALID : CLASS_NOT_FOUND};
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
	    cmocka_unit_test(the_shipped_model_answers),
	    cmocka_unit_test(the_same_examples_give_the_same_model),
	    cmocka_unit_test(a_damaged_file_is_refused),
	    cmocka_unit_test(rates_have_intervals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
