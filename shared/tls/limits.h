/* shared/tls/limits.h: bounds on what is read about keys and certificates, each with its reason. */
#ifndef KEDGE_SHARED_TLS_LIMITS_H
#define KEDGE_SHARED_TLS_LIMITS_H

enum {
	TLS_DOMAIN_MAX = 254,       /* a DNS name has at most 253 bytes (RFC 1035 §2.3.4), and NUL */
	TLS_NAME_MAX = 65,          /* NAME_MAX_BYTES and NUL */
	TLS_URI_MAX = 352,          /* "spiffe://" domain "/controller/" name, and NUL */
	TLS_SERIAL_MAX = 64,        /* hex of 20 octets (RFC 5280 §4.1.2.2) and NUL, with room */
	TLS_FINGERPRINT_MAX = 65,   /* hex of a SHA-256, and NUL */
	TLS_SUBJECT_MAX = 256,      /* a subject or issuer as one line of text */
	TLS_DETAIL_MAX = 256,       /* why a peer was refused, for the log */
	TLS_PEM_MAX = 1 << 18,      /* a bundle of a hundred authorities; one certificate is some 1 KiB */
	TLS_KEY_PEM_MAX = 16 << 10, /* an RSA key of 16384 bits has 12 KiB */
	TLS_CHAIN_MAX = 8,          /* certificates in one chain file; ours have two */
	TLS_TRUST_MAX = 64,         /* authorities in one bundle: old and new root, with room */
	TLS_VERIFY_DEPTH = 3,       /* root, issuing authority, one more for a cross-signed root */
	TLS_REVOKED_MAX = 1000000,  /* 40 MiB of serials; certificates live days, so the list of a fleet is short */
	TLS_HANDSHAKE_MAX_BYTES = 64 << 10, /* certificates that a peer may send: ours are 2 KiB */
};

#endif
