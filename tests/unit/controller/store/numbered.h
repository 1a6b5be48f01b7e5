/* Commits that can be told from one another: commit i puts "n" = i and "i/<i>" = bytes made of i, and deletes "i/<i -
 * KEPT>". So a store shows exactly one commit, whole, or it is wrong. */
#ifndef KEDGE_TESTS_UNIT_CONTROLLER_STORE_NUMBERED_H
#define KEDGE_TESTS_UNIT_CONTROLLER_STORE_NUMBERED_H

#include <stdio.h>
#include <string.h>

#include "controller/store/store.h"
#include "tests/lib/unit.h"

enum { NUMBERED_KEPT = 20, NUMBERED_SIZE = 6000 };

static inline size_t numbered_fill(uint64_t i, uint8_t out[NUMBERED_SIZE])
{
	struct random r;
	random_init_seed(&r, i);
	size_t n = 1 + random_below(&r, NUMBERED_SIZE);
	random_fill(&r, out, n);
	return n;
}

static inline enum err_code numbered_commit(struct store *s, uint64_t i, struct err *err)
{
	static uint8_t value[NUMBERED_SIZE];
	char key[32], old[32];
	size_t n = numbered_fill(i, value);
	snprintf(key, sizeof(key), "i/%010llu", (unsigned long long)i);
	snprintf(old, sizeof(old), "i/%010llu", (unsigned long long)(i < NUMBERED_KEPT ? 0 : i - NUMBERED_KEPT));
	struct turn_write w[] = {
	    {{(uint8_t *)old, strlen(old)}, {NULL, 0}, true},
	    {{(uint8_t *)key, strlen(key)}, {value, n}, false},
	    {{(const uint8_t *)"n", 1}, {(uint8_t *)&i, sizeof(i)}, false},
	};
	return store_commit(s, w, 3, err);
}

/* Which commit the store shows; fails the test unless it is whole. */
static inline uint64_t numbered_check(struct store *s)
{
	static uint8_t want[NUMBERED_SIZE];
	struct store_view *view;
	uint64_t n = 0;
	struct bytes key = {(const uint8_t *)"i/", 2}, value;
	bool found;
	assert_int_equal(store_view_open(s, "test", &view, NULL), ERR_OK);
	const struct turn_view *v = store_view_turn(view);
	assert_int_equal(v->get(v->ctx, (struct bytes){(const uint8_t *)"n", 1}, &value, &found, NULL), ERR_OK);
	if (found)
		memcpy(&n, value.data, sizeof(n));
	for (uint64_t i = n > NUMBERED_KEPT ? n - NUMBERED_KEPT + 1 : 1; n && i <= n; i++) {
		char name[32];
		snprintf(name, sizeof(name), "i/%010llu", (unsigned long long)i);
		assert_int_equal(v->seek(v->ctx, key, SEEK_AFTER, &key, &value, &found, NULL), ERR_OK);
		assert_true(found && key.size == strlen(name) && !memcmp(key.data, name, key.size));
		size_t size = numbered_fill(i, want);
		assert_true(value.size == size && !memcmp(value.data, want, size));
	}
	assert_int_equal(v->seek(v->ctx, key, SEEK_AFTER, &key, &value, &found, NULL), ERR_OK);
	assert_true(!found || key.data[0] == 'n');
	store_view_close(view);
	return n;
}

#endif
