#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/sequence.h"
#include "shared/base/random.h"
#include "tests/lib/unit.h"

static struct err err;
static struct random rnd;

/* One word a letter. */
static size_t events_of(const char *text, uint64_t *ret)
{
	size_t n = 0;
	for (; text[n]; n++)
		ret[n] = sequence_event(text + n, 1);
	return n;
}

/* A task: it begins, reads two to five times, sometimes retries, writes thrice, sometimes in another order, and ends.
 */
static const char *task(char *out)
{
	char *p = out;
	*p++ = 'b';
	for (uint64_t i = 2 + random_below(&rnd, 4); i; i--)
		*p++ = 'r';
	if (random_below(&rnd, 4) == 0)
		*p++ = 't';
	for (int i = 0; i < 3; i++) {
		bool turned = random_below(&rnd, 3) == 0;
		*p++ = turned ? 'k' : 'w';
		*p++ = turned ? 'w' : 'k';
	}
	*p++ = 'e';
	*p = 0;
	return out;
}

static struct sequence_model *learnt(size_t sessions)
{
	struct sequence_model *m = NULL;
	char text[64];
	uint64_t events[64];
	random_init_seed(&rnd, 11);
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	for (size_t i = 0; i < sessions; i++)
		assert_int_equal(sequence_model_learn(m, events, events_of(task(text), events), &err), ERR_OK);
	assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
	return m;
}

static double score_events(struct sequence_model *m, const uint64_t *events, size_t count)
{
	double nats = -1;
	assert_int_equal(sequence_model_measure(m, events, count, &nats, &err), ERR_OK);
	double score = sequence_model_score(m, nats);
	assert_true(nats >= 0 && score >= 0 && score <= 1);
	return score;
}

static double score_of(struct sequence_model *m, const char *text)
{
	uint64_t events[256];
	return score_events(m, events, events_of(text, events));
}

static void test_normal_sessions_are_normal(void **state)
{
	(void)state;
	struct sequence_model *m = learnt(2000);
	char text[64];
	int wrong = 0;
	for (int i = 0; i < 3000; i++)
		wrong += score_of(m, task(text)) >= 0.5;
	assert_true(wrong <= 9); /* .3 % */
	sequence_model_free(m);
}

static void test_what_is_never_seen_is_told(void **state)
{
	(void)state;
	struct sequence_model *m = learnt(2000);
	assert_true(score_of(m, "brrrwkwkwke") < 0.5);
	assert_true(score_of(m, "brrrwkwxkwke") >= 0.5); /* another kind of event */
	assert_true(score_of(m, "brrrwkwke") >= 0.5);    /* one write too few */
	assert_true(score_of(m, "brrr") >= 0.5);         /* broken off */
	assert_true(score_of(m, "brrrwkwkwkwkwke") >= 0.5);
	assert_true(score_of(m, "ewkwkwkrrrb") >= 0.5); /* the right counts, the wrong way round */
	assert_true(score_of(m, "") >= 0.5);
	sequence_model_free(m);
}

/* Known pairs and the usual counts, in an order of three that was never there. */
static void test_order_is_more_than_pairs(void **state)
{
	(void)state;
	struct sequence_model *m = NULL;
	uint64_t events[16];
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(
		    sequence_model_learn(m, events, events_of(i % 2 ? "axb_cxd" : "cxd_axb", events), &err), ERR_OK);
	assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
	assert_true(score_of(m, "axb_cxd") < 0.5);
	assert_true(score_of(m, "axd_cxb") >= 0.5);
	sequence_model_free(m);
}

static void test_few_sessions_suffice_for_a_little(void **state)
{
	(void)state;
	struct sequence_model *m = learnt(60);
	char text[64];
	int wrong = 0;
	for (int i = 0; i < 500; i++)
		wrong += score_of(m, task(text)) >= 0.5;
	assert_true(wrong <= 25);
	assert_true(score_of(m, "bxxyyzz") >= 0.5);
	sequence_model_free(m);
}

static void test_one_session_of_each(void **state)
{
	(void)state;
	struct sequence_model *m = NULL;
	uint64_t events[8];
	double nats;
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	assert_int_equal(sequence_model_fit(m, &err), ERR_STATE);
	assert_int_equal(sequence_model_measure(m, events, 0, &nats, &err), ERR_STATE);
	assert_int_equal(sequence_model_learn(m, events, events_of("abc", events), &err), ERR_OK);
	assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
	assert_int_equal(sequence_model_learn(m, events, 0, &err), ERR_STATE);
	assert_true(score_of(m, "abc") < 0.5);
	assert_true(score_of(m, "xyz") >= 0.5);
	sequence_model_free(m);
}

static void test_a_model_of_empty_sessions(void **state)
{
	(void)state;
	struct sequence_model *m = NULL;
	uint64_t none = 0;
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	for (int i = 0; i < 30; i++)
		assert_int_equal(sequence_model_learn(m, &none, 0, &err), ERR_OK);
	assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
	assert_true(score_of(m, "") < 0.5);
	assert_true(score_of(m, "abcdef") >= 0.5);
	sequence_model_free(m);
}

enum { BATCH_EVENTS = 1 << 16, BATCH_SESSIONS = 4096 };
static uint64_t batch_events[BATCH_EVENTS];
static size_t batch_ends[BATCH_SESSIONS], batch_count;

static void batch_add(const uint64_t *events, size_t count)
{
	size_t at = batch_count ? batch_ends[batch_count - 1] : 0;
	assert_true(at + count <= BATCH_EVENTS && batch_count < BATCH_SESSIONS);
	memcpy(batch_events + at, events, count * sizeof *events);
	batch_ends[batch_count++] = at + count;
}

static const double *judged(struct sequence_model *m)
{
	static double scores[BATCH_SESSIONS];
	assert_int_equal(sequence_model_judge(m, batch_events, batch_ends, batch_count, scores, &err), ERR_OK);
	batch_count = 0;
	return scores;
}

/* Every fifth session brings a word of its own, and normal ones do, too: a new word alone tells little.  One that turns
 * up in many sessions of a batch, and in none of as many normal ones, tells all. */
static void test_a_batch_tells_more_than_one(void **state)
{
	(void)state;
	enum { LEARN = 500, BATCH = 400, STRANGE = 4 };
	struct sequence_model *m = NULL;
	uint64_t events[16];
	double alone = 0;
	random_init_seed(&rnd, 21);
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	for (size_t i = 0; i < LEARN + BATCH; i++) {
		bool strange = i >= LEARN && i % STRANGE == 0;
		size_t n = events_of(strange ? "brrXwke" : "brrrwke", events);
		if (!strange && random_below(&rnd, 5) == 0)
			events[3] = random_u64(&rnd);
		if (i == LEARN)
			assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
		if (i < LEARN)
			assert_int_equal(sequence_model_learn(m, events, n, &err), ERR_OK);
		else
			batch_add(events, n);
		if (strange && alone == 0)
			alone = score_events(m, events, n);
	}
	assert_true(alone < 0.5);
	const double *scores = judged(m);
	for (size_t i = 0; i < BATCH; i++)
		assert_int_equal(scores[i] >= 0.5, i % STRANGE == 0);
	sequence_model_free(m);
}

/* Sessions of very different lengths bring new words, the longer the more, and by that alone look strange; in a batch
 * it shows that this sets nobody apart, and that a word that often comes with it does. */
static void test_a_batch_shows_what_is_only_noise(void **state)
{
	(void)state;
	enum { LEARN = 600, BATCH = 900, STRANGE = 6, LONGEST = 60 };
	struct sequence_model *m = NULL;
	uint64_t events[LONGEST + 1];
	size_t missed = 0, wrong = 0;
	random_init_seed(&rnd, 23);
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	for (size_t i = 0; i < LEARN + BATCH; i++) {
		size_t n = 2 + random_below(&rnd, random_below(&rnd, 4) ? 8 : LONGEST - 2);
		for (size_t k = 0; k < n; k++)
			events[k] = random_below(&rnd, 15) ? random_below(&rnd, 6) : 10 + random_below(&rnd, 100000);
		if (i >= LEARN && i % STRANGE == 0)
			events[random_below(&rnd, n)] = 8 + random_below(&rnd, 2); /* words of no normal session */
		if (i == LEARN)
			assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
		if (i < LEARN)
			assert_int_equal(sequence_model_learn(m, events, n, &err), ERR_OK);
		else
			batch_add(events, n);
	}
	const double *scores = judged(m);
	for (size_t i = 0; i < BATCH; i++) {
		missed += i % STRANGE == 0 && scores[i] < 0.5;
		wrong += i % STRANGE && scores[i] >= 0.5;
	}
	assert_true(missed <= 3 && wrong <= 3);
	sequence_model_free(m);
}

/* As often as always, but in a row. */
static void test_a_run_is_told(void **state)
{
	(void)state;
	struct sequence_model *m = NULL;
	uint64_t events[64];
	random_init_seed(&rnd, 24);
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	for (size_t i = 0; i < 1000; i++) {
		size_t n = 30 + random_below(&rnd, 20);
		for (size_t k = 0; k < n; k++)
			events[k] = random_below(&rnd, 3);
		assert_int_equal(sequence_model_learn(m, events, n, &err), ERR_OK);
	}
	assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
	for (size_t k = 0; k < 45; k++)
		events[k] = k % 3;
	assert_true(score_events(m, events, 45) < 0.5);
	for (size_t k = 0; k < 45; k++)
		events[k] = k < 14 ? 0 : 1 + k % 2 - (k % 11 == 0);
	assert_true(score_events(m, events, 45) >= 0.5);
	sequence_model_free(m);
}

/* What normal sessions have, too, may become as frequent as it likes. */
static void test_drift_marks_nobody(void **state)
{
	(void)state;
	enum { LEARN = 1000, BATCH = 1000 };
	struct sequence_model *m = NULL;
	uint64_t events[16];
	random_init_seed(&rnd, 22);
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	for (size_t i = 0; i < LEARN; i++) {
		size_t n = events_of(random_below(&rnd, 6) ? "brrrwke" : "brtrrwke", events);
		assert_int_equal(sequence_model_learn(m, events, n, &err), ERR_OK);
	}
	assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
	for (size_t i = 0; i < BATCH; i++)
		batch_add(events, events_of(random_below(&rnd, 2) ? "brrrwke" : "brtrrwke", events));
	const double *scores = judged(m);
	for (size_t i = 0; i < BATCH; i++)
		assert_true(scores[i] < 0.5);
	sequence_model_free(m);
}

/* In a batch of normal sessions hardly any is told; few are judged as each alone; the model stays as it was. */
static void test_a_normal_batch_moves_nothing(void **state)
{
	(void)state;
	struct sequence_model *m = learnt(2000);
	char text[64];
	uint64_t events[64];
	size_t wrong = 0;
	for (size_t i = 0; i < 1000; i++)
		batch_add(events, events_of(task(text), events));
	double before = sequence_model_score(m, 5);
	const double *scores = judged(m);
	for (size_t i = 0; i < 1000; i++)
		wrong += scores[i] >= 0.5;
	assert_true(wrong <= 3);
	assert_true(sequence_model_score(m, 5) == before);
	size_t n = events_of("brrrwkwxkwke", events);
	batch_add(events, n);
	scores = judged(m);
	assert_true(scores[0] == score_events(m, events, n));
	(void)judged(m); /* none at all */
	sequence_model_free(m);
}

/* More sessions, kinds and events than are kept: an answer all the same. */
static void test_limits_bound_what_is_kept(void **state)
{
	(void)state;
	struct sequence_model *m = NULL;
	uint64_t *events = calloc(SEQUENCE_EVENTS_MAX + 10, sizeof *events);
	assert_non_null(events);
	random_init_seed(&rnd, 5);
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	for (size_t i = 0; i < SEQUENCE_SESSIONS_MAX + 1000; i++) {
		size_t count = i % 10000 == 0 ? SEQUENCE_EVENTS_MAX + 10 : 3;
		for (size_t k = 0; k < count; k++)
			events[k] = count > 3 ? random_u64(&rnd) : k;
		assert_int_equal(sequence_model_learn(m, events, count, &err), ERR_OK);
	}
	assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
	for (size_t k = 0; k < 300; k++)
		events[k] = k % 3;
	assert_true(score_events(m, events, 3) < 0.5);
	assert_true(score_events(m, events, 300) >= 0.5);
	assert_true(score_events(m, events, SEQUENCE_EVENTS_MAX + 10) >= 0);
	sequence_model_free(m);
	free(events);
}

/* Steps of a walk that now and then leaves its way; a strange one is lost for a while. */
static size_t walk(uint64_t *events, size_t count, size_t lost)
{
	for (size_t i = 0, at = 0; i < count; i++) {
		bool leap = i < lost || random_below(&rnd, 40) == 0;
		at = leap ? random_below(&rnd, 20) : (at + 1 + random_below(&rnd, 2)) % 20;
		events[i] = at;
	}
	return count;
}

/* Few normal sessions do not show how far others reach.  Where all strange ones lie far out, those are told, and none
 * of the normal ones between, though it lies beyond all that were learnt. */
static void test_the_limit_lies_where_a_batch_is_parted(void **state)
{
	(void)state;
	enum { LEARN = 100, BATCH = 900, STRANGE = 6 };
	struct sequence_model *m = NULL;
	uint64_t events[64];
	size_t missed = 0, wrong = 0;
	random_init_seed(&rnd, 29);
	assert_int_equal(sequence_model_new(&m, &err), ERR_OK);
	for (size_t i = 0; i < LEARN; i++)
		assert_int_equal(sequence_model_learn(m, events, walk(events, 40, 0), &err), ERR_OK);
	assert_int_equal(sequence_model_fit(m, &err), ERR_OK);
	for (size_t i = 0; i < BATCH; i++)
		batch_add(events, walk(events, 40, i % STRANGE == 0 ? 40 : 0));
	const double *scores = judged(m);
	for (size_t i = 0; i < BATCH; i++) {
		missed += i % STRANGE == 0 && scores[i] < 0.5;
		wrong += i % STRANGE && scores[i] >= 0.5;
	}
	assert_true(missed + wrong <= 4);
	sequence_model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_normal_sessions_are_normal),
	    cmocka_unit_test(test_what_is_never_seen_is_told),
	    cmocka_unit_test(test_order_is_more_than_pairs),
	    cmocka_unit_test(test_few_sessions_suffice_for_a_little),
	    cmocka_unit_test(test_one_session_of_each),
	    cmocka_unit_test(test_a_model_of_empty_sessions),
	    cmocka_unit_test(test_a_batch_tells_more_than_one),
	    cmocka_unit_test(test_a_batch_shows_what_is_only_noise),
	    cmocka_unit_test(test_the_limit_lies_where_a_batch_is_parted),
	    cmocka_unit_test(test_a_run_is_told),
	    cmocka_unit_test(test_drift_marks_nobody),
	    cmocka_unit_test(test_a_normal_batch_moves_nothing),
	    cmocka_unit_test(test_limits_bound_what_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
