/* Tables, sheets and the schema: the exact text. */
#include "tests/unit/shared/record/support.h"

EVERY_TREE

enum { ROWS = 2 };
struct row {
	const char *name;
	uint32_t colour;
	uint64_t count;
	const char *text;
	const char *more;
	struct list parts;
	const struct part *part;
};
static const char *const state_names[] = {"HEALTHY", "DEGRADED", "DOWN", "other"};
static const struct enum_type state_enum = ENUM_TYPE("state", state_names);
static const struct field row_fields[] = {
    F_STRING(struct row, name, 30, FIELD_REQUIRED | FIELD_COLUMN, "its name"),
    F_ENUM(struct row, colour, &state_enum, FIELD_COLUMN, "how it is", .column = "STATE"),
    F_U64(struct row, count, 0, FIELD_COLUMN, "how many | of them"),
    F_STRING(struct row, text, 200, FIELD_COLUMN, "what it says"),
    F_STRING(struct row, more, 200, FIELD_WIDE, "more"),
    F_LIST(struct row, parts, &part_type, 9, 0, "parts"),
    F_RECORD(struct row, part, struct part, &part_type, 0, "a part"),
};
static const struct record_type row_type = RECORD_TYPE("row", struct row, row_fields, "a row");

static const struct row rows[ROWS] = {
    {.name = "a", .colour = 1, .count = 5, .text = "short", .more = "m"},
    {.name = "bb\xc3\xa9", .colour = 2, .count = 1234, .text = "a rather long text that goes on and on"},
};
static const void *const both[ROWS] = {&rows[0], &rows[1]};

static void table(const struct table_options *o, const char *want)
{
	buf_clear(&out);
	fine(record_table(&row_type, both, ROWS, o, &out, &err));
	assert_string_equal(buf_str(&out), want);
}

static void columns(void **state)
{
	(void)state;
	table(&(struct table_options){0}, "NAME  STATE     COUNT  TEXT\n"
					  "a     DEGRADED      5  short\n"
					  "bb\xc3\xa9   DOWN       1234  a rather long text that goes on and on\n");
	table(&(struct table_options){.wide = true},
	    "NAME  STATE     COUNT  TEXT                                    MORE\n"
	    "a     DEGRADED      5  short                                   m\n"
	    "bb\xc3\xa9   DOWN       1234  a rather long text that goes on and on  -\n");
	static const char *const chosen[] = {"more", "name", NULL};
	table(&(struct table_options){.columns = chosen}, "MORE  NAME\nm     a\n-     bb\xc3\xa9\n");
	buf_clear(&out);
	fine(record_table(&row_type, NULL, 0, &(struct table_options){0}, &out, &err));
	assert_string_equal(buf_str(&out), "NAME  STATE  COUNT  TEXT\n");
}

static void the_widest_text_is_cut(void **state)
{
	(void)state;
	table(&(struct table_options){.width = 40}, "NAME  STATE     COUNT  TEXT\n"
						    "a     DEGRADED      5  short\n"
						    "bb\xc3\xa9   DOWN       1234  a rather long te…\n");
	table(&(struct table_options){.width = 61},
	    "NAME  STATE     COUNT  TEXT\n"
	    "a     DEGRADED      5  short\n"
	    "bb\xc3\xa9   DOWN       1234  a rather long text that goes on and on\n");
	table(&(struct table_options){.width = 1}, "NAME  STATE     COUNT  TEXT\n"
						   "a     DEGRADED      5  short\n"
						   "bb\xc3\xa9   DOWN       1234  a rathe…\n");
	static const char *const chosen[] = {"name", NULL};
	const struct row accents = {
	    .name = "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"};
	buf_clear(&out);
	fine(record_table(&row_type, (const void *[]){&accents}, 1,
	    &(struct table_options){.columns = chosen, .width = 9}, &out, &err));
	assert_string_equal(buf_str(&out), "NAME\n\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9…\n");
}

static void words_are_coloured(void **state)
{
	(void)state;
	static const char *const chosen[] = {"colour", "count", NULL};
	table(&(struct table_options){.columns = chosen, .colour = true}, "STATE     COUNT\n"
									  "\033[33mDEGRADED\033[0m      5\n"
									  "\033[31mDOWN\033[0m       1234\n");
}

static void columns_that_are_not_there(void **state)
{
	(void)state;
	static const char *const chosen[] = {"name", "cuont", NULL};
	refused(record_table(&row_type, both, ROWS, &(struct table_options){.columns = chosen}, &out, &err),
	    ERR_INVALID, "columns of row: unknown key \"cuont\"; did you mean \"count\"?");
	refused(record_table(&tree_type, both, 0, &(struct table_options){0}, &out, &err), ERR_INVALID,
	    "tree has no columns");
	assert_int_equal(out.size, 0);
}

static void a_sheet(void **state)
{
	(void)state;
	struct part parts[] = {{.name = "p", .every_ms = 1000}, {.name = "qq", .every_ms = 90000}};
	struct row r = rows[0];
	r.parts = (struct list){parts, 2};
	r.part = &parts[0];
	r.text = NULL;
	fine(record_sheet(&row_type, &r, &(struct table_options){.colour = true}, &out, &err));
	assert_string_equal(buf_str(&out), "name    a\n"
					   "colour  \033[33mDEGRADED\033[0m\n"
					   "count   5\n"
					   "text    -\n"
					   "more    m\n"
					   "parts\n"
					   "  NAME  EVERY\n"
					   "  p     1 s\n"
					   "  qq    1 min 30 s\n"
					   "part\n"
					   "  name   p\n"
					   "  every  1 s\n"
					   "  limit  -\n");
}

static void the_schema(void **state)
{
	(void)state;
	record_schema(&row_type, &out);
	assert_string_equal(buf_str(&out),
	    "### row\n\na row.\n\n"
	    "| field | kind | limits | | default | meaning |\n|---|---|---|---|---|---|\n"
	    "| `name` | text | at most 30 bytes | required |  | its name |\n"
	    "| `colour` | state: `HEALTHY`, `DEGRADED`, `DOWN`, `other` |  |  |  | how it is |\n"
	    "| `count` | whole number |  |  |  | how many \\| of them |\n"
	    "| `text` | text | at most 200 bytes |  |  | what it says |\n"
	    "| `more` | text | at most 200 bytes |  |  | more |\n"
	    "| `parts` | list of [part](#part) | at most 9 items |  |  | parts |\n"
	    "| `part` | [part](#part) |  |  |  | a part |\n");
	buf_clear(&out);
	record_schema(&every_type, &out);
	assert_non_null(
	    strstr(buf_str(&out), "| `took_ms` (YAML: `took`) | duration | at most 7 d |  |  | how long |\n"));
	assert_non_null(strstr(buf_str(&out), "| `at_ms` (text: `at`) | time |  | required |  | when |\n"));
	assert_non_null(strstr(buf_str(&out), "| `port` | whole number | 1 to 65535 |  | `5432` | a port |\n"));
	assert_non_null(
	    strstr(buf_str(&out), "| `keyed` | mapping of [part](#part) | at most 6 items |  |  | parts by name |\n"));
	assert_non_null(
	    strstr(buf_str(&out), "| `note` | text | 2 to 200 bytes | may hold host text |  | what \\| whom |\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(columns),
	    TEST(the_widest_text_is_cut),
	    TEST(words_are_coloured),
	    TEST(columns_that_are_not_there),
	    TEST(a_sheet),
	    TEST(the_schema),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
