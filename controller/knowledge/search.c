/* controller/knowledge/search.c: an inverted index over documents, and its ranking. */
#include "controller/knowledge/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/knowledge/terms.h"
#include "shared/base/map.h"

enum part { PART_TITLE, PART_HEADING, PART_LEAD, PART_BODY, PART_CODE, PART_COUNT };
static const double part_weight[PART_COUNT] = {4.0, 1.0, 2.5, 1.0, 0.5};
static const double part_length[PART_COUNT] = {0.3, 0.3, 0.5, 0.7, 0.7}; /* how much a long one is held against */
static const double saturation = 0.9;
static const double pair_weight = 0.6; /* two terms that stand side by side, beside the terms themselves */
static const double synonym_weight = 0.5;
static const double beginning_weight = 0.75;
static const double compound_weight = 0.8;
static const double title_weight = 0.5;    /* of the part of a title that the query covers */
static const double title_left_over = 0.4; /* of a title's own words that the query does not have */

struct posting {
	uint32_t document;
	float count[PART_COUNT];
};
struct term {
	char text[2 * TERM_MAX + 1];
	struct posting *postings; /* by document */
	uint32_t count, room;
	bool pair;
};
struct document {
	float length[PART_COUNT];
	uint32_t *title; /* its terms, each once */
	uint32_t title_count;
	double title_mass; /* their idf together */
};
struct search {
	struct map *ids; /* stem -> index into terms, plus one */
	struct term *terms;
	size_t term_count, term_room;
	struct document *documents;
	size_t document_count, document_room;
	double average[PART_COUNT];
	/* of the document that is being added */
	enum part part;
	bool in_code, failed, lead_seen;
	uint32_t before; /* the term before, plus one; 0: none */
	bool ready;
};

enum err_code search_new(struct search **ret, struct err *reterr)
{
	struct search *s = calloc(1, sizeof *s);
	if (s)
		s->ids = map_new();
	if (!s || !s->ids) {
		free(s);
		return err_set(reterr, ERR_NOMEM, "out of memory for an index");
	}
	*ret = s;
	return ERR_OK;
}

void search_free(struct search *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->term_count; i++)
		free(s->terms[i].postings);
	for (size_t i = 0; i < s->document_count; i++)
		free(s->documents[i].title);
	map_free(s->ids);
	free(s->terms);
	free(s->documents);
	free(s);
}

size_t search_count(const struct search *s)
{
	return s->document_count;
}

/* ---- adding ---- */

static bool grow(void **items, size_t *room, size_t count, size_t size)
{
	if (count < *room)
		return true;
	size_t more = *room ? 2 * *room : 64;
	void *p = realloc(*items, more * size);
	if (!p)
		return false;
	*items = p;
	*room = more;
	return true;
}

static uint32_t term_find(const struct search *s, const char *text) /* plus one; 0: not there */
{
	return (uint32_t)(uintptr_t)map_get(s->ids, text, strlen(text));
}

static uint32_t term_make(struct search *s, const char *text, bool pair)
{
	uint32_t at = term_find(s, text);
	if (at)
		return at;
	if (!grow((void **)&s->terms, &s->term_room, s->term_count, sizeof *s->terms))
		return 0;
	struct term *t = &s->terms[s->term_count];
	memset(t, 0, sizeof *t);
	strncpy(t->text, text, sizeof t->text - 1);
	t->pair = pair;
	if (!map_put(s->ids, text, strlen(text), (void *)(uintptr_t)(s->term_count + 1)))
		return 0;
	return (uint32_t)++s->term_count;
}

static bool count_term(struct search *s, uint32_t id, float weight)
{
	struct term *t = &s->terms[id - 1];
	uint32_t document = (uint32_t)s->document_count - 1;
	if (t->count == 0 || t->postings[t->count - 1].document != document) {
		size_t room = t->room;
		if (!grow((void **)&t->postings, &room, t->count, sizeof *t->postings))
			return false;
		t->room = (uint32_t)room;
		t->postings[t->count++] = (struct posting){.document = document};
	}
	t->postings[t->count - 1].count[s->part] += weight;
	return true;
}

static bool note_title(struct document *d, uint32_t id)
{
	for (uint32_t i = 0; i < d->title_count; i++)
		if (d->title[i] == id)
			return true;
	uint32_t *more = realloc(d->title, (d->title_count + 1) * sizeof *more);
	if (!more)
		return false;
	d->title = more;
	d->title[d->title_count++] = id;
	return true;
}

static void pair_text(char *out, size_t size, const char *a, const char *b)
{
	size_t n = strlen(a);
	memcpy(out, a, n);
	out[n] = ' ';
	strncpy(out + n + 1, b, size - n - 2);
	out[size - 1] = 0;
}

static void take_term(void *ctx, const struct term_text *t)
{
	struct search *s = ctx;
	struct document *d = &s->documents[s->document_count - 1];
	char pair[2 * TERM_MAX + 1];
	uint32_t id = term_make(s, t->stem, false);
	s->failed |= !id || !count_term(s, id, 1.0f);
	if (s->failed || t->compound)
		return;
	d->length[s->part]++;
	if (s->part == PART_TITLE)
		s->failed |= !note_title(d, id);
	if (s->before) {
		pair_text(pair, sizeof pair, s->terms[s->before - 1].text, t->stem);
		uint32_t both = term_make(s, pair, true);
		s->failed |= !both || !count_term(s, both, 1.0f);
	}
	s->before = id;
}

static void take(struct search *s, enum part part, const char *text, size_t size)
{
	s->part = part;
	s->before = 0;
	each_term(text, size, take_term, s);
}

static bool starts(const char *line, size_t size, const char *with)
{
	size_t n = strlen(with);
	return size >= n && memcmp(line, with, n) == 0;
}

/* A line of HTML: what stands between its tags. */
static void take_outside_tags(struct search *s, const char *line, size_t size)
{
	for (size_t at = 0; at < size;) {
		const char *open = memchr(line + at, '<', size - at);
		size_t end = open ? (size_t)(open - line) : size;
		take(s, PART_BODY, line + at, end - at);
		const char *close = memchr(line + end, '>', size - end);
		at = close ? (size_t)(close - line) + 1 : size;
	}
}

static void take_line(struct search *s, const char *line, size_t size, size_t *lead)
{
	while (size && (*line == ' ' || *line == '\t')) {
		line++;
		size--;
	}
	if (starts(line, size, "```") || starts(line, size, "~~~")) {
		s->in_code = !s->in_code;
		return;
	}
	if (s->in_code) {
		take(s, PART_CODE, line, size);
	} else if (starts(line, size, "title:")) {
		take(s, PART_TITLE, line + 6, size - 6);
	} else if (starts(line, size, "weight:")) {
		return;
	} else if (starts(line, size, "<")) {
		take_outside_tags(s, line, size);
	} else if (starts(line, size, "#")) {
		bool first = size > 1 && line[1] != '#' && !s->lead_seen;
		take(s, first ? PART_TITLE : PART_HEADING, line, size);
	} else if (size > 3) {
		s->lead_seen = true;
		take(s, *lead < SEARCH_LEAD_MAX ? PART_LEAD : PART_BODY, line, size);
		*lead += size;
	}
}

enum err_code search_add(struct search *s, const char *name, const char *text, size_t size, struct err *reterr)
{
	if (s->document_count == SEARCH_DOCUMENTS_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d documents", SEARCH_DOCUMENTS_MAX);
	if (!grow((void **)&s->documents, &s->document_room, s->document_count, sizeof *s->documents))
		return err_set(reterr, ERR_NOMEM, "out of memory for an index");
	s->documents[s->document_count++] = (struct document){0};
	s->in_code = s->lead_seen = false;
	size_t lead = 0, end = size < SEARCH_DOCUMENT_MAX ? size : SEARCH_DOCUMENT_MAX;
	take(s, PART_TITLE, name, strlen(name));
	for (size_t at = 0; at < end && !s->failed;) {
		const char *stop = memchr(text + at, '\n', end - at);
		size_t n = stop ? (size_t)(stop - text) - at : end - at;
		take_line(s, text + at, n, &lead);
		at += n + 1;
	}
	return s->failed ? err_set(reterr, ERR_NOMEM, "out of memory for an index") : ERR_OK;
}

static double idf(const struct search *s, const struct term *t)
{
	double n = (double)s->document_count, df = (double)t->count;
	return log(1 + (n - df + 0.5) / (df + 0.5));
}

void search_ready(struct search *s)
{
	for (size_t i = 0; i < s->document_count; i++) {
		struct document *d = &s->documents[i];
		for (unsigned f = 0; f < PART_COUNT; f++)
			s->average[f] += (double)d->length[f] / (double)s->document_count;
		for (uint32_t k = 0; k < d->title_count; k++)
			d->title_mass += idf(s, &s->terms[d->title[k] - 1]);
	}
	s->ready = true;
}

/* ---- finding ---- */

struct wanted {
	uint32_t term;  /* plus one */
	double weight;  /* of the query's word that it stands for */
	uint32_t group; /* words of the query that it stands for: the best of them counts */
};
struct asking {
	struct search *s;
	struct wanted *wanted;
	size_t count;
	uint32_t group;
	char before[TERM_MAX], word_before[TERM_MAX];
	char seen[SEARCH_TERMS_MAX][TERM_MAX];
	size_t seen_count;
	double *score;   /* a document */
	double *best;    /* a document, of the present group */
	uint32_t *stamp; /* which group `best` is of */
	double *covered; /* mass of title terms that the query has */
	double *title_best;
};

static void want(struct asking *q, uint32_t term, double weight)
{
	if (term && q->count < SEARCH_TERMS_MAX)
		q->wanted[q->count++] = (struct wanted){term, weight, q->group};
}

/* Words that begin alike, one of them the other's beginning: "config", "configur". */
static bool akin(const char *a, const char *b)
{
	size_t x = strlen(a), y = strlen(b), n = x < y ? x : y, most = x > y ? x : y;
	if (n < 4 || most - n > 5)
		return false;
	return memcmp(a, b, n) == 0;
}

static void want_relatives(struct asking *q, const char *stem)
{
	unsigned group = synonym_group(stem);
	const char *other;
	for (size_t i = 0; (other = synonym_of(group, i)) != NULL; i++)
		if (strcmp(other, stem) != 0)
			want(q, term_find(q->s, other), synonym_weight);
	for (size_t i = 0; i < q->s->term_count; i++)
		if (!q->s->terms[i].pair && strcmp(q->s->terms[i].text, stem) != 0 && akin(q->s->terms[i].text, stem))
			want(q, (uint32_t)i + 1, beginning_weight);
}

/* "file system" may be one word in a document. */
static void want_compound(struct asking *q, const char *word)
{
	char both[2 * TERM_MAX], stem[TERM_MAX];
	size_t n = (size_t)snprintf(both, sizeof both, "%s%s", q->word_before, word);
	if (n >= TERM_MAX)
		return;
	word_stem(both, stem);
	want(q, term_find(q->s, stem), compound_weight);
}

static void ask_term(void *ctx, const struct term_text *t)
{
	struct asking *q = ctx;
	char both[2 * TERM_MAX + 1];
	bool again = false;
	for (size_t i = 0; i < q->seen_count; i++)
		again |= strcmp(q->seen[i], t->stem) == 0;
	if (!again && q->seen_count < SEARCH_TERMS_MAX) {
		strcpy(q->seen[q->seen_count++], t->stem);
		q->group++;
		want(q, term_find(q->s, t->stem), 1.0);
		want_relatives(q, t->stem);
	}
	if (t->compound)
		return;
	if (q->before[0]) {
		pair_text(both, sizeof both, q->before, t->stem);
		q->group++;
		want(q, term_find(q->s, both), pair_weight);
		want_compound(q, t->word);
	}
	strcpy(q->before, t->stem);
	strcpy(q->word_before, t->word);
}

static double weigh_posting(const struct search *s, const struct posting *p)
{
	double tf = 0;
	for (unsigned f = 0; f < PART_COUNT; f++)
		if (p->count[f] > 0) {
			double length =
			    s->average[f] > 0 ? (double)s->documents[p->document].length[f] / s->average[f] : 1;
			tf += part_weight[f] * (double)p->count[f] / (1 - part_length[f] + part_length[f] * length);
		}
	return tf / (saturation + tf);
}

/* Of the words that stand for one word of the query, each document gets the best. */
static void score_group(struct asking *q, size_t from, size_t to)
{
	struct search *s = q->s;
	for (size_t i = from; i < to; i++) {
		const struct wanted *w = &q->wanted[i];
		const struct term *t = &s->terms[w->term - 1];
		double worth = idf(s, t);
		for (uint32_t k = 0; k < t->count; k++) {
			const struct posting *p = &t->postings[k];
			double v = w->weight * worth * weigh_posting(s, p);
			double title = !t->pair && p->count[PART_TITLE] > 0 ? w->weight * worth : 0;
			if (q->stamp[p->document] != w->group) {
				q->stamp[p->document] = w->group;
				q->best[p->document] = q->title_best[p->document] = 0;
			}
			if (v > q->best[p->document]) {
				q->score[p->document] += v - q->best[p->document];
				q->best[p->document] = v;
			}
			if (title > q->title_best[p->document]) {
				q->covered[p->document] += title - q->title_best[p->document];
				q->title_best[p->document] = title;
			}
		}
	}
}

static void score_all(struct asking *q)
{
	for (size_t from = 0; from < q->count;) {
		size_t to = from;
		while (to < q->count && q->wanted[to].group == q->wanted[from].group)
			to++;
		score_group(q, from, to);
		from = to;
	}
	for (size_t i = 0; i < q->s->document_count; i++) {
		double mass = q->s->documents[i].title_mass;
		double covered = q->covered[i] < mass ? q->covered[i] : mass;
		double title = title_weight * covered - title_left_over * (mass - covered), least = 0.01 * q->score[i];
		if (q->score[i] > 0) /* what is left over of a title moves a document down, never out */
			q->score[i] = q->score[i] + title > least ? q->score[i] + title : least;
	}
}

static size_t best_of(const struct asking *q, struct search_hit *ret, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < q->s->document_count; i++) {
		double score = q->score[i];
		if (score <= 0 || (n == max && ret[n - 1].score >= score))
			continue;
		size_t at = n < max ? n++ : n - 1;
		for (; at && ret[at - 1].score < score; at--)
			ret[at] = ret[at - 1];
		ret[at] = (struct search_hit){(uint32_t)i, score};
	}
	return n;
}

/* How far the first is ahead of the second says how often it is right; the numbers are measured. */
static double confidence_of_hits(const struct search_hit *hits, size_t n)
{
	if (n == 0)
		return 0;
	double lead = n > 1 ? (hits[0].score - hits[1].score) / (hits[0].score + 1e-9) : 1;
	return 1 / (1 + exp(-(9.0 * lead - 0.4)));
}

static enum err_code asking_init(struct asking *q, struct search *s, struct err *reterr)
{
	size_t n = s->document_count + 1;
	q->s = s;
	q->wanted = calloc(SEARCH_TERMS_MAX, sizeof *q->wanted);
	q->score = calloc(n, sizeof *q->score);
	q->best = calloc(n, sizeof *q->best);
	q->covered = calloc(n, sizeof *q->covered);
	q->title_best = calloc(n, sizeof *q->title_best);
	q->stamp = calloc(n, sizeof *q->stamp);
	if (q->wanted && q->score && q->best && q->covered && q->title_best && q->stamp)
		return ERR_OK;
	return err_set(reterr, ERR_NOMEM, "out of memory for a search");
}

static void asking_done(struct asking *q)
{
	free(q->wanted);
	free(q->score);
	free(q->best);
	free(q->covered);
	free(q->title_best);
	free(q->stamp);
	free(q);
}

enum err_code search_find(struct search *s, const char *query, size_t size, struct search_hit *ret, size_t max,
    size_t *ret_count, double *ret_confidence, struct err *reterr)
{
	struct asking *q = calloc(1, sizeof *q);
	if (!s->ready || !q) {
		free(q);
		return err_set(reterr, s->ready ? ERR_NOMEM : ERR_STATE,
		    s->ready ? "out of memory for a search" : "the index is not ready");
	}
	enum err_code rc = asking_init(q, s, reterr);
	if (rc == ERR_OK) {
		each_term(query, size, ask_term, q);
		score_all(q);
		*ret_count = best_of(q, ret, max);
		*ret_confidence = confidence_of_hits(ret, *ret_count);
	}
	asking_done(q);
	return rc;
}
