/* controller/cli/command.h: what the files of the command line share: the table of commands, the words of one run, and
 * its state. */
#ifndef KEDGE_CONTROLLER_CLI_COMMAND_H
#define KEDGE_CONTROLLER_CLI_COMMAND_H

#include "controller/api/query.h"
#include "controller/center/requests.h"
#include "controller/cli/cli.h"

struct cli;

/* ---- the table (commands.c) ---- */

struct command {
	const char *noun, *verb; /* verb NULL: the noun is the whole command */
	const char *alias;       /* another word for the verb, or NULL */
	const char *args;    /* words that follow: "incident! text..."; ! needed, ... takes all that is left; or NULL */
	const char *options; /* by name: "service host*"; * may be repeated, ! needed; or NULL */
	const char *doc;     /* one line */
	const char *more;    /* a paragraph for its own help, or NULL */
	int (*run)(struct cli *c);
	const char *reads; /* the API's noun that it lists or shows, or NULL */
	const char *posts; /* "incident/acknowledge": what it asks the API to do, or NULL */
	bool newest;       /* a list is newest first */
	const char *examples[3];
};
extern const struct command commands[];
extern const size_t command_count;
/* NULL: there is none.  verb may be an alias; NULL finds the noun's `list`, or the noun that is a command by itself. */
const struct command *command_find(const char *noun, const char *verb);
bool command_is_noun(const char *noun);

struct option {
	const char *name;
	char letter;       /* 0: none */
	const char *value; /* "HOST"; NULL: a flag */
	const char *field; /* of a request (request_args) or a filter; NULL: the command knows what it means */
	const char *doc;
};
extern const struct option options[];
extern const size_t option_count;
const struct option *option_find(const char *name, size_t size);
/* Those that every command takes. */
bool option_is_global(const struct option *o);

/* One item of `args` or `options`: its name and marks.  False at the end. */
struct spec_item {
	const char *name;
	size_t size;
	bool needed, repeated; /* repeated: "*" or "..." */
};
bool spec_next(const char **at, struct spec_item *ret);

/* ---- the words of one run (parse.c) ---- */

struct cli_value {
	const struct option *option;
	const char *text; /* "" for a flag */
};
struct cli_words {
	const struct command *command; /* NULL: none, only help can follow */
	const char *noun, *verb;       /* as typed; NULL: none */
	const char *words[CLI_WORDS_MAX];
	size_t word_count;
	struct cli_value values[CLI_VALUES_MAX];
	size_t value_count;
	bool help, version;
};
/* ERR_INVALID says what is wrong and where help is; *ret then holds what was understood so far.  argv is borrowed. */
ERR_CHECK enum err_code words_parse(int argc, const char *const *argv, struct cli_words *ret, struct err *reterr);
/* The last one given, or NULL. */
const char *words_option(const struct cli_words *w, const char *name);
bool words_flag(const struct cli_words *w, const char *name);
/* The n-th of a repeated one, or NULL. */
const char *words_option_at(const struct cli_words *w, const char *name, size_t n);

/* ---- one run ---- */

enum cli_format { CLI_TABLE, CLI_WIDE, CLI_JSON, CLI_YAML, CLI_JSONL }; /* the last: an object a line */
struct cli {
	const struct cli_io *io;
	struct arena *arena;
	struct cli_words w;
	const struct client_config *config; /* once cli_config() was called */
	enum cli_format format;
	struct table_options table;
	const char *columns[CLI_COLUMNS_MAX + 1];
	struct err err;
};
/* The word in a place of `args`, all the rest of them for "...", or NULL. */
const char *cli_word(struct cli *c, const char *name);
/* Loads it at first use. */
ERR_CHECK enum err_code cli_config(struct cli *c, const struct client_config **ret);
/* Tells c->err with what to do next; returns the exit code. */
int cli_fail(struct cli *c, enum err_code rc);
int cli_usage(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* To standard error. */
void cli_say(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cli_print(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cli_put(struct cli *c, const struct buf *b);
static inline bool cli_for_people(const struct cli *c)
{
	return c->format <= CLI_WIDE;
}

/* ---- the controller (api.c) ---- */

struct rows {
	const struct record_type *type;
	const void **items;
	size_t count;
	bool more; /* there are further ones */
};
struct filter {
	const char *field, *value;
};
/* Errors stand in c->err. */
ERR_CHECK enum err_code api_one(struct cli *c, const char *noun, const char *key, void *record);
ERR_CHECK enum err_code api_list(struct cli *c, const char *noun, const struct filter *filters, size_t filter_count,
    bool newest, size_t limit, struct rows *ret);
/* type NULL: the answer says nothing.  Tried again with one idempotency key when no answer came, unless `once`. */
ERR_CHECK enum err_code api_post(
    struct cli *c, const char *verb, const char *json, bool once, const struct record_type *type, void *record);
ERR_CHECK enum err_code api_get(struct cli *c, const char *path, const struct record_type *type, void *record);
void url_encode(struct buf *out, const char *text);

/* ---- requests (request.c) ---- */

const struct request_verb *request_verb_of(const char *posts);
/* From the words of the command, for what it posts. */
ERR_CHECK enum err_code request_from_words(struct cli *c, struct request_args *ret);
/* One field from text, as an option or a word gives it; lists grow. */
ERR_CHECK enum err_code request_set(struct cli *c, struct request_args *a, const char *field, const char *text);
ERR_CHECK enum err_code request_json(struct cli *c, const struct request_args *a, struct buf *out);

/* Asks for it and prints the answer; `done` is said to people when there is none. */
int request_post(struct cli *c, const struct request_args *a, const char *done);

/* ---- output (output.c) ---- */

int out_record(struct cli *c, const struct record_type *t, const void *record);
int out_rows(struct cli *c, const struct rows *r);
/* Blocks of a page for people. */
void out_heading(struct buf *out, const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void out_list(struct cli *c, struct buf *out, const struct record_type *t, const struct list *items,
    const char *const *columns, unsigned indent);
/* A field as a person reads it, safe for a terminal. */
void out_field(struct buf *out, const struct record_type *t, const void *record, const char *field);
/* Any text, safe for a terminal. */
void out_text(struct buf *out, const char *text);
struct list rows_list(struct cli *c, const struct rows *r); /* as an array of records */
int out_page(struct cli *c, struct buf *page, const struct record_type *t, const void *record);

/* ---- commands ---- */

int run_list(struct cli *c);
int run_show(struct cli *c);
int run_post(struct cli *c);
int run_get(struct cli *c);
int run_status(struct cli *c);
int run_recovery_board(struct cli *c);
int run_watch(struct cli *c);
int run_host_show(struct cli *c);
int run_service_show(struct cli *c);
int run_maintenance(struct cli *c);
int run_snapshot_verify(struct cli *c);
int run_rollback_show(struct cli *c);
int run_rollback_plan(struct cli *c);
int run_rollback_start(struct cli *c); /* start, undo */
int run_incident_show(struct cli *c);
int run_diagnosis_show(struct cli *c);
int run_runbook_list(struct cli *c);
int run_runbook_show(struct cli *c);
int run_change_show(struct cli *c);
int run_change_approve(struct cli *c);
int run_change_start(struct cli *c);
int run_policy_install(struct cli *c);
int run_audit_verify(struct cli *c);
int run_audit_checkpoint(struct cli *c);
int run_operator_put(struct cli *c);
int run_controller_show(struct cli *c);
int run_token(struct cli *c); /* host enrol, ca token */
int run_ca_init(struct cli *c);
int run_ca_issue(struct cli *c);
int run_ca_revoke(struct cli *c);
int run_ca_show(struct cli *c);
int run_ca_verify(struct cli *c);
int run_ca_join(struct cli *c);
int run_analyze_classify(struct cli *c);
int run_analyze_match(struct cli *c);
int run_diagnosis_model(struct cli *c);
int run_completion(struct cli *c);
int run_help(struct cli *c);
int run_analyze_logs(struct cli *c);
int run_analyze_cause(struct cli *c);
int run_analyze_series(struct cli *c);
int run_analyze_sequences(struct cli *c);
int run_redact(struct cli *c);

extern const struct record_type incident_page_type, change_page_type, rollback_page_type, host_page_type,
    service_page_type, certificate_view_type, token_view_type;
extern const struct record_type file_template_type;
extern const struct record_type api_error_type, api_refusal_type, watched_event_type;

/* A change that was asked for, and its rollback if it began: tells, waits unless --no-wait, prints the end. */
int follow(struct cli *c, const struct rollback_answer *a);
/* A public key from a .pub file, or the line itself, to the end of a list of them. */
ERR_CHECK enum err_code public_key_add(struct cli *c, const char *text, struct list *keys);
/* The plan as people approve it. */
void plan_text(struct cli *c, struct buf *out, const struct plan *plan, const struct digest *digest);

#endif
