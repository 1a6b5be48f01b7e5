/* Pitfalls that want many hosts and much time: each a story told to the simulator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "tests/lib/unit.h"
#include "tests/sim/sim.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, PORTAL = 0, RECORDS = 1, BATCH = 2 };

/* Nothing goes wrong by itself, and nobody does anything by themselves. */
static struct sim *story(uint64_t seed, unsigned hosts)
{
	struct sim_options o = {.seed = seed, .hosts = hosts, .quiet_people = true, .short_deaths = true};
	o.verbose = getenv("KEDGE_SIM_VERBOSE") != NULL;
	return sim_new(&o);
}

static void lives(struct sim *s, uint64_t ms)
{
	if (!sim_until(s, s->now_ms + ms))
		fail_msg("%s", s->failure);
}

static void ends(struct sim *s)
{
	sim_free(s);
}

static size_t pages(const struct sim *s, enum notify_event event)
{
	size_t n = 0;
	for (size_t i = 0; i < s->hub.page_count; i++)
		n += s->hub.pages[i].event == event;
	return n;
}

/* How many records hold. */
typedef bool (*holds_fn)(const void *record);
static size_t count(struct sim *s, const struct table *table, holds_fn holds)
{
	struct control_look look;
	struct turn *t = control_look(&s->hub.control, &look);
	struct turn_scan scan;
	struct err err;
	bool found = true;
	size_t n = 0;
	char *record = calloc(1, table->type->size);
	assert_int_equal(turn_scan_key(t, table, NULL, 0, false, &scan, &err), ERR_OK);
	while (found) {
		assert_int_equal(turn_scan_next(&scan, record, &found, &err), ERR_OK);
		n += found && (!holds || holds(record));
	}
	turn_scan_done(&scan);
	free(record);
	control_look_end(&look);
	return n;
}
static bool order_open(const void *r)
{
	return ((const struct order_record *)r)->outcome == ORDER_OPEN;
}
static bool order_accepted(const void *r)
{
	return order_open(r) && ((const struct order_record *)r)->accepted_ms;
}
static bool order_unreachable(const void *r)
{
	return ((const struct order_record *)r)->outcome == ORDER_UNREACHABLE;
}
static bool order_ok(const void *r)
{
	return ((const struct order_record *)r)->outcome == ORDER_OK;
}
static bool order_sent_often(const void *r)
{
	return ((const struct order_record *)r)->sends >
	       2 + ORDER_BEGIN_MS / ORDER_RESEND_MS + ORDER_GRACE_MS / ORDER_RESEND_MS;
}
static bool rollback_open(const void *r)
{
	return ((const struct rollback *)r)->state != ROLLBACK_ENDED;
}
static bool rollback_proving(const void *r)
{
	return ((const struct rollback *)r)->state == ROLLBACK_PROVING;
}
static bool rollback_second_wave(const void *r)
{
	return rollback_open(r) && ((const struct rollback *)r)->wave == 1;
}
static bool rollback_good(const void *r)
{
	return ((const struct rollback *)r)->outcome == ORDER_OK;
}
static bool change_open(const void *r)
{
	return ((const struct change *)r)->ended_ms == 0;
}
static bool incident_open_is(const void *r)
{
	return incident_is_open(r);
}
static bool incident_suppressed(const void *r)
{
	return incident_is_open(r) && !id_is_zero(((const struct incident *)r)->suppressed_by);
}

static bool incident_of_hosts(const void *r)
{
	return incident_is_of_hosts(r);
}

/* Until that many records hold, or the time is over. */
static bool until(struct sim *s, const struct table *table, holds_fn holds, uint64_t within_ms)
{
	uint64_t end = s->now_ms + within_ms;
	while (s->now_ms < end && !count(s, table, holds))
		lives(s, 100);
	return count(s, table, holds) > 0;
}

static void cut_off(struct sim *s, unsigned i, bool off)
{
	struct connection *c = net_of(s, &s->agents[i]);
	s->agents[i].partitioned = off;
	if (off && c)
		net_break(s, c);
}

/* ---- it works at all ---- */

static void test_a_bad_change_heals_within_the_target(void **state)
{
	(void)state;
	struct sim *s = story(1, 5);
	lives(s, 6 * MINUTE);
	faults_deploy(s, PORTAL, COMPONENT_CONFIG, true, 1, 0);
	uint64_t began = s->now_ms;
	assert_true(until(s, &incident_table, incident_open_is, MINUTE));
	uint64_t seen = s->now_ms - began;
	while (count(s, &incident_table, incident_open_is) && s->now_ms < began + 5 * MINUTE)
		lives(s, 100);
	assert_true(seen < 12 * SECOND); /* two probes five seconds apart */
	assert_int_equal(count(s, &rollback_table, rollback_good), 1);
	assert_true(s->now_ms - began < 2 * MINUTE);
	lives(s, SECOND);
	assert_int_equal(pages(s, NOTIFY_RESOLVED), 1);
	ends(s);
}

static void test_the_same_seed_gives_the_same_trace(void **state)
{
	(void)state;
	uint64_t digest[3];
	static const uint64_t seeds[3] = {7, 7, 8};
	for (int i = 0; i < 3; i++) {
		struct sim_options o = sim_defaults(seeds[i]);
		o.chaos_ms = 10 * MINUTE;
		struct sim *s = sim_new(&o);
		if (!sim_run(s))
			fail_msg("%s", s->failure);
		assert_true(s->lines > 300);
		digest[i] = s->digest;
		sim_free(s);
	}
	assert_true(digest[0] == digest[1]);
	assert_true(digest[0] != digest[2]);
}

/* ---- P1 ---- */

static void test_p1_all_agents_silent_from_each_state(void **state)
{
	(void)state;
	static const struct {
		const struct table *table;
		holds_fn holds;
	} moments[] = {
	    {&incident_table, incident_open_is},
	    {&order_table, order_open},
	    {&order_table, order_accepted},
	    {&rollback_table, rollback_proving},
	    {&rollback_table, rollback_second_wave},
	};
	for (size_t m = 0; m < sizeof(moments) / sizeof(moments[0]); m++) {
		struct sim *s = story(20 + m, 5);
		lives(s, 6 * MINUTE);
		faults_deploy(s, PORTAL, COMPONENT_CONFIG, m == 0, 4, 0);
		lives(s, MINUTE * (m > 0));
		if (m > 0)
			people_roll_back(s, PORTAL);
		assert_true(until(s, moments[m].table, moments[m].holds, 5 * MINUTE));
		for (unsigned i = 0; i < s->agent_count; i++)
			cut_off(s, i, true);
		lives(s, ORDER_RUN_MS + ORDER_BEGIN_MS + 2 * ORDER_GRACE_MS + ROLLBACK_PROVE_MS);
		assert_int_equal(count(s, &order_table, order_open), 0);
		assert_int_equal(count(s, &rollback_table, rollback_open), 0);
		assert_int_equal(count(s, &change_table, change_open), 0);
		assert_true(pages(s, NOTIFY_OPENED) > 0);
		ends(s);
	}
}

/* ---- P5, P14 ---- */

static void leave_mid_wave(uint64_t seed)
{
	enum { HOSTS = 7, PORTALS = HOSTS - 1 };
	/* A person's rollback: automation would take those hosts that had failed when it knew the cause, which may be
	 * one, and one has no second wave. */
	struct sim_options o = {
	    .seed = seed, .hosts = HOSTS, .quiet_people = true, .no_policy = true, .short_deaths = true};
	o.verbose = getenv("KEDGE_SIM_VERBOSE") != NULL;
	struct sim *s = sim_new(&o);
	lives(s, 6 * MINUTE);
	faults_deploy(s, PORTAL, COMPONENT_CONFIG, false, PORTALS, 0);
	lives(s, MINUTE);
	people_roll_back_part(s, PORTAL, COMPONENT_CONFIG);
	for (int i = 0; i < 20 && !count(s, &rollback_table, NULL); i++) { /* so many hosts want two people's word */
		lives(s, SECOND);
		people_approve(s);
	}
	assert_true(until(s, &rollback_table, rollback_second_wave, 5 * MINUTE));
	for (unsigned i = 0; i < s->agent_count; i += 2)
		cut_off(s, i, true);
	for (int k = 0; k < 10; k++) { /* they come and go */
		lives(s, 2 * MINUTE);
		for (unsigned i = 0; i < s->agent_count; i += 2)
			cut_off(s, i, k & 1);
	}
	assert_true(count(s, &order_table, NULL) <= PORTALS); /* one a host at most, whatever became of it */
	assert_int_equal(count(s, &rollback_table, NULL), 1);
	assert_int_equal(count(s, &rollback_table, rollback_open), 0);
	assert_int_equal(count(s, &order_table, order_sent_often), 0);
	assert_int_equal(count(s, &order_table, order_open), 0);
	ends(s);
}

static void test_p5_hosts_that_leave_mid_wave_make_no_work(void **state)
{
	(void)state;
	for (uint64_t seed = 31; seed < 43; seed++)
		leave_mid_wave(seed);
}

static void test_p14_no_command_is_lost_or_done_twice(void **state)
{
	(void)state;
	enum { HOSTS = 8, COMMANDS = 1500 };
	struct sim_options o = {.seed = 41,
	    .hosts = HOSTS,
	    .quiet_people = true,
	    .short_deaths = true,
	    .chaos_ms = 0,
	    .calm_ms = 30 * MINUTE};
	o.rates.drop_permille = 200;
	o.rates.twice_permille = 200;
	o.rates.agent_crash_s = 20;
	o.rates.link_crash_s = 20;
	o.rates.break_s = 20;
	o.rates.hub_crash_s = 60;
	struct sim *s = sim_new(&o);
	lives(s, 2 * MINUTE);
	unsigned asked = 0;
	while (asked < COMMANDS) {
		if (s->hub.up) {
			struct agent *a = &s->agents[asked % HOSTS];
			struct request_args args = {.service = sim_services[a->places[0].service], .host = a->name};
			people_ask(s, "ada", "service", "probe", &args);
			asked++;
		}
		lives(s, 1500);
	}
	if (!sim_run(s)) /* calm, and every check */
		fail_msg("%s", s->failure);
	size_t all = count(s, &order_table, NULL), done = count(s, &order_table, order_ok);
	assert_true(all > COMMANDS * 9 / 10); /* a request that died with the controller was never answered */
	assert_int_equal(count(s, &order_table, order_open), 0);
	assert_int_equal(count(s, &order_table, order_unreachable), 0);
	assert_int_equal(done, all);
	ends(s);
}

/* ---- P21 ---- */

static void test_p21_a_thousand_agents_come_back(void **state)
{
	(void)state;
	enum { HOSTS = 1000, SECONDS = 120 };
	struct sim *s = story(51, HOSTS);
	unsigned accepted[SECONDS] = {0}, first = SECONDS, last = 0, peak = 0, all = 0;
	lives(s, MINUTE);
	assert_int_equal(net_count(s), HOSTS);
	s->hub.control.config.recovery.bake_ms = 1000;
	hub_crash(s);
	for (unsigned i = 0; i < SECONDS && all < HOSTS; i++) {
		uint64_t before = s->hub.hellos;
		lives(s, SECOND);
		accepted[i] = (unsigned)(s->hub.hellos - before);
		first = accepted[i] && i < first ? i : first;
		last = accepted[i] ? i : last;
		peak = accepted[i] > peak ? accepted[i] : peak;
		all += accepted[i];
	}
	assert_int_equal(net_count(s), HOSTS);
	double mean = (double)all / (last - first + 1);
	print_message("a thousand agents: back within %u s, peak %u a second, mean %.0f\n", last + 1, peak, mean);
	assert_true(last < 60);
	assert_true(all < HOSTS + HOSTS / 10); /* nobody had to try again and again */
	assert_true(peak <= 3 * mean);
	ends(s);
}

/* ---- P33, P34, P35 ---- */

static void test_p33_p34_one_cause_is_one_page_and_a_restart_is_none(void **state)
{
	(void)state;
	enum { HOSTS = 200 };
	struct sim_options o = {
	    .seed = 61, .hosts = HOSTS, .quiet_people = true, .no_policy = true, .short_deaths = true};
	struct sim *s = sim_new(&o);
	s->hub.control.config.notify.hold_ms =
	    15 * SECOND; /* longer than two of these hosts' probes: the cause shows in it */
	lives(s, 6 * MINUTE);
	faults_deploy(s, RECORDS, COMPONENT_CODE, true, 1, 0); /* 199 hosts lean on it */
	lives(s, MINUTE);
	assert_int_equal(count(s, &incident_table, incident_suppressed), 1);
	assert_int_equal(pages(s, NOTIFY_OPENED), 1);
	size_t all = s->hub.page_count;
	struct request_args a = {.incident = "INC-1"};
	people_ask(s, "ada", "incident", "acknowledge", &a);
	a.incident = "INC-2";
	people_ask(s, "ada", "incident", "acknowledge", &a);
	lives(s, SECOND);
	for (int i = 0; i < 3; i++) {
		hub_crash(s);
		lives(s, 2 * MINUTE);
	}
	assert_int_equal(s->hub.page_count, all);
	ends(s);
}

/* Machines that vanish together, each with several services: one page, and one that says when they are back. */
static void test_p33_silent_hosts_are_one_page(void **state)
{
	(void)state;
	enum { HOSTS = 40, GONE = 20 };
	struct sim *s = story(62, HOSTS);
	s->hub.control.config.notify.hold_ms = 15 * SECOND;
	lives(s, 6 * MINUTE);
	for (unsigned i = 0; i < GONE; i++)
		cut_off(s, i, true);
	assert_true(until(s, &incident_table, incident_of_hosts, 10 * MINUTE));
	lives(s, 3 * MINUTE);
	assert_int_equal(count(s, &incident_table, incident_of_hosts), 1);
	assert_int_equal(pages(s, NOTIFY_OPENED), 1);
	assert_int_equal(pages(s, NOTIFY_WORSENED), 0);
	struct request_args a = {.incident = "INC-1"}; /* or it would climb */
	people_ask(s, "ada", "incident", "acknowledge", &a);
	for (unsigned i = 0; i < GONE; i++)
		cut_off(s, i, false);
	lives(s, 5 * MINUTE);
	assert_int_equal(count(s, &incident_table, incident_open_is), 0);
	assert_int_equal(pages(s, NOTIFY_OPENED), 1);
	assert_int_equal(pages(s, NOTIFY_RESOLVED), 1);
	ends(s);
}

/* With what nobody has set: a dependency looks at itself every half minute, and is asked when what leans on it fails.
 */
static struct sim *rarely_looked_at_and(uint64_t seed, unsigned hosts, unsigned hang_ms)
{
	struct sim_options o = {.seed = seed,
	    .hosts = hosts,
	    .hang_ms = hang_ms,
	    .quiet_people = true,
	    .no_policy = true,
	    .short_deaths = true,
	    .probe_ms = 30 * SECOND};
	o.verbose = getenv("KEDGE_SIM_VERBOSE") != NULL;
	struct sim *s = sim_new(&o);
	lives(s, 6 * MINUTE);
	return s;
}

static struct sim *rarely_looked_at(uint64_t seed, unsigned hosts)
{
	return rarely_looked_at_and(seed, hosts, 0);
}

/* It takes longer to say that it does not answer than anybody who leans on it. */
static void test_p33_a_dependency_that_hangs_is_one_page(void **state)
{
	(void)state;
	for (uint64_t seed = 140; seed < 148; seed++) {
		struct sim *s = rarely_looked_at_and(seed, 12, 20 * SECOND);
		faults_deploy(s, RECORDS, COMPONENT_CODE, true, 1, 0);
		lives(s, 150 * SECOND);
		assert_int_equal(count(s, &incident_table, incident_suppressed), 1);
		assert_int_equal(pages(s, NOTIFY_OPENED), 1);
		ends(s);
	}
}

static void test_p33_a_dependency_that_fails_is_one_page(void **state)
{
	(void)state;
	for (uint64_t seed = 110; seed < 118; seed++) {
		struct sim *s = rarely_looked_at(seed, 12);
		faults_deploy(s, RECORDS, COMPONENT_CODE, true, 1, 0);
		lives(s, 90 * SECOND);
		assert_int_equal(count(s, &incident_table, incident_suppressed), 1);
		assert_int_equal(pages(s, NOTIFY_OPENED), 1);
		ends(s);
	}
}

/* Its machine is gone, politely or without a word. */
static void test_p33_a_dependency_whose_host_dies_is_one_page_soon(void **state)
{
	(void)state;
	for (uint64_t seed = 120; seed < 128; seed++) {
		struct sim *s = rarely_looked_at(seed, 12);
		unsigned last = s->agent_count - 1;
		struct connection *c = net_of(s, &s->agents[last]);
		place_of(&s->agents[last], "records-db")->stopped = true;
		if (seed % 2)
			c->dark_up = c->dark_down = true;
		else
			cut_off(s, last, true);
		uint64_t began = s->now_ms;
		assert_true(until(s, &incident_table, incident_of_hosts, 6 * MINUTE));
		assert_true(s->now_ms - began < MINUTE);
		lives(s, 20 * SECOND);
		assert_int_equal(count(s, &incident_table, incident_of_hosts), 1);
		assert_int_equal(count(s, &incident_table, incident_suppressed), 1);
		assert_int_equal(pages(s, NOTIFY_OPENED), 1);
		ends(s);
	}
}

static void test_a_fleet_that_alarms_is_not_asked_as_one(void **state)
{
	(void)state;
	enum { HOSTS = 200, MOST = 64 }; /* as around.h says, of one incident */
	struct sim *s = rarely_looked_at(130, HOSTS);
	faults_deploy(s, PORTAL, COMPONENT_CONFIG, true, HOSTS, 0);
	lives(s, 2 * MINUTE);
	print_message("two hundred hosts alarm: %llu are asked\n", (unsigned long long)s->looks);
	assert_true(s->looks > 0 && s->looks <= MOST);
	ends(s);
}

static void test_p35_what_is_replayed_pages_nobody(void **state)
{
	(void)state;
	struct sim *s = story(71, 4);
	lives(s, 6 * MINUTE);
	cut_off(s, 0, true);
	lives(s, MINUTE);
	size_t before = s->hub.page_count;
	faults_deploy(s, PORTAL, COMPONENT_CODE, false, 3, 0);
	for (int i = 0; i < 4; i++) { /* it fails and heals, unseen */
		s->agents[0].places[0].stopped = i % 2 == 0;
		lives(s, 30 * SECOND);
	}
	cut_off(s, 0, false);
	lives(s, 3 * MINUTE);
	assert_int_equal(s->hub.page_count, before);
	assert_int_equal(count(s, &incident_table, incident_open_is), 0);
	/* And one transition that many reports repeat, over broken connections and a restart, is one page. */
	s->agents[0].places[0].stopped = true;
	for (int i = 0; i < 10; i++) {
		lives(s, 9 * SECOND);
		net_break(s, net_of(s, &s->agents[0]) ? net_of(s, &s->agents[0]) : &s->connections[0]);
		if (i == 5)
			hub_crash(s);
	}
	lives(s, MINUTE);
	assert_int_equal(pages(s, NOTIFY_OPENED), 1);
	ends(s);
}

/* ---- P61 ---- */

static void test_p61_a_restored_controller_commands_nothing(void **state)
{
	(void)state;
	struct sim *s = story(81, 5);
	lives(s, 6 * MINUTE);
	hub_backup(s);
	faults_deploy(s, PORTAL, COMPONENT_CONFIG, true, 1, 0);
	assert_true(until(s, &rollback_table, rollback_proving, 5 * MINUTE));
	uint64_t begun = s->rollbacks_begun;
	hub_restore(s);
	lives(s, MINUTE);
	faults_deploy(s, BATCH, COMPONENT_CODE, true, 1, 0); /* a fault that it would repair */
	lives(s, 10 * MINUTE);
	assert_int_equal(s->rollbacks_begun, begun);
	assert_int_equal(count(s, &order_table, NULL), 0);
	struct request_args a = {.text = "it is the only one"};
	people_ask(s, "ada", "controller", "confirm", &a);
	lives(s, SECOND);
	struct request_args probe = {.service = "portal", .host = "host-0"};
	people_ask(s, "ada", "service", "probe", &probe);
	lives(s, 10 * SECOND);
	assert_int_equal(count(s, &order_table, order_ok), 1);
	assert_int_equal(s->agents[0].journal_epoch, 2); /* no other is obeyed any more */
	ends(s);
}

static void test_p61_an_empty_controller_commands_nothing(void **state)
{
	(void)state;
	struct sim *s = story(82, 5);
	hub_backup(s); /* of a store that has seen no host */
	lives(s, 6 * MINUTE);
	faults_deploy(s, PORTAL, COMPONENT_CONFIG, true, 1, 0);
	hub_restore(s);
	lives(s, 10 * MINUTE);
	assert_int_equal(s->rollbacks_begun, 0);
	assert_int_equal(net_count(s), 5);
	ends(s);
}

/* ---- windows ---- */

static void window(struct sim *s, uint64_t for_ms)
{
	struct request_args a = {.service = "portal", .until_ms = for_ms ? s->now_ms + for_ms : 0, .text = "works"};
	people_ask(s, "ada", "service", "maintenance", &a);
	lives(s, SECOND);
}

static void test_a_window_keeps_quiet_and_ends(void **state)
{
	(void)state;
	struct sim *s = story(91, 4);
	lives(s, 6 * MINUTE);
	window(s, 5 * MINUTE);
	s->agents[0].places[0].stopped = true;
	lives(s, 4 * MINUTE);
	hub_crash(s); /* it outlives a restart */
	lives(s, 30 * SECOND);
	assert_int_equal(s->hub.page_count, 0);
	assert_int_equal(s->rollbacks_begun, 0);
	lives(s, MINUTE); /* over: what is wrong shows */
	assert_int_equal(pages(s, NOTIFY_OPENED), 1);
	ends(s);
}

static void test_p40_a_window_over_a_live_page_stops_the_climb(void **state)
{
	(void)state;
	struct sim *s = story(92, 4);
	lives(s, 6 * MINUTE);
	s->agents[0].places[0].stopped = true;
	lives(s, MINUTE);
	size_t before = s->hub.page_count;
	assert_true(before > 0);
	window(s, 30 * MINUTE);
	s->agents[0].places[0].stopped = false;
	lives(s, 25 * MINUTE);
	assert_true(s->hub.page_count <= before + 1); /* resolved, at most */
	window(s, 0);
	lives(s, 5 * MINUTE);
	assert_int_equal(count(s, &incident_table, incident_open_is), 0);
	ends(s);
}

/* ---- R18 ---- */

enum { FLEET = 24 }; /* every second host runs the portal, or more; the clocks are for 20 and more */

static unsigned portal_hosts(const struct sim *s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->agent_count; i++)
		for (size_t k = 0; k < s->agents[i].place_count; k++)
			n += s->agents[i].places[k].service == PORTAL;
	return n;
}

static uint64_t rollback_took(struct sim *s)
{
	struct control_look look;
	struct turn *t = control_look(&s->hub.control, &look);
	struct turn_scan scan;
	struct rollback r = {0};
	struct err err;
	bool found;
	assert_int_equal(turn_scan_key(t, &rollback_table, NULL, 0, true, &scan, &err), ERR_OK);
	assert_int_equal(turn_scan_next(&scan, &r, &found, &err), ERR_OK);
	turn_scan_done(&scan);
	assert_true(found && r.state == ROLLBACK_ENDED);
	assert_int_equal(r.outcome, ORDER_OK);
	assert_true(r.hosts.count >= 20);
	uint64_t took = r.ended_ms - r.began_ms;
	print_message("%zu hosts in %u waves: %.1f s\n", r.hosts.count, r.waves, (double)took / SECOND);
	control_look_end(&look);
	return took;
}

/* As a controller and agents are when nobody sets anything; step_ms: what a step takes at most on a host. */
static uint64_t fleet_comes_back(uint64_t seed, enum component which, unsigned step_ms, bool old_agents)
{
	struct sim_options o = {.seed = seed,
	    .hosts = FLEET,
	    .quiet_people = true,
	    .no_policy = true,
	    .short_deaths = true,
	    .probe_ms = 30 * SECOND,
	    .step_ms = step_ms,
	    .old_agents = old_agents,
	    .verbose = getenv("KEDGE_SIM_VERBOSE") != NULL};
	struct sim *s = sim_new(&o);
	assert_true(portal_hosts(s) >= 20);
	lives(s, 8 * MINUTE);
	faults_deploy(s, PORTAL, which, false, FLEET, 0);
	lives(s, MINUTE);
	people_roll_back_part(s, PORTAL, which);
	for (int i = 0; i < 20 && !count(s, &rollback_table, NULL); i++) { /* so many hosts want two people's word */
		lives(s, SECOND);
		people_approve(s);
	}
	assert_true(until(s, &rollback_table, rollback_open, MINUTE));
	while (count(s, &rollback_table, rollback_open))
		lives(s, SECOND);
	uint64_t took = rollback_took(s);
	ends(s);
	return took;
}

static void test_r18_a_fleet_comes_back_in_its_time(void **state)
{
	(void)state;
	for (uint64_t seed = 101; seed < 104; seed++) {
		assert_true(fleet_comes_back(seed, COMPONENT_CONFIG, 300, false) < 60 * SECOND);
		assert_true(fleet_comes_back(seed, COMPONENT_CODE, 2000, false) < 120 * SECOND);
	}
}

/* Without the question it takes as long as their reports come apart. */
static void test_old_agents_come_back_too(void **state)
{
	(void)state;
	assert_true(fleet_comes_back(104, COMPONENT_CONFIG, 300, true) < 4 * MINUTE);
}

/* ---- R16 ---- */

static bool is_at_work(const struct agent *a)
{
	for (size_t i = 0; i < a->place_count; i++)
		if (a->places[i].job.running)
			return true;
	return false;
}

/* Services of a fleet come back at once, from restore points on one storage that bears so many readers, while the
 * agents are restarted all together: never more (check.c), and all end; well, where the restart spares those at work
 * (one that is cut off in its work may take it back). */
struct shared {
	uint64_t seed;
	unsigned hosts, restores, services;
	bool sparing;
};

static void agents_restart(struct sim *s, bool sparing)
{
	for (unsigned i = 0; i < s->agent_count; i++)
		if (s->agents[i].up && !(sparing && is_at_work(&s->agents[i])))
			agent_crash(&s->agents[i]);
}

static struct sim *shared_begins(const struct shared *w)
{
	static const unsigned services[] = {BATCH, PORTAL}; /* on every second host, and on all but one */
	struct sim_options o = {.seed = w->seed,
	    .hosts = w->hosts,
	    .quiet_people = true,
	    .no_policy = true,
	    .short_deaths = true,
	    .probe_ms = 30 * SECOND,
	    .step_ms = 1000,
	    .storages = 1,
	    .restores = w->restores,
	    .verbose = getenv("KEDGE_SIM_VERBOSE") != NULL};
	struct sim *s = sim_new(&o);
	s->hub.control.config.recovery.fleet.proof_ms = SECOND;
	lives(s, MINUTE);
	for (unsigned i = 0; i < w->services; i++)
		faults_deploy(s, services[i], COMPONENT_CONFIG, false, w->hosts, 0);
	lives(s, 40 * SECOND); /* it is seen */
	for (unsigned i = 0; i < w->services; i++)
		people_roll_back_part(s, services[i], COMPONENT_CONFIG);
	for (int i = 0; i < 20 && count(s, &rollback_table, NULL) < w->services; i++) {
		lives(s, SECOND);
		people_approve(s);
	}
	assert_int_equal(count(s, &rollback_table, NULL), w->services);
	return s;
}

static void shared_storage(const struct shared *w)
{
	struct sim *s = shared_begins(w);
	for (unsigned k = 0; k < 200 && count(s, &rollback_table, rollback_open); k++) {
		lives(s, 5 * SECOND);
		if (k % 20 == 8)
			agents_restart(s, w->sparing);
	}
	print_message("%u hosts: at most %u restores at once\n", w->hosts, s->peak_restores);
	assert_int_equal(count(s, &rollback_table, rollback_open), 0);
	assert_true(s->peak_restores <= w->restores);
	if (w->sparing) {
		assert_int_equal(count(s, &rollback_table, rollback_good), w->services);
		assert_int_equal(s->peak_restores, w->restores); /* nor is it left idle */
	}
	ends(s);
}

static void test_r16_a_shared_storage_is_not_overrun(void **state)
{
	(void)state;
	for (uint64_t seed = 140; seed < 148; seed++)
		shared_storage(&(struct shared){seed, 30, 1 + (unsigned)seed % 4 * 2, 2, seed % 2 == 0});
}

static void test_r16_a_thousand_agents_restart(void **state)
{
	(void)state;
	shared_storage(&(struct shared){148, 1000, 60, 1, true});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_bad_change_heals_within_the_target),
	    cmocka_unit_test(test_the_same_seed_gives_the_same_trace),
	    cmocka_unit_test(test_p1_all_agents_silent_from_each_state),
	    cmocka_unit_test(test_p5_hosts_that_leave_mid_wave_make_no_work),
	    cmocka_unit_test(test_p14_no_command_is_lost_or_done_twice),
	    cmocka_unit_test(test_p21_a_thousand_agents_come_back),
	    cmocka_unit_test(test_p33_p34_one_cause_is_one_page_and_a_restart_is_none),
	    cmocka_unit_test(test_p33_silent_hosts_are_one_page),
	    cmocka_unit_test(test_p33_a_dependency_that_fails_is_one_page),
	    cmocka_unit_test(test_p33_a_dependency_that_hangs_is_one_page),
	    cmocka_unit_test(test_p33_a_dependency_whose_host_dies_is_one_page_soon),
	    cmocka_unit_test(test_a_fleet_that_alarms_is_not_asked_as_one),
	    cmocka_unit_test(test_p35_what_is_replayed_pages_nobody),
	    cmocka_unit_test(test_p61_a_restored_controller_commands_nothing),
	    cmocka_unit_test(test_p61_an_empty_controller_commands_nothing),
	    cmocka_unit_test(test_a_window_keeps_quiet_and_ends),
	    cmocka_unit_test(test_p40_a_window_over_a_live_page_stops_the_climb),
	    cmocka_unit_test(test_r18_a_fleet_comes_back_in_its_time),
	    cmocka_unit_test(test_old_agents_come_back_too),
	    cmocka_unit_test(test_r16_a_shared_storage_is_not_overrun),
	    cmocka_unit_test(test_r16_a_thousand_agents_restart),
	};
	cmocka_set_test_filter(getenv("KEDGE_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
