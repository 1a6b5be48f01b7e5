/* controller/knowledge/search.h: which document speaks of what an alert says.
 *
 * BM25F (Robertson, Zaragoza, Taylor: Simple BM25 extension to multiple weighted fields, CIKM 2004) over title,
 * headings, lead and body; identifiers are split into words; words that the documents do not know are tried as their
 * relatives (the field's own synonyms, beginnings, compounds); and a title that the query covers wholly counts more
 * than one of which a rare word is left over.  Pure; one index belongs to one thread while it is made, then any may
 * ask. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_SEARCH_H
#define KEDGE_CONTROLLER_KNOWLEDGE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/knowledge/limits.h"
#include "shared/base/err.h"

struct search;
struct search_hit {
	uint32_t document; /* in the order in which they were added */
	double score;
};

ERR_CHECK enum err_code search_new(struct search **ret, struct err *reterr);
void search_free(struct search *s); /* NULL is a no-op */
/* A document: its name (a file's, without folder and ending) and its text: Markdown, plain text, YAML.  Copied.  Beyond
 * SEARCH_DOCUMENT_MAX bytes it is not looked at.  ERR_LIMIT, ERR_NOMEM. */
ERR_CHECK enum err_code search_add(
    struct search *s, const char *name, const char *text, size_t size, struct err *reterr);
/* No more documents come.  Before it nothing can be found. */
void search_ready(struct search *s);
/* The best documents first; at most max.  *ret_confidence: how surely the first is the right one. */
ERR_CHECK enum err_code search_find(struct search *s, const char *query, size_t size, struct search_hit *ret,
    size_t max, size_t *ret_count, double *ret_confidence, struct err *reterr);
size_t search_count(const struct search *s);

#endif
