#include "agent/snapshot/text_diff.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/siphash.h"

struct text {
	const char *data;
	size_t size;
	uint32_t *at; /* where each line begins, and the end of the last */
	uint32_t *id; /* lines that are the same have the same */
	bool *edited; /* removed, or added */
	uint32_t count;
};

bool text_diff_suits(const void *data, size_t size)
{
	return size <= TEXT_DIFF_SIZE_MAX && (!size || !memchr(data, 0, size));
}

/* ---- lines ---- */

static void text_done(struct text *t)
{
	free(t->at);
	free(t->id);
	free(t->edited);
}

static enum err_code split(struct text *t, struct err *reterr)
{
	uint32_t count = 0;
	for (size_t i = 0; i < t->size; i++)
		count += t->data[i] == '\n' || i + 1 == t->size;
	t->at = calloc(count + 1u, sizeof *t->at);
	t->id = calloc(count + 1u, sizeof *t->id);
	t->edited = calloc(count + 1u, sizeof *t->edited);
	if (!t->at || !t->id || !t->edited)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < t->size; i++)
		if (t->data[i] == '\n' || i + 1 == t->size)
			t->at[++t->count] = (uint32_t)(i + 1);
	return ERR_OK;
}

static uint32_t length(const struct text *t, uint32_t line)
{
	return t->at[line + 1] - t->at[line];
}

struct slot {
	const struct text *text;
	uint32_t line, id; /* id 0: empty */
};

/* Numbers from 1, by content. */
static void number(struct text *t, struct slot *slots, size_t room, uint32_t *last)
{
	static const uint64_t key[2] = {0x6b65646765, 0x646966662d75};
	for (uint32_t i = 0; i < t->count; i++) {
		const char *line = t->data + t->at[i];
		uint32_t n = length(t, i);
		size_t s = (size_t)siphash(key, line, n) & (room - 1);
		while (slots[s].id && (length(slots[s].text, slots[s].line) != n ||
					  memcmp(slots[s].text->data + slots[s].text->at[slots[s].line], line, n) != 0))
			s = (s + 1) & (room - 1);
		if (!slots[s].id)
			slots[s] = (struct slot){t, i, ++*last};
		t->id[i] = slots[s].id;
	}
}

static enum err_code number_both(struct text *a, struct text *b, struct err *reterr)
{
	size_t room = 64;
	uint32_t last = 0;
	while (room < 2 * ((size_t)a->count + b->count))
		room *= 2;
	CLEANUP(cleanup_free) struct slot *slots = calloc(room, sizeof *slots);
	if (!slots)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	number(a, slots, room, &last);
	number(b, slots, room, &last);
	return ERR_OK;
}

/* ---- the shortest edit ---- */

struct window { /* what is between the common beginning and end */
	const uint32_t *a, *b;
	int n, m;
};

/* How far a path of d edits gets on diagonal k: from the row of d - 1 edits. */
static int step(const int *row, int d, int k)
{
	if (k == -d || (k != d && row[k - 1] < row[k + 1]))
		return row[k + 1];
	return row[k - 1] + 1;
}

/* Each row of furthest points is kept: trace[d] has 2 d + 1 of them.  The number of edits, or -1: too many. */
static int forward(const struct window *w, int **trace, int *row, int limit)
{
	row[1] = 0;
	for (int d = 0; d <= limit; d++) {
		for (int k = -d; k <= d; k += 2) {
			int x = step(row, d, k), y = x - k;
			while (x < w->n && y < w->m && x >= 0 && y >= 0 && w->a[x] == w->b[y]) {
				x++;
				y++;
			}
			row[k] = x;
			if (x >= w->n && y >= w->m)
				return d;
		}
		trace[d] = malloc((2 * (size_t)d + 1) * sizeof **trace);
		if (!trace[d])
			return -2;
		memcpy(trace[d], row - d, (2 * (size_t)d + 1) * sizeof **trace);
	}
	return -1;
}

static void backward(const struct window *w, int *const *trace, int d, bool *removed, bool *added)
{
	int x = w->n, y = w->m;
	for (; d > 0; d--) {
		const int *row = trace[d - 1] + (d - 1); /* by diagonal */
		int k = x - y;
		/* The same choice as on the way there; diagonals outside the row were never reached. */
		bool down = k == -d || (k != d && (k - 1 < -(d - 1)   ? true
						      : k + 1 > d - 1 ? false
								      : row[k - 1] < row[k + 1]));
		int from_k = down ? k + 1 : k - 1, from_x = row[from_k], from_y = from_x - from_k;
		while (x > from_x + !down && y > from_y + down) {
			x--;
			y--;
		}
		if (down)
			added[from_y] = true;
		else
			removed[from_x] = true;
		x = from_x;
		y = from_y;
	}
}

static enum err_code shortest_edit(const struct window *w, bool *removed, bool *added, struct err *reterr)
{
	int limit = w->n + w->m < TEXT_DIFF_EDITS_MAX ? w->n + w->m : TEXT_DIFF_EDITS_MAX;
	CLEANUP(cleanup_free) int **trace = calloc((size_t)limit + 1, sizeof *trace);
	CLEANUP(cleanup_free) int *row = calloc(2 * (size_t)limit + 5, sizeof *row);
	if (!trace || !row)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (int i = 0; i < 2 * limit + 5; i++)
		row[i] = -1;
	int d = forward(w, trace, row + limit + 2, limit);
	if (d >= 0)
		backward(w, trace, d, removed, added);
	for (int i = 0; i <= limit; i++)
		free(trace[i]);
	if (d == -2)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (d < 0) { /* too different for anything finer */
		memset(removed, 1, (size_t)w->n);
		memset(added, 1, (size_t)w->m);
	}
	return ERR_OK;
}

static enum err_code compare(struct text *a, struct text *b, struct err *reterr)
{
	uint32_t head = 0, tail = 0;
	while (head < a->count && head < b->count && a->id[head] == b->id[head])
		head++;
	while (tail < a->count - head && tail < b->count - head &&
	       a->id[a->count - 1 - tail] == b->id[b->count - 1 - tail])
		tail++;
	struct window w = {a->id + head, b->id + head, (int)(a->count - head - tail), (int)(b->count - head - tail)};
	return shortest_edit(&w, a->edited + head, b->edited + head, reterr);
}

/* ---- writing ---- */

static void put_line(struct buf *out, char sign, const struct text *t, uint32_t line)
{
	uint32_t n = length(t, line);
	buf_append(out, &sign, 1);
	buf_append(out, t->data + t->at[line], n);
	if (t->data[t->at[line] + n - 1] != '\n')
		buf_text(out, "\n\\ No newline at end of file\n");
}

static void put_range(struct buf *out, char sign, uint32_t first, uint32_t count)
{
	buf_printf(out, "%c%u", sign, count ? first + 1 : first); /* of nothing: the line before it */
	if (count != 1)
		buf_printf(out, ",%u", count);
}

struct hunk {
	uint32_t a, b, a_end, b_end;
};

static void put_hunk(struct buf *out, const struct text *a, const struct text *b, const struct hunk *h)
{
	buf_text(out, "@@ ");
	put_range(out, '-', h->a, h->a_end - h->a);
	buf_text(out, " ");
	put_range(out, '+', h->b, h->b_end - h->b);
	buf_text(out, " @@\n");
	for (uint32_t i = h->a, j = h->b; i < h->a_end || j < h->b_end;) {
		if (i < h->a_end && a->edited[i])
			put_line(out, '-', a, i++);
		else if (j < h->b_end && b->edited[j])
			put_line(out, '+', b, j++);
		else {
			put_line(out, ' ', a, i++);
			j++;
		}
	}
}

static void put_hunks(struct buf *out, const struct text *a, const struct text *b)
{
	uint32_t i = 0, j = 0, same = 0; /* lines behind the last edit */
	struct hunk h = {0};
	bool open = false;
	while (i < a->count || j < b->count) {
		bool removed = i < a->count && a->edited[i], added = !removed && j < b->count && b->edited[j];
		if ((removed || added) && !open) {
			uint32_t lead = i < TEXT_DIFF_CONTEXT ? i : TEXT_DIFF_CONTEXT;
			lead = j < lead ? j : lead;
			h = (struct hunk){.a = i - lead, .b = j - lead};
			open = true;
		}
		same = removed || added ? 0 : same + 1;
		if (open && same > 2 * TEXT_DIFF_CONTEXT) { /* far enough from the next to end here */
			h.a_end = i + 1 - same + TEXT_DIFF_CONTEXT;
			h.b_end = j + 1 - same + TEXT_DIFF_CONTEXT;
			put_hunk(out, a, b, &h);
			open = false;
		}
		i += !added;
		j += !removed;
	}
	if (open) {
		uint32_t extra = same > TEXT_DIFF_CONTEXT ? same - TEXT_DIFF_CONTEXT : 0;
		h.a_end = a->count - extra;
		h.b_end = b->count - extra;
		put_hunk(out, a, b, &h);
	}
}

enum err_code text_diff(const char *name_a, const void *a_data, size_t a_size, const char *name_b, const void *b_data,
    size_t b_size, struct buf *out, struct err *reterr)
{
	struct text a = {.data = a_data, .size = a_size}, b = {.data = b_data, .size = b_size};
	if (a_size > TEXT_DIFF_SIZE_MAX || b_size > TEXT_DIFF_SIZE_MAX)
		return err_set(reterr, ERR_LIMIT, "larger than %d MiB", TEXT_DIFF_SIZE_MAX >> 20);
	if (a_size == b_size && (!a_size || !memcmp(a_data, b_data, a_size)))
		return ERR_OK;
	enum err_code rc = split(&a, reterr);
	if (!rc)
		rc = split(&b, reterr);
	if (!rc)
		rc = number_both(&a, &b, reterr);
	if (!rc)
		rc = compare(&a, &b, reterr);
	if (!rc) {
		buf_printf(out, "--- %s\n+++ %s\n", name_a, name_b);
		put_hunks(out, &a, &b);
		rc = out->failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
	}
	text_done(&a);
	text_done(&b);
	return rc;
}
