#include "agent/logwatch/logwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/logwatch/positions.h"
#include "agent/logwatch/source.h"
#include "agent/logwatch/tail.h"
#include "agent/logwatch/watch.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	READ_DELAY_MS = 50,     /* after a change: a storm of writes wakes us this often, not each time */
	BLIND_POLL_MS = 300,    /* without inotify: still within half a second */
	GLOB_MS = 5000,         /* new files of a glob are looked for this often */
	SAVE_MS = 3000,         /* positions are saved at most this often: what is read twice after a crash */
	REPORT_GAP_MS = 500,    /* between two reports of one source */
	JOURNAL_ENTRIES = 2000, /* of one turn */
};

struct follow { /* one file of a source */
	struct tail *tail;
	int watch; /* inotify's, -1: none */
	uint64_t generation;
	bool dirty;
};

struct entry { /* one configured source */
	struct logwatch *watch;
	struct source *source;
	const struct log_config *config;
	struct follow follows[LOGWATCH_FILES_MAX];
	size_t follow_count;
	int folder_watch; /* inotify's, on the folder: names that appear; -1: none */
	bool folder_dirty;
	struct journal *journal;
	struct loop_fd *journal_fd;
	bool journal_dirty;
	uint64_t reported_ms;
};

struct logwatch {
	struct loop *loop;
	const struct logwatch_events *events;
	char *path; /* of the positions */
	struct entry **entries;
	size_t count;
	int inotify;
	struct loop_fd *inotify_fd;
	struct loop_timer *read_timer, *poll_timer, *report_timer;
	uint64_t globbed_ms, saved_ms;
	bool reading; /* read_timer is armed */
	bool moved;   /* something was read since positions were saved */
};

/* ---- lines ---- */

static void on_line(void *ctx, const char *line, size_t size, bool cut)
{
	struct entry *e = ctx;
	(void)cut;
	e->watch->moved = true;
	source_line(e->source, line, size, LINE_NONE, loop_wall_ms(e->watch->loop), loop_now_ms(e->watch->loop));
}

static void on_skipped(void *ctx, uint64_t bytes)
{
	struct entry *e = ctx;
	log_warn("logwatch",
	    "service=%s %llu bytes of %s were written while nobody read; only the last %d MiB are read",
	    source_service(e->source), (unsigned long long)bytes, source_name(e->source), LOGWATCH_BACKLOG_MAX >> 20);
	source_skipped(e->source, 1);
}

static void on_journal_entry(void *ctx, const char *message, size_t size, enum line_level level, uint64_t wall_ms)
{
	struct entry *e = ctx;
	e->watch->moved = true;
	source_line(e->source, message, size, level, wall_ms, loop_now_ms(e->watch->loop));
}

/* ---- files of a source ---- */

/* The path may name another file by now; the next poll notices that. */
static void watch_file(struct logwatch *w, struct follow *f)
{
	uint64_t generation = tail_generation(f->tail);
	if (w->inotify < 0 || f->generation == generation)
		return;
	f->generation = generation;
	f->watch =
	    inotify_add_watch(w->inotify, tail_path(f->tail), IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
}

/* Of a glob, the folder of its fixed part. */
static void watch_folder(struct entry *e)
{
	char folder[PATH_LIMIT];
	const char *file = e->config->file, *special = strpbrk(file, "*?["), *slash = NULL;
	for (const char *p = file; *p && p != special; p++)
		if (*p == '/')
			slash = p;
	if (e->watch->inotify < 0 || !slash || !text_format(folder, sizeof folder, "%.*s/", (int)(slash - file), file))
		return;
	e->folder_watch = inotify_add_watch(e->watch->inotify, folder, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
}

static bool is_compressed(const char *path)
{
	static const char *const ends[] = {".gz", ".xz", ".zst", ".bz2", ".lz4", ".zip"};
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (text_ends(path, ends[i]))
			return true;
	return false;
}

/* Followed already, by this path or as the renamed file of another. */
static bool is_followed(const struct entry *e, const char *path)
{
	struct stat st;
	bool known = stat(path, &st) == 0;
	for (size_t i = 0; i < e->follow_count; i++)
		if (text_equal(tail_path(e->follows[i].tail), path) ||
		    (known && tail_reads(e->follows[i].tail, st.st_dev, st.st_ino)))
			return true;
	return false;
}

static size_t known_positions(const struct saved_source *saved, const char *path, struct tail_position ret[2])
{
	size_t n = 0;
	for (size_t i = 0; saved && i < saved->positions.count && n < 2; i++) {
		const struct saved_position *p = &LIST_AT(saved->positions, struct saved_position, i);
		if (text_equal(p->path, path))
			ret[n++] = (struct tail_position){.device = p->device,
			    .inode = p->inode,
			    .offset = p->offset,
			    .head_size = p->head_size,
			    .head_hash = p->head_hash};
	}
	return n;
}

static void follow(struct entry *e, const char *path, const struct saved_source *saved, bool from_start)
{
	struct tail_position known[2];
	struct err err;
	if (e->follow_count == LOGWATCH_FILES_MAX || is_compressed(path) || is_followed(e, path))
		return;
	const struct tail_events events = {.ctx = e, .on_line = on_line, .on_skipped = on_skipped};
	struct follow *f = &e->follows[e->follow_count];
	*f = (struct follow){.watch = -1, .dirty = true, .generation = UINT64_MAX};
	if (tail_new(path, &events, known, known_positions(saved, path, known), from_start, &f->tail, &err) != ERR_OK) {
		log_error("logwatch", "%s", err.msg);
		return;
	}
	e->follow_count++;
	watch_file(e->watch, f);
}

static void look_for_files(struct entry *e, const struct saved_source *saved, bool from_start)
{
	glob_t found = {0};
	const char *pattern = e->config->file;
	if (!strpbrk(pattern, "*?[")) {
		follow(e, pattern, saved, from_start);
		return;
	}
	if (glob(pattern, GLOB_NOSORT | GLOB_NOESCAPE, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			follow(e, found.gl_pathv[i], saved, from_start);
	globfree(&found);
	/* Renamed while we were away: positions of names that the glob does not give any more. */
	for (size_t i = 0; saved && i < saved->positions.count; i++)
		follow(e, LIST_AT(saved->positions, struct saved_position, i).path, saved, from_start);
}

/* ---- reading ---- */

/* Not put off by later changes: a file that is written to all the time would never be read. */
static void schedule_read(struct logwatch *w, uint64_t delay_ms)
{
	if (!w->reading)
		loop_arm(w->read_timer, loop_now_ms(w->loop) + delay_ms);
	w->reading = true;
}

static void plan_report(struct logwatch *w)
{
	uint64_t now = loop_now_ms(w->loop), next = UINT64_MAX;
	for (size_t i = 0; i < w->count; i++) {
		struct source_pending p = source_pending(w->entries[i]->source);
		if (!p.any)
			continue;
		uint64_t at = p.urgent ? now + LOGWATCH_URGENT_MS : p.since_ms + LOGWATCH_REPORT_MS;
		uint64_t gap = w->entries[i]->reported_ms + REPORT_GAP_MS;
		if (p.urgent && p.since_ms + LOGWATCH_URGENT_MS < at)
			at = p.since_ms + LOGWATCH_URGENT_MS;
		at = at < gap ? gap : at;
		next = at < next ? at : next;
	}
	loop_arm(w->report_timer, next);
}

/* true: some source has more at once. */
static bool read_entry(struct entry *e, bool all)
{
	struct logwatch *w = e->watch;
	bool more = false;
	size_t budget = LOGWATCH_READ_MAX;
	for (size_t i = 0; i < e->follow_count; i++) {
		struct follow *f = &e->follows[i];
		if (!all && !f->dirty)
			continue;
		f->dirty = tail_read(f->tail, budget, loop_now_ms(w->loop));
		more |= f->dirty;
		watch_file(w, f);
	}
	if (e->journal && (all || e->journal_dirty)) {
		e->journal_dirty = journal_read(e->journal, JOURNAL_ENTRIES, on_journal_entry, e);
		more |= e->journal_dirty;
	}
	return more;
}

static void read_all(struct logwatch *w, bool all)
{
	bool more = false;
	for (size_t i = 0; i < w->count; i++)
		more |= read_entry(w->entries[i], all);
	if (more)
		schedule_read(w, 0);
	plan_report(w);
}

static void on_read_timer(void *ctx)
{
	struct logwatch *w = ctx;
	w->reading = false;
	for (size_t i = 0; i < w->count; i++) {
		if (w->entries[i]->folder_dirty)
			look_for_files(w->entries[i], NULL, true);
		w->entries[i]->folder_dirty = false;
	}
	read_all(w, false);
}

/* Files of a glob that are gone for good make room. */
static void drop_gone(struct entry *e)
{
	struct tail_position p[2];
	for (size_t i = 0; i < e->follow_count;) {
		struct follow *f = &e->follows[i];
		if (tail_positions(f->tail, p) > 0 || text_equal(tail_path(f->tail), e->config->file)) {
			i++;
			continue;
		}
		tail_free(f->tail);
		*f = e->follows[--e->follow_count];
	}
}

static void on_poll_timer(void *ctx)
{
	struct logwatch *w = ctx;
	uint64_t now = loop_now_ms(w->loop);
	if (now >= w->globbed_ms + GLOB_MS) {
		w->globbed_ms = now;
		for (size_t i = 0; i < w->count; i++)
			if (w->entries[i]->config->file) {
				drop_gone(w->entries[i]);
				look_for_files(w->entries[i], NULL, true);
			}
	}
	read_all(w, true);
	loop_arm(w->poll_timer, now + (w->inotify < 0 ? (uint64_t)BLIND_POLL_MS : (uint64_t)LOGWATCH_POLL_MS));
}

static void mark_dirty(struct logwatch *w, int watch)
{
	for (size_t i = 0; i < w->count; i++) {
		struct entry *e = w->entries[i];
		bool folder = e->folder_watch == watch;
		e->folder_dirty |= folder;
		for (size_t k = 0; k < e->follow_count; k++)
			e->follows[k].dirty |= folder || e->follows[k].watch == watch;
	}
}

static void on_inotify(void *ctx, unsigned events)
{
	struct logwatch *w = ctx;
	_Alignas(struct inotify_event) char data[4096];
	ssize_t n;
	(void)events;
	while ((n = read(w->inotify, data, sizeof data)) > 0)
		for (char *p = data; p < data + n;) {
			const struct inotify_event *e = (const struct inotify_event *)(void *)p;
			mark_dirty(w, e->wd);
			p += sizeof *e + e->len;
		}
	schedule_read(w, READ_DELAY_MS);
}

static void on_journal_fd(void *ctx, unsigned events)
{
	struct entry *e = ctx;
	(void)events;
	e->journal_dirty = true;
	read_all(e->watch, false); /* also acknowledges the descriptor */
}

/* ---- positions ---- */

static bool add_positions(const struct entry *e, struct arena *a, struct list *ret)
{
	struct saved_position *items = arena_array(a, 2 * e->follow_count + 1, sizeof *items);
	size_t n = 0;
	for (size_t i = 0; items && i < e->follow_count; i++) {
		struct tail_position p[2];
		size_t count = tail_positions(e->follows[i].tail, p);
		for (size_t k = 0; k < count; k++)
			items[n++] = (struct saved_position){.path = tail_path(e->follows[i].tail),
			    .device = p[k].device,
			    .inode = p[k].inode,
			    .offset = p[k].offset,
			    .head_size = p[k].head_size,
			    .head_hash = p[k].head_hash};
	}
	*ret = (struct list){items, n};
	return items != NULL;
}

static void save(struct logwatch *w)
{
	CLEANUP(arena_cleanup) struct arena *a = arena_new(POSITIONS_FILE_MAX);
	struct err err = ERR_INIT;
	struct saved_source *items = a ? arena_array(a, w->count + 1, sizeof *items) : NULL;
	enum err_code rc = items ? ERR_OK : err_set(&err, ERR_NOMEM, "no memory to save log positions");
	for (size_t i = 0; rc == ERR_OK && i < w->count; i++) {
		const struct entry *e = w->entries[i];
		items[i] = (struct saved_source){.service = source_service(e->source),
		    .source = source_name(e->source),
		    .cursor = e->journal ? journal_cursor(e->journal) : NULL};
		rc = source_templates(e->source, a, &items[i].templates, &err);
		if (rc == ERR_OK && !add_positions(e, a, &items[i].positions))
			rc = err_set(&err, ERR_NOMEM, "no memory to save log positions");
	}
	const struct saved_positions p = {.version = POSITIONS_VERSION, .sources = {items, w->count}};
	if (rc == ERR_OK)
		rc = positions_save(w->path, &p, &err);
	if (rc != ERR_OK)
		log_error(
		    "logwatch", "log positions are not saved, lines may be told twice after a restart: %s", err.msg);
	w->saved_ms = loop_now_ms(w->loop);
	w->moved = rc != ERR_OK;
}

/* Positions may be saved only when every line before them was told. */
static void report(struct logwatch *w, bool all)
{
	uint64_t now = loop_now_ms(w->loop);
	bool pending = false;
	for (size_t i = 0; i < w->count; i++) {
		struct entry *e = w->entries[i];
		struct source_pending p = source_pending(e->source);
		struct err err;
		if (!p.any)
			continue;
		uint64_t due = p.since_ms + (p.urgent ? (uint64_t)LOGWATCH_URGENT_MS : (uint64_t)LOGWATCH_REPORT_MS);
		if (!all && (now < due || now < e->reported_ms + REPORT_GAP_MS)) {
			pending |= source_untold(e->source);
			continue;
		}
		e->reported_ms = now;
		if (source_report(e->source, w->events, &err) != ERR_OK) {
			log_debug("logwatch", "a report of %s was not taken: %s", source_name(e->source), err.msg);
			pending = true;
		}
	}
	if (!pending && w->moved && (all || now >= w->saved_ms + SAVE_MS))
		save(w);
	plan_report(w);
}

static void on_report_timer(void *ctx)
{
	report(ctx, false);
}

void logwatch_flush(struct logwatch *w)
{
	read_all(w, true);
	report(w, true);
}

/* ---- making ---- */

static void open_journal(struct entry *e, const struct logwatch_edges *edges, const struct saved_source *saved)
{
	struct err err = ERR_INIT;
	const struct journal_calls *calls = edges->journal ? edges->journal : journal_system(&err);
	enum err_code rc =
	    calls ? journal_open(calls, e->config->journal, saved ? saved->cursor : NULL, &e->journal, &err) : err.code;
	if (rc == ERR_OK && journal_fd(e->journal) >= 0)
		rc = loop_add_fd(
		    e->watch->loop, journal_fd(e->journal), LOOP_READ, on_journal_fd, e, &e->journal_fd, &err);
	if (rc != ERR_OK)
		log_warn("logwatch", "service=%s the journal of %s is not followed: %s", source_service(e->source),
		    e->config->journal, err.msg);
}

static enum err_code add_entry(struct logwatch *w, const struct service_config *service,
    const struct log_config *config, const struct logwatch_edges *edges, const struct saved_positions *saved,
    struct err *reterr)
{
	const char *name = config->file ? config->file : config->journal;
	struct entry *e = calloc(1, sizeof *e);
	struct entry **entries = realloc(w->entries, (w->count + 1) * sizeof *entries);
	if (entries)
		w->entries = entries;
	enum err_code rc = e && entries ? source_new(service->name, name, &e->source, reterr)
					: err_set(reterr, ERR_NOMEM, "no memory to follow %s", name);
	if (rc != ERR_OK) {
		free(e);
		return rc;
	}
	e->watch = w;
	e->config = config;
	e->folder_watch = -1;
	w->entries[w->count++] = e;
	const struct saved_source *before = positions_find(saved, service->name, name);
	if (before)
		source_recall(e->source, &before->templates);
	if (config->file) {
		watch_folder(e);
		look_for_files(e, before, before != NULL);
	} else
		open_journal(e, edges, before);
	return ERR_OK;
}

static enum err_code add_entries(
    struct logwatch *w, const struct agent_config *config, const struct logwatch_edges *edges, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *a = arena_new(2 * POSITIONS_FILE_MAX);
	struct saved_positions saved = {0};
	enum err_code rc =
	    a ? positions_load(w->path, a, &saved, reterr) : err_set(reterr, ERR_NOMEM, "no memory for log positions");
	if (rc == ERR_CORRUPT && reterr)
		log_warn("logwatch", "saved log positions are of no use, logs are followed from their ends: %s",
		    reterr->msg);
	if (rc == ERR_CORRUPT) {
		saved = (struct saved_positions){0};
		rc = ERR_OK;
	}
	for (size_t i = 0; rc == ERR_OK && i < config->services.count; i++) {
		const struct service_config *service = &LIST_AT(config->services, struct service_config, i);
		for (size_t k = 0; rc == ERR_OK && k < service->logs.count; k++)
			rc =
			    add_entry(w, service, &LIST_AT(service->logs, struct log_config, k), edges, &saved, reterr);
	}
	return rc;
}

static void start_inotify(struct logwatch *w, const struct logwatch_edges *edges)
{
	struct err err;
	w->inotify = edges->no_inotify ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->inotify >= 0 &&
	    loop_add_fd(w->loop, w->inotify, LOOP_READ, on_inotify, w, &w->inotify_fd, &err) != ERR_OK) {
		close(w->inotify);
		w->inotify = -1;
	}
	if (w->inotify < 0 && !edges->no_inotify)
		log_warn("logwatch", "inotify is not available (%s): logs are polled", strerror(errno));
}

static enum err_code set_path(struct logwatch *w, const char *state_directory, struct err *reterr)
{
	char folder[PATH_LIMIT], path[PATH_LIMIT];
	if (!text_format(folder, sizeof folder, "%s/logwatch", state_directory) ||
	    !text_format(path, sizeof path, "%s/positions", folder))
		return err_set(reterr, ERR_INVALID, "the state directory's path is too long");
	enum err_code rc = file_make_dirs(folder, 0700, reterr);
	if (rc == ERR_OK && !(w->path = strdup(path)))
		rc = err_set(reterr, ERR_NOMEM, "no memory to follow logs");
	return rc;
}

enum err_code logwatch_new_with(struct loop *l, const struct agent_config *config, const char *state_directory,
    const struct logwatch_events *events, const struct logwatch_edges *edges, struct logwatch **ret, struct err *reterr)
{
	struct logwatch *w = calloc(1, sizeof *w);
	if (!w)
		return err_set(reterr, ERR_NOMEM, "no memory to follow logs");
	*w = (struct logwatch){.loop = l, .events = events, .inotify = -1, .globbed_ms = loop_now_ms(l)};
	start_inotify(w, edges);
	enum err_code rc = set_path(w, state_directory, reterr);
	if (rc == ERR_OK)
		rc = loop_add_timer(l, on_read_timer, w, &w->read_timer, reterr);
	if (rc == ERR_OK)
		rc = loop_add_timer(l, on_poll_timer, w, &w->poll_timer, reterr);
	if (rc == ERR_OK)
		rc = loop_add_timer(l, on_report_timer, w, &w->report_timer, reterr);
	if (rc == ERR_OK)
		rc = add_entries(w, config, edges, reterr);
	if (rc != ERR_OK) {
		w->moved = false; /* nothing was read: what was saved stands */
		logwatch_free(w);
		return rc;
	}
	save(w); /* where sources without history began */
	if (w->count)
		loop_arm(w->poll_timer, loop_now_ms(l));
	*ret = w;
	return ERR_OK;
}

enum err_code logwatch_new(struct loop *l, const struct agent_config *config, const char *state_directory,
    const struct logwatch_events *events, struct logwatch **ret, struct err *reterr)
{
	const struct logwatch_edges edges = {0};
	return logwatch_new_with(l, config, state_directory, events, &edges, ret, reterr);
}

static void free_entry(struct entry *e)
{
	for (size_t i = 0; i < e->follow_count; i++)
		tail_free(e->follows[i].tail);
	loop_remove_fd(e->journal_fd);
	journal_close(e->journal);
	source_free(e->source);
	free(e);
}

void logwatch_free(struct logwatch *w)
{
	if (!w)
		return;
	if (w->path && w->moved)
		report(w, true);
	loop_remove_timer(w->read_timer);
	loop_remove_timer(w->poll_timer);
	loop_remove_timer(w->report_timer);
	loop_remove_fd(w->inotify_fd);
	if (w->inotify >= 0)
		close(w->inotify);
	for (size_t i = 0; i < w->count; i++)
		free_entry(w->entries[i]);
	free(w->entries);
	free(w->path);
	free(w);
}
