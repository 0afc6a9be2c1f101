/* Kafka Connect's REST API in the shapes of a Connect 3.9 worker: routes, and the life of connectors. See connect_int.h. */
#include <stdio.h>
#include <stdlib.h>

#include "api/connect_int.h"

/* ---- what a request says ---- */

bool connect_flag(const struct call *c, const char *name, bool otherwise)
{
	const char *v = http_query(c->r, name);

	return *v ? strcasecmp(v, "true") == 0 : otherwise;
}

bool connect_task(struct call *c, bool *ret_first)
{
	const char *text = arena_str(&c->arena, c->args[1]), *digits = text + (*text == '-' || *text == '+');
	size_t n = strspn(digits, "0123456789");

	*ret_first = false;
	if (n == 0 || n > 9 || digits[n]) {
		api_error_text(c->out, 404, "HTTP 404 Not Found");
		return false;
	}
	c->args[1] = view_str(arena_printf(&c->arena, "%ld", strtol(text, NULL, 10)));
	*ret_first = view_is(c->args[1], "0");
	return true;
}

/* ---- the worker ---- */

static void get_root(struct call *c)
{
	c->out->status = 200;
	buf_printf(&c->out->body, "{\"version\":\"3.9.1\",\"commit\":\"walmill-%s\",\"kafka_cluster_id\":\"%s\"}", c->api->version,
		c->api->cluster_id);
}

static void get_health(struct call *c)
{
	bool stopping = c->api->stopping && c->api->stopping();

	c->out->status = stopping ? 503 : 200;
	buf_printf(&c->out->body, "{\"status\":\"%s\",\"message\":\"%s\"}", stopping ? "unhealthy" : "healthy",
		stopping ? "Worker is shutting down." : "Worker has completed startup and is ready to handle requests.");
}

/* ---- life of a connector ---- */

/* True when it was done; else answered. */
static bool command(struct call *c, enum registry_command cmd, enum connect_missing missing)
{
	struct err err = ERR_INIT;

	if (registry_connector_command(c->api->registry, c->args[0], cmd, &err) == 0)
		return true;
	if (err.code == ERR_NOT_FOUND)
		connect_missing(c, missing);
	else
		api_error(c->out, &err);
	return false;
}

static void put_pause(struct call *c)
{
	if (command(c, REGISTRY_PAUSE, MISSING_UNKNOWN))
		c->out->status = 202;
}

static void put_resume(struct call *c)
{
	if (command(c, REGISTRY_RESUME, MISSING_UNKNOWN))
		c->out->status = 202;
}

static void put_stop(struct call *c)
{
	if (command(c, REGISTRY_STOP, MISSING_UNKNOWN))
		c->out->status = 204;
}

static void delete_connector(struct call *c)
{
	if (command(c, REGISTRY_DELETE, MISSING_CONNECTOR))
		c->out->status = 204;
}

struct seen {
	bool failed, has_task;
};

static void see(void *arg, struct connector *c)
{
	struct seen *seen = arg;
	struct connector_status s;

	connector_status(c, &s);
	buf_release(&s.warnings);
	*seen = (struct seen){s.state == CONNECTOR_FAILED, s.has_task};
}

/*
 * Connector and task are one thread here, so that a restart of either is a new session. With a flag the answer says, as a worker's does,
 * what is being restarted.
 */
static void post_restart(struct call *c)
{
	bool tasks = connect_flag(c, "includeTasks", false), only = connect_flag(c, "onlyFailed", false);
	unsigned restarting;
	struct seen seen;

	if (!registry_connector_with(c->api->registry, c->args[0], see, &seen)) {
		connect_missing(c, MISSING_RESTART);
		return;
	}
	/* what fails is the task: without includeTasks, onlyFailed finds nothing to do */
	restarting = only ? (seen.failed && tasks ? RESTARTING_TASK : 0u) : RESTARTING_CONNECTOR | (tasks ? RESTARTING_TASK : 0u);
	if (restarting && !command(c, REGISTRY_RESTART, MISSING_RESTART))
		return;
	if (!tasks && !only)
		c->out->status = 204;
	else if (!connect_put_status(c, c->args[0], restarting))
		connect_missing(c, MISSING_RESTART);
	else
		c->out->status = 202;
}

static void post_task_restart(struct call *c)
{
	struct seen seen;
	bool first;

	if (!connect_task(c, &first))
		return;
	if (!registry_connector_with(c->api->registry, c->args[0], see, &seen))
		connect_missing(c, MISSING_RESTART);
	else if (!seen.has_task || !first)
		connect_missing(c, MISSING_TASK);
	else if (command(c, REGISTRY_RESTART, MISSING_RESTART))
		c->out->status = 204;
}

/* ---- routes ---- */

static const struct route routes[] = {
	{"GET", "/", get_root, false},
	{"GET", "/health", get_health, false},
	{"GET", "/connectors", connect_list, false},
	{"POST", "/connectors", connect_create, true},
	{"GET", "/connectors/{}", connect_info, false},
	{"DELETE", "/connectors/{}", delete_connector, false},
	{"GET", "/connectors/{}/config", connect_config, false},
	{"PUT", "/connectors/{}/config", connect_put, true},
	{"PATCH", "/connectors/{}/config", connect_patch, true},
	{"GET", "/connectors/{}/status", connect_status, false},
	{"PUT", "/connectors/{}/pause", put_pause, false},
	{"PUT", "/connectors/{}/resume", put_resume, false},
	{"PUT", "/connectors/{}/stop", put_stop, false},
	{"POST", "/connectors/{}/restart", post_restart, false},
	{"GET", "/connectors/{}/tasks", connect_tasks, false},
	{"GET", "/connectors/{}/tasks-config", connect_tasks_config, false},
	{"GET", "/connectors/{}/tasks/{}/status", connect_task_status, false},
	{"POST", "/connectors/{}/tasks/{}/restart", post_task_restart, false},
	{"GET", "/connectors/{}/topics", connect_topics, false},
	{"PUT", "/connectors/{}/topics/reset", connect_reset_topics, false},
	{"GET", "/connectors/{}/offsets", connect_offsets, false},
	{"PATCH", "/connectors/{}/offsets", connect_alter_offsets, true},
	{"DELETE", "/connectors/{}/offsets", connect_reset_offsets, false},
	{"GET", "/connector-plugins", connect_plugins, false},
	{"GET", "/connector-plugins/{}/config", connect_plugin_config, false},
	{"PUT", "/connector-plugins/{}/config/validate", connect_validate, true},
	{"GET", "/admin/loggers", connect_loggers, false},
	{"GET", "/admin/loggers/{}", connect_logger, false},
	{"PUT", "/admin/loggers/{}", connect_set_logger, true},
};

/* Whoever asks what a path can do is told, without the headers that would let pages of other sites use it. */
static void options(struct call *c)
{
	c->out->status = 200;
	c->out->content_type = "text/plain";
	buf_puts(&c->out->body, c->allowed);
}

void api_connect(void *arg, const struct http_request *r, struct http_response *out)
{
	struct call c = {.api = arg, .r = r, .out = out, .arena = ARENA_INIT};

	switch (route_run(routes, sizeof(routes) / sizeof(routes[0]), &c)) {
	case ROUTE_ANSWERED:
		break;
	case ROUTE_NO_PATH:
		api_error_text(out, 404, "HTTP 404 Not Found");
		break;
	case ROUTE_NO_METHOD:
		if (strcmp(r->method, "OPTIONS") == 0)
			options(&c);
		else
			api_error_text(out, 405, "HTTP 405 Method Not Allowed");
		break;
	case ROUTE_NO_TYPE:
		api_error_text(out, 415, "HTTP 415 Unsupported Media Type");
		break;
	}
	arena_release(&c.arena);
}
