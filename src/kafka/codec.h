/*
 * The four compressions of record batches. Any thread.
 *
 * 1 gzip (RFC 1952), 2 snappy: raw, or in the frames of the Java library (a head of 16 bytes beginning with 0x82 "SNAPPY" 0, then blocks,
 * each behind its i32 size), 3 lz4 frames, 4 zstd frames.
 */
#ifndef WALMILL_KAFKA_CODEC_H
#define WALMILL_KAFKA_CODEC_H

#include "base/bytes.h"
#include "base/err.h"

enum { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD, CODECS };

/* Appends what `in` decompresses to; never beyond out->max, at which it stops. ERR_INVALID: damaged, cut or followed by something;
 * ERR_LIMIT: more than out->max. */
int codec_decompress(unsigned codec, struct view in, struct buf *out, struct err *err) WM_MUST_USE;

#endif
