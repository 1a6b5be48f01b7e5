#include <string.h>

#include "controller/incident/internal.h"

bool list_has_name(const struct list *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(LIST_AT(*l, const char *, i), name) == 0)
			return true;
	return false;
}

enum err_code list_add_name(struct turn *t, struct list *l, const char *name, size_t max, struct err *reterr)
{
	if (list_has_name(l, name) || l->count >= max)
		return ERR_OK;
	const char **grown = arena_array(turn_arena(t), l->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(reterr, ERR_NOMEM, "out of memory for names");
	size_t at = 0;
	while (at < l->count && strcmp(LIST_AT(*l, const char *, at), name) < 0)
		at++;
	if (at > 0)
		memcpy(grown, l->items, at * sizeof(*grown));
	grown[at] = name;
	if (at < l->count)
		memcpy(grown + at + 1, &LIST_AT(*l, const char *, at), (l->count - at) * sizeof(*grown));
	*l = (struct list){grown, l->count + 1};
	return ERR_OK;
}

enum err_code list_drop_name(struct turn *t, struct list *l, const char *name, struct err *reterr)
{
	const char **left = arena_array(turn_arena(t), l->count + 1, sizeof(*left));
	if (!left)
		return err_set(reterr, ERR_NOMEM, "out of memory for names");
	size_t count = 0;
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(LIST_AT(*l, const char *, i), name) != 0)
			left[count++] = LIST_AT(*l, const char *, i);
	*l = (struct list){left, count};
	return ERR_OK;
}

enum err_code list_add_id(struct turn *t, struct list *l, struct id id, size_t max, struct err *reterr)
{
	for (size_t i = 0; i < l->count; i++)
		if (id_equal(LIST_AT(*l, struct id, i), id))
			return ERR_OK;
	if (id_is_zero(id) || l->count >= max)
		return ERR_OK;
	struct id *grown = arena_array(turn_arena(t), l->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(reterr, ERR_NOMEM, "out of memory for ids");
	if (l->count > 0)
		memcpy(grown, l->items, l->count * sizeof(*grown));
	grown[l->count] = id;
	*l = (struct list){grown, l->count + 1};
	return ERR_OK;
}
