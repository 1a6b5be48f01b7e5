/* Which packs a restore point leans on. */
#include "agent/snapshot/export.h"

#include "agent/snapshot/catalogue.h"
#include "agent/snapshot/needs.h"
#include "agent/snapshot/opened.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { ARENA_LIMIT = 256 << 20 };
#define REPO_FORMAT_LINE "kedge-repository 1\n" /* as repo.c has it: repo_open() takes what is made here */

const struct keys *repo_keys(const struct repo *r)
{
	return r->keys;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, PACK_ID_SIZE);
}

static enum err_code gather(const struct manifest *m, struct reader *rd, struct needs *n, struct err *reterr)
{
	CLEANUP(findings_done) struct findings f;
	enum err_code rc = ERR_OK;
	findings_init(&f);
	for (size_t i = 0; i < m->trees.count && !rc; i++) {
		const struct manifest_tree *t = &LIST_AT(m->trees, struct manifest_tree, i);
		const char *name = enum_name(&component_enum, t->component);
		struct reader_pages pages = READER_PAGES(t->pages);
		bool more = true;
		rc = needs_add_pages(n, rd, t->pages, NULL, 0, name, &f, reterr);
		while (!rc && (rc = reader_next_page(rd, &pages, &more, reterr)) == ERR_OK && more)
			rc = needs_add_tree(n, rd, &pages.tree, NULL, 0, name, &f, reterr);
		reader_pages_done(&pages);
	}
	if (!rc && f.count)
		rc = err_set(
		    reterr, ERR_CORRUPT, "%s", findings_first(&f) ? findings_first(&f) : "parts of it are in no pack");
	return rc;
}

/* needs are sorted by place, so those of one pack stand together. */
static enum err_code packs_of(
    struct reader *rd, const struct needs *n, struct pack_id **ret, size_t *ret_count, struct err *reterr)
{
	size_t count = 0;
	for (size_t i = 0; i < n->count; i++)
		count += i == 0 || n->all[i].place.pack != n->all[i - 1].place.pack;
	CLEANUP(cleanup_free) struct pack_id *ids = calloc(count + 1, sizeof *ids);
	if (!ids)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	count = 0;
	for (size_t i = 0; i < n->count; i++) {
		struct index_pack about;
		if (i > 0 && n->all[i].place.pack == n->all[i - 1].place.pack)
			continue;
		if (!index_find_pack(reader_index(rd), n->all[i].place.pack, &about))
			return err_set(reterr, ERR_CORRUPT,
			    "the index names a pack that it does not know; run `kedge-agent repo rebuild-index`");
		ids[count++] = about.id;
	}
	qsort(ids, count, sizeof *ids, by_id);
	*ret = TAKE_PTR(ids);
	*ret_count = count;
	return ERR_OK;
}

enum err_code repo_packs_of(
    struct repo *r, struct id snapshot, struct pack_id **ret, size_t *ret_count, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(ARENA_LIMIT);
	CLEANUP(reader_cleanup) struct reader *rd = NULL;
	CLEANUP(needs_done) struct needs n = {0};
	struct manifest m;
	char name[ID_TEXT_MAX];
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = manifest_read(r, snapshot, arena, &m, reterr);
	if (!rc)
		rc = reader_new(r, &rd, reterr);
	if (!rc)
		rc = gather(&m, rd, &n, reterr);
	if (!rc) {
		needs_sort(&n);
		rc = packs_of(rd, &n, ret, ret_count, reterr);
	}
	return rc == ERR_CORRUPT ? err_prefix(reterr, rc, "%s", id_format(ID_SNAPSHOT, snapshot, name)) : rc;
}

enum err_code repo_pack_sound(struct repo *r, struct pack_id pack, struct err *reterr)
{
	CLEANUP(pack_cleanup) struct pack *p = NULL;
	enum err_code rc = pack_open(r->packs_fd, pack, r->keys, &p, reterr);
	return rc ? rc : pack_check_digest(p, reterr);
}

/* ---- a repository from a copy ---- */

static enum err_code path_in(const char *path, const char *name, char out[PATH_LIMIT], struct err *reterr)
{
	return text_format(out, PATH_LIMIT, "%s/%s", path, name)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "%s: the path is too long", path);
}

enum err_code repo_assemble_begin(const char *path, struct err *reterr)
{
	static const char *const names[] = {"keys", "packs", "index", "snapshots"};
	char file[PATH_LIMIT];
	enum err_code rc = path_in(path, "FORMAT", file, reterr);
	if (!rc && file_exists(file))
		rc = err_set(reterr, ERR_EXISTS,
		    "%s is a repository already: restore into another folder, or move it away", path);
	if (!rc)
		rc = file_make_dirs(path, 0700, reterr);
	for (size_t i = 0; !rc && i < sizeof names / sizeof names[0]; i++) {
		rc = path_in(path, names[i], file, reterr);
		if (!rc)
			rc = file_make_dirs(file, 0700, reterr);
	}
	return rc;
}

enum err_code repo_assemble_end(const char *path, const struct keys *k, struct err *reterr)
{
	char file[PATH_LIMIT], hex[2 * 32 + 2];
	enum err_code rc = path_in(path, "keys/repository", file, reterr);
	if (!rc)
		rc = keys_store(k, file, reterr);
	if (!rc)
		rc = path_in(path, "keys/host.pub", file, reterr);
	if (rc)
		return rc;
	strcat(text_hex(keys_public(k), 32, hex), "\n");
	rc = file_replace(file, hex, strlen(hex), 0644, reterr);
	if (!rc)
		rc = catalogue_make(path, k, reterr);
	if (!rc)
		rc = path_in(path, "FORMAT", file, reterr);
	return rc ? rc : file_replace(file, REPO_FORMAT_LINE, strlen(REPO_FORMAT_LINE), 0644, reterr);
}
