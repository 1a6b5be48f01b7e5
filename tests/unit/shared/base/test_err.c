#include <errno.h>
#include <string.h>

#include "shared/base/err.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

static void names(void **state)
{
	(void)state;
	assert_string_equal(err_code_name(ERR_OK), "ok");
	assert_string_equal(err_code_name(ERR_NOT_FOUND), "not-found");
	assert_string_equal(err_code_name(ERR_INTERNAL), "internal");
	assert_string_equal(err_code_name(ERR_CODE_COUNT), "unknown");
	assert_string_equal(err_code_name((enum err_code) - 1), "unknown");
	for (unsigned i = 0; i < ERR_CODE_COUNT; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(err_code_name(i), err_code_name(j));
}

static void set_fills_and_returns(void **state)
{
	(void)state;
	struct err err = {.code = ERR_IO, .sys_errno = 5, .msg = "old"};
	errno = 77;
	assert_int_equal(err_set(&err, ERR_LIMIT, "%d of %s", 3, "four"), ERR_LIMIT);
	assert_int_equal(errno, 77);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(err.sys_errno, 0);
	assert_string_equal(err.msg, "3 of four");
	assert_int_equal(err_set(NULL, ERR_LIMIT, "%d", 3), ERR_LIMIT);
	/* What cannot be formatted (no such character in the C locale) leaves an empty message, and errno. */
	assert_int_equal(err_set(&err, ERR_LIMIT, "%ls", L"\x20ac"), ERR_LIMIT);
	assert_int_equal(errno, 77);
	assert_string_equal(err.msg, "");
}

static void message_may_quote_itself(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	err_set(&err, ERR_IO, "inner");
	err_set(&err, ERR_CORRUPT, "outer: %s", err.msg);
	assert_string_equal(err.msg, "outer: inner");
}

/* A message of exactly the room, and one byte and one character more. */
static void long_messages_are_cut_at_a_character(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	char text[3 * ERR_MSG_MAX];
	memset(text, 'x', sizeof(text));
	text[ERR_MSG_MAX - 1] = '\0';
	err_set(&err, ERR_IO, "%s", text);
	assert_string_equal(err.msg, text);
	memcpy(text + ERR_MSG_MAX - 2, "\xe2\x82\xac", 4); /* a euro sign across the end */
	err_set(&err, ERR_IO, "%s", text);
	assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 2);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&err, ERR_IO, "%s", text);
	assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
}

static void foreign_bytes_become_question_marks(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	err_set(&err, ERR_INVALID, "name %s", "a\xff\xe2\x82z\xc3\xa9");
	assert_string_equal(err.msg, "name a???z\xc3\xa9");
	assert_true(text_utf8_valid(err.msg, strlen(err.msg)));
}

static void errno_chooses_the_code(void **state)
{
	(void)state;
	static const struct {
		int number;
		enum err_code code;
	} cases[] = {{ENOENT, ERR_NOT_FOUND}, {ENOSPC, ERR_FULL}, {EDQUOT, ERR_FULL}, {EACCES, ERR_DENIED},
	    {EPERM, ERR_DENIED}, {ENOMEM, ERR_NOMEM}, {EEXIST, ERR_EXISTS}, {ETIMEDOUT, ERR_TIMEOUT},
	    {ECONNREFUSED, ERR_UNREACHABLE}, {ECONNRESET, ERR_UNREACHABLE}, {EHOSTUNREACH, ERR_UNREACHABLE},
	    {ENETUNREACH, ERR_UNREACHABLE}, {EIO, ERR_IO}, {EINVAL, ERR_IO}, {0, ERR_IO}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		assert_int_equal(err_sys(&err, cases[i].number, "open %s", "x"), cases[i].code);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(err.sys_errno, cases[i].number);
		assert_int_equal(err_sys(NULL, cases[i].number, "x"), cases[i].code);
	}
	struct err err = ERR_INIT;
	err_sys(&err, ENOENT, "open %s", "/x");
	assert_string_equal(err.msg, "open /x: No such file or directory");
}

static void reason_survives_a_long_message(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	char text[2 * ERR_MSG_MAX];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_sys(&err, ENOSPC, "write %s", text);
	assert_true(text_ends(err.msg, ": No space left on device"));
}

static void prefix_keeps_code_and_errno(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	enum err_code code = err_sys(&err, ENOSPC, "write");
	assert_int_equal(err_prefix(&err, code, "snapshot %d", 7), ERR_FULL);
	assert_string_equal(err.msg, "snapshot 7: write: No space left on device");
	assert_int_equal(err.sys_errno, ENOSPC);
	assert_int_equal(err_prefix(NULL, ERR_FULL, "x"), ERR_FULL);
	assert_int_equal(
	    err_prefix(&err, ERR_OK, "not this"), ERR_OK); /* nothing failed now: what failed before stands */
	assert_string_equal(err.msg, "snapshot 7: write: No space left on device");
	assert_int_equal(err.code, ERR_FULL);
	for (int i = 0; i < 200; i++)
		err_prefix(&err, code, "layer");
	assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(set_fills_and_returns),
	    cmocka_unit_test(message_may_quote_itself),
	    cmocka_unit_test(long_messages_are_cut_at_a_character),
	    cmocka_unit_test(foreign_bytes_become_question_marks),
	    cmocka_unit_test(errno_chooses_the_code),
	    cmocka_unit_test(reason_survives_a_long_message),
	    cmocka_unit_test(prefix_keeps_code_and_errno),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
