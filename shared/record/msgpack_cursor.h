/* shared/record/msgpack_cursor.h: reads msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md) token by
 * token.
 *
 * msgpack-c's own unpacker builds a tree first, of a size that the sender declares; here nothing is allocated, a
 * declared length is believed only as far as bytes are there, and what decodes goes straight from the bytes into the
 * record.  Pure. */
#ifndef KEDGE_SHARED_RECORD_MSGPACK_CURSOR_H
#define KEDGE_SHARED_RECORD_MSGPACK_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *at, *end;
};

enum token_kind {
	TOKEN_NIL,
	TOKEN_BOOL,
	TOKEN_UNSIGNED,
	TOKEN_NEGATIVE,
	TOKEN_FLOAT,
	TOKEN_STRING,
	TOKEN_BYTES,
	TOKEN_ARRAY,
	TOKEN_MAP,
	TOKEN_EXT,
	TOKEN_TRUNCATED, /* the bytes end before it does, or before what it declares could */
	TOKEN_UNKNOWN,   /* 0xc1 */
};
struct token {
	enum token_kind kind;
	uint32_t count;      /* ARRAY: items, MAP: pairs; not more than bytes that follow */
	size_t size;         /* STRING, BYTES, EXT */
	const uint8_t *data; /* … in the input */
	union {
		uint64_t number; /* BOOL, UNSIGNED */
		int64_t negative;
		double real;
	};
};

/* Moves behind the token; of an ARRAY or MAP behind its head only. */
struct token cursor_next(struct cursor *c);
const char *token_name(const struct token *t); /* "a string", for errors */
/* Moves behind one whole value of at most depth_max levels.  TOKEN_NIL: done; TOKEN_TRUNCATED, TOKEN_UNKNOWN;
 * TOKEN_ARRAY: too deep. */
enum token_kind cursor_skip(struct cursor *c, unsigned depth_max);

#endif
