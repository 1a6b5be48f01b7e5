#include "shared/message/order.h"

#include <math.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/openssl.h"

#include <openssl/evp.h>

bool order_is_changing(enum order_kind kind)
{
	return kind == ORDER_ROLLBACK || kind == ORDER_UNDO || kind == ORDER_ACTION;
}

#define MUST (FIELD_REQUIRED | FIELD_ALWAYS) /* its zero means something, so it is always said */

static const struct field plan_host_fields[] = {
    F_STRING(struct plan_host, host, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the host's name"),
    F_U32(struct plan_host, wave, PLAN_WAVES_MAX - 1, MUST | FIELD_COLUMN, "its wave, from 0"),
    F_ID(struct plan_host, snapshot, SNAPSHOT, FIELD_COLUMN,
	"its target restore point; of an undo: the safety snapshot of the order that is undone; of an action: none"),
    F_DIGEST(struct plan_host, precondition, FIELD_WIDE,
	"what was seen of its configuration and code when the plan was made; it must still be so; none: any state"),
};
const struct record_type plan_host_type =
    RECORD_TYPE("plan_host", struct plan_host, plan_host_fields, "one host of a plan");

static const struct field plan_fields[] = {
    F_ID(struct plan, plan, PLAN, FIELD_REQUIRED | FIELD_COLUMN, "the plan; never used twice"),
    F_ID(struct plan, rollback, ROLLBACK, FIELD_REQUIRED | FIELD_COLUMN, "the fleet-wide object that it belongs to"),
    F_ENUM(struct plan, kind, &order_kind_enum, MUST | FIELD_COLUMN, "rollback, undo or action"),
    F_STRING(struct plan, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(struct plan, action, NAME_MAX_BYTES, FIELD_COLUMN, "action: its name in the hosts' agent.yaml"),
    F_STRING(struct plan, first, NAME_MAX_BYTES, FIELD_WIDE,
	"rollback: an action of the hosts' agent.yaml that each runs before it, so that there is room for it"),
    F_ENUMS(struct plan, components, &component_enum, COMPONENT_COUNT, FIELD_COLUMN,
	"what is put back; none for an action"),
    F_LIST(struct plan, hosts, &plan_host_type, PLAN_HOSTS_MAX, FIELD_REQUIRED,
	"every host that it touches, sorted by name"),
    F_BOOL(struct plan, progressive, FIELD_COLUMN, "may go on to older restore points until the probes pass"),
    F_BOOL(struct plan, deep, FIELD_WIDE, "prove it with the deep probes too"),
    F_BOOL(struct plan, cross_schema, FIELD_WIDE,
	"also where a component that stays has another schema now than it had when the restore point was taken"),
    F_DURATION(struct plan, run_limit_ms, ORDER_RUN_LIMIT_MAX_MS, FIELD_WIDE,
	"once begun on a host, the longest it may take there before it is undone; none: the order says"),
    F_DURATION(struct plan, wave_gap_ms, PLAN_LIFETIME_MAX_MS, FIELD_COLUMN,
	"wave n may not begin before not_before_ms + n times this, by the host's own clock"),
    F_TIME(struct plan, not_before_ms, FIELD_REQUIRED | FIELD_COLUMN, "nothing begins earlier"),
    F_TIME(struct plan, expires_ms, FIELD_REQUIRED | FIELD_COLUMN,
	"nothing begins later; at most a day after not_before_ms"),
    F_STRING(struct plan, reason, TEXT_LINE_MAX, FIELD_REQUIRED, "why, for those who approve it"),
    F_STRING(struct plan, author, AUTHOR_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN,
	"the operator who asked for it, or \"policy <name>\""),
};

static enum err_code plan_hosts_check(const struct plan *p, struct err *reterr)
{
	for (size_t i = 1; i < p->hosts.count; i++) {
		const struct plan_host *at = &LIST_AT(p->hosts, struct plan_host, i);
		if (strcmp(at[-1].host, at->host) >= 0)
			return err_set(reterr, ERR_INVALID,
			    "hosts[%zu]: %s after %s: hosts are sorted by name and stand there once", i, at->host,
			    at[-1].host);
	}
	return ERR_OK;
}

/* A rollback and an undo name components and restore points; an action names itself and nothing else. */
static enum err_code plan_kind_check(const struct plan *p, struct err *reterr)
{
	bool action = p->kind == ORDER_ACTION;

	if (!order_is_changing(p->kind))
		return err_set(reterr, ERR_INVALID, "kind: a plan is for a rollback, an undo or an action, not for %s",
		    enum_name(&order_kind_enum, p->kind));
	if (action != (p->action != NULL))
		return err_set(reterr, ERR_INVALID, "action: belongs to an action, and to nothing else");
	if (p->first && p->kind != ORDER_ROLLBACK)
		return err_set(reterr, ERR_INVALID, "first: belongs to a rollback, and to nothing else");
	if (action == (p->components.count > 0))
		return err_set(reterr, ERR_INVALID, "components: belong to a rollback or an undo, and to nothing else");
	for (size_t i = 0; i < p->hosts.count; i++)
		if (action != id_is_zero(LIST_AT(p->hosts, struct plan_host, i).snapshot))
			return err_set(reterr, ERR_INVALID,
			    "hosts[%zu].snapshot: belongs to a rollback or an undo, and to nothing else", i);
	return action && (p->progressive || p->deep)
		   ? err_set(reterr, ERR_INVALID, "progressive, deep: belong to a rollback or an undo")
		   : ERR_OK;
}

static enum err_code plan_check(const void *record, struct err *reterr)
{
	const struct plan *p = record;
	enum err_code rc = components_check(&p->components, reterr);

	if (rc == ERR_OK)
		rc = plan_hosts_check(p, reterr);
	if (rc == ERR_OK)
		rc = plan_kind_check(p, reterr);
	if (rc != ERR_OK)
		return rc;
	if (p->expires_ms <= p->not_before_ms)
		return err_set(reterr, ERR_INVALID, "expires_ms: is not after not_before_ms");
	if (p->expires_ms - p->not_before_ms > PLAN_LIFETIME_MAX_MS)
		return err_set(reterr, ERR_INVALID, "expires_ms: a plan lives for at most a day");
	return ERR_OK;
}
const struct record_type plan_type = RECORD_TYPE(
    "plan", struct plan, plan_fields, "everything that a rollback will do, named beforehand", .check = plan_check);

static const struct field approval_fields[] = {
    F_STRING(struct approval, approver, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN,
	"who says that they signed; what counts is the key"),
    F_STRING(struct approval, signature, PLAN_SIGNATURE_MAX, FIELD_REQUIRED, "armored SSHSIG"),
    F_TIME(struct approval, at_ms, FIELD_COLUMN, "when it reached the controller"),
};
const struct record_type approval_type = RECORD_TYPE("approval", struct approval, approval_fields, "one person's word");

static const struct field policy_fields[] = {
    F_STRING(struct policy, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "its name"),
    F_STRINGS(struct policy, services, POLICY_NAMES_MAX, FIELD_REQUIRED | FIELD_COLUMN | FIELD_SCALAR_OK,
	"services, by name or glob"),
    F_STRINGS(struct policy, hosts, POLICY_NAMES_MAX, FIELD_COLUMN | FIELD_SCALAR_OK,
	"hosts, by name or glob; none: every host"),
    F_ENUMS(struct policy, components, &component_enum, COMPONENT_COUNT, FIELD_COLUMN | FIELD_SCALAR_OK,
	"what may be rolled back"),
    F_STRINGS(struct policy, actions, POLICY_NAMES_MAX, FIELD_COLUMN | FIELD_SCALAR_OK,
	"actions of the services that may be run, by name or glob"),
    F_ENUM(struct policy, least_severity, &severity_enum, FIELD_COLUMN, "of the incident"),
    F_F64(struct policy, least_confidence, FIELD_COLUMN, "of the diagnosis, from 0 to 1"),
    F_BOOL(struct policy, progressive, 0, "its plans may go on to older restore points until the probes pass"),
    F_U32(struct policy, max_hosts, PLAN_HOSTS_MAX, FIELD_REQUIRED | FIELD_COLUMN, "of one plan", .min = 1),
    F_U32(struct policy, max_per_hour, PLAN_HOSTS_MAX, FIELD_REQUIRED | FIELD_COLUMN,
	"plans for one service, fleet-wide", .min = 1),
    F_DURATION(struct policy, cool_down_ms, POLICY_COOL_DOWN_MAX_MS, FIELD_COLUMN,
	"rest after an automatic rollback of the service"),
    F_TIME(struct policy, expires_ms, FIELD_REQUIRED | FIELD_COLUMN, "the policy itself ends then"),
    F_STRING(struct policy, reason, TEXT_LINE_MAX, FIELD_REQUIRED, "why it is safe without a person"),
};

static enum err_code policy_check(const void *record, struct err *reterr)
{
	const struct policy *p = record;

	if (!isfinite(p->least_confidence) || p->least_confidence < 0 || p->least_confidence > 1)
		return err_set(reterr, ERR_INVALID, "least_confidence: expected a number from 0 to 1");
	if (!p->components.count && !p->actions.count)
		return err_set(
		    reterr, ERR_INVALID, "components: missing, and no actions either: it would cover nothing");
	return components_check(&p->components, reterr);
}
const struct record_type policy_type = RECORD_TYPE(
    "policy", struct policy, policy_fields, "which changes need no person at the moment itself", .check = policy_check);

static const struct field signed_policy_fields[] = {
    F_BYTES(struct signed_policy, document, POLICY_BYTES_MAX, FIELD_REQUIRED,
	"the policy's YAML, byte for byte as it was signed"),
    F_LIST(struct signed_policy, approvals, &approval_type, PLAN_APPROVALS_MAX, FIELD_REQUIRED,
	"signatures over it (namespace kedge-policy)"),
};
const struct record_type signed_policy_type = RECORD_TYPE("signed_policy", struct signed_policy, signed_policy_fields,
    "a standing policy with the word of those who signed it");

static const struct field order_fields[] = {
    F_ID(struct order, order, ORDER, FIELD_REQUIRED | FIELD_COLUMN,
	"the order; a repeated one is answered with the recorded outcome"),
    F_ENUM(struct order, kind, &order_kind_enum, MUST | FIELD_COLUMN, "what is to be done"),
    F_U64(struct order, epoch, 0, MUST, "fencing: a keeper obeys no lower one than it has seen", .min = 1),
    F_TIME(struct order, issued_ms, FIELD_REQUIRED | FIELD_COLUMN, "by the controller's clock"),
    F_TIME(struct order, expires_ms, FIELD_REQUIRED | FIELD_COLUMN, "after this it must not begin"),
    F_DURATION(struct order, run_limit_ms, ORDER_RUN_LIMIT_MAX_MS, FIELD_REQUIRED,
	"once begun, the longest it may take before it is undone; as the plan says, where it says so", .min = 1),
    F_STRING(struct order, host, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the host's name"),
    F_STRING(struct order, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUMS(struct order, components, &component_enum, COMPONENT_COUNT, FIELD_COLUMN,
	"none: all that the host declares (snapshot, verify and probe only)"),
    F_ID(struct order, snapshot, SNAPSHOT, FIELD_COLUMN,
	"rollback, verify: the restore point; undo: the safety snapshot of the order that is undone"),
    F_ID(struct order, undo_of, ORDER, FIELD_WIDE, "undo: the order to undo"),
    F_DIGEST(struct order, precondition, FIELD_WIDE, "as the plan says of this host"),
    F_ID(struct order, incident, INCIDENT, FIELD_WIDE, "the incident that it belongs to"),
    F_ID(struct order, change, CHANGE, FIELD_WIDE, "the change request"),
    F_ID(struct order, rollback, ROLLBACK, FIELD_WIDE, "the fleet-wide rollback"),
    F_STRING(
	struct order, issuer, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "on whose behalf the controller asks"),
    F_STRING(struct order, reason, TEXT_LINE_MAX, 0, "why"),
    F_BOOL(struct order, deep, FIELD_WIDE, "prove it with the deep probes too; as the plan says"),
    F_RECORD(struct order, plan, struct plan, &plan_type, 0, "what people approved (rollback, undo and action only)"),
    F_LIST(struct order, approvals, &approval_type, PLAN_APPROVALS_MAX, 0,
	"signatures over the plan's digest (namespace kedge-plan)"),
    F_RECORD(
	struct order, policy, struct signed_policy, &signed_policy_type, 0, "the standing policy that covers the plan"),
};

static enum err_code order_check(const void *record, struct err *reterr)
{
	const struct order *o = record;
	bool changing = order_is_changing(o->kind), action = o->kind == ORDER_ACTION;
	enum err_code rc = components_check(&o->components, reterr);

	if (rc != ERR_OK)
		return rc;
	if (o->expires_ms <= o->issued_ms)
		return err_set(reterr, ERR_INVALID, "expires_ms: is not after issued_ms");
	if (((changing && !action) || o->kind == ORDER_VERIFY) && id_is_zero(o->snapshot))
		return err_set(reterr, ERR_INVALID, "snapshot: %s needs one", enum_name(&order_kind_enum, o->kind));
	if ((o->kind == ORDER_UNDO) == id_is_zero(o->undo_of))
		return err_set(reterr, ERR_INVALID, "undo_of: belongs to an undo, and to nothing else");
	if (action && (o->components.count || !id_is_zero(o->snapshot)))
		return err_set(reterr, ERR_INVALID, "components, snapshot: an action has none");
	if (changing && !action && !o->components.count)
		return err_set(reterr, ERR_INVALID, "components: a changing order names them");
	/* Whether what a changing order carries suffices is the host's to judge, and to answer: shared/approval. */
	if (!changing && (o->plan || o->approvals.count || o->policy))
		return err_set(
		    reterr, ERR_INVALID, "plan, approvals, policy: belong to a rollback, an undo or an action");
	return ERR_OK;
}
const struct record_type order_type =
    RECORD_TYPE("order", struct order, order_fields, "what one host is asked to do, once", .check = order_check);

static enum err_code sha256(const struct buf *data, struct digest *ret, const char *what, struct err *reterr)
{
	struct digest digest;
	unsigned int size = 0;

	if (data->failed)
		return err_set(reterr, ERR_NOMEM, "%s: no memory for its digest", what);
	if (EVP_Digest(data->data, data->size, digest.b, &size, EVP_sha256(), NULL) != 1 || size != sizeof digest.b)
		return err_set(reterr, ERR_INTERNAL, "%s: SHA-256 failed", what);
	*ret = digest;
	return ERR_OK;
}

enum err_code plan_digest(const struct plan *p, struct digest *ret, struct err *reterr)
{
	CLEANUP(buf_done) struct buf canonical = BUF_INIT;
	enum err_code rc = record_to_msgpack(&plan_type, p, &canonical, reterr);

	return rc != ERR_OK ? err_prefix(reterr, rc, "plan") : sha256(&canonical, ret, "plan", reterr);
}

/* Over each component's name, its length in one byte before it, and its digest, in the order of enum component. */
enum err_code precondition_digest(
    const struct digest live[COMPONENT_COUNT], uint32_t components, struct digest *ret, struct err *reterr)
{
	static const uint32_t still = 1u << COMPONENT_CONFIG | 1u << COMPONENT_CODE;
	CLEANUP(buf_done) struct buf all = BUF_INIT;

	for (uint32_t i = 0; i < COMPONENT_COUNT; i++) {
		const char *name = enum_name(&component_enum, i);
		uint8_t size = (uint8_t)strlen(name);
		if (!(components & still & 1u << i))
			continue;
		buf_append(&all, &size, 1);
		buf_append(&all, name, size);
		buf_append(&all, live[i].b, sizeof live[i].b);
	}
	if (!all.size && !all.failed) {
		*ret = (struct digest){0};
		return ERR_OK;
	}
	return sha256(&all, ret, "precondition", reterr);
}
