/* Bytes flipped, cut, missing, swapped and forged, in every file of a repository: each is found and named, and nothing
 * wrong is ever restored without a word. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "shared/base/log.h"
#include "tests/lib/snapshot_world.h"

enum { FILES_MAX = 16, MUTATIONS = 2600, RESTORE_EVERY = 8, SEED = 20261123 };

enum kind { KIND_PACK, KIND_MANIFEST, KIND_INDEX, KIND_SEAL, KIND_COUNT };
static const char *const kind_names[] = {"pack", "manifest", "index", "seal"};

struct stored {
	enum kind kind;
	char path[WORLD_PATH], name[128];
	uint8_t *data;
	size_t size;
};

enum way { FLIP_BIT, FLIP_BYTES, CUT, GROW, MISSING, OTHERS_BYTES, FOREIGN, ZEROS, INSERT, WAY_COUNT };
static const char *const way_names[] = {"flipped bit", "other bytes", "cut", "grown", "missing", "another's bytes",
    "another repository's", "zeros", "inserted byte"};

static struct world w, foreign;
static struct stored files[FILES_MAX], foreign_files[FILES_MAX];
static size_t file_count, foreign_count;
static struct id ids[2];
static struct digest digests[2][2];
static char log_text[1 << 16];
static int log_fds[2];

/* ---- the repository's files ---- */

static void load_folder(
    const struct world *from, const char *folder, const char *suffix, enum kind kind, struct stored *all, size_t *count)
{
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/%s", from->repo_path, folder);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		if (!text_ends(e->d_name, suffix) || text_equal(e->d_name, "lock.mdb"))
			continue;
		assert_true(*count < FILES_MAX);
		struct stored *f = &all[(*count)++];
		struct buf data = BUF_INIT;
		f->kind = kind;
		assert_true(text_format(f->path, sizeof f->path, "%s/%s", path, e->d_name));
		(void)text_format(f->name, sizeof f->name, "%s", e->d_name);
		assert_int_equal(file_read(f->path, 16 << 20, &data, NULL), ERR_OK);
		f->data = data.data;
		f->size = data.size;
	}
	closedir(dir);
}

static void load_files(const struct world *from, struct stored *all, size_t *count)
{
	load_folder(from, "packs", ".pack", KIND_PACK, all, count);
	load_folder(from, "snapshots", ".manifest", KIND_MANIFEST, all, count);
	load_folder(from, "index", "data.mdb", KIND_INDEX, all, count);
	load_folder(from, "index", "seal", KIND_SEAL, all, count);
}

static void put_file(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
}

static void put_all_back(void)
{
	char path[WORLD_PATH * 2];
	for (size_t i = 0; i < file_count; i++)
		put_file(files[i].path, files[i].data, files[i].size);
	(void)text_format(path, sizeof path, "%s/index/lock.mdb", w.repo_path);
	(void)unlink(path);
}

static const struct stored *another(
    const struct stored *all, size_t count, const struct stored *than, struct random *random)
{
	const struct stored *found[FILES_MAX];
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		if (all[i].kind == than->kind && &all[i] != than)
			found[n++] = &all[i];
	return n ? found[random_below(random, n)] : NULL;
}

/* False: this way makes no difference to that file. */
static bool mutate(const struct stored *f, enum way way, struct random *random)
{
	size_t size = f->size, at = (size_t)random_below(random, size);
	uint8_t *copy = calloc(1, size + 64);
	const struct stored *other;
	memcpy(copy, f->data, size);
	switch (way) {
	case FLIP_BIT:
		copy[at] ^= (uint8_t)(1u << random_below(random, 8));
		break;
	case FLIP_BYTES:
		for (size_t i = at; i < size && i < at + 16; i++)
			copy[i] = (uint8_t)random_u64(random);
		break;
	case CUT:
		size = at;
		break;
	case GROW:
		size += 1 + (size_t)random_below(random, 63);
		break;
	case OTHERS_BYTES:
	case FOREIGN:
		other = way == FOREIGN ? another(foreign_files, foreign_count, f, random)
				       : another(files, file_count, f, random);
		free(copy);
		if (!other)
			return false;
		put_file(f->path, other->data, other->size);
		return true;
	case ZEROS:
		memset(copy + at, 0, size - at < 64 ? size - at : 64);
		break;
	case INSERT:
		memmove(copy + at + 1, copy + at, size - at);
		copy[at] ^= 0x55;
		size++;
		break;
	case MISSING:
	case WAY_COUNT:
		break;
	}
	bool differs = way == MISSING || size != f->size || memcmp(copy, f->data, size) != 0;
	if (way == MISSING)
		assert_int_equal(unlink(f->path), 0);
	else if (differs)
		put_file(f->path, copy, size);
	free(copy);
	return differs;
}

/* ---- judging ---- */

struct told {
	char text[1 << 14];
};

static void remember(void *ctx, const char *text)
{
	struct told *t = ctx;
	size_t n = strlen(t->text);
	(void)text_format(t->text + n, sizeof t->text - n, "%s\n", text);
}

static void read_log(void)
{
	ssize_t n = read(log_fds[0], log_text, sizeof log_text - 1);
	log_text[n > 0 ? n : 0] = 0;
}

/* In the place of the live tree, for its path is part of what is compared. */
static bool same_in_place(const char *home, enum component component, const struct digest *expected)
{
	char restored[WORLD_PATH * 2], away[WORLD_PATH * 2];
	struct digest digest;
	(void)text_format(restored, sizeof restored, "%s%s", w.out, home);
	(void)text_format(away, sizeof away, "%s.away", home);
	assert_int_equal(rename(home, away), 0);
	assert_int_equal(rename(restored, home), 0);
	WORLD_OK(&w, snapshot_digest_live(w.repo, &w.service, component, NULL, &digest, NULL, NULL, &w.err));
	assert_int_equal(rename(home, restored), 0);
	assert_int_equal(rename(away, home), 0);
	return !memcmp(&digest, expected, sizeof digest);
}

/* Whatever restores must be what was taken. */
static bool restore_is_right_or_refused(int which)
{
	struct snapshot *s;
	struct restore_options o = {0};
	struct restore_result result;
	char out[256];
	const char *const argv[] = {"rm", "-rf", w.out, NULL};
	if (snapshot_open(w.repo, ids[which], &s, &w.err))
		return true;
	enum err_code rc = snapshot_restore_into(s, w.out, &o, &result, &w.err);
	bool right = rc || (same_in_place(w.config_dir, COMPONENT_CONFIG, &digests[which][0]) &&
			       same_in_place(w.data_dir, COMPONENT_DATA, &digests[which][1]));
	snapshot_close(s);
	assert_true(world_run(argv, out, sizeof out) >= 0);
	return right;
}

static void judge(const struct stored *f, enum way way, bool restore)
{
	struct told told = {""};
	struct repo_check_options o = {.on_finding = remember, .ctx = &told};
	struct repo_check_result result = {0};
	char name[ID_TEXT_MAX];
	bool cache = f->kind == KIND_INDEX || f->kind == KIND_SEAL;
	enum err_code rc = repo_open(w.repo_path, WORLD_HOST, &w.repo, &w.err);
	if (rc)
		fail_msg("%s %s: the repository does not open: %s", way_names[way], f->name, w.err.msg);
	read_log();
	if (cache) { /* found when it was opened, named in the log, and made anew */
		bool gone = way == MISSING && f->kind == KIND_INDEX;
		if (!gone && !strstr(log_text, "index"))
			fail_msg("%s %s: not a word of it: %s", way_names[way], f->name, log_text);
	}
	rc = repo_check(w.repo, &o, &result, &w.err);
	if (rc)
		fail_msg("%s %s: check: %s", way_names[way], f->name, w.err.msg);
	bool gone_manifest = f->kind == KIND_MANIFEST && way == MISSING;
	if (cache || gone_manifest)
		assert_int_equal(result.findings, 0);
	else if (!result.findings ||
		 !strstr(told.text, f->kind == KIND_PACK ? f->name : id_format(ID_SNAPSHOT, ids[0], name)))
		if (!result.findings ||
		    !strstr(told.text, f->kind == KIND_PACK ? f->name : id_format(ID_SNAPSHOT, ids[1], name)))
			fail_msg("%s %s: not found or not named: %s", way_names[way], f->name, told.text);
	int bad = 0;
	for (int i = 0; i < 2; i++) {
		struct verify_result v;
		struct verify_options vo = {0};
		bool verified = snapshot_verify(w.repo, ids[i], &vo, &v, &w.err) == ERR_OK;
		bad += !verified;
		if (verified && restore && !restore_is_right_or_refused(i))
			fail_msg("%s %s: restored something else", way_names[way], f->name);
		if (!verified && restore && f->kind == KIND_PACK && !restore_is_right_or_refused(i))
			fail_msg(
			    "%s %s: restored something else from what was known to be bad", way_names[way], f->name);
	}
	if (cache)
		assert_int_equal(bad, 0);
	if (f->kind == KIND_MANIFEST)
		assert_int_equal(bad, 1);
	world_close(&w);
}

/* ---- */

static void fill_and_take(struct world *x, uint64_t seed, struct id *ret_ids, struct digest (*ret_digests)[2])
{
	for (int i = 0; i < 2; i++) {
		struct snapshot_summary s;
		for (uint64_t j = 0; j < 4; j++) {
			char name[16];
			(void)text_format(name, sizeof name, "f%llu", (unsigned long long)j);
			world_noise(x->data_dir, name, 600 + j * 300, seed + j + (j == 3 ? (uint64_t)i * 10 : 0));
		}
		world_text(x->config_dir, "conf", i ? "two" : "one");
		world_settle();
		WORLD_OK(x, world_create(x, &s));
		if (ret_ids)
			ret_ids[i] = s.snapshot;
		for (int k = 0; ret_digests && k < 2; k++)
			ret_digests[i][k] = LIST_AT(s.components, struct snapshot_component, k).digest;
	}
	world_close(x);
}

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	world_init(&foreign);
	fill_and_take(&w, 1, ids, digests);
	fill_and_take(&foreign, 1, NULL, NULL); /* the same content under other keys */
	load_files(&w, files, &file_count);
	load_files(&foreign, foreign_files, &foreign_count);
	assert_int_equal(pipe2(log_fds, O_NONBLOCK | O_CLOEXEC), 0);
	log_to_fd(log_fds[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_to_fd(2);
	for (size_t i = 0; i < FILES_MAX; i++) {
		free(files[i].data);
		free(foreign_files[i].data);
	}
	world_done(&w);
	world_done(&foreign);
	return 0;
}

static void test_untouched(void **state)
{
	(void)state;
	struct repo_check_options o = {.read_data = true};
	struct repo_check_result result;
	put_all_back();
	world_open(&w);
	WORLD_OK(&w, repo_check(w.repo, &o, &result, &w.err));
	assert_int_equal(result.findings, 0);
	for (int i = 0; i < 2; i++) {
		struct verify_result v;
		struct snapshot *s;
		WORLD_OK(&w, world_verify(&w, ids[i], &v));
		WORLD_OK(&w, snapshot_open(w.repo, ids[i], &s, &w.err));
		snapshot_close(s);
		assert_true(restore_is_right_or_refused(i));
	}
	world_close(&w);
	read_log();
	assert_string_equal(log_text, "");
}

static void test_mutations(void **state)
{
	(void)state;
	struct random random;
	size_t done[KIND_COUNT] = {0};
	random_init_seed(&random, SEED);
	for (int i = 0; i < MUTATIONS; i++) {
		const struct stored *f = &files[random_below(&random, file_count)];
		enum way way = (enum way)random_below(&random, WAY_COUNT);
		put_all_back();
		if (!mutate(f, way, &random)) {
			i--;
			continue;
		}
		judge(f, way, i % RESTORE_EVERY == 0);
		done[f->kind]++;
	}
	for (int i = 0; i < KIND_COUNT; i++) {
		print_message("%s: %zu\n", kind_names[i], done[i]);
		assert_true(done[i] > 100);
	}
	put_all_back();
}

/* A copy of a pack beside it is no pack of that name. */
static void test_duplicated_and_stray_files(void **state)
{
	(void)state;
	static const char *const names[] = {
	    "packs/00112233445566778899aabbccddeeff.pack", "packs/notes.txt", "snapshots/README"};
	for (size_t i = 0; i < 3; i++) {
		struct told told = {""};
		struct repo_check_options o = {.on_finding = remember, .ctx = &told};
		struct repo_check_result result;
		char path[WORLD_PATH * 2];
		put_all_back();
		(void)text_format(path, sizeof path, "%s/%s", w.repo_path, names[i]);
		put_file(path, files[0].data, files[0].size);
		world_open(&w);
		WORLD_OK(&w, repo_check(w.repo, &o, &result, &w.err));
		assert_int_equal(result.findings, 1);
		assert_non_null(strstr(told.text, names[i]));
		world_close(&w);
		assert_int_equal(unlink(path), 0);
	}
}

/* With the packs gone bad, a new snapshot does not lean on them: it heals what it can see. */
static void test_new_snapshot_does_not_lean_on_missing_packs(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct verify_result v;
	put_all_back();
	for (size_t i = 0; i < file_count; i++)
		if (files[i].kind == KIND_PACK)
			assert_int_equal(unlink(files[i].path), 0);
	world_open(&w);
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, world_verify(&w, s.snapshot, &v));
	assert_int_equal(world_verify(&w, ids[0], &v), ERR_CORRUPT); /* its own file f3 is lost for good */
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_untouched),
	    cmocka_unit_test(test_mutations),
	    cmocka_unit_test(test_duplicated_and_stray_files),
	    cmocka_unit_test(test_new_snapshot_does_not_lean_on_missing_packs),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
