/* The two sides of a copy: the one that asks, and this very program as the one that talks, over a store that is a
 * script. */
#include "agent/bucket/bucket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/bucket/serve.h"
#include "agent/bucket/wire.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

/* ---- the program ---- */

/* All that may be on their way at a time are. */
static bool meet(void)
{
	static atomic_uint here;
	atomic_fetch_add(&here, 1);
	for (unsigned i = 0; i < 2000 && atomic_load(&here) < BUCKET_FLIGHTS; i++)
		usleep(5000);
	return atomic_load(&here) >= BUCKET_FLIGHTS;
}

static enum err_code talk(void *ctx, const struct s3_call *call, struct err *reterr)
{
	const char *name = strrchr(call->url, '/') + 1;
	struct buf body = BUF_INIT;
	(void)ctx;
	if (text_equal(name, "die"))
		_exit(9);
	if (text_equal(name, "hang"))
		pause();
	if (text_equal(name, "lie") &&
	    wire_send(BUCKET_WIRE_FD, &bucket_answer_type, &(struct bucket_answer){.number = 99}, -1, NULL) != ERR_OK)
		_exit(8);
	if (text_equal(name, "away"))
		return err_set(reterr, ERR_UNREACHABLE, "the store is away");
	if (text_equal(name, "meet") && !meet())
		return err_set(reterr, ERR_TIMEOUT, "nobody else came");
	for (uint64_t at = 0; call->read_body && at < call->body_size;) {
		char piece[1000];
		size_t n = call->read_body(call->ctx, at, piece,
		    sizeof piece < call->body_size - at ? sizeof piece : (size_t)(call->body_size - at));
		if (!n)
			return err_set(reterr, ERR_IO, "the file cannot be read");
		buf_append(&body, piece, n);
		at += n;
	}
	/* a put is answered as its own bytes say */
	long status = text_starts(buf_str(&body), "there") ? 412 : text_equal(name, "none") ? 404 : 200;
	buf_done(&body);
	call->on_header(call->ctx, status, "content-length: 300000", 22);
	enum err_code rc = ERR_OK;
	for (unsigned i = 0; text_equal(call->method, "GET") && status == 200 && i < 300 && !rc; i++) {
		char piece[1000];
		memset(piece, 'a' + (int)(i % 26), sizeof piece);
		if (!call->on_data(call->ctx, piece, sizeof piece))
			rc = err_set(reterr, ERR_CANCELLED, "ended by the reader");
	}
	return rc;
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return 1;
}

static unsigned open_descriptors(void)
{
	CLEANUP(cleanup_dir) DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d);
	return n;
}

extern char **environ;

static enum err_code prepare(void *ctx, const struct bucket_settings *s, struct s3_transport *ret, struct err *reterr)
{
	const int *argc = ctx;
	if (text_equal(s->bucket, "refused"))
		return err_set(reterr, ERR_INVALID, "not such a bucket");
	if (*argc != 1 || environ[0] || open_descriptors() != 4)
		return err_set(reterr, ERR_INTERNAL, "it got more than it needs: %d words, %u descriptors", *argc,
		    open_descriptors());
	*ret = (struct s3_transport){NULL, talk, now};
	return ERR_OK;
}

/* ---- the tests ---- */

static struct bucket *start(const char *bucket, const atomic_bool *cancel, enum err_code want)
{
	struct bucket_settings settings = {
	    .endpoint = "https://x", .bucket = bucket, .region = "r", .access_key = "a", .secret_key = "s"};
	struct bucket_start_options o = {.settings = &settings, .program = "/proc/self/exe", .cancel = cancel};
	struct bucket *b = NULL;
	struct err err = ERR_INIT;
	if (bucket_start(&o, &b, &err) != want)
		fail_msg("%s", err.msg);
	return b;
}

static int file_of(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static bool take(void *ctx, const void *data, size_t size)
{
	buf_append(ctx, data, size);
	return true;
}

static bool refuse(void *ctx, const void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return false;
}

static void it_puts_gets_and_looks(void **state)
{
	struct bucket *b = start("copies", NULL, ERR_OK);
	struct bucket_io io = bucket_io(b);
	struct bucket_object o = {.name = "object", .size_bytes = 4};
	enum bucket_outcome outcome = BUCKET_MISSING;
	struct buf got = BUF_INIT;
	uint64_t size = 0;
	(void)state;
	CLEANUP(cleanup_fd) int fresh = file_of("text");
	CLEANUP(cleanup_fd) int there = file_of("there");
	for (int i = 0; i < 3; i++) { /* from its beginning, wherever the descriptor stands */
		assert_int_equal(io.put(io.ctx, &o, fresh, &outcome, NULL), ERR_OK);
		assert_int_equal(outcome, BUCKET_DONE);
	}
	o.size_bytes = 5;
	o.lock = BUCKET_GOVERNANCE;
	o.lock_until_ms = 1700000000000;
	assert_int_equal(io.put(io.ctx, &o, there, &outcome, NULL), ERR_OK);
	assert_int_equal(outcome, BUCKET_EXISTS);
	o.size_bytes = 100; /* shorter than announced */
	assert_int_equal(io.put(io.ctx, &o, there, &outcome, NULL), ERR_IO);
	assert_int_equal(io.get(io.ctx, "object", 300000, take, &got, &outcome, NULL), ERR_OK);
	assert_int_equal(outcome, BUCKET_DONE);
	assert_int_equal(got.size, 300000);
	assert_int_equal(got.data[27 * 1000], 'b');
	buf_clear(&got);
	assert_int_equal(io.get(io.ctx, "none", 10, take, &got, &outcome, NULL), ERR_OK);
	assert_int_equal(outcome, BUCKET_MISSING);
	assert_int_equal(got.size, 0);
	assert_int_equal(io.head(io.ctx, "object", &outcome, &size, NULL), ERR_OK);
	assert_int_equal(size, 300000);
	assert_int_equal(io.retain(io.ctx, "object", BUCKET_COMPLIANCE, 1700000000000, &outcome, NULL), ERR_OK);
	assert_int_equal(io.head(io.ctx, "away", &outcome, &size, NULL), ERR_UNREACHABLE);
	assert_int_equal(io.head(io.ctx, "object", &outcome, &size, NULL), ERR_OK); /* it goes on after an error */
	assert_int_equal(bucket_sent_bytes(b), 3 * 4 + 5 + 100);
	bucket_stop(b);
	buf_done(&got);
}

static void several_puts_are_on_their_way_at_a_time(void **state)
{
	struct bucket *b = start("copies", NULL, ERR_OK);
	struct bucket_io io = bucket_io(b);
	struct bucket_object o = {.name = "meet", .size_bytes = 4};
	struct bucket_ended ended;
	struct err err = ERR_INIT;
	unsigned seen = 0;
	(void)state;
	for (uint32_t i = 0; i < BUCKET_FLIGHTS; i++) {
		CLEANUP(cleanup_fd) int fd = file_of("text");
		assert_int_equal(io.put_begin(io.ctx, &o, fd, i, &err), ERR_OK);
	}
	for (uint32_t i = 0; i < BUCKET_FLIGHTS; i++) {
		assert_int_equal(io.put_end(io.ctx, &ended, &err), ERR_OK);
		assert_int_equal(ended.rc, ERR_OK);
		assert_int_equal(ended.outcome, BUCKET_DONE);
		seen |= 1u << ended.number;
	}
	assert_int_equal(seen, (1u << BUCKET_FLIGHTS) - 1);
	/* each ends for itself */
	CLEANUP(cleanup_fd) int there = file_of("there");
	o = (struct bucket_object){.name = "away", .size_bytes = 5};
	assert_int_equal(io.put_begin(io.ctx, &o, there, 7, &err), ERR_OK);
	o.name = "object";
	assert_int_equal(io.put_begin(io.ctx, &o, there, 8, &err), ERR_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(io.put_end(io.ctx, &ended, &err), ERR_OK);
		assert_int_equal(ended.rc, ended.number == 7 ? ERR_UNREACHABLE : ERR_OK);
		assert_true(ended.number == 7 ? strstr(ended.why.msg, "away") != NULL : ended.outcome == BUCKET_EXISTS);
	}
	assert_int_equal(bucket_sent_bytes(b), BUCKET_FLIGHTS * 4 + 2 * 5);
	o.name = "die";
	assert_int_equal(io.put_begin(io.ctx, &o, there, 9, &err), ERR_OK);
	assert_int_equal(io.put_end(io.ctx, &ended, &err), ERR_UNREACHABLE);
	assert_int_equal(io.put_begin(io.ctx, &o, there, 9, &err), ERR_STATE);
	bucket_stop(b);
}

/* Nothing that the program says may end the one that asks. */
static void an_answer_to_what_was_not_asked_is_not_believed(void **state)
{
	struct bucket *b = start("copies", NULL, ERR_OK);
	struct bucket_io io = bucket_io(b);
	struct bucket_object o = {.name = "lie", .size_bytes = 4};
	struct bucket_ended ended;
	struct err err = ERR_INIT;
	CLEANUP(cleanup_fd) int fd = file_of("text");
	(void)state;
	assert_int_equal(io.put_begin(io.ctx, &o, fd, 3, &err), ERR_OK);
	assert_int_equal(io.put_end(io.ctx, &ended, &err), ERR_INVALID);
	assert_non_null(strstr(err.msg, "not asked"));
	assert_int_equal(io.put_end(io.ctx, &ended, &err), ERR_STATE);
	assert_int_equal(io.put_begin(io.ctx, &o, fd, 3, &err), ERR_STATE);
	bucket_stop(b);
}

static void more_than_was_asked_for_is_not_taken(void **state)
{
	struct buf got = BUF_INIT;
	enum bucket_outcome outcome = BUCKET_MISSING;
	struct err err = ERR_INIT;
	(void)state;
	struct bucket *b = start("copies", NULL, ERR_OK);
	struct bucket_io io = bucket_io(b);
	assert_int_equal(io.get(io.ctx, "object", 299999, take, &got, &outcome, &err), ERR_LIMIT);
	assert_true(got.size <= 299999);
	assert_int_equal(
	    io.get(io.ctx, "object", 300000, take, &got, &outcome, &err), ERR_STATE); /* it is of no more use */
	bucket_stop(b);
	b = start("copies", NULL, ERR_OK);
	io = bucket_io(b);
	assert_int_equal(io.get(io.ctx, "object", 300000, refuse, NULL, &outcome, &err), ERR_CANCELLED);
	bucket_stop(b);
	buf_done(&got);
}

static void a_program_that_dies_or_refuses_is_told(void **state)
{
	struct bucket_settings settings = {
	    .endpoint = "https://x", .bucket = "b", .region = "r", .access_key = "a", .secret_key = "s"};
	struct bucket_start_options o = {.settings = &settings, .program = "/nowhere/kedge-copy"};
	enum bucket_outcome outcome = BUCKET_MISSING;
	struct bucket *none = NULL;
	struct err err = ERR_INIT;
	uint64_t size = 7;
	(void)state;
	assert_int_equal(bucket_start(&o, &none, &err), ERR_NOT_FOUND);
	o.program = "/etc/passwd";
	assert_int_equal(bucket_start(&o, &none, &err), ERR_UNREACHABLE);
	assert_null(none);
	start("refused", NULL, ERR_INVALID);
	struct bucket *b = start("copies", NULL, ERR_OK);
	struct bucket_io io = bucket_io(b);
	assert_int_equal(io.head(io.ctx, "die", &outcome, &size, &err), ERR_UNREACHABLE);
	assert_int_equal(io.head(io.ctx, "object", &outcome, &size, &err), ERR_STATE);
	assert_int_equal(size, 7);
	bucket_stop(b);
	bucket_stop(NULL);
}

static void *cancel_soon(void *arg)
{
	usleep(50 * 1000);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static void a_hanging_store_can_be_left(void **state)
{
	atomic_bool cancel = false;
	enum bucket_outcome outcome = BUCKET_MISSING;
	struct buf got = BUF_INIT;
	struct err err = ERR_INIT;
	pthread_t thread;
	(void)state;
	struct bucket *b = start("copies", &cancel, ERR_OK);
	struct bucket_io io = bucket_io(b);
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
	assert_int_equal(io.get(io.ctx, "hang", 10, take, &got, &outcome, &err), ERR_CANCELLED);
	pthread_join(thread, NULL);
	bucket_stop(b); /* at once */
	buf_done(&got);
}

static void what_is_no_message_ends_the_talk(void **state)
{
	int pair[2];
	struct err err = ERR_INIT;
	int argc = 1;
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(send(pair[0], "nonsense", 8, 0), 8);
	assert_int_not_equal(bucket_serve(pair[1], prepare, &argc, &err), ERR_OK);
	close(pair[0]);
	close(pair[1]);
	/* longer than any message */
	char big[BUCKET_MESSAGE_MAX + 100];
	memset(big, 0, sizeof big);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(send(pair[0], big, sizeof big, 0), sizeof big);
	assert_int_equal(bucket_serve(pair[1], prepare, &argc, &err), ERR_INVALID);
	close(pair[0]);
	assert_int_equal(
	    bucket_serve(pair[1], prepare, &argc, &err), ERR_UNREACHABLE); /* hung up before it said who it is */
	close(pair[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_puts_gets_and_looks),
	    cmocka_unit_test(several_puts_are_on_their_way_at_a_time),
	    cmocka_unit_test(an_answer_to_what_was_not_asked_is_not_believed),
	    cmocka_unit_test(more_than_was_asked_for_is_not_taken),
	    cmocka_unit_test(a_program_that_dies_or_refuses_is_told),
	    cmocka_unit_test(a_hanging_store_can_be_left),
	    cmocka_unit_test(what_is_no_message_ends_the_talk),
	};
	int kind;
	socklen_t size = sizeof kind;
	(void)argv;
	if (getsockopt(BUCKET_WIRE_FD, SOL_SOCKET, SO_TYPE, &kind, &size) == 0 && kind == SOCK_SEQPACKET)
		return bucket_serve(BUCKET_WIRE_FD, prepare, &argc, NULL) != ERR_OK;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
