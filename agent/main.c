/* agent/main.c: wiring only. */
#include "agent/cli/cli.h"

int main(int argc, char **argv) { return cli_main(argc, argv); }
