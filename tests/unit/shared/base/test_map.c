#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/map.h"
#include "shared/base/random.h"
#include "shared/base/siphash.h"
#include "tests/lib/unit.h"

static unsigned hash_values; /* not 0: only so many different hashes, neighbours in the table */
static long allocations_left = -1;

uint64_t __real_siphash(const uint64_t key[2], const void *data, size_t size);
uint64_t __wrap_siphash(const uint64_t key[2], const void *data, size_t size);
uint64_t __wrap_siphash(const uint64_t key[2], const void *data, size_t size)
{
	uint64_t hash = __real_siphash(key, data, size);
	return hash_values ? hash % hash_values : hash;
}

static bool may_allocate(void)
{
	if (allocations_left < 0)
		return true;
	if (allocations_left == 0)
		return false;
	allocations_left--;
	return true;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return may_allocate() ? __real_calloc(n, size) : NULL;
}

static void basics(void **state)
{
	(void)state;
	int one = 1, two = 2;
	struct map *m = map_new();
	assert_int_equal(map_count(m), 0);
	assert_null(map_get(m, "a", 1));
	assert_null(map_remove(m, "a", 1));
	char key[] = "ab";
	assert_true(map_put(m, key, 2, &one));
	key[0] = 'x'; /* the map has its copy */
	assert_ptr_equal(map_get(m, "ab", 2), &one);
	assert_null(map_get(m, "a", 1));
	assert_null(map_get(m, "ab\0", 3));
	assert_true(map_put(m, "ab\0", 3, &two));
	assert_true(map_put(m, NULL, 0, &two));
	assert_ptr_equal(map_get(m, "", 0), &two);
	assert_int_equal(map_count(m), 3);
	assert_true(map_put(m, "ab", 2, &two));
	assert_ptr_equal(map_get(m, "ab", 2), &two);
	assert_int_equal(map_count(m), 3);
	assert_ptr_equal(map_remove(m, "ab", 2), &two);
	assert_null(map_get(m, "ab", 2));
	assert_int_equal(map_count(m), 2);
	map_free(m);
	map_free(NULL);
}

/* Puts, removals and looks in random order against an array, with keys that hold zero bytes. */
static void against_a_model(unsigned keys, unsigned steps, uint64_t seed)
{
	struct random r;
	random_init_seed(&r, seed);
	struct map *m = map_new();
	void **model = calloc(keys, sizeof(*model));
	size_t count = 0;
	for (unsigned i = 0; i < steps; i++) {
		uint64_t key = random_below(&r, keys), what = random_below(&r, 8);
		if (what < 4) {
			void *value = &model[random_below(&r, keys)];
			count += model[key] == NULL;
			model[key] = value;
			assert_true(map_put(m, &key, sizeof(key), value));
		} else if (what < 7) {
			count -= model[key] != NULL;
			assert_ptr_equal(map_remove(m, &key, sizeof(key)), model[key]);
			model[key] = NULL;
		} else {
			assert_ptr_equal(map_get(m, &key, sizeof(key)), model[key]);
		}
		assert_int_equal(map_count(m), count);
	}
	size_t seen = 0;
	const void *key;
	size_t key_size;
	void *value;
	for (size_t at = 0; map_next(m, &at, &key, &key_size, &value); seen++) {
		uint64_t k;
		assert_int_equal(key_size, sizeof(k));
		memcpy(&k, key, sizeof(k));
		assert_ptr_equal(value, model[k]);
	}
	assert_int_equal(seen, count);
	map_free(m);
	free(model);
}

static void random_steps(void **state)
{
	(void)state;
	against_a_model(10, 20000, 1);
	against_a_model(1000, 100000, 2);
	against_a_model(50000, 100000, 3);
}

static void collisions(void **state)
{
	(void)state;
	for (hash_values = 1; hash_values <= 3; hash_values++)
		against_a_model(200, 20000, hash_values);
	/* Keys that begin alike, in one chain. */
	hash_values = 1;
	struct map *m = map_new();
	static const char key[] = "aaaaaaaaaaaaaaaaaaaa";
	for (size_t n = sizeof(key); n-- > 0;)
		assert_true(map_put(m, key, n, (void *)&key[n]));
	for (size_t n = 0; n < sizeof(key); n++)
		assert_ptr_equal(map_get(m, key, n), &key[n]);
	map_free(m);
	hash_values = 0;
}

static void order_is_insertion(void **state)
{
	(void)state;
	struct map *m = map_new();
	char text[16];
	int value;
	for (int i = 0; i < 1000; i++) {
		int n = snprintf(text, sizeof(text), "key %d", i);
		assert_true(map_put(m, text, (size_t)n, &value));
	}
	assert_true(map_put(m, "key 5", 5, &value)); /* keeps its place */
	assert_non_null(map_remove(m, "key 7", 5));
	assert_true(map_put(m, "key 7", 5, &value)); /* goes to the end */
	const void *key;
	size_t key_size, at = 0;
	for (int i = 0; i < 1000; i++) {
		int want = i < 7 ? i : i < 999 ? i + 1 : 7;
		int n = snprintf(text, sizeof(text), "key %d", want);
		assert_true(map_next(m, &at, &key, &key_size, NULL));
		assert_int_equal(key_size, n);
		assert_memory_equal(key, text, key_size);
	}
	assert_false(map_next(m, &at, NULL, NULL, NULL));
	assert_false(map_next(m, &at, NULL, NULL, NULL));
	map_free(m);
}

static void remove_while_iterating(void **state)
{
	(void)state;
	struct map *m = map_new();
	int values[500];
	for (int i = 0; i < 500; i++)
		assert_true(map_put(m, &i, sizeof(i), &values[i]));
	const void *key;
	size_t key_size;
	void *value;
	int seen = 0;
	for (size_t at = 0; map_next(m, &at, &key, &key_size, &value); seen++) {
		assert_ptr_equal(value, &values[seen]);
		int k;
		memcpy(&k, key, sizeof(k));
		if (k % 3 != 0)
			assert_ptr_equal(map_remove(m, &k, sizeof(k)), value);
	}
	assert_int_equal(seen, 500);
	assert_int_equal(map_count(m), 167);
	for (int i = 0; i < 500; i++)
		assert_ptr_equal(map_get(m, &i, sizeof(i)), i % 3 ? NULL : &values[i]);
	map_free(m);
}

/* A map that holds few at a time must not grow with what passed through it. */
static void passing_through_costs_nothing(void **state)
{
	(void)state;
	struct map *m = map_new();
	int value;
	for (int i = 0; i < 100; i++) {
		assert_true(map_put(m, &i, sizeof(i), &value));
		if (i >= 4) {
			int old = i - 4;
			assert_non_null(map_remove(m, &old, sizeof(old)));
		}
	}
	size_t at = 0;
	assert_true(map_next(m, &at, NULL, NULL, NULL));
	assert_true(at < 32); /* the place of the first that is left: holes before it went */
	map_free(m);
}

static void out_of_memory(void **state)
{
	(void)state;
	int value;
	for (long n = 0; n < 30; n++) {
		allocations_left = n;
		struct map *m = map_new();
		int put = 0;
		while (m && put < 20 && map_put(m, &put, sizeof(put), &value))
			put++;
		allocations_left = -1;
		if (!m) {
			assert_int_equal(n, 0);
			continue;
		}
		assert_int_equal(map_count(m), put);
		for (int i = 0; i <= put; i++)
			assert_ptr_equal(map_get(m, &i, sizeof(i)), i < put ? &value : NULL);
		assert_true(map_put(m, &put, sizeof(put), &value)); /* works again once there is memory */
		map_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(basics),
	    cmocka_unit_test(random_steps),
	    cmocka_unit_test(collisions),
	    cmocka_unit_test(order_is_insertion),
	    cmocka_unit_test(remove_while_iterating),
	    cmocka_unit_test(passing_through_costs_nothing),
	    cmocka_unit_test(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
