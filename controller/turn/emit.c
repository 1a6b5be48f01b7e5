/* Effects are checked when they are emitted: after the commit nothing about them may fail for what they say. */
#include "controller/turn/internal.h"

#include <assert.h>

static const struct record_type *body_type(enum frame_type type)
{
	return record_field(&frame_type_record, enum_name(&frame_type_enum, type))->type;
}

static enum err_code check(struct turn *t, const struct effect *e, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	if (e->kind == EFFECT_FRAME) {
		assert(e->host && e->body && message_allowed(SIDE_CONTROLLER, e->frame));
		buf_clear(&t->value);
		rc = message_encode(e->frame, e->body, &t->value, reterr);
	}
	if (e->kind == EFFECT_REPLY && e->reply) {
		assert(e->reply_type);
		rc = record_check(e->reply_type, e->reply, reterr);
	}
	return rc;
}

static bool keep_text(struct turn *t, const char **text)
{
	return !*text || (*text = arena_strdup(t->arena, *text)) != NULL;
}

/* The outer struct of a body or reply may stand on the caller's stack. */
static bool keep_record(struct turn *t, const struct record_type *type, const void **record)
{
	return !*record || (*record = arena_dup(t->arena, *record, type->size)) != NULL;
}

static bool make_room(struct turn *t)
{
	if (t->effect_count < t->effect_capacity)
		return true;
	size_t capacity = t->effect_capacity ? 2 * t->effect_capacity : 8;
	struct effect *more = arena_array(t->arena, capacity, sizeof(*more));
	if (!more)
		return false;
	for (size_t i = 0; i < t->effect_count; i++)
		more[i] = t->effects[i];
	t->effects = more;
	t->effect_capacity = capacity;
	return true;
}

enum err_code turn_emit(struct turn *t, const struct effect *e, struct err *reterr)
{
	assert(t->batch && (unsigned)e->kind < EFFECT_KIND_COUNT);
	if (t->effect_count == TURN_EFFECTS_MAX)
		return err_set(reterr, ERR_LIMIT, "one input would have more than %d effects", TURN_EFFECTS_MAX);
	enum err_code rc = check(t, e, reterr);
	if (rc != ERR_OK)
		return rc;
	struct effect copy = *e;
	bool ok = make_room(t) && keep_text(t, &copy.host) && keep_text(t, &copy.text) && keep_text(t, &copy.topic) &&
		  keep_text(t, &copy.reply_json);
	if (ok && copy.kind == EFFECT_FRAME)
		ok = keep_record(t, body_type(copy.frame), &copy.body);
	if (ok && copy.kind == EFFECT_REPLY)
		ok = keep_record(t, copy.reply_type, &copy.reply);
	if (!ok)
		return err_set(reterr, ERR_NOMEM, "out of memory in a turn");
	t->effects[t->effect_count++] = copy;
	return ERR_OK;
}

const struct effect *turn_effects(const struct turn *t, size_t *ret_count)
{
	*ret_count = t->effect_count;
	return t->effects;
}
