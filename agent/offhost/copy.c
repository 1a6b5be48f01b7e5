/* Copying: restore points that are not off the host yet, newest first. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/offhost/archives.h"
#include "agent/offhost/place.h"
#include "agent/offhost/status.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum {
	INVENTORY_EVERY_MS = 10 * 60 * 1000, /* a long first copy is known of as it grows */
	LOCK_FAILURES_MAX = 3, /* the credential may not, or the store cannot: no use in asking for each object */
};

struct flight {                     /* a pack that is on its way */
	char name[COPIED_NAME_MAX]; /* "": none */
	struct copied e;
	int fd;
	bool late; /* it came down otherwise than stored */
	struct bucket_ended ended;
};

struct copying {
	const struct offhost *o;
	struct repo *r;
	struct ledger *ledger;
	struct generation g;
	struct copy_result *result;
	struct random random;
	uint64_t logs_bad, logs_told; /* damaged files of logs: seen in this pass; told in this run */
	uint64_t inventory_ms;        /* when the last one was made in this run; 0: none was */
	struct flight flights[BUCKET_FLIGHTS];
	unsigned flying; /* of them: in the air */
};

static void flight_done(struct flight *f)
{
	if (f->name[0])
		close(f->fd);
	f->name[0] = '\0';
	f->late = false;
}

static uint64_t now(const struct copying *c)
{
	return c->o->now_ms(c->o->ctx);
}

/* ---- one object ---- */

static enum err_code somebody_else(const struct copying *c, const struct copied *e, struct err *reterr)
{
	return err_set(reterr, ERR_STATE,
	    "%s is in the store already with other content: another host, or a restored copy of this one, writes "
	    "there; "
	    "when that has stopped, remove the ledger (%.200s/ledger) to begin again from what the store holds",
	    e->name, c->o->folder);
}

/* Is what the ledger calls begun, or the store calls there, the same as what we have? */
static enum err_code has_arrived(struct copying *c, const struct copied *e, bool *ret, struct err *reterr)
{
	enum bucket_outcome outcome = BUCKET_MISSING;
	struct digest sha256;
	uint64_t size = 0;
	bool small = e->size_bytes <= OFFHOST_READ_BACK_MAX;
	enum err_code rc =
	    small ? store_digest(&c->g, e->name, OFFHOST_READ_BACK_MAX, -1, &sha256, &size, &outcome, reterr)
		  : store_head(&c->g, e->name, &outcome, &size, reterr);
	if (rc)
		return rc == ERR_LIMIT ? somebody_else(c, e, reterr) : rc;
	if (outcome == BUCKET_DONE && (size != e->size_bytes || (small && memcmp(&sha256, &e->sha256, sizeof sha256))))
		return somebody_else(c, e, reterr);
	*ret = outcome == BUCKET_DONE;
	return ERR_OK;
}

/* Names that another writer may choose, too.  A put says "if there is none", but not every store heeds that in a bucket
 * that keeps versions (radosgw 16 does not): so it is looked at first. */
static bool is_numbered(const char *name)
{
	struct id id;
	struct pack_id pack;
	return !copied_pack_id(name, &pack) && !copied_manifest_id(name, &id);
}

static enum err_code hidden(const struct copied *e, struct err *reterr)
{
	return err_set(reterr, ERR_DENIED,
	    "%s is in the store but may not be read: the credential must be able to get objects", e->name);
}

static enum err_code send_object(
    struct copying *c, const struct copied *e, int fd, bool *ret_resumed, struct err *reterr)
{
	enum bucket_outcome outcome = BUCKET_DONE;
	bool arrived = false;
	enum err_code rc = is_numbered(e->name) ? has_arrived(c, e, &arrived, reterr) : ERR_OK;
	if (!rc && !arrived)
		rc = store_put_fd(&c->g, e->name, fd, e->size_bytes, &e->sha256, e->locked_until_ms, &outcome, reterr);
	if (!rc && outcome == BUCKET_EXISTS)
		rc = has_arrived(c, e, &arrived, reterr);
	if (rc)
		return rc;
	if (outcome == BUCKET_EXISTS && !arrived)
		return hidden(e, reterr);
	*ret_resumed = arrived;
	return ERR_OK;
}

static enum err_code note_stored(struct copying *c, struct copied *e, bool resumed, struct err *reterr)
{
	e->stored_ms = now(c);
	c->result->objects++;
	c->result->bytes += resumed ? 0 : e->size_bytes;
	c->result->resumed += resumed;
	return ledger_put(c->ledger, e, reterr);
}

/* want: name and packs.  Begun in the ledger, put, stored in the ledger. */
static enum err_code put_object(struct copying *c, const struct copied *want, int fd, struct err *reterr)
{
	const struct copied *known = ledger_find(c->ledger, want->name);
	struct copied e = *want;
	bool resumed = false;
	if (known && known->stored_ms)
		return ERR_OK;
	enum err_code rc = store_file_digest(fd, &e.sha256, &e.size_bytes, reterr);
	if (!rc && known && memcmp(&known->sha256, &e.sha256, sizeof e.sha256) == 0) {
		e.locked_until_ms = known->locked_until_ms;
		rc = has_arrived(c, &e, &resumed, reterr);
	}
	if (!rc && !resumed) {
		e.locked_until_ms = place_lock_until(c->o, now(c));
		rc = ledger_put(c->ledger, &e, reterr);
		if (!rc)
			rc = send_object(c, &e, fd, &resumed, reterr);
	}
	return rc ? rc : note_stored(c, &e, resumed, reterr);
}

static enum err_code put_bytes(
    struct copying *c, const struct copied *want, const void *data, size_t size, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = -1;
	enum err_code rc = store_memory_file(data, size, &fd, reterr);
	return rc ? rc : put_object(c, want, fd, reterr);
}

static enum err_code open_file(const struct copying *c, const struct copied *want, int *ret_fd, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!archives_path(c->o->wal_folder, want->name, path) &&
	    !text_format(path, sizeof path, "%s/%s", repo_path(c->r), want->name))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", want->name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s", path);
	*ret_fd = fd;
	return ERR_OK;
}

/* A file of the repository, or of an archive, by its name there.  ERR_NOT_FOUND: pruned meanwhile. */
static enum err_code put_file(struct copying *c, const struct copied *want, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = -1;
	const struct copied *known = ledger_find(c->ledger, want->name);
	if (known && known->stored_ms)
		return ERR_OK;
	enum err_code rc = open_file(c, want, &fd, reterr);
	return rc ? rc : put_object(c, want, fd, reterr);
}

/* ---- several packs at a time ---- */

/* Begun in the ledger, and on its way. */
static enum err_code take_off(struct copying *c, const struct copied *want, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = -1;
	uint32_t number = 0;
	while (c->flights[number].name[0])
		number++; /* there is room: see make_room() */
	struct flight *f = &c->flights[number];
	enum err_code rc = open_file(c, want, &fd, reterr);
	f->e = *want;
	if (!rc)
		rc = store_file_digest(fd, &f->e.sha256, &f->e.size_bytes, reterr);
	f->e.locked_until_ms = place_lock_until(c->o, now(c));
	if (!rc)
		rc = ledger_put(c->ledger, &f->e, reterr);
	if (!rc)
		rc = store_put_begin(
		    &c->g, f->e.name, fd, f->e.size_bytes, &f->e.sha256, f->e.locked_until_ms, number, reterr);
	if (rc)
		return rc;
	text_copy(f->name, sizeof f->name, want->name);
	f->e.name = f->name;
	f->fd = TAKE_FD(fd);
	c->flying++;
	return ERR_OK;
}

/* One that ended otherwise than stored waits until nothing flies, when the store can be asked other things again. */
static enum err_code land_one(struct copying *c, struct err *reterr)
{
	struct bucket_ended ended;
	enum err_code rc = c->o->store.put_end(c->o->store.ctx, &ended, reterr);
	if (rc) { /* nothing is known of any: the next run looks */
		c->flying = 0;
		return rc;
	}
	if (ended.number >= BUCKET_FLIGHTS || !c->flights[ended.number].name[0] || c->flights[ended.number].late)
		return err_set(reterr, ERR_INTERNAL, "kedge-copy answers what was not asked");
	struct flight *f = &c->flights[ended.number];
	c->flying--;
	f->late = ended.rc || ended.outcome == BUCKET_EXISTS;
	f->ended = ended;
	if (f->late)
		return ERR_OK;
	rc = note_stored(c, &f->e, false, reterr);
	flight_done(f);
	return rc;
}

static enum err_code land_late(struct copying *c, struct flight *f, struct err *reterr)
{
	bool arrived = false;
	enum err_code rc = f->ended.rc;
	if (!rc) {
		rc = has_arrived(c, &f->e, &arrived, reterr);
		if (!rc && !arrived)
			rc = hidden(&f->e, reterr);
	} else if (store_again(c->o, rc)) {
		rc = send_object(c, &f->e, f->fd, &arrived, reterr);
	} else {
		rc = err_set(reterr, rc, "%s", f->ended.why.msg);
	}
	return rc ? rc : note_stored(c, &f->e, arrived, reterr);
}

/* All of them, also after an error: what arrived is remembered. */
static enum err_code land_all(struct copying *c, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	while (c->flying) {
		struct err why = ERR_INIT;
		enum err_code landed = land_one(c, &why);
		if (landed && !rc)
			rc = err_set(reterr, landed, "%s", why.msg);
	}
	for (size_t i = 0; i < BUCKET_FLIGHTS; i++) {
		if (c->flights[i].late && !rc)
			rc = land_late(c, &c->flights[i], reterr);
		flight_done(&c->flights[i]);
	}
	return rc;
}

static bool any_late(const struct copying *c)
{
	bool late = false;
	for (size_t i = 0; i < BUCKET_FLIGHTS; i++)
		late |= c->flights[i].late;
	return late;
}

/* For one more. */
static enum err_code make_room(struct copying *c, struct err *reterr)
{
	enum err_code rc = c->flying == BUCKET_FLIGHTS ? land_one(c, reterr) : ERR_OK;
	return !rc && any_late(c) ? land_all(c, reterr) : rc;
}

/* ---- the inventory ---- */

static bool belongs(const struct copied *e, bool full)
{
	return e->stored_ms && !e->gone && !text_starts(e->name, "inventory/") && (full || e->inventory == 0);
}

/* Those that the next one tells, as they will be in it; the caller frees *ret. */
static enum err_code gather(
    const struct copying *c, bool full, struct copied **ret, size_t *ret_count, struct err *reterr)
{
	struct copied *all = calloc(ledger_count(c->ledger) + 1, sizeof *all);
	const struct copied *e;
	size_t n = 0;
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
	for (size_t at = 0; (e = ledger_next(c->ledger, &at));)
		if (belongs(e, full)) {
			all[n] = *e;
			all[n++].inventory = 0;
		}
	*ret = all;
	*ret_count = n;
	return ERR_OK;
}

static bool any_new(const struct copying *c)
{
	const struct copied *e;
	for (size_t at = 0; (e = ledger_next(c->ledger, &at));)
		if (belongs(e, false))
			return true;
	return false;
}

static enum err_code mark_told(struct copying *c, uint32_t number, struct err *reterr)
{
	struct copied *all = calloc(ledger_count(c->ledger) + 1, sizeof *all);
	const struct copied *e;
	size_t n = 0;
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for the ledger");
	for (size_t at = 0; (e = ledger_next(c->ledger, &at));)
		if (belongs(e, false)) {
			all[n] = *e;
			all[n++].inventory = number;
		}
	enum err_code rc = n ? ledger_put_all(c->ledger, all, n, reterr) : ERR_OK;
	free(all);
	return rc;
}

/* One that was begun and may have arrived is looked at first: it was sealed with another salt, so only the store can
 * tell what it says. */
static enum err_code settle_begun(struct copying *c, uint32_t number, bool *ret_there, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	const struct copied *known = ledger_find(c->ledger, copied_inventory_name(number, name));
	*ret_there = false;
	if (!known || known->stored_ms)
		return ERR_OK;
	struct copied e = *known;
	enum err_code rc = has_arrived(c, &e, ret_there, reterr);
	if (rc || !*ret_there)
		return rc;
	e.stored_ms = now(c);
	e.inventory = number;
	c->result->resumed++;
	return ledger_put(c->ledger, &e, reterr);
}

/* What number builds on: itself, when it is worth the bytes to name everything again. */
static uint32_t choose_base(const struct copying *c, uint32_t number)
{
	char name[COPIED_NAME_MAX];
	const struct copied *e,
	    *before = number > 1 ? ledger_find(c->ledger, copied_inventory_name(number - 1, name)) : NULL;
	uint32_t base = before ? copied_base(before) : number;
	size_t needed = 0, since = 0;
	if (number - base < OFFHOST_FULL_EVERY || number - base >= OFFHOST_CHAIN_MAX)
		return number - base < OFFHOST_FULL_EVERY ? base : number;
	for (size_t at = 0; (e = ledger_next(c->ledger, &at));) {
		needed += belongs(e, true);
		since += belongs(e, true) && (e->inventory == 0 || e->inventory > base);
	}
	return since * OFFHOST_FULL_SHARE >= needed ? number : base;
}

static enum err_code seal_inventory(
    struct copying *c, uint32_t number, uint32_t base, struct buf *out, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	struct inventory k = {.host = c->o->host, .number = number, .made_ms = now(c), .base = base};
	struct copied *all = NULL;
	size_t count = 0;
	const struct copied *before =
	    number > 1 ? ledger_find(c->ledger, copied_inventory_name(number - 1, name)) : NULL;
	enum err_code rc = gather(c, base == number, &all, &count, reterr);
	k.entries = (struct list){all, count};
	if (before)
		k.previous = before->sha256;
	if (!rc)
		rc = inventory_seal(repo_keys(c->r), &k, &c->random, out, reterr);
	free(all);
	return rc;
}

static enum err_code put_inventory(struct copying *c, struct err *reterr)
{
	CLEANUP(buf_done) struct buf sealed = {.limit = OFFHOST_INVENTORY_MAX};
	char name[COPIED_NAME_MAX];
	uint32_t number = place_newest(c->ledger, copied_inventory_name, OFFHOST_INVENTORIES_MAX) + 1;
	bool there = false;
	enum err_code rc = settle_begun(c, number, &there, reterr);
	if (rc)
		return rc;
	/* What it told was in the ledger before it was begun, but other things may have come since: they go into the
	 * next. */
	if (there)
		number++;
	uint32_t base = choose_base(c, number);
	struct copied want = {.name = copied_inventory_name(number, name), .inventory = number, .base = base};
	rc = seal_inventory(c, number, base, &sealed, reterr);
	if (!rc)
		rc = put_bytes(c, &want, sealed.data, sealed.size, reterr);
	c->inventory_ms = now(c);
	return rc ? rc : mark_told(c, number, reterr);
}

/* ---- a restore point ---- */

/* One that an earlier run had begun is looked at first, alone. */
static enum err_code put_pack(struct copying *c, struct pack_id pack, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	struct copied want = {.name = copied_pack_name(pack, name)};
	const struct copied *known = ledger_find(c->ledger, name);
	enum err_code rc = known && known->stored_ms ? ERR_OK : repo_pack_sound(c->r, pack, reterr);
	if (rc || (known && known->stored_ms))
		return rc;
	rc = known ? land_all(c, reterr) : make_room(c, reterr);
	if (rc)
		return rc;
	return known ? put_file(c, &want, reterr) : take_off(c, &want, reterr);
}

static enum err_code put_packs(
    struct copying *c, struct id id, const struct pack_id *packs, size_t count, struct err *reterr)
{
	char size[TEXT_TIME_MAX];
	struct err why = ERR_INIT;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < count && !rc; i++) {
		uint64_t objects = c->result->objects;
		rc = put_pack(c, packs[i], reterr);
		if (c->result->objects != objects)
			store_say(c->o, "%s: %s sent; pack %zu of %zu", id_text(ID_SNAPSHOT, id),
			    text_size_human(c->result->bytes, size), i + 1, count);
	}
	enum err_code landed = land_all(c, &why);
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
		rc = put_file(c, &want, reterr);
	c->result->points += rc == ERR_OK;
	return rc;
}

/* ---- logs of databases ---- */

static enum err_code put_area(struct copying *c, const struct archive *a, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	struct copied e = {.name = copied_wal_name(a->service, "area", name),
	    .size_bytes = a->about.size,
	    .stored_ms = now(c),
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
		rc = put_file(c, &want, &why);
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
		if (any_new(c) && (!c->inventory_ms || now(c) - c->inventory_ms >= INVENTORY_EVERY_MS) &&
		    (rc = put_inventory(c, reterr)))
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
	struct copied e = {.name = name, .size_bytes = text.size, .stored_ms = now(c), .content = buf_bytes(&text)};
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
	return put_bytes(c, &want, wrapped.data, wrapped.size, reterr);
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
			all[n].gone_since_ms = e->gone ? 0 : now(c);
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
		uint64_t now_ms = now(c), until_ms = place_lock_until(c->o, now_ms);
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
	if (!rc && any_new(c))
		rc = put_inventory(c, reterr);
	if (!rc)
		rc = renew_locks(c, reterr);
	return rc ? rc : place_forget(c->o, c->ledger, now(c), reterr);
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
