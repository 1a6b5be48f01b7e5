/* agent/probe/postgres_answer.h: what the one question of the PostgreSQL probe was answered with.
 *
 * One line of columns divided by '|' (run_postgres.c asks for them in this order).  Foreign: whoever may set the
 * server's configuration names the certificate, and psql's own words may stand before the line.  Pure. */
#ifndef KEDGE_AGENT_PROBE_POSTGRES_ANSWER_H
#define KEDGE_AGENT_PROBE_POSTGRES_ANSWER_H

#include <stdbool.h>

#include "shared/base/limits.h"

enum { POSTGRES_ANSWER_COLUMNS = 10, POSTGRES_ANSWER_COLUMN = 256 };

struct postgres_answer { /* numbers are finite and not negative */
	double room, used, idle, waiting, waits_s, behind, behind_s;
	char behind_state[POSTGRES_ANSWER_COLUMN];
	char certificate[PATH_LIMIT]; /* "": it has none */
};
/* The last line of text.  False: it is no such answer, and *ret is undefined.  A certificate that is no absolute path
 * lies in data_directory. */
bool postgres_answer_parse(const char *text, const char *data_directory, struct postgres_answer *ret);

#endif
