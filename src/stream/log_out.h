/*
 * A change_out over the embedded log, and the names under which a connector's things are kept there.
 *
 *   topics            named by the connector's configuration, one partition each unless they exist with more (records go to partition 0)
 *   "__walmill.NAME"  stored table schemas of connector NAME: records with key "OID:VERSION" and the stored form as value, kept for ever
 *   note "connector/NAME"  payload of the last unit with a position
 *   note "kept/NAME"       payload of the last UNIT_KEPT; one larger than LOG_NOTE_MAX is not found again
 *
 * Topic names that begin with "__walmill." are walmill's own and are not shown to Kafka clients. Records of an open unit are collected into
 * batches of up to BATCH_BYTES, so that a unit of a million rows passes through in bounded memory.
 */
#ifndef WALMILL_STREAM_LOG_OUT_H
#define WALMILL_STREAM_LOG_OUT_H

#include "log/log.h"
#include "model/change.h"

/* `connector` is copied. The log must outlive it. */
struct change_out *log_out_new(struct log *log, struct io *io, struct view connector);

/* Forgets position, schemas and what is kept of a connector, so that one of the same name starts from nothing. Its topics stay. */
int log_out_forget(struct log *log, struct view connector, struct err *err) WM_MUST_USE;

/* "__walmill.NAME" / "connector/NAME", with characters that a topic cannot have replaced by their hex; into a buffer of this size. */
enum { LOG_OUT_NAME = 250 };
void log_out_schema_topic(struct view connector, char name[LOG_OUT_NAME]);
void log_out_note(struct view connector, char name[LOG_OUT_NAME]);

/* Payload of the connector's last unit with a position (appended), and that unit's sequence number; nothing and 0 when there is none. */
int log_out_position(struct log *log, struct view connector, struct buf *into, uint64_t *ret_seq, struct err *err) WM_MUST_USE;

/* Every schema that was stored for a connector, in order. */
int log_out_schemas(struct log *log, struct view connector, int (*fn)(void *arg, struct view stored, struct err *err), void *arg,
		    struct err *err) WM_MUST_USE;

static inline bool log_topic_is_internal(const char *name) { return strncmp(name, "__walmill.", 10) == 0; }

#endif
