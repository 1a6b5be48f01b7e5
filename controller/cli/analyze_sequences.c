/* controller/cli/analyze_sequences.c: `kedge analyze sequences`: which sessions of events are not like the normal ones.
 *
 * The label of a session to be judged is not looked at; to learn from, those labelled 0 or not at all are taken. */
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/sequence.h"
#include "controller/anomaly/session.h"
#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"
#include "shared/reader/reader.h"

CLEANUP_DEFINE(struct reader, cleanup_reader, reader_close)
CLEANUP_DEFINE(struct sequence_model, cleanup_model, sequence_model_free)

/* The next session of a file; empty lines are passed over. */
static enum err_code next(struct reader *in, struct session *s, uint64_t *events, bool *ret_end, struct err *reterr)
{
	struct field_text line = {0};
	enum err_code rc = ERR_OK;
	do
		rc = reader_line(in, &line, ret_end, reterr);
	while (rc == ERR_OK && !*ret_end && line.size == 0);
	if (rc == ERR_OK && !*ret_end && !session_parse(line.text, line.size, s, events))
		return err_set(reterr, ERR_CORRUPT,
		    "%s:%llu: expected session TAB events, or session TAB label TAB events", reader_path(in),
		    (unsigned long long)reader_line_number(in));
	return rc;
}

static enum err_code learn(struct cli *c, const char *path, uint64_t *events, struct sequence_model *m)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	struct session s;
	size_t learnt = 0;
	bool end = false;
	enum err_code rc = reader_open(path, &in, &c->err);
	while (rc == ERR_OK && (rc = next(in, &s, events, &end, &c->err)) == ERR_OK && !end)
		if (session_is_normal(&s)) {
			rc = sequence_model_learn(m, events, s.count, &c->err);
			learnt++;
		}
	if (rc == ERR_OK && !learnt)
		return err_set(&c->err, ERR_CORRUPT, "%s holds no normal session to learn from", path);
	return rc == ERR_OK ? sequence_model_fit(m, &c->err) : rc;
}

/* Sessions that are judged together: what many of them show tells more than one. */
struct batch {
	struct buf names; /* a line each */
	uint64_t *events;
	size_t event_count, event_capacity;
	size_t *ends; /* of each session, in events */
	size_t count, capacity;
};

static enum err_code tell(struct cli *c, struct batch *b, const double *scores)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	const char *name = buf_str(&b->names);
	for (size_t i = 0; i < b->count; i++) {
		const char *end = strchr(name, '\n');
		buf_append(&out, name, (size_t)(end - name));
		buf_printf(&out, "\t%.4f\n", scores[i]);
		name = end + 1;
		if (out.size >= CLI_OUTPUT_CHUNK) {
			cli_put(c, &out);
			buf_clear(&out);
		}
	}
	if (out.failed)
		return err_set(&c->err, ERR_NOMEM, "out of memory for the output");
	cli_put(c, &out);
	return ERR_OK;
}

static enum err_code judge(struct cli *c, struct batch *b, struct sequence_model *m)
{
	if (b->names.failed)
		return err_set(&c->err, ERR_NOMEM, "out of memory for the names of sessions");
	double *scores = calloc(b->count + 1, sizeof *scores);
	enum err_code rc = scores ? sequence_model_judge(m, b->events, b->ends, b->count, scores, &c->err)
				  : err_set(&c->err, ERR_NOMEM, "out of memory for the scores");
	if (rc == ERR_OK)
		rc = tell(c, b, scores);
	free(scores);
	buf_clear(&b->names);
	b->count = b->event_count = 0;
	return rc;
}

static bool room(struct batch *b, size_t events)
{
	if (b->count == b->capacity) {
		size_t capacity = b->capacity ? 2 * b->capacity : 1024;
		size_t *ends = reallocarray(b->ends, capacity, sizeof *ends);
		if (!ends)
			return false;
		b->ends = ends;
		b->capacity = capacity;
	}
	if (b->event_capacity - b->event_count < events) {
		size_t capacity = 2 * b->event_capacity + events;
		uint64_t *grown = reallocarray(b->events, capacity, sizeof *grown);
		if (!grown)
			return false;
		b->events = grown;
		b->event_capacity = capacity;
	}
	return true;
}

static enum err_code take(
    struct cli *c, struct batch *b, const struct session *s, const uint64_t *events, struct sequence_model *m)
{
	enum err_code rc = ERR_OK;
	if (b->count == SEQUENCE_BATCH_MAX || b->event_count + s->count > SEQUENCE_BATCH_EVENTS_MAX ||
	    b->names.size >= CLI_NAMES_WAITING)
		rc = judge(c, b, m);
	if (rc == ERR_OK && !room(b, s->count))
		rc = err_set(&c->err, ERR_NOMEM, "out of memory for a batch of sessions");
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < s->name_size; i++) /* as it is, but for what a terminal would obey */
		buf_byte(&b->names, (uint8_t)s->name[i] < ' ' || s->name[i] == 127 ? '?' : (uint8_t)s->name[i]);
	buf_byte(&b->names, '\n');
	if (s->count)
		memcpy(b->events + b->event_count, events, s->count * sizeof *events);
	b->ends[b->count++] = b->event_count += s->count;
	return ERR_OK;
}

static enum err_code judge_file(struct cli *c, const char *path, uint64_t *events, struct sequence_model *m)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	struct batch b = {0};
	struct session s;
	bool end = false;
	enum err_code rc = reader_open(path, &in, &c->err);
	while (rc == ERR_OK && (rc = next(in, &s, events, &end, &c->err)) == ERR_OK && !end)
		rc = take(c, &b, &s, events, m);
	if (rc == ERR_OK)
		rc = judge(c, &b, m);
	buf_done(&b.names);
	free(b.events);
	free(b.ends);
	return rc;
}

int run_analyze_sequences(struct cli *c)
{
	CLEANUP(cleanup_model) struct sequence_model *m = NULL;
	uint64_t *events = calloc(SEQUENCE_EVENTS_MAX, sizeof *events);
	enum err_code rc = events ? sequence_model_new(&m, &c->err) : err_set(&c->err, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = learn(c, words_option(&c->w, "train"), events, m);
	if (rc == ERR_OK)
		rc = judge_file(c, c->w.words[0], events, m);
	free(events);
	if (rc == ERR_INVALID)
		rc = c->err.code = ERR_CORRUPT; /* the file, not the words of the command */
	return rc == ERR_OK ? CLI_DONE : cli_fail(c, rc);
}
