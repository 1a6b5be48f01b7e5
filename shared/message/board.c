#include "shared/message/report.h"

static uint64_t age(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

void board_row_reach(struct board_row *row, const struct reach *r, uint64_t now_ms)
{
	bool database = row->component == COMPONENT_DATABASE, based = !id_is_zero(row->snapshot);
	bool whole = r->archive == ARCHIVE_OK || r->archive == ARCHIVE_LATE;
	row->copies = r->copies;
	row->copied_ms = r->copied_point_ms;
	if (database) {
		row->archive = r->archive;
		if (based && whole && r->covered_ms > row->taken_ms)
			row->rpo_ms = age(r->covered_ms, now_ms);
		/* A log leads somewhere only from a restore point on. */
		if (whole && r->copied_point_ms && r->copied_ms > row->copied_ms)
			row->copied_ms = r->copied_ms;
		if (r->archive != ARCHIVE_OK && r->text)
			row->text = r->text;
	}
	row->copied_rpo_ms = row->copied_ms ? age(row->copied_ms, now_ms) : 0;
}
