/* What a language model is told, and what is taken from it. */
#include <stdlib.h>
#include <string.h>

#include "controller/config/config.h"
#include "controller/prose/prose.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

static const struct prose_config config = {
    .url = "http://127.0.0.1:1/v1/chat/completions", .model = "some-model", .record_max_bytes = 16 << 10};
static struct err err;

static struct incident portal(void)
{
	static const char *hosts[] = {"web-1", "web-2"};
	return (struct incident){.number = 7,
	    .state = INCIDENT_RESOLVED,
	    .severity = SEVERITY_HIGH,
	    .service = "portal",
	    .title = "portal is DOWN on web-1",
	    .hosts = {hosts, 2},
	    .fault_ms = 1700000000000,
	    .resolved_ms = 1700000060000,
	    .resolution = "every host has been healthy for long enough"};
}

static void asked(const struct prose_config *c, const struct incident_entry *lines, size_t count,
    const struct diagnosis *d, struct buf *out)
{
	struct incident i = portal();
	struct list timeline = {(void *)(uintptr_t)lines, count};
	assert_int_equal(prose_question(c, &i, &timeline, d, out, &err), ERR_OK);
	assert_true(text_utf8_valid(out->data, out->size));
}

static void test_it_is_told_what_happened(void **state)
{
	(void)state;
	struct incident_entry lines[] = {
	    {.at_ms = 1700000001000, .kind = "opened", .text = "high: portal is DOWN on web-1"},
	    {.at_ms = 1700000002000, .kind = "rollback", .text = "RB-1: ok"},
	};
	struct diagnosis d = {.root_cause = "the configuration of portal changed on web-1", .confidence = 0.97};
	struct buf out = BUF_INIT;
	asked(&config, lines, 2, &d, &out);
	static const char *const holds[] = {"\"model\":\"some-model\"", "\"role\":\"system\"", "\"role\":\"user\"",
	    "\"max_tokens\":600", "INC-7", "portal is DOWN on web-1", "web-1, web-2", "RB-1: ok", "confidence 0.97",
	    "the configuration of portal changed", "2023-11-14T22:14:20"};
	for (size_t k = 0; k < sizeof holds / sizeof holds[0]; k++)
		if (!strstr(buf_str(&out), holds[k]))
			fail_msg("%s is not in %s", holds[k], buf_str(&out));
	buf_clear(&out);
	d.abstained = true; /* no cause: none is told */
	asked(&config, lines, 2, &d, &out);
	assert_null(strstr(buf_str(&out), "the configuration of portal changed"));
	buf_done(&out);
}

/* Whatever came past the other doors. */
static const char *const canaries[] = {"Margaret", "Thornbury", "4417123", "457-55-5462", "margaret.t@example.org",
    "hunter2", "March 3, 1948", "Greenfield", "March 3, 1948", "Greenfield", "203.0.113.77", "555-0142",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a"};
static void test_p56_no_identifier_is_told(void **state)
{
	(void)state;
	struct incident_entry lines[] = {
	    {.at_ms = 1,
		.kind = "note",
		.text = "Patient Margaret Thornbury, MRN: 4417123, SSN 457-55-5462, could not be admitted; call (212) "
			"555-0142"},
	    {.at_ms = 1,
		.kind = "note",
		.text = "She was seen at Greenfield General Hospital on March 3, 1948 before."},
	    {.at_ms = 2,
		.kind = "health",
		.text = "portal on web-1 is DOWN: login failed for margaret.t@example.org password=hunter2"},
	    {.at_ms = 3,
		.kind = "note",
		.text = "from 203.0.113.77 with token ghp_16C7e42F292c6912E7710c838347Ae178B4a in the header"},
	};
	struct diagnosis d = {.root_cause = "new line: password=hunter2 for margaret.t@example.org", .confidence = 1};
	struct buf out = BUF_INIT;
	asked(&config, lines, sizeof lines / sizeof lines[0], &d, &out);
	for (size_t k = 0; k < sizeof canaries / sizeof canaries[0]; k++)
		if (strstr(buf_str(&out), canaries[k]))
			fail_msg("%s is told: %s", canaries[k], buf_str(&out));
	assert_non_null(strstr(buf_str(&out), "could not be admitted")); /* what happened is */
	buf_done(&out);
}

static void test_what_is_told_is_bounded_and_keeps_both_ends(void **state)
{
	(void)state;
	enum { LINES = 4096 };
	struct incident_entry *lines = calloc(LINES, sizeof *lines);
	char *texts = calloc(LINES, 64);
	assert_non_null(lines);
	assert_non_null(texts);
	for (int k = 0; k < LINES; k++) {
		text_format(texts + 64 * k, 64, "line number %d of the timeline", k);
		lines[k] = (struct incident_entry){
		    .at_ms = 1700000000000 + (uint64_t)k, .kind = "health", .text = texts + 64 * k};
	}
	struct buf out = BUF_INIT;
	asked(&config, lines, LINES, NULL, &out);
	assert_true(out.size < config.record_max_bytes + 2048 + LINES / 4); /* the task, and escapes */
	assert_non_null(strstr(buf_str(&out), "line number 0 "));
	assert_non_null(strstr(buf_str(&out), "line number 4095 "));
	assert_non_null(strstr(buf_str(&out), "lines left out"));
	buf_clear(&out);
	struct prose_config small = config;
	small.record_max_bytes = 1024;
	asked(&small, lines, LINES, NULL, &out);
	assert_true(out.size < 1024 + 2048);
	buf_done(&out);
	free(texts);
	free(lines);
}

static enum err_code answer(struct arena *a, const char *json, const char **ret)
{
	*ret = NULL;
	err = ERR_INIT;
	return prose_answer(json, strlen(json), a, ret, &err);
}
#define SAYS(TEXT)                                                                                                     \
	"{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":" TEXT                \
	"},\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":3}}"

static void test_an_answer(void **state)
{
	(void)state;
	struct arena *a = arena_new(0);
	const char *text;
	assert_int_equal(answer(a, SAYS("\"  portal failed.\\nIt came back.\\n\\n\""), &text), ERR_OK);
	assert_string_equal(text, "portal failed.\nIt came back.");
	assert_int_equal(answer(a, SAYS("\"red \\u001b[31m bell \\u0007 c1 \\u009b0m tab\\tend\""), &text), ERR_OK);
	for (const char *p = text; *p; p++)
		assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	assert_null(strstr(text, "\xc2\x9b"));
	assert_int_equal(answer(a, SAYS("\"call margaret.t@example.org, password=hunter2\""), &text), ERR_OK);
	assert_null(strstr(text, "margaret"));
	assert_null(strstr(text, "hunter2"));
	arena_free(a);
}

static void test_what_is_no_answer(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "{", "null", "[]", "{}", "{\"choices\":[]}", "{\"choices\":[{}]}",
	    "{\"choices\":{}}", SAYS("null"), SAYS("\"\""), SAYS("\" \\n \""), SAYS("7"), SAYS("[\"a\"]"),
	    "{\"error\":{\"message\":\"no\"}}", "<html>", "{\"choices\":[{\"message\":{\"content\":\"x\"}}]} trailing",
	    "data: {\"choices\":[]}\n\n"};
	struct arena *a = arena_new(0);
	for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
		const char *text;
		if (answer(a, bad[k], &text) == ERR_OK)
			fail_msg("taken for an answer: %s", bad[k]);
		assert_null(text);
	}
	arena_free(a);
}

static void test_a_long_answer_is_cut_between_characters(void **state)
{
	(void)state;
	struct arena *a = arena_new(0);
	struct buf json = BUF_INIT;
	const char *text;
	buf_text(&json, "{\"choices\":[{\"message\":{\"content\":\"a");
	for (int k = 0; k < 20000; k++)
		buf_text(&json, "\xc3\xa4"); /* two bytes each, from an odd offset on */
	buf_text(&json, "\"}}]}");
	assert_int_equal(answer(a, buf_str(&json), &text), ERR_OK);
	assert_true(strlen(text) <= INCIDENT_SUMMARY_MAX && strlen(text) >= INCIDENT_SUMMARY_MAX - 1);
	assert_true(text_utf8_valid(text, strlen(text)));
	buf_done(&json);
	arena_free(a);
}

static enum err_code configured(struct arena *a, const char *prose, const struct controller_yaml **ret)
{
	struct buf y = BUF_INIT;
	err = ERR_INIT;
	buf_printf(&y,
	    "name: main\ndomain: kedge.example\nstate_directory: /x\nagents: { listen: \"127.0.0.1:1\" }\n"
	    "operators: { listen: \"127.0.0.1:2\" }\nidentity: { certificate: a, key: b, authority: c }\n"
	    "notify: { channels: { file: { kind: file, url: /x } } }\n%s\n",
	    prose);
	enum err_code rc = controller_config_parse("test.yaml", buf_str(&y), y.size, a, ret, &err);
	buf_done(&y);
	return rc;
}

static void test_it_is_off_unless_configured_and_encrypted(void **state)
{
	(void)state;
	struct arena *a = arena_new(0);
	const struct controller_yaml *y;
	struct workflow_config w;
	assert_int_equal(configured(a, "", &y), ERR_OK);
	assert_null(y->prose);
	assert_int_equal(controller_workflow(y, a, &w, &err), ERR_OK);
	assert_false(w.incident.summaries);
	assert_int_equal(
	    configured(a, "prose: { url: \"https://llm.kedge.example/v1/chat/completions\", model: m }", &y), ERR_OK);
	assert_int_equal(y->prose->timeout_ms, 20000);
	assert_int_equal(y->prose->record_max_bytes, 16 << 10);
	assert_int_equal(y->prose->answer_max_bytes, 64 << 10);
	assert_int_equal(controller_workflow(y, a, &w, &err), ERR_OK);
	assert_true(w.incident.summaries);
	assert_int_equal(configured(a, "prose: { url: \"http://localhost:8080/v1\", model: m }", &y), ERR_OK);
	assert_int_equal(configured(a, "prose: { url: \"http://[::1]/v1\", model: m }", &y), ERR_OK);
	static const char *const bad[] = {"prose: { url: \"http://llm.kedge.example/v1\", model: m }",
	    "prose: { url: \"http://127.0.0.1.evil.example/\", model: m }",
	    "prose: { url: \"http://localhost@evil.example/\", model: m }",
	    "prose: { url: \"http://127.0.0.1:1@evil.example/\", model: m }",
	    "prose: { url: \"file:///etc/passwd\", model: m }", "prose: { model: m }", "prose: { url: \"https://a/\" }",
	    "prose: { url: \"https://a/\", model: m, timeout: 10m }",
	    "prose: { url: \"https://a/\", model: m, answer_max: 1GiB }"};
	for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
		if (configured(a, bad[k], &y) == ERR_OK)
			fail_msg("taken: %s", bad[k]);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_is_told_what_happened),
	    cmocka_unit_test(test_p56_no_identifier_is_told),
	    cmocka_unit_test(test_what_is_told_is_bounded_and_keeps_both_ends),
	    cmocka_unit_test(test_an_answer),
	    cmocka_unit_test(test_what_is_no_answer),
	    cmocka_unit_test(test_a_long_answer_is_cut_between_characters),
	    cmocka_unit_test(test_it_is_off_unless_configured_and_encrypted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
