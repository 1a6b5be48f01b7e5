/* `kedge ca` on files, as the quickstart calls it. */
#include "tests/unit/controller/cli/fake.h"

#include <sys/stat.h>
#include <unistd.h>

#include "certs/enrol.h"
#include "shared/base/cleanup.h"
#include "tests/lib/scratch.h"

static char dir[SCRATCH_PATH];
static struct fake *f;

static int setup(void **state)
{
	(void)state;
	scratch_make(dir);
	f = fake_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free(f);
	scratch_remove(dir);
	return 0;
}

/* Each %s of the line is the scratch folder. */
static int run(const char *line)
{
	char whole[1024] = "";
	for (const char *p = line; *p; p++) {
		size_t n = strlen(whole);
		text_format(whole + n, sizeof whole - n, p[0] == '@' ? "%s" : "%.1s", p[0] == '@' ? dir : p);
	}
	fake_forget(f);
	return fake_run(f, whole);
}

static void as_the_quickstart_does(void **state)
{
	(void)state;
	char path[256];
	struct stat st;
	assert_int_equal(run("ca init --dir @/ca --domain quickstart.kedge"), CLI_DONE);
	assert_int_equal(run("ca issue controller main --dir @/ca --address 127.0.0.1 --address localhost --out "
			     "@/controller/identity"),
	    CLI_DONE);
	assert_int_equal(run("ca issue operator founder --dir @/ca --out @/operator"), CLI_DONE);
	assert_int_equal(run("ca issue host web-1 --dir @/ca --out @/agents/web-1/state/identity --days 3"), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->error), "host web-1 of quickstart.kedge"));
	assert_non_null(strstr(buf_str(&f->error), "2026-09-24T14:13:20"));
	text_format(path, sizeof path, "%s/operator/key.pem", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(run("ca verify @/operator/cert.pem --dir @/ca"), CLI_DONE);
	assert_string_equal(buf_str(&f->out),
	    "good: spiffe://quickstart.kedge/operator/founder until 2026-10-21T14:13:20.000Z (30 d left)\n");
	assert_int_equal(run("ca verify @/controller/identity/cert.pem --authority @/ca/authority.pem"), CLI_DONE);
	static const char *const for_programs[] = {"ca verify @/operator/cert.pem --dir @/ca",
	    "ca init --dir @/json-ca --domain d.example", "ca issue host h --dir @/json-ca --out @/json-host"};
	for (size_t i = 0; i < 3; i++) {
		char line[256];
		text_format(line, sizeof line, "%s -o json", for_programs[i]);
		assert_int_equal(run(line), CLI_DONE);
		assert_non_null(strstr(buf_str(&f->out), "\"fingerprint\":"));
		assert_int_equal(f->out.data[0], '{');
	}
	assert_int_equal(run("ca show @/controller/identity/cert.pem -o json"), CLI_DONE);
	assert_non_null(
	    strstr(buf_str(&f->out), "\"kind\":\"controller\",\"name\":\"spiffe://quickstart.kedge/controller/main\""));
	assert_non_null(strstr(buf_str(&f->out), "\"kind\":\"authority\""));
	assert_int_equal(run("ca show @/ca/authority.pem"), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->out), "CN=Kedge root authority"));
	assert_int_equal(f->asked_count, 0);
}

static void refusals(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		int code;
		const char *says;
	} all[] = {
	    {"ca init --dir @/ca --domain quickstart.kedge", CLI_FAILED, "is there already"},
	    {"ca init --dir @/new --domain Not_A_Domain", CLI_USAGE, "domain name"},
	    {"ca issue operator founder --dir @/ca --out @/operator", CLI_FAILED, "is there already"},
	    {"ca issue robot x --dir @/ca --out @/x", CLI_USAGE, "controller, operator or host"},
	    {"ca issue host web.. --dir @/nowhere --out @/x", CLI_NOT_FOUND, "issuing.pem"},
	    {"ca issue host 'web 1' --dir @/ca --out @/x", CLI_USAGE, "last part"},
	    {"ca issue host web-2 --dir @/ca --out @/x --address 127.0.0.1", CLI_USAGE, "only a controller"},
	    {"ca issue controller c --dir @/ca --out @/x --address not_a_host", CLI_USAGE, "neither an IP address"},
	    {"ca issue host web-2 --dir @/ca --out @/x --days 0", CLI_USAGE, "--days"},
	    {"ca issue host web-2 --dir @/ca --out @/x --days 401", CLI_USAGE, "--days"},
	    {"ca show @/nothing.pem", CLI_NOT_FOUND, "nothing.pem"},
	    {"ca show @/ca/root.key", CLI_USAGE, "root.key"},
	    {"ca verify @/ca/authority.pem --dir @/ca", CLI_USAGE, "authority.pem"},
	};
	char path[256];
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		int code = run(all[i].line);
		if (code != all[i].code || !strstr(buf_str(&f->error), all[i].says))
			fail_msg("%s: exit %d: %s", all[i].line, code, buf_str(&f->error));
	}
	text_format(path, sizeof path, "%s/x", dir);
	assert_false(file_exists(path));
	assert_int_equal(run("ca init --dir @/ca2 --domain quickstart.kedge"), CLI_DONE);
	assert_int_equal(run("ca verify @/operator/cert.pem --dir @/ca2"), CLI_REFUSED);
	f->now_ms += 31ull * 24 * 3600 * 1000;
	assert_int_equal(run("ca verify @/operator/cert.pem --dir @/ca"), CLI_REFUSED);
	assert_non_null(strstr(buf_str(&f->error), "expired"));
	f->now_ms = FAKE_NOW;
}

/* The string that goes to the host: it parses, and pins the authority of kedge.yaml. */
static void a_token(void **state)
{
	(void)state;
	char authority[256];
	struct enrol_token t;
	text_format(authority, sizeof authority, "%s/ca/authority.pem", dir);
	f->config.authority = authority;
	fake_says(f, "POST /api/v1/ca/token", 200,
	    "{\"enrolment\":\"enr-01m83k430afm49mb8y8v4vdv33\",\"secret\":"
	    "\"30cd3ccceec46070ae62f1e4067fc4c5e5d570d1a201fa287311a137203684b9\",\"name\":\"web-9\",\"role\":\"host\","
	    "\"expires\":\"2026-09-21T15:13:20Z\"}");
	assert_int_equal(run("host enrol web-9 --lifetime 15m"), CLI_DONE);
	assert_string_equal(f->asked[0].body, "{\"name\":\"web-9\",\"lifetime_ms\":900000}");
	assert_string_equal(f->asked[0].key, ""); /* so that no answer with a secret is kept */
	char *token = strdup(buf_str(&f->out));
	token[strcspn(token, "\n")] = '\0';
	assert_int_equal(enrol_token_parse(token, &t, NULL), ERR_OK);
	assert_string_equal(t.enrolment, "enr-01m83k430afm49mb8y8v4vdv33");
	assert_null(strstr(buf_str(&f->error), t.secret)); /* only where it was asked for */
	assert_non_null(strstr(buf_str(&f->error), "kedge-agent join"));
	assert_int_equal(run("ca show @/ca/authority.pem -o json"), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->out), t.fingerprint));
	assert_int_equal(run("ca token ada --role operator -o json"), CLI_DONE);
	assert_string_equal(f->asked[0].body, "{\"name\":\"ada\",\"role\":\"operator\"}");
	assert_non_null(strstr(buf_str(&f->out), token));
	assert_int_equal(run("ca token ada --role king"), CLI_USAGE);
	free(token);
	f->answers[0] = (struct fake_answer){.path = "POST /api/v1/ca/token", .code = ERR_TIMEOUT};
	assert_int_equal(run("host enrol web-9"), CLI_TIMED_OUT);
	assert_int_equal(f->asked_count, 1); /* without a key there is no second try */
}

static void joining_needs_its_words(void **state)
{
	(void)state;
	static const char *const bad[] = {"ca join ada --authority @/ca/authority.pem --out @/ada",
	    "ca join ada --token x --out @/ada", "ca join ada --token x --authority @/ca/authority.pem --out @/ada",
	    "ca join ada --token x --authority @/ca/authority.pem --out @/ada --controller http://x --domain d.e"};
	char path[256];
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(run(bad[i]), CLI_USAGE);
	text_format(path, sizeof path, "%s/ada", dir);
	assert_false(file_exists(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_quickstart_does), cmocka_unit_test(refusals),
	    cmocka_unit_test(a_token), cmocka_unit_test(joining_needs_its_words)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
