#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "agent/io/spawn.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum {
	PASSES = 3,             /* a tree that forks while it is being killed is looked at again */
	ENVIRON_MAX = 64 << 10, /* bytes of a process's environment that are searched for the mark */
};

struct victims {
	pid_t pids[PROCESS_TREE_MAX]; /* already signalled, or the leader: children of these are ours too */
	size_t count;
};

static bool known(const struct victims *v, pid_t pid)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->pids[i] == pid)
			return true;
	return false;
}

/* Up to size - 1 bytes of /proc/PID/NAME; 0 when it is gone. */
static size_t read_proc(pid_t pid, const char *name, char *out, size_t size)
{
	char path[64];
	if (!text_format(path, sizeof path, "/proc/%d/%s", (int)pid, name))
		return 0;
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	while (fd >= 0 && got < size - 1) {
		ssize_t n = read(fd, out + got, size - 1 - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	out[got] = '\0';
	return got;
}

/* "PID (name) S PPID PGRP SESSION …": the name may hold anything, so the fields are found from the last ')'. */
static bool read_kin(pid_t pid, pid_t *ret_parent, pid_t *ret_session)
{
	char stat[512];
	if (read_proc(pid, "stat", stat, sizeof stat) == 0)
		return false;
	const char *end = strrchr(stat, ')');
	int parent, group, session;
	if (!end || sscanf(end + 1, " %*c %d %d %d", &parent, &group, &session) != 3)
		return false;
	*ret_parent = parent;
	*ret_session = session;
	return true;
}

static bool carries_mark(pid_t pid, const char *mark)
{
	if (!mark[0])
		return false;
	CLEANUP(cleanup_free) char *environment = malloc(ENVIRON_MAX);
	size_t size = environment ? read_proc(pid, "environ", environment, ENVIRON_MAX) : 0;
	return size && memmem(environment, size, mark, strlen(mark)) != NULL;
}

/* The descriptor pins the process before it is looked at: a number that is given to somebody else meanwhile is not hit.
 */
static bool strike(struct victims *v, pid_t pid, pid_t leader, const char *mark)
{
	CLEANUP(cleanup_fd) int fd = pidfd_open(pid, 0);
	pid_t parent, session;
	if (fd < 0 || !read_kin(pid, &parent, &session))
		return false;
	if (session != leader && !known(v, parent) && !carries_mark(pid, mark))
		return false;
	if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0)
		return false;
	if (v->count < PROCESS_TREE_MAX)
		v->pids[v->count++] = pid;
	return true;
}

static bool one_pass(struct victims *v, pid_t leader, const char *mark)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir("/proc");
	bool found = false;
	if (!dir)
		return false;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 1 && pid != getpid() && !known(v, pid) && strike(v, pid, leader, mark))
			found = true;
	}
	return found;
}

void kill_tree(pid_t pid, const char *mark)
{
	CLEANUP(cleanup_free) struct victims *v = malloc(sizeof *v);
	if (v) {
		v->count = 1;
		v->pids[0] = pid;
		for (int i = 0; i < PASSES && one_pass(v, pid, mark); i++)
			;
	}
	(void)kill(-pid, SIGKILL);
	(void)kill(pid, SIGKILL);
}
