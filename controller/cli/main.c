/* controller/cli/main.c: `kedge`. */
#include <signal.h>

#include "controller/cli/cli.h"

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	return cli_run(argc, (const char *const *)argv, cli_system());
}
