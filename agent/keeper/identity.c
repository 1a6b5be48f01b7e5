/* agent/keeper/identity.c */
#include "agent/keeper/identity.h"

#include "shared/base/openssl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/tls/identity.h"
#include "shared/tls/key.h"

enum { PEM_FILE_MAX = 64 << 10 };

struct identity {
	const struct agent_config *config;
	char folder[PATH_LIMIT];
	struct buf chain;
	struct secret *key, *next_key; /* PEM */
	uint64_t not_before_ms, not_after_ms, asked_ms;
};

static bool path_of(const struct identity *i, const char *suffix, const char *name, char out[PATH_LIMIT])
{
	return text_format(out, PATH_LIMIT, "%s%s/%s", i->folder, suffix, name);
}

static enum err_code read_times(struct identity *i, struct err *reterr)
{
	X509 *all[TLS_CHAIN_MAX];
	size_t n;
	struct tls_facts facts;
	enum err_code rc = tls_certificates_from_pem(i->chain.data, i->chain.size, all, &n, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = tls_certificate_facts(all[0], &facts, reterr);
	for (size_t k = 0; k < n; k++)
		tls_certificate_free(all[k]);
	i->not_before_ms = facts.not_before_ms;
	i->not_after_ms = facts.not_after_ms;
	return rc;
}

/* Certificate and key belong together and are this host's. */
static enum err_code check(
    const struct identity *i, const char *chain, size_t size, const struct secret *key, struct err *reterr)
{
	CLEANUP(tls_identity_cleanup) struct tls_identity *both = NULL;
	enum err_code rc = tls_identity_from_pem(
	    chain, size, secret_data((struct secret *)(uintptr_t)key), secret_size(key), &both, reterr);
	if (rc != ERR_OK)
		return rc;
	const struct tls_peer *me = tls_identity_peer(both);
	if (me->role != TLS_ROLE_HOST || !text_equal(me->name, i->config->host) ||
	    !text_equal(me->domain, i->config->domain))
		return err_set(reterr, ERR_INVALID, "the certificate is of %s %s in %s, not of host %s in %s",
		    tls_role_text(me->role), me->name, me->domain, i->config->host, i->config->domain);
	return ERR_OK;
}

static enum err_code load(struct identity *i, struct err *reterr)
{
	char path[PATH_LIMIT];
	EVP_PKEY *key = NULL;
	if (!path_of(i, "", "cert.pem", path))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	if (!file_exists(path))
		return err_set(
		    reterr, ERR_NOT_FOUND, "this host has no certificate (%s): enrol it with `kedge-agent join`", path);
	enum err_code rc = file_read(path, PEM_FILE_MAX, &i->chain, reterr);
	if (rc == ERR_OK && !path_of(i, "", "key.pem", path))
		rc = err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	if (rc == ERR_OK && (rc = tls_key_load(path, &key, reterr)) == ERR_OK)
		rc = tls_key_to_pem(key, &i->key, reterr);
	tls_key_free(key);
	if (rc == ERR_OK)
		rc = check(i, buf_str(&i->chain), i->chain.size, i->key, reterr);
	return rc == ERR_OK ? read_times(i, reterr) : rc;
}

enum err_code identity_open(const struct agent_config *c, struct identity **ret, struct err *reterr)
{
	struct identity *i = calloc(1, sizeof *i);
	if (!i)
		return err_set(reterr, ERR_NOMEM, "out of memory for the identity");
	i->config = c;
	enum err_code rc = text_format(i->folder, sizeof i->folder, "%s/identity", c->state_directory)
			       ? load(i, reterr)
			       : err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	if (rc == ERR_OK)
		*ret = i;
	else
		identity_free(i);
	return rc;
}

void identity_free(struct identity *i)
{
	if (!i)
		return;
	buf_done(&i->chain);
	secret_free(i->key);
	secret_free(i->next_key);
	free(i);
}

const char *identity_chain(const struct identity *i)
{
	return buf_str(&i->chain);
}
struct bytes identity_key(const struct identity *i)
{
	return (struct bytes){secret_data(i->key), secret_size(i->key)};
}
uint64_t identity_expires_ms(const struct identity *i)
{
	return i->not_after_ms;
}

enum err_code identity_renewal(
    struct identity *i, uint64_t now_ms, bool *ret_due, struct buf *ret_csr, struct err *reterr)
{
	CLEANUP(tls_key_cleanup) EVP_PKEY *key = NULL;
	struct tls_name me;
	uint64_t life_ms = i->not_after_ms - i->not_before_ms;
	*ret_due = now_ms >= i->not_before_ms + life_ms / 3 * 2 && now_ms - i->asked_ms >= IDENTITY_RETRY_MS;
	if (!*ret_due)
		return ERR_OK;
	i->asked_ms = now_ms;
	secret_free(i->next_key);
	i->next_key = NULL;
	enum err_code rc = tls_key_new(&key, reterr);
	if (rc == ERR_OK)
		rc = tls_key_to_pem(key, &i->next_key, reterr);
	if (rc == ERR_OK)
		rc = tls_name_make(TLS_ROLE_HOST, i->config->domain, i->config->host, &me, reterr);
	return rc == ERR_OK ? tls_csr_new(key, &me, ret_csr, reterr) : rc;
}

static enum err_code write_file(
    const struct identity *i, const char *name, const void *data, size_t size, mode_t mode, struct err *reterr)
{
	char path[PATH_LIMIT];
	return path_of(i, ".new", name, path) ? file_replace(path, data, size, mode, reterr)
					      : err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
}

/* <state>/identity.new is made whole, then exchanged with <state>/identity in one step. */
static enum err_code write_files(struct identity *i, const char *chain, struct err *reterr)
{
	char fresh[PATH_LIMIT], authority[PATH_LIMIT];
	struct buf pem = BUF_INIT;
	if (!text_format(fresh, sizeof fresh, "%s.new", i->folder) || !path_of(i, "", "authority.pem", authority))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	enum err_code rc = file_make_dirs(fresh, 0700, reterr);
	if (rc == ERR_OK && file_exists(authority) && (rc = file_read(authority, PEM_FILE_MAX, &pem, reterr)) == ERR_OK)
		rc = write_file(i, "authority.pem", pem.data, pem.size, 0644, reterr);
	buf_done(&pem);
	if (rc == ERR_OK)
		rc = write_file(i, "key.pem", secret_data(i->next_key), secret_size(i->next_key), 0600, reterr);
	if (rc == ERR_OK)
		rc = write_file(i, "cert.pem", chain, strlen(chain), 0644, reterr);
	if (rc == ERR_OK && renameat2(AT_FDCWD, fresh, AT_FDCWD, i->folder, RENAME_EXCHANGE) != 0)
		rc = err_sys(reterr, errno, "%s cannot be replaced", i->folder);
	if (rc == ERR_OK)
		rc = file_sync_dir(i->config->state_directory, reterr);
	if (rc == ERR_OK && path_of(i, ".new", "key.pem", fresh)) /* the old key has no more use */
		unlink(fresh);
	return rc;
}

enum err_code identity_renewed(struct identity *i, const char *chain, struct err *reterr)
{
	if (!i->next_key)
		return err_set(reterr, ERR_STATE, "a certificate came that nobody asked for");
	enum err_code rc = check(i, chain, strlen(chain), i->next_key, reterr);
	struct identity next = {.config = i->config};
	buf_text(&next.chain, chain);
	if (rc == ERR_OK)
		rc = read_times(&next, reterr);
	if (rc == ERR_OK && next.not_after_ms <= i->not_after_ms)
		rc = err_set(reterr, ERR_INVALID, "the new certificate does not live longer than the old one");
	if (rc == ERR_OK)
		rc = write_files(i, chain, reterr);
	if (rc != ERR_OK) {
		buf_done(&next.chain);
		return err_prefix(reterr, rc, "renewal");
	}
	buf_done(&i->chain);
	i->chain = next.chain;
	i->not_before_ms = next.not_before_ms;
	i->not_after_ms = next.not_after_ms;
	secret_free(i->key);
	i->key = i->next_key;
	i->next_key = NULL;
	return ERR_OK;
}
