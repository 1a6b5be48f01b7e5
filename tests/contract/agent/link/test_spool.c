/* One suite against both spools, so that the simulator's cannot lie about the real one. */
#include <stdlib.h>

#include "agent/link/spool.h"
#include "shared/base/random.h"
#include "tests/lib/link_reports.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

enum kind { MEMORY, LMDB };
enum { LIMIT = 1 << 20 };

struct fixture {
	enum kind kind;
	char folder[SCRATCH_PATH];
	struct spool *spool;
};

static struct err err;
#define ok(CALL)                                                                                                       \
	do {                                                                                                           \
		err = ERR_INIT;                                                                                        \
		if ((CALL) != ERR_OK)                                                                                  \
			fail_msg("%s: %s", #CALL, err.msg);                                                            \
	} while (0)

static void fixture_open(struct fixture *f)
{
	if (f->kind == MEMORY)
		ok(spool_open_memory(LIMIT, &f->spool, &err));
	else
		ok(spool_open(f->folder, LIMIT, &f->spool, &err));
}

static int setup(void **state, enum kind kind)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->kind = kind;
	scratch_make(f->folder);
	fixture_open(f);
	*state = f;
	return 0;
}

static int setup_memory(void **state)
{
	return setup(state, MEMORY);
}

static int setup_lmdb(void **state)
{
	return setup(state, LMDB);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	spool_close(f->spool);
	scratch_remove(f->folder);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	if (f->kind == MEMORY) {
		spool_memory_restart(f->spool);
		return;
	}
	spool_close(f->spool);
	fixture_open(f);
}

static struct spool_state now(const struct fixture *f)
{
	struct spool_state s;
	spool_state(f->spool, &s);
	return s;
}

static void append(struct fixture *f, uint64_t number, enum importance importance, size_t size)
{
	struct link_report r;
	const struct report *one = link_report_make(&r, number, importance, size);
	ok(spool_append(f->spool, &one, 1, NULL, &err));
}

/* ---- what is in it, as text: "1 2 -4 5": through 4 was dropped ---- */

struct seen {
	char text[4096];
	uint64_t next;
	size_t limit;
};

static bool see(void *ctx, const struct spool_item *item)
{
	struct seen *s = ctx;
	char part[64];
	assert_int_equal(item->sequence, s->next);
	if (item->through) {
		assert_true(item->through >= item->sequence);
		assert_int_equal(item->frame.size, 0);
		snprintf(part, sizeof(part), "-%llu ", (unsigned long long)item->through);
		s->next = item->through + 1;
	} else {
		struct arena *arena = arena_new(0);
		struct frame frame;
		enum bye_reason why;
		ok(message_decode(SIDE_AGENT, item->frame.data, item->frame.size, arena, &frame, &why, &err));
		assert_int_equal(frame.report->sequence, item->sequence);
		assert_int_equal(frame.report->at_ms, item->at_ms);
		assert_int_equal(frame.report->importance, item->importance);
		snprintf(part, sizeof(part), "%llu ", (unsigned long long)link_report_number(frame.report));
		arena_free(arena);
		s->next = item->sequence + 1;
	}
	if (strlen(s->text) + strlen(part) < sizeof(s->text))
		strcat(s->text, part);
	return --s->limit > 0;
}

static void holds_from(struct fixture *f, uint64_t from, const char *want)
{
	struct seen s = {.next = from, .limit = SIZE_MAX};
	ok(spool_read(f->spool, from, see, &s, &err));
	assert_string_equal(s.text, want);
	assert_int_equal(s.next, now(f).next);
}

static void holds(struct fixture *f, const char *want)
{
	holds_from(f, now(f).first, want);
}

/* ---- tests ---- */

static void reports_come_back_in_order(void **state)
{
	struct fixture *f = *state;
	holds(f, "");
	assert_int_equal(now(f).next, 1);
	for (uint64_t i = 1; i <= 5; i++)
		append(f, 10 * i, IMPORTANCE_EVENT, 100);
	for (int i = 0; i < 2; i++) {
		holds(f, "10 20 30 40 50 ");
		holds_from(f, 4, "40 50 ");
		assert_int_equal(now(f).count, 5);
		reopen(f);
	}
	struct seen s = {.next = 2, .limit = 2};
	ok(spool_read(f->spool, 2, see, &s, &err));
	assert_string_equal(s.text, "20 30 "); /* visit had enough */
	ok(spool_read(f->spool, 6, see, &s, &err));
	assert_string_equal(s.text, "20 30 ");
}

static void a_batch_is_one(void **state)
{
	struct fixture *f = *state;
	struct link_report room[SPOOL_BATCH_MAX];
	const struct report *all[SPOOL_BATCH_MAX];
	struct spool_mark mark = {{{7}}, 99};
	for (uint64_t i = 0; i < SPOOL_BATCH_MAX; i++)
		all[i] = link_report_make(&room[i], i, IMPORTANCE_METRIC, 1900);
	ok(spool_append(f->spool, all, SPOOL_BATCH_MAX, &mark, &err));
	append(f, 1000, IMPORTANCE_EVENT, 10); /* no mark: the old one stands */
	reopen(f);
	assert_int_equal(now(f).count, SPOOL_BATCH_MAX + 1);
	assert_int_equal(now(f).next, SPOOL_BATCH_MAX + 2);
	assert_int_equal(now(f).mark.token, 99);
	assert_int_equal(now(f).mark.run.b[0], 7);
	holds_from(f, SPOOL_BATCH_MAX, "63 1000 ");
}

static void what_is_acknowledged_is_forgotten(void **state)
{
	struct fixture *f = *state;
	for (uint64_t i = 1; i <= 300; i++)
		append(f, i, IMPORTANCE_EVENT, 50);
	ok(spool_acknowledge(f->spool, 0, &err));
	ok(spool_acknowledge(f->spool, 297, &err));
	holds(f, "298 299 300 ");
	ok(spool_acknowledge(f->spool, 100, &err)); /* long ago */
	reopen(f);
	holds(f, "298 299 300 ");
	assert_int_equal(now(f).count, 3);
	ok(spool_acknowledge(f->spool, 300, &err));
	holds(f, "");
	assert_int_equal(now(f).bytes, 0);
	assert_int_equal(now(f).first, 301);
}

static void a_sequence_is_never_used_again(void **state)
{
	struct fixture *f = *state;
	append(f, 1, IMPORTANCE_EVENT, 10);
	ok(spool_acknowledge(f->spool, 1, &err));
	reopen(f);
	append(f, 2, IMPORTANCE_EVENT, 10);
	assert_int_equal(now(f).first, 2);
	holds(f, "2 ");
	ok(spool_acknowledge(f->spool, 2, &err));
	ok(spool_acknowledge(f->spool, 1000, &err)); /* the controller knows of more: this spool was made anew */
	assert_int_equal(now(f).next, 1001);
	reopen(f);
	assert_int_equal(now(f).next, 1001);
	append(f, 3, IMPORTANCE_EVENT, 10);
	assert_int_equal(now(f).first, 1001);
	holds(f, "3 ");
	ok(spool_acknowledge(f->spool, LINK_SEQUENCE_MAX, &err));
	struct link_report r;
	const struct report *one = link_report_make(&r, 4, IMPORTANCE_RESULT, 10);
	assert_int_equal(spool_append(f->spool, &one, 1, NULL, &err), ERR_FULL);
	holds(f, "");
}

/* How many reports of the size fill the spool. */
static uint64_t fill(struct fixture *f, uint64_t from, enum importance importance, size_t size)
{
	uint64_t dropped = now(f).dropped, n = from;
	while (now(f).dropped == dropped)
		append(f, n++, importance, size);
	return n - 1;
}

static void a_full_spool_drops_the_least_important_first(void **state)
{
	struct fixture *f = *state;
	append(f, 1, IMPORTANCE_RESULT, 1500);
	append(f, 2, IMPORTANCE_METRIC, 1500);
	append(f, 3, IMPORTANCE_METRIC, 1500);
	append(f, 4, IMPORTANCE_HEALTH, 1500);
	append(f, 5, IMPORTANCE_EVENT, 1500);
	append(f, 6, IMPORTANCE_METRIC, 1500);
	uint64_t last = fill(f, 7, IMPORTANCE_RESULT, 1500);
	assert_true(last > 500); /* 1 MiB of 1.7 KiB each */
	assert_true(now(f).bytes <= LIMIT);
	struct seen s = {.next = 1, .limit = 7};
	ok(spool_read(f->spool, 1, see, &s, &err));
	assert_string_equal(s.text, "1 -2 3 4 5 6 7 "); /* metrics before health, oldest first */
	static const char *const then[] = {
	    "1 -3 4 5 6 7 8 ", "1 -3 4 5 -6 7 8 ", "1 -4 5 -6 7 8 9 ", "1 -6 7 8 9 10 11 ", "-6 7 8 9 10 11 12 "};
	for (size_t i = 0; i < 5; i++) {
		append(f, ++last, IMPORTANCE_RESULT, 1500);
		reopen(f);
		s = (struct seen){.next = 1, .limit = 7};
		ok(spool_read(f->spool, 1, see, &s, &err));
		assert_string_equal(s.text, then[i]);
	}
	/* What matters least of all is the new one. */
	append(f, ++last, IMPORTANCE_METRIC, 1500);
	assert_int_equal(now(f).next, last + 1);
	s = (struct seen){.next = last, .limit = 2};
	ok(spool_read(f->spool, last, see, &s, &err));
	assert_true(s.text[0] == '-');
}

static void a_run_of_dropped_reports_is_read_and_acknowledged_in_part(void **state)
{
	struct fixture *f = *state;
	for (uint64_t i = 1; i <= 9; i++)
		append(f, i, i == 1 || i == 9 ? IMPORTANCE_RESULT : IMPORTANCE_METRIC, 1900);
	uint64_t last = fill(f, 10, IMPORTANCE_RESULT, 1900);
	while (now(f).count != last - 7)
		append(f, ++last, IMPORTANCE_RESULT, 1900);
	struct seen s = {.next = 1, .limit = 3};
	ok(spool_read(f->spool, 1, see, &s, &err));
	assert_string_equal(s.text, "1 -8 9 ");
	s = (struct seen){.next = 5, .limit = 2};
	ok(spool_read(f->spool, 5, see, &s, &err));
	assert_string_equal(s.text, "-8 9 ");
	s = (struct seen){.next = 8, .limit = 1};
	ok(spool_read(f->spool, 8, see, &s, &err));
	assert_string_equal(s.text, "-8 ");
	ok(spool_acknowledge(f->spool, 4, &err));
	reopen(f);
	assert_int_equal(now(f).first, 5);
	s = (struct seen){.next = 5, .limit = 2};
	ok(spool_read(f->spool, 5, see, &s, &err));
	assert_string_equal(s.text, "-8 9 ");
	ok(spool_acknowledge(f->spool, 8, &err));
	holds_from(f, last, (snprintf(s.text, sizeof(s.text), "%llu ", (unsigned long long)last), s.text));
	assert_int_equal(now(f).first, 9);
}

static void what_cannot_be_a_frame_is_a_dropped_one(void **state)
{
	struct fixture *f = *state;
	struct report bad = {.at_ms = 5, .importance = IMPORTANCE_EVENT}; /* no body */
	struct link_report good;
	const struct report *two[] = {&bad, link_report_make(&good, 2, IMPORTANCE_EVENT, 10)};
	ok(spool_append(f->spool, two, 2, NULL, &err));
	holds(f, "-1 2 ");
	assert_int_equal(now(f).count, 1);
	assert_int_equal(now(f).dropped, 1);
	ok(spool_append(f->spool, two, 1, NULL, &err));
	ok(spool_append(f->spool, two, 1, NULL, &err));
	reopen(f);
	holds(f, "-1 2 -4 ");
	ok(spool_acknowledge(f->spool, 4, &err));
	holds(f, "");
	assert_int_equal(now(f).count, 0);
}

static void large_reports_take_their_room(void **state)
{
	enum { ITEMS = 40 };
	struct fixture *f = *state;
	struct link_report room[ITEMS];
	struct log_template templates[ITEMS];
	struct log_report log = {.service = "portal", .source = "x", .templates = {templates, ITEMS}};
	for (size_t i = 0; i < ITEMS; i++) {
		link_report_make(&room[i], i, 0, 500);
		templates[i] = (struct log_template){
		    .template_text = room[i].text, .sample = room[i].text, .first_ms = 1, .last_ms = 1};
	}
	struct report big = {.at_ms = 9, .importance = IMPORTANCE_EVENT, .log = &log};
	const struct report *one = &big;
	uint64_t appended = 0;
	while (now(f).dropped == 0 && ++appended)
		ok(spool_append(f->spool, &one, 1, NULL, &err));
	assert_true(appended > 15 && appended < 26); /* 1 MiB of 44 KiB */
	reopen(f);
	assert_int_equal(now(f).count, appended - 1);
	char want[128] = "-1 ";
	for (uint64_t i = 1; i < appended; i++)
		strcat(want, "0 ");
	holds(f, want);
}

/* ---- both against one another, at random ---- */

static bool collect(void *ctx, const struct spool_item *item)
{
	struct buf *out = ctx;
	buf_be64(out, item->sequence);
	buf_be64(out, item->through);
	buf_be64(out, item->at_ms);
	buf_append(out, item->frame.data, item->frame.size);
	return true;
}

static void same(struct fixture *a, struct fixture *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	struct spool_state s = now(a), t = now(b);
	assert_int_equal(s.first, t.first);
	assert_int_equal(s.next, t.next);
	assert_int_equal(s.count, t.count);
	assert_int_equal(s.bytes, t.bytes);
	ok(spool_read(a->spool, 0, collect, &x, &err));
	ok(spool_read(b->spool, 0, collect, &y, &err));
	assert_int_equal(x.size, y.size);
	assert_memory_equal(buf_str(&x), buf_str(&y), x.size);
	buf_done(&x);
	buf_done(&y);
}

static void random_batch(struct random *r, struct fixture *a, struct fixture *b, uint64_t *number)
{
	static struct link_report room[SPOOL_BATCH_MAX];
	const struct report *all[SPOOL_BATCH_MAX];
	size_t n = 1 + random_below(r, random_below(r, 4) ? 4 : SPOOL_BATCH_MAX);
	for (size_t i = 0; i < n; i++)
		all[i] = link_report_make(&room[i], ++*number, (enum importance)random_below(r, IMPORTANCE_COUNT),
		    random_below(r, LINK_REPORT_TEXT));
	ok(spool_append(a->spool, all, n, NULL, &err));
	ok(spool_append(b->spool, all, n, NULL, &err));
}

static void memory_and_disk_do_the_same(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		void *x, *y;
		struct random r;
		uint64_t number = 0;
		random_init_seed(&r, seed);
		setup_memory(&x);
		setup_lmdb(&y);
		struct fixture *a = x, *b = y;
		for (int step = 0; step < 500; step++) {
			struct spool_state s = now(a);
			if (random_below(&r, 200) == 0) {
				uint64_t through = s.first + random_below(&r, s.next - s.first + 3);
				ok(spool_acknowledge(a->spool, through, &err));
				ok(spool_acknowledge(b->spool, through, &err));
			} else if (random_below(&r, 20) == 0) {
				reopen(b);
			} else {
				random_batch(&r, a, b, &number);
			}
			if (step % 10 == 0)
				same(a, b);
		}
		assert_true(now(a).dropped > 20);
		same(a, b);
		teardown(&x);
		teardown(&y);
	}
}

/* ---- of one kind ---- */

static void two_programs_cannot_have_it(void **state)
{
	struct fixture *f = *state;
	struct spool *second;
	append(f, 1, IMPORTANCE_EVENT, 10);
	assert_int_equal(spool_open(f->folder, LIMIT, &second, &err), ERR_BUSY);
	holds(f, "1 ");
	assert_int_equal(spool_open(f->folder, LIMIT - 1, &second, &err), ERR_LIMIT);
	assert_int_equal(spool_open(f->folder, SPOOL_LIMIT_MAX_BYTES + 1, &second, &err), ERR_LIMIT);
}

static void what_is_no_spool_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[128];
	append(f, 1, IMPORTANCE_EVENT, 10);
	spool_close(f->spool);
	snprintf(path, sizeof(path), "%s/data.mdb", f->folder);
	FILE *file = fopen(path, "r+");
	assert_non_null(file);
	for (int i = 0; i < 8192; i++)
		fputc('x', file);
	fclose(file);
	struct spool *s;
	assert_int_equal(spool_open(f->folder, LIMIT, &s, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "move the folder aside"));
	assert_int_equal(remove(path), 0);
	fixture_open(f);
	holds(f, "");
}

static void injected_faults_break_the_memory_spool(void **state)
{
	struct fixture *f = *state;
	struct link_report r;
	const struct report *one = link_report_make(&r, 1, IMPORTANCE_EVENT, 10);
	append(f, 1, IMPORTANCE_EVENT, 10);
	spool_memory_fail(f->spool, 1, ERR_FULL);
	append(f, 2, IMPORTANCE_EVENT, 10);
	assert_int_equal(spool_append(f->spool, &one, 1, NULL, &err), ERR_FULL);
	append(f, 3, IMPORTANCE_EVENT, 10);
	holds(f, "1 2 3 ");
	spool_memory_fail(f->spool, 0, ERR_IO);
	assert_int_equal(spool_acknowledge(f->spool, 2, &err), ERR_IO);
	assert_int_equal(spool_append(f->spool, &one, 1, NULL, &err), ERR_STATE);
	assert_int_equal(spool_acknowledge(f->spool, 2, &err), ERR_STATE);
	spool_memory_restart(f->spool);
	holds(f, "1 2 3 ");
}

#define BOTH(name)                                                                                                     \
	{#name " (memory)", name, setup_memory, teardown, NULL},                                                       \
	{                                                                                                              \
#name " (lmdb)", name, setup_lmdb, teardown, NULL                                                      \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(reports_come_back_in_order),
	    BOTH(a_batch_is_one),
	    BOTH(what_is_acknowledged_is_forgotten),
	    BOTH(a_sequence_is_never_used_again),
	    BOTH(a_full_spool_drops_the_least_important_first),
	    BOTH(a_run_of_dropped_reports_is_read_and_acknowledged_in_part),
	    BOTH(what_cannot_be_a_frame_is_a_dropped_one),
	    BOTH(large_reports_take_their_room),
	    cmocka_unit_test(memory_and_disk_do_the_same),
	    cmocka_unit_test_setup_teardown(two_programs_cannot_have_it, setup_lmdb, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_spool_is_refused, setup_lmdb, teardown),
	    cmocka_unit_test_setup_teardown(injected_faults_break_the_memory_spool, setup_memory, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
