/* agent/logwatch/logwatch.h: follows the logs that agent.yaml names and turns them into template counts.
 *
 * Owns the followed files (rotation, truncation, globs), journald units, their saved positions, and one miner a source.
 * Every line is redacted first; what is neither a warning nor worse nor looks like an error is only counted.
 * Loop thread only; reading is bounded per turn so that a storm of lines cannot hold the loop.
 *
 * Delivery: at least once.  A position is saved (replaced atomically, fsynced) only after on_report said ERR_OK for all
 * lines before it; after a crash at most what was read since is read again. */
#ifndef KEDGE_AGENT_LOGWATCH_LOGWATCH_H
#define KEDGE_AGENT_LOGWATCH_LOGWATCH_H

#include "agent/config/config.h"
#include "agent/io/loop.h"
#include "shared/message/report.h"

enum {
	LOGWATCH_REPORT_MS = 2000,     /* a report at least this often while there is something to tell */
	LOGWATCH_URGENT_MS = 200,      /* a template never seen before, of level error or worse, is told this soon */
	LOGWATCH_POLL_MS = 1000,       /* globs, and file systems where inotify says nothing */
	LOGWATCH_LINE_MAX = 16 << 10,  /* of a line that is looked at; a longer one is cut, not split */
	LOGWATCH_READ_MAX = 256 << 10, /* bytes a source may take in one turn */
	LOGWATCH_RATE_LINES = 20000,   /* lines a second a source may have mined; beyond, they are counted as dropped */
	LOGWATCH_FILES_MAX = 64,       /* one glob follows at most this many files */
	LOGWATCH_BACKLOG_MAX =
	    16 << 20, /* after a long absence at most this much of a file is read; the rest is counted as dropped */
	LOGWATCH_TEMPLATES = 512, /* per source */
};

struct logwatch;
struct logwatch_events { /* borrowed, must outlive the watch */
	void *ctx;
	/* Take one report (borrowed for the call).  Anything but ERR_OK: not taken; it is offered again, with newer
	 * counts added. */
	enum err_code (*on_report)(void *ctx, const struct log_report *report, struct err *reterr);
};

/* Positions live in state_directory/logwatch (made if missing).  A source without a saved position begins at its end.
 * A file that is not there is waited for.  A journal source where journald's library is missing: one log line, no
 * error. */
ERR_CHECK enum err_code logwatch_new(struct loop *l, const struct agent_config *config, const char *state_directory,
    const struct logwatch_events *events, struct logwatch **ret, struct err *reterr);
void logwatch_free(struct logwatch *w);  /* reports what is pending, saves positions */
void logwatch_flush(struct logwatch *w); /* report now (before a rollback's evidence is taken, and in tests) */

#endif
