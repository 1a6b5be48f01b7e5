/* certs/enrol.c: joining, from the token to the folder. */
#include "certs/enrol.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/chain.h"
#include "certs/exchange.h"
#include "certs/files.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "shared/message/message.h"

/* ---- what travels ---- */

struct enrol_request {
	const char *enrolment, *secret, *name, *role, *csr;
};
#define S struct enrol_request
static const struct field request_fields[] = {
    F_STRING(S, enrolment, ID_TEXT_MAX, FIELD_REQUIRED, "the token's id"),
    F_STRING(S, secret, 64, FIELD_REQUIRED | FIELD_SECRET, "the token's secret, hex"),
    F_STRING(S, name, NAME_MAX_BYTES, FIELD_REQUIRED, "whom the certificate is for"),
    F_STRING(S, role, 16, FIELD_REQUIRED, "host or operator"),
    F_STRING(S, csr, TLS_KEY_PEM_MAX, FIELD_REQUIRED, "a certificate request, PEM"),
};
#undef S
static const struct record_type request_type =
    RECORD_TYPE("enrol_request", struct enrol_request, request_fields, "the body of POST /api/v1/ca/enrol");

struct refusal {
	const char *code, *text;
};
#define S struct refusal
static const struct field refusal_fields[] = {
    F_STRING(S, code, NAME_MAX_BYTES, 0, "a word for programs"),
    F_STRING(S, text, TEXT_PAGE_MAX, 0, "for people"),
};
#undef S
static const struct record_type refusal_type =
    RECORD_TYPE("enrol_refusal", struct refusal, refusal_fields, "why an enrolment was refused");
struct refused {
	struct refusal error;
};
static const struct field refused_fields[] = {F_INLINE(struct refused, error, struct refusal, &refusal_type, 0, "why")};
static const struct record_type refused_type =
    RECORD_TYPE("enrol_refused", struct refused, refused_fields, "the answer to a refused enrolment");
const struct record_type *const enrol_types[] = {&request_type, &refusal_type, &refused_type, NULL};

/* ---- one enrolment at work ---- */

struct join {
	const struct enrol_options *o;
	const struct enrol_io *io;
	struct enrol_token token;
	struct tls_name name;
	X509 *root;
	struct buf root_pem;
	EVP_PKEY *key;
	struct arena *arena;
	struct certificate answer;  /* in the arena */
	char temporary[PATH_LIMIT]; /* the folder that becomes o->folder; "" while there is none */
	struct new_files files;
};

static void join_done(struct join *j)
{
	if (j->temporary[0])
		rmdir(j->temporary);
	tls_certificate_free(j->root);
	tls_key_free(j->key);
	buf_done(&j->root_pem);
	arena_free(j->arena);
	secret_wipe(&j->token, sizeof j->token);
}

/* The certificate in the file that the token pins.  It alone is believed from here on. */
static enum err_code pick_root(struct join *j, struct err *reterr)
{
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	X509 *all[TLS_CHAIN_MAX];
	size_t count;
	enum err_code rc = file_read(j->o->authority, TLS_PEM_MAX, &pem, reterr);
	if (rc != ERR_OK)
		return rc;
	if ((rc = tls_certificates_from_pem(pem.data, pem.size, all, &count, reterr)) != ERR_OK)
		return err_prefix(reterr, rc, "%s", j->o->authority);
	for (size_t i = 0; i < count; i++) {
		struct tls_facts facts;
		if (!j->root && tls_certificate_facts(all[i], &facts, NULL) == ERR_OK &&
		    text_equal(facts.fingerprint, j->token.fingerprint))
			j->root = TAKE_PTR(all[i]);
		tls_certificate_free(all[i]);
	}
	if (!j->root)
		return err_set(reterr, ERR_DENIED,
		    "%s does not hold the authority that the token names: nothing was sent.  Get the file again from "
		    "where the token was made",
		    j->o->authority);
	return tls_certificate_to_pem(j->root, &j->root_pem, reterr);
}

static enum err_code folder_free(const char *folder, struct err *reterr)
{
	if (strlen(folder) > ENROL_FOLDER_MAX || folder[0] != '/')
		return err_set(reterr, ERR_INVALID, "expected an absolute path of at most %d bytes, got \"%s\"",
		    ENROL_FOLDER_MAX, folder);
	CLEANUP(cleanup_dir) DIR *d = opendir(folder);
	if (!d)
		return errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s", folder);
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		if (!text_equal(e->d_name, ".") && !text_equal(e->d_name, ".."))
			return err_set(
			    reterr, ERR_EXISTS, "%s holds an identity already: move it away to enrol again", folder);
	return ERR_OK;
}

static enum err_code request_body(struct join *j, struct buf *out, struct err *reterr)
{
	CLEANUP(buf_done) struct buf csr = BUF_INIT;
	enum err_code rc = tls_key_new(&j->key, reterr);
	if (rc != ERR_OK || (rc = tls_csr_new(j->key, &j->name, &csr, reterr)) != ERR_OK)
		return rc;
	struct enrol_request r = {
	    j->token.enrolment, j->token.secret, j->name.name, tls_role_text(j->name.role), buf_str(&csr)};
	return record_to_json(&request_type, &r, RECORD_WITH_SECRETS, out, reterr);
}

static enum err_code refused(const struct join *j, int status, const struct buf *body, struct err *reterr)
{
	struct refused r;
	bool readable =
	    record_from_json(&refused_type, buf_str(body), body->size, 0, j->arena, &r, NULL) == ERR_OK && r.error.text;
	enum err_code code = status == 403   ? ERR_DENIED
			     : status == 503 ? ERR_BUSY
			     : status == 504 ? ERR_TIMEOUT
			     : status == 400 ? ERR_INVALID
					     : ERR_IO;
	if (readable)
		return err_set(reterr, code, "the controller refuses: %s", r.error.text);
	return err_set(reterr, code, "the controller answers with HTTP status %d", status);
}

static enum err_code ask(struct join *j, struct err *reterr)
{
	CLEANUP(buf_done) struct buf body = BUF_INIT, answer = BUF_INIT;
	const struct bytes root = buf_bytes(&j->root_pem);
	int status = 0;
	enum err_code rc = request_body(j, &body, reterr);
	if (rc == ERR_OK)
		rc = j->io->ask(j->io->ctx, j->o, &root, buf_str(&body), &status, &answer, reterr);
	if (body.data)
		secret_wipe(body.data, body.size);
	if (rc != ERR_OK)
		return rc;
	if (status != 200)
		return refused(j, status, &answer, reterr);
	if ((rc = record_from_json(
		 &certificate_type, buf_str(&answer), answer.size, 0, j->arena, &j->answer, reterr)) != ERR_OK)
		return err_prefix(reterr, rc, "the controller's answer");
	return j->answer.chain ? ERR_OK
			       : err_set(reterr, ERR_DENIED, "the controller signs no certificate: %s",
				     j->answer.error ? j->answer.error : "it does not say why");
}

/* ---- is it what was asked for? ---- */

static enum err_code corrupt(struct err *reterr, enum err_code rc)
{
	err_prefix(reterr, rc, "the certificate that came back");
	if (reterr)
		reterr->code = ERR_CORRUPT;
	return ERR_CORRUPT;
}

static enum err_code check_answer(struct join *j, struct tls_peer *ret, struct err *reterr)
{
	const char *chain = j->answer.chain;
	X509 *all[TLS_CHAIN_MAX];
	size_t count;
	enum err_code rc = tls_certificates_from_pem(chain, strlen(chain), all, &count, reterr);
	if (rc != ERR_OK)
		return corrupt(reterr, rc);
	bool our_key = X509_check_private_key(all[0], j->key) == 1;
	for (size_t i = 0; i < count; i++)
		tls_certificate_free(all[i]);
	if (!our_key)
		return err_set(reterr, ERR_CORRUPT, "the certificate that came back is for another key");
	if ((rc = chain_check(chain, strlen(chain), j->root_pem.data, j->root_pem.size, j->o->now_ms, ret, reterr)) !=
	    ERR_OK)
		return corrupt(reterr, rc);
	if (ret->role != j->name.role || !text_equal(ret->name, j->name.name) ||
	    !text_equal(ret->domain, j->name.domain))
		return err_set(reterr, ERR_CORRUPT, "the certificate that came back is for %s %s of %s",
		    tls_role_text(ret->role), ret->name, ret->domain);
	return ERR_OK;
}

/* ---- the folder ---- */

static enum err_code make_temporary(struct join *j, struct err *reterr)
{
	char parent[PATH_LIMIT];
	text_copy(parent, sizeof parent, j->o->folder);
	for (size_t n = strlen(parent); n > 1 && parent[n - 1] == '/';)
		parent[--n] = '\0';
	char *slash = strrchr(parent, '/');
	if (!text_format(j->temporary, sizeof j->temporary, "%s.XXXXXX", parent))
		return err_set(reterr, ERR_LIMIT, "%s: too long a path", j->o->folder);
	*(slash == parent ? slash + 1 : slash) = '\0';
	enum err_code rc = file_make_dirs(parent, 0700, reterr);
	if (rc == ERR_OK && !mkdtemp(j->temporary))
		rc = err_sys(reterr, errno, "%s", j->o->folder);
	if (rc != ERR_OK)
		j->temporary[0] = '\0';
	return rc;
}

static enum err_code write_files(struct join *j, struct err *reterr)
{
	enum err_code rc = new_files_key(&j->files, "key.pem", j->key, reterr);
	if (rc == ERR_OK)
		rc = new_files_add(&j->files, "cert.pem", j->answer.chain, strlen(j->answer.chain), 0644, reterr);
	if (rc == ERR_OK)
		rc = new_files_add(&j->files, "authority.pem", j->root_pem.data, j->root_pem.size, 0644, reterr);
	/* Write order: files, their folder, then the rename that makes it ours, then the folder above. */
	if (rc == ERR_OK)
		rc = file_sync_dir(j->temporary, reterr);
	if (rc == ERR_OK && rename(j->temporary, j->o->folder) != 0)
		rc = errno == ENOTEMPTY || errno == EEXIST
			 ? err_set(reterr, ERR_EXISTS, "%s holds an identity already: move it away to enrol again",
			       j->o->folder)
			 : err_sys(reterr, errno, "%s", j->o->folder);
	return rc;
}

static enum err_code keep(struct join *j, struct err *reterr)
{
	char parent[PATH_LIMIT];
	j->files = (struct new_files){.folder = j->temporary};
	enum err_code rc = write_files(j, reterr);
	if (rc != ERR_OK)
		return new_files_settle(&j->files, rc, reterr);
	j->temporary[0] = '\0';
	text_format(parent, sizeof parent, "%s/..", j->o->folder);
	return file_sync_dir(parent, reterr);
}

enum err_code enrol_join_with(
    const struct enrol_options *o, const struct enrol_io *io, struct tls_peer *ret, struct err *reterr)
{
	CLEANUP(join_done) struct join j = {.o = o, .io = io, .arena = arena_new(1 << 20)};
	struct tls_peer us;
	if (!j.arena)
		return err_set(reterr, ERR_NOMEM, "out of memory for an enrolment");
	if (o->role != TLS_ROLE_HOST && o->role != TLS_ROLE_OPERATOR)
		return err_set(reterr, ERR_INVALID,
		    "only hosts and operators enrol; a controller's certificate is made with `kedge ca issue`");
	enum err_code rc = tls_name_make(o->role, o->domain, o->name, &j.name, reterr);
	/* Everything that can fail here fails before the token is spent. */
	if (rc != ERR_OK || (rc = enrol_token_parse(o->token, &j.token, reterr)) != ERR_OK ||
	    (rc = folder_free(o->folder, reterr)) != ERR_OK || (rc = pick_root(&j, reterr)) != ERR_OK ||
	    (rc = make_temporary(&j, reterr)) != ERR_OK)
		return rc;
	if ((rc = ask(&j, reterr)) != ERR_OK || (rc = check_answer(&j, &us, reterr)) != ERR_OK ||
	    (rc = keep(&j, reterr)) != ERR_OK)
		return rc;
	*ret = us;
	return ERR_OK;
}

/* ---- the real way to the controller ---- */

CLEANUP_DEFINE(struct tls_context, context_cleanup, tls_context_free)

static enum err_code ask_controller(void *ctx, const struct enrol_options *o, const struct bytes *authority_pem,
    const char *body, int *ret_status, struct buf *out, struct err *reterr)
{
	(void)ctx;
	CLEANUP(tls_trust_cleanup) struct tls_trust *trust = NULL;
	CLEANUP(context_cleanup) struct tls_context *tls = NULL;
	CLEANUP(buf_done) struct buf raw = BUF_INIT;
	struct exchange_answer answer;
	enum err_code rc = tls_trust_from_pem(authority_pem->data, authority_pem->size, &trust, reterr);
	struct tls_config config = {
	    .trust = trust, .domain = o->domain, .roles = TLS_ROLE_BIT(TLS_ROLE_CONTROLLER), .name = o->controller};
	if (rc != ERR_OK || (rc = tls_context_new(&config, &tls, reterr)) != ERR_OK)
		return rc;
	struct exchange x = {.url = o->url,
	    .path = "/api/v1/ca/enrol",
	    .tls = tls,
	    .body = body,
	    .timeout_ms = o->timeout_ms ? o->timeout_ms : ENROL_TIMEOUT_MS};
	if ((rc = exchange_post(&x, &raw, &answer, reterr)) != ERR_OK)
		return rc;
	*ret_status = answer.status;
	buf_append(out, answer.body.data, answer.body.size);
	return out->failed ? err_set(reterr, ERR_NOMEM, "out of memory for an answer") : ERR_OK;
}

enum err_code enrol_join(const struct enrol_options *o, struct tls_peer *ret, struct err *reterr)
{
	static const struct enrol_io real = {.ask = ask_controller};
	return enrol_join_with(o, &real, ret, reterr);
}
