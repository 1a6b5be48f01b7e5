/* Keys, requests, identities, trust: in and out, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/base/openssl.h"
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "shared/base/file.h"
#include "shared/tls/identity.h"
#include "tests/lib/pki/pki.h"

static struct pki_authority *root, *issuing;
static char dir[] = "/tmp/kedge-tls-XXXXXX";

static int setup(void **state)
{
	(void)state;
	root = pki_authority_new("root", NULL);
	issuing = pki_authority_new("issuing", root);
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	pki_authority_free(issuing);
	pki_authority_free(root);
	return rmdir(dir);
}

static void key_round_trip(void **state)
{
	(void)state;
	EVP_PKEY *key, *again;
	struct secret *pem;
	assert_int_equal(tls_key_new(&key, NULL), ERR_OK);
	assert_int_equal(tls_key_to_pem(key, &pem, NULL), ERR_OK);
	assert_int_equal(tls_key_from_pem(secret_data(pem), secret_size(pem), &again, NULL), ERR_OK);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
	tls_key_free(key);
	tls_key_free(again);
	secret_free(pem);
}

static void weak_keys_are_refused(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	EVP_PKEY *rsa = EVP_RSA_gen(1024), *curve = EVP_EC_gen("secp256k1"),
		 *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), *p384 = EVP_EC_gen("P-384"),
		 *x = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	assert_int_equal(tls_key_check(rsa, &e), ERR_INVALID);
	assert_int_equal(tls_key_check(curve, &e), ERR_INVALID);
	assert_int_equal(tls_key_check(x, &e), ERR_INVALID);
	assert_int_equal(tls_key_check(ed, &e), ERR_OK);
	assert_int_equal(tls_key_check(p384, &e), ERR_OK);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(curve);
	EVP_PKEY_free(ed);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(x);
}

static void key_files(void **state)
{
	(void)state;
	char path[128];
	struct err e = ERR_INIT;
	struct pki_leaf leaf;
	EVP_PKEY *key = NULL;
	pki_issue(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST}, &leaf);
	snprintf(path, sizeof(path), "%s/key", dir);
	assert_int_equal(tls_key_load(path, &key, &e), ERR_NOT_FOUND);
	pki_write(path, &leaf.key_pem);
	assert_int_equal(tls_key_load(path, &key, &e), ERR_OK);
	assert_int_equal(EVP_PKEY_eq(key, leaf.key), 1);
	tls_key_free(key);
	chmod(path, 0644);
	assert_int_equal(tls_key_load(path, &key, &e), ERR_DENIED);
	assert_non_null(strstr(e.msg, "0600"));
	chmod(path, 0640);
	assert_int_equal(tls_key_load(path, &key, &e), ERR_OK);
	tls_key_free(key);
	struct buf big = BUF_INIT;
	while (big.size <= TLS_KEY_PEM_MAX)
		buf_append(&big, leaf.key_pem.data, leaf.key_pem.size);
	pki_write(path, &big);
	assert_int_equal(tls_key_load(path, &key, &e), ERR_INVALID);
	assert_int_equal(tls_key_load(dir, &key, &e), ERR_INVALID);
	buf_done(&big);
	pki_leaf_done(&leaf);
	unlink(path);
}

static void a_passphrase_is_not_asked_for(void **state)
{
	(void)state;
	EVP_PKEY *key, *again = NULL;
	assert_int_equal(tls_key_new(&key, NULL), ERR_OK);
	BIO *bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	assert_int_equal(tls_key_from_pem(data, (size_t)size, &again, NULL), ERR_INVALID);
	BIO_free(bio);
	tls_key_free(key);
}

static void requests(void **state)
{
	(void)state;
	struct tls_name name, got;
	EVP_PKEY *key, *public;
	struct buf pem = BUF_INIT;
	struct err e = ERR_INIT;
	assert_int_equal(tls_name_make(TLS_ROLE_OPERATOR, PKI_DOMAIN, "ada", &name, NULL), ERR_OK);
	assert_int_equal(tls_key_new(&key, NULL), ERR_OK);
	assert_int_equal(tls_csr_new(key, &name, &pem, &e), ERR_OK);
	assert_int_equal(tls_csr_read(pem.data, pem.size, &got, &public, &e), ERR_OK);
	assert_int_equal(got.role, TLS_ROLE_OPERATOR);
	assert_string_equal(got.name, "ada");
	assert_int_equal(EVP_PKEY_eq(key, public), 1);
	tls_key_free(public);
	/* A byte of the signature changed: the request is not its key's any more. */
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	X509_REQ *req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	const ASN1_BIT_STRING *sig;
	X509_REQ_get0_signature(req, &sig, NULL);
	unsigned char *bytes = (unsigned char *)(uintptr_t)ASN1_STRING_get0_data(sig);
	bytes[ASN1_STRING_length(sig) - 1] ^= 1;
	BIO *out = BIO_new(BIO_s_mem());
	PEM_write_bio_X509_REQ(out, req);
	char *data;
	long size = BIO_get_mem_data(out, &data);
	assert_int_equal(tls_csr_read(data, (size_t)size, &got, &public, &e), ERR_INVALID);
	X509_REQ_free(req);
	BIO_free(bio);
	BIO_free(out);
	assert_int_equal(tls_csr_read("hello", 5, &got, &public, &e), ERR_INVALID);
	buf_done(&pem);
	tls_key_free(key);
}

/* What may a request ask for?  One URI, and nothing beside it. */
static void greedy_requests(void **state)
{
	(void)state;
	static const char *const asks[] = {"DNS:a.example", "URI:spiffe://fleet.example/host/a,DNS:a.example",
	    "URI:spiffe://fleet.example/host/a,URI:spiffe://fleet.example/host/b", "URI:http://a/", "email:a@b"};
	for (size_t i = 0; i <= sizeof(asks) / sizeof(asks[0]); i++) {
		EVP_PKEY *key, *public = NULL;
		struct tls_name got;
		assert_int_equal(tls_key_new(&key, NULL), ERR_OK);
		X509_REQ *req = X509_REQ_new();
		X509_REQ_set_pubkey(req, key);
		if (i < sizeof(asks) / sizeof(asks[0])) {
			STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
			sk_X509_EXTENSION_push(list, X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, asks[i]));
			X509_REQ_add_extensions(req, list);
			sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
		}
		X509_REQ_sign(req, key, EVP_sha256());
		BIO *out = BIO_new(BIO_s_mem());
		PEM_write_bio_X509_REQ(out, req);
		char *data;
		long size = BIO_get_mem_data(out, &data);
		assert_int_equal(tls_csr_read(data, (size_t)size, &got, &public, NULL), ERR_INVALID);
		assert_null(public);
		BIO_free(out);
		X509_REQ_free(req);
		tls_key_free(key);
	}
}

static void identities(void **state)
{
	(void)state;
	struct pki_leaf a, b;
	struct tls_identity *identity = NULL;
	struct err e = ERR_INIT;
	pki_issue(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST, .name = "web-1", .serial = 0xabc}, &a);
	pki_issue(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST, .name = "web-2"}, &b);
	assert_int_equal(
	    tls_identity_from_pem(a.chain_pem.data, a.chain_pem.size, a.key_pem.data, a.key_pem.size, &identity, &e),
	    ERR_OK);
	const struct tls_peer *p = tls_identity_peer(identity);
	assert_string_equal(p->name, "web-1");
	assert_string_equal(p->domain, PKI_DOMAIN);
	assert_string_equal(p->serial, "0abc");
	assert_int_equal(strlen(p->fingerprint), 64);
	tls_identity_free(tls_identity_ref(identity));
	tls_identity_free(identity);
	identity = NULL;
	assert_int_equal(
	    tls_identity_from_pem(a.chain_pem.data, a.chain_pem.size, b.key_pem.data, b.key_pem.size, &identity, &e),
	    ERR_INVALID);
	assert_int_equal(tls_identity_from_pem("x", 1, a.key_pem.data, a.key_pem.size, &identity, &e), ERR_INVALID);
	assert_null(identity);
	char chain[128], key[128];
	snprintf(chain, sizeof(chain), "%s/chain", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	pki_write(chain, &a.chain_pem);
	pki_write(key, &a.key_pem);
	assert_int_equal(tls_identity_load(chain, key, &identity, &e), ERR_OK);
	tls_identity_free(identity);
	unlink(chain);
	assert_int_equal(tls_identity_load(chain, key, &identity, &e), ERR_NOT_FOUND);
	unlink(key);
	pki_leaf_done(&a);
	pki_leaf_done(&b);
}

static void trust(void **state)
{
	(void)state;
	struct buf pem = BUF_INIT;
	struct tls_trust *t = NULL;
	struct err e = ERR_INIT;
	pki_root_pem(root, &pem);
	assert_int_equal(tls_trust_from_pem(pem.data, pem.size, &t, &e), ERR_OK);
	tls_trust_free(t);
	t = NULL;
	struct pki_leaf leaf;
	pki_issue(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST}, &leaf);
	assert_int_equal(tls_trust_from_pem(leaf.chain_pem.data, leaf.chain_pem.size, &t, &e), ERR_INVALID);
	assert_int_equal(tls_trust_from_pem("", 0, &t, &e), ERR_INVALID);
	assert_int_equal(tls_trust_from_pem("nothing here", 12, &t, &e), ERR_INVALID);
	pem.data[pem.size / 2] = '!'; /* damaged inside */
	assert_int_equal(tls_trust_from_pem(pem.data, pem.size, &t, &e), ERR_INVALID);
	assert_null(t);
	pki_leaf_done(&leaf);
	buf_done(&pem);
}

static void facts(void **state)
{
	(void)state;
	struct tls_facts f;
	struct pki_leaf leaf;
	X509 *chain[TLS_CHAIN_MAX];
	size_t count;
	pki_issue(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST, .usage = PKI_CLIENT, .from_s = -10, .until_s = 20},
	    &leaf);
	assert_int_equal(
	    tls_certificates_from_pem(leaf.chain_pem.data, leaf.chain_pem.size, chain, &count, NULL), ERR_OK);
	assert_int_equal(count, 2);
	assert_int_equal(tls_certificate_facts(chain[0], &f, NULL), ERR_OK);
	assert_string_equal(f.subject, "CN=one");
	assert_string_equal(f.issuer, "CN=issuing");
	assert_int_equal(f.not_after_ms - f.not_before_ms, 30000);
	assert_true(f.client_auth && !f.server_auth && !f.authority);
	assert_int_equal(tls_certificate_facts(chain[1], &f, NULL), ERR_OK);
	assert_true(f.authority && !f.client_auth && !f.server_auth);
	X509 *one = NULL;
	assert_int_equal(tls_certificate_from_pem(leaf.chain_pem.data, leaf.chain_pem.size, &one, NULL), ERR_INVALID);
	X509_free(chain[0]);
	X509_free(chain[1]);
	pki_leaf_done(&leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(key_round_trip),
	    cmocka_unit_test(weak_keys_are_refused),
	    cmocka_unit_test(key_files),
	    cmocka_unit_test(a_passphrase_is_not_asked_for),
	    cmocka_unit_test(requests),
	    cmocka_unit_test(greedy_requests),
	    cmocka_unit_test(identities),
	    cmocka_unit_test(trust),
	    cmocka_unit_test(facts),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
