/* agent/config/check_probes.c: how a service is asked whether it is well. */
#include "agent/config/check.h"

#include <string.h>

#include "shared/base/text.h"

enum err_code check_http(const void *record, struct err *reterr)
{
	const struct http_probe *p = record;
	bool https = text_starts(p->url, "https://");

	if (!(https || text_starts(p->url, "http://")) || !word_url_rest(strstr(p->url, "://") + 3))
		return WRONG("url: expected http:// or https:// with a host and no password, got \"%.200s\"", p->url);
	if (p->authority && !https)
		return WRONG("authority: has no use without https://");
	if (p->host_header && (!*p->host_header || !word_printable(p->host_header) || strchr(p->host_header, ' ')))
		return WRONG("host_header: expected a host name");
	return check_path("authority", p->authority, reterr);
}

enum err_code check_tcp(const void *record, struct err *reterr)
{
	const struct tcp_probe *p = record;

	if (text_starts(p->address, "unix:") ? !word_path(p->address + strlen("unix:")) : !word_address(p->address))
		return WRONG("address: expected host:port, [v6]:port or unix:/path, got \"%s\"", p->address);
	return ERR_OK;
}

enum err_code check_tls(const void *record, struct err *reterr)
{
	const struct tls_probe *p = record;

	if (!word_address(p->address))
		return WRONG("address: expected host:port or [v6]:port, got \"%s\"", p->address);
	if (p->critical_ms > p->warn_ms)
		return WRONG("critical: expected no more than warn: it is the time left");
	return ERR_OK;
}

enum err_code check_process(const void *record, struct err *reterr)
{
	const struct process_probe *p = record;

	if (!p->pid_file == !p->name)
		return WRONG("expected exactly one of pid_file and name");
	if (p->pid_file && p->least != 1)
		return WRONG("least: has no use with pid_file");
	return check_path("pid_file", p->pid_file, reterr);
}

static enum err_code check_percents(double warn, double critical, struct err *reterr)
{
	if (!(warn > 0 && warn <= critical && critical <= 100))
		return WRONG("warn_percent, critical_percent: expected 0 < warn <= critical <= 100, got %g and %g",
		    warn, critical);
	return ERR_OK;
}

enum err_code check_disk(const void *record, struct err *reterr)
{
	const struct disk_probe *p = record;
	enum err_code rc = check_path("path", p->path, reterr);

	return rc == ERR_OK ? check_percents(p->warn_percent, p->critical_percent, reterr) : rc;
}

enum err_code check_load(const void *record, struct err *reterr)
{
	const struct load_probe *p = record;
	return check_percents(p->warn_percent, p->critical_percent, reterr);
}

enum err_code check_age(const void *record, struct err *reterr)
{
	const struct age_probe *p = record;

	if (!p->warn_ms || p->warn_ms > p->critical_ms)
		return WRONG("warn, critical: expected 0 < warn <= critical");
	return check_path("path", p->path, reterr);
}

enum err_code check_postgres_probe(const void *record, struct err *reterr)
{
	const struct postgres_probe *p = record;

	if (p->warn_percent < 0 || p->warn_percent > 100)
		return WRONG("warn_percent: expected 0 to 100, got %g", p->warn_percent);
	if (p->critical_ms > p->warn_ms)
		return WRONG("critical: expected at most warn");
	return ERR_OK;
}

uint64_t probe_tier_every_ms(enum probe_tier tier)
{
	static const uint64_t every_ms[] = {
	    [PROBE_SHALLOW] = 30 * 1000,
	    [PROBE_DEEP] = 5 * 60 * 1000,
	    [PROBE_FULL] = 30 * 60 * 1000,
	};
	return every_ms[tier < PROBE_TIER_COUNT ? tier : PROBE_SHALLOW];
}

enum err_code check_probe(const void *record, struct err *reterr)
{
	const struct probe_config *p = record;
	int kinds = !!p->http + !!p->tcp + !!p->tls + (p->exec.count > 0) + !!p->process + !!p->disk + !!p->folder +
		    !!p->cpu + !!p->memory + !!p->age + !!p->postgres;
	uint64_t every_ms = p->every_ms ? p->every_ms : probe_tier_every_ms(p->tier);

	if (!word_name(p->name))
		return WRONG("name: expected lower-case letters, digits and hyphens, got \"%s\"", p->name);
	if (kinds != 1)
		return WRONG(
		    "expected exactly one of http, tcp, tls, exec, process, disk, folder, cpu, memory, age and "
		    "postgres, got %d",
		    kinds);
	if (p->every_ms && p->every_ms < CONFIG_EVERY_LEAST_MS)
		return WRONG("every: expected at least 1s");
	if (p->timeout_ms >= every_ms)
		return WRONG("timeout: expected less than every (%llu ms), got %llu ms", (unsigned long long)every_ms,
		    (unsigned long long)p->timeout_ms);
	return check_argv("exec", &p->exec, reterr);
}
