/* agent/cli/cli.h: kedge-agent's command line: the daemon, and what a person does on the host when everything else is
 * down.
 *
 * Local commands need no controller and no network; those that change something take the same locks and journals as the
 * keeper. */
#ifndef KEDGE_AGENT_CLI_CLI_H
#define KEDGE_AGENT_CLI_CLI_H

#include "agent/config/config.h"

/* As of every program: docs/OPERATIONS.md. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,
	EXIT_NOT_FOUND = 4,
	EXIT_UNREACHABLE = 5,
	EXIT_PARTLY = 6,
	EXIT_TIMED_OUT = 7
};

enum cli_format { CLI_TABLE, CLI_WIDE, CLI_JSON, CLI_YAML };

struct cli { /* one call of the program */
	const char *config_path;
	const struct agent_config *config;
	struct arena *arena;
	enum cli_format format;
	const char *to, *into, *token, *authority, *controller, *reason, *service, *repository, *key; /* options */
	bool history;
	const char *area, *to_time, *to_lsn, *to_xid, *to_name,
	    *timeline; /* of the write-ahead log, and a moment of a database */
	bool sample, apply, exact, no_prove, deep, progressive, cross_schema, data, emergency, text, drop;
	uint32_t components;            /* bits */
	uint32_t generation, inventory; /* of a copy; 0: the newest */
	int argc;
	char **argv; /* words after the verb */
};

int cli_main(int argc, char **argv);

int cli_exit(enum err_code code);
int cli_fail(const struct err *err); /* prints, returns the exit code */
/* Print records as the format says. */
int cli_records(const struct cli *c, const struct record_type *type, const void *const *records, size_t count);
int cli_record(const struct cli *c, const struct record_type *type, const void *record);
void cli_progress(const char *what, double percent,
    const char *text); /* a line that is overwritten on a terminal; nothing elsewhere */
void cli_progress_end(void);

/* This host's repository, or the one that --repository names, whosever it is. */
struct repo;
ERR_CHECK enum err_code cli_open(struct cli *c, struct repo **ret, struct err *reterr);
/* A word that names a restore point, of any service. */
struct snapshot_summary;
ERR_CHECK enum err_code cli_named(
    struct cli *c, struct repo *repo, const char *word, struct snapshot_summary *ret, struct err *reterr);

/* diff.c */
int cli_diff(struct cli *c, struct repo *repo);
/* drill.c */
int cli_drill(struct cli *c, struct repo *repo);
int cli_status(struct cli *c);
/* retain.c */
int cli_hold(struct cli *c, struct repo *repo);
int cli_release(struct cli *c, struct repo *repo);
int cli_prune(struct cli *c, struct repo *repo);
/* keys.c */
int cli_recovery_key(struct cli *c);
int cli_unlock(struct cli *c);
int cli_rotate(struct cli *c, struct repo *repo);
/* snapshot.c, rollback.c, repo.c, wal.c */
int cli_snapshot(struct cli *c, const char *verb);
int cli_rollback(struct cli *c, const char *verb);
/* prepare.c */
int cli_prepare(struct cli *c, struct repo *repo);
int cli_prepared(struct cli *c);
int cli_settle(struct cli *c, struct repo *repo);
void cli_settle_later(const struct cli *c, const char *service); /* in a process of its own, which nobody waits for */
int cli_restore(struct cli *c);
int cli_repo(struct cli *c, const char *verb);
int cli_wal(struct cli *c, const char *verb);
/* copy.c */
int cli_copy(struct cli *c, const char *verb);
void cli_copy_line(struct cli *c); /* for people: how the copies off this host stand, if any are declared */

#endif
