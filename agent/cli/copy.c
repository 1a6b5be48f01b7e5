/* agent/cli/copy.c: kedge-agent copy … */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cli.h"
#include "agent/offhost/session.h"
#include "agent/repository/recovery.h"
#include "agent/worker/work.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(struct repo, repo_cleanup, repo_close)

static atomic_bool cancel;
static void on_signal(int signo)
{
	(void)signo;
	atomic_store(&cancel, true);
}

static void on_progress(void *ctx, const char *text)
{
	(void)ctx;
	cli_progress("copy", -1, text);
}

static void on_finding(void *ctx, const char *text)
{
	(void)ctx;
	cli_progress_end();
	fprintf(stderr, "kedge-agent: %s\n", text);
}

static enum err_code open_session(struct cli *c, struct offhost_session **ret, struct err *reterr)
{
	enum err_code rc = offhost_session_open(c->config, &cancel, ret, reterr);
	if (rc)
		return rc;
	signal(SIGINT, on_signal); /* what has arrived is remembered; the next run goes on from there */
	signal(SIGTERM, on_signal);
	offhost_of(*ret)->progress = on_progress;
	offhost_of(*ret)->finding = on_finding;
	return ERR_OK;
}

static int run(struct cli *c)
{
	CLEANUP(repo_cleanup) struct repo *repo = NULL;
	CLEANUP(offhost_session_cleanup) struct offhost_session *s = NULL;
	CLEANUP(buf_done) struct buf wrapped = BUF_INIT;
	struct copy_result r;
	struct err err = ERR_INIT;
	char size[TEXT_TIME_MAX];
	enum err_code rc = work_repo(c->config, &repo, &err);
	if (!rc)
		rc = offhost_wrapped(repo, &wrapped, &err);
	if (!rc)
		rc = open_session(c, &s, &err);
	if (!rc)
		rc = offhost_copy(offhost_of(s), repo, buf_bytes(&wrapped), &r, &err);
	if (rc)
		return cli_fail(&err);
	cli_progress_end();
	printf("%llu restore points copied: %llu objects, %s sent", (unsigned long long)r.points,
	    (unsigned long long)r.objects, text_size_human(r.bytes, size));
	if (r.logs)
		printf("; %llu files of logs of databases", (unsigned long long)r.logs);
	if (r.resumed)
		printf("; %llu had arrived before", (unsigned long long)r.resumed);
	puts("");
	if (!wrapped.size)
		fputs("kedge-agent: no recovery_keys are declared: without this host's key file the copy cannot be "
		      "opened\n",
		    stderr);
	if (r.locks_failed)
		fprintf(stderr, "kedge-agent: locks could not be renewed: %s\n", r.lock_error);
	return r.findings || r.locks_failed ? EXIT_PARTLY : EXIT_DONE;
}

static int status(struct cli *c)
{
	struct copy_status s;
	struct err err = ERR_INIT;
	char folder[PATH_LIMIT];
	enum err_code rc = c->config->copies ? offhost_folder(c->config, folder, &err)
					     : err_set(&err, ERR_STATE, "agent.yaml declares no copies off this host");
	if (!rc)
		rc = offhost_status_read(folder, c->arena, &s, &err);
	return rc ? cli_fail(&err) : cli_record(c, &copy_status_type, &s);
}

void cli_copy_line(struct cli *c)
{
	struct copy_status s;
	char folder[PATH_LIMIT], age[TEXT_TIME_MAX];
	uint64_t now_ms = clock_wall_ms();
	if (!c->config->copies || (c->format != CLI_TABLE && c->format != CLI_WIDE) ||
	    offhost_folder(c->config, folder, NULL) != ERR_OK ||
	    offhost_status_read(folder, c->arena, &s, NULL) != ERR_OK)
		return;
	if (!s.points)
		printf("\noff this host: nothing yet");
	else
		printf("\noff this host: %llu restore points, the newest taken %s ago", (unsigned long long)s.points,
		    text_duration_human(now_ms > s.newest_taken_ms ? now_ms - s.newest_taken_ms : 0, age));
	if (s.pending)
		printf(", %llu to come", (unsigned long long)s.pending);
	if (s.points && !s.recoverable)
		printf("; no recovery key is declared");
	printf("%s%s\n", s.error ? "; " : "", s.error ? s.error : "");
	for (size_t i = 0; i < s.wal.count; i++) {
		const struct copy_wal *w = &LIST_AT(s.wal, struct copy_wal, i);
		printf("off this host: the log of %s up to %s, %llu segments to come\n", w->service,
		    w->last ? w->last : "nothing", (unsigned long long)w->pending);
	}
	if (s.verify_error)
		printf("the copy is not right: %s\n", s.verify_error);
}

static int verify(struct cli *c)
{
	CLEANUP(repo_cleanup) struct repo *repo = NULL;
	CLEANUP(offhost_session_cleanup) struct offhost_session *s = NULL;
	struct copy_proof p;
	struct err err = ERR_INIT;
	char size[TEXT_TIME_MAX];
	enum err_code rc = work_repo(c->config, &repo, &err);
	if (!rc)
		rc = open_session(c, &s, &err);
	if (!rc)
		rc = offhost_verify(offhost_of(s), repo, c->sample, &p, &err);
	if (rc)
		return cli_fail(&err);
	cli_progress_end();
	printf("%llu restore points are whole in the store: %llu of %llu objects read back, %s, each as it was put\n",
	    (unsigned long long)p.points, (unsigned long long)p.objects, (unsigned long long)p.objects_total,
	    text_size_human(p.bytes, size));
	return EXIT_DONE;
}

static bool show_unneeded(void *ctx, const char *name, uint64_t size_bytes)
{
	(void)ctx;
	return printf("%llu\t%s\n", (unsigned long long)size_bytes, name) > 0;
}

static int unneeded(struct cli *c)
{
	CLEANUP(repo_cleanup) struct repo *repo = NULL;
	CLEANUP(offhost_session_cleanup) struct offhost_session *s = NULL;
	struct err err = ERR_INIT;
	enum err_code rc = work_repo(c->config, &repo, &err);
	if (!rc)
		rc = offhost_session_local(c->config, &s, &err);
	if (!rc)
		rc = offhost_unneeded(offhost_of(s), repo, show_unneeded, NULL, &err);
	return rc ? cli_fail(&err) : EXIT_DONE;
}

/* ---- on a host that has nothing but the key ---- */

/* The secret half of a recovery key, or a copy of the key file itself. */
static enum err_code open_keys(void *ctx, const char *into, struct keys **ret, struct err *reterr)
{
	struct cli *c = ctx;
	char path[PATH_LIMIT];
	struct repo_unlocked u;
	if (!text_format(path, sizeof path, "%s/keys/repository", into))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", into);
	if (keys_load(c->key, ret, NULL) == ERR_OK)
		return ERR_OK;
	enum err_code rc = file_exists(path)
			       ? ERR_OK
			       : repo_unlock(into, c->key, &u, reterr); /* there from a restore that was broken off */
	return rc ? rc : keys_load(path, ret, reterr);
}

static bool restore_options(struct cli *c, const char *into, struct offhost_restore_options *o)
{
	struct err err = ERR_INIT;
	*o = (struct offhost_restore_options){
	    .into = into, .open_keys = open_keys, .ctx = c, .generation = c->generation, .inventory = c->inventory};
	if (c->argc == 1 && id_parse(ID_SNAPSHOT, c->argv[0], &o->snapshot, &err) != ERR_OK)
		return fprintf(stderr, "kedge-agent: %s\n", err.msg) < 0;
	return true;
}

static int restore(struct cli *c)
{
	CLEANUP(offhost_session_cleanup) struct offhost_session *s = NULL;
	struct offhost_restore_options o;
	struct offhost_restore_result r;
	struct err err = ERR_INIT;
	char own[PATH_LIMIT], wal[PATH_LIMIT], size[TEXT_TIME_MAX], hex[2 * 32 + 1];
	if (c->argc > 1 || !c->key)
		return fputs("usage: kedge-agent copy restore --key FILE [--into DIR] [--generation N] [--inventory N] "
			     "[ID]\n",
			   stderr),
		       EXIT_USAGE;
	if (!text_format(own, sizeof own, "%s/repository", c->config->state_directory) ||
	    !text_format(wal, sizeof wal, "%s/wal", c->into ? c->into : c->config->state_directory) ||
	    !restore_options(c, c->into ? c->into : own, &o))
		return EXIT_USAGE;
	o.wal_into = wal;
	enum err_code rc = c->into ? ERR_OK : file_make_dirs(c->config->state_directory, 0711, &err);
	if (!rc)
		rc = open_session(c, &s, &err);
	if (!rc)
		rc = offhost_restore(offhost_of(s), &o, &r, &err);
	if (rc)
		return cli_fail(&err);
	cli_progress_end();
	printf("%s is a repository with %llu restore points: %llu objects, %s", o.into, (unsigned long long)r.points,
	    (unsigned long long)r.objects, text_size_human(r.bytes, size));
	if (r.logs)
		printf("; %llu files of logs of databases in %s", (unsigned long long)r.logs, wal);
	if (r.kept)
		printf(", and %llu that were there already", (unsigned long long)r.kept);
	printf("\ngeneration %u, signed by the key with the SHA-256 %s: compare it with what `copy status` said on the "
	       "lost host, if you have that\n",
	    r.generation, text_hex(r.signer.b, sizeof r.signer.b, hex));
	return EXIT_DONE;
}

int cli_copy(struct cli *c, const char *verb)
{
	static const struct {
		const char *verb;
		int (*act)(struct cli *);
		bool words;
	} verbs[] = {{"run", run, false}, {"status", status, false}, {"verify", verify, false},
	    {"unneeded", unneeded, false}, {"restore", restore, true}};
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (text_equal(verb, verbs[i].verb) && (verbs[i].words || !c->argc))
			return verbs[i].act(c);
	return fputs("usage: kedge-agent copy run|status|verify [--sample]|unneeded|restore\n", stderr), EXIT_USAGE;
}
