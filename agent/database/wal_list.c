/* What an archive holds: segments, timelines, gaps; and what falls out of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/database/wal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

/* ---- the folder ---- */

struct listing {
	struct arena *arena;
	const struct wal_area *area;
	struct wal_segment *segments;
	size_t count, room;
	uint32_t *histories;
	size_t history_count;
	uint64_t stored_bytes;
};

static enum err_code open_folder(const struct wal_area *a, DIR **ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof path, "%s/log", a->path))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", a->path);
	*ret = opendir(path);
	return *ret ? ERR_OK : err_sys(reterr, errno, "%s", path);
}

static enum err_code add_segment(struct listing *l, const struct wal_name *n, uint64_t stored_bytes, struct err *reterr)
{
	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 256;
		struct wal_segment *more = l->count < WAL_NAMES_MAX ? arena_array(l->arena, room, sizeof *more) : NULL;
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory for the list of an archive");
		if (l->count)
			memcpy(more, l->segments, l->count * sizeof *more);
		l->segments = more;
		l->room = room;
	}
	l->segments[l->count++] =
	    (struct wal_segment){n->timeline, wal_number(n, l->area->segment_bytes), stored_bytes};
	return ERR_OK;
}

static enum err_code add_name(struct listing *l, int folder, const char *name, struct err *reterr)
{
	struct wal_name n;
	struct stat st;
	if (!wal_name_parse(name, &n) || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return ERR_OK; /* a temporary one, or gone by now */
	l->stored_bytes += (uint64_t)st.st_size;
	if (n.kind == WAL_HISTORY && l->history_count < WAL_TIMELINES_MAX)
		l->histories[l->history_count++] = n.timeline;
	return n.kind == WAL_SEGMENT ? add_segment(l, &n, (uint64_t)st.st_size, reterr) : ERR_OK;
}

static int by_number(const void *a, const void *b)
{
	const struct wal_segment *x = a, *y = b;
	if (x->timeline != y->timeline)
		return x->timeline < y->timeline ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* ---- timelines ---- */

static enum err_code read_parent(
    const struct wal_area *a, struct arena *arena, struct wal_timeline *t, struct err *reterr)
{
	struct buf text = BUF_INIT;
	struct envelope_about about;
	struct list ancestors = {0};
	char name[WAL_NAME_MAX];
	text_format(name, sizeof name, "%08X.history", t->timeline);
	enum err_code rc = wal_read(a, name, WAL_HISTORY_MAX, &text, &about, reterr);
	if (rc == ERR_OK)
		rc = wal_history_parse(buf_str(&text), text.size, arena, &ancestors, reterr);
	buf_done(&text);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "%s", name);
	t->born_ms = about.changed_ms;
	if (ancestors.count) {
		const struct wal_ancestor *last = &LIST_AT(ancestors, struct wal_ancestor, ancestors.count - 1);
		t->parent = last->timeline;
		t->begins = last->until;
	}
	return ERR_OK;
}

static struct wal_timeline *timeline_slot(struct wal_holding *h, uint32_t timeline)
{
	size_t at = h->timeline_count;
	while (at > 0 && h->timelines[at - 1].timeline >= timeline)
		at--;
	if (at < h->timeline_count && h->timelines[at].timeline == timeline)
		return &h->timelines[at];
	if (h->timeline_count == WAL_TIMELINES_MAX)
		return NULL;
	memmove(h->timelines + at + 1, h->timelines + at, (h->timeline_count - at) * sizeof *h->timelines);
	h->timelines[at] = (struct wal_timeline){.timeline = timeline};
	h->timeline_count++;
	return &h->timelines[at];
}

static enum err_code find_timelines(const struct listing *l, struct wal_holding *h, struct err *reterr)
{
	struct wal_timeline *t;
	h->timelines = arena_array(l->arena, WAL_TIMELINES_MAX, sizeof *h->timelines);
	if (!h->timelines)
		return err_set(reterr, ERR_NOMEM, "out of memory for the list of an archive");
	for (size_t i = 0; i < h->segment_count; i++) {
		if (!(t = timeline_slot(h, h->segments[i].timeline)))
			return err_set(reterr, ERR_LIMIT, "more than %d timelines in one archive", WAL_TIMELINES_MAX);
		if (!t->count++)
			t->first = i;
	}
	for (size_t i = 0; i < l->history_count; i++) {
		if (!(t = timeline_slot(h, l->histories[i])))
			return err_set(reterr, ERR_LIMIT, "more than %d timelines in one archive", WAL_TIMELINES_MAX);
		enum err_code rc = read_parent(l->area, l->arena, t, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

enum err_code wal_list(const struct wal_area *a, struct arena *arena, struct wal_holding *ret, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	struct listing l = {
	    .arena = arena, .area = a, .histories = arena_array(arena, WAL_TIMELINES_MAX, sizeof *l.histories)};
	struct wal_holding h = {0};
	enum err_code rc = l.histories ? open_folder(a, &dir, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	for (struct dirent *e; rc == ERR_OK && (errno = 0, e = readdir(dir));)
		rc = add_name(&l, dirfd(dir), e->d_name, reterr);
	if (rc == ERR_OK && errno)
		rc = err_sys(reterr, errno, "%s/log", a->path);
	if (rc != ERR_OK)
		return rc;
	if (l.count)
		qsort(l.segments, l.count, sizeof *l.segments, by_number);
	qsort(l.histories, l.history_count, sizeof *l.histories, by_value);
	h.segments = l.segments;
	h.segment_count = l.count;
	h.stored_bytes = l.stored_bytes;
	rc = find_timelines(&l, &h, reterr);
	if (rc == ERR_OK)
		*ret = h;
	return rc;
}

const struct wal_timeline *wal_timeline_of(const struct wal_holding *h, uint32_t timeline)
{
	for (size_t i = 0; i < h->timeline_count; i++)
		if (h->timelines[i].timeline == timeline)
			return &h->timelines[i];
	return NULL;
}

uint64_t wal_run_end(const struct wal_holding *h, uint32_t timeline, uint64_t number)
{
	const struct wal_timeline *t = wal_timeline_of(h, timeline);
	size_t i = 0;
	while (t && i < t->count && h->segments[t->first + i].number < number)
		i++;
	for (; t && i < t->count && h->segments[t->first + i].number == number; i++)
		number++;
	return number - 1;
}

/* ---- removing ---- */

enum err_code wal_sweep(
    const struct wal_area *a, uint64_t number, uint64_t now_ms, bool apply, struct wal_swept *ret, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	struct wal_swept n = {0};
	enum err_code rc = open_folder(a, &dir, reterr);
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));) {
		struct wal_name name;
		struct stat st;
		bool ours = wal_name_parse(e->d_name, &name),
		     leftover = e->d_name[0] == '.' && strchr(e->d_name + 1, '.');
		if ((!ours && !leftover) || fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (ours ? name.kind == WAL_HISTORY || wal_number(&name, a->segment_bytes) >= number
			 : (uint64_t)st.st_mtim.tv_sec * 1000 + WAL_LEFTOVER_MS > now_ms)
			continue;
		n.files++;
		n.bytes += (uint64_t)st.st_size;
		if (apply && unlinkat(dirfd(dir), e->d_name, 0) != 0 && errno != ENOENT)
			rc = err_sys(reterr, errno, "%s/log/%s", a->path, e->d_name);
	}
	if (rc == ERR_OK)
		*ret = n;
	return rc;
}
