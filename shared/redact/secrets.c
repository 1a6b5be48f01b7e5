/* Secrets known by their look: issuers' prefixes, JWTs, PEM blocks, passwords in addresses, and random-looking strings.
 */
#include "shared/redact/scan.h"

enum {
	RANDOM_LEAST = 20, /* characters before a string can be told to be random */
	RANDOM_CHANGES_PERCENT =
	    34, /* changes between small, capital and digit; random base64 has about 60, CamelCase words below 30 */
	PEM_LINES_MAX = 200,
	JWT_LEAST = 30,
};

static const struct {
	const char *prefix;
	uint8_t least; /* characters behind it */
} issued[] = {
    {"AKIA", 16},
    {"ASIA", 16},
    {"AGPA", 16},
    {"AROA", 16},
    {"AIza", 30},
    {"ya29.", 20},
    {"ghp_", 20},
    {"gho_", 20},
    {"ghu_", 20},
    {"ghs_", 20},
    {"ghr_", 20},
    {"github_pat_", 20},
    {"glpat-", 16},
    {"xoxa-", 10},
    {"xoxb-", 10},
    {"xoxp-", 10},
    {"xoxr-", 10},
    {"xoxs-", 10},
    {"xapp-", 10},
    {"sk-", 20},
    {"sk_live_", 10},
    {"sk_test_", 10},
    {"rk_live_", 10},
    {"whsec_", 16},
    {"npm_", 30},
    {"pypi-", 30},
    {"dop_v1_", 30},
    {"hvs.", 20},
    {"hvb.", 20},
    {"SG.", 30},
    {"AGE-SECRET-KEY-", 20},
    {"shpat_", 20},
    {"dckr_pat_", 16},
    {"$2a$", 20},
    {"$2b$", 20},
    {"$2y$", 20},
    {"$6$", 20},
    {"$5$", 20},
    {"$y$", 20},
    {"$argon2", 20},
};

static bool secret_byte(uint8_t b)
{
	return is_alnum(b) || (b && strchr("-_.+/=~$", b));
}

/* Where a run of a secret's characters ends; unlike a chunk it goes on over '='. */
static size_t run_end(const struct scan *s, size_t at)
{
	while (at < s->size && secret_byte(s->text[at]))
		at++;
	while (at > 0 && s->text[at - 1] == '.')
		at--;
	return at;
}

static bool is_issued(const struct scan *s, size_t at, size_t end)
{
	for (size_t i = 0; i < sizeof issued / sizeof issued[0]; i++) {
		if (s->text[at] != (uint8_t)issued[i].prefix[0])
			continue;
		size_t n = strlen(issued[i].prefix);
		if (end - at >= n + issued[i].least && memcmp(s->text + at, issued[i].prefix, n) == 0)
			return true;
	}
	return false;
}

/* eyJ….….…: the base64 of {" (RFC 7519); without signature too. */
static bool is_jwt(const struct scan *s, size_t at, size_t end)
{
	if (end - at < JWT_LEAST || memcmp(s->text + at, "eyJ", 3) != 0)
		return false;
	return memchr(s->text + at, '.', end - at) != NULL;
}

static int group_of(uint8_t b)
{
	return is_lower(b) ? 1 : is_upper(b) ? 2 : is_digit(b) ? 3 : 0;
}

/* Small, capital and digit, mixed as no writer of words mixes them.  Judged on one run without '.', '-' or '/' between
 * words. */
static bool is_random(const struct scan *s, size_t at, size_t end)
{
	size_t count[4] = {0}, changes = 0, parts = 0;
	int before = 0;
	for (size_t i = at; i < end; i++) {
		int g = group_of(s->text[i]);
		count[g]++;
		parts += s->text[i] == '.' || s->text[i] == '/';
		changes += g && before && g != before;
		before = g;
	}
	size_t letters = count[1] + count[2] + count[3];
	if (count[1] < 2 || count[2] < 2 || count[3] < 2 || letters < RANDOM_LEAST || count[0] * 5 > letters ||
	    parts * 12 > letters)
		return false;
	return changes * 100 >= letters * RANDOM_CHANGES_PERCENT;
}

size_t rule_secret(struct scan *s, struct chunk c)
{
	uint8_t first = s->text[c.start];
	size_t at = c.start;
	if (!(is_alnum(first) || first == '$'))
		return 0;
	bool mixed = (c.seen & (BYTE_DIGIT | BYTE_UPPER | BYTE_LOWER)) == (BYTE_DIGIT | BYTE_UPPER | BYTE_LOWER);
	if (!(c.seen & BYTE_DIGIT) && !mixed)
		return 0;
	if (c.seen & BYTE_COLON) { /* key:secret */
		const uint8_t *colon = memchr(s->text + at, ':', c.end - at);
		if (!colon || (size_t)(colon - s->text) + 12 > c.end)
			return 0;
		at = (size_t)(colon - s->text) + 1;
	}
	if (at >= c.end)
		return 0;
	bool secret = is_issued(s, at, c.end) || (mixed && is_jwt(s, at, c.end)) ||
		      (mixed && c.end - at >= RANDOM_LEAST && is_random(s, at, c.end));
	if (secret) {
		size_t end = run_end(s, at); /* goes on over '=', and at least over what was judged */
		return emit(s, at, end > c.end ? end : c.end, REDACT_SECRET);
	}
	return 0;
}

/* scheme://user:password@host: the password goes.  In clinical mode the whole address does. */
size_t rule_url(struct scan *s, struct chunk c)
{
	const uint8_t *mark = memmem(s->text + c.start, c.end - c.start, "://", 3);
	if (!mark)
		return 0;
	size_t host = (size_t)(mark - s->text) + 3, stop = c.end;
	if (clinical(s)) {
		static const char system[] = "\"system\"";
		const struct recent *key = &s->words[1]; /* of a coding in FHIR: the name of a terminology */
		if (c.start > 9 && s->text[c.start - 1] == '"' && key->letters == 6 && key->end >= 7 &&
		    key->end + 5 > c.start && memcmp(s->text + key->end - 7, system, 8) == 0)
			return c.end;
		size_t end = host;
		while (end < s->size && !is_space(s->text[end]) && !strchr("\"'<>`)]},", s->text[end]))
			end++;
		while (end > host && strchr(".,;:!?", s->text[end - 1]))
			end--;
		return end > host ? emit(s, c.start, end, REDACT_URL) : 0;
	}
	/* A password may hold what ends a chunk, so the '@' is looked for in the text itself. */
	size_t far = look_end(s, host), at_sign = 0, colon = 0;
	for (size_t i = host; i < far && !is_space(s->text[i]) && !strchr("/\"'<>`", s->text[i]); i++) {
		if (s->text[i] == '@')
			at_sign = i;
		if (s->text[i] == ':' && !colon)
			colon = i;
	}
	if (!at_sign || !colon || colon + 1 >= at_sign || placeholder_at(s, colon + 1))
		return at_sign && at_sign + 1 < s->size ? at_sign + 1 : stop;
	return emit(s, colon + 1, at_sign, REDACT_PASSWORD);
}

/* The end of the word of an option that begins at `at`. */
static size_t option_end(const struct scan *s, size_t at)
{
	while (at < s->size && !is_space(s->text[at]) && !strchr("\"'`", s->text[at]))
		at++;
	return at;
}

/* sshpass -p password, sshpass -ppassword */
static size_t take_given(struct scan *s, struct chunk c)
{
	static const char tool[] = "sshpass";
	const struct recent *before = &s->words[s->remembered];
	if (before->end + 1 != c.start || before->letters < sizeof tool - 1 || before->end < sizeof tool - 1 ||
	    memcmp(s->text + before->end - (sizeof tool - 1), tool, sizeof tool - 1) != 0)
		return 0;
	size_t at = c.start + 2;
	if (is_space(byte_at(s, at)))
		at = skip_spaces(s, at);
	size_t quote = byte_at(s, at) == '"' || byte_at(s, at) == '\'', start = at + quote;
	size_t end = quote ? start : option_end(s, start);
	while (quote && end < s->size && s->text[end] != s->text[at])
		end++;
	bool blank = end == start || s->text[start] == '$' || placeholder_at(s, start);
	return blank ? 0 : emit(s, start, end, REDACT_PASSWORD);
}

/* -u name:password, --user name:password; -pPassword right behind the name of an account. */
size_t rule_option(struct scan *s, struct chunk c)
{
	const uint8_t *p = s->text + c.start;
	size_t n = c.end - c.start;
	if ((n == 2 && p[1] == 'u') || (n == 6 && memcmp(p, "--user", 6) == 0)) {
		size_t at = skip_spaces(s, c.end + (byte_at(s, c.end) == '=')), end = option_end(s, at);
		const uint8_t *colon = at > c.end && end > at ? memchr(s->text + at, ':', end - at) : NULL;
		size_t start = colon ? (size_t)(colon - s->text) + 1 : end;
		bool number = true; /* -u 1000:1000 are ids */
		for (size_t i = start; i < end; i++)
			number &= is_digit(s->text[i]);
		return start < end && !number && !placeholder_at(s, start) ? emit(s, start, end, REDACT_PASSWORD) : 0;
	}
	size_t given = n >= 2 && p[1] == 'p' ? take_given(s, c) : 0;
	if (given)
		return given;
	static const char accounts[] = "root admin mysql mysqldump mysqladmin mariadb uroot uadmin";
	if (n < 6 || p[1] != 'p' || !(c.seen & BYTE_DIGIT) || c.letters < 4 || c.seen & BYTE_DOT)
		return 0;
	word_hash h = 0, before = recent_hash(s, 1);
	for (const char *w = accounts;; w++) {
		if (is_alpha((uint8_t)*w)) {
			h = word_hash_add(h, (uint8_t)*w);
			continue;
		}
		if (before == h)
			return emit(s, c.start + 2, option_end(s, c.start), REDACT_PASSWORD);
		if (!*w)
			return 0;
		h = 0;
	}
}

/* Clinical: portal.example.com, without a scheme before it.  The short endings that are English words, too, count only
 * behind another dot. */
size_t rule_domain(struct scan *s, struct chunk c)
{
	static const char ends[] =
	    " com org net edu gov mil int info biz name dev app site online cloud health care hospital "
	    "clinic uk de fr es nl be ch au ca jp cn ru br mx se dk fi pl cz pt gr tr il za nz ie eu tv "
	    "co.uk co.il com.au co.jp com.br ",
			  words[] = " io co us it at in no is me to am so ai my do ";
	const uint8_t *p = s->text + c.start;
	const uint8_t *slash = memchr(p, '/', c.end - c.start);
	size_t n = slash ? (size_t)(slash - p) : c.end - c.start, dot = 0, dots = 0;
	char last[12] = " ";
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '.') {
			if (i == 0 || p[i - 1] == '.')
				return 0;
			dot = i;
			dots++;
		} else if (!is_alnum(p[i]) && p[i] != '-') {
			return 0;
		}
	}
	if (!dots || n - dot - 1 < 2 || n - dot - 1 > 8)
		return 0;
	for (size_t i = dot + 1; i < n; i++) {
		if (!is_lower(p[i]))
			return 0;
		last[i - dot] = (char)p[i];
	}
	memcpy(last + (n - dot), " ", 2);
	bool known = (n > 4 && memcmp(p, "www.", 4) == 0) || strstr(ends, last) || (dots > 1 && strstr(words, last));
	if (!known || (dot < 3 && dots == 1))
		return 0;
	size_t end = c.end;
	if (slash || byte_at(s, end) == '/' || byte_at(s, end) == '?')
		while (end < s->size && !is_space(s->text[end]) && !strchr("\"'<>`)]},", s->text[end]))
			end++;
	while (end > c.start + n && strchr(".,;:!?", s->text[end - 1]) && s->text[end - 1])
		end--;
	return emit(s, c.start, end, REDACT_URL);
}

/* -----BEGIN … KEY----- to its END, over lines when there is a stream to remember it. */
size_t rule_pem(struct scan *s, size_t at)
{
	static const char begin[] = "-----BEGIN ", last[] = "-----END ";
	size_t from = at;
	bool inside = s->stream && s->stream->in_pem && at == 0;
	if (!inside) {
		if (left(s, at) < sizeof begin - 1 || memcmp(s->text + at, begin, sizeof begin - 1) != 0)
			return 0;
		const uint8_t *close =
		    memmem(s->text + at + sizeof begin - 1, look_end(s, at) - at - (sizeof begin - 1), "-----", 5);
		if (!close || !memmem(s->text + at, (size_t)(close - s->text) - at, "PRIVATE KEY", 11))
			return 0;
		from = (size_t)(close - s->text) + 5;
	}
	const uint8_t *end = memmem(s->text + from, left(s, from), last, sizeof last - 1);
	if (end) {
		size_t stop = (size_t)(end - s->text) + sizeof last - 1;
		const uint8_t *dashes = memmem(s->text + stop, look_end(s, stop) - stop, "-----", 5);
		stop = dashes ? (size_t)(dashes - s->text) + 5 : s->size;
		if (s->stream)
			s->stream->in_pem = false;
		return emit(s, at, stop, REDACT_SECRET);
	}
	if (s->stream) {
		s->stream->pem_lines = inside ? s->stream->pem_lines + 1 : 0;
		s->stream->in_pem = s->stream->pem_lines < PEM_LINES_MAX;
	}
	return s->size > at ? emit(s, at, s->size, REDACT_SECRET) : s->size;
}
