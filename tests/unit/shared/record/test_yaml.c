/* YAML: what people write, where their slips are shown, and what comes out. */
#include "tests/unit/shared/record/support.h"

EVERY_TREE

#define LEAST                                                                                                          \
	"name: n\nhost: host-00000000000000000000000001\nsmall: 1\nat: 2023-11-14T22:13:20Z\nbegan: "                  \
	"1970-01-01T00:00:00Z\n"                                                                                       \
	"always_colour: red\nbrief: b\nwords: [w]\n" /* eight lines */

static enum err_code take(const char *more, struct every *e)
{
	buf_clear(&out);
	buf_printf(&out, LEAST "%s", more);
	return record_from_yaml(&every_type, "x.yaml", buf_str(&out), out.size, arena, e, &err);
}

static void says(const char *more, const char *part)
{
	struct every e;
	enum err_code rc = take(more, &e);
	refused(rc, rc == ERR_LIMIT ? ERR_LIMIT : ERR_INVALID, part);
}

static void what_people_write(void **state)
{
	(void)state;
	struct every e;
	fine(take("took: 1h30m\nsize: 64MiB\nreal: 2\nwith_sign: -5\nyes: true\ncolours: [blue, red]\n"
		  "keyed:\n  a: { every: 5s, limit: 512 }\n  b:\n  c: ~\nparts: [x, { name: y, every: 2s }]\n"
		  "details: { b: [1, two, 3.50, ~, \"4\", 007, -0.5, yes], a: true }\nnote: |\n  two\n  lines\nmaybe: "
		  "{ name: \"null\" }\n",
	    &e));
	assert_int_equal(e.took_ms, 5400000);
	assert_int_equal(e.size_bytes, 64 << 20);
	assert_true(e.real == 2.0);
	assert_int_equal(e.with_sign, -5);
	assert_true(e.yes);
	assert_int_equal(e.at_ms, 1700000000000);
	assert_int_equal(LIST_AT(e.colours, uint32_t, 0), COLOUR_BLUE);
	assert_int_equal(e.keyed.count, 3);
	assert_string_equal(LIST_AT(e.keyed, struct part, 0).name, "a");
	assert_int_equal(LIST_AT(e.keyed, struct part, 0).every_ms, 5000);
	assert_int_equal(LIST_AT(e.keyed, struct part, 0).limit_bytes, 512);
	assert_int_equal(LIST_AT(e.keyed, struct part, 2).every_ms, 30000);
	assert_string_equal(LIST_AT(e.parts, struct part, 0).name, "x");
	assert_string_equal(e.details, "{\"a\":true,\"b\":[1,\"two\",3.5,null,\"4\",\"007\",-0.5,\"yes\"]}");
	assert_string_equal(e.note, "two\nlines\n");
	assert_string_equal(e.maybe->name, "null");
}

static void slips_are_shown_where_they_are(void **state)
{
	(void)state;
	says("took: 30\n", "x.yaml:9: took: expected a duration such as \"30s\", got 30");
	says("\n\nkeyed:\n  a:\n    every:\n      30\n",
	    "x.yaml:13: keyed.a.every: expected a duration such as \"30s\", got 30");
	says("keyed:\n  a: { every: 0s }\n", "x.yaml:10: keyed.a.every: expected at least 1 s, got 0 ms");
	says("parts:\n  - name: a\n  - name: b\n    evry: 5s\n",
	    "x.yaml:12: parts[1]: unknown key \"evry\"; did you mean \"every\"?");
	says("tiemout: 5s\n", "x.yaml:9: unknown key \"tiemout\"");
	says("took_ms: 5\n", "x.yaml:9: unknown key \"took_ms\"; did you mean \"took\"?");
	says("colourss: red\n", "did you mean \"colours\"?");
	says("xyzzy: 1\n", "unknown key \"xyzzy\"");
	assert_null(strstr(err.msg, "did you mean"));
	says("yes: yes\n", "x.yaml:9: yes: expected true or false, got yes");
	says("port: \"80\"\n", "port: expected a whole number from 0, got 80");
	says("size: 64MB\n", "size: expected a size such as \"64MiB\", got 64MB");
	says("colour:\n", "colour: expected one of red, green, blue, got nothing");
	says("keyed: { a: 5 }\n", "keyed.a: expected a mapping, got 5");
	says("name: again\n", "x.yaml:9: name: stands there twice");
	says("words: [[a]]\n", "x.yaml:9: words: stands there twice");
	says("maybe: [a]\n", "maybe: expected a mapping, got a list");
	says("defaulted: [a, ~]\n", "defaulted[1]: expected text, got ~");
	says("defaulted: [a, b, c, d]\n", "defaulted: expected at most 3 items, got 4");
	says("details: { a: 1, a: 2 }\n", "details: key \"a\" stands there twice");
}

static void yaml_that_is_too_clever(void **state)
{
	(void)state;
	struct every e;
	says("note: &x hello\n", "x.yaml:9: anchors and aliases are not allowed");
	says("defaulted: [*x]\n", "x.yaml:9: anchors and aliases are not allowed");
	says("maybe: &a { name: x }\n", "anchors and aliases");
	says("defaulted: &a [x]\n", "anchors and aliases");
	says("note: !!str 5\n", "x.yaml:9: tags are not allowed");
	says("maybe: !x { name: x }\n", "tags are not allowed");
	says("defaulted: !x [x]\n", "tags are not allowed");
	says("maybe: { <<: { name: x } }\n", "merge keys are not allowed");
	says("---\nname: x\n", "x.yaml:9: a second document is not allowed");
	says("? [a]\n: b\n", "a key must be a word");
	says("note: \"a\\0b\"\n", "x.yaml:9: text holds a NUL");
	says("note: \"\xff\"\n", "no valid YAML");
	says("note: [\n", "no valid YAML");
	says("\tnote: x\n", "x.yaml:9: no valid YAML");
	refused(record_from_yaml(&every_type, "x.yaml", "", 0, arena, &e, &err), ERR_INVALID, "x.yaml:1: is empty");
	refused(
	    record_from_yaml(&every_type, "x.yaml", "a", 1, arena, &e, &err), ERR_INVALID, "expected a mapping, got a");
	buf_clear(&out);
	for (int i = 0; i < 100000; i++)
		buf_byte(&out, '[');
	refused(record_from_yaml(&every_type, "x.yaml", buf_str(&out), out.size, arena, &e, &err), ERR_LIMIT,
	    "nests too deeply");
}

static enum err_code small_check(const void *record, struct err *reterr)
{
	const struct part *p = record;
	return p->weight > 1 ? err_set(reterr, ERR_INVALID, "weight: is above 1") : ERR_OK;
}

static void a_types_own_check_has_path_and_line(void **state)
{
	(void)state;
	static const struct record_type checked =
	    RECORD_TYPE("part", struct part, part_fields, "a part", .check = small_check);
	struct holder {
		struct list parts;
	} h;
	static const struct field fields[] = {F_LIST(struct holder, parts, &checked, 9, FIELD_KEYED, "parts")};
	static const struct record_type holder = RECORD_TYPE("holder", struct holder, fields, "parts");
	static const char text[] = "parts:\n  a: {}\n  b:\n    argv: [x]\n    weight: 2\n";
	refused(record_from_yaml(&holder, "x.yaml", text, sizeof(text) - 1, arena, &h, &err), ERR_INVALID,
	    "x.yaml:5: parts.b.weight: is above 1");
}

static void the_exact_text(void **state)
{
	(void)state;
	struct every e;
	struct part parts[] = {{.name = "yes", .every_ms = 5400250, .limit_bytes = 3 << 20},
	    {.name = "q", .every_ms = 1000, .limit_bytes = 1000}};
	every_sample(&e);
	e.keyed = (struct list){parts, 2};
	e.note = "line one\nline two\n";
	e.greeting = "it's: \"so\"";
	e.details = "{\"a\":[1,\"1\",null]}";
	fine(record_to_yaml(&every_type, &e, &out, &err));
	assert_string_equal(buf_str(&out), "name: web-1\n"
					   "host: host-01081g00000000000000000000\n"
					   "yes: false\n"
					   "small: 7\n"
					   "port: 80\n"
					   "always_real: 0\n"
					   "at: 2023-11-14T22:13:20.123Z\n"
					   "began: 1970-01-01T00:00:00.000Z\n"
					   "always_colour: red\n"
					   "note: |\n"
					   "  line one\n"
					   "  line two\n"
					   "greeting: 'it''s: \"so\"'\n"
					   "details: {\"a\": [1, \"1\", null]}\n"
					   "brief:\n"
					   "  name: b\n"
					   "  every: 1s\n"
					   "  limit: 64KiB\n"
					   "keyed:\n"
					   "  \"yes\":\n"
					   "    every: 1h30m250ms\n"
					   "    limit: 3MiB\n"
					   "  q:\n"
					   "    every: 1s\n"
					   "    limit: 1000\n"
					   "words: [one, two]\n"
					   "numbers: []\n"
					   "defaulted: []\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_people_write),
	    TEST(slips_are_shown_where_they_are),
	    TEST(yaml_that_is_too_clever),
	    TEST(a_types_own_check_has_path_and_line),
	    TEST(the_exact_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
