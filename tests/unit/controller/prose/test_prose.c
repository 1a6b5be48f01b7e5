/* A summary's whole way: an incident that is over, a server on loopback that answers well or badly, the record in the
 * end. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/prose/prose.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "tests/lib/chain_world.h"
#include "tests/lib/scratch.h"

/* ---- the other side ---- */

enum manner { WELL, NEVER, LARGE, HUGE_ANSWER, BROKEN, REFUSES, HANGS_UP };
struct server {
	int listener;
	pthread_t thread;
	atomic_bool stop;
	enum manner manner;
	atomic_uint asked;
	char heard[256 << 10]; /* the last question, headers and body; whoever reads it has joined the asker */
	size_t heard_size;
};

static bool wait_for(struct server *s, int fd)
{
	while (!atomic_load(&s->stop)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, 20) > 0)
			return true;
	}
	return false;
}

/* Headers, and as much body as they promise. */
static void hear(struct server *s, int fd)
{
	s->heard_size = 0;
	while (s->heard_size + 1 < sizeof s->heard && wait_for(s, fd)) {
		ssize_t n = read(fd, s->heard + s->heard_size, sizeof s->heard - 1 - s->heard_size);
		if (n <= 0)
			return;
		s->heard_size += (size_t)n;
		s->heard[s->heard_size] = '\0';
		const char *end = strstr(s->heard, "\r\n\r\n"), *length = strstr(s->heard, "Content-Length: ");
		if (end && length && (size_t)(s->heard + s->heard_size - (end + 4)) >= strtoul(length + 16, NULL, 10))
			return;
	}
}

static void say(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
		if (n <= 0)
			return; /* they have had enough */
		data += n;
		size -= (size_t)n;
	}
}

static const char words[] = "portal failed for a minute. A rollback ended it. Signed, margaret.t@example.org";
static void answer(struct server *s, int fd)
{
	static char page[1 << 20];
	char head[512];
	int n = 0;
	switch (s->manner) {
	case WELL:
		n = snprintf(head, sizeof head,
		    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
		    "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"%s\"}}]}",
		    words);
		break;
	case NEVER:
		while (!atomic_load(&s->stop)) { /* open, and silent */
			struct pollfd p = {.fd = fd, .events = POLLRDHUP};
			if (poll(&p, 1, 20) > 0)
				return;
		}
		return;
	case LARGE:
	case HUGE_ANSWER:
		n = snprintf(head, sizeof head,
		    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"");
		say(fd, head, (size_t)n);
		memset(page, 'a', sizeof page);
		for (int k = 0; k < 10 && s->manner == HUGE_ANSWER; k++)
			say(fd, page, sizeof page);
		say(fd, page, s->manner == LARGE ? 200 << 10 : 0);
		n = snprintf(head, sizeof head, "\"}}]}");
		break;
	case BROKEN:
		n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"choices\":[{\"mess");
		break;
	case REFUSES:
		n = snprintf(head, sizeof head,
		    "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\n"
		    "{\"choices\":[{\"message\":{\"content\":\"not a summary\"}}]}");
		break;
	case HANGS_UP:
		return;
	}
	say(fd, head, (size_t)n);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	while (wait_for(s, s->listener)) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		hear(s, fd);
		atomic_fetch_add(&s->asked, 1);
		answer(s, fd);
		close(fd);
	}
	return NULL;
}

static uint16_t server_start(struct server *s, enum manner manner)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	memset(s, 0, sizeof *s);
	s->manner = manner;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->listener >= 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &size), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	return ntohs(a.sin_port);
}

static void server_stop(struct server *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	close(s->listener);
}

/* ---- our side ---- */

struct inbox {
	pthread_mutex_t lock;
	struct input *in;
};
static enum err_code submit(void *ctx, struct input *in, bool *ret_congested, struct err *reterr)
{
	struct inbox *box = ctx;
	(void)reterr;
	*ret_congested = false;
	pthread_mutex_lock(&box->lock);
	if (box->in) /* it was asked once */
		abort();
	box->in = in;
	pthread_mutex_unlock(&box->lock);
	return ERR_OK;
}

struct rig {
	struct chain w;
	struct server server;
	struct prose_config config;
	struct inbox box;
	char scratch[SCRATCH_PATH], url[64], key[SCRATCH_PATH + 8];
};

/* An incident that was broken, rolled back and resolved, with a note that says too much. */
static void rig_open(struct rig *r, enum manner manner)
{
	memset(r, 0, sizeof *r);
	chain_open(&r->w);
	r->w.c.config.incident.summaries = true;
	policy_stands(&r->w);
	breaks(&r->w, 0);
	asked_ok(&r->w, "ada", "incident", "note", .incident = "INC-1",
	    .text = "Patient Margaret Thornbury, MRN: 4417123, waits; password=hunter2");
	comes_back(&r->w, 0);
	assert_int_equal(incident_last(&r->w)->state, INCIDENT_RESOLVED);
	text_format(r->key, sizeof r->key, "%s/key", scratch_make(r->scratch));
	FILE *key = fopen(r->key, "we");
	assert_non_null(key);
	fputs("sesame-4711\n", key);
	assert_int_equal(fclose(key), 0);
	text_format(r->url, sizeof r->url, "http://127.0.0.1:%u/v1/chat/completions", server_start(&r->server, manner));
	r->config = (struct prose_config){.url = r->url,
	    .model = "some-model",
	    .key_file = r->key,
	    .timeout_ms = 20000,
	    .record_max_bytes = 16 << 10,
	    .answer_max_bytes = 64 << 10};
	pthread_mutex_init(&r->box.lock, NULL);
}

static void rig_close(struct rig *r)
{
	server_stop(&r->server);
	input_free(r->box.in);
	pthread_mutex_destroy(&r->box.lock);
	scratch_remove(r->scratch);
	chain_close(&r->w);
}

static struct input *came(struct rig *r)
{
	pthread_mutex_lock(&r->box.lock);
	struct input *in = r->box.in;
	r->box.in = NULL;
	pthread_mutex_unlock(&r->box.lock);
	return in;
}

/* What the controller asked for is asked; the thread is ended once the server was asked and for_ms went by, or an
 * answer came. */
static struct input *run(struct rig *r, uint64_t for_ms)
{
	struct prose *p;
	struct err err = ERR_INIT;
	struct prose_options o = {.config = &r->config, .store = r->w.c.store, .ctx = &r->box, .submit = submit};
	struct input *in = NULL;
	assert_int_equal(prose_start(&o, &p, &err), ERR_OK);
	assert_int_equal(r->w.c.summarise.count, 1);
	prose_ask(p, r->w.c.summarise.items[0]);
	uint64_t begun_ms = clock_mono_ms(), asked_ms = 0;
	while (!in && clock_mono_ms() - begun_ms < 60000 && (!asked_ms || clock_mono_ms() - asked_ms < for_ms)) {
		if (!asked_ms && atomic_load(&r->server.asked))
			asked_ms = clock_mono_ms();
		usleep(5000);
		in = came(r);
	}
	prose_stop(p);
	return in ? in : came(r);
}

static void test_a_summary_is_asked_for_and_kept(void **state)
{
	(void)state;
	static struct rig r;
	rig_open(&r, WELL);
	struct input *in = run(&r, 60000);
	assert_non_null(in);
	static const char *const canaries[] = {"Margaret", "Thornbury", "4417123", "hunter2"};
	for (size_t k = 0; k < sizeof canaries / sizeof canaries[0]; k++) /* P56: nothing of it on the wire */
		if (strstr(r.server.heard, canaries[k]))
			fail_msg("%s is told: %s", canaries[k], r.server.heard);
	assert_non_null(strstr(r.server.heard, "Authorization: Bearer sesame-4711\r\n"));
	assert_non_null(strstr(r.server.heard, "portal"));
	assert_non_null(strstr(r.server.heard, "RB-1"));
	size_t rollbacks = count_of(&r.w, &rollback_table), changes = count_of(&r.w, &change_table);
	assert_true(control_give(&r.w.c, in));
	struct incident *i = incident_last(&r.w);
	assert_non_null(strstr(i->summary, "A rollback ended it."));
	assert_null(strstr(i->summary, "margaret.t@example.org"));
	assert_string_equal(i->summary_by, "some-model");
	assert_int_equal(i->state, INCIDENT_RESOLVED);
	assert_int_equal(count_of(&r.w, &rollback_table), rollbacks);
	assert_int_equal(count_of(&r.w, &change_table), changes);
	control_until(&r.w.c, r.w.c.now_ms + 60 * MINUTE);
	assert_int_equal(r.w.c.summarise.count, 1); /* it is not asked for again */
	rig_close(&r);
}

/* No summary, and the incident is as it was. */
static void none_comes(enum manner manner, uint64_t timeout_ms)
{
	static struct rig r;
	rig_open(&r, manner);
	r.config.timeout_ms = timeout_ms;
	struct input *in = run(&r, 500);
	assert_null(in);
	assert_int_equal(atomic_load(&r.server.asked), 1);
	assert_null(incident_last(&r.w)->summary);
	rig_close(&r);
}

static void test_no_answer_is_waited_for_no_longer_than_said(void **state)
{
	(void)state;
	static struct rig r;
	struct prose *p;
	struct err err = ERR_INIT;
	rig_open(&r, NEVER);
	r.config.timeout_ms = 300;
	struct prose_options o = {.config = &r.config, .store = r.w.c.store, .ctx = &r.box, .submit = submit};
	assert_int_equal(prose_start(&o, &p, &err), ERR_OK);
	for (int k = 0; k < 2; k++) /* the second question is put once the first is given up */
		prose_ask(p, r.w.c.summarise.items[0]);
	for (uint64_t begun_ms = clock_mono_ms(); atomic_load(&r.server.asked) < 2;) {
		if (clock_mono_ms() - begun_ms > 20000)
			fail_msg("the second question was not put within 20 s");
		usleep(5000);
	}
	prose_stop(p);
	assert_null(came(&r));
	rig_close(&r);
}

static void test_stopping_does_not_wait_for_an_answer(void **state)
{
	(void)state;
	uint64_t begun_ms = clock_mono_ms();
	none_comes(NEVER, 120 * 1000);
	assert_true(clock_mono_ms() - begun_ms < 60 * 1000); /* a second or so; the rest is for a busy machine */
}

static void test_ten_megabytes_are_not_taken(void **state)
{
	(void)state;
	none_comes(LARGE, 20000); /* a well-formed one that is merely over the limit */
	none_comes(HUGE_ANSWER, 20000);
}

static void test_broken_json_is_no_summary(void **state)
{
	(void)state;
	none_comes(BROKEN, 20000);
}

static void test_a_refusal_is_no_summary(void **state)
{
	(void)state;
	none_comes(REFUSES, 20000);
}

static void test_a_broken_connection_is_no_summary(void **state)
{
	(void)state;
	none_comes(HANGS_UP, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_summary_is_asked_for_and_kept),
	    cmocka_unit_test(test_no_answer_is_waited_for_no_longer_than_said),
	    cmocka_unit_test(test_stopping_does_not_wait_for_an_answer),
	    cmocka_unit_test(test_ten_megabytes_are_not_taken),
	    cmocka_unit_test(test_broken_json_is_no_summary),
	    cmocka_unit_test(test_a_refusal_is_no_summary),
	    cmocka_unit_test(test_a_broken_connection_is_no_summary),
	};
	return cmocka_run_group_tests(tests, chain_signers, chain_signers_end);
}
