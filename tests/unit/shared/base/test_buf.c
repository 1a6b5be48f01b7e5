#include <stdlib.h>
#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/limits.h"
#include "tests/lib/unit.h"

static bool no_memory;

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
	return no_memory ? NULL : __real_realloc(p, size);
}

static void appends(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	assert_string_equal(buf_str(&b), "");
	buf_text(&b, "ab");
	buf_byte(&b, 'c');
	buf_append(&b, "d\0e", 3);
	buf_printf(&b, "%05d", 42);
	assert_false(b.failed);
	assert_int_equal(b.size, 11);
	assert_memory_equal(b.data, "abcd\0e00042", 12);
	assert_ptr_equal(buf_bytes(&b).data, b.data);
	assert_int_equal(buf_bytes(&b).size, 11);
	buf_done(&b);
	assert_null(b.data);
	assert_int_equal(b.size + b.capacity + b.limit, 0);
}

static void nul_follows_at_every_size(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	for (size_t i = 1; i <= 1000; i++) {
		buf_byte(&b, 'x');
		assert_int_equal(b.size, i);
		assert_true(b.capacity > b.size);
		assert_int_equal(strlen(buf_str(&b)), i);
	}
	while (b.size > 0) {
		buf_consume(&b, b.size < 7 ? b.size : 7);
		assert_int_equal(strlen(buf_str(&b)), b.size);
	}
	buf_text(&b, "again");
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	buf_done(&b);
}

static void reserve_leaves_the_size(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_text(&b, "ab");
	uint8_t *at = buf_reserve(&b, 100);
	assert_non_null(at);
	assert_int_equal(b.size, 2);
	memcpy(at, "cde", 3);
	b.size += 3;
	assert_string_equal(buf_str(&b), "abcde");
	buf_clear(&b); /* what was there before does not follow what is filled now */
	for (int i = 0; i < 100; i++)
		buf_byte(&b, 'x');
	buf_clear(&b);
	memcpy(buf_reserve(&b, 50), "ab", 2);
	b.size += 2;
	assert_string_equal(buf_str(&b), "ab");
	buf_done(&b);
}

static void limit_is_exact(void **state)
{
	(void)state;
	for (size_t size = 9; size <= 11; size++) {
		struct buf b = {.limit = 10};
		buf_append(&b, "0123456789ab", size);
		assert_int_equal(b.failed, size > 10);
		assert_int_equal(b.size, size > 10 ? 0 : size);
		buf_done(&b);
	}
	struct buf b = {.limit = 10};
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
	buf_done(&b);
	assert_null(buf_reserve(&b, (size_t)BUF_DEFAULT_LIMIT + 1));
	buf_clear(&b);
	assert_non_null(buf_reserve(&b, BUF_DEFAULT_LIMIT));
	buf_done(&b);
}

static void failure_sticks(void **state)
{
	(void)state;
	struct buf b = {.limit = 4};
	buf_text(&b, "abc");
	buf_text(&b, "de");
	assert_true(b.failed);
	buf_byte(&b, 'f'); /* would fit */
	buf_text(&b, "");
	buf_printf(&b, "g");
	buf_be32(&b, 1);
	assert_null(buf_reserve(&b, 0));
	assert_string_equal(buf_str(&b), "abc");
	buf_clear(&b);
	assert_false(b.failed);
	assert_int_equal(b.limit, 4);
	buf_text(&b, "defg");
	assert_string_equal(buf_str(&b), "defg");
	buf_done(&b);
}

static void out_of_memory(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_text(&b, "kept");
	no_memory = true;
	for (int i = 0; i < 100; i++)
		buf_text(&b, "0123456789");
	no_memory = false;
	assert_true(b.failed);
	assert_memory_equal(b.data, "kept", 4);
	size_t size = b.size;
	buf_text(&b, "x");
	assert_int_equal(b.size, size);
	buf_done(&b);
}

static void fixed_width(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_be32(&b, 0x01020304);
	buf_be64(&b, 0x05060708090a0bfcu);
	assert_int_equal(b.size, 12);
	assert_memory_equal(b.data, "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\xfc", 13);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appends),
	    cmocka_unit_test(nul_follows_at_every_size),
	    cmocka_unit_test(reserve_leaves_the_size),
	    cmocka_unit_test(limit_is_exact),
	    cmocka_unit_test(failure_sticks),
	    cmocka_unit_test(out_of_memory),
	    cmocka_unit_test(fixed_width),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
