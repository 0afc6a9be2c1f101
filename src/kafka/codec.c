/* Decompression with a bound; see codec.h. */
#include "kafka/codec.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

enum { STEP = 64 << 10 };

static int damaged(struct err *err, const char *codec)
{
	return err_set(err, ERR_INVALID, "%s data of a record batch is damaged", codec);
}

static int too_large(struct err *err, const struct buf *out)
{
	return err_set(err, ERR_LIMIT, "a record batch decompresses to more than %zu bytes", out->max);
}

/* Room for the next piece: at least one byte, at most what the bound leaves. NULL at the bound. */
static uint8_t *more_room(struct buf *out, size_t *ret_room)
{
	size_t left = out->max - out->len, room = out->cap - out->len;

	if (left == 0)
		return NULL;
	if (room < STEP)
		room = left < STEP ? left : STEP;
	*ret_room = room;
	return buf_reserve(out, room);
}

static int gzip(struct view in, struct buf *out, struct err *err)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)in.ptr, .avail_in = (unsigned)in.len};
	int rc, result = -1;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return err_set(err, ERR_INTERNAL, "could not start gzip");
	for (;;) {
		size_t room = 0;
		uint8_t *to = more_room(out, &room);

		if (!to) {
			/* at the bound: fine only if nothing more comes */
			uint8_t one;

			z.next_out = &one;
			z.avail_out = 1;
			rc = inflate(&z, Z_NO_FLUSH);
			if (rc != Z_STREAM_END || z.avail_out == 0) {
				too_large(err, out);
				goto out;
			}
		} else {
			z.next_out = to;
			z.avail_out = (unsigned)room;
			rc = inflate(&z, Z_NO_FLUSH);
			out->len += room - z.avail_out;
		}
		if (rc == Z_STREAM_END && z.avail_in == 0)
			break;
		if (rc == Z_STREAM_END ? inflateReset(&z) != Z_OK : rc != Z_OK) {
			damaged(err, "gzip");
			goto out;
		}
	}
	result = 0;
out:
	inflateEnd(&z);
	return result;
}

static int snappy_block(struct view in, struct buf *out, struct err *err)
{
	size_t size = 0;
	uint8_t *to;

	/* a byte of snappy makes at most 64/3 of output: a larger claim is a lie, and is not allocated */
	if (snappy_uncompressed_length((const char *)in.ptr, in.len, &size) != SNAPPY_OK || size / 32 > in.len)
		return damaged(err, "snappy");
	if (size > out->max - out->len)
		return too_large(err, out);
	to = buf_reserve(out, size + 1 > out->max - out->len ? size : size + 1);
	if (!to && size)
		return too_large(err, out);
	if (snappy_uncompress((const char *)in.ptr, in.len, (char *)to, &size) != SNAPPY_OK)
		return damaged(err, "snappy");
	out->len += size;
	return 0;
}

static int snappy(struct view in, struct buf *out, struct err *err)
{
	static const uint8_t magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
	struct reader r = reader_of(in);

	if (in.len < 16 || memcmp(in.ptr, magic, 8) != 0)
		return snappy_block(in, out, err);
	reader_take(&r, 16);
	while (reader_left(&r)) {
		struct view block = reader_view(&r, reader_be32(&r));

		if (r.bad || snappy_block(block, out, err))
			return r.bad ? damaged(err, "snappy") : -1;
	}
	return 0;
}

static int lz4(struct view in, struct buf *out, struct err *err)
{
	LZ4F_dctx *ctx;
	size_t hint = 1;
	int result = -1;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION)))
		return err_set(err, ERR_INTERNAL, "could not start lz4");
	while (in.len > 0 || hint != 0) {
		size_t room = 0, used = in.len;
		uint8_t one, *to = more_room(out, &room);
		bool at_bound = !to;

		if (at_bound)
			room = 1;
		hint = LZ4F_decompress(ctx, at_bound ? &one : to, &room, in.ptr, &used, NULL);
		if (LZ4F_isError(hint) || (used == 0 && room == 0)) {
			damaged(err, "lz4");
			goto out;
		}
		if (at_bound && room) {
			too_large(err, out);
			goto out;
		}
		out->len += room;
		in = view_of(in.ptr + used, in.len - used);
	}
	result = 0;
out:
	LZ4F_freeDecompressionContext(ctx);
	return result;
}

static int zstd(struct view in, struct buf *out, struct err *err)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer from = {in.ptr, in.len, 0};
	size_t rc = 1;
	int result = -1;

	if (!z)
		return err_set(err, ERR_INTERNAL, "could not start zstd");
	/* the window that a frame asks for is memory: no more than the bound on what comes out */
	ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, 27);
	while (from.pos < from.size || rc != 0) {
		size_t room = 0, before = from.pos;
		uint8_t one, *p = more_room(out, &room);
		ZSTD_outBuffer to = {p ? p : &one, p ? room : 1, 0};

		rc = ZSTD_decompressStream(z, &to, &from);
		if (ZSTD_isError(rc) || (before == from.pos && to.pos == 0)) {
			damaged(err, "zstd");
			goto out;
		}
		if (!p && to.pos) {
			too_large(err, out);
			goto out;
		}
		out->len += to.pos;
	}
	result = 0;
out:
	ZSTD_freeDStream(z);
	return result;
}

int codec_decompress(unsigned codec, struct view in, struct buf *out, struct err *err)
{
	switch (codec) {
	case CODEC_NONE: buf_putv(out, in); return buf_ok(out) ? 0 : too_large(err, out);
	case CODEC_GZIP: return gzip(in, out, err);
	case CODEC_SNAPPY: return snappy(in, out, err);
	case CODEC_LZ4: return lz4(in, out, err);
	case CODEC_ZSTD: return zstd(in, out, err);
	default: return err_set(err, ERR_UNSUPPORTED, "compression %u is not known", codec);
	}
}
