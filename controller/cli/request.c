/* controller/cli/request.c: a request's record from words and options. */
#include <stdlib.h>
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

const struct request_verb *request_verb_of(const char *posts)
{
	size_t count;
	const struct request_verb *all = request_verbs(&count);
	for (size_t i = 0; posts && i < count; i++) {
		size_t n = strlen(all[i].noun);
		if (strncmp(posts, all[i].noun, n) == 0 && posts[n] == '/' && text_equal(posts + n + 1, all[i].verb))
			return &all[i];
	}
	return NULL;
}

static enum err_code wrong_word(struct cli *c, const struct field *f, const char *text)
{
	CLEANUP(buf_done) struct buf words = BUF_INIT;
	for (uint32_t i = 0; i < f->enum_type->count; i++)
		if (f->enum_type->names[i])
			buf_printf(&words, "%s%s", words.size ? ", " : "", f->enum_type->names[i]);
	return err_set(&c->err, ERR_INVALID, "\"%.40s\" is not one of %s", text, buf_str(&words));
}

static enum err_code whole_number(struct cli *c, const struct field *f, const char *text, uint32_t *out)
{
	size_t digits = strspn(text, "0123456789");
	if (!digits || text[digits] || digits > 9)
		return err_set(&c->err, ERR_INVALID, "%s is a whole number, not \"%.40s\"", f->name, text);
	*out = (uint32_t)strtoul(text, NULL, 10);
	return ERR_OK;
}

static enum err_code set_scalar(struct cli *c, const struct field *f, const char *text, void *out)
{
	switch (f->kind) {
	case FIELD_STRING:
		*(const char **)out = text;
		return ERR_OK;
	case FIELD_BOOL:
		*(bool *)out = true;
		return ERR_OK;
	case FIELD_U32:
		return whole_number(c, f, text, out);
	case FIELD_ENUM:
		return enum_value(f->enum_type, text, out) ? ERR_OK : wrong_word(c, f, text);
	case FIELD_DURATION:
		return text_duration_ms(text, out, &c->err);
	case FIELD_TIME:
		return text_parse_time(text, out, &c->err);
	case FIELD_ID:
		return id_parse(f->id_kind, text, out, &c->err);
	default:
		return err_set(&c->err, ERR_INVALID, "%s cannot be given as text", f->name);
	}
}

/* One more of a list; the commas of "web-1,web-2" divide. */
static enum err_code add_items(struct cli *c, const struct field *f, const char *text, struct list *list)
{
	struct field item = *f;
	item.kind = f->elem_kind;
	size_t size = item.kind == FIELD_STRING ? sizeof(char *) : sizeof(uint32_t);
	while (*text) {
		size_t n = strcspn(text, ",");
		char *one = arena_strndup(c->arena, text, n), *grown = arena_array(c->arena, list->count + 1, size);
		if (!one || !grown)
			return err_set(&c->err, ERR_NOMEM, "out of memory");
		if (list->count)
			memcpy(grown, list->items, list->count * size);
		enum err_code rc = n ? set_scalar(c, &item, one, grown + list->count * size)
				     : err_set(&c->err, ERR_INVALID, "an empty name in \"%.40s\"", text);
		if (rc != ERR_OK)
			return rc;
		*list = (struct list){grown, list->count + 1};
		text += n + (text[n] == ',');
	}
	return ERR_OK;
}

enum err_code request_set(struct cli *c, struct request_args *a, const char *field, const char *text)
{
	const struct field *f = record_field(&request_args_type, field);
	void *out = (char *)a + f->offset;
	enum err_code rc = f->kind == FIELD_LIST ? add_items(c, f, text, out) : set_scalar(c, f, text, out);
	return rc == ERR_OK ? ERR_OK : err_prefix(&c->err, rc, "%s", field);
}

/* Is the field among those that the verb takes? */
static bool takes(const struct request_verb *v, const char *field)
{
	struct spec_item item;
	for (const char *at = v->fields; spec_next(&at, &item);)
		if (strlen(field) == item.size && memcmp(field, item.name, item.size) == 0)
			return true;
	return false;
}

enum err_code request_from_words(struct cli *c, struct request_args *ret)
{
	const struct request_verb *v = request_verb_of(c->w.command->posts);
	struct request_args a = {0};
	struct spec_item item;
	enum err_code rc = ERR_OK;
	for (const char *at = c->w.command->args; rc == ERR_OK && spec_next(&at, &item);) {
		const char *name = arena_strndup(c->arena, item.name, item.size),
			   *text = name ? cli_word(c, name) : NULL;
		if (text && takes(v, name))
			rc = request_set(c, &a, name, text);
	}
	for (size_t i = 0; rc == ERR_OK && i < c->w.value_count; i++) {
		const struct cli_value *o = &c->w.values[i];
		const char *field =
		    text_equal(o->option->field, "host") && !takes(v, "host") ? "hosts" : o->option->field;
		if (field && takes(v, field))
			rc = request_set(c, &a, field, o->text);
	}
	if (rc == ERR_OK)
		*ret = a;
	return rc;
}

enum err_code request_json(struct cli *c, const struct request_args *a, struct buf *out)
{
	return record_to_json(&request_args_type, a, RECORD_WITH_SECRETS, out, &c->err);
}
