/* controller/cli/runbook.c: `kedge runbook`: the pages that tell the whole way, out of the program itself.
 *
 * They are needed when nothing else is there, so they are part of `kedge`, not files beside it; a site's own pages are
 * its own. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

#define PAGE(symbol, file)                                                                                             \
	__asm__(".section .rodata\n"                                                                                   \
		".global kedge_runbook_" symbol "\n"                                                                   \
		"kedge_runbook_" symbol ":\n"                                                                          \
		".incbin \"" KEDGE_RUNBOOKS "/" file ".md\"\n"                                                         \
		".byte 0\n"                                                                                            \
		".previous\n")
PAGE("bad_change", "bad-change");
PAGE("certificate", "certificate");
PAGE("controller", "controller");
PAGE("database", "database");
PAGE("dependency", "dependency");
PAGE("disk_full", "disk-full");
PAGE("host_silent", "host-silent");
PAGE("overload", "overload");
extern const char kedge_runbook_bad_change[], kedge_runbook_certificate[], kedge_runbook_controller[],
    kedge_runbook_database[], kedge_runbook_dependency[], kedge_runbook_disk_full[], kedge_runbook_host_silent[],
    kedge_runbook_overload[];

struct runbook {
	const char *name, *title, *text;
};
static const struct field runbook_fields[] = {
    F_STRING(struct runbook, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "its name"),
    F_STRING(struct runbook, title, TEXT_LINE_MAX, FIELD_COLUMN, "what it is about"),
    F_STRING(struct runbook, text, RUNBOOK_TEXT_MAX, 0, "the page, in Markdown; not in a list"),
};
const struct record_type runbook_type =
    RECORD_TYPE("runbook", struct runbook, runbook_fields, "a page that tells the whole way");

static const struct {
	const char *name, *text;
} pages[] = {
    {"bad-change", kedge_runbook_bad_change},
    {"certificate", kedge_runbook_certificate},
    {"controller", kedge_runbook_controller},
    {"database", kedge_runbook_database},
    {"dependency", kedge_runbook_dependency},
    {"disk-full", kedge_runbook_disk_full},
    {"host-silent", kedge_runbook_host_silent},
    {"overload", kedge_runbook_overload},
};
enum { PAGES = sizeof pages / sizeof pages[0] };

/* "# A change broke a service" */
static const char *title_of(struct cli *c, const char *text)
{
	text += strspn(text, "# ");
	return arena_strndup(c->arena, text, strcspn(text, "\n"));
}

int run_runbook_list(struct cli *c)
{
	struct runbook *all = arena_array(c->arena, PAGES, sizeof *all);
	const void **rows = arena_array(c->arena, PAGES, sizeof *rows);
	if (!all || !rows)
		return cli_fail(c, err_set(&c->err, ERR_NOMEM, "out of memory"));
	for (size_t i = 0; i < PAGES; i++) {
		all[i] = (struct runbook){.name = pages[i].name, .title = title_of(c, pages[i].text)};
		rows[i] = &all[i];
	}
	return out_rows(c, &(struct rows){&runbook_type, rows, PAGES, false});
}

int run_runbook_show(struct cli *c)
{
	const char *name = cli_word(c, "name");
	CLEANUP(buf_done) struct buf names = BUF_INIT;
	for (size_t i = 0; i < PAGES; i++) {
		if (!text_equal(pages[i].name, name)) {
			buf_printf(&names, "%s%s", i ? ", " : "", pages[i].name);
			continue;
		}
		struct runbook r = {pages[i].name, title_of(c, pages[i].text), pages[i].text};
		if (!cli_for_people(c))
			return out_record(c, &runbook_type, &r);
		cli_print(c, "%s", r.text);
		return CLI_DONE;
	}
	return cli_fail(
	    c, err_set(&c->err, ERR_NOT_FOUND, "there is no runbook \"%.40s\"; there are: %s", name, buf_str(&names)));
}
