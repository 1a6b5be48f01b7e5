/* Names, places and histories of the write-ahead log, as PostgreSQL writes them (xlog_internal.h, timeline.c). */
#include <string.h>

#include "agent/database/wal.h"
#include "agent/repository/bytes.h"
#include "shared/base/text.h"

enum { HEX_NAME = 24, LONG_HEADER = 0x0002 };

static bool hex8(const char *s, uint32_t *ret)
{
	uint32_t v = 0;
	for (int i = 0; i < 8; i++) {
		const char *digits = "0123456789ABCDEF", *at = s[i] ? strchr(digits, s[i]) : NULL;
		if (!at)
			return false;
		v = v << 4 | (uint32_t)(at - digits);
	}
	*ret = v;
	return true;
}

bool wal_name_parse(const char *name, struct wal_name *ret)
{
	struct wal_name n = {.kind = WAL_HISTORY};
	uint32_t offset;
	if (!hex8(name, &n.timeline) || !n.timeline)
		return false;
	if (text_equal(name + 8, ".history")) {
		*ret = n;
		return true;
	}
	if (!hex8(name + 8, &n.high) || !hex8(name + 16, &n.low))
		return false;
	const char *rest = name + HEX_NAME;
	if (!*rest)
		n.kind = WAL_SEGMENT;
	else if (text_equal(rest, ".partial"))
		n.kind = WAL_PARTIAL;
	else if (*rest == '.' && hex8(rest + 1, &offset) && text_equal(rest + 9, ".backup"))
		n.kind = WAL_BACKUP;
	else
		return false;
	*ret = n;
	return true;
}

static uint64_t per_high(uint32_t segment_bytes)
{
	return ((uint64_t)1 << 32) / segment_bytes;
}

uint64_t wal_number(const struct wal_name *n, uint32_t segment_bytes)
{
	return n->high * per_high(segment_bytes) + n->low;
}

char *wal_segment_name(uint32_t timeline, uint64_t number, uint32_t segment_bytes, char out[WAL_NAME_MAX])
{
	uint64_t per = per_high(segment_bytes);
	text_format(out, WAL_NAME_MAX, "%08X%08X%08X", timeline, (unsigned)(number / per), (unsigned)(number % per));
	return out;
}

/* ---- LSNs ---- */

static const char *hex_word(const char *s, uint32_t *ret)
{
	uint32_t v = 0;
	int n = 0;
	for (; n < 9; n++, s++) {
		const char *digits = "0123456789abcdef",
			   *at = *s ? strchr(digits, *s | ((*s >= 'A' && *s <= 'F') << 5)) : NULL;
		if (!at)
			break;
		v = v << 4 | (uint32_t)(at - digits);
	}
	*ret = v;
	return n >= 1 && n <= 8 ? s : NULL;
}

bool wal_lsn_parse(const char *s, uint64_t *ret)
{
	uint32_t high, low;
	const char *rest = hex_word(s, &high);
	if (!rest || *rest != '/' || !(rest = hex_word(rest + 1, &low)) || *rest)
		return false;
	*ret = (uint64_t)high << 32 | low;
	return true;
}

char *wal_lsn_text(uint64_t lsn, char out[WAL_LSN_TEXT])
{
	text_format(out, WAL_LSN_TEXT, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
	return out;
}

/* ---- histories: "1\t0/3000158\tno recovery target specified\n" ---- */

static bool ancestor_of(char *line, struct wal_ancestor *ret)
{
	uint64_t timeline;
	char *tab = strchr(line, '\t');
	if (!tab)
		return false;
	*tab = '\0';
	char *end = strpbrk(tab + 1, "\t ");
	if (end)
		*end = '\0';
	if (text_u64(line, &timeline, NULL) != ERR_OK || !timeline || timeline > UINT32_MAX ||
	    !wal_lsn_parse(tab + 1, &ret->until))
		return false;
	ret->timeline = (uint32_t)timeline;
	return true;
}

enum err_code wal_history_parse(
    const char *text, size_t size, struct arena *arena, struct list *ret, struct err *reterr)
{
	char *copy = arena_strndup(arena, text, size);
	struct wal_ancestor *all = arena_array(arena, WAL_TIMELINES_MAX, sizeof *all);
	size_t n = 0;
	if (!copy || !all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (char *line = copy, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		while (*line == ' ' || *line == '\t')
			line++;
		if (!*line || *line == '#')
			continue;
		if (n == WAL_TIMELINES_MAX || !ancestor_of(line, &all[n]) ||
		    (n && (all[n].timeline <= all[n - 1].timeline || all[n].until < all[n - 1].until)))
			return err_set(
			    reterr, ERR_CORRUPT, "a line of a timeline's history is not as PostgreSQL writes it");
		n++;
	}
	*ret = (struct list){all, n};
	return ERR_OK;
}

/* ---- the first page of a segment (XLogLongPageHeaderData) ---- */

enum err_code wal_page_check(
    const uint8_t *page, size_t size, uint64_t system, uint32_t segment_bytes, uint64_t number, struct err *reterr)
{
	if (size < WAL_PAGE_HEAD || !get16(page) || !(get16(page + 2) & LONG_HEADER))
		return err_set(reterr, ERR_INVALID, "it does not begin as a segment of a write-ahead log does");
	if (get64(page + 24) != system)
		return err_set(reterr, ERR_INVALID, "it is of another cluster (system identifier %llu, not %llu)",
		    (unsigned long long)get64(page + 24), (unsigned long long)system);
	if (get32(page + 32) != segment_bytes)
		return err_set(reterr, ERR_INVALID, "its segment size is %u, not %u", get32(page + 32), segment_bytes);
	if (get64(page + 8) != number * segment_bytes)
		return err_set(reterr, ERR_INVALID, "its name is not that of the place in the log that it holds");
	return ERR_OK;
}
