/* What is really there: ssh-keygen, SIGINT, and where the configuration is looked for. */
#include "tests/unit/controller/cli/fake.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/cli/sign.h"
#include "shared/approval/approval.h"
#include "shared/base/cleanup.h"
#include "tests/lib/scratch.h"

extern char **environ;

static char dir[SCRATCH_PATH];

static int setup(void **state)
{
	(void)state;
	scratch_make(dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

static void make_key(const char *kind, const char *name, char path[128])
{
	pid_t pid;
	int status;
	text_format(path, 128, "%s/%s", dir, name);
	const char *const argv[] = {"ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "ada", "-f", path, NULL};
	assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void ssh_keygen_signs(void **state)
{
	(void)state;
	static const char *const kinds[] = {"ed25519", "ecdsa"};
	static const char message[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
	for (size_t i = 0; i < 2; i++) {
		char path[128], pub[160];
		CLEANUP(buf_done) struct buf out = BUF_INIT, line = BUF_INIT;
		struct sshsig sig;
		struct ssh_key key;
		struct err e = ERR_INIT;
		make_key(kinds[i], kinds[i], path);
		if (sign_with_ssh(path, APPROVAL_NAMESPACE_PLAN, message, sizeof message - 1, &out, &e) != ERR_OK)
			fail_msg("%s", e.msg);
		assert_int_equal(sshsig_parse(buf_str(&out), out.size, &sig, NULL), ERR_OK);
		assert_true(sshsig_verifies(&sig, APPROVAL_NAMESPACE_PLAN, message, sizeof message - 1));
		assert_false(sshsig_verifies(&sig, APPROVAL_NAMESPACE_POLICY, message, sizeof message - 1));
		text_format(pub, sizeof pub, "%s.pub", path);
		assert_int_equal(file_read(pub, 4096, &line, NULL), ERR_OK);
		line.data[strcspn(buf_str(&line), "\n")] = '\0';
		assert_int_equal(ssh_key_parse(buf_str(&line), &key, NULL), ERR_OK);
		assert_true(ssh_key_equal(&key, &sig.key));
	}
}

static void keys_that_do_not_sign(void **state)
{
	(void)state;
	char path[128];
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	assert_int_equal(sign_with_ssh("/nonexistent/key", "n", "m", 1, &out, &e), ERR_NOT_FOUND);
	text_format(path, sizeof path, "%s/garbage", dir);
	assert_int_equal(file_replace(path, "garbage\n", 8, 0600, NULL), ERR_OK);
	assert_int_equal(sign_with_ssh(path, "n", "m", 1, &out, &e), ERR_DENIED);
	assert_non_null(strstr(e.msg, path));
	assert_int_equal(out.size, 0);
	/* A key whose name begins like an option is a file all the same. */
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(sign_with_ssh("-Yfind-principals", "n", "m", 1, &out, &e), ERR_NOT_FOUND);
	char *path_was = strdup(getenv("PATH"));
	setenv("PATH", "/nonexistent", 1);
	assert_int_equal(sign_with_ssh(path, "n", "m", 1, &out, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.msg, "OpenSSH"));
	setenv("PATH", path_was, 1);
	free(path_was);
}

static void sigint_says_that_it_goes_on(void **state)
{
	(void)state;
	static const char text[] = "\nkedge: the rollback goes on\n";
	int pipes[2], status;
	char got[256] = "";
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct cli_io *io = cli_system();
		dup2(pipes[1], STDERR_FILENO);
		io->on_interrupt(io->ctx, text);
		raise(SIGINT);
		_exit(99);
	}
	close(pipes[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), CLI_INTERRUPTED);
	assert_int_equal(read(pipes[0], got, sizeof got - 1), sizeof text - 1);
	assert_string_equal(got, text);
	close(pipes[0]);
}

/* ---- where kedge.yaml is ---- */

static const char *variables[4][2];
static const char *environment(void *ctx, const char *name)
{
	(void)ctx;
	for (size_t i = 0; i < 4; i++)
		if (text_equal(variables[i][0], name))
			return variables[i][1];
	return NULL;
}

static void write_config(const char *folder, char out[256])
{
	char text[1024];
	text_format(out, 256, "%s/%s/kedge", dir, folder);
	assert_int_equal(file_make_dirs(out, 0700, NULL), ERR_OK);
	text_format(out, 256, "%s/%s/kedge/kedge.yaml", dir, folder);
	text_format(text, sizeof text,
	    "controller: \"http://%s.example\"\nname: main\ndomain: d.example\nauthority: /x\ncertificate: /x\nkey: "
	    "/x\n",
	    folder);
	assert_int_equal(file_replace(out, text, strlen(text), 0600, NULL), ERR_OK);
}

/* The file that counts shows in what is asked. */
static enum err_code name_it(void *ctx, const struct client_config *config, const struct cli_request *r, int *status,
    struct buf *out, struct err *reterr)
{
	(void)ctx, (void)r, (void)status, (void)out;
	return err_set(reterr, ERR_STATE, "asked %s", config->controller);
}

static void looks_for_its_configuration(void **state)
{
	(void)state;
	char given[256], set[256], xdg[256], xdg_root[256], home[256], line[512];
	struct fake *f = fake_new();
	write_config("given", given);
	write_config("set", set);
	write_config("xdg", xdg);
	write_config("home/.config", home);
	text_format(xdg_root, sizeof xdg_root, "%s/xdg", dir);
	text_format(home, sizeof home, "%s/home", dir);
	f->io.config = NULL;
	f->io.ask = name_it;
	f->io.environment = environment;
	variables[0][0] = "HOME", variables[0][1] = home;
	assert_int_equal(fake_run(f, "status"), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), "http://home/.config.example"));
	variables[1][0] = "XDG_CONFIG_HOME", variables[1][1] = xdg_root;
	fake_forget(f);
	fake_run(f, "status");
	assert_non_null(strstr(buf_str(&f->error), "http://xdg.example"));
	variables[2][0] = "KEDGE_CONFIG", variables[2][1] = set;
	fake_forget(f);
	fake_run(f, "status");
	assert_non_null(strstr(buf_str(&f->error), "http://set.example"));
	text_format(line, sizeof line, "status --config %s", given);
	fake_forget(f);
	fake_run(f, line);
	assert_non_null(strstr(buf_str(&f->error), "http://given.example"));
	variables[2][1] = "";
	variables[1][1] = NULL;
	variables[0][1] = "/nonexistent";
	fake_forget(f);
	fake_run(f, "status");
	assert_non_null(strstr(buf_str(&f->error), "/etc/kedge/kedge.yaml"));
	fake_free(f);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN); /* as main() does */
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ssh_keygen_signs),
	    cmocka_unit_test(keys_that_do_not_sign),
	    cmocka_unit_test(sigint_says_that_it_goes_on),
	    cmocka_unit_test(looks_for_its_configuration),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
