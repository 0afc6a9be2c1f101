/*
 * Files of a log that somebody else has written: opening, reading and verifying them ends in success or in an error, never in a crash.
 *
 * Input: a byte that says how the rest is taken.
 *   0  the bytes of the first file, as they are
 *   1  frames: type u8, part u8, length u16, payload. Each gets the header, position and checksums that it needs to be believed, behind
 *   a good
 *      file header, so that what is in them is reached; of a batch's payload also the batch's own checksum
 *   2  as 1, and a type of 0 begins the next file (with the last SEAL's place in its header)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "fuzz.h"
#include "log/log_int.h"
#include "simio.h"

struct maker {
	struct simio *sim;
	struct buf file;
	uint64_t base, prev_base, seal;
	bool files;
};

static void begin_file(struct maker *m)
{
	struct file_header h = {.log_id = {1}, .base = m->base, .prev_base = m->prev_base, .prev_seal = m->seal};
	uint8_t bytes[FILE_HEADER];

	buf_clear(&m->file);
	file_header_put(bytes, &h);
	buf_put(&m->file, bytes, sizeof(bytes));
}

static void end_file(struct maker *m)
{
	char name[32], path[64];

	segment_name(name, m->base);
	snprintf(path, sizeof(path), "log/%s", name);
	simio_put(m->sim, path, m->file.ptr, m->file.len);
	m->prev_base = m->base;
	m->base += m->file.len;
}

static void put_frame(struct maker *m, uint8_t type, uint8_t part, struct view payload)
{
	static const uint8_t zero[8];
	struct frame f = {.type = (enum frame_type)type, .part = part, .len = (uint32_t)payload.len, .unit = 1};
	size_t at = m->file.len;
	uint8_t *p;

	f.pos = m->base + at;
	if (type == FRAME_SEAL)
		m->seal = f.pos;
	buf_put(&m->file, zero, 8);
	buf_put(&m->file, zero, 8);
	buf_put(&m->file, zero, 8);
	buf_put(&m->file, zero, 8);
	buf_putv(&m->file, payload);
	buf_put(&m->file, zero, (8 - payload.len % 8) % 8);
	p = m->file.ptr + at;
	if (type == FRAME_BATCH && payload.len >= 61)
		put_be32(p + FRAME_HEADER + 17, crc32c(0, p + FRAME_HEADER + 21, payload.len - 21));
	if (type == FRAME_BATCH && payload.len < BATCH_PREFIX)
		return;
	frame_put(p, &f, p + FRAME_HEADER);
}

static void make_frames(struct maker *m, struct reader *r)
{
	while (!r->bad && reader_left(r) > 0) {
		uint8_t type = reader_u8(r), part = reader_u8(r);
		uint16_t len = reader_le16(r);

		if (type == 0 && m->files) {
			end_file(m);
			begin_file(m);
			continue;
		}
		if (len > reader_left(r))
			len = (uint16_t)reader_left(r);
		put_frame(m, type, part, reader_view(r, len));
	}
}

static void use(struct simio *sim)
{
	struct log_settings set = log_settings_default();
	struct log_verify_report rep;
	struct log_batches out = LOG_BATCHES_INIT;
	struct err err = ERR_INIT;
	struct log_unit_info info;
	struct log_cursor *c;
	struct log *log;
	uint32_t i;

	set.manual = true;
	set.grow_bytes = 4096;
	set.retention_ms = 1;
	set.reserve_bytes = 0;
	if (log_open(simio_io(sim), "log", &set, &log, &err))
		return;
	for (i = 0; i < 16; i++) {
		struct log_marks m;

		log_marks(log, &i, 1, &m, NULL);
		if (m.high > m.start && log_read(log, i, m.start, 10000, &out, &err))
			err_clear(&err);
	}
	c = log_cursor_open(log, 0);
	while (log_cursor_next(c, &info, &err) == 1)
		;
	log_cursor_close(c);
	if (log_verify(log, &rep, NULL, NULL, &err) == 0) {
		simio_advance_us(sim, 1000000);
		for (i = 0; i < 3; i++)
			if (log_sweep(log, &err))
				err_clear(&err);
	}
	log_batches_release(&out);
	log_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maker m = {.file = BUF_INIT(1 << 20), .prev_base = POS_NONE};
	struct reader r = reader_of(view_of(data, size));
	uint8_t mode = reader_u8(&r) % 3;

	if (size < 2 || size > 100000)
		return 0;
	m.sim = simio_new(1);
	m.files = mode == 2;
	if (mode == 0) {
		buf_put(&m.file, r.ptr, reader_left(&r));
	} else {
		begin_file(&m);
		make_frames(&m, &r);
	}
	end_file(&m);
	use(m.sim);
	simio_free(m.sim);
	buf_release(&m.file);
	return 0;
}
