#include "shared/base/siphash.h"
#include "tests/lib/unit.h"

/* Appendix A of the paper and the reference code's table: key 00 01 … 0f, input 00 01 02 … */
static void reference(void **state)
{
	(void)state;
	static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
	uint8_t input[64];
	for (unsigned i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	assert_true(siphash(key, input, 0) == 0x726fdb47dd0e0e31u);
	assert_true(siphash(key, input, 1) == 0x74f839c593dc67fdu);
	assert_true(siphash(key, input, 8) == 0x93f5f5799a932462u);
	assert_true(siphash(key, input, 15) == 0xa129ca6149be45e5u);
	assert_true(siphash(key, input, 63) == 0x958a324ceb064572u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reference)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
