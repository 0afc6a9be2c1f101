/* The real machine behind io.h, and what is built from its calls alone. */
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

struct sys_file {
	struct io_file base;
	int fd;
	char path[];
};

static struct sys_file *sys(struct io_file *f)
{
	return (struct sys_file *)f;
}

static int sys_open(struct io *io, const char *path, unsigned flags, struct io_file **ret, struct err *err)
{
	int how = O_CLOEXEC, fd;
	struct sys_file *f;
	size_t len = strlen(path);

	how |= flags & IO_WRITE ? (flags & IO_READ ? O_RDWR : O_WRONLY) : O_RDONLY;
	how |= (flags & IO_CREATE ? O_CREAT : 0) | (flags & IO_EXCLUSIVE ? O_EXCL : 0) | (flags & IO_TRUNCATE ? O_TRUNC : 0);
	do
		fd = open(path, how, 0600);
	while (fd < 0 && errno == EINTR);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "could not open \"%s\": no such file or directory", path);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_EXISTS, "could not create \"%s\": it exists already", path);
	if (fd < 0)
		return err_set_errno(err, errno, "could not open \"%s\"", path);
	f = mem_alloc(sizeof(*f) + len + 1);
	f->base.io = io;
	f->fd = fd;
	memcpy(f->path, path, len + 1);
	*ret = &f->base;
	return 0;
}

static void sys_close(struct io_file *f)
{
	close(sys(f)->fd);
	mem_free(f);
}

static int sys_read(struct io_file *f, uint64_t off, void *ptr, size_t len, size_t *ret_len, struct err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(sys(f)->fd, (char *)ptr + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "could not read \"%s\" at %llu", sys(f)->path, (unsigned long long)(off + done));
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_len = done;
	return 0;
}

static int sys_write(struct io_file *f, uint64_t off, const struct io_vec *vecs, unsigned n, struct err *err)
{
	struct iovec iov[64];
	unsigned i = 0;
	size_t skip = 0; /* of vecs[i], already written */

	while (i < n) {
		unsigned k;
		ssize_t done;

		for (k = 0; k < 64 && i + k < n; k++) {
			iov[k].iov_base = (void *)((uintptr_t)vecs[i + k].ptr + (k ? 0 : skip));
			iov[k].iov_len = vecs[i + k].len - (k ? 0 : skip);
		}
		done = pwritev(sys(f)->fd, iov, (int)k, (off_t)off);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_set_errno(err, errno, "could not write \"%s\" at %llu", sys(f)->path, (unsigned long long)off);
		off += (uint64_t)done;
		skip += (size_t)done;
		while (i < n && skip >= vecs[i].len)
			skip -= vecs[i++].len;
	}
	return 0;
}

static void sys_start_write(struct io_file *f, uint64_t off, size_t len)
{
	/* errors of these writes are kept for the next fdatasync of the file, sync_file_range(2) takes none away without a WAIT flag */
	(void)sync_file_range(sys(f)->fd, (off_t)off, (off_t)len, SYNC_FILE_RANGE_WRITE);
}

static int sys_sync(struct io_file *f, struct err *err)
{
	/* not retried on EINTR either: see the header */
	if (fdatasync(sys(f)->fd))
		return err_set_errno(err, errno, "could not sync \"%s\"", sys(f)->path);
	return 0;
}

static int sys_size(struct io_file *f, uint64_t *ret, struct err *err)
{
	struct stat st;

	if (fstat(sys(f)->fd, &st))
		return err_set_errno(err, errno, "could not stat \"%s\"", sys(f)->path);
	*ret = (uint64_t)st.st_size;
	return 0;
}

static int sys_truncate(struct io_file *f, uint64_t len, struct err *err)
{
	if (ftruncate(sys(f)->fd, (off_t)len))
		return err_set_errno(err, errno, "could not truncate \"%s\" to %llu", sys(f)->path, (unsigned long long)len);
	return 0;
}

static int sys_allocate(struct io_file *f, uint64_t len, struct err *err)
{
	int num = posix_fallocate(sys(f)->fd, 0, (off_t)len);

	if (num)
		return err_set_errno(err, num, "could not allocate %llu bytes for \"%s\"", (unsigned long long)len, sys(f)->path);
	return 0;
}

static int sys_lock(struct io_file *f, struct err *err)
{
	if (flock(sys(f)->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, ERR_BUSY, "\"%s\" is locked by another process", sys(f)->path);
	return err_set_errno(err, errno, "could not lock \"%s\"", sys(f)->path);
}

static int sys_make_dir(struct io *io, const char *path, struct err *err)
{
	(void)io;
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_set_errno(err, errno, "could not create directory \"%s\"", path);
	return 0;
}

static int sys_sync_dir(struct io *io, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), num = 0;

	(void)io;
	if (fd < 0)
		return err_set_errno(err, errno, "could not open directory \"%s\"", path);
	if (fsync(fd))
		num = errno;
	close(fd);
	return num ? err_set_errno(err, num, "could not sync directory \"%s\"", path) : 0;
}

static int sys_list(struct io *io, const char *path, io_list_fn fn, void *arg, struct err *err)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int num;

	(void)io;
	if (!dir && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "could not open directory \"%s\": no such file or directory", path);
	if (!dir)
		return err_set_errno(err, errno, "could not open directory \"%s\"", path);
	while (errno = 0, (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fn(arg, e->d_name))
			break;
	}
	num = e ? 0 : errno;
	closedir(dir);
	return num ? err_set_errno(err, num, "could not read directory \"%s\"", path) : 0;
}

static int sys_rename(struct io *io, const char *from, const char *to, struct err *err)
{
	(void)io;
	if (rename(from, to))
		return err_set_errno(err, errno, "could not rename \"%s\" to \"%s\"", from, to);
	return 0;
}

static int sys_unlink(struct io *io, const char *path, struct err *err)
{
	(void)io;
	if (unlink(path) == 0)
		return 0;
	if (errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "could not remove \"%s\": no such file", path);
	return err_set_errno(err, errno, "could not remove \"%s\"", path);
}

static int sys_free_bytes(struct io *io, const char *path, uint64_t *ret, struct err *err)
{
	struct statvfs st;

	(void)io;
	if (statvfs(path, &st))
		return err_set_errno(err, errno, "could not stat the file system of \"%s\"", path);
	*ret = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t sys_now_us(struct io *io)
{
	(void)io;
	return clock_us(CLOCK_REALTIME);
}

static int64_t sys_monotonic_us(struct io *io)
{
	(void)io;
	return clock_us(CLOCK_MONOTONIC);
}

static void sys_random(struct io *io, void *ptr, size_t len)
{
	(void)io;
	while (len) {
		ssize_t n = getrandom(ptr, len, 0);

		wm_assert(n > 0 || errno == EINTR);
		if (n > 0) {
			ptr = (char *)ptr + n;
			len -= (size_t)n;
		}
	}
}

static const struct io_ops system_ops = {
	.open = sys_open, .close = sys_close, .read = sys_read, .write = sys_write, .start_write = sys_start_write,
	.sync = sys_sync, .size = sys_size,
	.truncate = sys_truncate, .allocate = sys_allocate, .lock = sys_lock, .make_dir = sys_make_dir, .sync_dir = sys_sync_dir,
	.list = sys_list, .rename = sys_rename, .unlink = sys_unlink, .free_bytes = sys_free_bytes, .now_us = sys_now_us,
	.monotonic_us = sys_monotonic_us, .random = sys_random,
};

struct io *io_system(void)
{
	static struct io system = {&system_ops};

	return &system;
}

int io_read_file(struct io *io, const char *path, struct buf *into, struct err *err)
{
	struct io_file *f;
	uint64_t size;
	size_t got;
	uint8_t *to;
	int rc = -1;

	if (io_open(io, path, IO_READ, &f, err))
		return -1;
	if (io_size(f, &size, err))
		goto out;
	to = size > into->max ? NULL : buf_reserve(into, (size_t)size);
	if (!to) {
		err_set(err, ERR_LIMIT, "\"%s\" has %llu bytes, more than the %zu that are read", path, (unsigned long long)size, into->max);
		goto out;
	}
	if (io_read(f, 0, to, (size_t)size, &got, err))
		goto out;
	into->len += got;
	rc = 0;
out:
	io_close(f);
	return rc;
}

int io_replace(struct io *io, const char *path, struct view bytes, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = strlen(path);
	char *tmp = mem_alloc(len + 5), *dir = slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
	struct io_file *f = NULL;
	int rc = -1;

	memcpy(tmp, path, len);
	memcpy(tmp + len, ".tmp", 5);
	if (io_open(io, tmp, IO_WRITE | IO_CREATE | IO_TRUNCATE, &f, err))
		goto out;
	if (io_write(f, 0, bytes.ptr, bytes.len, err) || io_sync(f, err))
		goto out;
	if (io_rename(io, tmp, path, err) || io_sync_dir(io, dir, err))
		goto out;
	rc = 0;
out:
	io_close(f);
	mem_free(tmp);
	mem_free(dir);
	return rc;
}
