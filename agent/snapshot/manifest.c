/* Manifests as bytes: sealed, signed, parsed. */
#include "agent/snapshot/manifest.h"

#include <string.h>

#include "agent/repository/bytes.h"
#include "agent/repository/squeeze.h"
#include "agent/snapshot/tree.h"
#include "shared/base/secret.h"

static const char magic[8] = "KEDGEMF1";
static const char sign_domain[] = "kedge manifest 1";
enum { BODY_MAX = 48 << 20 };

static enum err_code manifest_check(const void *record, struct err *reterr)
{
	const struct manifest *m = record;
	if (!m->summary.components.count && !m->summary.absent.count)
		return err_set(reterr, ERR_INVALID, "a manifest has components, or names what was absent");
	if (m->trees.count != m->summary.components.count)
		return err_set(reterr, ERR_INVALID, "a manifest has one tree for each component");
	for (size_t i = 0; i < m->trees.count; i++) {
		const struct manifest_tree *t = &LIST_AT(m->trees, struct manifest_tree, i);
		const struct snapshot_component *c = &LIST_AT(m->summary.components, struct snapshot_component, i);
		if (t->component != c->component || (i && t->component <= t[-1].component))
			return err_set(reterr, ERR_INVALID, "a manifest's trees are in the order of its components");
		if (t->pages.size == 0 || t->pages.size % REFERENCE_SIZE)
			return err_set(reterr, ERR_INVALID, "a manifest's list of tree pages is malformed");
		for (size_t at = 0; at < t->pages.size; at += REFERENCE_SIZE)
			if (!tree_references_valid(t->pages.data + at, REFERENCE_SIZE) ||
			    reference_is_hole(t->pages.data + at))
				return err_set(reterr, ERR_INVALID, "a manifest's list of tree pages is malformed");
	}
	return ERR_OK;
}

static const struct field tree_fields[] = {
    F_ENUM(struct manifest_tree, component, &component_enum, FIELD_ALWAYS, "whose tree"),
    F_U64(struct manifest_tree, bytes, 0, 0, "size of its pages together"),
    F_BYTES(struct manifest_tree, pages, BODY_MAX, FIELD_REQUIRED, "ids and sizes of its pages in order"),
};
static const struct record_type tree_type =
    RECORD_TYPE("manifest_tree", struct manifest_tree, tree_fields, "Where the names and metadata of a component are.");
static const struct field manifest_fields[] = {
    F_INLINE(struct manifest, summary, struct snapshot_summary, &snapshot_summary_type, FIELD_REQUIRED,
	"what it says about itself"),
    F_LIST(struct manifest, trees, &tree_type, COMPONENT_COUNT, 0, "one a component"),
};
const struct record_type manifest_type = RECORD_TYPE(
    "manifest", struct manifest, manifest_fields, "A restore point as it is stored.", .check = manifest_check);

/* ---- header ---- */

static void header_write(const struct manifest_header *h, uint8_t out[MANIFEST_HEADER_SIZE])
{
	memset(out, 0, MANIFEST_HEADER_SIZE);
	memcpy(out, magic, 8);
	put32(out + 8, MANIFEST_VERSION);
	put32(out + 12, h->key_number);
	memcpy(out + 16, h->repo, REPO_ID_SIZE);
	memcpy(out + 32, h->snapshot.b, 16);
	put32(out + 48, h->sealed_size);
	put32(out + 52, h->raw_size);
}

enum err_code manifest_header_parse(const uint8_t *data, size_t size, struct manifest_header *ret, struct err *reterr)
{
	if (size < MANIFEST_HEADER_SIZE + SEAL_TAG_SIZE + SIGNATURE_SIZE || memcmp(data, magic, 8))
		return err_set(reterr, ERR_CORRUPT, "not a manifest");
	if (get32(data + 8) != MANIFEST_VERSION)
		return err_set(reterr, ERR_UNSUPPORTED, "manifest version %u is not known here", get32(data + 8));
	struct manifest_header h = {
	    .key_number = get32(data + 12), .sealed_size = get32(data + 48), .raw_size = get32(data + 52)};
	memcpy(h.repo, data + 16, REPO_ID_SIZE);
	memcpy(h.snapshot.b, data + 32, 16);
	if (h.sealed_size <= SEAL_TAG_SIZE || MANIFEST_HEADER_SIZE + (uint64_t)h.sealed_size + SIGNATURE_SIZE != size ||
	    h.raw_size == 0 || h.raw_size > BODY_MAX || get64(data + 56))
		return err_set(reterr, ERR_CORRUPT, "the manifest was cut off or overwritten");
	*ret = h;
	return ERR_OK;
}

/* ---- sealing ---- */

static enum err_code make_sealer(
    const struct keys *k, uint32_t number, struct id id, struct sealer **ret, struct err *reterr)
{
	uint8_t key[KEY_SIZE];
	enum err_code rc = keys_derive(k, number, "manifest", id.b, sizeof id.b, key, reterr);
	if (!rc)
		rc = sealer_new(key, ret, reterr);
	secret_wipe(key, sizeof key);
	return rc;
}

static enum err_code seal_body(
    const struct keys *k, const struct manifest *m, const struct buf *body, struct buf *out, struct err *reterr)
{
	struct manifest_header h = {
	    .key_number = keys_newest(k), .raw_size = (uint32_t)body->size, .snapshot = m->summary.snapshot};
	memcpy(h.repo, keys_repo_id(k), REPO_ID_SIZE);
	size_t bound = squeeze_bound(body->size);
	uint8_t *p = buf_reserve(out, MANIFEST_HEADER_SIZE + bound + SEAL_TAG_SIZE + SIGNATURE_SIZE);
	if (!p)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	size_t n;
	enum err_code rc = squeeze(body->data, body->size, p + MANIFEST_HEADER_SIZE, &n, reterr);
	if (rc)
		return rc;
	h.sealed_size = (uint32_t)n + SEAL_TAG_SIZE;
	header_write(&h, p);
	CLEANUP(sealer_cleanup) struct sealer *sealer = NULL;
	rc = make_sealer(k, h.key_number, h.snapshot, &sealer, reterr);
	if (!rc)
		rc = sealer_seal(sealer, 0, p, MANIFEST_HEADER_SIZE, p + MANIFEST_HEADER_SIZE, n, reterr);
	size_t size = MANIFEST_HEADER_SIZE + h.sealed_size;
	if (!rc)
		rc = keys_sign(k, sign_domain, p, size, p + size, reterr);
	if (!rc)
		out->size += size + SIGNATURE_SIZE;
	return rc;
}

enum err_code manifest_seal(const struct keys *k, const struct manifest *m, struct buf *out, struct err *reterr)
{
	struct buf body = {.limit = BODY_MAX};
	struct manifest plain = *m;
	plain.summary.marks = (struct snapshot_marks){0};
	enum err_code rc = record_to_msgpack(&manifest_type, &plain, &body, reterr);
	if (!rc)
		rc = seal_body(k, m, &body, out, reterr);
	buf_done(&body);
	return rc;
}

enum err_code manifest_body_parse(
    const uint8_t *data, size_t size, struct arena *arena, struct manifest *ret, struct err *reterr)
{
	struct manifest m;
	enum err_code rc = record_from_msgpack(&manifest_type, data, size, arena, &m, reterr);
	if (rc)
		return rc == ERR_NOMEM ? rc : ERR_CORRUPT;
	*ret = m;
	return ERR_OK;
}

static enum err_code unseal_body(const struct keys *k, const struct manifest_header *h, const uint8_t *data,
    struct arena *arena, struct manifest *ret, struct err *reterr)
{
	uint32_t size = h->sealed_size - SEAL_TAG_SIZE;
	CLEANUP(sealer_cleanup) struct sealer *sealer = NULL;
	CLEANUP(cleanup_free) uint8_t *sealed = malloc(h->sealed_size);
	CLEANUP(cleanup_free) uint8_t *raw = malloc(h->raw_size);
	if (!sealed || !raw)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = make_sealer(k, h->key_number, h->snapshot, &sealer, reterr);
	if (rc)
		return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
	memcpy(sealed, data + MANIFEST_HEADER_SIZE, h->sealed_size);
	if (!sealer_open(sealer, 0, data, MANIFEST_HEADER_SIZE, sealed, size))
		return err_set(reterr, ERR_CORRUPT, "the manifest does not authenticate");
	if (!unsqueeze(sealed, size, raw, h->raw_size))
		return err_set(reterr, ERR_CORRUPT, "the manifest does not decompress");
	return manifest_body_parse(raw, h->raw_size, arena, ret, reterr);
}

enum err_code manifest_unseal(const struct keys *k, struct id id, const uint8_t *data, size_t size, struct arena *arena,
    struct manifest *ret, struct err *reterr)
{
	struct manifest_header h;
	struct manifest m;
	enum err_code rc = manifest_header_parse(data, size, &h, reterr);
	if (rc)
		return rc;
	if (memcmp(h.repo, keys_repo_id(k), REPO_ID_SIZE))
		return err_set(reterr, ERR_CORRUPT, "a manifest of another repository");
	if (!id_equal(h.snapshot, id))
		return err_set(reterr, ERR_CORRUPT, "the manifest of another restore point under this name");
	if (!keys_verify(keys_public(k), sign_domain, data, size - SIGNATURE_SIZE, data + size - SIGNATURE_SIZE))
		return err_set(reterr, ERR_CORRUPT, "the signature is not this host's (%s)", keys_host(k));
	rc = unseal_body(k, &h, data, arena, &m, reterr);
	if (rc)
		return rc;
	if (!id_equal(m.summary.snapshot, id) || strcmp(m.summary.host, keys_host(k)) != 0)
		return err_set(reterr, ERR_CORRUPT, "a manifest of host %s", m.summary.host);
	*ret = m;
	return ERR_OK;
}
