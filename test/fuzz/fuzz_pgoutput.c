/* The pgoutput and COPY decoders take any bytes without reading outside them. */
#include "base/mem.h"
#include "fuzz.h"
#include "pg/pgoutput.h"

static size_t touch(const struct pg_tuple *t)
{
	size_t n = 0;
	uint32_t i, k;

	for (i = 0; t && i < t->n; i++)
		for (k = 0; k < t->cols[i].bytes.len; k++)
			n += t->cols[i].bytes.ptr[k];
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgoutput_decoder *d = pgoutput_decoder_new();
	static volatile size_t sum;
	struct pgoutput_message m;
	struct err err = ERR_INIT;

	if (pgoutput_decode(d, view_of(data, size), &m, &err) == 0)
		sum += touch(m.old) + touch(m.new) + m.name.len;
	if (pg_copy_row_decode(view_of(data, size), &d->new, &err) == 0)
		sum += touch(&d->new);
	pgoutput_decoder_free(d);
	return 0;
}
