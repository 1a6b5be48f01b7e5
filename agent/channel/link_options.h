/* agent/channel/link_options.h: what the keeper tells the link's program when it begins it.
 *
 * The link is a program of its own (kedge-link), so that nothing of the network is in the keeper's process.  It gets
 * one word for each option, all of them and in this order, none of them a secret, and the channel as a descriptor.
 * The first word is the version: two halves of different versions do not work together.  Pure. */
#ifndef KEDGE_AGENT_CHANNEL_LINK_OPTIONS_H
#define KEDGE_AGENT_CHANNEL_LINK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/arena.h"
#include "shared/base/id.h"
#include "shared/base/log.h"

struct link_options {           /* strings are borrowed */
	const char *url;        /* wss://host:port of the agents' port */
	const char *controller; /* the name that its certificate must carry */
	const char *domain;
	const char *host;      /* our own name */
	const char *authority; /* PEM file of the only authority that is believed */
	const char *spool;     /* folder, made if missing */
	uint64_t spool_limit_bytes;
	/* This run of the keeper, the same for every link that it begins: what such a link has stored, the next one
	 * does not store again.  Zero: this link's own. */
	struct id boot;
	bool drop_privileges; /* become uid and gid, without groups and capabilities */
	uid_t uid;
	gid_t gid;
	enum log_level log_least;
	bool debug; /* say on standard error which forbidden system call ends it; not among the words */
};

enum {
	LINK_CHANNEL_FD = 3,  /* where the link's program finds the channel */
	LINK_WORDS_COUNT = 11 /* with the version, without the program's own name */
};
#define LINK_PROGRAM "kedge-link"

/* ret: the program's name, the words, NULL; in arena.  ERR_NOMEM. */
ERR_CHECK enum err_code link_options_words(
    const struct link_options *o, struct arena *arena, char *ret[LINK_WORDS_COUNT + 2], struct err *reterr);
/* argv as main() gets it, borrowed by *ret.  ERR_UNSUPPORTED: the keeper is of another version; ERR_INVALID: these are
 * not its words. */
ERR_CHECK enum err_code link_options_read(int argc, char *const *argv, struct link_options *ret, struct err *reterr);

#endif
