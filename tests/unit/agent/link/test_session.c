/* One session, step by step. */
#include "agent/link/limits.h"
#include "shared/message/types.h"
#include "tests/unit/agent/link/session_rig.h"

static void it_dials_once_it_may(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_tick(&r);
	session_on_identity(r.s, 99, r.now_ms);
	rig_tick(&r);
	expect(&r, "");
	assert_int_equal(session_due_ms(r.s), UINT64_MAX);
	struct channel_declare d = {0};
	ok(session_on_declare(r.s, &d, r.now_ms, &rig_err));
	rig_tick(&r);
	expect(&r, "dial; ");
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	expect(&r, "hello 0-0; ");
	rig_welcome(&r, 0);
	expect(&r, "up; ");
	assert_int_equal(r.told.connection->epoch, 5);
	assert_int_equal(r.told.connection->heartbeat_ms, 30000);
	rig_done(&r);
}

static void hello_says_who_and_what(void **state)
{
	struct rig r;
	uint32_t components[] = {COMPONENT_CONFIG};
	const char *depends[] = {"db"};
	struct declared_service one = {.name = "portal", .components = {components, 1}, .depends_on = {depends, 1}};
	struct channel_declare d = {{&one, 1}, 42};
	(void)state;
	rig_open(&r);
	session_on_identity(r.s, 1234567, r.now_ms);
	ok(session_on_declare(r.s, &d, r.now_ms, &rig_err));
	memset(&one, 0, sizeof(one)); /* it was copied */
	depends[0] = NULL;
	rig_report(&r);
	rig_report(&r);
	rig_tick(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	expect(&r, "spooled 1; spooled 2; dial; hello 1-2; ");
	const struct hello *h = r.sent.hello;
	assert_string_equal(h->host, "web-1");
	assert_string_equal(h->agent_version, "0.1");
	assert_true(id_equal(h->boot, rig_boot));
	assert_int_equal(h->clock_ms, 1700000000000 + r.now_ms);
	assert_int_equal(h->epoch_seen, 42);
	assert_int_equal(h->certificate_expires_ms, 1234567);
	assert_int_equal(h->services.count, 1);
	const struct declared_service *d0 = h->services.items;
	assert_string_equal(d0->name, "portal");
	assert_string_equal(LIST_AT(d0->depends_on, const char *, 0), "db");
	rig_done(&r);
}

static void reports_go_out_after_they_are_durable(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	rig_report(&r);
	expect(&r, "spooled 1; ");
	rig_live(&r, 0);
	rig_report(&r);
	expect(&r, "spooled 2; report 2; ");
	/* The disk is full: not a word, and the keeper asks again. */
	struct link_report room;
	struct session_report one = {3, link_report_make(&room, 3, IMPORTANCE_EVENT, 5)};
	spool_memory_fail(r.spool, 0, ERR_FULL);
	assert_int_equal(session_on_reports(r.s, &one, 1, r.now_ms, &rig_err), ERR_FULL);
	expect(&r, "");
	ok(session_on_reports(r.s, &one, 1, r.now_ms, &rig_err));
	expect(&r, "spooled 3; report 3; ");
	/* The disk is broken. */
	one.token = 4;
	spool_memory_fail(r.spool, 0, ERR_IO);
	assert_int_equal(session_on_reports(r.s, &one, 1, r.now_ms, &rig_err), ERR_IO);
	expect(&r, "");
	rig_done(&r);
}

static void replay_begins_after_what_is_acknowledged(void **state)
{
	struct rig r;
	struct spool_state spool;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	for (int i = 0; i < 5; i++)
		rig_report(&r);
	rig_live(&r, 2);
	spool_state(r.spool, &spool);
	assert_int_equal(spool.first, 3); /* what welcome acknowledged is gone */
	assert_int_equal(session_in_flight(r.s), 3);
	rig_ack(&r, 4);
	assert_int_equal(session_in_flight(r.s), 1);
	spool_state(r.spool, &spool);
	assert_int_equal(spool.first, 3); /* forgotten a little later, with others */
	rig_until_due(&r);
	spool_state(r.spool, &spool);
	assert_int_equal(spool.first, 5);
	session_on_closed(r.s, "the connection broke", r.now_ms);
	expect(&r, "down: the connection broke; ");
	rig_until_due(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	rig_welcome(&r, 4);
	expect(&r, "dial; hello 5-5; up; report 5; ");
	rig_done(&r);
}

static void the_window_is_bounded(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	for (int i = 0; i < SESSION_WINDOW_COUNT + 50; i++)
		rig_report(&r);
	rig_live(&r, 0);
	assert_int_equal(session_in_flight(r.s), SESSION_WINDOW_COUNT);
	rig_ack(&r, 1);
	expect(&r, "report 257; ");
	rig_ack(&r, SESSION_WINDOW_COUNT);
	assert_int_equal(session_in_flight(r.s), 50);
	rig_done(&r);
}

static void the_window_counts_bytes(void **state)
{
	enum { ITEMS = 200 };
	struct rig r;
	struct link_report text;
	struct log_template templates[ITEMS];
	struct log_report log = {.service = "portal", .source = "x", .templates = {templates, ITEMS}};
	struct report big = {.sequence = 1, .at_ms = 9, .importance = IMPORTANCE_EVENT, .log = &log};
	(void)state;
	link_report_make(&text, 1, 0, 500);
	for (size_t i = 0; i < ITEMS; i++)
		templates[i] =
		    (struct log_template){.template_text = text.text, .sample = text.text, .first_ms = 1, .last_ms = 1};
	rig_open(&r);
	rig_ready(&r);
	for (uint64_t i = 1; i <= 6; i++) { /* of 220 KiB each */
		struct session_report one = {i, &big};
		ok(session_on_reports(r.s, &one, 1, r.now_ms, &rig_err));
	}
	rig_live(&r, 0);
	assert_int_equal(session_in_flight(r.s), 4);
	rig_ack(&r, 1);
	assert_int_equal(session_in_flight(r.s), 4);
	rig_ack(&r, 4);
	assert_int_equal(session_in_flight(r.s), 2);
	rig_done(&r);
}

static void a_full_connection_goes_on_when_it_drained(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	for (int i = 0; i < 4; i++)
		rig_report(&r);
	r.send_room = 3; /* hello and two */
	rig_live(&r, 0);
	assert_int_equal(session_in_flight(r.s), 2);
	rig_report(&r);
	expect(&r, "spooled 5; ");
	r.send_room = SIZE_MAX;
	rig_report(&r);
	expect(&r, "spooled 6; "); /* it waits for its turn */
	ok(session_on_drained(r.s, r.now_ms, &rig_err));
	expect(&r, "report 3; report 4; report 5; report 6; ");
	rig_done(&r);
}

static void dropped_reports_leave_no_hole(void **state)
{
	struct rig r;
	struct report bad = {.sequence = 1, .at_ms = 5}; /* no body: cannot be sent */
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	rig_report(&r);
	for (int i = 0; i < 3; i++) {
		struct session_report one = {++r.token, &bad};
		ok(session_on_reports(r.s, &one, 1, r.now_ms, &rig_err));
	}
	rig_report(&r);
	r.log[0] = '\0';
	rig_until_due(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	rig_welcome(&r, 0);
	expect(&r, "dial; hello 1-5; up; report 1; lost 2-4; report 5; ");
	rig_ack(&r, 3); /* within the run, as after a restart of the controller */
	assert_int_equal(session_in_flight(r.s), 2);
	session_on_closed(r.s, "x", r.now_ms);
	rig_until_due(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	rig_welcome(&r, 3);
	expect(&r, "down: x; dial; hello 4-5; up; lost 4-4; report 5; ");
	rig_done(&r);
}

static void a_restored_controller_is_told_what_it_lost(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	for (int i = 0; i < 9; i++)
		rig_report(&r);
	rig_live(&r, 9);
	session_on_closed(r.s, "x", r.now_ms);
	rig_live(&r, 4); /* a backup from before 5 */
	rig_report(&r);
	expect(&r, "spooled 10; lost 5-9; report 10; ");
	rig_done(&r);
}

static void a_new_spool_counts_on_from_the_controller(void **state)
{
	struct rig r;
	struct spool_state spool;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	rig_live(&r, 1000); /* the hello said: empty */
	spool_state(r.spool, &spool);
	assert_int_equal(spool.next, 1001);
	rig_report(&r);
	expect(&r, "spooled 1; report 1001; ");
	rig_done(&r);
	/* A report came between hello and welcome: it must not be taken for an old one. */
	rig_open(&r);
	rig_ready(&r);
	rig_until_due(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	rig_report(&r);
	rig_welcome(&r, 1000);
	expect(&r, "dial; hello 0-0; spooled 1; close: the first reports of a new spool: hello again; ");
	session_on_closed(r.s, "closed", r.now_ms);
	rig_until_due(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	rig_welcome(&r, 0);
	expect(&r, "down: the first reports of a new spool: hello again; dial; hello 1-1; up; report 1; ");
	rig_done(&r);
}

/* ---- tokens ---- */

static void a_token_is_spooled_once(void **state)
{
	struct rig r;
	struct spool_state spool;
	(void)state;
	rig_open(&r);
	rig_report(&r);
	rig_report(&r);
	/* The link dies before the keeper hears; the keeper hands both over again, and one more. */
	session_free(r.s);
	spool_memory_restart(r.spool);
	rig_begin(&r, rig_boot);
	r.log[0] = '\0';
	for (int i = 0; i < 3; i++)
		rig_report(&r);
	expect(&r, "spooled 1; spooled 2; spooled 3; ");
	spool_state(r.spool, &spool);
	assert_int_equal(spool.count, 3);
	/* Another keeper counts anew. */
	session_free(r.s);
	rig_begin(&r, (struct id){{9}});
	rig_report(&r);
	spool_state(r.spool, &spool);
	assert_int_equal(spool.count, 4);
	/* One whose tokens go back is broken: nothing may be taken for stored. */
	r.token = 0;
	struct link_report room;
	struct session_report two[] = {{7, link_report_make(&room, 7, IMPORTANCE_EVENT, 5)}, {7, &room.report}};
	assert_int_equal(session_on_reports(r.s, two, 2, r.now_ms, &rig_err), ERR_INVALID);
	two[0].token = 1;
	assert_int_equal(session_on_reports(r.s, two, 1, r.now_ms, &rig_err), ERR_INVALID);
	spool_state(r.spool, &spool);
	assert_int_equal(spool.count, 4);
	rig_done(&r);
}

/* ---- what the controller says ---- */

static const struct id an_order = {{5}};

static void orders_reach_the_keeper(void **state)
{
	struct rig r;
	struct order order = {.order = an_order,
	    .kind = ORDER_PROBE,
	    .epoch = 5,
	    .issued_ms = 1,
	    .expires_ms = 2,
	    .host = "web-1",
	    .service = "portal",
	    .issuer = "ada",
	    .run_limit_ms = 1000};
	struct cancel cancel = {.order = an_order};
	struct halt halt = {.on = true};
	struct look look = {.service = "portal"};
	struct certificate certificate = {.error = "no"};
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	rig_live(&r, 0);
	rig_frame(&r, FRAME_ORDER, &order);
	assert_true(id_equal(r.told.order->order, an_order));
	rig_frame(&r, FRAME_CANCEL, &cancel);
	rig_frame(&r, FRAME_HALT, &halt);
	rig_frame(&r, FRAME_LOOK, &look);
	rig_frame(&r, FRAME_CERTIFICATE, &certificate);
	expect(&r, "order; cancel; halt; look; certificate; ");
	rig_done(&r);
}

static void certificate_requests_are_asked_until_answered(void **state)
{
	struct rig r;
	struct certificate_request request = {.csr = "-----BEGIN"};
	struct certificate certificate = {.chain = "x"};
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	ok(session_on_certificate_request(r.s, &request, &rig_err));
	expect(&r, "");
	rig_until_due(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	rig_welcome(&r, 0);
	expect(&r, "dial; hello 0-0; up; certificate_request; ");
	ok(session_on_certificate_request(r.s, &request, &rig_err));
	expect(&r, "certificate_request; ");
	rig_frame(&r, FRAME_CERTIFICATE, &certificate);
	session_on_closed(r.s, "x", r.now_ms);
	rig_live(&r, 0);
	expect(&r, "");
	rig_done(&r);
}

static void progress_is_sent_now_or_never(void **state)
{
	struct rig r;
	struct progress p = {.order = an_order, .service = "portal", .percent = 5};
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	session_on_progress(r.s, &p);
	rig_live(&r, 0);
	expect(&r, "");
	session_on_progress(r.s, &p);
	expect(&r, "progress; ");
	rig_done(&r);
}

static void wrong_frames_end_the_connection(void **state)
{
	struct welcome w = {
	    .version = 1, .controller = "c", .epoch = 1, .clock_ms = 1, .heartbeat_ms = 1, .acknowledged = 0};
	struct welcome new_version = w, beyond = w, too_far = w;
	struct ack far = {3};
	struct hello hello = {
	    .version = 1, .version_least = 1, .agent_version = "x", .host = "x", .boot = an_order, .clock_ms = 1};
	new_version.version = MESSAGE_VERSION + 1;
	beyond.acknowledged = 3;
	too_far.acknowledged = UINT64_MAX;
	const struct {
		bool live;
		enum frame_type type;
		const void *body;
		const char *want;
	} cases[] = {
	    {false, FRAME_HELLO, &hello, "frame: hello is not for a controller to send"},
	    {false, FRAME_WELCOME, &new_version, "no version of the protocol that both speak"},
	    {false, FRAME_WELCOME, &beyond, "it acknowledges what the spool does not hold"},
	    {false, FRAME_WELCOME, &too_far, "it acknowledges a sequence that cannot be"},
	    {true, FRAME_WELCOME, &w, "a second welcome"},
	    {true, FRAME_ACK, &far, "it acknowledges what was not sent"},
	    {true, FRAME_HELLO, &hello, "frame: hello is not for a controller to send"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig r;
		char want[256];
		struct spool_state spool;
		rig_open(&r);
		rig_ready(&r);
		rig_report(&r);
		rig_report(&r);
		if (cases[i].live) {
			rig_live(&r, 0);
		} else {
			rig_until_due(&r);
			ok(session_on_connected(r.s, r.now_ms, &rig_err));
		}
		r.log[0] = '\0';
		rig_frame(&r, cases[i].type, cases[i].body);
		snprintf(want, sizeof(want), "close wrong: %s; ", cases[i].want);
		expect(&r, want);
		rig_ack(&r, 2); /* nothing counts any more */
		spool_state(r.spool, &spool);
		assert_int_equal(spool.count, 2);
		expect(&r, "");
		session_on_closed(r.s, "closed", r.now_ms);
		snprintf(want, sizeof(want), "down: %s; ", cases[i].want);
		expect(&r, want);
		rig_done(&r);
	}
}

static void nonsense_ends_the_connection(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	rig_live(&r, 0);
	ok(session_on_frame(r.s, (struct bytes){(const uint8_t *)"\xff\x00", 2}, r.now_ms, &rig_err));
	assert_int_equal(session_state(r.s), SESSION_CLOSING);
	rig_done(&r);
}

/* The controller still had frames of an earlier connection in hand. */
static void acknowledgements_of_an_earlier_connection_count(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	for (int i = 0; i < 5; i++)
		rig_report(&r);
	rig_until_due(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	r.log[0] = '\0';
	rig_ack(&r, 2);
	expect(&r, "");
	r.send_room = 1;
	rig_welcome(&r, 2);
	expect(&r, "up; report 3; ");
	rig_ack(&r, 4); /* 4 was sent over the earlier one only */
	assert_int_equal(session_in_flight(r.s), 0);
	r.send_room = SIZE_MAX;
	ok(session_on_drained(r.s, r.now_ms, &rig_err));
	expect(&r, "report 5; ");
	rig_report(&r);
	rig_report(&r);
	r.log[0] = '\0';
	rig_ack(&r, 8);
	expect(&r, "close wrong: it acknowledges what was not sent; ");
	rig_done(&r);
}

/* R11: the keeper hears of each, when it came; not of one that says nothing new. */
static void the_keeper_hears_of_acknowledgements(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	for (int i = 0; i < 3; i++)
		rig_report(&r);
	rig_live(&r, 0);
	assert_int_equal(r.heard_ms, 0);
	rig_ack(&r, 2);
	uint64_t first = r.now_ms;
	assert_int_equal(r.heard_ms, first);
	r.now_ms += 1000;
	rig_ack(&r, 1);
	assert_int_equal(r.heard_ms, first);
	rig_ack(&r, 3);
	assert_int_equal(r.heard_ms, r.now_ms);
	rig_done(&r);
}

static void an_old_acknowledgement_is_nothing(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	for (int i = 0; i < 3; i++)
		rig_report(&r);
	rig_live(&r, 0);
	rig_ack(&r, 2);
	rig_ack(&r, 1);
	rig_ack(&r, 2);
	assert_int_equal(session_in_flight(r.s), 1);
	assert_int_equal(session_state(r.s), SESSION_LIVE);
	rig_done(&r);
}

/* ---- attempts ---- */

/* How long after it ended the next attempt comes, at most, over many draws. */
static uint64_t longest_wait(const struct bye *b, uint64_t *ret_least)
{
	uint64_t most = 0, least = UINT64_MAX;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct rig r;
		rig_open(&r);
		random_init_seed(&r.random, seed);
		rig_ready(&r);
		rig_live(&r, 0);
		if (b)
			rig_frame(&r, FRAME_BYE, b);
		session_on_closed(r.s, "gone", r.now_ms);
		uint64_t wait = session_due_ms(r.s) - r.now_ms;
		most = wait > most ? wait : most;
		least = wait < least ? wait : least;
		rig_done(&r);
	}
	*ret_least = least;
	return most;
}

static void a_goodbye_says_how_long(void **state)
{
	static const struct {
		struct bye bye;
		uint64_t most;
		bool slow;
	} cases[] = {
	    {{BYE_SHUTDOWN, NULL, 20000}, 20000, false},
	    {{BYE_OVERLOAD, "busy", 5000}, 5000, false},
	    {{BYE_SHUTDOWN, NULL, 0}, 8000, false}, /* as welcome said */
	    {{BYE_MALFORMED, NULL, 0}, RECONNECT_BASE_MS, false},
	    {{BYE_OUT_OF_ORDER, NULL, 9000}, RECONNECT_BASE_MS, false},
	    {{BYE_DUPLICATE_IDENTITY, NULL, 0}, RECONNECT_SLOW_MS, true},
	    {{BYE_REVOKED, NULL, 0}, RECONNECT_SLOW_MS, true},
	    {{BYE_VERSION, NULL, 0}, RECONNECT_SLOW_MS, true},
	    {{BYE_WRONG_IDENTITY, NULL, 0}, RECONNECT_SLOW_MS, true},
	};
	uint64_t least;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t most = longest_wait(&cases[i].bye, &least);
		assert_in_range(most, cases[i].most * 9 / 10, cases[i].most);
		assert_in_range(
		    least, cases[i].slow ? cases[i].most / 2 : 0, cases[i].slow ? cases[i].most : cases[i].most / 10);
	}
	assert_in_range(longest_wait(NULL, &least), RECONNECT_BASE_MS * 9 / 10, RECONNECT_BASE_MS);
}

static void the_keeper_hears_of_a_change_once(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	for (int i = 0; i < 3; i++) {
		rig_until_due(&r);
		session_on_closed(r.s, i < 2 ? "refused" : "no route\xff", r.now_ms);
	}
	expect(&r, "dial; down: refused; dial; dial; down: no route?; ");
	r.dial_fails = true;
	rig_until_due(&r);
	expect(&r, "dial; down: no such address; ");
	r.dial_fails = false;
	rig_live(&r, 0);
	session_on_closed(r.s, "no such address", r.now_ms);
	expect(&r, "down: no such address; "); /* it was up in between */
	rig_done(&r);
}

static void nothing_waits_for_ever(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	rig_until_due(&r);
	uint64_t began = r.now_ms;
	rig_until_due(&r); /* an attempt that never ends */
	assert_int_equal(r.now_ms - began, SESSION_DIAL_MS);
	expect(&r, "dial; abandon; down: the attempt did not end by itself; ");
	rig_until_due(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	began = r.now_ms;
	rig_until_due(&r); /* no welcome */
	assert_int_equal(r.now_ms - began, SESSION_GREETING_MS);
	expect(&r, "dial; hello 0-0; close: the controller does not answer the hello; ");
	began = r.now_ms;
	rig_until_due(&r); /* and the close does not end either */
	assert_int_equal(r.now_ms - began, SESSION_CLOSING_MS);
	expect(&r, "abandon; down: the controller does not answer the hello; ");
	rig_live(&r, 0);
	began = r.now_ms;
	rig_report(&r);
	expect(&r, "spooled 1; report 1; ");
	rig_until_due(&r); /* no acknowledgement */
	assert_int_equal(r.now_ms - began, SESSION_ACK_MS);
	expect(&r, "close: nothing was acknowledged for long; ");
	rig_done(&r);
}

static void waits_grow_until_a_connection_lasts(void **state)
{
	struct rig r;
	uint64_t most = 0;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	for (int i = 0; i < 40; i++) { /* welcomed, and thrown out at once */
		rig_live(&r, 0);
		session_on_closed(r.s, "thrown out", r.now_ms);
		uint64_t wait = session_due_ms(r.s) - r.now_ms;
		most = wait > most ? wait : most;
	}
	assert_in_range(most, 4000, 8000); /* welcome's retry_ms is the cap */
	rig_live(&r, 0);
	r.now_ms += SESSION_STABLE_MS;
	session_on_closed(r.s, "gone", r.now_ms);
	assert_in_range(session_due_ms(r.s) - r.now_ms, 0, RECONNECT_BASE_MS);
	rig_done(&r);
}

/* ---- gentle reconnects and stopping ---- */

static void a_new_certificate_is_used_soon(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	rig_live(&r, 0);
	uint64_t began = r.now_ms;
	session_on_identity(r.s, 777, r.now_ms);
	rig_report(&r);
	expect(&r, "spooled 1; report 1; ");
	rig_until_due(&r);
	assert_in_range(r.now_ms - began, 0, SESSION_RENEW_SPREAD_MS);
	expect(&r, ""); /* one report is under way */
	rig_report(&r);
	expect(&r, "spooled 2; ");
	rig_ack(&r, 1);
	expect(&r, "close: reconnecting with a new certificate, declaration or clock; ");
	session_on_closed(r.s, "closed", r.now_ms);
	assert_int_equal(session_due_ms(r.s), r.now_ms); /* at once */
	rig_tick(&r);
	ok(session_on_connected(r.s, r.now_ms, &rig_err));
	rig_welcome(&r, 1);
	expect(&r, "down: reconnecting with a new certificate, declaration or clock; dial; hello 2-2; up; report 2; ");
	/* a higher epoch is for the next hello, whenever that is */
	struct channel_declare d = {.epoch_seen = 9};
	uint64_t due = session_due_ms(r.s);
	ok(session_on_declare(r.s, &d, r.now_ms, &rig_err));
	assert_int_equal(session_due_ms(r.s), due);
	/* other services ask for one; and a report that is never acknowledged does not hold it up for long */
	struct declared_service portal = {.name = "portal"};
	d.services = (struct list){&portal, 1};
	ok(session_on_declare(r.s, &d, r.now_ms, &rig_err));
	began = r.now_ms;
	rig_until_due(&r);
	rig_until_due(&r);
	assert_int_equal(r.now_ms - began, SESSION_REDECLARE_MS + SESSION_DRAIN_MS);
	expect(&r, "close: reconnecting with a new certificate, declaration or clock; ");
	rig_done(&r);
}

static void a_clock_that_was_set_is_told_by_another_hello(void **state)
{
	struct rig r;
	(void)state;
	for (int back = 0; back < 2; back++) {
		rig_open(&r);
		rig_ready(&r);
		rig_live(&r, 0);
		r.skew_ms = back ? -SESSION_CLOCK_STEP_MS : SESSION_CLOCK_STEP_MS; /* a little is no matter */
		rig_report(&r);
		rig_ack(&r, 1);
		expect(&r, "spooled 1; report 1; ");
		r.skew_ms += back ? -1 : 1;
		rig_report(&r);
		rig_ack(&r, 2);
		rig_until_due(&r);
		expect(&r, "spooled 2; report 2; close: reconnecting with a new certificate, declaration or clock; ");
		session_on_closed(r.s, "closed", r.now_ms);
		assert_int_equal(session_due_ms(r.s), r.now_ms);
		rig_tick(&r);
		ok(session_on_connected(r.s, r.now_ms, &rig_err));
		rig_welcome(&r, 2);
		rig_report(&r); /* known now */
		rig_ack(&r, 3);
		rig_until_due(&r);
		expect(&r, "down: reconnecting with a new certificate, declaration or clock; dial; hello 0-0; up; "
			   "spooled 3; report 3; ");
		rig_done(&r);
	}
}

static void a_new_certificate_ends_a_long_wait(void **state)
{
	struct rig r;
	struct bye revoked = {.reason = BYE_REVOKED};
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	rig_live(&r, 0);
	rig_frame(&r, FRAME_BYE, &revoked);
	session_on_closed(r.s, "x", r.now_ms);
	assert_true(session_due_ms(r.s) > r.now_ms + 60000);
	session_on_identity(r.s, 777, r.now_ms);
	assert_int_equal(session_due_ms(r.s), r.now_ms);
	rig_done(&r);
}

static void a_stop_sends_what_can_be_sent(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r);
	rig_ready(&r);
	rig_live(&r, 0);
	rig_report(&r);
	session_on_stop(r.s, 1000, r.now_ms);
	rig_report(&r);
	expect(&r, "spooled 1; report 1; spooled 2; report 2; ");
	rig_ack(&r, 1);
	assert_false(session_is_finished(r.s));
	rig_ack(&r, 2);
	expect(&r, "close: the agent stops; ");
	session_on_closed(r.s, "closed", r.now_ms);
	assert_true(session_is_finished(r.s));
	rig_done(&r);
}

static void a_stop_has_its_time(void **state)
{
	struct rig r;
	(void)state;
	for (int before = 0; before < 4; before++) { /* waiting, dialling, greeting, live without acknowledgements */
		rig_open(&r);
		rig_ready(&r);
		if (before == 3) {
			rig_live(&r, 0);
			rig_report(&r);
		} else if (before) {
			rig_until_due(&r);
		}
		if (before == 2)
			ok(session_on_connected(r.s, r.now_ms, &rig_err));
		uint64_t began = r.now_ms;
		session_on_stop(r.s, 1000, r.now_ms);
		assert_int_equal(session_is_finished(r.s), before == 0);
		for (int i = 0; i < 5 && !session_is_finished(r.s); i++)
			rig_until_due(&r);
		assert_true(session_is_finished(r.s));
		assert_true(r.now_ms - began <= 1000);
		rig_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_dials_once_it_may),
	    cmocka_unit_test(hello_says_who_and_what),
	    cmocka_unit_test(reports_go_out_after_they_are_durable),
	    cmocka_unit_test(replay_begins_after_what_is_acknowledged),
	    cmocka_unit_test(the_window_is_bounded),
	    cmocka_unit_test(the_window_counts_bytes),
	    cmocka_unit_test(a_full_connection_goes_on_when_it_drained),
	    cmocka_unit_test(dropped_reports_leave_no_hole),
	    cmocka_unit_test(a_restored_controller_is_told_what_it_lost),
	    cmocka_unit_test(a_new_spool_counts_on_from_the_controller),
	    cmocka_unit_test(a_token_is_spooled_once),
	    cmocka_unit_test(orders_reach_the_keeper),
	    cmocka_unit_test(certificate_requests_are_asked_until_answered),
	    cmocka_unit_test(progress_is_sent_now_or_never),
	    cmocka_unit_test(wrong_frames_end_the_connection),
	    cmocka_unit_test(nonsense_ends_the_connection),
	    cmocka_unit_test(acknowledgements_of_an_earlier_connection_count),
	    cmocka_unit_test(the_keeper_hears_of_acknowledgements),
	    cmocka_unit_test(an_old_acknowledgement_is_nothing),
	    cmocka_unit_test(a_goodbye_says_how_long),
	    cmocka_unit_test(the_keeper_hears_of_a_change_once),
	    cmocka_unit_test(nothing_waits_for_ever),
	    cmocka_unit_test(waits_grow_until_a_connection_lasts),
	    cmocka_unit_test(a_new_certificate_is_used_soon),
	    cmocka_unit_test(a_clock_that_was_set_is_told_by_another_hello),
	    cmocka_unit_test(a_new_certificate_ends_a_long_wait),
	    cmocka_unit_test(a_stop_sends_what_can_be_sent),
	    cmocka_unit_test(a_stop_has_its_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
