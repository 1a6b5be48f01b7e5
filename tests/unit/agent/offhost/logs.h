/* A host with a database whose log is archived: segments that are pushed, as PostgreSQL would. */
#ifndef KEDGE_TESTS_UNIT_AGENT_OFFHOST_LOGS_H
#define KEDGE_TESTS_UNIT_AGENT_OFFHOST_LOGS_H

#include "agent/database/wal.h"
#include "tests/unit/agent/offhost/rig.h"

enum { SEGMENT = WAL_SEGMENT_LEAST, SYSTEM = 77 };

struct logs {
	struct rig r;
	struct wal_area area;
	char wal[WORLD_PATH], back[WORLD_PATH], source[WORLD_PATH];
};

static inline void put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static inline void push(struct logs *l, uint64_t number)
{
	char name[WAL_NAME_MAX];
	bool already;
	uint8_t *page = calloc(1, SEGMENT);
	assert_non_null(page);
	put(page, 0xD110, 2);
	put(page + 2, 2, 2);
	put(page + 4, 1, 4);
	put(page + 8, number * SEGMENT, 8);
	put(page + 24, SYSTEM, 8);
	put(page + 32, SEGMENT, 4);
	put(page + 36, 8192, 4);
	put(page + 9000, number, 8);
	RIG_OK(&l->r, file_replace(l->source, page, SEGMENT, 0600, &l->r.err));
	free(page);
	RIG_OK(&l->r, wal_push(&l->area, l->source, wal_segment_name(1, number, SEGMENT, name), l->r.now_ms, &already,
			  &l->r.err));
}

static inline void path_of(const struct logs *l, const char *folder, uint64_t number, char out[PATH_LIMIT])
{
	char name[WAL_NAME_MAX];
	(void)l;
	assert_true(text_format(out, PATH_LIMIT, "%s/db/log/%s", folder, wal_segment_name(1, number, SEGMENT, name)));
}

static inline void logs_init(struct logs *l)
{
	static const char about[] = "kedge-wal 1\nsystem 77\nsegment 1048576\n";
	char path[PATH_LIMIT];
	rig_init(&l->r);
	(void)text_format(l->wal, WORLD_PATH, "%s/wal", l->r.w.dir);
	(void)text_format(l->back, WORLD_PATH, "%s/wal-back", l->r.w.dir);
	(void)text_format(l->source, WORLD_PATH, "%s/segment", l->r.w.dir);
	(void)text_format(path, sizeof path, "%s/db/log", l->wal);
	RIG_OK(&l->r, file_make_dirs(path, 0700, &l->r.err));
	(void)text_format(path, sizeof path, "%s/db", l->wal);
	RIG_OK(&l->r, wal_area_rebuild(path, "db", (struct bytes){(const uint8_t *)about, strlen(about)},
			  repo_keys(l->r.w.repo), &l->r.err));
	RIG_OK(&l->r, wal_area_open_at(path, &l->area, &l->r.err));
	l->r.o.wal_folder = l->wal;
}

static inline void logs_done(struct logs *l)
{
	rig_done(&l->r);
}

#endif
