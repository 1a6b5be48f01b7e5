/* controller/knowledge/examples.c: reading the examples that come with the program.
 *
 * "# ..." is a comment, "@ KIND" begins a kind of software, "=CLASS" a class; every other line is one message. */
#include "controller/knowledge/examples.h"

#include <string.h>

extern const char kedge_error_examples[];
extern const char kedge_error_examples_end[];

void own_examples_shipped(const char **ret_text, size_t *ret_size)
{
	*ret_text = kedge_error_examples;
	*ret_size = (size_t)(kedge_error_examples_end - kedge_error_examples);
}

static enum err_code take_class(struct own_examples *c, const char *name, size_t size, struct err *reterr)
{
	for (uint32_t k = 0; k < ERROR_CLASS_COUNT; k++)
		if (strlen(error_class_enum.names[k]) == size && memcmp(error_class_enum.names[k], name, size) == 0) {
			c->class = k;
			c->has_class = true;
			return ERR_OK;
		}
	return err_set(reterr, ERR_INVALID, "examples: line %u: there is no such class", c->line);
}

/* A line that is no message; ERR_OK also for a comment. */
static enum err_code take_heading(struct own_examples *c, const char *line, size_t size, struct err *reterr)
{
	if (*line == '=')
		return take_class(c, line + 1, size - 1, reterr);
	if (*line == '@') {
		if (size < 3 || line[1] != ' ')
			return err_set(reterr, ERR_INVALID, "examples: line %u: \"@ KIND\" is expected", c->line);
		c->kind = line + 2;
		c->kind_size = size - 2;
		c->has_class = false;
	}
	return ERR_OK;
}

enum err_code own_examples_next(struct own_examples *c, struct own_example *ret, bool *ret_more, struct err *reterr)
{
	while (c->at < c->end) {
		const char *line = c->at, *stop = memchr(line, '\n', (size_t)(c->end - line));
		size_t size = (size_t)((stop ? stop : c->end) - line);
		c->at = stop ? stop + 1 : c->end;
		c->line++;
		if (size == 0)
			continue;
		if (strchr("#@=", *line)) {
			enum err_code rc = take_heading(c, line, size, reterr);
			if (rc != ERR_OK)
				return rc;
			continue;
		}
		if (!c->kind || !c->has_class)
			return err_set(reterr, ERR_INVALID, "examples: line %u: no kind or class above it", c->line);
		*ret = (struct own_example){c->kind, line, c->kind_size, size, c->class};
		*ret_more = true;
		return ERR_OK;
	}
	*ret_more = false;
	return ERR_OK;
}
