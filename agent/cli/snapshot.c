/* agent/cli/snapshot.c: kedge-agent snapshot … and restore */
#include <stdio.h>
#include <string.h>

#include "agent/cli/cli.h"
#include "agent/database/outline.h"
#include "agent/keeper/byhand.h"
#include "agent/worker/schema.h"
#include "agent/worker/work.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(struct repo, repo_cleanup, repo_close)
CLEANUP_DEFINE(struct snapshot, snapshot_cleanup, snapshot_close)

static void on_progress(void *ctx, const struct snapshot_progress *p)
{
	char size[TEXT_TIME_MAX], line[128];
	double percent = p->entries_total ? 100.0 * (double)p->entries / (double)p->entries_total : -1;
	text_format(line, sizeof line, "%llu entries, %s read, %llu files", (unsigned long long)p->entries,
	    text_size_human(p->bytes_read, size), (unsigned long long)p->files_read);
	cli_progress(ctx, percent, percent < 0 ? line : size);
}

/* ---- a list for people: what decides which one to take ---- */

struct row {
	struct id snapshot;
	const char *service, *state, *version;
	uint32_t reason;
	uint64_t taken_ms, took_ms, size_bytes, stored_bytes, verified_ms;
};
static const struct field row_fields[] = {
    F_ID(struct row, snapshot, SNAPSHOT, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "its id"),
    F_STRING(struct row, service, NAME_MAX_BYTES, FIELD_COLUMN, "the service"),
    F_ENUM(struct row, reason, &snapshot_reason_enum, FIELD_ALWAYS | FIELD_COLUMN, "why it was taken"),
    F_STRING(struct row, state, NAME_MAX_BYTES, FIELD_COLUMN, "what is known of it"),
    F_TIME(struct row, taken_ms, FIELD_COLUMN, "when", .column = "TAKEN"),
    F_TIME(struct row, verified_ms, FIELD_COLUMN, "when it was last read back, whole or a sample of it",
	.column = "VERIFIED"),
    F_DURATION(struct row, took_ms, 0, FIELD_COLUMN, "how long it took", .column = "TOOK"),
    F_SIZE(struct row, size_bytes, 0, FIELD_COLUMN, "size as restored", .column = "SIZE"),
    F_SIZE(struct row, stored_bytes, 0, FIELD_COLUMN, "what it added to the repository", .column = "STORED"),
    F_STRING(struct row, version, VERSION_MAX_BYTES, FIELD_WIDE, "of its code", .column = "CODE"),
};
static const struct record_type row_type =
    RECORD_TYPE("snapshot_row", struct row, row_fields, "A restore point in a list.");

static const char *state_of(const struct snapshot_summary *s)
{
	if (s->marks.damage)
		return "damaged";
	if (s->marks.hold)
		return "held";
	if (snapshot_is_good(s))
		return "good";
	return s->suspect || s->marks.suspect ? "suspect" : NULL;
}

static int print_list(struct cli *c, const struct list *all)
{
	bool records = c->format == CLI_JSON || c->format == CLI_YAML;
	const void **items = arena_array(c->arena, all->count + 1, sizeof *items);
	struct row *rows = arena_array(c->arena, all->count + 1, sizeof *rows);
	if (!items || !rows)
		return EXIT_FAILED;
	for (size_t i = 0; i < all->count; i++) {
		const struct snapshot_summary *s = &LIST_AT(*all, struct snapshot_summary, i);
		const struct snapshot_component *code = snapshot_summary_component(s, COMPONENT_CODE);
		uint64_t read_ms =
		    s->marks.verified_ms > s->marks.sampled_ms ? s->marks.verified_ms : s->marks.sampled_ms;
		rows[i] = (struct row){s->snapshot, s->service, state_of(s), code ? code->version : NULL, s->reason,
		    s->taken_ms, s->took_ms, s->size_bytes, s->stored_bytes, read_ms};
		items[i] = records ? (const void *)s : &rows[i];
	}
	return cli_records(c, records ? &snapshot_summary_type : &row_type, items, all->count);
}

static int create(struct cli *c, struct repo *repo)
{
	struct err err = ERR_INIT;
	char folder[PATH_LIMIT];
	struct snapshot_summary *made = arena_array(c->arena, (size_t)c->argc + 1, sizeof *made);
	if (!c->argc)
		return fputs("usage: kedge-agent snapshot create SERVICE… [--component C]… [--emergency]\n", stderr),
		       EXIT_USAGE;
	if (!made || !text_format(folder, sizeof folder, "%s/prepare", c->config->state_directory))
		return EXIT_FAILED;
	for (int i = 0; i < c->argc; i++) {
		const struct service_config *service = agent_config_service(c->config, c->argv[i]);
		struct snapshot_options o = {.components = c->components,
		    .reason = c->emergency ? SNAPSHOT_EMERGENCY : SNAPSHOT_MANUAL,
		    .now_ms = clock_wall_ms(),
		    .progress = on_progress,
		    .progress_ctx = c->argv[i]};
		if (!service)
			return fprintf(stderr, "kedge-agent: agent.yaml declares no service %s\n", c->argv[i]),
			       EXIT_NOT_FOUND;
		struct snapshot_version schemas[COMPONENT_COUNT];
		schema_versions(service, c->arena, schemas, &o.version_count);
		o.versions = schemas;
		if (database_archive_make(repo, c->config->state_directory, service, &err) != ERR_OK)
			fprintf(stderr, "kedge-agent: %s has no archive of its database's log: %s\n", service->name,
			    err.msg);
		if (database_snapshot(repo, service, &o, folder, c->arena, &made[i], &err) != ERR_OK)
			return cli_fail(&err);
		if (database_archive_based(c->config->state_directory, service, o.now_ms, &err) != ERR_OK)
			fprintf(stderr, "kedge-agent: it is not watched whether the log of %s is archived: %s\n",
			    service->name, err.msg);
		enum err_code rc = outline_keep(c->config->state_directory, service, made[i].snapshot, &err);
		if (rc != ERR_OK && rc != ERR_UNSUPPORTED)
			fprintf(stderr, "kedge-agent: what the database of %s is made of was not noted: %s\n",
			    service->name, err.msg);
		if (byhand_keep_snapshot(c->config, &made[i], c->arena, &err) != ERR_OK)
			fprintf(stderr, "kedge-agent: the controller will not hear of this: %s\n", err.msg);
	}
	cli_progress_end();
	return print_list(c, &(struct list){made, (size_t)c->argc});
}

static int list(struct cli *c, struct repo *repo)
{
	struct list all, damaged;
	struct err err = ERR_INIT;
	if (snapshot_list(repo, c->argc ? c->argv[0] : NULL, c->arena, &all, &damaged, &err) != ERR_OK)
		return cli_fail(&err);
	int code = print_list(c, &all);
	for (size_t i = 0; i < damaged.count; i++) {
		const struct snapshot_damaged *d = &LIST_AT(damaged, struct snapshot_damaged, i);
		fprintf(stderr, "kedge-agent: %s is damaged and no restore point: %s\n", d->file, d->text);
		code = EXIT_PARTLY;
	}
	return code;
}

enum err_code cli_open(struct cli *c, struct repo **ret, struct err *reterr)
{
	return c->repository ? repo_open(c->repository, NULL, ret, reterr) : work_repo(c->config, ret, reterr);
}

enum err_code cli_named(
    struct cli *c, struct repo *repo, const char *word, struct snapshot_summary *ret, struct err *reterr)
{
	return snapshot_find(repo, NULL, word, c->arena, ret, reterr);
}

static int show(struct cli *c, struct repo *repo)
{
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	if (c->argc != 1)
		return fputs("usage: kedge-agent snapshot show ID\n", stderr), EXIT_USAGE;
	return cli_named(c, repo, c->argv[0], &s, &err) == ERR_OK ? cli_record(c, &snapshot_summary_type, &s)
								  : cli_fail(&err);
}

static void on_finding(void *ctx, const char *text)
{
	(void)ctx;
	cli_progress_end();
	fprintf(stderr, "kedge-agent: %s\n", text);
}

struct proof {
	struct id snapshot;
	const char *service;
	bool sample;
	uint64_t chunks, chunks_total, bytes;
};
static const struct field proof_fields[] = {
    F_ID(struct proof, snapshot, SNAPSHOT, FIELD_REQUIRED, "the restore point that is sound"),
    F_STRING(struct proof, service, NAME_MAX_BYTES, FIELD_REQUIRED, "the service"),
    F_BOOL(struct proof, sample, FIELD_ALWAYS, "only a sample: 99 % sure that fewer than 0.1 % of its chunks are bad"),
    F_U64(struct proof, chunks, 0, FIELD_ALWAYS, "chunks read back and authenticated"),
    F_U64(struct proof, chunks_total, 0, FIELD_ALWAYS, "of so many"),
    F_SIZE(struct proof, bytes, 0, FIELD_ALWAYS, "their size"),
};
static const struct record_type proof_type =
    RECORD_TYPE("snapshot_proof", struct proof, proof_fields, "A restore point that was read back.");

static int verify_one(struct cli *c, struct repo *repo, const struct snapshot_summary *s)
{
	char id[ID_TEXT_MAX], size[TEXT_TIME_MAX];
	struct verify_options o = {.sample = c->sample,
	    .now_ms = clock_wall_ms(),
	    .on_finding = on_finding,
	    .progress = on_progress,
	    .progress_ctx = (void *)(uintptr_t)s->service};
	struct verify_result r;
	struct err err = ERR_INIT;
	id_format(ID_SNAPSHOT, s->snapshot, id);
	if (snapshot_verify(repo, s->snapshot, &o, &r, &err) != ERR_OK)
		return cli_fail(&err);
	cli_progress_end();
	if (c->format == CLI_JSON || c->format == CLI_YAML)
		return cli_record(c, &proof_type,
		    &(struct proof){s->snapshot, s->service, c->sample, r.chunks, r.chunks_total, r.bytes});
	printf("%s of %s is sound: %llu of %llu chunks read back, %s%s\n", id, s->service, (unsigned long long)r.chunks,
	    (unsigned long long)r.chunks_total, text_size_human(r.bytes, size),
	    c->sample ? "; 99 % sure that fewer than 0.1 % of its chunks are bad" : "");
	return EXIT_DONE;
}

static int verify(struct cli *c, struct repo *repo)
{
	struct err err = ERR_INIT;
	if (!c->argc)
		return fputs("usage: kedge-agent snapshot verify ID|SERVICE… [--sample]\n", stderr), EXIT_USAGE;
	for (int i = 0; i < c->argc; i++) {
		struct snapshot_summary s;
		enum err_code rc = agent_config_service(c->config, c->argv[i])
				       ? snapshot_find(repo, c->argv[i], "last", c->arena, &s, &err)
				       : cli_named(c, repo, c->argv[i], &s, &err);
		int code = rc == ERR_OK ? verify_one(c, repo, &s) : cli_fail(&err);
		if (code != EXIT_DONE)
			return code;
	}
	return EXIT_DONE;
}

int cli_snapshot(struct cli *c, const char *verb)
{
	static const struct {
		const char *verb;
		int (*act)(struct cli *, struct repo *);
	} verbs[] = {{"create", create}, {"list", list}, {"show", show}, {"diff", cli_diff}, {"verify", verify},
	    {"drill", cli_drill}, {"prune", cli_prune}, {"hold", cli_hold}, {"release", cli_release}};
	CLEANUP(repo_cleanup) struct repo *repo = NULL;
	struct err err = ERR_INIT;
	bool looks = text_equal(verb, "list") || text_equal(verb, "show") || text_equal(verb, "diff") ||
		     text_equal(verb, "verify");
	if (c->repository && !looks)
		return fputs(
			   "kedge-agent: --repository is for looking: snapshot list|show|diff|verify, restore, repo check|stats\n",
			   stderr),
		       EXIT_USAGE;
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (text_equal(verb, verbs[i].verb))
			return cli_open(c, &repo, &err) == ERR_OK ? verbs[i].act(c, repo) : cli_fail(&err);
	return fputs(
		   "usage: kedge-agent snapshot create|list|show|diff|verify|drill|hold|release|prune …; try: kedge-agent --help\n",
		   stderr),
	       EXIT_USAGE;
}

struct restored {
	struct id snapshot;
	const char *into;
	uint64_t entries, files, bytes;
};
static const struct field restored_fields[] = {
    F_ID(struct restored, snapshot, SNAPSHOT, FIELD_REQUIRED, "the restore point"),
    F_STRING(struct restored, into, PATH_LIMIT, FIELD_REQUIRED, "where it is now"),
    F_U64(struct restored, entries, 0, FIELD_ALWAYS, "names"),
    F_U64(struct restored, files, 0, FIELD_ALWAYS, "files among them"),
    F_SIZE(struct restored, bytes, 0, FIELD_ALWAYS, "their size"),
};
static const struct record_type restored_type =
    RECORD_TYPE("restored", struct restored, restored_fields, "What a restore made.");

int cli_restore(struct cli *c)
{
	CLEANUP(repo_cleanup) struct repo *repo = NULL;
	CLEANUP(snapshot_cleanup) struct snapshot *s = NULL;
	struct snapshot_summary about;
	struct restore_result r;
	struct err err = ERR_INIT;
	char size[TEXT_TIME_MAX];
	if (c->argc < 1 || !c->into)
		return fputs("usage: kedge-agent restore ID --into DIR [--component C]… [PATH…]\n", stderr), EXIT_USAGE;
	struct restore_options o = {.components = c->components,
	    .paths = c->argc > 1 ? (const char *const *)(c->argv + 1) : NULL,
	    .sync = true,
	    .passing = true,
	    .progress = on_progress,
	    .progress_ctx = (void *)(uintptr_t) "restore"};
	if (cli_open(c, &repo, &err) != ERR_OK || cli_named(c, repo, c->argv[0], &about, &err) != ERR_OK ||
	    snapshot_open(repo, about.snapshot, &s, &err) != ERR_OK ||
	    snapshot_restore_into(s, c->into, &o, &r, &err) != ERR_OK ||
	    (!o.paths && database_assemble(c->into, &err) != ERR_OK))
		return cli_fail(&err);
	cli_progress_end();
	if (c->format == CLI_JSON || c->format == CLI_YAML)
		return cli_record(
		    c, &restored_type, &(struct restored){about.snapshot, c->into, r.entries, r.files, r.bytes});
	printf("%llu entries, %s, into %s\n", (unsigned long long)r.entries, text_size_human(r.bytes, size), c->into);
	return EXIT_DONE;
}
