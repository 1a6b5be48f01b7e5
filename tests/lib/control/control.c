/* tests/lib/control/control.c */
#include "tests/lib/control/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"

enum { INPUT_ARENA = 8 << 20, LOOK_ARENA = 512 << 20 };

#define must(CALL) must_be((CALL), #CALL, &rig_err)
static struct err rig_err;
static void must_be(enum err_code rc, const char *what, const struct err *err)
{
	if (rc == ERR_OK)
		return;
	fprintf(stderr, "control: %s: %s: %s\n", what, err_code_name(rc), err->msg);
	abort();
}

static void *grown(void *items, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return items;
	*capacity = *capacity ? 2 * *capacity : 16;
	void *more = realloc(items, *capacity * size);
	if (!more)
		abort();
	return more;
}

/* ---- sinks ---- */

static struct control_letter *letter(struct control *c, const char *host, struct id boot)
{
	c->letters = grown(c->letters, c->letter_count, &c->letter_capacity, sizeof(*c->letters));
	struct control_letter *l = &c->letters[c->letter_count++];
	*l = (struct control_letter){.boot = boot};
	text_copy(l->host, sizeof(l->host), host);
	return l;
}

static void on_frame(void *ctx, const char *host, struct id boot, enum frame_type type, struct bytes encoded)
{
	struct control_letter *l = letter(ctx, host, boot);
	l->type = type;
	l->size = encoded.size;
	l->bytes = malloc(encoded.size);
	if (!l->bytes)
		abort();
	memcpy(l->bytes, encoded.data, encoded.size);
}

static void on_close(void *ctx, const char *host, struct id boot, enum bye_reason reason, const char *text)
{
	struct control_letter *l = letter(ctx, host, boot);
	l->close = true;
	l->reason = reason;
	text_copy(l->text, sizeof(l->text), text ? text : "");
}

static void on_reply(void *ctx, const struct center_reply *r)
{
	struct control *c = ctx;
	c->replied = true;
	c->reply_code = r->code;
	buf_clear(&c->reply);
	buf_clear(&c->reply_text);
	buf_text(&c->reply_text, r->text ? r->text : "");
	if (r->record)
		must(record_to_json(r->type, r->record, RECORD_WITH_SECRETS, &c->reply, &rig_err));
	else if (r->json)
		buf_text(&c->reply, r->json);
}

static void remember(struct control_ids *ids, struct id id)
{
	for (size_t i = 0; i < ids->count; i++)
		if (id_equal(ids->items[i], id))
			return; /* asked twice, done once */
	ids->items = grown(ids->items, ids->count, &ids->capacity, sizeof(*ids->items));
	ids->items[ids->count++] = id;
}

static void on_notify(void *ctx, struct id outbox)
{
	remember(&((struct control *)ctx)->notify, outbox);
}

static void on_analyse(void *ctx, struct id incident)
{
	remember(&((struct control *)ctx)->analyse, incident);
}

static void on_summarise(void *ctx, struct id incident)
{
	remember(&((struct control *)ctx)->summarise, incident);
}

static void on_event(void *ctx, const struct center_event *e)
{
	buf_printf(&((struct control *)ctx)->events, "%s: %s\n", e->topic, e->text);
}

/* ---- life ---- */

static enum err_code refused(struct turn *t, const struct workflow_config *config, const struct input *in,
    const struct err *why, struct err *reterr);
static struct control *refusing; /* the handler has no context of its own; one thread */

static struct list defaults_channels(struct arena *a)
{
	struct notify_channel *ch = arena_alloc(a, sizeof(*ch));
	*ch = (struct notify_channel){.name = "file", .kind = NOTIFY_FILE, .url = "/dev/null"};
	return (struct list){ch, 1};
}

static void configure(struct control *c, const struct list *operators)
{
	struct workflow_config *w = &c->config;
	must(record_defaults(&fleet_config_type, c->arena, &w->fleet, &rig_err));
	must(record_defaults(&health_config_type, c->arena, &w->health, &rig_err));
	must(record_defaults(&incident_config_type, c->arena, &w->incident, &rig_err));
	must(record_defaults(&recovery_config_type, c->arena, &w->recovery, &rig_err));
	w->notify = (struct notify_config){
	    .channels = defaults_channels(c->arena), .rounds = 3, .hold_ms = 2000, .site = "test"};
	w->recovery.fleet = w->fleet;
	w->recovery.controller = w->name = "control-1";
	w->retry_ms = 5000;
	w->administrators = *operators;
}

static void start(struct control *c)
{
	struct center_options o = {
	    .store = c->store,
	    .random = &c->random,
	    .handlers = {.apply = workflow_apply, .refused = refused, .config = &c->config},
	    .sinks = {.ctx = c,
		.frame = on_frame,
		.close = on_close,
		.reply = on_reply,
		.notify = on_notify,
		.analyse = on_analyse,
		.event = on_event,
		.summarise = on_summarise},
	};
	must(center_new(&o, &c->center, &rig_err));
}

void control_open(struct control *c, uint64_t seed, uint64_t now_ms, const struct list *operators)
{
	*c = (struct control){.now_ms = now_ms, .next_due_ms = UINT64_MAX};
	random_init_seed(&c->random, seed);
	c->arena = arena_new(0);
	must(store_open_memory(&c->store, &rig_err));
	configure(c, operators);
	start(c);
}

void control_boot(struct control *c)
{
	if (!c->center)
		start(c);
	if (!control_give(c, control_input(INPUT_BOOT, NULL, (struct id){{0}})))
		abort();
}

void control_forget_letters(struct control *c)
{
	for (size_t i = 0; i < c->letter_count; i++)
		free(c->letters[i].bytes);
	c->letter_count = 0;
}

void control_crash(struct control *c)
{
	center_free(c->center);
	c->center = NULL;
	control_forget_letters(c);
	c->analyse.count = c->notify.count = c->summarise.count = 0;
	c->next_due_ms = UINT64_MAX;
	store_memory_restart(c->store);
}

void control_close(struct control *c)
{
	center_free(c->center);
	control_forget_letters(c);
	free(c->letters);
	free(c->analyse.items);
	free(c->summarise.items);
	free(c->notify.items);
	store_close(c->store);
	arena_free(c->arena);
	for (struct buf *all[] = {&c->reply, &c->reply_text, &c->events, &c->last_refusal}, **b = all; b < all + 4; b++)
		buf_done(*b);
}

/* ---- steps ---- */

static enum err_code refused(struct turn *t, const struct workflow_config *config, const struct input *in,
    const struct err *why, struct err *reterr)
{
	buf_clear(&refusing->last_refusal);
	buf_printf(&refusing->last_refusal, "%s: %s", err_code_name(why->code), why->msg);
	return workflow_refused(t, config, in, why, reterr);
}

void control_step(struct control *c, struct input **inputs, size_t count, bool *ret_error)
{
	struct center_outcome out;
	struct err err = ERR_INIT;
	refusing = c;
	*ret_error = center_step(c->center, inputs, count, c->now_ms, &out, &err) != ERR_OK;
	c->steps++;
	if (*ret_error)
		return;
	c->next_due_ms = out.next_due_ms;
	c->refused += out.refused;
	c->accepted += out.accepted;
	c->commits += out.commits;
}

bool control_give(struct control *c, struct input *in)
{
	bool error;
	size_t before = c->refused;
	control_step(c, &in, 1, &error);
	if (error)
		abort();
	return c->refused == before;
}

struct input *control_input(enum input_kind kind, const char *host, struct id boot)
{
	struct input *in = input_new(kind, INPUT_ARENA);
	if (!in)
		abort();
	in->host = arena_strdup(in->arena, host);
	in->boot = boot;
	return in;
}

struct input *control_frame(enum input_kind kind, const char *host, struct id boot, const void *bytes, size_t size)
{
	struct input *in = control_input(kind, host, boot);
	struct frame *f = arena_alloc(in->arena, sizeof(*f));
	enum bye_reason bye;
	must(message_decode(SIDE_AGENT, bytes, size, in->arena, f, &bye, &rig_err));
	in->frame = f;
	return in;
}

struct input *control_delivered(struct id notification, enum err_code code, const char *text)
{
	struct input *in = control_input(INPUT_DELIVERED, NULL, (struct id){{0}});
	in->id = notification;
	in->code = code;
	in->text = arena_strdup(in->arena, text);
	return in;
}

struct turn *control_look(struct control *c, struct control_look *l)
{
	*l = (struct control_look){.arena = arena_new(LOOK_ARENA)};
	must(store_view_open(c->store, "look", &l->view, &rig_err));
	must(turn_open_read(store_view_turn(l->view), c->now_ms, l->arena, &l->turn, &rig_err));
	return l->turn;
}

void control_look_end(struct control_look *l)
{
	turn_close_read(l->turn);
	store_view_close(l->view);
	arena_free(l->arena);
}

struct input *control_diagnose(struct control *c, struct id incident)
{
	struct control_look look;
	struct diagnosis d, *kept;
	struct err err = ERR_INIT;
	struct turn *t = control_look(c, &look);
	struct input *in = NULL;
	if (diagnosis_compute(t, incident, &d, &err) == ERR_OK) {
		in = control_input(INPUT_DIAGNOSED, NULL, (struct id){{0}});
		kept = arena_alloc(in->arena, sizeof(*kept));
		d.diagnosis =
		    id_new(c->now_ms, &c->random); /* the center gives the one that counts; copying wants one */
		must(record_copy(&diagnosis_type, &d, in->arena, kept, &rig_err));
		in->id = incident;
		in->diagnosis = kept;
	}
	control_look_end(&look);
	return in;
}

struct input *control_ask(
    struct control *c, const char *operator_name, const char *noun, const char *verb, const char *body)
{
	struct input *in = control_input(INPUT_REQUEST, NULL, (struct id){{0}});
	struct request *r = arena_alloc(in->arena, sizeof(*r));
	*r = (struct request){.token = ++c->tokens,
	    .operator_name = arena_strdup(in->arena, operator_name),
	    .address = "127.0.0.1:9",
	    .noun = arena_strdup(in->arena, noun),
	    .verb = arena_strdup(in->arena, verb),
	    .body = arena_strdup(in->arena, body),
	    .body_size = strlen(body)};
	in->request = r;
	return in;
}

/* ---- for tests ---- */

static struct id take_first(struct control_ids *ids)
{
	struct id first = ids->items[0];
	memmove(&ids->items[0], &ids->items[1], --ids->count * sizeof(ids->items[0]));
	return first;
}

void control_settle(struct control *c)
{
	for (int i = 0; i < 10000 && (c->analyse.count || c->notify.count); i++) {
		if (c->notify.count) {
			control_give(c, control_delivered(take_first(&c->notify), ERR_OK, NULL));
			continue;
		}
		struct input *in = control_diagnose(c, take_first(&c->analyse));
		if (in)
			control_give(c, in);
	}
}

void control_until(struct control *c, uint64_t until_ms)
{
	bool error;
	control_settle(c);
	for (int i = 0; i < 1000000 && c->next_due_ms <= until_ms; i++) {
		if (c->next_due_ms > c->now_ms)
			c->now_ms = c->next_due_ms;
		control_step(c, NULL, 0, &error);
		if (error)
			abort();
		control_settle(c);
	}
	if (c->now_ms < until_ms)
		c->now_ms = until_ms;
}

size_t control_letters_to(const struct control *c, const char *host, enum frame_type type)
{
	size_t n = 0;
	for (size_t i = 0; i < c->letter_count; i++)
		n += !c->letters[i].close && c->letters[i].type == type &&
		     (!host || text_equal(host, c->letters[i].host));
	return n;
}

bool control_last(
    const struct control *c, const char *host, enum frame_type type, struct arena *arena, struct frame *ret)
{
	for (size_t i = c->letter_count; i-- > 0;) {
		const struct control_letter *l = &c->letters[i];
		enum bye_reason bye;
		if (l->close || l->type != type || !text_equal(host, l->host))
			continue;
		must(message_decode(SIDE_CONTROLLER, l->bytes, l->size, arena, ret, &bye, &rig_err));
		return true;
	}
	return false;
}

const struct control_letter *control_last_close(const struct control *c, const char *host)
{
	for (size_t i = c->letter_count; i-- > 0;)
		if (c->letters[i].close && text_equal(host, c->letters[i].host))
			return &c->letters[i];
	return NULL;
}

static size_t host_at(struct control *c, const char *host)
{
	size_t i = 0;
	while (i < c->host_count && !text_equal(c->hosts[i].host, host))
		i++;
	if (i == c->host_count) {
		if (i == sizeof(c->hosts) / sizeof(c->hosts[0]))
			abort();
		c->hosts[c->host_count++].host = host;
	}
	return i;
}

static bool give_frame(
    struct control *c, enum input_kind kind, const char *host, struct id boot, enum frame_type type, const void *body)
{
	struct buf bytes = BUF_INIT;
	must(message_encode(type, body, &bytes, &rig_err));
	struct input *in = control_frame(kind, host, boot, bytes.data, bytes.size);
	buf_done(&bytes);
	return control_give(c, in);
}

bool control_hello_with(struct control *c, const char *host, uint8_t boot, struct declared_service *services,
    size_t count, const struct list *capabilities)
{
	struct hello h = {.version = MESSAGE_VERSION,
	    .version_least = MESSAGE_VERSION_LEAST,
	    .agent_version = "0.1",
	    .host = host,
	    .boot = {{1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, boot}},
	    .clock_ms = c->now_ms,
	    .capabilities = *capabilities,
	    .services = {services, count}};
	c->hosts[host_at(c, host)].boot = h.boot;
	return give_frame(c, INPUT_HELLO, host, h.boot, FRAME_HELLO, &h);
}

bool control_hello(struct control *c, const char *host, uint8_t boot, struct declared_service *services, size_t count)
{
	return control_hello_with(c, host, boot, services, count, &(struct list){0});
}

bool control_report(struct control *c, const char *host, struct report body)
{
	size_t at = host_at(c, host);
	body.sequence = ++c->hosts[at].sequence;
	body.at_ms = c->now_ms;
	return give_frame(c, INPUT_REPORT, host, c->hosts[at].boot, FRAME_REPORT, &body);
}

enum err_code control_request(
    struct control *c, const char *operator_name, const char *noun, const char *verb, const char *body)
{
	c->replied = false;
	control_give(c, control_ask(c, operator_name, noun, verb, body));
	if (!c->replied)
		abort(); /* every request is answered */
	return c->reply_code;
}
