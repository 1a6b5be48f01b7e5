#include <string.h>

#include "controller/anomaly/relations.h"
#include "tests/lib/unit.h"

/* Kinds as letters from 'a'. */
static size_t kinds_of(const char *text, uint32_t *ret)
{
	size_t n = 0;
	for (; text[n]; n++)
		ret[n] = (uint32_t)(text[n] - 'a');
	return n;
}

static double broken(struct relations *r, const char *text)
{
	uint32_t e[64];
	return relations_broken(r, e, kinds_of(text, e));
}

static void learn(struct relations *r, const char *text, int by)
{
	uint32_t e[64];
	relations_learn(r, e, kinds_of(text, e), by);
}

/* a before b before c, as many b as a; d now and then, anywhere. */
static void learn_all(struct relations *r)
{
	static const uint32_t sessions[] = {100, 100, 100, 20};
	assert_true(relations_init(r, sessions, 4));
	for (int i = 0; i < 25; i++) {
		learn(r, "abc", 1);
		learn(r, "aabbc", 1);
		learn(r, i % 5 ? "ababc" : "dababc", 1);
		learn(r, i % 5 ? "abababc" : "ababdabc", 1);
	}
}

static void test_what_always_holds_is_missed(void **state)
{
	(void)state;
	struct relations r;
	learn_all(&r);
	assert_true(broken(&r, "abc") == 0);
	assert_true(broken(&r, "dabababababc") == 0);
	assert_true(broken(&r, "baabc") > 4);   /* the first b before the first a: 1 in 102 */
	assert_true(broken(&r, "abcab") > 4);   /* a and b behind the last c */
	assert_true(broken(&r, "aabbbc") > 4);  /* more b than a */
	assert_true(broken(&r, "ab") > 4);      /* no c at all */
	assert_true(broken(&r, "abcxyz") == 0); /* kinds that are not known have no relations */
	assert_true(broken(&r, "") == 0);
	relations_done(&r);
}

/* One normal session against it makes a relation hold less surely; taken back, it is as before. */
static void test_a_session_can_be_taken_back(void **state)
{
	(void)state;
	struct relations r;
	learn_all(&r);
	double before = broken(&r, "bac");
	learn(&r, "bac", 1);
	double less = broken(&r, "bac");
	assert_true(less < before && less > 3);
	learn(&r, "bac", -1);
	assert_true(broken(&r, "bac") == before);
	relations_done(&r);
}

/* The commonest kinds have relations, and no more of them than there is room for. */
static void test_kinds_are_bounded(void **state)
{
	(void)state;
	enum { KINDS = 1000 };
	static uint32_t sessions[KINDS];
	struct relations r;
	for (uint32_t k = 0; k < KINDS; k++)
		sessions[k] = k;
	assert_true(relations_init(&r, sessions, KINDS));
	static const uint32_t common[] = {KINDS - 1, KINDS - 2}, turned[] = {KINDS - 2, KINDS - 1}, rare[] = {0, 1},
			      rare_turned[] = {1, 0};
	for (int i = 0; i < 100; i++) {
		relations_learn(&r, common, 2, 1);
		relations_learn(&r, rare, 2, 1);
	}
	assert_true(relations_broken(&r, common, 2) == 0);
	assert_true(relations_broken(&r, turned, 2) > 4);
	assert_true(relations_broken(&r, rare_turned, 2) == 0);
	relations_done(&r);
	assert_true(relations_init(&r, sessions, 0)); /* of nothing */
	assert_true(relations_broken(&r, rare, 2) == 0);
	relations_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_always_holds_is_missed),
	    cmocka_unit_test(test_a_session_can_be_taken_back),
	    cmocka_unit_test(test_kinds_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
