/* shared/record/json_write.c: records as JSON, compact or for people. */
#include <string.h>

#include "shared/record/internal.h"

struct writer {
	struct buf *out;
	unsigned options;
	unsigned depth;
};

static void new_line(struct writer *w)
{
	if (!(w->options & RECORD_PRETTY))
		return;
	buf_byte(w->out, '\n');
	for (unsigned i = 0; i < w->depth; i++)
		buf_text(w->out, "  ");
}

static void open_bracket(struct writer *w, char c)
{
	buf_byte(w->out, (uint8_t)c);
	w->depth++;
}

static void close_bracket(struct writer *w, char c, bool empty)
{
	w->depth--;
	if (!empty)
		new_line(w);
	buf_byte(w->out, (uint8_t)c);
}

static void separate(struct writer *w, bool *first)
{
	if (!*first)
		buf_byte(w->out, ',');
	*first = false;
	new_line(w);
}

static void write_key(struct writer *w, const char *quoted)
{
	buf_text(w->out, quoted);
	buf_text(w->out, w->options & RECORD_PRETTY ? ": " : ":");
}

static void write_record(struct writer *w, const struct record_type *t, const void *record, const struct field *but);
static void write_value(struct writer *w, const struct field *f, const void *p);

static void write_list(struct writer *w, const struct field *f, const struct list *list)
{
	struct field item = item_field(f);
	const struct field *key = f->flags & FIELD_KEYED ? key_field(f->type) : NULL;
	size_t size = value_size(&item);
	bool first = true;
	open_bracket(w, key ? '{' : '[');
	for (size_t i = 0; i < list->count; i++) {
		const void *p = item_at(list, size, i);
		separate(w, &first);
		if (key) {
			json_quote(w->out, *(const char *const *)value_in(key, p));
			write_key(w, "");
			write_record(w, f->type, p, key);
		} else {
			write_value(w, &item, p);
		}
	}
	close_bracket(w, key ? '}' : ']', first);
}

static void write_scalar(struct writer *w, const struct field *f, const void *p)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	bool plain;
	if (f->kind == FIELD_STRING) {
		json_quote(w->out, *(const char *const *)p);
		return;
	}
	scalar_write(FORM_JSON, f, p, &text, &plain);
	if (!plain)
		buf_byte(w->out, '"'); /* none of these kinds has anything to escape */
	buf_append(w->out, text.data, text.size);
	if (!plain)
		buf_byte(w->out, '"');
	if (text.failed)
		w->out->failed = true;
}

static void write_value(struct writer *w, const struct field *f, const void *p)
{
	if (zero_is_missing(f) && f->kind != FIELD_LIST && f->kind != FIELD_BYTES && value_absent(f, p))
		buf_text(w->out, "null");
	else if (f->kind == FIELD_LIST)
		write_list(w, f, p);
	else if (f->kind == FIELD_INLINE)
		write_record(w, f->type, p, NULL);
	else if (f->kind == FIELD_RECORD)
		write_record(w, f->type, *(const void *const *)p, NULL);
	else if (f->kind == FIELD_JSON)
		buf_text(w->out, *(const char *const *)p);
	else
		write_scalar(w, f, p);
}

static void write_record(struct writer *w, const struct record_type *t, const void *record, const struct field *but)
{
	bool first = true;
	open_bracket(w, '{');
	for (uint32_t i = 0; i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		const void *p = value_in(f, record);
		bool hidden = f->flags & FIELD_SECRET && !(w->options & RECORD_WITH_SECRETS);
		if (f == but || hidden || !value_written(f, p))
			continue;
		const char *name;
		size_t n = form_name(FORM_JSON, f, &name);
		separate(w, &first);
		buf_byte(w->out, '"');
		buf_append(w->out, name, n);
		write_key(w, "\"");
		write_value(w, f, p);
	}
	close_bracket(w, '}', first);
}

enum err_code record_to_json(
    const struct record_type *t, const void *record, unsigned options, struct buf *out, struct err *reterr)
{
	enum err_code rc = record_check(t, record, reterr);
	if (rc != ERR_OK)
		return rc;
	struct writer w = {.out = out, .options = options};
	write_record(&w, t, record, NULL);
	return out->failed ? err_set(reterr, ERR_NOMEM, "%s: no room for its JSON", t->name) : ERR_OK;
}
