#include "agent/bucket/serve.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/bucket/wire.h"
#include "shared/base/openssl.h"

#include <openssl/evp.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/secret.h"

CLEANUP_DEFINE(EVP_MD_CTX, md_cleanup, EVP_MD_CTX_free)

static size_t read_file(void *ctx, uint64_t offset, char *out, size_t size)
{
	ssize_t n;
	do
		n = pread(*(const int *)ctx, out, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n > 0 ? (size_t)n : 0;
}

/* S3 wants it of whatever is to be locked. */
static enum err_code md5_of(int fd, uint64_t size, uint8_t out[16], struct err *reterr)
{
	CLEANUP(cleanup_free) char *piece = malloc(BUCKET_COPY_PIECE);
	CLEANUP(md_cleanup) EVP_MD_CTX *md = EVP_MD_CTX_new();
	if (!piece)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (!md || EVP_DigestInit_ex(md, EVP_md5(), NULL) != 1)
		return err_set(
		    reterr, ERR_UNSUPPORTED, "this host's OpenSSL knows no MD5, which S3 wants of what is locked");
	for (uint64_t at = 0; at < size;) {
		size_t n =
		    read_file(&fd, at, piece, BUCKET_COPY_PIECE < size - at ? BUCKET_COPY_PIECE : (size_t)(size - at));
		if (n == 0)
			return err_set(reterr, ERR_IO, "what was to be sent is shorter than it was");
		(void)EVP_DigestUpdate(md, piece, n);
		at += n;
	}
	return EVP_DigestFinal_ex(md, out, NULL) == 1 ? ERR_OK : err_set(reterr, ERR_INTERNAL, "no digest");
}

static enum err_code do_put(
    struct s3 *s, const struct bucket_object *o, int fd, enum bucket_outcome *ret, struct err *reterr)
{
	uint8_t md5[16] = {0};
	enum err_code rc = fd < 0 ? err_set(reterr, ERR_INVALID, "no file came with what is to be put") : ERR_OK;
	if (!rc && o->lock != BUCKET_UNLOCKED)
		rc = md5_of(fd, o->size_bytes, md5, reterr);
	return rc ? rc : s3_put(s, o, md5, read_file, &fd, ret, reterr);
}

static bool write_pipe(void *ctx, const void *data, size_t size)
{
	return file_write_all(*(const int *)ctx, data, size, NULL) == ERR_OK;
}

static struct bucket_answer answer_to(struct s3 *s, const struct bucket_request *r, int fd, struct err *err)
{
	struct bucket_answer a = {0};
	enum bucket_outcome outcome = BUCKET_DONE;
	enum err_code rc = ERR_INVALID;
	switch ((enum bucket_act)r->act) {
	case BUCKET_ACT_PUT:
		rc = do_put(s, &r->object, fd, &outcome, err);
		break;
	case BUCKET_ACT_GET:
		rc = fd < 0 ? err_set(err, ERR_INVALID, "no pipe came for what is to be got")
			    : s3_get(s, r->object.name, write_pipe, &fd, &outcome, err);
		break;
	case BUCKET_ACT_HEAD:
		rc = s3_head(s, r->object.name, &outcome, &a.size_bytes, err);
		break;
	case BUCKET_ACT_RETAIN:
		rc = s3_retain(
		    s, r->object.name, (enum bucket_lock)r->object.lock, r->object.lock_until_ms, &outcome, err);
		break;
	case BUCKET_ACT_COUNT:
		break;
	}
	a.number = r->number;
	a.code = rc;
	a.outcome = outcome;
	a.text = rc ? err->msg : NULL;
	return a;
}

/* One request.  ERR_UNREACHABLE: there are no more. */
static enum err_code serve_one(int fd, struct s3 *s, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(4 * BUCKET_MESSAGE_MAX);
	CLEANUP(cleanup_fd) int passed = -1;
	struct bucket_request r;
	struct err err = ERR_INIT;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = wire_receive(fd, &bucket_request_type, 0, NULL, arena, &r, &passed, reterr);
	if (rc)
		return rc;
	struct bucket_answer a = answer_to(s, &r, passed, &err);
	if (passed >= 0) /* the agent reads to the end of the pipe before it reads the answer */
		close(TAKE_FD(passed));
	return wire_send(fd, &bucket_answer_type, &a, -1, reterr);
}

/* ---- several at a time ---- */

/* Each has a connection of its own, and takes the next request that nobody else has. */
struct server {
	int fd;
	struct s3 *s;
	pthread_t thread;
	bool started;
	struct err err;
	enum err_code rc;
};
struct servers {
	struct server all[BUCKET_FLIGHTS];
};

static void *serve(void *arg)
{
	struct server *v = arg;
	while (!v->rc)
		v->rc = serve_one(v->fd, v->s, &v->err);
	if (v->rc != ERR_UNREACHABLE) /* what is no message ends the talk for all of them */
		(void)shutdown(v->fd, SHUT_RDWR);
	return NULL;
}

/* One that cannot be started is one less. */
static void start_others(struct servers *v)
{
	for (size_t i = 1; i < BUCKET_FLIGHTS; i++)
		v->all[i].started = pthread_create(&v->all[i].thread, NULL, serve, &v->all[i]) == 0;
}

static void end_all(struct servers *v)
{
	for (size_t i = 0; i < BUCKET_FLIGHTS; i++) {
		if (v->all[i].started)
			pthread_join(v->all[i].thread, NULL);
		s3_free(v->all[i].s);
	}
}

static enum err_code prepare_all(struct servers *v, int fd, bucket_prepare_fn *prepare, void *ctx,
    const struct bucket_settings *settings, struct err *reterr)
{
	for (size_t i = 0; i < BUCKET_FLIGHTS; i++) {
		struct s3_transport io;
		enum err_code rc = prepare(ctx, settings, &io, reterr);
		if (!rc)
			rc = s3_new(settings, &io, &v->all[i].s, reterr);
		if (rc)
			return rc;
		v->all[i].fd = fd;
	}
	return ERR_OK;
}

/* The credential lives in the arena until it is copied into memory of its own. */
static enum err_code begin(int fd, bucket_prepare_fn *prepare, void *ctx, struct servers *v, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(4 * BUCKET_MESSAGE_MAX);
	CLEANUP(cleanup_fd) int passed = -1;
	struct bucket_settings settings;
	struct err err = ERR_INIT;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = wire_receive(fd, &bucket_settings_type, 0, NULL, arena, &settings, &passed, reterr);
	if (rc)
		return rc;
	enum err_code made = prepare_all(v, fd, prepare, ctx, &settings, &err);
	secret_wipe((char *)(uintptr_t)settings.secret_key, strlen(settings.secret_key));
	struct bucket_answer a = {.code = made, .text = made ? err.msg : NULL};
	rc = wire_send(fd, &bucket_answer_type, &a, -1, reterr);
	return rc ? rc : made ? err_set(reterr, made, "%s", err.msg) : ERR_OK;
}

enum err_code bucket_serve(int fd, bucket_prepare_fn *prepare, void *ctx, struct err *reterr)
{
	struct servers v = {0};
	enum err_code rc = begin(fd, prepare, ctx, &v, reterr);
	if (!rc) {
		start_others(&v);
		serve(&v.all[0]);
	}
	end_all(&v);
	for (size_t i = 0; i < BUCKET_FLIGHTS && !rc; i++)
		if (v.all[i].rc && v.all[i].rc != ERR_UNREACHABLE)
			rc = err_set(reterr, v.all[i].rc, "%s", v.all[i].err.msg);
	return rc;
}
