/* agent/database/outline.h: what of a database stands still while it is used, as a small text that can be compared.
 *
 * A database lives: its files differ from every restore point a moment later.  Some of what it is made of changes only
 * when somebody changes it, though: the settings in its folder, the files that it does not start without, owners and
 * modes, its roles, databases and their settings, tables, views, functions, and whether a table holds anything at all:
 * as much of these as PostgreSQL, MariaDB, SQLite and Redis each have and tell without keeping anybody waiting.  Names
 * and digests of definitions, never contents.  That is its outline.  It is written down beside the repository when a
 * restore point was taken, and compared afterwards: what differs is told as drift of the component.
 *
 *   <state>/outline/<service>       "kedge outline 1 <restore point>", then its lines
 *   <state>/outline/<service>.now   the same restore point, when the catalogues were looked at last, since when what
 *                                   differs differs, and its digest; then the catalogues' lines of that look
 *
 * Lines are "key TAB value", sorted by key.  A value of a file is "content SPACE owner and mode".  Losing these files
 * loses evidence until the next restore point, nothing else.  Blocking; every program has a deadline. */
#ifndef KEDGE_AGENT_DATABASE_OUTLINE_H
#define KEDGE_AGENT_DATABASE_OUTLINE_H

#include "agent/database/database.h"

enum {
	OUTLINE_TEXT_MAX = 4 << 20,     /* some 50,000 tables; of more there is no outline */
	OUTLINE_FILES_MAX = 20000,      /* looked at for owners and modes */
	OUTLINE_SETTINGS_MAX = 1 << 20, /* bytes of one file of settings */
	OUTLINE_DATABASES_MAX = 8,      /* whose tables are listed; those that come first by name */
	OUTLINE_ASK_MS = 2000,          /* all questions together: evidence that comes later comes too late */
	OUTLINE_EVERY_MS = 5 * 1000, /* between two looks at the catalogues of a service that is well, at least: whoever
				      * leans on it may fail first */
	OUTLINE_EXAMPLES = 32,
};

struct outline_line {
	const char *key, *value;
	uint64_t changed_ms; /* of files that are there: when their inode changed; 0: not known */
};
struct outline {
	struct arena *arena; /* borrowed; holds it all */
	struct outline_line *lines;
	size_t count, room, text_bytes;
};
/* Copies.  ERR_NOMEM; ERR_LIMIT past OUTLINE_TEXT_MAX. */
ERR_CHECK enum err_code outline_add(
    struct outline *o, const char *key, const char *value, uint64_t changed_ms, struct err *reterr);
void outline_sort(struct outline *o);
/* Lines of a text; those that are none are passed over.  Pure; text is foreign. */
ERR_CHECK enum err_code outline_parse(struct outline *o, const char *text, struct err *reterr);

struct outline_difference {
	uint64_t changed, metadata, added,
	    removed;                            /* metadata: those of changed that are of another owner or mode only */
	uint64_t newest_ms;                     /* of files; 0: not known */
	const char *examples[OUTLINE_EXAMPLES]; /* in the outlines' arenas; changed and removed ones first */
	size_t example_count;
	uint8_t digest[32];
};
/* Both sorted.  Pure. */
ERR_CHECK enum err_code outline_compare(
    const struct outline *then, const struct outline *now, struct outline_difference *ret, struct err *reterr);

/* ---- of a service ---- */

/* A restore point was just taken of it.  ERR_UNSUPPORTED: this kind of database has no outline. */
ERR_CHECK enum err_code outline_keep(
    const char *state_directory, const struct service_config *service, struct id snapshot, struct err *reterr);
/* How it differs from that restore point.  suspect: it is not well, so everything is looked at.  What its server does
 * not tell now is taken from the last look.  newest_ms is never 0 where something differs.  ERR_NOT_FOUND: of that
 * restore point no outline was kept; ERR_UNSUPPORTED. */
ERR_CHECK enum err_code outline_differs(const char *state_directory, const struct service_config *service,
    struct id snapshot, bool suspect, uint64_t now_ms, struct arena *arena, struct outline_difference *ret,
    struct err *reterr);

#endif
