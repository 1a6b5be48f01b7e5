#include "agent/bucket/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int allowed[] = {
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
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(getdents64),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(fadvise64),
    /* connections, and the resolver */
    SCMP_SYS(connect),
    SCMP_SYS(bind),
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
    SCMP_SYS(socketpair),
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
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* With a condition on one argument: its bits under mask must be value. */
static const struct {
	int call;
	unsigned argument;
	uint64_t mask, value;
} conditional[] = {
    /* Reading only. */
    {SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY},
    {SCMP_SYS(open), 1, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY},
    /* To the network, and the resolver's questions about addresses; to no service of this host. */
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_INET},
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_INET6},
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_NETLINK},
    /* No code is ever added. */
    {SCMP_SYS(mmap), 2, PROT_EXEC, 0},
    {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
    /* Threads, no processes. */
    {SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD},
    {SCMP_SYS(prlimit64), 2, UINT64_MAX, 0}, /* asking */
    {SCMP_SYS(prctl), 0, UINT64_MAX, PR_SET_NAME},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_GETFL},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_SETFL},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_GETFD},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_SETFD},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_DUPFD_CLOEXEC},
    {SCMP_SYS(ioctl), 1, UINT64_MAX, FIONREAD},
    {SCMP_SYS(ioctl), 1, UINT64_MAX, FIONBIO},
};

static int add_rules(scmp_filter_ctx filter)
{
	/* What clone3 is asked for cannot be seen from here: with this answer the library falls back to clone. */
	int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	for (size_t i = 0; !rc && i < sizeof allowed / sizeof allowed[0]; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; !rc && i < sizeof conditional / sizeof conditional[0]; i++) {
		struct scmp_arg_cmp condition = {.arg = conditional[i].argument,
		    .op = SCMP_CMP_MASKED_EQ,
		    .datum_a = conditional[i].mask,
		    .datum_b = conditional[i].value};
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, conditional[i].call, 1, &condition);
	}
	return rc;
}

static enum err_code load_filter(struct err *reterr)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return err_set(reterr, ERR_NOMEM, "out of memory for a list of system calls");
	int rc = add_rules(filter);
	if (!rc)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc ? err_sys(reterr, -rc, "the list of allowed system calls") : ERR_OK;
}

enum err_code confine(struct err *reterr)
{
	static const struct rlimit none = {0, 0};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct nothing[_LINUX_CAPABILITY_U32S_3] = {{0}};
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0 ||
	    syscall(SYS_capset, &header, nothing) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return err_sys(reterr, errno, "give up privileges");
	return load_filter(reterr);
}
