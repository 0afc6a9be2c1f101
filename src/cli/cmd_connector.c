/* walmill connector: create, list, status, pause, resume, restart, delete, through the running instance's Connect API. */
#include <stdio.h>

#include "base/js.h"
#include "cli/cli.h"

static const char *name, *tables;

static void put_field(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	js_put_key(b, key);
	js_put_str(b, value);
}

/* A configuration from --name and --tables: what most people want from a connector. It names no server, so it is the running instance's
 * `source`, and no password goes into it. */
static void compose(struct buf *b)
{
	struct buf slot = BUF_INIT(128);
	const char *s;

	buf_puts(&slot, "walmill_");
	for (s = name; *s && slot.len < 60; s++)
		buf_putc(&slot, (*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') ? *s : *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : '_');
	buf_puts(b, "{\"name\":");
	js_put_str(b, name);
	buf_puts(b, ",\"config\":{\"connector.class\":\"io.debezium.connector.postgresql.PostgresConnector\",\"plugin.name\":\"pgoutput\"");
	put_field(b, "topic.prefix", name);
	put_field(b, "slot.name", buf_cstr(&slot));
	put_field(b, "publication.name", buf_cstr(&slot));
	put_field(b, "publication.autocreate.mode", "filtered");
	put_field(b, "table.include.list", tables);
	/* forms that keep every value, so that jobs can use every column */
	put_field(b, "decimal.handling.mode", "string");
	put_field(b, "interval.handling.mode", "string");
	put_field(b, "key.converter.schemas.enable", "false");
	put_field(b, "value.converter.schemas.enable", "false");
	buf_puts(b, "}}");
	buf_release(&slot);
}

static int create(struct cli *c)
{
	struct buf body = BUF_INIT(8 << 20), answer = BUF_INIT(64 << 20);
	struct err err = ERR_INIT;
	int rc = 0;

	if (tables && name && c->argc == 0)
		compose(&body);
	else if (c->argc == 1 && !tables)
		rc = io_read_file(io_system(), c->argv[0], &body, &err) ? cli_error(&err) : 0;
	else
		return cli_usage("walmill connector create needs a FILE, or --name N --tables PATTERN");
	if (rc == 0)
		rc = cli_call(c, SET_CONNECT_LISTEN, "POST", "/connectors", buf_view(&body), &answer);
	if (rc == 0 && c->json)
		printf("%s\n", buf_cstr(&answer));
	else if (rc == 0)
		printf("created\n");
	buf_release(&body);
	buf_release(&answer);
	return rc;
}

/* One connector of the expanded list: its members, printed as a line. */
static void print_line(struct js_reader *r, struct view which)
{
	struct view state = VIEW_NULL, step = VIEW_NULL, error = VIEW_NULL, rows = VIEW_NULL;
	struct arena a = ARENA_INIT;
	unsigned depth = r->depth;
	struct js_token t;

	while (js_next(r, &t) != JS_BAD && r->depth >= depth) {
		if (view_is(t.key, "state"))
			state = t.text;
		else if (view_is(t.key, "step"))
			step = t.text;
		else if (view_is(t.key, "rows"))
			rows = t.text;
		else if (view_is(t.key, "error") || (view_is(t.key, "trace") && !error.ptr))
			error = js_unescape(&a, t.text, t.text_escaped);
	}
	printf("%-32.*s %-10.*s %-12.*s %12.*s  %.*s\n", (int)which.len, (const char *)which.ptr, (int)state.len, (const char *)state.ptr,
		(int)step.len, (const char *)step.ptr, (int)rows.len, (const char *)rows.ptr, (int)error.len, (const char *)error.ptr);
	arena_release(&a);
}

static int list(struct cli *c)
{
	struct buf answer = BUF_INIT(64 << 20);
	int rc = cli_call(c, SET_CONNECT_LISTEN, "GET", "/connectors?expand=status", VIEW_NULL, &answer);
	struct arena a = ARENA_INIT;
	struct js_reader r;
	struct js_token t;

	if (rc == 0 && c->json) {
		printf("%s\n", buf_cstr(&answer));
	} else if (rc == 0) {
		printf("%-32s %-10s %-12s %12s  %s\n", "NAME", "STATE", "STEP", "ROWS", "");
		js_reader_init(&r, buf_view(&answer), 0);
		js_next(&r, &t);
		while (js_next(&r, &t) == JS_OBJECT)
			print_line(&r, js_unescape(&a, t.key, t.key_escaped));
	}
	arena_release(&a);
	buf_release(&answer);
	return rc;
}

static int one(struct cli *c, const char *verb)
{
	static const struct {
		const char *verb, *method, *path;
	} verbs[] = {{"status", "GET", "/status"}, {"pause", "PUT", "/pause"}, {"resume", "PUT", "/resume"}, {"stop", "PUT", "/stop"},
		     {"restart", "POST", "/restart"}, {"delete", "DELETE", ""}};
	struct buf path = BUF_INIT(4096), answer = BUF_INIT(64 << 20);
	size_t i;
	int rc;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]) && strcmp(verbs[i].verb, verb) != 0; i++)
		;
	if (i == sizeof(verbs) / sizeof(verbs[0]))
		return cli_usage("unknown: walmill connector %s", verb);
	if (c->argc != 1)
		return cli_usage("walmill connector %s needs the connector's name", verb);
	buf_puts(&path, "/connectors/");
	cli_put_escaped(&path, c->argv[0]);
	buf_puts(&path, verbs[i].path);
	rc = cli_call(c, SET_CONNECT_LISTEN, verbs[i].method, buf_cstr(&path), VIEW_NULL, &answer);
	if (rc == 0 && answer.len)
		printf("%s\n", buf_cstr(&answer));
	buf_release(&path);
	buf_release(&answer);
	return rc;
}

static int run(struct cli *c)
{
	const char *verb = c->argc ? c->argv[0] : NULL;

	if (!verb)
		return cli_usage("walmill connector: create, list, status, pause, resume, restart or delete?");
	c->argc--;
	c->argv++;
	return strcmp(verb, "create") == 0 ? create(c) : strcmp(verb, "list") == 0 ? list(c) : one(c, verb);
}

static const struct cli_option options[] = {
	{"--name", "N", "create: the connector's name, and its topics' prefix", &name, NULL},
	{"--tables", "PATTERN", "create: the tables to capture, as regular expressions for schema.table", &tables, NULL},
};

const struct command command_connector = {
	"connector", "connector create FILE | create --name N --tables PATTERN | list | status N | pause|resume|stop|restart|delete N",
	"connectors of the running instance", options, 2, run,
};
