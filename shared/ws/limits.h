/* shared/ws/limits.h: the bounds of connections, each with its reason. */
#ifndef KEDGE_SHARED_WS_LIMITS_H
#define KEDGE_SHARED_WS_LIMITS_H

enum {
	WS_ADDRESS_MAX = 64,         /* "[ipv6]:port" as text, and NUL */
	WS_DETAIL_MAX = 256,         /* why a connection ended, for the log */
	WS_OUTBOX_DEFAULT = 4 << 20, /* bytes that wait for one slow peer: four of the largest messages */
	WS_OUTBOX_COUNT_MAX = 4096,  /* messages that wait: small ones have a cost too */
	WS_READ_PIECE = 4096,        /* a connection's own buffer in the library, which reads no more at once anyway */
	WS_WRITE_PIECE =
	    32 << 10, /* one writable callback: libwebsockets would queue more inside itself, without a bound */
	WS_CLOSE_REASON_MAX = 123,       /* RFC 6455 §5.5 */
	WS_PING_DEFAULT_MS = 20000,      /* a peer that vanished is found within two of these */
	WS_HANDSHAKE_TIMEOUT_MS = 10000, /* from TCP accept to an upgraded or idle HTTP connection */
	WS_CONNECT_TIMEOUT_MS = 15000,   /* one attempt of a client, all of it */
	WS_RESOLVE_TIMEOUT_MS = 5000,    /* the part of it that a name may take */
	WS_PATH_MAX = 2048,              /* of the URL that is dialled */
	WS_HEAD_MAX = 8192,              /* request line and headers; browsers send 1 to 2 KiB */
	WS_HEADER_LINES_MAX = 64,        /* browsers send some 20 */
	WS_QUERY_MAX = 32,               /* parameters of one query */
	WS_BODY_DEFAULT = 1 << 20,       /* a request's body */
	WS_REQUEST_TIMEOUT_MS = 30000,   /* until the program has answered */
	WS_PIPELINE_MAX = 64 << 10,      /* bytes of further requests that are read while one is being answered */
	WS_LINGER_MS = 2000,             /* for the last answer to be read before the connection is cut */
	WS_IDLE_TIMEOUT_MS = 60000,      /* a kept-alive HTTP connection without a request */
	WS_STREAM_DEFAULT = 1 << 20,     /* bytes that wait for one slow reader of a stream */
	WS_STREAM_STALL_MS = 60000,      /* a reader that takes nothing for so long is gone */
	WS_RESPONSE_HEADERS_MAX = 16,    /* extra headers of one answer */
};

#endif
