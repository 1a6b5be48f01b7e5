#include <string.h>

#include "shared/base/id.h"
#include "tests/lib/unit.h"

static void layout(void **state)
{
	(void)state;
	struct random random;
	random_init_seed(&random, 1);
	static const uint64_t times[] = {0, 1, 1795407153123u, 0xffffffffffffu};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct id id = id_new(times[i], &random);
		assert_int_equal(id_time_ms(id), times[i]);
		assert_int_equal(id.b[6] >> 4, 7);
		assert_int_equal(id.b[8] >> 6, 2);
		assert_false(id_is_zero(id));
	}
	assert_true(id_is_zero((struct id){0}));
}

static void ids_differ(void **state)
{
	(void)state;
	struct random random;
	random_init_system(&random);
	struct id last = {0};
	for (int i = 0; i < 1000; i++) {
		struct id id = id_new(5, &random);
		assert_false(id_equal(id, last));
		last = id;
	}
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

/* Bytes, text and time have one order. */
static void one_order(void **state)
{
	(void)state;
	struct random random;
	random_init_seed(&random, 2);
	for (int i = 0; i < 5000; i++) {
		uint64_t t[2] = {random_u64(&random) >> 16, random_u64(&random) >> 16};
		if (i % 3 == 0)
			t[1] = t[0] + 1;
		struct id a = id_new(t[0], &random), b = id_new(t[1], &random);
		char x[ID_TEXT_MAX], y[ID_TEXT_MAX];
		int by_text = strcmp(id_format(ID_EVENT, a, x), id_format(ID_EVENT, b, y));
		assert_int_equal(sign(id_compare(a, b)), sign(by_text));
		if (t[0] != t[1])
			assert_int_equal(sign(id_compare(a, b)), t[0] < t[1] ? -1 : 1);
	}
}

static void round_trip(void **state)
{
	(void)state;
	struct random random;
	random_init_seed(&random, 3);
	for (unsigned kind = 0; kind < ID_KIND_COUNT; kind++) {
		struct id ids[] = {{{0}}, {{0}}, {{0}}};
		memset(ids[1].b, 0xff, sizeof(ids[1].b));
		random_fill(&random, ids[2].b, sizeof(ids[2].b));
		for (int i = 0; i < 3; i++) {
			char text[ID_TEXT_MAX];
			struct id back;
			assert_ptr_equal(id_format(kind, ids[i], text), text);
			assert_int_equal(strlen(text), strlen(id_kind_prefix(kind)) + 27);
			assert_int_equal(id_parse(kind, text, &back, NULL), ERR_OK);
			assert_true(id_equal(ids[i], back));
		}
	}
}

static void known_text(void **state)
{
	(void)state;
	struct id id = {
	    {0x01, 0x93, 0x5d, 0x4e, 0x1a, 0xa3, 0x7f, 0xed, 0xcb, 0xa9, 0x87, 0x65, 0x43, 0x21, 0x0f, 0x1e}};
	char text[ID_TEXT_MAX];
	/* Worked out apart: the number that the bytes are, in base 32. */
	assert_string_equal(id_format(ID_SNAPSHOT, id, text), "snap-01jdemw6n3fzpwqac7cn1j23ry");
}

static void refuses(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "snap", "snap-", "host-01jd0000000000000000000000",
	    "01jd0000000000000000000000", "snap_01jd0000000000000000000000", "snap-01jd000000000000000000000",
	    "snap-01jd00000000000000000000000", "snap-81jd0000000000000000000000", "snap-z1jd0000000000000000000000",
	    "snap-01jd000000000000000000000i", "snap-01jd000000000000000000000l", "snap-01jd000000000000000000000o",
	    "snap-01jd000000000000000000000u", "snap-01JD0000000000000000000000", "Snap-01jd0000000000000000000000",
	    "snap-01jd00000000000000000000 0", " snap-01jd0000000000000000000000", "snap-01jd0000000000000000000000 ",
	    "snap-01jd0000000000000000000000\n", "snap-01jd00000000000-00000000000", "snap--1jd0000000000000000000000",
	    "snap-01jd00000000000000000000\xc3\xa9"};
	struct id id = {{42}}, before = id;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = ERR_INIT;
		if (id_parse(ID_SNAPSHOT, wrong[i], &id, &err) != ERR_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_true(id_equal(id, before));
		assert_non_null(strstr(err.msg, "snap"));
		assert_non_null(strstr(err.msg, wrong[i][0] == 'h' ? "host-01jd" : ""));
	}
	assert_int_equal(id_parse(ID_SNAPSHOT, NULL, &id, NULL), ERR_INVALID);
	assert_int_equal(id_parse(ID_SNAPSHOT, "snap-71jd0000000000000000000000", &id, NULL), ERR_OK);
}

static void four_texts_at_once(void **state)
{
	(void)state;
	struct id a = {{1}}, b = {{2}}, c = {{3}}, d = {{4}};
	const char *text[] = {id_text(ID_HOST, a), id_text(ID_HOST, b), id_text(ID_HOST, c), id_text(ID_HOST, d)};
	struct id want[] = {a, b, c, d};
	for (int i = 0; i < 4; i++) {
		struct id back;
		assert_int_equal(id_parse(ID_HOST, text[i], &back, NULL), ERR_OK);
		assert_true(id_equal(back, want[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(layout),
	    cmocka_unit_test(ids_differ),
	    cmocka_unit_test(one_order),
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(known_text),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(four_texts_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
