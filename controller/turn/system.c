#include "controller/turn/system.h"

#include "shared/base/limits.h"

static const struct field system_fields[] = {
    F_STRING(struct system_state, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY, "always " SYSTEM_NAME),
    F_ID(struct system_state, store, RUN, 0, "identity of the store; a restored copy keeps it"),
    F_TIME(struct system_state, created_ms, 0, "when the store was made"),
    F_TIME(struct system_state, restored_ms, FIELD_COLUMN, "when it was restored from a backup"),
    F_TIME(struct system_state, restored_taken_ms, FIELD_COLUMN, "when that backup was taken"),
    F_STRING(struct system_state, restored_from, PATH_LIMIT, FIELD_COLUMN, "where that backup was"),
    F_BOOL(struct system_state, restored_unseen, 0, "the controller has not started since"),
    F_BOOL(struct system_state, low_space, FIELD_COLUMN, "the disk is nearly full: new work is refused"),
};
const struct record_type system_state_type =
    RECORD_TYPE("system_state", struct system_state, system_fields, "what the controller knows about its store");
const struct table system_table = {.name = "system", .type = &system_state_type};
const struct table *const turn_tables[] = {&system_table, &timer_table, &number_table, NULL};

enum err_code system_get(struct turn *t, struct system_state *ret, struct err *reterr)
{
	struct system_state s = {.name = SYSTEM_NAME};
	bool found;
	enum err_code rc = turn_get(t, &system_table, &s, &s, &found, reterr);
	if (rc == ERR_OK)
		*ret = s;
	return rc;
}

enum err_code system_restore_seen(struct turn *t, struct err *reterr)
{
	struct system_state s;
	enum err_code rc = system_get(t, &s, reterr);
	if (rc != ERR_OK || !s.restored_unseen)
		return rc;
	s.restored_unseen = false;
	return turn_put(t, &system_table, &s, reterr);
}

enum err_code system_low_space(struct turn *t, bool low, bool *ret_news, struct err *reterr)
{
	struct system_state s;
	enum err_code rc = system_get(t, &s, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret_news = s.low_space != low;
	s.low_space = low;
	return *ret_news ? turn_put(t, &system_table, &s, reterr) : ERR_OK;
}
