#include "agent/repository/index_list.h"

#include <string.h>

#include "agent/repository/bytes.h"
#include "agent/repository/seal.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

static const char magic[8] = "KEDGEIX2";
enum {
	NONCE_SIZE = 12,
	HEADER_SIZE = 8 + NONCE_SIZE,
	COUNTS_SIZE = 28,
	PACK_SIZE = 24 + PACK_ID_SIZE,
	RUN_SIZE = RUN_ID_SIZE + 8 + RUN_NONCE_SIZE + SEAL_TAG_SIZE,
	LEAST_SIZE = HEADER_SIZE + COUNTS_SIZE + SEAL_TAG_SIZE,
	LIST_SIZE_MAX = 64 << 20, /* 1.6 million packs */
};

void index_list_done(struct index_list *l)
{
	free(l->packs);
	free(l->runs);
	*l = (struct index_list){0};
}

static enum err_code tag_of(
    const struct keys *k, const uint8_t *data, size_t size, uint8_t tag[SEAL_TAG_SIZE], struct err *reterr)
{
	uint8_t key[KEY_SIZE];
	enum err_code rc = keys_derive_naming(k, "index", key, sizeof key, reterr);
	if (rc)
		return rc;
	CLEANUP(gmac_cleanup) struct gmac *mac = gmac_new(key, data + 8);
	secret_wipe(key, sizeof key);
	if (!mac)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	gmac_add(mac, data, size);
	gmac_end(mac, tag);
	return ERR_OK;
}

/* ---- writing ---- */

static uint8_t *write_pack(uint8_t *p, const struct index_pack *k)
{
	put32(p, k->number);
	memcpy(p + 4, k->id.b, PACK_ID_SIZE);
	put64(p + 20, k->size);
	put64(p + 28, k->doomed_ms);
	put32(p + 36, k->chunks);
	return p + PACK_SIZE;
}

static uint8_t *write_run(uint8_t *p, const struct run_about *r)
{
	memcpy(p, r->id, RUN_ID_SIZE);
	put64(p + 16, r->count);
	memcpy(p + 24, r->nonce, RUN_NONCE_SIZE);
	memcpy(p + 36, r->tag, SEAL_TAG_SIZE);
	return p + RUN_SIZE;
}

enum err_code index_list_write(const char *folder, const struct keys *k, const struct index_list *l, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct random random;
	size_t size = LEAST_SIZE + l->pack_count * PACK_SIZE + l->run_count * RUN_SIZE;
	if (!text_format(path, sizeof path, "%s/list", folder))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", folder);
	if (size > LIST_SIZE_MAX)
		return err_set(reterr, ERR_LIMIT, "%s: too many packs", folder);
	CLEANUP(cleanup_free) uint8_t *data = malloc(size);
	if (!data)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	memcpy(data, magic, sizeof magic);
	random_init_system(&random);
	random_fill(&random, data + 8, NONCE_SIZE);
	uint8_t *p = data + HEADER_SIZE;
	put64(p, l->epoch);
	put64(p + 8, l->generation);
	put32(p + 16, l->next_number);
	put32(p + 20, (uint32_t)l->pack_count);
	put32(p + 24, (uint32_t)l->run_count);
	p += COUNTS_SIZE;
	for (size_t i = 0; i < l->pack_count; i++)
		p = write_pack(p, &l->packs[i]);
	for (size_t i = 0; i < l->run_count; i++)
		p = write_run(p, &l->runs[i]);
	enum err_code rc = tag_of(k, data, (size_t)(p - data), p, reterr);
	return rc ? rc : file_replace(path, data, size, 0600, reterr);
}

/* ---- reading ---- */

static struct index_pack read_pack(const uint8_t *p)
{
	struct index_pack k = {
	    .number = get32(p), .size = get64(p + 20), .doomed_ms = get64(p + 28), .chunks = get32(p + 36)};
	memcpy(k.id.b, p + 4, PACK_ID_SIZE);
	return k;
}

static struct run_about read_run(const uint8_t *p)
{
	struct run_about r = {.count = get64(p + 16)};
	memcpy(r.id, p, RUN_ID_SIZE);
	memcpy(r.nonce, p + 24, RUN_NONCE_SIZE);
	memcpy(r.tag, p + 36, SEAL_TAG_SIZE);
	return r;
}

/* What stands in an authentic list was written by us; only its size must fit what it counts. */
static enum err_code parse(const uint8_t *p, size_t size, struct index_list *ret, struct err *reterr)
{
	struct index_list l = {.epoch = get64(p), .generation = get64(p + 8), .next_number = get32(p + 16)};
	l.pack_count = get32(p + 20);
	l.run_count = get32(p + 24);
	if (size != COUNTS_SIZE + (uint64_t)l.pack_count * PACK_SIZE + (uint64_t)l.run_count * RUN_SIZE)
		return err_set(reterr, ERR_CORRUPT, "its counts do not fit");
	l.packs = calloc(l.pack_count + 1, sizeof *l.packs);
	l.runs = calloc(l.run_count + 1, sizeof *l.runs);
	if (!l.packs || !l.runs) {
		index_list_done(&l);
		return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	p += COUNTS_SIZE;
	for (size_t i = 0; i < l.pack_count; i++, p += PACK_SIZE)
		l.packs[i] = read_pack(p);
	for (size_t i = 0; i < l.run_count; i++, p += RUN_SIZE)
		l.runs[i] = read_run(p);
	*ret = l;
	return ERR_OK;
}

enum err_code index_list_read(const char *folder, const struct keys *k, struct index_list *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	uint8_t tag[SEAL_TAG_SIZE];
	struct buf data = {.limit = LIST_SIZE_MAX};
	if (!text_format(path, sizeof path, "%s/list", folder))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", folder);
	enum err_code rc = file_read(path, LIST_SIZE_MAX, &data, reterr);
	if (!rc) {
		size_t body = data.size > LEAST_SIZE ? data.size - SEAL_TAG_SIZE : LEAST_SIZE - SEAL_TAG_SIZE;
		bool good = data.size >= LEAST_SIZE && !memcmp(data.data, magic, sizeof magic) &&
			    !tag_of(k, data.data, body, tag, NULL) && secret_equal(tag, data.data + body, sizeof tag);
		rc = good ? parse(data.data + HEADER_SIZE, body - HEADER_SIZE, ret, reterr)
			  : err_set(reterr, ERR_CORRUPT, "%s is not the index as it was left", path);
	} else if (rc == ERR_LIMIT) {
		rc = ERR_CORRUPT;
	}
	buf_done(&data);
	return rc;
}
