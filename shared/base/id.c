#include "shared/base/id.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS = 26 }; /* 26 x 5 bits = 130: the first character carries three bits */

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static const char *const prefixes[] = {
#define X(NAME, prefix) [ID_##NAME] = prefix,
    ID_KINDS(X)
#undef X
};

struct id id_new(uint64_t now_ms, struct random *random)
{
	struct id id;
	random_fill(random, id.b, sizeof(id.b));
	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(now_ms >> (40 - 8 * i));
	id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f)); /* version 7 */
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f)); /* variant of RFC 9562 */
	return id;
}

bool id_is_zero(struct id id)
{
	return id_equal(id, (struct id){0});
}

bool id_equal(struct id a, struct id b)
{
	return id_compare(a, b) == 0;
}

int id_compare(struct id a, struct id b)
{
	return memcmp(a.b, b.b, sizeof(a.b));
}

uint64_t id_time_ms(struct id id)
{
	uint64_t ms = 0;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id.b[i];
	return ms;
}

const char *id_kind_prefix(enum id_kind kind)
{
	assert((unsigned)kind < ID_KIND_COUNT);
	return prefixes[kind];
}

static void halves(const struct id *id, uint64_t *high, uint64_t *low)
{
	*high = *low = 0;
	for (int i = 0; i < 8; i++) {
		*high = *high << 8 | id->b[i];
		*low = *low << 8 | id->b[8 + i];
	}
}

char *id_format(enum id_kind kind, struct id id, char out[ID_TEXT_MAX])
{
	int at = snprintf(out, ID_TEXT_MAX, "%s-", id_kind_prefix(kind));
	assert(at > 0 && at + DIGITS < ID_TEXT_MAX);
	uint64_t high, low;
	halves(&id, &high, &low);
	char *digit = out + at + DIGITS;
	*digit = '\0';
	for (int i = 0; i < DIGITS; i++) {
		*--digit = alphabet[low & 31];
		low = low >> 5 | high << 59;
		high >>= 5;
	}
	return out;
}

static enum err_code refuse(enum id_kind kind, const char *text, const char *why, struct err *reterr)
{
	return err_set(reterr, ERR_INVALID, "\"%.60s\" is no %s id: %s", text, id_kind_prefix(kind), why);
}

enum err_code id_parse(enum id_kind kind, const char *text, struct id *ret, struct err *reterr)
{
	const char *prefix = id_kind_prefix(kind);
	size_t n = strlen(prefix);
	if (!text)
		return refuse(kind, "", "nothing given", reterr);
	if (strncmp(text, prefix, n) != 0 || text[n] != '-')
		return refuse(kind, text, "it begins otherwise", reterr);
	const char *digits = text + n + 1;
	if (strlen(digits) != DIGITS)
		return refuse(kind, text, "26 characters are wanted after the hyphen", reterr);
	if (digits[0] > '7')
		return refuse(kind, text, "more than 128 bits", reterr);
	uint64_t high = 0, low = 0;
	for (int i = 0; i < DIGITS; i++) {
		const char *digit = strchr(alphabet, digits[i]);
		if (!digit)
			return refuse(kind, text, "a character outside lower-case Crockford base32", reterr);
		high = high << 5 | low >> 59;
		low = low << 5 | (uint64_t)(digit - alphabet);
	}
	for (int i = 0; i < 8; i++) {
		ret->b[i] = (uint8_t)(high >> (56 - 8 * i));
		ret->b[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
	return ERR_OK;
}

const char *id_text(enum id_kind kind, struct id id)
{
	static _Thread_local char store[4][ID_TEXT_MAX];
	static _Thread_local unsigned next;
	return id_format(kind, id, store[next++ % 4]);
}
