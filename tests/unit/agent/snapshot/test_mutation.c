/* Bytes flipped, cut, missing, doubled, swapped, rolled back and forged, in every file of a repository and in two at
 * once: each is found and named, or harmless (everything verifies, and what is restored is what was taken); nothing
 * wrong is ever restored without a word.
 *
 *   test_mutation [MUTATIONS [SEED]]     the tests' own run makes MUTATIONS_FAST; the whole is 10000 or more */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "agent/repository/pack.h"
#include "agent/repository/repo_internal.h"
#include "agent/repository/seal.h"
#include "agent/snapshot/upkeep.h"
#include "shared/base/log.h"
#include "tests/lib/snapshot_world.h"

enum { FILES_MAX = 24, MUTATIONS_FAST = 1500, RESTORE_EVERY = 8, SEED = 20261123, TWO_EVERY = 7 };

enum kind { KIND_PACK, KIND_MANIFEST, KIND_INDEX, KIND_LIST, KIND_CATALOGUE, KIND_MARKS, KIND_KEYS, KIND_COUNT };
static const char *const kind_names[] = {
    "pack", "manifest", "run of the index", "list of the index", "catalogue", "marks", "keys"};

struct stored {
	enum kind kind;
	char path[WORLD_PATH], name[128];
	uint8_t *data;
	size_t size;
	uint8_t *older; /* as it was before the last restore point was taken; NULL: it was not there */
	size_t older_size;
};

enum way {
	FLIP_BIT,
	FLIP_BYTES,
	CUT,
	GROW,
	MISSING,
	OTHERS_BYTES,
	FOREIGN,
	ZEROS,
	INSERT,
	ROLLED_BACK,
	FORGED,
	DOUBLED,
	WAY_COUNT
};
static const char *const way_names[] = {"flipped bit", "other bytes", "cut", "grown", "missing", "another's bytes",
    "another repository's", "zeros", "inserted byte", "rolled back", "forged", "doubled"};

static struct world w, foreign;
static struct stored files[FILES_MAX], foreign_files[FILES_MAX];
static size_t file_count, foreign_count;
static struct id ids[2];
static struct digest digests[2][2];
static char doubled[WORLD_PATH * 2]; /* a copy under another name; "": none */
static int mutations = MUTATIONS_FAST;
static uint64_t seed = SEED;
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
		if (!text_ends(e->d_name, suffix))
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
	load_folder(from, "index", ".run", KIND_INDEX, all, count);
	load_folder(from, "index", "list", KIND_LIST, all, count);
	load_folder(from, "snapshots", "catalogue", KIND_CATALOGUE, all, count);
	load_folder(from, "snapshots", ".marks", KIND_MARKS, all, count);
	load_folder(from, "keys", "repository", KIND_KEYS, all, count);
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
	for (size_t i = 0; i < file_count; i++)
		put_file(files[i].path, files[i].data, files[i].size);
	if (*doubled)
		assert_int_equal(unlink(doubled), 0);
	*doubled = 0;
}

/* By somebody who knows the format and has no key: what can be computed without one fits again. */
static void forge_pack(uint8_t *data, size_t size, struct random *random)
{
	struct sha256 *sha = sha256_new();
	struct pack_footer f;
	size_t at = PACK_HEADER_SIZE + (size_t)random_below(random, size - PACK_HEADER_SIZE - PACK_FOOTER_SIZE);
	assert_non_null(sha);
	data[at] ^= 0x10;
	assert_int_equal(pack_footer_parse(data + size - PACK_FOOTER_SIZE, size, &f, NULL), ERR_OK);
	sha256_add(sha, data, size - PACK_FOOTER_SIZE);
	sha256_end(sha, f.digest);
	sha256_free(sha);
	pack_footer_write(&f, data + size - PACK_FOOTER_SIZE);
}

/* Under a name that another file of that kind might have. */
static bool double_it(const struct stored *f)
{
	if (f->kind == KIND_PACK)
		(void)text_format(
		    doubled, sizeof doubled, "%s/packs/00112233445566778899aabbccddeeff.pack", w.repo_path);
	else if (f->kind == KIND_MANIFEST)
		(void)text_format(
		    doubled, sizeof doubled, "%s/snapshots/snap-01h0000000000000000000000a.manifest", w.repo_path);
	else
		return false;
	put_file(doubled, f->data, f->size);
	return true;
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
	case ROLLED_BACK:
		if (f->older) {
			assert_true(f->older_size < (1 << 24));
			free(copy);
			put_file(f->path, f->older, f->older_size);
			return f->older_size != size || memcmp(f->older, f->data, size) != 0;
		}
		break;
	case FORGED:
		if (f->kind == KIND_PACK)
			forge_pack(copy, size, random);
		break;
	case DOUBLED:
		free(copy);
		return double_it(f);
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

struct verdict {
	bool opened, found;
	struct told told;
	char error[ERR_MSG_MAX];
};

/* Everything that could be found is looked for; whatever verifies must be what was taken. */
static void look(const char *what, bool restore, struct verdict *v)
{
	struct repo_check_options o = {.on_finding = remember, .ctx = &v->told, .read_data = restore};
	struct repo_check_result result = {0};
	int good = 0;
	struct index *x;
	enum err_code rc = repo_open(w.repo_path, WORLD_HOST, &w.repo, &w.err);
	if (!rc)
		rc = repo_index(w.repo, &x, &w.err);
	v->opened = rc == ERR_OK;
	read_log();
	if (rc) {
		(void)text_format(v->error, sizeof v->error, "%s", w.err.msg);
		v->found = true;
		return;
	}
	rc = repo_check(w.repo, &o, &result, &w.err);
	if (rc)
		fail_msg("%s: check: %s", what, w.err.msg);
	v->found = result.findings > 0 || *log_text;
	for (int i = 0; i < 2; i++) {
		struct verify_result vr;
		struct verify_options vo = {0};
		rc = snapshot_verify(w.repo, ids[i], &vo, &vr, &w.err);
		/* Rolled back: not there, and said so.  A version that nobody knows: said so. */
		if (rc && rc != ERR_CORRUPT && rc != ERR_NOT_FOUND && rc != ERR_UNSUPPORTED)
			fail_msg("%s: verify: %s", what, w.err.msg);
		good += !rc;
		if (rc)
			remember(&v->told, w.err.msg);
		v->found = v->found || rc;
		if (restore && !restore_is_right_or_refused(i))
			fail_msg("%s: restored something else%s", what, rc ? " from what was known to be bad" : "");
	}
	if (!v->found && good != 2)
		fail_msg("%s: not found, and not harmless", what);
	if (!v->found && !restore) /* then it must be harmless */
		for (int i = 0; i < 2; i++)
			if (!restore_is_right_or_refused(i))
				fail_msg("%s: not found, and restored something else", what);
	world_close(&w);
}

/* What a single change of each kind must lead to. */
static void judge(const struct stored *f, enum way way, const struct verdict *v)
{
	char id[2][ID_TEXT_MAX];
	bool named = strstr(v->told.text, f->name) != NULL;
	bool named_point = strstr(v->told.text, id_format(ID_SNAPSHOT, ids[0], id[0])) ||
			   strstr(v->told.text, id_format(ID_SNAPSHOT, ids[1], id[1]));
	bool fine = true;
	switch (f->kind) {
	case KIND_PACK:
		fine = v->opened && v->found && (named || way == DOUBLED) &&
		       (way != DOUBLED || strstr(v->told.text, "0011223344"));
		break;
	case KIND_MANIFEST:
		fine = v->opened && v->found && (named_point || way == DOUBLED) &&
		       (way != DOUBLED || strstr(v->told.text, "snap-01h00000"));
		break;
	case KIND_INDEX: /* found when it was opened, named in the log, and made anew */
		fine = v->opened && strstr(log_text, "index") && !*v->told.text;
		break;
	case KIND_LIST: /* the same; one that is not there is no news */
		fine = v->opened && ((way == MISSING) || strstr(log_text, "index")) && !*v->told.text;
		break;
	case KIND_CATALOGUE:
		fine = v->opened && (way == ROLLED_BACK || (v->found && named));
		break;
	case KIND_MARKS:
		fine = v->opened && (way == MISSING || way == ROLLED_BACK || (v->found && named_point));
		break;
	case KIND_KEYS: /* refused by name, or then nothing of it authenticates, or a byte that means nothing (made
			   when) */
		fine = v->opened || strstr(v->error, "key") || strstr(v->error, "belongs to host");
		break;
	case KIND_COUNT:
		break;
	}
	if (!fine)
		fail_msg("%s of %s %s: %s%s%s: %s", way_names[way], kind_names[f->kind], f->name,
		    v->opened ? "opened" : "refused", v->found ? ", found" : ", not found", *log_text ? ", logged" : "",
		    v->opened ? v->told.text : v->error);
}

/* ---- */

/* As the files are before the second restore point is taken. */
static struct stored older[FILES_MAX];
static size_t older_count;

static void fill_and_take(struct world *x, uint64_t first, struct id *ret_ids, struct digest (*ret_digests)[2])
{
	for (int i = 0; i < 2; i++) {
		struct snapshot_summary s;
		for (uint64_t j = 0; j < 4; j++) {
			char name[16];
			(void)text_format(name, sizeof name, "f%llu", (unsigned long long)j);
			world_noise(x->data_dir, name, 600 + j * 300, first + j + (j == 3 ? (uint64_t)i * 10 : 0));
		}
		world_text(x->config_dir, "conf", i ? "two" : "one");
		world_settle();
		WORLD_OK(x, world_create(x, &s));
		if (ret_ids)
			ret_ids[i] = s.snapshot;
		for (int k = 0; ret_digests && k < 2; k++)
			ret_digests[i][k] = LIST_AT(s.components, struct snapshot_component, k).digest;
		struct verify_result v;
		WORLD_OK(x, world_verify(x, s.snapshot, &v)); /* which leaves a mark */
		if (ret_ids && i == 0) {
			world_close(x);
			load_files(x, older, &older_count);
			world_open(x);
		}
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
	for (size_t i = 0; i < file_count; i++)
		for (size_t j = 0; j < older_count; j++)
			if (text_equal(files[i].path, older[j].path)) {
				files[i].older = older[j].data;
				files[i].older_size = older[j].size;
			}
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
		free(older[i].data);
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

static bool mutate_any(struct random *random, const struct stored *but, const struct stored **ret, enum way *ret_way)
{
	const struct stored *f = &files[random_below(random, file_count)];
	enum way way = (enum way)random_below(random, WAY_COUNT);
	if (f == but || (way == FORGED && f->kind != KIND_PACK) || (way == DOUBLED && *doubled))
		return false;
	if (!mutate(f, way, random))
		return false;
	*ret = f;
	*ret_way = way;
	return true;
}

static void test_mutations(void **state)
{
	(void)state;
	struct random random;
	size_t done[KIND_COUNT] = {0}, twice = 0, found = 0;
	random_init_seed(&random, seed);
	for (int i = 0; i < mutations;) {
		const struct stored *first, *second = NULL;
		enum way way, other = WAY_COUNT;
		struct verdict v = {0};
		char what[512];
		put_all_back();
		if (!mutate_any(&random, NULL, &first, &way) ||
		    (i % TWO_EVERY == 0 && !mutate_any(&random, first, &second, &other)))
			continue;
		(void)text_format(what, sizeof what, "mutation %d: %s of %s%s%s%s%s", i, way_names[way], first->name,
		    second ? ", " : "", second ? way_names[other] : "", second ? " of " : "",
		    second ? second->name : "");
		look(what, i % RESTORE_EVERY == 0, &v);
		if (!second)
			judge(first, way, &v);
		done[first->kind]++;
		twice += second != NULL;
		found += v.found;
		i++;
	}
	for (int i = 0; i < KIND_COUNT; i++) {
		print_message("%s: %zu\n", kind_names[i], done[i]);
		assert_true(done[i] * 50 > (size_t)mutations);
	}
	print_message(
	    "%d mutations, %zu of them double; %zu found and named, %zu harmless; none restored anything else\n",
	    mutations, twice, found, (size_t)mutations - found);
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

int main(int argc, char **argv)
{
	if (argc > 1)
		mutations = atoi(argv[1]);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_untouched),
	    cmocka_unit_test(test_mutations),
	    cmocka_unit_test(test_duplicated_and_stray_files),
	    cmocka_unit_test(test_new_snapshot_does_not_lean_on_missing_packs),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
