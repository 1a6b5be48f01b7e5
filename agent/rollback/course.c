/* The journal of a progressive rollback: one small file, replaced whole. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "agent/rollback/journal.h"
#include "agent/rollback/progressive_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

static const char *const judgement_names[] = {
    [JUDGEMENT_NONE] = "none", [JUDGEMENT_BAD] = "bad", [JUDGEMENT_GOOD] = "good"};
static const struct enum_type judgement_enum = ENUM_TYPE("judgement", judgement_names);

#define S struct attempt
static const struct field attempt_fields[] = {
    F_ID(S, order, ORDER, FIELD_REQUIRED, "the rollback that it is"),
    F_ID(S, snapshot, SNAPSHOT, FIELD_REQUIRED, "the restore point that was tried"),
    F_U64(S, components, 0, FIELD_REQUIRED, "bits of enum component"),
    F_ENUM(S, judgement, &judgement_enum, FIELD_ALWAYS, "what the probes said"),
    F_BOOL(S, changed, 0, "something was put in place"),
    F_ID(S, safety, SNAPSHOT, 0, "what was there before"),
    F_STRING(S, text, TEXT_LINE_MAX, 0, "why, for people"),
};
#undef S
static const struct record_type attempt_type =
    RECORD_TYPE("rollback_attempt", struct attempt, attempt_fields, "one try of a progressive rollback");

#define S struct course
static const struct field course_fields[] = {
    F_ID(S, order, ORDER, FIELD_KEY | FIELD_REQUIRED, "the order"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_REQUIRED, "the service"),
    F_U64(S, components, 0, FIELD_REQUIRED, "bits of enum component that may be touched"),
    F_TIME(S, began_ms, 0, "when it began"),
    F_IDS(S, candidates, SNAPSHOT, SEARCH_PLACES_MAX, 0, "restore points that may be tried, oldest first"),
    F_LIST(S, attempts, &attempt_type, 2 * PROGRESSIVE_TRIES_MAX, 0, "what was tried, in order"),
    F_BOOL(S, returning, 0, "none helped: it goes back"),
    F_BOOL(S, ended, 0, "it has ended"),
    F_ENUM(S, outcome, &order_outcome_enum, 0, "how"),
    F_ID(S, snapshot, SNAPSHOT, 0, "on which restore point"),
    F_STRING(S, text, TEXT_LINE_MAX, 0, "why, for people"),
    F_BOOL(S, digests_match, 0, "the live state equals that restore point"),
    F_BOOL(S, healthy, 0, "its probes passed"),
    F_LIST(S, points, &component_point_type, COMPONENT_COUNT, 0, "the live state afterwards"),
};
#undef S
const struct record_type course_type =
    RECORD_TYPE("rollback_course", struct course, course_fields, "how far a progressive rollback is");

static bool path_of(const char *state_directory, struct id order, char out[PATH_LIMIT])
{
	char id[ID_TEXT_MAX];
	return text_format(out, PATH_LIMIT, "%s/rollback/%s.search", state_directory, id_format(ID_ORDER, order, id));
}

enum err_code course_write(const char *state_directory, const struct course *c, struct err *reterr)
{
	char path[PATH_LIMIT], folder[PATH_LIMIT];
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	if (!path_of(state_directory, c->order, path) ||
	    !text_format(folder, sizeof folder, "%s/rollback", state_directory))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", state_directory);
	enum err_code rc = record_to_json(&course_type, c, 0, &text, reterr);
	if (rc == ERR_OK)
		rc = file_make_dirs(folder, 0700, reterr);
	if (rc == ERR_OK)
		rc = file_replace(path, text.data, text.size, 0600, reterr);
	return err_prefix(reterr, rc, "journal");
}

static enum err_code read_file(const char *path, struct arena *arena, struct course *ret, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	enum err_code rc = file_read(path, PROGRESSIVE_FILE_MAX, &text, reterr);
	if (rc == ERR_OK)
		rc = record_from_json(&course_type, buf_str(&text), text.size, 0, arena, ret, reterr);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "%s", path);
}

enum err_code course_read(
    const char *state_directory, struct id order, struct arena *arena, struct course *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!path_of(state_directory, order, path))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", state_directory);
	return read_file(path, arena, ret, reterr);
}

bool rollback_is_progressive(const char *state_directory, struct id order)
{
	char path[PATH_LIMIT];
	return path_of(state_directory, order, path) && file_exists(path);
}

enum err_code rollback_progressive_pending(
    const char *state_directory, struct arena *arena, struct list *ret, struct err *reterr)
{
	char folder[PATH_LIMIT], path[PATH_LIMIT];
	struct rollback_pending *all = arena_array(arena, JOURNAL_OPEN_MAX, sizeof *all);
	size_t count = 0;
	if (!all || !text_format(folder, sizeof folder, "%s/rollback", state_directory))
		return err_set(reterr, all ? ERR_LIMIT : ERR_NOMEM, "interrupted rollbacks cannot be listed");
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	if (!dir && errno != ENOENT)
		return err_sys(reterr, errno, "%s cannot be read", folder);
	enum err_code rc = ERR_OK;
	for (struct dirent *e; dir && rc == ERR_OK && count < JOURNAL_OPEN_MAX && (e = readdir(dir));) {
		struct course c;
		if (e->d_name[0] == '.' || !text_ends(e->d_name, ".search") ||
		    !text_format(path, sizeof path, "%s/%s", folder, e->d_name))
			continue;
		rc = read_file(path, arena, &c, reterr);
		if (rc == ERR_OK && !c.ended)
			all[count++] =
			    (struct rollback_pending){c.order, c.service, c.returning ? "returning" : "searching"};
	}
	if (rc == ERR_OK)
		*ret = (struct list){all, count};
	return rc;
}
