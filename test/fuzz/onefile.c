/* The file of onefile.h. One thread. */
#include "onefile.h"

static struct view content;
static struct io_file opened;

static int one_open(struct io *io, const char *path, unsigned flags, struct io_file **ret, struct err *err)
{
	opened.io = io;
	*ret = &opened;
	return 0;
}

static void one_close(struct io_file *f)
{
	f->io = NULL;
}

static int one_read(struct io_file *f, uint64_t off, void *ptr, size_t len, size_t *ret_len, struct err *err)
{
	size_t left = off < content.len ? content.len - (size_t)off : 0;

	*ret_len = left < len ? left : len;
	if (*ret_len)
		memcpy(ptr, content.ptr + off, *ret_len);
	return 0;
}

static int one_size(struct io_file *f, uint64_t *ret, struct err *err)
{
	*ret = content.len;
	return 0;
}

struct io *onefile(struct view bytes)
{
	static const struct io_ops ops = {.open = one_open, .close = one_close, .read = one_read, .size = one_size};
	static struct io io = {&ops};

	content = bytes;
	return &io;
}
