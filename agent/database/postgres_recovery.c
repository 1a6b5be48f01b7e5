#include "agent/database/postgres_recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { CONF_MAX = 4 << 20 };
static const char gone_mark[] = " (deleted)";

/* ---- what to say ---- */

/* A word of a shell line within a quoted setting: both quotings' own quotes are doubled, and '%' stands for itself. */
static void quoted_word(struct buf *out, const char *word)
{
	buf_text(out, "''");
	for (; *word; word++) {
		if (*word == '\'')
			buf_text(out, "''\\\\''''");
		else if (*word == '%')
			buf_text(out, "%%");
		else if (*word == '\\')
			buf_text(out, "\\\\");
		else
			buf_byte(out, (uint8_t)*word);
	}
	buf_text(out, "''");
}

/* The program that runs now; an update that replaced it meanwhile serves as well. */
static enum err_code own_program(char out[PATH_LIMIT], struct err *reterr)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_LIMIT - 1);
	if (n <= 0)
		return err_sys(reterr, errno, "the path of this program cannot be read");
	out[n] = '\0';
	if (text_ends(out, gone_mark))
		out[(size_t)n - strlen(gone_mark)] = '\0';
	return ERR_OK;
}

enum err_code recovery_settings(const char *state_directory, const char *service, uint32_t timeline, const char *fetch,
    const char *target, struct arena *arena, const char **ret, struct err *reterr)
{
	char program[PATH_LIMIT], area[PATH_LIMIT];
	struct buf text = BUF_INIT;
	enum err_code rc = own_program(program, reterr);
	if (rc == ERR_OK && !text_format(area, sizeof area, "%s/wal/%s", state_directory, service))
		rc = err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	if (rc != ERR_OK)
		return rc;
	buf_text(&text, "restore_command = '");
	quoted_word(&text, program);
	buf_text(&text, " wal fetch %f %p --area ");
	quoted_word(&text, area);
	buf_printf(&text, "%s'\nrecovery_target_timeline = '%u'\n%srecovery_target_action = 'promote'\n", fetch,
	    timeline, target);
	*ret = text.failed ? NULL : arena_strdup(arena, buf_str(&text));
	buf_done(&text);
	return *ret ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

/* ---- postgresql.auto.conf ---- */

static bool aims(const char *line, size_t n)
{
	static const char target[] = "recovery_target", command[] = "restore_command";
	if (n >= sizeof target - 1 && !strncmp(line, target, sizeof target - 1))
		return true;
	return n >= sizeof command - 1 && !strncmp(line, command, sizeof command - 1) &&
	       memmem(line, n, " wal fetch ", 11);
}

void recovery_filter(const char *text, struct buf *out)
{
	while (*text) {
		size_t n = strcspn(text, "\n"), whole = n + (text[n] == '\n');
		if (!aims(text, n))
			buf_append(out, text, whole);
		text += whole;
	}
	if (out->size && out->data[out->size - 1] != '\n')
		buf_byte(out, '\n');
}

static enum err_code rewrite(const char *data, const char *more, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf text = BUF_INIT, out = BUF_INIT;
	struct stat st;
	enum err_code rc = tree_join(data, "postgresql.auto.conf", path, reterr);
	if (rc == ERR_OK && stat(data, &st) != 0)
		rc = err_sys(reterr, errno, "%s", data);
	if (rc == ERR_OK)
		rc = tree_read(path, CONF_MAX, &text, reterr);
	if (rc == ERR_OK || rc == ERR_NOT_FOUND) {
		recovery_filter(buf_str(&text), &out);
		buf_text(&out, more);
		rc = out.failed ? err_set(reterr, ERR_NOMEM, "out of memory")
		     : text_equal(buf_str(&text), buf_str(&out))
			 ? ERR_OK /* nothing was aimed */
			 : tree_replace(path, buf_str(&out), out.size, &st, reterr);
	}
	buf_done(&text);
	buf_done(&out);
	return rc;
}

static enum err_code raise_signal(const char *data, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct stat st;
	enum err_code rc = tree_join(data, "recovery.signal", path, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || stat(data, &st) != 0 || (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) != 0))
		return err_sys(reterr, errno, "%s", path);
	return ERR_OK;
}

enum err_code recovery_prepare(const char *data, const char *settings, struct err *reterr)
{
	enum err_code rc = rewrite(data, settings, reterr);
	return rc == ERR_OK ? raise_signal(data, reterr) : rc;
}

bool recovery_is_due(const char *data)
{
	char path[PATH_LIMIT];
	return tree_join(data, "recovery.signal", path, NULL) == ERR_OK && file_exists(path);
}

struct aim {
	bool any, ours;
	uint64_t timeline; /* that it goes along; 0: none is named */
};

static void read_aim(const char *line, size_t n, struct aim *ret)
{
	static const char timeline[] = "recovery_target_timeline = '";
	char number[16] = "";
	if (!aims(line, n))
		return;
	ret->any = true;
	ret->ours |= text_starts(line, "restore_command");
	if (n < sizeof timeline || !text_starts(line, timeline))
		return;
	text_copy(number, sizeof number, line + sizeof timeline - 1);
	number[strspn(number, "0123456789")] = '\0';
	if (text_u64(number, &ret->timeline, NULL) != ERR_OK)
		ret->timeline = 0;
}

static struct aim aim_of(const char *data)
{
	char path[PATH_LIMIT];
	struct buf text = BUF_INIT;
	struct aim aim = {.timeline = 0};
	if (tree_join(data, "postgresql.auto.conf", path, NULL) == ERR_OK &&
	    tree_read(path, CONF_MAX, &text, NULL) == ERR_OK)
		for (const char *line = buf_str(&text), *end; *line; line = *end ? end + 1 : end) {
			end = strchrnul(line, '\n');
			read_aim(line, (size_t)(end - line), &aim);
		}
	buf_done(&text);
	return aim;
}

bool recovery_is_aimed(const char *data)
{
	return aim_of(data).any;
}

/* What recovers ends on a timeline of its own, and its server is "in production" then (PostgreSQL, xlog.c);
 * recovery.signal goes before either is written down, and what postmaster.pid says tells a server that writes from one
 * that can only be read as little. */
enum recovery_course recovery_course(const char *data)
{
	struct postgres_control control;
	struct aim aim = aim_of(data);
	if (recovery_is_due(data))
		return RECOVERY_DUE;
	if (!aim.ours || !aim.timeline || postgres_control_read(data, &control, NULL) != ERR_OK)
		return RECOVERY_OVER;
	if (control.timeline > aim.timeline)
		return control.writes || control.shut_down ? RECOVERY_OVER : RECOVERY_ENDING;
	return control.writes ? RECOVERY_RAN_PAST : RECOVERY_ENDING;
}

enum err_code recovery_aim_again(const char *data, struct err *reterr)
{
	return raise_signal(data, reterr);
}

enum err_code recovery_forget(const char *data, struct err *reterr)
{
	return rewrite(data, "", reterr);
}
