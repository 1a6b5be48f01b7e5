/* controller/cli/follow.c: waiting for a change and its rollback, from asking to the end. */
#include "controller/cli/follow.h"

#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

/* ---- telling ---- */

static size_t hosts_ended(const struct rollback *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->hosts.count; i++)
		n += LIST_AT(r->hosts, struct rollback_host, i).outcome != ORDER_OPEN;
	return n;
}

double follow_share(const struct rollback *r)
{
	double sum = 0;
	if (r->state == ROLLBACK_ENDED || !r->hosts.count)
		return r->state == ROLLBACK_ENDED;
	for (size_t i = 0; i < r->hosts.count; i++) {
		const struct rollback_host *h = &LIST_AT(r->hosts, struct rollback_host, i);
		bool good = h->outcome == ORDER_OK || h->outcome == ORDER_OK_WITH_EXCEPTIONS;
		if (h->outcome != ORDER_OPEN)
			sum += good && !h->proven ? 0.9 : 1;
		else if (!id_is_zero(h->order))
			sum += 0.5;
	}
	return sum / (double)r->hosts.count;
}

void follow_bar(const struct rollback *r, unsigned width, struct buf *out)
{
	CLEANUP(buf_done) struct buf tail = BUF_INIT;
	char cut[256];
	buf_printf(&tail, "%zu of %zu hosts  wave %u of %u  %s%s", hosts_ended(r), r->hosts.count, r->wave + 1,
	    r->waves ? r->waves : 1, enum_name(&rollback_state_enum, r->state),
	    r->waits_for ? ", some wait for storage " : "");
	out_text(&tail, r->waits_for);                                                        /* a host's word */
	text_copy(cut, width && width < sizeof cut ? width + 1 : sizeof cut, buf_str(&tail)); /* of whole characters */
	size_t n = tail.size;
	unsigned room = width > n + 4 ? width - (unsigned)n - 4 : 0, cells = room > 40 ? 40 : room,
		 full = (unsigned)(follow_share(r) * cells);
	if (cells >= 5) {
		buf_byte(out, '[');
		for (unsigned i = 0; i < cells; i++)
			buf_byte(out, i < full ? '#' : '-');
		buf_text(out, "] ");
	}
	buf_text(out, cut);
}

static const struct rollback_host *host_of(const struct rollback *r, const char *name)
{
	for (size_t i = 0; r && i < r->hosts.count; i++)
		if (text_equal(LIST_AT(r->hosts, struct rollback_host, i).host, name))
			return &LIST_AT(r->hosts, struct rollback_host, i);
	return NULL;
}

static void begin_line(const struct rollback *r, uint64_t now_ms, struct buf *out)
{
	char when[TEXT_TIME_MAX];
	buf_printf(out, "%.8s  RB-%llu  ", text_time(now_ms, when) + 11, (unsigned long long)r->number);
}

static void host_lines(const struct rollback *r, const struct rollback_host *was, const struct rollback_host *is,
    uint64_t now_ms, struct buf *out)
{
	if (!id_is_zero(is->order) && (!was || id_is_zero(was->order))) {
		begin_line(r, now_ms, out);
		out_text(out, is->host);
		buf_printf(out, ": order is out (wave %u of %u)\n", is->wave + 1, r->waves ? r->waves : 1);
	}
	if (is->outcome != ORDER_OPEN && (!was || was->outcome != is->outcome)) {
		begin_line(r, now_ms, out);
		out_text(out, is->host);
		buf_printf(out, ": %s%s", enum_name(&order_outcome_enum, is->outcome), is->text ? ": " : "");
		out_text(out, is->text);
		buf_text(out, "\n");
	}
	if (is->proven && (!was || !was->proven)) {
		begin_line(r, now_ms, out);
		out_text(out, is->host);
		buf_text(out, ": healthy\n");
	}
}

void follow_lines(const struct rollback *before, const struct rollback *now, uint64_t now_ms, struct buf *out)
{
	for (size_t i = 0; i < now->hosts.count; i++) {
		const struct rollback_host *h = &LIST_AT(now->hosts, struct rollback_host, i);
		host_lines(now, host_of(before, h->host), h, now_ms, out);
	}
	if (!before || before->state != now->state) {
		begin_line(now, now_ms, out);
		buf_printf(out, "%s", enum_name(&rollback_state_enum, now->state));
		if (now->state == ROLLBACK_ENDED)
			buf_printf(out, ": %s", enum_name(&order_outcome_enum, now->outcome));
		buf_text(out, "\n");
	}
}

/* ---- waiting ---- */

struct wait {
	struct cli *c;
	uint64_t began_ms, until_ms;
	bool told_silence;
	struct arena *arenas[2]; /* the record before and the one now */
	const struct rollback *before;
	bool bar_is_out;
};

static void clear_bar(struct wait *w)
{
	if (w->bar_is_out)
		cli_say(w->c, "\r\033[K");
	w->bar_is_out = false;
}

static void tell(struct wait *w, const struct rollback *now)
{
	struct cli *c = w->c;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	if (c->io->error_terminal) {
		follow_bar(now, c->io->width ? c->io->width - 1 : 79, &text);
		cli_say(c, "\r\033[K%s", buf_str(&text));
		w->bar_is_out = true;
	} else {
		follow_lines(w->before, now, c->io->now_ms(c->io->ctx), &text);
		if (text.size)
			cli_say(c, "%s", buf_str(&text));
	}
}

/* The controller may be away for a while: the rollback goes on without us, so we go on asking. */
static bool may_go_on(struct wait *w, enum err_code rc)
{
	bool away = rc == ERR_UNREACHABLE || rc == ERR_TIMEOUT || rc == ERR_BUSY;
	if (rc == ERR_OK)
		w->told_silence = false;
	if (away && !w->told_silence) {
		clear_bar(w);
		CLEANUP(buf_done) struct buf why = BUF_INIT;
		out_text(&why, w->c->err.msg);
		cli_say(w->c, "kedge: %s; asking on, the rollback does not depend on it\n", buf_str(&why));
		w->told_silence = true;
	}
	return rc == ERR_OK || away;
}

static bool pause_until_next(struct wait *w)
{
	const struct cli_io *io = w->c->io;
	uint64_t now = io->now_ms(io->ctx);
	if (now >= w->until_ms)
		return false;
	uint32_t ms = now - w->began_ms < CLI_POLL_FAST_FOR_MS ? CLI_POLL_FAST_MS : CLI_POLL_SLOW_MS;
	io->pause(io->ctx, w->until_ms - now < ms ? (uint32_t)(w->until_ms - now) : ms);
	return true;
}

/* Fetches into an arena of its own, so that following for an hour takes no more memory than for a second. */
static enum err_code fetch(struct wait *w, const char *noun, const char *id, const struct record_type *t, void **ret)
{
	struct cli *c = w->c;
	struct arena *own = c->arena, *spare = w->arenas[0];
	arena_reset(spare);
	void *record = arena_alloc(spare, t->size);
	c->arena = spare;
	enum err_code rc = record ? api_one(c, noun, id, record) : err_set(&c->err, ERR_NOMEM, "out of memory");
	c->arena = own;
	if (rc == ERR_OK) { /* the one before is not needed any more once this one was told */
		w->arenas[0] = w->arenas[1];
		w->arenas[1] = spare;
		*ret = record;
	}
	return rc;
}

static int timed_out(struct wait *w, const char *what)
{
	clear_bar(w);
	cli_say(w->c, "kedge: still not over; %s goes on, this command does not wait any longer\n", what);
	return w->told_silence ? CLI_UNREACHABLE : CLI_TIMED_OUT;
}

static int follow_rollback(struct wait *w, struct id rollback)
{
	struct cli *c = w->c;
	char id[ID_TEXT_MAX];
	id_format(ID_ROLLBACK, rollback, id);
	w->before = NULL;
	c->io->on_interrupt(c->io->ctx, arena_printf(c->arena,
					    "\nkedge: not waiting any longer; the rollback goes on: `kedge rollback "
					    "show %s`, `kedge rollback cancel %s TEXT`\n",
					    id, id));
	for (;;) {
		void *record = NULL;
		enum err_code rc = fetch(w, "rollback", id, &rollback_type, &record);
		if (!may_go_on(w, rc))
			return clear_bar(w), cli_fail(c, rc);
		if (rc == ERR_OK) {
			const struct rollback *now = record;
			tell(w, now);
			w->before = now;
			if (now->state == ROLLBACK_ENDED) {
				clear_bar(w);
				int code = out_record(c, &rollback_type, now);
				return code == CLI_DONE ? (int)exit_of_outcome((enum order_outcome)now->outcome) : code;
			}
		}
		if (!pause_until_next(w))
			return timed_out(w, "the rollback");
	}
}

static bool change_has_ended(const struct change *x)
{
	return x->state >= CHANGE_COMPLETED;
}

/* Until somebody approves it, or somebody else does not. */
static int follow_change(struct wait *w, struct id change)
{
	struct cli *c = w->c;
	char id[ID_TEXT_MAX];
	id_format(ID_CHANGE, change, id);
	c->io->on_interrupt(c->io->ctx, arena_printf(c->arena,
					    "\nkedge: not waiting any longer; the change still may be approved: `kedge "
					    "change show %s`, `kedge change cancel %s TEXT`\n",
					    id, id));
	for (;;) {
		void *record = NULL;
		enum err_code rc = fetch(w, "change", id, &change_type, &record);
		if (!may_go_on(w, rc))
			return cli_fail(c, rc);
		const struct change *x = record;
		if (x && !id_is_zero(x->rollback))
			return follow_rollback(w, x->rollback);
		if (x && change_has_ended(x)) {
			int code = out_record(c, &change_type, x);
			return code == CLI_DONE
				   ? (int)exit_of_change((enum change_state)x->state, (enum order_outcome)x->outcome)
				   : code;
		}
		if (!pause_until_next(w))
			return timed_out(w, "the change");
	}
}

static void say_what_it_waits_for(struct cli *c, const struct change *x)
{
	unsigned long long n = (unsigned long long)x->number;
	if (x->state == CHANGE_REQUESTED)
		cli_say(c, "CHG-%llu waits: it needs %u approval%s of others than %s: kedge change approve CHG-%llu\n",
		    n, x->approvals_needed, x->approvals_needed == 1 ? "" : "s",
		    x->requested_by ? x->requested_by : "its author", n);
	else if (x->state == CHANGE_APPROVED)
		cli_say(c, "CHG-%llu is approved and has not begun: kedge change start CHG-%llu\n", n, n);
}

int follow(struct cli *c, const struct rollback_answer *a)
{
	const char *timeout = words_option(&c->w, "timeout");
	uint64_t ms = CLI_WAIT_MS;
	if (timeout && text_duration_ms(timeout, &ms, &c->err) != ERR_OK)
		return cli_fail(c, err_prefix(&c->err, ERR_INVALID, "--timeout"));
	if (!a->rollback)
		say_what_it_waits_for(c, a->change);
	if (words_flag(&c->w, "no-wait"))
		return out_record(c, a->rollback ? &rollback_type : &change_type,
		    a->rollback ? (const void *)a->rollback : a->change);
	struct wait w = {.c = c, .began_ms = c->io->now_ms(c->io->ctx), .arenas = {arena_new(0), arena_new(0)}};
	w.until_ms = w.began_ms + ms;
	int code = CLI_FAILED;
	if (w.arenas[0] && w.arenas[1])
		code = a->rollback ? follow_rollback(&w, a->rollback->rollback) : follow_change(&w, a->change->change);
	arena_free(w.arenas[0]);
	arena_free(w.arenas[1]);
	return code;
}
