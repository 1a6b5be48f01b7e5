/* The end of a watched process is known when it happens, not when somebody looks. */
#include "tests/lib/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/probe/pidwatch.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "tests/lib/scratch.h"

struct seen {
	struct loop *loop;
	unsigned count;
	int pid;
	const char *service, *probe;
	uint64_t at_ms;
};

static void on_died(void *ctx, const struct service_config *service, const struct probe_config *probe, int pid)
{
	struct seen *s = ctx;
	s->count++;
	s->pid = pid;
	s->service = service->name;
	s->probe = probe->name;
	s->at_ms = clock_mono_ms();
}

static pid_t sleeper(void)
{
	pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	return child;
}

static void write_pid(const char *path, pid_t pid)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "%d\n", (int)pid);
	for (int line = 0; line < 7; line++) /* some servers write more into it */
		fprintf(f, "/srv/a/folder/of/a/server\n");
	assert_int_equal(fclose(f), 0);
}

static const struct agent_config *configure(struct arena *arena, const char *dir)
{
	char text[1024];
	const struct agent_config *c;
	text_format(text, sizeof text,
	    "host: h1\nstate_directory: %s/state\nservices:\n  svc:\n    probes:\n"
	    "      - { name: daemon, process: { pid_file: %s/pid } }\n",
	    dir, dir);
	struct err err = ERR_INIT;
	if (agent_config_parse("agent.yaml", text, strlen(text), arena, &c, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	return c;
}

static void its_end_is_an_event(void **state)
{
	(void)state;
	char dir[SCRATCH_PATH], path[SCRATCH_PATH + 8];
	struct arena *arena = arena_new(0);
	struct seen s = {0};
	struct pidwatch *w;
	struct err err = ERR_INIT;
	scratch_make(dir);
	text_format(path, sizeof path, "%s/pid", dir);
	const struct agent_config *c = configure(arena, dir);
	assert_int_equal(loop_new(&s.loop, &err), ERR_OK);
	assert_int_equal(pidwatch_new(s.loop, c, on_died, &s, &w, &err), ERR_OK);
	pidwatch_tick(w, 1);
	assert_int_equal(pidwatch_count(w), 0); /* it has not started yet */
	pid_t first = sleeper();
	write_pid(path, first);
	pidwatch_tick(w, 2);
	pidwatch_tick(w, 3);
	assert_int_equal(pidwatch_count(w), 1); /* once */
	uint64_t killed_ms = clock_mono_ms();
	assert_int_equal(kill(first, SIGKILL), 0);
	for (unsigned i = 0; !s.count && i < 20; i++)
		assert_int_equal(loop_turn(s.loop, 1000, &err), ERR_OK);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.pid, first);
	assert_string_equal(s.service, "svc");
	assert_string_equal(s.probe, "daemon");
	printf("known after %llu ms\n", (unsigned long long)(s.at_ms - killed_ms));
	assert_int_equal(waitpid(first, NULL, 0), first);
	pidwatch_tick(w, 4);
	assert_int_equal(pidwatch_count(w), 0); /* the file still names it, and it is gone */
	pid_t second = sleeper();
	write_pid(path, second);
	pidwatch_tick(w, 5);
	assert_int_equal(pidwatch_count(w), 1);
	pidwatch_free(w); /* and nobody hears of it any more */
	kill(second, SIGKILL);
	assert_int_equal(waitpid(second, NULL, 0), second);
	assert_int_equal(loop_turn(s.loop, 0, &err), ERR_OK);
	assert_int_equal(s.count, 1);
	loop_free(s.loop);
	arena_free(arena);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(its_end_is_an_event)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
