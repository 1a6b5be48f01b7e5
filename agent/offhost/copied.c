#include "agent/offhost/inventory.h"

#include <stdlib.h>
#include <string.h>

#include "agent/database/wal.h"
#include "agent/offhost/limits.h"
#include "shared/base/text.h"

static bool name_has(const char *name, const char *folder, const char *suffix, char *middle, size_t size)
{
	size_t n = strlen(name), before = strlen(folder), after = strlen(suffix);
	if (!text_starts(name, folder) || !text_ends(name, suffix) || n <= before + after || n - before - after >= size)
		return false;
	memcpy(middle, name + before, n - before - after);
	middle[n - before - after] = '\0';
	return true;
}

static bool point_id(const char *name, const char *suffix, struct id *ret)
{
	char text[ID_TEXT_MAX], again[ID_TEXT_MAX];
	struct id id;
	if (!name_has(name, "snapshots/", suffix, text, sizeof text) ||
	    id_parse(ID_SNAPSHOT, text, &id, NULL) != ERR_OK || strcmp(id_format(ID_SNAPSHOT, id, again), text) != 0)
		return false;
	*ret = id;
	return true;
}

bool copied_manifest_id(const char *name, struct id *ret)
{
	return point_id(name, ".manifest", ret);
}
bool copied_marks_id(const char *name, struct id *ret)
{
	return point_id(name, ".marks", ret);
}
bool copied_pack_id(const char *name, struct pack_id *ret)
{
	return text_starts(name, "packs/") && pack_name_parse(name + strlen("packs/"), ".pack", ret);
}

/* What is behind "wal/SERVICE/". */
static const char *behind_service(const char *name, char service[NAME_MAX_BYTES + 1])
{
	static const char folder[] = "wal/",
			  allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	if (!text_starts(name, folder))
		return NULL;
	name += strlen(folder);
	size_t n = strspn(name, allowed);
	if (!n || n > NAME_MAX_BYTES || name[n] != '/' || *name == '.')
		return NULL;
	memcpy(service, name, n);
	service[n] = '\0';
	return name + n + 1;
}

const char *copied_wal_file(const char *name, char service[NAME_MAX_BYTES + 1])
{
	struct wal_name n;
	const char *file = behind_service(name, service);
	return file && wal_name_parse(file, &n) ? file : NULL;
}

bool copied_wal_area(const char *name, char service[NAME_MAX_BYTES + 1])
{
	const char *file = behind_service(name, service);
	return file && text_equal(file, "area");
}

static bool is_number(const char *name, const char *folder, size_t digits)
{
	const char *rest = name + strlen(folder);
	return text_starts(name, folder) && strlen(rest) == digits && strspn(rest, "0123456789") == digits;
}

bool copied_name_ok(const char *name)
{
	struct id id;
	struct pack_id pack;
	char service[NAME_MAX_BYTES + 1];
	return copied_wal_file(name, service) || copied_wal_area(name, service) || copied_manifest_id(name, &id) ||
	       copied_marks_id(name, &id) || copied_pack_id(name, &pack) || is_number(name, "inventory/", 8) ||
	       is_number(name, "keys/", 4) || strcmp(name, "repository") == 0;
}

uint32_t copied_base(const struct copied *inventory)
{
	return inventory_base(inventory->inventory, inventory->base);
}

static char *format(char out[COPIED_NAME_MAX], bool fits)
{
	if (!fits)
		abort(); /* every part has a size of its own that is known */
	return out;
}

char *copied_pack_name(struct pack_id id, char out[COPIED_NAME_MAX])
{
	char name[PACK_NAME_MAX];
	return format(out, text_format(out, COPIED_NAME_MAX, "packs/%s", pack_name(id, ".pack", name)));
}

char *copied_manifest_name(struct id id, char out[COPIED_NAME_MAX])
{
	char name[ID_TEXT_MAX];
	return format(
	    out, text_format(out, COPIED_NAME_MAX, "snapshots/%s.manifest", id_format(ID_SNAPSHOT, id, name)));
}

char *copied_marks_name(struct id id, char out[COPIED_NAME_MAX])
{
	char name[ID_TEXT_MAX];
	return format(out, text_format(out, COPIED_NAME_MAX, "snapshots/%s.marks", id_format(ID_SNAPSHOT, id, name)));
}

char *copied_wal_name(const char *service, const char *file, char out[COPIED_NAME_MAX])
{
	return format(out, text_format(out, COPIED_NAME_MAX, "wal/%s/%s", service, file));
}

char *copied_inventory_name(uint32_t number, char out[COPIED_NAME_MAX])
{
	return format(out, text_format(out, COPIED_NAME_MAX, "inventory/%08u", number));
}

char *copied_keys_name(uint32_t number, char out[COPIED_NAME_MAX])
{
	return format(out, text_format(out, COPIED_NAME_MAX, "keys/%04u", number));
}
