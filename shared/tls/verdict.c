/* shared/tls/verdict.c: the order of the questions: is it signed by ours and in time, is it for this, who is it, may
 * it. */
#include <string.h>

#include "shared/tls/internal.h"

static const char *const words[] = {
#define X(NAME, word, text) [TLS_##NAME] = word,
    TLS_VERDICTS(X)
#undef X
};

static const char *const texts[] = {
#define X(NAME, word, text) [TLS_##NAME] = text,
    TLS_VERDICTS(X)
#undef X
};

const char *tls_verdict_word(enum tls_verdict v)
{
	return (unsigned)v < TLS_VERDICT_COUNT ? words[v] : "unknown";
}

const char *tls_verdict_text(enum tls_verdict v)
{
	return (unsigned)v < TLS_VERDICT_COUNT ? texts[v] : "unknown";
}

enum tls_verdict tls_verdict_of_openssl(int verify_error)
{
	switch (verify_error) {
	case X509_V_OK:
		return TLS_ACCEPTED;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_NOT_YET_VALID;
	case X509_V_ERR_CERT_REVOKED:
		return TLS_REVOKED;
	case X509_V_ERR_INVALID_PURPOSE:
		return TLS_WRONG_USAGE;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_SUBJECT_ISSUER_MISMATCH:
	case X509_V_ERR_AKID_SKID_MISMATCH:
	case X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH:
		return TLS_WRONG_AUTHORITY;
	default:
		return TLS_BAD_CERTIFICATE;
	}
}

/* An absent extended key usage would mean "for anything" to OpenSSL; here it allows nothing. */
static bool usable_as(X509 *certificate, bool server)
{
	if (!(X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE))
		return false;
	uint32_t wanted = server ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
	return (X509_get_extended_key_usage(certificate) & wanted) != 0;
}

static bool any_revoked(
    const struct tls_policy *policy, const struct tls_peer *peer, const char *const *chain_serials, size_t chain_count)
{
	if (tls_revoked(policy->revocations, peer->serial))
		return true;
	for (size_t i = 0; i < chain_count; i++) {
		if (tls_revoked(policy->revocations, chain_serials[i]))
			return true;
	}
	return false;
}

static enum tls_verdict judge_name(const struct tls_policy *policy, const struct tls_peer *peer)
{
	if (strcmp(peer->domain, policy->domain) != 0)
		return TLS_WRONG_DOMAIN;
	if (!(policy->roles & TLS_ROLE_BIT(peer->role)))
		return TLS_WRONG_ROLE;
	if (policy->name && strcmp(peer->name, policy->name) != 0)
		return TLS_WRONG_NAME;
	return TLS_ACCEPTED;
}

enum tls_verdict tls_judge(const struct tls_policy *policy, X509 *certificate, const char *const *chain_serials,
    size_t chain_count, int verify_error, uint64_t now_ms, struct tls_peer *ret_peer, bool *ret_known)
{
	*ret_known = false;
	if (!certificate)
		return TLS_NO_CERTIFICATE;
	*ret_known = tls_certificate_peer(certificate, ret_peer, NULL) == ERR_OK;
	enum tls_verdict v = tls_verdict_of_openssl(verify_error);
	if (v != TLS_ACCEPTED)
		return v;
	if (*ret_known && ret_peer->not_after_ms <= now_ms)
		return TLS_EXPIRED;
	if (!usable_as(certificate, policy->server))
		return TLS_WRONG_USAGE;
	if (!*ret_known)
		return TLS_MALFORMED_NAME;
	if (any_revoked(policy, ret_peer, chain_serials, chain_count))
		return TLS_REVOKED;
	return judge_name(policy, ret_peer);
}
