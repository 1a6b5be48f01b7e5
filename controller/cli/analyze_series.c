/* controller/cli/analyze_series.c: `kedge analyze series`: how far out of the ordinary each row of a series is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/series.h"
#include "controller/anomaly/timestamp.h"
#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"
#include "shared/reader/reader.h"

CLEANUP_DEFINE(struct reader, cleanup_reader, reader_close)
CLEANUP_DEFINE(struct series, cleanup_series, series_free)

static bool same_word(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

/* The column of values: the one that was asked for, else one called "value", else the first behind the time that is one
 * of numbers in the first row. */
struct columns {
	size_t time, value; /* SIZE_MAX: there is none */
};

static size_t column_called(const struct field_text *header, size_t count, const char *const *names)
{
	for (; *names; names++)
		for (size_t i = 0; i < count; i++)
			if (same_word(header[i].text, *names))
				return i;
	return SIZE_MAX;
}

static enum err_code find_columns(struct cli *c, const char *path, const struct field_text *header, size_t count,
    const char *wanted, struct columns *ret)
{
	static const char *const times[] = {"timestamp", "time", "date", "datetime", "ts", NULL};
	static const char *const values[] = {"value", NULL};
	struct columns found = {.time = column_called(header, count, times),
	    .value = column_called(header, count, wanted ? (const char *const[]){wanted, NULL} : values)};
	if (wanted && found.value == SIZE_MAX)
		return err_set(&c->err, ERR_CORRUPT, "%s has no column \"%.80s\"", path, wanted);
	for (size_t i = 0; i < count && found.value == SIZE_MAX; i++)
		if (i != found.time)
			found.value = i;
	if (found.value == SIZE_MAX)
		return err_set(&c->err, ERR_CORRUPT, "%s has no column of values", path);
	*ret = found;
	return ERR_OK;
}

/* Not a number: missing.  A header without one row of names is refused before. */
static double number(const char *text)
{
	char *end;
	double v = strtod(text, &end);
	while (*end == ' ')
		end++;
	return end == text || *end ? NAN : v;
}

struct scored {
	size_t rows, missing;
};

static enum err_code score_rows(struct cli *c, struct reader *in, const struct columns *k, struct scored *ret)
{
	CLEANUP(cleanup_series) struct series *s = NULL;
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	const struct field_text *row;
	size_t count;
	bool end = false;
	enum err_code rc = series_new(&s, &c->err);
	while (rc == ERR_OK && (rc = reader_row(in, &row, &count, &end, &c->err)) == ERR_OK && !end) {
		int64_t time_s = SERIES_NO_TIME;
		double value = k->value < count ? number(row[k->value].text) : NAN;
		if (k->time < count)
			(void)timestamp_parse(row[k->time].text, &time_s);
		ret->rows++;
		ret->missing += isfinite(value) ? 0 : 1;
		buf_printf(&out, "%.4f\n", series_add(s, time_s, value));
		if (out.size < CLI_OUTPUT_CHUNK)
			continue;
		cli_put(c, &out);
		buf_clear(&out);
	}
	if (rc == ERR_OK && out.failed)
		rc = err_set(&c->err, ERR_NOMEM, "out of memory for the output");
	if (rc == ERR_OK)
		cli_put(c, &out);
	return rc;
}

int run_analyze_series(struct cli *c)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	const char *path = c->w.words[0];
	const struct field_text *header;
	struct columns columns;
	struct scored scored = {0};
	size_t count;
	bool end = false;
	enum err_code rc = reader_open(path, &in, &c->err);
	if (rc == ERR_OK)
		rc = reader_row(in, &header, &count, &end, &c->err);
	if (rc == ERR_OK && end)
		rc = err_set(&c->err, ERR_CORRUPT, "%s is empty: expected a row of names, then rows", path);
	if (rc == ERR_OK)
		rc = find_columns(c, path, header, count, words_option(&c->w, "value"), &columns);
	if (rc == ERR_OK)
		rc = score_rows(c, in, &columns, &scored);
	if (rc == ERR_OK && scored.rows && scored.missing == scored.rows)
		rc = err_set(&c->err, ERR_CORRUPT, "%s: no row has a number in that column", path);
	if (rc == ERR_INVALID)
		rc = c->err.code = ERR_CORRUPT; /* the file, not the words of the command */
	return rc == ERR_OK ? CLI_DONE : cli_fail(c, rc);
}
