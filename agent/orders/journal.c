/* agent/orders/journal.c */
#include "agent/orders/journal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { ENTRY_SIZE_MAX = 4 << 20 };

struct order_journal {
	char folder[PATH_LIMIT];
};

enum err_code order_journal_open(const char *state_directory, struct order_journal **ret, struct err *reterr)
{
	struct order_journal *j = calloc(1, sizeof *j);
	if (!j)
		return err_set(reterr, ERR_NOMEM, "out of memory for the journal");
	enum err_code rc = text_format(j->folder, sizeof j->folder, "%s/orders", state_directory)
			       ? file_make_dirs(j->folder, 0700, reterr)
			       : err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	if (rc == ERR_OK)
		*ret = j;
	else
		free(j);
	return rc;
}

void order_journal_close(struct order_journal *j)
{
	free(j);
}

static bool path_of(const struct order_journal *j, const char *name, char out[PATH_LIMIT])
{
	return text_format(out, PATH_LIMIT, "%s/%s", j->folder, name);
}

static bool entry_path(const struct order_journal *j, struct id order, char out[PATH_LIMIT])
{
	char id[ID_TEXT_MAX];
	return path_of(j, id_format(ID_ORDER, order, id), out);
}

enum err_code order_journal_put(struct order_journal *j, const struct order_entry *e, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf bytes = BUF_INIT;
	enum err_code rc = entry_path(j, e->order_id, path) ? record_to_msgpack(&order_entry_type, e, &bytes, reterr)
							    : err_set(reterr, ERR_LIMIT, "a path is too long");
	if (rc == ERR_OK)
		rc = file_replace(path, bytes.data, bytes.size, 0600, reterr);
	buf_done(&bytes);
	return rc;
}

enum err_code order_journal_remove(struct order_journal *j, struct id order, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!entry_path(j, order, path))
		return err_set(reterr, ERR_LIMIT, "a path is too long");
	return unlink(path) == 0 || errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s cannot be removed", path);
}

enum err_code order_journal_put_epoch(struct order_journal *j, uint64_t epoch, struct err *reterr)
{
	char path[PATH_LIMIT], text[32];
	text_format(text, sizeof text, "%llu\n", (unsigned long long)epoch);
	return path_of(j, "epoch", path) ? file_replace(path, text, strlen(text), 0600, reterr)
					 : err_set(reterr, ERR_LIMIT, "a path is too long");
}

static enum err_code load_epoch(struct order_journal *j, uint64_t *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf text = BUF_INIT;
	*ret = 0;
	if (!path_of(j, "epoch", path) || !file_exists(path))
		return ERR_OK;
	enum err_code rc = file_read(path, 64, &text, reterr);
	if (rc == ERR_OK && text.size && text.data[text.size - 1] == '\n')
		text.data[--text.size] = '\0';
	if (rc == ERR_OK)
		rc = text_u64(buf_str(&text), ret, reterr);
	buf_done(&text);
	return err_prefix(reterr, rc, "%s", path);
}

static enum err_code load_entry(const char *path, struct arena *arena, struct order_entry *ret, struct err *reterr)
{
	struct buf bytes = BUF_INIT;
	enum err_code rc = file_read(path, ENTRY_SIZE_MAX, &bytes, reterr);
	if (rc == ERR_OK)
		rc = record_from_msgpack(&order_entry_type, bytes.data, bytes.size, arena, ret, reterr);
	buf_done(&bytes);
	return rc == ERR_OK ? ERR_OK : err_prefix(reterr, rc, "the journal of orders: %s", path);
}

enum err_code order_journal_load(
    struct order_journal *j, struct arena *arena, struct list *ret, uint64_t *ret_epoch, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(j->folder);
	struct order_entry *all = arena_array(arena, ORDERS_KEPT_MAX, sizeof *all);
	char path[PATH_LIMIT];
	size_t n = 0;
	if (!dir || !all)
		return dir ? err_set(reterr, ERR_NOMEM, "out of memory for the journal")
			   : err_sys(reterr, errno, "%s cannot be read", j->folder);
	enum err_code rc = load_epoch(j, ret_epoch, reterr);
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));)
		if (text_starts(e->d_name, "ord-") && n < ORDERS_KEPT_MAX && path_of(j, e->d_name, path))
			rc = load_entry(path, arena, &all[n++], reterr);
	if (rc == ERR_OK)
		*ret = (struct list){all, n};
	return rc;
}
