#include "agent/io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/random.h"
#include "shared/base/text.h"

#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
static const char *const default_environment[] = {"PATH=" SYSTEM_PATH, "LANG=C.UTF-8", "HOME=/", NULL};

/* What the child needs, made ready before the fork: afterwards only async-signal-safe calls are allowed. */
struct plan {
	char path[PATH_MAX];
	const char *environment[PROCESS_ENV_MAX + 2];
	int input, output, errors, report; /* report: where the child tells why it could not exec */
	const struct process_spec *spec;
};

/* ---- before the fork ---- */

static const char *environment_path(const char *const *environment)
{
	for (; *environment; environment++)
		if (text_starts(*environment, "PATH="))
			return *environment + 5;
	return SYSTEM_PATH;
}

/* As execvp would look: each folder of PATH in turn. */
static enum err_code find_program(const char *name, const char *path, char out[PATH_MAX], struct err *reterr)
{
	if (strchr(name, '/'))
		return text_format(out, PATH_MAX, "%s", name)
			   ? ERR_OK
			   : err_set(reterr, ERR_INVALID, "a program's path is too long");
	while (*path) {
		size_t size = strcspn(path, ":");
		if (size > 0 && text_format(out, PATH_MAX, "%.*s/%s", (int)size, path, name) && access(out, X_OK) == 0)
			return ERR_OK;
		path += size + (path[size] == ':');
	}
	return err_set(reterr, ERR_NOT_FOUND, "%s is not in the search path: install it, or give its whole path", name);
}

static enum err_code plan_program(struct plan *p, const struct process_spec *spec, char *mark, struct err *reterr)
{
	const char *const *given = spec->environment ? spec->environment : default_environment;
	size_t count = 0;
	if (!spec->argv || !spec->argv[0] || !spec->argv[0][0])
		return err_set(reterr, ERR_INVALID, "no program is named");
	for (; given[count]; count++) {
		if (count == PROCESS_ENV_MAX)
			return err_set(reterr, ERR_LIMIT, "more than %d environment entries", PROCESS_ENV_MAX);
		p->environment[count] = given[count];
	}
	struct random random;
	random_init_system(&random);
	if (!text_format(mark, SPAWN_MARK_MAX, SPAWN_MARK_NAME "%016llx", (unsigned long long)random_u64(&random)))
		return err_set(reterr, ERR_INTERNAL, "a process's mark does not fit");
	p->environment[count++] = mark;
	p->environment[count] = NULL;
	p->spec = spec;
	return find_program(spec->argv[0], environment_path(given), p->path, reterr);
}

/* Standard input: /dev/null, or a memory file so that no writer is needed. */
static enum err_code open_input(struct bytes input, int *ret, struct err *reterr)
{
	CLEANUP(cleanup_fd)
	int fd = input.size ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "cannot open standard input for a program");
	for (size_t at = 0; at < input.size;) {
		ssize_t n = write(fd, input.data + at, input.size - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(reterr, n < 0 ? errno : EIO, "cannot prepare standard input for a program");
		at += (size_t)n;
	}
	if (input.size && lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(reterr, errno, "cannot rewind standard input for a program");
	*ret = TAKE_FD(fd);
	return ERR_OK;
}

static enum err_code open_pipe(int *ret_read, int *ret_write, struct err *reterr)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(reterr, errno, "cannot make a pipe");
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
		int saved = errno;
		close(ends[0]);
		close(ends[1]);
		return err_sys(reterr, saved, "cannot set up a pipe");
	}
	*ret_read = ends[0];
	*ret_write = ends[1];
	return ERR_OK;
}

/* ---- in the child ---- */

static void reset_signals(void)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &plain, NULL);
	sigset_t none;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The raw calls: glibc's would try to change every thread of the parent's image. */
static int become(uid_t uid, gid_t gid)
{
	if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		return -1;
	if (syscall(SYS_setresgid, gid, gid, gid) < 0)
		return -1;
	return syscall(SYS_setresuid, uid, uid, uid) < 0 ? -1 : 0;
}

/* The descriptors are above 2 (lift() saw to it), so that no dup2 overwrites one that is still needed. */
static int settle(const struct plan *p)
{
	if (dup2(p->input, 0) < 0 || dup2(p->output, 1) < 0 || dup2(p->errors, 2) < 0)
		return -1;
	return close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
}

__attribute__((noreturn)) static void run_program(const struct plan *p)
{
	const struct process_spec *spec = p->spec;
	(void)setsid();
	reset_signals();
	if (settle(p) == 0 && chdir(spec->directory ? spec->directory : "/") == 0 &&
	    (!spec->set_user || become(spec->uid, spec->gid) == 0)) {
		if (!spec->leave_descendants) /* a probe does not outlive its keeper; a service's start step may */
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execve(p->path, (char *const *)(uintptr_t)spec->argv, (char *const *)(uintptr_t)p->environment);
	}
	int why = errno;
	ssize_t n = write(p->report, &why, sizeof why);
	(void)n;
	_exit(127);
}

/* ---- around the fork ---- */

/* Move *fd above 2: a parent that was started with a closed standard descriptor may have got one of those. */
static int lift(int *fd)
{
	if (*fd > 2)
		return 0;
	int higher = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (higher < 0)
		return -1;
	close(*fd);
	*fd = higher;
	return 0;
}

/* What execve said; 0: it went well, and the pipe closed by itself. */
static int await_exec(int fd)
{
	int why = 0;
	ssize_t n;
	do
		n = read(fd, &why, sizeof why);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof why ? why : 0;
}

static enum err_code fork_program(struct plan *p, int report_read, pid_t *ret, struct err *reterr)
{
	if (lift(&p->input) < 0 || lift(&p->output) < 0 || lift(&p->errors) < 0 || lift(&p->report) < 0)
		return err_sys(reterr, errno, "cannot set up descriptors for %s", p->path);
	sigset_t all, before;
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
	pid_t pid = fork();
	if (pid == 0)
		run_program(p);
	int saved = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return err_sys(reterr, saved, "cannot fork for %s", p->path);
	close(p->report);
	p->report = -1;
	int why = await_exec(report_read);
	if (why != 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return err_sys(reterr, why, "cannot run %s", p->path);
	}
	*ret = pid;
	return ERR_OK;
}

/* Opens p's ends for the program and s's ends for us. */
typedef enum err_code (*open_fn)(
    const struct process_spec *spec, struct plan *p, struct spawned *s, struct err *reterr);

static enum err_code open_pipes(const struct process_spec *spec, struct plan *p, struct spawned *s, struct err *reterr)
{
	enum err_code rc = open_input(spec->input, &p->input, reterr);
	if (rc == ERR_OK)
		rc = open_pipe(&s->output, &p->output, reterr);
	if (rc == ERR_OK && !spec->merge_errors)
		rc = open_pipe(&s->errors, &p->errors, reterr);
	if (rc == ERR_OK && spec->merge_errors && (p->errors = fcntl(p->output, F_DUPFD_CLOEXEC, 3)) < 0)
		rc = err_sys(reterr, errno, "cannot set up descriptors for %s", p->path);
	return rc;
}

static enum err_code open_socket(const struct process_spec *spec, struct plan *p, struct spawned *s, struct err *reterr)
{
	(void)spec;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(reterr, errno, "cannot make a socket for %s", p->path);
	s->output = ends[0];
	p->input = ends[1];
	p->output = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
	p->errors = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
	if (p->output < 0 || p->errors < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return err_sys(reterr, errno, "cannot set up descriptors for %s", p->path);
	return ERR_OK;
}

static enum err_code spawn(const struct process_spec *spec, open_fn open_ends, struct spawned *ret, struct err *reterr)
{
	struct plan p = {.input = -1, .output = -1, .errors = -1, .report = -1};
	struct spawned s = {.output = -1, .errors = -1};
	CLEANUP(cleanup_fd) int report_read = -1;
	enum err_code rc = plan_program(&p, spec, s.mark, reterr);
	if (rc == ERR_OK)
		rc = open_ends(spec, &p, &s, reterr);
	if (rc == ERR_OK)
		rc = open_pipe(&report_read, &p.report, reterr);
	if (rc == ERR_OK && fcntl(report_read, F_SETFL, 0) < 0)
		rc = err_sys(reterr, errno, "cannot set up descriptors for %s", p.path);
	if (rc == ERR_OK)
		rc = fork_program(&p, report_read, &s.pid, reterr);
	for (size_t i = 0; i < 4; i++)
		cleanup_fd((int *[]){&p.input, &p.output, &p.errors, &p.report}[i]);
	if (rc != ERR_OK) {
		cleanup_fd(&s.output);
		cleanup_fd(&s.errors);
		return rc;
	}
	*ret = s;
	return ERR_OK;
}

enum err_code spawn_program(const struct process_spec *spec, struct spawned *ret, struct err *reterr)
{
	return spawn(spec, open_pipes, ret, reterr);
}

enum err_code spawn_talk(const struct process_spec *spec, struct spawned *ret, struct err *reterr)
{
	return spawn(spec, open_socket, ret, reterr);
}

enum err_code spawn_call(int (*fn)(const void *arg), const void *arg, struct spawned *ret, struct err *reterr)
{
	struct spawned s = {.output = -1, .errors = -1};
	CLEANUP(cleanup_fd) int output = -1;
	enum err_code rc = open_pipe(&s.output, &output, reterr);
	if (rc != ERR_OK)
		return rc;
	sigset_t all, before;
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	s.pid = fork();
	if (s.pid == 0) {
		(void)setsid();
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		reset_signals();
		if (dup2(output, 1) < 0 || close_range(3, ~0u, 0) < 0)
			_exit(127);
		_exit(fn(arg));
	}
	int saved = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (s.pid < 0) {
		close(s.output);
		return err_sys(reterr, saved, "cannot fork");
	}
	*ret = s;
	return ERR_OK;
}
