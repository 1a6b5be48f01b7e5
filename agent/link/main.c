/* agent/link/main.c: kedge-link: the one program of a host that speaks to the controller.  The keeper starts it with
 * the channel as descriptor 3 and words that say where to go; it reads no configuration. */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/link/link.h"

int main(int argc, char **argv)
{
	struct link_options options;
	struct err err = ERR_INIT;
	int kind;
	socklen_t size = sizeof kind;
	if (getsockopt(LINK_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &kind, &size) != 0 || kind != SOCK_STREAM) {
		fputs("kedge-link is started by kedge-agent: see `kedge-agent run`\n", stderr);
		return 2;
	}
	prctl(PR_SET_NAME, LINK_PROGRAM); /* it was run by descriptor */
	log_setup("kedge-agent", LOG_LEVEL_INFO);
	if (link_options_read(argc, argv, &options, &err) != ERR_OK) {
		log_error("link", "%s", err.msg);
		return 2;
	}
	log_setup("kedge-agent", options.log_least);
	_exit(link_main(LINK_CHANNEL_FD, &options)); /* confined: what a library does at the end may not be allowed */
}
