/* certs/chain.c: OpenSSL's verification, with our own roots and our own time. */
#include "certs/chain.h"

#include <openssl/x509v3.h>

#include "shared/base/cleanup.h"
#include "shared/tls/key.h"

struct certificates {
	X509 *all[TLS_CHAIN_MAX];
	size_t count;
};

static void certificates_done(struct certificates *c)
{
	for (size_t i = 0; i < c->count; i++)
		tls_certificate_free(c->all[i]);
}

CLEANUP_DEFINE(X509_STORE, store_cleanup, X509_STORE_free)
CLEANUP_DEFINE(X509_STORE_CTX, context_cleanup, X509_STORE_CTX_free)
static void stack_cleanup(STACK_OF(X509) * *stack) /* the certificates in it are somebody else's */
{
	sk_X509_free(*stack);
}

static enum err_code verify(
    const struct certificates *chain, const struct certificates *roots, uint64_t now_ms, struct err *reterr)
{
	CLEANUP(store_cleanup) X509_STORE *store = X509_STORE_new();
	CLEANUP(stack_cleanup) STACK_OF(X509) *between = sk_X509_new_null();
	CLEANUP(context_cleanup) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ready = store && ctx && between;
	for (size_t i = 0; ready && i < roots->count; i++)
		ready = X509_STORE_add_cert(store, roots->all[i]) == 1;
	for (size_t i = 1; ready && i < chain->count; i++)
		ready = sk_X509_push(between, chain->all[i]) > 0;
	if (!ready || X509_STORE_CTX_init(ctx, store, chain->all[0], between) != 1 ||
	    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) != 1)
		return tls_openssl_error(reterr, ERR_NOMEM, "verifying a certificate");
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)(now_ms / 1000));
	if (X509_verify_cert(ctx) == 1)
		return ERR_OK;
	return err_set(reterr, ERR_DENIED, "the certificate is not good: %s",
	    X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
}

enum err_code chain_check(const void *chain_pem, size_t chain_size, const void *roots_pem, size_t roots_size,
    uint64_t now_ms, struct tls_peer *ret, struct err *reterr)
{
	CLEANUP(certificates_done) struct certificates chain = {0}, roots = {0};
	struct tls_peer peer;
	enum err_code rc = tls_certificates_from_pem(chain_pem, chain_size, chain.all, &chain.count, reterr);
	if (rc != ERR_OK ||
	    (rc = tls_certificates_from_pem(roots_pem, roots_size, roots.all, &roots.count, reterr)) != ERR_OK ||
	    (rc = tls_certificate_peer(chain.all[0], &peer, reterr)) != ERR_OK ||
	    (rc = verify(&chain, &roots, now_ms, reterr)) != ERR_OK)
		return rc;
	*ret = peer;
	return ERR_OK;
}
