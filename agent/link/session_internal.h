/* agent/link/session_internal.h: what the files of the session share. */
#ifndef KEDGE_AGENT_LINK_SESSION_INTERNAL_H
#define KEDGE_AGENT_LINK_SESSION_INTERNAL_H

#include "agent/link/reconnect.h"
#include "agent/link/session.h"

struct in_flight {
	uint64_t through; /* the last sequence that it stands for */
	size_t bytes;
};

struct session {
	struct session_config c;
	struct session_io io;
	enum session_state state;
	struct reconnect reconnect;
	struct arena *arena; /* of the frame in hand */
	struct buf out;      /* the frame being made */

	/* what hello says */
	struct arena *declared_arena;
	struct channel_declare declared;
	bool has_identity, has_declaration;
	uint64_t expires_ms;
	struct buf request; /* a certificate request (PEM) that is not answered; size 0: none */

	/* attempts */
	uint64_t dial_at_ms;  /* WAITING */
	uint64_t deadline_ms; /* DIALLING, GREETING, CLOSING */
	bool was_live, planned;
	uint64_t live_since_ms;
	bool said_bye;
	enum bye_reason bye;
	uint64_t bye_retry_ms;
	char why[TEXT_LINE_MAX];  /* this connection ends; "": as the network will say */
	char told[TEXT_LINE_MAX]; /* what the keeper heard last of a connection that is down */

	/* the connection */
	uint64_t hello_first, hello_last; /* as the hello said */
	uint64_t hello_offset_ms;         /* wall clock minus now_ms, then (modulo 2^64) */
	uint64_t sent, acknowledged;
	struct in_flight ring[SESSION_WINDOW_COUNT];
	size_t ring_at, ring_count, ring_bytes;
	bool choked;
	uint64_t moved_ms;                      /* the last acknowledgement, or the first report under way after it */
	uint64_t refresh_at_ms, drain_until_ms; /* a gentle reconnect; UINT64_MAX: none */

	/* the spool */
	uint64_t forget_at_ms; /* UINT64_MAX: nothing to forget */
	uint64_t last_token;

	bool stopping, finished;
	uint64_t stop_at_ms;
};

/* session_send.c */
/* Sends what the window allows. */
ERR_CHECK enum err_code session_pump(struct session *s, uint64_t now_ms, struct err *reterr);
/* A frame that may be dropped when the connection does not take it.  False: not sent. */
bool session_say(struct session *s, enum frame_type type, const void *body);
ERR_CHECK enum err_code session_on_acknowledged(
    struct session *s, uint64_t sequence, uint64_t now_ms, struct err *reterr);
ERR_CHECK enum err_code session_forget(struct session *s, struct err *reterr);
void session_reset_window(struct session *s, uint64_t acknowledged);

/* session.c */
void session_end(struct session *s, bool wrong, const char *why, uint64_t now_ms);
/* After anything that may have emptied the window: a drained or stopping session closes. */
void session_settle(struct session *s, uint64_t now_ms);

/* session_frame.c has session_on_frame(). */

#endif
