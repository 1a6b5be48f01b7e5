/* Joining: the token, the folder, and every answer that must not be believed. */
#include "tests/unit/certs/made.h"

#include <dirent.h>
#include <openssl/x509v3.h>

#include "certs/enrol.h"
#include "shared/base/cleanup.h"
#include "shared/base/secret.h"
#include "shared/message/message.h"
#include "shared/tls/identity.h"

static char dir[SCRATCH_PATH], ca[128], other_ca[128], token[ENROL_TOKEN_MAX], authority_pem[256], other_pem[256];
static struct authority *authority, *other;
static int asked; /* how often anything was sent */

static void fingerprint_of(const char *path, char out[TLS_FINGERPRINT_MAX])
{
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	assert_int_equal(file_read(path, TLS_PEM_MAX, &pem, NULL), ERR_OK);
	assert_int_equal(authority_fingerprint(buf_str(&pem), pem.size, out, NULL), ERR_OK);
}

static int setup(void **state)
{
	(void)state;
	struct enrol_token t = {0};
	struct random random;
	struct err e = ERR_INIT;
	scratch_make(dir);
	umask(0);
	text_format(ca, sizeof ca, "%s/ca", dir);
	text_format(other_ca, sizeof other_ca, "%s/other", dir);
	assert_int_equal(authority_init(ca, DOMAIN_A, NOW, NULL), ERR_OK);
	assert_int_equal(authority_init(other_ca, DOMAIN_A, NOW, NULL), ERR_OK);
	authority = loaded(ca);
	other = loaded(other_ca);
	path_in(ca, "authority.pem", authority_pem);
	path_in(other_ca, "authority.pem", other_pem);
	random_init_seed(&random, 7);
	id_format(ID_ENROLMENT, id_new(NOW, &random), t.enrolment);
	memset(t.secret, 'a', 64);
	fingerprint_of(authority_pem, t.fingerprint);
	if (enrol_token_format(&t, token, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	authority_free(authority);
	authority_free(other);
	scratch_remove(dir);
	return 0;
}

static void tokens(void **state)
{
	(void)state;
	struct enrol_token t = {0};
	char again[ENROL_TOKEN_MAX], changed[ENROL_TOKEN_MAX + 8];
	assert_int_equal(enrol_token_parse(token, &t, NULL), ERR_OK);
	assert_int_equal(enrol_token_format(&t, again, NULL), ERR_OK);
	assert_string_equal(token, again);
	size_t n = strlen(token);
	for (size_t i = 0; i < n; i++) { /* any byte lost, doubled or spoiled */
		struct err e = ERR_INIT;
		memcpy(changed, token, i);
		strcpy(changed + i, token + i + 1);
		assert_int_equal(enrol_token_parse(changed, &t, &e), ERR_INVALID);
		assert_null(strstr(e.msg, "aaaa")); /* the secret is never repeated */
		memcpy(changed, token, i + 1);
		strcpy(changed + i + 1, token + i);
		assert_int_equal(enrol_token_parse(changed, &t, NULL), ERR_INVALID);
		strcpy(changed, token);
		changed[i] = '!';
		assert_int_equal(enrol_token_parse(changed, &t, NULL), ERR_INVALID);
	}
	static const char *const bad[] = {"", "kedge1.", "kedge1...", "kedge2.a.b.c", "enr-01", "kedge1.enr-x.y"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(enrol_token_parse(bad[i], &t, NULL), ERR_INVALID);
	text_format(changed, sizeof changed, "%s.", token);
	assert_int_equal(enrol_token_parse(changed, &t, NULL), ERR_INVALID);
	t = (struct enrol_token){0};
	assert_int_equal(enrol_token_format(&t, again, NULL), ERR_INVALID);
}

/* ---- a controller in this process, good or bad ---- */

enum manner {
	GOOD,
	OTHER_AUTHORITY,
	OTHER_KEY,
	OTHER_NAME,
	OTHER_ROLE,
	EXPIRED,
	NO_CHAIN,
	NONSENSE,
	GARBAGE_CHAIN,
	REFUSES,
	FAILS,
	UNREACHABLE,
	TAKEN
};

struct body {
	const char *enrolment, *secret, *name, *role, *csr;
};
static const struct field body_fields[] = {
    F_STRING(struct body, enrolment, 64, FIELD_REQUIRED, "id"),
    F_STRING(struct body, secret, 64, FIELD_REQUIRED, "secret"),
    F_STRING(struct body, name, 64, FIELD_REQUIRED, "name"),
    F_STRING(struct body, role, 16, FIELD_REQUIRED, "role"),
    F_STRING(struct body, csr, 8192, FIELD_REQUIRED, "request"),
};
static const struct record_type body_type = RECORD_TYPE("body", struct body, body_fields, "as the controller reads it");

/* By the right authority, for the right key, but for somebody else: only the name tells.  authority_sign() would not
 * make it. */
static void forge(const struct body *b, const char *uri, struct certificate_made *made)
{
	struct tls_name name;
	EVP_PKEY *key, *ca_key;
	X509 *x = X509_new(), *issuer;
	X509V3_CTX ctx;
	char path[256], san[256];
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	assert_int_equal(tls_csr_read(b->csr, strlen(b->csr), &name, &key, NULL), ERR_OK);
	path_in(ca, "issuing.key", path);
	assert_int_equal(tls_key_load(path, &ca_key, NULL), ERR_OK);
	path_in(ca, "issuing.pem", path);
	assert_int_equal(file_read(path, TLS_PEM_MAX, &pem, NULL), ERR_OK);
	assert_int_equal(tls_certificate_from_pem(pem.data, pem.size, &issuer, NULL), ERR_OK);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	text_format(san, sizeof san, "URI:%s", uri);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, san);
	assert_true(X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
		    X509_set_pubkey(x, key) && X509_add_ext(x, names, -1) &&
		    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(NOW / 1000) - 60) &&
		    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(NOW / 1000) + 600) &&
		    X509_set_issuer_name(x, X509_get_subject_name(issuer)) && X509_sign(x, ca_key, EVP_sha256()) > 0);
	assert_int_equal(tls_certificate_to_pem(x, &made->chain, NULL), ERR_OK);
	buf_append(&made->chain, pem.data, pem.size);
	X509_EXTENSION_free(names);
	X509_free(x);
	X509_free(issuer);
	tls_key_free(key);
	tls_key_free(ca_key);
}

static void sign_for(enum manner m, const struct body *b, struct certificate_made *made)
{
	struct tls_name n;
	CLEANUP(buf_done) struct buf csr = BUF_INIT;
	EVP_PKEY *key;
	if (m == OTHER_NAME || m == OTHER_ROLE) {
		forge(b, m == OTHER_NAME ? "spiffe://" DOMAIN_A "/host/web-2" : "spiffe://" DOMAIN_A "/operator/web-1",
		    made);
		return;
	}
	assert_int_equal(tls_name_make(TLS_ROLE_HOST, DOMAIN_A, b->name, &n, NULL), ERR_OK);
	assert_int_equal(tls_key_new(&key, NULL), ERR_OK);
	assert_int_equal(tls_csr_new(key, &n, &csr, NULL), ERR_OK);
	bool ours =
	    m == GOOD || m == OTHER_AUTHORITY || m == EXPIRED || m == TAKEN; /* else a request of the test's own */
	struct certificate_order o = {.csr = ours ? b->csr : buf_str(&csr),
	    .name = n,
	    .life_ms = m == EXPIRED ? 1000 : AUTHORITY_DAY_MS,
	    .now_ms = m == EXPIRED ? NOW - 60000 : NOW};
	assert_int_equal(authority_sign(m == OTHER_AUTHORITY ? other : authority, &o, made, NULL), ERR_OK);
	tls_key_free(key);
}

static void squat(const struct enrol_options *o)
{
	char path[256];
	path_in(o->folder, "key.pem", path);
	mkdir(o->folder, 0700);
	assert_int_equal(file_replace(path, "theirs", 6, 0600, NULL), ERR_OK);
}

static enum err_code ask(void *ctx, const struct enrol_options *o, const struct bytes *root, const char *json,
    int *status, struct buf *out, struct err *reterr)
{
	enum manner m = *(enum manner *)ctx;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	struct body b;
	struct certificate_made made = {0};
	asked++;
	if (m == UNREACHABLE)
		return err_set(reterr, ERR_UNREACHABLE, "nobody there");
	assert_int_equal(record_from_json(&body_type, json, strlen(json), RECORD_STRICT, arena, &b, NULL), ERR_OK);
	assert_int_equal(strlen(b.secret), 64);
	assert_string_equal(b.role, tls_role_text(o->role));
	assert_null(strstr(b.csr, "PRIVATE"));
	assert_int_equal(file_read(authority_pem, TLS_PEM_MAX, &pem, NULL), ERR_OK);
	assert_int_equal(root->size, pem.size); /* the pinned one alone is believed */
	assert_memory_equal(root->data, pem.data, pem.size);
	*status = m == REFUSES ? 403 : m == FAILS ? 500 : 200;
	if (m == REFUSES)
		buf_text(out, "{\"error\":{\"code\":\"denied\",\"text\":\"the token is not valid for this name\"}}");
	if (m == NONSENSE || m == FAILS)
		buf_text(out, "<html>");
	if (m == REFUSES || m == NONSENSE || m == FAILS)
		return ERR_OK;
	if (m == TAKEN)
		squat(o);
	sign_for(m, &b, &made);
	struct certificate answer = {.chain = m == GARBAGE_CHAIN
						  ? "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
						  : buf_str(&made.chain)};
	if (m == NO_CHAIN)
		answer = (struct certificate){.error = "this controller signs no certificates"};
	assert_int_equal(record_to_json(&certificate_type, &answer, 0, out, NULL), ERR_OK);
	buf_done(&made.chain);
	return ERR_OK;
}

static struct enrol_options options(const char *folder)
{
	return (struct enrol_options){.url = "https://127.0.0.1:1",
	    .controller = "main",
	    .domain = DOMAIN_A,
	    .role = TLS_ROLE_HOST,
	    .name = "web-1",
	    .token = token,
	    .authority = authority_pem,
	    .folder = folder,
	    .now_ms = NOW};
}

static enum err_code join(enum manner m, const struct enrol_options *o, struct tls_peer *peer, struct err *e)
{
	struct enrol_io io = {.ctx = &m, .ask = ask};
	return enrol_join_with(o, &io, peer, e);
}

static size_t entries(const char *folder)
{
	size_t n = 0;
	DIR *d = opendir(folder);
	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void a_good_enrolment(void **state)
{
	(void)state;
	char folder[128], cert[256], key[256], root[256];
	struct err e = ERR_INIT;
	struct tls_peer peer;
	text_format(folder, sizeof folder, "%s/good/state/identity", dir);
	struct enrol_options o = options(folder);
	if (join(GOOD, &o, &peer, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	assert_string_equal(peer.name, "web-1");
	assert_int_equal(peer.role, TLS_ROLE_HOST);
	assert_int_equal(mode_of(folder, "key.pem"), 0600);
	assert_int_equal(mode_of(folder, "cert.pem"), 0644);
	assert_int_equal(mode_of(folder, "authority.pem"), 0644);
	assert_int_equal(entries(folder), 3);
	path_in(folder, "cert.pem", cert);
	path_in(folder, "key.pem", key);
	path_in(folder, "authority.pem", root);
	assert_true(openssl_takes(root, cert, "sslclient", NOW));
	struct tls_identity *identity;
	assert_int_equal(tls_identity_load(cert, key, &identity, NULL), ERR_OK);
	tls_identity_free(identity);
	char above[128];
	text_format(above, sizeof above, "%s/good/state", dir);
	assert_int_equal(entries(above), 1); /* no temporary folder is left */
	/* Not a second time: what is there stays, and the token is not spent. */
	int before = asked;
	assert_int_equal(join(GOOD, &o, &peer, &e), ERR_EXISTS);
	assert_int_equal(asked, before);
	assert_true(openssl_takes(root, cert, "sslclient", NOW));
}

static void the_pinned_one_of_a_bundle(void **state)
{
	(void)state;
	char folder[128], bundle[256], root[256], fingerprint[TLS_FINGERPRINT_MAX], wanted[TLS_FINGERPRINT_MAX];
	struct tls_peer peer;
	CLEANUP(buf_done) struct buf both = BUF_INIT;
	assert_int_equal(file_read(other_pem, TLS_PEM_MAX, &both, NULL), ERR_OK);
	assert_int_equal(file_read(authority_pem, TLS_PEM_MAX, &both, NULL), ERR_OK);
	path_in(dir, "bundle.pem", bundle);
	assert_int_equal(file_replace(bundle, both.data, both.size, 0644, NULL), ERR_OK);
	text_format(folder, sizeof folder, "%s/bundled", dir);
	struct enrol_options o = options(folder);
	o.authority = bundle;
	assert_int_equal(join(GOOD, &o, &peer, NULL), ERR_OK);
	path_in(folder, "authority.pem", root);
	fingerprint_of(root, fingerprint);
	fingerprint_of(authority_pem, wanted);
	assert_string_equal(fingerprint, wanted);
}

static void nothing_is_sent(void **state)
{
	(void)state;
	char folder[128], spoiled[ENROL_TOKEN_MAX];
	struct tls_peer peer;
	text_format(folder, sizeof folder, "%s/unsent", dir);
	int before = asked;
	struct err e = ERR_INIT;
	struct enrol_options o = options(folder);
	o.authority = other_pem;
	assert_int_equal(join(GOOD, &o, &peer, &e), ERR_DENIED);
	assert_non_null(strstr(e.msg, "nothing was sent"));
	o = options(folder);
	o.authority = "/nonexistent/authority.pem";
	assert_int_equal(join(GOOD, &o, &peer, NULL), ERR_NOT_FOUND);
	strcpy(spoiled, token);
	spoiled[strlen(spoiled) - 1] = spoiled[strlen(spoiled) - 1] == '0' ? '1' : '0'; /* another fingerprint */
	o = options(folder);
	o.token = spoiled;
	assert_int_equal(join(GOOD, &o, &peer, NULL), ERR_DENIED);
	o = options("relative/folder");
	assert_int_equal(join(GOOD, &o, &peer, NULL), ERR_INVALID);
	o = options(folder);
	o.name = "web 1";
	assert_int_equal(join(GOOD, &o, &peer, NULL), ERR_INVALID);
	o = options(folder);
	o.role = TLS_ROLE_CONTROLLER;
	assert_int_equal(join(GOOD, &o, &peer, NULL), ERR_INVALID);
	o = options("/proc/kedge/identity");
	assert_int_equal(join(GOOD, &o, &peer, NULL), ERR_NOT_FOUND);
	assert_int_equal(asked, before);
	assert_false(file_exists(folder));
}

static void bad_answers_leave_nothing(void **state)
{
	(void)state;
	static const struct {
		enum manner manner;
		enum err_code code;
		const char *says;
	} all[] = {
	    {OTHER_AUTHORITY, ERR_CORRUPT, "is not good"},
	    {OTHER_KEY, ERR_CORRUPT, "another key"},
	    {OTHER_NAME, ERR_CORRUPT, "for host web-2"},
	    {OTHER_ROLE, ERR_CORRUPT, "for operator web-1"},
	    {EXPIRED, ERR_CORRUPT, "expired"},
	    {NO_CHAIN, ERR_DENIED, "signs no certificate"},
	    {NONSENSE, ERR_INVALID, "answer"},
	    {GARBAGE_CHAIN, ERR_CORRUPT, "came back"},
	    {REFUSES, ERR_DENIED, "not valid for this name"},
	    {FAILS, ERR_IO, "status 500"},
	    {UNREACHABLE, ERR_UNREACHABLE, "nobody"},
	};
	char folder[128], above[128];
	text_format(above, sizeof above, "%s/bad", dir);
	text_format(folder, sizeof folder, "%s/identity", above);
	struct enrol_options o = options(folder);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct err e = ERR_INIT;
		struct tls_peer peer;
		enum err_code rc = join(all[i].manner, &o, &peer, &e);
		if (rc != all[i].code || e.code != rc || !strstr(e.msg, all[i].says))
			fail_msg("manner %d: %s: %s", (int)all[i].manner, err_code_name(rc), e.msg);
		assert_int_equal(entries(above), 0);
	}
}

/* Two joins at once: the one that comes second changes nothing. */
static void a_folder_that_appears_meanwhile(void **state)
{
	(void)state;
	char folder[128], path[256];
	struct tls_peer peer;
	CLEANUP(buf_done) struct buf kept = BUF_INIT;
	text_format(folder, sizeof folder, "%s/raced", dir);
	struct enrol_options o = options(folder);
	assert_int_equal(join(TAKEN, &o, &peer, NULL), ERR_EXISTS);
	path_in(folder, "key.pem", path);
	assert_int_equal(file_read(path, 64, &kept, NULL), ERR_OK);
	assert_string_equal(buf_str(&kept), "theirs");
	assert_int_equal(entries(folder), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens),
	    cmocka_unit_test(a_good_enrolment),
	    cmocka_unit_test(the_pinned_one_of_a_bundle),
	    cmocka_unit_test(nothing_is_sent),
	    cmocka_unit_test(bad_answers_leave_nothing),
	    cmocka_unit_test(a_folder_that_appears_meanwhile),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
