/* shared/base/openssl.h: include this before any <openssl/…> header, after shared/base/err.h or without it.
 * OpenSSL names a (deprecated) type ERR_STATE, which is also a code of ours; here it gets another name. */
#ifndef KEDGE_SHARED_BASE_OPENSSL_H
#define KEDGE_SHARED_BASE_OPENSSL_H

#define ERR_STATE openssl_err_state_type
#include <openssl/err.h>
#include <openssl/types.h>
#undef ERR_STATE

#endif
