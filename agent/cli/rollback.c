/* agent/cli/rollback.c: kedge-agent rollback … */
#include "agent/rollback/prepared.h"
#include "agent/rollback/progressive.h"

#include <stdio.h>

#include "agent/cli/cli.h"
#include "agent/database/database.h"
#include "agent/database/wal.h"
#include "agent/keeper/byhand.h"
#include "agent/worker/schema.h"
#include "agent/worker/work.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(struct repo, repo_cleanup, repo_close)

/* How an order's end is told to the shell (PITFALLS P28: partial failure is never success). */
static int exit_of(enum order_outcome outcome)
{
	switch (outcome) {
	case ORDER_OK:
		return EXIT_DONE;
	case ORDER_OK_WITH_EXCEPTIONS:
		return EXIT_PARTLY;
	case ORDER_REFUSED:
		return EXIT_REFUSED;
	case ORDER_EXPIRED:
		return EXIT_TIMED_OUT;
	case ORDER_UNREACHABLE:
		return EXIT_UNREACHABLE;
	default:
		return EXIT_FAILED;
	}
}

static void on_step(void *ctx, const struct order_step *s)
{
	struct cli *c = ctx;
	char took[TEXT_TIME_MAX];
	if (c->format == CLI_TABLE || c->format == CLI_WIDE)
		printf("%-8s %-6s %8s  %s\n", enum_name(&step_kind_enum, s->kind), s->ok ? "done" : "FAILED",
		    text_duration_human(s->took_ms, took), s->text ? s->text : "");
	fflush(stdout);
}

static bool on_prove(void *ctx, const char *service, bool deep, char text[ROLLBACK_TEXT_MAX])
{
	static const struct list not_known;
	return work_prove(((struct cli *)ctx)->config, service, deep, &not_known, text) == WORK_PROOF_WELL;
}

static bool on_cancelled(void *ctx)
{
	(void)ctx;
	return false;
}

static uint64_t on_now(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

static int finish(struct cli *c, struct repo *repo, const struct rollback_request *r,
    const struct rollback_result *done, uint64_t began_ms)
{
	char took[TEXT_TIME_MAX];
	struct order_report report = {.order = r->order,
	    .kind = ORDER_ROLLBACK,
	    .service = r->service->name,
	    .outcome = done->outcome,
	    .at_ms = clock_wall_ms(),
	    .steps = done->steps,
	    .safety_snapshot = done->safety_snapshot,
	    .snapshot = id_is_zero(done->snapshot) ? r->snapshot : done->snapshot,
	    .components = done->components,
	    .digests_match = done->digests_match,
	    .healthy = done->healthy,
	    .text = done->text,
	    .by_hand = byhand_who()};
	struct report told = {.order = &report};
	struct err err = ERR_INIT;
	struct snapshot_summary safety;
	bool saved = !id_is_zero(done->safety_snapshot) &&
		     snapshot_get(repo, done->safety_snapshot, c->arena, &safety, NULL) == ERR_OK;
	if ((saved && byhand_keep_snapshot(c->config, &safety, c->arena, &err) != ERR_OK) ||
	    byhand_keep(c->config, &told, &err) != ERR_OK)
		fprintf(stderr, "kedge-agent: the controller will not hear of this: %s\n", err.msg);
	if (c->format == CLI_JSON || c->format == CLI_YAML) {
		int code = cli_record(c, &order_report_type, &report);
		return code == EXIT_DONE ? exit_of(done->outcome) : code;
	}
	printf("%s: %s in %s: %s\n", r->service->name, enum_name(&order_outcome_enum, done->outcome),
	    text_duration_human(clock_mono_ms() - began_ms, took), done->text ? done->text : "");
	if (!id_is_zero(done->safety_snapshot))
		printf("what was there before is restore point %s\n", id_text(ID_SNAPSHOT, done->safety_snapshot));
	return exit_of(done->outcome);
}

/* One of --to-…; false: none was given. */
static bool has_moment(const struct cli *c)
{
	return c->to_time || c->to_lsn || c->to_xid || c->to_name;
}

static enum err_code moment_of(const struct cli *c, struct database_moment *ret, struct err *reterr)
{
	struct database_moment m = {.name = c->to_name};
	uint64_t timeline = 0;
	enum err_code rc = ERR_OK;
	if (!!c->to_time + !!c->to_lsn + !!c->to_xid + !!c->to_name + !!c->to != 1)
		return err_set(reterr, ERR_INVALID, "say one of --to, --to-time, --to-lsn, --to-xid and --to-name");
	m.kind = c->to_time ? MOMENT_TIME : c->to_lsn ? MOMENT_LSN : c->to_xid ? MOMENT_XID : MOMENT_NAME;
	if (c->to_time)
		rc = text_parse_time(c->to_time, &m.value, reterr);
	else if (c->to_lsn && !wal_lsn_parse(c->to_lsn, &m.value))
		rc = err_set(reterr, ERR_INVALID, "\"%.40s\" is no LSN, such as 16/B374D848", c->to_lsn);
	else if (c->to_xid)
		rc = text_u64(c->to_xid, &m.value, reterr);
	if (rc == ERR_OK && c->timeline)
		rc = text_u64(c->timeline, &timeline, reterr);
	if (rc == ERR_OK && timeline > UINT32_MAX)
		rc = err_set(reterr, ERR_INVALID, "there is no timeline %s", c->timeline);
	m.timeline = (uint32_t)timeline;
	if (rc == ERR_OK)
		*ret = m;
	return rc;
}

static enum err_code reach(struct cli *c, struct repo *repo, struct rollback_request *r, struct err *reterr)
{
	struct database_moment moment;
	struct database_recovery recovery;
	enum err_code rc = moment_of(c, &moment, reterr);
	if (rc == ERR_OK)
		rc = database_reach(repo, c->config->state_directory, r->service, &moment, clock_wall_ms(), c->arena,
		    &recovery, reterr);
	if (rc != ERR_OK)
		return rc;
	r->snapshot = recovery.base;
	r->moment = recovery.settings;
	r->components = 1u << COMPONENT_DATABASE;
	if (c->format == CLI_TABLE || c->format == CLI_WIDE)
		printf("the database: %s\n", recovery.text ? recovery.text : "");
	return ERR_OK;
}

static enum err_code request_of(struct cli *c, struct repo *repo, struct rollback_request *ret, struct err *reterr)
{
	struct snapshot_summary target;
	struct random random;
	const struct service_config *service = agent_config_service(c->config, c->argv[0]);
	if (!service)
		return err_set(reterr, ERR_NOT_FOUND, "agent.yaml declares no service %s", c->argv[0]);
	random_init_system(&random);
	*ret = (struct rollback_request){.order = id_new(clock_wall_ms(), &random),
	    .service = service,
	    .components = c->components,
	    .deep = c->deep,
	    .no_prove = c->no_prove,
	    .cross_schema = c->cross_schema};
	struct snapshot_version *schema = arena_array(c->arena, COMPONENT_COUNT, sizeof *schema);
	if (!schema)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	schema_versions(service, c->arena, schema, &ret->schema_count);
	ret->schema = schema;
	if (has_moment(c))
		return reach(c, repo, ret, reterr);
	if (c->progressive && !c->to)
		return ERR_OK; /* the newest that may be tried */
	enum err_code rc = snapshot_find(repo, service->name, c->to, c->arena, &target, reterr);
	if (rc == ERR_NOT_FOUND && rollback_is_unsettled(c->config->state_directory, service->name) &&
	    cli_settle(c, repo) == EXIT_DONE) /* it is one that the last rollback has promised */
		rc = snapshot_find(repo, service->name, c->to, c->arena, &target, reterr);
	if (rc == ERR_OK)
		ret->snapshot = target.snapshot;
	return rc;
}

static int start(struct cli *c, struct repo *repo)
{
	struct rollback_io io = {c, on_step, on_prove, on_cancelled, on_now, NULL, NULL};
	struct rollback_request r;
	struct rollback_result done;
	struct err err = ERR_INIT;
	uint64_t began_ms = clock_mono_ms();
	if (request_of(c, repo, &r, &err) != ERR_OK ||
	    (c->progressive ? rollback_progressive : rollback_run)(
		repo, c->config->state_directory, &r, &io, c->arena, &done, &err) != ERR_OK)
		return cli_fail(&err);
	int code = finish(c, repo, &r, &done, began_ms);
	if (rollback_is_unsettled(c->config->state_directory, r.service->name))
		cli_settle_later(c, r.service->name);
	return code;
}

static bool on_planned(void *ctx, const struct snapshot_change *d)
{
	/* Seen from the restore point: what it has and the host lacks is made, what only the host has is removed. */
	static const char *const words[] = {[CHANGE_ADDED] = "remove",
	    [CHANGE_REMOVED] = "make",
	    [CHANGE_CONTENT] = "replace",
	    [CHANGE_METADATA] = "metadata"};
	char shown[PATH_LIMIT];
	const struct cli *c = ctx;
	if (c->format == CLI_TABLE || c->format == CLI_WIDE)
		printf("%-8s %-8s %s%s%s\n", words[d->kind], enum_name(&component_enum, d->component), d->root_path,
		    d->path[0] ? "/" : "", snapshot_path_text(d->path, shown, sizeof shown));
	return true;
}

static int plan(struct cli *c, struct repo *repo)
{
	struct rollback_request r;
	struct rollback_plan p;
	struct err err = ERR_INIT;
	if (request_of(c, repo, &r, &err) != ERR_OK || rollback_plan(repo, &r, on_planned, c, &p, &err) != ERR_OK)
		return cli_fail(&err);
	if (c->format == CLI_JSON)
		printf("{\"snapshot\":\"%s\",\"replace\":%llu,\"remove\":%llu,\"make\":%llu,\"metadata\":%llu}\n",
		    id_text(ID_SNAPSHOT, r.snapshot), (unsigned long long)p.changed, (unsigned long long)p.added,
		    (unsigned long long)p.removed, (unsigned long long)p.metadata);
	else
		printf("to %s: %llu replaced, %llu removed, %llu made, %llu metadata only; nothing was changed\n",
		    id_text(ID_SNAPSHOT, r.snapshot), (unsigned long long)p.changed, (unsigned long long)p.added,
		    (unsigned long long)p.removed, (unsigned long long)p.metadata);
	return EXIT_DONE;
}

typedef enum err_code recover_fn(struct repo *repo, const char *state_directory, const struct rollback_request *r,
    const struct rollback_io *io, struct arena *arena, struct rollback_result *ret, struct err *reterr);

/* The worst exit code of them all. */
static int recover_all(struct cli *c, struct repo *repo, const struct list *pending, recover_fn *fn)
{
	struct rollback_io io = {c, on_step, on_prove, on_cancelled, on_now, NULL, NULL};
	struct err err = ERR_INIT;
	int worst = EXIT_DONE;
	for (size_t i = 0; i < pending->count; i++) {
		const struct rollback_pending *p = &LIST_AT(*pending, struct rollback_pending, i);
		struct rollback_request r = {
		    .order = p->order, .service = agent_config_service(c->config, p->service), .no_prove = c->no_prove};
		struct rollback_result done;
		uint64_t began_ms = clock_mono_ms();
		int code = EXIT_NOT_FOUND;
		if (!r.service)
			fprintf(stderr,
			    "kedge-agent: a rollback of %s was interrupted, but agent.yaml declares no such service any more\n",
			    p->service);
		else if (fn(repo, c->config->state_directory, &r, &io, c->arena, &done, &err) != ERR_OK)
			code = cli_fail(&err);
		else
			code = finish(c, repo, &r, &done, began_ms);
		worst = code > worst ? code : worst;
	}
	return worst;
}

/* A progressive one first: it brings its own last try to an end. */
static int recover(struct cli *c, struct repo *repo)
{
	struct list pending, progressive;
	struct err err = ERR_INIT;
	int worst = EXIT_DONE;
	if (rollback_progressive_pending(c->config->state_directory, c->arena, &progressive, &err) != ERR_OK)
		return cli_fail(&err);
	worst = recover_all(c, repo, &progressive, rollback_progressive);
	if (rollback_pending(c->config->state_directory, c->arena, &pending, &err) != ERR_OK)
		return cli_fail(&err);
	if (!pending.count && !progressive.count)
		puts("no rollback was interrupted");
	int code = recover_all(c, repo, &pending, rollback_recover);
	for (size_t i = 0; i < c->config->services.count; i++) {
		const char *service = LIST_AT(c->config->services, struct service_config, i).name;
		if (rollback_is_unsettled(c->config->state_directory, service))
			cli_settle_later(c, service);
	}
	return code > worst ? code : worst;
}

/* Those about trees that are staged beforehand; false: verb is none of them. */
static bool is_about_prepared(const struct cli *c, const char *verb, bool *ret_usage)
{
	bool prepare = text_equal(verb, "prepare");
	*ret_usage = prepare ? c->argc == 1 && (c->to || c->drop) && !has_moment(c) : c->argc <= 1;
	return prepare || text_equal(verb, "prepared") || text_equal(verb, "settle");
}

int cli_rollback(struct cli *c, const char *verb)
{
	CLEANUP(repo_cleanup) struct repo *repo = NULL;
	struct err err = ERR_INIT;
	bool usage;
	if (is_about_prepared(c, verb, &usage)) {
		if (!usage)
			return fputs(
				   "usage: kedge-agent rollback prepare SERVICE --to ID|last|last-good|TIME [--component C]…\n"
				   "       kedge-agent rollback prepare SERVICE --drop [--to …] [--component C]…\n"
				   "       kedge-agent rollback prepared|settle [SERVICE]\n",
				   stderr),
			       EXIT_USAGE;
		if (text_equal(verb, "prepared"))
			return cli_prepared(c);
		if (work_repo(c->config, &repo, &err) != ERR_OK)
			return cli_fail(&err);
		return text_equal(verb, "prepare") ? cli_prepare(c, repo) : cli_settle(c, repo);
	}
	bool recovering = text_equal(verb, "recover");
	if (!recovering && ((!text_equal(verb, "plan") && !text_equal(verb, "start")) || c->argc != 1 ||
			       (!c->to && !has_moment(c) && !(c->progressive && text_equal(verb, "start"))) ||
			       (c->progressive && has_moment(c))))
		return fputs(
			   "usage: kedge-agent rollback plan|start SERVICE --to ID|last|last-good|TIME [--component C]…\n"
			   "       kedge-agent rollback plan|start SERVICE --to-time TIME|--to-lsn LSN|--to-xid N|--to-name NAME [--timeline N]\n"
			   "       kedge-agent rollback start SERVICE --progressive [--to …] [--component C]…\n"
			   "       kedge-agent rollback recover\n",
			   stderr),
		       EXIT_USAGE;
	if (work_repo(c->config, &repo, &err) != ERR_OK)
		return cli_fail(&err);
	return recovering ? recover(c, repo) : text_equal(verb, "plan") ? plan(c, repo) : start(c, repo);
}
