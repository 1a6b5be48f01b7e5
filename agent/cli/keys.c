/* agent/cli/keys.c: kedge-agent repo recovery-key, unlock, rotate-key */
#include <stdio.h>

#include "agent/cli/cli.h"
#include "agent/repository/recovery.h"
#include "shared/base/text.h"

int cli_recovery_key(struct cli *c)
{
	char line[RECOVERY_LINE_MAX];
	struct err err = ERR_INIT;
	if (c->argc != 1 || !c->into)
		return fputs("usage: kedge-agent repo recovery-key NAME --into FILE\n", stderr), EXIT_USAGE;
	if (recovery_new(c->argv[0], c->into, line, &err) != ERR_OK)
		return cli_fail(&err);
	printf("%s\n", line);
	fprintf(stderr,
	    "That line belongs into recovery_keys of every agent.yaml.  %s is the secret half: keep it away from every host.\n",
	    c->into);
	return EXIT_DONE;
}

int cli_unlock(struct cli *c)
{
	char path[PATH_LIMIT], hex[2 * 32 + 1];
	struct repo_unlocked u;
	struct err err = ERR_INIT;
	if (c->argc || !c->key)
		return fputs("usage: kedge-agent repo unlock --key FILE [--repository DIR]\n", stderr), EXIT_USAGE;
	if (c->repository ? !text_format(path, sizeof path, "%s", c->repository)
			  : !text_format(path, sizeof path, "%s/repository", c->config->state_directory))
		return EXIT_FAILED;
	if (repo_unlock(path, c->key, &u, &err) != ERR_OK)
		return cli_fail(&err);
	printf("%s is the repository of host %s, opened with the recovery key of %s\n", path, u.host, u.recipient);
	printf("its manifests are signed by the key with the SHA-256 %s: compare it, if you have it from elsewhere\n",
	    text_hex(u.fingerprint, 32, hex));
	return EXIT_DONE;
}

int cli_rotate(struct cli *c, struct repo *repo)
{
	uint32_t number;
	struct err err = ERR_INIT;
	if (c->argc)
		return fputs("usage: kedge-agent repo rotate-key\n", stderr), EXIT_USAGE;
	if (repo_rotate(repo, &number, &err) != ERR_OK)
		return cli_fail(&err);
	printf("key %u seals from now on; what older keys sealed stays readable\n", number);
	return EXIT_DONE;
}
