#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/base/text.h"
#include "tests/lib/unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint64_t last_ms = 253402300799999u; /* 9999-12-31T23:59:59.999Z */

/* Every day from 1970 to 9999 as the C library sees it, there and back. */
static void every_day(void **state)
{
	(void)state;
	for (uint64_t day = 0; day <= last_ms / 86400000; day++) {
		uint64_t ms = day * 86400000 + day * 1237 % 86400000, back = 0;
		time_t t = (time_t)(ms / 1000);
		struct tm tm;
		gmtime_r(&t, &tm);
		char want[64], got[TEXT_TIME_MAX];
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1,
		    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(ms % 1000));
		if (strcmp(text_time(ms, got), want) != 0)
			fail_msg("%s where %s is right", got, want);
		if (text_parse_time(got, &back, NULL) != ERR_OK || back != ms)
			fail_msg("%s", got);
	}
}

static void beyond_the_last_year(void **state)
{
	(void)state;
	char out[TEXT_TIME_MAX];
	assert_string_equal(text_time(last_ms, out), "9999-12-31T23:59:59.999Z");
	assert_string_equal(text_time(last_ms + 1, out), "9999-12-31T23:59:59.999Z");
	assert_string_equal(text_time(UINT64_MAX, out), "9999-12-31T23:59:59.999Z");
}

static void forms(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t ms;
	} right[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"1970-01-01T00:00:00.001Z", 1},
	    {"2026-11-23T04:12:33Z", 1795407153000},
	    {"2026-11-23T04:12:33.1Z", 1795407153100},
	    {"2026-11-23T04:12:33.1239Z", 1795407153123},
	    {"2026-11-23T04:12:33.123456789Z", 1795407153123},
	    {"2026-11-23t04:12:33z", 1795407153000},
	    {"2026-11-23T04:12:33+00:00", 1795407153000},
	    {"2026-11-23T04:12:33-00:00", 1795407153000},
	    {"2026-11-23T05:42:33+01:30", 1795407153000},
	    {"2026-11-22T23:12:33-05:00", 1795407153000},
	    {"2026-11-24T04:11:33+23:59", 1795407153000},
	    {"1970-01-01T01:00:00+01:00", 0},
	    {"1970-01-01T00:00:00-00:01", 60000},
	    {"2024-02-29T00:00:00Z", 1709164800000},
	    {"2000-02-29T00:00:00Z", 951782400000},
	    /* Leap seconds: 2016's, at an offset as well. */
	    {"2016-12-31T23:59:60Z", 1483228800000},
	    {"2016-12-31T23:59:60.5Z", 1483228800500},
	    {"2017-01-01T00:59:60+01:00", 1483228800000},
	    {"2016-12-31T15:59:60-08:00", 1483228800000},
	};
	for (size_t i = 0; i < COUNT(right); i++) {
		uint64_t ms = 42;
		struct err err = ERR_INIT;
		if (text_parse_time(right[i].text, &ms, &err) != ERR_OK || ms != right[i].ms)
			fail_msg("%s: %llu %s", right[i].text, (unsigned long long)ms, err.msg);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "2026-11-23", "2026-11-23T04:12:33", "2026-11-23 04:12:33Z",
	    "2026-11-23T04:12Z", "2026-11-23T04:12:33.Z", "2026-11-23T04:12:33.1234567890Z", "2026-11-23T04:12:33,1Z",
	    "2026-00-23T04:12:33Z", "2026-13-23T04:12:33Z", "2026-11-00T04:12:33Z", "2026-11-31T04:12:33Z",
	    "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z", "2026-11-23T24:00:00Z",
	    "2026-11-23T04:60:33Z", "2026-11-23T04:12:61Z", "2026-11-23T04:12:60Z", "2016-12-31T23:59:60+01:00",
	    "2026-11-23T04:12:33+24:00", "2026-11-23T04:12:33+01:60", "2026-11-23T04:12:33+0100",
	    "2026-11-23T04:12:33+01", "2026-11-23T04:12:33+1:00", "2026-11-23T04:12:33Z ", " 2026-11-23T04:12:33Z",
	    "2026-11-23T04:12:33ZZ", "26-11-23T04:12:33Z", "02026-11-23T04:12:33Z", "10000-01-01T00:00:00Z",
	    "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "2026-1-23T04:12:33Z", "2026/11/23T04:12:33Z",
	    "+026-11-23T04:12:33Z", "2026-11-23T-4:12:33Z", "2026-11-23T04:12:33\n"};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		uint64_t ms = 42;
		if (text_parse_time(wrong[i], &ms, NULL) != ERR_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_true(ms == 42);
	}
}

/* Cut anywhere, a timestamp is none. */
static void every_prefix_is_refused(void **state)
{
	(void)state;
	static const char whole[] = "2026-11-23T04:12:33.123+01:00";
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		char part[sizeof(whole)];
		uint64_t ms;
		memcpy(part, whole, n);
		part[n] = '\0';
		assert_int_equal(text_parse_time(part, &ms, NULL), ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_day),
	    cmocka_unit_test(beyond_the_last_year),
	    cmocka_unit_test(forms),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(every_prefix_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
