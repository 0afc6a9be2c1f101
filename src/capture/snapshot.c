/*
 * Snapshots: every wanted table read by binary COPY inside one transaction that has imported the slot's snapshot, published as rows with op
 * r.
 *
 * Rows go out in parts (units marked part), so that memory and the log's open unit stay small; the last unit says that the snapshot is
 * complete and where the stream goes on. A part without its end means nothing to jobs, and the first part of a new attempt says that it
 * replaces the tables.
 *
 * One row is held back at all times, because Debezium marks the last row of a table and of all tables, and a row is only known to be
 * the last when no other follows.
 */
#include "capture/connector_internal.h"

enum { PART_ROWS = 20000, PART_BYTES = 8 << 20 };

struct snapshot {
	struct connector *c;
	lsn_t point;
	int64_t source_us;
	uint32_t xid;
	bool first_of_all;        /* no row has gone out yet */
	/* the row that is held back */
	bool held;
	struct captured *table;
	struct buf row;
	bool first_of_table;
	/* the open part */
	bool open;
	uint32_t rows;
	size_t bytes;
};

static int open_part(struct snapshot *s, struct err *err)
{
	if (s->open)
		return 0;
	payload_begin(&s->c->payload);
	if (s->c->out->ops->begin(s->c->out, err))
		return -1;
	s->open = true;
	s->rows = 0;
	s->bytes = 0;
	return 0;
}

static int close_part(struct snapshot *s, enum unit_kind kind, struct err *err)
{
	lsn_t lsn = kind == UNIT_SNAPSHOT_END ? s->point : 0;

	s->open = false;
	return unit_close(s->c, kind, s->xid, lsn, lsn, s->source_us, err);
}

/* Publishes the held row; `table_ends`, `all_ends`: nothing follows it in its table, at all. */
static int release(struct snapshot *s, bool table_ends, bool all_ends, struct err *err)
{
	struct connector *c = s->c;
	struct change_origin o = {.lsn = s->point, .xid = s->xid, .source_us = s->source_us, .now_us = io_now_us(c->io)};
	struct unit_target to = {c, s->table};

	if (!s->held)
		return 0;
	s->held = false;
	o.snapshot = all_ends ? "last" : s->first_of_all ? "first" : table_ends ? "last_in_data_collection"
		: s->first_of_table ? "first_in_data_collection" : "true";
	s->first_of_all = false;
	s->first_of_table = false;
	if (open_part(s, err) || pg_copy_row_decode(buf_view(&s->row), &c->copy_row, err) ||
	    table_encode(s->table->encoder, OP_READ, NULL, 0, &c->copy_row, &o, unit_emit, &to, err))
		return -1;
	s->rows++;
	s->bytes += s->row.len;
	if (s->rows >= PART_ROWS || s->bytes >= PART_BYTES)
		return close_part(s, UNIT_SNAPSHOT_PART, err) || units_reap(c, err) ? -1 : 0;
	return 0;
}

static int take_row(struct snapshot *s, struct captured *t, struct view row, bool first, struct err *err)
{
	if (release(s, s->held && s->table != t, false, err))
		return -1;
	buf_clear(&s->row);
	buf_putv(&s->row, row);
	if (!buf_ok(&s->row))
		return err_set(err, ERR_LIMIT, "a row of %zu bytes is larger than 1 GiB", row.len);
	s->held = true;
	s->table = t;
	s->first_of_table = first;
	return 0;
}

static void put_copy(struct buf *sql, const struct captured *t, struct view *names, uint32_t *n)
{
	uint32_t i;

	*n = 0;
	buf_puts(sql, "COPY (SELECT ");
	for (i = 0; i < t->table->ncolumns; i++) {
		const struct column *col = &t->table->columns[i];

		/* a generated column is not in the stream, so not here either: both phases must agree */
		if (col->form == FORM_OMITTED)
			continue;
		buf_puts(sql, *n ? ", " : "");
		pg_put_ident(sql, col->name);
		names[(*n)++] = col->name;
	}
	buf_puts(sql, t->table->kind == 'p' ? " FROM " : " FROM ONLY ");
	pg_put_ident(sql, t->table->schema);
	buf_putc(sql, '.');
	pg_put_ident(sql, t->table->name);
	buf_puts(sql, ") TO STDOUT (FORMAT binary)");
}

/* The signature, flags and extension in front; the trailer is the row count -1. Source: PostgreSQL documentation, COPY, "Binary Format". */
static bool skip_copy_header(struct view *chunk)
{
	if (chunk->len < 19 || memcmp(chunk->ptr, "PGCOPY\n\377\r\n\0", 11) != 0)
		return false;
	chunk->ptr += 19;
	chunk->len -= 19;
	return true;
}

static int read_table(struct snapshot *s, struct captured *t, struct err *err)
{
	struct connector *c = s->c;
	struct buf sql = BUF_INIT(1 << 20);
	struct view *names = arena_alloc(&t->arena, (t->table->ncolumns + 1) * sizeof(*names)), chunk;
	struct connector_counts counts = {0};
	bool first = true, header = true;
	uint32_t n;
	int rc = -1;

	put_copy(&sql, t, names, &n);
	table_encoder_map(t->encoder, names, n);
	if (pg_copy_out(c->plain, buf_cstr(&sql), err))
		goto out;
	for (;;) {
		if (pg_copy_next(c->plain, &chunk, err))
			goto out;
		if (!chunk.ptr)
			break;
		counts.bytes += chunk.len;
		/* the server sends a row a message, the header in front of the first */
		if (header && !skip_copy_header(&chunk)) {
			err_set(err, ERR_PROTOCOL, "the server's binary COPY does not begin as one");
			goto out;
		}
		header = false;
		if (chunk.len == 0 || (chunk.len == 2 && get_be16(chunk.ptr) == 0xffff))
			continue;
		if (take_row(s, t, chunk, first, err))
			goto out;
		first = false;
		counts.rows++;
		counts.snapshot_rows++;
		if (counts.rows % 4096 == 0) {
			connector_count(c, &counts);
			counts = (struct connector_counts){0};
		}
	}
	counts.snapshot_tables_done = 1;
	connector_count(c, &counts);
	rc = 0;
out:
	if (rc)
		err_context(err, "could not read table \"%.*s.%.*s\"", (int)t->table->schema.len, (const char *)t->table->schema.ptr,
			    (int)t->table->name.len, (const char *)t->table->name.ptr);
	buf_release(&sql);
	return rc;
}

static int snapshot_facts(struct snapshot *s, struct err *err)
{
	struct pg_result *r;

	if (pg_query(s->c->plain,
			"SELECT (extract(epoch FROM pg_catalog.now()) * 1000000)::int8, "
			"pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) % 4294967296",
			0, NULL, &r, err))
		return -1;
	s->source_us = pg_int(r, 0, 0);
	s->xid = (uint32_t)pg_int(r, 0, 1);
	pg_result_free(r);
	return 0;
}

int snapshot_run(struct connector *c, struct pg_table_ref *tables, uint32_t n, lsn_t consistent_point, struct err *err)
{
	struct snapshot s = {.c = c, .point = consistent_point, .first_of_all = true, .row = BUF_INIT((size_t)1 << 30)};
	struct connector_counts counts = {.snapshot_tables = n};
	struct captured *t;
	uint32_t i;
	int rc = -1;

	connector_count(c, &counts);
	pg_set_deadline(c->plain, 0); /* a COPY may wait as long as it likes for its disk; the interrupt ends it */
	if (snapshot_facts(&s, err) || open_part(&s, err))
		goto out;
	for (i = 0; i < n; i++) {
		if (tables_add_catalog(c, tables[i].oid, &t, err))
			goto out;
		payload_event(&c->payload, EVENT_REPLACE, tables[i].oid);
	}
	for (i = 0; i < n; i++)
		if (read_table(&s, tables_find(c, tables[i].oid), err))
			goto out;
	if (release(&s, true, true, err) || open_part(&s, err) || close_part(&s, UNIT_SNAPSHOT_END, err))
		goto out;
	rc = 0;
out:
	pg_set_deadline(c->plain, 60000);
	buf_release(&s.row);
	return rc;
}
