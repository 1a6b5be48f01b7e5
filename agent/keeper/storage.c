/* agent/keeper/storage.c: see storage.h. */
#include "agent/keeper/storage.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { MOUNTINFO_MAX = 8 << 20 /* tens of thousands of mounts */ };

struct span {
	const char *at;
	size_t size;
};

static struct span word(const char **at, const char *end)
{
	struct span w = {*at, 0};
	while (w.at + w.size < end && w.at[w.size] != ' ')
		w.size++;
	*at = w.at + w.size + (w.at + w.size < end);
	return w;
}

static bool is(struct span w, const char *text)
{
	return w.size == strlen(text) && memcmp(w.at, text, w.size) == 0;
}

/* File systems that several hosts mount of one server, or of one device. */
static bool is_shared(struct span kind)
{
	static const char *const kinds[] = {"nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "beegfs", "gpfs", "afs",
	    "9p", "ocfs2", "gfs2", "fuse.glusterfs", "fuse.ceph", "fuse.sshfs", "fuse.s3fs", "fuse.rclone",
	    "fuse.goofys", "fuse.geesefs", "fuse.juicefs", "fuse.moosefs"};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (is(kind, kinds[i]))
			return true;
	return false;
}

/* Does the mount point hold the path?  Its size then; 0: no.  A blank in it is "\040": such a point is compared as it
 * is written and so never matches, which leaves the path to the mount above. */
static size_t holds(struct span point, const char *path)
{
	if (is(point, "/"))
		return 1;
	return strncmp(point.at, path, point.size) == 0 && (path[point.size] == '/' || path[point.size] == '\0')
		   ? point.size
		   : 0;
}

/* "nas-1:/export" and "//nas-1/share" are the server's name: what is slow is the server, whichever share is read.  The
 * rest (a device) is its own. */
static void name_of(struct span source, char ret[NAME_MAX_BYTES + 1])
{
	size_t n = 0;
	bool device = source.size > 4 && memcmp(source.at, "/dev", 4) == 0;
	while (source.size && *source.at == '/') {
		source.at++;
		source.size--;
	}
	for (size_t i = 0; i < source.size && n < NAME_MAX_BYTES; i++) {
		char c = source.at[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
		if (i && !device && (c == '/' || (c == ':' && i + 1 < source.size && source.at[i + 1] == '/')))
			break;
		ret[n++] = plain ? c : '-';
	}
	ret[n] = '\0';
}

bool storage_of_mount(const char *mountinfo, const char *path, char ret[NAME_MAX_BYTES + 1])
{
	struct span source = {NULL, 0};
	size_t longest = 0;
	bool shared = false;
	for (const char *line = mountinfo; *line;) { /* 36 35 98:0 /root /point options tags … - kind source options */
		const char *end = line + strcspn(line, "\n"), *at = line;
		struct span point = {at, 0}, w;
		for (int i = 0; i < 5; i++)
			point = word(&at, end);
		do
			w = word(&at, end);
		while (at < end && !is(w, "-"));
		struct span kind = word(&at, end), from = word(&at, end);
		size_t depth = holds(point, path);
		if (depth && depth >= longest && from.size) { /* of two on one point the later one is on top */
			longest = depth;
			shared = is_shared(kind);
			source = from;
		}
		line = *end ? end + 1 : end;
	}
	if (shared)
		name_of(source, ret);
	return shared && ret[0];
}

bool storage_name(const struct agent_config *c, char ret[NAME_MAX_BYTES + 1])
{
	CLEANUP(buf_done) struct buf all = BUF_INIT;
	if (c->storage) {
		text_copy(ret, NAME_MAX_BYTES + 1, c->storage);
		return true;
	}
	char *real = realpath(c->state_directory, NULL);
	bool shared = real && file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &all, NULL) == ERR_OK &&
		      storage_of_mount(buf_str(&all), real, ret);
	free(real);
	return shared;
}
