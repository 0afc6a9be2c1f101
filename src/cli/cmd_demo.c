/*
 * walmill demo: an instance over demonstration data. Makes what is missing (tables, rows, connector, job), runs the simulator, and shows a
 * status line. The next start goes on where this one stopped.
 *
 * The database must be empty or one that the demonstration made, which a comment on the table public.interventions says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/js.h"
#include "base/mem.h"
#include "cli/instance.h"
#include "cli/load.h"
#include "cli/simulator.h"

#define POSTGRES_EPOCH_US INT64_C(946684800000000)
/* What the comment on public.interventions says once the tables are there, and once their rows are. */
#define MARK_TABLES "walmill demonstration, tables without rows"
#define MARK "walmill demonstration"

static const char *rate_option;
static bool no_simulator;

/* ---- files that the demonstration ships with ---- */

static char *share_path(const char *name)
{
	static const char *const places[] = {".", WALMILL_SHARE};
	struct buf b = BUF_INIT(4096);
	size_t i;

	for (i = 0; i < 2; i++) {
		buf_clear(&b);
		buf_printf(&b, "%s/%s", places[i], name);
		if (access(buf_cstr(&b), R_OK) == 0)
			return (char *)b.ptr;
	}
	buf_release(&b);
	return NULL;
}

static int read_share(const char *name, struct buf *into, struct err *err)
{
	char *path = share_path(name);
	int rc;

	if (!path) {
		err_set(err, ERR_NOT_FOUND, "the demonstration's file %s is not here", name);
		return err_hint(err, "Run it in walmill's source tree, or install walmill with make install.");
	}
	rc = io_read_file(io_system(), path, into, err);
	mem_free(path);
	return rc;
}

/* ---- the database ---- */

enum found { FOUND_NOTHING, FOUND_TABLES, FOUND_ALL };

/* An empty database or our own, with or without its rows; else refused with what stands there. */
static int check_database(struct pg_conn *c, enum found *ret, struct err *err)
{
	static const char ours[] =
		"SELECT pg_catalog.obj_description(pg_catalog.to_regclass('public.interventions'), 'pg_class')";
	static const char others[] =
		"SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
		"c.relkind IN ('r', 'p', 'v', 'm') "
		"AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'walmill') AND n.nspname !~ '^pg_' ORDER BY 1 LIMIT 1";
	struct pg_result *r;
	const char *mark;
	int rc = 0;

	*ret = FOUND_NOTHING;
	if (pg_query(c, ours, 0, NULL, &r, err))
		return -1;
	mark = pg_null(r, 0, 0) ? "" : pg_text(r, 0, 0);
	if (strcmp(mark, MARK) == 0)
		*ret = FOUND_ALL;
	else if (strcmp(mark, MARK_TABLES) == 0)
		*ret = FOUND_TABLES;
	pg_result_free(r);
	if (*ret != FOUND_NOTHING)
		return 0;
	if (pg_query(c, others, 0, NULL, &r, err))
		return -1;
	if (pg_rows(r)) {
		rc = err_set(err, ERR_EXISTS, "the database is not empty: %s stands there", pg_text(r, 0, 0));
		err_hint(err, "The demonstration wants an empty database, or one that it made. For your own data use walmill up.");
	}
	pg_result_free(r);
	return rc;
}

static int make_tables(struct pg_conn *c, struct err *err)
{
	struct buf sql = BUF_INIT(1 << 20);
	int rc = -1;

	if (read_share("demo/schema.sql", &sql, err))
		goto out;
	buf_puts(&sql, "\nCOMMENT ON TABLE public.interventions IS '" MARK_TABLES "';");
	rc = pg_exec(c, buf_cstr(&sql), err);
out:
	buf_release(&sql);
	return rc;
}

static int load_rows(const struct pg_params *source, struct err *err)
{
	static const char *const files[] = {
		"demo/nyc311/nyc311_csv41_2014-2019.csv", "demo/nyc311/nyc311_sodacsv_2024-04.csv", "demo/nyc311/nyc311_csv53_2018-01.csv"};
	struct load_options o = {.target = source, .now_us = io_now_us(io_system()) - POSTGRES_EPOCH_US};
	struct load_report report;
	uint64_t rows = 0;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = share_path(files[i]);
		int rc;

		if (!path)
			return err_set(err, ERR_NOT_FOUND, "the demonstration's file %s is not here", files[i]);
		o.path = path;
		rc = load_run(io_system(), &load_nyc311, &o, &report, err);
		mem_free(path);
		if (rc)
			return -1;
		rows += report.inserted;
	}
	printf("demo: %llu New York service requests loaded\n", (unsigned long long)rows);
	return 0;
}

static int prepare_database(const struct pg_params *source, struct err *err)
{
	struct pg_conn *c;
	enum found found;
	int rc = -1;

	if (pg_connect(source, PG_CONN_PLAIN, "walmill demo", -1, &c, err))
		return -1;
	if (check_database(c, &found, err))
		goto out;
	if (found == FOUND_NOTHING) {
		printf("demo: making tables\n");
		if (make_tables(c, err))
			goto out;
	}
	if (found != FOUND_ALL &&
		(load_rows(source, err) || pg_exec(c, "COMMENT ON TABLE public.interventions IS '" MARK "'", err)))
		goto out;
	rc = 0;
out:
	pg_close(c);
	return rc;
}

/* ---- connector and job ---- */

static void put_own(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	js_put_key(b, key);
	js_put_str(b, value);
}

/* The shipped file's configuration, with the source's address in place of the file's. */
static int connector_config_of(const struct pg_params *p, struct buf *config, char name[256], struct err *err)
{
	struct buf file = BUF_INIT(1 << 20);
	struct arena a = ARENA_INIT;
	struct js_reader r;
	struct js_token t;
	int rc = -1;

	if (read_share("infra/cdc/connectors/sip-interventions-source.json", &file, err))
		goto out;
	js_reader_init(&r, buf_view(&file), 0);
	buf_putc(config, '{');
	while (js_next(&r, &t) != JS_END && t.kind != JS_BAD) {
		if (r.depth == 1 && view_is(t.key, "name"))
			snprintf(name, 256, "%.*s", (int)t.text.len, (const char *)t.text.ptr);
		if (r.depth != 2 || t.kind != JS_STRING || view_starts(t.key, "database."))
			continue;
		js_put_comma(config);
		js_put_string(config, js_unescape(&a, t.key, t.key_escaped));
		buf_putc(config, ':');
		js_put_string(config, js_unescape(&a, t.text, t.text_escaped));
	}
	put_own(config, "database.hostname", p->host ? p->host : "localhost");
	put_own(config, "database.port", p->port);
	put_own(config, "database.user", p->user ? p->user : "postgres");
	put_own(config, "database.password", p->password);
	put_own(config, "database.dbname", p->dbname ? p->dbname : "postgres");
	put_own(config, "database.sslmode", p->sslmode);
	buf_putc(config, '}');
	rc = 0;
out:
	arena_release(&a);
	buf_release(&file);
	return rc;
}

static int make_parts(struct instance *in, struct err *err)
{
	struct buf config = BUF_INIT(1 << 20), sql = BUF_INIT(1 << 20);
	char name[256] = "";
	int rc = -1;

	if (connector_config_of(&in->source, &config, name, err))
		goto out;
	if (registry_connector_create(in->registry, view_str(name), buf_view(&config), CONNECTOR_RUNNING, err) && err->code != ERR_EXISTS)
		goto out;
	err_clear(err);
	if (read_share("jobs/interventions.sql", &sql, err))
		goto out;
	if (registry_job_submit(in->registry, view_str("interventions"), buf_view(&sql), false, NULL, err) && err->code != ERR_EXISTS)
		goto out;
	err_clear(err);
	rc = 0;
out:
	buf_release(&config);
	buf_release(&sql);
	return rc;
}

/* ---- the status line ---- */

struct totals {
	uint64_t rows, events, written, results;
	int64_t lag_us;
	const char *state;
	char error[160];
};

static int add_connector(void *arg, struct connector *c)
{
	struct totals *t = arg;
	struct connector_status s;

	connector_status(c, &s);
	buf_release(&s.warnings);
	t->rows += s.counts.rows;
	t->events += s.counts.events;
	if (s.state == CONNECTOR_FAILED)
		snprintf(t->error, sizeof(t->error), "connector: %.140s", s.error.text);
	return 0;
}

static int add_job(void *arg, const struct registry_job *j)
{
	struct totals *t = arg;
	struct job_status s;

	job_status(j->job, &s);
	t->written += s.counts.rows_written;
	t->results += s.result_rows;
	t->lag_us = s.lag_us;
	t->state = job_state_name(s.state);
	if (s.error.code)
		snprintf(t->error, sizeof(t->error), "job: %.140s", s.error.text);
	return 0;
}

static void show_status(struct instance *in, struct simulator *sim, bool terminal)
{
	struct totals t = {.state = "-"};

	registry_connector_each(in->registry, add_connector, &t);
	registry_job_each(in->registry, add_job, &t);
	printf("%srows in %llu | events %llu | job %s: %llu result rows, %llu written | lag %.1f ms | simulator %llu%s%s%s",
		terminal ? "\r\033[K" : "", (unsigned long long)t.rows, (unsigned long long)t.events, t.state, (unsigned long long)t.results,
		(unsigned long long)t.written, (double)t.lag_us / 1000, (unsigned long long)simulator_done(sim), t.error[0] ? " | " : "", t.error,
		terminal ? "" : "\n");
	fflush(stdout);
}

static void print_doors(const struct instance *in)
{
	printf("walmill ready\n");
	if (in->ports[2])
		printf("  dashboard      http://127.0.0.1:%u/\n", in->ports[2]);
	if (in->ports[3])
		printf("  console        http://127.0.0.1:%u/\n", in->ports[3]);
	if (in->ports[2])
		printf("  API            http://127.0.0.1:%u/api/docs\n", in->ports[2]);
	if (in->ports[0])
		printf("  Connect REST   http://127.0.0.1:%u/connectors\n", in->ports[0]);
	if (in->ports[1])
		printf("  jobs           http://127.0.0.1:%u/jobs/overview\n", in->ports[1]);
	if (in->kafka)
		printf("  Kafka clients  127.0.0.1:%u\n", kafka_port(in->kafka, 0));
	if (in->ports[2])
		printf("  health         http://127.0.0.1:%u/readyz, /metrics\n", in->ports[2]);
	printf("  compare        walmill verify        events: walmill topic tail sip.interventions --follow\n");
	fflush(stdout);
}

static void follow(struct instance *in, double rate)
{
	struct simulator *sim = no_simulator ? NULL : simulator_start(&in->source, rate);
	bool terminal = isatty(STDOUT_FILENO);
	int64_t next = 0;

	while (!instance_stopping()) {
		int64_t now = io_monotonic_us(io_system());

		if (now >= next) {
			show_status(in, sim, terminal);
			next = now + (terminal ? 500000 : 5000000);
		}
		instance_wait(in, next - now);
	}
	if (terminal)
		printf("\n");
	printf("demo: stopping; the next run goes on here\n");
	simulator_stop(sim);
}

static int run(struct cli *c)
{
	double rate = rate_option ? strtod(rate_option, NULL) : 5;
	struct pg_params source = {0};
	struct instance in;
	struct err err = ERR_INIT;
	int rc;

	if (c->argc || rate <= 0 || rate > 100000)
		return cli_usage(c->argc ? "walmill demo takes no argument \"%s\"" : "--rate needs a number of transactions a second%s",
			c->argc ? c->argv[0] : "");
	/* New York's requests are counted by New York's days, unless somebody said otherwise */
	if (settings_source(c->settings, SET_JOB_TIMEZONE) == SETTINGS_DEFAULT &&
	    settings_set(c->settings, SETTINGS_FILE, "job.timezone", "America/New_York", "demo", &err))
		return cli_error(&err);
	if (cli_params(c, SET_SOURCE, true, &source, &err) || prepare_database(&source, &err)) {
		pg_params_release(&source);
		return cli_error(&err);
	}
	pg_params_release(&source);
	instance_catch_signals();
	rc = instance_start(&in, c, &err);
	if (rc == 0)
		rc = make_parts(&in, &err);
	if (rc == 0) {
		print_doors(&in);
		follow(&in, rate);
	} else {
		rc = cli_error(&err);
	}
	instance_stop(&in);
	return rc;
}

static const struct cli_option options[] = {
	{"--rate", "N", "simulator transactions a second (default 5)", &rate_option, NULL},
	{"--no-simulator", NULL, "let the data stand still", NULL, &no_simulator},
};

const struct command command_demo = {
	"demo", "demo [--rate N] [--no-simulator]", "the same over demonstration data, with a simulator", options, 2, run};
