/* tests/lib/schema/schema_main.c: docs/SCHEMA.md, from the record types themselves.
 *
 *   kedge_schema > docs/SCHEMA.md          write it anew
 *   kedge_schema --check docs/SCHEMA.md    0: it says what the code says; 1: it does not, and where
 *
 * A folder that has record types gets a line in folders.h. */
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "tests/lib/schema/folders.h"

static void write_schema(struct buf *out)
{
	buf_text(out, "# Schema\n\nEvery record type of Kedge: messages, files, tables.  Written by `kedge_schema` "
		      "from the code's own "
		      "tables; do not edit it by hand.\n\n"
		      "On the wire and in the store a record is a msgpack map with these names; times are unix "
		      "milliseconds.  In JSON and "
		      "YAML a time is RFC 3339 text under its name without `_ms`; in YAML a duration or a size has its "
		      "unit (`30s`, "
		      "`64MiB`) and its name is without `_ms` or `_bytes`.\n");
	for (size_t i = 0; i < FOLDERS; i++) {
		buf_printf(out, "\n## %s\n\n%s\n", chapters[i].title, chapters[i].text);
		for (size_t k = 0; folders[i].types[k]; k++) {
			buf_byte(out, '\n');
			record_schema(folders[i].types[k], out);
		}
	}
}

static int check(const char *path, const struct buf *want)
{
	CLEANUP(buf_done) struct buf have = BUF_INIT;
	struct err err = ERR_INIT;
	size_t at = 0, line = 1;

	if (file_read(path, BUF_DEFAULT_LIMIT, &have, &err) != ERR_OK) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	for (; at < have.size && at < want->size && have.data[at] == want->data[at]; at++)
		line += have.data[at] == '\n';
	if (at == have.size && at == want->size)
		return 0;
	fprintf(stderr, "%s:%zu: is not what the code says; write it anew with kedge_schema > %s\n", path, line, path);
	return 1;
}

int main(int argc, char **argv)
{
	CLEANUP(buf_done) struct buf schema = BUF_INIT;
	struct err err = ERR_INIT;
	bool checking = argc == 3 && !strcmp(argv[1], "--check");

	if (argc != 1 && !checking) {
		fprintf(stderr, "usage: kedge_schema [--check FILE]\n");
		return 2;
	}
	if (record_registry_check(folders, FOLDERS, &err) != ERR_OK) {
		fprintf(stderr, "kedge_schema: %s\n", err.msg);
		return 1;
	}
	write_schema(&schema);
	if (schema.failed) {
		fprintf(stderr, "kedge_schema: out of memory\n");
		return 1;
	}
	if (checking)
		return check(argv[2], &schema);
	return fwrite(schema.data, 1, schema.size, stdout) == schema.size && fflush(stdout) == 0 ? 0 : 1;
}
