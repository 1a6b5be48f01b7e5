/* Timers and number series: small tables of the turn's own. */
#include "controller/turn/internal.h"
#include "controller/turn/system.h"

static const struct field timer_fields[] = {
    F_STRING(struct timer, kind, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "who waits, and for what"),
    /* The kind of id depends on `kind`; its text form is only for looking at a store. */
    F_ID(struct timer, id, EVENT, FIELD_KEY | FIELD_COLUMN, "the object that waits, if it has an id"),
    F_STRING(struct timer, name, 2 * NAME_MAX_BYTES + 1, FIELD_KEY | FIELD_COLUMN,
	"the object that waits, if it has a name"),
    F_TIME(struct timer, due_ms, FIELD_INDEXED | FIELD_COLUMN, "when it falls due"),
};
const struct record_type timer_type =
    RECORD_TYPE("timer", struct timer, timer_fields, "a deadline that the controller keeps");
const struct table timer_table = {.name = "timer", .type = &timer_type};

enum err_code turn_timer_set(
    struct turn *t, const char *kind, struct id id, const char *name, uint64_t due_ms, struct err *reterr)
{
	return turn_put(
	    t, &timer_table, &(struct timer){.kind = kind, .id = id, .name = name, .due_ms = due_ms}, reterr);
}

enum err_code turn_timer_clear(struct turn *t, const char *kind, struct id id, const char *name, struct err *reterr)
{
	return turn_delete(t, &timer_table, &(struct timer){.kind = kind, .id = id, .name = name}, reterr);
}

struct number {
	const char *series;
	uint64_t value;
};
static const struct field number_fields[] = {
    F_STRING(struct number, series, TURN_SERIES_MAX, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "what is counted"),
    F_U64(struct number, value, 0, FIELD_COLUMN, "the last one given"),
};
const struct record_type number_type =
    RECORD_TYPE("number", struct number, number_fields, "the last number given of a series");
const struct table number_table = {.name = "number", .type = &number_type};

enum err_code turn_number(struct turn *t, const char *series, uint64_t *ret, struct err *reterr)
{
	struct number n = {.series = series};
	bool found;
	enum err_code rc = turn_get(t, &number_table, &n, &n, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	n.value++;
	rc = turn_put(t, &number_table, &n, reterr);
	if (rc == ERR_OK)
		*ret = n.value;
	return rc;
}
