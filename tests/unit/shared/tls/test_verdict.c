/* The judge: each reason once, and revocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/openssl.h"
#include <openssl/x509_vfy.h>

#include "shared/base/clock.h"
#include "shared/tls/verdict.h"
#include "tests/lib/pki/pki.h"

static struct pki_authority *root;

static int setup(void **state)
{
	(void)state;
	root = pki_authority_new("root", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_authority_free(root);
	return 0;
}

static X509 *certificate(const struct pki_spec *spec)
{
	struct pki_leaf leaf;
	X509 *c;
	pki_issue(root, spec, &leaf);
	assert_int_equal(tls_certificate_from_pem(leaf.chain_pem.data, leaf.chain_pem.size, &c, NULL), ERR_OK);
	pki_leaf_done(&leaf);
	return c;
}

static enum tls_verdict judge(const struct tls_policy *policy, const struct pki_spec *spec, int error, bool *known)
{
	struct tls_peer peer;
	X509 *c = certificate(spec);
	enum tls_verdict v = tls_judge(policy, c, NULL, 0, error, clock_wall_ms(), &peer, known);
	X509_free(c);
	return v;
}

static const struct tls_policy hosts = {.domain = PKI_DOMAIN, .roles = TLS_ROLE_BIT(TLS_ROLE_HOST)};

static void each_reason(void **state)
{
	(void)state;
	const struct {
		struct pki_spec spec;
		int error;
		enum tls_verdict want;
		bool known;
	} cases[] = {
	    {{.role = TLS_ROLE_HOST}, X509_V_OK, TLS_ACCEPTED, true},
	    {{.role = TLS_ROLE_OPERATOR}, X509_V_OK, TLS_WRONG_ROLE, true},
	    {{.role = TLS_ROLE_CONTROLLER}, X509_V_OK, TLS_WRONG_ROLE, true},
	    {{.role = TLS_ROLE_HOST, .domain = "other.example"}, X509_V_OK, TLS_WRONG_DOMAIN, true},
	    {{.role = TLS_ROLE_HOST, .usage = PKI_SERVER}, X509_V_OK, TLS_WRONG_USAGE, true},
	    {{.role = TLS_ROLE_HOST, .usage = PKI_NO_USAGE}, X509_V_OK, TLS_WRONG_USAGE, true},
	    {{.role = TLS_ROLE_HOST, .uri = ""}, X509_V_OK, TLS_MALFORMED_NAME, false},
	    {{.role = TLS_ROLE_HOST, .uri = "spiffe://fleet.example/host/a/b"}, X509_V_OK, TLS_MALFORMED_NAME, false},
	    {{.role = TLS_ROLE_HOST, .second_uri = "spiffe://fleet.example/operator/root"}, X509_V_OK,
		TLS_MALFORMED_NAME, false},
	    {{.role = TLS_ROLE_HOST, .dns = "a.example", .ip = "127.0.0.1"}, X509_V_OK, TLS_ACCEPTED, true},
	    {{.role = TLS_ROLE_HOST, .from_s = -20, .until_s = -10}, X509_V_OK, TLS_EXPIRED, true},
	    {{.role = TLS_ROLE_HOST}, X509_V_ERR_CERT_HAS_EXPIRED, TLS_EXPIRED, true},
	    {{.role = TLS_ROLE_HOST}, X509_V_ERR_CERT_NOT_YET_VALID, TLS_NOT_YET_VALID, true},
	    {{.role = TLS_ROLE_HOST}, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_WRONG_AUTHORITY, true},
	    {{.role = TLS_ROLE_HOST}, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_WRONG_AUTHORITY, true},
	    {{.role = TLS_ROLE_HOST}, X509_V_ERR_INVALID_PURPOSE, TLS_WRONG_USAGE, true},
	    {{.role = TLS_ROLE_HOST}, X509_V_ERR_EE_KEY_TOO_SMALL, TLS_BAD_CERTIFICATE, true},
	    {{.role = TLS_ROLE_HOST}, X509_V_ERR_UNSPECIFIED, TLS_BAD_CERTIFICATE, true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool known = !cases[i].known;
		enum tls_verdict v = judge(&hosts, &cases[i].spec, cases[i].error, &known);
		if (v != cases[i].want || known != cases[i].known)
			fail_msg("case %zu: %s (known %d)", i, tls_verdict_word(v), known);
	}
}

static void nobody(void **state)
{
	(void)state;
	struct tls_peer peer;
	bool known = true;
	assert_int_equal(
	    tls_judge(&hosts, NULL, NULL, 0, X509_V_OK, clock_wall_ms(), &peer, &known), TLS_NO_CERTIFICATE);
	assert_false(known);
}

static void servers_and_names(void **state)
{
	(void)state;
	struct tls_policy p = {
	    .domain = PKI_DOMAIN, .roles = TLS_ROLE_BIT(TLS_ROLE_CONTROLLER), .server = true, .name = "one"};
	bool known;
	assert_int_equal(judge(&p, &(struct pki_spec){.role = TLS_ROLE_CONTROLLER}, X509_V_OK, &known), TLS_ACCEPTED);
	assert_int_equal(judge(&p, &(struct pki_spec){.role = TLS_ROLE_CONTROLLER, .name = "two"}, X509_V_OK, &known),
	    TLS_WRONG_NAME);
	assert_int_equal(
	    judge(&p, &(struct pki_spec){.role = TLS_ROLE_CONTROLLER, .usage = PKI_CLIENT}, X509_V_OK, &known),
	    TLS_WRONG_USAGE);
	assert_int_equal(judge(&p, &(struct pki_spec){.role = TLS_ROLE_HOST}, X509_V_OK, &known), TLS_WRONG_ROLE);
}

static void revoked(void **state)
{
	(void)state;
	struct tls_revocations *r = tls_revocations_new();
	struct tls_policy p = hosts;
	struct tls_peer peer;
	bool known;
	p.revocations = r;
	struct pki_spec spec = {.role = TLS_ROLE_HOST, .serial = 0x0a1b2c};
	assert_int_equal(judge(&p, &spec, X509_V_OK, &known), TLS_ACCEPTED);
	const char *serials[] = {"ff", "0A1B2C", "11"};
	assert_int_equal(tls_revocations_set(r, serials, 3, NULL), ERR_OK);
	assert_int_equal(judge(&p, &spec, X509_V_OK, &known), TLS_REVOKED);
	/* An issuer that was revoked refuses what it issued. */
	X509 *c = certificate(&(struct pki_spec){.role = TLS_ROLE_HOST, .serial = 5});
	const char *chain[] = {"22", "11"};
	assert_int_equal(tls_judge(&p, c, chain, 2, X509_V_OK, clock_wall_ms(), &peer, &known), TLS_REVOKED);
	assert_int_equal(tls_judge(&p, c, chain, 1, X509_V_OK, clock_wall_ms(), &peer, &known), TLS_ACCEPTED);
	X509_free(c);
	tls_revocations_free(r);
}

static void revocation_sets(void **state)
{
	(void)state;
	struct tls_revocations *r = tls_revocations_new();
	struct err e = ERR_INIT;
	const char *first[] = {"0a", "00ff01"};
	assert_int_equal(tls_revocations_set(r, first, 2, &e), ERR_OK);
	assert_true(tls_revoked(r, "a"));
	assert_true(tls_revoked(r, "0A"));
	assert_true(tls_revoked(r, "ff01"));
	assert_false(tls_revoked(r, "ff0100"));
	assert_false(tls_revoked(r, ""));
	assert_false(tls_revoked(r, "zz"));
	assert_false(tls_revoked(NULL, "0a"));
	const char *bad[] = {"0b", "not hex"};
	assert_int_equal(tls_revocations_set(r, bad, 2, &e), ERR_INVALID);
	assert_true(tls_revoked(r, "0a")); /* the old set stays */
	assert_false(tls_revoked(r, "0b"));
	const char *longest[] = {"ffffffffffffffffffffffffffffffffffffffff"};
	assert_int_equal(tls_revocations_set(r, longest, 1, &e), ERR_OK);
	assert_true(tls_revoked(r, longest[0]));
	assert_false(tls_revoked(r, "0a"));
	const char *too_long[] = {"1ffffffffffffffffffffffffffffffffffffffff"};
	assert_int_equal(tls_revocations_set(r, too_long, 1, &e), ERR_INVALID);
	assert_int_equal(tls_revocations_set(r, NULL, 0, &e), ERR_OK);
	assert_int_equal(tls_revocations_count(r), 0);
	assert_false(tls_revoked(r, longest[0]));
	tls_revocations_free(r);
}

static void words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TLS_VERDICT_COUNT; i++) {
		assert_true(strlen(tls_verdict_word((enum tls_verdict)i)) > 0);
		assert_true(strlen(tls_verdict_text((enum tls_verdict)i)) > 10);
	}
	assert_string_equal(tls_verdict_word(TLS_VERDICT_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_reason),
	    cmocka_unit_test(nobody),
	    cmocka_unit_test(servers_and_names),
	    cmocka_unit_test(revoked),
	    cmocka_unit_test(revocation_sets),
	    cmocka_unit_test(words),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
