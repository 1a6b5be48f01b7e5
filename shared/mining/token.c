#include "shared/mining/token.h"

#include <string.h>

enum {
	NUMBERED_DIGITS_MAX = 2,
	HEX_WORD_LEAST = 8,
	QUOTED_MOST = 96,
	NAME_LEAST = 2,
	COUNTER_MOST = 7 /* digits: more are as often a hash that happens to have no letter */
};

enum { C_SPACE = 1, C_SPLIT = 2, C_DIGIT = 4, C_LOWER = 8, C_UPPER = 16, C_HEX = 32 };
static const uint8_t classes[256] = {
    ['\t'] = C_SPACE,
    ['\n'] = C_SPACE,
    ['\v'] = C_SPACE,
    ['\f'] = C_SPACE,
    ['\r'] = C_SPACE,
    [' '] = C_SPACE,
    ['='] = C_SPLIT,
    [':'] = C_SPLIT,
    [','] = C_SPLIT,
    [';'] = C_SPLIT,
    ['('] = C_SPLIT,
    [')'] = C_SPLIT,
    ['['] = C_SPLIT,
    [']'] = C_SPLIT,
    ['{'] = C_SPLIT,
    ['}'] = C_SPLIT,
    ['<'] = C_SPLIT,
    ['>'] = C_SPLIT,
    ['"'] = C_SPLIT,
    ['\''] = C_SPLIT,
    ['|'] = C_SPLIT,
    ['@'] = C_SPLIT,
    ['`'] = C_SPLIT,
    ['&'] = C_SPLIT,
    ['?'] = C_SPLIT,
    ['!'] = C_SPLIT,
    [0] = C_SPLIT,
    ['0' ... '9'] = C_DIGIT | C_HEX,
    ['a' ... 'f'] = C_LOWER | C_HEX,
    ['g' ... 'z'] = C_LOWER,
    ['A' ... 'F'] = C_UPPER | C_HEX,
    ['G' ... 'Z'] = C_UPPER,
    [0x80 ... 0xff] = C_LOWER, /* of letters beyond ASCII most are small */
};
static inline unsigned class_of(char c)
{
	return classes[(uint8_t)c];
}

uint64_t token_mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return h ^ h >> 32;
}

uint64_t token_hash(const char *text, size_t size)
{
	uint64_t h = 0x9e3779b97f4a7c15ull ^ size, v;
	for (; size >= 8; text += 8, size -= 8) {
		memcpy(&v, text, 8);
		h = (h ^ v) * 0x9fb21c651e98df25ull;
		h ^= h >> 35;
	}
	v = 0;
	memcpy(&v, text, size);
	h = (h ^ v) * 0x9fb21c651e98df25ull;
	h = token_mix(h);
	return h ? h : 1;
}

/* ---- what a word looks like ---- */

struct look {
	unsigned digits, lowers, uppers, hexes, others, slashes, dots, changes;
};

/* What a byte adds to each field of a look, eight bits each, changes left out. */
enum { LANE_DIGIT, LANE_LOWER = 8, LANE_UPPER = 16, LANE_HEX = 24, LANE_OTHER = 32, LANE_SLASH = 40, LANE_DOT = 48 };
static uint64_t lanes[256];

/* Before main, once: afterwards they are only read. */
__attribute__((constructor)) static void fill_lanes(void)
{
	for (unsigned c = 0; c < 256; c++)
		lanes[c] = (uint64_t)((classes[c] & C_DIGIT) != 0) << LANE_DIGIT |
			   (uint64_t)((classes[c] & C_LOWER) != 0) << LANE_LOWER |
			   (uint64_t)((classes[c] & C_UPPER) != 0) << LANE_UPPER |
			   (uint64_t)((classes[c] & C_HEX) != 0) << LANE_HEX |
			   (uint64_t)(classes[c] == 0) << LANE_OTHER | (uint64_t)(c == '/') << LANE_SLASH |
			   (uint64_t)(c == '.') << LANE_DOT;
}

static struct look look_at(const char *p, size_t n)
{
	struct look l = {0};
	bool lower = false;
	for (size_t i = 0; i < n;) {
		uint64_t sums = 0;
		for (size_t stop = n - i < UINT8_MAX ? n : i + UINT8_MAX; i < stop; i++) {
			uint64_t lane = lanes[(uint8_t)p[i]];
			l.changes += lower & (unsigned)(lane >> LANE_UPPER);
			lower = lane >> LANE_LOWER & 1;
			sums += lane;
		}
		l.digits += sums >> LANE_DIGIT & UINT8_MAX;
		l.lowers += sums >> LANE_LOWER & UINT8_MAX;
		l.uppers += sums >> LANE_UPPER & UINT8_MAX;
		l.hexes += sums >> LANE_HEX & UINT8_MAX;
		l.others += sums >> LANE_OTHER & UINT8_MAX;
		l.slashes += sums >> LANE_SLASH & UINT8_MAX;
		l.dots += sums >> LANE_DOT & UINT8_MAX;
	}
	return l;
}

static bool is_numbered(const char *p, size_t n, const struct look *l)
{
	if (l->digits > NUMBERED_DIGITS_MAX || l->others || l->lowers + l->uppers < 2)
		return false;
	for (size_t i = n - l->digits; i < n; i++)
		if (!(class_of(p[i]) & C_DIGIT))
			return false;
	return true;
}

/* host.example.com, but not org.example.Class */
static bool is_host_name(const char *p, size_t n, const struct look *l)
{
	static const char *const ends[] = {".com", ".net", ".org", ".edu", ".gov", ".local", ".internal", ".lan", ".io",
	    ".de", ".uk", ".cn", ".ru", ".jp", ".fr", ".br", ".tw", ".it", ".nl", ".in", ".info", ".biz",
	    ".localdomain"};
	if (!l->dots || l->uppers || l->slashes || (n > 4 && (memcmp(p, "org.", 4) == 0 || memcmp(p, "com.", 4) == 0)))
		return false;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		size_t k = strlen(ends[i]);
		if (n > k && memcmp(p + n - k, ends[i], k) == 0)
			return true;
	}
	return false;
}

/* %LINK-3-UPDOWN, ORA-00942: what kind of message it is, not a value. */
static bool is_code(const char *p, size_t n)
{
	size_t i = p[0] == '%', letters = i;
	while (i < n && (class_of(p[i]) & C_UPPER || p[i] == '_'))
		i++;
	letters = i - letters;
	if (letters < 2 || i + 1 >= n || p[i] != '-' || !(class_of(p[i + 1]) & C_DIGIT))
		return false;
	size_t digits = ++i;
	while (i < n && class_of(p[i]) & C_DIGIT)
		i++;
	digits = i - digits;
	return p[0] == '%' ? i < n && p[i] == '-' : i == n && letters == 3 && digits == 5;
}

static unsigned flags_of(const char *p, size_t n)
{
	struct look l = look_at(p, n);
	if (is_code(p, n))
		return TOKEN_ODD;
	unsigned odd = l.uppers > 1 || l.changes || l.others ? TOKEN_ODD : 0u;
	if (l.digits)
		return is_numbered(p, n, &l) ? TOKEN_VARIABLE | TOKEN_NUMBERED : TOKEN_VARIABLE;
	if (p[0] == '/' && n > 1)
		return TOKEN_VARIABLE;
	if (l.slashes >= 3 || (l.hexes == n && n >= HEX_WORD_LEAST) || is_host_name(p, n, &l))
		return TOKEN_VARIABLE;
	return odd;
}

/* 12:30:01, fe80::1, 00:1a:2b:3c:4d:5e: one value, though it holds colons. */
static size_t colon_value(const char *p, size_t n)
{
	size_t i = 0, colons = 0, digits = 0;
	while (i < n && (class_of(p[i]) & C_HEX || p[i] == ':' || p[i] == '.')) {
		colons += p[i] == ':';
		digits += (class_of(p[i]) & C_DIGIT) != 0;
		i++;
	}
	if (i < n && !(class_of(p[i]) & (C_SPACE | C_SPLIT)) && p[i] != '-' && p[i] != '/' && p[i] != '%')
		return 0;
	while (i > 0 && (p[i - 1] == ':' || p[i - 1] == '.')) {
		colons -= p[i - 1] == ':';
		i--;
	}
	if (colons < 2 || !digits)
		return 0;
	if (i < n && p[i] == '%') /* the zone of an address */
		for (i++; i < n && class_of(p[i]) & (C_DIGIT | C_LOWER | C_UPPER);)
			i++;
	return i;
}

/* scheme://… up to what ends it in a sentence: one value; the bytes, or 0. */
static size_t uri_size(const char *p, size_t n)
{
	size_t i = 0, end;
	while (i < n && i < 16 &&
	       (class_of(p[i]) & (C_LOWER | C_UPPER | C_DIGIT) || p[i] == '.' || p[i] == '+' || p[i] == '-'))
		i++;
	if (i < 2 || n < i + 4 || p[i] != ':' || p[i + 1] != '/' || p[i + 2] != '/')
		return 0;
	for (end = i + 3; end < n && !(class_of(p[end]) & C_SPACE) && !strchr("\"'<>()[]{}|`,;", p[end]);)
		end++;
	while (end > i + 3 && strchr(".:!?", p[end - 1]))
		end--;
	return end > i + 3 ? end : 0;
}

/* ".c", ".java": file.c:12 is a place in a program, not a port of a host. */
static bool is_source(const char *dot, size_t n)
{
	static const char *const ends[] = {"c", "h", "cc", "cpp", "hpp", "cxx", "java", "kt", "scala", "py", "go", "rs",
	    "js", "ts", "rb", "cs", "php", "pl", "pm", "sh", "lua", "swift", "m", "sql"};
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (strlen(ends[i]) == n && memcmp(dot, ends[i], n) == 0)
			return true;
	return false;
}

/* db-1.example.test, when ":5432" stands behind it. */
static bool is_peer(const char *p, size_t size, size_t n)
{
	size_t dot = 0, digits = 0;
	if (n < size + 2 || p[size] != ':')
		return false;
	while (digits < 6 && size + 1 + digits < n && class_of(p[size + 1 + digits]) & C_DIGIT)
		digits++;
	if (digits < 2 || digits > 5)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!(class_of(p[i]) & (C_LOWER | C_DIGIT)) && p[i] != '.' && p[i] != '-')
			return false;
		dot = p[i] == '.' ? i : dot;
	}
	return dot > 0 && dot + 1 < size && !is_source(p + dot + 1, size - dot - 1);
}

/* ---- reading ---- */

/* Blanks in a row are one. */
static uint64_t mix_glue(uint64_t h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool space = class_of(p[i]) & C_SPACE;
		if (!space || i == 0 || !(class_of(p[i - 1]) & C_SPACE))
			h = (h ^ (space ? ' ' : (uint8_t)p[i])) * 0x9fb21c651e98df25ull;
	}
	return token_mix(h ^ n >> 16 ^ 0x51);
}

static void finish(struct tokens *t, const char *rest, size_t size)
{
	uint64_t h = token_mix(t->count + 1);
	t->tail = rest;
	t->tail_size = (uint16_t)size;
	for (size_t i = 0; i < t->count; i++)
		h = mix_glue(h, t->items[i].glue, t->items[i].glue_size);
	t->structure = token_mix(mix_glue(h, rest, size) ^ (t->cut ? 0x5bd1e995u : 0));
}

/* What surrounds a word tells whether a value stands there. */
static unsigned context_of(const struct tokens *t, const struct token *k)
{
	char before = k->glue_size ? k->glue[k->glue_size - 1] : ' ';
	unsigned flags = 0;
	if (before == '=' || before == '"' || before == '\'')
		flags |= TOKEN_VALUE;
	unsigned last = t->count > 0 && k->glue_size ? t->items[t->count - 1].flags : 0;
	if (last & (unsigned)CLASS_CUE)
		flags |= TOKEN_CUED;
	if (last & (unsigned)CLASS_NAMER)
		flags |= TOKEN_NAMED;
	return flags;
}

/* "user bob", "user 'bob'", "user=bob"; not "user [preauth]" */
static bool follows_plainly(const struct token *k, char next)
{
	char last = k->glue_size ? k->glue[k->glue_size - 1] : 0;
	if (next == '(')
		return false;
	return (k->glue_size == 1 && (last == ' ' || last == '=' || last == ':')) ||
	       (k->glue_size == 2 && (last == '\'' || last == '"' || (last == ' ' && k->glue[0] == ':')));
}

/* key=true: what a key is set to, not what happened. */
static bool is_answer(const char *p, size_t n)
{
	static const char *const answers[] = {
	    "true", "false", "null", "none", "nil", "yes", "no", "True", "False", "None", "NULL", "TRUE", "FALSE"};
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
		if (strlen(answers[i]) == n && memcmp(answers[i], p, n) == 0)
			return true;
	return false;
}

static void add_token(
    struct tokens *t, const char *glue, size_t glue_size, const char *text, size_t size, unsigned flags, char next)
{
	struct token *k = &t->items[t->count];
	*k = (struct token){
	    .text = text, .size = (uint16_t)size, .glue = glue, .glue_size = (uint16_t)glue_size, .flags = flags};
	k->flags |= context_of(t, k);
	if (!(flags & TOKEN_VARIABLE)) {
		uint64_t hash = 0;
		k->flags |= word_class(text, size, &hash);
		bool named =
		    k->flags & TOKEN_NAMED && !(k->flags & (TOKEN_KNOWN | TOKEN_POLAR)) && follows_plainly(k, next);
		bool answer = glue_size && glue[glue_size - 1] == '=' && is_answer(text, size);
		if (named || answer)
			k->flags = (k->flags | TOKEN_VARIABLE) & ~(unsigned)TOKEN_POLAR;
		else
			k->hash = hash ? hash : token_hash(text, size);
		if (next == '-' && !(k->flags & TOKEN_POLAR)) /* cache-12: a name, whatever the word */
			k->flags &= ~(unsigned)TOKEN_KNOWN;
	}
	t->count++;
}

/* A template's own <*>. */
static bool blank_at(const char *p, size_t n)
{
	return n >= 3 && p[0] == '<' && p[1] == '*' && p[2] == '>';
}

/* Values in a row, as in a list of block names: one value, so that lists of any length are one template.  Plain numbers
 * in a row are rather columns, and stay. */
static bool joins_list(
    const struct tokens *t, const char *glue, size_t glue_size, const char *text, size_t size, unsigned flags, bool key)
{
	if (!t->count || !(flags & TOKEN_VARIABLE) || flags & (TOKEN_BLANK | TOKEN_UNIT))
		return false;
	const struct token *last = &t->items[t->count - 1];
	bool list =
	    (glue_size == 1 && (*glue == ' ' || *glue == ',')) || (glue_size == 2 && memcmp(glue, ", ", 2) == 0);
	if (!list || !(last->flags & TOKEN_VARIABLE) || last->flags & TOKEN_BLANK)
		return false;
	if ((flags | last->flags) & TOKEN_NUMBERED || key)
		return false; /* rather the next key */
	struct look a = look_at(last->text, last->size), b = look_at(text, size);
	return a.lowers + a.uppers > 0 && b.lowers + b.uppers > 0 && last->size + glue_size + size < UINT16_MAX;
}

/* core.2275, node-12: a name and a number.  The bytes of the name, or 0. */
static size_t name_size(const char *p, size_t n)
{
	size_t letters = 0, digits = 0;
	while (letters < n && class_of(p[letters]) & (C_LOWER | C_UPPER))
		letters++;
	if (letters < NAME_LEAST || letters + 1 >= n || (p[letters] != '.' && p[letters] != '-'))
		return 0;
	while (letters + 1 + digits < n && class_of(p[letters + 1 + digits]) & C_DIGIT)
		digits++;
	return digits && digits <= COUNTER_MOST && letters + 1 + digits == n && !is_code(p, n) ? letters : 0;
}

static size_t word_size(const char *p, size_t n)
{
	size_t i = 0;
	while (i < n && !(class_of(p[i]) & (C_SPACE | C_SPLIT)) && !(p[i] == '.' && i + 1 < n && p[i + 1] == '.'))
		i++;
	/* The full stop of a sentence is no part of its last word. */
	if (i > 1 && p[i - 1] == '.' && (i == n || class_of(p[i]) & C_SPACE))
		i--;
	size_t name = name_size(p, i);
	return name ? name : i;
}

/* How far what stands between two words goes; stops inside of " ()": an empty value. */
static size_t glue_size(const char *p, size_t n, bool behind_name, bool *ret_empty)
{
	size_t i = 0;
	*ret_empty = false;
	if (n > 1 && (p[0] == '.' || p[0] == '-') && class_of(p[1]) & C_DIGIT && behind_name)
		i = 1; /* core.2275 */
	while (i < n && !blank_at(p + i, n - i)) {
		if (i > 1 && (p[i] == ')' || p[i] == ']') && (p[i - 1] == '(' || p[i - 1] == '[') &&
		    class_of(p[i - 2]) & C_SPACE) {
			*ret_empty = true;
			break;
		}
		if (!(class_of(p[i]) & (C_SPACE | C_SPLIT)) &&
		    !(p[i] == '.' && ((i + 1 < n && p[i + 1] == '.') || (i > 0 && p[i - 1] == '.'))))
			break;
		i++;
	}
	return i;
}

/* key="several words", job "several words": one value, without its quotes; the bytes, or 0. */
static size_t quoted_size(const struct tokens *t, const char *glue, size_t glue_size, const char *p, size_t n)
{
	if (glue_size < 2 || (glue[glue_size - 1] != '"' && glue[glue_size - 1] != '\''))
		return 0;
	bool titled = t->count && glue_size == 2 && *glue == ' ' &&
		      t->items[t->count - 1].flags & (unsigned)(CLASS_TITLED | CLASS_NAMER);
	if (glue[glue_size - 2] != '=' && !titled)
		return 0;
	size_t most = n < QUOTED_MOST ? n : QUOTED_MOST;
	const char *close = memchr(p, glue[glue_size - 1], most);
	size_t size = close ? (size_t)(close - p) : 0;
	/* A title may be any word; what a key is set to may be what happened. */
	return size && !memchr(p, '=', size) && (titled || !(word_class(p, size, NULL) & TOKEN_POLAR)) ? size : 0;
}

/* key=Name{…}: an object printed as one value; what of it stands behind the name, or 0. */
static size_t object_size(const char *glue, size_t glue_size, const char *p, size_t n)
{
	if (glue_size == 0 || glue[glue_size - 1] != '=' || n == 0 || *p != '{')
		return 0;
	for (size_t i = 1; i < n && i < QUOTED_MOST; i++) {
		if (p[i] == '}')
			return i + 1;
		if (class_of(p[i]) & C_SPACE || strchr("{=\"'", p[i]))
			break;
	}
	return 0;
}

/* A word, or what its first part is that of: a scheme ends where the word does, but for a number behind its name. */
static size_t word_or_uri(const char *p, size_t n, bool *ret_uri)
{
	size_t size = word_size(p, n), uri = 0;
	if (size < n && (p[size] == ':' || p[size] == '.' || p[size] == '-'))
		uri = uri_size(p, n);
	*ret_uri = uri;
	return uri ? uri : size;
}

static void read_word(struct tokens *t, const char *glue, const char *p, const char *end, const char **ret_next)
{
	size_t n = (size_t)(end - p), size, before = (size_t)(p - glue);
	unsigned flags = TOKEN_VARIABLE;
	bool uri;
	if (blank_at(p, n)) {
		size = 3;
		flags |= TOKEN_BLANK;
	} else if (!(size = quoted_size(t, glue, before, p, n)) && !(size = date_size(p, n)) &&
		   !(size = colon_value(p, n)) && (size = word_or_uri(p, n, &uri), !uri)) {
		flags = is_peer(p, size, n) ? (unsigned)TOKEN_VARIABLE : flags_of(p, size);
		size_t object = object_size(glue, before, p + size, n - size);
		if (object) {
			size += object;
			flags = TOKEN_VARIABLE;
		}
	}
	if ((flags == TOKEN_VARIABLE && size && class_of(p[size - 1]) & C_DIGIT) || flags & TOKEN_BLANK) {
		unsigned unit;
		size += unit_size(p + size, n - size, &unit);
		flags |= unit << TOKEN_UNIT_SHIFT;
	}
	*ret_next = p + size;
	if (joins_list(t, glue, before, p, size, flags, size < n && p[size] == '=')) {
		struct token *last = &t->items[t->count - 1];
		last->size = (uint16_t)(last->size + before + size);
		last->flags &= ~(unsigned)TOKEN_NUMBERED;
		return;
	}
	add_token(t, glue, before, p, size, flags, size < n ? p[size] : 0);
}

void tokens_read(const char *text, size_t size, struct tokens *ret)
{
	const char *end = text + (size < MINER_TEXT_MAX ? size : MINER_TEXT_MAX), *at = text;
	ret->count = 0;
	ret->cut = size > MINER_TEXT_MAX;
	while (ret->cut && end > at && !(class_of(end[-1]) & C_SPACE)) /* no half words, unless there is but one */
		end--;
	if (end == at && ret->cut)
		end = text + MINER_TEXT_MAX;
	while (end > at && class_of(end[-1]) & C_SPACE)
		end--;
	while (at < end && class_of(*at) & C_SPACE)
		at++;
	const char *glue = at;
	while (at < end && ret->count < MINER_TOKENS_MAX) {
		bool empty;
		const char *word =
		    at + glue_size(at, (size_t)(end - at), at > text && class_of(at[-1]) & (C_LOWER | C_UPPER), &empty);
		if (empty)
			add_token(ret, glue, (size_t)(word - glue), word, 0, TOKEN_VARIABLE, 0);
		else if (word == end)
			break;
		else
			read_word(ret, glue, word, end, &word);
		glue = at = word;
	}
	ret->cut |= at < end && ret->count == MINER_TOKENS_MAX;
	if (ret->count && at == end && ret->items[ret->count - 1].flags & TOKEN_VARIABLE)
		ret->cut = false; /* a long list is a list */
	finish(ret, glue, ret->cut ? 0 : (size_t)(end - glue));
}
