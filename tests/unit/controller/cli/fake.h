/* A controller of canned answers, a terminal that remembers, and a clock that only moves when somebody waits. */
#ifndef KEDGE_TESTS_UNIT_CONTROLLER_CLI_FAKE_H
#define KEDGE_TESTS_UNIT_CONTROLLER_CLI_FAKE_H

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

#define FAKE_NOW UINT64_C(1790000000000) /* 2026-09-21T14:13:20Z */

enum { FAKE_ANSWERS = 64, FAKE_ASKED = 256 };

struct fake_answer {
	const char *path; /* "GET /api/v1/status"; a '*' at the end takes anything */
	int status;       /* 0: `code` instead of an answer */
	enum err_code code;
	const char *body;
	int times; /* 0: for ever */
};

struct fake_asked {
	char line[512];
	char *body;
	char key[64];
};

struct fake {
	struct cli_io io;
	struct client_config config;
	struct random random;
	struct fake_answer answers[FAKE_ANSWERS];
	size_t answer_count;
	struct fake_asked asked[FAKE_ASKED];
	size_t asked_count;
	struct buf out, error;
	uint64_t now_ms, paused_ms;
	const char *typed;     /* at the terminal; NULL: nobody is there */
	const char *signature; /* what sign() gives; NULL: it fails */
	char signed_message[128], signed_with[256], interrupt[512];
	const char *no_colour;
};

static inline enum err_code fake_ask(void *ctx, const struct client_config *config, const struct cli_request *r,
    int *ret_status, struct buf *out, struct err *reterr)
{
	struct fake *f = ctx;
	char line[512];
	assert_ptr_equal(config, &f->config);
	assert_true(f->asked_count < FAKE_ASKED);
	text_format(line, sizeof line, "%s %s", r->method, r->path);
	struct fake_asked *a = &f->asked[f->asked_count++];
	text_copy(a->line, sizeof a->line, line);
	text_copy(a->key, sizeof a->key, r->key ? r->key : "");
	free(a->body);
	a->body = r->body ? strdup(r->body) : NULL;
	for (size_t i = 0; i < f->answer_count; i++) {
		struct fake_answer *x = &f->answers[i];
		size_t n = strlen(x->path);
		bool hit = n && x->path[n - 1] == '*' ? strncmp(x->path, line, n - 1) == 0 : text_equal(x->path, line);
		if (!hit || x->times < 0)
			continue;
		if (x->times > 0 && --x->times == 0)
			x->times = -1;
		if (!x->status)
			return err_set(reterr, x->code, "the fake says %s", err_code_name(x->code));
		*ret_status = x->status;
		if (r->on_data)
			return r->on_data(r->ctx, x->body, strlen(x->body)) ? ERR_OK
									    : err_set(reterr, ERR_CANCELLED, "enough");
		buf_text(out, x->body ? x->body : "{}");
		return ERR_OK;
	}
	*ret_status = 404;
	buf_printf(out, "{\"error\":{\"code\":\"not-found\",\"text\":\"the fake knows no %s\"}}", r->path);
	return ERR_OK;
}

static inline enum err_code fake_sign(void *ctx, const char *key_path, const char *name_space, const void *message,
    size_t size, struct buf *out, struct err *reterr)
{
	struct fake *f = ctx;
	assert_true(size < sizeof f->signed_message);
	memcpy(f->signed_message, message, size);
	f->signed_message[size] = '\0';
	text_format(f->signed_with, sizeof f->signed_with, "%s %s", name_space, key_path);
	if (!f->signature)
		return err_set(reterr, ERR_DENIED, "no passphrase");
	buf_text(out, f->signature);
	return ERR_OK;
}

static inline void fake_write(void *ctx, bool error, const char *text, size_t size)
{
	buf_append(error ? &((struct fake *)ctx)->error : &((struct fake *)ctx)->out, text, size);
}
static inline bool fake_read_line(void *ctx, char *out, size_t size)
{
	struct fake *f = ctx;
	if (f->typed)
		text_copy(out, size, f->typed);
	return f->typed != NULL;
}
static inline uint64_t fake_now(void *ctx)
{
	return ((struct fake *)ctx)->now_ms;
}
static inline void fake_pause(void *ctx, uint32_t ms)
{
	((struct fake *)ctx)->now_ms += ms;
	((struct fake *)ctx)->paused_ms += ms;
}
static inline void fake_interrupt(void *ctx, const char *text)
{
	text_copy(((struct fake *)ctx)->interrupt, sizeof((struct fake *)ctx)->interrupt, text ? text : "");
}
static inline const char *fake_environment(void *ctx, const char *name)
{
	return text_equal(name, "NO_COLOR") ? ((struct fake *)ctx)->no_colour
	       : text_equal(name, "TERM")   ? "xterm"
					    : NULL;
}

static inline struct fake *fake_new(void)
{
	struct fake *f = calloc(1, sizeof *f);
	assert_non_null(f);
	random_init_seed(&f->random, 1);
	f->now_ms = FAKE_NOW;
	f->config = (struct client_config){.controller = "https://control.example:8443",
	    .name = "main",
	    .domain = "fleet.example",
	    .authority = "/nonexistent/authority.pem",
	    .certificate = "/nonexistent/cert.pem",
	    .key = "/nonexistent/key.pem",
	    .approval_key = "/home/ada/.ssh/id"};
	f->io = (struct cli_io){.ctx = f,
	    .ask = fake_ask,
	    .sign = fake_sign,
	    .write = fake_write,
	    .read_line = fake_read_line,
	    .now_ms = fake_now,
	    .pause = fake_pause,
	    .on_interrupt = fake_interrupt,
	    .environment = fake_environment,
	    .random = &f->random,
	    .config = &f->config};
	return f;
}

static inline void fake_forget(struct fake *f) /* what was asked and printed, not the answers */
{
	for (size_t i = 0; i < FAKE_ASKED; i++) {
		free(f->asked[i].body);
		f->asked[i].body = NULL;
	}
	f->asked_count = 0;
	buf_clear(&f->out);
	buf_clear(&f->error);
}

static inline void fake_free(struct fake *f)
{
	fake_forget(f);
	buf_done(&f->out);
	buf_done(&f->error);
	free(f);
}

static inline void fake_says(struct fake *f, const char *path, int status, const char *body)
{
	assert_true(f->answer_count < FAKE_ANSWERS);
	f->answers[f->answer_count++] = (struct fake_answer){.path = path, .status = status, .body = body};
}

static inline void fake_fails(struct fake *f, const char *path, enum err_code code, int times)
{
	assert_true(f->answer_count < FAKE_ANSWERS);
	f->answers[f->answer_count++] = (struct fake_answer){.path = path, .code = code, .times = times};
}

/* A command line, divided at spaces; '…' between single quotes stays together. */
static inline int fake_run(struct fake *f, const char *line)
{
	char *copy = strdup(line);
	const char *argv[64] = {"kedge"};
	int argc = 1;
	for (char *p = copy; *p;) {
		while (*p == ' ')
			p++;
		if (!*p)
			break;
		assert_true(argc < 63);
		char stop = *p == '\'' ? *p++ : ' ';
		argv[argc++] = p;
		while (*p && *p != stop)
			p++;
		if (*p)
			*p++ = '\0';
	}
	int code = cli_run(argc, argv, &f->io);
	free(copy);
	return code;
}

static inline void data_path(const char *name, char out[512])
{
	const char *root = getenv("KEDGE_SOURCE_DIR");
	assert_non_null(root);
	assert_true(text_format(out, 512, "%s/tests/data/cli/%s", root, name));
}

/* A file of tests/data/cli; the caller frees it. */
static inline char *data(const char *name)
{
	char path[512];
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	data_path(name, path);
	if (file_read(path, 1 << 20, &text, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	char *copy = strdup(buf_str(&text));
	buf_done(&text);
	return copy;
}

/* What was printed instead is left in the build folder, to be looked at and, if it is right, copied over the file. */
static inline void looks_like(const struct buf *out, const char *name)
{
	char *wanted = data(name), path[512];
	bool same = text_equal(wanted, buf_str(out));
	free(wanted);
	if (same)
		return;
	text_format(path, sizeof path, "%s/cli.%s", getenv("KEDGE_BINARY_DIR"), name);
	enum err_code rc = file_replace(path, out->data, out->size, 0644, NULL);
	fail_msg("%s is not what was printed: %s holds that%s", name, path,
	    rc == ERR_OK ? "" : " not, for it cannot be written");
}

#endif
