/* What is LMDB's own: the lock, the map, readers, descriptors. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/store/internal.h"
#include "numbered.h"
#include "shared/base/clock.h"
#include "tests/lib/scratch.h"

static uint64_t fake_ms = 1000;
static uint64_t fake_mono(void)
{
	return fake_ms;
}

struct fixture {
	char folder[SCRATCH_PATH];
	struct store *store;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = ERR_INIT;
	scratch_make(f->folder);
	if (store_open(&(struct store_options){.folder = f->folder, .map_bytes = 1 << 20, .mono_ms = fake_mono},
		&f->store, &err))
		fail_msg("%s", err.msg);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	scratch_remove(f->folder);
	free(f);
	return 0;
}

static void a_second_instance_is_refused_with_the_holders_pid(void **state)
{
	struct fixture *f = *state;
	int p[2];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct store *s;
		struct err err = ERR_INIT;
		enum err_code rc = store_open(&(struct store_options){.folder = f->folder}, &s, &err);
		bool told = write(p[1], &err, sizeof(err)) == sizeof(err);
		_exit(rc == ERR_BUSY && told ? 0 : 1);
	}
	struct err err;
	int status;
	char holder[16];
	assert_int_equal(read(p[0], &err, sizeof(err)), sizeof(err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	snprintf(holder, sizeof(holder), "%d", (int)getpid());
	assert_non_null(strstr(err.msg, holder));
	close(p[0]);
	close(p[1]);
}

static void every_descriptor_is_closed_on_exec(void **state)
{
	(void)state;
	int seen = 0;
	for (int fd = 3; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD);
		char path[64], target[256];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		if (flags < 0 || n < 0)
			continue;
		target[n] = 0;
		if (!strstr(target, "/kedge-test-"))
			continue;
		seen++;
		if (!(flags & FD_CLOEXEC))
			fail_msg("%s would be open in every program that is started", target);
	}
	assert_true(seen >= 3); /* lock, data, LMDB's lock */
}

static void a_view_that_stays_too_long_is_ended(void **state)
{
	struct fixture *f = *state;
	struct store_view *view;
	struct store_stats stats;
	struct bytes value;
	bool found;
	struct err err = ERR_INIT;
	assert_int_equal(store_view_open(f->store, "api", &view, NULL), ERR_OK);
	const struct turn_view *v = store_view_turn(view);
	fake_ms += STORE_VIEW_LIMIT_MS;
	store_check(f->store, &stats);
	assert_int_equal(stats.views, 1);
	assert_int_equal(stats.oldest_view_ms, STORE_VIEW_LIMIT_MS);
	assert_int_equal(v->get(v->ctx, (struct bytes){(const uint8_t *)"k", 1}, &value, &found, &err), ERR_OK);
	fake_ms++;
	store_check(f->store, &stats);
	assert_int_equal(v->get(v->ctx, (struct bytes){(const uint8_t *)"k", 1}, &value, &found, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.msg, "api"));
	assert_int_equal(v->seek(v->ctx, (struct bytes){0}, SEEK_AFTER, &value, &value, &found, &err), ERR_TIMEOUT);
	store_view_close(view);
	store_check(f->store, &stats);
	assert_int_equal(stats.views, 0);
}

static void enough_commits(struct fixture *f, uint64_t *i, uint64_t count)
{
	struct err err = ERR_INIT;
	for (uint64_t end = *i + count; *i < end; ++*i)
		if (numbered_commit(f->store, *i + 1, &err) != ERR_OK)
			fail_msg("%s", err.msg);
}

/* Readers of a process that was killed keep pages from being used again until they are cleared. */
static void readers_of_killed_processes_are_cleared(void **state)
{
	struct fixture *f = *state;
	int data[2], go[2];
	uint64_t i = 0;
	assert_int_equal(pipe2(data, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	store_close(f->store);
	pid_t pid = fork(); /* before this process opens it again */
	if (pid == 0) {
		char c;
		close(data[0]);
		if (read(go[0], &c, 1) == 1)
			(void)!lmdb_copy_folder(
			    f->folder, data[1], NULL); /* nobody empties the pipe: stands still with its reader */
		_exit(0);
	}
	assert_int_equal(
	    store_open(&(struct store_options){.folder = f->folder, .map_bytes = 1 << 20}, &f->store, NULL), ERR_OK);
	enough_commits(f, &i, 60);
	char byte;
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(read(data[0], &byte, 1), 1);
	struct store_stats stats;
	store_check(f->store, &stats);
	assert_int_equal(stats.dead_readers, 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	store_check(f->store, &stats);
	assert_int_equal(stats.dead_readers, 1);
	for (int k = 0; k < 2; k++) {
		close(data[k]);
		close(go[k]);
	}
}

/* A map that is full waits for readers, tells them to end, and grows. */
struct reader {
	struct store *store;
	atomic_bool open, told;
};

static void *read_until_told(void *arg)
{
	struct reader *r = arg;
	struct store_view *view;
	if (store_view_open(r->store, "analyst", &view, NULL) != ERR_OK)
		abort();
	atomic_store(&r->open, true);
	const struct turn_view *v = store_view_turn(view);
	struct bytes value;
	bool found;
	while (v->get(v->ctx, (struct bytes){(const uint8_t *)"n", 1}, &value, &found, NULL) == ERR_OK)
		sched_yield();
	atomic_store(&r->told, true);
	store_view_close(view);
	return NULL;
}

static void a_full_map_grows_when_its_readers_have_ended(void **state)
{
	struct fixture *f = *state;
	struct reader r = {.store = f->store};
	pthread_t thread;
	uint64_t i = 0;
	struct store_stats stats;
	assert_int_equal(pthread_create(&thread, NULL, read_until_told, &r), 0);
	while (!atomic_load(&r.open))
		sched_yield();
	while (!atomic_load(&r.told) && i < 10000) /* pinned pages fill the map of 1 MiB */
		enough_commits(f, &i, 1);
	pthread_join(thread, NULL);
	store_check(f->store, &stats);
	assert_true(atomic_load(&r.told) && stats.grown >= 1 && stats.map_bytes > 1 << 20);
	assert_int_equal(numbered_check(f->store), i);
}

static void what_is_not_a_store_is_said_so(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct err err = ERR_INIT;
	store_close(f->store);
	snprintf(path, sizeof(path), "%s/data.mdb", f->folder);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	for (int i = 0; i < 10000; i++)
		fputs("not a store ", file);
	fclose(file);
	assert_int_equal(store_open(&(struct store_options){.folder = f->folder}, &f->store, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "restore a backup"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_open(&(struct store_options){.folder = f->folder}, &f->store, &err), ERR_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_second_instance_is_refused_with_the_holders_pid),
	    CASE(every_descriptor_is_closed_on_exec),
	    CASE(a_view_that_stays_too_long_is_ended),
	    CASE(readers_of_killed_processes_are_cleared),
	    CASE(a_full_map_grows_when_its_readers_have_ended),
	    CASE(what_is_not_a_store_is_said_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
