/* agent/worker/work.c: one piece of work, and the repository that it is done with. */
#include "agent/worker/work.h"

#include <poll.h>

#include "agent/repository/recovery.h"
#include "agent/worker/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	WORK_ARENA_MAX = 64 << 20,
	FIRST_USE_MS = 10 * 1000, /* another process makes the repository: keys, four folders, their syncs */
	FIRST_USE_POLL_MS = 10,
};

/* ---- the repository ---- */

/* What was declared for the day on which this host is lost.  That it cannot be done now must not stop what is done with
 * the repository. */
static enum err_code with_recovery(const struct agent_config *c, enum err_code rc, struct repo *repo)
{
	struct err err = ERR_INIT;
	bool changed;
	if (rc == ERR_OK && c->recovery_keys.count &&
	    repo_set_recovery(repo, &c->recovery_keys, &changed, &err) != ERR_OK)
		log_warn("snapshot", "the keys could not be wrapped for recovery: %s", err.msg);
	return rc;
}

enum err_code work_repo(const struct agent_config *c, struct repo **ret, struct err *reterr)
{
	char path[PATH_LIMIT], lock_path[PATH_LIMIT];
	CLEANUP(cleanup_fd) int lock = -1;
	uint64_t began = clock_mono_ms();
	if (!text_format(path, sizeof path, "%s/repository", c->state_directory) ||
	    !text_format(lock_path, sizeof lock_path, "%s/repository.lock", c->state_directory))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	enum err_code rc = repo_open(path, c->host, ret, reterr);
	if (rc != ERR_NOT_FOUND)
		return rc == ERR_OK ? with_recovery(c, rc, *ret) : rc;
	/* First use.  Two workers may come at once: one makes it, the other finds it. */
	if ((rc = file_make_dirs(c->state_directory, 0711, reterr)) != ERR_OK)
		return rc;
	while ((rc = file_lock(lock_path, &lock, reterr)) == ERR_BUSY && clock_mono_ms() - began < FIRST_USE_MS)
		(void)poll(NULL, 0, FIRST_USE_POLL_MS);
	if (rc == ERR_OK && (rc = repo_init(path, c->host, reterr)) == ERR_EXISTS)
		rc = ERR_OK;
	if (rc == ERR_OK && (rc = repo_open(path, c->host, ret, reterr)) == ERR_OK)
		rc = with_recovery(c, rc, *ret);
	return rc;
}

/* ---- all of them ---- */

static void do_order(struct work *w, bool resume)
{
	switch ((enum order_kind)w->spec->order->kind) {
	case ORDER_ROLLBACK:
	case ORDER_UNDO:
		work_order_rollback(w);
		return;
	case ORDER_ACTION:
		work_order_action(w, resume);
		return;
	case ORDER_SNAPSHOT:
		work_order_snapshot(w);
		return;
	case ORDER_VERIFY:
		work_order_verify(w);
		return;
	case ORDER_PROBE: /* the keeper's own probes do this */
	case ORDER_KIND_COUNT:
		break;
	}
	work_end_order(w, ORDER_REFUSED, "this agent does not know such an order");
}

void work_run(const struct agent_config *c, const struct work_spec *spec, const struct work_out *out)
{
	struct work w = {
	    .c = c, .spec = spec, .out = out, .arena = arena_new(WORK_ARENA_MAX), .began_ms = clock_mono_ms()};
	struct err err = ERR_INIT;
	enum err_code rc = w.arena ? work_repo(c, &w.repo, &err) : err_set(&err, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK) {
		log_error("keeper", "the repository cannot be used: %s", err.msg);
		if (spec->kind == WORK_SNAPSHOT)
			work_tell_snapshot_failed(&w, spec->service, spec->reason, err.msg);
		else if (spec->order)
			work_end_order(&w, work_has_begun(&w) ? ORDER_FAILED_DIRTY : ORDER_REFUSED, err.msg);
	} else if (spec->kind == WORK_ORDER || spec->kind == WORK_RESUME) {
		do_order(&w, spec->kind == WORK_RESUME);
	} else if (spec->kind == WORK_SNAPSHOT) {
		work_snapshot(&w);
	} else if (spec->kind == WORK_COPY) {
		work_copy(&w);
	} else if (spec->kind == WORK_DRILL) {
		work_drill(&w);
	} else if (spec->kind == WORK_VERIFY) {
		work_verify(&w);
	} else if (spec->kind == WORK_PRUNE) {
		work_prune(&w);
	} else {
		work_drift(&w);
	}
	repo_close(w.repo);
	arena_free(w.arena);
}
