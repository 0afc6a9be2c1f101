/* Interventions: lists, single ones, and the rules of their life. */
#include <stdio.h>
#include <stdlib.h>

#include "app/app_int.h"
#include "base/text.h"

#define ISO(column) "pg_catalog.to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

#define TIMES                                                                                                                              \
	"'plannedAt', " ISO("i.planned_at") ", 'startedAt', " ISO("i.started_at") ", 'completedAt', " ISO("i.completed_at")                    \
	", 'validatedAt', " ISO("i.validated_at") ", 'createdAt', " ISO("i.created_at") ", 'updatedAt', " ISO("i.updated_at")
#define TECHNICIAN                                                                                                                         \
	"CASE WHEN u.id IS NOT NULL THEN pg_catalog.json_build_object('id', u.id, 'fullName', u.full_name, 'email', u.email) END"

const char app_item[] =
	"pg_catalog.json_build_object('id', i.id, 'reference', i.reference, 'title', i.title, 'description', i.description, "
	"'status', i.status, 'assignmentMode', i.assignment_mode, " TIMES
	", 'latitude', i.latitude, 'longitude', i.longitude, 'technician', " TECHNICIAN ")";

#define FROM_ITEM " FROM public.interventions i LEFT JOIN public.users u ON u.id = i.technician_id "

/* ---- one ---- */

static const char no_such[] = "there is no such intervention";

static const char *number(char text[24], int64_t n)
{
	snprintf(text, 24, "%lld", (long long)n);
	return text;
}

int app_intervention_get(struct app *a, int64_t id, struct buf *into, struct err *err)
{
	struct buf sql = BUF_INIT(8192);
	char text[24];
	const char *param = number(text, id);
	int rc;

	buf_printf(&sql, "SELECT %s" FROM_ITEM "WHERE i.id = $1", app_item);
	rc = app_text(a, APP_SOURCE, buf_cstr(&sql), 1, &param, no_such, into, err);
	buf_release(&sql);
	return rc;
}

int app_interventions_of(struct app *a, const char *ids, struct buf *into, struct err *err)
{
	struct buf sql = BUF_INIT(8192);
	int rc;

	buf_printf(&sql, "SELECT coalesce(pg_catalog.json_agg(%s), '[]'::json)" FROM_ITEM "WHERE i.id = ANY ($1::bigint[])", app_item);
	rc = app_text(a, APP_SOURCE, buf_cstr(&sql), 1, &ids, no_such, into, err);
	buf_release(&sql);
	return rc;
}

int app_intervention_delete(struct app *a, int64_t id, struct err *err)
{
	struct buf gone = BUF_INIT(64);
	char text[24];
	const char *param = number(text, id);
	int rc = app_text(a, APP_SOURCE, "DELETE FROM public.interventions WHERE id = $1 RETURNING id", 1, &param, no_such, &gone, err);

	buf_release(&gone);
	return rc;
}

/* ---- lists ---- */

/* NULLS LAST only where there are nulls: an index read backwards has them first and would not be used. */
static const struct {
	const char *name, *sql;
	bool nulls;
} sorts[] = {{"id", "i.id", false}, {"reference", "i.reference", false}, {"title", "i.title", false}, {"status", "i.status", false},
	{"assignmentMode", "i.assignment_mode", false}, {"plannedAt", "i.planned_at", false}, {"startedAt", "i.started_at", true},
	{"completedAt", "i.completed_at", true}, {"validatedAt", "i.validated_at", true}, {"createdAt", "i.created_at", false},
	{"updatedAt", "i.updated_at", false}, {"technician", "u.full_name", true}};

static void put_sort(struct buf *sql, struct view sort, struct app_faults *faults)
{
	const uint8_t *comma = memchr(sort.ptr, ',', sort.len);
	struct view name = view_of(sort.ptr, comma ? (size_t)(comma - sort.ptr) : sort.len),
				way = comma ? view_of(comma + 1, sort.len - name.len - 1) : view_str("asc");
	size_t i;

	for (i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		if (view_is(name, sorts[i].name) && (view_is(way, "asc") || view_is(way, "desc"))) {
			buf_printf(sql, "%s %.*s%s, ", sorts[i].sql, (int)way.len, (const char *)way.ptr, sorts[i].nulls ? " NULLS LAST" : "");
			return;
		}
	app_fault(faults, "sort", "is the name of a member, with ,asc or ,desc behind it");
}

struct conditions {
	struct buf sql;
	const char *params[APP_PARAMS_MAX]; /* six filters, size, page */
	unsigned n;
};

static void condition(struct conditions *c, const char *what, const char *type, const char *param)
{
	buf_puts(&c->sql, c->n ? " AND " : "WHERE ");
	c->params[c->n++] = param;
	buf_printf(&c->sql, "%s $%u%s", what, c->n, type);
}

static void put_conditions(struct conditions *c, const struct app_filter *f, struct app_faults *faults)
{
	struct arena *a = faults->arena;
	int64_t id;

	if (f->query.ptr && f->query.len) {
		struct buf like = BUF_INIT(4096);
		size_t i;

		buf_putc(&like, '%');
		for (i = 0; i < f->query.len && i < 1000; i++) {
			if (strchr("%_\\", f->query.ptr[i]))
				buf_putc(&like, '\\');
			buf_putc(&like, (char)f->query.ptr[i]);
		}
		buf_putc(&like, '%');
		if (!text_utf8_valid(buf_view(&like)))
			app_fault(faults, "query", "is not a text");
		condition(c, "(i.reference || ' ' || i.title) ILIKE", "", arena_str(a, buf_view(&like)));
		buf_release(&like);
	}
	if (f->status.ptr && f->status.len) {
		if (!app_is_status(f->status))
			app_fault(faults, "status", "is not SCHEDULED, IN_PROGRESS, COMPLETED or VALIDATED");
		condition(c, "i.status =", "", arena_str(a, f->status));
	}
	if (f->assignment_mode.ptr && f->assignment_mode.len) {
		if (!view_is(f->assignment_mode, "AUTO") && !view_is(f->assignment_mode, "MANUAL"))
			app_fault(faults, "assignmentMode", "is not AUTO or MANUAL");
		condition(c, "i.assignment_mode =", "", arena_str(a, f->assignment_mode));
	}
	if (f->technician_id.ptr && f->technician_id.len) {
		if (!text_i64(f->technician_id, &id))
			app_fault(faults, "technicianId", "is not a whole number");
		condition(c, "i.technician_id =", "::bigint", arena_str(a, f->technician_id));
	}
	if (f->planned_from.ptr && f->planned_from.len)
		condition(c, "i.planned_at >=", "::timestamptz", app_instant(f->planned_from, "plannedFrom", faults));
	if (f->planned_to.ptr && f->planned_to.len)
		condition(c, "i.planned_at <=", "::timestamptz", app_instant(f->planned_to, "plannedTo", faults));
}

int app_interventions_list(struct app *a, const struct app_filter *f, struct app_faults *faults, struct buf *into, struct err *err)
{
	struct conditions c = {.sql = BUF_INIT(4096)};
	struct buf order = BUF_INIT(4096), sql = BUF_INIT(32768);
	char size[24], page[24];
	unsigned i;
	int rc = -1;

	put_conditions(&c, f, faults);
	for (i = 0; i < f->nsorts; i++)
		put_sort(&order, f->sorts[i], faults);
	if (f->nsorts == 0)
		buf_puts(&order, "i.planned_at, ");
	if (app_verdict(faults, err))
		goto out;
	c.params[c.n++] = number(size, f->size);
	c.params[c.n++] = number(page, f->page);
	/* the page is chosen first: documents of rows that are not on it would be made for nothing */
	buf_printf(&sql,
		"SELECT pg_catalog.json_build_object('content', (SELECT coalesce(pg_catalog.json_agg(%s ORDER BY %si.id), '[]'::json) FROM (SELECT "
		"i.id" FROM_ITEM "%s ORDER BY %si.id LIMIT $%u::bigint OFFSET $%u::bigint * $%u::bigint) page JOIN public.interventions i "
		"USING (id) LEFT JOIN public.users u ON u.id = i.technician_id), 'page', $%u::bigint, 'size', $%u::bigint, 'totalElements', n, "
		"'totalPages', (n + $%u::bigint - 1) / $%u::bigint) FROM (SELECT count(*) AS n FROM public.interventions i %s) t",
		app_item, buf_cstr(&order), buf_cstr(&c.sql), buf_cstr(&order), c.n - 1, c.n, c.n - 1, c.n, c.n - 1, c.n - 1, c.n - 1,
		buf_cstr(&c.sql));
	rc = app_answer(a, APP_SOURCE, buf_cstr(&sql), c.n, c.params, into, err);
out:
	buf_release(&c.sql);
	buf_release(&order);
	buf_release(&sql);
	return rc;
}

/* ---- changing ---- */

/* The technician that a document asks for: given, or the one with the least open work. NULL in *ret: none. */
static int choose_technician(struct pg_conn *c, const struct app_document *d, char ret[24], struct err *err)
{
	struct pg_result *r;
	int rc = 0;

	ret[0] = '\0';
	if (d->text[APP_TECHNICIAN]) {
		if (pg_query(c, "SELECT id FROM public.users WHERE id = $1 AND role = 'TECH'", 1, &d->text[APP_TECHNICIAN], &r, err))
			return app_explain(err);
		if (pg_rows(r) == 0)
			rc = err_set(err, ERR_NOT_FOUND, "there is no technician %s", d->text[APP_TECHNICIAN]);
	} else if (strcmp(d->text[APP_MODE], "AUTO") == 0) {
		if (pg_query(c,
				"SELECT u.id FROM public.users u LEFT JOIN public.interventions i ON i.technician_id = u.id AND i.status IN ('SCHEDULED', "
				"'IN_PROGRESS') WHERE u.role = 'TECH' GROUP BY u.id ORDER BY count(i.id), u.id LIMIT 1",
				0, NULL, &r, err))
			return app_explain(err);
		if (pg_rows(r) == 0)
			rc = err_set(err, ERR_STATE, "there is no technician to assign automatically");
	} else {
		return 0;
	}
	if (rc == 0)
		snprintf(ret, 24, "%s", pg_text(r, 0, 0));
	pg_result_free(r);
	return rc;
}

/* Runs a statement that returns an id, and shows that row, in one transaction that `work` is part of. */
struct change {
	struct app *a;
	struct buf *into;
	struct err *err;
	struct pg_conn *c;
};

static int show(struct change *h, int64_t id)
{
	struct buf sql = BUF_INIT(8192);
	struct pg_result *r;
	char text[24];
	const char *param = number(text, id);
	int rc = -1;

	buf_printf(&sql, "SELECT %s" FROM_ITEM "WHERE i.id = $1", app_item);
	if (pg_query(h->c, buf_cstr(&sql), 1, &param, &r, h->err)) {
		app_explain(h->err);
	} else {
		buf_putv(h->into, pg_value(r, 0, 0));
		pg_result_free(r);
		rc = 0;
	}
	buf_release(&sql);
	return rc;
}

static int begin(struct change *h, struct app *a, struct buf *into, struct err *err)
{
	*h = (struct change){.a = a, .into = into, .err = err};
	if (app_take(a, APP_SOURCE, &h->c, err))
		return -1;
	if (pg_exec(h->c, "BEGIN", err) == 0)
		return 0;
	app_give(a, APP_SOURCE, h->c);
	return -1;
}

static int finish(struct change *h, int rc)
{
	struct err ignored = ERR_INIT;

	if (rc == 0)
		rc = pg_exec(h->c, "COMMIT", h->err);
	else if (!pg_is_broken(h->c) && pg_exec(h->c, "ROLLBACK", &ignored))
		rc = -1;
	app_give(h->a, APP_SOURCE, h->c);
	return rc;
}

static int insert(struct change *h, const struct app_document *d)
{
	char tech[24];
	const char *params[] = {d->text[APP_REFERENCE], d->text[APP_TITLE], d->text[APP_DESCRIPTION], d->text[APP_MODE], d->text[APP_PLANNED],
		tech, d->text[APP_LATITUDE], d->text[APP_LONGITUDE]};
	struct pg_result *r;
	int64_t id;

	if (choose_technician(h->c, d, tech, h->err))
		return -1;
	params[5] = *tech ? tech : NULL;
	if (pg_query(h->c,
			"INSERT INTO public.interventions (reference, title, description, assignment_mode, planned_at, technician_id, latitude, "
			"longitude) VALUES ($1, $2, $3, $4, $5::timestamptz, $6::bigint, $7::numeric, $8::numeric) RETURNING id",
			8, params, &r, h->err))
		return app_explain(h->err);
	id = pg_int(r, 0, 0);
	pg_result_free(r);
	return show(h, id);
}

int app_intervention_create(struct app *a, struct view document, struct app_faults *faults, struct buf *into, struct err *err)
{
	struct app_document d;
	struct change h;

	if (app_read_document(document, APP_CREATE, &d, faults, err) || begin(&h, a, into, err))
		return -1;
	return finish(&h, insert(&h, &d));
}

/* The row, locked until the end: its status, updatedAt, whether somebody has it. */
struct standing {
	char status[32], updated_at[40];
	bool assigned;
};

static int stand(struct change *h, int64_t id, struct standing *ret)
{
	char text[24];
	const char *param = number(text, id);
	struct pg_result *r;
	int rc = 0;

	if (pg_query(h->c,
			"SELECT i.status, " ISO("i.updated_at") ", i.technician_id IS NOT NULL FROM public.interventions i WHERE i.id = $1 FOR UPDATE",
			1, &param, &r, h->err))
		return app_explain(h->err);
	if (pg_rows(r) == 0) {
		rc = err_set(h->err, ERR_NOT_FOUND, "%s", no_such);
	} else {
		snprintf(ret->status, sizeof(ret->status), "%s", pg_text(r, 0, 0));
		snprintf(ret->updated_at, sizeof(ret->updated_at), "%s", pg_text(r, 0, 1));
		ret->assigned = pg_bool(r, 0, 2);
	}
	pg_result_free(r);
	return rc;
}

static int update(struct change *h, int64_t id, const struct app_document *d, const char *seen)
{
	struct standing was;
	char tech[24], text[24];
	const char *params[] = {number(text, id), d->text[APP_TITLE], d->text[APP_DESCRIPTION], d->text[APP_MODE], d->text[APP_PLANNED], NULL,
		d->text[APP_LATITUDE], d->text[APP_LONGITUDE]};
	struct pg_result *r;

	if (stand(h, id, &was))
		return -1;
	if (seen && strcmp(seen, was.updated_at) != 0)
		return err_set(h->err, ERR_LOST, "the intervention has been changed since it was read");
	if (choose_technician(h->c, d, tech, h->err))
		return -1;
	params[5] = *tech ? tech : NULL;
	if (pg_query(h->c,
			"UPDATE public.interventions SET title = $2, description = $3, assignment_mode = $4, planned_at = $5::timestamptz, "
			"technician_id = $6::bigint, latitude = $7::numeric, longitude = $8::numeric, updated_at = pg_catalog.clock_timestamp() "
			"WHERE id = $1",
			8, params, &r, h->err))
		return app_explain(h->err);
	pg_result_free(r);
	return show(h, id);
}

int app_intervention_update(struct app *a, int64_t id, struct view document, const char *unless_changed_since, struct app_faults *faults,
	struct buf *into, struct err *err)
{
	struct app_document d;
	struct change h;

	if (app_read_document(document, APP_UPDATE, &d, faults, err) || begin(&h, a, into, err))
		return -1;
	return finish(&h, update(&h, id, &d, unless_changed_since));
}

static int rank(const char *status)
{
	return *status == 'S' ? 0 : *status == 'I' ? 1 : *status == 'C' ? 2 : 3;
}

static int move(struct change *h, int64_t id, const char *to)
{
	struct standing was;
	char text[24];
	const char *params[] = {number(text, id), to};
	struct pg_result *r;

	if (stand(h, id, &was))
		return -1;
	if (strcmp(was.status, to) == 0)
		return show(h, id);
	if (rank(to) != rank(was.status) + 1)
		return err_set(h->err, ERR_STATE, "an intervention that is %s cannot become %s", was.status, to);
	if (rank(to) == 1 && !was.assigned)
		return err_set(h->err, ERR_STATE, "an intervention without a technician cannot be started");
	if (pg_query(h->c,
			"UPDATE public.interventions SET status = $2::text, started_at = CASE WHEN $2::text = 'IN_PROGRESS' THEN coalesce(started_at, "
			"now()) ELSE "
			"started_at END, completed_at = CASE WHEN $2::text = 'COMPLETED' THEN coalesce(completed_at, now()) ELSE completed_at END, "
			"validated_at = "
			"CASE WHEN $2::text = 'VALIDATED' THEN coalesce(validated_at, now()) ELSE validated_at END, updated_at = "
			"pg_catalog.clock_timestamp() "
			"WHERE id = $1",
			2, params, &r, h->err))
		return app_explain(h->err);
	pg_result_free(r);
	return show(h, id);
}

int app_intervention_status(struct app *a, int64_t id, struct view document, struct app_faults *faults, struct buf *into, struct err *err)
{
	struct app_document d;
	struct change h;

	if (app_read_document(document, APP_STATUS_ONLY, &d, faults, err) || begin(&h, a, into, err))
		return -1;
	return finish(&h, move(&h, id, d.text[APP_STATUS]));
}
