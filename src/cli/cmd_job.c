/* walmill job and walmill verify, through the running instance's jobs API. */
#include <stdio.h>
#include <stdlib.h>

#include "base/js.h"
#include "cli/cli.h"

static const char *name_option;
static bool replace;

static int submit(struct cli *c)
{
	const char *name = name_option;
	struct buf body = BUF_INIT(8 << 20), answer = BUF_INIT(1 << 20), path = BUF_INIT(4096);
	struct err err = ERR_INIT;
	char plain[200] = "";
	int rc;

	if (c->argc != 1)
		return cli_usage("walmill job submit needs a FILE");
	if (!name) {
		const char *slash = strrchr(c->argv[0], '/');
		char *dot;

		snprintf(plain, sizeof(plain), "%s", slash ? slash + 1 : c->argv[0]);
		dot = strrchr(plain, '.');
		if (dot && dot != plain)
			*dot = '\0';
		name = plain;
	}
	buf_puts(&path, "/jobs?name=");
	cli_put_escaped(&path, name);
	if (replace)
		buf_puts(&path, "&replace=true");
	rc = io_read_file(io_system(), c->argv[0], &body, &err)
		? cli_error(&err)
		: cli_call(c, SET_JOBS_LISTEN, "POST", buf_cstr(&path), buf_view(&body), &answer);
	if (rc == 0)
		printf(c->json ? "%s\n" : "submitted: %s\n", buf_cstr(&answer));
	buf_release(&body);
	buf_release(&answer);
	buf_release(&path);
	return rc;
}

/* The names of all jobs that are not canceled, one a line into *names; and a table on stdout when `print`. */
static int list(struct cli *c, bool print, struct buf *names)
{
	struct view name = VIEW_NULL, state = VIEW_NULL, step = VIEW_NULL, position = VIEW_NULL, error = VIEW_NULL;
	struct buf answer = BUF_INIT(64 << 20);
	int rc = cli_call(c, SET_JOBS_LISTEN, "GET", "/jobs/overview", VIEW_NULL, &answer);
	struct arena a = ARENA_INIT;
	struct js_reader r;
	struct js_token t;

	if (rc == 0 && print && c->json)
		printf("%s\n", buf_cstr(&answer));
	if (rc == 0 && print && !c->json)
		printf("%-24s %-14s %-22s %-16s %s\n", "NAME", "STATE", "STEP", "POSITION", "");
	js_reader_init(&r, buf_view(&answer), 0);
	while (rc == 0 && js_next(&r, &t) != JS_END && t.kind != JS_BAD) {
		if (r.depth == 3 && view_is(t.key, "name")) {
			name = js_unescape(&a, t.text, t.text_escaped);
			error = VIEW_NULL;
		} else if (r.depth == 4 && view_is(t.key, "state")) {
			state = t.text;
		} else if (r.depth == 4 && view_is(t.key, "step")) {
			step = t.text;
		} else if (r.depth == 4 && view_is(t.key, "position")) {
			position = t.text;
		} else if (r.depth == 4 && view_is(t.key, "error")) {
			error = js_unescape(&a, t.text, t.text_escaped);
		} else if (t.kind == JS_OBJECT_END && r.depth == 2) {
			if (print && !c->json)
				printf("%-24.*s %-14.*s %-22.*s %-16.*s %.*s\n", (int)name.len, (const char *)name.ptr, (int)state.len,
				       (const char *)state.ptr, (int)step.len, (const char *)step.ptr, (int)position.len, (const char *)position.ptr,
				       (int)error.len, (const char *)error.ptr);
			if (names && !view_is(state, "CANCELED")) {
				buf_putv(names, name);
				buf_putc(names, '\n');
			}
		}
	}
	arena_release(&a);
	buf_release(&answer);
	return rc;
}

static int one(struct cli *c, const char *verb)
{
	static const struct {
		const char *verb, *method, *tail;
	} verbs[] = {{"explain", "GET", "/explain"}, {"sql", "GET", "/sql"}, {"status", "GET", ""}, {"pause", "PUT", "/pause"},
		{"resume", "PUT", "/resume"}, {"repair", "PUT", "/repair"}, {"cancel", "PATCH", "?mode=cancel"}};
	struct buf path = BUF_INIT(4096), answer = BUF_INIT(64 << 20);
	size_t i;
	int rc;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]) && strcmp(verbs[i].verb, verb) != 0; i++)
		;
	if (i == sizeof(verbs) / sizeof(verbs[0]))
		return cli_usage("unknown: walmill job %s", verb);
	if (c->argc != 1)
		return cli_usage("walmill job %s needs the job's name", verb);
	buf_puts(&path, "/jobs/");
	cli_put_escaped(&path, c->argv[0]);
	buf_puts(&path, verbs[i].tail);
	rc = cli_call(c, SET_JOBS_LISTEN, verbs[i].method, buf_cstr(&path), VIEW_NULL, &answer);
	if (rc == 0 && strcmp(buf_cstr(&answer), "{}") != 0)
		printf("%s\n", buf_cstr(&answer));
	buf_release(&path);
	buf_release(&answer);
	return rc;
}

static int run_job(struct cli *c)
{
	const char *verb = c->argc ? c->argv[0] : NULL;

	if (!verb)
		return cli_usage("walmill job: submit, list, explain, status, sql, pause, resume, repair or cancel?");
	c->argc--;
	c->argv++;
	return strcmp(verb, "submit") == 0 ? submit(c) : strcmp(verb, "list") == 0 ? list(c, true, NULL) : one(c, verb);
}

/* ---- verify ---- */

/* 0 equal, 1 different, 2 not compared */
static int verify_one(struct cli *c, const char *name)
{
	struct buf path = BUF_INIT(4096), answer = BUF_INIT(64 << 20);
	struct view report = VIEW_NULL, cut = VIEW_NULL;
	struct arena a = ARENA_INIT;
	struct js_reader r;
	struct js_token t;
	uint64_t rows = 0, differences = 0, held = 0;
	bool equal = false;
	int rc = EXIT_NOT_COMPARED;

	buf_puts(&path, "/jobs/");
	cli_put_escaped(&path, name);
	buf_puts(&path, "/verify");
	if (cli_call(c, SET_JOBS_LISTEN, "POST", buf_cstr(&path), VIEW_NULL, &answer))
		goto out;
	js_reader_init(&r, buf_view(&answer), 0);
	while (js_next(&r, &t) != JS_END && t.kind != JS_BAD) {
		const char *text = arena_str(&a, t.text);

		if (view_is(t.key, "equal"))
			equal = t.kind == JS_TRUE;
		else if (view_is(t.key, "rows"))
			rows = strtoull(text, NULL, 10);
		else if (view_is(t.key, "differences"))
			differences = strtoull(text, NULL, 10);
		else if (view_is(t.key, "held_us"))
			held = strtoull(text, NULL, 10);
		else if (view_is(t.key, "cut"))
			cut = t.text;
		else if (view_is(t.key, "report"))
			report = js_unescape(&a, t.text, t.text_escaped);
	}
	if (c->json)
		printf("%s\n", buf_cstr(&answer));
	else
		printf("%.*s%s: %s at %.*s, %llu rows, %llu differences, held %llu ms\n", (int)report.len, (const char *)report.ptr, name,
			equal ? "equal" : "different", (int)cut.len, (const char *)cut.ptr, (unsigned long long)rows, (unsigned long long)differences,
			(unsigned long long)held / 1000);
	rc = equal ? 0 : 1;
out:
	arena_release(&a);
	buf_release(&path);
	buf_release(&answer);
	return rc;
}

static int run_verify(struct cli *c)
{
	struct buf names = BUF_INIT(1 << 20);
	int rc = 0, i;
	char *line, *save = NULL;

	for (i = 0; i < c->argc; i++) {
		int one_rc = verify_one(c, c->argv[i]);

		rc = one_rc > rc ? one_rc : rc;
	}
	if (c->argc == 0) {
		if (list(c, false, &names))
			rc = EXIT_NOT_COMPARED;
		buf_cstr(&names);
		for (line = names.len ? strtok_r((char *)names.ptr, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
			int one_rc = verify_one(c, line);

			rc = one_rc > rc ? one_rc : rc;
		}
		if (rc == 0 && names.len == 0) {
			fprintf(stderr, "walmill: there is no job to verify\n");
			rc = EXIT_NOT_COMPARED;
		}
	}
	buf_release(&names);
	return rc;
}

static const struct cli_option job_options[] = {
	{"--name", "N", "submit: the job's name; else the file's", &name_option, NULL},
	{"--replace", NULL, "submit: rows that stand in the targets may be replaced", NULL, &replace},
};

const struct command command_job = {
	"job",
	"job submit FILE [--name N] [--replace] | list | status|explain|sql N | pause|resume|repair|cancel N",
	"jobs of the running instance",
	job_options,
	2,
	run_job,
};

const struct command command_verify = {
	"verify",
	"verify [JOB...]",
	"compare the jobs' tables with their SQL while writers go on; exit 0 equal, 1 different, 2 not compared",
	NULL,
	0,
	run_verify,
};
