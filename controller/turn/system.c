#include "controller/turn/system.h"

static const struct field system_fields[] = {
    F_STRING(struct system_state, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY, "always " SYSTEM_NAME),
    F_ID(struct system_state, store, RUN, 0, "identity of the store; a restored copy keeps it"),
    F_TIME(struct system_state, created_ms, 0, "when the store was made"),
    F_U64(struct system_state, epoch, 0, FIELD_COLUMN, "fencing epoch of orders"),
    F_BOOL(struct system_state, observing, FIELD_COLUMN, "commands nothing until an operator confirms"),
    F_STRING(struct system_state, observing_why, TEXT_LINE_MAX, FIELD_COLUMN, "why it only observes"),
    F_TIME(struct system_state, restored_ms, FIELD_COLUMN, "when it was restored from a backup"),
    F_TIME(struct system_state, restored_taken_ms, FIELD_COLUMN, "when that backup was taken"),
    F_STRING(struct system_state, restored_from, PATH_LIMIT, FIELD_COLUMN, "where that backup was"),
    F_STRING(struct system_state, confirmed_by, NAME_MAX_BYTES, 0, "the operator who let it command again"),
    F_TIME(struct system_state, confirmed_ms, 0, "when that was"),
};
const struct record_type system_state_type =
    RECORD_TYPE("system_state", struct system_state, system_fields, "what the controller knows about itself");
const struct table system_table = {.name = "system", .type = &system_state_type};
const struct table *const turn_tables[] = {&system_table, &timer_table, &number_table, NULL};

enum err_code system_get(struct turn *t, struct system_state *ret, struct err *reterr)
{
	struct system_state s = {.name = SYSTEM_NAME, .epoch = 1};
	bool found;
	enum err_code rc = turn_get(t, &system_table, &s, &s, &found, reterr);
	if (rc == ERR_OK)
		*ret = s;
	return rc;
}

enum err_code system_observe(struct turn *t, const char *why, struct err *reterr)
{
	struct system_state s;
	enum err_code rc = system_get(t, &s, reterr);
	if (rc != ERR_OK || s.observing)
		return rc;
	s.observing = true;
	s.observing_why = why;
	return turn_put(t, &system_table, &s, reterr);
}

enum err_code system_confirm(struct turn *t, const char *operator_name, uint64_t epoch_seen, struct err *reterr)
{
	struct system_state s;
	enum err_code rc = system_get(t, &s, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!s.observing)
		return err_set(reterr, ERR_STATE, "the controller is not in observe mode: there is nothing to confirm");
	s.observing = false;
	s.observing_why = NULL;
	s.epoch = (s.epoch > epoch_seen ? s.epoch : epoch_seen) + 1;
	s.confirmed_by = operator_name;
	s.confirmed_ms = turn_now_ms(t);
	return turn_put(t, &system_table, &s, reterr);
}
