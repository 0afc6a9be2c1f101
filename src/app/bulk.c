/* Many interventions at once: each is looked at alone, the good ones go in one statement. */
#include <stdio.h>

#include "app/app_int.h"
#include "base/js.h"
#include "base/map.h"
#include "base/text.h"

struct item {
	struct view text; /* its object, written anew: PostgreSQL reads what was checked */
	bool refused;
};

struct bulk {
	struct arena arena;
	struct item *items;
	uint32_t n;
	struct map seen; /* references, lower case */
	struct buf rejected; /* the members of a JSON array */
	uint32_t nrejected;
	struct buf accepted; /* a JSON array */
};

static void reject(struct bulk *b, uint32_t index, const struct app_faults *f)
{
	unsigned i;

	b->items[index].refused = true;
	b->nrejected++;
	js_put_comma(&b->rejected);
	buf_printf(&b->rejected, "{\"index\":%u,\"errors\":[", index);
	for (i = 0; i < f->n; i++) {
		buf_puts(&b->rejected, i ? ",{" : "{");
		js_put_key(&b->rejected, "pointer");
		js_put_str(&b->rejected, f->list[i].pointer);
		js_put_key(&b->rejected, "detail");
		js_put_str(&b->rejected, f->list[i].detail);
		buf_putc(&b->rejected, '}');
	}
	buf_puts(&b->rejected, "]}");
}

static void reject_one(struct bulk *b, uint32_t index, const char *member, const char *detail)
{
	struct app_faults f = {.arena = &b->arena};

	app_fault(&f, arena_printf(&b->arena, "/items/%u%s%s", index, *member ? "/" : "", member), "%s", detail);
	reject(b, index, &f);
}

/* Two rows of one reference cannot both be what it becomes. */
static bool seen_before(struct bulk *b, const char *reference)
{
	char *lower = arena_str(&b->arena, view_str(reference)), *c;

	for (c = lower; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	return map_put(&b->seen, view_str(lower), b) != NULL;
}

static void read_item(struct bulk *b, struct js_reader *r)
{
	struct app_faults f = {.arena = &b->arena};
	uint32_t index = b->n++;
	struct app_document d;

	app_read_members(r, arena_printf(&b->arena, "/items/%u", index), APP_BULK, &d, &f);
	b->items[index] = (struct item){.text = VIEW_NULL};
	if (f.n)
		reject(b, index, &f);
	else
		b->items[index].text = app_put_document(&b->arena, &d);
	if (f.n == 0 && seen_before(b, d.text[APP_REFERENCE]))
		reject_one(b, index, "reference", "occurs more than once in this request");
}

static int read_items(struct bulk *b, struct js_reader *r, struct err *err)
{
	struct js_token t;

	b->items = arena_zalloc(&b->arena, APP_BULK_MAX * sizeof(*b->items));
	while (js_next(r, &t) != JS_ARRAY_END) {
		if (t.kind == JS_BAD || t.kind == JS_END)
			return js_error(r, "the body", err);
		if (b->n == APP_BULK_MAX)
			return err_set(err, ERR_LIMIT, "%d items are the most for one request", APP_BULK_MAX);
		if (t.kind == JS_OBJECT) {
			read_item(b, r);
		} else {
			reject_one(b, b->n++, "", "is not an object");
			if (js_skip(r, &t) == JS_BAD)
				return js_error(r, "the body", err);
		}
	}
	return 0;
}

static int read_body(struct bulk *b, struct view document, struct app_faults *faults, struct err *err)
{
	struct js_reader r;
	struct js_token t;
	bool there = false;

	if (!text_utf8_valid(document))
		return err_set(err, ERR_INVALID, "the body is not UTF-8");
	js_reader_init(&r, document, 0);
	if (js_next(&r, &t) != JS_OBJECT)
		return t.kind == JS_BAD ? js_error(&r, "the body", err) : err_set(err, ERR_INVALID, "the body is a JSON object");
	while (js_next(&r, &t) != JS_OBJECT_END && t.kind != JS_BAD) {
		if (view_is(t.key, "items") && t.kind == JS_ARRAY && !there) {
			there = true;
			if (read_items(b, &r, err))
				return -1;
			continue;
		}
		app_fault(faults, app_pointer(faults->arena, "", js_unescape(faults->arena, t.key, t.key_escaped)),
			view_is(t.key, "items") ? "is not an array" : "is not known here");
		js_skip(&r, &t);
	}
	if (js_next(&r, &t) != JS_END)
		return js_error(&r, "the body", err);
	if (!there && faults->n == 0)
		app_fault(faults, "/items", "is missing");
	return app_verdict(faults, err);
}

static void accept(struct bulk *b)
{
	uint32_t i;

	buf_clear(&b->accepted);
	buf_putc(&b->accepted, '[');
	for (i = 0; i < b->n; i++)
		if (!b->items[i].refused) {
			js_put_comma(&b->accepted);
			buf_putv(&b->accepted, b->items[i].text);
		}
	buf_putc(&b->accepted, ']');
}

/* Those whose technician there is not are refused, too. */
static int check_technicians(struct bulk *b, struct pg_conn *c, struct err *err)
{
	const char *param = buf_cstr(&b->accepted);
	struct pg_result *r;
	uint32_t i, at = 0, row = 0;

	if (pg_query(c,
			"SELECT e.n - 1 FROM pg_catalog.json_array_elements($1::json) WITH ORDINALITY e(v, n) WHERE e.v ->> 'technicianId' IS NOT NULL "
			"AND "
			"NOT EXISTS (SELECT 1 FROM public.users u WHERE u.id = (e.v ->> 'technicianId')::bigint AND u.role = 'TECH') ORDER BY 1",
			1, &param, &r, err))
		return app_explain(err);
	for (i = 0; i < b->n && row < pg_rows(r); i++) {
		if (b->items[i].refused)
			continue;
		if (pg_int(r, row, 0) == (int64_t)at++) {
			reject_one(b, i, "technicianId", "is not a technician");
			row++;
		}
	}
	pg_result_free(r);
	accept(b);
	return 0;
}

/* What a document does not say stays as it is in a row that there is already. */
static const char upsert[] =
	"WITH given AS (SELECT v, r.* FROM pg_catalog.json_array_elements($1::json) v, pg_catalog.json_to_record(v) AS r(reference text, title "
	"text, "
	"description text, status text, \"assignmentMode\" text, \"plannedAt\" timestamptz, \"startedAt\" timestamptz, \"completedAt\" "
	"timestamptz, "
	"\"validatedAt\" timestamptz, \"technicianId\" bigint, latitude numeric(9,6), longitude numeric(9,6))), "
	"wanted AS (SELECT g.reference, g.title, CASE WHEN g.v::jsonb ? 'description' THEN g.description ELSE i.description END AS "
	"description, "
	"coalesce(g.status, i.status, 'SCHEDULED') AS status, coalesce(g.\"assignmentMode\", i.assignment_mode, 'AUTO') AS assignment_mode, "
	"g.\"plannedAt\" AS planned_at, CASE WHEN g.v::jsonb ? 'startedAt' THEN g.\"startedAt\" ELSE i.started_at END AS started_at, "
	"CASE WHEN g.v::jsonb ? 'completedAt' THEN g.\"completedAt\" ELSE i.completed_at END AS completed_at, "
	"CASE WHEN g.v::jsonb ? 'validatedAt' THEN g.\"validatedAt\" ELSE i.validated_at END AS validated_at, "
	"CASE WHEN g.v::jsonb ? 'email' THEN (SELECT u.id FROM public.users u WHERE u.email = g.v ->> 'email') WHEN g.v::jsonb ? "
	"'technicianId' THEN g.\"technicianId\" ELSE i.technician_id END AS technician_id, "
	"CASE WHEN g.v::jsonb ? 'latitude' THEN g.latitude ELSE i.latitude END AS latitude, "
	"CASE WHEN g.v::jsonb ? 'longitude' THEN g.longitude ELSE i.longitude END AS longitude "
	"FROM given g LEFT JOIN public.interventions i ON pg_catalog.lower(i.reference) = pg_catalog.lower(g.reference)), "
	"done AS (INSERT INTO public.interventions AS t (reference, title, description, status, assignment_mode, planned_at, started_at, "
	"completed_at, "
	"validated_at, technician_id, latitude, longitude) SELECT * FROM wanted ON CONFLICT (lower(reference)) DO UPDATE SET title = "
	"excluded.title, "
	"description = excluded.description, status = excluded.status, assignment_mode = excluded.assignment_mode, planned_at = "
	"excluded.planned_at, "
	"started_at = excluded.started_at, completed_at = excluded.completed_at, validated_at = excluded.validated_at, technician_id = "
	"excluded.technician_id, latitude = excluded.latitude, longitude = excluded.longitude, updated_at = pg_catalog.clock_timestamp() "
	"WHERE (t.title, t.description, t.status, t.assignment_mode, t.planned_at, t.started_at, t.completed_at, t.validated_at, "
	"t.technician_id, "
	"t.latitude, t.longitude) IS DISTINCT FROM (excluded.title, excluded.description, excluded.status, excluded.assignment_mode, "
	"excluded.planned_at, excluded.started_at, excluded.completed_at, excluded.validated_at, excluded.technician_id, excluded.latitude, "
	"excluded.longitude) RETURNING xmax = 0 AS created) "
	"SELECT count(*) FILTER (WHERE created), count(*) FILTER (WHERE NOT created) FROM done";

/* Those who are named by e-mail and not there yet. */
static int make_technicians(struct bulk *b, struct pg_conn *c, struct err *err)
{
	const char *param = buf_cstr(&b->accepted);
	struct pg_result *r;

	if (pg_query(c,
			"INSERT INTO public.users (email, full_name, role) SELECT v ->> 'email', min(v ->> 'fullName'), 'TECH' FROM "
			"pg_catalog.json_array_elements($1::json) v WHERE v ->> 'email' IS NOT NULL GROUP BY 1 ON CONFLICT (email) DO NOTHING",
			1, &param, &r, err))
		return app_explain(err);
	pg_result_free(r);
	return 0;
}

static int write_all(struct bulk *b, struct pg_conn *c, struct buf *into, struct err *err)
{
	struct pg_result *r;
	const char *param;
	int64_t created, updated;

	accept(b);
	if (check_technicians(b, c, err))
		return -1;
	if (!buf_ok(&b->accepted))
		return err_set(err, ERR_LIMIT, "the items are too large");
	param = buf_cstr(&b->accepted);
	if (make_technicians(b, c, err))
		return -1;
	if (pg_query(c, upsert, 1, &param, &r, err))
		return app_explain(err);
	created = pg_int(r, 0, 0);
	updated = pg_int(r, 0, 1);
	buf_printf(into, "{\"created\":%lld,\"updated\":%lld,\"unchanged\":%lld,\"rejected\":[", (long long)created, (long long)updated,
		(long long)(b->n - b->nrejected) - created - updated);
	buf_putv(into, buf_view(&b->rejected));
	buf_puts(into, "]}");
	pg_result_free(r);
	return 0;
}

static int store(struct bulk *b, struct app *a, struct buf *into, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct pg_conn *c;
	int rc;

	if (app_take(a, APP_SOURCE, &c, err))
		return -1;
	rc = pg_exec(c, "BEGIN", err) || write_all(b, c, into, err) || pg_exec(c, "COMMIT", err) ? -1 : 0;
	if (rc && !pg_is_broken(c) && pg_exec(c, "ROLLBACK", &ignored))
		rc = -1;
	app_give(a, APP_SOURCE, c);
	return rc;
}

int app_interventions_bulk(struct app *a, struct view document, struct app_faults *faults, struct buf *into, struct err *err)
{
	struct bulk b = {.arena = ARENA_INIT, .rejected = BUF_INIT(64 << 20), .accepted = BUF_INIT(64 << 20)};
	int rc = read_body(&b, document, faults, err) || store(&b, a, into, err) ? -1 : 0;

	map_release(&b.seen);
	buf_release(&b.rejected);
	buf_release(&b.accepted);
	arena_release(&b.arena);
	return rc;
}
