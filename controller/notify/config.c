/* controller/notify/config.c: channels and the on-call list, and the checks that find a list which would reach nobody.
 */
#include <string.h>

#include "controller/notify/internal.h"

static const struct field channel_fields[] = {
    F_STRING(struct notify_channel, name, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "its name"),
    F_ENUM(struct notify_channel, kind, &notify_kind_enum, FIELD_ALWAYS | FIELD_COLUMN, "how it delivers"),
    F_STRING(struct notify_channel, url, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN,
	"smtp://host:port, smtps://host:port, https://…; for a file its path"),
    F_STRING(struct notify_channel, from, NOTIFY_ADDRESS_MAX, 0, "sender of mail"),
    F_STRING(struct notify_channel, to, NOTIFY_ADDRESS_MAX, FIELD_COLUMN, "recipient where a person names none"),
    F_STRING(struct notify_channel, user, NOTIFY_ADDRESS_MAX, 0, "for a mail server that asks who we are"),
    F_STRING(struct notify_channel, password_file, PATH_LIMIT, 0, "file with that user's password"),
    F_STRING(struct notify_channel, authority, PATH_LIMIT, 0, "PEM file that smtps and https are checked against"),
    F_STRING(struct notify_channel, key_file, PATH_LIMIT, 0, "file with the key that signs webhooks (HMAC-SHA-256)"),
};
const struct record_type notify_channel_type =
    RECORD_TYPE("notify_channel", struct notify_channel, channel_fields, "a way to reach people");

static const struct field person_fields[] = {
    F_STRING(struct notify_person, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "who"),
    F_STRING(struct notify_person, channel, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "by which channel"),
    F_STRING(struct notify_person, to, NOTIFY_ADDRESS_MAX, FIELD_COLUMN, "address, if not the channel's"),
};
const struct record_type notify_person_type =
    RECORD_TYPE("notify_person", struct notify_person, person_fields, "somebody on call");
static const struct field level_fields[] = {
    F_STRING(struct notify_level, name, NAME_MAX_BYTES, FIELD_COLUMN, "as people call it"),
    F_LIST(struct notify_level, persons, &notify_person_type, NOTIFY_PERSONS_MAX, FIELD_COLUMN, "all are told at once"),
    F_DURATION(struct notify_level, wait_ms, 24 * 3600 * 1000ull, FIELD_COLUMN, "before the next level is told",
	.default_text = "5m", .min = 1000),
};
const struct record_type notify_level_type =
    RECORD_TYPE("notify_level", struct notify_level, level_fields, "one step of the on-call list");

static const struct field config_fields[] = {
    F_LIST(
	struct notify_config, channels, &notify_channel_type, NOTIFY_CHANNELS_MAX, FIELD_KEYED, "ways to reach people"),
    F_LIST(struct notify_config, levels, &notify_level_type, NOTIFY_LEVELS_MAX, 0,
	"who is told, level by level, until somebody acknowledges; without any, every channel's `to`"),
    F_U32(struct notify_config, rounds, NOTIFY_ROUNDS_MAX, 0, "how often the list is gone through", .default_text = "3",
	.min = 1),
    F_DURATION(struct notify_config, hold_ms, 10 * 60 * 1000, 0,
	"the first page of a service that leans on others waits this long for the cause to show", .default_text = "2s"),
    F_STRING(struct notify_config, site, NAME_MAX_BYTES, 0, "begins every subject"),
};
static enum err_code config_check(const void *record, struct err *reterr)
{
	return notify_config_check(record, reterr);
}
const struct record_type notify_config_type =
    RECORD_TYPE("notify_config", struct notify_config, config_fields, "who is told, and how", .check = config_check);

const struct notify_channel *notify_channel_named(const struct notify_config *c, const char *name)
{
	for (size_t i = 0; i < c->channels.count; i++)
		if (strcmp(LIST_AT(c->channels, struct notify_channel, i).name, name) == 0)
			return &LIST_AT(c->channels, struct notify_channel, i);
	return NULL;
}

bool notify_channel_reaches(const struct notify_channel *ch, const char *to)
{
	return ch->kind != NOTIFY_SMTP || to || ch->to;
}

static enum err_code channel_check(const struct notify_config *c, const struct notify_channel *ch, struct err *reterr)
{
	if (notify_channel_named(c, ch->name) != ch)
		return err_set(reterr, ERR_INVALID, "channels: %s is named twice", ch->name);
	if (ch->kind == NOTIFY_SMTP && !ch->from)
		return err_set(reterr, ERR_INVALID, "channels.%s.from: mail needs a sender", ch->name);
	if (ch->kind == NOTIFY_SMTP && strncmp(ch->url, "smtp://", 7) != 0 && strncmp(ch->url, "smtps://", 8) != 0)
		return err_set(
		    reterr, ERR_INVALID, "channels.%s.url: expected smtp://host:port or smtps://host:port", ch->name);
	if (ch->kind == NOTIFY_WEBHOOK && strncmp(ch->url, "https://", 8) != 0 && strncmp(ch->url, "http://", 7) != 0)
		return err_set(reterr, ERR_INVALID, "channels.%s.url: expected https://…", ch->name);
	if (ch->kind == NOTIFY_FILE && ch->url[0] != '/')
		return err_set(reterr, ERR_INVALID, "channels.%s.url: expected the absolute path of a file", ch->name);
	return ERR_OK;
}

static enum err_code level_check(const struct notify_config *c, size_t at, struct err *reterr)
{
	const struct notify_level *l = &LIST_AT(c->levels, struct notify_level, at);
	if (l->persons.count == 0)
		return err_set(reterr, ERR_INVALID,
		    "levels[%zu].persons: nobody is on call; name somebody or remove the level", at);
	for (size_t i = 0; i < l->persons.count; i++) {
		const struct notify_person *p = &LIST_AT(l->persons, struct notify_person, i);
		const struct notify_channel *ch = notify_channel_named(c, p->channel);
		if (!ch)
			return err_set(reterr, ERR_INVALID, "levels[%zu].persons[%zu].channel: there is no channel %s",
			    at, i, p->channel);
		if (!notify_channel_reaches(ch, p->to))
			return err_set(reterr, ERR_INVALID,
			    "levels[%zu].persons[%zu].to: %s cannot be reached; give an address here or in "
			    "channels.%s.to",
			    at, i, p->name, ch->name);
	}
	return ERR_OK;
}

enum err_code notify_config_check(const struct notify_config *c, struct err *reterr)
{
	if (c->channels.count == 0)
		return err_set(
		    reterr, ERR_INVALID, "channels: nobody would ever be told; name at least one (a file will do)");
	enum err_code rc = ERR_OK;
	bool reaches = c->levels.count > 0;
	for (size_t i = 0; rc == ERR_OK && i < c->channels.count; i++) {
		const struct notify_channel *ch = &LIST_AT(c->channels, struct notify_channel, i);
		rc = channel_check(c, ch, reterr);
		reaches |= notify_channel_reaches(ch, NULL);
	}
	for (size_t i = 0; rc == ERR_OK && i < c->levels.count; i++)
		rc = level_check(c, i, reterr);
	if (rc == ERR_OK && !reaches)
		rc = err_set(
		    reterr, ERR_INVALID, "channels: none has a recipient; give one `to` or name persons in levels");
	return rc;
}
