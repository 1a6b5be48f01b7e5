/* Copying: restore points that are not off the host yet, newest first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/offhost/archives.h"
#include "agent/offhost/copying.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum {
	INVENTORY_EVERY_MS = 10 * 60 * 1000, /* a long first copy is known of as it grows */
	LOCK_FAILURES_MAX = 3, /* the credential may not, or the store cannot: no use in asking for each object */
};

/* ---- a restore point ---- */

static enum err_code put_packs(
    struct copying *c, struct id id, const struct pack_id *packs, size_t count, struct err *reterr)
{
	char size[TEXT_TIME_MAX];
	struct err why = ERR_INIT;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < count && !rc; i++) {
		uint64_t objects = c->result->objects;
		rc = copying_put_pack(c, packs[i], reterr);
		if (c->result->objects != objects)
			store_say(c->o, "%s: %s sent; pack %zu of %zu", id_text(ID_SNAPSHOT, id),
			    text_size_human(c->result->bytes, size), i + 1, count);
	}
	enum err_code landed = copying_land_all(c, &why);
	return rc || !landed ? rc : err_set(reterr, landed, "%s", why.msg);
}

static enum err_code put_point(struct copying *c, struct id id, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	CLEANUP(cleanup_free) struct pack_id *packs = NULL;
	size_t count = 0;
	const struct copied *known = ledger_find(c->ledger, copied_manifest_name(id, name));
	if (known && known->stored_ms)
		return ERR_OK;
	enum err_code rc = repo_packs_of(c->r, id, &packs, &count, reterr);
	if (!rc)
		rc = put_packs(c, id, packs, count, reterr);
	struct copied want = {
	    .name = copied_manifest_name(id, name), .packs = {(const uint8_t *)packs, count * PACK_ID_SIZE}};
	if (!rc)
		rc = copying_put_file(c, &want, reterr);
	c->result->points += rc == ERR_OK;
	return rc;
}

/* ---- logs of databases ---- */

static enum err_code put_area(struct copying *c, const struct archive *a, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	struct copied e = {.name = copied_wal_name(a->service, "area", name),
	    .size_bytes = a->about.size,
	    .stored_ms = copying_now(c),
	    .content = a->about};
	const struct copied *known = ledger_find(c->ledger, name);
	store_bytes_digest(a->about.data, a->about.size, &e.sha256);
	return known && memcmp(&known->sha256, &e.sha256, sizeof e.sha256) == 0 ? ERR_OK
										: ledger_put(c->ledger, &e, reterr);
}

/* One that is damaged here is found, and does not keep the others from being copied; one that was swept meanwhile is
 * not missed. */
static enum err_code put_log_file(void *ctx, const struct archive *a, const char *file, struct err *reterr)
{
	struct copying *c = ctx;
	char name[COPIED_NAME_MAX];
	struct copied want = {.name = copied_wal_name(a->service, file, name)};
	const struct copied *known = ledger_find(c->ledger, name);
	struct err why = ERR_INIT;
	if (known && known->stored_ms)
		return ERR_OK;
	enum err_code rc = archives_sound(a, file, &why);
	if (!rc)
		rc = copying_put_file(c, &want, &why);
	c->result->logs += rc == ERR_OK;
	if (rc == ERR_CORRUPT) {
		if (++c->logs_bad > c->logs_told)
			store_finding(c->o, "%s is not copied: %s", name, why.msg);
	}
	return rc && rc != ERR_CORRUPT && rc != ERR_NOT_FOUND ? err_set(reterr, rc, "%s", why.msg) : ERR_OK;
}

static enum err_code put_archive(void *ctx, const struct archive *a, struct err *reterr)
{
	struct copying *c = ctx;
	enum err_code rc = put_area(c, a, reterr);
	return rc ? rc : archives_files(a, put_log_file, c, reterr);
}

static enum err_code put_logs(struct copying *c, struct err *reterr)
{
	c->logs_bad = 0;
	enum err_code rc = archives_each(c->o->wal_folder, put_archive, c, reterr);
	if (c->logs_bad > c->logs_told) {
		c->result->findings += c->logs_bad - c->logs_told;
		c->logs_told = c->logs_bad;
	}
	return rc;
}

/* What fails here for a reason of the restore point's own does not keep the others from being copied. */
static enum err_code put_points(struct copying *c, const struct id *ids, size_t count, struct err *reterr)
{
	for (size_t i = 0; i < count; i++) {
		struct err why = ERR_INIT;
		enum err_code rc = put_point(c, ids[i], &why);
		if (rc == ERR_CORRUPT) {
			c->result->findings++;
			store_finding(c->o, "%s is not copied: %s", id_text(ID_SNAPSHOT, ids[i]), why.msg);
		} else if (rc && rc != ERR_NOT_FOUND) {
			return err_set(reterr, rc, "%s", why.msg);
		}
		if ((rc = put_logs(c, reterr))) /* a first copy may take hours, and the logs grow by the minute */
			return rc;
		if (copying_any_new(c) &&
		    (!c->inventory_ms || copying_now(c) - c->inventory_ms >= INVENTORY_EVERY_MS) &&
		    (rc = copying_put_inventory(c, reterr)))
			return rc;
	}
	return ERR_OK;
}

/* ---- marks, keys, what is gone, locks ---- */

static enum err_code note_marks(struct copying *c, struct id id, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = {.limit = OFFHOST_MARKS_MAX};
	char name[COPIED_NAME_MAX], manifest[COPIED_NAME_MAX], path[PATH_LIMIT];
	const struct copied *point = ledger_find(c->ledger, copied_manifest_name(id, manifest)),
			    *known = ledger_find(c->ledger, copied_marks_name(id, name));
	if (!point || !point->stored_ms || !text_format(path, sizeof path, "%s/%s", repo_path(c->r), name) ||
	    file_read(path, OFFHOST_MARKS_MAX, &text, NULL) != ERR_OK || text.size == 0)
		return ERR_OK;
	struct copied e = {
	    .name = name, .size_bytes = text.size, .stored_ms = copying_now(c), .content = buf_bytes(&text)};
	store_bytes_digest(text.data, text.size, &e.sha256);
	if (known && memcmp(&known->sha256, &e.sha256, sizeof e.sha256) == 0)
		return ERR_OK;
	return ledger_put(c->ledger, &e, reterr);
}

static enum err_code put_keys(struct copying *c, struct bytes wrapped, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	struct digest sha256;
	uint32_t newest = place_newest(c->ledger, copied_keys_name, OFFHOST_KEYS_MAX);
	const struct copied *known = newest ? ledger_find(c->ledger, copied_keys_name(newest, name)) : NULL;
	if (!wrapped.size)
		return ERR_OK;
	store_bytes_digest(wrapped.data, wrapped.size, &sha256);
	if (known && memcmp(&known->sha256, &sha256, sizeof sha256) == 0)
		return ERR_OK;
	struct copied want = {.name = copied_keys_name(newest + 1, name)};
	return copying_put_bytes(c, &want, wrapped.data, wrapped.size, reterr);
}

/* Of what has a file in the repository. */
static bool is_gone(const struct copying *c, const struct copied *e)
{
	char path[PATH_LIMIT];
	struct id id;
	struct pack_id pack;
	if (archives_path(c->o->wal_folder, e->name, path)) /* one that was swept does not come back */
		return (e->gone && access(path, F_OK) != 0) || archives_swept(c->o->wal_folder, e->name);
	bool file = copied_pack_id(e->name, &pack) || copied_manifest_id(e->name, &id) || copied_marks_id(e->name, &id);
	return file && text_format(path, sizeof path, "%s/%s", repo_path(c->r), e->name) && access(path, F_OK) != 0 &&
	       errno == ENOENT;
}

static enum err_code note_gone(struct copying *c, struct err *reterr)
{
	struct copied *all = calloc(ledger_count(c->ledger) + 1, sizeof *all);
	const struct copied *e;
	size_t n = 0;
	uint32_t newest = place_newest(c->ledger, copied_inventory_name, OFFHOST_INVENTORIES_MAX);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for the ledger");
	for (size_t at = 0; (e = ledger_next(c->ledger, &at));)
		if (e->stored_ms && e->gone != is_gone(c, e)) { /* a repository that was put back may have it again */
			all[n] = *e;
			all[n].gone = !e->gone;
			all[n].gone_since_ms = e->gone ? 0 : copying_now(c);
			all[n++].inventory = e->gone || !e->inventory ? 0 : newest;
		}
	enum err_code rc = n ? ledger_put_all(c->ledger, all, n, reterr) : ERR_OK;
	free(all);
	return rc;
}

/* A pack that was put long ago may hold what the newest restore point needs: while it is needed here its lock is made
 * to last. */
static enum err_code renew_locks(struct copying *c, struct err *reterr)
{
	const struct copied *e;
	char name[COPIED_NAME_MAX];
	copied_inventory_name(place_base(c->ledger), name);
	for (size_t at = 0; c->o->lock != BUCKET_UNLOCKED && (e = ledger_next(c->ledger, &at));) {
		uint64_t now_ms = copying_now(c), until_ms = place_lock_until(c->o, now_ms);
		struct copied renewed = *e;
		enum bucket_outcome outcome = BUCKET_MISSING;
		struct err why = ERR_INIT;
		if (!e->stored_ms || e->gone || e->content.size || e->locked_until_ms >= now_ms + c->o->lock_ms / 2 ||
		    (text_starts(e->name, "inventory/") && strcmp(e->name, name) < 0))
			continue;
		enum err_code rc = store_retain(&c->g, e->name, until_ms, &outcome, &why);
		if (rc == ERR_CANCELLED)
			return err_set(reterr, rc, "%s", why.msg);
		if (rc || outcome != BUCKET_DONE) {
			if (!c->result->locks_failed++)
				text_copy(c->result->lock_error, sizeof c->result->lock_error,
				    rc ? why.msg : "an object to lock is missing in the store");
			if (c->result->locks_failed >= LOCK_FAILURES_MAX)
				return ERR_OK;
			continue;
		}
		renewed.locked_until_ms = until_ms;
		c->result->locks_renewed++;
		if ((rc = ledger_put(c->ledger, &renewed, reterr)))
			return rc;
	}
	return ERR_OK;
}

/* ---- a run ---- */

static enum err_code copy_all(struct copying *c, struct bytes wrapped, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *ids = NULL;
	size_t count = 0;
	enum err_code rc = place_open(c->o, repo_keys(c->r), &c->ledger, reterr);
	if (rc)
		return rc;
	c->g = (struct generation){c->o, ledger_about(c->ledger)->generation};
	rc = manifest_ids(c->r, &ids, &count, reterr);
	if (!rc)
		rc = put_keys(c, wrapped, reterr);
	if (!rc)
		rc = put_logs(c, reterr);
	if (!rc)
		rc = put_points(c, ids, count, reterr);
	for (size_t i = 0; i < count && !rc; i++)
		rc = note_marks(c, ids[i], reterr);
	if (!rc)
		rc = note_gone(c, reterr);
	if (!rc && copying_any_new(c))
		rc = copying_put_inventory(c, reterr);
	if (!rc)
		rc = renew_locks(c, reterr);
	return rc ? rc : place_forget(c->o, c->ledger, copying_now(c), reterr);
}

enum err_code offhost_copy(
    const struct offhost *o, struct repo *r, struct bytes wrapped, struct copy_result *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	CLEANUP(cleanup_fd) int lock = -1;
	struct copying c = {.o = o, .r = r, .result = ret};
	struct err why = ERR_INIT;
	uint64_t began_ms = o->now_ms(o->ctx);
	*ret = (struct copy_result){.points = 0};
	if (!text_format(path, sizeof path, "%s/lock", o->folder))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	enum err_code rc = file_make_dirs(o->folder, 0700, reterr);
	if (!rc && (rc = file_lock(path, &lock, reterr)))
		rc = err_prefix(reterr, rc, "another copy is under way");
	if (rc)
		return rc;
	random_init_system(&c.random);
	rc = copy_all(&c, wrapped, &why);
	status_after_copy(o, r, c.ledger, began_ms, rc, &why, ret);
	ledger_close(c.ledger);
	return rc ? err_set(reterr, rc, "%s", why.msg) : ERR_OK;
}
