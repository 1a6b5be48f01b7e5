#include <stdbool.h>
#include <string.h>

#include "shared/base/random.h"
#include "tests/lib/unit.h"

/* First outputs of the reference code from the state 1, 2, 3, 4. */
static void xoshiro_reference(void **state)
{
	(void)state;
	static const uint64_t want[] = {11520u, 0u, 1509978240u, 1215971899390074240u, 1216172134540287360u,
	    607988272756665600u, 16172922978634559625u, 8476171486693032832u};
	struct random r = {.state = {1, 2, 3, 4}, .seeded = 1};
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_true(random_u64(&r) == want[i]);
}

/* And of SplitMix64, which spreads the seed. */
static void seed_reference(void **state)
{
	(void)state;
	struct random r;
	random_init_seed(&r, 1477776061723855037u);
	static const uint64_t want[] = {
	    1985237415132408290u, 2979275885539914483u, 13511426838097143398u, 8488337342461049707u};
	assert_memory_equal(r.state, want, sizeof(want));
}

static void fill_is_the_words_in_order(void **state)
{
	(void)state;
	struct random a, b;
	for (size_t size = 0; size < 40; size++) {
		random_init_seed(&a, size);
		random_init_seed(&b, size);
		uint8_t bytes[41];
		memset(bytes, 0x5a, sizeof(bytes));
		random_fill(&a, bytes, size);
		assert_int_equal(bytes[size], 0x5a);
		uint64_t word = 0;
		for (size_t i = 0; i < size; i++, word >>= 8) {
			if (i % 8 == 0)
				word = random_u64(&b);
			assert_int_equal(bytes[i], word & 0xff);
		}
	}
}

static void below_stays_below_and_reaches_all(void **state)
{
	(void)state;
	struct random r;
	random_init_seed(&r, 9);
	unsigned seen[7] = {0};
	for (int i = 0; i < 70000; i++) {
		uint64_t v = random_below(&r, 7);
		assert_true(v < 7);
		seen[v]++;
	}
	for (int i = 0; i < 7; i++) /* 10,000 expected, standard deviation 93 */
		assert_in_range(seen[i], 9500, 10500);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(random_below(&r, 1), 0);
		assert_true(random_below(&r, UINT64_MAX) < UINT64_MAX);
	}
	/* Without rejection a bound of 3/4 of the range would give the lower third twice as often. */
	uint64_t bound = (uint64_t)3 << 62;
	int low = 0;
	for (int i = 0; i < 3000; i++)
		low += random_below(&r, bound) < bound / 3;
	assert_in_range(low, 850, 1150);
}

static void unit_is_in_range(void **state)
{
	(void)state;
	struct random r;
	random_init_seed(&r, 10);
	double sum = 0;
	for (int i = 0; i < 10000; i++) {
		double v = random_unit(&r);
		assert_true(v >= 0 && v < 1);
		sum += v;
	}
	assert_true(sum > 4800 && sum < 5200);
}

static void system_source_differs(void **state)
{
	(void)state;
	struct random r;
	random_init_system(&r);
	uint8_t a[64] = {0}, b[64] = {0}, zero[64] = {0};
	random_fill(&r, a, sizeof(a));
	random_fill(&r, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, zero, sizeof(a));
	assert_true(random_u64(&r) != random_u64(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(xoshiro_reference),
	    cmocka_unit_test(seed_reference),
	    cmocka_unit_test(fill_is_the_words_in_order),
	    cmocka_unit_test(below_stays_below_and_reaches_all),
	    cmocka_unit_test(unit_is_in_range),
	    cmocka_unit_test(system_source_differs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
