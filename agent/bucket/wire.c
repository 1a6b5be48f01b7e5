#include "agent/bucket/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/secret.h"

enum { LOOK_MS = 200 }; /* how often a wait looks whether somebody wants it to end */

static const char *const lock_names[BUCKET_LOCK_COUNT] = {"none", "governance", "compliance"};
const struct enum_type bucket_lock_enum = ENUM_TYPE("bucket_lock", lock_names);
static const char *const act_names[BUCKET_ACT_COUNT] = {"put", "get", "head", "retain"};
static const struct enum_type bucket_act_enum = ENUM_TYPE("bucket_act", act_names);

static const struct field settings_fields[] = {
    F_STRING(struct bucket_settings, endpoint, BUCKET_URL_MAX, FIELD_REQUIRED, "https://host[:port]"),
    F_STRING(struct bucket_settings, bucket, BUCKET_KEY_MAX, FIELD_REQUIRED, "the bucket's name"),
    F_STRING(struct bucket_settings, region, BUCKET_REGION_MAX, FIELD_REQUIRED, "that requests are signed for"),
    F_STRING(struct bucket_settings, access_key, BUCKET_KEY_MAX, FIELD_REQUIRED, "who asks"),
    F_STRING(struct bucket_settings, secret_key, BUCKET_KEY_MAX, FIELD_REQUIRED | FIELD_SECRET,
	"what requests are signed with"),
    F_STRING(struct bucket_settings, session_token, BUCKET_TOKEN_MAX, FIELD_SECRET, "of a credential for a short time"),
    F_STRING(struct bucket_settings, authority, PATH_LIMIT, 0,
	"PEM file that the endpoint's certificate is checked against"),
    F_BOOL(struct bucket_settings, host_style, 0, "the bucket is part of the host's name"),
};
const struct record_type bucket_settings_type = RECORD_TYPE(
    "bucket_settings", struct bucket_settings, settings_fields, "where a copy goes, and with which credential");

static const struct field object_fields[] = {
    F_STRING(struct bucket_object, name, BUCKET_NAME_MAX, FIELD_REQUIRED, "whole, with its prefix"),
    F_SIZE(struct bucket_object, size_bytes, 0, 0, "of the object"),
    F_DIGEST(struct bucket_object, sha256, 0, "of its bytes"),
    F_ENUM(struct bucket_object, lock, &bucket_lock_enum, 0, "whether it is locked"),
    F_TIME(struct bucket_object, lock_until_ms, 0, "until when"),
};
static const struct record_type object_type =
    RECORD_TYPE("bucket_object", struct bucket_object, object_fields, "an object of a store");

static const struct field request_fields[] = {
    F_ENUM(struct bucket_request, act, &bucket_act_enum, FIELD_REQUIRED, "what to do"),
    F_U32(struct bucket_request, number, 0, 0, "that its answer carries"),
    F_INLINE(struct bucket_request, object, struct bucket_object, &object_type, 0, "with what"),
};
const struct record_type bucket_request_type =
    RECORD_TYPE("bucket_request", struct bucket_request, request_fields, "what the agent asks kedge-copy for");

static const struct field answer_fields[] = {
    F_U32(struct bucket_answer, number, 0, 0, "of the request"),
    F_U32(struct bucket_answer, code, ERR_CODE_COUNT - 1, 0, "0, or the kind of error"),
    F_U32(struct bucket_answer, outcome, BUCKET_OUTCOME_COUNT - 1, 0, "what came of it"),
    F_SIZE(struct bucket_answer, size_bytes, 0, 0, "of the object that was asked about"),
    F_STRING(struct bucket_answer, text, ERR_MSG_MAX, 0, "what is wrong"),
};
const struct record_type bucket_answer_type =
    RECORD_TYPE("bucket_answer", struct bucket_answer, answer_fields, "what kedge-copy answers");

const struct record_type *const bucket_types[] = {
    &bucket_settings_type, &object_type, &bucket_request_type, &bucket_answer_type, NULL};

/* ---- sending ---- */

union control {
	struct cmsghdr header;
	uint8_t room[CMSG_SPACE(sizeof(int))];
};

static enum err_code send_datagram(int fd, struct buf *b, int pass_fd, struct err *reterr)
{
	union control control = {.room = {0}};
	struct iovec part = {b->data, b->size};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;
	if (pass_fd >= 0) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof pass_fd);
		memcpy(CMSG_DATA(h), &pass_fd, sizeof pass_fd);
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(reterr, ERR_UNREACHABLE, "the other side of the copy is gone: %s", strerror(errno));
	return ERR_OK;
}

enum err_code wire_send(int fd, const struct record_type *t, const void *record, int pass_fd, struct err *reterr)
{
	struct buf b = {.limit = BUCKET_MESSAGE_MAX};
	enum err_code rc = record_to_msgpack(t, record, &b, reterr);
	if (!rc)
		rc = send_datagram(fd, &b, pass_fd, reterr);
	if (b.data) /* the settings hold the credential */
		secret_wipe(b.data, b.capacity);
	buf_done(&b);
	return rc;
}

/* ---- receiving ---- */

static enum err_code wait_for(int fd, uint32_t timeout_ms, const atomic_bool *cancel, struct err *reterr)
{
	uint64_t end_ms = timeout_ms ? clock_mono_ms() + timeout_ms : UINT64_MAX;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int n = poll(&p, 1, LOOK_MS);
		if (n > 0)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return err_sys(reterr, errno, "wait for the other side of the copy");
		if (cancel && atomic_load(cancel))
			return err_set(reterr, ERR_CANCELLED, "stopped");
		if (clock_mono_ms() >= end_ms)
			return err_set(reterr, ERR_TIMEOUT, "the other side of the copy does not answer");
	}
}

/* The one descriptor that came along; any further one is closed by the kernel's truncation. */
static int passed_fd(struct msghdr *m)
{
	int got = -1;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof got))
			memcpy(&got, CMSG_DATA(h), sizeof got);
	return got;
}

enum err_code wire_receive(int fd, const struct record_type *t, uint32_t timeout_ms, const atomic_bool *cancel,
    struct arena *arena, void *record, int *ret_fd, struct err *reterr)
{
	uint8_t data[BUCKET_MESSAGE_MAX];
	union control control;
	struct iovec part = {data, sizeof data};
	struct msghdr m = {
	    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
	ssize_t n;
	enum err_code rc = wait_for(fd, timeout_ms, cancel, reterr);
	if (rc)
		return rc;
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return err_set(reterr, ERR_UNREACHABLE, "the other side of the copy has ended");
	CLEANUP(cleanup_fd) int passed = passed_fd(&m);
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		rc = err_set(reterr, ERR_INVALID, "a message of the copy is too long");
	else
		rc = record_from_msgpack(t, data, (size_t)n, arena, record, reterr);
	secret_wipe(data, (size_t)n);
	if (!rc)
		*ret_fd = TAKE_FD(passed);
	return rc;
}
