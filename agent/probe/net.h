/* agent/probe/net.h: one outgoing stream connection, plain or TLS, on the loop.  Never blocks.  No deadline of its own:
 * its owner frees it. The callbacks may free it. */
#ifndef KEDGE_AGENT_PROBE_NET_H
#define KEDGE_AGENT_PROBE_NET_H

#include "agent/io/loop.h"
#include "agent/probe/trust.h"
#include "shared/base/buf.h"

struct net;
enum net_stage { NET_RESOLVING, NET_CONNECTING, NET_HANDSHAKING, NET_OPEN };

struct net_events {
	void *ctx;
	void (*on_open)(void *ctx); /* connected, and shaken hands if TLS */
	void (*on_data)(void *ctx, const void *data, size_t size);
	void (*on_close)(void *ctx);                                           /* the peer closed an open connection */
	void (*on_fail)(void *ctx, enum net_stage stage, const char *problem); /* anything else; the end */
};
struct net_target {
	const char *host, *port; /* host beginning with '/': a unix socket */
	struct trust *trust;     /* non-NULL: TLS, checked against it */
	const char *name;        /* TLS: server name to ask for and check; NULL: host */
	bool any_certificate;    /* TLS: shake hands whatever it is (its dates are looked at afterwards) */
};

/* Events come later, never from inside.  events is copied. */
ERR_CHECK enum err_code net_open(struct loop *l, const struct net_target *target, const struct net_events *events,
    struct net **ret, struct err *reterr);
void net_free(struct net *n);                                /* NULL is a no-op */
void net_send(struct net *n, const void *data, size_t size); /* once open; queued */
enum net_stage net_stage(const struct net *n);
const char *net_stage_text(enum net_stage stage); /* "connecting" */
/* The certificate chain's earliest end, unix ms, and its leaf's subject; false: no TLS. */
bool net_certificate(const struct net *n, uint64_t *ret_expires_ms, char *subject, size_t size_bytes);
bool net_certificate_names(const struct net *n, const char *name); /* is it for this name or address? */
/* "TLSv1.3" */
const char *net_tls_version(const struct net *n);

#endif
