/* msgpack: the exact bytes, and the cursor that reads what a peer declares. */
#include "tests/unit/shared/record/support.h"

#include "shared/record/msgpack_cursor.h"

EVERY_TREE

struct pair {
	const char *name;
	uint64_t count;
	int64_t change;
	double share;
};
static const struct field pair_fields[] = {
    F_STRING(struct pair, name, 8, FIELD_REQUIRED, "a"),
    F_U64(struct pair, count, 0, 0, "b"),
    F_I64(struct pair, change, 0, "c"),
    F_F64(struct pair, share, FIELD_ALWAYS, "d"),
};
static const struct record_type pair_type = RECORD_TYPE("pair", struct pair, pair_fields, "two");

static void the_shortest_form_in_the_order_of_the_table(void **state)
{
	(void)state;
	static const uint8_t want[] = "\x84\xa4name\xa1x\xa5"
				      "count\xcd\x01\x2c\xa6"
				      "change\xd0\x9c\xa5share\xcb\0\0\0\0\0\0\0\0";
	const struct pair p = {.name = "x", .count = 300, .change = -100, .share = -0.0};
	fine(record_to_msgpack(&pair_type, &p, &out, &err));
	assert_int_equal(out.size, sizeof(want) - 1);
	assert_memory_equal(out.data, want, out.size);
}

static void any_order_and_any_width_is_read(void **state)
{
	(void)state;
	static const uint8_t bytes[] = "\xde\0\x04\xa5share\x07\xd9\x06"
				       "change\xd3\xff\xff\xff\xff\xff\xff\xff\xfe\xa5"
				       "count\xcf\0\0\0\0\0\0\0\x05\xda\0\x04name\xdb\0\0\0\x01x";
	struct pair p;
	fine(record_from_msgpack(&pair_type, bytes, sizeof(bytes) - 1, arena, &p, &err));
	assert_string_equal(p.name, "x");
	assert_int_equal(p.count, 5);
	assert_int_equal(p.change, -2);
	assert_true(p.share == 7.0);
}

static void nothing_decoded_refers_to_the_input(void **state)
{
	(void)state;
	struct every e, back;
	every_sample(&e);
	fine(record_to_msgpack(&every_type, &e, &out, &err));
	fine(record_from_msgpack(&every_type, out.data, out.size, arena, &back, &err));
	memset(out.data, 0xee, out.size);
	assert_true(record_equal(&every_type, &e, &back));
}

static void errors_name_the_path(void **state)
{
	(void)state;
	struct every e;
	struct part parts[2] = {{.name = "a", .every_ms = 1000}, {.name = "b", .every_ms = 999}};
	every_sample(&e);
	e.parts = (struct list){parts, 2};
	refused(record_to_msgpack(&every_type, &e, &out, &err), ERR_INVALID,
	    "parts[1].every_ms: expected at least 1000, got 999");
	assert_int_equal(out.size, 0);
	e.parts.count = 6;
	refused(record_check(&every_type, &e, &err), ERR_LIMIT, "parts: expected at most 5 items, got 6");
	e.parts = (struct list){NULL, 1};
	refused(record_check(&every_type, &e, &err), ERR_INVALID, "parts: counts 1 items but has none");
}

static void a_key_of_a_keyed_list_stands_there_once(void **state)
{
	(void)state;
	struct every e;
	struct part parts[2] = {{.name = "a", .every_ms = 1000}, {.name = "a", .every_ms = 1000}};
	every_sample(&e);
	e.keyed = (struct list){parts, 2};
	refused(record_check(&every_type, &e, &err), ERR_INVALID, "keyed[1]: \"a\" stands there twice");
	parts[1].name = NULL;
	refused(record_check(&every_type, &e, &err), ERR_INVALID, "keyed[1]: has no name");
}

static void deep_records_end_in_an_error(void **state)
{
	(void)state;
	struct tree t = {.name = "x"};
	t.next = &t; /* round and round */
	refused(record_check(&tree_type, &t, &err), ERR_LIMIT, "more than 16 levels deep");
	refused(record_copy(&tree_type, &t, arena, &(struct tree){0}, &err), ERR_LIMIT, "more than 16 levels deep");
	assert_false(record_equal(&tree_type, &t, &t));
	buf_byte(&out, 0x82);
	for (int i = 0; i < 100; i++) {
		static const char level[] = "\xa4name\xa1x\xa4next\x82";
		buf_append(&out, level, sizeof(level) - 1);
	}
	refused(record_from_msgpack(&tree_type, out.data, out.size, arena, &t, &err), ERR_LIMIT,
	    "more than 16 levels deep");
}

static void a_full_arena_is_an_error(void **state)
{
	(void)state;
	struct every e, back = {0};
	every_sample(&e);
	fine(record_to_msgpack(&every_type, &e, &out, &err));
	for (size_t limit = 1;; limit += 7) {
		struct arena *small = arena_new(limit);
		enum err_code rc = record_from_msgpack(&every_type, out.data, out.size, small, &back, &err);
		arena_free(small);
		if (rc == ERR_OK)
			break;
		assert_int_equal(rc, ERR_NOMEM);
		assert_true(limit < 4096);
		assert_null(back.name);
	}
}

static enum token_kind kind_of(const void *bytes, size_t size)
{
	struct cursor c = {bytes, (const uint8_t *)bytes + size};
	return cursor_next(&c).kind;
}

static void declared_sizes_are_not_believed(void **state)
{
	(void)state;
	assert_int_equal(kind_of("\xdd\xff\xff\xff\xff\xc0", 6), TOKEN_TRUNCATED);
	assert_int_equal(kind_of("\x93\xc0\xc0", 3), TOKEN_TRUNCATED);
	assert_int_equal(kind_of("\x93\xc0\xc0\xc0", 4), TOKEN_ARRAY);
	assert_int_equal(kind_of("\x82\xc0\xc0\xc0", 4), TOKEN_TRUNCATED);
	assert_int_equal(kind_of("\x82\xc0\xc0\xc0\xc0", 5), TOKEN_MAP);
	assert_int_equal(kind_of("\xdb\0\0\0\x02"
				 "a",
			     6),
	    TOKEN_TRUNCATED);
	assert_int_equal(kind_of("\xc9\xff\xff\xff\xff\0", 6), TOKEN_TRUNCATED);
	assert_int_equal(kind_of("\xd8", 1), TOKEN_TRUNCATED);
	assert_int_equal(kind_of("", 0), TOKEN_TRUNCATED);
	assert_int_equal(kind_of("\xc1", 1), TOKEN_UNKNOWN);
}

static void skipping_knows_its_depth(void **state)
{
	(void)state;
	static const uint8_t three[] = {0x91, 0x81, 0xc0, 0x92, 0x01, 0x02, 0xc3};
	for (unsigned depth = 0; depth < 5; depth++) {
		struct cursor c = {three, three + sizeof(three)};
		assert_int_equal(cursor_skip(&c, depth), depth < 3 ? TOKEN_ARRAY : TOKEN_NIL);
		if (depth >= 3)
			assert_ptr_equal(c.at, three + sizeof(three) - 1);
	}
	uint8_t deep[64];
	memset(deep, 0x91, sizeof(deep));
	struct cursor c = {deep, deep + sizeof(deep)};
	assert_int_equal(cursor_skip(&c, 1000), TOKEN_ARRAY); /* never beyond RECORD_DEPTH_MAX */
	c = (struct cursor){three, three + 4};
	assert_int_equal(cursor_skip(&c, 9), TOKEN_TRUNCATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_shortest_form_in_the_order_of_the_table),
	    TEST(any_order_and_any_width_is_read),
	    TEST(nothing_decoded_refers_to_the_input),
	    TEST(errors_name_the_path),
	    TEST(a_key_of_a_keyed_list_stands_there_once),
	    TEST(deep_records_end_in_an_error),
	    TEST(a_full_arena_is_an_error),
	    TEST(declared_sizes_are_not_believed),
	    TEST(skipping_knows_its_depth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
