/* Opening and closing the log, settings, figures, pins' and notes' outside. Any thread. */
#include "log/log_int.h"

#include <stdio.h>
#include <unistd.h>

struct log_settings log_settings_default(void)
{
	return (struct log_settings){
	    .segment_bytes = 64 << 20, .grow_bytes = 8 << 20, .cut_bytes = 1 << 20, .buffer_bytes = 4 << 20, .index_cache_bytes = 16 << 20,
	    .reserve_bytes = 1 << 30, .pin_max_bytes = 0, .retention_ms = 7LL * 24 * 3600 * 1000, .retention_bytes = -1,
	    .flush_interval_us = 0, .flush_busy_us = 4000, .sweep_interval_ms = 30000, .spare_bytes = 256 << 20,
	    .spare_rate = 4 << 20,
	};
}

static int take_lock_file(struct log *log, struct err *err)
{
	struct buf path = BUF_INIT(1 << 16), text = BUF_INIT(64);
	char pid[32];
	int n, rc = -1;

	buf_printf(&path, "%s/lock", log->dir);
	if (io_open(log->io, buf_cstr(&path), IO_READ | IO_WRITE | IO_CREATE, &log->lock_file, err))
		goto out;
	if (io_lock(log->lock_file, err)) {
		struct err ignored = ERR_INIT;

		if (err->code == ERR_BUSY && !io_read_file(log->io, (const char *)path.ptr, &text, &ignored) && text.len > 1 && text.len < 20)
			err_detail(err, "Process %.*s has it open.", (int)text.len - 1, (const char *)text.ptr);
		if (err->code == ERR_BUSY)
			err_hint(err, "Only one walmill can use a data directory. Stop the other one, or give this one another directory.");
		goto out;
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (io_truncate(log->lock_file, 0, err) || io_write(log->lock_file, 0, pid, (size_t)n, err))
		goto out;
	rc = 0;
out:
	buf_release(&path);
	buf_release(&text);
	return rc;
}

static void log_free(struct log *log)
{
	struct log_unit *u;
	uint32_t i;

	wbuf_release(&log->in);
	wbuf_release(&log->out);
	mem_free(log->dirty);
	while (log->n_windows)
		window_release(&log->windows[--log->n_windows]);
	for (i = 0; i < log->n_segs; i++)
		segment_unref(log, log->segs[i]);
	mem_free(log->segs);
	segments_close_gone(log);
	state_release(log);
	while ((u = log->free_units)) {
		log->free_units = u->next;
		log->n_free_units = UINT32_MAX; /* keep none */
		unit_free(log, u);
	}
	io_close(log->lock_file);
	wake_release(&log->wake);
	wake_release(&log->flush_wake);
	wake_release(&log->sweep_wake);
	wake_release(&log->spare_wake);
	lock_release(&log->lock);
	mem_free(log->dir);
	mem_free(log);
}

int log_open(struct io *io, const char *dir, const struct log_settings *s, struct log **ret, struct err *err)
{
	struct log *log = mem_zalloc(sizeof(*log));

	log->io = io;
	log->dir = mem_strdup(dir);
	log->set = *s;
	lock_init(&log->lock);
	wake_init(&log->wake);
	wake_init(&log->flush_wake);
	wake_init(&log->sweep_wake);
	wake_init(&log->spare_wake);
	log->topics = log->topics_by_id = log->notes = MAP_INIT;
	log->closed_tail = &log->closed;
	log->next_seq = log->next_unit = log->whole_seq = 1;
	if (io_make_dir(io, dir, err) || take_lock_file(log, err) || log_recover(log, err)) {
		log_free(log);
		return -1;
	}
	segments_close_gone(log);
	log->durable_seq = log->next_seq - 1;
	if (!s->manual) {
		thread_start(&log->flusher, "log-flush", flusher_main, log);
		thread_start(&log->sweeper, "log-sweep", sweeper_main, log);
		thread_start(&log->sparer, "log-spare", spare_main, log);
	}
	*ret = log;
	return 0;
}

void log_close(struct log *log)
{
	if (!log)
		return;
	lock_take(&log->lock);
	wm_assert(log->stats.open_units == 0);
	log->wanted = log->tail;
	log->stopping = true;
	lock_drop(&log->lock);
	wake_signal(&log->flush_wake);
	wake_signal(&log->sweep_wake);
	wake_signal(&log->spare_wake);
	thread_join(&log->sparer);
	thread_join(&log->sweeper);
	thread_join(&log->flusher);
	while (flush_round(log))
		;
	/* so that the next start can tell damage at the very end from a torn tail */
	lock_take(&log->lock);
	if (!log->failed && !log->full && log->marked < log->last_data) {
		mark_append(log);
		log->wanted = log->tail;
	}
	lock_drop(&log->lock);
	while (flush_round(log))
		;
	if (!log->failed && log->full) {
		struct err err = ERR_INIT;

		err_set(&err, ERR_NO_SPACE, "the disk of \"%s\" is full", log->dir);
		log_fail(log, &err); /* whoever waited must hear it */
	}
	while (spare_drop(log))
		;
	log_free(log);
}

struct log_recovery log_recovery(struct log *log)
{
	return log->recovery;
}

struct wake *log_wake(struct log *log)
{
	return &log->wake;
}

bool log_failed(struct log *log, struct err *err)
{
	bool failed;

	lock_take(&log->lock);
	failed = log->failed;
	if (failed && err)
		*err = log->failure;
	lock_drop(&log->lock);
	return failed;
}

void log_stats(struct log *log, struct log_stats *ret)
{
	uint32_t i;

	lock_take(&log->lock);
	log_free_bytes(log);
	*ret = log->stats;
	ret->free_bytes = log->free_bytes;
	ret->disk_bytes = 0;
	for (i = 0; i < log->n_segs; i++)
		ret->disk_bytes += log->segs[i]->used;
	ret->buffered_bytes = log->in.len;
	ret->segments = log->n_segs;
	ret->topics = (unsigned)log->topics.count;
	ret->full = log->full;
	lock_drop(&log->lock);
}

/* ---- notes ---- */

bool log_note(struct log *log, const char *name, struct buf *into, uint64_t *ret_seq)
{
	struct note *n;
	bool found = false;

	lock_take(&log->lock);
	n = map_get(&log->notes, view_str(name));
	if (n && (n->seq <= log->durable_seq || n->has_durable)) {
		bool now = n->seq <= log->durable_seq;

		buf_clear(into);
		buf_putv(into, buf_view(now ? &n->now : &n->durable));
		if (ret_seq)
			*ret_seq = now ? n->seq : n->durable_seq;
		found = true;
	}
	lock_drop(&log->lock);
	return found;
}

int log_note_remove(struct log *log, const char *name, struct err *err)
{
	struct buf ops = BUF_INIT(1 << 16);
	int rc = 0;

	lock_take(&log->lock);
	if (map_get(&log->notes, view_str(name))) {
		op_note_drop(&ops, name);
		rc = meta_write(log, &ops, err) || wait_durable(log, log->tail, err) ? -1 : 0;
	}
	lock_drop(&log->lock);
	return rc;
}

/* ---- pins ---- */

static struct pin *pin_find(struct log *log, const char *name)
{
	uint32_t i;

	for (i = 0; i < log->n_pins; i++)
		if (strcmp(log->pins[i]->name, name) == 0)
			return log->pins[i];
	return NULL;
}

int log_pin_set(struct log *log, const char *name, uint64_t seq, struct err *err)
{
	struct buf ops = BUF_INIT(1 << 16);
	size_t len = strlen(name);
	struct pin *p;
	int rc = -1;

	if (len == 0 || len > LOG_NAME_MAX)
		return err_set(err, ERR_INVALID, "pin name \"%.250s\" is not valid", name);
	lock_take(&log->lock);
	p = pin_find(log, name);
	if (p && seq < p->seq) {
		err_set(err, ERR_INVALID, "pin \"%s\" is at unit %llu and cannot go back to %llu", name, (unsigned long long)p->seq,
		    (unsigned long long)seq);
	} else {
		rc = 0;
		if (!p || p->seq != seq) {
			op_pin(&ops, name, seq);
			rc = meta_write(log, &ops, err);
		}
		if (!rc && !p) {
			p = pin_find(log, name);
			p->made_at = log->tail;
		}
		/* moving on may be lost, being there may not */
		if (!rc)
			rc = wait_durable(log, p->made_at, err);
	}
	lock_drop(&log->lock);
	return rc;
}

int log_pin_clear(struct log *log, const char *name, struct err *err)
{
	struct buf ops = BUF_INIT(1 << 16);
	int rc = 0;

	lock_take(&log->lock);
	if (pin_find(log, name)) {
		op_pin_drop(&ops, name);
		rc = meta_write(log, &ops, err);
	}
	lock_drop(&log->lock);
	return rc;
}

bool log_pin_get(struct log *log, const char *name, uint64_t *ret_seq)
{
	struct pin *p;

	lock_take(&log->lock);
	p = pin_find(log, name);
	if (p)
		*ret_seq = p->seq;
	lock_drop(&log->lock);
	return p != NULL;
}

void log_pin_list(struct log *log, void (*fn)(void *arg, const char *name, uint64_t seq), void *arg)
{
	struct pin *copy;
	uint32_t n, i;

	lock_take(&log->lock);
	n = log->n_pins;
	copy = mem_alloc((n + 1) * sizeof(*copy));
	for (i = 0; i < n; i++)
		copy[i] = *log->pins[i];
	lock_drop(&log->lock);
	for (i = 0; i < n; i++)
		fn(arg, copy[i].name, copy[i].seq);
	mem_free(copy);
}
