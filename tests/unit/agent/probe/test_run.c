/* Every kind of probe against the real thing on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "agent/probe/run.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/hung_mount.h"
#include "tests/unit/agent/probe/server.h"

static struct {
	struct loop *loop;
	struct probe_env env;
	struct probe_outcome outcome;
	int calls;
	char folder[64], path[96], text[256];
} w;

static int setup(void **state)
{
	struct err err;
	(void)state;
	memset(&w, 0, sizeof w);
	strcpy(w.folder, "/tmp/kedge-run-XXXXXX");
	assert_non_null(mkdtemp(w.folder));
	snprintf(w.path, sizeof w.path, "%s/file", w.folder);
	assert_int_equal(loop_new(&w.loop, &err), ERR_OK);
	w.env = (struct probe_env){.loop = w.loop, .trust = trust_store_new(), .proc = "/proc"};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	trust_store_free(w.env.trust);
	loop_free(w.loop);
	unlink(w.path);
	rmdir(w.folder);
	return 0;
}

static void on_done(void *ctx, const struct probe_outcome *o)
{
	(void)ctx;
	w.outcome = *o;
	w.calls++;
}

static const struct probe_outcome *probe_with(struct probe_config c, struct probe_memory *memory)
{
	struct probe_run *r;
	struct err err;
	c.name = "test";
	if (!c.timeout_ms)
		c.timeout_ms = 5000;
	w.calls = 0;
	assert_int_equal(loop_turn(w.loop, 0, &err), ERR_OK); /* a fresh clock */
	assert_int_equal(probe_run_start(&w.env, &c, memory, on_done, NULL, &r, &err), ERR_OK);
	assert_int_equal(w.calls, 0); /* never from inside */
	uint64_t limit = clock_mono_ms() + 15000;
	while (!w.calls && clock_mono_ms() < limit)
		assert_int_equal(loop_turn(w.loop, 1000, &err), ERR_OK);
	assert_int_equal(w.calls, 1);
	return &w.outcome;
}

static const struct probe_outcome *probe(struct probe_config c)
{
	struct probe_memory memory = {0};
	return probe_with(c, &memory);
}

static const struct probe_outcome *probe_http(const struct server *s, struct http_probe h, uint64_t timeout_ms)
{
	snprintf(w.text, sizeof w.text, "%s://127.0.0.1:%u/healthz", s->tls ? "https" : "http", s->port);
	h.url = w.text;
	return probe((struct probe_config){.http = &h, .timeout_ms = timeout_ms});
}

#define ASSERT_OUTCOME(o, wanted, words)                                                                               \
	do {                                                                                                           \
		const struct probe_outcome *o_ = (o);                                                                  \
		if (o_->state != (wanted) || !strstr(o_->text, (words)))                                               \
			fail_msg("state %d, text \"%s\"", (int)o_->state, o_->text);                                   \
	} while (0)

static void http_good_bad_and_wrong(void **state)
{
	(void)state;
	struct server s = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nall is well\n"};
	server_start(&s);
	ASSERT_OUTCOME(probe_http(&s, (struct http_probe){0}, 0), PROBE_OK, "status 200");
	assert_int_equal(w.outcome.metric_count, 2);
	assert_non_null(strstr(s.seen, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:"));
	ASSERT_OUTCOME(probe_http(&s, (struct http_probe){.contains = "is well", .host_header = "portal.test"}, 0),
	    PROBE_OK, "200");
	assert_non_null(strstr(s.seen, "\r\nHost: portal.test\r\n"));
	ASSERT_OUTCOME(
	    probe_http(&s, (struct http_probe){.contains = "is broken"}, 0), PROBE_CRITICAL, "not in the answer");
	ASSERT_OUTCOME(
	    probe_http(&s, (struct http_probe){.expect = 204}, 0), PROBE_CRITICAL, "status 200, expected 204");
	server_stop(&s);
}

static void http_slow_and_hanging(void **state)
{
	(void)state;
	struct server s = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .delay_ms = 300};
	server_start(&s);
	const struct http_probe h = {.url = w.text};
	snprintf(w.text, sizeof w.text, "http://127.0.0.1:%u/", s.port);
	ASSERT_OUTCOME(probe((struct probe_config){.http = &h, .slow_ms = 100}), PROBE_WARNING, "slow: ");
	assert_true(w.outcome.took_ms >= 290);
	ASSERT_OUTCOME(probe((struct probe_config){.http = &h, .slow_ms = 2000}), PROBE_OK, "200");
	server_stop(&s);
	struct server hanging = {0};
	server_start(&hanging);
	uint64_t began = clock_mono_ms();
	ASSERT_OUTCOME(probe_http(&hanging, (struct http_probe){0}, 400), PROBE_CRITICAL, "timed out after");
	assert_in_range(clock_mono_ms() - began, 395, 2000);
	server_stop(&hanging);
}

static void http_refused_closed_and_garbage(void **state)
{
	(void)state;
	struct server s = {.close_at_once = true};
	server_start(&s);
	ASSERT_OUTCOME(probe_http(&s, (struct http_probe){0}, 0), PROBE_CRITICAL, "");
	server_stop(&s);
	ASSERT_OUTCOME(probe_http(&s, (struct http_probe){0}, 0), PROBE_CRITICAL, "Connection refused");
	struct server garbage = {.answer = "\x16\x03 not http at all\r\n\r\n"};
	server_start(&garbage);
	ASSERT_OUTCOME(probe_http(&garbage, (struct http_probe){0}, 0), PROBE_CRITICAL, "not HTTP");
	server_stop(&garbage);
}

static void http_huge_body_is_not_swallowed(void **state)
{
	(void)state;
	struct server s = {.answer = "HTTP/1.1 200 OK\r\n\r\nneedle", .answer_repeat = 20000};
	server_start(&s);
	ASSERT_OUTCOME(probe_http(&s, (struct http_probe){.contains = "needle"}, 0), PROBE_OK, "200");
	ASSERT_OUTCOME(probe_http(&s, (struct http_probe){.contains = "absent"}, 0), PROBE_CRITICAL, "first part");
	server_stop(&s);
}

static void https_is_checked(void **state)
{
	(void)state;
	struct server s = {
	    .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", .tls = server_tls(-1, 30, w.path)};
	server_start(&s);
	ASSERT_OUTCOME(probe_http(&s, (struct http_probe){.authority = w.path}, 0), PROBE_OK, "200");
	ASSERT_OUTCOME(probe_http(&s, (struct http_probe){0}, 0), PROBE_CRITICAL, "self-signed");
	server_stop(&s);
	/* The file has changed: the new authority counts at once. */
	struct server expired = {
	    .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", .tls = server_tls(-30, -1, w.path)};
	server_start(&expired);
	ASSERT_OUTCOME(probe_http(&expired, (struct http_probe){.authority = w.path}, 0), PROBE_CRITICAL, "expired");
	server_stop(&expired);
	struct server plain = {.answer = "HTTP/1.1 200 OK\r\n\r\n"};
	server_start(&plain);
	struct http_probe h = {.url = w.text, .authority = w.path};
	snprintf(w.text, sizeof w.text, "https://127.0.0.1:%u/", plain.port);
	ASSERT_OUTCOME(probe((struct probe_config){.http = &h}), PROBE_CRITICAL, "TLS handshake");
	server_stop(&plain);
	h.authority = "/no/such/file.pem";
	ASSERT_OUTCOME(probe((struct probe_config){.http = &h}), PROBE_UNKNOWN, "/no/such/file.pem");
}

static void tls_expiry(void **state)
{
	(void)state;
	static const struct {
		int from, to;
		enum probe_state state;
		const char *words;
	} cases[] = {
	    {-1, 60, PROBE_OK, "ends in"},
	    {-1, 10, PROBE_WARNING, "ends in"},
	    {-1, 2, PROBE_CRITICAL, "ends in"},
	    {-30, -2, PROBE_CRITICAL, "ended at"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct server s = {.answer = "", .tls = server_tls(cases[i].from, cases[i].to, NULL)};
		server_start(&s);
		snprintf(w.text, sizeof w.text, "127.0.0.1:%u", s.port);
		struct tls_probe t = {.address = w.text};
		ASSERT_OUTCOME(probe((struct probe_config){.tls = &t}), cases[i].state, cases[i].words);
		if (i == 0) {
			t.name = "localhost";
			ASSERT_OUTCOME(probe((struct probe_config){.tls = &t}), PROBE_OK, "ends in");
			t.name = "other.test";
			ASSERT_OUTCOME(probe((struct probe_config){.tls = &t}), PROBE_CRITICAL, "not for other.test");
			t = (struct tls_probe){.address = w.text, .warn_ms = 90ull * 86400000, .critical_ms = 86400000};
			ASSERT_OUTCOME(probe((struct probe_config){.tls = &t}), PROBE_WARNING, "ends in");
		}
		server_stop(&s);
	}
}

static void tcp_over_each_kind_of_address(void **state)
{
	(void)state;
	struct server s = {.close_at_once = true};
	server_start(&s);
	struct tcp_probe t = {.address = w.text};
	snprintf(w.text, sizeof w.text, "127.0.0.1:%u", s.port);
	ASSERT_OUTCOME(probe((struct probe_config){.tcp = &t}), PROBE_OK, "connected");
	snprintf(w.text, sizeof w.text, "localhost:%u", s.port); /* ::1 may refuse: the next address is tried */
	ASSERT_OUTCOME(probe((struct probe_config){.tcp = &t}), PROBE_OK, "connected");
	snprintf(w.text, sizeof w.text, "[::ffff:127.0.0.1]:%u", s.port);
	ASSERT_OUTCOME(probe((struct probe_config){.tcp = &t}), PROBE_OK, "connected");
	server_stop(&s);
	ASSERT_OUTCOME(probe((struct probe_config){.tcp = &t}), PROBE_CRITICAL, "refused");
	t.address = "no-port";
	ASSERT_OUTCOME(probe((struct probe_config){.tcp = &t}), PROBE_UNKNOWN, "not an address");
	t.address = "name.invalid:80"; /* RFC 6761: never resolves */
	ASSERT_OUTCOME(probe((struct probe_config){.tcp = &t, .timeout_ms = 8000}), w.outcome.state, "");
	assert_true(w.outcome.state == PROBE_UNKNOWN || strstr(w.outcome.text, "timed out"));

	struct sockaddr_un un = {.sun_family = AF_UNIX};
	memcpy(un.sun_path, w.path, strlen(w.path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(listen(fd, 1), 0);
	snprintf(w.text, sizeof w.text, "unix:%s", w.path);
	t.address = w.text;
	ASSERT_OUTCOME(probe((struct probe_config){.tcp = &t}), PROBE_OK, "connected");
	close(fd);
	ASSERT_OUTCOME(probe((struct probe_config){.tcp = &t}), PROBE_CRITICAL, "refused");
}

static const struct probe_outcome *probe_shell(const char *script, uint64_t timeout_ms)
{
	const char *argv[] = {"/bin/sh", "-c", script};
	return probe((struct probe_config){.exec = {argv, 3}, .timeout_ms = timeout_ms});
}

static void exec_follows_the_plugin_convention(void **state)
{
	(void)state;
	ASSERT_OUTCOME(probe_shell("echo 'OK - 3 users | users=3;5;10'", 0), PROBE_OK, "OK - 3 users");
	assert_string_equal(w.outcome.metrics[0].name, "users");
	assert_true(w.outcome.metrics[0].value == 3 && w.outcome.metrics[0].critical == 10);
	ASSERT_OUTCOME(probe_shell("echo WARN; exit 1", 0), PROBE_WARNING, "WARN");
	ASSERT_OUTCOME(probe_shell("echo bad; exit 2", 0), PROBE_CRITICAL, "bad");
	ASSERT_OUTCOME(probe_shell("exit 3", 0), PROBE_UNKNOWN, "exit 3");
	ASSERT_OUTCOME(probe_shell("echo oops >&2; exit 2", 0), PROBE_CRITICAL, "oops");
	ASSERT_OUTCOME(probe_shell("echo x; exit 127", 0), PROBE_UNKNOWN, "exit 127: x");
	ASSERT_OUTCOME(probe_shell("kill -SEGV $$", 0), PROBE_UNKNOWN, "signal 11");
	ASSERT_OUTCOME(probe_shell("echo so far; sleep 60", 300), PROBE_CRITICAL, "timed out after");
	assert_non_null(strstr(w.outcome.text, "so far"));
	ASSERT_OUTCOME(probe_shell("head -c 1000000 /dev/zero | tr '\\0' x", 0), PROBE_OK, "xxx");
	const char *missing[] = {"/no/such/plugin"};
	ASSERT_OUTCOME(probe((struct probe_config){.exec = {missing, 1}}), PROBE_UNKNOWN, "/no/such/plugin");
}

static double deleted_of_us(void)
{
	struct err err;
	struct process_probe p = {.pid_file = w.path};
	snprintf(w.text, sizeof w.text, "%d\n", (int)getpid());
	assert_int_equal(file_replace(w.path, w.text, strlen(w.text), 0644, &err), ERR_OK);
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_OK, "runs");
	for (size_t i = 0; i < w.outcome.metric_count; i++)
		if (strcmp(w.outcome.metrics[i].name, "deleted") == 0)
			return w.outcome.metrics[i].value;
	return -1;
}

/* A check that knew before and steadily does not know any more is news; once, or one that never knew, is none. */
static void a_check_that_cannot_tell_any_more_warns(void **state)
{
	(void)state;
	const char *good[] = {"/bin/sh", "-c", "echo fine"}, *silent[] = {"/bin/sh", "-c", "exit 3"},
		   *lost[] = {"/bin/sh", "-c", "echo lost; exit 9"};
	struct probe_memory memory = {0}, never = {0};
	ASSERT_OUTCOME(probe_with((struct probe_config){.exec = {good, 3}}, &memory), PROBE_OK, "fine");
	for (int i = 0; i < 6; i++) {
		bool steady = i >= 2;
		ASSERT_OUTCOME(probe_with((struct probe_config){.exec = {i % 2 ? lost : silent, 3}}, &memory),
		    steady ? PROBE_WARNING : PROBE_UNKNOWN, steady ? "cannot any more" : "exit");
		ASSERT_OUTCOME(probe_with((struct probe_config){.exec = {silent, 3}}, &never), PROBE_UNKNOWN, "exit 3");
	}
	ASSERT_OUTCOME(probe_with((struct probe_config){.exec = {good, 3}}, &memory), PROBE_OK, "fine");
	ASSERT_OUTCOME(probe_with((struct probe_config){.exec = {silent, 3}}, &memory), PROBE_UNKNOWN, "exit 3");
}

/* ---- a PostgreSQL cluster, played by a program that answers as psql does ---- */

static const struct probe_outcome *probe_cluster(const char *script, struct postgres_probe c)
{
	char folder[] = "/tmp/kedge-test-XXXXXX", psql[PATH_LIMIT], text[2048];
	struct err err;
	assert_non_null(mkdtemp(folder));
	assert_true(text_format(psql, sizeof psql, "%s/psql", folder));
	assert_true(text_format(text, sizeof text, "#!/bin/sh\n%s\n", script));
	assert_int_equal(file_replace(psql, text, strlen(text), 0755, &err), ERR_OK);
	struct postgres_config pg = {.data_directory = folder,
	    .bin_directory = folder,
	    .socket_directory = folder,
	    .port = 5432,
	    .user = geteuid() ? "anybody" : "root"};
	c.cluster = &pg;
	const struct probe_outcome *o = probe((struct probe_config){.postgres = &c});
	assert_int_equal(unlink(psql), 0);
	assert_int_equal(rmdir(folder), 0);
	return o;
}

static double measured(const char *name);

/* What its sessions sort lies in a folder of its own, their temporary tables among the others. */
static void a_cluster_sorts_on_the_disk(void **state)
{
	(void)state;
	char folder[] = "/tmp/kedge-test-XXXXXX", path[PATH_LIMIT];
	const struct {
		const char *name, *text;
		mode_t mode;
	} made[] = {{"psql", "#!/bin/sh\necho '20|5|3|0|0|0|unknown|0|off|x'\n", 0755},
	    {"base/16384/16401", "a table", 0600}, {"base/pgsql_tmp/a", "sorted", 0600},
	    {"base/16384/t3_16402.1", "a session's table", 0600}};
	double before = 0;
	struct err err;
	assert_non_null(mkdtemp(folder));
	struct postgres_config pg = {.data_directory = folder,
	    .bin_directory = folder,
	    .socket_directory = folder,
	    .port = 5432,
	    .user = geteuid() ? "anybody" : "root"};
	struct postgres_probe c = {.cluster = &pg};
	for (size_t i = 0; i < 4; i++) {
		if (i == 1)
			for (const char *below = "/base\0/base/16384\0/base/pgsql_tmp\0"; *below;
			     below += strlen(below) + 1) {
				assert_true(text_format(path, sizeof path, "%s%s", folder, below));
				assert_int_equal(mkdir(path, 0700), 0);
			}
		assert_true(text_format(path, sizeof path, "%s/%s", folder, made[i].name));
		assert_int_equal(file_replace(path, made[i].text, strlen(made[i].text), made[i].mode, &err), ERR_OK);
		ASSERT_OUTCOME(probe((struct probe_config){.postgres = &c}), PROBE_OK, "5 of 20");
		double share = measured("temporary");
		assert_true(i > 1 ? share > before && share < 5 : share == 0);
		before = share;
	}
	for (const char *left = "/base/pgsql_tmp/a\0/base/pgsql_tmp\0/base/16384/16401\0/base/16384/t3_16402.1\0"
				"/base/16384\0/base\0/psql\0\0";
	     *left; left += strlen(left) + 1) {
		assert_true(text_format(path, sizeof path, "%s%s", folder, left));
		assert_int_equal(remove(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
}

static double measured(const char *name)
{
	for (size_t i = 0; i < w.outcome.metric_count; i++)
		if (strcmp(w.outcome.metrics[i].name, name) == 0)
			return w.outcome.metrics[i].value;
	return -1;
}

static void a_cluster_says_how_it_is_inside(void **state)
{
	(void)state;
	const struct postgres_probe any = {0}, soon = {.wait_ms = 2000}, few = {.warn_percent = 20};
	ASSERT_OUTCOME(probe_cluster("echo '20|5|3|0|0|0|unknown|0|off|server.crt'", any), PROBE_OK, "5 of 20");
	assert_true(measured("connections") == 25 && measured("blocked") == 0);
	ASSERT_OUTCOME(
	    probe_cluster("echo '20|5|3|0|0|0|unknown|0|off|server.crt'", few), PROBE_WARNING, "few are left");
	ASSERT_OUTCOME(probe_cluster("echo '20|17|12|0|0|0|unknown|0|off|server.crt'", any), PROBE_WARNING,
	    "few are left: 17 of 20 connections are used, 12 of them");
	/* A wait is told, and is trouble only when it lasts. */
	const char *waits = "echo SET; echo '100|9|1|4|3|4711|idle in transaction|12|off|server.crt'";
	ASSERT_OUTCOME(probe_cluster(waits, any), PROBE_OK, "4 sessions wait for locks");
	assert_true(measured("blocked") == 4 && measured("blocked_by_idle") == 4 && measured("waits") == 3);
	ASSERT_OUTCOME(probe_cluster(waits, soon), PROBE_WARNING, "behind process 4711 (idle in transaction");
	/* Who does not answer, who may not, and what is no answer. */
	ASSERT_OUTCOME(
	    probe_cluster("echo 'psql: error: refused' >&2; exit 2", any), PROBE_CRITICAL, "psql: error: refused");
	ASSERT_OUTCOME(probe_cluster("echo 'ERROR: denied' >&2; exit 3", any), PROBE_UNKNOWN, "denied");
	ASSERT_OUTCOME(
	    probe_cluster("echo '20|many|3|0|0|0|unknown|0|off|x'", any), PROBE_UNKNOWN, "an answer that is none: 20");
	ASSERT_OUTCOME(probe_cluster("echo '20|5'", any), PROBE_UNKNOWN, "an answer that is none");
	ASSERT_OUTCOME(probe_cluster("exit 0", any), PROBE_UNKNOWN, "an answer that is none");
}

static void a_cluster_has_a_certificate(void **state)
{
	(void)state;
	static const struct {
		int days;
		enum probe_state state;
		const char *says;
	} lasts[] = {{60, PROBE_OK, "5 of 20"}, {10, PROBE_WARNING, "ends in"}, {2, PROBE_CRITICAL, "ends in"},
	    {-5, PROBE_CRITICAL, "days ago"}};
	const struct postgres_probe any = {0};
	char script[PATH_LIMIT + 64];
	assert_true(text_format(script, sizeof script, "echo '20|5|3|0|0|0|unknown|0|on|%s'", w.path));
	for (size_t i = 0; i < sizeof lasts / sizeof lasts[0]; i++) {
		SSL_CTX_free(server_tls(-30, lasts[i].days, w.path));
		ASSERT_OUTCOME(probe_cluster(script, any), lasts[i].state, lasts[i].says);
		assert_true(fabs(measured("days_left") - lasts[i].days) < 1);
	}
	ASSERT_OUTCOME(
	    probe_cluster("echo '20|5|3|0|0|0|unknown|0|on|not-there.crt'", any), PROBE_OK, "cannot be read");
	/* What never ends is not waited for; nor is it opened, which of a device may be an order. */
	assert_int_equal(unlink(w.path), 0);
	assert_int_equal(mkfifo(w.path, 0600), 0);
	int opened = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event seen;
	assert_true(opened >= 0 && inotify_add_watch(opened, w.path, IN_OPEN) >= 0);
	ASSERT_OUTCOME(probe_cluster(script, any), PROBE_OK, "cannot be read");
	assert_int_equal(read(opened, &seen, sizeof seen), -1);
	close(opened);
}

/* What keeps room on a disk that no name leads to any more. */
static void a_process_that_keeps_deleted_files_says_so(void **state)
{
	(void)state;
	char path[] = "/tmp/kedge-test-XXXXXX", block[8192] = {1};
	int fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, block, sizeof block) == (ssize_t)sizeof block && unlink(path) == 0);
	(void)fsync(fd);
	assert_true(deleted_of_us() >= sizeof block);
	assert_false(w.outcome.gone);
	close(fd);
}

/* Memory that looks like a file without a name takes no room on any disk. */
static void memory_is_no_deleted_file(void **state)
{
	(void)state;
	char block[8192] = {1};
	double before = deleted_of_us();
	int fd = memfd_create("cache", MFD_CLOEXEC);
	assert_true(fd >= 0 && write(fd, block, sizeof block) == (ssize_t)sizeof block);
	assert_true(before >= 0);
	assert_true(deleted_of_us() == before);
	close(fd);
}

/* Whoever asks a dead mount anything waits for ever: a child does, which can be killed.  holds is asked in a process of
 * its own, with such a mount on folder. */
static void beside_a_hung_mount(bool (*holds)(const char *folder))
{
	char folder[] = "/tmp/kedge-hung-XXXXXX";
	enum { SKIPPED = 77, PATIENCE_S = 20 };
	int status;
	assert_non_null(mkdtemp(folder));
	pid_t pid = fork();
	if (pid == 0) {
		alarm(PATIENCE_S);
		if (hung_mount(folder) < 0)
			_exit(SKIPPED);
		_exit(holds(folder) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(rmdir(folder), 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool descriptors_are_counted(const char *folder)
{
	(void)folder;
	return deleted_of_us() >= 0;
}

static void a_hung_descriptor_holds_nobody_up(void **state)
{
	(void)state;
	beside_a_hung_mount(descriptors_are_counted);
}

/* The server that answered is as well as it said, and was no slower for it. */
static bool certificate_is_left_alone(const char *folder)
{
	const struct postgres_probe any = {0};
	char script[PATH_LIMIT + 64];
	(void)text_format(script, sizeof script, "echo '20|5|3|0|0|0|unknown|0|on|%s/server.crt'", folder);
	const struct probe_outcome *o = probe_cluster(script, any);
	return o->state == PROBE_OK && strstr(o->text, "cannot be read") && o->took_ms < 1000;
}

static void a_hung_certificate_holds_nobody_up(void **state)
{
	(void)state;
	beside_a_hung_mount(certificate_is_left_alone);
}

static void process_by_pid_file_and_by_name(void **state)
{
	(void)state;
	struct err err;
	struct process_probe p = {.pid_file = w.path};
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_CRITICAL, w.path);
	snprintf(w.text, sizeof w.text, "%d\n", (int)getpid());
	assert_int_equal(file_replace(w.path, w.text, strlen(w.text), 0644, &err), ERR_OK);
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_OK, "runs");
	p.name = "another-program";
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_CRITICAL, "not another-program");
	p.name = NULL;
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0); /* a zombie now */
	snprintf(w.text, sizeof w.text, "%d\n", (int)child);
	assert_int_equal(file_replace(w.path, w.text, strlen(w.text), 0644, &err), ERR_OK);
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_CRITICAL, "does not run");
	waitpid(child, NULL, 0);
	assert_int_equal(file_replace(w.path, "none\n", 5, 0644, &err), ERR_OK);
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_CRITICAL, "no process number");

	char self[64] = "";
	FILE *f = fopen("/proc/self/comm", "re");
	assert_int_equal(fscanf(f, "%63s", self), 1);
	fclose(f);
	p = (struct process_probe){.name = self};
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_OK, "of at least 1");
	p.least = 1000;
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_CRITICAL, "of at least 1000");
	p = (struct process_probe){.name = "no-such-process-here"};
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_CRITICAL, "0 of at least 1");
}

static void disk_of_real_and_missing_paths(void **state)
{
	(void)state;
	struct disk_probe d = {.path = "/", .warn_percent = 99.99, .critical_percent = 100};
	ASSERT_OUTCOME(probe((struct probe_config){.disk = &d}), PROBE_OK, "% of space");
	assert_string_equal(w.outcome.metrics[0].name, "space");
	assert_string_equal(w.outcome.metrics[1].name, "inodes");
	d.warn_percent = 0.0001;
	ASSERT_OUTCOME(probe((struct probe_config){.disk = &d}), PROBE_WARNING, "/");
	d.critical_percent = 0.0002;
	ASSERT_OUTCOME(probe((struct probe_config){.disk = &d}), PROBE_CRITICAL, "/");
	d.path = "/no/such/folder";
	ASSERT_OUTCOME(probe((struct probe_config){.disk = &d}), PROBE_CRITICAL, "No such file");
}

static const struct probe_metric *metric(const char *name)
{
	for (size_t i = 0; i < w.outcome.metric_count; i++)
		if (strcmp(w.outcome.metrics[i].name, name) == 0)
			return &w.outcome.metrics[i];
	return NULL;
}

/* Half of the few that it may have is half: a leak is seen long before a process has none left. */
static void descriptors_of_a_process(void **state)
{
	(void)state;
	enum { LIMIT = 200, OPENED = 60 };
	struct err err;
	struct rlimit was, few;
	int opened[OPENED];
	struct process_probe p = {.pid_file = w.path};
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = (struct rlimit){LIMIT, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	snprintf(w.text, sizeof w.text, "%d\n", (int)getpid());
	assert_int_equal(file_replace(w.path, w.text, strlen(w.text), 0644, &err), ERR_OK);
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_OK, "runs");
	assert_non_null(metric("descriptors"));
	double before = metric("descriptors")->value;
	assert_true(before > 0 && before < 50);
	assert_string_equal(metric("descriptors")->unit, "%");
	for (size_t i = 0; i < OPENED; i++)
		assert_true((opened[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_OK, "runs");
	double after = metric("descriptors")->value;
	assert_true(after - before > 100.0 * (OPENED - 2) / LIMIT && after - before < 100.0 * (OPENED + 2) / LIMIT);
	char self[64] = "";
	FILE *f = fopen("/proc/self/comm", "re");
	assert_int_equal(fscanf(f, "%63s", self), 1);
	fclose(f);
	p = (struct process_probe){.name = self}; /* of all that bear the name the one that has least left */
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_OK, "of at least 1");
	assert_true(metric("descriptors")->value >= after - 1);
	for (size_t i = 0; i < OPENED; i++)
		close(opened[i]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(file_replace(w.path, "none\n", 5, 0644, &err), ERR_OK);
	p = (struct process_probe){.pid_file = w.path};
	ASSERT_OUTCOME(probe((struct probe_config){.process = &p}), PROBE_CRITICAL, "no process number");
	assert_null(metric("descriptors"));
}

static void what_a_folder_holds(void **state)
{
	(void)state;
	static char block[1 << 16];
	struct err err;
	char inner[160], below[200];
	struct disk_probe d = {.path = w.folder};
	memset(block, 'x', sizeof block);
	ASSERT_OUTCOME(probe((struct probe_config){.folder = &d}), PROBE_OK, w.folder);
	assert_true(metric("share")->value == 0 && metric("size")->value == 0);
	assert_int_equal(file_replace(w.path, block, sizeof block, 0644, &err), ERR_OK);
	snprintf(inner, sizeof inner, "%s/inner", w.folder);
	snprintf(below, sizeof below, "%s/inner/file", w.folder);
	assert_int_equal(mkdir(inner, 0755), 0);
	assert_int_equal(file_replace(below, block, sizeof block, 0644, &err), ERR_OK); /* is not right in it */
	int fd = open(w.path, O_RDONLY | O_CLOEXEC); /* some file systems give blocks out late */
	assert_int_equal(fsync(fd), 0);
	close(fd);
	ASSERT_OUTCOME(probe((struct probe_config){.folder = &d}), PROBE_OK, "free");
	double size = metric("size")->value, share = metric("share")->value;
	assert_true(size >= sizeof block && size < 2 * sizeof block);
	assert_true(share > 0 && share < 50);
	assert_string_equal(metric("share")->unit, "%");
	d.warn_percent = share / 2;
	ASSERT_OUTCOME(probe((struct probe_config){.folder = &d}), PROBE_WARNING, w.folder);
	d.critical_percent = share / 2;
	ASSERT_OUTCOME(probe((struct probe_config){.folder = &d}), PROBE_CRITICAL, w.folder);
	unlink(below);
	rmdir(inner);
	d.path = "/no/such/folder";
	ASSERT_OUTCOME(probe((struct probe_config){.folder = &d}), PROBE_CRITICAL, "No such file");
}

static void age_of_a_file(void **state)
{
	(void)state;
	struct err err;
	struct age_probe a = {.path = w.path, .warn_ms = 60000, .critical_ms = 120000};
	ASSERT_OUTCOME(probe((struct probe_config){.age = &a}), PROBE_CRITICAL, "No such file");
	assert_int_equal(file_replace(w.path, "x", 1, 0644, &err), ERR_OK);
	ASSERT_OUTCOME(probe((struct probe_config){.age = &a}), PROBE_OK, "ago");
	struct timespec times[2] = {{.tv_sec = time(NULL) - 90}, {.tv_sec = time(NULL) - 90}};
	assert_int_equal(utimensat(AT_FDCWD, w.path, times, 0), 0);
	ASSERT_OUTCOME(probe((struct probe_config){.age = &a}), PROBE_WARNING, "ago");
	times[1].tv_sec -= 100;
	assert_int_equal(utimensat(AT_FDCWD, w.path, times, 0), 0);
	ASSERT_OUTCOME(probe((struct probe_config){.age = &a}), PROBE_CRITICAL, "ago");
}

static void write_proc(const char *name, const char *text)
{
	struct err err;
	char path[160];
	snprintf(path, sizeof path, "%s/%s", w.folder, name);
	assert_int_equal(file_replace(path, text, strlen(text), 0644, &err), ERR_OK);
}

static void cpu_and_memory_from_a_given_proc(void **state)
{
	(void)state;
	char path[160];
	w.env.proc = w.folder;
	struct load_probe l = {.warn_percent = 80, .critical_percent = 95};
	struct probe_memory memory = {.cpu_busy = 1000, .cpu_total = 2000, .cpu_at_ms = 1};
	write_proc("stat", "cpu  500 100 590 1100 10 0 0 0 0 0\n"); /* 190 of 300 ticks busy */
	ASSERT_OUTCOME(probe_with((struct probe_config){.cpu = &l}, &memory), PROBE_OK, "63.3 %");
	memory = (struct probe_memory){.cpu_busy = 1000, .cpu_total = 2000, .cpu_at_ms = 1};
	write_proc("stat", "cpu  500 100 670 1020 10 0 0 0 0 0\n"); /* 270 of 300 */
	ASSERT_OUTCOME(probe_with((struct probe_config){.cpu = &l}, &memory), PROBE_WARNING, "90.0 %");
	memory.cpu_at_ms = 1;
	ASSERT_OUTCOME(probe_with((struct probe_config){.cpu = &l}, &memory), PROBE_UNKNOWN, "did not advance");
	write_proc("meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 100 kB\n");
	ASSERT_OUTCOME(probe((struct probe_config){.memory = &l}), PROBE_WARNING, "90.0 %");
	write_proc("meminfo", "nonsense\n");
	ASSERT_OUTCOME(probe((struct probe_config){.memory = &l}), PROBE_UNKNOWN, "meminfo");
	for (const char *const *name = (const char *const[]){"stat", "meminfo", NULL}; *name; name++) {
		snprintf(path, sizeof path, "%s/%s", w.folder, *name);
		unlink(path);
	}
	w.env.proc = "/proc";
	l = (struct load_probe){.warn_percent = 101, .critical_percent = 102};
	uint64_t began = clock_mono_ms();
	ASSERT_OUTCOME(
	    probe((struct probe_config){.cpu = &l}), PROBE_OK, "busy"); /* the first run measures for a second */
	assert_true(clock_mono_ms() - began >= 900);
	ASSERT_OUTCOME(probe((struct probe_config){.memory = &l}), PROBE_OK, "used");
}

static void a_cancelled_run_tells_nobody(void **state)
{
	(void)state;
	struct server s = {0};
	struct probe_run *r;
	struct err err;
	struct probe_memory memory = {0};
	server_start(&s);
	snprintf(w.text, sizeof w.text, "http://127.0.0.1:%u/", s.port);
	const struct http_probe h = {.url = w.text};
	const struct probe_config c = {.name = "x", .http = &h, .timeout_ms = 100};
	assert_int_equal(probe_run_start(&w.env, &c, &memory, on_done, NULL, &r, &err), ERR_OK);
	assert_int_equal(loop_turn(w.loop, 50, &err), ERR_OK);
	probe_run_cancel(r);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(w.loop, 50, &err), ERR_OK);
	assert_int_equal(w.calls, 0);
	server_stop(&s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(http_good_bad_and_wrong), T(http_slow_and_hanging),
	    T(http_refused_closed_and_garbage), T(http_huge_body_is_not_swallowed), T(https_is_checked), T(tls_expiry),
	    T(tcp_over_each_kind_of_address), T(exec_follows_the_plugin_convention),
	    T(a_check_that_cannot_tell_any_more_warns), T(process_by_pid_file_and_by_name),
	    T(a_process_that_keeps_deleted_files_says_so), T(memory_is_no_deleted_file),
	    T(a_cluster_says_how_it_is_inside), T(a_cluster_sorts_on_the_disk), T(a_cluster_has_a_certificate),
	    T(a_hung_descriptor_holds_nobody_up), T(a_hung_certificate_holds_nobody_up), T(descriptors_of_a_process),
	    T(what_a_folder_holds), T(disk_of_real_and_missing_paths), T(age_of_a_file),
	    T(cpu_and_memory_from_a_given_proc), T(a_cancelled_run_tells_nobody)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
