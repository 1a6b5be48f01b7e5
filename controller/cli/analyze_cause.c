/* controller/cli/analyze_cause.c: `kedge analyze cause`: incidents from files, each with its likeliest causes. */
#include <string.h>

#include "controller/cases/cases.h"
#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "shared/reader/reader.h"

CLEANUP_DEFINE(struct reader, cleanup_reader, reader_close)
CLEANUP_DEFINE(struct case_runner, cleanup_runner, case_runner_free)

static enum err_code answer_line(struct cli *c, struct case_runner *r, struct field_text line)
{
	struct case_answer answer;
	struct buf out = BUF_INIT;
	uint64_t began = clock_mono_us();
	enum err_code rc = case_run(r, line.text, line.size, &answer, &c->err);
	if (rc == ERR_OK) {
		answer.seconds = (double)(clock_mono_us() - began) / 1e6;
		rc = record_to_json(&case_answer_type, &answer, 0, &out, &c->err);
	}
	if (rc == ERR_OK) {
		for (size_t i = 0; i < answer.problems.count; i++)
			cli_say(c, "%s: %s", answer.name, LIST_AT(answer.problems, const char *, i));
		buf_byte(&out, '\n');
		cli_put(c, &out);
	}
	buf_done(&out);
	return rc;
}

/* A line that is no case is told, and the others are answered all the same; *ret_refused counts them. */
static enum err_code answer_file(struct cli *c, const char *path, size_t *ret_refused)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	CLEANUP(cleanup_runner) struct case_runner *r = NULL;
	const char *slash = strrchr(path, '/');
	const char *folder = slash ? arena_strndup(c->arena, path, slash == path ? 1 : (size_t)(slash - path)) : "";
	enum err_code rc = reader_open(path, &in, &c->err);
	if (rc == ERR_OK)
		rc = case_runner_new(folder, &r, &c->err);
	while (rc == ERR_OK) {
		struct field_text line;
		bool end;
		if ((rc = reader_line(in, &line, &end, &c->err)) != ERR_OK || end)
			break;
		if (!line.size || (rc = answer_line(c, r, line)) == ERR_OK)
			continue;
		rc = err_prefix(
		    &c->err, rc, "%s, line %llu", reader_path(in), (unsigned long long)reader_line_number(in));
		if (rc == ERR_INVALID) {
			cli_say(c, "%s", c->err.msg);
			++*ret_refused;
			rc = ERR_OK;
		}
	}
	return rc;
}

int run_analyze_cause(struct cli *c)
{
	size_t refused = 0;
	enum err_code rc = answer_file(c, words_option(&c->w, "cases"), &refused);
	if (rc == ERR_OK && refused)
		rc = err_set(&c->err, ERR_CORRUPT, "%zu lines are no cases", refused);
	else if (rc == ERR_INVALID)
		rc = c->err.code = ERR_CORRUPT; /* the file, not the words of the command */
	return rc == ERR_OK ? CLI_DONE : cli_fail(c, rc);
}
