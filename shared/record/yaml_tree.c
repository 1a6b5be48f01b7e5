/* shared/record/yaml_tree.c: YAML text to a tree, from libyaml's events.
 *
 * A configuration says what it means where it stands: no anchors, aliases, tags or second documents.  Nothing recurses.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "shared/record/internal.h"

struct builder {
	yaml_parser_t parser;
	const char *file;
	struct arena *scratch;
	struct err *reterr;
	struct node *open[NODE_DEPTH_MAX]; /* lists and mappings that have not ended */
	struct node **end[NODE_DEPTH_MAX]; /* where the next child of each goes */
	const char *key[NODE_DEPTH_MAX];   /* of a mapping: the key whose value is next */
	uint32_t key_line[NODE_DEPTH_MAX];
	unsigned depth;
	struct node *root;
	bool done;
};

static void parser_cleanup(struct builder *b)
{
	yaml_parser_delete(&b->parser);
}

static enum err_code refuse(struct builder *b, enum err_code code, size_t line, const char *why)
{
	if (b->file)
		return err_set(b->reterr, code, "%.120s:%zu: %s", b->file, line + 1, why);
	return err_set(b->reterr, code, "%s", why);
}

static enum err_code no_memory(struct builder *b)
{
	return refuse(b, ERR_NOMEM, b->parser.mark.line, "no memory left for it");
}

static enum err_code parser_error(struct builder *b)
{
	char why[256];
	const yaml_parser_t *p = &b->parser;
	if (p->error == YAML_MEMORY_ERROR)
		return no_memory(b);
	snprintf(why, sizeof(why), "no valid YAML: %s%s%s", p->problem ? p->problem : "unreadable",
	    p->context ? ", " : "", p->context ? p->context : "");
	return refuse(b, ERR_INVALID, p->error == YAML_READER_ERROR ? p->mark.line : p->problem_mark.line, why);
}

/* Into the innermost open list or mapping, or as the root. */
static void attach(struct builder *b, struct node *n)
{
	if (b->depth == 0) {
		b->root = n;
		return;
	}
	unsigned top = b->depth - 1;
	n->key = b->key[top];
	if (n->key)
		n->line = b->key_line[top]; /* a value that begins below its key is still looked for at the key */
	b->key[top] = NULL;
	*b->end[top] = n;
	b->end[top] = &n->next;
	b->open[top]->count++;
}

static bool key_is_next(const struct builder *b)
{
	return b->depth && b->open[b->depth - 1]->kind == NODE_MAP && !b->key[b->depth - 1];
}

static enum err_code open_node(struct builder *b, enum node_kind kind, const yaml_event_t *e)
{
	if (key_is_next(b))
		return refuse(b, ERR_INVALID, e->start_mark.line, "a key must be a word");
	if (b->depth == NODE_DEPTH_MAX)
		return refuse(b, ERR_LIMIT, e->start_mark.line, "nests too deeply");
	struct node *n = arena_alloc(b->scratch, sizeof(*n));
	if (!n)
		return no_memory(b);
	n->kind = kind;
	n->line = (uint32_t)e->start_mark.line + 1;
	attach(b, n);
	b->open[b->depth] = n;
	b->end[b->depth] = &n->first;
	b->key[b->depth] = NULL;
	b->depth++;
	return ERR_OK;
}

static bool plain_null(const char *s)
{
	return strcmp(s, "") == 0 || strcmp(s, "~") == 0 || strcmp(s, "null") == 0;
}

static enum err_code scalar(struct builder *b, const yaml_event_t *e)
{
	const char *s = (const char *)e->data.scalar.value;
	size_t length = e->data.scalar.length;
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (memchr(s, 0, length))
		return refuse(b, ERR_INVALID, e->start_mark.line, "text holds a NUL");
	const char *text = arena_strndup(b->scratch, s, length);
	if (!text)
		return no_memory(b);
	if (key_is_next(b)) {
		if (strcmp(text, "<<") == 0 && plain)
			return refuse(b, ERR_INVALID, e->start_mark.line, "merge keys are not allowed");
		b->key[b->depth - 1] = text;
		b->key_line[b->depth - 1] = (uint32_t)e->start_mark.line + 1;
		return ERR_OK;
	}
	struct node *n = arena_alloc(b->scratch, sizeof(*n));
	if (!n)
		return no_memory(b);
	n->kind = !plain ? NODE_QUOTED : plain_null(text) ? NODE_NULL : NODE_PLAIN;
	n->line = (uint32_t)e->start_mark.line + 1;
	n->text = text;
	attach(b, n);
	return ERR_OK;
}

static bool anchored(const yaml_event_t *e)
{
	return (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
	       (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor) ||
	       (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor);
}

static bool tagged(const yaml_event_t *e)
{
	return (e->type == YAML_SCALAR_EVENT && e->data.scalar.tag) ||
	       (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.tag) ||
	       (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.tag);
}

static enum err_code take(struct builder *b, const yaml_event_t *e)
{
	if (e->type == YAML_ALIAS_EVENT || anchored(e))
		return refuse(b, ERR_INVALID, e->start_mark.line, "anchors and aliases are not allowed");
	if (tagged(e))
		return refuse(b, ERR_INVALID, e->start_mark.line, "tags are not allowed");
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return b->root ? refuse(b, ERR_INVALID, e->start_mark.line, "a second document is not allowed")
			       : ERR_OK;
	case YAML_SCALAR_EVENT:
		return scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(b, NODE_LIST, e);
	case YAML_MAPPING_START_EVENT:
		return open_node(b, NODE_MAP, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return ERR_OK;
	case YAML_STREAM_END_EVENT:
		b->done = true;
		return ERR_OK;
	default:
		return ERR_OK;
	}
}

enum err_code yaml_parse(
    const char *file, const char *data, size_t size, struct arena *scratch, struct node **ret, struct err *reterr)
{
	CLEANUP(parser_cleanup) struct builder b = {.file = file, .scratch = scratch, .reterr = reterr};
	if (size > RECORD_TEXT_SIZE_MAX)
		return refuse(&b, ERR_LIMIT, 0, "is larger than any configuration may be");
	if (!yaml_parser_initialize(&b.parser))
		return no_memory(&b);
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)data, size);
	while (!b.done) { /* every event takes bytes of the input, or is the last */
		yaml_event_t e;
		if (!yaml_parser_parse(&b.parser, &e))
			return parser_error(&b);
		enum err_code rc = take(&b, &e);
		yaml_event_delete(&e);
		if (rc != ERR_OK)
			return rc;
	}
	if (!b.root)
		return refuse(&b, ERR_INVALID, 0, "is empty");
	*ret = b.root;
	return ERR_OK;
}
