/* GET /api/health: is it well, and if not, what is the matter and where to look. */
#include <stdio.h>
#include <unistd.h>

#include "api/console.h"
#include "base/js.h"

static void put_check(struct buf *b, const char *kind, const char *name, const char *status, const char *detail, const struct err *why)
{
	js_put_comma(b);
	buf_printf(b, "{\"name\":\"%s", kind);
	if (name) {
		struct buf text = BUF_INIT(1024);

		js_put_str(&text, name);
		buf_printf(b, ":%.*s", (int)text.len - 1, (const char *)text.ptr + 1);
		buf_release(&text);
	} else {
		buf_putc(b, '"');
	}
	console_put_text(b, "status", view_str(status));
	console_put_text(b, "detail", view_str(why && why->code ? why->text : detail));
	js_put_key(b, "hint");
	if (why && why->hint[0])
		js_put_str(b, why->hint);
	else
		buf_puts(b, "null");
	js_put_key(b, "link");
	if (name) {
		struct buf text = BUF_INIT(1024);

		buf_printf(&text, "/%ss/%s", kind, name);
		js_put_string(b, buf_view(&text));
		buf_release(&text);
	} else {
		buf_puts(b, "null");
	}
	buf_putc(b, '}');
}

static int check_connector(void *arg, struct connector *c)
{
	struct buf *b = arg;
	struct arena a = ARENA_INIT;
	const char *name = arena_str(&a, connector_config(c)->name);
	struct connector_status s;

	connector_status(c, &s);
	if (s.state == CONNECTOR_FAILED)
		put_check(b, "connector", name, "failed", "", &s.error);
	else if (s.state == CONNECTOR_RUNNING && s.step == STEP_WAITING)
		put_check(b, "connector", name, "warning", "waiting to try again", &s.error);
	else if (s.state == CONNECTOR_RUNNING && !s.snapshot_done)
		put_check(b, "connector", name, "warning", "has not finished its first snapshot", NULL);
	else if (strcmp(s.slot.wal_status, "unreserved") == 0 || strcmp(s.slot.wal_status, "lost") == 0)
		put_check(b, "connector", name, "warning", "the server is about to remove WAL that the slot needs, or has done so", NULL);
	else
		put_check(b, "connector", name, "ok", connector_state_name(s.state), NULL);
	buf_release(&s.warnings);
	arena_release(&a);
	return 0;
}

static int check_job(void *arg, const struct registry_job *j)
{
	struct buf *b = arg;
	struct job_status s;

	job_status(j->job, &s);
	if (s.state == JOB_CANCELED)
		return 0;
	if (s.state == JOB_FAILED || s.state == JOB_DEGRADED)
		put_check(b, "job", job_name(j->job), "failed", "", &s.error);
	else if (s.state == JOB_CREATED || (s.state == JOB_INITIALIZING && !s.kept))
		put_check(b, "job", job_name(j->job), "warning", "has not brought its tables up yet", &s.error);
	else
		put_check(b, "job", job_name(j->job), s.error.code ? "warning" : "ok", job_state_name(s.state), &s.error);
	return 0;
}

void console_put_checks(const struct api *api, struct buf *b)
{
	struct err err = ERR_INIT;
	struct log_stats s;

	buf_putc(b, '[');
	log_stats(api->log, &s);
	if (log_failed(api->log, &err))
		put_check(b, "log", NULL, "failed", "", &err);
	else if (s.full)
		put_check(b, "log", NULL, "failed", "the disk is full: nothing is acknowledged until there is room", NULL);
	else
		put_check(b, "log", NULL, "ok", "durable", NULL);
	registry_connector_each(api->registry, check_connector, b);
	registry_job_each(api->registry, check_job, b);
	buf_putc(b, ']');
}

/* Resident memory, proc(5): the second number of statm, in pages. */
static int64_t memory_bytes(void)
{
	long long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%lld %lld", &size, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	return resident * sysconf(_SC_PAGESIZE);
}

static const char *worst(struct view checks)
{
	return memmem(checks.ptr, checks.len, "\"status\":\"failed\"", 17)  ? "failed"
	     : memmem(checks.ptr, checks.len, "\"status\":\"warning\"", 18) ? "degraded"
									    : "ok";
}

void console_health(struct call *c)
{
	const struct api *api = c->api;
	struct buf *b = &c->out->body, checks = BUF_INIT(SIZE_MAX);
	int64_t now = io_now_us(api->io);
	struct log_stats s;
	unsigned i;

	log_stats(api->log, &s);
	console_put_checks(api, &checks);
	buf_putc(b, '{');
	console_put_text(b, "status", view_str(worst(buf_view(&checks))));
	console_put_text(b, "version", view_str(api->version));
	console_put_time(b, "startedAt", api->started_us);
	console_put_int(b, "uptimeSeconds", (now - api->started_us) / 1000000);
	console_put_int(b, "memoryBytes", memory_bytes());
	console_put_text(b, "dataDirectory", view_str(api->data_dir));
	console_put_int(b, "logBytes", (int64_t)s.disk_bytes);
	console_put_int(b, "freeBytes", (int64_t)s.free_bytes);
	js_put_key(b, "checks");
	buf_putv(b, buf_view(&checks));
	js_put_key(b, "listeners");
	buf_putc(b, '[');
	for (i = 0; i < api->nlisteners; i++) {
		js_put_comma(b);
		buf_putc(b, '{');
		console_put_text(b, "name", view_str(api->listeners[i].name));
		console_put_text(b, "address", view_str(api->listeners[i].address));
		buf_putc(b, '}');
	}
	buf_puts(b, "]}");
	buf_release(&checks);
}
