/* tests/e2e/database/cluster.h: a PostgreSQL cluster of the test's own, below its scratch folder, and a service that is
 * made of it.
 *
 * PostgreSQL does not run as root, and its usual user may not reach the folder: it runs in a user namespace in which
 * root goes by postgres' number, as packaging/quickstart/services.sh does it. */
#ifndef KEDGE_TESTS_E2E_DATABASE_CLUSTER_H
#define KEDGE_TESTS_E2E_DATABASE_CLUSTER_H

#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent/database/database.h"
#include "tests/unit/agent/rollback/world.h"

enum { OUTPUT_MAX = 8192 };

struct cluster {
	struct world w;
	char bin[WORLD_PATH], user[64];
	bool unwell; /* its probes do not pass */
	void (*on_step)(struct cluster *c, const struct order_step *s);
};

/* A shell line in the scratch folder; its exit status.  Only tests use a shell. */
static inline int sh(const struct cluster *c, char out[OUTPUT_MAX], const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static inline int sh(const struct cluster *c, char out[OUTPUT_MAX], const char *fmt, ...)
{
	char line[4096], said[OUTPUT_MAX];
	int n = snprintf(line, sizeof line, "cd %s && PATH=%s:$PATH && ", c->w.dir, c->bin);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	va_end(ap);
	const char *argv[] = {"/bin/sh", "-c", line, NULL};
	int status = tool_run(argv, said, sizeof said);
	if (out)
		memcpy(out, said, sizeof said);
	else if (status != 0)
		printf("%s: %s\n", fmt, said);
	return status;
}

/* One line of SQL; what it answers, or its complaint. */
static inline char *sql(const struct cluster *c, char out[OUTPUT_MAX], const char *statement)
{
	(void)sh(c, out, "psql -X -A -t -h %s/run -p 5999 -U kedge -d app -c \"%s\" 2>&1", c->w.dir, statement);
	out[strcspn(out, "\n")] = '\0';
	return out;
}

static const char *const ctl = "#!/bin/sh\n"
			       "cd DIR || exit 9\n"
			       "PATH=BIN:$PATH\n"
			       "pg() { unshare --user --map-user=USER -- \"$@\"; }\n"
			       "case $1 in\n"
			       "start) pg pg_ctl -D DIR/data -s status >/dev/null 2>&1 || pg pg_ctl -D DIR/data -s -w "
			       "-t 60 -l DIR/pg.log start ;;\n"
			       "stop) [ ! -e fail-stop ] || exit 1; pg pg_ctl -D DIR/data status >/dev/null 2>&1 || "
			       "exit 0; pg pg_ctl -D DIR/data -s -w -t 60 -m fast stop ;;\n"
			       "kill) kill -9 \"$(head -n 1 data/postmaster.pid)\" ;;\n"
			       "esac\n";

static const char *const cluster_yaml = "    components:\n"
					"      config: { paths: [DIR/live] }\n"
					"      database:\n"
					"        postgres: { data_directory: DIR/data, bin_directory: BIN, "
					"socket_directory: DIR/run, port: 5999, user: kedge,\n"
					"          run_as: [unshare, --user, --map-user=USER, --] }\n"
					"    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start], timeout: 90s }\n"
					"    probes:\n"
					"      - { name: one, tier: shallow, exec: [/bin/true] }\n";

static inline void fill_in(const struct cluster *c, const char *text, struct buf *out)
{
	while (*text) {
		if (strncmp(text, "DIR", 3) == 0)
			buf_text(out, c->w.dir);
		else if (strncmp(text, "BIN", 3) == 0)
			buf_text(out, c->bin);
		else if (strncmp(text, "USER", 4) == 0)
			buf_text(out, c->user);
		else
			buf_byte(out, (uint8_t)*text);
		text += strncmp(text, "USER", 4) == 0                                  ? 4
			: strncmp(text, "DIR", 3) == 0 || strncmp(text, "BIN", 3) == 0 ? 3
										       : 1;
	}
}

/* The newest one that is installed; false: say why and skip. */
static inline bool cluster_can(struct cluster *c)
{
	glob_t found;
	struct passwd *user = getpwnam("postgres");
	if (geteuid() != 0 || !user || glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) != 0) {
		printf("skipped: PostgreSQL is not installed, or this is not root\n");
		return false;
	}
	text_copy(c->bin, sizeof c->bin, found.gl_pathv[found.gl_pathc - 1]);
	*strrchr(c->bin, '/') = '\0';
	globfree(&found);
	text_format(c->user, sizeof c->user, "%u", (unsigned)user->pw_uid);
	const char *argv[] = {"/usr/bin/unshare", "--user", "--map-user=1", "--", "/bin/true", NULL};
	if (tool_run(argv, NULL, 0) != 0) {
		printf("skipped: no user namespaces here\n");
		return false;
	}
	return true;
}

static inline void cluster_make(struct cluster *c)
{
	char path[WORLD_PATH];
	struct buf text = BUF_INIT;
	world_init(&c->w);
	fill_in(c, ctl, &text);
	world_write(&c->w, "ctl", buf_str(&text));
	assert_int_equal(chmod(world_path(&c->w, "ctl", path), 0755), 0);
	buf_clear(&text);
	fill_in(c, cluster_yaml, &text);
	world_configure(&c->w, buf_str(&text));
	buf_done(&text);
	world_folder(&c->w, "live");
	world_write(&c->w, "live/conf", "good\n");
	assert_int_equal(sh(c, NULL,
			     "mkdir run && unshare --user --map-user=%s -- initdb -D %s/data -U kedge -A trust "
			     "--no-sync -E UTF8 --locale=C",
			     c->user, c->w.dir),
	    0);
	assert_int_equal(
	    sh(c, NULL,
		"printf '%%s\\n' \"listen_addresses = ''\" \"unix_socket_directories = '%s/run'\" 'port = 5999' "
		"'shared_buffers = 8MB' 'max_connections = 10' 'fsync = off' >>data/postgresql.conf",
		c->w.dir),
	    0);
	assert_int_equal(sh(c, NULL, "./ctl start"), 0);
	assert_int_equal(
	    sh(c, NULL, "psql -X -q -h %s/run -p 5999 -U kedge -d postgres -c 'CREATE DATABASE app'", c->w.dir), 0);
	assert_int_equal(sh(c, NULL,
			     "psql -X -q -h %s/run -p 5999 -U kedge -d app -c 'CREATE TABLE records (record_id serial "
			     "PRIMARY KEY, kind text); "
			     "INSERT INTO records (kind) SELECT md5(i::text) FROM generate_series(1, 1000) i'",
			     c->w.dir),
	    0);
}

static inline void cluster_done(struct cluster *c)
{
	(void)sh(c, NULL,
	    "rm -f fail-stop; ./ctl stop || { [ -s data/postmaster.pid ] && kill -9 $(head -n 1 data/postmaster.pid); "
	    "}");
	world_done(&c->w);
}

/* ---- rolling back ---- */

static inline void cluster_step(void *ctx, const struct order_step *s)
{
	struct cluster *c = ctx;
	if (c->on_step)
		c->on_step(c, s);
}

static inline bool cluster_prove(void *ctx, const char *service, bool deep, char text[ROLLBACK_TEXT_MAX])
{
	struct cluster *c = ctx;
	char out[OUTPUT_MAX];
	(void)service;
	(void)deep;
	text_copy(text, ROLLBACK_TEXT_MAX, sql(c, out, "SELECT 1"));
	return !c->unwell && strcmp(out, "1") == 0;
}

static inline bool cluster_cancelled(void *ctx)
{
	(void)ctx;
	return false;
}

static inline uint64_t cluster_now(void *ctx)
{
	return ++((struct cluster *)ctx)->w.now_ms;
}

static inline struct rollback_io cluster_io(struct cluster *c)
{
	return (struct rollback_io){c, cluster_step, cluster_prove, cluster_cancelled, cluster_now, NULL, NULL};
}

static inline struct id cluster_snapshot(struct cluster *c)
{
	char folder[WORLD_PATH];
	struct snapshot_options o = {.reason = SNAPSHOT_MANUAL, .now_ms = ++c->w.now_ms};
	struct snapshot_summary made;
	MUST(database_snapshot(
	    c->w.repo, c->w.service, &o, world_path(&c->w, "prepare", folder), c->w.arena, &made, err));
	assert_int_equal(made.components.count, 2);
	return made.snapshot;
}

static inline struct rollback_request cluster_request(struct cluster *c, struct id to)
{
	return (struct rollback_request){.order = world_id(&c->w), .service = c->w.service, .snapshot = to};
}

static inline struct rollback_result cluster_rollback(struct cluster *c, struct id to, bool as_it_was)
{
	struct rollback_io io = cluster_io(c);
	struct rollback_request r = cluster_request(c, to);
	struct rollback_result done;
	r.as_it_was = as_it_was;
	MUST(rollback_run(c->w.repo, c->w.state, &r, &io, c->w.arena, &done, err));
	return done;
}

#endif
