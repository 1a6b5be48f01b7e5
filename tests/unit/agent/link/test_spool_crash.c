/* kill -9 while the spool is being written: what was said to be durable is there, and nothing is half. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/random.h"
#include "tests/lib/scratch.h"
#include "tests/unit/agent/link/spool_check.h"

enum { ROUNDS = 100, LIMIT = 1 << 20 };

/* What the child has said, in memory that outlives it. */
struct said {
	_Atomic uint64_t next;         /* appended and durable */
	_Atomic uint64_t acknowledged; /* asked for: may be forgotten or not */
	_Atomic uint64_t appends;
};

static _Noreturn void child(const char *folder, struct said *said, uint64_t seed)
{
	struct spool *spool;
	struct random random;
	struct spool_state state;
	random_init_seed(&random, seed);
	if (spool_open(folder, LIMIT, &spool, &err) != ERR_OK)
		_exit(1);
	for (;;) {
		spool_state(spool, &state);
		if (random_below(&random, 40) == 0) {
			uint64_t through = state.first + random_below(&random, (state.next - state.first) / 2 + 1);
			atomic_store(&said->acknowledged, through);
			if (spool_acknowledge(spool, through, &err) != ERR_OK)
				_exit(2);
		}
		size_t size = random_below(&random, 30) ? random_below(&random, 400) : LINK_REPORT_TEXT;
		if (spool_add(spool, 1 + random_below(&random, 20), size, &random) != ERR_OK)
			_exit(3);
		spool_state(spool, &state);
		atomic_store(&said->next, state.next);
		atomic_fetch_add(&said->appends, 1);
	}
}

static void look(const char *folder, const struct said *said)
{
	struct spool *spool;
	struct spool_state state;
	ok(spool_open(folder, LIMIT, &spool, &err));
	spool_state(spool, &state);
	assert_true(state.next >= said->next);
	assert_true(state.next <= said->next + SPOOL_BATCH_MAX); /* one append may have been under way */
	assert_true(state.first <= said->acknowledged + 1 || state.first == 1);
	assert_true(state.bytes <= LIMIT);
	spool_check(spool);
	spool_close(spool);
}

static void nothing_is_lost_by_kill_9(void **state)
{
	char folder[SCRATCH_PATH];
	struct random random;
	struct said *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	(void)state;
	assert_true(said != MAP_FAILED);
	said->next = 1;
	random_init_seed(&random, 4);
	scratch_make(folder);
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = fork();
		int status;
		assert_true(pid >= 0);
		if (pid == 0)
			child(folder, said, (uint64_t)i);
		usleep((useconds_t)random_below(&random, 60000)); /* anywhere: opening, appending, forgetting */
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		look(folder, said);
	}
	print_message(
	    "%llu appends, %llu reports\n", (unsigned long long)said->appends, (unsigned long long)said->next - 1);
	assert_true(said->appends > ROUNDS / 2);
	scratch_remove(folder);
	munmap(said, sizeof(*said));
}

/* LMDB's own calls come here first. */
static unsigned synced;
int fdatasync(int fd)
{
	synced++;
	return (int)syscall(SYS_fdatasync, fd);
}

/* Power cuts cannot be had here; that every change is synced before it is said to be durable can be seen. */
static void every_change_is_synced(void **state)
{
	char folder[SCRATCH_PATH];
	struct random random;
	struct spool *spool;
	(void)state;
	random_init_seed(&random, 1);
	scratch_make(folder);
	ok(spool_open(folder, LIMIT, &spool, &err));
	for (uint64_t i = 1; i <= 10; i++) {
		unsigned before = synced;
		ok(spool_add(spool, SPOOL_BATCH_MAX, 20, &random));
		assert_int_equal(synced, before + 1); /* a whole batch in one */
		ok(spool_acknowledge(spool, i * SPOOL_BATCH_MAX / 2, &err));
		assert_int_equal(synced, before + 2);
	}
	spool_close(spool);
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_change_is_synced),
	    cmocka_unit_test(nothing_is_lost_by_kill_9),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
