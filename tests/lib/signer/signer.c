#include "tests/lib/signer/signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/openssl.h"
#include "shared/base/text.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

struct signer {
	EVP_PKEY *pkey;
	struct ssh_key key;
	char line[SSH_KEY_LINE_MAX];
};

static const char *const kind_names[] = {
    [SSH_KEY_ED25519] = "ssh-ed25519", [SSH_KEY_ECDSA_P256] = "ecdsa-sha2-nistp256"};

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "signer: %s failed\n", what);
		abort();
	}
}

static void put(struct buf *b, const void *data, size_t size)
{
	buf_be32(b, (uint32_t)size);
	buf_append(b, data, size);
}

struct signer *signer_new(enum ssh_key_kind kind, const char *owner)
{
	struct signer *s = calloc(1, sizeof *s);
	struct buf blob = BUF_INIT, text = BUF_INIT;
	uint8_t point[65];
	size_t size = sizeof point;

	must(s, "calloc");
	s->pkey = kind == SSH_KEY_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
					  : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	must(s->pkey, "key generation");
	if (kind == SSH_KEY_ED25519)
		must(EVP_PKEY_get_raw_public_key(s->pkey, point, &size) == 1, "public key");
	else
		must(EVP_PKEY_get_octet_string_param(s->pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size) == 1,
		    "public key");
	put(&blob, kind_names[kind], strlen(kind_names[kind]));
	if (kind == SSH_KEY_ECDSA_P256)
		put(&blob, "nistp256", 8);
	put(&blob, point, size);
	text_base64(&text, blob.data, blob.size);
	must(text_format(s->line, sizeof s->line, "%s %s %s", kind_names[kind], buf_str(&text), owner), "line");
	must(ssh_key_parse(s->line, &s->key, NULL) == ERR_OK, "reading back the key");
	buf_done(&blob);
	buf_done(&text);
	return s;
}

void signer_free(struct signer *s)
{
	if (s)
		EVP_PKEY_free(s->pkey);
	free(s);
}

const char *signer_line(const struct signer *s)
{
	return s->line;
}
const struct ssh_key *signer_key(const struct signer *s)
{
	return &s->key;
}

/* A number as RFC 4251 has it: a zero byte in front of a set high bit. */
static void put_number(struct buf *b, const BIGNUM *n)
{
	uint8_t bytes[33] = {0};
	int size = BN_bn2bin(n, bytes + 1);

	if (bytes[1] & 0x80)
		put(b, bytes, (size_t)size + 1);
	else
		put(b, bytes + 1, (size_t)size);
}

static void raw_signature(const struct signer *s, const struct buf *data, struct buf *out)
{
	uint8_t bytes[128];
	size_t size = sizeof bytes;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ed = s->key.kind == SSH_KEY_ED25519;

	must(ctx && EVP_DigestSignInit(ctx, NULL, ed ? NULL : EVP_sha256(), NULL, s->pkey) == 1, "signing");
	must(EVP_DigestSign(ctx, bytes, &size, data->data, data->size) == 1, "signing");
	EVP_MD_CTX_free(ctx);
	if (ed) {
		buf_append(out, bytes, size);
		return;
	}
	const unsigned char *p = bytes;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)size);
	must(sig, "reading a signature");
	put_number(out, ECDSA_SIG_get0_r(sig));
	put_number(out, ECDSA_SIG_get0_s(sig));
	ECDSA_SIG_free(sig);
}

/* Head, the parts that both the signature and what is signed begin with, and the hash's name. */
static void put_scope(struct buf *b, const char *name_space, const char *hash)
{
	put(b, name_space, strlen(name_space));
	put(b, "", 0);
	put(b, hash, strlen(hash));
}

char *signer_sign(const struct signer *s, const char *name_space, bool sha512, const void *message, size_t size)
{
	struct buf data = BUF_INIT, raw = BUF_INIT, sig = BUF_INIT, blob = BUF_INIT, text = BUF_INIT,
		   armored = BUF_INIT;
	const char *hash = sha512 ? "sha512" : "sha256";
	uint8_t digest[64];
	unsigned int digest_size;

	must(EVP_Digest(message, size, digest, &digest_size, sha512 ? EVP_sha512() : EVP_sha256(), NULL) == 1,
	    "hashing");
	buf_text(&data, "SSHSIG");
	put_scope(&data, name_space, hash);
	put(&data, digest, digest_size);
	raw_signature(s, &data, &raw);
	put(&sig, kind_names[s->key.kind], strlen(kind_names[s->key.kind]));
	put(&sig, raw.data, raw.size);

	buf_text(&blob, "SSHSIG");
	buf_be32(&blob, 1);
	put(&blob, s->key.blob, s->key.blob_size);
	put_scope(&blob, name_space, hash);
	put(&blob, sig.data, sig.size);
	text_base64(&text, blob.data, blob.size);
	buf_text(&armored, "-----BEGIN SSH SIGNATURE-----\n");
	for (size_t at = 0; at < text.size; at += 70) {
		buf_append(&armored, text.data + at, text.size - at < 70 ? text.size - at : 70);
		buf_byte(&armored, '\n');
	}
	buf_text(&armored, "-----END SSH SIGNATURE-----\n");
	char *ret = strdup(buf_str(&armored));
	must(ret && !armored.failed, "memory");
	for (struct buf *all[] = {&data, &raw, &sig, &blob, &text, &armored}, **b = all; b < all + 6; b++)
		buf_done(*b);
	return ret;
}

char *signer_approve(const struct signer *s, const struct plan *plan)
{
	struct digest digest;
	char message[APPROVAL_MESSAGE_SIZE];

	must(plan_digest(plan, &digest, NULL) == ERR_OK, "the plan's digest");
	approval_message(&digest, message);
	return signer_sign(s, APPROVAL_NAMESPACE_PLAN, true, message, sizeof message);
}
