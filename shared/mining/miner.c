#include "shared/mining/mining.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/mining/miner_internal.h"

enum err_code miner_new(const struct miner_options *o, struct miner **ret, struct err *reterr)
{
	size_t limit = o && o->templates ? o->templates : MINER_TEMPLATES_DEFAULT;
	if (limit > MINER_TEMPLATES_MAX)
		return err_set(reterr, ERR_LIMIT, "a miner holds at most %d templates", MINER_TEMPLATES_MAX);
	struct miner *m = calloc(1, sizeof *m);
	if (!m)
		return err_set(reterr, ERR_NOMEM, "no memory for a miner");
	m->limit = limit;
	*ret = m;
	return ERR_OK;
}

void miner_free(struct miner *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->slots; i++)
		template_done(&m->templates[i]);
	free(m->templates);
	free(m->buckets);
	table_done(&m->by_key);
	table_done(&m->by_structure);
	table_done(&m->by_group);
	table_done(&m->aliases);
	free(m);
}

/* ---- buckets ---- */

static struct bucket *find_bucket(const struct miner *m, uint64_t structure)
{
	uint32_t i;
	return table_get(&m->by_structure, structure, &i) ? &m->buckets[i] : NULL;
}

static bool grow_array(void **items, size_t *count, size_t size, size_t limit)
{
	size_t bigger = *count ? *count * 2 : 32;
	if (bigger > limit)
		bigger = limit;
	char *p = realloc(*items, bigger * size);
	if (!p)
		return false;
	memset(p + *count * size, 0, (bigger - *count) * size);
	*items = p;
	*count = bigger;
	return true;
}

static struct bucket *need_bucket(struct miner *m, uint64_t structure)
{
	struct bucket *b = find_bucket(m, structure);
	if (b)
		return b;
	size_t i = m->free_hint;
	while (i < m->bucket_slots && m->buckets[i].used)
		i++;
	if (i == m->bucket_slots &&
	    !grow_array((void **)&m->buckets, &m->bucket_slots, sizeof *m->buckets, m->limit + 1))
		return NULL;
	if (!table_put(&m->by_structure, structure, (uint32_t)i))
		return NULL;
	m->free_hint = i + 1;
	m->buckets[i] = (struct bucket){.structure = structure, .used = true};
	return &m->buckets[i];
}

/* Sets with fewer blanks first: the more exact template wins. */
bool bucket_need_mask(struct bucket *b, const struct positions *mask)
{
	size_t at = 0;
	for (size_t i = 0; i < b->mask_count; i++)
		if (positions_equal(&b->masks[i], mask))
			return true;
	if (b->mask_count == MASKS_MAX)
		return false;
	while (at < b->mask_count && positions_count(&b->masks[at]) <= positions_count(mask))
		at++;
	memmove(&b->masks[at + 1], &b->masks[at], (b->mask_count - at) * sizeof b->masks[0]);
	b->masks[at] = *mask;
	b->mask_count++;
	return true;
}

/* Masks that no template has any more. */
void bucket_drop_masks(struct miner *m, struct bucket *b)
{
	size_t kept = 0;
	for (size_t i = 0; i < b->mask_count; i++) {
		bool used = false;
		for (uint32_t s = b->first; s && !used; s = m->templates[s - 1].next)
			used = positions_equal(&m->templates[s - 1].blank, &b->masks[i]);
		if (used)
			b->masks[kept++] = b->masks[i];
	}
	b->mask_count = (uint8_t)kept;
}

/* ---- templates in and out ---- */

static uint32_t resolve(const struct miner *m, uint32_t group)
{
	uint32_t to;
	for (int i = 0; i < 64 && table_get(&m->aliases, (uint64_t)group + 1, &to); i++)
		group = to;
	return group;
}

static void unlink_slot(struct miner *m, uint32_t slot)
{
	struct template *t = &m->templates[slot];
	struct bucket *b = &m->buckets[t->bucket];
	uint32_t *at = &b->first;
	while (*at && *at != slot + 1)
		at = &m->templates[*at - 1].next;
	if (*at)
		*at = t->next;
	uint32_t found;
	if (table_get(&m->by_key, t->key, &found) && found == slot)
		table_remove(&m->by_key, t->key);
}

void miner_drop_slot(struct miner *m, uint32_t slot)
{
	struct template *t = &m->templates[slot];
	size_t bucket = t->bucket;
	unlink_slot(m, slot);
	table_remove(&m->by_group, (uint64_t)t->group + 1);
	template_done(t);
	m->count--;
	struct bucket *b = &m->buckets[bucket];
	if (b->first == 0) {
		table_remove(&m->by_structure, b->structure);
		b->used = false;
		if (bucket < m->free_hint)
			m->free_hint = bucket;
	}
}

/* Of the next few, the one seen least and longest ago. */
static uint32_t victim(struct miner *m)
{
	uint32_t worst = UINT32_MAX;
	for (size_t n = 0; n < SWEEP || worst == UINT32_MAX; n++) {
		m->hand = (m->hand + 1) % m->slots;
		const struct template *t = &m->templates[m->hand];
		if (!t->words)
			continue;
		const struct template *w = worst == UINT32_MAX ? NULL : &m->templates[worst];
		if (!w || t->count < w->count || (t->count == w->count && t->seen < w->seen))
			worst = (uint32_t)m->hand;
	}
	return worst;
}

static bool free_slot(struct miner *m, uint32_t *ret)
{
	if (m->count >= m->limit) {
		*ret = victim(m);
		miner_drop_slot(m, *ret);
		m->evicted++;
		return true;
	}
	if (m->count == m->slots) {
		*ret = (uint32_t)m->slots;
		return grow_array((void **)&m->templates, &m->slots, sizeof *m->templates, m->limit);
	}
	for (size_t i = 0; i < m->slots; i++) {
		size_t at = (m->hand + i) % m->slots;
		if (!m->templates[at].words) {
			*ret = (uint32_t)at;
			m->hand = at;
			return true;
		}
	}
	return false;
}

static bool place(struct miner *m, uint32_t slot)
{
	struct template *t = &m->templates[slot];
	struct bucket *b = need_bucket(m, t->structure);
	if (!b || !bucket_need_mask(b, &t->blank) || !table_put(&m->by_key, t->key, slot))
		return false;
	t->bucket = (uint32_t)(b - m->buckets);
	t->next = b->first;
	b->first = slot + 1;
	return true;
}

static bool make(struct miner *m, const struct tokens *tokens, uint32_t *ret)
{
	uint32_t slot;
	if (!free_slot(m, &slot))
		return false;
	struct template *t = &m->templates[slot];
	*t = (struct template){
	    .group = m->next_group, .is_new = true, .first_ms = UINT64_MAX, .fresh_first_ms = UINT64_MAX};
	if (!template_fill(t, tokens))
		return false;
	m->count++;
	t->key = template_own_key(t);
	if (!place(m, slot)) { /* more kinds of blanks than are kept: exact, then */
		t->blank = (struct positions){0};
		t->key = template_own_key(t);
		if (!place(m, slot)) {
			template_done(t);
			m->count--;
			return false;
		}
	}
	if (!table_put(&m->by_group, (uint64_t)t->group + 1, slot)) {
		miner_drop_slot(m, slot);
		return false;
	}
	m->next_group++;
	*ret = slot;
	return true;
}

/* ---- finding ---- */

static bool polar_under(const struct tokens *t, const struct positions *mask)
{
	for (size_t i = 0; i < t->count; i++)
		if (positions_has(mask, i) && t->items[i].flags & TOKEN_POLAR)
			return true;
	return false;
}

static bool find(const struct miner *m, const struct bucket *b, const struct tokens *t, uint32_t *ret)
{
	for (size_t i = 0; i < b->mask_count; i++) {
		uint32_t slot;
		if (!table_get(&m->by_key, template_key(t, &b->masks[i]), &slot))
			continue;
		if (m->templates[slot].structure == t->structure && !polar_under(t, &b->masks[i])) {
			*ret = slot;
			return true;
		}
	}
	return false;
}

/* ---- the interface ---- */

static void keep_sample(struct template *t, const char *text, size_t size)
{
	char sample[MINER_SAMPLE_MAX];
	if (t->sample || size == 0)
		return;
	size_t n = size < sizeof sample - 1 ? size : sizeof sample - 1;
	while (n < size && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--; /* not inside a character */
	for (size_t i = 0; i < n; i++)
		sample[i] = text[i] ? text[i] : '?';
	sample[n] = '\0';
	t->sample = strdup(sample); /* without one is fine */
}

/* A numbered word that differs from what is shown is shown as a blank from now on. */
static bool note_varied(struct template *t, const struct tokens *tokens)
{
	bool changed = false;
	const char *at = t->bytes;
	for (size_t i = 0; i < t->word_count; i++) {
		const struct word *w = &t->words[i];
		at += w->glue_size;
		const struct token *k = &tokens->items[i];
		bool shown = w->flags & TOKEN_NUMBERED && !positions_has(&t->blank, i);
		bool other = shown && (k->size != w->size || memcmp(k->text, at, w->size) != 0);
		if (!positions_has(&t->varied, i) && (other || (k->flags ^ w->flags) & TOKEN_UNIT)) {
			positions_add(&t->varied, i);
			changed = true;
		}
		at += w->size;
	}
	if (changed) {
		free(t->text);
		t->text = NULL;
	}
	return changed;
}

/* Find or make; *ret_old is the id that the template had, when this line changed it. */
static bool settle(struct miner *m, const struct tokens *tokens, uint32_t *ret, bool *ret_new, uint64_t *ret_old)
{
	const struct bucket *b = find_bucket(m, tokens->structure);
	*ret_new = false;
	*ret_old = 0;
	if (b && find(m, b, tokens, ret)) {
		uint64_t before = m->templates[*ret].id;
		if (note_varied(&m->templates[*ret], tokens))
			*ret_old = before;
		return true;
	}
	uint32_t slot;
	if (!make(m, tokens, &slot))
		return false;
	uint32_t group = m->templates[slot].group;
	m->templates[slot].seen = ++m->lines;
	uint32_t kept = miner_generalise(m, slot);
	size_t count = m->count + 1;
	for (int i = 0; i < CASCADE_MAX && m->count < count; i++) { /* it may now cover others */
		count = m->count;
		kept = miner_generalise(m, kept);
	}
	*ret = kept;
	if (m->templates[kept].group == group)
		*ret_new = true;
	else
		*ret_old = m->templates[kept].id;
	return true;
}

static void note_times(struct template *t, uint64_t first_ms, uint64_t last_ms)
{
	if (first_ms < t->first_ms)
		t->first_ms = first_ms;
	if (last_ms > t->last_ms)
		t->last_ms = last_ms;
	if (first_ms < t->fresh_first_ms)
		t->fresh_first_ms = first_ms;
}

static enum err_code take_line(struct miner *m, const char *text, size_t size, const struct template_view *from,
    struct mined *ret, struct err *reterr)
{
	struct tokens tokens;
	struct mined mined = {0};
	uint32_t slot;
	bool is_new;
	tokens_read(text, size, &tokens);
	if (!settle(m, &tokens, &slot, &is_new, &mined.replaces))
		return err_set(reterr, ERR_NOMEM, "no memory for a log template");
	struct template *t = &m->templates[slot];
	t->seen = ++m->lines;
	t->count += from->count;
	t->fresh += from->count;
	if (from->level > t->level)
		t->level = from->level;
	if (from->count)
		note_times(t, from->first_ms, from->last_ms);
	if (from->sample)
		keep_sample(t, from->sample, strlen(from->sample));
	else
		keep_sample(t, text, size);
	if (!template_text(t))
		return err_set(reterr, ERR_NOMEM, "no memory for a log template");
	mined.template_id = t->id;
	mined.group = t->group;
	mined.is_new = is_new;
	if (mined.replaces == mined.template_id)
		mined.replaces = 0;
	*ret = mined;
	return ERR_OK;
}

enum err_code miner_add(struct miner *m, const char *text, size_t size, enum line_level level, uint64_t now_ms,
    struct mined *ret, struct err *reterr)
{
	const struct template_view one = {.level = level, .count = 1, .first_ms = now_ms, .last_ms = now_ms};
	return take_line(m, text, size, &one, ret, reterr);
}

enum err_code miner_absorb(struct miner *m, const struct template_view *from, struct mined *ret, struct err *reterr)
{
	struct template_view view = *from;
	if (!view.sample)
		view.sample = "";
	return take_line(m, from->text, strlen(from->text), &view, ret, reterr);
}

enum err_code miner_recall(struct miner *m, const char *text, struct err *reterr)
{
	struct mined mined;
	const struct template_view none = {.sample = ""};
	enum err_code rc = take_line(m, text, strlen(text), &none, &mined, reterr);
	uint32_t slot;
	if (rc == ERR_OK && table_get(&m->by_group, (uint64_t)mined.group + 1, &slot))
		m->templates[slot].is_new = false;
	return rc;
}

size_t miner_count(const struct miner *m)
{
	return m->count;
}
uint64_t miner_evicted(const struct miner *m)
{
	return m->evicted;
}

static void view_of(struct template *t, struct template_view *ret)
{
	const char *text = template_text(t);
	*ret = (struct template_view){.template_id = t->id,
	    .group = t->group,
	    .text = text ? text : "",
	    .level = t->level,
	    .count = t->count,
	    .fresh = t->fresh,
	    .first_ms = t->count ? t->first_ms : 0,
	    .last_ms = t->last_ms,
	    .fresh_first_ms = t->fresh ? t->fresh_first_ms : 0,
	    .sample = t->sample ? t->sample : "",
	    .is_new = t->is_new};
}

/* at is one more than the group that was given last: groups are numbered in order of first sight. */
bool miner_next(const struct miner *m, size_t *at, struct template_view *ret)
{
	struct template *next = NULL;
	for (size_t i = 0; i < m->slots; i++) {
		struct template *t = &m->templates[i];
		if (t->words && t->group >= *at && (!next || t->group < next->group))
			next = t;
	}
	if (!next)
		return false;
	*at = (size_t)next->group + 1;
	view_of(next, ret);
	return true;
}

bool miner_get(const struct miner *m, uint32_t group, struct template_view *ret)
{
	uint32_t slot;
	if (!table_get(&m->by_group, (uint64_t)resolve(m, group) + 1, &slot))
		return false;
	view_of(&m->templates[slot], ret);
	return true;
}

void miner_take(struct miner *m, bool (*fn)(void *ctx, const struct template_view *view), void *ctx)
{
	for (size_t i = 0; i < m->slots; i++) {
		struct template *t = &m->templates[i];
		struct template_view view;
		if (!t->words || !t->fresh)
			continue;
		view_of(t, &view);
		if (!fn(ctx, &view))
			continue;
		t->fresh = 0;
		t->fresh_first_ms = UINT64_MAX;
		t->is_new = false;
	}
}

void mining_mask(const char *text, size_t size, struct buf *out)
{
	struct tokens tokens;
	struct template t = {0};
	tokens_read(text, size, &tokens);
	if (!template_fill(&t, &tokens)) {
		out->failed = true;
		return;
	}
	template_render(&t, out);
	template_done(&t);
}
