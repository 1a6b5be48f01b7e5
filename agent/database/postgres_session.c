/* Programs of a cluster, and a conversation with its server through psql. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/database/internal.h"
#include "agent/io/talk.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { CONNECT_S = 10, END_GRACE_MS = 2000, SQL_MAX = 4096 };
#define LAST "-- that was all --"

const struct postgres_config *postgres_of(const struct service_config *s)
{
	return s->components.database ? s->components.database->postgres : NULL;
}

enum err_code postgres_call(const struct postgres_config *pg, const char *program, const char *const *args,
    struct postgres_call *ret, struct err *reterr)
{
	size_t n = 0;
	for (size_t i = 0; i < pg->run_as.count; i++)
		ret->argv[n++] = LIST_AT(pg->run_as, const char *, i);
	enum err_code rc = tree_join(pg->bin_directory, program, ret->path, reterr);
	if (rc != ERR_OK)
		return rc;
	ret->argv[n++] = ret->path;
	for (size_t i = 0; args[i]; i++) {
		if (n == PROCESS_ARGV_MAX - 1)
			return err_set(reterr, ERR_LIMIT, "more than %d arguments", PROCESS_ARGV_MAX);
		ret->argv[n++] = args[i];
	}
	ret->argv[n] = NULL;
	ret->spec = (struct process_spec){.argv = ret->argv, .directory = "/", .merge_errors = true};
	return pg->run_as.count ? ERR_OK : process_become(&ret->spec, pg->user, reterr);
}

struct postgres_session {
	struct postgres_call call;
	struct talk *talk;
	char port[16], database[2 * NAME_MAX_BYTES];
};

void postgres_session_free(struct postgres_session *s)
{
	if (!s)
		return;
	talk_end(s->talk, END_GRACE_MS);
	free(s);
}

enum err_code postgres_session_new(const struct postgres_config *pg, struct postgres_session **ret, struct err *reterr)
{
	return postgres_session_in(pg, "postgres", ret, reterr);
}

enum err_code postgres_session_in(
    const struct postgres_config *pg, const char *database, struct postgres_session **ret, struct err *reterr)
{
	CLEANUP(postgres_session_cleanup) struct postgres_session *s = calloc(1, sizeof *s);
	struct buf none = BUF_INIT;
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	text_format(s->port, sizeof s->port, "%u", pg->port);
	text_format(s->database, sizeof s->database, "dbname=%s connect_timeout=%d", database, CONNECT_S);
	const char *args[] = {"-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-h", pg->socket_directory, "-p",
	    s->port, "-U", pg->user, "-d", s->database, NULL};
	enum err_code rc = postgres_call(pg, "psql", args, &s->call, reterr);
	if (rc == ERR_OK)
		rc = talk_start(&s->call.spec, &s->talk, reterr);
	if (rc == ERR_OK) {
		rc = postgres_ask(
		    s, "SET client_min_messages = error; SET statement_timeout = 0", POSTGRES_ANSWER_MS, &none, reterr);
		if (rc == ERR_STATE)
			rc = err_prefix(reterr, ERR_UNREACHABLE, "the database server does not answer");
	}
	buf_done(&none);
	if (rc == ERR_OK)
		*ret = TAKE_PTR(s);
	return rc;
}

enum err_code postgres_ask(
    struct postgres_session *s, const char *sql, uint64_t timeout_ms, struct buf *ret, struct err *reterr)
{
	char text[SQL_MAX];
	size_t from = ret->size;
	if (!text_format(text, sizeof text, "%s;\n\\echo " LAST "\n", sql))
		return err_set(reterr, ERR_LIMIT, "a statement of more than %d bytes", SQL_MAX);
	enum err_code rc = talk_ask(s->talk, text, LAST, timeout_ms, ret, reterr);
	if (rc != ERR_OK)
		return rc;
	uint8_t *end = ret->size > from ? memchr(ret->data + from, '\n', ret->size - from) : NULL;
	if (end) {
		*end = '\0';
		ret->size = (size_t)(end - ret->data);
	}
	return ERR_OK;
}
