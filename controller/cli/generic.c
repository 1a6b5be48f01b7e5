/* controller/cli/generic.c: what most commands do: list a table, show a record, ask for a change. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

static enum err_code row_limit(struct cli *c, size_t *ret)
{
	const char *text = words_option(&c->w, "limit");
	uint64_t n = words_flag(&c->w, "all") ? CLI_ROWS_MAX : CLI_LIMIT_DEFAULT;
	if (text && (text_u64(text, &n, NULL) != ERR_OK || n == 0 || n > CLI_ROWS_MAX))
		return err_set(
		    &c->err, ERR_INVALID, "--limit: expected a number from 1 to %d, got \"%.40s\"", CLI_ROWS_MAX, text);
	*ret = (size_t)n;
	return ERR_OK;
}

static enum err_code add_filter(
    struct cli *c, const struct record_type *t, const char *field, const char *value, struct filter *f, size_t *n)
{
	const struct field *known = record_field(t, field); /* "opened" is opened_ms */
	if (*n == QUERY_FILTERS_MAX)
		return err_set(&c->err, ERR_INVALID, "at most %d fields to select by", QUERY_FILTERS_MAX);
	f[(*n)++] = (struct filter){known ? known->name : field, value};
	return ERR_OK;
}

static enum err_code filters_from_options(struct cli *c, const struct record_type *t, struct filter *f, size_t *n)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < c->w.value_count; i++) {
		const struct cli_value *v = &c->w.values[i];
		if (text_equal(v->option->name, "where")) {
			const char *equals = strchr(v->text, '=');
			const char *field =
			    equals ? arena_strndup(c->arena, v->text, (size_t)(equals - v->text)) : NULL;
			rc = field ? add_filter(c, t, field, equals + 1, f, n)
				   : err_set(
					 &c->err, ERR_INVALID, "--where: expected field=value, got \"%.40s\"", v->text);
		} else if (v->option->field) {
			rc = add_filter(c, t, v->option->field, v->text, f, n);
		}
	}
	return rc;
}

static int list_of(struct cli *c, const char *noun)
{
	struct filter filters[QUERY_FILTERS_MAX];
	struct rows rows;
	size_t count = 0, limit;
	enum err_code rc = row_limit(c, &limit);
	if (rc != ERR_OK || (rc = filters_from_options(c, query_table(noun)->type, filters, &count)) != ERR_OK)
		return cli_fail(c, rc);
	bool newest = c->w.command->newest && !words_flag(&c->w, "oldest");
	rc = api_list(c, noun, filters, count, newest, limit, &rows);
	return rc == ERR_OK ? out_rows(c, &rows) : cli_fail(c, rc);
}

static int show_of(struct cli *c, const char *noun, const char *key)
{
	const struct record_type *t = query_table(noun)->type;
	void *record = arena_alloc(c->arena, t->size);
	enum err_code rc = record ? api_one(c, noun, key, record) : err_set(&c->err, ERR_NOMEM, "out of memory");
	return rc == ERR_OK ? out_record(c, t, record) : cli_fail(c, rc);
}

int run_list(struct cli *c)
{
	return list_of(c, c->w.command->reads);
}
int run_show(struct cli *c)
{
	return show_of(c, c->w.command->reads, c->w.words[0]);
}

int run_get(struct cli *c)
{
	if (!query_table(c->w.words[0])) {
		size_t count;
		CLEANUP(buf_done) struct buf all = BUF_INIT;
		const struct query_noun *nouns = query_nouns(&count);
		for (size_t i = 0; i < count; i++)
			buf_printf(&all, " %s", nouns[i].noun);
		return cli_usage(c, "there is no table \"%.40s\"; there are:%s", c->w.words[0], buf_str(&all));
	}
	return c->w.word_count > 1 ? show_of(c, c->w.words[0], c->w.words[1]) : list_of(c, c->w.words[0]);
}

int request_post(struct cli *c, const struct request_args *a, const char *done)
{
	const struct request_verb *v = request_verb_of(c->w.command->posts);
	CLEANUP(buf_done) struct buf json = BUF_INIT;
	void *record = v->answer ? arena_alloc(c->arena, v->answer->size) : NULL;
	enum err_code rc = request_json(c, a, &json);
	if (rc == ERR_OK)
		rc = api_post(c, c->w.command->posts, buf_str(&json), false, v->answer, record);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (!v->answer) {
		if (cli_for_people(c))
			cli_say(c, "%s\n", done);
		else
			cli_print(c, "{}\n");
		return CLI_DONE;
	}
	const void *row = record;
	return cli_for_people(c) ? out_rows(c, &(struct rows){v->answer, &row, 1, false})
				 : out_record(c, v->answer, record);
}

int run_post(struct cli *c)
{
	struct request_args a;
	enum err_code rc = request_from_words(c, &a);
	return rc == ERR_OK ? request_post(c, &a, "done") : cli_fail(c, rc);
}

int run_audit_verify(struct cli *c)
{
	struct audit_verdict v;
	const char *kept = cli_word(c, "checkpoint"), *path = "/api/v1/audit/verify";
	if (kept) {
		size_t digits = strspn(kept, "0123456789");
		if (!digits || kept[digits] != ':' ||
		    strspn(kept + digits + 1, "0123456789abcdef") != strlen(kept) - digits - 1)
			return cli_usage(c,
			    "\"%s\" is no checkpoint: expected SIZE:ROOT, as `kedge audit checkpoint` prints it", kept);
		path = arena_printf(c->arena, "%s?size=%.*s&root=%s", path, (int)digits, kept, kept + digits + 1);
	}
	enum err_code rc = api_get(c, path, &audit_verdict_type, &v);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	int code = out_record(c, &audit_verdict_type, &v);
	if (code == CLI_DONE && v.problem != AUDIT_SOUND) {
		cli_say(c, "kedge: the audit trail is not what was written: keep this controller's store as evidence "
			   "and compare it with its backups\n");
		return CLI_FAILED;
	}
	return code;
}

int run_audit_checkpoint(struct cli *c)
{
	struct audit_checkpoint made;
	char root[2 * sizeof made.root.b + 1];
	enum err_code rc = api_post(c, "audit/checkpoint", "{}", false, &audit_checkpoint_type, &made);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (!cli_for_people(c))
		return out_record(c, &audit_checkpoint_type, &made);
	cli_print(c, "%llu:%s\n", (unsigned long long)made.size, text_hex(made.root.b, sizeof made.root.b, root));
	cli_say(c,
	    "keep it where this controller cannot reach: `kedge audit verify` with it shows whether the trail was rewritten\n");
	return CLI_DONE;
}

int run_controller_show(struct cli *c)
{
	struct brakes b = {.scope = "fleet"};
	enum err_code rc = api_one(c, "controller", "fleet", &b);
	if (rc == ERR_NOT_FOUND) /* nobody ever touched them */
		rc = ERR_OK;
	return rc == ERR_OK ? out_record(c, &brakes_type, &b) : cli_fail(c, rc);
}
