/* controller/cli/cli.h: `kedge`, the operators' command line.
 *
 * One run is one command: cli_run() reads the words, asks the controller over its HTTPS API (controller/api/api.h), and
 * prints.  The table in commands.c is the only list of commands; parsing, help, completion and the tests come from it.
 * What touches the world (the connection, the terminal, time, signing) is struct cli_io, so that everything else can be
 * tested with answers from a file. Answers go to standard output, everything else (errors, progress, what to type next)
 * to standard error.  One thread. */
#ifndef KEDGE_CONTROLLER_CLI_CLI_H
#define KEDGE_CONTROLLER_CLI_CLI_H

#include "controller/cli/exit.h"
#include "controller/cli/limits.h"
#include "controller/config/config.h"

struct cli_request {
	const char *method, *path; /* "GET", "/api/v1/incident?limit=2" */
	const char *body;          /* JSON, or NULL */
	const char *key;           /* Idempotency-Key, or NULL */
	const char *last_event_id; /* a stream: go on behind this one; NULL: from now on */
	bool (*on_data)(void *ctx, const char *data, size_t size); /* a stream; NULL: the answer is collected */
	void *ctx;
};

struct cli_io {
	void *ctx;
	/* Ask the controller that config names.  Any HTTP status is ERR_OK; else as http_ask(). */
	enum err_code (*ask)(void *ctx, const struct client_config *config, const struct cli_request *r,
	    int *ret_status, struct buf *out, struct err *reterr);
	/* An OpenSSH signature (armored) over message by the private key in a file. */
	enum err_code (*sign)(void *ctx, const char *key_path, const char *name_space, const void *message, size_t size,
	    struct buf *out, struct err *reterr);
	void (*write)(void *ctx, bool error, const char *text, size_t size);
	/* A line from the person at the terminal, without its end; false: there is none. */
	bool (*read_line)(void *ctx, char *out, size_t size);
	uint64_t (*now_ms)(void *ctx);
	void (*pause)(void *ctx, uint32_t ms);
	/* From now on SIGINT says this and ends the program; NULL: it ends it silently. */
	void (*on_interrupt)(void *ctx, const char *text);
	const char *(*environment)(void *ctx, const char *name);
	struct random *random;
	bool in_terminal, out_terminal, error_terminal;
	unsigned width;                     /* of the terminal; 0: unlimited */
	const struct client_config *config; /* instead of a file (tests) */
};

/* The exit code. */
int cli_run(int argc, const char *const *argv, const struct cli_io *io);

/* The real world; one in a program. */
const struct cli_io *cli_system(void);

extern const struct record_type
    *const cli_types[]; /* what `-o json` adds to the domain's types, and what the API says beside them */

#endif
