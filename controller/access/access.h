/* controller/access/access.h: who may do what: operators and their roles, issued certificates and their revocation,
 * one-time enrolment.
 *
 * Owns the tables `operator`, `certificate`, `enrolment`.  Default deny: what the permission table in permission.c does
 * not name is refused, an unknown or disabled operator is refused, a revoked certificate is refused.  Every change is
 * audited in the same turn. Expected refusals are result enums (audited here), not errors. Pure: only the turn. Secrets
 * are compared in constant time, as SHA-256 digests; only digests are stored. */
#ifndef KEDGE_CONTROLLER_ACCESS_ACCESS_H
#define KEDGE_CONTROLLER_ACCESS_ACCESS_H

#include "controller/audit/audit.h"

enum {
	ACCESS_KEYS_MAX = 8,         /* public keys of one operator: a laptop, a token, their successors */
	ACCESS_KEY_BYTES_MAX = 4096, /* one line of an OpenSSH public key file (RSA 16384 fits) */
	ACCESS_SERIAL_MAX = 64,      /* hex of at most 20 octets (RFC 5280 §4.1.2.2), with room */
	ACCESS_SECRET_BYTES = 32,    /* of an enrolment token: beyond guessing */
	ACCESS_SERIAL_LEAST = 2,     /* one octet: shorter is a slip of the hand */
	ACCESS_ENROLMENT_MAX_MS = 7 * 24 * 3600 * 1000, /* longest life of a token */
};

/* No authority of ours signs for longer (certs/authority.h). */
#define ACCESS_UNKNOWN_LIFE_MS (10ull * 366 * 24 * 3600 * 1000)

enum role { ROLE_VIEWER, ROLE_RESPONDER, ROLE_APPROVER, ROLE_ADMIN, ROLE_COUNT };
extern const struct enum_type role_enum; /* viewer responder approver admin */

struct operator
{
	const char *name;  /* KEY; as in the certificate spiffe://<domain>/operator/<name> */
	struct list roles; /* enum role */
	struct list keys;  /* OpenSSH public keys (one line each) that sign approvals */
	bool disabled;
	uint64_t created_ms, changed_ms;
};

enum certificate_role { CERTIFICATE_HOST, CERTIFICATE_OPERATOR, CERTIFICATE_CONTROLLER, CERTIFICATE_ROLE_COUNT };
extern const struct enum_type certificate_role_enum; /* host operator controller */
struct issued_certificate {
	const char *serial; /* KEY; lower-case hex */
	uint32_t role;      /* enum certificate_role */
	const char *name;   /* INDEXED; host's or operator's */
	uint64_t issued_ms, not_after_ms;
	uint64_t revoked_ms; /* 0: not revoked */
	const char *revoked_by;
	const char *reason;
};

struct enrolment {
	struct id enrolment;  /* KEY */
	struct digest secret; /* SHA-256 of the token's secret; SECRET */
	uint32_t role;        /* enum certificate_role */
	const char *name;     /* the host (or operator) that it is bound to */
	uint64_t created_ms, expires_ms, used_ms;
	const char *created_by;
	const char *used_from; /* address */
};

extern const struct record_type operator_type, issued_certificate_type, enrolment_type;
extern const struct table operator_table, certificate_table, enrolment_table;
extern const struct record_type *const access_types[];
extern const struct table *const access_tables[];

/* ---- operators ---- */
ERR_CHECK enum err_code access_operator_get(
    struct turn *t, const char *name, struct operator* ret, bool *ret_found, struct err *reterr);
/* Add or change; created_ms and changed_ms are set here.  The last enabled admin can neither be disabled nor lose the
 * role (ERR_DENIED). */
ERR_CHECK enum err_code access_operator_put(
    struct turn *t, const struct actor *who, const struct operator* o, struct err *reterr);
/* At boot: operators of the configuration (struct operator) that are not in the store yet. */
ERR_CHECK enum err_code access_operator_seed(struct turn *t, const struct list *operators, struct err *reterr);

/* *ret_allowed from the one table; false for unknown or disabled operators and unknown nouns or verbs.  NULL name:
 * anonymous. */
ERR_CHECK enum err_code access_allowed(struct turn *t, const char *operator_name, const char *noun, const char *verb,
    bool *ret_allowed, struct err *reterr);
/* Does the operator hold the role (and is not disabled)? */
ERR_CHECK enum err_code access_has_role(
    struct turn *t, const char *operator_name, enum role role, bool *ret, struct err *reterr);
/* The permission table itself, for docs and for the exhaustive test. */
struct permission {
	const char *noun, *verb;
	uint32_t roles; /* bits 1u << enum role, any of them */
	bool anonymous;
};
extern const struct permission access_permissions[];
extern const size_t access_permission_count;

/* ---- certificates ---- */
ERR_CHECK enum err_code access_certificate_issued(
    struct turn *t, const struct actor *who, const struct issued_certificate *c, struct err *reterr);
/* By serial; revoking twice keeps the first.  One that was not issued here (offline, or by a controller whose store is
 * lost) is refused from now on all the same: role, name and not_after_ms of *c are then kept as they were said; without
 * an end it is remembered for ACCESS_UNKNOWN_LIFE_MS.  ERR_INVALID: no serial.  Emits EFFECT_REVOCATIONS. */
ERR_CHECK enum err_code access_certificate_revoke(struct turn *t, const struct actor *who,
    const struct issued_certificate *c, const char *reason, struct err *reterr);
/* Every unexpired certificate of a name; *ret_count how many.  Emits EFFECT_REVOCATIONS when any. */
ERR_CHECK enum err_code access_revoke_name(struct turn *t, const struct actor *who, enum certificate_role role,
    const char *name, const char *reason, size_t *ret_count, struct err *reterr);
/* What the edges refuse: revoked and not yet expired.  *ret: const char * serials, in order. */
ERR_CHECK enum err_code access_revoked(struct turn *t, struct list *ret, struct err *reterr);
ERR_CHECK enum err_code access_is_revoked(struct turn *t, const char *serial, bool *ret, struct err *reterr);

/* ---- enrolment ---- */
/* A new token bound to role and name; secret is fresh and shown once.  ERR_INVALID: lifetime 0 or above
 * ACCESS_ENROLMENT_MAX_MS. */
ERR_CHECK enum err_code access_enrolment_create(struct turn *t, const struct actor *who, enum certificate_role role,
    const char *name, uint64_t lifetime_ms, struct enrolment *ret, uint8_t ret_secret[ACCESS_SECRET_BYTES],
    struct err *reterr);
enum enrolment_result {
	ENROLMENT_OK,
	ENROLMENT_UNKNOWN,
	ENROLMENT_WRONG_SECRET,
	ENROLMENT_WRONG_NAME,
	ENROLMENT_EXPIRED,
	ENROLMENT_USED,
	ENROLMENT_RESULT_COUNT
};
extern const struct enum_type enrolment_result_enum; /* ok unknown wrong_secret wrong_name expired used */
/* One use: ENROLMENT_OK marks it used in this turn.  Anything else changes nothing but the audit trail; tell the peer
 * no more than "refused". */
ERR_CHECK enum err_code access_enrolment_redeem(struct turn *t, struct id enrolment, const void *secret,
    size_t secret_size, enum certificate_role role, const char *name, const char *address, enum enrolment_result *ret,
    struct err *reterr);

#endif
