/* The database of a rollback: beside what is there, and exchanged; or, where there is no room for two, in place.
 *
 * In place, in this order: a restore point of the running server, so that what can be read before it stops is, and that
 * what will be needed is authenticated; stop; the safety restore point of what lies there, durable, and what differs
 * from it staged; the journal says "between"; pg_control goes, all else comes and is durable, pg_control comes; the
 * journal says "put back".  Between those two it is started by nobody, and the next run goes on from what it finds. */
#include <string.h>

#include "agent/database/database.h"
#include "agent/rollback/walk.h"
#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static const char half_way[] =
    "taken half way through a rollback in place, to go on from: it is no state to go back to";

/* ---- restore points of what is there ---- */

static enum err_code take(
    struct walk *w, bool stopped, struct snapshot *carry, struct snapshot_summary *ret, struct err *reterr)
{
	char work[PATH_LIMIT];
	struct snapshot_options o = {.components = 1u << COMPONENT_DATABASE,
	    .reason = SNAPSHOT_SAFETY,
	    .suspect = true,
	    .now_ms = w->io->now_ms(w->io->ctx),
	    .carry = carry};
	if (!text_format(work, sizeof work, "%s/prepare", w->state_directory))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", w->state_directory);
	return stopped ? database_snapshot_stopped(w->repo, w->r->service, &o, work, w->arena, ret, reterr)
		       : database_snapshot(w->repo, w->r->service, &o, work, w->arena, ret, reterr);
}

static enum err_code take_stopped(struct walk *w, struct snapshot_summary *ret, struct err *reterr)
{
	struct snapshot *trees = NULL;
	enum err_code rc = id_is_zero(w->j.safety) ? ERR_OK : snapshot_open(w->repo, w->j.safety, &trees, reterr);
	if (rc == ERR_OK)
		rc = take(w, true, trees, ret, reterr);
	snapshot_close(trees);
	return rc;
}

static void mark_half_way(void *ctx, struct snapshot_marks *marks)
{
	(void)ctx;
	marks->damage = half_way;
}

/* ---- staging ---- */

void walk_database_done(struct walk *w)
{
	converge_free(TAKE_PTR(w->database));
	snapshot_close(TAKE_PTR(w->now));
}

static enum err_code tell_server(void *ctx, struct err *reterr)
{
	struct walk *w = ctx;
	return database_settle_in_place(w->state_directory, w->r->service, w->j.database_settings, reterr);
}

/* Towards s, from what the restore point `now` knows to lie there. */
static enum err_code stage_from(struct walk *w, struct snapshot *s, struct id now, struct err *reterr)
{
	struct converge_spec spec = walk_towards(w, s);
	walk_database_done(w);
	enum err_code rc = snapshot_open(w->repo, now, &w->now, reterr);
	w->in_place = (struct converge_database){.now = w->now,
	    .last = database_last(w->r->service),
	    .before_last = s == w->target ? tell_server : NULL,
	    .ctx = w};
	if (rc == ERR_OK)
		rc = database_places(s, w->now, w->r->service, w->arena, &w->in_place.places, reterr);
	spec.components = 0;
	spec.database = &w->in_place;
	if (rc == ERR_OK)
		rc = converge_stage(&spec, &w->database, reterr);
	if (rc == ERR_OK)
		rc = converge_wait(w->database, reterr);
	if (rc != ERR_OK)
		walk_database_done(w);
	return rc;
}

/* Also where the server cannot be asked any more: then all of that comes when it has stopped. */
static enum err_code rehearse(struct walk *w, struct err *reterr)
{
	struct snapshot_summary live;
	struct err why = ERR_INIT;
	bool stopped = !database_running(w->r->service);
	if (take(w, stopped, NULL, &live, &why) != ERR_OK) {
		log_warn("rollback", "order=%s service=%s is not compared before it stops: %s", w->token,
		    w->r->service->name, why.msg);
		return ERR_OK;
	}
	enum err_code rc = stage_from(w, w->target, live.snapshot, reterr);
	walk_database_done(w); /* what it writes until it stops counts, too */
	return rc;
}

enum err_code walk_database_stage(struct walk *w, char *text, struct err *reterr)
{
	enum database_way way;
	enum err_code rc = database_choose(w->target, w->r->service, &way, text, reterr);
	if (rc != ERR_OK)
		return rc;
	w->j.in_place = way == DATABASE_IN_PLACE;
	if (!w->j.in_place)
		return database_stage(w->target, w->state_directory, w->r->service, w->token, w->r->moment, reterr);
	w->j.database_settings = w->r->moment;
	if (!w->r->moment)
		rc = database_settings(
		    w->target, w->state_directory, w->r->service, w->arena, &w->j.database_settings, reterr);
	return rc == ERR_OK ? rehearse(w, reterr) : rc;
}

enum err_code walk_database_ready(struct walk *w, struct err *reterr)
{
	struct snapshot_summary saved;
	if (!walk_has_database(w) || !w->j.in_place)
		return ERR_OK;
	struct step_timer t = step_begin(w, STEP_SAFETY);
	enum err_code rc = step_end(w, t, take_stopped(w, &saved, reterr), reterr, NULL);
	if (rc != ERR_OK)
		return rc;
	w->j.safety = saved.snapshot;
	t = step_begin(w, STEP_STAGE);
	return step_end(w, t, stage_from(w, w->target, saved.snapshot, reterr), reterr, NULL);
}

/* What an interrupted run has left is neither of the two: as it is, it becomes a restore point to go on from. */
static enum err_code stage_again(struct walk *w, struct snapshot *s, struct err *reterr)
{
	struct snapshot_summary half;
	enum err_code rc = take(w, true, NULL, &half, reterr);
	if (rc == ERR_OK)
		rc = snapshot_mark(w->repo, half.snapshot, mark_half_way, NULL, reterr);
	return rc == ERR_OK ? stage_from(w, s, half.snapshot, reterr) : rc;
}

/* ---- there and back ---- */

static enum err_code enter(struct walk *w, enum journal_database state, struct err *reterr)
{
	w->j.database_state = state;
	return rollback_journal_write(w->folder, &w->j, reterr);
}

static enum err_code write_in_place(struct walk *w, enum journal_database end, struct err *reterr)
{
	enum err_code rc = database_running(w->r->service)
			       ? err_set(reterr, ERR_STATE,
				     "the database of %s still runs: its files cannot be replaced", w->r->service->name)
			       : enter(w, JOURNAL_DATABASE_BETWEEN, reterr);
	if (rc == ERR_OK)
		rc = converge_apply(w->database, reterr);
	if (rc == ERR_OK)
		rc = converge_wait(w->database, reterr);
	if (rc == ERR_OK)
		rc = enter(w, end, reterr);
	walk_database_done(w);
	return rc;
}

/* Journal which folder is which, then exchange them. */
static enum err_code swap_in(struct walk *w, struct err *reterr)
{
	w->j.database_inode = database_inode(w->r->service, w->token);
	if (!w->j.database_inode)
		return err_set(reterr, ERR_NOT_FOUND, "the staged data directory of %s is gone", w->r->service->name);
	enum err_code rc = rollback_journal_write(w->folder, &w->j, reterr);
	return rc == ERR_OK ? database_swap(w->r->service, w->token, reterr) : rc;
}

enum err_code walk_database_apply(struct walk *w, struct err *reterr)
{
	if (!walk_has_database(w) || proof_is_swapped(w))
		return ERR_OK;
	if (!w->j.in_place)
		return swap_in(w, reterr);
	enum err_code rc = w->database ? ERR_OK : stage_again(w, w->target, reterr);
	return rc == ERR_OK ? write_in_place(w, JOURNAL_DATABASE_PUT_BACK, reterr) : rc;
}

enum err_code walk_database_back(struct walk *w, struct snapshot *safety, struct err *reterr)
{
	if (!walk_has_database(w))
		return ERR_OK;
	if (!w->j.in_place)
		return proof_is_swapped(w) ? database_swap(w->r->service, w->token, reterr)
					   : database_swap_undo(w->r->service, w->token, reterr);
	walk_database_done(w);
	if (w->j.database_state == JOURNAL_DATABASE_AS_IT_WAS || !safety)
		return ERR_OK;
	enum err_code rc = stage_again(w, safety, reterr);
	return rc == ERR_OK ? write_in_place(w, JOURNAL_DATABASE_AS_IT_WAS, reterr) : rc;
}

void walk_database_clean(struct walk *w, struct snapshot *s, const struct journal *j, const char *token)
{
	struct converge_database in_place = {.last = ""};
	struct converge_spec spec = {.snapshot = s, .service = w->r->service, .token = token, .database = &in_place};
	if (s && j->components & 1u << COMPONENT_DATABASE &&
	    snapshot_summary_component(snapshot_about(s), COMPONENT_DATABASE) &&
	    database_places(s, NULL, w->r->service, w->arena, &in_place.places, NULL) == ERR_OK)
		(void)!converge_clean(&spec, NULL);
}
