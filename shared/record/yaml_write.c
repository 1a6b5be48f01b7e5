/* shared/record/yaml_write.c: records as YAML for people: block style, short lists in brackets, quotes where a reader
 * could be misled. */
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "shared/record/internal.h"

struct writer {
	yaml_emitter_t emitter;
	struct buf *out;
	bool failed;
};

static void emitter_cleanup(struct writer *w)
{
	yaml_emitter_delete(&w->emitter);
}

static int append(void *out, unsigned char *data, size_t size)
{
	buf_append(out, data, size);
	return !((struct buf *)out)->failed;
}

/* made: the event could be built.  libyaml frees it in any case. */
static void emit(struct writer *w, int made, yaml_event_t *e)
{
	if (!made || w->failed || !yaml_emitter_emit(&w->emitter, e)) {
		if (made && w->failed)
			yaml_event_delete(e);
		w->failed = true;
	}
}

static void emit_text(struct writer *w, const char *s, size_t n, yaml_scalar_style_t style)
{
	yaml_event_t e;
	emit(w, yaml_scalar_event_initialize(&e, NULL, NULL, (const yaml_char_t *)s, (int)n, 1, 1, style), &e);
}

static void emit_map(struct writer *w, bool flow)
{
	yaml_event_t e;
	emit(w,
	    yaml_mapping_start_event_initialize(
		&e, NULL, NULL, 1, flow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE),
	    &e);
}

static void emit_map_end(struct writer *w)
{
	yaml_event_t e;
	emit(w, yaml_mapping_end_event_initialize(&e), &e);
}

static void emit_list(struct writer *w, bool flow)
{
	yaml_event_t e;
	emit(w,
	    yaml_sequence_start_event_initialize(
		&e, NULL, NULL, 1, flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE),
	    &e);
}

static void emit_list_end(struct writer *w)
{
	yaml_event_t e;
	emit(w, yaml_sequence_end_event_initialize(&e), &e);
}

/* Text that some reader of YAML takes for something else when it stands without quotes. */
static bool misleading(const char *s)
{
	static const char *const others[] = {
	    "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<", "="};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcasecmp(s, others[i]) == 0)
			return true;
	s += *s == '-' || *s == '+';
	s += *s == '.';
	return *s >= '0' && *s <= '9';
}

/* Several lines of ordinary text: a certificate, a probe's long output. */
static bool literal(const char *s)
{
	size_t n = strlen(s);
	if (!strchr(s, '\n') || *s == ' ' || *s == '\n' || s[n - 1] == ' ')
		return false;
	for (const char *c = s; *c; c++)
		if (((unsigned char)*c < 0x20 && *c != '\n') || (unsigned char)*c >= 0x7f ||
		    (*c == '\n' && c > s && c[-1] == ' '))
			return false;
	return true;
}

static void emit_string(struct writer *w, const char *s, bool flow)
{
	yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE; /* libyaml quotes what cannot stand plain */
	if (misleading(s))
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	else if (strpbrk(s, "\n\r\t"))
		style = !flow && literal(s) ? YAML_LITERAL_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	emit_text(w, s, strlen(s), style);
}

static void write_node(struct writer *w, const struct node *n) /* as deep as FIELD_JSON may be */
{
	if (n->key)
		emit_text(w, n->key, strlen(n->key), YAML_DOUBLE_QUOTED_SCALAR_STYLE);
	if (n->kind == NODE_MAP)
		emit_map(w, true);
	else if (n->kind == NODE_LIST)
		emit_list(w, true);
	else
		emit_text(w, n->text, strlen(n->text),
		    n->kind == NODE_QUOTED ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE);
	for (const struct node *c = n->first; c; c = c->next)
		write_node(w, c);
	if (n->kind == NODE_MAP)
		emit_map_end(w);
	else if (n->kind == NODE_LIST)
		emit_list_end(w);
}

static void write_json(struct writer *w, const char *text)
{
	size_t size = strlen(text);
	CLEANUP(arena_cleanup) struct arena *scratch = scratch_new(size);
	struct node *n;
	if (scratch && json_parse(text, size, RECORD_DEPTH_MAX, scratch, &n, NULL) == ERR_OK)
		write_node(w, n);
	else
		w->failed = true;
}

static void write_record(struct writer *w, const struct record_type *t, const void *record, const struct field *but);
static void write_value(struct writer *w, const struct field *f, const void *p, bool flow);

static void write_keyed(struct writer *w, const struct field *f, const struct list *list)
{
	const struct field *key = key_field(f->type);
	emit_map(w, list->count == 0);
	for (size_t i = 0; i < list->count; i++) {
		const void *p = item_at(list, f->type->size, i);
		emit_string(w, *(const char *const *)value_in(key, p), true);
		write_record(w, f->type, p, key);
	}
	emit_map_end(w);
}

static void write_list(struct writer *w, const struct field *f, const struct list *list)
{
	struct field item = item_field(f);
	size_t size = value_size(&item);
	bool flow = list->count == 0 || item.kind != FIELD_INLINE;
	emit_list(w, flow);
	for (size_t i = 0; i < list->count; i++)
		write_value(w, &item, item_at(list, size, i), flow);
	emit_list_end(w);
}

static void write_scalar(struct writer *w, const struct field *f, const void *p)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	bool plain;
	scalar_write(FORM_YAML, f, p, &text, &plain);
	if (text.failed)
		w->failed = true;
	else
		emit_text(w, buf_str(&text), text.size,
		    text.size ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

static void write_value(struct writer *w, const struct field *f, const void *p, bool flow)
{
	if (zero_is_missing(f) && f->kind != FIELD_LIST && f->kind != FIELD_BYTES && value_absent(f, p))
		emit_text(w, "null", 4, YAML_PLAIN_SCALAR_STYLE);
	else if (f->kind == FIELD_STRING)
		emit_string(w, *(const char *const *)p, flow);
	else if (f->kind == FIELD_LIST && f->flags & FIELD_KEYED)
		write_keyed(w, f, p);
	else if (f->kind == FIELD_LIST)
		write_list(w, f, p);
	else if (f->kind == FIELD_INLINE)
		write_record(w, f->type, p, NULL);
	else if (f->kind == FIELD_RECORD)
		write_record(w, f->type, *(const void *const *)p, NULL);
	else if (f->kind == FIELD_JSON)
		write_json(w, *(const char *const *)p);
	else
		write_scalar(w, f, p);
}

static void write_record(struct writer *w, const struct record_type *t, const void *record, const struct field *but)
{
	uint64_t written = 0;
	for (uint32_t i = 0; i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		if (f != but && !(f->flags & FIELD_SECRET) && value_written(f, value_in(f, record)))
			written |= (uint64_t)1 << i;
	}
	emit_map(w, !written);
	for (uint32_t i = 0; i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		const char *name;
		size_t n = form_name(FORM_YAML, f, &name);
		if (!(written >> i & 1))
			continue;
		emit_text(w, name, n, YAML_PLAIN_SCALAR_STYLE);
		write_value(w, f, value_in(f, record), false);
	}
	emit_map_end(w);
}

enum err_code record_to_yaml(const struct record_type *t, const void *record, struct buf *out, struct err *reterr)
{
	enum err_code rc = record_check(t, record, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(emitter_cleanup) struct writer w = {.out = out};
	yaml_event_t e;
	if (!yaml_emitter_initialize(&w.emitter))
		return err_set(reterr, ERR_NOMEM, "%s: no memory for its YAML", t->name);
	yaml_emitter_set_output(&w.emitter, append, out);
	yaml_emitter_set_unicode(&w.emitter, 1);
	yaml_emitter_set_width(&w.emitter, -1); /* lines are not folded */
	emit(&w, yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING), &e);
	emit(&w, yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1), &e);
	write_record(&w, t, record, NULL);
	emit(&w, yaml_document_end_event_initialize(&e, 1), &e);
	emit(&w, yaml_stream_end_event_initialize(&e), &e);
	if (w.failed || out->failed)
		return err_set(reterr, ERR_NOMEM, "%s: no room for its YAML", t->name);
	return ERR_OK;
}
