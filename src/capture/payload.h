/*
 * Collects what a unit's commit record says about its records: runs, exceptions, events. What repeats from record to record is one
 * entry, so that a transaction of a million rows that all left the same column unchanged has one exception. One thread.
 */
#ifndef WALMILL_CAPTURE_PAYLOAD_H
#define WALMILL_CAPTURE_PAYLOAD_H

#include "base/arena.h"
#include "model/unit.h"

struct payload {
	struct unit_payload unit;      /* the caller fills kind, connector, positions */
	uint32_t cap_topics, cap_runs, cap_exceptions, cap_events;
	struct buf stored;
	struct arena names; /* of the topics: a table's own may go while its transaction is open, when the server describes it anew */
};

void payload_init(struct payload *p);
void payload_release(struct payload *p);
void payload_begin(struct payload *p); /* forgets everything but its memory */

/* One record was appended to `topic` at `index`. topic_name is copied. */
void payload_record(struct payload *p, struct view topic_name, uint32_t index, uint32_t table_oid, uint32_t version,
		    const struct unit_exception *exceptions, unsigned n);
void payload_event(struct payload *p, enum unit_event_kind kind, uint32_t table_oid);

/* The stored form, valid until the next call. */
struct view payload_stored(struct payload *p);

#endif
