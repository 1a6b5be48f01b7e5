/* agent/snapshot/scan_internal.h: what scan*.c share. */
#ifndef KEDGE_AGENT_SNAPSHOT_SCAN_INTERNAL_H
#define KEDGE_AGENT_SNAPSHOT_SCAN_INTERNAL_H

#include <sys/stat.h>

#include "agent/snapshot/scan.h"

struct scan_link {
	size_t at;
	uint64_t device, inode;
}; /* at: the entry's offset in its node */

struct scan_node { /* one directory; worked on by one worker, then only read */
	struct scan_node *parent, *child, *last_child, *sibling;
	uint16_t root;
	uint64_t device;
	bool crossed;     /* another file system than its parent's */
	bool late;        /* a root that waits until the others are read */
	bool taken, done; /* under the scan's mutex */
	struct buf entries;
	struct scan_link *links;
	size_t link_count, link_room;
	char path[];
};

/* A large file that several workers read. */
struct strip {
	struct buf references;
	uint64_t got;
};
struct scan_big {
	int fd;
	uint64_t size;
	uint8_t chunking;
	uint16_t pages;
	bool sparse;
	uint32_t strips, next, done; /* under the scan's mutex */
	struct strip *strip;
	enum err_code rc;
	struct err err;
};

struct emitter; /* emit.c: what was read becomes the tree, in order */

struct scan {
	struct scan_options o;
	int root_fds[SNAPSHOT_ROOTS_MAX];
	uint64_t repo_device, repo_inode;        /* a repository below a root is no part of it */
	uint16_t base_roots[SNAPSHOT_ROOTS_MAX]; /* index in the base, or TREE_ROOTS: it has none */
	uint16_t cut_roots[SNAPSHOT_ROOTS_MAX];  /* the same of options.cut */
	struct scan_node *top;                   /* without what has left */
	struct emitter *emitter;
	pthread_mutex_t mutex;
	pthread_cond_t wake; /* for workers: there is work, a strip is done, or it is over */
	pthread_cond_t over; /* for the caller */
	unsigned waiting;    /* workers that wait */
	struct scan_node **stack;
	size_t stack_count, stack_room, pending; /* pending: directories not finished */
	unsigned active;                         /* workers with a directory */
	struct scan_node *next;                  /* the first that has not left; NULL: all have */
	size_t backlog;                          /* bytes of entries that wait for one before them */
	bool emitting;                           /* one worker is at it */
	struct scan_big *big[SNAPSHOT_WORKERS_MAX];
	_Atomic bool stop;
	enum err_code rc;
	struct err err;
	_Atomic uint64_t entries, read_files, read_bytes, torn, vanished;
};

struct scan_worker {
	struct scan *scan;
	struct packer *packer;
	unsigned number;
	const struct snapshot_source *source; /* of the root at hand; NULL: none */
	uint8_t *window;                      /* for large files */
	uint8_t *listing;                     /* getdents */
	struct buf names, references, lists, xattrs, path;
	struct name {
		uint32_t at;
	} * sorted;
	size_t sorted_room;
	struct err err;
};

struct scan_content { /* what reading a file gave; references lie in the worker */
	uint8_t chunking, depth;
	uint16_t pages;
	uint32_t flags;
	uint64_t length;
};

bool scan_stopped(const struct scan *s);
/* "cannot …" with the node's path and the name in words that a person can act on. */
ERR_CHECK enum err_code scan_error(
    struct scan_worker *w, const struct scan_node *n, const char *name, enum err_code rc, struct err *reterr);
/* The printable path of name in n. */
char *scan_path_text(const struct scan *s, const struct scan_node *n, const char *name, char *out, size_t size);
struct scan_node *scan_node_new(struct scan_node *parent, uint16_t root, const char *path);

/* emit.c: the next folder in order; one thread at a time.  packer: of the thread. */
ERR_CHECK enum err_code emitter_new(const struct scan_options *o, struct emitter **ret, struct err *reterr);
void emitter_free(struct emitter *e);
ERR_CHECK enum err_code emitter_add(struct emitter *e, struct packer *packer, struct scan_node *n, struct err *reterr);
ERR_CHECK enum err_code emitter_end(
    struct emitter *e, struct packer *packer, struct scan_totals *ret, struct err *reterr);

ERR_CHECK enum err_code scan_directory(
    struct scan_worker *w, struct scan_node *n, struct err *reterr); /* scan_directory.c */
/* scan_file.c: *ret_gone: the name is not there any more, or no regular file.  *st becomes what was read. */
ERR_CHECK enum err_code scan_read_file(struct scan_worker *w, int dirfd, const char *name, const uint8_t *base,
    struct stat *st, struct scan_content *ret, bool *ret_gone, struct err *reterr);
/* A strip of somebody's large file; true: there was one. */
bool scan_help(struct scan_worker *w);

#endif
