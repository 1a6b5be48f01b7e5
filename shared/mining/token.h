/* shared/mining/token.h: a message as words and what stands between them.  Private to shared/mining.  Pure, bounded. */
#ifndef KEDGE_SHARED_MINING_TOKEN_H
#define KEDGE_SHARED_MINING_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/mining/mining.h"

enum token_flags {
	TOKEN_VARIABLE = 1u << 0, /* by its look: a number, address, path, identifier */
	TOKEN_NUMBERED =
	    1u << 1, /* a word with a digit or two behind (eth0, ssh2): variable, but shown as it is until it varies */
	TOKEN_KNOWN = 1u << 2,  /* an ordinary word of logs */
	TOKEN_POLAR = 1u << 3,  /* one of two opposites (started, down): never variable */
	TOKEN_VALUE = 1u << 4,  /* behind '=' or inside quotes */
	TOKEN_CUED = 1u << 5,   /* behind a word that announces a value (user, from) */
	TOKEN_BLANK = 1u << 7,  /* "<*>" itself: somebody has already seen that this varies */
	TOKEN_NAMED = 1u << 10, /* behind a word that only names follow (user, host) */
	TOKEN_UNIT_SHIFT = 12,  /* a number's unit, as unit_size() numbers them; shown until it varies */
	TOKEN_UNIT = 15u << 12,
	TOKEN_ODD = 1u << 6, /* not a plain lower-case word: CamelCase, CAPS, a_b, a.b */
};

struct token {
	const char *text;
	uint16_t size;
	uint16_t glue_size; /* of what stands before it; blanks are one space */
	const char *glue;
	uint64_t hash;
	unsigned flags;
};

struct tokens {
	struct token items[MINER_TOKENS_MAX];
	size_t count;
	const char *tail; /* behind the last one */
	uint16_t tail_size;
	bool cut;           /* more than was looked at */
	uint64_t structure; /* hash of the count and of all glue */
};

/* Borrowed from text. */
void tokens_read(const char *text, size_t size, struct tokens *ret);
uint64_t token_hash(const char *text, size_t size);
uint64_t token_mix(uint64_t h);

size_t date_size(const char *p, size_t n); /* date.c: bytes of a date of several words, or 0 */
/* date.c: " KB" behind a number, or 0; *ret_unit tells which, 1 to 15, or 0. */
size_t unit_size(const char *p, size_t n, unsigned *ret_unit);
size_t unit_text_size(unsigned unit); /* of " KB" */

enum word_class {
	CLASS_NONE = 0,
	CLASS_KNOWN = TOKEN_KNOWN,
	CLASS_POLAR = TOKEN_POLAR,
	CLASS_CUE = 1u << 8,
	CLASS_NAMER = 1u << 9,  /* a cue behind which any word is a name */
	CLASS_TITLED = 1u << 11 /* several words in quotes behind it are a title */
};
/* words.c; any case.  ret_hash: NULL, or it takes the word's token_hash() where that fell off. */
unsigned word_class(const char *text, size_t size, uint64_t *ret_hash);

#endif
