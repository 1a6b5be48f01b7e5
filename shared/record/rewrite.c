/* shared/record/rewrite.c: the texts of a record, changed in place. */
#include "shared/record/internal.h"

struct rewriting {
	const struct context *cx;
	unsigned flag;
	const char *(*rewrite)(void *ctx, const char *text, size_t max);
	void *ctx;
};

static enum err_code rewrite_record(
    const struct rewriting *w, const struct place *at, const struct record_type *t, void *record);

static enum err_code rewrite_text(
    const struct rewriting *w, const struct place *at, const struct field *f, const char **text)
{
	if (!(f->flags & w->flag) || !*text)
		return ERR_OK;
	const char *now = w->rewrite(w->ctx, *text, (size_t)f->max);
	if (!now)
		return fail_memory(w->cx, at);
	*text = now;
	return ERR_OK;
}

static enum err_code rewrite_value(const struct rewriting *w, const struct place *at, const struct field *f, void *p)
{
	enum err_code rc = ERR_OK;
	switch (f->kind) {
	case FIELD_STRING:
		return rewrite_text(w, at, f, p);
	case FIELD_RECORD: {
		void *pointed = *(void *const *)p;
		return pointed ? rewrite_record(w, at, f->type, pointed) : ERR_OK;
	}
	case FIELD_INLINE:
		return rewrite_record(w, at, f->type, p);
	case FIELD_LIST: {
		struct list *list = p;
		struct field item = item_field(f);
		for (size_t i = 0; rc == ERR_OK && i < list->count; i++) {
			struct place here = place_item(at, i);
			rc = rewrite_value(w, &here, &item, (char *)list->items + i * value_size(&item));
		}
		return rc;
	}
	default:
		return ERR_OK;
	}
}

static enum err_code rewrite_record(
    const struct rewriting *w, const struct place *at, const struct record_type *t, void *record)
{
	enum err_code rc = depth_check(w->cx, at);
	for (uint32_t i = 0; rc == ERR_OK && i < t->field_count; i++) {
		struct place here = place_field(at, &t->fields[i]);
		rc = rewrite_value(w, &here, &t->fields[i], value_of(&t->fields[i], record));
	}
	return rc;
}

enum err_code record_rewrite(const struct record_type *t, void *record, unsigned flag,
    const char *(*rewrite)(void *ctx, const char *text, size_t max), void *ctx, struct err *reterr)
{
	const struct context cx = {.form = FORM_C, .reterr = reterr};
	const struct rewriting w = {.cx = &cx, .flag = flag, .rewrite = rewrite, .ctx = ctx};
	const struct place root = PLACE_ROOT;
	return rewrite_record(&w, &root, t, record);
}
