/* Log lines of base/logger.h, read back from a pipe, under a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <fcntl.h>
#include <math.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/js.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/thread.h"

struct clock_io {
	struct io io;
	_Atomic int64_t now_us;
};

static int64_t fake_now(struct io *io)
{
	return ((struct clock_io *)io)->now_us;
}

static const struct io_ops fake_ops = {.now_us = fake_now, .monotonic_us = fake_now};

struct fixture {
	struct clock_io clock;
	int fds[2];
	struct logger *l;
	char text[1 << 20];
};

static struct fixture *make(enum logger_format format, unsigned burst)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->clock.io.ops = &fake_ops;
	f->clock.now_us = INT64_C(1795402365123456); /* 2026-11-23 03:12:45.123456 UTC + some */
	assert_int_equal(pipe2(f->fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(f->fds[0], F_SETFL, O_NONBLOCK), 0);
	f->l = logger_new(&f->clock.io, &(struct logger_options){.fd = f->fds[1], .level = LOGGER_INFO, .format = format, .burst = burst});
	return f;
}

/* All that was written since the last call. */
static const char *output(struct fixture *f)
{
	ssize_t n = read(f->fds[0], f->text, sizeof(f->text) - 1);

	f->text[n > 0 ? n : 0] = '\0';
	return f->text;
}

static void done(struct fixture *f)
{
	logger_free(f->l);
	close(f->fds[0]);
	close(f->fds[1]);
	mem_free(f);
}

static void text_line_has_time_level_component_event_and_fields(void **state)
{
	struct fixture *f = make(LOGGER_TEXT, 0);

	f->clock.now_us = INT64_C(1000000) * 86400 * 365 + 7089;
	logger_event(f->l, LOGGER_INFO, "capture", "connector started", LOGGER_STR("name", "sip"), LOGGER_INT("n", -3),
		LOGGER_UINT("big", UINT64_MAX), LOGGER_F64("ratio", 0.25), LOGGER_STR("why", "two words"), LOGGER_STR("none", ""));
	assert_string_equal(output(f), "1971-01-01 00:00:00.007Z INFO  capture  connector started name=sip n=-3 big=18446744073709551615 "
		"ratio=0.25 why=\"two words\" none=\"\"\n");
	logger_event(f->l, LOGGER_WARNING, "log", "no fields");
	assert_string_equal(output(f), "1971-01-01 00:00:00.007Z WARN  log      no fields\n");
	done(f);
}

static void json_line_is_json_whatever_the_values_hold(void **state)
{
	struct fixture *f = make(LOGGER_JSON, 0);
	const char *line;
	struct js_reader r;
	struct js_token t;
	char all[256];
	unsigned i;

	for (i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	logger_event(f->l, LOGGER_INFO, "x", "y\"\n", LOGGER_STR("all", all), LOGGER_F64("inf", (double)INFINITY));
	line = output(f);
	assert_true(text_utf8_valid(view_str(line)));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	js_reader_init(&r, view_of(line, strlen(line) - 1), 0);
	assert_int_equal(js_next(&r, &t), JS_OBJECT);
	while (js_next(&r, &t) != JS_OBJECT_END)
		assert_int_not_equal(t.kind, JS_BAD);
	assert_int_equal(js_next(&r, &t), JS_END);
	done(f);
}

static void foreign_data_cannot_forge_a_line_or_move_the_cursor(void **state)
{
	struct fixture *f = make(LOGGER_TEXT, 0);
	const char *line, *p;

	logger_event(f->l, LOGGER_INFO, "x", "y", LOGGER_STR("v", "a\nERROR fake\r\x1b[2J\xc2\x9b" "2J \xff \xc3\xa9 \\ \"q\" \xe2\x82"));
	line = output(f);
	assert_non_null(strstr(line, "v=\"a\\nERROR fake\\r\\x1b[2J\\x9b2J \\xff \xc3\xa9 \\\\ \\\"q\\\" \\xe2\\x82\"\n"));
	for (p = line; *p; p++)
		assert_true((uint8_t)*p >= ' ' || p[1] == '\0');
	done(f);
}

static void errors_bring_all_they_know(void **state)
{
	struct fixture *f = make(LOGGER_TEXT, 0);
	struct err err = ERR_INIT;

	err_set(&err, ERR_CONNECTION, "could not connect");
	err_hint(&err, "Start it.");
	logger_failure(f->l, LOGGER_ERROR, "pg", "connection lost", &err, LOGGER_STR("host", "db"));
	assert_non_null(strstr(output(f), "connection lost error=\"could not connect\" code=connection hint=\"Start it.\" host=db\n"));
	done(f);
}

static void level_changes_at_run_time(void **state)
{
	struct fixture *f = make(LOGGER_TEXT, 0);
	enum logger_level level;

	logger_event(f->l, LOGGER_DEBUG, "x", "hidden");
	assert_string_equal(output(f), "");
	assert_int_equal(logger_level_parse(view_str("debug"), &level), 0);
	logger_set_level(f->l, level);
	logger_event(f->l, LOGGER_DEBUG, "x", "shown");
	assert_non_null(strstr(output(f), "DEBUG x        shown\n"));
	assert_int_equal(logger_level_parse(view_str("loud"), &level), -1);
	done(f);
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void repeats_are_held_back_and_counted(void **state)
{
	struct fixture *f = make(LOGGER_TEXT, 3);
	int i;

	for (i = 0; i < 100; i++)
		logger_event(f->l, LOGGER_WARNING, "kafka", "refused", LOGGER_STR("peer", "a"), LOGGER_INT("n", i));
	assert_int_equal(lines(output(f)), 3);
	logger_event(f->l, LOGGER_WARNING, "kafka", "refused", LOGGER_STR("peer", "b"));
	assert_int_equal(lines(output(f)), 1);
	for (i = 0; i < 20; i++)
		logger_event(f->l, LOGGER_ERROR, "kafka", "broken");
	assert_int_equal(lines(output(f)), 20);
	f->clock.now_us += 11 * 1000000;
	logger_event(f->l, LOGGER_INFO, "x", "y");
	assert_non_null(strstr(output(f), "WARN  kafka    refused repeated=97\n"));
	logger_event(f->l, LOGGER_WARNING, "kafka", "refused", LOGGER_STR("peer", "a"), LOGGER_INT("n", 0));
	assert_int_equal(lines(output(f)), 1);
	done(f);
}

static void what_is_still_held_is_told_at_the_end(void **state)
{
	struct fixture *f = make(LOGGER_JSON, 1);
	int i;

	for (i = 0; i < 5; i++)
		logger_event(f->l, LOGGER_INFO, "x", "again");
	output(f);
	logger_free(f->l);
	f->l = NULL;
	assert_non_null(strstr(output(f), "\"event\":\"again\",\"repeated\":4}\n"));
	done(f);
}

static void long_lines_are_cut_between_fields(void **state)
{
	struct fixture *f = make(LOGGER_JSON, 0);
	struct logger_field many[9];
	char *huge = mem_alloc(100000);
	const char *line;
	int i;

	memset(huge, 'x', 99999);
	huge[99999] = '\0';
	for (i = 0; i < 8; i++)
		many[i] = LOGGER_STR("k", huge);
	many[8] = (struct logger_field){.key = NULL};
	logger_fields(f->l, LOGGER_INFO, "x", "y", NULL, many);
	line = output(f);
	assert_true(strlen(line) <= 16 << 10);
	assert_non_null(strstr(line, "x\",\"cut\":1}\n"));
	mem_free(huge);
	done(f);
}

static void log_from_thread(void *arg)
{
	int i;

	for (i = 0; i < 200; i++)
		logger_event(arg, LOGGER_INFO, "t", "line", LOGGER_INT("i", i), LOGGER_STR("text", "0123456789"));
}

static void lines_of_several_threads_do_not_mix(void **state)
{
	struct fixture *f = make(LOGGER_TEXT, 1000);
	struct thread threads[4];
	const char *p;
	int i;

	assert_true(fcntl(f->fds[1], F_SETPIPE_SZ, 1 << 20) > 0);
	for (i = 0; i < 4; i++)
		thread_start(&threads[i], "logs", log_from_thread, f->l);
	for (i = 0; i < 4; i++) {
		logger_set_level(f->l, LOGGER_INFO);
		thread_join(&threads[i]);
	}
	p = output(f);
	assert_int_equal(lines(p), 800);
	for (; *p; p = strchr(p, '\n') + 1)
		assert_memory_equal(strchr(p, '\n') - 15, "text=0123456789", 15);
	done(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_line_has_time_level_component_event_and_fields),
		cmocka_unit_test(json_line_is_json_whatever_the_values_hold),
		cmocka_unit_test(foreign_data_cannot_forge_a_line_or_move_the_cursor),
		cmocka_unit_test(errors_bring_all_they_know),
		cmocka_unit_test(level_changes_at_run_time),
		cmocka_unit_test(repeats_are_held_back_and_counted),
		cmocka_unit_test(what_is_still_held_is_told_at_the_end),
		cmocka_unit_test(long_lines_are_cut_between_fields),
		cmocka_unit_test(lines_of_several_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
