#include "agent/offhost/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/repository/seal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

/* ---- telling ---- */

void store_say(const struct offhost *o, const char *fmt, ...)
{
	char text[TEXT_LINE_MAX];
	va_list ap;
	if (!o->progress)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	o->progress(o->ctx, text);
}

void store_finding(const struct offhost *o, const char *fmt, ...)
{
	char text[TEXT_LINE_MAX];
	va_list ap;
	if (!o->finding)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	o->finding(o->ctx, text);
}

/* ---- names, and trying again ---- */

static enum err_code whole_name(
    const struct generation *g, const char *name, char out[BUCKET_NAME_MAX], struct err *reterr)
{
	if (!text_format(out, BUCKET_NAME_MAX, "%s%s/%03u/%s", g->o->prefix, g->o->host, g->number, name))
		return err_set(reterr, ERR_LIMIT, "copies: the prefix is too long");
	return ERR_OK;
}

static bool cancelled(const struct offhost *o)
{
	return o->cancel && atomic_load(o->cancel);
}

static bool may_pass(enum err_code rc)
{
	return rc == ERR_UNREACHABLE || rc == ERR_TIMEOUT || rc == ERR_BUSY;
}

/* Is it worth another try?  If so, waits first. */
static bool again(const struct offhost *o, enum err_code rc, unsigned *tries)
{
	if (!may_pass(rc) || ++*tries >= OFFHOST_TRIES || cancelled(o))
		return false;
	o->pause(o->ctx, (uint64_t)OFFHOST_RETRY_MS << (*tries - 1), o->cancel);
	return !cancelled(o);
}

static enum err_code begin(const struct generation *g, const char *name, char out[BUCKET_NAME_MAX], struct err *reterr)
{
	return cancelled(g->o) ? err_set(reterr, ERR_CANCELLED, "stopped") : whole_name(g, name, out, reterr);
}

bool store_again(const struct offhost *o, enum err_code rc)
{
	unsigned tries = 0;
	return again(o, rc, &tries);
}

enum err_code store_put_fd(const struct generation *g, const char *name, int fd, uint64_t size,
    const struct digest *sha256, uint64_t lock_until_ms, enum bucket_outcome *ret, struct err *reterr)
{
	const struct offhost *o = g->o;
	char whole[BUCKET_NAME_MAX];
	unsigned tries = 0;
	enum err_code rc = begin(g, name, whole, reterr);
	struct bucket_object object = {whole, size, *sha256, lock_until_ms ? o->lock : BUCKET_UNLOCKED, lock_until_ms};
	if (rc)
		return rc;
	do
		rc = o->store.put(o->store.ctx, &object, fd, ret, reterr);
	while (again(o, rc, &tries));
	return rc;
}

enum err_code store_put_begin(const struct generation *g, const char *name, int fd, uint64_t size,
    const struct digest *sha256, uint64_t lock_until_ms, uint32_t number, struct err *reterr)
{
	const struct offhost *o = g->o;
	char whole[BUCKET_NAME_MAX];
	enum err_code rc = begin(g, name, whole, reterr);
	struct bucket_object object = {whole, size, *sha256, lock_until_ms ? o->lock : BUCKET_UNLOCKED, lock_until_ms};
	return rc ? rc : o->store.put_begin(o->store.ctx, &object, fd, number, reterr);
}

enum err_code store_head(
    const struct generation *g, const char *name, enum bucket_outcome *ret, uint64_t *ret_size, struct err *reterr)
{
	const struct offhost *o = g->o;
	char whole[BUCKET_NAME_MAX];
	unsigned tries = 0;
	enum err_code rc = begin(g, name, whole, reterr);
	if (rc)
		return rc;
	do
		rc = o->store.head(o->store.ctx, whole, ret, ret_size, reterr);
	while (again(o, rc, &tries));
	return rc;
}

enum err_code store_retain(
    const struct generation *g, const char *name, uint64_t until_ms, enum bucket_outcome *ret, struct err *reterr)
{
	const struct offhost *o = g->o;
	char whole[BUCKET_NAME_MAX];
	unsigned tries = 0;
	enum err_code rc = begin(g, name, whole, reterr);
	if (rc)
		return rc;
	do
		rc = o->store.retain(o->store.ctx, whole, (enum bucket_lock)o->lock, until_ms, ret, reterr);
	while (again(o, rc, &tries));
	return rc;
}

/* ---- getting ---- */

struct taking {
	struct buf *out; /* or */
	struct sha256 *sha256;
	int fd;
	uint64_t bytes;
	struct err *err; /* of writing */
	enum err_code rc;
};

static bool take(void *ctx, const void *data, size_t size)
{
	struct taking *t = ctx;
	t->bytes += size;
	if (t->out) {
		buf_append(t->out, data, size);
		return !t->out->failed;
	}
	sha256_add(t->sha256, data, size);
	if (t->fd >= 0)
		t->rc = file_write_all(t->fd, data, size, t->err);
	return t->rc == ERR_OK;
}

enum err_code store_get(const struct generation *g, const char *name, size_t limit, struct buf *out,
    enum bucket_outcome *ret, struct err *reterr)
{
	const struct offhost *o = g->o;
	char whole[BUCKET_NAME_MAX];
	unsigned tries = 0;
	enum err_code rc = begin(g, name, whole, reterr);
	if (rc)
		return rc;
	do {
		struct taking t = {.out = out, .fd = -1};
		buf_clear(out);
		rc = o->store.get(o->store.ctx, whole, limit, take, &t, ret, reterr);
	} while (again(o, rc, &tries));
	return rc == ERR_CANCELLED && out->failed ? err_set(reterr, ERR_NOMEM, "out of memory for %s", name) : rc;
}

CLEANUP_DEFINE(struct sha256, sum_cleanup, sha256_free)

enum err_code store_digest(const struct generation *g, const char *name, uint64_t limit, int fd, struct digest *ret,
    uint64_t *ret_size, enum bucket_outcome *ret_outcome, struct err *reterr)
{
	const struct offhost *o = g->o;
	CLEANUP(sum_cleanup) struct sha256 *sum = sha256_new();
	char whole[BUCKET_NAME_MAX];
	unsigned tries = 0;
	struct err why = ERR_INIT;
	struct taking t;
	enum err_code rc = sum ? begin(g, name, whole, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc)
		return rc;
	do {
		t = (struct taking){.sha256 = sum, .fd = fd, .err = &why};
		sha256_end(sum, ret->b); /* what an earlier try got is forgotten */
		if (fd >= 0 && (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0))
			return err_sys(reterr, errno, "empty a file for %s", name);
		rc = o->store.get(o->store.ctx, whole, limit, take, &t, ret_outcome, reterr);
	} while (again(o, rc, &tries));
	if (rc && t.rc) /* it was our own disk that would not take it */
		return err_set(reterr, t.rc, "%s", why.msg);
	sha256_end(sum, ret->b);
	*ret_size = t.bytes;
	return rc;
}

/* ---- what generations say of themselves ---- */

enum err_code store_statement(const struct generation *g, struct arena *arena, struct place_statement *ret,
    enum bucket_outcome *ret_outcome, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	enum err_code rc = store_get(g, "repository", OFFHOST_SMALL_MAX, &text, ret_outcome, reterr);
	if (rc || *ret_outcome != BUCKET_DONE)
		return rc;
	rc = record_from_json(&place_statement_type, buf_str(&text), text.size, 0, arena, ret, reterr);
	if (rc)
		return err_prefix(reterr, rc == ERR_NOMEM ? rc : ERR_CORRUPT, "%s%s/%03u/repository", g->o->prefix,
		    g->o->host, g->number);
	if (ret->version != 1)
		return err_set(
		    reterr, ERR_UNSUPPORTED, "the copy has layout %u, which is not known here", ret->version);
	return ERR_OK;
}

static enum err_code is_there(const struct generation *g, const char *name, bool *ret, struct err *reterr)
{
	enum bucket_outcome outcome = BUCKET_MISSING;
	uint64_t size;
	enum err_code rc = store_head(g, name, &outcome, &size, reterr);
	if (!rc)
		*ret = outcome == BUCKET_DONE;
	return rc;
}

/* By doubling steps, then by halves. */
enum err_code store_newest(const struct generation *g, char *(*name_of)(uint32_t, char *), uint32_t at_least,
    uint32_t most, uint32_t *ret, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	uint32_t low = at_least, high = most + 1; /* low is there (or 0), high is not */
	for (uint32_t step = 1; low < most && low + step < high; step *= 2) {
		bool there = false;
		enum err_code rc = is_there(g, name_of(low + step, name), &there, reterr);
		if (rc)
			return rc;
		if (!there)
			high = low + step;
		else
			low += step;
	}
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		bool there = false;
		enum err_code rc = is_there(g, name_of(middle, name), &there, reterr);
		if (rc)
			return rc;
		*(there ? &low : &high) = middle;
	}
	*ret = low;
	return ERR_OK;
}

/* ---- inventories ---- */

enum { INVENTORY_ARENA = 512 << 20 };

struct chain { /* inventories, one after the other */
	const struct generation *g;
	const struct keys *k;
	struct digest previous; /* of the one that was read last */
};

/* *ret lives in arena; what precedes it is not looked at. */
static enum err_code read_inventory(
    struct chain *c, uint32_t number, struct arena *arena, struct inventory *ret, size_t *ret_size, struct err *reterr)
{
	CLEANUP(buf_done) struct buf data = {.limit = OFFHOST_INVENTORY_MAX};
	char name[COPIED_NAME_MAX];
	enum bucket_outcome outcome = BUCKET_MISSING;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
	enum err_code rc =
	    store_get(c->g, copied_inventory_name(number, name), OFFHOST_INVENTORY_MAX, &data, &outcome, reterr);
	if (rc)
		return rc;
	if (outcome != BUCKET_DONE)
		return err_set(reterr, ERR_CORRUPT, "%s is missing in the store", name);
	rc = inventory_unseal(c->k, number, data.data, data.size, arena, ret, reterr);
	if (rc)
		return err_prefix(reterr, rc, "%s", name);
	store_bytes_digest(data.data, data.size, &c->previous);
	*ret_size = data.size;
	return ERR_OK;
}

static enum err_code find_base(struct chain *c, uint32_t newest, uint32_t *ret, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(INVENTORY_ARENA);
	struct inventory v;
	size_t size;
	enum err_code rc = read_inventory(c, newest, arena, &v, &size, reterr);
	if (!rc)
		*ret = inventory_base(newest, v.base);
	return rc;
}

static enum err_code one_inventory(
    struct chain *c, uint32_t number, uint32_t base, store_inventory_fn *visit, void *ctx, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(INVENTORY_ARENA);
	struct digest before = c->previous;
	struct inventory v;
	size_t size;
	enum err_code rc = read_inventory(c, number, arena, &v, &size, reterr);
	if (!rc && ((number > base && memcmp(&before, &v.previous, sizeof before)) ||
		       inventory_base(number, v.base) != base)) {
		char name[COPIED_NAME_MAX];
		rc = err_set(reterr, ERR_CORRUPT, "%s does not follow from the one before it",
		    copied_inventory_name(number, name));
	}
	return rc ? rc : visit(ctx, &v, size, &c->previous, reterr);
}

enum err_code store_inventories(const struct generation *g, const struct keys *k, uint32_t newest,
    store_inventory_fn *visit, void *ctx, struct err *reterr)
{
	struct chain c = {.g = g, .k = k};
	uint32_t base = 1;
	enum err_code rc = newest ? find_base(&c, newest, &base, reterr) : ERR_OK;
	for (uint32_t n = base; n <= newest && !rc; n++)
		rc = one_inventory(&c, n, base, visit, ctx, reterr);
	return rc;
}

/* ---- digests and files ---- */

void store_bytes_digest(const void *data, size_t size, struct digest *ret)
{
	CLEANUP(sum_cleanup) struct sha256 *sum = sha256_new();
	if (!sum)
		abort(); /* a hundred bytes */
	sha256_add(sum, data, size);
	sha256_end(sum, ret->b);
}

enum err_code store_file_digest(int fd, struct digest *ret, uint64_t *ret_size, struct err *reterr)
{
	static uint8_t piece[OFFHOST_PIECE];
	CLEANUP(sum_cleanup) struct sha256 *sum = sha256_new();
	uint64_t at = 0;
	if (!sum)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (;;) {
		ssize_t n = pread(fd, piece, sizeof piece, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(reterr, errno, "read what is to be copied");
		if (n == 0)
			break;
		sha256_add(sum, piece, (size_t)n);
		at += (uint64_t)n;
	}
	sha256_end(sum, ret->b);
	*ret_size = at;
	return ERR_OK;
}

enum err_code store_memory_file(const void *data, size_t size, int *ret_fd, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("kedge-copy", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "a file in memory");
	enum err_code rc = file_write_all(fd, data, size, reterr);
	if (!rc)
		*ret_fd = TAKE_FD(fd);
	return rc;
}
