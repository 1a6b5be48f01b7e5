#include "agent/link/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

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

/* ---- system calls ---- */

static const int allowed[] = {
    /* the descriptors that are open, the spool among them */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(lseek),
    SCMP_SYS(fdatasync),
    SCMP_SYS(fsync),
    SCMP_SYS(fallocate),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(close),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    /* connections, and the resolver */
    SCMP_SYS(connect),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(uname),
    /* memory, threads, time */
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(sysinfo),
    SCMP_SYS(restart_syscall),
    /* itself */
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* With conditions on one argument: its bits under mask must be value.  Several rules of one call: any of them. */
static const struct {
	int call;
	unsigned argument;
	uint64_t mask, value;
	int refusal; /* 0: allowed; else it fails with this */
} conditional[] = {
    /* Reading only; the resolver's files.  What is missing, or not everybody's to read, fails as always. */
    {SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY, 0},
    {SCMP_SYS(open), 1, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY, 0},
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_INET, 0},
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_INET6, 0},
    /* The resolver asks for caches and for our addresses, and does without. */
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_UNIX, EAFNOSUPPORT},
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_NETLINK, EAFNOSUPPORT},
    /* No code is ever added; a resolver module that would have to be loaded is done without. */
    {SCMP_SYS(mmap), 2, PROT_EXEC, 0, 0},
    {SCMP_SYS(mmap), 2, PROT_EXEC, PROT_EXEC, EPERM},
    {SCMP_SYS(mprotect), 2, PROT_EXEC, 0, 0},
    {SCMP_SYS(mprotect), 2, PROT_EXEC, PROT_EXEC, EPERM},
    /* Threads, no processes.  What clone3 is asked for cannot be seen from here: the library falls back to clone. */
    {SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD, 0},
    {SCMP_SYS(clone3), 0, 0, 0, ENOSYS},
    {SCMP_SYS(prlimit64), 2, UINT64_MAX, 0, 0}, /* asking */
    {SCMP_SYS(prctl), 0, UINT64_MAX, PR_SET_NAME, 0},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_GETFL, 0},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_SETFL, 0},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_GETFD, 0},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_SETFD, 0},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_DUPFD_CLOEXEC, 0},
    {SCMP_SYS(ioctl), 1, UINT64_MAX, FIONREAD, 0},
    {SCMP_SYS(ioctl), 1, UINT64_MAX, FIONBIO, 0},
    {SCMP_SYS(ioctl), 1, UINT64_MAX, TCGETS, 0},
};

static int add_rules(scmp_filter_ctx filter)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; !rc && i < sizeof(conditional) / sizeof(conditional[0]); i++) {
		uint32_t action =
		    conditional[i].refusal ? SCMP_ACT_ERRNO((uint32_t)conditional[i].refusal) : SCMP_ACT_ALLOW;
		struct scmp_arg_cmp condition = {.arg = conditional[i].argument,
		    .op = SCMP_CMP_MASKED_EQ,
		    .datum_a = conditional[i].mask,
		    .datum_b = conditional[i].value};
		rc = seccomp_rule_add_array(
		    filter, action, conditional[i].call, conditional[i].mask ? 1 : 0, &condition);
	}
	struct scmp_arg_cmp ourselves = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};
	if (!rc) /* abort() */
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &ourselves);
	return rc;
}

/* Async-signal-safe: says the number, and lets the signal have its way. */
static void on_sigsys(int signo, siginfo_t *info, void *context)
{
	char line[64] = "link: system call ";
	size_t n = strlen(line), digits = 1;
	unsigned call = (unsigned)info->si_syscall;
	(void)context;
	for (unsigned v = call; v >= 10; v /= 10)
		digits++;
	for (size_t i = digits; i-- > 0; call /= 10)
		line[n + i] = (char)('0' + call % 10);
	memcpy(line + n + digits, " is not allowed\n", 16);
	(void)!write(STDERR_FILENO, line, n + digits + 16);
	signal(signo, SIG_DFL);
	syscall(SYS_tgkill, getpid(), gettid(), signo); /* on return from here */
}

static enum err_code load_filter(bool say_which, struct err *reterr)
{
	struct sigaction say = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
	if (say_which && sigaction(SIGSYS, &say, NULL) != 0)
		return err_sys(reterr, errno, "a handler for SIGSYS");
	scmp_filter_ctx filter = seccomp_init(say_which ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return err_set(reterr, ERR_NOMEM, "out of memory for a list of system calls");
	int rc = add_rules(filter);
	if (!rc)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc ? err_sys(reterr, -rc, "the list of allowed system calls") : ERR_OK;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
	return (int)syscall(SYS_capset, &header, none);
}

enum err_code sandbox_enter(bool say_which, struct err *reterr)
{
	if (drop_capabilities() != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_sys(reterr, errno, "give up privileges");
	/* A change of user has reset these two. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return err_sys(reterr, errno, "protect the process");
	enum err_code rc = load_filter(say_which, reterr);
	malloc_trim(0);
	return rc;
}
