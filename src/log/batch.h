/*
 * Record batches v2, Kafka's unit of storage and of the wire: building them and reading them. Plain functions over bytes; no state, any
 * thread.
 *
 * Layout (Apache Kafka, DefaultRecordBatch; integers big endian), 61 bytes of header and then the records:
 *      0 8 base offset   8 4 bytes behind this field   12 4 partition leader epoch   16 1 magic = 2   17 4 CRC-32C of byte 21 to the end
 *     21 2 attributes   23 4 last offset delta   27 8 base time (ms)   35 8 largest time   43 8 producer id   51 2 producer epoch
 *     53 4 base sequence   57 4 number of records
 * A record (varints are zig-zag): length, attributes u8 = 0, time delta, offset delta, key length (-1: null), key, value length (-1:
 * null), value, number of headers, and each header's key length, key, value length (-1: null), value.
 */
#ifndef WALMILL_LOG_BATCH_H
#define WALMILL_LOG_BATCH_H

#include "base/bytes.h"
#include "base/err.h"

enum {
	BATCH_HEADER = 61,
	BATCH_CODEC_MASK = 7,          /* of attributes: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd */
	BATCH_LOG_APPEND_TIME = 8,
	BATCH_TRANSACTIONAL = 16,
	BATCH_CONTROL = 32,
	BATCH_RECORDS_MAX = 100000000, /* more in one batch is refused */
};

struct batch_info {
	int64_t base, base_time_ms, max_time_ms, producer_id;
	uint32_t crc, size;            /* size: of the whole batch */
	int32_t last_delta, base_sequence, count, leader_epoch;
	int16_t attributes, producer_epoch;
};

/* ---- building ---- */

/*
 * Appends to a struct buf that the caller owns, from its present end on; several batches may follow each other in one buffer. A record is
 * encoded in place, without a copy of key and value:
 *
 *	batch_begin(&b, &buf, time_ms);
 *	batch_record(&b, time_ms);
 *	batch_key(&b);      ... write key bytes to buf ...      (or batch_null(&b))
 *	batch_value(&b);    ... write value bytes to buf ...    (or batch_null(&b))
 *	batch_record_end(&b);                                   (batch_headers(&b, n) before it, with n times batch_header, if there are any)
 *	if (!batch_end(&b)) ... did not fit into buf's bound
 *
 * Each length is a varint in front of bytes not written yet: room is left for as many bytes as the last such length took, and what
 * follows is moved in the rare case that the guess was wrong.
 */
struct batch_builder {
	struct buf *buf;
	size_t start;               /* of the batch in buf */
	size_t record, field;       /* where the open record's and field's length goes */
	uint8_t record_room, key_room, value_room; /* bytes left for the lengths, by what the last record took */
	bool in_field, in_value, has_headers;
	int32_t count;
	int64_t base_time_ms, max_time_ms;
};

void batch_begin(struct batch_builder *b, struct buf *buf, int64_t base_time_ms);
void batch_record(struct batch_builder *b, int64_t time_ms);
void batch_key(struct batch_builder *b);
void batch_value(struct batch_builder *b);     /* ends the key */
void batch_null(struct batch_builder *b);      /* in place of batch_key or batch_value: key first */
void batch_headers(struct batch_builder *b, unsigned n); /* ends the value */
void batch_header(struct batch_builder *b, struct view key, struct view value); /* value.ptr NULL: null */
void batch_record_end(struct batch_builder *b);
/* Key and value from views (ptr NULL: null), no headers; the whole record in one call. */
void batch_add(struct batch_builder *b, int64_t time_ms, struct view key, struct view value);
static inline size_t batch_size(const struct batch_builder *b) { return b->buf->len - b->start; } /* so far */

/* Finishes the header (no compression, no producer). A batch without records is taken back. False when the buffer's bound was hit. */
bool batch_end(struct batch_builder *b);

/* Compressed or producer batches: sets header fields of a finished batch and its CRC again. */
void batch_set_producer(uint8_t *batch, int64_t producer_id, int16_t epoch, int32_t base_sequence, int16_t attributes);

/* What the log's CRC does not cover. */
static inline void batch_set_base(uint8_t *batch, int64_t base, int32_t leader_epoch)
{
	put_be64(batch, (uint64_t)base);
	put_be32(batch + 12, (uint32_t)leader_epoch);
}

/* ---- reading ---- */

/* The header of the batch at the start of `bytes`, which may hold more. Checks lengths, magic and counts, not the CRC. */
int batch_get(struct view bytes, struct batch_info *ret, struct err *err) WM_MUST_USE;

/* The same, that `bytes` is exactly one batch, and its CRC. */
int batch_check(struct view bytes, struct batch_info *ret, struct err *err) WM_MUST_USE;

struct record {
	int64_t offset, time_ms;
	struct view key, value;    /* ptr NULL: null */
	struct view headers;       /* from the first header's key length on; see record_header */
	int32_t n_headers;
};

/* Walks the records of an uncompressed batch; of a compressed one over its decompressed records with batch_records_over. */
struct record_reader {
	struct reader r;
	struct batch_info info;
	int32_t done;
};

int batch_records(struct record_reader *rr, struct view batch, struct err *err) WM_MUST_USE;
void batch_records_over(struct record_reader *rr, const struct batch_info *info, struct view records);

/* 1: *ret is a record, its views into the batch; 0: all were read and nothing is left over; -1: malformed. */
int record_next(struct record_reader *rr, struct record *ret, struct err *err) WM_MUST_USE;

/* Takes one header off *headers; false at their end. Only for headers of a record that record_next gave. */
bool record_header(struct view *headers, struct view *ret_key, struct view *ret_value);

#endif
