/* controller/cli/api.c: reads and changes over the API, as records. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

void url_encode(struct buf *out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
		    strchr("-._~", *p))
			buf_byte(out, *p);
		else
			buf_printf(out, "%%%02X", *p);
}

/* ---- answers ---- */

struct error_body {
	const char *code, *text;
};
#define S struct error_body
static const struct field error_fields[] = {
    F_STRING(S, code, NAME_MAX_BYTES, 0, "a word for programs"),
    F_STRING(S, text, TEXT_PAGE_MAX, 0, "for people"),
};
#undef S
const struct record_type api_error_type =
    RECORD_TYPE("api_error", struct error_body, error_fields, "why a request was refused");
struct error_answer {
	struct error_body error;
};
static const struct field answer_fields[] = {
    F_INLINE(struct error_answer, error, struct error_body, &api_error_type, 0, "why")};
const struct record_type api_refusal_type =
    RECORD_TYPE("api_refusal", struct error_answer, answer_fields, "the answer to a refused request");

static enum err_code refused(struct cli *c, int status, const struct buf *body)
{
	struct error_answer e;
	if (record_from_json(&api_refusal_type, buf_str(body), body->size, 0, c->arena, &e, NULL) == ERR_OK &&
	    e.error.text)
		return err_set(&c->err, error_of_answer(status, e.error.code), "%s", e.error.text);
	return err_set(&c->err, error_of_answer(status, NULL), "the controller answers with HTTP status %d", status);
}

static enum err_code read_answer(
    struct cli *c, int status, const struct buf *body, const struct record_type *type, void *record)
{
	if (status != 200)
		return refused(c, status, body);
	if (!type)
		return ERR_OK;
	enum err_code rc = record_from_json(type, buf_str(body), body->size, 0, c->arena, record, &c->err);
	if (rc == ERR_OK)
		return rc;
	err_prefix(&c->err, rc, "the controller's answer cannot be read (is it of another version?)");
	return c->err.code = ERR_INTERNAL;
}

enum err_code api_get(struct cli *c, const char *path, const struct record_type *type, void *record)
{
	const struct client_config *config;
	CLEANUP(buf_done) struct buf body = {.limit = QUERY_ANSWER_MAX + 4096};
	struct cli_request r = {.method = "GET", .path = path};
	int status = 0;
	enum err_code rc = cli_config(c, &config);
	if (rc == ERR_OK)
		rc = c->io->ask(c->io->ctx, config, &r, &status, &body, &c->err);
	return rc == ERR_OK ? read_answer(c, status, &body, type, record) : rc;
}

enum err_code api_one(struct cli *c, const char *noun, const char *key, void *record)
{
	CLEANUP(buf_done) struct buf path = BUF_INIT;
	buf_printf(&path, "/api/v1/%s/", noun);
	for (const char *part = key; *part;) { /* a key may have parts: "portal/web-1" */
		char *one = arena_strndup(c->arena, part, strcspn(part, "/"));
		if (!one)
			return err_set(&c->err, ERR_NOMEM, "out of memory");
		url_encode(&path, one);
		part += strlen(one);
		if (*part == '/')
			buf_byte(&path, (uint8_t)*part++);
	}
	return path.failed ? err_set(&c->err, ERR_NOMEM, "out of memory")
			   : api_get(c, buf_str(&path), query_table(noun)->type, record);
}

/* ---- pages ---- */

struct page {
	struct list items;
	const char *next;
};

static enum err_code get_page(struct cli *c, const char *path, const struct record_type *type, struct page *ret)
{
#define S struct page
	const struct field fields[] = {
	    F_LIST(S, items, type, QUERY_LIMIT_MAX, 0, "the rows"),
	    F_STRING(S, next, TEXT_PAGE_MAX, 0, "where the next page begins"),
	};
#undef S
	const struct record_type page_type = RECORD_TYPE("page", struct page, fields, "a page of a table");
	return api_get(c, path, &page_type, ret);
}

static void page_path(struct buf *out, const char *noun, const struct filter *filters, size_t count, bool newest,
    size_t limit, const char *after)
{
	buf_printf(out, "/api/v1/%s?limit=%zu%s", noun, limit, newest ? "&order=desc" : "");
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "&");
		url_encode(out, filters[i].field);
		buf_text(out, "=");
		url_encode(out, filters[i].value);
	}
	if (after) {
		buf_text(out, "&after=");
		url_encode(out, after);
	}
}

static enum err_code add_rows(struct cli *c, struct rows *rows, size_t *room, const struct page *page)
{
	size_t need = rows->count + page->items.count;
	if (need > *room) {
		size_t more = need > 2 * *room ? need : 2 * *room;
		const void **items = arena_array(c->arena, more, sizeof *items);
		if (!items)
			return err_set(&c->err, ERR_NOMEM,
			    "too many rows for the memory of this program: ask for fewer with --limit");
		if (rows->count)
			memcpy(items, rows->items, rows->count * sizeof *items);
		rows->items = items;
		*room = more;
	}
	for (size_t i = 0; i < page->items.count; i++)
		rows->items[rows->count++] = (const char *)page->items.items + i * rows->type->size;
	return ERR_OK;
}

enum err_code api_list(struct cli *c, const char *noun, const struct filter *filters, size_t filter_count, bool newest,
    size_t limit, struct rows *ret)
{
	struct rows rows = {.type = query_table(noun)->type};
	struct page page = {0};
	size_t room = 0;
	do {
		size_t left = limit - rows.count, ask = left < CLI_PAGE_ROWS ? left : CLI_PAGE_ROWS;
		CLEANUP(buf_done) struct buf path = BUF_INIT;
		page_path(&path, noun, filters, filter_count, newest, ask, page.next);
		enum err_code rc = get_page(c, buf_str(&path), rows.type, &page);
		if (rc != ERR_OK || (rc = add_rows(c, &rows, &room, &page)) != ERR_OK)
			return rc;
	} while (page.next && rows.count < limit && page.items.count > 0);
	rows.more = page.next != NULL;
	*ret = rows;
	return ERR_OK;
}

/* ---- changes ---- */

/* No answer came, or the controller had no room: the same request with the same key is then safe. */
static bool worth_another_try(enum err_code rc, int status)
{
	return rc == ERR_TIMEOUT || rc == ERR_UNREACHABLE || (rc == ERR_OK && (status == 503 || status == 504));
}

enum err_code api_post(
    struct cli *c, const char *verb, const char *json, bool once, const struct record_type *type, void *record)
{
	const struct client_config *config;
	char path[128], key[ID_TEXT_MAX];
	enum err_code rc = cli_config(c, &config);
	if (rc != ERR_OK)
		return rc;
	text_format(path, sizeof path, "/api/v1/%s", verb);
	id_format(ID_REQUEST, id_new(c->io->now_ms(c->io->ctx), c->io->random), key);
	struct cli_request r = {.method = "POST", .path = path, .body = json, .key = once ? NULL : key};
	CLEANUP(buf_done) struct buf body = {.limit = QUERY_ANSWER_MAX + 4096};
	int status = 0;
	for (unsigned try = 0; try < (once ? 1 : CLI_TRIES); try++) {
		if (try)
			c->io->pause(c->io->ctx, (uint32_t)CLI_RETRY_MS << (try - 1));
		buf_clear(&body);
		rc = c->io->ask(c->io->ctx, config, &r, &status, &body, &c->err);
		if (!worth_another_try(rc, status))
			break;
	}
	return rc == ERR_OK ? read_answer(c, status, &body, type, record) : rc;
}
