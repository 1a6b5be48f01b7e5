/* shared/tls/certificate.c: reading certificates. */
#include <string.h>
#include <time.h>

#include "shared/tls/internal.h"
#include <openssl/pem.h>

#include "shared/base/text.h"
#include "shared/tls/certificate.h"

void tls_certificate_free(X509 *certificate)
{
	X509_free(certificate);
}

enum err_code tls_name_among(const GENERAL_NAMES *names, bool only_uri, struct tls_name *ret, struct err *reterr)
{
	const ASN1_IA5STRING *uri = NULL;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int kind;
		const void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
		if (kind != GEN_URI && only_uri)
			return err_set(reterr, ERR_INVALID, "only a URI may be asked for as alternative name");
		if (kind != GEN_URI)
			continue;
		if (uri)
			return err_set(reterr, ERR_INVALID, "more than one URI in the alternative names");
		uri = value;
	}
	if (!uri)
		return err_set(reterr, ERR_INVALID, "no URI in the alternative names");
	return tls_name_parse(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri), ret, reterr);
}

enum err_code tls_certificate_name(X509 *certificate, struct tls_name *ret, struct err *reterr)
{
	int critical = 0;
	CLEANUP(tls_names_cleanup)
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
	if (!names)
		return tls_openssl_error(
		    reterr, ERR_INVALID, "the certificate has no alternative names (or two lists)");
	return tls_name_among(names, false, ret, reterr);
}

bool tls_serial_normal(const char *in, char out[TLS_SERIAL_MAX])
{
	size_t size = in ? strnlen(in, TLS_SERIAL_MAX) : 0;
	if (size == 0 || size >= TLS_SERIAL_MAX || strspn(in, "0123456789abcdefABCDEF") != size)
		return false;
	while (size > 1 && *in == '0') {
		in++;
		size--;
	}
	size_t pad = size % 2;
	if (size + pad >= TLS_SERIAL_MAX)
		return false;
	out[0] = '0';
	for (size_t i = 0; i < size; i++)
		out[pad + i] = (char)(in[i] >= 'A' && in[i] <= 'F' ? in[i] - 'A' + 'a' : in[i]);
	out[pad + size] = '\0';
	return true;
}

enum err_code tls_serial_text(const ASN1_INTEGER *serial, char out[TLS_SERIAL_MAX], struct err *reterr)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = n && !BN_is_negative(n) ? BN_bn2hex(n) : NULL;
	bool ok = hex && tls_serial_normal(hex, out);
	OPENSSL_free(hex);
	BN_free(n);
	return ok ? ERR_OK : err_set(reterr, ERR_INVALID, "the certificate's serial is negative or too long");
}

static enum err_code fingerprint(X509 *certificate, char out[TLS_FINGERPRINT_MAX], struct err *reterr)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1 || size * 2 + 1 != TLS_FINGERPRINT_MAX)
		return tls_openssl_error(reterr, ERR_INTERNAL, "a certificate's fingerprint");
	text_hex(digest, size, out);
	return ERR_OK;
}

static enum err_code time_ms(const ASN1_TIME *t, uint64_t *ret, struct err *reterr)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return tls_openssl_error(reterr, ERR_INVALID, "a time of the certificate");
	time_t seconds = timegm(&tm);
	*ret = seconds < 0 ? 0 : (uint64_t)seconds * 1000;
	return ERR_OK;
}

enum err_code tls_certificate_peer(X509 *certificate, struct tls_peer *ret, struct err *reterr)
{
	struct tls_name name;
	struct tls_peer peer = {0};
	enum err_code rc = tls_certificate_name(certificate, &name, reterr);
	if (rc == ERR_OK)
		rc = tls_serial_text(X509_get0_serialNumber(certificate), peer.serial, reterr);
	if (rc == ERR_OK)
		rc = fingerprint(certificate, peer.fingerprint, reterr);
	if (rc == ERR_OK)
		rc = time_ms(X509_get0_notAfter(certificate), &peer.not_after_ms, reterr);
	if (rc != ERR_OK)
		return rc;
	peer.role = name.role;
	memcpy(peer.name, name.name, sizeof(peer.name));
	memcpy(peer.domain, name.domain, sizeof(peer.domain));
	*ret = peer;
	return ERR_OK;
}

static enum err_code name_text(const X509_NAME *name, char out[TLS_SUBJECT_MAX], struct err *reterr)
{
	CLEANUP(tls_bio_cleanup) BIO *bio = BIO_new(BIO_s_mem());
	/* Without XN_FLAG_UTF8_CONVERT's complement, bytes above 127 come escaped, so that the line is plain ASCII. */
	if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
		return tls_openssl_error(reterr, ERR_INVALID, "a subject or issuer");
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	size_t n = size < 0 ? 0 : (size_t)size;
	if (n > TLS_SUBJECT_MAX - 1)
		n = TLS_SUBJECT_MAX - 1;
	if (n > 0)
		memcpy(out, data, n);
	out[n] = '\0';
	return ERR_OK;
}

enum err_code tls_certificate_facts(X509 *certificate, struct tls_facts *ret, struct err *reterr)
{
	struct tls_facts f = {0};
	enum err_code rc = name_text(X509_get_subject_name(certificate), f.subject, reterr);
	if (rc == ERR_OK)
		rc = name_text(X509_get_issuer_name(certificate), f.issuer, reterr);
	if (rc == ERR_OK)
		rc = tls_serial_text(X509_get0_serialNumber(certificate), f.serial, reterr);
	if (rc == ERR_OK)
		rc = fingerprint(certificate, f.fingerprint, reterr);
	if (rc == ERR_OK)
		rc = time_ms(X509_get0_notBefore(certificate), &f.not_before_ms, reterr);
	if (rc == ERR_OK)
		rc = time_ms(X509_get0_notAfter(certificate), &f.not_after_ms, reterr);
	if (rc != ERR_OK)
		return rc;
	uint32_t flags = X509_get_extension_flags(certificate);
	uint32_t usage = flags & EXFLAG_XKUSAGE ? X509_get_extended_key_usage(certificate) : 0;
	f.authority = (flags & EXFLAG_CA) != 0;
	f.server_auth = (usage & XKU_SSL_SERVER) != 0;
	f.client_auth = (usage & XKU_SSL_CLIENT) != 0;
	*ret = f;
	return ERR_OK;
}

static void free_all(X509 **certificates, size_t count)
{
	for (size_t i = 0; i < count; i++)
		X509_free(certificates[i]);
}

/* Reading ends at the end of input, which PEM reports as the error "no start line". */
static bool at_end(void)
{
	unsigned long e = ERR_peek_last_error();
	bool end = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
	if (end)
		ERR_clear_error();
	return end;
}

enum err_code tls_certificates_from_pem(
    const void *pem, size_t size_bytes, X509 *ret[TLS_CHAIN_MAX], size_t *ret_count, struct err *reterr)
{
	X509 *got[TLS_CHAIN_MAX];
	size_t count = 0;
	if (size_bytes == 0 || size_bytes > TLS_PEM_MAX)
		return err_set(reterr, ERR_INVALID, "certificates have 1 to %d bytes of PEM", TLS_PEM_MAX);
	ERR_clear_error();
	CLEANUP(tls_bio_cleanup) BIO *bio = BIO_new_mem_buf(pem, (int)size_bytes);
	if (!bio)
		return err_set(reterr, ERR_NOMEM, "out of memory for certificates");
	for (;;) {
		X509 *one = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (!one)
			break;
		if (count == TLS_CHAIN_MAX) {
			X509_free(one);
			free_all(got, count);
			return err_set(reterr, ERR_INVALID, "more than %d certificates in one chain", TLS_CHAIN_MAX);
		}
		got[count++] = one;
	}
	if (!at_end()) {
		free_all(got, count);
		return tls_openssl_error(reterr, ERR_INVALID, "reading certificate %zu (PEM)", count + 1);
	}
	if (count == 0)
		return err_set(reterr, ERR_INVALID, "there is no certificate in it (PEM is wanted)");
	memcpy(ret, got, count * sizeof(X509 *));
	*ret_count = count;
	return ERR_OK;
}

enum err_code tls_certificate_from_pem(const void *pem, size_t size_bytes, X509 **ret, struct err *reterr)
{
	X509 *got[TLS_CHAIN_MAX];
	size_t count;
	enum err_code rc = tls_certificates_from_pem(pem, size_bytes, got, &count, reterr);
	if (rc != ERR_OK)
		return rc;
	if (count != 1) {
		free_all(got, count);
		return err_set(reterr, ERR_INVALID, "one certificate is wanted, there are %zu", count);
	}
	*ret = got[0];
	return ERR_OK;
}

enum err_code tls_certificate_to_pem(X509 *certificate, struct buf *out, struct err *reterr)
{
	CLEANUP(tls_bio_cleanup) BIO *bio = BIO_new(BIO_s_mem());
	if (!bio || PEM_write_bio_X509(bio, certificate) != 1)
		return tls_openssl_error(reterr, ERR_INTERNAL, "writing a certificate");
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	buf_append(out, data, (size_t)size);
	return out->failed ? err_set(reterr, ERR_NOMEM, "out of memory for a certificate") : ERR_OK;
}
