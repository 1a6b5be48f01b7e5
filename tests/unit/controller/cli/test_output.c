/* What is printed, from answers in files. */
#include "tests/unit/controller/cli/fake.h"

#include "shared/base/cleanup.h"

static struct fake *f;
static char *kept[8];
static size_t kept_count;

static const char *file(const char *name)
{
	return kept[kept_count++] = data(name);
}

static int setup(void **state)
{
	(void)state;
	f = fake_new();
	fake_says(f, "GET /api/v1/status", 200, file("status.json"));
	fake_says(f, "GET /api/v1/incident/INC-3", 200, file("incident.json"));
	fake_says(
	    f, "GET /api/v1/timeline?limit=500&incident=inc-01m83k432jebyrfy16z23z0dgj", 200, file("timeline.json"));
	fake_says(f, "GET /api/v1/diagnosis/diag-01m83k432jebyrfy16z23z0dgk", 200, file("diagnosis.json"));
	fake_says(f, "GET /api/v1/change?limit=64&incident=inc-01m83k432jebyrfy16z23z0dgj", 200, file("changes.json"));
	fake_says(
	    f, "GET /api/v1/rollback?limit=64&incident=inc-01m83k432jebyrfy16z23z0dgj", 200, file("rollbacks.json"));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	while (kept_count)
		free(kept[--kept_count]);
	fake_free(f);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	fake_forget(f);
	f->io.out_terminal = false;
	f->io.width = 0;
	f->no_colour = NULL;
	return 0;
}

static void status(void **state)
{
	(void)state;
	assert_int_equal(fake_run(f, "status"), CLI_DONE);
	looks_like(&f->out, "status.txt");
	assert_string_equal(buf_str(&f->error), "");
	fake_forget(f);
	assert_int_equal(fake_run(f, "status -o wide"), CLI_DONE);
	looks_like(&f->out, "status.wide.txt");
	fake_forget(f);
	assert_int_equal(fake_run(f, "status -o yaml"), CLI_DONE);
	looks_like(&f->out, "status.yaml");
	fake_forget(f);
	f->io.out_terminal = true;
	f->io.width = 60;
	assert_int_equal(fake_run(f, "status"), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->out), "\033[31mDOWN\033[0m"));
}

static void colour_is_for_terminals(void **state)
{
	(void)state;
	assert_int_equal(fake_run(f, "incident show INC-3"), CLI_DONE);
	assert_null(strchr(buf_str(&f->out), '\033'));
	fake_forget(f);
	f->io.out_terminal = true;
	assert_int_equal(fake_run(f, "incident show INC-3"), CLI_DONE);
	assert_non_null(strchr(buf_str(&f->out), '\033'));
	fake_forget(f);
	f->no_colour = "1";
	assert_int_equal(fake_run(f, "incident show INC-3"), CLI_DONE);
	assert_null(strchr(buf_str(&f->out), '\033'));
	fake_forget(f);
	f->no_colour = NULL;
	assert_int_equal(fake_run(f, "incident show INC-3 --no-colour"), CLI_DONE);
	assert_null(strchr(buf_str(&f->out), '\033'));
}

static void incident(void **state)
{
	(void)state;
	assert_int_equal(fake_run(f, "incident show INC-3"), CLI_DONE);
	looks_like(&f->out, "incident.txt");
	assert_int_equal(f->asked_count, 5);
	fake_forget(f);
	assert_int_equal(fake_run(f, "incident show INC-3 -o json"), CLI_DONE);
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	char page[512];
	assert_true(incident_page_type.size <= sizeof page);
	assert_int_equal(
	    record_from_json(&incident_page_type, buf_str(&f->out), f->out.size, RECORD_STRICT, arena, page, NULL),
	    ERR_OK);
	assert_non_null(strstr(buf_str(&f->out), "kedge rollback start portal --host web-1"));
}

/* ---- lists ---- */

static void lists(void **state)
{
	(void)state;
	static const char hosts[] = "{\"items\":[{\"name\":\"web-1\",\"state\":\"connected\",\"since\":\"2026-09-21T10:"
				    "00:00Z\",\"version\":\"0.1.0\",\"last_seen\":\"2026-09-21T14:13:19Z\"},"
				    "{\"name\":\"web-2\",\"state\":\"silent\",\"since\":\"2026-09-21T14:00:00Z\","
				    "\"version\":\"0.1.0\",\"last_seen\":\"2026-09-21T14:00:00Z\"}],\"next\":\"77\"}";
	size_t mark = f->answer_count;
	fake_says(f, "GET /api/v1/host?limit=2&state=silent", 200, hosts);
	fake_says(f, "GET /api/v1/host?limit=2&state=silent&after=77", 200, "{\"items\":[]}");
	assert_int_equal(fake_run(f, "host list --limit 2 --state silent"), CLI_DONE);
	looks_like(&f->out, "hosts.txt");
	assert_non_null(strstr(buf_str(&f->error), "there are more"));
	fake_forget(f);
	assert_int_equal(fake_run(f, "host list --limit 2 --where state=silent -o json"), CLI_DONE);
	looks_like(&f->out, "hosts.json");
	fake_forget(f);
	assert_int_equal(fake_run(f, "host list --limit 2 --state silent --columns name,version,epoch_seen"), CLI_DONE);
	assert_string_equal(
	    buf_str(&f->out), "HOST   VERSION  EPOCH_SEEN\nweb-1  0.1.0             0\nweb-2  0.1.0             0\n");
	fake_forget(f);
	assert_int_equal(fake_run(f, "host list --limit 2 --state silent --columns nmae"), CLI_USAGE);
	assert_non_null(strstr(buf_str(&f->error), "nmae"));
	f->answer_count = mark;
}

static void pages(void **state)
{
	(void)state;
	/* Three pages of one host each, though 500 are asked for at a time. */
	static const char *const one[] = {"{\"items\":[{\"name\":\"a\"}],\"next\":\"61 00\"}",
	    "{\"items\":[{\"name\":\"b\"}],\"next\":\"62\"}", "{\"items\":[{\"name\":\"c\"}]}"};
	size_t mark = f->answer_count;
	fake_says(f, "GET /api/v1/host?limit=500", 200, one[0]);
	fake_says(f, "GET /api/v1/host?limit=500&after=61%2000", 200, one[1]);
	fake_says(f, "GET /api/v1/host?limit=500&after=62", 200, one[2]);
	assert_int_equal(fake_run(f, "host list --all --columns name"), CLI_DONE);
	assert_string_equal(buf_str(&f->out), "HOST\na\nb\nc\n");
	assert_string_equal(buf_str(&f->error), "");
	assert_int_equal(f->asked_count, 3);
	fake_forget(f);
	fake_says(f, "GET /api/v1/incident?limit=50&order=desc&service=a%2Fb%26c%3Dd", 200, "{\"items\":[]}");
	assert_int_equal(
	    fake_run(f, "incident list --service a/b&c=d"), CLI_DONE); /* what is typed cannot become another query */
	assert_string_equal(buf_str(&f->error), "nothing to show\n");
	fake_forget(f);
	fake_says(f, "GET /api/v1/incident?limit=50", 200, "{\"items\":[]}");
	assert_int_equal(fake_run(f, "incident list --oldest -o json"), CLI_DONE);
	assert_string_equal(buf_str(&f->out), "{\"items\":[],\"more\":false}\n");
	f->answer_count = mark;
}

/* What moves towards its limit stands on the pages of its service and its host, the nearest first, and nothing else. */
static void forecasts(void **state)
{
	(void)state;
	static const char empty[] = "{\"items\":[]}",
			  trends[] =
			      "{\"items\":["
			      "{\"service\":\"portal\",\"host\":\"web-1\",\"metric\":\"page.time\"},"
			      "{\"service\":\"portal\",\"host\":\"web-1\",\"metric\":\"uploads.space\",\"earliest\":"
			      "\"2026-09-25T10:00:00Z\",\"likely\":\"2026-09-26T10:00:00Z\"},"
			      "{\"service\":\"portal\",\"host\":\"web-1\",\"metric\":\"wal.share\",\"earliest\":"
			      "\"2026-09-22T10:00:00Z\",\"likely\":\"2026-09-22T12:00:00Z\",\"latest\":"
			      "\"2026-09-22T15:00:00Z\"}]}";
	static const char *const shown[] = {"service show portal", "host show web-1"};
	size_t mark = f->answer_count;
	fake_says(f, "GET /api/v1/service/portal", 200, "{\"name\":\"portal\"}");
	fake_says(f, "GET /api/v1/host/web-1", 200, "{\"name\":\"web-1\",\"state\":\"connected\"}");
	fake_says(f, "GET /api/v1/forecast?limit=500&service=portal", 200, trends);
	fake_says(f, "GET /api/v1/forecast?limit=500&host=web-1", 200, trends);
	fake_says(f, "GET /api/v1/health?*", 200, empty);
	fake_says(f, "GET /api/v1/drift?*", 200, empty);
	fake_says(f, "GET /api/v1/placement?*", 200, empty);
	for (size_t i = 0; i < 2; i++) {
		char command[64];
		assert_int_equal(fake_run(f, shown[i]), CLI_DONE);
		const char *out = buf_str(&f->out), *wal = strstr(out, "wal.share"),
			   *space = strstr(out, "uploads.space");
		assert_non_null(strstr(out, "Moves towards its limit"));
		assert_true(wal && space && wal < space);
		assert_null(strstr(out, "page.time"));
		fake_forget(f);
		text_format(command, sizeof command, "%s -o json", shown[i]);
		assert_int_equal(fake_run(f, command), CLI_DONE);
		out = buf_str(&f->out), wal = strstr(out, "\"wal.share\""), space = strstr(out, "\"uploads.space\"");
		assert_true(strstr(out, "\"forecasts\"") && wal && space && wal < space);
		fake_forget(f);
	}
	f->answer_count = mark;
}

/* Titles come from programs, texts from people and hosts: none may steer the terminal. */
static void nothing_steers_the_terminal(void **state)
{
	(void)state;
	size_t mark = f->answer_count;
	fake_says(f, "GET /api/v1/incident/INC-9", 200,
	    "{\"incident\":\"inc-01m83k432jebyrfy16z23z0dgj\",\"number\":9,\"state\":\"detected\",\"severity\":\"low\","
	    "\"service\":\"p\",\"title\":\"a\\u001b[2Jb\",\"health\":\"DOWN\",\"opened\":\"2026-09-21T14:12:34Z\"}");
	fake_says(f, "GET /api/v1/host/x", 500, "{\"error\":{\"code\":\"io\",\"text\":\"a\\u001b[31mb\"}}");
	assert_int_equal(fake_run(f, "incident show INC-9"), CLI_DONE);
	assert_null(strchr(buf_str(&f->out), '\033'));
	assert_non_null(strstr(buf_str(&f->out), "a?[2Jb"));
	fake_forget(f);
	assert_int_equal(fake_run(f, "host show x"), CLI_FAILED);
	assert_null(strchr(buf_str(&f->error), '\033'));
	f->answer_count = mark;
}

static void errors(void **state)
{
	(void)state;
	size_t mark = f->answer_count;
	fake_says(
	    f, "GET /api/v1/host/denied", 403, "{\"error\":{\"code\":\"denied\",\"text\":\"ada may not read host\"}}");
	fake_says(f, "GET /api/v1/host/nonsense", 200, "<html>");
	fake_says(f, "GET /api/v1/host/plain", 502, "Bad gateway");
	fake_fails(f, "GET /api/v1/host/away", ERR_UNREACHABLE, 0);
	fake_fails(f, "GET /api/v1/host/slow", ERR_TIMEOUT, 0);
	static const struct {
		const char *line;
		int code;
		const char *says;
	} all[] = {
	    {"host show denied", CLI_REFUSED, "kedge: host show: ada may not read host\n"},
	    {"host show nonsense", CLI_FAILED, "cannot be read"},
	    {"host show plain", CLI_FAILED, "HTTP status 502"},
	    {"host show away", CLI_UNREACHABLE, "is the controller running"},
	    {"host show slow", CLI_TIMED_OUT, "may have happened"},
	    {"host show nobody", CLI_NOT_FOUND, "knows no /api/v1/host/nobody"},
	    {"host list --limit 0", CLI_USAGE, "--limit"},
	    {"host list --limit many", CLI_USAGE, "--limit"},
	    {"host list --where state", CLI_USAGE, "field=value"},
	    {"host list -o xml", CLI_USAGE, "table, wide, json, jsonl or yaml"},
	    {"get nothing", CLI_USAGE, "there are: host service"},
	    {"frob", CLI_USAGE, "no command"},
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		fake_forget(f);
		int code = fake_run(f, all[i].line);
		if (code != all[i].code || !strstr(buf_str(&f->error), all[i].says) || f->out.size)
			fail_msg("%s: exit %d: %s%s", all[i].line, code, buf_str(&f->out), buf_str(&f->error));
	}
	f->answer_count = mark;
}

static void no_configuration(void **state)
{
	(void)state;
	f->io.config = NULL;
	assert_int_equal(fake_run(f, "--config /nonexistent/kedge.yaml status"), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), "/nonexistent/kedge.yaml"));
	assert_non_null(strstr(buf_str(&f->error), "--config FILE"));
	fake_forget(f);
	assert_int_equal(fake_run(f, "--version"), CLI_DONE);
	assert_string_equal(buf_str(&f->out), "kedge " KEDGE_VERSION "\n");
	f->io.config = &f->config;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(status, begin),
	    cmocka_unit_test_setup(colour_is_for_terminals, begin),
	    cmocka_unit_test_setup(incident, begin),
	    cmocka_unit_test_setup(lists, begin),
	    cmocka_unit_test_setup(pages, begin),
	    cmocka_unit_test_setup(forecasts, begin),
	    cmocka_unit_test_setup(nothing_steers_the_terminal, begin),
	    cmocka_unit_test_setup(errors, begin),
	    cmocka_unit_test_setup(no_configuration, begin),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
