/* Taking a restore point. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/snapshot/git.h"
#include "agent/snapshot/opened.h"
#include "agent/snapshot/roots.h"
#include "agent/snapshot/taking.h"
#include "agent/snapshot/versions.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"

enum { BASE_ARENA_LIMIT = 256 << 20, NANO = 1000000000 };

struct snapshot_taking {
	struct repo *repo;
	const struct service_config *service;
	const struct snapshot_options *o;
	struct snapshot_options options; /* a copy, where the caller's are gone before the end */
	uint64_t began_ms;
	struct paged *live[COMPONENT_COUNT]; /* what was read, to be compared with; NULL: not kept */
	struct arena *arena;
	struct store_run *run;
	struct scan_packers packers;
	struct arena *base_arena;
	struct manifest base;
	bool has_base;
	struct buf pages; /* of the component at hand */
	uint64_t page_bytes;
	enum component which; /* the one at hand */
	struct snapshot_progress total;
	struct manifest result;
	struct snapshot_component components[COMPONENT_COUNT];
	struct manifest_tree trees[COMPONENT_COUNT];
	size_t count;
};

static void creating_done(struct snapshot_taking *c)
{
	scan_packers_done(&c->packers);
	store_run_free(c->run);
	arena_free(c->base_arena);
	buf_done(&c->pages);
	for (size_t i = 0; i < COMPONENT_COUNT; i++)
		paged_free(c->live[i]);
}

/* ---- the base: the newest restore point of this service ---- */

static enum err_code find_base(struct snapshot_taking *c, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *ids = NULL;
	size_t count = 0;
	enum err_code rc = manifest_ids(c->repo, &ids, &count, reterr);
	for (size_t i = 0; i < count && !rc && !c->has_base; i++) {
		struct err why = ERR_INIT;
		arena_reset(c->base_arena);
		enum err_code found = manifest_read(c->repo, ids[i], c->base_arena, &c->base, &why);
		if (found == ERR_NOMEM)
			return err_set(reterr, found, "%s", why.msg);
		if (found)
			log_warn("snapshot", "%s", why.msg); /* verify and list name it; here it is only no help */
		c->has_base = !found && !strcmp(c->base.summary.service, c->service->name);
	}
	return rc;
}

static enum err_code open_base(struct snapshot_taking *c, enum component which, struct paged **ret, struct err *reterr)
{
	for (size_t i = 0; c->has_base && i < c->base.trees.count; i++) {
		const struct manifest_tree *t = &LIST_AT(c->base.trees, struct manifest_tree, i);
		if (t->component == (uint32_t)which)
			return paged_of(c->repo, t->pages, PAGED_BASE_BYTES, ret, reterr);
	}
	return ERR_OK;
}

/* ---- one component ---- */

static enum err_code put_page(void *ctx, struct packer *packer, const uint8_t *data, size_t size, struct err *reterr)
{
	struct snapshot_taking *c = ctx;
	struct chunk_id id;
	enum err_code rc = packer_put_page(packer, data, size, &id, reterr);
	if (rc)
		return rc;
	reference_write(&c->pages, &id, (uint32_t)size);
	c->page_bytes += size;
	if (c->pages.failed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return c->live[c->which] ? paged_add(c->live[c->which], data, size, reterr) : ERR_OK;
}

/* A clean work tree that did not change needs no second look. */
static bool is_dirty(
    const struct snapshot_taking *c, const char *worktree, enum component which, const struct digest *digest)
{
	const struct snapshot_component *before =
	    c->has_base ? snapshot_summary_component(&c->base.summary, which) : NULL;
	if (before && !memcmp(before->digest.b, digest->b, sizeof digest->b))
		return before->dirty;
	return git_dirty(worktree);
}

static enum err_code copy_globs(struct arena *arena, const struct list *from, struct list *ret, struct err *reterr)
{
	if (!from || !from->count)
		return ERR_OK;
	const char **copy = arena_array(arena, from->count, sizeof *copy);
	for (size_t i = 0; copy && i < from->count; i++)
		if (!(copy[i] = arena_strdup(arena, LIST_AT(*from, const char *, i))))
			copy = NULL;
	if (!copy)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*ret = (struct list){copy, from->count};
	return ERR_OK;
}

static enum err_code record_component(struct snapshot_taking *c, enum component which,
    const struct component_roots *roots, const struct scan_counts *counts, const struct scan_totals *totals,
    struct err *reterr)
{
	struct snapshot_component *out = &c->components[c->count];
	*out = (struct snapshot_component){
	    .component = which,
	    .digest = totals->digest,
	    .entries = totals->entries,
	    .files = totals->files,
	    .size_bytes = totals->bytes,
	    .torn = counts->torn,
	    .vanished = counts->vanished,
	    .version = roots->version,
	    .dirty = roots->git && is_dirty(c, roots->git, which, &totals->digest),
	    .roots = roots->roots,
	};
	uint8_t *pages = arena_dup(c->arena, c->pages.data, c->pages.size);
	if (!pages)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	c->trees[c->count] = (struct manifest_tree){which, c->page_bytes, {pages, c->pages.size}};
	c->count++;
	c->result.summary.size_bytes += totals->bytes;
	c->result.summary.read_files += counts->read_files;
	return copy_globs(c->arena, roots->exclude, &out->exclude, reterr);
}

static enum err_code take_component(struct snapshot_taking *c, enum component which, struct err *reterr)
{
	struct component_roots roots;
	struct scan_counts counts;
	struct scan_totals totals;
	CLEANUP(paged_cleanup) struct paged *base = NULL;
	const struct component_config *now = components_get(&c->service->components, which);
	enum err_code rc =
	    c->o->like ? roots_like(snapshot_about(c->o->like), which, c->o->sources, c->o->source_count, c->arena,
			     &roots, &c->result.summary.absent, reterr)
		       : roots_declared(now, which, c->o->sources, c->o->source_count, c->arena, &roots, reterr);
	if (!rc && c->o->aside_count)
		rc = roots_read_aside(&roots, c->o->asides, c->o->aside_count, c->arena, reterr);
	if (rc || !roots.roots.count) /* nothing of it is there: all of it is absent */
		return rc;
	buf_clear(&c->pages);
	c->page_bytes = 0;
	c->which = which;
	rc = open_base(c, which, &base, reterr);
	if (rc)
		return rc;
	struct scan_options o = {
	    .repo = c->repo,
	    .run = c->run,
	    .mode = SCAN_READ,
	    .roots = roots.scan,
	    .root_count = roots.roots.count,
	    .exclude = roots.exclude,
	    .exclude_too = c->o->like && now ? &now->exclude : NULL,
	    .base = base,
	    .cut = base,
	    .trust_base = store_run_intact(c->run),
	    .put = put_page,
	    .put_ctx = c,
	    .workers = c->o->workers,
	    .progress = c->o->progress,
	    .progress_ctx = c->o->progress_ctx,
	    .total = &c->total,
	    .cancel = c->o->cancel,
	};
	rc = scan_run(&o, &c->packers, &counts, &totals, reterr);
	return rc ? rc : record_component(c, which, &roots, &counts, &totals, reterr);
}

/* ---- the whole ---- */

static bool is_wanted(const struct snapshot_taking *c, enum component which)
{
	if (c->o->components)
		return c->o->components & 1u << which;
	if (components_get(&c->service->components, which))
		return true;
	for (size_t i = 0; i < c->o->source_count; i++)
		if (c->o->sources[i].component == which)
			return true;
	return false;
}

static enum err_code take_components(struct snapshot_taking *c, struct err *reterr)
{
	for (int which = 0; which < COMPONENT_COUNT; which++) {
		if (!is_wanted(c, (enum component)which))
			continue;
		enum err_code rc = take_component(c, (enum component)which, reterr);
		if (rc == ERR_CANCELLED)
			return rc;
		if (rc)
			return err_prefix(reterr, rc, "no snapshot of %s: %s", c->service->name,
			    enum_name(&component_enum, (uint32_t)which));
	}
	return c->count || c->result.summary.absent.count
		   ? ERR_OK
		   : err_set(reterr, ERR_INVALID, "no snapshot of %s: it declares no component", c->service->name);
}

static enum err_code fill_summary(struct snapshot_taking *c, struct err *reterr)
{
	struct snapshot_summary *s = &c->result.summary;
	struct random random;
	random_init_system(&random);
	s->snapshot = id_is_zero(c->o->id) ? id_new(c->o->now_ms, &random) : c->o->id;
	s->host = arena_strdup(c->arena, keys_host(c->repo->keys));
	s->service = arena_strdup(c->arena, c->service->name);
	s->reason = c->o->reason;
	s->suspect = c->o->suspect || c->o->reason == SNAPSHOT_EMERGENCY || c->o->reason == SNAPSHOT_SAFETY;
	s->taken_ms = c->o->now_ms;
	s->agent_version = KEDGE_VERSION;
	return s->host && s->service ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

/* The lists so far live in c; the summary that goes out must not. */
static bool has_taken(const struct snapshot_taking *c, uint32_t which)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->components[i].component == which)
			return true;
	return false;
}

static enum err_code carry_component(struct snapshot_taking *c, const struct snapshot_component *from,
    const struct manifest_tree *tree, struct err *reterr)
{
	size_t at = c->count;
	struct snapshot_component copy;
	uint8_t *pages = arena_dup(c->arena, tree->pages.data, tree->pages.size);
	enum err_code rc = pages ? record_copy(&snapshot_component_type, from, c->arena, &copy, reterr)
				 : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc)
		return rc;
	for (; at > 0 && c->components[at - 1].component > from->component; at--) {
		c->components[at] = c->components[at - 1];
		c->trees[at] = c->trees[at - 1];
	}
	c->components[at] = copy;
	c->trees[at] = (struct manifest_tree){tree->component, tree->bytes, {pages, tree->pages.size}};
	c->count++;
	c->result.summary.size_bytes += from->size_bytes;
	return ERR_OK;
}

/* What it needs is kept by the restore point that it comes from. */
static enum err_code carry_over(struct snapshot_taking *c, struct err *reterr)
{
	const struct manifest *m = c->o->carry ? &c->o->carry->manifest : NULL;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; m && i < m->trees.count && i < m->summary.components.count && !rc; i++) {
		const struct snapshot_component *from = &LIST_AT(m->summary.components, struct snapshot_component, i);
		if (!has_taken(c, from->component))
			rc = carry_component(c, from, &LIST_AT(m->trees, struct manifest_tree, i), reterr);
	}
	return rc;
}

static enum err_code keep_lists(struct snapshot_taking *c, struct err *reterr)
{
	enum err_code rc = carry_over(c, reterr);
	if (rc)
		return rc;
	struct snapshot_component *components = arena_dup(c->arena, c->components, c->count * sizeof *components);
	if (!components)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	c->result.summary.components = (struct list){components, c->count};
	c->result.trees = (struct list){c->trees, c->count};
	return versions_gather(
	    c->service, c->o->versions, c->o->version_count, c->arena, &c->result.summary.versions, reterr);
}

static enum err_code begin(struct snapshot_taking *c, struct err *reterr)
{
	c->began_ms = clock_mono_ms();
	c->pages.limit = MANIFEST_SIZE_MAX;
	c->base_arena = arena_new(BASE_ARENA_LIMIT);
	if (!c->base_arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	repo_sweep(c->repo);
	enum err_code rc = fill_summary(c, reterr);
	if (!rc)
		rc = store_run_new(c->repo, true, &c->run, reterr);
	if (!rc)
		rc = find_base(c, reterr);
	return rc ? rc : take_components(c, reterr);
}

/* Packs, index, manifest: each durable before the next (repo.h). */
static enum err_code finish(struct snapshot_taking *c, struct err *reterr)
{
	enum err_code rc = keep_lists(c, reterr);
	if (!rc)
		rc = scan_packers_finish(&c->packers, reterr);
	if (!rc)
		rc = store_run_commit(c->run, reterr);
	if (!rc)
		rc = store_run_still_there(c->run, reterr);
	if (rc)
		return rc;
	c->result.summary.stored_bytes = store_run_bytes(c->run);
	c->result.summary.took_ms = clock_mono_ms() - c->began_ms;
	/* Longer than this, and prune might have taken away what the beginning leaned on. */
	if (c->result.summary.took_ms > PRUNE_GRACE_MS / 2)
		return err_set(reterr, ERR_TIMEOUT,
		    "no snapshot of %s: it took longer than %d h; take its components apart", c->service->name,
		    PRUNE_GRACE_MS / 2 / (60 * 60 * 1000));
	return manifest_write(c->repo, &c->result, reterr);
}

enum err_code snapshot_create(struct repo *r, const struct service_config *service, const struct snapshot_options *o,
    struct arena *arena, struct snapshot_summary *ret, struct err *reterr)
{
	struct snapshot_taking c = {.repo = r, .service = service, .o = o, .arena = arena};
	enum err_code rc = begin(&c, reterr);
	if (!rc)
		rc = finish(&c, reterr);
	creating_done(&c);
	if (!rc)
		*ret = c.result.summary;
	return rc;
}

/* ---- in two halves ---- */

enum err_code snapshot_begin(struct repo *r, const struct service_config *service, const struct snapshot_options *o,
    struct arena *arena, struct snapshot_taking **ret, struct err *reterr)
{
	struct snapshot_taking *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*c = (struct snapshot_taking){.repo = r, .service = service, .options = *o, .arena = arena};
	c->o = &c->options;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < COMPONENT_COUNT && !rc; i++)
		rc = paged_made(r, PAGED_LIVE_BYTES, &c->live[i], reterr);
	if (!rc)
		rc = begin(c, reterr);
	if (rc)
		snapshot_taking_free(c);
	else
		*ret = c;
	return rc;
}

enum err_code snapshot_finish(struct snapshot_taking *c, struct snapshot_summary *ret, struct err *reterr)
{
	enum err_code rc = finish(c, reterr);
	scan_packers_done(&c->packers); /* they hold some megabytes, and a view of the index as it was */
	if (!rc)
		*ret = c->result.summary;
	return rc;
}

void snapshot_taking_free(struct snapshot_taking *c)
{
	if (!c)
		return;
	creating_done(c);
	free(c);
}

struct paged *taking_tree(const struct snapshot_taking *c, enum component which)
{
	return c->live[which];
}

const struct snapshot_component *taking_about(const struct snapshot_taking *c, enum component which)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->components[i].component == (uint32_t)which)
			return &c->components[i];
	return NULL;
}

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * NANO + t.tv_nsec;
}

bool snapshot_taking_lookup(const struct snapshot_taking *t, enum component component, uint32_t root, const char *path,
    struct snapshot_entry *ret)
{
	const uint8_t *e = paged_lookup(t->live[component], root, path);
	return e && snapshot_entry_fill(taking_about(t, component), component, root, path, e, ret);
}

static bool is_still(const uint8_t *e, unsigned doubtful, int dirfd, const char *name)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return !e && errno == ENOENT;
	bool sized = e && (entry_kind(e) == ENTRY_FILE || entry_kind(e) == ENTRY_SYMLINK);
	return e && !(entry_flags(e) & doubtful) && entry_inode(e) == st.st_ino &&
	       entry_ctime(e) == nanoseconds(st.st_ctim) && entry_mtime(e) == nanoseconds(st.st_mtim) &&
	       (!sized || entry_length(e) == (uint64_t)st.st_size);
}

bool snapshot_taking_still(const struct snapshot_taking *t, enum component component, uint32_t root, const char *path,
    int dirfd, const char *name)
{
	return is_still(paged_lookup(t->live[component], root, path), ENTRY_TORN | ENTRY_RACY, dirfd, name);
}

bool snapshot_as_read(
    const struct snapshot *s, enum component component, uint32_t root, const char *path, int dirfd, const char *name)
{
	return is_still(paged_lookup(s->trees[component], root, path), ENTRY_TORN, dirfd, name);
}

bool snapshot_same_content(const struct snapshot_entry *a, const struct snapshot_entry *b)
{
	return entry_same_content(a->raw, b->raw);
}

bool snapshot_same_metadata(const struct snapshot_entry *a, const struct snapshot_entry *b)
{
	return entry_same_metadata(a->raw, b->raw);
}
