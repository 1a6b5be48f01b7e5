#include <stdio.h>

#include "controller/notify/notify.h"
#include "shared/base/text.h"
#include "tests/lib/incident_world.h"

static struct declared_service portal[1];
static struct notify_channel channels[] = {
    {.name = "mail",
	.kind = NOTIFY_SMTP,
	.url = "smtp://127.0.0.1:2525",
	.from = "kedge@example.org",
	.to = "ops@example.org"},
    {.name = "file", .kind = NOTIFY_FILE, .url = "/var/log/kedge/pages"},
};
static struct notify_person first_level[] = {{.name = "ada", .channel = "mail", .to = "ada@example.org"}};
static struct notify_person second_level[] = {{.name = "rob", .channel = "mail", .to = "rob@example.org"},
    {.name = "eva", .channel = "mail", .to = "eva@example.org"}};
static struct notify_level levels[] = {{.name = "first", .persons = {first_level, 1}, .wait_ms = 5 * MINUTE},
    {.name = "second", .persons = {second_level, 2}, .wait_ms = 10 * MINUTE}};
static struct notify_config rules;

static int setup(void **state)
{
	(void)state;
	portal[0] = declared("portal", NULL);
	rules = (struct notify_config){.channels = {channels, 2}, .levels = {levels, 2}, .rounds = 2, .site = "north"};
	levels[0].persons = (struct list){first_level, 1};
	return 0;
}

/* An open incident, not told yet. */
static struct incident fault(struct world *w)
{
	struct incident i;
	world_open(w);
	health_up(w, "web-1", 1, portal, 1);
	assert_int_equal(incident_says(w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	struct id id = i.incident;
	world_after(w, 1000);
	return incident_now(w, id);
}

static uint32_t say(struct world *w, const struct incident *i, enum notify_event event, const char *detail)
{
	uint32_t said;
	ok(notify_incident(w->turn, &rules, i, event, detail, &said, ERR_HERE));
	return said;
}

static void acknowledge(struct world *w, struct id id)
{
	struct incident i;
	bool first;
	ok(incident_acknowledge(w->turn, &incident_rules, &ada, id, &i, &first, ERR_HERE));
	ok(notify_silence(w->turn, id, "acknowledged", ERR_HERE));
}

static size_t in_state(struct world *w, enum notification_state s)
{
	struct notification like = {.state = s}, n;
	struct turn_scan scan;
	size_t count = 0;
	bool more = true;
	ok(turn_scan_index(w->turn, &notification_table, "state", &like, false, &scan, ERR_HERE));
	while (more) {
		ok(turn_scan_next(&scan, &n, &more, ERR_HERE));
		count += more;
	}
	turn_scan_done(&scan);
	return count;
}

/* What is in the outbox, as the edge would take it. */
static size_t outbox(struct world *w, struct outbox *out, size_t room)
{
	struct turn_scan scan;
	size_t count = 0;
	bool more = true;
	ok(turn_scan_key(w->turn, &outbox_table, NULL, 0, false, &scan, ERR_HERE));
	while (more && count < room) {
		ok(turn_scan_next(&scan, &out[count], &more, ERR_HERE));
		count += more;
	}
	turn_scan_done(&scan);
	return count;
}

static void deliver_all(struct world *w, enum err_code code)
{
	struct outbox o[32];
	size_t count = outbox(w, o, 32);
	for (size_t i = 0; i < count; i++)
		ok(notify_on_delivered(w->turn, &rules, o[i].notification, code, "connection refused", ERR_HERE));
}

/* Run timers of notify that fall due until then; each message that is sent is delivered at once.  Counts them. */
static unsigned run_until(struct world *w, uint64_t until_ms, bool deliver)
{
	struct timer timer;
	unsigned sent = 0;
	for (int i = 0; i < 10000 && world_timer(w, until_ms, &timer); i++) {
		bool mine;
		ok(notify_on_timer(w->turn, &rules, &timer, &mine, ERR_HERE));
		sent += (unsigned)world_effect_count(w, EFFECT_NOTIFY);
		if (deliver)
			deliver_all(w, ERR_OK);
	}
	if (w->now_ms < until_ms)
		world_at(w, until_ms);
	return sent;
}

static void test_page_is_a_record_before_it_is_sent(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 1);
	assert_int_equal(world_effect_count(&w, EFFECT_NOTIFY), 1);
	struct outbox o[4];
	assert_int_equal(outbox(&w, o, 4), 1);
	assert_string_equal(o[0].recipient, "ada@example.org");
	assert_string_equal(o[0].subject, "[kedge north] INC-1 critical: portal is DOWN on web-1");
	assert_null(strstr(o[0].body, "said the probe")); /* P56: no text of a host */
	assert_non_null(strstr(o[0].body, "kedge incident acknowledge INC-1"));
	deliver_all(&w, ERR_OK);
	assert_int_equal(outbox(&w, o, 4), 0);
	assert_int_equal(in_state(&w, NOTIFICATION_SENT), 1);
	world_close(&w);
}

static void test_p56_no_text_of_people_or_hosts_leaves(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	world_open(&w);
	ok(incident_open(
	    w.turn, &incident_rules, &ada, "portal", SEVERITY_LOW, "patient Jane Canary cannot log in", &i, ERR_HERE));
	say(&w, &i, NOTIFY_OPENED, NULL);
	struct outbox o[4];
	size_t count = outbox(&w, o, 4);
	assert_int_equal(count, 1);
	assert_null(strstr(o[0].subject, "Canary"));
	assert_null(strstr(o[0].body, "Canary"));
	world_close(&w);
}

static void test_p35_one_page_per_transition_whatever_is_repeated(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 1);
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 0);
	struct id id = i.incident;
	world_after(&w, 1000);
	i = incident_now(&w, id);
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 0);
	assert_int_equal(say(&w, &i, NOTIFY_WORSENED, "critical"), 1);
	assert_int_equal(say(&w, &i, NOTIFY_WORSENED, "critical"), 0);
	assert_int_equal(say(&w, &i, NOTIFY_RELAPSED, "1"), 1);
	assert_int_equal(say(&w, &i, NOTIFY_RELAPSED, "2"), 1);
	assert_int_equal(world_record_count(&w, &notification_table), 4);
	world_close(&w);
}

/* Golden: who is told when, over two rounds, then the end. */
static void test_p38_levels_are_climbed_in_order_and_in_time(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	uint64_t begin = w.now_ms;
	static const struct {
		uint64_t at;
		unsigned told;
	} golden[] = {{5 * MINUTE, 2}, {15 * MINUTE, 1}, {20 * MINUTE, 2}, {30 * MINUTE, 0}};
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 1);
	deliver_all(&w, ERR_OK);
	for (size_t k = 0; k < sizeof(golden) / sizeof(golden[0]); k++) {
		assert_int_equal(run_until(&w, begin + golden[k].at - 1, true), 0);
		assert_int_equal(run_until(&w, begin + golden[k].at, true), golden[k].told);
	}
	assert_int_equal(run_until(&w, begin + DAY, true), 0);
	assert_int_equal(world_record_count(&w, &escalation_table), 0);
	struct audit_head head;
	ok(audit_head(w.turn, &head, ERR_HERE));
	struct audit_entry last = {.sequence = head.size};
	bool found;
	ok(turn_get(w.turn, &audit_table, &last, &last, &found, ERR_HERE));
	assert_string_equal(last.action, "notify.nobody"); /* it is on the trail that nobody answered */
	world_close(&w);
}

static void test_p37_no_page_after_an_acknowledgement(void **state)
{
	(void)state;
	for (int race = 0; race < 3; race++) {
		struct world w;
		struct incident i = fault(&w);
		struct id id = i.incident;
		struct outbox o[8];
		say(&w, &i, NOTIFY_OPENED, NULL);
		if (race != 1)
			deliver_all(&w, ERR_OK);
		uint64_t due = w.now_ms + 5 * MINUTE;
		world_at(&w, race == 2 ? due : due - 1); /* at the very moment that the timer falls due */
		acknowledge(&w, id);
		assert_int_equal(outbox(&w, o, 8), 0); /* what was not sent yet is called back */
		assert_int_equal(run_until(&w, due + DAY, true), 0);
		i = incident_now(&w, id);
		assert_int_equal(say(&w, &i, NOTIFY_OPENED, "again"), 0);
		assert_int_equal(say(&w, &i, NOTIFY_RELAPSED, "1"), 0);
		world_close(&w);
	}
}

/* The timer and the acknowledgement in one batch, timer first: told, then silent. */
static void test_p37_timer_before_acknowledgement(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	struct id id = i.incident;
	say(&w, &i, NOTIFY_OPENED, NULL);
	deliver_all(&w, ERR_OK);
	assert_int_equal(run_until(&w, w.now_ms + 5 * MINUTE, false), 2);
	acknowledge(&w, id);
	struct outbox o[8];
	assert_int_equal(outbox(&w, o, 8), 0);
	assert_int_equal(in_state(&w, NOTIFICATION_SUPPRESSED), 2);
	assert_int_equal(run_until(&w, w.now_ms + DAY, true), 0);
	world_close(&w);
}

static void test_what_asks_anew_is_told_after_an_acknowledgement_but_does_not_climb(void **state)
{
	(void)state;
	static const enum notify_event asks[] = {
	    NOTIFY_APPROVAL, NOTIFY_STOPPED, NOTIFY_FAILED, NOTIFY_WORSENED, NOTIFY_OVERDUE};
	struct world w;
	struct incident i = fault(&w);
	struct id id = i.incident;
	acknowledge(&w, id);
	i = incident_now(&w, id);
	for (size_t k = 0; k < sizeof(asks) / sizeof(asks[0]); k++)
		assert_int_equal(say(&w, &i, asks[k], enum_name(&notify_event_enum, asks[k])), 1);
	deliver_all(&w, ERR_OK);
	assert_int_equal(run_until(&w, w.now_ms + DAY, true), 0);
	world_close(&w);
}

static void test_p44_subject_names_the_brake(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	assert_int_equal(say(&w, &i, NOTIFY_STOPPED, "breaker: 60 % of the fleet is unhealthy"), 1);
	struct outbox o[4];
	assert_int_equal(outbox(&w, o, 4), 1);
	assert_non_null(strstr(o[0].subject, "automation stopped: breaker: 60 % of the fleet is unhealthy"));
	world_close(&w);
}

static void test_p39_level_with_nobody_falls_through_at_once(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	levels[0].persons.count = 0;
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 2);
	struct outbox o[4];
	assert_int_equal(outbox(&w, o, 4), 2);
	world_close(&w);
}

static void test_p39_nobody_at_all_is_said_aloud(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	rules.channels.count = 0;
	struct audit_head before, after;
	ok(audit_head(w.turn, &before, ERR_HERE));
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 0);
	ok(audit_head(w.turn, &after, ERR_HERE));
	assert_int_equal(after.size, before.size + 1);
	assert_int_equal(world_effect_count(&w, EFFECT_EVENT), 1);
	assert_int_equal(run_until(&w, w.now_ms + DAY, true), 0);
	world_close(&w);
}

static void test_p39_lint_refuses_lists_that_reach_nobody(void **state)
{
	(void)state;
	ok(notify_config_check(&rules, ERR_HERE));
	struct notify_config c = rules;
	c.channels.count = 0;
	refused(ERR_INVALID, notify_config_check(&c, ERR_HERE));
	c = rules;
	levels[0].persons.count = 0;
	refused(ERR_INVALID, notify_config_check(&c, ERR_HERE));
	levels[0].persons.count = 1;
	struct notify_person stranger = {.name = "x", .channel = "pigeon"};
	levels[0].persons.items = &stranger;
	refused(ERR_INVALID, notify_config_check(&c, ERR_HERE));
	assert_non_null(strstr(world_err.msg, "pigeon"));
	levels[0].persons.items = first_level;
	struct notify_channel mute[] = {{.name = "mail", .kind = NOTIFY_SMTP, .url = "smtp://h", .from = "a@b"}};
	struct notify_config alone = {.channels = {mute, 1}, .rounds = 1};
	refused(ERR_INVALID, notify_config_check(&alone, ERR_HERE));
	mute[0].to = "ops@example.org";
	ok(notify_config_check(&alone, ERR_HERE));
	mute[0].url = "http://h";
	refused(ERR_INVALID, notify_config_check(&alone, ERR_HERE));
}

static void test_without_levels_every_channel_is_told(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	rules.levels.count = 0;
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 2);
	world_close(&w);
}

/* ---- delivery ---- */

static void test_p36_restart_sends_what_was_pending(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	say(&w, &i, NOTIFY_OPENED, NULL);
	world_after(&w, 1000); /* killed after the commit, before anything was sent */
	ok(notify_on_boot(w.turn, &rules, ERR_HERE));
	assert_int_equal(world_effect_count(&w, EFFECT_NOTIFY), 1);
	world_after(&w, 1000); /* again and again: restarts are no failures */
	for (int n = 0; n < 20; n++) {
		ok(notify_on_boot(w.turn, &rules, ERR_HERE));
		world_after(&w, 1000);
	}
	struct outbox o[4];
	assert_int_equal(outbox(&w, o, 4), 1);
	assert_int_equal(o[0].attempts, 1);
	deliver_all(&w, ERR_OK);
	world_after(&w, 1000);
	ok(notify_on_boot(w.turn, &rules, ERR_HERE));
	assert_int_equal(world_effect_count(&w, EFFECT_NOTIFY), 0);
	world_close(&w);
}

static void test_p34_restart_with_suppressed_pages_sends_none(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	i.suppressed_by = turn_id(w.turn);
	for (int n = 0; n < 1000; n++) {
		char detail[16];
		(void)snprintf(detail, sizeof(detail), "%d", n);
		assert_int_equal(say(&w, &i, NOTIFY_OPENED, detail), 0);
	}
	assert_int_equal(in_state(&w, NOTIFICATION_SUPPRESSED), 1000);
	world_after(&w, 1000);
	ok(notify_on_boot(w.turn, &rules, ERR_HERE));
	assert_int_equal(world_effect_count(&w, EFFECT_NOTIFY), 0);
	assert_int_equal(run_until(&w, w.now_ms + DAY, true), 0);
	world_close(&w);
}

static void test_p36_failed_deliveries_are_tried_again_then_another_way(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	rules.levels.count = 1; /* nobody above: only the delivery is looked at */
	levels[0].wait_ms = DAY;
	say(&w, &i, NOTIFY_OPENED, NULL);
	unsigned tries = 1;
	struct outbox o[4];
	assert_int_equal(outbox(&w, o, 4), 1);
	while (strcmp(o[0].channel, "mail") == 0) {
		deliver_all(&w, ERR_UNREACHABLE);
		if (outbox(&w, o, 4) == 1 && strcmp(o[0].channel, "mail") == 0) {
			struct timer timer;
			bool mine = false;
			while (!mine) {
				assert_true(world_timer(&w, UINT64_MAX, &timer));
				ok(notify_on_timer(w.turn, &rules, &timer, &mine, ERR_HERE));
			}
			tries++;
		}
		assert_int_equal(outbox(&w, o, 4), 1);
		assert_true(tries <= NOTIFY_ATTEMPTS_MAX);
	}
	assert_int_equal(tries, NOTIFY_ATTEMPTS_MAX);
	assert_string_equal(o[0].channel, "file"); /* the other way */
	assert_int_equal(in_state(&w, NOTIFICATION_FAILED), 1);
	for (int n = 0; n < NOTIFY_ATTEMPTS_MAX; n++) { /* that fails too */
		deliver_all(&w, ERR_FULL);
		run_until(&w, w.now_ms + HOUR, false);
	}
	assert_int_equal(outbox(&w, o, 4), 0);
	assert_int_equal(in_state(&w, NOTIFICATION_FAILED), 2);
	levels[0].wait_ms = 5 * MINUTE;
	world_close(&w);
}

static void test_outbox_that_never_answers_is_asked_again(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	levels[0].wait_ms = DAY;
	say(&w, &i, NOTIFY_OPENED, NULL);
	uint64_t begin = w.now_ms;
	assert_int_equal(run_until(&w, begin + NOTIFY_ANSWER_MS - 1, false), 0);
	assert_int_equal(run_until(&w, begin + NOTIFY_ANSWER_MS, false), 1);
	levels[0].wait_ms = 5 * MINUTE;
	world_close(&w);
}

static void test_page_that_fails_after_the_answer_is_not_tried_again(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	struct id id = i.incident;
	say(&w, &i, NOTIFY_OPENED, NULL);
	struct outbox o[4];
	assert_int_equal(outbox(&w, o, 4), 1);
	struct id note = o[0].notification;
	acknowledge(&w, id);
	ok(notify_on_delivered(w.turn, &rules, note, ERR_UNREACHABLE, "x", ERR_HERE)); /* its failure comes in late */
	assert_int_equal(outbox(&w, o, 4), 0);
	ok(notify_on_delivered(
	    w.turn, &rules, note, ERR_OK, NULL, ERR_HERE)); /* or its success: then that is the truth */
	assert_int_equal(in_state(&w, NOTIFICATION_SENT), 1);
	ok(notify_on_delivered(w.turn, &rules, turn_id(w.turn), ERR_OK, NULL, ERR_HERE));
	world_close(&w);
}

static void test_p40_window_silences_the_climbing_until_its_end(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	struct health_transitions out = {0};
	say(&w, &i, NOTIFY_OPENED, NULL);
	deliver_all(&w, ERR_OK);
	uint64_t end = w.now_ms + 2 * HOUR;
	world_after(&w, MINUTE);
	ok(health_maintenance_start(w.turn, &health_rules, &ada, "portal", "web-1", end, "work", &out, ERR_HERE));
	i = incident_now(&w, i.incident);
	assert_int_equal(say(&w, &i, NOTIFY_WORSENED, "x"), 0);
	assert_int_equal(run_until(&w, end - 1, true), 0);
	assert_int_equal(run_until(&w, end + 1000, true), 2); /* still not acknowledged: the next level hears of it */
	world_close(&w);
}

static void test_resolved_is_told_once_and_ends_the_climbing(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	struct id id = i.incident;
	say(&w, &i, NOTIFY_OPENED, NULL);
	deliver_all(&w, ERR_OK);
	world_after(&w, 1000);
	ok(incident_resolve(w.turn, &incident_rules, &ada, id, "done", &i, ERR_HERE));
	ok(notify_silence(w.turn, id, "resolved", ERR_HERE));
	assert_int_equal(say(&w, &i, NOTIFY_RESOLVED, NULL), 1);
	deliver_all(&w, ERR_OK);
	assert_int_equal(run_until(&w, w.now_ms + DAY / 2, true), 0);
	world_close(&w);
}

static void test_what_is_about_no_incident_is_told_once(void **state)
{
	(void)state;
	struct world w;
	uint32_t said;
	world_open(&w);
	ok(notify_about(w.turn, &rules, NOTIFY_HOST, "web-1", "barred", "host web-1 is barred", &said, ERR_HERE));
	assert_int_equal(said, 1);
	ok(notify_about(w.turn, &rules, NOTIFY_HOST, "web-1", "barred", "host web-1 is barred", &said, ERR_HERE));
	assert_int_equal(said, 0);
	struct outbox o[4];
	assert_int_equal(outbox(&w, o, 4), 1);
	assert_string_equal(o[0].subject, "[kedge north] host web-1 is barred");
	world_close(&w);
}

/* The longest names that the configuration allows still make a key that the store takes. */
static void test_longest_names_fit_the_store(void **state)
{
	(void)state;
	struct world w;
	char name[NAME_MAX_BYTES + 1], address[NOTIFY_ADDRESS_MAX + 1], detail[200];
	memset(name, 'n', sizeof(name) - 1);
	memset(address, 'a', sizeof(address) - 1);
	memset(detail, 'd', sizeof(detail) - 1);
	name[sizeof(name) - 1] = address[sizeof(address) - 1] = detail[sizeof(detail) - 1] = '\0';
	struct notify_channel wide[] = {
	    {.name = name, .kind = NOTIFY_SMTP, .url = "smtp://h", .from = "a@b", .to = address}};
	struct notify_config c = {.channels = {wide, 1}, .rounds = NOTIFY_ROUNDS_MAX, .site = name};
	uint32_t said;
	world_open(&w);
	ok(notify_about(w.turn, &c, NOTIFY_APPROVAL, name, detail, detail, &said, ERR_HERE));
	assert_int_equal(said, 1);
	world_close(&w);
}

static void test_message_says_what_is_known(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	struct outbox o[4];
	say(&w, &i, NOTIFY_OPENED, NULL);
	assert_int_equal(outbox(&w, o, 4), 1);
	char opened_at[TEXT_TIME_MAX], line[64];
	(void)snprintf(line, sizeof(line), "opened    %s\n", text_time(i.opened_ms, opened_at));
	assert_non_null(strstr(o[0].body, line));
	assert_non_null(strstr(o[0].body, "hosts     web-1\n"));
	assert_non_null(strstr(o[0].body, "probes    http\n"));
	assert_null(strstr(o[0].body, "resolved"));
	assert_non_null(o[0].payload); /* for the channel that takes over when mail fails */
	world_close(&w);
}

static void given_the_fields(struct notify_channel *channel)
{
	struct world w;
	struct incident i = fault(&w);
	rules.channels = (struct list){channel, 1};
	rules.levels.count = 0;
	struct outbox o[4];
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 1);
	assert_int_equal(outbox(&w, o, 4), 1);
	assert_non_null(strstr(o[0].payload, "\"service\":\"portal\""));
	assert_non_null(strstr(o[0].payload, "\"web-1\""));
	assert_non_null(strstr(o[0].payload, "\"number\":1"));
	assert_null(strstr(o[0].payload, "said the probe"));
	world_close(&w);
}

static void test_webhook_is_given_the_fields(void **state)
{
	(void)state;
	struct notify_channel hook = {.name = "hook", .kind = NOTIFY_WEBHOOK, .url = "https://example.org/h"};
	given_the_fields(&hook);
}

static void test_file_is_given_the_fields(void **state)
{
	(void)state;
	struct notify_channel file = {.name = "file", .kind = NOTIFY_FILE, .url = "/var/log/kedge/pages"};
	given_the_fields(&file);
}

static struct notification newest(struct world *w)
{
	struct turn_scan scan;
	struct notification n;
	bool found;
	ok(turn_scan_key(w->turn, &notification_table, NULL, 0, true, &scan, ERR_HERE));
	ok(turn_scan_next(&scan, &n, &found, ERR_HERE));
	turn_scan_done(&scan);
	assert_true(found);
	return n;
}

static void test_tries_wait_longer_each_time_and_the_other_way_begins_anew(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	levels[0].wait_ms = DAY;
	say(&w, &i, NOTIFY_OPENED, NULL);
	for (unsigned n = 1; n < NOTIFY_ATTEMPTS_MAX; n++) {
		uint64_t failed_at = w.now_ms, wait = (uint64_t)NOTIFY_RETRY_MS << (n - 1);
		deliver_all(&w, ERR_UNREACHABLE);
		struct notification mail = newest(&w);
		assert_string_equal(mail.error, "connection refused");
		assert_int_equal(mail.attempts, n);
		assert_true(
		    mail.next_attempt_ms >= failed_at + wait && mail.next_attempt_ms <= failed_at + wait + wait / 4);
		uint64_t next = mail.next_attempt_ms;
		assert_int_equal(run_until(&w, next - 1, false), 0);
		assert_int_equal(run_until(&w, next, false), 1);
	}
	deliver_all(&w, ERR_UNREACHABLE);
	struct notification file = newest(&w);
	assert_string_equal(file.channel, "file");
	assert_null(file.recipient);
	assert_null(file.error);
	assert_int_equal(file.attempts, 1);
	assert_false(id_is_zero(file.instead_of));
	struct outbox o[4];
	assert_int_equal(outbox(&w, o, 4), 1);
	assert_non_null(strstr(o[0].payload, "\"service\":\"portal\""));
	deliver_all(&w, ERR_OK);
	file = newest(&w);
	assert_int_equal(file.state, NOTIFICATION_SENT);
	assert_int_equal(file.sent_ms, w.now_ms);
	levels[0].wait_ms = 5 * MINUTE;
	world_close(&w);
}

/* Even when nobody called notify_silence: the timer looks for itself. */
static void test_p37_timer_looks_at_the_incident(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct world w;
		struct incident i = fault(&w);
		bool first;
		say(&w, &i, NOTIFY_OPENED, NULL);
		deliver_all(&w, ERR_OK);
		if (how == 0)
			ok(incident_resolve(w.turn, &incident_rules, &ada, i.incident, "x", &i, ERR_HERE));
		if (how == 1)
			ok(incident_acknowledge(w.turn, &incident_rules, &ada, i.incident, &i, &first, ERR_HERE));
		if (how == 2) { /* its cause was found meanwhile */
			i.suppressed_by = turn_id(w.turn);
			ok(turn_put(w.turn, &incident_table, &i, ERR_HERE));
		}
		assert_int_equal(run_until(&w, w.now_ms + DAY / 2, true), 0);
		assert_int_equal(world_record_count(&w, &escalation_table), 0);
		world_close(&w);
	}
}

static void test_news_goes_to_everybody_who_was_told(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	struct id id = i.incident;
	uint64_t begin = w.now_ms;
	say(&w, &i, NOTIFY_OPENED, NULL);
	deliver_all(&w, ERR_OK);
	assert_int_equal(run_until(&w, begin + 16 * MINUTE, true), 3); /* second round has begun */
	assert_int_equal(run_until(&w, begin + 21 * MINUTE, true), 2);
	i = incident_now(&w, id);
	assert_int_equal(say(&w, &i, NOTIFY_WORSENED, "critical"), 3);
	struct notification n = newest(&w);
	assert_int_equal(n.round, 1);
	deliver_all(&w, ERR_OK);
	world_close(&w);
}

static void test_p39_news_that_reaches_nobody_is_on_the_trail(void **state)
{
	(void)state;
	struct world w;
	uint32_t said;
	struct audit_head before, after;
	world_open(&w);
	rules.levels.count = 0;
	ok(notify_about(w.turn, &rules, NOTIFY_HOST, "web-1", "barred", "x", &said, ERR_HERE));
	ok(audit_head(w.turn, &before, ERR_HERE));
	assert_int_equal(said, 2);
	assert_int_equal(before.size, 0);
	rules.channels.count = 0;
	ok(notify_about(w.turn, &rules, NOTIFY_HOST, "web-2", "barred", "x", &said, ERR_HERE));
	ok(audit_head(w.turn, &after, ERR_HERE));
	assert_int_equal(said, 0);
	assert_int_equal(after.size, 1);
	world_close(&w);
}

/* Services that lean on db are seen to fail before db is: one page in the end, that of the cause. */
static void test_p33_page_waits_a_moment_for_its_cause(void **state)
{
	(void)state;
	static const char *on_db[] = {"db"};
	struct declared_service all[] = {declared("db", NULL), declared("a", on_db), declared("b", on_db)};
	for (int late = 0; late < 2; late++) {
		struct world w;
		struct incident i;
		unsigned sent = 0;
		rules.hold_ms = 2000;
		world_open(&w);
		health_up(&w, "h1", 1, all, 3);
		for (int n = 2; n > 0; n--) {
			assert_int_equal(incident_says(&w, all[n].name, "h1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
			assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 1);
			assert_int_equal(world_effect_count(&w, EFFECT_NOTIFY), 0);
			sent += run_until(&w, w.now_ms + 400, false);
		}
		sent += run_until(&w, w.now_ms + (late ? 3000 : 0), false);
		assert_int_equal(incident_says(&w, "db", "h1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
		assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 1);
		sent += (unsigned)world_effect_count(&w, EFFECT_NOTIFY); /* db leans on nothing: at once */
		sent += run_until(&w, w.now_ms + MINUTE, false);
		assert_int_equal(sent, late ? 3 : 1);
		assert_int_equal(in_state(&w, NOTIFICATION_SUPPRESSED), late ? 0 : 2);
		world_close(&w);
	}
}

static void test_many_hosts_are_counted_not_listed(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	static const char *names[20];
	static char room[20][8];
	for (int n = 0; n < 20; n++) {
		(void)snprintf(room[n], sizeof(room[n]), "h%02d", n);
		names[n] = room[n];
	}
	struct notify_channel hook[] = {{.name = "hook", .kind = NOTIFY_WEBHOOK, .url = "https://example.org/h"}};
	rules.channels = (struct list){hook, 1};
	rules.levels.count = 0;
	i.hosts = i.failing = (struct list){names, 20};
	struct outbox o[4];
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 1);
	assert_int_equal(outbox(&w, o, 4), 1);
	assert_non_null(strstr(o[0].subject, "portal is DOWN on h00 and 19 more"));
	assert_non_null(strstr(o[0].body, "h00, h01, "));
	assert_non_null(strstr(o[0].body, "h15 and 4 more"));
	assert_non_null(strstr(o[0].payload, "\"h15\""));
	assert_null(strstr(o[0].payload, "\"h16\""));
	assert_non_null(strstr(o[0].payload, id_text(ID_INCIDENT, i.incident)));
	world_close(&w);
}

static void test_what_is_not_said_says_why(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	i.suppressed_by = turn_id(w.turn);
	assert_int_equal(say(&w, &i, NOTIFY_OPENED, NULL), 0);
	assert_string_equal(newest(&w).error, "explained by another incident");
	assert_int_equal(newest(&w).next_attempt_ms, 0);
	world_close(&w);
}

static void test_approval_climbs_while_nobody_has_the_incident(void **state)
{
	(void)state;
	struct world w;
	struct incident i = fault(&w);
	uint64_t begin = w.now_ms;
	say(&w, &i, NOTIFY_OPENED, NULL);
	say(&w, &i, NOTIFY_APPROVAL, "CHG-7");
	deliver_all(&w, ERR_OK);
	struct escalation e = {.incident = i.incident};
	bool found;
	ok(turn_get(w.turn, &escalation_table, &e, &e, &found, ERR_HERE));
	assert_true(found);
	assert_int_equal(e.event, NOTIFY_APPROVAL);
	assert_string_equal(e.detail, "CHG-7");
	assert_int_equal(run_until(&w, begin + 5 * MINUTE, true), 2);
	assert_int_equal(newest(&w).event, NOTIFY_APPROVAL);
	assert_non_null(strstr(newest(&w).subject, "needs approval: CHG-7: portal is DOWN"));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_page_is_a_record_before_it_is_sent, setup),
	    cmocka_unit_test_setup(test_p56_no_text_of_people_or_hosts_leaves, setup),
	    cmocka_unit_test_setup(test_p35_one_page_per_transition_whatever_is_repeated, setup),
	    cmocka_unit_test_setup(test_p38_levels_are_climbed_in_order_and_in_time, setup),
	    cmocka_unit_test_setup(test_p37_no_page_after_an_acknowledgement, setup),
	    cmocka_unit_test_setup(test_p37_timer_before_acknowledgement, setup),
	    cmocka_unit_test_setup(test_what_asks_anew_is_told_after_an_acknowledgement_but_does_not_climb, setup),
	    cmocka_unit_test_setup(test_p44_subject_names_the_brake, setup),
	    cmocka_unit_test_setup(test_p39_level_with_nobody_falls_through_at_once, setup),
	    cmocka_unit_test_setup(test_p39_nobody_at_all_is_said_aloud, setup),
	    cmocka_unit_test_setup(test_p39_lint_refuses_lists_that_reach_nobody, setup),
	    cmocka_unit_test_setup(test_without_levels_every_channel_is_told, setup),
	    cmocka_unit_test_setup(test_p36_restart_sends_what_was_pending, setup),
	    cmocka_unit_test_setup(test_p34_restart_with_suppressed_pages_sends_none, setup),
	    cmocka_unit_test_setup(test_p36_failed_deliveries_are_tried_again_then_another_way, setup),
	    cmocka_unit_test_setup(test_outbox_that_never_answers_is_asked_again, setup),
	    cmocka_unit_test_setup(test_page_that_fails_after_the_answer_is_not_tried_again, setup),
	    cmocka_unit_test_setup(test_p40_window_silences_the_climbing_until_its_end, setup),
	    cmocka_unit_test_setup(test_resolved_is_told_once_and_ends_the_climbing, setup),
	    cmocka_unit_test_setup(test_what_is_about_no_incident_is_told_once, setup),
	    cmocka_unit_test_setup(test_longest_names_fit_the_store, setup),
	    cmocka_unit_test_setup(test_message_says_what_is_known, setup),
	    cmocka_unit_test_setup(test_webhook_is_given_the_fields, setup),
	    cmocka_unit_test_setup(test_file_is_given_the_fields, setup),
	    cmocka_unit_test_setup(test_tries_wait_longer_each_time_and_the_other_way_begins_anew, setup),
	    cmocka_unit_test_setup(test_p37_timer_looks_at_the_incident, setup),
	    cmocka_unit_test_setup(test_news_goes_to_everybody_who_was_told, setup),
	    cmocka_unit_test_setup(test_p39_news_that_reaches_nobody_is_on_the_trail, setup),
	    cmocka_unit_test_setup(test_p33_page_waits_a_moment_for_its_cause, setup),
	    cmocka_unit_test_setup(test_many_hosts_are_counted_not_listed, setup),
	    cmocka_unit_test_setup(test_what_is_not_said_says_why, setup),
	    cmocka_unit_test_setup(test_approval_climbs_while_nobody_has_the_incident, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
