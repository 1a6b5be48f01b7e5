/* agent/rollback/walk.h: one rollback at work, phase by phase; what rollback.c, walk.c, steps.c and proof.c share. */
#ifndef KEDGE_AGENT_ROLLBACK_WALK_H
#define KEDGE_AGENT_ROLLBACK_WALK_H

#include "agent/rollback/converge.h"
#include "agent/rollback/journal.h"
#include "agent/rollback/prepared.h"
#include "agent/rollback/rollback.h"

struct walk {
	struct repo *repo;
	const struct rollback_request *r;
	const struct rollback_io *io;
	struct arena *arena;
	const char *state_directory;
	char folder[PATH_LIMIT], token[CONVERGE_TOKEN_MAX];
	struct journal j;
	struct snapshot *target;           /* NULL when recovering and it cannot be opened any more */
	struct converge *database;         /* the same of a database that is put back in place; NULL: none */
	struct converge_database in_place; /* of it */
	struct snapshot *now;              /* of it */
	struct converge *c;                /* what is staged, or was put in place and is becoming durable */
	struct prepared
	    *exchange[COMPONENT_COUNT]; /* trees staged beforehand that are put in place whole (exchange.h) */
	size_t exchange_count;
	bool exchange_sealed;          /* they were when they were chosen */
	struct snapshot_taking *known; /* what was read to be saved; NULL: nothing that helps to compare */
	struct snapshot_summary saved; /* the safety restore point, once taken by this process */
	struct order_step *steps;
	size_t step_count;
	uint64_t began_mono_ms;
	uint64_t started_mono_ms; /* the start step began then; 0: it was not run */
	bool stopped;             /* the stop step was run */
	bool keep_aside;          /* the database that was replaced could not be saved */
	bool digests_match, healthy, better;
	struct component_point points[COMPONENT_COUNT];
	size_t point_count;
	const char *exceptions; /* what never_restore left different; NULL: nothing */
	const char *trouble; /* what does not stand in the way of an end, but of its being a good one; NULL: nothing */
};

static inline bool walk_has_database(const struct walk *w)
{
	return (w->j.components & 1u << COMPONENT_DATABASE) != 0;
}
/* Those whose files are put back one by one; a database, too, where there is one. */
static inline uint32_t walk_in_parts(const struct walk *w)
{
	return (uint32_t)(w->j.components & ~w->j.exchanged);
}
static inline struct converge_spec walk_towards(const struct walk *w, struct snapshot *s)
{
	return (struct converge_spec){.snapshot = s,
	    .service = w->r->service,
	    .components = walk_in_parts(w),
	    .token = w->token,
	    .own = w->state_directory,
	    .known = w->known};
}

/* walk.c: from the beginning, or from where the journal says it was interrupted.  ERR_OK whatever the outcome. */
ERR_CHECK enum err_code walk_go(struct walk *w, struct rollback_result *ret, struct err *reterr);
ERR_CHECK enum err_code walk_resume(struct walk *w, struct rollback_result *ret, struct err *reterr);
/* What the two hold in memory. */
void walk_done(struct walk *w);
/* What was put in place is durable, and the journal says that it is being proven. */
ERR_CHECK enum err_code walk_in_place(struct walk *w, struct err *reterr);
/* The answer that an ended journal holds. */
void walk_answer(const struct journal *j, struct rollback_result *ret);

/* walk_database.c */
/* Before the service stops; text, of TEXT_LINE_MAX bytes: what to say about the way that was chosen, or "". */
ERR_CHECK enum err_code walk_database_stage(struct walk *w, char *text, struct err *reterr);
/* It has stopped; nothing is changed yet. */
ERR_CHECK enum err_code walk_database_ready(struct walk *w, struct err *reterr);
/* Done before: ERR_OK.  Durable on return. */
ERR_CHECK enum err_code walk_database_apply(struct walk *w, struct err *reterr);
/* It has stopped.  safety NULL: nothing was saved before. */
ERR_CHECK enum err_code walk_database_back(struct walk *w, struct snapshot *safety, struct err *reterr);
/* What an interrupted run of that journal left beside its places, by a restore point that has them; NULL: none. */
void walk_database_clean(struct walk *w, struct snapshot *s, const struct journal *j, const char *token);
void walk_database_done(struct walk *w); /* what it holds in memory, and what is staged */

/* steps.c: as they are told, and the service's own. */
struct step_timer {
	struct order_step *step;
	uint64_t began_mono_ms;
};
struct step_timer step_begin(struct walk *w, enum step_kind kind);
/* Returns rc.  text: what to say of one that went well, or NULL. */
enum err_code step_end(struct walk *w, struct step_timer t, enum err_code rc, const struct err *why, const char *text);
ERR_CHECK enum err_code step_run(struct walk *w, enum step_kind kind, const struct list *argv, struct err *reterr);
ERR_CHECK enum err_code step_stop(struct walk *w, struct err *reterr);
ERR_CHECK enum err_code step_start(struct walk *w, struct err *reterr); /* or reload, where no start is declared */
/* It runs since before the start step, as a pid file of its process probes has it: somebody else began it while what it
 * reads was put in place, or it never stopped. */
bool step_found_it_running(const struct walk *w);
/* At most n bytes of it, cut at the end of a character; in the walk's arena. */
const char *walk_text(struct walk *w, const char *text, size_t n);

/* proof.c */
/* Compare the live trees with s: points, digests_match and exceptions of the walk.  ERR_CORRUPT names the first
 * difference. */
ERR_CHECK enum err_code proof_trees(struct walk *w, struct snapshot *s, struct err *reterr);
/* STEP_VERIFY: trees, then (with_probes) probes. */
ERR_CHECK enum err_code proof_verify(struct walk *w, struct err *reterr);
/* The staged data directory is the live one now. */
bool proof_is_swapped(const struct walk *w);

/* writers.c: ERR_BUSY names a process that has a file below a declared path of these components open, or mapped, for
 * writing, where refuse_open_writers says that this matters. */
ERR_CHECK enum err_code writers_refuse(const struct snapshot_summary *about, const struct service_config *service,
    uint32_t components, struct err *reterr);
/* Where stop_open_writers says so: they are asked to end, and after WRITERS_ASK_MS made to.  ERR_BUSY: one did not. */
ERR_CHECK enum err_code writers_stop(const struct snapshot_summary *about, const struct service_config *service,
    uint32_t components, struct err *reterr);
/* Names a process that still runs a program, or has a file mapped or open, that was below a declared path of
 * configuration or code and is not there any more; or that works in, or uses anything of, a tree that was exchanged: it
 * was not started anew.  False: none does. */
bool writers_find_stale(const struct walk *w, char text[TEXT_LINE_MAX]);

/* barrier.c: ERR_STATE: a component that stays has another schema now than it had when the restore point was taken. The
 * way back (as_it_was, a safety net) is never refused. */
ERR_CHECK enum err_code barrier_check(const struct walk *w, struct err *reterr);

/* fitness.c: what would do harm if it were put back, found while nothing is touched yet.  ERR_STATE names it: a secret
 * that was rotated since, a certificate that has expired or is about to. */
/* preview.c: STEP_CHECK over configuration and code as they would be, in a mount namespace (view.h).  An error: the
 * service's own check refuses them.  Where that cannot be shown here (not root, a root that is not there now) it is
 * left to the check in place. */
ERR_CHECK enum err_code preview_check(struct walk *w, struct converge *c, struct err *reterr);
ERR_CHECK enum err_code fitness_check(const struct walk *w, const struct converge *c, struct err *reterr);

#endif
