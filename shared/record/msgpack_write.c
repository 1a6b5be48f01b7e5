/* shared/record/msgpack_write.c: one record is one map from field names, in the order of the table, with the shortest
 * form of every number: the same record gives the same bytes, so that they can be hashed and signed. */
#include <msgpack.h>
#include <string.h>

#include "shared/record/internal.h"

static int append(void *out, const char *data, size_t size)
{
	struct buf *b = out;
	buf_append(b, data, size);
	return b->failed ? -1 : 0;
}

static void write_text(msgpack_packer *pk, const char *s)
{
	size_t n = strlen(s);
	msgpack_pack_str(pk, n);
	msgpack_pack_str_body(pk, s, n);
}

static void write_bytes(msgpack_packer *pk, const void *data, size_t n)
{
	msgpack_pack_bin(pk, n);
	if (n)
		msgpack_pack_bin_body(pk, data, n);
}

static void write_record(msgpack_packer *pk, const struct record_type *t, const void *record);
static void write_value(msgpack_packer *pk, const struct field *f, const void *p);

static void write_list(msgpack_packer *pk, const struct field *f, const struct list *list)
{
	struct field item = item_field(f);
	size_t size = value_size(&item);
	msgpack_pack_array(pk, list->count);
	for (size_t i = 0; i < list->count; i++)
		write_value(pk, &item, item_at(list, size, i));
}

static void write_value(msgpack_packer *pk, const struct field *f, const void *p)
{
	/* An empty list is known from a missing one only by those who have a default for it; the others never write it.
	 */
	if (zero_is_missing(f) && f->kind != FIELD_LIST && f->kind != FIELD_BYTES && value_absent(f, p)) {
		msgpack_pack_nil(pk);
		return;
	}
	switch (f->kind) {
	case FIELD_BOOL:
		*(const bool *)p ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
		break;
	case FIELD_ENUM:
		write_text(pk, enum_name(f->enum_type, *(const uint32_t *)p));
		break;
	case FIELD_I64:
		msgpack_pack_int64(pk, *(const int64_t *)p);
		break;
	case FIELD_F64: /* one zero: -0.0 equals it, and equal records give equal bytes */
		msgpack_pack_double(pk, *(const double *)p == 0 ? 0.0 : *(const double *)p);
		break;
	case FIELD_ID:
		write_bytes(pk, p, sizeof(struct id));
		break;
	case FIELD_DIGEST:
		write_bytes(pk, p, sizeof(struct digest));
		break;
	case FIELD_STRING:
	case FIELD_JSON:
		write_text(pk, *(const char *const *)p);
		break;
	case FIELD_BYTES:
		write_bytes(pk, ((const struct bytes *)p)->data, ((const struct bytes *)p)->size);
		break;
	case FIELD_RECORD:
		write_record(pk, f->type, *(const void *const *)p);
		break;
	case FIELD_INLINE:
		write_record(pk, f->type, p);
		break;
	case FIELD_LIST:
		write_list(pk, f, p);
		break;
	default:
		msgpack_pack_uint64(pk, number_get(f, p));
	}
}

static void write_record(msgpack_packer *pk, const struct record_type *t, const void *record)
{
	uint64_t written = 0;
	for (uint32_t i = 0; i < t->field_count; i++)
		if (value_written(&t->fields[i], value_in(&t->fields[i], record)))
			written |= (uint64_t)1 << i;
	msgpack_pack_map(pk, (size_t)__builtin_popcountll(written));
	for (uint32_t i = 0; i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		if (!(written >> i & 1))
			continue;
		write_text(pk, f->name);
		write_value(pk, f, value_in(f, record));
	}
}

enum err_code record_to_msgpack(const struct record_type *t, const void *record, struct buf *out, struct err *reterr)
{
	enum err_code rc = record_check(t, record, reterr);
	if (rc != ERR_OK)
		return rc;
	msgpack_packer pk;
	msgpack_packer_init(&pk, out, append);
	write_record(&pk, t, record);
	return out->failed ? err_set(reterr, ERR_NOMEM, "%s: no room for its msgpack", t->name) : ERR_OK;
}
