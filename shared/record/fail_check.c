/* shared/record/fail_check.c: a type's own check speaks of a field; the error names its whole path and its own line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/record/internal.h"

/* One step of a path, "name", ".name" or "[2]", from *path into the tree; NULL: there is no such child. */
static const struct node *step_into(const struct node *n, const char **path)
{
	const struct node *c = n->first;
	if (**path == '[') {
		char *end;
		unsigned long index = strtoul(*path + 1, &end, 10);
		while (c && index-- > 0)
			c = c->next;
		*path = *end == ']' ? end + 1 : "";
		return n->kind == NODE_LIST ? c : NULL;
	}
	*path += **path == '.';
	size_t length = strcspn(*path, ".[: ,");
	while (c && (!c->key || strlen(c->key) != length || strncmp(c->key, *path, length) != 0))
		c = c->next;
	*path += length;
	return n->kind == NODE_MAP ? c : NULL;
}

/* The line of what path leads to, or of the last part of the way that is there. */
static uint32_t line_of(const struct place *at, const char *path)
{
	uint32_t line = at->line;
	for (const struct node *n = at->node; n;) {
		if (n->line)
			line = n->line;
		n = *path && !strchr(": ,", *path) ? step_into(n, &path) : NULL;
	}
	return line;
}

static bool begins_with_field(const struct record_type *t, const char *said)
{
	char name[RECORD_NAME_MAX + 1];
	size_t length = strcspn(said, ".[: ,");
	if (length == 0 || length > RECORD_NAME_MAX || !said[length] || said[length] == ' ')
		return false;
	memcpy(name, said, length);
	name[length] = '\0';
	return record_field(t, name) != NULL;
}

enum err_code fail_check(
    const struct context *cx, const struct place *at, const struct record_type *t, enum err_code code)
{
	char said[ERR_MSG_MAX], path[RECORD_PATH_MAX];
	if (!cx->reterr || !begins_with_field(t, cx->reterr->msg))
		return fail_prefix(cx, at, code);
	memcpy(said, cx->reterr->msg, sizeof(said));
	place_text(cx, at, path);
	const char *dot = path[0] ? "." : "";
	if (!cx->file)
		return err_set(cx->reterr, code, "%s%s%s", path, dot, said);
	uint32_t line = line_of(at, said);
	if (line == 0)
		return err_set(cx->reterr, code, "%.120s: %s%s%s", cx->file, path, dot, said);
	return err_set(cx->reterr, code, "%.120s:%u: %s%s%s", cx->file, line, path, dot, said);
}
