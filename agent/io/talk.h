/* agent/io/talk.h: a conversation with a program: lines to its standard input, lines back, each answer with a deadline.
 *
 * The program runs as process.h says (execve, its own session, a marker in its environment, killed with all its
 * descendants), and dies with this process.  Standard error is taken with standard output.  Blocking; one thread. */
#ifndef KEDGE_AGENT_IO_TALK_H
#define KEDGE_AGENT_IO_TALK_H

#include "agent/io/process.h"

enum { TALK_ANSWER_MAX = 4 << 20 }; /* bytes of one answer */

struct talk;
/* spec: its input, timeout and output_max do not count. */
ERR_CHECK enum err_code talk_start(const struct process_spec *spec, struct talk **ret, struct err *reterr);
/* Say text, then hear until a line that equals last (which is left out).  ERR_STATE: the program ended before that, and
 * the message holds the first line that it said; ERR_TIMEOUT. */
ERR_CHECK enum err_code talk_ask(
    struct talk *t, const char *text, const char *last, uint64_t timeout_ms, struct buf *answer, struct err *reterr);
/* Has it ended?  For a program that is not asked anything. */
bool talk_over(const struct talk *t);
/* Closes its input, gives it grace_ms to end by itself, then kills what is left.  NULL is a no-op. */
void talk_end(struct talk *t, uint64_t grace_ms);

#endif
