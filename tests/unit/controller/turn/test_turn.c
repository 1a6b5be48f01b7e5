/* Random turns against a naive model: a plain array of records per layer.  A failing seed is printed with the
 * assertion. */
#include <stdlib.h>
#include <string.h>

#include "controller/store/store.h"
#include "controller/turn/batch.h"
#include "controller/turn/limits.h"
#include "controller/turn/system.h"
#include "tests/lib/unit.h"

struct thing {
	const char *group;
	uint64_t number;
	uint32_t shade;
	const char *owner;
	uint64_t weight;
};
static const char *const shade_names[] = {"red", "green", "blue"};
static const struct enum_type shade_enum = ENUM_TYPE("shade", shade_names);
static const struct field thing_fields[] = {
    F_STRING(struct thing, group, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY, "first part of the key"),
    F_U64(struct thing, number, 0, FIELD_KEY, "second part"),
    F_ENUM(struct thing, shade, &shade_enum, FIELD_INDEXED, "indexed enum"),
    F_STRING(struct thing, owner, NAME_MAX_BYTES, FIELD_INDEXED, "indexed text, may be absent"),
    F_U64(struct thing, weight, 0, FIELD_INDEXED, "indexed number"),
};
static const struct record_type thing_type = RECORD_TYPE("thing", struct thing, thing_fields, "a test's record");
static const struct table thing_table = {.name = "thing", .type = &thing_type};
/* Its name is a prefix of nothing and begins as the other: scans must not run over. */
static const struct table thing2_table = {.name = "thing2", .type = &thing_type};

/* ---- the model ---- */

enum { GROUPS = 4, NUMBERS = 8, THINGS = GROUPS * NUMBERS };
static const char *const groups[GROUPS] = {"a", "aa", "b", "\xc3\xbf"};
static const char *const owners[] = {NULL, "x", "xy", "y"};

struct model {
	bool there[THINGS];
	struct thing at[THINGS]; /* in the order of the key */
};

static struct thing thing_of(size_t i)
{
	return (struct thing){.group = groups[i / NUMBERS], .number = i % NUMBERS * 100};
}

static size_t place_of(const struct thing *t)
{
	for (size_t i = 0; i < THINGS; i++) {
		struct thing k = thing_of(i);
		if (!strcmp(k.group, t->group) && k.number == t->number)
			return i;
	}
	fail_msg("a record that nobody put");
	return 0;
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* <0, 0, >0 in the order of the index, then of the key (places are in key order). */
static int compare_by(const char *field, const struct thing *a, const struct thing *b)
{
	int c = 0;
	if (!strcmp(field, "shade"))
		c = compare_text(shade_names[a->shade], shade_names[b->shade]);
	if (!strcmp(field, "owner"))
		c = compare_text(a->owner, b->owner);
	if (!strcmp(field, "weight"))
		c = (a->weight > b->weight) - (a->weight < b->weight);
	return c;
}

/* ---- one random run ---- */

struct run {
	uint64_t seed;
	struct random random;
	struct store *store;
	struct model now; /* what the open turn must see */
};

static struct thing random_thing(struct run *r)
{
	struct thing t = thing_of(random_below(&r->random, THINGS));
	t.shade = (uint32_t)random_below(&r->random, 3);
	t.owner = owners[random_below(&r->random, 4)];
	t.weight = random_below(&r->random, 5) * 77777;
	if (t.weight == 0)
		t.weight = UINT64_MAX; /* eight bytes of 0xff: the end of its range is not one byte further */
	return t;
}

static void check_equal(struct run *r, const struct thing *got, const struct thing *want)
{
	if (!record_equal(&thing_type, got, want))
		fail_msg("seed %llu: %s/%llu differs", (unsigned long long)r->seed, want->group,
		    (unsigned long long)want->number);
}

static void ok(struct run *r, enum err_code rc, const struct err *err)
{
	if (rc != ERR_OK)
		fail_msg("seed %llu: %s", (unsigned long long)r->seed, err->msg);
}

static void write_one(struct run *r, struct turn *t)
{
	struct err err = ERR_INIT;
	struct thing x = random_thing(r);
	size_t at = place_of(&x);
	if (random_below(&r->random, 3)) {
		ok(r, turn_put(t, &thing_table, &x, &err), &err);
		r->now.there[at] = true;
		r->now.at[at] = x;
	} else {
		ok(r, turn_delete(t, &thing_table, &x, &err), &err);
		r->now.there[at] = false;
	}
}

static void read_one(struct run *r, struct turn *t)
{
	struct err err = ERR_INIT;
	struct thing x = random_thing(r);
	size_t at = place_of(&x);
	bool found;
	ok(r, turn_get(t, &thing_table, &x, &x, &found, &err), &err);
	assert_int_equal(found, r->now.there[at]);
	if (found)
		check_equal(r, &x, &r->now.at[at]);
}

/* Whether the scan may show place i. */
static bool wanted(const struct run *r, size_t i, const struct thing *like, const char *index, bool whole)
{
	if (!r->now.there[i])
		return false;
	if (whole)
		return true;
	return index ? compare_by(index, &r->now.at[i], like) == 0 : !strcmp(r->now.at[i].group, like->group);
}

/* The place that must come next after `last` (THINGS: the first), or THINGS. */
static size_t next_place(const struct run *r, const struct thing *last, size_t last_at, const struct thing *like,
    const char *index, bool whole, bool descending)
{
	size_t best = THINGS;
	for (size_t i = 0; i < THINGS; i++) {
		if (!wanted(r, i, like, index, whole))
			continue;
		const struct thing *x = &r->now.at[i];
		int c = last ? (index ? compare_by(index, x, last) : 0) : 1;
		if (last && !c)
			c = (i > last_at) - (i < last_at);
		if (last && (descending ? c >= 0 : c <= 0))
			continue;
		int d = best == THINGS ? -1 : index ? compare_by(index, x, &r->now.at[best]) : 0;
		if (best != THINGS && !d)
			d = (i > best) - (i < best);
		if (best == THINGS || (descending ? d > 0 : d < 0))
			best = i;
	}
	return best;
}

static void open_scan(struct run *r, struct turn *t, const char *index, bool whole, bool descending,
    const struct thing *like, struct turn_scan *s)
{
	struct err err = ERR_INIT;
	if (index)
		ok(r, turn_scan_index(t, &thing_table, index, whole ? NULL : like, descending, s, &err), &err);
	else
		ok(r, turn_scan_key(t, &thing_table, like, whole ? 0 : 1, descending, s, &err), &err);
}

/* As a page of a list does: another scan goes on where this one stands. */
static void go_on_in_another(struct run *r, struct turn *t, const char *index, bool whole, bool descending,
    const struct thing *like, struct turn_scan *s)
{
	struct err err = ERR_INIT;
	uint8_t position[TURN_KEY_MAX];
	struct bytes at = turn_scan_position(s);
	memcpy(position, at.data, at.size);
	at.data = position;
	turn_scan_done(s);
	open_scan(r, t, index, whole, descending, like, s);
	ok(r, turn_scan_resume(s, at, &err), &err);
	assert_int_equal(turn_scan_resume(s, (struct bytes){(const uint8_t *)"no", 2}, &err), ERR_INVALID);
}

static void scan_one(struct run *r, struct turn *t, bool writing)
{
	static const char *const indexes[] = {NULL, "shade", "owner", "weight"};
	struct err err = ERR_INIT;
	const char *index = indexes[random_below(&r->random, 4)];
	bool whole = random_below(&r->random, 2), descending = random_below(&r->random, 2);
	struct thing like = random_thing(r), last, got;
	struct turn_scan s;
	open_scan(r, t, index, whole, descending, &like, &s);
	bool started = false, found;
	for (size_t step = 0, last_at = 0; step < 200; step++) {
		if (writing && !random_below(&r->random, 2))
			write_one(r, t);
		if (started && !random_below(&r->random, 4))
			go_on_in_another(r, t, index, whole, descending, &like, &s);
		size_t want = next_place(r, started ? &last : NULL, last_at, &like, index, whole, descending);
		ok(r, turn_scan_next(&s, &got, &found, &err), &err);
		if (found != (want != THINGS))
			fail_msg("seed %llu: scan by %s ends at the wrong place", (unsigned long long)r->seed,
			    index ? index : "key");
		if (!found)
			break;
		check_equal(r, &got, &r->now.at[want]);
		last = got;
		last_at = want;
		started = true;
	}
	turn_scan_done(&s);
}

static void check_whole(struct run *r, struct turn *t)
{
	for (int i = 0; i < 8; i++)
		scan_one(r, t, false);
	for (int i = 0; i < 8; i++)
		read_one(r, t);
}

static void one_turn(struct run *r, struct batch *b)
{
	struct err err = ERR_INIT;
	struct model before = r->now;
	struct turn *t;
	ok(r, batch_begin(b, &t, &err), &err);
	for (uint64_t i = random_below(&r->random, 12); i; i--) {
		uint64_t what = random_below(&r->random, 6);
		if (what < 3)
			write_one(r, t);
		else if (what == 3)
			read_one(r, t);
		else
			scan_one(r, t, what == 5);
	}
	bool keep = random_below(&r->random, 3);
	ok(r, batch_end(b, t, keep, &err), &err);
	if (!keep)
		r->now = before;
}

static void one_batch(struct run *r)
{
	struct err err = ERR_INIT;
	struct store_view *view;
	struct batch *b;
	ok(r, store_view_open(r->store, "test", &view, &err), &err);
	ok(r, batch_new(store_view_turn(view), 1000, &r->random, &b, &err), &err);
	for (uint64_t i = random_below(&r->random, 5); i; i--)
		one_turn(r, b);
	const struct turn_write *writes;
	size_t count;
	ok(r, batch_writes(b, &writes, &count, &err), &err);
	store_view_close(view);
	ok(r, store_commit(r->store, writes, count, &err), &err);
	batch_free(b);
}

/* No index entry without its record and none missing: the number of entries tells. */
static void check_entries(struct run *r, const struct turn_view *view)
{
	size_t entries = 0, records = 0;
	struct bytes key = {0}, value;
	bool found = true;
	while (view->seek(view->ctx, key, SEEK_AFTER, &key, &value, &found, NULL) == ERR_OK && found)
		entries++;
	for (size_t i = 0; i < THINGS; i++)
		records += r->now.there[i];
	assert_int_equal(entries, 4 * records);
}

static void run_seed(uint64_t seed)
{
	struct err err = ERR_INIT;
	struct run r = {.seed = seed};
	random_init_seed(&r.random, seed);
	ok(&r, store_open_memory(&r.store, &err), &err);
	for (int i = 0; i < 6; i++)
		one_batch(&r);
	struct store_view *view;
	ok(&r, store_view_open(r.store, "test", &view, &err), &err);
	struct arena *arena = arena_new(0);
	struct turn *t;
	ok(&r, turn_open_read(store_view_turn(view), 1000, arena, &t, &err), &err);
	check_whole(&r, t);
	turn_close_read(t);
	check_entries(&r, store_view_turn(view));
	arena_free(arena);
	store_view_close(view);
	store_close(r.store);
}

static void random_turns_match_the_model(void **state)
{
	(void)state;
	uint64_t from = 1, seeds = 3000;
	const char *s = getenv("KEDGE_TURN_SEED");
	if (s) {
		from = strtoull(s, NULL, 10);
		seeds = 1;
	}
	for (uint64_t seed = from; seed < from + seeds; seed++)
		run_seed(seed);
}

/* ---- particular cases ---- */

struct fixture {
	struct store *store;
	struct store_view *view;
	struct random random;
	struct batch *batch;
};

static void open_batch(struct fixture *f)
{
	assert_int_equal(store_view_open(f->store, "test", &f->view, NULL), ERR_OK);
	assert_int_equal(batch_new(store_view_turn(f->view), 5000, &f->random, &f->batch, NULL), ERR_OK);
}

static size_t close_batch(struct fixture *f)
{
	const struct turn_write *w;
	size_t n;
	assert_int_equal(batch_writes(f->batch, &w, &n, NULL), ERR_OK);
	store_view_close(f->view);
	assert_int_equal(store_commit(f->store, w, n, NULL), ERR_OK);
	batch_free(f->batch);
	return n;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	random_init_seed(&f->random, 7);
	assert_int_equal(store_open_memory(&f->store, NULL), ERR_OK);
	open_batch(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	close_batch(f);
	store_close(f->store);
	free(f);
	return 0;
}

static enum err_code count_up(struct turn *t, void *ctx, struct err *reterr)
{
	return turn_number(t, "incident", ctx, reterr);
}

static enum err_code count_and_refuse(struct turn *t, void *ctx, struct err *reterr)
{
	struct effect e = {.kind = EFFECT_EVENT, .topic = "incident", .text = "no"};
	enum err_code rc = turn_number(t, "incident", ctx, reterr);
	if (rc == ERR_OK)
		rc = turn_emit(t, &e, reterr);
	return rc != ERR_OK ? rc : err_set(reterr, ERR_DENIED, "refused on purpose");
}

static void numbers_have_no_holes_from_refusals(void **state)
{
	struct fixture *f = *state;
	uint64_t n = 0;
	size_t effects;
	assert_int_equal(batch_apply(f->batch, count_up, &n, NULL), ERR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(batch_apply(f->batch, count_and_refuse, &n, NULL), ERR_DENIED);
	assert_int_equal(n, 2); /* seen inside, then gone */
	assert_int_equal(batch_apply(f->batch, count_up, &n, NULL), ERR_OK);
	assert_int_equal(n, 2);
	batch_effects(f->batch, &effects);
	assert_int_equal(effects, 0);
	assert_int_equal(close_batch(f), 1);
	open_batch(f);
	assert_int_equal(batch_apply(f->batch, count_up, &n, NULL), ERR_OK);
	assert_int_equal(n, 3);
}

static enum err_code set_timers(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	struct id a = {{1}}, b = {{2}};
	assert_int_equal(turn_timer_set(t, "order", a, NULL, 300, reterr), ERR_OK);
	assert_int_equal(turn_timer_set(t, "order", b, NULL, 100, reterr), ERR_OK);
	assert_int_equal(turn_timer_set(t, "host", (struct id){0}, "web-1", 200, reterr), ERR_OK);
	assert_int_equal(turn_timer_set(t, "order", a, NULL, 50, reterr), ERR_OK); /* moves */
	assert_int_equal(turn_timer_clear(t, "order", b, NULL, reterr), ERR_OK);
	assert_int_equal(turn_timer_clear(t, "order", (struct id){{9}}, NULL, reterr), ERR_OK); /* not there: no-op */
	return ERR_OK;
}

static enum err_code see_timers(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	struct turn_scan s;
	struct timer timer;
	bool found;
	assert_int_equal(turn_scan_index(t, &timer_table, "due_ms", NULL, false, &s, reterr), ERR_OK);
	assert_int_equal(turn_scan_next(&s, &timer, &found, reterr), ERR_OK);
	assert_true(found && timer.due_ms == 50 && timer.id.b[0] == 1 && !timer.name);
	assert_int_equal(turn_scan_next(&s, &timer, &found, reterr), ERR_OK);
	assert_true(found && timer.due_ms == 200);
	assert_string_equal(timer.name, "web-1");
	assert_int_equal(turn_scan_next(&s, &timer, &found, reterr), ERR_OK);
	assert_false(found);
	turn_scan_done(&s);
	return ERR_OK;
}

static void a_timer_is_one_per_kind_and_object(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(batch_apply(f->batch, set_timers, NULL, NULL), ERR_OK);
	assert_int_equal(batch_apply(f->batch, see_timers, NULL, NULL), ERR_OK);
	close_batch(f);
	open_batch(f);
	assert_int_equal(batch_apply(f->batch, see_timers, NULL, NULL), ERR_OK);
}

static enum err_code tables_apart(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	struct thing a = {.group = "g", .number = 1}, b = {.group = "g", .number = 2}, got;
	assert_int_equal(turn_put(t, &thing_table, &a, reterr), ERR_OK);
	assert_int_equal(turn_put(t, &thing2_table, &b, reterr), ERR_OK);
	for (int i = 0; i < 2; i++) {
		struct turn_scan s;
		bool found;
		assert_int_equal(turn_scan_key(t, i ? &thing2_table : &thing_table, NULL, 0, i, &s, reterr), ERR_OK);
		assert_int_equal(turn_scan_next(&s, &got, &found, reterr), ERR_OK);
		assert_true(found && got.number == 1u + (unsigned)i);
		assert_int_equal(turn_scan_next(&s, &got, &found, reterr), ERR_OK);
		assert_false(found);
		turn_scan_done(&s);
	}
	return ERR_OK;
}

static void tables_do_not_run_into_each_other(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(batch_apply(f->batch, tables_apart, NULL, NULL), ERR_OK);
}

static enum err_code put_same(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	return turn_put(t, &thing_table, &(struct thing){.group = "g", .number = 1, .weight = 5}, reterr);
}

static void putting_the_same_again_writes_nothing(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(batch_apply(f->batch, put_same, NULL, NULL), ERR_OK);
	assert_int_equal(close_batch(f), 4);
	open_batch(f);
	assert_int_equal(batch_apply(f->batch, put_same, NULL, NULL), ERR_OK);
	assert_int_equal(close_batch(f), 0);
	open_batch(f);
}

static enum err_code emit_some(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	char host[8] = "web-1";
	struct ack ack = {.sequence = 7};
	struct effect e = {.kind = EFFECT_FRAME, .host = host, .frame = FRAME_ACK, .body = &ack};
	assert_int_equal(turn_emit(t, &e, reterr), ERR_OK);
	memset(host, 'x', 4); /* what the caller does with its stack afterwards is its own affair */
	ack.sequence = 8;
	char big[TEXT_LINE_MAX + 2];
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = 0;
	struct cancel bad = {.order = turn_id(t), .reason = big};
	e.frame = FRAME_CANCEL;
	e.body = &bad;
	assert_int_not_equal(turn_emit(t, &e, reterr), ERR_OK); /* found before the commit, not after */
	return ERR_OK;
}

static void effects_are_copied_and_checked_when_emitted(void **state)
{
	struct fixture *f = *state;
	size_t n;
	assert_int_equal(batch_apply(f->batch, emit_some, NULL, NULL), ERR_OK);
	const struct effect *e = batch_effects(f->batch, &n);
	assert_int_equal(n, 1);
	assert_string_equal(e[0].host, "web-1");
	assert_int_equal(((const struct ack *)e[0].body)->sequence, 7);
}

static enum err_code too_long(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	char name[NAME_MAX_BYTES + 2];
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	return turn_put(t, &thing_table, &(struct thing){.group = name}, reterr);
}

static void a_record_past_its_limits_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	assert_int_not_equal(batch_apply(f->batch, too_long, NULL, &err), ERR_OK);
	assert_non_null(strstr(err.msg, "thing"));
}

static enum err_code put_garbage(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	static const uint8_t key[] = "thing\0g\0\0\0\0\0\0\0\0\1";
	return turn_raw_put(
	    t, (struct bytes){key, sizeof(key) - 1}, (struct bytes){(const uint8_t *)"\xc1", 1}, reterr);
}

static enum err_code get_garbage(struct turn *t, void *ctx, struct err *reterr)
{
	struct thing x = {.group = "g", .number = 1};
	return turn_get(t, &thing_table, &x, &x, ctx, reterr);
}

static void a_damaged_record_is_named(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	bool found = false;
	assert_int_equal(batch_apply(f->batch, put_garbage, NULL, NULL), ERR_OK);
	assert_int_equal(batch_apply(f->batch, get_garbage, &found, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "thing"));
}

static enum err_code mark_seen(struct turn *t, void *ctx, struct err *reterr)
{
	struct system_state s = {.name = SYSTEM_NAME, .restored_ms = 9, .restored_unseen = true};
	(void)ctx;
	assert_int_equal(turn_put(t, &system_table, &s, reterr), ERR_OK);
	assert_int_equal(system_restore_seen(t, reterr), ERR_OK);
	assert_int_equal(system_get(t, &s, reterr), ERR_OK);
	assert_false(s.restored_unseen);
	assert_int_equal(s.restored_ms, 9);
	return ERR_OK;
}

static void a_restore_is_seen_once(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(batch_apply(f->batch, mark_seen, NULL, NULL), ERR_OK);
}

enum { MANY = 21 };

static enum err_code put_many(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	enum err_code rc = ERR_OK;
	for (uint64_t i = 0; i < MANY && rc == ERR_OK; i++) {
		struct thing x = {.group = i % 3 ? "b" : "a", .number = i, .shade = i % 2, .weight = i};
		rc = turn_put(t, &thing_table, &x, reterr);
	}
	return rc;
}

static enum err_code step_over(struct turn *t, void *ctx, struct err *reterr)
{
	struct thing like = {.group = "a"}, x;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = turn_scan_key(t, &thing_table, &like, 1, false, &scan, reterr);
	size_t count = 0;
	(void)ctx;
	while (turn_scan_step(&scan, &x, &rc, reterr))
		assert_int_equal(x.number, 3 * count++);
	assert_int_equal(rc, ERR_OK);
	assert_int_equal(count, MANY / 3);
	return ERR_OK;
}

/* What could not be begun is not stepped over, and what a body says ends the loop. */
static enum err_code step_after_failure(struct turn *t, void *ctx, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan none = {0}, scan = {0};
	struct thing x = {.number = 77};
	enum err_code rc = ERR_LIMIT;
	size_t count = 0;
	(void)ctx;
	assert_false(turn_scan_step(&none, &x, &rc, reterr));
	assert_int_equal(x.number, 77);
	assert_int_equal(turn_scan_key(t, &thing_table, NULL, 0, false, &scan, reterr), ERR_OK);
	for (rc = ERR_OK; turn_scan_step(&scan, &x, &rc, reterr); count++)
		rc = count == 4 ? ERR_FULL : ERR_OK;
	assert_int_equal(rc, ERR_FULL);
	assert_int_equal(count, 5);
	return ERR_OK;
}

static enum err_code take_some(struct turn *t, void *ctx, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan all = {0}, again = {0};
	struct list list = {0};
	(void)ctx;
	assert_int_equal(turn_scan_index(t, &thing_table, "weight", NULL, true, &all, reterr), ERR_OK);
	assert_int_equal(turn_scan_take(&all, 9, &list, reterr), ERR_OK);
	assert_int_equal(list.count, 9);
	assert_int_equal(turn_scan_take(&all, SIZE_MAX, &list, reterr), ERR_OK); /* goes on where it stood */
	assert_int_equal(turn_scan_index(t, &thing_table, "weight", NULL, false, &again, reterr), ERR_OK);
	assert_int_equal(turn_scan_take(&again, MANY + 10, &list, reterr), ERR_OK);
	assert_int_equal(list.count, MANY + 10);
	for (uint64_t i = 0; i < list.count; i++)
		assert_int_equal(LIST_AT(list, struct thing, i).number, i < MANY ? MANY - 1 - i : i - MANY);
	return ERR_OK;
}

static enum err_code find_one(struct turn *t, void *ctx, struct err *reterr)
{
	struct thing x, like = {.shade = 1}, nothing = {.owner = "nobody"};
	bool found = false;
	(void)ctx;
	assert_int_equal(turn_find(t, &thing_table, "shade", &like, false, &x, &found, reterr), ERR_OK);
	assert_true(found && x.number == 3 && !strcmp(x.group, "a"));
	assert_int_equal(turn_find(t, &thing_table, "shade", &like, true, &x, &found, reterr), ERR_OK);
	assert_true(found && x.number == 19 && !strcmp(x.group, "b"));
	assert_int_equal(turn_find(t, &thing_table, "owner", &nothing, false, &x, &found, reterr), ERR_OK);
	assert_false(found);
	return ERR_OK;
}

static void records_are_stepped_over_taken_and_found(void **state)
{
	static const batch_fn all[] = {put_many, step_over, step_after_failure, take_some, find_one};
	struct fixture *f = *state;
	struct err err = {0};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		assert_int_equal(batch_apply(f->batch, all[i], NULL, &err), ERR_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_turns_match_the_model),
	    CASE(numbers_have_no_holes_from_refusals),
	    CASE(a_timer_is_one_per_kind_and_object),
	    CASE(tables_do_not_run_into_each_other),
	    CASE(putting_the_same_again_writes_nothing),
	    CASE(effects_are_copied_and_checked_when_emitted),
	    CASE(a_record_past_its_limits_is_refused),
	    CASE(a_damaged_record_is_named),
	    CASE(a_restore_is_seen_once),
	    CASE(records_are_stepped_over_taken_and_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
