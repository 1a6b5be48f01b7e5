/* Pages of a table: nothing twice, nothing left out, whatever the order and the filter. */
#include <stdio.h>
#include <stdlib.h>

#include "controller/access/access.h"
#include "controller/api/query.h"
#include "controller/turn/limits.h"
#include "tests/lib/world.h"

enum { OPERATORS = 57 };

static void fill(struct world *w)
{
	static const uint32_t roles[] = {ROLE_VIEWER};
	for (int i = 0; i < OPERATORS; i++) {
		char name[16];
		snprintf(name, sizeof name, "person-%02d", i);
		struct operator o = {.name = name, .roles = {(void *)roles, 1}, .disabled = i % 3 == 0};
		ok(access_operator_put(w->turn, &actor_controller, &o, ERR_HERE));
	}
}

/* The names of a page, in order, appended; its `next`, or "". */
static size_t take(const char *json, char (*names)[16], char *next, size_t next_size)
{
	size_t n = 0;
	for (const char *at = json; (at = strstr(at, "\"name\":\"person-")) != NULL; n++) {
		at += strlen("\"name\":\"");
		snprintf(names[n], sizeof names[n], "%.9s", at);
	}
	const char *at = strstr(json, "\"next\":\"");
	snprintf(next, next_size, "%.*s", at ? (int)strcspn(at + 8, "\"") : 0, at ? at + 8 : "");
	return n;
}

static size_t walk(struct world *w, struct query *q, char (*names)[16])
{
	static char next[2 * TURN_KEY_MAX + 1];
	size_t n = 0;
	q->after = NULL;
	for (int pages = 0; pages < OPERATORS + 2; pages++) {
		struct buf out = BUF_INIT;
		ok(query_run(w->turn, q, &out, ERR_HERE));
		size_t got = take(buf_str(&out), names + n, next, sizeof next);
		assert_true(got <= q->limit);
		n += got;
		buf_done(&out);
		if (!next[0])
			return n;
		assert_true(got > 0); /* a page that promises more gave something */
		q->after = next;
	}
	fail_msg("pages without an end");
	return n;
}

static void every_page_goes_on_where_the_last_one_ended(void **state)
{
	(void)state;
	struct world w;
	char names[OPERATORS + 8][16];
	world_open(&w);
	fill(&w);
	for (size_t limit = 1; limit <= OPERATORS + 1; limit += 7)
		for (int descending = 0; descending < 2; descending++) {
			struct query q = {.noun = "operator", .limit = limit, .descending = descending};
			assert_int_equal(walk(&w, &q, names), OPERATORS);
			for (int i = 0; i < OPERATORS; i++)
				assert_int_equal(atoi(names[i] + 7), descending ? OPERATORS - 1 - i : i);
		}
	world_close(&w);
}

static void a_filter_goes_through_all_pages(void **state)
{
	(void)state;
	struct world w;
	char names[OPERATORS + 8][16];
	world_open(&w);
	fill(&w);
	struct query q = {.noun = "operator", .limit = 4, .filters = {{"disabled", "true"}}, .filter_count = 1};
	assert_int_equal(walk(&w, &q, names), (OPERATORS + 2) / 3);
	for (int i = 0; i < OPERATORS / 3; i++)
		assert_int_equal(atoi(names[i] + 7), 3 * i);
	world_close(&w);
}

static void a_record_that_went_meanwhile_does_not_end_the_list(void **state)
{
	(void)state;
	struct world w;
	char names[OPERATORS][16], next[2 * TURN_KEY_MAX + 1];
	world_open(&w);
	fill(&w);
	struct query q = {.noun = "operator", .limit = 10};
	struct buf out = BUF_INIT;
	ok(query_run(w.turn, &q, &out, ERR_HERE));
	assert_int_equal(take(buf_str(&out), names, next, sizeof next), 10);
	struct operator gone = {.name = "person-09"};
	ok(turn_delete(w.turn, &operator_table, &gone, ERR_HERE));
	q.after = next;
	buf_clear(&out);
	ok(query_run(w.turn, &q, &out, ERR_HERE));
	take(buf_str(&out), names, next, sizeof next);
	assert_string_equal(names[0], "person-10");
	buf_done(&out);
	world_close(&w);
}

static void a_place_of_elsewhere_is_refused(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	fill(&w);
	static const char *const bad[] = {"zz", "abc", "00", "2222"};
	for (size_t i = 0; i < 4; i++) {
		struct buf out = BUF_INIT;
		struct query q = {.noun = "operator", .after = bad[i]};
		refused(ERR_INVALID, query_run(w.turn, &q, &out, ERR_HERE));
		buf_done(&out);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_page_goes_on_where_the_last_one_ended),
	    cmocka_unit_test(a_filter_goes_through_all_pages),
	    cmocka_unit_test(a_record_that_went_meanwhile_does_not_end_the_list),
	    cmocka_unit_test(a_place_of_elsewhere_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
