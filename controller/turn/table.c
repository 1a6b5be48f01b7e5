/* Typed tables: records by key, their indexes kept beside them. */
#include "controller/turn/internal.h"

#include <assert.h>
#include <string.h>

void key_head(struct buf *out, const struct table *table, const struct field *index)
{
	buf_clear(out);
	buf_text(out, table->name);
	if (index) {
		buf_byte(out, '/');
		buf_text(out, index->name);
	}
	buf_byte(out, 0);
}

enum err_code key_check(const struct buf *key, const struct table *table, struct err *reterr)
{
	if (key->failed)
		return err_set(reterr, ERR_NOMEM, "out of memory for a key of table %s", table->name);
	if (key->size > TURN_KEY_MAX)
		return err_set(reterr, ERR_LIMIT, "a key of table %s would have %zu bytes; %d are allowed", table->name,
		    key->size, TURN_KEY_MAX);
	return ERR_OK;
}

enum err_code key_of(struct buf *out, const struct table *table, const void *record, struct err *reterr)
{
	key_head(out, table, NULL);
	enum err_code rc = record_key(table->type, record, out, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "table %s", table->name);
	return key_check(out, table, reterr);
}

enum err_code table_decode(
    const struct table *table, struct bytes value, struct arena *arena, void *ret, struct err *reterr)
{
	enum err_code rc = record_from_msgpack(table->type, value.data, value.size, arena, ret, reterr);
	if (rc == ERR_OK || rc == ERR_NOMEM)
		return rc;
	struct err why = reterr ? *reterr : ERR_INIT;
	return err_set(reterr, ERR_CORRUPT, "table %s: a stored record cannot be read: %.300s", table->name, why.msg);
}

enum err_code turn_get(
    struct turn *t, const struct table *table, const void *key, void *ret, bool *ret_found, struct err *reterr)
{
	enum err_code rc = key_of(&t->key, table, key, reterr);
	if (rc != ERR_OK)
		return rc;
	struct bytes value;
	bool found;
	rc = turn_raw_get(t, buf_bytes(&t->key), &value, &found, reterr);
	if (rc == ERR_OK && found)
		rc = table_decode(table, value, t->arena, ret, reterr);
	if (rc == ERR_OK)
		*ret_found = found;
	return rc;
}

/* "T/F NUL <field> <key>" into out; flat is the record's own "T NUL <key>". */
static enum err_code index_key(struct buf *out, const struct table *table, const struct field *f, const void *record,
    struct bytes flat, struct err *reterr)
{
	size_t head = strlen(table->name) + 1;
	key_head(out, table, f);
	enum err_code rc = record_field_key(f, record, out, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "table %s", table->name);
	buf_append(out, flat.data + head, flat.size - head);
	return key_check(out, table, reterr);
}

/* flat without its head: what an index entry holds. */
static struct bytes bare_key(const struct table *table, struct bytes flat)
{
	size_t head = strlen(table->name) + 1;
	return (struct bytes){flat.data + head, flat.size - head};
}

enum err_code turn_index_put(
    struct turn *t, const struct table *table, const struct field *field, const void *record, struct err *reterr)
{
	enum err_code rc = key_of(&t->key, table, record, reterr);
	if (rc == ERR_OK)
		rc = index_key(&t->old_key, table, field, record, buf_bytes(&t->key), reterr);
	if (rc == ERR_OK)
		rc = turn_raw_put(t, buf_bytes(&t->old_key), bare_key(table, buf_bytes(&t->key)), reterr);
	return rc;
}

/* Move one index entry from the old record (NULL: there was none) to the new one (NULL: there will be none).  t->key
 * holds the record's flat key; t->value the new record's bytes, so neither may be touched. */
static enum err_code move_index(struct turn *t, const struct table *table, const struct field *f, const void *old,
    const void *new, struct err *reterr)
{
	struct bytes flat = buf_bytes(&t->key);
	struct buf from = BUF_INIT;
	enum err_code rc = ERR_OK;
	if (old)
		rc = index_key(&from, table, f, old, flat, reterr);
	if (rc == ERR_OK && new)
		rc = index_key(&t->old_key, table, f, new, flat, reterr);
	bool same = rc == ERR_OK && old && new && !bytes_compare(buf_bytes(&from), buf_bytes(&t->old_key));
	if (rc == ERR_OK && old && !same)
		rc = turn_raw_delete(t, buf_bytes(&from), reterr);
	if (rc == ERR_OK && new && !same)
		rc = turn_raw_put(t, buf_bytes(&t->old_key), bare_key(table, flat), reterr);
	buf_done(&from);
	return rc;
}

static bool has_index(const struct record_type *type)
{
	for (uint32_t i = 0; i < type->field_count; i++)
		if (type->fields[i].flags & FIELD_INDEXED)
			return true;
	return false;
}

static enum err_code move_indexes(
    struct turn *t, const struct table *table, struct bytes old_value, bool had, const void *new, struct err *reterr)
{
	if (!has_index(table->type))
		return ERR_OK;
	enum err_code rc = ERR_OK;
	void *old = NULL;
	if (had) {
		arena_reset(t->batch->scratch);
		old = arena_alloc(t->batch->scratch, table->type->size);
		if (!old)
			return err_set(reterr, ERR_NOMEM, "out of memory in a turn");
		rc = table_decode(table, old_value, t->batch->scratch, old, reterr);
	}
	for (uint32_t i = 0; rc == ERR_OK && i < table->type->field_count; i++)
		if (table->type->fields[i].flags & FIELD_INDEXED)
			rc = move_index(t, table, &table->type->fields[i], old, new, reterr);
	return rc;
}

static enum err_code encode(struct turn *t, const struct table *table, const void *record, struct err *reterr)
{
	buf_clear(&t->value);
	enum err_code rc = record_to_msgpack(table->type, record, &t->value, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "table %s", table->name);
	if (t->value.failed)
		return err_set(reterr, ERR_NOMEM, "out of memory for a record of table %s", table->name);
	if (t->value.size > TURN_VALUE_MAX)
		return err_set(reterr, ERR_LIMIT, "a record of table %s would have %zu bytes; %d are allowed",
		    table->name, t->value.size, TURN_VALUE_MAX);
	return ERR_OK;
}

enum err_code turn_put(struct turn *t, const struct table *table, const void *record, struct err *reterr)
{
	assert(t->batch);
	enum err_code rc = key_of(&t->key, table, record, reterr);
	if (rc == ERR_OK)
		rc = encode(t, table, record, reterr);
	if (rc != ERR_OK)
		return rc;
	struct bytes flat = buf_bytes(&t->key), value = buf_bytes(&t->value), old;
	bool had;
	rc = turn_raw_get(t, flat, &old, &had, reterr);
	if (rc != ERR_OK || (had && !bytes_compare(old, value)))
		return rc;
	rc = move_indexes(t, table, old, had, record, reterr);
	if (rc == ERR_OK)
		rc = turn_raw_put(t, flat, value, reterr);
	if (rc != ERR_OK)
		t->failed = true; /* indexes may have moved without their record */
	return rc;
}

enum err_code turn_delete(struct turn *t, const struct table *table, const void *key, struct err *reterr)
{
	assert(t->batch);
	enum err_code rc = key_of(&t->key, table, key, reterr);
	if (rc != ERR_OK)
		return rc;
	struct bytes flat = buf_bytes(&t->key), old;
	bool had;
	rc = turn_raw_get(t, flat, &old, &had, reterr);
	if (rc != ERR_OK || !had)
		return rc;
	rc = move_indexes(t, table, old, true, NULL, reterr);
	if (rc == ERR_OK)
		rc = turn_raw_delete(t, flat, reterr);
	if (rc != ERR_OK)
		t->failed = true;
	return rc;
}
