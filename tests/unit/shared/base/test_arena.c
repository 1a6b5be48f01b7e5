#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/arena.h"
#include "shared/base/limits.h"
#include "tests/lib/unit.h"

static bool no_memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

static void zeroed_and_aligned(void **state)
{
	(void)state;
	struct arena *a = arena_new(0);
	for (size_t size = 0; size < 300; size++) {
		uint8_t *p = arena_alloc(a, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xaa, size);
		arena_strdup(a, "x"); /* puts the next one off its alignment */
	}
	/* Memory that was used before is zeroed as well. */
	arena_reset(a);
	assert_int_equal(arena_used(a), 0);
	uint8_t *p = arena_alloc(a, 1000);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(p[i], 0);
	arena_free(a);
	arena_free(NULL);
}

/* What lies between the one byte used and the next aligned place: none where each allocation is a block of its own. */
static size_t a_padding(struct arena *a)
{
	struct arena *same = arena_new(0);
	assert_int_equal(arena_used(a), 1);
	arena_strdup(same, "");
	arena_alloc(same, 1);
	size_t padding = arena_used(same) - 2;
	arena_free(same);
	return padding;
}

static void limit_is_exact(void **state)
{
	(void)state;
	struct arena *a = arena_new(64);
	assert_null(arena_alloc(a, 65));
	assert_int_equal(arena_used(a), 0);
	assert_non_null(arena_alloc(a, 64));
	assert_int_equal(arena_used(a), 64);
	assert_null(arena_alloc(a, 1));
	assert_null(arena_strdup(a, ""));
	arena_reset(a);
	assert_non_null(arena_alloc(a, 63));
	assert_non_null(arena_strdup(a, ""));
	assert_null(arena_alloc(a, 0)); /* distinct from others, so it takes a byte */
	assert_null(arena_alloc(a, SIZE_MAX));
	arena_reset(a);
	assert_non_null(arena_strdup(a, ""));
	size_t padding = a_padding(a);
	assert_null(arena_alloc(a, 64 - padding));
	assert_non_null(arena_alloc(a, 63 - padding)); /* what alignment costs counts */
	assert_int_equal(arena_used(a), 64);
	arena_free(a);
}

static void default_limit(void **state)
{
	(void)state;
	struct arena *a = arena_new(0);
	assert_null(arena_alloc(a, (size_t)ARENA_DEFAULT_LIMIT + 1));
	size_t step = 1 << 20;
	for (size_t i = 0; i < ARENA_DEFAULT_LIMIT / step; i++)
		assert_non_null(arena_alloc(a, step));
	assert_null(arena_alloc(a, 1));
	arena_free(a);
}

static void array_checks_the_product(void **state)
{
	(void)state;
	struct arena *a = arena_new(1024);
	assert_null(arena_array(a, SIZE_MAX / 2 + 1, 2)); /* would be 0 */
	assert_null(arena_array(a, SIZE_MAX / 8 + 2, 8));
	assert_non_null(arena_array(a, 0, 8));
	assert_non_null(arena_array(a, 8, 8));
	arena_free(a);
}

static void texts(void **state)
{
	(void)state;
	struct arena *a = arena_new(0);
	assert_null(arena_strdup(a, NULL));
	assert_null(arena_strndup(a, NULL, 3));
	assert_string_equal(arena_strdup(a, "abc"), "abc");
	assert_string_equal(arena_strndup(a, "abc", 2), "ab");
	assert_string_equal(arena_strndup(a, "abc", SIZE_MAX), "abc");
	assert_memory_equal(arena_dup(a, "a\0b", 3), "a\0b", 3);
	assert_string_equal(arena_printf(a, "%s-%d", "x", 5), "x-5");
	char big[9000];
	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_string_equal(arena_printf(a, "%s", big), big);
	arena_free(a);
	a = arena_new(8);
	assert_null(arena_printf(a, "%s", "12345678"));
	assert_string_equal(arena_printf(a, "%s", "1234567"), "1234567");
	arena_free(a);
}

/* What was handed out does not move or change when blocks are added. */
static void contents_stay(void **state)
{
	(void)state;
	struct arena *a = arena_new(0);
	uint8_t *p[500];
	for (size_t i = 0; i < 500; i++)
		memset(p[i] = arena_alloc(a, 1 + i * 7), (int)(i % 251), 1 + i * 7);
	for (size_t i = 0; i < 500; i++)
		for (size_t j = 0; j < 1 + i * 7; j++)
			assert_int_equal(p[i][j], i % 251);
	arena_free(a);
}

/* Whatever was taken since a mark goes, whatever was there before stays, again and again. */
static void marks(void **state)
{
	(void)state;
	struct arena *a = arena_new(100000);
	struct arena_mark empty = arena_mark(a);
	char *before = arena_strdup(a, "before");
	for (int round = 0; round < 50; round++) {
		struct arena_mark outer = arena_mark(a);
		size_t used = arena_used(a);
		char *kept = arena_printf(a, "kept %d", round);
		struct arena_mark inner = arena_mark(a);
		for (size_t i = 0; i < 40; i++)
			memset(arena_alloc(a, 1 + i * 61), 'x', 1 + i * 61); /* several blocks */
		arena_release(a, inner);
		char text[32];
		snprintf(text, sizeof text, "kept %d", round);
		assert_string_equal(kept, text);
		arena_release(a, outer);
		assert_int_equal(arena_used(a), used);
	}
	assert_string_equal(before, "before");
	arena_release(a, empty);
	assert_int_equal(arena_used(a), 0);
	assert_non_null(arena_alloc(a, 100000 - 64));
	arena_free(a);
}

static void out_of_memory(void **state)
{
	(void)state;
	no_memory = true;
	struct arena *none = arena_new(0);
	no_memory = false;
	assert_null(none);
	struct arena *a = arena_new(0);
	no_memory = true;
	void *p = arena_alloc(a, 100);
	no_memory = false;
	assert_null(p);
	assert_int_equal(arena_used(a), 0);
	assert_non_null(arena_alloc(a, 100));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(zeroed_and_aligned),
	    cmocka_unit_test(limit_is_exact),
	    cmocka_unit_test(default_limit),
	    cmocka_unit_test(array_checks_the_product),
	    cmocka_unit_test(texts),
	    cmocka_unit_test(contents_stay),
	    cmocka_unit_test(marks),
	    cmocka_unit_test(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
