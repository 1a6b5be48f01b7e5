/* One suite against both backends, so that the simulator's store cannot lie about the real one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/store/store.h"
#include "tests/lib/unit.h"

enum backend { MEMORY, LMDB };

struct fixture {
	enum backend backend;
	char folder[64];
	struct store *store;
};

static void open_store(struct fixture *f, size_t map_bytes)
{
	struct err err = ERR_INIT;
	enum err_code rc =
	    f->backend == MEMORY
		? store_open_memory(&f->store, &err)
		: store_open(&(struct store_options){.folder = f->folder, .map_bytes = map_bytes}, &f->store, &err);
	if (rc != ERR_OK)
		fail_msg("%s", err.msg);
}

static int setup(void **state, enum backend backend)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->backend = backend;
	strcpy(f->folder, "/tmp/kedge-store-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	open_store(f, 1 << 20); /* small: the map must grow by itself */
	*state = f;
	return 0;
}

static int setup_memory(void **state)
{
	return setup(state, MEMORY);
}

static int setup_lmdb(void **state)
{
	return setup(state, LMDB);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"data.mdb", "lock.mdb", "controller.lock"};
	store_close(f->store);
	for (size_t i = 0; i < 3; i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
		unlink(path);
	}
	rmdir(f->folder);
	free(f);
	return 0;
}

/* Memory keeps its state where LMDB keeps it in files. */
static void reopen(struct fixture *f)
{
	if (f->backend == MEMORY) {
		store_memory_restart(f->store);
		return;
	}
	store_close(f->store);
	open_store(f, 1 << 20);
}

static struct bytes text(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static void commit(struct fixture *f, const struct turn_write *w, size_t n)
{
	struct err err = ERR_INIT;
	if (store_commit(f->store, w, n, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

static struct store_view *view(struct fixture *f)
{
	struct store_view *v;
	assert_int_equal(store_view_open(f->store, "test", &v, NULL), ERR_OK);
	return v;
}

/* NULL: not there. */
static void expect(struct store_view *v, const char *key, const char *value)
{
	const struct turn_view *t = store_view_turn(v);
	struct bytes got = {0};
	bool found = !value;
	assert_int_equal(t->get(t->ctx, text(key), &got, &found, NULL), ERR_OK);
	assert_int_equal(found, value != NULL);
	if (value) {
		assert_int_equal(got.size, strlen(value));
		assert_memory_equal(got.data, value, got.size);
	}
}

static void expect_seek(struct store_view *v, const char *at, enum turn_seek how, const char *key)
{
	const struct turn_view *t = store_view_turn(v);
	struct bytes k = {0}, val = {0};
	bool found = !key;
	assert_int_equal(t->seek(t->ctx, text(at), how, &k, &val, &found, NULL), ERR_OK);
	assert_int_equal(found, key != NULL);
	if (key) {
		assert_int_equal(k.size, strlen(key));
		assert_memory_equal(k.data, key, k.size);
	}
}

static void what_was_committed_is_there(void **state)
{
	struct fixture *f = *state;
	struct turn_write first[] = {
	    {text("a"), text("1"), false}, {text("b"), text("2"), false}, {text("c"), {0}, false}};
	struct turn_write second[] = {
	    {text("a"), text("new"), false}, {text("b"), {0}, true}, {text("nothing"), {0}, true}};
	commit(f, first, 3);
	commit(f, second, 3);
	for (int i = 0; i < 2; i++) {
		struct store_view *v = view(f);
		expect(v, "a", "new");
		expect(v, "b", NULL);
		expect(v, "c", "");
		expect(v, "nothing", NULL);
		store_view_close(v);
		reopen(f);
	}
}

static void seeks_go_to_the_nearest(void **state)
{
	struct fixture *f = *state;
	struct store_view *v = view(f);
	expect_seek(v, "", SEEK_AT_OR_AFTER, NULL);
	expect_seek(v, "x", SEEK_BEFORE, NULL);
	store_view_close(v);
	struct turn_write w[] = {
	    {text("b"), text("1"), false}, {text("bb"), text("2"), false}, {text("d"), text("3"), false}};
	commit(f, w, 3);
	v = view(f);
	expect_seek(v, "", SEEK_AT_OR_AFTER, "b");
	expect_seek(v, "", SEEK_AFTER, "b");
	expect_seek(v, "a", SEEK_AFTER, "b");
	expect_seek(v, "b", SEEK_AT_OR_AFTER, "b");
	expect_seek(v, "b", SEEK_AFTER, "bb");
	expect_seek(v, "ba", SEEK_AFTER, "bb");
	expect_seek(v, "c", SEEK_AT_OR_AFTER, "d");
	expect_seek(v, "d", SEEK_AFTER, NULL);
	expect_seek(v, "e", SEEK_AT_OR_AFTER, NULL);
	expect_seek(v, "e", SEEK_BEFORE, "d");
	expect_seek(v, "d", SEEK_BEFORE, "bb");
	expect_seek(v, "c", SEEK_BEFORE, "bb");
	expect_seek(v, "bb", SEEK_BEFORE, "b");
	expect_seek(v, "b", SEEK_BEFORE, NULL);
	expect_seek(v, "a", SEEK_BEFORE, NULL);
	store_view_close(v);
}

static void a_view_is_a_snapshot(void **state)
{
	struct fixture *f = *state;
	struct turn_write before = {text("k"), text("old"), false}, after = {text("k"), text("new"), false},
			  more = {text("l"), text("x"), false};
	commit(f, &before, 1);
	struct store_view *old = view(f);
	commit(f, &after, 1);
	commit(f, &more, 1);
	struct store_view *new = view(f);
	expect(old, "k", "old");
	expect_seek(old, "k", SEEK_AFTER, NULL);
	expect(new, "k", "new");
	expect_seek(new, "k", SEEK_AFTER, "l");
	store_view_close(old);
	expect(new, "k", "new");
	store_view_close(new);
}

static void expect_all(struct store_view *v, char (*keys)[8], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		expect_seek(v, i ? keys[i - 1] : "", SEEK_AFTER, keys[i]);
		expect(v, keys[i], "first");
	}
	expect_seek(v, keys[count - 1], SEEK_AFTER, NULL);
}

static void an_old_view_stays_whole_under_many_commits(void **state)
{
	enum { KEYS = 200 };
	struct fixture *f = *state;
	char keys[KEYS][8];
	struct turn_write w[KEYS];
	for (int i = 0; i < KEYS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%03d", i);
		w[i] = (struct turn_write){text(keys[i]), text("first"), false};
	}
	commit(f, w, KEYS);
	struct store_view *old = view(f);
	for (int i = 0; i < KEYS; i += 7) {
		struct turn_write change[] = {{text(keys[i]), text("second"), i % 2}, {text("new"), text("x"), false}};
		commit(f, change, 2);
		expect_all(old, keys, KEYS);
	}
	store_view_close(old);
}

static void an_empty_write_set_is_no_commit(void **state)
{
	struct fixture *f = *state;
	struct store_stats before, after;
	store_check(f->store, &before);
	commit(f, NULL, 0);
	store_check(f->store, &after);
	assert_int_equal(after.commits, before.commits);
}

/* Many random write-sets against an array; some MiB in all, so that LMDB's map grows several times. */
static void random_write_sets_match_an_array(void **state)
{
	enum { KEYS = 300, SIZE = 5000 };
	struct fixture *f = *state;
	static uint8_t value[KEYS][SIZE];
	size_t size[KEYS] = {0};
	bool there[KEYS] = {false};
	char key[KEYS][8];
	struct random random;
	random_init_seed(&random, 42);
	for (int i = 0; i < KEYS; i++)
		snprintf(key[i], sizeof(key[i]), "k%05d", i);
	for (int round = 0; round < 60; round++) {
		struct turn_write w[KEYS];
		size_t n = 0;
		for (int i = 0; i < KEYS; i++) {
			if (random_below(&random, 3))
				continue;
			there[i] = random_below(&random, 4);
			size[i] = there[i] ? random_below(&random, SIZE) : 0;
			random_fill(&random, value[i], size[i]);
			w[n++] = (struct turn_write){text(key[i]), {value[i], size[i]}, !there[i]};
		}
		commit(f, w, n);
		if (round % 20 == 19)
			reopen(f);
		struct store_view *v = view(f);
		const struct turn_view *t = store_view_turn(v);
		for (int i = 0; i < KEYS; i++) {
			struct bytes got = {0};
			bool found;
			assert_int_equal(t->get(t->ctx, text(key[i]), &got, &found, NULL), ERR_OK);
			assert_int_equal(found, there[i]);
			if (found)
				assert_true(got.size == size[i] && !memcmp(got.data, value[i], got.size));
		}
		store_view_close(v);
	}
	struct store_stats stats;
	store_check(f->store, &stats);
	assert_int_equal(stats.views, 0);
	if (f->backend == LMDB)
		assert_true(stats.map_bytes > 1 << 20 && stats.used_bytes <= stats.map_bytes);
}

static void injected_faults_break_the_memory_store(void **state)
{
	struct fixture *f = *state;
	struct turn_write one = {text("k"), text("1"), false}, two = {text("k"), text("2"), false};
	struct store_view *v;
	store_memory_fail(f->store, STORE_FAULT_LOST, 1);
	commit(f, &one, 1);
	assert_int_equal(store_commit(f->store, &two, 1, NULL), ERR_IO);
	assert_int_equal(store_commit(f->store, &two, 1, NULL), ERR_STATE);
	assert_int_equal(store_view_open(f->store, "test", &v, NULL), ERR_STATE);
	store_memory_restart(f->store);
	v = view(f);
	expect(v, "k", "1");
	store_view_close(v);
	store_memory_fail(f->store, STORE_FAULT_UNKNOWN, 0);
	assert_int_equal(store_commit(f->store, &two, 1, NULL), ERR_IO);
	store_memory_restart(f->store);
	v = view(f);
	expect(v, "k", "2");
	store_view_close(v);
}

#define BOTH(name)                                                                                                     \
	{#name " (memory)", name, setup_memory, teardown, NULL},                                                       \
	{                                                                                                              \
#name " (lmdb)", name, setup_lmdb, teardown, NULL                                                      \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(what_was_committed_is_there),
	    BOTH(seeks_go_to_the_nearest),
	    BOTH(a_view_is_a_snapshot),
	    BOTH(an_old_view_stays_whole_under_many_commits),
	    BOTH(an_empty_write_set_is_no_commit),
	    BOTH(random_write_sets_match_an_array),
	    cmocka_unit_test_setup_teardown(injected_faults_break_the_memory_store, setup_memory, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
