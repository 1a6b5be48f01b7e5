/* controller/center/input.h: everything that can make the controller move.
 *
 * The edges (gate, api, outbox, analyst, the timer table) build an input, with its own arena, and hand it to the
 * center's bounded queue; from then on the center owns it. */
#ifndef KEDGE_CONTROLLER_CENTER_INPUT_H
#define KEDGE_CONTROLLER_CENTER_INPUT_H

#include "shared/message/message.h"

enum input_kind {
	INPUT_BOOT,                /* the controller started on this store: re-make effects of what is open */
	INPUT_HELLO,               /* frame->hello from `host` (its name by certificate), connection `boot` */
	INPUT_REPORT,              /* frame->report */
	INPUT_PROGRESS,            /* frame->progress */
	INPUT_CERTIFICATE_REQUEST, /* frame->certificate_request, over the live connection */
	INPUT_GONE,                /* the connection `boot` of `host` ended */
	INPUT_REFUSED,   /* an edge refused a peer: text says who, from where and why; goes to the audit trail */
	INPUT_TIMER,     /* `timer` fell due */
	INPUT_REQUEST,   /* an operator asks: `request` */
	INPUT_DELIVERED, /* outbox record `id` was delivered (code OK) or not (text says why) */
	INPUT_DIAGNOSED, /* analyst's result for incident `id`: `diagnosis` (controller/diagnosis/diagnosis.h) */
	INPUT_SIGNED,    /* the authority answered EFFECT_SIGN: `certificate`, or code and text say why not */
	INPUT_SPACE, /* how the store's disk is now: code ERR_FULL (nearly full) or ERR_OK; from INPUT_BOOT on it has
			room */
	INPUT_SUMMARISED, /* prose about incident `id`: `text`, by the model `by` (controller/prose) */
	INPUT_KIND_COUNT
};

struct request {                   /* one call of the API that changes something */
	uint64_t token;            /* answered with this */
	const char *operator_name; /* by certificate; NULL: anonymous (enrolment) */
	const char *address;       /* where from, for the audit trail */
	const char *noun, *verb;   /* "incident", "acknowledge" */
	const char *body;          /* JSON */
	size_t body_size;
	const char *key; /* idempotency key given by the client, or NULL */
};

struct signed_certificate { /* EFFECT_SIGN's answer */
	uint32_t role;      /* enum certificate_role */
	const char *name;   /* host's or operator's */
	const char *chain;  /* PEM, leaf first */
	const char *serial; /* lower-case hex */
	uint64_t not_after_ms;
	uint64_t token; /* of the operator's request (enrolment); 0: a renewal over the host's connection */
};

struct timer;
struct diagnosis;
struct input {
	enum input_kind kind;
	struct arena *arena; /* owns everything below; freed by the center */
	size_t weight_bytes; /* its share of the queue's bound */
	uint64_t received_ms;
	const char *host;
	struct id boot;
	struct id id;
	const struct frame *frame;
	const struct request *request;
	const struct timer *timer;
	const struct diagnosis *diagnosis;
	const struct signed_certificate *certificate;
	enum err_code code;
	const char *text, *by;
};

/* NULL: out of memory. */
struct input *input_new(enum input_kind kind, size_t arena_limit_bytes);
void input_free(struct input *in); /* NULL is a no-op */

#endif
