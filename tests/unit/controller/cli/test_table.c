/* The table of commands: whole, consistent, and a way to everything that the API offers. */
#include "tests/unit/controller/cli/fake.h"

#include <stdio.h>

#include "shared/base/cleanup.h"

static bool spec_names(const char *spec, const char *name)
{
	struct spec_item item;
	for (const char *at = spec; spec_next(&at, &item);)
		if (strlen(name) == item.size && memcmp(name, item.name, item.size) == 0)
			return true;
	return false;
}

/* Can the command say this field of a request: by a word, an option of that name, or one that means it? */
static bool can_say(const struct command *k, const char *field)
{
	struct spec_item item;
	if (spec_names(k->args, field))
		return true;
	for (const char *at = k->options; spec_next(&at, &item);) {
		const struct option *o = option_find(item.name, item.size);
		if (o && (text_equal(o->field, field) || (text_equal(field, "hosts") && text_equal(o->field, "host"))))
			return true;
	}
	return false;
}

static void rows_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		const struct command *k = &commands[i];
		struct spec_item item;
		assert_true(k->run && k->doc && k->doc[0] && k->examples[0]);
		for (const char *at = k->options; spec_next(&at, &item);)
			if (!option_find(item.name, item.size))
				fail_msg("%s %s: no option %.*s", k->noun, k->verb ? k->verb : "", (int)item.size,
				    item.name);
		for (size_t n = 0; n < i; n++)
			assert_false(text_equal(commands[n].noun, k->noun) &&
				     (!k->verb || !commands[n].verb || text_equal(commands[n].verb, k->verb) ||
					 text_equal(commands[n].alias, k->verb)));
		for (size_t n = 0; n + 1 < i;
		     n++) /* a noun's commands stand together: help and completion rely on it */
			assert_false(
			    text_equal(commands[n].noun, k->noun) && !text_equal(commands[i - 1].noun, k->noun));
		assert_ptr_equal(command_find(k->noun, k->verb), k);
		if (k->alias)
			assert_ptr_equal(command_find(k->noun, k->alias), k);
		if (k->reads && !strchr(k->reads, '/') && !text_equal(k->reads, "*") && !text_equal(k->reads, "status"))
			assert_non_null(query_table(k->reads));
		if (k->posts)
			assert_non_null(request_verb_of(k->posts));
	}
}

static void options_are_used(void **state)
{
	(void)state;
	for (size_t i = 0; i < option_count; i++) {
		bool used = option_is_global(&options[i]);
		for (size_t k = 0; k < command_count; k++)
			used = used || spec_names(commands[k].options, options[i].name);
		if (!used)
			fail_msg("no command takes --%s", options[i].name);
		for (size_t k = 0; k < i; k++)
			assert_false(text_equal(options[i].name, options[k].name) ||
				     (options[i].letter && options[i].letter == options[k].letter));
		assert_true(!options[i].field || record_field(&request_args_type, options[i].field) ||
			    text_equal(options[i].field, "state"));
	}
}

/* Every verb of the API has a command, and that command can say all that the verb needs. */
static void every_verb_is_reachable(void **state)
{
	(void)state;
	/* Fields that a command looks up or makes by itself. */
	static const struct {
		const char *posts, *fields;
	} made[] = {
	    {"snapshot/verify", "service host"},
	    {"rollback/start", "text"},
	    {"change/approve", "signature"},
	    {"policy/install", "document signatures"},
	    {"operator/put", "roles keys disabled"},
	    {"ca/enrol", "enrolment secret csr"},
	};
	size_t count;
	const struct request_verb *verbs = request_verbs(&count);
	assert_true(count > 30);
	for (size_t i = 0; i < count; i++) {
		char posts[64];
		const struct command *k = NULL;
		const char *own = NULL;
		struct spec_item item;
		text_format(posts, sizeof posts, "%s/%s", verbs[i].noun, verbs[i].verb);
		for (size_t n = 0; n < command_count && !k; n++)
			k = text_equal(commands[n].posts, posts) && commands[n].verb ? &commands[n] : NULL;
		if (!k)
			fail_msg("no command posts %s", posts);
		for (size_t n = 0; n < sizeof made / sizeof made[0]; n++)
			own = text_equal(made[n].posts, posts) ? made[n].fields : own;
		for (const char *at = verbs[i].fields; spec_next(&at, &item);) {
			char field[64];
			text_format(field, sizeof field, "%.*s", (int)item.size, item.name);
			if (item.needed && !can_say(k, field) && !spec_names(own, field))
				fail_msg("kedge %s %s cannot say %s, which %s needs", k->noun, k->verb, field, posts);
		}
	}
}

static void every_table_is_reachable(void **state)
{
	(void)state;
	size_t count;
	const struct query_noun *nouns = query_nouns(&count);
	struct fake *f = fake_new();
	fake_says(f, "GET *", 200, "{\"items\":[]}");
	for (size_t i = 0; i < count; i++) {
		char line[64], path[64];
		fake_forget(f);
		text_format(line, sizeof line, "get %s", nouns[i].noun);
		assert_int_equal(fake_run(f, line), CLI_DONE);
		text_format(path, sizeof path, "GET /api/v1/%s?limit=50&order=desc", nouns[i].noun);
		assert_string_equal(f->asked[0].line, path);
	}
	fake_free(f);
}

/* Examples are promises: each parses, as the command that it stands under. */
static void examples_parse(void **state)
{
	(void)state;
	static struct cli_words w;
	for (size_t i = 0; i < command_count; i++)
		for (size_t n = 0; n < 3 && commands[i].examples[n]; n++) {
			const char *argv[64];
			int argc = 0;
			struct err e = ERR_INIT;
			char *copy = strdup(commands[i].examples[n]), *cut = strstr(copy, " > "), *save = NULL;
			if (cut)
				*cut = '\0';
			for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save))
				argv[argc++] = p[0] == '\''
						   ? p + 1
						   : p; /* quoted words: how many there are does not matter here */
			bool quoted = strchr(commands[i].examples[n], '\'') != NULL;
			assert_string_equal(argv[0], "kedge");
			enum err_code rc = words_parse(quoted ? argc - 1 : argc, argv, &w, &e);
			if (rc != ERR_OK || w.command != &commands[i])
				fail_msg("%s: %s", commands[i].examples[n], e.msg);
			free(copy);
		}
}

static void help_says_all(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	assert_int_equal(fake_run(f, "--help"), CLI_DONE);
	CLEANUP(buf_done) struct buf all = BUF_INIT;
	buf_text(&all, buf_str(&f->out));
	for (size_t i = 0; i < command_count; i++) {
		const struct command *k = &commands[i];
		char line[128];
		struct spec_item item;
		assert_non_null(strstr(buf_str(&all), k->verb ? k->verb : k->noun));
		for (int by_word = 0; by_word < 2; by_word++) {
			fake_forget(f);
			text_format(line, sizeof line, by_word ? "help %s %s" : "%s %s --help", k->noun,
			    k->verb ? k->verb : "");
			assert_int_equal(fake_run(f, line), CLI_DONE);
			const char *text = buf_str(&f->out);
			assert_int_equal(f->asked_count, 0);
			for (size_t n = 0; n < 3 && k->examples[n]; n++)
				assert_non_null(strstr(text, k->examples[n]));
			for (const char *at = k->options; spec_next(&at, &item);) {
				char name[64];
				text_format(name, sizeof name, "--%.*s", (int)item.size, item.name);
				assert_non_null(strstr(text, name));
			}
		}
		if (k->verb) {
			fake_forget(f);
			text_format(line, sizeof line, "%s --help", k->noun);
			assert_int_equal(fake_run(f, line), CLI_DONE);
			assert_non_null(strstr(buf_str(&f->out), k->verb));
		}
	}
	for (const char *line = buf_str(&all); *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 120);
	fake_forget(f);
	assert_int_equal(fake_run(f, ""), CLI_USAGE); /* nothing said is a question, but not a success */
	assert_string_equal(buf_str(&f->out), buf_str(&all));
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_are_sound),
	    cmocka_unit_test(options_are_used),
	    cmocka_unit_test(every_verb_is_reachable),
	    cmocka_unit_test(every_table_is_reachable),
	    cmocka_unit_test(examples_parse),
	    cmocka_unit_test(help_says_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
