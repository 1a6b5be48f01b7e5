/* agent/repository/chunker.h: where a file is cut.  Pure.
 *
 * WHOLE: files up to CHUNK_WHOLE_MAX are one chunk.  GEAR: content-defined cuts (FastCDC: Xia et al., USENIX ATC 2016)
 * between CHUNK_MIN and CHUNK_MAX around CHUNK_AVERAGE, over a gear table made from the repository's naming key, so
 * that chunk sizes do not tell what a file holds; begins anew at every CHUNK_STRIP, so that strips can be cut side by
 * side.  PAGES: chunks of a fixed number of 8 KiB pages, for files that are written page by page; the tree entry says
 * how many. */
#ifndef KEDGE_AGENT_REPOSITORY_CHUNKER_H
#define KEDGE_AGENT_REPOSITORY_CHUNKER_H

#include "agent/repository/key.h"

enum chunking { CHUNKING_WHOLE, CHUNKING_GEAR, CHUNKING_PAGES, CHUNKING_COUNT };
enum { CHUNK_PAGE_SIZE = 8192, CHUNK_PAGES_MAX = CHUNK_MAX / CHUNK_PAGE_SIZE };

struct chunker {
	uint64_t gear[256];
};
ERR_CHECK enum err_code chunker_init(struct chunker *c, const struct keys *k, struct err *reterr);
/* Does a large file of this name, size and beginning change page by page (a database, a disk image)?  The pages a
 * chunk, or 0: it does not seem to.  One page for files up to PAGES_FINE_BYTES, more beyond, so that the references of
 * a file stay some megabytes. */
enum { CHUNK_PEEK = 2 * CHUNK_PAGE_SIZE }; /* of the beginning is looked at */
uint16_t chunker_pages(const char *name, uint64_t size, const uint8_t *head, size_t head_size);
/* How long the chunk at the beginning of data is.  size: at least CHUNK_MAX bytes, or all that is left of the strip; >
 * 0. */
size_t chunker_cut(const struct chunker *c, enum chunking kind, uint16_t pages, const uint8_t *data, size_t size);

#endif
