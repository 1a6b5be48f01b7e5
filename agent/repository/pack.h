/* agent/repository/pack.h: pack files: sealed segments of compressed chunks, and a sealed index of them.
 *
 *   header   64 bytes: "KEDGEPK1", u32 version 1, u32 key number, pack id (16), repository id (16), zeros
 *   segment  16 bytes: u32 "SEG1", u32 number (from 0), u32 sealed size, u32 raw size; then the sealed bytes and a tag
 * (16) sealed: one zstd frame of up to SEGMENT_RAW_MAX bytes, chunks one after the other index    sealed: u32 segments,
 * u32 chunks; a segment: u32 offset, u32 sealed size, u32 raw size, u32 chunks; a chunk, in order of place: id (20),
 * u32 size footer   64 bytes: "KEDGEPKE", u32 offset and u32 sealed size (with tag) of the index, u64 size of the file,
 *            SHA-256 of everything before the footer (32), zeros
 *
 * All numbers are little-endian.  AES-256-GCM under a key of the pack's own; the nonce is the segment's number, or
 * PACK_INDEX_COUNTER; the associated data is pack id, offset and sizes, so that a segment is good at its own place
 * only.  Chunks are checked once more by their names.  A pack is written as packs/ID.tmp under a flock, synced, renamed
 * to packs/ID.pack, and never changed again: a .tmp without a lock is what a crash left. */
#ifndef KEDGE_AGENT_REPOSITORY_PACK_H
#define KEDGE_AGENT_REPOSITORY_PACK_H

#include "agent/repository/key.h"
#include "shared/base/buf.h"

enum {
	PACK_HEADER_SIZE = 64,
	PACK_FOOTER_SIZE = 64,
	SEGMENT_HEADER_SIZE = 16,
	PACK_VERSION = 1,
	PACK_ID_SIZE = 16,
	PACK_NAME_MAX = 48,                                                   /* 32 hex digits and ".pack" or ".tmp" */
	SEGMENT_SEALED_MAX = SEGMENT_RAW_MAX + (SEGMENT_RAW_MAX >> 7) + 1024, /* zstd's bound is below this */
};
#define PACK_INDEX_COUNTER UINT64_MAX

struct pack_id {
	uint8_t b[PACK_ID_SIZE];
};

/* ---- format; pure ---- */

struct pack_header {
	uint32_t key_number;
	struct pack_id pack;
	uint8_t repo[REPO_ID_SIZE];
};
struct pack_footer {
	uint32_t index_offset, index_size; /* sealed, with tag */
	uint64_t file_size;
	uint8_t digest[32];
};
struct pack_segment {
	uint32_t offset, sealed_size, raw_size, chunk_count;
};
struct pack_chunk {
	struct chunk_id id;
	uint32_t size;
};
struct pack_index { /* arrays are the index's own */
	struct pack_segment *segments;
	struct pack_chunk *chunks;
	uint32_t segment_count, chunk_count;
};

void pack_header_write(const struct pack_header *h, uint8_t out[PACK_HEADER_SIZE]);
ERR_CHECK enum err_code pack_header_parse(
    const uint8_t in[PACK_HEADER_SIZE], struct pack_header *ret, struct err *reterr);
void pack_footer_write(const struct pack_footer *f, uint8_t out[PACK_FOOTER_SIZE]);
ERR_CHECK enum err_code pack_footer_parse(
    const uint8_t in[PACK_FOOTER_SIZE], uint64_t file_size, struct pack_footer *ret, struct err *reterr);
/* The opened index; everything in it lies within a pack whose segments end at end_offset. */
ERR_CHECK enum err_code pack_index_parse(
    const uint8_t *data, size_t size, uint32_t end_offset, struct pack_index *ret, struct err *reterr);
void pack_index_write(const struct pack_index *x, struct buf *out);
void pack_index_done(struct pack_index *x);
void segment_header_write(uint32_t number, uint32_t sealed_size, uint32_t raw_size, uint8_t out[SEGMENT_HEADER_SIZE]);
ERR_CHECK enum err_code segment_header_parse(const uint8_t in[SEGMENT_HEADER_SIZE], uint32_t *ret_number,
    uint32_t *ret_sealed_size, uint32_t *ret_raw_size, struct err *reterr);
enum { SEGMENT_AAD_SIZE = PACK_ID_SIZE + 16 };
void segment_aad(
    struct pack_id pack, uint32_t offset, uint32_t sealed_size, uint32_t raw_size, uint8_t out[SEGMENT_AAD_SIZE]);

char *pack_name(struct pack_id pack, const char *suffix, char out[PACK_NAME_MAX]); /* suffix: ".pack", ".tmp" */
bool pack_name_parse(const char *name, const char *suffix, struct pack_id *ret);

/* ---- reading; blocking, one thread ---- */

struct pack; /* an open pack file */
/* Opens and authenticates what the file says about itself (header); the index only when asked for. */
ERR_CHECK enum err_code pack_open(
    int packs_fd, struct pack_id id, const struct keys *k, struct pack **ret, struct err *reterr);
void pack_close(struct pack *p);
CLEANUP_DEFINE(struct pack, pack_cleanup, pack_close)
uint64_t pack_size(const struct pack *p);
ERR_CHECK enum err_code pack_read_index(struct pack *p, struct pack_index *ret, struct err *reterr);
struct unpacker; /* what reading segments needs besides: a decoder, and room for a sealed one; belongs to one thread */
ERR_CHECK enum err_code unpacker_new(struct unpacker **ret, struct err *reterr);
void unpacker_free(struct unpacker *u);
CLEANUP_DEFINE(struct unpacker, unpacker_cleanup, unpacker_free)
/* Decompressed into raw (raw_size bytes, at most SEGMENT_RAW_MAX).  ERR_CORRUPT names file and offset. */
ERR_CHECK enum err_code pack_read_segment(struct pack *p, uint32_t offset, uint32_t sealed_size, uint32_t raw_size,
    struct unpacker *u, uint8_t *raw, struct err *reterr);
/* Compares the file's bytes with the digest in its footer. */
ERR_CHECK enum err_code pack_check_digest(struct pack *p, struct err *reterr);

/* ---- writing; blocking, one thread ---- */

struct pack_writer;
ERR_CHECK enum err_code pack_writer_new(
    int packs_fd, const struct keys *k, struct pack_writer **ret, struct err *reterr);
void pack_writer_free(struct pack_writer *w); /* an unfinished one takes its file with it */
CLEANUP_DEFINE(struct pack_writer, pack_writer_cleanup, pack_writer_free)
struct pack_id pack_writer_id(const struct pack_writer *w);
/* sealed holds SEGMENT_SEALED_MAX bytes, of which sealed_size are compressed ones; seals in place and writes. */
ERR_CHECK enum err_code pack_writer_segment(struct pack_writer *w, uint8_t *sealed, uint32_t sealed_size,
    uint32_t raw_size, const struct pack_chunk *chunks, uint32_t count, struct err *reterr);
uint64_t pack_writer_size(const struct pack_writer *w);
uint32_t pack_writer_chunks(const struct pack_writer *w);
/* Index, footer, fsync, rename; packs/ itself must still be synced.  *ret (the caller's) is what it holds. */
ERR_CHECK enum err_code pack_writer_finish(
    struct pack_writer *w, struct pack_index *ret, uint64_t *ret_size, struct err *reterr);

#endif
