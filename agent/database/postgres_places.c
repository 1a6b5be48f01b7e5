/* Where the roots of a restore point of a cluster belong on this host. */
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent/database/internal.h"
#include "agent/database/tablespaces.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

static const struct snapshot_component *database_of(const struct snapshot *s)
{
	return s ? snapshot_summary_component(snapshot_about(s), COMPONENT_DATABASE) : NULL;
}

/* DATABASE_NO_ROOT: it has none of that label. */
static uint32_t root_of(const struct snapshot *s, const char *label)
{
	const struct snapshot_component *c = database_of(s);
	for (uint32_t i = 0; c && i < c->roots.count; i++)
		if (text_equal(LIST_AT(c->roots, struct snapshot_root, i).label, label))
			return i;
	return DATABASE_NO_ROOT;
}

static const struct tablespace *with_label(const struct list *all, const char *label)
{
	for (size_t i = 0; i < all->count; i++)
		if (text_equal(LIST_AT(*all, struct tablespace, i).label, label))
			return &LIST_AT(*all, struct tablespace, i);
	return NULL;
}

enum err_code postgres_places(const struct snapshot *s, const struct snapshot *now,
    const struct service_config *service, struct arena *arena, struct list *ret, struct err *reterr)
{
	const char *data = postgres_of(service)->data_directory;
	struct list kept, there;
	uint32_t whole = root_of(s, DATABASE_LABEL), end = root_of(s, POSTGRES_END_LABEL);
	uint32_t now_root = root_of(now, DATABASE_LABEL);
	enum err_code rc = tablespaces_in(s, arena, &kept, reterr);
	if (rc == ERR_OK)
		rc = tablespaces_in(now, arena, &there, reterr);
	if (rc != ERR_OK)
		return rc;
	struct database_place *all = arena_array(arena, 2 + kept.count + there.count, sizeof *all);
	size_t count = 0;
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (whole == DATABASE_NO_ROOT)
		return err_set(reterr, ERR_NOT_FOUND, "the restore point holds no data directory");
	all[count++] = (struct database_place){data, whole, now_root, false};
	if (end != DATABASE_NO_ROOT)
		all[count++] = (struct database_place){data, end, now_root, true};
	for (size_t i = 0; i < kept.count; i++) {
		const struct tablespace *t = &LIST_AT(kept, struct tablespace, i);
		const struct tablespace *same = with_label(&there, t->label);
		bool moved = same && !text_equal(same->folder, t->folder);
		all[count++] =
		    (struct database_place){t->folder, t->root, same && !moved ? same->root : DATABASE_NO_ROOT, false};
	}
	for (size_t i = 0; i < there.count; i++) {
		const struct tablespace *t = &LIST_AT(there, struct tablespace, i), *same = with_label(&kept, t->label);
		if (!same || !text_equal(same->folder, t->folder))
			all[count++] = (struct database_place){t->folder, DATABASE_NO_ROOT, t->root, false};
	}
	*ret = (struct list){all, count};
	return ERR_OK;
}

/* ---- room ---- */

enum { SPACES_ARENA = 4 << 20 };

/* Of path, or of the nearest folder above that is there. */
static bool device_of(const char *path, dev_t *ret, struct statvfs *ret_fs)
{
	char at[PATH_LIMIT];
	struct stat st;
	text_copy(at, sizeof at, path);
	while (stat(at, &st) != 0)
		if (!at[1])
			return false;
		else
			tree_parent(at, at);
	*ret = st.st_dev;
	return statvfs(at, ret_fs) == 0;
}

static enum err_code check_one(
    const struct list *all, size_t which, dev_t mine, const struct statvfs *fs, struct err *reterr)
{
	char need[TEXT_TIME_MAX], have[TEXT_TIME_MAX];
	uint64_t bytes = 0, there = (uint64_t)fs->f_bavail * fs->f_frsize;
	for (size_t i = 0; i < all->count; i++) {
		dev_t device;
		struct statvfs ignored;
		if (device_of(LIST_AT(*all, struct tablespace, i).location, &device, &ignored) && device == mine)
			bytes += LIST_AT(*all, struct tablespace, i).bytes;
	}
	bytes += bytes / 5;
	return there >= bytes
		   ? ERR_OK
		   : err_set(reterr, ERR_FULL, "not enough room in %s: %s are needed, %s are free; nothing was changed",
			 LIST_AT(*all, struct tablespace, which).location, text_size_human(bytes, need),
			 text_size_human(there, have));
}

enum err_code postgres_room(
    const struct snapshot *s, const char *place, uint64_t *bytes, uint64_t *entries, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(SPACES_ARENA);
	struct list all;
	struct statvfs fs;
	dev_t own, other;
	enum err_code rc = arena ? tablespaces_in(s, arena, &all, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; rc == ERR_OK && i < all.count; i++) {
		const struct tablespace *t = &LIST_AT(all, struct tablespace, i);
		if (!device_of(place, &own, &fs) || !device_of(t->location, &other, &fs) || own == other)
			continue; /* counted with the rest */
		*bytes -= t->bytes;
		*entries -= t->entries;
		rc = check_one(&all, i, other, &fs, reterr);
	}
	return rc;
}
