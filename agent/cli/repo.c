/* agent/cli/repo.c: kedge-agent repo … */
#include "agent/snapshot/upkeep.h"

#include <stdio.h>

#include "agent/cli/cli.h"
#include "agent/worker/work.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(struct repo, repo_cleanup, repo_close)

static void on_finding(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "kedge-agent: %s\n", text);
}

static int init(struct cli *c)
{
	char path[PATH_LIMIT];
	struct err err = ERR_INIT;
	if (!text_format(path, sizeof path, "%s/repository", c->config->state_directory))
		return EXIT_FAILED;
	if (repo_init(path, c->config->host, &err) != ERR_OK)
		return cli_fail(&err);
	printf("an empty repository for host %s is in %s\n", c->config->host, path);
	return EXIT_DONE;
}

static const struct field checked_fields[] = {
    F_U64(struct repo_check_result, snapshots, 0, FIELD_ALWAYS, "restore points"),
    F_U64(struct repo_check_result, packs, 0, FIELD_ALWAYS, "pack files"),
    F_U64(struct repo_check_result, chunks, 0, FIELD_ALWAYS, "chunks in the index"),
    F_SIZE(struct repo_check_result, bytes, 0, FIELD_ALWAYS, "of sound packs"),
    F_U64(struct repo_check_result, findings, 0, FIELD_ALWAYS, "things wrong; standard error names them"),
    F_U64(struct repo_check_result, damaged_snapshots, 0, FIELD_ALWAYS, "restore points that are harmed"),
    F_U64(struct repo_check_result, unreferenced_packs, 0, FIELD_ALWAYS,
	"left by a crash or waiting for a prune; no fault"),
};
static const struct record_type checked_type =
    RECORD_TYPE("repo_check", struct repo_check_result, checked_fields, "What a check of the repository found.");

static int check(struct cli *c, struct repo *repo)
{
	struct repo_check_options o = {.read_data = c->data, .on_finding = on_finding};
	struct repo_check_result r;
	struct err err = ERR_INIT;
	char size[TEXT_TIME_MAX];
	if (repo_check(repo, &o, &r, &err) != ERR_OK)
		return cli_fail(&err);
	if (c->format == CLI_JSON || c->format == CLI_YAML)
		return cli_record(c, &checked_type, &r) == EXIT_DONE && !r.findings ? EXIT_DONE : EXIT_FAILED;
	printf("%llu restore points, %llu packs, %llu chunks, %s: %llu things wrong%s\n",
	    (unsigned long long)r.snapshots, (unsigned long long)r.packs, (unsigned long long)r.chunks,
	    text_size_human(r.bytes, size), (unsigned long long)r.findings,
	    c->data ? "" : " (--data reads the data back too)");
	return r.findings ? EXIT_FAILED : EXIT_DONE;
}

static int rebuild(struct cli *c, struct repo *repo)
{
	struct err err = ERR_INIT;
	uint64_t chunks;
	(void)c;
	if (repo_rebuild_index(repo, on_finding, NULL, &chunks, &err) != ERR_OK)
		return cli_fail(&err);
	printf("the index is made anew: %llu chunks\n", (unsigned long long)chunks);
	return EXIT_DONE;
}

static int stats(struct cli *c, struct repo *repo)
{
	struct repo_stats s;
	struct err err = ERR_INIT;
	return repo_stats(repo, &s, &err) == ERR_OK ? cli_record(c, &repo_stats_type, &s) : cli_fail(&err);
}

int cli_repo(struct cli *c, const char *verb)
{
	static const struct {
		const char *verb;
		int (*act)(struct cli *, struct repo *);
	} verbs[] = {{"check", check}, {"rebuild-index", rebuild}, {"stats", stats}, {"rotate-key", cli_rotate}};
	CLEANUP(repo_cleanup) struct repo *repo = NULL;
	struct err err = ERR_INIT;
	if (text_equal(verb, "init"))
		return init(c);
	if (text_equal(verb, "recovery-key"))
		return cli_recovery_key(c);
	if (text_equal(verb, "unlock"))
		return cli_unlock(c);
	if (c->repository && !text_equal(verb, "check") && !text_equal(verb, "stats"))
		return fputs("kedge-agent: --repository is for repo check, stats and unlock\n", stderr), EXIT_USAGE;
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (text_equal(verb, verbs[i].verb))
			return cli_open(c, &repo, &err) == ERR_OK ? verbs[i].act(c, repo) : cli_fail(&err);
	return fputs("usage: kedge-agent repo init|check|rebuild-index|stats|recovery-key|unlock|rotate-key\n", stderr),
	       EXIT_USAGE;
}
