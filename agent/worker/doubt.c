/* agent/worker/doubt.c: a restore point that was taken between a bad change and the first probe that saw it. */
#include <string.h>

#include "agent/worker/internal.h"
#include "shared/base/log.h"

enum {
	DOUBT_MS = 60 * 1000
}; /* a fault shows within this (two probes of the shallow tier), as the controller has it */

static bool same_make(const struct snapshot_summary *a, const struct snapshot_summary *b)
{
	static const enum component make[] = {COMPONENT_CONFIG, COMPONENT_CODE};
	for (size_t i = 0; i < sizeof make / sizeof *make; i++) {
		const struct snapshot_component *x = snapshot_summary_component(a, make[i]);
		const struct snapshot_component *y = snapshot_summary_component(b, make[i]);
		if (x && y && memcmp(&x->digest, &y->digest, sizeof x->digest) != 0)
			return false;
	}
	return true;
}

static void set_suspect(void *ctx, struct snapshot_marks *marks)
{
	(void)ctx;
	marks->suspect = true;
}

static void doubt(struct work *w, struct snapshot_summary *s)
{
	struct err err = ERR_INIT;
	s->marks.suspect = true;
	if (snapshot_mark(w->repo, s->snapshot, set_suspect, NULL, &err) != ERR_OK) {
		log_warn("snapshot", "service=%s %s cannot be marked: %s", s->service,
		    id_text(ID_SNAPSHOT, s->snapshot), err.msg);
		return;
	}
	log_info("snapshot", "service=%s %s is suspect: it was taken of a new make that turned out not to be well",
	    s->service, id_text(ID_SNAPSHOT, s->snapshot));
	work_tell_snapshot(w, s, false);
}

bool work_doubt(struct work *w, struct list *newest_first)
{
	const struct snapshot_summary *newest = NULL, *first = NULL;
	size_t end = 0;
	for (; end < newest_first->count; end++) {
		const struct snapshot_summary *s = &LIST_AT(*newest_first, struct snapshot_summary, end);
		if (!work_is_reference(s))
			continue;
		newest = newest ? newest : s;
		if (!same_make(newest, s))
			break;
		first = s;
	}
	bool lone = !first || end == newest_first->count;
	if (lone || first->taken_ms + DOUBT_MS <= w->spec->passed_ms || first->taken_ms > w->spec->failed_ms)
		return false;
	for (size_t i = 0; i < end; i++)
		if (work_is_reference(&LIST_AT(*newest_first, struct snapshot_summary, i)))
			doubt(w, &LIST_AT(*newest_first, struct snapshot_summary, i));
	return true;
}
