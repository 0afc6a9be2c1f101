/*
 * What becomes of a connector whose source is changed while it is stopped, or under it: tables that are taken out of the publication and
 * put back, slots that lose their WAL, standbys that are promoted, servers that are put back to an older state. Never a silent gap; and
 * when the hint is followed, the tables of jobs are exact again.
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
#include "stream/log_out.h"
#include "world.h"

#define TABLES "CREATE TABLE t (id bigserial PRIMARY KEY, n int); CREATE TABLE t2 (id bigserial PRIMARY KEY, n int)"
#define BY_HAND ",\"publication.autocreate.mode\":\"disabled\""

enum { WAIT_US = 30000000, LOOK_US = 20000 };

/* ---- publications: helpers ---- */

/* A connector that has captured a row of each table and is stopped; `more` as in lab.h. */
static struct lab *stopped_lab(const char *name, const char *more)
{
	struct lab *l = lab_new(lab_server, name, TABLES);

	l->more = more;
	if (more)
		lab_sql(l, "CREATE PUBLICATION %s FOR TABLE t, t2", name);
	lab_witness(l);
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t(n) VALUES (1); INSERT INTO t2(n) VALUES (1)");
	lab_caught_up(l);
	lab_stop(l);
	return l;
}

/* FAILED with that error, each time that it is tried, and nothing published that was not before. */
static void expect_gap(struct lab *l, const char *text, const char *hint)
{
	unsigned records = memlog_records(l->log, NULL);
	struct err err;
	int i;

	for (i = 0; i < 2; i++) {
		lab_start(l);
		lab_wait_state(l, CONNECTOR_FAILED, &err);
		lab_expect(&err, text, hint);
		lab_expect(&err, text, "jobs follow it");
		assert_non_null(strstr(err.detail, "Changes are captured up to about "));
		assert_int_equal(memlog_records(l->log, NULL), records);
		lab_stop(l);
	}
}

static char *warnings(struct lab *l)
{
	struct connector_status s;
	char *text;

	connector_status(l->connector, &s);
	text = strdup(buf_cstr(&s.warnings));
	buf_release(&s.warnings);
	return text;
}

static void expect_going_on(struct lab *l)
{
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t(n) VALUES (8)");
	lab_caught_up(l);
	lab_compare(l);
}

/* ---- publications: while stopped ---- */

static void a_table_taken_out_and_put_back_while_stopped_is_a_failure_that_says_so(void **state)
{
	struct lab *l = stopped_lab("back", BY_HAND);

	lab_sql(l, "ALTER PUBLICATION back DROP TABLE t");
	lab_sql(l, "INSERT INTO t(n) VALUES (2)");
	lab_sql(l, "ALTER PUBLICATION back ADD TABLE t");
	lab_sql(l, "INSERT INTO t(n) VALUES (3)");
	expect_gap(l, "table \"public.t\" was taken out of publication \"back\" and put back", "DELETE /connectors/back/offsets");
	lab_free(l);
}

static void a_table_that_is_not_published_any_more_is_a_failure_that_says_so(void **state)
{
	struct lab *l = stopped_lab("gone", BY_HAND);

	lab_sql(l, "ALTER PUBLICATION gone DROP TABLE t2");
	lab_sql(l, "INSERT INTO t2(n) VALUES (2)");
	expect_gap(l, "table \"public.t2\" is not in publication \"gone\" any more",
		"Run ALTER PUBLICATION \"gone\" ADD TABLE \"public\".\"t2\";");
	lab_free(l);
}

/* The connector itself would have put it back. */
static void a_filtered_publication_does_not_hide_the_gap(void **state)
{
	struct lab *l = stopped_lab("hidden", NULL);
	char *left;

	lab_sql(l, "ALTER PUBLICATION hidden SET TABLE t2");
	lab_sql(l, "INSERT INTO t(n) VALUES (2)");
	expect_gap(l, "table \"public.t\" is not in publication \"hidden\" any more", "Stop the connector, reset its offsets");
	left = lab_value(l, "SELECT string_agg(tablename, ',') FROM pg_publication_tables WHERE pubname = 'hidden'");
	assert_string_equal(left, "t2");
	free(left);
	lab_free(l);
}

static void all_tables_taken_out_are_named(void **state)
{
	struct lab *l = stopped_lab("pair", BY_HAND);
	struct err err;

	lab_sql(l, "ALTER PUBLICATION pair DROP TABLE t, t2");
	lab_sql(l, "ALTER PUBLICATION pair ADD TABLE t, t2");
	expect_gap(l, "table \"public.t\" was taken out", "reset its offsets");
	lab_start(l);
	lab_wait_state(l, CONNECTOR_FAILED, &err);
	assert_non_null(strstr(err.detail, "The same goes for \"public.t2\""));
	lab_free(l);
}

static void a_filter_that_came_and_went_is_a_failure_that_says_so(void **state)
{
	struct lab *l = stopped_lab("sieve", BY_HAND);
	char *version = lab_value(l, "SELECT current_setting('server_version_num')::int >= 150000");

	if (strcmp(version, "t") == 0) {
		lab_sql(l, "ALTER PUBLICATION sieve SET TABLE t WHERE (id > 100), t2");
		lab_sql(l, "INSERT INTO t(n) VALUES (2)");
		lab_sql(l, "ALTER PUBLICATION sieve SET TABLE t, t2");
		expect_gap(l, "table \"public.t\" was taken out of publication \"sieve\" and put back, or its filter was changed",
			"reset its offsets");
	}
	free(version);
	lab_free(l);
}

static void a_publication_that_did_not_publish_all_for_a_time_is_a_failure_that_says_so(void **state)
{
	struct lab *l = stopped_lab("less", NULL);

	lab_sql(l, "ALTER PUBLICATION less SET (publish = 'insert')");
	lab_sql(l, "UPDATE t SET n = 2");
	lab_sql(l, "ALTER PUBLICATION less SET (publish = 'insert, update, delete, truncate')");
	expect_gap(l, "publication \"less\" was altered", "reset its offsets");
	lab_free(l);
}

static void another_owner_and_the_same_tables_again_are_no_gap(void **state)
{
	struct lab *l = stopped_lab("owned", BY_HAND);
	char *said;

	lab_sql(l, "CREATE ROLE shopkeeper SUPERUSER");
	lab_sql(l, "ALTER PUBLICATION owned OWNER TO shopkeeper");
	lab_sql(l, "ALTER PUBLICATION owned SET TABLE t2, t");
	lab_sql(l, "INSERT INTO t(n) VALUES (2)");
	expect_going_on(l);
	said = warnings(l);
	assert_non_null(strstr(said, "Publication \"owned\" was renamed or has another owner"));
	free(said);
	/* what was taken as it was is what is compared with from now on */
	lab_stop(l);
	expect_going_on(l);
	said = warnings(l);
	assert_null(strstr(said, "another owner"));
	free(said);
	lab_sql(l, "ALTER PUBLICATION owned OWNER TO postgres; DROP ROLE shopkeeper");
	lab_free(l);
}

/* Rows that are written meanwhile make the server refuse, so there is no gap to fear once the name is back. */
static void a_publication_that_was_renamed_is_waited_for(void **state)
{
	struct lab *l = stopped_lab("renamed", BY_HAND);
	char *said;

	lab_sql(l, "ALTER PUBLICATION renamed RENAME TO elsewhere");
	lab_start(l);
	lab_wait_state(l, CONNECTOR_FAILED, NULL);
	lab_stop(l);
	lab_sql(l, "ALTER PUBLICATION elsewhere RENAME TO renamed");
	expect_going_on(l);
	said = warnings(l);
	assert_non_null(strstr(said, "Publication \"renamed\" was renamed"));
	free(said);
	lab_stop(l);
	/* that it was renamed once excuses nothing later */
	lab_sql(l, "ALTER PUBLICATION renamed SET (publish = 'insert')");
	lab_sql(l, "ALTER PUBLICATION renamed SET (publish = 'insert, update, delete, truncate')");
	expect_gap(l, "publication \"renamed\" was altered", "reset its offsets");
	lab_free(l);
}

static void new_and_dropped_tables_are_no_gap(void **state)
{
	struct lab *l = stopped_lab("fresh", NULL);

	/* the connector adds it, and its changes are captured from then on */
	lab_sql(l, "CREATE TABLE t3 (id bigserial PRIMARY KEY, n int); INSERT INTO t3(n) VALUES (1); DROP TABLE t2");
	expect_going_on(l);
	lab_sql(l, "INSERT INTO t3(n) VALUES (2)");
	lab_caught_up(l);
	assert_int_equal(memlog_records(l->log, "fresh.public.t3"), 1);
	lab_stop(l);
	/* from then on it is as any other */
	lab_sql(l, "ALTER PUBLICATION fresh DROP TABLE t3");
	lab_sql(l, "ALTER PUBLICATION fresh ADD TABLE t3");
	expect_gap(l, "table \"public.t3\" was taken out", "reset its offsets");
	lab_free(l);
}

/* That is said to walmill, not done behind its back. */
static void another_publication_in_the_configuration_is_taken_as_it_is(void **state)
{
	struct lab *l = stopped_lab("renaming", BY_HAND);

	lab_sql(l, "CREATE PUBLICATION other FOR TABLE t, t2");
	l->more = BY_HAND ",\"publication.name\":\"other\"";
	expect_going_on(l);
	lab_stop(l);
	lab_sql(l, "ALTER PUBLICATION other DROP TABLE t");
	expect_gap(l, "table \"public.t\" is not in publication \"other\" any more", "ADD TABLE \"public\".\"t\"");
	lab_free(l);
}

static void of_all_tables_none_is_missed(void **state)
{
	struct lab *l = lab_new(lab_server, "every", TABLES);

	l->more = ",\"publication.autocreate.mode\":\"all_tables\"";
	lab_witness(l);
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t(n) VALUES (1)");
	lab_caught_up(l);
	lab_stop(l);
	lab_sql(l, "CREATE TABLE t3 (id bigserial PRIMARY KEY, n int); INSERT INTO t3(n) VALUES (1); DROP TABLE t2");
	expect_going_on(l);
	assert_int_equal(memlog_records(l->log, "every.public.t3"), 1);
	lab_free(l);
}

/* As versions before left it: what is there now is where the comparing begins. */
static void a_log_that_kept_nothing_is_taken_up_without_complaint(void **state)
{
	struct lab *l = stopped_lab("older", BY_HAND);

	memlog_forget_kept(l->log);
	lab_sql(l, "ALTER PUBLICATION older DROP TABLE t");
	lab_sql(l, "ALTER PUBLICATION older ADD TABLE t");
	expect_going_on(l);
	lab_stop(l);
	lab_sql(l, "ALTER PUBLICATION older DROP TABLE t");
	lab_sql(l, "ALTER PUBLICATION older ADD TABLE t");
	expect_gap(l, "table \"public.t\" was taken out", "reset its offsets");
	lab_free(l);
}

/* ---- publications: while streaming ---- */

static void a_table_taken_out_under_a_running_connector_is_a_failure_that_says_so(void **state)
{
	struct lab *l = stopped_lab("under", BY_HAND);
	struct err err;

	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	/* in one transaction, so that no look falls between */
	lab_sql(l, "ALTER PUBLICATION under DROP TABLE t; INSERT INTO t(n) VALUES (2); ALTER PUBLICATION under ADD TABLE t");
	lab_wait_state(l, CONNECTOR_FAILED, &err);
	lab_expect(&err, "table \"public.t\" was taken out of publication \"under\" and put back", "reset its offsets");
	lab_free(l);
}

/* The last UNIT_KEPT, whose form is in membership.c: how many tables are in it, and the slot's restart position. */
static uint64_t kept(struct lab *l, lsn_t *ret_restart)
{
	struct arena a = ARENA_INIT;
	uint64_t n = 0;
	unsigned i;

	*ret_restart = 0;
	for (i = 0; i < memlog_units(l->log); i++) {
		struct unit_payload p;
		struct reader r;

		memlog_unit(l->log, i, &a, &p);
		if (p.kind != UNIT_KEPT)
			continue;
		r = reader_of(p.kept);
		assert_int_equal(reader_u8(&r), 1);
		reader_u8(&r);
		reader_uvarint(&r);
		reader_uvarint(&r);
		reader_uvarint(&r);
		*ret_restart = reader_uvarint(&r);
		n = reader_uvarint(&r);
	}
	arena_release(&a);
	return n;
}

static void a_table_added_under_a_running_connector_is_compared_from_then_on(void **state)
{
	struct lab *l = stopped_lab("added", BY_HAND);
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;
	lsn_t restart;

	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "CREATE TABLE t3 (id bigserial PRIMARY KEY, n int); ALTER PUBLICATION added ADD TABLE t3; INSERT INTO t3(n) VALUES (1)");
	lab_caught_up(l);
	assert_int_equal(memlog_records(l->log, "added.public.t3"), 1);
	while (kept(l, &restart) < 3) {
		uint64_t seen = wake_seen(&l->wake);

		assert_true(io_monotonic_us(io_system()) < deadline);
		wake_wait(&l->wake, seen, LOOK_US);
	}
	lab_stop(l);
	lab_sql(l, "ALTER PUBLICATION added DROP TABLE t3");
	expect_gap(l, "table \"public.t3\" is not in publication \"added\" any more", "ADD TABLE \"public\".\"t3\"");
	lab_free(l);
}

/* ---- jobs ---- */

static struct world w;

/* What DELETE /connectors/app/offsets does. */
static void begin_anew(void)
{
	struct err err = ERR_INIT;

	world_disconnect(&w);
	if (log_out_forget(w.log, view_str("app"), &err))
		fail_msg("%s", err.text);
	world_connect(&w);
}

static struct job *world_with_job(void)
{
	struct job *j;

	world_start(&w,
		"CREATE TABLE t (id int PRIMARY KEY, n int); CREATE SCHEMA kept; CREATE TABLE kept.t (id int PRIMARY KEY, n int); "
		"INSERT INTO t SELECT g, g FROM generate_series(1, 10) g", "public.t");
	world_connect(&w);
	j = world_job(&w, "copy", "INSERT INTO kept.t SELECT id, n FROM public.t;");
	world_sql(&w, "UPDATE t SET n = n + 1 WHERE id < 4; DELETE FROM t WHERE id = 5");
	world_wait_connector(&w, world_lsn(&w));
	world_verify(&w, j);
	return j;
}

static void wait_failed(struct err *ret)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;
	struct connector_status s;

	for (;;) {
		uint64_t seen = wake_seen(&w.wake);

		connector_status(w.connector, &s);
		buf_release(&s.warnings);
		if (s.state == CONNECTOR_FAILED)
			break;
		if (io_monotonic_us(io_system()) > deadline)
			fail_msg("connector is at %s: %s", connector_step_name(s.step), s.error.text);
		wake_wait(&w.wake, seen, LOOK_US);
	}
	*ret = s.error;
}

/* The log and the note in it, over a restart; and the way out. */
static void tables_of_jobs_are_exact_once_the_hint_is_followed(void **state)
{
	struct job *j = world_with_job();
	struct err err;

	job_free(j);
	world_disconnect(&w);
	world_sql(&w, "ALTER PUBLICATION app DROP TABLE t");
	world_sql(&w, "UPDATE t SET n = 100 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (20, 20)");
	world_sql(&w, "ALTER PUBLICATION app ADD TABLE t");
	world_sql(&w, "UPDATE t SET n = 200 WHERE id = 3");
	world_close_log(&w);
	world_open_log(&w);
	world_connect(&w);
	wait_failed(&err);
	lab_expect(&err, "table \"public.t\" was taken out of publication \"app\" and put back", "DELETE /connectors/app/offsets");
	begin_anew();
	j = world_job(&w, "copy", "INSERT INTO kept.t SELECT id, n FROM public.t;");
	world_sql(&w, "UPDATE t SET n = 300 WHERE id = 4");
	world_wait_connector(&w, world_lsn(&w));
	world_verify(&w, j);
	/* and a restart finds nothing to complain of */
	world_disconnect(&w);
	world_sql(&w, "UPDATE t SET n = 400 WHERE id = 4");
	world_connect(&w);
	world_wait_connector(&w, world_lsn(&w));
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

/* ---- slots ---- */

/* Other people's WAL: a segment is begun whether the last one is full or not. */
#define WRITE_WAL "CREATE TABLE IF NOT EXISTS other (x text); INSERT INTO other VALUES ('x'); SELECT pg_switch_wal()"

static void world_lose_slot(void)
{
	unsigned i;
	char *is;

	world_sql(&w, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
	world_sql(&w, "SELECT pg_reload_conf()");
	for (i = 0;; i++) {
		world_sql(&w, "%s", WRITE_WAL);
		world_sql(&w, "CHECKPOINT");
		is = world_value(&w, "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'app'");
		if (strcmp(is, "lost") == 0)
			break;
		free(is);
		assert_true(i < 100);
	}
	free(is);
}

static void a_slot_that_lost_its_wal_is_a_failure_that_says_how_to_begin_anew(void **state)
{
	struct job *j = world_with_job();
	struct log_marks before, after;
	struct log_topic topic;
	struct err err;
	uint32_t part;

	assert_true(log_topic_find(w.log, view_str("app.public.t"), &topic) && log_part_find(w.log, topic.id, 0, &part));
	world_disconnect(&w);
	world_sql(&w, "UPDATE t SET n = 100 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (20, 20)");
	world_lose_slot();
	log_marks(w.log, &part, 1, &before, NULL);
	world_connect(&w);
	wait_failed(&err);
	lab_expect(&err, "replication slot \"app\" has lost WAL that it needed: it was over max_slot_wal_keep_size",
		"Run SELECT pg_drop_replication_slot('app'); on the source. Stop the connector, reset its offsets");
	assert_non_null(strstr(err.detail, "max_slot_wal_keep_size is 1 MB. Changes are captured up to "));
	log_marks(w.log, &part, 1, &after, NULL);
	assert_true(before.high == after.high && before.start == after.start && before.high > 0);
	/* the slot is in the way of a connector that begins, too, which says so */
	begin_anew();
	wait_failed(&err);
	lab_expect(&err, "replication slot \"app\" has lost WAL", "Run SELECT pg_drop_replication_slot('app'); on the source. Then restart");
	world_sql(&w, "SELECT pg_drop_replication_slot('app')");
	begin_anew();
	world_wait_connector(&w, world_lsn(&w));
	world_sql(&w, "UPDATE t SET n = 300 WHERE id = 4");
	world_wait_connector(&w, world_lsn(&w));
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

static void wait_warning(struct lab *l, const char *text)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;

	for (;;) {
		uint64_t seen = wake_seen(&l->wake);
		char *said = warnings(l);
		bool found = strstr(said, text);

		if (!found && io_monotonic_us(io_system()) > deadline)
			fail_msg("\"%s\" is not in: %s", text, said);
		free(said);
		if (found)
			return;
		wake_wait(&l->wake, seen, LOOK_US);
	}
}

static void a_slot_in_danger_is_warned_of_and_its_loss_under_way_is_told(void **state)
{
	struct pgtemp_options options = {.tcp = true, .conf = "max_wal_size = '32MB'\nmin_wal_size = '32MB'"};
	struct err err = ERR_INIT;
	struct pgtemp *own;
	struct lab *l;
	unsigned records;
	int i;

	if (pgtemp_start(&own, &options, &err))
		fail_msg("%s", err.text);
	l = lab_new(own, "danger", TABLES);
	lab_start(l);
	lab_sql(l, "INSERT INTO t(n) VALUES (1)");
	lab_caught_up(l);
	/* what is not durable is not confirmed, so the slot stays where it is */
	memlog_hold(l->log, true);
	records = memlog_records(l->log, NULL);
	for (i = 0; i < 8; i++)
		lab_sql(l, "%s", WRITE_WAL);
	wait_warning(l, "MB of WAL for replication slot \"danger\", more than max_wal_size, and will until its disk is full.");
	lab_sql(l, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
	lab_sql(l, "SELECT pg_reload_conf()");
	wait_warning(l, "Replication slot \"danger\" is about to be lost: ");
	lab_sql(l, "CHECKPOINT");
	lab_wait_state(l, CONNECTOR_FAILED, &err);
	lab_expect(&err, "replication slot \"danger\" has lost WAL that it needed", "pg_drop_replication_slot('danger')");
	assert_int_equal(memlog_records(l->log, NULL), records);
	lab_free(l);
	pgtemp_stop(own);
}

/* ---- another past ---- */

static struct lab *own_lab(const char *name)
{
	struct pgtemp_options options = {.tcp = true};
	struct err err = ERR_INIT;
	struct pgtemp *own;
	struct lab *l;

	if (pgtemp_start(&own, &options, &err))
		fail_msg("%s", err.text);
	l = lab_new(own, name, TABLES);
	lab_witness(l);
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	lab_sql(l, "INSERT INTO t(n) VALUES (1)");
	lab_caught_up(l);
	return l;
}

/* Of a connector that is not on the server of l->sql. */
static void end_connector(struct lab *l)
{
	connector_free(l->connector);
	l->connector = NULL;
}

static void on(struct pgtemp *p, const char *sql)
{
	struct err err = ERR_INIT;

	if (pgtemp_exec(p, sql, &err))
		fail_msg("%s", err.text);
}

static void boot(struct pgtemp *p)
{
	struct err err = ERR_INIT;

	if (pgtemp_boot(p, &err))
		fail_msg("%s", err.text);
}

static void end_lab(struct lab *l, struct pgtemp *own)
{
	lab_free(l);
	pgtemp_stop(own);
}

static void a_standby_is_waited_for_and_once_promoted_does_not_have_the_slot(void **state)
{
	struct lab *l = own_lab("promoted");
	struct pgtemp *primary = l->server, *standby;
	struct err err = ERR_INIT;
	unsigned records;

	lab_stop(l);
	records = memlog_records(l->log, NULL);
	if (pgtemp_start_standby(&standby, primary, &err))
		fail_msg("%s", err.text);
	l->server = standby;
	lab_start(l);
	lab_wait_step(l, STEP_WAITING, &err);
	lab_expect(&err, "it is in recovery", "Connect to the primary");
	on(standby, "SELECT pg_promote()");
	lab_wait_state(l, CONNECTOR_FAILED, &err);
	lab_expect(&err, "replication slot \"promoted\" does not exist any more", "create it again");
	assert_non_null(strstr(err.detail, "The server is on timeline 2, the log on 1"));
	assert_int_equal(memlog_records(l->log, NULL), records);
	end_connector(l);
	pgtemp_stop(standby);
	l->server = primary;
	expect_going_on(l);
	end_lab(l, primary);
}

static void a_standby_promoted_behind_the_log_is_a_failure_that_says_so(void **state)
{
	struct lab *l = own_lab("behind");
	struct pgtemp *primary = l->server, *standby;
	struct err err = ERR_INIT;
	unsigned records;

	if (pgtemp_start_standby(&standby, primary, &err))
		fail_msg("%s", err.text);
	pgtemp_shutdown(standby);
	lab_sql(l, "INSERT INTO t(n) VALUES (2)"); /* which it will never see */
	lab_caught_up(l);
	lab_stop(l);
	records = memlog_records(l->log, NULL);
	pgtemp_shutdown(primary);
	boot(standby);
	on(standby, "SELECT pg_promote()");
	l->server = standby;
	lab_start(l);
	lab_wait_state(l, CONNECTOR_FAILED, &err);
	lab_expect(&err, "the server left timeline 1 at ", "create it again");
	assert_non_null(strstr(err.text, "the log has changes up to"));
	assert_int_equal(memlog_records(l->log, NULL), records);
	end_connector(l);
	pgtemp_stop(standby);
	l->server = primary;
	boot(primary);
	lab_reconnect(l);
	expect_going_on(l);
	end_lab(l, primary);
}

/* Until the connector has kept where the slot is now: it looks twice, and the slot moves when the server has noted what runs. */
static void slot_moves_on(struct lab *l)
{
	char *from = lab_value(l, "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '%s'", l->name);
	int64_t deadline = io_monotonic_us(io_system()) + 2 * WAIT_US;
	char *moved = NULL;
	lsn_t old, restart;

	for (;;) {
		free(moved);
		lab_sql(l, "INSERT INTO t(n) VALUES (3)");
		lab_sql(l, "CHECKPOINT");
		lab_caught_up(l);
		moved = lab_value(l, "SELECT restart_lsn > '%s' FROM pg_replication_slots WHERE slot_name = '%s'", from, l->name);
		if (strcmp(moved, "t") == 0)
			break;
		assert_true(io_monotonic_us(io_system()) < deadline);
	}
	assert_true(lsn_parse(view_str(from), &old));
	free(moved);
	free(from);
	while (kept(l, &restart), restart <= old) {
		uint64_t seen = wake_seen(&l->wake);

		assert_true(io_monotonic_us(io_system()) < deadline);
		wake_wait(&l->wake, seen, LOOK_US);
	}
}

static void an_older_copy_of_the_server_is_a_failure_also_once_it_has_outgrown_the_log(void **state)
{
	struct lab *l = own_lab("older_copy");
	struct pgtemp *own = l->server;
	struct err err = ERR_INIT;
	unsigned records, i;

	lab_stop(l);
	pgtemp_shutdown(own);
	if (pgtemp_save(own, &err))
		fail_msg("%s", err.text);
	boot(own);
	lab_reconnect(l);
	lab_start(l);
	lab_wait_step(l, STEP_STREAMING, NULL);
	slot_moves_on(l);
	lab_stop(l);
	records = memlog_records(l->log, NULL);
	pgtemp_shutdown(own);
	if (pgtemp_swap(own, &err))
		fail_msg("%s", err.text);
	boot(own);
	lab_reconnect(l);
	lab_start(l);
	lab_wait_state(l, CONNECTOR_FAILED, &err);
	lab_expect(&err, "the server's WAL ends at ", "create it again");
	lab_stop(l);
	for (i = 0; i < 3; i++)
		lab_sql(l, "INSERT INTO t(n) VALUES (99); SELECT pg_switch_wal()");
	assert_true(lab_lsn(l, "pg_current_wal_flush_lsn()") > memlog_position(l->log));
	lab_start(l);
	lab_wait_state(l, CONNECTOR_FAILED, &err);
	lab_expect(&err, "replication slot \"older_copy\" stands before where it stood already", "reset its offsets");
	assert_int_equal(memlog_records(l->log, NULL), records);
	lab_stop(l);
	/* and the right one again */
	pgtemp_shutdown(own);
	if (pgtemp_swap(own, &err))
		fail_msg("%s", err.text);
	boot(own);
	lab_reconnect(l);
	expect_going_on(l);
	end_lab(l, own);
}

static void tables_of_jobs_are_those_of_the_server_that_was_put_back(void **state)
{
	struct job *j = world_with_job();
	struct err err = ERR_INIT;
	char dsn[256];

	snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d user=postgres dbname=app", pgtemp_port(w.server));
	job_free(j);
	world_disconnect(&w);
	pgtemp_shutdown(w.server);
	if (pgtemp_save(w.server, &err))
		fail_msg("%s", err.text);
	boot(w.server);
	PQfinish(w.sql);
	w.sql = PQconnectdb(dsn);
	world_connect(&w);
	world_sql(&w, "UPDATE t SET n = 100; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (20, 20)");
	world_wait_connector(&w, world_lsn(&w));
	world_disconnect(&w);
	pgtemp_shutdown(w.server);
	if (pgtemp_swap(w.server, &err))
		fail_msg("%s", err.text);
	boot(w.server);
	PQfinish(w.sql);
	w.sql = PQconnectdb(dsn);
	world_connect(&w);
	wait_failed(&err);
	lab_expect(&err, "the server's WAL ends at ", "create it again");
	begin_anew();
	j = world_job(&w, "copy", "INSERT INTO kept.t SELECT id, n FROM public.t;");
	world_sql(&w, "UPDATE t SET n = 300 WHERE id = 4");
	world_wait_connector(&w, world_lsn(&w));
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_taken_out_and_put_back_while_stopped_is_a_failure_that_says_so),
		cmocka_unit_test(a_table_that_is_not_published_any_more_is_a_failure_that_says_so),
		cmocka_unit_test(a_filtered_publication_does_not_hide_the_gap),
		cmocka_unit_test(all_tables_taken_out_are_named),
		cmocka_unit_test(a_filter_that_came_and_went_is_a_failure_that_says_so),
		cmocka_unit_test(a_publication_that_did_not_publish_all_for_a_time_is_a_failure_that_says_so),
		cmocka_unit_test(another_owner_and_the_same_tables_again_are_no_gap),
		cmocka_unit_test(a_publication_that_was_renamed_is_waited_for),
		cmocka_unit_test(new_and_dropped_tables_are_no_gap),
		cmocka_unit_test(another_publication_in_the_configuration_is_taken_as_it_is),
		cmocka_unit_test(of_all_tables_none_is_missed),
		cmocka_unit_test(a_log_that_kept_nothing_is_taken_up_without_complaint),
		cmocka_unit_test(a_table_taken_out_under_a_running_connector_is_a_failure_that_says_so),
		cmocka_unit_test(a_table_added_under_a_running_connector_is_compared_from_then_on),
		cmocka_unit_test(tables_of_jobs_are_exact_once_the_hint_is_followed),
		cmocka_unit_test(a_slot_that_lost_its_wal_is_a_failure_that_says_how_to_begin_anew),
		cmocka_unit_test(a_slot_in_danger_is_warned_of_and_its_loss_under_way_is_told),
		cmocka_unit_test(a_standby_is_waited_for_and_once_promoted_does_not_have_the_slot),
		cmocka_unit_test(a_standby_promoted_behind_the_log_is_a_failure_that_says_so),
		cmocka_unit_test(an_older_copy_of_the_server_is_a_failure_also_once_it_has_outgrown_the_log),
		cmocka_unit_test(tables_of_jobs_are_those_of_the_server_that_was_put_back),
	};

	return cmocka_run_group_tests(tests, lab_server_start, lab_server_stop);
}
