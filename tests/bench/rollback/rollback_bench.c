/* tests/bench/rollback/rollback_bench.c: how long a rollback takes, step by step.
 *
 *   rollback_bench DIR TREE ROUNDS COMMAND…
 *
 * Takes a restore point of TREE (a repository and a state folder are made in DIR, which must not be there), then ROUNDS
 * times: COMMAND changes the tree (ROUND among its arguments stands for the number of the round), and it is rolled
 * back, with /bin/true to stop and to start.  A line a round: what the steps took in ms, and from stop to verified. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/io/process.h"
#include "agent/rollback/rollback.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

enum { ROUNDS_MAX = 100, COMMAND_TIMEOUT_MS = 600 * 1000, ARGS_MAX = 64 };

struct bench {
	char repo_path[PATH_LIMIT], state[PATH_LIMIT];
	struct component_config config;
	struct service_config service;
	struct repo *repo;
	struct arena *arena;
};

static struct err err;

static int failed(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", what, err_code_name(err.code), err.msg);
	return 1;
}

static void on_step(void *ctx, const struct order_step *s)
{
	uint64_t *stopped = ctx;
	printf("%s %llu  ", enum_name(&step_kind_enum, s->kind), (unsigned long long)s->took_ms);
	if (s->kind == STEP_STOP)
		*stopped = clock_mono_us();
}

static bool on_prove(void *ctx, const char *service, bool deep, char text[ROLLBACK_TEXT_MAX])
{
	(void)ctx;
	(void)service;
	(void)deep;
	(void)text;
	return true;
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

static int change(char **command, int round)
{
	const char *argv[ARGS_MAX + 1];
	char number[16];
	size_t n = 0;
	text_format(number, sizeof number, "%d", round);
	for (; command[n] && n < ARGS_MAX; n++)
		argv[n] = strcmp(command[n], "ROUND") == 0 ? number : command[n];
	argv[n] = NULL;
	struct process_spec spec = {.argv = argv, .timeout_ms = COMMAND_TIMEOUT_MS};
	return process_run_ok(&spec, NULL, &err) == ERR_OK ? 0 : failed("command");
}

static int roll_back(struct bench *b, struct id to)
{
	uint64_t stopped = 0, began = clock_mono_us();
	struct random random;
	struct rollback_result done;
	struct rollback_io io = {&stopped, on_step, on_prove, on_cancelled, on_now, NULL, NULL};
	random_init_system(&random);
	struct rollback_request r = {.order = id_new(clock_wall_ms(), &random), .service = &b->service, .snapshot = to};
	if (rollback_run(b->repo, b->state, &r, &io, b->arena, &done, &err) != ERR_OK)
		return failed("rollback");
	uint64_t ended = clock_mono_us();
	printf("| whole %.3f s, stop to verified %.3f s, %s\n", (double)(ended - began) / 1e6,
	    stopped ? (double)(ended - stopped) / 1e6 : 0, enum_name(&order_outcome_enum, done.outcome));
	return done.outcome == ORDER_OK ? 0 : 1;
}

static int run(struct bench *b, const char *tree, int rounds, char **command)
{
	static const char *const nothing[] = {"/bin/true"};
	struct list step = {(void *)(uintptr_t)nothing, 1};
	struct snapshot_options o = {.reason = SNAPSHOT_MANUAL, .now_ms = clock_wall_ms()};
	struct snapshot_summary made;
	b->config.paths = (struct list){(void *)(uintptr_t)&tree, 1};
	b->service = (struct service_config){.name = "bench",
	    .components = {.code = &b->config},
	    .steps = {.stop = step, .start = step, .check = step, .timeout_ms = 10000}};
	if (repo_init(b->repo_path, "bench", &err) != ERR_OK ||
	    repo_open(b->repo_path, "bench", &b->repo, &err) != ERR_OK)
		return failed("repository");
	if (snapshot_create(b->repo, &b->service, &o, b->arena, &made, &err) != ERR_OK)
		return failed("snapshot");
	printf("%llu entries in the restore point\n",
	    (unsigned long long)LIST_AT(made.components, struct snapshot_component, 0).entries);
	int rc = 0;
	for (int i = 1; i <= rounds && rc == 0; i++)
		if ((rc = change(command, i)) == 0)
			rc = roll_back(b, made.snapshot);
	return rc;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return fputs("usage: rollback_bench DIR TREE ROUNDS COMMAND…\n", stderr), 2;
	struct bench b = {.arena = arena_new(0)};
	long rounds = strtol(argv[3], NULL, 10);
	if (!b.arena || rounds < 1 || rounds > ROUNDS_MAX ||
	    !text_format(b.repo_path, sizeof b.repo_path, "%s/repo", argv[1]) ||
	    !text_format(b.state, sizeof b.state, "%s/state", argv[1]))
		return fputs("rollback_bench: ROUNDS from 1 to 100, please\n", stderr), 2;
	int rc = run(&b, argv[2], (int)rounds, argv + 4);
	repo_close(b.repo);
	arena_free(b.arena);
	return rc;
}
