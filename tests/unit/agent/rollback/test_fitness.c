/* What must not be put back, and what still runs on what was replaced. */
#include "tests/unit/agent/rollback/service.h"

#include "shared/base/openssl.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct scene {
	struct world w;
	struct levers l;
};

static void scene_make(struct scene *s, const char *yaml)
{
	world_init(&s->w);
	s->l = (struct levers){.w = &s->w};
	write_control(&s->w);
	world_folder(&s->w, "live");
	world_folder(&s->w, "code");
	world_folder(&s->w, "data");
	world_write(&s->w, "live/conf", "good\n");
	world_write(&s->w, "running", "");
	world_configure(&s->w, yaml);
}

static struct rollback_result run(struct scene *s, struct id to, bool as_it_was)
{
	struct rollback_io io = levers_io(&s->l);
	struct rollback_request r = service_request(&s->w, to);
	struct rollback_result done;
	r.as_it_was = as_it_was;
	MUST(rollback_run(s->w.repo, s->w.state, &r, &io, s->w.arena, &done, err));
	return done;
}

static void ends(struct rollback_result done, enum order_outcome outcome, const char *says)
{
	if (done.outcome != outcome || (says && (!done.text || !strstr(done.text, says))))
		fail_msg("ended %s: %s; expected %s: %s", enum_name(&order_outcome_enum, done.outcome),
		    done.text ? done.text : "-", enum_name(&order_outcome_enum, outcome), says ? says : "-");
}

static bool reads(const struct scene *s, const char *name, const char *want)
{
	char text[64];
	return text_equal(world_read(&s->w, name, text, sizeof text), want);
}

/* ---- secrets ---- */

static const char *const with_secret =
    "    components:\n"
    "      config: { paths: [DIR/live], secrets: [DIR/live/password, DIR/live/keys] }\n"
    "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n";

static void a_rotated_secret(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, with_secret);
	world_write(&s.w, "live/password", "old");
	world_folder(&s.w, "live/keys");
	struct id before = world_snapshot(&s.w);
	world_write(&s.w, "live/password", "new");
	world_write(&s.w, "live/conf", "bad\n");
	ends(run(&s, before, false), ORDER_REFUSED, "live/password was rotated");
	assert_true(reads(&s, "live/password", "new") && reads(&s, "live/conf", "bad\n"));
	assert_false(world_has(&s.w, "log")); /* nothing was stopped */
	world_write(&s.w, "live/password", "old");
	world_write(&s.w, "live/keys/second", "new");
	ends(run(&s, before, false), ORDER_REFUSED, "live/keys/second was rotated");
	assert_true(world_has(&s.w, "live/keys/second"));
	/* Where the one of now stays anyway, there is nothing to refuse. */
	world_configure(&s.w,
	    "    components:\n"
	    "      config: { paths: [DIR/live], secrets: [DIR/live/keys], never_restore: [DIR/live/keys] }\n"
	    "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n");
	ends(run(&s, before, false), ORDER_OK_WITH_EXCEPTIONS, "live/keys");
	assert_true(world_has(&s.w, "live/keys/second") && reads(&s, "live/conf", "good\n"));
	world_done(&s.w);
}

/* ---- certificates ---- */

/* Self-signed, good until `days` from now. */
static void write_certificate(const struct world *w, const char *name, int days)
{
	char path[WORLD_PATH];
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *c = X509_new();
	assert_true(key && c);
	X509_set_version(c, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c), 100 + days);
	X509_gmtime_adj(X509_getm_notBefore(c), -400L * 24 * 3600);
	X509_gmtime_adj(X509_getm_notAfter(c), (long)days * 24 * 3600 + 3600);
	X509_set_pubkey(c, key);
	assert_true(X509_sign(c, key, NULL) > 0);
	FILE *f = fopen(world_path(w, name, path), "we");
	assert_non_null(f);
	assert_true(fputs("# of the portal\n", f) >= 0);
	assert_int_equal(PEM_write_X509(f, c), 1);
	assert_int_equal(fclose(f), 0);
	X509_free(c);
	EVP_PKEY_free(key);
}

static const char *const plain = "    components:\n"
				 "      config: { paths: [DIR/live] }\n"
				 "      code: { paths: [DIR/code] }\n"
				 "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n";

static void an_expired_certificate(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, plain);
	write_certificate(&s.w, "live/portal.pem", -3);
	struct id expired = world_snapshot(&s.w);
	write_certificate(&s.w, "live/portal.pem", 0);
	struct id ends_today = world_snapshot(&s.w);
	write_certificate(&s.w, "live/portal.pem", 20);
	struct id fresh = world_snapshot(&s.w);
	write_certificate(&s.w, "live/portal.pem", 90);
	world_write(&s.w, "live/conf", "bad\n");
	ends(run(&s, expired, false), ORDER_REFUSED, "live/portal.pem of that restore point ended at 20");
	ends(run(&s, ends_today, false), ORDER_REFUSED, "live/portal.pem of that restore point ends at 20");
	assert_true(reads(&s, "live/conf", "bad\n"));
	assert_false(world_has(&s.w, "log"));
	ends(run(&s, fresh, false), ORDER_OK, NULL);
	/* What is there is as bad: then it is no reason. */
	write_certificate(&s.w, "live/portal.pem", -5);
	world_write(&s.w, "live/conf", "worse\n");
	ends(run(&s, ends_today, false), ORDER_OK, NULL);
	/* An undo goes back to what was there, whatever it was. */
	write_certificate(&s.w, "live/portal.pem", 90);
	ends(run(&s, expired, true), ORDER_OK, NULL);
	world_done(&s.w);
}

/* ---- who this host is ---- */

/* A restore point of before the agent moved into a folder that it holds. */
static void the_agents_own_folder(void **state)
{
	(void)state;
	struct scene s;
	char own[WORLD_PATH];
	world_init(&s.w);
	text_copy(own, sizeof own, s.w.state);
	world_path(&s.w, "elsewhere", s.w.state);
	s.l = (struct levers){.w = &s.w};
	write_control(&s.w);
	world_folder(&s.w, "live");
	world_folder(&s.w, "state");
	world_folder(&s.w, "state/identity");
	world_write(&s.w, "live/conf", "good\n");
	world_write(&s.w, "running", "");
	world_write(&s.w, "state/identity/key.pem", "of then");
	world_configure(&s.w, "    components:\n      config: { paths: [DIR/live, DIR/state] }\n"
			      "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n");
	struct id before = world_snapshot(&s.w);
	text_copy(s.w.state, sizeof s.w.state, own);
	world_configure(&s.w, "    components:\n      config: { paths: [DIR/live] }\n"
			      "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n");
	world_write(&s.w, "state/identity/key.pem", "of now");
	world_write(&s.w, "live/conf", "bad\n");
	ends(run(&s, before, false), ORDER_OK_WITH_EXCEPTIONS, "state/identity/key.pem");
	assert_true(reads(&s, "state/identity/key.pem", "of now") && reads(&s, "live/conf", "good\n"));
	world_done(&s.w);
}

/* ---- writers ---- */

enum how { OPEN_TO_WRITE, MAPPED, MAPPED_TO_WRITE };

/* Holds a file open, or mapped only, until it is killed; ignores SIGTERM when it is stubborn. */
static pid_t holder(const struct world *w, const char *name, bool stubborn, enum how how)
{
	char path[WORLD_PATH], byte;
	int ready[2];
	world_path(w, name, path);
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = open(path, how == MAPPED ? O_RDONLY : how == OPEN_TO_WRITE ? O_WRONLY : O_RDWR);
		void *at = how == MAPPED            ? mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0)
			   : how == MAPPED_TO_WRITE ? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
						    : NULL;
		if (how != OPEN_TO_WRITE)
			close(fd);
		if (stubborn)
			signal(SIGTERM, SIG_IGN);
		if (fd < 0 || at == MAP_FAILED || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void writers_are_ended_where_declared(void **state)
{
	(void)state;
	struct scene s;
	int status;
	scene_make(&s, "    components:\n      data: { paths: [DIR/data], stop_open_writers: true }\n"
		       "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n");
	world_write(&s.w, "data/rows", "of then");
	struct id before = world_snapshot(&s.w);
	world_write(&s.w, "data/rows", "of now");
	pid_t child = holder(&s.w, "data/rows", false, OPEN_TO_WRITE);
	ends(run(&s, before, false), ORDER_OK, NULL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_true(reads(&s, "data/rows", "of then"));
	world_done(&s.w);
}

/* No descriptor of it is open: what it writes into its memory reaches the file all the same. */
static void a_writer_by_memory(void **state)
{
	(void)state;
	struct scene s;
	int status;
	scene_make(&s, "    components:\n      data: { paths: [DIR/data], refuse_open_writers: true }\n"
		       "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n");
	world_write(&s.w, "data/rows", "of then");
	struct id before = world_snapshot(&s.w);
	world_write(&s.w, "data/rows", "of now");
	pid_t child = holder(&s.w, "data/rows", true, MAPPED_TO_WRITE),
	      reader = holder(&s.w, "data/rows", true, MAPPED);
	ends(run(&s, before, false), ORDER_REFUSED, "data/rows open for writing");
	assert_true(reads(&s, "data/rows", "of now"));
	world_configure(&s.w, "    components:\n      data: { paths: [DIR/data], stop_open_writers: true }\n"
			      "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n");
	ends(run(&s, before, false), ORDER_OK, NULL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* it was asked first */
	assert_int_equal(waitpid(reader, &status, WNOHANG), 0);          /* who only reads is left alone */
	kill(reader, SIGKILL);
	waitpid(reader, NULL, 0);
	assert_true(reads(&s, "data/rows", "of then"));
	world_done(&s.w);
}

/* ---- what still runs ---- */

static void a_process_on_replaced_code(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, plain);
	world_write(&s.w, "code/lib", "of then");
	struct id before = world_snapshot(&s.w);
	world_write(&s.w, "code/lib", "of now, and longer");
	struct id now = world_snapshot(&s.w);
	pid_t child = holder(&s.w, "code/lib", false, MAPPED);
	struct rollback_result done = run(&s, before, false);
	ends(done, ORDER_OK_WITH_EXCEPTIONS, "code/lib as it was before");
	assert_true(done.digests_match);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ends(run(&s, now, false), ORDER_OK, NULL);
	world_done(&s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_rotated_secret),
	    cmocka_unit_test(an_expired_certificate),
	    cmocka_unit_test(the_agents_own_folder),
	    cmocka_unit_test(writers_are_ended_where_declared),
	    cmocka_unit_test(a_writer_by_memory),
	    cmocka_unit_test(a_process_on_replaced_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
