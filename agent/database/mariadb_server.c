/* Programs of MariaDB; a server of our own, to practise with and to make a data directory of a dump. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/database/mariadb.h"
#include "agent/database/trial_guard.h"
#include "agent/io/talk.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum {
	SERVER_POLL_MS = 20,
	SERVER_LATE_MS = 30 * 1000,
	SQL_MAX = 8192,
	LOG_MAX = 4 << 20,
	LOG_LINE_MAX = 200,
	SERVER_ARGS = 32
};
#define LOG_NAME "kedge-private.log"

enum err_code mariadb_run(const struct stat *owner, const char *const *argv, struct bytes input, uint64_t timeout_ms,
    const atomic_bool *cancel, struct buf *output, struct err *reterr)
{
	static const char *const telling[] = {"ERROR", "Error", "error", "FATAL", "rror:", NULL};
	struct process_spec spec = {.argv = argv,
	    .input = input,
	    .timeout_ms = timeout_ms,
	    .output_max = MARIADB_SAYS_MAX,
	    .set_user = geteuid() == 0,
	    .uid = owner->st_uid,
	    .gid = owner->st_gid};
	return process_run_long(&spec, cancel, telling, output, reterr);
}

/* An empty suffix of groups is what there is without the option. */
enum err_code mariadb_who(const char *credentials, char out[MARIADB_WHO_MAX], struct err *reterr)
{
	return text_format(out, MARIADB_WHO_MAX,
		   credentials ? "--defaults-extra-file=%s" : "--defaults-group-suffix=", credentials)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "%s is too long a path", credentials);
}

enum err_code mariadb_ask(const struct stat *owner, const char *socket, const char *who, const char *sql,
    uint64_t timeout_ms, const atomic_bool *cancel, struct buf *ret, struct err *reterr)
{
	char at[PATH_LIMIT + 16];
	struct buf text = BUF_INIT;
	if (!text_format(at, sizeof at, "--socket=%s", socket))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", socket);
	const char *argv[] = {"mariadb", who, at, "--batch", "--skip-column-names", "--connect-timeout=10", NULL};
	buf_printf(&text, "%s;\n", sql);
	size_t from = ret->size;
	enum err_code rc = text.failed ? err_set(reterr, ERR_NOMEM, "out of memory")
				       : mariadb_run(owner, argv, buf_bytes(&text), timeout_ms, cancel, ret, reterr);
	buf_done(&text);
	uint8_t *end = rc == ERR_OK && ret->size > from ? memchr(ret->data + from, '\n', ret->size - from) : NULL;
	if (end) {
		*end = '\0';
		ret->size = (size_t)(end - ret->data);
	}
	return rc;
}

/* ---- a server of our own ---- */

struct mariadb_server {
	const char *data;
	char run[sizeof((struct sockaddr_un *)0)->sun_path], socket[PATH_LIMIT], log[PATH_LIMIT];
	struct stat owner;
	struct talk *talk;
	struct trial_guard guard; /* fd -1: none */
	const atomic_bool *cancel;
};

static void server_free(struct mariadb_server *s)
{
	if (!s)
		return;
	talk_end(s->talk, 0);
	if (s->run[0])
		(void)!tree_remove(s->run, NULL);
	(void)unlink(s->log);
	if (s->guard.fd >= 0)
		trial_guard_over(&s->guard);
	free(s);
}
CLEANUP_DEFINE(struct mariadb_server, server_cleanup, server_free)

/* A socket's path is short. */
static enum err_code make_run(struct mariadb_server *s, struct err *reterr)
{
	text_copy(s->run, sizeof s->run, "/tmp/kedge-private-XXXXXX");
	if (!mkdtemp(s->run)) {
		s->run[0] = '\0';
		return err_sys(reterr, errno, "a folder for the socket cannot be made");
	}
	if (geteuid() == 0 && chown(s->run, s->owner.st_uid, s->owner.st_gid) != 0)
		return err_sys(reterr, errno, "%s", s->run);
	return tree_join(s->run, "s", s->socket, reterr);
}

/* In the guard: the server ends with the agent that began it; what it writes until then is waited for. */
static void end_alone(void *ctx)
{
	struct mariadb_server *s = ctx;
	for (uint64_t until = clock_mono_ms() + SERVER_LATE_MS; file_exists(s->run) && clock_mono_ms() < until;) {
		(void)!tree_remove(s->run, NULL);
		(void)poll(NULL, 0, SERVER_POLL_MS);
	}
}

/* Nothing that was restored decides what it does: no option file but the one that says how the files are laid out. */
static enum err_code launch(struct mariadb_server *s, struct err *reterr)
{
	char own[PATH_LIMIT], options[PATH_LIMIT + 32], data[PATH_LIMIT + 16], at[PATH_LIMIT + 16],
	    pid[PATH_LIMIT + 16], log[PATH_LIMIT + 16], tmp[PATH_LIMIT], files[PATH_LIMIT];
	enum err_code rc = tree_join(s->data, MARIADB_OWN_FILE, own, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!text_format(options, sizeof options, file_exists(own) ? "--defaults-file=%s" : "--no-defaults", own) ||
	    !text_format(data, sizeof data, "--datadir=%s", s->data) ||
	    !text_format(at, sizeof at, "--socket=%s", s->socket) ||
	    !text_format(pid, sizeof pid, "--pid-file=%s/pid", s->run) ||
	    !text_format(log, sizeof log, "--log-error=%s", s->log) ||
	    !text_format(tmp, sizeof tmp, "--tmpdir=%s", s->run) ||
	    !text_format(files, sizeof files, "--secure-file-priv=%s", s->run))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", s->data);
	const char *const argv[] = {"mariadbd", options, data, at, pid, log, "--skip-networking", "--skip-grant-tables",
	    "--skip-log-bin", "--skip-slave-start", "--event-scheduler=DISABLED", "--skip-symbolic-links",
	    "--performance-schema=OFF", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0",
	    "--innodb-fast-shutdown=1", tmp, files, NULL};
	struct process_spec spec = {
	    .argv = argv, .set_user = geteuid() == 0, .uid = s->owner.st_uid, .gid = s->owner.st_gid};
	return talk_start(&spec, &s->talk, reterr);
}

static enum err_code say_why(const struct mariadb_server *s, struct err *reterr)
{
	struct buf text = BUF_INIT;
	char line[LOG_LINE_MAX] = "its log says nothing";
	if (file_read(s->log, LOG_MAX, &text, NULL) == ERR_OK)
		for (const char *at = buf_str(&text); (at = strstr(at, "[ERROR]")); at += strlen("[ERROR]")) {
			size_t n = strcspn(at, "\n");
			text_copy(line, n + 1 < sizeof line ? n + 1 : sizeof line, at);
			if (!strstr(line, "Aborting") && !strstr(line, "init function"))
				break; /* the first one is the cause, the others its consequences */
		}
	buf_done(&text);
	return err_set(reterr, ERR_STATE, "the restored database does not start: %s", line);
}

static enum err_code wait_for(struct mariadb_server *s, struct err *reterr)
{
	for (uint64_t until = clock_mono_ms() + MARIADB_START_MS;;) {
		struct buf said = BUF_INIT;
		enum err_code rc = file_exists(s->socket) ? mariadb_ask(&s->owner, s->socket, MARIADB_NOBODY,
								"SELECT 1", MARIADB_ANSWER_MS, s->cancel, &said, NULL)
							  : ERR_UNREACHABLE;
		buf_done(&said);
		if (rc == ERR_OK)
			return ERR_OK;
		if (s->cancel && atomic_load(s->cancel))
			return err_set(reterr, ERR_CANCELLED, "cancelled");
		if (clock_mono_ms() >= until)
			return err_set(reterr, ERR_TIMEOUT, "the restored database did not begin to answer");
		if (talk_over(s->talk))
			return say_why(s, reterr);
		(void)poll(NULL, 0, SERVER_POLL_MS);
	}
}

enum err_code mariadb_server_start(
    const char *data, const atomic_bool *cancel, struct mariadb_server **ret, struct err *reterr)
{
	CLEANUP(server_cleanup) struct mariadb_server *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	s->data = data;
	s->cancel = cancel;
	s->guard.fd = -1;
	enum err_code rc = tree_join(data, LOG_NAME, s->log, reterr);
	if (rc == ERR_OK && stat(data, &s->owner) != 0)
		rc = err_sys(reterr, errno, "%s", data);
	if (rc == ERR_OK)
		rc = make_run(s, reterr);
	if (rc == ERR_OK)
		rc = trial_guard_start(&s->guard, end_alone, s, reterr);
	if (rc == ERR_OK)
		rc = launch(s, reterr);
	if (rc == ERR_OK)
		rc = wait_for(s, reterr);
	if (rc == ERR_OK)
		*ret = TAKE_PTR(s);
	return rc;
}

enum err_code mariadb_server_ask(
    struct mariadb_server *s, const char *sql, uint64_t timeout_ms, struct buf *ret, struct err *reterr)
{
	return mariadb_ask(&s->owner, s->socket, MARIADB_NOBODY, sql, timeout_ms, s->cancel, ret, reterr);
}

enum err_code mariadb_server_stop(struct mariadb_server *s, struct err *reterr)
{
	struct buf said = BUF_INIT;
	enum err_code rc =
	    mariadb_ask(&s->owner, s->socket, MARIADB_NOBODY, "SHUTDOWN", MARIADB_ANSWER_MS, NULL, &said, reterr);
	buf_done(&said);
	uint64_t until = clock_mono_ms() + MARIADB_STOP_MS;
	while (rc == ERR_OK && !talk_over(s->talk)) {
		if (clock_mono_ms() >= until)
			rc = err_set(reterr, ERR_TIMEOUT, "the restored database did not end");
		(void)poll(NULL, 0, SERVER_POLL_MS);
	}
	server_free(s);
	return rc;
}

/* ---- a dump becomes a data directory ---- */

static enum err_code load(const char *data, const char *dump, struct err *reterr)
{
	struct mariadb_server *s = NULL;
	struct buf said = BUF_INIT;
	struct err late = ERR_INIT;
	char sql[SQL_MAX];
	enum err_code rc = text_format(sql, sizeof sql, "SET SESSION sql_log_bin = 0;\nsource %s\nSELECT 1", dump)
			       ? ERR_OK
			       : err_set(reterr, ERR_LIMIT, "%s is too long a path", dump);
	if (rc == ERR_OK)
		rc = mariadb_server_start(data, NULL, &s, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = mariadb_server_ask(s, sql, MARIADB_COPY_MS, &said, reterr);
	buf_done(&said);
	enum err_code stopped = mariadb_server_stop(s, &late);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "the dump cannot be loaded");
	return stopped == ERR_OK ? ERR_OK : err_set(reterr, stopped, "%s", late.msg);
}

enum err_code mariadb_assemble(const char *box, struct err *reterr)
{
	char copy[PATH_LIMIT], dump[PATH_LIMIT], data[PATH_LIMIT], where[PATH_LIMIT + 16];
	struct stat owner;
	struct buf said = BUF_INIT;
	enum err_code rc = tree_join(box, MARIADB_LABEL, copy, reterr);
	if (rc == ERR_OK)
		rc = tree_join(copy, MARIADB_DUMP_FILE, dump, reterr);
	if (rc != ERR_OK || !file_exists(dump))
		return rc; /* what was copied by files is whole as it is */
	if (stat(copy, &owner) != 0)
		return err_sys(reterr, errno, "%s", copy);
	if (chmod(box, 0711) != 0) /* the owner must come through to its own folder below */
		return err_sys(reterr, errno, "%s", box);
	rc = tree_join(copy, "data", data, reterr);
	if (rc == ERR_OK)
		rc = file_make_dirs(data, 0700, reterr);
	if (rc == ERR_OK && ((geteuid() == 0 && chown(data, owner.st_uid, owner.st_gid) != 0) ||
				chmod(data, owner.st_mode & 07777) != 0))
		rc = err_sys(reterr, errno, "%s", data);
	if (rc == ERR_OK && !text_format(where, sizeof where, "--datadir=%s", data))
		rc = err_set(reterr, ERR_LIMIT, "%s is too long a path", data);
	const char *const argv[] = {"mariadb-install-db", "--no-defaults", where, "--skip-test-db", NULL};
	if (rc == ERR_OK)
		rc = mariadb_run(&owner, argv, (struct bytes){NULL, 0}, MARIADB_START_MS, NULL, &said, reterr);
	buf_done(&said);
	if (rc == ERR_OK)
		rc = load(data, dump, reterr);
	char aside[PATH_LIMIT];
	if (rc == ERR_OK)
		rc = tree_join(box, MARIADB_LABEL "-dump", aside, reterr);
	/* box/mariadb/data becomes box/mariadb */
	if (rc == ERR_OK && rename(copy, aside) != 0)
		rc = err_sys(reterr, errno, "%s", copy);
	if (rc == ERR_OK)
		rc = tree_join(aside, "data", data, reterr);
	if (rc == ERR_OK && rename(data, copy) != 0)
		rc = err_sys(reterr, errno, "%s", data);
	return rc == ERR_OK ? tree_remove(aside, reterr) : rc;
}

/* ---- practised ---- */

static enum err_code ask_one(struct mariadb_server *s, const char *sql, struct err *reterr)
{
	struct buf answer = BUF_INIT;
	enum err_code rc = mariadb_server_ask(s, sql, MARIADB_START_MS, &answer, reterr);
	const char *text = buf_str(&answer);
	size_t n = strcspn(text, "\t");
	if (rc == ERR_OK && (n == 0 || (n == 1 && *text == '0') || (n == 4 && !strncmp(text, "NULL", 4))))
		rc = err_set(reterr, ERR_STATE, "it answers \"%.20s\"", text);
	buf_done(&answer);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "the restored database runs, but \"%.80s\"", sql);
}

enum err_code mariadb_trial(
    const struct service_config *service, const char *box, const atomic_bool *cancel, struct err *reterr)
{
	const struct mariadb_config *c = service->components.database->mariadb;
	struct mariadb_server *s = NULL;
	struct err late = ERR_INIT;
	char data[PATH_LIMIT];
	enum err_code rc = mariadb_assemble(box, reterr);
	if (rc == ERR_OK)
		rc = tree_join(box, MARIADB_LABEL, data, reterr);
	if (rc == ERR_OK)
		rc = mariadb_server_start(data, cancel, &s, reterr);
	if (rc != ERR_OK)
		return rc;
	/* Whatever else: its catalogue opens. */
	rc = ask_one(s, "SELECT count(*) > 0 FROM mysql.global_priv", reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->prove.count; i++)
		rc = ask_one(s, LIST_AT(c->prove, const char *, i), reterr);
	enum err_code stopped = mariadb_server_stop(s, &late);
	return rc == ERR_OK && stopped != ERR_OK ? err_set(reterr, stopped, "%s", late.msg) : rc;
}
