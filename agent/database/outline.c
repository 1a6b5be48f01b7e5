/* The text, the comparison, and the two files of an outline. */
#include "agent/database/outline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/database/internal.h"
#include "agent/repository/seal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

#define OUTLINE_HEAD "kedge outline 1 "

/* ---- lines ---- */

/* The line's strings are in the arena. */
static enum err_code push(struct outline *o, struct outline_line line, struct err *reterr)
{
	if (!line.key || !line.value)
		return err_set(reterr, ERR_NOMEM, "out of memory for an outline");
	o->text_bytes += strlen(line.key) + strlen(line.value) + 2;
	if (o->text_bytes > OUTLINE_TEXT_MAX)
		return err_set(reterr, ERR_LIMIT, "more than an outline holds");
	if (o->count == o->room) {
		size_t room = o->room ? 2 * o->room : 256;
		struct outline_line *lines = arena_array(o->arena, room, sizeof *lines);
		if (!lines)
			return err_set(reterr, ERR_NOMEM, "out of memory for an outline");
		if (o->count)
			memcpy(lines, o->lines, o->count * sizeof *lines);
		o->lines = lines;
		o->room = room;
	}
	o->lines[o->count++] = line;
	return ERR_OK;
}

enum err_code outline_add(
    struct outline *o, const char *key, const char *value, uint64_t changed_ms, struct err *reterr)
{
	return push(
	    o, (struct outline_line){arena_strdup(o->arena, key), arena_strdup(o->arena, value), changed_ms}, reterr);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct outline_line *)a)->key, ((const struct outline_line *)b)->key);
}

void outline_sort(struct outline *o)
{
	if (o->count)
		qsort(o->lines, o->count, sizeof *o->lines, by_key);
}

enum err_code outline_parse(struct outline *o, const char *text, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (const char *at = text, *end; rc == ERR_OK && *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, '\n');
		const char *tab = memchr(at, '\t', (size_t)(end - at));
		if (!tab || tab == at)
			continue;
		rc = push(o,
		    (struct outline_line){arena_strndup(o->arena, at, (size_t)(tab - at)),
			arena_strndup(o->arena, tab + 1, (size_t)(end - tab - 1)), 0},
		    reterr);
	}
	return rc;
}

/* ---- two of them ---- */

static bool only_metadata(const char *a, const char *b)
{
	size_t n = strcspn(a, " "), m = strcspn(b, " ");
	return a[n] && b[m] && n == m && memcmp(a, b, n) == 0;
}

static void tell(struct outline_difference *d, struct sha256 *sum, const char *kind, const struct outline_line *line)
{
	if (d->example_count < OUTLINE_EXAMPLES)
		d->examples[d->example_count++] = line->key;
	if (line->changed_ms > d->newest_ms)
		d->newest_ms = line->changed_ms;
	sha256_add(sum, kind, 1);
	sha256_add(sum, line->key, strlen(line->key) + 1);
	sha256_add(sum, line->value, strlen(line->value) + 1);
}

static void one_round(const struct outline *then, const struct outline *now, bool additions,
    struct outline_difference *d, struct sha256 *sum)
{
	for (size_t i = 0, k = 0; i < then->count || k < now->count;) {
		const struct outline_line *a = i < then->count ? &then->lines[i] : NULL,
					  *b = k < now->count ? &now->lines[k] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->key, b->key);
		i += order <= 0;
		k += order >= 0;
		if (order > 0 && additions) {
			d->added++;
			tell(d, sum, "+", b);
		} else if (order < 0 && !additions) {
			d->removed++;
			tell(d, sum, "-", a);
		} else if (!order && !additions && !text_equal(a->value, b->value)) {
			d->changed++;
			d->metadata += only_metadata(a->value, b->value);
			tell(d, sum, "*", b);
		}
	}
}

enum err_code outline_compare(
    const struct outline *then, const struct outline *now, struct outline_difference *ret, struct err *reterr)
{
	CLEANUP(sha256_cleanup) struct sha256 *sum = sha256_new();
	struct outline_difference d = {0};
	if (!sum)
		return err_set(reterr, ERR_NOMEM, "out of memory for an outline");
	one_round(then, now, false, &d, sum);
	one_round(then, now, true, &d, sum);
	sha256_end(sum, d.digest);
	*ret = d;
	return ERR_OK;
}

/* ---- files ---- */

static enum err_code path_of(
    const char *state, const char *service, const char *end, char out[PATH_LIMIT], struct err *reterr)
{
	return text_format(out, PATH_LIMIT, "%s/outline/%s%s", state, service, end)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
}

static enum err_code write_out(
    const char *state, const char *path, const char *head, const struct outline *o, struct err *reterr)
{
	char folder[PATH_LIMIT];
	struct buf text = {.limit = OUTLINE_TEXT_MAX + TEXT_PAGE_MAX};
	buf_printf(&text, "%s\n", head);
	for (size_t i = 0; i < o->count; i++)
		buf_printf(&text, "%s\t%s\n", o->lines[i].key, o->lines[i].value);
	enum err_code rc = text.failed ? err_set(reterr, ERR_LIMIT, "more than an outline holds") : ERR_OK;
	if (rc == ERR_OK && !text_format(folder, sizeof folder, "%s/outline", state))
		rc = err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	if (rc == ERR_OK)
		rc = file_make_dirs(folder, 0700, reterr);
	if (rc == ERR_OK)
		rc = file_replace(path, text.data, text.size, 0600, reterr);
	buf_done(&text);
	return rc;
}

/* Its first line without OUTLINE_HEAD into the arena, the others into o. */
static enum err_code read_in(const char *path, struct outline *o, const char **ret_head, struct err *reterr)
{
	struct buf text = BUF_INIT;
	enum err_code rc = file_read(path, OUTLINE_TEXT_MAX + TEXT_PAGE_MAX, &text, reterr);
	if (rc == ERR_OK && !text_starts(buf_str(&text), OUTLINE_HEAD))
		rc = err_set(reterr, ERR_NOT_FOUND, "%s is no outline", path);
	if (rc == ERR_OK) {
		const char *head = buf_str(&text) + strlen(OUTLINE_HEAD), *end = strchrnul(head, '\n');
		*ret_head = arena_strndup(o->arena, head, (size_t)(end - head));
		rc = !*ret_head ? err_set(reterr, ERR_NOMEM, "out of memory for an outline")
				: outline_parse(o, end, reterr);
	}
	buf_done(&text);
	outline_sort(o);
	return rc;
}

struct last_look { /* what <service>.now says */
	uint64_t looked_ms, since_ms;
	char digest[65];
	struct outline catalogues;
};

static void read_last(const char *path, const char *snapshot, struct last_look *ret)
{
	const char *head = "";
	char id[ID_TEXT_MAX];
	struct last_look l = {.catalogues = {.arena = ret->catalogues.arena}};
	if (read_in(path, &l.catalogues, &head, NULL) == ERR_OK &&
	    sscanf(head, "%39s %" SCNu64 " %" SCNu64 " %64[0-9a-f]", id, &l.looked_ms, &l.since_ms, l.digest) == 4 &&
	    text_equal(id, snapshot))
		*ret = l;
}

static enum err_code write_last(
    const char *state, const char *path, const char *snapshot, const struct last_look *l, struct err *reterr)
{
	char head[TEXT_LINE_MAX];
	(void)text_format(head, sizeof head, OUTLINE_HEAD "%s %" PRIu64 " %" PRIu64 " %s", snapshot, l->looked_ms,
	    l->since_ms, l->digest);
	return write_out(state, path, head, &l->catalogues, reterr);
}

/* ---- of a service ---- */

/* NULL: this kind of database has no outline. */
static const struct adapter *outlined(const struct service_config *service)
{
	const struct adapter *kind = adapter_of(service);
	return kind && kind->outline_files ? kind : NULL;
}

enum err_code outline_keep(
    const char *state_directory, const struct service_config *service, struct id snapshot, struct err *reterr)
{
	const struct adapter *kind = outlined(service);
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	char path[PATH_LIMIT], head[TEXT_LINE_MAX], id[ID_TEXT_MAX];
	struct outline o = {.arena = arena};
	if (!kind || !arena)
		return err_set(reterr, kind ? ERR_NOMEM : ERR_UNSUPPORTED, "there is no outline of this database");
	(void)text_format(head, sizeof head, OUTLINE_HEAD "%s", id_format(ID_SNAPSHOT, snapshot, id));
	enum err_code rc = path_of(state_directory, service->name, "", path, reterr);
	if (rc == ERR_OK)
		rc = kind->outline_files(service, &o, reterr);
	if (rc == ERR_OK)
		rc = kind->outline_catalogues(service, &o, reterr);
	outline_sort(&o);
	return rc == ERR_OK ? write_out(state_directory, path, head, &o, reterr) : rc;
}

/* The lines of catalogues, or those of files. */
static struct outline part_of(const struct outline *o, bool catalogues)
{
	size_t from = 0, n = strlen(OUTLINE_CATALOGUES), count = 0;
	for (size_t i = 0; i < o->count; i++) {
		if ((strncmp(o->lines[i].key, OUTLINE_CATALOGUES, n) == 0) != catalogues)
			continue;
		from = count++ ? from : i;
	}
	return (struct outline){o->arena, o->lines + from, count, count, 0};
}

/* Into now: what the server says, or what it said last.  *ret_known false: neither. */
static enum err_code look(const struct service_config *service, bool suspect, uint64_t now_ms, struct last_look *last,
    struct outline *now, bool *ret_known, struct err *reterr)
{
	struct outline fresh = {.arena = now->arena};
	bool due =
	    suspect || last->since_ms || now_ms < last->looked_ms || now_ms - last->looked_ms >= OUTLINE_EVERY_MS;
	struct err why = ERR_INIT;
	enum err_code rc = ERR_OK;
	if (due && outlined(service)->outline_catalogues(service, &fresh, &why) == ERR_OK) {
		outline_sort(&fresh);
		last->catalogues = fresh;
		last->looked_ms = now_ms;
	}
	*ret_known = last->looked_ms != 0;
	for (size_t i = 0; rc == ERR_OK && i < last->catalogues.count; i++)
		rc = outline_add(now, last->catalogues.lines[i].key, last->catalogues.lines[i].value, 0, reterr);
	return rc;
}

static void since(struct last_look *last, uint64_t now_ms, struct outline_difference *d)
{
	char digest[65];
	text_hex(d->digest, sizeof d->digest, digest);
	if (!d->changed && !d->added && !d->removed)
		last->since_ms = 0;
	else if (!last->since_ms || !text_equal(digest, last->digest))
		last->since_ms = now_ms;
	text_copy(last->digest, sizeof last->digest, digest);
	if (last->since_ms && !d->newest_ms)
		d->newest_ms = last->since_ms;
}

enum err_code outline_differs(const char *state_directory, const struct service_config *service, struct id snapshot,
    bool suspect, uint64_t now_ms, struct arena *arena, struct outline_difference *ret, struct err *reterr)
{
	const struct adapter *kind = outlined(service);
	char path[PATH_LIMIT], now_path[PATH_LIMIT], id[ID_TEXT_MAX];
	struct outline then = {.arena = arena}, now = {.arena = arena};
	struct last_look last = {.catalogues = {.arena = arena}}, before;
	struct outline_difference d;
	const char *head;
	bool known;
	if (!kind)
		return err_set(reterr, ERR_UNSUPPORTED, "there is no outline of this database");
	id_format(ID_SNAPSHOT, snapshot, id);
	enum err_code rc = path_of(state_directory, service->name, "", path, reterr);
	if (rc == ERR_OK)
		rc = path_of(state_directory, service->name, ".now", now_path, reterr);
	if (rc == ERR_OK)
		rc = read_in(path, &then, &head, reterr);
	if (rc == ERR_OK && !text_equal(head, id))
		rc = err_set(reterr, ERR_NOT_FOUND, "no outline of %s was kept", id);
	if (rc != ERR_OK)
		return rc;
	read_last(now_path, id, &last);
	before = last;
	rc = kind->outline_files(service, &now, reterr);
	if (rc == ERR_OK)
		rc = look(service, suspect, now_ms, &last, &now, &known, reterr);
	outline_sort(&now);
	if (rc == ERR_OK && !known)
		then = part_of(&then, false);
	if (rc == ERR_OK)
		rc = outline_compare(&then, &now, &d, reterr);
	if (rc != ERR_OK)
		return rc;
	since(&last, now_ms, &d);
	bool news = !text_equal(before.digest, last.digest) || last.looked_ms >= before.looked_ms + OUTLINE_EVERY_MS;
	if (news && (rc = write_last(state_directory, now_path, id, &last, reterr)) != ERR_OK)
		return rc;
	*ret = d;
	return ERR_OK;
}
