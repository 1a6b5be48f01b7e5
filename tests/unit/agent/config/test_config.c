/* Good files: the one of the design, the one that is shipped, and what is filled in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

/* Verbatim from the design of agent.yaml. */
static const char design[] =
    "services:\n"
    "  portal:\n"
    "    components:\n"
    "      config:   { paths: [/etc/nginx] }\n"
    "      code:     { git: /srv/portal }            # or  paths: […], or  release: /srv/portal/current (symlink to "
    "releases)\n"
    "      data:     { paths: [/var/lib/portal], exclude: [\"cache/**\"] }\n"
    "      database: { postgres: { data_directory: /var/lib/postgresql/15/main, wal_archive: true } }\n"
    "    steps:      { stop: [systemctl, stop, nginx], start: [systemctl, start, nginx], reload: [systemctl, reload, "
    "nginx], check: [nginx, -t] }\n"
    "    probes:\n"
    "      - { name: http,  tier: shallow, every: 30s, http: { url: \"http://127.0.0.1/healthz\", expect: 200 }, "
    "timeout: 2s }\n"
    "      - { name: login, tier: deep,    every: 5m,  exec: [/usr/lib/nagios/plugins/check_http, -H, 127.0.0.1, -u, "
    "/login] }\n"
    "    logs:       [ /var/log/nginx/error.log, { journal: nginx.service } ]\n"
    "    depends_on: [ records-db ]\n"
    "    snapshots:  { every: 1h, keep: { hourly: 24, daily: 7, weekly: 4 } }\n"
    "    rollback:   { automatic: [config, code], max_per_hour: 3, confirm_within: 90s }\n";

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct agent_config *parse(const char *yaml)
{
	const struct agent_config *c = NULL;
	struct err err = ERR_INIT;

	if (agent_config_parse("agent.yaml", yaml, strlen(yaml), arena, &c, &err) != ERR_OK)
		fail_msg("%s\n%s", err.msg, yaml);
	return c;
}

/* "stop nginx" against a list of words. */
static void assert_words(const struct list *l, const char *words)
{
	char got[256] = "";

	for (size_t i = 0; i < l->count; i++)
		snprintf(
		    got + strlen(got), sizeof got - strlen(got), "%s%s", i ? " " : "", LIST_AT(*l, const char *, i));
	assert_string_equal(got, words);
}

static void the_designs_example(void **state)
{
	const struct agent_config *c = parse(design);
	const struct service_config *s = agent_config_service(c, "portal");
	(void)state;

	assert_int_equal(c->services.count, 1);
	assert_non_null(s);
	assert_null(agent_config_service(c, "records-db"));

	assert_words(&components_get(&s->components, COMPONENT_CONFIG)->paths, "/etc/nginx");
	assert_string_equal(components_get(&s->components, COMPONENT_CODE)->git, "/srv/portal");
	assert_words(&components_get(&s->components, COMPONENT_DATA)->paths, "/var/lib/portal");
	assert_words(&components_get(&s->components, COMPONENT_DATA)->exclude, "cache/**");
	const struct postgres_config *pg = components_get(&s->components, COMPONENT_DATABASE)->postgres;
	assert_string_equal(pg->data_directory, "/var/lib/postgresql/15/main");
	assert_true(pg->wal_archive);
	assert_string_equal(pg->bin_directory, "/usr/lib/postgresql/15/bin");
	assert_int_equal(pg->port, 5432);
	assert_string_equal(pg->user, "postgres");

	assert_words(&s->steps.stop, "systemctl stop nginx");
	assert_words(&s->steps.start, "systemctl start nginx");
	assert_words(&s->steps.reload, "systemctl reload nginx");
	assert_words(&s->steps.check, "nginx -t");
	assert_int_equal(s->steps.timeout_ms, 60000);

	assert_int_equal(s->probes.count, 4); /* two of them because of the cluster */
	const struct probe_config *http = &LIST_AT(s->probes, struct probe_config, 0), *login = http + 1;
	assert_string_equal(http->name, "http");
	assert_int_equal(http->tier, PROBE_SHALLOW);
	assert_int_equal(http->every_ms, 30000);
	assert_int_equal(http->timeout_ms, 2000);
	assert_string_equal(http->http->url, "http://127.0.0.1/healthz");
	assert_int_equal(http->http->expect, 200);
	assert_int_equal(login->tier, PROBE_DEEP);
	assert_int_equal(login->every_ms, 300000);
	assert_words(&login->exec, "/usr/lib/nagios/plugins/check_http -H 127.0.0.1 -u /login");

	assert_int_equal(s->logs.count, 2);
	assert_string_equal(LIST_AT(s->logs, struct log_config, 0).file, "/var/log/nginx/error.log");
	assert_null(LIST_AT(s->logs, struct log_config, 0).journal);
	assert_string_equal(LIST_AT(s->logs, struct log_config, 1).journal, "nginx.service");
	assert_null(LIST_AT(s->logs, struct log_config, 1).file);
	assert_words(&s->depends_on, "records-db");

	assert_int_equal(s->snapshots.every_ms, 3600000);
	assert_int_equal(s->snapshots.keep.hourly, 24);
	assert_int_equal(s->snapshots.keep.daily, 7);
	assert_int_equal(s->snapshots.keep.weekly, 4);
	assert_int_equal(s->snapshots.keep.monthly, 0);
	assert_int_equal(component_set(&s->rollback.automatic), 1u << COMPONENT_CONFIG | 1u << COMPONENT_CODE);
	assert_int_equal(s->rollback.max_per_hour, 3);
	assert_int_equal(s->rollback.confirm_within_ms, 90000);
}

static void defaults(void **state)
{
	const struct agent_config *c = parse("services:\n  portal: {}\n");
	const struct service_config *s = agent_config_service(c, "portal");
	(void)state;

	assert_null(c->host);
	assert_null(c->controller);
	assert_string_equal(c->state_directory, "/var/lib/kedge-agent");
	assert_string_equal(c->user, "kedge-agent");
	assert_int_equal(c->approvers.count, 0);
	assert_int_equal(c->approvals_needed, 1);
	assert_int_equal(c->spool_limit_bytes, 256 << 20);
	assert_int_equal(c->drift_every_ms, 300000);
	assert_int_equal(s->steps.timeout_ms, 60000);
	assert_int_equal(s->snapshots.every_ms, 0); /* nothing to take */
	assert_int_equal(s->snapshots.keep.hourly, 24);
	assert_int_equal(s->snapshots.keep.daily, 7);
	assert_int_equal(s->snapshots.keep.weekly, 4);
	assert_int_equal(s->rollback.max_per_hour, 3);
	assert_int_equal(s->rollback.confirm_within_ms, 0);
	assert_int_equal(s->rollback.automatic.count, 0); /* nothing without a person, unless the host says so */
	for (unsigned which = 0; which < COMPONENT_COUNT; which++)
		assert_null(components_get(&s->components, which));
	assert_null(components_get(&s->components, COMPONENT_COUNT));
}

static void empty_file(void **state)
{
	const struct agent_config *c = parse("{}\n");
	(void)state;
	assert_int_equal(c->services.count, 0);
}

static void tiers(void **state)
{
	const struct agent_config *c = parse("services:\n  portal:\n    probes:\n"
					     "      - { name: a, cpu: {} }\n"
					     "      - { name: b, memory: {}, tier: deep }\n"
					     "      - { name: c, disk: /, tier: full }\n"
					     "      - { name: d, disk: /, tier: full, every: 1m }\n");
	const uint64_t want_ms[] = {30000, 300000, 1800000, 60000};
	(void)state;

	for (unsigned i = 0; i < 4; i++) {
		const struct probe_config *p =
		    &LIST_AT(agent_config_service(c, "portal")->probes, struct probe_config, i);
		assert_int_equal(p->every_ms, want_ms[i]);
		assert_int_equal(p->timeout_ms, 5000);
		assert_int_equal(p->rise, 2);
		assert_int_equal(p->fall, 2);
		assert_int_equal(p->slow_ms, 1000);
	}
}

/* A lone word where a list or a mapping could stand. */
static void short_forms(void **state)
{
	const struct agent_config *c =
	    parse("services:\n  portal:\n"
		  "    components: { config: { paths: /etc/nginx }, database: { postgres: /srv/pg } }\n"
		  "    logs: /var/log/x.log\n"
		  "    depends_on: db\n"
		  "    rollback: { automatic: config }\n"
		  "    probes: [ { name: a, http: \"https://[::1]:8443/x\" }, { name: b, tcp: \"[::1]:80\" },\n"
		  "              { name: c, tls: \"example.org:443\" }, { name: d, process: /run/x.pid }, { name: e, "
		  "tcp: \"unix:/run/x\" } ]\n");
	const struct service_config *s = agent_config_service(c, "portal");
	(void)state;

	assert_words(&s->components.config->paths, "/etc/nginx");
	assert_string_equal(s->components.database->postgres->data_directory, "/srv/pg");
	assert_string_equal(LIST_AT(s->logs, struct log_config, 0).file, "/var/log/x.log");
	assert_words(&s->depends_on, "db");
	assert_int_equal(component_set(&s->rollback.automatic), 1u << COMPONENT_CONFIG);
	const struct probe_config *p = s->probes.items;
	assert_string_equal(p[0].http->url, "https://[::1]:8443/x");
	assert_int_equal(p[0].http->expect, 200);
	assert_string_equal(p[1].tcp->address, "[::1]:80");
	assert_int_equal(p[2].tls->warn_ms, 14 * (uint64_t)DAY_MS);
	assert_int_equal(p[2].tls->critical_ms, 3 * (uint64_t)DAY_MS);
	assert_string_equal(p[3].process->pid_file, "/run/x.pid");
	assert_int_equal(p[3].process->least, 1);
}

static void with_a_controller(void **state)
{
	static const char key[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFgIoSgiDmHyZdu9As6NrLgWS9xy/V+nFENnVwwM1LCH";
	char yaml[512];
	(void)state;

	snprintf(yaml, sizeof yaml,
	    "host: web-1\ndomain: kedge.example\ncontroller: \"wss://c1.kedge.example:7443\"\napprovers: [ \"%s "
	    "alice\" ]\n",
	    key);
	const struct agent_config *c = parse(yaml);
	assert_string_equal(c->controller->url, "wss://c1.kedge.example:7443");
	assert_string_equal(c->controller->name, "controller");
	assert_string_equal(c->domain, "kedge.example");
	assert_int_equal(c->approvers.count, 1);
	/* An approver's key is what shared/approval wants. */
	assert_true(text_starts(LIST_AT(c->approvers, const char *, 0), key));
}

static void snapshots_only_when_asked(void **state)
{
	const struct agent_config *c =
	    parse("services:\n  portal:\n    components: { config: { paths: [ /etc/portal ] } }\n"
		  "    snapshots: { every: 0s, verify_every: 2h }\n");
	(void)state;
	assert_int_equal(agent_config_service(c, "portal")->snapshots.every_ms, 0);
	assert_int_equal(agent_config_service(c, "portal")->snapshots.verify_every_ms, 2 * 3600000);
}

static void nothing_to_take_has_no_schedule(void **state)
{
	const struct agent_config *c = parse("services:\n  portal: { probes: [ { name: a, cpu: {} } ] }\n");
	const struct snapshots_config *s = &agent_config_service(c, "portal")->snapshots;
	(void)state;
	assert_true(!s->every_ms && !s->verify_every_ms && !s->sample_every_ms && !s->drill_every_ms);
	assert_true(s->keep.hourly > 0);
}

static void read_shipped(struct buf *out)
{
	char path[512];
	struct err err = ERR_INIT;

	snprintf(path, sizeof path, "%s/packaging/agent.yaml", getenv("KEDGE_SOURCE_DIR"));
	if (file_read(path, CONFIG_FILE_MAX, out, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

static void the_shipped_file(void **state)
{
	struct buf text = BUF_INIT;
	(void)state;

	read_shipped(&text);
	const struct agent_config *c = parse(buf_str(&text));
	/* As it is shipped it watches and changes nothing. */
	assert_int_equal(c->services.count, 1);
	const struct service_config *s = agent_config_service(c, "this-host");
	assert_non_null(s);
	for (unsigned which = 0; which < COMPONENT_COUNT; which++)
		assert_null(components_get(&s->components, which));
	buf_done(&text);
}

/* Its examples work when the "#" is taken away. */
static void the_shipped_examples(void **state)
{
	struct buf text = BUF_INIT, live = BUF_INIT;
	(void)state;

	read_shipped(&text);
	for (const char *line = buf_str(&text); *line;) {
		size_t size = strcspn(line, "\n") + 1;
		bool example = line[0] == '#' && line[1] != '\n' && (line[1] != ' ' || line[2] == ' ');
		buf_append(&live, line + example, size - example);
		line += size;
	}
	const struct agent_config *c = parse(buf_str(&live));
	assert_int_equal(c->services.count, 2);
	const struct service_config *s = agent_config_service(c, "portal");
	assert_non_null(s);
	assert_int_equal(s->probes.count, 10); /* two of them because of its cluster */
	assert_non_null(c->controller);
	assert_int_equal(c->approvers.count, 2);
	for (unsigned which = 0; which < COMPONENT_COUNT; which++)
		assert_non_null(components_get(&s->components, which));
	buf_done(&text);
	buf_done(&live);
}

static void loading(void **state)
{
	char path[] = "/tmp/kedge-config-XXXXXX", kernel[65];
	const struct agent_config *c = NULL;
	struct err err = ERR_INIT;
	int fd = mkstemp(path);
	(void)state;

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, design, strlen(design), &err), ERR_OK);
	close(fd);
	assert_int_equal(agent_config_load(path, arena, &c, &err), ERR_OK);
	assert_int_equal(gethostname(kernel, sizeof kernel), 0);
	assert_int_equal(strcasecmp(c->host, kernel), 0);
	assert_int_equal(unlink(path), 0);

	c = NULL;
	assert_int_equal(agent_config_load(path, arena, &c, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, path));
	assert_null(c);
}

/* What is written out reads back the same: `kedge-agent check -o yaml` shows what holds. */
static void comes_back(void **state)
{
	const struct agent_config *c = parse(design);
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	(void)state;

	if (record_to_yaml(&agent_config_type, c, &out, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	const struct agent_config *again = parse(buf_str(&out));
	assert_true(record_equal(&agent_config_type, c, again));
	buf_done(&out);
}

/* A cluster is looked into without anybody having written it down; what somebody has written down stands. */
static void a_cluster_is_looked_into(void **state)
{
	(void)state;
	static const char file[] =
	    "services:\n  records:\n    components: { database: { postgres: { data_directory: /srv/pg%s } } }\n"
	    "    probes: [ { name: a, tcp: \"[::1]:80\" }%s ]\n";
	static const struct {
		const char *watched, *more;
		size_t count;
	} cases[] = {{"", "", 3}, {", unwatched: true", "", 1},
	    {"", ", { name: postgres, every: 60s, postgres: { warn_percent: 70 } }", 3}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[512];
		assert_true(text_format(text, sizeof text, file, cases[i].watched, cases[i].more));
		const struct service_config *s = agent_config_service(parse(text), "records");
		const struct probe_config *p = s->probes.items;
		assert_int_equal(s->probes.count, cases[i].count);
		if (s->probes.count < 3)
			continue;
		assert_string_equal(p[1].name, "postgres");
		assert_ptr_equal(p[1].postgres->cluster, s->components.database->postgres);
		assert_true(p[1].postgres->warn_percent == (cases[i].more[0] ? 70 : 80));
		assert_int_equal(p[1].every_ms, cases[i].more[0] ? 60000 : 30000);
		assert_string_equal(p[2].name, "postgres-log");
		assert_string_equal(p[2].folder->path, "/srv/pg/pg_wal");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(the_designs_example),
	    TEST(defaults),
	    TEST(empty_file),
	    TEST(tiers),
	    TEST(short_forms),
	    TEST(a_cluster_is_looked_into),
	    TEST(with_a_controller),
	    TEST(snapshots_only_when_asked),
	    TEST(nothing_to_take_has_no_schedule),
	    TEST(the_shipped_file),
	    TEST(the_shipped_examples),
	    TEST(loading),
	    TEST(comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
