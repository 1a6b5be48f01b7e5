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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
