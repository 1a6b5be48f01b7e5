/* The real ssh-keygen: what it signs verifies here, and what our tests' signer signs verifies there. */
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/file.h"
#include "tests/lib/signer/signer.h"
#include "tests/lib/unit.h"

extern char **environ;

static char folder[64];
static const char words[] = "2eaa345dae699e1bf5f8b5292adc6fb17317127104e8596fc3657cc678f3bab7\n";

/* Returns the exit status; 127 when there is no such program. */
static int run(const char *input, const char *const *argv)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status;

	assert_int_equal(posix_spawn_file_actions_init(&files), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(&files, 0, input ? input : "/dev/null", O_RDONLY, 0), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0), 0);
	int rc = posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (rc)
		return 127;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
#define RUN(input, ...) run(input, (const char *const[]){__VA_ARGS__, NULL})

static const char *in_folder(const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", folder, name);
	return out;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/kedge-approval-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool there_is_ssh_keygen(void)
{
	if (RUN(NULL, "ssh-keygen", "-?") != 127)
		return true;
	print_message("ssh-keygen is not installed: skipped\n");
	return false;
}

static void read_text(const char *name, struct buf *out)
{
	char path[128];
	struct err err = ERR_INIT;

	buf_clear(out);
	if (file_read(in_folder(name, path), 1 << 16, out, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

static void write_text(const char *name, const char *data)
{
	char path[128];
	struct err err = ERR_INIT;

	if (file_replace(in_folder(name, path), data, strlen(data), 0600, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

/* Key kind x hash, often enough that numbers of every length come by. */
static void its_signatures_verify_here(void **state)
{
	static const char *const kinds[] = {"ed25519", "ecdsa"};
	static const char *const hashes[] = {"hashalg=sha256", "hashalg=sha512"};
	char key_path[128], message_path[128], sig_path[128];
	struct buf text = BUF_INIT;
	(void)state;

	if (!there_is_ssh_keygen())
		skip();
	in_folder("message", message_path);
	write_text("message", words);
	for (unsigned k = 0; k < 2; k++) {
		struct ssh_key key;
		in_folder(kinds[k], key_path);
		assert_int_equal(
		    RUN(NULL, "ssh-keygen", "-q", "-t", kinds[k], "-N", "", "-C", "carol@desk", "-f", key_path), 0);
		snprintf(sig_path, sizeof sig_path, "%s.pub", kinds[k]);
		read_text(sig_path, &text);
		assert_int_equal(ssh_key_parse(buf_str(&text), &key, NULL), ERR_OK);
		assert_string_equal(key.owner, "carol");
		for (unsigned i = 0; i < 20; i++) {
			struct sshsig sig;
			assert_int_equal(RUN(NULL, "ssh-keygen", "-q", "-Y", "sign", "-f", key_path, "-n", "kedge-plan",
					     "-O", hashes[i % 2], message_path),
			    0);
			read_text("message.sig", &text);
			assert_int_equal(unlink(in_folder("message.sig", sig_path)), 0);
			assert_int_equal(sshsig_parse(buf_str(&text), text.size, &sig, NULL), ERR_OK);
			assert_true(ssh_key_equal(&sig.key, &key));
			assert_true(sshsig_verifies(&sig, "kedge-plan", words, strlen(words)));
			assert_false(sshsig_verifies(&sig, "kedge-policy", words, strlen(words)));
		}
	}
	buf_done(&text);
}

/* As docs say: an approval can be checked with nothing but ssh-keygen. */
static void our_signatures_verify_there(void **state)
{
	char message_path[128], sig_path[128], allowed_path[128];
	(void)state;

	if (!there_is_ssh_keygen())
		skip();
	write_text("message", words);
	in_folder("message", message_path);
	in_folder("sig", sig_path);
	in_folder("allowed", allowed_path);
	for (unsigned i = 0; i < 20; i++) {
		struct signer *carol = signer_new(i % 2 ? SSH_KEY_ECDSA_P256 : SSH_KEY_ED25519, "carol");
		char *sig = signer_sign(carol, "kedge-plan", i % 4 < 2, words, strlen(words));
		char line[SSH_KEY_LINE_MAX];
		write_text("sig", sig);
		snprintf(line, sizeof line, "carol %.*s\n", SSH_KEY_LINE_MAX - 16, signer_line(carol));
		write_text("allowed", line);
		assert_int_equal(RUN(message_path, "ssh-keygen", "-Y", "verify", "-f", allowed_path, "-I", "carol",
				     "-n", "kedge-plan", "-s", sig_path),
		    0);
		assert_int_not_equal(RUN(message_path, "ssh-keygen", "-Y", "verify", "-f", allowed_path, "-I", "carol",
					 "-n", "kedge-policy", "-s", sig_path),
		    0);
		free(sig);
		signer_free(carol);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(its_signatures_verify_here, setup, teardown),
	    cmocka_unit_test_setup_teardown(our_signatures_verify_there, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
