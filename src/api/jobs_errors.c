/* Errors of the jobs face, as the JobManager's: {"errors":[text]}. */
#include <stdio.h>

#include "api/jobs_int.h"
#include "base/text.h"

static void put(struct call *c, unsigned status, struct view text)
{
	struct buf *b = &c->out->body;

	c->out->status = status;
	c->out->content_type = NULL;
	buf_clear(b);
	buf_puts(b, "{\"errors\":[");
	js_put_string(b, view_of(text.ptr, text_utf8_valid_len(text)));
	buf_puts(b, "]}");
}

void jobs_fail_text(struct call *c, unsigned status, const char *fmt, ...)
{
	struct buf text = BUF_INIT(1 << 16);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	put(c, status, buf_view(&text));
	buf_release(&text);
}

void jobs_fail(struct call *c, const struct err *err)
{
	static const struct {
		enum err_code code;
		unsigned status;
	} table[] = {{ERR_NOT_FOUND, 404}, {ERR_EXISTS, 409}, {ERR_STATE, 409}, {ERR_BUSY, 409}, {ERR_TIMEOUT, 409}, {ERR_INVALID, 400},
		{ERR_UNSUPPORTED, 400}, {ERR_LIMIT, 400}, {ERR_DATA, 400}};
	struct buf text = BUF_INIT(1 << 16);
	unsigned status = 500;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == err->code)
			status = table[i].status;
	buf_puts(&text, err->text);
	if (err->detail[0])
		buf_printf(&text, "\n%s", err->detail);
	if (err->hint[0])
		buf_printf(&text, "\n%s", err->hint);
	put(c, status, buf_view(&text));
	buf_release(&text);
}
