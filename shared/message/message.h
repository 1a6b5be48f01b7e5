/* shared/message/message.h: the frames between agent and controller (websocket subprotocol kedge.agent.v1).
 *
 * One binary websocket frame is one msgpack map: a `frame` with its type and exactly one body.  Limits:
 * MESSAGE_SIZE_MAX bytes, RECORD_DEPTH_MAX levels.  Anything else (malformed, oversized, unknown type, wrong enum, a
 * body that is not the type's) closes the connection with a reason and is audited.  Unknown keys are ignored: newer
 * peers may say more. Pure. */
#ifndef KEDGE_SHARED_MESSAGE_MESSAGE_H
#define KEDGE_SHARED_MESSAGE_MESSAGE_H

#include "shared/message/order.h"
#include "shared/message/report.h"

#define MESSAGE_SUBPROTOCOL "kedge.agent.v1"
enum {
	MESSAGE_VERSION = 1,          /* what this build speaks */
	MESSAGE_VERSION_LEAST = 1,    /* and the oldest it understands */
	HELLO_SERVICES_MAX = 64,      /* as many as agent.yaml may declare */
	CAPABILITIES_MAX = 32,        /* optional parts of the protocol that a build has */
	DECLARED_PROBES_MAX = 64,     /* as agent.yaml */
	DECLARED_DEPENDS_MAX = 64,    /* as agent.yaml */
	DECLARED_ACTIONS_MAX = 16,    /* as agent.yaml */
	PEM_MAX = 16384,              /* a chain of three certificates is some 4 KiB */
	WAIT_MAX_MS = 60 * 60 * 1000, /* of a heartbeat or a retry hint: an agent is never silenced for longer */
};

enum frame_type {
	/* agent -> controller */
	FRAME_HELLO,
	FRAME_REPORT,
	FRAME_PROGRESS,
	FRAME_CERTIFICATE_REQUEST,
	/* controller -> agent */
	FRAME_WELCOME,
	FRAME_ACK,
	FRAME_ORDER,
	FRAME_CANCEL,
	FRAME_CERTIFICATE,
	FRAME_HALT,
	FRAME_BYE,
	FRAME_LOOK, /* only to an agent that has CAPABILITY_LOOK */
	FRAME_TYPE_COUNT
};
extern const struct enum_type frame_type_enum;

struct declared_action { /* something that the host may be asked to run for a service */
	const char *name;
	struct list remedies; /* enum remedy */
	bool automatic;       /* a standing policy may run it here */
	const char *text;     /* what it does, for people; may be NULL */
};
struct declared_service { /* agent.yaml as far as the controller needs it */
	const char *name;
	struct list components; /* enum component */
	struct list depends_on;
	struct list automatic; /* enum component */
	struct list actions;   /* struct declared_action */
	uint32_t probes;
	uint64_t answer_ms; /* its probes, asked now, have said how it is within this; 0: not said */
	uint64_t snapshot_every_ms;
	bool self_affecting; /* its rollback may cut the host off */
	const char
	    *storage; /* what its restore points are read from and others share; NULL: a disk of the host's own */
};
struct hello {
	uint32_t version, version_least;
	const char *agent_version;
	const char *host; /* must equal the certificate's */
	struct id boot;   /* of this run of the agent: two live ones with one identity are both barred */
	uint64_t clock_ms;
	uint64_t uptime_ms; /* the host's monotonic clock: which of two hellos of one run is the older */
	uint64_t first_sequence, last_sequence; /* what the spool holds; 0, 0: empty */
	uint64_t epoch_seen;
	struct list capabilities;
	struct list services; /* struct declared_service */
	uint64_t certificate_expires_ms;
};
struct progress {
	struct id order;
	const char *service;
	uint32_t step;
	double percent;
	const char *text;
}; /* never spooled */
struct certificate_request {
	const char *csr;
}; /* PEM */
struct welcome {
	uint32_t version;
	const char *controller;
	uint64_t epoch;
	uint64_t acknowledged; /* highest contiguous sequence that is committed */
	uint64_t clock_ms;
	uint64_t heartbeat_ms; /* a health report at least this often */
	uint64_t retry_ms;     /* spread reconnects over this much */
	bool observing;        /* the controller commands nothing now */
	bool halted;           /* `kedge halt` is on */
};
struct ack {
	uint64_t sequence;
};
struct cancel {
	struct id order;
	const char *reason;
};
struct certificate {
	const char *chain;
	const char *error;
}; /* PEM, leaf first */
struct halt {
	bool on;
	const char *reason;
};
enum bye_reason {
	BYE_SHUTDOWN,
	BYE_MALFORMED,
	BYE_TOO_LARGE,
	BYE_UNKNOWN_TYPE,
	BYE_WRONG_IDENTITY,
	BYE_DUPLICATE_IDENTITY,
	BYE_REVOKED,
	BYE_VERSION,
	BYE_OVERLOAD,
	BYE_OUT_OF_ORDER,
	BYE_REASON_COUNT
};
extern const struct enum_type bye_reason_enum;
struct bye {
	uint32_t reason;
	const char *text;
	uint64_t retry_ms;
};

/* Run the probes of a service now and report: no order, nothing is kept of it; lost, it is asked again or done without.
 */
struct look {
	const char *service;
	bool deep; /* those of the deeper tiers too */
};
#define CAPABILITY_LOOK "look"

struct frame {
	uint32_t type;
	const struct hello *hello;
	const struct report *report;
	const struct progress *progress;
	const struct certificate_request *certificate_request;
	const struct welcome *welcome;
	const struct ack *ack;
	const struct order *order;
	const struct cancel *cancel;
	const struct certificate *certificate;
	const struct halt *halt;
	const struct bye *bye;
	const struct look *look;
};
extern const struct record_type declared_action_type, declared_service_type, hello_type, progress_type,
    certificate_request_type, welcome_type, ack_type, cancel_type, certificate_type, halt_type, bye_type, look_type,
    frame_type_record;
extern const struct record_type *const message_types[]; /* every record type of this folder, NULL-ended */

/* Who may send which: RULES S5, default deny. */
enum message_side { SIDE_AGENT, SIDE_CONTROLLER };
bool message_allowed(enum message_side sender, enum frame_type type);

/* Encode one frame.  body is the struct that belongs to type. */
ERR_CHECK enum err_code message_encode(enum frame_type type, const void *body, struct buf *out, struct err *reterr);
/* Decode and check shape, sender and that exactly the type's body is there.  *ret lives in arena; *ret_bye says which
 * reason to give when refused. */
ERR_CHECK enum err_code message_decode(enum message_side sender, const void *data, size_t size, struct arena *arena,
    struct frame *ret, enum bye_reason *ret_bye, struct err *reterr);

#endif
