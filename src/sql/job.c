/*
 * Job files to plans; see sql.h. What is asked of the server, all in one transaction that is rolled back: pin the settings, make a
 * temporary view of each SELECT, read its
 * canonical text (pg_get_viewdef) and result types, and look up in the catalog what that text names.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "sql/bind.h"

/* What one planning carries from step to step. */
struct planning {
	struct binder b;
	struct view file;
	const struct sql_server *server;
	const struct sql_plan_options *opts;
	struct sql_part *parts;
	uint32_t nparts;
	const char *search_path;
	struct catalog catalog;
};

static void line_of(struct view file, size_t at, unsigned *line, unsigned *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < at && i < file.len; i++) {
		if (file.ptr[i] == '\n') {
			++*line;
			*column = 1;
		} else if ((file.ptr[i] & 0xc0) != 0x80) {
			++*column;
		}
	}
}

static bool word_byte(uint8_t c) { return isalnum(c) || c == '_'; }

/* The one place in the user's text where the word at the start of the fragment stands; SIZE_MAX when there is none or several. */
static size_t place_in(struct view text, const char *fragment)
{
	size_t n = 0, found = SIZE_MAX;

	while (word_byte((uint8_t)fragment[n]))
		n++;
	for (size_t i = 0; n >= 2 && i + n <= text.len; i++) {
		if (strncasecmp((const char *)text.ptr + i, fragment, n) != 0 || (i && word_byte(text.ptr[i - 1])) || (i + n < text.len &&
			word_byte(text.ptr[i + n])))
			continue;
		if (found != SIZE_MAX)
			return SIZE_MAX;
		found = i;
	}
	return found;
}

/* The text of a node starts somewhat before or at its location and ends where nobody says: show a line's worth. */
static void fragment_of(const char *text, int32_t pos, char out[80])
{
	size_t n = 0;

	out[0] = 0;
	if (!text || pos < 0 || (size_t)pos >= strlen(text))
		return;
	for (const char *p = text + pos; *p && *p != '\n' && n < 60; p++)
		out[n++] = *p;
	/* not within a character */
	while (n == 60 && n && ((uint8_t)text[pos + (int32_t)n] & 0xc0) == 0x80)
		n--;
	out[n] = 0;
}

int bind_refuse(struct binder *b, int32_t pos, struct err *err, const char *fmt, ...)
{
	struct planning *p = (struct planning *)((char *)b - offsetof(struct planning, b));
	unsigned line, column;
	char what[160], fragment[80];
	size_t at = SIZE_MAX;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	fragment_of(b->text, pos, fragment);
	if (fragment[0]) {
		err_set(err, ERR_UNSUPPORTED, "%s is not supported in a job: \"%s\"", what, fragment);
		at = b->st ? place_in(b->st->text, fragment) : SIZE_MAX;
	} else {
		err_set(err, ERR_UNSUPPORTED, "%s is not supported in a job", what);
	}
	memcpy(err->sqlstate, "0A000", 6);
	if (b->st) {
		line_of(p->file, b->st->pos + (at == SIZE_MAX ? 0 : at), &line, &column);
		if (at == SIZE_MAX)
			err_detail(err, "In the query that starts at line %u, column %u of the job file.", line, column);
		else
			err_detail(err, "At line %u, column %u of the job file.", line, column);
	}
	return -1;
}

/* ---- settings ---- */

static int take_set(struct planning *p, const struct sql_part *part)
{
	struct sql_job *job = p->b.job;
	struct sql_option *more;

	if (strcmp(part->name, "timezone") == 0) {
		job->timezone = part->value;
		return 0;
	}
	if (strcmp(part->name, "search_path") == 0) {
		p->search_path = part->value;
		return 0;
	}
	more = arena_alloc(&job->arena, (job->noptions + 1) * sizeof(*more));
	if (job->noptions)
		memcpy(more, job->options, job->noptions * sizeof(*more));
	more[job->noptions++] = (struct sql_option){part->name, part->value, part->pos};
	job->options = more;
	return 0;
}

static int take_parts(struct planning *p, struct err *err)
{
	struct sql_job *job = p->b.job;

	job->timezone = p->opts->timezone ? p->opts->timezone : "UTC";
	p->search_path = p->opts->search_path ? p->opts->search_path : "public";
	if (sql_split(p->file, &job->arena, &p->parts, &p->nparts, err) != 0)
		return -1;
	job->statements = arena_zalloc(&job->arena, (p->nparts + 1) * sizeof(*job->statements));
	for (uint32_t i = 0; i < p->nparts; i++) {
		const struct sql_part *part = &p->parts[i];
		struct sql_statement *st;

		if (part->is_set) {
			take_set(p, part);
			continue;
		}
		st = &job->statements[job->nstatements++];
		st->text = arena_view(&job->arena, view_of(p->file.ptr + part->select_pos, part->select_len));
		st->pos = part->select_pos;
		st->target_schema = part->schema;
		st->target_table = part->table;
		st->target_columns = part->columns;
		st->ncolumns = part->ncolumns;
	}
	if (!job->nstatements)
		return err_set(err, ERR_INVALID, "the job file has no INSERT INTO ... SELECT statement");
	job->timezone = strcasecmp(job->timezone, "default") == 0 || strcasecmp(job->timezone, "local") == 0 ? "UTC" : job->timezone;
	job->zone = tz_open(p->opts->zones, job->timezone, err);
	return job->zone ? 0 : -1;
}

/* ---- the server's part ---- */

static int run(struct planning *p, const char *sql, struct err *err)
{
	struct sql_rows rows;

	return p->server->query(p->server->arg, sql, NULL, 0, p->b.arena, &rows, NULL, err);
}

static int set_config(struct planning *p, const char *name, const char *value, struct err *err)
{
	const char *params[] = {name, value};
	struct sql_rows rows;

	return p->server->query(p->server->arg, "SELECT pg_catalog.set_config($1, $2, true)", params, 2, p->b.arena, &rows, NULL, err);
}

static int pin_settings(struct planning *p, struct err *err)
{
	static const char *const pins[][2] = {
		{"datestyle", "ISO, MDY"}, {"intervalstyle", "postgres"}, {"extra_float_digits", "1"}, {"bytea_output", "hex"},
		{"standard_conforming_strings", "on"}, {"quote_all_identifiers", "off"}, {"client_encoding", "UTF8"}};

	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++)
		if (set_config(p, pins[i][0], pins[i][1], err) != 0)
			return -1;
	if (set_config(p, "timezone", tz_name(p->b.job->zone), err) == 0)
		return 0;
	return err_hint(err, "The server must know the job's time zone, too.");
}

static const char *own_name(const struct tree *target)
{
	const struct tree *fields = tree_get(tree_is(tree_get(target, "val"), "ColumnRef"), "fields");
	const char *name = tree_str(target, "name");

	TREE_EACH(f, name ? NULL : fields)
		name = tree_str(tree_is(f, "String"), "sval");
	return name;
}

/* The name that the query gives its n-th column, if it is the first of that name. */
static void put_own_name(struct buf *b, const struct tree *target, const struct tree *targets, uint32_t n)
{
	const char *name = own_name(target);
	bool taken = !name || strchr(name, '"') || strncmp(name, "column_", 7) == 0;

	TREE_EACH(t, targets) {
		const char *other = own_name(tree_is(t, "ResTarget"));

		if (tree_is(t, "ResTarget") == target)
			break;
		taken = taken || (other && strcmp(other, name) == 0);
	}
	if (taken)
		buf_printf(b, "column_%u", n + 1);
	else
		buf_puts(b, name);
}

/*
 * A view's columns need different names, an INSERT's SELECT does not: the view gets names of its own, where a star does not leave their
 * number open. "" then.
 */
static const char *view_columns(struct planning *p, const struct sql_statement *st)
{
	const struct tree *stmt, *s, *targets;
	struct buf b = BUF_INIT(256 * 1024);
	struct err ignored = ERR_INIT;
	uint32_t n = 0;
	int32_t pos;
	const char *out = "";

	if (tree_parse_sql(arena_str(p->b.arena, st->text), p->b.arena, &stmt, &pos, &ignored) != 0)
		return out;
	s = tree_is(stmt, "SelectStmt");
	while (tree_get(s, "larg"))
		s = tree_get(s, "larg");
	targets = tree_get(s, "targetList");
	TREE_EACH(t, targets) {
		const struct tree *fields = tree_get(tree_is(tree_get(tree_is(t, "ResTarget"), "val"), "ColumnRef"), "fields");

		TREE_EACH(f, fields)
			if (tree_is(f, "A_Star"))
				goto out;
		buf_puts(&b, n ? ", \"" : "(\"");
		if (st->target_columns && n < st->ncolumns)
			for (const char *c = st->target_columns[n]; *c; c++)
				buf_puts(&b, *c == '"' ? "\"\"" : (char[2]){*c, 0});
		else
			put_own_name(&b, tree_is(t, "ResTarget"), targets, n);
		buf_putc(&b, '"');
		n++;
	}
	if (n && (!st->target_columns || n == st->ncolumns))
		out = arena_printf(p->b.arena, "%s) ", buf_cstr(&b));
out:
	buf_release(&b);
	return out;
}

/* The byte offset of the n-th character (1-based) of text. */
static size_t byte_of_char(const char *text, uint32_t n)
{
	size_t i = 0;

	while (text[i] && n > 1) {
		for (i++; ((uint8_t)text[i] & 0xc0) == 0x80; i++)
			;
		n--;
	}
	return i;
}

static int make_view(struct planning *p, uint32_t index, struct err *err)
{
	struct sql_statement *st = &p->b.job->statements[index];
	char *head = arena_printf(p->b.arena, "CREATE TEMPORARY VIEW walmill_view_%u %sAS ", index, view_columns(p, st));
	char *sql = arena_printf(p->b.arena, "%s%.*s", head, (int)st->text.len, (const char *)st->text.ptr);
	uint32_t position = 0;
	unsigned line, column;
	struct sql_rows rows;
	size_t at;

	if (set_config(p, "search_path", p->search_path, err) != 0)
		return -1;
	if (p->server->query(p->server->arg, sql, NULL, 0, p->b.arena, &rows, &position, err) == 0)
		return 0;
	if (err->retriable)
		return -1;
	at = position ? byte_of_char(sql, position) : 0;
	line_of(p->file, st->pos + (at > strlen(head) ? at - strlen(head) : 0), &line, &column);
	return err_context(err, "line %u, column %u of the job file", line, column);
}

static int read_view(struct planning *p, uint32_t index, struct err *err)
{
	struct sql_statement *st = &p->b.job->statements[index];
	struct sql_rows rows;
	char *sql = arena_printf(p->b.arena, "SELECT pg_catalog.pg_get_viewdef('pg_temp.walmill_view_%u'::pg_catalog.regclass, true)", index);

	if (set_config(p, "search_path", "pg_catalog", err) != 0 || p->server->query(p->server->arg, sql, NULL, 0, p->b.arena, &rows, NULL,
		err) != 0)
		return -1;
	st->canonical = sql_cell(&rows, 0, 0);
	return 0;
}

/* The view's own column types are the judge: what was derived bottom-up must agree. */
static int check_types(struct planning *p, uint32_t index, struct err *err)
{
	struct sql_statement *st = &p->b.job->statements[index];
	struct sql_rows rows;
	char *sql = arena_printf(p->b.arena, "SELECT attname, atttypid, atttypmod FROM pg_catalog.pg_attribute WHERE attrelid = "
	                         "'pg_temp.walmill_view_%u'::pg_catalog.regclass AND attnum > 0 ORDER BY attnum", index);

	if (p->server->query(p->server->arg, sql, NULL, 0, p->b.arena, &rows, NULL, err) != 0)
		return -1;
	if (rows.nrows != st->root->ncolumns)
		return err_set(err, ERR_INTERNAL, "the query has %u columns, its plan %u", rows.nrows, st->root->ncolumns);
	for (uint32_t i = 0; i < rows.nrows; i++) {
		uint32_t oid = (uint32_t)strtoul(sql_cell(&rows, i, 1), NULL, 10);
		struct type type;

		if (catalog_type(&p->catalog, oid, &type, err) != 0)
			return -1;
		if (type.oid != st->root->types[i].oid)
			return err_set(err, ERR_INTERNAL, "column \"%s\" has type %u on the server and %u in the plan", sql_cell(&rows, i, 0), oid,
			               st->root->types[i].oid);
		st->root->names[i] = sql_cell(&rows, i, 0);
	}
	return 0;
}

/* ---- binding ---- */

static bool expr_uses_clock(const struct sql_expr *e) { return e && e->uses_clock; }

static bool node_uses_clock(const struct sql_node *n)
{
	bool uses = expr_uses_clock(n->predicate) || expr_uses_clock(n->residual);
	uint32_t i, nexprs = n->kind == SQL_PROJECT ? n->ncolumns : n->kind == SQL_AGGREGATE ? n->ngroups : 0;

	for (i = 0; i < nexprs; i++)
		uses = uses || n->exprs[i]->uses_clock;
	for (i = 0; i < n->naggs; i++)
		uses = uses || expr_uses_clock(n->aggs[i].arg) || expr_uses_clock(n->aggs[i].filter);
	for (i = 0; i < n->nkeys; i++)
		uses = uses || n->left_keys[i]->uses_clock || n->right_keys[i]->uses_clock;
	for (i = 0; i < n->ninputs; i++)
		uses = node_uses_clock(n->inputs[i]) || uses;
	return uses;
}

/* An expression whose value is another at every instant has no place in a kept result, but for now() itself as a column of its own. */
static int refuse_continuous(struct binder *b, const struct sql_expr *e, struct err *err)
{
	if (!e || sql_expr_clock(e) != SQL_CLOCK_CONTINUOUS)
		return 0;
	bind_refuse(b, e->pos, err, "an expression that changes at every instant");
	return err_hint(err, "Round the time, as in date_trunc('minute', now()), or compare it with something.");
}

static int check_clock(struct binder *b, struct sql_node *n, bool top, struct err *err)
{
	uint32_t i, nexprs = n->kind == SQL_PROJECT ? n->ncolumns : n->kind == SQL_AGGREGATE ? n->ngroups : 0;

	for (i = 0; i < nexprs; i++)
		if (!(top && n->kind == SQL_PROJECT && n->exprs[i]->kind == SQL_NOW) && refuse_continuous(b, n->exprs[i], err) != 0)
			return -1;
	if (refuse_continuous(b, n->predicate, err) != 0 || refuse_continuous(b, n->residual, err) != 0)
		return -1;
	for (i = 0; i < n->naggs; i++)
		if (refuse_continuous(b, n->aggs[i].arg, err) != 0 || refuse_continuous(b, n->aggs[i].filter, err) != 0)
			return -1;
	for (i = 0; i < n->nkeys; i++)
		if (refuse_continuous(b, n->left_keys[i], err) != 0 || refuse_continuous(b, n->right_keys[i], err) != 0)
			return -1;
	for (i = 0; i < n->ninputs; i++)
		if (check_clock(b, n->inputs[i], top && n->kind == SQL_UNION_ALL, err) != 0)
			return -1;
	return 0;
}

static void note_write_times(struct binder *b, struct sql_statement *st)
{
	st->is_write_time = arena_zalloc(b->arena, st->root->ncolumns + 1);
	if (st->root->kind == SQL_PROJECT)
		for (uint32_t i = 0; i < st->root->ncolumns; i++)
			st->is_write_time[i] = st->root->exprs[i]->kind == SQL_NOW;
}

static int bind_statement(struct planning *p, uint32_t index, struct err *err)
{
	struct sql_statement *st = &p->b.job->statements[index];
	struct binder *b = &p->b;
	const struct tree *stmt;
	int32_t pos;

	b->st = st;
	b->text = st->canonical;
	b->nnodes = b->depth = 0;
	if (tree_parse_sql(st->canonical, b->arena, &stmt, &pos, err) != 0) {
		if (err->code == ERR_INVALID)
			err_hint(err, "The server is newer than the SQL parser walmill is built with; write the query without new syntax.");
		return err_context(err, "cannot read the server's form of the query");
	}
	if (bind_select(b, tree_is(stmt, "SelectStmt"), NULL, &st->root, err) != 0)
		return -1;
	st->nnodes = b->nnodes;
	if (st->target_columns && st->ncolumns != st->root->ncolumns)
		return err_set(err, ERR_INVALID, "INSERT INTO \"%s\" names %u columns, its query has %u", st->target_table, st->ncolumns,
			st->root->ncolumns);
	st->ncolumns = st->root->ncolumns;
	st->uses_clock = node_uses_clock(st->root);
	note_write_times(b, st);
	return check_clock(b, st->root, true, err);
}

/* Between the passes: tables keep the columns that were used, and their primary keys. */
static void settle_tables(struct binder *b)
{
	for (uint32_t t = 0; t < b->job->ntables; t++) {
		struct sql_table *table = &b->job->tables[t];
		uint32_t n = 0, *moved = arena_zalloc(b->arena, (table->ncolumns + 1) * sizeof(*moved));

		for (uint32_t k = 0; k < table->npk; k++)
			b->used[t][table->pk[k]] = true;
		for (uint32_t i = 0; i < table->ncolumns; i++) {
			if (!b->used[t][i])
				continue;
			moved[i] = n;
			table->columns[n++] = table->columns[i];
		}
		for (uint32_t k = 0; k < table->npk; k++)
			table->pk[k] = moved[table->pk[k]];
		table->ncolumns = n;
	}
	b->used = NULL;
}

static int plan_statements(struct planning *p, struct err *err)
{
	struct sql_job *job = p->b.job;
	uint32_t i;

	for (i = 0; i < job->nstatements; i++)
		if (make_view(p, i, err) != 0 || read_view(p, i, err) != 0)
			return -1;
	if (catalog_open(&p->catalog, p->server, p->b.arena, err) != 0)
		return -1;
	p->b.used = arena_zalloc(p->b.arena, sizeof(*p->b.used));
	for (i = 0; i < job->nstatements; i++)
		if (bind_statement(p, i, err) != 0)
			return -1;
	settle_tables(&p->b);
	for (i = 0; i < job->nstatements; i++)
		if (bind_statement(p, i, err) != 0 || check_types(p, i, err) != 0)
			return -1;
	return 0;
}

int sql_job_plan(struct view file, const struct sql_server *server, const struct sql_plan_options *opts, struct sql_job **ret,
	struct err *err)
{
	struct sql_job *job = mem_zalloc(sizeof(*job));
	struct planning p = {.file = file, .server = server, .opts = opts};
	struct err ignored = ERR_INIT;
	int rc;

	job->arena = ARENA_INIT;
	p.b.job = job;
	p.b.arena = &job->arena;
	p.b.catalog = &p.catalog;
	rc = take_parts(&p, err);
	if (rc == 0) {
		p.b.fold = (struct sql_eval){.arena = &job->arena, .zone = job->zone, .zones = opts->zones};
		rc = run(&p, "BEGIN", err);
		if (rc == 0) {
			rc = pin_settings(&p, err);
			if (rc == 0)
				rc = plan_statements(&p, err);
			/* whatever happened: nothing stays behind on the source */
			if (run(&p, "ROLLBACK", rc ? &ignored : err) != 0)
				rc = -1;
		}
	}
	catalog_close(&p.catalog);
	if (rc != 0) {
		sql_job_release(job);
		return -1;
	}
	*ret = job;
	return 0;
}

void sql_job_release(struct sql_job *job)
{
	if (!job)
		return;
	arena_release(&job->arena);
	mem_free(job);
}
