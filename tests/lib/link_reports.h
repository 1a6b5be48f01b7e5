/* tests/lib/link_reports.h: reports for tests of the link: a notice whose text says which one it is. */
#ifndef KEDGE_TESTS_LIB_LINK_REPORTS_H
#define KEDGE_TESTS_LIB_LINK_REPORTS_H

#include <stdio.h>
#include <string.h>

#include "shared/message/message.h"

enum { LINK_REPORT_TEXT = 2000 };

struct link_report {
	struct report report;
	struct notice_report notice;
	char text[LINK_REPORT_TEXT + 1];
};

/* number is what comes back from link_report_number(); the text is padded to size bytes. */
static inline const struct report *link_report_make(
    struct link_report *r, uint64_t number, enum importance importance, size_t size)
{
	memset(r->text, '.', sizeof(r->text));
	int n = snprintf(r->text, sizeof(r->text), "%llu ", (unsigned long long)number);
	r->text[n] = '.';
	r->text[size > (size_t)n ? size : (size_t)n] = '\0';
	r->notice = (struct notice_report){.what = "test", .text = r->text};
	r->report =
	    (struct report){.sequence = 1, .at_ms = 1000 + number, .importance = importance, .notice = &r->notice};
	return &r->report;
}

static inline uint64_t link_report_number(const struct report *r)
{
	unsigned long long number = 0;
	if (r->notice)
		(void)!sscanf(r->notice->text, "%llu", &number);
	return number;
}

#endif
