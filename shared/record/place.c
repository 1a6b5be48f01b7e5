/* shared/record/place.c: errors that say where, and what was probably meant. */
#include <stdio.h>
#include <string.h>

#include "shared/record/internal.h"

struct line {
	char *text;
	size_t used, room; /* room counts the NUL */
};

static void put(struct line *l, const char *s, size_t n)
{
	if (n > l->room - 1 - l->used)
		n = l->room - 1 - l->used;
	memcpy(l->text + l->used, s, n);
	l->used += n;
	l->text[l->used] = '\0';
}

static void put_places(const struct context *cx, const struct place *at, struct line *l)
{
	if (!at->field)
		return;
	put_places(cx, at->up, l); /* at most RECORD_DEPTH_MAX deep */
	if (l->used)
		put(l, ".", 1);
	const char *name;
	size_t n = form_name(cx->form, at->field, &name);
	put(l, name, n);
	char index[32];
	if (at->key) {
		put(l, ".", 1);
		put(l, at->key, strlen(at->key));
	} else if (at->index != NO_INDEX) {
		put(l, index, (size_t)snprintf(index, sizeof(index), "[%zu]", at->index));
	}
}

const char *place_text(const struct context *cx, const struct place *at, char *out)
{
	struct line l = {.text = out, .room = RECORD_PATH_MAX};
	out[0] = '\0';
	put_places(cx, at, &l);
	return out;
}

enum err_code fail_prefix(const struct context *cx, const struct place *at, enum err_code code)
{
	char path[RECORD_PATH_MAX], line[16] = "";
	place_text(cx, at, path);
	if (cx->file && at->line)
		snprintf(line, sizeof(line), ":%u", at->line);
	if (cx->file && path[0])
		return err_prefix(cx->reterr, code, "%.120s%s: %s", cx->file, line, path);
	if (cx->file)
		return err_prefix(cx->reterr, code, "%.120s%s", cx->file, line);
	return path[0] ? err_prefix(cx->reterr, code, "%s", path) : code;
}

enum err_code fail(const struct context *cx, const struct place *at, enum err_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	err_vset(cx->reterr, code, fmt, ap);
	va_end(ap);
	return fail_prefix(cx, at, code);
}

enum err_code fail_memory(const struct context *cx, const struct place *at)
{
	return fail(cx, at, ERR_NOMEM, "no memory left for it");
}

enum err_code depth_check(const struct context *cx, const struct place *at)
{
	if (at->depth < RECORD_DEPTH_MAX)
		return ERR_OK;
	return fail(cx, at, ERR_LIMIT, "lies more than %d levels deep", RECORD_DEPTH_MAX);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, replacements and swapped neighbours, each once.  Words longer than
 * RECORD_NAME_MAX are far from everything. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), rows[3][RECORD_NAME_MAX + 1];
	if (n > RECORD_NAME_MAX || m > RECORD_NAME_MAX)
		return SIZE_MAX;
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= m; j++)
		before[j] = above[j] = j;
	for (size_t i = 1; i <= n; i++) {
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		size_t *spare = before;
		before = above, above = row, row = spare;
	}
	return above[m];
}

void suggest(const char *given, const char *const *known, size_t count, char *out)
{
	size_t best = SIZE_MAX, which = 0;
	for (size_t i = 0; i < count; i++) {
		size_t d = known[i] ? distance(given, known[i]) : SIZE_MAX;
		if (d < best)
			best = d, which = i;
	}
	out[0] = '\0';
	if (best != SIZE_MAX && best <= strlen(given) / 3 + 1 && best < strlen(known[which]))
		snprintf(out, RECORD_PATH_MAX, "; did you mean \"%s\"?", known[which]);
}

enum err_code fail_unknown(
    const struct context *cx, const struct place *at, const struct record_type *t, const char *key)
{
	char names[RECORD_FIELDS_MAX][RECORD_NAME_MAX + 1], hint[RECORD_PATH_MAX];
	const char *known[RECORD_FIELDS_MAX];
	for (uint32_t i = 0; i < t->field_count; i++) {
		const char *name;
		size_t n = least(form_name(cx->form, &t->fields[i], &name), RECORD_NAME_MAX);
		memcpy(names[i], name, n);
		names[i][n] = '\0';
		known[i] = names[i];
	}
	suggest(key, known, t->field_count, hint);
	return fail(cx, at, ERR_INVALID, "unknown key \"%.*s\"%s", RECORD_NAME_MAX, key, hint);
}
