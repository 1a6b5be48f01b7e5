#include "agent/offhost/inventory.h"

#include <string.h>

#include "agent/repository/bytes.h"
#include "shared/base/cleanup.h"
#include "shared/base/secret.h"

static const char magic[8] = "KEDGEIV1";
#define SIGNING_DOMAIN "kedge inventory 1"

uint32_t inventory_base(uint32_t number, uint32_t base)
{
	return base ? base : number - (number - 1) % OFFHOST_FULL_EVERY;
}

/* ---- the header ---- */

static void header_write(const struct inventory_header *h, uint8_t out[INVENTORY_HEADER_SIZE])
{
	memset(out, 0, INVENTORY_HEADER_SIZE);
	memcpy(out, magic, sizeof magic);
	put32(out + 8, INVENTORY_VERSION);
	put32(out + 12, h->key_number);
	memcpy(out + 16, h->repo, REPO_ID_SIZE);
	put64(out + 32, h->number);
	put32(out + 40, h->sealed_size);
	memcpy(out + 48, h->salt, INVENTORY_SALT_SIZE);
}

enum err_code inventory_header_parse(const uint8_t *data, size_t size, struct inventory_header *ret, struct err *reterr)
{
	if (size < INVENTORY_HEADER_SIZE + SEAL_TAG_SIZE + SIGNATURE_SIZE || memcmp(data, magic, sizeof magic))
		return err_set(reterr, ERR_CORRUPT, "does not begin as an inventory does");
	if (get32(data + 8) < 1 || get32(data + 8) > INVENTORY_VERSION)
		return err_set(reterr, ERR_UNSUPPORTED, "inventory version %u is not known here", get32(data + 8));
	struct inventory_header h = {
	    .key_number = get32(data + 12), .sealed_size = get32(data + 40), .number = get64(data + 32)};
	memcpy(h.repo, data + 16, REPO_ID_SIZE);
	memcpy(h.salt, data + 48, INVENTORY_SALT_SIZE);
	if (h.sealed_size < SEAL_TAG_SIZE || size != INVENTORY_HEADER_SIZE + (size_t)h.sealed_size + SIGNATURE_SIZE ||
	    get32(data + 44))
		return err_set(reterr, ERR_CORRUPT, "the inventory's size does not fit its header");
	*ret = h;
	return ERR_OK;
}

/* ---- sealing ---- */

static enum err_code sealer_for(
    const struct keys *k, const struct inventory_header *h, struct sealer **ret, struct err *reterr)
{
	uint8_t context[8 + INVENTORY_SALT_SIZE], key[KEY_SIZE];
	put64(context, h->number);
	memcpy(context + 8, h->salt, INVENTORY_SALT_SIZE);
	enum err_code rc = keys_derive(k, h->key_number, "inventory", context, sizeof context, key, reterr);
	if (!rc)
		rc = sealer_new(key, ret, reterr);
	secret_wipe(key, sizeof key);
	return rc;
}

static enum err_code append(
    struct buf *out, const struct record_type *t, const void *record, struct buf *scratch, struct err *reterr)
{
	buf_clear(scratch);
	enum err_code rc = record_to_msgpack(t, record, scratch, reterr);
	if (rc)
		return rc;
	buf_be32(out, (uint32_t)scratch->size);
	buf_append(out, scratch->data, scratch->size);
	return scratch->failed || out->failed
		   ? err_set(reterr, ERR_LIMIT, "an inventory of more than %d MiB; prune restore points",
			 OFFHOST_INVENTORY_MAX >> 20)
		   : ERR_OK;
}

static enum err_code write_body(const struct inventory *v, struct buf *out, struct err *reterr)
{
	CLEANUP(buf_done) struct buf scratch = BUF_INIT;
	struct inventory head = *v;
	head.count = v->entries.count;
	enum err_code rc = append(out, &inventory_type, &head, &scratch, reterr);
	for (size_t i = 0; i < v->entries.count && !rc; i++)
		rc = append(out, &copied_type, &LIST_AT(v->entries, struct copied, i), &scratch, reterr);
	return rc;
}

/* Of the record that begins at *data; both move behind it. */
static enum err_code take(const uint8_t **data, size_t *size, const struct record_type *t, struct arena *arena,
    void *record, struct err *reterr)
{
	if (*size < 4)
		return err_set(reterr, ERR_CORRUPT, "it ends early");
	uint32_t length =
	    (uint32_t)(*data)[0] << 24 | (uint32_t)(*data)[1] << 16 | (uint32_t)(*data)[2] << 8 | (*data)[3];
	if (length > *size - 4)
		return err_set(reterr, ERR_CORRUPT, "it ends early");
	enum err_code rc = record_from_msgpack(t, *data + 4, length, arena, record, reterr);
	*data += 4 + (size_t)length;
	*size -= 4 + (size_t)length;
	return rc == ERR_OK || rc == ERR_NOMEM ? rc : ERR_CORRUPT;
}

enum err_code inventory_body_parse(
    const uint8_t *data, size_t size, struct arena *arena, struct inventory *ret, struct err *reterr)
{
	struct inventory v = {.host = NULL};
	enum err_code rc = take(&data, &size, &inventory_type, arena, &v, reterr);
	if (rc)
		return rc;
	if (v.count > size / 4) /* each has a length: what is not there is not reserved */
		return err_set(reterr, ERR_CORRUPT, "it ends early");
	struct copied *all = arena_array(arena, (size_t)v.count + 1, sizeof *all);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
	for (size_t i = 0; i < v.count && !rc; i++)
		rc = take(&data, &size, &copied_type, arena, &all[i], reterr);
	if (!rc && size)
		rc = err_set(reterr, ERR_CORRUPT, "something follows its end");
	v.entries = (struct list){all, (size_t)v.count};
	if (!rc)
		*ret = v;
	return rc;
}

enum err_code inventory_seal(
    const struct keys *k, const struct inventory *c, struct random *random, struct buf *out, struct err *reterr)
{
	CLEANUP(buf_done) struct buf body = {.limit = OFFHOST_INVENTORY_MAX - 4096};
	CLEANUP(sealer_cleanup) struct sealer *sealer = NULL;
	struct inventory_header h = {.key_number = keys_newest(k), .number = c->number};
	uint8_t header[INVENTORY_HEADER_SIZE], signature[SIGNATURE_SIZE];
	enum err_code rc = write_body(c, &body, reterr);
	if (rc)
		return rc;
	memcpy(h.repo, keys_repo_id(k), REPO_ID_SIZE);
	random_fill(random, h.salt, sizeof h.salt);
	h.sealed_size = (uint32_t)(body.size + SEAL_TAG_SIZE);
	header_write(&h, header);
	size_t size = body.size;
	if (!buf_reserve(&body, SEAL_TAG_SIZE))
		return err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
	rc = sealer_for(k, &h, &sealer, reterr);
	if (!rc)
		rc = sealer_seal(sealer, 0, header, sizeof header, body.data, size, reterr);
	if (rc)
		return rc;
	buf_append(out, header, sizeof header);
	buf_append(out, body.data, size + SEAL_TAG_SIZE);
	if (!out->failed)
		rc = keys_sign(k, SIGNING_DOMAIN, out->data, out->size, signature, reterr);
	buf_append(out, signature, sizeof signature);
	return rc == ERR_OK && out->failed ? err_set(reterr, ERR_NOMEM, "out of memory for an inventory") : rc;
}

enum err_code inventory_unseal(const struct keys *k, uint32_t number, const uint8_t *data, size_t size,
    struct arena *arena, struct inventory *ret, struct err *reterr)
{
	CLEANUP(sealer_cleanup) struct sealer *sealer = NULL;
	struct inventory_header h;
	struct inventory c;
	enum err_code rc = inventory_header_parse(data, size, &h, reterr);
	if (rc)
		return rc;
	if (memcmp(h.repo, keys_repo_id(k), REPO_ID_SIZE) || h.number != number)
		return err_set(
		    reterr, ERR_CORRUPT, "belongs to another repository or is another inventory than its name says");
	if (!keys_verify(keys_public(k), SIGNING_DOMAIN, data, size - SIGNATURE_SIZE, data + size - SIGNATURE_SIZE))
		return err_set(reterr, ERR_CORRUPT, "its signature is not this repository's");
	size_t body_size = h.sealed_size - SEAL_TAG_SIZE;
	uint8_t *body = arena_dup(arena, data + INVENTORY_HEADER_SIZE, h.sealed_size);
	if (!body)
		return err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
	rc = sealer_for(k, &h, &sealer, reterr);
	if (rc)
		return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
	if (!sealer_open(sealer, 0, data, INVENTORY_HEADER_SIZE, body, body_size))
		return err_set(reterr, ERR_CORRUPT, "its content is not what was sealed");
	rc = inventory_body_parse(body, body_size, arena, &c, reterr);
	if (rc)
		return rc;
	if (c.number != number || c.base > number)
		return err_set(reterr, ERR_CORRUPT, "it says another number inside");
	*ret = c;
	return ERR_OK;
}
