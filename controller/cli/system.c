/* controller/cli/system.c: the connection, the terminal and the clock that are really there. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "controller/cli/cli.h"
#include "controller/cli/sign.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "shared/http/http.h"
#include "shared/tls/name.h"

struct world {
	struct http_client *http; /* keeps its connection; made at first use */
	struct random random;
	struct cli_io io;
};

/* ---- the controller ---- */

static enum err_code open_client(struct world *w, const struct client_config *config, struct err *reterr)
{
	struct tls_name name;
	char uri[TLS_URI_MAX];
	if (w->http)
		return ERR_OK;
	enum err_code rc = tls_name_make(TLS_ROLE_CONTROLLER, config->domain, config->name, &name, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "kedge.yaml");
	if (!text_starts(config->controller, "https://"))
		return err_set(reterr, ERR_INVALID, "kedge.yaml: controller: expected https://host:port, got \"%s\"",
		    config->controller);
	const char *const files[] = {config->authority, config->certificate, config->key};
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) /* libcurl would not say which */
		if (access(files[i], R_OK) != 0) {
			err_sys(reterr, errno, "kedge.yaml names %s", files[i]);
			return reterr->code = ERR_IO;
		}
	struct http_options o = {.authority = config->authority,
	    .certificate = config->certificate,
	    .key = config->key,
	    .peer_uri = tls_name_format(&name, uri)};
	return http_client_new(&o, &w->http, reterr);
}

static enum err_code ask(void *ctx, const struct client_config *config, const struct cli_request *r, int *ret_status,
    struct buf *out, struct err *reterr)
{
	struct world *w = ctx;
	CLEANUP(buf_done) struct buf url = BUF_INIT, key = BUF_INIT, last = BUF_INIT;
	const char *headers[4] = {"Accept: application/json"};
	size_t n = 1, base = strlen(config->controller);
	enum err_code rc = open_client(w, config, reterr);
	if (rc != ERR_OK)
		return rc;
	while (base && config->controller[base - 1] == '/')
		base--;
	buf_printf(&url, "%.*s%s", (int)base, config->controller, r->path);
	if (r->on_data)
		headers[0] = "Accept: text/event-stream";
	if (r->key) {
		buf_printf(&key, "Idempotency-Key: %s", r->key);
		headers[n++] = buf_str(&key);
	}
	if (r->last_event_id) {
		buf_printf(&last, "Last-Event-ID: %s", r->last_event_id);
		headers[n++] = buf_str(&last);
	}
	struct http_request q = {.method = r->method,
	    .url = buf_str(&url),
	    .headers = headers,
	    .body = r->body,
	    .body_size = r->body ? strlen(r->body) : 0,
	    .on_data = r->on_data,
	    .ctx = r->ctx};
	struct http_answer answer;
	if ((rc = http_ask(w->http, &q, &answer, reterr)) != ERR_OK)
		return rc;
	*ret_status = (int)answer.status;
	buf_append(out, answer.body.data, answer.body.size);
	buf_done(&answer.body);
	return out->failed ? err_set(reterr, ERR_LIMIT, "the answer is too large: ask for fewer with --limit") : ERR_OK;
}

static enum err_code sign(void *ctx, const char *key_path, const char *name_space, const void *message, size_t size,
    struct buf *out, struct err *reterr)
{
	(void)ctx;
	return sign_with_ssh(key_path, name_space, message, size, out, reterr);
}

/* ---- the terminal ---- */

/* What cannot be written any more is lost: the reader is gone. */
static void put(void *ctx, bool error, const char *text, size_t size)
{
	(void)ctx;
	if (file_write_all(error ? STDERR_FILENO : STDOUT_FILENO, text, size, NULL) != ERR_OK && !error)
		_exit(CLI_FAILED);
}

static bool read_line(void *ctx, char *out, size_t size)
{
	(void)ctx;
	if (!fgets(out, (int)size, stdin))
		return false;
	out[strcspn(out, "\r\n")] = '\0';
	return true;
}

static char farewell[512];
static volatile sig_atomic_t farewell_size;

static void on_sigint(int signal_number)
{
	(void)signal_number;
	if (farewell_size && write(STDERR_FILENO, farewell, (size_t)farewell_size) < 0)
		_exit(CLI_FAILED);
	_exit(CLI_INTERRUPTED);
}

static void on_interrupt(void *ctx, const char *text)
{
	(void)ctx;
	struct sigaction act = {.sa_handler = on_sigint};
	farewell_size = 0; /* not while it is being written */
	text_copy(farewell, sizeof farewell, text ? text : "");
	farewell_size = (sig_atomic_t)strlen(farewell);
	sigaction(SIGINT, &act, NULL);
}

static unsigned terminal_width(void)
{
	struct winsize size;
	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

/* ---- the rest ---- */

static uint64_t now_ms(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

static void pause_for(void *ctx, uint32_t ms)
{
	(void)ctx;
	struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000 * 1000};
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static const char *environment(void *ctx, const char *name)
{
	(void)ctx;
	return getenv(name);
}

const struct cli_io *cli_system(void)
{
	static struct world w;
	random_init_system(&w.random);
	w.io = (struct cli_io){.ctx = &w,
	    .ask = ask,
	    .sign = sign,
	    .write = put,
	    .read_line = read_line,
	    .now_ms = now_ms,
	    .pause = pause_for,
	    .on_interrupt = on_interrupt,
	    .environment = environment,
	    .random = &w.random,
	    .in_terminal = isatty(STDIN_FILENO),
	    .out_terminal = isatty(STDOUT_FILENO),
	    .error_terminal = isatty(STDERR_FILENO),
	    .width = terminal_width()};
	return &w.io;
}
