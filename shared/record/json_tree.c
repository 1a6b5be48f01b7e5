/* shared/record/json_tree.c: JSON text to a tree and, sorted and without white space, back.
 *
 * jansson recurses and builds on the heap, so the nesting is counted before it sees the text; its values are freed
 * before we return. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "shared/record/internal.h"

static void json_cleanup(json_t **j)
{
	json_decref(*j);
}

/* Brackets outside strings. */
static bool too_deep(const char *data, size_t size, unsigned depth_max)
{
	unsigned depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < size; i++) {
		char c = data[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{') && ++depth > depth_max)
			return true;
		else if (!quoted && (c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return false;
}

static enum err_code load(const char *data, size_t size, unsigned depth_max, json_t **ret, struct err *reterr)
{
	json_error_t error;
	if (size > RECORD_TEXT_SIZE_MAX)
		return err_set(
		    reterr, ERR_LIMIT, "expected at most %d bytes of JSON, got %zu", RECORD_TEXT_SIZE_MAX, size);
	if (too_deep(data, size, depth_max))
		return err_set(reterr, ERR_LIMIT, "JSON nests more than %u levels", depth_max);
	*ret = json_loadb(data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (*ret)
		return ERR_OK;
	if (json_error_code(&error) == json_error_out_of_memory)
		return err_set(reterr, ERR_NOMEM, "no memory left for JSON of %zu bytes", size);
	return err_set(
	    reterr, ERR_INVALID, "no valid JSON in line %d, column %d: %s", error.line, error.column, error.text);
}

static enum err_code build(json_t *j, struct arena *scratch, struct node **ret);

static enum err_code add(struct node *parent, struct node ***end, const char *key, json_t *value, struct arena *scratch)
{
	struct node *child;
	enum err_code rc = build(value, scratch, &child);
	if (rc != ERR_OK)
		return rc;
	child->key = key ? arena_strdup(scratch, key) : NULL;
	if (key && !child->key)
		return ERR_NOMEM;
	parent->count++;
	**end = child;
	*end = &child->next;
	return ERR_OK;
}

static enum err_code build_children(json_t *j, struct node *n, struct arena *scratch)
{
	struct node **end = &n->first;
	enum err_code rc = ERR_OK;
	if (json_is_array(j)) {
		for (size_t i = 0; rc == ERR_OK && i < json_array_size(j); i++)
			rc = add(n, &end, NULL, json_array_get(j, i), scratch);
		return rc;
	}
	for (void *it = json_object_iter(j); rc == ERR_OK && it; it = json_object_iter_next(j, it))
		rc = add(n, &end, json_object_iter_key(it), json_object_iter_value(it), scratch);
	return rc;
}

static const char *number_text(json_t *j, struct arena *scratch)
{
	if (json_is_integer(j))
		return arena_printf(scratch, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	float_write(json_real_value(j), &text);
	if (!strpbrk(buf_str(&text), ".eE"))
		buf_text(&text, ".0"); /* it was no whole number to its writer */
	return text.failed ? NULL : arena_strdup(scratch, buf_str(&text));
}

/* As deep as the text nests: at most NODE_DEPTH_MAX. */
static enum err_code build(json_t *j, struct arena *scratch, struct node **ret)
{
	struct node *n = arena_alloc(scratch, sizeof(*n));
	if (!n)
		return ERR_NOMEM;
	*ret = n;
	switch (json_typeof(j)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		n->kind = json_is_array(j) ? NODE_LIST : NODE_MAP;
		return build_children(j, n, scratch);
	case JSON_STRING: /* without NUL: jansson refuses \u0000 */
		n->kind = NODE_QUOTED;
		n->text = arena_strdup(scratch, json_string_value(j));
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		n->kind = NODE_PLAIN;
		n->text = number_text(j, scratch);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		n->kind = NODE_PLAIN;
		n->text = json_is_true(j) ? "true" : "false";
		break;
	case JSON_NULL:
		n->kind = NODE_NULL;
		n->text = "null";
	}
	return n->text ? ERR_OK : ERR_NOMEM;
}

enum err_code json_parse(
    const char *data, size_t size, unsigned depth_max, struct arena *scratch, struct node **ret, struct err *reterr)
{
	CLEANUP(json_cleanup) json_t *j = NULL;
	enum err_code rc = load(data, size, depth_max, &j, reterr);
	if (rc == ERR_OK && build(j, scratch, ret) != ERR_OK)
		return err_set(reterr, ERR_NOMEM, "no memory left for JSON of %zu bytes", size);
	return rc;
}

void json_quote(struct buf *out, const char *s)
{
	buf_byte(out, '"');
	for (const char *from = s;; from = s) {
		while (*s && (unsigned char)*s >= 0x20 && *s != '"' && *s != '\\')
			s++;
		buf_append(out, from, (size_t)(s - from));
		if (!*s)
			break;
		const char *letter = strchr("\"\"\\\\\bb\ff\nn\rr\tt", *s);
		if (letter)
			buf_printf(out, "\\%c", letter[1]);
		else
			buf_printf(out, "\\u%04x", (unsigned)(unsigned char)*s);
		s++;
	}
	buf_byte(out, '"');
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const struct node *const *)a)->key, (*(const struct node *const *)b)->key);
}

static enum err_code map_to_json(const struct context *cx, const struct place *at, const struct node *n, unsigned depth,
    struct arena *scratch, struct buf *out);

/* What YAML's core schema takes for a number, as far as JSON can say it. */
static bool json_number(const char *s)
{
	const char *digits = s + (*s == '-');
	double v;
	bool zero_first = digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
	return !zero_first && text_f64(s, &v, NULL) == ERR_OK;
}

static void scalar_to_json(const struct node *n, struct buf *out)
{
	int64_t whole;
	double real;
	if (n->kind == NODE_NULL)
		buf_text(out, "null");
	else if (n->kind == NODE_QUOTED)
		json_quote(out, n->text);
	else if (strcmp(n->text, "true") == 0 || strcmp(n->text, "false") == 0)
		buf_text(out, n->text);
	else if (!json_number(n->text))
		json_quote(out, n->text);
	else if (text_i64(n->text, &whole, NULL) == ERR_OK)
		buf_printf(out, "%" PRId64, whole);
	else if (text_f64(n->text, &real, NULL) == ERR_OK) {
		size_t before = out->size;
		float_write(real, out);
		if (!out->failed && !strpbrk((const char *)out->data + before, ".eE"))
			buf_text(out, ".0");
	}
}

static enum err_code to_json(const struct context *cx, const struct place *at, const struct node *n, unsigned depth,
    struct arena *scratch, struct buf *out)
{
	enum err_code rc = ERR_OK;
	if (n->kind == NODE_MAP || n->kind == NODE_LIST) {
		if (depth == RECORD_DEPTH_MAX)
			return fail(cx, at, ERR_LIMIT, "nests more than %d levels", RECORD_DEPTH_MAX);
		if (n->kind == NODE_MAP)
			return map_to_json(cx, at, n, depth, scratch, out);
		buf_byte(out, '[');
		for (const struct node *c = n->first; rc == ERR_OK && c; c = c->next) {
			rc = to_json(cx, at, c, depth + 1, scratch, out);
			if (c->next)
				buf_byte(out, ',');
		}
		buf_byte(out, ']');
		return rc;
	}
	scalar_to_json(n, out);
	return rc;
}

static enum err_code map_to_json(const struct context *cx, const struct place *at, const struct node *n, unsigned depth,
    struct arena *scratch, struct buf *out)
{
	const struct node **sorted = arena_array(scratch, n->count, sizeof(const struct node *));
	if (!sorted)
		return fail_memory(cx, at);
	size_t count = 0;
	for (const struct node *c = n->first; c; c = c->next)
		sorted[count++] = c;
	qsort(sorted, count, sizeof(sorted[0]), by_key);
	enum err_code rc = ERR_OK;
	buf_byte(out, '{');
	for (size_t i = 0; rc == ERR_OK && i < count; i++) {
		if (i > 0 && strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			return fail(
			    cx, at, ERR_INVALID, "key \"%.*s\" stands there twice", RECORD_ECHO_MAX, sorted[i]->key);
		if (i > 0)
			buf_byte(out, ',');
		json_quote(out, sorted[i]->key);
		buf_byte(out, ':');
		rc = to_json(cx, at, sorted[i], depth + 1, scratch, out);
	}
	buf_byte(out, '}');
	return rc;
}

enum err_code node_to_json(
    const struct context *cx, const struct place *at, const struct node *n, struct arena *scratch, struct buf *out)
{
	enum err_code rc = to_json(cx, at, n, 0, scratch, out);
	return rc == ERR_OK && out->failed ? fail_memory(cx, at) : rc;
}

enum err_code record_json_canonical(
    const char *text, size_t size, struct arena *arena, const char **ret, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *scratch = scratch_new(size);
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	const struct context cx = {.form = FORM_JSON, .arena = arena, .reterr = reterr};
	const struct place root = PLACE_ROOT;
	struct node *n;
	if (!scratch)
		return fail_memory(&cx, &root);
	enum err_code rc = json_parse(text, size, RECORD_DEPTH_MAX, scratch, &n, reterr);
	if (rc == ERR_OK)
		rc = node_to_json(&cx, &root, n, scratch, &out);
	if (rc != ERR_OK)
		return rc;
	const char *copy = arena_strdup(arena, buf_str(&out));
	if (!copy)
		return fail_memory(&cx, &root);
	*ret = copy;
	return ERR_OK;
}

enum err_code json_text_check(const char *text, size_t size, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *scratch = scratch_new(size);
	const char *canonical;
	if (!scratch)
		return err_set(reterr, ERR_NOMEM, "no memory left for JSON of %zu bytes", size);
	enum err_code rc = record_json_canonical(text, size, scratch, &canonical, reterr);
	if (rc != ERR_OK)
		return rc;
	if (strcmp(canonical, "null") == 0)
		return err_set(reterr, ERR_INVALID, "null is said by leaving it out");
	return strcmp(canonical, text) == 0 ? ERR_OK : err_set(reterr, ERR_INVALID, "is no canonical JSON (record.h)");
}
