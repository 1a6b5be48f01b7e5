/* controller/daemon/daemon.c */
#include "controller/daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "certs/authority.h"
#include "controller/analyst/analyst.h"
#include "controller/api/api.h"
#include "controller/center/runner.h"
#include "controller/daemon/mailbox.h"
#include "controller/gate/gate.h"
#include "controller/outbox/outbox.h"
#include "controller/prose/prose.h"
#include "controller/store/schema.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/notify.h"
#include "shared/base/text.h"

struct daemon {
	const struct controller_yaml *y;
	struct workflow_config workflow;
	struct random random;
	struct store *store;
	struct center *center;
	struct runner *runner;
	struct mailbox *mailbox;
	struct ws_loop *loop;
	struct tls_identity *identity;
	struct tls_trust *trust;
	struct tls_revocations *revocations;
	struct authority *authority;
	struct gate *gate;
	struct api *api;
	struct analyst *analyst;
	struct outbox_sender *outbox;
	struct prose *prose; /* NULL: no language model is configured */
	int signals;
	struct ws_watch *signal_watch;
	struct ws_timer *goodbye, *recheck;
	bool stopping, ready;
};

/* ---- from the edges to the center ---- */

static enum err_code submit(void *ctx, struct input *in, bool *ret_congested, struct err *reterr)
{
	struct daemon *d = ctx;
	*ret_congested = false;
	if (!d->runner) /* while stopping */
		return err_set(reterr, ERR_STATE, "the controller is stopping");
	return runner_submit(d->runner, in, ret_congested, reterr);
}

static bool post(void *ctx, void (*fn)(void *arg), void *arg)
{
	struct daemon *d = ctx;
	return mailbox_post(d->mailbox, fn, arg, 256);
}

/* ---- from the center to the edges: each effect is one letter ---- */

struct letter {
	struct daemon *d;
	char *host;
	struct id boot;
	enum frame_type frame;
	enum bye_reason bye;
	uint64_t token;
	enum err_code code;
	uint32_t role;
	char *text;
	struct buf bytes;
};

static void letter_free(struct letter *l)
{
	free(l->host);
	free(l->text);
	buf_done(&l->bytes);
	free(l);
}

static struct letter *letter_new(struct daemon *d, const char *host, const char *text)
{
	struct letter *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->d = d;
	l->host = host ? strdup(host) : NULL;
	l->text = text ? strdup(text) : NULL;
	if ((!host || l->host) && (!text || l->text))
		return l;
	letter_free(l);
	return NULL;
}

static void send_letter(struct letter *l, void (*fn)(void *))
{
	size_t weight = l->bytes.size + 256;
	if (mailbox_post(l->d->mailbox, fn, l, weight))
		return;
	log_error("daemon", "the loop thread is behind: an effect was dropped (it is a record and comes again)");
	letter_free(l);
}

static void deliver_frame(void *arg)
{
	struct letter *l = arg;
	gate_send(l->d->gate, l->host, l->boot, l->frame, buf_bytes(&l->bytes));
	letter_free(l);
}

static void on_frame(void *ctx, const char *host, struct id boot, enum frame_type type, struct bytes encoded)
{
	struct letter *l = letter_new(ctx, host, NULL);
	if (!l)
		return;
	l->boot = boot;
	l->frame = type;
	buf_append(&l->bytes, encoded.data, encoded.size);
	if (l->bytes.failed)
		letter_free(l);
	else
		send_letter(l, deliver_frame);
}

static void deliver_close(void *arg)
{
	struct letter *l = arg;
	gate_close(l->d->gate, l->host, l->boot, l->bye, l->text);
	letter_free(l);
}

static void on_close(void *ctx, const char *host, struct id boot, enum bye_reason reason, const char *text)
{
	struct letter *l = letter_new(ctx, host, text);
	if (!l)
		return;
	l->boot = boot;
	l->bye = reason;
	send_letter(l, deliver_close);
}

static void deliver_reply(void *arg)
{
	struct letter *l = arg;
	api_reply(l->d->api, l->token, l->code, buf_str(&l->bytes), l->bytes.size);
	letter_free(l);
}

static void on_reply(void *ctx, const struct center_reply *reply)
{
	struct letter *l = letter_new(ctx, NULL, NULL);
	struct err err = ERR_INIT;
	if (!l)
		return;
	l->token = reply->token;
	l->code = reply->code;
	if (api_encode_reply(reply, &l->bytes, &err) != ERR_OK) {
		log_error("daemon", "an answer cannot be written: %s", err.msg);
		l->code = ERR_INTERNAL;
	}
	send_letter(l, deliver_reply);
}

static void deliver_event(void *arg)
{
	struct letter *l = arg;
	api_event(l->d->api, buf_str(&l->bytes));
	letter_free(l);
}

static void on_event(void *ctx, const struct center_event *event)
{
	struct letter *l = letter_new(ctx, NULL, NULL);
	if (!l)
		return;
	api_encode_event(event, &l->bytes);
	if (event->severity >= SEVERITY_MEDIUM)
		log_info("event", "topic=%s %s", event->topic ? event->topic : "-", event->text ? event->text : "");
	send_letter(l, deliver_event);
}

static void on_notify(void *ctx, struct id id)
{
	outbox_deliver(((struct daemon *)ctx)->outbox, id);
}
static void on_summarise(void *ctx, struct id id)
{
	prose_ask(((struct daemon *)ctx)->prose, id);
}
static void on_analyse(void *ctx, struct id id)
{
	analyst_ask(((struct daemon *)ctx)->analyst, id);
}

/* ---- revocations ---- */

static enum err_code read_revoked(struct daemon *d, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	struct store_view *view = NULL;
	struct turn *read = NULL;
	struct list serials;
	enum err_code rc = arena ? store_view_open(d->store, "revocations", &view, reterr)
				 : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = turn_open_read(store_view_turn(view), clock_wall_ms(), arena, &read, reterr);
	if (rc == ERR_OK)
		rc = access_revoked(read, &serials, reterr);
	if (rc == ERR_OK)
		rc = tls_revocations_set(d->revocations, serials.items, serials.count, reterr);
	turn_close_read(read);
	store_view_close(view);
	return rc;
}

static void recheck(struct daemon *d)
{
	size_t ended = ws_listener_recheck(gate_listener(d->gate)) + ws_http_recheck(api_http(d->api));
	if (ended)
		log_warn("daemon", "%zu live connections were ended: their certificates are revoked or expired", ended);
}

/* The first list comes of the turn of INPUT_BOOT: administrators are known from then on, and whoever is refused is
 * refused for good. */
static void say_ready(struct daemon *d)
{
	if (d->ready)
		return;
	d->ready = true;
	log_info("daemon", "ready: agents on %s, operators on %s", d->y->agents.listen, d->y->operators.listen);
	(void)notify_systemd("READY=1");
}

static void deliver_revocations(void *arg)
{
	struct letter *l = arg;
	struct err err = ERR_INIT;
	say_ready(l->d);
	if (read_revoked(l->d, &err) != ERR_OK)
		log_error("daemon", "the list of revoked certificates cannot be read: %s", err.msg);
	else
		recheck(l->d);
	letter_free(l);
}

static void on_revocations(void *ctx)
{
	struct letter *l = letter_new(ctx, NULL, NULL);
	if (l)
		send_letter(l, deliver_revocations);
}

/* ---- signing ---- */

static const enum tls_role tls_role_of[CERTIFICATE_ROLE_COUNT] = {[CERTIFICATE_HOST] = TLS_ROLE_HOST,
    [CERTIFICATE_OPERATOR] = TLS_ROLE_OPERATOR,
    [CERTIFICATE_CONTROLLER] = TLS_ROLE_CONTROLLER};

static enum err_code sign(struct daemon *d, const struct letter *l, struct certificate_made *ret, struct err *reterr)
{
	if (!d->authority)
		return err_set(
		    reterr, ERR_UNSUPPORTED, "this controller signs no certificates: controller.yaml has no `issuing`");
	if (l->role != CERTIFICATE_HOST && l->role != CERTIFICATE_OPERATOR)
		return err_set(reterr, ERR_DENIED, "only hosts and operators enrol over the network");
	struct certificate_order o = {.csr = l->text,
	    .now_ms = clock_wall_ms(),
	    .life_ms = l->role == CERTIFICATE_HOST ? d->y->issuing->host_life_ms : d->y->issuing->operator_life_ms};
	enum err_code rc = tls_name_make(tls_role_of[l->role], d->y->domain, l->host, &o.name, reterr);
	return rc == ERR_OK ? authority_sign(d->authority, &o, ret, reterr) : rc;
}

static void deliver_sign(void *arg)
{
	struct letter *l = arg;
	struct input *in = input_new(INPUT_SIGNED, 256 << 10);
	struct signed_certificate *s = in ? arena_alloc(in->arena, sizeof *s) : NULL;
	struct certificate_made made = {0};
	struct err err = ERR_INIT;
	bool congested;
	if (!s) {
		input_free(in);
		letter_free(l);
		return;
	}
	in->code = sign(l->d, l, &made, &err);
	in->text = in->code == ERR_OK ? NULL : arena_strdup(in->arena, err.msg);
	in->boot = l->boot;
	*s = (struct signed_certificate){.role = l->role,
	    .name = arena_strdup(in->arena, l->host),
	    .chain = arena_strdup(in->arena, buf_str(&made.chain)),
	    .serial = arena_strdup(in->arena, made.serial),
	    .not_after_ms = made.not_after_ms,
	    .token = l->token};
	in->certificate = s;
	in->weight_bytes = 16 << 10;
	if (in->code != ERR_OK)
		log_warn("daemon", "host=%s no certificate: %s", l->host, err.msg);
	if (submit(l->d, in, &congested, &err) != ERR_OK) {
		log_warn("daemon", "host=%s a signed certificate was not recorded, and is not handed out: %s", l->host,
		    err.msg);
		input_free(in);
	}
	buf_done(&made.chain);
	letter_free(l);
}

static void on_sign(void *ctx, uint32_t role, const char *host, const char *csr, uint64_t token, struct id boot)
{
	struct letter *l = letter_new(ctx, host, csr);
	if (!l)
		return;
	l->role = role;
	l->token = token;
	l->boot = boot;
	send_letter(l, deliver_sign);
}

/* ---- the loop's own callbacks ---- */

static void on_wake(void *user)
{
	mailbox_drain(((struct daemon *)user)->mailbox);
}

static void deliver_drained(void *arg)
{
	struct letter *l = arg;
	gate_drained(l->d->gate);
	letter_free(l);
}

static void on_drained(void *ctx)
{
	struct letter *l = letter_new(ctx, NULL, NULL);
	if (l)
		send_letter(l, deliver_drained);
}

static void on_goodbye_over(void *user)
{
	ws_loop_stop(((struct daemon *)user)->loop);
}

static void on_recheck(void *user)
{
	struct daemon *d = user;
	recheck(d);
	ws_timer_set(d->recheck, DAEMON_RECHECK_MS);
}

static void on_signal(void *user)
{
	struct daemon *d = user;
	struct signalfd_siginfo info;
	while (read(d->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (d->stopping)
			continue;
		d->stopping = true;
		log_info("daemon", "signal %u: stopping", info.ssi_signo);
		(void)notify_systemd("STOPPING=1");
		gate_goodbye(d->gate, d->workflow.retry_ms);
		ws_timer_set(d->goodbye, DAEMON_GOODBYE_MS);
	}
}

/* ---- start ---- */

static enum err_code load_identity(struct daemon *d, struct err *reterr)
{
	const struct controller_yaml *y = d->y;
	enum err_code rc = tls_identity_load(y->identity.certificate, y->identity.key, &d->identity, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "identity");
	const struct tls_peer *me = tls_identity_peer(d->identity);
	if (me->role != TLS_ROLE_CONTROLLER || !text_equal(me->name, y->name) || !text_equal(me->domain, y->domain))
		return err_set(reterr, ERR_INVALID, "%s is the certificate of %s %s in %s, not of controller %s in %s",
		    y->identity.certificate, tls_role_text(me->role), me->name, me->domain, y->name, y->domain);
	if ((rc = tls_trust_load(y->identity.authority, &d->trust, reterr)) != ERR_OK)
		return err_prefix(reterr, rc, "identity.authority");
	if (y->issuing &&
	    (rc = authority_load(y->issuing->certificate, y->issuing->key, &d->authority, reterr)) != ERR_OK)
		return err_prefix(reterr, rc, "issuing");
	if (!(d->revocations = tls_revocations_new()))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

static enum err_code open_store(struct daemon *d, struct err *reterr)
{
	char folder[PATH_LIMIT];
	if (!text_format(folder, sizeof folder, "%s/store", d->y->state_directory))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	struct store_options so = {.folder = folder};
	enum err_code rc = store_open(&so, &d->store, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "store");
	random_init_system(&d->random);
	rc = schema_open(d->store, workflow_tables, clock_wall_ms(), &d->random, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "store");
	struct center_options co = {.store = d->store,
	    .random = &d->random,
	    .handlers = {workflow_apply, workflow_refused, &d->workflow},
	    .sinks = {d, on_frame, on_close, on_reply, on_notify, on_analyse, on_event, on_revocations, on_sign,
		on_summarise}};
	if ((rc = center_new(&co, &d->center, reterr)) != ERR_OK)
		return rc;
	return read_revoked(d, reterr); /* before the first handshake */
}

static enum err_code port_of(struct daemon *d, const struct listen_config *l, uint32_t roles, char *address,
    size_t size, struct ws_port *ret, struct err *reterr)
{
	*ret = (struct ws_port){.address = address,
	    .identity = d->identity,
	    .trust = d->trust,
	    .domain = d->y->domain,
	    .roles = roles,
	    .revocations = d->revocations};
	return controller_listen(l->listen, address, size, &ret->port, reterr);
}

static enum err_code open_doors(struct daemon *d, struct err *reterr)
{
	char address[128], address2[128];
	struct gate_config gc = {.ctx = d, .submit = submit};
	struct api_config ac = {.store = d->store, .workflow = &d->workflow, .ctx = d, .submit = submit, .post = post};
	enum err_code rc =
	    port_of(d, &d->y->agents, TLS_ROLE_BIT(TLS_ROLE_HOST), address, sizeof address, &gc.port, reterr);
	if (rc == ERR_OK)
		rc = gate_new(d->loop, &gc, &d->gate, reterr);
	if (rc == ERR_OK)
		rc = port_of(
		    d, &d->y->operators, TLS_ROLE_BIT(TLS_ROLE_OPERATOR), address2, sizeof address2, &ac.port, reterr);
	if (rc == ERR_OK)
		rc = api_new(d->loop, &ac, &d->api, reterr);
	return rc;
}

static enum err_code start_threads(struct daemon *d, struct err *reterr)
{
	struct analyst_config an = {.store = d->store, .ctx = d, .submit = submit};
	struct outbox_config ob = {
	    .store = d->store, .notify = &d->workflow.notify, .controller = d->y->name, .ctx = d, .submit = submit};
	struct prose_options po = {.config = d->y->prose, .store = d->store, .ctx = d, .submit = submit};
	struct runner_options ro = {.center = d->center, .store = d->store, .drained = on_drained, .ctx = d};
	enum err_code rc = analyst_start(&an, &d->analyst, reterr);
	if (rc == ERR_OK)
		rc = outbox_start(&ob, &d->outbox, reterr);
	if (rc == ERR_OK && d->y->prose)
		rc = prose_start(&po, &d->prose, reterr);
	return rc == ERR_OK ? runner_start(&ro, &d->runner, reterr) : rc;
}

static enum err_code prepare_loop(struct daemon *d, struct err *reterr)
{
	struct ws_loop_config lc = {.libuv = true, .user = d, .on_wake = on_wake};
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != DAEMON_FILES) {
		files.rlim_cur = files.rlim_max < DAEMON_FILES ? files.rlim_max : DAEMON_FILES;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (!(d->mailbox = mailbox_new(DAEMON_MAIL_MAX, DAEMON_MAIL_BYTES)))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = ws_loop_new(&lc, &d->loop, reterr);
	if (rc != ERR_OK)
		return rc;
	mailbox_bind(d->mailbox, d->loop);
	d->goodbye = ws_timer_new(d->loop, on_goodbye_over, d);
	d->recheck = ws_timer_new(d->loop, on_recheck, d);
	if (!d->goodbye || !d->recheck)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	ws_timer_set(d->recheck, DAEMON_RECHECK_MS);
	return ws_watch_new(d->loop, d->signals, on_signal, d, &d->signal_watch, reterr);
}

static enum err_code take_signals(struct daemon *d, struct err *reterr)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (d->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
		return err_sys(reterr, errno, "signals cannot be taken");
	return ERR_OK;
}

/* ---- stop ---- */

static void shut(struct daemon *d)
{
	struct runner *runner = d->runner;
	analyst_stop(d->analyst);
	outbox_stop(d->outbox);
	prose_stop(d->prose);
	if (runner)
		runner_stop(runner); /* commits and answers what was accepted */
	d->runner = NULL;
	if (d->loop && d->api && d->gate)
		for (int i = 0; i < 64; i++)
			mailbox_drain(d->mailbox); /* the last answers and acknowledgements */
	api_free(d->api);
	gate_free(d->gate);
	ws_watch_free(d->signal_watch);
	ws_timer_free(d->goodbye);
	ws_timer_free(d->recheck);
	ws_loop_free(d->loop);
	runner_free(runner);
	center_free(d->center);
	mailbox_free(d->mailbox);
	store_close(d->store);
	tls_identity_free(d->identity);
	tls_trust_free(d->trust);
	tls_revocations_free(d->revocations);
	authority_free(d->authority);
	if (d->signals >= 0)
		close(d->signals);
}

/* All that is read before anything is opened. */
static enum err_code load(struct daemon *d, struct arena *arena, struct err *reterr)
{
	enum err_code rc = controller_workflow(d->y, arena, &d->workflow, reterr);
	if (rc == ERR_OK)
		rc = controller_knowledge(d->y, arena, &d->workflow, reterr);
	return rc == ERR_OK ? load_identity(d, reterr) : rc;
}

enum err_code daemon_check(const struct controller_yaml *y, struct arena *arena, struct err *reterr)
{
	struct daemon d = {.y = y, .signals = -1};
	enum err_code rc = load(&d, arena, reterr);
	shut(&d);
	return rc;
}

enum err_code daemon_run(const struct controller_yaml *y, struct arena *arena, struct err *reterr)
{
	struct daemon d = {.y = y, .signals = -1};
	enum err_code rc = load(&d, arena, reterr);
	if (rc == ERR_OK)
		rc = take_signals(&d, reterr);
	if (rc == ERR_OK)
		rc = open_store(&d, reterr);
	if (rc == ERR_OK)
		rc = prepare_loop(&d, reterr);
	if (rc == ERR_OK)
		rc = open_doors(&d, reterr);
	if (rc == ERR_OK)
		rc = start_threads(&d, reterr);
	if (rc == ERR_OK)
		rc = ws_loop_run(d.loop, reterr);
	shut(&d);
	if (rc == ERR_OK)
		log_info("daemon", "stopped");
	return rc;
}
