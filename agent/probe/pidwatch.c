#include "agent/probe/pidwatch.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "agent/io/pidfile.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum {
	NAME_MAX_KERNEL = 15, /* TASK_COMM_LEN without its NUL */
	DECIMAL = 10,
};

struct held {
	struct pidwatch *watch;
	const struct service_config *service;
	const struct probe_config *probe;
	pid_t pid;
	int fd;
	struct loop_fd *event;
};
struct pidwatch {
	struct loop *loop;
	const struct agent_config *config;
	void (*died)(void *ctx, const struct service_config *service, const struct probe_config *probe, int pid);
	void *ctx;
	struct held *held[PIDWATCH_MAX];
	size_t count;
	uint64_t next_names_ms;
};

static void drop(struct held *h)
{
	struct pidwatch *w = h->watch;
	for (size_t i = 0; i < w->count; i++)
		if (w->held[i] == h) {
			w->held[i] = w->held[--w->count];
			break;
		}
	loop_remove_fd(h->event);
	close(h->fd);
	free(h);
}

static void on_end(void *ctx, unsigned events)
{
	struct held gone = *(struct held *)ctx;
	(void)events;
	drop(ctx);
	gone.watch->next_names_ms = 0; /* what takes its place is wanted soon */
	gone.watch->died(gone.watch->ctx, gone.service, gone.probe, (int)gone.pid);
}

static bool is_held(const struct pidwatch *w, const struct probe_config *probe, pid_t pid)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->held[i]->pid == pid && w->held[i]->probe == probe)
			return true;
	return false;
}

/* What cannot be held (it is gone already, or there are too many) is left to the probe. */
static void hold(struct pidwatch *w, const struct service_config *service, const struct probe_config *probe, pid_t pid)
{
	if (pid <= 1 || w->count == PIDWATCH_MAX || is_held(w, probe, pid))
		return;
	int fd = pidfd_open(pid, 0);
	struct held *h = fd >= 0 ? calloc(1, sizeof *h) : NULL;
	if (!h) {
		if (fd >= 0)
			close(fd);
		return;
	}
	*h = (struct held){.watch = w, .service = service, .probe = probe, .pid = pid, .fd = fd};
	if (loop_add_fd(w->loop, fd, LOOP_READ, on_end, h, &h->event, NULL) != ERR_OK) {
		close(fd);
		free(h);
		return;
	}
	w->held[w->count++] = h;
}

static void hold_by_file(struct pidwatch *w, const struct service_config *service, const struct probe_config *probe)
{
	pid_t pid;
	if (pidfile_read(probe->process->pid_file, &pid, NULL) == ERR_OK)
		hold(w, service, probe, pid);
}

static bool is_named(const char *pid, const char *wanted)
{
	char path[64], name[32] = "";
	if (!text_format(path, sizeof path, "/proc/%.20s/comm", pid))
		return false;
	CLEANUP(cleanup_file) FILE *f = fopen(path, "re");
	if (!f || !fgets(name, sizeof name, f))
		return false;
	name[strcspn(name, "\n")] = '\0';
	return strncmp(name, wanted, NAME_MAX_KERNEL) == 0 && strlen(name) <= strlen(wanted);
}

typedef void each_fn(struct pidwatch *w, const struct service_config *service, const struct probe_config *probe);

static void each_probe(struct pidwatch *w, bool by_name, each_fn *fn)
{
	for (size_t i = 0; i < w->config->services.count; i++) {
		const struct service_config *s = &LIST_AT(w->config->services, struct service_config, i);
		for (size_t k = 0; k < s->probes.count; k++) {
			const struct probe_config *p = &LIST_AT(s->probes, struct probe_config, k);
			if (p->process && by_name == !p->process->pid_file)
				fn(w, s, p);
		}
	}
}

static void hold_by_name(struct pidwatch *w, const struct service_config *service, const struct probe_config *probe)
{
	CLEANUP(cleanup_dir) DIR *proc = opendir("/proc");
	for (struct dirent *e; proc && (e = readdir(proc));)
		if (*e->d_name >= '1' && *e->d_name <= '9' && is_named(e->d_name, probe->process->name))
			hold(w, service, probe, (pid_t)strtol(e->d_name, NULL, DECIMAL));
}

void pidwatch_tick(struct pidwatch *w, uint64_t now_ms)
{
	each_probe(w, false, hold_by_file);
	if (now_ms < w->next_names_ms)
		return;
	w->next_names_ms = now_ms + PIDWATCH_NAMES_MS;
	each_probe(w, true, hold_by_name);
}

size_t pidwatch_count(const struct pidwatch *w)
{
	return w->count;
}

enum err_code pidwatch_new(struct loop *l, const struct agent_config *config,
    void (*died)(void *ctx, const struct service_config *service, const struct probe_config *probe, int pid), void *ctx,
    struct pidwatch **ret, struct err *reterr)
{
	struct pidwatch *w = calloc(1, sizeof *w);
	if (!w)
		return err_set(reterr, ERR_NOMEM, "out of memory for watching processes");
	w->loop = l;
	w->config = config;
	w->died = died;
	w->ctx = ctx;
	*ret = w;
	return ERR_OK;
}

void pidwatch_free(struct pidwatch *w)
{
	while (w && w->count)
		drop(w->held[w->count - 1]);
	free(w);
}
