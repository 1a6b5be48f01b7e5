/* Retention and garbage, in two phases.
 *
 * A run first decides which restore points go, then finds the packs that no restore point needs (those that go in this
 * very run still count as needing theirs, for a snapshot in the making may be based on one).  Packs without use are
 * condemned: from then on nothing new leans on them.  A later run deletes them when the grace period is over and they
 * are still without use; it spares those that a snapshot begun before the condemnation came to need.
 *
 * Write order: new packs and their places (repack.c); index (condemned), manifests removed; index (packs forgotten),
 * pack files removed.  A crash leaves a pack without a name in the index, which a later run finds. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "agent/snapshot/prune_internal.h"
#include "agent/snapshot/retention.h"
#include "agent/snapshot/upkeep.h"
#include "shared/base/text.h"

bool prune_cancelled(const struct pruning *p)
{
	return p->o->cancel && atomic_load(p->o->cancel);
}

/* ---- which restore points go ---- */

static bool is_protected(const struct prune_options *o, struct id id)
{
	for (size_t i = 0; i < o->protect_count; i++)
		if (id_equal(o->protect[i], id))
			return true;
	return false;
}

static struct retained judged(const struct pruning *p, const struct snapshot_summary *s)
{
	bool safety = s->reason == SNAPSHOT_SAFETY || s->reason == SNAPSHOT_EMERGENCY;
	return (struct retained){
	    .taken_ms = s->taken_ms,
	    .verified = s->marks.verified_ms && !s->marks.damage,
	    .fixed = s->marks.hold || is_protected(p->o, s->snapshot),
	    .suspect = s->suspect || s->marks.suspect,
	    .safety = safety,
	};
}

static void choose_of_service(struct pruning *p, const char *service, struct retained *scratch)
{
	struct keep_config keep = {0};
	size_t n = 0;
	for (size_t i = 0; i < p->o->rule_count; i++)
		if (text_equal(p->o->rules[i].service, service))
			keep = p->o->rules[i].keep;
	for (size_t i = 0; i < p->all.count; i++) {
		const struct snapshot_summary *s = &LIST_AT(p->all, struct snapshot_summary, i);
		if (text_equal(s->service, service))
			scratch[n++] = judged(p, s);
	}
	retention_choose(scratch, n, &keep, p->o->now_ms);
	n = 0;
	for (size_t i = 0; i < p->all.count; i++)
		if (text_equal(LIST_AT(p->all, struct snapshot_summary, i).service, service))
			p->points[i] = scratch[n++];
}

static enum err_code check_clock(const struct pruning *p, struct err *reterr)
{
	char name[ID_TEXT_MAX];
	for (size_t i = 0; i < p->all.count; i++) {
		const struct snapshot_summary *s = &LIST_AT(p->all, struct snapshot_summary, i);
		if (s->taken_ms > p->o->now_ms + PRUNE_CLOCK_SLACK_MS)
			return err_set(reterr, ERR_STATE,
			    "%s is from the future: this host's clock is wrong, or was; nothing is pruned",
			    id_format(ID_SNAPSHOT, s->snapshot, name));
	}
	return ERR_OK;
}

static enum err_code choose(struct pruning *p, struct err *reterr)
{
	struct list damaged;
	enum err_code rc = snapshot_list(p->repo, NULL, p->arena, &p->all, &damaged, reterr);
	if (rc)
		return rc;
	if (damaged.count)
		return err_set(reterr, ERR_CORRUPT,
		    "%s cannot be read, so what it needs is not known and nothing is pruned: %s",
		    LIST_AT(damaged, struct snapshot_damaged, 0).file,
		    LIST_AT(damaged, struct snapshot_damaged, 0).text);
	p->points = arena_array(p->arena, p->all.count + 1, sizeof *p->points);
	struct retained *scratch = arena_array(p->arena, p->all.count + 1, sizeof *scratch);
	struct id *removed = arena_array(p->arena, p->all.count + 1, sizeof *removed);
	if (!p->points || !scratch || !removed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	rc = check_clock(p, reterr);
	if (rc)
		return rc;
	for (size_t i = 0; i < p->all.count; i++)
		if (!p->points[i].taken_ms)
			choose_of_service(p, LIST_AT(p->all, struct snapshot_summary, i).service, scratch);
	for (size_t i = 0; i < p->all.count; i++)
		if (!p->points[i].keep)
			removed[p->result.removed.count++] = LIST_AT(p->all, struct snapshot_summary, i).snapshot;
	p->result.removed.items = removed;
	return ERR_OK;
}

/* ---- acting ---- */

static enum err_code remove_points(struct pruning *p, struct err *reterr)
{
	struct id *removed = p->result.removed.items;
	size_t count = p->result.removed.count, gone = 0;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < count && !rc; i++) {
		bool held = false;
		rc = manifest_remove_unheld(p->repo, removed[i], &held, reterr);
		if (!rc && !held) /* a hold may have come after we looked */
			removed[gone++] = removed[i];
	}
	p->result.removed.count = gone;
	return rc;
}

/* Packs that the index does not know: a crash's, or a snapshot's that has not committed yet. */
static enum err_code remove_strays(struct pruning *p, uint64_t grace_ms, struct err *reterr)
{
	CLEANUP(cleanup_free) struct pack_id *ids = NULL;
	CLEANUP(cleanup_free) struct index_pack *packs = NULL;
	CLEANUP(index_reader_cleanup) struct index_reader *reader = NULL;
	size_t count = 0, pack_count = 0;
	enum err_code rc = repo_pack_files(p->repo, &ids, &count, reterr);
	if (!rc) /* after the listing, so that what was committed in between is known */
		rc = repo_index_reader(p->repo, &reader, reterr);
	if (!rc)
		rc = index_packs(reader, &packs, &pack_count, reterr);
	for (size_t i = 0; i < count && !rc; i++) {
		char name[PACK_NAME_MAX];
		struct stat st;
		bool known = false;
		for (size_t j = 0; j < pack_count && !known; j++)
			known = !memcmp(packs[j].id.b, ids[i].b, PACK_ID_SIZE);
		if (known || fstatat(p->repo->packs_fd, pack_name(ids[i], ".pack", name), &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if ((uint64_t)st.st_mtim.tv_sec * 1000 + grace_ms > p->o->now_ms)
			continue; /* its snapshot may be about to commit */
		p->result.deleted_packs++;
		p->result.deleted_bytes += (uint64_t)st.st_size;
		if (p->o->apply && unlinkat(p->repo->packs_fd, name, 0))
			rc = err_sys(reterr, errno, "remove packs/%s", name);
	}
	return rc;
}

/* Temporary files of a manifest or mark that a crash left. */
static void remove_temporaries(const struct pruning *p, uint64_t grace_ms)
{
	int fd = openat(p->repo->snapshots_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; p->o->apply && dir && (e = readdir(dir));) {
		struct stat st;
		if (text_starts(e->d_name, ".snap-") &&
		    !fstatat(p->repo->snapshots_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    (uint64_t)st.st_mtim.tv_sec * 1000 + grace_ms <= p->o->now_ms)
			(void)unlinkat(p->repo->snapshots_fd, e->d_name, 0);
	}
}

static enum err_code delete_packs(struct pruning *p, const struct index_pack *packs, size_t count, struct err *reterr)
{
	struct index *index;
	enum err_code rc = repo_index(p->repo, &index, reterr);
	if (!rc)
		rc = index_remove(index, packs, count, reterr);
	for (size_t i = 0; i < count && !rc; i++) {
		char name[PACK_NAME_MAX];
		if (unlinkat(p->repo->packs_fd, pack_name(packs[i].id, ".pack", name), 0) && errno != ENOENT)
			rc = err_sys(reterr, errno, "remove packs/%s", name);
	}
	return rc ? rc : repo_sync_folder(p->repo->packs_fd, "packs", reterr);
}

struct sentence { /* what becomes of packs */
	struct index_pack *changed, *deleted;
	size_t changed_count, deleted_count;
};

static void pass_sentence(struct pruning *p, uint64_t grace_ms, struct sentence *s)
{
	for (size_t i = 0; i < p->pack_count; i++) {
		struct index_pack x = p->packs[i];
		bool used = p->live_bytes[x.number] && !p->repacked[x.number];
		if (used && x.doomed_ms) {
			x.doomed_ms = 0;
			p->result.spared_packs++;
			s->changed[s->changed_count++] = x;
		} else if (!used && !x.doomed_ms) {
			x.doomed_ms = p->o->now_ms;
			p->result.condemned_packs++;
			s->changed[s->changed_count++] = x;
		} else if (!used && x.doomed_ms + grace_ms <= p->o->now_ms) {
			p->result.deleted_packs++;
			p->result.deleted_bytes += x.size;
			s->deleted[s->deleted_count++] = x;
		}
	}
}

static enum err_code collect_garbage(struct pruning *p, struct err *reterr)
{
	uint64_t grace_ms = p->o->grace_ms ? p->o->grace_ms : PRUNE_GRACE_MS;
	struct sentence s = {arena_array(p->arena, p->pack_count + 1, sizeof *s.changed),
	    arena_array(p->arena, p->pack_count + 1, sizeof *s.deleted), 0, 0};
	if (!s.changed || !s.deleted)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	pass_sentence(p, grace_ms, &s);
	struct index *index;
	enum err_code rc = repo_index(p->repo, &index, reterr);
	if (!rc && p->o->apply && s.changed_count)
		rc = index_doom(index, s.changed, s.changed_count, reterr);
	if (!rc && p->o->apply)
		rc = remove_points(p, reterr);
	if (!rc && p->o->apply && s.deleted_count)
		rc = delete_packs(p, s.deleted, s.deleted_count, reterr);
	remove_temporaries(p, grace_ms);
	return rc ? rc : remove_strays(p, grace_ms, reterr);
}

static enum err_code prune(struct pruning *p, struct err *reterr)
{
	enum err_code rc = choose(p, reterr);
	if (!rc)
		rc = prune_find_needs(p, reterr);
	if (!rc)
		rc = prune_repack(p, reterr);
	return rc ? rc : collect_garbage(p, reterr);
}

enum err_code repo_prune(
    struct repo *r, const struct prune_options *o, struct arena *arena, struct prune_result *ret, struct err *reterr)
{
	struct pruning p = {.repo = r, .o = o, .arena = arena};
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = repo_lock_folder(r->packs_fd, LOCK_EX | LOCK_NB, &lock, reterr);
	if (rc)
		return rc == ERR_BUSY ? err_set(reterr, rc, "%s is being pruned already", r->path) : rc;
	rc = prune(&p, reterr);
	map_free(p.pages);
	free(p.packs);
	free(p.live_bytes);
	free(p.all_bytes);
	free(p.repacked);
	free(p.live);
	reader_free(p.reader);
	if (!rc)
		*ret = p.result;
	return rc;
}
