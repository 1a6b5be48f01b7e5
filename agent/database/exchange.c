/* A database and what was staged beside it change places: whole folders, or what is in them (contents.h), and what of
 * them lies elsewhere (tablespaces.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/database/contents.h"
#include "agent/database/guard.h"
#include "agent/database/internal.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

/* ---- which is which ---- */

/* A folder that is a mount point cannot take another's place; what is in it can. */
bool adapter_by_contents(const struct service_config *service)
{
	return adapter_of(service)->by_contents && contents_needed(adapter_place(service));
}

enum err_code adapter_beside(
    const struct service_config *service, const char *token, char out[PATH_LIMIT], struct err *reterr)
{
	if (!adapter_of(service))
		return err_set(reterr, ERR_NOT_FOUND, "%s has no database", service->name);
	if (!text_format(out, PATH_LIMIT, "%s%s" CONTENTS_PREFIX "%s", adapter_place(service),
		adapter_by_contents(service) ? "/" : "", token))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", adapter_place(service));
	return ERR_OK;
}

bool database_staged(const struct service_config *service, const char *token)
{
	char path[PATH_LIMIT];
	return adapter_beside(service, token, path, NULL) == ERR_OK && file_exists(path);
}

static uint64_t inode_of(const struct service_config *service, const char *path)
{
	struct stat st;
	if (adapter_by_contents(service))
		return guard_mark(path);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

uint64_t database_inode(const struct service_config *service, const char *token)
{
	char path[PATH_LIMIT];
	if (!adapter_of(service) || (token && adapter_beside(service, token, path, NULL) != ERR_OK))
		return 0;
	return inode_of(service, token ? path : adapter_place(service));
}

/* ---- nobody starts it meanwhile ---- */

/* More than one rename: somewhere between them it is neither of the two. */
static bool has_between(const struct service_config *service, const char *other)
{
	const struct adapter *kind = adapter_of(service);
	return adapter_by_contents(service) || (kind->else_listed && kind->else_listed(other));
}

/* What an interrupted call left to do for the one that was put aside. */
static enum err_code settle(const struct service_config *service, const char *other, struct err *reterr)
{
	if (!adapter_of(service)->by_contents || !file_exists(other))
		return ERR_OK; /* one rename is all there is */
	return adapter_by_contents(service) ? contents_settle(adapter_place(service), other, reterr)
					    : guard_lower(other, reterr);
}

static enum err_code still_runs(const struct service_config *service, struct err *reterr)
{
	return err_set(reterr, ERR_STATE, "the database of %s still runs: its files cannot be replaced", service->name);
}

/* Looked at again when it is up: a server that had begun to start by then is seen. */
static enum err_code shut(const struct service_config *service, const char *other, struct err *reterr)
{
	const char *data = adapter_place(service);
	bool was_up = guard_is_up(data);
	enum err_code rc = settle(service, other, reterr);
	if (rc == ERR_OK)
		rc = guard_raise(data, reterr);
	if (rc != ERR_OK || !database_running(service))
		return rc;
	if (!was_up)
		(void)!guard_lower(data, NULL);
	return still_runs(service, reterr);
}

/* ---- there and back ---- */

/* Both there: exchanged in one act.  One of them: it takes the other's place (the data directory may be gone for good).
 */
static enum err_code exchange_folders(
    const struct adapter *kind, const char *data, const char *other, struct err *reterr)
{
	char parent[PATH_LIMIT];
	bool has_data = file_exists(data), has_other = file_exists(other);
	enum err_code rc = kind->before_swap && has_data ? kind->before_swap(data, other, reterr) : ERR_OK;
	if (rc != ERR_OK)
		return rc;
	int failed = has_data && has_other ? renameat2(AT_FDCWD, other, AT_FDCWD, data, RENAME_EXCHANGE)
		     : has_other           ? rename(other, data)
					   : rename(data, other);
	if (failed)
		return err_sys(reterr, errno, "%s cannot be exchanged with %s", data, other);
	if (kind->after_swap)
		rc = kind->after_swap(data, other, reterr);
	tree_parent(data, parent);
	return rc == ERR_OK ? file_sync_dir(parent, reterr) : rc;
}

/* The one that comes may start as soon as it is in place, the one that goes when it comes again. */
static enum err_code exchange_guarded(
    const struct adapter *kind, const char *data, const char *other, struct err *reterr)
{
	enum err_code rc = guard_lower(other, reterr);
	if (rc == ERR_OK)
		rc = exchange_folders(kind, data, other, reterr);
	return rc == ERR_OK ? guard_lower(other, reterr) : rc;
}

static enum err_code swap(
    const struct service_config *service, const char *token, const char *other, struct err *reterr)
{
	const struct adapter *kind = adapter_of(service);
	const char *data = adapter_place(service);
	if (!has_between(service, other))
		return exchange_folders(kind, data, other, reterr);
	enum err_code rc = shut(service, other, reterr);
	if (rc == ERR_OK && kind->swap_else)
		rc = kind->swap_else(other, database_inode(service, NULL), database_inode(service, token), reterr);
	if (rc != ERR_OK)
		return rc;
	return adapter_by_contents(service) ? contents_swap(data, other, reterr)
					    : exchange_guarded(kind, data, other, reterr);
}

enum err_code database_swap(const struct service_config *service, const char *token, struct err *reterr)
{
	char other[PATH_LIMIT];
	struct err why = ERR_INIT;
	enum err_code rc = adapter_beside(service, token, other, reterr);
	if (rc != ERR_OK)
		return rc;
	if (database_running(service))
		return still_runs(service, reterr);
	rc = swap(service, token, other, reterr);
	if (rc != ERR_OK && database_swap_undo(service, token, &why) != ERR_OK)
		log_error("database", "service=%s %s stands between two states, and does not start: %s", service->name,
		    adapter_place(service), why.msg);
	return rc;
}

enum err_code database_swap_undo(const struct service_config *service, const char *token, struct err *reterr)
{
	char other[PATH_LIMIT];
	const struct adapter *kind = adapter_of(service);
	bool theirs = false;
	enum err_code rc = adapter_beside(service, token, other, reterr);
	if (rc != ERR_OK || !has_between(service, other) || database_running(service))
		return rc;
	const char *data = adapter_place(service);
	if (kind->else_back)
		rc = kind->else_back(other, database_inode(service, NULL), &theirs, reterr);
	if (rc != ERR_OK)
		return rc;
	if (adapter_by_contents(service))
		return file_exists(other) ? contents_back(data, other, reterr) : guard_lower(data, reterr);
	if (theirs)
		rc = exchange_guarded(kind, data, other, reterr);
	return rc == ERR_OK ? guard_lower(data, reterr) : rc;
}

bool database_is_shut(const struct service_config *service)
{
	const struct adapter *kind = adapter_of(service);
	return kind && kind->by_contents && guard_is_up(adapter_place(service));
}

/* ---- what was put aside ---- */

enum err_code database_snapshot_aside(struct repo *r, const struct service_config *service, const char *token,
    const struct snapshot_options *o, const char *work_directory, struct arena *arena, struct snapshot_summary *ret,
    struct err *reterr)
{
	struct adapter_job j = {r, service, o, work_directory, arena};
	char path[PATH_LIMIT];
	enum err_code rc = adapter_beside(service, token, path, reterr);
	if (rc == ERR_OK)
		rc = settle(service, path, reterr);
	return rc == ERR_OK ? adapter_of(service)->snapshot_still(&j, path, ret, reterr) : rc;
}

enum err_code database_discard(const struct service_config *service, const char *token, struct err *reterr)
{
	char path[PATH_LIMIT], part[PATH_LIMIT];
	enum err_code rc = adapter_beside(service, token, path, reterr);
	if (rc == ERR_OK)
		rc = settle(service, path, reterr);
	if (rc == ERR_OK && text_format(part, sizeof part, "%s.part", path)) /* killed while it was restored there */
		rc = tree_remove(part, reterr);
	if (rc == ERR_OK && adapter_of(service)->discard)
		rc = adapter_of(service)->discard(path, reterr);
	if (rc == ERR_OK)
		rc = tree_remove(path, reterr);
	return rc == ERR_OK ? contents_forget(path, reterr) : rc;
}
