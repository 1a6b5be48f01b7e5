/* controller/center/verbs_site.c: hosts, services and restore points; the controller itself, people, certificates. */
#include "controller/center/chain.h"
#include "controller/center/verbs.h"
#include "shared/base/text.h"

/* ---- hosts, services, restore points ---- */

static enum err_code single_order(struct job *j, enum order_kind kind, struct err *reterr)
{
	struct order_record o;
	struct id snapshot = {0};
	enum err_code rc = j->a->snapshot ? id_parse(ID_SNAPSHOT, j->a->snapshot, &snapshot, reterr) : ERR_OK;
	if (rc == ERR_OK)
		rc = recovery_order(
		    j->t, &j->c->recovery, &j->who, kind, j->a->service, j->a->host, snapshot, &o, reterr);
	return rc == ERR_OK ? job_answer(j, &order_record_type, &o, reterr) : rc;
}
enum err_code do_snapshot_create(struct job *j, struct err *reterr)
{
	return single_order(j, ORDER_SNAPSHOT, reterr);
}
enum err_code do_snapshot_verify(struct job *j, struct err *reterr)
{
	return single_order(j, ORDER_VERIFY, reterr);
}
enum err_code do_service_probe(struct job *j, struct err *reterr)
{
	return single_order(j, ORDER_PROBE, reterr);
}

enum err_code do_snapshot_condemn(struct job *j, struct err *reterr)
{
	struct id id;
	enum err_code rc = id_parse(ID_SNAPSHOT, j->a->snapshot, &id, reterr);
	return rc == ERR_OK ? fleet_snapshot_condemn(j->t, &j->who, id, j->a->text, reterr) : rc;
}

enum err_code do_service_maintenance(struct job *j, struct err *reterr)
{
	struct health_transitions moved = {0};
	enum err_code rc = j->a->until_ms ? health_maintenance_start(j->t, &j->c->health, &j->who, j->a->service,
						j->a->host, j->a->until_ms, j->a->text, &moved, reterr)
					  : health_maintenance_end(j->t, &j->c->health, &j->who, j->a->service,
						j->a->host, &moved, reterr);
	return rc == ERR_OK ? chain_on_transitions(j->t, j->c, &moved, reterr) : rc;
}

enum err_code do_host_unbar(struct job *j, struct err *reterr)
{
	return fleet_host_unbar(j->t, &j->who, j->a->host, j->a->keep, reterr);
}

enum err_code do_host_revoke(struct job *j, struct err *reterr)
{
	size_t count;
	struct health_transitions moved = {0};
	enum err_code rc = access_revoke_name(j->t, &j->who, CERTIFICATE_HOST, j->a->host, j->a->text, &count, reterr);
	if (rc != ERR_OK || (rc = fleet_host_revoke(j->t, &j->who, j->a->host, j->a->text, reterr)) != ERR_OK ||
	    (rc = health_on_silent(j->t, &j->c->health, j->a->host, "its certificate is revoked", &moved, reterr)) !=
		ERR_OK)
		return rc;
	return chain_on_transitions(j->t, j->c, &moved, reterr);
}

/* ---- the controller itself, people, certificates ---- */

static enum err_code brakes_answer(struct job *j, enum err_code rc, struct err *reterr)
{
	struct brakes b;
	if (rc == ERR_OK)
		rc = brakes_get(j->t, &b, reterr);
	return rc == ERR_OK ? job_answer(j, &brakes_type, &b, reterr) : rc;
}
enum err_code do_halt(struct job *j, struct err *reterr)
{
	return brakes_answer(j, brakes_halt(j->t, &j->who, true, j->a->text, reterr), reterr);
}
enum err_code do_resume(struct job *j, struct err *reterr)
{
	return brakes_answer(j, brakes_halt(j->t, &j->who, false, j->a->text, reterr), reterr);
}
enum err_code do_confirm(struct job *j, struct err *reterr)
{
	return brakes_answer(j, brakes_observe(j->t, &j->who, false, j->a->text, reterr), reterr);
}

enum err_code do_audit_checkpoint(struct job *j, struct err *reterr)
{
	struct audit_checkpoint made;
	enum err_code rc = audit_note(
	    j->t, &j->who, "audit.checkpoint", "audit", "head", AUDIT_DONE, reterr, "fixes the head of the trail");
	if (rc == ERR_OK)
		rc = audit_checkpoint_make(j->t, &made, reterr);
	return rc == ERR_OK ? job_answer(j, &audit_checkpoint_type, &made, reterr) : rc;
}

enum err_code do_operator_put(struct job *j, struct err *reterr)
{
	struct operator o = {.name = j->a->name, .roles = j->a->roles, .keys = j->a->keys, .disabled = j->a->disabled};
	enum err_code rc = access_operator_put(j->t, &j->who, &o, reterr);
	return rc == ERR_OK ? job_answer(j, &operator_type, &o, reterr) : rc;
}

enum err_code do_ca_token(struct job *j, struct err *reterr)
{
	struct enrolment e;
	uint8_t secret[ACCESS_SECRET_BYTES];
	char *hex = arena_alloc(turn_arena(j->t), 2 * ACCESS_SECRET_BYTES + 1),
	     *id = arena_alloc(turn_arena(j->t), ID_TEXT_MAX);
	enum err_code rc = hex && id
			       ? access_enrolment_create(j->t, &j->who, (enum certificate_role)j->a->role, j->a->name,
				     j->a->lifetime_ms ? j->a->lifetime_ms : 3600 * 1000, &e, secret, reterr)
			       : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK)
		return rc;
	struct enrolment_token token = {id_format(ID_ENROLMENT, e.enrolment, id), text_hex(secret, sizeof secret, hex),
	    e.name, e.role, e.expires_ms};
	return job_answer(j, &enrolment_token_type, &token, reterr);
}

enum err_code do_ca_revoke(struct job *j, struct err *reterr)
{
	const struct issued_certificate c = {
	    .serial = j->a->serial, .role = j->a->role, .name = j->a->name, .not_after_ms = j->a->until_ms};
	return access_certificate_revoke(j->t, &j->who, &c, j->a->text, reterr);
}

/* Refusals are told alike, whatever the reason: the audit trail knows.  They are answers, so that the attempt itself is
 * kept. */
enum err_code do_ca_enrol(struct job *j, struct err *reterr)
{
	struct id id;
	uint8_t secret[ACCESS_SECRET_BYTES];
	enum enrolment_result result;
	enum err_code rc = id_parse(ID_ENROLMENT, j->a->enrolment, &id, reterr);
	if (rc != ERR_OK || (rc = text_unhex(j->a->secret, secret, sizeof secret, reterr)) != ERR_OK ||
	    (rc = access_enrolment_redeem(j->t, id, secret, sizeof secret, (enum certificate_role)j->a->role,
		 j->a->name, j->r->address, &result, reterr)) != ERR_OK)
		return rc;
	struct effect e = {.kind = EFFECT_REPLY,
	    .token = j->r->token,
	    .code = ERR_DENIED,
	    .text = "the token is not valid for this name: ask for a new one (`kedge ca token`)"};
	if (result == ENROLMENT_OK)
		e = (struct effect){.kind = EFFECT_SIGN,
		    .host = j->a->name,
		    .certificate_role = j->a->role,
		    .text = j->a->csr,
		    .token = j->r->token};
	j->answered_later = true;
	return turn_emit(j->t, &e, reterr);
}

enum err_code do_notify_test(struct job *j, struct err *reterr)
{
	uint32_t said;
	return notify_about(j->t, &j->c->notify, NOTIFY_CHANGED, "test",
	    arena_printf(turn_arena(j->t), "%llu", (unsigned long long)turn_now_ms(j->t)),
	    "a test of the notification channels", &said, reterr);
}
