/* See problem.h. */
#include "api/problem.h"

#include <stdio.h>

#include "base/js.h"
#include "base/text.h"

static const char *title(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 412:
		return "Precondition Failed";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

static void put_text(struct buf *b, const char *key, struct view v)
{
	js_put_key(b, key);
	js_put_string(b, view_of(v.ptr, text_utf8_valid_len(v)));
}

void problem_set(const struct api *api, const struct http_request *r, struct http_response *out, unsigned status,
	const struct app_faults *faults, const char *detail)
{
	struct buf *b = &out->body;
	uint8_t random[8];
	char id[17];
	unsigned i;

	io_random(api->io, random, sizeof(random));
	for (i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	http_header_add(out, "X-Request-Id", "%s", id);
	if (status == 503)
		http_header_add(out, "Retry-After", "5");
	out->status = status;
	out->content_type = "application/problem+json";
	buf_clear(b);
	buf_puts(b, "{\"type\":\"about:blank\"");
	put_text(b, "title", view_str(title(status)));
	buf_printf(b, ",\"status\":%u", status);
	put_text(b, "detail", view_str(detail));
	put_text(b, "instance", view_str(r->path));
	put_text(b, "requestId", view_str(id));
	if (faults && faults->n) {
		buf_puts(b, ",\"errors\":[");
		for (i = 0; i < faults->n; i++) {
			buf_puts(b, i ? ",{" : "{");
			put_text(b, "pointer", view_str(faults->list[i].pointer));
			put_text(b, "detail", view_str(faults->list[i].detail));
			buf_putc(b, '}');
		}
		buf_putc(b, ']');
	}
	buf_putc(b, '}');
}

void problem_of(
	const struct api *api, const struct http_request *r, struct http_response *out, const struct err *err, const struct app_faults *faults)
{
	static const struct {
		enum err_code code;
		unsigned status;
	} table[] = {{ERR_NOT_FOUND, 404}, {ERR_UNSUPPORTED, 404}, {ERR_EXISTS, 409}, {ERR_STATE, 409}, {ERR_INVALID, 400}, {ERR_DATA, 400},
		{ERR_LIMIT, 413}, {ERR_LOST, 412}, {ERR_CONNECTION, 503}, {ERR_TIMEOUT, 503}, {ERR_BUSY, 503}};
	unsigned status = 500;
	char detail[1100];
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == err->code)
			status = table[i].status;
	snprintf(detail, sizeof(detail), "%s%s%s", err->text, err->hint[0] ? "; " : "", err->hint);
	problem_set(api, r, out, status, faults, detail);
}

void problem_say(struct call *c, unsigned status, const char *fmt, ...)
{
	struct buf text = BUF_INIT(16384);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	problem_set(c->api, c->r, c->out, status, NULL, buf_cstr(&text));
	buf_release(&text);
}

void problem_route(const struct route *routes, unsigned n, struct call *c)
{
	switch (route_run(routes, n, c)) {
	case ROUTE_ANSWERED:
		break;
	case ROUTE_NO_PATH:
		problem_say(c, 404, "there is nothing at this address");
		break;
	case ROUTE_NO_METHOD:
		problem_say(c, 405, "%s is not something that can be done here", c->r->method);
		break;
	case ROUTE_NO_TYPE:
		problem_say(c, 415, "the body is application/json");
		break;
	}
}
