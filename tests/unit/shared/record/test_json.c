/* JSON: the exact text, and what is refused. */
#include "tests/unit/shared/record/support.h"

EVERY_TREE

#define LEAST                                                                                                          \
	"\"name\":\"n\",\"host\":\"host-00000000000000000000000001\",\"small\":1,\"at\":\"2023-11-14T22:13:20.123Z\"," \
	"\"began\":\"1970-01-01T00:00:00Z\",\"always_colour\":\"red\",\"brief\":\"b\",\"words\":[\"w\"]"

static enum err_code take(const char *more, unsigned options, struct every *e)
{
	buf_clear(&out);
	buf_printf(&out, "{" LEAST "%s%s}", more[0] ? "," : "", more);
	return record_from_json(&every_type, buf_str(&out), out.size, options, arena, e, &err);
}

static void says(const char *more, const char *part)
{
	struct every e;
	enum err_code rc = take(more, RECORD_STRICT, &e);
	refused(rc, rc == ERR_LIMIT ? ERR_LIMIT : ERR_INVALID, part);
}

static void the_exact_text(void **state)
{
	(void)state;
	struct every e;
	struct part parts[2] = {{.name = "p", .every_ms = 1500, .limit_bytes = 1024}, {.name = "q", .every_ms = 1000}};
	every_sample(&e);
	e.keyed = (struct list){parts, 2};
	e.large = UINT64_MAX;
	e.took_ms = 90000;
	e.real = 0.1;
	e.note = "a\"\\\n\x01\xc3\xa9";
	e.details = "{\"a\":1}";
	e.colour = COLOUR_GREEN;
	fine(record_to_json(&every_type, &e, 0, &out, &err));
	assert_string_equal(buf_str(&out),
	    "{\"name\":\"web-1\",\"host\":\"host-01081g00000000000000000000\",\"yes\":false,\"small\":7,\"port\":80,"
	    "\"large\":\"18446744073709551615\",\"real\":0.1,\"always_real\":0,\"at\":\"2023-11-14T22:13:20.123Z\","
	    "\"began\":\"1970-01-01T00:00:00.000Z\",\"took_ms\":90000,\"colour\":\"green\",\"always_colour\":\"red\","
	    "\"note\":\"a\\\"\\\\\\n\\u0001\xc3\xa9\",\"greeting\":null,\"details\":{\"a\":1},"
	    "\"brief\":{\"name\":\"b\",\"every_ms\":1000,\"limit_bytes\":65536},"
	    "\"keyed\":{\"p\":{\"every_ms\":1500,\"limit_bytes\":1024},\"q\":{\"every_ms\":1000,\"limit_bytes\":0}},"
	    "\"words\":[\"one\",\"two\"],\"numbers\":[],\"defaulted\":[]}");
}

static void secrets_stay_inside(void **state)
{
	(void)state;
	struct every e, back;
	every_sample(&e);
	e.password = "hunter2-hunter2";
	fine(record_to_json(&every_type, &e, RECORD_PRETTY, &out, &err));
	fine(record_to_yaml(&every_type, &e, &out, &err));
	fine(record_sheet(&every_type, &e, &(struct table_options){.wide = true}, &out, &err));
	fine(record_table(&every_type, (const void *[]){&e}, 1, &(struct table_options){.wide = true}, &out, &err));
	assert_null(strstr(buf_str(&out), "hunter2"));
	assert_non_null(strstr(buf_str(&out), "(secret)"));
	buf_clear(&out);
	fine(record_to_json(&every_type, &e, RECORD_WITH_SECRETS, &out, &err));
	assert_non_null(strstr(buf_str(&out), "\"password\":\"hunter2-hunter2\""));
	fine(record_from_json(&every_type, buf_str(&out), out.size, 0, arena, &back, &err));
	assert_string_equal(back.password, e.password);
	says("\"password\":[\"hunter2\"]", "password: expected text");
	says("\"password\":1234567", "password: expected text");
	assert_null(strstr(err.msg, "1234567"));
}

static void what_is_left_out_has_its_default(void **state)
{
	(void)state;
	struct every e;
	fine(take("", RECORD_STRICT, &e));
	assert_string_equal(e.greeting, "hello");
	assert_int_equal(e.port, 5432);
	assert_int_equal(e.defaulted.count, 2);
	assert_string_equal(LIST_AT(e.defaulted, const char *, 1), "b c");
	assert_string_equal(e.brief.name, "b"); /* a scalar stands for the first field */
	assert_int_equal(e.brief.every_ms, 30000);
	assert_null(e.note);
	assert_null(e.maybe);
	fine(take("\"greeting\":null,\"defaulted\":null,\"note\":null,\"maybe\":null", RECORD_STRICT, &e));
	assert_null(e.greeting); /* null is not the default */
	assert_int_equal(e.defaulted.count, 0);
}

static void lone_values(void **state)
{
	(void)state;
	struct every e;
	fine(take("\"parts\":\"x\"", RECORD_STRICT, &e));
	assert_int_equal(e.parts.count, 1);
	assert_string_equal(LIST_AT(e.parts, struct part, 0).name, "x");
	fine(take("\"parts\":{\"name\":\"y\",\"argv\":\"ls\"}", RECORD_STRICT, &e));
	assert_string_equal(LIST_AT(e.parts, struct part, 0).name, "y");
	assert_string_equal(LIST_AT(LIST_AT(e.parts, struct part, 0).argv, const char *, 0), "ls");
	fine(take("\"parts\":[\"a\",{\"name\":\"b\"}]", RECORD_STRICT, &e));
	assert_int_equal(e.parts.count, 2);
	says("\"numbers\":3", "numbers: expected a list, got 3");
	says("\"keyed\":[]", "keyed: expected an object from names, got an array");
	says("\"keyed\":{\"a\":{\"name\":\"a\"}}", "keyed.a.name: stands there twice");
}

static void errors_name_the_path_and_what_was_wanted(void **state)
{
	(void)state;
	says("\"parts\":[{\"name\":\"a\"},{\"name\":\"b\",\"every_ms\":\"30s\"}]",
	    "parts[1].every_ms: expected a number of milliseconds, got 30s");
	says("\"keyed\":{\"a\":{\"limit_bytes\":-1}}", "keyed.a.limit_bytes: expected a number of bytes, got -1");
	says("\"colour\":\"yellow\"", "colour: expected one of red, green, blue, got yellow");
	says("\"colour\":1", "colour: expected one of");
	says("\"real\":\"1\"", "real: expected a number, got 1");
	says("\"port\":70000", "port: expected at most 65535, got 70000");
	says("\"port\":0", "port: expected at least 1, got 0");
	says("\"port\":80.0", "port: expected a whole number from 0, got 80.0");
	says("\"took_ms\":4e2", "took_ms: expected a number of milliseconds");
	says("\"incident\":\"host-00000000000000000000000001\"", "incident: expected an id such as \"inc-\"");
	says("\"digest\":\"00\"", "digest: expected 64 hex digits");
	says("\"raw\":\"!!!\"", "raw: expected base64, got !!!");
	says("\"raw\":\"AA==\"", "raw: expected at least 3 bytes, got 1");
	says("\"ids\":[\"x\"]", "ids[0]: expected an id such as \"snap-\"");
	says("\"ids\":[null]", "ids[0]: expected an id");
	says("\"yes\":1", "yes: expected true or false, got 1");
	says("\"maybe\":[]", "maybe: expected an object, got an array");
	says("\"smal\":1", "unknown key \"smal\"; did you mean \"small\"?");
	says("\"at_ms\":5", "unknown key \"at_ms\"");
	says("\"details\":{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "details: nests more than 16 levels");
}

static void malformed_text(void **state)
{
	(void)state;
	struct every e;
	says("\"yes\":true,\"yes\":true", "duplicate object key");
	says("\"note\":\"a\\u0000b\"", "\\u0000 is not allowed");
	says("\"note\":\"a\xff\"", "unable to decode byte 0xff");
	says("\"large\":18446744073709551615", "too big integer");
	says("\"real\":1e999", "real number overflow");
	says("\"zz\":}", "line 1");
	refused(record_from_json(&every_type, "[]", 2, 0, arena, &e, &err), ERR_INVALID,
	    "expected an object, got an array");
	refused(record_from_json(&every_type, "{} x", 4, 0, arena, &e, &err), ERR_INVALID, "end of file expected");
	refused(record_from_json(&every_type, "", 0, 0, arena, &e, &err), ERR_INVALID, "no valid JSON");
	buf_clear(&out);
	for (int i = 0; i < 100000; i++)
		buf_byte(&out, '[');
	refused(record_from_json(&every_type, buf_str(&out), out.size, 0, arena, &e, &err), ERR_LIMIT,
	    "nests more than 32 levels");
	/* brackets in strings are text, whatever stands before them */
	fine(take("\"zz\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\"", 0, &e));
}

static void canonical_json(void **state)
{
	(void)state;
	static const char text[] = " { \"b\" : [ 1.50, 1E2, -0, true ] , \"a\" : \"\\u00e9\\/\" } ";
	const char *canonical;
	fine(record_json_canonical(text, sizeof(text) - 1, arena, &canonical, &err));
	assert_string_equal(canonical, "{\"a\":\"\xc3\xa9/\",\"b\":[1.5,100.0,0,true]}");
	refused(record_json_canonical("{", 1, arena, &canonical, &err), ERR_INVALID, "line 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_exact_text),
	    TEST(secrets_stay_inside),
	    TEST(what_is_left_out_has_its_default),
	    TEST(lone_values),
	    TEST(errors_name_the_path_and_what_was_wanted),
	    TEST(malformed_text),
	    TEST(canonical_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
