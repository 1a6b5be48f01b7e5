/* agent/rollback/site.h: one root on this host, the way into it, and the staging folder beside it.
 *
 * Nothing below a root is ever reached through a symlink.  The staging folder lies on the root's own file system: next
 * to the root, or in the nearest folder above that is there, or inside a root that is a mount point.  Where making it
 * touches the time of a folder that belongs to the restore point, that time is set back.  Blocking; one thread. */
#ifndef KEDGE_AGENT_ROLLBACK_SITE_H
#define KEDGE_AGENT_ROLLBACK_SITE_H

#include "agent/snapshot/snapshot.h"

enum { SITE_REMOVE_DEPTH_MAX = 2048 }; /* PATH_LIMIT of one-letter names */

struct site {
	enum component component;
	uint32_t root; /* index in the restore point */
	bool absent;   /* it was not there when the restore point was taken */
	const struct site
	    *over;         /* a database's: its entries go before those of that one, in the same place; else NULL */
	uint32_t now_root; /* a database's: index in the restore point of what is there; DATABASE_NO_ROOT: not in it */
	char path[PATH_LIMIT];
	char stage[PATH_LIMIT]; /* path of the staging folder */
	bool keep_time;         /* the folder that holds it belongs to the restore point */
	uint64_t mount;         /* of the staging folder */
	int stage_fd;           /* -1: not made */
	int folder_fd;          /* the folder opened last: changes come folder by folder */
	char folder[PATH_LIMIT];
};

/* about: whose root it is.  ERR_UNSUPPORTED: a file that is a mount point itself. */
ERR_CHECK enum err_code site_init(struct site *p, const struct snapshot_summary *about, enum component component,
    const char *path, const char *token, struct err *reterr);
void site_done(struct site *p); /* closes; the staging folder stays */

/* The staging folder, made empty on first use. */
ERR_CHECK enum err_code site_open_stage(struct site *p, struct err *reterr);
/* With everything in it.  That it is not there is no error. */
ERR_CHECK enum err_code site_remove_stage(struct site *p, struct err *reterr);

/* The folder that holds path, and the last name of path.  The descriptor is the place's: valid until the next call. For
 * the root itself
 * ("") that is the folder above, which is made when `make`.  ERR_NOT_FOUND; ERR_IO when a symlink stands in the way. */
ERR_CHECK enum err_code site_open_folder(
    struct site *p, const char *path, bool make, int *ret_fd, const char **ret_name, struct err *reterr);
/* ERR_UNSUPPORTED: what path names would lie on another file system than the staging folder. */
ERR_CHECK enum err_code site_check_mount(struct site *p, const char *path, struct err *reterr);
/* "/etc/nginx/conf.d/a.conf" in printable form. */
char *site_text(const struct site *p, const char *path, char out[PATH_LIMIT]);

/* One name with everything below it, without following anything.  That it is not there is no error. */
ERR_CHECK enum err_code remove_below(int dirfd, const char *name, struct err *reterr);

#endif
