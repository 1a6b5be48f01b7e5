/* controller/api/board.c: the recovery board: what could be brought back now, on every host, and how surely. */
#include "controller/api/query.h"
#include "shared/base/text.h"

enum {
	BOARD_ROWS_MAX = 4096 * COMPONENT_COUNT,
};

#define S struct recovery_board
static const struct field board_fields[] = {
    F_TIME(S, at_ms, FIELD_COLUMN, "when this was read"),
    F_LIST(S, rows, &board_row_type, BOARD_ROWS_MAX, FIELD_ALWAYS,
	"a row for each component of each service of each host"),
};
#undef S
const struct record_type recovery_board_type = RECORD_TYPE(
    "recovery_board", struct recovery_board, board_fields, "what could be brought back now, and how surely");

static bool holds(const struct system_snapshot *s, uint32_t component)
{
	for (size_t i = 0; i < s->components.count; i++)
		if (LIST_AT(s->components, struct component_point, i).component == component)
			return true;
	return false;
}

static void from_snapshots(struct board_row *row, const struct list *newest_first, uint64_t now_ms)
{
	for (size_t i = 0; i < newest_first->count; i++) {
		const struct system_snapshot *s = &LIST_AT(*newest_first, struct system_snapshot, i);
		if (s->removed || s->reason == SNAPSHOT_SAFETY || !holds(s, row->component))
			continue;
		if (id_is_zero(row->snapshot)) {
			row->snapshot = s->snapshot;
			row->taken_ms = s->taken_ms;
			row->rpo_ms = now_ms > s->taken_ms ? now_ms - s->taken_ms : 0;
		}
		if (s->read_back_ms > row->verified_ms)
			row->verified_ms = s->read_back_ms;
	}
}

static void from_drill(struct board_row *row, const struct drill *d)
{
	row->drill_ms = d->at_ms;
	row->drill_ok = d->ok;
	row->proven_ms = d->proven_ms;
	row->text = d->text;
	for (size_t i = 0; i < d->components.count; i++)
		if (LIST_AT(d->components, struct component_drill, i).component == row->component)
			row->rto_ms = LIST_AT(d->components, struct component_drill, i).took_ms;
}

static enum err_code rows_of(
    struct turn *read, const struct placement *p, struct board_row *rows, size_t *count, struct err *reterr)
{
	struct list all;
	struct drill drill;
	struct reach reach;
	bool practised, beyond = false;
	uint64_t now_ms = turn_now_ms(read);
	enum err_code rc = fleet_snapshots(read, p->service, p->host, &all, reterr);
	if (rc == ERR_OK)
		rc = recovery_drill_get(read, p->service, p->host, &drill, &practised, reterr);
	if (rc == ERR_OK)
		rc = recovery_reach_get(read, p->service, p->host, &reach, &beyond, reterr);
	for (size_t i = 0; rc == ERR_OK && i < p->components.count && *count < BOARD_ROWS_MAX; i++) {
		struct board_row *row = &rows[(*count)++];
		*row = (struct board_row){
		    .host = p->host, .service = p->service, .component = LIST_AT(p->components, uint32_t, i)};
		from_snapshots(row, &all, now_ms);
		if (practised)
			from_drill(row, &drill);
		if (beyond)
			board_row_reach(row, &reach, now_ms);
		uint64_t since_ms = row->proven_ms > p->since_ms ? row->proven_ms : p->since_ms;
		row->overdue = now_ms > since_ms + RECOVERY_PROVEN_MS;
	}
	return rc;
}

enum err_code query_board(struct turn *read, struct buf *out, struct err *reterr)
{
	struct placement p;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct recovery_board board = {.at_ms = turn_now_ms(read)};
	struct board_row *rows = arena_array(turn_arena(read), BOARD_ROWS_MAX, sizeof *rows);
	size_t count = 0;
	enum err_code rc = rows ? turn_scan_key(read, &placement_table, NULL, 0, false, &scan, reterr)
				: err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK)
		return rc;
	while (turn_scan_step(&scan, &p, &rc, reterr))
		if (!p.undeclared && (rc = rows_of(read, &p, rows, &count, reterr)) != ERR_OK)
			break;
	board.rows = (struct list){rows, count};
	return rc == ERR_OK ? record_to_json(&recovery_board_type, &board, 0, out, reterr) : rc;
}
