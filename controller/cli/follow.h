/* controller/cli/follow.h: how a running rollback is told.  Pure. */
#ifndef KEDGE_CONTROLLER_CLI_FOLLOW_H
#define KEDGE_CONTROLLER_CLI_FOLLOW_H

#include "controller/recovery/recovery.h"

/* 0 to 1: a host whose order is out counts half, one that ended well but is not proven yet most of one. */
double follow_share(const struct rollback *r);
/* "[######----] 2 of 4 hosts  wave 1 of 2  proving", at most width characters; no line end. */
void follow_bar(const struct rollback *r, unsigned width, struct buf *out);
/* What is new since before (NULL: everything), a line each, for output that is no terminal. */
void follow_lines(const struct rollback *before, const struct rollback *now, uint64_t now_ms, struct buf *out);

#endif
