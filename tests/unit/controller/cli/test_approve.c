/* Approving: what is signed is what was shown, and nothing is sent that a host could not check. */
#include "tests/unit/controller/cli/fake.h"

#include "shared/approval/approval.h"
#include "shared/base/cleanup.h"
#include "tests/lib/scratch.h"
#include "tests/lib/signer/signer.h"

static struct fake *f;
static struct signer *ada;
static struct plan plan;
static struct plan_host hosts[2];
static uint32_t components[1] = {COMPONENT_CONFIG};
static char change[8192], answer[8192], message[APPROVAL_MESSAGE_SIZE + 1];
static char *signature;

static void make_change(const struct plan *shown, const struct digest *digest, const char *state)
{
	char hex[65];
	CLEANUP(buf_done) struct buf json = BUF_INIT;
	assert_int_equal(record_to_json(&plan_type, shown, 0, &json, NULL), ERR_OK);
	text_format(change, sizeof change,
	    "{\"change\":\"chg-01m83k432jebyrfy16z23z0dgm\",\"number\":7,\"kind\":\"normal\",\"state\":\"%s\","
	    "\"service\":\"portal\",\"requested_by\":\"eve\",\"approvals_needed\":2,\"plan\":%s,\"plan_digest\":\"%"
	    "s\"}",
	    state, buf_str(&json), text_hex(digest->b, 32, hex));
	text_format(answer, sizeof answer, "{\"change\":%s}", change);
}

static int setup(void **state)
{
	(void)state;
	struct random r;
	struct digest d;
	random_init_seed(&r, 3);
	ada = signer_new(SSH_KEY_ED25519, "ada");
	for (int i = 0; i < 2; i++)
		hosts[i] = (struct plan_host){
		    .host = i ? "web-2" : "web-1", .wave = (uint32_t)i, .snapshot = id_new(FAKE_NOW, &r)};
	plan = (struct plan){.plan = id_new(FAKE_NOW, &r),
	    .rollback = id_new(FAKE_NOW, &r),
	    .kind = ORDER_ROLLBACK,
	    .service = "portal",
	    .components = {components, 1},
	    .hosts = {hosts, 2},
	    .not_before_ms = FAKE_NOW,
	    .expires_ms = FAKE_NOW + 3600 * 1000,
	    .reason = "bad deploy",
	    .author = "eve"};
	assert_int_equal(plan_digest(&plan, &d, NULL), ERR_OK);
	approval_message(&d, message);
	signature = signer_approve(ada, &plan);
	make_change(&plan, &d, "requested");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(signature);
	signer_free(ada);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	f = fake_new();
	f->signature = signature;
	fake_says(f, "GET /api/v1/change/CHG-7", 200, change);
	fake_says(f, "GET /api/v1/change/chg-01m83k432jebyrfy16z23z0dgm", 200, change);
	fake_says(f, "POST /api/v1/change/approve", 200, answer);
	fake_says(f, "GET /api/v1/approval*", 200, "{\"items\":[]}");
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_free(f);
	return 0;
}

static void signs_what_it_shows(void **state)
{
	(void)state;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	struct request_args a;
	assert_int_equal(fake_run(f, "change approve CHG-7 --yes --no-wait"), CLI_DONE);
	assert_string_equal(f->signed_message, message);
	assert_string_equal(f->signed_with, "kedge-plan /home/ada/.ssh/id");
	assert_non_null(strstr(buf_str(&f->error), "web-2"));
	assert_non_null(strstr(buf_str(&f->error), "bad deploy"));
	char hex[65];
	text_format(hex, sizeof hex, "%.64s", message);
	assert_non_null(strstr(buf_str(&f->error), hex));
	assert_int_equal(f->asked_count, 2);
	assert_int_equal(record_from_json(&request_args_type, f->asked[1].body, strlen(f->asked[1].body), RECORD_STRICT,
			     arena, &a, NULL),
	    ERR_OK);
	assert_string_equal(a.signature, signature);
	assert_string_equal(
	    a.change, "chg-01m83k432jebyrfy16z23z0dgm"); /* the one that was shown, whatever CHG-7 is by now */
	fake_forget(f);
	assert_int_equal(fake_run(f, "change approve CHG-7 --key /tmp/other --yes --no-wait"), CLI_DONE);
	assert_string_equal(f->signed_with, "kedge-plan /tmp/other");
	fake_forget(f); /* the approver's part is done: nobody is kept waiting for the other one */
	assert_int_equal(fake_run(f, "change approve CHG-7 --yes"), CLI_DONE);
	assert_int_equal(f->asked_count, 2);
	assert_non_null(strstr(buf_str(&f->error), "waits for others"));
}

static void asks_a_person(void **state)
{
	(void)state;
	static const struct {
		const char *typed;
		bool yes;
	} all[] = {
	    {"7", true}, {"CHG-7", true}, {"y", false}, {"", false}, {"8", false}, {"CHG-8", false}, {NULL, false}};
	f->io.in_terminal = true;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		fake_forget(f);
		f->signed_message[0] = '\0';
		f->typed = all[i].typed;
		assert_int_equal(fake_run(f, "change approve CHG-7 --no-wait"), all[i].yes ? CLI_DONE : CLI_FAILED);
		assert_int_equal(f->signed_message[0] != '\0', all[i].yes);
		assert_int_equal(f->asked_count, all[i].yes ? 2 : 1);
	}
	f->io.in_terminal = false;
	fake_forget(f);
	assert_int_equal(fake_run(f, "change approve CHG-7 --no-wait"), CLI_USAGE); /* nobody looked */
	assert_int_equal(f->asked_count, 1);
}

/* A controller that shows one plan and has another signed. */
static void a_false_digest(void **state)
{
	(void)state;
	struct digest d;
	char lie[8192];
	struct plan other = plan;
	other.reason = "something else";
	assert_int_equal(plan_digest(&other, &d, NULL), ERR_OK);
	text_copy(lie, sizeof lie, change);
	make_change(&plan, &d, "requested"); /* shows plan, claims the digest of the other */
	assert_int_equal(fake_run(f, "change approve CHG-7 --yes"), CLI_REFUSED);
	assert_non_null(strstr(buf_str(&f->error), "nothing was signed"));
	assert_string_equal(f->signed_message, "");
	assert_int_equal(f->asked_count, 1);
	fake_forget(f);
	assert_int_equal(fake_run(f, "change show CHG-7"), CLI_REFUSED);
	text_copy(change, sizeof change, lie);
}

static void signatures_are_checked_before_they_are_sent(void **state)
{
	(void)state;
	struct plan other = plan;
	other.service = "mail";
	char *wrong = signer_approve(ada, &other), *space = signer_sign(ada, "kedge-policy", true, message, 65);
	const char *const bad[] = {wrong, space, "not a signature", ""};
	for (size_t i = 0; i < 4; i++) {
		fake_forget(f);
		f->signature = bad[i];
		assert_int_not_equal(fake_run(f, "change approve CHG-7 --yes"), CLI_DONE);
		assert_int_equal(f->asked_count, 1);
	}
	fake_forget(f);
	f->signature = NULL;
	assert_int_equal(fake_run(f, "change approve CHG-7 --yes"), CLI_REFUSED);
	assert_int_equal(f->asked_count, 1);
	free(wrong);
	free(space);
	struct client_config keyless = f->config;
	keyless.approval_key = NULL;
	f->config = keyless;
	fake_forget(f);
	assert_int_equal(fake_run(f, "change approve CHG-7 --yes"), CLI_USAGE);
	assert_non_null(strstr(buf_str(&f->error), "--key"));
	assert_int_equal(f->asked_count, 0);
}

static void a_change_that_is_past_it(void **state)
{
	(void)state;
	char kept[8192];
	struct digest d;
	text_copy(kept, sizeof kept, change);
	assert_int_equal(plan_digest(&plan, &d, NULL), ERR_OK);
	make_change(&plan, &d, "completed");
	assert_int_equal(fake_run(f, "change approve CHG-7 --yes"), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), "CHG-7 is completed"));
	text_copy(change, sizeof change, kept);
}

static void shown(void **state)
{
	(void)state;
	assert_int_equal(fake_run(f, "change show CHG-7"), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->out), "Next: kedge change approve CHG-7"));
	assert_non_null(strstr(buf_str(&f->out), "Rollback of portal: config on 2 hosts"));
}

/* ---- policies ---- */

static void policies(void **state)
{
	(void)state;
	static const char yaml[] =
	    "name: night\nservices: [ portal ]\ncomponents: [ config ]\nleast_severity: medium\nleast_confidence: "
	    "0.5\nmax_hosts: 1\nmax_per_hour: 6\ncool_down: 1s\nexpires: 2026-12-01T00:00:00Z\nreason: nights\n";
	char folder[SCRATCH_PATH], path[128], sig[160], line[256];
	scratch_make(folder);
	text_format(path, sizeof path, "%s/night.yaml", folder);
	text_format(sig, sizeof sig, "%s.sig", path);
	text_format(line, sizeof line, "policy install %s", path);
	assert_int_equal(fake_run(f, line), CLI_NOT_FOUND);
	assert_int_equal(file_replace(path, "name: night\nservces: []\n", 24, 0644, NULL), ERR_OK);
	fake_forget(f);
	assert_int_equal(fake_run(f, line), CLI_USAGE);
	assert_non_null(strstr(buf_str(&f->error), "night.yaml:2")); /* with the line, before anything is sent */
	assert_int_equal(file_replace(path, yaml, sizeof yaml - 1, 0644, NULL), ERR_OK);
	fake_forget(f);
	assert_int_equal(fake_run(f, line), CLI_NOT_FOUND);
	assert_non_null(strstr(buf_str(&f->error), "ssh-keygen -Y sign"));
	char *other = signer_sign(ada, APPROVAL_NAMESPACE_POLICY, true, "other", 5),
	     *good = signer_sign(ada, APPROVAL_NAMESPACE_POLICY, true, yaml, sizeof yaml - 1);
	assert_int_equal(file_replace(sig, other, strlen(other), 0644, NULL), ERR_OK);
	fake_forget(f);
	assert_int_equal(fake_run(f, line), CLI_REFUSED);
	assert_non_null(strstr(buf_str(&f->error), "edited after signing"));
	assert_int_equal(f->asked_count, 0);
	assert_int_equal(file_replace(sig, good, strlen(good), 0644, NULL), ERR_OK);
	fake_forget(f);
	fake_run(f, line);
	assert_int_equal(f->asked_count, 1);
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	struct request_args a;
	assert_int_equal(record_from_json(&request_args_type, f->asked[0].body, strlen(f->asked[0].body), RECORD_STRICT,
			     arena, &a, NULL),
	    ERR_OK);
	assert_int_equal(a.document.size, sizeof yaml - 1); /* byte for byte: it is what was signed */
	assert_memory_equal(a.document.data, yaml, sizeof yaml - 1);
	assert_int_equal(a.signatures.count, 1);
	assert_string_equal(LIST_AT(a.signatures, const char *, 0), good);
	free(other);
	free(good);
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(signs_what_it_shows, begin, end),
	    cmocka_unit_test_setup_teardown(asks_a_person, begin, end),
	    cmocka_unit_test_setup_teardown(a_false_digest, begin, end),
	    cmocka_unit_test_setup_teardown(signatures_are_checked_before_they_are_sent, begin, end),
	    cmocka_unit_test_setup_teardown(a_change_that_is_past_it, begin, end),
	    cmocka_unit_test_setup_teardown(shown, begin, end),
	    cmocka_unit_test_setup_teardown(policies, begin, end),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
