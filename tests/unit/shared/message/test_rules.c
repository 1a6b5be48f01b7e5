/* The rules over more than one field: each is broken once, alone. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "tests/unit/shared/message/samples.h"

static void expect(const struct record_type *t, const void *record, const char *words)
{
	struct err err = ERR_INIT;
	enum err_code rc = record_check(t, record, &err);

	if (!words) {
		if (rc != ERR_OK)
			fail_msg("%s: %s", t->name, err.msg);
		return;
	}
	if (rc == ERR_OK)
		fail_msg("%s: accepted, expected \"%s\"", t->name, words);
	assert_int_equal(rc, ERR_INVALID);
	if (!strstr(err.msg, words))
		fail_msg("%s: expected \"%s\" in \"%s\"", t->name, words, err.msg);
}

static void plans(void **state)
{
	const struct plan_host sorted[] = {
	    {.host = "a", .wave = 0, .snapshot = SAMPLE_ID(1)}, {.host = "b", .wave = 1, .snapshot = SAMPLE_ID(1)}};
	const struct plan_host reversed[] = {
	    {.host = "b", .wave = 0, .snapshot = SAMPLE_ID(1)}, {.host = "a", .wave = 1, .snapshot = SAMPLE_ID(1)}};
	const struct plan_host twice[] = {
	    {.host = "a", .wave = 0, .snapshot = SAMPLE_ID(1)}, {.host = "a", .wave = 1, .snapshot = SAMPLE_ID(1)}};
	const struct plan_host far[] = {{.host = "a", .wave = PLAN_WAVES_MAX, .snapshot = SAMPLE_ID(1)}};
	const struct plan_host bare[] = {{.host = "a"}};
	const struct plan good = {
	    .plan = SAMPLE_ID(1),
	    .rollback = SAMPLE_ID(2),
	    .kind = ORDER_UNDO,
	    .service = "portal",
	    .components = SAMPLE_LIST(uint32_t, COMPONENT_CONFIG),
	    .hosts = {(void *)sorted, 2},
	    .not_before_ms = SAMPLE_MS,
	    .expires_ms = SAMPLE_MS + PLAN_LIFETIME_MAX_MS,
	    .reason = "r",
	    .author = "a",
	};
	struct plan p = good;
	(void)state;

	expect(&plan_type, &p, NULL);
	p.hosts.items = (void *)reversed;
	expect(&plan_type, &p, "hosts[1]: a after b");
	p.hosts.items = (void *)twice;
	expect(&plan_type, &p, "stand there once");
	p.hosts = (struct list){(void *)far, 1};
	expect(&plan_type, &p, "hosts[0].wave");
	p = good;
	p.hosts.count = 0; /* never a plan for whoever happens to be there */
	expect(&plan_type, &p, "hosts");
	p = good;
	p.components.count = 0;
	expect(&plan_type, &p, "components");
	p.components = SAMPLE_LIST(uint32_t, COMPONENT_CODE, COMPONENT_CODE);
	expect(&plan_type, &p, "components[1]: code stands there twice");
	for (uint32_t kind = 0; kind < ORDER_KIND_COUNT; kind++) {
		p = good;
		p.kind = kind;
		expect(&plan_type, &p,
		    kind == ORDER_ROLLBACK || kind == ORDER_UNDO ? NULL
		    : kind == ORDER_ACTION                       ? "action: belongs to an action"
								 : "a plan is for a rollback, an undo or an action");
	}
	p = good;
	p.action = "restart"; /* it would be run beside what people read */
	expect(&plan_type, &p, "action: belongs to an action");
	p = good;
	p.first = "sweep";
	p.kind = ORDER_ROLLBACK;
	expect(&plan_type, &p, NULL);
	p.kind = ORDER_UNDO;
	expect(&plan_type, &p, "first: belongs to a rollback");
	p = good;
	p.action = "restart";
	p.kind = ORDER_ACTION;
	expect(&plan_type, &p, "components: belong to a rollback");
	p.components.count = 0;
	expect(&plan_type, &p, "hosts[0].snapshot: belongs to a rollback");
	p.hosts = (struct list){(void *)bare, 1};
	expect(&plan_type, &p, NULL);
	p.deep = true;
	expect(&plan_type, &p, "progressive, deep");
	p = good;
	p.expires_ms = p.not_before_ms;
	expect(&plan_type, &p, "is not after not_before_ms");
	p.expires_ms = p.not_before_ms + PLAN_LIFETIME_MAX_MS + 1;
	expect(&plan_type, &p, "at most a day");
}

static void orders(void **state)
{
	const struct approval approval = {"bob", "signature", SAMPLE_MS};
	const struct order rollback = {
	    .order = SAMPLE_ID(3),
	    .kind = ORDER_ROLLBACK,
	    .epoch = 1,
	    .issued_ms = SAMPLE_MS,
	    .expires_ms = SAMPLE_MS + 1,
	    .run_limit_ms = 1,
	    .host = "web-1",
	    .service = "portal",
	    .issuer = "alice",
	    .snapshot = SAMPLE_ID(4),
	    .components = SAMPLE_LIST(uint32_t, COMPONENT_CONFIG),
	};
	struct order o = rollback;
	(void)state;

	/* Without a plan it is well formed, and the host refuses it with a reason. */
	expect(&order_type, &o, NULL);
	o.snapshot = (struct id){0};
	expect(&order_type, &o, "snapshot: rollback needs one");
	o = rollback;
	o.components.count = 0;
	expect(&order_type, &o, "components: a changing order names them");
	o = rollback;
	o.expires_ms = o.issued_ms;
	expect(&order_type, &o, "expires_ms");
	o = rollback;
	o.undo_of = SAMPLE_ID(5);
	expect(&order_type, &o, "undo_of");
	o.kind = ORDER_UNDO;
	expect(&order_type, &o, NULL);
	o.undo_of = (struct id){0};
	expect(&order_type, &o, "undo_of");
	o = rollback;
	o.epoch = 0;
	expect(&order_type, &o, "epoch");
	o = rollback;
	o.kind = ORDER_VERIFY;
	expect(&order_type, &o, NULL);
	o.snapshot = (struct id){0};
	expect(&order_type, &o, "snapshot: verify needs one");
	o = sample_order;
	expect(&order_type, &o, NULL);
	o.approvals = (struct list){(void *)&approval, 1};
	expect(&order_type, &o, "belong to a rollback, an undo or an action");
}

static void policies(void **state)
{
	const char *names[] = {"portal"};
	const struct policy good = {
	    .name = "config-only",
	    .services = {names, 1},
	    .components = SAMPLE_LIST(uint32_t, COMPONENT_CONFIG),
	    .least_confidence = 1,
	    .max_hosts = 1,
	    .max_per_hour = 1,
	    .expires_ms = SAMPLE_MS,
	    .reason = "r",
	};
	struct policy p = good;
	(void)state;

	expect(&policy_type, &p, NULL);
	p.least_confidence = 1.01;
	expect(&policy_type, &p, "least_confidence");
	p.least_confidence = -0.01;
	expect(&policy_type, &p, "least_confidence");
	p.least_confidence = 0.0 / 0.0;
	expect(&policy_type, &p, "least_confidence");
	p = good;
	p.max_hosts = 0;
	expect(&policy_type, &p, "max_hosts");
	p = good;
	p.services.count = 0;
	expect(&policy_type, &p, "services");
	p = good;
	p.components = SAMPLE_LIST(uint32_t, COMPONENT_DATA, COMPONENT_DATA);
	expect(&policy_type, &p, "twice");
}

static void reports(void **state)
{
	static const struct health_report health = {.service = "portal"};
	static const struct host_report host = {.lagging = true};
	static const struct log_report log = {.service = "portal", .source = "/var/log/x.log"};
	static const struct drift_report drift = {.service = "portal"};
	static const struct snapshot_report snapshot = {.snapshot = SAMPLE_ID(1), .service = "portal"};
	static const struct order_report order = {.order = SAMPLE_ID(1), .service = "portal"};
	static const struct drill_report drill = {.service = "portal"};
	const struct report empty = {.sequence = 1, .at_ms = SAMPLE_MS};
	const void *bodies[] = {&health, &host, &log, &drift, &snapshot, &order, &sample_notice, &drill};
	const char *names[] = {"health", "host", "log", "drift", "snapshot", "order", "notice", "drill"};
	(void)state;

	expect(&report_type, &empty, "exactly one body, this one has 0");
	for (unsigned i = 0; i < 8; i++)
		for (unsigned k = 0; k < 8; k++) {
			struct report r = empty;
			memcpy((char *)&r + record_field(&report_type, names[i])->offset, &bodies[i], sizeof(void *));
			memcpy((char *)&r + record_field(&report_type, names[k])->offset, &bodies[k], sizeof(void *));
			expect(&report_type, &r, i == k ? NULL : "exactly one body, this one has 2");
		}
	struct report r = sample_report;
	r.sequence = 0;
	expect(&report_type, &r, "sequence");
	/* one that stands for reports which were dropped */
	struct report dropped = {.sequence = 7, .through = 7, .at_ms = SAMPLE_MS};
	expect(&report_type, &dropped, NULL);
	dropped.through = UINT64_MAX;
	expect(&report_type, &dropped, NULL);
	dropped.through = 6;
	expect(&report_type, &dropped, "expected the sequence or more");
	dropped.through = 8;
	dropped.notice = &sample_notice;
	expect(&report_type, &dropped, "have no body");
}

static void order_reports(void **state)
{
	struct component_point points[2] = {
	    {.component = COMPONENT_DATA, .digest = {{1}}}, {.component = COMPONENT_CODE, .digest = {{2}}}};
	struct order_report r = {.order = SAMPLE_ID(1),
	    .kind = ORDER_ROLLBACK,
	    .service = "portal",
	    .outcome = ORDER_OK,
	    .components = {points, 2}};
	struct order_step step = {.kind = STEP_STOP, .component = COMPONENT_DATA};
	(void)state;

	expect(&order_report_type, &r, "ok without healthy probes");
	r.healthy = true;
	expect(&order_report_type, &r, NULL);
	r.healthy = false;
	r.kind = ORDER_SNAPSHOT; /* changes nothing: its success says nothing about health */
	expect(&order_report_type, &r, NULL);
	r.kind = ORDER_ROLLBACK;
	for (uint32_t outcome = 0; outcome < ORDER_OUTCOME_COUNT; outcome++) {
		r.outcome = outcome;
		expect(&order_report_type, &r, outcome == ORDER_OK ? "ok without healthy probes" : NULL);
	}
	points[1].component = COMPONENT_DATA;
	expect(&order_report_type, &r, "data stands there twice");
	expect(&order_step_type, &step, "has_component");
	step.has_component = true;
	expect(&order_step_type, &step, NULL);

	struct snapshot_report s = {.snapshot = SAMPLE_ID(1), .service = "portal", .error = "disk full"};
	expect(&snapshot_report_type, &s, NULL);
	s.verified = true;
	expect(&snapshot_report_type, &s, "neither verified nor removed");
	s.verified = false;
	s.removed = true;
	expect(&snapshot_report_type, &s, "neither verified nor removed");
}

static void hellos(void **state)
{
	struct declared_service services[2] = {{.name = "portal"}, {.name = "records-db"}};
	struct hello h = sample_hello;
	(void)state;

	h.services = (struct list){services, 2};
	expect(&hello_type, &h, NULL);
	services[1].name = "portal";
	expect(&hello_type, &h, "services[1]: portal stands there twice");
	h = sample_hello;
	h.version_least = 2;
	expect(&hello_type, &h, "version_least: 2 is above version 1");
	h = sample_hello;
	h.first_sequence = 4;
	expect(&hello_type, &h, "first_sequence");
	h.last_sequence = 3;
	expect(&hello_type, &h, "first_sequence");
	h.last_sequence = 4;
	expect(&hello_type, &h, NULL);
	h.first_sequence = 0;
	expect(&hello_type, &h, "first_sequence");

	services[0].automatic = SAMPLE_LIST(uint32_t, COMPONENT_CODE);
	expect(&declared_service_type, &services[0], "does not have");
	services[0].components = SAMPLE_LIST(uint32_t, COMPONENT_CONFIG, COMPONENT_CODE);
	expect(&declared_service_type, &services[0], NULL);
	services[0].components = SAMPLE_LIST(uint32_t, COMPONENT_CODE, COMPONENT_CODE);
	expect(&declared_service_type, &services[0], "twice");
}

static void small_ones(void **state)
{
	struct progress p = sample_progress;
	struct certificate c = {0};
	(void)state;

	p.percent = 100;
	expect(&progress_type, &p, NULL);
	p.percent = 100.5;
	expect(&progress_type, &p, "percent");
	p.percent = -1;
	expect(&progress_type, &p, "percent");
	p.percent = 0.0 / 0.0;
	expect(&progress_type, &p, "percent");
	expect(&certificate_type, &c, "exactly one of chain and error");
	c.chain = "pem";
	expect(&certificate_type, &c, NULL);
	c.error = "no";
	expect(&certificate_type, &c, "exactly one of chain and error");
	c.chain = NULL;
	expect(&certificate_type, &c, NULL);
}

/* Names stand in stores and scripts: they are written down here a second time. */
static void names_are_stable(void **state)
{
	static const struct {
		const struct enum_type *type;
		const char *names;
	} all[] = {
	    {&component_enum, "config code data database"},
	    {&health_enum, "UNKNOWN HEALTHY DEGRADED DOWN MAINTENANCE"},
	    {&probe_state_enum, "unknown ok warning critical"},
	    {&probe_tier_enum, "shallow deep full"},
	    {&severity_enum, "low medium high critical"},
	    {&log_severity_enum, "none debug info warning error fatal"},
	    {&snapshot_reason_enum, "scheduled manual emergency safety"},
	    {&order_kind_enum, "rollback undo snapshot verify probe action"},
	    {&order_outcome_enum,
		"open ok ok_with_exceptions reverted failed_dirty refused expired cancelled unreachable"},
	    {&step_kind_enum, "plan stage safety check stop restore start verify undo action"},
	    {&importance_enum, "result event health metric"},
	    {&frame_type_enum,
		"hello report progress certificate_request welcome ack order cancel certificate halt bye look"},
	    {&bye_reason_enum, "shutdown malformed too_large unknown_type wrong_identity duplicate_identity revoked "
			       "version overload out_of_order"},
	};
	(void)state;

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		char got[256] = "";
		for (uint32_t v = 0; v < all[i].type->count; v++)
			snprintf(
			    got + strlen(got), sizeof got - strlen(got), "%s%s", v ? " " : "", all[i].type->names[v]);
		assert_string_equal(got, all[i].names);
	}
}

/* Texts that a host wrote are marked, so that they are redacted twice and shown with care. */
static void host_texts_are_marked(void **state)
{
	static const struct {
		const struct record_type *type;
		const char *field;
	} marked[] = {
	    {&probe_result_type, "text"},
	    {&metric_type, "name"},
	    {&log_template_type, "template_text"},
	    {&log_template_type, "sample"},
	    {&drift_report_type, "paths"},
	    {&snapshot_report_type, "error"},
	    {&order_step_type, "text"},
	    {&order_report_type, "text"},
	    {&notice_report_type, "text"},
	    {&progress_type, "text"},
	};
	(void)state;

	for (unsigned i = 0; i < sizeof marked / sizeof marked[0]; i++)
		assert_true(record_field(marked[i].type, marked[i].field)->flags & FIELD_PHI);
}

/* No type lets a peer choose how much it takes, and every record of the folder is registered. */
static void everything_is_bounded_and_listed(void **state)
{
	(void)state;
	for (unsigned i = 0; message_types[i]; i++)
		for (uint32_t k = 0; k < message_types[i]->field_count; k++) {
			const struct field *f = &message_types[i]->fields[k];
			bool sized = f->kind == FIELD_STRING || f->kind == FIELD_BYTES || f->kind == FIELD_LIST ||
				     f->kind == FIELD_JSON;
			if (sized && !f->max)
				fail_msg("%s.%s has no limit", message_types[i]->name, f->name);
			if (!f->doc || !*f->doc)
				fail_msg("%s.%s has no documentation", message_types[i]->name, f->name);
			if (!f->type)
				continue;
			unsigned at = 0;
			while (message_types[at] && message_types[at] != f->type)
				at++;
			if (!message_types[at])
				fail_msg("%s is not in message_types", f->type->name);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plans),
	    cmocka_unit_test(orders),
	    cmocka_unit_test(policies),
	    cmocka_unit_test(reports),
	    cmocka_unit_test(order_reports),
	    cmocka_unit_test(hellos),
	    cmocka_unit_test(small_ones),
	    cmocka_unit_test(names_are_stable),
	    cmocka_unit_test(host_texts_are_marked),
	    cmocka_unit_test(everything_is_bounded_and_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
