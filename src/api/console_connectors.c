/* GET /api/connectors, /api/connectors/{name} */
#include <stdio.h>

#include "api/console.h"
#include "base/js.h"

struct listing {
	const struct api *api;
	struct buf *b;
	struct links links;
};

static void put_lsn(struct buf *b, const char *key, lsn_t lsn)
{
	js_put_key(b, key);
	if (lsn)
		buf_printf(b, "\"" LSN_FORMAT "\"", LSN_ARGS(lsn));
	else
		buf_puts(b, "null");
}

static void put_task(struct buf *b, const struct connector_status *s)
{
	js_put_key(b, "tasks");
	buf_putc(b, '[');
	if (s->has_task) {
		buf_putc(b, '{');
		console_put_int(b, "id", 0);
		console_put_text(b, "state", view_str(connector_state_name(s->state)));
		js_put_key(b, "trace");
		console_put_error(b, &s->error);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void put_slot(struct buf *b, const struct connector_config *cfg, const struct connector_status *s)
{
	console_put_text(b, "slot", cfg->slot);
	console_put_text(b, "publication", cfg->publication);
	put_lsn(b, "durableLsn", s->durable);
	put_lsn(b, "confirmedLsn", s->confirmed ? s->confirmed : s->slot.confirmed);
	put_lsn(b, "restartLsn", s->slot.restart);
	js_put_key(b, "walStatus");
	if (s->slot.seen_us)
		js_put_str(b, s->slot.wal_status);
	else
		buf_puts(b, "null");
	console_put_known(b, "retainedWalBytes", s->slot.seen_us != 0, s->slot.retained_bytes);
}

/* What is not durable yet of what the server said it has; seconds since the newest transaction only while there is some. */
static void put_lag(const struct api *api, struct buf *b, const struct connector_status *s)
{
	int64_t bytes = s->server_end > s->durable ? (int64_t)(s->server_end - s->durable) : 0;

	console_put_known(b, "lagBytes", s->server_end != 0, bytes);
	js_put_key(b, "lagSeconds");
	if (!s->server_end)
		buf_puts(b, "null");
	else if (bytes && s->last_commit_us)
		buf_printf(b, "%.3f", (double)(io_now_us(api->io) - s->last_commit_us) / 1e6);
	else
		buf_puts(b, "0");
	console_put_time(b, "lastEventAt", s->last_commit_us);
}

/* The configuration as it was given, but for secrets. */
static void put_config(struct buf *b, struct view json)
{
	struct js_reader r;
	struct js_token t;

	js_reader_init(&r, json, 0);
	js_put_key(b, "config");
	buf_putc(b, '{');
	js_next(&r, &t);
	while (js_next(&r, &t) == JS_STRING) {
		bool secret = memmem(t.key.ptr, t.key.len, "password", 8) || memmem(t.key.ptr, t.key.len, "secret", 6);

		js_put_comma(b);
		buf_printf(b, "\"%.*s\":\"%.*s\"", (int)t.key.len, (const char *)t.key.ptr, secret ? 8 : (int)t.text.len,
			secret ? "********" : (const char *)t.text.ptr);
	}
	buf_putc(b, '}');
}

static int put_one(void *arg, struct connector *c)
{
	struct listing *l = arg;
	const struct connector_config *cfg = connector_config(c);
	struct connector_status s;
	struct buf *b = l->b;

	connector_status(c, &s);
	js_put_comma(b);
	buf_putc(b, '{');
	console_put_text(b, "name", cfg->name);
	console_put_text(b, "state", view_str(connector_state_name(s.state)));
	console_put_text(b, "step", view_str(connector_step_name(s.step)));
	put_task(b, &s);
	put_slot(b, cfg, &s);
	put_lag(l->api, b, &s);
	console_put_int(b, "rows", (int64_t)s.counts.rows);
	console_put_int(b, "events", (int64_t)s.counts.events);
	console_put_int(b, "transactions", (int64_t)s.counts.transactions);
	js_put_key(b, "snapshot");
	buf_printf(b, "{\"state\":\"%s\",\"rows\":%llu,\"tables\":%llu,\"tablesDone\":%llu}",
		s.snapshot_done ? "done" : s.step == STEP_SNAPSHOT ? "running" : "pending", (unsigned long long)s.counts.snapshot_rows,
		(unsigned long long)s.counts.snapshot_tables, (unsigned long long)s.counts.snapshot_tables_done);
	js_put_key(b, "warnings");
	api_put_lines(b, buf_view(&s.warnings));
	links_put_of_connector(&l->links, cfg->name, b);
	put_config(b, cfg->json);
	buf_putc(b, '}');
	buf_release(&s.warnings);
	return 0;
}

void console_put_connectors(const struct api *api, struct buf *b)
{
	struct listing l = {.api = api, .b = b};

	links_collect(l.api, &l.links);
	buf_putc(b, '[');
	registry_connector_each(api->registry, put_one, &l);
	buf_putc(b, ']');
	links_release(&l.links);
}

void console_connectors(struct call *c)
{
	console_put_connectors(c->api, &c->out->body);
}

static void put_with(void *arg, struct connector *connector)
{
	put_one(arg, connector);
}

void console_connector(struct call *c)
{
	struct listing l = {.api = c->api, .b = &c->out->body};

	links_collect(l.api, &l.links);
	if (!registry_connector_with(c->api->registry, c->args[0], put_with, &l))
		problem_say(c, 404, "there is no connector \"%.*s\"", (int)c->args[0].len, (const char *)c->args[0].ptr);
	links_release(&l.links);
}
