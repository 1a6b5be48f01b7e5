#include "tests/lib/trees/trees.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/io/process.h"
#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

enum { ALL_MAX = 20000, DEPTH_MAX = 40, TIMEOUT_MS = 60 * 1000 };

static void must(bool ok, const char *what, const char *path)
{
	if (ok)
		return;
	fprintf(stderr, "trees: %s %s: %s\n", what, path, strerror(errno));
	abort();
}

/* ---- everything that is there ---- */

struct all {
	char *paths[ALL_MAX];
	bool is_folder[ALL_MAX];
	unsigned count;
};

static void list(struct all *all, const char *folder, unsigned depth)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	must(dir, "open", folder);
	for (struct dirent *e; (e = readdir(dir));) {
		char path[PATH_LIMIT];
		struct stat st;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		must(text_format(path, sizeof path, "%s/%s", folder, e->d_name), "name", folder);
		must(lstat(path, &st) == 0, "stat", path);
		must(all->count < ALL_MAX, "count", path);
		all->is_folder[all->count] = S_ISDIR(st.st_mode);
		all->paths[all->count++] = strdup(path);
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			list(all, path, depth + 1);
	}
}

static void all_done(struct all *all)
{
	for (unsigned i = 0; i < all->count; i++)
		free(all->paths[i]);
	free(all);
}

static const char *pick(const struct all *all, struct random *r, bool folder)
{
	for (unsigned tries = 0; tries < 200 && all->count; tries++) {
		struct stat st;
		uint64_t i = random_below(r, all->count);
		if (all->is_folder[i] == folder && lstat(all->paths[i], &st) == 0 && S_ISDIR(st.st_mode) == folder)
			return all->paths[i]; /* as it was listed, and still so */
	}
	return NULL;
}

/* ---- making ---- */

static void new_name(const char *folder, struct random *r, char out[PATH_LIMIT])
{
	static const char *const shapes[] = {"%s/f%llu", "%s/name with space %llu", "%s/\xff\xfe-%llu",
	    "%s/.hidden%llu", "%s/new\nline%llu", "%s/\xc3\xa4-%llu", "%s/-rf%llu",
	    "%s/a-rather-long-name-that-goes-on-and-on-and-on-for-no-reason-%llu.conf"};
	must(text_format(out, PATH_LIMIT, shapes[random_below(r, sizeof shapes / sizeof *shapes)], folder,
		 (unsigned long long)random_below(r, 100000)),
	    "name", folder);
}

static void write_some(int fd, struct random *r, uint64_t size)
{
	uint8_t bytes[4096];
	while (size) {
		size_t n = size < sizeof bytes ? (size_t)size : sizeof bytes;
		random_fill(r, bytes, n);
		must(write(fd, bytes, n) == (ssize_t)n, "write", "");
		size -= n;
	}
}

static void make_file(const char *path, struct random *r)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	must(fd >= 0, "make", path);
	uint64_t kind = random_below(r, 20);
	write_some(fd, r, kind == 0 ? 0 : kind < 18 ? random_below(r, 3000) : random_below(r, 300000));
	if (kind == 19) {
		must(lseek(fd, (off_t)(1 << 20), SEEK_CUR) > 0, "seek", path);
		write_some(fd, r, random_below(r, 100));
	}
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	CLEANUP(cleanup_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strlen(path) >= sizeof address.sun_path)
		return;
	text_copy(address.sun_path, sizeof address.sun_path, path);
	must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind", path);
}

static void make_one(const struct all *all, const char *folder, struct random *r)
{
	char path[PATH_LIMIT];
	new_name(folder, r, path);
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || strlen(path) > PATH_LIMIT - 300)
		return;
	uint64_t kind = random_below(r, 100);
	const char *other = pick(all, r, false);
	struct stat st;
	if (kind < 55)
		make_file(path, r);
	else if (kind < 72)
		must(mkdir(path, 0755) == 0, "make", path);
	else if (kind < 80)
		must(symlink(kind & 1 ? "f1" : "/nowhere/\xff", path) == 0, "make", path);
	else if (kind < 84)
		must(mkfifo(path, 0640) == 0, "make", path);
	else if (kind < 86)
		make_socket(path);
	else if (other && lstat(other, &st) == 0 && st.st_nlink < 5)
		must(link(other, path) == 0, "link", path);
}

/* ---- changing ---- */

static void set_time(const char *path, struct random *r)
{
	const struct timespec times[2] = {
	    {0, UTIME_OMIT}, {(time_t)random_below(r, 1700000000), (long)random_below(r, 1000000000)}};
	must(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0, "set time of", path);
}

static void set_xattr(const char *path, struct random *r)
{
	char name[32], value[40];
	struct stat st;
	if (lstat(path, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return;
	text_format(name, sizeof name, "user.k%llu", (unsigned long long)random_below(r, 3));
	random_fill(r, value, sizeof value);
	if (random_below(r, 3) == 0)
		(void)!removexattr(path, name);
	else
		must(setxattr(path, name, value, (size_t)random_below(r, sizeof value), 0) == 0, "set xattr of", path);
}

static void set_mode_or_owner(const char *path, struct random *r)
{
	static const mode_t modes[] = {0600, 0644, 0755, 0400, 0777, 04755, 02750, 01777, 0};
	struct stat st;
	if (random_below(r, 2) == 0)
		must(lchown(path, (uid_t)random_below(r, 3) * 1000, (gid_t)random_below(r, 3) * 1000) == 0, "give away",
		    path);
	else if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
		must(chmod(path, modes[random_below(r, sizeof modes / sizeof *modes)]) == 0, "chmod", path);
}

static void remove_tree(const char *path)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return;
	if (!S_ISDIR(st.st_mode)) {
		must(unlink(path) == 0, "remove", path);
		return;
	}
	struct all *all = calloc(1, sizeof *all);
	must(all, "memory", "");
	list(all, path, 0);
	for (unsigned i = all->count; i-- > 0;)
		must(remove(all->paths[i]) == 0, "remove", all->paths[i]);
	must(rmdir(path) == 0, "remove", path);
	all_done(all);
}

static void edit(const char *path, struct random *r)
{
	struct stat st;
	if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return;
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	must(fd >= 0, "open", path);
	uint8_t byte = (uint8_t)random_u64(r);
	if (st.st_size && random_below(r, 3))
		must(pwrite(fd, &byte, 1, (off_t)random_below(r, (uint64_t)st.st_size)) == 1, "write", path);
	else
		must(pwrite(fd, &byte, 1, st.st_size) == 1, "write", path);
	if (random_below(r, 4) == 0) { /* as if nothing had been: same size and time */
		const struct timespec times[2] = {{0, UTIME_OMIT}, st.st_mtim};
		must(futimens(fd, times) == 0, "set time of", path);
	}
}

/* A file becomes a folder, a folder a symlink, … */
static void turn_into_another(const char *path, struct random *r)
{
	remove_tree(path);
	switch (random_below(r, 4)) {
	case 0:
		make_file(path, r);
		break;
	case 1: {
		char inner[PATH_LIMIT];
		must(mkdir(path, 0750) == 0, "make", path);
		new_name(path, r, inner);
		if (strlen(inner) < PATH_LIMIT - 300)
			make_file(inner, r);
		break;
	}
	case 2:
		must(symlink("../somewhere", path) == 0, "make", path);
		break;
	default:
		must(mkfifo(path, 0600) == 0, "make", path);
		break;
	}
}

/* One of several names gets a file of its own, with the same content. */
static void break_link(const char *path)
{
	struct stat st;
	char copy[PATH_LIMIT], bytes[4096];
	if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink < 2 ||
	    !text_format(copy, sizeof copy, "%s.own", path))
		return;
	CLEANUP(cleanup_fd) int from = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_fd) int to = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 07777);
	must(from >= 0 && to >= 0, "copy", path);
	for (ssize_t n; (n = read(from, bytes, sizeof bytes)) > 0;)
		must(write(to, bytes, (size_t)n) == n, "write", copy);
	const struct timespec times[2] = {{0, UTIME_OMIT}, st.st_mtim};
	must(futimens(to, times) == 0 && rename(copy, path) == 0, "replace", path);
}

static void mutate_one(struct random *r, const char *top, const struct all *all)
{
	const char *file = pick(all, r, false), *folder = pick(all, r, true);
	const char *either = random_below(r, 2) && folder ? folder : file;
	uint64_t kind = random_below(r, 100);
	if (kind < 25 && file)
		edit(file, r);
	else if (kind < 45)
		make_one(all, folder && random_below(r, 4) ? folder : top, r);
	else if (kind < 57 && either)
		remove_tree(either);
	else if (kind < 67 && either)
		set_mode_or_owner(either, r);
	else if (kind < 77 && either)
		set_time(either, r);
	else if (kind < 84 && either)
		set_xattr(either, r);
	else if (kind < 92 && either)
		turn_into_another(either, r);
	else if (kind < 96 && file)
		break_link(file);
	else if (folder)
		set_time(folder, r);
}

void tree_mutate(const char *path, struct random *r, unsigned count)
{
	struct all *all = calloc(1, sizeof *all);
	must(all, "memory", "");
	list(all, path, 0);
	for (unsigned i = 0; i < count; i++)
		mutate_one(r, path, all);
	all_done(all);
}

static void make_deep(const char *path, struct random *r)
{
	char at[PATH_LIMIT];
	text_copy(at, sizeof at, path);
	for (uint64_t depth = random_below(r, DEPTH_MAX - 5); depth; depth--) {
		char next[PATH_LIMIT];
		must(text_format(next, sizeof next, "%s/deep", at), "name", at);
		must(mkdir(next, 0755) == 0 || errno == EEXIST, "make", next);
		text_copy(at, sizeof at, next);
	}
	char file[PATH_LIMIT];
	new_name(at, r, file);
	make_file(file, r);
}

void tree_make(const char *path, struct random *r, unsigned size)
{
	must(mkdir(path, 0755) == 0, "make", path);
	make_deep(path, r);
	for (unsigned round = 0; round < 4; round++) { /* folders of one round hold files in the next */
		struct all *all = calloc(1, sizeof *all);
		must(all, "memory", "");
		list(all, path, 0);
		for (unsigned i = 0; i < size / 4; i++) {
			const char *folder = pick(all, r, true);
			make_one(all, folder && random_below(r, 4) ? folder : path, r);
		}
		all_done(all);
	}
	struct all *all = calloc(1, sizeof *all);
	must(all, "memory", "");
	list(all, path, 0);
	for (unsigned i = 0; i < all->count; i++) {
		if (random_below(r, 5) == 0)
			set_mode_or_owner(all->paths[i], r);
		if (random_below(r, 8) == 0)
			set_xattr(all->paths[i], r);
	}
	for (unsigned i = all->count; i-- > 0;)
		set_time(all->paths[i], r);
	set_time(path, r);
	all_done(all);
}

/* ---- fingerprints ---- */

struct printing {
	uint64_t hash;
	struct {
		dev_t device;
		ino_t inode;
	} links[ALL_MAX];
	uint64_t link_count;
};

static void add(struct printing *p, const void *data, size_t size)
{
	const uint8_t *at = data;
	for (size_t i = 0; i < size; i++) /* FNV-1a, a byte at a time */
		p->hash = (p->hash ^ at[i]) * 0x100000001b3u;
	p->hash = (p->hash ^ 0xff) * 0x100000001b3u + size;
}

static void add_number(struct printing *p, uint64_t v)
{
	add(p, &v, sizeof v);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_xattrs(struct printing *p, const char *path)
{
	char names[8192], value[8192], *sorted[64];
	size_t count = 0;
	ssize_t n = llistxattr(path, names, sizeof names);
	for (char *at = names; n > 0 && at < names + n && count < 64; at += strlen(at) + 1)
		sorted[count++] = at;
	qsort(sorted, count, sizeof *sorted, by_text);
	for (size_t i = 0; i < count; i++) {
		ssize_t size = lgetxattr(path, sorted[i], value, sizeof value);
		add(p, sorted[i], strlen(sorted[i]));
		add(p, value, size > 0 ? (size_t)size : 0);
	}
}

static void add_link(struct printing *p, const struct stat *st)
{
	for (uint64_t i = 0; i < p->link_count; i++)
		if (p->links[i].device == st->st_dev && p->links[i].inode == st->st_ino) {
			add_number(p, i + 1);
			return;
		}
	must(p->link_count < ALL_MAX, "count", "links");
	p->links[p->link_count].device = st->st_dev;
	p->links[p->link_count++].inode = st->st_ino;
	add_number(p, p->link_count);
}

static void add_content(struct printing *p, const char *path, const struct stat *st)
{
	char bytes[8192];
	ssize_t n;
	if (S_ISLNK(st->st_mode)) {
		n = readlink(path, bytes, sizeof bytes);
		add(p, bytes, n > 0 ? (size_t)n : 0);
	} else if (S_ISREG(st->st_mode)) {
		CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		must(fd >= 0, "open", path);
		while ((n = read(fd, bytes, sizeof bytes)) > 0)
			add(p, bytes, (size_t)n);
	}
}

static void print_one(struct printing *p, const char *path, size_t top)
{
	struct stat st;
	must(lstat(path, &st) == 0, "stat", path);
	add(p, path + top, strlen(path + top));
	add_number(p, st.st_mode);
	add_number(p, st.st_uid);
	add_number(p, st.st_gid);
	add_number(p, S_ISDIR(st.st_mode) ? 0 : (uint64_t)st.st_size);
	add_number(p, (uint64_t)st.st_mtim.tv_sec);
	add_number(p, (uint64_t)st.st_mtim.tv_nsec);
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
		add_link(p, &st);
	add_content(p, path, &st);
	add_xattrs(p, path);
}

uint64_t tree_fingerprint(const char *path)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return 0;
	struct printing *p = calloc(1, sizeof *p);
	struct all *all = calloc(1, sizeof *all);
	must(p && all, "memory", "");
	p->hash = 0xcbf29ce484222325u;
	if (S_ISDIR(st.st_mode))
		list(all, path, 0);
	qsort(all->paths, all->count, sizeof *all->paths, by_text);
	print_one(p, path, strlen(path));
	for (unsigned i = 0; i < all->count; i++)
		print_one(p, all->paths[i], strlen(path));
	uint64_t hash = p->hash ? p->hash : 1;
	all_done(all);
	free(p);
	return hash;
}

/* ---- tools ---- */

int tool_run(const char *const *argv, char *out, unsigned size)
{
	struct process_spec spec = {
	    .argv = argv, .timeout_ms = TIMEOUT_MS, .merge_errors = true, .output_max = 1 << 20};
	struct process_result done;
	struct err err = ERR_INIT;
	if (process_run(&spec, NULL, &done, &err) != ERR_OK) {
		fprintf(stderr, "trees: %s: %s\n", argv[0], err.msg);
		abort();
	}
	if (out)
		(void)snprintf(out, size, "%s", buf_str(&done.output));
	int status = done.end == PROCESS_EXITED ? done.code : -1;
	process_result_done(&done);
	return status;
}

bool tree_can_compare(void)
{
	if (geteuid() != 0) {
		printf("skipped: only root may give files away\n");
		return false;
	}
	if (access("/usr/bin/rsync", X_OK) != 0) {
		printf("skipped: rsync is not installed\n");
		return false;
	}
	return true;
}

static void run_rsync(const char *flags, const char *from, const char *to, char *out, unsigned size)
{
	char source[PATH_LIMIT], target[PATH_LIMIT];
	must(text_format(source, sizeof source, "%s/", from) && text_format(target, sizeof target, "%s/", to), "name",
	    from);
	const char *argv[] = {"/usr/bin/rsync", flags, "--modify-window=-1", "--delete", source, target, NULL};
	char said[4096] = "";
	int status = tool_run(argv, out ? out : said, out ? size : sizeof said);
	if (status != 0) {
		fprintf(stderr, "trees: rsync %s %s %s: exit %d: %s\n", flags, from, to, status, out ? out : said);
		abort();
	}
}

void tree_copy(const char *from, const char *to)
{
	run_rsync("-aHAXS", from, to, NULL, 0);
}

char *tree_difference(const char *a, const char *b, char *out, unsigned size)
{
	*out = '\0';
	run_rsync("-nicaHAX", a, b, out, size);
	return out;
}
