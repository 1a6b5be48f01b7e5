/* What probes say of what was just done, beside how they stood before. */
#include <string.h>

#include "agent/worker/work.h"
#include "tests/lib/unit.h"

enum { PROBES = 3 };

/* o: good, w: a warning, c: critical, u: not known, for each of three probes; before NULL: nobody knows. */
static enum work_proof judged(const char *before, const char *now, char text[TEXT_LINE_MAX])
{
	static const char *const names[PROBES] = {"page", "check", "socket"};
	static const char letters[] = "owcu";
	static const enum probe_state states[] = {PROBE_OK, PROBE_WARNING, PROBE_CRITICAL, PROBE_UNKNOWN};
	struct probe_result then[PROBES], after[PROBES];
	const struct probe_result *told[PROBES];
	for (size_t i = 0; i < PROBES; i++) {
		then[i] = (struct probe_result){
		    .probe = names[i], .settled = before ? states[strchr(letters, before[i]) - letters] : 0};
		after[i] = (struct probe_result){
		    .probe = names[i], .state = states[strchr(letters, now[i]) - letters], .text = "no answer"};
		told[i] = &after[i];
	}
	struct list list = {then, before ? PROBES : 0};
	return work_judge(&list, told, PROBES, text);
}

static void test_what_passes_is_well_however_it_was(void **state)
{
	(void)state;
	char text[TEXT_LINE_MAX];
	assert_int_equal(judged("ccc", "oow", text), WORK_PROOF_WELL);
	assert_string_equal(text, "");
	assert_int_equal(judged("ooo", "ooo", text), WORK_PROOF_WELL);
	assert_int_equal(judged(NULL, "ooo", text), WORK_PROOF_WELL);
}

static void test_what_helped_against_one_of_two_faults_is_better(void **state)
{
	(void)state;
	char text[TEXT_LINE_MAX];
	assert_int_equal(judged("cco", "oco", text), WORK_PROOF_BETTER);
	assert_string_equal(text, "page passes again, and check fails as it did before: no answer");
	assert_int_equal(judged("ccc", "coc", text), WORK_PROOF_BETTER);
	assert_int_equal(judged("cco", "ouo", text), WORK_PROOF_BETTER);
}

static void test_what_healed_nothing_is_not(void **state)
{
	(void)state;
	char text[TEXT_LINE_MAX];
	assert_int_equal(judged("cco", "cco", text), WORK_PROOF_BAD);
	assert_string_equal(text, "page: no answer");
	assert_int_equal(
	    judged("woo", "oco", text), WORK_PROOF_BAD); /* a warning is no failure, nor is its end a cure */
}

/* It healed one thing and broke another. */
static void test_what_made_something_worse_is_not(void **state)
{
	(void)state;
	char text[TEXT_LINE_MAX];
	assert_int_equal(judged("cco", "occ", text), WORK_PROOF_BAD);
	assert_string_equal(text, "socket: no answer"); /* of what fails it names what had not failed */
	assert_int_equal(judged("ccu", "ooc", text), WORK_PROOF_BAD);
}

static void test_nothing_is_better_than_what_nobody_knows(void **state)
{
	(void)state;
	char text[TEXT_LINE_MAX];
	assert_int_equal(judged(NULL, "oco", text), WORK_PROOF_BAD);
	assert_int_equal(work_judge(&(struct list){0}, NULL, 0, text), WORK_PROOF_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_passes_is_well_however_it_was),
	    cmocka_unit_test(test_what_helped_against_one_of_two_faults_is_better),
	    cmocka_unit_test(test_what_healed_nothing_is_not),
	    cmocka_unit_test(test_what_made_something_worse_is_not),
	    cmocka_unit_test(test_nothing_is_better_than_what_nobody_knows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
