/* tests/lib/record/record_cases.c: round trips, and the order of the cases. */
#include "tests/lib/record/record_cases.h"

#include <stdio.h>
#include <string.h>

#include "shared/record/registry.h"
#include "tests/lib/record/cases.h"

enum { HOSTILE_ROUNDS = 8 };

enum err_code broken(struct cases *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	err_vset(c->reterr, ERR_INTERNAL, fmt, ap);
	va_end(ap);
	return err_prefix(
	    c->reterr, ERR_INTERNAL, "%s, seed %llu, round %u", c->type->name, (unsigned long long)c->seed, c->round);
}

/* Where there is a secret, YAML does not say everything. */
static bool has_secret(const struct record_type *t, unsigned depth)
{
	for (uint32_t i = 0; i < t->field_count; i++)
		if (t->fields[i].flags & FIELD_SECRET ||
		    (t->fields[i].type && depth < RECORD_DEPTH_MAX && has_secret(t->fields[i].type, depth + 1)))
			return true;
	return false;
}

static enum err_code msgpack_trip(struct cases *c, const struct record_type *t, const void *record, const char *after)
{
	CLEANUP(buf_done) struct buf first = BUF_INIT, second = BUF_INIT;
	struct err why = ERR_INIT;
	void *back = arena_alloc(c->arena, t->size);
	if (record_to_msgpack(t, record, &first, &why) != ERR_OK)
		return broken(c, "%s: to msgpack: %s", after, why.msg);
	if (!back || record_from_msgpack(t, first.data, first.size, c->arena, back, &why) != ERR_OK)
		return broken(c, "%s: from its own msgpack: %s", after, why.msg);
	if (!record_equal(t, record, back))
		return broken(c, "%s: another record comes from its msgpack", after);
	if (record_to_msgpack(t, back, &second, &why) != ERR_OK)
		return broken(c, "%s: to msgpack again: %s", after, why.msg);
	if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0)
		return broken(c, "%s: the same record gives other msgpack", after);
	return ERR_OK;
}

static enum err_code json_trip(
    struct cases *c, const struct record_type *t, const void *record, unsigned options, const char *after)
{
	CLEANUP(buf_done) struct buf first = BUF_INIT, second = BUF_INIT;
	struct err why = ERR_INIT;
	void *back = arena_alloc(c->arena, t->size);
	if (record_to_json(t, record, options, &first, &why) != ERR_OK)
		return broken(c, "%s: to JSON: %s", after, why.msg);
	if (!back || record_from_json(t, buf_str(&first), first.size, RECORD_STRICT, c->arena, back, &why) != ERR_OK)
		return broken(c, "%s: from its own JSON: %s in %.200s", after, why.msg, buf_str(&first));
	if (!record_equal(t, record, back))
		return broken(c, "%s: another record comes from its JSON %.300s", after, buf_str(&first));
	if (record_to_json(t, back, options, &second, &why) != ERR_OK || strcmp(buf_str(&first), buf_str(&second)) != 0)
		return broken(c, "%s: the same record gives other JSON", after);
	return ERR_OK;
}

static enum err_code yaml_trip(struct cases *c, const struct record_type *t, const void *record, const char *after)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	struct err why = ERR_INIT;
	void *back = arena_alloc(c->arena, t->size);
	if (record_to_yaml(t, record, &text, &why) != ERR_OK)
		return broken(c, "%s: to YAML: %s", after, why.msg);
	if (has_secret(t, 0))
		return ERR_OK;
	if (!back || record_from_yaml(t, "own", buf_str(&text), text.size, c->arena, back, &why) != ERR_OK)
		return broken(c, "%s: from its own YAML: %s in\n%.200s", after, why.msg, buf_str(&text));
	if (!record_equal(t, record, back))
		return broken(c, "%s: another record comes from its YAML\n%.300s", after, buf_str(&text));
	return ERR_OK;
}

static enum err_code copy_trip(struct cases *c, const struct record_type *t, const void *record, const char *after)
{
	CLEANUP(arena_cleanup) struct arena *own = arena_new(0);
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	struct err why = ERR_INIT;
	void *copy = own ? arena_alloc(own, t->size) : NULL;
	if (!copy || record_copy(t, record, own, copy, &why) != ERR_OK)
		return broken(c, "%s: to be copied: %s", after, why.msg);
	if (!record_equal(t, record, copy) || !record_equal(t, copy, record))
		return broken(c, "%s: its copy is another record", after);
	for (uint32_t i = 0; i < t->field_count; i++) { /* what people see of it is text, always */
		buf_clear(&text);
		record_field_text(&t->fields[i], copy, &text);
		if (text.failed || text.size == 0 || !text_utf8_valid(text.data, text.size) ||
		    strpbrk(buf_str(&text), "\n\r\t\x01\x1f\x7f"))
			return broken(c, "%s: field %s is shown as \"%s\"", after, t->fields[i].name, buf_str(&text));
	}
	return ERR_OK;
}

enum err_code comes_back(struct cases *c, const struct record_type *t, const void *record, const char *after)
{
	enum err_code rc = msgpack_trip(c, t, record, after);
	if (rc == ERR_OK)
		rc = json_trip(c, t, record, RECORD_WITH_SECRETS, after);
	if (rc == ERR_OK)
		rc = json_trip(c, t, record, RECORD_WITH_SECRETS | RECORD_PRETTY, after);
	if (rc == ERR_OK)
		rc = yaml_trip(c, t, record, after);
	return rc == ERR_OK ? copy_trip(c, t, record, after) : rc;
}

/* Sheets and tables of whatever it is. */
static enum err_code shown(struct cases *c, const void *record)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	struct err why = ERR_INIT;
	struct table_options o = {
	    .wide = true, .colour = c->round % 2, .width = (unsigned)random_below(&c->random, 120)};
	bool columns = false;
	for (uint32_t i = 0; i < c->type->field_count; i++)
		columns |= (c->type->fields[i].flags & (FIELD_COLUMN | FIELD_WIDE)) != 0;
	if (columns && record_table(c->type, &record, 1, &o, &text, &why) != ERR_OK)
		return broken(c, "no table: %s", why.msg);
	if (record_sheet(c->type, record, &o, &text, &why) != ERR_OK)
		return broken(c, "no sheet: %s", why.msg);
	if (text.size && !text_utf8_valid(text.data, text.size))
		return broken(c, "table or sheet are no text");
	return ERR_OK;
}

static enum err_code one_round(struct cases *c, const struct record_type *checked)
{
	struct err why = ERR_INIT;
	const void *record = record_random(c->type, &c->random, c->arena);
	if (!record)
		return broken(c, "no memory");
	enum err_code rc = comes_back(c, c->type, record, "a random record");
	if (rc == ERR_OK && record_check(checked, record, &why) == ERR_OK)
		rc = comes_back(c, checked, record, "a random record that passes the type's own check");
	if (rc == ERR_OK)
		rc = shown(c, record);
	if (rc == ERR_OK && c->round < HOSTILE_ROUNDS)
		rc = hostile_cases(c, record);
	if (rc == ERR_OK && c->round < HOSTILE_ROUNDS / 2)
		rc = hostile_fields(c, record);
	return rc;
}

static enum err_code all(struct cases *c, const struct record_type *t, unsigned rounds)
{
	enum err_code rc = limit_cases(c);
	for (c->round = 0; rc == ERR_OK && c->round < rounds; c->round++) {
		arena_reset(c->arena);
		rc = one_round(c, t);
	}
	return rc;
}

enum err_code record_cases_run(const struct record_type *t, uint64_t seed, unsigned rounds, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *types = arena_new(0), *arena = arena_new(0);
	if (!types || !arena)
		return err_set(reterr, ERR_NOMEM, "no memory for cases");
	struct cases c = {.type = record_unchecked(t, types), .seed = seed, .arena = arena, .reterr = reterr};
	struct err why = ERR_INIT;
	random_init_seed(&c.random, seed);
	if (record_type_check(t, &why) != ERR_OK)
		return broken(&c, "table: %s", why.msg);
	return all(&c, t, rounds);
}
