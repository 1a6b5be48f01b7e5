/* controller/cli/help.c: help, made from the tables. */
#include <ctype.h>
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { COLUMN = 22 };

/* Folded at CLI_LINE_WIDTH, following lines indented. */
static void paragraph(struct buf *out, unsigned indent, unsigned at, const char *text)
{
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " ");
		if (at > indent && at + 1 + n > CLI_LINE_WIDTH) {
			buf_printf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (p != text) {
			buf_text(out, " ");
			at++;
		}
		buf_append(out, p, n);
		at += (unsigned)n;
		p += n + strspn(p + n, " ");
	}
	buf_text(out, "\n");
}

static void two_columns(struct buf *out, const char *left, const char *right)
{
	size_t n = strlen(left);
	if (n + 3 > COLUMN)
		buf_printf(out, "  %s\n%*s", left, COLUMN, "");
	else
		buf_printf(out, "  %-*s", COLUMN - 2, left);
	paragraph(out, COLUMN, COLUMN, right);
}

static void usage_line(struct buf *out, const struct command *k)
{
	struct spec_item item;
	buf_printf(out, "kedge %s%s%s", k->noun, k->verb ? " " : "", k->verb ? k->verb : "");
	for (const char *at = k->args; spec_next(&at, &item);) {
		buf_text(out, item.needed ? " " : " [");
		for (size_t i = 0; i < item.size; i++)
			buf_byte(out, (uint8_t)toupper((unsigned char)item.name[i]));
		buf_printf(out, "%s%s", item.repeated ? "…" : "", item.needed ? "" : "]");
	}
	for (const char *at = k->options; spec_next(&at, &item);) {
		const struct option *o = option_find(item.name, item.size);
		buf_printf(out, " %s--%s%s%s%s%s", item.needed ? "" : "[", o->name, o->value ? " " : "",
		    o->value ? o->value : "", item.needed ? "" : "]", item.repeated ? "…" : "");
	}
}

static void option_line(struct buf *out, const struct option *o)
{
	char left[64], letter[8] = "";
	if (o->letter)
		text_format(letter, sizeof letter, "-%c, ", o->letter);
	text_format(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
	two_columns(out, left, o->doc);
}

static void help_command(struct buf *out, const struct command *k)
{
	struct spec_item item;
	CLEANUP(buf_done) struct buf usage = BUF_INIT;
	buf_printf(out, "%s%s%s: ", k->noun, k->verb ? " " : "", k->verb ? k->verb : "");
	paragraph(out, 0, 0, k->doc);
	usage_line(&usage, k);
	buf_text(out, "\nusage: ");
	paragraph(out, 9, 7, buf_str(&usage));
	if (k->alias)
		buf_printf(out, "also:  kedge %s %s …\n", k->noun, k->alias);
	if (k->more) {
		buf_text(out, "\n");
		paragraph(out, 0, 0, k->more);
	}
	buf_text(out, "\nOptions:\n");
	for (const char *at = k->options; spec_next(&at, &item);)
		option_line(out, option_find(item.name, item.size));
	for (size_t i = 0; i < option_count; i++)
		if (option_is_global(&options[i]))
			option_line(out, &options[i]);
	buf_text(out, "\nExamples:\n");
	for (size_t i = 0; i < 3 && k->examples[i]; i++)
		buf_printf(out, "  %s\n", k->examples[i]);
}

static void help_noun(struct buf *out, const char *noun)
{
	buf_printf(out, "usage: kedge %s VERB …\n\n", noun);
	for (size_t i = 0; i < command_count; i++)
		if (text_equal(commands[i].noun, noun))
			two_columns(out, commands[i].verb, commands[i].doc);
	buf_printf(out, "\n`kedge %s VERB --help` has options and examples.\n", noun);
}

static void help_all(struct buf *out)
{
	buf_text(out, "kedge: see, decide and roll back a fleet\n\nusage: kedge NOUN [VERB] [WORD…] [OPTION…]\n\n");
	for (size_t i = 0; i < command_count; i++) {
		CLEANUP(buf_done) struct buf verbs = BUF_INIT;
		const char *noun = commands[i].noun;
		if (!commands[i].verb) {
			two_columns(out, noun, commands[i].doc);
			continue;
		}
		if (i && text_equal(commands[i - 1].noun, noun))
			continue;
		for (size_t k = i; k < command_count && text_equal(commands[k].noun, noun); k++)
			buf_printf(&verbs, "%s%s", k > i ? ", " : "", commands[k].verb);
		two_columns(out, noun, buf_str(&verbs));
	}
	buf_text(out, "\nOptions of every command:\n");
	for (size_t i = 0; i < option_count; i++)
		if (option_is_global(&options[i]))
			option_line(out, &options[i]);
	buf_text(out, "\nExit: 0 done, 1 failed, 2 usage, 3 refused by policy, 4 not found, 5 unreachable, 6 partly "
		      "done, 7 timed out.\n"
		      "`kedge NOUN VERB --help` has options and examples.  Begin with: kedge status\n");
}

/* `kedge help NOUN VERB`, or --help after any of them. */
int run_help(struct cli *c)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	bool by_word = !c->w.help && c->w.command && text_equal(c->w.command->noun, "help");
	const char *noun = by_word ? (c->w.word_count > 0 ? c->w.words[0] : NULL) : c->w.noun;
	const char *verb = by_word ? (c->w.word_count > 1 ? c->w.words[1] : NULL) : c->w.verb;
	const struct command *k = noun ? command_find(noun, verb) : NULL;
	if (noun && !command_is_noun(noun))
		return cli_usage(c, "there is no command \"%.40s\": `kedge --help` lists them", noun);
	if (noun && verb && !k)
		return cli_usage(c, "there is no command \"%s %.40s\": `kedge %s --help` lists them", noun, verb, noun);
	if (!noun)
		help_all(&out);
	else if (k && (verb || !k->verb))
		help_command(&out, k);
	else
		help_noun(&out, noun);
	cli_put(c, &out);
	return CLI_DONE;
}
