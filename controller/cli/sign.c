/* controller/cli/sign.c: ssh-keygen between two pipes. */
#include "controller/cli/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/cli/limits.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"

extern char **environ;

struct child {
	pid_t pid;
	int in, out; /* what we write to and read from */
};

static void child_done(struct child *c)
{
	cleanup_fd(&c->in);
	cleanup_fd(&c->out);
	if (c->pid > 0) { /* it did not end by itself */
		kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

static enum err_code start(const char *key_path, const char *name_space, struct child *c, struct err *reterr)
{
	const char *const argv[] = {"ssh-keygen", "-q", "-Y", "sign", "-n", name_space, "-f", key_path, NULL};
	int to[2], from[2];
	posix_spawn_file_actions_t actions;
	if (pipe2(to, O_CLOEXEC) != 0)
		return err_sys(reterr, errno, "a pipe to ssh-keygen");
	c->in = to[1];
	CLEANUP(cleanup_fd) int their_in = to[0];
	if (pipe2(from, O_CLOEXEC) != 0)
		return err_sys(reterr, errno, "a pipe from ssh-keygen");
	c->out = from[0];
	CLEANUP(cleanup_fd) int their_out = from[1];
	if (posix_spawn_file_actions_init(&actions) != 0)
		return err_set(reterr, ERR_NOMEM, "out of memory for ssh-keygen");
	posix_spawn_file_actions_adddup2(&actions, their_in, 0);
	posix_spawn_file_actions_adddup2(&actions, their_out, 1);
	int problem = posix_spawnp(&c->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (problem) {
		c->pid = 0;
		return err_sys(reterr, problem, "ssh-keygen (of OpenSSH 8.2 or later) cannot be started");
	}
	return ERR_OK;
}

static enum err_code read_all(const struct child *c, struct buf *out, struct err *reterr)
{
	uint64_t until = clock_mono_ms() + CLI_SIGN_TIMEOUT_MS;
	for (;;) {
		struct pollfd p = {.fd = c->out, .events = POLLIN};
		uint64_t now = clock_mono_ms();
		int ready = now < until ? poll(&p, 1, (int)(until - now)) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return err_set(
			    reterr, ERR_TIMEOUT, "ssh-keygen did not end within %d s", CLI_SIGN_TIMEOUT_MS / 1000);
		uint8_t *at = buf_reserve(out, 4096);
		ssize_t n = at ? read(c->out, at, 4096) : -1;
		if (!at || out->size > CLI_FILE_MAX)
			return err_set(reterr, ERR_LIMIT, "ssh-keygen says too much");
		if (n < 0 && errno != EINTR)
			return err_sys(reterr, errno, "reading from ssh-keygen");
		if (n == 0)
			return ERR_OK;
		out->size += n > 0 ? (size_t)n : 0;
	}
}

static enum err_code wait_for(struct child *c, const char *key_path, struct err *reterr)
{
	int status;
	while (waitpid(c->pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(reterr, errno, "waiting for ssh-keygen");
	c->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return ERR_OK;
	return err_set(reterr, ERR_DENIED, "ssh-keygen did not sign with %s", key_path);
}

enum err_code sign_with_ssh(
    const char *key_path, const char *name_space, const void *message, size_t size, struct buf *out, struct err *reterr)
{
	CLEANUP(child_done) struct child c = {.in = -1, .out = -1};
	if (access(key_path, R_OK) != 0)
		return err_sys(reterr, errno, "the key %s", key_path);
	enum err_code rc = start(key_path, name_space, &c, reterr);
	if (rc != ERR_OK)
		return rc;
	/* The message is far smaller than a pipe holds, so this cannot block; SIGPIPE is ignored by main(). */
	if ((rc = file_write_all(c.in, message, size, reterr)) != ERR_OK)
		return err_prefix(reterr, rc, "writing to ssh-keygen");
	cleanup_fd(&c.in);
	c.in = -1;
	rc = read_all(&c, out, reterr);
	return rc == ERR_OK ? wait_for(&c, key_path, reterr) : rc;
}
