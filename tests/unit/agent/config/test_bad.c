/* What is wrong in a file is told with its line, its key and what was expected, word for word. */
#include <stdio.h>
#include <string.h>

#include "agent/config/config.h"
#include "tests/lib/unit.h"

static const struct {
	const char *yaml, *says;
} bad[] = {
    {"services: [\n", "agent.yaml:2: no valid YAML: did not find expected node content, while parsing a flow node"},
    {"- services\n", "agent.yaml:1: expected a mapping, got a list"},
    {"services\n", "agent.yaml:1: expected a mapping, got services"},
    {"host: a\n---\nhost: b\n", "agent.yaml:2: a second document is not allowed"},
    {"host: &a web-1\nuser: *a\n", "agent.yaml:1: anchors and aliases are not allowed"},
    {"services:\n\tportal: {}\n",
	"agent.yaml:2: no valid YAML: found character that cannot start any token, while scanning for the next token"},
    {"servces: {}\n", "agent.yaml:1: unknown key \"servces\"; did you mean \"services\"?"},
    {"host: a\nhost: b\n", "agent.yaml:2: host: stands there twice"},
    {"host: \"a\\0b\"\n", "agent.yaml:1: text holds a NUL"},
    {"host: web 1\n", "agent.yaml:1: host: expected lower-case letters, digits, hyphens and dots, got \"web 1\""},
    {"host: Web-1\n", "agent.yaml:1: host: expected lower-case letters, digits, hyphens and dots, got \"Web-1\""},
    {"host: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	"agent.yaml:1: host: expected at most 64 bytes, got 65"},
    {"domain: \"kedge domain\"\n",
	"agent.yaml:1: domain: expected lower-case letters, digits, hyphens and dots, got \"kedge domain\""},
    {"controller: { url: \"wss://c:7443\" }\n", "agent.yaml:1: domain: expected, as there is a controller"},
    {"domain: d\ncontroller: { url: \"ws://c:7443\" }\n",
	"agent.yaml:2: controller.url: expected wss://host:port, got \"ws://c:7443\""},
    {"domain: d\ncontroller: { url: \"wss://c\" }\n",
	"agent.yaml:2: controller.url: expected wss://host:port, got \"wss://c\""},
    {"domain: d\ncontroller: { url: \"wss://c:7443/x\" }\n",
	"agent.yaml:2: controller.url: expected wss://host:port, got \"wss://c:7443/x\""},
    {"domain: d\ncontroller: { url: \"wss://c:7443\", name: \"The One\" }\n",
	"agent.yaml:2: controller.name: expected lower-case letters, digits and hyphens, got \"The One\""},
    {"domain: d\ncontroller: { name: c }\n", "agent.yaml:2: controller.url: is required"},
    {"state_directory: kedge\n", "agent.yaml:1: state_directory: expected an absolute path without \"..\", \"//\" or a "
				 "slash at its end, got \"kedge\""},
    {"state_directory: /var/lib/../kedge\n", "agent.yaml:1: state_directory: expected an absolute path without \"..\", "
					     "\"//\" or a slash at its end, got \"/var/lib/../kedge\""},
    {"state_directory: /var/lib/kedge/\n", "agent.yaml:1: state_directory: expected an absolute path without \"..\", "
					   "\"//\" or a slash at its end, got \"/var/lib/kedge/\""},
    {"state_directory: /var//lib\n", "agent.yaml:1: state_directory: expected an absolute path without \"..\", \"//\" "
				     "or a slash at its end, got \"/var//lib\""},
    {"user: \"no body\"\n", "agent.yaml:1: user: expected a user name, got \"no body\""},
    {"spool_limit: 1KiB\n", "agent.yaml:1: spool_limit: expected at least 1 MiB, got 1 KiB"},
    {"spool_limit: lots\n", "agent.yaml:1: spool_limit: expected a size such as \"64MiB\", got lots"},
    {"drift_every: 300\n", "agent.yaml:1: drift_every: expected a duration such as \"30s\", got 300"},
    {"drift_every: 10ms\n", "agent.yaml:1: drift_every: expected at least 1 s, got 10 ms"},
    {"approvers: [\"ssh-rsa AAAA alice\"]\n",
	"agent.yaml:1: approvers[0]: expected a key of kind ssh-ed25519 or ecdsa-sha2-nistp256"},
    {"approvers:\n  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFgIoSgiDmHyZdu9As6NrLgWS9xy/V+nFENnVwwM1LCH\n",
	"agent.yaml:2: approvers[0]: expected the owner's name after the key"},
    {"approvers:\n  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFgIoSgiDmHyZdu9As6NrLgWS9xy/V+nFENnVwwM1LCH alice\n  - "
     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFgIoSgiDmHyZdu9As6NrLgWS9xy/V+nFENnVwwM1LCH bob\n",
	"agent.yaml:3: approvers[1]: the same key as approvers[0]"},
    {"approvers:\n  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFgIoSgiDmHyZdu9As6NrLgWS9xy/V+nFENnVwwM1LCH "
     "alice\napprovals_needed: 2\n",
	"agent.yaml:3: approvals_needed: 2, but the approvers' keys have 1 owner"},
    {"approvers:\n  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFgIoSgiDmHyZdu9As6NrLgWS9xy/V+nFENnVwwM1LCH alice@a\n  - "
     "ecdsa-sha2-nistp256 "
     "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFthsc33aBmmoP30j0ZkCR4pTyFbrjXpDgOa3dN/"
     "SYmv8KHaqFdZwDnbAmxTXC7oLFzsv95/6kbpEW3JSup/kbs= alice@b\napprovals_needed: 2\n",
	"agent.yaml:4: approvals_needed: 2, but the approvers' keys have 1 owner"},
    {"approvals_needed: 0\n", "agent.yaml:1: approvals_needed: expected at least 1, got 0"},
    {"services:\n  Portal: {}\n",
	"agent.yaml:2: services.Portal.name: expected lower-case letters, digits and hyphens, got \"Portal\""},
    {"services:\n  portal-: {}\n",
	"agent.yaml:2: services.portal-.name: expected lower-case letters, digits and hyphens, got \"portal-\""},
    {"services:\n  portal: {}\n  portal: {}\n", "agent.yaml:1: services[1]: \"portal\" stands there twice"},
    {"services:\n  portal:\n    prbes: []\n",
	"agent.yaml:3: services.portal: unknown key \"prbes\"; did you mean \"probes\"?"},
    {"services:\n  portal:\n    depends_on: [portal]\n",
	"agent.yaml:3: services.portal.depends_on[0]: a service cannot depend on itself"},
    {"services:\n  portal:\n    depends_on: [db, db]\n",
	"agent.yaml:3: services.portal.depends_on[1]: \"db\" stands there twice"},
    {"services:\n  portal:\n    depends_on: [\"my db\"]\n",
	"agent.yaml:3: services.portal.depends_on[0]: expected the name of a service, got \"my db\""},
    {"services:\n  portal:\n    components: { config: { paths: [/etc/x] } }\n    rollback: { automatic: [config, code] "
     "}\n",
	"agent.yaml:4: services.portal.rollback.automatic[1]: the service has no component code"},
    {"services:\n  portal:\n    components: { config: { paths: [/etc/x] } }\n    rollback: { automatic: [config, "
     "config] }\n",
	"agent.yaml:4: services.portal.rollback.automatic[1]: config stands there twice"},
    {"services:\n  portal:\n    rollback: { automatic: [everything] }\n",
	"agent.yaml:3: services.portal.rollback.automatic[0]: expected one of config, code, data, database, got "
	"everything"},
    {"services:\n  portal:\n    rollback: { max_per_hour: 0 }\n",
	"agent.yaml:3: services.portal.rollback.max_per_hour: expected at least 1, got 0"},
    {"services:\n  portal:\n    rollback: { max_per_hour: 1000 }\n",
	"agent.yaml:3: services.portal.rollback.max_per_hour: expected at most 60, got 1000"},
    {"services:\n  portal:\n    rollback: { confirm_within: 1s }\n",
	"agent.yaml:3: services.portal.rollback.confirm_within: expected at least 3 s, got 1 s"},
    {"services:\n  portal:\n    rollback: { confirm_within: 5m }\n",
	"agent.yaml:3: services.portal.rollback.confirm_within: expected at most 2 min, got 5 min"},
    {"copies: { s3: { endpoint: \"http://store.example\", bucket: abc, credentials_file: /c } }\n",
	"agent.yaml:1: copies.s3.endpoint: expected https://, as the store is not on this host (plain_http: true allows http://), "
	"got \"http://store.example\""},
    {"copies: { s3: { endpoint: \"http://127.store.example\", bucket: abc, credentials_file: /c } }\n",
	"agent.yaml:1: copies.s3.endpoint: expected https://, as the store is not on this host (plain_http: true allows http://), "
	"got \"http://127.store.example\""},
    {"copies: { s3: { endpoint: \"https://user@store\", bucket: abc, credentials_file: /c } }\n",
	"agent.yaml:1: copies.s3.endpoint: expected https://host or https://host:port, got \"https://user@store\""},
    {"copies: { s3: { endpoint: \"https://store/path\", bucket: abc, credentials_file: /c } }\n",
	"agent.yaml:1: copies.s3.endpoint: expected https://host or https://host:port, got \"https://store/path\""},
    {"copies: { s3: { endpoint: \"https://store\", bucket: A, credentials_file: /c } }\n",
	"agent.yaml:1: copies.s3.bucket: expected 3 to 63 lower-case letters, digits, hyphens and dots, got \"A\""},
    {"copies: { s3: { endpoint: \"https://store\", bucket: abc, prefix: x, credentials_file: /c } }\n",
	"agent.yaml:1: copies.s3.prefix: expected letters, digits, \"-_.\" and single slashes, the last of them at its end, got \"x\""},
    {"copies: { s3: { endpoint: \"https://store\", bucket: abc, prefix: ../, credentials_file: /c } }\n",
	"agent.yaml:1: copies.s3.prefix: expected letters, digits, \"-_.\" and single slashes, the last of them at its end, got \"../\""},
    {"copies: { s3: { endpoint: \"https://store\", bucket: abc, credentials_file: c } }\n",
	"agent.yaml:1: copies.s3.credentials_file: expected an absolute path without \"..\", \"//\" or a slash at its end, got \"c\""},
    {"copies: { every: 1h }\n", "agent.yaml:1: copies.s3: is required"},
    {"recovery_keys: [\"kedge-recovery-x25519 00ff safe\"]\n",
	"agent.yaml:1: recovery_keys[0]: expected a line of `kedge-agent repo recovery-key`: "
	"\"kedge-recovery-x25519\", 64 hex digits, a name"},
    {"services:\n  portal:\n    snapshots: { verify_every: 5s }\n",
	"agent.yaml:3: services.portal.snapshots.verify_every: expected at least 1m, or 0s for none"},
    {"services:\n  portal:\n    versions: { config_schema: { file: SCHEMA } }\n",
	"agent.yaml:3: services.portal.versions.config_schema.file: expected an absolute path without \"..\", \"//\" "
	"or a slash at its end, got \"SCHEMA\""},
    {"services:\n  portal:\n    snapshots: { every: 5s }\n",
	"agent.yaml:3: services.portal.snapshots.every: expected at least 1m, or 0s for none"},
    {"services:\n  portal:\n    snapshots: { keep: { hourly: -1 } }\n",
	"agent.yaml:3: services.portal.snapshots.keep.hourly: expected a whole number from 0, got -1"},
    {"services:\n  portal:\n    components: { cache: { paths: [/x] } }\n",
	"agent.yaml:3: services.portal.components: unknown key \"cache\""},
    {"services:\n  portal:\n    components: { config: {} }\n",
	"agent.yaml:3: services.portal.components.config: expected exactly one of paths, git, release, postgres, sqlite, redis, mariadb and exec, "
	"got 0"},
    {"services:\n  portal:\n    components: { code: { git: /srv/x, paths: [/srv/x] } }\n",
	"agent.yaml:3: services.portal.components.code: expected exactly one of paths, git, release, postgres, sqlite, redis, mariadb and exec, got "
	"2"},
    {"services:\n  portal:\n    components: { config: { git: /srv/x } }\n",
	"agent.yaml:3: services.portal.components.config: expected paths"},
    {"services:\n  portal:\n    components: { data: { release: /srv/x } }\n",
	"agent.yaml:3: services.portal.components.data: expected paths"},
    {"services:\n  portal:\n    components: { code: { postgres: { data_directory: /x } } }\n",
	"agent.yaml:3: services.portal.components.code: expected one of git, release and paths"},
    {"services:\n  portal:\n    components: { database: { paths: [/x] } }\n",
	"agent.yaml:3: services.portal.components.database: expected one of postgres, sqlite, redis, mariadb and exec"},
    {"services:\n  portal:\n    components: { config: { paths: [etc/nginx] } }\n",
	"agent.yaml:3: services.portal.components.config.paths[0]: expected an absolute path without \"..\", \"//\" or "
	"a slash at its end, got \"etc/nginx\""},
    {"services:\n  portal:\n    components: { config: { paths: [/etc, /etc/../root] } }\n",
	"agent.yaml:3: services.portal.components.config.paths[1]: expected an absolute path without \"..\", \"//\" or "
	"a slash at its end, got \"/etc/../root\""},
    {"services:\n  portal:\n    components: { config: { paths: [/etc/nginx, /etc/nginx] } }\n",
	"agent.yaml:3: services.portal.components.config.paths[1]: \"/etc/nginx\" stands there twice"},
    {"services:\n  portal:\n    components: { config: { paths: [/srv/x] }, code: { git: /srv/x } }\n",
	"agent.yaml:3: services.portal.components.code.git: \"/srv/x\" is in config already"},
    {"services:\n  portal:\n    components: { config: { paths: [/srv/x] }, data: { paths: [/y, /srv/x] } }\n",
	"agent.yaml:3: services.portal.components.data.paths: \"/srv/x\" is in config already"},
    {"services:\n  portal:\n    components: { data: { paths: [/] } }\n",
	"agent.yaml:3: services.portal.components.data.paths[0]: the whole host cannot be a component"},
    {"services:\n  portal:\n    components: { code: { git: / } }\n",
	"agent.yaml:3: services.portal.components.code.git: the whole host cannot be a component"},
    {"services:\n  portal:\n    components: { data: { paths: [/var/lib] } }\n",
	"agent.yaml:3: services.portal.components.data.paths: /var/lib overlaps state_directory"},
    {"services:\n  portal:\n    components: { data: { paths: [/var/lib/kedge-agent/x] } }\n",
	"agent.yaml:3: services.portal.components.data.paths: /var/lib/kedge-agent/x overlaps state_directory"},
    {"services:\n  portal:\n    components: { data: { paths: [/x], exclude: [/x/cache] } }\n",
	"agent.yaml:3: services.portal.components.data.exclude[0]: expected a glob below the component's paths, such "
	"as \"cache/**\", got \"/x/cache\""},
    {"services:\n  portal:\n    components: { config: { paths: [/etc/nginx], never_restore: [/etc/nginx-keys] } }\n",
	"agent.yaml:3: services.portal.components.config.never_restore[0]: expected a path inside of this component, "
	"got \"/etc/nginx-keys\""},
    {"services:\n  portal:\n    components: { config: { paths: [/etc/nginx], never_restore: [keys] } }\n",
	"agent.yaml:3: services.portal.components.config.never_restore[0]: expected an absolute path without \"..\", "
	"\"//\" or a slash at its end, got \"keys\""},
    {"services:\n  portal:\n    components: { database: { sqlite: /x, exclude: a } }\n",
	"agent.yaml:3: services.portal.components.database.exclude: has no use for a database"},
    {"services:\n  portal:\n    components: { database: { postgres: { data_directory: /x }, never_restore: /x/y } }\n",
	"agent.yaml:3: services.portal.components.database.never_restore: has no use for a database"},
    {"services:\n  portal:\n    components: { database: { redis: /x, refuse_open_writers: true } }\n",
	"agent.yaml:3: services.portal.components.database.refuse_open_writers: has no use for a database"},
    {"services:\n  portal:\n    components: { database: { sqlite: x.db } }\n",
	"agent.yaml:3: services.portal.components.database.sqlite.file: expected an absolute path without \"..\", \"//\" or a "
	"slash at its end, got \"x.db\""},
    {"services:\n  portal:\n    components: { database: { redis: { data_directory: /x, address: here } } }\n",
	"agent.yaml:3: services.portal.components.database.redis.address: expected host:port, [v6]:port or unix:/path, got "
	"\"here\""},
    {"services:\n  portal:\n    components: { database: { redis: { data_directory: /x, file: ../y } } }\n",
	"agent.yaml:3: services.portal.components.database.redis.file: expected the name of a file, got \"../y\""},
    {"services:\n  portal:\n    components: { database: { mariadb: { data_directory: /x, socket: here } } }\n",
	"agent.yaml:3: services.portal.components.database.mariadb.socket: expected an absolute path without \"..\", "
	"\"//\" or a slash at its end, got \"here\""},
    {"services:\n  portal:\n    components: { database: { mariadb: { data_directory: /x, method: copy } } }\n",
	"agent.yaml:3: services.portal.components.database.mariadb.method: expected one of physical, dump, got copy"},
    {"services:\n  portal:\n    components: { database: { exec: { data_directory: /x, freeze: [a] } } }\n",
	"agent.yaml:3: services.portal.components.database.exec.thaw: is required"},
    {"services:\n  portal:\n    components: { database: { sqlite: /x, redis: /y } }\n",
	"agent.yaml:3: services.portal.components.database: expected exactly one of paths, git, release, postgres, sqlite, redis, "
	"mariadb and exec, got 2"},
    {"services:\n  portal:\n    components: { database: { postgres: { port: 5432 } } }\n",
	"agent.yaml:3: services.portal.components.database.postgres.data_directory: is required"},
    {"services:\n  portal:\n    components: { database: { postgres: { data_directory: /x, port: 70000 } } }\n",
	"agent.yaml:3: services.portal.components.database.postgres.port: expected at most 65535, got 70000"},
    {"services:\n  portal:\n    components: { database: { postgres: { data_directory: /x, user: \"; drop\" } } }\n",
	"agent.yaml:3: services.portal.components.database.postgres.user: expected a user name, got \"; drop\""},
    {"services:\n  portal:\n    components: { database: { postgres: { data_directory: x } } }\n",
	"agent.yaml:3: services.portal.components.database.postgres.data_directory: expected an absolute path without "
	"\"..\", \"//\" or a slash at its end, got \"x\""},
    {"services:\n  portal:\n    steps: { start: systemctl start nginx }\n",
	"agent.yaml:3: services.portal.steps.start: expected a list, got systemctl start nginx"},
    {"services:\n  portal:\n    steps: { start: [\"systemctl start nginx\"] }\n",
	"agent.yaml:3: services.portal.steps.start[0]: expected a program by its absolute path or its bare name "
	"(arguments are items of their own), got \"systemctl start nginx\""},
    {"services:\n  portal:\n    steps: { start: [bin/start] }\n",
	"agent.yaml:3: services.portal.steps.start[0]: expected a program by its absolute path or its bare name "
	"(arguments are items of their own), got \"bin/start\""},
    {"services:\n  portal:\n    steps: { start: [\"\"] }\n",
	"agent.yaml:3: services.portal.steps.start[0]: expected a program by its absolute path or its bare name "
	"(arguments are items of their own), got \"\""},
    {"services:\n  portal:\n    steps: { stop: [systemctl, stop, nginx] }\n",
	"agent.yaml:3: services.portal.steps.start: expected, as there is a stop"},
    {"services:\n  portal:\n    steps: { timeout: 1d }\n",
	"agent.yaml:3: services.portal.steps.timeout: expected at most 1 h, got 1 d"},
    {"services:\n  portal:\n    probes:\n      - { cpu: {} }\n",
	"agent.yaml:4: services.portal.probes[0].name: is required"},
    {"services:\n  portal:\n    probes:\n      - { name: My Probe, cpu: {} }\n",
	"agent.yaml:4: services.portal.probes[0].name: expected lower-case letters, digits and hyphens, got \"My "
	"Probe\""},
    {"services:\n  portal:\n    probes:\n      - { name: a, cpu: {} }\n      - { name: a, memory: {} }\n",
	"agent.yaml:5: services.portal.probes[1].name: \"a\" stands there twice"},
    {"services:\n  portal:\n    probes:\n      - { name: a }\n",
	"agent.yaml:4: services.portal.probes[0]: expected exactly one of http, tcp, tls, exec, process, disk, folder, cpu, "
	"memory, age and postgres, got 0"},
    {"services:\n  portal:\n    probes:\n      - { name: a, cpu: {}, memory: {} }\n",
	"agent.yaml:4: services.portal.probes[0]: expected exactly one of http, tcp, tls, exec, process, disk, folder, cpu, "
	"memory, age and postgres, got 2"},
    {"services:\n  portal:\n    probes:\n      - { name: a, postgres: {} }\n",
	"agent.yaml:4: services.portal.probes[0].postgres: the service declares no PostgreSQL cluster as its database"},
    {"services:\n  portal:\n    components: { database: { postgres: /srv/pg } }\n    probes:\n      - { name: a, postgres: { warn_percent: 101 } }\n",
	"agent.yaml:5: services.portal.probes[0].postgres.warn_percent: expected 0 to 100, got 101"},
    {"services:\n  portal:\n    probes:\n      - { name: a, cpu: {}, tier: abyss }\n",
	"agent.yaml:4: services.portal.probes[0].tier: expected one of shallow, deep, full, got abyss"},
    {"services:\n  portal:\n    probes:\n      - { name: a, cpu: {}, every: 30 }\n",
	"agent.yaml:4: services.portal.probes[0].every: expected a duration such as \"30s\", got 30"},
    {"services:\n  portal:\n    probes:\n      - { name: a, cpu: {}, every: 500ms, timeout: 100ms }\n",
	"agent.yaml:4: services.portal.probes[0].every: expected at least 1s"},
    {"services:\n  portal:\n    probes:\n      - { name: a, cpu: {}, every: 10s, timeout: 10s }\n",
	"agent.yaml:4: services.portal.probes[0].timeout: expected less than every (10000 ms), got 10000 ms"},
    {"services:\n  portal:\n    probes:\n      - { name: a, cpu: {}, timeout: 30s }\n",
	"agent.yaml:4: services.portal.probes[0].timeout: expected less than every (30000 ms), got 30000 ms"},
    {"services:\n  portal:\n    probes:\n      - { name: a, cpu: {}, rise: 0 }\n",
	"agent.yaml:4: services.portal.probes[0].rise: expected at least 1, got 0"},
    {"services:\n  portal:\n    probes:\n      - { name: a, http: { url: \"ftp://x\" } }\n",
	"agent.yaml:4: services.portal.probes[0].http.url: expected http:// or https:// with a host and no password, "
	"got \"ftp://x\""},
    {"services:\n  portal:\n    probes:\n      - { name: a, http: { url: \"http:///x\" } }\n",
	"agent.yaml:4: services.portal.probes[0].http.url: expected http:// or https:// with a host and no password, "
	"got \"http:///x\""},
    {"services:\n  portal:\n    probes:\n      - { name: a, http: { url: \"http://u:p@x/\" } }\n",
	"agent.yaml:4: services.portal.probes[0].http.url: expected http:// or https:// with a host and no password, "
	"got \"http://u:p@x/\""},
    {"services:\n  portal:\n    probes:\n      - { name: a, http: { url: \"http://x\", expect: 99 } }\n",
	"agent.yaml:4: services.portal.probes[0].http.expect: expected at least 100, got 99"},
    {"services:\n  portal:\n    probes:\n      - { name: a, http: { url: \"http://x\", authority: /etc/ca.pem } }\n",
	"agent.yaml:4: services.portal.probes[0].http.authority: has no use without https://"},
    {"services:\n  portal:\n    probes:\n      - { name: a, tcp: localhost }\n",
	"agent.yaml:4: services.portal.probes[0].tcp.address: expected host:port, [v6]:port or unix:/path, got "
	"\"localhost\""},
    {"services:\n  portal:\n    probes:\n      - { name: a, tcp: \"localhost:0\" }\n",
	"agent.yaml:4: services.portal.probes[0].tcp.address: expected host:port, [v6]:port or unix:/path, got "
	"\"localhost:0\""},
    {"services:\n  portal:\n    probes:\n      - { name: a, tcp: \"::1:80\" }\n",
	"agent.yaml:4: services.portal.probes[0].tcp.address: expected host:port, [v6]:port or unix:/path, got "
	"\"::1:80\""},
    {"services:\n  portal:\n    probes:\n      - { name: a, tcp: \"unix:run/x\" }\n",
	"agent.yaml:4: services.portal.probes[0].tcp.address: expected host:port, [v6]:port or unix:/path, got "
	"\"unix:run/x\""},
    {"services:\n  portal:\n    probes:\n      - { name: a, tls: { address: \"x:443\", warn: 1d, critical: 2d } }\n",
	"agent.yaml:4: services.portal.probes[0].tls.critical: expected no more than warn: it is the time left"},
    {"services:\n  portal:\n    probes:\n      - { name: a, exec: check_http -H localhost }\n",
	"agent.yaml:4: services.portal.probes[0].exec: expected a list, got check_http -H localhost"},
    {"services:\n  portal:\n    probes:\n      - { name: a, process: { pid_file: /run/x, name: x } }\n",
	"agent.yaml:4: services.portal.probes[0].process: expected exactly one of pid_file and name"},
    {"services:\n  portal:\n    probes:\n      - { name: a, process: {} }\n",
	"agent.yaml:4: services.portal.probes[0].process: expected exactly one of pid_file and name"},
    {"services:\n  portal:\n    probes:\n      - { name: a, process: { pid_file: /run/x, least: 2 } }\n",
	"agent.yaml:4: services.portal.probes[0].process.least: has no use with pid_file"},
    {"services:\n  portal:\n    probes:\n      - { name: a, disk: { path: /, warn_percent: 95, critical_percent: 85 } "
     "}\n",
	"agent.yaml:4: services.portal.probes[0].disk.warn_percent, critical_percent: expected 0 < warn <= critical <= "
	"100, got 95 and 85"},
    {"services:\n  portal:\n    probes:\n      - { name: a, disk: { path: /, critical_percent: 101 } }\n",
	"agent.yaml:4: services.portal.probes[0].disk.warn_percent, critical_percent: expected 0 < warn <= critical <= "
	"100, got 85 and 101"},
    {"services:\n  portal:\n    probes:\n      - { name: a, cpu: { warn_percent: 0 } }\n",
	"agent.yaml:4: services.portal.probes[0].cpu.warn_percent, critical_percent: expected 0 < warn <= critical <= "
	"100, got 0 and 95"},
    {"services:\n  portal:\n    probes:\n      - { name: a, age: { path: /x, warn: 2h, critical: 1h } }\n",
	"agent.yaml:4: services.portal.probes[0].age.warn, critical: expected 0 < warn <= critical"},
    {"services:\n  portal:\n    probes:\n      - { name: a, age: { path: /x, warn: 2h } }\n",
	"agent.yaml:4: services.portal.probes[0].age.critical: is required"},
    {"services:\n  portal:\n    logs: [nginx.log]\n",
	"agent.yaml:3: services.portal.logs[0].file: expected an absolute path without \"..\", \"//\" or a slash at "
	"its end, got \"nginx.log\""},
    {"services:\n  portal:\n    logs: [ { file: /x, journal: x.service } ]\n",
	"agent.yaml:3: services.portal.logs[0]: expected exactly one of file and journal"},
    {"services:\n  portal:\n    logs: [ {} ]\n",
	"agent.yaml:3: services.portal.logs[0]: expected exactly one of file and journal"},
    {"services:\n  portal:\n    logs: [ { journal: \"nginx service\" } ]\n",
	"agent.yaml:3: services.portal.logs[0].journal: expected a unit such as \"nginx.service\", got \"nginx "
	"service\""},
    {"services:\n  portal:\n    logs: [ /x, /y, /x ]\n",
	"agent.yaml:3: services.portal.logs[2]: \"/x\" stands there twice"},
    {"user: ~\n", "agent.yaml:1: user: expected a user name, got \"nothing\""},
    {"state_directory: null\n", "agent.yaml:1: state_directory: expected an absolute path, got nothing"},
    {"domain: d\ncontroller: { url: \"wss://c:7443\", name: ~ }\n",
	"agent.yaml:2: controller.name: expected lower-case letters, digits and hyphens, got \"nothing\""},
    {"services:\n  portal:\n    components: { database: { postgres: { data_directory: /x, bin_directory: ~ } } }\n",
	"agent.yaml:3: services.portal.components.database.postgres.bin_directory: expected an absolute path, got "
	"nothing"},
    {"services:\n  portal:\n    components: { database: { postgres: { data_directory: /x, user: ~ } } }\n",
	"agent.yaml:3: services.portal.components.database.postgres.user: expected a user name, got \"nothing\""},
    {"services:\n  portal:\n    components: { database: { postgres: { data_directory: /x, run_as: [\"sudo -u pg\"] } } "
     "}\n",
	"agent.yaml:3: services.portal.components.database.postgres.run_as[0]: expected a program by its absolute path "
	"or "
	"its bare name (arguments are items of their own), got \"sudo -u pg\""},
};

static void every_mistake(void **state)
{
	unsigned wrong = 0;
	(void)state;

	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct arena *arena = arena_new(0);
		const struct agent_config *c = NULL;
		struct err err = ERR_INIT;
		enum err_code rc = agent_config_parse("agent.yaml", bad[i].yaml, strlen(bad[i].yaml), arena, &c, &err);

		if (rc == ERR_OK || c || strcmp(err.msg, bad[i].says)) {
			print_error("%s\n  expected: %s\n  got:      %s\n", bad[i].yaml, bad[i].says,
			    rc == ERR_OK ? "accepted" : err.msg);
			wrong++;
		}
		arena_free(arena);
	}
	assert_int_equal(wrong, 0);
}

static void too_large(void **state)
{
	static char big[CONFIG_FILE_MAX + 1];
	struct arena *arena = arena_new(0);
	const struct agent_config *c = NULL;
	struct err err = ERR_INIT;
	(void)state;

	memset(big, '#', sizeof big);
	assert_int_equal(agent_config_parse("agent.yaml", big, sizeof big, arena, &c, &err), ERR_LIMIT);
	assert_string_equal(err.msg, "agent.yaml: at most 1048576 bytes are allowed");
	assert_null(c);
	arena_free(arena);
}

static void small_arena(void **state)
{
	static const char yaml[] = "services:\n  portal: {}\n";
	struct arena *arena = arena_new(64);
	const struct agent_config *c = NULL;
	struct err err = ERR_INIT;
	(void)state;

	assert_int_equal(agent_config_parse("agent.yaml", yaml, strlen(yaml), arena, &c, &err), ERR_NOMEM);
	assert_null(c);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_mistake),
	    cmocka_unit_test(too_large),
	    cmocka_unit_test(small_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
