#include "controller/audit/audit.h"

#include <inttypes.h>
#include <string.h>

#include "controller/audit/leaf.h"
#include "controller/audit/merkle.h"
#include "shared/base/text.h"

static const char head_name[] = "head";
const struct actor actor_controller = {AUDIT_CONTROLLER, NULL, NULL};

const char *actor_text(struct turn *t, const struct actor *who)
{
	const char *kind = enum_name(&audit_actor_enum, who->kind);
	return who->name ? arena_printf(turn_arena(t), "%s %s", kind, who->name) : arena_strdup(turn_arena(t), kind);
}

enum err_code audit_leaf(const struct audit_entry *e, struct digest *ret, struct err *reterr)
{
	struct audit_entry bare = *e;
	bare.hash = (struct digest){{0}};
	struct buf canonical = BUF_INIT;
	enum err_code rc = record_to_msgpack(&audit_entry_type, &bare, &canonical, reterr);
	if (rc == ERR_OK)
		*ret = merkle_leaf(canonical.data, canonical.size);
	buf_done(&canonical);
	return rc;
}

enum err_code audit_head(struct turn *t, struct audit_head *ret, struct err *reterr)
{
	struct audit_head head = {.name = head_name};
	bool found;
	enum err_code rc = turn_get(t, &audit_head_table, &head, &head, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret = found ? head : (struct audit_head){.name = head_name, .root = merkle_empty()};
	return ERR_OK;
}

static enum err_code frontier_load(const struct audit_head *head, struct merkle_frontier *ret, struct err *reterr)
{
	struct merkle_frontier f = {.size = head->size, .count = (uint32_t)__builtin_popcountll(head->size)};
	if (head->frontier.size != f.count * sizeof(struct digest))
		return err_set(reterr, ERR_CORRUPT, "audit head of size %" PRIu64 " has a frontier of %zu bytes",
		    head->size, head->frontier.size);
	if (f.count > 0)
		memcpy(f.nodes, head->frontier.data, head->frontier.size);
	*ret = f;
	return ERR_OK;
}

/* What a stranger said may be too long or no text at all: it goes on the trail as well as it can. */
static const char *fit(struct turn *t, const char *text, size_t max)
{
	if (!text || (strlen(text) <= max && text_utf8_valid(text, strlen(text))))
		return text;
	char *out = arena_strndup(turn_arena(t), text, max);
	for (char *c = out; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return out;
}

static void fit_all(struct turn *t, struct audit_entry *e)
{
	e->actor_name = fit(t, e->actor_name, NAME_MAX_BYTES);
	e->action = fit(t, e->action, AUDIT_ACTION_MAX);
	e->object_kind = fit(t, e->object_kind, NAME_MAX_BYTES);
	e->object = fit(t, e->object, AUDIT_OBJECT_MAX);
	e->address = fit(t, e->address, NAME_MAX_BYTES);
	e->text = fit(t, e->text, TEXT_LINE_MAX);
}

enum err_code audit_append(struct turn *t, const struct audit_entry *e, struct err *reterr)
{
	struct audit_head head;
	struct merkle_frontier f;
	enum err_code rc = audit_head(t, &head, reterr);
	if (rc == ERR_OK)
		rc = frontier_load(&head, &f, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "audit");
	struct audit_entry entry = *e;
	entry.sequence = head.size + 1;
	entry.at_ms = turn_now_ms(t);
	fit_all(t, &entry);
	rc = audit_leaf(&entry, &entry.hash, reterr);
	if (rc == ERR_OK)
		rc = turn_put(t, &audit_table, &entry, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "audit");
	merkle_frontier_add(&f, entry.hash);
	head.size = f.size;
	head.at_ms = entry.at_ms;
	head.root = merkle_frontier_root(&f);
	head.frontier = (struct bytes){f.nodes[0].b, f.count * sizeof(struct digest)};
	rc = turn_put(t, &audit_head_table, &head, reterr);
	return rc == ERR_OK ? ERR_OK : err_prefix(reterr, rc, "audit");
}

enum err_code audit_note(struct turn *t, const struct actor *who, const char *action, const char *object_kind,
    const char *object, enum audit_outcome outcome, struct err *reterr, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = arena_vprintf(turn_arena(t), fmt, ap);
	va_end(ap);
	if (!text)
		return err_set(reterr, ERR_NOMEM, "audit: out of memory");
	return audit_append(t,
	    &(struct audit_entry){.actor = who->kind,
		.actor_name = who->name,
		.address = who->address,
		.action = action,
		.object_kind = object_kind,
		.object = object,
		.outcome = outcome,
		.text = text[0] ? text : NULL},
	    reterr);
}

enum err_code audit_checkpoint_make(struct turn *t, struct audit_checkpoint *ret, struct err *reterr)
{
	struct audit_head head;
	enum err_code rc = audit_head(t, &head, reterr);
	if (rc != ERR_OK)
		return rc;
	struct audit_checkpoint c = {.size = head.size};
	bool found;
	rc = turn_get(t, &audit_checkpoint_table, &c, &c, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!found) {
		c = (struct audit_checkpoint){.size = head.size, .root = head.root, .at_ms = turn_now_ms(t)};
		rc = turn_put(t, &audit_checkpoint_table, &c, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	*ret = c;
	return ERR_OK;
}

static enum err_code next_checkpoint(struct turn *t, struct err *reterr)
{
	return turn_timer_set(
	    t, AUDIT_TIMER_CHECKPOINT, (struct id){{0}}, NULL, turn_now_ms(t) + AUDIT_CHECKPOINT_EVERY_MS, reterr);
}

enum err_code audit_on_boot(struct turn *t, struct err *reterr)
{
	return next_checkpoint(t, reterr);
}

enum err_code audit_on_timer(
    struct turn *t, const struct timer *timer, struct audit_checkpoint *ret_made, bool *ret_mine, struct err *reterr)
{
	struct audit_head head;
	struct audit_checkpoint known;
	bool found;
	*ret_mine = strcmp(timer->kind, AUDIT_TIMER_CHECKPOINT) == 0;
	*ret_made = (struct audit_checkpoint){0};
	if (!*ret_mine)
		return ERR_OK;
	enum err_code rc = audit_head(t, &head, reterr);
	if (rc != ERR_OK)
		return rc;
	known.size = head.size;
	rc = turn_get(t, &audit_checkpoint_table, &known, &known, &found, reterr);
	if (rc == ERR_OK && head.size && !found)
		rc = audit_checkpoint_make(t, ret_made, reterr);
	return rc == ERR_OK ? next_checkpoint(t, reterr) : rc;
}

enum err_code audit_checkpoint_sign(
    struct turn *t, uint64_t size, const char *signer, struct bytes signature, struct err *reterr)
{
	struct audit_checkpoint c = {.size = size};
	bool found;
	enum err_code rc = turn_get(t, &audit_checkpoint_table, &c, &c, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!found)
		return err_set(reterr, ERR_NOT_FOUND, "no audit checkpoint of size %" PRIu64, size);
	if (c.signer)
		return err_set(
		    reterr, ERR_EXISTS, "audit checkpoint %" PRIu64 " is already signed by %s", size, c.signer);
	c.signer = signer;
	c.signature = signature;
	return turn_put(t, &audit_checkpoint_table, &c, reterr);
}

void audit_checkpoint_text(const struct audit_checkpoint *c, struct buf *out)
{
	char root[2 * sizeof(c->root.b) + 1], at[TEXT_TIME_MAX];
	buf_printf(out, "kedge audit\n%" PRIu64 "\n%s\n%s\n", c->size, text_hex(c->root.b, sizeof(c->root.b), root),
	    text_time(c->at_ms, at));
}
