/* The simulated machine; see simio.h. */
#include "simio.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

enum { SECTOR = 512 };

struct pending {             /* a change of a file that is not on the disk for sure */
	struct pending *next;
	enum { P_WRITE, P_SIZE } kind;
	uint64_t off, len;       /* P_SIZE: len is the new size */
	uint8_t *data;
};

struct inode {
	uint8_t *now, *disk;     /* as programs see it; what is durable */
	size_t now_len, disk_len;
	struct pending *first, **last;
	int refs;                /* names, handles, pending names */
	struct sim_file *locked;
};

struct dirop {               /* a change of the directory that is not on the disk for sure */
	struct dirop *next;
	enum { D_CREATE, D_UNLINK, D_RENAME } kind;
	char *a, *b;
	struct inode *node;
};

struct name {
	char *path;
	struct inode *node;
};

struct names {
	struct name *all;
	unsigned n;
};

struct simio {
	struct io base;
	uint64_t rng, changes, calls, crash_at, fail_at, capacity, life;
	int fail_num, next_num;
	const char *next_what;
	bool stopped, lie;
	int64_t now_us, mono_us;
	struct names now, disk;
	struct dirop *dirops, **last_dirop;
};

struct sim_file {
	struct io_file base;
	struct inode *node;
	uint64_t life;           /* handles of before a crash are void */
	char *path;
};

static struct simio *of(struct io *io)
{
	return (struct simio *)io;
}

uint64_t simio_random(struct simio *s)
{
	s->rng += 0x9e3779b97f4a7c15u;
	return hash_u64(s->rng);
}

/* ---- inodes and names ---- */

static void node_unref(struct inode *n)
{
	struct pending *p;

	if (--n->refs > 0)
		return;
	while ((p = n->first)) {
		n->first = p->next;
		mem_free(p->data);
		mem_free(p);
	}
	mem_free(n->now);
	mem_free(n->disk);
	mem_free(n);
}

static unsigned name_place(const struct names *m, const char *path, bool *found)
{
	unsigned i;

	for (i = 0; i < m->n && strcmp(m->all[i].path, path) < 0; i++)
		;
	*found = i < m->n && strcmp(m->all[i].path, path) == 0;
	return i;
}

static struct inode *name_get(const struct names *m, const char *path)
{
	bool found;
	unsigned i = name_place(m, path, &found);

	return found ? m->all[i].node : NULL;
}

static void name_remove(struct names *m, const char *path)
{
	bool found;
	unsigned i = name_place(m, path, &found);

	if (!found)
		return;
	mem_free(m->all[i].path);
	node_unref(m->all[i].node);
	memmove(&m->all[i], &m->all[i + 1], (--m->n - i) * sizeof(*m->all));
}

static void name_put(struct names *m, const char *path, struct inode *node)
{
	bool found;
	unsigned i;

	node->refs++;
	name_remove(m, path);
	i = name_place(m, path, &found);
	m->all = mem_realloc(m->all, (m->n + 1) * sizeof(*m->all));
	memmove(&m->all[i + 1], &m->all[i], (m->n++ - i) * sizeof(*m->all));
	m->all[i] = (struct name){mem_strdup(path), node};
}

static void names_clear(struct names *m)
{
	while (m->n)
		name_remove(m, m->all[m->n - 1].path);
	mem_free(m->all);
	*m = (struct names){NULL, 0};
}

static void resize(uint8_t **p, size_t *len, size_t to)
{
	*p = mem_realloc(*p, to + 1);
	if (to > *len)
		memset(*p + *len, 0, to - *len);
	*len = to;
}

/* ---- faults ---- */

static int check(struct simio *s, const char *what, bool changes, struct err *err)
{
	int num = 0;

	s->calls++;
	if (changes)
		s->changes++;
	if (s->crash_at && s->changes >= s->crash_at && changes)
		s->stopped = true;
	if (s->stopped)
		return err_set(err, ERR_IO, "the machine has stopped");
	if (s->fail_at && s->calls == s->fail_at)
		num = s->fail_num;
	if (s->next_what && strcmp(s->next_what, what) == 0) {
		num = s->next_num;
		s->next_what = NULL;
	}
	return num ? err_set_errno(err, num, "could not %s", what) : 0;
}

static int usable(struct sim_file *f, const char *what, bool changes, struct err *err)
{
	struct simio *s = of(f->base.io);

	if (f->life != s->life)
		return err_set(err, ERR_IO, "the file was opened before the crash");
	return check(s, what, changes, err);
}

static uint64_t used_bytes(struct simio *s)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < s->now.n; i++)
		sum += s->now.all[i].node->now_len;
	return sum;
}

static int room(struct simio *s, uint64_t more, struct err *err)
{
	uint64_t used = used_bytes(s);

	return s->capacity && used + more > s->capacity ? err_set_errno(err, ENOSPC, "could not write") : 0;
}

/* ---- calls ---- */

static void add_dirop(struct simio *s, int kind, const char *a, const char *b, struct inode *node)
{
	struct dirop *d = mem_zalloc(sizeof(*d));

	d->kind = kind;
	d->a = mem_strdup(a);
	d->b = b ? mem_strdup(b) : NULL;
	d->node = node;
	node->refs++;
	*s->last_dirop = d;
	s->last_dirop = &d->next;
}

static void apply_dirop(struct names *m, const struct dirop *d)
{
	if (d->kind == D_CREATE)
		name_put(m, d->a, d->node);
	else if (d->kind == D_UNLINK) {
		if (name_get(m, d->a) == d->node)
			name_remove(m, d->a);
	} else {
		name_put(m, d->b, d->node);
		if (name_get(m, d->a) == d->node)
			name_remove(m, d->a);
	}
}

static int sim_open(struct io *io, const char *path, unsigned flags, struct io_file **ret, struct err *err)
{
	struct simio *s = of(io);
	struct inode *n = name_get(&s->now, path);
	struct sim_file *f;

	if (check(s, "open", !n && flags & IO_CREATE, err))
		return -1;
	if (!n && !(flags & IO_CREATE))
		return err_set(err, ERR_NOT_FOUND, "could not open \"%s\"", path);
	if (n && flags & IO_EXCLUSIVE)
		return err_set(err, ERR_EXISTS, "could not create \"%s\"", path);
	if (!n) {
		n = mem_zalloc(sizeof(*n));
		n->last = &n->first;
		name_put(&s->now, path, n);
		add_dirop(s, D_CREATE, path, NULL, n);
	} else if (flags & IO_TRUNCATE) {
		n->now_len = 0;
	}
	f = mem_zalloc(sizeof(*f));
	f->base.io = io;
	f->node = n;
	f->life = s->life;
	f->path = mem_strdup(path);
	n->refs++;
	*ret = &f->base;
	return 0;
}

static struct sim_file *file_of(struct io_file *f)
{
	return (struct sim_file *)f;
}

static void sim_close(struct io_file *file)
{
	struct sim_file *f = file_of(file);

	if (f->node->locked == f)
		f->node->locked = NULL;
	node_unref(f->node);
	mem_free(f->path);
	mem_free(f);
}

static int sim_read(struct io_file *f, uint64_t off, void *ptr, size_t len, size_t *ret_len, struct err *err)
{
	struct inode *n = file_of(f)->node;

	if (usable(file_of(f), "read", false, err))
		return -1;
	if (off > n->now_len)
		len = 0;
	else if (len > n->now_len - off)
		len = n->now_len - off;
	if (len)
		memcpy(ptr, n->now + off, len);
	*ret_len = len;
	return 0;
}

static void add_pending(struct inode *n, int kind, uint64_t off, uint64_t len)
{
	struct pending *p = mem_zalloc(sizeof(*p));

	p->kind = kind;
	p->off = off;
	p->len = len;
	if (kind == P_WRITE) {
		p->data = mem_alloc(len + 1);
		memcpy(p->data, n->now + off, len);
	}
	*n->last = p;
	n->last = &p->next;
}

static void set_size(struct inode *n, uint64_t len)
{
	if (len == n->now_len)
		return;
	resize(&n->now, &n->now_len, len);
	add_pending(n, P_SIZE, 0, len);
}

static int sim_write(struct io_file *f, uint64_t off, const struct io_vec *vecs, unsigned count, struct err *err)
{
	struct simio *s = of(f->io);
	struct inode *n = file_of(f)->node;
	uint64_t len = 0, at = off;
	unsigned i;
	int rc = usable(file_of(f), "write", true, err);

	/* the call at which the machine stops may have got as far as memory */
	if (rc && !(s->stopped && s->changes == s->crash_at && file_of(f)->life == s->life && simio_random(s) % 2))
		return -1;
	for (i = 0; i < count; i++)
		len += vecs[i].len;
	if (off + len > n->now_len && room(s, off + len - n->now_len, err))
		return -1;
	if (off + len > n->now_len)
		set_size(n, off + len);
	for (i = 0; i < count; at += vecs[i++].len)
		memcpy(n->now + at, vecs[i].ptr, vecs[i].len);
	add_pending(n, P_WRITE, off, len);
	return rc;
}

static void to_disk(struct simio *s, struct inode *n, bool all)
{
	struct pending *p;

	while ((p = n->first)) {
		n->first = p->next;
		if (p->kind == P_SIZE && (all || simio_random(s) % 2)) {
			resize(&n->disk, &n->disk_len, p->len);
		} else if (p->kind == P_WRITE) {
			uint64_t at, mode = all ? 0 : simio_random(s) % 4; /* 0 whole, 1 lost, else by sectors */

			for (at = 0; at < p->len && mode != 1;) {
				uint64_t end = at + SECTOR - (p->off + at) % SECTOR;

				end = end > p->len ? p->len : end;
				if ((mode == 0 || simio_random(s) % 2) && p->off + at < n->disk_len)
					memcpy(n->disk + p->off + at, p->data + at,
					    p->off + end > n->disk_len ? n->disk_len - p->off - at : end - at);
				at = end;
			}
		}
		mem_free(p->data);
		mem_free(p);
	}
	n->last = &n->first;
}

/* A failed sync: the kernel forgets that these pages are dirty. Sizes are the journal's, and stay pending. */
static void forget_writes(struct inode *n)
{
	struct pending **p = &n->first, *gone;

	while ((gone = *p)) {
		if (gone->kind == P_SIZE) {
			p = &gone->next;
			continue;
		}
		*p = gone->next;
		mem_free(gone->data);
		mem_free(gone);
	}
	n->last = p;
}

/* What a crash loses is by the seed's choice already, whether or not the disk has begun. */
static void sim_start_write(struct io_file *f, uint64_t off, size_t len)
{
}

static int sim_sync(struct io_file *f, struct err *err)
{
	struct simio *s = of(f->io);
	struct inode *n = file_of(f)->node;

	if (usable(file_of(f), "sync", true, err)) {
		if (!s->stopped && file_of(f)->life == s->life)
			forget_writes(n);
		return -1;
	}
	if (!s->lie)
		to_disk(s, n, true);
	return 0;
}

static int sim_size(struct io_file *f, uint64_t *ret, struct err *err)
{
	if (usable(file_of(f), "stat", false, err))
		return -1;
	*ret = file_of(f)->node->now_len;
	return 0;
}

static int sim_truncate(struct io_file *f, uint64_t len, struct err *err)
{
	if (usable(file_of(f), "truncate", true, err))
		return -1;
	set_size(file_of(f)->node, len);
	return 0;
}

static int sim_allocate(struct io_file *f, uint64_t len, struct err *err)
{
	struct inode *n = file_of(f)->node;

	if (usable(file_of(f), "allocate", true, err))
		return -1;
	if (len > n->now_len && room(of(f->io), len - n->now_len, err))
		return -1;
	if (len > n->now_len)
		set_size(n, len);
	return 0;
}

static int sim_lock(struct io_file *f, struct err *err)
{
	struct sim_file *x = file_of(f);

	if (usable(x, "lock", false, err))
		return -1;
	if (x->node->locked && x->node->locked != x)
		return err_set(err, ERR_BUSY, "\"%s\" is locked by another process", x->path);
	x->node->locked = x;
	return 0;
}

static int sim_make_dir(struct io *io, const char *path, struct err *err)
{
	(void)path;
	return check(of(io), "mkdir", false, err);
}

static void drop_dirops(struct simio *s, int how) /* 0: none applied, 1: all, 2: by chance */
{
	struct dirop *d;

	while ((d = s->dirops)) {
		s->dirops = d->next;
		if (how == 1 || (how == 2 && simio_random(s) % 2))
			apply_dirop(&s->disk, d);
		mem_free(d->a);
		mem_free(d->b);
		node_unref(d->node);
		mem_free(d);
	}
	s->last_dirop = &s->dirops;
}

static int sim_sync_dir(struct io *io, const char *path, struct err *err)
{
	(void)path;
	if (check(of(io), "syncdir", true, err))
		return -1;
	if (!of(io)->lie)
		drop_dirops(of(io), 1);
	return 0;
}

static int sim_list(struct io *io, const char *path, io_list_fn fn, void *arg, struct err *err)
{
	struct simio *s = of(io);
	size_t len = strlen(path);
	unsigned i;

	if (check(s, "list", false, err))
		return -1;
	for (i = 0; i < s->now.n; i++)
		if (strncmp(s->now.all[i].path, path, len) == 0 && s->now.all[i].path[len] == '/' && fn(arg, s->now.all[i].path + len + 1))
			break;
	return 0;
}

static int sim_rename(struct io *io, const char *from, const char *to, struct err *err)
{
	struct simio *s = of(io);
	struct inode *n = name_get(&s->now, from);

	if (check(s, "rename", true, err))
		return -1;
	if (!n)
		return err_set(err, ERR_NOT_FOUND, "could not rename \"%s\"", from);
	add_dirop(s, D_RENAME, from, to, n);
	name_put(&s->now, to, n);
	name_remove(&s->now, from);
	return 0;
}

static int sim_unlink(struct io *io, const char *path, struct err *err)
{
	struct simio *s = of(io);
	struct inode *n = name_get(&s->now, path);

	if (check(s, "unlink", true, err))
		return -1;
	if (!n)
		return err_set(err, ERR_NOT_FOUND, "could not remove \"%s\"", path);
	add_dirop(s, D_UNLINK, path, NULL, n);
	name_remove(&s->now, path);
	return 0;
}

static int sim_free_bytes(struct io *io, const char *path, uint64_t *ret, struct err *err)
{
	struct simio *s = of(io);
	uint64_t used = used_bytes(s);

	(void)path;
	if (check(s, "statvfs", false, err))
		return -1;
	*ret = !s->capacity ? UINT64_MAX / 2 : s->capacity > used ? s->capacity - used : 0;
	return 0;
}

static int64_t sim_now(struct io *io) { return of(io)->now_us; }
static int64_t sim_mono(struct io *io) { return of(io)->mono_us; }

static void sim_random(struct io *io, void *ptr, size_t len)
{
	uint8_t *p = ptr;

	while (len--)
		*p++ = (uint8_t)simio_random(of(io));
}

static const struct io_ops sim_ops = {
	.open = sim_open, .close = sim_close, .read = sim_read, .write = sim_write, .start_write = sim_start_write,
	.sync = sim_sync, .size = sim_size,
	.truncate = sim_truncate, .allocate = sim_allocate, .lock = sim_lock, .make_dir = sim_make_dir, .sync_dir = sim_sync_dir,
	.list = sim_list, .rename = sim_rename, .unlink = sim_unlink, .free_bytes = sim_free_bytes, .now_us = sim_now,
	.monotonic_us = sim_mono, .random = sim_random,
};

/* ---- the test's side ---- */

struct simio *simio_new(uint64_t seed)
{
	struct simio *s = mem_zalloc(sizeof(*s));

	s->base.ops = &sim_ops;
	s->rng = seed;
	s->life = 1;
	s->now_us = 1700000000000000;
	s->mono_us = 1000000;
	s->last_dirop = &s->dirops;
	return s;
}

void simio_free(struct simio *s)
{
	drop_dirops(s, 0);
	names_clear(&s->now);
	names_clear(&s->disk);
	mem_free(s);
}

struct io *simio_io(struct simio *s) { return &s->base; }
uint64_t simio_used(struct simio *s) { return used_bytes(s); }
uint64_t simio_changes(struct simio *s) { return s->changes; }
uint64_t simio_calls(struct simio *s) { return s->calls; }
void simio_crash_at(struct simio *s, uint64_t changes) { s->crash_at = changes; }
bool simio_stopped(struct simio *s) { return s->stopped; }
void simio_lie_about_sync(struct simio *s, bool lie) { s->lie = lie; }
void simio_set_capacity(struct simio *s, uint64_t bytes) { s->capacity = bytes; }

void simio_fail_at(struct simio *s, uint64_t calls, int num)
{
	s->fail_at = calls;
	s->fail_num = num;
}

void simio_fail_next(struct simio *s, const char *what, int num)
{
	s->next_what = what;
	s->next_num = num;
}

void simio_advance_us(struct simio *s, int64_t us)
{
	s->now_us += us;
	s->mono_us += us;
}

void simio_crash(struct simio *s)
{
	struct names fresh = {NULL, 0};
	unsigned i;

	drop_dirops(s, 2);
	for (i = 0; i < s->disk.n; i++) {
		struct inode *old = s->disk.all[i].node, *n = mem_zalloc(sizeof(*n));

		to_disk(s, old, false);
		n->last = &n->first;
		resize(&n->disk, &n->disk_len, old->disk_len);
		resize(&n->now, &n->now_len, old->disk_len);
		memcpy(n->disk, old->disk ? old->disk : n->disk, old->disk_len);
		memcpy(n->now, n->disk, n->disk_len);
		name_put(&fresh, s->disk.all[i].path, n);
	}
	names_clear(&s->now);
	names_clear(&s->disk);
	s->now = fresh;
	for (i = 0; i < fresh.n; i++)
		name_put(&s->disk, fresh.all[i].path, fresh.all[i].node);
	s->life++;
	s->stopped = s->lie = false;
	s->crash_at = s->fail_at = 0;
	s->next_what = NULL;
}

void simio_settle(struct simio *s)
{
	unsigned i;

	drop_dirops(s, 1);
	for (i = 0; i < s->now.n; i++) {
		struct inode *n = s->now.all[i].node;

		to_disk(s, n, true);
		resize(&n->disk, &n->disk_len, n->now_len);
		memcpy(n->disk, n->now ? n->now : n->disk, n->now_len);
	}
}

uint8_t *simio_file(struct simio *s, const char *path, size_t *ret_len)
{
	struct inode *n = name_get(&s->now, path);

	if (!n)
		return NULL;
	*ret_len = n->now_len;
	return n->now;
}

const char *simio_name(struct simio *s, unsigned i)
{
	return i < s->now.n ? s->now.all[i].path : NULL;
}

void simio_put(struct simio *s, const char *path, const void *ptr, size_t len)
{
	struct inode *n = mem_zalloc(sizeof(*n));

	drop_dirops(s, 1);
	n->last = &n->first;
	resize(&n->now, &n->now_len, len);
	resize(&n->disk, &n->disk_len, len);
	memcpy(n->now, ptr, len);
	memcpy(n->disk, ptr, len);
	name_put(&s->now, path, n);
	name_put(&s->disk, path, n);
}

void simio_remove(struct simio *s, const char *path)
{
	drop_dirops(s, 1);
	name_remove(&s->now, path);
	name_remove(&s->disk, path);
}
