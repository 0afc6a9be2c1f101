/* Who writes which topic and who reads it. */
#include <stdio.h>

#include "api/console.h"
#include "base/js.h"
#include "model/schema.h"
#include "stream/log_out.h"

struct link_name {
	struct link_name *next;
	struct view name;
};

struct link_job {
	struct link_job *next;
	struct view name, connector;
	struct link_name *tables; /* "schema.name", that it reads */
};

struct link_topic {
	struct link_topic *next;
	struct view name, connector;
};

/* A table's records are in that topic; it has one for each version of the table's schema. */
struct link_table {
	struct link_table *next;
	struct view name, topic, connector;
};

struct collecting {
	struct links *to;
	struct link_job *job;
	struct view connector;
};

static void collect_tables_read(void *arg, const struct job_vertex *v, uint32_t n)
{
	static const char source[] = "Source: ";
	struct collecting *c = arg;
	uint32_t i;

	for (i = 0; i < n; i++)
		if (v[i].kind == JOB_SOURCE && strncmp(v[i].name, source, sizeof(source) - 1) == 0) {
			struct link_name *x = arena_alloc(&c->to->arena, sizeof(*x));

			*x = (struct link_name){c->job->tables, arena_view(&c->to->arena, view_str(v[i].name + sizeof(source) - 1))};
			c->job->tables = x;
		}
}

static int collect_job(void *arg, const struct registry_job *j)
{
	struct collecting *c = arg;
	struct link_job *x = arena_alloc(&c->to->arena, sizeof(*x));
	struct job_status s;

	job_status(j->job, &s);
	*x = (struct link_job){.next = c->to->jobs, .name = arena_view(&c->to->arena, view_str(job_name(j->job))),
		.connector = arena_view(&c->to->arena, view_str(s.connector))};
	c->to->jobs = c->job = x;
	job_graph(j->job, collect_tables_read, c);
	return 0;
}

static int collect_connector(void *arg, struct connector *connector)
{
	struct collecting *c = arg;
	struct link_name *x = arena_alloc(&c->to->arena, sizeof(*x));

	*x = (struct link_name){c->to->connectors, arena_view(&c->to->arena, connector_config(connector)->name)};
	c->to->connectors = x;
	return 0;
}

static void collect_topic(void *arg, struct view topic)
{
	struct collecting *c = arg;
	struct link_topic *x = arena_alloc(&c->to->arena, sizeof(*x));

	*x = (struct link_topic){c->to->topics, arena_view(&c->to->arena, topic), c->connector};
	c->to->topics = x;
}

static int collect_schema(void *arg, struct view stored, struct err *err)
{
	struct collecting *c = arg;
	struct arena a = ARENA_INIT;
	struct table *t;

	if (table_load(stored, &a, &t, err) == 0) {
		struct link_table *x = arena_alloc(&c->to->arena, sizeof(*x));
		const char *name = arena_printf(&c->to->arena, "%.*s.%.*s", (int)t->schema.len, (const char *)t->schema.ptr, (int)t->name.len,
			(const char *)t->name.ptr);

		*x = (struct link_table){c->to->tables, view_str(name), arena_view(&c->to->arena, t->topic), c->connector};
		c->to->tables = x;
	}
	arena_release(&a);
	return 0;
}

void links_collect(const struct api *api, struct links *ret)
{
	struct collecting c = {.to = ret};
	const struct link_name *x;
	struct err ignored = ERR_INIT;

	*ret = (struct links){.arena = ARENA_INIT};
	registry_job_each(api->registry, collect_job, &c);
	registry_connector_each(api->registry, collect_connector, &c);
	/* the registry is locked while it lists, so the rest is asked for after that; a connector that has gone meanwhile has no links */
	for (x = ret->connectors; x; x = x->next) {
		c.connector = x->name;
		if (registry_connector_topics(api->registry, x->name, collect_topic, &c, &ignored) ||
			log_out_schemas(api->log, x->name, collect_schema, &c, &ignored))
			err_clear(&ignored);
	}
}

void links_release(struct links *l)
{
	arena_release(&l->arena);
}

void links_put_of_connector(const struct links *l, struct view connector, struct buf *b)
{
	const struct link_topic *t;
	const struct link_job *j;

	js_put_key(b, "topics");
	buf_putc(b, '[');
	for (t = l->topics; t; t = t->next)
		if (view_eq(t->connector, connector)) {
			js_put_comma(b);
			js_put_string(b, t->name);
		}
	buf_putc(b, ']');
	js_put_key(b, "jobs");
	buf_putc(b, '[');
	for (j = l->jobs; j; j = j->next)
		if (view_eq(j->connector, connector)) {
			js_put_comma(b);
			js_put_string(b, j->name);
		}
	buf_putc(b, ']');
}

/* One of the tables that it reads is published there by the connector that it reads from. */
static bool reads(const struct links *l, const struct link_job *j, struct view topic)
{
	const struct link_table *t;
	const struct link_name *n;

	for (t = l->tables; t; t = t->next)
		if (view_eq(t->topic, topic) && view_eq(t->connector, j->connector))
			for (n = j->tables; n; n = n->next)
				if (view_eq(n->name, t->name))
					return true;
	return false;
}

void links_put_of_topic(const struct links *l, struct view topic, struct buf *b)
{
	const struct link_topic *t = l->topics;
	const struct link_job *j;

	while (t && !view_eq(t->name, topic))
		t = t->next;
	js_put_key(b, "connector");
	if (t)
		js_put_string(b, t->connector);
	else
		buf_puts(b, "null");
	js_put_key(b, "jobs");
	buf_putc(b, '[');
	for (j = l->jobs; j; j = j->next)
		if (reads(l, j, topic)) {
			js_put_comma(b);
			js_put_string(b, j->name);
		}
	buf_putc(b, ']');
}
