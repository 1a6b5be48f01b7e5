/* Repositories: keys, finding and marking restore points, retention, and garbage in two phases. */
#include "agent/repository/repo_internal.h"
#include "agent/snapshot/git.h"
#include "agent/snapshot/retention.h"
#include "agent/snapshot/upkeep.h"
#include "tests/lib/snapshot_world.h"

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	world_noise(w.data_dir, "f", 5000, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static void expect(enum err_code rc, enum err_code wanted, const char *words)
{
	assert_int_equal(rc, wanted);
	if (!strstr(w.err.msg, words))
		fail_msg("no \"%s\" in: %s", words, w.err.msg);
}

static void in_repo(const char *name, char out[WORLD_PATH * 2])
{
	(void)text_format(out, WORLD_PATH * 2, "%s/%s", w.repo_path, name);
}

static void test_opening(void **state)
{
	(void)state;
	struct repo *r = NULL;
	char path[WORLD_PATH * 2], kept[WORLD_PATH * 2];
	struct stat st;
	world_close(&w);
	in_repo("keys/repository", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	expect(repo_init(w.repo_path, WORLD_HOST, &w.err), ERR_EXISTS, "not empty");
	expect(repo_open(w.data_dir, WORLD_HOST, &r, &w.err), ERR_NOT_FOUND, "repo init");
	expect(repo_open(w.repo_path, "web-2", &r, &w.err), ERR_DENIED, WORLD_HOST);
	assert_int_equal(repo_open(w.repo_path, NULL, &r, &w.err), ERR_OK);
	assert_string_equal(repo_host(r), WORLD_HOST);
	repo_close(r);
	(void)text_format(kept, sizeof kept, "%s.kept", path);
	assert_int_equal(rename(path, kept), 0);
	expect(repo_open(w.repo_path, WORLD_HOST, &r, &w.err), ERR_NOT_FOUND, "key");
	world_text(w.repo_path, "keys/repository", "{ \"version\": 1 }");
	expect(repo_open(w.repo_path, WORLD_HOST, &r, &w.err), ERR_CORRUPT, "keys/repository");
	assert_int_equal(rename(kept, path), 0);
	world_text(w.repo_path, "FORMAT", "kedge-repository 2\n");
	expect(repo_open(w.repo_path, WORLD_HOST, &r, &w.err), ERR_UNSUPPORTED, "FORMAT");
	world_text(w.repo_path, "FORMAT", "kedge-repository 1\n");
	world_open(&w);
}

/* The key of another repository opens nothing of this one. */
static void test_foreign_key(void **state)
{
	(void)state;
	struct world other;
	struct snapshot_summary s;
	struct list all, damaged;
	char from[WORLD_PATH * 2], to[WORLD_PATH * 2];
	WORLD_OK(&w, world_create(&w, &s));
	world_close(&w);
	world_init(&other);
	in_repo("keys/repository", to);
	(void)text_format(from, sizeof from, "%s/keys/repository", other.repo_path);
	assert_int_equal(rename(from, to), 0);
	world_open(&w); /* rebuilds the index, in which nothing is left that authenticates */
	WORLD_OK(&w, snapshot_list(w.repo, NULL, w.arena, &all, &damaged, &w.err));
	assert_int_equal(all.count, 0);
	assert_int_equal(damaged.count, 2); /* the manifest, and the catalogue */
	for (size_t i = 0; i < damaged.count; i++)
		assert_non_null(strstr(LIST_AT(damaged, struct snapshot_damaged, i).text, "another repository"));
	expect(world_verify(&w, s.snapshot, &(struct verify_result){0}), ERR_CORRUPT, "another repository");
	world_done(&other);
}

static void mark_good(void *ctx, struct snapshot_marks *m)
{
	m->healthy_since_ms = *(const uint64_t *)ctx;
}
static void mark_suspect(void *ctx, struct snapshot_marks *m)
{
	(void)ctx;
	m->suspect = true;
}

static void test_finding(void **state)
{
	(void)state;
	struct snapshot_summary s[4], found;
	struct verify_result v;
	char text[ID_TEXT_MAX], time[TEXT_TIME_MAX];
	expect(snapshot_find(w.repo, "portal", "last", w.arena, &found, &w.err), ERR_NOT_FOUND, "there are 0");
	for (int i = 0; i < 4; i++) {
		w.now_ms += 60000;
		WORLD_OK(&w, world_create(&w, &s[i]));
	}
	WORLD_OK(&w, snapshot_find(w.repo, "portal", "last", w.arena, &found, &w.err));
	assert_true(id_equal(found.snapshot, s[3].snapshot));
	struct snapshot_summary caught;
	struct snapshot_options emergency = {.reason = SNAPSHOT_EMERGENCY, .now_ms = w.now_ms};
	WORLD_OK(&w, snapshot_create(w.repo, &w.service, &emergency, w.arena, &caught, &w.err));
	assert_true(caught.suspect);
	WORLD_OK(&w, snapshot_find(w.repo, "portal", "last", w.arena, &found, &w.err));
	assert_true(id_equal(found.snapshot, s[3].snapshot)); /* what an emergency caught is no place to go back to */
	WORLD_OK(&w, snapshot_find(w.repo, NULL, id_format(ID_SNAPSHOT, s[1].snapshot, text), w.arena, &found, &w.err));
	assert_true(id_equal(found.snapshot, s[1].snapshot));
	text[strlen(text) - 3] = 0;
	WORLD_OK(&w, snapshot_find(w.repo, "portal", text, w.arena, &found, &w.err));
	assert_true(id_equal(found.snapshot, s[1].snapshot));
	text[9] = 0;
	expect(snapshot_find(w.repo, "portal", text, w.arena, &found, &w.err), ERR_INVALID, "several");
	expect(snapshot_find(w.repo, "portal", "snap-x", w.arena, &found, &w.err), ERR_INVALID, "last-good");
	expect(snapshot_find(w.repo, "portal", "yesterday", w.arena, &found, &w.err), ERR_INVALID, "yesterday");
	expect(snapshot_find(w.repo, "other", "last", w.arena, &found, &w.err), ERR_NOT_FOUND, "other");
	WORLD_OK(&w, snapshot_find(w.repo, "portal", text_time(s[2].taken_ms + 500, time), w.arena, &found, &w.err));
	assert_true(id_equal(found.snapshot, s[2].snapshot));
	expect(snapshot_find(w.repo, "portal", text_time(s[0].taken_ms - 2000, time), w.arena, &found, &w.err),
	    ERR_NOT_FOUND, "portal");
	/* Good takes both: verified and healthy; and no suspicion. */
	expect(snapshot_find(w.repo, "portal", "last-good", w.arena, &found, &w.err), ERR_NOT_FOUND, "healthy");
	for (int i = 0; i < 3; i++) {
		WORLD_OK(&w, world_verify(&w, s[i].snapshot, &v));
		if (i != 1)
			WORLD_OK(&w, snapshot_mark(w.repo, s[i].snapshot, mark_good, &w.now_ms, &w.err));
	}
	WORLD_OK(&w, snapshot_find(w.repo, "portal", "last-good", w.arena, &found, &w.err));
	assert_true(id_equal(found.snapshot, s[2].snapshot));
	WORLD_OK(&w, snapshot_mark(w.repo, s[2].snapshot, mark_suspect, NULL, &w.err));
	WORLD_OK(&w, snapshot_find(w.repo, "portal", "last-good", w.arena, &found, &w.err));
	assert_true(id_equal(found.snapshot, s[0].snapshot));
	assert_true(found.marks.verified_ms && found.marks.healthy_since_ms);
	/* Marks that cannot be read make nothing good. */
	char name[WORLD_PATH];
	(void)text_format(name, sizeof name, "snapshots/%s.marks", id_format(ID_SNAPSHOT, s[0].snapshot, text));
	world_text(w.repo_path, name, "{ \"verified_ms\":");
	expect(snapshot_find(w.repo, "portal", "last-good", w.arena, &found, &w.err), ERR_NOT_FOUND, "healthy");
}

static void test_stats_and_sample(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct repo_stats stats;
	struct verify_result v;
	struct verify_options o = {.sample = true, .now_ms = w.now_ms};
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, repo_stats(w.repo, &stats, &w.err));
	assert_int_equal(stats.snapshots, 1);
	assert_true(stats.raw_bytes >= 5003 && stats.packed_bytes > 5000 && stats.free_bytes > 0);
	assert_int_equal(stats.newest_ms, s.taken_ms);
	WORLD_OK(&w, snapshot_verify(w.repo, s.snapshot, &o, &v, &w.err));
	WORLD_OK(&w, snapshot_get(w.repo, s.snapshot, w.arena, &s, &w.err));
	assert_true(s.marks.sampled_ms && !s.marks.verified_ms);
}

/* ---- retention ---- */

static void test_retention(void **state)
{
	(void)state;
	enum { COUNT = 24 * 40 };
	static struct retained points[COUNT];
	struct keep_config keep = {.hourly = 24, .daily = 7, .weekly = 4, .monthly = 2};
	uint64_t now = 1700000000000; /* Tuesday 14 November 2023, 22:13 UTC */
	for (int i = 0; i < COUNT; i++)
		points[i] =
		    (struct retained){.taken_ms = now - (uint64_t)i * 3600000, .verified = i >= 100, .fixed = i == 777};
	retention_choose(points, COUNT, &keep, now);
	int kept = 0;
	for (int i = 0; i < COUNT; i++)
		kept += points[i].keep;
	for (int i = 0; i < 24; i++)
		assert_true(points[i].keep);
	assert_true(points[23 + 24].keep); /* 12 November, 23:13: the newest of its day */
	assert_false(points[24 + 24].keep);
	assert_true(points[22 + 1 + 24].keep);
	assert_true(points[100].keep);                  /* the newest verified */
	assert_true(points[777].keep);                  /* fixed */
	assert_true(points[23 + 24 * 13].keep);         /* 31 October: the newest of the month before */
	assert_int_equal(kept, 24 + 5 + 2 + 1 + 1 + 1); /* hours, further days, weeks, a month, verified, fixed */
	struct retained few[3] = {{.taken_ms = now}, {.taken_ms = now - 1000}, {.taken_ms = now - 2000}};
	keep = (struct keep_config){0};
	retention_choose(few, 3, &keep, now);
	assert_true(few[0].keep && few[1].keep && few[2].keep);
	keep.daily = 1;
	retention_choose(few, 3, &keep, now);
	assert_true(few[0].keep && !few[1].keep && !few[2].keep);
	few[2].verified = true;
	retention_choose(few, 3, &keep, now);
	assert_true(few[2].keep);
}

static const struct prune_rule hourly = {"portal", {.hourly = 1}};

static struct prune_result prune(bool apply, uint64_t now_ms, const struct id *protect)
{
	struct prune_result result;
	struct prune_options o = {.now_ms = now_ms,
	    .apply = apply,
	    .rules = &hourly,
	    .rule_count = 1,
	    .protect = protect,
	    .protect_count = protect ? 1 : 0};
	WORLD_OK(&w, repo_prune(w.repo, &o, w.arena, &result, &w.err));
	return result;
}

static void test_prune_in_two_phases(void **state)
{
	(void)state;
	struct snapshot_summary s[4];
	struct verify_result v;
	struct repo_stats before, after;
	uint64_t now;
	world_settle();
	WORLD_OK(&w, world_create(&w, &s[0])); /* what all have in common lies in a pack of its own */
	for (int i = 0; i < 4; i++) {
		world_noise(w.data_dir, "f", 200000, (uint64_t)i + 10);
		w.now_ms += 3600000;
		WORLD_OK(&w, world_create(&w, &s[i]));
	}
	WORLD_OK(&w, world_verify(&w, s[1].snapshot, &v)); /* the last verified stays, old as it is */
	now = w.now_ms;
	WORLD_OK(&w, repo_stats(w.repo, &before, &w.err));
	struct prune_result r = prune(false, now, &s[2].snapshot);
	assert_int_equal(r.removed.count, 2); /* the first and 0; not 1 (verified), 2 (protected), 3 (newest) */
	assert_true(id_equal(LIST_AT(r.removed, struct id, 0), s[0].snapshot));
	assert_int_equal(world_count(&w), 5); /* a dry run */
	r = prune(true, now, &s[2].snapshot);
	assert_int_equal(world_count(&w), 3);
	assert_int_equal(r.condemned_packs, 0); /* what goes in this run still counts */
	r = prune(true, now + 1000, &s[2].snapshot);
	assert_int_equal(r.removed.count, 0);
	assert_true(r.condemned_packs >= 1);
	uint64_t condemned = r.condemned_packs;
	assert_int_equal(prune(true, now + 2000, &s[2].snapshot).deleted_packs, 0); /* too early */
	/* A condemned pack is not leaned on: the same content is stored anew. */
	struct snapshot_summary again;
	world_noise(w.data_dir, "f", 200000, 10);
	w.now_ms += 1000;
	WORLD_OK(&w, world_create(&w, &again));
	assert_true(again.stored_bytes > 200000);
	r = prune(true, now + 1000 + PRUNE_GRACE_MS, &s[2].snapshot);
	assert_int_equal(r.deleted_packs, condemned);
	WORLD_OK(&w, repo_stats(w.repo, &after, &w.err));
	assert_true(
	    after.packs > before.packs - condemned && after.packs <= before.packs - condemned + SNAPSHOT_WORKERS_MAX);
	WORLD_OK(&w, world_verify(&w, s[1].snapshot, &v));
	WORLD_OK(&w, world_verify(&w, s[2].snapshot, &v));
	WORLD_OK(&w, world_verify(&w, again.snapshot, &v));
	struct repo_check_options o = {.read_data = true};
	struct repo_check_result check;
	WORLD_OK(&w, repo_check(w.repo, &o, &check, &w.err));
	assert_int_equal(check.findings, 0);
	assert_int_equal(check.unreferenced_packs, 0);
}

static void hold(void *ctx, struct snapshot_marks *m)
{
	(void)ctx;
	m->hold = "legal";
}

static void test_hold(void **state)
{
	(void)state;
	struct snapshot_summary s[3];
	for (int i = 0; i < 3; i++) {
		w.now_ms += 3600000;
		WORLD_OK(&w, world_create(&w, &s[i]));
	}
	WORLD_OK(&w, snapshot_mark(w.repo, s[0].snapshot, hold, NULL, &w.err));
	struct prune_result r = prune(true, w.now_ms, NULL);
	assert_int_equal(r.removed.count, 1);
	assert_true(id_equal(LIST_AT(r.removed, struct id, 0), s[1].snapshot));
}

/* What a damaged restore point needs is not known: then nothing is thrown away. */
static void test_prune_refuses_damage(void **state)
{
	(void)state;
	struct snapshot_summary s;
	char name[ID_TEXT_MAX], file[WORLD_PATH];
	struct prune_options o = {.now_ms = w.now_ms, .apply = true, .rules = &hourly, .rule_count = 1};
	struct prune_result result;
	WORLD_OK(&w, world_create(&w, &s));
	(void)text_format(file, sizeof file, "snapshots/%s.manifest", id_format(ID_SNAPSHOT, s.snapshot, name));
	world_text(w.repo_path, file, "rubbish");
	expect(repo_prune(w.repo, &o, w.arena, &result, &w.err), ERR_CORRUPT, name);
}

/* A pack that no index knows (a crash between rename and commit) goes when it is old enough. */
static void test_prune_takes_strays(void **state)
{
	(void)state;
	struct snapshot_summary s;
	char path[WORLD_PATH * 2];
	struct stat st;
	WORLD_OK(&w, world_create(&w, &s));
	world_text(w.repo_path, "packs/00112233445566778899aabbccddeeff.pack", "left by a crash");
	in_repo("packs/00112233445566778899aabbccddeeff.pack", path);
	assert_int_equal(stat(path, &st), 0);
	uint64_t written_ms = (uint64_t)st.st_mtim.tv_sec * 1000;
	assert_int_equal(prune(true, written_ms, NULL).deleted_packs, 0);
	assert_true(file_exists(path));
	assert_int_equal(prune(true, written_ms + PRUNE_GRACE_MS + 2000, NULL).deleted_packs, 1);
	assert_false(file_exists(path));
}

static void test_rebuild(void **state)
{
	(void)state;
	struct snapshot_summary s, again;
	struct verify_result v;
	char path[WORLD_PATH * 2];
	uint64_t chunks;
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, repo_rebuild_index(w.repo, NULL, NULL, &chunks, &w.err));
	assert_true(chunks >= 3);
	WORLD_OK(&w, world_verify(&w, s.snapshot, &v));
	world_close(&w);
	in_repo("index/list", path);
	assert_int_equal(unlink(path), 0);
	world_open(&w);
	WORLD_OK(&w, world_verify(&w, s.snapshot, &v));
	world_noise(w.data_dir, "g", 5000, 1); /* known content: the new index is as good as the old */
	WORLD_OK(&w, world_create(&w, &again));
	assert_true(again.stored_bytes < 4096);
}

/* Another process finds the index damaged and makes it anew while we have it open: what we would write to the old one
 * must not be lost. */
static void test_index_replaced_under_us(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct verify_result v;
	int status;
	WORLD_OK(&w, world_create(&w, &s));
	pid_t pid = fork();
	if (pid == 0) {
		world_text(w.repo_path, "index/list", "not a list");
		struct repo *r;
		struct index *x;
		_exit(repo_open(w.repo_path, WORLD_HOST, &r, &w.err) || repo_index(r, &x, &w.err));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	world_noise(w.data_dir, "f", 5000, 99);
	expect(world_create(&w, &s), ERR_STATE, "made anew");
	world_close(&w);
	world_open(&w);
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, world_verify(&w, s.snapshot, &v));
}

/* A repository below what it keeps would grow by itself for ever. */
static void test_repository_below_a_root(void **state)
{
	(void)state;
	struct snapshot_summary s, again;
	struct snapshot *opened;
	struct snapshot_entry e;
	w.data_paths[0] = w.dir; /* holds the repository, and the configuration too */
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, snapshot_open(w.repo, s.snapshot, &opened, &w.err));
	assert_false(snapshot_lookup(opened, COMPONENT_DATA, 0, "repo", &e));
	assert_true(snapshot_lookup(opened, COMPONENT_DATA, 0, "var/f", &e));
	snapshot_close(opened);
	world_settle();
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, world_create(&w, &again));
	assert_int_equal(again.stored_bytes, 0);
}

/* ---- code: what a work tree and a release say ---- */

static void git(const char *worktree, const char *const *args, size_t count)
{
	const char *argv[20] = {"git", "-C", worktree, "-c", "user.name=t", "-c", "user.email=t@t", "-c",
	    "core.hooksPath=/nowhere", "-c", "protocol.file.allow=always"};
	char out[1024];
	for (size_t i = 0; i < count; i++)
		argv[11 + i] = args[i];
	if (world_run(argv, out, sizeof out) < 0)
		fail_msg("git %s: %s", args[0], out);
}
#define GIT_IN(worktree, ...)                                                                                          \
	git(worktree, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define GIT(...) GIT_IN(w.data_dir, __VA_ARGS__)

static void test_git(void **state)
{
	(void)state;
	struct component_config code = {.git = w.data_dir};
	struct snapshot_summary s;
	char commit[GIT_COMMIT_MAX + 1], out[256];
	const char *const rev[] = {"git", "-C", w.data_dir, "rev-parse", "HEAD", NULL};
	if (!world_has("git")) {
		print_message("skipped: needs git\n");
		skip();
	}
	w.service.components = (struct components_config){.code = &code};
	expect(world_create(&w, &s), ERR_NOT_FOUND, "git work tree");
	GIT("init", "-q", "-b", "main");
	assert_int_equal(git_commit(w.data_dir, commit, &w.err), ERR_OK);
	assert_string_equal(commit, "");
	assert_false(git_dirty(w.data_dir));
	char link_path[WORLD_PATH * 2];
	(void)text_format(link_path, sizeof link_path, "%s/link", w.data_dir);
	assert_int_equal(symlink("f", link_path), 0);
	GIT("add", ".");
	GIT("commit", "-q", "-m", "one");
	assert_true(world_run(rev, out, sizeof out) >= 40);
	out[40] = 0;
	WORLD_OK(&w, world_create(&w, &s));
	const struct snapshot_component *c = snapshot_summary_component(&s, COMPONENT_CODE);
	assert_string_equal(c->version, out);
	assert_false(c->dirty);
	GIT("pack-refs", "--all"); /* now the branch is a line in a file */
	assert_int_equal(git_commit(w.data_dir, commit, &w.err), ERR_OK);
	assert_string_equal(commit, out);
	GIT("checkout", "-q", "--detach");
	assert_int_equal(git_commit(w.data_dir, commit, &w.err), ERR_OK);
	assert_string_equal(commit, out);
	world_noise(w.data_dir, "f", 5000, 1); /* touched: same content */
	assert_false(git_dirty(w.data_dir));
	world_noise(w.data_dir, "f", 5000, 2);
	assert_true(git_dirty(w.data_dir));
	WORLD_OK(&w, world_create(&w, &s));
	assert_true(snapshot_summary_component(&s, COMPONENT_CODE)->dirty);
	GIT("update-index", "--index-version", "4");
	assert_true(git_dirty(w.data_dir));
	world_noise(w.data_dir, "f", 5000, 1);
	assert_false(git_dirty(w.data_dir));
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(symlink("g", link_path), 0);
	assert_true(git_dirty(w.data_dir));
}

/* A submodule is deployed at a commit, too: another one, or a file of its own that differs, makes the whole dirty. */
static void test_submodules(void **state)
{
	(void)state;
	char origin[WORLD_PATH * 2], theme[WORLD_PATH * 2], path[WORLD_PATH * 3];
	if (!world_has("git")) {
		print_message("skipped: needs git\n");
		skip();
	}
	(void)text_format(origin, sizeof origin, "%s/origin", w.dir);
	(void)text_format(theme, sizeof theme, "%s/theme", w.data_dir);
	assert_int_equal(mkdir(origin, 0755), 0);
	GIT_IN(origin, "init", "-q", "-b", "main");
	world_text(origin, "style", "one");
	GIT_IN(origin, "add", ".");
	GIT_IN(origin, "commit", "-q", "-m", "one");
	GIT("init", "-q", "-b", "main");
	GIT("submodule", "add", "-q", origin, "theme");
	GIT("add", ".");
	GIT("commit", "-q", "-m", "with a theme");
	assert_false(git_dirty(w.data_dir));
	world_text(theme, "style", "two");
	assert_true(git_dirty(w.data_dir)); /* a file of its own */
	world_text(theme, "untracked", "served all the same");
	GIT_IN(theme, "commit", "-q", "-a", "-m", "two");
	assert_true(git_dirty(w.data_dir)); /* another commit than the one that is named */
	GIT("add", "theme");
	assert_false(git_dirty(w.data_dir)); /* staged, as with any file */
	GIT_IN(theme, "checkout", "-q", "--detach", "HEAD~1");
	assert_true(git_dirty(w.data_dir));
	GIT("submodule", "update", "-q");
	assert_false(git_dirty(w.data_dir));
	(void)text_format(path, sizeof path, "%s/.git", theme);
	world_text(theme, ".git", "gitdir: /nowhere");
	assert_true(git_dirty(w.data_dir)); /* nobody knows */
	assert_int_equal(unlink(path), 0);
	assert_false(git_dirty(w.data_dir)); /* not checked out */
	(void)text_format(path, sizeof path, "%s.gone", theme);
	assert_int_equal(rename(theme, path), 0);
	assert_true(git_dirty(w.data_dir));
}

static void test_release(void **state)
{
	(void)state;
	char releases[WORLD_PATH * 2], path[WORLD_PATH * 3], current[WORLD_PATH * 2];
	struct component_config code = {.release = current};
	struct snapshot_summary s;
	struct snapshot *opened;
	struct diff_options o = {0};
	struct diff_result result;
	(void)text_format(releases, sizeof releases, "%s/releases", w.dir);
	(void)text_format(current, sizeof current, "%s/current", w.dir);
	assert_int_equal(mkdir(releases, 0755), 0);
	for (int i = 1; i <= 2; i++) {
		(void)text_format(path, sizeof path, "%s/v%d", releases, i);
		assert_int_equal(mkdir(path, 0755), 0);
		world_text(path, "app", i == 1 ? "first" : "second");
	}
	w.service.components = (struct components_config){.code = &code};
	expect(world_create(&w, &s), ERR_NOT_FOUND, "current");
	assert_int_equal(symlink("releases/v1", current), 0);
	WORLD_OK(&w, world_create(&w, &s));
	const struct snapshot_component *c = snapshot_summary_component(&s, COMPONENT_CODE);
	assert_string_equal(c->version, "v1");
	assert_int_equal(c->roots.count, 2);
	WORLD_OK(&w, snapshot_open(w.repo, s.snapshot, &opened, &w.err));
	assert_int_equal(unlink(current), 0);
	assert_int_equal(symlink("releases/v2", current), 0);
	WORLD_OK(&w, snapshot_diff_live(opened, &w.service, &o, NULL, NULL, &result, &w.err));
	assert_int_equal(result.component[COMPONENT_CODE].content, 1);
	assert_string_equal(result.component[COMPONENT_CODE].version_before, "v1");
	assert_string_equal(result.component[COMPONENT_CODE].version_now, "v2");
	snapshot_close(opened);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_opening, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_foreign_key, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_finding, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stats_and_sample, setup, teardown),
	    cmocka_unit_test(test_retention),
	    cmocka_unit_test_setup_teardown(test_prune_in_two_phases, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hold, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_prune_refuses_damage, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_prune_takes_strays, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rebuild, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_index_replaced_under_us, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_repository_below_a_root, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_git, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_submodules, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_release, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
