/* agent/offhost/offhost.h: copies of a repository in an object store, elsewhere.
 *
 * Below PREFIX/HOST/NNN/ (a generation: one repository that this host has had) the store holds
 *   repository               which repository this is: its id, host and public key (JSON, as it is)
 *   keys/NNNN                the repository's keys, wrapped to recovery keys; the highest number counts
 *   packs/ID.pack            as in the repository: sealed
 *   snapshots/ID.manifest    as in the repository: sealed and signed; put after every pack that it needs
 *   wal/SERVICE/NAME         files of a database's log (agent/database/wal.h): sealed, as they are in its archive
 *   inventory/NNNNNNNN       sealed and signed: what was put since the one before, with size and SHA-256 of each;
 *                            every so often all of it
 *
 * Nothing is listed to find it (numbers are tried), nothing is ever replaced (every put says "if there is none"),
 * nothing is deleted: a credential that may put and get is enough, and a stolen one can destroy nothing that a lock
 * holds.
 *
 * What is there is remembered in a ledger on the host (ledger.h), so that nothing is asked twice; when it is lost it is
 * made again from the inventory.  Order: ledger says "begun", put, ledger says "stored"; packs, then the manifest, then
 * an inventory that names them.  A copy that was killed anywhere goes on where it was: what may have arrived is looked
 * at before it would be sent again.
 *
 * Copying takes no lock of the repository, so it never holds up a snapshot or a rollback; one copy at a time by a lock
 * of its own.
 *
 * Blocking; one thread.  Network and time come in through struct offhost. */
#ifndef KEDGE_AGENT_OFFHOST_OFFHOST_H
#define KEDGE_AGENT_OFFHOST_OFFHOST_H

#include <stdatomic.h>

#include "agent/bucket/bucket.h"
#include "agent/offhost/limits.h"
#include "agent/repository/repo.h"
#include "agent/snapshot/export.h"

struct offhost { /* borrowed by every call */
	struct bucket_io store;
	const char *destination; /* "https://host/bucket/prefix": names the ledger's place for people and for itself */
	const char *prefix;      /* before HOST/; "" or ending in '/' */
	const char *host;
	const char
	    *folder; /* of the ledger, the status and the lock: state_directory/offhost; made when it is needed */
	const char *wal_folder; /* state_directory/wal, with an archive a service (agent/database/wal.h); NULL: none */
	uint32_t lock;          /* enum bucket_lock */
	uint64_t lock_ms;       /* how long what is put stays locked */
	void *ctx;              /* of the following */
	uint64_t (*now_ms)(void *ctx);                                    /* unix */
	void (*pause)(void *ctx, uint64_t ms, const atomic_bool *cancel); /* before trying again */
	void (*progress)(void *ctx, const char *text);                    /* may be NULL */
	void (*finding)(void *ctx,
	    const char *text);     /* something is wrong with the copy or with what was to be copied; may be NULL */
	const atomic_bool *cancel; /* may be NULL */
};

/* ---- copying ---- */

struct copy_result {
	uint64_t points, objects, bytes; /* put by this run */
	uint64_t logs;                   /* of the objects: files of logs */
	uint64_t resumed;                /* had arrived before, without our knowing */
	uint64_t findings;               /* restore points that cannot be copied as they are damaged here */
	uint64_t locks_renewed, locks_failed;
	char lock_error[TEXT_LINE_MAX];
};
/* Every file of a log that is not in the store yet, in order; every restore point, newest first.  wrapped: the keys
 * wrapped for recovery (empty: none are set up). *ret says what was done also when it fails.  ERR_BUSY: another copy is
 * under way.  ERR_STATE: somebody else writes to this place. */
ERR_CHECK enum err_code offhost_copy(
    const struct offhost *o, struct repo *r, struct bytes wrapped, struct copy_result *ret, struct err *reterr);

/* ---- proving ---- */

struct copy_proof {
	uint64_t points, objects, bytes; /* read back and found to be what the inventory says */
	uint64_t objects_total, findings;
};
/* What the store gives back against the signed inventory, and the inventory against what the ledger says was put.
 * sample: everything but packs, and OFFHOST_SAMPLE_PACKS of these by chance.  ERR_CORRUPT: there are findings (each was
 * told). */
ERR_CHECK enum err_code offhost_verify(
    const struct offhost *o, struct repo *r, bool sample, struct copy_proof *ret, struct err *reterr);

/* ---- getting it back ---- */

struct offhost_restore_options {
	const char *wal_into; /* where archives of logs go, one a service; NULL: they stay in the store.  A single
				restore point brings none */
	const char *into;     /* becomes the repository folder; empty, missing, or what a broken-off restore left */
	uint32_t generation;  /* 0: the newest */
	struct id snapshot;   /* zero: every restore point; else this one alone */
	uint32_t inventory;   /* as things were when this one was written; 0: the newest.  For a host that was made to
				 forget */
	/* Makes the keys; the folder holds keys/recovery by then, if the store has it. */
	enum err_code (*open_keys)(void *ctx, const char *into, struct keys **ret, struct err *reterr);
	void *ctx;
};
/* signer: SHA-256 of the key that signed what came back.  Who can put objects and knows a recovery public key could
 * have made a generation of their own, so a person compares it with what the host's status said. */
struct offhost_restore_result {
	uint64_t points, objects, bytes;
	uint64_t logs;       /* files of logs, of these */
	uint64_t kept;       /* were there already, with the right digest */
	uint32_t generation; /* that was taken */
	struct digest signer;
};
/* On any host, with nothing but the store and the key.  What does not match the inventory is not kept.  The folder is a
 * repository when this returns ERR_OK, and none before.  ERR_NOT_FOUND: there is no copy. */
ERR_CHECK enum err_code offhost_restore(const struct offhost *o, const struct offhost_restore_options *r,
    struct offhost_restore_result *ret, struct err *reterr);

/* ---- what is known on the host ---- */

struct copy_wal {                   /* the log of one database */
	const char *service, *last; /* last: up to it all segments that the archive holds are there; NULL: none is */
	uint64_t newest_ms;         /* when that was last written to */
	uint64_t segments, pending; /* that are there, that are not */
};
extern const struct record_type copy_wal_type;

struct copy_point { /* of one service: when the newest restore point that is there was taken; no safety net */
	const char *service;
	uint64_t taken_ms;
};
extern const struct record_type copy_point_type;

struct copy_status {
	const char *destination;
	uint32_t generation;
	uint64_t began_ms, ended_ms, done_ms; /* of the last run; of the last one that copied everything */
	const char *error;                    /* of the last run */
	uint64_t failing_since_ms;
	uint64_t points, pending; /* restore points of the repository that are there, that are not */
	uint64_t damaged;         /* of these: found damaged on the host by the last run, and not copied */
	struct id newest;         /* the newest one that is there */
	uint64_t newest_taken_ms; /* when it was taken */
	struct list wal;          /* struct copy_wal */
	struct list services;     /* struct copy_point */
	uint64_t objects, size_bytes;
	uint64_t unneeded_objects, unneeded_bytes; /* objects that the repository has no use for any more */
	uint64_t locked_until_ms;                  /* the first lock that ends, of what is needed */
	const char *lock_error;
	struct digest signer; /* SHA-256 of the key that signs manifests and inventories */
	bool recoverable;     /* wrapped keys are there: the copy opens without this host */
	uint64_t verified_ms, verified_objects;
	const char *verify_error;
};
extern const struct record_type copy_status_type;
extern const struct record_type *const offhost_types[]; /* all of this folder, NULL-ended */
/* All zero when nothing was ever copied.  Strings live in arena. */
ERR_CHECK enum err_code offhost_status_read(
    const char *folder, struct arena *arena, struct copy_status *ret, struct err *reterr);

/* Each name (whole) of an object that the repository has no use for any more and that no inventory which a restore
 * reads names, for whoever may delete: false ends it.  They are remembered for OFFHOST_REMEMBER_DAYS, and after that as
 * little as any other that is not needed. */
ERR_CHECK enum err_code offhost_unneeded(const struct offhost *o, struct repo *r,
    bool (*visit)(void *ctx, const char *name, uint64_t size_bytes), void *ctx, struct err *reterr);

#endif
