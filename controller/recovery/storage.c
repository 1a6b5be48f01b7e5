/* controller/recovery/storage.c: how many hosts restore from one shared storage at once (RULES R16).
 *
 * Hosts say which storage their restore points are read from where others read from it too.  An order that restores
 * counts against it from when it goes out until it has ended, whichever rollback it is of.  (What is counted are the
 * rollbacks' hosts: they are there already.)  A rollback that finds no
 * room waits with the rest of its wave, and is waked when an order that counted ends: every order does, so every wait
 * does.
 *
 * Who does not answer may restore all the same, or begin when its host starts again.  A host that is cut off goes on by
 * itself, for it is the one that needs it; so it cannot ask, and what it may take is a loan that both sides know the
 * end of.  A host reads for an order until its expires_ms and run_limit_ms are over, by the clock on the wall and
 * through every restart (order_time_left_ms), and the place of an order that was given up is kept for as long; sooner
 * free when the host is heard, for it is told to drop the order and answers how it ended.  The price is that others
 * wait, a quarter of an hour at most, where one of ten places (by default) is kept for a host that is merely dead.
 * Where many do not answer it may be the storage that they all read from, and one restore more is what it needs
 * least. Only a host that died half way goes on after that time, back to what it was: it must not stay half way
 * until somebody lets it, and of those there are never more than a storage has places.
 *
 * Not counted are drills, verification and what somebody restores on the host itself: a drill has a time of its own on
 * each host, and nobody at a host is to wait for a controller. */
#include "controller/recovery/internal.h"
#include "shared/base/text.h"

static uint32_t limit_of(const struct recovery_config *c, const char *storage)
{
	for (size_t i = 0; i < c->storages.count; i++)
		if (text_equal(LIST_AT(c->storages, struct storage_limit, i).name, storage))
			return LIST_AT(c->storages, struct storage_limit, i).restores;
	return c->storage_restores;
}

enum err_code storage_of(struct turn *t, const char *service, const char *host, const char **ret, struct err *reterr)
{
	struct placement p;
	bool found;
	enum err_code rc = fleet_placement_get(t, service, host, &p, &found, reterr);
	if (rc == ERR_OK)
		*ret = found ? p.storage : NULL;
	return rc;
}

bool storage_counts(enum order_kind kind)
{
	return kind == ORDER_ROLLBACK || kind == ORDER_UNDO;
}

/* Orders of it that are out, to hosts that restore from the storage. */
static uint32_t at_work(const struct rollback *r, const char *storage)
{
	uint32_t n = 0;
	for (size_t i = 0; i < r->hosts.count; i++) {
		const struct rollback_host *h = &LIST_AT(r->hosts, struct rollback_host, i);
		n += h->storage && h->outcome == ORDER_OPEN && !id_is_zero(h->order) && text_equal(h->storage, storage);
	}
	return n;
}

static enum err_code held(struct turn *t, const char *storage, uint32_t *ret, struct err *reterr)
{
	struct storage_hold like = {.storage = storage}, h;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	uint32_t n = 0;
	enum err_code rc = turn_scan_index(t, &storage_hold_table, "storage", &like, false, &scan, reterr);
	while (turn_scan_step(&scan, &h, &rc, reterr))
		n++;
	if (rc == ERR_OK)
		*ret = n;
	return rc;
}

/* So many more orders of r may go out to hosts that restore from it. */
static enum err_code room_of(struct turn *t, const struct recovery_config *c, const struct rollback *r,
    const char *storage, uint32_t *ret, struct err *reterr)
{
	struct rollback like = {.state = ROLLBACK_RUNNING}, other; /* in the other states no order is out */
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	uint32_t limit = limit_of(c, storage), mine = at_work(r, storage), all = 0, waiting = 0;
	if (!limit) {
		*ret = UINT32_MAX;
		return ERR_OK;
	}
	enum err_code rc = held(t, storage, &all, reterr);
	all += mine;
	if (rc == ERR_OK)
		rc = turn_scan_index(t, &rollback_table, "state", &like, false, &scan, reterr);
	while (turn_scan_step(&scan, &other, &rc, reterr))
		if (!id_equal(other.rollback, r->rollback)) {
			all += at_work(&other, storage);
			waiting += other.waits_for && text_equal(other.waits_for, storage);
		}
	/* Who came first does not keep it from who came later, which may be a single host. */
	uint32_t share = limit / (waiting + 1) ? limit / (waiting + 1) : 1;
	uint32_t free = limit > all ? limit - all : 0, due = share > mine ? share - mine : 0;
	if (rc == ERR_OK)
		*ret = free < due ? free : due;
	return rc;
}

enum err_code storage_take(struct turn *t, const struct recovery_config *c, const struct rollback *r,
    const char *storage, struct storage_rooms *rooms, bool *ret_now, struct err *reterr)
{
	size_t i = 0;
	while (i < rooms->count && !text_equal(rooms->items[i].storage, storage))
		i++;
	if (i == rooms->count) {
		struct storage_room fresh = {.storage = storage};
		enum err_code rc = room_of(t, c, r, storage, &fresh.room, reterr);
		if (rc != ERR_OK)
			return rc;
		if (i == rooms->capacity) {
			size_t more = rooms->capacity ? 2 * rooms->capacity : 8;
			struct storage_room *items = arena_array(turn_arena(t), more, sizeof *items);
			if (!items)
				return err_set(reterr, ERR_NOMEM, "out of memory for orders");
			for (size_t k = 0; k < i; k++)
				items[k] = rooms->items[k];
			rooms->items = items;
			rooms->capacity = more;
		}
		rooms->items[rooms->count++] = fresh;
	}
	*ret_now = rooms->items[i].room > 0;
	rooms->items[i].room -= *ret_now;
	return ERR_OK;
}

enum err_code storage_freed(struct turn *t, struct id by, struct err *reterr)
{
	struct rollback like = {.state = ROLLBACK_RUNNING}, r;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = turn_scan_index(t, &rollback_table, "state", &like, false, &scan, reterr);
	while (turn_scan_step(&scan, &r, &rc, reterr))
		if (r.waits_for && !id_equal(r.rollback, by) &&
		    (rc = turn_timer_set(t, RECOVERY_TIMER_ROOM, r.rollback, NULL, turn_now_ms(t), reterr)) != ERR_OK)
			break;
	return rc;
}

/* ---- of those that were given up ---- */

static enum err_code tell_to_drop(struct turn *t, const char *host, struct id order, struct err *reterr)
{
	struct brakes b;
	struct cancel cancel = {order, "it was given up: no answer came in time"};
	struct effect e = {.kind = EFFECT_FRAME, .host = host, .frame = FRAME_CANCEL, .body = &cancel};
	enum err_code rc = brakes_get(t, &b, reterr);
	return rc == ERR_OK && !b.observing ? turn_emit(t, &e, reterr) : rc;
}

enum err_code storage_hold(
    struct turn *t, const struct order_record *o, const char *storage, const char **ret_text, struct err *reterr)
{
	struct storage_hold h = {.order_id = o->order_id,
	    .storage = storage,
	    .host = o->host,
	    .until_ms = o->order->expires_ms + o->order->run_limit_ms + ORDER_GRACE_MS};
	*ret_text = NULL;
	if (h.until_ms <= turn_now_ms(t))
		return ERR_OK;
	const char *text = arena_printf(turn_arena(t),
	    "%.300s; its place at storage %s is kept until it is heard, for at most %llu min", o->text ? o->text : "",
	    storage, (unsigned long long)((h.until_ms - turn_now_ms(t) + 59999) / 60000));
	if (!text)
		return err_set(reterr, ERR_NOMEM, "out of memory for an order");
	enum err_code rc = turn_put(t, &storage_hold_table, &h, reterr);
	if (rc == ERR_OK)
		rc = turn_timer_set(t, RECOVERY_TIMER_HELD, o->order_id, NULL, h.until_ms, reterr);
	if (rc == ERR_OK)
		rc = tell_to_drop(t, o->host, o->order_id, reterr);
	if (rc == ERR_OK)
		*ret_text = text;
	return rc;
}

enum err_code storage_unhold(struct turn *t, struct id order, struct err *reterr)
{
	struct storage_hold h = {.order_id = order};
	bool found;
	enum err_code rc = turn_get(t, &storage_hold_table, &h, &h, &found, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	if ((rc = turn_delete(t, &storage_hold_table, &h, reterr)) == ERR_OK)
		rc = turn_timer_clear(t, RECOVERY_TIMER_HELD, order, NULL, reterr);
	return rc == ERR_OK ? storage_freed(t, (struct id){0}, reterr) : rc;
}

enum err_code storage_on_hello(struct turn *t, const char *host, struct err *reterr)
{
	struct storage_hold like = {.host = host}, h;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = turn_scan_index(t, &storage_hold_table, "host", &like, false, &scan, reterr);
	while (turn_scan_step(&scan, &h, &rc, reterr))
		if ((rc = tell_to_drop(t, host, h.order_id, reterr)) != ERR_OK)
			break;
	return rc;
}

/* ---- for people ---- */

struct share {
	const char *storage;
	uint32_t wave, hosts;
};

static enum err_code shares_of(
    struct turn *t, const struct plan *plan, struct share *shares, size_t *ret_count, struct err *reterr)
{
	size_t n = 0;
	for (size_t i = 0; i < plan->hosts.count; i++) {
		const struct plan_host *h = &LIST_AT(plan->hosts, struct plan_host, i);
		const char *storage;
		size_t k = 0;
		enum err_code rc = storage_of(t, plan->service, h->host, &storage, reterr);
		if (rc != ERR_OK)
			return rc;
		if (!storage)
			continue;
		while (k < n && !(shares[k].wave == h->wave && text_equal(shares[k].storage, storage)))
			k++;
		if (k == n)
			shares[n++] = (struct share){storage, h->wave, 0};
		shares[k].hosts++;
	}
	*ret_count = n;
	return ERR_OK;
}

enum err_code recovery_plan_notes(
    struct turn *t, const struct recovery_config *c, const struct plan *plan, struct list *ret, struct err *reterr)
{
	struct share *shares = arena_array(turn_arena(t), plan->hosts.count + 1, sizeof *shares);
	const char **lines = arena_array(turn_arena(t), PLAN_WAVES_MAX, sizeof *lines);
	size_t n = 0, count = 0;
	if (!shares || !lines)
		return err_set(reterr, ERR_NOMEM, "out of memory for a plan");
	enum err_code rc =
	    storage_counts((enum order_kind)plan->kind) ? shares_of(t, plan, shares, &n, reterr) : ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < n && count < PLAN_WAVES_MAX; i++) {
		uint32_t limit = limit_of(c, shares[i].storage);
		if (!limit || shares[i].hosts <= limit)
			continue;
		lines[count] = arena_printf(turn_arena(t),
		    "wave %u: %u hosts, %u at a time: storage %s takes that many restores at once", shares[i].wave + 1,
		    shares[i].hosts, limit, shares[i].storage);
		if (!lines[count++])
			return err_set(reterr, ERR_NOMEM, "out of memory for a plan");
	}
	if (rc == ERR_OK)
		*ret = (struct list){lines, count};
	return rc;
}
