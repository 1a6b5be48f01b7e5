/* OpenSSH's keys and signatures: real ones, mutilated ones, and foreign ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/signer/signer.h"
#include "tests/lib/unit.h"

/* Files in tests/data/approval were made once with ssh-keygen of OpenSSH 9.2. */
static struct buf text, message;

static void load(const char *name, struct buf *out)
{
	char path[512];
	struct err err = ERR_INIT;

	buf_clear(out);
	snprintf(path, sizeof path, "%s/tests/data/approval/%s", getenv("KEDGE_SOURCE_DIR"), name);
	if (file_read(path, 1 << 16, out, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	(void)state;
	text = message = BUF_INIT;
	load("digest.txt", &message);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&text);
	buf_done(&message);
	return 0;
}

static struct ssh_key load_key(const char *name)
{
	struct ssh_key key;
	struct err err = ERR_INIT;

	load(name, &text);
	if (ssh_key_parse(buf_str(&text), &key, &err) != ERR_OK)
		fail_msg("%s: %s", name, err.msg);
	return key;
}

static void golden(void **state)
{
	static const struct {
		const char *key, *sig, *owner;
		bool sha512;
	} all[] = {
	    {"alice.pub", "alice.sha256.sig", "alice", false},
	    {"alice.pub", "alice.sha512.sig", "alice", true},
	    {"bob.pub", "bob.sha256.sig", "bob", false},
	    {"bob.pub", "bob.sha512.sig", "bob", true},
	};
	(void)state;

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct ssh_key key = load_key(all[i].key);
		struct sshsig sig;
		struct err err = ERR_INIT;

		assert_string_equal(key.owner, all[i].owner);
		load(all[i].sig, &text);
		if (sshsig_parse(buf_str(&text), text.size, &sig, &err) != ERR_OK)
			fail_msg("%s: %s", all[i].sig, err.msg);
		assert_true(ssh_key_equal(&sig.key, &key));
		assert_string_equal(sig.name_space, "kedge-plan");
		assert_int_equal(sig.sha512, all[i].sha512);
		assert_true(sshsig_verifies(&sig, "kedge-plan", message.data, message.size));
		assert_false(sshsig_verifies(&sig, "kedge-policy", message.data, message.size));
		assert_false(sshsig_verifies(&sig, "kedge-pla", message.data, message.size));
		assert_false(sshsig_verifies(&sig, "kedge-plan", message.data, message.size - 1));
		assert_false(sshsig_verifies(&sig, "kedge-plan", "", 0));
		/* The other hash was not what was signed. */
		sig.sha512 = !sig.sha512;
		assert_false(sshsig_verifies(&sig, "kedge-plan", message.data, message.size));
	}
	struct ssh_key alice = load_key("alice.pub"), bob = load_key("bob.pub");
	assert_false(ssh_key_equal(&alice, &bob));
}

static void fingerprint(void **state)
{
	struct ssh_key alice = load_key("alice.pub"), bob = load_key("bob.pub");
	char out[SSH_FINGERPRINT_MAX];
	(void)state;

	assert_string_equal(ssh_key_fingerprint(&alice, out), "SHA256:5Z24DmGdJBqKm10iRM/G6AlAg2mLytbfx8nKaQnv4Sc");
	assert_string_equal(ssh_key_fingerprint(&bob, out), "SHA256:HppEMYCpEZ6pd7QyXFuxe0ORO9qQoJoUI7C4X/iRLFQ");
}

static void other_kinds_are_unsupported(void **state)
{
	static const char *const sigs[] = {"rsa.sha256.sig", "rsa.sha512.sig", "p384.sha256.sig", "p384.sha512.sig"};
	static const char *const keys[] = {"rsa.pub", "p384.pub"};
	(void)state;

	for (unsigned i = 0; i < 4; i++) {
		struct sshsig sig;
		struct err err = ERR_INIT;
		load(sigs[i], &text);
		assert_int_equal(sshsig_parse(buf_str(&text), text.size, &sig, &err), ERR_UNSUPPORTED);
		assert_non_null(strstr(err.msg, "ssh-ed25519 or ecdsa-sha2-nistp256"));
	}
	for (unsigned i = 0; i < 2; i++) {
		struct ssh_key key;
		struct err err = ERR_INIT;
		load(keys[i], &text);
		assert_int_equal(ssh_key_parse(buf_str(&text), &key, &err), ERR_UNSUPPORTED);
		assert_non_null(strstr(err.msg, "ssh-ed25519 or ecdsa-sha2-nistp256"));
	}
}

/* Every byte of the armored text, in eight ways: never a signature that verifies. */
static void mutated_text(void **state)
{
	static const char *const sigs[] = {"alice.sha512.sig", "bob.sha256.sig"};
	(void)state;

	for (unsigned i = 0; i < 2; i++) {
		struct ssh_key key = load_key(i ? "bob.pub" : "alice.pub");
		load(sigs[i], &text);
		for (size_t at = 0; at < text.size; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				struct sshsig sig;
				text.data[at] ^= (uint8_t)(1u << bit);
				if (sshsig_parse((const char *)text.data, text.size, &sig, NULL) == ERR_OK &&
				    ssh_key_equal(&sig.key, &key))
					assert_false(sshsig_verifies(&sig, "kedge-plan", message.data, message.size));
				text.data[at] ^= (uint8_t)(1u << bit);
			}
	}
}

/* Every byte of the message and of what was parsed. */
static void mutated_message(void **state)
{
	struct sshsig sig;
	(void)state;

	load("bob.sha512.sig", &text);
	assert_int_equal(sshsig_parse(buf_str(&text), text.size, &sig, NULL), ERR_OK);
	for (size_t at = 0; at < message.size; at++) {
		message.data[at] ^= 1;
		assert_false(sshsig_verifies(&sig, "kedge-plan", message.data, message.size));
		message.data[at] ^= 1;
	}
	for (size_t at = 0; at < sig.signature_size; at++) {
		sig.signature[at] ^= 1;
		assert_false(sshsig_verifies(&sig, "kedge-plan", message.data, message.size));
		sig.signature[at] ^= 1;
	}
	for (size_t at = 0; at < sig.key.blob_size; at++) {
		sig.key.blob[at] ^= 1;
		assert_false(sshsig_verifies(&sig, "kedge-plan", message.data, message.size));
		sig.key.blob[at] ^= 1;
	}
	assert_true(sshsig_verifies(&sig, "kedge-plan", message.data, message.size));
}

static void cut_text(void **state)
{
	(void)state;
	load("alice.sha512.sig", &text);
	/* Without its last newline it is whole. */
	for (size_t size = 0; size < text.size; size++) {
		struct sshsig sig;
		char *copy = malloc(size ? size : 1); /* of exactly that size, so that reading on is seen */
		memcpy(copy, text.data, size);
		assert_int_equal(sshsig_parse(copy, size, &sig, NULL), size == text.size - 1 ? ERR_OK : ERR_INVALID);
		free(copy);
	}
}

static void odd_armor(void **state)
{
	struct sshsig sig;
	struct err err = ERR_INIT;
	(void)state;

	load("alice.sha512.sig", &text);
	buf_text(&text, "x");
	assert_int_equal(sshsig_parse(buf_str(&text), text.size, &sig, &err), ERR_INVALID);
	assert_non_null(strstr(err.msg, "something follows"));
	assert_int_equal(sshsig_parse("hello", 5, &sig, &err), ERR_INVALID);
	assert_non_null(strstr(err.msg, "BEGIN SSH SIGNATURE"));
	load("alice.sha512.sig", &text);
	assert_non_null(buf_reserve(&text, SSH_ARMOR_MAX));
	memset(text.data + text.size, '\n', SSH_ARMOR_MAX);
	assert_int_equal(sshsig_parse((const char *)text.data, SSH_ARMOR_MAX + 1, &sig, &err), ERR_LIMIT);
	/* A whole armor of nothing. */
	static const char empty[] = "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n";
	assert_int_equal(sshsig_parse(empty, strlen(empty), &sig, &err), ERR_INVALID);
}

static void key_lines(void **state)
{
	static const char body[] = "AAAAC3NzaC1lZDI1NTE5AAAAIFgIoSgiDmHyZdu9As6NrLgWS9xy/V+nFENnVwwM1LCH";
	static const struct {
		const char *format, *owner; /* owner NULL: refused, with words */
		const char *words;
	} all[] = {
	    {"ssh-ed25519 %s alice", "alice", NULL},
	    {"ssh-ed25519 %s", "", NULL},
	    {"ssh-ed25519 %s\n", "", NULL},
	    {"ssh-ed25519 \t%s  alice@desk.example  since 2024\r\n", "alice", NULL},
	    {"ssh-ed25519 %s @desk", "", NULL},
	    {"", NULL, "expected a public key as in"},
	    {"ssh-ed25519", NULL, "expected a public key as in"},
	    {" ssh-ed25519 %s alice", NULL, "expected a public key as in"},
	    {"ecdsa-sha2-nistp256 %s alice", NULL, "the line says ecdsa-sha2-nistp256"},
	    {"restrict ssh-ed25519 %s alice", NULL, "expected a key of kind"},
	    {"sk-ssh-ed25519@openssh.com %s alice", NULL, "expected a key of kind"},
	    {"ssh-ed25519 %s= alice", NULL, "base64"},
	    {"ssh-ed25519 x%s alice", NULL, "base64"},
	    {"ssh-ed25519 %sAAAA alice", NULL, "malformed"},
	    {"ssh-ed25519 AAAA%s alice", NULL, "expected a key of kind"},
	    {"ssh-ed25519 %s alice\nssh-ed25519 AAAA bob", NULL, "one public key on one line"},
	    {"ssh-ed25519 %s \xff", NULL, "not UTF-8"},
	    {"ssh-ed25519 %s a-name-of-far-more-than-sixty-four-bytes-is-not-a-name-that-anybody-has", NULL,
		"more than 64 bytes"},
	};
	(void)state;

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct ssh_key key, untouched;
		struct err err = ERR_INIT;
		char line[512];

		memset(&untouched, 0x5a, sizeof untouched);
		key = untouched;
		const char *at = strstr(all[i].format, "%s");
		if (at)
			snprintf(line, sizeof line, "%.*s%s%s", (int)(at - all[i].format), all[i].format, body, at + 2);
		else
			snprintf(line, sizeof line, "%s", all[i].format);
		enum err_code rc = ssh_key_parse(line, &key, &err);
		if (all[i].owner) {
			if (rc != ERR_OK)
				fail_msg("%u: %s", i, err.msg);
			assert_string_equal(key.owner, all[i].owner);
			continue;
		}
		if (rc == ERR_OK || !strstr(err.msg, all[i].words))
			fail_msg("%u: expected \"%s\" in \"%s\"", i, all[i].words, err.msg);
		assert_memory_equal(&key, &untouched, sizeof key);
	}
	char big[SSH_KEY_LINE_MAX + 2];
	struct ssh_key key;
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = 0;
	assert_int_equal(ssh_key_parse(big, &key, NULL), ERR_LIMIT);
}

/* Every byte of the blob: another key, or none, never the same one. */
static void mutated_key(void **state)
{
	struct ssh_key bob = load_key("bob.pub");
	(void)state;

	load("bob.pub", &text);
	for (size_t at = 0; at < text.size - strlen(" bob\n"); at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct ssh_key key;
			text.data[at] ^= (uint8_t)(1u << bit);
			if (ssh_key_parse(buf_str(&text), &key, NULL) == ERR_OK)
				assert_false(ssh_key_equal(&key, &bob));
			text.data[at] ^= (uint8_t)(1u << bit);
		}
}

/* ---- signatures that are put together by hand ---- */

static void put(struct buf *b, const void *data, size_t size)
{
	buf_be32(b, (uint32_t)size);
	buf_append(b, data, size);
}

static enum err_code parse_parts(
    const struct sshsig *from, const char *reserved, const struct buf *signature, const char *after, struct sshsig *ret)
{
	struct buf blob = BUF_INIT, base64 = BUF_INIT;
	struct err err = ERR_INIT;

	buf_text(&blob, "SSHSIG");
	buf_be32(&blob, 1);
	put(&blob, from->key.blob, from->key.blob_size);
	put(&blob, from->name_space, strlen(from->name_space));
	put(&blob, reserved, strlen(reserved));
	put(&blob, from->sha512 ? "sha512" : "sha256", 6);
	put(&blob, signature->data, signature->size);
	buf_text(&blob, after);
	text_base64(&base64, blob.data, blob.size);
	buf_clear(&text);
	buf_printf(&text, "-----BEGIN SSH SIGNATURE-----\n%s\n-----END SSH SIGNATURE-----\n", buf_str(&base64));
	enum err_code rc = sshsig_parse(buf_str(&text), text.size, ret, &err);
	buf_done(&blob);
	buf_done(&base64);
	return rc;
}

static bool parts_verify(const struct sshsig *from, const struct buf *signature)
{
	struct sshsig sig;
	return parse_parts(from, "", signature, "", &sig) == ERR_OK &&
	       sshsig_verifies(&sig, "kedge-plan", message.data, message.size);
}

/* The one spelling of a signature: nothing may be added where it would not change what is verified. */
static void one_spelling(void **state)
{
	struct sshsig sig, got;
	struct buf whole = BUF_INIT;
	(void)state;

	load("alice.sha512.sig", &text);
	assert_int_equal(sshsig_parse(buf_str(&text), text.size, &sig, NULL), ERR_OK);
	buf_append(&whole, sig.signature, sig.signature_size);
	assert_true(parts_verify(&sig, &whole));
	assert_int_equal(parse_parts(&sig, "x", &whole, "", &got), ERR_UNSUPPORTED);
	assert_int_equal(parse_parts(&sig, "", &whole, "x", &got), ERR_INVALID);
	buf_byte(&whole, 0);
	assert_false(parts_verify(&sig, &whole));
	while (whole.size <= SSH_SIGNATURE_MAX)
		buf_byte(&whole, 0);
	assert_int_equal(parse_parts(&sig, "", &whole, "", &got), ERR_LIMIT);
	buf_done(&whole);
}

/* A number of an ECDSA signature: where it begins in the raw signature, and its size. */
struct number {
	const uint8_t *data;
	size_t size;
};

static struct number take_number(const uint8_t **at)
{
	struct number n = {*at + 4, (*at)[3]};
	*at += 4 + n.size;
	return n;
}

static void put_p256(struct buf *whole, const struct buf *raw)
{
	buf_clear(whole);
	put(whole, "ecdsa-sha2-nistp256", strlen("ecdsa-sha2-nistp256"));
	put(whole, raw->data, raw->size);
}

static void one_spelling_of_numbers(void **state)
{
	struct sshsig sig;
	struct buf whole = BUF_INIT, raw = BUF_INIT, padded = BUF_INIT;
	(void)state;

	load("bob.sha256.sig", &text);
	assert_int_equal(sshsig_parse(buf_str(&text), text.size, &sig, NULL), ERR_OK);
	const uint8_t *at = sig.signature + 4 + strlen("ecdsa-sha2-nistp256") + 4;
	struct number r = take_number(&at), s = take_number(&at);
	assert_ptr_equal(at, sig.signature + sig.signature_size);

	for (unsigned i = 0; i < 6; i++) {
		buf_clear(&raw);
		buf_clear(&padded);
		buf_byte(&padded, 0);
		buf_append(&padded, i == 1 ? r.data : s.data, i == 1 ? r.size : s.size);
		if (i == 1)
			put(&raw, padded.data, padded.size); /* a zero in front */
		else
			put(&raw, r.data, r.size);
		if (i == 2)
			put(&raw, padded.data, padded.size);
		else if (i == 3)
			put(&raw, "", 0); /* no number at all */
		else if (i == 4)
			put(&raw, "\0", 1); /* zero */
		else
			put(&raw, s.data, s.size);
		if (i == 5)
			buf_byte(&raw, 0); /* something behind */
		put_p256(&whole, &raw);
		assert_int_equal(parts_verify(&sig, &whole), i == 0);
	}
	buf_done(&whole);
	buf_done(&raw);
	buf_done(&padded);
}

/* Heads of other versions and of other things. */
static void other_heads(void **state)
{
	static const char *const heads[] = {
	    "", "SSHSIG", "SSHSIG\0\0\0\2", "sshsig\0\0\0\1", "SSHSIG\0\0\0\1\xff\xff\xff\xff"};
	static const size_t sizes[] = {0, 6, 10, 10, 14};
	(void)state;

	for (unsigned i = 0; i < 5; i++) {
		struct buf base64 = BUF_INIT;
		struct sshsig sig;
		text_base64(&base64, heads[i], sizes[i]);
		buf_clear(&text);
		buf_printf(&text, "-----BEGIN SSH SIGNATURE-----\n%s\n-----END SSH SIGNATURE-----\n", buf_str(&base64));
		assert_int_equal(sshsig_parse(buf_str(&text), text.size, &sig, NULL), ERR_INVALID);
		buf_done(&base64);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(golden),
	    TEST(fingerprint),
	    TEST(other_kinds_are_unsupported),
	    TEST(mutated_text),
	    TEST(mutated_message),
	    TEST(cut_text),
	    TEST(odd_armor),
	    TEST(key_lines),
	    TEST(mutated_key),
	    TEST(one_spelling),
	    TEST(one_spelling_of_numbers),
	    TEST(other_heads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
