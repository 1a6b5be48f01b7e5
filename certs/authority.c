/* certs/authority.c: X.509, the part of it that is needed (RFC 5280). */
#include "certs/authority.h"

#include "shared/base/openssl.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "certs/files.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

enum { SERIAL_BYTES = 16 }; /* 128 bits from the kernel: beyond guessing and collision (RFC 5280 §4.1.2.2 allows 20) */

struct authority {
	X509 *certificate;
	EVP_PKEY *key;
	NAME_CONSTRAINTS *constraints; /* NULL: none */
	struct tls_facts facts;
	struct buf pem;
	char domain[TLS_DOMAIN_MAX];
};

static enum err_code openssl_failed(struct err *reterr, const char *what)
{
	return tls_openssl_error(reterr, ERR_INTERNAL, "%s", what);
}

/* ---- building ---- */

static bool set_serial(X509 *x, char out[TLS_SERIAL_MAX])
{
	unsigned char raw[SERIAL_BYTES];
	if (RAND_bytes(raw, sizeof raw) != 1)
		return false;
	raw[0] = (unsigned char)((raw[0] & 0x7f) | 0x40); /* positive, and never with a leading zero */
	BIGNUM *n = BN_bin2bn(raw, sizeof raw, NULL);
	bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	if (ok && out)
		text_hex(raw, sizeof raw, out);
	return ok;
}

static bool set_time(X509 *x, uint64_t from_ms, uint64_t to_ms)
{
	return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(from_ms / 1000)) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(to_ms / 1000));
}

/* Five minutes ago, for clocks of peers that are a little behind; never before 1970. */
static uint64_t backdated(uint64_t now_ms)
{
	return now_ms > AUTHORITY_BACKDATE_MS ? now_ms - AUTHORITY_BACKDATE_MS : 0;
}

static bool set_subject(X509 *x, const char *cn)
{
	X509_NAME *name = X509_NAME_new();
	bool ok = name && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) &&
		  X509_set_subject_name(x, name);
	X509_NAME_free(name);
	return ok;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

static X509 *begin(EVP_PKEY *key, const char *cn, uint64_t from_ms, uint64_t to_ms, char serial[TLS_SERIAL_MAX])
{
	X509 *x = X509_new();
	if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x, serial) && set_time(x, from_ms, to_ms) &&
	    set_subject(x, cn) && X509_set_pubkey(x, key))
		return x;
	X509_free(x);
	return NULL;
}

static bool finish(X509 *x, X509 *issuer, EVP_PKEY *issuer_key)
{
	return X509_set_issuer_name(x, X509_get_subject_name(issuer)) &&
	       add_extension(x, issuer, NID_subject_key_identifier, "hash") &&
	       add_extension(x, issuer, NID_authority_key_identifier, "keyid") &&
	       X509_sign(x, issuer_key, EVP_sha256()) > 0;
}

/* A certificate of an authority.  Its name constraint keeps it to one trust domain: nothing that it signs outside
 * counts. */
static X509 *make_authority(EVP_PKEY *key, const char *cn, const char *domain, uint64_t now_ms, uint64_t life_ms,
    X509 *issuer, EVP_PKEY *issuer_key)
{
	char constraint[TLS_DOMAIN_MAX + 64];
	X509 *x = begin(key, cn, backdated(now_ms), now_ms + life_ms, NULL);
	text_format(constraint, sizeof constraint, "critical,permitted;URI:%s", domain);
	if (x &&
	    add_extension(x, x, NID_basic_constraints, issuer ? "critical,CA:TRUE,pathlen:0" : "critical,CA:TRUE") &&
	    add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    (issuer ? add_extension(x, x, NID_name_constraints, constraint) : true) &&
	    finish(x, issuer ? issuer : x, issuer ? issuer_key : key))
		return x;
	X509_free(x);
	return NULL;
}

/* ---- making ---- */

enum err_code authority_init(const char *folder, const char *domain, uint64_t now_ms, struct err *reterr)
{
	CLEANUP(tls_key_cleanup) EVP_PKEY *root_key = NULL, *key = NULL;
	CLEANUP(tls_certificate_cleanup) X509 *root = NULL, *issuing = NULL;
	struct new_files m = {.folder = folder};
	if (!tls_domain_valid(domain))
		return err_set(reterr, ERR_INVALID, "\"%s\" is not a domain name in lower case", domain ? domain : "");
	enum err_code rc = file_make_dirs(folder, 0700, reterr);
	if (rc != ERR_OK || (rc = tls_key_new(&root_key, reterr)) != ERR_OK ||
	    (rc = tls_key_new(&key, reterr)) != ERR_OK)
		return rc;
	root = make_authority(root_key, "Kedge root authority", domain, now_ms, AUTHORITY_ROOT_LIFE_MS, NULL, NULL);
	issuing = root ? make_authority(
			     key, "Kedge issuing authority", domain, now_ms, AUTHORITY_ISSUING_LIFE_MS, root, root_key)
		       : NULL;
	if (!issuing)
		return openssl_failed(reterr, "the authority's certificates could not be made");
	if ((rc = new_files_key(&m, "root.key", root_key, reterr)) == ERR_OK &&
	    (rc = new_files_key(&m, "issuing.key", key, reterr)) == ERR_OK &&
	    (rc = new_files_certificate(&m, "issuing.pem", issuing, reterr)) == ERR_OK &&
	    (rc = new_files_certificate(&m, "authority.pem", root, reterr)) == ERR_OK)
		rc = new_files_certificate(&m, "root.pem", root, reterr);
	return new_files_settle(&m, rc, reterr);
}

/* The domain, when the name constraint permits URIs of exactly one. */
static void read_domain(struct authority *a)
{
	char domain[TLS_DOMAIN_MAX] = "";
	int uris = 0;
	for (int i = 0; a->constraints && a->constraints->permittedSubtrees &&
			i < sk_GENERAL_SUBTREE_num(a->constraints->permittedSubtrees);
	     i++) {
		const GENERAL_NAME *n = sk_GENERAL_SUBTREE_value(a->constraints->permittedSubtrees, i)->base;
		if (n->type != GEN_URI)
			continue;
		const ASN1_IA5STRING *text = n->d.uniformResourceIdentifier;
		uris++;
		if (!text_format(domain, sizeof domain, "%.*s", ASN1_STRING_length(text),
			(const char *)ASN1_STRING_get0_data(text)) ||
		    strlen(domain) != (size_t)ASN1_STRING_length(text) || !tls_domain_valid(domain))
			return; /* a pattern such as ".example.org": made certificates are held against the constraint
				   itself */
	}
	if (uris == 1)
		text_copy(a->domain, sizeof a->domain, domain);
}

enum err_code authority_load(
    const char *certificate_path, const char *key_path, struct authority **ret, struct err *reterr)
{
	CLEANUP(authority_cleanup) struct authority *a = calloc(1, sizeof *a);
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	if (!a)
		return err_set(reterr, ERR_NOMEM, "out of memory for the authority");
	enum err_code rc = file_read(certificate_path, TLS_PEM_MAX, &text, reterr);
	if (rc != ERR_OK)
		return rc;
	if ((rc = tls_certificate_from_pem(text.data, text.size, &a->certificate, reterr)) != ERR_OK)
		return err_prefix(reterr, rc, "%s", certificate_path);
	if ((rc = tls_certificate_to_pem(a->certificate, &a->pem, reterr)) != ERR_OK ||
	    (rc = tls_certificate_facts(a->certificate, &a->facts, reterr)) != ERR_OK ||
	    (rc = tls_key_load(key_path, &a->key, reterr)) != ERR_OK)
		return rc;
	if (X509_check_private_key(a->certificate, a->key) != 1)
		return err_set(reterr, ERR_INVALID, "%s is not the key of %s", key_path, certificate_path);
	if (X509_check_ca(a->certificate) != 1)
		return err_set(reterr, ERR_INVALID, "%s is not the certificate of an authority", certificate_path);
	int critical;
	a->constraints = X509_get_ext_d2i(a->certificate, NID_name_constraints, &critical, NULL);
	if (!a->constraints && critical != -1) /* -1: there is none */
		return openssl_failed(reterr, "the authority's name constraint cannot be read");
	read_domain(a);
	*ret = TAKE_PTR(a);
	return ERR_OK;
}

void authority_free(struct authority *a)
{
	if (!a)
		return;
	X509_free(a->certificate);
	NAME_CONSTRAINTS_free(a->constraints);
	tls_key_free(a->key);
	buf_done(&a->pem);
	free(a);
}

const char *authority_domain(const struct authority *a)
{
	return a->domain;
}

enum err_code authority_fingerprint(
    const char *authority_pem, size_t size, char out[TLS_FINGERPRINT_MAX], struct err *reterr)
{
	X509 *all[TLS_CHAIN_MAX];
	size_t count;
	struct tls_facts facts;
	enum err_code rc = tls_certificates_from_pem(authority_pem, size, all, &count, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = tls_certificate_facts(all[0], &facts, reterr);
	if (rc == ERR_OK)
		text_copy(out, TLS_FINGERPRINT_MAX, facts.fingerprint);
	for (size_t i = 0; i < count; i++)
		tls_certificate_free(all[i]);
	return rc;
}

/* ---- signing ---- */

static bool is_address(const char *text)
{
	struct in6_addr raw;
	return inet_pton(AF_INET, text, &raw) == 1 || inet_pton(AF_INET6, text, &raw) == 1;
}

/* Addresses are for servers; each is one IP address or DNS name, so it holds nothing that has a meaning in
 * alternative_names(). */
static enum err_code check_addresses(const struct certificate_order *o, struct err *reterr)
{
	size_t n = 0;
	for (; o->addresses && o->addresses[n]; n++)
		if (!is_address(o->addresses[n]) &&
		    (!tls_domain_valid(o->addresses[n]) ||
			strspn(o->addresses[n], "0123456789.") == strlen(o->addresses[n])))
			return err_set(reterr, ERR_INVALID,
			    "\"%s\" is neither an IP address nor a DNS name in lower case", o->addresses[n]);
	if (n > AUTHORITY_ADDRESSES_MAX)
		return err_set(reterr, ERR_LIMIT, "a certificate has at most %d addresses", AUTHORITY_ADDRESSES_MAX);
	if (n && o->name.role != TLS_ROLE_CONTROLLER)
		return err_set(reterr, ERR_INVALID, "only a controller's certificate has addresses: %s %s is no server",
		    tls_role_text(o->name.role), o->name.name);
	return ERR_OK;
}

/* "URI:spiffe://…,IP:127.0.0.1,DNS:localhost" */
static bool alternative_names(const struct certificate_order *o, struct buf *out)
{
	char uri[TLS_URI_MAX];
	buf_printf(out, "URI:%s", tls_name_format(&o->name, uri));
	for (size_t i = 0; o->addresses && o->addresses[i]; i++)
		buf_printf(out, ",%s:%s", is_address(o->addresses[i]) ? "IP" : "DNS", o->addresses[i]);
	return !out->failed;
}

static bool add_leaf_extensions(X509 *x, X509 *issuer, const struct certificate_order *o)
{
	struct buf names = BUF_INIT;
	bool ok = alternative_names(o, &names) &&
		  add_extension(x, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
		  add_extension(x, issuer, NID_key_usage, "critical,digitalSignature") &&
		  add_extension(x, issuer, NID_ext_key_usage,
		      o->name.role == TLS_ROLE_CONTROLLER ? "serverAuth,clientAuth" : "clientAuth") &&
		  add_extension(x, issuer, NID_subject_alt_name, buf_str(&names));
	buf_done(&names);
	return ok;
}

/* May this authority sign this order at all?  *ret_until_ms is the order's life, cut to the authority's own. */
static enum err_code check_order(
    const struct authority *a, const struct certificate_order *o, uint64_t *ret_until_ms, struct err *reterr)
{
	if (a->domain[0] && !text_equal(o->name.domain, a->domain))
		return err_set(
		    reterr, ERR_DENIED, "this authority signs for %s, not for %s", a->domain, o->name.domain);
	if (o->life_ms == 0 || o->life_ms > AUTHORITY_LEAF_LIFE_MAX_MS)
		return err_set(reterr, ERR_INVALID, "a certificate lives from a millisecond to %d days",
		    (int)(AUTHORITY_LEAF_LIFE_MAX_MS / AUTHORITY_DAY_MS));
	if (a->facts.not_after_ms <= o->now_ms)
		return err_set(reterr, ERR_STATE,
		    "the issuing authority's own certificate has expired: make a new one with the root's key");
	if (a->facts.not_before_ms > o->now_ms)
		return err_set(reterr, ERR_STATE,
		    "the issuing authority's own certificate is not valid yet: is this machine's clock right?");
	uint64_t until_ms = o->now_ms + o->life_ms;
	*ret_until_ms = until_ms < a->facts.not_after_ms ? until_ms : a->facts.not_after_ms;
	return check_addresses(o, reterr);
}

/* The request is good and asks for exactly this name; *ret_key is its key, the caller's. */
static enum err_code check_request(const struct certificate_order *o, EVP_PKEY **ret_key, struct err *reterr)
{
	struct tls_name asked;
	CLEANUP(tls_key_cleanup) EVP_PKEY *key = NULL;
	char uri[TLS_URI_MAX], wanted[TLS_URI_MAX];
	enum err_code rc = tls_csr_read(o->csr, strlen(o->csr), &asked, &key, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!text_equal(tls_name_format(&asked, uri), tls_name_format(&o->name, wanted)))
		return err_set(reterr, ERR_DENIED, "the request asks for %s, but it may only have %s", uri, wanted);
	*ret_key = TAKE_PTR(key);
	return ERR_OK;
}

enum err_code authority_sign(
    const struct authority *a, const struct certificate_order *o, struct certificate_made *ret, struct err *reterr)
{
	CLEANUP(tls_key_cleanup) EVP_PKEY *key = NULL;
	CLEANUP(tls_certificate_cleanup) X509 *x = NULL;
	struct certificate_made made = {0};
	enum err_code rc = check_request(o, &key, reterr);
	if (rc != ERR_OK || (rc = check_order(a, o, &made.not_after_ms, reterr)) != ERR_OK)
		return rc;
	if (EVP_PKEY_eq(key, a->key) == 1)
		return err_set(reterr, ERR_DENIED, "the request is for the authority's own key");
	x = begin(key, o->name.name, backdated(o->now_ms), made.not_after_ms, made.serial);
	if (!x || !add_leaf_extensions(x, a->certificate, o) || !finish(x, a->certificate, a->key))
		return openssl_failed(reterr, "the certificate could not be made");
	if (a->constraints && NAME_CONSTRAINTS_check(x, a->constraints) != X509_V_OK)
		return err_set(reterr, ERR_DENIED,
		    "the authority's name constraint does not allow what this certificate would say");
	rc = tls_certificate_to_pem(x, &made.chain, reterr);
	if (rc == ERR_OK)
		buf_append(&made.chain, a->pem.data, a->pem.size);
	if (rc == ERR_OK && made.chain.failed)
		rc = err_set(reterr, ERR_NOMEM, "out of memory for a certificate");
	if (rc == ERR_OK)
		*ret = made;
	else
		buf_done(&made.chain);
	return rc;
}

enum err_code authority_issue(const struct authority *a, const struct tls_name *name, const char *const *addresses,
    uint64_t life_ms, uint64_t now_ms, const char *folder, struct certificate_made *ret, struct err *reterr)
{
	CLEANUP(tls_key_cleanup) EVP_PKEY *key = NULL;
	CLEANUP(buf_done) struct buf csr = BUF_INIT;
	struct new_files m = {.folder = folder};
	struct certificate_made made = {0};
	enum err_code rc = tls_key_new(&key, reterr);
	if (rc == ERR_OK)
		rc = tls_csr_new(key, name, &csr, reterr);
	struct certificate_order o = {
	    .csr = buf_str(&csr), .name = *name, .life_ms = life_ms, .now_ms = now_ms, .addresses = addresses};
	if (rc == ERR_OK)
		rc = authority_sign(a, &o, &made, reterr);
	if (rc == ERR_OK && (rc = file_make_dirs(folder, 0700, reterr)) == ERR_OK) {
		if ((rc = new_files_key(&m, "key.pem", key, reterr)) == ERR_OK)
			rc = new_files_add(&m, "cert.pem", made.chain.data, made.chain.size, 0644, reterr);
		rc = new_files_settle(&m, rc, reterr);
	}
	if (rc == ERR_OK)
		*ret = made;
	else
		buf_done(&made.chain);
	return rc;
}
