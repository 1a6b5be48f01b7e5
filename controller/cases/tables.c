/* controller/cases/tables.c: reading tables of comma-separated values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cases/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(struct reader, cleanup_reader, reader_close)
CLEANUP_DEFINE(struct table_file, cleanup_table, table_free)

void table_free(struct table_file *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->column_count; i++) {
		free(t->columns[i].service);
		free(t->columns[i].values);
	}
	free(t->columns);
	free(t->times);
	free(t->path);
	free(t);
}

/* "service|metric"; where no such sign is, service_metric. */
static bool name_column(struct column *c, const char *head)
{
	c->service = strdup(head);
	if (!c->service)
		return false;
	char *cut = strchr(c->service, '|');
	if (!cut)
		cut = strchr(c->service, '_');
	if (cut)
		*cut = '\0';
	c->metric = cut ? cut + 1 : c->service + strlen(c->service);
	return true;
}

static enum err_code take_head(struct table_file *t, const struct field_text *fields, size_t count, struct err *reterr)
{
	t->columns = calloc(count, sizeof *t->columns);
	if (!t->columns)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu columns", count);
	for (size_t i = 1; i < count; i++)
		if (!name_column(&t->columns[t->column_count++], fields[i].text))
			return err_set(reterr, ERR_NOMEM, "out of memory for %zu columns", count);
	return ERR_OK;
}

static enum err_code make_room(struct table_file *t, struct err *reterr)
{
	size_t room = t->row_room ? 2 * t->row_room : 64, most = CASES_CELLS_MAX / (t->column_count + 1);
	if (t->row_count < t->row_room)
		return ERR_OK;
	room = room < most ? room : most;
	if (room <= t->row_count)
		return err_set(reterr, ERR_LIMIT, "more than %d values", CASES_CELLS_MAX);
	double *p = realloc(t->times, room * sizeof *p);
	if (p)
		t->times = p;
	for (size_t i = 0; p && i < t->column_count; i++) {
		p = realloc(t->columns[i].values, room * sizeof *p);
		if (p)
			t->columns[i].values = p;
	}
	if (!p)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu rows", room);
	t->row_room = room;
	return ERR_OK;
}

static enum err_code take_row(struct table_file *t, const struct field_text *fields, size_t count, struct err *reterr)
{
	double time;
	if (!case_time(fields[0].text, &time)) /* without its time a row is of no use */
		return ERR_OK;
	enum err_code rc = make_room(t, reterr);
	if (rc != ERR_OK)
		return rc;
	t->times[t->row_count] = time;
	for (size_t i = 0; i < t->column_count; i++) {
		double v;
		bool is_number = i + 1 < count && text_f64(fields[i + 1].text, &v, NULL) == ERR_OK;
		t->columns[i].values[t->row_count] = is_number ? v : NAN;
	}
	t->row_count++;
	return ERR_OK;
}

enum err_code table_load(const char *path, struct table_file **ret, struct err *reterr)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	CLEANUP(cleanup_table) struct table_file *t = calloc(1, sizeof *t);
	if (!t || !(t->path = strdup(path)))
		return err_set(reterr, ERR_NOMEM, "out of memory for a table");
	enum err_code rc = reader_open(path, &in, reterr);
	while (rc == ERR_OK) {
		const struct field_text *fields;
		size_t count;
		bool end;
		if ((rc = reader_row(in, &fields, &count, &end, reterr)) != ERR_OK || end)
			break;
		rc = t->columns ? take_row(t, fields, count, reterr) : take_head(t, fields, count, reterr);
	}
	if (rc != ERR_OK) /* what does not open says itself which it is */
		return in ? err_prefix(reterr, rc, "%s", path) : rc;
	*ret = TAKE_PTR(t);
	return ERR_OK;
}

enum err_code rows_each(const char *path, size_t least,
    enum err_code (*fn)(void *ctx, const struct field_text *fields, size_t count, struct err *reterr), void *ctx,
    struct err *reterr)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	bool head = true;
	enum err_code rc = reader_open(path, &in, reterr);
	while (rc == ERR_OK) {
		const struct field_text *fields;
		size_t count;
		bool end;
		if ((rc = reader_row(in, &fields, &count, &end, reterr)) != ERR_OK || end)
			break;
		if (!head && count >= least)
			rc = fn(ctx, fields, count, reterr);
		head = false;
	}
	return rc == ERR_OK || !in ? rc : err_prefix(reterr, rc, "%s", path);
}
