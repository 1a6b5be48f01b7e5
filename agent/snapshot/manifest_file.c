/* Manifests and marks as files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/repository/bytes.h"
#include "agent/repository/seal.h"
#include "agent/snapshot/catalogue.h"
#include "shared/base/file.h"
#include "shared/base/file_together.h"
#include "shared/base/log.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

enum { MARKS_SIZE_MAX = 8 << 10 };

static enum err_code file_of(
    const struct repo *r, struct id id, const char *suffix, char out[PATH_LIMIT], struct err *reterr)
{
	char name[ID_TEXT_MAX];
	if (!text_format(out, PATH_LIMIT, "%s/snapshots/%s%s", r->path, id_format(ID_SNAPSHOT, id, name), suffix))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", r->path);
	return ERR_OK;
}

/* Removed, or never there; or taken away by somebody. */
static enum err_code not_there(const struct repo *r, struct id id, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *missing = NULL;
	size_t count = 0;
	char name[ID_TEXT_MAX];
	id_format(ID_SNAPSHOT, id, name);
	if (catalogue_missing(r, &missing, &count, NULL) == ERR_OK)
		for (size_t i = 0; i < count; i++)
			if (id_equal(missing[i], id))
				return err_set(reterr, ERR_CORRUPT,
				    "snapshots/%s.manifest is missing: it was taken away from there", name);
	return err_set(reterr, ERR_NOT_FOUND, "there is no restore point %s; see `kedge-agent snapshot list`", name);
}

enum err_code manifest_read(
    const struct repo *r, struct id id, struct arena *arena, struct manifest *ret, struct err *reterr)
{
	char path[PATH_LIMIT], name[ID_TEXT_MAX];
	struct buf data = {.limit = MANIFEST_SIZE_MAX};
	enum err_code rc = file_of(r, id, ".manifest", path, reterr);
	if (!rc)
		rc = file_read(path, MANIFEST_SIZE_MAX, &data, reterr);
	if (rc == ERR_NOT_FOUND)
		rc = not_there(r, id, reterr);
	else if (!rc && (rc = manifest_unseal(r->keys, id, data.data, data.size, arena, ret, reterr)))
		rc = err_prefix(reterr, rc, "snapshots/%s.manifest", id_format(ID_SNAPSHOT, id, name));
	buf_done(&data);
	if (!rc)
		rc = marks_read(r, id, arena, &ret->summary.marks, reterr);
	return rc;
}

/* False: the restore point is there without; that it would not be missed is no reason to call it failed. */
static bool list_it(const struct repo *r, const struct manifest *m, int *lock, char path[PATH_LIMIT], struct buf *out)
{
	struct err err = ERR_INIT;
	if (!repo_lock_folder(r->snapshots_fd, LOCK_EX, lock, &err) &&
	    !catalogue_with(r, m->summary.snapshot, path, out, &err))
		return true;
	log_warn("snapshot", "service=%s the catalogue could not be written: %s", m->summary.service, err.msg);
	return false;
}

enum err_code manifest_write(const struct repo *r, const struct manifest *m, struct err *reterr)
{
	char path[PATH_LIMIT], catalogue_path[PATH_LIMIT];
	struct buf data = {.limit = MANIFEST_SIZE_MAX}, catalogue = {.limit = CATALOGUE_SIZE_MAX};
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = file_of(r, m->summary.snapshot, ".manifest", path, reterr);
	if (!rc)
		rc = manifest_seal(r->keys, m, &data, reterr);
	if (!rc) {
		size_t count = list_it(r, m, &lock, catalogue_path, &catalogue) ? 2 : 1;
		const struct file_new both[] = {
		    {path, data.data, data.size}, {catalogue_path, catalogue.data, catalogue.size}};
		rc = file_replace_together(both, count, 0600, reterr);
	}
	if (rc == ERR_FULL)
		rc = err_set(reterr, rc,
		    "the repository's file system has no room left for the manifest; free some or prune, nothing was "
		    "changed");
	buf_done(&data);
	buf_done(&catalogue);
	return rc;
}

enum err_code manifest_exists(const struct repo *r, struct id id, struct err *reterr)
{
	char path[PATH_LIMIT], name[ID_TEXT_MAX];
	enum err_code rc = file_of(r, id, ".manifest", path, reterr);
	if (!rc && access(path, F_OK))
		rc = errno == ENOENT ? err_set(reterr, ERR_NOT_FOUND, "there is no restore point %s",
					   id_format(ID_SNAPSHOT, id, name))
				     : err_sys(reterr, errno, "look at %s", path);
	return rc;
}

enum err_code manifest_remove_unheld(const struct repo *r, struct id id, bool *ret_held, struct err *reterr)
{
	struct snapshot_marks marks;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	CLEANUP(cleanup_fd) int lock = -1;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = repo_lock_folder(r->snapshots_fd, LOCK_EX, &lock, reterr);
	if (!rc)
		rc = marks_read(r, id, arena, &marks, reterr);
	if (rc)
		return rc;
	*ret_held = marks.hold != NULL;
	if (marks.hold)
		return ERR_OK;
	rc = catalogue_remove(r, id, reterr); /* before it goes, or it would be missed */
	return rc ? rc : manifest_remove(r, id, reterr);
}

/* The manifest goes first: marks without one mean nothing. */
enum err_code manifest_remove(const struct repo *r, struct id id, struct err *reterr)
{
	static const char *const suffixes[] = {".manifest", ".marks"};
	for (size_t i = 0; i < 2; i++) {
		char path[PATH_LIMIT];
		enum err_code rc = file_of(r, id, suffixes[i], path, reterr);
		if (rc)
			return rc;
		if (unlink(path) && errno != ENOENT)
			return err_sys(reterr, errno, "remove %s", path);
	}
	return repo_sync_folder(r->snapshots_fd, "snapshots", reterr);
}

static int newest_first(const void *a, const void *b)
{
	return -id_compare(*(const struct id *)a, *(const struct id *)b);
}

static bool manifest_name_parse(const char *name, struct id *ret)
{
	char text[ID_TEXT_MAX];
	size_t n = strlen(name);
	static const char suffix[] = ".manifest";
	if (!text_ends(name, suffix) || n - strlen(suffix) >= sizeof text)
		return false;
	memcpy(text, name, n - strlen(suffix));
	text[n - strlen(suffix)] = 0;
	return id_parse(ID_SNAPSHOT, text, ret, NULL) == ERR_OK;
}

enum err_code manifest_ids(const struct repo *r, struct id **ret, size_t *ret_count, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *ids = NULL;
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	size_t count = 0, room = 0;
	int fd = openat(r->snapshots_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !(dir = fdopendir(fd))) {
		int code = errno;
		if (fd >= 0)
			close(fd);
		return err_sys(reterr, code, "list %s/snapshots", r->path);
	}
	for (struct dirent *e; (errno = 0, e = readdir(dir));) {
		struct id id;
		if (!manifest_name_parse(e->d_name, &id))
			continue;
		if (count == SNAPSHOT_LIST_MAX)
			return err_set(reterr, ERR_LIMIT, "%s holds more than %d restore points; prune some", r->path,
			    SNAPSHOT_LIST_MAX);
		if (count == room) {
			room = room ? room * 2 : 64;
			struct id *more = realloc(ids, room * sizeof *more);
			if (!more)
				return err_set(reterr, ERR_NOMEM, "out of memory");
			ids = more;
		}
		ids[count++] = id;
	}
	if (errno)
		return err_sys(reterr, errno, "list %s/snapshots", r->path);
	if (count)
		qsort(ids, count, sizeof *ids, newest_first);
	*ret = TAKE_PTR(ids);
	*ret_count = count;
	return ERR_OK;
}

/* ---- marks ----
 * JSON, and behind it a line that authenticates it under its own name: "#KEDGEMK1", the key's number, nonce and tag of
 * a GMAC. */

static const char marks_word[] = "\n#KEDGEMK1 ", marks_unreadable[] = "its marks cannot be read";
enum { MARKS_NONCE = 12, MARKS_LINE_MAX = 128 };

static enum err_code marks_mac(const struct keys *k, uint32_t number, struct id id, const uint8_t nonce[MARKS_NONCE],
    const void *text, size_t size, uint8_t tag[SEAL_TAG_SIZE], struct err *reterr)
{
	uint8_t key[KEY_SIZE];
	enum err_code rc = keys_derive(k, number, "marks", id.b, sizeof id.b, key, reterr);
	if (rc)
		return rc;
	CLEANUP(gmac_cleanup) struct gmac *mac = gmac_new(key, nonce);
	secret_wipe(key, sizeof key);
	if (!mac)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	gmac_add(mac, text, size);
	gmac_end(mac, tag);
	return ERR_OK;
}

static bool marks_line(const struct keys *k, uint32_t number, struct id id, const uint8_t nonce[MARKS_NONCE],
    const void *text, size_t size, char out[MARKS_LINE_MAX], struct err *reterr)
{
	uint8_t tag[SEAL_TAG_SIZE];
	char nonce_hex[2 * MARKS_NONCE + 1], tag_hex[2 * SEAL_TAG_SIZE + 1];
	return marks_mac(k, number, id, nonce, text, size, tag, reterr) == ERR_OK &&
	       text_format(out, MARKS_LINE_MAX, "%s%u %s %s\n", marks_word, number,
		   text_hex(nonce, MARKS_NONCE, nonce_hex), text_hex(tag, sizeof tag, tag_hex));
}

/* *ret_size: of the JSON before the line, which must be the one that we would write. */
static bool marks_authentic(const struct repo *r, struct id id, const struct buf *text, size_t *ret_size)
{
	uint8_t nonce[MARKS_NONCE];
	char nonce_hex[2 * MARKS_NONCE + 1], wanted[MARKS_LINE_MAX];
	uint32_t number;
	const char *line = NULL;
	for (const char *p = buf_str(text); (p = strstr(p, marks_word)); p++)
		line = p;
	if (!line || sscanf(line + strlen(marks_word), "%10u %24[0-9a-f]", &number, nonce_hex) != 2 ||
	    text_unhex(nonce_hex, nonce, sizeof nonce, NULL))
		return false;
	size_t size = (size_t)(line - buf_str(text));
	*ret_size = size;
	return marks_line(r->keys, number, id, nonce, text->data, size, wanted, NULL) &&
	       text->size - size == strlen(wanted) && secret_equal(line, wanted, strlen(wanted));
}

enum err_code marks_read(
    const struct repo *r, struct id id, struct arena *arena, struct snapshot_marks *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf text = BUF_INIT;
	struct snapshot_marks marks;
	size_t size = 0;
	enum err_code rc = file_of(r, id, ".marks", path, reterr);
	if (!rc)
		rc = file_read(path, MARKS_SIZE_MAX, &text, reterr);
	if (rc == ERR_NOT_FOUND) {
		*ret = (struct snapshot_marks){0};
		rc = ERR_OK;
	} else if (!rc) {
		rc = marks_authentic(r, id, &text, &size) ? record_from_json(&snapshot_marks_type,
								(const char *)text.data, size, 0, arena, &marks, reterr)
							  : ERR_CORRUPT;
		if (!rc)
			*ret = marks;
		else /* nothing that a damaged file claims may make this a good one; and what it held may have been a
			hold */
			*ret = (struct snapshot_marks){
			    .suspect = true, .damage = marks_unreadable, .hold = marks_unreadable};
		rc = rc == ERR_NOMEM ? rc : ERR_OK;
	}
	buf_done(&text);
	return rc;
}

enum err_code marks_write(const struct repo *r, struct id id, const struct snapshot_marks *marks, struct err *reterr)
{
	char path[PATH_LIMIT], line[MARKS_LINE_MAX];
	uint8_t nonce[MARKS_NONCE];
	struct buf text = BUF_INIT;
	struct random random;
	random_init_system(&random);
	random_fill(&random, nonce, sizeof nonce);
	enum err_code rc = file_of(r, id, ".marks", path, reterr);
	if (!rc)
		rc = record_to_json(&snapshot_marks_type, marks, RECORD_PRETTY, &text, reterr);
	if (!rc && !marks_line(r->keys, keys_newest(r->keys), id, nonce, text.data, text.size, line, reterr))
		rc = err_set(reterr, ERR_INTERNAL, "the marks cannot be authenticated");
	if (!rc) {
		buf_text(&text, line);
		rc = text.failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
	}
	if (!rc)
		rc = file_replace(path, text.data, text.size, 0600, reterr);
	buf_done(&text);
	return rc;
}
