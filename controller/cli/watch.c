/* controller/cli/watch.c: what happens, as it happens. */
#include <string.h>

#include "controller/cli/command.h"
#include "controller/cli/sse.h"
#include "shared/base/cleanup.h"
#include "shared/base/random.h"
#include "shared/base/text.h"

struct event {
	uint64_t at_ms;
	const char *topic;
	uint32_t severity;
	const char *text;
};
#define S struct event
static const struct field event_fields[] = {
    F_TIME(S, at_ms, FIELD_COLUMN, "when"),
    F_STRING(S, topic, NAME_MAX_BYTES, FIELD_COLUMN, "what it is about"),
    F_ENUM(S, severity, &severity_enum, FIELD_COLUMN, "how much it matters"),
    F_STRING(S, text, TEXT_PAGE_MAX, FIELD_COLUMN, "what happened"),
};
#undef S
const struct record_type watched_event_type =
    RECORD_TYPE("watched_event", struct event, event_fields, "one line of `kedge watch`");

struct watch {
	struct cli *c;
	struct sse sse;
	struct arena *arena;
	bool any; /* the connection brought something */
	uint32_t backoff_ms;
};

static const char *colour_of(const struct cli *c, uint32_t severity)
{
	if (!c->table.colour || severity < SEVERITY_MEDIUM)
		return "";
	return severity == SEVERITY_MEDIUM ? "\033[33m" : "\033[31m";
}

static bool on_event(void *ctx, const char *id, const char *data)
{
	struct watch *w = ctx;
	struct cli *c = w->c;
	struct event e;
	char when[TEXT_TIME_MAX];
	(void)id;
	w->any = true;
	if (c->format == CLI_JSON) {
		cli_print(c, "%s\n", data); /* one line: the API sends no other */
		return true;
	}
	arena_reset(w->arena);
	if (record_from_json(&watched_event_type, data, strlen(data), 0, w->arena, &e, NULL) != ERR_OK)
		return true; /* of a newer version: not for us */
	CLEANUP(buf_done) struct buf line = BUF_INIT;
	const char *colour = colour_of(c, e.severity);
	buf_printf(&line, "%s  %s%-8s%s  ", text_time(e.at_ms, when), colour, enum_name(&severity_enum, e.severity),
	    *colour ? "\033[0m" : "");
	out_text(&line, e.topic ? e.topic : "-");
	for (size_t n = e.topic ? strlen(e.topic) : 1; n < 12; n++)
		buf_byte(&line, ' ');
	buf_text(&line, "  ");
	out_text(&line, e.text);
	buf_byte(&line, '\n');
	cli_put(c, &line);
	return true;
}

static bool on_data(void *ctx, const char *data, size_t size)
{
	struct watch *w = ctx;
	w->any = true;
	return sse_feed(&w->sse, data, size);
}

/* Refused for good, not just not there: trying again would not help. */
static bool hopeless(enum err_code rc)
{
	return rc == ERR_DENIED || rc == ERR_NOT_FOUND || rc == ERR_INVALID || rc == ERR_NOMEM || rc == ERR_CANCELLED;
}

static enum err_code watch_once(struct watch *w, const struct client_config *config)
{
	struct cli *c = w->c;
	CLEANUP(buf_done) struct buf body = BUF_INIT;
	struct cli_request r = {.method = "GET",
	    .path = "/api/v1/event/watch",
	    .last_event_id = w->sse.id[0] ? w->sse.id : NULL,
	    .on_data = on_data,
	    .ctx = w};
	int status = 0;
	enum err_code rc = c->io->ask(c->io->ctx, config, &r, &status, &body, &c->err);
	if (rc == ERR_OK && status != 200)
		return err_set(
		    &c->err, error_of_answer(status, NULL), "the controller answers with HTTP status %d", status);
	return rc;
}

static void wait_a_little(struct watch *w, enum err_code rc)
{
	struct cli *c = w->c;
	uint32_t most = w->any || !w->backoff_ms ? CLI_RECONNECT_LEAST_MS : 2 * w->backoff_ms;
	w->backoff_ms = most < CLI_RECONNECT_MOST_MS ? most : CLI_RECONNECT_MOST_MS;
	CLEANUP(buf_done) struct buf why = BUF_INIT;
	out_text(&why, rc == ERR_OK ? "the controller ended the stream" : c->err.msg);
	if (!w->any)
		cli_say(c, "kedge: %s; trying again\n", buf_str(&why));
	c->io->pause(c->io->ctx, (uint32_t)random_below(c->io->random, w->backoff_ms) + 1);
}

int run_watch(struct cli *c)
{
	const struct client_config *config;
	struct watch w = {.c = c, .arena = arena_new(0)};
	const char *from = words_option(&c->w, "from");
	enum err_code rc = w.arena ? cli_config(c, &config) : err_set(&c->err, ERR_NOMEM, "out of memory");
	w.sse.on_event = on_event;
	w.sse.ctx = &w;
	uint64_t number;
	if (from && text_u64(from, &number, NULL) != ERR_OK)
		rc = err_set(&c->err, ERR_INVALID, "--from: expected an event's number, got \"%.40s\"", from);
	else if (from)
		text_copy(w.sse.id, sizeof w.sse.id, from);
	sse_break(&w.sse);
	while (rc == ERR_OK) {
		w.any = false;
		rc = watch_once(&w, config);
		sse_break(&w.sse);
		if (hopeless(rc))
			break;
		wait_a_little(&w, rc);
		rc = ERR_OK;
	}
	sse_done(&w.sse);
	arena_free(w.arena);
	return cli_fail(c, rc);
}
