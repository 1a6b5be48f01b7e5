/* agent/logwatch/watch.h: logwatch with its edges given, for tests.  Private to agent/logwatch and its tests. */
#ifndef KEDGE_AGENT_LOGWATCH_WATCH_H
#define KEDGE_AGENT_LOGWATCH_WATCH_H

#include "agent/logwatch/journal.h"
#include "agent/logwatch/logwatch.h"

struct logwatch_edges {
	const struct journal_calls *journal; /* NULL: the system's, when a source wants it */
	bool no_inotify;                     /* as on file systems where it says nothing */
};
ERR_CHECK enum err_code logwatch_new_with(struct loop *l, const struct agent_config *config,
    const char *state_directory, const struct logwatch_events *events, const struct logwatch_edges *edges,
    struct logwatch **ret, struct err *reterr);

#endif
