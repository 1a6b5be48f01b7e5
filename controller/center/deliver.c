/* Effects to the sinks, after the commit. */
#include <stdlib.h>

#include "controller/center/internal.h"
#include "shared/base/log.h"

static void send_frame(struct center *c, const struct effect *e)
{
	if (!c->sinks.frame)
		return;
	struct err err = ERR_INIT;
	buf_clear(&c->frame);
	enum err_code rc = message_encode(e->frame, e->body, &c->frame, &err); /* was tried when it was emitted */
	if (rc == ERR_OK)
		c->sinks.frame(c->sinks.ctx, e->host, e->boot, e->frame, buf_bytes(&c->frame));
	else
		log_error("center", "host=%s a %s frame could not be sent: %s", e->host,
		    enum_name(&frame_type_enum, e->frame), err.msg);
}

static void deliver_one(struct center *c, const struct effect *e)
{
	const struct center_sinks *s = &c->sinks;
	switch (e->kind) {
	case EFFECT_FRAME:
		send_frame(c, e);
		break;
	case EFFECT_CLOSE:
		if (s->close)
			s->close(s->ctx, e->host, e->boot, e->bye, e->text);
		break;
	case EFFECT_REPLY:
		if (s->reply)
			s->reply(s->ctx, &(struct center_reply){.token = e->token,
					     .code = e->code,
					     .type = e->reply_type,
					     .record = e->reply,
					     .json = e->reply_json,
					     .text = e->text});
		break;
	case EFFECT_NOTIFY:
		if (s->notify)
			s->notify(s->ctx, e->id);
		break;
	case EFFECT_ANALYSE:
		if (s->analyse)
			s->analyse(s->ctx, e->id);
		break;
	case EFFECT_EVENT:
		if (s->event)
			s->event(s->ctx, &(struct center_event){.at_ms = c->now_ms,
					     .topic = e->topic,
					     .severity = e->severity,
					     .host = e->host,
					     .id = e->id,
					     .text = e->text});
		break;
	case EFFECT_REVOCATIONS:
		if (s->revocations)
			s->revocations(s->ctx);
		break;
	case EFFECT_SIGN:
		if (s->sign)
			s->sign(s->ctx, e->certificate_role, e->host, e->text, e->token, e->boot);
		break;
	case EFFECT_SUMMARISE:
		if (s->summarise)
			s->summarise(s->ctx, e->id);
		break;
	case EFFECT_KIND_COUNT:
		abort(); /* turn_emit takes no such thing */
	}
}

static bool is_ack(const struct effect *e)
{
	return e->kind == EFFECT_FRAME && e->frame == FRAME_ACK;
}

static struct bytes ack_key(const struct effect *e, struct buf *scratch)
{
	buf_clear(scratch);
	buf_append(scratch, e->boot.b, sizeof(e->boot.b));
	buf_text(scratch, e->host);
	return buf_bytes(scratch);
}

/* The last acknowledgement to each connection; NULL: out of memory, all are sent. */
static struct map *last_acks(const struct effect *effects, size_t count, struct buf *scratch)
{
	struct map *last = map_new();
	for (size_t i = 0; last && i < count; i++) {
		if (!is_ack(&effects[i]))
			continue;
		struct bytes key = ack_key(&effects[i], scratch);
		if (map_put(last, key.data, key.size, (void *)(uintptr_t)&effects[i]))
			continue;
		map_free(last);
		last = NULL;
	}
	return last;
}

void deliver(struct center *c, const struct effect *effects, size_t count)
{
	struct map *last = last_acks(effects, count, &c->frame);
	for (size_t i = 0; i < count; i++) {
		if (last && is_ack(&effects[i])) {
			struct bytes key = ack_key(&effects[i], &c->frame);
			if (map_get(last, key.data, key.size) != &effects[i])
				continue; /* a later one says more */
		}
		deliver_one(c, &effects[i]);
	}
	map_free(last);
}
