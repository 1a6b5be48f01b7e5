/* agent/io/spawn.h: fork, and exec or call, with exactly the descriptors, user and environment that were asked for.
 * Private to agent/io.  Any thread. */
#ifndef KEDGE_AGENT_IO_SPAWN_H
#define KEDGE_AGENT_IO_SPAWN_H

#include "agent/io/process.h"

enum { SPAWN_MARK_MAX = 40 };
#define SPAWN_MARK_NAME "KEDGE_PROCESS="

struct spawned {
	pid_t pid;
	int output, errors;        /* read ends, non-blocking; errors is -1 when merged or for a call */
	char mark[SPAWN_MARK_MAX]; /* the environment entry that its descendants carry; "" for a call */
};

ERR_CHECK enum err_code spawn_program(const struct process_spec *spec, struct spawned *ret, struct err *reterr);
/* Its standard input, output and errors are one socket, whose other end is ret->output (both ways, non-blocking). */
ERR_CHECK enum err_code spawn_talk(const struct process_spec *spec, struct spawned *ret, struct err *reterr);
ERR_CHECK enum err_code spawn_call(
    int (*fn)(const void *arg), const void *arg, struct spawned *ret, struct err *reterr);

/* SIGKILL to the process group of pid, and to every process that is in its session, descends from it, or carries the
 * mark. */
void kill_tree(pid_t pid, const char *mark);

#endif
