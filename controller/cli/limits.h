/* controller/cli/limits.h: bounds of the command line, each with its reason. */
#ifndef KEDGE_CONTROLLER_CLI_LIMITS_H
#define KEDGE_CONTROLLER_CLI_LIMITS_H

enum {
	CLI_WORDS_MAX = 64,      /* words of a command that are no options: a sentence, typed without quotes */
	CLI_VALUES_MAX = 1100,   /* options of one command: every host of the largest plan */
	CLI_COLUMNS_MAX = 64,    /* of a table: RECORD_FIELDS_MAX */
	CLI_LIMIT_DEFAULT = 50,  /* rows of a list: a screen or two */
	CLI_PAGE_ROWS = 500,     /* asked for at a time */
	CLI_TRENDS = 5000,       /* metrics of one service or host whose forecasts are looked through */
	CLI_ROWS_MAX = 100000,   /* of one list, with --all */
	CLI_TRIES = 3,           /* of a change that got no answer; the idempotency key makes it safe */
	CLI_RETRY_MS = 500,      /* before the second try, doubled after */
	CLI_POLL_FAST_MS = 250,  /* while following a rollback: at first … */
	CLI_POLL_SLOW_MS = 1000, /* … and after CLI_POLL_FAST_FOR_MS */
	CLI_POLL_FAST_FOR_MS = 20 * 1000,
	CLI_WAIT_MS = 30 * 60 * 1000, /* --timeout of a wait: twice what a rollback may take */
	CLI_RECONNECT_LEAST_MS = 250, /* of `kedge watch`; full jitter, doubled up to … */
	CLI_RECONNECT_MOST_MS = 10 * 1000,
	CLI_EVENT_LINE_MAX = 64 << 10,    /* one line of a stream */
	RUNBOOK_TEXT_MAX = 64 << 10,      /* a page; they have some two thousand bytes */
	CLI_FILE_MAX = 64 << 10,          /* a policy, a signature, a public key */
	CLI_SIGN_TIMEOUT_MS = 120 * 1000, /* a passphrase is typed, a token is touched */
	CLI_WIDTH_LEAST = 20,             /* a narrower terminal gets tables as wide as they are */
	CLI_TEMPLATES_MAX = 8192,         /* of one file: large systems have hundreds; noise must not make it slow */
	CLI_LINES_AHEAD = 512,            /* of a log: they show whether lines bear headers */
	CLI_BYTES_AHEAD = 1 << 20,        /* … and no more bytes than these, but for one line */
	CLI_TIMED_SHARE = 5, /* of them one in so many must bear a time: stack traces and wrapped lines have none */
	CLI_LINES_WAITING = 4 << 20,  /* lines whose templates may still become more general: 4 bytes each */
	CLI_NAMES_WAITING = 32 << 20, /* names of sessions that wait for the limit of their batch */
	CLI_OUTPUT_CHUNK = 64 << 10,  /* written at once */
	CLI_MATCHES = 10,             /* past incidents or documents that an answer names: more nobody reads */
	CLI_FOLDERS_DEEP = 8,         /* folders of documents within one another */
	CLI_EVENT_MAX = 256,          /* bytes of an event's name that count in a pair */
	CLI_LINE_WIDTH = 96,          /* help is folded here */
};

#endif
