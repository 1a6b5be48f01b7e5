/* shared/base/notify.h: telling systemd how far a service of Type=notify is (sd_notify(3)).
 *
 * One datagram to the socket that NOTIFY_SOCKET names.  Our own, because libsystemd brings five more libraries into
 * every process that is linked with it. */
#ifndef KEDGE_SHARED_BASE_NOTIFY_H
#define KEDGE_SHARED_BASE_NOTIFY_H

#include <stdbool.h>

/* state: "READY=1", "STOPPING=1", …  False: nobody wants to know, or it could not be told, which is never a reason to
 * do anything else.  Any thread. */
bool notify_systemd(const char *state);

#endif
