/* The settings table of base/settings.h, over a small table of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/settings.h"

enum { DATA, DSN, KEY, LISTEN, LEVEL, SIZE, WAIT, COUNT, EXACT, N };

static const struct setting_def defs[N] = {
	[DATA] = {"data", SETTING_STRING, "/var/x", NULL, NULL, NULL, SETTING_START, "Where."},
	[DSN] = {"source", SETTING_CONNECTION, "", NULL, NULL, NULL, SETTING_START, "From."},
	[KEY] = {"api.key", SETTING_SECRET, "", NULL, NULL, NULL, SETTING_START, "Key."},
	[LISTEN] = {"kafka.listen", SETTING_ADDRESSES, "127.0.0.1:9092,[::1]:0", NULL, NULL, NULL, SETTING_START, "Listens."},
	[LEVEL] = {"log.level", SETTING_CHOICE, "info", NULL, NULL, "debug info error", SETTING_RUNTIME, "Level."},
	[SIZE] = {"log.segment_bytes", SETTING_BYTES, "256MiB", "1MiB", "2GiB", NULL, SETTING_START, "Size."},
	[WAIT] = {"log.wait", SETTING_DURATION, "2ms", "0", "10s", NULL, SETTING_RUNTIME, "Wait."},
	[COUNT] = {"job.count", SETTING_INT, "4", "1", NULL, NULL, SETTING_START, "Count."},
	[EXACT] = {"compat.exact", SETTING_BOOL, "off", NULL, NULL, NULL, SETTING_START, "Exact."},
};

struct fixture {
	struct settings *s;
	struct err err;
	char path[64];
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->s = settings_new(defs, N);
	snprintf(f->path, sizeof(f->path), "/tmp/walmill-settings-%d", (int)getpid());
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	settings_free(f->s);
	mem_free(f);
	return 0;
}

static int load(struct fixture *f, const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(io_replace(io_system(), f->path, view_str(text), &err), 0);
	return settings_load_file(f->s, io_system(), f->path, &f->err);
}

/* The error's text without the path in front of it. */
static const char *behind_path(struct fixture *f)
{
	assert_memory_equal(f->err.text, f->path, strlen(f->path));
	return f->err.text + strlen(f->path);
}

static void defaults_hold_until_something_is_set(void **state)
{
	struct fixture *f = *state;
	const struct setting_address *a;
	size_t n;

	assert_string_equal(settings_text(f->s, DATA), "/var/x");
	assert_int_equal(settings_int(f->s, SIZE), 256 << 20);
	assert_int_equal(settings_int(f->s, WAIT), 2000);
	assert_false(settings_bool(f->s, EXACT));
	a = settings_addresses(f->s, LISTEN, &n);
	assert_int_equal(n, 2);
	assert_string_equal(a[0].host, "127.0.0.1");
	assert_int_equal(a[0].port, 9092);
	assert_string_equal(a[1].host, "::1");
	assert_int_equal(a[1].port, 0);
	assert_int_equal(settings_source(f->s, DATA), SETTINGS_DEFAULT);
}

static void file_is_read_with_comments_and_quotes(void **state)
{
	struct fixture *f = *state;
	size_t n;

	assert_int_equal(load(f,
		"# a comment\n\n  data = /srv/walmill   # where\nsource = 'host=db password=it''s # no comment'\r\n"
		"log.wait=5ms\napi.key = \"a \\\"b\\\" \\\\ #\"\nkafka.listen =\ncompat.exact = Yes"), 0);
	assert_string_equal(settings_text(f->s, DATA), "/srv/walmill");
	assert_string_equal(settings_text(f->s, DSN), "host=db password=it's # no comment");
	assert_string_equal(settings_text(f->s, KEY), "a \"b\" \\ #");
	assert_int_equal(settings_int(f->s, WAIT), 5000);
	assert_true(settings_bool(f->s, EXACT));
	settings_addresses(f->s, LISTEN, &n);
	assert_int_equal(n, 0);
}

static void every_error_names_the_line_and_what_to_do(void **state)
{
	static const struct {
		const char *text, *error, *hint;
	} cases[] = {
		{"\nkafka.lisen = x", ":2: unknown setting \"kafka.lisen\"", "Did you mean \"kafka.listen\"?"},
		{"zzzzzzzz = x", ":1: unknown setting \"zzzzzzzz\"", "walmill --help lists the settings."},
		{"data /x", ":1: no \"=\" in \"data /x\"", "Write name = value."},
		{"data = 'x", ":1: the closing quote is missing", ""},
		{"data = 'x' y", ":1: text behind the closing quote", ""},
		{"data = \"\\x\"", ":1: a backslash in double quotes stands before \", \\, n or t only", ""},
		{"data = a\n\ndata = b", ":3: \"data\" is already set in line 1", ""},
		{"log.wait = 5", ":1: invalid value for \"log.wait\": \"5\": the unit is missing",
			"Write digits and one of us, ms, s, min, h, d, such as 500ms."},
		{"log.wait = 11s", ":1: invalid value for \"log.wait\": \"11s\": more than 10s", ""},
		{"log.segment_bytes = 64MB", ":1: invalid value for \"log.segment_bytes\": \"64MB\": \"MB\" is not a unit",
			"Write digits and one of B, KiB, MiB, GiB, TiB, such as 64MiB."},
		{"log.segment_bytes = 99999999999999999999TiB",
			":1: invalid value for \"log.segment_bytes\": \"99999999999999999999TiB\": the number is too large",
			"Write digits and one of B, KiB, MiB, GiB, TiB, such as 64MiB."},
		{"log.segment_bytes = 9999999999TiB",
			":1: invalid value for \"log.segment_bytes\": \"9999999999TiB\": the number is too large", ""},
		{"job.count = 0", ":1: invalid value for \"job.count\": \"0\": less than 1", ""},
		{"log.level = loud", ":1: invalid value for \"log.level\": \"loud\": not one of the words that it takes",
			"Write one of: debug info error."},
		{"log.level = inf", ":1: invalid value for \"log.level\": \"inf\": not one of the words that it takes",
			"Write one of: debug info error."},
		{"compat.exact = maybe", ":1: invalid value for \"compat.exact\": \"maybe\": neither on nor off", "Write on or off."},
		{"kafka.listen = 9092", ":1: invalid value for \"kafka.listen\": \"9092\": \"9092\" has no port",
			"Write host:port, such as 127.0.0.1:9092."},
		{"kafka.listen = :9092", ":1: invalid value for \"kafka.listen\": \":9092\": the host is missing",
			"Write 127.0.0.1 for this machine alone, or 0.0.0.0 for every IPv4 address."},
		{"kafka.listen = a:70000", ":1: invalid value for \"kafka.listen\": \"a:70000\": \"70000\" is not a port number", ""},
		{"kafka.listen = ::1:9092", ":1: invalid value for \"kafka.listen\": \"::1:9092\": \"::1:9092\" has more than one colon",
			"Write an IPv6 address in brackets: [::1]:9092."},
		{"kafka.listen = a:1,", ":1: invalid value for \"kafka.listen\": \"a:1,\": a comma with no address behind it", ""},
		{"api.key = '\xff'", ":1: invalid value for \"api.key\": not valid UTF-8", ""},
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(load(f, cases[i].text), -1);
		assert_string_equal(behind_path(f), cases[i].error);
		assert_string_equal(f->err.hint, cases[i].hint);
		assert_int_equal(f->err.code, ERR_INVALID);
	}
}

static void nearer_source_wins_in_whatever_order_they_are_loaded(void **state)
{
	char *env[] = {"PATH=/bin", "WALMILL_DATA=/env", "WALMILL_LOG_SEGMENT_BYTES=8MiB", "WALMILL_INJECT=x=crash", NULL};
	static const char *const others[] = {"WALMILL_INJECT", NULL};
	struct fixture *f = *state;

	assert_int_equal(settings_set_argument(f->s, "data=/arg", &f->err), 0);
	assert_int_equal(settings_load_environment(f->s, env, others, &f->err), 0);
	assert_int_equal(load(f, "data = /file\nlog.segment_bytes = 4MiB\njob.count = 9\n"), 0);
	assert_string_equal(settings_text(f->s, DATA), "/arg");
	assert_int_equal(settings_source(f->s, DATA), SETTINGS_COMMAND_LINE);
	assert_int_equal(settings_int(f->s, SIZE), 8 << 20);
	assert_int_equal(settings_int(f->s, COUNT), 9);
	assert_int_equal(settings_set(f->s, SETTINGS_COMMAND_LINE, "data", "/again", "--data", &f->err), 0);
	assert_string_equal(settings_text(f->s, DATA), "/again");
	assert_int_equal(load(f, "data = '\xff'"), -1); /* looked at although it would not count */
}

static void wrong_variables_and_arguments_are_refused(void **state)
{
	char *unknown[] = {"WALMILL_KAFKA_LISTN=x", NULL}, *bad[] = {"WALMILL_JOB_COUNT=no", NULL};
	struct fixture *f = *state;

	assert_int_equal(settings_load_environment(f->s, unknown, NULL, &f->err), -1);
	assert_string_equal(f->err.text, "environment: unknown variable \"WALMILL_KAFKA_LISTN\"");
	assert_string_equal(f->err.hint, "Did you mean \"WALMILL_KAFKA_LISTEN\"?");
	assert_int_equal(settings_load_environment(f->s, bad, NULL, &f->err), -1);
	assert_string_equal(f->err.text, "environment variable WALMILL_JOB_COUNT: invalid value for \"job.count\": \"no\": not a whole number");
	assert_int_equal(settings_set_argument(f->s, "data", &f->err), -1);
	assert_string_equal(f->err.text, "--set data: a value is missing");
	assert_int_equal(settings_set_argument(f->s, "dat=1", &f->err), -1);
	assert_string_equal(f->err.text, "--set: unknown setting \"dat\"");
	assert_string_equal(f->err.hint, "Did you mean \"data\"?");
}

static void only_some_settings_change_at_run_time(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(settings_set_argument(f->s, "log.level=error", &f->err), 0);
	assert_int_equal(settings_change(f->s, "log.level", "debug", &f->err), 0);
	assert_string_equal(settings_text(f->s, LEVEL), "debug");
	assert_int_equal(settings_change(f->s, "data", "/y", &f->err), -1);
	assert_int_equal(f->err.code, ERR_STATE);
	assert_int_equal(settings_change(f->s, "log.level", "loud", &f->err), -1);
	assert_string_equal(settings_text(f->s, LEVEL), "debug");
}

static void passwords_are_masked(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"host=db password=s3cret user=x", "host=db password=******** user=x"},
		{"password = 'it\\'s it' host=db", "password = ******** host=db"},
		{"host=db sslpassword=x\\ y port=1", "host=db sslpassword=******** port=1"},
		{"password=", "password="},
		{"host=password user=x", "host=password user=x"},
		{"postgresql://u:p%40w@h:5432/db?sslmode=require&password=zz&x=1",
			"postgresql://u:********@h:5432/db?sslmode=require&password=********&x=1"},
		{"postgres://u@h/db", "postgres://u@h/db"},
		{"postgres://", "postgres://"},
		{"", ""},
	};
	struct fixture *f = *state;
	struct buf b = BUF_INIT(4096);
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&b);
		assert_int_equal(settings_set(f->s, SETTINGS_COMMAND_LINE, "source", cases[i].text, "--source", &f->err), 0);
		settings_put_masked(f->s, DSN, &b);
		assert_string_equal(buf_cstr(&b), cases[i].shown);
	}
	buf_release(&b);
}

static void what_is_printed_reads_back_and_hides_secrets(void **state)
{
	struct fixture *f = *state;
	struct settings *again = settings_new(defs, N);
	struct buf b = BUF_INIT(4096);
	size_t i;

	assert_int_equal(settings_set_argument(f->s, "api.key=hunter2", &f->err), 0);
	assert_int_equal(settings_set_argument(f->s, "data= it's # here ", &f->err), 0);
	settings_print(f->s, &b);
	assert_null(strstr(buf_cstr(&b), "hunter2"));
	assert_non_null(strstr(buf_cstr(&b), "api.key = '********'  # --set\n"));
	assert_non_null(strstr(buf_cstr(&b), "job.count = '4'  # default\n"));
	assert_int_equal(load(f, buf_cstr(&b)), 0);
	assert_int_equal(settings_load_file(again, io_system(), f->path, &f->err), 0);
	for (i = 0; i < N; i++)
		if (i != KEY)
			assert_string_equal(settings_text(again, i), settings_text(f->s, i));
	buf_release(&b);
	settings_free(again);
}

static void missing_file_is_its_own_error(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(settings_load_file(f->s, io_system(), "/nonexistent/walmill.conf", &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
}

static void documents_name_every_setting(void **state)
{
	struct buf help = BUF_INIT(1 << 16), md = BUF_INIT(1 << 16), man = BUF_INIT(1 << 16);
	char variable[64];
	size_t i;

	settings_help(defs, N, &help);
	settings_markdown(defs, N, &md);
	settings_man(defs, N, &man);
	for (i = 0; i < N; i++) {
		setting_variable(defs[i].name, variable, sizeof(variable));
		assert_non_null(strstr(buf_cstr(&help), defs[i].name));
		assert_non_null(strstr(buf_cstr(&md), variable));
		assert_non_null(strstr(buf_cstr(&man), defs[i].name));
	}
	assert_non_null(strstr(buf_cstr(&help), "log.segment_bytes = 256MiB   (bytes, 1MiB to 2GiB)"));
	assert_non_null(strstr(buf_cstr(&md), "| `log.level`<br>`WALMILL_LOG_LEVEL` | debug, info, error | `info` | yes | Level. |"));
	buf_release(&help);
	buf_release(&md);
	buf_release(&man);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(defaults_hold_until_something_is_set),
		T(file_is_read_with_comments_and_quotes),
		T(every_error_names_the_line_and_what_to_do),
		T(nearer_source_wins_in_whatever_order_they_are_loaded),
		T(wrong_variables_and_arguments_are_refused),
		T(only_some_settings_change_at_run_time),
		T(passwords_are_masked),
		T(what_is_printed_reads_back_and_hides_secrets),
		T(missing_file_is_its_own_error),
		T(documents_name_every_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
