/* tests/lib/wsrig/rig.h: a loop on a thread of its own, a record of what its callbacks saw, and rough peers of
 * OpenSSL's own. Whatever fails in the rig itself aborts the test. */
#ifndef KEDGE_TESTS_LIB_WSRIG_RIG_H
#define KEDGE_TESTS_LIB_WSRIG_RIG_H

#include "shared/ws/dialer.h"
#include "shared/ws/http.h"
#include "shared/ws/listener.h"
#include "tests/lib/pki/pki.h"

#define RIG_PROTOCOL "kedge.agent.v1"

struct rig;

/* on_wake, if given, is called beside the rig's own. */
struct rig *rig_new(bool libuv);
void rig_free(struct rig *r); /* stops the thread, frees the loop */
struct ws_loop *rig_loop(struct rig *r);
/* fn on the loop's thread; waits for it. */
void rig_call(struct rig *r, void (*fn)(void *arg), void *arg);

/* The record: lines in order.  Any thread. */
void rig_note(struct rig *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Waits until a line begins so, at most 20 s; fails the test if none comes.  A copy of the line is in out if given. */
void rig_expect(struct rig *r, const char *prefix, char *out, size_t size);
/* The same for count lines. */
void rig_expect_count(struct rig *r, const char *prefix, unsigned count);
unsigned rig_count(struct rig *r, const char *prefix);
void rig_forget(struct rig *r); /* empties the record */
void rig_show(struct rig *r);   /* on standard error */

/* The authorities of every rig: made once a process. */
const struct pki_authority *rig_root(void), *rig_issuing(void), *rig_foreign(void);
struct tls_trust *rig_trust(void);         /* borrowed */
struct tls_identity *rig_controller(void); /* borrowed: controller c1 */

/* A listener on 127.0.0.1 whose callbacks note: "refused REASON NAME", "open NAME", "message SIZE FIRSTBYTE",
 * "drained", "closed END CODE". change may alter the configuration before it is used. */
struct ws_listener *rig_listen(struct rig *r, void (*change)(struct ws_listener_config *), uint16_t port);
uint16_t rig_port(struct rig *r);
struct ws_conn *rig_last(struct rig *r); /* the connection that opened last; use it on the loop's thread only */

/* A dialer whose callbacks note: "up NAME", "got SIZE FIRSTBYTE", "flowing", "down END". */
struct ws_dialer *rig_dialer(struct rig *r, const struct pki_spec *who, void (*change)(struct ws_dialer_config *));
struct ws_conn *rig_connect(struct rig *r, struct ws_dialer *d, const char *url);
struct ws_conn *rig_connect_port(struct rig *r, struct ws_dialer *d, uint16_t port);

/* ---- a rough TLS client, blocking, every call limited to 10 s ---- */
struct rough;
/* issuer NULL: no certificate.  NULL: the TCP connection or the handshake failed. */
struct rough *rough_connect(
    uint16_t port, const struct pki_authority *issuer, const struct pki_spec *spec, int max_version);
struct rough *rough_tcp(uint16_t port); /* without TLS */
void rough_free(struct rough *c);
bool rough_write(struct rough *c, const void *data, size_t size);
bool rough_say(struct rough *c, const char *text);
/* What has come, at most size bytes; 0: the end (or a reset), -1: nothing came in wait_ms. */
int rough_read(struct rough *c, void *out, size_t size, int wait_ms);
/* Until the end or until text was seen; into out, NUL-terminated.  False: neither within 10 s. */
bool rough_until(struct rough *c, const char *text, char *out, size_t size);
bool rough_ended(struct rough *c, int wait_ms); /* the peer closes within wait_ms, whatever it says before */
int rough_fd(const struct rough *c);
SSL *rough_ssl(const struct rough *c);
/* The websocket handshake; false if the answer is not 101. */
bool rough_upgrade(struct rough *c, const char *subprotocol);
/* first: the frame's first byte (FIN 0x80, opcode). */
bool rough_frame(struct rough *c, uint8_t first, const void *data, size_t size);

#endif
