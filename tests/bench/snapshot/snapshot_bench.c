/* tests/bench/snapshot/snapshot_bench.c: the snapshot engine by hand, and its times.
 *
 *   snapshot_bench REPO create|verify|sample|diff|exact|digest|list|check|stats|prune [TREE…]
 *   snapshot_bench REPO restore DIR
 *   snapshot_bench bench config|code|data [ROUNDS]    with $KEDGE_SHARED/bench/gen.py (default ../shared), in a folder
 * of its own below $TMPDIR; says so and skips when the generator is not there
 *
 * The trees are the data component of a service named "bench"; every verb works on its newest restore point and prints
 * one line. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "agent/snapshot/snapshot.h"
#include "agent/snapshot/upkeep.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum { TREES_MAX = 16, ROUNDS_DEFAULT = 3, ROUNDS_MAX = 15 };

struct bench {
	struct repo *repo;
	struct arena *arena;
	struct component_config data;
	struct service_config service;
};

static struct err err;

static int failed(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", what, err_code_name(err.code), err.msg);
	return 1;
}

static double seconds_since(uint64_t began_us)
{
	return (double)(clock_mono_us() - began_us) / 1e6;
}

static long peak_kib(void)
{
	struct rusage usage;
	return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_maxrss;
}

/* Of a busy machine this is what can be relied on. */
static double cpu_seconds(void)
{
	struct rusage u;
	if (getrusage(RUSAGE_SELF, &u))
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void tell(void *ctx, const char *text)
{
	(void)ctx;
	printf("  %s\n", text);
}

static int create(struct bench *b)
{
	struct snapshot_summary s;
	struct snapshot_options o = {.reason = SNAPSHOT_MANUAL, .now_ms = clock_wall_ms()};
	char size[TEXT_TIME_MAX], stored[TEXT_TIME_MAX];
	if (snapshot_create(b->repo, &b->service, &o, b->arena, &s, &err))
		return failed("create");
	const struct snapshot_component *c = &LIST_AT(s.components, struct snapshot_component, 0);
	printf("%s entries=%llu read=%llu size=%s stored=%s torn=%llu\n", id_text(ID_SNAPSHOT, s.snapshot),
	    (unsigned long long)c->entries, (unsigned long long)s.read_files, text_size_human(s.size_bytes, size),
	    text_size_human(s.stored_bytes, stored), (unsigned long long)c->torn);
	return 0;
}

static int verify(struct bench *b, const struct snapshot_summary *last, bool sample)
{
	struct verify_result r;
	struct verify_options o = {.sample = sample, .on_finding = tell};
	if (snapshot_verify(b->repo, last->snapshot, &o, &r, &err))
		return failed("verify");
	printf("chunks=%llu of %llu bytes=%llu\n", (unsigned long long)r.chunks, (unsigned long long)r.chunks_total,
	    (unsigned long long)r.bytes);
	return 0;
}

static bool tell_change(void *ctx, const struct snapshot_change *change)
{
	char text[512];
	int *left = ctx;
	if ((*left)-- > 0)
		printf("  %-8s %s %s\n", enum_name(&change_kind_enum, change->kind), change->root_path,
		    snapshot_path_text(change->path, text, sizeof text));
	return true;
}

static int diff(struct bench *b, const struct snapshot_summary *last, bool exact)
{
	struct snapshot *s;
	struct diff_result r;
	struct diff_options o = {.exact = exact};
	int left = 10;
	if (snapshot_open(b->repo, last->snapshot, &s, &err) ||
	    snapshot_diff_live(s, &b->service, &o, tell_change, &left, &r, &err))
		return failed("diff");
	const struct diff_component *c = &r.component[COMPONENT_DATA];
	printf("added=%llu removed=%llu content=%llu metadata=%llu\n", (unsigned long long)c->added,
	    (unsigned long long)c->removed, (unsigned long long)c->content, (unsigned long long)c->metadata);
	snapshot_close(s);
	return 0;
}

static int restore(struct bench *b, const struct snapshot_summary *last, const char *dir)
{
	struct snapshot *s;
	struct restore_result r;
	struct restore_options o = {.sync = true};
	if (snapshot_open(b->repo, last->snapshot, &s, &err) || snapshot_restore_into(s, dir, &o, &r, &err))
		return failed("restore");
	printf("entries=%llu files=%llu bytes=%llu\n", (unsigned long long)r.entries, (unsigned long long)r.files,
	    (unsigned long long)r.bytes);
	snapshot_close(s);
	return 0;
}

static int check(struct bench *b)
{
	struct repo_check_result r;
	struct repo_check_options o = {.on_finding = tell};
	if (repo_check(b->repo, &o, &r, &err))
		return failed("check");
	printf("packs=%llu chunks=%llu snapshots=%llu findings=%llu\n", (unsigned long long)r.packs,
	    (unsigned long long)r.chunks, (unsigned long long)r.snapshots, (unsigned long long)r.findings);
	return r.findings != 0;
}

static int show(const struct record_type *t, const void *record)
{
	struct buf text = BUF_INIT;
	struct table_options o = {0};
	if (record_sheet(t, record, &o, &text, &err))
		return failed("show");
	printf("%s\n", buf_str(&text));
	buf_done(&text);
	return 0;
}

static int run(struct bench *b, const char *verb, const char *dir)
{
	struct snapshot_summary last;
	struct repo_stats stats;
	if (text_equal(verb, "create"))
		return create(b);
	if (text_equal(verb, "check"))
		return check(b);
	if (text_equal(verb, "stats"))
		return repo_stats(b->repo, &stats, &err) ? failed("stats") : show(&repo_stats_type, &stats);
	if (snapshot_find(b->repo, "bench", "last", b->arena, &last, &err))
		return failed("find");
	if (text_equal(verb, "list"))
		return show(&snapshot_summary_type, &last);
	if (text_equal(verb, "verify") || text_equal(verb, "sample"))
		return verify(b, &last, text_equal(verb, "sample"));
	if (text_equal(verb, "diff") || text_equal(verb, "exact"))
		return diff(b, &last, text_equal(verb, "exact"));
	return text_equal(verb, "restore") && dir ? restore(b, &last, dir) : 2;
}

static int open_and_run(const char *repo, const char *verb, char **trees, int tree_count)
{
	struct bench b = {0};
	b.data.paths = (struct list){trees, (size_t)tree_count};
	b.service = (struct service_config){.name = "bench", .components = {.data = &b.data}};
	b.arena = arena_new(0);
	if (!file_exists(repo) && repo_init(repo, "bench-host", &err))
		return failed("init");
	if (repo_open(repo, "bench-host", &b.repo, &err))
		return failed("open");
	int rc = run(&b, verb, tree_count ? trees[0] : NULL);
	repo_close(b.repo);
	arena_free(b.arena);
	return rc;
}

/* ---- the table ---- */

/* A process of its own for each measurement: that is how the command line is used, and peak memory is told apart. */
static double measure(const char *repo, const char *verb, char *tree, long *ret_peak_kib, double *ret_cpu)
{
	int pipe_fds[2];
	struct {
		double seconds, cpu;
		long peak;
		int rc;
	} result = {0};
	fflush(stdout);
	if (pipe(pipe_fds))
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		uint64_t began_us = clock_mono_us();
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		result.rc = open_and_run(repo, verb, &tree, 1);
		result.seconds = seconds_since(began_us);
		result.peak = peak_kib();
		result.cpu = cpu_seconds();
		_exit(write(pipe_fds[1], &result, sizeof result) != sizeof result);
	}
	close(pipe_fds[1]);
	if (pid < 0 || read(pipe_fds[0], &result, sizeof result) != sizeof result || result.rc)
		result.seconds = -1;
	close(pipe_fds[0]);
	waitpid(pid, NULL, 0);
	*ret_peak_kib = result.peak;
	*ret_cpu = result.cpu;
	return result.seconds;
}

static int execute(char *const argv[])
{
	int status;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct row {
	const char *name, *verb;
	bool fresh_repo, fresh_tree;
	double seconds[ROUNDS_MAX];
	long peak_kib;
	double cpu[ROUNDS_MAX];
};

static void print_row(struct row *r, int rounds)
{
	qsort(r->seconds, (size_t)rounds, sizeof r->seconds[0], compare_doubles);
	qsort(r->cpu, (size_t)rounds, sizeof r->cpu[0], compare_doubles);
	printf("%-28s %8.3f s   (%.3f to %.3f)   cpu %.3f s   peak %.1f MiB\n", r->name, r->seconds[rounds / 2],
	    r->seconds[0], r->seconds[rounds - 1], r->cpu[rounds / 2], (double)r->peak_kib / 1024);
}

static int bench(const char *kind, int rounds)
{
	const char *shared = getenv("KEDGE_SHARED") ? getenv("KEDGE_SHARED") : "../shared";
	const char *temporary = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	char generator[PATH_LIMIT], base[PATH_LIMIT], tree[PATH_LIMIT], repo[PATH_LIMIT], out[PATH_LIMIT],
	    generation[16];
	struct row rows[] = {{"first snapshot", "create", true, false, {0}, 0, {0}},
	    {"nothing changed", "create", false, false, {0}, 0, {0}},
	    {"verify, all data", "verify", false, false, {0}, 0, {0}},
	    {"live comparison", "diff", false, false, {0}, 0, {0}},
	    {"restore to an empty place", "restore", false, true, {0}, 0, {0}},
	    {"1 % changed", "create", false, false, {0}, 0, {0}}};
	(void)text_format(generator, sizeof generator, "%s/bench/gen.py", shared);
	if (!file_exists(generator)) {
		printf("skipped: there is no %s (set KEDGE_SHARED)\n", generator);
		return 0;
	}
	(void)text_format(base, sizeof base, "%s/kedge-bench.XXXXXX", temporary);
	if (!mkdtemp(base))
		return 1;
	(void)text_format(tree, sizeof tree, "%s/tree", base);
	(void)text_format(repo, sizeof repo, "%s/repo", base);
	if (execute((char *[]){"python3", generator, (char *)kind, tree, NULL}))
		return 1;
	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			struct row *r = &rows[i];
			if (r->fresh_repo)
				(void)execute((char *[]){"rm", "-rf", repo, NULL});
			/* ext4 goes round freshly deleted inodes for a minute: never restore to where something was
			 * just removed. */
			if (r->fresh_tree)
				(void)text_format(out, sizeof out, "%s/out-%d", base, round);
			(void)text_format(generation, sizeof generation, "%d", round + 1);
			if (i + 1 == sizeof rows / sizeof rows[0] &&
			    execute((char *[]){"python3", generator, "mutate", tree, "--gen", generation, NULL}))
				return 1;
			(void)execute((char *[]){"sync", NULL});
			long peak;
			r->seconds[round] =
			    measure(repo, r->verb, text_equal(r->verb, "restore") ? out : tree, &peak, &r->cpu[round]);
			if (peak > r->peak_kib)
				r->peak_kib = peak;
			if (r->seconds[round] < 0)
				return 1;
		}
	printf("%s, median of %d\n", kind, rounds);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		print_row(&rows[i], rounds);
	(void)open_and_run(repo, "stats", NULL, 0);
	return execute((char *[]){"rm", "-rf", base, NULL});
}

int main(int argc, char **argv)
{
	log_setup("snapshot_bench", LOG_LEVEL_INFO);
	if (argc >= 3 && text_equal(argv[1], "bench")) {
		int rounds = argc > 3 ? atoi(argv[3]) : ROUNDS_DEFAULT;
		return bench(argv[2], rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds);
	}
	if (argc < 3 || argc - 3 > TREES_MAX) {
		fprintf(stderr, "usage: %s REPO VERB [TREE…] | %s bench config|code|data [ROUNDS]\n", argv[0], argv[0]);
		return 2;
	}
	uint64_t began_us = clock_mono_us();
	int rc = open_and_run(argv[1], argv[2], argv + 3, argc - 3);
	printf("%s %.3f s, peak %.1f MiB\n", argv[2], seconds_since(began_us), (double)peak_kib() / 1024);
	return rc;
}
