/* agent/database/resp.h: asking a Redis server, a command at a time (its protocol, version 2).  Blocking, with a
 * deadline; one thread. */
#ifndef KEDGE_AGENT_DATABASE_RESP_H
#define KEDGE_AGENT_DATABASE_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/err.h"

enum { RESP_ANSWER_MAX = 1 << 20, RESP_WORDS_MAX = 8 };

/* One answer at the front of data: its text (of a number its digits, of nothing ""), and how many bytes it took.  Pure.
 * RESP_MORE: not all of it is there; RESP_BAD: no answer that is understood (lists are not). */
enum resp_result { RESP_TEXT, RESP_ERROR, RESP_MORE, RESP_BAD };
enum resp_result resp_parse(const uint8_t *data, size_t size, struct buf *text, size_t *ret_used);

struct resp;
/* address: host:port, [v6]:port or unix:/path.  ERR_UNREACHABLE. */
ERR_CHECK enum err_code resp_connect(const char *address, uint64_t timeout_ms, struct resp **ret, struct err *reterr);
void resp_close(struct resp *r); /* NULL is a no-op */
/* words: NULL-ended.  The answer replaces what is in text.  ERR_STATE with the server's own words; ERR_TIMEOUT,
 * ERR_UNREACHABLE. */
ERR_CHECK enum err_code resp_ask(
    struct resp *r, const char *const *words, uint64_t timeout_ms, struct buf *text, struct err *reterr);

#endif
