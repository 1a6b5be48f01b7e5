/* The record types of this folder.  Apart from all else, so that who only wants to know them links nothing of the
 * engine. */
#include <string.h>

#include "agent/database/wal.h"
#include "agent/offhost/inventory.h"
#include "agent/offhost/ledger.h"
#include "agent/offhost/store.h"
#include "shared/base/text.h"

static enum err_code check_copied(const void *record, struct err *reterr)
{
	const struct copied *c = record;
	struct id id;
	char service[NAME_MAX_BYTES + 1];
	if (!copied_name_ok(c->name))
		return err_set(reterr, ERR_INVALID, "name: \"%.90s\" is nothing that is copied", c->name);
	if (c->packs.size % PACK_ID_SIZE != 0 || (c->packs.size && !copied_manifest_id(c->name, &id)))
		return err_set(
		    reterr, ERR_INVALID, "packs: only a manifest needs any, each named by %d bytes", PACK_ID_SIZE);
	if (c->content.size && ((!copied_marks_id(c->name, &id) && !copied_wal_area(c->name, service)) ||
				   c->content.size != c->size_bytes))
		return err_set(reterr, ERR_INVALID, "content: only marks and what a log belongs to travel here, whole");
	return ERR_OK;
}

static const struct field copied_fields[] = {
    F_STRING(struct copied, name, COPIED_NAME_MAX - 1, FIELD_REQUIRED, "what it is, below its generation"),
    F_SIZE(struct copied, size_bytes, 0, 0, "of the object"),
    F_DIGEST(struct copied, sha256, FIELD_REQUIRED, "of its bytes"),
    F_TIME(struct copied, stored_ms, 0, "when it had arrived; none: it was begun"),
    F_TIME(struct copied, locked_until_ms, 0, "until then nobody can delete it"),
    F_U32(struct copied, inventory, OFFHOST_INVENTORIES_MAX, 0,
	"the first one that names it; of what is gone the last that may"),
    F_U32(struct copied, base, OFFHOST_INVENTORIES_MAX, 0, "of an inventory: the whole one that it builds on"),
    F_BOOL(struct copied, gone, 0, "the repository has no use for it any more"),
    F_TIME(struct copied, gone_since_ms, 0, "since when"),
    F_BYTES(struct copied, packs, OFFHOST_ENTRIES_MAX *PACK_ID_SIZE, 0, "ids of the packs that a restore point needs"),
    F_BYTES(struct copied, content, OFFHOST_MARKS_MAX, 0, "of marks, and of what a log belongs to: what they say"),
};
const struct record_type copied_type =
    RECORD_TYPE("copied", struct copied, copied_fields, "one thing that is off this host", .check = check_copied);

static const struct field head_fields[] = {
    F_U32(struct ledger_head, version, 0, FIELD_REQUIRED, "of the file's format"),
    F_U32(struct ledger_head, generation, OFFHOST_GENERATIONS_MAX, FIELD_REQUIRED, "which repository of this host",
	.min = 1),
    F_STRING(struct ledger_head, destination, BUCKET_URL_MAX, FIELD_REQUIRED, "store, bucket and prefix"),
    F_STRING(struct ledger_head, host, NAME_MAX_BYTES, FIELD_REQUIRED, "whose repository"),
    F_BYTES(struct ledger_head, repository, REPO_ID_SIZE, FIELD_REQUIRED, "its id", .min = REPO_ID_SIZE),
};
const struct record_type ledger_head_type =
    RECORD_TYPE("ledger_head", struct ledger_head, head_fields, "what a ledger of copies is about");

static const struct field inventory_fields[] = {
    F_STRING(struct inventory, host, NAME_MAX_BYTES, FIELD_REQUIRED, "whose copy"),
    F_U32(struct inventory, number, OFFHOST_INVENTORIES_MAX, FIELD_REQUIRED, "its place in the row", .min = 1),
    F_TIME(struct inventory, made_ms, FIELD_REQUIRED, "when it was made"),
    F_DIGEST(struct inventory, previous, 0, "of the one before it"),
    F_U32(struct inventory, base, OFFHOST_INVENTORIES_MAX, 0, "the whole one that it builds on"),
    F_U64(struct inventory, count, OFFHOST_ENTRIES_MAX, 0, "how many things follow: what was put since, or everything"),
};
const struct record_type inventory_type =
    RECORD_TYPE("inventory", struct inventory, inventory_fields, "what a copy off the host consists of");

static const struct field statement_fields[] = {
    F_U32(struct place_statement, version, 0, FIELD_REQUIRED, "of this layout: 1"),
    F_STRING(struct place_statement, host, NAME_MAX_BYTES, FIELD_REQUIRED, "whose repository it is"),
    F_BYTES(struct place_statement, repository, REPO_ID_SIZE, FIELD_REQUIRED, "its id", .min = REPO_ID_SIZE),
    F_BYTES(struct place_statement, public_key, 32, FIELD_REQUIRED,
	"what its manifests and inventories are signed with", .min = 32),
};
const struct record_type place_statement_type =
    RECORD_TYPE("place_statement", struct place_statement, statement_fields, "which repository a copy is of");

static const struct field wal_fields[] = {
    F_STRING(struct copy_wal, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "whose database it is"),
    F_STRING(struct copy_wal, last, WAL_NAME_MAX, FIELD_COLUMN, "the newest segment up to which all are off this host"),
    F_TIME(struct copy_wal, newest_ms, FIELD_COLUMN, "when that was last written to: what came later would be lost"),
    F_U64(struct copy_wal, segments, 0, FIELD_ALWAYS | FIELD_COLUMN, "how many are off this host"),
    F_U64(struct copy_wal, pending, 0, FIELD_ALWAYS | FIELD_COLUMN, "how many are not, yet"),
};
const struct record_type copy_wal_type =
    RECORD_TYPE("copy_wal", struct copy_wal, wal_fields, "how much of a database's log is off this host");

static const struct field point_fields[] = {
    F_STRING(struct copy_point, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_TIME(struct copy_point, taken_ms, FIELD_COLUMN, "when its newest restore point that is off this host was taken"),
};
const struct record_type copy_point_type =
    RECORD_TYPE("copy_point", struct copy_point, point_fields, "what of a service is off this host");

static const struct field status_fields[] = {
    F_STRING(struct copy_status, destination, BUCKET_URL_MAX, FIELD_COLUMN, "store, bucket and prefix"),
    F_U32(struct copy_status, generation, OFFHOST_GENERATIONS_MAX, 0, "which repository of this host"),
    F_TIME(struct copy_status, began_ms, 0, "when the last run began"),
    F_TIME(struct copy_status, ended_ms, FIELD_COLUMN, "when it ended"),
    F_TIME(struct copy_status, done_ms, FIELD_COLUMN, "when everything was copied last"),
    F_STRING(struct copy_status, error, ERR_MSG_MAX, FIELD_COLUMN, "why the last run ended early"),
    F_TIME(struct copy_status, failing_since_ms, 0, "since when no run came to its end"),
    F_U64(struct copy_status, points, 0, FIELD_COLUMN | FIELD_ALWAYS, "restore points that are off this host"),
    F_U64(struct copy_status, pending, 0, FIELD_COLUMN | FIELD_ALWAYS, "that are not, yet"),
    F_U64(struct copy_status, damaged, 0, 0, "of these: damaged on the host, and therefore not copied"),
    F_ID(struct copy_status, newest, SNAPSHOT, 0, "the newest one that is"),
    F_TIME(struct copy_status, newest_taken_ms, FIELD_COLUMN,
	"when that was taken: what is younger would be lost with this host"),
    F_LIST(struct copy_status, wal, &copy_wal_type, OFFHOST_ARCHIVES_MAX, 0, "the logs of databases"),
    F_LIST(struct copy_status, services, &copy_point_type, OFFHOST_SERVICES_MAX, 0, "restore points, by service"),
    F_U64(struct copy_status, objects, 0, FIELD_ALWAYS, "that are in use"),
    F_SIZE(struct copy_status, size_bytes, 0, FIELD_ALWAYS, "of these"),
    F_U64(struct copy_status, unneeded_objects, 0, 0, "objects that the repository has no use for any more"),
    F_SIZE(struct copy_status, unneeded_bytes, 0, 0, "of these"),
    F_TIME(struct copy_status, locked_until_ms, 0, "when the first lock on what is in use ends"),
    F_STRING(struct copy_status, lock_error, ERR_MSG_MAX, 0, "why locks could not be renewed"),
    F_DIGEST(
	struct copy_status, signer, 0, "SHA-256 of this host's signing key: copy restore shows the one that it found"),
    F_BOOL(
	struct copy_status, recoverable, FIELD_COLUMN | FIELD_ALWAYS, "the keys are there, wrapped to a recovery key"),
    F_TIME(struct copy_status, verified_ms, FIELD_COLUMN, "when the copy was read back last and was right"),
    F_U64(struct copy_status, verified_objects, 0, 0, "how much of it"),
    F_STRING(struct copy_status, verify_error, ERR_MSG_MAX, 0, "what was wrong with it when it was read back last"),
};
const struct record_type copy_status_type =
    RECORD_TYPE("copy_status", struct copy_status, status_fields, "how the copies off this host stand");

const struct record_type *const offhost_types[] = {&copy_status_type, &copy_wal_type, &copy_point_type, &copied_type,
    &ledger_head_type, &inventory_type, &place_statement_type, NULL};
