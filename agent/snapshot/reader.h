/* agent/snapshot/reader.h: getting chunks out of a repository.
 * Every chunk is authenticated twice on the way: its segment by AES-GCM at its own place, its bytes by their name.
 * A reader belongs to one thread and sees the index of its birth. */
#ifndef KEDGE_AGENT_SNAPSHOT_READER_H
#define KEDGE_AGENT_SNAPSHOT_READER_H

#include "agent/repository/repo_internal.h"
#include "agent/snapshot/tree.h"

struct reader;
ERR_CHECK enum err_code reader_new(struct repo *r, struct reader **ret, struct err *reterr);
void reader_free(struct reader *rd);
CLEANUP_DEFINE(struct reader, reader_cleanup, reader_free)

/* *ret stays valid until the next call.  size is what the reference says.  ERR_CORRUPT: missing, or not what was
 * stored; names the pack. */
ERR_CHECK enum err_code reader_chunk(
    struct reader *rd, const struct chunk_id *id, uint32_t size, const uint8_t **ret, struct err *reterr);
/* The same for a place that reader_place() gave. */
ERR_CHECK enum err_code reader_placed(struct reader *rd, const struct place *place, const struct chunk_id *id,
    uint32_t size, const uint8_t **ret, struct err *reterr);
bool reader_place(struct reader *rd, const struct chunk_id *id, struct place *ret);
struct index_reader *reader_index(struct reader *rd);

/* The segment at that place, decoded, for checking chunk after chunk. */
ERR_CHECK enum err_code reader_segment(
    struct reader *rd, const struct place *place, const uint8_t **ret, struct err *reterr);
void reader_name(struct reader *rd, const void *data, size_t size, struct chunk_id *ret);

/* Every data reference of a file in order, lists resolved; holes too.  visit's error ends it. */
typedef enum err_code reader_reference_fn(
    void *ctx, const struct chunk_id *id, uint32_t size, bool hole, struct err *reterr);
/* on_list, if given, is called for every list chunk on the way (to be counted or copied). */
ERR_CHECK enum err_code reader_references(struct reader *rd, const uint8_t *entry, reader_reference_fn *visit,
    reader_reference_fn *on_list, void *ctx, struct err *reterr);

/* A component's tree, page after page, each held against the one before. */
struct reader_pages {
	struct bytes pages; /* as in a manifest; borrowed */
	size_t at;
	struct tree tree; /* the page at hand */
};
#define READER_PAGES(PAGES) ((struct reader_pages){.pages = (PAGES)})
/* *ret_more false: there was none.  ERR_CORRUPT: nothing behind this page can be read either. */
ERR_CHECK enum err_code reader_next_page(struct reader *rd, struct reader_pages *p, bool *ret_more, struct err *reterr);
void reader_pages_done(struct reader_pages *p);
/* One page from anywhere in a tree (tree_add_loose_page()) into an empty *ret. */
ERR_CHECK enum err_code reader_page(struct reader *rd, const uint8_t *reference, struct tree *ret, struct err *reterr);

#endif
