/* agent/rollback/view.h: run a program that sees other trees at the paths it knows.
 *
 * In a child with a mount namespace of its own: each tree is laid over its path, read-only, and seen by that program
 * alone; nothing outside changes, and nothing is left behind when it ends, however it ends.  Needs to be root where
 * mounts are allowed.  Blocking. */
#ifndef KEDGE_AGENT_ROLLBACK_VIEW_H
#define KEDGE_AGENT_ROLLBACK_VIEW_H

#include "agent/config/config.h"

enum { VIEW_TREES_MAX = CONFIG_PATHS_MAX };

struct view_tree { /* what lies at `from` is seen at `at`, which must be there and of the same type (file or folder) */
	const char *from, *at;
	/* from is a folder that holds only what differs: laid over what is at `at` (overlayfs; a character device 0:0
	 * hides what is of its name). */
	bool over;
};

/* *ret_seen false: the trees could not be laid there (not root, no such mounts here), and nothing was run.  An error:
 * the program did not end with 0; it says what the program said first. */
ERR_CHECK enum err_code view_run(const struct view_tree *trees, size_t count, const struct list *argv,
    uint64_t timeout_ms, bool *ret_seen, struct err *reterr);

#endif
