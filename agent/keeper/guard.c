/* agent/keeper/guard.c: the link's guardian: begins it, listens to it, begins it again. */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/keeper/internal.h"
#include "agent/keeper/storage.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

/* ---- out ---- */

static void wants_write(struct keeper *k)
{
	struct err err = ERR_INIT;
	unsigned events = LOOP_READ | (channel_wants_write(k->channel) ? LOOP_WRITE : 0);
	if (k->channel_fd && loop_change_fd(k->channel_fd, events, &err) != ERR_OK)
		log_error("keeper", "the channel cannot be watched: %s", err.msg);
}

enum err_code guard_send(struct keeper *k, const struct channel_message *m)
{
	struct err err = ERR_INIT;
	if (!k->channel)
		return ERR_UNREACHABLE;
	enum err_code rc = channel_send(k->channel, m, &err);
	if (rc == ERR_OK)
		wants_write(k);
	else
		log_warn("keeper", "the link cannot be told: %s", err.msg);
	if (rc == ERR_FULL && k->link_pid > 0) /* it reads nothing: begin it again */
		kill(k->link_pid, SIGKILL);
	return rc;
}

static void send_identity(struct keeper *k)
{
	struct channel_identity body = {identity_chain(k->identity), identity_key(k->identity)};
	struct channel_message m = {.type = CHANNEL_IDENTITY, .identity = &body};
	(void)guard_send(k, &m);
}

/* What may be asked for, in the arena of a hello; none if there is no memory for it. */
static struct list actions_of(const struct service_config *s, struct arena *arena)
{
	struct declared_action *actions = arena_array(arena, s->actions.count + 1, sizeof *actions);
	for (size_t i = 0; actions && i < s->actions.count; i++) {
		const struct action_config *a = &LIST_AT(s->actions, struct action_config, i);
		actions[i] = (struct declared_action){
		    .name = a->name, .remedies = a->remedies, .automatic = a->automatic, .text = a->text};
	}
	return (struct list){actions, actions ? s->actions.count : 0};
}

static struct list automatic_of(const struct service_config *s)
{
	return s->rollback.automatic;
}

void guard_declare(struct keeper *k, uint64_t epoch)
{
	static const enum component all[] = {COMPONENT_CONFIG, COMPONENT_CODE, COMPONENT_DATA, COMPONENT_DATABASE};
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(1 << 20);
	char storage[NAME_MAX_BYTES + 1];
	bool shared = storage_name(k->c, storage);
	struct declared_service *declared = arena ? arena_array(arena, k->watched_count + 1, sizeof *declared) : NULL;
	for (size_t i = 0; declared && i < k->watched_count; i++) {
		const struct service_config *s = k->watched[i].service;
		uint32_t *components = arena_array(arena, COMPONENT_COUNT, sizeof *components);
		size_t n = 0;
		for (size_t c = 0; components && c < COMPONENT_COUNT; c++)
			if (components_get(&s->components, all[c]))
				components[n++] = all[c];
		declared[i] = (struct declared_service){.name = s->name,
		    .components = {components, n},
		    .depends_on = s->depends_on,
		    .automatic = automatic_of(s),
		    .actions = actions_of(s, arena),
		    .probes = (uint32_t)s->probes.count,
		    .answer_ms = looks_answer_ms(s),
		    .snapshot_every_ms = s->snapshots.every_ms,
		    .self_affecting = s->rollback.confirm_within_ms > 0,
		    .storage = shared ? storage : NULL};
	}
	struct channel_declare body = {.services = {declared, declared ? k->watched_count : 0}, .epoch_seen = epoch};
	struct channel_message m = {.type = CHANNEL_DECLARE, .declare = &body};
	if (declared)
		(void)guard_send(k, &m);
}

/* ---- in ---- */

static void on_connection(struct keeper *k, const struct channel_connection *c)
{
	if (c->up)
		log_info("keeper", "connected to the controller, epoch %llu%s%s", (unsigned long long)c->epoch,
		    c->observing ? ", it only observes" : "", c->halted ? ", everything is halted" : "");
	else
		log_warn("keeper", "no connection to the controller: %s", c->text ? c->text : "gone");
	bool again = c->up && !k->connected;
	k->connected = c->up;
	if (!c->up)
		return;
	jobs_heard(k->jobs, clock_mono_ms());
	k->heartbeat_ms = c->heartbeat_ms ? c->heartbeat_ms : KEEPER_HEARTBEAT_MS;
	orders_on_halt(k->orders, c->halted);
	if (again && !k->stopping)
		observe_everything(k);
}

static void on_certificate(struct keeper *k, const struct certificate *c)
{
	struct err err = ERR_INIT;
	if (!k->identity)
		return;
	if (c->error)
		log_error("keeper", "no new certificate: %s", c->error);
	else if (identity_renewed(k->identity, c->chain, &err) != ERR_OK)
		log_error("keeper", "the new certificate is not taken: %s", err.msg);
	else {
		log_info("keeper", "a new certificate is in use");
		send_identity(k);
	}
}

static void on_message(struct keeper *k, const struct channel_message *m)
{
	switch ((enum channel_type)m->type) {
	case CHANNEL_SPOOLED:
		outgoing_on_spooled(k->outgoing, m->spooled->token);
		break;
	case CHANNEL_ORDER:
		if (!k->stopping) /* it comes again when the keeper does */
			orders_on_order(k->orders, m->order);
		break;
	case CHANNEL_CANCEL:
		orders_on_cancel(k->orders, m->cancel->order, m->cancel->reason);
		break;
	case CHANNEL_HALT:
		log_warn("keeper", "%s%s%s", m->halt->on ? "everything is halted" : "the halt is released",
		    m->halt->reason ? ": " : "", m->halt->reason ? m->halt->reason : "");
		orders_on_halt(k->orders, m->halt->on);
		break;
	case CHANNEL_CERTIFICATE:
		on_certificate(k, m->certificate);
		break;
	case CHANNEL_CONNECTION:
		on_connection(k, m->connection);
		break;
	case CHANNEL_HEARD:
		jobs_heard(k->jobs, m->heard->at_ms);
		break;
	case CHANNEL_LOOK:
		if (!k->stopping)
			looks_on_look(k, m->look);
		break;
	default: /* channel_receive lets nothing else through */
		break;
	}
}

static void on_readable(void *ctx, unsigned events)
{
	struct keeper *k = ctx;
	struct err err = ERR_INIT;
	enum err_code rc = events & LOOP_WRITE ? channel_flush(k->channel, &err) : ERR_OK;
	bool found = true;
	while (rc == ERR_OK && found) {
		CLEANUP(arena_cleanup) struct arena *arena = arena_new(8 << 20);
		struct channel_message m;
		if (!arena)
			return;
		rc = channel_receive(k->channel, arena, &m, &found, &err);
		if (rc == ERR_OK && found)
			on_message(k, &m);
	}
	if (rc == ERR_OK) {
		wants_write(k);
		return;
	}
	if (rc != ERR_UNREACHABLE) {
		log_error("keeper", "the link broke the channel's rules and is begun again: %s", err.msg);
		keeper_notice(k, SEVERITY_HIGH, "link-misbehaved", NULL, err.msg);
		kill(k->link_pid, SIGKILL);
	}
	loop_remove_fd(k->channel_fd);
	k->channel_fd = NULL;
}

/* ---- begin, again ---- */

static void forget_link(struct keeper *k)
{
	loop_remove_fd(k->channel_fd);
	channel_free(k->channel);
	k->channel_fd = NULL;
	k->channel = NULL;
	k->link_pid = 0;
	k->link_child = NULL;
	k->connected = false;
}

static void on_link_exit(void *ctx, int status)
{
	struct keeper *k = ctx;
	uint64_t now_ms = clock_mono_ms();
	k->link_child = NULL;
	forget_link(k);
	if (k->stopping)
		return;
	bool lasted = now_ms - k->link_began_ms > KEEPER_LINK_RESTART_MAX_MS;
	k->link_delay_ms = lasted || !k->link_delay_ms                         ? KEEPER_LINK_RESTART_MS
			   : k->link_delay_ms * 2 < KEEPER_LINK_RESTART_MAX_MS ? k->link_delay_ms * 2
									       : KEEPER_LINK_RESTART_MAX_MS;
	k->link_again_ms = now_ms + k->link_delay_ms;
	log_error("keeper", "the link %s %d; it is begun again in %llu ms",
	    WIFSIGNALED(status) ? "was killed by signal" : "ended with",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (unsigned long long)k->link_delay_ms);
	keeper_notice(k, SEVERITY_MEDIUM, "link-restarted", NULL, "the link process ended and is begun again");
}

static enum err_code fill_options(
    struct keeper *k, struct link_options *o, char *spool, char *authority, struct err *reterr)
{
	const struct agent_config *c = k->c;
	char room[4096];
	struct passwd entry, *found = NULL;
	if (!text_format(spool, PATH_LIMIT, "%s/spool", c->state_directory) ||
	    !text_format(authority, PATH_LIMIT, "%s/identity/authority.pem", c->state_directory))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	*o = (struct link_options){.url = c->controller->url,
	    .controller = c->controller->name,
	    .domain = c->domain,
	    .host = c->host,
	    .authority = authority,
	    .spool = spool,
	    .spool_limit_bytes = c->spool_limit_bytes,
	    .boot = k->boot,
	    .log_least = log_least()};
	if (geteuid() != 0)
		return ERR_OK;
	if (getpwnam_r(c->user, &entry, room, sizeof room, &found) != 0 || !found)
		return err_set(
		    reterr, ERR_NOT_FOUND, "there is no user %s for the link: set `user` in agent.yaml", c->user);
	o->drop_privileges = true;
	o->uid = entry.pw_uid;
	o->gid = entry.pw_gid;
	return ERR_OK;
}

enum err_code guard_start(struct keeper *k, struct err *reterr)
{
	struct link_options options;
	char spool[PATH_LIMIT], authority[PATH_LIMIT];
	int pair[2];
	enum err_code rc = fill_options(k, &options, spool, authority, reterr);
	if (rc != ERR_OK)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(reterr, errno, "no socket for the link");
	pid_t pid;
	rc = link_program_begin(k, &options, pair[1], &pid, reterr);
	close(pair[1]);
	if (rc != ERR_OK) {
		close(pair[0]);
		return rc;
	}
	k->link_pid = pid;
	k->link_began_ms = clock_mono_ms();
	if ((rc = channel_new(pair[0], CHANNEL_KEEPER, &k->channel, reterr)) != ERR_OK)
		close(pair[0]);
	else if ((rc = loop_add_fd(k->loop, pair[0], LOOP_READ, on_readable, k, &k->channel_fd, reterr)) == ERR_OK)
		rc = loop_add_child(k->loop, pid, on_link_exit, k, &k->link_child, reterr);
	if (rc != ERR_OK) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		forget_link(k);
		return rc;
	}
	send_identity(k);
	guard_declare(k, orders_epoch(k->orders));
	outgoing_resend(k->outgoing);
	return ERR_OK;
}

void guard_tick(struct keeper *k, uint64_t now_ms)
{
	struct err err = ERR_INIT;
	if (!k->identity || k->link_pid || k->stopping || now_ms < k->link_again_ms)
		return;
	if (guard_start(k, &err) != ERR_OK) {
		log_error("keeper", "the link cannot be begun: %s", err.msg);
		k->link_again_ms = now_ms + KEEPER_LINK_RESTART_MAX_MS;
	}
}

void guard_stop(struct keeper *k)
{
	struct channel_stop body = {KEEPER_LINK_STOP_MS / 2};
	struct channel_message m = {.type = CHANNEL_STOP, .stop = &body};
	uint64_t until_ms = clock_mono_ms() + KEEPER_LINK_STOP_MS;
	if (!k->link_pid)
		return;
	(void)guard_send(k, &m);
	while (k->link_pid && clock_mono_ms() < until_ms)
		if (loop_turn(k->loop, 50, NULL) != ERR_OK)
			break;
	if (!k->link_pid)
		return;
	loop_remove_child(k->link_child);
	kill(k->link_pid, SIGKILL);
	waitpid(k->link_pid, NULL, 0);
	forget_link(k);
}
