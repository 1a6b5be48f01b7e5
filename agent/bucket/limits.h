/* agent/bucket/limits.h: the limits of talking to an object store, each with its reason. */
#ifndef KEDGE_AGENT_BUCKET_LIMITS_H
#define KEDGE_AGENT_BUCKET_LIMITS_H

enum {
	BUCKET_NAME_MAX = 512, /* of an object with its prefix; S3 allows 1024 bytes */
	BUCKET_TEXT_MAX = 400, /* what is told of an error */
	BUCKET_URL_MAX = 2048,
	BUCKET_REGION_MAX = 64,
	BUCKET_KEY_MAX = 256,              /* access and secret key; Amazon's have 20 and 40 bytes */
	BUCKET_TOKEN_MAX = 4096,           /* a session token */
	BUCKET_CREDENTIALS_MAX = 16 << 10, /* the file */
	BUCKET_MESSAGE_MAX = 16 << 10,     /* one datagram between the agent and the program that talks */
	BUCKET_ERROR_BODY_MAX = 64 << 10,  /* of an answer that is no object: more is not read */
	BUCKET_SILENCE_MS = 60 * 1000,     /* a transfer in which nothing moves for so long has ended */
	BUCKET_START_MS = 10 * 1000,       /* for the program to come up */
	BUCKET_ANSWER_MS = 300 * 1000,     /* nothing at all from the program for so long: it hangs */
	BUCKET_SLOWEST = 10, /* bytes in a millisecond: a link that is slower needs no copies of this size */
	BUCKET_COPY_PIECE = 256 << 10,
	BUCKET_FLIGHTS = 3, /* puts at a time: while the store takes in one, the next is on its way and one is made
			     * ready; each has a connection and a thread of kedge-copy */
};

#endif
