/* What databases say, taken apart: records of a log across pages, answers of a Redis server, settings of a recovery. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/database/postgres_recovery.h"
#include "agent/database/resp.h"
#include "agent/database/tablespaces.h"
#include "agent/database/wal_records.h"
#include "agent/repository/bytes.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/scratch.h"

enum { PAGES = 8, LOG = PAGES * WAL_PAGE_SIZE };
#define BEGINS ((uint64_t)0x3000000)

/* ---- a log made up here, as xlogrecord.h and xlog_internal.h lay it out ---- */

struct log {
	uint8_t bytes[LOG];
	size_t at;
};

static void page_head(struct log *l, size_t page, uint32_t rest)
{
	uint8_t *p = l->bytes + page * WAL_PAGE_SIZE;
	put16(p, 0xD110);
	put16(p + 2, (uint16_t)((page ? 0 : 2) | (rest ? 1 : 0)));
	put64(p + 8, BEGINS + page * WAL_PAGE_SIZE);
	put32(p + 16, rest);
}

static void put_bytes(struct log *l, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (l->at % WAL_PAGE_SIZE == 0) {
			page_head(l, l->at / WAL_PAGE_SIZE, i ? (uint32_t)(size - i) : 0);
			l->at += l->at ? 24 : 40;
		}
		l->bytes[l->at++] = data[i];
	}
}

static uint64_t put_record(struct log *l, uint8_t manager, uint8_t info, uint32_t xid, const void *data, size_t size)
{
	static uint8_t record[LOG];
	size_t total = 24 + (size < 256 ? 2u : 5u) + size;
	assert_true(total <= sizeof record);
	memset(record, 0, 29);
	put32(record, (uint32_t)total);
	put32(record + 4, xid);
	record[16] = info;
	record[17] = manager;
	if (size < 256) {
		record[24] = 255;
		record[25] = (uint8_t)size;
	} else {
		record[24] = 254;
		put32(record + 25, (uint32_t)size);
	}
	memcpy(record + total - size, data, size);
	l->at = (l->at + 7) & ~(size_t)7;
	uint64_t lsn = BEGINS + (l->at % WAL_PAGE_SIZE ? l->at : l->at + (l->at ? 24 : 40));
	put_bytes(l, record, total);
	return lsn;
}

static uint64_t commit(struct log *l, uint32_t xid, uint64_t unix_us)
{
	uint8_t t[8];
	put64(t, unix_us - (uint64_t)946684800 * 1000000);
	return put_record(l, 1, 0x80, xid, t, sizeof t); /* XLOG_XACT_HAS_INFO beside the kind */
}

struct seen {
	struct wal_mark marks[64];
	size_t count, enough;
};

static bool see(void *ctx, const struct wal_mark *m)
{
	struct seen *s = ctx;
	if (m->kind != WAL_MARK_OTHER && s->count < 64)
		s->marks[s->count++] = *m;
	return s->count != s->enough;
}

static struct seen walk(const struct log *l, size_t from)
{
	struct seen s = {.enough = 64};
	struct wal_records w = {.mark = see, .ctx = &s};
	for (size_t page = from; page < PAGES && !w.over && !w.segment_over; page++)
		if (!wal_records_page(&w, l->bytes + page * WAL_PAGE_SIZE, BEGINS + page * WAL_PAGE_SIZE))
			break;
	return s;
}

static void records(void **state)
{
	(void)state;
	struct log l = {.at = 0};
	uint8_t large[3 * WAL_PAGE_SIZE] = {7}, point[72] = {0};
	uint64_t lsns[2];
	lsns[0] = commit(&l, 700, 1700000000000000);
	put_record(&l, 10, 0, 701, large, sizeof large); /* over more than three pages */
	put_record(&l, 1, 0x20, 701, "12345678", 8);     /* an abort */
	memcpy(point + 8, "here", 4);
	put_record(&l, 0, 0x70, 0, point, sizeof point);
	put_record(&l, 1, 0x10, 702, point, 8); /* prepared: no end of a transaction */
	put_record(&l, 1, 0x30, 0, point, 8);
	while (l.at % WAL_PAGE_SIZE < WAL_PAGE_SIZE - 24) /* so that the next header is cut by the end of the page */
		put_record(&l, 10, 0, 0, large, l.at % WAL_PAGE_SIZE > WAL_PAGE_SIZE - 300 ? 6 : 200);
	lsns[1] = commit(&l, 800, 1700000001000000);
	struct seen s = walk(&l, 0);
	assert_int_equal(s.count, 5);
	assert_true(s.marks[0].kind == WAL_MARK_COMMIT && s.marks[0].xid == 700 &&
		    s.marks[0].time_us == 1700000000000000 && s.marks[0].lsn == lsns[0]);
	assert_true(s.marks[1].kind == WAL_MARK_ABORT && s.marks[1].xid == 701);
	assert_true(s.marks[2].kind == WAL_MARK_POINT);
	assert_string_equal(s.marks[2].name, "here");
	assert_true(s.marks[3].kind == WAL_MARK_COMMIT && s.marks[3].xid == 0);
	assert_true(s.marks[4].xid == 800 && s.marks[4].lsn == lsns[1]);
	s = walk(&l, 1); /* in the middle of the large one: what follows it is found all the same */
	assert_int_equal(s.count, 4);
	assert_int_equal(s.marks[0].xid, 701);
}

static void ends_of_segments(void **state)
{
	(void)state;
	struct log l = {.at = 0};
	commit(&l, 1, 1700000000000000);
	put_record(&l, 0, 0x40, 0, "", 0); /* a switch: what follows is of no meaning */
	commit(&l, 2, 1700000000000000);
	struct seen s = walk(&l, 0);
	assert_int_equal(s.count, 1);
	struct log cut = {.at = 0};
	uint8_t large[2 * WAL_PAGE_SIZE] = {1};
	put_record(&cut, 10, 0, 1, large, sizeof large);
	page_head(&cut, 1, 0); /* the crash: another record begins where that one should go on */
	memset(cut.bytes + WAL_PAGE_SIZE + 24, 0, WAL_PAGE_SIZE - 24);
	cut.at = WAL_PAGE_SIZE + 24;
	commit(&cut, 5, 1700000000000000);
	s = walk(&cut, 0);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.marks[0].xid, 5);
	/* Or it begins in the middle of yet another one. */
	memset(&cut, 0, sizeof cut);
	put_record(&cut, 10, 0, 1, large, sizeof large);
	page_head(&cut, 1, 64);
	memset(cut.bytes + WAL_PAGE_SIZE + 24, 0, WAL_PAGE_SIZE - 24);
	cut.at = WAL_PAGE_SIZE + 24 + 64;
	commit(&cut, 6, 1700000000000000);
	s = walk(&cut, 0);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.marks[0].xid, 6);
}

/* ---- Redis ---- */

static void is_answer(const char *said, enum resp_result result, const char *text, size_t used)
{
	struct buf out = BUF_INIT;
	size_t n = 0;
	enum resp_result got = resp_parse((const uint8_t *)said, strlen(said), &out, &n);
	assert_int_equal(got, result);
	if (got == RESP_TEXT || got == RESP_ERROR) {
		assert_string_equal(buf_str(&out), text);
		assert_int_equal(n, used);
	}
	buf_done(&out);
}

static void answers(void **state)
{
	(void)state;
	is_answer("+OK\r\nmore", RESP_TEXT, "OK", 5);
	is_answer(":12\r\n", RESP_TEXT, "12", 5);
	is_answer("-ERR no\r\n", RESP_ERROR, "ERR no", 9);
	is_answer("$5\r\nhe\r\no\r\n", RESP_TEXT, "he\r\no", 11);
	is_answer("$-1\r\n", RESP_TEXT, "", 5);
	is_answer("$0\r\n\r\n", RESP_TEXT, "", 6);
	is_answer("", RESP_MORE, "", 0);
	is_answer("+OK\r", RESP_MORE, "", 0);
	is_answer("$5\r\nhell", RESP_MORE, "", 0);
	is_answer("$5\r\nhelloXX", RESP_BAD, "", 0);
	is_answer("$x\r\n", RESP_BAD, "", 0);
	is_answer("$99999999999\r\n", RESP_BAD, "", 0);
	is_answer("$-2\r\n", RESP_BAD, "", 0);
	is_answer("*1\r\n$1\r\na\r\n", RESP_BAD, "", 0);
}

/* ---- settings ---- */

static void filtered(void **state)
{
	(void)state;
	struct buf out = BUF_INIT;
	recovery_filter("# kept\nport = '5'\nrecovery_target_time = 'x'\nrestore_command = 'cp /a/%f "
			"%p'\nrestore_command = 'kedge-agent wal fetch %f %p'\n"
			"recovery_target = 'immediate'\nlast = '1'",
	    &out);
	assert_string_equal(buf_str(&out), "# kept\nport = '5'\nrestore_command = 'cp /a/%f %p'\nlast = '1'\n");
	buf_done(&out);
}

static void quoted(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1 << 20);
	const char *text;
	struct err err = ERR_INIT;
	assert_int_equal(recovery_settings("/s'o me/50%", "db", 3, " --history", "recovery_target = 'immediate'\n",
			     arena, &text, &err),
	    ERR_OK);
	/* The shell sees '/s'\''o me/50%%/wal/db', and the server that as one %. */
	assert_non_null(strstr(text, " wal fetch %f %p --area ''/s''\\\\''''o me/50%%/wal/db'' --history'\n"));
	assert_non_null(strstr(text,
	    "\nrecovery_target_timeline = '3'\nrecovery_target = 'immediate'\nrecovery_target_action = 'promote'\n"));
	arena_free(arena);
}

static void says(const char *dir, const char *name, const char *text)
{
	char path[PATH_LIMIT];
	struct err err = ERR_INIT;
	assert_true(text_format(path, sizeof path, "%s/%s", dir, name));
	assert_int_equal(file_replace(path, text, strlen(text), 0600, &err), ERR_OK);
}

enum { DB_SHUT_DOWN = 1, DB_SHUT_DOWN_IN_RECOVERY, DB_SHUTTING_DOWN, DB_IN_CRASH_RECOVERY, DB_IN_RECOVERY, DB_WRITES };

static void stands_at(const char *dir, uint32_t timeline, uint32_t state)
{
	char path[PATH_LIMIT];
	uint8_t control[64] = {0};
	struct err err = ERR_INIT;
	put32(control + 8, 1300);
	put32(control + 16, state);
	put32(control + 48, timeline);
	assert_true(text_format(path, sizeof path, "%s/global", dir));
	assert_int_equal(file_make_dirs(path, 0700, &err), ERR_OK);
	assert_true(text_format(path, sizeof path, "%s/global/pg_control", dir));
	assert_int_equal(file_replace(path, control, sizeof control, 0600, &err), ERR_OK);
}

/* recovery.signal goes before the last of a recovery is written down: the timeline tells. */
static void over_on_a_timeline_of_its_own(void **state)
{
	(void)state;
	char dir[SCRATCH_PATH], path[PATH_LIMIT];
	struct err err = ERR_INIT;
	scratch_make(dir);
	assert_int_equal(recovery_course(dir), RECOVERY_OVER);
	stands_at(dir, 10, DB_WRITES);
	says(dir, "postgresql.auto.conf", "recovery_target_timeline = '10'\nrecovery_target = 'immediate'\n");
	assert_true(recovery_is_aimed(dir));
	assert_int_equal(recovery_course(dir), RECOVERY_OVER); /* not by us */
	assert_int_equal(
	    recovery_prepare(
		dir, "restore_command = 'kedge-agent wal fetch %f %p'\nrecovery_target_timeline = '10'\n", &err),
	    ERR_OK);
	assert_int_equal(recovery_course(dir), RECOVERY_DUE); /* whatever the control file still says */
	assert_true(text_format(path, sizeof path, "%s/recovery.signal", dir));
	assert_int_equal(unlink(path), 0);
	says(dir, "postmaster.pid", "7\n/d\n1\n5432\n/run\n\n  1 2\nready   \n"); /* so says a server that only reads */
	for (uint32_t s = DB_SHUT_DOWN_IN_RECOVERY; s <= DB_IN_RECOVERY; s++) {
		stands_at(dir, s % 2 ? 10 : 9, s);
		assert_int_equal(recovery_course(dir), RECOVERY_ENDING);
	}
	stands_at(dir, 10, DB_WRITES);
	assert_int_equal(recovery_course(dir), RECOVERY_RAN_PAST);
	stands_at(dir, 10, DB_IN_RECOVERY);
	assert_int_equal(recovery_aim_again(dir, &err), ERR_OK);
	assert_int_equal(recovery_course(dir), RECOVERY_DUE);
	assert_int_equal(unlink(path), 0);
	stands_at(dir, 11, DB_SHUTTING_DOWN);
	assert_int_equal(recovery_course(dir), RECOVERY_ENDING);
	stands_at(dir, 11, DB_WRITES);
	assert_int_equal(recovery_course(dir), RECOVERY_OVER);
	stands_at(dir, 11, DB_SHUT_DOWN);
	assert_int_equal(recovery_course(dir), RECOVERY_OVER);
	assert_int_equal(recovery_forget(dir, &err), ERR_OK);
	assert_false(recovery_is_aimed(dir));
	scratch_remove(dir);
}

/* A location may hold what ends a line, escaped; the new one is escaped, too. */
static void tablespaces_moved(void **state)
{
	(void)state;
	static const char *const wrong[] = {"x", "16384", "16384/srv\n", "12345678901 /srv\n", "1 /a\n\n"};
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	assert_int_equal(tablespaces_map("16384 /srv/a\\\nb\n16390 /srv/c\n", "/box\\x", &out, &err), ERR_OK);
	assert_string_equal(
	    buf_str(&out), "16384 /box\\\\x/postgres-tablespaces/16384\n16390 /box\\\\x/postgres-tablespaces/16390\n");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		buf_clear(&out);
		assert_int_equal(tablespaces_map(wrong[i], "/box", &out, &err), ERR_CORRUPT);
	}
	buf_done(&out);
	assert_string_equal(tablespaces_suffix("/srv/data"), "");
	assert_string_equal(tablespaces_suffix("/srv/data.kedge-ord-1"), ".kedge-ord-1");
	assert_string_equal(tablespaces_suffix("/srv/data/.kedge-ord-1"), ".kedge-ord-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records),
	    cmocka_unit_test(ends_of_segments),
	    cmocka_unit_test(answers),
	    cmocka_unit_test(filtered),
	    cmocka_unit_test(quoted),
	    cmocka_unit_test(over_on_a_timeline_of_its_own),
	    cmocka_unit_test(tablespaces_moved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
