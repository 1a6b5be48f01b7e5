/* controller/api/api.c: requests in, answers out. */
#include "controller/api/api.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "controller/api/query.h"
#include "controller/api/strangers.h"
#include "controller/center/refusals.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/queue.h"
#include "shared/base/text.h"

/* One request that is being answered.  Lives until it is answered or its peer is gone, whichever side learns last. */
struct call {
	struct call *next, *prev;
	struct api *api;
	struct ws_request *request; /* NULL: the peer is gone */
	uint64_t token;
	bool watching;
	bool of_people; /* it changes who may do what */
	bool anonymous; /* no certificate: somebody who tries a token */
	const char *address;
	/* a read */
	struct arena *arena;
	const char *asker; /* operator by certificate */
	struct query query;
	enum { READ_QUERY, READ_STATUS, READ_VERIFY, READ_BOARD, READ_EVENTS } read;
	struct buf answer;
	struct err err;
	enum err_code code;
};

struct event_line {
	uint64_t number;
	char *json;
};

struct api {
	struct api_config c;
	struct ws_http *http;
	struct call *calls;
	size_t waiting, watchers;
	uint64_t tokens;
	uint64_t events, events_before; /* number of the newest; of the last one before this process */
	struct event_line kept[API_EVENTS_KEPT];
	struct ws_timer *heartbeat;
	pthread_t reader;
	bool reading;
	struct queue *reads;
	struct refusals refusals; /* at the handshake */
	struct strangers strangers;
};

static const char *const anonymous[] = {"/api/v1/ca/enrol", NULL};

/* ---- answers ---- */

static int status_of(enum err_code code)
{
	switch (code) {
	case ERR_OK:
		return 200;
	case ERR_INVALID:
	case ERR_LIMIT:
		return 400;
	case ERR_DENIED:
		return 403;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_STATE:
	case ERR_EXISTS:
	case ERR_BUSY:
		return 409;
	case ERR_FULL:
	case ERR_UNREACHABLE:
	case ERR_CANCELLED:
		return 503;
	case ERR_TIMEOUT:
		return 504;
	default:
		return 500;
	}
}

static void error_json(enum err_code code, const char *text, struct buf *out)
{
	buf_printf(out, "{\"error\":{\"code\":\"%s\",\"text\":\"", err_code_name(code));
	for (const char *p = text ? text : ""; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_byte(out, '\\');
		buf_byte(out, (uint8_t)*p < 0x20 ? ' ' : (uint8_t)*p);
	}
	buf_text(out, "\"}}");
}

static void drop(struct call *c)
{
	struct api *a = c->api;
	if (c->prev)
		c->prev->next = c->next;
	else
		a->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	a->watchers -= c->watching;
	a->waiting -= !c->watching;
	arena_free(c->arena);
	buf_done(&c->answer);
	free(c);
}

static void respond(struct call *c, enum err_code code, const void *body, size_t size)
{
	if (c->request)
		ws_respond(c->request, status_of(code), "application/json", NULL, 0, body, size);
	c->request = NULL;
	drop(c);
}

static void refuse(struct call *c, enum err_code code, const char *text)
{
	struct buf body = BUF_INIT;
	error_json(code, text, &body);
	respond(c, code, body.data, body.size);
	buf_done(&body);
}

/* ---- reads, on a thread of their own ---- */

static enum err_code read_now(struct call *c, struct turn *read, struct err *reterr)
{
	c->answer.limit = QUERY_ANSWER_MAX;
	switch (c->read) {
	case READ_STATUS:
		return query_status(read, c->api->c.workflow, &c->answer, reterr);
	case READ_BOARD:
		return query_board(read, &c->answer, reterr);
	case READ_VERIFY:
		return query_audit_verify(read, &c->query, &c->answer, reterr);
	case READ_EVENTS:
		return ERR_OK; /* that they may be watched was the question */
	case READ_QUERY:
		break;
	}
	return query_run(read, &c->query, &c->answer, reterr);
}

static bool may_read(
    struct turn *read, const char *operator_name, const char *noun, enum err_code *ret, struct err *reterr)
{
	bool viewer = false, known = false;
	for (uint32_t role = 0; role < ROLE_COUNT && *ret == ERR_OK && !known; role++)
		if ((*ret = access_has_role(read, operator_name, (enum role)role, &viewer, reterr)) == ERR_OK)
			known = viewer;
	if (*ret == ERR_OK && !known)
		*ret = err_set(reterr, ERR_DENIED,
		    "%s may not read %s: an administrator can change that (`kedge operator put`)", operator_name, noun);
	return *ret == ERR_OK;
}

static void begin_watch(struct call *c);

static void answered(void *arg)
{
	struct call *c = arg;
	if (c->code == ERR_OK && c->read == READ_EVENTS)
		begin_watch(c);
	else if (c->code == ERR_OK)
		respond(c, ERR_OK, c->answer.data, c->answer.size);
	else
		refuse(c, c->code, c->err.msg);
}

static void serve(struct api *a, struct call *c)
{
	struct store_view *view = NULL;
	struct turn *read = NULL;
	c->code = store_view_open(a->c.store, "api", &view, &c->err);
	if (c->code == ERR_OK)
		c->code = turn_open_read(store_view_turn(view), clock_wall_ms(), c->arena, &read, &c->err);
	if (c->code == ERR_OK && may_read(read, c->asker, c->query.noun, &c->code, &c->err))
		c->code = read_now(c, read, &c->err);
	turn_close_read(read);
	store_view_close(view);
	while (!a->c.post(a->c.ctx, answered, c)) { /* the loop is behind; it will not be for long */
		struct timespec pause = {0, 1000 * 1000};
		if (queue_closed(a->reads))
			return;
		nanosleep(&pause, NULL);
	}
}

static void *reader_main(void *arg)
{
	struct api *a = arg;
	void *item;
	while (queue_pop(a->reads, &item, 1, -1) == 1)
		serve(a, item);
	return NULL;
}

/* ---- requests ---- */

static char *part(struct arena *a, const char **at)
{
	const char *from = *at, *end = strchr(from, '/');
	size_t n = end ? (size_t)(end - from) : strlen(from);
	*at = end ? end + 1 : from + n;
	return arena_strndup(a, from, n);
}

static enum err_code query_filters(struct call *c, struct err *reterr)
{
	struct query *q = &c->query;
	uint64_t limit;
	for (size_t i = 0; i < ws_request_query_count(c->request); i++) {
		char *pair = arena_strdup(c->arena, ws_request_query_at(c->request, i)),
		     *value = pair ? strchr(pair, '=') : NULL;
		if (!value)
			return err_set(reterr, ERR_INVALID, "expected name=value in the query");
		*value++ = '\0';
		if (text_equal(pair, "limit")) {
			if (text_u64(value, &limit, reterr) != ERR_OK || limit == 0 || limit > QUERY_LIMIT_MAX)
				return err_set(reterr, ERR_INVALID, "limit is a number from 1 to %d", QUERY_LIMIT_MAX);
			q->limit = (size_t)limit;
		} else if (text_equal(pair, "after")) {
			q->after = value;
		} else if (text_equal(pair, "order")) {
			q->descending = text_equal(value, "desc");
		} else if (q->filter_count < QUERY_FILTERS_MAX) {
			q->filters[q->filter_count++] = (struct query_filter){pair, value};
		} else {
			return err_set(reterr, ERR_INVALID, "at most %d fields to select by", QUERY_FILTERS_MAX);
		}
	}
	return ERR_OK;
}

/* To the reader thread, which first looks whether this operator may read at all. */
static void ask_reader(struct call *c)
{
	struct err err = ERR_INIT;
	c->asker = arena_strdup(c->arena, ws_request_peer(c->request)->name);
	enum err_code rc = c->asker ? queue_push(c->api->reads, c, 1, &err) : err_set(&err, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK)
		refuse(c, rc, rc == ERR_FULL ? "too many reads are waiting: try again" : err.msg);
}

static void start_read(struct call *c, const char *path)
{
	struct query *q = &c->query;
	const char *at = path;
	q->noun = part(c->arena, &at);
	q->key = *at ? arena_strdup(c->arena, at) : NULL;
	struct err err = ERR_INIT;
	c->read = text_equal(q->noun, "status") && !q->key                         ? READ_STATUS
		  : text_equal(q->noun, "audit") && text_equal(q->key, "verify")   ? READ_VERIFY
		  : text_equal(q->noun, "recovery") && text_equal(q->key, "board") ? READ_BOARD
										   : READ_QUERY;
	enum err_code rc = q->noun ? query_filters(c, &err) : err_set(&err, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK && c->read == READ_QUERY && !query_table(q->noun))
		rc = err_set(&err, ERR_NOT_FOUND, "there is no %s to read", q->noun);
	if (rc == ERR_OK)
		ask_reader(c);
	else
		refuse(c, rc, err.msg);
}

static void start_change(struct call *c, const char *path)
{
	struct api *a = c->api;
	struct input *in = input_new(INPUT_REQUEST, 0);
	struct request *r = in ? arena_alloc(in->arena, sizeof *r) : NULL;
	struct bytes body = ws_request_body(c->request);
	const struct tls_peer *peer = ws_request_peer(c->request);
	const char *at = path, *key = ws_request_header(c->request, WS_IDEMPOTENCY_KEY);
	struct err err = ERR_INIT;
	bool congested;
	c->anonymous = !peer;
	if (!r) {
		input_free(in);
		refuse(c, ERR_NOMEM, "out of memory");
		return;
	}
	c->address = arena_strdup(c->arena, ws_request_address(c->request));
	if (c->anonymous && !strangers_may(&a->strangers, c->address, clock_mono_ms())) {
		input_free(in);
		refuse(c, ERR_FULL, "too many wrong tokens were tried within a minute: try again in the next");
		return;
	}
	*r = (struct request){.token = c->token,
	    .operator_name = peer ? arena_strdup(in->arena, peer->name) : NULL,
	    .address = arena_strdup(in->arena, ws_request_address(c->request)),
	    .noun = part(in->arena, &at),
	    .body = arena_strndup(in->arena, (const char *)body.data, body.size),
	    .body_size = body.size,
	    .key = arena_strdup(in->arena, key)};
	r->verb = arena_strdup(in->arena, at);
	c->of_people = text_equal(r->noun, "operator");
	in->request = r;
	in->received_ms = clock_wall_ms();
	in->weight_bytes = arena_used(in->arena) + 256;
	enum err_code rc = r->noun && r->verb && (r->body || !body.size) ? a->c.submit(a->c.ctx, in, &congested, &err)
									 : err_set(&err, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		return; /* api_reply() answers */
	input_free(in);
	refuse(c, rc, rc == ERR_FULL ? "the controller is busy: try again" : err.msg);
}

/* ---- watchers ---- */

static bool write_event(struct call *c, const struct event_line *e)
{
	struct buf line = BUF_INIT;
	buf_printf(&line, "id: %llu\ndata: %s\n\n", (unsigned long long)e->number, e->json);
	bool ok = !line.failed && ws_stream_write(c->request, line.data, line.size, NULL) == ERR_OK;
	buf_done(&line);
	return ok;
}

static void stop_watching(struct call *c)
{
	ws_stream_end(c->request); /* too slow, or the loop ends: the client comes back with the last id it has */
	c->request = NULL;
	drop(c);
}

static void start_watch(struct call *c)
{
	c->read = READ_EVENTS;
	c->query.noun = "event";
	ask_reader(c);
}

/* The stream begins; its peer may be gone while it was asked whether it may. */
static void begin_watch(struct call *c)
{
	struct api *a = c->api;
	if (!c->request) {
		drop(c);
		return;
	}
	const char *last = ws_request_header(c->request, WS_LAST_EVENT_ID);
	uint64_t since = a->events;
	if (a->watchers >= API_WATCHERS_MAX) {
		refuse(c, ERR_FULL, "too many watchers");
		return;
	}
	c->watching = true;
	a->waiting--;
	a->watchers++;
	if (last && text_u64(last, &since, NULL) != ERR_OK)
		since = a->events;
	char from[32]; /* who is cut off before the first event comes back for it */
	text_format(from, sizeof from, "id: %llu\n\n", (unsigned long long)since);
	ws_stream_begin(c->request, 200, "text/event-stream", NULL, 0);
	if (ws_stream_write(c->request, from, strlen(from), NULL) != ERR_OK) {
		stop_watching(c);
		return;
	}
	uint64_t oldest =
	    a->events - a->events_before > API_EVENTS_KEPT ? a->events - API_EVENTS_KEPT : a->events_before;
	for (uint64_t n = (since > oldest ? since : oldest) + 1; n <= a->events; n++)
		if (!write_event(c, &a->kept[n % API_EVENTS_KEPT])) {
			stop_watching(c);
			return;
		}
}

/* They come back with the last id they have, and are asked anew whether they may. */
static void stop_all_watching(struct api *a)
{
	for (struct call *c = a->calls, *next; c; c = next) {
		next = c->next;
		if (c->watching)
			stop_watching(c);
	}
}

static void on_heartbeat(void *user)
{
	struct api *a = user;
	for (struct call *c = a->calls, *next; c; c = next) {
		next = c->next;
		if (c->watching && ws_stream_write(c->request, ": \n\n", 4, NULL) != ERR_OK)
			stop_watching(c);
	}
	ws_timer_set(a->heartbeat, API_HEARTBEAT_MS);
}

/* ---- the port ---- */

static void on_request(void *user, struct ws_request *request)
{
	struct api *a = user;
	static const char prefix[] = "/api/v1/";
	const char *path = ws_request_path(request);
	struct call *c = calloc(1, sizeof *c);
	if (!c || a->waiting >= API_WAITING_MAX || !(c->arena = arena_new(0))) {
		free(c);
		ws_respond(request, 503, "text/plain", NULL, 0, "busy\n", 5);
		return;
	}
	c->api = a;
	c->request = request;
	c->token = ++a->tokens;
	c->next = a->calls;
	if (c->next)
		c->next->prev = c;
	a->calls = c;
	a->waiting++;
	ws_request_set_user(request, c);
	enum ws_method method = ws_request_method(request);
	if (!text_starts(path, prefix))
		refuse(c, ERR_NOT_FOUND, "there is nothing here: the API is below /api/v1/");
	else if (method == WS_POST)
		start_change(c, path + sizeof prefix - 1);
	else if (method != WS_GET)
		refuse(c, ERR_INVALID, "GET reads, POST changes");
	else if (!ws_request_peer(request))
		refuse(c, ERR_DENIED, "a certificate is needed");
	else if (text_equal(path, "/api/v1/event/watch"))
		start_watch(c);
	else
		start_read(c, path + sizeof prefix - 1);
}

static void on_gone(void *user, struct ws_request *request)
{
	(void)user;
	struct call *c = ws_request_user(request);
	if (!c)
		return;
	c->request = NULL;
	if (c->watching)
		drop(c); /* others are dropped when their answer comes */
}

static void on_refused(void *user, const struct ws_refused *r)
{
	struct api *a = user;
	log_warn(
	    "api", "address=%s refused: %s: %s", r->address, tls_verdict_word(r->reason), tls_verdict_text(r->reason));
	if (!refusals_take(&a->refusals, clock_mono_ms(), "api"))
		return;
	struct input *in = input_new(INPUT_REFUSED, 64 << 10);
	bool congested;
	if (!in)
		return;
	in->text = arena_printf(in->arena, "operators' port: %s%s%s from %s: %s",
	    r->peer ? tls_role_text(r->peer->role) : "a stranger", r->peer ? " " : "", r->peer ? r->peer->name : "",
	    r->address, tls_verdict_text(r->reason));
	in->weight_bytes = 256;
	if (!in->text || a->c.submit(a->c.ctx, in, &congested, NULL) != ERR_OK)
		input_free(in);
}

enum err_code api_new(struct ws_loop *loop, const struct api_config *c, struct api **ret, struct err *reterr)
{
	struct api *a = calloc(1, sizeof *a);
	if (!a)
		return err_set(reterr, ERR_NOMEM, "out of memory for the API");
	a->c = *c;
	a->events = a->events_before = clock_wall_ms(); /* above all numbers of the process before: who watched that one
							   is told all that happened in this one */
	a->reads = queue_new(API_READS_MAX, API_READS_MAX);
	a->heartbeat = ws_timer_new(loop, on_heartbeat, a);
	struct ws_http_config hc = {.port = c->port,
	    .anonymous_prefixes = anonymous,
	    .user = a,
	    .on_request = on_request,
	    .on_gone = on_gone,
	    .on_refused = on_refused};
	enum err_code rc = a->reads && a->heartbeat ? ws_http_new(loop, &hc, &a->http, reterr)
						    : err_set(reterr, ERR_NOMEM, "out of memory for the API");
	if (rc == ERR_OK && pthread_create(&a->reader, NULL, reader_main, a) != 0)
		rc = err_set(reterr, ERR_NOMEM, "no thread for the API");
	if (rc != ERR_OK) {
		api_free(a);
		return err_prefix(reterr, rc, "operators' port");
	}
	a->reading = true;
	ws_timer_set(a->heartbeat, API_HEARTBEAT_MS);
	*ret = a;
	return ERR_OK;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	if (a->reads)
		queue_close(a->reads);
	if (a->reading)
		pthread_join(a->reader, NULL);
	ws_http_free(a->http); /* on_gone for what is open */
	while (a->calls)
		drop(a->calls);
	if (a->reads)
		queue_free(a->reads);
	ws_timer_free(a->heartbeat);
	for (size_t i = 0; i < API_EVENTS_KEPT; i++)
		free(a->kept[i].json);
	free(a);
}

struct ws_http *api_http(struct api *a)
{
	return a->http;
}

void api_reply(struct api *a, uint64_t token, enum err_code code, const char *body, size_t size)
{
	for (struct call *c = a->calls; c; c = c->next)
		if (c->token == token && !c->watching) {
			bool of_people = c->of_people && code == ERR_OK;
			if (c->anonymous && code != ERR_OK)
				strangers_failed(&a->strangers, c->address, clock_mono_ms()); /* the center wrote it */
			respond(c, code, body, size);
			if (of_people)
				stop_all_watching(a);
			return;
		}
}

void api_event(struct api *a, const char *json)
{
	char *copy = strdup(json);
	if (!copy)
		return;
	struct event_line *e = &a->kept[++a->events % API_EVENTS_KEPT];
	free(e->json);
	*e = (struct event_line){a->events, copy};
	for (struct call *c = a->calls, *next; c; c = next) {
		next = c->next;
		if (c->watching && !write_event(c, e))
			stop_watching(c);
	}
}

/* ---- center's thread ---- */

enum err_code api_encode_reply(const struct center_reply *r, struct buf *out, struct err *reterr)
{
	if (r->code != ERR_OK) {
		error_json(r->code, r->text, out);
		return ERR_OK;
	}
	if (r->json) {
		buf_text(out, r->json);
		return ERR_OK;
	}
	if (r->record)
		return record_to_json(
		    r->type, r->record, RECORD_WITH_SECRETS, out, reterr); /* a token is shown once, to who asked */
	buf_text(out, "{}");
	return ERR_OK;
}

void api_encode_event(const struct center_event *e, struct buf *out)
{
	char when[TEXT_TIME_MAX];
	buf_printf(out, "{\"at\":\"%s\",\"topic\":\"%s\",\"severity\":\"%s\",\"text\":\"", text_time(e->at_ms, when),
	    e->topic ? e->topic : "", enum_name(&severity_enum, e->severity));
	for (const char *p = e->text ? e->text : ""; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_byte(out, '\\');
		buf_byte(out, (uint8_t)*p < 0x20 ? ' ' : (uint8_t)*p);
	}
	buf_text(out, "\"}");
}
