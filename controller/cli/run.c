/* controller/cli/run.c: one run, from the words to the exit code. */
#include <assert.h>
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

void cli_put(struct cli *c, const struct buf *b)
{
	c->io->write(c->io->ctx, false, buf_str(b), b->size);
}

static void print(struct cli *c, bool error, const char *fmt, va_list ap)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	buf_vprintf(&text, fmt, ap);
	c->io->write(c->io->ctx, error, buf_str(&text), text.size);
}

void cli_say(struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	print(c, true, fmt, ap);
	va_end(ap);
}

void cli_print(struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	print(c, false, fmt, ap);
	va_end(ap);
}

/* ---- errors ---- */

/* What to do about it, when the message does not say. */
static const char *advice(const struct cli *c, enum err_code code)
{
	bool network = c->config && (c->w.command->reads || c->w.command->posts);
	switch (code) {
	case ERR_UNREACHABLE:
		return network ? "is the controller running, and is `controller:` in your kedge.yaml right?" : NULL;
	case ERR_TIMEOUT:
		return network ? "the controller did not answer in time; what was asked may have happened: look before "
				 "you ask again"
			       : NULL;
	case ERR_BUSY:
		return "try again in a moment";
	case ERR_DENIED:
		return network && (strstr(c->err.msg, "certificate") || strstr(c->err.msg, " alert "))
			   ? "`kedge ca verify` tells whether a certificate is good"
			   : NULL;
	default:
		return NULL;
	}
}

static const char *verb_space(const struct cli *c)
{
	return c->w.command && c->w.command->verb ? " " : "";
}
static const char *verb_text(const struct cli *c)
{
	return c->w.command && c->w.command->verb ? c->w.command->verb : "";
}

int cli_fail(struct cli *c, enum err_code rc)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	out_text(&text, c->err.msg);
	const char *hint = c->w.command ? advice(c, rc) : NULL;
	cli_say(c, "kedge: %s%s%s%s%s\n", c->w.command ? c->w.command->noun : "", verb_space(c), verb_text(c),
	    c->w.command ? ": " : "", buf_str(&text));
	if (hint)
		cli_say(c, "kedge: %s\n", hint);
	return (int)exit_of_error(rc);
}

int cli_usage(struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	err_vset(&c->err, ERR_INVALID, fmt, ap);
	va_end(ap);
	return cli_fail(c, ERR_INVALID);
}

/* ---- what a run needs ---- */

const char *cli_word(struct cli *c, const char *name)
{
	struct spec_item item;
	size_t n = 0;
	for (const char *at = c->w.command->args; spec_next(&at, &item); n++) {
		if (strlen(name) != item.size || memcmp(name, item.name, item.size) != 0)
			continue;
		if (n >= c->w.word_count)
			return NULL;
		const char *text = c->w.words[n];
		for (size_t i = n + 1; item.repeated && text && i < c->w.word_count; i++)
			text = arena_printf(c->arena, "%s %s", text, c->w.words[i]);
		return text;
	}
	return NULL;
}

static const char *config_path(struct cli *c)
{
	const char *given = words_option(&c->w, "config"), *set = c->io->environment(c->io->ctx, "KEDGE_CONFIG");
	const char *base = c->io->environment(c->io->ctx, "XDG_CONFIG_HOME"),
		   *home = c->io->environment(c->io->ctx, "HOME");
	if (given || (set && *set))
		return given ? given : set;
	char *own = base && *base ? arena_printf(c->arena, "%s/kedge/kedge.yaml", base)
		    : home        ? arena_printf(c->arena, "%s/.config/kedge/kedge.yaml", home)
				  : NULL;
	return own && file_exists(own) ? own : "/etc/kedge/kedge.yaml";
}

enum err_code cli_config(struct cli *c, const struct client_config **ret)
{
	enum err_code rc = ERR_OK;
	if (!c->config && c->io->config)
		c->config = c->io->config;
	if (!c->config && (rc = client_config_load(config_path(c), c->arena, &c->config, &c->err)) != ERR_OK) {
		err_prefix(
		    &c->err, rc, "no controller is known (`kedge --config FILE` names the file that says which)");
		return c->err.code = ERR_STATE; /* not the thing asked for is missing */
	}
	*ret = c->config;
	return ERR_OK;
}

static enum err_code choose_columns(struct cli *c, const char *names)
{
	size_t n = 0;
	for (const char *at = names; *at; n++) {
		size_t size = strcspn(at, ",");
		if (n == CLI_COLUMNS_MAX)
			return err_set(&c->err, ERR_INVALID, "at most %d columns", CLI_COLUMNS_MAX);
		c->columns[n] = arena_strndup(c->arena, at, size);
		at += size + (at[size] == ',');
	}
	c->columns[n] = NULL;
	c->table.columns = c->columns;
	return n ? ERR_OK : err_set(&c->err, ERR_INVALID, "--columns: expected names of fields");
}

static enum err_code choose_output(struct cli *c)
{
	static const char *const names[] = {[CLI_TABLE] = "table",
	    [CLI_WIDE] = "wide",
	    [CLI_JSON] = "json",
	    [CLI_YAML] = "yaml",
	    [CLI_JSONL] = "jsonl"};
	const char *format = words_option(&c->w, "output"), *columns = words_option(&c->w, "columns");
	const char *no_colour = c->io->environment(c->io->ctx, "NO_COLOR"),
		   *term = c->io->environment(c->io->ctx, "TERM");
	unsigned i = 0;
	while (format && i < sizeof names / sizeof names[0] && !text_equal(names[i], format))
		i++;
	if (i == sizeof names / sizeof names[0])
		return err_set(
		    &c->err, ERR_INVALID, "--output: expected table, wide, json, jsonl or yaml, got \"%.40s\"", format);
	c->format = (enum cli_format)i;
	bool colour = c->io->out_terminal && !(no_colour && *no_colour) && !text_equal(term, "dumb") &&
		      !words_flag(&c->w, "no-colour");
	c->table = (struct table_options){.wide = c->format == CLI_WIDE, .colour = colour, .width = c->io->width};
	return columns ? choose_columns(c, columns) : ERR_OK;
}

static int run_words(struct cli *c, enum err_code parsed)
{
	if (parsed != ERR_OK)
		return cli_fail(c, parsed);
	if (c->w.version) {
		cli_print(c, "kedge %s\n", KEDGE_VERSION);
		return CLI_DONE;
	}
	if (c->w.help)
		return run_help(c);
	if (!c->w.command) {
		run_help(c);
		return CLI_USAGE;
	}
	enum err_code rc = choose_output(c);
	return rc == ERR_OK ? c->w.command->run(c) : cli_fail(c, rc);
}

int cli_run(int argc, const char *const *argv, const struct cli_io *io)
{
	static struct cli c; /* large, and one run is one process; a second run in a test begins anew */
	c = (struct cli){.io = io, .arena = arena_new(0)};
	int code = CLI_FAILED;
	if (c.arena)
		code = run_words(&c, words_parse(argc, argv, &c.w, &c.err));
	arena_free(c.arena);
	return code;
}
