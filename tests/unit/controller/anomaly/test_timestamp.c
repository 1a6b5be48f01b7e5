#include "controller/anomaly/timestamp.h"
#include "tests/lib/unit.h"

static void expect(const char *text, int64_t seconds)
{
	int64_t s = -1;
	if (!timestamp_parse(text, &s) || s != seconds)
		fail_msg("%s: %lld, expected %lld", text, (long long)s, (long long)seconds);
}

static void test_times(void **state)
{
	(void)state;
	expect("1970-01-01 00:00:00", 0);
	expect("2014-02-14 14:30:00", 1392388200);
	expect("2014-02-14T14:30", 1392388200);
	expect("2014-02-14 14:30:00.123456", 1392388200);
	expect("2014-02-14T14:30:00Z", 1392388200);
	expect("2014-02-14T15:30:00+01:00", 1392388200);
	expect("2014-02-14T09:00:00-0530", 1392388200);
	expect("2014-02-14", 1392336000);
	expect("2016-02-29", 1456704000);
	expect(" 1392388200 ", 1392388200);
	expect("1392388200.75", 1392388200);
	expect("1392388200123", 1392388200);
}

static void test_what_is_no_time(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "x", "-5", "nan", "2014-13-01", "2014-02-14 25", "2014-02-14 14:61",
	    "14:30", "2014-02-14T14:30:00+99:00", "1e300", "2014-02-14 14:30 noon", "0x10g"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int64_t s = 77;
		if (timestamp_parse(bad[i], &s) || s != 77)
			fail_msg("\"%s\" was taken for %lld", bad[i], (long long)s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_times), cmocka_unit_test(test_what_is_no_time)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
