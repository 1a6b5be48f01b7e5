/* shared/record/human.c: one field as a person reads it.  What came from elsewhere cannot steer a terminal: control
 * characters and marks that turn the direction of writing are shown as "?". */
#include <inttypes.h>
#include <string.h>

#include "shared/record/internal.h"

/* U+0080 to U+009F, U+202A to U+202E, U+2066 to U+2069. */
static bool steering(const uint8_t *c, size_t n)
{
	if (n == 2)
		return c[0] == 0xc2 && c[1] < 0xa0;
	if (n != 3 || c[0] != 0xe2)
		return false;
	return (c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) || (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

static void human_text(struct buf *out, const char *s)
{
	size_t left = strlen(s);
	if (left == 0)
		buf_text(out, "\"\"");
	for (const uint8_t *c = (const uint8_t *)s; left > 0;) {
		size_t n = text_utf8_length(c, left);
		size_t step = n ? n : 1;
		if (n == 1 && (*c == '\n' || *c == '\t' || *c == '\r'))
			buf_byte(out, ' ');
		else if (n == 0 || *c < 0x20 || *c == 0x7f || steering(c, n))
			buf_byte(out, '?');
		else
			buf_append(out, c, n);
		c += step;
		left -= step;
	}
}

static void human_value(const struct field *f, const void *p, struct buf *out, unsigned depth);

/* A record is called by its key, or else by its first field. */
static void human_record(const struct record_type *t, const void *record, struct buf *out, unsigned depth)
{
	const struct field *f = key_field(t);
	f = f ? f : &t->fields[0];
	if (depth == RECORD_DEPTH_MAX)
		buf_text(out, "…");
	else
		human_value(f, value_in(f, record), out, depth + 1);
}

static void human_list(const struct field *f, const struct list *list, struct buf *out, unsigned depth)
{
	struct field item = item_field(f);
	size_t size = value_size(&item);
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_text(out, ", ");
		human_value(&item, item_at(list, size, i), out, depth);
	}
}

static void human_number(const struct field *f, uint64_t v, struct buf *out)
{
	char text[TEXT_TIME_MAX];
	if (f->kind == FIELD_DURATION) {
		buf_text(out, text_duration_human(v, text));
	} else if (f->kind == FIELD_SIZE) {
		buf_text(out, text_size_human(v, text));
	} else if (f->kind == FIELD_TIME) {
		text_time(v, text);
		buf_append(out, text, strlen("2026-11-23T04:12:33"));
		buf_byte(out, 'Z');
	} else if (f->kind == FIELD_BOOL) {
		buf_text(out, v ? "yes" : "no");
	} else {
		buf_printf(out, "%" PRIu64, v);
	}
}

/* Zero is worth saying of a number, not of a time, a duration or anything that would be empty. */
static bool says_nothing(const struct field *f, const void *p)
{
	bool number = f->kind == FIELD_BOOL || f->kind == FIELD_U32 || f->kind == FIELD_U64 || f->kind == FIELD_I64 ||
		      f->kind == FIELD_F64 || f->kind == FIELD_ENUM;
	return !number && !(f->flags & FIELD_ALWAYS && kind_is_number(f->kind)) && value_absent(f, p);
}

static void human_value(const struct field *f, const void *p, struct buf *out, unsigned depth)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	bool plain;
	if (says_nothing(f, p)) {
		buf_byte(out, '-');
		return;
	}
	if (f->flags & FIELD_SECRET) {
		buf_text(out, "(secret)");
		return;
	}
	switch (f->kind) {
	case FIELD_STRING:
	case FIELD_JSON:
		human_text(out, *(const char *const *)p);
		break;
	case FIELD_LIST:
		human_list(f, p, out, depth);
		break;
	case FIELD_RECORD:
		human_record(f->type, *(const void *const *)p, out, depth);
		break;
	case FIELD_INLINE:
		human_record(f->type, p, out, depth);
		break;
	case FIELD_BYTES:
		buf_printf(out, "%zu bytes", ((const struct bytes *)p)->size);
		break;
	case FIELD_I64:
	case FIELD_F64:
	case FIELD_ENUM:
	case FIELD_ID:
	case FIELD_DIGEST:
		scalar_write(FORM_YAML, f, p, &text, &plain);
		buf_append(out, text.data, text.size);
		break;
	default:
		human_number(f, number_get(f, p), out);
	}
	if (text.failed)
		out->failed = true;
}

void record_field_text(const struct field *f, const void *record, struct buf *out)
{
	human_value(f, value_in(f, record), out, 0);
}
