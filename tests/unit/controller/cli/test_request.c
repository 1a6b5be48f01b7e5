/* What each command asks for, to the byte. */
#include "tests/unit/controller/cli/fake.h"

#include <unistd.h>

#include "shared/base/cleanup.h"
#include "tests/lib/scratch.h"
#include "tests/lib/signer/signer.h"

#define SNAP "snap-01m83k432jebyrfy16z23z0dgp"
#define INC                                                                                                            \
	"{\"incident\":\"inc-01m83k432jebyrfy16z23z0dgj\",\"number\":3,\"state\":\"detected\",\"severity\":\"low\","   \
	"\"service\":\"portal\",\"health\":\"DOWN\"}"

static struct fake *f;

static int setup(void **state)
{
	(void)state;
	f = fake_new();
	fake_says(f, "POST /api/v1/incident/*", 200, INC);
	fake_says(f, "POST /api/v1/diagnosis/start", 200, INC);
	fake_says(f, "POST /api/v1/controller/*", 200, "{\"scope\":\"fleet\"}");
	fake_says(f, "POST /api/v1/*", 200, "{}");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free(f);
	return 0;
}

static void asks(const char *line, const char *path, const char *body)
{
	char wanted[128];
	fake_forget(f);
	text_format(wanted, sizeof wanted, "POST /api/v1/%s", path);
	int code = fake_run(f, line);
	if (!f->asked_count)
		fail_msg("%s: exit %d: %s", line, code, buf_str(&f->error));
	const struct fake_asked *a = &f->asked[f->asked_count - 1];
	assert_string_equal(a->line, wanted);
	assert_string_equal(a->body, body);
}

static void bodies(void **state)
{
	(void)state;
	asks("incident open portal logins fail --severity high", "incident/open",
	    "{\"service\":\"portal\",\"severity\":\"high\",\"title\":\"logins fail\"}");
	asks("incident ack INC-3", "incident/acknowledge", "{\"incident\":\"INC-3\"}");
	asks("incident assign INC-3 ada", "incident/assign", "{\"incident\":\"INC-3\",\"owner\":\"ada\"}");
	asks("incident investigate INC-3", "incident/investigate", "{\"incident\":\"INC-3\"}");
	asks("incident identify INC-3 the \"disk\" is full", "incident/identify",
	    "{\"incident\":\"INC-3\",\"text\":\"the \\\"disk\\\" is full\"}");
	asks("incident resolve INC-3 over", "incident/resolve", "{\"incident\":\"INC-3\",\"text\":\"over\"}");
	asks("incident reopen INC-3 not over", "incident/reopen", "{\"incident\":\"INC-3\",\"text\":\"not over\"}");
	asks("incident close INC-3 learnt", "incident/close", "{\"incident\":\"INC-3\",\"text\":\"learnt\"}");
	asks("incident note INC-3 -- --called them", "incident/note",
	    "{\"incident\":\"INC-3\",\"text\":\"--called them\"}");
	asks("diagnosis start INC-3", "diagnosis/start", "{\"incident\":\"INC-3\"}");
	asks("rollback cancel RB-2 wrong one", "rollback/cancel", "{\"rollback\":\"RB-2\",\"text\":\"wrong one\"}");
	asks("change reject CHG-7 no", "change/reject", "{\"change\":\"CHG-7\",\"text\":\"no\"}");
	asks("change cancel CHG-7 no", "change/cancel", "{\"change\":\"CHG-7\",\"text\":\"no\"}");
	asks("change review CHG-7 fine", "change/review", "{\"change\":\"CHG-7\",\"text\":\"fine\"}");
	asks("policy remove night", "policy/remove", "{\"name\":\"night\"}");
	asks("snapshot create portal web-1", "snapshot/create", "{\"service\":\"portal\",\"host\":\"web-1\"}");
	asks("snapshot condemn " SNAP " bad schema", "snapshot/condemn",
	    "{\"snapshot\":\"" SNAP "\",\"text\":\"bad schema\"}");
	asks("service probe portal web-1", "service/probe", "{\"service\":\"portal\",\"host\":\"web-1\"}");
	asks("host unbar web-1", "host/unbar", "{\"host\":\"web-1\"}");
	asks("host unbar web-1 --keep boot-01m83k432jebyrfy16z23z0dgp", "host/unbar",
	    "{\"host\":\"web-1\",\"keep\":\"boot-01m83k432jebyrfy16z23z0dgp\"}");
	asks("host revoke web-1 stolen", "host/revoke", "{\"host\":\"web-1\",\"text\":\"stolen\"}");
	asks("halt wrong snapshot", "controller/halt", "{\"text\":\"wrong snapshot\"}");
	asks("resume all clear", "controller/resume", "{\"text\":\"all clear\"}");
	asks("controller halt x", "controller/halt", "{\"text\":\"x\"}");
	asks("controller confirm the other is dead", "controller/confirm", "{\"text\":\"the other is dead\"}");
	asks("ca revoke 4f21 lost", "ca/revoke", "{\"text\":\"lost\",\"serial\":\"4f21\"}");
	asks("notify test", "notify/test", "{}");
}

/* RULES R4: more hosts than one are counted by who means them. */
static void hosts_are_counted(void **state)
{
	(void)state;
	static const char line[] = "rollback start portal --host web-1,web-2 -m why";
	static const struct {
		const char *typed;
		bool goes_on;
	} all[] = {{"2", true}, {"1", false}, {"3", false}, {"yes", false}, {"2 ", false}, {"", false}, {NULL, false}};
	f->io.in_terminal = true;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		fake_forget(f);
		f->typed = all[i].typed;
		int code = fake_run(f, line);
		assert_non_null(strstr(buf_str(&f->error), "touches 2 hosts"));
		assert_int_equal(f->asked_count, all[i].goes_on);
		assert_true(all[i].goes_on || code == CLI_FAILED);
		assert_true(all[i].goes_on || strstr(buf_str(&f->error), "nothing was asked for"));
	}
	f->typed = "2";
	asks(line, "rollback/start",
	    "{\"service\":\"portal\",\"hosts\":[\"web-1\",\"web-2\"],\"host_count\":2,\"text\":\"why\"}");
	f->typed = NULL; /* one host asks nothing */
	asks("rollback start portal --host web-1 -m why", "rollback/start",
	    "{\"service\":\"portal\",\"hosts\":[\"web-1\"],\"text\":\"why\"}");
	f->io.in_terminal = false;
}

static void rollbacks(void **state)
{
	(void)state;
	asks("rollback start portal --host web-1 --component config --to last-good --incident INC-3", "rollback/start",
	    "{\"incident\":\"INC-3\",\"snapshot\":\"last-good\",\"service\":\"portal\",\"hosts\":[\"web-1\"],"
	    "\"components\":[\"config\"],\"text\":\"for INC-3\"}");
	asks("rollback start portal --host web-1,web-2 --host web-3 --hosts 3 -m why --normal --component config,code",
	    "rollback/start",
	    "{\"service\":\"portal\",\"hosts\":[\"web-1\",\"web-2\",\"web-3\"],\"host_count\":3,\"components\":[\"config\",\"code\"],"
	    "\"text\":\"why\",\"normal\":true}");
	asks("rollback undo RB-2 the fault was elsewhere", "rollback/undo",
	    "{\"rollback\":\"RB-2\",\"text\":\"the fault was elsewhere\"}");
	asks("rollback plan portal --host web-1", "rollback/plan", "{\"service\":\"portal\",\"hosts\":[\"web-1\"]}");
	asks("rollback plan --rollback RB-2", "rollback/plan", "{\"rollback\":\"RB-2\"}");
	static const char *const bad[] = {"rollback start portal --host web-1", "rollback start portal --host a,b -m x",
	    "rollback start portal --host a,b -m x --hosts two", "rollback plan portal", "rollback plan",
	    "rollback start portal --host web-1 -m x --component disk", "rollback start portal --host a,,b -m x",
	    "host unbar web-1 --keep x", "incident open p t --severity worst"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		fake_forget(f);
		assert_int_equal(fake_run(f, bad[i]), CLI_USAGE);
		assert_int_equal(f->asked_count, 0);
		assert_true(f->error.size > 0);
	}
}

/* How many hosts an undoing touches the controller knows: a person at a terminal is asked for their number, too. */
static void an_undoing_of_many_hosts_begins_with_their_number(void **state)
{
	(void)state;
	static struct plan_host hosts[2] = {{.host = "web-1"}, {.host = "web-2", .wave = 1}};
	static uint32_t config[] = {COMPONENT_CONFIG};
	struct random r;
	struct plan plan = {.kind = ORDER_UNDO,
	    .service = "portal",
	    .components = {config, 1},
	    .hosts = {hosts, 2},
	    .reason = "x",
	    .author = "eve"};
	struct plan_answer answer = {.plan = &plan};
	CLEANUP(buf_done) struct buf json = BUF_INIT;
	random_init_seed(&r, 5);
	plan.plan = plan.rollback = hosts[0].snapshot = hosts[1].snapshot = id_new(FAKE_NOW, &r);
	plan.not_before_ms = FAKE_NOW;
	plan.expires_ms = FAKE_NOW + 1000;
	struct err err = ERR_INIT;
	if (record_to_json(&plan_answer_type, &answer, 0, &json, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	struct fake *usual = f;
	f = fake_new();
	fake_says(f, "POST /api/v1/rollback/plan", 200, buf_str(&json));
	fake_says(f, "POST /api/v1/*", 200, "{}");
	f->io.in_terminal = true;
	f->typed = "2";
	asks(
	    "rollback undo RB-2 wrong", "rollback/undo", "{\"rollback\":\"RB-2\",\"host_count\":2,\"text\":\"wrong\"}");
	assert_int_equal(f->asked_count, 2);
	assert_string_equal(f->asked[0].body, "{\"rollback\":\"RB-2\"}");
	f->typed = "3";
	fake_forget(f);
	assert_int_equal(fake_run(f, "rollback undo RB-2 wrong"), CLI_FAILED);
	assert_int_equal(f->asked_count, 1); /* looked, and asked for nothing */
	asks("rollback undo RB-2 wrong --hosts 2", "rollback/undo",
	    "{\"rollback\":\"RB-2\",\"host_count\":2,\"text\":\"wrong\"}");
	assert_int_equal(f->asked_count, 1);
	fake_free(f);
	f = usual;
}

static void maintenance(void **state)
{
	(void)state;
	asks("service maintenance portal --for 2h --reason upgrade", "service/maintenance",
	    "{\"service\":\"portal\",\"text\":\"upgrade\",\"until\":\"2026-09-21T16:13:20.000Z\"}");
	assert_string_equal(buf_str(&f->error), "portal is in maintenance until 2026-09-21T16:13:20.000Z\n");
	asks("service maintenance portal --host web-1 --until 2026-09-22T00:00:00Z -m upgrade", "service/maintenance",
	    "{\"service\":\"portal\",\"host\":\"web-1\",\"text\":\"upgrade\",\"until\":\"2026-09-22T00:00:00.000Z\"}");
	asks("service maintenance portal --end", "service/maintenance", "{\"service\":\"portal\"}");
	static const char *const bad[] = {"service maintenance portal",
	    "service maintenance portal --for 2h --end -m x", "service maintenance portal --for 2h",
	    "service maintenance portal --for 2 -m x", "service maintenance portal --until tomorrow -m x"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		fake_forget(f);
		assert_int_equal(fake_run(f, bad[i]), CLI_USAGE);
		assert_int_equal(f->asked_count, 0);
	}
}

/* The request needs more than the person types. */
static void snapshot_verify(void **state)
{
	(void)state;
	size_t mark = f->answer_count;
	fake_says(f, "GET /api/v1/snapshot/" SNAP, 200,
	    "{\"snapshot\":\"" SNAP "\",\"service\":\"portal\",\"host\":\"web-1\",\"reason\":\"manual\"}");
	asks("snapshot verify " SNAP, "snapshot/verify",
	    "{\"snapshot\":\"" SNAP "\",\"service\":\"portal\",\"host\":\"web-1\"}");
	f->answer_count = mark;
}

/* What is not given stays as it was: an operator never loses a key by being disabled. */
static void operator_put(void **state)
{
	(void)state;
	size_t mark = f->answer_count;
	struct signer *key = signer_new(SSH_KEY_ED25519, "ada"), *old = signer_new(SSH_KEY_ED25519, "ada");
	char known[2048], line[2048], body[2048], folder[SCRATCH_PATH], path[128];
	scratch_make(folder);
	text_format(path, sizeof path, "%s/ada.pub", folder);
	text_format(line, sizeof line, "%s\n", signer_line(key));
	assert_int_equal(file_replace(path, line, strlen(line), 0644, NULL), ERR_OK);
	text_format(known, sizeof known,
	    "{\"name\":\"ada\",\"roles\":[\"responder\",\"approver\"],\"keys\":[\"%s\"],\"disabled\":false}",
	    signer_line(old));
	fake_says(f, "GET /api/v1/operator/ada", 200, known);
	text_format(body, sizeof body,
	    "{\"name\":\"ada\",\"roles\":[\"responder\",\"approver\"],\"keys\":[\"%s\"],\"disabled\":true}",
	    signer_line(old));
	asks("operator put ada --disable", "operator/put", body);
	text_format(line, sizeof line, "operator put ada --public-key %s", path);
	text_format(body, sizeof body, "{\"name\":\"ada\",\"roles\":[\"responder\",\"approver\"],\"keys\":[\"%s\"]}",
	    signer_line(key));
	asks(line, "operator/put", body);
	text_format(body, sizeof body, "{\"name\":\"ada\",\"roles\":[\"admin\"],\"keys\":[\"%s\"]}", signer_line(old));
	asks("operator put ada --role admin", "operator/put", body);
	asks("operator put eve --role viewer", "operator/put", "{\"name\":\"eve\",\"roles\":[\"viewer\"]}");
	fake_forget(f);
	assert_int_equal(fake_run(f, "operator put eve"), CLI_USAGE); /* new, and nothing said */
	assert_int_equal(f->asked_count, 1);
	fake_forget(f);
	assert_int_equal(fake_run(f, "operator put ada --public-key /nonexistent.pub"), CLI_NOT_FOUND);
	assert_int_equal(fake_run(f, "operator put ada --public-key 'ssh-rsa AAAA'"), CLI_FAILED);
	assert_int_equal(fake_run(f, "operator put ada --disable --enable"), CLI_USAGE);
	scratch_remove(folder);
	signer_free(key);
	signer_free(old);
	f->answer_count = mark;
}

/* ---- asking again ---- */

static void one_key_for_all_tries(void **state)
{
	(void)state;
	struct fake *g = fake_new();
	fake_fails(g, "POST /api/v1/incident/note", ERR_TIMEOUT, 1);
	fake_says(g, "POST /api/v1/incident/note", 200, INC);
	assert_int_equal(fake_run(g, "incident note INC-3 x"), CLI_DONE);
	assert_int_equal(g->asked_count, 2);
	assert_true(g->asked[0].key[0]);
	assert_string_equal(g->asked[0].key, g->asked[1].key);
	assert_string_equal(g->asked[0].body, g->asked[1].body);
	assert_int_equal(g->paused_ms, CLI_RETRY_MS);
	char first[64];
	text_copy(first, sizeof first, g->asked[0].key);
	fake_forget(g);
	assert_int_equal(fake_run(g, "incident note INC-3 x"), CLI_DONE);
	assert_string_not_equal(first, g->asked[0].key); /* another command is another request */
	fake_free(g);
	g = fake_new();
	fake_says(g, "POST *", 503, "{\"error\":{\"code\":\"full\",\"text\":\"busy\"}}");
	assert_int_equal(fake_run(g, "incident note INC-3 x"), CLI_FAILED);
	assert_int_equal(g->asked_count, CLI_TRIES);
	fake_free(g);
	g = fake_new();
	fake_says(g, "POST *", 409, "{\"error\":{\"code\":\"state\",\"text\":\"it is closed\"}}");
	assert_int_equal(fake_run(g, "incident note INC-3 x"), CLI_FAILED);
	assert_int_equal(g->asked_count, 1); /* an answer is an answer */
	fake_free(g);
	g = fake_new();
	fake_fails(g, "POST *", ERR_UNREACHABLE, 0);
	assert_int_equal(fake_run(g, "halt x"), CLI_UNREACHABLE);
	assert_int_equal(g->asked_count, CLI_TRIES);
	fake_free(g);
}

/* ---- tokens ---- */

static void tokens(void **state)
{
	(void)state;
	static const char pem[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
	char folder[SCRATCH_PATH], path[128];
	size_t mark = f->answer_count;
	struct client_config config = f->config;
	scratch_make(folder);
	text_format(path, sizeof path, "%s/authority.pem", folder);
	config.authority = path;
	f->io.config = &config;
	fake_forget(f);
	assert_int_equal(
	    fake_run(f, "host enrol web-9"), CLI_NOT_FOUND); /* no authority, no token: nothing was asked */
	assert_int_equal(f->asked_count, 0);
	assert_int_equal(file_replace(path, pem, sizeof pem - 1, 0644, NULL), ERR_OK);
	fake_forget(f);
	assert_int_equal(fake_run(f, "host enrol web-9"), CLI_USAGE); /* no certificate in it */
	assert_int_equal(f->asked_count, 0);
	f->io.config = &f->config;
	f->answer_count = mark;
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bodies),
	    cmocka_unit_test(rollbacks),
	    cmocka_unit_test(hosts_are_counted),
	    cmocka_unit_test(an_undoing_of_many_hosts_begins_with_their_number),
	    cmocka_unit_test(maintenance),
	    cmocka_unit_test(snapshot_verify),
	    cmocka_unit_test(operator_put),
	    cmocka_unit_test(one_key_for_all_tries),
	    cmocka_unit_test(tokens),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
