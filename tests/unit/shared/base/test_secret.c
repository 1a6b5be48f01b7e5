#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "shared/base/secret.h"
#include "tests/lib/unit.h"

static const uint8_t *watched;
static size_t watched_size, nonzero_at_unmap, unmapped;
static int fail_madvise;

int __real_munmap(void *p, size_t size);
int __wrap_munmap(void *p, size_t size);
int __wrap_munmap(void *p, size_t size)
{
	if (watched && (uint8_t *)p <= watched && watched < (uint8_t *)p + size) {
		unmapped++;
		for (size_t i = 0; i < watched_size; i++)
			nonzero_at_unmap += watched[i] != 0;
	}
	return __real_munmap(p, size);
}

int __real_madvise(void *p, size_t size, int advice);
int __wrap_madvise(void *p, size_t size, int advice);
int __wrap_madvise(void *p, size_t size, int advice)
{
	return fail_madvise ? -1 : __real_madvise(p, size, advice);
}

static void holds_a_copy(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 32, 4000, 4096, 10000};
	uint8_t key[10000];
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct secret *s = secret_new(key, sizes[i]);
		assert_non_null(s);
		assert_int_equal(secret_size(s), sizes[i]);
		assert_memory_equal(secret_data(s), key, sizes[i]);
		secret_free(s);
	}
	struct secret *zeros = secret_new(NULL, 100);
	uint8_t none[100] = {0};
	assert_memory_equal(secret_data(zeros), none, 100);
	secret_free(zeros);
	secret_free(NULL);
	assert_null(secret_new(key, SIZE_MAX));
}

static void wiped_before_it_goes(void **state)
{
	(void)state;
	uint8_t key[5000];
	memset(key, 0xa5, sizeof(key));
	struct secret *s = secret_new(key, sizeof(key));
	watched = secret_data(s);
	watched_size = sizeof(key);
	secret_free(s);
	watched = NULL;
	assert_int_equal(unmapped, 1);
	assert_int_equal(nonzero_at_unmap, 0);
	secret_wipe(key + 1, sizeof(key) - 2);
	assert_int_equal(key[0], 0xa5);
	assert_int_equal(key[sizeof(key) - 1], 0xa5);
	for (size_t i = 1; i < sizeof(key) - 1; i++)
		assert_int_equal(key[i], 0);
}

/* "dd" among the kernel's flags of the mapping: not in core dumps. */
static int kept_out_of_dumps(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	assert_non_null(f);
	char line[512];
	int inside = 0, found = -1;
	while (fgets(line, sizeof(line), f)) {
		unsigned long low, high;
		if (sscanf(line, "%lx-%lx ", &low, &high) == 2)
			inside = low <= (uintptr_t)p && (uintptr_t)p < high;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, " dd") != NULL;
	}
	fclose(f);
	return found;
}

static void not_dumped(void **state)
{
	(void)state;
	uint8_t key[5000] = {1};
	struct secret *s = secret_new(key, sizeof(key));
	assert_int_equal(kept_out_of_dumps(secret_data(s)), 1);
	assert_int_equal(kept_out_of_dumps(secret_data(s) + sizeof(key) - 1), 1);
	assert_int_equal(kept_out_of_dumps(key), 0);
	secret_free(s);
	fail_madvise = 1; /* a key that would be dumped is not kept */
	assert_null(secret_new(key, sizeof(key)));
	fail_madvise = 0;
}

static void equal_looks_at_all(void **state)
{
	(void)state;
	uint8_t a[33], b[33];
	memset(a, 3, sizeof(a));
	memset(b, 3, sizeof(b));
	assert_true(secret_equal(a, b, sizeof(a)));
	assert_true(secret_equal(a, b, 0));
	for (size_t i = 0; i < sizeof(a); i++)
		for (int bit = 0; bit < 8; bit++) {
			b[i] ^= (uint8_t)(1 << bit);
			assert_false(secret_equal(a, b, sizeof(a)));
			b[i] ^= (uint8_t)(1 << bit);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holds_a_copy),
	    cmocka_unit_test(wiped_before_it_goes),
	    cmocka_unit_test(not_dumped),
	    cmocka_unit_test(equal_looks_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
