/* The grammar of names: every good spelling, and every bad one refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/tls/name.h"

static bool parses(const char *uri, struct tls_name *n)
{
	return tls_name_parse(uri, strlen(uri), n, NULL) == ERR_OK;
}

static void good_names(void **state)
{
	(void)state;
	struct tls_name n;
	assert_true(parses("spiffe://fleet.example/host/web-1", &n));
	assert_int_equal(n.role, TLS_ROLE_HOST);
	assert_string_equal(n.domain, "fleet.example");
	assert_string_equal(n.name, "web-1");
	assert_true(parses("spiffe://a/operator/Ada.Lovelace_2", &n));
	assert_int_equal(n.role, TLS_ROLE_OPERATOR);
	assert_string_equal(n.name, "Ada.Lovelace_2");
	assert_true(parses("spiffe://x-1.y2.z/controller/c", &n));
	assert_int_equal(n.role, TLS_ROLE_CONTROLLER);
	char out[TLS_URI_MAX];
	assert_string_equal(tls_name_format(&n, out), "spiffe://x-1.y2.z/controller/c");
}

static void bad_names(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",
	    "spiffe://",
	    "spiffe:/a/host/b",
	    "SPIFFE://a/host/b",
	    "http://a/host/b",
	    "spiffe://a",
	    "spiffe://a/",
	    "spiffe://a/host",
	    "spiffe://a/host/",
	    "spiffe:///host/b",
	    "spiffe://A/host/b",
	    "spiffe://a./host/b",
	    "spiffe://.a/host/b",
	    "spiffe://a..b/host/c",
	    "spiffe://-a/host/b",
	    "spiffe://a-/host/b",
	    "spiffe://a-.b/host/c",
	    "spiffe://a_b/host/c",
	    "spiffe://a:443/host/b",
	    "spiffe://u@a/host/b",
	    "spiffe://a/Host/b",
	    "spiffe://a/hosts/b",
	    "spiffe://a//b",
	    "spiffe://a/host//b",
	    "spiffe://a/host/b/",
	    "spiffe://a/host/b/c",
	    "spiffe://a/host/b?c",
	    "spiffe://a/host/b#c",
	    "spiffe://a/host/b%20",
	    "spiffe://a/host/.b",
	    "spiffe://a/host/..",
	    "spiffe://a/host/-b",
	    "spiffe://a/host/b c",
	    "spiffe://a/host/b\n",
	    " spiffe://a/host/b",
	    "spiffe://a/host/\xc3\xa4",
	    "spiffe://a/admin/b",
	};
	struct tls_name n, before;
	memset(&n, 0x5a, sizeof(n));
	before = n;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parses(bad[i], &n))
			fail_msg("\"%s\" was taken for a name", bad[i]);
		assert_memory_equal(&n, &before, sizeof(n)); /* untouched on failure */
	}
	/* A NUL inside must not end the name early. */
	assert_int_not_equal(tls_name_parse("spiffe://a/host/b\0c", 19, &n, NULL), ERR_OK);
	assert_int_not_equal(tls_name_parse("spiffe://a\0b/host/c", 19, &n, NULL), ERR_OK);
}

static void lengths(void **state)
{
	(void)state;
	char name[80], label[80], domain[300], uri[600];
	struct tls_name n;
	memset(name, 'n', sizeof(name));
	name[64] = '\0';
	snprintf(uri, sizeof(uri), "spiffe://a/host/%s", name);
	assert_true(parses(uri, &n));
	name[64] = 'n';
	name[65] = '\0';
	snprintf(uri, sizeof(uri), "spiffe://a/host/%s", name);
	assert_false(parses(uri, &n));
	memset(label, 'l', sizeof(label));
	label[63] = '\0';
	snprintf(uri, sizeof(uri), "spiffe://%s/host/a", label);
	assert_true(parses(uri, &n));
	label[63] = 'l';
	label[64] = '\0';
	snprintf(uri, sizeof(uri), "spiffe://%s/host/a", label);
	assert_false(parses(uri, &n));
	for (size_t i = 0; i < 253; i++)
		domain[i] = i % 2 ? '.' : 'd';
	domain[253] = '\0';
	snprintf(uri, sizeof(uri), "spiffe://%s/controller/%.64s", domain, "n");
	assert_true(parses(uri, &n));
	strcat(domain, "d");
	snprintf(uri, sizeof(uri), "spiffe://%s/host/a", domain);
	assert_false(parses(uri, &n));
}

static void made_of_parts(void **state)
{
	(void)state;
	struct tls_name n;
	struct err e = ERR_INIT;
	assert_int_equal(tls_name_make(TLS_ROLE_HOST, "fleet.example", "db2", &n, &e), ERR_OK);
	assert_string_equal(n.name, "db2");
	assert_int_equal(tls_name_make(TLS_ROLE_HOST, "fleet.example/host", "db2", &n, &e), ERR_INVALID);
	assert_int_equal(tls_name_make(TLS_ROLE_HOST, "fleet.example", "db2/x", &n, &e), ERR_INVALID);
	assert_int_equal(tls_name_make(TLS_ROLE_HOST, NULL, "x", &n, &e), ERR_INVALID);
	assert_int_equal(tls_name_make(TLS_ROLE_COUNT, "a", "x", &n, &e), ERR_INVALID);
	assert_true(tls_domain_valid("fleet.example"));
	assert_false(tls_domain_valid("Fleet.example"));
	assert_false(tls_domain_valid(NULL));
	assert_string_equal(tls_role_text(TLS_ROLE_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_names),
	    cmocka_unit_test(bad_names),
	    cmocka_unit_test(lengths),
	    cmocka_unit_test(made_of_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
