/* Whether a database runs, on a host where somebody stands in a mount that answers no more. */
#include "tests/lib/unit.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include "agent/database/database.h"
#include "shared/base/text.h"
#include "tests/lib/hung_mount.h"
#include "tests/lib/scratch.h"

enum { CANNOT_MOUNT = 77, FOUND = 3, PATIENCE_S = 20 };

static char folder[SCRATCH_PATH], data[SCRATCH_PATH + 8], hung[SCRATCH_PATH + 8];

static bool runs(void)
{
	struct postgres_config pg = {.data_directory = data};
	struct component_config database = {.postgres = &pg};
	struct service_config service = {.name = "records", .components = {.database = &database}};
	return database_running(&service);
}

/* A process of this name that works there until its pipe is closed. */
static pid_t stand_in(int place, const char *name, int *ret_pipe)
{
	int end[2], ready[2];
	char byte;
	if (pipe2(end, O_CLOEXEC) != 0 || pipe2(ready, O_CLOEXEC) != 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		close(end[1]);
		prctl(PR_SET_NAME, name);
		(void)!write(ready[1], fchdir(place) == 0 ? "y" : "n", 1);
		(void)!read(end[0], &byte, 1);
		_exit(0);
	}
	close(end[0]);
	close(ready[1]);
	bool stands = read(ready[0], &byte, 1) == 1 && byte == 'y';
	close(ready[0]);
	*ret_pipe = end[1];
	return stands ? pid : -1;
}

static _Noreturn void look_beside_a_dead_mount(bool server_there_too)
{
	int ends[2];
	alarm(PATIENCE_S);
	int dead = hung_mount(hung), alive = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dead < 0 || stand_in(dead, "postgres", &ends[0]) < 0)
		_exit(CANNOT_MOUNT);
	if (server_there_too && stand_in(alive, "postgres", &ends[1]) < 0)
		_exit(1);
	_exit(runs() ? FOUND : 0);
}

static void test_a_dead_mount_holds_nobody_up(void **state)
{
	(void)state;
	for (int there = 0; there < 2; there++) {
		int status;
		pid_t pid = fork();
		if (pid == 0)
			look_beside_a_dead_mount(there);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_MOUNT)
			skip();
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), there ? FOUND : 0);
	}
}

static int setup(void **state)
{
	(void)state;
	scratch_make(folder);
	(void)text_format(data, sizeof data, "%s/data", folder);
	(void)text_format(hung, sizeof hung, "%s/hung", folder);
	return mkdir(data, 0700) != 0 || mkdir(hung, 0700) != 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(hung) != 0 || rmdir(data) != 0 || rmdir(folder) != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_dead_mount_holds_nobody_up)};
	return cmocka_run_group_tests_name("running", tests, setup, teardown);
}
