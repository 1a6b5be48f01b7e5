/* docs/PROTOCOL.md and the code speak of the same things: every record type, field, frame type, bye reason and word of
 * an enumeration stands there under its heading, and nothing stands there that the code does not know.
 *
 * What is looked at: headings that are one word in backticks, and the first cell of the table rows below them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/file.h"
#include "tests/lib/unit.h"
#include "tests/unit/shared/message/samples.h"

enum { TOPICS_MAX = 128, WORDS_MAX = 64 };

/* A heading with the words of its rows, of the document or of the code. */
struct topic {
	char name[64];
	char words[WORDS_MAX][64];
	unsigned count;
};
static struct topic doc[TOPICS_MAX], code[TOPICS_MAX];
static unsigned doc_count, code_count;

static struct topic *find(struct topic *topics, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(topics[i].name, name))
			return &topics[i];
	return NULL;
}

static bool has(const struct topic *t, const char *word)
{
	for (unsigned i = 0; i < t->count; i++)
		if (!strcmp(t->words[i], word))
			return true;
	return false;
}

static struct topic *add_topic(struct topic *topics, unsigned *count, const char *name)
{
	assert_true(*count < TOPICS_MAX);
	if (find(topics, *count, name))
		fail_msg("%s stands there twice", name);
	struct topic *t = &topics[(*count)++];
	memset(t, 0, sizeof *t);
	snprintf(t->name, sizeof t->name, "%s", name);
	return t;
}

static void add_word(struct topic *t, const char *word)
{
	assert_true(t->count < WORDS_MAX);
	if (has(t, word))
		fail_msg("%s: %s stands there twice", t->name, word);
	snprintf(t->words[t->count++], sizeof t->words[0], "%s", word);
}

/* ---- the code ---- */

static void add_enum(const struct enum_type *e)
{
	if (find(code, code_count, e->name))
		return;
	struct topic *t = add_topic(code, &code_count, e->name);
	for (uint32_t i = 0; i < e->count; i++)
		add_word(t, e->names[i]);
}

static void read_code(void)
{
	code_count = 0;
	for (unsigned i = 0; message_types[i]; i++) {
		struct topic *t = add_topic(code, &code_count, message_types[i]->name);
		for (uint32_t k = 0; k < message_types[i]->field_count; k++)
			add_word(t, message_types[i]->fields[k].name);
	}
	for (unsigned i = 0; message_types[i]; i++)
		for (uint32_t k = 0; k < message_types[i]->field_count; k++)
			if (message_types[i]->fields[k].enum_type)
				add_enum(message_types[i]->fields[k].enum_type);
}

/* ---- the document ---- */

/* The word between backticks that line begins with after prefix; false: something else. */
static bool quoted(const char *line, const char *prefix, char word[64])
{
	size_t n = strlen(prefix);
	if (strncmp(line, prefix, n) || line[n] != '`')
		return false;
	size_t size = strcspn(line + n + 1, "`\n");
	if (line[n + 1 + size] != '`' || size >= 64)
		return false;
	snprintf(word, 64, "%.*s", (int)size, line + n + 1);
	return true;
}

static void read_doc(const char *text)
{
	struct topic *t = NULL;
	char word[64];

	doc_count = 0;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (quoted(line, "### ", word) || quoted(line, "#### ", word))
			t = add_topic(doc, &doc_count, word);
		else if (line[0] == '#')
			t = NULL;
		else if (t && quoted(line, "| ", word))
			add_word(t, word);
	}
}

static void load_doc(void)
{
	char path[512];
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	snprintf(path, sizeof path, "%s/docs/PROTOCOL.md", getenv("KEDGE_SOURCE_DIR"));
	if (file_read(path, 1 << 20, &text, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	read_doc(buf_str(&text));
	buf_done(&text);
}

/* Says everything that a has and b lacks; returns how much. */
static unsigned lacking(const struct topic *a, unsigned a_count, struct topic *b, unsigned b_count, const char *who)
{
	unsigned lacks = 0;

	for (unsigned i = 0; i < a_count; i++) {
		const struct topic *other = find(b, b_count, a[i].name);
		if (!other) {
			print_error("%s: nothing about %s\n", who, a[i].name);
			lacks++;
			continue;
		}
		for (unsigned k = 0; k < a[i].count; k++)
			if (!has(other, a[i].words[k])) {
				print_error("%s: %s lacks %s\n", who, a[i].name, a[i].words[k]);
				lacks++;
			}
	}
	return lacks;
}

static void both_say_the_same(void **state)
{
	(void)state;
	read_code();
	load_doc();
	assert_true(find(code, code_count, "frame_type") && find(code, code_count, "bye_reason"));
	assert_int_equal(lacking(code, code_count, doc, doc_count, "docs/PROTOCOL.md"), 0);
	assert_int_equal(lacking(doc, doc_count, code, code_count, "the code"), 0);
}

/* The comparison itself sees what is missing on either side. */
static void it_sees_differences(void **state)
{
	(void)state;
	read_code();
	read_doc("### `ack`\n| field | |\n| `sequence` | x |\n| `colour` | x |\n## `not a topic`\n| `nor this` |\n#### "
		 "`bye_reason`\n");
	assert_int_equal(doc_count, 2);
	assert_int_equal(lacking(doc, doc_count, code, code_count, "(expected) the code"), 1);
	assert_int_equal(find(doc, doc_count, "bye_reason")->count, 0);
	struct topic *reasons = find(code, code_count, "bye_reason");
	assert_int_equal(lacking(reasons, 1, doc, doc_count, "(expected) the document"), BYE_REASON_COUNT);
	read_doc("### `nonsense`\n| `x` |\n");
	assert_int_equal(lacking(doc, doc_count, code, code_count, "(expected) the code"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_say_the_same),
	    cmocka_unit_test(it_sees_differences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
