/* shared/mining/template.h: one template in a miner's memory.  Private to shared/mining. */
#ifndef KEDGE_SHARED_MINING_TEMPLATE_H
#define KEDGE_SHARED_MINING_TEMPLATE_H

#include "shared/mining/token.h"

struct positions { /* a set of token positions */
	uint64_t bits[MINER_TOKENS_MAX / 64];
};
static inline bool positions_has(const struct positions *p, size_t i)
{
	return p->bits[i / 64] >> (i % 64) & 1;
}
static inline void positions_add(struct positions *p, size_t i)
{
	p->bits[i / 64] |= 1ull << (i % 64);
}
static inline bool positions_equal(const struct positions *a, const struct positions *b)
{
	return a->bits[0] == b->bits[0] && a->bits[1] == b->bits[1];
}
static inline struct positions positions_union(struct positions a, struct positions b)
{
	return (struct positions){{a.bits[0] | b.bits[0], a.bits[1] | b.bits[1]}};
}
static inline unsigned positions_count(const struct positions *p)
{
	return (unsigned)__builtin_popcountll(p->bits[0]) + (unsigned)__builtin_popcountll(p->bits[1]);
}

struct word { /* one token of a template */
	uint64_t hash;
	uint16_t size, glue_size;
	uint16_t flags;
};

struct template
{
	uint64_t key, structure, id;
	struct positions blank;  /* found to vary */
	struct positions varied; /* TOKEN_NUMBERED ones that have been seen otherwise */
	uint16_t word_count, tail_size;
	bool cut, is_new;
	uint32_t group, bucket, next;                                   /* next: in the bucket, slot + 1, 0 ends */
	uint64_t count, fresh, first_ms, last_ms, fresh_first_ms, seen; /* seen: the miner's clock of lines */
	enum line_level level;
	struct word *words; /* one allocation: words, then the bytes of glue and words, then the tail */
	char *bytes;
	char *text; /* rendered; NULL until asked for after a change */
	char *sample;
};

/* ret->words and bytes are made; false: no memory. */
bool template_fill(struct template *ret, const struct tokens *t);
void template_done(struct template *t);
/* Renders, unless it is; NULL: no memory.  Sets id. */
const char *template_text(struct template *t);
void template_render(const struct template *t, struct buf *out);

/* The sum over positions that identifies a template within its structure; blanks count as such. */
uint64_t template_key(const struct tokens *t, const struct positions *blank);
uint64_t template_own_key(const struct template *t);

/* generalise.c: shall these values be one <*>? */
struct values {
	size_t count;                /* distinct */
	size_t variable, known, odd; /* of them: variable by look, ordinary words, oddly written */
	bool valued, cued, first;
	size_t fixed_words; /* literal words that would stay */
	size_t known_words; /* ordinary ones among them */
};
bool values_vary(const struct values *v);

#endif
