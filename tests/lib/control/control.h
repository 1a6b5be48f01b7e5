/* tests/lib/control/control.h: a whole controller core without its edges: the real center and workflow over a store in
 * memory, on virtual time.  What it would send, diagnose and deliver is queued; a test drains the queues at once
 * (control_settle), the simulator when it likes.  Everything follows from the seed.  One thread.  A broken promise of
 * the rig itself aborts. */
#ifndef KEDGE_TESTS_LIB_CONTROL_H
#define KEDGE_TESTS_LIB_CONTROL_H

#include "controller/center/center.h"
#include "controller/center/requests.h"
#include "controller/center/workflow.h"
#include "shared/base/buf.h"

struct control_letter { /* a frame for a host, or the end of its connection */
	bool close;
	char host[NAME_MAX_BYTES + 1];
	struct id boot;
	enum frame_type type;
	uint8_t *bytes; /* the encoded frame */
	size_t size;
	enum bye_reason reason;
	char text[200];
};
struct control_ids {
	struct id *items;
	size_t count, capacity;
};

struct control {
	struct store *store;
	struct random random;
	struct arena *arena; /* of the configuration */
	struct workflow_config config;
	struct center *center;
	uint64_t now_ms, next_due_ms;
	size_t refused, accepted, steps, commits;
	/* queues */
	struct control_letter *letters;
	size_t letter_count, letter_capacity;
	struct control_ids analyse, notify, summarise;
	/* the last answer */
	bool replied;
	enum err_code reply_code;
	struct buf reply, reply_text;
	struct buf events; /* lines, for tests to look through; the simulator clears it */
	struct buf last_refusal;
	uint64_t tokens;
	/* What a test's hosts have said so far (control_report). */
	struct {
		const char *host;
		uint64_t sequence;
		struct id boot;
	} hosts[64];
	size_t host_count;
};

/* operators: struct operator, seeded at the first start. */
void control_open(struct control *c, uint64_t seed, uint64_t now_ms, const struct list *operators);
void control_close(struct control *c);
/* Starts: INPUT_BOOT.  After control_open, and after control_crash. */
void control_boot(struct control *c);
/* The process is gone: queues are forgotten, the store stays as committed. */
void control_crash(struct control *c);

/* Inputs, each taken in a step of its own at c->now_ms.  False: it was refused (c->last_refusal says why). */
bool control_give(struct control *c, struct input *in);
/* Several in one commit; *ret_error tells that the store failed (the process must end). */
void control_step(struct control *c, struct input **inputs, size_t count, bool *ret_error);
struct input *control_frame(enum input_kind kind, const char *host, struct id boot, const void *bytes, size_t size);
struct input *control_input(enum input_kind kind, const char *host, struct id boot);
struct input *control_delivered(struct id notification, enum err_code code, const char *text);
/* Diagnoses on what is committed now; NULL when it cannot. */
struct input *control_diagnose(struct control *c, struct id incident);
struct input *control_ask(
    struct control *c, const char *operator_name, const char *noun, const char *verb, const char *body);

/* ---- for tests ---- */
/* Timers until then, the analyst and the outbox answering at once. */
void control_until(struct control *c, uint64_t until_ms);
void control_settle(struct control *c);
void control_forget_letters(struct control *c);
size_t control_letters_to(const struct control *c, const char *host, enum frame_type type);
/* The newest such frame, decoded into arena; false: none. */
bool control_last(
    const struct control *c, const char *host, enum frame_type type, struct arena *arena, struct frame *ret);
const struct control_letter *control_last_close(const struct control *c, const char *host);
bool control_hello(struct control *c, const char *host, uint8_t boot, struct declared_service *services, size_t count);
/* The same of an agent that can do more; capabilities: strings. */
bool control_hello_with(struct control *c, const char *host, uint8_t boot, struct declared_service *services,
    size_t count, const struct list *capabilities);
/* The next report of the host (its sequence, time and importance are set here). */
bool control_report(struct control *c, const char *host, struct report body);
/* The answer's code; its JSON in c->reply. */
enum err_code control_request(
    struct control *c, const char *operator_name, const char *noun, const char *verb, const char *body);

/* A look at what is committed. */
struct control_look {
	struct store_view *view;
	struct arena *arena;
	struct turn *turn;
};
struct turn *control_look(struct control *c, struct control_look *ret);
void control_look_end(struct control_look *l);

#endif
