/* controller/knowledge/terms.c: texts as terms, and what terms are akin. */
#include "controller/knowledge/terms.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>

/* Words of grammar, and those that every alert has. */
static const char stop_words[] =
    " a about after all also am an and any are as at be been being below between both but by can could did do does "
    "each either else etc few for from further had has have having here how i if in into is it its itself just last "
    "let may me might more most much must my next nor of off often on once one or other our over own per please same "
    "see shall she should since so some such than that the their them then there these they this those through thus to "
    "too under up upon us use used using very via was we were what when where which while who why will with within "
    "would you your minute minutes min hour hours second seconds day days week currently "
    "value values least longer show labels label humanize humanizepercentage printf query first http https www com "
    "org html md ref ";

/* Words of the field that are said of the same thing, a group a line; a word stands in one group only. */
static const char *const groups[] = {
    "down dead lost offline disappeared unreachable unavailable absent gone vanished missing stopped inaccessible",
    "failed error err fault unsuccessful broken problem issue",
    "full filling exhausted depleted overflow low shortage",
    "slow latency lagging delayed behind late sluggish lengthy duration",
    "restart crash crashloop flapping bounce reboot",
    "mismatch inconsistent different differs diverged disagree unequal discrepancy",
    "replica follower standby secondary slave replication",
    "primary master leader",
    "cpu processor core",
    "memory ram mem heap oom",
    "disk volume drive",
    "filesystem fs mountpoint partition",
    "space capacity storage size",
    "inode file",
    "certificate cert ssl tls x509",
    "throttling limit quota ratelimit",
    "network net nic interface ethernet",
    "clock ntp skew drift chrony",
    "queue backlog pending buffer",
    "load busy saturation overload pressure utilization utilisation usage",
    "config configuration settings manifest",
    "host node machine server",
    "member peer voter",
    "database db",
    "login auth authentication credentials password",
    "request query call",
    "denied rejected refused forbidden dropped",
    "backup snapshot dump",
    "deployment rollout release upgrade",
    "scheduled placed assigned",
    "notification alert page",
    "traffic throughput bandwidth",
    "corrupt damaged invalid",
    "timeout hang stuck stalled unresponsive",
    "descriptor fd handle",
    "expires expiration outdated obsolete stale",
    "temperature heat hot thermal",
    "job task cron cronjob",
    "index shard",
    "k8s kubernetes kube",
    "delete remove erase prune",
    "increase rise high grow growth spike elevated excessive",
    "unhealthy degraded unwell unready",
    "version revision",
    "write persist flush fsync",
    "scrape collect",
    "raft quorum consensus",
    "secret vault",
    "gpu accelerator",
    "evicted preempted",
    "idle unused",
    "message event record",
    "connection session client",
    "blocked locked deadlock",
};

static bool is_stop(const char *word)
{
	size_t n = strlen(word);
	for (const char *at = stop_words; (at = strstr(at, word)) != NULL; at++)
		if (at[-1] == ' ' && at[n] == ' ')
			return true;
	return false;
}

struct cutter {
	term_fn fn;
	void *ctx;
};

static void give(struct cutter *c, const char *text, size_t size, bool compound)
{
	struct term_text t = {.compound = compound};
	bool letter = false;
	if (size >= TERM_MAX)
		size = TERM_MAX - 1;
	for (size_t i = 0; i < size; i++) {
		t.word[i] = (char)tolower((unsigned char)text[i]);
		letter |= isalpha((unsigned char)text[i]) != 0;
	}
	if (size < 2 || !letter || is_stop(t.word))
		return;
	word_stem(t.word, t.stem);
	c->fn(c->ctx, &t);
}

static bool breaks(const char *w, size_t i, size_t n)
{
	bool up = isupper((unsigned char)w[i]) != 0, before_up = isupper((unsigned char)w[i - 1]) != 0;
	bool before_low = islower((unsigned char)w[i - 1]) != 0 || isdigit((unsigned char)w[i - 1]) != 0;
	if (up && before_low)
		return true;
	return up && before_up && i + 1 < n && islower((unsigned char)w[i + 1]) && !(i + 2 == n && w[i + 1] == 's');
}

static void give_word(struct cutter *c, const char *w, size_t n)
{
	size_t from = 0, parts = 0;
	for (size_t i = 1; i < n; i++)
		if (breaks(w, i, n)) {
			give(c, w + from, i - from, false);
			from = i;
			parts++;
		}
	give(c, w + from, n - from, false);
	if (parts)
		give(c, w, n, true);
}

/* Bytes of a template's mark or a variable at p, or 0. */
static size_t skipped(const char *p, size_t left)
{
	if (left > 1 && p[0] == '{' && (p[1] == '{' || p[1] == '%')) {
		char close = p[1] == '{' ? '}' : '%';
		for (size_t i = 2; i + 1 < left && i < 400; i++)
			if (p[i] == close && p[i + 1] == '}')
				return i + 2;
		return 0;
	}
	if (*p != '$')
		return 0;
	size_t n = 1;
	while (n < left && (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == '.'))
		n++;
	return n;
}

void each_term(const char *text, size_t size, term_fn fn, void *ctx)
{
	struct cutter c = {fn, ctx};
	for (size_t i = 0; i < size;) {
		size_t n = skipped(text + i, size - i);
		if (n) {
			i += n;
			continue;
		}
		n = 0;
		while (i + n < size && isalnum((unsigned char)text[i + n]))
			n++;
		if (n)
			give_word(&c, text + i, n);
		i += n ? n : 1;
	}
}

/* ---- synonyms ---- */

enum { GROUPS = sizeof groups / sizeof groups[0], GROUP_WORDS_MAX = 16 };
static char stems[GROUPS][GROUP_WORDS_MAX][TERM_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void split_groups(void)
{
	for (size_t g = 0; g < GROUPS; g++) {
		size_t n = 0;
		for (const char *at = groups[g]; *at && n < GROUP_WORDS_MAX; n++) {
			size_t size = strcspn(at, " ");
			char word[TERM_MAX];
			memcpy(word, at, size);
			word[size] = 0;
			word_stem(word, stems[g][n]);
			at += size + (at[size] == ' ');
		}
	}
}

unsigned synonym_group(const char *stem)
{
	pthread_once(&once, split_groups);
	for (unsigned g = 0; g < GROUPS; g++)
		for (size_t i = 0; i < GROUP_WORDS_MAX && stems[g][i][0]; i++)
			if (strcmp(stems[g][i], stem) == 0)
				return g + 1;
	return 0;
}

const char *synonym_of(unsigned group, size_t i)
{
	pthread_once(&once, split_groups);
	return group == 0 || group > GROUPS || i >= GROUP_WORDS_MAX || !stems[group - 1][i][0] ? NULL
											       : stems[group - 1][i];
}
