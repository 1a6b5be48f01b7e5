/* agent/logwatch/source.h: the lines of one configured source, from raw text to template counts.
 * Owns its miner and the redactor's state.  No io; time comes in.  One thread. */
#ifndef KEDGE_AGENT_LOGWATCH_SOURCE_H
#define KEDGE_AGENT_LOGWATCH_SOURCE_H

#include "agent/logwatch/logwatch.h"
#include "shared/base/arena.h"
#include "shared/mining/mining.h"

struct source;

ERR_CHECK enum err_code source_new(const char *service, const char *name, struct source **ret, struct err *reterr);
void source_free(struct source *s);
const char *source_service(const struct source *s);
const char *source_name(const struct source *s);

/* said: the level that came with the line from elsewhere (journald), or LINE_NONE. */
void source_line(
    struct source *s, const char *line, size_t size, enum line_level said, uint64_t wall_ms, uint64_t mono_ms);
void source_skipped(struct source *s, uint64_t lines); /* counted as dropped */

struct source_pending {
	bool any;          /* there is something to tell */
	bool urgent;       /* an error or worse is among it */
	uint64_t since_ms; /* monotonic, of the first of it */
};
struct source_pending source_pending(const struct source *s);
bool source_untold(const struct source *s); /* a mined line was not told yet */
/* Offers what is pending, in as many reports as it takes.  ERR_OK: all was taken.  What was not taken stays pending. */
ERR_CHECK enum err_code source_report(struct source *s, const struct logwatch_events *events, struct err *reterr);

/* What is known, for the next start: texts live in the arena. */
ERR_CHECK enum err_code source_templates(
    const struct source *s, struct arena *arena, struct list *ret, struct err *reterr);
void source_recall(struct source *s, const struct list *templates);

#endif
