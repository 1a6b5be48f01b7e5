/* agent/snapshot/live.h: the live tree of a restore point's component, as a tree that can be compared.  Nothing is
 * stored. */
#ifndef KEDGE_AGENT_SNAPSHOT_LIVE_H
#define KEDGE_AGENT_SNAPSHOT_LIVE_H

#include "agent/snapshot/opened.h"
#include "agent/snapshot/scan.h"

struct live_options {
	enum scan_mode mode;
	bool trust;          /* what looks unchanged is */
	struct paged *known; /* NULL: unchanged against base; else against this, and base says how files were cut */
	const struct list *exclude_too;
	unsigned workers;
	const atomic_bool *cancel;
};
/* At the component's recorded roots but prepared ones.  base: its tree, or NULL.  Pages are added to tree, unless it is
 * NULL (only totals are wanted). */
ERR_CHECK enum err_code live_scan(struct repo *r, const struct snapshot_component *about, struct paged *base,
    const struct live_options *o, struct paged *tree, struct scan_totals *ret_totals, struct err *reterr);

#endif
