/* agent/cli/drill.c: kedge-agent snapshot drill, kedge-agent status: what could be brought back, and how surely. */
#include "agent/rollback/drill.h"

#include <stdio.h>

#include "agent/cli/cli.h"
#include "agent/offhost/reach.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(struct repo, repo_cleanup, repo_close)

static int drill_one(struct cli *c, struct repo *repo, const char *name)
{
	const struct service_config *service = agent_config_service(c->config, name);
	struct drill_report done;
	struct err err = ERR_INIT;
	char took[TEXT_TIME_MAX];
	if (!service) {
		(void)err_set(&err, ERR_NOT_FOUND, "agent.yaml declares no service %s", name);
		return cli_fail(&err);
	}
	if (drill_run(repo, c->config->state_directory, service, clock_wall_ms(), NULL, c->arena, &done, &err) !=
	    ERR_OK)
		return cli_fail(&err);
	if (c->format == CLI_JSON || c->format == CLI_YAML) {
		int code = cli_record(c, &drill_report_type, &done);
		return code == EXIT_DONE && !done.ok ? EXIT_FAILED : code;
	}
	if (done.ok)
		printf("%s: %s came back in %s%s%s%s\n", name, id_text(ID_SNAPSHOT, done.snapshot),
		    text_duration_human(done.took_ms, took),
		    done.checked && done.started ? ", its database ran and answered, and it passed its own check"
		    : done.checked               ? ", and passed its own check"
		    : done.started               ? ", and its database ran and answered"
						 : "",
		    done.text ? ": " : "", done.text ? done.text : "");
	else
		fprintf(stderr, "kedge-agent: %s could not be brought back: %s\n", name, done.text ? done.text : "?");
	return done.ok ? EXIT_DONE : EXIT_FAILED;
}

int cli_drill(struct cli *c, struct repo *repo)
{
	int worst = EXIT_DONE;
	if (!c->argc)
		return fputs("usage: kedge-agent snapshot drill SERVICE…\n", stderr), EXIT_USAGE;
	for (int i = 0; i < c->argc; i++) {
		int code = drill_one(c, repo, c->argv[i]);
		worst = code > worst ? code : worst;
	}
	return worst;
}

/* ---- status ---- */

static const struct component_drill *practised(const struct drill_report *d, uint32_t component)
{
	for (size_t i = 0; d && i < d->components.count; i++)
		if (LIST_AT(d->components, struct component_drill, i).component == component)
			return &LIST_AT(d->components, struct component_drill, i);
	return NULL;
}

static void fill(
    struct board_row *row, const struct list *newest_first, const struct drill_report *drill, uint64_t now_ms)
{
	for (size_t i = 0; i < newest_first->count; i++) {
		const struct snapshot_summary *s = &LIST_AT(*newest_first, struct snapshot_summary, i);
		if (s->reason == SNAPSHOT_SAFETY || !snapshot_summary_component(s, (enum component)row->component))
			continue;
		if (id_is_zero(row->snapshot)) {
			row->snapshot = s->snapshot;
			row->taken_ms = s->taken_ms;
			row->rpo_ms = now_ms > s->taken_ms ? now_ms - s->taken_ms : 0;
		}
		if (s->marks.verified_ms > row->verified_ms)
			row->verified_ms = s->marks.verified_ms;
	}
	const struct component_drill *p = practised(drill, row->component);
	if (!drill)
		return;
	row->drill_ms = drill->at_ms;
	row->drill_ok = drill->ok;
	row->proven_ms = drill->proven_ms;
	row->rto_ms = p ? p->took_ms : 0;
	row->text = drill->text;
}

static enum err_code rows_of(struct cli *c, struct repo *repo, const struct service_config *service,
    struct board_row *rows, size_t *count, struct err *reterr)
{
	struct list all;
	struct drill_report *last = arena_alloc(c->arena, sizeof *last);
	struct reach reach;
	bool beyond = false;
	uint64_t now_ms = clock_wall_ms(), oldest_ms = now_ms;
	enum err_code rc = last ? snapshot_list(repo, service->name, c->arena, &all, NULL, reterr)
				: err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK)
		return rc;
	if (drill_last(c->config->state_directory, service->name, c->arena, last, NULL) != ERR_OK)
		last = NULL;
	rc = offhost_reach(c->config, service, now_ms, c->arena, &reach, &beyond, reterr);
	if (rc != ERR_OK)
		return rc;
	if (all.count)
		oldest_ms = LIST_AT(all, struct snapshot_summary, all.count - 1).taken_ms;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		if (!components_get(&service->components, (enum component)i))
			continue;
		struct board_row *row = &rows[(*count)++];
		*row = (struct board_row){.host = c->config->host,
		    .service = service->name,
		    .component = i,
		    .overdue = drill_is_overdue(service, last, oldest_ms, now_ms)};
		fill(row, &all, last, now_ms);
		if (beyond)
			board_row_reach(row, &reach, now_ms);
	}
	return ERR_OK;
}

int cli_status(struct cli *c)
{
	CLEANUP(repo_cleanup) struct repo *repo = NULL;
	struct err err = ERR_INIT;
	size_t count = 0;
	struct board_row *rows = arena_array(c->arena, c->config->services.count * COMPONENT_COUNT + 1, sizeof *rows);
	const void **shown = arena_array(c->arena, c->config->services.count * COMPONENT_COUNT + 1, sizeof *shown);
	if (!rows || !shown)
		return EXIT_FAILED;
	if (cli_open(c, &repo, &err) != ERR_OK)
		return cli_fail(&err);
	for (size_t i = 0; i < c->config->services.count; i++)
		if (rows_of(c, repo, &LIST_AT(c->config->services, struct service_config, i), rows, &count, &err) !=
		    ERR_OK)
			return cli_fail(&err);
	for (size_t i = 0; i < count; i++)
		shown[i] = &rows[i];
	int code = cli_records(c, &board_row_type, shown, count);
	cli_copy_line(c);
	return code;
}
