/* controller/audit/audit.h: the append-only trail of everything that was done or refused, and its Merkle tree.
 *
 * Owns the tables `audit` (entries, numbered from 1 without holes), `audit_head` (size, root and frontier of the tree)
 * and `audit_checkpoint` (heads that were fixed at a moment, for others to sign and keep).  Leaf n of the tree is entry
 * n's canonical msgpack with the hash left out; hashing as in RFC 6962 §2.1 (controller/audit/merkle.h). An entry is
 * only ever added, in the same turn as what it tells: both commit or neither does. Edits, deletions and truncation show
 * in audit_verify(); a rewritten tree (head and all) shows against a checkpoint that somebody else kept.  Nothing here
 * signs: the signature bytes of a checkpoint come from outside. Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_AUDIT_AUDIT_H
#define KEDGE_CONTROLLER_AUDIT_AUDIT_H

#include "controller/turn/turn.h"

enum {
	AUDIT_ACTION_MAX = 96,      /* "enrolment.redeem" */
	AUDIT_OBJECT_MAX = 160,     /* an id or a name, or "service/host" */
	AUDIT_DETAILS_MAX = 16384,  /* canonical JSON, redacted by who gives it */
	AUDIT_SIGNATURE_MAX = 4096, /* one armored SSHSIG */
	AUDIT_FRONTIER_MAX = 64,    /* digests: one for each bit of the size */
};

enum audit_actor { AUDIT_CONTROLLER, AUDIT_OPERATOR, AUDIT_HOST, AUDIT_POLICY, AUDIT_ANONYMOUS, AUDIT_ACTOR_COUNT };
extern const struct enum_type audit_actor_enum; /* controller operator host policy anonymous */
enum audit_outcome { AUDIT_DONE, AUDIT_REFUSED, AUDIT_FAILED, AUDIT_OUTCOME_COUNT };
extern const struct enum_type audit_outcome_enum; /* done refused failed */

struct audit_entry {
	uint64_t sequence;       /* KEY; set by audit_append */
	uint64_t at_ms;          /* set by audit_append */
	uint32_t actor;          /* enum audit_actor */
	const char *actor_name;  /* operator, host or policy; NULL: the controller itself */
	const char *action;      /* "incident.acknowledge" */
	const char *object_kind; /* "incident" */
	const char *object;      /* "inc-…", a name, "service/host"; INDEXED */
	struct id incident;      /* INDEXED */
	struct id change;
	uint32_t outcome;    /* enum audit_outcome */
	const char *address; /* where from, for operators and refused peers */
	const char *text;    /* for people, one line */
	const char *details; /* canonical JSON or NULL */
	struct digest hash;  /* leaf hash; set by audit_append */
};

struct audit_head {
	const char *name; /* KEY; always "head" */
	uint64_t size;
	uint64_t at_ms;
	struct digest root;
	struct bytes frontier; /* digests of the complete subtrees, largest first */
};

struct audit_checkpoint {
	uint64_t size; /* KEY */
	struct digest root;
	uint64_t at_ms;
	const char *signer;     /* NULL: not signed yet */
	struct bytes signature; /* over audit_checkpoint_text() */
};

extern const struct record_type audit_entry_type, audit_head_type, audit_checkpoint_type;
extern const struct table audit_table, audit_head_table, audit_checkpoint_table;
extern const struct record_type *const audit_types[];
extern const struct table *const audit_tables[];

/* Who does something and on whose word; passed through the domain to every function that acts.  Borrowed strings. */
struct actor {
	enum audit_actor kind;
	const char *name;
	const char *address;
};
extern const struct actor actor_controller; /* { AUDIT_CONTROLLER } */
static inline struct actor actor_operator(const char *name, const char *address)
{
	return (struct actor){AUDIT_OPERATOR, name, address};
}
static inline struct actor actor_host(const char *name)
{
	return (struct actor){AUDIT_HOST, name, NULL};
}
static inline struct actor actor_policy(const char *name)
{
	return (struct actor){AUDIT_POLICY, name, NULL};
}
/* "operator ada", "controller", … in the turn's arena; NULL when out of memory. */
const char *actor_text(struct turn *t, const struct actor *who);

/* sequence, at_ms and hash of *e are ignored and set in the stored entry.  Texts that are too long are cut, and what is
 * not UTF-8 has '?' instead: what a stranger sent must not be able to keep itself off the trail. */
ERR_CHECK enum err_code audit_append(struct turn *t, const struct audit_entry *e, struct err *reterr);
/* The usual case in one line: who did action to object (of object_kind), with a formatted text. */
ERR_CHECK enum err_code audit_note(struct turn *t, const struct actor *who, const char *action, const char *object_kind,
    const char *object, enum audit_outcome outcome, struct err *reterr, const char *fmt, ...)
    __attribute__((format(printf, 8, 9)));

/* size 0 and the empty root when nothing was ever appended. */
ERR_CHECK enum err_code audit_head(struct turn *t, struct audit_head *ret, struct err *reterr);
/* Fix the head of now as a checkpoint (a no-op when it is there). */
ERR_CHECK enum err_code audit_checkpoint_make(struct turn *t, struct audit_checkpoint *ret, struct err *reterr);
#define AUDIT_TIMER_CHECKPOINT "audit.checkpoint"
enum { AUDIT_CHECKPOINT_EVERY_MS = 3600 * 1000 };
/* INPUT_BOOT: from now on a checkpoint each hour in which something was added. */
ERR_CHECK enum err_code audit_on_boot(struct turn *t, struct err *reterr);
/* *ret_mine false for other timers.  *ret_made: size is 0 when nothing was added since the last one. */
ERR_CHECK enum err_code audit_on_timer(
    struct turn *t, const struct timer *timer, struct audit_checkpoint *ret_made, bool *ret_mine, struct err *reterr);
/* Keep somebody's signature over a checkpoint.  ERR_NOT_FOUND, ERR_EXISTS (signed by somebody already). */
ERR_CHECK enum err_code audit_checkpoint_sign(
    struct turn *t, uint64_t size, const char *signer, struct bytes signature, struct err *reterr);
/* What is signed: "kedge audit\n<size>\n<root hex>\n<RFC 3339 time>\n". */
void audit_checkpoint_text(const struct audit_checkpoint *c, struct buf *out);

enum audit_problem {
	AUDIT_SOUND,
	AUDIT_MISSING,    /* an entry is not there (deleted, or the end cut off) */
	AUDIT_EDITED,     /* an entry's content is not what was hashed */
	AUDIT_HEAD_WRONG, /* the entries do not give the head's root, or go beyond it */
	AUDIT_FORKED,     /* the entries do not give the root of a checkpoint */
	AUDIT_PROBLEM_COUNT
};
extern const struct enum_type audit_problem_enum; /* sound missing edited head_wrong forked */
struct audit_verdict {
	uint32_t problem;   /* enum audit_problem */
	uint64_t sequence;  /* first entry (or checkpoint size) that it shows at; 0 when sound */
	uint64_t size;      /* entries looked at */
	struct digest root; /* over them */
	const char *text;   /* for people */
};
extern const struct record_type audit_verdict_type;
/* Recompute entries from..to (to 0: the last) from their content and the tree from all leaf hashes; compare with the
 * head, with every checkpoint, and with *known (a checkpoint that somebody else kept; may be NULL).  Problems are a
 * verdict, not an error. */
ERR_CHECK enum err_code audit_verify(struct turn *t, uint64_t from, uint64_t to, const struct audit_checkpoint *known,
    struct audit_verdict *ret, struct err *reterr);

/* Proofs for outsiders, RFC 6962 §2.1.1 and §2.1.2: that entry `sequence` is in the tree of `size`, that the tree of
 * `from` is a prefix of that of `to`.  *ret: struct digest, in the turn's arena.  ERR_INVALID beyond the head. */
ERR_CHECK enum err_code audit_inclusion(
    struct turn *t, uint64_t sequence, uint64_t size, struct list *ret, struct err *reterr);
ERR_CHECK enum err_code audit_consistency(
    struct turn *t, uint64_t from, uint64_t to, struct list *ret, struct err *reterr);

#endif
