/* Templates that differ where things vary become one. */
#include <stdlib.h>
#include <string.h>

#include "shared/mining/miner_internal.h"

struct neighbour {
	uint32_t slot;
	size_t differs;  /* in how many places */
	size_t position; /* the last of them */
	bool opposed;    /* in one of them stands a word that has an opposite: never to be covered */
	bool names_only; /* in all these places both have names or values, not ordinary words */
};

static bool is_name(const struct word *w)
{
	return !(w->flags & (TOKEN_KNOWN | TOKEN_POLAR)) ||
	       (w->flags & (TOKEN_VALUE | TOKEN_NAMED) && !(w->flags & TOKEN_POLAR));
}

static struct neighbour compare(const struct miner *m, const struct template *t, uint32_t slot)
{
	const struct template *u = &m->templates[slot];
	struct neighbour n = {.slot = slot, .names_only = true};
	for (size_t i = 0; i < t->word_count; i++) {
		const struct word *a = &t->words[i], *b = &u->words[i];
		bool blank = positions_has(&t->blank, i) || positions_has(&u->blank, i);
		bool same = a->flags & b->flags & TOKEN_VARIABLE ||
			    (a->hash == b->hash && !((a->flags | b->flags) & TOKEN_VARIABLE));
		if (same || (blank && !((a->flags | b->flags) & TOKEN_POLAR)))
			continue;
		n.opposed |= ((a->flags | b->flags) & TOKEN_POLAR) != 0;
		if (n.opposed || (++n.differs > 1 && n.differs * 2 > t->word_count + 1u)) {
			n.opposed = true; /* hardly anything in common: looked at no further */
			break;
		}
		n.position = i;
		n.names_only &= is_name(a) && is_name(b);
	}
	return n;
}

static void count_value(struct values *v, const struct word *w)
{
	v->count++;
	v->variable += (w->flags & TOKEN_VARIABLE) != 0;
	v->known += (w->flags & (TOKEN_VARIABLE | TOKEN_KNOWN | TOKEN_NAMED)) == TOKEN_KNOWN;
	v->odd += (w->flags & TOKEN_ODD) != 0;
	v->valued |= (w->flags & TOKEN_VALUE) != 0;
	v->cued |= (w->flags & TOKEN_CUED) != 0;
}

static bool counted(const uint64_t *seen, size_t count, uint64_t hash)
{
	for (size_t i = 0; i < count; i++)
		if (seen[i] == hash)
			return true;
	return false;
}

/* What stands at position in t and in these neighbours. */
static struct values gather(
    const struct miner *m, const struct template *t, const struct neighbour *near, size_t count, size_t position)
{
	struct values v = {.first = position == 0};
	uint64_t seen[64];
	size_t kinds = 1;
	count_value(&v, &t->words[position]);
	seen[0] = t->words[position].flags & TOKEN_VARIABLE ? 0 : t->words[position].hash;
	for (size_t i = 0; i < count && kinds < 64; i++) {
		const struct word *w = &m->templates[near[i].slot].words[position];
		uint64_t hash = w->flags & TOKEN_VARIABLE ? 0 : w->hash;
		if (counted(seen, kinds, hash))
			continue;
		seen[kinds++] = hash;
		count_value(&v, w);
	}
	for (size_t i = 0; i < t->word_count; i++)
		if (i != position && !positions_has(&t->blank, i) && !(t->words[i].flags & TOKEN_VARIABLE)) {
			v.fixed_words++;
			v.known_words += (t->words[i].flags & TOKEN_KNOWN) != 0;
		}
	return v;
}

/* A few of near (those chosen) and t become one, with these blanks as well. */
static uint32_t fuse(struct miner *m, uint32_t slot, const struct neighbour *near, size_t count, struct positions blank)
{
	for (size_t i = 0; i < count; i++)
		blank = positions_union(blank, m->templates[near[i].slot].blank);
	uint32_t keep = slot;
	for (size_t i = 0; i < count; i++)
		if (m->templates[near[i].slot].group < m->templates[keep].group)
			keep = near[i].slot; /* the eldest */
	struct bucket *b = &m->buckets[m->templates[slot].bucket];
	if (!bucket_need_mask(b, &blank)) {
		bucket_drop_masks(m, b);
		if (!bucket_need_mask(b, &blank))
			return slot;
	}
	struct template *k = &m->templates[keep];
	for (size_t i = 0; i <= count; i++) {
		uint32_t other = i < count ? near[i].slot : slot;
		struct template *u = &m->templates[other];
		if (other == keep)
			continue;
		k->count += u->count;
		k->fresh += u->fresh;
		k->first_ms = u->first_ms < k->first_ms ? u->first_ms : k->first_ms;
		k->fresh_first_ms = u->fresh_first_ms < k->fresh_first_ms ? u->fresh_first_ms : k->fresh_first_ms;
		k->last_ms = u->last_ms > k->last_ms ? u->last_ms : k->last_ms;
		k->seen = u->seen > k->seen ? u->seen : k->seen;
		k->level = u->level > k->level ? u->level : k->level;
		k->varied = positions_union(k->varied, u->varied);
		for (size_t w = 0; w < k->word_count; w++)
			if ((k->words[w].flags & TOKEN_NUMBERED && k->words[w].hash != u->words[w].hash) ||
			    (k->words[w].flags ^ u->words[w].flags) & TOKEN_UNIT)
				positions_add(&k->varied, w);
		if (m->aliases.count < m->limit * ALIASES_PER_TEMPLATE)
			(void)table_put(&m->aliases, (uint64_t)u->group + 1, k->group);
		/* The bucket must not vanish when its last but one template goes: k is still in it. */
		miner_drop_slot(m, other);
	}
	uint32_t found;
	if (table_get(&m->by_key, k->key, &found) && found == keep)
		table_remove(&m->by_key, k->key);
	k->blank = blank;
	k->key = template_own_key(k);
	(void)table_put(&m->by_key, k->key, keep); /* room was made by the removal */
	free(k->text);
	k->text = NULL;
	bucket_drop_masks(m, &m->buckets[k->bucket]);
	return keep;
}

static size_t neighbours(const struct miner *m, uint32_t slot, struct neighbour *out)
{
	const struct template *t = &m->templates[slot];
	size_t count = 0;
	for (uint32_t s = m->buckets[t->bucket].first; s && count < NEIGHBOURS_MAX; s = m->templates[s - 1].next)
		if (s - 1 != slot) {
			struct neighbour n = compare(m, t, s - 1);
			if (!n.opposed && (n.differs <= 1 || n.names_only))
				out[count++] = n;
		}
	return count;
}

static bool single(const struct neighbour *n, size_t position)
{
	return n->differs == 1 && n->position == position;
}

/* Those with the wanted property to the front; how many. */
static size_t choose(struct neighbour *near, size_t count, size_t differs, size_t position)
{
	size_t chosen = 0;
	for (size_t i = 0; i < count; i++) {
		bool take = differs == 0   ? near[i].differs == 0
			    : differs == 1 ? single(&near[i], position)
					   : near[i].names_only;
		if (!take)
			continue;
		struct neighbour n = near[i];
		near[i] = near[chosen];
		near[chosen++] = n;
	}
	return chosen;
}

/* Alike but for names in several places: each place must be allowed to vary by itself. */
static bool skeleton_varies(const struct miner *m, const struct template *t, const struct neighbour *near, size_t count,
    struct positions *blank)
{
	if (count + 1 < SKELETONS_LEAST)
		return false;
	bool any = false;
	for (size_t i = 0; i < t->word_count; i++) {
		if (positions_has(&t->blank, i))
			continue;
		struct values v = gather(m, t, near, count, i);
		if (v.count < 2)
			continue;
		v.cued |= v.known == 0; /* that other places vary as well speaks for it */
		if (!values_vary(&v))
			return false;
		positions_add(blank, i);
		any = true;
	}
	return any;
}

uint32_t miner_generalise(struct miner *m, uint32_t slot)
{
	struct neighbour near[NEIGHBOURS_MAX];
	const struct template *t = &m->templates[slot];
	size_t count = neighbours(m, slot, near), chosen = choose(near, count, 0, 0);
	if (chosen) /* one of them already has a blank where the other has a word */
		return fuse(m, slot, near, chosen, t->blank);
	for (size_t i = 0; i < count; i++) {
		if (near[i].differs != 1)
			continue;
		size_t position = near[i].position;
		bool before = false;
		for (size_t k = 0; k < i && !before; k++)
			before = single(&near[k], position);
		if (before)
			continue;
		struct neighbour some[NEIGHBOURS_MAX];
		memcpy(some, near, count * sizeof *some);
		chosen = choose(some, count, 1, position);
		struct values v = gather(m, t, some, chosen, position);
		if (values_vary(&v)) {
			struct positions blank = t->blank;
			positions_add(&blank, position);
			return fuse(m, slot, some, chosen, blank);
		}
	}
	struct positions blank = t->blank;
	chosen = choose(near, count, 2, 0);
	return skeleton_varies(m, t, near, chosen, &blank) ? fuse(m, slot, near, chosen, blank) : slot;
}
