/* agent/cli/prepare.c: kedge-agent rollback prepare, prepared, settle: trees that are staged beforehand. */
#include "agent/rollback/prepared.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/cli.h"
#include "agent/keeper/byhand.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

/* ---- prepare ---- */

static void on_progress(void *ctx, const struct snapshot_progress *p)
{
	char size[TEXT_TIME_MAX];
	(void)ctx;
	cli_progress("staging", p->entries_total ? 100.0 * (double)p->entries / (double)p->entries_total : -1,
	    text_size_human(p->bytes_read, size));
}

static void tell(const struct cli *c, const struct prepare_result *r)
{
	char size[TEXT_TIME_MAX], until[TEXT_TIME_MAX];
	const struct prepared *p = r->prepared;
	if (!p)
		fprintf(stderr, "kedge-agent: %s is not staged: %s\n", enum_name(&component_enum, r->component),
		    r->why ? r->why : "out of memory");
	else if (c->format == CLI_TABLE || c->format == CLI_WIDE)
		printf("%s: %llu entries, %s, staged until %s\n", enum_name(&component_enum, r->component),
		    (unsigned long long)p->entries, text_size_human(p->size_bytes, size),
		    text_time(p->expires_ms, until));
}

static int tell_all(struct cli *c, const struct list *results)
{
	size_t staged = 0;
	struct prepared_tree *rows = arena_array(c->arena, results->count + 1, sizeof *rows);
	const void **items = arena_array(c->arena, results->count + 1, sizeof *items);
	if (!rows || !items)
		return EXIT_FAILED;
	for (size_t i = 0; i < results->count; i++) {
		const struct prepare_result *r = &LIST_AT(*results, struct prepare_result, i);
		const struct prepared *p = r->prepared;
		tell(c, r);
		if (!p)
			continue;
		rows[staged] = (struct prepared_tree){p->service, p->component, p->snapshot, PREPARED_READY, p->undo,
		    p->prepared_ms, p->expires_ms, p->entries, p->size_bytes};
		items[staged] = &rows[staged];
		staged++;
	}
	int code = staged == results->count ? EXIT_DONE : staged ? EXIT_PARTLY : EXIT_REFUSED;
	if (c->format != CLI_JSON && c->format != CLI_YAML)
		return code;
	int printed = cli_records(c, &prepared_tree_type, items, staged);
	return printed == EXIT_DONE ? code : printed;
}

/* ---- drop ---- */

static int settle_one(struct cli *c, struct repo *repo, const struct service_config *service)
{
	struct list saved;
	struct err err = ERR_INIT, untold = ERR_INIT;
	enum err_code rc =
	    rollback_settle(repo, c->config->state_directory, service, clock_wall_ms(), c->arena, &saved, &err);
	for (size_t i = 0; i < saved.count; i++)
		if (byhand_keep_snapshot(c->config, &LIST_AT(saved, struct snapshot_summary, i), c->arena, &untold) !=
		    ERR_OK)
			fprintf(stderr, "kedge-agent: the controller will not hear of this: %s\n", untold.msg);
	return rc == ERR_OK ? EXIT_DONE : cli_fail(&err);
}

/* What a rollback has just set aside is saved before it goes, by whoever comes first. */
static int drop(struct cli *c, struct repo *repo, const struct service_config *service, struct id snapshot)
{
	struct err err = ERR_INIT;
	size_t dropped;
	int code = settle_one(c, repo, service);
	if (code != EXIT_DONE)
		return code;
	if (rollback_prepared_drop(
		c->config->state_directory, service->name, snapshot, c->components, c->arena, &dropped, &err) != ERR_OK)
		return cli_fail(&err);
	if (c->format == CLI_TABLE || c->format == CLI_WIDE)
		printf("%zu staged trees of %s removed\n", dropped, service->name);
	return EXIT_DONE;
}

int cli_prepare(struct cli *c, struct repo *repo)
{
	struct snapshot_summary target = {0};
	struct list results;
	struct err err = ERR_INIT;
	struct prepare_request r = {.service = agent_config_service(c->config, c->argv[0]),
	    .components = c->components,
	    .now_ms = clock_wall_ms(),
	    .progress = on_progress};
	if (!r.service) {
		(void)err_set(&err, ERR_NOT_FOUND, "agent.yaml declares no service %s", c->argv[0]);
		return cli_fail(&err);
	}
	if (c->to && snapshot_find(repo, r.service->name, c->to, c->arena, &target, &err) != ERR_OK)
		return cli_fail(&err);
	if (c->drop)
		return drop(c, repo, r.service, target.snapshot);
	r.snapshot = target.snapshot;
	if (rollback_prepare(repo, c->config->state_directory, &r, c->arena, &results, &err) != ERR_OK)
		return cli_fail(&err);
	cli_progress_end();
	return tell_all(c, &results);
}

/* ---- prepared ---- */

int cli_prepared(struct cli *c)
{
	struct list all;
	struct err err = ERR_INIT;
	if (c->argc && !agent_config_service(c->config, c->argv[0])) {
		(void)err_set(&err, ERR_NOT_FOUND, "agent.yaml declares no service %s", c->argv[0]);
		return cli_fail(&err);
	}
	if (rollback_prepared(c->config->state_directory, c->argc ? c->argv[0] : NULL, clock_wall_ms(), c->arena, &all,
		&err) != ERR_OK)
		return cli_fail(&err);
	const void **items = arena_array(c->arena, all.count + 1, sizeof *items);
	for (size_t i = 0; items && i < all.count; i++)
		items[i] = &LIST_AT(all, struct prepared_tree, i);
	return items ? cli_records(c, &prepared_tree_type, items, all.count) : EXIT_FAILED;
}

/* ---- settle ---- */

int cli_settle(struct cli *c, struct repo *repo)
{
	struct err err = ERR_INIT;
	size_t swept;
	int worst = EXIT_DONE;
	for (size_t i = 0; i < c->config->services.count; i++) {
		const struct service_config *service = &LIST_AT(c->config->services, struct service_config, i);
		if (c->argc && !text_equal(service->name, c->argv[0]))
			continue;
		int code = settle_one(c, repo, service);
		worst = code > worst ? code : worst;
	}
	if (rollback_prepared_sweep(repo, c->config->state_directory, clock_wall_ms(), c->arena, &swept, &err) !=
	    ERR_OK)
		return cli_fail(&err);
	return worst;
}

void cli_settle_later(const struct cli *c, const char *service)
{
	extern char **environ;
	char *argv[] = {"kedge-agent", "--config", (char *)(uintptr_t)c->config_path, "rollback", "settle",
	    (char *)(uintptr_t)service, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	pid_t child;
	if (posix_spawn_file_actions_init(&files) != 0)
		return; /* the keeper, or the next rollback, does it */
	if (posix_spawnattr_init(&how) == 0) {
		bool ok = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID) == 0;
		for (int fd = 0; ok && fd < 3; fd++)
			ok =
			    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", fd ? O_WRONLY : O_RDONLY, 0) == 0;
		if (!ok || posix_spawn(&child, "/proc/self/exe", &files, &how, argv, environ) != 0)
			log_warn(
			    "rollback", "service=%s what was set aside is saved later: %s", service, strerror(errno));
		posix_spawnattr_destroy(&how);
	}
	posix_spawn_file_actions_destroy(&files);
}
