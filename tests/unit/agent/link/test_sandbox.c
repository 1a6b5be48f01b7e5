/* What a link process can still do, and what ends it. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/link/limits.h"
#include "agent/link/sandbox.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

enum { NOBODY = 65534, ENTERED = 3 };

static char folder[SCRATCH_PATH], file[128];

static void enter(bool say_which)
{
	struct err err = ERR_INIT;
	if (sandbox_prepare(ENTERED, &err) != ERR_OK ||
	    (geteuid() == 0 && sandbox_become(NOBODY, NOBODY, &err) != ERR_OK) ||
	    sandbox_enter(say_which, &err) != ERR_OK) {
		fprintf(stderr, "%s\n", err.msg);
		_exit(99);
	}
}

/* The exit status of a process that entered the sandbox and did it; 128 + signal if it was killed. */
static int status_of(int (*act)(void), bool say_which, int error_fd)
{
	pid_t pid = fork();
	int status;
	assert_true(pid >= 0);
	if (pid == 0) {
		if (error_fd >= 0)
			dup2(error_fd, 2);
		enter(say_which);
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- forbidden ---- */

static int run_a_program(void)
{
	char *argv[] = {"true", NULL};
	return execv("/bin/true", argv);
}

static int make_a_process(void)
{
	return fork() == 0 ? 0 : 1;
}

static int open_for_writing(void)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC) < 0;
}

static int create_a_file(void)
{
	return open(file, O_RDONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
}

static int raw_packets(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) < 0;
}

static int debug_another(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) != 0;
}

static int kill_another(void)
{
	return kill(getppid(), SIGCONT);
}

static int remove_a_file(void)
{
	return unlink(file);
}

static int change_a_mode(void)
{
	return chmod(file, 0777);
}

static int become_another(void)
{
	return setuid(1);
}

static int listen_for_others(void)
{
	return listen(socket(AF_INET, SOCK_STREAM, 0), 1);
}

static int raise_a_limit(void)
{
	struct rlimit l = {1024, 1024};
	return setrlimit(RLIMIT_NOFILE, &l);
}

static int make_a_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static void what_is_forbidden_ends_it(void **state)
{
	static int (*const acts[])(void) = {run_a_program, make_a_process, open_for_writing, create_a_file, raw_packets,
	    debug_another, kill_another, remove_a_file, change_a_mode, become_another, listen_for_others, raise_a_limit,
	    make_a_namespace};
	(void)state;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		int status = status_of(acts[i], false, -1);
		if (status != 128 + SIGSYS)
			fail_msg("act %zu ended with %d", i, status);
	}
	assert_int_equal(access(file, F_OK), 0);
}

static void it_says_which_call_it_was(void **state)
{
	char line[256] = "", want[64];
	int pair[2];
	(void)state;
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(status_of(become_another, true, pair[1]), 128 + SIGSYS);
	close(pair[1]);
	assert_true(read(pair[0], line, sizeof(line) - 1) > 0);
	close(pair[0]);
	snprintf(want, sizeof(want), "confined: system call %d is not allowed\n", SYS_setuid);
	assert_string_equal(line, want);
}

/* ---- allowed, or refused without an end ---- */

static void *add_one(void *arg)
{
	++*(int *)arg;
	return NULL;
}

static int threads(void)
{
	pthread_t t;
	int n = 1;
	return pthread_create(&t, NULL, add_one, &n) || pthread_join(t, NULL) || n != 2;
}

static int names(void)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;
	if (getaddrinfo("localhost", NULL, &hints, &list) != 0)
		return 1;
	freeaddrinfo(list);
	hints.ai_flags = 0;
	(void)getaddrinfo("no-such-name.invalid", "443", &hints, &list); /* asks whoever is asked here */
	return 0;
}

static int sockets(void)
{
	int v4 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), v6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return v4 < 0 || (v6 < 0 && errno != EAFNOSUPPORT) || socket(AF_UNIX, SOCK_STREAM, 0) != -1 ||
	       errno != EAFNOSUPPORT || socket(AF_NETLINK, SOCK_RAW, 0) != -1 || errno != EAFNOSUPPORT;
}

static int no_new_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED || mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0 || errno != EPERM ||
	       mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static int reading(void)
{
	int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 1;
	close(fd);
	/* but not what only root may see */
	return open(file, O_RDONLY | O_CLOEXEC) != -1 && getuid() == NOBODY;
}

static int nothing_left_of_root(void)
{
	char line[256];
	int good = 0;
	FILE *f = fopen("/proc/thread-self/status", "re");
	if (!f)
		return 1;
	while (fgets(line, sizeof(line), f)) {
		good += !strcmp(line, "CapEff:\t0000000000000000\n") || !strcmp(line, "CapPrm:\t0000000000000000\n") ||
			!strcmp(line, "NoNewPrivs:\t1\n") || !strcmp(line, "Seccomp:\t2\n");
	}
	fclose(f);
	return good != 4;
}

static int an_abort(void)
{
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void what_it_needs_works(void **state)
{
	static int (*const acts[])(void) = {threads, names, sockets, no_new_code, reading, nothing_left_of_root};
	(void)state;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		int status = status_of(acts[i], true, -1);
		if (status != 0)
			fail_msg("act %zu ended with %d", i, status);
	}
	assert_int_equal(status_of(an_abort, false, -1), 128 + SIGABRT);
}

static int only_standard_descriptors(void)
{
	for (int fd = 4; fd < 64; fd++) /* 3 is the channel's: it is kept */
		if (fcntl(fd, F_GETFD) != -1)
			return fd;
	struct rlimit core, files;
	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_NOFILE, &files);
	return core.rlim_max != 0 || files.rlim_max > LINK_DESCRIPTORS;
}

static void nothing_of_the_keeper_stays_open(void **state)
{
	int spare[5];
	(void)state;
	for (size_t i = 0; i < 5; i++)
		spare[i] = open("/dev/null", O_RDWR);
	assert_int_equal(status_of(only_standard_descriptors, true, -1), 0);
	for (size_t i = 0; i < 5; i++)
		close(spare[i]);
}

static void root_is_no_user_for_it(void **state)
{
	struct err err = ERR_INIT;
	(void)state;
	assert_int_equal(sandbox_become(0, NOBODY, &err), ERR_INVALID);
	assert_int_equal(sandbox_become(NOBODY, 0, &err), ERR_INVALID);
}

static int setup(void **state)
{
	(void)state;
	scratch_make(folder);
	snprintf(file, sizeof(file), "%s/secret", folder);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 || close(fd);
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_forbidden_ends_it),
	    cmocka_unit_test(it_says_which_call_it_was),
	    cmocka_unit_test(what_it_needs_works),
	    cmocka_unit_test(nothing_of_the_keeper_stays_open),
	    cmocka_unit_test(root_is_no_user_for_it),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
