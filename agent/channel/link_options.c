#include "agent/channel/link_options.h"

#include <string.h>

#include "shared/base/text.h"

enum { NUMBER_TEXT = 24, USER_TEXT = 2 * NUMBER_TEXT };

enum word {
	WORD_VERSION,
	WORD_HOST,
	WORD_DOMAIN,
	WORD_CONTROLLER,
	WORD_URL,
	WORD_AUTHORITY,
	WORD_SPOOL,
	WORD_SPOOL_LIMIT,
	WORD_BOOT,
	WORD_USER,
	WORD_LOG,
	WORD_COUNT
};
_Static_assert((int)WORD_COUNT == (int)LINK_WORDS_COUNT, "the header says how many there are");

static const char *const names[WORD_COUNT] = {
    [WORD_VERSION] = "version=",
    [WORD_HOST] = "host=",
    [WORD_DOMAIN] = "domain=",
    [WORD_CONTROLLER] = "controller=",
    [WORD_URL] = "url=",
    [WORD_AUTHORITY] = "authority=",
    [WORD_SPOOL] = "spool=",
    [WORD_SPOOL_LIMIT] = "spool-limit=",
    [WORD_BOOT] = "boot=",
    [WORD_USER] = "user=",
    [WORD_LOG] = "log=",
};

enum err_code link_options_words(
    const struct link_options *o, struct arena *arena, char *ret[LINK_WORDS_COUNT + 2], struct err *reterr)
{
	char limit[NUMBER_TEXT], least[NUMBER_TEXT], boot[ID_TEXT_MAX], user[USER_TEXT] = "";
	(void)text_format(limit, sizeof limit, "%llu", (unsigned long long)o->spool_limit_bytes);
	(void)text_format(least, sizeof least, "%d", (int)o->log_least);
	if (o->drop_privileges)
		(void)text_format(user, sizeof user, "%lu:%lu", (unsigned long)o->uid, (unsigned long)o->gid);
	const char *values[WORD_COUNT] = {
	    [WORD_VERSION] = KEDGE_VERSION,
	    [WORD_HOST] = o->host,
	    [WORD_DOMAIN] = o->domain,
	    [WORD_CONTROLLER] = o->controller,
	    [WORD_URL] = o->url,
	    [WORD_AUTHORITY] = o->authority,
	    [WORD_SPOOL] = o->spool,
	    [WORD_SPOOL_LIMIT] = limit,
	    [WORD_BOOT] = id_format(ID_BOOT, o->boot, boot),
	    [WORD_USER] = user,
	    [WORD_LOG] = least,
	};
	char *words[LINK_WORDS_COUNT + 2] = {arena_strdup(arena, LINK_PROGRAM)};
	bool ok = words[0];
	for (size_t i = 0; ok && i < WORD_COUNT; i++)
		ok = (words[1 + i] = arena_printf(arena, "%s%s", names[i], values[i])) != NULL;
	if (!ok)
		return err_set(reterr, ERR_NOMEM, "out of memory for the link");
	memcpy(ret, words, sizeof words);
	return ERR_OK;
}

/* "UID:GID", or nothing. */
static enum err_code read_user(const char *text, struct link_options *o, struct err *reterr)
{
	char room[USER_TEXT];
	uint64_t uid, gid;
	if (!*text)
		return ERR_OK;
	text_copy(room, sizeof room, text);
	char *colon = strchr(room, ':');
	if (!colon)
		return err_set(reterr, ERR_INVALID, "\"%.40s\" is no user", text);
	*colon = '\0';
	enum err_code rc = text_u64(room, &uid, reterr);
	if (rc == ERR_OK)
		rc = text_u64(colon + 1, &gid, reterr);
	if (rc == ERR_OK && (uid >= (uid_t)-1 || gid >= (gid_t)-1))
		rc = err_set(reterr, ERR_INVALID, "\"%.40s\" is no user", text);
	if (rc != ERR_OK)
		return rc;
	o->drop_privileges = true;
	o->uid = (uid_t)uid;
	o->gid = (gid_t)gid;
	return ERR_OK;
}

enum err_code link_options_read(int argc, char *const *argv, struct link_options *ret, struct err *reterr)
{
	const char *values[WORD_COUNT];
	uint64_t least = 0;
	if (argc > 1 && text_starts(argv[1], names[WORD_VERSION]) &&
	    !text_equal(argv[1] + strlen(names[WORD_VERSION]), KEDGE_VERSION))
		return err_set(reterr, ERR_UNSUPPORTED,
		    "kedge-agent says %.40s, and this is the link of " KEDGE_VERSION ": start the agent anew", argv[1]);
	if (argc != 1 + WORD_COUNT)
		return err_set(reterr, ERR_INVALID, "it takes %d words", WORD_COUNT);
	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (!text_starts(argv[1 + i], names[i]))
			return err_set(reterr, ERR_INVALID, "\"%.40s\" should be %s…", argv[1 + i], names[i]);
		values[i] = argv[1 + i] + strlen(names[i]);
	}
	struct link_options o = {.url = values[WORD_URL],
	    .controller = values[WORD_CONTROLLER],
	    .domain = values[WORD_DOMAIN],
	    .host = values[WORD_HOST],
	    .authority = values[WORD_AUTHORITY],
	    .spool = values[WORD_SPOOL]};
	enum err_code rc = text_u64(values[WORD_SPOOL_LIMIT], &o.spool_limit_bytes, reterr);
	if (rc == ERR_OK)
		rc = id_parse(ID_BOOT, values[WORD_BOOT], &o.boot, reterr);
	if (rc == ERR_OK)
		rc = read_user(values[WORD_USER], &o, reterr);
	if (rc == ERR_OK)
		rc = text_u64(values[WORD_LOG], &least, reterr);
	if (rc == ERR_OK && least >= LOG_LEVEL_COUNT)
		rc = err_set(reterr, ERR_INVALID, "there is no log level %s", values[WORD_LOG]);
	if (rc != ERR_OK)
		return rc;
	o.log_least = (enum log_level)least;
	*ret = o;
	return ERR_OK;
}
