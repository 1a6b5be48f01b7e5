/* What a restore point says about itself, as records. */
#include <string.h>

#include "agent/snapshot/snapshot.h"
#include "agent/snapshot/upkeep.h"

static const char *const root_kind_names[] = {
    [ROOT_PLAIN] = "plain",
    [ROOT_GIT] = "git",
    [ROOT_RELEASE_LINK] = "release-link",
    [ROOT_RELEASE] = "release",
    [ROOT_PREPARED] = "prepared",
};
const struct enum_type root_kind_enum = ENUM_TYPE("root_kind", root_kind_names);

static const char *const entry_type_names[] = {
    [ENTRY_FILE] = "file",
    [ENTRY_DIRECTORY] = "directory",
    [ENTRY_SYMLINK] = "symlink",
    [ENTRY_FIFO] = "fifo",
    [ENTRY_SOCKET] = "socket",
    [ENTRY_CHARACTER] = "character",
    [ENTRY_BLOCK] = "block",
};
const struct enum_type entry_type_enum = ENUM_TYPE("entry_type", entry_type_names);

static const char *const change_kind_names[] = {
    [CHANGE_ADDED] = "added",
    [CHANGE_REMOVED] = "removed",
    [CHANGE_CONTENT] = "content",
    [CHANGE_METADATA] = "metadata",
};
const struct enum_type change_kind_enum = ENUM_TYPE("change_kind", change_kind_names);

static const struct field root_fields[] = {
    F_STRING(struct snapshot_root, path, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN, "absolute path on the host"),
    F_STRING(struct snapshot_root, label, NAME_MAX_BYTES, FIELD_COLUMN, "what a database adapter calls it"),
    F_ENUM(struct snapshot_root, kind, &root_kind_enum, FIELD_COLUMN, "how it was declared"),
};
const struct record_type snapshot_root_type =
    RECORD_TYPE("snapshot_root", struct snapshot_root, root_fields, "One tree of a component in a restore point.");

static const struct field component_fields[] = {
    F_ENUM(struct snapshot_component, component, &component_enum, FIELD_ALWAYS | FIELD_COLUMN, "which component"),
    F_DIGEST(struct snapshot_component, digest, FIELD_REQUIRED | FIELD_COLUMN,
	"content and metadata of all roots; comparable within one repository"),
    F_U64(struct snapshot_component, entries, 0, FIELD_COLUMN, "names in it"),
    F_U64(struct snapshot_component, files, 0, 0, "regular files among them"),
    F_SIZE(struct snapshot_component, size_bytes, 0, FIELD_COLUMN, "size as restored"),
    F_U64(struct snapshot_component, torn, 0, FIELD_WIDE, "files that kept changing while they were read"),
    F_U64(struct snapshot_component, vanished, 0, FIELD_WIDE, "names that were gone before they could be read"),
    F_STRING(struct snapshot_component, version, VERSION_MAX_BYTES, FIELD_COLUMN, "git commit or release"),
    F_BOOL(struct snapshot_component, dirty, 0, "the git work tree differs from its index"),
    F_LIST(struct snapshot_component, roots, &snapshot_root_type, SNAPSHOT_ROOTS_MAX, FIELD_REQUIRED, "its trees"),
    F_STRINGS(struct snapshot_component, exclude, CONFIG_PATHS_MAX, 0, "globs that were left out"),
};
const struct record_type snapshot_component_type =
    RECORD_TYPE("snapshot_component", struct snapshot_component, component_fields, "One component in a restore point.");

static const struct field absent_fields[] = {
    F_ENUM(struct snapshot_absent, component, &component_enum, FIELD_ALWAYS, "whose root"),
    F_STRING(struct snapshot_absent, path, PATH_LIMIT, FIELD_REQUIRED, "absolute path on the host"),
};
const struct record_type snapshot_absent_type =
    RECORD_TYPE("snapshot_absent", struct snapshot_absent, absent_fields, "A root that was not there.");

static const struct field version_fields[] = {
    F_STRING(struct snapshot_version, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "of what"),
    F_STRING(struct snapshot_version, value, VERSION_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the version"),
};
const struct record_type snapshot_version_type = RECORD_TYPE(
    "snapshot_version", struct snapshot_version, version_fields, "A version that a restore point depends on.");

static const struct field marks_fields[] = {
    F_TIME(struct snapshot_marks, verified_ms, 0, "every chunk was read back and authenticated then"),
    F_TIME(struct snapshot_marks, sampled_ms, 0, "a sample of chunks was"),
    F_TIME(struct snapshot_marks, healthy_since_ms, 0, "the service ran healthy on this state since then"),
    F_BOOL(struct snapshot_marks, suspect, 0, "learnt later to be of what failed at once"),
    F_STRING(struct snapshot_marks, hold, TEXT_LINE_MAX, 0, "why it must not be pruned"),
    F_STRING(struct snapshot_marks, damage, TEXT_LINE_MAX, 0, "what the last verification found wrong"),
};
const struct record_type snapshot_marks_type =
    RECORD_TYPE("snapshot_marks", struct snapshot_marks, marks_fields, "What was learnt about a restore point since.");

static const struct field summary_fields[] = {
    F_ID(struct snapshot_summary, snapshot, SNAPSHOT, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "its id"),
    F_STRING(struct snapshot_summary, host, NAME_MAX_BYTES, FIELD_REQUIRED, "the host it was taken on"),
    F_STRING(struct snapshot_summary, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUM(struct snapshot_summary, reason, &snapshot_reason_enum, FIELD_ALWAYS | FIELD_COLUMN, "why it was taken"),
    F_BOOL(struct snapshot_summary, suspect, FIELD_COLUMN, "taken during an incident or as a safety net"),
    F_TIME(struct snapshot_summary, taken_ms, FIELD_COLUMN, "when", .column = "TAKEN"),
    F_DURATION(struct snapshot_summary, took_ms, 0, FIELD_COLUMN, "how long it took", .column = "TOOK"),
    F_SIZE(struct snapshot_summary, size_bytes, 0, FIELD_COLUMN, "size as restored", .column = "SIZE"),
    F_SIZE(
	struct snapshot_summary, stored_bytes, 0, FIELD_COLUMN, "what it added to the repository", .column = "STORED"),
    F_U64(struct snapshot_summary, read_files, 0, FIELD_WIDE, "files that had to be read"),
    F_STRING(
	struct snapshot_summary, agent_version, VERSION_MAX_BYTES, FIELD_WIDE, "version of the agent that took it"),
    F_LIST(struct snapshot_summary, versions, &snapshot_version_type, SNAPSHOT_VERSIONS_MAX, 0,
	"versions that it depends on"),
    F_LIST(struct snapshot_summary, components, &snapshot_component_type, COMPONENT_COUNT, 0, "its components"),
    F_LIST(struct snapshot_summary, absent, &snapshot_absent_type, COMPONENT_COUNT *SNAPSHOT_ROOTS_MAX, 0,
	"roots that were not there"),
    F_INLINE(struct snapshot_summary, marks, struct snapshot_marks, &snapshot_marks_type, 0, "what was learnt since"),
};
const struct record_type snapshot_summary_type =
    RECORD_TYPE("snapshot_summary", struct snapshot_summary, summary_fields, "A restore point.");

static const struct field stats_fields[] = {
    F_U64(struct repo_stats, snapshots, 0, FIELD_ALWAYS | FIELD_COLUMN, "restore points"),
    F_U64(struct repo_stats, packs, 0, FIELD_ALWAYS | FIELD_COLUMN, "pack files"),
    F_U64(struct repo_stats, chunks, 0, FIELD_ALWAYS | FIELD_COLUMN, "distinct chunks"),
    F_SIZE(struct repo_stats, packed_bytes, 0, FIELD_ALWAYS | FIELD_COLUMN, "size of the packs on disk"),
    F_SIZE(
	struct repo_stats, raw_bytes, 0, FIELD_ALWAYS | FIELD_COLUMN, "size of the distinct chunks before compression"),
    F_SIZE(struct repo_stats, manifest_bytes, 0, FIELD_ALWAYS, "size of the manifests"),
    F_SIZE(struct repo_stats, index_bytes, 0, FIELD_ALWAYS, "size of the index"),
    F_SIZE(struct repo_stats, free_bytes, 0, FIELD_ALWAYS | FIELD_COLUMN, "room left on the file system"),
    F_TIME(struct repo_stats, oldest_ms, FIELD_COLUMN, "oldest restore point"),
    F_TIME(struct repo_stats, newest_ms, FIELD_COLUMN, "newest restore point"),
};
const struct record_type repo_stats_type =
    RECORD_TYPE("repo_stats", struct repo_stats, stats_fields, "The repository in numbers.");

const struct record_type *const snapshot_types[] = {&snapshot_root_type, &snapshot_component_type,
    &snapshot_absent_type, &snapshot_version_type, &snapshot_marks_type, &snapshot_summary_type, &repo_stats_type,
    NULL};

const struct snapshot_component *snapshot_summary_component(const struct snapshot_summary *s, enum component which)
{
	for (size_t i = 0; i < s->components.count; i++) {
		const struct snapshot_component *c = &LIST_AT(s->components, struct snapshot_component, i);
		if (c->component == (uint32_t)which)
			return c;
	}
	return NULL;
}

bool snapshot_summary_absent(const struct snapshot_summary *s, enum component which)
{
	for (size_t i = 0; i < s->absent.count; i++)
		if (LIST_AT(s->absent, struct snapshot_absent, i).component == (uint32_t)which)
			return true;
	return false;
}

bool snapshot_is_good(const struct snapshot_summary *s)
{
	return !s->suspect && !s->marks.suspect && s->reason != SNAPSHOT_EMERGENCY && s->reason != SNAPSHOT_SAFETY &&
	       s->marks.verified_ms && s->marks.healthy_since_ms && !s->marks.damage;
}
