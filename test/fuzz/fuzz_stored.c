/* Stored schemas and commit records' payloads: any bytes are either refused or stored again as they were. */
#include "fuzz.h"
#include "model/schema.h"
#include "model/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b = BUF_INIT(64 << 20);
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct unit_payload p, again;
	struct table *t, *t2;

	if (unit_payload_load(view_of(data, size), &a, &p, &err) == 0) {
		unit_payload_store(&b, &p);
		wm_assert(unit_payload_load(buf_view(&b), &a, &again, &err) == 0 && again.nruns == p.nruns && again.end_lsn == p.end_lsn);
	}
	buf_clear(&b);
	if (table_load(view_of(data, size), &a, &t, &err) == 0) {
		table_store(&b, t);
		wm_assert(table_load(buf_view(&b), &a, &t2, &err) == 0 && table_same(t, t2));
	}
	buf_release(&b);
	arena_release(&a);
	return 0;
}
