/* controller/access/records.c: the record types and tables of access. */
#include "controller/access/access.h"

static const char *const role_names[] = {"viewer", "responder", "approver", "admin"};
const struct enum_type role_enum = ENUM_TYPE("role", role_names);
static const char *const certificate_role_names[] = {"host", "operator", "controller"};
const struct enum_type certificate_role_enum = ENUM_TYPE("certificate_role", certificate_role_names);
static const char *const result_names[] = {"ok", "unknown", "wrong_secret", "wrong_name", "expired", "used"};
const struct enum_type enrolment_result_enum = ENUM_TYPE("enrolment_result", result_names);

static const struct field operator_fields[] = {
    F_STRING(struct operator, name, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"as in the certificate spiffe://<domain>/operator/<name>"),
    F_ENUMS(struct operator, roles, &role_enum, ROLE_COUNT, FIELD_COLUMN, "what the operator may do"),
    F_STRINGS(struct operator, keys, ACCESS_KEYS_MAX, FIELD_WIDE,
	"OpenSSH public keys, one line each, that sign the operator's approvals"),
    F_BOOL(struct operator, disabled, FIELD_ALWAYS | FIELD_COLUMN, "may do nothing"),
    F_TIME(struct operator, created_ms, FIELD_WIDE, "when first known"),
    F_TIME(struct operator, changed_ms, FIELD_WIDE, "when last changed"),
};
static enum err_code operator_check(const void *record, struct err *reterr);
const struct record_type operator_type = RECORD_TYPE(
    "operator", struct operator, operator_fields, "a person who may use the controller", .check = operator_check);

static enum err_code operator_check(const void *record, struct err *reterr)
{
	const struct operator* o = record;
	for (size_t i = 0; i < o->keys.count; i++) {
		const char *key = LIST_AT(o->keys, const char *, i);
		size_t size = 0;
		while (key[size] && key[size] != '\n' && size <= ACCESS_KEY_BYTES_MAX)
			size++;
		if (key[size] || size > ACCESS_KEY_BYTES_MAX)
			return err_set(reterr, ERR_INVALID,
			    "keys[%zu]: expected one line of an OpenSSH public key of at most %d bytes", i,
			    ACCESS_KEY_BYTES_MAX);
	}
	return ERR_OK;
}

static const struct field certificate_fields[] = {
    F_STRING(struct issued_certificate, serial, ACCESS_SERIAL_MAX, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"serial number, lower-case hex"),
    F_ENUM(struct issued_certificate, role, &certificate_role_enum, FIELD_ALWAYS | FIELD_COLUMN, "what it is for"),
    F_STRING(
	struct issued_certificate, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN, "whose it is"),
    F_TIME(struct issued_certificate, issued_ms, FIELD_WIDE, "when issued"),
    F_TIME(struct issued_certificate, not_after_ms, FIELD_COLUMN, "end of its life", .column = "EXPIRES"),
    F_TIME(struct issued_certificate, revoked_ms, FIELD_COLUMN, "when revoked", .column = "REVOKED"),
    F_STRING(struct issued_certificate, revoked_by, AUDIT_OBJECT_MAX, FIELD_WIDE, "by whom"),
    F_STRING(struct issued_certificate, reason, TEXT_LINE_MAX, FIELD_WIDE, "why it was revoked"),
};
const struct record_type issued_certificate_type = RECORD_TYPE(
    "issued_certificate", struct issued_certificate, certificate_fields, "a certificate that the authority has issued");

static const struct field enrolment_fields[] = {
    F_ID(struct enrolment, enrolment, ENROLMENT, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "names the token",
	.column = "ID"),
    F_DIGEST(struct enrolment, secret, FIELD_SECRET, "SHA-256 of the token's secret"),
    F_ENUM(struct enrolment, role, &certificate_role_enum, FIELD_ALWAYS | FIELD_COLUMN, "what it enrols"),
    F_STRING(struct enrolment, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the only name it is good for"),
    F_TIME(struct enrolment, created_ms, FIELD_WIDE, "when made"),
    F_TIME(struct enrolment, expires_ms, FIELD_COLUMN, "end of its life", .column = "EXPIRES"),
    F_TIME(struct enrolment, used_ms, FIELD_COLUMN, "when used", .column = "USED"),
    F_STRING(struct enrolment, created_by, AUDIT_OBJECT_MAX, FIELD_WIDE, "by whom"),
    F_STRING(struct enrolment, used_from, NAME_MAX_BYTES, FIELD_WIDE, "address that used it"),
};
const struct record_type enrolment_type =
    RECORD_TYPE("enrolment", struct enrolment, enrolment_fields, "a one-time token for a certificate");

const struct table operator_table = {"operator", &operator_type};
const struct table certificate_table = {"certificate", &issued_certificate_type};
const struct table enrolment_table = {"enrolment", &enrolment_type};

const struct record_type *const access_types[] = {&operator_type, &issued_certificate_type, &enrolment_type, NULL};
const struct table *const access_tables[] = {&operator_table, &certificate_table, &enrolment_table, NULL};
