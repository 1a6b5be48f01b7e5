#include "controller/store/schema.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "controller/turn/system.h"
#include "shared/base/log.h"

#define SCHEMA_PREFIX "schema\0"
#define INDEX_PREFIX  "schema\0index/"
static const uint8_t version_name[] = SCHEMA_PREFIX "version";
static const struct bytes version_key = {version_name, sizeof(version_name) - 1};

struct upgrade { /* what every step needs */
	struct store *store;
	const struct table *const *tables;
	uint64_t now_ms;
	struct random *random;
};

enum err_code store_apply(
    struct store *s, uint64_t now_ms, struct random *random, batch_fn fn, void *ctx, struct err *reterr)
{
	struct store_view *view = NULL;
	struct batch *b = NULL;
	const struct turn_write *writes = NULL;
	size_t count = 0;
	enum err_code rc = store_view_open(s, "apply", &view, reterr);
	if (rc == ERR_OK)
		rc = batch_new(store_view_turn(view), now_ms, random, &b, reterr);
	if (rc == ERR_OK)
		rc = batch_apply(b, fn, ctx, reterr);
	if (rc == ERR_OK)
		rc = batch_writes(b, &writes, &count, reterr);
	store_view_close(view);
	if (rc == ERR_OK)
		rc = store_commit(s, writes, count, reterr);
	batch_free(b);
	return rc;
}

static enum err_code apply(const struct upgrade *u, batch_fn fn, void *ctx, struct err *reterr)
{
	return store_apply(u->store, u->now_ms, u->random, fn, ctx, reterr);
}

enum err_code schema_version(const struct turn_view *view, uint32_t *ret, bool *ret_found, struct err *reterr)
{
	struct bytes key, value;
	bool found;
	enum err_code rc = view->get(view->ctx, version_key, &value, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	uint32_t version = 0;
	if (found && value.size != 4)
		return err_set(reterr, ERR_CORRUPT, "the store's schema version has %zu bytes", value.size);
	for (size_t i = 0; found && i < 4; i++)
		version = version << 8 | value.data[i];
	if (!found) /* anything at all makes it a store of version 0 */
		rc = view->seek(view->ctx, (struct bytes){0}, SEEK_AT_OR_AFTER, &key, &value, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret = version;
	*ret_found = found;
	return ERR_OK;
}

static enum err_code put_version(struct turn *t, void *ctx, struct err *reterr)
{
	uint32_t v = *(const uint32_t *)ctx;
	uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	return turn_raw_put(t, version_key, (struct bytes){b, sizeof(b)}, reterr);
}

/* ---- indexes ---- */

struct index_job {
	const struct table *table; /* NULL: taken away, its name is in marker */
	const struct field *field;
	char marker[TURN_KEY_MAX]; /* "schema NUL index/T/F" */
	size_t marker_size;
	struct buf at; /* how far it is */
	bool done;
};

static bool starts(struct bytes s, const void *prefix, size_t size)
{
	return s.size >= size && memcmp(s.data, prefix, size) == 0;
}

/* The entries of the index: "T/F NUL…", which is what follows "schema NUL index/" in the marker. */
static struct bytes index_head(const struct index_job *j)
{
	const size_t skip = sizeof(INDEX_PREFIX) - 1;
	return (struct bytes){(const uint8_t *)j->marker + skip, j->marker_size - skip + 1}; /* with the NUL */
}

static void job_of(struct index_job *j, const struct table *table, const struct field *field)
{
	const size_t skip = sizeof(INDEX_PREFIX) - 1;
	memset(j, 0, sizeof(*j));
	memcpy(j->marker, INDEX_PREFIX, skip);
	int n = snprintf(j->marker + skip, sizeof(j->marker) - skip, "%s/%s", table->name, field->name);
	assert(n > 0 && (size_t)n < sizeof(j->marker) - skip);
	j->marker_size = skip + (size_t)n;
	j->table = table;
	j->field = field;
}

static enum err_code drop_chunk(struct turn *t, void *ctx, struct err *reterr)
{
	struct index_job *j = ctx;
	struct bytes head = index_head(j), key = head, value;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < STORE_SCHEMA_CHUNK; i++) {
		bool found;
		rc = turn_raw_seek(t, key, SEEK_AT_OR_AFTER, &key, &value, &found, reterr);
		if (rc != ERR_OK)
			break;
		j->done = !found || !starts(key, head.data, head.size);
		if (j->done)
			break;
		rc = turn_raw_delete(t, key, reterr);
	}
	return rc;
}

static enum err_code index_one(
    struct turn *t, const struct index_job *j, struct bytes value, struct arena *arena, struct err *reterr)
{
	arena_reset(arena);
	void *record = arena_alloc(arena, j->table->type->size);
	if (!record)
		return err_set(reterr, ERR_NOMEM, "out of memory for an index");
	enum err_code rc = record_from_msgpack(j->table->type, value.data, value.size, arena, record, reterr);
	if (rc == ERR_OK)
		rc = turn_index_put(t, j->table, j->field, record, reterr);
	return rc;
}

static enum err_code build_chunk(struct turn *t, void *ctx, struct err *reterr)
{
	struct index_job *j = ctx;
	const size_t head = strlen(j->table->name) + 1;
	struct arena *arena = arena_new(0);
	enum err_code rc = arena ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for an index");
	if (!j->at.size)
		buf_append(&j->at, j->table->name, head);
	struct bytes key = buf_bytes(&j->at), value;
	for (size_t i = 0; rc == ERR_OK && i < STORE_SCHEMA_CHUNK; i++) {
		bool found;
		rc = turn_raw_seek(t, key, SEEK_AFTER, &key, &value, &found, reterr);
		if (rc != ERR_OK)
			break;
		j->done = !found || !starts(key, j->table->name, head);
		if (j->done)
			break;
		rc = index_one(t, j, value, arena, reterr);
	}
	if (rc == ERR_OK && !j->done) { /* key stands in the view, which closes */
		struct buf at = BUF_INIT;
		buf_append(&at, key.data, key.size);
		buf_done(&j->at);
		j->at = at;
		if (at.failed)
			rc = err_set(reterr, ERR_NOMEM, "out of memory for an index");
	}
	arena_free(arena);
	return rc;
}

static enum err_code mark(struct turn *t, void *ctx, struct err *reterr)
{
	struct index_job *j = ctx;
	struct bytes key = {(const uint8_t *)j->marker, j->marker_size};
	static const uint8_t format[] = {SCHEMA_INDEX_FORMAT};
	return j->table ? turn_raw_put(t, key, (struct bytes){format, 1}, reterr) : turn_raw_delete(t, key, reterr);
}

/* Drop what is there, build it again if it is declared, and only then say so. */
static enum err_code run_job(const struct upgrade *u, struct index_job *j, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	while (rc == ERR_OK && !j->done)
		rc = apply(u, drop_chunk, j, reterr);
	j->done = !j->table;
	while (rc == ERR_OK && !j->done)
		rc = apply(u, build_chunk, j, reterr);
	if (rc == ERR_OK)
		rc = apply(u, mark, j, reterr);
	buf_done(&j->at);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "index %s", j->marker + sizeof(INDEX_PREFIX) - 1);
	return ERR_OK;
}

/* fn for each declared index. */
typedef enum err_code (*index_fn)(const struct upgrade *u, struct index_job *j, struct err *reterr);

static enum err_code each_index_of(
    const struct upgrade *u, const struct table *const *tables, index_fn fn, struct err *reterr)
{
	for (size_t i = 0; tables && tables[i]; i++)
		for (uint32_t f = 0; f < tables[i]->type->field_count; f++) {
			if (!(tables[i]->type->fields[f].flags & FIELD_INDEXED))
				continue;
			struct index_job j;
			job_of(&j, tables[i], &tables[i]->type->fields[f]);
			enum err_code rc = fn(u, &j, reterr);
			if (rc != ERR_OK)
				return rc;
		}
	return ERR_OK;
}

static enum err_code each_index(const struct upgrade *u, index_fn fn, struct err *reterr)
{
	enum err_code rc = each_index_of(u, turn_tables, fn, reterr);
	return rc == ERR_OK ? each_index_of(u, u->tables, fn, reterr) : rc;
}

static enum err_code build_if_missing(const struct upgrade *u, struct index_job *j, struct err *reterr)
{
	struct store_view *view;
	enum err_code rc = store_view_open(u->store, "schema", &view, reterr);
	if (rc != ERR_OK)
		return rc;
	const struct turn_view *v = store_view_turn(view);
	struct bytes value;
	bool found;
	rc = v->get(v->ctx, (struct bytes){(const uint8_t *)j->marker, j->marker_size}, &value, &found, reterr);
	bool right = rc == ERR_OK && found && value.size == 1 && value.data[0] == SCHEMA_INDEX_FORMAT;
	store_view_close(view);
	return rc != ERR_OK || right ? rc : run_job(u, j, reterr);
}

static bool declared_in(const struct table *const *tables, const char *name)
{
	for (size_t i = 0; tables && tables[i]; i++) {
		size_t n = strlen(tables[i]->name);
		if (strncmp(name, tables[i]->name, n) != 0 || name[n] != '/')
			continue;
		const struct field *f = record_field(tables[i]->type, name + n + 1);
		if (f && f->flags & FIELD_INDEXED)
			return true;
	}
	return false;
}

/* Find one index that is marked as built and no longer declared, into ctx (marker_size 0: none). */
static enum err_code find_stale(const struct upgrade *u, struct index_job *ret, struct err *reterr)
{
	struct store_view *view;
	enum err_code rc = store_view_open(u->store, "schema", &view, reterr);
	if (rc != ERR_OK)
		return rc;
	const struct turn_view *v = store_view_turn(view);
	const size_t skip = sizeof(INDEX_PREFIX) - 1;
	struct bytes key = {(const uint8_t *)INDEX_PREFIX, skip}, value;
	bool found = true;
	memset(ret, 0, sizeof(*ret));
	while (rc == ERR_OK) {
		rc = v->seek(v->ctx, key, SEEK_AFTER, &key, &value, &found, reterr);
		if (rc != ERR_OK || !found || !starts(key, INDEX_PREFIX, skip) || key.size >= sizeof(ret->marker))
			break;
		memset(ret->marker, 0, sizeof(ret->marker));
		memcpy(ret->marker, key.data, key.size);
		const char *name = ret->marker + skip;
		if (declared_in(turn_tables, name) || declared_in(u->tables, name))
			continue;
		ret->marker_size = key.size;
		break;
	}
	store_view_close(view);
	return rc;
}

static enum err_code drop_stale(const struct upgrade *u, struct err *reterr)
{
	for (;;) {
		struct index_job j;
		enum err_code rc = find_stale(u, &j, reterr);
		if (rc != ERR_OK || !j.marker_size)
			return rc;
		rc = run_job(u, &j, reterr);
		if (rc != ERR_OK)
			return rc;
	}
}

/* ---- steps ---- */

static enum err_code step_indexes(const struct upgrade *u, struct err *reterr)
{
	return each_index(u, run_job, reterr);
}

/* steps[v] leads from version v to v + 1. */
static const struct {
	const char *what;
	enum err_code (*run)(const struct upgrade *u, struct err *reterr);
} steps[SCHEMA_VERSION] = {
    [0] = {"indexes are kept beside the records", step_indexes},
};

static enum err_code make_new(struct turn *t, void *ctx, struct err *reterr)
{
	struct system_state s = {.name = SYSTEM_NAME, .store = turn_id(t), .created_ms = turn_now_ms(t)};
	enum err_code rc = turn_put(t, &system_table, &s, reterr);
	return rc == ERR_OK ? put_version(t, ctx, reterr) : rc;
}

static enum err_code upgrade(const struct upgrade *u, uint32_t version, struct err *reterr)
{
	for (; version < SCHEMA_VERSION; version++) {
		log_info("store", "schema %u: %s", version + 1, steps[version].what);
		enum err_code rc = steps[version].run(u, reterr);
		uint32_t next = version + 1;
		if (rc == ERR_OK)
			rc = apply(u, put_version, &next, reterr);
		if (rc != ERR_OK)
			return err_prefix(reterr, rc, "bring the store to schema %u", next);
	}
	return ERR_OK;
}

enum err_code schema_open(
    struct store *s, const struct table *const *tables, uint64_t now_ms, struct random *random, struct err *reterr)
{
	struct upgrade u = {.store = s, .tables = tables, .now_ms = now_ms, .random = random};
	struct store_view *view;
	uint32_t version = SCHEMA_VERSION;
	bool found;
	enum err_code rc = store_view_open(s, "schema", &view, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = schema_version(store_view_turn(view), &version, &found, reterr);
	store_view_close(view);
	if (rc != ERR_OK)
		return rc;
	if (version > SCHEMA_VERSION)
		return err_set(reterr, ERR_UNSUPPORTED,
		    "the store has schema %u and this program knows up to %d: start the newer kedge-controller, or "
		    "restore a backup of this one",
		    version, SCHEMA_VERSION);
	uint32_t now = SCHEMA_VERSION;
	rc = found ? upgrade(&u, version, reterr) : apply(&u, make_new, &now, reterr);
	if (rc == ERR_OK)
		rc = each_index(&u, build_if_missing, reterr);
	return rc == ERR_OK ? drop_stale(&u, reterr) : rc;
}
