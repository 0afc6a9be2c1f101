/* Record batches v2; see batch.h. */
#include "log/batch.h"

#include "base/crc32c.h"

/* ---- building ---- */

static size_t varint_len(int64_t v)
{
	uint64_t u = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);

	return u < 128 ? 1 : (size_t)(70 - __builtin_clzll(u)) / 7;
}

/* The length of the bytes from `at` + room on goes to `at`, where `room` bytes were left for it; what follows moves if the room does not
 * fit. */
static uint8_t put_length(struct buf *buf, size_t at, uint8_t room)
{
	size_t len = buf->len - at - room, need = varint_len((int64_t)len);

	if (need != room) {
		if (need > room && !buf_reserve(buf, need - room))
			return room;
		memmove(buf->ptr + at + need, buf->ptr + at + room, len);
		buf->len = at + need + len;
	}
	put_varint(buf->ptr + at, (int64_t)len);
	return (uint8_t)need;
}

static void skip(struct buf *buf, size_t n)
{
	if (buf_reserve(buf, n))
		buf->len += n;
}

void batch_begin(struct batch_builder *b, struct buf *buf, int64_t base_time_ms)
{
	*b = (struct batch_builder){.buf = buf, .start = buf->len, .record_room = 2, .key_room = 1, .value_room = 2,
	    .base_time_ms = base_time_ms, .max_time_ms = INT64_MIN};
	skip(buf, BATCH_HEADER);
}

void batch_record(struct batch_builder *b, int64_t time_ms)
{
	uint8_t *p = buf_reserve(b->buf, 32);

	wm_assert(b->count < BATCH_RECORDS_MAX);
	b->in_field = b->in_value = b->has_headers = false;
	if (time_ms > b->max_time_ms)
		b->max_time_ms = time_ms;
	b->record = b->buf->len;
	if (!p)
		return;
	p += b->record_room;
	*p++ = 0; /* attributes */
	p += put_varint(p, time_ms - b->base_time_ms);
	p += put_varint(p, b->count);
	b->buf->len = (size_t)(p - b->buf->ptr);
}

static void end_field(struct batch_builder *b)
{
	uint8_t *room = b->in_value ? &b->value_room : &b->key_room;

	if (b->in_field && buf_ok(b->buf))
		*room = put_length(b->buf, b->field, *room);
	b->in_field = false;
}

void batch_key(struct batch_builder *b)
{
	b->field = b->buf->len;
	b->in_field = true;
	b->in_value = false;
	skip(b->buf, b->key_room);
}

void batch_value(struct batch_builder *b)
{
	end_field(b);
	b->field = b->buf->len;
	b->in_field = b->in_value = true;
	skip(b->buf, b->value_room);
}

void batch_null(struct batch_builder *b)
{
	end_field(b);
	buf_varint(b->buf, -1);
}

void batch_headers(struct batch_builder *b, unsigned n)
{
	end_field(b);
	b->has_headers = true;
	buf_varint(b->buf, n);
}

void batch_header(struct batch_builder *b, struct view key, struct view value)
{
	buf_varint(b->buf, (int64_t)key.len);
	buf_putv(b->buf, key);
	buf_varint(b->buf, value.ptr ? (int64_t)value.len : -1);
	buf_putv(b->buf, value);
}

void batch_record_end(struct batch_builder *b)
{
	end_field(b);
	if (!b->has_headers)
		buf_u8(b->buf, 0);
	if (buf_ok(b->buf))
		b->record_room = put_length(b->buf, b->record, b->record_room);
	b->count++;
}

void batch_add(struct batch_builder *b, int64_t time_ms, struct view key, struct view value)
{
	batch_record(b, time_ms);
	buf_varint(b->buf, key.ptr ? (int64_t)key.len : -1);
	buf_putv(b->buf, key);
	buf_varint(b->buf, value.ptr ? (int64_t)value.len : -1);
	buf_putv(b->buf, value);
	batch_record_end(b);
}

bool batch_end(struct batch_builder *b)
{
	uint8_t *h;
	size_t size = b->buf->len - b->start;

	if (!buf_ok(b->buf) || size > INT32_MAX)
		return false;
	if (b->count == 0) {
		b->buf->len = b->start;
		return true;
	}
	h = b->buf->ptr + b->start;
	memset(h, 0, BATCH_HEADER);
	put_be32(h + 8, (uint32_t)size - 12);
	h[16] = 2;
	put_be32(h + 23, (uint32_t)(b->count - 1));
	put_be64(h + 27, (uint64_t)b->base_time_ms);
	put_be64(h + 35, (uint64_t)b->max_time_ms);
	put_be64(h + 43, UINT64_MAX);
	put_be16(h + 51, UINT16_MAX);
	put_be32(h + 53, UINT32_MAX);
	put_be32(h + 57, (uint32_t)b->count);
	put_be32(h + 17, crc32c(0, h + 21, size - 21));
	return true;
}

void batch_set_producer(uint8_t *batch, int64_t producer_id, int16_t epoch, int32_t base_sequence, int16_t attributes)
{
	size_t size = (size_t)get_be32(batch + 8) + 12;

	put_be16(batch + 21, (uint16_t)attributes);
	put_be64(batch + 43, (uint64_t)producer_id);
	put_be16(batch + 51, (uint16_t)epoch);
	put_be32(batch + 53, (uint32_t)base_sequence);
	put_be32(batch + 17, crc32c(0, batch + 21, size - 21));
}

/* ---- reading ---- */

int batch_get(struct view bytes, struct batch_info *ret, struct err *err)
{
	const uint8_t *p = bytes.ptr;
	struct batch_info i;
	uint32_t behind;

	if (bytes.len < BATCH_HEADER)
		return err_set(err, ERR_INVALID, "record batch of %zu bytes is shorter than its header", bytes.len);
	behind = get_be32(p + 8);
	if (p[16] != 2)
		return err_set(err, ERR_UNSUPPORTED, "record batch has magic %u, only 2 is supported", p[16]);
	if (behind > INT32_MAX - 12 || behind + 12 < BATCH_HEADER || behind + 12 > bytes.len)
		return err_set(err, ERR_INVALID, "record batch says that it has %u bytes, of which %zu are there", behind, bytes.len);
	i.base = (int64_t)get_be64(p);
	i.size = behind + 12;
	i.leader_epoch = (int32_t)get_be32(p + 12);
	i.crc = get_be32(p + 17);
	i.attributes = (int16_t)get_be16(p + 21);
	i.last_delta = (int32_t)get_be32(p + 23);
	i.base_time_ms = (int64_t)get_be64(p + 27);
	i.max_time_ms = (int64_t)get_be64(p + 35);
	i.producer_id = (int64_t)get_be64(p + 43);
	i.producer_epoch = (int16_t)get_be16(p + 51);
	i.base_sequence = (int32_t)get_be32(p + 53);
	i.count = (int32_t)get_be32(p + 57);
	if (i.count < 0 || i.last_delta < 0 || i.last_delta >= BATCH_RECORDS_MAX || i.count > i.last_delta + 1)
		return err_set(err, ERR_INVALID, "record batch says that it has %d records over %d + 1 offsets", i.count, i.last_delta);
	*ret = i;
	return 0;
}

int batch_check(struct view bytes, struct batch_info *ret, struct err *err)
{
	struct batch_info i;

	if (batch_get(bytes, &i, err))
		return -1;
	if (i.size != bytes.len)
		return err_set(err, ERR_INVALID, "record batch of %u bytes stands in %zu bytes", i.size, bytes.len);
	if (crc32c(0, bytes.ptr + 21, i.size - 21) != i.crc)
		return err_set(err, ERR_INVALID, "record batch does not match its checksum");
	*ret = i;
	return 0;
}

void batch_records_over(struct record_reader *rr, const struct batch_info *info, struct view records)
{
	rr->r = reader_of(records);
	rr->info = *info;
	rr->done = 0;
}

int batch_records(struct record_reader *rr, struct view batch, struct err *err)
{
	struct batch_info i;

	if (batch_get(batch, &i, err))
		return -1;
	if (i.attributes & BATCH_CODEC_MASK)
		return err_set(err, ERR_UNSUPPORTED, "record batch is compressed with codec %d", i.attributes & BATCH_CODEC_MASK);
	batch_records_over(rr, &i, view_of(batch.ptr + BATCH_HEADER, i.size - BATCH_HEADER));
	return 0;
}

/* Bytes behind a length of which -1 means null. */
static struct view nullable(struct reader *r)
{
	int64_t len = reader_varint(r);

	if (len < 0) {
		r->bad |= len != -1;
		return VIEW_NULL;
	}
	return reader_view(r, (size_t)len);
}

static bool read_header(struct reader *r, struct view *key, struct view *value)
{
	*key = nullable(r);
	*value = nullable(r);
	return !r->bad && key->ptr;
}

int record_next(struct record_reader *rr, struct record *ret, struct err *err)
{
	struct reader r;
	struct record rec;
	struct view k, v;
	int64_t len, delta;
	int32_t i;

	if (rr->done == rr->info.count) {
		if (!reader_done(&rr->r))
			return err_set(err, ERR_INVALID, "record batch has %zu bytes behind its last record", reader_left(&rr->r));
		return 0;
	}
	len = reader_varint(&rr->r);
	r = reader_of(len < 0 ? VIEW_NULL : reader_view(&rr->r, (size_t)len));
	r.bad = rr->r.bad || len < 0;
	reader_u8(&r);
	rec.time_ms = (int64_t)((uint64_t)rr->info.base_time_ms + (uint64_t)reader_varint(&r));
	if (rr->info.attributes & BATCH_LOG_APPEND_TIME)
		rec.time_ms = rr->info.max_time_ms;
	delta = reader_varint(&r);
	rec.offset = rr->info.base + (delta & INT32_MAX);
	r.bad |= delta < 0 || delta > rr->info.last_delta;
	rec.key = nullable(&r);
	rec.value = nullable(&r);
	len = reader_varint(&r);
	r.bad |= len < 0 || (uint64_t)len > reader_left(&r); /* a header is at least two bytes */
	rec.n_headers = r.bad ? 0 : (int32_t)len;
	rec.headers = view_of(r.ptr, reader_left(&r));
	for (i = 0; i < rec.n_headers && !r.bad; i++)
		r.bad |= !read_header(&r, &k, &v);
	if (!reader_done(&r))
		return err_set(err, ERR_INVALID, "record %d of %d in the batch is malformed", rr->done, rr->info.count);
	rr->done++;
	*ret = rec;
	return 1;
}

bool record_header(struct view *headers, struct view *ret_key, struct view *ret_value)
{
	struct reader r = reader_of(*headers);

	if (headers->len == 0)
		return false;
	if (!read_header(&r, ret_key, ret_value))
		return false;
	*headers = view_of(r.ptr, reader_left(&r));
	return true;
}
