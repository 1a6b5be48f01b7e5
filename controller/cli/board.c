/* controller/cli/board.c: what could be brought back now, and how surely. */
#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

static void warn(const struct recovery_board *b, struct buf *out)
{
	size_t overdue = 0, failed = 0, gaps = 0;
	for (size_t i = 0; i < b->rows.count; i++) {
		const struct board_row *row = &LIST_AT(b->rows, struct board_row, i);
		overdue += row->overdue;
		failed += row->drill_ms && !row->drill_ok;
		gaps += row->archive == ARCHIVE_GAP;
	}
	if (overdue)
		buf_printf(out,
		    "\n%zu without a proven restore for too long: `kedge-agent snapshot drill SERVICE` on the host tells why.\n",
		    overdue);
	if (gaps)
		buf_printf(out,
		    "\n%zu with a gap in the log of its database: only restore points can be reached; -o wide shows where.\n",
		    gaps);
	if (failed)
		buf_printf(
		    out, "\n%zu whose last practised restore failed: -o wide shows what the host said.\n", failed);
}

int run_recovery_board(struct cli *c)
{
	struct recovery_board b;
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	enum err_code rc = api_get(c, "/api/v1/recovery/board", &recovery_board_type, &b);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (b.rows.count)
		out_list(c, &out, &board_row_type, &b.rows, c->table.columns, 0);
	else
		buf_text(&out, "No host has declared anything that could be brought back.\n");
	warn(&b, &out);
	return out_page(c, &out, &recovery_board_type, &b);
}
