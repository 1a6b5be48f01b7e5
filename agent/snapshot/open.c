/* An opened restore point and the way through its entries. */
#include "agent/snapshot/opened.h"

#include "shared/base/text.h"

enum { ARENA_LIMIT = 256 << 20 };

static enum err_code load_trees(struct snapshot *s, struct err *reterr)
{
	CLEANUP(reader_cleanup) struct reader *rd = NULL;
	enum err_code rc = reader_new(s->repo, &rd, reterr);
	for (size_t i = 0; i < s->manifest.trees.count && !rc; i++) {
		const struct manifest_tree *t = &LIST_AT(s->manifest.trees, struct manifest_tree, i);
		rc = reader_tree(rd, t->pages, &s->trees[t->component], reterr);
		if (rc)
			rc = err_prefix(reterr, rc, "component %s", enum_name(&component_enum, t->component));
	}
	return rc;
}

enum err_code snapshot_open(struct repo *r, struct id id, struct snapshot **ret, struct err *reterr)
{
	char name[ID_TEXT_MAX];
	struct snapshot *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	s->repo = r;
	s->arena = arena_new(ARENA_LIMIT);
	enum err_code rc = s->arena ? manifest_read(r, id, s->arena, &s->manifest, reterr)
				    : err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc && (rc = load_trees(s, reterr)))
		rc = err_prefix(reterr, rc, "%s", id_format(ID_SNAPSHOT, id, name));
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
		tree_done(&s->trees[i]);
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
	return text_format(out, PATH_LIMIT, "%.*s%s%.*s", (int)b->path_size, (const char *)b->path,
	    b->path_size ? "/" : "", (int)entry_name_size(e), (const char *)entry_name(e));
}

bool snapshot_next(const struct snapshot *s, struct snapshot_cursor *c, struct snapshot_entry *ret)
{
	const struct tree *t = &s->trees[c->component];
	if (!c->began) {
		c->began = true;
		c->block = c->at = c->left = 0;
		c->left = t->block_count ? t->blocks[0].count : 0;
	}
	while (c->block < t->block_count) {
		const struct tree_block *b = &t->blocks[c->block];
		if (!c->left) {
			c->block++;
			c->at = 0;
			c->left = c->block < t->block_count ? t->blocks[c->block].count : 0;
			continue;
		}
		const uint8_t *e = b->entries + c->at;
		uint32_t root = b->root;
		if (b->root == TREE_ROOTS) /* its entries are the roots, in order; the block may be continued */
			root = c->roots++;
		c->at += entry_size(e);
		c->left--;
		if (tree_entry_path(b, e, c->path) &&
		    snapshot_entry_fill(snapshot_summary_component(&s->manifest.summary, c->component), c->component,
			root, c->path, e, ret))
			return true;
	}
	return false;
}

const uint8_t *tree_root_entry(const struct tree *t, uint32_t root)
{
	for (size_t i = 0; i < t->block_count && t->blocks[i].root == TREE_ROOTS; i++) {
		const struct tree_block *b = &t->blocks[i];
		if (root < b->count) {
			const uint8_t *e = b->entries;
			while (root--)
				e += entry_size(e);
			return e;
		}
		root -= b->count;
	}
	return NULL;
}

bool snapshot_lookup(
    const struct snapshot *s, enum component component, uint32_t root, const char *path, struct snapshot_entry *ret)
{
	const struct tree *t = &s->trees[component];
	const uint8_t *e;
	if (!*path) {
		e = tree_root_entry(t, root);
	} else {
		const char *slash = strrchr(path, '/');
		const char *name = slash ? slash + 1 : path;
		e = root < TREE_ROOTS
			? tree_find(t, (uint16_t)root, path, slash ? (size_t)(slash - path) : 0, name, strlen(name))
			: NULL;
	}
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
