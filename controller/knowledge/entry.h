/* controller/knowledge/entry.h: what people have written down about faults: knowledge entries.
 *
 * An entry is a few lines of YAML: what it is called, by which texts it is known, what usually causes it, which
 * declared action is worth trying, what a person should look at, and where its facts come from.  A folder of such files
 * is read whole; an entry that is wrong stops that, with file and line.  Finding is pure: first by the patterns, then
 * by words. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_ENTRY_H
#define KEDGE_CONTROLLER_KNOWLEDGE_ENTRY_H

#include "controller/knowledge/classes.h"
#include "shared/message/message.h"

enum knowledge_area {
	AREA_DATABASE,
	AREA_GATEWAY,
	AREA_TLS,
	AREA_DNS,
	AREA_DISK,
	AREA_MEMORY,
	AREA_PROCESS,
	AREA_QUEUE,
	AREA_AUTHENTICATION,
	AREA_INFERENCE,
	AREA_DEPLOYMENT,
	AREA_NETWORK,
	AREA_TIME,
	KNOWLEDGE_AREA_COUNT
};
/* A declared action that is worth trying; what it acts on is diagnosis's to say. */
enum knowledge_action { KNOWLEDGE_INVESTIGATE, KNOWLEDGE_RESTART, KNOWLEDGE_ROLLBACK, KNOWLEDGE_ACTION_COUNT };
extern const struct enum_type knowledge_area_enum, knowledge_action_enum;

struct knowledge_entry {
	const char *name; /* KEY */
	const char *title;
	uint32_t area;          /* enum knowledge_area */
	uint32_t class;         /* enum error_class */
	struct list patterns;   /* texts; "*" is anything within a line, case does not count */
	struct list causes;     /* texts, the likeliest first */
	uint32_t action;        /* enum knowledge_action */
	struct list components; /* enum component: what a rollback should bring back */
	struct list remedies;   /* enum remedy: what an action that the service declares should be good for */
	const char *advice;
	const char *runbook; /* the page that tells the whole way, by its name (packaging/runbooks), or NULL */
	const char *source;  /* where its facts come from: https://… */
};
struct knowledge_file {
	struct list entries; /* struct knowledge_entry, keyed by name */
};
extern const struct record_type knowledge_entry_type, knowledge_file_type;

/* One file's text; file names it in errors.  Appends to *entries in arena (grown by copying). */
ERR_CHECK enum err_code knowledge_parse(
    const char *file, const char *text, size_t size, struct arena *arena, struct list *entries, struct err *reterr);
/* Every *.yaml of a folder, by name.  Blocking.  ERR_EXISTS: a name stands twice. */
ERR_CHECK enum err_code knowledge_load(const char *folder, struct arena *arena, struct list *ret, struct err *reterr);

/* Does a pattern stand somewhere in the text?  Returns how many of its letters matched, 0 if it does not. */
size_t knowledge_pattern_match(const char *pattern, const char *text);

struct knowledge_hit {
	const struct knowledge_entry *entry;
	double confidence;
	const char *pattern; /* the one that stands in the text, or NULL: found by its words */
};
/* The entries of which a pattern stands in the text, the longest first; at most max (<= SEARCH_RANK_MAX).  Returns how
 * many. */
size_t knowledge_recognise(const struct list *entries, const char *text, struct knowledge_hit *ret, size_t max);
/* An index over entries, which are borrowed. */
struct knowledge;
ERR_CHECK enum err_code knowledge_new(const struct list *entries, struct knowledge **ret, struct err *reterr);
void knowledge_free(struct knowledge *k); /* NULL is a no-op */
/* The entries that a text (log lines, the text of an alert) speaks of, the likeliest first; at most max. */
ERR_CHECK enum err_code knowledge_find(struct knowledge *k, const char *text, struct knowledge_hit *ret, size_t max,
    size_t *ret_count, struct err *reterr);

#endif
