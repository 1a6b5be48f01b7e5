/* controller/cli/incident_file.h: files of past incidents, as they lie there.
 *
 * Plain or gzip, one incident a line:
 *   a matrix    tab-separated, first line the names of events, then counts; a first column that is no number is the id
 *   sessions    id TAB cause TAB events divided by spaces, or id TAB events; without a first line of names
 *   JSON lines  {"id", "cause", "events": ["…"]} ("class" and "label" are other words for cause)
 * Where a row has no id it is called by its number, from 1.  Causes of a matrix stand in a file beside it, one a line.
 */
#ifndef KEDGE_CONTROLLER_CLI_INCIDENT_FILE_H
#define KEDGE_CONTROLLER_CLI_INCIDENT_FILE_H

#include "controller/cli/command.h"
#include "controller/knowledge/similar.h"

/* labels NULL: a file beside it whose name begins alike and has "label" in it, if there is one.  Rows that are not past
 * only ask: their causes are not read. */
ERR_CHECK enum err_code incident_file_read(
    struct cli *c, const char *path, const char *labels, bool past, struct similar *s);

#endif
