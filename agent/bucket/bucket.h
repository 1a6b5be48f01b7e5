/* agent/bucket/bucket.h: an object store that speaks S3, as the rest of the agent sees it.
 *
 * What is asked of it is little, so that a credential that may put and get is enough: put an object that is not there
 * yet, get one, ask for its size, make its lock last longer.  Nothing is ever listed, replaced or deleted.
 *
 * Two processes: the one that asks (bucket_start; it may read the repository and never touches the network) and
 * `kedge-copy` (serve.h; it speaks HTTPS, has no privilege, opens no file of the host's and sees sealed bytes only).
 * Between them a socket pair with one message each way (wire.h); descriptors of what is sent go along.  The credential
 * is handed over in the first message: it is never in an argument, an environment or a log.
 *
 * struct bucket_io is what a copier needs; bucket_io() gives one over the program, tests have one over memory.
 * Blocking; one thread. */
#ifndef KEDGE_AGENT_BUCKET_BUCKET_H
#define KEDGE_AGENT_BUCKET_BUCKET_H

#include <stdatomic.h>
#include <sys/types.h>

#include "agent/bucket/limits.h"
#include "shared/record/record.h"

enum bucket_lock { BUCKET_UNLOCKED, BUCKET_GOVERNANCE, BUCKET_COMPLIANCE, BUCKET_LOCK_COUNT };
extern const struct enum_type bucket_lock_enum;

enum bucket_outcome {
	BUCKET_DONE,
	BUCKET_MISSING, /* there is no such object */
	BUCKET_HIDDEN,  /* the store will not say: a credential that may not list gets this for what is missing, too */
	BUCKET_EXISTS,  /* put: there is one of that name already, and it stays as it is */
	BUCKET_OUTCOME_COUNT
};

struct bucket_object {
	const char *name; /* whole, with its prefix */
	uint64_t size_bytes;
	struct digest sha256;   /* the store refuses what does not match it */
	uint32_t lock;          /* enum bucket_lock */
	uint64_t lock_until_ms; /* unix; with a lock */
};

/* False ends the call with ERR_CANCELLED. */
typedef bool bucket_sink_fn(void *ctx, const void *data, size_t size);

struct bucket_ended {    /* how a put that was begun ended */
	uint32_t number; /* that it was begun with */
	enum bucket_outcome outcome;
	enum err_code rc; /* as put's; its words are in why */
	struct err why;
};

/* ERR_DENIED (the credential, the clock), ERR_UNREACHABLE and ERR_TIMEOUT and ERR_BUSY (worth trying again),
 * ERR_CORRUPT (the store got other bytes than were announced), ERR_NOT_FOUND (no such bucket), ERR_UNSUPPORTED,
 * ERR_LIMIT. */
struct bucket_io {
	void *ctx;
	/* The whole file behind fd, from its beginning. */
	enum err_code (*put)(
	    void *ctx, const struct bucket_object *o, int fd, enum bucket_outcome *ret, struct err *reterr);
	/* The same, not waited for; up to BUCKET_FLIGHTS at a time, and nothing else is asked until all have ended.  fd
	 * may be closed at once. */
	enum err_code (*put_begin)(
	    void *ctx, const struct bucket_object *o, int fd, uint32_t number, struct err *reterr);
	/* Waits for the next that ends, in any order.  An error: nothing is known of any of them. */
	enum err_code (*put_end)(void *ctx, struct bucket_ended *ret, struct err *reterr);
	enum err_code (*get)(void *ctx, const char *name, uint64_t limit_bytes, bucket_sink_fn *sink, void *sink_ctx,
	    enum bucket_outcome *ret, struct err *reterr);
	enum err_code (*head)(
	    void *ctx, const char *name, enum bucket_outcome *ret, uint64_t *ret_size, struct err *reterr);
	/* Locked until then, if it is not for longer already. */
	enum err_code (*retain)(void *ctx, const char *name, enum bucket_lock lock, uint64_t until_ms,
	    enum bucket_outcome *ret, struct err *reterr);
};

struct bucket_settings {
	const char *endpoint; /* https://host[:port], or http:// where agent.yaml allows it */
	const char *bucket, *region;
	const char *access_key, *secret_key, *session_token; /* token: NULL when there is none */
	const char *authority; /* PEM file that the endpoint's certificate is checked against; NULL: the system's */
	bool host_style;       /* bucket.host/name instead of host/bucket/name */
};
extern const struct record_type bucket_settings_type;

struct bucket_start_options {
	const struct bucket_settings *settings;
	const char *program; /* path of kedge-copy */
	bool set_user;       /* it becomes uid and gid */
	uid_t uid;
	gid_t gid;
	const atomic_bool *cancel; /* may be NULL; looked at while waiting */
};

struct bucket;
/* Starts the program and hands the settings over; nothing is asked of the store yet.  ERR_NOT_FOUND: no such program.
 */
ERR_CHECK enum err_code bucket_start(const struct bucket_start_options *o, struct bucket **ret, struct err *reterr);
void bucket_stop(struct bucket *b); /* the program ends; NULL is a no-op */
struct bucket_io bucket_io(struct bucket *b);
uint64_t bucket_sent_bytes(
    const struct bucket *b); /* bodies that were put so far, also those that the store did not take */

#endif
