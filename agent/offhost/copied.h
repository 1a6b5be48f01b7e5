/* agent/offhost/copied.h: one thing that is off this host: a line of the ledger, an entry of an inventory. */
#ifndef KEDGE_AGENT_OFFHOST_COPIED_H
#define KEDGE_AGENT_OFFHOST_COPIED_H

#include "agent/repository/pack.h"
#include "agent/snapshot/manifest.h"
#include "shared/record/record.h"

enum { COPIED_NAME_MAX = 160 }; /* "wal/", a service, a file of a log */

struct copied {
	const char *name; /* below the generation: "packs/ID.pack", "snapshots/ID.manifest", "snapshots/ID.marks",
			     "wal/SERVICE/NAME", "wal/SERVICE/area" */
	uint64_t size_bytes;
	struct digest sha256;
	uint64_t stored_ms;       /* 0: begun; whether it arrived is not known */
	uint64_t locked_until_ms; /* 0: not locked */
	uint32_t inventory;       /* the first that names it, of what is gone the last that may; 0: none */
	uint32_t base; /* of an inventory: the whole one that it builds on; 0: of one of old, see copied_base() */
	bool gone;     /* the repository has no use for it any more */
	uint64_t gone_since_ms; /* since when */
	struct bytes packs;     /* of a manifest: the ids of the packs that it needs, one after the other */
	struct bytes content; /* of marks: they change, so they travel in the inventory and are no object of their own;
			 of a log's area: whose log it is, without its keys */
};
extern const struct record_type copied_type;

char *copied_pack_name(struct pack_id id, char out[COPIED_NAME_MAX]);
char *copied_manifest_name(struct id id, char out[COPIED_NAME_MAX]);
char *copied_marks_name(struct id id, char out[COPIED_NAME_MAX]);
char *copied_inventory_name(uint32_t number, char out[COPIED_NAME_MAX]);
char *copied_keys_name(uint32_t number, char out[COPIED_NAME_MAX]);
bool copied_manifest_id(const char *name, struct id *ret);
bool copied_marks_id(const char *name, struct id *ret);
bool copied_pack_id(const char *name, struct pack_id *ret);
char *copied_wal_name(const char *service, const char *file, char out[COPIED_NAME_MAX]);
/* A file of a service's log: its own name, and the service's; NULL: it is none. */
const char *copied_wal_file(const char *name, char service[NAME_MAX_BYTES + 1]);
/* What a service's log belongs to; the service's name. */
bool copied_wal_area(const char *name, char service[NAME_MAX_BYTES + 1]);
/* Of the row of an inventory: the number of the whole one that it builds on. */
uint32_t copied_base(const struct copied *inventory);
/* A name that may become a file of a repository: one of the kinds above and nothing else. */
bool copied_name_ok(const char *name);

#endif
