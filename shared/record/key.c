/* shared/record/key.c: values as bytes that memcmp sorts as the values do. */
#include <string.h>

#include "shared/record/internal.h"

/* Names, not numbers: an enum's numbers belong to this build only, its words stand in the store. */
static void text_key(struct buf *out, const char *s)
{
	if (s)
		buf_text(out, s);
	buf_byte(out, 0);
}

/* IEEE 754: positive numbers sort by their bits, negative ones the other way round. */
static uint64_t float_key(double v)
{
	uint64_t bits, sign = (uint64_t)1 << 63;
	if (v == 0)
		v = 0; /* one zero */
	memcpy(&bits, &v, sizeof(bits));
	return bits & sign ? ~bits : bits | sign;
}

enum err_code record_field_key(const struct field *f, const void *record, struct buf *out, struct err *reterr)
{
	const struct context cx = {.form = FORM_C, .reterr = reterr};
	const struct place root = PLACE_ROOT, here = place_field(&root, f);
	const void *p = value_in(f, record);
	switch (f->kind) {
	case FIELD_BOOL:
		buf_byte(out, *(const bool *)p);
		break;
	case FIELD_U32:
		buf_be32(out, *(const uint32_t *)p);
		break;
	case FIELD_U64:
	case FIELD_TIME:
	case FIELD_DURATION:
	case FIELD_SIZE:
		buf_be64(out, *(const uint64_t *)p);
		break;
	case FIELD_I64: /* the sign bit turned round puts negative numbers first */
		buf_be64(out, (uint64_t) * (const int64_t *)p ^ (uint64_t)1 << 63);
		break;
	case FIELD_F64:
		buf_be64(out, float_key(*(const double *)p));
		break;
	case FIELD_ENUM:
		if (number_get(f, p) >= f->enum_type->count)
			return fail(&cx, &here, ERR_INVALID, "is no value of %s", f->enum_type->name);
		text_key(out, f->enum_type->names[number_get(f, p)]);
		break;
	case FIELD_ID:
	case FIELD_DIGEST:
		buf_append(out, p, value_size(f));
		break;
	case FIELD_STRING:
		text_key(out, *(const char *const *)p);
		break;
	default:
		return fail(&cx, &here, ERR_UNSUPPORTED, "is of a kind that has no order");
	}
	return out->failed ? fail(&cx, &here, ERR_NOMEM, "no room for its key") : ERR_OK;
}

enum err_code record_key(const struct record_type *t, const void *record, struct buf *out, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	size_t before = out->size;
	for (uint32_t i = 0; rc == ERR_OK && i < t->field_count; i++)
		if (t->fields[i].flags & FIELD_KEY)
			rc = record_field_key(&t->fields[i], record, out, reterr);
	if (rc == ERR_OK && out->size == before)
		rc = err_set(reterr, ERR_UNSUPPORTED, "%s: the type has no key", t->name);
	return rc;
}
