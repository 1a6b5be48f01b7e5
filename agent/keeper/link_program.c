/* agent/keeper/link_program.c: the link's process: our own descriptor of its program, what it inherits. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/keeper/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { PROGRAM_FD = LINK_CHANNEL_FD + 1, SPARE_FD = 16, STREAM_TEXT = 64 };

/* Opened once: a program that was replaced meanwhile, by an upgrade, is not begun beside a keeper of before. */
static enum err_code open_program(struct keeper *k, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (k->link_program >= 0)
		return ERR_OK;
	enum err_code rc = file_beside_program(LINK_PROGRAM, path, reterr);
	if (rc != ERR_OK)
		return rc;
	k->link_program = open(path, O_PATH | O_CLOEXEC);
	return k->link_program >= 0 ? ERR_OK : err_sys(reterr, errno, "%s, which speaks to the controller", path);
}

/* Descriptors 0 to 2 are the log's, 3 is the channel; the program's own is closed by execveat; no other. */
static bool arrange_descriptors(int fd, int program)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FD); /* out of the way of the numbers that are given */
	program = fcntl(program, F_DUPFD_CLOEXEC, SPARE_FD);
	return fd >= 0 && program >= 0 && dup2(fd, LINK_CHANNEL_FD) >= 0 && dup3(program, PROGRAM_FD, O_CLOEXEC) >= 0 &&
	       close_range(PROGRAM_FD + 1, ~0u, 0) == 0;
}

/* In the child: only async-signal-safe calls. */
static _Noreturn void become_link(int fd, int program, char *const *argv, char *const *environment, pid_t keeper)
{
	sigset_t none;
	sigemptyset(&none);
	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	signal(SIGTERM, SIG_IGN); /* the keeper says when */
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!arrange_descriptors(fd, program) || getppid() != keeper)
		_exit(126);
	execveat(PROGRAM_FD, "", argv, environment, AT_EMPTY_PATH);
	_exit(127);
}

enum err_code link_program_begin(
    struct keeper *k, const struct link_options *o, int channel_fd, pid_t *ret, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	char *argv[LINK_WORDS_COUNT + 2], stream[STREAM_TEXT];
	const char *journal =
	    getenv("JOURNAL_STREAM"); /* how lines of the log are to look; nothing else is its business */
	bool in_journal = journal && text_format(stream, sizeof stream, "JOURNAL_STREAM=%s", journal);
	char *environment[] = {in_journal ? stream : NULL, NULL};
	pid_t self = getpid();
	enum err_code rc = open_program(k, reterr);
	if (rc == ERR_OK)
		rc = arena ? link_options_words(o, arena, argv, reterr)
			   : err_set(reterr, ERR_NOMEM, "out of memory for the link");
	if (rc != ERR_OK)
		return rc;
	pid_t pid = fork();
	if (pid == 0)
		become_link(channel_fd, k->link_program, argv, environment, self);
	if (pid < 0)
		return err_sys(reterr, errno, "no process for the link");
	*ret = pid;
	return ERR_OK;
}
