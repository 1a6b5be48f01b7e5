/* Words in, a command out; and every way to get them wrong. */
#include "tests/unit/controller/cli/fake.h"

static struct cli_words w;

static enum err_code parse(const char *line, struct err *e)
{
	static char copy[16384];
	static const char *argv[4096];
	int argc = 1;
	char *save = NULL;
	text_copy(copy, sizeof copy, line);
	argv[0] = "kedge";
	for (char *p = strtok_r(copy, " ", &save); p && argc < 4095; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	return words_parse(argc, argv, &w, e);
}

static void good_lines(void **state)
{
	(void)state;
	assert_int_equal(parse("incident show INC-3 -o json", NULL), ERR_OK);
	assert_string_equal(w.command->verb, "show");
	assert_int_equal(w.word_count, 1);
	assert_string_equal(w.words[0], "INC-3");
	assert_string_equal(words_option(&w, "output"), "json");
	assert_null(words_option(&w, "config"));
	assert_int_equal(parse("--config=/x --output yaml host", NULL),
	    ERR_OK); /* options may come first; a noun alone is its list */
	assert_string_equal(w.command->verb, "list");
	assert_string_equal(words_option(&w, "config"), "/x");
	assert_int_equal(parse("-ojson incident ack INC-3", NULL), ERR_OK);
	assert_string_equal(w.command->verb, "acknowledge");
	assert_int_equal(parse("rollback start portal --host a --host b --host c,d --reason r", NULL), ERR_OK);
	assert_string_equal(words_option_at(&w, "host", 1), "b");
	assert_string_equal(words_option_at(&w, "host", 2), "c,d");
	assert_null(words_option_at(&w, "host", 3));
	assert_int_equal(parse("halt the wrong one was chosen", NULL), ERR_OK);
	assert_int_equal(w.word_count, 5);
	assert_int_equal(parse("incident note INC-1 -- --flags -o are text now", NULL), ERR_OK);
	assert_int_equal(w.word_count, 6);
	assert_string_equal(w.words[1], "--flags");
	assert_int_equal(parse("change reject CHG-1 -", NULL), ERR_OK); /* a lone hyphen is a word */
	assert_string_equal(w.words[1], "-");
	assert_int_equal(parse("--version", NULL), ERR_OK);
	assert_true(w.version && !w.command);
	assert_int_equal(parse("rollback start --help", NULL), ERR_OK); /* help asks for nothing else */
	assert_true(w.help);
	assert_string_equal(w.verb, "start");
	assert_int_equal(parse("rollback --help", NULL), ERR_OK);
	assert_null(w.verb);
	assert_int_equal(parse("controller --help", NULL), ERR_OK);
}

static void bad_lines(void **state)
{
	(void)state;
	static const struct {
		const char *line, *says;
	} bad[] = {
	    {"frob", "no command \"frob\""},
	    {"host frob", "no command \"host frob\""},
	    {"controller", "needs a verb"},
	    {"status now", "one word too many"},
	    {"incident show", "incident is missing"},
	    {"incident show INC-1 INC-2", "one word too many"},
	    {"incident note INC-1", "text is missing"},
	    {"halt", "text is missing"},
	    {"host list --frob", "no option --frob"},
	    {"host list --service x", "takes no option --service"},
	    {"host list -x", "no option -x"},
	    {"host list --limit", "needs a value"},
	    {"host list --all=yes", "takes no value"},
	    {"host list --limit 1 --limit 2", "given twice"},
	    {"host list -o json -o yaml", "given twice"},
	    {"rollback start portal --reason x", "--host is missing"},
	    {"rollback start --host a", "service is missing"},
	    {"ca init --dir x", "--domain is missing"},
	    {"--limit 3", ""},
	    {"ca issue host", "name is missing"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err e = ERR_INIT;
		enum err_code rc = parse(bad[i].line, &e);
		if (!bad[i].says[0]) { /* no command: nothing can be wrong with its options; help follows */
			assert_int_equal(rc, ERR_OK);
			assert_null(w.command);
		} else if (rc != ERR_INVALID || !strstr(e.msg, bad[i].says)) {
			fail_msg("%s: %s", bad[i].line, e.msg);
		}
	}
}

static void limits(void **state)
{
	(void)state;
	char line[16384] = "halt";
	for (int i = 0; i < CLI_WORDS_MAX - 1; i++)
		strcat(line, " w");
	assert_int_equal(parse(line, NULL), ERR_OK);
	strcat(line, " w");
	assert_int_equal(parse(line, NULL), ERR_INVALID);
	strcpy(line, "rollback start p");
	for (int i = 0; i < CLI_VALUES_MAX; i++)
		strcat(line, " --host=w");
	assert_int_equal(parse(line, NULL), ERR_OK);
	assert_int_equal(w.value_count, CLI_VALUES_MAX);
	strcat(line, " --host=w");
	assert_int_equal(parse(line, NULL), ERR_INVALID);
}

static void specs(void **state)
{
	(void)state;
	const char *at = " incident! text!... host* state";
	struct spec_item i;
	assert_true(spec_next(&at, &i) && i.size == 8 && i.needed && !i.repeated);
	assert_true(spec_next(&at, &i) && i.size == 4 && i.needed && i.repeated);
	assert_true(spec_next(&at, &i) && i.size == 4 && !i.needed && i.repeated);
	assert_true(spec_next(&at, &i) && i.size == 5 && !i.needed && !i.repeated);
	assert_false(spec_next(&at, &i));
	at = NULL;
	assert_false(spec_next(&at, &i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(good_lines), cmocka_unit_test(bad_lines),
	    cmocka_unit_test(limits), cmocka_unit_test(specs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
