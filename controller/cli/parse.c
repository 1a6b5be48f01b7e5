/* controller/cli/parse.c: words into a command, its arguments and its options.  Pure. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/text.h"

static bool spec_has(const char *spec, const struct option *o, struct spec_item *ret)
{
	for (const char *at = spec; spec_next(&at, ret);)
		if (strlen(o->name) == ret->size && memcmp(o->name, ret->name, ret->size) == 0)
			return true;
	return false;
}

static const struct option *option_of_letter(char letter)
{
	for (size_t i = 0; i < option_count; i++)
		if (options[i].letter && options[i].letter == letter)
			return &options[i];
	return NULL;
}

/* "--name", "--name=value", "-n"; *ret_inline is what stands behind "=" or the letter, or NULL. */
static const struct option *option_of(const char *word, const char **ret_inline)
{
	*ret_inline = NULL;
	if (word[1] != '-') {
		const struct option *o = option_of_letter(word[1]);
		if (word[1] && word[2])
			*ret_inline = word + 2;
		return o;
	}
	size_t n = strcspn(word + 2, "=");
	if (word[2 + n] == '=')
		*ret_inline = word + 3 + n;
	return option_find(word + 2, n);
}

static enum err_code add_value(struct cli_words *w, const struct option *o, const char *text, struct err *reterr)
{
	if (w->value_count == CLI_VALUES_MAX)
		return err_set(reterr, ERR_INVALID, "too many options");
	w->values[w->value_count++] = (struct cli_value){o, text};
	w->help = w->help || text_equal(o->name, "help");
	return ERR_OK;
}

/* *at is the option's place; on return the last word that it used. */
static enum err_code take_option(struct cli_words *w, int argc, const char *const *argv, int *at, struct err *reterr)
{
	const char *word = argv[*at], *text;
	const struct option *o = option_of(word, &text);
	if (!o)
		return err_set(reterr, ERR_INVALID, "there is no option %s", word);
	if (!o->value && text)
		return err_set(reterr, ERR_INVALID, "the option --%s takes no value", o->name);
	if (o->value && !text) {
		if (*at + 1 >= argc)
			return err_set(reterr, ERR_INVALID, "the option --%s needs a value: %s", o->name, o->value);
		text = argv[++*at];
	}
	return add_value(w, o, text ? text : "", reterr);
}

static const char *help_of(const struct cli_words *w)
{
	static _Thread_local char text[128];
	const struct command *k = w->command;
	if (!k)
		return "kedge --help";
	text_format(text, sizeof text, "kedge %s%s%s --help", k->noun, k->verb ? " " : "", k->verb ? k->verb : "");
	return text;
}

/* Noun and verb are the first words; "kedge host" alone is its list. */
static enum err_code find_command(struct cli_words *w, struct err *reterr)
{
	const char *noun = w->word_count > 0 ? w->words[0] : NULL, *verb = w->word_count > 1 ? w->words[1] : NULL;
	size_t used = 1;
	if (!noun)
		return ERR_OK;
	w->noun = noun;
	if (!command_is_noun(noun))
		return err_set(reterr, ERR_INVALID, "there is no command \"%.40s\": `kedge --help` lists them", noun);
	w->command = command_find(noun, NULL);
	if (!w->command || w->command->verb) { /* a noun with verbs */
		w->command = command_find(noun, verb);
		w->verb = verb;
		used = verb ? 2 : 1;
		if (!w->command && (verb || !w->help))
			return err_set(reterr, ERR_INVALID,
			    verb ? "there is no command \"%s %.40s\": `kedge %s --help` lists them"
				 : "\"%s\" needs a verb%.0s: `kedge %s --help` lists them",
			    noun, verb ? verb : "", noun);
	}
	w->word_count -= used;
	memmove(w->words, w->words + used, w->word_count * sizeof w->words[0]);
	return ERR_OK;
}

static enum err_code check_words(const struct cli_words *w, struct err *reterr)
{
	struct spec_item item;
	size_t n = 0;
	bool rest = false;
	for (const char *at = w->command->args; spec_next(&at, &item); n++) {
		if (item.needed && n >= w->word_count)
			return err_set(reterr, ERR_INVALID, "%.*s is missing: `%s` has examples", (int)item.size,
			    item.name, help_of(w));
		rest = item.repeated;
	}
	if (w->word_count > n && !rest)
		return err_set(
		    reterr, ERR_INVALID, "\"%.40s\" is one word too many: `%s` has examples", w->words[n], help_of(w));
	return ERR_OK;
}

static enum err_code check_options(const struct cli_words *w, struct err *reterr)
{
	struct spec_item item;
	for (size_t i = 0; i < w->value_count; i++) {
		const struct option *o = w->values[i].option;
		bool known = option_is_global(o) || spec_has(w->command->options, o, &item);
		if (!known)
			return err_set(reterr, ERR_INVALID,
			    "this command takes no option --%s: `%s` lists those it takes", o->name, help_of(w));
		for (size_t k = 0; k < i; k++)
			if (w->values[k].option == o && (option_is_global(o) || !item.repeated))
				return err_set(reterr, ERR_INVALID, "the option --%s is given twice", o->name);
	}
	for (const char *at = w->command->options; spec_next(&at, &item);) {
		const struct option *o = option_find(item.name, item.size);
		if (item.needed && o && !words_option(w, o->name))
			return err_set(
			    reterr, ERR_INVALID, "the option --%s is missing: `%s` has examples", o->name, help_of(w));
	}
	return ERR_OK;
}

enum err_code words_parse(int argc, const char *const *argv, struct cli_words *ret, struct err *reterr)
{
	struct cli_words *w = ret;
	bool only_words = false;
	enum err_code rc = ERR_OK;
	*w = (struct cli_words){0};
	for (int i = 1; i < argc && rc == ERR_OK; i++) {
		if (!only_words && text_equal(argv[i], "--"))
			only_words = true;
		else if (!only_words && (text_equal(argv[i], "--version") || text_equal(argv[i], "-V")))
			w->version = true;
		else if (!only_words && argv[i][0] == '-' && argv[i][1])
			rc = take_option(w, argc, argv, &i, reterr);
		else if (w->word_count == CLI_WORDS_MAX)
			rc = err_set(
			    reterr, ERR_INVALID, "more than %d words: put the text between quotes", CLI_WORDS_MAX);
		else
			w->words[w->word_count++] = argv[i];
	}
	if (rc != ERR_OK || (rc = find_command(w, reterr)) != ERR_OK || w->help || w->version || !w->command)
		return rc;
	rc = check_words(w, reterr);
	return rc == ERR_OK ? check_options(w, reterr) : rc;
}

const char *words_option_at(const struct cli_words *w, const char *name, size_t n)
{
	for (size_t i = 0; i < w->value_count; i++)
		if (text_equal(w->values[i].option->name, name) && n-- == 0)
			return w->values[i].text;
	return NULL;
}

const char *words_option(const struct cli_words *w, const char *name)
{
	return words_option_at(w, name, 0);
}

bool words_flag(const struct cli_words *w, const char *name)
{
	return words_option(w, name) != NULL;
}
