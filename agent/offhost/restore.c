/* A repository out of a store, on a host that has nothing but the key. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/offhost/archives.h"
#include "agent/offhost/store.h"
#include "shared/base/file.h"
#include "shared/base/map.h"
#include "shared/base/text.h"

struct restoring {
	const struct offhost *o;
	const struct offhost_restore_options *want;
	struct offhost_restore_result *result;
	struct generation g;
	struct keys *keys;
	struct arena *arena;
	struct map *entries; /* name -> struct copied */
	struct map *needed;  /* name of pack -> struct copied */
};

CLEANUP_DEFINE(struct map, map_cleanup, map_free)

/* ---- which copy ---- */

/* The newest generation that is there, or the one that was asked for. */
static enum err_code find_generation(
    struct restoring *r, struct arena *arena, struct place_statement *ret, struct err *reterr)
{
	const struct offhost *o = r->o;
	uint32_t first = r->want->generation ? r->want->generation : 1,
		 last = r->want->generation ? first : OFFHOST_GENERATIONS_MAX;
	bool found = false, hidden = false;
	for (uint32_t n = first; n <= last; n++) {
		struct generation g = {o, n};
		enum bucket_outcome outcome = BUCKET_MISSING;
		enum err_code rc = store_statement(&g, arena, ret, &outcome, reterr);
		if (rc)
			return rc;
		hidden |= outcome == BUCKET_HIDDEN;
		if (outcome != BUCKET_DONE)
			break;
		r->g = g;
		found = true;
	}
	return found ? ERR_OK
		     : err_set(reterr, ERR_NOT_FOUND, "%s has no copy of host %s%s", o->destination, o->host,
			   hidden ? ", or the credential may not read it"
				  : "; `host` and `prefix` must be those of the lost host");
}

static enum err_code fetch_wrapped(struct restoring *r, struct err *reterr)
{
	CLEANUP(buf_done) struct buf wrapped = BUF_INIT;
	char name[COPIED_NAME_MAX], path[PATH_LIMIT];
	uint32_t newest = 0;
	enum bucket_outcome outcome = BUCKET_MISSING;
	if (!text_format(path, sizeof path, "%s/keys/recovery", r->want->into))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", r->want->into);
	enum err_code rc = store_newest(&r->g, copied_keys_name, 0, OFFHOST_KEYS_MAX, &newest, reterr);
	if (!rc && newest)
		rc = store_get(&r->g, copied_keys_name(newest, name), OFFHOST_SMALL_MAX, &wrapped, &outcome, reterr);
	return rc || outcome != BUCKET_DONE ? rc : file_replace(path, wrapped.data, wrapped.size, 0644, reterr);
}

static enum err_code open_keys(struct restoring *r, const struct place_statement *s, struct err *reterr)
{
	enum err_code rc = fetch_wrapped(r, reterr);
	if (!rc)
		rc = r->want->open_keys(r->want->ctx, r->want->into, &r->keys, reterr);
	if (!rc && memcmp(keys_repo_id(r->keys), s->repository.data, REPO_ID_SIZE))
		rc = err_set(reterr, ERR_DENIED, "this key belongs to another repository than the copy");
	return rc;
}

static enum err_code take_inventory(
    void *ctx, const struct inventory *c, uint64_t size, const struct digest *sha256, struct err *reterr)
{
	struct restoring *r = ctx;
	(void)size;
	(void)sha256;
	for (size_t i = 0; i < c->entries.count; i++) {
		struct copied *mine = arena_alloc(r->arena, sizeof *mine);
		enum err_code rc =
		    mine ? record_copy(&copied_type, &LIST_AT(c->entries, struct copied, i), r->arena, mine, reterr)
			 : err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
		if (rc)
			return rc;
		if (!map_put(r->entries, mine->name, strlen(mine->name), mine))
			return err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
	}
	return ERR_OK;
}

/* ---- one file ---- */

static bool is_right(const char *path, const struct copied *e)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct digest sha256;
	uint64_t size;
	return fd >= 0 && store_file_digest(fd, &sha256, &size, NULL) == ERR_OK && size == e->size_bytes &&
	       memcmp(&sha256, &e->sha256, sizeof sha256) == 0;
}

static enum err_code fetch_into(struct restoring *r, const struct copied *e, int fd, struct err *reterr)
{
	enum bucket_outcome outcome = BUCKET_MISSING;
	struct digest sha256;
	uint64_t size = 0;
	enum err_code rc = store_digest(&r->g, e->name, e->size_bytes, fd, &sha256, &size, &outcome, reterr);
	if (rc)
		return rc == ERR_LIMIT
			   ? err_set(reterr, ERR_CORRUPT, "%s: the store gives back more than was put", e->name)
			   : rc;
	if (outcome != BUCKET_DONE)
		return err_set(reterr, ERR_CORRUPT, "%s is missing in the store", e->name);
	if (size != e->size_bytes || memcmp(&sha256, &e->sha256, sizeof sha256))
		return err_set(reterr, ERR_CORRUPT, "%s: the store gives back other bytes than were put", e->name);
	return fsync(fd) == 0 ? ERR_OK : err_sys(reterr, errno, "sync %s", e->name);
}

/* Beside its name until it is right. */
static enum err_code fetch(struct restoring *r, const struct copied *e, struct err *reterr)
{
	char path[PATH_LIMIT], fresh[PATH_LIMIT], size[TEXT_TIME_MAX];
	if ((!archives_path(r->want->wal_into, e->name, path) &&
		!text_format(path, sizeof path, "%s/%s", r->want->into, e->name)) ||
	    !text_format(fresh, sizeof fresh, "%s.part", path))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", r->want->into);
	if (is_right(path, e)) {
		r->result->kept++;
		return ERR_OK;
	}
	CLEANUP(cleanup_fd) int fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(reterr, errno, "make %s", fresh);
	enum err_code rc = fetch_into(r, e, fd, reterr);
	if (!rc && rename(fresh, path) != 0)
		rc = err_sys(reterr, errno, "rename %s", fresh);
	if (rc) {
		unlink(fresh);
		return rc;
	}
	r->result->objects++;
	r->result->bytes += e->size_bytes;
	store_say(r->o, "%s, %s so far", e->name, text_size_human(r->result->bytes, size));
	return ERR_OK;
}

/* ---- which of it ---- */

static bool is_wanted(const struct restoring *r, struct id id)
{
	return id_is_zero(r->want->snapshot) || id_equal(id, r->want->snapshot);
}

/* Its packs; a restore point whose packs the inventory does not name would be none. */
static enum err_code need_packs(struct restoring *r, const struct copied *e, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	for (size_t at = 0; at < e->packs.size; at += PACK_ID_SIZE) {
		struct pack_id pack;
		memcpy(pack.b, e->packs.data + at, PACK_ID_SIZE);
		copied_pack_name(pack, name);
		struct copied *p = map_get(r->entries, name, strlen(name));
		if (!p)
			return err_set(reterr, ERR_CORRUPT, "%s needs %s, which no inventory names", e->name, name);
		if (!map_put(r->needed, p->name, strlen(p->name), p))
			return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	return ERR_OK;
}

static enum err_code fetch_manifests(struct restoring *r, struct err *reterr)
{
	const void *key;
	size_t size;
	void *value;
	for (size_t at = 0; map_next(r->entries, &at, &key, &size, &value);) {
		const struct copied *e = value;
		struct id id;
		if (!copied_manifest_id(e->name, &id) || !is_wanted(r, id))
			continue;
		enum err_code rc = fetch(r, e, reterr);
		if (!rc)
			rc = need_packs(r, e, reterr);
		if (rc)
			return rc;
		r->result->points++;
	}
	if (r->result->points || id_is_zero(r->want->snapshot))
		return ERR_OK;
	return err_set(
	    reterr, ERR_NOT_FOUND, "the copy holds no restore point %s", id_text(ID_SNAPSHOT, r->want->snapshot));
}

static enum err_code fetch_packs(struct restoring *r, struct err *reterr)
{
	const void *key;
	size_t size;
	void *value;
	enum err_code rc = ERR_OK;
	for (size_t at = 0; !rc && map_next(r->needed, &at, &key, &size, &value);)
		rc = fetch(r, value, reterr);
	return rc;
}

/* The archives of logs: files first, what makes an archive of them last. */
static enum err_code fetch_log(struct restoring *r, bool areas, struct err *reterr)
{
	const void *key;
	size_t size;
	void *value;
	char service[NAME_MAX_BYTES + 1];
	enum err_code rc = ERR_OK;
	for (size_t at = 0; !rc && map_next(r->entries, &at, &key, &size, &value);) {
		const struct copied *e = value;
		if (copied_wal_area(e->name, service)) {
			rc = areas ? archives_make(r->want->wal_into, service, e->content, r->keys, reterr)
				   : archives_begin(r->want->wal_into, service, reterr);
		} else if (!areas && copied_wal_file(e->name, service)) {
			rc = archives_begin(r->want->wal_into, service, reterr);
			if (!rc)
				rc = fetch(r, e, reterr);
			r->result->logs += rc == ERR_OK;
		}
	}
	return rc;
}

static enum err_code fetch_logs(struct restoring *r, struct err *reterr)
{
	if (!r->want->wal_into || !id_is_zero(r->want->snapshot))
		return ERR_OK;
	enum err_code rc = fetch_log(r, false, reterr);
	return rc ? rc : fetch_log(r, true, reterr);
}

static enum err_code write_marks(struct restoring *r, struct err *reterr)
{
	const void *key;
	size_t size;
	void *value;
	char path[PATH_LIMIT];
	for (size_t at = 0; map_next(r->entries, &at, &key, &size, &value);) {
		const struct copied *e = value;
		struct id id;
		if (!copied_marks_id(e->name, &id) || !is_wanted(r, id))
			continue;
		if (!text_format(path, sizeof path, "%s/%s", r->want->into, e->name))
			return err_set(reterr, ERR_LIMIT, "%s: the path is too long", r->want->into);
		enum err_code rc = file_replace(path, e->content.data, e->content.size, 0600, reterr);
		if (rc)
			return rc;
	}
	return ERR_OK;
}

static enum err_code sync_folders(struct restoring *r, struct err *reterr)
{
	static const char *const names[] = {"packs", "snapshots"};
	char path[PATH_LIMIT];
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < sizeof names / sizeof names[0] && !rc; i++)
		rc = text_format(path, sizeof path, "%s/%s", r->want->into, names[i])
			 ? file_sync_dir(path, reterr)
			 : err_set(reterr, ERR_LIMIT, "%s: the path is too long", r->want->into);
	return rc;
}

static enum err_code restore(struct restoring *r, struct err *reterr)
{
	struct place_statement s;
	uint32_t newest = r->want->inventory;
	enum err_code rc = repo_assemble_begin(r->want->into, reterr);
	if (!rc)
		rc = find_generation(r, r->arena, &s, reterr);
	if (!rc)
		rc = open_keys(r, &s, reterr);
	if (!rc && !newest)
		rc = store_newest(&r->g, copied_inventory_name, 0, OFFHOST_INVENTORIES_MAX, &newest, reterr);
	if (!rc && !newest)
		rc = err_set(reterr, ERR_NOT_FOUND, "%s: a copy was begun there, but no restore point was ever whole",
		    r->o->destination);
	if (!rc)
		rc = store_inventories(&r->g, r->keys, newest, take_inventory, r, reterr);
	if (!rc)
		rc = fetch_manifests(r, reterr);
	if (!rc)
		rc = fetch_packs(r, reterr);
	if (!rc)
		rc = fetch_logs(r, reterr);
	if (!rc)
		rc = write_marks(r, reterr);
	if (!rc)
		rc = sync_folders(r, reterr);
	if (!rc) {
		r->result->generation = r->g.number;
		store_bytes_digest(keys_public(r->keys), KEY_SIZE, &r->result->signer);
	}
	return rc ? rc : repo_assemble_end(r->want->into, r->keys, reterr);
}

enum err_code offhost_restore(const struct offhost *o, const struct offhost_restore_options *want,
    struct offhost_restore_result *ret, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(1 << 30);
	CLEANUP(map_cleanup) struct map *entries = map_new();
	CLEANUP(map_cleanup) struct map *needed = map_new();
	struct restoring r = {
	    .o = o, .want = want, .result = ret, .arena = arena, .entries = entries, .needed = needed};
	*ret = (struct offhost_restore_result){.points = 0};
	if (!arena || !entries || !needed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = restore(&r, reterr);
	keys_free(r.keys);
	return rc;
}
