/* The key file and what is derived from it. */
#include "agent/repository/key.h"

#include <string.h>

#include "agent/repository/seal.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"
#include "shared/record/record.h"

enum { KEY_FILE_VERSION = 1, MASTERS_MAX = 64 }; /* a rotation every quarter for sixteen years */

struct master_key {
	uint32_t number;
	struct bytes secret;
};
struct key_file {
	uint32_t version;
	const char *host;
	uint64_t created_ms;
	struct bytes repository, naming, signing;
	struct list masters;
};

static const struct field master_key_fields[] = {
    F_U32(struct master_key, number, 0, FIELD_REQUIRED, "packs and manifests name it", .min = 1),
    F_BYTES(struct master_key, secret, KEY_SIZE, FIELD_REQUIRED | FIELD_SECRET, "32 bytes", .min = KEY_SIZE),
};
static const struct record_type master_key_type =
    RECORD_TYPE("master_key", struct master_key, master_key_fields, "One generation of the sealing secret.");
static const struct field key_file_fields[] = {
    F_U32(struct key_file, version, 0, FIELD_REQUIRED, "of this file's format"),
    F_STRING(struct key_file, host, NAME_MAX_BYTES, FIELD_REQUIRED, "the host it was made for"),
    F_TIME(struct key_file, created_ms, 0, "when it was made"),
    F_BYTES(struct key_file, repository, REPO_ID_SIZE, FIELD_REQUIRED, "the repository's id", .min = REPO_ID_SIZE),
    F_BYTES(struct key_file, naming, KEY_SIZE, FIELD_REQUIRED | FIELD_SECRET, "names chunks", .min = KEY_SIZE),
    F_BYTES(struct key_file, signing, KEY_SIZE, FIELD_REQUIRED | FIELD_SECRET, "signs manifests", .min = KEY_SIZE),
    F_LIST(struct key_file, masters, &master_key_type, MASTERS_MAX, FIELD_REQUIRED, "sealing secrets by number"),
};
static const struct record_type key_file_type =
    RECORD_TYPE("key_file", struct key_file, key_file_fields, "The secrets of a repository.");

struct secrets { /* lives in a struct secret */
	uint8_t naming[KEY_SIZE], signing[KEY_SIZE];
	uint8_t masters[MASTERS_MAX][KEY_SIZE];
};
struct keys {
	char host[NAME_MAX_BYTES + 1];
	uint8_t repo_id[REPO_ID_SIZE], public_key[32];
	uint64_t created_ms;
	uint32_t numbers[MASTERS_MAX], newest;
	size_t master_count;
	struct secret *secret;
};

static struct secrets *secrets(const struct keys *k)
{
	return (struct secrets *)(void *)secret_data(k->secret);
}

static enum err_code keys_alloc(struct keys **ret, struct err *reterr)
{
	CLEANUP(keys_cleanup) struct keys *k = calloc(1, sizeof *k);
	if (!k)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	k->secret = secret_new(NULL, sizeof(struct secrets));
	if (!k->secret)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*ret = TAKE_PTR(k);
	return ERR_OK;
}

void keys_free(struct keys *k)
{
	if (!k)
		return;
	secret_free(k->secret);
	free(k);
}

enum err_code keys_new(const char *host, struct keys **ret, struct err *reterr)
{
	if (!*host || strlen(host) > NAME_MAX_BYTES)
		return err_set(reterr, ERR_INVALID, "a host's name has 1 to %d bytes", NAME_MAX_BYTES);
	CLEANUP(keys_cleanup) struct keys *k = NULL;
	enum err_code rc = keys_alloc(&k, reterr);
	if (rc)
		return rc;
	struct random random;
	random_init_system(&random);
	strcpy(k->host, host);
	random_fill(&random, k->repo_id, sizeof k->repo_id);
	random_fill(&random, secrets(k)->naming, KEY_SIZE);
	random_fill(&random, secrets(k)->signing, KEY_SIZE);
	random_fill(&random, secrets(k)->masters[0], KEY_SIZE);
	k->numbers[0] = k->newest = 1;
	k->master_count = 1;
	k->created_ms = clock_wall_ms();
	rc = seal_public_of(secrets(k)->signing, k->public_key, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(k);
	return ERR_OK;
}

static enum err_code keys_from_file(struct keys *k, const struct key_file *f, struct err *reterr)
{
	if (f->version != KEY_FILE_VERSION)
		return err_set(reterr, ERR_UNSUPPORTED, "version %u of the key file is not known here (%d is)",
		    f->version, KEY_FILE_VERSION);
	text_copy(k->host, sizeof k->host, f->host);
	memcpy(k->repo_id, f->repository.data, REPO_ID_SIZE);
	memcpy(secrets(k)->naming, f->naming.data, KEY_SIZE);
	memcpy(secrets(k)->signing, f->signing.data, KEY_SIZE);
	k->created_ms = f->created_ms;
	for (size_t i = 0; i < f->masters.count; i++) {
		const struct master_key *m = &LIST_AT(f->masters, struct master_key, i);
		k->numbers[i] = m->number;
		memcpy(secrets(k)->masters[i], m->secret.data, KEY_SIZE);
		if (m->number > k->newest)
			k->newest = m->number;
	}
	k->master_count = f->masters.count;
	return seal_public_of(secrets(k)->signing, k->public_key, reterr);
}

/* What a key file may hold must also be consistent: two secrets of one number would seal what the other cannot open. */
static enum err_code check_numbers(const struct key_file *f, struct err *reterr)
{
	for (size_t i = 0; i < f->masters.count; i++)
		for (size_t j = 0; j < i; j++)
			if (LIST_AT(f->masters, struct master_key, i).number ==
			    LIST_AT(f->masters, struct master_key, j).number)
				return err_set(reterr, ERR_CORRUPT, "it holds two keys of one number");
	return f->masters.count ? ERR_OK : err_set(reterr, ERR_CORRUPT, "it holds no key");
}

enum err_code keys_parse(const void *text, size_t size, struct keys **ret, struct err *reterr)
{
	CLEANUP(keys_cleanup) struct keys *k = NULL;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(KEY_FILE_SIZE_MAX * 4);
	struct key_file f;
	enum err_code rc = keys_alloc(&k, reterr);
	if (!rc && !arena)
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = record_from_json(&key_file_type, text, size, 0, arena, &f, reterr);
	if (!rc)
		rc = check_numbers(&f, reterr);
	if (!rc)
		rc = keys_from_file(k, &f, reterr);
	if (rc)
		return rc == ERR_INVALID ? ERR_CORRUPT : rc;
	*ret = TAKE_PTR(k);
	return ERR_OK;
}

enum err_code keys_load(const char *path, struct keys **ret, struct err *reterr)
{
	struct buf text = BUF_INIT;
	enum err_code rc = file_read(path, KEY_FILE_SIZE_MAX, &text, reterr);
	if (!rc)
		rc = keys_parse(text.data, text.size, ret, reterr);
	if (text.data)
		secret_wipe(text.data, text.capacity);
	buf_done(&text);
	return rc ? err_prefix(reterr, rc, "repository key %s", path) : ERR_OK;
}

enum err_code keys_text(const struct keys *k, struct buf *out, struct err *reterr)
{
	struct master_key masters[MASTERS_MAX];
	for (size_t i = 0; i < k->master_count; i++)
		masters[i] = (struct master_key){k->numbers[i], {secrets(k)->masters[i], KEY_SIZE}};
	struct key_file f = {
	    .version = KEY_FILE_VERSION,
	    .host = k->host,
	    .created_ms = k->created_ms,
	    .repository = {k->repo_id, REPO_ID_SIZE},
	    .naming = {secrets(k)->naming, KEY_SIZE},
	    .signing = {secrets(k)->signing, KEY_SIZE},
	    .masters = {masters, k->master_count},
	};
	return record_to_json(&key_file_type, &f, RECORD_PRETTY | RECORD_WITH_SECRETS, out, reterr);
}

enum err_code keys_store(const struct keys *k, const char *path, struct err *reterr)
{
	struct buf text = BUF_INIT;
	enum err_code rc = keys_text(k, &text, reterr);
	if (!rc)
		rc = file_replace(path, text.data, text.size, 0600, reterr);
	if (text.data)
		secret_wipe(text.data, text.capacity);
	buf_done(&text);
	return rc;
}

enum err_code keys_rotate(struct keys *k, struct err *reterr)
{
	struct random random;
	if (k->master_count == MASTERS_MAX || k->newest == UINT32_MAX)
		return err_set(reterr, ERR_LIMIT,
		    "the key file holds %d keys, which is all it can; take a new repository", MASTERS_MAX);
	random_init_system(&random);
	random_fill(&random, secrets(k)->masters[k->master_count], KEY_SIZE);
	k->numbers[k->master_count++] = ++k->newest;
	return ERR_OK;
}

const char *keys_host(const struct keys *k)
{
	return k->host;
}
const uint8_t *keys_repo_id(const struct keys *k)
{
	return k->repo_id;
}
uint32_t keys_newest(const struct keys *k)
{
	return k->newest;
}
const uint8_t *keys_public(const struct keys *k)
{
	return k->public_key;
}

static enum err_code derive(const struct keys *k, const uint8_t secret[KEY_SIZE], const char *purpose,
    const void *context, size_t context_size, uint8_t *out, size_t size, struct err *reterr)
{
	struct buf info = BUF_INIT;
	buf_append(&info, purpose, strlen(purpose) + 1);
	buf_append(&info, context, context_size);
	enum err_code rc = info.failed ? err_set(reterr, ERR_NOMEM, "out of memory")
				       : seal_hkdf(secret, KEY_SIZE, k->repo_id, REPO_ID_SIZE, info.data, info.size,
					     out, size, reterr);
	buf_done(&info);
	return rc;
}

enum err_code keys_derive(const struct keys *k, uint32_t number, const char *purpose, const void *context,
    size_t context_size, uint8_t out[KEY_SIZE], struct err *reterr)
{
	for (size_t i = 0; i < k->master_count; i++)
		if (k->numbers[i] == number)
			return derive(k, secrets(k)->masters[i], purpose, context, context_size, out, KEY_SIZE, reterr);
	return err_set(
	    reterr, ERR_NOT_FOUND, "sealed with key number %u, which this repository's key file does not hold", number);
}

enum err_code keys_derive_naming(
    const struct keys *k, const char *purpose, uint8_t *out, size_t size, struct err *reterr)
{
	return derive(k, secrets(k)->naming, purpose, NULL, 0, out, size, reterr);
}

enum err_code keys_sign(const struct keys *k, const char *domain, const void *data, size_t size,
    uint8_t out[SIGNATURE_SIZE], struct err *reterr)
{
	return seal_sign(secrets(k)->signing, domain, data, size, out, reterr);
}
