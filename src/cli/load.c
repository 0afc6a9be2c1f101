/* A run of walmill load, from file to table; see load.h. One thread. */
#include "cli/load.h"

#include "base/js.h"
#include "base/mem.h"
#include "cli/load_copy.h"
#include "cli/load_rest.h"
#include "cli/load_source.h"
#include "model/datetime.h"

enum { PROGRESS_ROWS = 1000 };

static const struct load_dataset *const datasets[] = {&load_nyc311, &load_chicago, &load_datagouv};

static const char *const skip_texts[] = {
	[LOAD_TAKEN] = "taken",
#define X(constant, text) [constant] = text,
	LOAD_SKIPS(X)
#undef X
};

static const char *const repair_texts[] = {
#define X(constant, text) [constant] = text,
	LOAD_REPAIRS(X)
#undef X
};

const char *load_skip_text(enum load_skip s)
{
	return skip_texts[s];
}

const char *load_repair_text(enum load_repair r)
{
	return repair_texts[r];
}

const struct load_dataset *load_dataset_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(datasets) / sizeof(datasets[0]); i++)
		if (strcmp(datasets[i]->name, name) == 0)
			return datasets[i];
	return NULL;
}

/* ---- what was skipped ---- */

struct rejects {
	struct io_file *file;
	uint64_t off;
	struct buf out;
};

static int rejects_flush(struct rejects *r, struct err *err)
{
	if (io_write(r->file, r->off, r->out.ptr, r->out.len, err))
		return -1;
	r->off += r->out.len;
	buf_clear(&r->out);
	return 0;
}

static int rejects_open(struct rejects *r, struct io *io, const char *path, struct err *err)
{
	r->out = BUF_INIT(4 << 20);
	if (!path)
		return 0;
	if (io_open(io, path, IO_WRITE | IO_CREATE | IO_TRUNCATE, &r->file, err))
		return -1;
	buf_puts(&r->out, "line,key,reason\n");
	return rejects_flush(r, err);
}

/* The key comes from the file: quoted, and not longer than a key can sensibly be. */
static void put_quoted(struct buf *b, struct view v, size_t most)
{
	size_t i;

	buf_putc(b, '"');
	for (i = 0; i < v.len && i < most; i++) {
		if (v.ptr[i] == '"')
			buf_putc(b, '"');
		buf_u8(b, v.ptr[i]);
	}
	buf_putc(b, '"');
}

static int rejects_put(struct rejects *r, uint64_t line, struct view key, struct view why, struct err *err)
{
	if (!r->file)
		return 0;
	buf_printf(&r->out, "%llu,", (unsigned long long)line);
	put_quoted(&r->out, key, 100);
	buf_putc(&r->out, ',');
	if (why.len && (memchr(why.ptr, ',', why.len) || memchr(why.ptr, '"', why.len) || memchr(why.ptr, '\n', why.len)))
		put_quoted(&r->out, why, 500);
	else
		buf_putv(&r->out, why);
	buf_putc(&r->out, '\n');
	return r->out.len < 64 << 10 ? 0 : rejects_flush(r, err);
}

/* ---- the run ---- */

struct run {
	const struct load_dataset *set;
	const struct load_options *opts;
	struct load_context ctx;
	struct load_source *source;
	struct load_copy *copy;    /* one of the two, or none in a dry run */
	struct load_rest *rest;
	struct rejects rejects;
	struct load_report *report;
};

static int take(struct run *r, struct load_record *record, struct err *err)
{
	enum load_skip skip = record->skip;
	struct load_row row;

	if (!skip)
		skip = r->set->map(&r->ctx, record->values, &row);
	if (skip) {
		r->report->skipped[skip]++;
		return rejects_put(&r->rejects, record->line, record->values[0], view_str(load_skip_text(skip)), err);
	}
	r->ctx.repairs[LOAD_REPAIR_ENCODING] += record->recoded != 0;
	r->report->taken++;
	if (r->rest)
		return load_rest_put(r->rest, &row, record->line, err);
	return r->copy ? load_copy_put(r->copy, &row, err) : 0;
}

static int refused(void *arg, uint64_t line, struct view reference, struct view why, struct err *err)
{
	struct run *r = arg;

	r->report->skipped[LOAD_SKIP_REFUSED]++;
	r->report->taken--;
	return rejects_put(&r->rejects, line, reference, why, err);
}

static int take_all(struct run *r, struct err *err)
{
	struct load_record record;
	int rc;

	for (;;) {
		arena_reset(&r->ctx.arena);
		rc = load_source_next(r->source, &r->ctx.arena, &record, err);
		if (rc < 0)
			return err_context(err, "%s", r->opts->path);
		if (rc == 0)
			break;
		r->report->read++;
		if (take(r, &record, err))
			return -1;
		if (r->opts->progress && r->report->read % PROGRESS_ROWS == 0)
			r->opts->progress(r->opts->progress_arg, r->report->read, load_source_pos(r->source), load_source_size(r->source));
	}
	if (r->rest && load_rest_finish(r->rest, &r->report->inserted, &r->report->updated, err))
		return -1;
	if (r->rejects.file && rejects_flush(&r->rejects, err))
		return -1;
	return r->copy ? load_copy_finish(r->copy, &r->report->inserted, &r->report->updated, err) : 0;
}

int load_run(struct io *io, const struct load_dataset *set, const struct load_options *opts, struct load_report *ret, struct err *err)
{
	struct tz_cache *zones = tz_cache_new(io, NULL);
	struct run r = {.set = set, .opts = opts, .ctx = {.now_us = opts->now_us, .arena = ARENA_INIT}, .report = ret};
	int rc = -1;

	memset(ret, 0, sizeof(*ret));
	if (load_source_open(io, opts->path, set, &r.source, err))
		goto out;
	r.set = set = load_source_set(r.source);
	r.ctx.day_first = set->day_first;
	r.ctx.zone = tz_open(zones, set->zone, err);
	if (!r.ctx.zone)
		goto out;
	ret->layout = load_source_layout(r.source);
	if (rejects_open(&r.rejects, io, opts->rejects, err))
		goto out;
	if (opts->target && load_copy_begin(opts->target, set->user_domain, &r.copy, err))
		goto out;
	if (opts->rest)
		r.rest = load_rest_new(opts->rest, set->user_domain, refused, &r);
	rc = take_all(&r, err);
	memcpy(ret->repaired, r.ctx.repairs, sizeof(ret->repaired));
out:
	load_copy_close(r.copy);
	load_rest_free(r.rest);
	io_close(r.rejects.file);
	buf_release(&r.rejects.out);
	load_source_close(r.source);
	arena_release(&r.ctx.arena);
	tz_cache_release(zones);
	return rc;
}

/* ---- report ---- */

static void put_counts(const char *key, const char *const *texts, const uint64_t *counts, size_t from, size_t n, struct buf *out)
{
	size_t i;

	js_put_key(out, key);
	buf_putc(out, '{');
	for (i = from; i < n; i++) {
		if (!counts[i])
			continue;
		js_put_key(out, texts[i]);
		buf_u64(out, counts[i]);
	}
	buf_putc(out, '}');
}

static void put_json(const struct load_report *r, bool dry_run, struct buf *out)
{
	buf_putc(out, '{');
	js_put_key(out, "layout");
	js_put_str(out, r->layout ? r->layout : "");
	js_put_key(out, "dry_run");
	buf_puts(out, dry_run ? "true" : "false");
	js_put_key(out, "read");
	buf_u64(out, r->read);
	js_put_key(out, "taken");
	buf_u64(out, r->taken);
	js_put_key(out, "inserted");
	buf_u64(out, r->inserted);
	js_put_key(out, "updated");
	buf_u64(out, r->updated);
	put_counts("skipped", skip_texts, r->skipped, LOAD_TAKEN + 1, LOAD_SKIP_COUNT, out);
	put_counts("repaired", repair_texts, r->repaired, 0, LOAD_REPAIR_COUNT, out);
	buf_puts(out, "}\n");
}

void load_report_put(const struct load_report *r, bool dry_run, bool json, struct buf *out)
{
	size_t i;

	if (json) {
		put_json(r, dry_run, out);
		return;
	}
	buf_printf(out, "layout %s\n%llu row%s read, %llu taken", r->layout ? r->layout : "unknown", (unsigned long long)r->read,
		r->read == 1 ? "" : "s", (unsigned long long)r->taken);
	if (dry_run)
		buf_puts(out, " (dry run, nothing written)\n");
	else
		buf_printf(out, ": %llu new, %llu changed, %llu unchanged or repeated\n", (unsigned long long)r->inserted,
			(unsigned long long)r->updated, (unsigned long long)(r->taken - r->inserted - r->updated));
	for (i = LOAD_TAKEN + 1; i < LOAD_SKIP_COUNT; i++)
		if (r->skipped[i])
			buf_printf(out, "skipped %llu: %s\n", (unsigned long long)r->skipped[i], skip_texts[i]);
	for (i = 0; i < LOAD_REPAIR_COUNT; i++)
		if (r->repaired[i])
			buf_printf(out, "repaired %llu: %s\n", (unsigned long long)r->repaired[i], repair_texts[i]);
}
