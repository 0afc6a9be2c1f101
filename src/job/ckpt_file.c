/* Files of checkpoints; see ckpt_file.h. */
#include "job/ckpt_file.h"

#include <stdio.h>

#include "base/crc32c.h"
#include "base/mem.h"

enum { CHUNK_HEAD = 8, MAGIC_LEN = 8 };
static const char magic[] = "WMCKPT01";

/* ---- writing ---- */

enum work { WORK_NONE, WORK_PUT, WORK_SYNC, WORK_PUBLISH, WORK_LEAVE };

struct ckpt_writer {
	struct io *io;
	char *path, *new_path, *dir;
	struct wake *outside;
	struct thread thread;
	struct wake given;
	struct io_file *file;    /* the thread's */
	uint64_t bytes;          /* written by the thread, read when it is free */
	bool published;
	struct buf chunk;        /* in hand while busy */

	struct lock lock;        /* guards what follows */
	enum work work;          /* WORK_NONE: free */
	struct err err;
};

static int put_chunk(struct ckpt_writer *w, struct err *err)
{
	uint8_t head[CHUNK_HEAD];
	struct io_vec vecs[2] = {{head, sizeof(head)}, {w->chunk.ptr, w->chunk.len}};

	put_le32(head, (uint32_t)w->chunk.len);
	put_le32(head + 4, crc32c(0, w->chunk.ptr, w->chunk.len));
	if (io_writev(w->file, w->bytes, vecs, 2, err))
		return -1;
	w->bytes += sizeof(head) + w->chunk.len;
	buf_clear(&w->chunk);
	return 0;
}

static int publish(struct ckpt_writer *w, struct err *err)
{
	io_close(w->file);
	w->file = NULL;
	if (io_rename(w->io, w->new_path, w->path, err) || io_sync_dir(w->io, w->dir, err))
		return -1;
	w->published = true;
	return 0;
}

static int begin(struct ckpt_writer *w, struct err *err)
{
	if (io_open(w->io, w->new_path, IO_WRITE | IO_CREATE | IO_TRUNCATE, &w->file, err) || io_write(w->file, 0, magic, MAGIC_LEN, err))
		return -1;
	w->bytes = MAGIC_LEN;
	return 0;
}

/* Says that it is done, and waits for more. */
static enum work next_work(struct ckpt_writer *w, const struct err *failed)
{
	enum work work;

	lock_take(&w->lock);
	if (failed->code && !w->err.code)
		w->err = *failed;
	/* told to leave meanwhile: that stays */
	if (w->work != WORK_LEAVE)
		w->work = WORK_NONE;
	lock_drop(&w->lock);
	wake_signal(w->outside);
	for (;;) {
		uint64_t seen = wake_seen(&w->given);

		lock_take(&w->lock);
		work = w->work;
		lock_drop(&w->lock);
		if (work != WORK_NONE)
			return work;
		wake_wait(&w->given, seen, -1);
	}
}

static void run(void *arg)
{
	struct ckpt_writer *w = arg;
	struct err err = ERR_INIT;
	enum work work;

	if (begin(w, &err))
		wm_assert(err.code);
	while ((work = next_work(w, &err)) != WORK_LEAVE) {
		/* after a failure nothing more is done: a failed sync is never tried again */
		if (err.code)
			continue;
		if (work == WORK_PUT ? put_chunk(w, &err) : work == WORK_SYNC ? io_sync(w->file, &err) : publish(w, &err))
			err_context(&err, "could not write checkpoint \"%s\"", w->path);
	}
	io_close(w->file);
	if (!w->published) {
		struct err ignored = ERR_INIT;

		(void)!io_unlink(w->io, w->new_path, &ignored);
	}
}

struct ckpt_writer *ckpt_writer_new(struct io *io, const char *path, struct wake *wake)
{
	struct ckpt_writer *w = mem_zalloc(sizeof(*w));
	const char *slash = strrchr(path, '/');
	struct buf b = BUF_INIT(1 << 16);

	w->io = io;
	w->path = mem_strdup(path);
	w->dir = slash ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup(".");
	buf_printf(&b, "%s.new", path);
	w->new_path = mem_strdup(buf_cstr(&b));
	buf_release(&b);
	w->outside = wake;
	w->chunk = BUF_INIT(CKPT_CHUNK_MAX);
	lock_init(&w->lock);
	wake_init(&w->given);
	w->work = WORK_PUT; /* busy until the file is there */
	thread_start(&w->thread, "checkpoint", run, w);
	return w;
}

bool ckpt_writer_is_free(struct ckpt_writer *w, struct err *err)
{
	bool is_free;

	lock_take(&w->lock);
	is_free = w->work == WORK_NONE;
	if (is_free && w->err.code)
		*err = w->err;
	lock_drop(&w->lock);
	return is_free;
}

static void give(struct ckpt_writer *w, enum work work)
{
	lock_take(&w->lock);
	w->work = work;
	lock_drop(&w->lock);
	wake_signal(&w->given);
}

void ckpt_writer_put(struct ckpt_writer *w, struct buf *chunk)
{
	struct buf empty = w->chunk;

	buf_clear(&empty);
	w->chunk = *chunk;
	*chunk = empty;
	give(w, WORK_PUT);
}

void ckpt_writer_sync(struct ckpt_writer *w)
{
	give(w, WORK_SYNC);
}

void ckpt_writer_publish(struct ckpt_writer *w)
{
	give(w, WORK_PUBLISH);
}

uint64_t ckpt_writer_bytes(const struct ckpt_writer *w)
{
	return w->bytes;
}

void ckpt_writer_close(struct ckpt_writer *w)
{
	if (!w)
		return;
	give(w, WORK_LEAVE);
	thread_join(&w->thread);
	buf_release(&w->chunk);
	mem_free(w->path);
	mem_free(w->new_path);
	mem_free(w->dir);
	wake_release(&w->given);
	lock_release(&w->lock);
	mem_free(w);
}

/* ---- reading ---- */

static int damaged(const char *path, uint64_t off, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "checkpoint \"%s\" is damaged at byte %llu", path, (unsigned long long)off);
}

/* One chunk at *off into `into`, anew. */
static int read_chunk(struct io_file *f, const char *path, uint64_t *off, struct buf *into, struct err *err)
{
	uint8_t head[CHUNK_HEAD], *to;
	size_t got, len;

	buf_clear(into);
	if (io_read(f, *off, head, sizeof(head), &got, err))
		return -1;
	len = get_le32(head);
	if (got != sizeof(head) || len > CKPT_CHUNK_MAX || (to = buf_reserve(into, len)) == NULL)
		return damaged(path, *off, err);
	if (io_read(f, *off + CHUNK_HEAD, to, len, &got, err))
		return -1;
	if (got != len || crc32c(0, to, len) != get_le32(head + 4))
		return damaged(path, *off, err);
	into->len = len;
	*off += CHUNK_HEAD + len;
	return 0;
}

/* Opens the file, checks its first bytes and size; *ret_end is where the end chunk begins. */
static int open_file(struct io *io, const char *path, struct io_file **ret, uint64_t *ret_end, struct err *err)
{
	char first[MAGIC_LEN];
	struct io_file *f;
	uint64_t size;
	size_t got;

	if (io_open(io, path, IO_READ, &f, err))
		return -1;
	if (io_size(f, &size, err) || io_read(f, 0, first, MAGIC_LEN, &got, err)) {
		io_close(f);
		return -1;
	}
	if (got != MAGIC_LEN || memcmp(first, magic, MAGIC_LEN) != 0 || size < MAGIC_LEN + CHUNK_HEAD + CHUNK_HEAD + CKPT_END) {
		io_close(f);
		return damaged(path, 0, err);
	}
	*ret = f;
	*ret_end = size - CHUNK_HEAD - CKPT_END;
	return 0;
}

int ckpt_read_ends(struct io *io, const char *path, struct buf *header, uint8_t end[CKPT_END], struct err *err)
{
	struct buf b = BUF_INIT(CKPT_CHUNK_MAX);
	uint64_t off = MAGIC_LEN, at;
	struct io_file *f;
	int rc = -1;

	if (open_file(io, path, &f, &at, err))
		return -1;
	if (read_chunk(f, path, &off, header, err) || read_chunk(f, path, &at, &b, err))
		goto out;
	if (b.len != CKPT_END) {
		damaged(path, at, err);
		goto out;
	}
	memcpy(end, b.ptr, CKPT_END);
	rc = 0;
out:
	io_close(f);
	buf_release(&b);
	return rc;
}

int ckpt_read_chunks(struct io *io, const char *path, int (*fn)(void *arg, struct view chunk, struct err *err), void *arg, struct err *err)
{
	struct buf b = BUF_INIT(CKPT_CHUNK_MAX);
	uint64_t off = MAGIC_LEN, at;
	struct io_file *f;
	int rc;

	if (open_file(io, path, &f, &at, err))
		return -1;
	rc = read_chunk(f, path, &off, &b, err);
	while (rc == 0 && off < at) {
		rc = read_chunk(f, path, &off, &b, err);
		if (rc == 0)
			rc = fn(arg, buf_view(&b), err);
	}
	if (rc == 0 && off != at)
		rc = damaged(path, off, err);
	io_close(f);
	buf_release(&b);
	return rc;
}
