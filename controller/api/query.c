/* controller/api/query.c: pages of tables and single records, as JSON. */
#include "controller/api/query.h"

#include <string.h>

#include "controller/turn/limits.h"
#include "shared/base/text.h"

static const struct query_noun nouns[] = {
    {"host", &host_table},
    {"service", &service_table},
    {"placement", &placement_table},
    {"health", &service_health_table},
    {"history", &health_history_table},
    {"metric", &health_metric_table},
    {"trend", &health_trend_table},
    {"forecast", &health_forecast_table},
    {"maintenance", &maintenance_table},
    {"snapshot", &system_snapshot_table},
    {"drift", &drift_table},
    {"incident", &incident_table},
    {"timeline", &incident_entry_table},
    {"diagnosis", &diagnosis_table},
    {"pattern", &error_pattern_table},
    {"knowledge", &knowledge_table},
    {"past", &past_incident_table},
    {"change", &change_table},
    {"approval", &change_approval_table},
    {"implementation", &change_implementation_table},
    {"validation", &change_validation_table},
    {"policy", &policy_table},
    {"rollback", &rollback_table},
    {"order", &order_table},
    {"restoration", &restoration_table},
    {"drill", &drill_table},
    {"reach", &reach_table},
    {"notify", &notification_table},
    {"audit", &audit_table},
    {"checkpoint", &audit_checkpoint_table},
    {"operator", &operator_table},
    {"ca", &certificate_table},
    {"controller", &brakes_table},
};
enum { NOUN_COUNT = sizeof nouns / sizeof nouns[0] };

const struct query_noun *query_nouns(size_t *ret_count)
{
	*ret_count = NOUN_COUNT;
	return nouns;
}

const struct table *query_table(const char *noun)
{
	for (size_t i = 0; i < NOUN_COUNT; i++)
		if (text_equal(nouns[i].noun, noun))
			return nouns[i].table;
	return NULL;
}

/* ---- a field from text, by way of JSON: one reader for all kinds ---- */

static bool is_number(enum field_kind k)
{
	return k == FIELD_U32 || k == FIELD_U64 || k == FIELD_I64 || k == FIELD_F64 || k == FIELD_DURATION ||
	       k == FIELD_SIZE || k == FIELD_BOOL;
}

static enum err_code field_from_text(const struct record_type *t, const struct field *f, const char *text,
    struct arena *arena, void *record, struct err *reterr)
{
	struct field alone = *f;
	alone.flags &= ~(uint32_t)(FIELD_REQUIRED | FIELD_SECRET);
	struct record_type one = {.name = t->name, .doc = t->doc, .size = t->size, .fields = &alone, .field_count = 1};
	struct buf json = BUF_INIT;
	buf_printf(&json, "{\"%s\":%s", f->name, is_number(f->kind) ? "" : "\"");
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_byte(&json, '\\');
		buf_byte(&json, (uint8_t)*p < 0x20 ? '?' : (uint8_t)*p);
	}
	buf_printf(&json, "%s}", is_number(f->kind) ? "" : "\"");
	enum err_code rc = record_from_json(&one, buf_str(&json), json.size, RECORD_STRICT, arena, record, reterr);
	buf_done(&json);
	return rc == ERR_OK ? ERR_OK
			    : err_set(reterr, ERR_INVALID, "%s: \"%s\" is not a value of that field", f->name, text);
}

/* "inc-01…", "INC-3": what people type for the first key field when it is an id. */
static enum err_code by_number(
    struct turn *read, const struct table *table, const char *text, void *ret, bool *ret_found, struct err *reterr)
{
	const struct field *f = record_field(table->type, "number");
	const char *digits = strrchr(text, '-') ? strrchr(text, '-') + 1 : text;
	uint64_t number;
	*ret_found = false;
	if (!f || text_u64(digits, &number, NULL) != ERR_OK)
		return ERR_OK;
	memcpy((char *)ret + f->offset, &number, sizeof number);
	enum err_code rc = turn_find(read, table, "number", ret, false, ret, ret_found, reterr);
	if (rc == ERR_OK && !*ret_found) /* a number is no id: there is nothing else that it could mean */
		return err_set(reterr, ERR_NOT_FOUND, "there is no %s", text);
	return rc;
}

/* Tables whose records people call by number, by the kind of their id. */
static const struct table *numbered(enum id_kind kind)
{
	return kind == ID_INCIDENT   ? &incident_table
	       : kind == ID_CHANGE   ? &change_table
	       : kind == ID_ROLLBACK ? &rollback_table
				     : NULL;
}

/* A value to select by: as the field is written, or the number of what it refers to ("incident=INC-3"). */
static enum err_code filter_value(struct turn *read, const struct record_type *t, const struct field *f,
    const char *text, void *record, struct err *reterr)
{
	const struct table *other = f->kind == FIELD_ID ? numbered(f->id_kind) : NULL;
	char *hit = other ? arena_alloc(turn_arena(read), other->type->size) : NULL;
	bool found = false;
	enum err_code rc = hit ? by_number(read, other, text, hit, &found, reterr) : ERR_OK;
	if (rc != ERR_OK || !found)
		return rc != ERR_OK ? rc : field_from_text(t, f, text, turn_arena(read), record, reterr);
	memcpy((char *)record + f->offset, hit + other->type->fields[0].offset,
	    sizeof(struct id)); /* their key comes first */
	return ERR_OK;
}

/* The whole key, its parts divided by '/' ("portal/web-1"). */
static enum err_code by_key(
    struct turn *read, const struct table *table, const char *text, void *ret, bool *ret_found, struct err *reterr)
{
	char *parts = arena_strdup(turn_arena(read), text), *at = parts;
	if (!parts)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < table->type->field_count; i++) {
		const struct field *f = &table->type->fields[i];
		if (!(f->flags & FIELD_KEY))
			continue;
		if (!at)
			return err_set(reterr, ERR_INVALID, "\"%s\" lacks the part %s of the key", text, f->name);
		char *end = strchr(at, '/');
		if (end)
			*end++ = '\0';
		enum err_code rc = field_from_text(table->type, f, at, turn_arena(read), (char *)ret, reterr);
		if (rc != ERR_OK)
			return rc;
		at = end;
	}
	return turn_get(read, table, ret, ret, ret_found, reterr);
}

static enum err_code run_one(
    struct turn *read, const struct table *table, const struct query *q, struct buf *out, struct err *reterr)
{
	void *record = arena_alloc(turn_arena(read), table->type->size);
	bool found = false;
	if (!record)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = by_number(read, table, q->key, record, &found, reterr);
	if (rc == ERR_OK && !found) {
		memset(record, 0, table->type->size);
		rc = by_key(read, table, q->key, record, &found, reterr);
	}
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "there is no %s %s", q->noun, q->key);
	return rc == ERR_OK ? record_to_json(table->type, record, 0, out, reterr) : rc;
}

/* ---- pages ---- */

struct page {
	const struct table *table;
	const struct field *fields[QUERY_FILTERS_MAX];
	void *wanted[QUERY_FILTERS_MAX]; /* records with the one field set */
	size_t count;
};

static enum err_code read_filters(struct turn *read, const struct query *q, struct page *p, struct err *reterr)
{
	for (size_t i = 0; i < q->filter_count; i++) {
		const struct field *f = record_field(p->table->type, q->filters[i].field);
		if (!f || f->flags & FIELD_SECRET || f->kind == FIELD_RECORD || f->kind == FIELD_INLINE ||
		    f->kind == FIELD_LIST)
			return err_set(
			    reterr, ERR_INVALID, "%s has no field \"%s\" to select by", q->noun, q->filters[i].field);
		p->fields[i] = f;
		p->wanted[i] = arena_alloc(turn_arena(read), p->table->type->size);
		if (!p->wanted[i])
			return err_set(reterr, ERR_NOMEM, "out of memory");
		enum err_code rc = filter_value(read, p->table->type, f, q->filters[i].value, p->wanted[i], reterr);
		if (rc != ERR_OK)
			return rc;
		p->count++;
	}
	return ERR_OK;
}

static bool wanted(const struct page *p, const void *record)
{
	for (size_t i = 0; i < p->count; i++) {
		struct record_type one = {.name = p->table->type->name,
		    .size = p->table->type->size,
		    .fields = p->fields[i],
		    .field_count = 1};
		if (!record_equal(&one, record, p->wanted[i]))
			return false;
	}
	return true;
}

/* An index or the beginning of the key where a filter allows; else the whole table. */
static enum err_code open_scan(
    struct turn *read, const struct page *p, bool descending, struct turn_scan *ret, struct err *reterr)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->fields[i]->flags & FIELD_INDEXED)
			return turn_scan_index(
			    read, p->table, p->fields[i]->name, p->wanted[i], descending, ret, reterr);
	const struct field *first = &p->table->type->fields[0];
	for (size_t i = 0; i < p->count; i++)
		if (p->fields[i] == first && first->flags & FIELD_KEY)
			return turn_scan_key(read, p->table, p->wanted[i], 1, descending, ret, reterr);
	return turn_scan_key(read, p->table, NULL, 0, descending, ret, reterr);
}

/* `next` of a page is where its scan stood, in hex. */
static enum err_code go_on_after(struct turn_scan *scan, const char *after, struct err *reterr)
{
	uint8_t position[TURN_KEY_MAX];
	size_t size = strlen(after) / 2;
	if (size > sizeof position || strlen(after) % 2 || text_unhex(after, position, size, NULL) != ERR_OK)
		return err_set(reterr, ERR_INVALID, "after: expected the `next` of the page before");
	return turn_scan_resume(scan, (struct bytes){position, size}, reterr);
}

static void put_next(struct buf *out, const struct buf *position)
{
	buf_text(out, ",\"next\":\"");
	for (size_t i = 0; i < position->size; i++)
		buf_printf(out, "%02x", position->data[i]);
	buf_text(out, "\"");
}

static enum err_code fill_page(struct turn *read, const struct page *p, const struct query *q, struct turn_scan *scan,
    struct buf *out, struct err *reterr)
{
	size_t limit = q->limit ? q->limit : QUERY_LIMIT_DEFAULT, taken = 0;
	struct buf passed = BUF_INIT; /* the scan's position behind the last record that is dealt with */
	bool found = true, more = false;
	enum err_code rc = q->after ? go_on_after(scan, q->after, reterr) : ERR_OK;
	for (size_t looked = 0; rc == ERR_OK && !more; looked++) {
		struct arena_mark mark = arena_mark(turn_arena(read));
		void *record = arena_alloc(turn_arena(read), p->table->type->size);
		rc = record ? turn_scan_next(scan, record, &found, reterr)
			    : err_set(reterr, ERR_NOMEM, "this page is too large: ask for fewer with limit=");
		if (rc != ERR_OK || !found)
			break;
		bool take = wanted(p, record);
		more = looked >= QUERY_SCAN_MAX || (take && taken == limit);
		if (more)
			break;
		if (take) {
			buf_text(out, taken++ ? "," : "");
			rc = record_to_json(p->table->type, record, 0, out, reterr);
		}
		struct bytes at = turn_scan_position(scan);
		buf_clear(&passed);
		buf_append(&passed, at.data, at.size);
		arena_release(turn_arena(read), mark);
	}
	buf_text(out, "]");
	if (rc == ERR_OK && more)
		put_next(out, &passed);
	if (rc == ERR_OK && passed.failed)
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	buf_done(&passed);
	return rc;
}

enum err_code query_run(struct turn *read, const struct query *q, struct buf *out, struct err *reterr)
{
	struct page p = {.table = query_table(q->noun)};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	if (!p.table)
		return err_set(reterr, ERR_NOT_FOUND, "there is no %s to list", q->noun);
	if (q->key)
		return run_one(read, p.table, q, out, reterr);
	if (q->limit > QUERY_LIMIT_MAX)
		return err_set(reterr, ERR_INVALID, "limit is at most %d", QUERY_LIMIT_MAX);
	enum err_code rc = read_filters(read, q, &p, reterr);
	if (rc != ERR_OK || (rc = open_scan(read, &p, q->descending, &scan, reterr)) != ERR_OK)
		return rc;
	buf_text(out, "{\"items\":[");
	rc = fill_page(read, &p, q, &scan, out, reterr);
	buf_text(out, "}");
	return rc == ERR_OK && out->failed
		   ? err_set(reterr, ERR_LIMIT, "this page is too large: ask for fewer with limit=")
		   : rc;
}

static enum err_code kept_outside(const struct query *q, struct audit_checkpoint *ret, struct err *reterr)
{
	bool size = false, root = false;
	for (size_t i = 0; i < q->filter_count; i++) {
		const struct query_filter *f = &q->filters[i];
		if (text_equal(f->field, "size") && text_u64(f->value, &ret->size, NULL) == ERR_OK)
			size = true;
		else if (text_equal(f->field, "root") &&
			 text_unhex(f->value, ret->root.b, sizeof ret->root.b, NULL) == ERR_OK)
			root = true;
		else
			return err_set(
			    reterr, ERR_INVALID, "%s: expected size=NUMBER and root=HEX of a checkpoint", f->field);
	}
	return size == root ? ERR_OK
			    : err_set(reterr, ERR_INVALID, "expected size and root of a checkpoint, or neither");
}

enum err_code query_audit_verify(struct turn *read, const struct query *q, struct buf *out, struct err *reterr)
{
	struct audit_verdict v;
	struct audit_checkpoint known = {0};
	enum err_code rc = kept_outside(q, &known, reterr);
	if (rc == ERR_OK)
		rc = audit_verify(read, 1, 0, q->filter_count ? &known : NULL, &v, reterr);
	return rc == ERR_OK ? record_to_json(&audit_verdict_type, &v, 0, out, reterr) : rc;
}
