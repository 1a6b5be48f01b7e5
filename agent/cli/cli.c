/* agent/cli/cli.c: words to commands. */
#include "agent/cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/keeper/keeper.h"
#include "certs/enrol.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static const char usage[] =
    "usage: kedge-agent COMMAND [--config FILE] [-o table|wide|json|yaml]\n"
    "\n"
    "  run                                   guard this host until SIGTERM\n"
    "  check                                 read agent.yaml, change nothing\n"
    "  status                                what could be brought back now, and how surely\n"
    "  join --token TOKEN --authority FILE --controller URL\n"
    "                                        enrol: make a key here, get a certificate for it\n"
    "  snapshot create SERVICE… [--component C]… [--emergency]\n"
    "  snapshot list [SERVICE]\n"
    "  snapshot show ID\n"
    "  snapshot diff ID [ID]                 two restore points, or one and what is there now [--exact]\n"
    "                                        [--component C]… [--text]: with unified diffs of text files\n"
    "  snapshot verify ID|SERVICE… [--sample]\n"
    "  snapshot drill SERVICE…               restore it into a folder aside, run its check there, take the time\n"
    "  snapshot hold ID --reason TEXT        it stays, whatever retention says, until it is released\n"
    "  snapshot release ID --reason TEXT\n"
    "  snapshot prune [SERVICE] [--apply]    what retention would remove; --apply does it\n"
    "  rollback plan SERVICE --to WHICH [--component C]…\n"
    "  rollback start SERVICE --to WHICH [--component C]… [--deep] [--no-prove] [--cross-schema]\n"
    "  rollback start SERVICE --to-time TIME | --to-lsn LSN | --to-xid N | --to-name NAME [--timeline N]\n"
    "                                        its database to a moment that its archive of the log reaches\n"
    "  rollback start SERVICE --progressive [--to WHICH] [--component C]…\n"
    "                                        configuration, then code, then data; then older restore points, until the probes pass, deep ones too\n"
    "  rollback prepare SERVICE --to WHICH [--component C]…\n"
    "                                        stage its trees beside the live ones: a rollback to WHICH then takes an instant\n"
    "  rollback prepare SERVICE --drop [--to WHICH] [--component C]…\n"
    "  rollback prepared [SERVICE]           the trees that are staged so\n"
    "  rollback settle [SERVICE]             make restore points of what such rollbacks set aside (they do it by themselves)\n"
    "  rollback recover                      bring interrupted rollbacks to an end\n"
    "  restore ID --into DIR [--component C]… [PATH…]\n"
    "  wal push PATH NAME | wal fetch NAME PATH   PostgreSQL's archive_command and restore_command\n"
    "  wal status [SERVICE]                  how well the archive of the log follows its database\n"
    "  repo init|check [--data]|rebuild-index|stats\n"
    "  repo recovery-key NAME --into FILE    a key pair that can open repositories of lost hosts: FILE is its secret half\n"
    "  repo unlock --key FILE [--repository DIR]\n"
    "                                        a lost host's repository gets its key back\n"
    "  repo rotate-key                       a new key seals from now on; nothing is rewritten\n"
    "  copy run                              to the object store of agent.yaml: what is not there yet\n"
    "  copy status | copy unneeded           how the copies stand; objects that nothing needs any more\n"
    "  copy verify [--sample]                read back from the store and compared\n"
    "  copy restore --key FILE [--into DIR] [--generation N] [--inventory N] [ID]\n"
    "                                        a repository out of the store, on an empty host\n"
    "\n"
    "--repository DIR looks into another host's repository, for snapshot list|show|diff|verify, restore and repo check|stats.\n"
    "WHICH is a restore point's id or its beginning, last, last-good, or a time (2026-11-23T04:00:00Z).\n"
    "examples: kedge-agent snapshot create portal\n"
    "          kedge-agent rollback start portal --to last-good --component config\n"
    "          kedge-agent restore snap-01jd --into /tmp/look --component data\n";

int cli_exit(enum err_code code)
{
	switch (code) {
	case ERR_OK:
		return EXIT_DONE;
	case ERR_DENIED:
	case ERR_STATE:
	case ERR_BUSY:
		return EXIT_REFUSED;
	case ERR_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case ERR_UNREACHABLE:
		return EXIT_UNREACHABLE;
	case ERR_TIMEOUT:
		return EXIT_TIMED_OUT;
	default:
		return EXIT_FAILED;
	}
}

int cli_fail(const struct err *err)
{
	cli_progress_end();
	fprintf(stderr, "kedge-agent: %s\n", err->msg);
	return cli_exit(err->code);
}

/* ---- output ---- */

static struct table_options table_options(const struct cli *c)
{
	struct winsize w;
	bool terminal = isatty(STDOUT_FILENO);
	struct table_options o = {.wide = c->format == CLI_WIDE, .colour = terminal};
	if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0)
		o.width = w.ws_col;
	return o;
}

static int put(struct buf *out, enum err_code rc, const struct err *err)
{
	bool ok =
	    rc == ERR_OK && !out->failed && fwrite(out->data, 1, out->size, stdout) == out->size && fflush(stdout) == 0;
	buf_done(out);
	return rc != ERR_OK ? cli_fail(err) : ok ? EXIT_DONE : EXIT_FAILED;
}

int cli_records(const struct cli *c, const struct record_type *type, const void *const *records, size_t count)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	struct table_options o = table_options(c);
	enum err_code rc = ERR_OK;
	if (c->format == CLI_TABLE || c->format == CLI_WIDE)
		return put(&out, record_table(type, records, count, &o, &out, &err), &err);
	buf_text(&out, c->format == CLI_JSON ? "[" : "");
	for (size_t i = 0; rc == ERR_OK && i < count; i++) {
		if (c->format == CLI_JSON) {
			buf_text(&out, i ? ",\n" : "");
			rc = record_to_json(type, records[i], 0, &out, &err);
		} else {
			buf_text(&out, "---\n");
			rc = record_to_yaml(type, records[i], &out, &err);
		}
	}
	buf_text(&out, c->format == CLI_JSON ? "]\n" : "");
	return put(&out, rc, &err);
}

int cli_record(const struct cli *c, const struct record_type *type, const void *record)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	struct table_options o = table_options(c);
	if (c->format == CLI_YAML)
		return put(&out, record_to_yaml(type, record, &out, &err), &err);
	if (c->format != CLI_JSON)
		return put(&out, record_sheet(type, record, &o, &out, &err), &err);
	enum err_code rc = record_to_json(type, record, RECORD_PRETTY, &out, &err);
	buf_text(&out, "\n");
	return put(&out, rc, &err);
}

static bool progress_shown;

void cli_progress(const char *what, double percent, const char *text)
{
	enum { BAR = 24 };
	char bar[BAR + 1];
	if (!isatty(STDERR_FILENO))
		return;
	int full = percent < 0 ? 0 : percent > 100 ? BAR : (int)(percent / 100 * BAR);
	for (int i = 0; i < BAR; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR] = '\0';
	if (percent < 0)
		fprintf(stderr, "\r\033[K%s  %s", what, text ? text : "");
	else
		fprintf(stderr, "\r\033[K%s  [%s] %3.0f %%  %s", what, bar, percent, text ? text : "");
	progress_shown = true;
}

void cli_progress_end(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

/* ---- commands that are no noun ---- */

static int do_run(struct cli *c)
{
	struct err err = ERR_INIT;
	return keeper_run(c->config, &err) == ERR_OK ? EXIT_DONE : cli_fail(&err);
}

static int do_check(struct cli *c)
{
	printf("%s is in order: host %s, %zu services\n", c->config_path, c->config->host, c->config->services.count);
	return EXIT_DONE;
}

static int do_join(struct cli *c)
{
	struct err err = ERR_INIT;
	char folder[PATH_LIMIT];
	if (!c->token || !c->authority || !c->controller || !c->config->controller)
		return fputs(
			   "kedge-agent: join needs --token, --authority, --controller URL (of the operators' port), and `controller` in agent.yaml\n",
			   stderr),
		       EXIT_USAGE;
	if (!text_format(folder, sizeof folder, "%s/identity", c->config->state_directory))
		return EXIT_FAILED;
	struct enrol_options o = {.url = c->controller,
	    .controller = c->config->controller->name,
	    .domain = c->config->domain,
	    .role = TLS_ROLE_HOST,
	    .name = c->config->host,
	    .token = c->token,
	    .authority = c->authority,
	    .folder = folder,
	    .now_ms = clock_wall_ms()};
	struct tls_peer me;
	enum err_code rc = file_make_dirs(c->config->state_directory, 0711, &err);
	if (rc != ERR_OK || enrol_join(&o, &me, &err) != ERR_OK)
		return cli_fail(&err);
	printf("host %s is enrolled: its certificate is in %s\n", c->config->host, folder);
	return EXIT_DONE;
}

/* ---- the words ---- */

static bool add_component(struct cli *c, const char *name)
{
	uint32_t which;
	if (!enum_value(&component_enum, name, &which))
		return fprintf(stderr, "kedge-agent: \"%s\" is no component: config, code, data or database\n", name) <
		       0;
	c->components |= 1u << which;
	return true;
}

static bool set_format(struct cli *c, const char *name)
{
	static const char *const names[] = {
	    [CLI_TABLE] = "table", [CLI_WIDE] = "wide", [CLI_JSON] = "json", [CLI_YAML] = "yaml"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_equal(name, names[i])) {
			c->format = (enum cli_format)i;
			return true;
		}
	return fprintf(stderr, "kedge-agent: -o takes table, wide, json or yaml\n") < 0;
}

static bool set_number(uint32_t *ret, const char *option, const char *text)
{
	uint64_t n;
	if (text_u64(text, &n, NULL) != ERR_OK || n == 0 || n > UINT32_MAX)
		return fprintf(stderr, "kedge-agent: %s takes a number from 1\n", option) < 0;
	*ret = (uint32_t)n;
	return true;
}

enum option_code {
	OPT_TO = 256,
	OPT_AREA,
	OPT_HISTORY,
	OPT_TO_TIME,
	OPT_TO_LSN,
	OPT_TO_XID,
	OPT_TO_NAME,
	OPT_TIMELINE,
	OPT_INTO,
	OPT_TOKEN,
	OPT_AUTHORITY,
	OPT_CONTROLLER,
	OPT_SAMPLE,
	OPT_APPLY,
	OPT_EXACT,
	OPT_NO_PROVE,
	OPT_DEEP,
	OPT_PROGRESSIVE,
	OPT_CROSS_SCHEMA,
	OPT_DATA,
	OPT_COMPONENT,
	OPT_DROP,
	OPT_VERSION,
	OPT_SERVICE,
	OPT_REASON,
	OPT_REPOSITORY,
	OPT_EMERGENCY,
	OPT_TEXT,
	OPT_KEY,
	OPT_GENERATION,
	OPT_INVENTORY
};

static const struct option options[] = {{"config", required_argument, NULL, 'c'},
    {"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {"verbose", no_argument, NULL, 'v'},
    {"to", required_argument, NULL, OPT_TO}, {"into", required_argument, NULL, OPT_INTO},
    {"token", required_argument, NULL, OPT_TOKEN}, {"authority", required_argument, NULL, OPT_AUTHORITY},
    {"controller", required_argument, NULL, OPT_CONTROLLER}, {"sample", no_argument, NULL, OPT_SAMPLE},
    {"apply", no_argument, NULL, OPT_APPLY}, {"exact", no_argument, NULL, OPT_EXACT},
    {"no-prove", no_argument, NULL, OPT_NO_PROVE}, {"deep", no_argument, NULL, OPT_DEEP},
    {"progressive", no_argument, NULL, OPT_PROGRESSIVE}, {"cross-schema", no_argument, NULL, OPT_CROSS_SCHEMA},
    {"data", no_argument, NULL, OPT_DATA}, {"component", required_argument, NULL, OPT_COMPONENT},
    {"version", no_argument, NULL, OPT_VERSION}, {"service", required_argument, NULL, OPT_SERVICE},
    {"area", required_argument, NULL, OPT_AREA}, {"history", no_argument, NULL, OPT_HISTORY},
    {"to-time", required_argument, NULL, OPT_TO_TIME}, {"to-lsn", required_argument, NULL, OPT_TO_LSN},
    {"to-xid", required_argument, NULL, OPT_TO_XID}, {"to-name", required_argument, NULL, OPT_TO_NAME},
    {"timeline", required_argument, NULL, OPT_TIMELINE}, {"reason", required_argument, NULL, OPT_REASON},
    {"repository", required_argument, NULL, OPT_REPOSITORY}, {"emergency", no_argument, NULL, OPT_EMERGENCY},
    {"text", no_argument, NULL, OPT_TEXT}, {"drop", no_argument, NULL, OPT_DROP},
    {"key", required_argument, NULL, OPT_KEY}, {"generation", required_argument, NULL, OPT_GENERATION},
    {"inventory", required_argument, NULL, OPT_INVENTORY}, {0}};

/* False: the program ends with *ret_exit. */
static bool read_options(struct cli *c, int argc, char **argv, enum log_level *least, int *ret_exit)
{
	*ret_exit = EXIT_USAGE;
	for (int o; (o = getopt_long(argc, argv, "c:o:hv", options, NULL)) != -1;) {
		bool ok = true;
		switch (o) {
		case 'c':
			c->config_path = optarg;
			break;
		case 'o':
			ok = set_format(c, optarg);
			break;
		case 'v':
			*least = LOG_LEVEL_DEBUG;
			break;
		case OPT_TO:
			c->to = optarg;
			break;
		case OPT_INTO:
			c->into = optarg;
			break;
		case OPT_TOKEN:
			c->token = optarg;
			break;
		case OPT_AUTHORITY:
			c->authority = optarg;
			break;
		case OPT_CONTROLLER:
			c->controller = optarg;
			break;
		case OPT_SAMPLE:
			c->sample = true;
			break;
		case OPT_APPLY:
			c->apply = true;
			break;
		case OPT_EXACT:
			c->exact = true;
			break;
		case OPT_NO_PROVE:
			c->no_prove = true;
			break;
		case OPT_CROSS_SCHEMA:
			c->cross_schema = true;
			break;
		case OPT_DEEP:
			c->deep = true;
			break;
		case OPT_PROGRESSIVE:
			c->progressive = true;
			break;
		case OPT_DATA:
			c->data = true;
			break;
		case OPT_SERVICE:
			c->service = optarg;
			break;
		case OPT_AREA:
			c->area = optarg;
			break;
		case OPT_HISTORY:
			c->history = true;
			break;
		case OPT_TO_TIME:
			c->to_time = optarg;
			break;
		case OPT_TO_LSN:
			c->to_lsn = optarg;
			break;
		case OPT_TO_XID:
			c->to_xid = optarg;
			break;
		case OPT_TO_NAME:
			c->to_name = optarg;
			break;
		case OPT_TIMELINE:
			c->timeline = optarg;
			break;
		case OPT_REASON:
			c->reason = optarg;
			break;
		case OPT_REPOSITORY:
			c->repository = optarg;
			break;
		case OPT_KEY:
			c->key = optarg;
			break;
		case OPT_GENERATION:
			ok = set_number(&c->generation, "--generation", optarg);
			break;
		case OPT_INVENTORY:
			ok = set_number(&c->inventory, "--inventory", optarg);
			break;
		case OPT_TEXT:
			c->text = true;
			break;
		case OPT_DROP:
			c->drop = true;
			break;
		case OPT_EMERGENCY:
			c->emergency = true;
			break;
		case OPT_COMPONENT:
			ok = add_component(c, optarg);
			break;
		case 'h':
		case OPT_VERSION:
			*ret_exit = EXIT_DONE;
			if (o == 'h')
				fputs(usage, stdout);
			else
				printf("kedge-agent %s\n", KEDGE_VERSION);
			return false;
		default:
			fputs("try: kedge-agent --help\n", stderr);
			ok = false;
		}
		if (!ok)
			return false;
	}
	return true;
}

static int dispatch(struct cli *c, const char *noun, const char *verb)
{
	if (text_equal(noun, "run"))
		return do_run(c);
	if (text_equal(noun, "check"))
		return do_check(c);
	if (text_equal(noun, "status"))
		return cli_status(c);
	if (text_equal(noun, "join"))
		return do_join(c);
	if (text_equal(noun, "restore"))
		return cli_restore(c);
	if (text_equal(noun, "snapshot"))
		return cli_snapshot(c, verb);
	if (text_equal(noun, "rollback"))
		return cli_rollback(c, verb);
	if (text_equal(noun, "repo"))
		return cli_repo(c, verb);
	if (text_equal(noun, "copy"))
		return cli_copy(c, verb);
	if (text_equal(noun, "wal"))
		return cli_wal(c, verb);
	fprintf(stderr, "kedge-agent: there is no command %s; try: kedge-agent --help\n", noun);
	return EXIT_USAGE;
}

int cli_main(int argc, char **argv)
{
	struct cli c = {.config_path = "/etc/kedge/agent.yaml"};
	enum log_level least = LOG_LEVEL_INFO;
	struct err err = ERR_INIT;
	int code;
	if (!read_options(&c, argc, argv, &least, &code))
		return code;
	if (optind >= argc)
		return fputs(usage, stderr), EXIT_USAGE;
	const char *noun = argv[optind++];
	bool has_verb = text_equal(noun, "snapshot") || text_equal(noun, "rollback") || text_equal(noun, "repo") ||
			text_equal(noun, "wal") || text_equal(noun, "copy");
	const char *verb = has_verb && optind < argc ? argv[optind++] : "";
	c.argc = argc - optind;
	c.argv = argv + optind;
	log_setup("kedge-agent", text_equal(noun, "run") || least == LOG_LEVEL_DEBUG ? least : LOG_LEVEL_WARN);
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	c.arena = arena;
	/* What a recovering server runs must not depend on a file that a person may be editing. */
	if (c.area && text_equal(noun, "wal") && text_equal(verb, "fetch"))
		return cli_wal(&c, verb);
	if (!arena || agent_config_load(c.config_path, arena, &c.config, &err) != ERR_OK)
		return cli_fail(&err);
	return dispatch(&c, noun, verb);
}
