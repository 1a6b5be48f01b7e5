/* There and back: what a snapshot holds is what was there, and nothing is read or stored twice. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "tests/lib/snapshot_world.h"

static void must(int result)
{
	if (result < 0)
		fail_msg("%s", strerror(errno));
}

static void path_in(const struct world *w, const char *name, char out[WORLD_PATH * 2])
{
	(void)text_format(out, WORLD_PATH * 2, "%s/%s", w->data_dir, name);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd);
	(void)text_format(address.sun_path, sizeof address.sun_path, "%s", path);
	must(bind(fd, (struct sockaddr *)&address, sizeof address));
	close(fd);
}

static void make_sparse(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	must(fd);
	must(pwrite(fd, "beginning", 9, 0) == 9 ? 0 : -1);
	must(pwrite(fd, "middle", 6, 40 << 20) == 6 ? 0 : -1); /* another strip, after strips without data */
	must(ftruncate(fd, 50 << 20));
	close(fd);
}

static void make_deep(const char *base, int depth)
{
	int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd);
	for (int i = 0; i < depth; i++) {
		must(mkdirat(fd, "d", 0700));
		int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(next);
		close(fd);
		fd = next;
	}
	int file = openat(fd, "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(file);
	must(write(file, "deep", 4) == 4 ? 0 : -1);
	close(file);
	close(fd);
}

static void set_time(const char *path, int64_t seconds, long ns)
{
	const struct timespec times[2] = {{0, UTIME_OMIT}, {seconds, ns}};
	must(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255,
    255, 255, 255, 16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255};

/* Owner, ACL and device nodes need root. */
static void make_nasty(struct world *w)
{
	static const uint8_t capability[] = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	char p[WORLD_PATH * 2], q[WORLD_PATH * 2];
	world_text(w->data_dir, "plain", "hello\n");
	world_write(w->data_dir, "empty", "", 0);
	world_noise(w->data_dir, "chunk-edge", CHUNK_WHOLE_MAX, 1);
	world_noise(w->data_dir, "chunk-edge-1", CHUNK_WHOLE_MAX + 1, 2);
	world_noise(w->data_dir, "large", 40 << 20, 3); /* three strips, lists of chunks */
	world_text(w->data_dir, "new\nline", "x");
	world_text(w->data_dir, "not-utf8-\xff\xfe", "y");
	world_text(w->data_dir, " leading and trailing ", "z");
	world_text(w->data_dir, "-rf", "dash");
	memset(q, 'n', 255);
	q[255] = 0;
	world_text(w->data_dir, q, "longest name");
	path_in(w, "plain", p);
	path_in(w, "hard-link", q);
	must(link(p, q));
	must(chmod(p, 04711));
	must(setxattr(p, "user.colour", "blue\0binary", 11, 0));
	set_time(p, 981173106, 987654321);
	path_in(w, "empty-directory", p);
	must(mkdir(p, 01777));
	set_time(p, 1, 1);
	path_in(w, "directory", p);
	must(mkdir(p, 02750));
	must(setxattr(p, "user.of-directory", "", 0, 0));
	path_in(w, "directory/another-link", p);
	path_in(w, "plain", q);
	must(link(q, p));
	path_in(w, "deep", p);
	must(mkdir(p, 0755));
	make_deep(p, 60);
	path_in(w, "sparse", p);
	make_sparse(p);
	path_in(w, "hole-only", p);
	int fd = open(p, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(fd);
	must(ftruncate(fd, 1 << 20));
	close(fd);
	path_in(w, "symlink", p);
	must(symlink("plain", p));
	set_time(p, 1234567890, 5);
	path_in(w, "dangling-\xff", p);
	must(symlink("/nowhere/\xfe\n", p));
	path_in(w, "fifo", p);
	must(mkfifo(p, 0620));
	path_in(w, "socket", p);
	make_socket(p);
	path_in(w, "before-1970", p);
	world_text(w->data_dir, "before-1970", "old");
	set_time(p, -1000000, 999999999);
	if (geteuid() != 0)
		return;
	path_in(w, "symlink", p);
	must(lchown(p, 12, 34));
	path_in(w, "null", p);
	must(mknod(p, S_IFCHR | 0600, makedev(1, 3)));
	path_in(w, "block", p);
	must(mknod(p, S_IFBLK | 0600, makedev(7, 99)));
	path_in(w, "owned", p);
	world_text(w->data_dir, "owned", "somebody's");
	must(chown(p, 1234, 4321));
	must(chmod(p, 06755));
	path_in(w, "acl", p);
	world_text(w->data_dir, "acl", "shared");
	must(setxattr(p, "system.posix_acl_access", acl, sizeof acl, 0));
	path_in(w, "default-acl", p);
	must(mkdir(p, 0750));
	must(setxattr(p, "system.posix_acl_default", acl, sizeof acl, 0));
	path_in(w, "capable", p);
	world_text(w->data_dir, "capable", "program");
	must(setxattr(p, "security.capability", capability, sizeof capability, 0));
}

static void restore_all(struct world *w, struct id id)
{
	struct snapshot *s = NULL;
	struct restore_options o = {0};
	struct restore_result result;
	WORLD_OK(w, snapshot_open(w->repo, id, &s, &w->err));
	WORLD_OK(w, snapshot_restore_into(s, w->out, &o, &result, &w->err));
	assert_int_equal(
	    result.entries, LIST_AT(snapshot_about(s)->components, struct snapshot_component, 0).entries +
				LIST_AT(snapshot_about(s)->components, struct snapshot_component, 1).entries);
	snapshot_close(s);
}

/* The judge is no use if it overlooks something: one change of each kind, to the restored tree. */
static void judge_sees_everything(struct world *w)
{
	static const char *const names[] = {"plain", "empty-directory", "symlink", "fifo", "socket", "null", "owned",
	    "acl", "capable", "default-acl", "not-utf8-\xff\xfe"};
	char restored[WORLD_PATH * 2], p[WORLD_PATH * 3], out[2048];
	(void)text_format(restored, sizeof restored, "%s%s", w->out, w->data_dir);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct stat st;
		(void)text_format(p, sizeof p, "%s/%s", restored, names[i]);
		must(lstat(p, &st));
		struct timespec times[2] = {{0, UTIME_OMIT}, st.st_mtim};
		times[1].tv_nsec ^= 1; /* one nanosecond */
		must(utimensat(AT_FDCWD, p, times, AT_SYMLINK_NOFOLLOW));
		if (world_differences(w->data_dir, restored, out, sizeof out) <= 0)
			fail_msg("nobody sees that the time of %s is another", names[i]);
		times[1] = st.st_mtim;
		must(utimensat(AT_FDCWD, p, times, AT_SYMLINK_NOFOLLOW));
	}
	static const struct {
		const char *name, *attribute;
	} removed[] = {{"plain", "user.colour"}, {"acl", "system.posix_acl_access"},
	    {"default-acl", "system.posix_acl_default"}, {"capable", "security.capability"}};
	for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++) {
		uint8_t value[256];
		(void)text_format(p, sizeof p, "%s/%s", restored, removed[i].name);
		ssize_t n = getxattr(p, removed[i].attribute, value, sizeof value);
		must((int)n);
		must(removexattr(p, removed[i].attribute));
		if (world_differences(w->data_dir, restored, out, sizeof out) <= 0)
			fail_msg("nobody sees that %s is gone", removed[i].attribute);
		must(setxattr(p, removed[i].attribute, value, (size_t)n, 0));
	}
	world_same_trees(w->data_dir, restored);
}

static uint64_t blocks_of(const char *dir, const char *name)
{
	char path[WORLD_PATH * 3];
	struct stat st;
	(void)text_format(path, sizeof path, "%s/%s", dir, name);
	must(stat(path, &st));
	return (uint64_t)st.st_blocks;
}

static void test_nasty_tree(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary s;
	struct verify_result v;
	char restored[WORLD_PATH * 2];
	if (geteuid() != 0 || !world_has("rsync")) {
		print_message("skipped: needs root and rsync\n");
		skip();
	}
	world_init(&w);
	make_nasty(&w);
	world_text(w.config_dir, "conf", "listen 80;\n");
	WORLD_OK(&w, world_create(&w, &s));
	assert_int_equal(s.components.count, 2);
	WORLD_OK(&w, world_verify(&w, s.snapshot, &v));
	assert_true(v.chunks == v.chunks_total && v.chunks > 100);
	restore_all(&w, s.snapshot);
	(void)text_format(restored, sizeof restored, "%s%s", w.out, w.data_dir);
	world_same_trees(w.data_dir, restored);
	(void)text_format(restored, sizeof restored, "%s%s", w.out, w.config_dir);
	world_same_trees(w.config_dir, restored);
	judge_sees_everything(&w);
	/* rsync does not look at holes and sockets' types alone */
	(void)text_format(restored, sizeof restored, "%s%s", w.out, w.data_dir);
	assert_int_equal(blocks_of(restored, "sparse"), blocks_of(w.data_dir, "sparse"));
	assert_int_equal(blocks_of(restored, "hole-only"), 0);
	world_done(&w);
}

/* The place hands an ACL down to all that is made in it: nothing of that may stay. */
static void test_place_that_hands_down(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary s;
	char restored[WORLD_PATH * 2];
	if (!world_has("rsync")) {
		print_message("skipped: needs rsync\n");
		skip();
	}
	world_init(&w);
	world_text(w.config_dir, "conf", "listen 80;\n");
	world_text(w.data_dir, "file", "plain");
	path_in(&w, "folder", restored);
	must(mkdir(restored, 0750));
	world_text(w.data_dir, "folder/within", "plain, too");
	WORLD_OK(&w, world_create(&w, &s));
	must(mkdir(w.out, 0700));
	must(setxattr(w.out, "system.posix_acl_default", acl, sizeof acl, 0));
	restore_all(&w, s.snapshot);
	(void)text_format(restored, sizeof restored, "%s%s", w.out, w.data_dir);
	world_same_trees(w.data_dir, restored);
	(void)text_format(restored, sizeof restored, "%s%s", w.out, w.config_dir);
	world_same_trees(w.config_dir, restored);
	world_done(&w);
}

/* Relative paths of 4,000 bytes, more than rsync can walk: two restore points with the same digest are the judge. */
static void test_longest_paths(void **state)
{
	(void)state;
	enum { DEPTH = 2000 };
	struct world w;
	struct snapshot_summary s, again;
	char restored[WORLD_PATH * 2];
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	make_deep(w.data_dir, DEPTH);
	WORLD_OK(&w, world_create(&w, &s));
	assert_int_equal(LIST_AT(s.components, struct snapshot_component, 1).entries, DEPTH + 2);
	restore_all(&w, s.snapshot);
	/* The restored tree in the place of the first. */
	(void)text_format(restored, sizeof restored, "%s/away", w.dir);
	must(rename(w.data_dir, restored));
	(void)text_format(restored, sizeof restored, "%s%s", w.out, w.data_dir);
	must(rename(restored, w.data_dir));
	WORLD_OK(&w, world_create(&w, &again));
	assert_memory_equal(&LIST_AT(s.components, struct snapshot_component, 1).digest,
	    &LIST_AT(again.components, struct snapshot_component, 1).digest, sizeof(struct digest));
	world_done(&w);
}

static const struct snapshot_component *data_of(const struct snapshot_summary *s)
{
	return snapshot_summary_component(s, COMPONENT_DATA);
}

static void test_unchanged_reads_and_stores_nothing(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary first, second, third;
	world_init(&w);
	for (int i = 0; i < 300; i++) {
		char name[32];
		(void)text_format(name, sizeof name, "f%03d", i);
		world_noise(w.data_dir, name, 1000, (uint64_t)i + 1);
	}
	world_text(w.config_dir, "conf", "one");
	world_settle();
	WORLD_OK(&w, world_create(&w, &first));
	assert_int_equal(first.read_files, 301);
	assert_true(first.stored_bytes > 300 * 1000);
	WORLD_OK(&w, world_create(&w, &second));
	assert_int_equal(second.read_files, 0);
	assert_int_equal(second.stored_bytes, 0);
	assert_memory_equal(&data_of(&first)->digest, &data_of(&second)->digest, sizeof(struct digest));
	world_noise(w.data_dir, "f100", 1000, 7777);
	world_settle();
	WORLD_OK(&w, world_create(&w, &third));
	assert_int_equal(third.read_files, 1);
	assert_true(third.stored_bytes > 1000 && third.stored_bytes < 100000);
	assert_memory_not_equal(&data_of(&first)->digest, &data_of(&third)->digest, sizeof(struct digest));
	world_done(&w);
}

/* Copies cost nothing, and an insertion at the beginning costs about a chunk. */
static void test_deduplication(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary first, copied, shifted;
	enum { SIZE = 24 << 20 };
	struct random random;
	uint8_t *data = malloc(SIZE + 1);
	random_init_seed(&random, 11);
	random_fill(&random, data + 1, SIZE);
	data[0] = 'x';
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	world_write(w.data_dir, "big", data + 1, SIZE);
	WORLD_OK(&w, world_create(&w, &first));
	assert_true(first.stored_bytes > SIZE);
	world_write(w.data_dir, "copy", data + 1, SIZE);
	WORLD_OK(&w, world_create(&w, &copied));
	assert_true(copied.stored_bytes < 64 << 10);
	world_write(w.data_dir, "shifted", data, SIZE + 1);
	WORLD_OK(&w, world_create(&w, &shifted));
	assert_true(shifted.stored_bytes < SIZE / 8);
	free(data);
	world_done(&w);
}

static void test_selective_restore(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary s;
	struct snapshot *opened;
	struct restore_result result;
	char path[WORLD_PATH * 2], wanted[WORLD_PATH * 2];
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	(void)text_format(path, sizeof path, "%s/sub", w.data_dir);
	must(mkdir(path, 0700));
	world_text(path, "wanted", "yes");
	world_text(path, "unwanted", "no");
	world_text(w.data_dir, "sub-not", "no");
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, snapshot_open(w.repo, s.snapshot, &opened, &w.err));
	(void)text_format(wanted, sizeof wanted, "%s/wanted", path);
	const char *const paths[] = {wanted, NULL};
	struct restore_options o = {.paths = paths};
	WORLD_OK(&w, snapshot_restore_into(opened, w.out, &o, &result, &w.err));
	assert_int_equal(result.entries, 3); /* the root, sub and the file */
	assert_int_equal(result.files, 1);
	(void)text_format(path, sizeof path, "%s%s", w.out, wanted);
	assert_true(file_exists(path));
	/* What was mistyped is not passed over. */
	const char *const mistyped[] = {wanted, "/no/such/path", NULL};
	char elsewhere[WORLD_PATH * 2];
	(void)text_format(elsewhere, sizeof elsewhere, "%s/elsewhere", w.dir);
	assert_int_equal(
	    snapshot_restore_into(opened, elsewhere, &(struct restore_options){.paths = mistyped}, &result, &w.err),
	    ERR_NOT_FOUND);
	assert_non_null(strstr(w.err.msg, "/no/such/path"));
	assert_false(file_exists(elsewhere));
	/* Never over what is there. */
	assert_int_equal(snapshot_restore_into(opened, w.out, &o, &result, &w.err), ERR_EXISTS);
	assert_non_null(strstr(w.err.msg, w.data_dir + 1));
	snapshot_close(opened);
	world_done(&w);
}

struct seen {
	char kinds[64], last[PATH_LIMIT];
	size_t count;
};

static bool see(void *ctx, const struct snapshot_change *change)
{
	struct seen *s = ctx;
	static const char letters[] = "+-cm";
	if (s->count < sizeof s->kinds - 1)
		s->kinds[s->count++] = letters[change->kind];
	(void)text_format(s->last, sizeof s->last, "%s", change->path);
	return true;
}

static void test_live_comparison(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary s;
	struct snapshot *opened;
	char path[WORLD_PATH * 2];
	static const struct {
		bool exact, stat_only;
	} modes[] = {{false, false}, {true, false}, {false, true}};
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	static const char *const names[] = {"changed", "deleted", "moded", "same", "touched"};
	for (size_t i = 0; i < 5; i++)
		world_text(w.data_dir, names[i], names[i]);
	world_settle();
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, snapshot_open(w.repo, s.snapshot, &opened, &w.err));
	struct diff_result result;
	for (size_t m = 0; m < 3; m++) {
		struct seen seen = {0};
		struct diff_options o = {.exact = modes[m].exact, .stat_only = modes[m].stat_only};
		WORLD_OK(&w, snapshot_diff_live(opened, &w.service, &o, see, &seen, &result, &w.err));
		assert_int_equal(seen.count, 0);
		assert_true(result.component[COMPONENT_DATA].compared && !result.component[COMPONENT_CODE].compared);
	}
	assert_memory_equal(&result.component[COMPONENT_DATA].digest, &(struct digest){0}, sizeof(struct digest));
	world_text(w.data_dir, "added", "new");
	world_text(w.data_dir, "changed", "CHANGED");
	path_in(&w, "deleted", path);
	must(unlink(path));
	path_in(&w, "moded", path);
	must(chmod(path, 0600));
	path_in(&w, "touched", path);
	set_time(path, 99, 0);
	for (size_t m = 0; m < 3; m++) {
		struct seen seen = {0};
		struct diff_options o = {.exact = modes[m].exact, .stat_only = modes[m].stat_only};
		WORLD_OK(&w, snapshot_diff_live(opened, &w.service, &o, see, &seen, &result, &w.err));
		const struct diff_component *c = &result.component[COMPONENT_DATA];
		assert_int_equal(c->added, 1);
		assert_int_equal(c->removed, 1);
		assert_int_equal(
		    c->content, modes[m].stat_only ? 2 : 1); /* without reading, a touched file may be another */
		assert_int_equal(
		    c->metadata, modes[m].stat_only ? 2 : 3); /* moded, touched, and the folder's own time */
		assert_true(c->newest_change_ms > 1000000000000);
		assert_int_equal(result.component[COMPONENT_CONFIG].content, 0);
	}
	snapshot_close(opened);
	world_done(&w);
}

/* Same size, same mtime, other bytes: only ctime gives it away, and the digest tells. */
static void test_hidden_change(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary s;
	struct snapshot *opened;
	struct digest digest;
	char path[WORLD_PATH * 2];
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	world_text(w.data_dir, "f", "innocent");
	path_in(&w, "f", path);
	set_time(path, 5000, 5);
	set_time(w.data_dir, 6000, 6);
	world_settle();
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, snapshot_open(w.repo, s.snapshot, &opened, &w.err));
	WORLD_OK(&w, snapshot_digest_live(w.repo, &w.service, COMPONENT_DATA, opened, &digest, NULL, NULL, &w.err));
	assert_memory_equal(&digest, &data_of(&s)->digest, sizeof digest);
	WORLD_OK(&w, snapshot_digest_live(w.repo, &w.service, COMPONENT_DATA, NULL, &digest, NULL, NULL, &w.err));
	assert_memory_equal(&digest, &data_of(&s)->digest, sizeof digest);
	world_text(w.data_dir, "f", "INNOCENT");
	set_time(path, 5000, 5);
	struct seen seen = {0};
	struct diff_result result;
	struct diff_options o = {0};
	WORLD_OK(&w, snapshot_diff_live(opened, &w.service, &o, see, &seen, &result, &w.err));
	assert_string_equal(seen.kinds, "c");
	assert_string_equal(seen.last, "f");
	WORLD_OK(&w, snapshot_digest_live(w.repo, &w.service, COMPONENT_DATA, opened, &digest, NULL, NULL, &w.err));
	assert_memory_not_equal(&digest, &data_of(&s)->digest, sizeof digest);
	/* and back: the same digest, though inode times are others */
	world_text(w.data_dir, "f", "innocent");
	set_time(path, 5000, 5);
	WORLD_OK(&w, snapshot_digest_live(w.repo, &w.service, COMPONENT_DATA, opened, &digest, NULL, NULL, &w.err));
	assert_memory_equal(&digest, &data_of(&s)->digest, sizeof digest);
	snapshot_close(opened);
	world_done(&w);
}

static void test_two_snapshots_compared(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary a, b;
	struct snapshot *first, *second;
	struct diff_result result;
	struct diff_options o = {0};
	struct seen seen = {0};
	char path[WORLD_PATH * 2];
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	world_text(w.data_dir, "a", "1");
	world_text(w.data_dir, "b", "2");
	WORLD_OK(&w, world_create(&w, &a));
	path_in(&w, "a", path);
	must(unlink(path));
	must(mkdir(path, 0755)); /* now a folder, with something in it */
	world_text(path, "inside", "3");
	WORLD_OK(&w, world_create(&w, &b));
	WORLD_OK(&w, snapshot_open(w.repo, a.snapshot, &first, &w.err));
	WORLD_OK(&w, snapshot_open(w.repo, b.snapshot, &second, &w.err));
	WORLD_OK(&w, snapshot_diff(first, second, &o, see, &seen, &result, &w.err));
	assert_int_equal(result.component[COMPONENT_DATA].content, 1);
	assert_int_equal(result.component[COMPONENT_DATA].added, 1);
	assert_int_equal(result.component[COMPONENT_CONFIG].content + result.component[COMPONENT_CONFIG].metadata, 0);
	assert_string_equal(seen.last, "a/inside");
	snapshot_close(first);
	snapshot_close(second);
	world_done(&w);
}

static void test_looking_in(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary s;
	struct snapshot *opened;
	struct snapshot_entry e;
	char path[WORLD_PATH * 2], text[64];
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	(void)text_format(path, sizeof path, "%s/d", w.data_dir);
	must(mkdir(path, 0711));
	world_text(path, "x\xff\n\\", "12345");
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, snapshot_open(w.repo, s.snapshot, &opened, &w.err));
	struct snapshot_cursor cursor = SNAPSHOT_CURSOR(COMPONENT_DATA);
	static const char *const expected[] = {"", "d", "d/x\xff\n\\"};
	for (size_t i = 0; i < 3; i++) {
		assert_true(snapshot_next(opened, &cursor, &e));
		assert_string_equal(e.path, expected[i]);
		assert_string_equal(e.root_path, w.data_dir);
	}
	assert_int_equal(e.size, 5);
	assert_string_equal(snapshot_path_text(e.path, text, sizeof text), "d/x\\xff\\x0a\\x5c");
	assert_false(snapshot_next(opened, &cursor, &e));
	assert_true(snapshot_lookup(opened, COMPONENT_DATA, 0, "d", &e));
	assert_int_equal(e.mode, 0711);
	assert_true(snapshot_lookup(opened, COMPONENT_DATA, 0, "", &e));
	assert_int_equal(e.type, ENTRY_DIRECTORY);
	assert_false(snapshot_lookup(opened, COMPONENT_DATA, 1, "", &e));
	assert_false(snapshot_lookup(opened, COMPONENT_CODE, 0, "d", &e));
	snapshot_close(opened);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nasty_tree),
	    cmocka_unit_test(test_place_that_hands_down),
	    cmocka_unit_test(test_longest_paths),
	    cmocka_unit_test(test_unchanged_reads_and_stores_nothing),

	    cmocka_unit_test(test_deduplication),
	    cmocka_unit_test(test_selective_restore),
	    cmocka_unit_test(test_live_comparison),
	    cmocka_unit_test(test_hidden_change),
	    cmocka_unit_test(test_two_snapshots_compared),
	    cmocka_unit_test(test_looking_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
