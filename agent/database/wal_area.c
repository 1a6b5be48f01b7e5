/* The folder of an archive, and the file that says whose it is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/database/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

static const char first_line[] = "kedge-wal 1\n";

void wal_area_wipe(struct wal_area *a)
{
	secret_wipe(a->keys, sizeof a->keys);
	a->key_count = 0;
}

/* ---- the file: lines of a word and its values ---- */

static bool take_key(struct wal_area *a, char *values)
{
	uint64_t number;
	char *hex = strchr(values, ' ');
	if (!hex || a->key_count == WAL_KEYS_MAX)
		return false;
	*hex++ = '\0';
	struct envelope_key *k = &a->keys[a->key_count++];
	if (text_u64(values, &number, NULL) != ERR_OK || number > UINT32_MAX)
		return false;
	k->number = (uint32_t)number;
	return text_unhex(hex, k->key, KEY_SIZE, NULL) == ERR_OK;
}

static bool take_line(struct wal_area *a, char *line)
{
	uint64_t v;
	if (text_starts(line, "key "))
		return take_key(a, line + 4);
	if (text_starts(line, "system "))
		return text_u64(line + 7, &a->system, NULL) == ERR_OK;
	if (!text_starts(line, "segment ") || text_u64(line + 8, &v, NULL) != ERR_OK || v < WAL_SEGMENT_LEAST ||
	    v > WAL_SEGMENT_MOST || (v & (v - 1)))
		return false;
	a->segment_bytes = (uint32_t)v;
	return true;
}

static enum err_code parse(struct wal_area *a, char *text, const char *path, struct err *reterr)
{
	bool good = text_starts(text, first_line);
	for (char *line = text + strlen(first_line), *next; good && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		good = take_line(a, line);
	}
	if (good && a->system && a->segment_bytes && a->key_count)
		return ERR_OK;
	return err_set(reterr, ERR_CORRUPT,
	    "%s is not as this program writes it: take a restore point of the database as root to make it anew, after "
	    "moving it away",
	    path);
}

enum err_code wal_area_open(const char *state_directory, const char *service, struct wal_area *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof path, "%s/wal/%s", state_directory, service))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	return wal_area_open_at(path, ret, reterr);
}

enum err_code wal_area_open_at(const char *area, struct wal_area *ret, struct err *reterr)
{
	struct wal_area a = {.key_count = 0};
	char path[PATH_LIMIT];
	struct buf text = BUF_INIT;
	if (!text_format(a.path, sizeof a.path, "%s", area) || !text_format(path, sizeof path, "%s/area", area))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", area);
	enum err_code rc = file_read(path, WAL_AREA_FILE_MAX, &text, reterr);
	if (rc == ERR_OK)
		rc = parse(&a, (char *)text.data, path, reterr);
	if (rc == ERR_OK)
		*ret = a;
	if (text.data)
		secret_wipe(text.data, text.size);
	buf_done(&text);
	wal_area_wipe(&a);
	return rc;
}

static enum err_code store(const struct wal_area *a, const struct stat *owner, struct err *reterr)
{
	struct buf text = BUF_INIT;
	char path[PATH_LIMIT], hex[2 * KEY_SIZE + 1];
	if (!text_format(path, sizeof path, "%s/area", a->path))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	buf_printf(&text, "%ssystem %llu\nsegment %u\n", first_line, (unsigned long long)a->system, a->segment_bytes);
	for (size_t i = 0; i < a->key_count; i++)
		buf_printf(&text, "key %u %s\n", a->keys[i].number, text_hex(a->keys[i].key, KEY_SIZE, hex));
	enum err_code rc = text.failed ? err_set(reterr, ERR_NOMEM, "out of memory")
				       : file_replace(path, text.data, text.size, 0600, reterr);
	if (rc == ERR_OK && geteuid() == 0 && chown(path, owner->st_uid, owner->st_gid) != 0)
		rc = err_sys(reterr, errno, "%s cannot be given to the cluster's user", path);
	if (text.data)
		secret_wipe(text.data, text.size);
	secret_wipe(hex, sizeof hex);
	buf_done(&text);
	return rc;
}

/* ---- making it ---- */

static enum err_code make_folder(const char *path, mode_t mode, const struct stat *owner, struct err *reterr)
{
	enum err_code rc = file_make_dirs(path, mode, reterr);
	if (rc == ERR_OK && owner && geteuid() == 0 && chown(path, owner->st_uid, owner->st_gid) != 0)
		rc = err_sys(reterr, errno, "%s cannot be given to the cluster's user", path);
	return rc;
}

/* The cluster's user must come through to its folder, and sees nothing else on the way. */
static enum err_code check_way(const char *state_directory, const struct stat *owner, struct err *reterr)
{
	struct stat st;
	if (stat(state_directory, &st) != 0)
		return err_sys(reterr, errno, "%s", state_directory);
	if (geteuid() == 0 && owner->st_uid && owner->st_uid != st.st_uid && !(st.st_mode & S_IXOTH))
		return err_set(reterr, ERR_DENIED,
		    "the cluster's user cannot come through %s to its archive: chmod o+x %s (what is in it stays "
		    "closed)",
		    state_directory, state_directory);
	return ERR_OK;
}

static enum err_code make_folders(
    struct wal_area *a, const char *state_directory, const struct stat *owner, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof path, "%s/wal", state_directory))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	enum err_code rc = file_make_dirs(state_directory, 0711, reterr);
	if (rc == ERR_OK)
		rc = check_way(state_directory, owner, reterr);
	if (rc == ERR_OK)
		rc = file_make_dirs(path, 0711, reterr);
	if (rc == ERR_OK)
		rc = make_folder(a->path, 0700, owner, reterr);
	if (rc == ERR_OK && !text_format(path, sizeof path, "%s/log", a->path))
		rc = err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	return rc == ERR_OK ? make_folder(path, 0700, owner, reterr) : rc;
}

static bool has_key(const struct wal_area *a, const struct envelope_key *k)
{
	for (size_t i = 0; i < a->key_count; i++)
		if (a->keys[i].number == k->number && secret_equal(a->keys[i].key, k->key, KEY_SIZE))
			return true;
	return false;
}

static enum err_code make_new(struct wal_area *a, const char *state_directory, const char *service,
    const char *data_directory, const struct envelope_key *k, const struct stat *owner, struct err *reterr)
{
	*a = (struct wal_area){.key_count = 1, .keys = {*k}};
	if (!text_format(a->path, sizeof a->path, "%s/wal/%s", state_directory, service))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	struct postgres_control control;
	enum err_code rc = postgres_control_read(data_directory, &control, reterr);
	if (rc == ERR_OK)
		rc = postgres_segment_size(data_directory, &a->segment_bytes, reterr);
	if (rc != ERR_OK)
		return rc;
	a->system = control.system;
	rc = make_folders(a, state_directory, owner, reterr);
	return rc == ERR_OK ? store(a, owner, reterr) : rc;
}

static enum err_code bring_up_to_date(struct wal_area *a, const char *data_directory, const struct envelope_key *k,
    const struct stat *owner, struct err *reterr)
{
	struct postgres_control control;
	enum err_code rc = postgres_control_read(data_directory, &control, reterr);
	if (rc == ERR_OK && control.system != a->system)
		return err_set(reterr, ERR_STATE,
		    "%s is the archive of another cluster than the one in %s: move it away to begin a new one", a->path,
		    data_directory);
	if (rc != ERR_OK || has_key(a, k))
		return rc;
	if (a->key_count == WAL_KEYS_MAX)
		return err_set(reterr, ERR_LIMIT, "%s has %d keys already", a->path, WAL_KEYS_MAX);
	a->keys[a->key_count++] = *k;
	return store(a, owner, reterr);
}

enum err_code wal_area_make(struct repo *r, const char *state_directory, const struct service_config *service,
    struct wal_area *ret, struct err *reterr)
{
	const char *data = service->components.database->postgres->data_directory;
	struct wal_area a;
	struct envelope_key k;
	struct stat owner;
	if (stat(data, &owner) != 0)
		return err_sys(reterr, errno, "%s", data);
	enum err_code rc = envelope_key_of(r, "wal", service->name, &k, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = wal_area_open(state_directory, service->name, &a, reterr);
	if (rc == ERR_NOT_FOUND)
		rc = make_new(&a, state_directory, service->name, data, &k, &owner, reterr);
	else if (rc == ERR_OK)
		rc = bring_up_to_date(&a, data, &k, &owner, reterr);
	secret_wipe(&k, sizeof k);
	if (rc == ERR_OK)
		*ret = a;
	wal_area_wipe(&a);
	return rc;
}

/* ---- elsewhere ---- */

enum err_code wal_area_describe(const struct wal_area *a, struct buf *out, struct err *reterr)
{
	buf_printf(out, "%ssystem %llu\nsegment %u\n", first_line, (unsigned long long)a->system, a->segment_bytes);
	return out->failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

static enum err_code derive_keys(struct wal_area *a, const char *service, const struct keys *k, struct err *reterr)
{
	uint32_t newest = keys_newest(k);
	for (uint32_t n = newest < WAL_KEYS_MAX ? 1 : newest - WAL_KEYS_MAX + 1; n <= newest; n++) {
		struct envelope_key *to = &a->keys[a->key_count];
		to->number = n;
		enum err_code rc = keys_derive(k, n, "wal", service, strlen(service), to->key, reterr);
		if (rc != ERR_OK && rc != ERR_NOT_FOUND)
			return rc;
		a->key_count += rc == ERR_OK;
	}
	return a->key_count ? ERR_OK : err_set(reterr, ERR_CORRUPT, "the repository has no key");
}

enum err_code wal_area_rebuild(
    const char *path, const char *service, struct bytes about, const struct keys *k, struct err *reterr)
{
	struct wal_area a = {.key_count = 0};
	struct buf text = BUF_INIT;
	struct stat owner;
	buf_append(&text, about.data, about.size);
	enum err_code rc =
	    text.failed ? err_set(reterr, ERR_NOMEM, "out of memory") : derive_keys(&a, service, k, reterr);
	size_t keys = a.key_count;
	if (rc == ERR_OK && !text_format(a.path, sizeof a.path, "%s", path))
		rc = err_set(reterr, ERR_LIMIT, "%s is too long a path", path);
	if (rc == ERR_OK)
		rc = parse(&a, (char *)(uintptr_t)buf_str(&text), path, reterr);
	if (rc == ERR_OK && a.key_count != keys)
		rc = err_set(reterr, ERR_CORRUPT, "a description of a log's archive names keys");
	if (rc == ERR_OK && stat(path, &owner) != 0)
		rc = err_sys(reterr, errno, "%s", path);
	if (rc == ERR_OK)
		rc = store(&a, &owner, reterr);
	wal_area_wipe(&a);
	buf_done(&text);
	return rc;
}

static enum err_code give_below(const char *folder, const struct stat *to, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	if (!dir)
		return err_sys(reterr, errno, "%s", folder);
	for (struct dirent *e; (errno = 0, e = readdir(dir));)
		if (!text_equal(e->d_name, ".") && !text_equal(e->d_name, "..") &&
		    fchownat(dirfd(dir), e->d_name, to->st_uid, to->st_gid, AT_SYMLINK_NOFOLLOW) != 0 &&
		    errno != ENOENT)
			return err_sys(reterr, errno, "%s/%s cannot be given to the cluster's user", folder, e->d_name);
	return errno ? err_sys(reterr, errno, "%s", folder) : ERR_OK;
}

enum err_code wal_area_give(const struct wal_area *a, const char *like, struct err *reterr)
{
	struct stat to, now;
	char path[PATH_LIMIT];
	if (stat(like, &to) != 0 || stat(a->path, &now) != 0)
		return err_sys(reterr, errno, "%s", like);
	if (geteuid() != 0 || (now.st_uid == to.st_uid && now.st_gid == to.st_gid))
		return ERR_OK;
	/* What is inside first: the folder's own owner says that it is done. */
	enum err_code rc = text_format(path, sizeof path, "%s/log", a->path)
			       ? give_below(path, &to, reterr)
			       : err_set(reterr, ERR_LIMIT, "%s is too long a path", a->path);
	if (rc == ERR_OK)
		rc = give_below(a->path, &to, reterr);
	if (rc == ERR_OK && chown(a->path, to.st_uid, to.st_gid) != 0)
		rc = err_sys(reterr, errno, "%s cannot be given to the cluster's user", a->path);
	return rc;
}
