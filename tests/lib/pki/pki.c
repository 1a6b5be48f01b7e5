/* tests/lib/pki/pki.c: an authority for tests. */
#include "tests/lib/pki/pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/openssl.h"
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "shared/base/file.h"
#include "shared/tls/certificate.h"
#include "shared/tls/key.h"

#define MUST(what)                                                                                                     \
	do {                                                                                                           \
		if (!(what)) {                                                                                         \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #what);                             \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static void add_extension(X509 *certificate, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	MUST(e && X509_add_ext(certificate, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static void set_serial(X509 *certificate, unsigned long serial)
{
	uint64_t n = serial;
	if (n == 0)
		MUST(RAND_bytes((unsigned char *)&n, sizeof(n)) == 1);
	n &= UINT64_C(0x7fffffffffffffff);
	MUST(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), n ? n : 1) == 1);
}

static X509 *blank(const char *common_name, EVP_PKEY *key, long from_s, long until_s, unsigned long serial)
{
	X509 *c = X509_new();
	MUST(c && X509_set_version(c, X509_VERSION_3) == 1 && X509_set_pubkey(c, key) == 1);
	set_serial(c, serial);
	MUST(X509_gmtime_adj(X509_getm_notBefore(c), from_s) && X509_gmtime_adj(X509_getm_notAfter(c), until_s));
	MUST(X509_NAME_add_entry_by_txt(
		 X509_get_subject_name(c), "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1);
	return c;
}

struct pki_authority *pki_authority_new(const char *common_name, const struct pki_authority *issuer)
{
	struct pki_authority *a = calloc(1, sizeof(*a));
	MUST(a && tls_key_new(&a->key, NULL) == ERR_OK);
	a->issuer = issuer;
	a->certificate = blank(common_name, a->key, -86400, 86400, 0);
	const X509 *by = issuer ? issuer->certificate : a->certificate;
	MUST(X509_set_issuer_name(a->certificate, X509_get_subject_name(by)) == 1);
	add_extension(a->certificate, by, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(a->certificate, by, NID_key_usage, "critical,keyCertSign,cRLSign");
	add_extension(a->certificate, by, NID_subject_key_identifier, "hash");
	MUST(X509_sign(a->certificate, issuer ? issuer->key : a->key, EVP_sha256()) > 0);
	return a;
}

void pki_authority_free(struct pki_authority *a)
{
	if (!a)
		return;
	EVP_PKEY_free(a->key);
	X509_free(a->certificate);
	free(a);
}

static void append(char *into, size_t size, const char *kind, const char *value)
{
	size_t at = strlen(into);
	if (value && *value)
		snprintf(into + at, size - at, "%s%s:%s", at ? "," : "", kind, value);
}

static void add_names(X509 *c, const X509 *by, const struct pki_spec *spec, const char *name)
{
	char names[2048] = "", uri[512];
	snprintf(uri, sizeof(uri), "spiffe://%s/%s/%s", spec->domain ? spec->domain : PKI_DOMAIN,
	    tls_role_text(spec->role), name);
	append(names, sizeof(names), "URI", spec->uri ? spec->uri : uri);
	append(names, sizeof(names), "URI", spec->second_uri);
	append(names, sizeof(names), "DNS", spec->dns);
	append(names, sizeof(names), "IP", spec->ip);
	if (names[0])
		add_extension(c, by, NID_subject_alt_name, names);
}

static X509 *make_leaf(const struct pki_authority *issuer, const struct pki_spec *spec, EVP_PKEY *key)
{
	bool dated = spec->from_s != 0 || spec->until_s != 0;
	const char *name = spec->name ? spec->name : "one";
	X509 *c = blank(name, key, dated ? spec->from_s : -3600, dated ? spec->until_s : 3600, spec->serial);
	unsigned usage = spec->usage ? spec->usage : PKI_CLIENT | PKI_SERVER;
	MUST(X509_set_issuer_name(c, X509_get_subject_name(issuer->certificate)) == 1);
	add_extension(c, issuer->certificate, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(c, issuer->certificate, NID_key_usage, "critical,digitalSignature");
	if (!(usage & PKI_NO_USAGE))
		add_extension(c, issuer->certificate, NID_ext_key_usage,
		    usage == PKI_CLIENT   ? "clientAuth"
		    : usage == PKI_SERVER ? "serverAuth"
					  : "clientAuth,serverAuth");
	add_names(c, issuer->certificate, spec, name);
	MUST(X509_sign(c, issuer->key, EVP_sha256()) > 0);
	return c;
}

void pki_issue(const struct pki_authority *issuer, const struct pki_spec *spec, struct pki_leaf *ret)
{
	*ret = (struct pki_leaf){0};
	MUST(tls_key_new(&ret->key, NULL) == ERR_OK);
	X509 *c = make_leaf(issuer, spec, ret->key);
	struct tls_facts facts;
	MUST(tls_certificate_facts(c, &facts, NULL) == ERR_OK);
	memcpy(ret->serial, facts.serial, sizeof(ret->serial));
	MUST(tls_certificate_to_pem(c, &ret->chain_pem, NULL) == ERR_OK);
	X509_free(c);
	for (const struct pki_authority *a = issuer; a && a->issuer; a = a->issuer)
		MUST(tls_certificate_to_pem(a->certificate, &ret->chain_pem, NULL) == ERR_OK);
	struct secret *key;
	MUST(tls_key_to_pem(ret->key, &key, NULL) == ERR_OK);
	buf_append(&ret->key_pem, secret_data(key), secret_size(key));
	secret_free(key);
}

void pki_leaf_done(struct pki_leaf *leaf)
{
	EVP_PKEY_free(leaf->key);
	buf_done(&leaf->chain_pem);
	buf_done(&leaf->key_pem);
}

struct tls_identity *pki_identity(const struct pki_authority *issuer, const struct pki_spec *spec)
{
	/* Not tls_identity_from_pem's strictness: a certificate without a name must still be presentable by a bad peer,
	 * which tests do with OpenSSL directly; here only good names are asked for. */
	struct pki_leaf leaf;
	struct tls_identity *identity;
	struct err e = ERR_INIT;
	pki_issue(issuer, spec, &leaf);
	if (tls_identity_from_pem(leaf.chain_pem.data, leaf.chain_pem.size, leaf.key_pem.data, leaf.key_pem.size,
		&identity, &e) != ERR_OK) {
		fprintf(stderr, "pki_identity: %s\n", e.msg);
		abort();
	}
	pki_leaf_done(&leaf);
	return identity;
}

void pki_root_pem(const struct pki_authority *root, struct buf *out)
{
	while (root->issuer)
		root = root->issuer;
	MUST(tls_certificate_to_pem(root->certificate, out, NULL) == ERR_OK);
}

struct tls_trust *pki_trust(const struct pki_authority *root)
{
	struct buf pem = BUF_INIT;
	struct tls_trust *trust;
	pki_root_pem(root, &pem);
	MUST(tls_trust_from_pem(pem.data, pem.size, &trust, NULL) == ERR_OK);
	buf_done(&pem);
	return trust;
}

void pki_write(const char *path, const struct buf *content)
{
	MUST(file_replace(path, content->data, content->size, 0600, NULL) == ERR_OK);
}
