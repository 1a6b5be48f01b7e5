/* tests/fuzz/base_text.c: the text parsers of shared/base.  What one takes must come back the same through its writer,
 * and cutting and quoting keep UTF-8 whole. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/id.h"
#include "shared/base/text.h"
#include "tests/fuzz/fuzz.h"

enum { GLOB_PART_MAX = 200 }; /* time grows with pattern times path */

static void numbers(const char *s)
{
	uint64_t u = 0;
	int64_t i = 0;
	double d = 0;
	if (text_u64(s, &u, NULL) == ERR_OK && text_i64(s, &i, NULL) == ERR_OK)
		assert((uint64_t)i == u);
	if (text_i64(s, &i, NULL) == ERR_OK)
		assert(text_f64(s, &d, NULL) == ERR_OK);
	if (text_duration_ms(s, &u, NULL) == ERR_OK)
		assert(text_u64(s, &u, NULL) != ERR_OK);
	char out[TEXT_TIME_MAX];
	if (text_size_bytes(s, &u, NULL) == ERR_OK)
		assert(strlen(text_size_human(u, out)) < TEXT_TIME_MAX &&
		       strlen(text_duration_human(u, out)) < TEXT_TIME_MAX);
}

static void time_comes_back(const char *s)
{
	uint64_t ms, again;
	char out[TEXT_TIME_MAX];
	if (text_parse_time(s, &ms, NULL) != ERR_OK)
		return;
	enum err_code rc = text_parse_time(text_time(ms, out), &again, NULL);
	/* An offset or a leap second may lead beyond 9999, which is written as its end. */
	assert(rc == ERR_OK && (again == ms || (again < ms && ms - again <= 86400000)));
}

static void id_comes_back(const char *s)
{
	for (unsigned kind = 0; kind < ID_KIND_COUNT; kind++) {
		struct id id;
		char out[ID_TEXT_MAX];
		if (id_parse(kind, s, &id, NULL) == ERR_OK)
			assert(text_equal(id_format(kind, id, out), s));
	}
}

static void bytes_come_back(const char *s, size_t size)
{
	struct buf decoded = BUF_INIT, encoded = BUF_INIT;
	if (text_unbase64(&decoded, s, size, NULL) == ERR_OK) {
		text_base64(&encoded, decoded.data, decoded.size);
		assert(encoded.size == size && memcmp(buf_str(&encoded), s, size) == 0);
	} else {
		assert(decoded.size == 0);
	}
	buf_done(&decoded);
	buf_done(&encoded);
	uint8_t *out = malloc(size / 2 + 1);
	if (!out)
		abort();
	if (text_unhex(s, out, size / 2, NULL) == ERR_OK) {
		struct buf text = BUF_INIT;
		char *hex = (char *)buf_reserve(&text, size + 1);
		text_hex(out, size / 2, hex);
		assert(strcasecmp(hex, s) == 0);
		buf_done(&text);
	}
	free(out);
}

static void utf8_stays_whole(const char *s, size_t size)
{
	size_t at = 0, n;
	while (at < size && (n = text_utf8_length(s + at, size - at)) > 0)
		at += n;
	bool valid = text_utf8_valid(s, size);
	assert(valid == (at == size));
	struct err err;
	err_set(&err, ERR_INVALID, "%s", s);
	assert(text_utf8_valid(err.msg, strlen(err.msg)));
	for (size_t room = 1; room < 20; room++) {
		char out[20];
		text_copy(out, room, s);
		assert(strlen(out) < room && strncmp(out, s, strlen(out)) == 0);
		if (text_utf8_valid(s, strlen(s)))
			assert(text_utf8_valid(out, strlen(out)));
	}
}

/* The first line is the pattern, the second the path. */
static void globs(const char *s)
{
	char pattern[GLOB_PART_MAX], path[GLOB_PART_MAX];
	size_t n = strcspn(s, "\n");
	text_copy(pattern, n + 1 < sizeof(pattern) ? n + 1 : sizeof(pattern), s);
	text_copy(path, sizeof(path), s[n] ? s + n + 1 : "");
	bool match = text_glob(pattern, path);
	assert(text_glob("**", path));
	if (!strpbrk(pattern, "*?[\\"))
		assert(match == text_equal(pattern, path));
	if (match && !strstr(pattern, "**") && !strpbrk(pattern, "[\\")) { /* else every slash is named */
		size_t want = 0, have = 0;
		for (const char *p = pattern; *p; p++)
			want += *p == '/';
		for (const char *p = path; *p; p++)
			have += *p == '/';
		assert(want == have);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);
	if (!s)
		return 0;
	if (size > 0)
		memcpy(s, data, size);
	s[size] = '\0';
	numbers(s);
	time_comes_back(s);
	id_comes_back(s);
	bytes_come_back(s, size);
	utf8_stays_whole(s, size);
	globs(s);
	free(s);
	return 0;
}
