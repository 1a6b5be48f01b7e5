/* controller/cli/status.c: the fleet on one screen. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

static const char *colour(const struct cli *c, const char *code)
{
	return c->table.colour ? code : "";
}

/* "portal" of INC-3 is what a person can type. */
struct row {
	const char *service;
	uint32_t health, hosts, healthy, degraded, down, unknown, maintenance;
	const char *incident;
};
#define S struct row
static const struct field row_fields[] = {
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_COLUMN, "the service"),
    F_ENUM(S, health, &health_enum, FIELD_COLUMN, "the worst of its hosts"),
    F_U32(S, hosts, 0, FIELD_COLUMN, "hosts that run it"),
    F_U32(S, healthy, 0, FIELD_COLUMN, "of them HEALTHY"),
    F_U32(S, degraded, 0, FIELD_COLUMN, "of them DEGRADED"),
    F_U32(S, down, 0, FIELD_COLUMN, "of them DOWN"),
    F_U32(S, unknown, 0, FIELD_COLUMN, "of them UNKNOWN"),
    F_U32(S, maintenance, 0, FIELD_WIDE, "of them in MAINTENANCE"),
    F_STRING(S, incident, NAME_MAX_BYTES, FIELD_COLUMN, "its open incident"),
};
#undef S
static const struct record_type row_type =
    RECORD_TYPE("status_row", struct row, row_fields, "one service on the screen");

static void services(struct cli *c, const struct status *s, struct buf *out)
{
	struct row *rows = arena_array(c->arena, s->services.count, sizeof *rows);
	for (size_t i = 0; rows && i < s->services.count; i++) {
		const struct status_service *from = &LIST_AT(s->services, struct status_service, i);
		const char *incident = from->incident_number ? arena_printf(c->arena, "INC-%llu",
								   (unsigned long long)from->incident_number)
							     : NULL;
		rows[i] = (struct row){from->service, from->health, from->hosts, from->healthy, from->degraded,
		    from->down, from->unknown, from->maintenance, incident};
	}
	struct list all = {rows, rows ? s->services.count : 0};
	buf_text(out, "\n");
	out_list(c, out, &row_type, &all, c->table.columns, 0);
}

static void brakes(const struct cli *c, const struct status *s, struct buf *out)
{
	if (s->halted)
		buf_printf(out,
		    "%sHALTED%s: nothing new begins anywhere.  `kedge controller show` tells why, `kedge resume TEXT` "
		    "releases it.\n",
		    colour(c, "\033[31m"), colour(c, "\033[0m"));
	if (s->observing)
		buf_printf(out,
		    "%sOBSERVING%s: this controller was restored and commands nothing until `kedge controller confirm "
		    "TEXT`.\n",
		    colour(c, "\033[33m"), colour(c, "\033[0m"));
}

static void disk(const struct cli *c, const struct status *s, struct buf *out)
{
	if (s->low_space)
		buf_printf(out,
		    "%sDISK NEARLY FULL%s: the controller refuses new work; rollbacks, approvals and incidents go on. Free space where its "
		    "state_directory is.\n",
		    colour(c, "\033[31m"), colour(c, "\033[0m"));
}

static void ahead(const struct cli *c, const struct status *s, struct buf *out)
{
	if (s->ahead && !s->observing)
		buf_printf(out,
		    "%sNOT OBEYED%s: %u %s obeyed another controller's epoch and %s this one's orders. If this is the one that "
		    "counts: `kedge controller confirm TEXT`.\n",
		    colour(c, "\033[33m"), colour(c, "\033[0m"), s->ahead, s->ahead == 1 ? "host has" : "hosts have",
		    s->ahead == 1 ? "refuses" : "refuse");
}

static void next_steps(const struct status *s, struct buf *out)
{
	if (!s->hosts)
		buf_text(out, "\nNo host has joined yet: `kedge host enrol NAME` makes a token for one.\n");
	if (s->changes_waiting)
		buf_printf(out, "\n%u %s for an approval: kedge change list --state requested\n", s->changes_waiting,
		    s->changes_waiting == 1 ? "change waits" : "changes wait");
}

int run_status(struct cli *c)
{
	struct status s;
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	char when[TEXT_TIME_MAX];
	enum err_code rc = api_get(c, "/api/v1/status", &status_type, &s);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	out_text(&out, s.controller ? s.controller : "?");
	buf_printf(&out, "  kedge-controller ");
	out_text(&out, s.version ? s.version : "?");
	buf_printf(&out, "  %s\n", text_time(s.at_ms, when));
	buf_printf(&out, "hosts %u of %u connected   incidents %u open   rollbacks %u running   changes %u waiting\n",
	    s.connected, s.hosts, s.incidents_open, s.rollbacks_running, s.changes_waiting);
	if (c->table.wide)
		buf_printf(&out, "epoch %llu\n", (unsigned long long)s.epoch);
	brakes(c, &s, &out);
	ahead(c, &s, &out);
	disk(c, &s, &out);
	if (s.services.count)
		services(c, &s, &out);
	next_steps(&s, &out);
	return out_page(c, &out, &status_type, &s);
}
