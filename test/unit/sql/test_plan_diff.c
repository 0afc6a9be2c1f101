/* Whole queries: the plan run over the tables' rows gives what the server's SELECT gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/value_text.h"
#include "oracle.h"
#include "pgserver.h"
#include "planexec.h"

static struct oracle oracle;
static struct tz_cache *zones;

static const char *const queries[] = {
	"SELECT id, a FROM l WHERE a > 2 OR a IS NULL",
	"SELECT l.id, r.id AS rid FROM l JOIN r ON l.a = r.a",
	"SELECT l.id, r.id AS rid FROM l LEFT JOIN r ON l.a = r.a",
	"SELECT l.id, r.id AS rid FROM l LEFT JOIN r ON l.a = r.a AND r.n > 1 AND l.n < 3",
	"SELECT l.id, r.id AS rid FROM l LEFT JOIN r ON l.a = r.a WHERE r.id IS NULL",
	"SELECT l.id, r.id AS rid FROM l LEFT JOIN r ON l.a = r.a WHERE coalesce(r.n, 0) < 2 AND l.id > 3",
	"SELECT l.id, r.id AS rid FROM l RIGHT JOIN r ON l.a = r.a AND l.id > 5",
	"SELECT l.id, a, r.n FROM l JOIN r USING (a)", "SELECT a, count(*) FROM l LEFT JOIN r USING (a) GROUP BY a",
		"SELECT a, l.id, r.id AS x FROM l RIGHT JOIN r USING (a)",
	"SELECT l.id, m.id AS mid, r.id AS rid FROM l LEFT JOIN r ON l.a = r.a LEFT JOIN l m ON m.b = r.b AND m.n = l.n",
	"SELECT l.id, m.id AS mid FROM l LEFT JOIN (r JOIN l m ON m.b = r.b) ON l.a = r.a",
	"SELECT x.id, y.id AS yid FROM l x, r y WHERE x.a = y.a AND x.n < y.n AND y.t <> 'q'",
		"SELECT x.id, y.id AS yid FROM l x, r y WHERE x.n < y.n",
	"SELECT l.id FROM l JOIN r ON l.a + 1 = r.b AND l.t = r.t", "SELECT l.id FROM l JOIN r ON l.a = r.c8",
	"SELECT a, count(*), count(n), sum(n), avg(n), min(n), max(n) FROM l GROUP BY a",
		"SELECT count(*), sum(a), avg(a), min(d), max(t COLLATE \"C\") FROM l WHERE id < 0",
	"SELECT sum(c8), avg(c8), avg(b), sum(iv), avg(iv), bool_and(f), bool_or(f), every(f) FROM l",
		"SELECT t, count(DISTINCT a), sum(DISTINCT a) FROM l GROUP BY t",
	"SELECT a, count(*) FILTER (WHERE f), sum(n) FILTER (WHERE b IN (1, 2)) FROM l GROUP BY 1 HAVING count(*) > 1",
		"SELECT DISTINCT a, f FROM l",
	"SELECT a FROM l UNION ALL SELECT b FROM r", "SELECT a FROM l UNION SELECT c8 FROM r",
		"SELECT a, n FROM l UNION ALL SELECT 1, a FROM r",
	"WITH s AS (SELECT a, sum(n) AS n FROM l GROUP BY a), u AS (SELECT * FROM s WHERE n > 1) SELECT s.a, u.n FROM s LEFT JOIN u"
		" ON u.a = s.a",
	"SELECT q.k, q.c * 2 AS c FROM (SELECT a % 2 AS k, count(*) AS c FROM l GROUP BY 1) q WHERE q.c > 1 OR q.k IS NULL",
	"SELECT d, date_trunc('month', ts) AS mth, count(*) FROM l GROUP BY 1, 2",
		"SELECT ts::date AS dd, sum(extract(epoch FROM iv)) FROM l GROUP BY 1",
	"SELECT v.a, v.c FROM lv v WHERE v.c > 1", "SELECT vv.a, l.id FROM lvv vv JOIN l USING (a)",
		"SELECT l.id, l.t, count(r.id) FROM l LEFT JOIN r ON r.a = l.a GROUP BY l.id",
	"SELECT (a + b) AS s, (a + b) * 2 + count(*) AS e FROM l GROUP BY a + b",
		"SELECT n, count(*) FROM (SELECT n::numeric(4,1) AS n FROM l) q GROUP BY n",
	"SELECT CASE WHEN a > 1 THEN 'big' ELSE 'small' END AS size, round(avg(n), 2) AS av FROM l GROUP BY 1",
	"SELECT count(*) FROM l x JOIN l y ON x.a = y.a JOIN r z ON z.b = y.b",
		"SELECT l.id, s.total FROM l, (SELECT count(*) AS total FROM r) s",
	"SELECT a, min(id), max(f::text COLLATE \"C\") FROM l WHERE NOT coalesce(f, false) GROUP BY a", "SELECT c, count(*) FROM l GROUP BY c",
	"SELECT id FROM l WHERE a IN (SELECT b FROM r)", "SELECT a, count(*) FROM l WHERE b IN (SELECT r.b FROM r WHERE r.f) AND id"
		" > 3 GROUP BY a",
	"SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.a = l.a AND r.n > 1)", "SELECT * FROM l WHERE NOT EXISTS (SELECT 1"
		" FROM r WHERE r.a = l.a)",
	"SELECT id FROM l WHERE NOT EXISTS (SELECT r.id FROM r WHERE l.a + 1 = r.b AND r.t = l.t AND r.f) AND n IS NOT NULL",
	"SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE id > 17)", "SELECT id FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.id > 18)",
	"SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r JOIN l m ON m.b = r.b WHERE m.a = l.a) AND b IN (SELECT max(b) FROM r GROUP BY a)",
	"SELECT id FROM l WHERE a = ANY (SELECT c8 FROM r)",
	"SELECT id, n / (SELECT sum(n) FROM r) AS share FROM l", "SELECT id FROM l WHERE n > (SELECT avg(n) FROM l) AND a IS NOT NULL",
	"SELECT a, count(*), sum(n) / (SELECT sum(n) FROM l) AS share, (SELECT max(id) FROM r) AS m FROM l GROUP BY a HAVING count(*) > "
	"(SELECT min(a) FROM r)",
	"SELECT count(*) - (SELECT count(*) FROM r) AS diff FROM l WHERE id < 0", "SELECT id, (SELECT count(*) FROM r HAVING count(*) > "
	"100) AS n FROM l",
	"SELECT id FROM l WHERE (SELECT bool_or(f) FROM r) AND coalesce(n, (SELECT max(a) FROM r WHERE a < (SELECT avg(b) FROM l))) > 1",
	"SELECT vc FROM ty UNION ALL SELECT t FROM l", "SELECT t FROM l UNION SELECT ch FROM ty", "SELECT ch FROM ty UNION ALL SELECT t "
	"FROM l UNION ALL"
		" SELECT vc FROM ty", "SELECT id FROM l WHERE t IN (SELECT vc FROM ty)",
	"SELECT id FROM ty WHERE vc NOT IN (SELECT t FROM r WHERE t IS NOT NULL)", "SELECT id FROM l WHERE a NOT IN (SELECT b FROM r)",
	"SELECT id FROM l WHERE a NOT IN (SELECT b FROM r WHERE b IS NOT NULL)",
	"SELECT id FROM l WHERE a NOT IN (SELECT b FROM r WHERE id < 0)", "SELECT id FROM l WHERE a NOT IN (SELECT b FROM r WHERE id < 3 "
	"AND b IS NOT NULL)"
		" AND n NOT IN (SELECT n FROM r WHERE n IS NOT NULL) AND id > 2", "SELECT date_bin('7 hours', ts, '2024-03-30 13:00+00') AS "
		"w, count(*) FROM l GROUP BY 1",
	"SELECT * FROM ty", "SELECT id, e, e::text AS t, e = 'low', e < 'high', e >= f, greatest(e, f), least(e, f, 'mid'), e IS NULL FROM ty",
	"SELECT f, min(e), max(e), count(DISTINCT e), max(e) FILTER (WHERE id > 5) FROM ty GROUP BY f", "SELECT min(e), max(f) FROM ty "
	"WHERE id < 0",
	"SELECT DISTINCT e FROM ty WHERE e BETWEEN 'mid' AND 'high' OR e IN ('low', 'z.last')", "SELECT CASE WHEN e > 'mid' THEN f END AS c,"
		" coalesce(e, f, 'low') AS d FROM ty", "SELECT id FROM ty WHERE e > ANY (ARRAY['low'::level, 'mid'])", "SELECT id FROM ty "
		"WHERE e NOT IN"
		" ('mid')", "SELECT x.id, y.id AS yid FROM ty x JOIN ty y ON x.e = y.f AND x.e < y.e", "SELECT u, count(*) FROM ty GROUP BY u",
	"SELECT x.id, y.id AS yid FROM ty x JOIN ty y ON x.u = y.u OR x.u < y.u", "SELECT y, iv, count(*) FROM ty GROUP BY y, iv",
	"SELECT x.id, y.id AS yid FROM ty x JOIN ty y ON x.iv = y.iv AND x.y = y.y", "SELECT id FROM ty WHERE u = "
	"'00000000-0000-0000-0000-000000000001'"
		" OR y > '\\x01' OR iv = '24 hours'", "SELECT ia, count(*), count(na), count(ja) FROM ty GROUP BY ia",
	"SELECT x.id, y.id AS yid FROM ty x JOIN ty y ON x.ta = y.ta WHERE x.ea IS NOT NULL", "SELECT id FROM ty WHERE ia = '{1, NULL}' "
	"OR ta <> '{\"a b\"}'",
	"SELECT DISTINCT ea FROM ty", "SELECT dom + 1 AS s, dom, round(dom * 2) AS r FROM ty", "SELECT dom, count(*) FROM ty GROUP BY dom",
	"SELECT j, jb, js, ci FROM ty WHERE js IS NOT NULL AND ci IS NOT NULL", "SELECT jb, count(*), count(js), count(ci) FROM ty GROUP BY jb",
	"SELECT ci::text AS t, upper(ci) AS up, count(*) FROM ty GROUP BY 1, 2", "SELECT r4, sum(r4), avg(r4) FROM ty GROUP BY r4",
	"SELECT ti, sm, min(ti), max(sm) FROM ty GROUP BY ti, sm", "SELECT vc || ch AS s, count(*) FROM ty GROUP BY 1",
	"SELECT e, NULL::level AS n, '{1,2}'::int[] AS k, NULL::int[] AS z FROM ty UNION ALL SELECT f, e, ia, ia FROM ty",
	"SELECT l.id FROM l LEFT JOIN r ON l.a = r.a AND l.f", "SELECT l.id, r.t FROM l LEFT JOIN r ON true WHERE r.id = l.id",
};

static void fill(void)
{
	oracle_exec(&oracle, "CREATE TABLE l (id int PRIMARY KEY, a int, b int, c8 bigint, n numeric, t text, c char(4), f bool, d"
		" date, ts timestamptz, iv interval);"
	                     "CREATE TABLE r (LIKE l INCLUDING ALL);"
	                     "CREATE VIEW lv AS SELECT a, count(*) AS c FROM l GROUP BY a; CREATE VIEW lvv AS SELECT a FROM lv WHERE c > 1;");
	oracle_exec(&oracle, "SELECT setseed(0.5); INSERT INTO l SELECT i, x(5), x(3), x(4), x(6)::numeric / (ARRAY[1, 2.0, 4.00])[1"
		" + i % 3], chr(96 + x(3)), chr(97 + i % 2) || ' ',"
	                     " x(3) = 1, date '2024-03-30' + x(4), timestamptz '2024-03-30 12:00+00' + x(40) * interval '1 hour',"
		" x(3) * interval '1 day 02:00:00.5'"
	                     " FROM generate_series(1, 25) i; INSERT INTO r SELECT i, x(5), x(3), x(4), x(6)::numeric / 2, chr(96 +"
		" x(3)), 'b', x(3) = 1, date '2024-03-30' + x(4),"
	                     " timestamptz '2024-03-30 12:00+00' + x(40) * interval '1 hour', x(3) * interval '1 mon 02:00:00' FROM"
		" generate_series(1, 18) i");
}

static void fill_types(void)
{
	oracle_exec(&oracle, "CREATE EXTENSION citext; CREATE TYPE level AS ENUM ('low', 'mid', 'z.last'); ALTER TYPE level ADD VALUE "
		"'high' AFTER 'mid'");
	oracle_exec(&oracle, "CREATE DOMAIN money2 AS numeric(10,2); CREATE TABLE ty (id int PRIMARY KEY, e level, f level, u uuid, y "
		"bytea, iv interval,"
		" ia int[], ta text[], ea level[], na numeric[], ja jsonb[], dom money2, j json, jb jsonb, js json, ci citext, r4 real, ti "
		"time, sm smallint,"
		" vc varchar(5), ch char(4))");
	oracle_exec(&oracle, "INSERT INTO ty SELECT i, (enum_range(NULL::level))[1 + x(4)], (enum_range(NULL::level))[1 + x(4)],"
		" ('00000000-0000-0000-0000-00000000000' || x(3))::uuid, decode('0' || x(3), 'hex'), (ARRAY['1 day', '24:00', '1 mon', '30 "
		"days'])[1 + x(4)]::interval,"
		" (ARRAY['{}', '{1,NULL}', '{{1,2},{3,4}}', '[0:1]={1,2}'])[1 + x(4)]::int[], (ARRAY['{a,b}', '{\"a b\"}', '{\"NULL\",NULL,\"\"}',"
		" E'{\"q\\\\\"\",\"b\\\\\\\\\"}'])[1 + x(4)]::text[], (ARRAY['{low}', '{z.last,low}'])[1 + x(2)]::level[], ARRAY[1.0, x(3)], "
		"ARRAY['{\"a\": 1}'::jsonb],"
		" x(5) / 3.0, '{\"b\": 1}', (ARRAY['{\"a\": 1.0}', '{\"a\": 1.00}', '[1]'])[1 + x(3)]::jsonb, CASE WHEN x(2) = 1 THEN '[2]' "
		"END::json,"
		" (ARRAY['Ab', 'aB', 'c'])[1 + x(3)], x(4) / 3.0, time '10:00' + x(3) * interval '1.5 s', x(3), repeat('v', x(4)), "
		"repeat('c', x(4))"
		" FROM generate_series(1, 16) i");
}

static struct rowset read_table(const struct sql_table *t, const struct sql_job *job, struct arena *a)
{
	struct value_env env = {job->zone, zones};
	struct buf b = BUF_INIT(1 << 16);
	struct rowset s = {.width = t->ncolumns};
	struct err err = ERR_INIT;
	PGresult *r;

	buf_puts(&b, "SELECT ");
	for (uint32_t i = 0; i < t->ncolumns; i++)
		buf_printf(&b, i ? ", %s" : "%s", t->columns[i].name);
	buf_printf(&b, " FROM %s.%s", t->schema, t->name);
	r = PQexec(oracle.conn, buf_cstr(&b));
	s.n = (uint32_t)PQntuples(r);
	s.values = arena_zalloc(a, ((size_t)s.n * s.width + 1) * sizeof(*s.values));
	for (uint32_t i = 0; i < s.n; i++) {
		for (uint32_t k = 0; k < s.width; k++) {
			struct value *v = &s.values[i * s.width + k];
			enum value_kind kind = (enum value_kind)t->columns[k].type.kind;

			*v = value_null(kind);
			if (!PQgetisnull(r, (int)i, (int)k))
				assert_int_equal(value_parse(arena_view(a, view_str(PQgetvalue(r, (int)i, (int)k))), kind, &env, a, v, &err), 0);
		}
	}
	PQclear(r);
	buf_release(&b);
	return s;
}

/* The server's rows in planexec_text()'s form. */
static const char *server_text(const char *query, struct arena *a)
{
	PGresult *r = PQexec(oracle.conn, query);
	struct sql_eval ev = {.arena = a};
	struct rowset s;

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", query, PQerrorMessage(oracle.conn));
	s = (struct rowset){.n = (uint32_t)PQntuples(r), .width = (uint32_t)PQnfields(r)};
	s.values = arena_zalloc(a, ((size_t)s.n * s.width + 1) * sizeof(*s.values));
	for (uint32_t i = 0; i < s.n * s.width; i++) {
		int row = (int)(i / s.width), column = (int)(i % s.width);

		s.values[i] = PQgetisnull(r, row, column) ? value_null(VALUE_TEXT) :
		              value_text(VALUE_TEXT, arena_view(a, view_str(PQgetvalue(r, row, column))));
	}
	PQclear(r);
	return planexec_text(&s, &ev);
}

static void plans_give_what_the_query_gives(void **state)
{
	struct sql_server server = pgserver_of(oracle.conn);
	struct sql_plan_options opts = {.zones = zones, .timezone = "Europe/Paris"};
	int bad = 0;

	oracle_exec(&oracle, "SET timezone = 'Europe/Paris'");
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct arena a = ARENA_INIT;
		struct sql_eval ev = {.arena = &a, .zones = zones};
		struct rowset tables[4], rows;
		struct err err = ERR_INIT;
		struct sql_job *job;
		const char *mine, *theirs;

		if (sql_job_plan(view_str(arena_printf(&a, "INSERT INTO x %s", queries[i])), &server, &opts, &job, &err) != 0)
			fail_msg("%s: %s", queries[i], err.text);
		ev.zone = job->zone;
		for (uint32_t t = 0; t < job->ntables; t++)
			tables[t] = read_table(&job->tables[t], job, &a);
		if (planexec_run(job, job->statements[0].root, tables, &ev, &rows, &err) != 0)
			fail_msg("%s: %s", queries[i], err.text);
		mine = planexec_text(&rows, &ev);
		theirs = server_text(queries[i], &a);
		if (strcmp(mine, theirs) != 0 && bad++ < 5)
			print_message("%s\n-- ours\n%s-- server\n%s", queries[i], mine, theirs);
		sql_job_release(job);
		arena_release(&a);
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_give_what_the_query_gives),
	};
	int rc;

	if (!oracle_start(&oracle))
		return 77;
	zones = tz_cache_new(io_system(), NULL);
	oracle_exec(&oracle, "CREATE FUNCTION x(n int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT CASE WHEN random() < 0.15 THEN"
		" NULL ELSE floor(random() * n)::int END'");
	fill();
	fill_types();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	tz_cache_release(zones);
	oracle_stop(&oracle);
	return rc;
}
