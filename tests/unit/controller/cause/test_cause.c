#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cause/cause.h"
#include "controller/cause/model.h"

enum { ROWS = 40 };

static struct cause *make(void)
{
	struct cause *c;
	struct err err;
	assert_int_equal(cause_new(&c, &err), ERR_OK);
	return c;
}

/* A series that wavers around `before`, and around `during` while the fault is. */
static void series(struct cause *c, const char *service, const char *metric, double before, double during)
{
	double b[ROWS], d[ROWS];
	struct err err;
	for (int i = 0; i < ROWS; i++) {
		double waver = 1 + 0.01 * (i % 5 - 2);
		b[i] = before * waver;
		d[i] = during * waver;
	}
	assert_int_equal(
	    cause_series_add(c, &(struct cause_series){service, metric, b, ROWS, NULL, 0, d, ROWS}, &err), ERR_OK);
}

static void calls(struct cause *c, const char *caller, const char *callee)
{
	struct err err;
	assert_int_equal(cause_calls(c, caller, callee, &err), ERR_OK);
}

static struct cause_verdict end(struct cause *c)
{
	struct cause_verdict v;
	struct err err;
	assert_int_equal(cause_conclude(c, &v, &err), ERR_OK);
	for (size_t i = 0; i < v.count; i++)
		assert_true(isfinite(v.ranked[i].score) && (!i || v.ranked[i - 1].score >= v.ranked[i].score));
	assert_true(v.confidence >= 0 && v.confidence <= 1);
	return v;
}

static void expect_first(struct cause *c, const char *service)
{
	struct cause_verdict v = end(c);
	assert_string_equal(v.ranked[0].service, service);
	assert_false(v.abstained);
	cause_free(c);
}

/* ---- metrics ---- */

static void metrics_by_their_words(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum cause_class class;
		bool outward;
	} examples[] = {
	    {"PodServerLatencyP90(s)", CAUSE_LATENCY, false},
	    {"client_latency_p99", CAUSE_LATENCY, true},
	    {"http-request-duration-seconds", CAUSE_LATENCY, false},
	    {"http_request_duration_seconds_count", CAUSE_TRAFFIC, false},
	    {"lat_50", CAUSE_LATENCY, false},
	    {"latency-90", CAUSE_LATENCY, false},
	    {"error", CAUSE_ERRORS, false},
	    {"request_errors_total", CAUSE_ERRORS, false},
	    {"http_5xx", CAUSE_ERRORS, false},
	    {"SuccessRate(%)", CAUSE_SUCCESS, false},
	    {"availability.Average", CAUSE_SUCCESS, false},
	    {"container-cpu-usage-seconds-total", CAUSE_CPU, false},
	    {"CpuUsage(m)", CAUSE_CPU, false},
	    {"mem", CAUSE_MEMORY, false},
	    {"memory_working_set_bytes", CAUSE_MEMORY, false},
	    {"diskio", CAUSE_DISK, false},
	    {"fs-reads-total", CAUSE_DISK, false},
	    {"SyscallRead", CAUSE_DISK, false},
	    {"NetworkReceiveBytes", CAUSE_NETWORK, false},
	    {"socket", CAUSE_NETWORK, false},
	    {"PodWorkload(Ops)", CAUSE_TRAFFIC, false},
	    {"requests.Sum", CAUSE_TRAFFIC, false},
	    /* units tell what is timed, unless it is a resource; "per" makes a rate of them */
	    {"http_server_requests_seconds_max", CAUSE_LATENCY, false},
	    {"http_server_requests_seconds_count", CAUSE_TRAFFIC, false},
	    {"transaction.time.ms.mean", CAUSE_LATENCY, false},
	    {"requests_per_second", CAUSE_TRAFFIC, false},
	    {"transactions.per.min", CAUSE_TRAFFIC, false},
	    {"system.processor.time", CAUSE_CPU, false},
	    {"UpstreamResponseTime", CAUSE_LATENCY, true},
	    {"HealthyRequestPercentage", CAUSE_SUCCESS, false},
	    {"HTTPCode_2XX_Percent", CAUSE_SUCCESS, false},
	    {"HTTPCode_Target_5XX_Count", CAUSE_ERRORS, false},
	    {"requests_success_total", CAUSE_TRAFFIC, false}, /* a number, not a share */
	    {"ok_rate", CAUSE_SUCCESS, false},
	    {"ram.used", CAUSE_MEMORY, false},
	    {"temperature", CAUSE_OTHER, false},
	    {"remember", CAUSE_OTHER, false},
	    {"platform", CAUSE_OTHER, false},
	    {"", CAUSE_OTHER, false},
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
		struct cause_meaning m = cause_meaning_of(examples[i].name);
		if (m.class != examples[i].class || m.outward != examples[i].outward)
			fail_msg("%s: %s", examples[i].name, cause_class_name(m.class));
	}
}

static void what_moved_most_beyond_its_own_spread(void **state)
{
	(void)state;
	struct cause *c = make();
	series(c, "a", "cpu", 10, 11);
	series(c, "b", "cpu", 0.1, 0.9); /* little in all, much for it */
	series(c, "d", "memory", 1e9, 1.3e9);
	expect_first(c, "b");
}

static void quiet_is_unknown(void **state)
{
	(void)state;
	struct cause *c = make();
	series(c, "a", "cpu", 10, 10);
	series(c, "b", "latency", 2, 2);
	struct cause_verdict v = end(c);
	assert_int_equal(v.count, 2); /* ranked all the same */
	assert_true(v.abstained && v.confidence > 0 && v.confidence <= cause_confidence(0, 0.05));
	cause_free(c);
}

static void of_equals_the_one_that_moved_a_little(void **state)
{
	(void)state;
	struct cause *c = make();
	series(c, "a", "cpu", 10, 10);
	series(c, "b", "cpu", 10, 10.6); /* within what is usual */
	struct cause_verdict v = end(c);
	assert_true(v.abstained);
	assert_string_equal(v.ranked[0].service, "b");
	cause_free(c);
}

static void a_series_that_ended(void **state)
{
	(void)state;
	struct cause *c = make();
	double b[ROWS], d[ROWS];
	struct err err;
	for (int i = 0; i < ROWS; i++) {
		b[i] = 5 + i % 3;
		d[i] = NAN;
	}
	assert_int_equal(
	    cause_series_add(c, &(struct cause_series){"dead", "cpu", b, ROWS, NULL, 0, d, ROWS}, &err), ERR_OK);
	series(c, "alive", "cpu", 10, 14);
	expect_first(c, "dead");
}

static void counters_by_their_steps(void **state)
{
	(void)state;
	struct cause *c = make();
	double b[ROWS], d[ROWS];
	struct err err;
	for (int i = 0; i < ROWS; i++) { /* grows as it always did */
		b[i] = 10 + 100 * i;
		d[i] = 10 + 100 * (ROWS + i);
	}
	assert_int_equal(
	    cause_series_add(c, &(struct cause_series){"steady", "cpu_seconds_total", b, ROWS, NULL, 0, d, ROWS}, &err),
	    ERR_OK);
	assert_true(end(c).abstained);
	cause_free(c);
}

static void values_that_are_none(void **state)
{
	(void)state;
	static const double odd[] = {NAN, INFINITY, -INFINITY, 0, 1e308, -1e308, 5e-324};
	double b[ROWS], d[ROWS];
	struct err err;
	for (unsigned round = 0; round < 300; round++) {
		struct cause *c = make();
		for (unsigned s = 0; s < 4; s++) {
			static const char *const metrics[] = {"cpu", "latency", "success", "requests_total"};
			for (unsigned i = 0; i < ROWS; i++) {
				b[i] = odd[(round * 7 + i * (s + 1)) % 7];
				d[i] = odd[(round * 3 + i * i + s) % 7];
			}
			struct cause_series one = {"x", metrics[s], b, round % ROWS, d, round % 3, d, round * 5 % ROWS};
			assert_int_equal(cause_series_add(c, &one, &err), ERR_OK);
			one.service = "y";
			assert_int_equal(cause_series_add(c, &one, &err), ERR_OK);
		}
		calls(c, "x", "y");
		calls(c, "y", "x");
		(void)end(c);
		cause_free(c);
	}
}

static void a_callee_explains_its_callers(void **state)
{
	(void)state;
	struct cause *c = make();
	series(c, "front", "cpu", 10, 10);
	series(c, "front", "error_rate", 0.01, 0.5);
	series(c, "back", "error_rate", 0.01, 0.45);
	series(c, "back", "cpu", 10, 10);
	calls(c, "front", "back");
	calls(c, "back", "store");
	expect_first(c, "back");
}

static void what_all_callers_wait_for(void **state)
{
	(void)state;
	struct cause *c = make();
	calls(c, "a", "shared");
	calls(c, "b", "shared");
	calls(c, "a", "other");
	calls(c, "b", "third");
	calls(c, "quiet", "other");
	calls(c, "quiet", "third");
	series(c, "a", "client_latency", 1, 9);
	series(c, "b", "client_latency", 1, 8);
	series(c, "quiet", "client_latency", 1, 1);
	expect_first(c, "shared");
}

/* ---- flow ---- */

static void service(struct cause *c, const char *name, double requests, double latency, double slow, double good)
{
	series(c, name, "latency.Average", latency, slow);
	series(c, name, "availability", 100, good);
	series(c, name, "requests", requests, requests);
}

static void chain(struct cause *c)
{
	struct err err;
	calls(c, "site", "search");
	calls(c, "site", "seldom");
	calls(c, "search", "store");
	calls(c, "store", "site"); /* a cycle */
	assert_int_equal(cause_alert(c, "site", "latency.p99", &err), ERR_OK);
}

static void the_leaf_that_is_slow(void **state)
{
	(void)state;
	struct cause *c = make();
	service(c, "site", 100, 0.1, 0.5, 100);
	service(c, "search", 200, 0.05, 0.25, 100);
	service(c, "store", 200, 0.01, 0.21, 100);
	service(c, "seldom", 1, 0.01, 3, 100); /* the slowest, and of no account */
	chain(c);
	expect_first(c, "store");
}

/* Whoever alarms for what nobody can read has metrics that nobody can read. */
static void an_alarm_of_no_meaning_makes_nobody_sure(void **state)
{
	(void)state;
	for (int readable = 0; readable < 2; readable++) {
		struct cause *c = make();
		struct err err;
		service(c, "site", 100, 0.1, 0.5, 100);
		service(c, "search", 200, 0.05, 0.25, 100);
		service(c, "store", 200, 0.01, 9, 100);
		calls(c, "site", "search");
		calls(c, "search", "store");
		assert_int_equal(cause_alert(c, "site", readable ? "latency" : "bimavo", &err), ERR_OK);
		struct cause_verdict v = end(c);
		assert_string_equal(v.ranked[0].service, "store");
		assert_int_equal(v.confidence > 0.9, readable);
		cause_free(c);
	}
}

static void the_one_between_that_is_slow_itself(void **state)
{
	(void)state;
	struct cause *c = make();
	service(c, "site", 100, 0.1, 0.5, 100);
	service(c, "search", 200, 0.05, 0.25, 100);
	service(c, "store", 200, 0.01, 0.012, 100);
	service(c, "seldom", 1, 0.01, 3, 100);
	chain(c);
	expect_first(c, "search");
}

/* Few requests are slow, and no mean tells: only the highest quantile of the store rose, as that of its caller. */
static void by_quantiles_where_no_mean_is(void **state)
{
	(void)state;
	struct cause *c = make();
	static const char *const names[] = {"site", "search", "store", "seldom"};
	for (int i = 0; i < 4; i++) {
		series(c, names[i], "latency.p50", 0.02, 0.02);
		series(c, names[i], "latency.p90", 0.03, i == 3 ? 0.09 : 0.03);
		series(c, names[i], "latency.p99", 0.1, i < 3 ? 9.5 - i * 0.1 : 0.1);
		series(c, names[i], "requests", i < 3 ? 200 : 10, i < 3 ? 200 : 10);
	}
	chain(c);
	expect_first(c, "store");
}

static void errors_when_the_alarm_is_of_errors(void **state)
{
	(void)state;
	struct cause *c = make();
	struct err err;
	service(c, "site", 100, 0.1, 0.1, 80);
	service(c, "search", 100, 0.05, 0.05, 80);
	service(c, "store", 100, 0.01, 2, 100); /* slow, but that is not what gave alarm */
	chain(c);
	assert_int_equal(cause_alert(c, "site", "availability", &err), ERR_OK);
	expect_first(c, "search");
}

static void whom_nobody_reaches_any_more(void **state)
{
	(void)state;
	struct cause *c = make();
	struct err err;
	service(c, "site", 100, 0.1, 0.1, 60);
	service(c, "search", 100, 0.05, 0.05, 60);
	series(c, "store", "requests", 100, 0);
	series(c, "store", "latency.Average", 0.01, 0.01);
	chain(c);
	assert_int_equal(cause_alert(c, "site", "availability", &err), ERR_OK);
	expect_first(c, "store");
}

/* ---- traces ---- */

struct shape {
	double store_self, gap,
	    broken; /* of `broken` of ten requests the one that calls breaks off after the first call */
	bool store_dead;
};

static void span(struct trace_window *w, const char *trace, const char *id, const char *parent, const char *name,
    const char *operation, double start, double duration)
{
	struct err err;
	struct cause_span s = {trace, id, parent, name, operation, start, duration};
	assert_int_equal(trace_window_add(w, &s, &err), ERR_OK);
}

/* site: recv -> call store (client) -> store: get; then -> call cart -> cart: list. */
static struct trace_window *window(struct shape f)
{
	struct trace_window *w;
	struct err err;
	assert_int_equal(trace_window_new(&w, &err), ERR_OK);
	for (int i = 0; i < 60; i++) {
		char trace[16];
		double at = 1e6 * i, get = 10 + i % 3 + f.store_self, call = get + 2 + i % 2 + f.gap;
		bool broken = i % 10 < f.broken;
		snprintf(trace, sizeof trace, "t%d", i);
		span(w, trace, "r", "", "site", "recv", at, call + (broken ? 5 : 40));
		span(w, trace, "c1", "r", "site", "call store", at + 1, call);
		if (!f.store_dead)
			span(w, trace, "s1", "c1", "store", "get", at + 2, get);
		if (broken)
			continue;
		span(w, trace, "c2", "r", "site", "call cart", at + 3 + call, 20 + i % 3);
		span(w, trace, "s2", "c2", "cart", "list", at + 4 + call, 15 + i % 3);
	}
	assert_int_equal(trace_window_close(w, &err), ERR_OK);
	return w;
}

static void expect_trace(struct shape f, const char *service_name)
{
	struct cause *c = make();
	struct err err;
	struct trace_window *before = window((struct shape){0}), *now = window(f);
	const struct trace_window *list[] = {before};
	assert_int_equal(cause_traces(c, list, 1, now, &err), ERR_OK);
	if (service_name) {
		expect_first(c, service_name);
	} else {
		assert_true(end(c).abstained);
		cause_free(c);
	}
	trace_window_free(before);
	trace_window_free(now);
}

static void where_traces_lose_time_and_calls(void **state)
{
	(void)state;
	expect_trace((struct shape){0}, NULL);
	expect_trace((struct shape){.store_self = 30}, "store");
	expect_trace((struct shape){.gap = 30}, "store");   /* one of two calls of site, the only one of store */
	expect_trace((struct shape){.broken = 6}, "store"); /* what it breaks off after */
	expect_trace((struct shape){.store_dead = true}, "store");
}

/* Without spans of calls as their callers see them: what the front does between being called and calling is its own. */
static void services_that_call_from_within(void **state)
{
	(void)state;
	struct trace_window *w[2];
	struct err err;
	for (int k = 0; k < 2; k++) {
		assert_int_equal(trace_window_new(&w[k], &err), ERR_OK);
		for (int i = 0; i < 40; i++) {
			char trace[16];
			snprintf(trace, sizeof trace, "t%d", i);
			span(w[k], trace, "a", "", "zfront", "get", 1000 * i, 30 + i % 3 + 40 * k);
			span(w[k], trace, "b", "a", "back", "read", 1000 * i + 5, 20 + i % 2);
		}
		assert_int_equal(trace_window_close(w[k], &err), ERR_OK);
	}
	struct cause *c = make();
	assert_int_equal(cause_traces(c, (const struct trace_window *const[]){w[0]}, 1, w[1], &err), ERR_OK);
	expect_first(c, "zfront");
	trace_window_free(w[0]);
	trace_window_free(w[1]);
}

/* Paths that bear ids are one operation; more operations than anybody has are told apart by their service alone. */
static void operations_that_are_ids(void **state)
{
	(void)state;
	static const char *const paths[] = {"GET /users/%d", "/users/%x-12ab/orders?page=%d", "op%d"};
	for (size_t p = 0; p < 3; p++) {
		struct trace_window *w[2];
		struct err err;
		for (int k = 0; k < 2; k++) {
			assert_int_equal(trace_window_new(&w[k], &err), ERR_OK);
			for (int i = 0; i < (p == 2 ? CAUSE_OPERATIONS_MAX + 100 : 60); i++) {
				char trace[16], operation[64];
				int at = 1000000 * k + i;
				snprintf(trace, sizeof trace, "t%d", i);
				snprintf(operation, sizeof operation, paths[p], at, at);
				span(w[k], trace, "a", "", "front", "get", 1000 * i, 60 + 40 * k);
				span(w[k], trace, "b", "a", "back", operation, 1000 * i + 5, 20 + i % 2 + 40 * k);
			}
			assert_int_equal(trace_window_close(w[k], &err), ERR_OK);
		}
		struct cause *c = make();
		assert_int_equal(cause_traces(c, (const struct trace_window *const[]){w[0]}, 1, w[1], &err), ERR_OK);
		expect_first(c, "back");
		trace_window_free(w[0]);
		trace_window_free(w[1]);
	}
}

static void earlier_windows_tell_what_wanders(void **state)
{
	(void)state;
	struct err err;
	struct trace_window *w[5];
	for (int i = 0; i < 5; i++)
		w[i] = window((struct shape){.store_self = 12.0 * (i % 3)});
	struct trace_window *now = window((struct shape){.store_self = 24});
	struct cause *c = make(), *d = make();
	struct cause_verdict v, u;
	assert_int_equal(cause_traces(c, (const struct trace_window *const *)w, 1, now, &err), ERR_OK);
	assert_int_equal(cause_traces(d, (const struct trace_window *const *)w, 5, now, &err), ERR_OK);
	v = end(c);
	u = end(d);
	assert_string_equal(v.ranked[0].service, "store");
	assert_true(u.ranked[0].score < v.ranked[0].score / 2);
	cause_free(c);
	cause_free(d);
	trace_window_free(now);
	for (int i = 0; i < 5; i++)
		trace_window_free(w[i]);
}

static void traces_that_are_none(void **state)
{
	(void)state;
	struct err err;
	struct trace_window *w, *empty;
	assert_int_equal(trace_window_new(&w, &err), ERR_OK);
	assert_int_equal(trace_window_new(&empty, &err), ERR_OK);
	for (int i = 0; i < 20; i++) {
		span(w, "t", "a", "b", "x", "op", i, 5); /* parents in a circle, and ids that all claim */
		span(w, "t", "b", "a", "y", "op", i, 5);
		span(w, "t", "c", "c", "z", "op", i, 5); /* its own parent */
		span(w, "t", "d", "nowhere", "x", "op2", NAN, 5);
		span(w, "t", "e", "a", "x", "op2", 0, -5);
		span(w, "t", "f", "a", "", "op2", 0, 5);
	}
	assert_int_equal(trace_window_close(w, &err), ERR_OK);
	assert_int_equal(trace_window_close(empty, &err), ERR_OK);
	const struct trace_window *both[] = {empty, w};
	for (unsigned i = 0; i < 4; i++) {
		struct cause *c = make();
		assert_int_equal(cause_traces(c, both, 1 + i % 2, both[i / 2], &err), ERR_OK);
		(void)end(c);
		cause_free(c);
	}
	trace_window_free(w);
	trace_window_free(empty);
}

/* ---- logs, what is told, and the rest ---- */

static void lines(struct cause *c, const char *service_name, const char *text, unsigned count, bool during)
{
	struct err err;
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(cause_log_line(c, service_name, text, strlen(text), during, &err), ERR_OK);
}

static void errors_that_are_new(void **state)
{
	(void)state;
	struct cause *c = make();
	lines(c, "a", "request served in 12 ms", 100, false);
	lines(c, "a", "request served in 13 ms", 100, true);
	lines(c, "b", "connection to peer failed: timeout", 20, false); /* as always */
	lines(c, "b", "connection to peer failed: timeout", 20, true);
	lines(c, "d", "request served in 14 ms", 20, false);
	lines(c, "d", "2024-05-01 10:00:00,000 ERROR [main] NullPointerException in handler, request failed", 15, true);
	expect_first(c, "d");
}

static void the_one_that_is_complained_of(void **state)
{
	(void)state;
	struct cause *c = make();
	calls(c, "front", "back");
	lines(c, "front", "started", 50, false);
	lines(c, "back", "started", 50, false);
	lines(c, "front", "error: call failed with status 500", 30, true);
	lines(c, "back", "fatal error: cannot parse table", 28, true);
	expect_first(c, "back");
}

static void what_is_told_counts(void **state)
{
	(void)state;
	struct cause *c = make();
	struct err err;
	series(c, "a", "cpu", 10, 14);
	assert_int_equal(cause_evidence(c, "b", 6, "its configuration changed 20 s before", &err), ERR_OK);
	struct cause_verdict v = end(c);
	assert_string_equal(v.ranked[0].service, "b");
	assert_string_equal(v.ranked[0].reason[CAUSE_BY_TOLD], "its configuration changed 20 s before");
	cause_free(c);
}

static void what_the_alarm_does_not_depend_on(void **state)
{
	(void)state;
	struct cause *c = make();
	struct err err;
	calls(c, "front", "back");
	series(c, "elsewhere", "cpu", 1, 90);
	series(c, "back", "cpu", 1, 2);
	assert_int_equal(cause_alert(c, "front", NULL, &err), ERR_OK);
	expect_first(c, "back");
}

static void more_and_clearer_is_surer(void **state)
{
	(void)state;
	for (double weight = 0; weight < 20; weight += 0.5) {
		assert_true(cause_confidence(weight + 0.5, 1) > cause_confidence(weight, 1));
		assert_true(cause_confidence(5, weight + 0.5) > cause_confidence(5, weight));
	}
	assert_true(cause_confidence(0, 0) < 0.3 && cause_confidence(8, 6) > 0.95);
}

static void limits_hold(void **state)
{
	(void)state;
	struct cause *c = make();
	struct err err;
	char name[32];
	enum err_code rc = ERR_OK;
	for (unsigned i = 0; i <= CAUSE_SERVICES_MAX && rc == ERR_OK; i++) {
		snprintf(name, sizeof name, "s%u", i);
		rc = cause_service(c, name, &err);
	}
	assert_int_equal(rc, ERR_LIMIT);
	assert_int_equal(end(c).count, CAUSE_SERVICES_MAX);
	cause_free(c);
	c = make();
	assert_int_equal(end(c).count, 0);
	cause_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(metrics_by_their_words),
	    cmocka_unit_test(what_moved_most_beyond_its_own_spread),
	    cmocka_unit_test(quiet_is_unknown),
	    cmocka_unit_test(of_equals_the_one_that_moved_a_little),
	    cmocka_unit_test(a_series_that_ended),
	    cmocka_unit_test(counters_by_their_steps),
	    cmocka_unit_test(values_that_are_none),
	    cmocka_unit_test(a_callee_explains_its_callers),
	    cmocka_unit_test(what_all_callers_wait_for),
	    cmocka_unit_test(the_leaf_that_is_slow),
	    cmocka_unit_test(an_alarm_of_no_meaning_makes_nobody_sure),
	    cmocka_unit_test(the_one_between_that_is_slow_itself),
	    cmocka_unit_test(by_quantiles_where_no_mean_is),
	    cmocka_unit_test(errors_when_the_alarm_is_of_errors),
	    cmocka_unit_test(whom_nobody_reaches_any_more),
	    cmocka_unit_test(where_traces_lose_time_and_calls),
	    cmocka_unit_test(services_that_call_from_within),
	    cmocka_unit_test(operations_that_are_ids),
	    cmocka_unit_test(earlier_windows_tell_what_wanders),
	    cmocka_unit_test(traces_that_are_none),
	    cmocka_unit_test(errors_that_are_new),
	    cmocka_unit_test(the_one_that_is_complained_of),
	    cmocka_unit_test(what_is_told_counts),
	    cmocka_unit_test(what_the_alarm_does_not_depend_on),
	    cmocka_unit_test(more_and_clearer_is_surer),
	    cmocka_unit_test(limits_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
