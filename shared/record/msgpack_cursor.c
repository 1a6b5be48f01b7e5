#include "shared/record/msgpack_cursor.h"

#include <string.h>

#include "shared/base/limits.h"

const char *token_name(const struct token *t)
{
	static const char *const names[] = {
	    [TOKEN_NIL] = "nil",
	    [TOKEN_BOOL] = "a boolean",
	    [TOKEN_UNSIGNED] = "a whole number",
	    [TOKEN_NEGATIVE] = "a negative number",
	    [TOKEN_FLOAT] = "a floating number",
	    [TOKEN_STRING] = "a string",
	    [TOKEN_BYTES] = "bytes",
	    [TOKEN_ARRAY] = "an array",
	    [TOKEN_MAP] = "a map",
	    [TOKEN_EXT] = "an extension",
	    [TOKEN_TRUNCATED] = "an end that comes too early",
	    [TOKEN_UNKNOWN] = "a byte that begins nothing",
	};
	return names[t->kind];
}

static const struct token truncated = {.kind = TOKEN_TRUNCATED};

static bool big_endian(struct cursor *c, size_t n, uint64_t *ret)
{
	if ((size_t)(c->end - c->at) < n)
		return false;
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | c->at[i];
	c->at += n;
	*ret = v;
	return true;
}

static struct token run(struct cursor *c, enum token_kind kind, uint64_t size)
{
	if ((size_t)(c->end - c->at) < size)
		return truncated;
	struct token t = {.kind = kind, .size = (size_t)size, .data = c->at};
	c->at += size;
	return t;
}

/* Every item takes a byte at least, every pair two. */
static struct token container(struct cursor *c, enum token_kind kind, uint64_t count)
{
	uint64_t room = (uint64_t)(c->end - c->at) / (kind == TOKEN_MAP ? 2 : 1);
	if (count > room)
		return truncated;
	return (struct token){.kind = kind, .count = (uint32_t)count};
}

static struct token whole(uint64_t v)
{
	return (struct token){.kind = TOKEN_UNSIGNED, .number = v};
}

static struct token with_sign(int64_t v)
{
	return v >= 0 ? whole((uint64_t)v) : (struct token){.kind = TOKEN_NEGATIVE, .negative = v};
}

static struct token real(uint64_t bits, bool wide)
{
	struct token t = {.kind = TOKEN_FLOAT};
	uint32_t narrow_bits = (uint32_t)bits;
	float narrow;
	memcpy(&narrow, &narrow_bits, sizeof(narrow));
	memcpy(&t.real, &bits, sizeof(t.real));
	if (!wide)
		t.real = (double)narrow;
	return t;
}

static struct token extension(struct cursor *c, uint64_t size)
{
	return run(c, TOKEN_EXT, size + 1); /* and the byte that says which */
}

/* Heads 0xc0 to 0xdf: v is the number that follows the head, if one does. */
static struct token headed(struct cursor *c, uint8_t head)
{
	static const uint8_t follows[32] = {
	    [4] = 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, [25] = 1, 2, 4, 2, 4, 2, 4};
	uint64_t v = 0;
	if (!big_endian(c, follows[head & 31], &v))
		return truncated;
	switch (head) {
	case 0xc0:
		return (struct token){.kind = TOKEN_NIL};
	case 0xc2:
	case 0xc3:
		return (struct token){.kind = TOKEN_BOOL, .number = head & 1};
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return run(c, TOKEN_BYTES, v);
	case 0xc7:
	case 0xc8:
	case 0xc9:
		return extension(c, v);
	case 0xca:
	case 0xcb:
		return real(v, head == 0xcb);
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		return whole(v);
	case 0xd0:
		return with_sign((int8_t)v);
	case 0xd1:
		return with_sign((int16_t)v);
	case 0xd2:
		return with_sign((int32_t)v);
	case 0xd3:
		return with_sign((int64_t)v);
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8:
		return extension(c, (uint64_t)1 << (head - 0xd4));
	case 0xd9:
	case 0xda:
	case 0xdb:
		return run(c, TOKEN_STRING, v);
	case 0xdc:
	case 0xdd:
		return container(c, TOKEN_ARRAY, v);
	case 0xde:
	case 0xdf:
		return container(c, TOKEN_MAP, v);
	default:
		return (struct token){.kind = TOKEN_UNKNOWN};
	}
}

struct token cursor_next(struct cursor *c)
{
	if (c->at == c->end)
		return truncated;
	uint8_t head = *c->at++;
	if (head < 0x80)
		return whole(head);
	if (head < 0x90)
		return container(c, TOKEN_MAP, head & 15);
	if (head < 0xa0)
		return container(c, TOKEN_ARRAY, head & 15);
	if (head < 0xc0)
		return run(c, TOKEN_STRING, head & 31);
	return head < 0xe0 ? headed(c, head) : with_sign((int8_t)head);
}

enum token_kind cursor_skip(struct cursor *c, unsigned depth_max)
{
	uint64_t left[RECORD_DEPTH_MAX + 1] = {1}; /* values still to come on each level */
	unsigned depth = 0;
	if (depth_max > RECORD_DEPTH_MAX)
		depth_max = RECORD_DEPTH_MAX;
	while (left[depth] > 0 || depth > 0) { /* each turn takes a byte or leaves a level */
		if (left[depth] == 0) {
			depth--;
			continue;
		}
		left[depth]--;
		struct token t = cursor_next(c);
		if (t.kind >= TOKEN_TRUNCATED)
			return t.kind;
		if (t.kind != TOKEN_ARRAY && t.kind != TOKEN_MAP)
			continue;
		if (depth == depth_max)
			return TOKEN_ARRAY;
		left[++depth] = (uint64_t)t.count * (t.kind == TOKEN_MAP ? 2 : 1);
	}
	return TOKEN_NIL;
}
