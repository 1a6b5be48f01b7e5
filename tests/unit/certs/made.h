/* An authority in a folder, certificates taken apart, and `openssl verify` as a judge that is not ours. */
#ifndef KEDGE_TESTS_UNIT_CERTS_MADE_H
#define KEDGE_TESTS_UNIT_CERTS_MADE_H

#include "tests/lib/unit.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs/authority.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/scratch.h"

#define NOW      UINT64_C(1790000000000) /* 2026-09-21 */
#define DOMAIN_A "fleet.example"

extern char **environ;

static inline void path_in(const char *folder, const char *name, char out[256])
{
	assert_true(text_format(out, 256, "%s/%s", folder, name));
}

static inline struct authority *loaded(const char *folder)
{
	struct authority *a = NULL;
	struct err e = ERR_INIT;
	char pem[256], key[256];
	path_in(folder, "issuing.pem", pem);
	path_in(folder, "issuing.key", key);
	if (authority_load(pem, key, &a, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	return a;
}

static inline mode_t mode_of(const char *folder, const char *name)
{
	char path[256];
	struct stat st;
	path_in(folder, name, path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* The exit code of a program found on PATH, what it says thrown away. */
static inline int run(const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Does `openssl verify` take the chain in folder/cert.pem at `now`, for a client or a server? */
static inline bool openssl_verify(
    const char *authority, const char *cert, const char *purpose, uint64_t now_ms, bool strict)
{
	char at[32];
	text_format(at, sizeof at, "%llu", (unsigned long long)(now_ms / 1000));
	const char *const argv[] = {"openssl", "verify", strict ? "-x509_strict" : "-no-CApath", "-no-CApath",
	    "-no-CAstore", "-attime", at, "-purpose", purpose, "-CAfile", authority, "-untrusted", cert, cert, NULL};
	return run(argv) == 0;
}

static inline bool openssl_takes(const char *authority, const char *cert, const char *purpose, uint64_t now_ms)
{
	return openssl_verify(authority, cert, purpose, now_ms, true);
}

#endif
