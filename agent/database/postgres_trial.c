/* A restored cluster, started where nobody works with it, to see that it runs and answers.
 *
 * It gets a configuration of its own and nothing of what was restored decides what it does: no TCP, a socket in a
 * folder that only the cluster's user may enter, no archiving, no replication in either direction, no libraries to
 * load. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/database/internal.h"
#include "agent/database/trial_guard.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum {
	TRIAL_PORT = 5432, /* names the socket, and nothing else */
	TRIAL_POLL_MS = 20,
	TRIAL_START_MS = 60 * 60 * 1000, /* replaying the log of a very long backup */
	TRIAL_STOP_MS = 60 * 1000,
	TRIAL_LATE_MS = 3 * 1000, /* pg_ctl start has told the server to start, or has not, by then */
	TRIAL_QUERY_MS = 10 * 60 * 1000,
	TRIAL_LOG_MAX = 4 << 20,
	TRIAL_LINE_MAX = 200,
};

#define TRIAL_PORT_TEXT "5432"

static const char settings[] = "listen_addresses = ''\n"
			       "port = 5432\n"
			       "ssl = off\n"
			       "archive_mode = off\n"
			       "max_wal_senders = 0\n"
			       "max_logical_replication_workers = 0\n"
			       "hot_standby = off\n"
			       "shared_preload_libraries = ''\n"
			       "autovacuum = off\n"
			       "logging_collector = off\n"
			       "log_destination = 'stderr'\n"
			       "fsync = off\n"
			       "max_connections = 20\n"
			       "max_prepared_transactions = 200\n"
			       "shared_buffers = 32MB\n"
			       "restart_after_crash = off\n";

struct trial {
	const struct postgres_config *declared;
	struct postgres_config pg; /* as declared, but with this place and this socket */
	char data[PATH_LIMIT], run[sizeof((struct sockaddr_un *)0)->sun_path], log[PATH_LIMIT];
	struct stat owner;
	const atomic_bool *cancel;
};

/* ---- the place ---- */

static enum err_code put(const struct trial *t, const char *name, const char *text, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = tree_join(t->data, name, path, reterr);
	if (rc == ERR_OK && unlink(path) != 0 && errno != ENOENT)
		rc = err_sys(reterr, errno, "%s", path);
	if (rc == ERR_OK && text)
		rc = file_replace(path, text, strlen(text), 0600, reterr);
	if (rc == ERR_OK && text && geteuid() == 0 && chown(path, t->owner.st_uid, t->owner.st_gid) != 0)
		rc = err_sys(reterr, errno, "%s", path);
	return rc;
}

/* A socket's path is short. */
static enum err_code make_run(struct trial *t, struct err *reterr)
{
	text_copy(t->run, sizeof t->run, "/tmp/kedge-drill-XXXXXX");
	if (!mkdtemp(t->run))
		return err_sys(reterr, errno, "a folder for the socket cannot be made");
	if (geteuid() == 0 && chown(t->run, t->owner.st_uid, t->owner.st_gid) != 0)
		return err_sys(reterr, errno, "%s", t->run);
	return ERR_OK;
}

static enum err_code configure(struct trial *t, struct err *reterr)
{
	static const char *const gone[] = {
	    "postgresql.auto.conf", "recovery.signal", "standby.signal", "pg_ident.conf"};
	struct buf conf = BUF_INIT, hba = BUF_INIT;
	buf_printf(&conf, "%sunix_socket_directories = '%s'\nhba_file = '%s/pg_hba.conf'\n", settings, t->run, t->data);
	buf_printf(&hba, "local all \"%s\" trust\n", t->declared->user); /* who may enter the folder of the socket */
	enum err_code rc = conf.failed || hba.failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
	if (rc == ERR_OK && strpbrk(t->data, "'\\"))
		rc = err_set(reterr, ERR_UNSUPPORTED, "%s has a quote or a backslash in it", t->data);
	for (size_t i = 0; rc == ERR_OK && i < sizeof gone / sizeof gone[0]; i++)
		rc = put(t, gone[i], NULL, reterr);
	if (rc == ERR_OK)
		rc = put(t, "postgresql.conf", buf_str(&conf), reterr);
	if (rc == ERR_OK)
		rc = put(t, "pg_hba.conf", buf_str(&hba), reterr);
	buf_done(&conf);
	buf_done(&hba);
	return rc;
}

/* ---- starting and stopping ---- */

static enum err_code control(
    const struct trial *t, const char *const *args, uint64_t timeout_ms, bool leave, struct err *reterr)
{
	struct postgres_call call;
	struct buf said = BUF_INIT;
	enum err_code rc = postgres_call(&t->pg, "pg_ctl", args, &call, reterr);
	if (rc != ERR_OK)
		return rc;
	call.spec.timeout_ms = timeout_ms;
	call.spec.leave_descendants = leave;
	rc = process_run_ok(&call.spec, &said, reterr);
	buf_done(&said);
	return rc;
}

static enum err_code stop(const struct trial *t, struct err *reterr)
{
	const char *args[] = {"-D", t->data, "-s", "-w", "-m", "immediate", "stop", NULL};
	char pid[PATH_LIMIT];
	enum err_code rc = tree_join(t->data, "postmaster.pid", pid, reterr);
	return rc != ERR_OK || !file_exists(pid) ? rc : control(t, args, TRIAL_STOP_MS, false, reterr);
}

/* The last line that the server wrote. */
static enum err_code say_why(const struct trial *t, struct err *reterr)
{
	struct buf text = BUF_INIT;
	char line[TRIAL_LINE_MAX] = "its log says nothing";
	if (file_read(t->log, TRIAL_LOG_MAX, &text, NULL) == ERR_OK && text.size) {
		while (text.size && text.data[text.size - 1] == '\n')
			text.data[--text.size] = '\0';
		const char *all = buf_str(&text), *fatal = strstr(all, "FATAL"), *panic = strstr(all, "PANIC"),
			   *last = strrchr(all, '\n');
		const char *from = panic ? panic : fatal ? fatal : last ? last + 1 : all;
		size_t n = strcspn(from, "\n");
		text_copy(line, n + 1 < sizeof line ? n + 1 : sizeof line, from);
	}
	buf_done(&text);
	return err_set(reterr, ERR_STATE, "the restored database does not start: %s", line);
}

static bool cancelled(const struct trial *t)
{
	return t->cancel && atomic_load(t->cancel);
}

static bool socket_is_there(const struct trial *t)
{
	char path[PATH_LIMIT];
	return text_format(path, sizeof path, "%s/.s.PGSQL.%d", t->run, TRIAL_PORT) && file_exists(path);
}

/* It has replayed what it must, and takes questions. */
static bool is_ready(const struct trial *t)
{
	const char *args[] = {"-q", "-h", t->run, "-p", TRIAL_PORT_TEXT, NULL};
	struct postgres_call call;
	struct buf said = BUF_INIT;
	if (!socket_is_there(t) || postgres_call(&t->pg, "pg_isready", args, &call, NULL) != ERR_OK)
		return false;
	call.spec.timeout_ms = TRIAL_STOP_MS;
	enum err_code rc = process_run_ok(&call.spec, &said, NULL);
	buf_done(&said);
	return rc == ERR_OK;
}

static bool is_alive(const struct trial *t)
{
	const char *args[] = {"-D", t->data, "-s", "status", NULL};
	return control(t, args, TRIAL_STOP_MS, false, NULL) == ERR_OK;
}

static enum err_code start(const struct trial *t, struct err *reterr)
{
	const char *args[] = {"-D", t->data, "-s", "-W", "-l", t->log, "start", NULL};
	enum err_code rc = control(t, args, TRIAL_STOP_MS, true, reterr);
	if (rc != ERR_OK)
		return rc;
	for (uint64_t until = clock_mono_ms() + TRIAL_START_MS, look = clock_mono_ms() + 1000;;) {
		if (is_ready(t))
			return ERR_OK;
		uint64_t now_ms = clock_mono_ms();
		if (cancelled(t))
			return err_set(reterr, ERR_CANCELLED, "cancelled");
		if (now_ms >= until)
			return err_set(reterr, ERR_TIMEOUT, "the restored database did not begin to answer");
		if (now_ms >= look) {
			if (!is_alive(t))
				return say_why(t, reterr);
			look = now_ms + 1000;
		}
		(void)poll(NULL, 0, TRIAL_POLL_MS);
	}
}

/* ---- what it answers ---- */

static enum err_code ask_one(struct postgres_session *s, const char *sql, struct err *reterr)
{
	struct buf answer = BUF_INIT;
	enum err_code rc = postgres_ask(s, sql, TRIAL_QUERY_MS, &answer, reterr);
	const char *text = buf_str(&answer);
	if (rc == ERR_OK && (!text || !*text || text_equal(text, "f") || text_starts(text, "f|")))
		rc = err_set(reterr, ERR_STATE, "it answers \"%.20s\"", text ? text : "");
	buf_done(&answer);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "the restored database runs, but \"%.80s\"", sql);
}

static enum err_code ask_all(const struct trial *t, struct postgres_session *s, struct err *reterr)
{
	/* Whatever else: the catalogues of the cluster open. */
	enum err_code rc = ask_one(s,
	    "SELECT count(*) > 0 FROM pg_catalog.pg_database JOIN pg_catalog.pg_authid ON datdba = pg_authid.oid",
	    reterr);
	for (size_t i = 0; rc == ERR_OK && i < t->declared->prove.count; i++)
		rc = cancelled(t) ? err_set(reterr, ERR_CANCELLED, "cancelled")
				  : ask_one(s, LIST_AT(t->declared->prove, const char *, i), reterr);
	return rc;
}

static enum err_code try(struct trial *t, struct err *reterr)
{
	CLEANUP(postgres_session_cleanup) struct postgres_session *s = NULL;
	struct err late = ERR_INIT;
	enum err_code rc = configure(t, reterr);
	if (rc == ERR_OK)
		rc = start(t, reterr);
	if (rc == ERR_OK)
		rc = postgres_session_in(&t->pg, t->pg.prove_database, &s, reterr);
	if (rc == ERR_OK)
		rc = ask_all(t, s, reterr);
	postgres_session_free(TAKE_PTR(s));
	enum err_code stopped = stop(t, &late);
	return rc == ERR_OK && stopped != ERR_OK ? err_set(reterr, stopped, "%s", late.msg) : rc;
}

/* In the guard: a start that was under way may still come. */
static void end_alone(void *ctx)
{
	struct trial *t = ctx;
	for (uint64_t until = clock_mono_ms() + TRIAL_LATE_MS; clock_mono_ms() < until;) {
		if (stop(t, NULL) != ERR_OK)
			(void)poll(NULL, 0, TRIAL_POLL_MS);
		(void)poll(NULL, 0, TRIAL_POLL_MS);
	}
	(void)!tree_remove(t->run, NULL);
}

enum err_code postgres_trial(
    const struct postgres_config *pg, const char *box, const atomic_bool *cancel, struct err *reterr)
{
	struct trial t = {.declared = pg, .pg = *pg, .cancel = cancel};
	struct err late = ERR_INIT;
	enum err_code rc = tree_join(box, DATABASE_LABEL, t.data, reterr);
	if (rc == ERR_OK)
		rc = tree_join(t.data, "kedge-drill.log", t.log, reterr);
	if (rc == ERR_OK)
		rc = postgres_assemble(box, reterr);
	if (rc == ERR_OK && stat(t.data, &t.owner) != 0)
		rc = err_sys(reterr, errno, "%s", t.data);
	if (rc == ERR_OK)
		rc = make_run(&t, reterr);
	if (rc != ERR_OK)
		return rc;
	t.pg.socket_directory = t.run;
	t.pg.port = TRIAL_PORT;
	t.pg.data_directory = t.data;
	if (!pg->prove_database)
		t.pg.prove_database = "postgres";
	struct trial_guard guard;
	rc = trial_guard_start(&guard, end_alone, &t, reterr);
	if (rc == ERR_OK) {
		rc = try(&t, reterr);
		trial_guard_over(&guard);
	}
	enum err_code gone = tree_remove(t.run, &late);
	return rc == ERR_OK && gone != ERR_OK ? err_set(reterr, gone, "%s", late.msg) : rc;
}

/* What a drill that was killed left running; nothing when there is none. */
enum err_code postgres_trial_end(const struct postgres_config *pg, const char *box, struct err *reterr)
{
	struct trial t = {.declared = pg, .pg = *pg};
	enum err_code rc = tree_join(box, DATABASE_LABEL, t.data, reterr);
	if (rc == ERR_OK && stop(&t, NULL) != ERR_OK && is_alive(&t))
		rc = err_set(reterr, ERR_BUSY, "a server of an earlier drill still runs in %s", t.data);
	return rc;
}
