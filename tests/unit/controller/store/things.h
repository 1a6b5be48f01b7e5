/* A table for tests of schema and backup, and the store as an older program left it. */
#ifndef KEDGE_TESTS_UNIT_CONTROLLER_STORE_THINGS_H
#define KEDGE_TESTS_UNIT_CONTROLLER_STORE_THINGS_H

#include <stdio.h>

#include "controller/store/schema.h"
#include "tests/lib/unit.h"

struct thing {
	uint64_t number;
	const char *owner;
	uint64_t weight;
};
static const struct field thing_fields[] = {
    F_U64(struct thing, number, 0, FIELD_KEY, "key"),
    F_STRING(struct thing, owner, NAME_MAX_BYTES, FIELD_INDEXED, "indexed"),
    F_U64(struct thing, weight, 0, 0, "indexed only by later programs"),
};
static const struct record_type thing_type = RECORD_TYPE("thing", struct thing, thing_fields, "a test's record");
static const struct table thing_table = {.name = "thing", .type = &thing_type};
static const struct table *const thing_tables[] = {&thing_table, NULL};

static const char *const thing_owners[] = {"ada", "bob", "cyd"};

/* Each record alone, as version 0 wrote them: no index, no version. */
static inline enum err_code things_version_0(struct turn *t, void *ctx, struct err *reterr)
{
	uint64_t count = *(const uint64_t *)ctx;
	enum err_code rc = ERR_OK;
	for (uint64_t i = 0; rc == ERR_OK && i < count; i++) {
		struct thing x = {.number = i, .owner = thing_owners[i % 3], .weight = count - i};
		struct buf key = BUF_INIT, value = BUF_INIT;
		buf_append(&key, "thing", 6);
		rc = record_key(&thing_type, &x, &key, reterr);
		if (rc == ERR_OK)
			rc = record_to_msgpack(&thing_type, &x, &value, reterr);
		if (rc == ERR_OK)
			rc = turn_raw_put(t, buf_bytes(&key), buf_bytes(&value), reterr);
		buf_done(&key);
		buf_done(&value);
	}
	return rc;
}

static inline uint64_t things_by_owner(struct store *s, const struct table *table, const char *owner)
{
	struct store_view *view;
	struct turn *t;
	struct turn_scan scan;
	struct thing x = {.owner = owner};
	struct arena *arena = arena_new(0);
	uint64_t count = 0;
	bool found;
	assert_int_equal(store_view_open(s, "test", &view, NULL), ERR_OK);
	assert_int_equal(turn_open_read(store_view_turn(view), 0, arena, &t, NULL), ERR_OK);
	assert_int_equal(turn_scan_index(t, table, "owner", &x, false, &scan, NULL), ERR_OK);
	while (turn_scan_next(&scan, &x, &found, NULL) == ERR_OK && found) {
		assert_string_equal(x.owner, owner);
		count++;
	}
	turn_scan_done(&scan);
	turn_close_read(t);
	arena_free(arena);
	store_view_close(view);
	return count;
}

static inline uint64_t things_entries(struct store *s, const char *prefix)
{
	struct store_view *view;
	struct bytes key = {(const uint8_t *)prefix, strlen(prefix)}, value;
	bool found;
	uint64_t count = 0;
	assert_int_equal(store_view_open(s, "test", &view, NULL), ERR_OK);
	const struct turn_view *v = store_view_turn(view);
	while (v->seek(v->ctx, key, SEEK_AFTER, &key, &value, &found, NULL) == ERR_OK && found &&
	       key.size >= strlen(prefix) && !memcmp(key.data, prefix, strlen(prefix)))
		count++;
	store_view_close(view);
	return count;
}

#endif
