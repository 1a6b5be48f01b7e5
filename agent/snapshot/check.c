/* The whole repository against itself: packs, index, manifests. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/snapshot/catalogue.h"
#include "agent/snapshot/findings.h"
#include "agent/snapshot/needs.h"
#include "agent/snapshot/opened.h"
#include "agent/snapshot/upkeep.h"
#include "shared/base/text.h"

enum { ARENA_LIMIT = 256 << 20 };

struct checking {
	struct repo *repo;
	const struct repo_check_options *o;
	struct findings findings;
	struct repo_check_result result;
	struct index_pack *packs; /* that the index knows, by number */
	size_t pack_count;
	uint8_t *good; /* by number: the file is there and sound */
	size_t good_count;
	uint32_t *placed; /* by number: chunks that the index places there */
	struct reader *reader;
};

static bool cancelled(const struct checking *c)
{
	return c->o->cancel && atomic_load(c->o->cancel);
}

/* ---- the index ---- */

static bool count_place(void *ctx, const struct chunk_id *id, const struct place *place)
{
	struct checking *c = ctx;
	(void)id;
	c->result.chunks++;
	if (place->pack < c->good_count)
		c->placed[place->pack]++;
	return true;
}

static enum err_code load_index(struct checking *c, struct err *reterr)
{
	enum err_code rc = reader_new(c->repo, &c->reader, reterr);
	if (!rc)
		rc = index_packs(reader_index(c->reader), &c->packs, &c->pack_count, reterr);
	if (rc)
		return rc;
	c->good_count = c->pack_count ? c->packs[c->pack_count - 1].number + 1u : 0;
	c->good = calloc(c->good_count + 1, sizeof *c->good);
	c->placed = calloc(c->good_count + 1, sizeof *c->placed);
	if (!c->good || !c->placed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return index_each(reader_index(c->reader), count_place, c, reterr);
}

static const struct index_pack *known_pack(const struct checking *c, const struct pack_id *id)
{
	for (size_t i = 0; i < c->pack_count; i++)
		if (!memcmp(c->packs[i].id.b, id->b, PACK_ID_SIZE))
			return &c->packs[i];
	return NULL;
}

/* ---- packs ---- */

static bool is_placed(
    struct checking *c, uint32_t number, const struct pack_segment *s, uint32_t at, const struct pack_chunk *chunk)
{
	struct place p;
	return reader_place(c->reader, &chunk->id, &p) && p.pack == number && p.offset == s->offset && p.at == at &&
	       p.size == chunk->size && p.sealed_size == s->sealed_size && p.raw_size == s->raw_size;
}

/* Every chunk of the pack as the index has it, or elsewhere: a chunk may be stored twice, but what the index says of
 * this pack is true. */
static void compare_with_index(struct checking *c, const struct index_pack *known, const struct pack_index *x)
{
	size_t chunk = 0;
	uint32_t matched = 0, placed = c->placed[known->number];
	for (uint32_t i = 0; i < x->segment_count; i++) {
		uint32_t at = 0;
		for (uint32_t j = 0; j < x->segments[i].chunk_count; at += x->chunks[chunk++].size, j++)
			matched += is_placed(c, known->number, &x->segments[i], at, &x->chunks[chunk]);
	}
	if (matched != placed)
		findings_add(&c->findings,
		    "index: %u places in pack %u are wrong; run `kedge-agent repo rebuild-index`", placed - matched,
		    known->number);
}

struct decoding {
	struct unpacker *unpacker;
	uint8_t *raw;
	struct namer *namer;
};

static void decoding_done(struct decoding *d)
{
	unpacker_free(d->unpacker);
	free(d->raw);
	namer_free(d->namer);
}

static enum err_code read_data(struct checking *c, struct pack *pack, const struct pack_index *x, const char *name,
    bool *ret_good, struct err *reterr)
{
	struct decoding d = {.raw = malloc(SEGMENT_RAW_MAX)};
	enum err_code rc = d.raw ? unpacker_new(&d.unpacker, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = namer_new(c->repo->keys, &d.namer, reterr);
	size_t chunk = 0;
	for (uint32_t i = 0; i < x->segment_count && !rc && !cancelled(c); i++) {
		const struct pack_segment *s = &x->segments[i];
		struct err why = ERR_INIT;
		enum err_code read =
		    pack_read_segment(pack, s->offset, s->sealed_size, s->raw_size, d.unpacker, d.raw, &why);
		uint32_t offset = 0;
		if (read) {
			findings_add(&c->findings, "%s", why.msg);
			*ret_good = false;
		}
		for (uint32_t j = 0; j < s->chunk_count; j++, chunk++) {
			struct chunk_id id;
			if (!read)
				namer_name(d.namer, d.raw + offset, x->chunks[chunk].size, &id);
			if (!read && memcmp(id.b, x->chunks[chunk].id.b, CHUNK_ID_SIZE)) {
				findings_add(
				    &c->findings, "packs/%s at %u: a chunk is not what its name says", name, s->offset);
				*ret_good = false;
			}
			offset += x->chunks[chunk].size;
		}
	}
	decoding_done(&d);
	return rc;
}

static enum err_code check_pack(struct checking *c, struct pack_id id, struct err *reterr)
{
	char name[PACK_NAME_MAX];
	const struct index_pack *known = known_pack(c, &id);
	CLEANUP(pack_cleanup) struct pack *pack = NULL;
	struct pack_index x = {0};
	struct err why = ERR_INIT;
	bool good = true;
	pack_name(id, ".pack", name);
	enum err_code rc = pack_open(c->repo->packs_fd, id, c->repo->keys, &pack, &why);
	if (!rc)
		rc = pack_read_index(pack, &x, &why);
	if (!rc)
		rc = pack_check_digest(pack, &why);
	if (rc == ERR_NOMEM) {
		pack_index_done(&x);
		return err_set(reterr, rc, "out of memory");
	}
	if (rc)
		findings_add(&c->findings, "%s", why.msg);
	else
		c->result.bytes += pack_size(pack);
	good = !rc;
	rc = ERR_OK;
	if (good && known)
		compare_with_index(c, known, &x);
	if (good && c->o->read_data)
		rc = read_data(c, pack, &x, name, &good, reterr);
	if (known)
		c->good[known->number] = good;
	else if (good)
		c->result.unreferenced_packs++;
	c->result.packs++;
	pack_index_done(&x);
	return rc;
}

static enum err_code check_packs(struct checking *c, struct err *reterr)
{
	CLEANUP(cleanup_free) struct pack_id *ids = NULL;
	size_t count = 0;
	enum err_code rc = repo_pack_files(c->repo, &ids, &count, reterr);
	for (size_t i = 0; i < count && !rc && !cancelled(c); i++) {
		rc = check_pack(c, ids[i], reterr);
		findings_tell(&c->findings, c->o->on_finding, c->o->ctx);
	}
	for (size_t i = 0; i < c->pack_count && !rc; i++) {
		char name[PACK_NAME_MAX];
		bool there = false;
		for (size_t j = 0; j < count && !there; j++)
			there = !memcmp(ids[j].b, c->packs[i].id.b, PACK_ID_SIZE);
		if (!there)
			findings_add(&c->findings, "packs/%s is missing", pack_name(c->packs[i].id, ".pack", name));
	}
	return rc;
}

/* ---- names that do not belong here ---- */

static void check_names(struct checking *c, int folder_fd, const char *folder, const char *const *suffixes)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir));) {
		bool fine =
		    e->d_name[0] == '.' ||
		    (folder_fd == c->repo->snapshots_fd &&
			text_equal(e->d_name, CATALOGUE_NAME)); /* temporary files of a replacement begin with a dot */
		for (const char *const *s = suffixes; *s && !fine; s++) {
			struct pack_id pack;
			fine = text_ends(e->d_name, *s) &&
			       (folder_fd != c->repo->packs_fd || pack_name_parse(e->d_name, *s, &pack));
		}
		if (!fine)
			findings_add(&c->findings, "%s/%s does not belong there", folder, e->d_name);
	}
}

/* ---- restore points ---- */

/* Only whether each is there counts here, so none is remembered. */
static enum err_code check_page(struct checking *c, const struct tree *tree, const char *name, struct err *reterr)
{
	struct needs needs = {0};
	enum err_code rc = needs_add_tree(&needs, c->reader, tree, c->good, c->good_count, name, &c->findings, reterr);
	needs_done(&needs);
	return rc;
}

static enum err_code check_tree(struct checking *c, const struct manifest_tree *t, const char *name, struct err *reterr)
{
	struct reader_pages pages = READER_PAGES(t->pages);
	struct err why = ERR_INIT;
	bool more = true;
	enum err_code rc = ERR_OK;
	while (!rc && (rc = reader_next_page(c->reader, &pages, &more, &why)) == ERR_OK && more)
		rc = check_page(c, &pages.tree, name, &why);
	reader_pages_done(&pages);
	if (rc == ERR_CORRUPT) {
		findings_add(&c->findings, "%s: %s: %s", name, enum_name(&component_enum, t->component), why.msg);
		return ERR_OK;
	}
	return rc ? err_set(reterr, rc, "%s", why.msg) : ERR_OK;
}

static enum err_code check_trees(struct checking *c, const struct manifest *m, const char *name, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < m->trees.count && !rc; i++)
		rc = check_tree(c, &LIST_AT(m->trees, struct manifest_tree, i), name, reterr);
	return rc;
}

static enum err_code check_snapshot(struct checking *c, struct id id, struct arena *arena, struct err *reterr)
{
	char name[ID_TEXT_MAX];
	struct manifest m;
	struct err why = ERR_INIT;
	uint64_t before = c->findings.count;
	arena_reset(arena);
	c->result.snapshots++;
	enum err_code rc = manifest_read(c->repo, id, arena, &m, &why);
	if (rc == ERR_NOT_FOUND)
		return ERR_OK;
	if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED)
		findings_add(&c->findings, "%s", why.msg);
	else if (rc)
		return err_set(reterr, rc, "%s", why.msg);
	else if ((rc = check_trees(c, &m, id_format(ID_SNAPSHOT, id, name), reterr)))
		return rc;
	else if (m.summary.marks.damage)
		findings_add(&c->findings, "%s: %s", id_format(ID_SNAPSHOT, id, name), m.summary.marks.damage);
	if (c->findings.count > before)
		c->result.damaged_snapshots++;
	return ERR_OK;
}

static enum err_code check_catalogue(struct checking *c, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *missing = NULL;
	size_t count = 0;
	char name[ID_TEXT_MAX];
	struct err why = ERR_INIT;
	enum err_code rc = catalogue_missing(c->repo, &missing, &count, &why);
	for (size_t i = 0; i < count && !rc; i++) {
		findings_add(&c->findings,
		    "snapshots/%s.manifest is missing: it was taken away from there (put it back, or accept the loss "
		    "with "
		    "`kedge-agent repo rebuild-index`)",
		    id_format(ID_SNAPSHOT, missing[i], name));
		c->result.damaged_snapshots++;
	}
	if (rc == ERR_CORRUPT || (rc == ERR_NOT_FOUND && c->result.snapshots))
		findings_add(&c->findings,
		    "%s: whether restore points were taken away is not known; `kedge-agent repo rebuild-index` makes "
		    "it anew from those "
		    "that are there",
		    why.msg);
	else if (rc && rc != ERR_NOT_FOUND)
		return err_set(reterr, rc, "%s", why.msg);
	return ERR_OK;
}

static enum err_code check_snapshots(struct checking *c, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *ids = NULL;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(ARENA_LIMIT);
	size_t count = 0;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = manifest_ids(c->repo, &ids, &count, reterr);
	for (size_t i = 0; i < count && !rc && !cancelled(c); i++) {
		rc = check_snapshot(c, ids[i], arena, reterr);
		findings_tell(&c->findings, c->o->on_finding, c->o->ctx);
	}
	return rc;
}

enum err_code repo_check(
    struct repo *r, const struct repo_check_options *o, struct repo_check_result *ret, struct err *reterr)
{
	static const char *const pack_suffixes[] = {".pack", ".tmp", NULL}, *const snapshot_suffixes[] = {
										".manifest", ".marks", NULL};
	struct checking c = {.repo = r, .o = o};
	findings_init(&c.findings);
	enum err_code rc = load_index(&c, reterr);
	if (!rc)
		rc = check_packs(&c, reterr);
	if (!rc) {
		check_names(&c, r->packs_fd, "packs", pack_suffixes);
		check_names(&c, r->snapshots_fd, "snapshots", snapshot_suffixes);
		rc = check_snapshots(&c, reterr);
	}
	if (!rc)
		rc = check_catalogue(&c, reterr);
	findings_tell(&c.findings, o->on_finding, o->ctx);
	if (!rc && cancelled(&c))
		rc = err_set(reterr, ERR_CANCELLED, "cancelled");
	c.result.findings = c.findings.count;
	if (!rc)
		*ret = c.result;
	findings_done(&c.findings);
	reader_free(c.reader);
	free(c.placed);
	free(c.packs);
	free(c.good);
	return rc;
}
