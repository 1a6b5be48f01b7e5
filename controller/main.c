/* controller/main.c: kedge-controller run | check | backup | restore. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "controller/daemon/daemon.h"
#include "controller/store/backup.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static const char usage[] =
    "usage: kedge-controller run     --config FILE          serve until SIGTERM\n"
    "       kedge-controller check   --config FILE          read the configuration and what it names, change nothing\n"
    "       kedge-controller backup  --config FILE FOLDER   a consistent copy of the store, while it runs\n"
    "       kedge-controller restore --config FILE FOLDER   put a copy in place of a store that is not there; it then only observes\n"
    "                                                       until an operator says `kedge controller confirm`\n"
    "       kedge-controller --version\n"
    "example: kedge-controller check --config /etc/kedge/controller.yaml\n";

/* As of every program: docs/OPERATIONS.md. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int fail(const struct err *err)
{
	fprintf(stderr, "kedge-controller: %s\n", err->msg);
	return EXIT_FAILED;
}

static int store_command(const struct controller_yaml *y, const char *verb, const char *folder)
{
	char store[PATH_LIMIT];
	struct err err = ERR_INIT;
	if (!text_format(store, sizeof store, "%s/store", y->state_directory))
		return fail(&(struct err){.msg = "state_directory is too long a path"});
	bool backup = text_equal(verb, "backup");
	struct backup_manifest made;
	struct random random;
	random_init_system(&random);
	enum err_code rc = backup ? store_backup_folder(store, folder, clock_wall_ms(), &made, &err)
				  : store_restore(folder, store, clock_wall_ms(), &random, &made, &err);
	if (rc != ERR_OK)
		return fail(&err);
	char size[TEXT_TIME_MAX];
	text_size_human(made.size_bytes, size);
	if (backup)
		printf("the store is copied to %s: %llu entries, %s\n", folder, (unsigned long long)made.entries, size);
	else
		printf("the store is restored from %s: the controller will observe until `kedge controller confirm`\n",
		    folder);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	    {"verbose", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'},
	    {0}};
	const char *path = "/etc/kedge/controller.yaml";
	enum log_level least = LOG_LEVEL_INFO;
	for (int o; (o = getopt_long(argc, argv, "c:vhV", options, NULL)) != -1;) {
		if (o == 'c')
			path = optarg;
		else if (o == 'v')
			least = LOG_LEVEL_DEBUG;
		else if (o == 'V')
			return printf("kedge-controller %s\n", KEDGE_VERSION) < 0;
		else
			return fputs(usage, o == 'h' ? stdout : stderr), o == 'h' ? EXIT_DONE : EXIT_USAGE;
	}
	const char *verb = optind < argc ? argv[optind] : NULL;
	bool with_folder = text_equal(verb, "backup") || text_equal(verb, "restore");
	if (!verb || argc - optind != (with_folder ? 2 : 1) ||
	    !(with_folder || text_equal(verb, "run") || text_equal(verb, "check")))
		return fputs(usage, stderr), EXIT_USAGE;
	log_setup("kedge-controller", least);
	struct err err = ERR_INIT;
	const struct controller_yaml *y;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	if (!arena || controller_config_load(path, arena, &y, &err) != ERR_OK)
		return fail(&err);
	if (text_equal(verb, "check") && daemon_check(y, arena, &err) != ERR_OK)
		return fail(&err);
	if (text_equal(verb, "check"))
		return printf("%s is in order\n", path) < 0;
	if (with_folder)
		return store_command(y, verb, argv[optind + 1]);
	return daemon_run(y, arena, &err) == ERR_OK ? EXIT_DONE : fail(&err);
}
