/* How well an archive follows its cluster. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/database/wal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"
#include "shared/record/record.h"

static const char *const state_names[] = {"empty", "ok", "late", "gap"};
static const struct enum_type state_enum = {"wal_state", state_names, WAL_STATE_COUNT};

static const struct field status_fields[] = {
    F_STRING(struct wal_status, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "whose database it is"),
    F_ENUM(struct wal_status, state, &state_enum, FIELD_ALWAYS | FIELD_COLUMN,
	"gap: a segment is missing, so that no moment behind it can be reached; late: more would be lost than `rpo`"),
    F_DURATION(
	struct wal_status, rpo_ms, 0, FIELD_ALWAYS | FIELD_COLUMN, "what would be lost if the host were lost now"),
    F_DURATION(struct wal_status, newest_age_ms, 0, FIELD_ALWAYS | FIELD_COLUMN, "age of the newest archived segment"),
    F_TIME(struct wal_status, oldest_ms, FIELD_WIDE, "when the oldest archived segment was last written to"),
    F_TIME(struct wal_status, newest_ms, FIELD_COLUMN, "when the newest one was"),
    F_STRING(struct wal_status, first, WAL_NAME_MAX, FIELD_WIDE, "the oldest segment"),
    F_STRING(struct wal_status, last, WAL_NAME_MAX, FIELD_COLUMN, "the newest segment, on the newest timeline"),
    F_U64(struct wal_status, segments, 0, FIELD_ALWAYS | FIELD_COLUMN, "how many there are"),
    F_SIZE(struct wal_status, stored_bytes, 0, FIELD_ALWAYS | FIELD_WIDE, "what they take"),
    F_U32(struct wal_status, timeline, 0, FIELD_WIDE, "the newest timeline"),
    F_U64(
	struct wal_status, waiting, 0, FIELD_ALWAYS | FIELD_COLUMN, "segments that the server has not handed over yet"),
    F_STRING(struct wal_status, text, TEXT_LINE_MAX, FIELD_COLUMN, "what is wrong"),
};
const struct record_type wal_status_type =
    RECORD_TYPE("wal_status", struct wal_status, status_fields, "the archive of one database's write-ahead log");

struct looking {
	const struct wal_area *area;
	struct arena *arena;
	struct wal_holding h;
	struct wal_status s;
	uint32_t timeline; /* of the newest segment */
	uint64_t newest;   /* its number */
	uint64_t may_be_lost_ms;
};

static void go_red(struct looking *l, const char *text)
{
	if (l->s.state == WAL_STATE_GAP)
		return; /* the first one tells */
	l->s.state = WAL_STATE_GAP;
	l->s.text = text ? text : "a segment is missing";
}

static void missing(struct looking *l, uint32_t timeline, uint64_t from, uint64_t until)
{
	char first[WAL_NAME_MAX];
	wal_segment_name(timeline, from, l->area->segment_bytes, first);
	unsigned long long n = until - from;
	go_red(l, n == 1
		      ? arena_printf(
			    l->arena, "segment %s is missing: nothing behind it can be reached from before it", first)
		      : arena_printf(l->arena,
			    "%llu segments from %s on are missing: nothing behind them can be reached from before them",
			    n, first));
}

/* ---- within the archive ---- */

static void check_timeline(struct looking *l, const struct wal_timeline *t)
{
	const struct wal_segment *s = l->h.segments + t->first;
	for (size_t i = 1; i < t->count; i++)
		if (s[i].number != s[i - 1].number + 1)
			missing(l, t->timeline, s[i - 1].number + 1, s[i].number);
	/* It goes on in the segment in which it left its parent; older ones may have been swept away. */
	const struct wal_timeline *parent = t->parent ? wal_timeline_of(&l->h, t->parent) : NULL;
	uint64_t begins = t->begins / l->area->segment_bytes;
	if (!parent || !parent->count || !t->count)
		return;
	if (s[0].number > begins)
		missing(l, t->timeline, begins, s[0].number);
	uint64_t last = l->h.segments[parent->first + parent->count - 1].number;
	/* The segment that both share is on the new one. */
	if (last + 1 < begins && l->h.segments[parent->first].number < begins)
		missing(l, t->parent, last + 1, begins);
}

/* ---- what the server has not handed over ---- */

static DIR *open_in(const char *data_directory, const char *folder)
{
	char path[PATH_LIMIT];
	return text_format(path, sizeof path, "%s/%s", data_directory, folder) ? opendir(path) : NULL;
}

static void count_waiting(struct looking *l, const char *data_directory)
{
	CLEANUP(cleanup_dir) DIR *dir = open_in(data_directory, "pg_wal/archive_status");
	for (struct dirent *e; dir && (e = readdir(dir));)
		l->s.waiting += text_ends(e->d_name, ".ready");
}

struct live {
	bool next, beyond, handed_over;
	uint64_t next_changed_ms;
};

/* The server has been told that it is archived. */
static bool is_done(int folder, const char *name)
{
	char path[WAL_NAME_MAX + 32];
	return text_format(path, sizeof path, "archive_status/%s.done", name) &&
	       faccessat(folder, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Now: it may have come since the archive was listed. */
static bool is_there(const struct looking *l, const char *name)
{
	char path[PATH_LIMIT];
	return text_format(path, sizeof path, "%s/log/%s", l->area->path, name) &&
	       faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The segment behind the newest archived one: was it written to?  Is it gone although later ones are there? */
static void look_live(const struct looking *l, const char *data_directory, struct live *ret)
{
	CLEANUP(cleanup_dir) DIR *dir = open_in(data_directory, "pg_wal");
	for (struct dirent *e; dir && (e = readdir(dir));) {
		struct wal_name n;
		struct stat st;
		if (!wal_name_parse(e->d_name, &n) || n.kind != WAL_SEGMENT || n.timeline != l->timeline ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		uint64_t number = wal_number(&n, l->area->segment_bytes);
		ret->beyond |= number > l->newest + 1;
		if (number == l->newest + 1) {
			ret->next = true;
			ret->handed_over = is_done(dirfd(dir), e->d_name) && !is_there(l, e->d_name);
			ret->next_changed_ms =
			    (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
		}
	}
}

static void compare_live(struct looking *l, const char *data_directory, uint64_t now_ms)
{
	struct live live = {0};
	char next[WAL_NAME_MAX];
	count_waiting(l, data_directory);
	look_live(l, data_directory, &live);
	if (live.handed_over)
		go_red(l, arena_printf(l->arena, "segment %s was archived and is gone: take a new restore point",
			      wal_segment_name(l->timeline, l->newest + 1, l->area->segment_bytes, next)));
	if (!live.next && live.beyond)
		go_red(l, arena_printf(l->arena,
			      "segment %s was never archived, and the server has it no more: take a new restore point",
			      wal_segment_name(l->timeline, l->newest + 1, l->area->segment_bytes, next)));
	bool written = live.next ? live.next_changed_ms > l->s.newest_ms : live.beyond;
	l->s.rpo_ms = (written || l->s.waiting) && now_ms > l->s.newest_ms ? now_ms - l->s.newest_ms : 0;
	if (l->s.rpo_ms > l->may_be_lost_ms && l->s.state == WAL_STATE_OK) {
		l->s.state = WAL_STATE_LATE;
		l->s.text = arena_printf(l->arena, "%llu segments wait: look at archive_command in the server's log",
		    (unsigned long long)l->s.waiting);
	}
}

/* ---- nothing yet ---- */

#define BASED "based" /* in the area: changed last when the first restore point was there */

enum err_code wal_area_based(const struct wal_area *a, uint64_t now_ms, struct err *reterr)
{
	char path[PATH_LIMIT];
	const struct timespec t = {(time_t)(now_ms / 1000), (long)(now_ms % 1000) * 1000000};
	if (!text_format(path, sizeof path, "%s/" BASED, a->path))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", a->path);
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EEXIST)
		return ERR_OK;
	return fd < 0 || futimens(fd, (const struct timespec[]){t, t}) != 0 ? err_sys(reterr, errno, "%s", path)
									    : ERR_OK;
}

/* Since the first restore point, all would be lost that came after it. */
static void nothing_came(struct looking *l, const char *data_directory, uint64_t now_ms)
{
	char path[PATH_LIMIT];
	struct stat st;
	l->s.text = "nothing was archived yet: set archive_mode and archive_command";
	if (data_directory)
		count_waiting(l, data_directory);
	if (!text_format(path, sizeof path, "%s/" BASED, l->area->path) || lstat(path, &st) != 0)
		return;
	uint64_t since_ms = (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
	l->s.rpo_ms = now_ms > since_ms ? now_ms - since_ms : 0;
	if (l->s.rpo_ms <= l->may_be_lost_ms)
		return;
	l->s.state = WAL_STATE_LATE;
	l->s.text =
	    "nothing was archived since its first restore point: set archive_mode and archive_command, and look "
	    "at the server's log";
}

/* ---- the whole ---- */

static enum err_code name_ends(struct looking *l, uint64_t now_ms, struct err *reterr)
{
	char name[WAL_NAME_MAX];
	struct envelope_about about;
	const struct wal_segment *first = &l->h.segments[0], *last = &l->h.segments[l->h.segment_count - 1];
	l->timeline = last->timeline;
	l->newest = last->number;
	l->s.timeline = l->h.timelines[l->h.timeline_count - 1].timeline;
	l->s.first =
	    arena_strdup(l->arena, wal_segment_name(first->timeline, first->number, l->area->segment_bytes, name));
	enum err_code rc = wal_about(l->area, name, &about, reterr);
	if (rc != ERR_OK)
		return rc;
	l->s.oldest_ms = about.changed_ms;
	l->s.last =
	    arena_strdup(l->arena, wal_segment_name(last->timeline, last->number, l->area->segment_bytes, name));
	rc = wal_about(l->area, name, &about, reterr);
	if (rc != ERR_OK)
		return rc;
	l->s.newest_ms = about.changed_ms;
	l->s.newest_age_ms = now_ms > about.changed_ms ? now_ms - about.changed_ms : 0;
	return l->s.first && l->s.last ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

enum err_code wal_status_of(const struct wal_area *a, const char *service, const char *data_directory, uint64_t rpo_ms,
    uint64_t now_ms, struct arena *arena, struct wal_status *ret, struct err *reterr)
{
	struct looking l = {.area = a, .arena = arena, .s = {.service = service}, .may_be_lost_ms = rpo_ms};
	enum err_code rc = wal_list(a, arena, &l.h, reterr);
	if (rc != ERR_OK)
		return rc;
	l.s.segments = l.h.segment_count;
	l.s.stored_bytes = l.h.stored_bytes;
	if (!l.h.segment_count) {
		nothing_came(&l, data_directory, now_ms);
		*ret = l.s;
		return ERR_OK;
	}
	l.s.state = WAL_STATE_OK;
	rc = name_ends(&l, now_ms, reterr);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < l.h.timeline_count; i++)
		check_timeline(&l, &l.h.timelines[i]);
	if (data_directory)
		compare_live(&l, data_directory, now_ms);
	*ret = l.s;
	return ERR_OK;
}
