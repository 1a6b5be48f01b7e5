/* Steps of a rollback: told as they end; the service's own as it declares them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/database/database.h"
#include "agent/io/pidfile.h"
#include "agent/io/process.h"
#include "agent/rollback/walk.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { STAT_MAX = 4096 /* of /proc/PID/stat */ };

const char *walk_text(struct walk *w, const char *text, size_t n)
{
	char line[TEXT_LINE_MAX];
	text_copy(line, n + 1 < sizeof line ? n + 1 : sizeof line, text);
	const char *copy = arena_strdup(w->arena, line);
	return copy ? copy : "out of memory";
}

struct step_timer step_begin(struct walk *w, enum step_kind kind)
{
	struct order_step *s = &w->steps[w->step_count < ROLLBACK_STEPS_MAX ? w->step_count++ : ROLLBACK_STEPS_MAX - 1];
	*s = (struct order_step){.kind = kind, .began_ms = w->io->now_ms(w->io->ctx)};
	return (struct step_timer){s, clock_mono_ms()};
}

enum err_code step_end(struct walk *w, struct step_timer t, enum err_code rc, const struct err *why, const char *text)
{
	t.step->took_ms = clock_mono_ms() - t.began_mono_ms;
	t.step->ok = rc == ERR_OK;
	if (rc != ERR_OK || text)
		t.step->text = walk_text(w, rc == ERR_OK ? text : why->msg, TEXT_LINE_MAX);
	w->io->step(w->io->ctx, t.step);
	return rc;
}

enum err_code step_run(struct walk *w, enum step_kind kind, const struct list *argv, struct err *reterr)
{
	const char *args[CONFIG_ARGV_MAX + 1];
	if (!argv->count)
		return ERR_OK;
	if (argv->count > CONFIG_ARGV_MAX)
		return err_set(reterr, ERR_LIMIT, "a step of more than %d arguments", CONFIG_ARGV_MAX);
	for (size_t i = 0; i < argv->count; i++)
		args[i] = LIST_AT(*argv, const char *, i);
	args[argv->count] = NULL;
	struct step_timer t = step_begin(w, kind);
	struct process_spec spec = {.argv = args,
	    .timeout_ms = w->r->service->steps.timeout_ms,
	    .leave_descendants = true,
	    .merge_errors = true};
	enum err_code rc = process_run_ok(&spec, NULL, reterr);
	if (rc != ERR_OK)
		rc = err_prefix(reterr, rc, "%s", enum_name(&step_kind_enum, kind));
	return step_end(w, t, rc, reterr, NULL);
}

enum err_code step_stop(struct walk *w, struct err *reterr)
{
	w->stopped = w->r->service->steps.stop.count > 0;
	database_before_stop(w->r->service);
	return step_run(w, STEP_STOP, &w->r->service->steps.stop, reterr);
}

enum err_code step_start(struct walk *w, struct err *reterr)
{
	const struct steps_config *steps = &w->r->service->steps;
	enum err_code rc = database_before_start(w->r->service, reterr);
	w->started_mono_ms = clock_mono_ms();
	if (rc != ERR_OK)
		return rc;
	return step_run(w, STEP_START, steps->start.count ? &steps->start : &steps->reload, reterr);
}

/* proc(5): the 22nd field of stat is when it began, in ticks since boot; the name before it may hold anything.  False:
 * there is none of that number. */
static bool began_at(pid_t pid, uint64_t *ret_mono_ms)
{
	char path[64];
	unsigned long long ticks;
	long per_s = sysconf(_SC_CLK_TCK);
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	if (per_s <= 0 || !text_format(path, sizeof path, "/proc/%d/stat", (int)pid) ||
	    file_read(path, STAT_MAX, &text, NULL) != ERR_OK)
		return false;
	const char *rest = strrchr(buf_str(&text), ')');
	if (!rest || sscanf(rest, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
			 &ticks) != 1)
		return false;
	*ret_mono_ms = (ticks + 1) * 1000 / (unsigned long long)per_s; /* not before it was */
	return true;
}

bool step_found_it_running(const struct walk *w)
{
	const struct list *probes = &w->r->service->probes;
	for (size_t i = 0; w->started_mono_ms && i < probes->count; i++) {
		const struct process_probe *p = LIST_AT(*probes, struct probe_config, i).process;
		pid_t pid;
		uint64_t began_ms;
		if (p && p->pid_file && pidfile_read(p->pid_file, &pid, NULL) == ERR_OK && began_at(pid, &began_ms) &&
		    began_ms < w->started_mono_ms)
			return true;
	}
	return false;
}
