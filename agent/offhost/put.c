/* Putting: one object, and several packs at a time. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/offhost/archives.h"
#include "agent/offhost/copying.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

/* ---- one object ---- */

static enum err_code somebody_else(const struct copying *c, const struct copied *e, struct err *reterr)
{
	return err_set(reterr, ERR_STATE,
	    "%s is in the store already with other content: another host, or a restored copy of this one, writes "
	    "there; "
	    "when that has stopped, remove the ledger (%.200s/ledger) to begin again from what the store holds",
	    e->name, c->o->folder);
}

enum err_code copying_has_arrived(struct copying *c, const struct copied *e, bool *ret, struct err *reterr)
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
	enum err_code rc = is_numbered(e->name) ? copying_has_arrived(c, e, &arrived, reterr) : ERR_OK;
	if (!rc && !arrived)
		rc = store_put_fd(&c->g, e->name, fd, e->size_bytes, &e->sha256, e->locked_until_ms, &outcome, reterr);
	if (!rc && outcome == BUCKET_EXISTS)
		rc = copying_has_arrived(c, e, &arrived, reterr);
	if (rc)
		return rc;
	if (outcome == BUCKET_EXISTS && !arrived)
		return hidden(e, reterr);
	*ret_resumed = arrived;
	return ERR_OK;
}

static enum err_code note_stored(struct copying *c, struct copied *e, bool resumed, struct err *reterr)
{
	e->stored_ms = copying_now(c);
	c->result->objects++;
	c->result->bytes += resumed ? 0 : e->size_bytes;
	c->result->resumed += resumed;
	return ledger_put(c->ledger, e, reterr);
}

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
		rc = copying_has_arrived(c, &e, &resumed, reterr);
	}
	if (!rc && !resumed) {
		e.locked_until_ms = place_lock_until(c->o, copying_now(c));
		rc = ledger_put(c->ledger, &e, reterr);
		if (!rc)
			rc = send_object(c, &e, fd, &resumed, reterr);
	}
	return rc ? rc : note_stored(c, &e, resumed, reterr);
}

enum err_code copying_put_bytes(
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

enum err_code copying_put_file(struct copying *c, const struct copied *want, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = -1;
	const struct copied *known = ledger_find(c->ledger, want->name);
	if (known && known->stored_ms)
		return ERR_OK;
	enum err_code rc = open_file(c, want, &fd, reterr);
	return rc ? rc : put_object(c, want, fd, reterr);
}

/* ---- several packs at a time ---- */

static void flight_done(struct flight *f)
{
	if (f->name[0])
		close(f->fd);
	f->name[0] = '\0';
	f->late = false;
}

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
	f->e.locked_until_ms = place_lock_until(c->o, copying_now(c));
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
		rc = copying_has_arrived(c, &f->e, &arrived, reterr);
		if (!rc && !arrived)
			rc = hidden(&f->e, reterr);
	} else if (store_again(c->o, rc)) {
		rc = send_object(c, &f->e, f->fd, &arrived, reterr);
	} else {
		rc = err_set(reterr, rc, "%s", f->ended.why.msg);
	}
	return rc ? rc : note_stored(c, &f->e, arrived, reterr);
}

enum err_code copying_land_all(struct copying *c, struct err *reterr)
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
	return !rc && any_late(c) ? copying_land_all(c, reterr) : rc;
}

/* One that an earlier run had begun is looked at first, alone. */
enum err_code copying_put_pack(struct copying *c, struct pack_id pack, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	struct copied want = {.name = copied_pack_name(pack, name)};
	const struct copied *known = ledger_find(c->ledger, name);
	enum err_code rc = known && known->stored_ms ? ERR_OK : repo_pack_sound(c->r, pack, reterr);
	if (rc || (known && known->stored_ms))
		return rc;
	rc = known ? copying_land_all(c, reterr) : make_room(c, reterr);
	if (rc)
		return rc;
	return known ? copying_put_file(c, &want, reterr) : take_off(c, &want, reterr);
}
