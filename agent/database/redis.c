/* Redis: BGSAVE makes one consistent file, which is both what a server without a log of commands loads, and the base
 * that one with such a log (appendonly) begins with: for the latter the folder of that log is made from it.  Put back
 * by exchanging the data directory while the server stands still. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/database/internal.h"
#include "agent/database/resp.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum {
	ANSWER_MS = 10 * 1000,
	SAVE_MS = 2 * 3600 * 1000, /* a quarter of a terabyte to a slow disk */
	SAVE_POLL_MS = 20,
	PASSWORD_MAX = 4096,
	SENDFILE_AT_ONCE = 1 << 30,
};
#define LABEL "redis"

struct saving {
	const struct adapter_job *j; /* NULL: it is only asked */
	const struct redis_config *c;
	struct resp *server;
	struct buf text;
	char folder[PATH_LIMIT];
	struct stat owner;
};

static enum err_code ask(struct saving *s, const char *a, const char *b, const char *c, struct err *reterr)
{
	const char *words[] = {a, b, c, NULL};
	return resp_ask(s->server, words, s->j ? ANSWER_MS : OUTLINE_ASK_MS, &s->text, reterr);
}

/* The value of "name:" in an answer to INFO. */
static bool info_is(const struct saving *s, const char *line)
{
	char wanted[128];
	return text_format(wanted, sizeof wanted, "%s\r\n", line) && strstr(buf_str(&s->text), wanted);
}

static enum err_code log_in(struct saving *s, struct err *reterr)
{
	struct buf password = BUF_INIT;
	if (!s->c->password_file)
		return ERR_OK;
	enum err_code rc = file_read(s->c->password_file, PASSWORD_MAX, &password, reterr);
	if (rc == ERR_OK) {
		char *line = (char *)password.data;
		if (line)
			line[strcspn(line, "\r\n")] = '\0';
		rc = ask(s, "AUTH", line ? line : "", NULL, reterr);
	}
	if (password.data)
		explicit_bzero(password.data, password.size);
	buf_done(&password);
	return rc;
}

/* The server that answers must be the one that writes in this data directory: CONFIG GET gives a list, which is not
 * read; its process does tell. */
static enum err_code check_identity(struct saving *s, struct err *reterr)
{
	char path[64], number[24];
	struct stat cwd, data;
	enum err_code rc = ask(s, "INFO", "server", NULL, reterr);
	const char *at = rc == ERR_OK ? strstr(buf_str(&s->text), "process_id:") : NULL;
	if (rc != ERR_OK)
		return rc;
	if (!at)
		return err_set(reterr, ERR_UNSUPPORTED, "the server does not tell its process");
	text_copy(number, sizeof number, at + strlen("process_id:"));
	number[strcspn(number, "\r\n")] = '\0';
	if (!text_format(path, sizeof path, "/proc/%s/cwd", number) || stat(path, &cwd) != 0)
		return err_set(reterr, ERR_INVALID, "the server at %s does not run on this host", s->c->address);
	if (stat(s->c->data_directory, &data) != 0)
		return err_sys(reterr, errno, "%s", s->c->data_directory);
	if (cwd.st_dev != data.st_dev || cwd.st_ino != data.st_ino)
		return err_set(reterr, ERR_INVALID,
		    "the server at %s does not work in %s: correct `address` or `data_directory` in agent.yaml",
		    s->c->address, s->c->data_directory);
	return ERR_OK;
}

/* One that began before we asked does not hold what was written since: wait, and begin another. */
static enum err_code save(struct saving *s, struct err *reterr)
{
	uint64_t until = clock_mono_ms() + SAVE_MS;
	bool begun = false;
	for (;;) {
		enum err_code rc = ask(s, "INFO", "persistence", NULL, reterr);
		if (rc != ERR_OK)
			return rc;
		if (info_is(s, "rdb_bgsave_in_progress:0")) {
			if (begun)
				break;
			struct err why = ERR_INIT;
			rc = ask(s, "BGSAVE", NULL, NULL, &why);
			begun = rc == ERR_OK;
			if (rc != ERR_OK && rc != ERR_STATE) /* it is busy with something else: again */
				return err_set(reterr, rc, "%s", why.msg);
		}
		if (s->j->o->cancel && atomic_load(s->j->o->cancel))
			return err_set(reterr, ERR_CANCELLED, "cancelled");
		if (clock_mono_ms() >= until)
			return err_set(reterr, ERR_TIMEOUT, "the server did not save itself in time");
		(void)poll(NULL, 0, SAVE_POLL_MS);
	}
	return info_is(s, "rdb_last_bgsave_status:ok")
		   ? ERR_OK
		   : err_set(reterr, ERR_STATE, "the server could not save itself: its log tells why");
}

/* ---- the copy ---- */

static enum err_code give(const struct saving *s, int fd, const char *path, struct err *reterr)
{
	return geteuid() == 0 && fchown(fd, s->owner.st_uid, s->owner.st_gid) != 0 ? err_sys(reterr, errno, "%s", path)
										   : ERR_OK;
}

static enum err_code copy(const struct saving *s, int from, const char *name, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = tree_join(s->folder, name, path, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
	off_t at = 0;
	ssize_t n = 1;
	if (to < 0)
		return err_sys(reterr, errno, "%s", path);
	while (n > 0)
		n = sendfile(to, from, &at, SENDFILE_AT_ONCE);
	return n < 0 ? err_sys(reterr, errno, "%s", path) : give(s, to, path, reterr);
}

/* As the server names them (aof.c): a base, a log without a command yet, and the list of both. */
static enum err_code make_log(struct saving *s, int from, const char *name, const char *folder, struct err *reterr)
{
	char path[PATH_LIMIT], file[PATH_LIMIT], text[1024];
	enum err_code rc = tree_join(s->folder, folder, path, reterr);
	if (rc == ERR_OK &&
	    (mkdir(path, 0750) != 0 || (geteuid() == 0 && chown(path, s->owner.st_uid, s->owner.st_gid) != 0)))
		rc = err_sys(reterr, errno, "%s", path);
	if (rc == ERR_OK && (!text_format(file, sizeof file, "%s/%s.1.base.rdb", folder, name) ||
				!text_format(text, sizeof text,
				    "file %s.1.base.rdb seq 1 type b\nfile %s.1.incr.aof seq 1 type i\n", name, name)))
		rc = err_set(reterr, ERR_LIMIT, "%s is too long a name", name);
	if (rc == ERR_OK)
		rc = copy(s, from, file, reterr);
	const char *const more[] = {"1.incr.aof", "manifest"};
	for (size_t i = 0; rc == ERR_OK && i < 2; i++) {
		if (!text_format(file, sizeof file, "%s/%s/%s.%s", s->folder, folder, name, more[i]))
			return err_set(reterr, ERR_LIMIT, "%s is too long a path", s->folder);
		CLEANUP(cleanup_fd) int to = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
		if (to < 0)
			return err_sys(reterr, errno, "%s", file);
		rc = i ? file_write_all(to, text, strlen(text), reterr) : ERR_OK;
		if (rc == ERR_OK)
			rc = give(s, to, file, reterr);
	}
	return rc;
}

/* Its folder and its name are settings, but these are what everybody has; another one is refused when it is put back
 * (check_folder). */
static enum err_code copy_out(struct saving *s, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = tree_join(s->c->data_directory, s->c->file, path, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return err_sys(reterr, errno, "%s (is `file` in agent.yaml the server's dbfilename?)", path);
	rc = copy(s, from, s->c->file, reterr);
	if (rc == ERR_OK)
		rc = ask(s, "INFO", "persistence", NULL, reterr);
	return rc == ERR_OK && info_is(s, "aof_enabled:1")
		   ? make_log(s, from, "appendonly.aof", "appendonlydir", reterr)
		   : rc;
}

static bool is_own(const struct redis_config *c, const char *name)
{
	return text_equal(name, ".") || text_equal(name, "..") || text_equal(name, c->file) ||
	       text_equal(name, "appendonlydir") || (text_starts(name, "temp-") && text_ends(name, ".rdb"));
}

/* The folder is exchanged whole: what else lies in it would be lost. */
static enum err_code check_folder(const struct redis_config *c, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(c->data_directory);
	if (!dir)
		return err_sys(reterr, errno, "%s", c->data_directory);
	for (struct dirent *e; (e = readdir(dir));)
		if (!is_own(c, e->d_name))
			return err_set(reterr, ERR_UNSUPPORTED,
			    "%s holds %s, which is none of a plain Redis server's files: give it a folder of its own",
			    c->data_directory, e->d_name);
	return ERR_OK;
}

static enum err_code take(struct saving *s, struct err *reterr)
{
	enum err_code rc = check_folder(s->c, reterr);
	if (rc == ERR_OK)
		rc = resp_connect(s->c->address, ANSWER_MS, &s->server, reterr);
	if (rc == ERR_OK)
		rc = log_in(s, reterr);
	if (rc == ERR_OK)
		rc = check_identity(s, reterr);
	if (rc == ERR_OK)
		rc = save(s, reterr);
	if (rc == ERR_OK && stat(s->c->data_directory, &s->owner) != 0)
		rc = err_sys(reterr, errno, "%s", s->c->data_directory);
	/* What was prepared becomes the data directory. */
	if (rc == ERR_OK && chmod(s->folder, s->owner.st_mode & 07777) != 0)
		rc = err_sys(reterr, errno, "%s", s->folder);
	return rc == ERR_OK ? copy_out(s, reterr) : rc;
}

static enum err_code snapshot(const struct adapter_job *j, struct snapshot_summary *ret, struct err *reterr)
{
	struct saving s = {.j = j, .c = j->service->components.database->redis};
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = adapter_folder(j, s.c->data_directory, s.folder, &lock, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = take(&s, reterr);
	resp_close(s.server);
	buf_done(&s.text);
	if (rc != ERR_OK)
		rc = err_prefix(reterr, rc, "the database cannot be copied");
	struct snapshot_source source = {.component = COMPONENT_DATABASE, .root = s.folder, .label = LABEL};
	if (rc == ERR_OK)
		rc = adapter_take(j, &source, 1, ret, reterr);
	return adapter_done(rc, s.folder, reterr);
}

/* A server that stopped has saved itself, or has its log; one that crashed has what it had. */
static enum err_code snapshot_still(
    const struct adapter_job *j, const char *path, struct snapshot_summary *ret, struct err *reterr)
{
	static const char *const left_out[] = {"temp-*.rdb"};
	struct list exclude = {(void *)(uintptr_t)left_out, 1};
	struct snapshot_source source = {
	    .component = COMPONENT_DATABASE, .root = path, .label = LABEL, .exclude = &exclude};
	return adapter_take(j, &source, 1, ret, reterr);
}

/* ---- its outline ---- */

static enum err_code outline_files(const struct service_config *service, struct outline *o, struct err *reterr)
{
	const struct redis_config *c = service->components.database->redis;
	const char *const names[] = {".", c->file, "appendonlydir"};
	struct outline_files f = {.data = c->data_directory, .o = o};
	char path[PATH_LIMIT];
	struct stat st;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < sizeof names / sizeof names[0]; i++)
		if (tree_join(c->data_directory, names[i], path, NULL) == ERR_OK && lstat(path, &st) == 0)
			rc = outline_file(&f, names[i], S_ISDIR(st.st_mode) ? "folder" : "-", &st, reterr);
	return rc;
}

/* What its server says of itself and stays as it is while it is used; whether a database of it holds a key at all. */
static bool stands_still(const char *name)
{
	static const char *const all[] = {"redis_version", "redis_mode", "executable", "config_file", "tcp_port",
	    "maxclients", "maxmemory", "maxmemory_policy", "aof_enabled", "role", "master_host", "master_port",
	    "cluster_enabled", "number_of_libraries", "number_of_functions"};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (text_equal(all[i], name))
			return true;
	return false;
}

static bool is_database(const char *name)
{
	return text_starts(name, "db") && name[2] && name[2 + strspn(name + 2, "0123456789")] == '\0';
}

static enum err_code take_info(struct outline *o, char *text, struct err *reterr)
{
	char key[NAME_MAX_BYTES + 32], *line;
	enum err_code rc = ERR_OK;
	while (rc == ERR_OK && (line = strsep(&text, "\r\n"))) {
		char *value = strchr(line, ':');
		if (!value)
			continue;
		*value++ = '\0';
		if (stands_still(line) && text_format(key, sizeof key, OUTLINE_CATALOGUES "settings/%s", line))
			rc = outline_add(o, key, value, 0, reterr);
		else if (is_database(line) && text_format(key, sizeof key, OUTLINE_CATALOGUES "rows/%s", line))
			rc = outline_add(o, key, "some", 0, reterr);
	}
	return rc;
}

static enum err_code outline_catalogues(const struct service_config *service, struct outline *o, struct err *reterr)
{
	struct saving s = {.c = service->components.database->redis};
	enum err_code rc = resp_connect(s.c->address, OUTLINE_ASK_MS, &s.server, reterr);
	if (rc == ERR_OK)
		rc = log_in(&s, reterr);
	if (rc == ERR_OK)
		rc = check_identity(&s, reterr);
	const char *words[] = {"INFO", NULL};
	if (rc == ERR_OK)
		rc = resp_ask(s.server, words, OUTLINE_ASK_MS, &s.text, reterr);
	char *text = rc == ERR_OK ? arena_strdup(o->arena, buf_str(&s.text)) : NULL;
	if (rc == ERR_OK)
		rc = text ? take_info(o, text, reterr) : err_set(reterr, ERR_NOMEM, "out of memory for an outline");
	resp_close(s.server);
	buf_done(&s.text);
	return rc;
}

const struct adapter adapter_redis = {.label = LABEL,
    .program = "redis-server",
    .snapshot = snapshot,
    .snapshot_still = snapshot_still,
    .outline_files = outline_files,
    .outline_catalogues = outline_catalogues};
