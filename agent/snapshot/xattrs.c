#include "agent/snapshot/xattrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "agent/repository/bytes.h"
#include "agent/snapshot/limits.h"
#include "shared/base/cleanup.h"

enum { NAMES_MAX = 64 << 10, VALUE_MAX = 64 << 10 };

static ssize_t list_names(int fd, const char *path, char *names, size_t size)
{
	return path ? llistxattr(path, names, size) : flistxattr(fd, names, size);
}

static ssize_t get_value(int fd, const char *path, const char *name, void *value, size_t size)
{
	return path ? lgetxattr(path, name, value, size) : fgetxattr(fd, name, value, size);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum err_code read_values(
    int fd, const char *path, char **names, size_t count, uint8_t *value, struct buf *out, struct err *reterr)
{
	for (size_t i = 0; i < count; i++) {
		ssize_t n = get_value(fd, path, names[i], value, VALUE_MAX);
		if (n < 0 && errno == ENODATA) /* removed in between */
			continue;
		if (n < 0)
			return err_sys(reterr, errno, "read extended attribute %s", names[i]);
		uint8_t head[6];
		put16(head, (uint16_t)strlen(names[i]));
		put32(head + 2, (uint32_t)n);
		buf_append(out, head, sizeof head);
		buf_text(out, names[i]);
		buf_append(out, value, (size_t)n);
	}
	if (out->failed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (out->size > SNAPSHOT_XATTR_BYTES_MAX)
		return err_set(
		    reterr, ERR_LIMIT, "more than %d bytes of extended attributes", SNAPSHOT_XATTR_BYTES_MAX);
	return ERR_OK;
}

enum err_code xattrs_read(int fd, const char *path, struct buf *out, struct err *reterr)
{
	char few[1024], *at = few;
	CLEANUP(cleanup_free) char *many = NULL;
	ssize_t size = list_names(fd, path, few, sizeof few);
	if (size < 0 && errno == ERANGE) {
		if (!(many = malloc(NAMES_MAX)))
			return err_set(reterr, ERR_NOMEM, "out of memory");
		at = many;
		size = list_names(fd, path, many, NAMES_MAX);
	}
	if (size == 0 || (size < 0 && (errno == ENOTSUP || errno == EPERM || errno == ENOENT)))
		return ERR_OK;
	if (size < 0)
		return err_sys(reterr, errno, "list extended attributes");
	size_t count = 0;
	for (ssize_t i = 0; i < size; i++)
		count += at[i] == 0;
	CLEANUP(cleanup_free) char **names = calloc(count + 1, sizeof *names);
	CLEANUP(cleanup_free) uint8_t *value = malloc(VALUE_MAX);
	if (!names || !value)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
		names[i] = at;
	qsort(names, count, sizeof *names, by_name);
	return read_values(fd, path, names, count, value, out, reterr);
}

/* ---- applying ---- */

static const uint8_t *find(
    const uint8_t *list, size_t size, const uint8_t *name, size_t name_size, size_t *ret_value_size)
{
	while (size) {
		size_t n = get16(list), v = get32(list + 2);
		if (n == name_size && !memcmp(list + 6, name, n)) {
			*ret_value_size = v;
			return list + 6 + n;
		}
		list += 6 + n + v;
		size -= 6 + n + v;
	}
	return NULL;
}

static enum err_code remove_others(
    int fd, const char *path, const struct buf *now, const uint8_t *wanted, size_t wanted_size, struct err *reterr)
{
	for (size_t at = 0; at < now->size;) {
		const uint8_t *x = now->data + at;
		size_t n = get16(x), v = get32(x + 2), ignored;
		char name[256];
		memcpy(name, x + 6, n);
		name[n] = 0;
		at += 6 + n + v;
		if (find(wanted, wanted_size, x + 6, n, &ignored))
			continue;
		if ((path ? lremovexattr(path, name) : fremovexattr(fd, name)) && errno != ENODATA)
			return err_sys(reterr, errno, "remove extended attribute %s", name);
	}
	return ERR_OK;
}

static enum err_code set_wanted(
    int fd, const char *path, const struct buf *now, const uint8_t *wanted, size_t wanted_size, struct err *reterr)
{
	for (size_t at = 0; at < wanted_size;) {
		const uint8_t *x = wanted + at;
		size_t n = get16(x), v = get32(x + 2), there_size = 0;
		const uint8_t *there = find(now->data, now->size, x + 6, n, &there_size);
		char name[256];
		memcpy(name, x + 6, n);
		name[n] = 0;
		at += 6 + n + v;
		if (there && there_size == v && !memcmp(there, x + 6 + n, v))
			continue;
		if (path ? lsetxattr(path, name, x + 6 + n, v, 0) : fsetxattr(fd, name, x + 6 + n, v, 0))
			return err_sys(reterr, errno, "set extended attribute %s", name);
	}
	return ERR_OK;
}

enum err_code xattrs_apply(int fd, const char *path, const uint8_t *wanted, size_t size, struct err *reterr)
{
	struct buf now = BUF_INIT;
	enum err_code rc = xattrs_read(fd, path, &now, reterr);
	if (!rc)
		rc = remove_others(fd, path, &now, wanted, size, reterr);
	if (!rc)
		rc = set_wanted(fd, path, &now, wanted, size, reterr);
	buf_done(&now);
	return rc;
}
