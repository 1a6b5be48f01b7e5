#include "agent/rollback/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/rollback/prepared_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

/* ---- which ---- */

/* NULL: it may be used. */
static const char *why_not(const struct walk *w, const struct prepared *p)
{
	const struct snapshot_summary *about = snapshot_about(w->target);
	const struct snapshot_component *c = snapshot_summary_component(about, (enum component)p->component);
	enum prepared_state state = prepared_state_of(p, w->io->now_ms(w->io->ctx));
	if (state != PREPARED_READY)
		return enum_name(&prepared_state_enum, state);
	if (!c || memcmp(&c->digest, &p->digest, sizeof c->digest) != 0 || c->roots.count != p->roots.count)
		return "it is of another content";
	for (size_t i = 0; i < c->roots.count; i++)
		if (!text_equal(LIST_AT(c->roots, struct snapshot_root, i).path,
			LIST_AT(p->roots, struct prepared_root, i).path))
			return "it is of other roots";
	const char *obstacle =
	    prepared_obstacle(w->arena, w->r->service, about, (enum component)p->component, w->state_directory);
	if (obstacle)
		return obstacle;
	return prepared_is_sealed(w->state_directory, p) ? NULL : "it is not as it was staged any more";
}

void exchange_choose(struct walk *w)
{
	struct list all = {0};
	struct id *ids = arena_array(w->arena, COMPONENT_COUNT, sizeof *ids);
	w->j.exchanged = 0;
	w->exchange_count = 0;
	if (!ids || walk_has_database(w) ||
	    prepared_list(w->state_directory, w->r->service->name, w->arena, &all, NULL) != ERR_OK)
		return;
	for (size_t i = all.count; i-- > 0;) { /* the newest first */
		struct prepared *p = &LIST_AT(all, struct prepared, i);
		uint64_t bit = 1u << p->component;
		if (!id_equal(p->snapshot, w->j.snapshot) || !(w->j.components & bit) || w->j.exchanged & bit)
			continue;
		const char *why = why_not(w, p);
		if (why) {
			log_info("rollback", "order=%s service=%s a prepared tree of its %s is not used: %s", w->token,
			    w->r->service->name, enum_name(&component_enum, p->component), why);
			continue;
		}
		w->j.exchanged |= bit;
		ids[w->exchange_count] = p->id;
		w->exchange[w->exchange_count++] = p;
	}
	w->j.prepared = (struct list){ids, w->exchange_count};
	w->exchange_sealed = true;
}

enum err_code exchange_load(struct walk *w, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	w->exchange_count = 0;
	if (w->j.phase < JOURNAL_APPLYING)
		return ERR_OK; /* nothing was touched */
	for (size_t i = 0; rc == ERR_OK && i < w->j.prepared.count && i < COMPONENT_COUNT; i++) {
		struct prepared *p = arena_alloc(w->arena, sizeof *p);
		rc = p ? prepared_read(w->state_directory, LIST_AT(w->j.prepared, struct id, i), w->arena, p, reterr)
		       : err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
		if (rc == ERR_OK)
			w->exchange[w->exchange_count++] = p;
	}
	return rc;
}

bool exchange_is_in_place(const struct walk *w, enum component component)
{
	for (size_t i = 0; i < w->exchange_count; i++) {
		const struct prepared *p = w->exchange[i];
		bool all = p->component == (uint32_t)component && p->roots.count;
		for (size_t k = 0; all && k < p->roots.count; k++)
			all = prepared_root_is_live(&LIST_AT(p->roots, struct prepared_root, k));
		if (all)
			return true;
	}
	return false;
}

bool exchange_is_begun(const struct walk *w)
{
	for (size_t i = 0; i < w->exchange_count; i++)
		for (size_t k = 0; k < w->exchange[i]->roots.count; k++)
			if (prepared_root_is_out(&LIST_AT(w->exchange[i]->roots, struct prepared_root, k)))
				return true;
	return false;
}

enum err_code exchange_digests(const struct walk *w, struct digest live[COMPONENT_COUNT], struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < w->exchange_count; i++) {
		uint32_t which = w->exchange[i]->component;
		rc = snapshot_load(w->target, 1u << which, reterr);
		if (rc == ERR_OK)
			rc = snapshot_digest_live(
			    w->repo, w->r->service, (enum component)which, w->target, &live[which], NULL, NULL, reterr);
	}
	return rc;
}

/* ---- the exchange ---- */

/* Both folders durable before the next, and the time of the live one's as it was: the rollback did not touch what lies
 * beside its root. */
static enum err_code swap(const struct prepared_root *r, struct err *reterr)
{
	char holder[PATH_LIMIT];
	struct stat before;
	text_copy(holder, sizeof holder, r->path);
	char *slash = strrchr(holder, '/');
	*slash = '\0';
	CLEANUP(cleanup_fd) int live = open(*holder ? holder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_fd) int aside = open(r->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (live < 0 || aside < 0 || fstat(live, &before) != 0)
		return err_sys(reterr, errno, "%s cannot be opened", r->path);
	if (renameat2(aside, PREPARED_TREE, live, slash + 1, RENAME_EXCHANGE) != 0)
		return err_sys(reterr, errno, "%s cannot be exchanged with what was staged", r->path);
	(void)futimens(live, (const struct timespec[2]){{0, UTIME_OMIT}, before.st_mtim});
	if (fsync(live) != 0 || fsync(aside) != 0)
		return err_sys(reterr, errno, "the exchange of %s cannot be made durable", r->path);
	return ERR_OK;
}

/* Done already, perhaps by a run that died before it was durable. */
static enum err_code make_durable(const struct prepared_root *r, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(r->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) != 0)
		return err_sys(reterr, errno, "the exchange of %s cannot be made durable", r->path);
	return ERR_OK;
}

static enum err_code go_one(const struct walk *w, const struct prepared *p, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < p->roots.count; i++) {
		const struct prepared_root *r = &LIST_AT(p->roots, struct prepared_root, i);
		if (prepared_root_is_live(r))
			rc = make_durable(r, reterr);
		else if (prepared_root_is_out(r))
			rc = err_set(reterr, ERR_CORRUPT, "something else was put in the place of %s", r->path);
		else
			rc = swap(r, reterr);
	}
	(void)w;
	return rc;
}

/* Anybody may have come by since it was chosen: while the service stopped, or after an interruption. */
static bool is_sound(const struct walk *w)
{
	bool sound = w->exchange_count == w->j.prepared.count;
	if (w->exchange_sealed && !w->stopped)
		return true;
	for (size_t i = 0; sound && !exchange_is_begun(w) && i < w->exchange_count; i++)
		sound = prepared_is_sealed(w->state_directory, w->exchange[i]);
	return sound;
}

enum err_code exchange_go(struct walk *w, struct err *reterr)
{
	enum err_code rc =
	    is_sound(w) ? ERR_OK : err_set(reterr, ERR_CORRUPT, "a prepared tree is not as it was staged any more");
	for (size_t i = 0; rc == ERR_OK && i < w->exchange_count; i++)
		rc = go_one(w, w->exchange[i], reterr);
	return rc;
}

static enum err_code back_one(const struct walk *w, struct prepared *p, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	struct err why = ERR_INIT;
	for (size_t i = p->roots.count; rc == ERR_OK && i-- > 0;) {
		const struct prepared_root *r = &LIST_AT(p->roots, struct prepared_root, i);
		if (prepared_root_is_out(r))
			rc = prepared_root_is_live(r)
				 ? swap(r, reterr)
				 : err_set(reterr, ERR_CORRUPT, "something else was put in the place of %s", r->path);
		else if (prepared_root_is_live(r))
			rc = err_set(reterr, ERR_CORRUPT, "what lay at %s before is gone", r->path);
		else
			rc = make_durable(r, reterr);
	}
	/* The service has run on it: its time of change is another one by now, so that it would not be used anyway. */
	p->complete = false;
	if (rc == ERR_OK && prepared_write(w->state_directory, p, &why) != ERR_OK)
		log_warn("rollback", "order=%s service=%s %s", w->token, p->service, why.msg);
	return rc;
}

enum err_code exchange_back(struct walk *w, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = w->exchange_count; rc == ERR_OK && i-- > 0;)
		rc = back_one(w, w->exchange[i], reterr);
	return rc;
}
