/* `kedge analyze series` and `kedge analyze sequences`: files from elsewhere, no kedge.yaml and no controller. */
#include "tests/unit/controller/cli/fake.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

static char path[64], second[64], line[512];

static void write_text(const char *where, const char *text)
{
	int fd = open(where, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text), NULL), ERR_OK);
	close(fd);
}

static int run(struct fake *f, const char *words)
{
	fake_forget(f);
	f->io.config = NULL; /* whoever asks for kedge.yaml fails */
	text_format(line, sizeof line, "%s", words);
	return fake_run(f, line);
}

static int run_series(struct fake *f, const char *behind)
{
	char words[256];
	text_format(words, sizeof words, "analyze series %s%s", path, behind);
	return run(f, words);
}

/* Rows of the answer, and how many are alarms. */
static size_t count_rows(const char *out, size_t *ret_alarms)
{
	size_t rows = 0;
	*ret_alarms = 0;
	for (const char *at = out; *at; rows++) {
		char *end;
		double score = strtod(at, &end);
		assert_true(*end == '\n' && score >= 0 && score <= 1);
		*ret_alarms += score >= 0.5;
		at = end + 1;
	}
	return rows;
}

static void series_text(struct buf *out, const char *header, size_t rows, size_t spike)
{
	buf_printf(out, "%s\n", header);
	for (size_t i = 0; i < rows; i++)
		buf_printf(out, "%zu,%zu,x\n", 1700000000 + 300 * i, i == spike ? 900 : 50 + i * 7 % 11);
}

static void a_score_a_row(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	struct buf text = BUF_INIT;
	size_t alarms;
	series_text(&text, "timestamp,value,note", 1000, 800);
	write_text(path, buf_str(&text));
	assert_int_equal(run_series(f, ""), CLI_DONE);
	assert_int_equal(count_rows(buf_str(&f->out), &alarms), 1000);
	assert_int_equal(alarms, 1);
	/* the same, packed, and with the column named */
	gzFile packed = gzopen(path, "wb");
	assert_int_equal(gzwrite(packed, text.data, (unsigned)text.size), (int)text.size);
	assert_int_equal(gzclose(packed), Z_OK);
	assert_int_equal(run_series(f, " --value VALUE"), CLI_DONE);
	assert_int_equal(count_rows(buf_str(&f->out), &alarms), 1000);
	assert_int_equal(alarms, 1);
	buf_done(&text);
	fake_free(f);
}

static void a_column_may_have_any_name(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	struct buf text = BUF_INIT;
	size_t alarms;
	series_text(&text, "when,portal|errors,note", 300, 250);
	write_text(path, buf_str(&text));
	assert_int_equal(run_series(f, " --value portal|errors"), CLI_DONE);
	assert_int_equal(count_rows(buf_str(&f->out), &alarms), 300);
	assert_int_equal(alarms, 1);
	/* a first column that reads as a time is one, whatever it is called */
	assert_int_equal(run_series(f, ""), CLI_DONE);
	assert_int_equal(count_rows(buf_str(&f->out), &alarms), 300);
	assert_int_equal(alarms, 1);
	assert_int_equal(run_series(f, " --value other"), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), "no column \"other\""));
	buf_done(&text);
	fake_free(f);
}

static void bad_series_get_an_answer_or_a_refusal(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	size_t alarms;
	write_text(path, "");
	assert_int_equal(run_series(f, ""), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), "is empty"));
	write_text(path, "timestamp,value\n");
	assert_int_equal(run_series(f, ""), CLI_DONE);
	assert_string_equal(buf_str(&f->out), "");
	write_text(path, "timestamp,value\n1,nan\n2,\n3\n2014-99-99,inf\n-5,7\n");
	assert_int_equal(run_series(f, ""), CLI_DONE);
	assert_int_equal(count_rows(buf_str(&f->out), &alarms), 5);
	write_text(path, "timestamp,value\n1,one\n2,two\n");
	assert_int_equal(run_series(f, ""), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), "no row has a number"));
	write_text(path, "timestamp\n1\n");
	assert_int_equal(run_series(f, ""), CLI_FAILED);
	write_text(path, "\xef\xbb\xbftimestamp,other,value\n1,x,7\n2,y,8\n");
	assert_int_equal(run_series(f, ""), CLI_DONE);
	assert_int_equal(run(f, "analyze series /nonexistent/file"), CLI_NOT_FOUND);
	fake_free(f);
}

static void sessions_that_are_not_like_the_others(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	struct buf text = BUF_INIT;
	char words[256];
	for (int i = 0; i < 400; i++)
		buf_printf(&text, "n%d\t0\tbegin read%s write end\n", i, i % 3 ? " read" : "");
	buf_text(&text, "no\t1\tcrash\n"); /* not learnt */
	write_text(second, buf_str(&text));
	write_text(path, "a\t0\tbegin read write end\nb\t0\tcrash\n\nc\tbegin read read write end\nd\t1\tbegin read\n");
	text_format(words, sizeof words, "analyze sequences --train %s %s", second, path);
	assert_int_equal(run(f, words), CLI_DONE);
	const char *out = buf_str(&f->out);
	double scores[4];
	assert_int_equal(
	    sscanf(out, "a\t%lf\nb\t%lf\nc\t%lf\nd\t%lf\n", &scores[0], &scores[1], &scores[2], &scores[3]), 4);
	assert_true(scores[0] < 0.5 && scores[1] >= 0.5 && scores[2] < 0.5 && scores[3] >= 0.5);

	write_text(path, "a\t0\tbegin\nwithout a tab\n");
	assert_int_equal(run(f, words), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), ":2: expected session TAB events"));
	write_text(second, "x\t1\tonly anomalies\n");
	assert_int_equal(run(f, words), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), "no normal session"));
	text_format(words, sizeof words, "analyze sequences %s", path);
	assert_int_equal(run(f, words), CLI_USAGE);
	buf_done(&text);
	fake_free(f);
}

static int make(void **state)
{
	(void)state;
	text_format(path, sizeof path, "/tmp/kedge-series-XXXXXX");
	text_format(second, sizeof second, "/tmp/kedge-series-XXXXXX");
	int a = mkstemp(path), b = mkstemp(second);
	close(a);
	close(b);
	return a < 0 || b < 0;
}

static int remove_both(void **state)
{
	(void)state;
	return unlink(path) != 0 || unlink(second) != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_score_a_row, make, remove_both),
	    cmocka_unit_test_setup_teardown(a_column_may_have_any_name, make, remove_both),
	    cmocka_unit_test_setup_teardown(bad_series_get_an_answer_or_a_refusal, make, remove_both),
	    cmocka_unit_test_setup_teardown(sessions_that_are_not_like_the_others, make, remove_both),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
