/* The small world of integration tests; see world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/mem.h"
#include "stream/log_out.h"
#include "world.h"

enum { WAIT_US = 60000000 };

static void must(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%s | %s | %s", err->text, err->detail, err->hint);
}

static void source_of(struct world *w, struct pg_params *p)
{
	char port[16];

	snprintf(port, sizeof(port), "%d", pgtemp_port(w->server));
	*p = (struct pg_params){
		.host = mem_strdup("127.0.0.1"), .port = mem_strdup(port), .user = mem_strdup("postgres"), .dbname = mem_strdup("app")};
}

static int connector_of(
	void *arg, const char *schema, const char *table, const char *want, char *ret_name, struct pg_params *ret, struct err *err)
{
	struct world *w = arg;

	if (!w->connector || !connector_config_wants(connector_config(w->connector), view_str(schema), view_str(table)))
		return err_set(err, ERR_NOT_FOUND, "table \"%s.%s\" is not captured by any connector", schema, table);
	strcpy(ret_name, "app");
	source_of(w, ret);
	return 0;
}

static int any_source(void *arg, const char *want, struct pg_params *ret, struct err *err)
{
	source_of(arg, ret);
	return 0;
}

void world_start(struct world *w, const char *schema_sql, const char *tables)
{
	struct pgtemp_options options = {.tcp = true, .conf = "max_replication_slots = 20\nmax_wal_senders = 20\n"};
	struct err err = ERR_INIT;
	char dsn[256];
	PGconn *admin;

	memset(w, 0, sizeof(*w));
	must(pgtemp_start(&w->server, &options, &err), &err);
	must(pgtemp_exec(w->server, "CREATE DATABASE app", &err), &err);
	snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d user=postgres dbname=app", pgtemp_port(w->server));
	admin = PQconnectdb(dsn);
	w->sql = admin;
	if (PQstatus(admin) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(admin));
	world_sql(w, "%s", schema_sql);
	snprintf(w->dir, sizeof(w->dir), "%s/log", pgtemp_dir(w->server));
	wake_init(&w->wake);
	snprintf(w->connector_json, sizeof(w->connector_json),
		"{\"connector.class\":\"io.debezium.connector.postgresql.PostgresConnector\",\"database.hostname\":\"127.0.0.1\",\"database.port\":"
		"\"%d\","
		"\"database.user\":\"postgres\",\"database.dbname\":\"app\",\"plugin.name\":\"pgoutput\",\"topic.prefix\":\"app\",\"slot.name\":"
		"\"app\","
		"\"publication.name\":\"app\",\"publication.autocreate.mode\":\"filtered\",\"table.include.list\":\"%s\",\"decimal.handling.mode\":"
		"\"string\","
		"\"interval.handling.mode\":\"string\",\"key.converter.schemas.enable\":\"false\",\"value.converter.schemas.enable\":\"false\"%s}",
		pgtemp_port(w->server), tables, "");
	w->env = (struct job_env){.io = io_system(), .zones = tz_cache_new(io_system(), NULL), .timezone = "UTC", .memory_max = (size_t)1 << 30,
				  .outside = &w->wake, .connector_of = connector_of, .any_source = any_source, .arg = w};
	source_of(w, &w->env.target);
	snprintf(w->checkpoints, sizeof(w->checkpoints), "%s/checkpoints", pgtemp_dir(w->server));
	must(io_make_dir(io_system(), w->checkpoints, &err), &err);
	w->env.checkpoint_dir = w->checkpoints;
	w->env.checkpoint_interval_us = 20000;
	world_open_log(w);
}

void world_stop(struct world *w)
{
	world_disconnect(w);
	world_close_log(w);
	PQfinish(w->sql);
	pg_params_release(&w->env.target);
	tz_cache_release(w->env.zones);
	pgtemp_stop(w->server);
	wake_release(&w->wake);
}

void world_open_log(struct world *w)
{
	struct log_settings s = log_settings_default();
	struct err err = ERR_INIT;

	s.segment_bytes = 8 << 20;
	s.spare_bytes = 32 << 20;
	must(log_open(io_system(), w->dir, &s, &w->log, &err), &err);
	w->env.log = w->log;
}

void world_close_log(struct world *w)
{
	log_close(w->log);
	w->log = NULL;
}

void world_setting(struct world *w, const char *key, const char *value)
{
	char *text, *at, *end, *was = strdup(w->connector_json);

	assert_true(asprintf(&text, "\"%s\":\"", key) > 0);
	at = strstr(was, text);
	if (at) {
		at += strlen(text);
		end = strchr(at, '"');
		*at = 0;
		assert_true((size_t)snprintf(w->connector_json, sizeof(w->connector_json), "%s%s%s", was, value, end) < sizeof(w->connector_json));
	} else {
		was[strlen(was) - 1] = 0; /* the brace */
		assert_true((size_t)snprintf(w->connector_json, sizeof(w->connector_json), "%s,\"%s\":\"%s\"}", was, key, value) <
			sizeof(w->connector_json));
	}
	free(text);
	free(was);
}

void world_connect(struct world *w)
{
	struct connector_config *config;
	struct err err = ERR_INIT;

	must(connector_config_read(view_str(w->connector_json), view_str("app"), DIALECT_3_2, NULL, &config, &err), &err);
	w->connector = connector_new(config, log_out_new(w->log, io_system(), view_str("app")), io_system(), &w->wake);
	connector_start(w->connector);
}

void world_disconnect(struct world *w)
{
	connector_free(w->connector);
	w->connector = NULL;
}

void world_sql(struct world *w, const char *fmt, ...)
{
	char *sql;
	va_list ap;
	PGresult *r;

	va_start(ap, fmt);
	assert_true(vasprintf(&sql, fmt, ap) >= 0);
	va_end(ap);
	r = PQexec(w->sql, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s in: %s", PQerrorMessage(w->sql), sql);
	PQclear(r);
	free(sql);
}

char *world_value(struct world *w, const char *sql)
{
	PGresult *r = PQexec(w->sql, sql);
	char *v;

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s in: %s", PQerrorMessage(w->sql), sql);
	v = strdup(PQntuples(r) ? PQgetvalue(r, 0, 0) : "(none)");
	PQclear(r);
	return v;
}

void world_expect(struct world *w, const char *want, const char *sql)
{
	char *text = world_value(w, sql);

	if (strcmp(text, want) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", sql, text, want);
	free(text);
}

lsn_t world_lsn(struct world *w)
{
	char *text = world_value(w, "SELECT pg_current_wal_lsn()");
	lsn_t lsn;

	assert_true(lsn_parse(view_str(text), &lsn));
	free(text);
	return lsn;
}

struct job *world_job(struct world *w, const char *name, const char *text)
{
	struct job *j = job_new(&w->env, name, view_str(text), NULL);

	world_wait_job(w, j, JOB_RUNNING);
	return j;
}

void world_wait_job(struct world *w, struct job *j, enum job_state want)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;

	for (;;) {
		uint64_t seen = wake_seen(&w->wake);
		struct job_status s;

		job_status(j, &s);
		if (s.state == want)
			return;
		if (s.state == JOB_FAILED && want != JOB_FAILED)
			fail_msg("job failed: %s | %s | %s", s.error.text, s.error.detail, s.error.hint);
		if (io_monotonic_us(io_system()) > deadline)
			fail_msg("job is %s (%s), not %s: %s", job_state_name(s.state), s.step, job_state_name(want), s.error.text);
		wake_wait(&w->wake, seen, 100000);
	}
}

void world_wait_connector(struct world *w, lsn_t durable)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;

	for (;;) {
		uint64_t seen = wake_seen(&w->wake);
		struct connector_status s;

		connector_status(w->connector, &s);
		buf_release(&s.warnings);
		if (s.step == STEP_STREAMING && s.durable >= durable)
			return;
		if (s.state == CONNECTOR_FAILED)
			fail_msg("connector failed: %s | %s | %s", s.error.text, s.error.detail, s.error.hint);
		if (io_monotonic_us(io_system()) > deadline)
			fail_msg("connector is at %s: %s", connector_step_name(s.step), s.error.text);
		wake_wait(&w->wake, seen, 100000);
	}
}

void world_verify(struct world *w, struct job *j)
{
	struct buf b = BUF_INIT(1 << 20);
	struct job_verdict v;
	struct err err = ERR_INIT;

	if (job_verify(j, &v, &b, &err))
		fail_msg("verify of %s: %s | %s", job_name(j), err.text, err.detail);
	if (!v.equal)
		fail_msg("%s: %llu differences in %llu rows\n%s", job_name(j), (unsigned long long)v.differences, (unsigned long long)v.rows,
			buf_cstr(&b));
	buf_release(&b);
}
