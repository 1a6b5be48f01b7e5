/* controller/cli/certificates.c: the authority on files, tokens, and an operator's own enrolment. */
#include <string.h>
#include <unistd.h>

#include "certs/authority.h"
#include "certs/chain.h"
#include "certs/enrol.h"
#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

struct certificate_view {
	const char *kind, *name, *subject, *issuer, *serial, *fingerprint;
	uint64_t not_before_ms, not_after_ms;
	bool server, client;
};
#define S struct certificate_view
static const struct field view_fields[] = {
    F_STRING(S, kind, NAME_MAX_BYTES, FIELD_COLUMN, "host, operator, controller, or authority"),
    F_STRING(S, name, TLS_URI_MAX, FIELD_COLUMN, "spiffe://domain/role/name"),
    F_STRING(S, subject, TLS_SUBJECT_MAX, 0, "its subject"),
    F_STRING(S, issuer, TLS_SUBJECT_MAX, FIELD_COLUMN, "who signed it"),
    F_STRING(S, serial, TLS_SERIAL_MAX, FIELD_COLUMN, "what `kedge ca revoke` takes"),
    F_TIME(S, not_before_ms, FIELD_WIDE, "beginning of its life", .column = "FROM"),
    F_TIME(S, not_after_ms, FIELD_COLUMN, "end of its life", .column = "EXPIRES"),
    F_BOOL(S, server, FIELD_WIDE, "may be a server"),
    F_BOOL(S, client, FIELD_WIDE, "may be a client"),
    F_STRING(S, fingerprint, TLS_FINGERPRINT_MAX, FIELD_WIDE, "SHA-256"),
};
#undef S
const struct record_type certificate_view_type =
    RECORD_TYPE("certificate_view", struct certificate_view, view_fields, "what a certificate says");

/* What `kedge host enrol -o json` says: programs too want the one string. */
struct token_view {
	const char *token, *name;
	uint32_t role;
	uint64_t expires_ms;
};
#define S struct token_view
static const struct field token_fields[] = {
    F_STRING(S, token, ENROL_TOKEN_MAX, FIELD_REQUIRED, "shown once"),
    F_STRING(S, name, NAME_MAX_BYTES, FIELD_REQUIRED, "whom it is for"),
    F_ENUM(S, role, &certificate_role_enum, FIELD_ALWAYS, "host or operator"),
    F_TIME(S, expires_ms, 0, "when it lapses"),
};
#undef S
const struct record_type token_view_type =
    RECORD_TYPE("token_view", struct token_view, token_fields, "a one-time token as it is carried to whom it is for");

static enum err_code view(struct cli *c, X509 *x, struct certificate_view *ret)
{
	struct tls_facts *f = arena_alloc(c->arena, sizeof *f);
	struct tls_name n;
	char *uri = arena_alloc(c->arena, TLS_URI_MAX);
	if (!f || !uri)
		return err_set(&c->err, ERR_NOMEM, "out of memory");
	enum err_code rc = tls_certificate_facts(x, f, &c->err);
	if (rc != ERR_OK)
		return rc;
	bool named = tls_certificate_name(x, &n, NULL) == ERR_OK;
	*ret = (struct certificate_view){.kind = f->authority ? "authority"
						 : named      ? tls_role_text(n.role)
							      : "other",
	    .name = named ? tls_name_format(&n, uri) : f->subject,
	    .subject = f->subject,
	    .issuer = f->issuer,
	    .serial = f->serial,
	    .fingerprint = f->fingerprint,
	    .not_before_ms = f->not_before_ms,
	    .not_after_ms = f->not_after_ms,
	    .server = f->server_auth,
	    .client = f->client_auth};
	return ERR_OK;
}

/* For programs: the first certificate of a file that was just made or checked. */
static int out_file(struct cli *c, const char *path)
{
	X509 *all[TLS_CHAIN_MAX];
	struct certificate_view v;
	size_t count = 0;
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	enum err_code rc =
	    path ? file_read(path, TLS_PEM_MAX, &pem, &c->err) : err_set(&c->err, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK && (rc = tls_certificates_from_pem(pem.data, pem.size, all, &count, &c->err)) == ERR_OK)
		rc = view(c, all[0], &v);
	for (size_t i = 0; i < count; i++)
		tls_certificate_free(all[i]);
	return rc == ERR_OK ? out_record(c, &certificate_view_type, &v) : cli_fail(c, rc);
}

/* ---- the authority ---- */

int run_ca_init(struct cli *c)
{
	const char *dir = words_option(&c->w, "dir"), *domain = words_option(&c->w, "domain");
	enum err_code rc = authority_init(dir, domain, c->io->now_ms(c->io->ctx), &c->err);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (!cli_for_people(c))
		return out_file(c, arena_printf(c->arena, "%s/authority.pem", dir));
	cli_print(c, "%s/authority.pem\n", dir);
	cli_say(c,
	    "an authority for %s is made.  authority.pem is for everybody; issuing.pem and issuing.key are for the "
	    "controller; keep root.key off the network\n",
	    domain);
	return CLI_DONE;
}

static enum err_code name_from_words(struct cli *c, const struct authority *a, struct tls_name *ret)
{
	for (unsigned i = 0; i < TLS_ROLE_COUNT; i++)
		if (text_equal(tls_role_text((enum tls_role)i), c->w.words[0]))
			return tls_name_make((enum tls_role)i, authority_domain(a), c->w.words[1], ret, &c->err);
	return err_set(&c->err, ERR_INVALID, "expected controller, operator or host, got \"%.40s\"", c->w.words[0]);
}

static enum err_code life_from_words(struct cli *c, enum tls_role role, uint64_t *ret)
{
	static const uint64_t usual[TLS_ROLE_COUNT] = {[TLS_ROLE_HOST] = AUTHORITY_HOST_LIFE_MS,
	    [TLS_ROLE_OPERATOR] = AUTHORITY_OPERATOR_LIFE_MS,
	    [TLS_ROLE_CONTROLLER] = AUTHORITY_CONTROLLER_LIFE_MS};
	const char *text = words_option(&c->w, "days");
	uint64_t days;
	*ret = usual[role];
	if (!text)
		return ERR_OK;
	if (text_u64(text, &days, NULL) != ERR_OK || days == 0 || days > AUTHORITY_LEAF_LIFE_MAX_MS / AUTHORITY_DAY_MS)
		return err_set(&c->err, ERR_INVALID, "--days: expected 1 to %d, got \"%.40s\"",
		    (int)(AUTHORITY_LEAF_LIFE_MAX_MS / AUTHORITY_DAY_MS), text);
	*ret = days * AUTHORITY_DAY_MS;
	return ERR_OK;
}

int run_ca_issue(struct cli *c)
{
	const char *dir = words_option(&c->w, "dir"), *out = words_option(&c->w, "out"),
		   *addresses[AUTHORITY_ADDRESSES_MAX + 2] = {0};
	CLEANUP(authority_cleanup) struct authority *a = NULL;
	struct certificate_made made = {0};
	struct tls_name name;
	uint64_t life_ms;
	char when[TEXT_TIME_MAX];
	for (size_t i = 0; i <= AUTHORITY_ADDRESSES_MAX; i++)
		addresses[i] = words_option_at(&c->w, "address", i);
	const char *pem = arena_printf(c->arena, "%s/issuing.pem", dir),
		   *key = arena_printf(c->arena, "%s/issuing.key", dir);
	enum err_code rc =
	    pem && key ? authority_load(pem, key, &a, &c->err) : err_set(&c->err, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK || (rc = name_from_words(c, a, &name)) != ERR_OK ||
	    (rc = life_from_words(c, name.role, &life_ms)) != ERR_OK ||
	    (rc = authority_issue(a, &name, addresses, life_ms, c->io->now_ms(c->io->ctx), out, &made, &c->err)) !=
		ERR_OK)
		return cli_fail(c, rc);
	buf_done(&made.chain);
	if (!cli_for_people(c))
		return out_file(c, arena_printf(c->arena, "%s/cert.pem", out));
	cli_print(c, "%s/cert.pem\n%s/key.pem\n", out, out);
	cli_say(c, "%s %s of %s, serial %s, until %s\n", tls_role_text(name.role), name.name, name.domain, made.serial,
	    text_time(made.not_after_ms, when));
	return CLI_DONE;
}

/* ---- looking ---- */

int run_ca_show(struct cli *c)
{
	X509 *all[TLS_CHAIN_MAX];
	struct certificate_view views[TLS_CHAIN_MAX];
	const void *rows[TLS_CHAIN_MAX];
	size_t count = 0;
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	const char *path = c->w.words[0];
	enum err_code rc = file_read(path, TLS_PEM_MAX, &pem, &c->err);
	if (rc == ERR_OK && (rc = tls_certificates_from_pem(pem.data, pem.size, all, &count, &c->err)) != ERR_OK)
		err_prefix(&c->err, rc, "%s", path);
	for (size_t i = 0; i < count; i++) {
		if (rc == ERR_OK)
			rc = view(c, all[i], &views[i]);
		rows[i] = &views[i];
		tls_certificate_free(all[i]);
	}
	return rc == ERR_OK ? out_rows(c, &(struct rows){&certificate_view_type, rows, count, false}) : cli_fail(c, rc);
}

static enum err_code authority_path(struct cli *c, const char **ret)
{
	const char *given = words_option(&c->w, "authority"), *dir = words_option(&c->w, "dir");
	const struct client_config *config;
	enum err_code rc = ERR_OK;
	if (given || dir)
		*ret = given ? given : arena_printf(c->arena, "%s/authority.pem", dir);
	else if ((rc = cli_config(c, &config)) == ERR_OK)
		*ret = config->authority;
	return rc;
}

int run_ca_verify(struct cli *c)
{
	const char *path;
	struct tls_peer peer;
	char uri[TLS_URI_MAX], when[TEXT_TIME_MAX], left[TEXT_TIME_MAX];
	uint64_t now = c->io->now_ms(c->io->ctx);
	CLEANUP(buf_done) struct buf chain = BUF_INIT, root = BUF_INIT;
	enum err_code rc = authority_path(c, &path);
	if (rc != ERR_OK || (rc = file_read(c->w.words[0], TLS_PEM_MAX, &chain, &c->err)) != ERR_OK ||
	    (rc = file_read(path, TLS_PEM_MAX, &root, &c->err)) != ERR_OK)
		return cli_fail(c, rc);
	if ((rc = chain_check(chain.data, chain.size, root.data, root.size, now, &peer, &c->err)) != ERR_OK)
		return err_prefix(&c->err, rc, "%s", c->w.words[0]), cli_fail(c, rc);
	if (!cli_for_people(c))
		return out_file(c, c->w.words[0]);
	struct tls_name n = {.role = peer.role};
	text_copy(n.domain, sizeof n.domain, peer.domain);
	text_copy(n.name, sizeof n.name, peer.name);
	cli_print(c, "good: %s until %s (%s left)\n", tls_name_format(&n, uri), text_time(peer.not_after_ms, when),
	    text_duration_human(peer.not_after_ms - now, left));
	return CLI_DONE;
}

/* ---- tokens ---- */

static enum err_code pinned(struct cli *c, char out[TLS_FINGERPRINT_MAX])
{
	const struct client_config *config;
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	enum err_code rc = cli_config(c, &config);
	if (rc != ERR_OK || (rc = file_read(config->authority, TLS_PEM_MAX, &pem, &c->err)) != ERR_OK)
		return rc;
	return authority_fingerprint(buf_str(&pem), pem.size, out, &c->err);
}

static void say_how(struct cli *c, const struct enrolment_token *t)
{
	char when[TEXT_TIME_MAX];
	cli_say(c, "good once, for %s %s, until %s.  There:\n", enum_name(&certificate_role_enum, t->role), t->name,
	    text_time(t->expires_ms, when));
	if (t->role == CERTIFICATE_OPERATOR)
		cli_say(c,
		    "  kedge ca join %s --token TOKEN --authority authority.pem --out DIR --controller %s "
		    "--controller-name %s --domain %s\n",
		    t->name, c->config->controller, c->config->name, c->config->domain);
	else
		cli_say(c, "  kedge-agent join --token TOKEN --authority authority.pem --controller %s\n",
		    c->config->controller);
	cli_say(
	    c, "and bring %s there as authority.pem: the token knows it by its fingerprint\n", c->config->authority);
}

/* No idempotency key: the answer holds a secret that the controller must not keep.  A token too many lapses by itself.
 */
int run_token(struct cli *c)
{
	struct request_args a;
	struct enrolment_token t;
	struct enrol_token made = {0};
	char token[ENROL_TOKEN_MAX];
	const char *role = words_option(&c->w, "role");
	CLEANUP(buf_done) struct buf json = BUF_INIT;
	enum err_code rc = request_from_words(c, &a);
	if (rc == ERR_OK && role)
		rc = request_set(c, &a, "role", role);
	if (rc != ERR_OK || (rc = pinned(c, made.fingerprint)) != ERR_OK ||
	    (rc = request_json(c, &a, &json)) != ERR_OK ||
	    (rc = api_post(c, "ca/token", buf_str(&json), true, &enrolment_token_type, &t)) != ERR_OK)
		return cli_fail(c, rc);
	if (!t.secret) {
		err_set(
		    &c->err, ERR_STATE, "the controller made a token, and its answer was lost: ask for another one");
		return cli_fail(c, ERR_STATE);
	}
	text_copy(made.enrolment, sizeof made.enrolment, t.enrolment);
	text_copy(made.secret, sizeof made.secret, t.secret);
	if ((rc = enrol_token_format(&made, token, &c->err)) != ERR_OK)
		return cli_fail(c, rc);
	if (cli_for_people(c)) {
		cli_print(c, "%s\n", token);
		say_how(c, &t);
		secret_wipe(token, sizeof token);
		return CLI_DONE;
	}
	return out_record(c, &token_view_type, &(struct token_view){token, t.name, t.role, t.expires_ms});
}

/* ---- revoking ---- */

static const enum certificate_role role_of[] = {
    [TLS_ROLE_HOST] = CERTIFICATE_HOST,
    [TLS_ROLE_OPERATOR] = CERTIFICATE_OPERATOR,
    [TLS_ROLE_CONTROLLER] = CERTIFICATE_CONTROLLER,
};

/* What the controller may not know of a certificate that was made offline. */
static enum err_code revoke_file(struct cli *c, const char *path, struct request_args *a)
{
	X509 *all[TLS_CHAIN_MAX];
	struct tls_facts f;
	struct tls_name n;
	size_t count = 0;
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	enum err_code rc = file_read(path, TLS_PEM_MAX, &pem, &c->err);
	if (rc == ERR_OK)
		rc = tls_certificates_from_pem(pem.data, pem.size, all, &count, &c->err);
	if (rc == ERR_OK && (rc = tls_certificate_facts(all[0], &f, &c->err)) == ERR_OK &&
	    (rc = tls_certificate_name(all[0], &n, &c->err)) == ERR_OK) {
		a->serial = arena_strdup(c->arena, f.serial);
		a->name = arena_strdup(c->arena, n.name);
		a->role = role_of[n.role];
		a->until_ms = f.not_after_ms;
		if (!a->serial || !a->name)
			rc = err_set(&c->err, ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < count; i++)
		tls_certificate_free(all[i]);
	return rc;
}

int run_ca_revoke(struct cli *c)
{
	struct request_args a;
	const char *which = cli_word(c, "serial");
	char serial[TLS_SERIAL_MAX];
	enum err_code rc = request_from_words(c, &a);
	if (rc == ERR_OK && (strchr(which, '/') || file_exists(which)))
		rc = revoke_file(c, which, &a);
	else if (rc == ERR_OK && tls_serial_normal(which, serial))
		a.serial = arena_strdup(c->arena, serial);
	else if (rc == ERR_OK)
		return cli_usage(c,
		    "\"%s\" is neither a file nor a serial in hex, as `kedge ca list` and `kedge ca show FILE` print it",
		    which);
	return rc == ERR_OK ? request_post(c, &a, "revoked: it is refused from now on, and its connections end")
			    : cli_fail(c, rc);
}

/* ---- an operator's own certificate ---- */

static enum err_code absolute(struct cli *c, const char *path, const char **ret)
{
	char here[PATH_LIMIT];
	if (path[0] != '/' && !getcwd(here, sizeof here))
		return err_set(&c->err, ERR_IO, "the present folder has no name");
	*ret = path[0] == '/' ? path : arena_printf(c->arena, "%s/%s", here, path);
	return *ret ? ERR_OK : err_set(&c->err, ERR_NOMEM, "out of memory");
}

int run_ca_join(struct cli *c)
{
	const char *url = words_option(&c->w, "controller"), *name = words_option(&c->w, "controller-name"),
		   *domain = words_option(&c->w, "domain");
	const struct client_config *config = NULL;
	struct tls_peer us;
	char when[TEXT_TIME_MAX];
	enum err_code rc = url && domain ? ERR_OK : cli_config(c, &config);
	struct enrol_options o = {.url = url      ? url
					 : config ? config->controller
						  : NULL,
	    .controller = name     ? name
			  : config ? config->name
				   : "main",
	    .domain = domain   ? domain
		      : config ? config->domain
			       : NULL,
	    .role = TLS_ROLE_OPERATOR,
	    .name = cli_word(c, "name"),
	    .token = words_option(&c->w, "token"),
	    .authority = words_option(&c->w, "authority"),
	    .now_ms = c->io->now_ms(c->io->ctx)};
	if (rc != ERR_OK || (rc = absolute(c, words_option(&c->w, "out"), &o.folder)) != ERR_OK ||
	    (rc = enrol_join(&o, &us, &c->err)) != ERR_OK)
		return cli_fail(c, rc);
	if (!cli_for_people(c))
		return out_file(c, arena_printf(c->arena, "%s/cert.pem", o.folder));
	cli_print(c, "%s/cert.pem\n%s/key.pem\n%s/authority.pem\n", o.folder, o.folder, o.folder);
	cli_say(c, "you are operator %s of %s until %s\n", us.name, us.domain, text_time(us.not_after_ms, when));
	return CLI_DONE;
}
