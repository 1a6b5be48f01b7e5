/* agent/worker/copy.c: what a worker does for copies off the host. */
#include "agent/offhost/session.h"
#include "agent/worker/internal.h"
#include "agent/worker/upkeep.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static void log_finding(void *ctx, const char *text)
{
	(void)ctx;
	log_error("offhost", "%s", text);
}

static bool is_verify_due(const struct agent_config *c, const char *folder, uint64_t now_ms, struct arena *arena)
{
	struct copy_status s;
	return c->copies->verify_every_ms && offhost_status_read(folder, arena, &s, NULL) == ERR_OK &&
	       s.verified_ms + c->copies->verify_every_ms <= now_ms;
}

static void prove(struct work *w, struct offhost *o)
{
	struct copy_proof p;
	struct err err = ERR_INIT;
	if (!is_verify_due(w->c, o->folder, clock_wall_ms(), w->arena))
		return;
	enum err_code rc = offhost_verify(o, w->repo, true, &p, &err);
	if (rc == ERR_OK)
		log_info("offhost", "%llu restore points are whole in the store: %llu of %llu objects read back",
		    (unsigned long long)p.points, (unsigned long long)p.objects, (unsigned long long)p.objects_total);
	else if (rc != ERR_CANCELLED)
		log_error("offhost", "the copy could not be proven: %s", err.msg);
	if (rc == ERR_CORRUPT)
		work_tell_notice(w, SEVERITY_HIGH, "copy-damaged", NULL, err.msg);
}

static enum err_code copy(struct repo *r, struct offhost *o, struct err *reterr)
{
	CLEANUP(buf_done) struct buf wrapped = BUF_INIT;
	struct copy_result done;
	char size[TEXT_TIME_MAX];
	enum err_code rc = offhost_wrapped(r, &wrapped, reterr);
	if (!rc)
		rc = offhost_copy(o, r, buf_bytes(&wrapped), &done, reterr);
	if (rc)
		return rc;
	if (done.objects || done.locks_renewed)
		log_info("offhost",
		    "%llu restore points and %llu files of logs copied: %llu objects, %s sent, %llu locks renewed",
		    (unsigned long long)done.points, (unsigned long long)done.logs, (unsigned long long)done.objects,
		    text_size_human(done.bytes, size), (unsigned long long)done.locks_renewed);
	if (done.locks_failed)
		log_warn("offhost", "locks could not be renewed: %s", done.lock_error);
	return ERR_OK;
}

/* What is missing off the host; then, when it is due, a proof.  Failing is logged and stands in the status of the
 * copies. */
void work_copy(struct work *w)
{
	CLEANUP(offhost_session_cleanup) struct offhost_session *s = NULL;
	struct err err = ERR_INIT;
	upkeep_gently();
	enum err_code rc = offhost_session_open(w->c, w->out->cancel, &s, &err);
	if (rc) {
		offhost_failed(w->c, w->repo, &err);
	} else {
		offhost_of(s)->finding = log_finding;
		rc = copy(w->repo, offhost_of(s), &err);
	}
	if (rc && rc != ERR_CANCELLED)
		log_warn("offhost", "nothing, or not everything, is copied: %s", err.msg);
	else if (!rc)
		prove(w, offhost_of(s));
}
