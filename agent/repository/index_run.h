/* agent/repository/index_run.h: one sorted run of the index: a file that is written once and never changed.
 *
 *   file    index/NAME.run: "KEDGEIR1", the run's id (16; NAME in hex), then entries in order of chunk id, each id once
 *   entry   id (20), u32 pack, u32 offset, u32 sealed size, u32 raw size, u32 at, u32 size
 *
 * The list (index_list.h) holds how many entries there are and a GMAC over the whole file, so a run is read once, in
 * order, when it is opened; what is kept of it then is the first four bytes of every RUN_BLOCK-th id and a filter that
 * answers most look-ups in vain, some 2 bytes an entry, and of small ones all.  Other look-ups read one block.
 *
 * A run is immutable and shared by threads, counted by its users; writers and cursors belong to one thread.  Blocking.
 */
#ifndef KEDGE_AGENT_REPOSITORY_INDEX_RUN_H
#define KEDGE_AGENT_REPOSITORY_INDEX_RUN_H

#include "agent/repository/index.h"

enum { RUN_ID_SIZE = 16, RUN_NONCE_SIZE = 12, RUN_ENTRY_SIZE = CHUNK_ID_SIZE + 24, RUN_BLOCK = 16, RUN_NAME_MAX = 40 };

struct run_about {
	uint8_t id[RUN_ID_SIZE];
	uint64_t count;
	uint8_t nonce[RUN_NONCE_SIZE], tag[SEAL_TAG_SIZE];
};
char *run_name(const uint8_t id[RUN_ID_SIZE], char out[RUN_NAME_MAX]);

struct run;
/* ERR_CORRUPT: not the file that was written; ERR_NOT_FOUND: there is none. */
ERR_CHECK enum err_code run_open(
    int folder_fd, const struct keys *k, const struct run_about *about, struct run **ret, struct err *reterr);
struct run *run_share(struct run *r); /* one more user */
void run_leave(struct run *r);        /* the last one closes it; NULL is a no-op */
const struct run_about *run_of(const struct run *r);
/* *ret_at: which entry it is; SIZE_MAX: it is not there. */
ERR_CHECK enum err_code run_find(
    const struct run *r, const struct chunk_id *id, struct place *ret, size_t *ret_at, struct err *reterr);

struct run_cursor {
	const struct run *run;
	uint8_t *block;
	size_t held, at; /* bytes of the block */
	uint64_t next;   /* entry to read next */
};
ERR_CHECK enum err_code run_begin(const struct run *r, struct run_cursor *ret, struct err *reterr);
/* *ret: the entry, valid until the next call; NULL: no more. */
ERR_CHECK enum err_code run_next(struct run_cursor *c, const uint8_t **ret, struct err *reterr);
void run_end(struct run_cursor *c);

struct run_writer;
/* room: at most so many entries follow. */
ERR_CHECK enum err_code run_writer_new(
    int folder_fd, const struct keys *k, uint64_t room, struct run_writer **ret, struct err *reterr);
void run_writer_free(struct run_writer *w); /* an unfinished one takes its file with it */
CLEANUP_DEFINE(struct run_writer, run_writer_cleanup, run_writer_free)
/* Greater than the one before. */
ERR_CHECK enum err_code run_writer_add(struct run_writer *w, const uint8_t entry[RUN_ENTRY_SIZE], struct err *reterr);
/* Durable but for its name: the folder must still be synced. */
ERR_CHECK enum err_code run_writer_finish(struct run_writer *w, struct run **ret, struct err *reterr);

void run_entry_write(uint8_t out[RUN_ENTRY_SIZE], const struct chunk_id *id, const struct place *p);
struct place run_entry_place(const uint8_t entry[RUN_ENTRY_SIZE]);

#endif
