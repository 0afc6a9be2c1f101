/* From a job's text to what runs it: plan, connector, sink, flow; on the job's thread. */
#include <stdio.h>

#include "base/mem.h"
#include "job/job_int.h"
#include "stream/log_out.h"

/* ---- the server that module sql asks ---- */

static int ask(void *arg, const char *sql, const char *const *params, uint32_t nparams, struct arena *a, struct sql_rows *ret,
	uint32_t *ret_position, struct err *err)
{
	struct pg_result *r;
	uint32_t i, k;

	if (ret_position)
		*ret_position = 0;
	if (pg_query(arg, sql, nparams, params, &r, err)) {
		if (ret_position)
			*ret_position = pg_error_position(arg);
		return -1;
	}
	ret->nrows = pg_rows(r);
	ret->ncolumns = pg_columns(r);
	ret->cells = arena_alloc(a, ((size_t)ret->nrows * ret->ncolumns + 1) * sizeof(*ret->cells));
	for (i = 0; i < ret->nrows; i++)
		for (k = 0; k < ret->ncolumns; k++)
			ret->cells[(size_t)i * ret->ncolumns + k] = pg_null(r, i, k) ? NULL : arena_str(a, pg_value(r, i, k));
	pg_result_free(r);
	return 0;
}

static const char *option(const struct sql_part *parts, uint32_t n, const char *name)
{
	const char *value = NULL;
	uint32_t i;

	for (i = 0; i < n; i++)
		if (parts[i].is_set && strcasecmp(parts[i].name, name) == 0)
			value = parts[i].value;
	return value;
}

static int check_options(const struct sql_job *plan, struct err *err)
{
	uint32_t i;

	for (i = 0; i < plan->noptions; i++)
		if (strcasecmp(plan->options[i].name, "connector") != 0) {
			err_set(err, ERR_INVALID, "SET %s is not an option of a job", plan->options[i].name);
			return err_hint(err, "Jobs know SET timezone and SET connector.");
		}
	return 0;
}

/* All tables of a job come from one connector. */
static int find_connector(struct job *j, const char *want, struct err *err)
{
	const struct job_env *env = j->env;
	uint32_t i;

	for (i = 0; i < j->plan->ntables; i++) {
		const struct sql_table *t = &j->plan->tables[i];
		struct pg_params source = {0};
		char name[256];

		if (env->connector_of(env->arg, t->schema, t->name, want ? want : i ? j->connector : NULL, name, &source, err))
			return -1;
		pg_params_release(&j->source);
		j->source = source;
		if (i && strcmp(name, j->connector) != 0) {
			err_set(err, ERR_INVALID, "table \"%s.%s\" is captured by connector \"%s\", the job's other tables by \"%s\"", t->schema,
				t->name, name, j->connector);
			return err_hint(err, "Let one connector capture them all; where several do, choose one by SET connector = 'name';");
		}
		snprintf(j->connector, sizeof(j->connector), "%s", name);
	}
	if (j->plan->ntables == 0)
		return err_set(err, ERR_INVALID, "the job reads no table");
	return 0;
}

static int plan_on(struct job *j, const char *want, struct err *err)
{
	struct sql_plan_options opts = {.timezone = j->env->timezone, .search_path = "public", .zones = j->env->zones};
	struct sql_server server = {.query = ask};
	struct pg_params source = {0};
	struct pg_conn *conn = NULL;
	int rc = -1;

	if (j->env->any_source(j->env->arg, want, &source, err))
		return -1;
	if (pg_connect(&source, PG_CONN_PLAIN, "walmill job planning", j->interrupt_fd, &conn, err))
		goto out;
	server.arg = conn;
	rc = sql_job_plan(view_of(j->text, j->text_len), &server, &opts, &j->plan, err);
out:
	pg_close(conn);
	pg_params_release(&source);
	return rc;
}

static int open_sink(struct job *j, struct err *err)
{
	return j->sink ? 0 : sink_open(&j->env->target, j->name, j->plan, j->interrupt_fd, &j->sink, err);
}

/*
 * A job that names no connector stays with the one that it has followed, also when others capture the same tables by now: what was right
 * yesterday needs no choice today.
 */
static int choose_connector(struct job *j, const char *want, struct err *err)
{
	struct err again = ERR_INIT;
	char last[256];

	if (find_connector(j, want, err) == 0)
		return 0;
	if (want || err->code != ERR_INVALID)
		return -1;
	if (open_sink(j, &again) || sink_last_connector(j->sink, last, &again)) {
		*err = again;
		return -1;
	}
	if (!*last || find_connector(j, last, &again))
		return -1;
	err_clear(err);
	return 0;
}

static void make_tables(struct job *j)
{
	uint32_t i, k, widest = 1;

	j->tables = mem_zalloc((j->plan->ntables + 1) * sizeof(*j->tables));
	for (i = 0; i < j->plan->ntables; i++) {
		struct job_table *t = &j->tables[i];

		t->sql = &j->plan->tables[i];
		t->attnums = mem_alloc((t->sql->ncolumns + 1) * sizeof(*t->attnums));
		for (k = 0; k < t->sql->ncolumns; k++)
			t->attnums[k] = t->sql->columns[k].attnum;
		t->row = mem_zalloc((t->sql->ncolumns + 1) * sizeof(*t->row));
		t->unchanged = mem_zalloc(t->sql->ncolumns + 1);
		widest = t->sql->ncolumns > widest ? t->sql->ncolumns : widest;
	}
}

static void explain(struct job *j)
{
	struct buf b = BUF_INIT(16 << 20);
	uint32_t i;

	buf_printf(&b, "connector: %s\ntime zone: %s\n", j->connector, j->plan->timezone);
	for (i = 0; i < j->plan->nstatements; i++) {
		const struct sql_statement *st = &j->plan->statements[i];
		uint32_t k;

		buf_printf(&b, "\n%s.%s%s\n", st->target_schema ? st->target_schema : "public", st->target_table,
			   st->uses_clock ? "   (moves with the clock)" : "");
		for (k = 0; k < st->ncolumns; k++)
			if (st->is_write_time[k])
				buf_printf(&b, "column %u is now(): it says when the row was written, and is left out of comparisons\n", k + 1);
		sql_plan_print(j->plan, st, &b);
	}
	lock_take(&j->lock);
	buf_clear(&j->explain);
	buf_putv(&j->explain, buf_view(&b));
	snprintf(j->status.connector, sizeof(j->status.connector), "%s", j->connector);
	lock_drop(&j->lock);
	buf_release(&b);
}

int job_make_plan(struct job *j, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_part *parts;
	const char *want;
	uint32_t n;
	int rc = -1;

	if (sql_split(view_of(j->text, j->text_len), &a, &parts, &n, err))
		goto out;
	want = option(parts, n, "connector");
	if (plan_on(j, want, err) || check_options(j->plan, err) || choose_connector(j, want, err))
		goto out;
	make_tables(j);
	if (open_sink(j, err))
		goto out;
	if (flow_new(j->plan, j->env->zones, sink_keys(j->sink), j->env->memory_max, &j->flow, err))
		goto out;
	explain(j);
	job_graph_make(j);
	rc = 0;
out:
	arena_release(&a);
	return rc;
}

void job_drop_plan(struct job *j)
{
	uint32_t i, k;

	log_cursor_close(j->cursor);
	j->cursor = NULL;
	flow_free(j->flow);
	j->flow = NULL;
	sink_close(j->sink);
	j->sink = NULL;
	for (i = 0; j->tables && i < j->plan->ntables; i++) {
		for (k = 0; k < j->tables[i].nreaders; k++)
			row_decoder_free(j->tables[i].readers[k].decoder);
		mem_free(j->tables[i].readers);
		mem_free(j->tables[i].attnums);
		mem_free(j->tables[i].row);
		mem_free(j->tables[i].unchanged);
	}
	mem_free(j->tables);
	j->tables = NULL;
	if (j->plan)
		sql_job_release(j->plan);
	j->plan = NULL;
	pg_params_release(&j->source);
	j->nstored = 0;
	arena_reset(&j->schemas);
}

/* ---- stored schemas ---- */

static int load_schema(void *arg, struct view stored, struct err *err)
{
	struct job *j = arg;
	struct table *t;

	if (table_load(stored, &j->schemas, &t, err))
		return -1;
	if (j->nstored == j->cap_stored) {
		j->cap_stored = j->cap_stored ? j->cap_stored * 2 : 16;
		j->stored = mem_realloc(j->stored, j->cap_stored * sizeof(*j->stored));
	}
	j->stored[j->nstored++] = t;
	return 0;
}

int job_load_schemas(struct job *j, struct err *err)
{
	/* decoders point into the arena, so it only grows; versions that are there already are simply there twice */
	j->nstored = 0;
	return log_out_schemas(j->env->log, view_str(j->connector), load_schema, j, err);
}
