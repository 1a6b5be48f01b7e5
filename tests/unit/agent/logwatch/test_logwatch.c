#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/logwatch/watch.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/record/record.h"

enum { SEEN_MAX = 64 };

static struct {
	struct loop *loop;
	struct logwatch *watch;
	struct logwatch_events events;
	struct logwatch_edges edges;
	struct agent_config config;
	struct service_config service;
	struct log_config logs[2];
	char folder[64], path[96], other[96], state[96], pattern[96];
	struct {
		char text[513], sample[513], source[128];
		uint64_t count;
		uint32_t severity;
		bool is_new;
	} seen[SEEN_MAX];
	size_t count;
	uint64_t lines, dropped, reports;
	bool refuse;
} w;

/* Every report must be what the wire takes: valid, bounded, redacted. */
static enum err_code on_report(void *ctx, const struct log_report *r, struct err *reterr)
{
	struct buf wire = BUF_INIT;
	struct err err = ERR_INIT;
	(void)ctx;
	if (record_to_msgpack(&log_report_type, r, &wire, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	assert_null(memmem(wire.data, wire.size, "canary", 6));
	buf_done(&wire);
	if (w.refuse)
		return err_set(reterr, ERR_FULL, "the spool is full");
	assert_string_equal(r->service, "portal");
	w.reports++;
	w.lines += r->lines;
	w.dropped += r->dropped;
	for (size_t i = 0; i < r->templates.count; i++) {
		const struct log_template *t = &LIST_AT(r->templates, struct log_template, i);
		size_t k = 0;
		while (k < w.count && strcmp(w.seen[k].text, t->template_text) != 0)
			k++;
		if (k == SEEN_MAX)
			continue;
		w.count += k == w.count;
		snprintf(w.seen[k].text, sizeof w.seen[k].text, "%s", t->template_text);
		snprintf(w.seen[k].sample, sizeof w.seen[k].sample, "%s", t->sample ? t->sample : "");
		snprintf(w.seen[k].source, sizeof w.seen[k].source, "%s", r->source);
		w.seen[k].count += t->count;
		w.seen[k].severity = t->severity;
		w.seen[k].is_new |= t->is_new;
	}
	return ERR_OK;
}

static void forget(void)
{
	memset(w.seen, 0, sizeof w.seen);
	w.count = 0;
	w.lines = w.dropped = w.reports = 0;
}

static int setup(void **state)
{
	struct err err;
	(void)state;
	memset(&w, 0, sizeof w);
	strcpy(w.folder, "/tmp/kedge-logs-XXXXXX");
	assert_non_null(mkdtemp(w.folder));
	snprintf(w.path, sizeof w.path, "%s/x.log", w.folder);
	snprintf(w.other, sizeof w.other, "%s/y.log", w.folder);
	snprintf(w.pattern, sizeof w.pattern, "%s/*.log", w.folder);
	snprintf(w.state, sizeof w.state, "%s/state", w.folder);
	assert_int_equal(loop_new(&w.loop, &err), ERR_OK);
	w.events.on_report = on_report;
	w.logs[0].file = w.path;
	w.service = (struct service_config){.name = "portal", .logs = {w.logs, 1}};
	w.config = (struct agent_config){.host = "web-1", .services = {&w.service, 1}};
	return 0;
}

static void remove_tree(const char *path)
{
	char below[512];
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.' && (!e->d_name[1] || e->d_name[1] == '.'))
			continue;
		snprintf(below, sizeof below, "%s/%s", path, e->d_name);
		if (unlink(below) != 0)
			remove_tree(below);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

static int teardown(void **state)
{
	(void)state;
	logwatch_free(w.watch);
	loop_free(w.loop);
	remove_tree(w.folder);
	return 0;
}

static void start(void)
{
	struct err err = ERR_INIT;
	assert_int_equal(loop_turn(w.loop, 0, &err), ERR_OK);
	if (logwatch_new_with(w.loop, &w.config, w.state, &w.events, &w.edges, &w.watch, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

static void stop(void)
{
	logwatch_free(w.watch);
	w.watch = NULL;
}

static void append_bytes(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
}
static void append(const char *text)
{
	append_bytes(w.path, text, strlen(text));
}

static void turn(int ms)
{
	struct err err;
	uint64_t until = clock_mono_ms() + (uint64_t)ms;
	for (uint64_t now; (now = clock_mono_ms()) < until;)
		assert_int_equal(loop_turn(w.loop, (int)(until - now), &err), ERR_OK);
}

static uint64_t count_of(const char *text)
{
	uint64_t n = 0;
	for (size_t i = 0; i < w.count; i++)
		if (strstr(w.seen[i].text, text))
			n += w.seen[i].count;
	return n;
}

/* Turns until count_of(text) is reached; how long it took. */
static uint64_t wait_for(const char *text, uint64_t count)
{
	struct err err;
	uint64_t began = clock_mono_ms();
	while (count_of(text) < count && clock_mono_ms() < began + 8000)
		assert_int_equal(loop_turn(w.loop, 100, &err), ERR_OK);
	if (count_of(text) != count)
		for (size_t i = 0; i < w.count; i++)
			print_message("seen: %s\n", w.seen[i].text);
	if (count_of(text) != count)
		fail_msg("%llu of %llu \"%s\"", (unsigned long long)count_of(text), (unsigned long long)count, text);
	return clock_mono_ms() - began;
}

static void an_error_line_is_told_within_half_a_second(void **state)
{
	(void)state;
	append("ERROR was there before\n");
	start();
	turn(300);
	append("2023-11-14 12:00:00 INFO all is well\n2023-11-14 12:00:01 ERROR connection to 10.0.0.7:5432 refused\n");
	assert_true(wait_for("connection to", 1) < 500);
	assert_int_equal(w.count, 1);
	assert_string_equal(w.seen[0].text, "connection to <*>:<*> refused");
	assert_string_equal(w.seen[0].sample, "connection to 10.0.0.7:5432 refused");
	assert_true(w.seen[0].is_new);
	assert_int_equal(w.seen[0].severity, LOG_SEVERITY_ERROR);
	assert_int_equal(w.lines, 2);
}

static void also_where_inotify_says_nothing(void **state)
{
	(void)state;
	w.edges.no_inotify = true;
	start();
	turn(100);
	append("ERROR disk is broken\n");
	assert_true(wait_for("disk is broken", 1) < 700);
	assert_int_equal(rename(w.path, w.other), 0);
	append("ERROR disk is broken\n");
	(void)wait_for("disk is broken", 2);
}

/* PITFALLS P56 */
static void secrets_and_persons_do_not_leave(void **state)
{
	(void)state;
	start();
	append("ERROR login failed password=canary-1 for patient John Smith SSN 123-45-6789 token: canary2abc99\n"
	       "{\"level\":\"error\",\"msg\":\"failed\",\"user\":{\"password\":\"canary-3\"}}\n"
	       "{\"level\":\"error\",\"msg\":\"call failed {\\\"api_key\\\":\\\"canary4-55\\\"}\"}\n"
	       "error: -----BEGIN PRIVATE KEY-----\ncanary5ERROR\nERROR canary6\n-----END PRIVATE KEY-----\nERROR key "
	       "was bad\n");
	(void)wait_for("key was bad", 1);
	for (size_t i = 0; i < w.count; i++) {
		assert_null(strstr(w.seen[i].sample, "Smith"));
		assert_null(strstr(w.seen[i].sample, "6789"));
	}
	assert_int_equal(count_of("login failed password=[PASSWORD] for patient [NAME]"), 1);
}

static void rotation_loses_nothing_and_repeats_nothing(void **state)
{
	(void)state;
	start();
	turn(100);
	char line[64];
	for (int i = 0; i < 40; i++) {
		snprintf(line, sizeof line, "ERROR number %d failed\n", i);
		append(line);
		if (i % 10 == 5) {
			assert_int_equal(rename(w.path, w.other), 0);
			turn(100);
			unlink(w.other);
		}
		if (i % 10 == 0 || i % 10 == 6) /* the new file must have been seen once before it is renamed in turn */
			turn(100);
	}
	(void)wait_for("number <*> failed", 40);
}

static void a_restart_goes_on_where_it_was(void **state)
{
	(void)state;
	start();
	append("ERROR one kind of thing\n");
	(void)wait_for("one kind", 1);
	stop();
	append("ERROR one kind of thing\nERROR another kind of thing\n");
	assert_int_equal(rename(w.path, w.other), 0);
	append("ERROR one kind of thing\n");
	forget();
	start();
	(void)wait_for("one kind", 2);
	(void)wait_for("another kind", 1);
	for (size_t i = 0; i < w.count; i++)
		assert_int_equal(w.seen[i].is_new, strstr(w.seen[i].text, "another") != NULL);
	unlink(w.other);
}

static void what_was_not_taken_is_offered_again(void **state)
{
	(void)state;
	start();
	turn(50);
	w.refuse = true;
	append("ERROR nobody listens\n");
	turn(1500);
	assert_int_equal(w.reports, 0);
	append("ERROR nobody listens\n");
	/* A crash now: positions must not have moved past what was not taken. */
	turn(3500);
	char saved[128], copy[128];
	struct buf data = BUF_INIT;
	struct err err;
	snprintf(saved, sizeof saved, "%s/logwatch/positions", w.state);
	assert_int_equal(file_read(saved, 1 << 20, &data, &err), ERR_OK);
	w.refuse = false;
	(void)wait_for("nobody listens", 2);
	stop();
	snprintf(copy, sizeof copy, "%s/logwatch/positions", w.state);
	assert_int_equal(file_replace(copy, data.data, data.size, 0600, &err), ERR_OK);
	buf_done(&data);
	forget();
	start();
	(void)wait_for("nobody listens", 2);
}

static void a_glob_finds_new_files(void **state)
{
	(void)state;
	w.logs[0].file = w.pattern;
	append("ERROR old\n");
	start();
	turn(100);
	append("ERROR in x now\n");
	(void)wait_for("in x now", 1);
	append_bytes(w.other, "ERROR the other file speaks\n", 28);
	char packed[96];
	snprintf(packed, sizeof packed, "%s/z.log.gz", w.folder);
	append_bytes(packed, "ERROR packed\n", 13);
	(void)wait_for("other file speaks", 1); /* whole: it was not there before */
	assert_int_equal(count_of("old"), 0);
	assert_int_equal(count_of("packed"), 0);
}

static void a_storm_is_counted_and_bounded(void **state)
{
	(void)state;
	start();
	turn(50);
	size_t count = 60000, size = 0;
	char *big = malloc(count * 64);
	assert_non_null(big);
	for (size_t i = 0; i < count; i++)
		size += (size_t)sprintf(big + size, "ERROR storm of kind %c%c number %zu\n", (char)('a' + i % 26),
		    (char)('a' + i / 26 % 26), i);
	size_t before = mallinfo2().uordblks;
	append_bytes(w.path, big, size);
	free(big);
	uint64_t began = clock_mono_ms();
	while (w.lines < count && clock_mono_ms() < began + 20000)
		turn(200);
	logwatch_flush(w.watch);
	assert_int_equal(w.lines, count);
	assert_int_equal(count_of("storm of kind") + w.dropped, count);
	assert_true(mallinfo2().uordblks < before + (4u << 20));
}

static void strange_bytes_are_made_plain(void **state)
{
	static const char hole[] = "\0\0\0\0ERROR hole before\n", odd[] = "ERROR b\0d \xff\xfe bytes \x1b[31m\n";
	(void)state;
	start();
	turn(50);
	append_bytes(w.path, hole, sizeof hole - 1);
	append_bytes(w.path, odd, sizeof odd - 1);
	size_t size = 10 << 20;
	char *big = malloc(size);
	assert_non_null(big);
	memset(big, 'x', size);
	memcpy(big, "ERROR long line ", 16);
	big[size - 1] = '\n';
	append_bytes(w.path, big, size);
	free(big);
	(void)wait_for("hole before", 1);
	(void)wait_for("bytes", 1);
	(void)wait_for("long line", 1);
}

static void damaged_positions_are_no_end(void **state)
{
	(void)state;
	struct err err;
	char folder[128], path[160];
	snprintf(folder, sizeof folder, "%s/logwatch", w.state);
	snprintf(path, sizeof path, "%s/positions", folder);
	assert_int_equal(file_make_dirs(folder, 0700, &err), ERR_OK);
	assert_int_equal(file_replace(path, "garbage", 7, 0600, &err), ERR_OK);
	append("ERROR before\n");
	start();
	turn(100);
	append("ERROR after\n");
	(void)wait_for("after", 1);
	assert_int_equal(count_of("before"), 0);
}

/* ---- a journal of our own ---- */

static struct {
	const char *messages[16];
	int priorities[16];
	int count, at; /* at: the entry that is looked at, -1 before the first */
	int fd;
	char matches[256], data[256];
} fake;

static int fake_open(struct sd_journal **ret, int flags)
{
	(void)flags;
	*ret = (struct sd_journal *)&fake;
	fake.at = -1;
	fake.matches[0] = '\0';
	return 0;
}
static void fake_close(struct sd_journal *j)
{
	(void)j;
}
static int fake_add_match(struct sd_journal *j, const void *data, size_t size)
{
	(void)j;
	assert_int_equal(size, 0);
	snprintf(
	    fake.matches + strlen(fake.matches), sizeof fake.matches - strlen(fake.matches), "%s;", (const char *)data);
	return 0;
}
static int fake_or(struct sd_journal *j)
{
	return fake_add_match(j, "or", 0);
}
static int fake_seek_tail(struct sd_journal *j)
{
	(void)j;
	fake.at = fake.count;
	return 0;
}
static int fake_seek_cursor(struct sd_journal *j, const char *cursor)
{
	(void)j;
	fake.at = atoi(cursor + 1) - 1;
	return 0;
}
static int fake_test_cursor(struct sd_journal *j, const char *cursor)
{
	(void)j;
	return fake.at == atoi(cursor + 1);
}
static int fake_next(struct sd_journal *j)
{
	(void)j;
	if (fake.at + 1 >= fake.count)
		return 0;
	fake.at++;
	return 1;
}
static int fake_previous(struct sd_journal *j)
{
	(void)j;
	if (fake.at <= 0)
		return 0;
	fake.at--;
	return 1;
}
static int fake_get_data(struct sd_journal *j, const char *field, const void **ret, size_t *ret_size)
{
	(void)j;
	if (strcmp(field, "MESSAGE") == 0)
		*ret_size = (size_t)snprintf(fake.data, sizeof fake.data, "MESSAGE=%s", fake.messages[fake.at]);
	else if (strcmp(field, "PRIORITY") == 0)
		*ret_size = (size_t)snprintf(fake.data, sizeof fake.data, "PRIORITY=%d", fake.priorities[fake.at]);
	else
		return -ENOENT;
	*ret = fake.data;
	return 0;
}
static int fake_get_cursor(struct sd_journal *j, char **ret)
{
	(void)j;
	return asprintf(ret, "c%d", fake.at) < 0 ? -ENOMEM : 0;
}
static int fake_get_realtime(struct sd_journal *j, uint64_t *ret)
{
	(void)j;
	*ret = 1700000000000000ull;
	return 0;
}
static int fake_get_fd(struct sd_journal *j)
{
	(void)j;
	return fake.fd;
}
static int fake_process(struct sd_journal *j)
{
	uint64_t v;
	(void)j;
	while (read(fake.fd, &v, sizeof v) > 0)
		;
	return 0;
}

static void log_to_journal(int priority, const char *message)
{
	uint64_t one = 1;
	fake.messages[fake.count] = message;
	fake.priorities[fake.count++] = priority;
	assert_int_equal(write(fake.fd, &one, sizeof one), (ssize_t)sizeof one);
}

static void a_journal_is_followed_by_its_cursor(void **state)
{
	(void)state;
	static const struct journal_calls calls = {fake_open, fake_close, fake_add_match, fake_or, fake_seek_tail,
	    fake_seek_cursor, fake_test_cursor, fake_next, fake_previous, fake_get_data, fake_get_cursor,
	    fake_get_realtime, fake_get_fd, fake_process};
	memset(&fake, 0, sizeof fake);
	fake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w.edges.journal = &calls;
	w.logs[0] = (struct log_config){.journal = "nginx.service"};
	log_to_journal(3, "before we came");
	start();
	assert_string_equal(fake.matches, "_SYSTEMD_UNIT=nginx.service;or;UNIT=nginx.service;_PID=1;");
	turn(50);
	log_to_journal(3, "upstream 10.0.0.1 is gone");
	log_to_journal(5, "a notice");
	log_to_journal(6, "[error] said on standard output: it failed");
	assert_true(wait_for("upstream", 1) < 500);
	(void)wait_for("it failed", 1);
	assert_int_equal(count_of("before"), 0);
	assert_int_equal(count_of("notice"), 0);
	assert_string_equal(w.seen[0].source, "nginx.service");
	stop();
	log_to_journal(2, "while we were away");
	forget();
	start();
	(void)wait_for("while we were away", 1);
	assert_int_equal(w.seen[0].severity, LOG_SEVERITY_FATAL);
	assert_int_equal(count_of("upstream"), 0);
	stop();
	close(fake.fd);
}

static void ignore_entry(void *ctx, const char *message, size_t size, enum line_level level, uint64_t wall_ms)
{
	(void)ctx;
	(void)message;
	(void)size;
	(void)level;
	(void)wall_ms;
}

/* The real library, whatever journal this machine has: opening, matching, seeking and reading go through. */
static void the_systems_journal_opens(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct journal *j;
	const struct journal_calls *calls = journal_system(&err);
	if (!calls) {
		assert_non_null(strstr(err.msg, "libsystemd"));
		return;
	}
	if (journal_open(calls, "no-such-unit-here.service", "s=0;i=1;b=0;m=0;t=0;x=0", &j, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	assert_false(journal_read(j, 10, ignore_entry, NULL));
	journal_close(j);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(an_error_line_is_told_within_half_a_second),
	    T(also_where_inotify_says_nothing), T(secrets_and_persons_do_not_leave),
	    T(rotation_loses_nothing_and_repeats_nothing), T(a_restart_goes_on_where_it_was),
	    T(what_was_not_taken_is_offered_again), T(a_glob_finds_new_files), T(a_storm_is_counted_and_bounded),
	    T(strange_bytes_are_made_plain), T(damaged_positions_are_no_end), T(a_journal_is_followed_by_its_cursor),
	    T(the_systems_journal_opens)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
