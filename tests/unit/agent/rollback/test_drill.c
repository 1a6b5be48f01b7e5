/* Practised restores: what counts as proven, what does not, and that nothing live is touched. */
#include "tests/unit/agent/rollback/service.h"

#include <fcntl.h>

#include "agent/rollback/drill.h"

static const char *const plain = "    components:\n"
				 "      config: { paths: [DIR/live] }\n"
				 "      data: { paths: [DIR/data] }\n";
static const char *const checked = "    components:\n"
				   "      config: { paths: [DIR/live] }\n"
				   "      data: { paths: [DIR/data] }\n"
				   "    steps: { check: [DIR/ctl, check], timeout: 10s }\n";

static void begin(struct world *w, const char *yaml)
{
	world_init(w);
	service_make(w, yaml, 31, 60);
}

static struct drill_report drill(struct world *w, uint64_t now_ms)
{
	struct drill_report r;
	MUST(drill_run(w->repo, w->state, w->service, now_ms, NULL, w->arena, &r, err));
	return r;
}

static void it_comes_back(void **state)
{
	(void)state;
	struct world w;
	begin(&w, plain);
	struct id taken = world_snapshot(&w);
	struct prints before = prints_of(&w);
	struct drill_report last, r = drill(&w, 5000);
	assert_true(r.ok && !r.checked && id_equal(r.snapshot, taken));
	assert_int_equal(r.proven_ms, 5000);
	assert_int_equal(r.components.count, 2);
	assert_true(LIST_AT(r.components, struct component_drill, 0).entries > 10);
	assert_true(prints_equal(before, prints_of(&w)));
	assert_false(world_has(&w, "state/drill/svc")); /* what was restored is gone */
	MUST(drill_last(w.state, "svc", w.arena, &last, err));
	assert_true(record_equal(&drill_report_type, &r, &last));
	world_done(&w);
}

static void none_to_restore(void **state)
{
	(void)state;
	struct world w;
	begin(&w, plain);
	struct drill_report r = drill(&w, 5000);
	assert_true(!r.ok && !r.proven_ms);
	assert_non_null(strstr(r.text, "no restore point"));
	world_done(&w);
}

/* The service's own check sees what came back, where it knows it, and not what runs. */
static void its_check_sees_what_came_back(void **state)
{
	(void)state;
	struct world w;
	begin(&w, checked);
	(void)world_snapshot(&w);
	world_write(&w, "live/conf", "bad\n"); /* what runs would not pass */
	struct drill_report r = drill(&w, 5000);
	if (!r.checked) {
		printf("no mounts here: the check is left out\n");
		assert_non_null(strstr(r.text, "could not be run"));
		world_done(&w);
		return;
	}
	assert_true(r.ok);
	assert_true(world_has(&w, "log"));
	(void)world_snapshot(&w); /* and what was taken then does not */
	world_write(&w, "live/conf", "good\n");
	r = drill(&w, 6000);
	assert_true(!r.ok && r.checked);
	assert_non_null(strstr(r.text, "live/conf is not good"));
	assert_int_equal(r.proven_ms, 5000);
	char conf[16];
	assert_string_equal(world_read(&w, "live/conf", conf, sizeof conf), "good\n");
	world_done(&w);
}

static void flip_a_byte(const char *folder)
{
	char path[WORLD_PATH];
	DIR *d = opendir(folder);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		struct stat st;
		if (!text_ends(e->d_name, ".pack"))
			continue;
		text_format(path, sizeof path, "%s/%s", folder, e->d_name);
		int fd = open(path, O_RDWR);
		uint8_t byte;
		assert_true(fd >= 0 && fstat(fd, &st) == 0);
		assert_int_equal(pread(fd, &byte, 1, st.st_size / 3), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, st.st_size / 3), 1);
		close(fd);
	}
	closedir(d);
}

static void one_byte_wrong(void **state)
{
	(void)state;
	struct world w;
	char packs[WORLD_PATH];
	begin(&w, plain);
	(void)world_snapshot(&w);
	assert_true(drill(&w, 5000).ok);
	flip_a_byte(world_path(&w, "repo/packs", packs));
	struct drill_report r = drill(&w, 9000);
	assert_false(r.ok);
	assert_int_equal(r.proven_ms, 5000); /* the last proof stands as what it was */
	assert_false(world_has(&w, "state/drill/svc"));
	world_done(&w);
}

static void too_long_without(void **state)
{
	(void)state;
	struct world w;
	begin(&w, "    components: { config: { paths: [DIR/live] } }\n    snapshots: { drill_every: 1h }\n");
	const uint64_t hour = 3600 * 1000;
	struct drill_report r = {.service = "svc", .proven_ms = 10 * hour};
	assert_false(drill_is_overdue(w.service, NULL, hour, 3 * hour));
	assert_true(drill_is_overdue(w.service, NULL, hour, 3 * hour + 1));
	assert_false(drill_is_overdue(w.service, &r, hour, 12 * hour));
	assert_true(drill_is_overdue(w.service, &r, hour, 12 * hour + 1));
	world_configure(&w, "    components: { config: { paths: [DIR/live] } }\n    snapshots: { drill_every: 0s }\n");
	assert_false(drill_is_overdue(w.service, NULL, hour, 1000 * hour)); /* nobody asked for drills */
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_comes_back),
	    cmocka_unit_test(none_to_restore),
	    cmocka_unit_test(its_check_sees_what_came_back),
	    cmocka_unit_test(one_byte_wrong),
	    cmocka_unit_test(too_long_without),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
