#include "shared/base/openssl.h"
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "agent/probe/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/base/text.h"

struct trust {
	char *authority; /* NULL: the system's */
	SSL_CTX *context;
	struct stat file;
};

struct trust_store {
	struct trust *items[TRUST_FILES_MAX];
	size_t count;
};

struct trust_store *trust_store_new(void)
{
	return calloc(1, sizeof(struct trust_store));
}

static void trust_free(struct trust *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->context);
	free(t->authority);
	free(t);
}

void trust_store_free(struct trust_store *s)
{
	for (size_t i = 0; s && i < s->count; i++)
		trust_free(s->items[i]);
	free(s);
}

struct ssl_ctx_st *trust_context(const struct trust *t)
{
	return t->context;
}

static enum err_code load(struct trust *t, struct err *reterr)
{
	ERR_clear_error();
	t->context = SSL_CTX_new(TLS_client_method());
	if (!t->context)
		return err_set(reterr, ERR_NOMEM, "no memory for a TLS context");
	/* A service's own choice of protocol is what is probed: only what nobody should offer any more is refused. */
	(void)SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(t->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(t->context, SSL_MODE_RELEASE_BUFFERS);
	if (!t->authority)
		return SSL_CTX_set_default_verify_paths(t->context) == 1
			   ? ERR_OK
			   : err_set(reterr, ERR_IO, "cannot read the system's authorities");
	if (stat(t->authority, &t->file) < 0)
		return err_sys(reterr, errno, "cannot read the authority %s", t->authority);
	if (SSL_CTX_load_verify_locations(t->context, t->authority, NULL) != 1)
		return err_set(reterr, ERR_INVALID, "%s holds no certificate of an authority (PEM)", t->authority);
	return ERR_OK;
}

static bool unchanged(const struct trust *t)
{
	struct stat now;
	return !t->authority || (stat(t->authority, &now) == 0 && now.st_mtim.tv_sec == t->file.st_mtim.tv_sec &&
				    now.st_mtim.tv_nsec == t->file.st_mtim.tv_nsec && now.st_ino == t->file.st_ino);
}

static enum err_code make(const char *authority, struct trust **ret, struct err *reterr)
{
	struct trust *t = calloc(1, sizeof *t);
	if (!t || (authority && !(t->authority = strdup(authority)))) {
		trust_free(t);
		return err_set(reterr, ERR_NOMEM, "no memory for a TLS context");
	}
	enum err_code rc = load(t, reterr);
	if (rc != ERR_OK)
		trust_free(t);
	else
		*ret = t;
	return rc;
}

enum err_code trust_get(struct trust_store *s, const char *authority, struct trust **ret, struct err *reterr)
{
	size_t at = 0;
	while (at < s->count && !text_equal(s->items[at]->authority, authority))
		at++;
	if (at < s->count && unchanged(s->items[at])) {
		*ret = s->items[at];
		return ERR_OK;
	}
	if (at == TRUST_FILES_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d authority files are probed against", TRUST_FILES_MAX);
	struct trust *t;
	enum err_code rc = make(authority, &t, reterr);
	if (rc != ERR_OK)
		return rc;
	if (at < s->count)
		trust_free(s->items[at]);
	else
		s->count++;
	s->items[at] = t;
	*ret = t;
	return ERR_OK;
}
