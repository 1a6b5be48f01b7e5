#include "agent/database/contents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/database/guard.h"
#include "agent/database/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

#define MARK GUARD_MARK
enum { LIST_FILE_MAX = CONTENTS_ENTRIES_MAX * (NAME_MAX + 32) };

struct entry { /* of the first level */
	char name[NAME_MAX + 1];
	uint64_t mine, theirs; /* inode of data's own, of the other's; 0: it has none */
};
struct contents {
	const char *data, *other;
	int data_fd, other_fd;
	struct entry *all;
	size_t count;
};

bool contents_needed(const char *folder)
{
	char parent[PATH_LIMIT];
	struct stat above, here;
	tree_parent(folder, parent);
	return stat(parent, &above) == 0 && stat(folder, &here) == 0 && S_ISDIR(here.st_mode) &&
	       here.st_dev != above.st_dev;
}

static uint64_t inode_at(int folder, const char *name)
{
	struct stat st;
	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

/* What is ours and the file system's own stays. */
static bool takes_part(const char *name)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "lost+found") != 0 &&
	       !text_starts(name, CONTENTS_PREFIX);
}

/* ---- the list ---- */

static struct entry *entry_of(struct contents *c, const char *name, struct err *reterr)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->all[i].name, name) == 0)
			return &c->all[i];
	if (c->count == CONTENTS_ENTRIES_MAX || strlen(name) > NAME_MAX) {
		(void)err_set(reterr, ERR_LIMIT, "%s holds more than %d entries", c->data, CONTENTS_ENTRIES_MAX);
		return NULL;
	}
	struct entry *e = &c->all[c->count++];
	*e = (struct entry){.mine = 0};
	text_copy(e->name, sizeof e->name, name);
	return e;
}

/* theirs: of other.  known: only names that the list has not. */
static enum err_code look(struct contents *c, const char *folder, bool theirs, bool known, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	if (!dir)
		return err_sys(reterr, errno, "%s", folder);
	for (struct dirent *d; (errno = 0, d = readdir(dir));) {
		struct entry *e = takes_part(d->d_name) ? entry_of(c, d->d_name, reterr) : NULL;
		if (!takes_part(d->d_name))
			continue;
		if (!e)
			return ERR_LIMIT;
		if (!known)
			*(theirs ? &e->theirs : &e->mine) = inode_at(dirfd(dir), d->d_name);
	}
	return errno ? err_sys(reterr, errno, "%s", folder) : ERR_OK;
}

static enum err_code list_path(const char *other, char out[PATH_LIMIT], struct err *reterr)
{
	return text_format(out, PATH_LIMIT, "%s.names", other)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "%s is too long a path", other);
}

static enum err_code write_list(const struct contents *c, const char *path, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = {.limit = LIST_FILE_MAX};
	for (size_t i = 0; i < c->count; i++) {
		if (strchr(c->all[i].name, '\n'))
			return err_set(reterr, ERR_UNSUPPORTED, "%s holds a name with a line's end in it", c->data);
		buf_printf(&text, "%llu %llu %s\n", (unsigned long long)c->all[i].mine,
		    (unsigned long long)c->all[i].theirs, c->all[i].name);
	}
	return text.failed ? err_set(reterr, ERR_NOMEM, "out of memory")
			   : tree_replace(path, text.data, text.size, NULL, reterr);
}

static enum err_code read_list(struct contents *c, const char *path, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = {.limit = LIST_FILE_MAX + 1};
	enum err_code rc = file_read(path, LIST_FILE_MAX, &text, reterr);
	for (char *line = (char *)text.data, *next; rc == ERR_OK && line && *line; line = next) {
		unsigned long long mine, theirs;
		int at = 0;
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (sscanf(line, "%llu %llu %n", &mine, &theirs, &at) != 2 || !at || !line[at] ||
		    strchr(line + at, '/'))
			return err_set(reterr, ERR_CORRUPT, "%s is not as this program writes it", path);
		struct entry *e = entry_of(c, line + at, reterr);
		if (!e)
			return ERR_LIMIT;
		e->mine = mine;
		e->theirs = theirs;
	}
	return rc;
}

/* As it was when the exchange began; what has come since belongs to whoever is in place. */
static enum err_code know(struct contents *c, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = list_path(c->other, path, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = read_list(c, path, reterr);
	if (rc == ERR_OK)
		return look(c, c->data, false, true, reterr);
	if (rc != ERR_NOT_FOUND)
		return rc;
	rc = look(c, c->data, false, false, reterr);
	if (rc == ERR_OK)
		rc = look(c, c->other, true, false, reterr);
	return rc == ERR_OK ? write_list(c, path, reterr) : rc;
}

/* ---- the exchange ---- */

enum err_code contents_exchange(
    int here_fd, const char *here, int there_fd, const char *there, uint64_t wanted, struct err *reterr)
{
	uint64_t in = inode_at(here_fd, here), out = inode_at(there_fd, there);
	if (wanted ? in == wanted : !in)
		return ERR_OK; /* done before */
	if (wanted && out != wanted)
		return err_set(reterr, ERR_CORRUPT, "%s is in neither of its two places", here);
	if (!wanted && out)
		return err_set(reterr, ERR_CORRUPT, "%s has come from elsewhere", there);
	int failed = in && out ? renameat2(there_fd, there, here_fd, here, RENAME_EXCHANGE)
		     : in      ? renameat2(here_fd, here, there_fd, there, RENAME_NOREPLACE)
			       : renameat2(there_fd, there, here_fd, here, RENAME_NOREPLACE);
	return failed ? err_sys(reterr, errno, "%s cannot be exchanged", here) : ERR_OK;
}

/* Its wanted inode comes into data; where it has none there, what is there goes. */
static enum err_code exchange(const struct contents *c, const struct entry *e, bool forward, struct err *reterr)
{
	enum err_code rc =
	    contents_exchange(c->data_fd, e->name, c->other_fd, e->name, forward ? e->theirs : e->mine, reterr);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "%s", c->data);
}

static enum err_code sync_both(const struct contents *c, struct err *reterr)
{
	return fsync(c->data_fd) == 0 && fsync(c->other_fd) == 0
		   ? ERR_OK
		   : err_sys(reterr, errno, "%s cannot be synced", c->data);
}

/* What tells which of the two is in place comes by one rename, when everything else has come and is durable: by it the
 * guard is down, too.  Then the other's goes where its own is. */
static enum err_code turn(const struct contents *c, struct err *reterr)
{
	if (!inode_at(c->data_fd, MARK) && inode_at(c->other_fd, MARK) &&
	    renameat2(c->other_fd, MARK, c->data_fd, MARK, RENAME_NOREPLACE) != 0)
		return err_sys(reterr, errno, "%s/" MARK " cannot be put in place", c->data);
	enum err_code rc = sync_both(c, reterr);
	if (rc != ERR_OK || !inode_at(c->data_fd, GUARD_HELD))
		return rc;
	if (renameat2(c->data_fd, GUARD_HELD, c->other_fd, MARK, RENAME_NOREPLACE) != 0)
		return err_sys(reterr, errno, "%s/" MARK " cannot be put aside", c->data);
	return sync_both(c, reterr);
}

static enum err_code exchange_all(const struct contents *c, bool forward, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < c->count; i++)
		if (strcmp(c->all[i].name, MARK) != 0)
			rc = exchange(c, &c->all[i], forward, reterr);
	return rc == ERR_OK ? sync_both(c, reterr) : rc; /* the mark never says what is not so */
}

static uint64_t theirs_of(const struct contents *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->all[i].name, MARK) == 0)
			return c->all[i].theirs;
	return 0;
}

static enum err_code swap(struct contents *c, struct err *reterr)
{
	enum err_code rc = know(c, reterr);
	if (rc != ERR_OK)
		return rc;
	uint64_t theirs = theirs_of(c), held = inode_at(c->data_fd, GUARD_HELD);
	if (!theirs)
		return err_set(reterr, ERR_CORRUPT, "%s is no data directory: it has no " MARK, c->other);
	rc = exchange_all(c, held != theirs, reterr);
	return rc == ERR_OK ? turn(c, reterr) : rc;
}

/* One that was killed in the middle of turn(). */
static enum err_code settle(struct contents *c, struct err *reterr)
{
	return inode_at(c->data_fd, MARK) ? turn(c, reterr) : ERR_OK;
}

/* What was in place when it began is there again, and its mark; also when the other's had come already. */
static enum err_code back(struct contents *c, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = list_path(c->other, path, reterr);
	if (rc != ERR_OK || !file_exists(path))
		return rc == ERR_OK ? guard_lower(c->data, reterr) : rc;
	rc = know(c, reterr);
	if (rc == ERR_OK)
		rc = settle(c, reterr);
	if (rc == ERR_OK)
		rc = guard_raise(c->data, reterr);
	if (rc == ERR_OK)
		rc = exchange_all(c, false, reterr);
	if (rc != ERR_OK)
		return rc;
	uint64_t held = inode_at(c->data_fd, GUARD_HELD);
	return held && held == theirs_of(c) ? turn(c, reterr) : guard_lower(c->data, reterr);
}

static enum err_code with_both(const char *data, const char *other,
    enum err_code (*act)(struct contents *c, struct err *reterr), struct err *reterr)
{
	CLEANUP(cleanup_fd) int data_fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_fd) int other_fd = open(other, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(cleanup_free) struct entry *all = calloc(CONTENTS_ENTRIES_MAX, sizeof *all);
	if (data_fd < 0 || other_fd < 0)
		return err_sys(reterr, errno, "%s cannot be exchanged with %s", data, other);
	struct contents c = {data, other, data_fd, other_fd, all, 0};
	return all ? act(&c, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
}

enum err_code contents_swap(const char *data, const char *other, struct err *reterr)
{
	return with_both(data, other, swap, reterr);
}

enum err_code contents_back(const char *data, const char *other, struct err *reterr)
{
	return with_both(data, other, back, reterr);
}

enum err_code contents_settle(const char *data, const char *other, struct err *reterr)
{
	return with_both(data, other, settle, reterr);
}

enum err_code contents_forget(const char *other, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = list_path(other, path, reterr);
	return rc == ERR_OK ? tree_unname(path, reterr) : rc;
}
