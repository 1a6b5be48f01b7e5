/* shared/record/scalar.c: one value as text, in JSON and in YAML. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "shared/record/internal.h"

/* The largest whole number that every JSON reader keeps (RFC 7493 §2.2); beyond it JSON has the digits as a string. */
#define JSON_NUMBER_MAX (((uint64_t)1 << 53) - 1)

static void words(const struct enum_type *e, char *out, size_t room)
{
	size_t used = (size_t)snprintf(out, room, "one of");
	for (uint32_t i = 0; i < e->count && used < room; i++)
		if (e->names[i])
			used += (size_t)snprintf(out + used, room - used, "%s %s", used > 6 ? "," : "", e->names[i]);
}

static const char *expected(enum record_form form, const struct field *f, char *out, size_t room)
{
	switch (f->kind) {
	case FIELD_BOOL:
		return "true or false";
	case FIELD_U32:
	case FIELD_U64:
		return "a whole number from 0";
	case FIELD_I64:
		return "a whole number";
	case FIELD_F64:
		return "a number";
	case FIELD_TIME:
		return "a time such as \"2026-11-23T04:12:33Z\"";
	case FIELD_DURATION:
		return form == FORM_JSON ? "a number of milliseconds" : "a duration such as \"30s\"";
	case FIELD_SIZE:
		return form == FORM_JSON ? "a number of bytes" : "a size such as \"64MiB\"";
	case FIELD_ENUM:
		words(f->enum_type, out, room);
		return out;
	case FIELD_ID:
		snprintf(out, room, "an id such as \"%s-\" and 26 characters", id_kind_prefix(f->id_kind));
		return out;
	case FIELD_DIGEST:
		return "64 hex digits";
	case FIELD_STRING:
		return "text";
	case FIELD_BYTES:
		return "base64";
	case FIELD_LIST:
		if (f->flags & FIELD_KEYED)
			return form == FORM_JSON ? "an object from names" : "a mapping from names";
		return "a list";
	default:
		return form == FORM_JSON ? "an object" : "a mapping";
	}
}

enum err_code fail_expected(const struct context *cx, const struct place *at, const struct field *f, const char *got)
{
	char room[256], echo[RECORD_ECHO_MAX + 1];
	const char *wanted = expected(cx->form, f, room, sizeof(room));
	if (f->flags & (FIELD_SECRET | FIELD_PHI))
		return fail(cx, at, ERR_INVALID, "expected %s", wanted); /* what was given is not repeated */
	text_copy(echo, sizeof(echo), got);
	for (char *c = echo; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	return fail(cx, at, ERR_INVALID, "expected %s, got %s", wanted, echo[0] ? echo : "\"\"");
}

static bool number_read(enum record_form form, const struct field *f, const char *s, bool plain, uint64_t *ret)
{
	if (form == FORM_YAML && f->kind == FIELD_DURATION)
		return text_duration_ms(s, ret, NULL) == ERR_OK;
	if (form == FORM_YAML && f->kind == FIELD_SIZE)
		return text_size_bytes(s, ret, NULL) == ERR_OK;
	if (!plain && (form != FORM_JSON || f->kind == FIELD_U32))
		return false;
	return text_u64(s, ret, NULL) == ERR_OK && (f->kind != FIELD_U32 || *ret <= UINT32_MAX);
}

static bool bool_read(const char *s, bool plain, bool *ret)
{
	bool yes = strcmp(s, "true") == 0;
	if (!plain || (!yes && strcmp(s, "false") != 0))
		return false;
	*ret = yes;
	return true;
}

static enum err_code string_read(const struct context *cx, const struct place *at, const char *s, const char **ret)
{
	const char *copy = arena_strdup(cx->arena, s);
	if (!copy)
		return fail_memory(cx, at);
	*ret = copy;
	return ERR_OK;
}

static enum err_code bytes_read(
    const struct context *cx, const struct place *at, const struct field *f, const char *s, struct bytes *ret)
{
	CLEANUP(buf_done) struct buf raw = BUF_INIT;
	size_t n = strlen(s);
	if (text_unbase64(&raw, s, n, NULL) != ERR_OK)
		return fail_expected(cx, at, f, s);
	if (raw.size == 0)
		return ERR_OK;
	struct bytes copy = {arena_dup(cx->arena, raw.data, raw.size), raw.size};
	if (!copy.data)
		return fail_memory(cx, at);
	*ret = copy;
	return ERR_OK;
}

/* Kinds that are text in every form; false: it is no such text. */
static bool word_read(const struct field *f, const char *s, void *p)
{
	switch (f->kind) {
	case FIELD_ENUM:
		return enum_value(f->enum_type, s, p);
	case FIELD_ID:
		return id_parse(f->id_kind, s, p, NULL) == ERR_OK;
	case FIELD_DIGEST:
		return text_unhex(s, p, sizeof(struct digest), NULL) == ERR_OK;
	default:
		return text_parse_time(s, p, NULL) == ERR_OK;
	}
}

enum err_code scalar_read(
    const struct context *cx, const struct place *at, const struct field *f, const char *s, bool plain, void *p)
{
	bool textual = cx->form == FORM_YAML || !plain; /* may be text; JSON tells text from numbers */
	enum err_code rc = ERR_OK;
	bool fits;
	uint64_t v;
	switch (f->kind) {
	case FIELD_STRING:
		fits = textual;
		if (fits)
			rc = string_read(cx, at, s, p);
		break;
	case FIELD_BYTES:
		fits = textual;
		if (fits)
			rc = bytes_read(cx, at, f, s, p);
		break;
	case FIELD_ENUM:
	case FIELD_ID:
	case FIELD_DIGEST:
	case FIELD_TIME:
		fits = textual && word_read(f, s, p);
		break;
	case FIELD_BOOL:
		fits = bool_read(s, plain, p);
		break;
	case FIELD_F64:
		fits = plain && text_f64(s, p, NULL) == ERR_OK;
		break;
	case FIELD_I64:
		fits = (plain || cx->form == FORM_JSON) && text_i64(s, p, NULL) == ERR_OK;
		break;
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_DURATION:
	case FIELD_SIZE:
		fits = number_read(cx->form, f, s, plain, &v);
		if (fits)
			number_set(f, p, v);
		break;
	default:
		fits = false;
	}
	if (!fits)
		return fail_expected(cx, at, f, s);
	return rc == ERR_OK ? value_check(cx, at, f, p) : rc;
}

void float_write(double v, struct buf *out)
{
	char text[40];
	if (v == 0)
		v = 0; /* one zero: -0.0 equals it */
	for (int digits = 15; digits <= 17; digits++) {
		double back;
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (text_f64(text, &back, NULL) == ERR_OK && back == v)
			break;
	}
	buf_text(out, text);
}

/* "1h30m": every unit that is not zero. */
static void duration_write(uint64_t ms, struct buf *out)
{
	static const struct {
		const char *name;
		uint64_t worth;
	} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
	if (ms == 0)
		buf_text(out, "0s");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ms >= units[i].worth)
			buf_printf(out, "%" PRIu64 "%s", ms / units[i].worth, units[i].name);
		ms %= units[i].worth;
	}
}

/* The largest unit that divides it; bytes without a unit. */
static void size_write(uint64_t bytes, struct buf *out)
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
	unsigned unit = 0;
	while (bytes && bytes % 1024 == 0 && unit < 4)
		bytes /= 1024, unit++;
	buf_printf(out, "%" PRIu64 "%s", bytes, units[unit]);
}

static void number_write(enum record_form form, const struct field *f, uint64_t v, struct buf *out, bool *ret_plain)
{
	char text[TEXT_TIME_MAX];
	*ret_plain = form != FORM_JSON || v <= JSON_NUMBER_MAX;
	if (f->kind == FIELD_TIME) {
		*ret_plain = false;
		buf_text(out, text_time(v, text));
	} else if (f->kind == FIELD_BOOL) {
		buf_text(out, v ? "true" : "false");
	} else if (form == FORM_YAML && f->kind == FIELD_DURATION) {
		duration_write(v, out);
	} else if (form == FORM_YAML && f->kind == FIELD_SIZE) {
		size_write(v, out);
	} else {
		buf_printf(out, "%" PRIu64, v);
	}
}

void scalar_write(enum record_form form, const struct field *f, const void *p, struct buf *out, bool *ret_plain)
{
	char text[2 * sizeof(struct digest) + 1];
	*ret_plain = false;
	switch (f->kind) {
	case FIELD_STRING:
		buf_text(out, *(const char *const *)p);
		break;
	case FIELD_BYTES:
		text_base64(out, ((const struct bytes *)p)->data, ((const struct bytes *)p)->size);
		break;
	case FIELD_ENUM:
		buf_text(out, enum_name(f->enum_type, *(const uint32_t *)p));
		break;
	case FIELD_ID:
		buf_text(out, id_format(f->id_kind, *(const struct id *)p, text));
		break;
	case FIELD_DIGEST:
		buf_text(out, text_hex(p, sizeof(struct digest), text));
		break;
	case FIELD_F64:
		*ret_plain = true;
		float_write(*(const double *)p, out);
		break;
	case FIELD_I64: {
		int64_t v = *(const int64_t *)p;
		*ret_plain = form != FORM_JSON || (v <= (int64_t)JSON_NUMBER_MAX && v >= -(int64_t)JSON_NUMBER_MAX);
		buf_printf(out, "%" PRId64, v);
		break;
	}
	default:
		number_write(form, f, number_get(f, p), out, ret_plain);
	}
}
