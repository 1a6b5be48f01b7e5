/* Files of ours beside a data directory, and in it: interrupted at every system call, they are the old one or the new
 * one, belong to whom they should, and nothing is left when what made them is undone. */
#include "tests/lib/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/database/contents.h"
#include "agent/database/internal.h"
#include "agent/database/postgres_recovery.h"
#include "agent/database/tablespaces.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/faults/faults.h"
#include "tests/lib/scratch.h"

enum { NOBODY = 65534, CALLS_MAX = 60 };
#define AIM "restore_command = 'kedge-agent wal fetch %f %p'\nrecovery_target = 'immediate'\n"

static char folder[SCRATCH_PATH], data[SCRATCH_PATH + 8], other[SCRATCH_PATH + 32];

static int set_up(void **state)
{
	(void)state;
	scratch_make(folder);
	text_format(data, sizeof data, "%s/data", folder);
	text_format(other, sizeof other, "%s.kedge-ord-1", data);
	if (mkdir(data, 0700) != 0)
		return -1;
	return geteuid() == 0 ? chown(data, NOBODY, NOBODY) : 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(folder);
	return 0;
}

static size_t entries_of(const char *path)
{
	size_t n = 0;
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static bool reads(const char *path, const char *text)
{
	struct buf is = BUF_INIT;
	bool same = file_read(path, 4096, &is, NULL) == ERR_OK && strcmp(buf_str(&is), text) == 0;
	buf_done(&is);
	return same;
}

/* Died there?  false: there are not so many calls, and it went well. */
static bool dies(enum fault_kind kind, uint64_t at, enum err_code (*act)(struct err *reterr))
{
	int status = 0;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;
		faults_arm(kind, 0, at);
		_exit(act(&err) == ERR_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	else
		assert_int_equal(WTERMSIG(status), SIGKILL);
	return WIFSIGNALED(status);
}

static char list[SCRATCH_PATH + 64];

static enum err_code write_list(struct err *reterr)
{
	return tree_replace(list, "new\n", 4, NULL, reterr);
}

static void a_list_is_whole_and_goes(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	static const enum fault_kind kinds[] = {FAULT_KILL, FAULT_KILL_AFTER};
	text_format(list, sizeof list, "%s.names", other);
	size_t before = entries_of(folder), half = 0;
	for (unsigned k = 0; k < 2; k++)
		for (uint64_t at = 1; at < CALLS_MAX; at++) {
			assert_int_equal(tree_replace(list, "old\n", 4, NULL, &err), ERR_OK);
			bool died = dies(kinds[k], at, write_list);
			assert_true(reads(list, "old\n") || reads(list, "new\n"));
			half += entries_of(folder) > before + 1;
			/* Whoever goes on takes what it left, */
			if (at % 2)
				assert_int_equal(write_list(&err), ERR_OK);
			/* and whoever gives up leaves nothing. */
			assert_int_equal(contents_forget(other, &err), ERR_OK);
			assert_int_equal(entries_of(folder), before);
			if (!died)
				break;
			assert_true(at + 1 < CALLS_MAX);
		}
	assert_true(half > 0);
}

/* Killed, or without power, before the list had its name: there is none, and yet something to remove. */
static void a_list_without_a_name_goes_with_its_order(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	char coming[SCRATCH_PATH + 64], strange[SCRATCH_PATH + 64];
	text_format(coming, sizeof coming, "%s.spaces.new", other);
	text_format(strange, sizeof strange, "%s.kedge-ord-2.spaces.new", data);
	assert_int_equal(file_replace(coming, "0 0\n", 4, 0600, &err), ERR_OK);
	assert_int_equal(file_replace(strange, "0 0\n", 4, 0600, &err), ERR_OK);
	assert_int_equal(tablespaces_discard(other, &err), ERR_OK);
	assert_false(file_exists(coming));
	assert_true(file_exists(strange)); /* of another order */
	assert_int_equal(unlink(strange), 0);
}

/* ---- in the data directory ---- */

static enum err_code aim(struct err *reterr)
{
	return recovery_prepare(data, AIM, reterr);
}

static enum err_code forget(struct err *reterr)
{
	return recovery_forget(data, reterr);
}

static void assert_readable_by_its_server(const char *conf)
{
	struct stat st;
	assert_int_equal(stat(conf, &st), 0);
	assert_int_equal(st.st_uid, geteuid() == 0 ? NOBODY : geteuid());
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void its_configuration_belongs_to_the_server(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	static const enum fault_kind kinds[] = {FAULT_KILL, FAULT_KILL_AFTER};
	char conf[SCRATCH_PATH + 64];
	text_format(conf, sizeof conf, "%s/postgresql.auto.conf", data);
	assert_int_equal(forget(&err), ERR_OK); /* there is none: nothing to forget */
	assert_int_equal(entries_of(data), 0);
	for (unsigned k = 0; k < 4; k++)
		for (uint64_t at = 1; at < CALLS_MAX; at++) {
			assert_int_equal(k < 2 ? forget(&err) : aim(&err), ERR_OK);
			bool died = dies(kinds[k % 2], at, k < 2 ? aim : forget);
			if (file_exists(conf))
				assert_readable_by_its_server(conf);
			assert_int_equal(k < 2 ? aim(&err) : forget(&err), ERR_OK);
			assert_readable_by_its_server(conf);
			assert_true(reads(conf, k < 2 ? AIM : ""));
			assert_int_equal(entries_of(data), 2); /* and recovery.signal */
			if (!died)
				break;
			assert_true(at + 1 < CALLS_MAX);
		}
}

/* Whoever owns a data directory may put a pipe there, or a folder: nobody waits for what never comes. */
static void what_is_no_file_is_not_waited_for(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct postgres_control control;
	char path[SCRATCH_PATH + 64];
	struct buf text = BUF_INIT;
	alarm(20);
	text_format(path, sizeof path, "%s/postgresql.auto.conf", data);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(tree_read(path, 100, &text, &err), ERR_UNSUPPORTED);
	assert_false(recovery_is_aimed(data));
	assert_int_equal(forget(&err), ERR_UNSUPPORTED);
	assert_int_equal(tree_read(data, 100, &text, &err), ERR_UNSUPPORTED);
	text_format(path, sizeof path, "%s/global", data);
	assert_int_equal(mkdir(path, 0700), 0);
	text_format(path, sizeof path, "%s/global/pg_control", data);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_not_equal(postgres_control_read(data, &control, &err), ERR_OK);
	text_format(path, sizeof path, "%s/some", data);
	assert_int_equal(file_replace(path, "12345", 5, 0600, &err), ERR_OK);
	assert_int_equal(tree_read(path, 5, &text, &err), ERR_OK);
	assert_string_equal(buf_str(&text), "12345");
	assert_int_equal(tree_read(path, 4, &text, &err), ERR_LIMIT);
	alarm(0);
	buf_done(&text);
}

/* The log that a base copy brings along is archived by nobody a second time, under its old name; that of a stopped
 * server's is. */
static void the_log_of_a_base_copy_is_not_archived(void **state)
{
	static const char *const folders[] = {"", "/global", "/pg_wal", "/pg_wal/archive_status"};
	static const char segment[] = "/pg_wal/000000010000000000000019";
	(void)state;
	for (int base = 0; base < 2; base++) {
		struct err err = ERR_INIT;
		char box[SCRATCH_PATH + 16], path[SCRATCH_PATH + 128];
		text_format(box, sizeof box, "%s/box%d", folder, base);
		assert_int_equal(mkdir(box, 0700), 0);
		for (int end = 0; end <= base; end++)
			for (size_t i = 0; i < (end ? 3 : 4); i++) {
				text_format(path, sizeof path, "%s/postgres%s%s", box, end ? "-end" : "", folders[i]);
				assert_int_equal(mkdir(path, 0700), 0);
			}
		text_format(path, sizeof path, "%s/postgres%s%s", box, base ? "-end" : "", segment);
		assert_int_equal(file_replace(path, "log", 3, 0600, &err), ERR_OK);
		text_format(path, sizeof path, "%s/postgres-end/backup_label", box);
		if (base)
			assert_int_equal(file_replace(path, "label", 5, 0600, &err), ERR_OK);
		assert_int_equal(postgres_assemble(box, &err), ERR_OK);
		text_format(path, sizeof path, "%s/postgres%s", box, segment);
		assert_true(file_exists(path));
		text_format(path, sizeof path, "%s/postgres/pg_wal/archive_status%s.done", box, strrchr(segment, '/'));
		assert_int_equal(file_exists(path), base);
	}
}

/* Its owner may put anything there: nothing is made elsewhere, and nobody is waited for. */
static void the_marks_of_a_log_lie_with_it(void **state)
{
	static const char segment[] = "000000010000000000000019";
	(void)state;
	struct err err = ERR_INIT;
	char own[SCRATCH_PATH + 16], path[SCRATCH_PATH + 128], away[SCRATCH_PATH + 16];
	text_format(own, sizeof own, "%s/cluster", folder);
	text_format(away, sizeof away, "%s/away", folder);
	assert_int_equal(mkdir(own, 0700) | mkdir(away, 0700), 0);
	text_format(path, sizeof path, "%s/pg_wal", own);
	assert_int_equal(mkdir(path, 0700), 0);
	text_format(path, sizeof path, "%s/backup_label", own);
	assert_int_equal(file_replace(path, "label", 5, 0600, &err), ERR_OK);
	text_format(path, sizeof path, "%s/pg_wal/%s", own, segment);
	assert_int_equal(file_replace(path, "log", 3, 0600, &err), ERR_OK);
	text_format(path, sizeof path, "%s/pg_wal/archive_status", own);
	assert_int_equal(symlink(away, path), 0);
	assert_int_not_equal(postgres_log_is_archived(own, &err), ERR_OK);
	assert_int_equal(rmdir(away), 0); /* it is empty */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	text_format(path, sizeof path, "%s/pg_wal/archive_status/%s.done", own, segment);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10);
	assert_int_not_equal(postgres_log_is_archived(own, &err), ERR_OK);
	alarm(0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(postgres_log_is_archived(own, &err), ERR_OK);
	assert_true(file_exists(path));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_list_is_whole_and_goes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_list_without_a_name_goes_with_its_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(its_configuration_belongs_to_the_server, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_no_file_is_not_waited_for, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_log_of_a_base_copy_is_not_archived, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_marks_of_a_log_lie_with_it, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
