#include "agent/snapshot/catalogue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/repository/bytes.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static const char magic[8] = "KEDGECT1", sign_domain[] = "kedge catalogue 1";
enum { HEAD_SIZE = 8 + REPO_ID_SIZE + 8, ID_SIZE = 16 };
_Static_assert(sizeof(struct id) == ID_SIZE, "ids are written as they are");

static int by_id(const void *a, const void *b)
{
	return id_compare(*(const struct id *)a, *(const struct id *)b);
}

/* ---- bytes ---- */

enum err_code catalogue_seal(const struct keys *k, struct id *ids, size_t count, struct buf *out, struct err *reterr)
{
	uint8_t head[HEAD_SIZE], signature[SIGNATURE_SIZE];
	if (count)
		qsort(ids, count, sizeof *ids, by_id);
	memcpy(head, magic, 8);
	memcpy(head + 8, keys_repo_id(k), REPO_ID_SIZE);
	put64(head + 8 + REPO_ID_SIZE, count);
	buf_append(out, head, sizeof head);
	buf_append(out, ids, count * ID_SIZE);
	if (out->failed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = keys_sign(k, sign_domain, out->data, out->size, signature, reterr);
	if (!rc)
		buf_append(out, signature, sizeof signature);
	return rc || !out->failed ? rc : err_set(reterr, ERR_NOMEM, "out of memory");
}

enum err_code catalogue_unseal(
    const struct keys *k, const uint8_t *data, size_t size, struct id **ret, size_t *ret_count, struct err *reterr)
{
	if (size < HEAD_SIZE + SIGNATURE_SIZE || memcmp(data, magic, 8))
		return err_set(reterr, ERR_CORRUPT, "no catalogue");
	uint64_t count = get64(data + 8 + REPO_ID_SIZE);
	if (count > SNAPSHOT_LIST_MAX || HEAD_SIZE + count * ID_SIZE + SIGNATURE_SIZE != size)
		return err_set(reterr, ERR_CORRUPT, "it was cut off or overwritten");
	if (memcmp(data + 8, keys_repo_id(k), REPO_ID_SIZE))
		return err_set(reterr, ERR_CORRUPT, "another repository's");
	if (!keys_verify(keys_public(k), sign_domain, data, size - SIGNATURE_SIZE, data + size - SIGNATURE_SIZE))
		return err_set(reterr, ERR_CORRUPT, "the signature is not this host's (%s)", keys_host(k));
	struct id *ids = calloc(count + 1, sizeof *ids);
	if (!ids)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	memcpy(ids, data + HEAD_SIZE, count * ID_SIZE);
	*ret = ids;
	*ret_count = count;
	return ERR_OK;
}

/* ---- the file ---- */

static enum err_code path_of(const struct repo *r, char out[PATH_LIMIT], struct err *reterr)
{
	if (!text_format(out, PATH_LIMIT, "%s/snapshots/%s", r->path, CATALOGUE_NAME))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", r->path);
	return ERR_OK;
}

static enum err_code load(const struct repo *r, struct id **ret, size_t *ret_count, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf data = {.limit = CATALOGUE_SIZE_MAX};
	enum err_code rc = path_of(r, path, reterr);
	if (!rc)
		rc = file_read(path, CATALOGUE_SIZE_MAX, &data, reterr);
	if (rc == ERR_NOT_FOUND)
		rc = err_set(reterr, rc, "snapshots/%s is missing", CATALOGUE_NAME);
	else if (!rc && (rc = catalogue_unseal(r->keys, data.data, data.size, ret, ret_count, reterr)))
		rc = err_prefix(reterr, rc, "snapshots/%s", CATALOGUE_NAME);
	buf_done(&data);
	return rc;
}

static enum err_code store(const struct repo *r, struct id *ids, size_t count, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf data = {.limit = CATALOGUE_SIZE_MAX};
	enum err_code rc = path_of(r, path, reterr);
	if (!rc)
		rc = catalogue_seal(r->keys, ids, count, &data, reterr);
	if (!rc)
		rc = file_replace(path, data.data, data.size, 0600, reterr);
	buf_done(&data);
	return rc;
}

static bool is_listed(const struct id *sorted, size_t count, struct id id)
{
	return count && bsearch(&id, sorted, count, sizeof id, by_id);
}

/* What is there, what was listed, and one more. */
static enum err_code gather(
    const struct repo *r, const struct id *more, struct id **ret, size_t *ret_count, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *there = NULL;
	CLEANUP(cleanup_free) struct id *listed = NULL;
	size_t there_count = 0, listed_count = 0;
	struct err why = ERR_INIT;
	enum err_code rc = manifest_ids(r, &there, &there_count, reterr);
	if (rc)
		return rc;
	rc = load(r, &listed, &listed_count, &why);
	if (rc == ERR_CORRUPT || (rc == ERR_NOT_FOUND && there_count > 1))
		log_error("snapshot",
		    "%s: made anew from the restore points that are there; whether any were taken away is not known",
		    why.msg);
	else if (rc && rc != ERR_NOT_FOUND)
		return err_set(reterr, rc, "%s", why.msg);
	struct id *all = calloc(there_count + listed_count + 1, sizeof *all);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	size_t n = 0;
	if (there_count)
		qsort(there, there_count, sizeof *there, by_id);
	for (size_t i = 0; i < there_count; i++)
		all[n++] = there[i];
	for (size_t i = 0; i < listed_count; i++)
		if (!is_listed(there, there_count, listed[i]))
			all[n++] = listed[i];
	if (more && !is_listed(there, there_count, *more) && !is_listed(listed, listed_count, *more))
		all[n++] = *more;
	*ret = all;
	*ret_count = n;
	return ERR_OK;
}

enum err_code catalogue_with(
    const struct repo *r, struct id id, char path[PATH_LIMIT], struct buf *out, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *all = NULL;
	size_t count = 0;
	enum err_code rc = path_of(r, path, reterr);
	if (!rc)
		rc = gather(r, &id, &all, &count, reterr);
	return rc ? rc : catalogue_seal(r->keys, all, count, out, reterr);
}

enum err_code catalogue_remove(const struct repo *r, struct id id, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *all = NULL;
	size_t count = 0, left = 0;
	enum err_code rc = gather(r, NULL, &all, &count, reterr);
	for (size_t i = 0; i < count && !rc; i++)
		if (!id_equal(all[i], id))
			all[left++] = all[i];
	return rc ? rc : store(r, all, left, reterr);
}

enum err_code catalogue_remake(const struct repo *r, struct err *reterr)
{
	CLEANUP(cleanup_fd) int lock = -1;
	CLEANUP(cleanup_free) struct id *there = NULL;
	size_t count = 0;
	enum err_code rc = repo_lock_folder(r->snapshots_fd, LOCK_EX, &lock, reterr);
	if (!rc)
		rc = manifest_ids(r, &there, &count, reterr);
	return rc ? rc : store(r, there, count, reterr);
}

enum err_code catalogue_make(const char *path, const struct keys *k, struct err *reterr)
{
	struct repo r = {.snapshots_fd = -1};
	char folder[PATH_LIMIT];
	CLEANUP(cleanup_fd) int fd = -1;
	CLEANUP(cleanup_free) struct id *there = NULL;
	size_t count = 0;
	if (!text_format(r.path, sizeof r.path, "%s", path) ||
	    !text_format(folder, sizeof folder, "%s/snapshots", path))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", path);
	r.keys = (struct keys *)(uintptr_t)k; /* only read */
	r.snapshots_fd = fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s", folder);
	enum err_code rc = manifest_ids(&r, &there, &count, reterr);
	return rc ? rc : store(&r, there, count, reterr);
}

/* Listed, then looked for, then listed again: what is removed or taken meanwhile is not called missing. */
enum err_code catalogue_missing(const struct repo *r, struct id **ret, size_t *ret_count, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *listed = NULL;
	CLEANUP(cleanup_free) struct id *again = NULL;
	size_t count = 0, again_count = 0, missing = 0;
	enum err_code rc = load(r, &listed, &count, reterr);
	for (size_t i = 0; i < count && !rc; i++) {
		enum err_code there = manifest_exists(r, listed[i], reterr);
		if (there == ERR_NOT_FOUND)
			listed[missing++] = listed[i];
		else
			rc = there;
	}
	if (!rc && missing)
		rc = load(r, &again, &again_count, reterr);
	if (rc)
		return rc;
	size_t n = 0;
	for (size_t i = 0; i < missing; i++)
		if (is_listed(again, again_count, listed[i]))
			listed[n++] = listed[i];
	*ret = TAKE_PTR(listed);
	*ret_count = n;
	return ERR_OK;
}
