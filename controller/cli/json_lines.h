/* controller/cli/json_lines.h: files with one JSON object a line, as records. */
#ifndef KEDGE_CONTROLLER_CLI_JSON_LINES_H
#define KEDGE_CONTROLLER_CLI_JSON_LINES_H

#include "controller/cli/command.h"

/* One object of the file; record lives in arena, which is emptied after the call unless `keep` was set. */
typedef enum err_code (*json_line_fn)(void *ctx, const void *record, struct err *reterr);

/* Every line of a file (plain or gzip, "-": standard input) that is not empty, in order.  With keep, records stay in
 * the arena.  ERR_CORRUPT names file and line of what is not such an object. */
ERR_CHECK enum err_code json_lines_each(struct cli *c, const char *path, const struct record_type *type,
    struct arena *arena, bool keep, json_line_fn fn, void *ctx);

#endif
