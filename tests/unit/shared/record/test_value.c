/* Fields one at a time: names, keys that sort, copies, defaults, words, text for people. */
#include "tests/unit/shared/record/support.h"

EVERY_TREE

static void key_of(const char *field, const struct every *e, struct buf *ret)
{
	fine(record_field_key(record_field(&every_type, field), e, ret, &err));
}

/* The key of b sorts behind that of a. */
static void ascends(const char *field, const struct every *a, const struct every *b)
{
	CLEANUP(buf_done) struct buf x = BUF_INIT, y = BUF_INIT;
	key_of(field, a, &x);
	key_of(field, b, &y);
	size_t n = x.size < y.size ? x.size : y.size;
	int order = memcmp(x.data, y.data, n);
	if (order > 0 || (order == 0 && x.size >= y.size))
		fail_msg("%s: keys do not ascend", field);
}

static void keys_sort_as_values_do(void **state)
{
	(void)state;
	static const int64_t whole[] = {INT64_MIN, -300, -1, 0, 1, 256, INT64_MAX};
	static const double real[] = {-1e300, -2.5, -1e-300, 0, 1e-300, 0.5, 256, 1e300};
	static const char *const text[] = {NULL, "a", "aa", "ab", "b", "\xc3\xa9"};
	struct every a = {0}, b = {0};
	for (size_t i = 0; i + 1 < sizeof(whole) / sizeof(whole[0]); i++) {
		a.with_sign = whole[i], b.with_sign = whole[i + 1];
		ascends("with_sign", &a, &b);
		a.large = (uint64_t)i * 255, b.large = (uint64_t)(i + 1) * 255;
		ascends("large", &a, &b);
		a.small = (uint32_t)i * 255, b.small = (uint32_t)(i + 1) * 255;
		ascends("small", &a, &b);
		a.host.b[15] = (uint8_t)i, b.host.b[15] = (uint8_t)(i + 1);
		ascends("host", &a, &b);
	}
	for (size_t i = 0; i + 1 < sizeof(real) / sizeof(real[0]); i++) {
		a.real = real[i], b.real = real[i + 1];
		ascends("real", &a, &b);
	}
	for (size_t i = 0; i + 1 < sizeof(text) / sizeof(text[0]); i++) {
		a.name = text[i], b.name = text[i + 1];
		ascends("name", &a, &b);
	}
}

static void keys_are_what_the_store_keeps(void **state)
{
	(void)state;
	struct every e;
	every_sample(&e);
	fine(record_key(&every_type, &e, &out, &err));
	assert_int_equal(out.size, sizeof("web-1") + sizeof(struct id));
	assert_memory_equal(out.data, "web-1\0\1\2\3", 9);
	buf_clear(&out);
	e.colour = COLOUR_BLUE; /* by its word: numbers may change from build to build */
	key_of("colour", &e, &out);
	assert_memory_equal(out.data, "blue", out.size);
	assert_int_equal(out.size, sizeof("blue"));
	buf_clear(&out);
	e.real = -0.0;
	key_of("real", &e, &out);
	assert_memory_equal(out.data, "\x80\0\0\0\0\0\0\0", 8);
	refused(record_field_key(record_field(&every_type, "words"), &e, &out, &err), ERR_UNSUPPORTED, "words");
	refused(record_key(&tree_type, &(struct tree){0}, &out, &err), ERR_UNSUPPORTED, "tree: the type has no key");
	e.colour = 77;
	refused(record_field_key(record_field(&every_type, "colour"), &e, &out, &err), ERR_INVALID, "colour");
}

static void a_copy_stands_alone(void **state)
{
	(void)state;
	struct every e, copy;
	char word[] = "one", name[] = "web-1";
	const char *words[] = {word};
	char argument[] = "ls";
	const char *argv[] = {argument};
	struct part part = {.name = "p", .every_ms = 1000, .argv = {argv, 1}};
	uint8_t raw[] = {1, 2, 3};
	every_sample(&e);
	e.name = name;
	e.words = (struct list){words, 1};
	e.maybe = &part;
	e.parts = (struct list){&part, 1};
	e.raw = (struct bytes){raw, 3};
	fine(record_copy(&every_type, &e, arena, &copy, &err));
	assert_true(record_equal(&every_type, &e, &copy));
	word[0] = name[0] = argument[0] = 'X';
	raw[0] = 9;
	part.every_ms = 5;
	assert_string_equal(copy.name, "web-1");
	assert_string_equal(LIST_AT(copy.words, const char *, 0), "one");
	assert_int_equal(copy.maybe->every_ms, 1000);
	assert_string_equal(LIST_AT(copy.maybe->argv, const char *, 0), "ls");
	assert_string_equal(LIST_AT(LIST_AT(copy.parts, struct part, 0).argv, const char *, 0), "ls");
	assert_int_equal(copy.raw.data[0], 1);
}

/* Each field, when it alone differs, makes another record. */
static void equality_sees_every_field(void **state)
{
	(void)state;
	struct part part = {.name = "p"}, other = {.name = "p", .weight = 1};
	const char *word[] = {"x"}, *other_word[] = {"y"};
	uint64_t number = 4, other_number = 5;
	uint8_t raw = 1, other_raw = 2;
#define DIFFERS(MEMBER, A, B)                                                                                          \
	do {                                                                                                           \
		struct every a = {.MEMBER = A}, b = {.MEMBER = B}, none = {0};                                         \
		assert_true(record_equal(&every_type, &a, &a));                                                        \
		assert_false(record_equal(&every_type, &a, &b));                                                       \
		assert_false(record_equal(&every_type, &a, &none));                                                    \
		assert_false(record_equal(&every_type, &none, &a));                                                    \
	} while (0)
	DIFFERS(yes, true, false);
	DIFFERS(small, 1, 2);
	DIFFERS(with_sign, -1, 1);
	DIFFERS(real, 0.5, 1);
	DIFFERS(at_ms, 1, 2);
	DIFFERS(colour, COLOUR_GREEN, COLOUR_BLUE);
	DIFFERS(host.b[15], 1, 2);
	DIFFERS(digest.b[31], 1, 2);
	DIFFERS(note, "", "b");
	DIFFERS(details, "1", "2");
	DIFFERS(raw, ((struct bytes){&raw, 1}), ((struct bytes){&other_raw, 1}));
	DIFFERS(maybe, &part, &other);
	DIFFERS(brief.weight, 1, 2);
	DIFFERS(parts, ((struct list){&part, 1}), ((struct list){&other, 1}));
	DIFFERS(words, ((struct list){word, 1}), ((struct list){other_word, 1}));
	DIFFERS(numbers, ((struct list){&number, 1}), ((struct list){&other_number, 1}));
	const struct every zero = {.real = 0.0}, minus = {.real = -0.0};
	assert_true(record_equal(&every_type, &zero, &minus));
}

static void defaults(void **state)
{
	(void)state;
	struct every e;
	fine(record_defaults(&every_type, arena, &e, &err));
	assert_int_equal(e.port, 5432);
	assert_int_equal(e.brief.every_ms, 30000);
	assert_int_equal(e.brief.limit_bytes, 65536);
	assert_string_equal(e.greeting, "hello");
	assert_string_equal(LIST_AT(e.defaulted, const char *, 0), "a");
	assert_null(e.name);
	assert_int_equal(e.took_ms, 0);
}

static void fields_and_words_by_name(void **state)
{
	(void)state;
	uint32_t v = 99;
	assert_string_equal(record_field(&every_type, "took_ms")->name, "took_ms");
	assert_ptr_equal(record_field(&every_type, "took"), record_field(&every_type, "took_ms"));
	assert_ptr_equal(record_field(&every_type, "size"), record_field(&every_type, "size_bytes"));
	assert_null(record_field(&every_type, "took_"));
	assert_null(record_field(&every_type, ""));
	assert_string_equal(enum_name(&colour_enum, COLOUR_BLUE), "blue");
	assert_string_equal(enum_name(&colour_enum, COLOUR_HOLE), "?");
	assert_string_equal(enum_name(&colour_enum, 4), "?");
	assert_true(enum_value(&colour_enum, "blue", &v) && v == COLOUR_BLUE);
	assert_false(enum_value(&colour_enum, "?", &v) || enum_value(&colour_enum, "", &v) ||
		     enum_value(&colour_enum, "BLUE", &v));
}

static void shown(const char *field, const struct every *e, const char *want)
{
	buf_clear(&out);
	record_field_text(record_field(&every_type, field), e, &out);
	assert_string_equal(buf_str(&out), want);
}

static void text_for_people(void **state)
{
	(void)state;
	struct every e;
	struct part parts[] = {{.name = "p"}, {.name = "q"}};
	uint64_t numbers[] = {1, 2};
	every_sample(&e);
	e.took_ms = 250000;
	e.size_bytes = 1536;
	e.keyed = (struct list){parts, 2};
	e.numbers = (struct list){numbers, 2};
	e.real = -1.5;
	e.password = "x";
	e.raw = (struct bytes){(const uint8_t *)"abc", 3};
	shown("name", &e, "web-1");
	shown("host", &e, "host-01081g00000000000000000000");
	shown("incident", &e, "-");
	shown("yes", &e, "no");
	shown("small", &e, "7");
	shown("large", &e, "0");
	shown("took", &e, "4 min 10 s");
	shown("size", &e, "1.5 KiB");
	shown("at", &e, "2023-11-14T22:13:20Z");
	shown("real", &e, "-1.5");
	shown("colour", &e, "red");
	shown("keyed", &e, "p, q");
	shown("numbers", &e, "1, 2");
	shown("words", &e, "one, two");
	shown("password", &e, "(secret)");
	shown("raw", &e, "3 bytes");
	shown("note", &e, "-");
	shown("brief", &e, "b");
	e.note = "\033[31mred\nnext\xc2\x9b"
		 "1m\xe2\x80\xae"
		 "abc\x7f\xc3\xa9"; /* it steers no terminal */
	shown("note", &e, "?[31mred next?1m?abc?\xc3\xa9");
	e.note = "";
	shown("note", &e, "\"\"");
}

/* Every writer, stopped after each byte: an error, and (for sanitizers) nothing lost. */
static void no_room(void **state)
{
	(void)state;
	struct every e;
	every_sample(&e);
	e.details = "[1,{\"a\":2}]";
	const void *record = &e;
	const struct table_options o = {.wide = true};
	for (size_t limit = 1; limit < 100; limit++) {
		struct buf small = {.limit = limit};
		enum err_code rc[] = {
		    record_to_msgpack(&every_type, &e, &small, NULL),
		    (buf_clear(&small), record_to_json(&every_type, &e, RECORD_PRETTY, &small, NULL)),
		    (buf_clear(&small), record_to_yaml(&every_type, &e, &small, NULL)),
		    (buf_clear(&small), record_table(&every_type, &record, 1, &o, &small, NULL)),
		    (buf_clear(&small), record_sheet(&every_type, &e, &o, &small, NULL)),
		};
		buf_done(&small);
		for (size_t i = 0; i < sizeof(rc) / sizeof(rc[0]); i++)
			assert_int_equal(rc[i], ERR_NOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(keys_sort_as_values_do),
	    TEST(keys_are_what_the_store_keeps),
	    TEST(a_copy_stands_alone),
	    TEST(equality_sees_every_field),
	    TEST(defaults),
	    TEST(fields_and_words_by_name),
	    TEST(text_for_people),
	    TEST(no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
