#include "agent/logwatch/journal.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

enum { LOCAL_ONLY = 1 /* SD_JOURNAL_LOCAL_ONLY */ };

struct journal {
	const struct journal_calls *calls;
	struct sd_journal *handle;
	char cursor[JOURNAL_CURSOR_MAX];
	int fd;
};

/* One symbol into a function pointer: dlsym gives an object pointer, POSIX promises that the bits are the same. */
static bool load(void *library, const char *name, void *into)
{
	void *symbol = dlsym(library, name);
	memcpy(into, &symbol, sizeof symbol);
	return symbol != NULL;
}

const struct journal_calls *journal_system(struct err *reterr)
{
	static struct journal_calls calls;
	static bool tried, usable;
	if (!tried) {
		void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
		tried = true;
		usable = library && load(library, "sd_journal_open", &calls.open) &&
			 load(library, "sd_journal_close", &calls.close) &&
			 load(library, "sd_journal_add_match", &calls.add_match) &&
			 load(library, "sd_journal_add_disjunction", &calls.add_disjunction) &&
			 load(library, "sd_journal_seek_tail", &calls.seek_tail) &&
			 load(library, "sd_journal_seek_cursor", &calls.seek_cursor) &&
			 load(library, "sd_journal_test_cursor", &calls.test_cursor) &&
			 load(library, "sd_journal_next", &calls.next) &&
			 load(library, "sd_journal_previous", &calls.previous) &&
			 load(library, "sd_journal_get_data", &calls.get_data) &&
			 load(library, "sd_journal_get_cursor", &calls.get_cursor) &&
			 load(library, "sd_journal_get_realtime_usec", &calls.get_realtime) &&
			 load(library, "sd_journal_get_fd", &calls.get_fd) &&
			 load(library, "sd_journal_process", &calls.process);
	}
	if (!usable)
		(void)err_set(reterr, ERR_UNSUPPORTED, "libsystemd.so.0 is not there: journals cannot be followed");
	return usable ? &calls : NULL;
}

/* What the unit itself wrote, and what the manager wrote about it, as journalctl -u shows. */
static int match_unit(const struct journal_calls *c, struct sd_journal *h, const char *unit)
{
	char text[NAME_MAX_BYTES * 4 + 32];
	int rc = text_format(text, sizeof text, "_SYSTEMD_UNIT=%s", unit) ? c->add_match(h, text, 0) : -E2BIG;
	if (rc >= 0)
		rc = c->add_disjunction(h);
	if (rc >= 0)
		rc = text_format(text, sizeof text, "UNIT=%s", unit) ? c->add_match(h, text, 0) : -E2BIG;
	if (rc >= 0)
		rc = c->add_match(h, "_PID=1", 0);
	return rc;
}

static void note_cursor(struct journal *j)
{
	char *cursor = NULL;
	if (j->calls->get_cursor(j->handle, &cursor) >= 0 && cursor)
		(void)text_format(j->cursor, sizeof j->cursor, "%s", cursor);
	free(cursor);
}

/* Behind the cursor's entry, or behind the last one there is. */
static int seek(struct journal *j, const char *cursor)
{
	const struct journal_calls *c = j->calls;
	if (cursor && c->seek_cursor(j->handle, cursor) >= 0 && c->next(j->handle) > 0 &&
	    c->test_cursor(j->handle, cursor) > 0) {
		note_cursor(j);
		return 0;
	}
	int rc = c->seek_tail(j->handle);
	if (rc >= 0 && (rc = c->previous(j->handle)) > 0)
		note_cursor(j);
	return rc;
}

enum err_code journal_open(
    const struct journal_calls *calls, const char *unit, const char *cursor, struct journal **ret, struct err *reterr)
{
	struct journal *j = calloc(1, sizeof *j);
	if (!j)
		return err_set(reterr, ERR_NOMEM, "no memory to follow the journal of %s", unit);
	*j = (struct journal){.calls = calls, .fd = -1};
	int rc = calls->open(&j->handle, LOCAL_ONLY);
	if (rc >= 0)
		rc = match_unit(calls, j->handle, unit);
	if (rc >= 0)
		rc = seek(j, cursor);
	if (rc < 0) {
		journal_close(j);
		return err_sys(reterr, -rc, "cannot follow the journal of %s", unit);
	}
	j->fd = calls->get_fd(j->handle);
	*ret = j;
	return ERR_OK;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->handle)
		j->calls->close(j->handle);
	free(j);
}

int journal_fd(struct journal *j)
{
	return j->fd;
}
const char *journal_cursor(const struct journal *j)
{
	return j->cursor[0] ? j->cursor : NULL;
}

/* The value behind "FIELD=". */
static bool value_of(struct journal *j, const char *field, const char **ret, size_t *ret_size)
{
	const void *data;
	size_t size, skip = strlen(field) + 1;
	if (j->calls->get_data(j->handle, field, &data, &size) < 0 || size < skip)
		return false;
	*ret = (const char *)data + skip;
	*ret_size = size - skip;
	return true;
}

static enum line_level priority(struct journal *j)
{
	static const enum line_level levels[] = {
	    LINE_FATAL, LINE_FATAL, LINE_FATAL, LINE_ERROR, LINE_WARNING, LINE_INFO, LINE_INFO, LINE_DEBUG};
	const char *text;
	size_t size;
	/* Standard output arrives as "info" whatever it says: the line itself is then the better witness. */
	if (!value_of(j, "PRIORITY", &text, &size) || size != 1 || *text < '0' || *text > '7' || *text == '6')
		return LINE_NONE;
	return levels[*text - '0'];
}

bool journal_read(struct journal *j, size_t most,
    void (*on_entry)(void *ctx, const char *message, size_t size, enum line_level level, uint64_t wall_ms), void *ctx)
{
	size_t taken = 0;
	(void)j->calls->process(j->handle);
	while (taken < most && j->calls->next(j->handle) > 0) {
		const char *message;
		size_t size;
		uint64_t us = 0;
		taken++;
		(void)j->calls->get_realtime(j->handle, &us);
		enum line_level level = priority(j);
		if (value_of(j, "MESSAGE", &message, &size))
			on_entry(ctx, message, size, level, us / 1000);
	}
	if (taken)
		note_cursor(j);
	return taken == most;
}
