/* agent/repository/limits.h: the limits of what a repository stores, each with its reason. */
#ifndef KEDGE_AGENT_REPOSITORY_LIMITS_H
#define KEDGE_AGENT_REPOSITORY_LIMITS_H

enum {
	CHUNK_ID_SIZE = 20, /* 160 bits of HMAC-SHA-256: collisions at 2^80, and a fifth less metadata than 256 */
	CHUNK_WHOLE_MAX = 128 << 10, /* files up to this size are one chunk */
	CHUNK_MIN = 32 << 10,        /* content-defined chunks; see chunker.h */
	CHUNK_AVERAGE = 128 << 10,
	CHUNK_MAX = 512 << 10,
	PAGES_FINE_BYTES =
	    1 << 30, /* times 4: 4 GiB of single pages are half a million references, 12 MiB; see chunker.h */
	SEGMENT_TARGET =
	    256 << 10, /* chunks are compressed together up to this size: ratio against cost of one small read */
	SEGMENT_RAW_MAX = SEGMENT_TARGET + CHUNK_MAX,
	SEGMENT_CHUNKS_MAX = 1 << 16,
	PACK_TARGET = 64 << 20, /* the unit of deletion and of a later upload */
	PACK_CHUNKS_MAX = 1 << 18,
	PACK_CHUNKS_TARGET =
	    1 << 15, /* a pack of so many chunks ends too: what a run remembers of it is given up with its commit */
	RUN_CHUNKS_MAX =
	    96 << 10, /* chunks in finished packs after which a run commits them: some 100 bytes of memory each */
	INDEX_RESIDENT = 64 << 10, /* a run of the index of up to so many chunks is in memory whole: 3 MiB */
	INDEX_FOLD_ALWAYS =
	    4 << 10, /* one of so many is written anew with what comes next: less than a file of its own costs */
	INDEX_FILTER_WORDS = 1 << 20, /* 8 MiB for a run's filter; beyond some 5 million chunks it lets more through */
	INDEX_CHUNKS_MAX = 1 << 30,   /* of one run: 128 TiB */
	PACK_SIZE_MAX = 1 << 30,      /* offsets fit 32 bits with room */
	PACK_LEAD = 8 << 20,          /* bytes written before the kernel is asked to begin writing back */
	KEY_FILE_SIZE_MAX = 64 << 10,
};

#endif
