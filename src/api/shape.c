/* Values that several families of answers have; see api.h. */
#include "api/api.h"
#include "base/js.h"

void api_put_error_text(struct buf *b, const struct err *err)
{
	struct buf text = BUF_INIT(8192);

	buf_puts(&text, err->text);
	if (err->detail[0])
		buf_printf(&text, "\n%s", err->detail);
	if (err->hint[0])
		buf_printf(&text, "\n%s", err->hint);
	js_put_string(b, buf_view(&text));
	buf_release(&text);
}

void api_put_lines(struct buf *b, struct view lines)
{
	struct reader r = reader_of(lines);

	buf_putc(b, '[');
	while (reader_left(&r)) {
		const uint8_t *nl = memchr(r.ptr, '\n', reader_left(&r));

		js_put_comma(b);
		js_put_string(b, reader_view(&r, nl ? (size_t)(nl - r.ptr) : reader_left(&r)));
		if (nl)
			reader_take(&r, 1);
	}
	buf_putc(b, ']');
}
