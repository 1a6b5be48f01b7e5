/* agent/snapshot/text_diff.h: two texts as a unified diff, as diff -u writes it and patch takes it.  Pure.
 *
 * The shortest edit by Myers' greedy algorithm (An O(ND) Difference Algorithm and Its Variations, Algorithmica 1986)
 * over whole lines, what is the same at both ends set aside.  Texts that differ in more than TEXT_DIFF_EDITS_MAX lines
 * are shown as replaced between those ends. */
#ifndef KEDGE_AGENT_SNAPSHOT_TEXT_DIFF_H
#define KEDGE_AGENT_SNAPSHOT_TEXT_DIFF_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

enum {
	TEXT_DIFF_SIZE_MAX = 4 << 20, /* of either text; configuration and source are smaller */
	TEXT_DIFF_EDITS_MAX = 1000,   /* its trace takes 4 MiB, and nobody reads more */
	TEXT_DIFF_CONTEXT = 3,
};

/* No NUL byte, and not longer than that: worth comparing by lines. */
bool text_diff_suits(const void *data, size_t size);
/* Appends to out; nothing when they are the same.  name_a, name_b: what stands behind --- and +++.  ERR_NOMEM,
 * ERR_LIMIT. */
ERR_CHECK enum err_code text_diff(const char *name_a, const void *a, size_t a_size, const char *name_b, const void *b,
    size_t b_size, struct buf *out, struct err *reterr);

#endif
