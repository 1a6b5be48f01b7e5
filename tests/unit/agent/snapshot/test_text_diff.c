/* Unified diffs: patch makes the second text from the first, and no shorter edit exists. */
#include "agent/snapshot/text_diff.h"
#include "tests/lib/snapshot_world.h"

enum { LINES_MAX = 24, ROUNDS = 3000, BIG = 3000 };

static struct buf diff_of(const char *a, size_t a_size, const char *b, size_t b_size)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	assert_int_equal(text_diff("a", a, a_size, "b", b, b_size, &out, &err), ERR_OK);
	return out;
}

static void expect(const char *a, const char *b, const char *wanted)
{
	struct buf out = diff_of(a, strlen(a), b, strlen(b));
	assert_string_equal(buf_str(&out), wanted);
	buf_done(&out);
}

static void test_what_it_looks_like(void **state)
{
	(void)state;
	expect("same\n", "same\n", "");
	expect("", "", "");
	expect("one\ntwo\nthree\n", "one\n2\nthree\n", "--- a\n+++ b\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n");
	expect("", "new\n", "--- a\n+++ b\n@@ -0,0 +1 @@\n+new\n");
	expect("old\n", "", "--- a\n+++ b\n@@ -1 +0,0 @@\n-old\n");
	expect("x\n", "x", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+x\n\\ No newline at end of file\n");
	/* Two changes far apart are two hunks; seven lines between them are too many for one. */
	expect("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1x\n2\n3\n4\n5\n6\n7\n8\n9x\n",
	    "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-1\n+1x\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+9x\n");
	expect("1\n2\n3\n4\n5\n6\n7\n8\n", "1x\n2\n3\n4\n5\n6\n7\n8x\n",
	    "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-1\n+1x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+8x\n");
	assert_true(text_diff_suits("abc\n", 4));
	assert_false(text_diff_suits("a\0c\n", 4));
}

/* ---- a patch of our own, strict ---- */

static unsigned number_at(const char **p)
{
	char *end;
	unsigned long v = strtoul(*p, &end, 10);
	assert_true(end > *p);
	*p = end;
	return (unsigned)v;
}

struct cursor {
	const char *p, *end;
	unsigned line;
}; /* lines taken so far */

static size_t line_size(const struct cursor *c)
{
	const char *nl = memchr(c->p, '\n', (size_t)(c->end - c->p));
	return nl ? (size_t)(nl + 1 - c->p) : (size_t)(c->end - c->p);
}

static void copy_line(struct cursor *c, struct buf *out)
{
	size_t n = line_size(c);
	assert_true(n > 0);
	buf_append(out, c->p, n);
	c->p += n;
	c->line++;
}

/* Applies diff to a; *ret_edits: lines that it adds or removes. */
static struct buf apply(const char *a, size_t a_size, const char *diff, unsigned *ret_edits)
{
	struct cursor c = {a, a + a_size, 0};
	struct buf out = BUF_INIT;
	unsigned edits = 0;
	if (*diff) {
		assert_true(text_starts(diff, "--- a\n+++ b\n@@ "));
		diff += strlen("--- a\n+++ b\n");
	}
	while (*diff) {
		assert_true(text_starts(diff, "@@ -"));
		diff += 4;
		unsigned from = number_at(&diff), count = 1;
		if (*diff == ',') {
			diff++;
			count = number_at(&diff);
		}
		while (c.line + 1 < from + !count)
			copy_line(&c, &out);
		diff = strchr(diff, '\n') + 1;
		unsigned taken = 0;
		while (*diff && *diff != '@') {
			const char *nl = strchr(diff, '\n');
			size_t n = (size_t)(nl - diff); /* with the sign, without the newline */
			bool bare = text_starts(nl + 1, "\\ No newline");
			assert_non_null(nl);
			if (*diff != '+') {
				size_t have = line_size(&c);
				assert_int_equal(have, n - 1 + !bare);
				assert_memory_equal(c.p, diff + 1, have);
				taken++;
			}
			if (*diff == ' ')
				copy_line(&c, &out);
			else if (*diff == '-')
				c.p += line_size(&c), c.line++;
			else
				buf_append(&out, diff + 1, n - 1 + !bare);
			edits += *diff != ' ';
			diff = nl + 1;
			if (bare)
				diff = strchr(diff, '\n') + 1;
		}
		assert_int_equal(taken, count);
	}
	while (c.p < c.end)
		copy_line(&c, &out);
	*ret_edits = edits;
	return out;
}

static size_t random_text(struct random *random, char *out, unsigned *lines, unsigned *ret_count)
{
	unsigned count = (unsigned)random_below(random, LINES_MAX);
	size_t n = 0;
	for (unsigned i = 0; i < count; i++) {
		lines[i] = (unsigned)random_below(random, 4);
		out[n++] = (char)('a' + lines[i]);
		out[n++] = '\n';
	}
	if (n && random_below(random, 5) == 0) {
		n--; /* the last line has no end, and is another than it was */
		lines[count - 1] += 100;
	}
	*ret_count = count;
	return n;
}

static unsigned shortest(const unsigned *a, unsigned n, const unsigned *b, unsigned m)
{
	static unsigned best[LINES_MAX + 1][LINES_MAX + 1]; /* longest common subsequence */
	for (unsigned i = 0; i <= n; i++)
		for (unsigned j = 0; j <= m; j++) {
			unsigned up = i ? best[i - 1][j] : 0, left = j ? best[i][j - 1] : 0;
			best[i][j] = up > left ? up : left;
			if (i && j && a[i - 1] == b[j - 1] && best[i - 1][j - 1] + 1 > best[i][j])
				best[i][j] = best[i - 1][j - 1] + 1;
		}
	return n + m - 2 * best[n][m];
}

static void test_by_chance(void **state)
{
	(void)state;
	struct random random;
	random_init_seed(&random, 20261123);
	for (int round = 0; round < ROUNDS; round++) {
		char a[2 * LINES_MAX + 1], b[2 * LINES_MAX + 1];
		unsigned al[LINES_MAX], bl[LINES_MAX], n, m, edits;
		size_t as = random_text(&random, a, al, &n), bs = random_text(&random, b, bl, &m);
		struct buf diff = diff_of(a, as, b, bs), made = apply(a, as, buf_str(&diff), &edits);
		if (made.size != bs || (bs && memcmp(made.data, b, bs) != 0))
			fail_msg("round %d: %.*s -> %.*s by\n%s", round, (int)as, a, (int)bs, b, buf_str(&diff));
		assert_int_equal(edits, shortest(al, n, bl, m));
		buf_done(&diff);
		buf_done(&made);
	}
}

/* More edits than are followed: coarse, and right. */
static void test_too_different(void **state)
{
	(void)state;
	struct buf a = BUF_INIT, b = BUF_INIT;
	unsigned edits;
	for (int i = 0; i < BIG; i++) {
		buf_printf(&a, "line %d\n", i);
		buf_printf(&b, i % 2 && i > 10 && i < BIG - 10 ? "other %d\n" : "line %d\n", i);
	}
	struct buf diff = diff_of((char *)a.data, a.size, (char *)b.data, b.size);
	struct buf made = apply((char *)a.data, a.size, buf_str(&diff), &edits);
	assert_int_equal(made.size, b.size);
	assert_memory_equal(made.data, b.data, b.size);
	assert_true(edits > TEXT_DIFF_EDITS_MAX);
	buf_done(&a);
	buf_done(&b);
	buf_done(&diff);
	buf_done(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_it_looks_like),
	    cmocka_unit_test(test_by_chance),
	    cmocka_unit_test(test_too_different),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
