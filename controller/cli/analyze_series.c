/* controller/cli/analyze_series.c: `kedge analyze series`: how far out of the ordinary each row of a series is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controller/anomaly/series.h"
#include "controller/anomaly/timestamp.h"
#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"
#include "shared/reader/reader.h"

CLEANUP_DEFINE(struct reader, cleanup_reader, reader_close)
CLEANUP_DEFINE(struct series, cleanup_series, series_free)

#define NO_COLUMN SIZE_MAX

struct columns {
	size_t time, value; /* time: NO_COLUMN where there is none */
};

struct scoring {
	struct cli *c;
	struct series *series;
	struct columns columns;
	struct buf out;
	size_t rows, missing;
};

/* Of several names the first that a column has. */
static size_t column_called(const struct field_text *header, size_t count, const char *const *names)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	for (; *names; names++)
		for (size_t i = 0; i < count; i++) {
			const char *text = header[i].text;
			if (strcasecmp(text_starts(text, byte_order_mark) ? text + 3 : text, *names) == 0)
				return i;
		}
	return NO_COLUMN;
}

/* The column that was asked for, else the one called "value". */
static enum err_code find_by_name(struct scoring *s, const char *path, const struct field_text *header, size_t count)
{
	static const char *const times[] = {"timestamp", "time", "date", "datetime", "ts", NULL};
	const char *wanted = words_option(&s->c->w, "value"), *names[] = {wanted ? wanted : "value", NULL};
	s->columns = (struct columns){column_called(header, count, times), column_called(header, count, names)};
	if (wanted && s->columns.value == NO_COLUMN)
		return err_set(&s->c->err, ERR_CORRUPT, "%s has no column \"%.80s\"", path, wanted);
	return ERR_OK;
}

/* Where names told nothing, the first row does: a first column that reads as a time is one, and what follows is the
 * value. */
static enum err_code find_by_row(struct scoring *s, const char *path, const struct field_text *row, size_t count)
{
	int64_t time_s;
	struct columns *k = &s->columns;
	if (k->time == NO_COLUMN && k->value != 0 && count > 1 && timestamp_parse(row[0].text, &time_s))
		k->time = 0;
	if (k->value == NO_COLUMN)
		k->value = k->time == 0 ? 1 : 0;
	if (k->value >= count)
		return err_set(&s->c->err, ERR_CORRUPT, "%s has no column of values: --value names one", path);
	return ERR_OK;
}

/* What is no number is a missing value. */
static double number(const char *text)
{
	char *end;
	double v = strtod(text, &end);
	while (*end == ' ')
		end++;
	return end == text || *end ? NAN : v;
}

static enum err_code score_row(struct scoring *s, const struct field_text *row, size_t count)
{
	const struct columns *k = &s->columns;
	int64_t time_s = SERIES_NO_TIME;
	double value = k->value < count ? number(row[k->value].text) : NAN;
	if (k->time < count)
		(void)timestamp_parse(row[k->time].text, &time_s);
	s->rows++;
	s->missing += isfinite(value) ? 0 : 1;
	buf_printf(&s->out, "%.4f\n", series_add(s->series, time_s, value));
	if (s->out.failed)
		return err_set(&s->c->err, ERR_NOMEM, "out of memory for the output");
	if (s->out.size >= CLI_OUTPUT_CHUNK) {
		cli_put(s->c, &s->out);
		buf_clear(&s->out);
	}
	return ERR_OK;
}

static enum err_code score_file(struct scoring *s, const char *path)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	const struct field_text *row;
	size_t count;
	bool end = false;
	enum err_code rc = reader_open(path, &in, &s->c->err);
	if (rc == ERR_OK)
		rc = reader_row(in, &row, &count, &end, &s->c->err);
	if (rc == ERR_OK && end)
		rc = err_set(&s->c->err, ERR_CORRUPT, "%s is empty: expected a row of names, then rows", path);
	if (rc == ERR_OK)
		rc = find_by_name(s, path, row, count);
	while (rc == ERR_OK && (rc = reader_row(in, &row, &count, &end, &s->c->err)) == ERR_OK && !end) {
		if (!s->rows)
			rc = find_by_row(s, path, row, count);
		if (rc == ERR_OK)
			rc = score_row(s, row, count);
	}
	cli_put(s->c, &s->out);
	if (rc == ERR_OK && s->rows && s->missing == s->rows)
		rc = err_set(&s->c->err, ERR_CORRUPT, "%s: no row has a number in that column", path);
	return rc;
}

int run_analyze_series(struct cli *c)
{
	CLEANUP(cleanup_series) struct series *series = NULL;
	struct scoring s = {.c = c};
	enum err_code rc = series_new(&series, &c->err);
	s.series = series;
	if (rc == ERR_OK)
		rc = score_file(&s, c->w.words[0]);
	buf_done(&s.out);
	if (rc == ERR_INVALID)
		rc = c->err.code = ERR_CORRUPT; /* the file, not the words of the command */
	return rc == ERR_OK ? CLI_DONE : cli_fail(c, rc);
}
