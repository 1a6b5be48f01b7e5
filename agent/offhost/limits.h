/* agent/offhost/limits.h: the limits of copies off the host, each with its reason. */
#ifndef KEDGE_AGENT_OFFHOST_LIMITS_H
#define KEDGE_AGENT_OFFHOST_LIMITS_H

enum {
	OFFHOST_PACKS_MAX = 1 << 16, /* that one restore point needs: 4 TiB of them */
	OFFHOST_GENERATIONS_MAX =
	    999, /* repositories that one host name ever had; each is asked for once when the ledger is lost */
	OFFHOST_INVENTORIES_MAX = 99999999, /* the number has eight digits: one an hour for eleven thousand years */
	OFFHOST_FULL_EVERY = 32,            /* no whole inventory before so many that only tell what is new */
	OFFHOST_FULL_SHARE = 4,   /* nor before these tell a quarter of what is needed: so whole ones cost at most four
				   * entries for each that is new, however often something is copied */
	OFFHOST_CHAIN_MAX = 1024, /* but after so many in any case: what a restore must read at most */
	OFFHOST_GONE_MAX =
	    20000, /* objects of no use that are remembered for who may delete them; the oldest go first */
	OFFHOST_REMEMBER_DAYS =
	    30, /* and for so long, after their locks ended: `copy unneeded` once a month names all */
	OFFHOST_ARCHIVES_MAX = 256,       /* databases of one host whose log is archived */
	OFFHOST_SERVICES_MAX = 1024,      /* of one host whose copies are told one by one */
	OFFHOST_KEYS_MAX = 999,           /* wrapped copies of the keys: one for each rotation */
	OFFHOST_ENTRIES_MAX = 400000,     /* objects of one host: packs of 64 MiB make 24 TiB; or the logs of four
					   * databases, a segment a minute, five weeks back and to the month's base
					   * before (postgres.wal_keep) */
	OFFHOST_INVENTORY_MAX = 64 << 20, /* bytes; a restore reads it into memory; OFFHOST_ENTRIES_MAX make 45 MB */
	OFFHOST_LEDGER_MAX = 256 << 20,   /* the file */
	OFFHOST_SMALL_MAX = 4 << 20,      /* a statement about a repository, its wrapped keys (RECOVERY_FILE_MAX) */
	OFFHOST_MARKS_MAX = 8 << 10,      /* as the repository's own limit */
	OFFHOST_READ_BACK_MAX =
	    1 << 20, /* when an object may have arrived: up to this size it is read back to be sure; of others the size
		      * is compared (the store checked their digest before it took them) */
	OFFHOST_TRIES = 4,         /* of a request that failed for a reason that passes */
	OFFHOST_RETRY_MS = 1000,   /* doubles */
	OFFHOST_SAMPLE_PACKS = 64, /* read back by a sampled verification, besides everything that is small */
	OFFHOST_PIECE = 256 << 10,
};

#endif
