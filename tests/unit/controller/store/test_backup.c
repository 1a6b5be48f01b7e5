/* A copy while commits go on, from inside and from another process; the way back; and what is refused. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/store/backup.h"
#include "controller/turn/system.h"
#include "numbered.h"
#include "tests/lib/scratch.h"
#include "things.h"

extern char **environ;

struct fixture {
	char folder[SCRATCH_PATH];
	char store_folder[96], backup[96], restored[96];
	struct store *store;
	struct random random;
};

static void ok(enum err_code rc, const struct err *err)
{
	if (rc != ERR_OK)
		fail_msg("%s", err->msg);
}

static void open_at(struct fixture *f, const char *folder)
{
	struct err err = ERR_INIT;
	ok(store_open(&(struct store_options){.folder = folder}, &f->store, &err), &err);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = ERR_INIT;
	random_init_seed(&f->random, 1);
	scratch_make(f->folder);
	snprintf(f->store_folder, sizeof(f->store_folder), "%s/store", f->folder);
	snprintf(f->backup, sizeof(f->backup), "%s/backups/monday", f->folder);
	snprintf(f->restored, sizeof(f->restored), "%s/restored", f->folder);
	open_at(f, f->store_folder);
	ok(schema_open(f->store, thing_tables, 7000, &f->random, &err), &err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	scratch_remove(f->folder);
	free(f);
	return 0;
}

static enum err_code put_things(struct turn *t, void *ctx, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (uint64_t i = 0; rc == ERR_OK && i < *(const uint64_t *)ctx; i++)
		rc = turn_put(t, &thing_table, &(struct thing){.number = i, .owner = thing_owners[i % 3]}, reterr);
	return rc;
}

static enum err_code read_system(struct turn *t, void *ctx, struct err *reterr)
{
	return system_get(t, ctx, reterr);
}

static void a_restored_store_has_everything_and_knows_it(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	uint64_t count = 300;
	struct backup_manifest m, back;
	struct system_state was, is;
	ok(store_apply(f->store, 1, &f->random, put_things, &count, &err), &err);
	ok(store_apply(f->store, 1, &f->random, read_system, &was, &err), &err);
	ok(store_backup(f->store, f->backup, 9000, &m, &err), &err);
	assert_int_equal(m.schema, SCHEMA_VERSION);
	assert_int_equal(m.taken_ms, 9000);
	assert_true(m.entries >= 2 * count && id_equal(m.store, was.store));
	ok(store_restore(f->backup, f->restored, 12000, &f->random, &back, &err), &err);
	assert_true(id_equal(back.store, was.store));
	store_close(f->store);
	open_at(f, f->restored);
	ok(schema_open(f->store, thing_tables, 13000, &f->random, &err), &err);
	assert_int_equal(things_by_owner(f->store, &thing_table, "ada"), 100);
	struct arena *arena = arena_new(0); /* the strings of `is` */
	struct store_view *view;
	struct turn *t;
	ok(store_view_open(f->store, "test", &view, &err), &err);
	ok(turn_open_read(store_view_turn(view), 0, arena, &t, &err), &err);
	ok(system_get(t, &is, &err), &err);
	assert_true(is.restored_unseen && id_equal(is.store, was.store));
	assert_int_equal(is.restored_ms, 12000);
	assert_int_equal(is.restored_taken_ms, 9000);
	assert_string_equal(is.restored_from, f->backup);
	turn_close_read(t);
	store_view_close(view);
	arena_free(arena);
}

static void nothing_is_overwritten(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	ok(store_backup(f->store, f->backup, 9000, NULL, &err), &err);
	assert_int_equal(store_backup(f->store, f->backup, 9001, NULL, &err), ERR_EXISTS);
	assert_int_equal(store_restore(f->backup, f->store_folder, 9002, &f->random, NULL, &err), ERR_EXISTS);
	ok(store_restore(f->backup, f->restored, 9003, &f->random, NULL, &err), &err);
	assert_int_equal(store_restore(f->backup, f->restored, 9004, &f->random, NULL, &err), ERR_EXISTS);
	char empty[128];
	snprintf(empty, sizeof(empty), "%s/empty", f->folder);
	assert_int_equal(mkdir(empty, 0700), 0);
	ok(store_restore(f->backup, empty, 9005, &f->random, NULL, &err), &err);
}

static void flip(const char *folder, const char *name, long at)
{
	char path[160];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "r+e");
	assert_non_null(file);
	assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	int c = fgetc(file);
	assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
	fputc(c ^ 1, file);
	fclose(file);
}

static int names_in(const char *folder)
{
	int count = -2; /* . and .. */
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void a_damaged_backup_is_refused_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	ok(store_backup(f->store, f->backup, 9000, NULL, &err), &err);
	flip(f->backup, "data.mdb", 9000);
	assert_int_equal(store_restore(f->backup, f->restored, 9002, &f->random, NULL, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "damaged"));
	flip(f->backup, "data.mdb", 9000);
	flip(f->backup, "manifest.json", 0);
	assert_int_not_equal(store_restore(f->backup, f->restored, 9002, &f->random, NULL, &err), ERR_OK);
	flip(f->backup, "manifest.json", 0);
	char path[160];
	snprintf(path, sizeof(path), "%s/data.mdb", f->backup);
	assert_int_equal(truncate(path, 8192), 0);
	assert_int_equal(store_restore(f->backup, f->restored, 9002, &f->random, NULL, &err), ERR_CORRUPT);
	assert_int_equal(names_in(f->folder), 2); /* store, backups */
	assert_int_equal(store_restore("/tmp/kedge-test-none", f->restored, 1, &f->random, NULL, &err), ERR_NOT_FOUND);
}

/* ---- while commits go on ---- */

struct writer {
	struct store *store;
	atomic_bool stop;
	atomic_ullong done;
};

static void *write_on(void *arg)
{
	struct writer *w = arg;
	for (uint64_t i = 1; !atomic_load(&w->stop); i++) {
		if (numbered_commit(w->store, i, NULL) != ERR_OK)
			abort();
		atomic_store(&w->done, i);
	}
	return NULL;
}

static void check_numbered_backup(struct fixture *f, const char *backup, uint64_t least, uint64_t most)
{
	char folder[128];
	struct store *s;
	struct err err = ERR_INIT;
	snprintf(folder, sizeof(folder), "%s/look-%llu", f->folder, (unsigned long long)least);
	ok(store_restore(backup, folder, 1, &f->random, NULL, &err), &err);
	ok(store_open(&(struct store_options){.folder = folder}, &s, &err), &err);
	uint64_t n = numbered_check(s);
	assert_true(n >= least && n <= most);
	store_close(s);
}

/* This program again, as `kedge-controller backup` would run beside the controller. */
static enum err_code backup_in_child(const char *store, const char *backup)
{
	const char *const argv[] = {"/proc/self/exe", "backup", store, backup, NULL};
	pid_t pid;
	int status;
	assert_int_equal(posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (enum err_code)WEXITSTATUS(status);
}

static void a_backup_under_load_is_one_commit_whole(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	char backup[128];
	struct writer w = {.store = f->store};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
	while (atomic_load(&w.done) < 50)
		sched_yield();
	for (int i = 0; i < 3; i++) {
		uint64_t before = atomic_load(&w.done);
		snprintf(backup, sizeof(backup), "%s/b%d", f->folder, i);
		ok(store_backup(f->store, backup, 5, NULL, &err), &err);
		check_numbered_backup(f, backup, before, atomic_load(&w.done) + 1);
		before = atomic_load(&w.done);
		snprintf(backup, sizeof(backup), "%s/c%d", f->folder, i);
		assert_int_equal(backup_in_child(f->store_folder, backup), ERR_OK);
		check_numbered_backup(f, backup, before, atomic_load(&w.done) + 1);
	}
	atomic_store(&w.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(backup_in_child(f->folder, backup), ERR_NOT_FOUND);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "backup") == 0)
		return (int)store_backup_folder(argv[2], argv[3], 5, NULL, NULL);
	const struct CMUnitTest tests[] = {
	    CASE(a_restored_store_has_everything_and_knows_it),
	    CASE(nothing_is_overwritten),
	    CASE(a_damaged_backup_is_refused_and_leaves_nothing),
	    CASE(a_backup_under_load_is_one_commit_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
