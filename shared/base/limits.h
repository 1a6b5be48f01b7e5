/* shared/base/limits.h: the limits that more than one folder leans on, each with its reason. */
#ifndef KEDGE_SHARED_BASE_LIMITS_H
#define KEDGE_SHARED_BASE_LIMITS_H

enum {
	ARENA_DEFAULT_LIMIT = 64 << 20, /* a turn over a thousand hosts needs some 10 MiB */
	BUF_DEFAULT_LIMIT = 64 << 20,   /* the largest text that is built in memory (an audit export page) */
	MESSAGE_SIZE_MAX = 1 << 20,     /* one frame between agent and controller; RULES S9 */
	RECORD_DEPTH_MAX = 16,          /* nesting of records and of foreign msgpack or JSON; RULES S9 */
	NAME_MAX_BYTES = 64,            /* host, service, component, operator, probe names */
	TEXT_LINE_MAX = 512,            /* a reason, a title, one redacted log line */
	TEXT_PAGE_MAX = 16384,          /* free text of an operator, a probe's long output */
	PATH_LIMIT = 4096,              /* the kernel's PATH_MAX */
};

#endif
