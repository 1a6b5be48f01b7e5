/* Handshakes in memory: every refusal with its reason, nothing resumed, identities and trust exchanged while running.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/base/openssl.h"
#include <openssl/ssl.h>

#include "shared/base/clock.h"
#include "shared/tls/context.h"
#include "tests/lib/pki/pki.h"

static struct pki_authority *root, *issuing, *foreign;
static struct tls_identity *controller, *agent;
static struct tls_trust *ours;

static struct seen {
	unsigned count;
	enum tls_verdict verdict;
	bool known;
	struct tls_peer peer;
	char detail[TLS_DETAIL_MAX];
} seen;

static void on_refused(void *user, SSL *ssl, const struct tls_refusal *r)
{
	(void)user;
	assert_non_null(ssl);
	seen.count++;
	seen.verdict = r->verdict;
	seen.known = r->peer != NULL;
	if (r->peer)
		seen.peer = *r->peer;
	memcpy(seen.detail, r->detail, sizeof(seen.detail));
}

static int setup(void **state)
{
	(void)state;
	root = pki_authority_new("root", NULL);
	issuing = pki_authority_new("issuing", root);
	foreign = pki_authority_new("root", NULL); /* the same name, another key */
	controller = pki_identity(issuing, &(struct pki_spec){.role = TLS_ROLE_CONTROLLER, .name = "c1"});
	agent = pki_identity(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST, .name = "web-1"});
	ours = pki_trust(root);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tls_identity_free(controller);
	tls_identity_free(agent);
	tls_trust_free(ours);
	pki_authority_free(foreign);
	pki_authority_free(issuing);
	pki_authority_free(root);
	return 0;
}

/* One connection in memory. */
struct pair {
	SSL *client, *server;
	bool client_done, server_done;
};

static struct pair pair_new(SSL_CTX *client, SSL_CTX *server)
{
	struct pair p = {.client = SSL_new(client), .server = SSL_new(server)};
	BIO *a, *b;
	assert_int_equal(BIO_new_bio_pair(&a, 1 << 17, &b, 1 << 17), 1);
	SSL_set_bio(p.client, a, a);
	SSL_set_bio(p.server, b, b);
	SSL_set_connect_state(p.client);
	SSL_set_accept_state(p.server);
	return p;
}

/* A handshake, and a byte each way so that what comes after a TLS 1.3 handshake (tickets, late alerts) arrives as well.
 */
static void pair_run(struct pair *p)
{
	for (int i = 0; i < 10; i++) {
		ERR_clear_error();
		p->client_done = SSL_do_handshake(p->client) == 1;
		ERR_clear_error();
		p->server_done = SSL_do_handshake(p->server) == 1;
	}
	char c = 'x';
	ERR_clear_error();
	if (p->server_done && p->client_done) {
		SSL_write(p->client, &c, 1);
		p->server_done = SSL_read(p->server, &c, 1) == 1;
		SSL_write(p->server, &c, 1);
	}
	ERR_clear_error();
	if (p->client_done)
		p->client_done = SSL_read(p->client, &c, 1) == 1;
	ERR_clear_error();
}

static void pair_free(struct pair *p)
{
	SSL_free(p->client);
	SSL_free(p->server);
}

static struct tls_context *server_context(const struct tls_config *like)
{
	struct tls_config config = *like;
	struct tls_context *c;
	struct err e = ERR_INIT;
	config.server = true;
	config.identity = config.identity ? config.identity : controller;
	config.trust = ours;
	config.domain = PKI_DOMAIN;
	config.roles = config.roles ? config.roles : TLS_ROLE_BIT(TLS_ROLE_HOST);
	config.on_refused = on_refused;
	if (tls_context_new(&config, &c, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	return c;
}

static struct tls_context *client_context(struct tls_identity *identity, const char *name)
{
	struct tls_config config = {.identity = identity,
	    .trust = ours,
	    .domain = PKI_DOMAIN,
	    .roles = TLS_ROLE_BIT(TLS_ROLE_CONTROLLER),
	    .name = name,
	    .on_refused = on_refused};
	struct tls_context *c;
	assert_int_equal(tls_context_new(&config, &c, NULL), ERR_OK);
	return c;
}

static SSL_CTX *make(struct tls_context *c)
{
	SSL_CTX *ctx;
	assert_int_equal(tls_context_make(c, &ctx, NULL), ERR_OK);
	return ctx;
}

/* A client of OpenSSL's own that believes everything and shows what it is told to. */
static SSL_CTX *rough_client(const struct pki_authority *issuer, const struct pki_spec *spec)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	if (!issuer)
		return ctx;
	struct pki_leaf leaf;
	X509 *chain[TLS_CHAIN_MAX];
	size_t count;
	pki_issue(issuer, spec, &leaf);
	assert_int_equal(
	    tls_certificates_from_pem(leaf.chain_pem.data, leaf.chain_pem.size, chain, &count, NULL), ERR_OK);
	assert_int_equal(SSL_CTX_use_certificate(ctx, chain[0]), 1);
	for (size_t i = 1; i < count; i++)
		assert_int_equal(SSL_CTX_add1_chain_cert(ctx, chain[i]), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, leaf.key), 1);
	for (size_t i = 0; i < count; i++)
		X509_free(chain[i]);
	pki_leaf_done(&leaf);
	return ctx;
}

static enum tls_verdict meet(SSL_CTX *client, SSL_CTX *server, struct tls_peer *ret_peer)
{
	struct pair p = pair_new(client, server);
	seen = (struct seen){0};
	pair_run(&p);
	bool in = tls_peer_of(p.server, ret_peer);
	enum tls_verdict v = tls_refusal_of(p.server, NULL);
	if (v != TLS_ACCEPTED)
		assert_false(in || p.server_done);
	assert_int_equal(seen.count, v != TLS_ACCEPTED); /* told exactly once, or not at all */
	if (v != TLS_ACCEPTED)
		assert_int_equal(seen.verdict, v);
	pair_free(&p);
	return v;
}

static void both_accept(void **state)
{
	(void)state;
	struct tls_context *s = server_context(&(struct tls_config){0}), *c = client_context(agent, "c1");
	SSL_CTX *sx = make(s), *cx = make(c);
	struct pair p = pair_new(cx, sx);
	struct tls_peer peer;
	seen = (struct seen){0};
	pair_run(&p);
	assert_true(p.client_done && p.server_done);
	assert_int_equal(seen.count, 0);
	assert_int_equal(SSL_version(p.server), TLS1_3_VERSION);
	assert_true(tls_peer_of(p.server, &peer));
	assert_string_equal(peer.name, "web-1");
	assert_int_equal(peer.role, TLS_ROLE_HOST);
	assert_string_equal(peer.serial, tls_identity_peer(agent)->serial);
	assert_string_equal(peer.fingerprint, tls_identity_peer(agent)->fingerprint);
	assert_true(tls_peer_of(p.client, &peer));
	assert_string_equal(peer.name, "c1");
	pair_free(&p);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
	tls_context_free(c);
}

static void every_refusal_of_a_client(void **state)
{
	(void)state;
	struct tls_revocations *revocations = tls_revocations_new();
	const char *serials[] = {"5e"};
	assert_int_equal(tls_revocations_set(revocations, serials, 1, NULL), ERR_OK);
	const struct {
		const struct pki_authority *issuer;
		struct pki_spec spec;
		enum tls_verdict want;
		bool known;
	} cases[] = {
	    {NULL, {0}, TLS_NO_CERTIFICATE, false},
	    {foreign, {.role = TLS_ROLE_HOST}, TLS_WRONG_AUTHORITY, true},
	    {issuing, {.role = TLS_ROLE_HOST, .from_s = -20, .until_s = -10}, TLS_EXPIRED, true},
	    {issuing, {.role = TLS_ROLE_HOST, .from_s = 100, .until_s = 200}, TLS_NOT_YET_VALID, true},
	    {issuing, {.role = TLS_ROLE_HOST, .serial = 0x5e}, TLS_REVOKED, true},
	    {issuing, {.role = TLS_ROLE_OPERATOR}, TLS_WRONG_ROLE, true},
	    {issuing, {.role = TLS_ROLE_HOST, .domain = "other.example"}, TLS_WRONG_DOMAIN, true},
	    {issuing, {.role = TLS_ROLE_HOST, .usage = PKI_SERVER}, TLS_WRONG_USAGE, true},
	    {issuing, {.role = TLS_ROLE_HOST, .usage = PKI_NO_USAGE}, TLS_WRONG_USAGE, true},
	    {issuing, {.role = TLS_ROLE_HOST, .uri = "spiffe://fleet.example/host/"}, TLS_MALFORMED_NAME, false},
	    {issuing, {.role = TLS_ROLE_HOST, .uri = ""}, TLS_MALFORMED_NAME, false},
	    {issuing, {.role = TLS_ROLE_HOST}, TLS_ACCEPTED, false},
	};
	for (unsigned demand = TLS_DEMAND_CERTIFICATE; demand <= TLS_ASK_CERTIFICATE; demand++) {
		struct tls_context *s =
		    server_context(&(struct tls_config){.revocations = revocations, .demand = (enum tls_demand)demand});
		SSL_CTX *sx = make(s);
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct tls_peer peer;
			SSL_CTX *cx = rough_client(cases[i].issuer, &cases[i].spec);
			enum tls_verdict v = meet(cx, sx, &peer);
			/* Where a certificate is only asked for, none is no reason to refuse; a bad one still is. */
			bool may_be_nobody = demand == TLS_ASK_CERTIFICATE && !cases[i].issuer;
			if (v != (may_be_nobody ? TLS_ACCEPTED : cases[i].want))
				fail_msg("case %zu: %s %s", i, tls_verdict_word(v), seen.detail);
			if (v != TLS_ACCEPTED)
				assert_int_equal(seen.known, cases[i].known);
			SSL_CTX_free(cx);
		}
		SSL_CTX_free(sx);
		tls_context_free(s);
	}
	tls_revocations_free(revocations);
}

static void a_revoked_issuer(void **state)
{
	(void)state;
	struct tls_revocations *revocations = tls_revocations_new();
	struct tls_facts facts;
	struct tls_peer peer;
	assert_int_equal(tls_certificate_facts(issuing->certificate, &facts, NULL), ERR_OK);
	const char *serials[] = {facts.serial};
	assert_int_equal(tls_revocations_set(revocations, serials, 1, NULL), ERR_OK);
	struct tls_context *s = server_context(&(struct tls_config){.revocations = revocations});
	SSL_CTX *sx = make(s), *cx = rough_client(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST});
	assert_int_equal(meet(cx, sx, &peer), TLS_REVOKED);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
	tls_revocations_free(revocations);
}

static void nobody_is_not_somebody(void **state)
{
	(void)state;
	struct tls_context *s = server_context(&(struct tls_config){.demand = TLS_ASK_CERTIFICATE});
	SSL_CTX *sx = make(s), *cx = rough_client(NULL, NULL);
	struct pair p = pair_new(cx, sx);
	struct tls_peer peer;
	pair_run(&p);
	assert_true(p.client_done && p.server_done);
	assert_false(tls_peer_of(p.server, &peer));
	assert_false(tls_peer_of(NULL, &peer));
	pair_free(&p);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
}

static void old_protocols(void **state)
{
	(void)state;
	struct tls_context *s = server_context(&(struct tls_config){0});
	struct tls_peer peer;
	SSL_CTX *sx = make(s), *cx = rough_client(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST});
	SSL_CTX_set_max_proto_version(cx, TLS1_2_VERSION);
	assert_int_equal(meet(cx, sx, &peer), TLS_HANDSHAKE_FAILED);
	assert_non_null(strstr(seen.detail, "protocol version"));
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
}

static void bytes_that_are_no_tls(void **state)
{
	(void)state;
	struct tls_context *s = server_context(&(struct tls_config){0});
	SSL_CTX *sx = make(s), *cx = rough_client(NULL, NULL);
	struct pair p = pair_new(cx, sx);
	seen = (struct seen){0};
	assert_int_equal(SSL_do_handshake(p.server), -1); /* waits for bytes: no reason to refuse yet */
	assert_int_equal(seen.count, 0);
	BIO_write(SSL_get_wbio(p.client), "GET / HTTP/1.1\r\n\r\n", 18);
	assert_int_equal(SSL_do_handshake(p.server), -1);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.verdict, TLS_HANDSHAKE_FAILED);
	assert_true(seen.detail[0] != '\0');
	ERR_clear_error();
	pair_free(&p);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
}

static unsigned sessions;
static SSL_SESSION *kept;
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	sessions++;
	if (kept)
		return 0;
	kept = session;
	return 1;
}

/* PLATFORM's third trap: a session that is resumed brings no certificate with it. */
static void nothing_is_resumed(void **state)
{
	(void)state;
	struct tls_context *s = server_context(&(struct tls_config){0});
	struct tls_peer peer;
	SSL_CTX *sx = make(s), *cx = rough_client(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST});
	SSL_CTX_set_session_cache_mode(cx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(cx, on_session);
	sessions = 0;
	assert_int_equal(meet(cx, sx, &peer), TLS_ACCEPTED);
	assert_int_equal(sessions, 0); /* not one ticket was issued */
	/* Another server with the same name and keys that does issue tickets: its ticket is worth nothing here. */
	SSL_CTX *loose = make(s);
	SSL_CTX_clear_options(loose, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(loose, 2);
	SSL_CTX_set_session_id_context(loose, (const unsigned char *)"x", 1);
	SSL_CTX_set_session_id_context(sx, (const unsigned char *)"x", 1);
	unsigned char keys[80];
	assert_int_equal(SSL_CTX_get_tlsext_ticket_keys(loose, keys, sizeof(keys)), 1);
	assert_int_equal(SSL_CTX_set_tlsext_ticket_keys(sx, keys, sizeof(keys)), 1);
	assert_int_equal(meet(cx, loose, &peer), TLS_ACCEPTED);
	assert_true(sessions > 0 && kept);
	SSL_CTX *bare = rough_client(NULL, NULL);
	struct pair p = pair_new(bare, sx);
	assert_int_equal(SSL_set_session(p.client, kept), 1);
	seen = (struct seen){0};
	pair_run(&p);
	assert_false(p.server_done);
	assert_false(tls_peer_of(p.server, &peer));
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.verdict, TLS_NO_CERTIFICATE);
	pair_free(&p);
	SSL_SESSION_free(kept);
	kept = NULL;
	SSL_CTX_free(bare);
	SSL_CTX_free(loose);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
}

static enum tls_verdict client_meets(struct tls_identity *server_identity, const char *name, char *detail)
{
	struct tls_context *s = server_context(&(struct tls_config){.identity = server_identity}),
			   *c = client_context(agent, name);
	SSL_CTX *sx = make(s), *cx = make(c);
	struct pair p = pair_new(cx, sx);
	struct tls_peer peer;
	seen = (struct seen){0};
	pair_run(&p);
	enum tls_verdict v = tls_refusal_of(p.client, detail);
	assert_int_equal(v == TLS_ACCEPTED, p.client_done);
	assert_int_equal(v == TLS_ACCEPTED, tls_peer_of(p.client, &peer));
	pair_free(&p);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
	tls_context_free(c);
	return v;
}

static void every_refusal_of_a_server(void **state)
{
	(void)state;
	const struct {
		const struct pki_authority *issuer;
		struct pki_spec spec;
		const char *name;
		enum tls_verdict want;
	} cases[] = {
	    {issuing, {.role = TLS_ROLE_CONTROLLER, .name = "c1"}, "c1", TLS_ACCEPTED},
	    {issuing, {.role = TLS_ROLE_CONTROLLER, .name = "c2"}, NULL, TLS_ACCEPTED},
	    {issuing, {.role = TLS_ROLE_CONTROLLER, .name = "c2"}, "c1", TLS_WRONG_NAME},
	    {issuing, {.role = TLS_ROLE_HOST, .name = "c1"}, "c1", TLS_WRONG_ROLE},
	    {issuing, {.role = TLS_ROLE_CONTROLLER, .name = "c1", .usage = PKI_CLIENT}, "c1", TLS_WRONG_USAGE},
	    {issuing, {.role = TLS_ROLE_CONTROLLER, .name = "c1", .domain = "b.example"}, "c1", TLS_WRONG_DOMAIN},
	    {foreign, {.role = TLS_ROLE_CONTROLLER, .name = "c1"}, "c1", TLS_WRONG_AUTHORITY},
	    {issuing, {.role = TLS_ROLE_CONTROLLER, .name = "c1", .from_s = 100, .until_s = 200}, "c1",
		TLS_NOT_YET_VALID},
	    {issuing, {.role = TLS_ROLE_CONTROLLER, .name = "c1", .from_s = -200, .until_s = -100}, "c1", TLS_EXPIRED},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char detail[TLS_DETAIL_MAX] = "";
		struct tls_identity *identity = pki_identity(cases[i].issuer, &cases[i].spec);
		enum tls_verdict v = client_meets(identity, cases[i].name, detail);
		if (v != cases[i].want)
			fail_msg("case %zu: %s %s", i, tls_verdict_word(v), detail);
		tls_identity_free(identity);
	}
}

/* PLATFORM's second trap: what the operating system trusts is nobody here. */
static void the_systems_trust_counts_for_nothing(void **state)
{
	(void)state;
	char path[] = "/tmp/kedge-ca-XXXXXX";
	struct buf pem = BUF_INIT;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	pki_root_pem(foreign, &pem);
	pki_write(path, &pem);
	setenv("SSL_CERT_FILE", path, 1);
	struct tls_identity *identity =
	    pki_identity(foreign, &(struct pki_spec){.role = TLS_ROLE_CONTROLLER, .name = "c1"});
	assert_int_equal(client_meets(identity, "c1", NULL), TLS_WRONG_AUTHORITY);
	/* Nor does it count if somebody loads it into the SSL_CTX behind our back. */
	struct tls_context *s = server_context(&(struct tls_config){.identity = identity}),
			   *c = client_context(agent, "c1");
	SSL_CTX *sx = make(s), *cx = make(c);
	assert_int_equal(SSL_CTX_set_default_verify_paths(cx), 1);
	struct pair p = pair_new(cx, sx);
	pair_run(&p);
	assert_int_equal(tls_refusal_of(p.client, NULL), TLS_WRONG_AUTHORITY);
	pair_free(&p);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
	tls_context_free(c);
	tls_identity_free(identity);
	unsetenv("SSL_CERT_FILE");
	unlink(path);
	buf_done(&pem);
}

/* PLATFORM's first trap: a verify callback that says yes to everything has no say. */
static int says_yes(int ok, X509_STORE_CTX *sc)
{
	(void)ok;
	X509_STORE_CTX_set_error(sc, X509_V_OK);
	return 1;
}

static void a_lax_callback_has_no_say(void **state)
{
	(void)state;
	struct tls_context *s = server_context(&(struct tls_config){0});
	struct tls_peer peer;
	SSL_CTX *sx = make(s), *cx = rough_client(foreign, &(struct pki_spec){.role = TLS_ROLE_HOST});
	SSL_CTX_set_verify(sx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, says_yes);
	assert_int_equal(meet(cx, sx, &peer), TLS_WRONG_AUTHORITY);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
}

static void exchanged_while_running(void **state)
{
	(void)state;
	struct tls_context *s = server_context(&(struct tls_config){0}), *c = client_context(agent, NULL);
	SSL_CTX *sx = make(s), *cx = make(c);
	struct tls_peer peer;
	struct tls_identity *renewed =
	    pki_identity(issuing, &(struct pki_spec){.role = TLS_ROLE_CONTROLLER, .name = "renewed"});
	struct tls_identity *other = pki_identity(foreign, &(struct pki_spec){.role = TLS_ROLE_HOST, .name = "web-9"});
	struct tls_trust *theirs = pki_trust(foreign);
	tls_context_set_identity(s, renewed);
	tls_identity_free(renewed);
	struct pair p = pair_new(cx, sx);
	pair_run(&p);
	assert_true(p.client_done && tls_peer_of(p.client, &peer));
	assert_string_equal(peer.name, "renewed");
	pair_free(&p);
	/* The client's identity and the server's trust change: what was good is bad, and the other way round. */
	tls_context_set_identity(c, other);
	assert_int_equal(meet(cx, sx, &peer), TLS_WRONG_AUTHORITY);
	tls_context_set_trust(s, theirs);
	assert_int_equal(meet(cx, sx, &peer), TLS_ACCEPTED);
	assert_string_equal(peer.name, "web-9");
	tls_context_set_identity(c, agent);
	assert_int_equal(meet(cx, sx, &peer), TLS_WRONG_AUTHORITY);
	tls_trust_free(theirs);
	tls_identity_free(other);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
	tls_context_free(c);
}

static uint64_t warped_ms;
static uint64_t warped(void)
{
	return warped_ms;
}

static void the_clock_is_an_input(void **state)
{
	(void)state;
	struct tls_revocations *revocations = tls_revocations_new();
	struct tls_context *s = server_context(&(struct tls_config){.now_ms = warped, .revocations = revocations});
	struct tls_peer peer;
	SSL_CTX *sx = make(s), *cx = rough_client(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST, .serial = 0x77});
	warped_ms = clock_wall_ms();
	assert_int_equal(meet(cx, sx, &peer), TLS_ACCEPTED);
	assert_int_equal(tls_peer_recheck(s, &peer), TLS_ACCEPTED);
	warped_ms += 2 * 3600 * 1000;
	assert_int_equal(tls_peer_recheck(s, &peer), TLS_EXPIRED);
	assert_int_equal(meet(cx, sx, &peer), TLS_EXPIRED);
	warped_ms -= 4 * 3600 * 1000;
	assert_int_equal(meet(cx, sx, &peer), TLS_NOT_YET_VALID);
	warped_ms += 2 * 3600 * 1000;
	const char *serials[] = {"77"};
	assert_int_equal(tls_revocations_set(revocations, serials, 1, NULL), ERR_OK);
	assert_int_equal(tls_peer_recheck(s, &peer), TLS_REVOKED);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
	tls_revocations_free(revocations);
}

static void the_peers_reason_is_kept(void **state)
{
	(void)state;
	struct tls_identity *late =
	    pki_identity(issuing, &(struct pki_spec){.role = TLS_ROLE_HOST, .from_s = -20, .until_s = -10});
	struct tls_context *s = server_context(&(struct tls_config){0}), *c = client_context(late, NULL);
	SSL_CTX *sx = make(s), *cx = make(c);
	struct pair p = pair_new(cx, sx);
	char text[TLS_DETAIL_MAX] = "";
	pair_run(&p);
	assert_false(p.client_done);
	assert_true(tls_alert_of(p.client, text));
	assert_non_null(strstr(text, "certificate expired"));
	assert_false(tls_alert_of(p.server, text));
	pair_free(&p);
	SSL_CTX_free(cx);
	SSL_CTX_free(sx);
	tls_context_free(s);
	tls_context_free(c);
	tls_identity_free(late);
}

static void bad_configurations(void **state)
{
	(void)state;
	struct tls_context *c = NULL;
	struct tls_config good = {
	    .server = true, .identity = controller, .trust = ours, .domain = PKI_DOMAIN, .roles = 1};
	struct tls_config bad[5] = {good, good, good, good, good};
	bad[0].identity = NULL;
	bad[1].trust = NULL;
	bad[2].domain = "Not A Domain";
	bad[3].roles = 0;
	bad[4].name = "";
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(tls_context_new(&bad[i], &c, NULL), ERR_INVALID);
	assert_null(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_accept),
	    cmocka_unit_test(every_refusal_of_a_client),
	    cmocka_unit_test(a_revoked_issuer),
	    cmocka_unit_test(nobody_is_not_somebody),
	    cmocka_unit_test(old_protocols),
	    cmocka_unit_test(bytes_that_are_no_tls),
	    cmocka_unit_test(nothing_is_resumed),
	    cmocka_unit_test(every_refusal_of_a_server),
	    cmocka_unit_test(the_systems_trust_counts_for_nothing),
	    cmocka_unit_test(a_lax_callback_has_no_say),
	    cmocka_unit_test(exchanged_while_running),
	    cmocka_unit_test(the_clock_is_an_input),
	    cmocka_unit_test(the_peers_reason_is_kept),
	    cmocka_unit_test(bad_configurations),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
