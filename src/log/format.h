/*
 * Bytes of the log's files. Integers are little endian; record batches inside are Kafka's own, big endian (batch.h).
 *
 * The log is one sequence of bytes; a position is a place in it, and never names another place later. It is kept in segment files, each
 * named by the position of its first byte, 20 digits and ".wlog". A segment file is
 *
 *   file header, 96 bytes
 *      0  8  magic "WALMLOG1"
 *      8  4  CRC-32C of bytes 12..95
 *     12  4  format version, 1
 *     16 16  id of the log, random, the same in all files
 *     32  8  base: position of byte 0; equals the file's name
 *     40  8  end: 0, or in a rewritten file the position at which the range that it stands for ends (the base of the next file)
 *     48  8  base of the file before this one, or all ones
 *     56  8  position of that file's seal frame (of no meaning if it was rewritten since)
 *     64  8  mark: the log was durable up to here when this file was begun
 *     72  8  rewritten file: offset in the file of its seal frame; else 0
 *     80 16  zero
 *   frames, each at a multiple of 8, without gaps: the first is a STATE (not in a rewritten file), the last, once the file is closed,
 *     a SEAL
 *   zeroes, as far as the file was allocated ahead
 *
 * A frame is a header of 32 bytes, a payload, and zeroes up to a multiple of 8:
 *      0  4  CRC-32C of bytes 4..31, followed by the whole payload; of a BATCH only by the payload's first 21 bytes, the rest of which
 *            has a CRC-32C of its own there
 *      4  4  bytes of payload
 *      8  8  position of this frame: bytes of another place or of another life of the file are never taken for it
 *     16  1  type
 *     17  3  zero
 *     20  4  BATCH: part number; else 0
 *     24  8  BATCH, COMMIT: number of the unit as given at its beginning (not its sequence number); else 0
 *
 * In a rewritten file the frames that are still wanted stand one after the other, byte for byte as they were: their positions are the old
 * ones, increasing with gaps, and the seal says where each now is. So nothing that names a position ever needs to be rewritten.
 *
 *   BATCH    a record batch v2, base offset set
 *   COMMIT    0  8  sequence number, one more than the commit's before
 *             8  8  mark: the log was durable up to here when this was written
 *            16  8  wall clock, microseconds
 *            24  4  number of entries     28  4  bytes of note name    32  4  bytes of payload    36  4  zero
 *            40     entries of 40 bytes: part u32, len u32 (bytes of the batch), base i64, position u64, largest record time i64 (ms),
 *                   offsets u32, zero u32; then note name, then payload
 *   STATE    the whole state at this point as operations (see state.c), so that recovery needs no file before the last ones
 *   META     operations that change the state
 *   SEAL     the index of the file, which can be built again from the file's COMMITs:
 *             0  4  parts n    4  4  units u    8  8  entries e    16  8  wall clock of the last commit, us
 *            24  8  lowest position of a batch named in here (all ones: none)     32  8  frames f (0 but in a rewritten file)
 *            40     n times: part u32, entries u32, index of its first entry u64, begin i64, end i64, bytes u64, largest time i64;
 *                   e entries of 32 bytes: base i64, position u64, largest time i64, len u32, offsets u32, by part and base;
 *                   u times: sequence number u64, position of the COMMIT u64; f times: position u64, offset in the file u64
 *   MARK      0  8  mark
 */
#ifndef WALMILL_LOG_FORMAT_H
#define WALMILL_LOG_FORMAT_H

#include "base/bytes.h"
#include "base/err.h"

enum {
	FILE_HEADER = 96,
	FRAME_HEADER = 32,
	BATCH_PREFIX = 21,     /* of a record batch: what its own CRC does not cover */
	COMMIT_FIXED = 40,
	COMMIT_ENTRY = 40,
	SEAL_FIXED = 40,
	FORMAT_VERSION = 1,
	FRAME_MAX = 512 << 20, /* bytes of payload: more is damage */
};

#define POS_NONE UINT64_MAX

enum frame_type {
	FRAME_BATCH = 1,
	FRAME_COMMIT,
	FRAME_STATE,
	FRAME_META,
	FRAME_SEAL,
	FRAME_MARK,
	FRAME_TYPE_END,
};

struct file_header {
	uint8_t log_id[16];
	uint64_t base, end, prev_base, prev_seal, mark, seal_off;
};

void file_header_put(uint8_t to[FILE_HEADER], const struct file_header *h);
bool file_header_get(const uint8_t from[FILE_HEADER], struct file_header *ret);

struct frame {
	uint32_t crc, len, part;
	uint64_t pos, unit;
	enum frame_type type;
};

static inline uint64_t frame_size(uint32_t payload_len)
{
	return FRAME_HEADER + (((uint64_t)payload_len + 7) & ~(uint64_t)7);
}

/* Writes the header with its CRC; payload bytes as they will be in the file, first BATCH_PREFIX of a batch already final. */
void frame_put(uint8_t to[FRAME_HEADER], struct frame *f, const uint8_t *payload);

/* False when the fields cannot be a frame's; the CRC is not looked at. */
bool frame_get(const uint8_t from[FRAME_HEADER], struct frame *ret);

/* The header's CRC over header and payload (at least BATCH_PREFIX bytes of a batch, else all of it). */
bool frame_crc_good(const uint8_t header[FRAME_HEADER], const struct frame *f, const uint8_t *payload);

/* An index entry, as in memory and in a SEAL. */
struct entry {
	int64_t base;
	uint64_t pos;
	int64_t max_time_ms;
	uint32_t len, count;
};
_Static_assert(sizeof(struct entry) == 32, "entries are written as they are");

struct unit_ref {
	uint64_t seq, pos;
};
_Static_assert(sizeof(struct unit_ref) == 16, "unit references are written as they are");

struct frame_ref {
	uint64_t pos, off;
};
_Static_assert(sizeof(struct frame_ref) == 16, "frame references are written as they are");

struct commit {
	uint64_t seq, mark;
	int64_t time_us;
	uint32_t n_entries;
	const uint8_t *entries;
	struct view note, payload;
};

void commit_entry_put(uint8_t to[COMMIT_ENTRY], uint32_t part, const struct entry *e);
void commit_entry_get(const struct commit *c, uint32_t i, uint32_t *ret_part, struct entry *ret);
bool commit_get(struct view payload, struct commit *ret); /* false: not a commit's payload */

void segment_name(char to[32], uint64_t base);
bool segment_name_parse(const char *name, uint64_t *ret_base);

#endif
