/* agent/io/process.h: run a program, with a deadline, and be sure that it ends.
 *
 * execve with an argv, never a shell; a process group of its own; standard input /dev/null or given bytes; the
 * environment is exactly what is given; no descriptor is inherited but 0, 1, 2; signals at their defaults.  At the
 * deadline the whole group and every process that descends from it (found by the tree and by a marker in the
 * environment) gets SIGKILL. Two forms: on a loop, and blocking.  Loop thread only, or any thread for process_run(). */
#ifndef KEDGE_AGENT_IO_PROCESS_H
#define KEDGE_AGENT_IO_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/io/loop.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"

enum {
	PROCESS_OUTPUT_MAX =
	    64 << 10, /* default cap of standard output and of standard error, each; the rest is read and dropped */
	PROCESS_ARGV_MAX = 256,
	PROCESS_ENV_MAX = 256,
	PROCESS_TREE_MAX = 4096, /* processes that one kill looks at */
};

enum process_end {
	PROCESS_EXITED,    /* code: 0 .. 255 */
	PROCESS_SIGNALLED, /* code: the signal */
	PROCESS_TIMED_OUT, /* killed at the deadline */
	PROCESS_CANCELLED, /* killed by process_cancel (blocking form: by *cancel) */
};

struct process_spec {
	const char *const *argv; /* NULL-ended; argv[0] is a path, or a name looked up in the environment's PATH */
	const char *const
	    *environment;      /* NULL-ended "K=V"; NULL: PATH of the system folders, LANG=C.UTF-8, HOME=/ only */
	const char *directory; /* NULL: / */
	uint64_t timeout_ms;   /* > 0 */
	size_t output_max;     /* 0: PROCESS_OUTPUT_MAX */
	struct bytes input;    /* for standard input; empty: /dev/null */
	bool set_user;         /* run as uid and gid, without supplementary groups */
	uid_t uid;
	gid_t gid;
	bool leave_descendants; /* a service's start step: what it left running stays when it itself ended in time */
	bool merge_errors;      /* standard error goes into output */
};

/* As this system user, when we are root; else as ourselves.  ERR_NOT_FOUND: there is none of that name. */
ERR_CHECK enum err_code process_become(struct process_spec *spec, const char *user, struct err *reterr);

struct process_result { /* valid during the callback, or until process_result_done() */
	enum process_end end;
	int code;
	uint64_t took_ms;
	struct buf output, errors;
	bool cut; /* more was written than kept */
};
void process_result_done(struct process_result *r);
/* "exit 2", "killed by signal 9", "timed out after 2 s" */
char *process_result_text(const struct process_result *r, char *out, size_t size_bytes);

struct process;
/* ERR_NOT_FOUND, ERR_DENIED …: the program could not be started (execve's own error, told at once).  done is called
 * exactly once, later, unless the process is cancelled. */
ERR_CHECK enum err_code process_start(struct loop *l, const struct process_spec *spec,
    void (*done)(void *ctx, const struct process_result *r), void *ctx, struct process **ret, struct err *reterr);
/* Kill and forget: done is not called.  The child is reaped in the background by the loop (or by process_cancel itself
 * if already dead). */
void process_cancel(struct process *p); /* NULL is a no-op */
pid_t process_pid(const struct process *p);

/* A function of ours in a short-lived child instead of a program (for calls that may hang in the kernel, such as
 * statvfs on a dead mount). fn runs in a forked child: only async-signal-safe calls; it writes to descriptor 1 and
 * returns the exit code. */
ERR_CHECK enum err_code process_start_call(struct loop *l, int (*fn)(const void *arg), const void *arg,
    uint64_t timeout_ms, void (*done)(void *ctx, const struct process_result *r), void *ctx, struct process **ret,
    struct err *reterr);

/* Blocking form.  *ret is filled on ERR_OK whatever the program's own end was.  cancel (NULL: none) is polled. */
ERR_CHECK enum err_code process_run(
    const struct process_spec *spec, const atomic_bool *cancel, struct process_result *ret, struct err *reterr);
/* As process_run, but anything except exit 0 is an error whose message holds the first line of what it said,
 * redacted. */
ERR_CHECK enum err_code process_run_ok(const struct process_spec *spec, struct buf *output, struct err *reterr);
/* The same of a program that talks much before it says what is wrong: the last line that holds one of the words
 * (NULL-ended; none does: the last line).  ERR_CANCELLED when *cancel (NULL: none) ended it. */
ERR_CHECK enum err_code process_run_long(const struct process_spec *spec, const atomic_bool *cancel,
    const char *const *words, struct buf *output, struct err *reterr);

#endif
