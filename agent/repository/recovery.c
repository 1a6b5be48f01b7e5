#include "agent/repository/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/repository/repo_internal.h"
#include "agent/repository/seal.h"
#include "shared/base/file.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"
#include "shared/record/record.h"

static const char public_word[] = "kedge-recovery-x25519", secret_word[] = "kedge-recovery-secret-x25519";
static const char magic[4] = "KRW1", info_words[] = "kedge recovery 1", sign_domain[] = "kedge recovery file 1";
enum { FILE_VERSION = 1, HEAD_SIZE = sizeof magic + KEY_SIZE, SECRET_FILE_MAX = 1024 };

/* ---- the file ---- */

struct copy {
	const char *recipient;
	struct bytes key, wrapped;
};
struct recovery_file {
	uint32_t version, newest;
	const char *host;
	struct bytes repository, signer, signature;
	struct list copies;
};
static const struct field copy_fields[] = {
    F_STRING(struct copy, recipient, NAME_MAX_BYTES, FIELD_REQUIRED, "whose recovery key opens it"),
    F_BYTES(struct copy, key, KEY_SIZE, FIELD_REQUIRED, "that key's public half", .min = KEY_SIZE),
    F_BYTES(struct copy, wrapped, RECOVERY_WRAPPED_MAX, FIELD_REQUIRED, "the key file, wrapped to it"),
};
static const struct record_type copy_type =
    RECORD_TYPE("recovery_copy", struct copy, copy_fields, "A key file wrapped to one recovery key.");
static const struct field file_fields[] = {
    F_U32(struct recovery_file, version, 0, FIELD_REQUIRED, "of this file's format"),
    F_STRING(struct recovery_file, host, NAME_MAX_BYTES, FIELD_REQUIRED, "the host whose repository it is"),
    F_BYTES(struct recovery_file, repository, REPO_ID_SIZE, FIELD_REQUIRED, "the repository's id", .min = REPO_ID_SIZE),
    F_U32(struct recovery_file, newest, 0, FIELD_REQUIRED, "the highest key number inside"),
    F_BYTES(struct recovery_file, signer, KEY_SIZE, FIELD_REQUIRED, "the host's signing key", .min = KEY_SIZE),
    F_BYTES(struct recovery_file, signature, SIGNATURE_SIZE, FIELD_REQUIRED, "by that key", .min = SIGNATURE_SIZE),
    F_LIST(struct recovery_file, copies, &copy_type, RECOVERY_KEYS_MAX, FIELD_REQUIRED, "one a recovery key"),
};
static const struct record_type file_type =
    RECORD_TYPE("recovery_file", struct recovery_file, file_fields, "The keys of a repository, wrapped for recovery.");

static enum err_code path_in(const char *path, const char *name, char out[PATH_LIMIT], struct err *reterr)
{
	if (!text_format(out, PATH_LIMIT, "%s/%s", path, name))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", path);
	return ERR_OK;
}

static bool signed_bytes(const struct recovery_file *f, struct buf *out)
{
	buf_append(out, f->repository.data, REPO_ID_SIZE);
	buf_printf(out, "%s %u", f->host, f->newest);
	for (size_t i = 0; i < f->copies.count; i++) {
		const struct copy *c = &LIST_AT(f->copies, struct copy, i);
		buf_printf(out, "\n%s %zu ", c->recipient, c->wrapped.size);
		buf_append(out, c->key.data, c->key.size);
		buf_append(out, c->wrapped.data, c->wrapped.size);
	}
	return !out->failed;
}

static enum err_code load_file(const char *path, struct arena *arena, struct recovery_file *ret, struct err *reterr)
{
	char name[PATH_LIMIT];
	struct buf text = BUF_INIT, message = BUF_INIT;
	struct recovery_file f;
	enum err_code rc = path_in(path, "keys/recovery", name, reterr);
	if (!rc)
		rc = file_read(name, RECOVERY_FILE_MAX, &text, reterr);
	if (!rc && (rc = record_from_json(&file_type, (const char *)text.data, text.size, 0, arena, &f, reterr)))
		rc = err_prefix(reterr, rc == ERR_NOMEM ? rc : ERR_CORRUPT, "%s", name);
	else if (!rc && f.version != FILE_VERSION)
		rc = err_set(reterr, ERR_UNSUPPORTED, "%s: version %u is not known here", name, f.version);
	else if (!rc && (!signed_bytes(&f, &message) ||
			    !keys_verify(f.signer.data, sign_domain, message.data, message.size, f.signature.data)))
		rc = err_set(reterr, ERR_CORRUPT, "%s was changed: its signature does not fit", name);
	buf_done(&text);
	buf_done(&message);
	if (!rc)
		*ret = f;
	return rc;
}

/* ---- key pairs ---- */

static enum err_code parse_words(const char *word, const char *line, struct recovery_key *ret, struct err *reterr)
{
	struct recovery_key k = {0};
	char hex[2 * KEY_SIZE + 1];
	size_t n = strlen(word);
	const char *p = line + n + 1;
	bool shaped = text_starts(line, word) && line[n] == ' ' && strlen(p) > 2 * KEY_SIZE + 1 &&
		      p[2 * KEY_SIZE] == ' ' && strlen(p + 2 * KEY_SIZE + 1) <= NAME_MAX_BYTES &&
		      !strpbrk(p + 2 * KEY_SIZE + 1, " \t\r\n");
	if (shaped) {
		memcpy(hex, p, 2 * KEY_SIZE);
		hex[2 * KEY_SIZE] = 0;
		text_copy(k.name, sizeof k.name, p + 2 * KEY_SIZE + 1);
		shaped = text_unhex(hex, k.key, KEY_SIZE, NULL) == ERR_OK;
		secret_wipe(hex, sizeof hex);
	}
	if (!shaped)
		return err_set(reterr, ERR_INVALID, "expected \"%s\", %d hex digits and a name", word, 2 * KEY_SIZE);
	*ret = k;
	return ERR_OK;
}

enum err_code recovery_parse(const char *line, struct recovery_key *ret, struct err *reterr)
{
	return parse_words(public_word, line, ret, reterr);
}

static enum err_code write_secret(const char *path, const char *line, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno == EEXIST ? err_set(reterr, ERR_EXISTS, "%s is there already", path)
				       : err_sys(reterr, errno, "create %s", path);
	enum err_code rc = file_write_all(fd, line, strlen(line), reterr);
	if (!rc && fsync(fd))
		rc = err_sys(reterr, errno, "sync %s", path);
	return rc;
}

enum err_code recovery_new(const char *name, const char *path, char line[RECOVERY_LINE_MAX], struct err *reterr)
{
	uint8_t secret[KEY_SIZE], key[KEY_SIZE];
	char hex[2 * KEY_SIZE + 1], secret_line[RECOVERY_LINE_MAX + 8];
	struct random random;
	if (!*name || strlen(name) > NAME_MAX_BYTES || strpbrk(name, " \t\r\n"))
		return err_set(
		    reterr, ERR_INVALID, "a recovery key's name is one word of at most %d bytes", NAME_MAX_BYTES);
	random_init_system(&random);
	random_fill(&random, secret, sizeof secret);
	enum err_code rc = seal_exchange_public(secret, key, reterr);
	(void)text_format(
	    secret_line, sizeof secret_line, "%s %s %s\n", secret_word, text_hex(secret, KEY_SIZE, hex), name);
	if (!rc)
		rc = write_secret(path, secret_line, reterr);
	if (!rc)
		(void)text_format(line, RECOVERY_LINE_MAX, "%s %s %s", public_word, text_hex(key, KEY_SIZE, hex), name);
	secret_wipe(secret, sizeof secret);
	secret_wipe(secret_line, sizeof secret_line);
	secret_wipe(hex, sizeof hex);
	return rc;
}

static enum err_code read_secret(const char *path, struct recovery_key *ret, struct err *reterr)
{
	struct buf text = BUF_INIT;
	enum err_code rc = file_read(path, SECRET_FILE_MAX, &text, reterr);
	if (!rc && text.size && text.data[text.size - 1] == '\n')
		text.data[--text.size] = 0;
	if (!rc)
		rc = parse_words(secret_word, buf_str(&text), ret, reterr);
	if (text.data)
		secret_wipe(text.data, text.capacity);
	buf_done(&text);
	return rc ? err_prefix(reterr, rc, "recovery key %s", path) : ERR_OK;
}

/* ---- wrapping ---- */

static enum err_code make_sealer(const uint8_t exchanged[KEY_SIZE], const uint8_t *repo_id, const uint8_t *ephemeral,
    const uint8_t *recipient, struct sealer **ret, struct err *reterr)
{
	uint8_t key[KEY_SIZE], info[sizeof info_words + 2 * KEY_SIZE];
	memcpy(info, info_words, sizeof info_words);
	memcpy(info + sizeof info_words, ephemeral, KEY_SIZE);
	memcpy(info + sizeof info_words + KEY_SIZE, recipient, KEY_SIZE);
	enum err_code rc =
	    seal_hkdf(exchanged, KEY_SIZE, repo_id, REPO_ID_SIZE, info, sizeof info, key, KEY_SIZE, reterr);
	if (!rc)
		rc = sealer_new(key, ret, reterr);
	secret_wipe(key, sizeof key);
	return rc;
}

enum err_code recovery_wrap(const struct keys *k, const struct recovery_key *to, struct buf *out, struct err *reterr)
{
	uint8_t secret[KEY_SIZE], exchanged[KEY_SIZE], head[HEAD_SIZE];
	CLEANUP(sealer_cleanup) struct sealer *sealer = NULL;
	struct buf text = BUF_INIT;
	struct random random;
	random_init_system(&random);
	random_fill(&random, secret, sizeof secret);
	memcpy(head, magic, sizeof magic);
	enum err_code rc = seal_exchange_public(secret, head + sizeof magic, reterr);
	if (!rc)
		rc = seal_exchange(secret, to->key, exchanged, reterr);
	secret_wipe(secret, sizeof secret);
	if (!rc)
		rc = make_sealer(exchanged, keys_repo_id(k), head + sizeof magic, to->key, &sealer, reterr);
	secret_wipe(exchanged, sizeof exchanged);
	if (!rc)
		rc = keys_text(k, &text, reterr);
	size_t size = text.size;
	uint8_t *room = rc ? NULL : buf_reserve(&text, SEAL_TAG_SIZE);
	if (!rc && !room)
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = sealer_seal(sealer, 0, head, sizeof head, text.data, size, reterr);
	if (!rc) {
		buf_append(out, head, sizeof head);
		buf_append(out, text.data, size + SEAL_TAG_SIZE);
		rc = out->failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
	}
	if (text.data)
		secret_wipe(text.data, text.capacity);
	buf_done(&text);
	return rc;
}

enum err_code recovery_unwrap(const uint8_t secret[KEY_SIZE], const uint8_t repo_id[REPO_ID_SIZE], const void *wrapped,
    size_t size, struct keys **ret, struct err *reterr)
{
	uint8_t exchanged[KEY_SIZE], recipient[KEY_SIZE];
	const uint8_t *head = wrapped;
	CLEANUP(sealer_cleanup) struct sealer *sealer = NULL;
	if (size <= HEAD_SIZE + SEAL_TAG_SIZE || size > RECOVERY_WRAPPED_MAX || memcmp(head, magic, sizeof magic))
		return err_set(reterr, ERR_DENIED, "not a wrapped key");
	enum err_code rc = seal_exchange_public(secret, recipient, reterr);
	if (!rc && seal_exchange(secret, head + sizeof magic, exchanged, reterr))
		rc = err_set(reterr, ERR_DENIED, "not a wrapped key");
	if (!rc)
		rc = make_sealer(exchanged, repo_id, head + sizeof magic, recipient, &sealer, reterr);
	secret_wipe(exchanged, sizeof exchanged);
	if (rc)
		return rc;
	size_t text_size = size - HEAD_SIZE - SEAL_TAG_SIZE;
	CLEANUP(cleanup_free) uint8_t *text = malloc(text_size + SEAL_TAG_SIZE);
	if (!text)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	memcpy(text, head + HEAD_SIZE, text_size + SEAL_TAG_SIZE);
	if (!sealer_open(sealer, 0, head, HEAD_SIZE, text, text_size))
		rc = err_set(reterr, ERR_DENIED, "it is not wrapped to this recovery key, or was changed");
	else
		rc = keys_parse(text, text_size, ret, reterr);
	secret_wipe(text, text_size);
	return rc;
}

/* ---- keys/recovery ---- */

static enum err_code write_file(const struct repo *r, const struct keys *k, const struct recovery_key *to, size_t count,
    struct arena *arena, struct err *reterr)
{
	char path[PATH_LIMIT];
	uint8_t signature[SIGNATURE_SIZE];
	struct copy copies[RECOVERY_KEYS_MAX];
	struct buf text = BUF_INIT, message = BUF_INIT;
	struct recovery_file f = {FILE_VERSION, keys_newest(k), keys_host(k), {keys_repo_id(k), REPO_ID_SIZE},
	    {keys_public(k), KEY_SIZE}, {signature, SIGNATURE_SIZE}, {copies, count}};
	enum err_code rc = path_in(r->path, "keys/recovery", path, reterr);
	for (size_t i = 0; i < count && !rc; i++) {
		struct buf wrapped = BUF_INIT;
		rc = recovery_wrap(k, &to[i], &wrapped, reterr);
		uint8_t *kept = rc ? NULL : arena_dup(arena, wrapped.data, wrapped.size);
		copies[i] = (struct copy){to[i].name, {to[i].key, KEY_SIZE}, {kept, wrapped.size}};
		if (!rc && !kept)
			rc = err_set(reterr, ERR_NOMEM, "out of memory");
		buf_done(&wrapped);
	}
	if (!rc && !signed_bytes(&f, &message))
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = keys_sign(k, sign_domain, message.data, message.size, signature, reterr);
	if (!rc)
		rc = record_to_json(&file_type, &f, RECORD_PRETTY, &text, reterr);
	if (!rc)
		rc = file_replace(path, text.data, text.size, 0644, reterr);
	buf_done(&text);
	buf_done(&message);
	return rc;
}

/* Locked, and the key file as it is now: another process may have turned it. */
static enum err_code lock_keys(const struct repo *r, int *ret_lock, struct keys **ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	CLEANUP(cleanup_fd) int fd = -1;
	enum err_code rc = path_in(r->path, "keys", path, reterr);
	if (rc)
		return rc;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s", path);
	rc = repo_lock_folder(fd, LOCK_EX, ret_lock, reterr);
	if (!rc)
		rc = path_in(r->path, "keys/repository", path, reterr);
	return rc ? rc : keys_load(path, ret, reterr);
}

static bool is_as_wanted(
    const struct recovery_file *f, const struct keys *k, const struct recovery_key *to, size_t count)
{
	bool same = f->copies.count == count && f->newest == keys_newest(k) &&
		    !memcmp(f->signer.data, keys_public(k), KEY_SIZE);
	for (size_t i = 0; same && i < count; i++) {
		const struct copy *c = &LIST_AT(f->copies, struct copy, i);
		same = !memcmp(c->key.data, to[i].key, KEY_SIZE) && text_equal(c->recipient, to[i].name);
	}
	return same;
}

enum err_code repo_set_recovery(struct repo *r, const struct list *lines, bool *ret_changed, struct err *reterr)
{
	struct recovery_key to[RECOVERY_KEYS_MAX];
	struct recovery_file f;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(RECOVERY_FILE_MAX * 2);
	CLEANUP(keys_cleanup) struct keys *keys = NULL;
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = ERR_OK;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (lines->count > RECOVERY_KEYS_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d recovery keys", RECOVERY_KEYS_MAX);
	for (size_t i = 0; i < lines->count && !rc; i++)
		rc = recovery_parse(LIST_AT(*lines, const char *, i), &to[i], reterr);
	*ret_changed = false;
	if (!rc && load_file(r->path, arena, &f, NULL) == ERR_OK && is_as_wanted(&f, r->keys, to, lines->count))
		return ERR_OK;
	if (!rc)
		rc = lock_keys(r, &lock, &keys, reterr);
	if (!rc)
		rc = write_file(r, keys, to, lines->count, arena, reterr);
	*ret_changed = !rc;
	return rc;
}

static size_t recipients_of(const struct recovery_file *f, struct recovery_key *out)
{
	for (size_t i = 0; i < f->copies.count; i++) {
		const struct copy *c = &LIST_AT(f->copies, struct copy, i);
		text_copy(out[i].name, sizeof out[i].name, c->recipient);
		memcpy(out[i].key, c->key.data, KEY_SIZE);
	}
	return f->copies.count;
}

enum err_code repo_rotate(struct repo *r, uint32_t *ret_number, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct recovery_key to[RECOVERY_KEYS_MAX];
	struct recovery_file f;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(RECOVERY_FILE_MAX * 2);
	CLEANUP(keys_cleanup) struct keys *keys = NULL;
	CLEANUP(cleanup_fd) int lock = -1;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = lock_keys(r, &lock, &keys, reterr);
	if (!rc)
		rc = path_in(r->path, "keys/repository", path, reterr);
	if (!rc)
		rc = keys_rotate(keys, reterr);
	if (rc)
		return rc;
	rc = load_file(r->path, arena, &f, reterr);
	if (!rc)
		rc = write_file(r, keys, to, recipients_of(&f, to), arena, reterr);
	if (rc && rc != ERR_NOT_FOUND) /* a recovery file that cannot be carried on must not fall behind unseen */
		return rc;
	rc = keys_store(keys, path, reterr);
	if (!rc)
		*ret_number = keys_newest(keys);
	return rc;
}

/* ---- a lost host's repository ---- */

static enum err_code find_copy(const struct recovery_file *f, const struct recovery_key *secret, const char *path,
    struct keys **ret, struct err *reterr)
{
	uint8_t public_key[KEY_SIZE];
	enum err_code rc = seal_exchange_public(secret->key, public_key, reterr);
	for (size_t i = 0; i < f->copies.count && !rc; i++) {
		const struct copy *c = &LIST_AT(f->copies, struct copy, i);
		if (!memcmp(c->key.data, public_key, KEY_SIZE))
			return recovery_unwrap(
			    secret->key, f->repository.data, c->wrapped.data, c->wrapped.size, ret, reterr);
	}
	return rc ? rc
		  : err_set(reterr, ERR_NOT_FOUND, "%s/keys/recovery has no copy for this recovery key (%s)", path,
			secret->name);
}

/* What was inside must be the keys of the repository that the outside speaks of. */
static enum err_code check_inside(const struct recovery_file *f, const struct keys *k, struct err *reterr)
{
	if (memcmp(f->repository.data, keys_repo_id(k), REPO_ID_SIZE) ||
	    memcmp(f->signer.data, keys_public(k), KEY_SIZE) || !text_equal(f->host, keys_host(k)))
		return err_set(reterr, ERR_CORRUPT, "keys/recovery holds the keys of another repository than it says");
	return ERR_OK;
}

enum err_code repo_unlock(const char *path, const char *secret_path, struct repo_unlocked *ret, struct err *reterr)
{
	char name[PATH_LIMIT];
	struct recovery_key secret = {0};
	struct recovery_file f;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(RECOVERY_FILE_MAX * 2);
	CLEANUP(keys_cleanup) struct keys *keys = NULL;
	CLEANUP(sha256_cleanup) struct sha256 *sha = sha256_new();
	if (!arena || !sha)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = path_in(path, "keys/repository", name, reterr);
	if (!rc && file_exists(name))
		rc = err_set(reterr, ERR_EXISTS, "%s has its key already", path);
	if (!rc)
		rc = load_file(path, arena, &f, reterr);
	if (!rc)
		rc = read_secret(secret_path, &secret, reterr);
	if (!rc)
		rc = find_copy(&f, &secret, path, &keys, reterr);
	if (!rc)
		rc = check_inside(&f, keys, reterr);
	if (!rc)
		rc = keys_store(keys, name, reterr);
	if (!rc) {
		text_copy(ret->host, sizeof ret->host, keys_host(keys));
		text_copy(ret->recipient, sizeof ret->recipient, secret.name);
		sha256_add(sha, keys_public(keys), KEY_SIZE);
		sha256_end(sha, ret->fingerprint);
	}
	secret_wipe(&secret, sizeof secret);
	return rc;
}
