/* controller/cli/completion.c: scripts for shells, made from the tables.  Every word in them is one of ours: letters,
 * digits and hyphens. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

static bool first_of_noun(size_t i)
{
	return i == 0 || !text_equal(commands[i].noun, commands[i - 1].noun);
}

static void option_words(struct buf *out, const struct command *k)
{
	struct spec_item item;
	for (const char *at = k->options; spec_next(&at, &item);)
		buf_printf(out, " --%.*s", (int)item.size, item.name);
	for (size_t i = 0; i < option_count; i++)
		if (option_is_global(&options[i]))
			buf_printf(out, " --%s", options[i].name);
}

static void noun_words(struct buf *out)
{
	for (size_t i = 0; i < command_count; i++)
		if (first_of_noun(i))
			buf_printf(out, "%s%s", i ? " " : "", commands[i].noun);
}

static void verb_words(struct buf *out, const char *noun)
{
	bool first = true;
	for (size_t i = 0; i < command_count; i++)
		if (text_equal(commands[i].noun, noun) && commands[i].verb) {
			buf_printf(out, "%s%s", first ? "" : " ", commands[i].verb);
			first = false;
		}
}

/* ---- bash, and zsh by its bashcompinit ---- */

static void value_cases(struct buf *out)
{
	buf_text(out, "\tcase $before in\n\t--output|-o) COMPREPLY=($(compgen -W 'table wide json jsonl yaml' -- "
		      "\"$word\")); return ;;\n\t");
	bool first = true;
	for (size_t i = 0; i < option_count; i++)
		if (options[i].value && (text_equal(options[i].value, "FILE") || text_equal(options[i].value, "DIR"))) {
			buf_printf(out, "%s--%s", first ? "" : "|", options[i].name);
			first = false;
		}
	buf_text(out, ") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n\t");
	first = true;
	for (size_t i = 0; i < option_count; i++)
		if (options[i].value && !text_equal(options[i].value, "FILE") && !text_equal(options[i].value, "DIR") &&
		    !text_equal(options[i].name, "output")) {
			buf_printf(out, "%s--%s", first ? "" : "|", options[i].name);
			first = false;
		}
	buf_text(out, ") return ;;\n\tesac\n");
}

static void bash(struct buf *out)
{
	buf_text(out, "# Completion of kedge for bash: made by `kedge completion bash`.\n_kedge()\n{\n"
		      "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} noun= verb= i "
		      "words\n\tCOMPREPLY=()\n");
	value_cases(out);
	buf_text(out, "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} "
		      "in\n\t\t--output|-o|--config|-c|--columns) ((i++)) ;;\n\t\t-*) ;;\n"
		      "\t\t*) if [ -z \"$noun\" ]; then noun=${COMP_WORDS[i]}; elif [ -z \"$verb\" ]; then "
		      "verb=${COMP_WORDS[i]}; fi ;;\n\t\tesac\n\tdone\n"
		      "\tcase \"$noun $verb\" in\n\t' ') words='");
	noun_words(out);
	buf_text(out, "' ;;\n");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *k = &commands[i];
		if (first_of_noun(i) && k->verb) {
			buf_printf(out, "\t'%s ') words='", k->noun);
			verb_words(out, k->noun);
			buf_text(out, "' ;;\n");
		}
		buf_printf(out, "\t'%s '%s%s) words='%s", k->noun, k->verb ? k->verb : "*", "",
		    text_equal(k->noun, "completion") ? "bash zsh fish" : "");
		option_words(out, k);
		buf_text(out, "' ;;\n");
	}
	buf_text(out, "\t*) words= ;;\n\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -F "
		      "_kedge kedge\n");
}

static void zsh(struct buf *out)
{
	buf_text(out, "#compdef kedge\n# Completion of kedge for zsh: made by `kedge completion zsh`.\nautoload -U +X "
		      "bashcompinit && bashcompinit\n");
	bash(out);
}

/* ---- fish ---- */

static void fish_command(struct buf *out, const struct command *k)
{
	struct spec_item item;
	CLEANUP(buf_done) struct buf when = BUF_INIT;
	buf_printf(&when, "__fish_seen_subcommand_from %s%s%s", k->noun,
	    k->verb ? "; and __fish_seen_subcommand_from " : "", k->verb ? k->verb : "");
	for (const char *at = k->options; spec_next(&at, &item);) {
		const struct option *o = option_find(item.name, item.size);
		bool files = o->value && (text_equal(o->value, "FILE") || text_equal(o->value, "DIR"));
		buf_printf(out, "complete -c kedge -n '%s' -l %s%s\n", buf_str(&when), o->name,
		    !o->value ? ""
		    : files   ? " -r -F"
			      : " -x");
	}
}

static void fish(struct buf *out)
{
	CLEANUP(buf_done) struct buf nouns = BUF_INIT;
	noun_words(&nouns);
	buf_text(out, "# Completion of kedge for fish: made by `kedge completion fish`.\ncomplete -c kedge -f\n");
	for (size_t i = 0; i < option_count; i++)
		if (option_is_global(&options[i])) {
			buf_printf(out, "complete -c kedge -l %s", options[i].name);
			if (options[i].letter)
				buf_printf(out, " -s %c", options[i].letter);
			buf_printf(out, "%s\n",
			    text_equal(options[i].name, "output")   ? " -x -a 'table wide json jsonl yaml'"
			    : text_equal(options[i].name, "config") ? " -r -F"
			    : options[i].value                      ? " -x"
								    : "");
		}
	buf_printf(out, "complete -c kedge -n 'not __fish_seen_subcommand_from %s' -a '%s'\n", buf_str(&nouns),
	    buf_str(&nouns));
	buf_text(out, "complete -c kedge -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *k = &commands[i];
		if (first_of_noun(i) && k->verb) {
			CLEANUP(buf_done) struct buf verbs = BUF_INIT;
			verb_words(&verbs, k->noun);
			buf_printf(out,
			    "complete -c kedge -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from "
			    "%s' -a '%s'\n",
			    k->noun, buf_str(&verbs), buf_str(&verbs));
		}
		fish_command(out, k);
	}
}

int run_completion(struct cli *c)
{
	static const struct {
		const char *name;
		void (*make)(struct buf *);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
		if (text_equal(shells[i].name, c->w.words[0])) {
			shells[i].make(&out);
			cli_put(c, &out);
			return CLI_DONE;
		}
	return cli_usage(c, "expected bash, zsh or fish, got \"%.40s\"", c->w.words[0]);
}
