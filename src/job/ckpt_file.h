/*
 * Files of checkpoints: written by a thread of their own while the job goes on, read back at its next start.
 *
 *	file   = magic chunk* end
 *	magic  = "WMCKPT01"
 *	chunk  = u32 length, u32 CRC-32C of the bytes, bytes; little-endian. What the bytes mean is checkpoint.c's; the first is the header.
 *	end    = a chunk of exactly CKPT_END bytes, the last of the file
 *
 * A file appears under its name only whole and durable (ckpt_writer_publish); until then it is NAME.new. One that is not whole, or was
 * damaged since, is ERR_CORRUPT: a job can do without.
 */
#ifndef WALMILL_JOB_CKPT_FILE_H
#define WALMILL_JOB_CKPT_FILE_H

#include "base/io.h"
#include "base/thread.h"

enum { CKPT_CHUNK_MAX = 64 << 20, CKPT_END = 32 };

struct ckpt_writer;

/* Begins path.new in a thread of its own. `wake` is signalled whenever the writer becomes free. Never NULL; a file that cannot be made is
 * reported by ckpt_writer_is_free. */
struct ckpt_writer *ckpt_writer_new(struct io *io, const char *path, struct wake *wake);

/* True when the writer has done what it was given and may be given more; then *err tells if anything failed so far. */
bool ckpt_writer_is_free(struct ckpt_writer *w, struct err *err);

/* Each only when free; they return at once. The chunk's bytes are taken, and `chunk` is another buffer, empty. */
void ckpt_writer_put(struct ckpt_writer *w, struct buf *chunk);
void ckpt_writer_sync(struct ckpt_writer *w);
void ckpt_writer_publish(struct ckpt_writer *w);
uint64_t ckpt_writer_bytes(const struct ckpt_writer *w);

/* Waits for the thread. What was not published is removed. NULL is fine. */
void ckpt_writer_close(struct ckpt_writer *w);

/* Header (first chunk) and end of the file at path. ERR_NOT_FOUND, ERR_CORRUPT. */
int ckpt_read_ends(struct io *io, const char *path, struct buf *header, uint8_t end[CKPT_END], struct err *err) WM_MUST_USE;

/* All chunks between header and end, in order. fn's error ends the reading. */
int ckpt_read_chunks(
	struct io *io, const char *path, int (*fn)(void *arg, struct view chunk, struct err *err), void *arg, struct err *err) WM_MUST_USE;

#endif
