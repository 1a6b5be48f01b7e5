/* tests/lib/chain_world.h: the whole chain on a small fleet: portal on web-1 and web-2 leans on records-db on db-1; ada
 * runs things, bo and cy approve.  Hosts say what a test has them say. */
#ifndef KEDGE_TESTS_LIB_CHAIN_WORLD_H
#define KEDGE_TESTS_LIB_CHAIN_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/control/control.h"
#include "tests/lib/signer/signer.h"
#include "tests/lib/unit.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
static const uint64_t chain_begin_ms = 1700000000000;

static struct signer *chain_bo, *chain_cy;
static inline int chain_signers(void **state)
{
	(void)state;
	chain_bo = signer_new(SSH_KEY_ED25519, "bo");
	chain_cy = signer_new(SSH_KEY_ECDSA_P256, "cy");
	return 0;
}
static inline int chain_signers_end(void **state)
{
	(void)state;
	signer_free(chain_bo);
	signer_free(chain_cy);
	return 0;
}

struct chain {
	struct control c;
	struct arena *arena; /* of what a test keeps */
	struct id good[3];   /* restore points of web-1, web-2, db-1 */
};
static const char *const chain_hosts[] = {"web-1", "web-2", "db-1"};
static uint32_t chain_components[] = {COMPONENT_CONFIG, COMPONENT_CODE};

static inline struct declared_service chain_service(const char *name)
{
	static const char *leans[] = {"records-db"};
	bool portal = strcmp(name, "portal") == 0;
	return (struct declared_service){.name = name,
	    .components = {chain_components, 2},
	    .automatic = {chain_components, 2},
	    .depends_on = {leans, portal},
	    .probes = 1};
}

static inline bool chain_hello(struct chain *w, const char *host, uint8_t boot)
{
	struct declared_service s = chain_service(strncmp(host, "web", 3) == 0 ? "portal" : "records-db");
	return control_hello(&w->c, host, boot, &s, 1);
}

static inline const char *chain_service_of(const char *host)
{
	return strncmp(host, "web", 3) == 0 ? "portal" : "records-db";
}

static inline bool says(struct chain *w, const char *host, enum probe_state s)
{
	struct probe_result r = {.probe = "http",
	    .state = s,
	    .settled = s,
	    .at_ms = w->c.now_ms,
	    .since_ms = w->c.now_ms,
	    .text = "said the probe"};
	struct health_report h = {.service = chain_service_of(host), .results = {&r, 1}, .changed = true};
	return control_report(&w->c, host, (struct report){.importance = IMPORTANCE_HEALTH, .health = &h});
}

static inline struct id takes_snapshot(struct chain *w, const char *host, uint8_t generation)
{
	struct component_point points[] = {{.component = COMPONENT_CONFIG, .digest = {{generation + 1}}, .entries = 1},
	    {.component = COMPONENT_CODE, .digest = {{1, 1}}, .entries = 1}};
	struct snapshot_report r = {.snapshot = id_new(w->c.now_ms, &w->c.random),
	    .service = chain_service_of(host),
	    .reason = SNAPSHOT_SCHEDULED,
	    .taken_ms = w->c.now_ms,
	    .components = {points, 2},
	    .verified = true};
	assert_true(control_report(&w->c, host, (struct report){.importance = IMPORTANCE_EVENT, .snapshot = &r}));
	return r.snapshot;
}

static inline void drifts_since(struct chain *w, int host, enum component which, uint64_t changed, uint64_t since_ms)
{
	static const char *path = "sites/portal.conf";
	struct drift_report d = {.service = chain_service_of(chain_hosts[host]),
	    .component = which,
	    .snapshot = w->good[host],
	    .changed = changed,
	    .newest_change_ms = changed ? since_ms : 0,
	    .digest = {{(uint8_t)(which + 1), (uint8_t)changed}},
	    .paths = {&path, changed ? 1 : 0}};
	assert_true(
	    control_report(&w->c, chain_hosts[host], (struct report){.importance = IMPORTANCE_EVENT, .drift = &d}));
}

static inline void drifts(struct chain *w, int host, enum component which, uint64_t changed)
{
	drifts_since(w, host, which, changed, w->c.now_ms);
}

/* The last step that it tells of, which went well with the order; VERIFY: a rollback that was looked at. */
static inline bool answers_after(
    struct chain *w, const char *host, struct id order, enum order_outcome outcome, bool match, enum step_kind last)
{
	struct order_step step = {.kind = last, .began_ms = w->c.now_ms, .ok = outcome != ORDER_REVERTED};
	struct order_report r = {.order = order,
	    .kind = ORDER_ROLLBACK,
	    .service = chain_service_of(host),
	    .outcome = outcome,
	    .at_ms = w->c.now_ms,
	    .steps = {&step, 1},
	    .digests_match = match,
	    .healthy = match};
	return control_report(&w->c, host, (struct report){.importance = IMPORTANCE_RESULT, .order = &r});
}
static inline bool answers(struct chain *w, const char *host, struct id order, enum order_outcome outcome, bool match)
{
	return answers_after(w, host, order, outcome, match, STEP_VERIFY);
}

/* Everybody lives on for that long: a health report of every host each ten seconds. */
static inline void everybody_well(struct chain *w, uint64_t for_ms)
{
	uint64_t end = w->c.now_ms + for_ms;
	while (w->c.now_ms < end) {
		control_until(&w->c, w->c.now_ms + 10 * SECOND < end ? w->c.now_ms + 10 * SECOND : end);
		for (int i = 0; i < 3; i++)
			says(w, chain_hosts[i], PROBE_OK);
		control_settle(&w->c);
	}
}

static inline void chain_open(struct chain *w)
{
	static uint32_t admin[] = {ROLE_ADMIN, ROLE_RESPONDER}, approver[] = {ROLE_APPROVER, ROLE_RESPONDER},
			viewer[] = {ROLE_VIEWER};
	const char *keys[] = {signer_line(chain_bo), signer_line(chain_cy)};
	struct operator people[] = {
	    {.name = "ada", .roles = {admin, 2}},
	    {.name = "bo", .roles = {approver, 2}, .keys = {&keys[0], 1}},
	    {.name = "cy", .roles = {approver, 2}, .keys = {&keys[1], 1}},
	    {.name = "eve", .roles = {viewer, 1}},
	};
	struct list operators = {people, 4};
	control_open(&w->c, 1, chain_begin_ms, &operators);
	w->arena = arena_new(0);
	control_boot(&w->c);
	for (int i = 0; i < 3; i++) {
		assert_true(chain_hello(w, chain_hosts[i], (uint8_t)(i + 1)));
		assert_true(says(w, chain_hosts[i], PROBE_OK));
	}
	w->c.now_ms += SECOND;
	for (int i = 0; i < 3; i++)
		w->good[i] = takes_snapshot(w, chain_hosts[i], 0);
	everybody_well(w, 6 * MINUTE);
	w->c.config.administrators.count = 0; /* the list stood on this stack */
}

static inline void chain_close(struct chain *w)
{
	arena_free(w->arena);
	control_close(&w->c);
}

/* ---- operators ---- */

static inline enum err_code asks(
    struct chain *w, const char *who, const char *noun, const char *verb, const struct request_args *a)
{
	struct buf body = BUF_INIT;
	struct err err = ERR_INIT;
	if (record_to_json(&request_args_type, a, RECORD_WITH_SECRETS, &body, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	enum err_code rc = control_request(&w->c, who, noun, verb, buf_str(&body));
	buf_done(&body);
	return rc;
}
#define asked_ok(W, WHO, NOUN, VERB, ...)                                                                              \
	do {                                                                                                           \
		struct request_args args_ = {__VA_ARGS__};                                                             \
		if (asks(W, WHO, NOUN, VERB, &args_) != ERR_OK)                                                        \
			fail_msg("%s %s: %s", NOUN, VERB, buf_str(&(W)->c.reply_text));                                \
	} while (0)
#define asked_no(CODE, W, WHO, NOUN, VERB, ...)                                                                        \
	do {                                                                                                           \
		struct request_args args_ = {__VA_ARGS__};                                                             \
		enum err_code code_ = asks(W, WHO, NOUN, VERB, &args_);                                                \
		if (code_ != (CODE))                                                                                   \
			fail_msg("%s %s: %s, wanted %s: %s", NOUN, VERB, err_code_name(code_), err_code_name(CODE),    \
			    buf_str(&(W)->c.reply_text));                                                              \
	} while (0)

static const char chain_policy[] =
    "name: night\nservices: [portal, records-db, \"s*\"]\ncomponents: [config, code]\nleast_severity: high\n"
    "least_confidence: 0.5\nmax_hosts: 5\nmax_per_hour: 5\ncool_down: 1m\n"
    "expires: 2033-01-01T00:00:00Z\nreason: tested last week\n";

static inline void policy_stands(struct chain *w)
{
	char *text = signer_sign(chain_bo, APPROVAL_NAMESPACE_POLICY, true, chain_policy, strlen(chain_policy));
	const char *one = text;
	asked_ok(w, "ada", "policy", "install", .document = {(const uint8_t *)chain_policy, strlen(chain_policy)},
	    .signatures = {&one, 1});
	free(text);
}

/* ---- looking ---- */

static inline void *last_of(struct chain *w, const struct table *table)
{
	struct control_look look;
	struct turn *t = control_look(&w->c, &look);
	struct err err = ERR_INIT;
	struct turn_scan scan;
	bool found = false;
	char *record = arena_alloc(look.arena, table->type->size), *kept = arena_alloc(w->arena, table->type->size);
	assert_int_equal(turn_scan_key(t, table, NULL, 0, true, &scan, &err), ERR_OK);
	assert_int_equal(turn_scan_next(&scan, record, &found, &err), ERR_OK);
	turn_scan_done(&scan);
	if (found)
		assert_int_equal(record_copy(table->type, record, w->arena, kept, &err), ERR_OK);
	control_look_end(&look);
	return found ? kept : NULL;
}

static inline struct incident *incident_last(struct chain *w)
{
	return last_of(w, &incident_table);
}
static inline struct diagnosis *diagnosis_last(struct chain *w)
{
	return last_of(w, &diagnosis_table);
}
static inline struct change *change_last(struct chain *w)
{
	return last_of(w, &change_table);
}
static inline struct rollback *rollback_last(struct chain *w)
{
	return last_of(w, &rollback_table);
}

static inline size_t count_of(struct chain *w, const struct table *table)
{
	struct control_look look;
	struct turn *t = control_look(&w->c, &look);
	struct err err = ERR_INIT;
	struct turn_scan scan;
	bool found = true;
	size_t n = 0;
	char *record = arena_alloc(look.arena, table->type->size);
	assert_int_equal(turn_scan_key(t, table, NULL, 0, false, &scan, &err), ERR_OK);
	for (; found; n += found)
		assert_int_equal(turn_scan_next(&scan, record, &found, &err), ERR_OK);
	turn_scan_done(&scan);
	control_look_end(&look);
	return n;
}

/* Notifications of an event that were really sent, each climb of the levels counted once. */
static inline size_t pages(struct chain *w, enum notify_event event)
{
	struct control_look look;
	struct turn *t = control_look(&w->c, &look);
	struct err err = ERR_INIT;
	struct turn_scan scan;
	struct notification n;
	bool found = true;
	size_t count = 0;
	assert_int_equal(turn_scan_key(t, &notification_table, NULL, 0, false, &scan, &err), ERR_OK);
	while (found) {
		assert_int_equal(turn_scan_next(&scan, &n, &found, &err), ERR_OK);
		count +=
		    found && n.event == (uint32_t)event && n.state == NOTIFICATION_SENT && n.level == 0 && n.round == 0;
	}
	turn_scan_done(&scan);
	control_look_end(&look);
	return count;
}

/* Is there an entry of the audit trail with that action and outcome? */
static inline size_t audited(struct chain *w, const char *action, enum audit_outcome outcome)
{
	struct control_look look;
	struct turn *t = control_look(&w->c, &look);
	struct err err = ERR_INIT;
	struct turn_scan scan;
	struct audit_entry e;
	bool found = true;
	size_t count = 0;
	assert_int_equal(turn_scan_key(t, &audit_table, NULL, 0, false, &scan, &err), ERR_OK);
	while (found) {
		assert_int_equal(turn_scan_next(&scan, &e, &found, &err), ERR_OK);
		count += found && strcmp(e.action, action) == 0 && e.outcome == (uint32_t)outcome;
	}
	turn_scan_done(&scan);
	control_look_end(&look);
	return count;
}

static inline struct id order_out(struct chain *w, const char *host)
{
	struct frame f;
	assert_true(control_last(&w->c, host, FRAME_ORDER, w->arena, &f));
	return f.order->order;
}

/* Somebody breaks the configuration of that host, and its probe sees it. */
static inline void breaks(struct chain *w, int host)
{
	drifts(w, host, COMPONENT_CONFIG, 1);
	w->c.now_ms += SECOND;
	says(w, chain_hosts[host], PROBE_CRITICAL);
	control_settle(&w->c);
}

/* As breaks, where no policy stands: a person is asked once the first evidence had its time. */
static inline void breaks_for_people(struct chain *w, int host)
{
	breaks(w, host);
	control_until(&w->c, w->c.now_ms + SECOND);
}

/* The host does its order, and is well again, and stays so past the bake. */
static inline void comes_back(struct chain *w, int host)
{
	struct id order = order_out(w, chain_hosts[host]);
	assert_true(answers(w, chain_hosts[host], order, ORDER_OPEN, false));
	w->c.now_ms += SECOND;
	assert_true(answers(w, chain_hosts[host], order, ORDER_OK, true));
	drifts(w, host, COMPONENT_CONFIG, 0);
	says(w, chain_hosts[host], PROBE_OK);
	everybody_well(w, 30 * SECOND);
}

#endif
