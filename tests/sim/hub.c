/* tests/sim/hub.c: the controller's process: its queue, its steps, its deaths, its outbox and analyst. */
#include <stdlib.h>
#include <string.h>

#include "controller/turn/system.h"
#include "shared/base/text.h"
#include "tests/sim/sim.h"

enum { BATCH_MAX = 1024 };

static void plan_step(struct sim *s, uint64_t at_ms);

/* ---- pages ---- */

static void page_arrives(struct sim *s, const struct notification *n)
{
	struct hub *h = &s->hub;
	for (size_t i = 0; i < h->page_count; i++) {
		if (id_equal(h->pages[i].notification, n->notification))
			return; /* said again: its receiver knows it by its id */
		if (strcmp(h->pages[i].key, n->key) == 0)
			sim_fail(s, "two pages for one transition: %s", n->key);
	}
	if (h->page_count == h->page_capacity) {
		h->page_capacity = h->page_capacity ? 2 * h->page_capacity : 64;
		h->pages = realloc(h->pages, h->page_capacity * sizeof(*h->pages));
		if (!h->pages)
			abort();
	}
	struct page *p = &h->pages[h->page_count++];
	*p = (struct page){.notification = n->notification,
	    .incident = n->incident,
	    .event = (enum notify_event)n->event,
	    .at_ms = s->now_ms};
	text_copy(p->key, sizeof(p->key), n->key);
	sim_trace(s, "page: %s", n->subject);
}

/* What is about to be sent: nobody who answered is paged any more (P37). */
static void page_is_right(struct sim *s, struct turn *t, const struct notification *n)
{
	struct incident i;
	bool found;
	struct err err;
	if (id_is_zero(n->incident) || n->event > NOTIFY_OVERDUE)
		return;
	if (incident_get(t, n->incident, &i, &found, &err) != ERR_OK || !found)
		sim_fail(s, "a page for an incident that is not there: %s", n->key);
	else if (i.acknowledged_ms)
		sim_fail(s, "INC-%llu was acknowledged and is paged: %s", (unsigned long long)i.number, n->key);
	else if (!incident_is_open(&i))
		sim_fail(s, "INC-%llu is over and is paged: %s", (unsigned long long)i.number, n->key);
	else
		watch_page(s, &i);
}

static void on_delivered(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	(void)ctx;
	if (tag == s->hub.life)
		hub_give(s, control_delivered(*(struct id *)owned, ERR_OK, NULL));
}

/* The outbox takes the record and sends. */
static void on_send(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct id *id = owned, *kept;
	struct control_look look;
	struct outbox o = {.notification = *id};
	struct notification n = {.notification = *id};
	bool queued, found;
	struct err err;
	(void)ctx;
	if (tag != s->hub.life)
		return;
	struct turn *t = control_look(&s->hub.control, &look);
	if (turn_get(t, &outbox_table, &o, &o, &queued, &err) != ERR_OK ||
	    turn_get(t, &notification_table, &n, &n, &found, &err) != ERR_OK)
		sim_fail(s, "the outbox cannot be read: %s", err.msg);
	else if (queued && found) {
		page_is_right(s, t, &n);
		if (!s->calm && sim_chance(s, s->o.rates.page_fail_permille)) {
			hub_give(s, control_delivered(*id, ERR_UNREACHABLE, "the mail server is away"));
		} else {
			page_arrives(s, &n);
			kept = malloc(sizeof(*kept));
			*kept = *id;
			sim_at(s, s->now_ms + sim_between(s, 1, 200), on_delivered, NULL, s->hub.life, kept);
		}
	}
	control_look_end(&look);
}

static void on_analyse(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	(void)ctx;
	if (tag != s->hub.life)
		return;
	struct input *in = control_diagnose(&s->hub.control, *(struct id *)owned);
	if (in)
		hub_give(s, in);
}

static void schedule_ids(struct sim *s, struct control_ids *ids, sim_fn fn, uint64_t most_ms)
{
	for (size_t i = 0; i < ids->count; i++) {
		struct id *kept = malloc(sizeof(*kept));
		if (!kept)
			abort();
		*kept = ids->items[i];
		sim_at(s, s->now_ms + sim_between(s, 5, most_ms), fn, NULL, s->hub.life, kept);
	}
	ids->count = 0;
}

/* ---- steps ---- */

static void trace_events(struct sim *s)
{
	struct buf *events = &s->hub.control.events;
	char *line = (char *)(uintptr_t)buf_str(events), *end;
	for (; line && *line && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		sim_trace(s, "%s", line);
	}
	buf_clear(events);
}

static void send_letters(struct sim *s)
{
	struct control *c = &s->hub.control;
	for (size_t i = 0; i < c->letter_count; i++) {
		if (s->hub.die_after_commit && i >= s->hub.letters_before_death)
			break;
		net_deliver(s, &c->letters[i]);
	}
	control_forget_letters(c);
}

static void take_waiting(struct hub *h, struct input **batch, size_t *ret_count)
{
	*ret_count = h->waiting_count < BATCH_MAX ? h->waiting_count : BATCH_MAX;
	if (!*ret_count)
		return;
	memcpy(batch, h->waiting, *ret_count * sizeof(*batch));
	memmove(h->waiting, h->waiting + *ret_count, (h->waiting_count - *ret_count) * sizeof(*h->waiting));
	h->waiting_count -= *ret_count;
}

static void step(struct sim *s)
{
	struct hub *h = &s->hub;
	struct control *c = &h->control;
	struct input *batch[BATCH_MAX];
	size_t count, refused = c->refused;
	bool error;
	take_waiting(h, batch, &count);
	c->now_ms = s->now_ms;
	control_step(c, batch, count, &error);
	if (error) {
		sim_trace(s, "hub: a commit failed: the process ends");
		hub_crash(s);
		return;
	}
	if (c->refused != refused)
		sim_trace(s, "hub: refused %s", buf_str(&c->last_refusal));
	trace_events(s);
	send_letters(s);
	if (h->die_after_commit) {
		hub_crash(s);
		return;
	}
	schedule_ids(s, &c->analyse, on_analyse, s->now_ms < h->slow_until_ms ? 20000 : 800);
	schedule_ids(s, &c->notify, on_send, s->now_ms < h->slow_until_ms ? 5000 : 300);
	if (c->next_due_ms != UINT64_MAX || h->waiting_count)
		plan_step(s, h->waiting_count ? s->now_ms + 1 : c->next_due_ms);
}

static void on_step(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	(void)ctx;
	(void)owned;
	if (tag != s->hub.life || s->hub.planned_ms != s->now_ms)
		return; /* planned anew since */
	s->hub.planned_ms = UINT64_MAX;
	step(s);
}

static void plan_step(struct sim *s, uint64_t at_ms)
{
	struct hub *h = &s->hub;
	if (at_ms <= s->now_ms)
		at_ms = s->now_ms + 1;
	if (h->planned_ms <= at_ms)
		return;
	h->planned_ms = at_ms;
	sim_at(s, at_ms, on_step, NULL, h->life, NULL);
}

void hub_give(struct sim *s, struct input *in)
{
	struct hub *h = &s->hub;
	if (!h->up) {
		input_free(in);
		return;
	}
	if (h->waiting_count == h->waiting_capacity) {
		h->waiting_capacity = h->waiting_capacity ? 2 * h->waiting_capacity : 64;
		h->waiting = realloc(h->waiting, h->waiting_capacity * sizeof(*h->waiting));
		if (!h->waiting)
			abort();
	}
	in->received_ms = s->now_ms;
	h->waiting[h->waiting_count++] = in;
	plan_step(s, s->now_ms + (s->now_ms < h->slow_until_ms ? sim_between(s, 200, 3000) : sim_between(s, 1, 5)));
}

/* ---- life ---- */

void hub_start(struct sim *s)
{
	struct hub *h = &s->hub;
	h->up = true;
	h->life++;
	h->planned_ms = UINT64_MAX;
	h->die_after_commit = false;
	h->control.now_ms = s->now_ms;
	control_boot(&h->control);
	sim_trace(s, "hub: starts");
	trace_events(s);
	send_letters(s);
	schedule_ids(s, &h->control.analyse, on_analyse, 800);
	schedule_ids(s, &h->control.notify, on_send, 300);
	plan_step(s, s->now_ms + 1);
}

static void on_start(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	(void)ctx;
	(void)owned;
	if (tag == s->hub.life && !s->hub.up)
		hub_start(s);
}

static void forget_waiting(struct hub *h)
{
	for (size_t i = 0; i < h->waiting_count; i++)
		input_free(h->waiting[i]);
	h->waiting_count = 0;
}

void hub_crash(struct sim *s)
{
	struct hub *h = &s->hub;
	if (!h->up)
		return;
	sim_trace(s, "hub: dies");
	h->up = false;
	h->life++;
	h->crashes++;
	forget_waiting(h);
	net_hub_died(s);
	control_crash(&h->control);
	check_store(s);
	sim_at(s,
	    s->now_ms +
		(s->o.short_deaths || sim_chance(s, 800) ? sim_between(s, 200, 5000) : sim_between(s, 5000, 120000)),
	    on_start, NULL, h->life, NULL);
}

/* Operators are those of people.c. */
void hub_open(struct sim *s)
{
	static uint32_t admin[] = {ROLE_ADMIN, ROLE_RESPONDER}, approver[] = {ROLE_APPROVER, ROLE_RESPONDER};
	static const char *keys[2];
	static struct operator people[3];
	keys[0] = people_key(0);
	keys[1] = people_key(1);
	people[0] = (struct operator){.name = "ada", .roles = {admin, 2}};
	people[1] = (struct operator){.name = "bo", .roles = {approver, 2}, .keys = {&keys[0], 1}};
	people[2] = (struct operator){.name = "cy", .roles = {approver, 2}, .keys = {&keys[1], 1}};
	struct list operators = {people, 3};
	control_open(&s->hub.control, s->o.seed ^ 0x6875620a, s->now_ms, &operators);
	hub_start(s);
}

static void backup_forget(struct hub *h)
{
	for (size_t i = 0; i < h->backup_count; i++)
		free((void *)(uintptr_t)h->backup[i].key.data);
	free(h->backup);
	h->backup = NULL;
	h->backup_count = 0;
}

void hub_close(struct sim *s)
{
	struct hub *h = &s->hub;
	forget_waiting(h);
	free(h->waiting);
	free(h->pages);
	backup_forget(h);
	control_close(&h->control);
}

/* ---- a backup, and a restore from it ---- */

void hub_backup(struct sim *s)
{
	struct hub *h = &s->hub;
	struct control_look look;
	size_t capacity = 0;
	struct bytes at = {(const uint8_t *)"", 0}, key, value;
	struct err err;
	bool found = true;
	backup_forget(h);
	control_look(&h->control, &look);
	const struct turn_view *v = store_view_turn(look.view);
	enum turn_seek how = SEEK_AT_OR_AFTER;
	while (v->seek(v->ctx, at, how, &key, &value, &found, &err) == ERR_OK && found) {
		if (h->backup_count == capacity) {
			capacity = capacity ? 2 * capacity : 256;
			h->backup = realloc(h->backup, capacity * sizeof(*h->backup));
		}
		uint8_t *kept = malloc(key.size + value.size + 1);
		if (!h->backup || !kept)
			abort();
		memcpy(kept, key.data, key.size);
		memcpy(kept + key.size, value.data, value.size);
		h->backup[h->backup_count++] =
		    (struct turn_write){{kept, key.size}, {kept + key.size, value.size}, false};
		at = (struct bytes){kept, key.size};
		how = SEEK_AFTER;
	}
	control_look_end(&look);
	sim_trace(s, "hub: a backup of %zu entries", h->backup_count);
}

static enum err_code mark_restored(struct turn *t, void *ctx, struct err *reterr)
{
	struct system_state system;
	enum err_code rc = system_get(t, &system, reterr);
	(void)ctx;
	if (rc != ERR_OK)
		return rc;
	system.name = SYSTEM_NAME;
	system.restored_unseen = true;
	system.restored_ms = turn_now_ms(t);
	return turn_put(t, &system_table, &system, reterr);
}

static void must(struct sim *s, enum err_code rc, const struct err *err)
{
	if (rc != ERR_OK)
		sim_fail(s, "restoring: %s", err->msg);
}

void hub_restore(struct sim *s)
{
	struct hub *h = &s->hub;
	struct control *c = &h->control;
	struct store_view *view;
	struct batch *b;
	const struct turn_write *writes;
	size_t count;
	struct err err = ERR_INIT;
	if (!h->backup_count || !h->up)
		return;
	hub_crash(s);
	store_close(c->store);
	must(s, store_open_memory(&c->store, &err), &err);
	must(s, store_commit(c->store, h->backup, h->backup_count, &err), &err);
	must(s, store_view_open(c->store, "restore", &view, &err), &err);
	must(s, batch_new(store_view_turn(view), s->now_ms, &s->random, &b, &err), &err);
	must(s, batch_apply(b, mark_restored, NULL, &err), &err);
	must(s, batch_writes(b, &writes, &count, &err), &err);
	must(s, store_commit(c->store, writes, count, &err), &err);
	batch_free(b);
	store_view_close(view);
	h->restored++;
	h->page_count = 0; /* what it had said it does not know any more */
	sim_trace(s, "hub: restored from the backup");
}
