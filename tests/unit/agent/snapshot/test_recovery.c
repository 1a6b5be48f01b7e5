/* The keys of a lost host's repository, and turning them: nothing is rewritten, nothing opens for anybody else. */
#include <dirent.h>

#include "agent/repository/recovery.h"
#include "agent/repository/seal.h"
#include "tests/lib/repo_faults.h"

static struct world w;
static char line[2][RECOVERY_LINE_MAX], secret_path[2][WORLD_PATH];
static const char *lines[2] = {line[0], line[1]};

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	world_noise(w.data_dir, "f", 300000, 1);
	for (int i = 0; i < 2; i++) {
		(void)text_format(secret_path[i], WORLD_PATH, "%s/secret-%d", w.dir, i);
		WORLD_OK(&w, recovery_new(i ? "vault" : "safe", secret_path[i], line[i], &w.err));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static void in_repo(const char *name, char out[WORLD_PATH * 2])
{
	(void)text_format(out, WORLD_PATH * 2, "%s/%s", w.repo_path, name);
}

static bool set_recovery(size_t count)
{
	struct list all = {lines, count};
	bool changed;
	WORLD_OK(&w, repo_set_recovery(w.repo, &all, &changed, &w.err));
	return changed;
}

/* What is left when the host is gone and its repository was copied elsewhere. */
static void lose_the_host(void)
{
	char path[WORLD_PATH * 2];
	world_close(&w);
	in_repo("keys/repository", path);
	assert_int_equal(unlink(path), 0);
}

static void verify_all(size_t count)
{
	struct list all, damaged;
	WORLD_OK(&w, snapshot_list(w.repo, NULL, w.arena, &all, &damaged, &w.err));
	assert_int_equal(all.count, count);
	assert_int_equal(damaged.count, 0);
	for (size_t i = 0; i < count; i++) {
		struct verify_result v;
		WORLD_OK(&w, world_verify(&w, LIST_AT(all, struct snapshot_summary, i).snapshot, &v));
	}
}

/* RFC 7748, 6.1 */
static void test_exchange(void **state)
{
	(void)state;
	uint8_t bob[32], alice_public[32], wanted[32], got[32], zero[32] = {0};
	struct err err = ERR_INIT;
	assert_int_equal(
	    text_unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", bob, 32, &err), 0);
	assert_int_equal(
	    text_unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", alice_public, 32, &err), 0);
	assert_int_equal(
	    text_unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", wanted, 32, &err), 0);
	assert_int_equal(seal_exchange(bob, alice_public, got, &err), ERR_OK);
	assert_memory_equal(got, wanted, 32);
	assert_int_equal(
	    text_unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", wanted, 32, &err), 0);
	assert_int_equal(seal_exchange_public(bob, got, &err), ERR_OK);
	assert_memory_equal(got, wanted, 32);
	assert_int_equal(seal_exchange(bob, zero, got, &err), ERR_INVALID); /* a point of small order */
}

static void test_pairs(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "kedge-recovery-x25519", "kedge-recovery-x25519 00 safe",
	    "ssh-ed25519 AAAA safe",
	    "kedge-recovery-x25519 zz4e30d2a9d1f1e3c3f5e1d0b1a2938475665748392a1b0c9d8e7f6a5b4c3d2e safe",
	    "kedge-recovery-x25519 004e30d2a9d1f1e3c3f5e1d0b1a2938475665748392a1b0c9d8e7f6a5b4c3d2e",
	    "kedge-recovery-x25519 004e30d2a9d1f1e3c3f5e1d0b1a2938475665748392a1b0c9d8e7f6a5b4c3d2e ",
	    "kedge-recovery-x25519 004e30d2a9d1f1e3c3f5e1d0b1a2938475665748392a1b0c9d8e7f6a5b4c3d2e two words"};
	struct recovery_key k;
	struct stat st;
	char again[RECOVERY_LINE_MAX];
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (recovery_parse(wrong[i], &k, &w.err) != ERR_INVALID)
			fail_msg("taken: %s", wrong[i]);
	WORLD_OK(&w, recovery_parse(line[0], &k, &w.err));
	assert_string_equal(k.name, "safe");
	assert_int_equal(stat(secret_path[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(recovery_new("safe", secret_path[0], again, &w.err), ERR_EXISTS);
	assert_int_equal(recovery_new("two words", w.out, again, &w.err), ERR_INVALID);
}

static void test_a_lost_host(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct snapshot *opened;
	struct restore_options o = {0};
	struct restore_result restored;
	struct repo_unlocked u;
	char there[WORLD_PATH * 2];
	WORLD_OK(&w, world_create(&w, &s));
	assert_true(set_recovery(2));
	assert_false(set_recovery(2)); /* nothing to do */
	assert_int_equal(repo_unlock(w.repo_path, secret_path[0], &u, &w.err), ERR_EXISTS);
	lose_the_host();
	assert_int_equal(repo_open(w.repo_path, NULL, &w.repo, &w.err), ERR_NOT_FOUND);
	assert_non_null(strstr(w.err.msg, "repo unlock"));
	for (int i = 0; i < 2; i++) {
		WORLD_OK(&w, repo_unlock(w.repo_path, secret_path[1 - i], &u, &w.err));
		assert_string_equal(u.host, WORLD_HOST);
		assert_string_equal(u.recipient, i ? "safe" : "vault");
		world_open(&w);
		verify_all(1);
		if (i)
			break;
		lose_the_host();
	}
	WORLD_OK(&w, snapshot_open(w.repo, s.snapshot, &opened, &w.err));
	WORLD_OK(&w, snapshot_restore_into(opened, w.out, &o, &restored, &w.err));
	snapshot_close(opened);
	(void)text_format(there, sizeof there, "%s%s", w.out, w.data_dir);
	world_same_trees(w.data_dir, there);
	WORLD_OK(&w, world_create(&w, &s)); /* and it goes on */
	verify_all(2);
}

static void test_others_open_nothing(void **state)
{
	(void)state;
	struct repo_unlocked u;
	assert_true(set_recovery(2));
	assert_true(set_recovery(1)); /* the vault's is no longer declared */
	lose_the_host();
	assert_int_equal(repo_unlock(w.repo_path, secret_path[1], &u, &w.err), ERR_NOT_FOUND);
	assert_int_equal(repo_unlock(w.repo_path, w.repo_path, &u, &w.err) == ERR_OK, false);
	char path[WORLD_PATH * 2];
	in_repo("keys/repository", path);
	assert_false(file_exists(path));
	WORLD_OK(&w, repo_unlock(w.repo_path, secret_path[0], &u, &w.err));
	world_open(&w);
}

/* No byte of it can be changed unseen. */
static void test_changed_recovery_file(void **state)
{
	(void)state;
	struct repo_unlocked u;
	struct buf text = BUF_INIT;
	char path[WORLD_PATH * 2], key_path[WORLD_PATH * 2];
	size_t harmless = 0;
	assert_true(set_recovery(1));
	lose_the_host();
	in_repo("keys/recovery", path);
	in_repo("keys/repository", key_path);
	WORLD_OK(&w, file_read(path, RECOVERY_FILE_MAX, &text, &w.err));
	for (size_t at = 0; at < text.size; at += 3) {
		uint8_t before = text.data[at];
		text.data[at] ^= 1;
		world_write(w.repo_path, "keys/recovery", text.data, text.size);
		text.data[at] = before;
		enum err_code rc = repo_unlock(w.repo_path, secret_path[0], &u, &w.err);
		if (rc == ERR_OK) { /* white space, or the case of a digit */
			harmless++;
			world_open(&w);
			assert_string_equal(repo_host(w.repo), WORLD_HOST);
			world_close(&w);
			assert_int_equal(unlink(key_path), 0);
		}
		assert_false(file_exists(key_path));
	}
	assert_true(harmless < text.size / 30);
	world_write(w.repo_path, "keys/recovery", text.data, text.size);
	buf_done(&text);
	WORLD_OK(&w, repo_unlock(w.repo_path, secret_path[0], &u, &w.err));
	world_open(&w);
}

/* Inode and change time of every pack and manifest. */
static uint64_t files_of_repo(void)
{
	static const char *const folders[] = {"packs", "snapshots"};
	uint64_t sum = 0;
	for (int i = 0; i < 2; i++) {
		char path[WORLD_PATH * 2];
		struct stat st;
		in_repo(folders[i], path);
		DIR *dir = opendir(path);
		assert_non_null(dir);
		for (struct dirent *e; (e = readdir(dir));)
			if (text_ends(e->d_name, ".pack") || text_ends(e->d_name, ".manifest")) {
				assert_int_equal(fstatat(dirfd(dir), e->d_name, &st, 0), 0);
				sum += st.st_ino * 31 + (uint64_t)st.st_ctim.tv_nsec;
			}
		closedir(dir);
	}
	return sum;
}

static uint32_t key_of_newest_pack(void)
{
	uint32_t highest = 0;
	char path[WORLD_PATH * 2];
	in_repo("packs", path);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		uint8_t head[16];
		int fd = text_ends(e->d_name, ".pack") ? openat(dirfd(dir), e->d_name, O_RDONLY) : -1;
		if (fd < 0)
			continue;
		assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
		highest = head[12] > highest ? head[12] : highest;
		close(fd);
	}
	closedir(dir);
	return highest;
}

static void test_rotation(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct repo_unlocked u;
	uint32_t number = 0;
	WORLD_OK(&w, world_create(&w, &s));
	assert_true(set_recovery(1));
	for (uint32_t i = 2; i < 5; i++) {
		uint64_t before = files_of_repo();
		WORLD_OK(&w, repo_rotate(w.repo, &number, &w.err));
		assert_int_equal(number, i);
		assert_int_equal(files_of_repo(), before); /* nothing was rewritten */
		WORLD_OK(&w, world_create(&w, &s));        /* who has it open goes on with the old key */
		world_close(&w);
		world_open(&w);
		world_noise(w.data_dir, "f", 300000, i);
		WORLD_OK(&w, world_create(&w, &s));
		assert_int_equal(key_of_newest_pack(), i);
		assert_false(set_recovery(1)); /* the rotation carried it on */
		verify_all((i - 1) * 2 + 1);
	}
	lose_the_host();
	WORLD_OK(&w, repo_unlock(w.repo_path, secret_path[0], &u, &w.err));
	world_open(&w);
	verify_all(7);
}

/* Who opened it before the rotation meets an index that was sealed after it, by a key that it does not know. */
static void test_rotation_between_two_looks(void **state)
{
	(void)state;
	struct snapshot_summary s;
	uint32_t number;
	struct repo *other;
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, repo_open(w.repo_path, WORLD_HOST, &other, &w.err));
	WORLD_OK(&w, repo_rotate(other, &number, &w.err));
	repo_close(other);
	WORLD_OK(&w, repo_open(w.repo_path, WORLD_HOST, &other, &w.err));
	struct repo *old = w.repo;
	w.repo = other;
	world_noise(w.data_dir, "f", 300000, 9);
	WORLD_OK(&w, world_create(&w, &s));
	w.repo = old;
	WORLD_OK(&w, world_create(&w, &s));
	repo_close(other);
	world_close(&w);
	world_open(&w);
	verify_all(3);
}

/* Killed anywhere: what seals can be opened by the recovery key. */
static void test_rotation_killed(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct repo_unlocked u;
	bool killed = true;
	WORLD_OK(&w, world_create(&w, &s));
	assert_true(set_recovery(1));
	size_t count = 1;
	for (int at = 1; killed; at++) {
		int status;
		assert_true(at < 100);
		world_close(&w);
		arm(FAULT_KILL_BEFORE, at, 0);
		pid_t pid = fork();
		if (pid == 0) {
			uint32_t number;
			world_open(&w);
			armed = true;
			_exit(repo_rotate(w.repo, &number, &w.err) != ERR_OK);
		}
		arm(FAULT_NONE, 0, 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		killed = WIFSIGNALED(status);
		world_open(&w);
		world_noise(w.data_dir, "f", 100000, (uint64_t)at + 50);
		WORLD_OK(&w, world_create(&w, &s));
		count++;
		lose_the_host();
		WORLD_OK(&w, repo_unlock(w.repo_path, secret_path[0], &u, &w.err));
		world_open(&w);
		verify_all(count);
	}
	assert_true(count > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exchange),
	    cmocka_unit_test_setup_teardown(test_pairs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_lost_host, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_others_open_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changed_recovery_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rotation_between_two_looks, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rotation_killed, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
