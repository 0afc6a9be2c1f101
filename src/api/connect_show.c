/* What a connector is and does, in the shapes of Kafka Connect. */
#include <stdio.h>

#include "api/connect_int.h"

/* ---- pieces ---- */

static void put_task_id(struct buf *b, struct view name)
{
	buf_puts(b, "{\"connector\":");
	js_put_string(b, name);
	buf_puts(b, ",\"task\":0}");
}

static bool has_task(struct connector *c)
{
	struct connector_status s;

	connector_status(c, &s);
	buf_release(&s.warnings);
	return s.has_task;
}

static void put_info(struct buf *b, struct connector *c, bool tasks)
{
	const struct connector_config *cfg = connector_config(c);

	buf_puts(b, "{\"name\":");
	js_put_string(b, cfg->name);
	buf_puts(b, ",\"config\":");
	buf_putv(b, cfg->json);
	buf_puts(b, ",\"tasks\":[");
	if (tasks && has_task(c))
		put_task_id(b, cfg->name);
	buf_puts(b, "],\"type\":\"source\"}");
}

static void put_trace(struct buf *b, const struct err *err)
{
	js_put_key(b, "trace");
	api_put_error_text(b, err);
}

static void put_lsn(struct buf *b, const char *key, lsn_t lsn)
{
	js_put_key(b, key);
	buf_printf(b, "\"" LSN_FORMAT "\"", LSN_ARGS(lsn));
}

/* What Connect's status does not have is under "walmill", which its clients ignore. */
static void put_own(struct buf *b, struct connector_status *s)
{
	js_put_key(b, "walmill");
	buf_printf(b,
		"{\"step\":\"%s\",\"snapshot_done\":%s,\"rows\":%llu,\"events\":%llu,\"transactions\":%llu,\"snapshot_rows\":%llu,\"last_commit_"
		"us\":%lld",
		connector_step_name(s->step), s->snapshot_done ? "true" : "false", (unsigned long long)s->counts.rows,
		(unsigned long long)s->counts.events, (unsigned long long)s->counts.transactions, (unsigned long long)s->counts.snapshot_rows,
		(long long)s->last_commit_us);
	put_lsn(b, "durable_lsn", s->durable);
	put_lsn(b, "confirmed_lsn", s->confirmed);
	if (s->error.code) {
		js_put_key(b, "error");
		js_put_str(b, s->error.text);
	}
	js_put_key(b, "warnings");
	api_put_lines(b, buf_view(&s->warnings));
	buf_putc(b, '}');
}

static void put_task_state(struct buf *b, const struct connector_status *s, const char *worker, bool restarting)
{
	buf_printf(b, "{\"id\":0,\"state\":\"%s\",\"worker_id\":\"%s\"", restarting ? "RESTARTING" : connector_state_name(s->state), worker);
	if (s->state == CONNECTOR_FAILED && !restarting)
		put_trace(b, &s->error);
	buf_putc(b, '}');
}

static void put_status(struct buf *b, struct connector *c, const char *worker, unsigned restarting)
{
	struct connector_status s;

	connector_status(c, &s);
	buf_puts(b, "{\"name\":");
	js_put_string(b, connector_config(c)->name);
	/* as in Connect, it is the task that fails; the connector itself goes on existing */
	buf_printf(b, ",\"connector\":{\"state\":\"%s\",\"worker_id\":\"%s\"},\"tasks\":[",
		restarting & RESTARTING_CONNECTOR      ? "RESTARTING"
			: s.state == CONNECTOR_FAILED ? "RUNNING"
							  : connector_state_name(s.state), worker);
	if (s.has_task)
		put_task_state(b, &s, worker, restarting & RESTARTING_TASK);
	buf_puts(b, "],\"type\":\"source\"");
	put_own(b, &s);
	buf_putc(b, '}');
	buf_release(&s.warnings);
}

/* A task's configuration is the connector's, with the class of the task. (A worker's task that is PAUSED keeps the one that it ran with
 * until it is resumed.) */
static void put_task_config(struct buf *b, const struct connector_config *cfg)
{
	buf_put(b, cfg->json.ptr, cfg->json.len - 1);
	buf_puts(b, ",\"task.class\":\"" CONNECTOR_CLASS "Task\"}");
}

/* ---- one connector ---- */

struct one {
	struct call *call;
	unsigned detail;
};

static void with_info(void *arg, struct connector *c)
{
	struct one *o = arg;

	put_info(&o->call->out->body, c, o->detail);
}

static void with_config(void *arg, struct connector *c)
{
	struct one *o = arg;

	buf_putv(&o->call->out->body, connector_config(c)->json);
}

static void with_status(void *arg, struct connector *c)
{
	struct one *o = arg;

	put_status(&o->call->out->body, c, o->call->api->worker_id, o->detail);
}

static void with_tasks(void *arg, struct connector *c)
{
	struct one *o = arg;
	struct buf *b = &o->call->out->body;

	buf_putc(b, '[');
	if (has_task(c)) {
		buf_puts(b, "{\"id\":");
		put_task_id(b, connector_config(c)->name);
		buf_puts(b, ",\"config\":");
		put_task_config(b, connector_config(c));
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void with_tasks_config(void *arg, struct connector *c)
{
	struct one *o = arg;
	struct buf *b = &o->call->out->body, key = BUF_INIT(4096);

	buf_putc(b, '{');
	if (has_task(c)) {
		buf_putv(&key, connector_config(c)->name);
		buf_puts(&key, "-0");
		js_put_string(b, buf_view(&key));
		buf_putc(b, ':');
		put_task_config(b, connector_config(c));
	}
	buf_putc(b, '}');
	buf_release(&key);
}

static void with_task_status(void *arg, struct connector *c)
{
	struct one *o = arg;
	struct connector_status s;

	connector_status(c, &s);
	buf_release(&s.warnings);
	if (!s.has_task)
		connect_missing(o->call, MISSING_TASK_STATUS);
	else
		put_task_state(&o->call->out->body, &s, o->call->api->worker_id, false);
}

static bool show(struct call *c, struct view name, void (*fn)(void *, struct connector *), unsigned detail)
{
	struct one o = {c, detail};

	c->out->status = 200;
	return registry_connector_with(c->api->registry, name, fn, &o);
}

bool connect_put_info(struct call *c, struct view name, bool tasks)
{
	return show(c, name, with_info, tasks);
}

bool connect_put_status(struct call *c, struct view name, unsigned restarting)
{
	return show(c, name, with_status, restarting);
}

void connect_info(struct call *c)
{
	if (!show(c, c->args[0], with_info, true))
		connect_missing(c, MISSING_CONNECTOR);
}

void connect_config(struct call *c)
{
	if (!show(c, c->args[0], with_config, 0))
		connect_missing(c, MISSING_CONNECTOR);
}

void connect_status(struct call *c)
{
	if (!show(c, c->args[0], with_status, 0))
		connect_missing(c, MISSING_STATUS);
}

void connect_tasks(struct call *c)
{
	if (!show(c, c->args[0], with_tasks, 0))
		connect_missing(c, MISSING_CONNECTOR);
}

void connect_tasks_config(struct call *c)
{
	if (!show(c, c->args[0], with_tasks_config, 0))
		connect_missing(c, MISSING_CONNECTOR);
}

void connect_task_status(struct call *c)
{
	bool first;

	if (connect_task(c, &first) && (!first || !show(c, c->args[0], with_task_status, 0)))
		connect_missing(c, MISSING_TASK_STATUS);
}

/* ---- the list ---- */

struct list {
	const struct api *api;
	struct buf *b;
	bool expand, info, status;
};

static int put_listed(void *arg, struct connector *c)
{
	struct list *l = arg;

	js_put_comma(l->b);
	js_put_string(l->b, connector_config(c)->name);
	if (!l->expand)
		return 0;
	buf_puts(l->b, ":{");
	if (l->status) {
		buf_puts(l->b, "\"status\":");
		put_status(l->b, c, l->api->worker_id, 0);
	}
	if (l->info) {
		js_put_key(l->b, "info");
		put_info(l->b, c, true);
	}
	buf_putc(l->b, '}');
	return 0;
}

void connect_list(struct call *c)
{
	struct list l = {c->api, &c->out->body, http_query_given(c->r, "expand"), http_query_has(c->r, "expand", "info"),
		http_query_has(c->r, "expand", "status")};

	c->out->status = 200;
	buf_putc(l.b, l.expand ? '{' : '[');
	registry_connector_each(c->api->registry, put_listed, &l);
	buf_putc(l.b, l.expand ? '}' : ']');
}
