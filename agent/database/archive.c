/* The archive of a service's database as the rest of the agent knows it. */
#include "agent/database/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

static bool has_archive(const struct service_config *service)
{
	return postgres_of(service) && postgres_of(service)->wal_archive;
}

enum err_code database_archive_make(
    struct repo *r, const char *state_directory, const struct service_config *service, struct err *reterr)
{
	struct wal_area area;
	if (!has_archive(service))
		return ERR_OK;
	enum err_code rc = wal_area_make(r, state_directory, service, &area, reterr);
	if (rc == ERR_OK)
		wal_area_wipe(&area);
	return rc;
}

enum err_code database_archive_status(const char *state_directory, const struct service_config *service,
    uint64_t now_ms, struct arena *arena, struct wal_status *ret, struct err *reterr)
{
	struct wal_area area;
	if (!has_archive(service))
		return err_set(reterr, ERR_UNSUPPORTED, "%s declares no database with wal_archive", service->name);
	enum err_code rc = wal_area_open(state_directory, service->name, &area, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = wal_status_of(&area, service->name, postgres_of(service)->data_directory, postgres_of(service)->rpo_ms,
	    now_ms, arena, ret, reterr);
	wal_area_wipe(&area);
	return rc;
}

enum err_code database_archive_based(
    const char *state_directory, const struct service_config *service, uint64_t now_ms, struct err *reterr)
{
	struct wal_area area;
	if (!has_archive(service))
		return ERR_OK;
	enum err_code rc = wal_area_open(state_directory, service->name, &area, reterr);
	if (rc == ERR_OK)
		rc = wal_area_based(&area, now_ms, reterr);
	wal_area_wipe(&area);
	return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* ---- what no restore point needs any more ---- */

/* Where the log of a base copy begins; false: it is none. */
static bool begins_at(const struct snapshot_summary *s, uint64_t *ret)
{
	for (size_t i = 0; i < s->versions.count; i++) {
		const struct snapshot_version *v = &LIST_AT(s->versions, struct snapshot_version, i);
		if (text_equal(v->name, "postgres_start"))
			return wal_lsn_parse(v->value, ret);
	}
	return false;
}

bool wal_needed_from(const struct wal_base *bases, size_t count, uint64_t now_ms, uint64_t keep_ms, uint64_t *ret)
{
	const struct wal_base *from = NULL, *oldest = NULL;
	for (size_t i = 0; i < count; i++) {
		const struct wal_base *b = &bases[i];
		bool before = keep_ms && b->taken_ms + keep_ms <= now_ms;
		if (!oldest || b->start < oldest->start)
			oldest = b;
		if (before && (!from || b->start > from->start))
			from = b;
	}
	if (oldest)
		*ret = from ? from->start : oldest->start;
	return oldest != NULL;
}

enum err_code database_archive_sweep(struct repo *r, const char *state_directory, const struct service_config *service,
    uint64_t now_ms, struct arena *arena, struct err *reterr)
{
	struct wal_area area;
	struct wal_swept swept;
	struct list all;
	uint64_t from;
	size_t count = 0;
	if (!has_archive(service))
		return ERR_OK;
	enum err_code rc = snapshot_list(r, service->name, arena, &all, NULL, reterr);
	if (rc != ERR_OK)
		return rc;
	struct wal_base *bases = arena_array(arena, all.count + 1, sizeof *bases);
	if (!bases)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < all.count; i++) {
		const struct snapshot_summary *s = &LIST_AT(all, struct snapshot_summary, i);
		bases[count].taken_ms = s->taken_ms + s->took_ms;
		count += begins_at(s, &bases[count].start);
	}
	if (!wal_needed_from(bases, count, now_ms, postgres_of(service)->wal_keep_ms, &from))
		return ERR_OK; /* whoever has no base yet may still want all of it */
	rc = wal_area_open(state_directory, service->name, &area, reterr);
	if (rc == ERR_OK)
		rc = wal_sweep(&area, from / area.segment_bytes, now_ms, true, &swept, reterr);
	wal_area_wipe(&area);
	return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}
