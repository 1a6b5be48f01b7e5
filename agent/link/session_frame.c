/* agent/link/session_frame.c: what the controller says. */
#include "agent/link/session_internal.h"
#include "shared/base/text.h"

static void tell_up(struct session *s, const struct welcome *w)
{
	struct channel_connection body = {.up = true,
	    .clock_ms = w->clock_ms,
	    .epoch = w->epoch,
	    .heartbeat_ms = w->heartbeat_ms,
	    .observing = w->observing,
	    .halted = w->halted};
	struct channel_message m = {.type = CHANNEL_CONNECTION, .connection = &body};
	s->told[0] = '\0';
	s->io.tell(s->io.ctx, &m);
}

/* NULL: the controller counts as it should. */
static const char *check_count(const struct session *s, const struct welcome *w, const struct spool_state *spool)
{
	if (w->acknowledged > LINK_SEQUENCE_MAX)
		return "it acknowledges a sequence that cannot be";
	if (!s->hello_first)
		return w->acknowledged >= spool->first && spool->first < spool->next ? "" : NULL;
	if (w->acknowledged + 1 < s->hello_first || w->acknowledged > s->hello_last)
		return "it acknowledges what the spool does not hold";
	return NULL;
}

/* Replay begins after what the controller has.  It may count on beyond an empty spool, one that was made anew; but
 * reports that came into such a spool since the hello must not be taken for old ones, so another hello has to name
 * them. */
static enum err_code on_welcome(struct session *s, const struct welcome *w, uint64_t now_ms, struct err *reterr)
{
	struct spool_state spool;
	spool_state(s->c.spool, &spool);
	if (w->version > MESSAGE_VERSION || w->version < MESSAGE_VERSION_LEAST) {
		session_end(s, true, "no version of the protocol that both speak", now_ms);
		return ERR_OK;
	}
	const char *wrong = check_count(s, w, &spool);
	if (wrong) {
		session_end(
		    s, *wrong != '\0', *wrong ? wrong : "the first reports of a new spool: hello again", now_ms);
		return ERR_OK;
	}
	session_reset_window(s, w->acknowledged);
	s->state = SESSION_LIVE;
	s->was_live = true;
	s->live_since_ms = s->moved_ms = now_ms;
	s->reconnect.hint_ms = w->retry_ms;
	tell_up(s, w);
	if (s->request.size) {
		struct certificate_request r = {.csr = buf_str(&s->request)};
		(void)session_say(s, FRAME_CERTIFICATE_REQUEST, &r);
	}
	enum err_code rc = session_forget(s, reterr);
	return rc == ERR_OK ? session_pump(s, now_ms, reterr) : rc;
}

static void on_bye(struct session *s, const struct bye *b, uint64_t now_ms)
{
	char why[TEXT_LINE_MAX];
	s->said_bye = true;
	s->bye = (enum bye_reason)b->reason;
	s->bye_retry_ms = b->retry_ms;
	text_format(why, sizeof(why), "the controller says goodbye: %s%s%.400s", enum_name(&bye_reason_enum, b->reason),
	    b->text ? ": " : "", b->text ? b->text : "");
	session_end(s, false, why, now_ms);
}

static void pass_on(struct session *s, const struct frame *f)
{
	struct channel_message m = {0};
	switch (f->type) {
	case FRAME_ORDER:
		m.type = CHANNEL_ORDER;
		m.order = f->order;
		break;
	case FRAME_CANCEL:
		m.type = CHANNEL_CANCEL;
		m.cancel = f->cancel;
		break;
	case FRAME_HALT:
		m.type = CHANNEL_HALT;
		m.halt = f->halt;
		break;
	case FRAME_LOOK:
		m.type = CHANNEL_LOOK;
		m.look = f->look;
		break;
	default:
		m.type = CHANNEL_CERTIFICATE;
		m.certificate = f->certificate;
		buf_clear(&s->request);
	}
	s->io.tell(s->io.ctx, &m);
}

static enum err_code on_decoded(struct session *s, const struct frame *f, uint64_t now_ms, struct err *reterr)
{
	if (f->type == FRAME_BYE) {
		on_bye(s, f->bye, now_ms);
		return ERR_OK;
	}
	bool greeting = s->state == SESSION_GREETING;
	if (f->type == FRAME_WELCOME && !greeting)
		session_end(s, true, "a second welcome", now_ms);
	if (f->type == FRAME_WELCOME)
		return greeting ? on_welcome(s, f->welcome, now_ms, reterr) : ERR_OK;
	if (f->type == FRAME_ACK) /* before the welcome: for an earlier connection of ours; the welcome says it again */
		return greeting ? ERR_OK : session_on_acknowledged(s, f->ack->sequence, now_ms, reterr);
	pass_on(s, f);
	return ERR_OK;
}

enum err_code session_on_frame(struct session *s, struct bytes frame, uint64_t now_ms, struct err *reterr)
{
	struct frame f;
	enum bye_reason ignored;
	struct err wrong = ERR_INIT;
	enum err_code rc = ERR_OK;
	if (s->state != SESSION_GREETING && s->state != SESSION_LIVE)
		return ERR_OK; /* we have said that we go */
	if (message_decode(SIDE_CONTROLLER, frame.data, frame.size, s->arena, &f, &ignored, &wrong) == ERR_OK)
		rc = on_decoded(s, &f, now_ms, reterr);
	else
		session_end(s, true, wrong.msg, now_ms);
	arena_reset(s->arena);
	if (rc == ERR_OK)
		session_settle(s, now_ms);
	return rc;
}
