/* Encoding and decoding of what format.h lays out. Called on every thread; no state. */
#include "log/format.h"

#include <stdio.h>

#include "base/crc32c.h"

static const char magic[8] = {'W', 'A', 'L', 'M', 'L', 'O', 'G', '1'};

void file_header_put(uint8_t to[FILE_HEADER], const struct file_header *h)
{
	memset(to, 0, FILE_HEADER);
	memcpy(to, magic, sizeof(magic));
	put_le32(to + 12, FORMAT_VERSION);
	memcpy(to + 16, h->log_id, 16);
	put_le64(to + 32, h->base);
	put_le64(to + 40, h->end);
	put_le64(to + 48, h->prev_base);
	put_le64(to + 56, h->prev_seal);
	put_le64(to + 64, h->mark);
	put_le64(to + 72, h->seal_off);
	put_le32(to + 8, crc32c(0, to + 12, FILE_HEADER - 12));
}

bool file_header_get(const uint8_t from[FILE_HEADER], struct file_header *ret)
{
	if (memcmp(from, magic, sizeof(magic)) != 0 || get_le32(from + 8) != crc32c(0, from + 12, FILE_HEADER - 12) ||
	    get_le32(from + 12) != FORMAT_VERSION)
		return false;
	memcpy(ret->log_id, from + 16, 16);
	ret->base = get_le64(from + 32);
	ret->end = get_le64(from + 40);
	ret->prev_base = get_le64(from + 48);
	ret->prev_seal = get_le64(from + 56);
	ret->mark = get_le64(from + 64);
	ret->seal_off = get_le64(from + 72);
	return true;
}

static uint32_t frame_crc(const uint8_t *header, enum frame_type type, uint32_t len, const uint8_t *payload)
{
	return crc32c(crc32c(0, header + 4, FRAME_HEADER - 4), payload, type == FRAME_BATCH ? BATCH_PREFIX : len);
}

void frame_put(uint8_t to[FRAME_HEADER], struct frame *f, const uint8_t *payload)
{
	memset(to, 0, FRAME_HEADER);
	put_le32(to + 4, f->len);
	put_le64(to + 8, f->pos);
	to[16] = (uint8_t)f->type;
	put_le32(to + 20, f->part);
	put_le64(to + 24, f->unit);
	f->crc = frame_crc(to, f->type, f->len, payload);
	put_le32(to, f->crc);
}

bool frame_get(const uint8_t from[FRAME_HEADER], struct frame *ret)
{
	ret->crc = get_le32(from);
	ret->len = get_le32(from + 4);
	ret->pos = get_le64(from + 8);
	ret->type = (enum frame_type)from[16];
	ret->part = get_le32(from + 20);
	ret->unit = get_le64(from + 24);
	return from[16] >= FRAME_BATCH && from[16] < FRAME_TYPE_END && ret->len <= FRAME_MAX &&
	    (ret->type != FRAME_BATCH || ret->len >= BATCH_PREFIX);
}

bool frame_crc_good(const uint8_t header[FRAME_HEADER], const struct frame *f, const uint8_t *payload)
{
	return frame_crc(header, f->type, f->len, payload) == f->crc;
}

void commit_entry_put(uint8_t to[COMMIT_ENTRY], uint32_t part, const struct entry *e)
{
	put_le32(to, part);
	put_le32(to + 4, e->len);
	put_le64(to + 8, (uint64_t)e->base);
	put_le64(to + 16, e->pos);
	put_le64(to + 24, (uint64_t)e->max_time_ms);
	put_le32(to + 32, e->count);
	put_le32(to + 36, 0);
}

void commit_entry_get(const struct commit *c, uint32_t i, uint32_t *ret_part, struct entry *ret)
{
	const uint8_t *p = c->entries + (size_t)i * COMMIT_ENTRY;

	*ret_part = get_le32(p);
	ret->len = get_le32(p + 4);
	ret->base = (int64_t)get_le64(p + 8);
	ret->pos = get_le64(p + 16);
	ret->max_time_ms = (int64_t)get_le64(p + 24);
	ret->count = get_le32(p + 32);
}

bool commit_get(struct view payload, struct commit *ret)
{
	struct reader r = reader_of(payload);
	uint32_t n_note, n_payload;

	ret->seq = reader_le64(&r);
	ret->mark = reader_le64(&r);
	ret->time_us = (int64_t)reader_le64(&r);
	ret->n_entries = reader_le32(&r);
	n_note = reader_le32(&r);
	n_payload = reader_le32(&r);
	reader_le32(&r);
	ret->entries = reader_take(&r, (size_t)ret->n_entries * COMMIT_ENTRY);
	ret->note = reader_view(&r, n_note);
	ret->payload = reader_view(&r, n_payload);
	return reader_done(&r);
}

void segment_name(char to[32], uint64_t base)
{
	snprintf(to, 32, "%020llu.wlog", (unsigned long long)base);
}

bool segment_name_parse(const char *name, uint64_t *ret_base)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 20; i++) {
		if (name[i] < '0' || name[i] > '9' || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(name[i] - '0'), &v))
			return false;
	}
	*ret_base = v;
	return strcmp(name + 20, ".wlog") == 0;
}
