/* controller/api/status.c: the fleet in one record. */
#include "controller/api/query.h"
#include "controller/turn/system.h"
#include "shared/base/text.h"

enum { STATUS_SERVICES_MAX = 4096 };

#define S struct status_service
static const struct field service_fields[] = {
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUM(S, health, &health_enum, FIELD_COLUMN | FIELD_ALWAYS, "the worst of its hosts"),
    F_U32(S, hosts, 0, FIELD_COLUMN | FIELD_ALWAYS, "hosts that run it"),
    F_U32(S, healthy, 0, FIELD_COLUMN | FIELD_ALWAYS, "of them HEALTHY"),
    F_U32(S, degraded, 0, FIELD_COLUMN | FIELD_ALWAYS, "of them DEGRADED"),
    F_U32(S, down, 0, FIELD_COLUMN | FIELD_ALWAYS, "of them DOWN"),
    F_U32(S, unknown, 0, FIELD_COLUMN | FIELD_ALWAYS, "of them UNKNOWN"),
    F_U32(S, maintenance, 0, FIELD_WIDE | FIELD_ALWAYS, "of them in MAINTENANCE"),
    F_ID(S, incident, INCIDENT, 0, "its open incident"),
    F_U64(S, incident_number, 0, FIELD_COLUMN, "its open incident's number"),
};
#undef S
const struct record_type status_service_type =
    RECORD_TYPE("status_service", struct status_service, service_fields, "one service in the status");

#define S struct status
static const struct field status_fields[] = {
    F_STRING(S, controller, NAME_MAX_BYTES, FIELD_COLUMN, "the controller's name"),
    F_STRING(S, version, NAME_MAX_BYTES, FIELD_COLUMN, "its version"),
    F_TIME(S, at_ms, FIELD_COLUMN, "when this was read"),
    F_BOOL(S, halted, FIELD_COLUMN | FIELD_ALWAYS, "nothing new begins anywhere"),
    F_BOOL(S, observing, FIELD_COLUMN | FIELD_ALWAYS, "it commands nothing until an operator confirms it"),
    F_BOOL(S, low_space, FIELD_WIDE | FIELD_ALWAYS, "its disk is nearly full: new work is refused"),
    F_U64(S, epoch, 0, FIELD_WIDE | FIELD_ALWAYS, "hosts obey no lower one"),
    F_U32(S, hosts, 0, FIELD_COLUMN | FIELD_ALWAYS, "hosts that are known"),
    F_U32(S, connected, 0, FIELD_COLUMN | FIELD_ALWAYS, "of them connected"),
    F_U32(S, ahead, 0, FIELD_WIDE | FIELD_ALWAYS,
	"of all hosts, those that have obeyed a higher epoch: they refuse this controller's orders"),
    F_U32(S, incidents_open, 0, FIELD_COLUMN | FIELD_ALWAYS, "open incidents"),
    F_U32(S, rollbacks_running, 0, FIELD_COLUMN | FIELD_ALWAYS, "running rollbacks"),
    F_U32(S, changes_waiting, 0, FIELD_COLUMN | FIELD_ALWAYS, "changes that wait for an approval"),
    F_LIST(S, services, &status_service_type, STATUS_SERVICES_MAX, FIELD_ALWAYS, "every service"),
};
#undef S
const struct record_type status_type = RECORD_TYPE("status", struct status, status_fields, "the fleet in one record");
const struct record_type *const query_types[] = {
    &status_service_type, &status_type, &board_row_type, &recovery_board_type, NULL};

/* How many records of a table have this value in an indexed enum field. */
static enum err_code count(struct turn *read, const struct table *table, const char *field, const void *like,
    uint32_t *ret, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	void *record = arena_alloc(turn_arena(read), table->type->size);
	enum err_code rc = record ? turn_scan_index(read, table, field, like, false, &scan, reterr)
				  : err_set(reterr, ERR_NOMEM, "out of memory");
	for (*ret = 0; turn_scan_step(&scan, record, &rc, reterr);)
		++*ret;
	return rc;
}

static enum err_code count_hosts(struct turn *read, struct status *s, struct err *reterr)
{
	struct host h;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = turn_scan_key(read, &host_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &h, &rc, reterr)) {
		s->hosts++;
		s->connected += h.state == HOST_CONNECTED;
		s->ahead += h.epoch_seen > s->epoch;
	}
	return rc;
}

static enum err_code one_service(
    struct turn *read, const struct service *service, struct status_service *ret, struct err *reterr)
{
	struct health_summary sum;
	struct incident i;
	bool open;
	enum err_code rc = health_of_service(read, service->name, &sum, reterr);
	if (rc != ERR_OK || (rc = incident_of_service(read, service->name, &i, &open, reterr)) != ERR_OK)
		return rc;
	*ret = (struct status_service){.service = service->name,
	    .health = sum.worst,
	    .hosts = sum.hosts,
	    .healthy = sum.by_state[HEALTH_HEALTHY],
	    .degraded = sum.by_state[HEALTH_DEGRADED],
	    .down = sum.by_state[HEALTH_DOWN],
	    .unknown = sum.by_state[HEALTH_UNKNOWN],
	    .maintenance = sum.by_state[HEALTH_MAINTENANCE]};
	if (open) {
		ret->incident = i.incident;
		ret->incident_number = i.number;
	}
	return ERR_OK;
}

static enum err_code services(struct turn *read, struct status *s, struct err *reterr)
{
	struct service service;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct status_service *all = NULL;
	size_t n = 0, room = 0;
	enum err_code rc = turn_scan_key(read, &service_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &service, &rc, reterr) && n < STATUS_SERVICES_MAX) {
		if (service.undeclared)
			continue;
		if (n == room) {
			struct status_service *more = arena_array(turn_arena(read), room ? 2 * room : 16, sizeof *more);
			if (!more) {
				rc = err_set(reterr, ERR_NOMEM, "out of memory");
				break;
			}
			for (size_t i = 0; i < n; i++)
				more[i] = all[i];
			all = more;
			room = room ? 2 * room : 16;
		}
		if ((rc = one_service(read, &service, &all[n++], reterr)) != ERR_OK)
			break;
	}
	s->services = (struct list){all, n};
	return rc;
}

enum err_code query_status(struct turn *read, const struct workflow_config *c, struct buf *out, struct err *reterr)
{
	struct brakes b;
	struct list open;
	struct status s = {.controller = c->name, .version = KEDGE_VERSION, .at_ms = turn_now_ms(read)};
	struct rollback running = {.state = ROLLBACK_RUNNING}, proving = {.state = ROLLBACK_PROVING};
	struct change waiting = {.state = CHANGE_REQUESTED};
	uint32_t more;
	enum err_code rc = brakes_get(read, &b, reterr);
	struct system_state system;
	if (rc == ERR_OK)
		rc = system_get(read, &system, reterr);
	if (rc == ERR_OK)
		s.epoch = b.epoch;
	if (rc != ERR_OK || (rc = count_hosts(read, &s, reterr)) != ERR_OK ||
	    (rc = incident_all_open(read, &open, reterr)) != ERR_OK ||
	    (rc = count(read, &rollback_table, "state", &running, &s.rollbacks_running, reterr)) != ERR_OK ||
	    (rc = count(read, &rollback_table, "state", &proving, &more, reterr)) != ERR_OK ||
	    (rc = count(read, &change_table, "state", &waiting, &s.changes_waiting, reterr)) != ERR_OK ||
	    (rc = services(read, &s, reterr)) != ERR_OK)
		return rc;
	s.rollbacks_running += more;
	s.incidents_open = (uint32_t)open.count;
	s.halted = b.halted;
	s.observing = b.observing;
	s.low_space = system.low_space;
	return record_to_json(&status_type, &s, 0, out, reterr);
}
