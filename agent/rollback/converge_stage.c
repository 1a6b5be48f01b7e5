/* Converging, the staging: everything that will be needed, authenticated and durable, beside the live trees. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "agent/rollback/converge_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum {
	BLOCK = 4096,
	STAGERS_MAX = 4,   /* threads: what they wait for is mostly one disk */
	STAGER_LEAST = 16, /* files for a thread to be worth starting */
};

/* ---- room ---- */

struct need {
	uint64_t bytes, files;
	dev_t device;
	bool known;
};

static struct need *need_of(const struct converge *c, struct need *needs, const struct site *p)
{
	size_t own = (size_t)(p - c->sites);
	char holder[PATH_LIMIT];
	struct stat st;
	if (!needs[own].known) {
		text_copy(holder, sizeof holder, p->stage);
		*strrchr(holder, '/') = '\0';
		needs[own].device = stat(*holder ? holder : "/", &st) == 0 ? st.st_dev : 0;
		needs[own].known = true;
	}
	for (size_t i = 0; i < own; i++) /* those that share a file system add up in the first of them */
		if (needs[i].known && needs[i].device == needs[own].device)
			return &needs[i];
	return &needs[own];
}

static enum err_code check_need(const struct site *p, const struct need *need, struct err *reterr)
{
	char holder[PATH_LIMIT], wanted[TEXT_TIME_MAX], there[TEXT_TIME_MAX];
	struct statvfs fs;
	text_copy(holder, sizeof holder, p->stage);
	*strrchr(holder, '/') = '\0';
	if (!need->files || statvfs(*holder ? holder : "/", &fs) != 0)
		return ERR_OK;
	uint64_t bytes = need->bytes + need->bytes / 5, files = need->files + need->files / 5;
	uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (free_bytes < bytes)
		return err_set(reterr, ERR_FULL,
		    "not enough room beside %s: %s are needed, %s are free; nothing was changed", p->path,
		    text_size_human(bytes, wanted), text_size_human(free_bytes, there));
	if (fs.f_files && fs.f_favail < files)
		return err_set(reterr, ERR_FULL,
		    "not enough inodes beside %s: %llu are needed, %llu are free; nothing was changed", p->path,
		    (unsigned long long)files, (unsigned long long)fs.f_favail);
	return ERR_OK;
}

/* Sparse files are not counted: what they take is not known, and running out is harmless here. */
static enum err_code check_room(const struct converge *c, struct err *reterr)
{
	struct need *needs = calloc(c->site_count + 1, sizeof *needs);
	if (!needs)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	const struct site *last = NULL;
	struct need *need = NULL;
	for (size_t i = 0; i < c->changes.count; i++) {
		const struct change *ch = &c->changes.items[i];
		if (!change_needs_stage(ch) || ch->staged)
			continue;
		if (ch->site != last)
			need = need_of(c, needs, last = ch->site);
		need->bytes += ch->sparse ? BLOCK : ((ch->part ? ch->part : ch->size) + BLOCK - 1) / BLOCK * BLOCK;
		need->files++;
	}
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < c->site_count; i++)
		rc = check_need(&c->sites[i], &needs[i], reterr);
	free(needs);
	return rc;
}

/* ---- one ---- */

struct staged_link {
	const struct site *site;
	uint64_t staged;
};
struct link_key {
	uint64_t component, link;
};

char *converge_staged_name(uint64_t staged, char out[STAGED_NAME])
{
	text_format(out, STAGED_NAME, "%llu", (unsigned long long)staged);
	return out;
}

static enum err_code remember_link(struct converge *c, const struct change *ch, struct err *reterr)
{
	struct link_key key = {ch->site->component, ch->link};
	struct staged_link *l = ch->link ? arena_alloc(c->arena, sizeof *l) : NULL;
	if (!ch->link)
		return ERR_OK;
	if (!c->staged_links)
		c->staged_links = map_new();
	if (!l || !c->staged_links || !map_put(c->staged_links, &key, sizeof key, l))
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	*l = (struct staged_link){ch->site, ch->staged};
	return ERR_OK;
}

static enum err_code link_twin(
    const struct staged_link *twin, const struct site *p, const char *name, const char *shown, struct err *reterr)
{
	char first[STAGED_NAME];
	if (linkat(twin->site->stage_fd, converge_staged_name(twin->staged, first), p->stage_fd, name, 0) != 0)
		return err_sys(reterr, errno, "%s cannot be linked to its other names", shown);
	return ERR_OK;
}

static const struct staged_link *twin_of(const struct converge *c, const struct change *ch)
{
	struct link_key key = {ch->site->component, ch->link};
	return ch->link && c->staged_links ? map_get(c->staged_links, &key, sizeof key) : NULL;
}

/* A name in a staging folder that is there.  *ret_twin: another name of the same file has one already, or NULL. */
static enum err_code take_name(
    struct converge *c, struct change *ch, const struct staged_link **ret_twin, struct err *reterr)
{
	enum err_code rc = site_check_mount(ch->site, ch->path, reterr);
	if (rc == ERR_OK)
		rc = site_open_stage(ch->site, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret_twin = twin_of(c, ch);
	ch->staged = ++c->last_staged;
	c->counts.bytes += *ret_twin ? 0 : ch->size;
	return *ret_twin ? ERR_OK : remember_link(c, ch, reterr);
}

/* Any thread. */
static enum err_code make(
    const struct converge *c, struct snapshot_reader *reader, const struct change *ch, struct err *reterr)
{
	struct snapshot_entry e;
	char name[STAGED_NAME], shown[PATH_LIMIT];
	if (!change_entry(c, ch, &e))
		return err_set(reterr, ERR_CORRUPT, "%.400s is not in the restore point any more",
		    site_text(ch->site, ch->path, shown));
	return snapshot_make(reader, &e, ch->site->stage_fd, converge_staged_name(ch->staged, name),
	    reterr); /* its errors name the path */
}

static enum err_code link_to(const struct staged_link *twin, const struct change *ch, struct err *reterr)
{
	char name[STAGED_NAME], shown[PATH_LIMIT];
	return link_twin(
	    twin, ch->site, converge_staged_name(ch->staged, name), site_text(ch->site, ch->path, shown), reterr);
}

enum err_code converge_stage_one(
    struct converge *c, struct snapshot_reader *reader, struct change *ch, struct err *reterr)
{
	const struct staged_link *twin;
	enum err_code rc = take_name(c, ch, &twin, reterr);
	if (rc == ERR_OK)
		rc = twin ? link_to(twin, ch, reterr) : make(c, reader, ch, reterr);
	return rc;
}

/* ---- all ---- */

struct turn {
	uint64_t place;
	size_t change;
};

static int by_place(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;
	return x->place != y->place ? (x->place > y->place) - (x->place < y->place)
				    : (x->change > y->change) - (x->change < y->change);
}

/* A stretch of the turns, for one thread. */
struct stager {
	const struct converge *c;
	const struct turn *turns;
	size_t count;
	_Atomic bool *stop; /* another one failed */
	enum err_code rc;
	struct err err;
};

static void *make_stretch(void *arg)
{
	struct stager *s = arg;
	struct snapshot_reader *reader = NULL;
	s->rc = snapshot_reader_new(s->c->spec.snapshot, &reader, &s->err);
	for (size_t i = 0; s->rc == ERR_OK && i < s->count && !atomic_load(s->stop); i++)
		s->rc = make(s->c, reader, &s->c->changes.items[s->turns[i].change], &s->err);
	if (s->rc != ERR_OK)
		atomic_store(s->stop, true);
	snapshot_reader_free(reader);
	return NULL;
}

/* Stretches, so that each segment of the repository is decoded by one thread. */
static enum err_code make_all(const struct converge *c, const struct turn *turns, size_t count, struct err *reterr)
{
	struct stager all[STAGERS_MAX];
	pthread_t threads[STAGERS_MAX];
	bool started[STAGERS_MAX] = {false};
	_Atomic bool stop = false;
	size_t processors = (size_t)get_nprocs(), n = count / STAGER_LEAST + 1;
	n = n > processors ? processors : n;
	n = n > STAGERS_MAX ? STAGERS_MAX : n;
	for (size_t i = 0; i < n; i++) {
		size_t from = count * i / n, to = count * (i + 1) / n;
		all[i] = (struct stager){.c = c, .turns = turns + from, .count = to - from, .stop = &stop};
		started[i] = i && pthread_create(&threads[i], NULL, make_stretch, &all[i]) == 0;
	}
	for (size_t i = 0; i < n; i++)
		if (!started[i])
			(void)make_stretch(&all[i]);
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < n; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		if (rc == ERR_OK && all[i].rc != ERR_OK) {
			rc = all[i].rc;
			if (reterr)
				*reterr = all[i].err;
		}
	}
	return rc;
}

/* Names for all, in the order in which the repository holds them; what is another name of one before it waits in
 * later until that is made. */
static enum err_code take_names(
    struct converge *c, struct turn *turns, size_t *count, struct buf *later, struct err *reterr)
{
	size_t kept = 0;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < *count; i++) {
		const struct staged_link *twin;
		rc = take_name(c, &c->changes.items[turns[i].change], &twin, reterr);
		if (rc == ERR_OK && twin)
			buf_append(later, &turns[i].change, sizeof turns[i].change);
		else
			turns[kept++] = turns[i];
	}
	*count = kept;
	if (rc == ERR_OK && later->failed)
		rc = err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	return rc;
}

static enum err_code link_later(const struct converge *c, const struct buf *later, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t at = 0; rc == ERR_OK && at < later->size; at += sizeof(size_t)) {
		size_t change;
		memcpy(&change, later->data + at, sizeof change);
		const struct change *ch = &c->changes.items[change];
		rc = link_to(twin_of(c, ch), ch, reterr);
	}
	return rc;
}

static bool wants_stage(const struct change *ch)
{
	return change_needs_stage(ch) && !ch->staged && !ch->patch;
}

static enum err_code stage_in_order(
    struct converge *c, struct snapshot_reader *reader, size_t wanted, struct err *reterr)
{
	CLEANUP(cleanup_free) struct turn *turns = calloc(wanted, sizeof *turns);
	CLEANUP(buf_done) struct buf later = {.limit = SIZE_MAX};
	struct snapshot_entry e;
	size_t count = 0;
	if (!turns)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	for (size_t i = 0; i < c->changes.count; i++) {
		const struct change *ch = &c->changes.items[i];
		if (wants_stage(ch))
			turns[count++] = (struct turn){change_entry(c, ch, &e) ? snapshot_place(reader, &e) : 0, i};
	}
	qsort(turns, count, sizeof *turns, by_place);
	enum err_code rc = take_names(c, turns, &count, &later, reterr);
	if (rc == ERR_OK && count)
		rc = make_all(c, turns, count, reterr);
	return rc == ERR_OK ? link_later(c, &later, reterr) : rc;
}

/* A reader reads the repository's whole index: only for what is to be read with it. */
enum err_code converge_stage_all(struct converge *c, struct err *reterr)
{
	struct snapshot_reader *reader = NULL;
	uint64_t before = c->last_staged;
	size_t wanted = 0;
	for (size_t i = 0; i < c->changes.count; i++)
		wanted += wants_stage(&c->changes.items[i]);
	enum err_code rc = check_room(c, reterr);
	if (rc == ERR_OK && wanted)
		rc = snapshot_reader_new(c->spec.snapshot, &reader, reterr);
	if (rc == ERR_OK && wanted)
		rc = stage_in_order(c, reader, wanted, reterr);
	snapshot_reader_free(reader);
	return rc == ERR_OK && c->last_staged != before ? converge_sync_begin(c, true, reterr) : rc;
}

void converge_forget_staged(struct converge *c)
{
	map_free(c->staged_links);
	c->staged_links = NULL;
}

/* What is there, as it will be saved: also what is compared with. */
static enum err_code begin_to_save(struct converge *c, struct err *reterr)
{
	struct snapshot_options o = *c->spec.save;
	o.components = c->spec.components;
	enum err_code rc = snapshot_begin(c->spec.repo, &c->service, &o, c->spec.arena, &c->taking, reterr);
	if (rc == ERR_OK)
		c->known = c->taking;
	return rc;
}

enum err_code converge_save(struct converge *c, struct snapshot_summary *ret, struct err *reterr)
{
	if (!c->taking)
		return err_set(reterr, ERR_STATE, "nothing was read to be saved");
	enum err_code rc = snapshot_finish(c->taking, ret, reterr);
	return rc == ERR_OK ? converge_stage_patches(c, reterr) : rc;
}

struct snapshot_taking *converge_take_known(struct converge *c)
{
	return c->known && c->known == c->taking ? TAKE_PTR(c->taking) : NULL;
}

bool converge_is_still(const struct converge *c)
{
	bool still = c->known && c->known == c->taking;
	for (size_t i = 0; still && i < c->changes.count; i++) {
		const struct change *ch = &c->changes.items[i];
		const char *name;
		int dirfd;
		enum err_code rc =
		    ch->site->absent ? ERR_STATE : site_open_folder(ch->site, ch->path, false, &dirfd, &name, NULL);
		if (rc == ERR_NOT_FOUND && ch->kind == CHANGE_REMOVED)
			continue; /* its folder is to be made, too */
		still = rc == ERR_OK &&
			snapshot_taking_still(c->taking, ch->site->component, ch->site->root, ch->path, dirfd, name);
	}
	return still;
}

enum err_code converge_stage(const struct converge_spec *spec, struct converge **ret, struct err *reterr)
{
	struct converge *c = NULL;
	enum err_code rc = converge_new(spec, &c, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->site_count; i++)
		rc = site_remove_stage(&c->sites[i], reterr);
	if (rc == ERR_OK && spec->save && c->spec.components)
		rc = begin_to_save(c, reterr);
	if (rc == ERR_OK)
		rc = spec->database ? converge_database_collect(c, reterr)
				    : converge_collect(c, c->taking != NULL, reterr);
	if (rc == ERR_OK)
		rc = converge_stage_all(c, reterr);
	if (rc == ERR_OK && spec->database)
		rc = converge_stage_patches(c, reterr);
	if (rc == ERR_OK)
		*ret = c;
	else
		converge_free(c);
	return rc;
}

static bool is_as_it_was(const struct converge *c, const struct change *ch)
{
	const char *name;
	int dirfd;
	return c->known && c->known == c->taking && !ch->site->absent &&
	       site_open_folder(ch->site, ch->path, false, &dirfd, &name, NULL) == ERR_OK &&
	       snapshot_taking_still(c->taking, ch->site->component, ch->site->root, ch->path, dirfd, name);
}

/* What is staged already is taken over: the restore point is the same, so what its paths need is, too.  A part does
 * only for the file that it was made for. */
static void take_over(struct converge *c, const struct changes *before)
{
	for (size_t i = 0; i < c->changes.count; i++) {
		struct change *ch = &c->changes.items[i];
		struct change *known = change_needs_stage(ch) ? changes_find(before, ch->site, ch->path) : NULL;
		if (!known || (known->ranges.size && (ch->kind != CHANGE_CONTENT || ch->link || !is_as_it_was(c, ch))))
			continue;
		ch->staged = known->staged;
		ch->ranges = known->ranges;
		known->ranges = (struct buf){0};
	}
}

enum err_code converge_refresh(struct converge *c, struct err *reterr)
{
	struct changes before = c->changes;
	c->changes = (struct changes){0};
	enum err_code rc = converge_collect(c, false, reterr);
	if (rc == ERR_OK) {
		take_over(c, &before);
		rc = converge_stage_all(c, reterr);
	}
	changes_done(&before);
	return rc;
}

enum err_code converge_clean(const struct converge_spec *spec, struct err *reterr)
{
	struct converge *c = NULL;
	enum err_code rc = converge_new(spec, &c, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->site_count; i++)
		rc = site_remove_stage(&c->sites[i], reterr);
	converge_free(c);
	return rc;
}

const char *converge_replaced(const struct converge *c, const char *folder, const char *name)
{
	char staged[STAGED_NAME];
	for (size_t i = 0; i < c->changes.count; i++) {
		const struct change *ch = &c->changes.items[i];
		if (ch->staged && strcmp(ch->site->stage, folder) == 0 &&
		    strcmp(converge_staged_name(ch->staged, staged), name) == 0)
			return ch->path;
	}
	return NULL;
}

const struct converge_counts *converge_counts(const struct converge *c)
{
	return &c->counts;
}
const struct diff_result *converge_live(const struct converge *c)
{
	return &c->live;
}
const struct service_config *converge_service(const struct converge *c)
{
	return &c->service;
}
bool converge_is_empty(const struct converge *c)
{
	return c->changes.count == 0;
}
