/* Errors of the Connect face: {"error_code":n,"message":...}, with a worker's sentences where it has one. What the client sent wrongly is
 * always a 4xx here; a worker answers 500 to a body that it cannot read. */
#include <stdio.h>

#include "api/connect_int.h"
#include "base/text.h"

void api_error_text(struct http_response *out, unsigned status, const char *fmt, ...)
{
	struct buf text = BUF_INIT(1 << 20);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	out->status = status;
	buf_clear(&out->body);
	buf_printf(&out->body, "{\"error_code\":%u,\"message\":", status);
	js_put_string(&out->body, view_of(text.ptr, text_utf8_valid_len(buf_view(&text))));
	buf_putc(&out->body, '}');
	buf_release(&text);
}

void api_error(struct http_response *out, const struct err *err)
{
	static const struct {
		enum err_code code;
		unsigned status;
	} table[] = {{ERR_NOT_FOUND, 404}, {ERR_EXISTS, 409}, {ERR_STATE, 409}, {ERR_BUSY, 409}, {ERR_INVALID, 400}, {ERR_UNSUPPORTED, 400},
		{ERR_LIMIT, 400}, {ERR_DATA, 400}};
	unsigned status = 500;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == err->code)
			status = table[i].status;
	if (err->detail[0] || err->hint[0])
		api_error_text(out, status, "%s%s%s%s%s", err->text, err->detail[0] ? ":\n" : "", err->detail, err->hint[0] ? "\n" : "", err->hint);
	else
		api_error_text(out, status, "%s", err->text);
}

void connect_missing(struct call *c, enum connect_missing which)
{
	static const struct {
		const char *before, *behind;
		bool task;
	} sentences[] = {
		[MISSING_CONNECTOR] = {"Connector ", " not found", false},
		[MISSING_UNKNOWN] = {"Unknown connector ", "", false},
		[MISSING_RESTART] = {"Unknown connector: ", "", false},
		[MISSING_STATUS] = {"No status found for connector ", "", false},
		[MISSING_TASK_STATUS] = {"No status found for task ", "", true},
		[MISSING_TASK] = {"Unknown task: ", "", true},
	};
	struct view name = c->args[0], task = sentences[which].task ? c->args[1] : VIEW_NULL;

	api_error_text(c->out, 404, "%s%.*s%s%.*s%s", sentences[which].before, (int)name.len, (const char *)name.ptr, task.len ? "-" : "",
		(int)task.len, (const char *)task.ptr, sentences[which].behind);
}

void connect_bad_body(struct call *c, const struct js_reader *js, const char *what)
{
	struct err err = ERR_INIT;

	js_error(js, what, &err);
	api_error(c->out, &err);
}

bool connect_body(struct call *c, const char *what, struct js_reader *js)
{
	struct js_token t;

	if (!text_utf8_valid(c->r->body)) {
		api_error_text(c->out, 400, "%s is not valid UTF-8", what);
		return false;
	}
	/* the whole of it first: nothing is done by halves */
	js_reader_init(js, c->r->body, 0);
	if (js_next(js, &t) == JS_BAD || js_skip(js, &t) == JS_BAD || js_next(js, &t) != JS_END) {
		connect_bad_body(c, js, what);
		return false;
	}
	js_reader_init(js, c->r->body, 0);
	if (js_next(js, &t) != JS_OBJECT) {
		api_error_text(c->out, 400, "%s must be a JSON object", what);
		return false;
	}
	return true;
}
