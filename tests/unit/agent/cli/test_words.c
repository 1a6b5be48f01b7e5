/* kedge-agent's words about restore points and the repository, by the program itself: output, exit codes, what they
 * leave. */
#include <stdarg.h>
#include <stdio.h>

#include "agent/repository/recovery.h"
#include "tests/lib/snapshot_world.h"

enum { WORDS_MAX = 16, OUTPUT = 1 << 16 };
enum { DONE = 0, FAILED = 1, USAGE = 2, REFUSED = 3, NOT_FOUND = 4, PARTLY = 6 };

static char dir[SCRATCH_PATH], tree[WORLD_PATH], config[WORLD_PATH], program[WORLD_PATH], out[OUTPUT];

/* Its exit code; what it says on either stream is in out. */
static int agent(const char *word, ...)
{
	const char *argv[WORDS_MAX + 4] = {program, word};
	size_t n = 2, used = 0;
	int fds[2], status;
	va_list more;
	va_start(more, word);
	for (const char *w; n < WORDS_MAX && (w = va_arg(more, const char *));)
		argv[n++] = w;
	va_end(more);
	argv[n++] = "--config";
	argv[n] = config;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		execv(program, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	for (ssize_t got; used + 1 < sizeof out && (got = read(fds[0], out + used, sizeof out - 1 - used)) > 0;)
		used += (size_t)got;
	out[used] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define EXPECT(code, words, ...)                                                                                       \
	do {                                                                                                           \
		int code_ = agent(__VA_ARGS__, NULL);                                                                  \
		if (code_ != (code) || !strstr(out, words))                                                            \
			fail_msg("%s: %d instead of %d, or no \"%s\" in:\n%s", #__VA_ARGS__, code_, code, words, out); \
	} while (0)

static void first_id(char id[ID_TEXT_MAX])
{
	const char *at = strstr(out, "snap-");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "%31[a-z0-9-]", id), 1);
}

static void write_config(const char *more)
{
	struct buf text = BUF_INIT;
	buf_printf(&text,
	    "host: web-1\nstate_directory: %s/state\n%s\nservices:\n  portal:\n    components: { config: { paths: [%s] "
	    "} }\n"
	    "    snapshots: { keep: { hourly: 1, daily: 0, weekly: 0 } }\n",
	    dir, more, tree);
	world_write(dir, "agent.yaml", text.data, text.size);
	buf_done(&text);
}

static int setup(void **state)
{
	const char *build = getenv("KEDGE_BINARY_DIR");
	(void)state;
	scratch_make(dir);
	(void)text_format(program, sizeof program, "%s/bin/kedge-agent", build ? build : ".");
	(void)text_format(tree, sizeof tree, "%s/etc", dir);
	(void)text_format(config, sizeof config, "%s/agent.yaml", dir);
	assert_int_equal(mkdir(tree, 0755), 0);
	world_text(tree, "app.conf", "listen 80\nworkers 4\n");
	write_config("");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

static void test_taken_listed_proven(void **state)
{
	(void)state;
	char id[ID_TEXT_MAX];
	EXPECT(USAGE, "usage", "snapshot", "create");
	EXPECT(NOT_FOUND, "declares no service", "snapshot", "create", "other");
	EXPECT(DONE, "portal", "snapshot", "create", "portal");
	first_id(id);
	EXPECT(DONE, id, "snapshot", "list");
	EXPECT(DONE, "\"reason\"", "snapshot", "list", "-o", "json");
	EXPECT(DONE, "is sound", "snapshot", "verify", "portal");
	EXPECT(DONE, "\"chunks_total\"", "snapshot", "verify", id, "--sample", "-o", "json");
}

static void test_differences(void **state)
{
	(void)state;
	char id[ID_TEXT_MAX];
	EXPECT(DONE, "portal", "snapshot", "create", "portal");
	first_id(id);
	EXPECT(DONE, "", "snapshot", "diff", id, "--text");
	assert_string_equal(out, "");
	world_text(tree, "app.conf", "listen 80\nworkers 8\n");
	world_write(tree, "logo", "\0\1\2", 3);
	EXPECT(DONE, "@@ -1,2 +1,2 @@\n listen 80\n-workers 4\n+workers 8\n", "snapshot", "diff", id, "--text");
	EXPECT(DONE, "logo", "snapshot", "diff", id, "--text");
	EXPECT(DONE, "\"text\":\"--- ", "snapshot", "diff", id, "--text", "-o", "json");
	EXPECT(DONE, "portal", "snapshot", "create", "portal");
	EXPECT(DONE, "+workers 8", "snapshot", "diff", id, "last", "--text");
	world_text(tree, "app.conf", "listen 80\nworkers 16\n");
	EXPECT(DONE, "+workers 8", "snapshot", "diff", id, "last", "--text"); /* the two, not the tree */
}

static void test_restored_in_parts(void **state)
{
	(void)state;
	char wanted[WORLD_PATH * 2], into[WORLD_PATH], made[WORLD_PATH * 4];
	world_text(tree, "other.conf", "x\n");
	EXPECT(DONE, "portal", "snapshot", "create", "portal");
	(void)text_format(wanted, sizeof wanted, "%s/app.conf", tree);
	(void)text_format(into, sizeof into, "%s/into", dir);
	EXPECT(NOT_FOUND, "/etc/nothing", "restore", "last", "--into", into, "/etc/nothing");
	EXPECT(DONE, "\"files\": 1", "restore", "last", "--into", into, "--component", "config", wanted, "-o", "json");
	(void)text_format(made, sizeof made, "%s%s", into, wanted);
	assert_true(file_exists(made));
	(void)text_format(made, sizeof made, "%s%s/other.conf", into, tree);
	assert_false(file_exists(made));
}

static void test_what_stays(void **state)
{
	(void)state;
	char id[2][ID_TEXT_MAX];
	for (int i = 0; i < 2; i++) {
		EXPECT(DONE, "portal", "snapshot", "create", "portal");
		first_id(id[i]);
		world_text(tree, "app.conf", i ? "b\n" : "a\n");
	}
	EXPECT(DONE, "portal", "snapshot", "create", "portal");
	EXPECT(USAGE, "--reason", "snapshot", "hold", id[0]);
	EXPECT(DONE, "on hold", "snapshot", "hold", id[0], "--reason", "case 4711");
	EXPECT(REFUSED, "case 4711", "snapshot", "hold", id[0], "--reason", "again");
	EXPECT(DONE, "held", "snapshot", "list");
	EXPECT(DONE, id[1], "snapshot", "prune"); /* only said */
	assert_null(strstr(out, id[0]));
	EXPECT(DONE, id[1], "snapshot", "list");
	EXPECT(DONE, "\"applied\": true", "snapshot", "prune", "--apply", "-o", "json");
	EXPECT(DONE, id[0], "snapshot", "list");
	assert_null(strstr(out, id[1]));
	EXPECT(DONE, "released", "snapshot", "release", id[0], "--reason", "closed");
	EXPECT(REFUSED, "not on hold", "snapshot", "release", id[0], "--reason", "closed");
	EXPECT(DONE, id[0], "snapshot", "prune", "--apply");
	EXPECT(NOT_FOUND, "declares no service", "snapshot", "prune", "other");
	EXPECT(DONE, "0 things wrong", "repo", "check", "--data");
}

static void test_an_emergency(void **state)
{
	(void)state;
	char before[ID_TEXT_MAX], caught[ID_TEXT_MAX];
	EXPECT(DONE, "manual", "snapshot", "create", "portal");
	first_id(before);
	EXPECT(DONE, "suspect", "snapshot", "create", "portal", "--emergency");
	first_id(caught);
	EXPECT(DONE, before, "snapshot", "show", "last"); /* never back to what an emergency caught, but by its name */
	EXPECT(DONE, "emergency", "snapshot", "show", caught);
}

/* What is gone is missed, and named. */
static void test_taken_away(void **state)
{
	(void)state;
	char id[ID_TEXT_MAX], path[WORLD_PATH * 2];
	EXPECT(DONE, "portal", "snapshot", "create", "portal");
	first_id(id);
	(void)text_format(path, sizeof path, "%s/state/repository/snapshots/%s.manifest", dir, id);
	assert_int_equal(unlink(path), 0);
	EXPECT(PARTLY, id, "snapshot", "list");
	EXPECT(FAILED, "taken away", "repo", "check");
	EXPECT(FAILED, id, "snapshot", "prune", "--apply"); /* what it needs is not known */
	EXPECT(NOT_FOUND, "1 that cannot be read", "snapshot", "verify", id);
	EXPECT(DONE, "made anew", "repo", "rebuild-index"); /* the loss is accepted */
	EXPECT(DONE, "\"findings\": 0", "repo", "check", "-o", "json");
}

static void test_a_lost_host(void **state)
{
	(void)state;
	char secret[WORLD_PATH], line[RECOVERY_LINE_MAX + 32], repository[WORLD_PATH], key[WORLD_PATH * 2],
	    into[WORLD_PATH];
	(void)text_format(secret, sizeof secret, "%s/secret", dir);
	(void)text_format(into, sizeof into, "%s/into", dir);
	(void)text_format(repository, sizeof repository, "%s/elsewhere", dir);
	EXPECT(DONE, "kedge-recovery-x25519 ", "repo", "recovery-key", "safe", "--into", secret);
	const char *public_line = strstr(out, "kedge-recovery-x25519 ");
	*strchr(public_line, '\n') = 0;
	(void)text_format(line, sizeof line, "recovery_keys: [\"%s\"]", public_line);
	EXPECT(FAILED, "there already", "repo", "recovery-key", "safe", "--into", secret);
	write_config(line);
	EXPECT(DONE, "portal", "snapshot", "create", "portal");
	EXPECT(DONE, "key 2", "repo", "rotate-key");
	world_text(tree, "app.conf", "after the rotation\n");
	EXPECT(DONE, "portal", "snapshot", "create", "portal");
	(void)text_format(key, sizeof key, "%s/state/repository", dir);
	assert_int_equal(rename(key, repository), 0);
	(void)text_format(key, sizeof key, "%s/keys/repository", repository);
	assert_int_equal(unlink(key), 0);
	EXPECT(NOT_FOUND, "repo unlock", "snapshot", "list", "--repository", repository);
	EXPECT(DONE, "host web-1", "repo", "unlock", "--key", secret, "--repository", repository);
	EXPECT(DONE, "portal", "snapshot", "list", "--repository", repository);
	EXPECT(DONE, "0 things wrong", "repo", "check", "--data", "--repository", repository);
	EXPECT(DONE, "2 entries", "restore", "last", "--into", into, "--repository", repository);
	EXPECT(USAGE, "looking", "snapshot", "create", "portal", "--repository", repository);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_taken_listed_proven, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_differences, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_restored_in_parts, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_an_emergency, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_taken_away, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_lost_host, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
