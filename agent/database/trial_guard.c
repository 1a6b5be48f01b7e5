/* See trial_guard.h. */
#include "agent/database/trial_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

enum { WORD_OVER = 'o' };

__attribute__((noreturn)) static void watch(int fd, void (*end)(void *ctx), void *ctx)
{
	char word = 0;
	ssize_t n;
	(void)setsid();
	(void)signal(SIGTERM, SIG_IGN); /* whoever ends the agent must not end this: it will see that it is alone */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	do
		n = read(fd, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1 || word != WORD_OVER)
		end(ctx);
	_exit(0);
}

enum err_code trial_guard_start(struct trial_guard *ret, void (*end)(void *ctx), void *ctx, struct err *reterr)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(reterr, errno, "cannot make a pipe for the guard of a trial");
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		watch(ends[0], end, ctx);
	}
	int code = errno;
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return err_sys(reterr, code, "cannot start the guard of a trial");
	}
	*ret = (struct trial_guard){ends[1], pid};
	return ERR_OK;
}

void trial_guard_over(struct trial_guard *g)
{
	char word = WORD_OVER;
	(void)!write(g->fd, &word, 1);
	close(TAKE_FD(g->fd));
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
