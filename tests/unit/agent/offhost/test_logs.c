/* Logs of databases leave the host as restore points do: all of them, once, and come back as an archive that opens. */
#include "tests/unit/agent/offhost/logs.h"

#include <sys/stat.h>

static struct copy_wal status_of(struct logs *l)
{
	struct copy_status s;
	RIG_OK(&l->r, offhost_status_read(l->r.folder, l->r.w.arena, &s, &l->r.err));
	assert_int_equal(s.wal.count, 1);
	return LIST_AT(s.wal, struct copy_wal, 0);
}

static void restore(struct logs *l, struct id snapshot)
{
	struct offhost_restore_options o = {
	    .into = l->r.back, .wal_into = l->back, .snapshot = snapshot, .open_keys = rig_open_keys, .ctx = &l->r};
	scratch_remove(l->r.back);
	RIG_OK(&l->r, offhost_restore(&l->r.o, &o, &l->r.restored, &l->r.err));
}

/* Number first and the count - 1 behind it, as they were pushed. */
static void prove_restored(struct logs *l, uint64_t first, uint64_t count)
{
	struct wal_area area;
	struct wal_holding h;
	char path[PATH_LIMIT], name[WAL_NAME_MAX];
	struct stat st;
	(void)text_format(path, sizeof path, "%s/db", l->back);
	RIG_OK(&l->r, wal_area_open_at(path, &area, &l->r.err));
	assert_int_equal(area.system, SYSTEM);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	RIG_OK(&l->r, wal_list(&area, l->r.w.arena, &h, &l->r.err));
	assert_int_equal(h.segment_count, count);
	for (uint64_t n = first; n < first + count; n++) {
		struct buf data = BUF_INIT;
		struct envelope_about about;
		RIG_OK(
		    &l->r, wal_read(&area, wal_segment_name(1, n, SEGMENT, name), SEGMENT, &data, &about, &l->r.err));
		assert_int_equal(data.size, SEGMENT);
		assert_int_equal(data.data[9000], n);
		buf_done(&data);
	}
}

static void a_log_travels_and_comes_back(void **state)
{
	struct logs l;
	char name[WAL_NAME_MAX];
	(void)state;
	logs_init(&l);
	struct id point = rig_point(&l.r);
	for (uint64_t n = 3; n < 6; n++)
		push(&l, n);
	RIG_OK(&l.r, rig_copy(&l.r));
	assert_int_equal(l.r.copied.logs, 3);
	struct copy_wal w = status_of(&l);
	assert_string_equal(w.service, "db");
	assert_string_equal(w.last, wal_segment_name(1, 5, SEGMENT, name));
	assert_true(w.segments == 3 && w.pending == 0 && w.newest_ms > 0);
	push(&l, 6);
	RIG_OK(&l.r, rig_copy(&l.r)); /* no new restore point: that log alone, and the inventory that names it */
	assert_true(l.r.copied.logs == 1 && l.r.copied.points == 0);
	assert_string_equal(status_of(&l).last, wal_segment_name(1, 6, SEGMENT, name));
	for (size_t i = 0; i < l.r.store.count; i++)
		assert_int_equal(l.r.store.all[i].puts, 1);
	RIG_OK(&l.r, rig_verify(&l.r, false));
	RIG_OK(&l.r, rig_verify(&l.r, true));
	restore(&l, point); /* one restore point alone brings none */
	assert_int_equal(l.r.restored.logs, 0);
	assert_false(file_exists(l.back));
	restore(&l, (struct id){{0}});
	assert_int_equal(l.r.restored.logs, 4);
	prove_restored(&l, 3, 4);
	for (size_t i = 0; i < l.r.store.count; i++) /* the keys stay here */
		assert_null(memmem(l.r.store.all[i].data, l.r.store.all[i].size, "kedge-wal", 9));
	logs_done(&l);
}

/* At every call of the store, before and after it had its effect: nothing is sent twice, nothing is missing. */
static void a_killed_copy_goes_on(void **state)
{
	struct logs l;
	(void)state;
	logs_init(&l);
	(void)rig_point(&l.r);
	push(&l, 1);
	push(&l, 2);
	for (unsigned late = 0, k = 1; late < 2; k++) {
		memory_done(&l.r.store);
		scratch_remove(l.r.folder);
		scratch_remove(l.back);
		l.r.store.dies_at = k;
		l.r.store.dies_late = late;
		enum err_code rc = rig_copy(&l.r);
		assert_true(k < 100 && (rc == ERR_OK || rc == ERR_CANCELLED));
		if (!memory_find_like(&l.r.store, "/inventory/"))
			assert_null(status_of(&l).last);
		l.r.store.dies_at = 0;
		RIG_OK(&l.r, rig_copy(&l.r));
		for (size_t i = 0; i < l.r.store.count; i++)
			assert_int_equal(l.r.store.all[i].puts, 1);
		assert_int_equal(status_of(&l).segments, 2);
		restore(&l, (struct id){{0}});
		prove_restored(&l, 1, 2);
		if (rc == ERR_OK) {
			assert_true(k > 8);
			late++;
			k = 0;
		}
	}
	logs_done(&l);
}

/* What was swept is of no use any more; what is missing in between is only in the store now. */
static void what_is_lost_here_is_kept_there(void **state)
{
	struct logs l;
	char path[PATH_LIMIT];
	(void)state;
	logs_init(&l);
	(void)rig_point(&l.r);
	for (uint64_t n = 1; n < 6; n++)
		push(&l, n);
	RIG_OK(&l.r, rig_copy(&l.r));
	path_of(&l, l.wal, 1, path);
	assert_int_equal(unlink(path), 0);
	path_of(&l, l.wal, 3, path);
	assert_int_equal(unlink(path), 0);
	for (unsigned i = 0; i < 3; i++) /* also in later runs, and in the next whole inventory */
		RIG_OK(&l.r, rig_copy(&l.r));
	for (unsigned i = 0; i < OFFHOST_FULL_EVERY; i++) {
		push(&l, 6 + i);
		RIG_OK(&l.r, rig_copy(&l.r));
	}
	scratch_remove(l.back);
	restore(&l, (struct id){{0}});
	path_of(&l, l.back, 1, path);
	assert_false(file_exists(path));
	prove_restored(&l, 2, 4 + OFFHOST_FULL_EVERY);
	logs_done(&l);
}

static void damage_here_is_not_copied(void **state)
{
	struct logs l;
	char path[PATH_LIMIT], name[WAL_NAME_MAX];
	(void)state;
	logs_init(&l);
	(void)rig_point(&l.r);
	for (uint64_t n = 1; n < 4; n++)
		push(&l, n);
	path_of(&l, l.wal, 2, path);
	struct buf text = BUF_INIT;
	RIG_OK(&l.r, file_read(path, 4 << 20, &text, &l.r.err));
	text.data[text.size / 2] ^= 1;
	RIG_OK(&l.r, file_replace(path, text.data, text.size, 0600, &l.r.err));
	RIG_OK(&l.r, rig_copy(&l.r));
	assert_int_equal(l.r.copied.findings, 1);
	assert_non_null(strstr(l.r.last_finding, "is not copied"));
	struct copy_wal w = status_of(&l);
	assert_string_equal(w.last, wal_segment_name(1, 1, SEGMENT, name)); /* what lies behind cannot be reached */
	assert_true(w.segments == 2 && w.pending == 1);
	push(&l, 2); /* the server hands it over again */
	RIG_OK(&l.r, rig_copy(&l.r));
	assert_string_equal(status_of(&l).last, wal_segment_name(1, 3, SEGMENT, name));
	buf_done(&text);
	logs_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_log_travels_and_comes_back),
	    cmocka_unit_test(a_killed_copy_goes_on), cmocka_unit_test(what_is_lost_here_is_kept_there),
	    cmocka_unit_test(damage_here_is_not_copied)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
