/* An opened restore point and the way through its entries. */
#include "agent/snapshot/opened.h"

#include "shared/base/text.h"

enum { ARENA_LIMIT = 256 << 20 };

enum err_code snapshot_load(struct snapshot *s, uint32_t components, struct err *reterr)
{
	char name[ID_TEXT_MAX];
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < s->manifest.trees.count && !rc; i++) {
		const struct manifest_tree *t = &LIST_AT(s->manifest.trees, struct manifest_tree, i);
		if (!(components & ~s->loaded & 1u << t->component))
			continue;
		rc = paged_of(s->repo, t->pages, PAGED_OPEN_BYTES, &s->trees[t->component], reterr);
		if (!rc)
			rc = paged_check(s->trees[t->component], reterr);
		if (rc)
			rc = err_prefix(reterr, rc, "%s: component %s",
			    id_format(ID_SNAPSHOT, s->manifest.summary.snapshot, name),
			    enum_name(&component_enum, t->component));
		else
			s->loaded |= 1u << t->component;
	}
	return rc;
}

enum err_code snapshot_open_about(struct repo *r, struct id id, struct snapshot **ret, struct err *reterr)
{
	struct snapshot *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	s->repo = r;
	s->arena = arena_new(ARENA_LIMIT);
	enum err_code rc = s->arena ? manifest_read(r, id, s->arena, &s->manifest, reterr)
				    : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc) {
		snapshot_close(s);
		return rc;
	}
	*ret = s;
	return ERR_OK;
}

enum err_code snapshot_open(struct repo *r, struct id id, struct snapshot **ret, struct err *reterr)
{
	struct snapshot *s = NULL;
	enum err_code rc = snapshot_open_about(r, id, &s, reterr);
	if (!rc)
		rc = snapshot_load(s, (1u << COMPONENT_COUNT) - 1, reterr);
	if (rc) {
		snapshot_close(s);
		return rc;
	}
	*ret = s;
	return ERR_OK;
}

void snapshot_close(struct snapshot *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < COMPONENT_COUNT; i++)
		paged_free(s->trees[i]);
	arena_free(s->arena);
	free(s);
}

const struct snapshot_summary *snapshot_about(const struct snapshot *s)
{
	return &s->manifest.summary;
}

const struct snapshot_root *snapshot_root_of(const struct snapshot *s, enum component component, uint32_t root)
{
	const struct snapshot_component *c = snapshot_summary_component(&s->manifest.summary, component);
	return c && root < c->roots.count ? &LIST_AT(c->roots, struct snapshot_root, root) : NULL;
}

/* ---- entries ---- */

bool snapshot_entry_fill(const struct snapshot_component *about, enum component component, uint32_t root,
    const char *path, const uint8_t *e, struct snapshot_entry *ret)
{
	const struct snapshot_root *r =
	    about && root < about->roots.count ? &LIST_AT(about->roots, struct snapshot_root, root) : NULL;
	if (!r)
		return false;
	*ret = (struct snapshot_entry){
	    .component = component,
	    .root = root,
	    .root_path = r->path,
	    .path = path,
	    .type = entry_kind(e),
	    .mode = entry_mode(e),
	    .uid = entry_uid(e),
	    .gid = entry_gid(e),
	    .size = entry_length(e),
	    .mtime_ns = entry_mtime(e),
	    .sparse = entry_flags(e) & ENTRY_SPARSE,
	    .torn = entry_flags(e) & ENTRY_TORN,
	    .raw = e,
	};
	if (ret->type == ENTRY_CHARACTER || ret->type == ENTRY_BLOCK)
		ret->device = entry_link(e);
	else
		ret->link = entry_link(e);
	if (ret->type == ENTRY_SYMLINK)
		ret->target = (const char *)entry_extra(e);
	return true;
}

bool tree_entry_path(const struct tree_block *b, const uint8_t *e, char out[PATH_LIMIT])
{
	if (b->root == TREE_ROOTS) {
		*out = 0;
		return true;
	}
	size_t folder = b->path_size + (b->path_size ? 1u : 0u), name = entry_name_size(e);
	if (folder + name >= PATH_LIMIT)
		return false;
	memcpy(out, b->path, b->path_size);
	if (folder)
		out[folder - 1] = '/';
	memcpy(out + folder, entry_name(e), name);
	out[folder + name] = 0;
	return true;
}

/* On to the next block, if the one at hand has no more entries.  False: there is none. */
static bool settle(struct paged *tree, struct snapshot_cursor *c)
{
	while (!c->left) {
		struct paged_slot *slot = c->slot;
		if (!slot || ++c->block == slot->tree.block_count) {
			if (slot)
				paged_let_go(tree, slot);
			c->slot = slot = NULL;
			if (c->page == paged_count(tree))
				return false;
			if (paged_hold(tree, c->page, &slot, NULL)) {
				c->failed = true;
				return false;
			}
			c->slot = slot;
			c->page++;
			c->block = 0;
		}
		c->entry = slot->tree.blocks[c->block].entries;
		c->left = slot->tree.blocks[c->block].count;
	}
	return true;
}

bool snapshot_next(const struct snapshot *s, struct snapshot_cursor *c, struct snapshot_entry *ret)
{
	const struct snapshot_component *about = snapshot_summary_component(&s->manifest.summary, c->component);
	while (settle(s->trees[c->component], c)) {
		const struct paged_slot *slot = c->slot;
		const struct tree_block *b = &slot->tree.blocks[c->block];
		const uint8_t *e = c->entry;
		/* The entries of the first block, which may be continued, are the roots in order. */
		uint32_t root = b->root == TREE_ROOTS ? c->roots++ : b->root;
		c->entry += entry_size(e);
		c->left--;
		if (tree_entry_path(b, e, c->path) && snapshot_entry_fill(about, c->component, root, c->path, e, ret))
			return true;
	}
	return false;
}

void snapshot_cursor_done(const struct snapshot *s, struct snapshot_cursor *c)
{
	paged_let_go(s->trees[c->component], c->slot);
	c->slot = NULL;
}

bool snapshot_lookup(
    const struct snapshot *s, enum component component, uint32_t root, const char *path, struct snapshot_entry *ret)
{
	const uint8_t *e = paged_lookup(s->trees[component], root, path);
	return e && snapshot_entry_fill(
			snapshot_summary_component(&s->manifest.summary, component), component, root, path, e, ret);
}

char *snapshot_path_text(const char *path, char *out, size_t size)
{
	size_t n = strlen(path), used = 0;
	for (size_t i = 0; i < n;) {
		size_t length = text_utf8_length(path + i, n - i);
		unsigned char c = (unsigned char)path[i];
		bool plain = length && c >= 0x20 && c != 0x7f && c != '\\';
		if (used + 5 > size)
			break;
		if (plain) {
			memcpy(out + used, path + i, length);
			used += length;
			i += length;
		} else {
			used += (size_t)snprintf(out + used, size - used, "\\x%02x", c);
			i++;
		}
	}
	if (size)
		out[used] = 0;
	return out;
}
