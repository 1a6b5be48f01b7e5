/* Waiting for a rollback: what is told meanwhile, how it ends, and what happens when nobody answers. */
#include "tests/unit/controller/cli/fake.h"

#include "controller/cli/follow.h"
#include "shared/base/cleanup.h"

#define RB   "rb-01m83k432jebyrfy16z23z0dgn"
#define CHG  "chg-01m83k432jebyrfy16z23z0dgm"
#define SNAP "snap-01m83k432jebyrfy16z23z0dgp"

static const char *rollback_json(
    char out[2048], const char *state, const char *outcome, const char *host_outcome, bool ordered, bool proven)
{
	text_format(out, 2048,
	    "{\"rollback\":\"" RB
	    "\",\"number\":2,\"state\":\"%s\",\"outcome\":\"%s\",\"kind\":\"rollback\",\"service\":\"portal\","
	    "\"components\":[\"config\"],\"hosts\":[{\"host\":\"web-1\",\"wave\":0,%s"
	    "\"outcome\":\"%s\",\"proven\":%s,\"digests_match\":%s}],\"wave\":0,\"waves\":1,\"began\":\"2026-09-21T14:"
	    "13:20Z\",\"automatic\":false}",
	    state, outcome, ordered ? "\"order\":\"ord-01m83k432jebyrfy16z23z0dgq\"," : "", host_outcome,
	    proven ? "true" : "false", proven ? "true" : "false");
	return out;
}

static const char *change_json(char out[2048], const char *state, const char *outcome, bool begun)
{
	text_format(out, 2048,
	    "{\"change\":\"" CHG "\",\"number\":7,\"kind\":\"normal\",\"state\":\"%s\",\"service\":\"portal\","
	    "\"title\":\"roll back portal\",\"requested_by\":\"ada\",\"approvals_needed\":2%s%s}",
	    state, outcome ? outcome : "", begun ? ",\"rollback\":\"" RB "\"" : "");
	return out;
}

static const char *answer_json(char out[4096], const char *change, const char *rollback)
{
	text_format(
	    out, 4096, "{\"change\":%s%s%s}", change, rollback ? ",\"rollback\":" : "", rollback ? rollback : "");
	return out;
}

static const char start[] = "rollback start portal --host web-1 --reason x";

/* A start that begins at once. */
static struct fake *begun(char answer[4096])
{
	char change[2048], rollback[2048];
	struct fake *f = fake_new();
	fake_says(f, "POST /api/v1/rollback/start", 200,
	    answer_json(answer, change_json(change, "implementing", NULL, true),
		rollback_json(rollback, "running", "open", "open", false, false)));
	return f;
}

static void says_times(struct fake *f, const char *path, const char *body, int times)
{
	fake_says(f, path, 200, body);
	f->answers[f->answer_count - 1].times = times;
}

static void to_a_good_end(void **state)
{
	(void)state;
	char answer[4096], out[2048], done[2048], proving[2048];
	struct fake *f = begun(answer);
	says_times(f, "GET /api/v1/rollback/" RB, rollback_json(out, "running", "open", "open", true, false), 3);
	fake_fails(f, "GET /api/v1/rollback/" RB, ERR_UNREACHABLE, 2); /* the controller restarts meanwhile */
	says_times(f, "GET /api/v1/rollback/" RB, rollback_json(proving, "proving", "open", "ok", true, false), 1);
	fake_says(f, "GET /api/v1/rollback/" RB, 200, rollback_json(done, "ended", "ok", "ok", true, true));
	assert_int_equal(fake_run(f, start), CLI_DONE);
	assert_string_equal(buf_str(&f->error),
	    "14:13:20  RB-2  web-1: order is out (wave 1 of 1)\n14:13:20  RB-2  running\nkedge: the fake says "
	    "unreachable; asking on, the rollback does not depend on it\n"
	    "14:13:21  RB-2  web-1: ok\n14:13:21  RB-2  proving\n14:13:21  RB-2  web-1: healthy\n14:13:21  RB-2  "
	    "ended: ok\n");
	assert_non_null(strstr(buf_str(&f->out), "outcome     ok"));
	assert_non_null(strstr(f->interrupt, "the rollback goes on"));
	assert_non_null(strstr(f->interrupt, "kedge rollback cancel " RB));
	assert_int_equal(f->paused_ms, 6 * CLI_POLL_FAST_MS);
	fake_free(f);
}

static void every_end_has_its_code(void **state)
{
	(void)state;
	for (int o = ORDER_OK; o < ORDER_OUTCOME_COUNT; o++) {
		char answer[4096], out[2048];
		struct fake *f = begun(answer);
		const char *name = enum_name(&order_outcome_enum, (uint32_t)o);
		fake_says(
		    f, "GET /api/v1/rollback/" RB, 200, rollback_json(out, "ended", name, name, true, o == ORDER_OK));
		assert_int_equal(fake_run(f, start), exit_of_outcome((enum order_outcome)o));
		assert_int_equal(fake_run(f, start) == 0, o == ORDER_OK);
		fake_free(f);
	}
}

static void a_bar_for_terminals(void **state)
{
	(void)state;
	char answer[4096], out[2048], done[2048];
	struct fake *f = begun(answer);
	f->io.error_terminal = true;
	f->io.width = 80;
	says_times(f, "GET /api/v1/rollback/" RB, rollback_json(out, "running", "open", "open", true, false), 1);
	fake_says(f, "GET /api/v1/rollback/" RB, 200, rollback_json(done, "ended", "ok", "ok", true, true));
	assert_int_equal(fake_run(f, start), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->error), "[##"));
	assert_null(strchr(buf_str(&f->error), '\n'));
	const char *end = buf_str(&f->error) + f->error.size - 4;
	assert_string_equal(end, "\r\033[K"); /* the line is clean before the result is printed */
	assert_null(strchr(buf_str(&f->out), '\033'));
	fake_free(f);
}

static void programs_get_a_record_alone(void **state)
{
	(void)state;
	char answer[4096], done[2048], line[128];
	struct fake *f = begun(answer);
	struct rollback r;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	fake_says(
	    f, "GET /api/v1/rollback/" RB, 200, rollback_json(done, "ended", "reverted", "reverted", true, false));
	text_format(line, sizeof line, "%s -o json", start);
	assert_int_equal(fake_run(f, line), CLI_FAILED);
	assert_int_equal(
	    record_from_json(&rollback_type, buf_str(&f->out), f->out.size, RECORD_STRICT, arena, &r, NULL), ERR_OK);
	assert_int_equal(r.outcome, ORDER_REVERTED);
	fake_free(f);
}

static void waiting_has_an_end(void **state)
{
	(void)state;
	char answer[4096], out[2048], line[128];
	struct fake *f = begun(answer);
	fake_says(f, "GET /api/v1/rollback/" RB, 200, rollback_json(out, "running", "open", "open", true, false));
	text_format(line, sizeof line, "%s --timeout 25s", start);
	assert_int_equal(fake_run(f, line), CLI_TIMED_OUT);
	assert_int_equal(f->now_ms, FAKE_NOW + 25000);
	assert_non_null(strstr(buf_str(&f->error), "the rollback goes on"));
	assert_int_equal(f->asked_count, 1 + 20000 / CLI_POLL_FAST_MS + 5 + 1);
	fake_free(f);
	f = begun(answer);
	fake_fails(f, "GET /api/v1/rollback/" RB, ERR_UNREACHABLE, 0);
	assert_int_equal(fake_run(f, line), CLI_UNREACHABLE);
	fake_free(f);
	f = begun(answer);
	fake_says(f, "GET /api/v1/rollback/" RB, 403, "{\"error\":{\"code\":\"denied\",\"text\":\"no more\"}}");
	assert_int_equal(fake_run(f, line), CLI_REFUSED); /* for good: no sense in asking on */
	assert_int_equal(f->asked_count, 2);
	fake_forget(f);
	text_format(line, sizeof line, "%s --timeout soon", start);
	assert_int_equal(fake_run(f, line), CLI_USAGE);
	fake_free(f);
}

static void without_waiting(void **state)
{
	(void)state;
	char answer[4096], change[2048], line[128];
	struct fake *f = begun(answer);
	text_format(line, sizeof line, "%s --no-wait", start);
	assert_int_equal(fake_run(f, line), CLI_DONE);
	assert_int_equal(f->asked_count, 1);
	fake_free(f);
	f = fake_new();
	fake_says(f, "POST /api/v1/rollback/start", 200,
	    answer_json(answer, change_json(change, "requested", NULL, false), NULL));
	assert_int_equal(fake_run(f, line), CLI_DONE);
	assert_string_equal(
	    buf_str(&f->error), "CHG-7 waits: it needs 2 approvals of others than ada: kedge change approve CHG-7\n");
	fake_free(f);
}

static void until_somebody_approves(void **state)
{
	(void)state;
	static const struct {
		const char *state, *outcome;
		bool begun;
		int code;
	} ends[] = {
	    {"implementing", NULL, true, CLI_DONE},
	    {"rejected", NULL, false, CLI_REFUSED},
	    {"cancelled", NULL, false, CLI_FAILED},
	    {"expired", NULL, false, CLI_TIMED_OUT},
	    {"failed", NULL, false, CLI_FAILED},
	};
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		char answer[4096], requested[2048], ended[2048], done[2048];
		struct fake *f = fake_new();
		fake_says(f, "POST /api/v1/rollback/undo", 200,
		    answer_json(answer, change_json(requested, "requested", NULL, false), NULL));
		says_times(f, "GET /api/v1/change/" CHG, requested, 5);
		fake_says(f, "GET /api/v1/change/" CHG, 200,
		    change_json(ended, ends[i].state, ends[i].outcome, ends[i].begun));
		fake_says(f, "GET /api/v1/rollback/" RB, 200, rollback_json(done, "ended", "ok", "ok", true, true));
		assert_int_equal(fake_run(f, "rollback undo RB-1 it was the other"), ends[i].code);
		assert_non_null(strstr(buf_str(&f->error), "kedge change approve CHG-7"));
		assert_true(f->asked_count >= 7);
		fake_free(f);
	}
}

static void an_approved_change_that_has_not_begun(void **state)
{
	(void)state;
	char answer[4096], change[2048];
	struct fake *f = fake_new();
	fake_says(f, "POST /api/v1/change/start", 200,
	    answer_json(answer, change_json(change, "approved", NULL, false), NULL));
	assert_int_equal(fake_run(f, "change start CHG-7 --no-wait"), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->error), "kedge change start CHG-7"));
	assert_string_equal(f->asked[0].body, "{\"change\":\"CHG-7\"}");
	fake_free(f);
}

/* ---- telling, by itself ---- */

static struct rollback_host host(uint32_t outcome, bool ordered, bool proven)
{
	return (struct rollback_host){.host = "h", .outcome = outcome, .order = {{ordered}}, .proven = proven};
}

static void shares(void **state)
{
	(void)state;
	struct rollback_host hosts[4] = {host(ORDER_OPEN, false, false), host(ORDER_OPEN, true, false),
	    host(ORDER_OK, true, false), host(ORDER_OK, true, true)};
	struct rollback r = {.hosts = {hosts, 4}, .waves = 2};
	assert_float_equal(follow_share(&r), (0 + 0.5 + 0.9 + 1) / 4, 0.0001);
	hosts[2] = host(ORDER_REVERTED, true, false);
	assert_float_equal(follow_share(&r), (0 + 0.5 + 1 + 1) / 4, 0.0001);
	r.state = ROLLBACK_ENDED;
	assert_float_equal(follow_share(&r), 1, 0);
	assert_float_equal(follow_share(&(struct rollback){0}), 0, 0);
	r.state = ROLLBACK_RUNNING;
	r.waits_for = "n\303\244s-1\033]0;seized\007"; /* what a host calls its storage cannot steer a terminal */
	for (unsigned width = 0; width < 120; width++) {
		CLEANUP(buf_done) struct buf bar = BUF_INIT;
		follow_bar(&r, width, &bar);
		assert_true(bar.size <= (width ? width : 200));
		assert_true(text_utf8_valid(buf_str(&bar), bar.size));
		assert_null(strpbrk(buf_str(&bar), "\033\007"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(to_a_good_end),
	    cmocka_unit_test(every_end_has_its_code),
	    cmocka_unit_test(a_bar_for_terminals),
	    cmocka_unit_test(programs_get_a_record_alone),
	    cmocka_unit_test(waiting_has_an_end),
	    cmocka_unit_test(without_waiting),
	    cmocka_unit_test(until_somebody_approves),
	    cmocka_unit_test(an_approved_change_that_has_not_begun),
	    cmocka_unit_test(shares),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
