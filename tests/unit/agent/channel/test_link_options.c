/* What the keeper tells the link's program: words that come back as they went. */
#include "tests/lib/unit.h"

#include <string.h>

#include "agent/channel/link_options.h"
#include "shared/base/random.h"
#include "shared/base/text.h"

struct words {
	struct arena *arena;
	char *argv[LINK_WORDS_COUNT + 2];
};

static struct link_options sample(void)
{
	struct random random;
	random_init_seed(&random, 7);
	return (struct link_options){.url = "wss://control.example.org:7443",
	    .controller = "main",
	    .domain = "example.org",
	    .host = "db 1=x",
	    .authority = "/var/lib/kedge-agent/identity/authority.pem",
	    .spool = "/var/lib/kedge-agent/spool",
	    .spool_limit_bytes = 123456789012,
	    .boot = id_new(1795455291000, &random),
	    .drop_privileges = true,
	    .uid = 998,
	    .gid = 997,
	    .log_least = LOG_LEVEL_DEBUG};
}

static struct words words_of(const struct link_options *o)
{
	struct words w = {.arena = arena_new(0)};
	struct err err = ERR_INIT;
	assert_non_null(w.arena);
	assert_int_equal(link_options_words(o, w.arena, w.argv, &err), ERR_OK);
	return w;
}

static void what_is_said_is_understood(void **state)
{
	(void)state;
	struct link_options o = sample(), got;
	struct err err = ERR_INIT;
	struct words w = words_of(&o);
	assert_string_equal(w.argv[0], LINK_PROGRAM);
	assert_null(w.argv[LINK_WORDS_COUNT + 1]);
	assert_int_equal(link_options_read(LINK_WORDS_COUNT + 1, w.argv, &got, &err), ERR_OK);
	assert_string_equal(got.url, o.url);
	assert_string_equal(got.controller, o.controller);
	assert_string_equal(got.domain, o.domain);
	assert_string_equal(got.host, o.host);
	assert_string_equal(got.authority, o.authority);
	assert_string_equal(got.spool, o.spool);
	assert_int_equal(got.spool_limit_bytes, o.spool_limit_bytes);
	assert_true(id_equal(got.boot, o.boot));
	assert_true(got.drop_privileges);
	assert_int_equal(got.uid, o.uid);
	assert_int_equal(got.gid, o.gid);
	assert_int_equal(got.log_least, o.log_least);
	assert_false(got.debug);
	arena_free(w.arena);
}

/* The keeper is not root: the link stays who it is. */
static void no_user_is_no_change_of_user(void **state)
{
	(void)state;
	struct link_options o = sample(), got;
	struct err err = ERR_INIT;
	o.drop_privileges = false;
	struct words w = words_of(&o);
	assert_int_equal(link_options_read(LINK_WORDS_COUNT + 1, w.argv, &got, &err), ERR_OK);
	assert_false(got.drop_privileges);
	arena_free(w.arena);
}

static void expect_refused(int argc, char **argv, enum err_code want)
{
	struct link_options got = {.host = "untouched"};
	struct err err = ERR_INIT;
	assert_int_equal(link_options_read(argc, argv, &got, &err), want);
	assert_string_equal(got.host, "untouched");
}

static void another_version_is_refused(void **state)
{
	(void)state;
	char other[] = "version=0.0.9";
	struct link_options o = sample();
	struct words w = words_of(&o);
	w.argv[1] = other;
	expect_refused(LINK_WORDS_COUNT + 1, w.argv, ERR_UNSUPPORTED);
	expect_refused(2, w.argv, ERR_UNSUPPORTED); /* which may well have other words */
	arena_free(w.arena);
}

/* Any word away, twice, or changed: nothing is guessed. */
static void other_words_are_refused(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		const char *word;
	} wrong[] = {{8, "spool-limit="}, {8, "spool-limit=12x"}, {9, "boot="},
	    {9, "boot=run-01m84qjjkteps8xs93hz5ps3mv"}, {10, "user=root"}, {10, "user=998"}, {10, "user=998:"},
	    {10, "user=4294967295:1"}, {11, "log=4"}, {11, "log="}};
	char word[64];
	struct link_options o = sample();
	struct words w = words_of(&o);
	expect_refused(LINK_WORDS_COUNT, w.argv, ERR_INVALID);
	expect_refused(1, w.argv, ERR_INVALID);
	for (size_t i = 2; i <= LINK_WORDS_COUNT; i++) {
		char *kept = w.argv[i];
		w.argv[i] = w.argv[i - 1];
		expect_refused(LINK_WORDS_COUNT + 1, w.argv, ERR_INVALID);
		w.argv[i] = kept;
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char *kept = w.argv[wrong[i].at];
		text_copy(word, sizeof word, wrong[i].word);
		w.argv[wrong[i].at] = word;
		expect_refused(LINK_WORDS_COUNT + 1, w.argv, ERR_INVALID);
		w.argv[wrong[i].at] = kept;
	}
	arena_free(w.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_said_is_understood),
	    cmocka_unit_test(no_user_is_no_change_of_user),
	    cmocka_unit_test(another_version_is_refused),
	    cmocka_unit_test(other_words_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
