/* Converging: whatever was done to a tree, afterwards it is the restore point, by other people's eyes too; and nothing
 * else was touched. */
#include "tests/unit/agent/rollback/world.h"

#include <sched.h>
#include <sys/mount.h>

static const char *const one_root = "    components:\n      config: { paths: [DIR/live] }\n";

static unsigned seeds(void)
{
	const char *given = getenv("KEDGE_SEEDS");
	return given ? (unsigned)strtoul(given, NULL, 10) : 12;
}

static void same_as_copy(struct world *w, uint64_t seed)
{
	char difference[4096];
	tree_difference(w->copy, w->live, difference, sizeof difference);
	if (*difference)
		fail_msg("seed %llu: %s", (unsigned long long)seed, difference);
}

static void whatever_was_done(void **state)
{
	(void)state;
	if (!tree_can_compare())
		skip();
	for (unsigned seed = 0; seed < seeds(); seed++) {
		struct world w;
		struct random r;
		random_init_seed(&r, seed);
		world_init(&w);
		world_configure(&w, one_root);
		tree_make(w.live, &r, 120);
		tree_copy(w.live, w.copy);
		struct id point = world_snapshot(&w);
		tree_mutate(w.live, &r, 1 + (unsigned)random_below(&r, 60));
		world_converge(&w, point);
		same_as_copy(&w, seed);
		assert_int_equal(world_leftovers(w.dir), 0);
		struct converge_counts again = world_converge(&w, point);
		assert_int_equal(again.made + again.replaced + again.removed + again.metadata, 0);
		world_done(&w);
	}
}

/* A component of several roots: folders, a single file, a symlink that chooses a release; names of one file in two of
 * them. */
static void roots_of_every_kind(void **state)
{
	(void)state;
	char a[WORLD_PATH], b[WORLD_PATH], text[64];
	struct stat x, y;
	struct world w;
	world_init(&w);
	world_configure(&w,
	    "    components:\n      config: { paths: [DIR/live, DIR/other, DIR/single.conf] }\n      code: { "
	    "release: DIR/current }\n");
	world_folder(&w, "live");
	world_folder(&w, "other");
	world_folder(&w, "r1");
	world_folder(&w, "r2");
	world_write(&w, "r1/app", "one");
	world_write(&w, "r2/app", "two");
	world_write(&w, "live/a", "shared by two roots");
	world_write(&w, "single.conf", "old");
	assert_int_equal(link(world_path(&w, "live/a", a), world_path(&w, "other/a", b)), 0);
	assert_int_equal(symlink("r1", world_path(&w, "current", a)), 0);
	struct id point = world_snapshot(&w);
	world_write(&w, "other/new", "came with the change");
	assert_int_equal(unlink(world_path(&w, "other/a", b)), 0);
	world_write(&w, "other/a", "on its own now");
	world_write(&w, "single.conf", "new");
	world_write(&w, "r1/app", "touched");
	assert_int_equal(unlink(world_path(&w, "current", a)), 0);
	assert_int_equal(symlink("r2", a), 0);
	world_converge(&w, point);
	assert_int_equal(stat(world_path(&w, "live/a", a), &x), 0);
	assert_int_equal(stat(world_path(&w, "other/a", b), &y), 0);
	assert_int_equal(x.st_ino, y.st_ino);
	assert_string_equal(world_read(&w, "single.conf", text, sizeof text), "old");
	assert_string_equal(world_read(&w, "current/app", text, sizeof text), "one");
	assert_string_equal(world_read(&w, "r2/app", text, sizeof text), "two");
	assert_false(world_has(&w, "other/new"));
	assert_int_equal(world_leftovers(w.dir), 0);
	world_done(&w);
}

struct touched {
	struct stat at[64];
	unsigned count;
};

static void look_at_all(const char *folder, struct touched *t)
{
	DIR *d = opendir(folder);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (strcmp(e->d_name, "..") != 0 && t->count < 64)
			assert_int_equal(fstatat(dirfd(d), e->d_name, &t->at[t->count++], AT_SYMLINK_NOFOLLOW), 0);
	closedir(d);
}

/* What is as it should be is not written, not even to the same value. */
static void what_is_right_is_not_touched(void **state)
{
	(void)state;
	struct touched before = {.count = 0}, after = {.count = 0};
	struct world w;
	world_init(&w);
	world_configure(&w, one_root);
	world_folder(&w, "live");
	for (int i = 0; i < 20; i++) {
		char name[32];
		text_format(name, sizeof name, "live/f%d", i);
		world_write(&w, name, name);
	}
	struct id point = world_snapshot(&w);
	look_at_all(w.live, &before);
	struct converge_counts n = world_converge(&w, point);
	assert_int_equal(n.made + n.replaced + n.removed + n.metadata + n.bytes, 0);
	look_at_all(w.live, &after);
	assert_int_equal(before.count, after.count);
	for (unsigned i = 0; i < before.count; i++) {
		assert_int_equal(before.at[i].st_ino, after.at[i].st_ino);
		assert_int_equal(before.at[i].st_ctim.tv_sec, after.at[i].st_ctim.tv_sec);
		assert_int_equal(before.at[i].st_ctim.tv_nsec, after.at[i].st_ctim.tv_nsec);
	}
	world_write(&w, "live/f3", "changed"); /* and of twenty only the one that differs */
	n = world_converge(&w, point);
	assert_int_equal(n.replaced, 1);
	after.count = 0;
	look_at_all(w.live, &after);
	unsigned same = 0;
	for (unsigned i = 0; i < before.count; i++)
		for (unsigned k = 0; k < after.count; k++)
			same += before.at[i].st_ino == after.at[k].st_ino &&
				before.at[i].st_ctim.tv_nsec == after.at[k].st_ctim.tv_nsec;
	assert_int_equal(same, before.count - 2); /* the file and its folder */
	world_done(&w);
}

static void some_paths_are_never_restored(void **state)
{
	(void)state;
	char text[64];
	struct world w;
	struct snapshot *s;
	struct converge *c;
	struct converge_check check;
	world_init(&w);
	world_configure(&w, "    components:\n      config: { paths: [DIR/live], never_restore: [DIR/live/secret, "
			    "DIR/live/added/key], exclude: [\"cache/**\"] }\n");
	world_folder(&w, "live");
	world_folder(&w, "live/cache");
	world_write(&w, "live/secret", "first password");
	world_write(&w, "live/conf", "good");
	struct id point = world_snapshot(&w);
	world_write(&w, "live/secret", "second password");
	world_write(&w, "live/conf", "bad");
	world_write(&w, "live/cache/page", "cached");
	world_folder(&w, "live/added");
	world_write(&w, "live/added/key", "must stay");
	world_write(&w, "live/added/file", "must go");
	MUST(snapshot_open(w.repo, point, &s, err));
	struct converge_spec spec = world_spec(&w, s);
	MUST(converge_stage(&spec, &c, err));
	MUST(converge_apply(c, err));
	converge_free(c);
	MUST(converge_verify(&spec, &check, err));
	assert_true(check.equal);
	assert_non_null(strstr(check.exceptions, "live/secret"));
	assert_string_equal(world_read(&w, "live/secret", text, sizeof text), "second password");
	assert_string_equal(world_read(&w, "live/conf", text, sizeof text), "good");
	assert_string_equal(world_read(&w, "live/cache/page", text, sizeof text), "cached");
	assert_string_equal(world_read(&w, "live/added/key", text, sizeof text), "must stay");
	assert_false(world_has(&w, "live/added/file"));
	world_write(&w, "live/added/file", "came back");
	MUST(converge_verify(&spec, &check, err));
	assert_false(check.equal);
	assert_int_equal(check.differences, 1);
	assert_non_null(strstr(check.difference, "added/file is not in the restore point"));
	snapshot_close(s);
	world_done(&w);
}

/* What agent.yaml excludes only now is in the restore point, and stays as it is. */
static void excluded_meanwhile(void **state)
{
	(void)state;
	char text[64];
	struct world w;
	world_init(&w);
	world_configure(&w, one_root);
	world_folder(&w, "live");
	world_folder(&w, "live/cache");
	world_write(&w, "live/cache/page", "old page");
	world_write(&w, "live/conf", "good");
	struct id point = world_snapshot(&w);
	world_configure(&w, "    components:\n      config: { paths: [DIR/live], exclude: [\"cache/*\"] }\n");
	world_write(&w, "live/cache/page", "new page");
	world_write(&w, "live/conf", "bad");
	world_converge(&w, point);
	assert_string_equal(world_read(&w, "live/cache/page", text, sizeof text), "new page");
	assert_string_equal(world_read(&w, "live/conf", text, sizeof text), "good");
	world_done(&w);
}

/* Between staging and applying somebody puts a symlink where a folder was. */
static void a_planted_symlink_leads_nowhere(void **state)
{
	(void)state;
	char a[WORLD_PATH], b[WORLD_PATH], text[64];
	struct err why = ERR_INIT;
	struct world w;
	struct snapshot *s;
	struct converge *c;
	world_init(&w);
	world_configure(&w, one_root);
	world_folder(&w, "live");
	world_folder(&w, "live/sub");
	world_folder(&w, "live/sub/inner");
	world_folder(&w, "outside");
	world_folder(&w, "outside/inner");
	world_write(&w, "live/sub/inner/passwd", "of the service");
	world_write(&w, "outside/inner/passwd", "of the system");
	struct id point = world_snapshot(&w);
	world_write(&w, "live/sub/inner/passwd", "changed");
	MUST(snapshot_open(w.repo, point, &s, err));
	struct converge_spec spec = world_spec(&w, s);
	MUST(converge_stage(&spec, &c, err));
	assert_int_equal(rename(world_path(&w, "live/sub", a), world_path(&w, "live/moved", b)), 0);
	assert_int_equal(symlink("../outside", a), 0);
	assert_int_not_equal(converge_apply(c, &why), ERR_OK);
	converge_free(c);
	assert_string_equal(world_read(&w, "outside/inner/passwd", text, sizeof text), "of the system");
	snapshot_close(s);
	world_converge(&w, point); /* seen for what it is, it is repaired */
	assert_string_equal(world_read(&w, "live/sub/inner/passwd", text, sizeof text), "of the service");
	assert_string_equal(world_read(&w, "outside/inner/passwd", text, sizeof text), "of the system");
	assert_int_equal(world_leftovers(w.dir), 0);
	world_done(&w);
}

static void a_missing_root_is_made(void **state)
{
	(void)state;
	char text[64], path[WORLD_PATH];
	struct world w;
	world_init(&w);
	world_configure(&w, "    components:\n      config: { paths: [DIR/up/live, DIR/up/file] }\n");
	world_folder(&w, "up");
	world_folder(&w, "up/live");
	world_write(&w, "up/live/conf", "good");
	world_write(&w, "up/file", "single");
	struct id point = world_snapshot(&w);
	assert_int_equal(chmod(world_path(&w, "up/live", path), 0751), 0);
	struct id later = world_snapshot(&w);
	const char *argv[] = {"/bin/rm", "-r", world_path(&w, "up", path), NULL}; /* with the folder above */
	assert_int_equal(tool_run(argv, NULL, 0), 0);
	world_converge(&w, later);
	assert_string_equal(world_read(&w, "up/live/conf", text, sizeof text), "good");
	assert_string_equal(world_read(&w, "up/file", text, sizeof text), "single");
	world_converge(&w, point);
	assert_int_equal(world_leftovers(w.dir), 0);
	world_done(&w);
}

/* The safety point of a tree of which a part is missing: going back to it takes that part away again. */
static void what_was_absent_goes_again(void **state)
{
	(void)state;
	char path[WORLD_PATH], text[64];
	struct world w;
	struct snapshot *target;
	struct snapshot_summary safety;
	world_init(&w);
	world_configure(&w, "    components:\n      config: { paths: [DIR/live, DIR/other] }\n      data: { paths: "
			    "[DIR/data] }\n");
	world_folder(&w, "live");
	world_folder(&w, "other");
	world_folder(&w, "data");
	world_write(&w, "live/conf", "good");
	world_write(&w, "other/conf", "good");
	world_write(&w, "data/row", "1");
	struct id point = world_snapshot(&w);
	const char *argv[] = {"/bin/rm", "-r", world_path(&w, "live", path), w.copy, NULL};
	argv[3] = NULL;
	assert_int_equal(tool_run(argv, NULL, 0), 0);
	const char *again[] = {"/bin/rm", "-r", world_path(&w, "data", path), NULL};
	assert_int_equal(tool_run(again, NULL, 0), 0);
	world_write(&w, "other/conf", "bad");
	MUST(snapshot_open(w.repo, point, &target, err));
	struct snapshot_options o = {.reason = SNAPSHOT_SAFETY, .now_ms = ++w.now_ms, .like = target, .components = 5};
	MUST(snapshot_create(w.repo, w.service, &o, w.arena, &safety, err));
	snapshot_close(target);
	assert_int_equal(safety.components.count, 1);
	assert_int_equal(safety.absent.count, 2);
	world_converge(&w, point);
	assert_true(world_has(&w, "live/conf") && world_has(&w, "data/row"));
	world_converge(&w, safety.snapshot);
	assert_false(world_has(&w, "live") || world_has(&w, "data"));
	assert_string_equal(world_read(&w, "other/conf", text, sizeof text), "bad");
	assert_int_equal(world_leftovers(w.dir), 0);
	world_done(&w);
}

/* What comes to differ after staging is seen by the second look, and what was staged is not staged again. */
static void the_second_look_sees_what_came_since(void **state)
{
	(void)state;
	char text[64], path[WORLD_PATH];
	struct world w;
	struct snapshot *s;
	struct converge *c;
	world_init(&w);
	world_configure(&w, one_root);
	world_folder(&w, "live");
	world_write(&w, "live/a", "a good");
	world_write(&w, "live/b", "b good");
	world_write(&w, "live/c", "c good");
	struct id point = world_snapshot(&w);
	world_write(&w, "live/a", "a bad");
	world_write(&w, "live/c", "c bad for a while");
	MUST(snapshot_open(w.repo, point, &s, err));
	struct converge_spec spec = world_spec(&w, s);
	MUST(converge_stage(&spec, &c, err));
	uint64_t first = converge_counts(c)->bytes;
	world_write(&w, "live/b", "b bad now");
	assert_int_equal(unlink(world_path(&w, "live/a", path)), 0);
	world_write(&w, "live/late", "came last");
	world_write(&w, "live/c", "c good");
	MUST(converge_refresh(c, err));
	assert_int_equal(converge_counts(c)->bytes, first + strlen("b good"));
	MUST(converge_apply(c, err));
	converge_free(c);
	assert_string_equal(world_read(&w, "live/a", text, sizeof text), "a good");
	assert_string_equal(world_read(&w, "live/b", text, sizeof text), "b good");
	assert_string_equal(world_read(&w, "live/c", text, sizeof text), "c good");
	assert_false(world_has(&w, "live/late"));
	snapshot_close(s);
	world_converge(&w, point);
	world_done(&w);
}

/* A pack with one flipped byte. */
static void damage(const struct world *w)
{
	char folder[WORLD_PATH + 16], path[WORLD_PATH * 2];
	text_format(folder, sizeof folder, "%s/packs", w->repo_path);
	DIR *d = opendir(folder);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (!text_ends(e->d_name, ".pack"))
			continue;
		text_format(path, sizeof path, "%s/%s", folder, e->d_name);
		assert_int_equal(chmod(path, 0600), 0);
		int fd = open(path, O_RDWR | O_CLOEXEC);
		uint8_t byte;
		struct stat st;
		assert_int_equal(fstat(fd, &st), 0);
		for (off_t at = 200; at < 40000 && at < st.st_size; at += 97) {
			assert_int_equal(pread(fd, &byte, 1, at), 1);
			byte ^= 0x20;
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		}
		close(fd);
	}
	closedir(d);
}

static void what_cannot_be_trusted_is_not_staged(void **state)
{
	(void)state;
	char text[64];
	struct err why = ERR_INIT;
	struct world w;
	struct snapshot *s;
	struct converge *c = NULL;
	struct random r;
	char big[60000];
	world_init(&w);
	world_configure(&w, one_root);
	random_init_seed(&r, 1);
	world_folder(&w, "live");
	for (size_t i = 0; i + 1 < sizeof big; i++)
		big[i] = (char)('a' + random_below(&r, 26));
	big[sizeof big - 1] = '\0';
	world_write(&w, "live/a", big);
	struct id point = world_snapshot(&w);
	world_write(&w, "live/a", "bad");
	MUST(snapshot_open(w.repo, point, &s, err));
	damage(&w);
	struct converge_spec spec = world_spec(&w, s);
	assert_int_equal(converge_stage(&spec, &c, &why), ERR_CORRUPT);
	assert_null(c);
	assert_non_null(strstr(why.msg, "live/a"));
	assert_int_equal(world_leftovers(w.dir), 0);
	assert_string_equal(world_read(&w, "live/a", text, sizeof text), "bad");
	snapshot_close(s);
	world_done(&w);
}

/* ---- file systems of their own ---- */

static bool can_mount(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		printf("skipped: no mount namespace here\n");
		return false;
	}
	return true;
}

static void time_of(const char *path, struct timespec *ret)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	*ret = st.st_mtim;
}

/* Staging lies inside such a root, unseen by comparison and snapshot, and does not touch its time. */
static void a_root_that_is_a_mount_point(void **state)
{
	(void)state;
	char text[64];
	struct timespec before, after;
	struct world w;
	struct snapshot *s;
	struct converge *c;
	struct snapshot_summary safety;
	if (!can_mount())
		skip();
	world_init(&w);
	world_configure(&w, one_root);
	world_folder(&w, "live");
	assert_int_equal(mount("none", w.live, "tmpfs", 0, "size=4m"), 0);
	world_write(&w, "live/conf", "good");
	struct id point = world_snapshot(&w);
	world_write(&w, "live/conf", "bad");
	MUST(snapshot_open(w.repo, point, &s, err));
	struct converge_spec spec = world_spec(&w, s);
	time_of(w.live, &before);
	MUST(converge_stage(&spec, &c, err));
	assert_int_equal(world_leftovers(w.live), 1);
	struct snapshot_options o = {.reason = SNAPSHOT_SAFETY, .now_ms = ++w.now_ms, .like = s, .components = 1};
	MUST(snapshot_create(w.repo, converge_service(c), &o, w.arena, &safety, err));
	MUST(converge_refresh(c, err));
	assert_memory_equal(&converge_live(c)->component[0].digest,
	    &snapshot_summary_component(&safety, COMPONENT_CONFIG)->digest, sizeof(struct digest));
	converge_free(c); /* not applied after all */
	assert_int_equal(world_leftovers(w.live), 0);
	time_of(w.live, &after);
	assert_memory_equal(&before, &after, sizeof before);
	snapshot_close(s);
	world_converge(&w, point);
	assert_string_equal(world_read(&w, "live/conf", text, sizeof text), "good");
	world_converge(&w, safety.snapshot);
	assert_string_equal(world_read(&w, "live/conf", text, sizeof text), "bad");
	assert_int_equal(world_leftovers(w.live), 0);
	assert_int_equal(umount(w.live), 0);
	world_done(&w);
}

/* A file system below a root: what would have to be renamed across is refused before anything is touched. */
static void a_mount_below_a_root(void **state)
{
	(void)state;
	char path[WORLD_PATH], text[64];
	struct err why = ERR_INIT;
	struct world w;
	struct snapshot *s;
	struct converge *c = NULL;
	if (!can_mount())
		skip();
	world_init(&w);
	world_configure(&w, one_root);
	world_folder(&w, "live");
	world_folder(&w, "live/disk");
	assert_int_equal(mount("none", world_path(&w, "live/disk", path), "tmpfs", 0, "size=4m"), 0);
	world_write(&w, "live/disk/file", "good");
	struct id point = world_snapshot(&w);
	world_write(&w, "live/disk/file", "bad");
	MUST(snapshot_open(w.repo, point, &s, err));
	struct converge_spec spec = world_spec(&w, s);
	assert_int_equal(converge_stage(&spec, &c, &why), ERR_UNSUPPORTED);
	assert_non_null(strstr(why.msg, "live/disk/file"));
	assert_string_equal(world_read(&w, "live/disk/file", text, sizeof text), "bad");
	assert_int_equal(world_leftovers(w.dir), 0);
	snapshot_close(s);
	assert_int_equal(umount(path), 0);
	world_done(&w);
}

static void no_room(const char *options, const char *what)
{
	struct err why = ERR_INIT;
	struct world w;
	struct snapshot *s;
	struct converge *c = NULL;
	struct random r;
	char path[WORLD_PATH], name[32], *big = malloc(100000);
	random_init_seed(&r, 7);
	assert_non_null(big);
	random_fill(&r, big, 100000);
	for (int i = 0; i < 99999; i++)
		big[i] = (char)(' ' + (big[i] & 63));
	big[99999] = '\0';
	world_init(&w);
	world_configure(&w, "    components:\n      config: { paths: [DIR/disk/live] }\n");
	world_folder(&w, "disk");
	assert_int_equal(mount("none", world_path(&w, "disk", path), "tmpfs", 0, options), 0);
	world_folder(&w, "disk/live");
	for (int i = 0; i < 8; i++) {
		text_format(name, sizeof name, "disk/live/f%d", i);
		world_write(&w, name, big);
	}
	struct id point = world_snapshot(&w);
	for (int i = 0; i < 8; i++) { /* all must come back, and something else has taken the room */
		text_format(name, sizeof name, "disk/live/f%d", i);
		assert_int_equal(unlink(world_path(&w, name, path)), 0);
	}
	world_write(&w, "disk/hog", big);
	for (int i = 0; i < 7; i++) {
		text_format(name, sizeof name, "disk/hog%d", i);
		world_write(&w, name, i < 4 ? big : "");
	}
	MUST(snapshot_open(w.repo, point, &s, err));
	struct converge_spec spec = world_spec(&w, s);
	assert_int_equal(converge_stage(&spec, &c, &why), ERR_FULL);
	assert_non_null(strstr(why.msg, what));
	assert_int_equal(world_leftovers(world_path(&w, "disk", path)), 0);
	snapshot_close(s);
	assert_int_equal(umount(path), 0);
	world_done(&w);
	free(big);
}

static void no_room_is_known_beforehand(void **state)
{
	(void)state;
	if (!can_mount())
		skip();
	no_room("size=1200k", "not enough room");
	no_room("size=20m,nr_inodes=16", "not enough inodes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whatever_was_done),
	    cmocka_unit_test(roots_of_every_kind),
	    cmocka_unit_test(what_is_right_is_not_touched),
	    cmocka_unit_test(some_paths_are_never_restored),
	    cmocka_unit_test(excluded_meanwhile),
	    cmocka_unit_test(a_planted_symlink_leads_nowhere),
	    cmocka_unit_test(a_missing_root_is_made),
	    cmocka_unit_test(what_was_absent_goes_again),
	    cmocka_unit_test(the_second_look_sees_what_came_since),
	    cmocka_unit_test(what_cannot_be_trusted_is_not_staged),
	    cmocka_unit_test(a_root_that_is_a_mount_point),
	    cmocka_unit_test(a_mount_below_a_root),
	    cmocka_unit_test(no_room_is_known_beforehand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
