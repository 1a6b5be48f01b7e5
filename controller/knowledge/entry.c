/* controller/knowledge/entry.c: knowledge entries: their files, and finding them. */
#include "controller/knowledge/entry.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/knowledge/search.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

static const char *const area_names[KNOWLEDGE_AREA_COUNT] = {"database", "gateway", "tls", "dns", "disk", "memory",
    "process", "queue", "authentication", "inference", "deployment", "network", "time"};
const struct enum_type knowledge_area_enum = ENUM_TYPE("knowledge_area", area_names);
static const char *const action_names[KNOWLEDGE_ACTION_COUNT] = {"investigate", "restart", "rollback"};
const struct enum_type knowledge_action_enum = ENUM_TYPE("knowledge_action", action_names);

static const struct field entry_fields[] = {
    F_STRING(
	struct knowledge_entry, name, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "what it is called"),
    F_STRING(struct knowledge_entry, title, TEXT_LINE_MAX, FIELD_REQUIRED | FIELD_COLUMN, "what is wrong, in one line"),
    F_ENUM(struct knowledge_entry, area, &knowledge_area_enum, FIELD_REQUIRED | FIELD_ALWAYS | FIELD_COLUMN,
	"the part of a system that it is about"),
    F_ENUM(struct knowledge_entry, class, &error_class_enum, FIELD_REQUIRED | FIELD_ALWAYS | FIELD_COLUMN,
	"the kind of error"),
    F_STRINGS(struct knowledge_entry, patterns, KNOWLEDGE_PATTERNS_MAX, FIELD_REQUIRED,
	"texts by which it is known; * is anything within a line"),
    F_STRINGS(struct knowledge_entry, causes, KNOWLEDGE_CAUSES_MAX, FIELD_REQUIRED,
	"what usually causes it, the likeliest first"),
    F_ENUM(struct knowledge_entry, action, &knowledge_action_enum, FIELD_REQUIRED | FIELD_ALWAYS | FIELD_COLUMN,
	"the declared action that is worth trying"),
    F_ENUMS(
	struct knowledge_entry, components, &component_enum, COMPONENT_COUNT, 0, "what a rollback should bring back"),
    F_ENUMS(struct knowledge_entry, remedies, &remedy_enum, REMEDY_COUNT, FIELD_SCALAR_OK | FIELD_WIDE,
	"what an action that the service declares should be good for"),
    F_STRING(struct knowledge_entry, advice, TEXT_PAGE_MAX, FIELD_REQUIRED, "what a person should look at and do"),
    F_STRING(struct knowledge_entry, runbook, NAME_MAX_BYTES, 0, "the page that tells the whole way, by its name"),
    F_STRING(struct knowledge_entry, source, PATH_LIMIT, FIELD_REQUIRED | FIELD_WIDE, "where its facts come from"),
};

static enum err_code check_entry(const void *record, struct err *reterr)
{
	const struct knowledge_entry *e = record;
	for (const char *p = e->name; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '-')
			return err_set(reterr, ERR_INVALID,
			    "name: \"%s\": expected lower-case letters, digits and hyphens", e->name);
	for (size_t i = 0; i < e->patterns.count; i++)
		if (strspn(LIST_AT(e->patterns, const char *, i), "* ") ==
		    strlen(LIST_AT(e->patterns, const char *, i)))
			return err_set(reterr, ERR_INVALID, "patterns[%zu]: would match everything", i);
	if (!text_starts(e->source, "https://"))
		return err_set(
		    reterr, ERR_INVALID, "source: expected an address (https://…), got \"%.60s\"", e->source);
	if (e->components.count && e->action != KNOWLEDGE_ROLLBACK)
		return err_set(reterr, ERR_INVALID, "components: only a rollback has them");
	return ERR_OK;
}
const struct record_type knowledge_entry_type = RECORD_TYPE("error_knowledge", struct knowledge_entry, entry_fields,
    "what is known about one kind of fault", .check = check_entry);

static const struct field file_fields[] = {
    F_LIST(struct knowledge_file, entries, &knowledge_entry_type, KNOWLEDGE_FILE_ENTRIES_MAX,
	FIELD_REQUIRED | FIELD_KEYED, "entries by their names"),
};
const struct record_type knowledge_file_type =
    RECORD_TYPE("knowledge_file", struct knowledge_file, file_fields, "a file of knowledge entries");

/* ---- reading ---- */

static enum err_code append(struct list *entries, const struct list *more, struct arena *arena, struct err *reterr)
{
	size_t n = entries->count + more->count;
	if (n > KNOWLEDGE_ENTRIES_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d knowledge entries", KNOWLEDGE_ENTRIES_MAX);
	struct knowledge_entry *all = arena_array(arena, n, sizeof *all);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu knowledge entries", n);
	if (entries->count)
		memcpy(all, entries->items, entries->count * sizeof *all);
	for (size_t i = 0; i < more->count; i++) {
		const struct knowledge_entry *e = &LIST_AT(*more, struct knowledge_entry, i);
		for (size_t k = 0; k < entries->count; k++)
			if (text_equal(all[k].name, e->name))
				return err_set(reterr, ERR_EXISTS, "\"%s\" stands twice", e->name);
		all[entries->count + i] = *e;
	}
	*entries = (struct list){all, n};
	return ERR_OK;
}

enum err_code knowledge_parse(
    const char *file, const char *text, size_t size, struct arena *arena, struct list *entries, struct err *reterr)
{
	struct knowledge_file f;
	enum err_code rc = record_from_yaml(&knowledge_file_type, file, text, size, arena, &f, reterr);
	if (rc == ERR_OK && (rc = append(entries, &f.entries, arena, reterr)) != ERR_OK)
		rc = err_prefix(reterr, rc, "%s", file);
	return rc;
}

static int is_yaml(const struct dirent *d)
{
	return d->d_name[0] != '.' && text_ends(d->d_name, ".yaml");
}

static enum err_code load_file(
    const char *folder, const char *name, struct arena *arena, struct list *entries, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf text = BUF_INIT;
	if (!text_format(path, sizeof path, "%s/%s", folder, name))
		return err_set(reterr, ERR_LIMIT, "%.200s/%s: the path is too long", folder, name);
	enum err_code rc = file_read(path, KNOWLEDGE_FILE_MAX, &text, reterr);
	if (rc == ERR_OK)
		rc = knowledge_parse(path, buf_str(&text), text.size, arena, entries, reterr);
	buf_done(&text);
	return rc;
}

enum err_code knowledge_load(const char *folder, struct arena *arena, struct list *ret, struct err *reterr)
{
	struct dirent **names = NULL;
	struct list entries = {0};
	enum err_code rc = ERR_OK;
	int n = scandir(folder, &names, is_yaml, alphasort);
	if (n < 0)
		return err_set(reterr, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (rc == ERR_OK)
			rc = load_file(folder, names[i]->d_name, arena, &entries, reterr);
		free(names[i]);
	}
	free(names);
	if (rc == ERR_OK)
		*ret = entries;
	return rc;
}

/* ---- patterns ---- */

static size_t piece_at(const char *piece, size_t size, const char *text)
{
	size_t i = 0;
	while (i < size && text[i] && tolower((unsigned char)text[i]) == tolower((unsigned char)piece[i]))
		i++;
	return i;
}

/* Where a piece stands in the line that text begins in, or NULL. */
static const char *find_piece(const char *piece, size_t size, const char *text)
{
	for (; *text && *text != '\n'; text++)
		if (piece_at(piece, size, text) == size)
			return text;
	return NULL;
}

/* Piece after piece within one line; the first place of each is as good as any other. */
static size_t match_line(const char *pattern, const char *line)
{
	size_t letters = 0;
	for (const char *p = pattern; *p;) {
		size_t n = strcspn(p, "*");
		if (n) {
			line = find_piece(p, n, line);
			if (!line)
				return 0;
			line += n;
			letters += n;
		}
		p += n + (p[n] == '*');
	}
	return letters;
}

size_t knowledge_pattern_match(const char *pattern, const char *text)
{
	for (;;) {
		size_t letters = match_line(pattern, text);
		if (letters)
			return letters;
		text = strchr(text, '\n');
		if (!text)
			return 0;
		text++;
	}
}

/* ---- finding ---- */

struct knowledge {
	const struct list *entries;
	struct search *search;
};

static void entry_text(const struct knowledge_entry *e, struct buf *out)
{
	buf_printf(out, "# %s\n%s\n", e->title, enum_name(&knowledge_area_enum, e->area));
	for (size_t i = 0; i < e->patterns.count; i++)
		buf_printf(out, "%s\n", LIST_AT(e->patterns, const char *, i));
	for (size_t i = 0; i < e->causes.count; i++)
		buf_printf(out, "%s\n", LIST_AT(e->causes, const char *, i));
	buf_printf(out, "%s\n", e->advice);
}

enum err_code knowledge_new(const struct list *entries, struct knowledge **ret, struct err *reterr)
{
	struct knowledge *k = calloc(1, sizeof *k);
	struct buf text = BUF_INIT;
	if (!k)
		return err_set(reterr, ERR_NOMEM, "out of memory for the knowledge");
	k->entries = entries;
	enum err_code rc = search_new(&k->search, reterr);
	for (size_t i = 0; rc == ERR_OK && i < entries->count; i++) {
		const struct knowledge_entry *e = &LIST_AT(*entries, struct knowledge_entry, i);
		buf_clear(&text);
		entry_text(e, &text);
		rc = text.failed ? err_set(reterr, ERR_NOMEM, "out of memory for the knowledge")
				 : search_add(k->search, e->name, buf_str(&text), text.size, reterr);
	}
	buf_done(&text);
	if (rc != ERR_OK) {
		knowledge_free(k);
		return rc;
	}
	search_ready(k->search);
	*ret = k;
	return ERR_OK;
}

void knowledge_free(struct knowledge *k)
{
	if (!k)
		return;
	search_free(k->search);
	free(k);
}

struct finding {
	struct knowledge_hit *hits;
	size_t *letters; /* of each hit's pattern */
	size_t count, max;
};

static void insert(struct finding *f, struct knowledge_hit hit, size_t letters)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->hits[i].entry == hit.entry)
			return;
	size_t at = f->count;
	while (at && (f->letters[at - 1] < letters))
		at--;
	if (at == f->max)
		return;
	size_t last = f->count < f->max ? f->count++ : f->max - 1;
	memmove(&f->hits[at + 1], &f->hits[at], (last - at) * sizeof *f->hits);
	memmove(&f->letters[at + 1], &f->letters[at], (last - at) * sizeof *f->letters);
	f->hits[at] = hit;
	f->letters[at] = letters;
}

static void by_pattern(const struct list *entries, const char *text, struct finding *f)
{
	for (size_t i = 0; i < entries->count; i++) {
		const struct knowledge_entry *e = &LIST_AT(*entries, struct knowledge_entry, i);
		struct knowledge_hit hit = {.entry = e};
		size_t most = 0;
		for (size_t p = 0; p < e->patterns.count; p++) {
			size_t letters = knowledge_pattern_match(LIST_AT(e->patterns, const char *, p), text);
			if (letters > most) {
				most = letters;
				hit.pattern = LIST_AT(e->patterns, const char *, p);
			}
		}
		/* A long text that stands there word for word is hardly by chance; a short one may be. */
		hit.confidence = most >= 24 ? 0.95 : most >= 12 ? 0.9 : 0.75;
		if (most)
			insert(f, hit, most);
	}
}

size_t knowledge_recognise(const struct list *entries, const char *text, struct knowledge_hit *ret, size_t max)
{
	size_t letters[SEARCH_RANK_MAX];
	struct finding f = {ret, letters, 0, max < SEARCH_RANK_MAX ? max : SEARCH_RANK_MAX};
	by_pattern(entries, text, &f);
	return f.count;
}

enum err_code knowledge_find(
    struct knowledge *k, const char *text, struct knowledge_hit *ret, size_t max, size_t *ret_count, struct err *reterr)
{
	struct search_hit words[SEARCH_RANK_MAX];
	size_t letters[SEARCH_RANK_MAX], n = 0;
	double confidence;
	struct finding f = {ret, letters, 0, max < SEARCH_RANK_MAX ? max : SEARCH_RANK_MAX};
	by_pattern(k->entries, text, &f);
	size_t patterns = f.count;
	enum err_code rc = search_find(k->search, text, strlen(text), words, f.max, &n, &confidence, reterr);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < n && f.count < f.max; i++) {
		const struct knowledge_entry *e = &LIST_AT(*k->entries, struct knowledge_entry, words[i].document);
		double share = words[i].score / (words[0].score + 1e-9);
		insert(&f,
		    (struct knowledge_hit){.entry = e, .confidence = (patterns ? 0.3 : 0.5) * confidence * share}, 0);
	}
	*ret_count = f.count;
	return ERR_OK;
}
