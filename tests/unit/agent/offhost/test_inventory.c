/* The object that says what was copied: made by this host only, under its own name only, never sealed alike twice. */
#include "agent/offhost/inventory.h"

#include <string.h>

#include "shared/base/cleanup.h"
#include "tests/lib/unit.h"

static struct copied entries[] = {
    {.name = "packs/398baa548ef32625dd71c96301d731a9.pack", .size_bytes = 5, .sha256 = {{1}}, .stored_ms = 7},
    {.name = "snapshots/snap-01m83sx56mebevq7nrzgrjyvs3.marks",
	.size_bytes = 2,
	.sha256 = {{2}},
	.content = {(const uint8_t *)"{}", 2}},
};
static const struct inventory sample = {"web-1", 3, 1700000000000, {{9}}, 1, 0, {entries, 2}};

static struct keys *new_keys(void)
{
	struct keys *k;
	assert_int_equal(keys_new("web-1", &k, NULL), ERR_OK);
	return k;
}

static void seal(const struct keys *k, struct buf *out)
{
	struct random random;
	random_init_system(&random);
	assert_int_equal(inventory_seal(k, &sample, &random, out, NULL), ERR_OK);
}

static void what_was_sealed_comes_back(void **state)
{
	CLEANUP(keys_cleanup) struct keys *k = new_keys();
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	CLEANUP(buf_done) struct buf once = BUF_INIT;
	CLEANUP(buf_done) struct buf again = BUF_INIT;
	struct inventory v;
	(void)state;
	seal(k, &once);
	seal(k, &again);
	assert_int_equal(inventory_unseal(k, 3, once.data, once.size, arena, &v, NULL), ERR_OK);
	assert_string_equal(v.host, sample.host);
	assert_int_equal(v.made_ms, sample.made_ms);
	assert_memory_equal(&v.previous, &sample.previous, sizeof v.previous);
	assert_int_equal(v.entries.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(record_equal(&copied_type, &LIST_AT(v.entries, struct copied, i), &entries[i]));
	/* one key never seals two things: the same words look otherwise */
	assert_int_equal(once.size, again.size);
	assert_memory_not_equal(once.data + INVENTORY_HEADER_SIZE, again.data + INVENTORY_HEADER_SIZE, 32);
	assert_null(memmem(once.data, once.size, "398baa54", 8)); /* nor does it tell names */
}

static void nothing_else_is_taken(void **state)
{
	CLEANUP(keys_cleanup) struct keys *k = new_keys();
	CLEANUP(keys_cleanup) struct keys *other = new_keys();
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	CLEANUP(buf_done) struct buf sealed = BUF_INIT;
	struct inventory v;
	(void)state;
	seal(k, &sealed);
	assert_int_equal(inventory_unseal(other, 3, sealed.data, sealed.size, arena, &v, NULL), ERR_CORRUPT);
	assert_int_equal(inventory_unseal(k, 4, sealed.data, sealed.size, arena, &v, NULL), ERR_CORRUPT);
	for (size_t i = 0; i < sealed.size; i++) {
		sealed.data[i] ^= 1;
		if (inventory_unseal(k, 3, sealed.data, sealed.size, arena, &v, NULL) == ERR_OK)
			fail_msg("byte %zu may be another", i);
		sealed.data[i] ^= 1;
	}
	for (size_t n = 0; n < sealed.size; n++)
		assert_int_not_equal(inventory_unseal(k, 3, sealed.data, n, arena, &v, NULL), ERR_OK);
}

/* Lengths and counts that promise more, or less, than there is. */
static void a_body_is_exactly_what_it_says(void **state)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	CLEANUP(buf_done) struct buf body = BUF_INIT;
	CLEANUP(buf_done) struct buf head = BUF_INIT;
	struct inventory v, many = {.host = "web-1", .number = 1, .made_ms = 1, .count = OFFHOST_ENTRIES_MAX};
	(void)state;
	assert_int_equal(record_to_msgpack(&inventory_type, &many, &head, NULL), ERR_OK);
	buf_be32(&body, (uint32_t)head.size);
	buf_append(&body, head.data, head.size);
	assert_int_equal(inventory_body_parse(body.data, body.size, arena, &v, NULL), ERR_CORRUPT);
	assert_true(arena_used(arena) < 4096); /* nothing is reserved for what is not there */
	many.count = 0;
	buf_clear(&body);
	buf_clear(&head);
	assert_int_equal(record_to_msgpack(&inventory_type, &many, &head, NULL), ERR_OK);
	buf_be32(&body, (uint32_t)head.size);
	buf_append(&body, head.data, head.size);
	assert_int_equal(inventory_body_parse(body.data, body.size, arena, &v, NULL), ERR_OK);
	assert_int_equal(v.entries.count, 0);
	buf_byte(&body, 0);
	assert_int_equal(inventory_body_parse(body.data, body.size, arena, &v, NULL), ERR_CORRUPT);
	for (size_t n = 0; n + 1 < body.size; n++)
		assert_int_not_equal(inventory_body_parse(body.data, n, arena, &v, NULL), ERR_OK);
}

static void each_says_what_it_builds_on(void **state)
{
	(void)state;
	assert_int_equal(inventory_base(77, 5), 5);
	/* those of old, which do not say it */
	assert_int_equal(inventory_base(1, 0), 1);
	assert_int_equal(inventory_base(OFFHOST_FULL_EVERY, 0), 1);
	assert_int_equal(inventory_base(OFFHOST_FULL_EVERY + 1, 0), OFFHOST_FULL_EVERY + 1);
	assert_int_equal(inventory_base(3 * OFFHOST_FULL_EVERY, 0), 2 * OFFHOST_FULL_EVERY + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_sealed_comes_back),
	    cmocka_unit_test(nothing_else_is_taken),
	    cmocka_unit_test(a_body_is_exactly_what_it_says),
	    cmocka_unit_test(each_says_what_it_builds_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
