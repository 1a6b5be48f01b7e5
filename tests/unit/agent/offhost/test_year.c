/* A year of a log that is copied as it grows and swept as its restore points go: neither the ledger nor what a restore
 * reads grows with it.  The clock is simulated; a segment is half a day here. */
#include <sys/stat.h>

#include "agent/offhost/ledger.h"
#include "tests/unit/agent/offhost/logs.h"

enum { A_DAY = 2, YEAR = 365 * A_DAY, KEPT = 35 * A_DAY, STEP_MS = 12 * 3600 * 1000 };

static uint64_t year_now(void *ctx) /* only the test lets time go by */
{
	return ((struct rig *)ctx)->now_ms;
}

struct inventories {
	size_t count, bytes;
};
static struct inventories inventories_of(const struct memory_store *m)
{
	struct inventories i = {0, 0};
	for (size_t k = 0; k < m->count; k++)
		if (strstr(m->all[k].name, "/inventory/")) {
			i.count++;
			i.bytes += m->all[k].size;
		}
	return i;
}

static bool count_name(void *ctx, const char *name, uint64_t size_bytes)
{
	(void)name;
	(void)size_bytes;
	++*(size_t *)ctx;
	return true;
}

static size_t known_of(struct logs *l)
{
	struct ledger *ledger;
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/ledger", l->r.folder);
	RIG_OK(&l->r, ledger_open(path, false, &ledger, &l->r.err));
	size_t count = ledger_count(ledger);
	ledger_close(ledger);
	return count;
}

static uint64_t size_of(struct logs *l)
{
	struct stat st;
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/ledger", l->r.folder);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* A step: a segment comes, one that no restore point needs goes, both are told. */
static void go_on(struct logs *l, uint64_t number)
{
	struct wal_swept swept;
	l->r.now_ms += STEP_MS;
	push(l, number);
	if (number > KEPT)
		RIG_OK(&l->r, wal_sweep(&l->area, number - KEPT + 1, l->r.now_ms, true, &swept, &l->r.err));
	RIG_OK(&l->r, rig_copy(&l->r));
}

static void nothing_grows_in_a_year(void **state)
{
	struct logs l;
	size_t most = 0, quarter = 0, unneeded = 0;
	uint64_t largest = 0;
	(void)state;
	logs_init(&l);
	l.r.o.now_ms = year_now;
	(void)rig_point(&l.r);
	for (uint64_t n = 1; n <= YEAR; n++) {
		go_on(&l, n);
		if (n % 5)
			continue;
		size_t known = known_of(&l);
		most = known > most ? known : most;
		largest = size_of(&l) > largest ? size_of(&l) : largest;
		if (n <= YEAR / 4)
			quarter = most;
	}
	/* What is needed, a month of what is not, the inventories since the last whole one, what waits to be worth it.
	 */
	assert_true(quarter > KEPT);
	assert_in_range(most, quarter, KEPT + (30 + 10) * A_DAY + 2 * OFFHOST_FULL_EVERY + 256 + 64);
	assert_in_range(largest, 1, 2 * most * 400 + 256 * 400);
	/* Each copy is told once, and whole inventories cost no more than a few entries for each that is new. */
	struct inventories told = inventories_of(&l.r.store);
	assert_int_equal(told.count, YEAR);
	assert_in_range(told.bytes, 1, (uint64_t)YEAR * (600 + OFFHOST_FULL_SHARE * 200));
	/* What a restore reads is what is needed, and a little that lately was not. */
	RIG_OK(&l.r, rig_verify(&l.r, true));
	assert_in_range(l.r.proof.objects_total, KEPT, 2 * KEPT);
	RIG_OK(&l.r, offhost_unneeded(&l.r.o, l.r.w.repo, count_name, &unneeded, &l.r.err));
	assert_in_range(unneeded, 1, 60 * A_DAY);
	logs_done(&l);
}

/* What `copy unneeded` names can be deleted: the newest copy comes back without it, whole, and so it does when the
 * ledger is lost besides. */
static bool remove_object(void *ctx, const char *name, uint64_t size_bytes)
{
	struct memory_store *m = ctx;
	(void)size_bytes;
	struct memory_object *o = memory_find(m, name);
	if (o) /* it is named as long as it is remembered */
		memory_remove(m, o);
	return true;
}

static void what_is_unneeded_can_go(void **state)
{
	struct logs l;
	struct offhost_restore_options back;
	char path[WORLD_PATH * 2];
	struct wal_area area;
	struct wal_holding h;
	(void)state;
	logs_init(&l);
	l.r.o.now_ms = year_now;
	(void)rig_point(&l.r);
	for (uint64_t n = 1; n <= 2 * KEPT + 30; n++) {
		go_on(&l, n);
		if (n % 11 == 0) /* at any place between two whole inventories */
			RIG_OK(&l.r, offhost_unneeded(&l.r.o, l.r.w.repo, remove_object, &l.r.store, &l.r.err));
		if (n % 11 == 0)
			RIG_OK(&l.r, rig_verify(&l.r, true));
		if (n == KEPT + 50) {
			(void)text_format(path, sizeof path, "%s/ledger", l.r.folder);
			assert_int_equal(unlink(path), 0);
		}
	}
	back = (struct offhost_restore_options){
	    .into = l.r.back, .wal_into = l.back, .open_keys = rig_open_keys, .ctx = &l.r};
	RIG_OK(&l.r, offhost_restore(&l.r.o, &back, &l.r.restored, &l.r.err));
	(void)text_format(path, sizeof path, "%s/db", l.back);
	RIG_OK(&l.r, wal_area_open_at(path, &area, &l.r.err));
	RIG_OK(&l.r, wal_list(&area, l.r.w.arena, &h, &l.r.err));
	assert_int_equal(h.segments[h.segment_count - 1].number, 2 * KEPT + 30);
	assert_true(h.segments[0].number <= KEPT + 31);
	assert_int_equal(wal_run_end(&h, 1, h.segments[0].number), 2 * KEPT + 30); /* what is needed, without a gap */
	logs_done(&l);
}

/* Where much is needed and little is new, everything is not named again each time; and who lost the ledger goes on
 * where the row was. */
static void a_long_row_survives_the_loss_of_the_ledger(void **state)
{
	struct logs l;
	char path[WORLD_PATH * 2];
	unsigned whole = 0;
	(void)state;
	logs_init(&l);
	(void)rig_point(&l.r);
	for (uint64_t n = 1; n <= 150; n++)
		push(&l, n);
	RIG_OK(&l.r, rig_copy(&l.r));
	for (uint64_t n = 151; n <= 190; n++) {
		push(&l, n);
		RIG_OK(&l.r, rig_copy(&l.r));
	}
	(void)text_format(path, sizeof path, "%s/ledger", l.r.folder);
	assert_int_equal(unlink(path), 0);
	for (uint64_t n = 191; n <= 193; n++) {
		push(&l, n);
		RIG_OK(&l.r, rig_copy(&l.r));
	}
	for (size_t i = 0; i < l.r.store.count; i++)
		whole += strstr(l.r.store.all[i].name, "/inventory/") && l.r.store.all[i].size > 10000;
	assert_int_equal(whole, 1);
	RIG_OK(&l.r, rig_verify(&l.r, true));
	for (uint64_t n = 194; n <= 210; n++) {
		push(&l, n);
		RIG_OK(&l.r, rig_copy(&l.r));
	}
	whole = 0;
	for (size_t i = 0; i < l.r.store.count; i++)
		whole += strstr(l.r.store.all[i].name, "/inventory/") && l.r.store.all[i].size > 10000;
	assert_int_equal(whole, 2);
	struct offhost_restore_options back = {
	    .into = l.r.back, .wal_into = l.back, .open_keys = rig_open_keys, .ctx = &l.r};
	RIG_OK(&l.r, offhost_restore(&l.r.o, &back, &l.r.restored, &l.r.err));
	assert_int_equal(l.r.restored.logs, 210);
	logs_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_grows_in_a_year),
	    cmocka_unit_test(what_is_unneeded_can_go), cmocka_unit_test(a_long_row_survives_the_loss_of_the_ledger)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
