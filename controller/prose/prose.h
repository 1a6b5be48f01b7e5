/* controller/prose/prose.h: a language model may write a summary of an incident that is over; that is all it may do.
 *
 * Off unless controller.yaml has `prose`.  Asks any endpoint that speaks the chat completions of OpenAI's API, on a
 * thread of its own, for one incident after the other (EFFECT_SUMMARISE → INPUT_SUMMARISED).  What is given is the
 * incident's record, its timeline and diagnosis as text, redacted once more here (both modes, every address), within
 * record_max_bytes bytes.  What comes back is text: bounded, redacted, without control characters, kept as the
 * incident's summary and marked as a machine's.  Nothing reads it but people; no field of it is a command, an action or
 * a step. Whatever goes wrong is one line of the log and no summary: the turn, the pages and the way back wait for
 * nothing here. */
#ifndef KEDGE_CONTROLLER_PROSE_PROSE_H
#define KEDGE_CONTROLLER_PROSE_PROSE_H

#include "controller/center/input.h"
#include "controller/diagnosis/diagnosis.h"
#include "controller/store/store.h"

enum {
	PROSE_WAITING_MAX = 64,            /* beyond, the incident's timer asks again */
	PROSE_RECORD_MAX = 256 << 10,      /* most that record_max_bytes may say: a model's window is not much larger */
	PROSE_ANSWER_MAX = 1 << 20,        /* most that answer_max_bytes may say: a page of prose and its envelope */
	PROSE_TIMEOUT_MAX_MS = 120 * 1000, /* most that timeout may say */
	PROSE_TOKENS = 600,                /* asked for: a page */
	PROSE_CHOICES_MAX = 8,
	PROSE_KEY_MAX = 4096, /* bytes of the key's file */
	PROSE_ARENA_MAX = 32 << 20,
};

struct prose_config {
	const char *url;           /* of chat completions: https, or http to this machine itself */
	const char *model;         /* its name there */
	const char *key_file;      /* one line, sent as a bearer token; NULL: none */
	const char *authority;     /* PEM file of the only authorities believed; NULL: the system's */
	uint64_t timeout_ms;       /* one question; default 20 s */
	uint64_t record_max_bytes; /* bytes of what is told of an incident; default 16 KiB */
	uint64_t answer_max_bytes; /* bytes of the answer, envelope and all; default 64 KiB */
};
extern const struct record_type prose_config_type;

/* ---- pure ---- */

/* The body of the question, JSON.  timeline: struct incident_entry in order; d may be NULL.  ERR_NOMEM. */
ERR_CHECK enum err_code prose_question(const struct prose_config *c, const struct incident *i,
    const struct list *timeline, const struct diagnosis *d, struct buf *out, struct err *reterr);
/* The text of an answer: at most INCIDENT_SUMMARY_MAX bytes, lines of printable UTF-8, redacted; in arena.  ERR_INVALID
 * (not such an answer), ERR_NOT_FOUND (nothing in it), ERR_LIMIT, ERR_NOMEM. */
ERR_CHECK enum err_code prose_answer(
    const char *data, size_t size, struct arena *arena, const char **ret, struct err *reterr);

/* ---- the thread ---- */

struct prose_options {
	const struct prose_config *config; /* borrowed */
	struct store *store;               /* borrowed */
	void *ctx;
	enum err_code (*submit)(void *ctx, struct input *in, bool *ret_congested, struct err *reterr);
};
struct prose;

ERR_CHECK enum err_code prose_start(const struct prose_options *o, struct prose **ret, struct err *reterr);
void prose_stop(struct prose *p); /* gives up what it is at, within about a second; frees; NULL is a no-op */
void prose_ask(struct prose *p, struct id incident); /* any thread; NULL is a no-op */

#endif
