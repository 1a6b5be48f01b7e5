/* Probes over a connection: http, https, tcp, tls. */
#include <string.h>

#include "agent/probe/run_internal.h"
#include "shared/base/text.h"

static const double day_ms = 86400000;
enum { CERTIFICATE_WARN_DAYS = 14, CERTIFICATE_CRITICAL_DAYS = 3 }; /* where a tls probe names none */

static void on_fail(void *ctx, enum net_stage stage, const char *problem)
{
	struct probe_run *r = ctx;
	/* A name that does not resolve says nothing about the service itself. */
	outcome_say(&r->outcome, stage == NET_RESOLVING ? PROBE_UNKNOWN : PROBE_CRITICAL, "%s: %s",
	    net_stage_text(stage), problem);
	run_finish(r);
}

/* ---- tcp ---- */

static void tcp_open(void *ctx)
{
	struct probe_run *r = ctx;
	outcome_say(&r->outcome, PROBE_OK, "connected in %llu ms", (unsigned long long)run_took_ms(r));
	run_finish(r);
}
static void ignore_data(void *ctx, const void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
}
static void ignore_close(void *ctx)
{
	(void)ctx;
}

enum err_code run_tcp(struct probe_run *r, struct err *reterr)
{
	char host[HTTP_HOST_MAX], port[8] = "";
	const char *address = r->config->tcp->address;
	const struct net_events events = {
	    .ctx = r, .on_open = tcp_open, .on_data = ignore_data, .on_close = ignore_close, .on_fail = on_fail};
	r->timed = true;
	if (text_starts(address, "unix:")) {
		text_copy(host, sizeof host, address + 5);
		if (host[0] != '/')
			return err_set(reterr, ERR_INVALID, "\"%s\" is not unix:/path", address);
	} else {
		enum err_code rc = http_address_parse(address, host, port, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return net_open(r->env->loop, &(struct net_target){.host = host, .port = port}, &events, &r->net, reterr);
}

/* ---- tls ---- */

static void tls_open(void *ctx)
{
	struct probe_run *r = ctx;
	const struct tls_probe *t = r->config->tls;
	uint64_t expires, now = loop_wall_ms(r->env->loop);
	char subject[256], when[TEXT_TIME_MAX];
	if (!net_certificate(r->net, &expires, subject, sizeof subject)) {
		outcome_say(&r->outcome, PROBE_CRITICAL, "the server shows no certificate");
		run_finish(r);
		return;
	}
	double left = ((double)expires - (double)now) / day_ms;
	double warn = t->warn_ms ? (double)t->warn_ms / day_ms : CERTIFICATE_WARN_DAYS;
	double critical = t->critical_ms ? (double)t->critical_ms / day_ms : CERTIFICATE_CRITICAL_DAYS;
	enum probe_state state = left <= critical ? PROBE_CRITICAL : left <= warn ? PROBE_WARNING : PROBE_OK;
	text_time(expires, when);
	if (t->name && !net_certificate_names(r->net, t->name))
		outcome_say(&r->outcome, PROBE_CRITICAL, "the certificate of %s is not for %s", subject, t->name);
	else if (left <= 0)
		outcome_say(&r->outcome, PROBE_CRITICAL, "the certificate of %s ended at %s", subject, when);
	else
		outcome_say(&r->outcome, state, "the certificate of %s ends in %.1f days, at %s (%s)", subject, left,
		    when, net_tls_version(r->net));
	outcome_metric(&r->outcome, "days_left", left, "d", warn, critical);
	run_finish(r);
}

enum err_code run_tls(struct probe_run *r, struct err *reterr)
{
	char host[HTTP_HOST_MAX], port[8];
	struct net_target target = {.host = host, .port = port, .name = r->config->tls->name, .any_certificate = true};
	const struct net_events events = {
	    .ctx = r, .on_open = tls_open, .on_data = ignore_data, .on_close = ignore_close, .on_fail = on_fail};
	r->timed = true;
	enum err_code rc = http_address_parse(r->config->tls->address, host, port, reterr);
	if (rc == ERR_OK)
		rc = trust_get(r->env->trust, NULL, &target.trust, reterr);
	return rc == ERR_OK ? net_open(r->env->loop, &target, &events, &r->net, reterr) : rc;
}

/* ---- http ---- */

static void http_judge(struct probe_run *r)
{
	const struct http_probe *h = r->config->http;
	const struct http_response *a = &r->response;
	unsigned expect = h->expect ? h->expect : 200;
	outcome_metric(&r->outcome, "size", (double)a->body.size, "B", 0, 0);
	if (a->state == HTTP_BAD)
		outcome_say(&r->outcome, PROBE_CRITICAL, "a broken answer: %s", a->problem);
	else if (a->status != expect)
		outcome_say(&r->outcome, PROBE_CRITICAL, "status %u, expected %u", a->status, expect);
	else if (h->contains && !memmem(a->body.data, a->body.size, h->contains, strlen(h->contains)))
		outcome_say(&r->outcome, PROBE_CRITICAL,
		    "status %u, but the expected text is not in the %sanswer of %zu bytes", a->status,
		    a->cut ? "first part of the " : "", a->body.size);
	else
		outcome_say(
		    &r->outcome, PROBE_OK, "status %u in %llu ms", a->status, (unsigned long long)run_took_ms(r));
	run_finish(r);
}

static void http_open(void *ctx)
{
	struct probe_run *r = ctx;
	struct buf request = BUF_INIT;
	http_request(&r->url, r->config->http->host_header, &request);
	net_send(r->net, request.data, request.size);
	buf_done(&request);
}

static void http_data(void *ctx, const void *data, size_t size)
{
	struct probe_run *r = ctx;
	if (r->finished)
		return;
	enum http_state state = http_response_feed(&r->response, data, size);
	if (state == HTTP_DONE || state == HTTP_BAD)
		http_judge(r);
}

static void http_close(void *ctx)
{
	struct probe_run *r = ctx;
	if (r->finished)
		return;
	(void)http_response_end(&r->response);
	http_judge(r);
}

enum err_code run_http(struct probe_run *r, struct err *reterr)
{
	const struct http_probe *h = r->config->http;
	const struct net_events events = {
	    .ctx = r, .on_open = http_open, .on_data = http_data, .on_close = http_close, .on_fail = on_fail};
	r->timed = true;
	enum err_code rc = http_url_parse(h->url, &r->url, reterr);
	struct net_target target = {.host = r->url.host, .port = r->url.port};
	if (rc == ERR_OK && r->url.tls)
		rc = trust_get(r->env->trust, h->authority, &target.trust, reterr);
	return rc == ERR_OK ? net_open(r->env->loop, &target, &events, &r->net, reterr) : rc;
}
