/* agent/keeper/deaths.c: a process that a service leans on is gone: its probes are asked at once. */
#include "agent/keeper/internal.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static struct watched *find(struct keeper *k, const struct service_config *service)
{
	for (size_t i = 0; i < k->watched_count; i++)
		if (k->watched[i].service == service)
			return &k->watched[i];
	return NULL;
}

static uint32_t most_falls(const struct service_config *s)
{
	uint32_t most = 1;
	for (size_t i = 0; i < s->probes.count; i++) {
		const struct probe_config *p = &LIST_AT(s->probes, struct probe_config, i);
		if (p->process && p->fall > most)
			most = p->fall;
	}
	return most;
}

static void ask(struct watched *w);

/* Until as many bad results have come as it takes to settle, or all is well again: something started it anew. */
static void on_asked(void *ctx, const struct probe_check *check)
{
	struct watched *w = ctx;
	if (!check->all_ok && w->death_asks)
		ask(w);
}

static void ask(struct watched *w)
{
	struct err err = ERR_INIT;
	w->death_asks--;
	if (probe_set_check(w->k->probes, w->service->name, false, on_asked, w, &err) != ERR_OK)
		log_warn("probe", "service=%s cannot be probed now: %s", w->service->name, err.msg);
}

/* While it is being changed on purpose its processes end on purpose, and a check that somebody waits for does it. */
static void on_died(void *ctx, const struct service_config *service, const struct probe_config *probe, int pid)
{
	struct keeper *k = ctx;
	struct watched *w = find(k, service);
	if (!w || k->stopping || orders_is_running(k->orders, service->name) || !id_is_zero(w->probe_order))
		return;
	log_warn("probe", "service=%s probe=%s its process %d has ended", service->name, probe->name, pid);
	w->death_asks = most_falls(service);
	ask(w);
}

enum err_code deaths_new(struct keeper *k, struct err *reterr)
{
	return pidwatch_new(k->loop, k->c, on_died, k, &k->pids, reterr);
}
