/* A new store, an old one, a newer one, and indexes that come and go. */
#include <stdlib.h>
#include <string.h>

#include "controller/turn/system.h"
#include "things.h"

struct fixture {
	struct store *store;
	struct random random;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	random_init_seed(&f->random, 1);
	assert_int_equal(store_open_memory(&f->store, NULL), ERR_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	free(f);
	return 0;
}

static uint32_t version(struct fixture *f, bool *found)
{
	struct store_view *view;
	uint32_t v = 99;
	assert_int_equal(store_view_open(f->store, "test", &view, NULL), ERR_OK);
	assert_int_equal(schema_version(store_view_turn(view), &v, found, NULL), ERR_OK);
	store_view_close(view);
	return v;
}

static void opened(struct fixture *f, const struct table *const *tables)
{
	struct err err = ERR_INIT;
	if (schema_open(f->store, tables, 5000, &f->random, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

static enum err_code read_system(struct turn *t, void *ctx, struct err *reterr)
{
	return system_get(t, ctx, reterr);
}

static void a_new_store_gets_version_and_identity(void **state)
{
	struct fixture *f = *state;
	bool found;
	version(f, &found);
	assert_false(found);
	opened(f, thing_tables);
	assert_int_equal(version(f, &found), SCHEMA_VERSION);
	assert_true(found);
	struct system_state s, again;
	assert_int_equal(store_apply(f->store, 1, &f->random, read_system, &s, NULL), ERR_OK);
	assert_false(id_is_zero(s.store));
	assert_int_equal(s.created_ms, 5000);
	assert_false(s.restored_unseen);
	opened(f, thing_tables); /* changes nothing */
	assert_int_equal(store_apply(f->store, 1, &f->random, read_system, &again, NULL), ERR_OK);
	assert_true(id_equal(s.store, again.store));
}

/* More records than one chunk, so that the work takes several commits. */
static void version_0_gets_its_indexes(void **state)
{
	struct fixture *f = *state;
	uint64_t count = 2 * STORE_SCHEMA_CHUNK + 7;
	bool found;
	assert_int_equal(store_apply(f->store, 1, &f->random, things_version_0, &count, NULL), ERR_OK);
	assert_int_equal(version(f, &found), 0);
	assert_true(found);
	assert_int_equal(things_by_owner(f->store, &thing_table, "bob"), 0);
	opened(f, thing_tables);
	assert_int_equal(version(f, &found), 1);
	uint64_t all = 0;
	for (int i = 0; i < 3; i++)
		all += things_by_owner(f->store, &thing_table, thing_owners[i]);
	assert_int_equal(all, count);
	assert_int_equal(things_entries(f->store, "thing/"), count);
}

/* Cut off after each commit in turn: the next start makes it whole. */
static void an_upgrade_that_is_cut_off_is_finished_by_the_next_start(void **state)
{
	(void)state;
	uint64_t count = STORE_SCHEMA_CHUNK + 7;
	bool whole = false;
	uint64_t cuts = 0;
	for (; !whole && cuts < 50; cuts++) {
		void *fresh;
		setup(&fresh);
		struct fixture *f = fresh;
		assert_int_equal(store_apply(f->store, 1, &f->random, things_version_0, &count, NULL), ERR_OK);
		store_memory_fail(f->store, cuts % 2 ? STORE_FAULT_UNKNOWN : STORE_FAULT_LOST, cuts);
		whole = schema_open(f->store, thing_tables, 5000, &f->random, NULL) == ERR_OK;
		store_memory_restart(f->store);
		opened(f, thing_tables);
		assert_int_equal(things_entries(f->store, "thing/"), count);
		teardown(&fresh);
	}
	assert_true(whole && cuts > 3);
}

static enum err_code put_future(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	static const uint8_t key[] = "schema\0version", value[] = {0, 0, 0, SCHEMA_VERSION + 1};
	return turn_raw_put(t, (struct bytes){key, sizeof(key) - 1}, (struct bytes){value, sizeof(value)}, reterr);
}

static void a_newer_store_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	assert_int_equal(store_apply(f->store, 1, &f->random, put_future, NULL, NULL), ERR_OK);
	assert_int_equal(schema_open(f->store, thing_tables, 5000, &f->random, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "newer"));
}

/* ---- the same table as a later program declares it ---- */

static const struct field later_fields[] = {
    F_U64(struct thing, number, 0, FIELD_KEY, "key"),
    F_STRING(struct thing, owner, NAME_MAX_BYTES, 0, "indexed no more"),
    F_U64(struct thing, weight, 0, FIELD_INDEXED, "indexed now"),
};
static const struct record_type later_type = RECORD_TYPE("thing", struct thing, later_fields, "a test's record");
static const struct table later_table = {.name = "thing", .type = &later_type};
static const struct table *const later_tables[] = {&later_table, NULL};

static void indexes_follow_their_declaration(void **state)
{
	struct fixture *f = *state;
	uint64_t count = 100;
	assert_int_equal(store_apply(f->store, 1, &f->random, things_version_0, &count, NULL), ERR_OK);
	opened(f, thing_tables);
	assert_int_equal(things_entries(f->store, "thing/owner"), count);
	assert_int_equal(things_entries(f->store, "thing/weight"), 0);
	opened(f, later_tables);
	assert_int_equal(things_entries(f->store, "thing/owner"), 0);
	assert_int_equal(things_entries(f->store, "thing/weight"), count);
	opened(f, thing_tables); /* and back */
	assert_int_equal(things_entries(f->store, "thing/owner"), count);
	assert_int_equal(things_entries(f->store, "thing/weight"), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_new_store_gets_version_and_identity),
	    CASE(version_0_gets_its_indexes),
	    cmocka_unit_test(an_upgrade_that_is_cut_off_is_finished_by_the_next_start),
	    CASE(a_newer_store_is_refused),
	    CASE(indexes_follow_their_declaration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
