#include <float.h>
#include <string.h>

#include "shared/base/text.h"
#include "tests/lib/unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void unsigned_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t value;
	} right[] = {{"0", 0}, {"7", 7}, {"007", 7}, {"18446744073709551614", UINT64_MAX - 1},
	    {"18446744073709551615", UINT64_MAX}};
	uint64_t v = 42;
	for (size_t i = 0; i < COUNT(right); i++) {
		assert_int_equal(text_u64(right[i].text, &v, NULL), ERR_OK);
		assert_true(v == right[i].value);
	}
	static const char *const wrong[] = {"", " 1", "1 ", "+1", "-1", "-0", "1.0", "0x10", "1e3",
	    "18446744073709551616", "18446744073709551620", "99999999999999999999999", "1\n", "a", "\xd9\xa1"};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		v = 42;
		if (text_u64(wrong[i], &v, NULL) != ERR_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_true(v == 42);
	}
}

static void signed_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t value;
	} right[] = {{"0", 0}, {"-0", 0}, {"-7", -7}, {"9223372036854775807", INT64_MAX},
	    {"-9223372036854775807", -INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
	int64_t v = 42;
	for (size_t i = 0; i < COUNT(right); i++) {
		assert_int_equal(text_i64(right[i].text, &v, NULL), ERR_OK);
		assert_true(v == right[i].value);
	}
	static const char *const wrong[] = {"", "-", "--1", "+1", " 1", "- 1", "1-", "9223372036854775808",
	    "-9223372036854775809", "18446744073709551615", "-18446744073709551616"};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		v = 42;
		if (text_i64(wrong[i], &v, NULL) != ERR_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_true(v == 42);
	}
}

static void real_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		double value;
	} right[] = {{"0", 0}, {"1.5", 1.5}, {"-2.25e2", -225}, {"1E+3", 1000}, {"5e-1", 0.5},
	    {"1.7976931348623157e308", DBL_MAX}, {"1e-400", 0}};
	double v = 42;
	for (size_t i = 0; i < COUNT(right); i++) {
		assert_int_equal(text_f64(right[i].text, &v, NULL), ERR_OK);
		assert_true(v == right[i].value);
	}
	static const char *const wrong[] = {"", "-", ".", ".5", "5.", "1e", "1e+", "e5", "+1", " 1", "1 ", "inf",
	    "-inf", "nan", "infinity", "0x1p3", "1e309", "-1e309", "1,5", "1.5.2", "1e5.0", "1_0"};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		v = 42;
		if (text_f64(wrong[i], &v, NULL) != ERR_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_true(v == 42);
	}
}

static void durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t ms;
	} right[] = {{"0s", 0}, {"250ms", 250}, {"30s", 30000}, {"5m", 300000}, {"1h", 3600000}, {"7d", 604800000},
	    {"1h30m", 5400000}, {"1d2h3m4s5ms", 93784005}, {"5m1ms", 300001}, {"90m", 5400000},
	    {"18446744073709551615ms", UINT64_MAX}, {"213503982334d", 213503982334u * 86400000u}};
	uint64_t v = 42;
	for (size_t i = 0; i < COUNT(right); i++) {
		if (text_duration_ms(right[i].text, &v, NULL) != ERR_OK || v != right[i].ms)
			fail_msg("\"%s\"", right[i].text);
	}
	static const char *const wrong[] = {"", "5", "0", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "1.5h", "5S", "5min",
	    "1w", "30m1h", "1h1h", "1h30", "1ms1s", "5ms5m", "18446744073709551616ms", "213503982335d",
	    "213503982334d15h", "99999999999999999999s", "5mm", "h5"};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		v = 42;
		if (text_duration_ms(wrong[i], &v, NULL) != ERR_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_true(v == 42);
	}
}

static void sizes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} right[] = {{"0", 0}, {"512", 512}, {"64KiB", 65536}, {"1MiB", 1048576}, {"10GiB", 10737418240u},
	    {"2TiB", 2199023255552u}, {"16777215TiB", 16777215ull << 40}, {"18446744073709551615", UINT64_MAX}};
	uint64_t v = 42;
	for (size_t i = 0; i < COUNT(right); i++) {
		if (text_size_bytes(right[i].text, &v, NULL) != ERR_OK || v != right[i].bytes)
			fail_msg("\"%s\"", right[i].text);
	}
	static const char *const wrong[] = {"", "KiB", "1KB", "1kib", "1K", "1 KiB", "1KiB ", "1.5GiB", "-1", "+1",
	    "1B", "1KiBKiB", "1GiB1MiB", "16777216TiB", "18446744073709551616", "1PiB"};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		v = 42;
		if (text_size_bytes(wrong[i], &v, NULL) != ERR_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_true(v == 42);
	}
}

static void durations_for_people(void **state)
{
	(void)state;
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {{0, "0 ms"}, {999, "999 ms"}, {1000, "1 s"}, {1250, "1.2 s"}, {59999, "59.9 s"}, {60000, "1 min"},
	    {250000, "4 min 10 s"}, {3599999, "59 min 59 s"}, {3600000, "1 h"}, {7500000, "2 h 5 min"},
	    {86399999, "23 h 59 min"}, {86400000, "1 d"}, {266400000, "3 d 2 h"}, {UINT64_MAX, "213503982334 d 14 h"}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[TEXT_TIME_MAX];
		assert_ptr_equal(text_duration_human(cases[i].ms, out), out);
		assert_string_equal(out, cases[i].text);
	}
}

static void sizes_for_people(void **state)
{
	(void)state;
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1 KiB"}, {1536, "1.5 KiB"}, {1048575, "1023.9 KiB"},
	    {1048576, "1 MiB"}, {1503238554, "1.4 GiB"}, {1ull << 40, "1 TiB"}, {1ull << 50, "1 PiB"},
	    {1ull << 60, "1 EiB"}, {UINT64_MAX, "15.9 EiB"}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[TEXT_TIME_MAX];
		assert_ptr_equal(text_size_human(cases[i].bytes, out), out);
		assert_string_equal(out, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(unsigned_numbers),
	    cmocka_unit_test(signed_numbers),
	    cmocka_unit_test(real_numbers),
	    cmocka_unit_test(durations),
	    cmocka_unit_test(sizes),
	    cmocka_unit_test(durations_for_people),
	    cmocka_unit_test(sizes_for_people),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
