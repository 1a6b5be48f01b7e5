/* Retention and garbage, in two phases.
 *
 * A run first decides which restore points go, then finds the packs that no restore point needs (those that go in this
 * very run still count as needing theirs, for a snapshot in the making may be based on one).  Packs without use are
 * condemned: from then on nothing new leans on them.  A later run deletes them when the grace period is over and they
 * are still without use; it spares those that a snapshot begun before the condemnation came to need.
 *
 * Write order: index (condemned), manifests removed; index (packs forgotten), pack files removed.  A crash leaves a
 * pack without a name in the index, which the next run finds. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/snapshot/findings.h"
#include "agent/snapshot/needs.h"
#include "agent/snapshot/opened.h"
#include "agent/snapshot/retention.h"
#include "shared/base/map.h"
#include "shared/base/text.h"

enum { ARENA_LIMIT = 256 << 20 };

struct pruning {
	struct repo *repo;
	const struct prune_options *o;
	struct arena *arena;
	struct list all;         /* struct snapshot_summary, newest first */
	struct retained *points; /* beside it */
	struct index_pack *packs;
	size_t pack_count;
	uint8_t *used; /* by number */
	size_t used_count;
	struct map *pages; /* tree pages whose entries were counted already */
	struct prune_result result;
};

/* ---- which restore points go ---- */

static bool is_protected(const struct prune_options *o, struct id id)
{
	for (size_t i = 0; i < o->protect_count; i++)
		if (id_equal(o->protect[i], id))
			return true;
	return false;
}

static void choose_of_service(struct pruning *p, const char *service, struct retained *scratch)
{
	size_t n = 0;
	for (size_t i = 0; i < p->all.count; i++) {
		const struct snapshot_summary *s = &LIST_AT(p->all, struct snapshot_summary, i);
		if (strcmp(s->service, service) == 0)
			scratch[n++] = (struct retained){s->taken_ms, s->marks.verified_ms && !s->marks.damage,
			    s->marks.hold || is_protected(p->o, s->snapshot), false};
	}
	retention_choose(scratch, n, &p->o->keep);
	n = 0;
	for (size_t i = 0; i < p->all.count; i++)
		if (strcmp(LIST_AT(p->all, struct snapshot_summary, i).service, service) == 0)
			p->points[i] = scratch[n++];
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
	for (size_t i = 0; i < p->all.count; i++) {
		const struct snapshot_summary *s = &LIST_AT(p->all, struct snapshot_summary, i);
		if (!p->points[i].taken_ms)
			choose_of_service(p, s->service, scratch);
		if (p->o->service && strcmp(p->o->service, s->service) != 0)
			p->points[i].keep = true;
	}
	for (size_t i = 0; i < p->all.count; i++)
		if (!p->points[i].keep)
			removed[p->result.removed.count++] = LIST_AT(p->all, struct snapshot_summary, i).snapshot;
	p->result.removed.items = removed;
	return ERR_OK;
}

/* ---- which packs are needed ---- */

static void use(struct pruning *p, const struct needs *n)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->all[i].place.pack < p->used_count)
			p->used[n->all[i].place.pack] = 1;
}

/* A page that another restore point has too needs the same chunks. */
static enum err_code use_page(struct pruning *p, struct reader *rd, const uint8_t *reference, struct needs *n,
    struct findings *f, struct err *reterr)
{
	struct chunk_id id;
	const uint8_t *page;
	struct tree tree = {0};
	if (map_get(p->pages, reference, CHUNK_ID_SIZE))
		return ERR_OK;
	memcpy(id.b, reference, CHUNK_ID_SIZE);
	enum err_code rc = reader_chunk(rd, &id, reference_size(reference), &page, reterr);
	if (!rc)
		rc = tree_add_loose_page(&tree, page, reference_size(reference), reterr);
	if (!rc)
		rc = needs_add_tree(n, rd, &tree, NULL, 0, "prune", f, reterr);
	tree_done(&tree);
	if (!rc && !map_put(p->pages, reference, CHUNK_ID_SIZE, p))
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	return rc;
}

static enum err_code use_snapshot(
    struct pruning *p, struct reader *rd, struct id id, struct arena *arena, struct findings *f, struct err *reterr)
{
	struct manifest m;
	struct needs n = {0};
	arena_reset(arena);
	enum err_code rc = manifest_read(p->repo, id, arena, &m, reterr);
	for (size_t i = 0; !rc && i < m.trees.count; i++) {
		struct bytes pages = LIST_AT(m.trees, struct manifest_tree, i).pages;
		rc = needs_add_pages(&n, rd, pages, NULL, 0, "prune", f, reterr);
		for (size_t at = 0; !rc && at < pages.size; at += REFERENCE_SIZE)
			rc = use_page(p, rd, pages.data + at, &n, f, reterr);
	}
	use(p, &n);
	needs_done(&n);
	return rc;
}

static enum err_code find_used(struct pruning *p, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(ARENA_LIMIT);
	CLEANUP(reader_cleanup) struct reader *rd = NULL;
	struct findings f;
	p->pages = map_new();
	if (!arena || !p->pages)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	findings_init(&f);
	enum err_code rc = reader_new(p->repo, &rd, reterr);
	if (!rc)
		rc = index_packs(reader_index(rd), &p->packs, &p->pack_count, reterr);
	p->used_count = !rc && p->pack_count ? p->packs[p->pack_count - 1].number + 1u : 0;
	if (!rc && !(p->used = calloc(p->used_count + 1, 1)))
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < p->all.count && !rc; i++)
		rc = use_snapshot(p, rd, LIST_AT(p->all, struct snapshot_summary, i).snapshot, arena, &f, reterr);
	if (!rc && f.count)
		rc = err_set(reterr, ERR_CORRUPT,
		    "the repository is damaged, so nothing is pruned; run `kedge-agent repo check` (%s)",
		    findings_first(&f));
	findings_done(&f);
	return rc;
}

/* ---- acting ---- */

static enum err_code remove_points(struct pruning *p, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < p->result.removed.count && !rc; i++)
		rc = manifest_remove(p->repo, LIST_AT(p->result.removed, struct id, i), reterr);
	return rc;
}

/* Files that the index does not know: a crash left them between rename and commit, or between forgetting and removing.
 */
static enum err_code remove_strays(struct pruning *p, uint64_t grace_ms, struct err *reterr)
{
	CLEANUP(cleanup_free) struct pack_id *ids = NULL;
	size_t count = 0;
	enum err_code rc = repo_pack_files(p->repo, &ids, &count, reterr);
	for (size_t i = 0; i < count && !rc; i++) {
		char name[PACK_NAME_MAX];
		struct stat st;
		bool known = false;
		for (size_t j = 0; j < p->pack_count && !known; j++)
			known = !memcmp(p->packs[j].id.b, ids[i].b, PACK_ID_SIZE);
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
	enum err_code rc = index_remove(p->repo->index, packs, count, reterr);
	for (size_t i = 0; i < count && !rc; i++) {
		char name[PACK_NAME_MAX];
		if (unlinkat(p->repo->packs_fd, pack_name(packs[i].id, ".pack", name), 0) && errno != ENOENT)
			rc = err_sys(reterr, errno, "remove packs/%s", name);
	}
	return rc ? rc : repo_sync_folder(p->repo->packs_fd, "packs", reterr);
}

static enum err_code collect_garbage(struct pruning *p, struct err *reterr)
{
	uint64_t grace_ms = p->o->grace_ms ? p->o->grace_ms : PRUNE_GRACE_MS;
	struct index_pack *changed = arena_array(p->arena, p->pack_count + 1, sizeof *changed);
	struct index_pack *deleted = arena_array(p->arena, p->pack_count + 1, sizeof *deleted);
	size_t changed_count = 0, deleted_count = 0;
	if (!changed || !deleted)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < p->pack_count; i++) {
		struct index_pack x = p->packs[i];
		bool used = p->used[x.number];
		if (used && x.doomed_ms) {
			x.doomed_ms = 0;
			p->result.spared_packs++;
			changed[changed_count++] = x;
		} else if (!used && !x.doomed_ms) {
			x.doomed_ms = p->o->now_ms;
			p->result.condemned_packs++;
			changed[changed_count++] = x;
		} else if (!used && x.doomed_ms + grace_ms <= p->o->now_ms) {
			p->result.deleted_packs++;
			p->result.deleted_bytes += x.size;
			deleted[deleted_count++] = x;
		}
	}
	enum err_code rc = ERR_OK;
	if (p->o->apply && changed_count)
		rc = index_doom(p->repo->index, changed, changed_count, reterr);
	if (!rc && p->o->apply)
		rc = remove_points(p, reterr);
	if (!rc && p->o->apply && deleted_count)
		rc = delete_packs(p, deleted, deleted_count, reterr);
	remove_temporaries(p, grace_ms);
	return rc ? rc : remove_strays(p, grace_ms, reterr);
}

enum err_code repo_prune(
    struct repo *r, const struct prune_options *o, struct arena *arena, struct prune_result *ret, struct err *reterr)
{
	struct pruning p = {.repo = r, .o = o, .arena = arena};
	enum err_code rc = choose(&p, reterr);
	if (!rc)
		rc = find_used(&p, reterr);
	if (!rc)
		rc = collect_garbage(&p, reterr);
	map_free(p.pages);
	free(p.packs);
	free(p.used);
	if (!rc)
		*ret = p.result;
	return rc;
}
