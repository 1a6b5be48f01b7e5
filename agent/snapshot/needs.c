#include "agent/snapshot/needs.h"

#include "agent/snapshot/opened.h"

struct adding {
	struct needs *n;
	struct reader *rd;
	const uint8_t *usable;
	size_t usable_count;
	bool lost; /* of the file at hand */
};

void needs_done(struct needs *n)
{
	free(n->all);
	*n = (struct needs){0};
}

static enum err_code add(struct adding *a, const struct chunk_id *id, uint32_t size, struct err *reterr)
{
	struct needs *n = a->n;
	struct need need = {.id = *id};
	bool there = reader_place(a->rd, id, &need.place) && need.place.size == size &&
		     (!a->usable || (need.place.pack < a->usable_count && a->usable[need.place.pack]));
	if (!there) {
		n->missing++;
		a->lost = true;
		return ERR_OK;
	}
	if (n->count == n->room) {
		size_t room = n->room ? n->room * 2 : 1024;
		struct need *more = realloc(n->all, room * sizeof *more);
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		n->all = more;
		n->room = room;
	}
	n->all[n->count++] = need;
	return ERR_OK;
}

static enum err_code add_reference(void *ctx, const struct chunk_id *id, uint32_t size, bool hole, struct err *reterr)
{
	return hole ? ERR_OK : add(ctx, id, size, reterr);
}

static enum err_code add_file(struct adding *a, const struct tree_block *b, const uint8_t *e, const char *label,
    struct findings *f, struct err *reterr)
{
	char path[PATH_LIMIT], text[TEXT_LINE_MAX / 2];
	struct err why = ERR_INIT;
	a->lost = false;
	enum err_code rc = reader_references(a->rd, e, add_reference, add_reference, a, &why);
	if (rc != ERR_OK && rc != ERR_CORRUPT)
		return err_set(reterr, rc, "%s", why.msg);
	if (rc == ERR_OK && !a->lost)
		return ERR_OK;
	if (!tree_entry_path(b, e, path))
		*path = 0;
	findings_add(f, "%s: %s cannot be restored: %s", label, snapshot_path_text(path, text, sizeof text),
	    a->lost ? "a chunk is in no pack" : why.msg);
	return ERR_OK;
}

enum err_code needs_add_tree(struct needs *n, struct reader *rd, const struct tree *t, const uint8_t *usable,
    size_t usable_count, const char *label, struct findings *f, struct err *reterr)
{
	struct adding a = {n, rd, usable, usable_count, false};
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < t->block_count && !rc; i++) {
		const uint8_t *e = t->blocks[i].entries;
		for (uint32_t j = 0; j < t->blocks[i].count && !rc; j++, e += entry_size(e))
			if (entry_kind(e) == ENTRY_FILE)
				rc = add_file(&a, &t->blocks[i], e, label, f, reterr);
	}
	return rc;
}

enum err_code needs_add_pages(struct needs *n, struct reader *rd, struct bytes pages, const uint8_t *usable,
    size_t usable_count, const char *label, struct findings *f, struct err *reterr)
{
	struct adding a = {n, rd, usable, usable_count, false};
	enum err_code rc = ERR_OK;
	for (size_t at = 0; at < pages.size && !rc; at += REFERENCE_SIZE) {
		struct chunk_id id;
		memcpy(id.b, pages.data + at, CHUNK_ID_SIZE);
		rc = add(&a, &id, reference_size(pages.data + at), reterr);
	}
	if (a.lost)
		findings_add(f, "%s: a part of the list of its files is in no pack", label);
	return rc;
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = &((const struct need *)a)->place, *y = &((const struct need *)b)->place;
	if (x->pack != y->pack)
		return x->pack < y->pack ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

void needs_sort(struct needs *n)
{
	size_t kept = 0;
	if (!n->count)
		return;
	qsort(n->all, n->count, sizeof *n->all, by_place);
	for (size_t i = 1; i < n->count; i++)
		if (by_place(&n->all[kept], &n->all[i]))
			n->all[++kept] = n->all[i];
	n->count = kept + 1;
}
