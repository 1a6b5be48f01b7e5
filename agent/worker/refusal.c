/* agent/worker/refusal.c: a service's own check refuses its configuration; is that about what changed there?
 *
 * A check follows what a configuration names: a certificate, a key, a file of accounts.  Where the first file that it
 * speaks of lies outside of what is compared, and became another one after the last change there, that file is what it
 * minds.  One that is not there at all, or is as old as before, was named anew. */
#include <string.h>
#include <sys/stat.h>

#include "agent/worker/internal.h"
#include "shared/base/text.h"

static const char ends_a_path[] = " \t\r\n\"'`,;:()[]<>|";

/* The first absolute path of a text; false: it holds none, or a longer one than there are. */
static bool first_path(const char *text, char ret[PATH_LIMIT])
{
	const char *at = text;
	while (at && (at = strchr(at, '/')) && at != text && !strchr(ends_a_path, at[-1]))
		at += strcspn(at, ends_a_path);
	size_t n = at ? strcspn(at, ends_a_path) : 0;
	if (n < 2 || n >= PATH_LIMIT)
		return false;
	memcpy(ret, at, n);
	ret[n] = '\0';
	return true;
}

static bool is_below(const char *path, const char *root)
{
	size_t n = strlen(root);
	return text_starts(path, root) && (path[n] == '\0' || path[n] == '/' || (n && root[n - 1] == '/'));
}

static bool is_of(const char *path, const struct component_config *c)
{
	bool of = (c->git && is_below(path, c->git)) || (c->release && is_below(path, c->release));
	for (size_t i = 0; i < c->paths.count && !of; i++)
		of = is_below(path, LIST_AT(c->paths, const char *, i));
	return of;
}

bool work_refusal_lies_elsewhere(const char *said, const struct component_config *c, uint64_t changed_ms)
{
	char path[PATH_LIMIT];
	struct stat s;
	if (!changed_ms || !first_path(said, path) || is_of(path, c) || stat(path, &s) != 0 || !S_ISREG(s.st_mode))
		return false;
	return (uint64_t)s.st_ctim.tv_sec * 1000 + (uint64_t)s.st_ctim.tv_nsec / 1000000 > changed_ms;
}
