/* controller/knowledge/terms.h: texts as the terms that documents are found by. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_TERMS_H
#define KEDGE_CONTROLLER_KNOWLEDGE_TERMS_H

#include <stdbool.h>
#include <stddef.h>

#include "controller/knowledge/classes.h"

enum { TERM_MAX = MESSAGE_TOKEN_MAX };

struct term_text {
	char word[TERM_MAX]; /* lower case */
	char stem[TERM_MAX];
	bool compound; /* the whole of an identifier, beside its parts */
};
typedef void (*term_fn)(void *ctx, const struct term_text *t);

/* Every word of the text that means something, in order: identifiers as their parts and (joined) as a whole, numbers
 * and the words of grammar left out, what stands between {{ and }} or looks like $labels too. */
void each_term(const char *text, size_t size, term_fn fn, void *ctx);

/* The group of a stem among the synonyms of the field, from 1; 0: none. */
unsigned synonym_group(const char *stem);
/* The i-th stem of a group; NULL past its end. */
const char *synonym_of(unsigned group, size_t i);

#endif
