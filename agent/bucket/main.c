/* agent/bucket/main.c: kedge-copy: the one program of a host that speaks to an object store.  The agent starts it with
 * a socket as descriptor 3, as its unprivileged user; it takes no arguments and reads no configuration. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "agent/bucket/serve.h"
#include "agent/bucket/wire.h"
#include "agent/confine/confine.h"
#include "shared/base/clock.h"
#include "shared/http/http.h"

static enum err_code ask(void *ctx, const struct s3_call *call, struct err *reterr)
{
	struct http_request r = {.method = call->method,
	    .url = call->url,
	    .headers = call->headers,
	    .on_data = call->on_data,
	    .read_body = call->read_body,
	    .body_size = call->body_size,
	    .on_header = call->on_header,
	    .ctx = call->ctx};
	struct http_answer a = {.status = 0};
	enum err_code rc = http_ask(ctx, &r, &a, reterr);
	buf_done(&a.body);
	return rc;
}

static uint64_t now_ms(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

struct clients { /* one for each of the server's threads */
	struct http_client *client[BUCKET_FLIGHTS];
	size_t count;
};

static enum err_code prepare(void *ctx, const struct bucket_settings *s, struct s3_transport *ret, struct err *reterr)
{
	struct clients *all = ctx;
	struct http_client **client = &all->client[all->count];
	struct http_options o = {.authority = s->authority, .timeout_ms = BUCKET_SILENCE_MS};
	enum err_code rc = http_client_new(&o, client, reterr);
	if (rc)
		return rc;
	*ret = (struct s3_transport){*client, ask, now_ms};
	all->count++;
	return ERR_OK;
}

/* It writes no file at all. */
static enum err_code give_up(struct err *reterr)
{
	static const struct rlimit none = {0, 0};
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0)
		return err_sys(reterr, errno, "set a limit");
	return confine(CONFINE_LOOK | CONFINE_PIPES | CONFINE_ROUTES, CONFINE_FAIL, reterr);
}

int main(int argc, char **argv)
{
	struct clients clients = {.count = 0};
	struct err err = ERR_INIT;
	int kind;
	socklen_t size = sizeof kind;
	(void)argv;
	if (argc != 1 || getsockopt(BUCKET_WIRE_FD, SOL_SOCKET, SO_TYPE, &kind, &size) != 0 || kind != SOCK_SEQPACKET) {
		fputs("kedge-copy is started by kedge-agent: see `kedge-agent copy`\n", stderr);
		return 2;
	}
	enum err_code rc = give_up(&err);
	if (rc) {
		fprintf(stderr, "kedge-copy: %s\n", err.msg);
		return 1;
	}
	rc = bucket_serve(BUCKET_WIRE_FD, prepare, &clients, &err);
	for (size_t i = 0; i < clients.count; i++)
		http_client_free(clients.client[i]);
	return rc ? 1 : 0;
}
