/* Exit codes, every one of them: what failed in part must never look like success (P28). */
#include "tests/unit/controller/cli/fake.h"

static void of_errors(void **state)
{
	(void)state;
	static const int wanted[ERR_CODE_COUNT] = {
	    [ERR_OK] = 0,
	    [ERR_INVALID] = 2,
	    [ERR_NOMEM] = 1,
	    [ERR_IO] = 1,
	    [ERR_NOT_FOUND] = 4,
	    [ERR_EXISTS] = 1,
	    [ERR_STATE] = 1,
	    [ERR_LIMIT] = 1,
	    [ERR_CORRUPT] = 1,
	    [ERR_DENIED] = 3,
	    [ERR_TIMEOUT] = 7,
	    [ERR_UNREACHABLE] = 5,
	    [ERR_FULL] = 1,
	    [ERR_CANCELLED] = 1,
	    [ERR_BUSY] = 1,
	    [ERR_UNSUPPORTED] = 1,
	    [ERR_INTERNAL] = 1,
	};
	for (int i = 0; i < ERR_CODE_COUNT; i++)
		assert_int_equal(exit_of_error((enum err_code)i), wanted[i]);
	assert_int_equal(exit_of_error(ERR_CODE_COUNT), 1);
}

static const int outcomes[ORDER_OUTCOME_COUNT] = {
    [ORDER_OPEN] = 7,
    [ORDER_OK] = 0,
    [ORDER_OK_WITH_EXCEPTIONS] = 6,
    [ORDER_REVERTED] = 1,
    [ORDER_FAILED_DIRTY] = 1,
    [ORDER_REFUSED] = 3,
    [ORDER_EXPIRED] = 7,
    [ORDER_CANCELLED] = 1,
    [ORDER_UNREACHABLE] = 5,
};

static void of_outcomes(void **state)
{
	(void)state;
	for (int i = 0; i < ORDER_OUTCOME_COUNT; i++)
		assert_int_equal(exit_of_outcome((enum order_outcome)i), outcomes[i]);
	assert_int_equal(exit_of_outcome(ORDER_OUTCOME_COUNT), 1);
}

static void of_changes(void **state)
{
	(void)state;
	for (int s = 0; s <= CHANGE_STATE_COUNT; s++)
		for (int o = 0; o < ORDER_OUTCOME_COUNT; o++) {
			int code = (int)exit_of_change((enum change_state)s, (enum order_outcome)o);
			assert_true(
			    code != 0 || (s == CHANGE_COMPLETED && o == ORDER_OK)); /* the only success there is */
			if (s == CHANGE_COMPLETED)
				assert_int_equal(code, outcomes[o]);
			if (s == CHANGE_FAILED)
				assert_int_equal(code, o == ORDER_OK || o == ORDER_OPEN ? 1 : outcomes[o]);
			if (s == CHANGE_REJECTED)
				assert_int_equal(code, 3);
			if (s == CHANGE_CANCELLED)
				assert_int_equal(code, 1);
			if (s == CHANGE_EXPIRED || s <= CHANGE_VALIDATING)
				assert_int_equal(code, 7);
		}
}

static void of_answers(void **state)
{
	(void)state;
	static const struct {
		int status;
		enum err_code code;
	} all[] = {{400, ERR_INVALID}, {401, ERR_DENIED}, {403, ERR_DENIED}, {404, ERR_NOT_FOUND}, {409, ERR_STATE},
	    {413, ERR_LIMIT}, {429, ERR_BUSY}, {500, ERR_IO}, {503, ERR_BUSY}, {504, ERR_TIMEOUT}, {200, ERR_IO},
	    {0, ERR_IO}};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		assert_int_equal(error_of_answer(all[i].status, NULL), all[i].code);
	for (int i = 1; i < ERR_CODE_COUNT; i++) /* the word says more than the number */
		assert_int_equal(error_of_answer(500, err_code_name((enum err_code)i)), i);
	assert_int_equal(error_of_answer(403, "ok"), ERR_DENIED); /* a refusal is never good */
	assert_int_equal(error_of_answer(403, "of a newer version"), ERR_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(of_errors), cmocka_unit_test(of_outcomes),
	    cmocka_unit_test(of_changes), cmocka_unit_test(of_answers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
