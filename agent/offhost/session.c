#include "agent/offhost/session.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/offhost/status.h"
#include "agent/repository/recovery.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

enum { PAUSE_SLICE_MS = 200, PASSWD_ROOM = 16 << 10 };
#define DAY_MILLISECONDS ((uint64_t)24 * 3600 * 1000)

struct offhost_session {
	struct offhost o;
	struct bucket *bucket;
	char destination[BUCKET_URL_MAX], folder[PATH_LIMIT], wal_folder[PATH_LIMIT];
};

struct credentials { /* the file */
	const char *access_key, *secret_key, *session_token;
};
static const struct field credentials_fields[] = {
    F_STRING(struct credentials, access_key, BUCKET_KEY_MAX, FIELD_REQUIRED, "who asks"),
    F_STRING(
	struct credentials, secret_key, BUCKET_KEY_MAX, FIELD_REQUIRED | FIELD_SECRET, "what requests are signed with"),
    F_STRING(struct credentials, session_token, BUCKET_TOKEN_MAX, FIELD_SECRET, "of a credential for a short time"),
};
static const struct record_type credentials_type =
    RECORD_TYPE("s3_credentials", struct credentials, credentials_fields, "a credential for an object store");

/* ---- the credential ---- */

static enum err_code check_owner(int fd, const char *path, struct err *reterr)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_sys(reterr, errno, "look at %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(reterr, ERR_DENIED, "%s is no file", path);
	if ((st.st_mode & 077) != 0 || (st.st_uid != geteuid() && st.st_uid != 0))
		return err_set(reterr, ERR_DENIED,
		    "%s may be read by others: it must belong to the agent's user and have mode 0600", path);
	return ERR_OK;
}

static enum err_code read_text(int fd, const char *path, struct buf *out, struct err *reterr)
{
	for (;;) {
		uint8_t *room = buf_reserve(out, BUCKET_CREDENTIALS_MAX);
		ssize_t n = room ? read(fd, room, BUCKET_CREDENTIALS_MAX) : -1;
		if (n < 0 && room && errno == EINTR)
			continue;
		if (n < 0)
			return room ? err_sys(reterr, errno, "read %s", path)
				    : err_set(reterr, ERR_LIMIT, "%s is too long", path);
		out->size += (size_t)n;
		if (n == 0)
			return ERR_OK;
	}
}

static enum err_code read_credentials(
    const char *path, struct arena *arena, struct credentials *ret, struct err *reterr)
{
	struct buf text = {.limit = 3 * BUCKET_CREDENTIALS_MAX};
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(reterr, errno, "copies: the credential %s", path);
	enum err_code rc = check_owner(fd, path, reterr);
	if (!rc)
		rc = read_text(fd, path, &text, reterr);
	if (!rc)
		rc = record_from_yaml(&credentials_type, path, buf_str(&text), text.size, arena, ret, reterr);
	if (text.data)
		secret_wipe(text.data, text.capacity);
	buf_done(&text);
	return rc;
}

/* ---- the program ---- */

static enum err_code set_user(const struct agent_config *c, struct bucket_start_options *o, struct err *reterr)
{
	struct passwd entry, *found = NULL;
	char room[PASSWD_ROOM];
	if (geteuid() != 0)
		return ERR_OK;
	if (getpwnam_r(c->user, &entry, room, sizeof room, &found) != 0 || !found || !entry.pw_uid)
		return err_set(reterr, ERR_NOT_FOUND,
		    "copies: there is no unprivileged user %s to talk to the store: set `user` in agent.yaml", c->user);
	o->set_user = true;
	o->uid = entry.pw_uid;
	o->gid = entry.pw_gid;
	return ERR_OK;
}

static enum err_code start(
    struct offhost_session *s, const struct s3_copies_config *c, struct bucket_start_options *o, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(256 << 10);
	struct credentials who = {NULL, NULL, NULL};
	char program[PATH_LIMIT];
	enum err_code rc =
	    arena ? file_beside_program("kedge-copy", program, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = read_credentials(c->credentials_file, arena, &who, reterr);
	if (rc)
		return rc;
	struct bucket_settings settings = {.endpoint = c->endpoint,
	    .bucket = c->bucket,
	    .region = c->region,
	    .access_key = who.access_key,
	    .secret_key = who.secret_key,
	    .session_token = who.session_token,
	    .authority = c->authority,
	    .host_style = c->addressing == COPY_HOST};
	o->settings = &settings;
	o->program = program;
	rc = bucket_start(o, &s->bucket, reterr);
	secret_wipe((char *)(uintptr_t)who.secret_key, strlen(who.secret_key));
	if (who.session_token)
		secret_wipe((char *)(uintptr_t)who.session_token, strlen(who.session_token));
	return rc;
}

/* ---- the session ---- */

static uint64_t now_ms(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

static void pause_for(void *ctx, uint64_t ms, const atomic_bool *cancel)
{
	uint64_t end_ms = clock_mono_ms() + ms;
	(void)ctx;
	for (uint64_t at_ms; (at_ms = clock_mono_ms()) < end_ms && !(cancel && atomic_load(cancel));) {
		uint64_t left_ms = end_ms - at_ms < PAUSE_SLICE_MS ? end_ms - at_ms : PAUSE_SLICE_MS;
		struct timespec t = {(time_t)(left_ms / 1000), (long)(left_ms % 1000) * 1000000};
		nanosleep(&t, NULL);
	}
}

enum err_code offhost_folder(const struct agent_config *c, char out[PATH_LIMIT], struct err *reterr)
{
	return text_format(out, PATH_LIMIT, "%s/offhost", c->state_directory)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
}

void offhost_session_close(struct offhost_session *s)
{
	if (!s)
		return;
	bucket_stop(s->bucket);
	free(s);
}

enum err_code offhost_session_local(const struct agent_config *c, struct offhost_session **ret, struct err *reterr)
{
	const struct s3_copies_config *s3 = c->copies ? c->copies->s3 : NULL;
	if (!s3)
		return err_set(reterr, ERR_STATE, "agent.yaml declares no copies off this host");
	CLEANUP(offhost_session_cleanup) struct offhost_session *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory for a copy");
	const char *prefix = s3->prefix ? s3->prefix : "";
	if (!text_format(s->destination, sizeof s->destination, "%s/%s/%s", s3->endpoint, s3->bucket, prefix))
		return err_set(reterr, ERR_LIMIT, "copies: endpoint, bucket and prefix are too long together");
	enum err_code rc = offhost_folder(c, s->folder, reterr);
	if (!rc && !text_format(s->wal_folder, sizeof s->wal_folder, "%s/wal", c->state_directory))
		rc = err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	if (rc)
		return rc;
	s->o = (struct offhost){.destination = s->destination,
	    .prefix = prefix,
	    .host = c->host,
	    .folder = s->folder,
	    .wal_folder = s->wal_folder,
	    .now_ms = now_ms,
	    .pause = pause_for,
	    .lock_ms = s3->lock_days * DAY_MILLISECONDS,
	    .lock = !s3->lock_days                          ? BUCKET_UNLOCKED
		    : s3->lock_mode == COPY_LOCK_COMPLIANCE ? BUCKET_COMPLIANCE
							    : BUCKET_GOVERNANCE};
	*ret = TAKE_PTR(s);
	return ERR_OK;
}

enum err_code offhost_session_open(
    const struct agent_config *c, const atomic_bool *cancel, struct offhost_session **ret, struct err *reterr)
{
	CLEANUP(offhost_session_cleanup) struct offhost_session *s = NULL;
	struct bucket_start_options o = {.cancel = cancel};
	enum err_code rc = offhost_session_local(c, &s, reterr);
	if (!rc)
		rc = set_user(c, &o, reterr);
	if (!rc)
		rc = start(s, c->copies->s3, &o, reterr);
	if (rc)
		return rc;
	s->o.store = bucket_io(s->bucket);
	s->o.cancel = cancel;
	*ret = TAKE_PTR(s);
	return ERR_OK;
}

struct offhost *offhost_of(struct offhost_session *s)
{
	return &s->o;
}

void offhost_failed(const struct agent_config *c, struct repo *r, const struct err *err)
{
	CLEANUP(offhost_session_cleanup) struct offhost_session *s = NULL;
	struct copy_result none = {.points = 0};
	if (offhost_session_local(c, &s, NULL) != ERR_OK || file_make_dirs(s->folder, 0700, NULL) != ERR_OK)
		return;
	status_after_copy(&s->o, r, NULL, clock_wall_ms(), err->code, err, &none);
}

enum err_code offhost_wrapped(const struct repo *r, struct buf *out, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof path, "%s/keys/recovery", repo_path(r)))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", repo_path(r));
	enum err_code rc = file_read(path, RECOVERY_FILE_MAX, out, reterr);
	return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}
