/* walmill topic: everything through the running instance, but for verify-log, over the files of one that is stopped. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/js.h"
#include "base/mem.h"
#include "cli/instance.h"

/* Marks of a topic's partition 0 in the list; false when it is not there. */
static bool find_marks(struct view answer, const char *name, int64_t *start, int64_t *high)
{
	struct js_reader r;
	struct js_token t;
	struct arena a = ARENA_INIT;
	bool mine = false, found = false;

	js_reader_init(&r, answer, 0);
	while (!found && js_next(&r, &t) != JS_END && t.kind != JS_BAD) {
		if (view_is(t.key, "name"))
			mine = view_is(js_unescape(&a, t.text, t.text_escaped), name);
		if (mine && view_is(t.key, "start"))
			*start = strtoll(arena_str(&a, t.text), NULL, 10);
		if (mine && view_is(t.key, "high")) {
			*high = strtoll(arena_str(&a, t.text), NULL, 10);
			found = true;
		}
	}
	arena_release(&a);
	return found;
}

static int list(struct cli *c)
{
	struct buf answer = BUF_INIT(64 << 20);
	int rc = cli_call(c, SET_JOBS_LISTEN, "GET", "/topics", VIEW_NULL, &answer);
	struct arena a = ARENA_INIT;
	struct view name = VIEW_NULL, partition = VIEW_NULL, start = VIEW_NULL, high = VIEW_NULL;
	struct js_reader r;
	struct js_token t;

	if (rc == 0 && c->json)
		printf("%s\n", buf_cstr(&answer));
	else if (rc == 0)
		printf("%-48s %9s %14s %14s\n", "TOPIC", "PARTITION", "START", "END");
	js_reader_init(&r, buf_view(&answer), 0);
	while (rc == 0 && !c->json && js_next(&r, &t) != JS_END && t.kind != JS_BAD) {
		if (view_is(t.key, "name"))
			name = js_unescape(&a, t.text, t.text_escaped);
		else if (view_is(t.key, "partition"))
			partition = t.text;
		else if (view_is(t.key, "start"))
			start = t.text;
		else if (view_is(t.key, "high"))
			high = t.text;
		else if (view_is(t.key, "bytes"))
			printf("%-48.*s %9.*s %14.*s %14.*s\n", (int)name.len, (const char *)name.ptr, (int)partition.len, (const char *)partition.ptr,
			       (int)start.len, (const char *)start.ptr, (int)high.len, (const char *)high.ptr);
	}
	arena_release(&a);
	buf_release(&answer);
	return rc;
}

/* ---- tail ---- */

static const char *from, *count;
static bool follow;

struct tail {
	struct cli *c;
	const char *name;
	int64_t next, end, left;   /* end: where to stop, -1 = follow; left: records to print, -1 = all */
};

/* Prints the lines of one answer; the offset in front is left out with --json, which is the recorded events' format. */
static void print_lines(struct tail *t, const char *text)
{
	while (*text && t->left != 0) {
		const char *nl = strchr(text, '\n');
		static const char head[] = "{\"offset\": ";
		int64_t offset;
		const char *rest = strstr(text, "\"partition\"");

		if (!nl || !rest || strncmp(text, head, sizeof(head) - 1) != 0)
			break;
		offset = strtoll(text + sizeof(head) - 1, NULL, 10);
		t->next = offset + 1;
		if (t->end >= 0 && offset >= t->end)
			return;
		if (t->c->json)
			printf("{%.*s\n", (int)(nl - rest), rest);
		else
			printf("%.*s\n", (int)(nl - text), text);
		if (t->left > 0)
			t->left--;
		text = nl + 1;
	}
	fflush(stdout);
}

static int read_some(struct tail *t, bool *ret_any)
{
	struct buf path = BUF_INIT(4096), answer = BUF_INIT((size_t)1 << 30);
	int64_t before = t->next;
	int rc;

	buf_puts(&path, "/topics/");
	cli_put_escaped(&path, t->name);
	buf_printf(&path, "/records?offset=%lld", (long long)t->next);
	rc = cli_call(t->c, SET_JOBS_LISTEN, "GET", buf_cstr(&path), VIEW_NULL, &answer);
	if (rc == 0)
		print_lines(t, buf_cstr(&answer));
	*ret_any = t->next != before;
	buf_release(&path);
	buf_release(&answer);
	return rc;
}

static int tail(struct cli *c)
{
	struct buf answer = BUF_INIT(64 << 20);
	struct tail t = {.c = c};
	int64_t start = 0, high = 0;
	bool any = true;
	int rc;

	if (c->argc != 1)
		return cli_usage("walmill topic tail needs a topic");
	t.name = c->argv[0];
	rc = cli_call(c, SET_JOBS_LISTEN, "GET", "/topics", VIEW_NULL, &answer);
	if (rc == 0 && !find_marks(buf_view(&answer), t.name, &start, &high)) {
		fprintf(stderr, "walmill: topic \"%s\" does not exist\n", t.name);
		rc = EXIT_FAILED;
	}
	buf_release(&answer);
	if (rc)
		return rc;
	t.left = count ? strtoll(count, NULL, 10) : -1;
	t.end = follow ? -1 : high;
	t.next = !from || strcmp(from, "beginning") == 0 ? start : strcmp(from, "end") == 0 ? high : strtoll(from, NULL, 10);
	while (rc == 0 && t.left != 0 && (follow || (any && t.next < t.end))) {
		rc = read_some(&t, &any);
		if (rc == 0 && !any && follow) {
			struct timespec pause = {0, 100000000};

			nanosleep(&pause, NULL); /* the listener has no long poll: the Kafka protocol is for that */
		}
	}
	return rc;
}

/* ---- create, describe, delete ---- */

static const char *partitions, *config;
static bool force;

/* KEY=VALUE,... as members of a JSON object. */
static int put_configs(struct buf *b, const char *text)
{
	while (text && *text) {
		size_t n = strcspn(text, ","), key = strcspn(text, "=");

		if (key >= n)
			return cli_usage("--with is KEY=VALUE, several with commas between them, not \"%s\"", text);
		js_put_comma(b);
		js_put_string(b, view_of(text, key));
		buf_putc(b, ':');
		js_put_string(b, view_of(text + key + 1, n - key - 1));
		text += n + (text[n] == ',');
	}
	return 0;
}

static int create(struct cli *c)
{
	struct buf body = BUF_INIT(1 << 20), answer = BUF_INIT(1 << 20);
	int rc;

	if (c->argc != 1)
		return cli_usage("walmill topic create needs a topic");
	buf_puts(&body, "{\"name\":");
	js_put_str(&body, c->argv[0]);
	buf_printf(&body, ",\"partitions\":%lld,\"config\":{", partitions ? strtoll(partitions, NULL, 10) : 1);
	rc = put_configs(&body, config);
	buf_puts(&body, "}}");
	if (rc == 0)
		rc = cli_call(c, SET_JOBS_LISTEN, "POST", "/topics", buf_view(&body), &answer);
	if (rc == 0 && c->json)
		printf("%s\n", buf_cstr(&answer));
	else if (rc == 0)
		printf("topic \"%s\" created\n", c->argv[0]);
	buf_release(&body);
	buf_release(&answer);
	return rc;
}

static int call_topic(struct cli *c, const char *method, const char *query, struct buf *answer)
{
	struct buf path = BUF_INIT(4096);
	int rc;

	buf_puts(&path, "/topics/");
	cli_put_escaped(&path, c->argv[0]);
	buf_puts(&path, query);
	rc = cli_call(c, SET_JOBS_LISTEN, method, buf_cstr(&path), VIEW_NULL, answer);
	buf_release(&path);
	return rc;
}

static int describe(struct cli *c)
{
	struct buf answer = BUF_INIT(16 << 20);
	int rc;

	if (c->argc != 1)
		return cli_usage("walmill topic describe needs a topic");
	rc = call_topic(c, "GET", "", &answer);
	if (rc == 0)
		printf("%s\n", buf_cstr(&answer));
	buf_release(&answer);
	return rc;
}

static int delete(struct cli *c)
{
	struct buf answer = BUF_INIT(1 << 20);
	int rc;

	if (c->argc != 1)
		return cli_usage("walmill topic delete needs a topic");
	rc = call_topic(c, "DELETE", force ? "?force=true" : "", &answer);
	if (rc == 0)
		printf("topic \"%s\" deleted\n", c->argv[0]);
	buf_release(&answer);
	return rc;
}

/* ---- verify-log ---- */

static void found(void *arg, const char *line)
{
	printf("%s\n", line);
}

static int verify_log(struct cli *c)
{
	struct log_settings s = log_settings_default();
	struct log_verify_report r;
	struct err err = ERR_INIT;
	struct log *log;
	struct buf dir = BUF_INIT(4096);
	int rc;

	s.manual = true;
	buf_printf(&dir, "%s/log", settings_text(c->settings, SET_DATA));
	rc = log_open(io_system(), buf_cstr(&dir), &s, &log, &err);
	buf_release(&dir);
	if (rc)
		return cli_error(&err);
	rc = log_verify(log, &r, found, NULL, &err);
	printf(c->json ? "{\"segments\":%llu,\"units\":%llu,\"batches\":%llu,\"bytes\":%llu,\"damaged\":%llu}\n"
				   : "%llu segments, %llu units, %llu batches, %llu bytes: %llu damaged\n",
		(unsigned long long)r.segments, (unsigned long long)r.units, (unsigned long long)r.batches, (unsigned long long)r.bytes,
		(unsigned long long)r.damaged);
	log_close(log);
	return rc ? cli_error(&err) : 0;
}

static int run(struct cli *c)
{
	const char *verb = c->argc ? c->argv[0] : NULL;

	if (!verb)
		return cli_usage("walmill topic: list, describe, create, delete, tail or verify-log?");
	c->argc--;
	c->argv++;
	if (strcmp(verb, "list") == 0)
		return list(c);
	if (strcmp(verb, "tail") == 0)
		return tail(c);
	if (strcmp(verb, "create") == 0)
		return create(c);
	if (strcmp(verb, "describe") == 0)
		return describe(c);
	if (strcmp(verb, "delete") == 0)
		return delete(c);
	if (strcmp(verb, "verify-log") == 0)
		return verify_log(c);
	return cli_usage("unknown: walmill topic %s", verb);
}

static const struct cli_option options[] = {
	{"--from", "WHERE", "tail: beginning (default), end, or an offset", &from, NULL},
	{"-n", "N", "tail: at most N records", &count, NULL},
	{"--follow", NULL, "tail: go on with what comes", NULL, &follow},
	{"--partitions", "N", "create: partitions (1)", &partitions, NULL},
	{"--with", "K=V,...", "create: configuration as Kafka names it", &config, NULL},
	{"--force", NULL, "delete: also what a job may still need", NULL, &force},
};

const struct command command_topic = {
	"topic",
	"topic list | describe T | create T [--partitions N] [--with K=V,...] | delete T [--force]\n"
	"       | tail T [--from beginning|end|OFFSET] [-n N] [--follow] | verify-log",
	"topics of the log", options, 6, run,
};
