/* The archive of a write-ahead log, with segments made up here: whole or not there, once, of one cluster, without gaps.
 */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/database/database.h"
#include "agent/database/wal.h"
#include "agent/repository/bytes.h"
#include "shared/base/text.h"
#include "tests/lib/scratch.h"

enum { SEGMENT = 1 << 20, SYSTEM = 77, PATH = 512, NOW = 1000000 };
#define NAME(N) "0000000100000000000000" N

struct rig {
	char dir[SCRATCH_PATH], state[PATH], data[PATH];
	struct arena *arena;
	struct repo *repo;
	const struct agent_config *config;
	const struct service_config *service;
	struct wal_area area;
};
static struct rig r;

#define MUST(call)                                                                                                     \
	do {                                                                                                           \
		struct err must_err_ = ERR_INIT, *err = &must_err_;                                                    \
		if ((call) != ERR_OK)                                                                                  \
			fail_msg("%s: %s", #call, must_err_.msg);                                                      \
	} while (0)

static char *path(const char *name, char out[PATH])
{
	assert_true(text_format(out, PATH, "%s/%s", r.dir, name));
	return out;
}

static void put_file(const char *file, const void *data, size_t size)
{
	FILE *f = fopen(file, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

/* A segment at this place in the log, with content of its own. */
static void segment(const char *file, uint64_t number, uint64_t system, unsigned fill)
{
	uint8_t *page = malloc(SEGMENT);
	assert_non_null(page);
	for (size_t i = 0; i < SEGMENT; i++)
		page[i] = (uint8_t)(i * 31 + fill + (i >> 12));
	put16(page, 0xD110);
	put16(page + 2, 2);
	put32(page + 4, 1);
	put64(page + 8, number * SEGMENT);
	put64(page + 24, system);
	put32(page + 32, SEGMENT);
	put32(page + 36, 8192);
	put_file(file, page, SEGMENT);
	free(page);
}

static enum err_code push(const char *name, uint64_t number, unsigned fill, bool *already, struct err *reterr)
{
	char file[PATH];
	segment(path("source", file), number, SYSTEM, fill);
	return wal_push(&r.area, file, name, NOW, already, reterr);
}

static int set_up(void **state)
{
	(void)state;
	char file[PATH], yaml[4 * PATH];
	uint8_t control[512] = {0};
	r = (struct rig){.arena = arena_new(64 << 20)};
	scratch_make(r.dir);
	path("state", r.state);
	path("data", r.data);
	assert_int_equal(mkdir(r.state, 0711), 0);
	assert_int_equal(mkdir(r.data, 0700), 0);
	assert_int_equal(mkdir(path("data/global", file), 0700), 0);
	assert_int_equal(mkdir(path("data/pg_wal", file), 0700), 0);
	assert_int_equal(mkdir(path("data/pg_wal/archive_status", file), 0700), 0);
	put64(control, SYSTEM);
	put32(control + 8, 1300);
	put_file(path("data/global/pg_control", file), control, sizeof control);
	segment(path("data/pg_wal/" NAME("01"), file), 1, SYSTEM, 0);
	assert_true(text_format(yaml, sizeof yaml,
	    "host: h1\nstate_directory: %s\nservices:\n  svc:\n    components:\n      database: { postgres: { "
	    "data_directory: %s, wal_archive: true } }\n",
	    r.state, r.data));
	MUST(agent_config_parse("agent.yaml", yaml, strlen(yaml), r.arena, &r.config, err));
	r.service = agent_config_service(r.config, "svc");
	MUST(repo_init(path("repo", file), "h1", err));
	MUST(repo_open(file, "h1", &r.repo, err));
	MUST(wal_area_make(r.repo, r.state, r.service, &r.area, err));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	repo_close(r.repo);
	arena_free(r.arena);
	scratch_remove(r.dir);
	return 0;
}

/* ---- names ---- */

static void names(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "0", "00000001", "00000000.history", "00000001.historyx",
	    "000000010000000000000001x", "00000001000000000000000g", "00000001000000000000000a",
	    "000000010000000000000001.", "000000010000000000000001.0000000.backup",
	    "000000010000000000000001.00000028.backup.", "../000000010000000000000001",
	    "000000010000000000000001.partial2", "000000000000000000000001"};
	struct wal_name n;
	char out[WAL_NAME_MAX];
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (wal_name_parse(bad[i], &n))
			fail_msg("\"%s\" is taken for a name", bad[i]);
	assert_true(wal_name_parse("0000000A0000001B000000FF", &n));
	assert_int_equal(n.kind, WAL_SEGMENT);
	assert_int_equal(n.timeline, 10);
	assert_int_equal(wal_number(&n, 16 << 20), 0x1bff);
	assert_string_equal(wal_segment_name(10, 0x1bff, 16 << 20, out), "0000000A0000001B000000FF");
	assert_string_equal(wal_segment_name(10, 0x1c00, 16 << 20, out), "0000000A0000001C00000000");
	assert_true(wal_name_parse("0000000A.history", &n) && n.kind == WAL_HISTORY && n.timeline == 10);
	assert_true(wal_name_parse("000000010000000000000001.partial", &n) && n.kind == WAL_PARTIAL);
	assert_true(wal_name_parse("000000010000000000000001.00000028.backup", &n) && n.kind == WAL_BACKUP);
}

static void lsns(void **state)
{
	(void)state;
	uint64_t lsn;
	char out[WAL_LSN_TEXT];
	assert_true(wal_lsn_parse("16/B374D848", &lsn));
	assert_true(lsn == 0x16B374D848ull);
	assert_string_equal(wal_lsn_text(lsn, out), "16/B374D848");
	assert_true(wal_lsn_parse("0/0", &lsn) && lsn == 0);
	assert_false(wal_lsn_parse("16B374D848", &lsn) || wal_lsn_parse("/1", &lsn) || wal_lsn_parse("1/", &lsn) ||
		     wal_lsn_parse("1/2x", &lsn) || wal_lsn_parse("123456789/0", &lsn) || wal_lsn_parse(" 1/2", &lsn) ||
		     wal_lsn_parse("", &lsn));
}

static void histories(void **state)
{
	(void)state;
	static const char good[] =
	    "1\t0/3000158\tno recovery target specified\n\n# a comment\n2\t0/4000000\tbefore 2026\n";
	static const char *const bad[] = {"1\n", "x\t0/1\n", "0\t0/1\n", "2\t0/1\n1\t0/2\n", "1\t0/2\n2\t0/1\n",
	    "1\t3000158\tx\n", "1\t0/1\n1\t0/2\n"};
	struct list all;
	MUST(wal_history_parse(good, strlen(good), r.arena, &all, err));
	assert_int_equal(all.count, 2);
	assert_int_equal(LIST_AT(all, struct wal_ancestor, 1).timeline, 2);
	assert_true(LIST_AT(all, struct wal_ancestor, 0).until == 0x3000158);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(wal_history_parse(bad[i], strlen(bad[i]), r.arena, &all, NULL), ERR_CORRUPT);
}

/* ---- in and out ---- */

static void comes_back(const char *name, uint64_t number, unsigned fill)
{
	char there[PATH], out[PATH];
	uint8_t *a = malloc(SEGMENT), *b = malloc(SEGMENT);
	segment(path("expected", there), number, SYSTEM, fill);
	MUST(wal_fetch(&r.area, name, path("out", out), err));
	FILE *x = fopen(there, "re"), *y = fopen(out, "re");
	assert_true(x && y && a && b);
	assert_int_equal(fread(a, 1, SEGMENT, x), SEGMENT);
	assert_int_equal(fread(b, 1, SEGMENT, y), SEGMENT);
	assert_int_equal(fgetc(y), EOF);
	assert_memory_equal(a, b, SEGMENT);
	(void)fclose(x);
	(void)fclose(y);
	free(a);
	free(b);
}

static void pushed_once(void **state)
{
	(void)state;
	bool already = true;
	struct err why = ERR_INIT;
	struct envelope_about about;
	MUST(push(NAME("01"), 1, 1, &already, err));
	assert_false(already);
	MUST(push(NAME("01"), 1, 1, &already, err));
	assert_true(already);
	assert_int_equal(push(NAME("01"), 1, 2, &already, &why), ERR_EXISTS);
	comes_back(NAME("01"), 1, 1);
	MUST(wal_about(&r.area, NAME("01"), &about, err));
	assert_true(about.made_ms == NOW && about.raw_size == SEGMENT && about.changed_ms > NOW);
	assert_int_equal(wal_fetch(&r.area, NAME("02"), "/nowhere", &why), ERR_NOT_FOUND);
	assert_int_equal(wal_fetch(&r.area, "../area", "/nowhere", &why), ERR_INVALID);
}

static void of_one_cluster(void **state)
{
	(void)state;
	char file[PATH];
	bool already;
	struct err why = ERR_INIT;
	segment(path("source", file), 1, SYSTEM + 1, 0);
	assert_int_equal(wal_push(&r.area, file, NAME("01"), NOW, &already, &why), ERR_INVALID);
	assert_non_null(strstr(why.msg, "another cluster"));
	assert_int_equal(push(NAME("02"), 1, 0, &already, &why), ERR_INVALID); /* of another place */
	put_file(file, "short", 5);
	assert_int_equal(wal_push(&r.area, file, NAME("01"), NOW, &already, &why), ERR_INVALID);
	MUST(wal_push(&r.area, file, "00000002.history", NOW, &already, err));
	MUST(wal_push(&r.area, file, NAME("01") ".00000028.backup", NOW, &already, err));
	assert_int_equal(wal_push(&r.area, file, "evil/../../x", NOW, &already, &why), ERR_INVALID);
	uint8_t control[512] = {0};
	struct wal_area other;
	put64(control, SYSTEM + 1);
	put32(control + 8, 1300);
	put_file(path("data/global/pg_control", file), control, sizeof control);
	assert_int_equal(wal_area_make(r.repo, r.state, r.service, &other, &why), ERR_STATE);
}

/* Every byte of a file counts; one that is damaged is never handed out, and is healed by the same segment coming again.
 */
static void damaged(void **state)
{
	(void)state;
	char file[PATH], out[PATH];
	bool already;
	MUST(push(NAME("01"), 1, 1, &already, err));
	path("state/wal/svc/log/" NAME("01"), file);
	struct stat st;
	assert_int_equal(stat(file, &st), 0);
	path("out", out);
	for (off_t at = 0; at < st.st_size; at += st.st_size / 97 + 1) {
		uint8_t byte, flipped;
		struct err why = ERR_INIT;
		int fd = open(file, O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		flipped = byte ^ 0x10;
		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		assert_int_equal(wal_fetch(&r.area, NAME("01"), out, &why), ERR_CORRUPT);
		assert_int_equal(access(out, F_OK), -1);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
	}
	assert_int_equal(truncate(file, st.st_size - 1), 0);
	assert_int_equal(wal_fetch(&r.area, NAME("01"), out, NULL), ERR_CORRUPT);
	MUST(push(NAME("01"), 1, 1, &already, err));
	assert_false(already);
	comes_back(NAME("01"), 1, 1);
	/* One segment cannot pass for another. */
	char second[PATH];
	assert_int_equal(rename(file, path("state/wal/svc/log/" NAME("02"), second)), 0);
	assert_int_equal(wal_fetch(&r.area, NAME("02"), out, NULL), ERR_CORRUPT);
}

static void side_by_side(void **state)
{
	(void)state;
	enum { PUSHERS = 6 };
	char file[PATH];
	segment(path("source", file), 1, SYSTEM, 5);
	pid_t all[PUSHERS];
	for (int i = 0; i < PUSHERS; i++) {
		all[i] = fork();
		if (!all[i]) {
			bool already;
			_exit(wal_push(&r.area, file, NAME("01"), NOW, &already, NULL) == ERR_OK ? 0 : 1);
		}
	}
	for (int i = 0; i < PUSHERS; i++) {
		int status;
		assert_int_equal(waitpid(all[i], &status, 0), all[i]);
		assert_int_equal(status, 0);
	}
	comes_back(NAME("01"), 1, 5);
	DIR *dir = opendir(path("state/wal/svc/log", file));
	int names_there = 0;
	for (struct dirent *e; (e = readdir(dir));)
		names_there += e->d_name[0] != '.' || e->d_name[1] == '0';
	closedir(dir);
	assert_int_equal(names_there, 1); /* no temporary ones */
}

static void later_keys(void **state)
{
	(void)state;
	bool already;
	struct wal_area again;
	MUST(push(NAME("01"), 1, 1, &already, err));
	MUST(wal_area_open(r.state, "svc", &again, err));
	assert_int_equal(again.key_count, 1);
	again.keys[1] = again.keys[0]; /* a newer master beside the old one */
	again.keys[1].number = again.keys[0].number + 1;
	again.keys[1].key[0] ^= 1;
	again.key_count = 2;
	r.area = again;
	MUST(push(NAME("02"), 2, 1, &already, err));
	comes_back(NAME("01"), 1, 1);
	comes_back(NAME("02"), 2, 1);
	r.area.key_count = 1;
	char out[PATH];
	assert_int_equal(wal_fetch(&r.area, NAME("02"), path("out", out), NULL), ERR_CORRUPT);
}

/* ---- how it stands ---- */

enum { RPO_MS = 90 * 1000 };

static struct wal_status status(uint64_t now_ms)
{
	struct wal_status s;
	MUST(wal_status_of(&r.area, "svc", r.data, RPO_MS, now_ms, r.arena, &s, err));
	return s;
}

static void touch(const char *name, uint64_t ms)
{
	char file[PATH];
	struct timespec t[2] = {
	    {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000}, {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000}};
	assert_int_equal(utimensat(AT_FDCWD, path(name, file), t, 0), 0);
}

static void push_at(const char *name, uint64_t number, uint64_t ms)
{
	char file[PATH];
	bool already;
	segment(path("source", file), number, SYSTEM, 1);
	touch("source", ms);
	MUST(wal_push(&r.area, file, name, ms + 5, &already, err));
}

/* The power went before the server's note about a backup was durable: it must not stand in the way of all that follows.
 */
static void an_empty_note_is_taken(void **state)
{
	(void)state;
	char file[PATH], out[PATH];
	struct stat st;
	bool already = true;
	put_file(path("source", file), "", 0);
	MUST(wal_push(&r.area, file, NAME("02") ".00000028.backup", NOW, &already, err));
	assert_false(already);
	MUST(wal_push(&r.area, file, NAME("02") ".00000028.backup", NOW, &already, err));
	assert_true(already);
	put_file(file, "START WAL LOCATION: 0/200028\n", 29);
	MUST(wal_push(&r.area, file, NAME("02") ".00000028.backup", NOW, &already, err));
	MUST(wal_fetch(&r.area, NAME("02") ".00000028.backup", path("out", out), err));
	assert_int_equal(stat(out, &st), 0);
	assert_int_equal(st.st_size, 0); /* the first one stays */
	put_file(file, "", 0);
	assert_int_equal(wal_push(&r.area, file, "00000002.history", NOW, &already, NULL), ERR_INVALID);
}

static void status_tells(void **state)
{
	(void)state;
	char file[PATH];
	assert_int_equal(status(NOW).state, WAL_STATE_EMPTY);
	MUST(database_archive_based(r.state, r.service, 100000, err)); /* a restore point: from here on it is missed */
	MUST(database_archive_based(r.state, r.service, 150000, err)); /* and no later one puts that off */
	assert_int_equal(status(100000 + RPO_MS).state, WAL_STATE_EMPTY);
	assert_true(status(100000 + RPO_MS + 1).state == WAL_STATE_LATE && status(100000 + RPO_MS + 1).rpo_ms > RPO_MS);
	push_at(NAME("01"), 1, 600000);
	push_at(NAME("02"), 2, 700000);
	segment(path("data/pg_wal/" NAME("03"), file), 3, SYSTEM, 0);
	touch("data/pg_wal/" NAME("03"), 650000); /* recycled, not written to since: nothing would be lost */
	struct wal_status s = status(2000000);
	assert_int_equal(s.state, WAL_STATE_OK);
	assert_int_equal(s.segments, 2);
	assert_true(s.newest_age_ms == 1300000 && s.rpo_ms == 0 && s.oldest_ms == 600000);
	assert_string_equal(s.last, NAME("02"));
	touch("data/pg_wal/" NAME("03"), 750000);
	s = status(800000);
	assert_true(s.state == WAL_STATE_LATE && s.rpo_ms == 100000);
	assert_int_equal(status(700000 + RPO_MS).state, WAL_STATE_OK);
	assert_int_equal(status(700000 + RPO_MS + 1).state, WAL_STATE_LATE);
	/* The server went on, and the next one is nowhere: it will never come. */
	assert_int_equal(unlink(file), 0);
	segment(path("data/pg_wal/" NAME("04"), file), 4, SYSTEM, 0);
	s = status(800000);
	assert_int_equal(s.state, WAL_STATE_GAP);
	assert_non_null(strstr(s.text, NAME("03")));
}

static void gaps(void **state)
{
	(void)state;
	char file[PATH];
	bool already;
	for (unsigned i = 1; i <= 5; i++) {
		char name[WAL_NAME_MAX];
		push_at(wal_segment_name(1, i, SEGMENT, name), i, 1000 * i);
	}
	assert_int_equal(status(6000).state, WAL_STATE_OK);
	put_file(path("source", file), "1\t0/380000\tbefore\n", 18); /* in the middle of segment 3 */
	MUST(wal_push(&r.area, file, "00000002.history", NOW, &already, err));
	push_at("000000020000000000000003", 3, 9000);
	push_at("000000020000000000000004", 4, 9500);
	assert_int_equal(status(9600).state, WAL_STATE_OK);
	struct wal_holding h;
	MUST(wal_list(&r.area, r.arena, &h, err));
	assert_int_equal(h.timeline_count, 2);
	assert_true(h.timelines[1].parent == 1 && h.timelines[1].begins == 0x380000 && h.timelines[1].count == 2);
	assert_true(wal_run_end(&h, 1, 2) == 5 && wal_run_end(&h, 2, 3) == 4 && wal_run_end(&h, 2, 5) == 4 &&
		    wal_run_end(&h, 9, 7) == 6);
	assert_int_equal(unlink(path("state/wal/svc/log/" NAME("04"), file)), 0);
	struct wal_status s = status(9600);
	assert_int_equal(s.state, WAL_STATE_GAP);
	assert_non_null(strstr(s.text, NAME("04")));
	MUST(wal_list(&r.area, r.arena, &h, err));
	assert_true(wal_run_end(&h, 1, 1) == 3);
	push_at(NAME("04"), 4, 4000);
	assert_int_equal(status(9600).state, WAL_STATE_OK);
	/* The first one of the new timeline */
	assert_int_equal(unlink(path("state/wal/svc/log/000000020000000000000003", file)), 0);
	assert_int_equal(status(9600).state, WAL_STATE_GAP);
}

static void swept(void **state)
{
	(void)state;
	char file[PATH];
	bool already;
	struct wal_swept n;
	struct wal_holding h;
	for (unsigned i = 1; i <= 5; i++) {
		char name[WAL_NAME_MAX];
		push_at(wal_segment_name(1, i, SEGMENT, name), i, 1000 * i);
	}
	put_file(path("source", file), "1\t0/380000\tx\n", 13);
	MUST(wal_push(&r.area, file, "00000002.history", NOW, &already, err));
	MUST(wal_push(&r.area, file, NAME("02") ".00000028.backup", NOW, &already, err));
	put_file(path("state/wal/svc/log/." NAME("02") ".00ff00ff", file), "x", 1);
	touch("state/wal/svc/log/." NAME("02") ".00ff00ff", 1000);
	MUST(wal_sweep(&r.area, 4, 2000 + (uint64_t)WAL_LEFTOVER_MS, false, &n, err));
	assert_int_equal(n.files, 5); /* three segments, a backup file, a leftover */
	MUST(wal_list(&r.area, r.arena, &h, err));
	assert_int_equal(h.segment_count, 5);
	MUST(wal_sweep(&r.area, 4, 2000 + (uint64_t)WAL_LEFTOVER_MS, true, &n, err));
	MUST(wal_list(&r.area, r.arena, &h, err));
	assert_int_equal(h.segment_count, 2);
	assert_true(h.segments[0].number == 4 && h.timeline_count == 2);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(status(9000).state, WAL_STATE_OK);
}

static void base_at(const char *lsn)
{
	char folder[PATH];
	struct snapshot_source source = {
	    .component = COMPONENT_DATABASE, .root = path("data", folder), .label = "postgres"};
	struct snapshot_version version = {"postgres_start", lsn};
	struct snapshot_options o = {
	    .now_ms = NOW, .sources = &source, .source_count = 1, .versions = &version, .version_count = 1};
	struct snapshot_summary made;
	MUST(snapshot_create(r.repo, r.service, &o, r.arena, &made, err));
}

/* The oldest restore point decides what may go; without one nothing does. */
static void swept_with_the_bases(void **state)
{
	(void)state;
	struct wal_holding h;
	for (unsigned i = 1; i <= 5; i++) {
		char name[WAL_NAME_MAX];
		push_at(wal_segment_name(1, i, SEGMENT, name), i, 1000 * i);
	}
	MUST(database_archive_sweep(r.repo, r.state, r.service, NOW, r.arena, err));
	MUST(wal_list(&r.area, r.arena, &h, err));
	assert_int_equal(h.segment_count, 5);
	base_at("0/480000");
	base_at("0/380000");
	MUST(database_archive_sweep(r.repo, r.state, r.service, NOW, r.arena, err));
	MUST(wal_list(&r.area, r.arena, &h, err));
	assert_int_equal(h.segment_count, 3);
	assert_true(h.segments[0].number == 3);
}

/* A year: a restore point an hour, kept as `keep` says (24 of the last hours, 7 days, 4 weeks, 12 months), a segment a
 * minute, a sweep a day. */
enum { HOURS = 365 * 24, KEEP_DAYS = 35 };

static bool is_kept_after(unsigned hour, unsigned now)
{
	unsigned age = now - hour;
	return age < 24 || (hour % 24 == 0 && age <= 7 * 24) || (hour % (7 * 24) == 0 && age <= 28 * 24) ||
	       hour % (30 * 24) == 0;
}

static void a_year_of_log_is_no_more_than_its_window(void **state)
{
	static struct wal_base bases[HOURS];
	const uint64_t minute = 16 << 20, keep_ms = (uint64_t)KEEP_DAYS * 24 * 3600 * 1000;
	(void)state;
	for (unsigned now = 24; now < HOURS; now += 24) {
		size_t count = 0;
		uint64_t from, written = now * 60 * minute, oldest = UINT64_MAX;
		for (unsigned h = 0; h < now; h++)
			if (is_kept_after(h, now)) {
				bases[count++] = (struct wal_base){h * 60 * minute, h * 3600000ull};
				oldest = h * 60 * minute < oldest ? h * 60 * minute : oldest;
			}
		assert_true(wal_needed_from(bases, count, now * 3600000ull, keep_ms, &from));
		/* Every moment of the five weeks lies behind a base whose log is whole from there on. */
		uint64_t first = now > KEEP_DAYS * 24 ? (now - KEEP_DAYS * 24) * 60 * minute : 0;
		assert_true(from <= first);
		bool is_base = false;
		for (size_t i = 0; i < count; i++)
			is_base |= bases[i].start == from;
		assert_true(is_base);
		/* And that is all: the window, and a month to the base before it where only monthly ones are left. */
		assert_true((written - from) / minute <= (KEEP_DAYS + 30) * 24 * 60);
		assert_true(wal_needed_from(bases, count, now * 3600000ull, 0, &from) && from == oldest);
	}
	uint64_t none;
	assert_false(wal_needed_from(bases, 0, 1, keep_ms, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(lsns),
	    cmocka_unit_test_setup_teardown(histories, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pushed_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(of_one_cluster, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(damaged, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(side_by_side, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(later_keys, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_empty_note_is_taken, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(status_tells, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(gaps, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(swept, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(swept_with_the_bases, set_up, tear_down),
	    cmocka_unit_test(a_year_of_log_is_no_more_than_its_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
