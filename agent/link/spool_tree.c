/* agent/link/spool_tree.c: what one transaction of the spool does to the database. */
#include <string.h>

#include "agent/link/spool_tree.h"

enum {
	KEY_RECORD = 'r',
	KEY_ORDER = 'o',
	KEY_META = 'm',
	RECORD_KEY = 9,
	ORDER_KEY = 10,
	HEAD = 9,   /* importance or DROPPED, at_ms */
	TRACE = 17, /* of a run that was dropped: head and through */
	META = 49,  /* version, next, count, bytes, run, token */
	VERSION = 1,
	DROPPED = 0xff, /* instead of an importance */
};

/* ---- bytes ---- */

static void put_be64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint64_t get_be64(const uint8_t *p)
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static MDB_val item_key(uint8_t out[RECORD_KEY], uint64_t sequence)
{
	out[0] = KEY_RECORD;
	put_be64(out + 1, sequence);
	return (MDB_val){RECORD_KEY, out};
}

static MDB_val order_key(uint8_t out[ORDER_KEY], uint32_t importance, uint64_t sequence)
{
	out[0] = KEY_ORDER;
	out[1] = (uint8_t)(0xff - importance);
	put_be64(out + 2, sequence);
	return (MDB_val){ORDER_KEY, out};
}

/* False: not of this layout. */
static bool parse_record(const MDB_val *k, const MDB_val *v, struct spool_item *ret)
{
	const uint8_t *key = k->mv_data, *p = v->mv_data;
	if (k->mv_size != RECORD_KEY || key[0] != KEY_RECORD || v->mv_size <= HEAD)
		return false;
	*ret = (struct spool_item){.sequence = get_be64(key + 1), .at_ms = get_be64(p + 1), .importance = p[0]};
	if (p[0] != DROPPED) {
		ret->frame = (struct bytes){p + HEAD, v->mv_size - HEAD};
		return p[0] < IMPORTANCE_COUNT;
	}
	ret->importance = IMPORTANCE_EVENT;
	if (v->mv_size != TRACE)
		return false;
	ret->through = get_be64(p + HEAD);
	return ret->through >= ret->sequence;
}

int tree_put_state(const struct change *c)
{
	uint8_t v[META], name = KEY_META;
	v[0] = VERSION;
	put_be64(v + 1, c->state.next);
	put_be64(v + 9, c->state.count);
	put_be64(v + 17, c->state.bytes);
	memcpy(v + 25, c->state.mark.run.b, 16);
	put_be64(v + 41, c->state.mark.token);
	MDB_val key = {1, &name}, val = {META, v};
	return mdb_put(c->txn, c->dbi, &key, &val, 0);
}

/* ---- dropping ---- */

/* The run of dropped reports that ends right before sequence, if there is one. */
static int run_before(MDB_cursor *cursor, uint64_t sequence, struct spool_item *ret, bool *ret_found)
{
	uint8_t room[RECORD_KEY];
	MDB_val k = item_key(room, sequence), v;
	int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	rc = mdb_cursor_get(cursor, &k, &v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	*ret_found = !rc && parse_record(&k, &v, ret) && ret->through && ret->through + 1 == sequence;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int run_after(struct change *c, uint64_t sequence, struct spool_item *ret, bool *ret_found)
{
	uint8_t room[RECORD_KEY];
	MDB_val k = item_key(room, sequence + 1), v;
	int rc = mdb_get(c->txn, c->dbi, &k, &v);
	*ret_found = !rc && parse_record(&k, &v, ret) && ret->through;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int delete_record(struct change *c, uint64_t sequence)
{
	uint8_t room[RECORD_KEY];
	MDB_val k = item_key(room, sequence);
	int rc = mdb_del(c->txn, c->dbi, &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_trace(struct change *c, uint64_t sequence, uint64_t through, uint64_t at_ms)
{
	uint8_t room[RECORD_KEY], value[TRACE];
	MDB_val k = item_key(room, sequence), v = {TRACE, value};
	value[0] = DROPPED;
	put_be64(value + 1, at_ms);
	put_be64(value + HEAD, through);
	return mdb_put(c->txn, c->dbi, &k, &v, 0);
}

/* The record of sequence, there or new, becomes part of a run that was dropped. */
static int put_dropped(struct change *c, uint64_t sequence, uint64_t at_ms)
{
	struct spool_item before, after;
	bool has_before, has_after = false;
	MDB_cursor *cursor;
	uint64_t from = sequence, through = sequence;
	int rc = mdb_cursor_open(c->txn, c->dbi, &cursor);
	if (rc)
		return rc;
	rc = run_before(cursor, sequence, &before, &has_before);
	mdb_cursor_close(cursor);
	if (!rc)
		rc = run_after(c, sequence, &after, &has_after);
	if (!rc && has_after) {
		through = after.through;
		at_ms = at_ms > after.at_ms ? at_ms : after.at_ms;
		rc = delete_record(c, sequence + 1);
	}
	if (!rc && has_before) {
		from = before.sequence;
		at_ms = at_ms > before.at_ms ? at_ms : before.at_ms;
		rc = delete_record(c, sequence);
	}
	c->state.dropped++;
	return rc ? rc : put_trace(c, from, through, at_ms);
}

/* What a full spool drops next; MDB_NOTFOUND: nothing is left to drop. */
static int find_victim(const struct change *c, uint64_t *ret_sequence, uint32_t *ret_importance)
{
	MDB_cursor *cursor;
	uint8_t first = KEY_ORDER;
	MDB_val k = {1, &first};
	int rc = mdb_cursor_open(c->txn, c->dbi, &cursor);
	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, &k, NULL, MDB_SET_RANGE);
	const uint8_t *key = k.mv_data;
	if (!rc && (k.mv_size != ORDER_KEY || key[0] != KEY_ORDER))
		rc = MDB_NOTFOUND;
	if (!rc) {
		*ret_importance = 0xffu - key[1];
		*ret_sequence = get_be64(key + 2);
	}
	mdb_cursor_close(cursor);
	return rc;
}

static int drop_one(struct change *c, uint64_t sequence, uint32_t importance)
{
	uint8_t record[RECORD_KEY], order[ORDER_KEY];
	MDB_val k = item_key(record, sequence), o = order_key(order, importance, sequence), v;
	struct spool_item item;
	int rc = mdb_get(c->txn, c->dbi, &k, &v);
	if (!rc && (!parse_record(&k, &v, &item) || item.through))
		rc = MDB_CORRUPTED;
	if (!rc)
		rc = mdb_del(c->txn, c->dbi, &o, NULL);
	if (rc)
		return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
	c->state.count--;
	c->state.bytes -= spool_cost(item.frame.size);
	return put_dropped(c, sequence, item.at_ms);
}

/* Among the entries that are still to be kept: the one to drop first.  NULL: none. */
static struct spool_entry *entry_victim(struct spool_entry *entries, size_t count)
{
	struct spool_entry *victim = NULL;
	for (size_t i = 0; i < count; i++)
		if (entries[i].size && (!victim || entries[i].importance > victim->importance))
			victim = &entries[i];
	return victim;
}

bool tree_any_large(const struct spool_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].size > SPOOL_INLINE_MAX)
			return true;
	return false;
}

uint64_t tree_cost(const struct spool_entry *entries, size_t count)
{
	uint64_t cost = 0;
	for (size_t i = 0; i < count; i++)
		cost += entries[i].size ? spool_cost(entries[i].size) : 0;
	return cost;
}

/* One step: a stored report is dropped, or an entry marked so.  *ret_more false: they fit, or nothing is left. */
int tree_relieve(struct change *c, struct spool_entry *entries, size_t count, bool *ret_more)
{
	uint64_t sequence;
	uint32_t importance;
	*ret_more = c->state.bytes + tree_cost(entries, count) > c->limit_bytes;
	if (!*ret_more)
		return 0;
	struct spool_entry *own = entry_victim(entries, count);
	int rc = find_victim(c, &sequence, &importance);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	if (!rc && (!own || importance >= own->importance))
		return drop_one(c, sequence, importance);
	*ret_more = own != NULL;
	if (own)
		own->size = 0;
	return 0;
}

/* ---- records ---- */

int tree_put(struct change *c, const struct spool_entry *e, const struct buf *frames)
{
	uint8_t record[RECORD_KEY], order[ORDER_KEY];
	c->state.next = e->sequence + 1;
	if (!e->size)
		return put_dropped(c, e->sequence, e->at_ms);
	MDB_val k = item_key(record, e->sequence), v = {HEAD + e->size, NULL};
	int rc = mdb_put(c->txn, c->dbi, &k, &v, MDB_RESERVE);
	if (rc)
		return rc;
	uint8_t *p = v.mv_data;
	p[0] = (uint8_t)e->importance;
	put_be64(p + 1, e->at_ms);
	memcpy(p + HEAD, frames->data + e->offset, e->size);
	MDB_val o = order_key(order, e->importance, e->sequence), none = {0, NULL};
	c->state.count++;
	c->state.bytes += spool_cost(e->size);
	return mdb_put(c->txn, c->dbi, &o, &none, 0);
}

/* To the item that holds `from`. */
static int seek(MDB_cursor *cursor, uint64_t from, MDB_val *k, MDB_val *v)
{
	uint8_t room[RECORD_KEY];
	MDB_val wanted = item_key(room, from);
	*k = wanted;
	int rc = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
	if (!rc && k->mv_size == RECORD_KEY && !memcmp(k->mv_data, room, RECORD_KEY))
		return 0;
	return mdb_cursor_get(cursor, k, v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV); /* inside a run */
}

int tree_read(MDB_cursor *cursor, uint64_t from, bool (*visit)(void *ctx, const struct spool_item *item), void *ctx)
{
	MDB_val k, v;
	int rc = seek(cursor, from, &k, &v);
	while (!rc) {
		struct spool_item item;
		if (!parse_record(&k, &v, &item) || (item.through ? item.through : item.sequence) < from)
			return MDB_CORRUPTED;
		if (item.sequence < from)
			item.sequence = from;
		if (!visit(ctx, &item))
			return 0;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* One item less at the front; *ret_done when the next one is not acknowledged. */
int tree_forget(struct change *c, uint64_t through, bool *ret_done)
{
	uint8_t room[RECORD_KEY], order[ORDER_KEY];
	MDB_val k = item_key(room, c->state.first), v;
	struct spool_item item;
	int rc = mdb_get(c->txn, c->dbi, &k, &v);
	if (!rc && !parse_record(&k, &v, &item))
		rc = MDB_CORRUPTED;
	if (rc)
		return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
	uint64_t last = item.through ? item.through : item.sequence;
	MDB_val o = order_key(order, item.importance, item.sequence);
	if (!item.through) {
		c->state.count--;
		c->state.bytes -= spool_cost(item.frame.size);
		rc = mdb_del(c->txn, c->dbi, &o, NULL);
	}
	if (!rc)
		rc = delete_record(c, item.sequence);
	if (!rc && last > through) /* only part of a run that was dropped */
		rc = put_trace(c, through + 1, last, item.at_ms);
	c->state.first = last > through ? through + 1 : last + 1;
	*ret_done = c->state.first > through || c->state.first >= c->state.next;
	return rc;
}

/* ---- the state ---- */

static int parse_meta(const MDB_val *v, struct spool_state *ret)
{
	const uint8_t *p = v->mv_data;
	if (v->mv_size != META || p[0] != VERSION)
		return MDB_VERSION_MISMATCH;
	*ret = (struct spool_state){.next = get_be64(p + 1), .count = get_be64(p + 9), .bytes = get_be64(p + 17)};
	memcpy(ret->mark.run.b, p + 25, 16);
	ret->mark.token = get_be64(p + 41);
	return ret->next > 0 && ret->next <= LINK_SEQUENCE_MAX + 1 ? 0 : MDB_CORRUPTED;
}

/* The first record's sequence; state.next when there is none. */
static int find_first(MDB_txn *txn, MDB_dbi dbi, struct spool_state *state)
{
	MDB_cursor *cursor;
	uint8_t room[RECORD_KEY];
	MDB_val k = item_key(room, 0), v;
	struct spool_item item;
	int rc = mdb_cursor_open(txn, dbi, &cursor);
	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	if (!rc && !parse_record(&k, &v, &item))
		rc = MDB_CORRUPTED;
	state->first = rc ? state->next : item.sequence;
	if (!rc && state->first >= state->next)
		rc = MDB_CORRUPTED;
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int tree_load(MDB_txn *txn, MDB_dbi dbi, struct spool_state *ret)
{
	uint8_t name = KEY_META;
	MDB_val key = {1, &name}, val;
	struct spool_state state = {.next = 1};
	int rc = mdb_get(txn, dbi, &key, &val);
	if (!rc)
		rc = parse_meta(&val, &state);
	else if (rc == MDB_NOTFOUND)
		rc = 0; /* new */
	if (!rc)
		rc = find_first(txn, dbi, &state);
	if (!rc)
		*ret = state;
	return rc;
}
