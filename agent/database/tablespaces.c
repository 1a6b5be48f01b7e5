/* Which tablespaces there are, and how they are put back. */
#include "agent/database/tablespaces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/database/contents.h"
#include "agent/database/guard.h"
#include "agent/database/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { VERSION_TEXT = 32, SPACES_ARENA = 16 << 20 };

const char *tablespaces_suffix(const char *data)
{
	const char *slash = strrchr(data, '/'), *at = slash ? strstr(slash, CONTENTS_PREFIX) : NULL;
	return at ? at : "";
}

static bool is_oid(const char *name)
{
	return *name && strspn(name, "0123456789") == strlen(name);
}

static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool push(struct list *all, struct tablespace t)
{
	if (all->count == TABLESPACES_MAX || !t.oid || !t.location || !t.folder || !t.label)
		return false;
	((struct tablespace *)all->items)[all->count++] = t;
	return true;
}

/* ---- of a data directory ---- */

/* "PG_15_": other versions' folders may lie beside it, after an upgrade. */
static enum err_code version_of(const char *data, char out[VERSION_TEXT], struct err *reterr)
{
	char path[PATH_LIMIT], text[VERSION_TEXT] = "";
	enum err_code rc = tree_join(data, guard_is_up(data) ? GUARD_HELD : GUARD_MARK, path, reterr);
	CLEANUP(cleanup_file) FILE *f = rc == ERR_OK ? fopen(path, "re") : NULL;
	if (rc == ERR_OK && (!f || !fgets(text, 8, f)))
		rc = err_sys(reterr, f ? EIO : errno, "%s", path);
	text[strcspn(text, "\n")] = '\0';
	(void)text_format(out, VERSION_TEXT, "PG_%s_", text);
	return rc;
}

/* Its one folder there, without the suffix. */
static enum err_code find_folder(
    const char *location, const char *version, const char *suffix, char out[NAME_MAX + 1], struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(location);
	size_t found = 0;
	if (!dir)
		return err_sys(reterr, errno, "a tablespace's folder, %s", location);
	for (struct dirent *e; (e = readdir(dir));) {
		size_t n = strlen(e->d_name), m = strlen(suffix);
		if (!text_starts(e->d_name, version) || n <= m || !text_ends(e->d_name, suffix) ||
		    (!m && strstr(e->d_name, CONTENTS_PREFIX)))
			continue;
		text_copy(out, n - m + 1, e->d_name);
		found++;
	}
	if (found == 1)
		return ERR_OK;
	return found ? err_set(reterr, ERR_UNSUPPORTED, "%s holds more than one folder %s…", location, version)
		     : err_set(reterr, ERR_NOT_FOUND,
			   "%s holds no tablespace of this cluster (%s…): is its disk mounted?", location, version);
}

static enum err_code add_live(struct list *all, const char *data, const char *oid, const char *version,
    const char *suffix, struct arena *arena, struct err *reterr)
{
	char link[PATH_LIMIT], location[PATH_LIMIT], folder[NAME_MAX + 1];
	if (!text_format(link, sizeof link, "%s/pg_tblspc/%s", data, oid))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", data);
	ssize_t n = readlink(link, location, sizeof location - 1);
	if (n < 0)
		return errno == EINVAL ? ERR_OK /* a folder: it is part of the data directory */
				       : err_sys(reterr, errno, "%s", link);
	location[n] = '\0';
	if (*location != '/' || is_below(location, data))
		return err_set(reterr, ERR_UNSUPPORTED,
		    "tablespace %s lies in %s, in the data directory itself: move it elsewhere", oid, location);
	enum err_code rc = find_folder(location, version, suffix, folder, reterr);
	if (rc != ERR_OK)
		return rc;
	return push(all, (struct tablespace){.oid = arena_strdup(arena, oid),
			     .location = arena_strdup(arena, location),
			     .folder = arena_printf(arena, "%s/%s%s", location, folder, suffix),
			     .label = arena_printf(arena, TABLESPACE_LABEL "%s/%s", oid, folder)})
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "more than %d tablespaces", TABLESPACES_MAX);
}

enum err_code tablespaces_of(
    const char *data, const char *suffix, struct arena *arena, struct list *ret, struct err *reterr)
{
	struct list all = {arena_array(arena, TABLESPACES_MAX, sizeof(struct tablespace)), 0};
	char path[PATH_LIMIT], version[VERSION_TEXT] = "";
	enum err_code rc = tree_join(data, "pg_tblspc", path, reterr);
	if (rc == ERR_OK && !all.items)
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	CLEANUP(cleanup_dir) DIR *dir = rc == ERR_OK ? opendir(path) : NULL;
	for (struct dirent *e; rc == ERR_OK && dir && (e = readdir(dir));) {
		if (!is_oid(e->d_name))
			continue;
		if (!*version)
			rc = version_of(data, version, reterr);
		if (rc == ERR_OK)
			rc = add_live(&all, data, e->d_name, version, suffix, arena, reterr);
	}
	if (rc == ERR_OK)
		*ret = all;
	return rc;
}

/* ---- of a restore point ---- */

static uint32_t main_root(const struct snapshot_component *c)
{
	for (uint32_t i = 0; i < c->roots.count; i++)
		if (text_equal(LIST_AT(c->roots, struct snapshot_root, i).label, DATABASE_LABEL))
			return i;
	return DATABASE_NO_ROOT;
}

static enum err_code add_kept(struct list *all, const struct snapshot *s, const struct snapshot_component *c,
    uint32_t root, struct arena *arena, struct err *reterr)
{
	const char *label = LIST_AT(c->roots, struct snapshot_root, root).label;
	char *oid = arena_strdup(arena, label + strlen(TABLESPACE_LABEL)), *name = oid ? strchr(oid, '/') : NULL;
	struct snapshot_entry link;
	if (!name)
		return err_set(reterr, oid ? ERR_CORRUPT : ERR_NOMEM, "\"%.80s\" is no tablespace", label);
	*name++ = '\0';
	const char *path = arena_printf(arena, "pg_tblspc/%s", oid);
	if (!path || !is_oid(oid) || strchr(name, '/') ||
	    !snapshot_lookup(s, COMPONENT_DATABASE, main_root(c), path, &link) || link.type != ENTRY_SYMLINK ||
	    !link.size || *link.target != '/')
		return err_set(reterr, ERR_CORRUPT, "the restore point does not say where tablespace %.20s was", oid);
	const char *location = arena_strndup(arena, link.target, (size_t)link.size);
	return push(all, (struct tablespace){.oid = oid,
			     .location = location,
			     .folder = location ? arena_printf(arena, "%s/%s", location, name) : NULL,
			     .label = label,
			     .root = root})
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "more than %d tablespaces", TABLESPACES_MAX);
}

enum err_code tablespaces_in(const struct snapshot *s, struct arena *arena, struct list *ret, struct err *reterr)
{
	const struct snapshot_component *c =
	    s ? snapshot_summary_component(snapshot_about(s), COMPONENT_DATABASE) : NULL;
	struct list all = {arena_array(arena, TABLESPACES_MAX, sizeof(struct tablespace)), 0};
	struct snapshot_cursor cursor = SNAPSHOT_CURSOR(COMPONENT_DATABASE);
	struct snapshot_entry e;
	enum err_code rc = all.items ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; rc == ERR_OK && c && i < c->roots.count; i++) {
		const char *label = LIST_AT(c->roots, struct snapshot_root, i).label;
		if (label && text_starts(label, TABLESPACE_LABEL))
			rc = add_kept(&all, s, c, i, arena, reterr);
	}
	while (rc == ERR_OK && all.count && snapshot_next(s, &cursor, &e))
		for (size_t i = 0; i < all.count; i++) {
			struct tablespace *t = &((struct tablespace *)all.items)[i];
			t->entries += t->root == e.root;
			t->bytes += t->root == e.root && e.type == ENTRY_FILE ? e.size : 0;
		}
	if (rc == ERR_OK && all.count)
		snapshot_cursor_done(s, &cursor);
	if (rc == ERR_OK && cursor.failed)
		rc = err_set(
		    reterr, ERR_CORRUPT, "the restore point cannot be read whole; run `kedge-agent repo check`");
	if (rc == ERR_OK)
		*ret = all;
	return rc;
}

/* ---- the list of an exchange ---- */

struct space {
	char folder[PATH_LIMIT];
	uint64_t mine, theirs; /* inodes of the folder and of the one beside it, when the exchange began; 0: none */
};
struct spaces {
	char path[PATH_LIMIT];
	const char *suffix;
	uint64_t here, there; /* of the two data directories; 0 and 0: the exchange has not begun */
	struct space *all;
	size_t count;
};

static void spaces_done(struct spaces *s)
{
	free(s->all);
}

static enum err_code spaces_init(struct spaces *s, const char *other, struct err *reterr)
{
	*s = (struct spaces){.suffix = tablespaces_suffix(other)};
	if (!text_format(s->path, sizeof s->path, "%s.spaces", other))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", other);
	s->all = calloc(2 * TABLESPACES_MAX, sizeof *s->all);
	return s->all ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

static bool spaces_add(struct spaces *s, const char *folder, uint64_t mine, uint64_t theirs)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->all[i].folder, folder) == 0)
			return true;
	struct space *one = &s->all[s->count];
	if (s->count == 2 * TABLESPACES_MAX || !text_format(one->folder, sizeof one->folder, "%s", folder))
		return false;
	one->mine = mine;
	one->theirs = theirs;
	s->count++;
	return true;
}

static enum err_code spaces_write(const struct spaces *s, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = {.limit = TABLESPACES_FILE_MAX};
	buf_printf(&text, "%llu %llu\n", (unsigned long long)s->here, (unsigned long long)s->there);
	for (size_t i = 0; i < s->count; i++) {
		if (strchr(s->all[i].folder, '\n'))
			return err_set(reterr, ERR_UNSUPPORTED, "a tablespace's path has a line's end in it");
		buf_printf(&text, "%llu %llu %s\n", (unsigned long long)s->all[i].mine,
		    (unsigned long long)s->all[i].theirs, s->all[i].folder);
	}
	return text.failed ? err_set(reterr, ERR_NOMEM, "out of memory")
			   : tree_replace(s->path, text.data, text.size, NULL, reterr);
}

/* ERR_NOT_FOUND: there is none. */
static enum err_code spaces_read(struct spaces *s, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = {.limit = TABLESPACES_FILE_MAX + 1};
	enum err_code rc = file_read(s->path, TABLESPACES_FILE_MAX, &text, reterr);
	bool first = true;
	for (char *line = (char *)text.data, *next; rc == ERR_OK && line && *line; line = next, first = false) {
		unsigned long long mine, theirs;
		int at = 0;
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		bool good = sscanf(line, "%llu %llu%n", &mine, &theirs, &at) == 2 && at;
		if (good && first) {
			s->here = mine;
			s->there = theirs;
		} else if (!good || line[at] != ' ' || line[at + 1] != '/' ||
			   !spaces_add(s, line + at + 1, mine, theirs)) {
			return err_set(reterr, ERR_CORRUPT, "%s is not as this program writes it", s->path);
		}
	}
	return rc;
}

/* ---- staging ---- */

static enum err_code make_location(const char *location, const char *like, struct err *reterr)
{
	struct stat st, owner;
	if (stat(location, &st) == 0)
		return ERR_OK;
	enum err_code rc = file_make_dirs(location, 0700, reterr);
	if (rc == ERR_OK && geteuid() == 0 &&
	    (stat(like, &owner) != 0 || chown(location, owner.st_uid, owner.st_gid) != 0))
		rc = err_sys(reterr, errno, "%s", location);
	return rc;
}

static enum err_code sync_below(const char *folder, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || syncfs(fd) != 0 ? err_sys(reterr, errno, "%s cannot be synced", folder) : ERR_OK;
}

static enum err_code stage_one(
    struct snapshot *s, const struct tablespace *t, const char *like, const char *suffix, struct err *reterr)
{
	char to[PATH_LIMIT], box[PATH_LIMIT], tree[PATH_LIMIT];
	const struct snapshot_component *c = snapshot_summary_component(snapshot_about(s), COMPONENT_DATABASE);
	const char *paths[] = {LIST_AT(c->roots, struct snapshot_root, t->root).path, NULL};
	struct restore_options o = {.components = 1u << COMPONENT_DATABASE, .paths = paths};
	struct restore_result done;
	struct err late = ERR_INIT;
	if (!text_format(to, sizeof to, "%s%s", t->folder, suffix) || !text_format(box, sizeof box, "%s.part", to) ||
	    !text_format(tree, sizeof tree, "%s/%s", box, t->label))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", t->folder);
	enum err_code rc = make_location(t->location, like, reterr);
	if (rc == ERR_OK)
		rc = tree_remove(to, reterr);
	if (rc == ERR_OK)
		rc = tree_remove(box, reterr);
	if (rc == ERR_OK)
		rc = snapshot_restore_into(s, box, &o, &done, reterr);
	if (rc == ERR_OK && rename(tree, to) != 0)
		rc = err_sys(reterr, errno, "%s cannot be named %s", tree, to);
	if (tree_remove(box, &late) != ERR_OK && rc == ERR_OK)
		rc = err_set(reterr, ERR_IO, "%s", late.msg);
	return rc == ERR_OK ? sync_below(t->location, reterr) : rc;
}

enum err_code tablespaces_stage(
    struct snapshot *s, const char *data, const char *other, struct arena *arena, struct err *reterr)
{
	struct list kept = {0}, live = {0};
	CLEANUP(spaces_done) struct spaces spaces;
	enum err_code rc = spaces_init(&spaces, other, reterr);
	if (rc == ERR_OK)
		rc = tablespaces_in(s, arena, &kept, reterr);
	/* What cannot be told of a cluster that is broken is left as it is. */
	if (rc == ERR_OK)
		(void)!tablespaces_of(data, "", arena, &live, NULL);
	for (size_t i = 0; rc == ERR_OK && i < kept.count + live.count; i++)
		if (!spaces_add(&spaces,
			(i < kept.count ? &LIST_AT(kept, struct tablespace, i)
					: &LIST_AT(live, struct tablespace, i - kept.count))
			    ->folder,
			0, 0))
			rc = err_set(reterr, ERR_LIMIT, "more than %d tablespaces", TABLESPACES_MAX);
	if (rc == ERR_OK && spaces.count)
		rc = spaces_write(&spaces, reterr);
	for (size_t i = 0; rc == ERR_OK && i < kept.count; i++)
		rc = stage_one(
		    s, &LIST_AT(kept, struct tablespace, i), file_exists(data) ? data : "/", spaces.suffix, reterr);
	return rc;
}

/* ---- the exchange ---- */

static uint64_t inode_of(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 ? st.st_ino : 0;
}

static enum err_code exchange(const struct spaces *s, const struct space *one, bool forward, struct err *reterr)
{
	char beside[PATH_LIMIT], parent[PATH_LIMIT];
	if (!text_format(beside, sizeof beside, "%s%s", one->folder, s->suffix))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", one->folder);
	enum err_code rc =
	    contents_exchange(AT_FDCWD, one->folder, AT_FDCWD, beside, forward ? one->theirs : one->mine, reterr);
	tree_parent(beside, parent);
	return rc == ERR_OK && file_exists(parent) ? file_sync_dir(parent, reterr) : rc;
}

/* As it was when the exchange began. */
static enum err_code know(struct spaces *s, uint64_t here, uint64_t there, struct err *reterr)
{
	char beside[PATH_LIMIT];
	if (s->here || s->there)
		return ERR_OK;
	s->here = here;
	s->there = there;
	for (size_t i = 0; i < s->count; i++) {
		if (!text_format(beside, sizeof beside, "%s%s", s->all[i].folder, s->suffix))
			return err_set(reterr, ERR_LIMIT, "%s is too long a path", s->all[i].folder);
		s->all[i].mine = inode_of(s->all[i].folder);
		s->all[i].theirs = inode_of(beside);
	}
	return spaces_write(s, reterr);
}

static enum err_code exchange_all(const struct spaces *s, bool forward, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < s->count; i++)
		rc = exchange(s, &s->all[i], forward, reterr);
	return rc;
}

enum err_code tablespaces_swap(const char *other, uint64_t here, uint64_t there, struct err *reterr)
{
	CLEANUP(spaces_done) struct spaces spaces;
	struct err none = ERR_INIT;
	enum err_code rc = spaces_init(&spaces, other, reterr);
	if (rc == ERR_OK && (rc = spaces_read(&spaces, &none)) == ERR_NOT_FOUND)
		return ERR_OK;
	if (rc != ERR_OK)
		return none.msg[0] ? err_set(reterr, rc, "%s", none.msg) : rc;
	rc = know(&spaces, here, there, reterr);
	if (rc != ERR_OK)
		return rc;
	return exchange_all(&spaces, here != spaces.there, reterr);
}

bool tablespaces_listed(const char *other)
{
	char path[PATH_LIMIT];
	return text_format(path, sizeof path, "%s.spaces", other) && file_exists(path);
}

enum err_code tablespaces_back(const char *other, uint64_t here, bool *ret_theirs, struct err *reterr)
{
	CLEANUP(spaces_done) struct spaces spaces;
	struct err none = ERR_INIT;
	enum err_code rc = spaces_init(&spaces, other, reterr);
	*ret_theirs = false;
	if (rc == ERR_OK && (rc = spaces_read(&spaces, &none)) != ERR_OK)
		return rc == ERR_NOT_FOUND ? ERR_OK : err_set(reterr, rc, "%s", none.msg);
	if (rc != ERR_OK || (!spaces.here && !spaces.there))
		return rc; /* not begun */
	*ret_theirs = here == spaces.there;
	return exchange_all(&spaces, false, reterr);
}

enum err_code tablespaces_discard(const char *other, struct err *reterr)
{
	CLEANUP(spaces_done) struct spaces spaces;
	struct err none = ERR_INIT;
	enum err_code rc = spaces_init(&spaces, other, reterr);
	if (rc == ERR_OK && (rc = spaces_read(&spaces, &none)) != ERR_OK) /* one that was being made all the same */
		return rc == ERR_NOT_FOUND ? tree_unname(spaces.path, reterr) : err_set(reterr, rc, "%s", none.msg);
	for (size_t i = 0; rc == ERR_OK && i < spaces.count; i++) {
		char path[PATH_LIMIT];
		if (text_format(path, sizeof path, "%s%s", spaces.all[i].folder, spaces.suffix))
			rc = tree_remove(path, reterr);
		if (rc == ERR_OK && text_format(path, sizeof path, "%s%s.part", spaces.all[i].folder, spaces.suffix))
			rc = tree_remove(path, reterr);
	}
	return rc == ERR_OK ? tree_unname(spaces.path, reterr) : rc;
}
