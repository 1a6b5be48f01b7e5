/* The recovery board: what hosts have told of restore points and practised restores, in one place. */
#include "controller/api/query.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"
#include "tests/lib/recovery_world.h"

static void board_now(struct world *w, struct recovery_board *ret)
{
	CLEANUP(buf_done) struct buf json = BUF_INIT;
	ok(query_board(w->turn, &json, ERR_HERE));
	ok(record_from_json(&recovery_board_type, buf_str(&json), json.size, 0, turn_arena(w->turn), ret, ERR_HERE));
}

static const struct board_row *row_of(const struct recovery_board *b, const char *host, uint32_t component)
{
	for (size_t i = 0; i < b->rows.count; i++) {
		const struct board_row *row = &LIST_AT(b->rows, struct board_row, i);
		if (text_equal(row->host, host) && row->component == component)
			return row;
	}
	fail_msg("no row of %s", host);
	return NULL;
}

static void practised(struct world *w, const char *host, bool well, uint64_t proven_ms)
{
	struct component_drill config = {COMPONENT_CONFIG, 20, 4096, 700};
	struct drill_report r = {.service = "portal",
	    .snapshot = fleet_good[0],
	    .at_ms = w->now_ms,
	    .took_ms = 900,
	    .ok = well,
	    .proven_ms = proven_ms,
	    .text = well ? NULL : "a chunk is damaged",
	    .components = {&config, well ? 1 : 0}};
	struct host h = host_now(w, host);
	ok(recovery_on_drill(w->turn, &h, &r, ERR_HERE));
}

static void rows(void **state)
{
	(void)state;
	struct world w;
	struct recovery_board b;
	world_open(&w);
	fleet_is(&w, 2);
	uint64_t taken_ms = w.now_ms - 10 * MINUTE;
	board_now(&w, &b);
	const struct board_row *row = row_of(&b, "h0000", COMPONENT_CONFIG);
	assert_true(id_equal(row->snapshot, fleet_good[0]));
	assert_true(row->taken_ms == taken_ms && row->rpo_ms == 10 * MINUTE && row->verified_ms);
	assert_true(!row->drill_ms && !row->rto_ms && !row->overdue); /* young: nobody could have practised yet */
	(void)row_of(&b, "h0001", COMPONENT_CODE);
	uint64_t proven_ms = w.now_ms;
	practised(&w, "h0000", true, proven_ms);
	world_after(&w, 60 * MINUTE);
	practised(&w, "h0000", false, proven_ms);
	/* A safety net is nothing to come back to. */
	(void)snapshot_is(&w, "portal", "h0000", 3, 3, SNAPSHOT_SAFETY, (struct id){{0}});
	board_now(&w, &b);
	row = row_of(&b, "h0000", COMPONENT_CONFIG);
	assert_true(id_equal(row->snapshot, fleet_good[0]) && row->rpo_ms == 70 * MINUTE);
	assert_true(row->drill_ms == w.now_ms && !row->drill_ok && row->proven_ms == proven_ms);
	assert_string_equal(row->text, "a chunk is damaged");
	practised(&w, "h0000", true, w.now_ms);
	board_now(&w, &b);
	row = row_of(&b, "h0000", COMPONENT_CONFIG);
	assert_true(row->drill_ok && row->rto_ms == 700 && !row->text && !row->overdue);
	world_after(&w, 3 * DAY_MS); /* and then silence */
	board_now(&w, &b);
	assert_true(row_of(&b, "h0000", COMPONENT_CONFIG)->overdue);
	assert_true(row_of(&b, "h0001", COMPONENT_CONFIG)->overdue);
	world_close(&w);
}

/* The host said it in its report: by its own clock, which is a minute ahead here. */
static void told(
    struct world *w, const char *host, uint32_t archive, uint64_t covered_ms, uint64_t copied_ms, uint64_t at_ms)
{
	struct reach r[] = {{.service = "portal",
				.archive = archive,
				.covered_ms = covered_ms,
				.copies = true,
				.copied_ms = copied_ms,
				.copied_point_ms = w->now_ms - 100 * MINUTE,
				.text = archive == ARCHIVE_GAP ? "segment 5 is missing" : NULL},
	    {.service = "not-here", .archive = ARCHIVE_OK}};
	struct host_report report = {.reach = {r, 2}};
	struct host h = host_now(w, host);
	ok(recovery_on_reach(w->turn, &h, at_ms, &report, ERR_HERE));
}

static void logs_and_copies(void **state)
{
	struct world w;
	struct recovery_board b;
	(void)state;
	world_open(&w);
	fleet_is(&w, 2);
	world_after(&w, 60 * MINUTE);
	board_now(&w, &b);
	const struct board_row *row = row_of(&b, "h0000", COMPONENT_CODE);
	assert_true(row->archive == ARCHIVE_NONE && !row->copies && !row->copied_ms);
	/* Files: only a restore point counts, here and off the host. */
	told(&w, "h0000", ARCHIVE_OK, w.now_ms - MINUTE, w.now_ms - 3 * MINUTE, w.now_ms);
	board_now(&w, &b);
	row = row_of(&b, "h0000", COMPONENT_CODE);
	assert_true(row->rpo_ms == 70 * MINUTE && row->copies && row->copied_rpo_ms == 100 * MINUTE);
	assert_true(row->archive == ARCHIVE_NONE);
	assert_true(!row_of(&b, "h0001", COMPONENT_CODE)->copies);
	/* What is replayed late says nothing of now; of a service that the host does not run nothing is kept. */
	told(&w, "h0000", ARCHIVE_GAP, 0, 0, w.now_ms - 10 * MINUTE);
	struct reach kept;
	bool found;
	ok(recovery_reach_get(w.turn, "portal", "h0000", &kept, &found, ERR_HERE));
	assert_true(found && kept.archive == ARCHIVE_OK);
	ok(recovery_reach_get(w.turn, "not-here", "h0000", &kept, &found, ERR_HERE));
	assert_false(found);
	world_close(&w);
}

/* A database: what its log holds, here and elsewhere; behind a gap all since the restore point. */
static void a_database_loses_what_its_log_lacks(void **state)
{
	const uint64_t now = 1000 * (uint64_t)MINUTE;
	const struct board_row fresh = {
	    .component = COMPONENT_DATABASE, .snapshot = {{1}}, .taken_ms = now - 60 * MINUTE, .rpo_ms = 60 * MINUTE};
	struct reach r = {.archive = ARCHIVE_OK,
	    .covered_ms = now - MINUTE,
	    .copies = true,
	    .copied_ms = now - 2 * MINUTE,
	    .copied_point_ms = now - 120 * MINUTE};
	struct board_row row = fresh;
	(void)state;
	board_row_reach(&row, &r, now);
	assert_true(row.rpo_ms == MINUTE && row.copied_rpo_ms == 2 * MINUTE && row.archive == ARCHIVE_OK && !row.text);
	r.copied_point_ms = 0; /* a log without a restore point leads nowhere */
	row = fresh;
	board_row_reach(&row, &r, now);
	assert_true(!row.copied_ms && !row.copied_rpo_ms && row.copies);
	r.copied_point_ms = now - 120 * MINUTE;
	r.archive = ARCHIVE_GAP;
	r.text = "segment 5 is missing";
	row = fresh;
	board_row_reach(&row, &r, now);
	assert_true(row.rpo_ms == 60 * MINUTE && row.copied_rpo_ms == 120 * MINUTE && row.archive == ARCHIVE_GAP);
	assert_string_equal(row.text, "segment 5 is missing");
	r.archive = ARCHIVE_OK;
	row = fresh;
	row.snapshot = (struct id){{0}}; /* nothing to begin with */
	row.rpo_ms = 0;
	board_row_reach(&row, &r, now);
	assert_int_equal(row.rpo_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(logs_and_copies),
	    cmocka_unit_test(a_database_loses_what_its_log_lacks)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
