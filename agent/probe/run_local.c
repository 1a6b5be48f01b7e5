/* Probes of this machine: exec, process, disk, folder, cpu, memory, age. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/io/pidfile.h"
#include "agent/probe/perfdata.h"
#include "agent/probe/run_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum {
	PROC_FILE_MAX = 64 << 10,
	CPU_SAMPLE_MS = 1000, /* the least time over which load is measured */
	UNKNOWN_RUNS =
	    3, /* of a check in a row before it is a state of the service: once may be the check's own trouble */
	PROCESSES_MAX = 1 << 16,    /* of one listing of /proc */
	DESCRIPTORS_MAX = 1 << 16,  /* counted in one run, of all processes together: some ten milliseconds */
	FOLDER_FILES_MAX = 1 << 20, /* of one folder that are looked at */
	/* Where a probe names no limit (percent). */
	CPU_WARN = 80,
	CPU_CRITICAL = 95,
	MEMORY_WARN = 85,
	MEMORY_CRITICAL = 95,
	DISK_WARN = 90,
	DISK_CRITICAL = 95,
};

static double either(double given, double otherwise)
{
	return given > 0 ? given : otherwise;
}

/* ---- exec ---- */

bool run_is_broken(const struct err *e)
{
	static const int why[] = {ENOENT, EACCES, ENOEXEC, ENOTDIR, EISDIR, ELOOP, EPERM};
	for (size_t i = 0; i < sizeof why / sizeof why[0]; i++)
		if (e->sys_errno == why[i])
			return true;
	return e->code == ERR_NOT_FOUND;
}

enum probe_state run_unable(const struct probe_run *r)
{
	return r->memory->answered ? PROBE_CRITICAL : PROBE_UNKNOWN;
}

/* 126 and 127 are a shell's words for what cannot be executed or is not there (POSIX, Exit Status for Commands). */
static bool has_crashed(const struct process_result *p)
{
	if (p->end == PROCESS_SIGNALLED)
		return p->code == SIGSEGV || p->code == SIGABRT || p->code == SIGBUS || p->code == SIGILL ||
		       p->code == SIGFPE;
	return p->end == PROCESS_EXITED && (p->code == 126 || p->code == 127);
}

/* A check that has known before and steadily does not any more: run.h. */
static void judge_silence(struct probe_run *r)
{
	struct probe_memory *m = r->memory;
	m->unknown = r->outcome.state == PROBE_UNKNOWN ? m->unknown + 1 : 0;
	if (!m->answered || m->unknown < UNKNOWN_RUNS)
		return;
	struct probe_outcome told = r->outcome;
	outcome_say(&r->outcome, PROBE_WARNING, "the check could tell before and cannot any more: %s", told.text);
}

static void judge_exit(struct probe_run *r, const struct process_result *p)
{
	static const enum probe_state states[] = {PROBE_OK, PROBE_WARNING, PROBE_CRITICAL, PROBE_UNKNOWN};
	char end[64];
	const struct buf *said = p->output.size ? &p->output : &p->errors;
	perfdata_parse(buf_str(said), said->size, &r->outcome);
	if (p->end == PROCESS_EXITED && p->code <= 3) {
		r->outcome.state = states[p->code];
		r->memory->answered = r->memory->answered || r->outcome.state == PROBE_OK;
		if (!r->outcome.text[0])
			outcome_say(&r->outcome, r->outcome.state, "%s", process_result_text(p, end, sizeof end));
		judge_silence(r);
		return;
	}
	struct probe_outcome told = r->outcome;
	enum probe_state state = p->end == PROCESS_TIMED_OUT ? PROBE_CRITICAL
				 : has_crashed(p)            ? run_unable(r)
							     : PROBE_UNKNOWN;
	outcome_say(
	    &r->outcome, state, "%s%s%s", process_result_text(p, end, sizeof end), told.text[0] ? ": " : "", told.text);
	judge_silence(r);
}

static void on_exec(void *ctx, const struct process_result *p)
{
	struct probe_run *r = ctx;
	r->process = NULL;
	judge_exit(r, p);
	run_finish(r);
}

enum err_code run_exec(struct probe_run *r, struct err *reterr)
{
	const char *argv[CONFIG_ARGV_MAX + 1];
	size_t count = r->config->exec.count;
	if (count > CONFIG_ARGV_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d arguments", CONFIG_ARGV_MAX);
	for (size_t i = 0; i < count; i++)
		argv[i] = LIST_AT(r->config->exec, const char *, i);
	argv[count] = NULL;
	uint64_t timeout = probe_timeout_ms(r->config);
	const struct process_spec spec = {.argv = argv, .timeout_ms = timeout};
	r->timed = true;
	loop_arm(r->deadline,
	    r->began_ms + timeout + PROBE_OVERDUE_MS / 2); /* the process has its own, and tells what it said so far */
	return process_start(r->env->loop, &spec, on_exec, r, &r->process, reterr);
}

/* ---- /proc ---- */

static enum err_code read_proc(const struct probe_run *r, const char *name, struct buf *out, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof path, "%s/%s", r->env->proc, name))
		return err_set(reterr, ERR_INVALID, "a path below %s is too long", r->env->proc);
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "cannot read %s", path);
	while (out->size < PROC_FILE_MAX) {
		uint8_t *room = buf_reserve(out, 4096);
		ssize_t n = room ? read(fd, room, 4096) : -1;
		if (n < 0)
			return err_sys(reterr, room ? errno : ENOMEM, "cannot read %s", path);
		if (n == 0)
			return ERR_OK;
		out->size += (size_t)n;
	}
	return ERR_OK;
}

/* ---- process ---- */

/* Alive, and not only a zombie; its name as the kernel keeps it (15 characters). */
static bool process_lives(const struct probe_run *r, const char *pid, char name[64])
{
	struct buf stat = BUF_INIT;
	char path[64];
	bool lives = false;
	if (text_format(path, sizeof path, "%s/stat", pid) && read_proc(r, path, &stat, NULL) == ERR_OK) {
		const char *text = buf_str(&stat), *open = strchr(text, '('), *close = strrchr(text, ')');
		if (open && close && close > open && close[1] == ' ') {
			(void)text_format(name, 64, "%.*s", (int)(close - open - 1), open + 1);
			lives = close[2] != 'Z' && close[2] != 'X';
		}
	}
	buf_done(&stat);
	return lives;
}

/* The program's own name from its command line, which is not cut at 15 characters. */
static bool argument_is(const struct probe_run *r, const char *pid, const char *name)
{
	struct buf line = BUF_INIT;
	char path[64];
	bool same = false;
	if (text_format(path, sizeof path, "%s/cmdline", pid) && read_proc(r, path, &line, NULL) == ERR_OK) {
		const char *first = buf_str(&line), *slash = strrchr(first, '/');
		same = strcmp(slash ? slash + 1 : first, name) == 0;
	}
	buf_done(&line);
	return same;
}

static bool is_named(const struct probe_run *r, const char *pid, const char *wanted)
{
	char name[64] = "";
	if (!process_lives(r, pid, name))
		return false;
	if (strcmp(name, wanted) == 0)
		return true;
	return strlen(wanted) > 15 && argument_is(r, pid, wanted); /* the kernel cuts at 15 */
}

/* "/var/log/app.log (deleted)", and no memory that goes by such a name, too. */
static bool leads_to_deleted(DIR *fds, const char *name)
{
	static const char *const memory[] = {"/memfd:", "/dev/", "/SYSV"};
	char target[PATH_LIMIT];
	ssize_t n = readlinkat(dirfd(fds), name, target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
		if (text_starts(target, memory[i]))
			return false;
	return text_ends(target, " (deleted)");
}

/* Room on a disk that a process keeps though the file has no name any more.  Nothing here may ask a file system that
 * has stopped answering: a link is told by the kernel alone, and so is what it knows of a file already. */
static double held_deleted(DIR *fds, const char *name)
{
	struct statx st;
	return leads_to_deleted(fds, name) &&
		       statx(dirfd(fds), name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_NLINK | STATX_BLOCKS, &st) == 0 &&
		       S_ISREG(st.stx_mode) && st.stx_nlink == 0
		   ? 512.0 * (double)st.stx_blocks
		   : 0;
}

/* Open descriptors of one process; no more of the budget than there is. */
static uint32_t count_open(const struct probe_run *r, const char *pid, uint32_t *budget, double *deleted)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof path, "%s/%s/fd", r->env->proc, pid))
		return 0;
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	uint32_t n = 0;
	struct dirent *e;
	for (; dir && *budget && (e = readdir(dir)) != NULL; --*budget) {
		n += e->d_name[0] != '.';
		*deleted += held_deleted(dir, e->d_name);
	}
	return n;
}

/* In percent of how many a process may have open; 0: not to be known. */
static double descriptors(const struct probe_run *r, const char *pid, uint32_t *budget, double *deleted)
{
	static const char title[] = "Max open files";
	struct buf limits = BUF_INIT;
	char path[64];
	unsigned long long most = 0;
	if (text_format(path, sizeof path, "%s/limits", pid) && read_proc(r, path, &limits, NULL) == ERR_OK) {
		const char *line = strstr(buf_str(&limits), title);
		if (!line || sscanf(line + sizeof title - 1, " %llu", &most) != 1) /* unlimited */
			most = 0;
	}
	buf_done(&limits);
	return most ? 100.0 * (double)count_open(r, pid, budget, deleted) / (double)most : 0;
}

/* *ret_descriptors: of the one that has least left. */
static uint32_t count_named(const struct probe_run *r, const char *wanted, double *ret_descriptors, double *ret_deleted)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(r->env->proc);
	uint32_t found = 0, budget = DESCRIPTORS_MAX;
	struct dirent *e;
	for (size_t i = 0; dir && i < PROCESSES_MAX && (e = readdir(dir)) != NULL; i++)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && is_named(r, e->d_name, wanted)) {
			double deleted = 0, used = descriptors(r, e->d_name, &budget, &deleted);
			if (used > *ret_descriptors)
				*ret_descriptors = used;
			if (deleted > *ret_deleted) /* those of a family have the same files open */
				*ret_deleted = deleted;
			found++;
		}
	return found;
}

static void say_descriptors(struct probe_run *r, double percent, double deleted)
{
	if (percent > 0)
		outcome_metric(&r->outcome, "descriptors", percent, "%", 0, 0);
	outcome_metric(&r->outcome, "deleted", deleted, "B", 0, 0);
}

static void judge_pid_file(struct probe_run *r)
{
	const struct process_probe *p = r->config->process;
	struct err err;
	char pid[16] = "", name[64] = "";
	pid_t number = 0;
	enum err_code rc = pidfile_read(p->pid_file, &number, &err);
	(void)text_format(pid, sizeof pid, "%d", (int)number);
	if (rc != ERR_OK)
		outcome_say(&r->outcome, PROBE_CRITICAL, "%s", err.msg);
	else if (!process_lives(r, pid, name))
		outcome_say(&r->outcome, PROBE_CRITICAL, "process %s of %s does not run", pid, p->pid_file);
	else if (p->name && !is_named(r, pid, p->name))
		outcome_say(
		    &r->outcome, PROBE_CRITICAL, "process %s of %s is %s, not %s", pid, p->pid_file, name, p->name);
	else {
		uint32_t budget = DESCRIPTORS_MAX;
		double deleted = 0, used = descriptors(r, pid, &budget, &deleted);
		outcome_say(&r->outcome, PROBE_OK, "process %s (%s) runs", pid, name);
		say_descriptors(r, used, deleted);
	}
	r->outcome.gone = r->outcome.state == PROBE_CRITICAL;
}

enum err_code run_process(struct probe_run *r, struct err *reterr)
{
	const struct process_probe *p = r->config->process;
	if (p->pid_file) {
		judge_pid_file(r);
	} else if (p->name) {
		double used = 0, deleted = 0;
		uint32_t least = p->least ? p->least : 1, found = count_named(r, p->name, &used, &deleted);
		outcome_say(&r->outcome, found >= least ? PROBE_OK : PROBE_CRITICAL, "%u of at least %u %s run", found,
		    least, p->name);
		r->outcome.gone = found < least;
		outcome_metric(&r->outcome, "processes", found, "", 0, 0);
		say_descriptors(r, used, deleted);
	} else {
		return err_set(reterr, ERR_INVALID, "a process probe names neither pid_file nor name");
	}
	run_finish(r);
	return ERR_OK;
}

/* ---- cpu, memory ---- */

static enum err_code read_cpu(const struct probe_run *r, uint64_t *ret_busy, uint64_t *ret_total, struct err *reterr)
{
	struct buf stat = BUF_INIT;
	unsigned long long v[8] = {0};
	enum err_code rc = read_proc(r, "stat", &stat, reterr);
	/* user nice system idle iowait irq softirq steal: proc(5) */
	if (rc == ERR_OK && sscanf(buf_str(&stat), "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2],
				&v[3], &v[4], &v[5], &v[6], &v[7]) < 4)
		rc = err_set(reterr, ERR_CORRUPT, "%s/stat is not as expected", r->env->proc);
	buf_done(&stat);
	if (rc != ERR_OK)
		return rc;
	uint64_t idle = v[3] + v[4], total = idle;
	for (size_t i = 0; i < 8; i++)
		if (i != 3 && i != 4)
			total += v[i];
	*ret_busy = total - idle;
	*ret_total = total;
	return ERR_OK;
}

static void judge_cpu(struct probe_run *r)
{
	struct probe_memory *m = r->memory;
	const struct load_probe *c = r->config->cpu;
	uint64_t busy, total;
	struct err err;
	if (read_cpu(r, &busy, &total, &err) != ERR_OK) {
		outcome_say(&r->outcome, PROBE_UNKNOWN, "%s", err.msg);
	} else if (total <= m->cpu_total || busy < m->cpu_busy) {
		outcome_say(&r->outcome, PROBE_UNKNOWN, "the processor's counters did not advance");
	} else {
		double percent = 100.0 * (double)(busy - m->cpu_busy) / (double)(total - m->cpu_total);
		double warn = either(c->warn_percent, CPU_WARN), critical = either(c->critical_percent, CPU_CRITICAL);
		outcome_say(&r->outcome, run_compare(percent, warn, critical), "cpu %.1f %% busy", percent);
		outcome_metric(&r->outcome, "cpu", percent, "%", warn, critical);
	}
	*m = (struct probe_memory){.cpu_busy = busy, .cpu_total = total, .cpu_at_ms = loop_now_ms(r->env->loop)};
	run_finish(r);
}

static void on_pause(void *ctx)
{
	judge_cpu(ctx);
}

enum err_code run_cpu(struct probe_run *r, struct err *reterr)
{
	struct probe_memory *m = r->memory;
	uint64_t now = loop_now_ms(r->env->loop), most = probe_timeout_ms(r->config) / 2;
	if (m->cpu_total && now >= m->cpu_at_ms + CPU_SAMPLE_MS) {
		judge_cpu(r);
		return ERR_OK;
	}
	enum err_code rc = read_cpu(r, &m->cpu_busy, &m->cpu_total, reterr);
	if (rc == ERR_OK)
		rc = loop_add_timer(r->env->loop, on_pause, r, &r->pause, reterr);
	if (rc == ERR_OK)
		loop_arm(r->pause, now + (most < CPU_SAMPLE_MS ? most : CPU_SAMPLE_MS));
	return rc;
}

static bool meminfo(const char *text, const char *key, double *ret_kib)
{
	const char *line = strstr(text, key);
	unsigned long long v;
	if (!line || sscanf(line + strlen(key), ": %llu kB", &v) != 1)
		return false;
	*ret_kib = (double)v;
	return true;
}

enum err_code run_memory(struct probe_run *r, struct err *reterr)
{
	struct buf text = BUF_INIT;
	const struct load_probe *c = r->config->memory;
	double total, available;
	enum err_code rc = read_proc(r, "meminfo", &text, reterr);
	if (rc == ERR_OK && (!meminfo(buf_str(&text), "MemTotal", &total) ||
				!meminfo(buf_str(&text), "MemAvailable", &available) || total <= 0))
		rc = err_set(reterr, ERR_CORRUPT, "%s/meminfo is not as expected", r->env->proc);
	buf_done(&text);
	if (rc != ERR_OK)
		return rc;
	double percent = 100.0 * (total - available) / total;
	double warn = either(c->warn_percent, MEMORY_WARN), critical = either(c->critical_percent, MEMORY_CRITICAL);
	outcome_say(&r->outcome, run_compare(percent, warn, critical), "memory %.1f %% used", percent);
	outcome_metric(&r->outcome, "memory", percent, "%", warn, critical);
	run_finish(r);
	return ERR_OK;
}

/* ---- disk, folder, age: calls that a dead mount makes hang, so in a child ---- */

struct looked { /* what the child writes */
	int sys_errno;
	struct statvfs space;
	struct timespec modified;
	uint64_t held; /* bytes that a folder's files take */
};

static int tell(const struct looked *l)
{
	return write(1, l, sizeof *l) == (ssize_t)sizeof *l ? 0 : 1;
}

static int look_at_space(const void *path)
{
	struct looked l = {0};
	l.sys_errno = statvfs(path, &l.space) < 0 ? errno : 0;
	return tell(&l);
}

/* The files right in it, as they lie on the disk: what writes a log ahead keeps it in one folder. */
static int look_at_folder(const void *path)
{
	struct looked l = {0};
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	struct dirent *e;
	struct stat st;
	if (!dir || fstatvfs(dirfd(dir), &l.space) < 0)
		l.sys_errno = errno;
	for (size_t i = 0; l.sys_errno == 0 && i < FOLDER_FILES_MAX && (e = readdir(dir)) != NULL; i++)
		if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			l.held += (uint64_t)st.st_blocks * 512;
	return tell(&l);
}

/* Of a table that is gone with its session: tBBB_FFF, B the session's number, F the file's (PostgreSQL's manual,
 * database file layout). */
static bool is_of_session(const char *name)
{
	const char *file = name[0] == 't' ? strchr(name, '_') : NULL;
	return file && strspn(name + 1, "0123456789") == (size_t)(file - name - 1) && file[1] >= '0' && file[1] <= '9';
}

static uint64_t held_by_sessions(int base, const char *name)
{
	int fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	bool sorted = text_equal(name, "pgsql_tmp");
	struct dirent *e;
	struct stat st;
	uint64_t held = 0;
	if (!dir && fd >= 0)
		close(fd);
	for (size_t i = 0; dir && i < FOLDER_FILES_MAX && (e = readdir(dir)) != NULL; i++)
		if ((sorted || is_of_session(e->d_name)) &&
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			held += (uint64_t)st.st_blocks * 512;
	return held;
}

/* What goes with the sessions of a cluster: what they sort, and their temporary tables.  path: its databases, a folder
 * each. */
static int look_at_sessions(const void *path)
{
	struct looked l = {0};
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	struct dirent *e;
	if (!dir || fstatvfs(dirfd(dir), &l.space) < 0)
		l.sys_errno = errno;
	for (size_t i = 0; l.sys_errno == 0 && i < FOLDER_FILES_MAX && (e = readdir(dir)) != NULL; i++)
		if (e->d_name[0] != '.')
			l.held += held_by_sessions(dirfd(dir), e->d_name);
	return tell(&l);
}

static int look_at_age(const void *path)
{
	struct looked l = {0};
	struct stat st;
	if (stat(path, &st) < 0)
		l.sys_errno = errno;
	else
		l.modified = st.st_mtim;
	return tell(&l);
}

/* Also says so when there is nothing to judge. */
static bool heard(struct probe_run *r, const struct process_result *p, const char *path, struct looked *ret)
{
	char end[64];
	r->process = NULL;
	if (p->end != PROCESS_EXITED || p->output.size != sizeof *ret) {
		outcome_say(&r->outcome, p->end == PROCESS_TIMED_OUT ? PROBE_CRITICAL : PROBE_UNKNOWN,
		    "looking at %s: %s", path, process_result_text(p, end, sizeof end));
		return false;
	}
	memcpy(ret, p->output.data, sizeof *ret);
	if (ret->sys_errno == 0)
		return true;
	outcome_say(&r->outcome, PROBE_CRITICAL, "%s: %s", path, strerror(ret->sys_errno));
	return false;
}

static void judge_space(struct probe_run *r, const struct statvfs *v)
{
	const struct disk_probe *d = r->config->disk;
	double warn = either(d->warn_percent, DISK_WARN), critical = either(d->critical_percent, DISK_CRITICAL);
	/* As df reckons: what only root may use counts as neither used nor free. */
	double used = (double)(v->f_blocks - v->f_bfree), size = used + (double)v->f_bavail;
	double space = size > 0 ? 100.0 * used / size : 0;
	double inodes = v->f_files > 0 ? 100.0 * (double)(v->f_files - v->f_ffree) / (double)v->f_files : 0;
	char room[TEXT_TIME_MAX];
	enum probe_state state = outcome_worse(run_compare(space, warn, critical), run_compare(inodes, warn, critical));
	outcome_say(&r->outcome, state, "%s: %.1f %% of space and %.1f %% of inodes used, %s free", d->path, space,
	    inodes, text_size_human((uint64_t)v->f_bavail * v->f_frsize, room));
	outcome_metric(&r->outcome, "space", space, "%", warn, critical);
	outcome_metric(&r->outcome, "inodes", inodes, "%", warn, critical);
	outcome_metric(&r->outcome, "free", (double)v->f_bavail * (double)v->f_frsize, "B", 0, 0);
}

static void on_space(void *ctx, const struct process_result *p)
{
	struct probe_run *r = ctx;
	struct looked l;
	if (heard(r, p, r->config->disk->path, &l))
		judge_space(r, &l.space);
	run_finish(r);
}

/* Of what its files could take: they and the room that is free.  At 100 % the file system is full. */
static void judge_folder(struct probe_run *r, const struct looked *l)
{
	const struct disk_probe *d = r->config->folder;
	double warn = either(d->warn_percent, DISK_WARN), critical = either(d->critical_percent, DISK_CRITICAL);
	double unused = (double)l->space.f_bavail * (double)l->space.f_frsize, held = (double)l->held;
	double share = held > 0 ? 100.0 * held / (held + unused) : 0;
	char holds[TEXT_TIME_MAX], room[TEXT_TIME_MAX];
	outcome_say(&r->outcome, run_compare(share, warn, critical), "%s holds %s, %s are free: %.1f %%", d->path,
	    text_size_human(l->held, holds), text_size_human((uint64_t)unused, room), share);
	outcome_metric(&r->outcome, "share", share, "%", warn, critical);
	outcome_metric(&r->outcome, "size", held, "B", 0, 0);
}

static void on_folder(void *ctx, const struct process_result *p)
{
	struct probe_run *r = ctx;
	struct looked l;
	if (heard(r, p, r->config->folder->path, &l))
		judge_folder(r, &l);
	run_finish(r);
}

static void on_age(void *ctx, const struct process_result *p)
{
	struct probe_run *r = ctx;
	const struct age_probe *a = r->config->age;
	struct looked l;
	if (heard(r, p, a->path, &l)) {
		uint64_t then = (uint64_t)l.modified.tv_sec * 1000 + (uint64_t)l.modified.tv_nsec / 1000000,
			 now = loop_wall_ms(r->env->loop);
		uint64_t age = now > then ? now - then : 0;
		char human[TEXT_TIME_MAX];
		outcome_say(&r->outcome, run_compare((double)age, (double)a->warn_ms, (double)a->critical_ms),
		    "%s was changed %s ago", a->path, text_duration_human(age, human));
		outcome_metric(&r->outcome, "age", (double)age / 1000, "s", (double)a->warn_ms / 1000,
		    (double)a->critical_ms / 1000);
	}
	run_finish(r);
}

static enum err_code look(struct probe_run *r, int (*fn)(const void *), const char *path,
    void (*done)(void *, const struct process_result *), struct err *reterr)
{
	uint64_t timeout = probe_timeout_ms(r->config);
	loop_arm(r->deadline, r->began_ms + timeout + PROBE_OVERDUE_MS / 2);
	return process_start_call(r->env->loop, fn, path, timeout, done, r, &r->process, reterr);
}

enum err_code run_disk(struct probe_run *r, struct err *reterr)
{
	return look(r, look_at_space, r->config->disk->path, on_space, reterr);
}
enum err_code run_folder(struct probe_run *r, struct err *reterr)
{
	return look(r, look_at_folder, r->config->folder->path, on_folder, reterr);
}
enum err_code run_age(struct probe_run *r, struct err *reterr)
{
	return look(r, look_at_age, r->config->age->path, on_age, reterr);
}

enum err_code run_look_sessions(
    struct probe_run *r, const char *path, void (*done)(void *, const struct process_result *), struct err *reterr)
{
	return look(r, look_at_sessions, path, done, reterr);
}

double run_folder_share(const struct process_result *p)
{
	struct looked l;
	if (p->end != PROCESS_EXITED || p->output.size != sizeof l)
		return 0;
	memcpy(&l, p->output.data, sizeof l);
	double room = (double)l.space.f_blocks * (double)l.space.f_frsize;
	return l.sys_errno == 0 && room > 0 ? 100.0 * (double)l.held / room : 0;
}
