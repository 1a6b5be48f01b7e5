/* A client that did not hear the answer asks again with the same key: it gets the first answer, and nothing happens
 * twice. Only what was accepted is kept: a refused request left no trace, so trying it again is right. */
#include <string.h>

#include "controller/center/internal.h"
#include "shared/base/text.h"

struct answer {
	const char *operator_name;
	const char *key;
	uint64_t request; /* hash of noun, verb and body: tells a key that is used for two things */
	const char *code;
	const char *reply, *text;
	uint64_t at_ms, expires_ms;
};
static const struct field answer_fields[] = {
    F_STRING(struct answer, operator_name, NAME_MAX_BYTES, FIELD_KEY | FIELD_COLUMN, "who asked"),
    F_STRING(struct answer, key, ANSWER_KEY_MAX, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "the idempotency key"),
    F_U64(struct answer, request, 0, 0, "hash of what was asked"),
    F_STRING(struct answer, code, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the answer's code"),
    F_STRING(struct answer, reply, ANSWER_REPLY_MAX, 0, "the answer, JSON, without secrets"),
    F_STRING(struct answer, text, TEXT_PAGE_MAX, 0, "its text"),
    F_TIME(struct answer, at_ms, FIELD_COLUMN, "when"),
    F_TIME(struct answer, expires_ms, FIELD_INDEXED, "forgotten after"),
};
static const struct record_type answer_type =
    RECORD_TYPE("request_answer", struct answer, answer_fields, "the first answer to a request that may be repeated");
const struct table answer_table = {.name = "request_answer", .type = &answer_type};
const struct record_type *const center_types[] = {&answer_type, NULL};

static uint64_t hash_text(uint64_t h, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) *
		    0x100000001b3u; /* FNV-1a: guards against mistakes, not against the operator */
	return (h ^ 0xff) * 0x100000001b3u;
}

static uint64_t request_hash(const struct request *r)
{
	uint64_t h = hash_text(0xcbf29ce484222325u, r->noun, r->noun ? strlen(r->noun) : 0);
	h = hash_text(h, r->verb, r->verb ? strlen(r->verb) : 0);
	return hash_text(h, r->body, r->body_size);
}

static enum err_code code_of(const char *name)
{
	for (unsigned i = 0; i < ERR_CODE_COUNT; i++)
		if (text_equal(err_code_name((enum err_code)i), name))
			return (enum err_code)i;
	return ERR_INTERNAL; /* a code of a newer version */
}

enum err_code answer_repeat(struct turn *t, const struct request *r, bool *ret_found, struct err *reterr)
{
	struct answer a = {.operator_name = r->operator_name, .key = r->key};
	bool found;
	enum err_code rc = turn_get(t, &answer_table, &a, &a, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	found = found && a.expires_ms > turn_now_ms(t);
	if (found && a.request != request_hash(r))
		return err_set(
		    reterr, ERR_INVALID, "the idempotency key \"%.128s\" was used for another request", r->key);
	if (found) {
		struct effect e = {.kind = EFFECT_REPLY,
		    .token = r->token,
		    .code = code_of(a.code),
		    .reply_json = a.reply,
		    .text = a.text};
		rc = turn_emit(t, &e, reterr);
	}
	if (rc == ERR_OK)
		*ret_found = found;
	return rc;
}

static const struct effect *find_reply(const struct turn *t, uint64_t token)
{
	size_t count;
	const struct effect *e = turn_effects(t, &count);
	for (size_t i = 0; i < count; i++)
		if (e[i].kind == EFFECT_REPLY && e[i].token == token)
			return &e[i];
	return NULL;
}

/* The sweep runs as long as there is anything to sweep. */
static enum err_code keep_sweeping(struct turn *t, struct err *reterr)
{
	struct timer timer = {.kind = ANSWER_TIMER};
	bool found;
	enum err_code rc = turn_get(t, &timer_table, &timer, &timer, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = turn_timer_set(t, ANSWER_TIMER, (struct id){0}, NULL, turn_now_ms(t) + ANSWER_SWEEP_MS, reterr);
	return rc;
}

enum err_code answer_keep(struct turn *t, const struct request *r, struct err *reterr)
{
	const struct effect *e = find_reply(t, r->token);
	if (!e)
		return ERR_OK;
	struct buf json = BUF_INIT;
	enum err_code rc = ERR_OK;
	if (e->reply)
		rc = record_to_json(e->reply_type, e->reply, 0, &json, reterr);
	struct answer a = {
	    .operator_name = r->operator_name,
	    .key = r->key,
	    .request = request_hash(r),
	    .code = err_code_name(e->code),
	    .reply = e->reply && json.size <= ANSWER_REPLY_MAX ? buf_str(&json) : NULL,
	    .text = e->text,
	    .at_ms = turn_now_ms(t),
	    .expires_ms = turn_now_ms(t) + ANSWER_KEEP_MS,
	};
	if (rc == ERR_OK)
		rc = turn_put(t, &answer_table, &a, reterr);
	if (rc == ERR_OK)
		rc = keep_sweeping(t, reterr);
	buf_done(&json);
	return rc;
}

enum err_code answer_sweep(struct turn *t, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan s = {0};
	struct answer a;
	bool left = false; /* some that are not due yet, or too many for one turn */
	size_t n = 0;
	enum err_code rc = turn_scan_index(t, &answer_table, "expires_ms", NULL, false, &s, reterr);
	while (!left && turn_scan_step(&s, &a, &rc, reterr)) {
		left = n++ == ANSWER_SWEEP_MAX || a.expires_ms > turn_now_ms(t);
		if (!left)
			rc = turn_delete(t, &answer_table, &a, reterr);
	}
	if (rc == ERR_OK && left)
		rc = keep_sweeping(t, reterr);
	return rc;
}
