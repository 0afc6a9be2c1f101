/* Command line options, and walmill load as a command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "cli/options.h"
#include "cli/settings.h"

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})
#define NONE ((char *[]){NULL})

static void words_options_and_settings_are_told_apart(void **state)
{
	const char *name = NULL, *limit = "5";
	bool force = false, other = false;
	const struct cli_option own[] = {{"--name", "N", "", &name, NULL}, {"--limit", "N", "", &limit, NULL},
		{"--force", NULL, "", NULL, &force}, {"--other", NULL, "", NULL, &other}};
	struct cli_args a;
	struct err err = ERR_INIT;

	assert_int_equal(
		cli_parse(io_system(),
			WORDS("create", "--force", "--name=a=b", "file", "--set", "job.memory=64MiB", "-", "--data", "/d", "--json", "--", "--force"),
			WORDS("WALMILL_DATA=/env", "WALMILL_TARGET=host=t", "WALMILL_INJECT=x=crash"), own, 4, &a, &err),
		0);
	assert_int_equal(a.n_words, 4);
	assert_string_equal(a.words[0], "create");
	assert_string_equal(a.words[1], "file");
	assert_string_equal(a.words[2], "-");
	assert_string_equal(a.words[3], "--force");
	assert_true(force && a.json && !other && !a.help);
	assert_string_equal(name, "a=b");
	assert_string_equal(limit, "5");
	assert_string_equal(settings_text(a.settings, SET_DATA), "/d");
	assert_string_equal(settings_text(a.settings, SET_TARGET), "host=t");
	assert_int_equal(settings_int(a.settings, SET_JOB_MEMORY), 64 << 20);
	cli_args_release(&a);
}

static void what_cannot_be_understood_is_refused_with_help(void **state)
{
	static const struct {
		char *argv[4];
		const char *text, *hint;
	} cases[] = {
		{{"--foce"}, "unknown option \"--foce\"", "Did you mean --force?"},
		{{"--zzzzzzzzzz=1"}, "unknown option \"--zzzzzzzzzz\"", "--help lists the options."},
		{{"-x"}, "unknown option \"-x\"", "--help lists the options."},
		{{"--force=yes"}, "option --force takes no value", ""},
		{{"--data"}, "option --data needs a value: DIR", ""},
		{{"--set", "nonsense"}, "--set nonsense: a value is missing", "Write --set NAME=VALUE."},
		{{"--set", "kafka.lisen=x"}, "--set: unknown setting \"kafka.lisen\"", "Did you mean \"kafka.listen\"?"},
		{{"--config", "/nonexistent"}, "could not open \"/nonexistent\": no such file or directory", ""},
	};
	bool force = false;
	const struct cli_option own[] = {{"--force", NULL, "", NULL, &force}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		struct cli_args a;

		assert_int_equal(cli_parse(io_system(), cases[i].argv, NONE, own, 1, &a, &err), -1);
		assert_string_equal(err.text, cases[i].text);
		assert_string_equal(err.hint, cases[i].hint);
		cli_args_release(&a);
	}
}

static void help_goes_before_everything_else(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct cli_args a;

	assert_int_equal(cli_parse(io_system(), WORDS("--nonsense", "-h"), WORDS("WALMILL_NONSENSE=1"), NULL, 0, &a, &err), 0);
	assert_true(a.help);
	cli_args_release(&a);
	assert_int_equal(cli_parse(io_system(), WORDS("--", "--help"), NONE, NULL, 0, &a, &err), 0);
	assert_false(a.help);
	cli_args_release(&a);
	cli_help("x FILE", NULL, 0, &b);
	assert_non_null(strstr(buf_cstr(&b), "usage: walmill x FILE\n"));
	assert_non_null(strstr(buf_cstr(&b), "  kafka.listen = 127.0.0.1:9092,127.0.0.1:29092   (addresses)\n"));
	buf_release(&b);
}

static void errors_cannot_move_the_cursor(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;

	err_set(&err, ERR_INVALID, "bad \x1b[2J name");
	err_hint(&err, "Do this.");
	cli_put_error(&err, &b);
	assert_string_equal(buf_cstr(&b), "walmill: bad \\x1b[2J name\n  hint: Do this.\n");
	buf_release(&b);
}

/* Runs walmill load; *ret_out and *ret_errors are the caller's to free. */
static int run_load(char *const *argv, char **ret_out, char **ret_errors)
{
	size_t n, m;
	FILE *out = open_memstream(ret_out, &n), *errors = open_memstream(ret_errors, &m);
	int rc = cmd_load(io_system(), argv, NONE, out, errors);

	fclose(out);
	fclose(errors);
	return rc;
}

static void load_reports_a_dry_run_and_explains_what_is_missing(void **state)
{
	static const struct {
		char *argv[6];
		int rc;
		const char *out, *errors;
	} cases[] = {
		{{"nyc311", DEMO_DIR "/nyc311/nyc311_csv52_2013-10.csv", "--dry-run"}, 0, "199 rows read, 199 taken (dry run, nothing written)\n",
			""},
		{{"nyc311", DEMO_DIR "/nyc311/nyc311_soda_2012.json", "--dry-run", "--json"}, 0, "\"read\":1000,\"taken\":1000,", ""},
		{{"nyc311", "/nonexistent", "--dry-run"}, 1, "", "walmill: could not open \"/nonexistent\""},
		{{"nyc311", "x"}, 1, "", "walmill: no database is named\n  hint: Give --target"},
		{{"mars", "x", "--dry-run"}, 1, "", "walmill: unknown data set \"mars\"\n"},
		{{"nyc311", "--dry-run"}, 1, "", "walmill: a data set and a file are needed\n"},
		{{"nyc311", "x", "--via", "pigeon"}, 1, "", "only via copy or rest\n"},
		{{"nyc311", "x", "--target", "host=h passwd=x"}, 1, "", "walmill: "},
		{{"--help"}, 0, "usage: walmill load nyc311|chicago-permits|datagouv FILE [--via copy|rest]", ""},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *out, *errors;

		assert_int_equal(run_load(cases[i].argv, &out, &errors), cases[i].rc);
		if (!strstr(out, cases[i].out) || !strstr(errors, cases[i].errors) || (errors[0] != '\0') != (cases[i].rc != 0))
			fail_msg("case %zu: %s%s", i, out, errors);
		free(out);
		free(errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_options_and_settings_are_told_apart),
		cmocka_unit_test(what_cannot_be_understood_is_refused_with_help),
		cmocka_unit_test(help_goes_before_everything_else),
		cmocka_unit_test(errors_cannot_move_the_cursor),
		cmocka_unit_test(load_reports_a_dry_run_and_explains_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
