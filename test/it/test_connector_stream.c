/*
 * What connectors publish where the stream has no easy answer: huge transactions, savepoints, columns that come and go, unchanged TOAST,
 * TRUNCATE, and snapshots of tables that are being written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"

/* ---- huge transactions ---- */

/* A change_out that counts and forgets, so that what stays in memory is capture's own. */
struct counter {
	struct change_out base;
	struct lock lock;
	uint64_t open_records, open_bytes, most_records, most_bytes, units;
	size_t at_begin, most_growth;
};

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
	struct mallinfo2 m;

	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	m = mallinfo2();
	return m.uordblks + m.hblkhd;
}

static int counter_topic(struct change_out *out, struct view name, uint32_t *ret, struct err *err)
{
	*ret = 0;
	return 0;
}

static int counter_begin(struct change_out *out, struct err *err)
{
	struct counter *k = (struct counter *)out;

	k->open_records = k->open_bytes = 0;
	k->at_begin = allocated();
	return 0;
}

static int counter_append(struct change_out *out, uint32_t topic, const struct change_record *rec, uint32_t *ret_index, struct err *err)
{
	struct counter *k = (struct counter *)out;

	*ret_index = (uint32_t)k->open_records++;
	k->open_bytes += rec->key.len + rec->value.len;
	if (k->open_records % 1024 == 0) {
		size_t bytes = allocated(), growth = bytes > k->at_begin ? bytes - k->at_begin : 0;

		if (growth > k->most_growth)
			k->most_growth = growth;
	}
	return 0;
}

static int counter_close(struct change_out *out, struct view payload, uint64_t *ret, struct err *err)
{
	struct counter *k = (struct counter *)out;

	lock_take(&k->lock);
	if (k->open_records > k->most_records) {
		k->most_records = k->open_records;
		k->most_bytes = k->open_bytes;
	}
	*ret = ++k->units;
	lock_drop(&k->lock);
	return 0;
}

static int counter_abort(struct change_out *out, struct err *err)
{
	return 0;
}

static int counter_schema(struct change_out *out, uint32_t oid, uint32_t version, struct view stored, struct err *err)
{
	return 0;
}

static int counter_durable(struct change_out *out, uint64_t *ret, struct err *err)
{
	struct counter *k = (struct counter *)out;

	lock_take(&k->lock);
	*ret = k->units;
	lock_drop(&k->lock);
	return 0;
}

static int counter_last(struct change_out *out, struct buf *into, struct err *err)
{
	return 0;
}

static int counter_schemas(struct change_out *out, int (*fn)(void *, struct view, struct err *), void *arg, struct err *err)
{
	return 0;
}

static void counter_free(struct change_out *out) { /* the test's own */ }

static void a_huge_transaction_arrives_whole_in_bounded_memory(void **state)
{
	static const struct change_out_ops ops = {
		.topic = counter_topic, .begin = counter_begin, .append = counter_append, .close = counter_close, .abort = counter_abort,
		.schema = counter_schema, .durable = counter_durable, .last = counter_last, .kept = counter_last,
		.schemas = counter_schemas, .free = counter_free,
	};
	struct counter k = {.base.ops = &ops};
	struct lab *l = lab_new(lab_server, "huge", "CREATE TABLE t (id bigint PRIMARY KEY, n int, pad text)");

	lock_init(&k.lock);
	lab_start_out(l, &k.base);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t SELECT i, i, repeat('x', 200) FROM generate_series(1, 300000) i");
	lab_caught_up(l);
	lab_stop(l);
	assert_int_equal(k.most_records, 300000);
	assert_true(k.most_bytes > 100 << 20);
	if (k.most_growth > 8 << 20)
		fail_msg("%zu bytes more for a transaction of %llu", k.most_growth, (unsigned long long)k.most_bytes);
	lock_release(&k.lock);
	lab_free(l);
}

/* ---- records, one by one ---- */

static const char *value(struct lab *l, unsigned i)
{
	char topic[64];
	const char *v;

	snprintf(topic, sizeof(topic), "%s.public.t", l->name);
	v = memlog_value(l->log, topic, i);
	assert_non_null(v);
	return v;
}

/* The part of an envelope after `"after":`. */
static const char *after(struct lab *l, unsigned i)
{
	const char *v = strstr(value(l, i), "\"after\":");

	assert_non_null(v);
	return v;
}

static void expect(const char *have, const char *want)
{
	if (strncmp(have, want, strlen(want)) != 0)
		fail_msg("want %s, have %.300s", want, have);
}

static void a_rolled_back_savepoint_leaves_no_row(void **state)
{
	struct lab *l = lab_new(lab_server, "savepoint", "CREATE TABLE t (id bigint PRIMARY KEY, n int)");

	lab_witness(l);
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l,
		"BEGIN; INSERT INTO t VALUES (1, 1); SAVEPOINT a; INSERT INTO t VALUES (2, 2); UPDATE t SET n = 9; SAVEPOINT b; "
		"INSERT INTO t VALUES (3, 3); ROLLBACK TO a; INSERT INTO t VALUES (4, 4); SAVEPOINT c; INSERT INTO t VALUES (5, 5); RELEASE c; "
		"COMMIT");
	lab_sql(l, "BEGIN; INSERT INTO t VALUES (6, 6); ROLLBACK");
	lab_caught_up(l);
	assert_int_equal(memlog_records(l->log, NULL), 3);
	expect(after(l, 0), "\"after\":{\"id\":1,\"n\":1}");
	expect(after(l, 1), "\"after\":{\"id\":4,\"n\":4}");
	expect(after(l, 2), "\"after\":{\"id\":5,\"n\":5}");
	lab_compare(l);
	lab_free(l);
}

static void change_columns(struct lab *l)
{
	lab_sql(l, "INSERT INTO t VALUES (1, 'a1', NULL)");
	lab_sql(l, "ALTER TABLE t ADD COLUMN b int DEFAULT 7");
	lab_sql(l, "INSERT INTO t VALUES (2, 'a2', 'd2', 2)");
	lab_sql(l, "BEGIN; INSERT INTO t VALUES (3, 'a3', 'd3', 3); ALTER TABLE t DROP COLUMN a; INSERT INTO t VALUES (4, 'd4', 4); COMMIT");
	lab_sql(l, "UPDATE t SET b = 8 WHERE id = 1");
	lab_sql(l, "ALTER TABLE t ALTER COLUMN b TYPE text");
	lab_sql(l, "INSERT INTO t VALUES (5, 'd5', 'five')");
	lab_sql(l, "ALTER TABLE t RENAME COLUMN d TO e");
	lab_sql(l, "INSERT INTO t VALUES (6, 'e6', 'six')");
}

static void expect_columns(struct lab *l)
{
	expect(after(l, 0), "\"after\":{\"id\":1,\"a\":\"a1\",\"d\":\"x\"}");
	expect(after(l, 1), "\"after\":{\"id\":2,\"a\":\"a2\",\"d\":\"d2\",\"b\":2}");
	expect(after(l, 2), "\"after\":{\"id\":3,\"a\":\"a3\",\"d\":\"d3\",\"b\":3}");
	expect(after(l, 3), "\"after\":{\"id\":4,\"d\":\"d4\",\"b\":4}");
	expect(after(l, 4), "\"after\":{\"id\":1,\"d\":\"x\",\"b\":8}");
	expect(after(l, 5), "\"after\":{\"id\":5,\"d\":\"d5\",\"b\":\"five\"}");
	expect(after(l, 6), "\"after\":{\"id\":6,\"e\":\"e6\",\"b\":\"six\"}");
	assert_int_equal(memlog_records(l->log, NULL), 7);
}

/* The unit that has record i of the one topic; its range of records begins at *ret_first. */
static void unit_of(struct lab *l, unsigned record, struct arena *a, struct unit_payload *ret, unsigned *ret_first)
{
	unsigned i, k, first = 0, n = memlog_units(l->log);

	for (i = 0; i < n; i++) {
		unsigned count = 0;

		memlog_unit(l->log, i, a, ret);
		for (k = 0; k < ret->nruns; k++)
			count += ret->runs[k].count;
		if (record < first + count) {
			*ret_first = first;
			return;
		}
		first += count;
	}
	fail_msg("record %u is in no unit", record);
}

/* Kind of the exception that stands for a column of a record, 0 = none. */
static int exception_of(struct lab *l, unsigned record, int attnum)
{
	struct arena a = ARENA_INIT;
	struct unit_payload u;
	unsigned first, i;
	int kind = 0;

	unit_of(l, record, &a, &u, &first);
	for (i = 0; i < u.nexceptions; i++) {
		const struct unit_exception *e = &u.exceptions[i];

		if (e->attnum == attnum && record - first >= e->record && record - first < e->record + e->count)
			kind = e->kind;
	}
	arena_release(&a);
	return kind;
}

#define COLUMNS "CREATE TABLE t (id int PRIMARY KEY, a text, d text DEFAULT 'x')"

static void columns_come_and_go_while_streaming(void **state)
{
	struct lab *l = lab_new(lab_server, "columns", COLUMNS);

	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	change_columns(l);
	lab_caught_up(l);
	expect_columns(l);
	assert_int_equal(exception_of(l, 0, 3), EXCEPTION_NULL);
	assert_int_equal(exception_of(l, 1, 3), 0);
	lab_free(l);
}

/* When the rows are read, the catalog has long another table: what they were is told by the stream and the stored schema. */
static void columns_that_came_and_went_while_stopped_are_those_of_their_time(void **state)
{
	struct lab *l = lab_new(lab_server, "columns2", COLUMNS);

	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_stop(l);
	change_columns(l);
	lab_start(l);
	lab_caught_up(l);
	expect_columns(l);
	assert_int_equal(exception_of(l, 0, 3), EXCEPTION_NULL);
	assert_int_equal(exception_of(l, 1, 3), 0);
	lab_free(l);
}

static void unchanged_toast_is_a_placeholder_and_an_exception(void **state)
{
	struct lab *l =
		lab_new(lab_server, "toast", "CREATE TABLE t (id int PRIMARY KEY, n int, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL");

	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t VALUES (1, 1, repeat('y', 9000))");
	lab_sql(l, "UPDATE t SET n = 2");
	lab_sql(l, "UPDATE t SET big = 'small'");
	lab_caught_up(l);
	expect(after(l, 0), "\"after\":{\"id\":1,\"n\":1,\"big\":\"yyyyyyyy");
	expect(after(l, 1), "\"after\":{\"id\":1,\"n\":2,\"big\":\"__debezium_unavailable_value\"}");
	expect(after(l, 2), "\"after\":{\"id\":1,\"n\":2,\"big\":\"small\"}");
	assert_int_equal(exception_of(l, 0, 3), 0);
	assert_int_equal(exception_of(l, 1, 3), EXCEPTION_UNCHANGED);
	assert_int_equal(exception_of(l, 1, 2), 0);
	assert_int_equal(exception_of(l, 2, 3), 0);
	lab_free(l);
}

static void truncate_is_an_event_at_its_place(void **state)
{
	struct lab *l = lab_new(lab_server, "truncated", "CREATE TABLE t (id int PRIMARY KEY)");
	struct arena a = ARENA_INIT;
	struct unit_payload u;
	unsigned first;

	l->more = ",\"skipped.operations\":\"none\"";
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t VALUES (1)");
	lab_sql(l, "BEGIN; INSERT INTO t VALUES (2), (3); TRUNCATE t; INSERT INTO t VALUES (4); COMMIT");
	lab_caught_up(l);
	assert_int_equal(memlog_records(l->log, NULL), 5);
	assert_non_null(strstr(value(l, 3), "\"op\":\"t\""));
	expect(after(l, 4), "\"after\":{\"id\":4}");
	unit_of(l, 4, &a, &u, &first);
	assert_int_equal(first, 1);
	assert_int_equal(u.nevents, 1);
	assert_int_equal(u.events[0].kind, EVENT_TRUNCATE);
	assert_int_equal(u.events[0].before_record, 2);
	arena_release(&a);
	lab_free(l);
}

/* ---- snapshots ---- */

enum { MANY = 20000, IDS = 200000 };

struct mirror {
	bool there[IDS];
	long n[IDS];
};

/* Plays the records on an empty table; each must be possible: no second insert of a row, no update or delete of none. */
static void play(struct lab *l, struct mirror *m)
{
	char topic[64];
	unsigned i, count;

	snprintf(topic, sizeof(topic), "%s.public.t", l->name);
	count = memlog_records(l->log, topic);
	for (i = 0; i < count; i++) {
		const char *v = memlog_value(l->log, topic, i), *op, *row;
		long id = atol(memlog_key(l->log, topic, i) + strlen("{\"id\":"));

		if (!v)
			continue;
		op = strstr(v, "\"op\":\"");
		assert_non_null(op);
		assert_true(id > 0 && id < IDS);
		if (m->there[id] == (op[6] == 'r' || op[6] == 'c'))
			fail_msg("record %u is a %c of row %ld, which is %sthere", i, op[6], id, m->there[id] ? "" : "not ");
		m->there[id] = op[6] != 'd';
		row = strstr(v, "\"after\":{");
		if (m->there[id]) {
			assert_non_null(row);
			m->n[id] = atol(strstr(row, "\"n\":") + 4);
		}
	}
}

static void compare_with_table(struct lab *l)
{
	struct mirror *m = mem_zalloc(sizeof(*m));
	PGresult *r = PQexec(l->sql, "SELECT id, n FROM t");
	int i, there = 0;
	long id;

	assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
	play(l, m);
	for (id = 0; id < IDS; id++)
		there += m->there[id];
	assert_int_equal(there, PQntuples(r));
	for (i = 0; i < PQntuples(r); i++) {
		id = atol(PQgetvalue(r, i, 0));
		assert_true(id > 0 && id < IDS && m->there[id]);
		assert_int_equal(m->n[id], atol(PQgetvalue(r, i, 1)));
	}
	PQclear(r);
	mem_free(m);
}

#define FILLED                                                                                                                             \
	"CREATE TABLE t (id bigserial PRIMARY KEY, n int); CREATE INDEX ON t (n); INSERT INTO t(n) SELECT i % 500 FROM generate_series(1, "    \
	"20000) i"

static void a_snapshot_under_writers_and_the_stream_make_the_table(void **state)
{
	struct lab *l = lab_new(lab_server, "snapshot", FILLED);
	struct connector_status s;
	struct writers w;

	writers_start(&w, l);
	writers_wait(&w, 10);
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	writers_wait(&w, 30);
	writers_stop(&w);
	lab_caught_up(l);
	connector_status(l->connector, &s);
	buf_release(&s.warnings);
	assert_true(s.counts.snapshot_rows >= MANY);
	assert_true(s.counts.transactions > 0);
	compare_with_table(l);
	lab_free(l);
}

/* A session with a transaction open; its number in ret_xid[16]. */
static PGconn *open_transaction(const char *db, const char *more, char *ret_xid)
{
	char dsn[128];
	PGconn *c;
	PGresult *r;

	snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d user=postgres dbname=%s", pgtemp_port(lab_server), db);
	c = PQconnectdb(dsn);
	PQclear(PQexec(c, "BEGIN"));
	r = PQexec(c, more);
	PQclear(r);
	r = PQexec(c, "SELECT txid_current()");
	assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
	snprintf(ret_xid, 16, "%s", PQgetvalue(r, 0, 0));
	PQclear(r);
	return c;
}

/*
 * Slot and publication are there already, so a temporary slot gives the snapshot. A slot in the making waits for two generations of running
 * transactions; a lock taken beside the second one meets the snapshot, which gives up and starts over, now behind the lock's transaction.
 */
static void a_snapshot_beside_an_existing_slot_starts_over_until_the_lock_is_gone(void **state)
{
	static const char waits[] = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND transactionid = '%s'";
	struct lab *l = lab_new(lab_server, "beside", FILLED);
	PGconn *first, *second, *locker;
	char xid[16];

	lab_sql(l, "CREATE PUBLICATION beside FOR TABLE t");
	lab_sql(l, "SELECT pg_create_logical_replication_slot('beside', 'pgoutput')");
	first = open_transaction("beside", "", xid);
	lab_start(l);
	lab_wait_sql(l, waits, xid);
	second = open_transaction("beside", "", xid);
	PQfinish(first);
	lab_wait_sql(l, waits, xid);
	locker = open_transaction("beside", "LOCK TABLE t IN ACCESS EXCLUSIVE MODE", xid);
	PQfinish(second);
	lab_wait_sql(l, waits, xid);
	PQfinish(locker);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t(n) VALUES (1)");
	lab_caught_up(l);
	compare_with_table(l);
	/* the stream goes on for long: nothing but its own slot may hold WAL back */
	lab_wait_sql(l, "SELECT count(*) = 0 FROM pg_replication_slots WHERE temporary");
	lab_free(l);
}

/*
 * PostgreSQL's decoder does not follow catalog changes that commit while a slot waits for its first generation of transactions, and keeps
 * the outdated picture for its stream until another catalog change comes: rows lose a column, or the decoder ends. Here a column comes in
 * just that moment, and the second generation makes the decoder draw its picture without it.
 */
static void a_column_added_while_the_slot_is_made_is_in_the_stream(void **state)
{
	static const char waits[] = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND transactionid = '%s'";
	struct lab *l = lab_new(lab_server, "passing", "CREATE TABLE t (id bigint PRIMARY KEY, n int)");
	PGconn *first, *second;
	char xid[16];

	first = open_transaction("passing", "", xid);
	lab_start(l);
	lab_wait_sql(l, waits, xid);
	second = open_transaction("passing", "", xid);
	lab_sql(l, "ALTER TABLE t ADD COLUMN added int");
	PQfinish(first);
	lab_wait_sql(l, waits, xid);
	lab_sql(l, "CREATE TABLE another ()");
	PQfinish(second);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t VALUES (1, 2, 3)");
	lab_caught_up(l);
	assert_int_equal(memlog_records(l->log, "passing.public.t"), 1);
	if (!strstr(memlog_value(l->log, "passing.public.t", 0), "\"added\":3"))
		fail_msg("the column is not in %s", memlog_value(l->log, "passing.public.t", 0));
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_huge_transaction_arrives_whole_in_bounded_memory),
		cmocka_unit_test(a_rolled_back_savepoint_leaves_no_row),
		cmocka_unit_test(columns_come_and_go_while_streaming),
		cmocka_unit_test(columns_that_came_and_went_while_stopped_are_those_of_their_time),
		cmocka_unit_test(unchanged_toast_is_a_placeholder_and_an_exception),
		cmocka_unit_test(truncate_is_an_event_at_its_place),
		cmocka_unit_test(a_snapshot_under_writers_and_the_stream_make_the_table),
		cmocka_unit_test(a_snapshot_beside_an_existing_slot_starts_over_until_the_lock_is_gone),
		cmocka_unit_test(a_column_added_while_the_slot_is_made_is_in_the_stream),
	};

	return cmocka_run_group_tests(tests, lab_server_start, lab_server_stop);
}
