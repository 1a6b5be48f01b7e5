#include "shared/message/message.h"

#include <assert.h>
#include <string.h>

#define MUST (FIELD_REQUIRED | FIELD_ALWAYS) /* its zero means something, so it is always said */

static const char *const frame_type_names[] = {
    [FRAME_HELLO] = "hello",
    [FRAME_REPORT] = "report",
    [FRAME_PROGRESS] = "progress",
    [FRAME_CERTIFICATE_REQUEST] = "certificate_request",
    [FRAME_WELCOME] = "welcome",
    [FRAME_ACK] = "ack",
    [FRAME_ORDER] = "order",
    [FRAME_CANCEL] = "cancel",
    [FRAME_CERTIFICATE] = "certificate",
    [FRAME_HALT] = "halt",
    [FRAME_BYE] = "bye",
    [FRAME_LOOK] = "look",
};
static const char *const bye_reason_names[] = {
    [BYE_SHUTDOWN] = "shutdown",
    [BYE_MALFORMED] = "malformed",
    [BYE_TOO_LARGE] = "too_large",
    [BYE_UNKNOWN_TYPE] = "unknown_type",
    [BYE_WRONG_IDENTITY] = "wrong_identity",
    [BYE_DUPLICATE_IDENTITY] = "duplicate_identity",
    [BYE_REVOKED] = "revoked",
    [BYE_VERSION] = "version",
    [BYE_OVERLOAD] = "overload",
    [BYE_OUT_OF_ORDER] = "out_of_order",
};
const struct enum_type frame_type_enum = ENUM_TYPE("frame_type", frame_type_names);
const struct enum_type bye_reason_enum = ENUM_TYPE("bye_reason", bye_reason_names);
_Static_assert(sizeof(frame_type_names) / sizeof(char *) == FRAME_TYPE_COUNT, "frame_type");
_Static_assert(sizeof(bye_reason_names) / sizeof(char *) == BYE_REASON_COUNT, "bye_reason");

/* ---- agent -> controller ---- */

static const struct field declared_action_fields[] = {
    F_STRING(struct declared_action, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "its name"),
    F_ENUMS(struct declared_action, remedies, &remedy_enum, REMEDY_COUNT, FIELD_COLUMN, "what it is good for"),
    F_BOOL(struct declared_action, automatic, FIELD_COLUMN, "a standing policy may run it here"),
    F_STRING(struct declared_action, text, TEXT_LINE_MAX, FIELD_COLUMN, "what it does"),
};
const struct record_type declared_action_type = RECORD_TYPE("declared_action", struct declared_action,
    declared_action_fields, "something that a host may be asked to run for a service");

static const struct field declared_service_fields[] = {
    F_STRING(struct declared_service, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUMS(struct declared_service, components, &component_enum, COMPONENT_COUNT, FIELD_COLUMN, "what it has"),
    F_STRINGS(struct declared_service, depends_on, DECLARED_DEPENDS_MAX, FIELD_COLUMN, "the services that it leans on"),
    F_ENUMS(struct declared_service, automatic, &component_enum, COMPONENT_COUNT, FIELD_COLUMN,
	"what a standing policy may roll back here"),
    F_LIST(struct declared_service, actions, &declared_action_type, DECLARED_ACTIONS_MAX, 0,
	"what it may be asked to run"),
    F_U32(struct declared_service, probes, DECLARED_PROBES_MAX, FIELD_COLUMN, "how many probes it has"),
    F_DURATION(struct declared_service, answer_ms, 0, 0,
	"its probes, asked now, have said how it is within this, however long they hang; 0: not said"),
    F_DURATION(struct declared_service, snapshot_every_ms, 0, FIELD_COLUMN,
	"how often it is snapshotted; 0: not by a schedule"),
    F_BOOL(struct declared_service, self_affecting, 0, "its rollback may cut the host off from the controller"),
    F_STRING(struct declared_service, storage, NAME_MAX_BYTES, FIELD_COLUMN,
	"what its restore points are read from, where other hosts read from that too"),
};

static enum err_code declared_service_check(const void *record, struct err *reterr)
{
	const struct declared_service *s = record;
	enum err_code rc = components_check(&s->components, reterr);

	if (rc != ERR_OK)
		return rc;
	rc = components_check(&s->automatic, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "automatic");
	if (component_set(&s->automatic) & ~component_set(&s->components))
		return err_set(reterr, ERR_INVALID, "automatic: names a component that the service does not have");
	return ERR_OK;
}
const struct record_type declared_service_type = RECORD_TYPE("declared_service", struct declared_service,
    declared_service_fields, "agent.yaml as far as the controller needs it", .check = declared_service_check);

static const struct field hello_fields[] = {
    F_U32(struct hello, version, 0, FIELD_REQUIRED, "the newest protocol that the agent speaks", .min = 1),
    F_U32(struct hello, version_least, 0, FIELD_REQUIRED, "and the oldest that it understands", .min = 1),
    F_STRING(struct hello, agent_version, VERSION_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the program's version"),
    F_STRING(struct hello, host, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN,
	"the host's name; must equal the certificate's"),
    F_ID(struct hello, boot, BOOT, FIELD_REQUIRED,
	"this run of the agent: two live ones with one identity are both barred"),
    F_TIME(struct hello, clock_ms, FIELD_REQUIRED, "the host's clock"),
    F_U64(struct hello, uptime_ms, 0, 0,
	"by a clock that only goes forward: tells which of two hellos of one run is the older"),
    F_U64(struct hello, first_sequence, 0, 0, "oldest report that the spool holds; 0: none"),
    F_U64(struct hello, last_sequence, 0, 0, "newest one; 0: none"),
    F_U64(struct hello, epoch_seen, 0, 0, "the highest epoch that the keeper has obeyed"),
    F_STRINGS(struct hello, capabilities, CAPABILITIES_MAX, 0, "optional parts of the protocol that it has"),
    F_LIST(struct hello, services, &declared_service_type, HELLO_SERVICES_MAX, 0, "what the host declares"),
    F_TIME(struct hello, certificate_expires_ms, 0, "when its certificate ends"),
};

static enum err_code hello_check(const void *record, struct err *reterr)
{
	const struct hello *h = record;

	if (h->version_least > h->version)
		return err_set(
		    reterr, ERR_INVALID, "version_least: %u is above version %u", h->version_least, h->version);
	if (h->first_sequence > h->last_sequence || (h->last_sequence && !h->first_sequence))
		return err_set(reterr, ERR_INVALID, "first_sequence: expected 1 to last_sequence, or both 0");
	for (size_t i = 0; i < h->services.count; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(LIST_AT(h->services, struct declared_service, i).name,
				LIST_AT(h->services, struct declared_service, k).name))
				return err_set(reterr, ERR_INVALID, "services[%zu]: %s stands there twice", i,
				    LIST_AT(h->services, struct declared_service, i).name);
	return ERR_OK;
}
const struct record_type hello_type =
    RECORD_TYPE("hello", struct hello, hello_fields, "the first frame of a connection", .check = hello_check);

static const struct field progress_fields[] = {
    F_ID(struct progress, order, ORDER, FIELD_REQUIRED, "the order"),
    F_STRING(struct progress, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUM(struct progress, step, &step_kind_enum, FIELD_ALWAYS | FIELD_COLUMN, "where it is"),
    F_F64(struct progress, percent, FIELD_ALWAYS | FIELD_COLUMN, "how much of the step is done, 0 to 100"),
    F_STRING(struct progress, text, TEXT_LINE_MAX, FIELD_COLUMN | FIELD_PHI, "for people"),
};

static enum err_code progress_check(const void *record, struct err *reterr)
{
	const struct progress *p = record;

	if (!(p->percent >= 0 && p->percent <= 100))
		return err_set(reterr, ERR_INVALID, "percent: expected 0 to 100");
	return ERR_OK;
}
const struct record_type progress_type = RECORD_TYPE(
    "progress", struct progress, progress_fields, "an order's step moves on; never spooled", .check = progress_check);

static const struct field certificate_request_fields[] = {
    F_STRING(struct certificate_request, csr, PEM_MAX, FIELD_REQUIRED, "PKCS #10, PEM"),
};
const struct record_type certificate_request_type = RECORD_TYPE("certificate_request", struct certificate_request,
    certificate_request_fields, "the agent's certificate is due for renewal");

/* ---- controller -> agent ---- */

static const struct field welcome_fields[] = {
    F_U32(struct welcome, version, 0, FIELD_REQUIRED, "the protocol that both will speak", .min = 1),
    F_STRING(struct welcome, controller, NAME_MAX_BYTES, FIELD_REQUIRED, "the controller's name"),
    F_U64(struct welcome, epoch, 0, MUST, "the fencing epoch of this controller", .min = 1),
    F_U64(struct welcome, acknowledged, 0, 0, "highest contiguous sequence that is committed"),
    F_TIME(struct welcome, clock_ms, FIELD_REQUIRED, "the controller's clock"),
    F_DURATION(
	struct welcome, heartbeat_ms, WAIT_MAX_MS, FIELD_REQUIRED, "a health report at least this often", .min = 1),
    F_DURATION(struct welcome, retry_ms, WAIT_MAX_MS, 0, "spread reconnects over this much"),
    F_BOOL(struct welcome, observing, FIELD_ALWAYS, "the controller commands nothing now"),
    F_BOOL(struct welcome, halted, FIELD_ALWAYS, "everything is stopped by an operator"),
};
const struct record_type welcome_type = RECORD_TYPE("welcome", struct welcome, welcome_fields, "the answer to hello");

static const struct field ack_fields[] = {
    F_U64(struct ack, sequence, 0, MUST, "every report up to this one is committed"),
};
const struct record_type ack_type = RECORD_TYPE("ack", struct ack, ack_fields, "the spool may forget");

static const struct field cancel_fields[] = {
    F_ID(struct cancel, order, ORDER, FIELD_REQUIRED, "the order"),
    F_STRING(struct cancel, reason, TEXT_LINE_MAX, 0, "why"),
};
const struct record_type cancel_type =
    RECORD_TYPE("cancel", struct cancel, cancel_fields, "an order that should not begin any more");

static const struct field certificate_fields[] = {
    F_STRING(struct certificate, chain, PEM_MAX, 0, "PEM, leaf first"),
    F_STRING(struct certificate, error, TEXT_LINE_MAX, 0, "why there is none"),
};

static enum err_code certificate_check(const void *record, struct err *reterr)
{
	const struct certificate *c = record;

	if (!c->chain == !c->error)
		return err_set(reterr, ERR_INVALID, "expected exactly one of chain and error");
	return ERR_OK;
}
const struct record_type certificate_type = RECORD_TYPE("certificate", struct certificate, certificate_fields,
    "the answer to certificate_request", .check = certificate_check);

static const struct field halt_fields[] = {
    F_BOOL(struct halt, on, FIELD_ALWAYS, "true: begin nothing; false: go on"),
    F_STRING(struct halt, reason, TEXT_LINE_MAX, 0, "why"),
};
const struct record_type halt_type = RECORD_TYPE("halt", struct halt, halt_fields, "the stop button");

static const struct field bye_fields[] = {
    F_ENUM(struct bye, reason, &bye_reason_enum, MUST, "why the connection ends"),
    F_STRING(struct bye, text, TEXT_LINE_MAX, 0, "the same for people"),
    F_DURATION(struct bye, retry_ms, WAIT_MAX_MS, 0, "spread the next attempt over this much; 0: as welcome said"),
};
const struct record_type bye_type = RECORD_TYPE("bye", struct bye, bye_fields, "the last frame of a connection");

static const struct field look_fields[] = {
    F_STRING(struct look, service, NAME_MAX_BYTES, FIELD_REQUIRED, "whose probes"),
    F_BOOL(struct look, deep, 0, "those of the deeper tiers too"),
};
const struct record_type look_type =
    RECORD_TYPE("look", struct look, look_fields, "the probes of a service are to be run now");

/* ---- the frame ---- */

/* After type: the bodies, in the order of enum frame_type, each under its type's name. */
static const struct field frame_fields[] = {
    F_ENUM(struct frame, type, &frame_type_enum, MUST, "what it is; exactly the body of this name is there"),
    F_RECORD(struct frame, hello, struct hello, &hello_type, 0, "agent: who it is and what it has"),
    F_RECORD(struct frame, report, struct report, &report_type, 0, "agent: what happened on the host"),
    F_RECORD(struct frame, progress, struct progress, &progress_type, 0, "agent: how far an order is"),
    F_RECORD(struct frame, certificate_request, struct certificate_request, &certificate_request_type, 0,
	"agent: renew my certificate"),
    F_RECORD(struct frame, welcome, struct welcome, &welcome_type, 0, "controller: the connection is open"),
    F_RECORD(struct frame, ack, struct ack, &ack_type, 0, "controller: reports are committed"),
    F_RECORD(struct frame, order, struct order, &order_type, 0, "controller: do this"),
    F_RECORD(struct frame, cancel, struct cancel, &cancel_type, 0, "controller: do not begin this"),
    F_RECORD(struct frame, certificate, struct certificate, &certificate_type, 0, "controller: a new certificate"),
    F_RECORD(struct frame, halt, struct halt, &halt_type, 0, "controller: stop, or go on"),
    F_RECORD(struct frame, bye, struct bye, &bye_type, 0, "controller: the connection ends"),
    F_RECORD(struct frame, look, struct look, &look_type, 0, "controller: run the probes of a service now"),
};
_Static_assert(sizeof(frame_fields) / sizeof(frame_fields[0]) == 1 + FRAME_TYPE_COUNT, "a body for every frame type");

static const void *frame_body(const struct frame *f, uint32_t type)
{
	const void *body;

	memcpy(&body, (const char *)f + frame_fields[1 + type].offset, sizeof body);
	return body;
}

static enum err_code frame_check(const void *record, struct err *reterr)
{
	const struct frame *f = record;

	for (uint32_t type = 0; type < FRAME_TYPE_COUNT; type++) {
		bool there = frame_body(f, type);
		if (there && type != f->type)
			return err_set(reterr, ERR_INVALID, "%s: does not belong to a frame of type %s",
			    frame_type_names[type], enum_name(&frame_type_enum, f->type));
		if (!there && type == f->type)
			return err_set(
			    reterr, ERR_INVALID, "%s: missing from a frame of that type", frame_type_names[type]);
	}
	return ERR_OK;
}
const struct record_type frame_type_record =
    RECORD_TYPE("frame", struct frame, frame_fields, "one websocket message", .check = frame_check);

const struct record_type *const message_types[] = {
    &frame_type_record,
    &hello_type,
    &declared_action_type,
    &declared_service_type,
    &report_type,
    &health_report_type,
    &probe_result_type,
    &metric_type,
    &reach_type,
    &host_report_type,
    &log_report_type,
    &log_template_type,
    &drift_report_type,
    &snapshot_report_type,
    &component_point_type,
    &order_report_type,
    &order_step_type,
    &notice_report_type,
    &component_drill_type,
    &drill_report_type,
    &progress_type,
    &certificate_request_type,
    &welcome_type,
    &ack_type,
    &order_type,
    &plan_type,
    &plan_host_type,
    &approval_type,
    &signed_policy_type,
    &policy_type,
    &cancel_type,
    &certificate_type,
    &halt_type,
    &bye_type,
    &look_type,
    NULL,
};

/* Every cell that is not named here is denied. */
static const bool allowed[][FRAME_TYPE_COUNT] = {
    [SIDE_AGENT] =
	{
	    [FRAME_HELLO] = true,
	    [FRAME_REPORT] = true,
	    [FRAME_PROGRESS] = true,
	    [FRAME_CERTIFICATE_REQUEST] = true,
	},
    [SIDE_CONTROLLER] =
	{
	    [FRAME_WELCOME] = true,
	    [FRAME_ACK] = true,
	    [FRAME_ORDER] = true,
	    [FRAME_CANCEL] = true,
	    [FRAME_CERTIFICATE] = true,
	    [FRAME_HALT] = true,
	    [FRAME_BYE] = true,
	    [FRAME_LOOK] = true,
	},
};

bool message_allowed(enum message_side sender, enum frame_type type)
{
	return (unsigned)sender < sizeof(allowed) / sizeof(allowed[0]) && (unsigned)type < FRAME_TYPE_COUNT &&
	       allowed[sender][type];
}

enum err_code message_encode(enum frame_type type, const void *body, struct buf *out, struct err *reterr)
{
	assert(body && (unsigned)type < FRAME_TYPE_COUNT);
	struct frame frame = {.type = type};
	size_t before = out->size;

	memcpy((char *)&frame + frame_fields[1 + type].offset, &body, sizeof body);
	enum err_code rc = record_to_msgpack(&frame_type_record, &frame, out, reterr);
	if (rc == ERR_OK && out->failed)
		rc = err_set(reterr, ERR_NOMEM, "%s: no memory to encode it", frame_type_names[type]);
	else if (rc == ERR_OK && out->size - before > MESSAGE_SIZE_MAX)
		rc = err_set(reterr, ERR_LIMIT, "%s: %zu bytes, a frame has at most %d", frame_type_names[type],
		    out->size - before, MESSAGE_SIZE_MAX);
	if (rc != ERR_OK && out->size > before)
		out->size = before;
	return rc;
}

/* Just enough of a frame to say why it was refused; unknown keys are ignored. */
struct envelope {
	const char *type;
};
static const struct field envelope_fields[] = {
    F_STRING(struct envelope, type, NAME_MAX_BYTES, FIELD_REQUIRED, "any name"),
};
static const struct record_type envelope_type =
    RECORD_TYPE("envelope", struct envelope, envelope_fields, "a frame's type");

static enum bye_reason why_refused(enum message_side sender, const void *data, size_t size, struct arena *arena)
{
	struct envelope envelope;
	uint32_t type;

	if (record_from_msgpack(&envelope_type, data, size, arena, &envelope, NULL) != ERR_OK)
		return BYE_MALFORMED;
	if (!enum_value(&frame_type_enum, envelope.type, &type))
		return BYE_UNKNOWN_TYPE;
	return message_allowed(sender, type) ? BYE_MALFORMED : BYE_OUT_OF_ORDER;
}

enum err_code message_decode(enum message_side sender, const void *data, size_t size, struct arena *arena,
    struct frame *ret, enum bye_reason *ret_bye, struct err *reterr)
{
	struct frame frame;

	if (size > MESSAGE_SIZE_MAX) {
		*ret_bye = BYE_TOO_LARGE;
		return err_set(reterr, ERR_LIMIT, "frame: %zu bytes, at most %d are allowed", size, MESSAGE_SIZE_MAX);
	}
	enum err_code rc = record_from_msgpack(&frame_type_record, data, size, arena, &frame, reterr);
	if (rc != ERR_OK) {
		*ret_bye = rc == ERR_NOMEM ? BYE_OVERLOAD : why_refused(sender, data, size, arena);
		return err_prefix(reterr, rc, "frame");
	}
	if (!message_allowed(sender, frame.type)) {
		*ret_bye = BYE_OUT_OF_ORDER;
		return err_set(reterr, ERR_DENIED, "frame: %s is not for %s to send", frame_type_names[frame.type],
		    sender == SIDE_AGENT ? "an agent" : "a controller");
	}
	*ret = frame;
	return ERR_OK;
}
