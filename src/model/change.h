/*
 * Where changes go: the table of functions through which capture publishes, so that it neither knows the embedded log nor a Kafka cluster.
 *
 * Life of a unit: begin, append..., close (or abort). One unit at a time per change_out; all calls come from the connector's own
 * thread, except durable(), which any thread may call. A closed unit is durable once durable() has reached the number that close() gave it;
 * an LSN is confirmed to the source only then. After an error of append or close the unit must be aborted; after a failed
 * abort, or when durable() fails, the change_out is dead and the connector stops.
 */
#ifndef WALMILL_MODEL_CHANGE_H
#define WALMILL_MODEL_CHANGE_H

#include "base/bytes.h"
#include "base/err.h"

struct change_header {
	struct view key, value;   /* value.ptr NULL = a null value */
};

struct change_record {
	struct view key, value;   /* ptr NULL = null */
	const struct change_header *headers;
	unsigned nheaders;
	int64_t timestamp_ms;     /* record CreateTime */
};

struct change_out;

struct change_out_ops {
	/* The number by which append knows the topic; made with default settings when it is not there. */
	int (*topic)(struct change_out *out, struct view name, uint32_t *ret, struct err *err);
	int (*begin)(struct change_out *out, struct err *err);
	/* *ret_index: the record's place in its topic's part of this unit, from 0 */
	int (*append)(struct change_out *out, uint32_t topic, const struct change_record *rec, uint32_t *ret_index, struct err *err);
	/* *ret: the unit's number, growing; payload is a stored unit_payload */
	int (*close)(struct change_out *out, struct view payload, uint64_t *ret, struct err *err);
	int (*abort)(struct change_out *out, struct err *err);
	/* Stores a table schema ahead of the unit that uses it, durable no later than that unit; an open unit is not disturbed. */
	int (*schema)(struct change_out *out, uint32_t table_oid, uint32_t version, struct view stored, struct err *err);
	/* The number of the newest unit known durable. */
	int (*durable)(struct change_out *out, uint64_t *ret, struct err *err);
	/* Payload of this connector's last closed unit that has a position, appended to *into; nothing when there is none. */
	int (*last)(struct change_out *out, struct buf *into, struct err *err);
	/* The same of its last closed UNIT_KEPT; one that is not durable yet may be passed over. */
	int (*kept)(struct change_out *out, struct buf *into, struct err *err);
	/* Every stored schema of this connector, oldest first. */
	int (*schemas)(struct change_out *out, int (*fn)(void *arg, struct view stored, struct err *err), void *arg, struct err *err);
	void (*free)(struct change_out *out);
};

struct change_out {
	const struct change_out_ops *ops;
};

#endif
