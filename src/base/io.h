/*
 * Files, clock and randomness behind one table, so that tests can take over: crashes, torn and lost writes, full disks,
 * failing fsyncs and time itself are simulated by another implementation of `struct io_ops` (test/lib/simio.h).
 *
 * Paths are as the caller gives them; files are opened close-on-exec. Every call is thread safe; one file's offset-based reads
 * and writes may run at the same time on several threads. Interrupted and short reads and writes are retried inside.
 *
 * Durability rules that callers follow (reference: Rebello et al., "Can Applications Recover from fsync Failures?", ATC'20;
 * Pillai et al., "All File Systems Are Not Created Equal", OSDI'14):
 *   - a new or renamed file is there after a crash only when its directory was synced (io_sync_dir);
 *   - replacing a file is: write a temporary, io_sync, io_rename, io_sync_dir (io_replace does all four);
 *   - a failed io_sync is never tried again: the kernel may have dropped the pages and report success the second time.
 */
#ifndef WALMILL_BASE_IO_H
#define WALMILL_BASE_IO_H

#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"

struct io;       /* an implementation and its state */
struct io_file;  /* an open file */

enum io_flags {
	IO_READ = 1,
	IO_WRITE = 2,
	IO_CREATE = 4,     /* make it if it is not there (mode 0600) */
	IO_EXCLUSIVE = 8,  /* with IO_CREATE: ERR_EXISTS if it is there */
	IO_TRUNCATE = 16,
};

struct io_vec {
	const void *ptr;
	size_t len;
};

/* The name is only valid during the call. Return non-zero to stop the listing. */
typedef int (*io_list_fn)(void *arg, const char *name);

struct io_ops {
	int (*open)(struct io *io, const char *path, unsigned flags, struct io_file **ret, struct err *err);
	void (*close)(struct io_file *f);
	/* up to len bytes from off; *ret_len is short only at the end of the file */
	int (*read)(struct io_file *f, uint64_t off, void *ptr, size_t len, size_t *ret_len, struct err *err);
	int (*write)(struct io_file *f, uint64_t off, const struct io_vec *vecs, unsigned n, struct err *err);
	void (*start_write)(struct io_file *f, uint64_t off, size_t len); /* the disk may begin with these; promises nothing, reports nothing */
	int (*sync)(struct io_file *f, struct err *err);              /* fdatasync */
	int (*size)(struct io_file *f, uint64_t *ret, struct err *err);
	int (*truncate)(struct io_file *f, uint64_t len, struct err *err);
	int (*allocate)(struct io_file *f, uint64_t len, struct err *err); /* blocks and size up to len, contents zero */
	int (*lock)(struct io_file *f, struct err *err);              /* exclusive, for the process; ERR_BUSY when taken */
	int (*make_dir)(struct io *io, const char *path, struct err *err); /* one that is there already is fine */
	int (*sync_dir)(struct io *io, const char *path, struct err *err);
	int (*list)(struct io *io, const char *path, io_list_fn fn, void *arg, struct err *err); /* no order, no dots */
	int (*rename)(struct io *io, const char *from, const char *to, struct err *err);
	int (*unlink)(struct io *io, const char *path, struct err *err);
	int (*free_bytes)(struct io *io, const char *path, uint64_t *ret, struct err *err); /* of the file system, for this user */
	int64_t (*now_us)(struct io *io);        /* wall clock, microseconds since 1970-01-01 UTC */
	int64_t (*monotonic_us)(struct io *io);  /* never steps back; zero is arbitrary */
	void (*random)(struct io *io, void *ptr, size_t len);
};

struct io {
	const struct io_ops *ops;
};

struct io *io_system(void); /* the real machine; one static instance, never freed */

static inline WM_MUST_USE int io_open(struct io *io, const char *path, unsigned flags, struct io_file **ret, struct err *err)
{
	return io->ops->open(io, path, flags, ret, err);
}
static inline int64_t io_now_us(struct io *io) { return io->ops->now_us(io); }
static inline int64_t io_monotonic_us(struct io *io) { return io->ops->monotonic_us(io); }
static inline void io_random(struct io *io, void *ptr, size_t len) { io->ops->random(io, ptr, len); }
static inline WM_MUST_USE int io_make_dir(struct io *io, const char *path, struct err *err) { return io->ops->make_dir(io, path, err); }
static inline WM_MUST_USE int io_sync_dir(struct io *io, const char *path, struct err *err) { return io->ops->sync_dir(io, path, err); }
static inline WM_MUST_USE int io_list(struct io *io, const char *path, io_list_fn fn, void *arg, struct err *err)
{
	return io->ops->list(io, path, fn, arg, err);
}
static inline WM_MUST_USE int io_rename(struct io *io, const char *from, const char *to, struct err *err)
{
	return io->ops->rename(io, from, to, err);
}
static inline WM_MUST_USE int io_unlink(struct io *io, const char *path, struct err *err) { return io->ops->unlink(io, path, err); }
static inline WM_MUST_USE int io_free_bytes(struct io *io, const char *path, uint64_t *ret, struct err *err)
{
	return io->ops->free_bytes(io, path, ret, err);
}

/* Calls on an open file go through the implementation that opened it. */
struct io_file {
	struct io *io;
};
static inline void io_close(struct io_file *f) { if (f) f->io->ops->close(f); }
static inline WM_MUST_USE int io_read(struct io_file *f, uint64_t off, void *ptr, size_t len, size_t *ret_len, struct err *err)
{
	return f->io->ops->read(f, off, ptr, len, ret_len, err);
}
static inline WM_MUST_USE int io_writev(struct io_file *f, uint64_t off, const struct io_vec *vecs, unsigned n, struct err *err)
{
	return f->io->ops->write(f, off, vecs, n, err);
}
static inline WM_MUST_USE int io_write(struct io_file *f, uint64_t off, const void *ptr, size_t len, struct err *err)
{
	struct io_vec v = {ptr, len};

	return f->io->ops->write(f, off, &v, 1, err);
}
static inline void io_start_write(struct io_file *f, uint64_t off, size_t len) { f->io->ops->start_write(f, off, len); }
static inline WM_MUST_USE int io_sync(struct io_file *f, struct err *err) { return f->io->ops->sync(f, err); }
static inline WM_MUST_USE int io_size(struct io_file *f, uint64_t *ret, struct err *err) { return f->io->ops->size(f, ret, err); }
static inline WM_MUST_USE int io_truncate(struct io_file *f, uint64_t len, struct err *err) { return f->io->ops->truncate(f, len, err); }
static inline WM_MUST_USE int io_allocate(struct io_file *f, uint64_t len, struct err *err) { return f->io->ops->allocate(f, len, err); }
static inline WM_MUST_USE int io_lock(struct io_file *f, struct err *err) { return f->io->ops->lock(f, err); }

/* The whole file into `into` (appended); ERR_NOT_FOUND when it is not there, ERR_LIMIT when it does not fit. */
int io_read_file(struct io *io, const char *path, struct buf *into, struct err *err) WM_MUST_USE;

/* Puts `bytes` in place of the file at path, all or nothing, durable on return. Writes path.tmp beside it. */
int io_replace(struct io *io, const char *path, struct view bytes, struct err *err) WM_MUST_USE;

#endif
