/* Probe of a PostgreSQL cluster from inside: how many of its connections are used, who waits for a lock and behind
 * whom, how long its certificate lasts.  One statement in a session of psql's, as whoever takes its restore points; it
 * reads views only and holds no lock that anybody waits for (PostgreSQL documentation, "The Cumulative Statistics
 * System" and "pg_locks"). */
#include "shared/base/openssl.h"
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/probe/perfdata.h"
#include "agent/probe/postgres_answer.h"
#include "agent/probe/run_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum {
	CERTIFICATE_MS = 1000, /* a file that takes longer cannot be read */
	CONNECT_S = 5,
	/* Where a probe names no limit. */
	CONNECTIONS_WARN = 80, /* percent: beyond, the next pool that is made larger takes the rest */
	TEMPORARY_TOLD = 5,    /* percent; less is any day's sorting */
	WAIT_MS = 30 * 1000,   /* what waits this long for a lock keeps people waiting */
	CERTIFICATE_WARN_DAYS = 14,
	CERTIFICATE_CRITICAL_DAYS = 3,
};
static const double day_ms = 86400000;

/* What a session waits for since when is told from version 14 on; before, since when its statement runs. */
static const char question[] =
    "SET statement_timeout = 5000; "
    "WITH waiting AS (SELECT a.pid, pg_blocking_pids(a.pid) AS behind, coalesce((SELECT max(clock_timestamp() - "
    "(to_jsonb(l) ->> 'waitstart')::timestamptz) FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted), "
    "clock_timestamp() - a.query_start) AS since FROM pg_stat_activity a WHERE a.wait_event_type = 'Lock'), "
    "first AS (SELECT p AS pid FROM waiting, unnest(behind) AS p WHERE p NOT IN (SELECT pid FROM waiting) "
    "GROUP BY p ORDER BY count(*) DESC, p LIMIT 1) "
    "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int, "
    "count(*), count(*) FILTER (WHERE state LIKE 'idle%'), (SELECT count(*) FROM waiting), "
    "(SELECT coalesce(round(extract(epoch FROM max(since))), 0) FROM waiting), "
    "(SELECT coalesce(max(pid), 0) FROM first), "
    "(SELECT coalesce(max(state), 'unknown') FROM pg_stat_activity WHERE pid IN (SELECT pid FROM first)), "
    "(SELECT coalesce(round(extract(epoch FROM clock_timestamp() - max(xact_start))), 0) FROM pg_stat_activity "
    "WHERE pid IN (SELECT pid FROM first)), "
    "current_setting('ssl'), current_setting('ssl_cert_file') "
    "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

/* ---- its certificate ---- */

/* In a child, for it may lie on a mount that is dead.  The server names it, and whoever may set that may name what
 * never ends or never begins, or a device for which it is an order to be opened: a regular file only, and nothing else
 * is opened at all.  Its own certificate comes first: as much of it as the keeper takes of a child is enough. */
static int tell_named(const void *file)
{
	static uint8_t text[PROCESS_OUTPUT_MAX];
	char there[64];
	struct stat st;
	CLEANUP(cleanup_fd) int place = open(file, O_PATH | O_CLOEXEC);
	if (place < 0 || fstat(place, &st) < 0 || !S_ISREG(st.st_mode) ||
	    !text_format(there, sizeof there, "/proc/self/fd/%d", place))
		return 1;
	CLEANUP(cleanup_fd) int fd = open(there, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	return n <= 0 || file_write_all(STDOUT_FILENO, text, (size_t)n, NULL) != ERR_OK;
}

/* *ret_left_days: negative, it has ended.  False: there is none to be read. */
static bool certificate_left(const struct probe_run *r, const struct process_result *p, double *ret_left_days)
{
	struct tm end;
	if (p->end != PROCESS_EXITED || p->code != 0)
		return false;
	BIO *bio = BIO_new_mem_buf(p->output.data, (int)p->output.size);
	X509 *own = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool read = own && ASN1_TIME_to_tm(X509_get0_notAfter(own), &end) == 1;
	if (read)
		*ret_left_days = ((double)timegm(&end) * 1000 - (double)loop_wall_ms(r->env->loop)) / day_ms;
	X509_free(own);
	BIO_free(bio);
	ERR_clear_error(); /* of OpenSSL: the next who asks it must not find ours */
	return read;
}

static enum probe_state judge_certificate(struct probe_run *r, const struct process_result *p, struct buf *text)
{
	const struct postgres_probe *c = r->config->postgres;
	double warn = c->warn_ms ? (double)c->warn_ms / day_ms : CERTIFICATE_WARN_DAYS;
	double critical = c->critical_ms ? (double)c->critical_ms / day_ms : CERTIFICATE_CRITICAL_DAYS;
	double left;
	if (!certificate_left(r, p, &left)) {
		buf_printf(text, "; its certificate %s cannot be read", r->named);
		return PROBE_OK; /* a server keeps the one that it has read */
	}
	outcome_metric(&r->outcome, "days_left", left, "d", warn, critical);
	if (left > warn)
		return PROBE_OK;
	if (left <= 0)
		buf_printf(text, "; the certificate %s ended %.1f days ago", r->named, -left);
	else
		buf_printf(text, "; the certificate %s ends in %.1f days", r->named, left);
	return left <= critical ? PROBE_CRITICAL : PROBE_WARNING;
}

/* Behind what was said of the server. */
static void on_certificate(void *ctx, const struct process_result *p)
{
	struct probe_run *r = ctx;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	r->process = NULL;
	buf_text(&text, r->outcome.text);
	enum probe_state state = outcome_worse(r->outcome.state, judge_certificate(r, p, &text));
	outcome_say(&r->outcome, state, "%s", buf_str(&text));
	run_finish(r);
}

/* The server has answered: what this takes is not its time. */
static void look_at_certificate(struct probe_run *r)
{
	struct err err = ERR_INIT;
	r->outcome.took_ms = run_took_ms(r);
	loop_arm(r->deadline, loop_now_ms(r->env->loop) + CERTIFICATE_MS + PROBE_OVERDUE_MS / 2);
	if (process_start_call(
		r->env->loop, tell_named, r->named, CERTIFICATE_MS, on_certificate, r, &r->process, &err) != ERR_OK)
		run_finish(r); /* the host is short of processes: the next run looks */
}

/* ---- judging ---- */

static enum probe_state judge_locks(struct probe_run *r, const struct postgres_answer *t, struct buf *text)
{
	uint64_t most = r->config->postgres->wait_ms ? r->config->postgres->wait_ms : WAIT_MS;
	bool idle = strncmp(t->behind_state, "idle", 4) == 0;
	outcome_metric(&r->outcome, "blocked", t->waiting, "", 0, 0);
	outcome_metric(&r->outcome, "blocked_by_idle", idle ? t->waiting : 0, "", 0, 0);
	outcome_metric(&r->outcome, "waits", t->waits_s, "s", (double)most / 1000, 0);
	if (t->waiting <= 0)
		return PROBE_OK;
	buf_printf(text, "; %.0f sessions wait for locks, the longest for %.0f s", t->waiting, t->waits_s);
	if (t->behind > 0)
		buf_printf(text, ", behind process %.0f (%s, its transaction began %.0f s ago)", t->behind,
		    t->behind_state, t->behind_s);
	return t->waits_s * 1000 >= (double)most ? PROBE_WARNING : PROBE_OK;
}

static void judge(struct probe_run *r, const struct postgres_answer *t)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	double warn = r->config->postgres->warn_percent > 0 ? r->config->postgres->warn_percent : CONNECTIONS_WARN;
	double percent = t->room > 0 ? 100.0 * t->used / t->room : 0;
	enum probe_state state = run_compare(percent, warn, 0);
	buf_printf(&text, "%s%.0f of %.0f connections are used, %.0f of them by sessions that do nothing",
	    state == PROBE_OK ? "" : "few are left: ", t->used, t->room, t->idle);
	outcome_metric(&r->outcome, "connections", percent, "%", warn, 0);
	outcome_metric(&r->outcome, "temporary", r->memory->temporary, "%", 0, 0);
	if (r->memory->temporary >= TEMPORARY_TOLD)
		buf_printf(&text, "; temporary files and tables of sessions take %.0f %% of its file system",
		    r->memory->temporary);
	state = outcome_worse(state, judge_locks(r, t, &text));
	outcome_say(&r->outcome, state, "%s", buf_str(&text));
}

/* No answer that could be judged. */
static void say_why(struct probe_run *r, const struct process_result *p)
{
	/* psql(1): 2 is a connection that could not be made or broke. */
	bool gone = p->end == PROCESS_TIMED_OUT || (p->end == PROCESS_EXITED && p->code == 2);
	char end[64];
	const struct buf *said = p->output.size ? &p->output : &p->errors;
	perfdata_parse(buf_str(said), said->size, &r->outcome);
	r->outcome.metric_count = 0;
	struct probe_outcome told = r->outcome;
	bool understood = p->end != PROCESS_EXITED || p->code != 0;
	outcome_say(&r->outcome, gone ? PROBE_CRITICAL : PROBE_UNKNOWN, "%s%s%s",
	    understood ? process_result_text(p, end, sizeof end) : "an answer that is none", told.text[0] ? ": " : "",
	    told.text);
}

static void on_answer(void *ctx, const struct process_result *p)
{
	struct probe_run *r = ctx;
	struct postgres_answer t;
	r->process = NULL;
	if (p->end != PROCESS_EXITED || p->code != 0 ||
	    !postgres_answer_parse(buf_str(&p->output), r->config->postgres->cluster->data_directory, &t)) {
		say_why(r, p);
		run_finish(r);
		return;
	}
	judge(r, &t);
	text_copy(r->named, sizeof r->named, t.certificate);
	if (r->named[0])
		look_at_certificate(r);
	else
		run_finish(r);
}

/* ---- asking ---- */

static enum err_code ask(struct probe_run *r, struct err *reterr)
{
	const struct postgres_config *pg = r->config->postgres->cluster;
	const char *argv[CONFIG_ARGV_MAX + 32];
	char psql[PATH_LIMIT], port[16], database[64];
	size_t n = 0;
	if (!pg || pg->run_as.count > CONFIG_ARGV_MAX || !text_format(psql, sizeof psql, "%s/psql", pg->bin_directory))
		return err_set(reterr, ERR_INVALID, "no cluster that could be asked");
	for (size_t i = 0; i < pg->run_as.count; i++)
		argv[n++] = LIST_AT(pg->run_as, const char *, i);
	text_format(port, sizeof port, "%u", pg->port);
	text_format(database, sizeof database, "dbname=postgres connect_timeout=%d", CONNECT_S);
	const char *const args[] = {psql, "-X", "-q", "-A", "-t", "-w", "-F", "|", "-v", "ON_ERROR_STOP=1", "-h",
	    pg->socket_directory, "-p", port, "-U", pg->user, "-d", database, "-c", question, NULL};
	memcpy(argv + n, args, sizeof args);
	uint64_t all = probe_timeout_ms(r->config), took = run_took_ms(r), timeout = took < all ? all - took : 1;
	struct process_spec spec = {.argv = argv, .timeout_ms = timeout};
	enum err_code rc = pg->run_as.count ? ERR_OK : process_become(&spec, pg->user, reterr);
	if (rc != ERR_OK)
		return rc;
	loop_arm(r->deadline, loop_now_ms(r->env->loop) + timeout + PROBE_OVERDUE_MS / 2); /* the process has its own */
	return process_start(r->env->loop, &spec, on_answer, r, &r->process, reterr);
}

static void on_temporary(void *ctx, const struct process_result *p)
{
	struct probe_run *r = ctx;
	struct err err = ERR_INIT;
	r->process = NULL;
	r->memory->temporary = run_folder_share(p);
	if (ask(r, &err) == ERR_OK)
		return;
	outcome_say(&r->outcome, PROBE_UNKNOWN, "cannot probe: %s", err.msg);
	run_finish(r);
}

/* First what sessions hold on the disk: a server need not answer for that. */
enum err_code run_postgres(struct probe_run *r, struct err *reterr)
{
	const struct postgres_config *pg = r->config->postgres->cluster;
	char path[PATH_LIMIT];
	if (!pg || !text_format(path, sizeof path, "%s/base", pg->data_directory))
		return err_set(reterr, ERR_INVALID, "no cluster that could be asked");
	r->timed = true;
	return run_look_sessions(r, path, on_temporary, reterr);
}
