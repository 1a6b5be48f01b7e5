/* agent/config/check_words.c: single words of agent.yaml. */
#include "agent/config/check.h"

#include <string.h>

#include "shared/base/text.h"

/* A text that has a default is NULL only when a file says "~" or a program left it out: such checks take NULL as wrong.
 */
const char *word_shown(const char *s)
{
	return s ? s : "nothing";
}

bool word_name(const char *s)
{
	return s && *s && *s != '-' && !text_ends(s, "-") && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

bool word_host_name(const char *s)
{
	return s && *s && *s != '-' && *s != '.' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == 0;
}

bool word_user(const char *s)
{
	return s && *s && !strchr("-0123456789", *s) && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == 0;
}

bool word_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* Absolute, in the one spelling that prefixes can be compared in. */
bool word_path(const char *s)
{
	if (*s != '/' || !word_printable(s))
		return false;
	if (!s[1])
		return true;
	while (*s) {
		size_t part = strcspn(++s, "/");
		if (!part || (part == 1 && s[0] == '.') || (part == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += part;
	}
	return true;
}

bool word_path_below(const char *path, const char *root)
{
	size_t n = strlen(root);
	return !strncmp(path, root, n) && (path[n] == 0 || path[n] == '/' || n == 1);
}

enum err_code check_path(const char *key, const char *path, struct err *reterr)
{
	if (path && !word_path(path))
		return WRONG(
		    "%s: expected an absolute path without \"..\", \"//\" or a slash at its end, got \"%.200s\"", key,
		    path);
	return ERR_OK;
}

enum err_code check_path_there(const char *key, const char *path, struct err *reterr)
{
	return path ? check_path(key, path, reterr) : WRONG("%s: expected an absolute path, got nothing", key);
}

static bool stands_before(const struct list *l, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(LIST_AT(*l, const char *, k), LIST_AT(*l, const char *, i)))
			return true;
	return false;
}

enum err_code check_no_twins(const char *key, const struct list *l, struct err *reterr)
{
	for (size_t i = 0; i < l->count; i++)
		if (stands_before(l, i))
			return WRONG("%s[%zu]: \"%.200s\" stands there twice", key, i, LIST_AT(*l, const char *, i));
	return ERR_OK;
}

enum err_code check_paths(const char *key, const struct list *l, struct err *reterr)
{
	for (size_t i = 0; i < l->count; i++)
		if (!word_path(LIST_AT(*l, const char *, i)))
			return WRONG("%s[%zu]: expected an absolute path without \"..\", \"//\" or a slash at its end, "
				     "got \"%.200s\"",
			    key, i, LIST_AT(*l, const char *, i));
	return check_no_twins(key, l, reterr);
}

/* argv as execve takes it; the program by absolute path, or by a bare name that is looked up in a fixed path. */
enum err_code check_argv(const char *key, const struct list *argv, struct err *reterr)
{
	if (!argv->count)
		return ERR_OK;
	const char *program = LIST_AT(*argv, const char *, 0);
	if (!*program || !word_printable(program) || (strchr(program, '/') && !word_path(program)) ||
	    strchr(program, ' '))
		return WRONG("%s[0]: expected a program by its absolute path or its bare name (arguments are items of "
			     "their own), got \"%.200s\"",
		    key, program);
	return ERR_OK;
}

/* "80", 1 to 65535. */
bool word_port(const char *s)
{
	uint64_t port;
	return text_u64(s, &port, NULL) == ERR_OK && port >= 1 && port <= 65535;
}

bool word_address(const char *s)
{
	const char *port = strrchr(s, ':');

	if (!port || !word_port(port + 1))
		return false;
	if (*s == '[')
		return port > s + 3 && port[-1] == ']' &&
		       strspn(s + 1, "0123456789abcdefABCDEF:.") == (size_t)(port - s) - 2;
	size_t host = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
	return host && s + host == port;
}

/* What follows the scheme begins with a host, holds no spaces and no password. */
bool word_url_rest(const char *s)
{
	size_t authority = strcspn(s, "/?#");
	return authority && !memchr(s, '@', authority) && word_printable(s) && !strchr(s, ' ');
}
