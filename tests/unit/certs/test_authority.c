/* The authority: what it makes, what it refuses, what it leaves alone. */
#include "tests/unit/certs/made.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "shared/base/cleanup.h"
#include "tests/lib/pki/pki.h"

static char dir[SCRATCH_PATH], ca[128];
static struct authority *authority;

static int setup(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	scratch_make(dir);
	text_format(ca, sizeof ca, "%s/deep/ca", dir);
	umask(0);
	if (authority_init(ca, DOMAIN_A, NOW, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	authority = loaded(ca);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	authority_free(authority);
	scratch_remove(dir);
	return 0;
}

static struct tls_name named(enum tls_role role, const char *domain, const char *name)
{
	struct tls_name n;
	assert_int_equal(tls_name_make(role, domain, name, &n, NULL), ERR_OK);
	return n;
}

/* Issues into a new folder below dir, whose path is returned. */
static const char *issue(enum tls_role role, const char *name, const char *const *addresses, uint64_t life_ms,
    uint64_t now_ms, struct certificate_made *made)
{
	static char folder[128];
	static int count;
	struct err e = ERR_INIT;
	struct tls_name n = named(role, DOMAIN_A, name);
	text_format(folder, sizeof folder, "%s/out%d", dir, count++);
	if (authority_issue(authority, &n, addresses, life_ms, now_ms, folder, made, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	return folder;
}

static X509 *leaf_of(const struct buf *chain)
{
	X509 *all[TLS_CHAIN_MAX], *leaf;
	size_t count;
	assert_int_equal(tls_certificates_from_pem(chain->data, chain->size, all, &count, NULL), ERR_OK);
	assert_int_equal(count, 2);
	leaf = all[0];
	tls_certificate_free(all[1]);
	return leaf;
}

static void folder_of_an_authority(void **state)
{
	(void)state;
	static const char *const keys[] = {"root.key", "issuing.key"}, *const others[] = {
									   "root.pem", "issuing.pem", "authority.pem"};
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(mode_of(ca, keys[i]), 0600);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mode_of(ca, others[i]), 0644);
	struct stat st;
	assert_int_equal(stat(ca, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(authority_domain(authority), DOMAIN_A);
	/* authority.pem is the root, alone; its fingerprint is what openssl says it is. */
	CLEANUP(buf_done) struct buf pem = BUF_INIT, root = BUF_INIT;
	char path[256], fingerprint[TLS_FINGERPRINT_MAX];
	path_in(ca, "authority.pem", path);
	assert_int_equal(file_read(path, TLS_PEM_MAX, &pem, NULL), ERR_OK);
	path_in(ca, "root.pem", path);
	assert_int_equal(file_read(path, TLS_PEM_MAX, &root, NULL), ERR_OK);
	assert_string_equal(buf_str(&pem), buf_str(&root));
	assert_int_equal(authority_fingerprint(buf_str(&pem), pem.size, fingerprint, NULL), ERR_OK);
	X509 *x;
	unsigned char raw[32];
	char hex[65];
	assert_int_equal(tls_certificate_from_pem(pem.data, pem.size, &x, NULL), ERR_OK);
	assert_int_equal(X509_digest(x, EVP_sha256(), raw, NULL), 1);
	tls_certificate_free(x);
	assert_string_equal(fingerprint, text_hex(raw, 32, hex));
}

static void nothing_is_overwritten(void **state)
{
	(void)state;
	static const char *const names[] = {"root.key", "issuing.key", "issuing.pem", "authority.pem", "root.pem"};
	for (size_t i = 0; i < 5;
	     i++) { /* one such name is enough to stop, and what was made before it is taken back */
		char folder[128], path[256], other[256];
		struct err e = ERR_INIT;
		text_format(folder, sizeof folder, "%s/half%zu", dir, i);
		assert_int_equal(mkdir(folder, 0700), 0);
		path_in(folder, names[i], path);
		assert_int_equal(file_replace(path, "mine", 4, 0600, NULL), ERR_OK);
		assert_int_equal(authority_init(folder, DOMAIN_A, NOW, &e), ERR_EXISTS);
		assert_non_null(strstr(e.msg, names[i]));
		CLEANUP(buf_done) struct buf kept = BUF_INIT;
		assert_int_equal(file_read(path, 64, &kept, NULL), ERR_OK);
		assert_string_equal(buf_str(&kept), "mine");
		for (size_t k = 0; k < 5; k++) {
			path_in(folder, names[k], other);
			assert_int_equal(file_exists(other), k == i);
		}
	}
	struct certificate_made made = {0}, second = {0};
	const char *folder = issue(TLS_ROLE_OPERATOR, "ada", NULL, AUTHORITY_DAY_MS, NOW, &made);
	struct tls_name n = named(TLS_ROLE_OPERATOR, DOMAIN_A, "ada");
	assert_int_equal(
	    authority_issue(authority, &n, NULL, AUTHORITY_DAY_MS, NOW, folder, &second, NULL), ERR_EXISTS);
	char path[256];
	path_in(folder, "key.pem", path); /* a certificate without its key stops it too, and leaves no new key behind */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(
	    authority_issue(authority, &n, NULL, AUTHORITY_DAY_MS, NOW, folder, &second, NULL), ERR_EXISTS);
	assert_false(file_exists(path));
	buf_done(&made.chain);
}

static void a_link_is_not_followed(void **state)
{
	(void)state;
	char folder[128], path[256], target[256];
	text_format(folder, sizeof folder, "%s/linked", dir);
	assert_int_equal(mkdir(folder, 0700), 0);
	path_in(folder, "root.key", path);
	path_in(dir, "elsewhere", target);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(authority_init(folder, DOMAIN_A, NOW, NULL), ERR_EXISTS);
	assert_false(file_exists(target));
}

static bool usage_is(X509 *x, bool server, bool client)
{
	struct tls_facts f;
	assert_int_equal(tls_certificate_facts(x, &f, NULL), ERR_OK);
	return f.server_auth == server && f.client_auth == client && !f.authority &&
	       X509_get_key_usage(x) == KU_DIGITAL_SIGNATURE;
}

static void profiles(void **state)
{
	(void)state;
	static const char *const addresses[] = {"127.0.0.1", "::1", "localhost", "one.fleet.example", NULL};
	for (int role = 0; role < TLS_ROLE_COUNT; role++) {
		struct certificate_made made = {0};
		bool server = role == TLS_ROLE_CONTROLLER;
		const char *folder =
		    issue((enum tls_role)role, "one", server ? addresses : NULL, AUTHORITY_DAY_MS, NOW, &made);
		X509 *x = leaf_of(&made.chain);
		struct tls_peer p;
		assert_int_equal(tls_certificate_peer(x, &p, NULL), ERR_OK);
		assert_int_equal(p.role, role);
		assert_string_equal(p.name, "one");
		assert_string_equal(p.domain, DOMAIN_A);
		assert_string_equal(p.serial, made.serial);
		assert_int_equal(p.not_after_ms, made.not_after_ms);
		assert_int_equal(made.not_after_ms, NOW + AUTHORITY_DAY_MS);
		assert_true(usage_is(x, server, true));
		assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), server);
		assert_int_equal(X509_check_ip_asc(x, "::1", 0), server);
		assert_int_equal(X509_check_host(x, "localhost", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), server);
		assert_int_equal(X509_check_host(x, "two.fleet.example", 0, 0, NULL), 0);
		X509_free(x);
		assert_int_equal(mode_of(folder, "key.pem"), 0600);
		assert_int_equal(mode_of(folder, "cert.pem"), 0644);
		char root[256], cert[256];
		path_in(ca, "authority.pem", root);
		path_in(folder, "cert.pem", cert);
		assert_true(openssl_takes(root, cert, "sslclient", NOW));
		assert_int_equal(openssl_takes(root, cert, "sslserver", NOW), server);
		assert_true(openssl_takes(root, cert, "sslclient", NOW - 4 * 60 * 1000)); /* a clock a little behind */
		assert_false(openssl_takes(root, cert, "sslclient", NOW - 6 * 60 * 1000));
		assert_false(openssl_takes(root, cert, "sslclient", NOW + AUTHORITY_DAY_MS + 1000));
		buf_done(&made.chain);
	}
}

static void serials_do_not_repeat(void **state)
{
	(void)state;
	struct certificate_made a = {0}, b = {0};
	issue(TLS_ROLE_HOST, "one", NULL, AUTHORITY_DAY_MS, NOW, &a);
	issue(TLS_ROLE_HOST, "one", NULL, AUTHORITY_DAY_MS, NOW, &b);
	assert_string_not_equal(a.serial, b.serial);
	assert_int_equal(strlen(a.serial), 32);
	buf_done(&a.chain);
	buf_done(&b.chain);
}

static void life_ends_with_the_issuers(void **state)
{
	(void)state;
	struct certificate_made made = {0};
	uint64_t late = NOW + AUTHORITY_ISSUING_LIFE_MS - 1000 * 60;
	issue(TLS_ROLE_HOST, "late", NULL, AUTHORITY_HOST_LIFE_MS, late, &made);
	assert_int_equal(made.not_after_ms, NOW + AUTHORITY_ISSUING_LIFE_MS);
	buf_done(&made.chain);
	struct tls_name n = named(TLS_ROLE_HOST, DOMAIN_A, "late");
	char folder[128];
	struct err e = ERR_INIT;
	text_format(folder, sizeof folder, "%s/never", dir);
	assert_int_equal(
	    authority_issue(authority, &n, NULL, 1000, NOW + AUTHORITY_ISSUING_LIFE_MS, folder, &made, &e), ERR_STATE);
	assert_non_null(strstr(e.msg, "expired"));
	assert_int_equal(authority_issue(authority, &n, NULL, 1000, NOW - 6 * 60 * 1000, folder, &made, &e), ERR_STATE);
	assert_non_null(strstr(e.msg, "not valid yet"));
	assert_int_equal(authority_issue(authority, &n, NULL, 0, NOW, folder, &made, NULL), ERR_INVALID);
	assert_int_equal(authority_issue(authority, &n, NULL, AUTHORITY_LEAF_LIFE_MAX_MS + 1, NOW, folder, &made, NULL),
	    ERR_INVALID);
	assert_int_equal(authority_issue(authority, &n, NULL, UINT64_MAX, NOW, folder, &made, NULL), ERR_INVALID);
	assert_false(file_exists(folder));
}

static void addresses_are_checked(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "a,DNS:evil.example", "1.2.3", "999.1.1.1", "Upper.example", "-a", "a..b",
	    "*.example", "a b", "URI:x", "::g", NULL};
	struct tls_name n = named(TLS_ROLE_CONTROLLER, DOMAIN_A, "main");
	struct certificate_made made;
	char folder[128];
	text_format(folder, sizeof folder, "%s/addresses", dir);
	for (size_t i = 0; bad[i]; i++) {
		const char *const one[] = {bad[i], NULL};
		assert_int_equal(authority_issue(authority, &n, one, 1000, NOW, folder, &made, NULL), ERR_INVALID);
	}
	const char *many[AUTHORITY_ADDRESSES_MAX + 2] = {0};
	for (size_t i = 0; i <= AUTHORITY_ADDRESSES_MAX; i++)
		many[i] = "127.0.0.1";
	assert_int_equal(authority_issue(authority, &n, many, 1000, NOW, folder, &made, NULL), ERR_LIMIT);
	struct tls_name host = named(TLS_ROLE_HOST, DOMAIN_A, "web-1");
	const char *const good[] = {"127.0.0.1", NULL};
	assert_int_equal(authority_issue(authority, &host, good, 1000, NOW, folder, &made, NULL), ERR_INVALID);
	assert_false(file_exists(folder));
}

/* ---- requests from outside ---- */

static enum err_code sign_request(const char *csr, const struct tls_name *name, struct err *e)
{
	struct certificate_made made;
	struct certificate_order o = {.csr = csr, .name = *name, .life_ms = AUTHORITY_DAY_MS, .now_ms = NOW};
	enum err_code rc = authority_sign(authority, &o, &made, e);
	if (rc == ERR_OK)
		buf_done(&made.chain);
	return rc;
}

static void requests_for_others_are_refused(void **state)
{
	(void)state;
	EVP_PKEY *key;
	assert_int_equal(tls_key_new(&key, NULL), ERR_OK);
	struct tls_name mine = named(TLS_ROLE_HOST, DOMAIN_A, "web-1");
	struct tls_name asks[] = {named(TLS_ROLE_HOST, DOMAIN_A, "web-2"), named(TLS_ROLE_OPERATOR, DOMAIN_A, "web-1"),
	    named(TLS_ROLE_CONTROLLER, DOMAIN_A, "web-1"), named(TLS_ROLE_HOST, "other.example", "web-1")};
	CLEANUP(buf_done) struct buf good = BUF_INIT;
	assert_int_equal(tls_csr_new(key, &mine, &good, NULL), ERR_OK);
	assert_int_equal(sign_request(buf_str(&good), &mine, NULL), ERR_OK);
	for (size_t i = 0; i < 4; i++) {
		CLEANUP(buf_done) struct buf csr = BUF_INIT;
		struct err e = ERR_INIT;
		assert_int_equal(tls_csr_new(key, &asks[i], &csr, NULL), ERR_OK);
		assert_int_equal(sign_request(buf_str(&csr), &mine, &e), ERR_DENIED);
		if (i == 3) /* nor is another domain signed for whoever asks for it consistently */
			assert_int_equal(sign_request(buf_str(&csr), &asks[i], &e), ERR_DENIED);
	}
	tls_key_free(key);
}

static void hostile_requests_are_refused(void **state)
{
	(void)state;
	EVP_PKEY *key;
	assert_int_equal(tls_key_new(&key, NULL), ERR_OK);
	struct tls_name mine = named(TLS_ROLE_HOST, DOMAIN_A, "web-1");
	CLEANUP(buf_done) struct buf csr = BUF_INIT;
	assert_int_equal(tls_csr_new(key, &mine, &csr, NULL), ERR_OK);
	assert_int_equal(sign_request("", &mine, NULL), ERR_INVALID);
	assert_int_equal(
	    sign_request("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n", &mine, NULL),
	    ERR_INVALID);
	for (size_t cut = 1; cut < csr.size - 30; cut += 7) { /* cut anywhere before its last line */
		char part[4096];
		memcpy(part, csr.data, cut);
		part[cut] = '\0';
		assert_int_equal(sign_request(part, &mine, NULL), ERR_INVALID);
	}
	/* Somebody else's key put in place of the one that signed. */
	X509_REQ *req;
	EVP_PKEY *other;
	BIO *in = BIO_new_mem_buf(csr.data, (int)csr.size), *out = BIO_new(BIO_s_mem());
	char *text;
	assert_non_null(req = PEM_read_bio_X509_REQ(in, NULL, NULL, NULL));
	assert_int_equal(tls_key_new(&other, NULL), ERR_OK);
	assert_int_equal(X509_REQ_set_pubkey(req, other), 1);
	assert_int_equal(PEM_write_bio_X509_REQ(out, req), 1);
	BIO_write(out, "", 1);
	BIO_get_mem_data(out, &text);
	struct err e = ERR_INIT;
	assert_int_equal(sign_request(text, &mine, &e), ERR_INVALID);
	BIO_free(in);
	BIO_free(out);
	X509_REQ_free(req);
	tls_key_free(other);
	tls_key_free(key);
}

/* A request for the authority's own key would make a leaf that can sign. */
static void the_authoritys_key_is_not_certified(void **state)
{
	(void)state;
	EVP_PKEY *key;
	char path[256];
	CLEANUP(buf_done) struct buf csr = BUF_INIT;
	struct tls_name mine = named(TLS_ROLE_HOST, DOMAIN_A, "web-1");
	path_in(ca, "issuing.key", path);
	assert_int_equal(tls_key_load(path, &key, NULL), ERR_OK);
	assert_int_equal(tls_csr_new(key, &mine, &csr, NULL), ERR_OK);
	assert_int_equal(sign_request(buf_str(&csr), &mine, NULL), ERR_DENIED);
	tls_key_free(key);
}

/* ---- the constraint, by somebody else's verifier ---- */

/* A leaf of the issuing key with a URI of our choosing, made without authority_sign(). */
static void forge(const char *folder, const char *domain, const char *cert)
{
	EVP_PKEY *ca_key;
	X509 *issuer;
	char path[256];
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	path_in(folder, "issuing.key", path);
	assert_int_equal(tls_key_load(path, &ca_key, NULL), ERR_OK);
	path_in(folder, "issuing.pem", path);
	assert_int_equal(file_read(path, TLS_PEM_MAX, &pem, NULL), ERR_OK);
	assert_int_equal(tls_certificate_from_pem(pem.data, pem.size, &issuer, NULL), ERR_OK);
	struct pki_authority forger = {.key = ca_key, .certificate = issuer, .issuer = &forger};
	struct pki_leaf leaf;
	forger.issuer = NULL; /* only the leaf goes into the chain */
	pki_issue(&forger, &(struct pki_spec){.role = TLS_ROLE_HOST, .domain = domain}, &leaf);
	buf_append(&leaf.chain_pem, pem.data, pem.size);
	pki_write(cert, &leaf.chain_pem);
	pki_leaf_done(&leaf);
	X509_free(issuer);
	EVP_PKEY_free(ca_key);
}

static void the_constraint_holds_for_openssl(void **state)
{
	(void)state;
	char folder[128], root[256], cert[256];
	uint64_t now = (uint64_t)time(NULL) * 1000; /* tests/lib/pki has no other clock */
	text_format(folder, sizeof folder, "%s/now", dir);
	assert_int_equal(authority_init(folder, DOMAIN_A, now - 3600 * 1000, NULL), ERR_OK);
	path_in(folder, "authority.pem", root);
	path_in(dir, "forged.pem", cert);
	forge(folder, DOMAIN_A, cert);
	assert_true(openssl_verify(root, cert, "sslclient", now, false)); /* the forgery itself is sound … */
	forge(folder, "other.example", cert);
	assert_false(openssl_verify(root, cert, "sslclient", now, false)); /* … and another domain is what is refused */
	forge(folder, "sub." DOMAIN_A, cert);
	assert_false(openssl_verify(root, cert, "sslclient", now, false));
	/* Below the issuing one there is no further authority. */
	X509 *x;
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	path_in(folder, "issuing.pem", cert);
	assert_int_equal(file_read(cert, TLS_PEM_MAX, &pem, NULL), ERR_OK);
	assert_int_equal(tls_certificate_from_pem(pem.data, pem.size, &x, NULL), ERR_OK);
	assert_int_equal(X509_get_pathlen(x), 0);
	X509_free(x);
}

static void loading_refuses(void **state)
{
	(void)state;
	struct authority *a = NULL;
	char pem[256], key[256], other[128], path[256];
	struct err e = ERR_INIT;
	path_in(ca, "issuing.pem", pem);
	path_in(ca, "root.key", key);
	assert_int_equal(authority_load(pem, key, &a, &e), ERR_INVALID); /* another's key */
	assert_non_null(strstr(e.msg, "is not the key of"));
	path_in(ca, "absent", key);
	assert_int_equal(authority_load(pem, key, &a, NULL), ERR_NOT_FOUND);
	assert_int_equal(authority_load(key, pem, &a, NULL), ERR_NOT_FOUND);
	struct certificate_made made = {0};
	text_format(other, sizeof other, "%s", issue(TLS_ROLE_HOST, "leaf", NULL, AUTHORITY_DAY_MS, NOW, &made));
	X509 *x = leaf_of(&made.chain);
	CLEANUP(buf_done) struct buf alone = BUF_INIT;
	assert_int_equal(tls_certificate_to_pem(x, &alone, NULL), ERR_OK);
	X509_free(x);
	buf_done(&made.chain);
	path_in(other, "leaf.pem", path);
	path_in(other, "key.pem", key);
	assert_int_equal(file_replace(path, alone.data, alone.size, 0644, NULL), ERR_OK);
	assert_int_equal(authority_load(path, key, &a, &e), ERR_INVALID);
	assert_non_null(strstr(e.msg, "not the certificate of an authority"));
	path_in(ca, "issuing.key", key);
	assert_int_equal(chmod(key, 0644), 0);
	assert_int_equal(authority_load(pem, key, &a, NULL), ERR_DENIED); /* a key that everybody may read */
	assert_int_equal(chmod(key, 0600), 0);
	assert_null(a);
}

static void domains_are_checked(void **state)
{
	(void)state;
	char folder[128];
	text_format(folder, sizeof folder, "%s/bad", dir);
	assert_int_equal(authority_init(folder, "Fleet.Example", NOW, NULL), ERR_INVALID);
	assert_int_equal(authority_init(folder, "", NOW, NULL), ERR_INVALID);
	assert_int_equal(authority_init(folder, "a,URI:b", NOW, NULL), ERR_INVALID);
	assert_false(file_exists(folder));
	assert_int_equal(authority_init("/proc/kedge", DOMAIN_A, NOW, NULL), ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(folder_of_an_authority),
	    cmocka_unit_test(nothing_is_overwritten),
	    cmocka_unit_test(a_link_is_not_followed),
	    cmocka_unit_test(profiles),
	    cmocka_unit_test(serials_do_not_repeat),
	    cmocka_unit_test(life_ends_with_the_issuers),
	    cmocka_unit_test(addresses_are_checked),
	    cmocka_unit_test(requests_for_others_are_refused),
	    cmocka_unit_test(hostile_requests_are_refused),
	    cmocka_unit_test(the_authoritys_key_is_not_certified),
	    cmocka_unit_test(the_constraint_holds_for_openssl),
	    cmocka_unit_test(loading_refuses),
	    cmocka_unit_test(domains_are_checked),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
