/* controller/turn/effect.h: what a turn asks the edges to do once it is committed.
 *
 * Effects are forgotten by a crash: whatever must happen is also a record (order, outbox, timer), and INPUT_BOOT or the
 * host's next hello makes the effect again.
 *
 * turn_emit() copies host, text, topic and the outer struct of body and reply; what those point to must live in the
 * turn's arena (or longer).  It also checks that a body or reply can be encoded, so that nothing fails after the
 * commit. */
#ifndef KEDGE_CONTROLLER_TURN_EFFECT_H
#define KEDGE_CONTROLLER_TURN_EFFECT_H

#include "shared/message/message.h"

enum effect_kind {
	EFFECT_FRAME,       /* send a frame to `host` if it is connected (as `boot`, when that is not zero) */
	EFFECT_CLOSE,       /* say bye to `host`'s connection `boot` and close it */
	EFFECT_REPLY,       /* answer the operator's request `token` */
	EFFECT_NOTIFY,      /* outbox: deliver the outbox record `id` */
	EFFECT_ANALYSE,     /* analyst: diagnose incident `id` on a read snapshot of the store; the result comes back as
			       INPUT_DIAGNOSED */
	EFFECT_EVENT,       /* tell watchers (kedge watch, the console): one line of what happened, already redacted */
	EFFECT_REVOCATIONS, /* the set of revoked certificates changed: reload it and end live connections that use one
			     */
	EFFECT_SIGN,        /* the authority signs the request `text` (PEM) for `certificate_role` `host`; comes back as
			       INPUT_SIGNED with `token` and `boot` */
	EFFECT_SUMMARISE,   /* prose: a language model writes of incident `id`, which is over; comes back as
			       INPUT_SUMMARISED or not at all */
	EFFECT_KIND_COUNT
};

struct effect {
	enum effect_kind kind;
	const char *host;
	struct id boot;
	struct id id;
	/* EFFECT_FRAME */
	enum frame_type frame;
	const void *body;
	/* EFFECT_CLOSE */
	enum bye_reason bye;
	/* EFFECT_SIGN */
	uint32_t certificate_role; /* enum certificate_role of controller/access */
	/* EFFECT_REPLY: a code and either a record or an error's text */
	uint64_t token;
	enum err_code code;
	const struct record_type *reply_type;
	const void *reply;
	const char
	    *reply_json; /* instead of reply: a reply that is already JSON (the center's, for a repeated request) */
	/* EFFECT_CLOSE, EFFECT_REPLY (error), EFFECT_EVENT */
	const char *text;
	/* EFFECT_EVENT */
	const char *topic; /* incident change rollback host service notification audit */
	uint32_t severity;
};

#endif
