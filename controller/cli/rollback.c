/* controller/cli/rollback.c: rollbacks: what one would do, starting it, looking at it. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

struct rollback_page {
	const struct rollback *rollback;
	struct list orders;
};
#define S struct rollback_page
static const struct field page_fields[] = {
    F_RECORD(S, rollback, struct rollback, &rollback_type, FIELD_REQUIRED, "the rollback"),
    F_LIST(S, orders, &order_record_type, PLAN_HOSTS_MAX, 0, "its orders"),
};
#undef S
const struct record_type rollback_page_type =
    RECORD_TYPE("rollback_page", struct rollback_page, page_fields, "a rollback with its orders");

/* One line an order: its steps with how long each took. */
static void steps(struct buf *out, const struct order_record *o)
{
	if (!o->steps.count)
		return;
	buf_text(out, "    ");
	out_text(out, o->host);
	for (size_t i = 0; i < o->steps.count; i++) {
		const struct order_step *s = &LIST_AT(o->steps, struct order_step, i);
		CLEANUP(buf_done) struct buf took = BUF_INIT;
		out_field(&took, &order_step_type, s, "took_ms");
		buf_printf(out, "%s%s %s", i ? ", " : ": ", enum_name(&step_kind_enum, s->kind), buf_str(&took));
	}
	buf_text(out, "\n");
}

int run_rollback_show(struct cli *c)
{
	struct rollback r;
	struct rollback_page p = {.rollback = &r};
	struct rows orders;
	char id[ID_TEXT_MAX];
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	enum err_code rc = api_one(c, "rollback", cli_word(c, "rollback"), &r);
	struct filter f = {"rollback", id};
	if (rc == ERR_OK)
		id_format(ID_ROLLBACK, r.rollback, id);
	if (rc != ERR_OK || (rc = api_list(c, "order", &f, 1, false, PLAN_HOSTS_MAX, &orders)) != ERR_OK ||
	    (cli_for_people(c) && (rc = record_sheet(&rollback_type, &r, &c->table, &out, &c->err)) != ERR_OK))
		return cli_fail(c, rc);
	p.orders = rows_list(c, &orders);
	if (cli_for_people(c)) {
		out_heading(&out, c, "Hosts");
		out_list(c, &out, &rollback_host_type, &r.hosts, NULL, 2);
		if (p.orders.count)
			out_heading(&out, c, "Steps");
		for (size_t i = 0; i < p.orders.count; i++)
			steps(&out, &LIST_AT(p.orders, struct order_record, i));
	}
	return out_page(c, &out, &rollback_page_type, &p);
}

/* ---- plans ---- */

void plan_text(struct cli *c, struct buf *out, const struct plan *plan, const struct digest *digest)
{
	char hex[65], when[TEXT_TIME_MAX];
	if (plan->action) {
		buf_text(out, "Action ");
		out_text(out, plan->action);
		buf_text(out, " of ");
		out_text(out, plan->service);
	} else {
		buf_printf(out, "%s of ", plan->kind == ORDER_UNDO ? "Undo" : "Rollback");
		out_text(out, plan->service);
		buf_text(out, ": ");
		out_field(out, &plan_type, plan, "components");
		if (plan->first) {
			buf_text(out, ", after the action ");
			out_text(out, plan->first);
		}
	}
	buf_printf(out, " on %zu host%s\n", plan->hosts.count, plan->hosts.count == 1 ? "" : "s");
	out_list(c, out, &plan_host_type, &plan->hosts, (const char *const[]){"host", "wave", "snapshot", NULL}, 2);
	buf_text(out, "  reason   ");
	out_text(out, plan->reason);
	buf_text(out, "\n  author   ");
	out_text(out, plan->author);
	if (plan->wave_gap_ms)
		buf_printf(out, "\n  between waves at least %s", text_duration_human(plan->wave_gap_ms, when));
	buf_printf(out, "\n  expires  %s\n  digest   %s\n", text_time(plan->expires_ms, when),
	    text_hex(digest->b, sizeof digest->b, hex));
}

int run_rollback_plan(struct cli *c)
{
	struct request_args a;
	struct plan_answer answer;
	CLEANUP(buf_done) struct buf json = BUF_INIT, out = BUF_INIT;
	enum err_code rc = request_from_words(c, &a);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (!a.rollback && (!a.service || !a.hosts.count))
		return cli_usage(
		    c, "name a service and its hosts (--host HOST), or a rollback to undo (--rollback RB-2)");
	if ((rc = request_json(c, &a, &json)) != ERR_OK ||
	    (rc = api_post(c, "rollback/plan", buf_str(&json), false, &plan_answer_type, &answer)) != ERR_OK)
		return cli_fail(c, rc);
	if (!cli_for_people(c))
		return out_record(c, &plan_answer_type, &answer);
	plan_text(c, &out, answer.plan, &answer.digest);
	for (size_t i = 0; i < answer.notes.count; i++) {
		buf_text(&out, "  ");
		out_text(&out, LIST_AT(answer.notes, const char *, i));
		buf_text(&out, "\n");
	}
	if (answer.policy)
		buf_printf(&out, "  standing policy %s covers it: it would begin at once\n", answer.policy);
	else
		buf_printf(&out, "  no standing policy covers it: it would need %u approval%s\n",
		    answer.approvals_needed, answer.approvals_needed == 1 ? "" : "s");
	cli_put(c, &out);
	return CLI_DONE;
}

/* ---- start and undo ---- */

/* Which hosts an undoing touches, the controller knows. */
static enum err_code hosts_of(struct cli *c, const struct request_args *a, size_t *ret)
{
	struct plan_answer answer;
	CLEANUP(buf_done) struct buf json = BUF_INIT;
	const struct request_args undo = {.rollback = a->rollback};
	*ret = a->hosts.count;
	if (!a->rollback)
		return ERR_OK;
	enum err_code rc = request_json(c, &undo, &json);
	if (rc == ERR_OK)
		rc = api_post(c, "rollback/plan", buf_str(&json), false, &plan_answer_type, &answer);
	if (rc == ERR_OK)
		*ret = answer.plan->hosts.count;
	return rc;
}

/* More hosts than one: the person who means them types how many; the controller compares (RULES R4). */
static enum err_code count_hosts(struct cli *c, struct request_args *a)
{
	char line[16] = "";
	size_t n = a->hosts.count;
	if (a->host_count)
		return ERR_OK;
	enum err_code rc = c->io->in_terminal ? hosts_of(c, a, &n) : ERR_OK;
	if (rc != ERR_OK || n <= 1)
		return rc;
	if (!c->io->in_terminal)
		return err_set(&c->err, ERR_INVALID, "this touches %zu hosts: say how many you mean with --hosts", n);
	cli_say(c, "This touches %zu hosts.  Type how many, to go on: ", n);
	bool typed = c->io->read_line(c->io->ctx, line, sizeof line);
	if (typed && request_set(c, a, "host_count", line) == ERR_OK && a->host_count == n)
		return ERR_OK;
	return err_set(&c->err, ERR_CANCELLED,
	    "\"%s\" is not the number of the hosts that it touches, %zu: nothing was asked for; look which they are and begin again",
	    typed ? line : "", n);
}

int run_rollback_start(struct cli *c)
{
	struct request_args a;
	struct rollback_answer answer;
	CLEANUP(buf_done) struct buf json = BUF_INIT;
	enum err_code rc = request_from_words(c, &a);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (!a.text && a.incident)
		a.text = arena_printf(c->arena, "for %s", a.incident);
	if (!a.text)
		return cli_usage(c, "say why with --reason TEXT, or for which incident with --incident");
	if ((rc = count_hosts(c, &a)) != ERR_OK || (rc = request_json(c, &a, &json)) != ERR_OK ||
	    (rc = api_post(c, c->w.command->posts, buf_str(&json), false, &rollback_answer_type, &answer)) != ERR_OK)
		return cli_fail(c, rc);
	return follow(c, &answer);
}
