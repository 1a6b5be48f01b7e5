/* controller/cli/options.c: every option there is, once. */
#include "controller/cli/command.h"

#include <string.h>

#include "shared/base/text.h"

const struct option options[] = {
    /* for every command */
    {"output", 'o', "FORMAT", NULL, "table, wide, json, jsonl or yaml"},
    {"columns", 0, "NAMES", NULL, "columns of the table, divided by commas"},
    {"config", 'c', "FILE", NULL, "kedge.yaml; else $KEDGE_CONFIG, ~/.config/kedge/kedge.yaml, /etc/kedge/kedge.yaml"},
    {"no-colour", 0, NULL, NULL, "no colours, as with $NO_COLOR"},
    {"help", 'h', NULL, NULL, "what a command does, with examples"},
    /* lists */
    {"limit", 'n', "N", NULL, "at most so many rows (50)"},
    {"all", 0, NULL, NULL, "every row there is"},
    {"oldest", 0, NULL, NULL, "the oldest first"},
    {"where", 0, "FIELD=VALUE", NULL, "only rows with this value"},
    {"state", 0, "STATE", "state", "only those in this state"},
    {"from", 0, "N", NULL, "go on behind this event's number"},
    /* what it is about */
    {"service", 0, "SERVICE", "service", "the service"},
    {"host", 0, "HOST", "host", "a host; may be given more than once where more than one makes sense"},
    {"hosts", 0, "N", "host_count", "how many hosts it touches; asked for where they are more than one"},
    {"component", 0, "COMPONENT", "components", "config, code, data or database; none: all"},
    {"action", 0, "ACTION", "name", "an action that the service declares"},
    {"to", 0, "SNAPSHOT", "snapshot", "the restore point: its id, or last-good"},
    {"incident", 0, "INCIDENT", "incident", "the incident that it answers, as in INC-3"},
    {"rollback", 0, "ROLLBACK", "rollback", "the rollback, as in RB-2"},
    {"reason", 'm', "TEXT", "text", "why"},
    {"any-state", 0, NULL, "any_state", "even if a host is not any more what is known of it when the plan is made"},
    {"deep", 0, NULL, "deep", "prove it with the deep probes too"},
    {"progressive", 0, NULL, "progressive", "go on to older restore points until the probes pass"},
    {"cross-schema", 0, NULL, "cross_schema", "even if a component that stays has another schema now than it had then"},
    {"first", 0, "ACTION", "first", "an action of the service that each host runs before it, so that there is room"},
    {"normal", 0, NULL, "normal", "ask for a normal change even where a standing policy would do"},
    {"severity", 0, "SEVERITY", "severity", "low, medium, high or critical"},
    {"no-wait", 0, NULL, NULL, "do not wait for the end"},
    {"timeout", 0, "DURATION", NULL, "wait no longer than this (30m)"},
    {"for", 0, "DURATION", NULL, "from now on, as in 2h"},
    {"until", 0, "TIME", "until_ms", "until then, as in 2026-11-23T06:00:00Z"},
    {"end", 0, NULL, NULL, "end it now"},
    {"keep", 0, "BOOT", "keep", "the run of the agent that counts; none: whoever comes first"},
    /* approvals and policies */
    {"key", 'k', "FILE", NULL, "OpenSSH private key that signs; else approval_key of kedge.yaml"},
    {"yes", 'y', NULL, NULL, "do not ask"},
    {"signature", 0, "FILE", NULL, "an OpenSSH signature (FILE.sig)"},
    /* people, certificates */
    {"role", 0, "ROLE", NULL, "a role"},
    {"public-key", 0, "FILE", NULL, "an OpenSSH public key file, or the line itself"},
    {"disable", 0, NULL, NULL, "they may do nothing from now on"},
    {"enable", 0, NULL, NULL, "they may act again"},
    {"lifetime", 0, "DURATION", "lifetime_ms", "of the token (1h)"},
    {"dir", 0, "DIR", NULL, "the authority's folder"},
    {"domain", 0, "DOMAIN", NULL, "the trust domain"},
    {"address", 0, "ADDRESS", NULL, "an IP address or DNS name that the controller is reached at"},
    {"days", 0, "N", NULL, "life of the certificate in days"},
    {"out", 0, "PATH", NULL, "where it goes: key.pem and cert.pem into a folder, a model into a file"},
    {"authority", 0, "FILE", NULL, "PEM file of the authority"},
    {"token", 0, "TOKEN", NULL, "as `kedge ca token` printed it"},
    {"controller", 0, "URL", NULL, "https://host:port of the controller's port for operators"},
    /* files */
    {"model", 0, "FILE", NULL, "a model as `kedge diagnosis model train` wrote it; none: the one that was shipped"},
    {"history", 0, "FILE", NULL, "past incidents"},
    {"labels", 0, "FILE", NULL, "their causes, one a line, where they do not stand in the history itself"},
    {"documents", 0, "DIR", NULL, "a folder of documents"},
    {"queries", 0, "FILE", NULL, "what is asked"},
    {"format", 0, "FORMAT", NULL, "of the lines: auto, plain, syslog or json"},
    {"lines", 0, NULL, NULL, "a row a line, in order: number of its template, tab, template"},
    {"mode", 0, "MODE", NULL, "clinical: prose about people; log: lines of programs"},
    {"train", 0, "FILE", NULL, "normal sessions to learn from"},
    {"value", 0, "COLUMN", NULL, "the column to look at; else the one called value, else the first but the time"},
    {"cases", 0, "FILE", NULL, "one case a line, as JSON"},
    {"jsonl", 0, NULL, NULL, "read {\"id\",\"text\"} a line, write {\"id\",\"spans\"} a line"},
    {"controller-name", 0, "NAME", NULL, "its name, as its certificate must say (main)"},
};
const size_t option_count = sizeof options / sizeof options[0];

const struct option *option_find(const char *name, size_t size)
{
	for (size_t i = 0; i < option_count; i++)
		if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
			return &options[i];
	return NULL;
}

bool option_is_global(const struct option *o)
{
	return o < options + 5;
}

bool spec_next(const char **at, struct spec_item *ret)
{
	const char *p = *at ? *at + strspn(*at, " ") : "";
	size_t n = strcspn(p, " "), name = strcspn(p, " !*.");
	if (n == 0)
		return false;
	*ret = (struct spec_item){.name = p,
	    .size = name,
	    .needed = memchr(p, '!', n) != NULL,
	    .repeated = memchr(p, '*', n) || memchr(p, '.', n)};
	*at = p + n;
	return true;
}
