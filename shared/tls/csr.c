/* shared/tls/csr.c: certificate requests (PKCS#10, RFC 2986). */
#include "shared/tls/internal.h"
#include <openssl/pem.h>

#include "shared/tls/certificate.h"
#include "shared/tls/key.h"

CLEANUP_DEFINE(X509_REQ, req_cleanup, X509_REQ_free)

static void extensions_cleanup(STACK_OF(X509_EXTENSION) * *p)
{
	sk_X509_EXTENSION_pop_free(*p, X509_EXTENSION_free);
}

/* subjectAltName = the one URI, as a stack of one extension; NULL: out of memory. */
static STACK_OF(X509_EXTENSION) * name_extension(const struct tls_name *name)
{
	char uri[TLS_URI_MAX];
	CLEANUP(tls_names_cleanup) GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	STACK_OF(X509_EXTENSION) *ret = NULL;
	if (!names || !one || !text || ASN1_STRING_set(text, tls_name_format(name, uri), -1) != 1) {
		GENERAL_NAME_free(one);
		ASN1_IA5STRING_free(text);
		return NULL;
	}
	GENERAL_NAME_set0_value(one, GEN_URI, text);
	if (sk_GENERAL_NAME_push(names, one) <= 0) {
		GENERAL_NAME_free(one);
		return NULL;
	}
	if (X509V3_add1_i2d(&ret, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1) {
		sk_X509_EXTENSION_pop_free(ret, X509_EXTENSION_free);
		return NULL;
	}
	return ret;
}

enum err_code tls_csr_new(EVP_PKEY *key, const struct tls_name *name, struct buf *ret_pem, struct err *reterr)
{
	CLEANUP(req_cleanup) X509_REQ *req = X509_REQ_new();
	CLEANUP(extensions_cleanup) STACK_OF(X509_EXTENSION) *extensions = name_extension(name);
	CLEANUP(tls_bio_cleanup) BIO *bio = BIO_new(BIO_s_mem());
	const EVP_MD *digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	if (!req || !extensions || !bio || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
	    X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(req), NID_commonName, MBSTRING_UTF8,
		(const unsigned char *)name->name, -1, -1, 0) != 1 ||
	    X509_REQ_set_pubkey(req, key) != 1 || X509_REQ_add_extensions(req, extensions) != 1 ||
	    X509_REQ_sign(req, key, digest) <= 0 || PEM_write_bio_X509_REQ(bio, req) != 1)
		return tls_openssl_error(reterr, ERR_INTERNAL, "making a certificate request");
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	buf_append(ret_pem, data, (size_t)size);
	return ret_pem->failed ? err_set(reterr, ERR_NOMEM, "out of memory for a certificate request") : ERR_OK;
}

static enum err_code requested_name(X509_REQ *req, struct tls_name *ret, struct err *reterr)
{
	CLEANUP(extensions_cleanup) STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
	int critical = 0;
	CLEANUP(tls_names_cleanup)
	GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, &critical, NULL);
	if (!names)
		return tls_openssl_error(reterr, ERR_INVALID, "the request asks for no name (or for two)");
	return tls_name_among(names, true, ret, reterr);
}

enum err_code tls_csr_read(
    const void *pem, size_t size_bytes, struct tls_name *ret_name, EVP_PKEY **ret_key, struct err *reterr)
{
	if (size_bytes == 0 || size_bytes > TLS_KEY_PEM_MAX)
		return err_set(reterr, ERR_INVALID, "a certificate request has 1 to %d bytes of PEM", TLS_KEY_PEM_MAX);
	CLEANUP(tls_bio_cleanup) BIO *bio = BIO_new_mem_buf(pem, (int)size_bytes);
	CLEANUP(req_cleanup) X509_REQ *req = bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
	if (!req)
		return tls_openssl_error(reterr, ERR_INVALID, "reading a certificate request (PEM)");
	CLEANUP(tls_key_cleanup) EVP_PKEY *key = X509_REQ_get_pubkey(req);
	if (!key)
		return tls_openssl_error(reterr, ERR_INVALID, "the request's key");
	enum err_code rc = tls_key_check(key, reterr);
	if (rc != ERR_OK)
		return rc;
	if (X509_REQ_verify(req, key) != 1)
		return tls_openssl_error(reterr, ERR_INVALID, "the request is not signed by its key");
	rc = requested_name(req, ret_name, reterr);
	if (rc == ERR_OK)
		*ret_key = TAKE_PTR(key);
	return rc;
}
