/* Every kind of input finds its part of the domain; what is refused is audited, told, and never loops. */
#include "controller/turn/system.h"
#include "tests/lib/chain_world.h"

static struct id boot_of(uint8_t n)
{
	return (struct id){{1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, n}};
}

static uint64_t acknowledged(struct chain *w, const char *host)
{
	struct frame f;
	if (!control_last(&w->c, host, FRAME_ACK, w->arena, &f))
		return 0;
	return f.ack->sequence;
}

static struct host host_is(struct chain *w, const char *name)
{
	struct control_look look;
	struct turn *t = control_look(&w->c, &look);
	struct host h;
	bool found;
	struct err err;
	assert_int_equal(fleet_host_get(t, name, &h, &found, &err), ERR_OK);
	assert_true(found);
	h.name = name;
	control_look_end(&look);
	return h;
}

/* ---- hello ---- */

static void test_hello_is_welcomed(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct frame f;
	assert_true(control_last(&w.c, "web-1", FRAME_WELCOME, w.arena, &f));
	assert_int_equal(f.welcome->version, MESSAGE_VERSION);
	assert_string_equal(f.welcome->controller, "control-1");
	assert_int_equal(f.welcome->epoch, 1);
	assert_int_equal(f.welcome->heartbeat_ms, 30000);
	assert_int_equal(f.welcome->retry_ms, 5000);
	assert_false(f.welcome->halted || f.welcome->observing);
	asked_ok(&w, "bo", "controller", "halt", .text = "look");
	control_forget_letters(&w.c);
	chain_hello(&w, "web-1", 1);
	assert_true(control_last(&w.c, "web-1", FRAME_WELCOME, w.arena, &f));
	assert_true(f.welcome->halted);
	assert_true(f.welcome->acknowledged > 0);
	chain_close(&w);
}

static void test_hello_with_another_name_is_refused_and_audited(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct hello h = {.version = 1,
	    .version_least = 1,
	    .agent_version = "x",
	    .host = "web-2",
	    .boot = boot_of(9),
	    .clock_ms = w.c.now_ms};
	struct buf bytes = BUF_INIT;
	struct err err;
	assert_int_equal(message_encode(FRAME_HELLO, &h, &bytes, &err), ERR_OK);
	size_t before = audited(&w, "input.refused", AUDIT_REFUSED);
	assert_false(control_give(&w.c, control_frame(INPUT_HELLO, "web-1", boot_of(9), bytes.data, bytes.size)));
	buf_done(&bytes);
	assert_int_equal(audited(&w, "input.refused", AUDIT_REFUSED), before + 1);
	assert_non_null(control_last_close(&w.c, "web-1"));
	assert_int_equal(host_is(&w, "web-1").state, HOST_CONNECTED); /* the real one is not touched */
	chain_close(&w);
}

static void test_p49_two_agents_with_one_identity_are_barred(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	chain_hello(&w, "web-1", 50);
	chain_hello(&w, "web-1", 1);
	assert_int_equal(control_last_close(&w.c, "web-1")->reason, BYE_DUPLICATE_IDENTITY);
	chain_hello(&w, "web-1", 1);
	assert_int_equal(host_is(&w, "web-1").state, HOST_BARRED);
	control_settle(&w.c);
	assert_int_equal(pages(&w, NOTIFY_HOST), 1);
	assert_true(says(&w, "web-1", PROBE_OK)); /* heard, and not believed */
	control_forget_letters(&w.c);
	assert_int_equal(acknowledged(&w, "web-1"), 0);
	asked_ok(&w, "ada", "host", "unbar", .host = "web-1", .keep = boot_of(50));
	chain_hello(&w, "web-1", 50);
	assert_int_equal(host_is(&w, "web-1").state, HOST_CONNECTED);
	chain_close(&w);
}

static void test_a_skewed_clock_is_told_once(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	w.c.now_ms += 10 * HOUR; /* the host's clock stands */
	struct declared_service s = chain_service("portal");
	struct hello h = {.version = 1,
	    .version_least = 1,
	    .agent_version = "x",
	    .host = "web-1",
	    .boot = boot_of(1),
	    .clock_ms = w.c.now_ms - 10 * HOUR,
	    .services = {&s, 1}};
	for (int i = 0; i < 3; i++) {
		struct buf bytes = BUF_INIT;
		struct err err;
		assert_int_equal(message_encode(FRAME_HELLO, &h, &bytes, &err), ERR_OK);
		assert_true(control_give(&w.c, control_frame(INPUT_HELLO, "web-1", h.boot, bytes.data, bytes.size)));
		buf_done(&bytes);
	}
	control_settle(&w.c);
	assert_true(host_is(&w, "web-1").skewed);
	assert_int_equal(pages(&w, NOTIFY_HOST), 1);
	chain_close(&w);
}

static void test_an_old_agent_hears_that_it_is_old(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct hello h = {.version = 9,
	    .version_least = 8,
	    .agent_version = "x",
	    .host = "web-9",
	    .boot = boot_of(1),
	    .clock_ms = w.c.now_ms};
	struct buf bytes = BUF_INIT;
	struct err err;
	assert_int_equal(message_encode(FRAME_HELLO, &h, &bytes, &err), ERR_OK);
	control_give(&w.c, control_frame(INPUT_HELLO, "web-9", h.boot, bytes.data, bytes.size));
	buf_done(&bytes);
	assert_int_equal(control_last_close(&w.c, "web-9")->reason, BYE_VERSION);
	chain_close(&w);
}

/* ---- reports ---- */

static void test_reports_are_acknowledged_after_they_are_kept(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	says(&w, "web-1", PROBE_OK);
	uint64_t last = w.c.hosts[0].sequence;
	assert_int_equal(acknowledged(&w, "web-1"), last);
	w.c.hosts[0].sequence = last - 1; /* said again */
	size_t before = count_of(&w, &audit_table);
	says(&w, "web-1", PROBE_CRITICAL);
	assert_int_equal(acknowledged(&w, "web-1"), last);
	assert_int_equal(count_of(&w, &incident_table), 0); /* and not applied again */
	assert_int_equal(count_of(&w, &audit_table), before);
	w.c.hosts[0].sequence = last + 1; /* a hole */
	says(&w, "web-1", PROBE_CRITICAL);
	assert_int_equal(control_last_close(&w.c, "web-1")->reason, BYE_OUT_OF_ORDER);
	assert_int_equal(audited(&w, "report.refused", AUDIT_REFUSED), 1);
	assert_int_equal(host_is(&w, "web-1").acknowledged, last);
	chain_close(&w);
}

static void test_every_kind_of_report_has_its_place(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct log_template l = {.template_id = 4,
	    .template_text = "bad <*>",
	    .severity = LOG_SEVERITY_ERROR,
	    .count = 2,
	    .first_ms = w.c.now_ms,
	    .last_ms = w.c.now_ms,
	    .sample = "bad thing",
	    .is_new = true};
	struct log_report log = {.service = "portal", .source = "/x", .templates = {&l, 1}, .lines = 2};
	assert_true(control_report(&w.c, "web-1", (struct report){.log = &log}));
	assert_int_equal(count_of(&w, &error_pattern_table), 1);
	drifts(&w, 0, COMPONENT_CONFIG, 3);
	assert_int_equal(count_of(&w, &drift_table), 1);
	struct metric m = {.name = "load", .value = 2};
	struct host_report host = {.metrics = {&m, 1}, .lagging = true};
	assert_true(control_report(&w.c, "web-1", (struct report){.host = &host}));
	assert_true(host_is(&w, "web-1").lagging);
	size_t before = count_of(&w, &system_snapshot_table);
	takes_snapshot(&w, "web-1", 3);
	assert_int_equal(count_of(&w, &system_snapshot_table), before + 1);
	struct notice_report n = {.severity = SEVERITY_LOW, .what = "disk", .text = "nearly full"};
	assert_true(control_report(&w.c, "web-1", (struct report){.notice = &n}));
	assert_int_equal(audited(&w, "host.notice", AUDIT_DONE), 1);
	uint64_t was = w.c.hosts[0].sequence;
	assert_true(control_report(&w.c, "web-1", (struct report){.through = was + 5})); /* a run that was dropped */
	assert_int_equal(host_is(&w, "web-1").acknowledged, was + 5);
	chain_close(&w);
}

static void test_a_replayed_host_report_changes_nothing_now(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct host_report host = {.lagging = true};
	struct report r = {.sequence = ++w.c.hosts[0].sequence, .at_ms = w.c.now_ms - HOUR, .host = &host};
	struct buf bytes = BUF_INIT;
	struct err err;
	assert_int_equal(message_encode(FRAME_REPORT, &r, &bytes, &err), ERR_OK);
	assert_true(control_give(&w.c, control_frame(INPUT_REPORT, "web-1", boot_of(1), bytes.data, bytes.size)));
	buf_done(&bytes);
	assert_false(host_is(&w, "web-1").lagging);
	chain_close(&w);
}

static void disk_says(struct chain *w, double percent)
{
	struct metric m = {.name = "disk", .value = percent, .unit = "%"};
	struct host_report host = {.metrics = {&m, 1}};
	w->c.now_ms += HOUR;
	assert_true(control_report(&w->c, "web-1", (struct report){.host = &host}));
}

/* Notifications whose subject holds words. */
static size_t said(struct chain *w, const char *words)
{
	struct control_look look;
	struct turn *t = control_look(&w->c, &look);
	struct turn_scan scan;
	struct notification n;
	struct err err;
	bool more = true;
	size_t count = 0;
	assert_int_equal(turn_scan_key(t, &notification_table, NULL, 0, false, &scan, &err), ERR_OK);
	while (more) {
		assert_int_equal(turn_scan_next(&scan, &n, &more, &err), ERR_OK);
		count += more && strstr(n.subject, words);
	}
	turn_scan_done(&scan);
	control_look_end(&look);
	return count;
}

static void test_a_disk_that_will_be_full_is_told_once(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	for (int i = 0; i < 40; i++)
		disk_says(&w, 20 + i);
	control_settle(&w.c);
	assert_int_equal(said(&w, "disk of web-1"), 0); /* full in 40 hours */
	for (int i = 40; i < 70; i++)
		disk_says(&w, 20 + i);
	control_settle(&w.c);
	assert_int_equal(said(&w, "disk of web-1 reaches its limit in "), 1);
	chain_close(&w);
}

static void test_a_failed_snapshot_says_so_without_the_hosts_words(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	buf_clear(&w.c.events);
	struct snapshot_report r = {.snapshot = id_new(w.c.now_ms, &w.c.random),
	    .service = "portal",
	    .error = "/srv/patients/Jane Roe.pdf: unreadable"};
	assert_true(control_report(&w.c, "web-1", (struct report){.snapshot = &r}));
	assert_non_null(strstr(buf_str(&w.c.events), "snapshot of portal on web-1 failed"));
	assert_null(strstr(buf_str(&w.c.events), "Jane"));
	assert_int_equal(audited(&w, "snapshot.create", AUDIT_FAILED), 1);
	chain_close(&w);
}

static void test_a_poison_report_is_counted_and_does_not_loop(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	struct id order = order_out(&w, "web-1");
	assert_false(answers(&w, "web-2", order, ORDER_OK, true));          /* an order that is not its own */
	assert_int_equal(acknowledged(&w, "web-2"), w.c.hosts[1].sequence); /* never asked for again … */
	assert_int_equal(control_last_close(&w.c, "web-2")->reason, BYE_WRONG_IDENTITY);
	assert_int_equal(audited(&w, "input.refused", AUDIT_REFUSED), 1);
	chain_hello(&w, "web-2", 2);
	assert_true(says(&w, "web-2", PROBE_OK)); /* … and what comes behind it is heard */
	assert_false(answers(&w, "web-1", order, ORDER_UNREACHABLE, false));
	assert_int_equal(acknowledged(&w, "web-1"), w.c.hosts[0].sequence);
	comes_back(&w, 0);
	assert_int_equal(rollback_last(&w)->outcome, ORDER_OK);
	chain_close(&w);
}

static void test_a_strangers_report_is_ignored(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct notice_report n = {.what = "hello", .text = "there"};
	struct report r = {.sequence = 1, .at_ms = w.c.now_ms, .notice = &n};
	struct buf bytes = BUF_INIT;
	struct err err;
	assert_int_equal(message_encode(FRAME_REPORT, &r, &bytes, &err), ERR_OK);
	size_t before = w.c.letter_count;
	assert_true(control_give(&w.c, control_frame(INPUT_REPORT, "nobody", boot_of(1), bytes.data, bytes.size)));
	assert_true(control_give(&w.c, control_frame(INPUT_REPORT, "web-1", boot_of(77), bytes.data, bytes.size)));
	buf_done(&bytes);
	assert_int_equal(w.c.letter_count, before);
	assert_int_equal(audited(&w, "host.notice", AUDIT_DONE), 0);
	chain_close(&w);
}

/* ---- the rest ---- */

static void test_p41_silence_is_unknown(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	control_give(&w.c, control_input(INPUT_GONE, "web-1", boot_of(1)));
	assert_int_equal(host_is(&w, "web-1").state, HOST_SILENT);
	control_until(&w.c, w.c.now_ms + 61 * SECOND);
	struct control_look look;
	struct service_health s;
	bool found;
	struct err err;
	assert_int_equal(health_get(control_look(&w.c, &look), "portal", "web-1", &s, &found, &err), ERR_OK);
	assert_int_equal(s.state, HEALTH_UNKNOWN);
	control_look_end(&look);
	chain_close(&w);
}

static void test_progress_is_an_event(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct progress p = {
	    .order = id_new(w.c.now_ms, &w.c.random), .service = "portal", .step = STEP_RESTORE, .percent = 40};
	struct buf bytes = BUF_INIT;
	struct err err;
	assert_int_equal(message_encode(FRAME_PROGRESS, &p, &bytes, &err), ERR_OK);
	assert_true(control_give(&w.c, control_frame(INPUT_PROGRESS, "web-1", boot_of(1), bytes.data, bytes.size)));
	buf_done(&bytes);
	assert_non_null(strstr(buf_str(&w.c.events), "portal on web-1: restore 40 %"));
	chain_close(&w);
}

static void test_refused_peers_are_audited(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct input *in = control_input(INPUT_REFUSED, NULL, (struct id){{0}});
	in->text = "a stranger from 192.0.2.1: no certificate";
	assert_true(control_give(&w.c, in));
	assert_int_equal(audited(&w, "connection.refused", AUDIT_REFUSED), 1);
	chain_close(&w);
}

static struct input *csr_of(const char *host, struct id boot)
{
	struct certificate_request r = {
	    .csr = "-----BEGIN CERTIFICATE REQUEST-----\nx\n-----END CERTIFICATE REQUEST-----\n"};
	struct buf bytes = BUF_INIT;
	struct err err;
	assert_int_equal(message_encode(FRAME_CERTIFICATE_REQUEST, &r, &bytes, &err), ERR_OK);
	struct input *in = control_frame(INPUT_CERTIFICATE_REQUEST, host, boot, bytes.data, bytes.size);
	buf_done(&bytes);
	return in;
}

static struct input *signed_for(const char *name, uint64_t token, struct id boot, enum err_code code)
{
	struct input *in = control_input(INPUT_SIGNED, NULL, boot);
	struct signed_certificate *s = arena_alloc(in->arena, sizeof(*s));
	*s = (struct signed_certificate){.role = CERTIFICATE_HOST,
	    .name = name,
	    .chain = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
	    .serial = "0a",
	    .not_after_ms = chain_begin_ms + 30ull * DAY,
	    .token = token};
	in->certificate = s;
	in->code = code;
	in->text = code == ERR_OK ? NULL : "the authority is away";
	return in;
}

static void test_a_certificate_is_renewed(void **state)
{
	(void)state;
	struct chain w;
	struct frame f;
	chain_open(&w);
	assert_true(control_give(&w.c, csr_of("web-1", boot_of(1))));
	assert_true(control_give(&w.c, signed_for("web-1", 0, boot_of(1), ERR_OK)));
	assert_true(control_last(&w.c, "web-1", FRAME_CERTIFICATE, w.arena, &f));
	assert_non_null(f.certificate->chain);
	assert_int_equal(count_of(&w, &certificate_table), 1);
	assert_true(control_give(&w.c, signed_for("web-1", 0, boot_of(1), ERR_IO)));
	assert_true(control_last(&w.c, "web-1", FRAME_CERTIFICATE, w.arena, &f));
	assert_null(f.certificate->chain);
	assert_string_equal(f.certificate->error, "the authority is away");
	assert_int_equal(count_of(&w, &certificate_table), 1);
	chain_close(&w);
}

static void test_a_revoked_host_renews_nothing(void **state)
{
	(void)state;
	struct chain w;
	struct frame f;
	chain_open(&w);
	assert_true(control_give(&w.c, csr_of("web-1", boot_of(1)))); /* the authority is at it … */
	asked_ok(&w, "ada", "host", "revoke", .host = "web-1", .text = "stolen");
	assert_int_equal(control_last_close(&w.c, "web-1")->reason, BYE_REVOKED);
	assert_false(control_give(&w.c, signed_for("web-1", 0, boot_of(1), ERR_OK))); /* … and is too late */
	assert_false(control_last(&w.c, "web-1", FRAME_CERTIFICATE, w.arena, &f));
	assert_int_equal(count_of(&w, &certificate_table), 0);
	assert_int_equal(host_is(&w, "web-1").state, HOST_REVOKED);
	assert_false(control_give(&w.c, csr_of("web-1", boot_of(1))));
	chain_hello(&w, "web-1", 1);
	assert_int_equal(control_last_close(&w.c, "web-1")->reason, BYE_REVOKED);
	assert_false(control_give(&w.c, csr_of("web-2", boot_of(99)))); /* not the run that counts */
	chain_close(&w);
}

static void test_an_enrolment_is_answered_whatever_happens(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	w.c.replied = false;
	assert_true(control_give(&w.c, signed_for("web-9", 77, (struct id){{0}}, ERR_OK)));
	assert_true(w.c.replied && w.c.reply_code == ERR_OK);
	assert_int_equal(host_is(&w, "web-9").state, HOST_NEVER_SEEN);
	w.c.replied = false;
	assert_true(control_give(&w.c, signed_for("web-9", 78, (struct id){{0}}, ERR_IO)));
	assert_true(w.c.replied && w.c.reply_code == ERR_IO);
	w.c.replied = false;
	char name[400];
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_false(control_give(&w.c, signed_for(name, 79, (struct id){{0}}, ERR_OK))); /* cannot be kept */
	assert_true(w.c.replied && w.c.reply_code != ERR_OK);
	chain_close(&w);
}

static void test_a_timer_of_nobody_is_refused_and_audited(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct timer timer = {.kind = "nobody", .name = "x"};
	struct input *in = control_input(INPUT_TIMER, NULL, (struct id){{0}});
	in->timer = &timer;
	assert_false(control_give(&w.c, in));
	assert_int_equal(audited(&w, "input.refused", AUDIT_REFUSED), 1);
	chain_close(&w);
}

static void test_deliveries_of_nothing_are_nothing(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	assert_true(control_give(&w.c, control_delivered(boot_of(1), ERR_IO, "no")));
	struct diagnosis d = {.incident = boot_of(3), .at_ms = 1};
	struct input *in = control_input(INPUT_DIAGNOSED, NULL, (struct id){{0}});
	in->id = d.incident;
	in->diagnosis = &d;
	assert_true(control_give(&w.c, in));
	assert_true(control_give(&w.c, control_input(INPUT_GONE, "nobody", boot_of(1))));
	chain_close(&w);
}

static void test_p61_a_restored_controller_observes(void **state)
{
	(void)state;
	struct chain w;
	struct frame f;
	chain_open(&w);
	policy_stands(&w);
	/* As a restore from a backup marks it. */
	struct control_look look;
	struct turn *t = control_look(&w.c, &look);
	struct system_state system;
	struct err err;
	assert_int_equal(system_get(t, &system, &err), ERR_OK);
	control_look_end(&look);
	system.name = SYSTEM_NAME;
	system.restored_unseen = true;
	struct store_view *view;
	struct batch *b;
	struct turn *write;
	const struct turn_write *writes;
	size_t count;
	assert_int_equal(store_view_open(w.c.store, "test", &view, &err), ERR_OK);
	assert_int_equal(batch_new(store_view_turn(view), w.c.now_ms, &w.c.random, &b, &err), ERR_OK);
	assert_int_equal(batch_begin(b, &write, &err), ERR_OK);
	assert_int_equal(turn_put(write, &system_table, &system, &err), ERR_OK);
	assert_int_equal(batch_end(b, write, true, &err), ERR_OK);
	assert_int_equal(batch_writes(b, &writes, &count, &err), ERR_OK);
	assert_int_equal(store_commit(w.c.store, writes, count, &err), ERR_OK);
	batch_free(b);
	store_view_close(view);
	control_crash(&w.c);
	control_boot(&w.c);
	for (int i = 0; i < 3; i++)
		chain_hello(&w, chain_hosts[i], (uint8_t)(i + 1));
	assert_true(control_last(&w.c, "web-1", FRAME_WELCOME, w.arena, &f));
	assert_true(f.welcome->observing);
	breaks(&w, 0); /* it sees, and says so, and does nothing */
	assert_int_equal(control_letters_to(&w.c, NULL, FRAME_ORDER), 0);
	assert_int_equal(pages(&w, NOTIFY_STOPPED), 1);
	asked_no(ERR_STATE, &w, "ada", "snapshot", "create", .service = "portal", .host = "web-2");
	asked_no(ERR_DENIED, &w, "bo", "controller", "confirm", .text = "go");
	asked_ok(&w, "ada", "controller", "confirm", .text = "it is the only one");
	asked_ok(&w, "ada", "snapshot", "create", .service = "portal", .host = "web-2");
	assert_true(control_last(&w.c, "web-2", FRAME_ORDER, w.arena, &f));
	assert_int_equal(f.order->epoch, 2);
	control_crash(&w.c);
	control_boot(&w.c); /* the mark is gone: an ordinary restart */
	chain_hello(&w, "web-1", 1);
	assert_true(control_last(&w.c, "web-1", FRAME_WELCOME, w.arena, &f));
	assert_false(f.welcome->observing);
	chain_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hello_is_welcomed),
	    cmocka_unit_test(test_hello_with_another_name_is_refused_and_audited),
	    cmocka_unit_test(test_p49_two_agents_with_one_identity_are_barred),
	    cmocka_unit_test(test_a_skewed_clock_is_told_once),
	    cmocka_unit_test(test_an_old_agent_hears_that_it_is_old),
	    cmocka_unit_test(test_reports_are_acknowledged_after_they_are_kept),
	    cmocka_unit_test(test_every_kind_of_report_has_its_place),
	    cmocka_unit_test(test_a_replayed_host_report_changes_nothing_now),
	    cmocka_unit_test(test_a_disk_that_will_be_full_is_told_once),
	    cmocka_unit_test(test_a_failed_snapshot_says_so_without_the_hosts_words),
	    cmocka_unit_test(test_a_poison_report_is_counted_and_does_not_loop),
	    cmocka_unit_test(test_a_strangers_report_is_ignored),
	    cmocka_unit_test(test_p41_silence_is_unknown),
	    cmocka_unit_test(test_progress_is_an_event),
	    cmocka_unit_test(test_refused_peers_are_audited),
	    cmocka_unit_test(test_a_certificate_is_renewed),
	    cmocka_unit_test(test_a_revoked_host_renews_nothing),
	    cmocka_unit_test(test_an_enrolment_is_answered_whatever_happens),
	    cmocka_unit_test(test_a_timer_of_nobody_is_refused_and_audited),
	    cmocka_unit_test(test_deliveries_of_nothing_are_nothing),
	    cmocka_unit_test(test_p61_a_restored_controller_observes),
	};
	return cmocka_run_group_tests(tests, chain_signers, chain_signers_end);
}
