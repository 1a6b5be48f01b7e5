/* agent/snapshot/upkeep.h: a repository kept sound and within its room: checking, rebuilding, counting, pruning.
 *
 * Blocking; any thread. */
#ifndef KEDGE_AGENT_SNAPSHOT_UPKEEP_H
#define KEDGE_AGENT_SNAPSHOT_UPKEEP_H

#include <stdatomic.h>

#include "agent/repository/repo.h"

struct repo_check_options {
	bool read_data;              /* decrypt and hash every chunk too */
	repo_finding_fn *on_finding; /* may be NULL */
	void *ctx;
	const atomic_bool *cancel; /* may be NULL */
};
struct repo_check_result {
	uint64_t packs, chunks, snapshots, bytes;
	uint64_t findings;           /* 0: all is well */
	uint64_t unreferenced_packs; /* not a fault: left by a crash or waiting for prune */
	uint64_t damaged_snapshots;
};
/* Every pack against its own index and digest, the index against the packs, every manifest and every chunk that it
 * needs. ERR_OK with findings > 0 means: checked, and something is wrong. */
ERR_CHECK enum err_code repo_check(
    struct repo *r, const struct repo_check_options *o, struct repo_check_result *ret, struct err *reterr);

/* The index anew from the packs' own; packs that do not authenticate are left out and named.  The old index stands
 * until the commit. */
/* ... and the catalogue of restore points from those that are there (catalogue.h). */
ERR_CHECK enum err_code repo_rebuild_index(
    struct repo *r, repo_finding_fn *on_finding, void *ctx, uint64_t *ret_chunks, struct err *reterr);

struct repo_stats {
	uint64_t snapshots, packs, chunks;
	uint64_t packed_bytes; /* on disk */
	uint64_t raw_bytes;    /* of distinct chunks, before compression */
	uint64_t manifest_bytes, index_bytes;
	uint64_t free_bytes;           /* of the file system */
	uint64_t oldest_ms, newest_ms; /* restore points; 0: none */
};
extern const struct record_type repo_stats_type;
ERR_CHECK enum err_code repo_stats(struct repo *r, struct repo_stats *ret, struct err *reterr);

/* ---- retention ---- */

struct prune_rule {
	const char *service;
	struct keep_config keep;
}; /* all of keep zero: every restore point stays */

struct prune_options {
	uint64_t now_ms;
	bool apply;                     /* false: a dry run; nothing changes */
	const struct prune_rule *rules; /* services without one keep every restore point */
	size_t rule_count;
	uint64_t grace_ms;        /* 0: PRUNE_GRACE_MS */
	const struct id *protect; /* restore points that open incidents, orders or plans name */
	size_t protect_count;
	bool no_repack;
	const atomic_bool *cancel; /* may be NULL; ERR_CANCELLED, and what was done by then stands */
};
struct prune_result {
	struct list removed;      /* struct id: restore points that go (or would) */
	uint64_t condemned_packs; /* from now on no new restore point leans on them; deleted by a later run, after the
				     grace period */
	uint64_t deleted_packs, deleted_bytes; /* condemned long ago and still needed by nobody */
	uint64_t spared_packs;                 /* were condemned but are needed after all */
	uint64_t repacked_packs,
	    repacked_bytes; /* mostly dead or tiny ones; what was still needed of them, written anew */
};
/* Never goes: the last verified restore point of a service, the last verified one without suspicion, the newest one,
 * one on hold, one under protection, a safety net younger than SAFETY_KEEP_MS (retention.h). One run at a time in a
 * repository (a lock that the kernel gives back): ERR_BUSY.  Snapshots and restores never wait for it, but for the
 * moment of a commit.  ERR_STATE: the clock is behind what is stored, so that ages mean nothing.  ERR_CORRUPT:
 * something is damaged, so what is needed is not known: nothing was removed. */
ERR_CHECK enum err_code repo_prune(
    struct repo *r, const struct prune_options *o, struct arena *arena, struct prune_result *ret, struct err *reterr);

#endif
