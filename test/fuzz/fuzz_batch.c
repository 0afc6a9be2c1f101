/* Record batches from a peer: whatever the bytes are, no read out of bounds, no endless loop, and what is accepted holds together. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "fuzz.h"
#include "log/batch.h"

static void walk(struct view bytes)
{
	struct record_reader rr;
	struct record r;
	struct view k, v;
	struct err err = ERR_INIT;
	int64_t last = -1;
	int32_t n = 0, headers;

	if (batch_records(&rr, bytes, &err))
		return;
	while (record_next(&rr, &r, &err) == 1) {
		for (headers = 0; record_header(&r.headers, &k, &v); headers++)
			;
		if (headers != r.n_headers || ++n > rr.info.count)
			abort();
		last = r.offset;
	}
	(void)last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view bytes = view_of(data, size);
	struct batch_info info;
	struct err err = ERR_INIT;
	uint8_t *copy;

	if (batch_get(bytes, &info, &err))
		return 0;
	if (info.size > size || info.size < BATCH_HEADER)
		abort();
	walk(bytes);
	/* once more with a checksum that fits, as a peer would send it */
	copy = mem_alloc(info.size);
	memcpy(copy, data, info.size);
	put_be32(copy + 17, crc32c(0, copy + 21, info.size - 21));
	if (batch_check(view_of(copy, info.size), &info, &err))
		abort();
	walk(view_of(copy, info.size));
	mem_free(copy);
	return 0;
}
