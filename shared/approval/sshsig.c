#include "shared/approval/sshsig.h"

#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/openssl.h"
#include "shared/base/text.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#define BEGIN_LINE "-----BEGIN SSH SIGNATURE-----\n"
#define END_LINE   "-----END SSH SIGNATURE-----"
#define PREAMBLE   "SSHSIG"

enum { ED25519_KEY_SIZE = 32, ED25519_SIGNATURE_SIZE = 64, P256_POINT_SIZE = 65, P256_SCALAR_SIZE = 32 };

static const char *const kind_names[] = {
    [SSH_KEY_ED25519] = "ssh-ed25519",
    [SSH_KEY_ECDSA_P256] = "ecdsa-sha2-nistp256",
};
_Static_assert(sizeof(kind_names) / sizeof(char *) == SSH_KEY_KIND_COUNT, "kinds of key");

static void digest_ctx_cleanup(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
}
static void pkey_cleanup(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

/* ---- the wire form: RFC 4251 §5 ---- */

/* Takes a string (length and bytes) off the front of *from; false: it is not whole. */
static bool take_string(struct bytes *from, struct bytes *ret)
{
	if (from->size < 4)
		return false;
	size_t size =
	    (size_t)from->data[0] << 24 | (size_t)from->data[1] << 16 | (size_t)from->data[2] << 8 | from->data[3];
	if (size > from->size - 4)
		return false;
	*ret = (struct bytes){from->data + 4, size};
	*from = (struct bytes){from->data + 4 + size, from->size - 4 - size};
	return true;
}

static bool bytes_are(struct bytes b, const char *text)
{
	return b.size == strlen(text) && !memcmp(b.data, text, b.size);
}

static bool take_literal(struct bytes *from, const char *text)
{
	struct bytes at;
	return take_string(from, &at) && bytes_are(at, text);
}

static bool kind_of(struct bytes name, enum ssh_key_kind *ret)
{
	for (unsigned kind = 0; kind < SSH_KEY_KIND_COUNT; kind++)
		if (bytes_are(name, kind_names[kind])) {
			*ret = kind;
			return true;
		}
	return false;
}

/* The raw public key in a blob of the given kind; false: malformed. */
static bool blob_point(enum ssh_key_kind kind, struct bytes blob, struct bytes *ret)
{
	struct bytes point;

	if (!take_literal(&blob, kind_names[kind]))
		return false;
	if (kind == SSH_KEY_ECDSA_P256 && !take_literal(&blob, "nistp256"))
		return false;
	if (!take_string(&blob, &point) || blob.size)
		return false;
	/* Compressed points are legal in theory, but nobody writes them and then one key would have two blobs. */
	if (kind == SSH_KEY_ED25519 ? point.size != ED25519_KEY_SIZE
				    : point.size != P256_POINT_SIZE || point.data[0] != 4)
		return false;
	*ret = point;
	return true;
}

static enum err_code key_from_blob(struct bytes blob, struct ssh_key *ret, struct err *reterr)
{
	struct ssh_key key = {0};
	struct bytes rest = blob, name, point;

	if (!take_string(&rest, &name))
		return err_set(reterr, ERR_INVALID, "the key is malformed");
	if (!kind_of(name, &key.kind))
		return err_set(reterr, ERR_UNSUPPORTED, "expected a key of kind ssh-ed25519 or ecdsa-sha2-nistp256");
	if (blob.size > sizeof key.blob || !blob_point(key.kind, blob, &point))
		return err_set(reterr, ERR_INVALID, "the %s key is malformed", kind_names[key.kind]);
	memcpy(key.blob, blob.data, blob.size);
	key.blob_size = blob.size;
	*ret = key;
	return ERR_OK;
}

/* ---- keys ---- */

/* The owner is the comment's first word, up to an '@': ssh-keygen writes user@host. */
static enum err_code owner_from_comment(const char *comment, char ret[NAME_MAX_BYTES + 1], struct err *reterr)
{
	size_t size = strcspn(comment, " \t\r\n@");

	if (size > NAME_MAX_BYTES)
		return err_set(
		    reterr, ERR_LIMIT, "the key's comment begins with a name of more than %d bytes", NAME_MAX_BYTES);
	if (!text_utf8_valid(comment, size))
		return err_set(reterr, ERR_INVALID, "the key's comment is not UTF-8");
	memcpy(ret, comment, size);
	ret[size] = 0;
	return ERR_OK;
}

enum err_code ssh_key_parse(const char *line, struct ssh_key *ret, struct err *reterr)
{
	CLEANUP(buf_done) struct buf blob = BUF_INIT;
	struct ssh_key key;
	size_t size = strnlen(line, SSH_KEY_LINE_MAX + 1);

	if (size > SSH_KEY_LINE_MAX)
		return err_set(reterr, ERR_LIMIT, "a public key's line has at most %d bytes", SSH_KEY_LINE_MAX);
	size_t kind_size = strcspn(line, " \t\r\n");
	const char *text = line + kind_size + strspn(line + kind_size, " \t");
	size_t text_size = strcspn(text, " \t\r\n");
	const char *comment = text + text_size + strspn(text + text_size, " \t");
	size_t last = strcspn(comment, "\r\n");
	if (comment[last + strspn(comment + last, "\r\n")])
		return err_set(reterr, ERR_INVALID, "expected one public key on one line");
	if (!kind_size || !text_size)
		return err_set(reterr, ERR_INVALID, "expected a public key as in \"ssh-ed25519 AAAA… name\"");

	if (!kind_of((struct bytes){(const uint8_t *)line, kind_size}, &key.kind))
		return err_set(reterr, ERR_UNSUPPORTED, "expected a key of kind ssh-ed25519 or ecdsa-sha2-nistp256");
	enum ssh_key_kind said = key.kind;
	enum err_code rc = text_unbase64(&blob, text, text_size, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "the key's base64");
	rc = key_from_blob(buf_bytes(&blob), &key, reterr);
	if (rc != ERR_OK)
		return rc;
	if (key.kind != said)
		return err_set(reterr, ERR_INVALID, "the line says %s, the key in it is %s", kind_names[said],
		    kind_names[key.kind]);
	rc = owner_from_comment(comment, key.owner, reterr);
	if (rc == ERR_OK)
		*ret = key;
	return rc;
}

bool ssh_key_equal(const struct ssh_key *a, const struct ssh_key *b)
{
	return a->blob_size == b->blob_size && !memcmp(a->blob, b->blob, a->blob_size);
}

char *ssh_key_fingerprint(const struct ssh_key *key, char out[SSH_FINGERPRINT_MAX])
{
	unsigned char digest[EVP_MAX_MD_SIZE], text[4 * (EVP_MAX_MD_SIZE / 3 + 1) + 1];
	unsigned int size = 0;

	if (EVP_Digest(key->blob, key->blob_size, digest, &size, EVP_sha256(), NULL) != 1)
		size = 0;
	int length = EVP_EncodeBlock(text, digest, (int)size);
	while (length > 0 && text[length - 1] == '=')
		length--;
	text_format(out, SSH_FINGERPRINT_MAX, "SHA256:%.*s", length, (const char *)text);
	return out;
}

/* ---- signatures ---- */

static enum err_code unarmor(const char *armored, size_t size, struct buf *out, struct err *reterr)
{
	char text[SSH_ARMOR_MAX];
	size_t at = strlen(BEGIN_LINE), n = 0;
	bool ended = false;

	if (size > SSH_ARMOR_MAX)
		return err_set(reterr, ERR_LIMIT, "a signature has at most %d bytes", SSH_ARMOR_MAX);
	if (size < at || memcmp(armored, BEGIN_LINE, at))
		return err_set(reterr, ERR_INVALID, "expected the line -----BEGIN SSH SIGNATURE-----");
	while (at < size && !ended) {
		if (size - at >= strlen(END_LINE) && !memcmp(armored + at, END_LINE, strlen(END_LINE))) {
			ended = true;
			at += strlen(END_LINE);
			continue;
		}
		const char *line_end = memchr(armored + at, '\n', size - at);
		size_t line = line_end ? (size_t)(line_end - (armored + at)) : size - at;
		memcpy(text + n, armored + at, line);
		n += line;
		at += line + (line_end != NULL);
	}
	if (!ended)
		return err_set(reterr, ERR_INVALID, "expected the line -----END SSH SIGNATURE-----");
	if (at < size && (size - at != 1 || armored[at] != '\n'))
		return err_set(reterr, ERR_INVALID, "something follows the signature");
	enum err_code rc = text_unbase64(out, text, n, reterr);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "the signature's base64");
}

static enum err_code take_hash(struct bytes *from, bool *ret_sha512, struct err *reterr)
{
	struct bytes hash;

	if (!take_string(from, &hash))
		return err_set(reterr, ERR_INVALID, "the signature is cut short");
	if (!bytes_are(hash, "sha256") && !bytes_are(hash, "sha512"))
		return err_set(reterr, ERR_UNSUPPORTED, "expected a signature over sha256 or sha512");
	*ret_sha512 = bytes_are(hash, "sha512");
	return ERR_OK;
}

static enum err_code sshsig_from_blob(struct bytes blob, struct sshsig *ret, struct err *reterr)
{
	static const uint8_t head[] = {'S', 'S', 'H', 'S', 'I', 'G', 0, 0, 0, 1};
	struct sshsig sig = {0};
	struct bytes key, name_space, reserved, signature;

	if (blob.size < sizeof head || memcmp(blob.data, head, sizeof head))
		return err_set(reterr, ERR_INVALID, "expected an SSHSIG of version 1");
	blob = (struct bytes){blob.data + sizeof head, blob.size - sizeof head};
	if (!take_string(&blob, &key) || !take_string(&blob, &name_space) || !take_string(&blob, &reserved))
		return err_set(reterr, ERR_INVALID, "the signature is cut short");
	enum err_code rc = key_from_blob(key, &sig.key, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!name_space.size || name_space.size > SSH_NAMESPACE_MAX || memchr(name_space.data, 0, name_space.size))
		return err_set(reterr, ERR_INVALID, "the signature's namespace is not a name");
	memcpy(sig.name_space, name_space.data, name_space.size);
	if (reserved.size)
		return err_set(reterr, ERR_UNSUPPORTED, "the signature's reserved part is in use");
	rc = take_hash(&blob, &sig.sha512, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!take_string(&blob, &signature) || blob.size)
		return err_set(reterr, ERR_INVALID, "the signature is cut short, or something follows it");
	if (signature.size > sizeof sig.signature)
		return err_set(reterr, ERR_LIMIT, "the signature is longer than any of its kind");
	memcpy(sig.signature, signature.data, signature.size);
	sig.signature_size = signature.size;
	*ret = sig;
	return ERR_OK;
}

enum err_code sshsig_parse(const char *armored, size_t size, struct sshsig *ret, struct err *reterr)
{
	CLEANUP(buf_done) struct buf blob = BUF_INIT;
	enum err_code rc = unarmor(armored, size, &blob, reterr);

	return rc == ERR_OK ? sshsig_from_blob(buf_bytes(&blob), ret, reterr) : rc;
}

/* ---- verifying ---- */

static void put_string(struct buf *out, const void *data, size_t size)
{
	buf_be32(out, (uint32_t)size);
	buf_append(out, data, size);
}

/* What the key signs: not the message, but this. */
static bool signed_data(const struct sshsig *sig, const void *message, size_t size, struct buf *out)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int digest_size = 0;
	const char *hash = sig->sha512 ? "sha512" : "sha256";

	if (EVP_Digest(message, size, digest, &digest_size, sig->sha512 ? EVP_sha512() : EVP_sha256(), NULL) != 1)
		return false;
	buf_append(out, PREAMBLE, strlen(PREAMBLE));
	put_string(out, sig->name_space, strlen(sig->name_space));
	put_string(out, "", 0);
	put_string(out, hash, strlen(hash));
	put_string(out, digest, digest_size);
	return !out->failed;
}

static EVP_PKEY *p256_key(struct bytes point)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	char group[] = "prime256v1";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
	    /* OpenSSL only reads it. */
	    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.data, point.size),
	    OSSL_PARAM_construct_end(),
	};

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* A positive mpint (RFC 4251 §5) in its shortest form, at most 256 bits. */
static BIGNUM *take_scalar(struct bytes *from)
{
	struct bytes at;

	if (!take_string(from, &at) || !at.size || at.size > P256_SCALAR_SIZE + 1 || at.data[0] & 0x80)
		return NULL;
	if (at.data[0] == 0 && (at.size == 1 || !(at.data[1] & 0x80)))
		return NULL;
	return BN_bin2bn(at.data, (int)at.size, NULL);
}

/* r and s as X.690 has them, which is what EVP wants.  Returns the size, 0 when malformed; *ret is OPENSSL_free()d by
 * the caller. */
static size_t p256_signature(struct bytes raw, unsigned char **ret)
{
	BIGNUM *r = take_scalar(&raw), *s = take_scalar(&raw);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	int size = 0;

	if (r && s && sig && !raw.size && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* sig has them now */
		size = i2d_ECDSA_SIG(sig, ret);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return size > 0 ? (size_t)size : 0;
}

static bool ed25519_verifies(struct bytes point, struct bytes raw, const struct buf *data)
{
	CLEANUP(digest_ctx_cleanup) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	CLEANUP(pkey_cleanup)
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point.data, point.size);

	return ctx && key && raw.size == ED25519_SIGNATURE_SIZE &&
	       EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, raw.data, raw.size, data->data, data->size) == 1;
}

static bool p256_verifies(struct bytes point, struct bytes raw, const struct buf *data)
{
	CLEANUP(digest_ctx_cleanup) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	CLEANUP(pkey_cleanup) EVP_PKEY *key = p256_key(point);
	unsigned char *der = NULL;
	size_t size = p256_signature(raw, &der);
	bool ok = ctx && key && size && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, der, size, data->data, data->size) == 1;

	OPENSSL_free(der);
	return ok;
}

bool sshsig_verifies(const struct sshsig *sig, const char *name_space, const void *message, size_t size)
{
	CLEANUP(buf_done) struct buf data = BUF_INIT;
	struct bytes signature = {sig->signature, sig->signature_size}, raw, point;
	bool ok = false;

	if (strcmp(sig->name_space, name_space) ||
	    !blob_point(sig->key.kind, (struct bytes){sig->key.blob, sig->key.blob_size}, &point))
		return false;
	if (!take_literal(&signature, kind_names[sig->key.kind]) || !take_string(&signature, &raw) || signature.size)
		return false;
	if (signed_data(sig, message, size, &data))
		ok = sig->key.kind == SSH_KEY_ED25519 ? ed25519_verifies(point, raw, &data)
						      : p256_verifies(point, raw, &data);
	ERR_clear_error(); /* a refused signature is an answer, not an error of the thread's next caller */
	return ok;
}
