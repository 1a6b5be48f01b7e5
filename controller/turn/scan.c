/* Scans: a position in byte order and one seek a step, so that writing while scanning needs no care. */
#include "controller/turn/internal.h"

#include <assert.h>
#include <string.h>

static enum err_code scan_start(
    struct turn_scan *s, const struct turn_scan *made, struct turn_scan *ret, struct err *reterr)
{
	enum err_code rc = key_check(&made->prefix, made->table, reterr);
	if (rc != ERR_OK)
		turn_scan_done(s);
	else
		*ret = *made;
	return rc;
}

enum err_code turn_scan_key(struct turn *t, const struct table *table, const void *key, unsigned prefix_fields,
    bool descending, struct turn_scan *ret, struct err *reterr)
{
	struct turn_scan s = {.turn = t, .table = table, .descending = descending};
	key_head(&s.prefix, table, NULL);
	enum err_code rc = ERR_OK;
	for (uint32_t i = 0; prefix_fields && rc == ERR_OK && i < table->type->field_count; i++) {
		if (!(table->type->fields[i].flags & FIELD_KEY))
			continue;
		rc = record_field_key(&table->type->fields[i], key, &s.prefix, reterr);
		prefix_fields--;
	}
	if (rc != ERR_OK) {
		turn_scan_done(&s);
		return err_prefix(reterr, rc, "table %s", table->name);
	}
	assert(!prefix_fields); /* more than the table has */
	return scan_start(&s, &s, ret, reterr);
}

enum err_code turn_scan_index(struct turn *t, const struct table *table, const char *field, const void *like,
    bool descending, struct turn_scan *ret, struct err *reterr)
{
	const struct field *f = record_field(table->type, field);
	assert(f && f->flags & FIELD_INDEXED);
	struct turn_scan s = {.turn = t, .table = table, .index = f, .descending = descending};
	key_head(&s.prefix, table, f);
	enum err_code rc = like ? record_field_key(f, like, &s.prefix, reterr) : ERR_OK;
	if (rc != ERR_OK) {
		turn_scan_done(&s);
		return err_prefix(reterr, rc, "table %s", table->name);
	}
	return scan_start(&s, &s, ret, reterr);
}

/* The first string after all that begin with prefix.  A prefix holds a table's name, so not all of it is 0xff. */
static void after_prefix(const struct buf *prefix, struct buf *out)
{
	buf_clear(out);
	buf_append(out, prefix->data, prefix->size);
	if (out->failed)
		return;
	while (out->data[out->size - 1] == 0xff)
		out->size--;
	out->data[out->size - 1]++;
}

static enum err_code scan_seek(struct turn_scan *s, struct bytes *ret_value, bool *ret_found, struct err *reterr)
{
	enum turn_seek how = s->descending ? SEEK_BEFORE : SEEK_AFTER;
	if (!s->started && s->descending)
		after_prefix(&s->prefix, &s->position);
	if (!s->started && !s->descending) {
		buf_append(&s->position, s->prefix.data, s->prefix.size);
		how = SEEK_AT_OR_AFTER;
	}
	struct bytes key, value;
	bool found = false;
	enum err_code rc = s->position.failed
			       ? err_set(reterr, ERR_NOMEM, "out of memory in a scan")
			       : turn_raw_seek(s->turn, buf_bytes(&s->position), how, &key, &value, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	found = found && bytes_start(key, buf_bytes(&s->prefix));
	if (found) {
		buf_clear(&s->position);
		buf_append(&s->position, key.data, key.size);
		s->started = true;
		*ret_value = value;
	} else if (!s->started) {
		buf_clear(&s->position);
	}
	*ret_found = found;
	return ERR_OK;
}

enum err_code turn_scan_next(struct turn_scan *s, void *ret, bool *ret_found, struct err *reterr)
{
	struct turn *t = s->turn;
	struct bytes value;
	bool found;
	enum err_code rc = scan_seek(s, &value, &found, reterr);
	if (rc == ERR_OK && found && s->index) {
		key_head(&t->key, s->table, NULL);
		buf_append(&t->key, value.data, value.size);
		rc = turn_raw_get(t, buf_bytes(&t->key), &value, &found, reterr);
		if (rc == ERR_OK && !found)
			rc = err_set(reterr, ERR_CORRUPT, "table %s: the index of %s names a record that is not there",
			    s->table->name, s->index->name);
	}
	if (rc == ERR_OK && found)
		rc = table_decode(s->table, value, t->arena, ret, reterr);
	if (rc == ERR_OK)
		*ret_found = found;
	return rc;
}

bool turn_scan_step(struct turn_scan *s, void *ret, enum err_code *rc, struct err *reterr)
{
	bool found = false;
	if (*rc == ERR_OK)
		*rc = turn_scan_next(s, ret, &found, reterr);
	return *rc == ERR_OK && found;
}

/* Room for one more behind a list that this alone lets grow: by doubling, from LIST_FIRST. */
static enum err_code list_room(struct turn *t, const struct table *table, struct list *list, struct err *reterr)
{
	enum { LIST_FIRST = 8 };
	size_t n = list->count, size = table->type->size;
	if (n > 0 && (n < LIST_FIRST || (n & (n - 1)) != 0))
		return ERR_OK;
	void *room = arena_array(t->arena, n ? 2 * n : LIST_FIRST, size);
	if (!room)
		return err_set(reterr, ERR_NOMEM, "out of memory for the records of table %s", table->name);
	if (n > 0)
		memcpy(room, list->items, n * size);
	list->items = room;
	return ERR_OK;
}

enum err_code turn_scan_take(struct turn_scan *s, size_t max, struct list *list, struct err *reterr)
{
	struct list out = *list;
	bool found = true;
	enum err_code rc = ERR_OK;
	while (rc == ERR_OK && found && out.count < max) {
		rc = list_room(s->turn, s->table, &out, reterr);
		if (rc == ERR_OK)
			rc = turn_scan_next(s, (char *)out.items + out.count * s->table->type->size, &found, reterr);
		out.count += rc == ERR_OK && found;
	}
	if (rc == ERR_OK)
		*list = out;
	return rc;
}

enum err_code turn_find(struct turn *t, const struct table *table, const char *field, const void *like, bool descending,
    void *ret, bool *ret_found, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = turn_scan_index(t, table, field, like, descending, &scan, reterr);
	return rc == ERR_OK ? turn_scan_next(&scan, ret, ret_found, reterr) : rc;
}

struct bytes turn_scan_position(const struct turn_scan *s)
{
	return s->started ? buf_bytes(&s->position) : (struct bytes){0};
}

enum err_code turn_scan_resume(struct turn_scan *s, struct bytes position, struct err *reterr)
{
	if (!bytes_start(position, buf_bytes(&s->prefix)) || position.size > TURN_KEY_MAX)
		return err_set(reterr, ERR_INVALID, "table %s: not a place in this list", s->table->name);
	buf_clear(&s->position);
	buf_append(&s->position, position.data, position.size);
	if (s->position.failed)
		return err_set(reterr, ERR_NOMEM, "out of memory in a scan");
	s->started = true;
	return ERR_OK;
}

void turn_scan_done(struct turn_scan *s)
{
	buf_done(&s->prefix);
	buf_done(&s->position);
}
