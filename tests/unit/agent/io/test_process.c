#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/io/process.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/kedge-process-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0777), 0);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	struct process_result r;
	struct err err;
	const struct process_spec spec = {.argv = ARGV("rm", "-r", folder), .timeout_ms = 10000};
	assert_int_equal(process_run(&spec, NULL, &r, &err), ERR_OK);
	process_result_done(&r);
	return 0;
}

static struct process_result run(struct process_spec spec)
{
	struct process_result r;
	struct err err = ERR_INIT;
	if (!spec.timeout_ms)
		spec.timeout_ms = 10000;
	if (process_run(&spec, NULL, &r, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	return r;
}

static bool alive(pid_t pid)
{
	char path[64], text[256] = "";
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	const char *state = n ? strrchr(text, ')') : NULL;
	return state && state[2] != 'Z';
}

/* Waits until the process is gone: a kill takes a moment. */
static bool gone_soon(pid_t pid)
{
	for (int i = 0; i < 200 && alive(pid); i++)
		usleep(10000);
	return !alive(pid);
}

static pid_t pid_in(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	for (int i = 0; i < 300; i++) {
		FILE *f = fopen(path, "re");
		int pid = 0;
		if (f && fscanf(f, "%d\n", &pid) == 1) {
			fclose(f);
			return pid;
		}
		if (f)
			fclose(f);
		usleep(10000);
	}
	fail_msg("no pid in %s", path);
	return 0;
}

static void output_and_code_come_back(void **state)
{
	(void)state;
	struct process_result r =
	    run((struct process_spec){.argv = ARGV("/bin/sh", "-c", "echo out; echo err >&2; exit 3")});
	assert_int_equal(r.end, PROCESS_EXITED);
	assert_int_equal(r.code, 3);
	assert_string_equal(buf_str(&r.output), "out\n");
	assert_string_equal(buf_str(&r.errors), "err\n");
	process_result_done(&r);
	r = run((struct process_spec){
	    .argv = ARGV("sh", "-c", "echo out; echo err >&2; kill -TERM $$"), .merge_errors = true});
	assert_int_equal(r.end, PROCESS_SIGNALLED);
	assert_int_equal(r.code, SIGTERM);
	assert_string_equal(buf_str(&r.output), "out\nerr\n");
	process_result_done(&r);
}

static void the_environment_is_exactly_the_given_one(void **state)
{
	(void)state;
	setenv("KEDGE_TEST_SECRET", "leaks", 1);
	struct process_result r = run((struct process_spec){.argv = ARGV("env")});
	assert_null(strstr(buf_str(&r.output), "KEDGE_TEST_SECRET"));
	assert_non_null(strstr(buf_str(&r.output), "LANG=C.UTF-8"));
	process_result_done(&r);
	r = run((struct process_spec){.argv = ARGV("/usr/bin/env"), .environment = ARGV("A=1", "B=two words")});
	assert_non_null(strstr(buf_str(&r.output), "A=1\nB=two words\n"));
	assert_null(strstr(buf_str(&r.output), "PATH="));
	process_result_done(&r);
}

static void no_descriptor_is_inherited(void **state)
{
	(void)state;
	int leak = dup(1); /* without CLOEXEC, as a careless library would */
	assert_true(leak > 2);
	struct process_result r = run((struct process_spec){.argv = ARGV("/bin/ls", "/proc/self/fd")});
	assert_string_equal(buf_str(&r.output), "0\n1\n2\n3\n"); /* 3 is ls's own */
	process_result_done(&r);
	close(leak);
}

static void input_is_given_or_null(void **state)
{
	(void)state;
	struct process_result r = run((struct process_spec){.argv = ARGV("cat")});
	assert_int_equal(r.output.size, 0);
	process_result_done(&r);
	char big[70000];
	memset(big, 'x', sizeof big);
	r = run((struct process_spec){.argv = ARGV("wc", "-c"), .input = {(uint8_t *)big, sizeof big}});
	assert_string_equal(buf_str(&r.output), "70000\n");
	process_result_done(&r);
}

static void output_is_capped_and_the_program_goes_on(void **state)
{
	(void)state;
	struct process_result r = run((struct process_spec){
	    .argv = ARGV("sh", "-c", "head -c 3000000 /dev/zero; echo done >&2"), .output_max = 1000});
	assert_int_equal(r.code, 0);
	assert_int_equal(r.output.size, 1000);
	assert_true(r.cut);
	assert_string_equal(buf_str(&r.errors), "done\n");
	process_result_done(&r);
}

static void what_cannot_start_says_so_at_once(void **state)
{
	(void)state;
	struct process_result r;
	struct err err;
	char path[128];
	struct process_spec spec = {.argv = ARGV("no-such-program-kedge"), .timeout_ms = 1000};
	assert_int_equal(process_run(&spec, NULL, &r, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "no-such-program-kedge"));
	spec.argv = ARGV("/no/such/program");
	assert_int_equal(process_run(&spec, NULL, &r, &err), ERR_NOT_FOUND);
	snprintf(path, sizeof path, "%s/plain", folder);
	assert_int_equal(file_replace(path, "#!/bin/sh\n", 10, 0644, &err), ERR_OK);
	spec.argv = ARGV(path);
	assert_int_equal(process_run(&spec, NULL, &r, &err), ERR_DENIED);
	spec.argv = ARGV("true");
	spec.directory = "/no/such/folder";
	assert_int_equal(process_run(&spec, NULL, &r, &err), ERR_NOT_FOUND);
	spec.directory = NULL;
	spec.timeout_ms = 0;
	assert_int_equal(process_run(&spec, NULL, &r, &err), ERR_INVALID);
}

/* The child, a grandchild that made a session of its own, and an orphan of its: all must go. */
static void the_deadline_kills_the_whole_tree(void **state)
{
	(void)state;
	char script[512];
	snprintf(script, sizeof script,
	    "cd %s; echo $$ >leader; sleep 100 & echo $! >child; setsid sh -c 'echo $$ >stray; sleep 100' & "
	    "(setsid sh -c 'echo $$ >orphan; exec sleep 100' &) ; sleep 100",
	    folder);
	uint64_t began = clock_mono_ms();
	struct process_result r = run((struct process_spec){.argv = ARGV("sh", "-c", script), .timeout_ms = 700});
	char text[64];
	assert_int_equal(r.end, PROCESS_TIMED_OUT);
	assert_in_range(clock_mono_ms() - began, 700, 2500);
	assert_non_null(strstr(process_result_text(&r, text, sizeof text), "timed out after"));
	process_result_done(&r);
	assert_true(gone_soon(pid_in("leader")));
	assert_true(gone_soon(pid_in("child")));
	assert_true(gone_soon(pid_in("stray")));
	assert_true(gone_soon(pid_in("orphan")));
}

/* A plugin that leaves something behind holding its output must not make us wait for it, nor may it stay. */
static void what_a_probe_left_behind_goes(void **state)
{
	(void)state;
	char script[256];
	snprintf(script, sizeof script, "sleep 100 & echo $! >%s/left; echo said", folder);
	uint64_t began = clock_mono_ms();
	struct process_result r = run((struct process_spec){.argv = ARGV("sh", "-c", script)});
	assert_string_equal(buf_str(&r.output), "said\n");
	assert_true(clock_mono_ms() - began < 5000);
	process_result_done(&r);
	assert_true(gone_soon(pid_in("left")));
}

static void what_a_start_step_left_behind_stays(void **state)
{
	(void)state;
	char script[256];
	snprintf(script, sizeof script, "setsid sleep 100 & echo $! >%s/service", folder);
	struct process_result r =
	    run((struct process_spec){.argv = ARGV("sh", "-c", script), .leave_descendants = true});
	assert_int_equal(r.code, 0);
	process_result_done(&r);
	pid_t service = pid_in("service");
	usleep(100000);
	assert_true(alive(service));
	kill(service, SIGKILL);
}

static void another_user_can_be_set(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	struct process_result r =
	    run((struct process_spec){.argv = ARGV("id"), .set_user = true, .uid = 65534, .gid = 65534});
	assert_non_null(strstr(buf_str(&r.output), "uid=65534"));
	assert_non_null(strstr(buf_str(&r.output), "gid=65534"));
	assert_null(strstr(buf_str(&r.output), "groups=0"));
	process_result_done(&r);
}

static void cancelling_the_blocking_form_ends_it(void **state)
{
	(void)state;
	atomic_bool cancel = true;
	struct process_result r;
	struct err err;
	const struct process_spec spec = {.argv = ARGV("sleep", "100"), .timeout_ms = 100000};
	uint64_t began = clock_mono_ms();
	assert_int_equal(process_run(&spec, &cancel, &r, &err), ERR_OK);
	assert_int_equal(r.end, PROCESS_CANCELLED);
	assert_true(clock_mono_ms() - began < 3000);
	process_result_done(&r);
}

static void of_a_long_talk_the_line_that_tells_is_told(void **state)
{
	(void)state;
	static const char *const words[] = {"rror", NULL};
	struct err err;
	atomic_bool cancel = false;
	struct process_spec spec = {
	    .argv = ARGV(
		"sh", "-c", "echo begun; echo an Error: no room; echo Error: the disk is full; echo ended; exit 1"),
	    .timeout_ms = 5000};
	assert_int_equal(process_run_long(&spec, NULL, words, NULL, &err), ERR_IO);
	assert_non_null(strstr(err.msg, "exit 1: Error: the disk is full"));
	spec.argv = ARGV("sh", "-c", "echo begun; echo gave up; exit 1"); /* none tells: the last one */
	assert_int_equal(process_run_long(&spec, NULL, words, NULL, &err), ERR_IO);
	assert_non_null(strstr(err.msg, "exit 1: gave up"));
	spec.argv = ARGV("sh", "-c", "exit 1");
	assert_int_equal(process_run_long(&spec, NULL, words, NULL, &err), ERR_IO);
	spec.argv = ARGV("sleep", "100");
	atomic_store(&cancel, true);
	assert_int_equal(process_run_long(&spec, &cancel, words, NULL, &err), ERR_CANCELLED);
}

static void an_error_tells_what_the_program_said(void **state)
{
	(void)state;
	struct err err;
	struct buf out = BUF_INIT;
	struct process_spec spec = {
	    .argv = ARGV("sh", "-c", "echo bad config on line 3 >&2; echo more >&2; exit 2"), .timeout_ms = 5000};
	assert_int_equal(process_run_ok(&spec, &out, &err), ERR_IO);
	assert_non_null(strstr(err.msg, "exit 2: bad config on line 3"));
	assert_null(strstr(err.msg, "more"));
	spec.argv = ARGV("sh", "-c", "echo patient jane.doe@example.org is not there; exit 1"); /* errors go to logs */
	assert_int_equal(process_run_ok(&spec, &out, &err), ERR_IO);
	assert_non_null(strstr(err.msg, "exit 1: patient [EMAIL] is not there"));
	spec.argv = ARGV("echo", "fine");
	assert_int_equal(process_run_ok(&spec, &out, &err), ERR_OK);
	assert_string_equal(buf_str(&out), "fine\n");
	buf_done(&out);
}

static void must_not_be_called(void *ctx, const struct process_result *r)
{
	(void)r;
	*(int *)ctx += 1;
}

static void a_cancelled_process_calls_nobody(void **state)
{
	(void)state;
	struct loop *l;
	struct process *p;
	struct err err;
	int calls = 0;
	const struct process_spec spec = {.argv = ARGV("sleep", "100"), .timeout_ms = 100000};
	assert_int_equal(loop_new(&l, &err), ERR_OK);
	assert_int_equal(process_start(l, &spec, must_not_be_called, &calls, &p, &err), ERR_OK);
	pid_t pid = process_pid(p);
	process_cancel(p);
	for (int i = 0; i < 100 && kill(pid, 0) == 0; i++)
		assert_int_equal(loop_turn(l, 50, &err), ERR_OK);
	assert_int_equal(kill(pid, 0), -1); /* reaped, not only dead */
	assert_int_equal(calls, 0);
	loop_free(l);
}

static int say(const void *arg)
{
	return write(1, arg, strlen(arg)) > 0 ? 5 : 1;
}
static int hang(const void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}
struct heard {
	struct process_result r;
	char text[32];
	bool done;
};
static void hear(void *ctx, const struct process_result *r)
{
	struct heard *h = ctx;
	h->r = *r;
	snprintf(h->text, sizeof h->text, "%s", buf_str(&r->output));
	h->done = true;
}

static void a_call_runs_in_a_child(void **state)
{
	(void)state;
	struct loop *l;
	struct process *p;
	struct err err;
	struct heard h = {0};
	assert_int_equal(loop_new(&l, &err), ERR_OK);
	assert_int_equal(process_start_call(l, say, "hello", 5000, hear, &h, &p, &err), ERR_OK);
	while (!h.done)
		assert_int_equal(loop_turn(l, 1000, &err), ERR_OK);
	assert_int_equal(h.r.code, 5);
	assert_string_equal(h.text, "hello");
	h.done = false;
	assert_int_equal(process_start_call(l, hang, NULL, 200, hear, &h, &p, &err), ERR_OK);
	while (!h.done)
		assert_int_equal(loop_turn(l, 1000, &err), ERR_OK);
	assert_int_equal(h.r.end, PROCESS_TIMED_OUT);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(output_and_code_come_back),
	    cmocka_unit_test(the_environment_is_exactly_the_given_one),
	    cmocka_unit_test(no_descriptor_is_inherited),
	    cmocka_unit_test(input_is_given_or_null),
	    cmocka_unit_test(output_is_capped_and_the_program_goes_on),
	    cmocka_unit_test(what_cannot_start_says_so_at_once),
	    cmocka_unit_test(the_deadline_kills_the_whole_tree),
	    cmocka_unit_test(what_a_probe_left_behind_goes),
	    cmocka_unit_test(what_a_start_step_left_behind_stays),
	    cmocka_unit_test(another_user_can_be_set),
	    cmocka_unit_test(cancelling_the_blocking_form_ends_it),
	    cmocka_unit_test(of_a_long_talk_the_line_that_tells_is_told),
	    cmocka_unit_test(an_error_tells_what_the_program_said),
	    cmocka_unit_test(a_cancelled_process_calls_nobody),
	    cmocka_unit_test(a_call_runs_in_a_child),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
