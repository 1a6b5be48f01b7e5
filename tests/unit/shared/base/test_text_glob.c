#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/base/limits.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const matching[][2] = {
    {"", ""},
    {"abc", "abc"},
    {"*", ""},
    {"*", "abc"},
    {"**", ""},
    {"**", "/a/b/c"},
    {"a*", "a"},
    {"*.conf", "nginx.conf"},
    {"/etc/*/x", "/etc/b/x"},
    {"/etc/**", "/etc/a/b/c"},
    {"/etc/**", "/etc/"},
    {"/etc/**/x.conf", "/etc/a/b/x.conf"},
    {"/etc/**/x.conf", "/etc/x.conf"},
    {"**/x", "x"},
    {"**/x", "a/b/x"},
    {"**/x", "/x"},
    {"**/**/x", "x"},
    {"a/**/**/b", "a/b"},
    {"/etc/**.conf", "/etc/a/b.conf"},
    {"***", "a/b"},
    {"a**b", "a/x/b"},
    {"?", "x"},
    {"a?c", "abc"},
    {"[abc]", "b"},
    {"[a-c]x", "bx"},
    {"[!a-c]", "d"},
    {"[^a-c]", "d"},
    {"[]]", "]"},
    {"[!]]", "a"},
    {"[]-a]", "^"},
    {"[a-]", "-"},
    {"[-a]", "-"},
    {"[\\]]", "]"},
    {"[a\\-c]", "-"},
    {"\\*", "*"},
    {"\\\\", "\\"},
    {"\\", "\\"},
    {"[abc", "[abc"},
    {"[", "["},
    {"*[", "x["},
    {".*", ".hidden"},
    {"*", ".hidden"},
    {"?", "\xc3\xa9"},
    {"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9"},
    {"[!a]", "\xe2\x82\xac"},
    {"?", "\xff"},
    {"\xff*", "\xff\xfe"},
    {"*/*/*", "a/b/c"},
    {"*a*b*c*", "xxaxxbxxcxx"},
};

static const char *const different[][2] = {
    {"", "a"},
    {"abc", "ab"},
    {"abc", "abcd"},
    {"abc", "ABC"},
    {"*", "a/b"},
    {"*", "/"},
    {"a*", "ba"},
    {"/etc/*", "/etc/a/b"},
    {"/etc/*/x", "/etc/x"},
    {"/etc/**/x.conf", "/etc/yx.conf"},
    {"/etc/**", "/etc"},
    {"**/x", "yx"},
    {"**/x", "a/bx"},
    {"a/**/b", "ab"},
    {"a/**/b", "a/xb"},
    {"x**/y", "xy"},
    {"?", ""},
    {"?", "/"},
    {"?", "ab"},
    {"[abc]", "d"},
    {"[abc]", ""},
    {"[!a-c]", "b"},
    {"[!a]", "/"},
    {"[.-0]", "/"},
    {"[c-a]", "b"},
    {"\\*", "a"},
    {"\\?", "a"},
    {"[abc", "a"},
    {"?", "\xc3\xa9x"},
    {"[a-z]", "\xc3\xa9"},
    {"*a*b*c*", "xxaxxcxxbxx"},
};

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(matching); i++)
		if (!text_glob(matching[i][0], matching[i][1]))
			fail_msg("\"%s\" does not match \"%s\"", matching[i][0], matching[i][1]);
	for (size_t i = 0; i < COUNT(different); i++)
		if (text_glob(different[i][0], different[i][1]))
			fail_msg("\"%s\" matches \"%s\"", different[i][0], different[i][1]);
}

/* The same meaning, written as plainly as can be: try everything.  part: the pattern's part begins here.  Pattern
 * characters are a b / ? * and the class [!a]. */
static bool naive(const char *p, const char *s, bool part)
{
	if (*p == '*') {
		size_t n = strspn(p, "*");
		if (n > 1 && part && p[n] == '/' && naive(p + n + 1, s, true))
			return true;
		if (naive(p + n, s, false))
			return true;
		for (; *s && (n > 1 || *s != '/'); s++)
			if (naive(p + n, s + 1, false))
				return true;
		return false;
	}
	if (!*p || !*s)
		return *p == *s;
	if (*p == '[')
		return *s != 'a' && *s != '/' && naive(p + 4, s + 1, false);
	if (*p == '?' ? *s == '/' : *p != *s)
		return false;
	return naive(p + 1, s + 1, *p == '/');
}

static void against_the_naive_one(void **state)
{
	(void)state;
	struct random r;
	random_init_seed(&r, 5);
	unsigned matches = 0;
	for (int i = 0; i < 300000; i++) {
		static const char *const tokens[] = {"a", "b", "/", "?", "*", "**", "**/", "/**/", "[!a]", "a"};
		char pattern[64] = "", path[16];
		for (uint64_t n = random_below(&r, 8); n > 0; n--)
			strcat(pattern, tokens[random_below(&r, COUNT(tokens))]);
		size_t size = random_below(&r, 10);
		for (size_t j = 0; j < size; j++)
			path[j] = "ab/"[random_below(&r, 3)];
		path[size] = '\0';
		bool want = naive(pattern, path, true);
		matches += want;
		if (text_glob(pattern, path) != want)
			fail_msg("\"%s\" and \"%s\": should be %d", pattern, path, want);
	}
	assert_true(matches > 10000);
}

static void fill(char *out, size_t size, const char *unit)
{
	size_t n = strlen(unit), at = 0;
	for (; at + n < size; at += n)
		memcpy(out + at, unit, n);
	out[at] = '\0';
}

/* Longest pattern and path, made of what drives backtracking matchers out of their mind. */
static void pathological(void **state)
{
	(void)state;
	static const char *const units[] = {
	    "*a", "**a", "*", "**/", "a*", "?*", "*[", "*[!b]", "*[\\]", "[]", "*[a-z", "/**/*"};
	static const char *const path_units[] = {"a", "/aa", "[", "[]"};
	static char pattern[PATH_LIMIT], path[PATH_LIMIT];
	for (size_t u = 0; u < COUNT(units) * COUNT(path_units); u++) {
		const char *unit = units[u / COUNT(path_units)], *path_unit = path_units[u % COUNT(path_units)];
		fill(path, sizeof(path), path_unit);
		fill(pattern, sizeof(pattern) - 1, unit);
		strcat(pattern, "b"); /* no path has one */
		clock_t before = clock();
		assert_false(text_glob(pattern, path));
		/* Some 17 million steps; a matcher that backtracks needs more than the age of the world. */
		long took_s = (clock() - before) / CLOCKS_PER_SEC; /* of the processor: others may be at work */
		if (took_s > 5)
			fail_msg("\"%s\" on \"%s\" took %ld s", unit, path_unit, took_s);
	}
}

static void pattern_limit(void **state)
{
	(void)state;
	static char pattern[PATH_LIMIT + 2];
	memset(pattern, 'a', PATH_LIMIT + 1);
	assert_false(text_glob(pattern, pattern));
	pattern[PATH_LIMIT] = '\0';
	assert_true(text_glob(pattern, pattern));
	memset(pattern, '*', PATH_LIMIT);
	assert_true(text_glob(pattern, "a/b"));
	memset(pattern, '?', PATH_LIMIT);
	assert_false(text_glob(pattern, "a/b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table),
	    cmocka_unit_test(against_the_naive_one),
	    cmocka_unit_test(pathological),
	    cmocka_unit_test(pattern_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
