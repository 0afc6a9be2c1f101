/* Numbers, UTF-8 and CSV of base/text.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"

static void whole_numbers_are_strict(void **state)
{
	static const char *const bad[] = {"", "-", "+", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "-9223372036854775809", "--1", "1e3"};
	int64_t n = 7;
	uint64_t u = 7;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_i64(view_str(bad[i]), &n));
	assert_int_equal(n, 7);
	assert_true(text_i64(view_str("-9223372036854775808"), &n) && n == INT64_MIN);
	assert_true(text_i64(view_str("9223372036854775807"), &n) && n == INT64_MAX);
	assert_true(text_i64(view_str("+0012"), &n) && n == 12);
	assert_true(text_u64(view_str("18446744073709551615"), &u) && u == UINT64_MAX);
	assert_false(text_u64(view_str("18446744073709551616"), &u));
	assert_false(text_u64(view_str("+1"), &u));
}

static void decimal_numbers_are_strict(void **state)
{
	static const char *const bad[] = {"", ".", "-", "1e", "1e+", "e5", "nan", "inf", "0x10", "1,5", "1 ", " 1", "1e999", "1.2.3"};
	double d = 7;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_f64(view_str(bad[i]), &d));
	assert_true(d == 7);
	assert_true(text_f64(view_str("-73.844330"), &d) && d == -73.844330);
	assert_true(text_f64(view_str(".5"), &d) && d == 0.5);
	assert_true(text_f64(view_str("5."), &d) && d == 5);
	assert_true(text_f64(view_str("+1.5E-3"), &d) && d == 1.5e-3);
}

static void utf8_takes_only_well_formed_sequences(void **state)
{
	static const struct {
		const char *text;
		size_t valid;
	} cases[] = {
		{"abc", 3}, {"\xc3\xa9", 2}, {"\xe2\x82\xac", 3}, {"\xf0\x9f\x98\x80", 4}, {"\xf4\x8f\xbf\xbf", 4},
		{"a\xc0\x80", 1}, {"a\xc1\xbf", 1}, {"\xe0\x9f\xbf", 0}, {"\xed\xa0\x80", 0}, {"\xf0\x8f\xbf\xbf", 0}, {"\xf4\x90\x80\x80", 0},
		{"\xf5\x80\x80\x80", 0}, {"\x80", 0}, {"ab\xe2\x82", 2}, {"ab\xc3", 2}, {"\xe2\x82g", 0}, {"\xff", 0},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(text_utf8_valid_len(view_str(cases[i].text)), cases[i].valid);
	assert_true(text_utf8_valid(VIEW_NULL));
}

static void cut_counts_code_points_not_bytes(void **state)
{
	struct view v = view_str("d\xc3\xa9j\xc3\xa0 \xf0\x9f\x98\x80!");

	assert_int_equal(text_utf8_points(v), 7);
	assert_int_equal(text_utf8_cut(v, 2).len, 3);
	assert_int_equal(text_utf8_cut(v, 6).len, v.len - 1);
	assert_int_equal(text_utf8_cut(v, 7).len, v.len);
	assert_int_equal(text_utf8_cut(v, 100).len, v.len);
	assert_int_equal(text_utf8_cut(v, 0).len, 0);
}

static void windows_text_becomes_utf8(void **state)
{
	struct buf b = BUF_INIT(64);

	text_put_cp1252(&b, view_str("\xe9t\xe9 \x80 \x93x\x94 \x81"));
	assert_string_equal(buf_cstr(&b), "\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xe2\x80\x9cx\xe2\x80\x9d \xc2\x81");
	assert_true(text_utf8_valid(buf_view(&b)));
	buf_release(&b);
}

static void distance_counts_changes(void **state)
{
	assert_int_equal(text_distance(view_str("kafka.lisen"), view_str("kafka.listen")), 1);
	assert_int_equal(text_distance(view_str("kitten"), view_str("sitting")), 3);
	assert_int_equal(text_distance(VIEW_NULL, view_str("abc")), 3);
	assert_int_equal(text_distance(view_str("abc"), view_str("abc")), 0);
}

/* Gives out a text in pieces of `step` bytes, to catch what goes wrong at the seams; fails at the end if `fail`. */
struct pieces {
	const char *text;
	size_t len, pos, step;
	bool fail;
};

static int fill_pieces(void *arg, void *ptr, size_t len, size_t *ret_len, struct err *err)
{
	struct pieces *p = arg;
	size_t n = p->len - p->pos < p->step ? p->len - p->pos : p->step;

	if (n == 0 && p->fail)
		return err_set(err, ERR_IO, "the disk is gone");
	n = n < len ? n : len;
	memcpy(ptr, p->text + p->pos, n);
	p->pos += n;
	*ret_len = n;
	return 0;
}

/* The records as one text: fields between < and >, '/' behind each record; the error's text at the end. */
static char *read_all(const char *text, size_t step, const struct csv_options *opts)
{
	struct pieces p = {text, strlen(text), 0, step, false};
	struct csv *c = csv_new(fill_pieces, &p, opts);
	struct buf out = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct csv_record r;
	char *copy;
	size_t i;
	int rc;

	while ((rc = csv_next(c, &r, &err)) > 0) {
		buf_printf(&out, "%llu", (unsigned long long)r.line);
		for (i = 0; i < r.n; i++)
			buf_printf(&out, "<%.*s>", (int)r.fields[i].len, (const char *)r.fields[i].ptr);
		buf_putc(&out, '/');
	}
	if (rc < 0)
		buf_puts(&out, err.text);
	assert_int_equal(csv_next(c, &r, &err), rc);
	csv_free(c);
	copy = mem_strdup(buf_cstr(&out));
	buf_release(&out);
	return copy;
}

static void expect(const char *text, const char *result)
{
	static const size_t steps[] = {1, 2, 3, 7, 1000};
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		char *got = read_all(text, steps[i], NULL);

		assert_string_equal(got, result);
		mem_free(got);
	}
}

static void csv_of_every_form_is_read(void **state)
{
	expect("", "");
	expect("a,b\n", "1<a><b>/");
	expect("a,b", "1<a><b>/");
	expect("a,b\r\nc,d\ne,\r\n", "1<a><b>/2<c><d>/3<e><>/");
	expect("\xef\xbb\xbfid,x\n1,2\n", "1<id><x>/2<1><2>/");
	expect("\"a\nb\",\"say \"\"hi\"\"\"\n\"\",x\n", "1<a\nb><say \"hi\">/3<><x>/");
	expect("\"a\r\nb\"\r\nc\r\n", "1<a\r\nb>/3<c>/");
	expect("a,b\n\n\r\nc,d\n", "1<a><b>/4<c><d>/");
	expect("5\" pipe,a\"b\"\n", "1<5\" pipe><a\"b\">/");
	expect(",,\n", "1<><><>/");
	expect("a,b\r", "1<a><b>/");
	expect("\"a\"\r", "1<a>/");
	expect("a,\"\"\"\"\n", "1<a><\">/");
}

static void csv_errors_name_the_line(void **state)
{
	expect("a,b\n1,\"x\n\n", "1<a><b>/line 2: a quoted field is never closed");
	expect("a,\"x\ny\"z\n", "line 2: text behind the closing quote of a field");
}

static void separator_is_found_in_the_first_line(void **state)
{
	char *got = read_all("a;\"b,c,d,e\";f\n1,5;2;3\n", 1000, NULL);

	assert_string_equal(got, "1<a><b,c,d,e><f>/2<1,5><2><3>/");
	mem_free(got);
	got = read_all("a,b;c;d\n", 1000, &(struct csv_options){.separator = ','});
	assert_string_equal(got, "1<a><b;c;d>/");
	mem_free(got);
	expect("a\tb\n", "1<a><b>/");
}

static void csv_is_bounded(void **state)
{
	const struct csv_options opts = {.record_max = 8, .fields_max = 3};
	char *got = read_all("1,2,3\n1,2,3,4\n", 1000, &opts);

	assert_string_equal(got, "1<1><2><3>/line 2: more than 3 fields");
	mem_free(got);
	got = read_all("12345678\n12345,6789\n", 3, &opts);
	assert_string_equal(got, "1<12345678>/line 2: a record of more than 8 bytes");
	mem_free(got);
	got = read_all("\"0123\n4567890\n\n\n", 3, &opts);
	assert_string_equal(got, "line 1: a quoted field is never closed");
	mem_free(got);
}

static void zero_bytes_and_failing_reads_are_reported(void **state)
{
	struct pieces p = {"a,b\nc\0d\n", 8, 0, 100, false}, broken = {"a,b\nc", 5, 0, 100, true};
	struct csv *c = csv_new(fill_pieces, &p, NULL);
	struct err err = ERR_INIT;
	struct csv_record r;

	assert_int_equal(csv_next(c, &r, &err), 1);
	assert_int_equal(csv_next(c, &r, &err), -1);
	assert_string_equal(err.text, "line 2: a zero byte: this is not a text file");
	csv_free(c);
	c = csv_new(fill_pieces, &broken, NULL);
	assert_int_equal(csv_next(c, &r, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	csv_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers_are_strict),
		cmocka_unit_test(decimal_numbers_are_strict),
		cmocka_unit_test(utf8_takes_only_well_formed_sequences),
		cmocka_unit_test(cut_counts_code_points_not_bytes),
		cmocka_unit_test(windows_text_becomes_utf8),
		cmocka_unit_test(distance_counts_changes),
		cmocka_unit_test(csv_of_every_form_is_read),
		cmocka_unit_test(csv_errors_name_the_line),
		cmocka_unit_test(separator_is_found_in_the_first_line),
		cmocka_unit_test(csv_is_bounded),
		cmocka_unit_test(zero_bytes_and_failing_reads_are_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
