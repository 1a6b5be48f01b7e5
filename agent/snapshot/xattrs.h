/* agent/snapshot/xattrs.h: extended attributes (ACLs and capabilities are among them) in and out of tree entries.
 * Encoded as in tree.h: u16 name length, u32 value length, name, value; sorted by name.  Blocking; any thread. */
#ifndef KEDGE_AGENT_SNAPSHOT_XATTRS_H
#define KEDGE_AGENT_SNAPSHOT_XATTRS_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

/* Of an open file (path NULL), or of path without following a symlink.  Appends nothing where the file system has none.
 */
ERR_CHECK enum err_code xattrs_read(int fd, const char *path, struct buf *out, struct err *reterr);
/* Make them exactly these; sets and removes only what differs. */
ERR_CHECK enum err_code xattrs_apply(int fd, const char *path, const uint8_t *wanted, size_t size, struct err *reterr);

#endif
