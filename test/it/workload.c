/* The random workload; see workload.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "workload.h"

enum { WAIT_US = 20000000, IDS = 60 };

const char workload_schema[] =
	"CREATE SCHEMA shop; CREATE SCHEMA kept; "
	"CREATE TABLE shop.customers (id int PRIMARY KEY, name text, region text, credit numeric, vip boolean, created_at timestamptz); "
	"CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id int, status text NOT NULL, amount numeric(12,2), score double precision, "
	"half double precision, created_at timestamptz, note text); "
	"CREATE TABLE shop.items (order_id bigint, line int, sku text, qty int, price numeric, PRIMARY KEY (order_id, line)); "
	"CREATE TABLE shop.people (id int PRIMARY KEY, boss_id int, name text, salary bigint, hired date); "
	/* not in the order of their letters */
	"CREATE TYPE shop.kind AS ENUM ('opened', 'moved', 'zipped', 'billed'); "
	"CREATE DOMAIN shop.money AS numeric(10,2) CHECK (value > -1000000); "
	"CREATE TABLE shop.events (id uuid PRIMARY KEY, order_id bigint, kind shop.kind, prior shop.kind DEFAULT 'moved', took interval, "
	"tags text[], "
	"nums int[], raw bytea, doc jsonb, at timestamp(3), clock time, code character(4), small smallint, ratio real, label varchar(20), "
	"total shop.money, kinds shop.kind[]); ALTER TABLE shop.events ALTER COLUMN tags SET STORAGE EXTERNAL, ALTER COLUMN raw SET "
	"STORAGE EXTERNAL";

const struct workload_view workload_views[] = {
	{"filter", "id",
		"SELECT id, customer_id, status, amount, score, created_at, note FROM shop.orders WHERE status <> 'draft' AND amount > 10"},
	{"grouped", "status",
		"SELECT status, count(*) AS n, count(amount) AS na, sum(amount) AS total, avg(amount) AS mean, min(amount) AS low, max(amount) AS "
		"high, "
		"sum(half) AS halves, avg(half) AS half FROM shop.orders GROUP BY status"},
	{"float_ends", "customer_id",
		"SELECT customer_id, min(score) AS low, max(score) AS high, min(note) AS first, max(created_at) AS last FROM shop.orders GROUP BY "
		"customer_id"},
	{"any_numeric", "region",
		"SELECT region, sum(credit) AS total, min(credit) AS low, max(credit) AS high, count(DISTINCT credit) AS kinds FROM shop.customers "
		"GROUP BY region"},
	{"distinct_counts", "sku",
		"SELECT sku, count(DISTINCT order_id) AS orders, count(DISTINCT qty) AS quantities, sum(DISTINCT qty) AS once FROM shop.items "
		"GROUP BY sku"},
	{"filtered_aggregates", "customer_id",
		"SELECT customer_id, count(*) FILTER (WHERE status = 'paid') AS paid, sum(amount) FILTER (WHERE status = 'open') AS open, "
		"max(id) FILTER (WHERE note IS NULL) AS silent FROM shop.orders GROUP BY customer_id"},
	{"having", "sku", "SELECT sku, sum(qty) AS pieces FROM shop.items GROUP BY sku HAVING count(*) > 3 AND sum(qty) > 10"},
	{"inner_join", "id, line",
		"SELECT o.id, i.line, i.sku, i.qty, o.status, o.customer_id FROM shop.orders o JOIN shop.items i ON i.order_id = o.id WHERE i.qty "
		"> 1"},
	{"left_join", "id",
		"SELECT o.id, o.status, c.name, c.region, c.vip FROM shop.orders o LEFT JOIN shop.customers c ON c.id = o.customer_id"},
	{"left_join_null_side", "id, order_id",
		"SELECT c.id, o.id AS order_id, o.amount FROM shop.customers c LEFT JOIN shop.orders o ON o.customer_id = c.id AND o.status = "
		"'paid'"},
	{"self_join", "id",
		"SELECT p.id, p.name, b.name AS boss, b.salary - p.salary AS gap FROM shop.people p JOIN shop.people b ON b.id = p.boss_id"},
	{"three_joined_grouped", "region, sku",
		"SELECT c.region, i.sku, count(*) AS n, sum(i.qty * i.price) AS worth FROM shop.customers c JOIN shop.orders o ON o.customer_id = "
		"c.id "
		"JOIN shop.items i ON i.order_id = o.id GROUP BY c.region, i.sku"},
	{"union_all", "kind, id",
		"SELECT 'c'::text AS kind, id::bigint AS id, name AS word FROM shop.customers UNION ALL SELECT 'o', id, status FROM shop.orders "
		"WHERE amount IS NOT NULL "
		"UNION ALL SELECT 'p', id, name FROM shop.people"},
	{"union_grouped", "word",
		"SELECT word, count(*) AS n FROM (SELECT name AS word FROM shop.customers UNION ALL SELECT name FROM shop.people) u GROUP BY word"},
	{"distinct_rows", "status, customer_id", "SELECT DISTINCT status, customer_id FROM shop.orders"},
	{"with_exists", "id",
		"SELECT id, name, region FROM shop.customers c WHERE EXISTS (SELECT 1 FROM shop.orders o WHERE o.customer_id = c.id AND o.status = "
		"'open')"},
	{"without", "id", "SELECT id, name FROM shop.customers c WHERE NOT EXISTS (SELECT 1 FROM shop.orders o WHERE o.customer_id = c.id)"},
	{"local_days", "day",
		"SELECT (created_at AT TIME ZONE 'America/New_York')::date AS day, count(*) AS n, sum(amount) AS total FROM shop.orders GROUP BY "
		"1"},
	{"with_cte", "region",
		"WITH spent AS (SELECT customer_id, sum(amount) AS total, count(*) AS n FROM shop.orders GROUP BY customer_id) "
		"SELECT c.region, sum(s.total) AS total, max(s.n) AS most FROM shop.customers c JOIN spent s ON s.customer_id = c.id GROUP BY "
		"c.region"},
	{"with_case", "class",
		"SELECT CASE WHEN salary IS NULL THEN 'unknown' WHEN salary < 1000 THEN 'low' ELSE 'high' END AS class, count(*) AS n, sum(salary) "
		"AS total, "
		"avg(salary) AS mean, min(hired) AS first FROM shop.people GROUP BY 1"},
	{"kinds_ordered", "kind",
		"SELECT kind, count(*) AS n, min(prior) AS low, max(prior) AS high, sum(took) AS took, count(DISTINCT tags) AS tags, "
		"max(code) AS code, "
		"count(*) FILTER (WHERE prior > 'moved') AS late FROM shop.events WHERE kind <> 'billed' OR total IS NULL GROUP BY kind"},
	{"every_type", "id", "SELECT * FROM shop.events"},
	{"equal_by_type", "id, other",
		"SELECT e.id, o.id AS other, e.nums, o.doc FROM shop.events e JOIN shop.events o ON e.took = o.took AND e.tags = o.tags AND "
		"e.kind = o.kind"},
	{"not_among", "id",
		"SELECT id, name, salary / (SELECT max(qty) + 1 FROM shop.items) AS part FROM shop.people WHERE id NOT IN (SELECT customer_id FROM "
		"shop.orders WHERE status = 'lost')"},
	{"whole", NULL,
		"SELECT count(*) AS n, sum(amount) AS total, min(created_at) AS first, count(DISTINCT customer_id) AS customers, bool_or(amount > "
		"900) AS big FROM shop.orders"},
	{"whole_nan", NULL, "SELECT sum(credit) AS total, max(credit) AS high, avg(credit) AS mean FROM shop.customers"},
};
const size_t workload_nviews = sizeof(workload_views) / sizeof(*workload_views);

/* ---- random text ---- */

static uint64_t next(struct workload *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random;
}

uint32_t workload_below(struct workload *l, uint32_t n)
{
	return (uint32_t)((next(l) >> 20) % n);
}

#define ONE_OF(l, list) ((list)[workload_below(l, sizeof(list) / sizeof(*(list)))])

static const char *amount(struct workload *l)
{
	static const char *const list[] = {
		"NULL", "0", "0.01", "-0.01", "9999999999.99", "-9999999999.99", "10", "10.00", "10.01", "99.5", "950", "'NaN'", "-3.33", "7"};

	return ONE_OF(l, list);
}

static const char *credit(struct workload *l)
{
	static const char *const list[] = {"NULL", "0", "1e-20", "123456789012345678901234567890.123456789",
		"-123456789012345678901234567890.123456789", "'NaN'", "'Infinity'", "'-Infinity'", "1.0", "1.00", "1", "5e40", "-0.5", "3", "4",
		"5", "6"};

	return ONE_OF(l, list);
}

static const char *score(struct workload *l)
{
	static const char *const list[] = {"NULL", "'NaN'", "'Infinity'", "'-Infinity'", "-0.0", "0.0", "1e308", "5e-324", "-1.5", "2.25", "1"};

	return ONE_OF(l, list);
}

static const char *status(struct workload *l)
{
	static const char *const list[] = {"'open'", "'paid'", "'draft'", "'lost'", "''"};

	return ONE_OF(l, list);
}

static const char *word(struct workload *l)
{
	static const char *const list[] = {"NULL", "''", "'ann'", "'Ann'", "'bob'", "'x\"y\\z'", "'{a,b}'", "'\xC3\xA9t\xC3\xA9'",
		"E'two\\nlines\\t'", "'NULL'", "repeat('long ', 700)"};

	return ONE_OF(l, list);
}

/* Short and long ago; around the two changes of New York's clocks; ends of the day there and in UTC. */
static const char *instant(struct workload *l)
{
	static const char *const list[] = {"NULL", "'2024-03-10 06:59:59.999999+00'", "'2024-03-10 07:00:00+00'", "'2024-03-10 04:59:59+00'",
		"'2024-03-10 05:00:00+00'", "'2024-11-03 05:30:00+00'", "'2024-11-03 06:30:00+00'", "'2024-11-04 04:59:59.999999+00'",
		"'2024-11-04 05:00:00+00'", "'1969-12-31 23:59:59+00'", "'0044-03-15 12:00:00+00 BC'", "'2024-07-01 00:00:00+00'",
		"'2024-07-01 04:00:00+00'", "'9999-12-31 23:59:59+00'"};

	return l->tame ? list[workload_below(l, 9)] : ONE_OF(l, list);
}

static unsigned id(struct workload *l)
{
	return workload_below(l, IDS);
}

/* NULL or a number, so that some references dangle */
static const char *reference(struct workload *l, char text[16])
{
	if (workload_below(l, 8) == 0)
		return "NULL";
	snprintf(text, 16, "%u", workload_below(l, IDS + 10));
	return text;
}

/* ---- statements ---- */

static void change_orders(struct workload *l)
{
	char ref[16];

	switch (workload_below(l, 7)) {
	case 0:
	case 1:
		world_sql(l->w,
			"INSERT INTO shop.orders SELECT g, (%s + g) %% 70, %s, %s, %s, %d * 0.25, %s, %s FROM generate_series(%u, 60, 23) g ON "
			"CONFLICT (id) "
			"DO UPDATE SET status = EXCLUDED.status, amount = EXCLUDED.amount",
			reference(l, ref), status(l), amount(l), score(l), (int)workload_below(l, 1000) - 500, instant(l), word(l), id(l));
		break;
	case 2:
		world_sql(l->w, "UPDATE shop.orders SET amount = %s, score = %s, created_at = %s WHERE id %% 7 = %u", amount(l), score(l),
			instant(l), workload_below(l, 7));
		break;
	case 3:
		world_sql(l->w, "UPDATE shop.orders SET customer_id = %s, status = %s WHERE id = %u", reference(l, ref), status(l), id(l));
		break;
	case 4:
		world_sql(l->w, "DELETE FROM shop.orders WHERE id = %u", id(l));
		break;
	case 5: /* the key moves, perhaps onto one that was free a moment ago */
		world_sql(l->w, "DELETE FROM shop.orders WHERE id = %u", id(l));
		world_sql(l->w,
			"UPDATE shop.orders o SET id = n.id FROM (SELECT min(g) AS id FROM generate_series(0, %d) g WHERE NOT EXISTS (SELECT 1 FROM "
			"shop.orders x WHERE x.id = g)) n "
			"WHERE o.id = (SELECT max(id) FROM shop.orders) AND n.id IS NOT NULL",
			IDS);
		break;
	default:
		world_sql(
			l->w, "UPDATE shop.orders SET note = %s, half = NULLIF(half, 0) + 0.25 WHERE id %% 5 = %u", word(l), workload_below(l, 5));
		break;
	}
}

static void change_customers(struct workload *l)
{
	static const char *const regions[] = {"NULL", "'north'", "'south'", "''", "'east'"};

	switch (workload_below(l, 5)) {
	case 0:
	case 1:
		world_sql(l->w,
			"INSERT INTO shop.customers VALUES (%u, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET credit = EXCLUDED.credit, region = "
			"EXCLUDED.region",
			id(l), word(l), ONE_OF(l, regions), credit(l), workload_below(l, 3) ? "true" : "NULL", instant(l));
		break;
	case 2:
		world_sql(l->w, "UPDATE shop.customers SET credit = %s, vip = NOT vip WHERE id %% 4 = %u", credit(l), workload_below(l, 4));
		break;
	case 3:
		world_sql(l->w, "UPDATE shop.customers SET region = %s WHERE id = %u", ONE_OF(l, regions), id(l));
		break;
	default:
		world_sql(l->w, "DELETE FROM shop.customers WHERE id = %u", id(l));
		break;
	}
}

static void change_items(struct workload *l)
{
	static const char *const skus[] = {"'a'", "'b'", "'c'", "NULL", "'d'"};

	switch (workload_below(l, 5)) {
	case 0:
	case 1:
		world_sql(l->w,
			"INSERT INTO shop.items SELECT %u, g, %s, %u, %s FROM generate_series(1, %u) g ON CONFLICT (order_id, line) DO UPDATE SET qty "
			"= EXCLUDED.qty",
			id(l), ONE_OF(l, skus), workload_below(l, 6), credit(l), 1 + workload_below(l, 4));
		break;
	case 2:
		world_sql(l->w, "UPDATE shop.items SET sku = %s, qty = NULLIF(qty + 1, 5) WHERE order_id = %u", ONE_OF(l, skus), id(l));
		break;
	case 3:
		world_sql(l->w, "DELETE FROM shop.items WHERE order_id = %u", id(l));
		break;
	default: /* every line's key changes, to a free one */
		world_sql(l->w,
			"UPDATE shop.items i SET line = line + 100 WHERE order_id = %u AND line < 100 AND NOT EXISTS (SELECT FROM shop.items o "
			"WHERE o.order_id = i.order_id AND o.line = i.line + 100)",
			id(l));
		break;
	}
}

static void change_people(struct workload *l)
{
	static const char *const salaries[] = {"NULL", "999", "1000", "9223372036854775", "-9223372036854775", "0"};
	static const char *const days[] = {"NULL", "'2024-02-29'", "'infinity'", "'-infinity'", "'0001-01-01 BC'", "'1999-12-31'"};
	char ref[16];

	switch (workload_below(l, 4)) {
	case 0:
	case 1:
		world_sql(l->w, "INSERT INTO shop.people VALUES (%u, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET boss_id = EXCLUDED.boss_id",
			id(l), reference(l, ref), word(l), ONE_OF(l, salaries), ONE_OF(l, days));
		break;
	case 2:
		world_sql(l->w, "UPDATE shop.people SET salary = %s, hired = %s WHERE id %% 6 = %u", ONE_OF(l, salaries), ONE_OF(l, days),
			workload_below(l, 6));
		break;
	default:
		world_sql(l->w, "DELETE FROM shop.people WHERE id = %u", id(l));
		break;
	}
}

static const char *kind(struct workload *l)
{
	static const char *const list[] = {"NULL", "'opened'", "'moved'", "'zipped'", "'billed'"};

	return ONE_OF(l, list);
}

/* Intervals of one length and several spellings; a value that lies outside of its row; elements that need quotes. */
static const char *of_event(struct workload *l, unsigned column)
{
	static const char *const tooks[] = {"NULL", "'1 mon'", "'30 days'", "'720:00:00'", "'-1 day 23:59:59.999999'", "'0'", "'2 years 3 "
		"mons'"};
	static const char *const tags[] = {"NULL", "'{}'", "'{a,b}'", "'{\"a,b\",\"NULL\",NULL,\"\",\"q\\\"\\\\\"}'", "'{{a,b},{c,\" d\"}}'",
		"array_fill('x'::text, ARRAY[300])"};
	static const char *const nums[] = {"NULL", "'{}'", "'{1,NULL,-2147483648}'", "'{{1,2},{3,4}}'", "'{1}'"};
	static const char *const raws[] = {"NULL", "''", "'\\x00ff10'", "'\\x01ff'", "convert_to(repeat('far ', 900), 'UTF8')"};
	static const char *const docs[] = {"NULL", "'{\"a\": 1.0, \"b\": [true, null]}'", "'{\"a\": 1.00, \"b\": [true, null]}'",
		"'\"text\"'", "'null'"};
	static const char *const clocks[] = {"NULL", "'00:00'", "'24:00'", "'12:30:00.5'", "'23:59:59.999999'"};
	static const char *const codes[] = {"NULL", "''", "'ab'", "'abcd'", "'\xC3\xA9'"};
	static const char *const kinds[] = {"NULL", "'{opened,billed}'", "'{NULL,moved}'", "'{}'"};

	switch (column) {
	case 0: return ONE_OF(l, tooks);
	case 1: return ONE_OF(l, tags);
	case 2: return ONE_OF(l, nums);
	case 3: return ONE_OF(l, raws);
	case 4: return ONE_OF(l, docs);
	case 5: return ONE_OF(l, clocks);
	case 6: return ONE_OF(l, codes);
	default: return ONE_OF(l, kinds);
	}
}

static void change_events(struct workload *l)
{
	switch (workload_below(l, 5)) {
	case 0:
	case 1:
		world_sql(l->w,
			"INSERT INTO shop.events SELECT md5(g::text)::uuid, g, %s, %s, %s, %s, %s, %s, %s, (%s)::timestamptz AT TIME ZONE 'UTC', "
			"%s, %s, %u, "
			"%u * 0.5, left(%s, 20), %u / 8.0, %s FROM generate_series(%u, 60, 23) g ON CONFLICT (id) DO UPDATE SET kind = "
			"EXCLUDED.kind, prior = EXCLUDED.prior, took = "
			"EXCLUDED.took, nums = EXCLUDED.nums",
			kind(l), kind(l), of_event(l, 0), of_event(l, 1), of_event(l, 2), of_event(l, 3), of_event(l, 4), instant(l),
			of_event(l, 5), of_event(l, 6), workload_below(l, 50), workload_below(l, 40), word(l), workload_below(l, 900),
				of_event(l, 7), id(l));
		break;
	case 2: /* what lies outside of the row stays where it is */
		world_sql(l->w, "UPDATE shop.events SET kind = %s, total = total + 0.37, small = -small WHERE order_id %% 5 = %u", kind(l),
			workload_below(l, 5));
		break;
	case 3:
		world_sql(l->w, "UPDATE shop.events SET tags = %s, raw = %s, kinds = %s WHERE order_id %% 9 = %u", of_event(l, 1), of_event(l, 3),
			of_event(l, 7), workload_below(l, 9));
		break;
	default:
		world_sql(l->w, "DELETE FROM shop.events WHERE id = md5('%u')::uuid", id(l));
		break;
	}
}

static void change_any(struct workload *l)
{
	static void (*const kinds[])(struct workload *) = {change_orders, change_orders, change_customers, change_items, change_people,
		change_events};

	ONE_OF(l, kinds)(l);
}

static void truncate_some(struct workload *l)
{
	static const char *const lists[] = {"shop.orders", "shop.items, shop.people", "shop.customers"};

	world_sql(l->w, "TRUNCATE %s", ONE_OF(l, lists));
}

static void transaction(struct workload *l)
{
	unsigned n = 1 + workload_below(l, 6);

	world_sql(l->w, "BEGIN");
	while (n--) {
		bool saved = workload_below(l, 4) == 0;

		if (saved)
			world_sql(l->w, "SAVEPOINT s");
		change_any(l);
		if (l->truncates && workload_below(l, l->truncates) == 0)
			truncate_some(l);
		if (saved)
			world_sql(l->w, workload_below(l, 2) ? "ROLLBACK TO s" : "RELEASE s");
	}
	world_sql(l->w, workload_below(l, 12) == 0 ? "ROLLBACK" : "COMMIT");
}

void workload_init(struct workload *l, struct world *w)
{
	const char *seed = getenv("WALMILL_SEED"), *truncates = getenv("WALMILL_TRUNCATES");

	*l = (struct workload){.w = w, .random = seed ? strtoull(seed, NULL, 10) : 20240310};
	l->truncates = truncates ? (unsigned)strtoul(truncates, NULL, 10) : 150;
	fprintf(stderr, "WALMILL_SEED=%llu\n", (unsigned long long)l->random);
	l->random = (l->random + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

void workload_begin(struct workload *l, struct world *w, const char *more_config)
{
	world_start(w, workload_schema, WORKLOAD_TABLES);
	workload_init(l, w);
	snprintf(w->connector_json + strlen(w->connector_json) - 1, 256, "%s}", more_config);
}

const struct workload_view *workload_view_of(const char *name)
{
	size_t i;

	for (i = 0; i < workload_nviews; i++)
		if (strcmp(workload_views[i].name, name) == 0)
			return &workload_views[i];
	fail_msg("no view %s", name);
	return NULL;
}

void workload_run(struct workload *l, unsigned transactions)
{
	while (transactions--)
		transaction(l);
}

/* ---- jobs ---- */

struct job *workload_job(struct workload *l, const struct workload_view *v)
{
	struct job *j;
	char *text;

	world_sql(l->w, "CREATE TABLE kept.%s AS %s WITH NO DATA", v->name, v->query);
	if (v->key)
		world_sql(l->w, "CREATE UNIQUE INDEX ON kept.%s (%s) NULLS NOT DISTINCT", v->name, v->key);
	assert_true(asprintf(&text, "INSERT INTO kept.%s %s;", v->name, v->query) > 0);
	j = job_new(&l->w->env, v->name, view_str(text), NULL);
	free(text);
	return j;
}

lsn_t workload_mark(struct workload *l)
{
	lsn_t mark = world_lsn(l->w);

	world_sql(l->w, "INSERT INTO shop.people VALUES (-1, -1, 'mark', 0, NULL) ON CONFLICT (id) DO UPDATE SET salary = people.salary + 1");
	return mark;
}

void workload_wait(struct workload *l, struct job *j, lsn_t mark)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;

	world_wait_connector(l->w, mark);
	for (;;) {
		uint64_t seen = wake_seen(&l->w->wake);
		struct job_status s;

		job_status(j, &s);
		if (s.state == JOB_RUNNING && s.position >= mark)
			return;
		if (s.state == JOB_FAILED || io_monotonic_us(io_system()) > deadline)
			fail_msg("job %s is %s (%s) at " LSN_FORMAT ", wanted " LSN_FORMAT ": %s | %s | %s", job_name(j), job_state_name(s.state),
				s.step, LSN_ARGS(s.position), LSN_ARGS(mark), s.error.text, s.error.detail, s.error.hint);
		wake_wait(&l->w->wake, seen, 10000);
	}
}

void workload_compare(struct workload *l, const struct workload_view *v)
{
	char *sql, *text;

	assert_true(asprintf(&sql,
					"WITH q AS MATERIALIZED (%s) SELECT string_agg(d, E'\\n') FROM ((SELECT '- ' || a::text AS d FROM (SELECT * FROM q "
					"EXCEPT ALL TABLE kept.%s) a) "
					"UNION ALL (SELECT '+ ' || b::text FROM (TABLE kept.%s EXCEPT ALL SELECT * FROM q) b) LIMIT 20) x",
					v->query, v->name, v->name) > 0);
	text = world_value(l->w, sql);
	if (*text)
		fail_msg("%s differs from its query:\n%s", v->name, text);
	free(text);
	free(sql);
}

void workload_settle(struct workload *l, struct job *j, const struct workload_view *v)
{
	workload_wait(l, j, workload_mark(l));
	workload_compare(l, v);
}
