#include "agent/io/talk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/io/spawn.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

enum { READ_AT_ONCE = 16 << 10, REAP_POLL_MS = 5, SAID_MAX = 300 };

struct talk {
	struct spawned spawned;
	struct buf heard; /* not yet handed on */
	bool over;        /* it closed its end */
};

enum err_code talk_start(const struct process_spec *spec, struct talk **ret, struct err *reterr)
{
	struct talk *t = calloc(1, sizeof *t);
	if (!t)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	t->heard.limit = TALK_ANSWER_MAX;
	enum err_code rc = spawn_talk(spec, &t->spawned, reterr);
	if (rc != ERR_OK) {
		free(t);
		return rc;
	}
	*ret = t;
	return ERR_OK;
}

/* False: the time is over. */
static bool await(int fd, short events, uint64_t until_ms)
{
	for (;;) {
		uint64_t now = clock_mono_ms();
		struct pollfd p = {.fd = fd, .events = events};
		if (now >= until_ms)
			return false;
		uint64_t left = until_ms - now;
		int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
	}
}

static enum err_code say(struct talk *t, const char *text, uint64_t until_ms, struct err *reterr)
{
	for (size_t at = 0, size = strlen(text); at < size;) {
		ssize_t n = send(t->spawned.output, text + at, size - at, MSG_NOSIGNAL);
		if (n > 0)
			at += (size_t)n;
		else if (n < 0 && errno == EAGAIN && !await(t->spawned.output, POLLOUT, until_ms))
			return err_set(reterr, ERR_TIMEOUT, "it does not listen");
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return ERR_OK; /* it has ended: what it said tells why */
	}
	return ERR_OK;
}

static enum err_code hear(struct talk *t, uint64_t until_ms, struct err *reterr)
{
	if (!await(t->spawned.output, POLLIN, until_ms))
		return err_set(reterr, ERR_TIMEOUT, "it does not answer");
	uint8_t *room = buf_reserve(&t->heard, READ_AT_ONCE);
	if (!room)
		return err_set(reterr, ERR_LIMIT, "its answer is larger than %d bytes", TALK_ANSWER_MAX);
	ssize_t n = recv(t->spawned.output, room, READ_AT_ONCE, 0);
	if (n > 0)
		t->heard.size += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		t->over = true;
	return ERR_OK;
}

/* Where the line that ends an answer begins. */
static bool find_last(const struct talk *t, const char *last, size_t *ret)
{
	size_t size = strlen(last);
	for (size_t at = 0; at + size < t->heard.size;) {
		const uint8_t *line = t->heard.data + at, *end = memchr(line, '\n', t->heard.size - at);
		if (!end)
			return false;
		if ((size_t)(end - line) == size && memcmp(line, last, size) == 0) {
			*ret = at;
			return true;
		}
		at += (size_t)(end - line) + 1;
	}
	return false;
}

static enum err_code ended(struct talk *t, struct err *reterr)
{
	char said[SAID_MAX];
	const uint8_t *end = t->heard.size ? memchr(t->heard.data, '\n', t->heard.size) : NULL;
	size_t n = end ? (size_t)(end - t->heard.data) : t->heard.size;
	(void)text_format(said, sizeof said, "%.*s", (int)(n < SAID_MAX - 1 ? n : SAID_MAX - 1),
	    n ? (const char *)t->heard.data : "");
	return err_set(reterr, ERR_STATE, "%s", n ? said : "it ended without a word");
}

enum err_code talk_ask(
    struct talk *t, const char *text, const char *last, uint64_t timeout_ms, struct buf *answer, struct err *reterr)
{
	uint64_t until_ms = clock_mono_ms() + timeout_ms;
	size_t at;
	enum err_code rc = say(t, text, until_ms, reterr);
	while (rc == ERR_OK && !find_last(t, last, &at)) {
		if (t->over)
			return ended(t, reterr);
		rc = hear(t, until_ms, reterr);
	}
	if (rc != ERR_OK)
		return rc;
	if (answer)
		buf_append(answer, t->heard.data, at);
	buf_consume(&t->heard, at + strlen(last) + 1);
	return answer && answer->failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

static bool reap(struct talk *t, uint64_t grace_ms)
{
	uint64_t until_ms = clock_mono_ms() + grace_ms;
	for (;;) {
		pid_t n = waitpid(t->spawned.pid, NULL, WNOHANG);
		if (n == t->spawned.pid || (n < 0 && errno != EINTR))
			return true;
		if (clock_mono_ms() >= until_ms)
			return false;
		(void)poll(NULL, 0, REAP_POLL_MS);
	}
}

bool talk_over(const struct talk *t)
{
	siginfo_t info = {.si_pid = 0};
	return waitid(P_PID, (id_t)t->spawned.pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

void talk_end(struct talk *t, uint64_t grace_ms)
{
	enum { KILL_GRACE_MS = 2000 };
	if (!t)
		return;
	close(t->spawned.output);
	if (!reap(t, grace_ms)) {
		kill_tree(t->spawned.pid, t->spawned.mark);
		(void)reap(t, KILL_GRACE_MS);
	}
	buf_done(&t->heard);
	free(t);
}
