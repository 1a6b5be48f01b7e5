/* agent/database/wal_records.h: the records of a write-ahead log that a recovery may aim at: ends of transactions,
 * named restore points.
 *
 * Pages are fed in order; everything else is skipped over.  Bounded: the first bytes of each record are kept, nothing
 * else.  Pure. Layout: xlogrecord.h, xlog_internal.h, xact.h of PostgreSQL 15, unchanged from 13 to 17. */
#ifndef KEDGE_AGENT_DATABASE_WAL_RECORDS_H
#define KEDGE_AGENT_DATABASE_WAL_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WAL_PAGE_SIZE = 8192,
	WAL_RECORD_KEPT =
	    512, /* a restore point's record has 100 bytes, and a transaction's time stands in its first 40 */
	WAL_POINT_NAME_MAX = 64,
};

enum wal_mark_kind { WAL_MARK_OTHER, WAL_MARK_COMMIT, WAL_MARK_ABORT, WAL_MARK_POINT };
struct wal_mark {
	enum wal_mark_kind kind; /* OTHER: any other record; only lsn counts */
	uint64_t lsn;            /* where its record begins */
	uint64_t time_us;        /* unix microseconds; 0 before 1970 */
	uint32_t xid;            /* of commits and aborts; 0: a prepared transaction's, which is not read */
	char name[WAL_POINT_NAME_MAX];
};
/* False ends the walk. */
typedef bool wal_mark_fn(void *ctx, const struct wal_mark *mark);

struct wal_records { /* one walk; zero it, then set mark and ctx */
	wal_mark_fn *mark;
	void *ctx;
	bool over;         /* mark said so */
	bool segment_over; /* nothing more in this segment: go on with the next one */
	bool inside;       /* a record goes on in the next page */
	uint64_t lsn;      /* of the record at hand */
	uint32_t total, done;
	uint64_t skip; /* bytes of a record whose beginning was not seen */
	uint8_t head[WAL_RECORD_KEPT];
};
/* The next page, at this place in the log.  False: it is none of the log's, and the rest of its segment is not worth
 * looking at. */
bool wal_records_page(struct wal_records *w, const uint8_t page[WAL_PAGE_SIZE], uint64_t lsn);

#endif
