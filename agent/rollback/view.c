#include "agent/rollback/view.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "agent/io/process.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum {
	OPTIONS_MAX = 4096 - 1, /* mount(2): one page */
	NOT_SEEN = 125,         /* exit codes of ours, as env(1) and others use them */
	NOT_RUN = 126,
};
#define VIEW_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct view { /* made ready before the fork: afterwards only system calls */
	const struct view_tree *trees;
	size_t count;
	char (*options)[OPTIONS_MAX + 1]; /* one a tree; "" for a plain one */
	char program[PATH_MAX];
	const char *argv[CONFIG_ARGV_MAX + 1];
};

/* overlayfs parses its options: ':' divides layers, ',' options. */
static bool escape(const char *path, char *out, size_t size)
{
	size_t n = 0;
	for (; *path && n + 2 < size; path++) {
		if (*path == ':' || *path == ',' || *path == '\\')
			out[n++] = '\\';
		out[n++] = *path;
	}
	out[n] = '\0';
	return !*path;
}

static bool layers_of(const struct view_tree *t, char out[OPTIONS_MAX + 1])
{
	char upper[PATH_LIMIT], lower[PATH_LIMIT];
	out[0] = '\0';
	if (!t->over)
		return true;
	return escape(t->from, upper, sizeof upper) && escape(t->at, lower, sizeof lower) &&
	       text_format(out, OPTIONS_MAX, "lowerdir=%s:%s", upper, lower);
}

/* As execvp would look. */
static bool find_program(const char *name, char out[PATH_MAX])
{
	if (strchr(name, '/'))
		return text_format(out, PATH_MAX, "%s", name);
	for (const char *at = VIEW_PATH; *at;) {
		size_t size = strcspn(at, ":");
		if (text_format(out, PATH_MAX, "%.*s/%s", (int)size, at, name) && access(out, X_OK) == 0)
			return true;
		at += size + (at[size] == ':');
	}
	return false;
}

/* In the child.  MS_PRIVATE first: what is mounted here goes nowhere else. */
static int see_and_run(const void *arg)
{
	static char *const environment[] = {"PATH=" VIEW_PATH, "LANG=C.UTF-8", "HOME=/", NULL};
	const struct view *v = arg;
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return NOT_SEEN;
	for (size_t i = 0; i < v->count; i++) {
		const struct view_tree *t = &v->trees[i];
		if (t->over ? mount("overlay", t->at, "overlay", MS_RDONLY, v->options[i]) != 0
			    : mount(t->from, t->at, NULL, MS_BIND, NULL) != 0 ||
				  mount(NULL, t->at, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
			return NOT_SEEN;
	}
	if (dup2(1, 2) < 0 || chdir("/") != 0)
		return NOT_RUN;
	execve(v->program, (char *const *)(uintptr_t)v->argv, environment);
	return NOT_RUN;
}

struct waiting {
	struct process_result result;
	bool done;
};

static void on_done(void *ctx, const struct process_result *r)
{
	struct waiting *w = ctx;
	struct process_result *from = (struct process_result *)(uintptr_t)r; /* its buffers are moved out */
	w->result = *from;
	from->output = from->errors = BUF_INIT;
	w->done = true;
}

static enum err_code run(struct view *v, uint64_t timeout_ms, struct process_result *ret, struct err *reterr)
{
	struct waiting w = {.done = false};
	struct loop *loop;
	struct process *p = NULL;
	enum err_code rc = loop_new(&loop, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = process_start_call(loop, see_and_run, v, timeout_ms, on_done, &w, &p, reterr);
	while (rc == ERR_OK && !w.done)
		rc = loop_turn(loop, -1, reterr);
	if (rc != ERR_OK && p && !w.done)
		process_cancel(p);
	loop_free(loop);
	*ret = w.result;
	return rc;
}

static enum err_code verdict(const struct view *v, const struct process_result *r, bool *ret_seen, struct err *reterr)
{
	char end[64];
	*ret_seen = !(r->end == PROCESS_EXITED && r->code == NOT_SEEN);
	if (!*ret_seen || (r->end == PROCESS_EXITED && r->code == 0))
		return ERR_OK;
	if (r->end == PROCESS_EXITED && r->code == NOT_RUN)
		return err_set(reterr, ERR_IO, "%s cannot be run", v->program);
	const char *said = buf_str(&r->output);
	return err_set(reterr, r->end == PROCESS_TIMED_OUT ? ERR_TIMEOUT : ERR_IO, "%s: %s%s%.*s", v->argv[0],
	    process_result_text(r, end, sizeof end), said[0] ? ": " : "", (int)strcspn(said, "\n"), said);
}

enum err_code view_run(const struct view_tree *trees, size_t count, const struct list *argv, uint64_t timeout_ms,
    bool *ret_seen, struct err *reterr)
{
	struct view v = {.trees = trees, .count = count};
	struct process_result done = {0};
	if (!argv->count || argv->count > CONFIG_ARGV_MAX || count > VIEW_TREES_MAX)
		return err_set(reterr, ERR_LIMIT, "a program of %zu arguments over %zu trees", argv->count, count);
	for (size_t i = 0; i < argv->count; i++)
		v.argv[i] = LIST_AT(*argv, const char *, i);
	if (!find_program(v.argv[0], v.program))
		return err_set(reterr, ERR_NOT_FOUND, "%s is not in the search path", v.argv[0]);
	CLEANUP(cleanup_free) void *options = calloc(count + 1, sizeof *v.options);
	v.options = options;
	if (!options)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (!layers_of(&trees[i], v.options[i])) {
			*ret_seen = false;
			return ERR_OK;
		}
	enum err_code rc = run(&v, timeout_ms, &done, reterr);
	if (rc == ERR_OK)
		rc = verdict(&v, &done, ret_seen, reterr);
	process_result_done(&done);
	return rc;
}
