/* tests/fuzz/database.c: what databases and their files say: pages and histories of a write-ahead log, answers of a
 * Redis server, settings. The first byte chooses. */
#include <assert.h>
#include <string.h>

#include "agent/database/postgres_recovery.h"
#include "agent/database/resp.h"
#include "agent/database/wal.h"
#include "agent/database/wal_records.h"
#include "tests/fuzz/fuzz.h"

static bool on_mark(void *ctx, const struct wal_mark *m)
{
	assert(m->kind <= WAL_MARK_POINT);
	assert(strnlen(m->name, sizeof m->name) < sizeof m->name);
	++*(size_t *)ctx;
	return true;
}

static void pages(const uint8_t *data, size_t size)
{
	size_t marks = 0;
	struct wal_records w = {.mark = on_mark, .ctx = &marks};
	uint8_t page[WAL_PAGE_SIZE];
	uint64_t lsn = size >= 16 ? 0x1000000 : 0;
	if (size >= 16)
		memcpy(&lsn, data + 8, sizeof lsn); /* so that the first page is one of the log's */
	for (size_t at = 0; at < size; at += WAL_PAGE_SIZE, lsn += WAL_PAGE_SIZE) {
		size_t n = size - at < WAL_PAGE_SIZE ? size - at : WAL_PAGE_SIZE;
		memset(page, 0, sizeof page);
		memcpy(page, data + at, n);
		(void)wal_records_page(&w, page, lsn);
		(void)!wal_page_check(page, n, 1, 1 << 20, 1, NULL);
	}
	assert(marks <= size); /* a record has 24 bytes */
}

static void history(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct list all;
	if (arena && wal_history_parse((const char *)data, size, arena, &all, NULL) == ERR_OK)
		for (size_t i = 0; i < all.count; i++)
			assert(LIST_AT(all, struct wal_ancestor, i).timeline);
	arena_free(arena);
}

static void answer(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT;
	size_t used = 0;
	enum resp_result got = resp_parse(data, size, &text, &used);
	if (got == RESP_TEXT || got == RESP_ERROR)
		assert(used > 0 && used <= size && text.size <= used);
	buf_done(&text);
}

static void words(const uint8_t *data, size_t size)
{
	struct buf out = BUF_INIT, again = BUF_INIT, in = BUF_INIT;
	char name[WAL_NAME_MAX];
	struct wal_name n;
	uint64_t lsn;
	buf_append(&in, data, size);
	const char *text = buf_str(&in);
	recovery_filter(text, &out);
	recovery_filter(buf_str(&out), &again);
	assert(out.size == again.size && (!out.size || memcmp(out.data, again.data, out.size) == 0));
	if (wal_name_parse(text, &n) && n.kind == WAL_SEGMENT && n.low < 4096)
		assert(strcmp(wal_segment_name(n.timeline, wal_number(&n, 1 << 20), 1 << 20, name), text) == 0);
	(void)wal_lsn_parse(text, &lsn);
	buf_done(&out);
	buf_done(&again);
	buf_done(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const uint8_t *, size_t) = {pages, history, answer, words};
	if (size)
		targets[data[0] % 4](data + 1, size - 1);
	return 0;
}
