/*
 * The recorded cases: the same SQL and the same connector file give the bytes that Debezium gave, in both dialects.
 *
 * Each case runs on a database of its own in one throwaway cluster; what the connector published is dumped and judged by
 * test/golden/compare.py. GOLDEN_CASE=name runs one case alone, GOLDEN_KEEP=dir keeps what was produced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/js.h"
#include "base/mem.h"
#include "capture/connector.h"
#include "memout.h"
#include "pgtemp.h"

static struct pgtemp *server;
static const char *golden;

static void must(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%s %s %s", err->text, err->detail, err->hint);
}

static char *replaced(const char *text, const char *what, const char *by)
{
	struct buf b = BUF_INIT(1 << 20);
	const char *at;

	while ((at = strstr(text, what)) != NULL) {
		buf_put(&b, text, (size_t)(at - text));
		buf_puts(&b, by);
		text = at + strlen(what);
	}
	buf_puts(&b, text);
	buf_cstr(&b);
	return (char *)b.ptr;
}

/* The config object inside {"name":...,"config":{...}} with addresses filled in. */
static struct connector_config *read_config(const char *dir, enum capture_dialect dialect)
{
	struct buf file = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct connector_config *config;
	struct js_reader r;
	struct js_token t;
	char path[512], port[16], *text, *host;

	snprintf(path, sizeof(path), "%s/connector.json", dir);
	must(io_read_file(io_system(), path, &file, &err), &err);
	snprintf(port, sizeof(port), "%d", pgtemp_port(server));
	host = replaced(buf_cstr(&file), "@PG_HOST@", "127.0.0.1");
	text = replaced(host, "@PG_PORT@", port);
	js_reader_init(&r, view_str(text), 0);
	js_next(&r, &t);
	for (;;) {
		assert_int_not_equal(js_next(&r, &t), JS_BAD);
		if (t.kind == JS_OBJECT && view_is(t.key, "config")) {
			const uint8_t *from = r.ptr - 1;

			js_skip(&r, &t);
			must(connector_config_read(view_of(from, (size_t)(r.ptr - from)), view_str("golden"), dialect, NULL, &config, &err), &err);
			break;
		}
	}
	free(host);
	free(text);
	buf_release(&file);
	return config;
}

static PGconn *connect_to(const char *db)
{
	char dsn[256];
	PGconn *c;

	snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d user=postgres dbname=%s", pgtemp_port(server), db);
	c = PQconnectdb(dsn);
	if (PQstatus(c) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(c));
	return c;
}

static void run_sql(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) == PGRES_FATAL_ERROR)
		fail_msg("%s", PQerrorMessage(c));
	PQclear(r);
}

/* psql's way: statements outside BEGIN are transactions of their own, so each is sent alone, split at semicolons that end a line or are
 * followed by a blank */
static void run_file(const char *path)
{
	char command[1024];

	snprintf(command, sizeof(command), "psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p %d -U postgres -d golden -f '%s' >/dev/null",
		pgtemp_port(server), path);
	assert_int_equal(system(command), 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static unsigned sql_files(const char *dir, char **names, unsigned most)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL && n < most)
		if (strlen(e->d_name) > 4 && strcmp(e->d_name + strlen(e->d_name) - 4, ".sql") == 0)
			names[n++] = mem_strdup(e->d_name);
	closedir(d);
	qsort(names, n, sizeof(*names), by_name);
	return n;
}

/* Until the connector streams and everything that the server has now is durable in the log. */
static void wait_caught_up(struct connector *c, struct wake *wake, PGconn *conn)
{
	int64_t deadline = io_monotonic_us(io_system()) + 60 * 1000000;
	PGresult *r = PQexec(conn, "SELECT pg_current_wal_lsn()");
	lsn_t target;

	assert_true(lsn_parse(view_str(PQgetvalue(r, 0, 0)), &target));
	PQclear(r);
	for (;;) {
		uint64_t seen = wake_seen(wake);
		struct connector_status s;

		connector_status(c, &s);
		buf_release(&s.warnings);
		if (s.state == CONNECTOR_FAILED)
			fail_msg("connector failed: %s %s %s", s.error.text, s.error.detail, s.error.hint);
		if (s.step == STEP_STREAMING && s.durable >= target)
			return;
		if (io_monotonic_us(io_system()) > deadline)
			fail_msg("not caught up: %s, durable %llX of %llX (%s)", connector_step_name(s.step), (unsigned long long)s.durable,
				 (unsigned long long)target, s.error.text);
		wake_wait(wake, seen, 200000);
	}
}

static void run_case(const char *name, enum capture_dialect dialect, const char *label, const char *how)
{
	char dir[256], recorded[300], out[300], path[600], command[2048], *files[16];
	struct memlog *log = memlog_new();
	struct err err = ERR_INIT;
	struct connector *c;
	struct wake wake;
	PGconn *admin, *conn;
	const char *keep = getenv("GOLDEN_KEEP");
	unsigned i, n;
	int rc;

	snprintf(dir, sizeof(dir), "%s/%s", golden, name);
	snprintf(recorded, sizeof(recorded), "%s/%s", dir, label);
	snprintf(out, sizeof(out), "%s/%s-%s", keep ? keep : pgtemp_dir(server), name, label);
	assert_true(mkdir(out, 0755) == 0 || errno == EEXIST);
	admin = connect_to("postgres");
	run_sql(admin, "SET client_min_messages = warning");
	run_sql(admin, "DROP DATABASE IF EXISTS golden");
	run_sql(admin, "CREATE DATABASE golden");
	conn = connect_to("golden");
	n = sql_files(dir, files, 16);
	wake_init(&wake);
	snprintf(path, sizeof(path), "%s/%s", dir, files[0]);
	run_file(path);
	c = connector_new(read_config(dir, dialect), memout_new(log), io_system(), &wake);
	connector_start(c);
	for (i = 1; i < n; i++) {
		wait_caught_up(c, &wake, conn);
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		run_file(path);
	}
	wait_caught_up(c, &wake, conn);
	connector_free(c);
	must(memlog_dump(log, out, &err), &err);
	memlog_free(log);
	PQfinish(conn);
	/* the server notices a moment later that the reader has gone */
	run_sql(
		admin, "DO $$ BEGIN WHILE EXISTS (SELECT 1 FROM pg_replication_slots WHERE active) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$");
	run_sql(admin, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
	run_sql(admin, "DROP DATABASE golden");
	PQfinish(admin);
	wake_release(&wake);
	for (i = 0; i < n; i++)
		mem_free(files[i]);
	snprintf(command, sizeof(command), "python3 %s/compare.py %s %s %s %s/exceptions.txt", golden, how, recorded, out, golden);
	fflush(stdout);
	rc = system(command);
	assert_int_equal(WEXITSTATUS(rc), 0);
}

static void both(const char *name, const char *how)
{
	const char *only = getenv("GOLDEN_CASE");

	if (only && strcmp(only, name) != 0)
		skip();
	run_case(name, DIALECT_2_6, "debezium-2.6.2", how);
	run_case(name, DIALECT_3_2, "debezium-3.2.3", how);
}

/* `""`: byte for byte; `"--columns"`: the columns of supported types, in cases that have others too */
#define CASE(id, name, how) static void id(void **state) { both(name, how); }
CASE(envelopes, "demo-envelope", "")
CASE(envelopes_with_schemas, "demo-envelope-schemas", "")
CASE(flattened, "demo-flat", "")
CASE(flattened_with_both_spellings_and_schemas, "demo-flat-both-schemas", "")
CASE(flattened_with_the_legacy_spelling, "demo-flat-legacy", "")
CASE(numbers_precise, "types-numeric-precise", "--columns")
CASE(numbers_as_doubles, "types-numeric-double", "--columns")
CASE(numbers_as_strings, "types-numeric-string", "--columns")
CASE(times_adaptive, "types-time-adaptive", "--columns")
CASE(times_as_connect, "types-time-connect", "--columns")
CASE(times_in_microseconds_flat, "types-time-micros-flat", "--columns")
CASE(texts, "types-text-default", "--columns")
CASE(arrays, "types-arrays-geo-ranges", "--columns")

static int start(void **state)
{
	struct pgtemp_options options = {.tcp = true, .conf = "max_replication_slots = 20\nmax_wal_senders = 20\n"};
	struct err err = ERR_INIT;

	golden = getenv("WALMILL_GOLDEN");
	if (!golden) {
		fprintf(stderr, "WALMILL_GOLDEN must name the folder test/golden\n");
		return -1;
	}
	if (pgtemp_start(&server, &options, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

static int stop(void **state)
{
	pgtemp_stop(server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelopes),
		cmocka_unit_test(envelopes_with_schemas),
		cmocka_unit_test(flattened),
		cmocka_unit_test(flattened_with_both_spellings_and_schemas),
		cmocka_unit_test(flattened_with_the_legacy_spelling),
		cmocka_unit_test(numbers_precise),
		cmocka_unit_test(numbers_as_doubles),
		cmocka_unit_test(numbers_as_strings),
		cmocka_unit_test(times_adaptive),
		cmocka_unit_test(times_as_connect),
		cmocka_unit_test(times_in_microseconds_flat),
		cmocka_unit_test(texts),
		cmocka_unit_test(arrays),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
