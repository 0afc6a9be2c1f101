/* Replication stream; see stream.h. One thread, the connector's. */
#include "pg/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/mem.h"
#include "pg/conn_internal.h"

/* microseconds between 1970-01-01 and 2000-01-01, where the server's clock begins */
#define POSTGRES_EPOCH_US INT64_C(946684800000000)
#define IMPORT_WAIT_US INT64_C(30000000)

int pg_identify(struct pg_conn *c, struct pg_identity *ret, struct err *err)
{
	struct pg_result *r;
	int rc = -1;

	if (pg_query(c, "IDENTIFY_SYSTEM", 0, NULL, &r, err))
		return -1;
	if (pg_rows(r) != 1 || pg_columns(r) < 3 || !lsn_parse(pg_value(r, 0, 2), &ret->wal_end)) {
		err_set(err, ERR_PROTOCOL, "the server's answer to IDENTIFY_SYSTEM cannot be read");
		goto out;
	}
	ret->system_id = strtoull(pg_text(r, 0, 0), NULL, 10);
	ret->timeline = (uint32_t)strtoul(pg_text(r, 0, 1), NULL, 10);
	rc = 0;
out:
	pg_result_free(r);
	return rc;
}

/* A history file has lines "parent timeline, switch point, reason"; the child is the next line's parent or the file's own timeline. */
int pg_timeline_end(struct pg_conn *c, uint32_t timeline, uint32_t current, lsn_t *ret, struct err *err)
{
	struct pg_result *r;
	char command[64];
	const char *line;

	*ret = 0;
	if (timeline == current)
		return 0;
	snprintf(command, sizeof(command), "TIMELINE_HISTORY %u", current);
	if (pg_query(c, command, 0, NULL, &r, err))
		return -1;
	for (line = pg_rows(r) == 1 ? pg_text(r, 0, 1) : ""; *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : "") {
		char *end;
		unsigned long parent = strtoul(line, &end, 10);
		size_t len;

		while (*end == '\t' || *end == ' ')
			end++;
		len = strcspn(end, "\t \n");
		if (parent == timeline && lsn_parse(view_of(end, len), ret))
			break;
	}
	pg_result_free(r);
	if (*ret == 0)
		return err_set(err, ERR_LOST, "timeline %u of the server does not descend from timeline %u", current, timeline);
	return 0;
}

int pg_slot_create(struct pg_conn *c, struct view name, bool temporary, struct pg_slot_made *ret, struct err *err)
{
	struct buf sql = BUF_INIT(1024);
	struct pg_result *r;
	int rc = -1;

	buf_puts(&sql, "CREATE_REPLICATION_SLOT ");
	pg_put_ident(&sql, name);
	buf_puts(&sql, temporary ? " TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT" : " LOGICAL pgoutput NOEXPORT_SNAPSHOT");
	if (pg_query(c, buf_cstr(&sql), 0, NULL, &r, err))
		goto out;
	if (pg_rows(r) != 1 || !lsn_parse(pg_value(r, 0, 1), &ret->consistent_point)) {
		err_set(err, ERR_PROTOCOL, "the server's answer to CREATE_REPLICATION_SLOT cannot be read");
	} else {
		snprintf(ret->snapshot, sizeof(ret->snapshot), "%s", pg_text(r, 0, 2));
		rc = 0;
	}
	pg_result_free(r);
out:
	buf_release(&sql);
	return rc;
}

static int import(struct pg_conn *c, const char *snapshot, struct err *err)
{
	struct buf sql = BUF_INIT(512);
	int rc;

	buf_puts(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ");
	pg_put_literal(&sql, view_str(snapshot));
	rc = pg_exec(c, buf_cstr(&sql), err);
	buf_release(&sql);
	return rc;
}

/* What is running now, and beyond what the snapshot ends at: nothing of it may be committed to the snapshot. */
static int wait_for_commits(struct pg_conn *c, const char *seen, struct err *err)
{
	static const char sql[] =
		"SELECT pg_catalog.txid_snapshot_xmax(now) >= pg_catalog.txid_snapshot_xmax(seen) AND NOT EXISTS (SELECT FROM "
		"pg_catalog.txid_snapshot_xip(now) x WHERE pg_catalog.txid_visible_in_snapshot(x, seen)) FROM (SELECT "
		"pg_catalog.txid_current_snapshot() AS now, $1::pg_catalog.txid_snapshot AS seen) s";
	int64_t deadline = io_monotonic_us(io_system()) + IMPORT_WAIT_US;
	struct pg_result *r;
	bool settled;

	for (;;) {
		if (pg_query(c, sql, 1, &seen, &r, err))
			return -1;
		settled = pg_bool(r, 0, 0);
		pg_result_free(r);
		if (settled)
			return 0;
		if (io_monotonic_us(io_system()) > deadline)
			return err_set(err, ERR_BUSY, "a transaction that has written its commit is still committing after %d s",
				(int)(IMPORT_WAIT_US / 1000000));
		/* a backend between its commit record and pg_xact: nobody tells when it is done */
		if (pg_exec(c, "SELECT pg_catalog.pg_sleep(0.002)", err))
			return -1;
	}
}

/* The decoder's snapshots may end before the oldest transaction that they call running, which the server's own input does not take. */
static char *with_order(const char *seen)
{
	char *colon, text[64];
	uint64_t low = strtoull(seen, &colon, 10), high = *colon == ':' ? strtoull(colon + 1, NULL, 10) : low;

	if (low <= high)
		return mem_strdup(seen);
	snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64 ":", low, low);
	return mem_strdup(text);
}

int pg_snapshot_import(struct pg_conn *c, const char *snapshot, struct err *err)
{
	struct pg_result *r;
	char *seen;
	int rc;

	if (import(c, snapshot, err) || pg_query(c, "SELECT pg_catalog.txid_current_snapshot()", 0, NULL, &r, err))
		return -1;
	seen = with_order(pg_text(r, 0, 0));
	pg_result_free(r);
	rc = pg_exec(c, "COMMIT", err) || wait_for_commits(c, seen, err) || import(c, snapshot, err) ? -1 : 0;
	mem_free(seen);
	return rc;
}

static int files_moved(struct pg_conn *c, const struct pg_table_ref *tables, uint32_t n, struct buf *sql, struct err *err)
{
	struct pg_result *r;
	uint32_t i;
	int rc;

	buf_clear(sql);
	/* the catalog's rows as the snapshot has them against what is so now */
	buf_puts(sql, "WITH RECURSIVE t(oid) AS (VALUES ");
	for (i = 0; i < n; i++)
		buf_printf(sql, "%s(%u::pg_catalog.oid)", i ? "," : "", tables[i].oid);
	buf_puts(sql,
		" UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i, t WHERE i.inhparent = t.oid) SELECT count(*) FROM pg_catalog.pg_class c "
		"JOIN t ON t.oid = c.oid WHERE c.relkind = 'r' AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)");
	if (pg_query(c, buf_cstr(sql), 0, NULL, &r, err))
		return -1;
	rc = pg_int(r, 0, 0) > 0;
	if (rc)
		err_set(err, ERR_BUSY, "a table was truncated or rewritten just when it was to be read");
	pg_result_free(r);
	return rc;
}

int pg_snapshot_lock(struct pg_conn *c, const struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct buf sql = BUF_INIT(16 << 20);
	int rc;

	buf_puts(&sql, "SET LOCAL lock_timeout = '700ms'; LOCK TABLE ");
	pg_put_table_list(&sql, tables, n);
	buf_puts(&sql, " IN ACCESS SHARE MODE");
	if (pg_exec(c, buf_cstr(&sql), err))
		rc = err->code == ERR_BUSY || err->code == ERR_NOT_FOUND ? 1 : -1;
	else
		rc = files_moved(c, tables, n, &sql, err);
	buf_release(&sql);
	return rc;
}

int pg_stream_start(struct pg_conn *c, struct view slot, struct view publication, lsn_t from, struct err *err)
{
	struct buf sql = BUF_INIT(4096);
	struct buf names = BUF_INIT(1024);
	PGresult *res;
	int rc = -1;

	/* publication_names is a comma separated list of identifiers inside a literal */
	pg_put_ident(&names, publication);
	buf_puts(&sql, "START_REPLICATION SLOT ");
	pg_put_ident(&sql, slot);
	buf_printf(&sql, " LOGICAL " LSN_FORMAT " (\"proto_version\" '1', \"binary\" 'true', \"publication_names\" ", LSN_ARGS(from));
	pg_put_literal(&sql, buf_view(&names));
	buf_puts(&sql, ")");
	if (!PQsendQuery(c->pq, buf_cstr(&sql))) {
		pg_result_error(c, NULL, err);
		goto out;
	}
	if (pg_next_result(c, c->timeout_ms ? io_monotonic_us(io_system()) + c->timeout_ms * 1000 : 0, &res, err))
		goto out;
	if (PQresultStatus(res) == PGRES_COPY_BOTH)
		rc = 0;
	else
		pg_result_error(c, res, err);
	PQclear(res);
	while (rc && !c->broken && (res = PQgetResult(c->pq)) != NULL)
		PQclear(res);
out:
	buf_release(&sql);
	buf_release(&names);
	return rc;
}

static int parse_item(struct pg_conn *c, size_t len, struct pg_stream_item *ret, struct err *err)
{
	struct reader r = reader_of(view_of(c->copy, len));
	uint8_t kind = reader_u8(&r);

	*ret = (struct pg_stream_item){.kind = PG_STREAM_NOTHING};
	if (kind == 'w') {
		ret->kind = PG_STREAM_DATA;
		ret->lsn = reader_be64(&r);
		ret->wal_end = reader_be64(&r);
		ret->sent_us = (int64_t)reader_be64(&r) + POSTGRES_EPOCH_US;
		ret->data = reader_view(&r, reader_left(&r));
	} else if (kind == 'k') {
		ret->kind = PG_STREAM_KEEPALIVE;
		ret->lsn = ret->wal_end = reader_be64(&r);
		ret->sent_us = (int64_t)reader_be64(&r) + POSTGRES_EPOCH_US;
		ret->reply_requested = reader_u8(&r) != 0;
	} else {
		r.bad = true;
	}
	if (!reader_done(&r))
		return err_set(err, ERR_PROTOCOL, "the server sent a replication message of kind %u and %zu bytes that cannot be read", kind, len);
	return 0;
}

/* The COPY is over: what the server says why. A clean end is PG_STREAM_END. */
static int stream_ended(struct pg_conn *c, struct pg_stream_item *ret, struct err *err)
{
	PGresult *res;

	*ret = (struct pg_stream_item){.kind = PG_STREAM_END};
	while ((res = PQgetResult(c->pq)) != NULL) {
		ExecStatusType s = PQresultStatus(res);

		if (s == PGRES_FATAL_ERROR) {
			pg_result_error(c, res, err);
			PQclear(res);
			return -1;
		}
		PQclear(res);
		if (s == PGRES_COPY_BOTH || s == PGRES_COPY_IN)
			break;
	}
	c->broken = true;
	return 0;
}

int pg_stream_next(struct pg_conn *c, int64_t wait_ms, struct pg_stream_item *ret, struct err *err)
{
	int64_t deadline = 0;
	int n, ready;

	if (c->copy)
		PQfreemem(c->copy);
	for (;;) {
		c->copy = NULL;
		n = PQgetCopyData(c->pq, &c->copy, 1);
		if (n > 0)
			return parse_item(c, (size_t)n, ret, err);
		if (n == -1)
			return stream_ended(c, ret, err);
		if (n < 0)
			return pg_result_error(c, NULL, err);
		if (deadline == 0)
			deadline = io_monotonic_us(io_system()) + wait_ms * 1000;
		ready = pg_wait(c, false, deadline, err);
		if (ready < 0)
			return -1;
		if (ready == 0) {
			*ret = (struct pg_stream_item){.kind = PG_STREAM_NOTHING};
			return 0;
		}
		if (!PQconsumeInput(c->pq))
			return pg_result_error(c, NULL, err);
	}
}

int pg_stream_gather(struct pg_conn *c, int64_t us, struct err *err)
{
	struct pollfd interrupt = {c->interrupt_fd, POLLIN, 0};
	struct timespec wait = {us / 1000000, us % 1000000 * 1000};
	int n = ppoll(&interrupt, 1, &wait, NULL);

	if (n < 0 && errno != EINTR)
		return err_set_errno(err, errno, "could not wait for the server");
	if (n <= 0)
		return 0;
	c->broken = true;
	return err_set(err, ERR_CANCELED, "interrupted while waiting for the server");
}

int pg_stream_confirm(struct pg_conn *c, lsn_t durable, bool want_reply, struct err *err)
{
	uint8_t m[34];
	int flushed;

	m[0] = 'r';
	put_be64(m + 1, durable);
	put_be64(m + 9, durable);
	put_be64(m + 17, durable);
	put_be64(m + 25, (uint64_t)(io_now_us(io_system()) - POSTGRES_EPOCH_US));
	m[33] = want_reply;
	if (pg_copy_put(c, view_of(m, sizeof(m)), err))
		return -1;
	while ((flushed = PQflush(c->pq)) > 0)
		if (pg_wait(c, true, 0, err) < 0 || !PQconsumeInput(c->pq))
			return pg_result_error(c, NULL, err);
	return flushed < 0 ? pg_result_error(c, NULL, err) : 0;
}
