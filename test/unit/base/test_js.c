/* JSON text as Jackson writes it, and reading that never rounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <float.h>
#include <math.h>
#include <cmocka.h>

#include "base/js.h"

static void check_double(double d, const char *want)
{
	struct buf b = BUF_INIT(100);

	js_put_double(&b, d);
	assert_string_equal(buf_cstr(&b), want);
	buf_release(&b);
}

static void doubles_are_printed_as_java_does(void **state)
{
	check_double(0, "0.0");
	check_double(-0.0, "-0.0");
	check_double(3, "3.0");
	check_double(43.604652, "43.604652");
	check_double(0.000001, "1.0E-6");
	check_double(0.001, "0.001");
	check_double(0.00099, "9.9E-4");
	check_double(9999999, "9999999.0");
	check_double(10000000, "1.0E7");
	check_double(12345678.5, "1.23456785E7");
	check_double(-179.999999, "-179.999999");
	check_double(1e100, "1.0E100");
	check_double(0.1 + 0.2, "0.30000000000000004");
	check_double(4.9e-324, "4.9E-324");
	check_double(DBL_MAX, "1.7976931348623157E308");
	check_double(DBL_MIN, "2.2250738585072014E-308");
	check_double(9007199254740993.0, "9.007199254740992E15");
	check_double(NAN, "\"NaN\"");
	check_double(-INFINITY, "\"-Infinity\"");
}

static void floats_are_printed_with_their_own_digits(void **state)
{
	struct buf b = BUF_INIT(100);

	js_put_float(&b, 3.3f);
	buf_putc(&b, ' ');
	js_put_float(&b, FLT_MAX);
	buf_putc(&b, ' ');
	js_put_float(&b, 16777216.0f);
	assert_string_equal(buf_cstr(&b), "3.3 3.4028235E38 1.6777216E7");
	buf_release(&b);
}

static void check_string(const char *s, const char *want)
{
	struct buf b = BUF_INIT(1000);
	struct arena a = ARENA_INIT;
	struct js_reader r;
	struct js_token t;

	js_put_str(&b, s);
	assert_string_equal(buf_cstr(&b), want);
	js_reader_init(&r, buf_view(&b), 0);
	assert_int_equal(js_next(&r, &t), JS_STRING);
	assert_true(view_is(js_unescape(&a, t.text, t.text_escaped), s));
	assert_int_equal(js_next(&r, &t), JS_END);
	arena_release(&a);
	buf_release(&b);
}

static void strings_are_escaped_as_jackson_does(void **state)
{
	check_string("", "\"\"");
	check_string("a \"q\" \\ / \x7f", "\"a \\\"q\\\" \\\\ / \x7f\"");
	check_string("\b\f\n\r\t\x01\x1f", "\"\\b\\f\\n\\r\\t\\u0001\\u001F\"");
	check_string("sixteen bytes ok, then \x02 and é 日本 \xe2\x80\xa8", "\"sixteen bytes ok, then \\u0002 and é 日本 \xe2\x80\xa8\"");
	check_string("0123456789abcde😀", "\"0123456789abcde\\uD83D\\uDE00\"");
}

static void base64_is_padded(void **state)
{
	struct buf b = BUF_INIT(100);

	js_put_base64(&b, view_str("a"));
	js_put_base64(&b, view_str("ab"));
	js_put_base64(&b, view_str("abc"));
	js_put_base64(&b, VIEW_NULL);
	assert_string_equal(buf_cstr(&b), "\"YQ==\"\"YWI=\"\"YWJj\"\"\"");
	buf_release(&b);
}

static void reader_hands_out_numbers_as_their_text(void **state)
{
	struct js_reader r;
	struct js_token t;

	js_reader_init(&r, view_str(" {\"a\" : [1, -0.10e+5,12345678901234567890.123], \"b\":{}, \"c\":null}"), 0);
	assert_int_equal(js_next(&r, &t), JS_OBJECT);
	assert_int_equal(js_next(&r, &t), JS_ARRAY);
	assert_true(t.has_key && view_is(t.key, "a"));
	assert_int_equal(js_next(&r, &t), JS_NUMBER);
	assert_int_equal(js_next(&r, &t), JS_NUMBER);
	assert_true(view_is(t.text, "-0.10e+5"));
	assert_int_equal(js_next(&r, &t), JS_NUMBER);
	assert_true(view_is(t.text, "12345678901234567890.123"));
	assert_int_equal(js_next(&r, &t), JS_ARRAY_END);
	assert_int_equal(js_next(&r, &t), JS_OBJECT);
	assert_int_equal(js_skip(&r, &t), JS_OBJECT_END);
	assert_int_equal(js_next(&r, &t), JS_NULL);
	assert_true(view_is(t.key, "c"));
	assert_int_equal(js_next(&r, &t), JS_OBJECT_END);
	assert_int_equal(js_next(&r, &t), JS_END);
	assert_int_equal(js_next(&r, &t), JS_END);
}

static void broken_text_is_refused(void **state)
{
	static const char *const texts[] = {
		"", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "-", "1.", "1e", ".5", "+1", "tru",
		"nul",
		"\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "1 2", "{} x", "[1 2]", "{\"a\" 1}", "]", "}", "[}", "{]", "\xff", "NaN",
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct js_reader r;
		struct js_token t;
		enum js_kind k;

		js_reader_init(&r, view_str(texts[i]), 0);
		do
			k = js_next(&r, &t);
		while (k != JS_END && k != JS_BAD);
		if (k != JS_BAD)
			fail_msg("accepted: %s", texts[i]);
		assert_non_null(r.why);
		assert_int_equal(js_next(&r, &t), JS_BAD);
	}
}

static void depth_is_bounded(void **state)
{
	char text[2001];
	struct js_reader r;
	struct js_token t;
	unsigned n = 0;

	memset(text, '[', sizeof(text));
	js_reader_init(&r, view_of(text, sizeof(text)), 512);
	while (js_next(&r, &t) == JS_ARRAY)
		n++;
	assert_int_equal(n, 512);
	assert_string_equal(r.why, "nested too deeply");
}

static void lone_surrogates_become_replacement_characters(void **state)
{
	struct arena a = ARENA_INIT;

	assert_true(view_is(js_unescape(&a, view_str("\\ud83d\\ude00"), true), "😀"));
	assert_true(view_is(js_unescape(&a, view_str("\\ud83dx"), true), "\xef\xbf\xbdx"));
	assert_true(view_is(js_unescape(&a, view_str("\\ude00\\u00e9\\/"), true), "\xef\xbf\xbdé/"));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_are_printed_as_java_does),
		cmocka_unit_test(floats_are_printed_with_their_own_digits),
		cmocka_unit_test(strings_are_escaped_as_jackson_does),
		cmocka_unit_test(base64_is_padded),
		cmocka_unit_test(reader_hands_out_numbers_as_their_text),
		cmocka_unit_test(broken_text_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(lone_surrogates_become_replacement_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
