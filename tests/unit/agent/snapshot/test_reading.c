/* Files that change, vanish or turn into something else while they are read, and those that cannot be read at all.
 * Standing in for pread, openat and fstatat of the C library makes it happen at the very moment. */
#include <errno.h>
#include <sys/syscall.h>

#include "tests/lib/snapshot_world.h"

static void (*on_read)(void), (*on_open)(const char *name);
static int read_calls, open_errno;

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
	char link[64], path[PATH_LIMIT];
	if (on_read) {
		(void)text_format(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, path, sizeof path - 1);
		if (n > 0) {
			path[n] = 0;
			if (text_ends(path, "/victim")) {
				read_calls++;
				on_read();
			}
		}
	}
	return syscall(SYS_pread64, fd, data, size, offset);
}

int openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	if (flags & O_CREAT) {
		va_list ap;
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (text_equal(path, "victim")) {
		if (on_open)
			on_open(path);
		if (open_errno) {
			errno = open_errno;
			return -1;
		}
	}
	return (int)syscall(SYS_openat, dirfd, path, flags, mode);
}

/* A file whose times and size do not tell of its changes, as within one tick of the kernel's clock. */
static struct stat frozen;

int fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	int rc = (int)syscall(SYS_newfstatat, dirfd, path, st, flags);
	if (!rc && frozen.st_ino && st->st_ino == frozen.st_ino)
		*st = frozen;
	return rc;
}

int fstat(int fd, struct stat *st)
{
	int rc = (int)syscall(SYS_fstat, fd, st);
	if (!rc && frozen.st_ino && st->st_ino == frozen.st_ino)
		*st = frozen;
	return rc;
}

static struct world w;
static int changes_left;

static void append_to_victim(void)
{
	char path[WORLD_PATH * 2];
	if (changes_left-- <= 0)
		return;
	(void)text_format(path, sizeof path, "%s/victim", w.data_dir);
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "more", 4), 4);
	close(fd);
}

static void truncate_victim(void)
{
	char path[WORLD_PATH * 2];
	if (changes_left-- <= 0)
		return;
	(void)text_format(path, sizeof path, "%s/victim", w.data_dir);
	assert_int_equal(truncate(path, 5), 0);
}

static void unlink_victim(const char *name)
{
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/%s", w.data_dir, name);
	(void)unlink(path);
}

static void symlink_victim(const char *name)
{
	char path[WORLD_PATH * 2];
	unlink_victim(name);
	(void)text_format(path, sizeof path, "%s/%s", w.data_dir, name);
	assert_int_equal(symlink("/etc/passwd", path), 0);
}

static void fifo_victim(const char *name)
{
	char path[WORLD_PATH * 2];
	unlink_victim(name);
	(void)text_format(path, sizeof path, "%s/%s", w.data_dir, name);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	world_text(w.data_dir, "neighbour", "quiet");
	world_noise(w.data_dir, "victim", 20000, 1);
	read_calls = 0;
	changes_left = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	on_read = NULL;
	on_open = NULL;
	frozen.st_ino = 0;
	world_done(&w);
	return 0;
}

static const struct snapshot_component *take(struct snapshot_summary *s)
{
	WORLD_OK(&w, world_create(&w, s));
	on_read = NULL;
	on_open = NULL;
	struct verify_result v;
	WORLD_OK(&w, world_verify(&w, s->snapshot, &v));
	return snapshot_summary_component(s, COMPONENT_DATA);
}

static void find_victim(const struct snapshot_summary *s, bool expected, struct snapshot_entry *ret)
{
	struct snapshot *opened;
	WORLD_OK(&w, snapshot_open(w.repo, s->snapshot, &opened, &w.err));
	assert_int_equal(snapshot_lookup(opened, COMPONENT_DATA, 0, "victim", ret), expected);
	snapshot_close(opened);
}

static void test_changed_once_is_read_again(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct snapshot_entry e;
	on_read = append_to_victim;
	assert_int_equal(take(&s)->torn, 0);
	assert_true(read_calls >= 2);
	find_victim(&s, true, &e);
	assert_false(e.torn);
	assert_int_equal(e.size, 20004);
}

static void test_changing_all_the_time_is_torn(void **state)
{
	(void)state;
	struct snapshot_summary s, next;
	struct snapshot_entry e;
	changes_left = 1000;
	on_read = append_to_victim;
	assert_int_equal(take(&s)->torn, 1);
	assert_int_equal(read_calls, SNAPSHOT_READ_TRIES);
	find_victim(&s, true, &e);
	assert_true(e.torn);
	/* Once it is quiet, it is read again, though nothing about it changed since. */
	world_settle();
	assert_int_equal(take(&next)->torn, 0);
	assert_true(next.read_files >= 1);
	find_victim(&next, true, &e);
	assert_false(e.torn);
}

/* What was read within the tick of its last change is read again the next time, whatever its times say. */
static void test_change_that_no_time_shows(void **state)
{
	(void)state;
	struct snapshot_summary first, second, third;
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/victim", w.data_dir);
	world_text(w.data_dir, "victim", "before");
	assert_int_equal(stat(path, &frozen), 0);
	frozen.st_ctim.tv_sec += 3600; /* still the same tick, however slow this machine is */
	take(&first);
	world_text(w.data_dir, "victim", "after!");
	take(&second);
	assert_memory_not_equal(&snapshot_summary_component(&first, COMPONENT_DATA)->digest,
	    &snapshot_summary_component(&second, COMPONENT_DATA)->digest, sizeof(struct digest));
	world_settle();
	frozen.st_ino = 0;
	world_settle();
	take(&third);
	take(&third); /* quiet for long enough now: read once more, and then believed */
	assert_int_equal(third.read_files, 0);
}

static void test_shrinking_file(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct snapshot_entry e;
	world_noise(w.data_dir, "victim", 3 << 20, 1); /* as a large file */
	on_read = truncate_victim;
	assert_int_equal(take(&s)->torn, 0);
	find_victim(&s, true, &e);
	assert_int_equal(e.size, 5);
}

static void test_vanishing_file(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct snapshot_entry e;
	on_open = unlink_victim;
	const struct snapshot_component *c = take(&s);
	assert_int_equal(c->vanished, 1);
	assert_int_equal(c->entries, 2);
	find_victim(&s, false, &e);
}

/* Never through the symlink that somebody puts in the file's place. */
static void test_file_becomes_symlink(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct snapshot_entry e;
	on_open = symlink_victim;
	take(&s);
	find_victim(&s, true, &e);
	assert_int_equal(e.type, ENTRY_SYMLINK);
}

/* And never waiting for a writer of a fifo. */
static void test_file_becomes_fifo(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct snapshot_entry e;
	on_open = fifo_victim;
	take(&s);
	find_victim(&s, true, &e);
	assert_int_equal(e.type, ENTRY_FIFO);
}

/* An error that is no vanishing ends the snapshot, names the path, and leaves no restore point. */
static void test_unreadable_file(void **state)
{
	(void)state;
	struct snapshot_summary s;
	char path[WORLD_PATH * 2];
	static const int codes[] = {EIO, EACCES};
	(void)text_format(path, sizeof path, "%s/victim", w.data_dir);
	for (size_t i = 0; i < 2; i++) {
		open_errno = codes[i];
		assert_int_equal(world_create(&w, &s), codes[i] == EIO ? ERR_IO : ERR_DENIED);
		open_errno = 0;
		assert_non_null(strstr(w.err.msg, path));
		assert_non_null(strstr(w.err.msg, "no snapshot of portal"));
		assert_int_equal(world_count(&w), 0);
	}
}

static void expect_refused(enum err_code code, const char *words)
{
	struct snapshot_summary s;
	assert_int_equal(world_create(&w, &s), code);
	if (!strstr(w.err.msg, words))
		fail_msg("no \"%s\" in: %s", words, w.err.msg);
	assert_int_equal(world_count(&w), 0);
}

static void test_missing_component(void **state)
{
	(void)state;
	w.data_paths[0] = "/nowhere/at/all";
	expect_refused(ERR_NOT_FOUND, "/nowhere/at/all");
}

static void test_declarations(void **state)
{
	(void)state;
	char inner[WORLD_PATH * 2], outside[WORLD_PATH * 2], link_path[WORLD_PATH * 2];
	w.data_paths[0] = "relative/path";
	expect_refused(ERR_INVALID, "relative/path");
	w.data_paths[0] = "/";
	expect_refused(ERR_INVALID, "absolute");
	w.data_paths[0] = "/tmp/../etc";
	expect_refused(ERR_INVALID, "/tmp/../etc");
	(void)text_format(inner, sizeof inner, "%s/neighbour", w.data_dir);
	w.data_paths[0] = w.data_dir;
	w.data_paths[1] = inner;
	w.data.paths.count = 2;
	expect_refused(ERR_INVALID, "lies within");
	/* a symlink to a place that is not declared would be an empty backup */
	(void)text_format(outside, sizeof outside, "%s/outside", w.dir);
	(void)text_format(link_path, sizeof link_path, "%s/link", w.dir);
	assert_int_equal(mkdir(outside, 0700), 0);
	assert_int_equal(symlink(outside, link_path), 0);
	w.data_paths[1] = link_path;
	expect_refused(ERR_INVALID, outside);
	struct snapshot_summary s;
	w.data_paths[2] = outside;
	w.data.paths.count = 3;
	WORLD_OK(&w, world_create(&w, &s));
	assert_int_equal(snapshot_summary_component(&s, COMPONENT_DATA)->roots.count, 3);
}

static void test_excludes(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct snapshot *opened;
	struct snapshot_entry e;
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/cache", w.data_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	world_text(path, "inside", "x");
	world_text(w.data_dir, "a.tmp", "x");
	w.excludes[0] = "cache/**";
	w.excludes[1] = "*.tmp";
	w.data.exclude = (struct list){w.excludes, 2};
	take(&s);
	WORLD_OK(&w, snapshot_open(w.repo, s.snapshot, &opened, &w.err));
	assert_true(snapshot_lookup(opened, COMPONENT_DATA, 0, "cache", &e));
	assert_false(snapshot_lookup(opened, COMPONENT_DATA, 0, "cache/inside", &e));
	assert_false(snapshot_lookup(opened, COMPONENT_DATA, 0, "a.tmp", &e));
	/* What was left out is no difference, even if the declaration is gone by now. */
	w.data.exclude.count = 0;
	struct diff_result result;
	struct diff_options o = {0};
	WORLD_OK(&w, snapshot_diff_live(opened, &w.service, &o, NULL, NULL, &result, &w.err));
	assert_int_equal(result.component[COMPONENT_DATA].added, 0);
	snapshot_close(opened);
}

static void test_cancelled(void **state)
{
	(void)state;
	struct snapshot_summary s;
	atomic_bool cancel = true;
	struct snapshot_options o = {.now_ms = w.now_ms, .cancel = &cancel};
	assert_int_equal(snapshot_create(w.repo, &w.service, &o, w.arena, &s, &w.err), ERR_CANCELLED);
	assert_int_equal(world_count(&w), 0);
}

static void test_prepared_copy(void **state)
{
	(void)state;
	struct snapshot_summary s;
	char prepared[WORLD_PATH * 2], path[WORLD_PATH * 3];
	struct component_config database = {0};
	(void)text_format(prepared, sizeof prepared, "%s/copy-of-database", w.dir);
	assert_int_equal(mkdir(prepared, 0700), 0);
	world_text(prepared, "PG_VERSION", "15\n");
	w.service.components.database = &database;
	expect_refused(ERR_INVALID, "prepared no copy");
	struct snapshot_source source = {.component = COMPONENT_DATABASE, .root = prepared, .label = "postgres"};
	struct snapshot_version version = {"database_schema", "42"};
	struct snapshot_options o = {.now_ms = w.now_ms,
	    .sources = &source,
	    .source_count = 1,
	    .versions = &version,
	    .version_count = 1,
	    .reason = SNAPSHOT_SAFETY};
	WORLD_OK(&w, snapshot_create(w.repo, &w.service, &o, w.arena, &s, &w.err));
	assert_true(s.suspect);
	assert_string_equal(LIST_AT(s.versions, struct snapshot_version, 0).value, "42");
	struct snapshot *opened;
	struct restore_options ro = {.components = 1u << COMPONENT_DATABASE};
	struct restore_result result;
	struct diff_result diff;
	struct diff_options d = {0};
	WORLD_OK(&w, snapshot_open(w.repo, s.snapshot, &opened, &w.err));
	WORLD_OK(&w, snapshot_restore_into(opened, w.out, &ro, &result, &w.err));
	(void)text_format(path, sizeof path, "%s/postgres/PG_VERSION", w.out);
	assert_true(file_exists(path));
	WORLD_OK(&w, snapshot_diff_live(opened, &w.service, &d, NULL, NULL, &diff, &w.err));
	assert_false(diff.component[COMPONENT_DATABASE].compared);
	snapshot_close(opened);
}

/* What a restore point depends on: an adapter's word first, then the declared files, and the system. */
static void test_versions(void **state)
{
	(void)state;
	struct snapshot_summary s;
	char file[3][WORLD_PATH * 2];
	static const char *const names[] = {"SCHEMA", "nothing", "empty"};
	for (int i = 0; i < 3; i++)
		(void)text_format(file[i], sizeof file[i], "%s/%s", w.config_dir, names[i]);
	world_text(w.config_dir, "SCHEMA", "17 \nsecond line\n");
	world_text(w.config_dir, "empty", "\n");
	const struct version_config declared[] = {
	    {"config_schema", file[0]}, {"database_schema", file[0]}, {"gone", file[1]}, {"blank", file[2]}};
	w.service.versions = (struct list){(void *)(uintptr_t)declared, 4};
	struct snapshot_version given = {"database_schema", "42"};
	struct snapshot_options o = {.now_ms = w.now_ms, .versions = &given, .version_count = 1};
	WORLD_OK(&w, snapshot_create(w.repo, &w.service, &o, w.arena, &s, &w.err));
	WORLD_OK(&w, snapshot_get(w.repo, s.snapshot, w.arena, &s, &w.err));
	assert_int_equal(s.versions.count, 3);
	const struct snapshot_version *v = &LIST_AT(s.versions, struct snapshot_version, 0);
	assert_string_equal(v[0].name, "database_schema");
	assert_string_equal(v[0].value, "42");
	assert_string_equal(v[1].name, "config_schema");
	assert_string_equal(v[1].value, "17");
	assert_string_equal(v[2].name, "os");
	assert_true(text_starts(v[2].value, "Linux "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_changed_once_is_read_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changing_all_the_time_is_torn, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_change_that_no_time_shows, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_shrinking_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_vanishing_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_file_becomes_symlink, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_file_becomes_fifo, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unreadable_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_missing_component, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_declarations, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_excludes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_prepared_copy, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
