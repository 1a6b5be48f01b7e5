/* agent/keeper/host.c: the host and the agent itself: load, memory, disk, lag; the certificate's age. */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "agent/keeper/internal.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/base/trim.h"

enum { HOST_METRICS = 6, PROC_FILE_MAX = 64 << 10 };

static double cpu_percent(struct keeper *k)
{
	struct buf text = BUF_INIT;
	unsigned long long v[8] = {0};
	double percent = 0;
	if (file_read("/proc/stat", PROC_FILE_MAX, &text, NULL) == ERR_OK &&
	    sscanf(buf_str(&text), "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4],
		&v[5], &v[6], &v[7]) == 8) {
		uint64_t total = 0;
		for (int i = 0; i < 8; i++)
			total += v[i];
		uint64_t busy = total - v[3] - v[4];
		if (k->cpu_total && total > k->cpu_total)
			percent = 100.0 * (double)(busy - k->cpu_busy) / (double)(total - k->cpu_total);
		k->cpu_busy = busy;
		k->cpu_total = total;
	}
	buf_done(&text);
	return percent;
}

static double memory_percent(void)
{
	struct buf text = BUF_INIT;
	unsigned long long total = 0, available = 0;
	if (file_read("/proc/meminfo", PROC_FILE_MAX, &text, NULL) == ERR_OK) {
		const char *t = strstr(buf_str(&text), "MemTotal:"), *a = strstr(buf_str(&text), "MemAvailable:");
		if (!t || !a || sscanf(t, "MemTotal: %llu", &total) != 1 ||
		    sscanf(a, "MemAvailable: %llu", &available) != 1)
			total = 0;
	}
	buf_done(&text);
	return total ? 100.0 * (double)(total - available) / (double)total : 0;
}

static double disk_percent(const char *path)
{
	struct statvfs fs;
	if (statvfs(path, &fs) != 0 || !fs.f_blocks)
		return 0;
	return 100.0 * (double)(fs.f_blocks - fs.f_bavail) / (double)fs.f_blocks;
}

static double inodes_percent(const char *path)
{
	struct statvfs fs;
	if (statvfs(path, &fs) != 0 || !fs.f_files)
		return 0;
	return 100.0 * (double)(fs.f_files - fs.f_favail) / (double)fs.f_files;
}

/* Of all open files that the kernel allows. */
static double descriptors_percent(void)
{
	struct buf text = BUF_INIT;
	unsigned long long used = 0, unused = 0, most = 0;
	if (file_read("/proc/sys/fs/file-nr", PROC_FILE_MAX, &text, NULL) != ERR_OK ||
	    sscanf(buf_str(&text), "%llu %llu %llu", &used, &unused, &most) != 3)
		most = 0;
	buf_done(&text);
	return most ? 100.0 * (double)used / (double)most : 0;
}

static void report_host(struct keeper *k)
{
	struct metric m[HOST_METRICS] = {
	    {.name = "cpu", .value = cpu_percent(k), .unit = "%"},
	    {.name = "memory", .value = memory_percent(), .unit = "%"},
	    {.name = "disk", .value = disk_percent(k->c->state_directory), .unit = "%"},
	    {.name = "inodes", .value = inodes_percent(k->c->state_directory), .unit = "%"},
	    {.name = "descriptors", .value = descriptors_percent(), .unit = "%"},
	    {.name = "reports_waiting", .value = k->outgoing ? (double)outgoing_count(k->outgoing) : 0, .unit = ""},
	};
	struct reach reach[REPORT_ITEMS_MAX];
	struct host_report body = {.metrics = {m, HOST_METRICS}, .lagging = k->lagging, .reach = {reach, 0}};
	for (size_t i = 0; i < k->watched_count && body.reach.count < REPORT_ITEMS_MAX; i++)
		if (k->watched[i].reach.service)
			reach[body.reach.count++] = k->watched[i].reach;
	struct report r = {.host = &body};
	keeper_tell(k, IMPORTANCE_METRIC, &r);
	uint64_t dropped = k->outgoing ? outgoing_take_dropped(k->outgoing) : 0;
	char text[TEXT_LINE_MAX];
	if (dropped) {
		text_format(text, sizeof text, "%llu reports were dropped before they reached the spool",
		    (unsigned long long)dropped);
		keeper_notice(k, SEVERITY_MEDIUM, "reports-dropped", NULL, text);
	}
}

/* That this host hears, and nothing else. */
static void say_word(struct keeper *k)
{
	struct host_report body = {.lagging = k->lagging};
	struct report r = {.host = &body};
	k->word_wanted = false;
	keeper_tell(k, IMPORTANCE_METRIC, &r);
}

static void renew(struct keeper *k)
{
	struct buf csr = BUF_INIT;
	struct err err = ERR_INIT;
	bool due = false;
	if (identity_renewal(k->identity, clock_wall_ms(), &due, &csr, &err) != ERR_OK)
		log_error("keeper", "the certificate cannot be renewed: %s", err.msg);
	else if (due) {
		struct certificate_request request = {buf_str(&csr)};
		struct channel_message m = {.type = CHANNEL_REQUEST_CERTIFICATE, .certificate_request = &request};
		log_info("keeper", "asking for a new certificate");
		if (guard_send(k, &m) != ERR_OK)
			log_warn("keeper", "the request for a new certificate could not be sent; it is asked again");
	}
	buf_done(&csr);
}

void host_tick(struct keeper *k, uint64_t now_ms)
{
	if (!k->next_trim_ms)
		k->next_trim_ms = now_ms + KEEPER_TRIM_MS / 30;
	if (now_ms >= k->next_trim_ms) { /* what starting up or an order needed need not stay */
		k->next_trim_ms = now_ms + KEEPER_TRIM_MS;
		trim_memory();
	}
	bool lagging = probe_set_lagging(k->probes);
	if (now_ms >= k->next_host_ms || lagging != k->lagging) {
		k->lagging = lagging;
		k->next_host_ms = now_ms + KEEPER_HOST_REPORT_MS;
		k->word_wanted = false;
		report_host(k);
	} else if (k->word_wanted) {
		say_word(k);
	}
	if (k->identity && k->connected && now_ms >= k->next_certificate_ms) {
		k->next_certificate_ms = now_ms + KEEPER_CERTIFICATE_MS;
		renew(k);
	}
}
