/* shared/record/registry.c: walks the folders' lists of types. */
#include "shared/record/registry.h"

#include <string.h>

struct walk {
	const struct record_folder *folders;
	size_t folder_count, folder, type; /* the next one */
};

static const struct record_type *next_type(struct walk *w)
{
	while (w->folder < w->folder_count) {
		const struct record_type *t = w->folders[w->folder].types[w->type];
		if (t) {
			w->type++;
			return t;
		}
		w->folder++;
		w->type = 0;
	}
	return NULL;
}

const struct record_type *record_registry_find(const struct record_folder *folders, size_t count, const char *name)
{
	struct walk w = {.folders = folders, .folder_count = count};
	for (const struct record_type *t; (t = next_type(&w));)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

/* The first enum of that name. */
static const struct enum_type *find_enum(const struct record_folder *folders, size_t count, const char *name)
{
	struct walk w = {.folders = folders, .folder_count = count};
	for (const struct record_type *t; (t = next_type(&w));)
		for (uint32_t i = 0; i < t->field_count; i++) {
			const struct enum_type *e = t->fields[i].enum_type;
			if (e && strcmp(e->name, name) == 0)
				return e;
		}
	return NULL;
}

static enum err_code listed(
    const struct record_folder *folders, size_t count, const struct record_type *t, struct err *reterr)
{
	if (record_registry_find(folders, count, t->name) != t)
		return err_set(reterr, ERR_INVALID, "%s: two types have this name, or it stands there twice", t->name);
	for (uint32_t i = 0; i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		if (f->type && record_registry_find(folders, count, f->type->name) != f->type)
			return err_set(reterr, ERR_INVALID,
			    "%s.%s: its type %s is listed in no folder, or under another's name", t->name, f->name,
			    f->type->name);
		if (f->enum_type && find_enum(folders, count, f->enum_type->name) != f->enum_type)
			return err_set(reterr, ERR_INVALID, "%s.%s: two enums are called %s", t->name, f->name,
			    f->enum_type->name);
	}
	return ERR_OK;
}

enum err_code record_registry_check(const struct record_folder *folders, size_t count, struct err *reterr)
{
	struct walk w = {.folders = folders, .folder_count = count};
	enum err_code rc = ERR_OK;
	for (const struct record_type *t; rc == ERR_OK && (t = next_type(&w));) {
		rc = record_type_check(t, reterr);
		if (rc == ERR_OK)
			rc = listed(folders, count, t, reterr);
	}
	return rc;
}
