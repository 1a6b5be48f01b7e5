/* certs/enrol.h: how a host (or an operator) gets its first certificate: the side of whom it is for.
 *
 * A token is shown once by `kedge host enrol NAME` and carries three things: which enrolment, its secret, and the
 * SHA-256 of the authority's root certificate.  Whoever joins brings the authority's file from somewhere; it is held
 * against the token before anything is sent, so a false authority, or a false controller, never sees the secret.  The
 * key is made here and never leaves: only a request travels, and only to a server that shows the controller's own
 * certificate by that authority.  What comes back is believed if it is by that authority, for our key and our name.
 *
 *   folder/key.pem        0600
 *   folder/cert.pem       0644   ours, then the issuing one
 *   folder/authority.pem  0644   the pinned root alone
 *
 * All three appear together, by the rename of a folder, or not at all.  Blocking; any thread. */
#ifndef KEDGE_CERTS_ENROL_H
#define KEDGE_CERTS_ENROL_H

#include "certs/limits.h"
#include "shared/record/record.h"
#include "shared/tls/certificate.h"

struct enrol_token {
	char enrolment[ID_TEXT_MAX];
	char secret[65];                       /* hex; wipe it after use */
	char fingerprint[TLS_FINGERPRINT_MAX]; /* of the authority's root */
};
/* "kedge1.<enrolment>.<secret>.<fingerprint>".  ERR_INVALID says which part is wrong; the secret is never repeated. */
ERR_CHECK enum err_code enrol_token_parse(const char *text, struct enrol_token *ret, struct err *reterr);
/* Checks the parts as well. */
ERR_CHECK enum err_code enrol_token_format(
    const struct enrol_token *token, char out[ENROL_TOKEN_MAX], struct err *reterr);

struct enrol_options {
	const char *url;        /* https://host:port: the controller's port for operators */
	const char *controller; /* its name, as its certificate must say */
	const char *domain;
	enum tls_role role; /* host or operator */
	const char *name;   /* the host's (or operator's) */
	const char *token;
	const char
	    *authority;      /* a PEM file; the certificate in it that the token pins is used, others are passed over */
	const char *folder;  /* made here; must not be there, or be empty */
	uint64_t now_ms;     /* unix */
	uint32_t timeout_ms; /* 0: ENROL_TIMEOUT_MS */
};
/* Who we are now.  ERR_INVALID (token, names, files), ERR_EXISTS (the folder holds something), ERR_DENIED (the
 * authority is not the token's, the server is not the controller, or it refuses the token), ERR_UNREACHABLE,
 * ERR_TIMEOUT, ERR_CORRUPT (the certificate is not what was asked for).  Nothing is left behind on failure. */
ERR_CHECK enum err_code enrol_join(const struct enrol_options *o, struct tls_peer *ret, struct err *reterr);

/* The same with another way to the controller (tests).  ask: the JSON body of POST /api/v1/ca/enrol in, status and JSON
 * out; authority_pem is the pinned root. */
struct enrol_io {
	void *ctx;
	enum err_code (*ask)(void *ctx, const struct enrol_options *o, const struct bytes *authority_pem,
	    const char *body, int *ret_status, struct buf *out, struct err *reterr);
};
ERR_CHECK enum err_code enrol_join_with(
    const struct enrol_options *o, const struct enrol_io *io, struct tls_peer *ret, struct err *reterr);

extern const struct record_type *const enrol_types[]; /* what travels */

#endif
