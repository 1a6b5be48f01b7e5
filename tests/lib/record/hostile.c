/* tests/lib/record/hostile.c: bytes that nobody should send. */
#include <stdio.h>
#include <string.h>

#include "shared/record/msgpack_cursor.h"
#include "tests/lib/record/cases.h"

enum {
	CUTS_WHOLE = 1 << 11, /* up to here every length is tried */
	CUTS_SAMPLED = 256,
	CHANGES = 60,         /* random changes, of each form */
	MEMORY_MAX = 8 << 20, /* what a small hostile message may use */
};

static bool from(
    struct cases *c, enum record_form form, const void *data, size_t size, unsigned options, void *ret, struct err *why)
{
	if (form == FORM_C)
		return record_from_msgpack(c->type, data, size, c->arena, ret, why) == ERR_OK;
	if (form == FORM_JSON)
		return record_from_json(c->type, data, size, options, c->arena, ret, why) == ERR_OK;
	return record_from_yaml(c->type, "hostile", data, size, c->arena, ret, why) == ERR_OK;
}

/* Decodes a copy of exactly that size, so that a sanitizer sees a read behind it.  Refused: the record stays as it was,
 * and the error says something. */
static enum err_code decode(struct cases *c, enum record_form form, const void *data, size_t size, unsigned options,
    const char *what, void **ret_record)
{
	CLEANUP(cleanup_free) void *exact = malloc(size ? size : 1);
	struct err why = ERR_INIT;
	unsigned char *record = arena_alloc(c->arena, c->type->size);
	*ret_record = NULL;
	if (!exact || !record)
		return broken(c, "%s: no memory", what);
	memcpy(exact, data, size);
	memset(record, 0xa5, c->type->size);
	size_t used = arena_used(c->arena);
	if (from(c, form, exact, size, options, record, &why)) {
		*ret_record = record;
		return ERR_OK;
	}
	for (size_t i = 0; i < c->type->size; i++)
		if (record[i] != 0xa5)
			return broken(c, "%s: refused, but the record was written to", what);
	if (arena_used(c->arena) - used > MEMORY_MAX + 64 * size)
		return broken(c, "%s: refused after %zu bytes of memory", what, arena_used(c->arena) - used);
	if (why.code == ERR_OK || !why.msg[0])
		return broken(c, "%s: refused without a word", what);
	return ERR_OK;
}

static enum err_code must_refuse(
    struct cases *c, enum record_form form, const void *data, size_t size, unsigned options, const char *what)
{
	void *record;
	enum err_code rc = decode(c, form, data, size, options, what, &record);
	return rc == ERR_OK && record ? broken(c, "%s: accepted", what) : rc;
}

static enum err_code must_equal(
    struct cases *c, enum record_form form, const struct buf *b, const void *record, const char *what)
{
	void *back;
	enum err_code rc = decode(c, form, b->data, b->size, 0, what, &back);
	if (rc == ERR_OK && !back)
		return broken(c, "%s: refused", what);
	return rc == ERR_OK && !record_equal(c->type, record, back) ? broken(c, "%s: another record", what) : rc;
}

/* Accepted or not: no harm, and what is accepted is valid. */
static enum err_code may_accept(struct cases *c, enum record_form form, const void *data, size_t size, const char *what)
{
	void *record;
	enum err_code rc = decode(c, form, data, size, 0, what, &record);
	return rc == ERR_OK && record ? comes_back(c, c->type, record, what) : rc;
}

static enum err_code cuts(struct cases *c, const struct buf *b)
{
	enum err_code rc = ERR_OK;
	size_t tries = b->size <= CUTS_WHOLE ? b->size : CUTS_SAMPLED;
	for (size_t i = 0; rc == ERR_OK && i < tries; i++) {
		size_t size = b->size <= CUTS_WHOLE ? i : (size_t)random_below(&c->random, b->size);
		rc = must_refuse(c, FORM_C, b->data, size, 0, "msgpack cut short");
	}
	return rc;
}

static enum err_code with_tail(struct cases *c, const struct buf *b)
{
	CLEANUP(buf_done) struct buf longer = BUF_INIT;
	buf_append(&longer, b->data, b->size);
	buf_byte(&longer, 0xc0);
	return must_refuse(c, FORM_C, longer.data, longer.size, 0, "msgpack with a byte behind it");
}

static enum err_code changes(struct cases *c, enum record_form form, const struct buf *b)
{
	static const uint8_t telling[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc7, 0xcb,
	    0xd9, 0xdb, 0xdd, 0xdf, 0xff, '"', '\\', '{', '}', '[', ']', ':', ',', '\n', '&', '*', '!', '|', '#', '-',
	    '0', ' '};
	CLEANUP(buf_done) struct buf changed = BUF_INIT;
	enum err_code rc = ERR_OK;
	for (unsigned i = 0; rc == ERR_OK && b->size && i < CHANGES; i++) {
		buf_clear(&changed);
		buf_append(&changed, b->data, b->size);
		for (uint64_t n = 1 + random_below(&c->random, 3); n > 0; n--) {
			size_t at = (size_t)random_below(&c->random, changed.size);
			changed.data[at] = random_below(&c->random, 2)
					       ? telling[random_below(&c->random, sizeof(telling))]
					       : (uint8_t)random_u64(&c->random);
		}
		rc = may_accept(c, form, changed.data, changed.size, "changed bytes");
	}
	return rc;
}

static void put_map_head(struct buf *out, uint32_t pairs)
{
	buf_byte(out, 0xdf);
	buf_be32(out, pairs);
}

static void put_key(struct buf *out, const char *key)
{
	buf_byte(out, 0xd9);
	buf_byte(out, (uint8_t)strlen(key));
	buf_text(out, key);
}

/* {"a":[1,{"b":nil}]} under a key that no type has. */
static const uint8_t foreign[] = {0x81, 0xa1, 'a', 0x92, 0x01, 0x81, 0xa1, 'b', 0xc0};
static const char unknown_key[] = "zz_unknown";

static enum err_code unknown_msgpack(struct cases *c, const struct buf *b, const void *record)
{
	CLEANUP(buf_done) struct buf more = BUF_INIT, deep = BUF_INIT;
	struct cursor at = {b->data, b->data + b->size};
	struct token map = cursor_next(&at);
	put_map_head(&more, map.count + 1);
	put_key(&more, unknown_key);
	buf_append(&more, foreign, sizeof(foreign));
	buf_append(&more, at.at, (size_t)(at.end - at.at));
	enum err_code rc = must_equal(c, FORM_C, &more, record, "an unknown key in msgpack");
	if (rc != ERR_OK)
		return rc;
	put_map_head(&deep, map.count + 1);
	put_key(&deep, unknown_key);
	for (unsigned i = 0; i < 10000; i++)
		buf_byte(&deep, 0x91);
	buf_byte(&deep, 0xc0);
	buf_append(&deep, at.at, (size_t)(at.end - at.at));
	return must_refuse(c, FORM_C, deep.data, deep.size, 0, "ten thousand levels under an unknown key");
}

static enum err_code unknown_text(struct cases *c, const void *record)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT, more = BUF_INIT;
	if (record_to_json(c->type, record, RECORD_WITH_SECRETS, &text, NULL) != ERR_OK)
		return broken(c, "no JSON");
	buf_printf(
	    &more, "{\"%s\":{\"a\":[1,{\"b\":null}]}%s%s", unknown_key, text.size > 2 ? "," : "", buf_str(&text) + 1);
	enum err_code rc = must_equal(c, FORM_JSON, &more, record, "an unknown key in JSON");
	if (rc == ERR_OK)
		rc = must_refuse(c, FORM_JSON, more.data, more.size, RECORD_STRICT, "an unknown key in strict JSON");
	buf_clear(&text);
	buf_clear(&more);
	if (rc != ERR_OK || record_to_yaml(c->type, record, &text, NULL) != ERR_OK)
		return rc == ERR_OK ? broken(c, "no YAML") : rc;
	buf_printf(&more, "%s: 1\n%s", unknown_key, text.size > 3 ? buf_str(&text) : "");
	return must_refuse(c, FORM_YAML, more.data, more.size, 0, "an unknown key in YAML");
}

enum err_code hostile_cases(struct cases *c, const void *record)
{
	CLEANUP(buf_done) struct buf packed = BUF_INIT, json = BUF_INIT, yaml = BUF_INIT;
	if (record_to_msgpack(c->type, record, &packed, NULL) != ERR_OK ||
	    record_to_json(c->type, record, 0, &json, NULL) != ERR_OK ||
	    record_to_yaml(c->type, record, &yaml, NULL) != ERR_OK)
		return broken(c, "cannot be written");
	enum err_code rc = cuts(c, &packed);
	if (rc == ERR_OK)
		rc = with_tail(c, &packed);
	if (rc == ERR_OK)
		rc = unknown_msgpack(c, &packed, record);
	if (rc == ERR_OK)
		rc = unknown_text(c, record);
	if (rc == ERR_OK)
		rc = changes(c, FORM_C, &packed);
	if (rc == ERR_OK)
		rc = changes(c, FORM_JSON, &json);
	return rc == ERR_OK ? changes(c, FORM_YAML, &yaml) : rc;
}

/* ---- one field at a time ---- */

/* The record's msgpack with f's pair as told: NULL value: left out; twice: the pair stands there twice. */
static void replaced(
    struct cases *c, const void *record, const struct field *f, const struct bytes *value, bool twice, struct buf *out)
{
	CLEANUP(buf_done) struct buf b = BUF_INIT, pairs = BUF_INIT;
	uint32_t count = 0;
	if (record_to_msgpack(c->type, record, &b, NULL) != ERR_OK)
		return;
	struct cursor at = {b.data, b.data + b.size};
	struct token map = cursor_next(&at);
	for (uint32_t i = 0; i < map.count; i++) {
		const uint8_t *begin = at.at;
		struct token key = cursor_next(&at);
		cursor_skip(&at, RECORD_DEPTH_MAX);
		if (key.size == strlen(f->name) && memcmp(key.data, f->name, key.size) == 0)
			continue;
		buf_append(&pairs, begin, (size_t)(at.at - begin));
		count++;
	}
	for (unsigned i = 0; value && i < (twice ? 2 : 1); i++, count++) {
		put_key(&pairs, f->name);
		buf_append(&pairs, value->data, value->size);
	}
	put_map_head(out, count);
	buf_append(out, pairs.data, pairs.size);
}

struct poison {
	const char *what;
	const char *bytes;
	size_t size;
	uint32_t allowed; /* kinds that may take it, as bits */
};
#define P(WHAT, BYTES, ALLOWED)                                                                                        \
	{                                                                                                              \
		WHAT, BYTES, sizeof(BYTES) - 1, ALLOWED                                                                \
	}
#define K(KIND) (1u << FIELD_##KIND)
enum {
	RECORDS = K(RECORD) | K(INLINE),
};
static const struct poison poisons[] = {
    P("a negative number", "\xff", K(I64) | K(F64)),
    P("a negative number of 64 bits", "\xd3\x80\0\0\0\0\0\0\0", K(I64) | K(F64)),
    P("2^64-1", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", K(U64) | K(DURATION) | K(SIZE) | K(F64)),
    P("NaN", "\xcb\x7f\xf8\0\0\0\0\0\0", 0),
    P("infinity", "\xca\x7f\x80\0\0", 0),
    P("a float", "\xcb\x3f\xf8\0\0\0\0\0\0", K(F64)),
    P("bad UTF-8", "\xa2\xc3\x28", 0),
    P("a NUL in text",
	"\xa3"
	"a\0b",
	0),
    P("a string of 4 GiB",
	"\xdb\xff\xff\xff\xff"
	"abc",
	0),
    P("bytes of 4 GiB",
	"\xc6\xff\xff\xff\xff"
	"abc",
	0),
    P("an array of 4 G", "\xdd\xff\xff\xff\xff\xc0", 0),
    P("a map of 4 G", "\xdf\xff\xff\xff\xff\xc0", 0),
    P("an extension", "\xd4\x01\x02", 0),
    P("a timestamp", "\xd6\xff\0\0\0\0", 0),
    P("nothing that msgpack knows", "\xc1", 0),
    P("an array in itself", "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0", 0),
    P("an array of nil", "\x91\xc0", 0),
    P("true", "\xc3", K(BOOL)),
    P("an empty map", "\x80", RECORDS),
    P("an empty array", "\x90", K(LIST)),
    P("empty bytes", "\xc4\0", K(BYTES)),
    P("a word that no enum has",
	"\xa6"
	"zz_not",
	K(STRING)),
};

static enum err_code poisoned(struct cases *c, const void *record, const struct field *f, const struct poison *p)
{
	CLEANUP(buf_done) struct buf bytes = BUF_INIT;
	struct bytes value = {(const uint8_t *)p->bytes, p->size};
	char what[160];
	snprintf(what, sizeof(what), "%s in place of %s", p->what, f->name);
	replaced(c, record, f, &value, false, &bytes);
	if (p->allowed & 1u << f->kind)
		return may_accept(c, FORM_C, bytes.data, bytes.size, what);
	return must_refuse(c, FORM_C, bytes.data, bytes.size, 0, what);
}

/* Left out, nil, and there twice. */
static enum err_code presence(struct cases *c, const void *record, const struct field *f)
{
	static const uint8_t nil[] = {0xc0};
	const struct bytes nothing = {nil, 1};
	CLEANUP(buf_done) struct buf bytes = BUF_INIT;
	char what[160];
	replaced(c, record, f, NULL, false, &bytes);
	snprintf(what, sizeof(what), "msgpack without %s", f->name);
	enum err_code rc = f->flags & FIELD_REQUIRED && f->kind != FIELD_INLINE
			       ? must_refuse(c, FORM_C, bytes.data, bytes.size, 0, what)
			       : may_accept(c, FORM_C, bytes.data, bytes.size, what);
	if (rc != ERR_OK)
		return rc;
	buf_clear(&bytes);
	replaced(c, record, f, &nothing, false, &bytes);
	snprintf(what, sizeof(what), "nil in place of %s", f->name);
	rc = f->flags & FIELD_REQUIRED ? must_refuse(c, FORM_C, bytes.data, bytes.size, 0, what)
				       : may_accept(c, FORM_C, bytes.data, bytes.size, what);
	if (rc != ERR_OK)
		return rc;
	buf_clear(&bytes);
	replaced(c, record, f, &nothing, true, &bytes);
	snprintf(what, sizeof(what), "%s twice", f->name);
	return must_refuse(c, FORM_C, bytes.data, bytes.size, 0, what);
}

enum err_code hostile_fields(struct cases *c, const void *record)
{
	enum err_code rc = ERR_OK;
	for (uint32_t i = 0; rc == ERR_OK && i < c->type->field_count; i++) {
		const struct field *f = &c->type->fields[i];
		rc = presence(c, record, f);
		for (size_t k = 0; rc == ERR_OK && k < sizeof(poisons) / sizeof(poisons[0]); k++)
			rc = poisoned(c, record, f, &poisons[k]);
	}
	return rc;
}
