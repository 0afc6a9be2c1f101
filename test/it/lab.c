/* The laboratory for connectors; see lab.h. */
#include "lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"

enum { WAIT_US = 60000000, LOOK_US = 20000 };

static void must(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%s | %s | %s", err->text, err->detail, err->hint);
}

static int64_t now(void)
{
	return io_monotonic_us(io_system());
}

static PGconn *session(struct pgtemp *server, const char *db)
{
	char dsn[256];
	PGconn *c;

	snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d user=postgres dbname=%s options='-c client_min_messages=warning'",
		pgtemp_port(server), db);
	c = PQconnectdb(dsn);
	if (PQstatus(c) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(c));
	return c;
}

static PGresult *run(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s in: %.200s", PQerrorMessage(c), sql);
	return r;
}

void lab_sql(struct lab *l, const char *fmt, ...)
{
	va_list ap;
	char *sql;

	va_start(ap, fmt);
	assert_true(vasprintf(&sql, fmt, ap) >= 0);
	va_end(ap);
	PQclear(run(l->sql, sql));
	free(sql);
}

static char *first_cell(struct lab *l, const char *fmt, va_list ap)
{
	PGresult *r;
	char *sql, *v;

	assert_true(vasprintf(&sql, fmt, ap) >= 0);
	r = run(l->sql, sql);
	v = strdup(PQntuples(r) ? PQgetvalue(r, 0, 0) : "(none)");
	PQclear(r);
	free(sql);
	return v;
}

char *lab_value(struct lab *l, const char *fmt, ...)
{
	va_list ap;
	char *v;

	va_start(ap, fmt);
	v = first_cell(l, fmt, ap);
	va_end(ap);
	return v;
}

lsn_t lab_lsn(struct lab *l, const char *expression)
{
	char *text = lab_value(l, "SELECT %s", expression);
	lsn_t lsn;

	assert_true(lsn_parse(view_str(text), &lsn));
	free(text);
	return lsn;
}

void lab_wait_sql(struct lab *l, const char *fmt, ...)
{
	int64_t deadline = now() + WAIT_US;

	for (;;) {
		uint64_t seen = wake_seen(&l->wake);
		va_list ap;
		char *v;
		bool yes;

		va_start(ap, fmt);
		v = first_cell(l, fmt, ap);
		va_end(ap);
		yes = strcmp(v, "t") == 0;
		free(v);
		if (yes)
			return;
		if (now() > deadline)
			fail_msg("never true: %s", fmt);
		wake_wait(&l->wake, seen, LOOK_US);
	}
}

struct pgtemp *lab_server;

int lab_server_start(void **state)
{
	struct pgtemp_options options = {.tcp = true};
	struct err err = ERR_INIT;

	if (pgtemp_start(&lab_server, &options, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.text);
	return -1;
}

int lab_server_stop(void **state)
{
	pgtemp_stop(lab_server);
	return 0;
}

struct lab *lab_new(struct pgtemp *server, const char *name, const char *schema_sql)
{
	struct lab *l = mem_zalloc(sizeof(*l));
	struct err err = ERR_INIT;
	char sql[128];

	l->server = server;
	l->name = name;
	l->log = memlog_new();
	wake_init(&l->wake);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
	must(pgtemp_exec(server, sql, &err), &err);
	l->sql = session(server, name);
	lab_sql(l, "%s", schema_sql);
	return l;
}

void lab_free(struct lab *l)
{
	char sql[128];
	struct err err = ERR_INIT;

	if (l->connector)
		lab_stop(l);
	lab_sql(l, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '%s'", l->name);
	PQfinish(l->sql);
	snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", l->name);
	must(pgtemp_exec(l->server, sql, &err), &err);
	memlog_free(l->log);
	wake_release(&l->wake);
	mem_free(l);
}

void lab_reconnect(struct lab *l)
{
	PQfinish(l->sql);
	l->sql = session(l->server, l->name);
}

void lab_start_out(struct lab *l, struct change_out *out)
{
	struct connector_config *config;
	struct err err = ERR_INIT;
	char json[4096];

	snprintf(json, sizeof(json),
		"{\"connector.class\":\"io.debezium.connector.postgresql.PostgresConnector\",\"database.hostname\":\"127.0.0.1\",\"database.port\":"
		"\"%d\","
		"\"database.user\":\"postgres\",\"database.dbname\":\"%s\",\"plugin.name\":\"pgoutput\",\"topic.prefix\":\"%s\",\"slot.name\":\"%"
		"s\","
		"\"publication.name\":\"%s\",\"publication.autocreate.mode\":\"filtered\",\"table.include.list\":\"public.t.*\","
		"\"key.converter.schemas.enable\":\"false\",\"value.converter.schemas.enable\":\"false\"%s}",
		pgtemp_port(l->server), l->name, l->name, l->name, l->name, l->more ? l->more : "");
	must(connector_config_read(view_str(json), view_str(l->name), DIALECT_3_2, NULL, &config, &err), &err);
	l->connector = connector_new(config, out, io_system(), &l->wake);
	connector_start(l->connector);
}

void lab_start(struct lab *l)
{
	lab_start_out(l, memout_new(l->log));
}

void lab_stop(struct lab *l)
{
	connector_free(l->connector);
	l->connector = NULL;
	lab_wait_sql(l, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'walmill %s'", l->name);
}

static void wait_for(struct lab *l, int state, int step, lsn_t durable, struct err *ret)
{
	int64_t deadline = now() + WAIT_US;

	for (;;) {
		uint64_t seen = wake_seen(&l->wake);
		struct connector_status s;

		connector_status(l->connector, &s);
		buf_release(&s.warnings);
		if ((state < 0 || (int)s.state == state) && (step < 0 || (int)s.step == step) && s.durable >= durable) {
			if (ret)
				*ret = s.error;
			return;
		}
		if (s.state == CONNECTOR_FAILED)
			fail_msg("connector failed: %s | %s | %s", s.error.text, s.error.detail, s.error.hint);
		if (now() > deadline)
			fail_msg("connector is %s, %s, durable " LSN_FORMAT " of " LSN_FORMAT ": %s", connector_state_name(s.state),
				 connector_step_name(s.step), LSN_ARGS(s.durable), LSN_ARGS(durable), s.error.text);
		wake_wait(&l->wake, seen, LOOK_US);
	}
}

void lab_wait_state(struct lab *l, enum connector_state state, struct err *ret)
{
	wait_for(l, (int)state, -1, 0, ret);
}

void lab_wait_step(struct lab *l, enum connector_step step, struct err *ret)
{
	wait_for(l, -1, (int)step, 0, ret);
}

void lab_caught_up(struct lab *l)
{
	wait_for(l, CONNECTOR_RUNNING, STEP_STREAMING, lab_lsn(l, "pg_current_wal_lsn()"), NULL);
}

void lab_expect(const struct err *err, const char *text, const char *hint)
{
	if (!strstr(err->text, text) || !strstr(err->hint, hint))
		fail_msg("\"%s\" and \"%s\" expected in: %s | %s | %s", text, hint, err->text, err->detail, err->hint);
}

/* ---- the witness ---- */

void lab_witness(struct lab *l)
{
	lab_sql(l, "SELECT pg_create_logical_replication_slot('%s_witness', 'test_decoding')", l->name);
}

static void put_records(struct lab *l, struct buf *b)
{
	char topic[128];
	unsigned i, n;

	snprintf(topic, sizeof(topic), "%s.public.t", l->name);
	n = memlog_records(l->log, topic);
	for (i = 0; i < n; i++) {
		const char *key = memlog_key(l->log, topic, i), *value = memlog_value(l->log, topic, i), *op, *xid;

		if (!value)
			continue;
		op = strstr(value, "\"op\":\"");
		xid = strstr(value, "\"txId\":");
		assert_non_null(key);
		assert_non_null(op);
		assert_non_null(xid);
		if (op[6] != 'r')
			buf_printf(b, "%c %lld %lld\n", op[6], atoll(key + strlen("{\"id\":")), atoll(xid + 7));
	}
}

void lab_compare(struct lab *l)
{
	struct buf got = BUF_INIT(1 << 30);
	char *want = lab_value(l, "SELECT string_agg(format(E'%%s %%s %%s\\n', CASE substring(data from ': ([A-Z]+):') WHEN 'INSERT' THEN 'c' "
		"WHEN 'UPDATE' THEN 'u' ELSE 'd' END, substring(data from 'id\\[bigint\\]:(\\d+)'), xid), '' ORDER BY o) FROM "
		"(SELECT * FROM pg_logical_slot_peek_changes('%s_witness', NULL, NULL) WITH ORDINALITY AS x(lsn, xid, data, o)) x "
		"WHERE data LIKE 'table public.t:%%'", l->name);
	const char *a, *b;
	int line = 1;

	put_records(l, &got);
	a = want;
	b = buf_cstr(&got);
	for (; *a && *a == *b; a++, b++)
		line += *a == '\n';
	if (*a || *b)
		fail_msg("records differ from the witness in line %d: want %.60s, got %.60s", line, a, b);
	assert_true(line > 1);
	free(want);
	buf_release(&got);
}

/* ---- writers ---- */

static bool stopping(struct writers *w)
{
	bool stop;

	lock_take(&w->lock);
	stop = w->stop;
	lock_drop(&w->lock);
	return stop;
}

static void write_rows(void *arg)
{
	struct writer *me = arg;
	struct writers *w = me->all;
	PGconn *c = PQconnectdb(w->dsn);
	unsigned round;

	for (round = 0; !stopping(w); round++) {
		uint64_t seen = wake_seen(&w->wake);
		char sql[512];
		PGresult *r;

		if (PQstatus(c) != CONNECTION_OK) {
			wake_wait(&w->wake, seen, LOOK_US);
			PQreset(c);
			continue;
		}
		/* each touches rows of its own, so that none waits for another */
		snprintf(sql, sizeof(sql), "BEGIN; INSERT INTO t(n) SELECT %d FROM generate_series(1, 3); UPDATE t SET n = n + %d WHERE id IN "
			 "(SELECT id FROM t WHERE n %% %d = %d ORDER BY id DESC LIMIT 2); DELETE FROM t WHERE id IN "
			 "(SELECT id FROM t WHERE n %% %d = %d ORDER BY id LIMIT 1); %s", me->number, WRITERS, WRITERS, me->number, WRITERS, me->number,
			 round % 5 == 4 ? "ROLLBACK" : "COMMIT");
		r = PQexec(c, sql);
		if (PQresultStatus(r) == PGRES_COMMAND_OK) {
			lock_take(&w->lock);
			w->commits++;
			lock_drop(&w->lock);
			wake_signal(&w->wake);
		}
		PQclear(r);
	}
	PQfinish(c);
}

void writers_start(struct writers *w, struct lab *l)
{
	int i;

	memset(w, 0, sizeof(*w));
	lock_init(&w->lock);
	wake_init(&w->wake);
	snprintf(w->dsn, sizeof(w->dsn), "host=127.0.0.1 port=%d user=postgres dbname=%s", pgtemp_port(l->server), l->name);
	for (i = 0; i < WRITERS; i++) {
		w->each[i].all = w;
		w->each[i].number = i;
		thread_start(&w->each[i].thread, "writer", write_rows, &w->each[i]);
	}
}

void writers_wait(struct writers *w, unsigned commits)
{
	int64_t deadline = now() + WAIT_US;
	unsigned before = 0, n;
	bool first = true;

	for (;;) {
		uint64_t seen = wake_seen(&w->wake);

		lock_take(&w->lock);
		n = w->commits;
		lock_drop(&w->lock);
		if (first)
			before = n;
		first = false;
		if (n - before >= commits)
			return;
		if (now() > deadline)
			fail_msg("the writers got %u transactions done of %u", n - before, commits);
		wake_wait(&w->wake, seen, LOOK_US);
	}
}

void writers_stop(struct writers *w)
{
	int i;

	lock_take(&w->lock);
	w->stop = true;
	lock_drop(&w->lock);
	wake_signal(&w->wake);
	for (i = 0; i < WRITERS; i++)
		thread_join(&w->each[i].thread);
	wake_release(&w->wake);
	lock_release(&w->lock);
}
