/* agent/probe/openssl.h: OpenSSL's headers beside ours: both have a word ERR_STATE.  To be included first. */
#ifndef KEDGE_AGENT_PROBE_OPENSSL_H
#define KEDGE_AGENT_PROBE_OPENSSL_H

#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#endif
