/* controller/cause/meaning.c: what a metric measures, by the words and units of its name. */
#include <ctype.h>
#include <string.h>

#include "controller/cause/cause.h"

struct word {
	const char *text;
	enum cause_class class;
	unsigned grade; /* of two words the higher decides: "request" is less than the "duration" of requests */
	bool begins;    /* words that begin so will do: "throttled" */
};
static const struct word words[] = {
    {"latency", CAUSE_LATENCY, 5, true},
    {"latencies", CAUSE_LATENCY, 5, false},
    {"lat", CAUSE_LATENCY, 5, false},
    {"duration", CAUSE_LATENCY, 5, true},
    {"elapsed", CAUSE_LATENCY, 5, false},
    {"delay", CAUSE_LATENCY, 5, true},
    {"rt", CAUSE_LATENCY, 5, false},
    {"rtt", CAUSE_LATENCY, 5, false},
    {"response", CAUSE_LATENCY, 2, true},
    {"wait", CAUSE_LATENCY, 2, true},
    {"time", CAUSE_LATENCY, 3, false},
    {"slow", CAUSE_LATENCY, 5, true},
    {"took", CAUSE_LATENCY, 5, false},
    {"ttfb", CAUSE_LATENCY, 5, false},
    {"seconds", CAUSE_LATENCY, 5, false}, /* units: what is timed, if it is no resource */
    {"secs", CAUSE_LATENCY, 5, false},
    {"milli", CAUSE_LATENCY, 5, false},
    {"millis", CAUSE_LATENCY, 5, false},
    {"milliseconds", CAUSE_LATENCY, 5, false},
    {"msec", CAUSE_LATENCY, 5, false},
    {"ms", CAUSE_LATENCY, 5, false},
    {"micros", CAUSE_LATENCY, 5, false},
    {"microseconds", CAUSE_LATENCY, 5, false},
    {"usec", CAUSE_LATENCY, 5, false},
    {"us", CAUSE_LATENCY, 5, false},
    {"nanos", CAUSE_LATENCY, 5, false},
    {"nanoseconds", CAUSE_LATENCY, 5, false},
    {"error", CAUSE_ERRORS, 7, true},
    {"err", CAUSE_ERRORS, 7, false},
    {"errs", CAUSE_ERRORS, 7, false},
    {"fail", CAUSE_ERRORS, 7, true},
    {"exception", CAUSE_ERRORS, 7, true},
    {"timeout", CAUSE_ERRORS, 7, true},
    {"5xx", CAUSE_ERRORS, 7, false},
    {"http5xx", CAUSE_ERRORS, 7, false},
    {"fault", CAUSE_ERRORS, 7, true},
    {"crash", CAUSE_ERRORS, 7, true},
    {"restart", CAUSE_ERRORS, 7, true},
    {"abort", CAUSE_ERRORS, 7, true},
    {"unhealthy", CAUSE_ERRORS, 8, false},
    {"unavailable", CAUSE_ERRORS, 8, false},
    {"retry", CAUSE_ERRORS, 7, false},
    {"retries", CAUSE_ERRORS, 7, false},
    {"retrans", CAUSE_ERRORS, 7, true},
    {"drop", CAUSE_ERRORS, 7, true},
    {"loss", CAUSE_ERRORS, 7, false},
    {"lost", CAUSE_ERRORS, 7, false},
    {"reject", CAUSE_ERRORS, 7, true},
    {"success", CAUSE_SUCCESS, 8, true},
    {"availability", CAUSE_SUCCESS, 8, false},
    {"available", CAUSE_SUCCESS, 2, false}, /* of memory and disks, too */
    {"healthy", CAUSE_SUCCESS, 8, false},
    {"ok", CAUSE_SUCCESS, 8, false},
    {"2xx", CAUSE_SUCCESS, 8, false},
    {"http2xx", CAUSE_SUCCESS, 8, false},
    {"apdex", CAUSE_SUCCESS, 8, false},
    {"uptime", CAUSE_OTHER, 9, false},
    {"up", CAUSE_SUCCESS, 1, false},
    {"cpu", CAUSE_CPU, 6, true},
    {"processor", CAUSE_CPU, 6, false},
    {"throttl", CAUSE_CPU, 6, true},
    {"gc", CAUSE_CPU, 5, false},
    {"load1", CAUSE_CPU, 6, false},
    {"load5", CAUSE_CPU, 6, false},
    {"load15", CAUSE_CPU, 6, false},
    {"mem", CAUSE_MEMORY, 6, false},
    {"memory", CAUSE_MEMORY, 6, false},
    {"ram", CAUSE_MEMORY, 6, false},
    {"rss", CAUSE_MEMORY, 6, false},
    {"heap", CAUSE_MEMORY, 6, true},
    {"swap", CAUSE_MEMORY, 6, true},
    {"oom", CAUSE_MEMORY, 6, false},
    {"disk", CAUSE_DISK, 6, true},
    {"blkio", CAUSE_DISK, 6, false},
    {"iops", CAUSE_DISK, 6, false},
    {"iowait", CAUSE_DISK, 6, false},
    {"storage", CAUSE_DISK, 4, false},
    {"io", CAUSE_DISK, 3, false},
    {"fs", CAUSE_DISK, 4, false},
    {"filesystem", CAUSE_DISK, 6, false},
    {"inode", CAUSE_DISK, 6, true},
    {"volume", CAUSE_DISK, 4, false},
    {"read", CAUSE_DISK, 1, true},
    {"write", CAUSE_DISK, 1, true},
    {"written", CAUSE_DISK, 1, false},
    {"network", CAUSE_NETWORK, 6, false},
    {"net", CAUSE_NETWORK, 6, false},
    {"socket", CAUSE_NETWORK, 6, true},
    {"tcp", CAUSE_NETWORK, 6, false},
    {"packet", CAUSE_NETWORK, 6, true},
    {"connection", CAUSE_NETWORK, 4, true},
    {"conn", CAUSE_NETWORK, 4, false},
    {"conns", CAUSE_NETWORK, 4, false},
    {"rx", CAUSE_NETWORK, 4, false},
    {"tx", CAUSE_NETWORK, 4, false},
    {"bytes", CAUSE_NETWORK, 1, false},
    {"receive", CAUSE_NETWORK, 3, true},
    {"transmit", CAUSE_NETWORK, 3, true},
    {"request", CAUSE_TRAFFIC, 4, true},
    {"req", CAUSE_TRAFFIC, 4, false},
    {"reqs", CAUSE_TRAFFIC, 4, false},
    {"workload", CAUSE_TRAFFIC, 4, false},
    {"load", CAUSE_TRAFFIC, 3, false},
    {"throughput", CAUSE_TRAFFIC, 4, false},
    {"rps", CAUSE_TRAFFIC, 4, false},
    {"qps", CAUSE_TRAFFIC, 4, false},
    {"tps", CAUSE_TRAFFIC, 4, false},
    {"ops", CAUSE_TRAFFIC, 2, false},
    {"rpm", CAUSE_TRAFFIC, 4, false},
    {"call", CAUSE_TRAFFIC, 4, false},
    {"calls", CAUSE_TRAFFIC, 4, false},
    {"hits", CAUSE_TRAFFIC, 4, false},
    {"transaction", CAUSE_TRAFFIC, 4, true},
    {"invocation", CAUSE_TRAFFIC, 4, true},
    {"queries", CAUSE_TRAFFIC, 4, false},
    {"messages", CAUSE_TRAFFIC, 3, false},
    {"rate", CAUSE_TRAFFIC, 1, false},
    {"traffic", CAUSE_TRAFFIC, 4, false},
};

static bool fits(const struct word *w, const char *word)
{
	return w->begins ? strncmp(word, w->text, strlen(w->text)) == 0 : strcmp(word, w->text) == 0;
}

/* "PodClientLatencyP90(s)" is pod, client, latency, p90, s.  False at the end. */
static bool next_word(const char **at, char *out, size_t size)
{
	const char *s = *at;
	size_t n = 0;
	while (*s && !isalnum((unsigned char)*s))
		s++;
	for (; isalnum((unsigned char)*s); s++) {
		bool after_digit = n && isdigit((unsigned char)s[-1]) && !islower((unsigned char)s[1]); /* "5XX" */
		bool hump = n && isupper((unsigned char)*s) && !isupper((unsigned char)s[-1]) && !after_digit;
		if (hump)
			break;
		if (n + 1 < size)
			out[n++] = (char)tolower((unsigned char)*s);
	}
	out[n] = '\0';
	*at = s;
	return n > 0;
}

struct reading {
	struct cause_meaning m;
	unsigned grade;
	bool counted; /* "…_count", "…_total": how many, whatever they are of */
	bool shared;  /* a share of a whole */
	bool per;     /* the word before was "per": the next is what it is divided by */
};

static const struct {
	const char *word;
	double value;
} quantiles[] = {
    {"50", 0.5}, {"median", 0.5}, {"75", 0.75}, {"90", 0.9}, {"95", 0.95}, {"99", 0.99}, {"999", 0.999}, {"max", 1}};

static void read_word(struct reading *r, const char *word)
{
	static const char *const outward[] = {"client", "outbound", "upstream", "outgoing", "egress"};
	static const char *const whole[] = {"average", "avg", "mean"};
	static const char *const shares[] = {"percent", "percentage", "pct", "ratio", "rate", "share", "fraction"};
	bool divided = r->per;
	r->per = strcmp(word, "per") == 0;
	if (divided) {
		r->m.class = r->grade ? r->m.class : CAUSE_TRAFFIC; /* "per second" */
		return;
	}
	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
		r->shared |= strcmp(word, shares[i]) == 0;
	for (size_t i = 0; i < sizeof outward / sizeof outward[0]; i++)
		r->m.outward |= strcmp(word, outward[i]) == 0;
	for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
		if (strcmp(word, whole[i]) == 0)
			r->m.mean = true;
	for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
		if (strcmp(word, quantiles[i].word) == 0 ||
		    (word[0] == 'p' && strcmp(word + 1, quantiles[i].word) == 0))
			r->m.quantile = quantiles[i].value;
	r->counted |= strcmp(word, "count") == 0;
	r->m.cumulative |= strcmp(word, "total") == 0 || strcmp(word, "count") == 0 || strcmp(word, "sum") == 0 ||
			   strcmp(word, "counter") == 0;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].grade > r->grade && fits(&words[i], word)) {
			r->grade = words[i].grade;
			r->m.class = words[i].class;
		}
}

struct cause_meaning cause_meaning_of(const char *metric)
{
	struct reading r = {.m = {.class = CAUSE_OTHER}};
	char word[32];
	for (const char *at = metric; next_word(&at, word, sizeof word);)
		read_word(&r, word);
	if (r.counted && r.m.class == CAUSE_LATENCY) /* the number of what was timed */
		r.m.class = CAUSE_TRAFFIC;
	if (r.m.cumulative && !r.shared && r.m.class == CAUSE_SUCCESS) /* the number of what went well */
		r.m.class = CAUSE_TRAFFIC;
	return r.m;
}

const char *cause_class_name(enum cause_class class)
{
	static const char *const names[] = {[CAUSE_OTHER] = "other",
	    [CAUSE_LATENCY] = "latency",
	    [CAUSE_ERRORS] = "errors",
	    [CAUSE_SUCCESS] = "success",
	    [CAUSE_CPU] = "cpu",
	    [CAUSE_MEMORY] = "memory",
	    [CAUSE_DISK] = "disk",
	    [CAUSE_NETWORK] = "network",
	    [CAUSE_TRAFFIC] = "traffic"};
	return (unsigned)class < CAUSE_CLASS_COUNT ? names[class] : "?";
}
