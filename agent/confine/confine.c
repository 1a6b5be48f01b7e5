#include "agent/confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

/* ---- the list ---- */

static const int everybody[] = {
    /* the descriptors that are open */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(lseek),
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

static const struct {
	unsigned need;
	int call;
} needed[] = {
    {CONFINE_STORE, SCMP_SYS(preadv)},
    {CONFINE_STORE, SCMP_SYS(pwrite64)},
    {CONFINE_STORE, SCMP_SYS(pwritev)},
    {CONFINE_STORE, SCMP_SYS(fdatasync)},
    {CONFINE_STORE, SCMP_SYS(fsync)},
    {CONFINE_STORE, SCMP_SYS(fallocate)},
    {CONFINE_LOOK, SCMP_SYS(access)},
    {CONFINE_LOOK, SCMP_SYS(faccessat)},
    {CONFINE_LOOK, SCMP_SYS(getdents64)},
    {CONFINE_LOOK, SCMP_SYS(readlink)},
    {CONFINE_LOOK, SCMP_SYS(readlinkat)},
    {CONFINE_LOOK, SCMP_SYS(getcwd)},
    {CONFINE_LOOK, SCMP_SYS(fadvise64)},
    {CONFINE_PIPES, SCMP_SYS(pipe2)},
    {CONFINE_PIPES, SCMP_SYS(eventfd2)},
    {CONFINE_PIPES, SCMP_SYS(socketpair)},
    {CONFINE_ROUTES, SCMP_SYS(bind)},
};

/* With a condition on one argument: its bits under mask must be value.  Several rules of one call: any of them. */
static const struct rule {
	int call;
	unsigned argument;
	uint64_t mask, value;
	int refusal; /* 0: allowed; else it fails with this, whatever a breach does */
} conditional[] = {
    /* Reading only.  What is missing, or not everybody's to read, fails as always. */
    {SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY, 0},
    {SCMP_SYS(open), 1, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY, 0},
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_INET, 0},
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_INET6, 0},
    /* The resolver asks for caches, and does without: no service of this host is talked to. */
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_UNIX, EAFNOSUPPORT},
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

static int add_rule(scmp_filter_ctx filter, const struct rule *r, enum confine_breach breach)
{
	uint32_t action = r->refusal ? SCMP_ACT_ERRNO((uint32_t)r->refusal) : SCMP_ACT_ALLOW;
	struct scmp_arg_cmp condition = {
	    .arg = r->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = r->mask, .datum_b = r->value};
	if (r->refusal == EPERM && breach == CONFINE_FAIL)
		return 0; /* what becomes of it anyway; the library takes no rule for that */
	return seccomp_rule_add_array(filter, action, r->call, r->mask ? 1 : 0, &condition);
}

static int add_rules(scmp_filter_ctx filter, unsigned needs, enum confine_breach breach)
{
	const struct rule routes = {
	    SCMP_SYS(socket), 0, UINT64_MAX, AF_NETLINK, needs & CONFINE_ROUTES ? 0 : EAFNOSUPPORT};
	const struct rule abort_only = {SCMP_SYS(tgkill), 0, UINT64_MAX, (uint64_t)getpid(), 0};
	int rc = 0;
	for (size_t i = 0; !rc && i < sizeof everybody / sizeof everybody[0]; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, everybody[i], 0);
	for (size_t i = 0; !rc && i < sizeof needed / sizeof needed[0]; i++)
		if (needs & needed[i].need)
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, needed[i].call, 0);
	for (size_t i = 0; !rc && i < sizeof conditional / sizeof conditional[0]; i++)
		rc = add_rule(filter, &conditional[i], breach);
	if (!rc)
		rc = add_rule(filter, &routes, breach);
	return rc ? rc : add_rule(filter, &abort_only, breach);
}

/* ---- a breach ---- */

/* Async-signal-safe: says the number, and lets the signal have its way. */
static void on_sigsys(int signo, siginfo_t *info, void *context)
{
	char line[64] = "confined: system call ";
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

static const uint32_t actions[] = {
    [CONFINE_FAIL] = SCMP_ACT_ERRNO(EPERM), [CONFINE_KILL] = SCMP_ACT_KILL_PROCESS, [CONFINE_SAY] = SCMP_ACT_TRAP};

static enum err_code load_filter(unsigned needs, enum confine_breach breach, struct err *reterr)
{
	struct sigaction say = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
	if (breach == CONFINE_SAY && sigaction(SIGSYS, &say, NULL) != 0)
		return err_sys(reterr, errno, "a handler for SIGSYS");
	scmp_filter_ctx filter = seccomp_init(actions[breach]);
	if (!filter)
		return err_set(reterr, ERR_NOMEM, "out of memory for a list of system calls");
	int rc = add_rules(filter, needs, breach);
	if (!rc)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc ? err_sys(reterr, -rc, "the list of allowed system calls") : ERR_OK;
}

enum err_code confine(unsigned needs, enum confine_breach breach, struct err *reterr)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
	if (syscall(SYS_capset, &header, none) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_sys(reterr, errno, "give up privileges");
	/* A change of user has reset these two. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return err_sys(reterr, errno, "protect the process");
	return load_filter(needs, breach, reterr);
}
