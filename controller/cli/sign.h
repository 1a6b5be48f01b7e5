/* controller/cli/sign.h: a signature by ssh-keygen, which knows agents, tokens and passphrases. */
#ifndef KEDGE_CONTROLLER_CLI_SIGN_H
#define KEDGE_CONTROLLER_CLI_SIGN_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

/* `ssh-keygen -Y sign -n NAME_SPACE -f KEY`: message on its standard input, the armored signature appended to out.  It
 * may ask for a passphrase on the terminal.  Blocking, at most CLI_SIGN_TIMEOUT_MS.  No shell.  ERR_NOT_FOUND (key,
 * program), ERR_DENIED (it would not), ERR_TIMEOUT. */
ERR_CHECK enum err_code sign_with_ssh(const char *key_path, const char *name_space, const void *message, size_t size,
    struct buf *out, struct err *reterr);

#endif
