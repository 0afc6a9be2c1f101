/*
 * Published bytes back into typed rows: what Debezium's JSON says, read by the schema version under which it was written.
 *
 * A decoder is compiled for one table version and the columns that a job uses, named by attribute number. Columns that the published bytes
 * cannot give back are refused when it is made, by name and with the setting that made it so. A decoder may be used by one thread at a
 * time.
 */
#ifndef WALMILL_STREAM_ROW_H
#define WALMILL_STREAM_ROW_H

#include "model/schema.h"

struct row_decoder;

/* ERR_UNSUPPORTED or ERR_NOT_FOUND naming table, column and reason. The table must outlive the decoder. */
int row_decoder_new(const struct table *t, const int16_t *attnums, uint32_t n, struct row_decoder **ret, struct err *err) WM_MUST_USE;
void row_decoder_free(struct row_decoder *d);

enum row_op { ROW_UPSERT, ROW_DELETE, ROW_NOTHING };

/*
 * One record. row[i] is the value of attnums[i]; of a deleted row only the primary key's columns are set, the others are null. Text is
 * borrowed from key and value where it has no escapes, else from the arena. skip (may be NULL) marks columns whose bytes are not looked
 * at: the placeholder of an unchanged TOAST value need not be a value of the type. ERR_CORRUPT when the bytes are not what the schema says.
 */
int row_decode(struct row_decoder *d, struct view key, struct view value, const bool *skip, struct arena *a, enum row_op *ret_op,
	       struct value *row, struct err *err) WM_MUST_USE;

#endif
