/* agent/bucket/wire.h: what the agent and kedge-copy say to one another: one record a datagram on a SOCK_SEQPACKET
 * pair, a descriptor with it where the table says so.
 *
 *   agent -> program   settings (first of all, once), then requests: puts up to BUCKET_FLIGHTS at a time, others alone
 *   program -> agent   an answer to each, the settings included, with the number of what it answers; in any order
 *
 *   put   descriptor: the file to send, read from its beginning
 *   get   descriptor: a pipe that what arrives is written into
 *
 * A message that is none ends the conversation, on either side.  Blocking; one thread. */
#ifndef KEDGE_AGENT_BUCKET_WIRE_H
#define KEDGE_AGENT_BUCKET_WIRE_H

#include "agent/bucket/bucket.h"

enum { BUCKET_WIRE_FD = 3 }; /* of the program */

enum bucket_act { BUCKET_ACT_PUT, BUCKET_ACT_GET, BUCKET_ACT_HEAD, BUCKET_ACT_RETAIN, BUCKET_ACT_COUNT };

struct bucket_request {
	uint32_t act, number;
	struct bucket_object object; /* of a get and a head only the name */
};
struct bucket_answer {
	uint32_t number;
	uint32_t code;    /* enum err_code; 0: outcome says the rest */
	uint32_t outcome; /* enum bucket_outcome */
	uint64_t size_bytes;
	const char *text; /* of an error */
};
extern const struct record_type bucket_request_type, bucket_answer_type;
extern const struct record_type *const bucket_types[]; /* all of this folder, NULL-ended */

/* pass_fd: goes along; -1: none.  ERR_UNREACHABLE: the other side is gone. */
ERR_CHECK enum err_code wire_send(
    int fd, const struct record_type *t, const void *record, int pass_fd, struct err *reterr);
/* Waits up to timeout_ms (0: for ever; cancel is looked at every so often, may be NULL).  *ret_fd (the caller's) is -1
 * when none came. ERR_UNREACHABLE: the other side has ended.  ERR_TIMEOUT, ERR_CANCELLED, ERR_INVALID. */
ERR_CHECK enum err_code wire_receive(int fd, const struct record_type *t, uint32_t timeout_ms,
    const atomic_bool *cancel, struct arena *arena, void *record, int *ret_fd, struct err *reterr);

#endif
