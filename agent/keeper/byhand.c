#include "agent/keeper/byhand.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/keeper/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

const char *byhand_who(void)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *p = sudo && *sudo ? NULL : getpwuid(getuid());
	const char *who = sudo && *sudo ? sudo : p ? p->pw_name : "somebody";
	return strlen(who) <= NAME_MAX_BYTES ? who : "somebody";
}

/* ---- leaving it ---- */

static bool path_of(
    const struct agent_config *c, const struct report *r, char folder[PATH_LIMIT], char path[PATH_LIMIT])
{
	const char *name = r->order ? id_text(ID_ORDER, r->order->order) : id_text(ID_SNAPSHOT, r->snapshot->snapshot);
	return text_format(folder, PATH_LIMIT, "%s/by-hand", c->state_directory) &&
	       text_format(path, PATH_LIMIT, "%s/%s.json", folder, name);
}

enum err_code byhand_keep(const struct agent_config *c, struct report *r, struct err *reterr)
{
	char folder[PATH_LIMIT], path[PATH_LIMIT];
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	if (!c->controller)
		return ERR_OK;
	r->sequence = 1; /* the link gives the real one */
	r->at_ms = clock_wall_ms();
	r->importance = IMPORTANCE_RESULT;
	if (!path_of(c, r, folder, path))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", c->state_directory);
	enum err_code rc = record_to_json(&report_type, r, 0, &text, reterr);
	if (rc == ERR_OK)
		rc = file_make_dirs(folder, 0700, reterr);
	return rc == ERR_OK ? file_replace(path, text.data, text.size, 0600, reterr) : rc;
}

enum err_code byhand_keep_snapshot(
    const struct agent_config *c, const struct snapshot_summary *s, struct arena *arena, struct err *reterr)
{
	struct snapshot_report body;
	enum err_code rc = work_snapshot_report(s, arena, &body, reterr);
	struct report r = {.snapshot = &body};
	return rc == ERR_OK ? byhand_keep(c, &r, reterr) : rc;
}

/* ---- handing it over ---- */

static bool was_handed(const struct keeper *k, const char *name)
{
	for (size_t i = 0; i < BYHAND_TURN_MAX; i++)
		if (text_equal(k->handed[i], name))
			return true;
	return false;
}

/* A file that is no report is told once in the log and left for a person. */
static void hand_over(struct keeper *k, const char *path, const char *name)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(4 << 20);
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	struct report r;
	struct err err = ERR_INIT;
	text_copy(k->handed[k->handed_next++ % BYHAND_TURN_MAX], ID_TEXT_MAX + sizeof ".json", name);
	enum err_code rc = arena ? file_read(path, BYHAND_FILE_MAX, &text, &err) : ERR_NOMEM;
	if (rc == ERR_OK)
		rc = record_from_json(&report_type, buf_str(&text), text.size, 0, arena, &r, &err);
	if (rc == ERR_OK && !r.order && !r.snapshot)
		rc = err_set(&err, ERR_INVALID, "it tells of neither an order nor a restore point");
	if (rc != ERR_OK)
		log_error("keeper", "%s cannot be told: %s", path, err.msg);
	else
		keeper_tell(k, IMPORTANCE_RESULT, &r);
}

void byhand_tick(struct keeper *k)
{
	char folder[PATH_LIMIT], path[PATH_LIMIT];
	if (!k->outgoing || !text_format(folder, sizeof folder, "%s/by-hand", k->c->state_directory))
		return;
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	unsigned count = 0;
	for (struct dirent *e; dir && count < BYHAND_TURN_MAX && (e = readdir(dir));) {
		if (e->d_name[0] == '.' || !text_ends(e->d_name, ".json"))
			continue;
		count++;
		if (!was_handed(k, e->d_name) && text_format(path, sizeof path, "%s/%s", folder, e->d_name))
			hand_over(k, path, e->d_name);
	}
}

void byhand_on_spooled(struct keeper *k, const struct report *r)
{
	char folder[PATH_LIMIT], path[PATH_LIMIT];
	if ((r->order || r->snapshot) && path_of(k->c, r, folder, path))
		(void)!unlink(path); /* most reports are of no file there */
}
