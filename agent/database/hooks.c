/* Any database whose files stand still on demand: freeze, read them, thaw.
 *
 * A watchdog process of its own is there before the freeze, and thaws when it is told to, when the deadline comes, and
 * when this process is gone, however it went.  A file says from before the freeze until after the thaw that something
 * may be frozen: should everything die at once, the next start thaws.
 *
 * Order: marker durable, watchdog, freeze, read, thaw, marker gone. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/database/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	THAW_MS = 60 * 1000, /* one run of the thaw program */
	THAW_TRIES = 30,     /* a thaw that fails is tried again each second: nothing is worse than to stop trying */
	THAW_AGAIN_MS = 1000,
	ANSWER_MS = THAW_TRIES * (THAW_MS + THAW_AGAIN_MS),
};
#define LABEL     "exec"
#define END_LABEL "exec-end"

enum word { WORD_THAW = 'T', WORD_THAWED = 'd', WORD_LATE = 'l', WORD_FAILED = 'f' };

struct freezing {
	const struct adapter_job *j;
	const struct hooks_config *c;
	char marker[PATH_LIMIT];
	int watchdog; /* our end; -1: none */
	pid_t pid;
	bool thawed;
};

static enum err_code run(const struct list *argv, uint64_t timeout_ms, struct err *reterr)
{
	const char *args[CONFIG_ARGV_MAX + 1];
	for (size_t i = 0; i < argv->count && i < CONFIG_ARGV_MAX; i++)
		args[i] = LIST_AT(*argv, const char *, i);
	args[argv->count < CONFIG_ARGV_MAX ? argv->count : CONFIG_ARGV_MAX] = NULL;
	struct process_spec spec = {.argv = args, .timeout_ms = timeout_ms, .merge_errors = true};
	return process_run_ok(&spec, NULL, reterr);
}

/* ---- thawing, whoever does it ---- */

static enum err_code thaw(const struct hooks_config *c, const char *marker, int tries, struct err *reterr)
{
	enum err_code rc = ERR_INTERNAL;
	for (int i = 0; i < tries && rc != ERR_OK; i++) {
		if (i)
			(void)poll(NULL, 0, THAW_AGAIN_MS);
		rc = run(&c->thaw, THAW_MS, reterr);
	}
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "it cannot be thawed");
	return unlink(marker) == 0 || errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s", marker);
}

static enum err_code marker_of(
    const char *work, const struct service_config *service, char out[PATH_LIMIT], struct err *reterr)
{
	return text_format(out, PATH_LIMIT, "%s/%s.frozen", work, service->name)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "%s is too long a path", work);
}

/* Whose watchdog still lives is not left over: it holds the lock of the marker. */
enum err_code hooks_thaw_leftover(const char *work, const struct service_config *service, struct err *reterr)
{
	char marker[PATH_LIMIT];
	const struct component_config *c = service->components.database;
	CLEANUP(cleanup_fd) int lock = -1;
	if (!c || !c->exec)
		return ERR_OK;
	enum err_code rc = marker_of(work, service, marker, reterr);
	if (rc != ERR_OK || !file_exists(marker))
		return rc;
	rc = file_lock(marker, &lock, reterr);
	if (rc == ERR_BUSY)
		return err_prefix(reterr, rc, "the database of %s is being copied", service->name);
	log_warn("database", "service=%s was left frozen: thawing it", service->name);
	return rc == ERR_OK ? thaw(c->exec, marker, 1, reterr) : rc;
}

/* ---- the watchdog ---- */

static bool has_answer(int fd, uint64_t until_ms)
{
	for (;;) {
		uint64_t now = clock_mono_ms();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (now >= until_ms)
			return false;
		int n = poll(&p, 1, until_ms - now > 60000 ? 60000 : (int)(until_ms - now));
		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
	}
}

__attribute__((noreturn)) static void watch(const struct freezing *f, int fd)
{
	char word = 0;
	uint64_t until_ms = clock_mono_ms() + f->c->deadline_ms;
	struct err why = ERR_INIT;
	(void)setsid();
	(void)signal(SIGTERM, SIG_IGN); /* whoever ends the agent must not end this: it will see that it is alone */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	bool told = has_answer(fd, until_ms) && recv(fd, &word, 1, 0) == 1;
	bool late = !told && word == 0 && clock_mono_ms() >= until_ms;
	enum err_code rc = thaw(f->c, f->marker, THAW_TRIES, &why);
	if (rc != ERR_OK)
		log_error("database", "service=%s %s", f->j->service->name, why.msg);
	else if (!told)
		log_warn("database", "service=%s thawed by its watchdog: %s", f->j->service->name,
		    late ? "its deadline passed" : "the copy ended without a word");
	if (!told && late)
		told = recv(fd, &word, 1, 0) == 1;
	word = rc != ERR_OK ? WORD_FAILED : late ? WORD_LATE : WORD_THAWED;
	if (told)
		(void)!send(fd, &word, 1, MSG_NOSIGNAL);
	_exit(0);
}

static enum err_code start_watchdog(struct freezing *f, struct err *reterr)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(reterr, errno, "cannot make a socket for the watchdog");
	f->pid = fork();
	if (f->pid == 0) {
		close(ends[0]);
		watch(f, ends[1]);
	}
	int saved = errno;
	close(ends[1]);
	if (f->pid < 0) {
		close(ends[0]);
		return err_sys(reterr, saved, "cannot start the watchdog");
	}
	f->watchdog = ends[0];
	return ERR_OK;
}

/* ---- freezing ---- */

/* Asks the watchdog; where that is gone itself, does it here. */
static enum err_code end_freeze(void *ctx, struct err *reterr)
{
	struct freezing *f = ctx;
	char word = WORD_THAW;
	bool answered = send(f->watchdog, &word, 1, MSG_NOSIGNAL) == 1 &&
			has_answer(f->watchdog, clock_mono_ms() + ANSWER_MS) && recv(f->watchdog, &word, 1, 0) == 1;
	f->thawed = true;
	if (!answered)
		return thaw(f->c, f->marker, THAW_TRIES, reterr);
	if (word == WORD_FAILED)
		return err_set(
		    reterr, ERR_STATE, "it could not be thawed and may still be frozen: run its thaw program by hand");
	if (word == WORD_LATE)
		return err_set(reterr, ERR_TIMEOUT,
		    "its deadline passed before everything was read, and it was thawed: the copy may not be whole, and "
		    "is not kept");
	return ERR_OK;
}

static enum err_code freeze(struct freezing *f, struct err *reterr)
{
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = file_replace(f->marker, "frozen\n", 7, 0600, reterr);
	if (rc == ERR_OK)
		rc = file_lock(f->marker, &lock, reterr); /* inherited by the watchdog, for its life */
	if (rc == ERR_OK)
		rc = start_watchdog(f, reterr);
	if (rc == ERR_OK && (rc = run(&f->c->freeze, f->c->deadline_ms, reterr)) != ERR_OK)
		rc = err_prefix(reterr, rc, "it cannot be frozen");
	return rc;
}

static void end_watchdog(struct freezing *f)
{
	if (f->watchdog < 0)
		return;
	close(f->watchdog); /* had it not been told yet, it thaws now */
	while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static enum err_code snapshot(const struct adapter_job *j, struct snapshot_summary *ret, struct err *reterr)
{
	struct freezing f = {.j = j, .c = j->service->components.database->exec, .watchdog = -1};
	char folder[PATH_LIMIT];
	CLEANUP(cleanup_fd) int lock = -1;
	struct snapshot_source sources[] = {
	    {.component = COMPONENT_DATABASE, .root = f.c->data_directory, .label = LABEL, .pages = POSTGRES_PAGES},
	    {.component = COMPONENT_DATABASE, .root = folder, .label = END_LABEL, .late = end_freeze, .late_ctx = &f},
	};
	enum err_code rc = hooks_thaw_leftover(j->work, j->service, reterr);
	if (rc == ERR_OK)
		rc = marker_of(j->work, j->service, f.marker, reterr);
	if (rc == ERR_OK)
		rc = adapter_folder(j, f.c->data_directory, folder, &lock, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = freeze(&f, reterr);
	if (rc == ERR_OK)
		rc = adapter_take(j, sources, 2, ret, reterr);
	struct err why = ERR_INIT;
	if (f.watchdog >= 0 && !f.thawed && end_freeze(&f, &why) != ERR_OK)
		log_error("database", "service=%s %s", j->service->name, why.msg);
	end_watchdog(&f);
	return adapter_done(rc, folder, reterr);
}

static enum err_code snapshot_still(
    const struct adapter_job *j, const char *path, struct snapshot_summary *ret, struct err *reterr)
{
	struct snapshot_source source = {
	    .component = COMPONENT_DATABASE, .root = path, .label = LABEL, .pages = POSTGRES_PAGES};
	return adapter_take(j, &source, 1, ret, reterr);
}

static enum err_code assemble(const char *box, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = tree_join(box, END_LABEL, path, reterr);
	return rc == ERR_OK ? tree_remove(path, reterr) : rc;
}

const struct adapter adapter_exec = {
    .label = LABEL, .snapshot = snapshot, .snapshot_still = snapshot_still, .assemble = assemble};
