/*
 * Connectors that are stopped, cut off, and whose slot, publication or server is taken away: neither a gap nor a duplicate, and never a
 * silent one.
 *
 * Every test has a database of its own in one throwaway PostgreSQL; what is right is told by a test_decoding slot (lab.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lab.h"

#define TABLE "CREATE TABLE t (id bigserial PRIMARY KEY, n int)"

/* A connector that streams, with some rows behind it. */
static struct lab *streaming_lab(const char *name)
{
	struct lab *l = lab_new(lab_server, name, TABLE);

	lab_witness(l);
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t(n) VALUES (1), (2)");
	lab_caught_up(l);
	return l;
}

/* FAILED with that error, and nothing published that was not before. */
static void expect_failure(struct lab *l, const char *text, const char *hint, unsigned records)
{
	struct err err;

	lab_wait_state(l, CONNECTOR_FAILED, &err);
	lab_expect(&err, text, hint);
	assert_int_equal(memlog_records(l->log, NULL), records);
}

/* ---- stop and start ---- */

static void a_restarted_connector_goes_on_without_gap_or_duplicate(void **state)
{
	struct lab *l = streaming_lab("restarted");

	lab_stop(l);
	lab_sql(l, "INSERT INTO t(n) VALUES (3)");
	lab_sql(l, "UPDATE t SET n = n + 10");
	lab_start(l);
	lab_caught_up(l);
	lab_sql(l, "DELETE FROM t WHERE n = 11");
	lab_caught_up(l);
	lab_compare(l);
	lab_free(l);
}

static void stops_under_concurrent_writers_leave_neither_gap_nor_duplicate(void **state)
{
	struct lab *l = streaming_lab("stopped");
	struct writers w;
	int i;

	writers_start(&w, l);
	for (i = 0; i < 6; i++) {
		writers_wait(&w, 40);
		lab_stop(l);
		writers_wait(&w, 10);
		lab_start(l);
		/* the last round stops while the backlog is being read */
		if (i < 5)
			lab_wait_step(l, STEP_STREAMING, NULL);
	}
	writers_stop(&w);
	lab_caught_up(l);
	lab_compare(l);
	lab_free(l);
}

static void pause_and_resume_under_writers_leave_neither_gap_nor_duplicate(void **state)
{
	struct lab *l = streaming_lab("paused");
	struct writers w;
	int i;

	writers_start(&w, l);
	for (i = 0; i < 6; i++) {
		writers_wait(&w, 20);
		if (i % 2) {
			connector_restart(l->connector);
			continue;
		}
		connector_pause(l->connector, true);
		lab_wait_state(l, CONNECTOR_PAUSED, NULL);
		writers_wait(&w, 10);
		connector_start(l->connector);
	}
	writers_stop(&w);
	lab_caught_up(l);
	lab_compare(l);
	lab_free(l);
}

static void a_failed_append_is_taken_back_and_tried_again(void **state)
{
	struct lab *l = streaming_lab("append");

	memlog_fail_next(l->log, ERR_NO_SPACE);
	lab_sql(l, "INSERT INTO t(n) SELECT generate_series(1, 50)");
	lab_sql(l, "INSERT INTO t(n) VALUES (7)");
	lab_caught_up(l);
	lab_compare(l);
	lab_free(l);
}

/* ---- confirming ---- */

/* Until the server has had an answer from the connector that is younger than this moment. */
static void wait_answer(struct lab *l)
{
	char *since = lab_value(l, "SELECT clock_timestamp()");

	lab_wait_sql(l, "SELECT coalesce(bool_or(reply_time > '%s'), false) FROM pg_stat_replication WHERE application_name = 'walmill %s'",
		since, l->name);
	free(since);
}

static lsn_t confirmed(struct lab *l)
{
	char query[160];

	snprintf(query, sizeof(query), "confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '%s'", l->name);
	return lab_lsn(l, query);
}

static void the_slot_is_not_confirmed_past_what_is_durable(void **state)
{
	struct lab *l = lab_new(lab_server, "confirming", TABLE);
	unsigned records;
	lsn_t held;

	lab_sql(l, "ALTER DATABASE confirming SET wal_sender_timeout = '1s'"); /* so the server asks twice a second */
	lab_start(l);
	lab_sql(l, "INSERT INTO t(n) VALUES (1)");
	lab_caught_up(l);
	memlog_hold(l->log, true);
	held = memlog_durable(l->log);
	records = memlog_records(l->log, NULL);
	lab_sql(l, "INSERT INTO t(n) VALUES (2)");
	while (memlog_records(l->log, NULL) == records)
		wait_answer(l);
	wait_answer(l);
	wait_answer(l);
	assert_true(confirmed(l) <= held);
	/* nor after a restart, which finds the closed unit in the log and must not take it for a durable one */
	lab_stop(l);
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	wait_answer(l);
	wait_answer(l);
	assert_true(memlog_position(l->log) > held);
	assert_true(confirmed(l) <= held);
	memlog_hold(l->log, false);
	lab_wait_sql(
		l, "SELECT confirmed_flush_lsn > '" LSN_FORMAT "' FROM pg_replication_slots WHERE slot_name = 'confirming'", LSN_ARGS(held));
	assert_int_equal(memlog_records(l->log, NULL), records + 1);
	lab_free(l);
}

/* ---- what is taken away ---- */

static void a_slot_dropped_while_stopped_is_a_failure_that_says_so(void **state)
{
	struct lab *l = streaming_lab("dropped");
	unsigned records = memlog_records(l->log, NULL);

	lab_stop(l);
	lab_sql(l, "SELECT pg_drop_replication_slot('dropped')");
	lab_sql(l, "INSERT INTO t(n) VALUES (3)");
	lab_start(l);
	expect_failure(l, "replication slot \"dropped\" does not exist any more", "create it again", records);
	lab_free(l);
}

static void a_slot_dropped_while_streaming_is_a_failure_that_says_so(void **state)
{
	struct lab *l = streaming_lab("dropped2");
	unsigned records = memlog_records(l->log, NULL);

	/* the walsender is ended and, in the same breath, the slot; what is written in between nobody keeps */
	lab_sql(l, "DO $$ BEGIN LOOP BEGIN PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'dropped2'; "
		"PERFORM pg_drop_replication_slot('dropped2'); EXIT; EXCEPTION WHEN object_in_use THEN NULL; END; END LOOP; END $$");
	expect_failure(l, "replication slot \"dropped2\" does not exist", "create it again", records);
	lab_free(l);
}

static void a_slot_made_anew_is_a_failure_that_says_so(void **state)
{
	struct lab *l = streaming_lab("anew");
	unsigned records = memlog_records(l->log, NULL);

	lab_stop(l);
	lab_sql(l, "SELECT pg_drop_replication_slot('anew')");
	lab_sql(l, "INSERT INTO t(n) VALUES (3)");
	lab_sql(l, "SELECT pg_create_logical_replication_slot('anew', 'pgoutput')");
	lab_start(l);
	expect_failure(l, "replication slot \"anew\" was moved or made anew by somebody else", "create it again", records);
	lab_free(l);
}

static void a_slot_moved_on_by_somebody_else_is_a_failure_that_says_so(void **state)
{
	struct lab *l = streaming_lab("moved");
	unsigned records = memlog_records(l->log, NULL);

	lab_stop(l);
	lab_sql(l, "INSERT INTO t(n) VALUES (3)");
	lab_sql(l, "SELECT pg_replication_slot_advance('moved', pg_current_wal_lsn())");
	lab_start(l);
	expect_failure(l, "replication slot \"moved\" was moved or made anew by somebody else", "create it again", records);
	lab_free(l);
}

static void a_slot_held_by_another_session_is_waited_for(void **state)
{
	struct lab *l = streaming_lab("held");
	char dsn[200];
	struct err err;
	PGconn *other;
	PGresult *r;

	lab_stop(l);
	snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d user=postgres dbname=held replication=database", pgtemp_port(lab_server));
	other = PQconnectdb(dsn);
	r = PQexec(other, "START_REPLICATION SLOT held LOGICAL 0/0 (proto_version '1', publication_names 'held')");
	assert_int_equal(PQresultStatus(r), PGRES_COPY_BOTH);
	PQclear(r);
	lab_sql(l, "INSERT INTO t(n) VALUES (3)");
	lab_start(l);
	lab_wait_step(l, STEP_WAITING, &err);
	lab_expect(&err, "replication slot \"held\" is active for PID", "tries again");
	PQfinish(other);
	lab_caught_up(l);
	lab_compare(l);
	lab_free(l);
}

static void a_publication_dropped_while_stopped_is_a_failure_that_says_so(void **state)
{
	struct lab *l = streaming_lab("unpublished");
	unsigned records = memlog_records(l->log, NULL);

	lab_stop(l);
	lab_sql(l, "DROP PUBLICATION unpublished");
	lab_sql(l, "INSERT INTO t(n) VALUES (3)");
	lab_start(l);
	expect_failure(l, "publication \"unpublished\" does not exist any more", "reset its offsets", records);
	/* made again by hand, it has a gap all the same; where rows were written meanwhile, the server itself would refuse to decode them */
	lab_sql(l, "CREATE PUBLICATION unpublished FOR TABLE t");
	lab_stop(l);
	lab_start(l);
	expect_failure(l, "publication \"unpublished\" was dropped and made anew", "reset its offsets", records);
	lab_free(l);
}

static void a_publication_dropped_while_streaming_is_a_failure_that_says_so(void **state)
{
	struct lab *l = streaming_lab("unpublished2");
	unsigned records = memlog_records(l->log, NULL);

	lab_sql(l, "DROP PUBLICATION unpublished2");
	lab_sql(l, "INSERT INTO t(n) VALUES (3)");
	expect_failure(l, "publication \"unpublished2\" does not exist", "create it again", records);
	lab_free(l);
}

static void another_cluster_is_a_failure_that_says_so(void **state)
{
	struct pgtemp_options options = {.tcp = true};
	struct lab *l = streaming_lab("elsewhere");
	unsigned records = memlog_records(l->log, NULL);
	struct pgtemp *second;
	struct err err = ERR_INIT;

	lab_stop(l);
	if (pgtemp_start(&second, &options, &err) || pgtemp_exec(second, "CREATE DATABASE elsewhere", &err))
		fail_msg("%s", err.text);
	l->server = second;
	lab_start(l);
	expect_failure(l, "the source is another PostgreSQL cluster than before: system identifier", "create it again", records);
	connector_free(l->connector);
	l->connector = NULL;
	l->server = lab_server;
	pgtemp_stop(second);
	/* and with the right one it goes on */
	lab_start(l);
	lab_sql(l, "INSERT INTO t(n) VALUES (3)");
	lab_caught_up(l);
	lab_compare(l);
	lab_free(l);
}

/* ---- crashes of the server ---- */

static void crashes_of_the_server_leave_neither_gap_nor_duplicate(void **state)
{
	struct lab *l = streaming_lab("crashed");
	struct err err = ERR_INIT;
	struct writers w;
	int i;

	writers_start(&w, l);
	for (i = 0; i < 3; i++) {
		writers_wait(&w, 30);
		if (i == 1)
			pgtemp_shutdown(lab_server);
		else
			pgtemp_crash(lab_server);
		if (pgtemp_boot(lab_server, &err))
			fail_msg("%s", err.text);
		lab_reconnect(l);
		writers_wait(&w, 5);
		lab_wait_step(l, STEP_STREAMING, NULL);
	}
	writers_stop(&w);
	lab_caught_up(l);
	lab_compare(l);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restarted_connector_goes_on_without_gap_or_duplicate),
		cmocka_unit_test(stops_under_concurrent_writers_leave_neither_gap_nor_duplicate),
		cmocka_unit_test(pause_and_resume_under_writers_leave_neither_gap_nor_duplicate),
		cmocka_unit_test(a_failed_append_is_taken_back_and_tried_again),
		cmocka_unit_test(the_slot_is_not_confirmed_past_what_is_durable),
		cmocka_unit_test(a_slot_dropped_while_stopped_is_a_failure_that_says_so),
		cmocka_unit_test(a_slot_dropped_while_streaming_is_a_failure_that_says_so),
		cmocka_unit_test(a_slot_made_anew_is_a_failure_that_says_so),
		cmocka_unit_test(a_slot_moved_on_by_somebody_else_is_a_failure_that_says_so),
		cmocka_unit_test(a_slot_held_by_another_session_is_waited_for),
		cmocka_unit_test(a_publication_dropped_while_stopped_is_a_failure_that_says_so),
		cmocka_unit_test(a_publication_dropped_while_streaming_is_a_failure_that_says_so),
		cmocka_unit_test(another_cluster_is_a_failure_that_says_so),
		cmocka_unit_test(crashes_of_the_server_leave_neither_gap_nor_duplicate),
	};

	return cmocka_run_group_tests(tests, lab_server_start, lab_server_stop);
}
