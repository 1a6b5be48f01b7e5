/* controller/outbox/outbox.c: one delivery after the other. */
#include "controller/outbox/outbox.h"

#include "shared/base/openssl.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/queue.h"
#include "shared/base/text.h"
#include "shared/http/http.h"

struct outbox_sender {
	struct outbox_config c;
	struct queue *queue; /* struct id *, one allocation each */
	pthread_t thread;
};

static const struct notify_channel *channel_of(const struct notify_config *c, const char *name)
{
	for (size_t i = 0; i < c->channels.count; i++)
		if (text_equal(LIST_AT(c->channels, struct notify_channel, i).name, name))
			return &LIST_AT(c->channels, struct notify_channel, i);
	return NULL;
}

/* ---- mail ---- */

/* A header value stays one line, whatever is in it. */
static void header(struct buf *m, const char *name, const char *value)
{
	buf_printf(m, "%s: ", name);
	for (const char *p = value; *p; p++)
		buf_byte(m, *p == '\r' || *p == '\n' ? ' ' : (uint8_t)*p);
	buf_text(m, "\r\n");
}

static void body_lines(struct buf *m, const char *text)
{
	buf_text(m, "\r\n");
	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			buf_text(m, "\r\n");
		else if (*p != '\r')
			buf_byte(m, (uint8_t)*p);
	}
	buf_text(m, "\r\n");
}

static enum err_code secret_line(const char *path, struct buf *out, struct err *reterr)
{
	enum err_code rc = file_read(path, 4096, out, reterr);
	while (rc == ERR_OK && out->size && (out->data[out->size - 1] == '\n' || out->data[out->size - 1] == '\r'))
		out->data[--out->size] = '\0';
	return rc;
}

static enum err_code by_mail(const struct notify_channel *ch, const struct outbox *o, struct err *reterr)
{
	struct http_options options = {.authority = ch->authority, .timeout_ms = OUTBOX_TIMEOUT_MS};
	struct http_client *client = NULL;
	struct buf message = BUF_INIT, password = BUF_INIT;
	char id[ID_TEXT_MAX], subject[NOTIFY_SUBJECT_MAX + 1];
	text_copy(subject, sizeof subject, o->subject ? o->subject : "");
	header(&message, "From", ch->from);
	header(&message, "To", o->recipient);
	header(&message, "Subject", subject);
	buf_printf(&message,
	    "Message-ID: <%s@kedge>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n",
	    id_format(ID_NOTIFICATION, o->notification, id));
	body_lines(&message, o->body ? o->body : "");
	enum err_code rc = message.failed ? err_set(reterr, ERR_NOMEM, "out of memory for a mail")
					  : http_client_new(&options, &client, reterr);
	if (rc == ERR_OK && ch->password_file)
		rc = secret_line(ch->password_file, &password, reterr);
	struct mail mail = {.url = ch->url,
	    .user = ch->user,
	    .password = ch->password_file ? buf_str(&password) : NULL,
	    .from = ch->from,
	    .to = o->recipient,
	    .message = &message};
	if (rc == ERR_OK)
		rc = http_mail(client, &mail, reterr);
	http_client_free(client);
	explicit_bzero(password.data, password.size);
	buf_done(&password);
	buf_done(&message);
	return rc;
}

/* ---- webhook: JSON, signed with HMAC-SHA-256 over the body ---- */

static enum err_code sign(const char *key_file, const char *body, char out[2 * 32 + 1], struct err *reterr)
{
	struct buf key = BUF_INIT;
	unsigned char mac[32];
	unsigned int size = 0;
	enum err_code rc = secret_line(key_file, &key, reterr);
	if (rc == ERR_OK &&
	    !HMAC(EVP_sha256(), key.data, (int)key.size, (const unsigned char *)body, strlen(body), mac, &size))
		rc = err_set(reterr, ERR_INTERNAL, "HMAC failed");
	if (rc == ERR_OK)
		text_hex(mac, sizeof mac, out);
	explicit_bzero(key.data, key.size);
	buf_done(&key);
	return rc;
}

static enum err_code by_webhook(const struct notify_channel *ch, const struct outbox *o, struct err *reterr)
{
	struct http_options options = {.authority = ch->authority, .timeout_ms = OUTBOX_TIMEOUT_MS};
	struct http_client *client = NULL;
	struct http_answer answer = {0};
	char key[ID_TEXT_MAX + 32], signature[100] = "X-Kedge-Signature: none", hex[65], id[ID_TEXT_MAX];
	const char *headers[] = {"Content-Type: application/json", key, signature, NULL};
	text_format(key, sizeof key, "Idempotency-Key: %s", id_format(ID_NOTIFICATION, o->notification, id));
	enum err_code rc = ch->key_file ? sign(ch->key_file, o->payload, hex, reterr) : ERR_OK;
	if (rc == ERR_OK && ch->key_file)
		text_format(signature, sizeof signature, "X-Kedge-Signature: sha256=%s", hex);
	if (rc == ERR_OK)
		rc = http_client_new(&options, &client, reterr);
	struct http_request r = {.method = "POST",
	    .url = ch->url,
	    .headers = headers,
	    .body = o->payload,
	    .body_size = o->payload ? strlen(o->payload) : 0};
	if (rc == ERR_OK)
		rc = http_ask(client, &r, &answer, reterr);
	if (rc == ERR_OK && (answer.status < 200 || answer.status > 299))
		rc = err_set(reterr, ERR_UNREACHABLE, "channel %s answered with status %ld", ch->name, answer.status);
	buf_done(&answer.body);
	http_client_free(client);
	return rc;
}

/* ---- file: one JSON line, appended and synced ---- */

static enum err_code by_file(const struct notify_channel *ch, const struct outbox *o, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(ch->url, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_sys(reterr, errno, "channel %s: %s cannot be opened", ch->name, ch->url);
	struct buf line = BUF_INIT;
	buf_printf(&line, "%s\n", o->payload ? o->payload : "{}");
	enum err_code rc = line.failed ? err_set(reterr, ERR_NOMEM, "out of memory")
				       : file_write_all(fd, line.data, line.size, reterr);
	buf_done(&line);
	if (rc == ERR_OK && fsync(fd) != 0)
		rc = err_sys(reterr, errno, "channel %s: %s", ch->name, ch->url);
	return rc;
}

static enum err_code send_one(const struct outbox_sender *s, const struct outbox *o, struct err *reterr)
{
	const struct notify_channel *ch = channel_of(s->c.notify, o->channel);
	if (!ch)
		return err_set(reterr, ERR_NOT_FOUND, "channel %s is no longer configured", o->channel);
	switch (ch->kind) {
	case NOTIFY_SMTP:
		return by_mail(ch, o, reterr);
	case NOTIFY_WEBHOOK:
		return by_webhook(ch, o, reterr);
	case NOTIFY_FILE:
		return by_file(ch, o, reterr);
	default:
		return err_set(reterr, ERR_UNSUPPORTED, "channel %s is of an unknown kind", ch->name);
	}
}

/* ---- the thread ---- */

static enum err_code fetch(
    struct outbox_sender *s, struct id id, struct arena *arena, struct outbox *ret, bool *ret_found, struct err *reterr)
{
	struct store_view *view = NULL;
	struct turn *read = NULL;
	struct outbox key = {.notification = id};
	enum err_code rc = store_view_open(s->c.store, "outbox", &view, reterr);
	if (rc == ERR_OK)
		rc = turn_open_read(store_view_turn(view), clock_wall_ms(), arena, &read, reterr);
	if (rc == ERR_OK)
		rc = turn_get(read, &outbox_table, &key, ret, ret_found, reterr);
	turn_close_read(read);
	store_view_close(view);
	return rc;
}

static void deliver(struct outbox_sender *s, struct id id)
{
	struct input *in = input_new(INPUT_DELIVERED, 1 << 20);
	struct outbox o;
	struct err err = ERR_INIT;
	bool found = false, congested;
	if (!in)
		return;
	enum err_code rc = fetch(s, id, in->arena, &o, &found, &err);
	if (rc == ERR_OK && found)
		rc = send_one(s, &o, &err);
	if (rc != ERR_OK)
		log_warn("outbox", "notification=%s not delivered: %s", id_text(ID_NOTIFICATION, id), err.msg);
	in->id = id;
	in->code = rc;
	in->text = rc == ERR_OK ? NULL : arena_strdup(in->arena, err.msg);
	in->weight_bytes = 512;
	if ((rc == ERR_OK && !found) || s->c.submit(s->c.ctx, in, &congested, &err) != ERR_OK)
		input_free(in); /* its retry timer asks again */
}

static void *thread_main(void *arg)
{
	struct outbox_sender *s = arg;
	void *item;
	while (queue_pop(s->queue, &item, 1, -1) == 1) {
		struct id id = *(struct id *)item;
		free(item);
		if (!queue_closed(s->queue))
			deliver(s, id);
	}
	return NULL;
}

enum err_code outbox_start(const struct outbox_config *c, struct outbox_sender **ret, struct err *reterr)
{
	struct outbox_sender *s = calloc(1, sizeof *s);
	if (!s || !(s->queue = queue_new(OUTBOX_WAITING_MAX, OUTBOX_WAITING_MAX * sizeof(struct id)))) {
		free(s);
		return err_set(reterr, ERR_NOMEM, "out of memory for the outbox");
	}
	s->c = *c;
	if (pthread_create(&s->thread, NULL, thread_main, s) != 0) {
		queue_free(s->queue);
		free(s);
		return err_set(reterr, ERR_NOMEM, "no thread for the outbox");
	}
	*ret = s;
	return ERR_OK;
}

void outbox_stop(struct outbox_sender *s)
{
	if (!s)
		return;
	queue_close(s->queue);
	pthread_join(s->thread, NULL);
	queue_free(s->queue);
	free(s);
}

void outbox_deliver(struct outbox_sender *s, struct id notification)
{
	struct id *copy = malloc(sizeof *copy);
	if (!copy)
		return;
	*copy = notification;
	if (queue_push(s->queue, copy, sizeof *copy, NULL) != ERR_OK)
		free(copy);
}
