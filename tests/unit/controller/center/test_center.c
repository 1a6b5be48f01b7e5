/* The center on virtual time over a memory store, with handlers that stand for the domain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/center/center.h"
#include "controller/turn/system.h"
#include "tests/lib/unit.h"

enum { LOG_MAX = 256 };

struct seen { /* what the sinks were given, one line each */
	char line[LOG_MAX][160];
	size_t count;
};
struct fixture {
	struct store *store;
	struct random random;
	struct center *center;
	struct seen seen;
	struct center_outcome out;
};

/* ---- a small domain: what an input's text says is done ---- */

struct note {
	const char *name;
	uint64_t value;
};
static const struct field note_fields[] = {
    F_STRING(struct note, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY, "name"),
    F_U64(struct note, value, 0, FIELD_ALWAYS, "value"),
};
static const struct record_type note_type = RECORD_TYPE("note", struct note, note_fields, "a test's record");
static const struct table note_table = {.name = "note", .type = &note_type};

static enum err_code put_note(struct turn *t, const char *name, uint64_t value, struct err *reterr)
{
	return turn_put(t, &note_table, &(struct note){.name = name, .value = value}, reterr);
}

static enum err_code on_report(struct turn *t, const struct input *in, struct err *reterr)
{
	enum err_code rc = put_note(t, in->host, in->frame->report->sequence, reterr);
	struct ack ack = {.sequence = in->frame->report->sequence};
	struct effect e = {.kind = EFFECT_FRAME, .host = in->host, .boot = in->boot, .frame = FRAME_ACK, .body = &ack};
	return rc == ERR_OK ? turn_emit(t, &e, reterr) : rc;
}

static enum err_code on_request(struct turn *t, const struct input *in, struct err *reterr)
{
	uint64_t n;
	enum err_code rc = turn_number(t, "request", &n, reterr);
	if (rc != ERR_OK)
		return rc;
	struct note note = {.name = in->request->body, .value = n};
	struct effect e = {.kind = EFFECT_REPLY, .token = in->request->token, .reply_type = &note_type, .reply = &note};
	return turn_emit(t, &e, reterr);
}

static enum err_code on_text(struct turn *t, const char *text, struct err *reterr)
{
	struct effect e = {.kind = EFFECT_EVENT, .topic = "test", .text = text};
	enum err_code rc = turn_emit(t, &e, reterr);
	if (rc == ERR_OK && strncmp(text, "refuse", 6) == 0) {
		rc = put_note(t, "trace", 1, reterr);
		return rc == ERR_OK ? err_set(reterr, ERR_DENIED, "%s", text) : rc;
	}
	if (rc == ERR_OK && strncmp(text, "arm ", 4) == 0 && text[4] != 'k')
		rc = turn_timer_set(t, "alarm", (struct id){0}, "a", strtoull(text + 4, NULL, 10), reterr);
	if (rc == ERR_OK && strcmp(text, "disarm") == 0)
		rc = turn_timer_clear(t, "alarm", (struct id){0}, "a", reterr);
	if (rc == ERR_OK && strncmp(text, "arm killer ", 11) == 0)
		rc = turn_timer_set(t, "killer", (struct id){0}, "k", strtoull(text + 11, NULL, 10), reterr);
	if (rc == ERR_OK && strcmp(text, "bad timer") == 0)
		rc = turn_timer_set(t, "bad", (struct id){0}, "b", turn_now_ms(t), reterr);
	if (rc == ERR_OK && strcmp(text, "many timers") == 0)
		for (int i = 0; rc == ERR_OK && i < 3000; i++)
			rc = turn_timer_set(t, "many", turn_id(t), NULL, turn_now_ms(t), reterr);
	return rc;
}

static enum err_code apply(
    struct turn *t, const struct workflow_config *config, const struct input *in, struct err *reterr)
{
	(void)config;
	switch (in->kind) {
	case INPUT_REPORT:
		return on_report(t, in, reterr);
	case INPUT_REQUEST:
		if (strcmp(in->request->verb, "refuse") == 0)
			return err_set(reterr, ERR_DENIED, "not you");
		return on_request(t, in, reterr);
	case INPUT_TIMER:
		if (strcmp(in->timer->kind, "bad") == 0)
			return err_set(reterr, ERR_INTERNAL, "cannot");
		if (strcmp(in->timer->kind, "many") == 0)
			return ERR_OK;
		if (strcmp(in->timer->kind, "killer") == 0)
			return turn_timer_clear(t, "alarm", (struct id){0}, "a", reterr);
		return turn_emit(
		    t, &(struct effect){.kind = EFFECT_EVENT, .topic = "timer", .text = in->timer->name}, reterr);
	default:
		return on_text(t, in->text, reterr);
	}
}

static enum err_code refused(struct turn *t, const struct workflow_config *config, const struct input *in,
    const struct err *why, struct err *reterr)
{
	(void)config;
	if (in->text && strcmp(in->text, "refuse twice") == 0)
		return err_set(reterr, ERR_INTERNAL, "cannot say so either");
	if (in->kind == INPUT_REQUEST && strcmp(in->request->noun, "silent") == 0)
		return err_set(reterr, ERR_INTERNAL, "cannot answer");
	if (in->kind == INPUT_REQUEST)
		return turn_emit(t,
		    &(struct effect){
			.kind = EFFECT_REPLY, .token = in->request->token, .code = why->code, .text = why->msg},
		    reterr);
	return turn_emit(t, &(struct effect){.kind = EFFECT_EVENT, .topic = "refused", .text = why->msg}, reterr);
}

/* ---- sinks ---- */

static void note_line(void *ctx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note_line(void *ctx, const char *fmt, ...)
{
	struct seen *s = ctx;
	assert_true(s->count < LOG_MAX);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(s->line[s->count++], sizeof(s->line[0]), fmt, ap);
	va_end(ap);
}

static void sink_frame(void *ctx, const char *host, struct id boot, enum frame_type type, struct bytes encoded)
{
	struct arena *arena = arena_new(0);
	struct frame frame;
	enum bye_reason bye;
	assert_int_equal(
	    message_decode(SIDE_CONTROLLER, encoded.data, encoded.size, arena, &frame, &bye, NULL), ERR_OK);
	assert_int_equal(type, FRAME_ACK);
	note_line(ctx, "ack %s.%d %llu", host, boot.b[0], (unsigned long long)frame.ack->sequence);
	arena_free(arena);
}

static void sink_reply(void *ctx, const struct center_reply *r)
{
	struct buf json = BUF_INIT;
	if (r->record)
		assert_int_equal(record_to_json(r->type, r->record, 0, &json, NULL), ERR_OK);
	note_line(ctx, "reply %llu %s %s", (unsigned long long)r->token, err_code_name(r->code),
	    r->record ? buf_str(&json)
	    : r->json ? r->json
	    : r->text ? r->text
		      : "-");
	buf_done(&json);
}

static void sink_event(void *ctx, const struct center_event *e)
{
	note_line(ctx, "%s %s", e->topic, e->text);
}

/* ---- fixture ---- */

static void start(struct fixture *f)
{
	struct center_options o = {
	    .store = f->store,
	    .random = &f->random,
	    .handlers = {.apply = apply, .refused = refused},
	    .sinks = {.ctx = &f->seen, .frame = sink_frame, .reply = sink_reply, .event = sink_event},
	};
	assert_int_equal(center_new(&o, &f->center, NULL), ERR_OK);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	random_init_seed(&f->random, 3);
	assert_int_equal(store_open_memory(&f->store, NULL), ERR_OK);
	start(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	center_free(f->center);
	store_close(f->store);
	free(f);
	return 0;
}

static struct input *text_input(const char *text)
{
	struct input *in = input_new(INPUT_REFUSED, 0);
	in->text = arena_strdup(in->arena, text);
	return in;
}

static struct input *report_input(const char *host, uint8_t boot, uint64_t sequence)
{
	struct input *in = input_new(INPUT_REPORT, 0);
	struct frame *frame = arena_alloc(in->arena, sizeof(*frame));
	struct report *report = arena_alloc(in->arena, sizeof(*report));
	report->sequence = sequence;
	frame->report = report;
	in->frame = frame;
	in->host = arena_strdup(in->arena, host);
	in->boot.b[0] = boot;
	return in;
}

static struct input *request_input(
    uint64_t token, const char *noun, const char *verb, const char *body, const char *key)
{
	struct input *in = input_new(INPUT_REQUEST, 0);
	struct request *r = arena_alloc(in->arena, sizeof(*r));
	*r = (struct request){.token = token, .operator_name = "ada", .noun = noun, .verb = verb, .key = key};
	r->body = arena_strdup(in->arena, body);
	r->body_size = strlen(body);
	in->request = r;
	return in;
}

static enum err_code step_n(struct fixture *f, uint64_t now_ms, struct input **in, size_t n)
{
	f->seen.count = 0;
	return center_step(f->center, in, n, now_ms, &f->out, NULL);
}

static void step(struct fixture *f, uint64_t now_ms, struct input *in)
{
	assert_int_equal(step_n(f, now_ms, &in, in ? 1 : 0), ERR_OK);
}

static void expect(struct fixture *f, size_t i, const char *line)
{
	assert_true(i < f->seen.count);
	assert_string_equal(f->seen.line[i], line);
}

static bool get_note(struct fixture *f, const char *name, uint64_t *ret)
{
	struct store_view *view;
	struct turn *t;
	struct arena *arena = arena_new(0);
	struct note n = {.name = name};
	bool found;
	assert_int_equal(store_view_open(f->store, "test", &view, NULL), ERR_OK);
	assert_int_equal(turn_open_read(store_view_turn(view), 0, arena, &t, NULL), ERR_OK);
	assert_int_equal(turn_get(t, &note_table, &n, &n, &found, NULL), ERR_OK);
	turn_close_read(t);
	store_view_close(view);
	arena_free(arena);
	*ret = n.value;
	return found;
}

/* ---- cases ---- */

static void one_commit_for_all_and_one_ack_a_connection(void **state)
{
	struct fixture *f = *state;
	struct input *in[] = {report_input("web-1", 1, 1), report_input("web-2", 1, 8), report_input("web-1", 1, 2),
	    report_input("web-1", 2, 3), report_input("web-1", 1, 4)};
	assert_int_equal(step_n(f, 1000, in, 5), ERR_OK);
	assert_int_equal(f->out.accepted, 5);
	assert_int_equal(f->out.commits, 1);
	assert_int_equal(f->seen.count, 3);
	expect(f, 0, "ack web-2.1 8");
	expect(f, 1, "ack web-1.2 3");
	expect(f, 2, "ack web-1.1 4");
	uint64_t value;
	assert_true(get_note(f, "web-1", &value));
	assert_int_equal(value, 4);
}

static void a_refused_input_leaves_its_neighbours_alone(void **state)
{
	struct fixture *f = *state;
	struct input *in[] = {
	    text_input("one"), text_input("refuse it"), text_input("refuse twice"), report_input("web-1", 1, 7)};
	assert_int_equal(step_n(f, 1000, in, 4), ERR_OK);
	assert_int_equal(f->out.accepted, 2);
	assert_int_equal(f->out.refused, 2);
	assert_int_equal(f->seen.count, 3);
	expect(f, 0, "test one");
	expect(f, 1, "refused refuse it"); /* and not "test refuse it": its effects went with it */
	expect(f, 2, "ack web-1.1 7");
	uint64_t value;
	assert_false(get_note(f, "trace", &value));
	assert_true(get_note(f, "web-1", &value));
}

static void nothing_is_said_before_the_commit(void **state)
{
	struct fixture *f = *state;
	struct input *in = report_input("web-1", 1, 1);
	uint64_t value;
	store_memory_fail(f->store, STORE_FAULT_LOST, 0);
	assert_int_equal(step_n(f, 1000, &in, 1), ERR_IO);
	assert_int_equal(f->seen.count, 0);
	store_memory_restart(f->store);
	assert_false(get_note(f, "web-1", &value));
}

static void timers_fire_when_due_and_once(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, text_input("arm 5000"));
	assert_int_equal(f->out.next_due_ms, 5000);
	step(f, 4999, NULL);
	assert_int_equal(f->seen.count, 0);
	assert_int_equal(f->out.next_due_ms, 5000);
	step(f, 5000, NULL);
	assert_int_equal(f->seen.count, 1);
	expect(f, 0, "timer a");
	assert_true(f->out.next_due_ms == UINT64_MAX);
	step(f, 9000, NULL);
	assert_int_equal(f->seen.count, 0);
}

static void a_timer_that_was_due_long_ago_fires_at_once(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, text_input("arm 0"));
	expect(f, 1, "timer a");
	assert_true(f->out.next_due_ms == UINT64_MAX);
}

static void an_input_clears_a_timer_that_falls_due_in_the_same_step(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, text_input("arm 5000"));
	step(f, 6000, text_input("disarm"));
	assert_int_equal(f->seen.count, 1);
	expect(f, 0, "test disarm");
	assert_int_equal(f->out.timers, 0);
}

static void a_timer_clears_another_that_falls_due_in_the_same_step(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, text_input("arm 5000"));
	step(f, 1000, text_input("arm killer 4000"));
	step(f, 6000, NULL);
	assert_int_equal(f->out.timers, 1);
	assert_int_equal(f->seen.count, 0);
	assert_true(f->out.next_due_ms == UINT64_MAX);
}

static void a_timer_survives_a_restart(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, text_input("arm 5000"));
	center_free(f->center);
	start(f);
	step(f, 70000, NULL);
	expect(f, 0, "timer a");
}

static void a_refused_timer_comes_again(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, text_input("bad timer")); /* due at once */
	assert_int_equal(f->out.refused, 1);
	expect(f, 1, "refused cannot");
	assert_int_equal(f->out.next_due_ms, 1000 + CENTER_TIMER_RETRY_MS);
	step(f, 1000 + CENTER_TIMER_RETRY_MS, NULL);
	assert_int_equal(f->out.timers, 1);
	assert_int_equal(f->out.refused, 1);
}

static void many_timers_take_several_steps(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, text_input("many timers"));
	size_t timers = f->out.timers, steps = 1;
	while (f->out.next_due_ms <= 1000 && steps < 10) {
		step(f, 1000, NULL);
		timers += f->out.timers;
		assert_true(f->out.timers <= CENTER_TIMERS_MAX);
		steps++;
	}
	assert_int_equal(timers, 3000);
	assert_int_equal(steps, 3);
	assert_true(f->out.next_due_ms == UINT64_MAX);
}

static void a_repeated_request_gets_the_first_answer(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, request_input(1, "change", "create", "x", "k1"));
	expect(f, 0, "reply 1 ok {\"name\":\"x\",\"value\":1}");
	step(f, 2000, request_input(2, "change", "create", "x", "k1"));
	expect(f, 0, "reply 2 ok {\"name\":\"x\",\"value\":1}");
	assert_int_equal(f->seen.count, 1);
	center_free(f->center);
	start(f);
	step(f, 3000, request_input(3, "change", "create", "x", "k1"));
	expect(f, 0, "reply 3 ok {\"name\":\"x\",\"value\":1}");
	step(f, 3000, request_input(4, "change", "create", "y", "k1")); /* another request under the same key */
	assert_non_null(strstr(f->seen.line[0], "reply 4 invalid the idempotency key \"k1\""));
	step(f, 3000, request_input(5, "change", "create", "x", "k2"));
	expect(f, 0, "reply 5 ok {\"name\":\"x\",\"value\":2}");
	step(f, 3000, request_input(6, "change", "create", "x", NULL));
	expect(f, 0, "reply 6 ok {\"name\":\"x\",\"value\":3}");
}

static void both_of_one_step_count_once(void **state)
{
	struct fixture *f = *state;
	struct input *in[] = {
	    request_input(1, "change", "create", "x", "k"), request_input(2, "change", "create", "x", "k")};
	assert_int_equal(step_n(f, 1000, in, 2), ERR_OK);
	expect(f, 0, "reply 1 ok {\"name\":\"x\",\"value\":1}");
	expect(f, 1, "reply 2 ok {\"name\":\"x\",\"value\":1}");
}

static void a_refused_request_may_be_tried_again(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, request_input(1, "change", "refuse", "x", "k"));
	expect(f, 0, "reply 1 denied not you");
	step(f, 1000, request_input(2, "change", "create", "x", "k"));
	expect(f, 0, "reply 2 ok {\"name\":\"x\",\"value\":1}");
}

static void an_operator_is_answered_even_when_the_refusal_cannot_be_recorded(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, request_input(1, "silent", "refuse", "x", NULL));
	expect(f, 0, "reply 1 denied not you");
}

static void answers_are_forgotten_after_their_time(void **state)
{
	struct fixture *f = *state;
	uint64_t now = 1000;
	step(f, now, request_input(1, "change", "create", "x", "k"));
	for (; f->out.next_due_ms != UINT64_MAX && now < 10ull * ANSWER_KEEP_MS; now = f->out.next_due_ms)
		step(f, f->out.next_due_ms, NULL);
	assert_true(now > ANSWER_KEEP_MS && f->out.next_due_ms == UINT64_MAX);
	struct store_view *view;
	assert_int_equal(store_view_open(f->store, "test", &view, NULL), ERR_OK);
	const struct turn_view *v = store_view_turn(view);
	struct bytes key, value;
	bool found;
	assert_int_equal(v->seek(v->ctx, (struct bytes){(const uint8_t *)"request_answer", 14}, SEEK_AFTER, &key,
			     &value, &found, NULL),
	    ERR_OK);
	assert_false(found);
	store_view_close(view);
}

static void an_answer_past_its_time_is_not_given_again(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, request_input(1, "change", "create", "x", "k"));
	step(f, 999 + ANSWER_KEEP_MS, request_input(2, "change", "create", "x", "k"));
	expect(f, 0, "reply 2 ok {\"name\":\"x\",\"value\":1}");
	step(f, 1000 + ANSWER_KEEP_MS, request_input(3, "change", "create", "x", "k"));
	expect(f, 0, "reply 3 ok {\"name\":\"x\",\"value\":2}");
}

static void time_never_goes_back(void **state)
{
	struct fixture *f = *state;
	step(f, 100000, report_input("web-1", 1, 1));
	step(f, 90000, NULL);
	assert_int_equal(center_now_ms(f->center), 100000);
	center_free(f->center);
	start(f);
	assert_int_equal(center_now_ms(f->center), 100000);
	step(f, 95000, NULL); /* nor over a restart */
	assert_int_equal(center_now_ms(f->center), 100000);
	step(f, 100001, NULL);
	assert_int_equal(center_now_ms(f->center), 100001);
}

static void a_clock_that_was_set_back_by_days_is_believed_at_start(void **state)
{
	struct fixture *f = *state;
	step(f, 10 * CENTER_CLOCK_TRUST_MS, report_input("web-1", 1, 1));
	center_free(f->center);
	start(f);
	step(f, 5 * CENTER_CLOCK_TRUST_MS, NULL);
	assert_true(center_now_ms(f->center) == 5 * CENTER_CLOCK_TRUST_MS);
}

/* ---- crashes at random: what was acknowledged is there, and nothing counts twice ---- */

enum { HOSTS = 3 };
struct hosts {
	uint64_t acknowledged[HOSTS];
	uint64_t refused;
};

/* Counts a report once: its sequence must be the next; an older one is only acknowledged again. */
static enum err_code count_once(
    struct turn *t, const struct workflow_config *config, const struct input *in, struct err *reterr)
{
	(void)config;
	struct note n = {.name = in->host}, total = {.name = "total"};
	uint64_t sequence = in->frame->report->sequence;
	bool found;
	enum err_code rc = turn_get(t, &note_table, &n, &n, &found, reterr);
	if (rc == ERR_OK && sequence > n.value + 1)
		return err_set(reterr, ERR_STATE, "a gap");
	if (rc == ERR_OK && sequence == n.value + 1) {
		n.value++;
		rc = turn_put(t, &note_table, &n, reterr);
		if (rc == ERR_OK)
			rc = turn_get(t, &note_table, &total, &total, &found, reterr);
		total.value++;
		if (rc == ERR_OK)
			rc = turn_put(t, &note_table, &total, reterr);
	}
	struct ack ack = {.sequence = n.value};
	struct effect e = {.kind = EFFECT_FRAME, .host = in->host, .frame = FRAME_ACK, .body = &ack};
	return rc == ERR_OK ? turn_emit(t, &e, reterr) : rc;
}

static void hear_ack(void *ctx, const char *host, struct id boot, enum frame_type type, struct bytes encoded)
{
	(void)boot;
	(void)type;
	struct hosts *h = ctx;
	struct arena *arena = arena_new(0);
	struct frame frame;
	enum bye_reason bye;
	assert_int_equal(
	    message_decode(SIDE_CONTROLLER, encoded.data, encoded.size, arena, &frame, &bye, NULL), ERR_OK);
	uint64_t *last = &h->acknowledged[host[0] - 'a'];
	if (frame.ack->sequence > *last)
		*last = frame.ack->sequence;
	arena_free(arena);
}

static enum err_code no_words(struct turn *t, const struct workflow_config *config, const struct input *in,
    const struct err *why, struct err *reterr)
{
	(void)t;
	(void)config;
	(void)in;
	(void)why;
	(void)reterr;
	return ERR_OK;
}

static struct center *start_counting(struct store *store, struct random *random, struct hosts *h)
{
	struct center *c;
	struct center_options o = {.store = store,
	    .random = random,
	    .handlers = {.apply = count_once, .refused = no_words},
	    .sinks = {.ctx = h, .frame = hear_ack}};
	assert_int_equal(center_new(&o, &c, NULL), ERR_OK);
	return c;
}

static void crash_run(struct fixture *f, uint64_t seed)
{
	static const char *const names[HOSTS] = {"a", "b", "c"};
	struct random random;
	struct hosts h = {0};
	random_init_seed(&random, seed);
	struct center *c = start_counting(f->store, &random, &h);
	for (uint64_t now = 1; now < 60; now++) {
		struct input *in[8];
		size_t n = 0;
		for (; n < random_below(&random, 8); n++) { /* some of what is not acknowledged yet, some of it twice */
			size_t at = random_below(&random, HOSTS);
			in[n] = report_input(names[at], 0, h.acknowledged[at] + random_below(&random, 3));
		}
		if (!random_below(&random, 4))
			store_memory_fail(
			    f->store, random_below(&random, 2) ? STORE_FAULT_LOST : STORE_FAULT_UNKNOWN, 0);
		struct center_outcome out;
		if (center_step(c, in, n, now, &out, NULL) != ERR_OK) {
			center_free(c);
			store_memory_restart(f->store);
			c = start_counting(f->store, &random, &h);
		}
		store_memory_fail(f->store, STORE_FAULT_NONE, 0);
		uint64_t value = 0, sum = 0, total = 0;
		for (size_t i = 0; i < HOSTS; i++, sum += value)
			if (get_note(f, names[i], &value) ? value < h.acknowledged[i] : h.acknowledged[i] > 0)
				fail_msg("seed %llu: an acknowledged report is lost", (unsigned long long)seed);
		get_note(f, "total", &total);
		if (total != sum)
			fail_msg("seed %llu: %llu counted, %llu there", (unsigned long long)seed,
			    (unsigned long long)total, (unsigned long long)sum);
	}
	center_free(c);
}

static void acknowledged_reports_survive_crashes_and_count_once(void **state)
{
	struct fixture *f = *state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		store_close(f->store);
		assert_int_equal(store_open_memory(&f->store, NULL), ERR_OK);
		crash_run(f, seed);
	}
}

static void nothing_to_do_is_no_commit(void **state)
{
	struct fixture *f = *state;
	step(f, 1000, text_input("only an event"));
	assert_int_equal(f->out.commits, 0);
	assert_int_equal(f->seen.count, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(one_commit_for_all_and_one_ack_a_connection),
	    CASE(a_refused_input_leaves_its_neighbours_alone),
	    CASE(nothing_is_said_before_the_commit),
	    CASE(timers_fire_when_due_and_once),
	    CASE(a_timer_that_was_due_long_ago_fires_at_once),
	    CASE(an_input_clears_a_timer_that_falls_due_in_the_same_step),
	    CASE(a_timer_clears_another_that_falls_due_in_the_same_step),
	    CASE(a_timer_survives_a_restart),
	    CASE(a_refused_timer_comes_again),
	    CASE(many_timers_take_several_steps),
	    CASE(a_repeated_request_gets_the_first_answer),
	    CASE(both_of_one_step_count_once),
	    CASE(a_refused_request_may_be_tried_again),
	    CASE(an_operator_is_answered_even_when_the_refusal_cannot_be_recorded),
	    CASE(answers_are_forgotten_after_their_time),
	    CASE(an_answer_past_its_time_is_not_given_again),
	    CASE(time_never_goes_back),
	    CASE(a_clock_that_was_set_back_by_days_is_believed_at_start),
	    CASE(acknowledged_reports_survive_crashes_and_count_once),
	    CASE(nothing_to_do_is_no_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
