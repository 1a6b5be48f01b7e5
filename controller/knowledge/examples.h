/* controller/knowledge/examples.h: the examples that come with the program: messages of many kinds of software, written
 * for it.  Every training takes them in beside the examples that it is given; nothing is ever judged by them. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_EXAMPLES_H
#define KEDGE_CONTROLLER_KNOWLEDGE_EXAMPLES_H

#include "controller/knowledge/classes.h"

struct own_example {
	const char *kind, *text; /* not ended by NUL; they point into the file's text */
	size_t kind_size, text_size;
	uint32_t class; /* enum error_class */
};
struct own_examples { /* a cursor; zero it but for at and end */
	const char *at, *end;
	unsigned line;
	const char *kind;
	size_t kind_size;
	uint32_t class;
	bool has_class;
};

/* The shipped file's text. */
void own_examples_shipped(const char **ret_text, size_t *ret_size);
/* The next one; *ret_more is false at the end.  ERR_INVALID names the line. */
ERR_CHECK enum err_code own_examples_next(
    struct own_examples *cursor, struct own_example *ret, bool *ret_more, struct err *reterr);

#endif
