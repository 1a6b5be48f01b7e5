#include "agent/link/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/confine/confine.h"
#include "agent/link/limits.h"

enum {
	HEAP_PIECE = 64 << 10, /* what is larger goes back to the kernel when it is freed */
};

static enum err_code limit(__rlimit_resource_t what, rlim_t most, struct err *reterr)
{
	struct rlimit now;
	if (getrlimit(what, &now) != 0)
		return err_sys(reterr, errno, "read a limit");
	struct rlimit want = {most, most};
	if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
		want.rlim_cur = want.rlim_max = now.rlim_max;
	return setrlimit(what, &want) == 0 ? ERR_OK : err_sys(reterr, errno, "set a limit");
}

enum err_code sandbox_prepare(int keep_fd, struct err *reterr)
{
	static const int ours[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2};
	unsigned keep = (unsigned)keep_fd;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		signal(ours[i], SIG_IGN); /* the keeper says when to stop */
	if ((keep > 3 && close_range(3, keep - 1, 0) != 0) || close_range(keep + 1, ~0u, 0) != 0)
		return err_sys(reterr, errno, "close what the keeper had open");
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, HEAP_PIECE);
	mallopt(M_TRIM_THRESHOLD, HEAP_PIECE);
	enum err_code rc = limit(RLIMIT_CORE, 0, reterr);
	return rc == ERR_OK ? limit(RLIMIT_NOFILE, LINK_DESCRIPTORS, reterr) : rc;
}

enum err_code sandbox_become(uid_t uid, gid_t gid, struct err *reterr)
{
	if (uid == 0 || gid == 0)
		return err_set(reterr, ERR_INVALID, "the link's user is root: set `user` in agent.yaml");
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
		return err_sys(reterr, errno, "become the link's user");
	if (setuid(0) == 0 || setgid(0) == 0)
		return err_set(reterr, ERR_INTERNAL, "the privileges of root came back");
	return ERR_OK;
}

enum err_code sandbox_enter(bool say_which, struct err *reterr)
{
	enum err_code rc = confine(CONFINE_STORE, say_which ? CONFINE_SAY : CONFINE_KILL, reterr);
	malloc_trim(0);
	return rc;
}
