/* The CSV reader gives the same records however its input is cut into pieces, and never more than it was given. */
#include "base/mem.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct input {
	const uint8_t *data;
	size_t len, pos, step;
};

static int fill(void *arg, void *ptr, size_t len, size_t *ret_len, struct err *err)
{
	struct input *in = arg;
	size_t n = in->len - in->pos;

	n = n < in->step ? n : in->step;
	n = n < len ? n : len;
	if (n)
		memcpy(ptr, in->data + in->pos, n);
	in->pos += n;
	*ret_len = n;
	return 0;
}

static void read_all(const uint8_t *data, size_t len, size_t step, struct buf *out)
{
	struct input in = {data, len, 0, step};
	struct csv *c = csv_new(fill, &in, &(struct csv_options){.record_max = 4096, .fields_max = 50});
	struct err err = ERR_INIT;
	struct csv_record r;
	size_t i, total = 0;
	int rc;

	while ((rc = csv_next(c, &r, &err)) > 0) {
		wm_assert(r.n > 0 && r.n <= 50 && r.line > 0);
		buf_u64(out, r.line);
		for (i = 0; i < r.n; i++) {
			buf_bytes(out, r.fields[i]);
			total += r.fields[i].len;
		}
	}
	wm_assert(total <= len);
	wm_assert((rc < 0) == (err.code != ERR_NONE));
	buf_puts(out, err.text);
	csv_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf whole = BUF_INIT(SIZE_MAX), pieces = BUF_INIT(SIZE_MAX);

	read_all(data, len, SIZE_MAX, &whole);
	read_all(data, len, len ? 1 + data[0] % 7 : 1, &pieces);
	wm_assert(view_eq(buf_view(&whole), buf_view(&pieces)));
	buf_release(&whole);
	buf_release(&pieces);
	return 0;
}
