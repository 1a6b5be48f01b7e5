#include "agent/database/wal_records.h"

#include <string.h>

#include "agent/repository/bytes.h"

enum {
	RECORD_HEAD = 24,
	PAGE_HEAD = 24,
	PAGE_HEAD_LONG = 40,
	FLAG_CONTINUES = 0x0001,
	FLAG_LONG = 0x0002,
	MANAGER_XLOG = 0,
	MANAGER_XACT = 1,
	XLOG_SWITCH = 0x40,
	XLOG_RESTORE_POINT = 0x70,
	XACT_KINDS = 0x70,
	XACT_COMMIT = 0x00,
	XACT_ABORT = 0x20,
	XACT_COMMIT_PREPARED = 0x30,
	XACT_ABORT_PREPARED = 0x40,
	PART_DATA_SHORT = 255,
	PART_DATA_LONG = 254,
	PART_ORIGIN = 253,
	PART_TOPLEVEL = 252,
};
#define EPOCH_US ((int64_t)946684800 * 1000000) /* 2000-01-01, where PostgreSQL's time begins */

static uint32_t aligned(uint32_t n)
{
	return (n + 7) & ~7u;
}

/* ---- one record ---- */

/* Where a record's own data begin, size bytes of them kept; NULL: not here. */
static const uint8_t *main_data(const struct wal_records *w, size_t need)
{
	size_t kept = w->total < WAL_RECORD_KEPT ? w->total : WAL_RECORD_KEPT, at = RECORD_HEAD;
	while (at < kept) {
		uint8_t part = w->head[at];
		size_t begins = part == PART_DATA_SHORT ? at + 2 : part == PART_DATA_LONG ? at + 5 : 0;
		if (begins)
			return begins + need <= kept ? w->head + begins : NULL;
		if (part == PART_ORIGIN)
			at += 3;
		else if (part == PART_TOPLEVEL)
			at += 5;
		else
			return NULL; /* blocks: nothing that is looked for */
	}
	return NULL;
}

static uint64_t unix_us(const uint8_t *p)
{
	int64_t t = (int64_t)get64(p);
	return t < -EPOCH_US || t > INT64_MAX - EPOCH_US ? 0 : (uint64_t)(t + EPOCH_US);
}

static void end_record(struct wal_records *w)
{
	struct wal_mark m = {.lsn = w->lsn};
	uint8_t info = w->head[16] & 0xf0, manager = w->head[17];
	uint8_t kind = info & XACT_KINDS;
	const uint8_t *data;
	w->inside = false;
	if (manager == MANAGER_XLOG && info == XLOG_SWITCH)
		w->segment_over = true;
	if (manager == MANAGER_XACT &&
	    (kind == XACT_COMMIT || kind == XACT_ABORT || kind == XACT_COMMIT_PREPARED ||
		kind == XACT_ABORT_PREPARED) &&
	    (data = main_data(w, 8))) {
		m.kind = kind == XACT_COMMIT || kind == XACT_COMMIT_PREPARED ? WAL_MARK_COMMIT : WAL_MARK_ABORT;
		m.xid = kind == XACT_COMMIT || kind == XACT_ABORT ? get32(w->head + 4) : 0;
		m.time_us = unix_us(data);
	} else if (manager == MANAGER_XLOG && info == XLOG_RESTORE_POINT &&
		   (data = main_data(w, 8 + WAL_POINT_NAME_MAX))) {
		m.kind = WAL_MARK_POINT;
		m.time_us = unix_us(data);
		memcpy(m.name, data + 8, WAL_POINT_NAME_MAX);
		m.name[WAL_POINT_NAME_MAX - 1] = '\0';
	}
	w->over = !w->mark(w->ctx, &m);
}

/* ---- pages ---- */

static uint32_t take_record(struct wal_records *w, const uint8_t *page, uint32_t at)
{
	uint32_t n = w->total - w->done < WAL_PAGE_SIZE - at ? w->total - w->done : WAL_PAGE_SIZE - at;
	if (w->done < WAL_RECORD_KEPT) {
		uint32_t keep = WAL_RECORD_KEPT - w->done < n ? WAL_RECORD_KEPT - w->done : n;
		memcpy(w->head + w->done, page + at, keep);
	}
	w->done += n;
	at += n;
	if (w->done == w->total) {
		end_record(w);
		at = aligned(at);
	}
	return at;
}

/* Where the page's first byte of records is; 0: it is no page of the log. */
static uint32_t begin_page(struct wal_records *w, const uint8_t *page, uint64_t lsn)
{
	uint16_t flags = get16(page + 2);
	if (!get16(page) || get64(page + 8) != lsn)
		return 0;
	uint32_t rest = get32(page + 16);
	bool continues = flags & FLAG_CONTINUES;
	if (w->inside && (!continues || rest != w->total - w->done))
		w->inside = false; /* it was never finished: a crash, and something else was written over it */
	if (continues && !w->inside)
		w->skip = rest;
	return flags & FLAG_LONG ? PAGE_HEAD_LONG : PAGE_HEAD;
}

bool wal_records_page(struct wal_records *w, const uint8_t page[WAL_PAGE_SIZE], uint64_t lsn)
{
	uint32_t at = begin_page(w, page, lsn);
	if (!at) {
		w->inside = false;
		w->skip = 0;
		return false;
	}
	while (at < WAL_PAGE_SIZE && !w->over && !w->segment_over) {
		if (w->skip) {
			uint32_t n = w->skip < WAL_PAGE_SIZE - at ? (uint32_t)w->skip : WAL_PAGE_SIZE - at;
			w->skip -= n;
			at = w->skip ? at + n : aligned(at + n);
		} else if (w->inside) {
			at = take_record(w, page, at);
		} else {
			w->total = get32(page + at);
			if (w->total < RECORD_HEAD) {
				w->segment_over = true;
				return true;
			}
			w->inside = true;
			w->done = 0;
			w->lsn = lsn + at;
			memset(w->head, 0, sizeof w->head);
		}
	}
	return true;
}
