/* agent/link/session_send.c: reports on their way: the window, acknowledgements, forgetting. */
#include "agent/link/session_internal.h"

struct pump {
	struct session *s;
	uint64_t now_ms;
	bool failed; /* out of memory: the connection ends */
};

void session_reset_window(struct session *s, uint64_t acknowledged)
{
	s->sent = s->acknowledged = acknowledged;
	s->ring_at = s->ring_count = s->ring_bytes = 0;
	s->choked = false;
}

bool session_say(struct session *s, enum frame_type type, const void *body)
{
	buf_clear(&s->out);
	return message_encode(type, body, &s->out, NULL) == ERR_OK &&
	       s->io.send(s->io.ctx, buf_bytes(&s->out), NULL) == ERR_OK;
}

/* False: not now. */
static bool launch(struct pump *p, uint64_t through, struct bytes frame)
{
	struct session *s = p->s;
	if (s->ring_count == SESSION_WINDOW_COUNT ||
	    (s->ring_count && s->ring_bytes + frame.size > SESSION_WINDOW_BYTES))
		return false;
	enum err_code rc = s->io.send(s->io.ctx, frame, NULL);
	if (rc != ERR_OK) { /* full, or ending: session_on_drained or session_on_closed says how it goes on */
		s->choked = true;
		return false;
	}
	if (!s->ring_count)
		s->moved_ms = p->now_ms;
	s->ring[(s->ring_at + s->ring_count++) % SESSION_WINDOW_COUNT] = (struct in_flight){through, frame.size};
	s->ring_bytes += frame.size;
	s->sent = through;
	return true;
}

/* Reports that will never come, from the one after the last that was sent. */
static bool launch_dropped(struct pump *p, uint64_t through, uint64_t at_ms)
{
	struct session *s = p->s;
	struct report r = {.sequence = s->sent + 1, .through = through, .at_ms = at_ms, .importance = IMPORTANCE_EVENT};
	buf_clear(&s->out);
	p->failed = message_encode(FRAME_REPORT, &r, &s->out, NULL) != ERR_OK;
	return !p->failed && launch(p, through, buf_bytes(&s->out));
}

static bool launch_item(void *ctx, const struct spool_item *item)
{
	struct pump *p = ctx;
	/* A controller that was restored from a backup may want what it had acknowledged before. */
	if (item->sequence > p->s->sent + 1 && !launch_dropped(p, item->sequence - 1, item->at_ms))
		return false;
	if (item->through)
		return launch_dropped(p, item->through, item->at_ms);
	return launch(p, item->sequence, item->frame);
}

enum err_code session_pump(struct session *s, uint64_t now_ms, struct err *reterr)
{
	struct pump p = {s, now_ms, false};
	if (s->state != SESSION_LIVE || s->choked || s->drain_until_ms != UINT64_MAX)
		return ERR_OK;
	enum err_code rc = spool_read(s->c.spool, s->sent + 1, launch_item, &p, reterr);
	if (rc == ERR_OK && p.failed)
		session_end(s, false, "out of memory", now_ms);
	return rc;
}

enum err_code session_forget(struct session *s, struct err *reterr)
{
	s->forget_at_ms = UINT64_MAX;
	return spool_acknowledge(s->c.spool, s->acknowledged, reterr);
}

/* Whoever waits for it knows that what is sent arrives, and that an answer comes back. */
static void tell_heard(struct session *s, uint64_t now_ms)
{
	struct channel_heard body = {now_ms};
	struct channel_message m = {.type = CHANNEL_HEARD, .heard = &body};
	s->io.tell(s->io.ctx, &m);
}

enum err_code session_on_acknowledged(struct session *s, uint64_t sequence, uint64_t now_ms, struct err *reterr)
{
	struct spool_state spool;
	enum err_code rc = ERR_OK;
	/* It may have got some over an earlier connection, and committed them after the welcome; those the hello named.
	 */
	if (sequence > s->sent && sequence > s->hello_last) {
		session_end(s, true, "it acknowledges what was not sent", now_ms);
		return ERR_OK;
	}
	if (sequence <= s->acknowledged)
		return ERR_OK;
	s->acknowledged = sequence;
	if (s->sent < sequence)
		s->sent = sequence;
	s->moved_ms = now_ms;
	tell_heard(s, now_ms);
	while (s->ring_count && s->ring[s->ring_at].through <= sequence) {
		s->ring_bytes -= s->ring[s->ring_at].bytes;
		s->ring_at = (s->ring_at + 1) % SESSION_WINDOW_COUNT;
		s->ring_count--;
	}
	spool_state(s->c.spool, &spool);
	if (s->forget_at_ms == UINT64_MAX)
		s->forget_at_ms = now_ms + SESSION_FORGET_MS;
	if (sequence >= spool.first && sequence - spool.first >= SESSION_FORGET_COUNT)
		rc = session_forget(s, reterr);
	return rc == ERR_OK ? session_pump(s, now_ms, reterr) : rc;
}
