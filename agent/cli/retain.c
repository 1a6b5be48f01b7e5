/* agent/cli/retain.c: kedge-agent snapshot hold, release and prune: what stays and what goes. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/cli.h"
#include "agent/snapshot/upkeep.h"
#include "agent/worker/upkeep.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

/* ---- holds ---- */

static void set_hold(void *ctx, struct snapshot_marks *marks)
{
	marks->hold = ctx;
}

static int change_hold(struct cli *c, struct repo *repo, bool hold)
{
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	char id[ID_TEXT_MAX], time[TEXT_TIME_MAX], text[TEXT_LINE_MAX];
	if (c->argc != 1 || !c->reason || !*c->reason)
		return fprintf(stderr, "usage: kedge-agent snapshot %s ID --reason TEXT\n", hold ? "hold" : "release"),
		       EXIT_USAGE;
	if (cli_named(c, repo, c->argv[0], &s, &err) != ERR_OK)
		return cli_fail(&err);
	id_format(ID_SNAPSHOT, s.snapshot, id);
	if (!hold && !s.marks.hold)
		return fprintf(stderr, "kedge-agent: %s is not on hold\n", id), EXIT_REFUSED;
	if (hold && s.marks.hold)
		return fprintf(stderr, "kedge-agent: %s is on hold already: %s\n", id, s.marks.hold), EXIT_REFUSED;
	text_format(text, sizeof text, "%s since %s", c->reason, text_time(clock_wall_ms(), time));
	if (snapshot_mark(repo, s.snapshot, set_hold, hold ? text : NULL, &err) != ERR_OK)
		return cli_fail(&err);
	printf("%s of %s is %s\n", id, s.service,
	    hold ? "on hold: it stays until it is released" : "released: retention decides about it again");
	return EXIT_DONE;
}

int cli_hold(struct cli *c, struct repo *repo)
{
	return change_hold(c, repo, true);
}

int cli_release(struct cli *c, struct repo *repo)
{
	return change_hold(c, repo, false);
}

/* ---- prune ---- */

struct outcome {
	struct list removed; /* struct id */
	bool applied;
	uint64_t condemned, repacked, deleted, deleted_bytes, spared;
};
static const struct field outcome_fields[] = {
    F_BOOL(struct outcome, applied, FIELD_ALWAYS, "false: only said, nothing was changed"),
    F_IDS(struct outcome, removed, SNAPSHOT, SNAPSHOT_LIST_MAX, FIELD_ALWAYS, "restore points that went, or would"),
    F_U64(
	struct outcome, condemned, 0, FIELD_ALWAYS, "packs that nothing new leans on from now on; deleted after a day"),
    F_U64(struct outcome, repacked, 0, FIELD_ALWAYS, "packs of which little was needed, written anew"),
    F_U64(struct outcome, deleted, 0, FIELD_ALWAYS, "packs that were condemned before and are gone now"),
    F_SIZE(struct outcome, deleted_bytes, 0, FIELD_ALWAYS, "room that is free now"),
    F_U64(struct outcome, spared, 0, FIELD_ALWAYS, "services that keep everything for now, because they are not well"),
};
static const struct record_type outcome_type =
    RECORD_TYPE("prune_outcome", struct outcome, outcome_fields, "What a prune did, or would do.");

static int print_outcome(const struct cli *c, const struct outcome *o)
{
	char id[ID_TEXT_MAX], size[TEXT_TIME_MAX];
	if (c->format == CLI_JSON || c->format == CLI_YAML)
		return cli_record(c, &outcome_type, o);
	for (size_t i = 0; i < o->removed.count; i++)
		printf("%s %s\n", o->applied ? "removed" : "would remove",
		    id_format(ID_SNAPSHOT, LIST_AT(o->removed, struct id, i), id));
	printf("%zu restore points %s; %llu packs condemned, %llu written anew, %llu deleted, %s free\n",
	    o->removed.count, o->applied ? "removed" : "would go (--apply removes them)",
	    (unsigned long long)o->condemned, (unsigned long long)o->repacked, (unsigned long long)o->deleted,
	    text_size_human(o->deleted_bytes, size));
	if (o->spared)
		printf(
		    "%llu services keep everything for now: their newest restore points were taken while they were not well\n",
		    (unsigned long long)o->spared);
	return EXIT_DONE;
}

int cli_prune(struct cli *c, struct repo *repo)
{
	struct prune_result r;
	struct err err = ERR_INIT;
	size_t spared = 0;
	if (c->argc > 1 || (c->argc && !agent_config_service(c->config, c->argv[0])))
		return c->argc > 1
			   ? (fputs("usage: kedge-agent snapshot prune [SERVICE] [--apply]\n", stderr), EXIT_USAGE)
			   : (fprintf(stderr, "kedge-agent: agent.yaml declares no service %s\n", c->argv[0]),
				 EXIT_NOT_FOUND);
	if (upkeep_prune(c->config, repo, c->argc ? c->argv[0] : NULL, c->apply, NULL, c->arena, &r, &spared, &err) !=
	    ERR_OK)
		return cli_fail(&err);
	return print_outcome(c, &(struct outcome){r.removed, c->apply, r.condemned_packs, r.repacked_packs,
				    r.deleted_packs, r.deleted_bytes, spared});
}
