/* What is asked of a Produce's records; see check.h. Any thread. */
#include "kafka/check.h"

#include "base/crc32c.h"
#include "kafka/codec.h"

enum { SCRATCH_KEPT = 4 << 20 };

static enum kafka_error refuse(enum kafka_error code, const char **ret_text, const char *text)
{
	*ret_text = text;
	return code;
}

static enum kafka_error walk(struct record_reader *rr, const struct check_rules *rules, const char **ret_text)
{
	struct err err = ERR_INIT;
	struct record rec;
	int32_t n = 0;
	int more;

	while ((more = record_next(rr, &rec, &err)) > 0) {
		if (rec.offset != rr->info.base + n++)
			return refuse(KE_INVALID_RECORD, ret_text, "the records' offsets have gaps");
		if (rules->keyed && !rec.key.ptr)
			return refuse(KE_INVALID_RECORD, ret_text, "a compacted topic cannot take a record without a key");
	}
	return more < 0 ? refuse(KE_CORRUPT_MESSAGE, ret_text, "the records of the batch are malformed") : KE_NONE;
}

static enum kafka_error walk_compressed(
	struct view batch, const struct batch_info *info, const struct check_rules *rules, struct buf *scratch, const char **ret_text)
{
	struct record_reader rr;
	struct err err = ERR_INIT;
	enum kafka_error rc;

	scratch->max = CHECK_DECOMPRESSED_MAX;
	buf_clear(scratch);
	if (codec_decompress(
		    info->attributes & BATCH_CODEC_MASK, view_of(batch.ptr + BATCH_HEADER, batch.len - BATCH_HEADER), scratch, &err)) {
		rc = err.code == ERR_LIMIT ? refuse(KE_MESSAGE_TOO_LARGE, ret_text, "the batch decompresses to more than 128 MiB")
			: refuse(KE_CORRUPT_MESSAGE, ret_text, "the compressed records are damaged");
	} else {
		batch_records_over(&rr, info, buf_view(scratch));
		rc = walk(&rr, rules, ret_text);
	}
	if (scratch->cap > SCRATCH_KEPT)
		buf_release(scratch);
	return rc;
}

/* The checksum fits: it was sent as it came, and sending it again does not help. */
static bool is_intact(struct view records)
{
	return records.len >= BATCH_HEADER && crc32c(0, records.ptr + 21, records.len - 21) == get_be32(records.ptr + 17);
}

enum kafka_error check_records(
	struct view records, const struct check_rules *rules, struct buf *scratch, struct batch_info *ret, const char **ret_text)
{
	struct err err = ERR_INIT;
	struct record_reader rr;
	unsigned codec;

	*ret_text = NULL;
	if (records.len >= 17 && records.ptr[16] < 2)
		return refuse(KE_UNSUPPORTED_FOR_MESSAGE_FORMAT, ret_text, "records of a format older than 2 are not taken");
	if (batch_get(records, ret, &err))
		return refuse(records.len == 0 || is_intact(records) ? KE_INVALID_RECORD : KE_CORRUPT_MESSAGE, ret_text,
			"the records are not a record batch");
	if (ret->size < records.len)
		return refuse(KE_INVALID_RECORD, ret_text, "a partition takes exactly one record batch a request");
	if ((int64_t)records.len > rules->max_bytes)
		return refuse(KE_MESSAGE_TOO_LARGE, ret_text, "the batch is larger than max.message.bytes");
	if (batch_check(records, ret, &err))
		return refuse(KE_CORRUPT_MESSAGE, ret_text, "the batch's checksum does not fit");
	if (ret->count <= 0 || ret->last_delta != ret->count - 1)
		return refuse(KE_INVALID_RECORD, ret_text, "the batch's number of records does not fit its offsets");
	if (ret->attributes & BATCH_CONTROL)
		return refuse(KE_INVALID_RECORD, ret_text, "clients cannot write control batches");
	if (ret->attributes & BATCH_TRANSACTIONAL)
		return refuse(KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ret_text, "transactions are not part of this version");
	if (ret->producer_id >= 0 && (ret->producer_epoch < 0 || ret->base_sequence < 0))
		return refuse(KE_INVALID_RECORD, ret_text, "a producer id comes with an epoch and a sequence");
	codec = ret->attributes & BATCH_CODEC_MASK;
	if (codec >= CODECS || (codec == CODEC_ZSTD && !rules->zstd))
		return refuse(KE_UNSUPPORTED_COMPRESSION_TYPE, ret_text, "this compression is not allowed here");
	if (codec != CODEC_NONE)
		return walk_compressed(records, ret, rules, scratch, ret_text);
	if (batch_records(&rr, records, &err))
		return refuse(KE_CORRUPT_MESSAGE, ret_text, "the records of the batch are malformed");
	return walk(&rr, rules, ret_text);
}
