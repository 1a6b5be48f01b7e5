/* Completion: every command and option is in it, and bash itself completes with it. */
#include "tests/unit/controller/cli/fake.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "tests/lib/scratch.h"

extern char **environ;

static char *script(const char *shell)
{
	struct fake *f = fake_new();
	char line[64];
	text_format(line, sizeof line, "completion %s", shell);
	assert_int_equal(fake_run(f, line), CLI_DONE);
	assert_int_equal(f->asked_count, 0);
	char *copy = strdup(buf_str(&f->out));
	fake_free(f);
	return copy;
}

static void has(const char *text, const char *word)
{
	if (!strstr(text, word))
		fail_msg("not in the script: %s", word);
}

static void everything_is_in_it(void **state)
{
	(void)state;
	static const char *const shells[] = {"bash", "zsh", "fish"};
	for (size_t s = 0; s < 3; s++) {
		char *text = script(shells[s]);
		for (size_t i = 0; i < command_count; i++) {
			has(text, commands[i].noun);
			if (commands[i].verb)
				has(text, commands[i].verb);
		}
		for (size_t i = 0; i < option_count; i++) {
			char word[64];
			text_format(word, sizeof word, s == 2 ? "-l %s" : "--%s", options[i].name);
			has(text, word);
		}
		free(text);
	}
	struct fake *f = fake_new();
	assert_int_equal(fake_run(f, "completion tcsh"), CLI_USAGE);
	fake_free(f);
}

/* What bash answers for these words, sorted as it says them, or the exit code as text. */
static void bash_says(const char *folder, const char *words, char out[8192])
{
	char path[128], program[512];
	int pipes[2], status;
	pid_t pid;
	posix_spawn_file_actions_t actions;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	text_format(path, sizeof path, "%s/kedge.bash", folder);
	text_format(program, sizeof program,
	    "set -u; source %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _kedge; printf '%%s ' "
	    "\"${COMPREPLY[@]}\"",
	    path, words);
	const char *const argv[] = {"bash", "--norc", "--noprofile", "-c", program, NULL};
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
	assert_int_equal(posix_spawnp(&pid, "bash", &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	for (ssize_t n;;) {
		char part[1024];
		if ((n = read(pipes[0], part, sizeof part)) <= 0)
			break;
		buf_append(&text, part, (size_t)n);
	}
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	text_copy(out, 8192, buf_str(&text));
}

static void bash_completes(void **state)
{
	(void)state;
	char folder[SCRATCH_PATH], path[128], out[8192];
	char *text = script("bash");
	scratch_make(folder);
	text_format(path, sizeof path, "%s/kedge.bash", folder);
	assert_int_equal(file_replace(path, text, strlen(text), 0644, NULL), ERR_OK);
	free(text);
	static const struct {
		const char *words, *wanted;
	} all[] = {
	    {"kedge inc", "incident "},
	    {"kedge incident re", "resolve reopen "},
	    {"kedge rollback start --no", "--normal --no-wait --no-colour "},
	    {"kedge status --o", "--output "},
	    {"kedge -o json rollback c", "cancel "},
	    {"kedge host list -o ''", "table wide json jsonl yaml "},
	    {"kedge completion f", "fish "},
	    {"kedge halt --he", "--help "},
	    {"kedge frob x", " "},
	    {"kedge rollback start --incident ''", " "},
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		bash_says(folder, all[i].words, out);
		if (!text_equal(out, all[i].wanted) && !(text_equal(all[i].wanted, " ") && text_equal(out, "")))
			fail_msg("%s: %s", all[i].words, out);
	}
	bash_says(folder, "kedge ''", out); /* every noun, once */
	for (size_t i = 0; i < command_count; i++)
		has(out, commands[i].noun);
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(everything_is_in_it), cmocka_unit_test(bash_completes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
