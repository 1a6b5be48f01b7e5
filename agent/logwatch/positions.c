#include "agent/logwatch/positions.h"

#include "agent/config/config.h"
#include "agent/logwatch/logwatch.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

static const struct field position_fields[] = {
    F_STRING(struct saved_position, path, PATH_LIMIT, FIELD_REQUIRED, "the path that is followed"),
    F_U64(struct saved_position, device, UINT64_MAX, 0, "the file's device"),
    F_U64(struct saved_position, inode, UINT64_MAX, 0, "the file's inode"),
    F_U64(struct saved_position, offset, UINT64_MAX, 0, "where the next unread line begins"),
    F_U64(struct saved_position, head_size, TAIL_HEAD_MAX, 0, "how many of its first bytes are known"),
    F_U64(struct saved_position, head_hash, UINT64_MAX, 0, "their hash"),
};
static const struct record_type position_type =
    RECORD_TYPE("log_position", struct saved_position, position_fields, "where one file was read to");

static const struct field source_fields[] = {
    F_STRING(struct saved_source, service, NAME_MAX_BYTES, FIELD_REQUIRED, "the service"),
    F_STRING(struct saved_source, source, PATH_LIMIT, FIELD_REQUIRED, "the path, glob or unit as configured"),
    F_STRING(struct saved_source, cursor, TEXT_LINE_MAX, 0, "the journal's cursor"),
    F_LIST(struct saved_source, positions, &position_type, 2 * LOGWATCH_FILES_MAX, 0, "its files"),
    F_STRINGS(struct saved_source, templates, LOGWATCH_TEMPLATES, 0, "templates that were told of"),
};
static const struct record_type source_type =
    RECORD_TYPE("log_source", struct saved_source, source_fields, "one followed source");

static const struct field file_fields[] = {
    F_U32(struct saved_positions, version, POSITIONS_VERSION, FIELD_REQUIRED, "of this file's layout"),
    F_LIST(struct saved_positions, sources, &source_type, CONFIG_SERVICES_MAX *CONFIG_LOGS_MAX, 0, "every source"),
};
const struct record_type saved_positions_type =
    RECORD_TYPE("log_positions", struct saved_positions, file_fields, "what logwatch remembers");

enum err_code positions_load(const char *path, struct arena *arena, struct saved_positions *ret, struct err *reterr)
{
	struct buf data = BUF_INIT;
	if (!file_exists(path)) {
		*ret = (struct saved_positions){.version = POSITIONS_VERSION};
		return ERR_OK;
	}
	enum err_code rc = file_read(path, POSITIONS_FILE_MAX, &data, reterr);
	if (rc == ERR_OK) {
		rc = record_from_msgpack(&saved_positions_type, data.data, data.size, arena, ret, reterr);
		if (rc == ERR_INVALID)
			rc = err_prefix(reterr, ERR_CORRUPT, "%s", path);
	}
	buf_done(&data);
	return rc;
}

enum err_code positions_save(const char *path, const struct saved_positions *p, struct err *reterr)
{
	struct buf data = BUF_INIT;
	enum err_code rc = record_to_msgpack(&saved_positions_type, p, &data, reterr);
	if (rc == ERR_OK && data.failed)
		rc = err_set(reterr, ERR_NOMEM, "no memory for %s", path);
	if (rc == ERR_OK)
		rc = file_replace(path, data.data, data.size, 0600, reterr);
	buf_done(&data);
	return rc;
}

const struct saved_source *positions_find(const struct saved_positions *p, const char *service, const char *source)
{
	for (size_t i = 0; i < p->sources.count; i++) {
		const struct saved_source *s = &LIST_AT(p->sources, struct saved_source, i);
		if (text_equal(s->service, service) && text_equal(s->source, source))
			return s;
	}
	return NULL;
}
