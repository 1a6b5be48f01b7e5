/* The journal of a rollback: what was written is read, what is broken is named, what is old goes. */
#include "tests/unit/agent/rollback/world.h"

#include "agent/rollback/journal.h"

static struct journal sample(uint8_t n, enum journal_phase phase)
{
	static const struct component_point point = {
	    .component = COMPONENT_DATA, .digest = {{1, 2}}, .entries = 3, .size_bytes = 4};
	return (struct journal){.order = {{1, n}},
	    .service = "svc",
	    .components = 5,
	    .snapshot = {{2, n}},
	    .safety = {{3, n}},
	    .phase = phase,
	    .began_ms = 1000u * n,
	    .database_inode = 77,
	    .outcome = ORDER_REVERTED,
	    .text = "why",
	    .digests_match = true,
	    .healthy = true,
	    .points = {(void *)(uintptr_t)&point, 1}};
}

static void there_and_back(void **state)
{
	(void)state;
	char dir[SCRATCH_PATH], folder[WORLD_PATH];
	struct arena *arena = arena_new(0);
	struct err why = ERR_INIT;
	text_format(folder, sizeof folder, "%s/a/b", scratch_make(dir));
	for (unsigned phase = 0; phase < JOURNAL_PHASE_COUNT; phase++) {
		struct journal j = sample(1, phase), got;
		MUST(rollback_journal_write(folder, &j, err));
		MUST(rollback_journal_read(folder, j.order, arena, &got, err));
		assert_true(record_equal(&journal_type, &j, &got));
	}
	struct journal none;
	assert_int_equal(rollback_journal_read(folder, (struct id){{9}}, arena, &none, &why), ERR_NOT_FOUND);
	MUST(rollback_journal_remove(folder, (struct id){{1, 1}}, err));
	MUST(rollback_journal_remove(folder, (struct id){{1, 1}}, err));
	assert_int_equal(rollback_journal_read(folder, (struct id){{1, 1}}, arena, &none, &why), ERR_NOT_FOUND);
	arena_free(arena);
	scratch_remove(dir);
}

static void open_ones_and_old_ones(void **state)
{
	(void)state;
	char dir[SCRATCH_PATH];
	struct arena *arena = arena_new(0);
	struct list open;
	struct journal got;
	struct err why = ERR_INIT;
	MUST(rollback_journal_open("/nowhere/at/all", arena, &open, err));
	assert_int_equal(open.count, 0);
	scratch_make(dir);
	for (uint8_t n = 1; n <= 6; n++) {
		struct journal j = sample(n, n & 1 ? JOURNAL_ENDED : JOURNAL_APPLYING);
		MUST(rollback_journal_write(dir, &j, err));
	}
	MUST(rollback_journal_open(dir, arena, &open, err));
	assert_int_equal(open.count, 3);
	MUST(rollback_journal_sweep(dir, 5000, 2000, err)); /* before 3000: the first; the second is still open */
	assert_int_equal(rollback_journal_read(dir, (struct id){{1, 1}}, arena, &got, &why), ERR_NOT_FOUND);
	for (uint8_t n = 2; n <= 6; n++)
		MUST(rollback_journal_read(dir, (struct id){{1, n}}, arena, &got, err));
	/* Left by a write that was killed, or written this moment. */
	char path[WORLD_PATH], id[ID_TEXT_MAX];
	uint64_t now_ms = clock_wall_ms();
	text_format(path, sizeof path, "%s/.%s.json.aB3dEf", dir, id_format(ID_ORDER, (struct id){{1, 2}}, id));
	MUST(file_replace(path, "{", 1, 0600, err));
	MUST(rollback_journal_sweep(dir, now_ms + JOURNAL_UNFINISHED_MS / 2, UINT64_MAX, err));
	assert_true(file_exists(path));
	MUST(rollback_journal_sweep(dir, now_ms + 2 * (uint64_t)JOURNAL_UNFINISHED_MS, UINT64_MAX, err));
	assert_false(file_exists(path));
	MUST(rollback_journal_read(dir, (struct id){{1, 2}}, arena, &got, err));
	arena_free(arena);
	scratch_remove(dir);
}

static void broken_ones_are_named(void **state)
{
	(void)state;
	static const char *const broken[] = {
	    "", "{", "{\"phase\":\"applying\"}", "{\"order\":\"snap-01\"}", "\xff\xff"};
	char dir[SCRATCH_PATH], path[WORLD_PATH], id[ID_TEXT_MAX];
	struct arena *arena = arena_new(0);
	struct list open;
	struct journal got, j = sample(1, JOURNAL_APPLYING);
	struct err why = ERR_INIT;
	scratch_make(dir);
	text_format(path, sizeof path, "%s/%s.json", dir, id_format(ID_ORDER, j.order, id));
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		MUST(file_replace(path, broken[i], strlen(broken[i]), 0600, err));
		assert_int_not_equal(rollback_journal_read(dir, j.order, arena, &got, &why), ERR_OK);
		assert_non_null(strstr(why.msg, path));
		assert_int_not_equal(rollback_journal_open(dir, arena, &open, &why), ERR_OK);
		assert_non_null(strstr(why.msg, path));
	}
	arena_free(arena);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_and_back),
	    cmocka_unit_test(open_ones_and_old_ones),
	    cmocka_unit_test(broken_ones_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
