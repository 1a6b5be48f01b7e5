#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent/snapshot/manifest.h"
#include "agent/snapshot/upkeep.h"
#include "shared/base/text.h"

static bool add_chunk(void *ctx, const struct chunk_id *id, const struct place *place)
{
	struct repo_stats *s = ctx;
	(void)id;
	s->chunks++;
	s->raw_bytes += place->size;
	return true;
}

static void add_manifests(const struct repo *r, const struct id *ids, size_t count, struct repo_stats *s)
{
	for (size_t i = 0; i < count; i++) {
		char id[ID_TEXT_MAX], name[MANIFEST_NAME_MAX];
		struct stat st;
		(void)text_format(name, sizeof name, "%s.manifest", id_format(ID_SNAPSHOT, ids[i], id));
		if (!fstatat(r->snapshots_fd, name, &st, AT_SYMLINK_NOFOLLOW))
			s->manifest_bytes += (uint64_t)st.st_size;
	}
	s->snapshots = count;
	if (count) { /* newest first; ids begin with their time */
		s->newest_ms = id_time_ms(ids[0]);
		s->oldest_ms = id_time_ms(ids[count - 1]);
	}
}

enum err_code repo_stats(struct repo *r, struct repo_stats *ret, struct err *reterr)
{
	struct repo_stats s = {0};
	CLEANUP(index_reader_cleanup) struct index_reader *reader = NULL;
	CLEANUP(cleanup_free) struct index_pack *packs = NULL;
	CLEANUP(cleanup_free) struct id *ids = NULL;
	size_t pack_count = 0, id_count = 0;
	struct statvfs fs;
	enum err_code rc = repo_index_reader(r, &reader, reterr);
	if (!rc)
		rc = index_packs(reader, &packs, &pack_count, reterr);
	if (!rc)
		rc = index_each(reader, add_chunk, &s, reterr);
	if (!rc)
		rc = manifest_ids(r, &ids, &id_count, reterr);
	if (rc)
		return rc;
	for (size_t i = 0; i < pack_count; i++)
		s.packed_bytes += packs[i].size;
	s.packs = pack_count;
	add_manifests(r, ids, id_count, &s);
	s.index_bytes = index_bytes(r->index);
	if (!statvfs(r->path, &fs))
		s.free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	*ret = s;
	return ERR_OK;
}
