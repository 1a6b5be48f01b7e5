/* agent/database/mariadb.h: programs of a MariaDB server, and a server of our own over files that nobody else uses.
 *
 * Everything runs as the owner of the data directory, never as root: what lies there is the owner's to shape. Passwords
 * are in an option file that is named to the programs; SQL goes through standard input.  Blocking; one thread. */
#ifndef KEDGE_AGENT_DATABASE_MARIADB_H
#define KEDGE_AGENT_DATABASE_MARIADB_H

#include <sys/stat.h>

#include "agent/database/internal.h"

enum {
	MARIADB_ANSWER_MS = 60 * 1000,     /* a question that reads no table */
	MARIADB_COPY_MS = 4 * 3600 * 1000, /* a terabyte through a slow disk */
	MARIADB_START_MS = 60 * 60 * 1000, /* recovering what was very busy */
	MARIADB_STOP_MS = 5 * 60 * 1000,
	MARIADB_SAYS_MAX = 8 << 20, /* mariadb-backup has a line for each of 50,000 files */
};
#define MARIADB_LABEL     "mariadb"
#define MARIADB_DUMP_FILE "kedge-dump.sql" /* alone in the folder of a copy that was made as a dump */
#define MARIADB_OWN_FILE  "backup-my.cnf"  /* what mariadb-backup says a server needs to read its copy */

/* argv: NULL-ended.  The error holds the line that tells what was wrong. */
ERR_CHECK enum err_code mariadb_run(const struct stat *owner, const char *const *argv, struct bytes input,
    uint64_t timeout_ms, const atomic_bool *cancel, struct buf *output, struct err *reterr);
/* The first argument of a program: an option file with a password beside those of the system, or (NULL) the latter. */
enum { MARIADB_WHO_MAX = PATH_LIMIT + 32 };
ERR_CHECK enum err_code mariadb_who(const char *credentials, char out[MARIADB_WHO_MAX], struct err *reterr);
/* mariadb_who() of what agent.yaml names.  ERR_DENIED: others may read it, and it is not used. */
ERR_CHECK enum err_code mariadb_login(const struct mariadb_config *c, char out[MARIADB_WHO_MAX], struct err *reterr);
#define MARIADB_NOBODY "--no-defaults" /* no option file at all */
/* The first row of what the server at socket answers, its columns separated by tabs; "" for none.  who: as above. */
ERR_CHECK enum err_code mariadb_ask(const struct stat *owner, const char *socket, const char *who, const char *sql,
    uint64_t timeout_ms, const atomic_bool *cancel, struct buf *ret, struct err *reterr);

/* A server over data, out of everybody's reach: no network, a socket in a folder that only the owner may enter, no log,
 * no replication, no events, no accounts.  It dies with this process. */
struct mariadb_server;
ERR_CHECK enum err_code mariadb_server_start(
    const char *data, const atomic_bool *cancel, struct mariadb_server **ret, struct err *reterr);
ERR_CHECK enum err_code mariadb_server_ask(
    struct mariadb_server *s, const char *sql, uint64_t timeout_ms, struct buf *ret, struct err *reterr);
/* In order, so that its files are whole; it is gone in every case. */
ERR_CHECK enum err_code mariadb_server_stop(struct mariadb_server *s, struct err *reterr);

/* box/mariadb is a copy, restored: a dump becomes a data directory. */
ERR_CHECK enum err_code mariadb_assemble(const char *box, struct err *reterr);
ERR_CHECK enum err_code mariadb_trial(
    const struct service_config *s, const char *box, const atomic_bool *cancel, struct err *reterr);

#endif
