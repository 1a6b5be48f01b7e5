/* certs/limits.h: bounds of enrolment, each with its reason. */
#ifndef KEDGE_CERTS_LIMITS_H
#define KEDGE_CERTS_LIMITS_H

enum {
	ENROL_TOKEN_MAX = 256,         /* "kedge1.", an id of 30, twice 64 hex digits, dots */
	ENROL_TIMEOUT_MS = 30 * 1000,  /* a person waits for it */
	ENROL_FOLDER_MAX = 3800,       /* room in PATH_LIMIT for a temporary name and a file's own */
	EXCHANGE_HEAD_MAX = 16 << 10,  /* the controller's head has half a KiB */
	EXCHANGE_BODY_MAX = 256 << 10, /* a chain of certificates has some KiB */
	EXCHANGE_HOST_MAX = 256,       /* a DNS name has at most 253 bytes */
};

#endif
