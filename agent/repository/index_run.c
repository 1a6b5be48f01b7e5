/* One run of the index. */
#include "agent/repository/index_run.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/repository/bytes.h"
#include "agent/repository/io.h"
#include "agent/repository/seal.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

static const char magic[8] = "KEDGEIR1";
enum {
	HEADER_SIZE = 8 + RUN_ID_SIZE,
	BUFFER_ENTRIES = 5952, /* 256 KiB: what is read or written at a time */
	FILTER_BITS = 12,      /* an entry: some 2 % of look-ups in vain get through */
	FILTER_WORD_BITS = 64,
};

/* What look-ups need in memory. */
struct guide {
	uint32_t *firsts; /* of each block, the id's first four bytes */
	uint64_t *filter; /* four bits of one word for each id */
	size_t blocks, words;
	uint8_t *all; /* every entry; NULL: in the file only */
	uint64_t count;
};
struct run {
	atomic_uint users;
	int fd;
	struct run_about about;
	struct guide guide;
};

char *run_name(const uint8_t id[RUN_ID_SIZE], char out[RUN_NAME_MAX])
{
	text_hex(id, RUN_ID_SIZE, out);
	strcpy(out + (size_t)2 * RUN_ID_SIZE, ".run");
	return out;
}

void run_entry_write(uint8_t out[RUN_ENTRY_SIZE], const struct chunk_id *id, const struct place *p)
{
	const uint32_t words[] = {p->pack, p->offset, p->sealed_size, p->raw_size, p->at, p->size};
	memcpy(out, id->b, CHUNK_ID_SIZE);
	for (size_t i = 0; i < 6; i++)
		put32(out + CHUNK_ID_SIZE + 4 * i, words[i]);
}

struct place run_entry_place(const uint8_t entry[RUN_ENTRY_SIZE])
{
	const uint8_t *p = entry + CHUNK_ID_SIZE;
	return (struct place){get32(p), get32(p + 4), get32(p + 8), get32(p + 12), get32(p + 16), get32(p + 20)};
}

/* ---- the guide ---- */

static uint32_t first_bytes(const uint8_t *id)
{
	return (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
}

static bool guide_new(uint64_t room, struct guide *ret)
{
	size_t wanted = (size_t)(room * FILTER_BITS / FILTER_WORD_BITS) + 1;
	struct guide g = {.blocks = 0, .words = wanted < INDEX_FILTER_WORDS ? wanted : INDEX_FILTER_WORDS};
	g.firsts = calloc((size_t)(room / RUN_BLOCK) + 1, sizeof *g.firsts);
	g.filter = calloc(g.words, sizeof *g.filter);
	if (room <= INDEX_RESIDENT)
		g.all = malloc((size_t)room * RUN_ENTRY_SIZE + 1);
	*ret = g;
	return g.firsts && g.filter && (g.all || room > INDEX_RESIDENT);
}

static void guide_done(struct guide *g)
{
	free(g->firsts);
	free(g->filter);
	free(g->all);
}

/* Ids are as good as random, so their own bytes are the hashes. */
static uint64_t *filter_word(const struct guide *g, const uint8_t *id, uint64_t *ret_bits)
{
	uint64_t bits = get64(id + 4), which = get32(id + 12);
	*ret_bits =
	    1ull << (bits & 63) | 1ull << (bits >> 6 & 63) | 1ull << (bits >> 12 & 63) | 1ull << (bits >> 18 & 63);
	return &g->filter[which * g->words >> 32];
}

static void guide_add(struct guide *g, const uint8_t *entries, size_t count)
{
	if (g->all)
		memcpy(g->all + g->count * RUN_ENTRY_SIZE, entries, count * RUN_ENTRY_SIZE);
	for (size_t i = 0; i < count; i++, g->count++) {
		const uint8_t *id = entries + i * RUN_ENTRY_SIZE;
		uint64_t bits, *word = filter_word(g, id, &bits);
		*word |= bits;
		if (g->count % RUN_BLOCK == 0)
			g->firsts[g->blocks++] = first_bytes(id);
	}
}

static bool guide_may_have(const struct guide *g, const uint8_t *id)
{
	uint64_t bits, *word = filter_word(g, id, &bits);
	return (*word & bits) == bits;
}

/* The first block in which an id that begins like this can be. */
static size_t guide_block(const struct guide *g, uint32_t first)
{
	size_t low = 0, high = g->blocks;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (g->firsts[middle] < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

/* ---- opening ---- */

void run_leave(struct run *r)
{
	if (!r || atomic_fetch_sub(&r->users, 1) > 1)
		return;
	if (r->fd >= 0)
		close(r->fd);
	guide_done(&r->guide);
	free(r);
}
CLEANUP_DEFINE(struct run, run_cleanup, run_leave)

struct run *run_share(struct run *r)
{
	atomic_fetch_add(&r->users, 1);
	return r;
}

const struct run_about *run_of(const struct run *r)
{
	return &r->about;
}

static enum err_code gmac_begin(
    const struct keys *k, const struct run_about *about, struct gmac **ret, struct err *reterr)
{
	uint8_t key[KEY_SIZE], header[HEADER_SIZE];
	enum err_code rc = keys_derive_naming(k, "index", key, sizeof key, reterr);
	if (rc)
		return rc;
	struct gmac *mac = gmac_new(key, about->nonce);
	secret_wipe(key, sizeof key);
	if (!mac)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	memcpy(header, magic, sizeof magic);
	memcpy(header + sizeof magic, about->id, RUN_ID_SIZE);
	gmac_add(mac, header, sizeof header);
	*ret = mac;
	return ERR_OK;
}

static enum err_code not_as_left(const struct run_about *about, struct err *reterr)
{
	char name[RUN_NAME_MAX];
	return err_set(reterr, ERR_CORRUPT, "index/%s is not the index as it was left", run_name(about->id, name));
}

/* Everything once, in order: the tag is right, and the guide is made on the way. */
static enum err_code read_through(struct run *r, const struct keys *k, struct err *reterr)
{
	uint8_t header[HEADER_SIZE], tag[SEAL_TAG_SIZE];
	CLEANUP(gmac_cleanup) struct gmac *mac = NULL;
	CLEANUP(cleanup_free) uint8_t *block = malloc((size_t)BUFFER_ENTRIES * RUN_ENTRY_SIZE);
	if (!block)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = gmac_begin(k, &r->about, &mac, reterr);
	if (!rc)
		rc = io_pread_exact(r->fd, header, sizeof header, 0, reterr);
	if (rc)
		return rc;
	if (memcmp(header, magic, sizeof magic) || memcmp(header + sizeof magic, r->about.id, RUN_ID_SIZE))
		return not_as_left(&r->about, reterr);
	for (uint64_t at = 0; at < r->about.count;) {
		uint64_t left = r->about.count - at;
		size_t n = left < BUFFER_ENTRIES ? (size_t)left : BUFFER_ENTRIES;
		rc = io_pread_exact(r->fd, block, n * RUN_ENTRY_SIZE, HEADER_SIZE + at * RUN_ENTRY_SIZE, reterr);
		if (rc)
			return rc;
		gmac_add(mac, block, n * RUN_ENTRY_SIZE);
		guide_add(&r->guide, block, n);
		at += n;
	}
	gmac_end(mac, tag);
	return secret_equal(tag, r->about.tag, sizeof tag) ? ERR_OK : not_as_left(&r->about, reterr);
}

enum err_code run_open(
    int folder_fd, const struct keys *k, const struct run_about *about, struct run **ret, struct err *reterr)
{
	char name[RUN_NAME_MAX];
	struct stat st;
	CLEANUP(run_cleanup) struct run *r = calloc(1, sizeof *r);
	if (!r)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	atomic_init(&r->users, 1);
	r->about = *about;
	r->fd = openat(folder_fd, run_name(about->id, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd < 0)
		return errno == ELOOP ? not_as_left(about, reterr) : err_sys(reterr, errno, "open index/%s", name);
	if (fstat(r->fd, &st))
		return err_sys(reterr, errno, "index/%s", name);
	if (!S_ISREG(st.st_mode) || about->count > INDEX_CHUNKS_MAX ||
	    (uint64_t)st.st_size != HEADER_SIZE + about->count * RUN_ENTRY_SIZE)
		return not_as_left(about, reterr);
	if (!guide_new(about->count, &r->guide))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = read_through(r, k, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(r);
	return ERR_OK;
}

/* ---- finding ---- */

static enum err_code read_entries(const struct run *r, uint64_t first, size_t count, uint8_t *out, struct err *reterr)
{
	return io_pread_exact(r->fd, out, count * RUN_ENTRY_SIZE, HEADER_SIZE + first * RUN_ENTRY_SIZE, reterr);
}

enum err_code run_find(
    const struct run *r, const struct chunk_id *id, struct place *ret, size_t *ret_at, struct err *reterr)
{
	const struct guide *g = &r->guide;
	uint8_t room[RUN_BLOCK * RUN_ENTRY_SIZE];
	uint32_t first = first_bytes(id->b);
	*ret_at = SIZE_MAX;
	if (!g->blocks || !guide_may_have(g, id->b))
		return ERR_OK;
	for (size_t b = guide_block(g, first); b < g->blocks && g->firsts[b] <= first; b++) {
		uint64_t at = (uint64_t)b * RUN_BLOCK, left = g->count - at;
		size_t n = left < RUN_BLOCK ? (size_t)left : RUN_BLOCK;
		const uint8_t *e = g->all ? g->all + at * RUN_ENTRY_SIZE : room;
		enum err_code rc = g->all ? ERR_OK : read_entries(r, at, n, room, reterr);
		if (rc)
			return rc;
		for (size_t i = 0; i < n; i++, e += RUN_ENTRY_SIZE)
			if (!memcmp(e, id->b, CHUNK_ID_SIZE)) {
				*ret = run_entry_place(e);
				*ret_at = (size_t)at + i;
				return ERR_OK;
			}
	}
	return ERR_OK;
}

enum err_code run_begin(const struct run *r, struct run_cursor *ret, struct err *reterr)
{
	struct run_cursor c = {.run = r, .block = malloc((size_t)BUFFER_ENTRIES * RUN_ENTRY_SIZE)};
	if (!c.block)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*ret = c;
	return ERR_OK;
}

enum err_code run_next(struct run_cursor *c, const uint8_t **ret, struct err *reterr)
{
	if (c->at == c->held) {
		uint64_t left = c->run->about.count - c->next;
		size_t n = left < BUFFER_ENTRIES ? (size_t)left : BUFFER_ENTRIES;
		enum err_code rc = n ? read_entries(c->run, c->next, n, c->block, reterr) : ERR_OK;
		if (rc)
			return rc;
		c->next += n;
		c->held = n * RUN_ENTRY_SIZE;
		c->at = 0;
	}
	*ret = c->held ? c->block + c->at : NULL;
	c->at += c->held ? RUN_ENTRY_SIZE : 0;
	return ERR_OK;
}

void run_end(struct run_cursor *c)
{
	free(c->block);
	*c = (struct run_cursor){0};
}

/* ---- writing ---- */

struct run_writer {
	int folder_fd;
	struct run *run; /* in the making; NULL: handed over */
	struct gmac *mac;
	uint8_t *block;
	size_t held; /* entries */
	char name[RUN_NAME_MAX];
	bool made;
};

void run_writer_free(struct run_writer *w)
{
	if (!w)
		return;
	if (w->run && w->made)
		(void)unlinkat(w->folder_fd, w->name, 0);
	run_leave(w->run);
	gmac_free(w->mac);
	free(w->block);
	free(w);
}

enum err_code run_writer_new(
    int folder_fd, const struct keys *k, uint64_t room, struct run_writer **ret, struct err *reterr)
{
	struct random random;
	uint8_t header[HEADER_SIZE];
	CLEANUP(run_writer_cleanup) struct run_writer *w = calloc(1, sizeof *w);
	if (!w)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	w->folder_fd = folder_fd;
	w->block = malloc((size_t)BUFFER_ENTRIES * RUN_ENTRY_SIZE);
	struct run *r = w->run = calloc(1, sizeof *w->run);
	if (r) {
		atomic_init(&r->users, 1);
		r->fd = -1;
	}
	if (!w->block || !r || !guide_new(room, &r->guide))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	random_init_system(&random);
	random_fill(&random, r->about.id, RUN_ID_SIZE);
	random_fill(&random, r->about.nonce, RUN_NONCE_SIZE);
	enum err_code rc = gmac_begin(k, &r->about, &w->mac, reterr);
	if (rc)
		return rc;
	r->fd =
	    openat(folder_fd, run_name(r->about.id, w->name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0)
		return err_sys(reterr, errno, "create index/%s", w->name);
	w->made = true;
	memcpy(header, magic, sizeof magic);
	memcpy(header + sizeof magic, r->about.id, RUN_ID_SIZE);
	rc = io_pwrite(r->fd, header, sizeof header, 0, reterr);
	if (rc)
		return err_prefix(reterr, rc, "index/%s", w->name);
	*ret = TAKE_PTR(w);
	return ERR_OK;
}

static enum err_code flush(struct run_writer *w, struct err *reterr)
{
	struct run *r = w->run;
	enum err_code rc =
	    io_pwrite(r->fd, w->block, w->held * RUN_ENTRY_SIZE, HEADER_SIZE + r->about.count * RUN_ENTRY_SIZE, reterr);
	if (rc)
		return err_prefix(reterr, rc, "index/%s", w->name);
	gmac_add(w->mac, w->block, w->held * RUN_ENTRY_SIZE);
	guide_add(&r->guide, w->block, w->held);
	r->about.count += w->held;
	w->held = 0;
	return ERR_OK;
}

enum err_code run_writer_add(struct run_writer *w, const uint8_t entry[RUN_ENTRY_SIZE], struct err *reterr)
{
	memcpy(w->block + w->held * RUN_ENTRY_SIZE, entry, RUN_ENTRY_SIZE);
	return ++w->held == BUFFER_ENTRIES ? flush(w, reterr) : ERR_OK;
}

enum err_code run_writer_finish(struct run_writer *w, struct run **ret, struct err *reterr)
{
	enum err_code rc = flush(w, reterr);
	if (rc)
		return rc;
	if (fdatasync(w->run->fd))
		return err_sys(reterr, errno, "sync index/%s", w->name);
	gmac_end(w->mac, w->run->about.tag);
	*ret = TAKE_PTR(w->run);
	return ERR_OK;
}
