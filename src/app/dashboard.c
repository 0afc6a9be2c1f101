/* The dashboard's numbers, from the analytics tables; names of technicians from the source. */
#include <stdio.h>

#include "app/app_int.h"
#include "base/text.h"

#define ISO(column) "pg_catalog.to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
/* $1 a day or NULL, $2 the zone */
#define DAY "coalesce($1::date, (pg_catalog.now() AT TIME ZONE $2)::date)"

/* ---- users ---- */

static const char *const user_sorts[] = {"id", "email", "fullName", "role", "createdAt"};
static const char *const user_columns[] = {"u.id", "u.email", "u.full_name", "u.role", "u.created_at"};

static const char *user_order(struct view sort, struct arena *a)
{
	size_t i;

	for (i = 0; i < sizeof(user_sorts) / sizeof(user_sorts[0]); i++) {
		size_t n = strlen(user_sorts[i]);

		if (sort.len < n || memcmp(sort.ptr, user_sorts[i], n) != 0)
			continue;
		if (sort.len == n || view_is(view_of(sort.ptr + n, sort.len - n), ",asc"))
			return arena_printf(a, "%s, u.id", user_columns[i]);
		if (view_is(view_of(sort.ptr + n, sort.len - n), ",desc"))
			return arena_printf(a, "%s DESC, u.id", user_columns[i]);
	}
	return NULL;
}

int app_users_list(struct app *a, struct view query, struct view role, int64_t page, int64_t size, struct view sort,
	struct app_faults *faults, struct buf *into, struct err *err)
{
	const char *order = sort.len ? user_order(sort, faults->arena) : "u.id";
	char size_text[24], page_text[24];
	const char *params[] = {query.len ? arena_str(faults->arena, query) : NULL, role.len ? arena_str(faults->arena, role) : NULL, size_text,
		page_text};
	struct buf sql = BUF_INIT(8192);
	int rc = -1;

	if (role.len && !view_is(role, "ADMIN") && !view_is(role, "DISPATCHER") && !view_is(role, "TECH"))
		app_fault(faults, "role", "is not ADMIN, DISPATCHER or TECH");
	if (!order)
		app_fault(faults, "sort", "is the name of a member, with ,asc or ,desc behind it");
	if (!text_utf8_valid(query))
		app_fault(faults, "query", "is not a text");
	if (app_verdict(faults, err))
		goto out;
#define WANTED                                                                                                                             \
	"FROM public.users u WHERE ($1::text IS NULL OR pg_catalog.strpos(pg_catalog.lower(u.full_name || ' ' || u.email), "                   \
	"pg_catalog.lower($1)) > 0) "                                                                                                          \
	"AND ($2::text IS NULL OR u.role = $2)"
	buf_printf(&sql,
		"SELECT pg_catalog.json_build_object('content', (SELECT coalesce(pg_catalog.json_agg(p.item), '[]'::json) FROM (SELECT "
		"pg_catalog.json_build_object('id', u.id, 'email', u.email, 'fullName', u.full_name, 'role', u.role, 'createdAt', " ISO(
			"u.created_at") ") AS item " WANTED " ORDER BY %s LIMIT $3::bigint OFFSET $4::bigint * $3::bigint) p), "
		"'totalElements', n, 'totalPages', (n + $3::bigint - 1) / $3::bigint, 'page', $4::bigint, 'size', $3::bigint) "
		"FROM (SELECT count(*) AS n " WANTED ") t",
		order);
#undef WANTED
	snprintf(size_text, sizeof(size_text), "%lld", (long long)size);
	snprintf(page_text, sizeof(page_text), "%lld", (long long)page);
	rc = app_answer(a, APP_SOURCE, buf_cstr(&sql), 4, params, into, err);
out:
	buf_release(&sql);
	return rc;
}

/* ---- days ---- */

/* params[0] the day or NULL, params[1] the zone */
static int day_params(struct app *a, struct view date, const char *params[2], struct app_faults *faults, struct err *err)
{
	params[0] = date.len ? app_day(date, "date", faults) : NULL;
	params[1] = a->o.timezone;
	return app_verdict(faults, err);
}

int app_summary(struct app *a, struct view date, struct app_faults *faults, struct buf *into, struct err *err)
{
	const char *params[2];

	if (day_params(a, date, params, faults, err))
		return -1;
	return app_answer(a, APP_TARGET,
		"SELECT pg_catalog.json_build_object('totalInterventions', coalesce(sum(total_count), 0), "
		"'scheduledCount', coalesce(sum(total_count) FILTER (WHERE status = 'SCHEDULED'), 0), "
		"'inProgressCount', coalesce(sum(total_count) FILTER (WHERE status = 'IN_PROGRESS'), 0), "
		"'completedCount', coalesce(sum(total_count) FILTER (WHERE status = 'COMPLETED'), 0), "
		"'validatedCount', coalesce(sum(total_count) FILTER (WHERE status = 'VALIDATED'), 0), "
		"'averageCompletionSeconds', max(avg_completion_seconds) FILTER (WHERE status = 'COMPLETED'), "
		"'validationRatio', max(validation_ratio) FILTER (WHERE status = 'VALIDATED'), "
		"'lastRefreshedAt', " ISO("max(last_refreshed_at)") ") FROM analytics.intervention_daily_metrics WHERE metric_date = " DAY,
		2, params, into, err);
}

int app_trends(struct app *a, struct view from, struct view to, struct app_faults *faults, struct buf *into, struct err *err)
{
	const char *params[] = {to.len ? app_day(to, "to", faults) : NULL, a->o.timezone, from.len ? app_day(from, "from", faults) : NULL};

	if (params[0] && params[2] && faults->n == 0 && strcmp(params[2], params[0]) > 0)
		app_fault(faults, "from", "is after to");
	if (app_verdict(faults, err))
		return -1;
	return app_answer(a, APP_TARGET,
		"SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('date', metric_date, 'status', status, 'count', "
		"total_count) ORDER BY metric_date, status), '[]'::json) FROM analytics.intervention_daily_metrics WHERE metric_date <= " DAY
		" AND metric_date >= coalesce($3::date, " DAY " - 13)",
		3, params, into, err);
}

int app_load(struct app *a, struct buf *into, struct err *err)
{
	struct buf rows = BUF_INIT(64 << 20);
	const char *param;
	int rc = app_answer(a, APP_TARGET, "SELECT coalesce(pg_catalog.json_agg(l), '[]'::json) FROM analytics.intervention_technician_load l",
		0, NULL, &rows, err);

	if (rc == 0) {
		param = buf_cstr(&rows);
		rc = app_answer(a, APP_SOURCE,
			"SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('technicianId', l.technician_id, 'technicianName', "
			"u.full_name, 'technicianEmail', u.email, 'openCount', l.open_count, 'completedToday', l.completed_today, "
			"'averageCompletionSeconds', l.avg_completion_seconds, 'lastRefreshedAt', " ISO(
				"l.last_refreshed_at") ") ORDER BY "
									   "l.open_count DESC, u.full_name, l.technician_id), '[]'::json) FROM "
									   "pg_catalog.json_to_recordset($1::json) AS "
									   "l(technician_id bigint, open_count bigint, completed_today bigint, avg_completion_seconds numeric, "
									   "last_refreshed_at timestamptz) "
									   "LEFT JOIN public.users u ON u.id = l.technician_id",
			1, &param, into, err);
	}
	buf_release(&rows);
	return rc;
}

int app_map(struct app *a, struct view statuses, int64_t limit, struct app_faults *faults, struct buf *into, struct err *err)
{
	struct reader r = reader_of(statuses);
	char text[24];
	const char *params[] = {
		statuses.len ? arena_printf(faults->arena, "{%.*s}", (int)statuses.len, (const char *)statuses.ptr) : NULL, text};

	snprintf(text, sizeof(text), "%lld", (long long)limit);
	while (reader_left(&r)) {
		const uint8_t *comma = memchr(r.ptr, ',', reader_left(&r));

		if (!app_is_status(reader_view(&r, comma ? (size_t)(comma - r.ptr) : reader_left(&r))))
			app_fault(faults, "status", "is not SCHEDULED, IN_PROGRESS, COMPLETED or VALIDATED, or several of them with commas");
		if (comma)
			reader_take(&r, 1);
	}
	if (app_verdict(faults, err))
		return -1;
	/* sorted first, then made into documents: the table may have many more rows than are asked for */
	return app_answer(a, APP_TARGET,
		"SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('interventionId', intervention_id, 'latitude', latitude, "
		"'longitude', longitude, 'status', status, 'technicianId', technician_id, 'plannedAt', " ISO("planned_at")
		", 'updatedAt', " ISO("updated_at") ") ORDER BY updated_at DESC, intervention_id), '[]'::json) FROM (SELECT * FROM "
		"analytics.intervention_geo_view WHERE $1::text[] IS NULL OR status = ANY ($1::text[]) ORDER BY updated_at DESC, "
		"intervention_id LIMIT $2::bigint) m",
		2, params, into, err);
}

/* ---- insights ---- */

/*
 * Seven days up to the day against the seven before: moved by more than 2.5 % is a trend. Durations are judged against four hours, with
 * 15 % beyond as near; validation against 85 and 70 %.
 */
int app_insights(struct app *a, struct view date, struct app_faults *faults, struct buf *into, struct err *err)
{
	const char *params[2];

	if (day_params(a, date, params, faults, err))
		return -1;
	return app_answer(a, APP_TARGET,
		"WITH d AS (SELECT " DAY " AS day), s AS (SELECT coalesce(sum(total_count) FILTER (WHERE metric_date > day - 7), 0) AS now, "
		"coalesce(sum(total_count) FILTER (WHERE metric_date <= day - 7), 0) AS was, "
		"coalesce(sum(total_count) FILTER (WHERE metric_date = day), 0) AS today, "
		"sum(total_count) FILTER (WHERE metric_date > day - 7 AND status = 'VALIDATED') AS validated, "
		"sum(total_count) FILTER (WHERE metric_date > day - 7 AND status IN ('COMPLETED', 'VALIDATED')) AS finished, "
		"coalesce(sum(total_count) FILTER (WHERE metric_date > day - 7 AND status IN ('SCHEDULED', 'IN_PROGRESS')), 0) AS open, "
		"sum(avg_completion_seconds * total_count) FILTER (WHERE metric_date > day - 7 AND avg_completion_seconds IS NOT NULL) / "
		"nullif(sum(total_count) FILTER (WHERE metric_date > day - 7 AND avg_completion_seconds IS NOT NULL), 0) AS seconds "
		"FROM d LEFT JOIN analytics.intervention_daily_metrics m ON m.metric_date > day - 14 AND m.metric_date <= day), "
		"t AS (SELECT s.*, d.day, round(100.0 * (now - was) / nullif(was, 0), 1) AS trend, round(100.0 * validated / nullif(finished, 0), "
		"1) AS rate "
		"FROM s, d), w AS (SELECT t.*, CASE WHEN trend > 2.5 OR (was = 0 AND now > 0) THEN 'UP' WHEN trend < -2.5 THEN 'DOWN' ELSE 'FLAT' "
		"END AS way, "
		"CASE WHEN rate IS NULL THEN 'nothing was finished' WHEN rate >= 85 THEN 'good' WHEN rate >= 70 THEN 'fair' ELSE 'low' END AS "
		"validation, "
		"CASE WHEN seconds IS NULL THEN 'nothing was finished' WHEN seconds <= 14400 THEN 'within four hours' WHEN seconds <= 16560 THEN "
		"'near four hours' ELSE 'beyond four hours' END AS sla FROM t) "
		"SELECT pg_catalog.json_build_object('date', day, 'headline', now || ' interventions in seven days, ' || CASE way WHEN 'UP' THEN "
		"'more' WHEN "
		"'DOWN' THEN 'fewer' ELSE 'about as many' END || CASE WHEN way = 'FLAT' THEN ' as' ELSE ' than' END || ' in the seven before', "
		"'trendDirection', way, 'trendPercentage', trend, 'validationRate', rate, 'validationAssessment', validation, 'slaAssessment', "
		"sla, "
		"'highlights', pg_catalog.json_build_array(today || ' planned on the day', open || ' still open of the last seven days', "
		"coalesce(finished, 0) "
		"|| ' finished of the last seven days')) FROM w",
		2, params, into, err);
}

/* Simple exponential smoothing over 21 days: s = x/2 + s/2, from the first day on; it predicts the same for each day to come. */
int app_forecast(struct app *a, struct view date, struct app_faults *faults, struct buf *into, struct err *err)
{
	const char *params[2];

	if (day_params(a, date, params, faults, err))
		return -1;
	return app_answer(a, APP_TARGET,
		"WITH RECURSIVE d AS (SELECT " DAY
		" AS day), h AS (SELECT n, coalesce((SELECT sum(total_count) FROM analytics.intervention_daily_metrics WHERE "
		"metric_date = day - 20 + n), 0) AS count FROM d, pg_catalog.generate_series(0, 20) n), "
		"s AS (SELECT 0 AS n, count::numeric AS level FROM h WHERE n = 0 UNION ALL SELECT h.n, round((h.count + s.level) / 2, 6) FROM s "
		"JOIN h ON h.n = "
		"s.n + 1) SELECT pg_catalog.json_build_object('generatedAt', " ISO(
			"pg_catalog.now()") ", 'method', 'simple-exponential-smoothing', "
								"'smoothingFactor', 0.5, 'lastObservedCount', (SELECT count FROM h WHERE n = 20), 'baselineAverage', "
								"(SELECT round(avg(count), 2) FROM h), "
								"'points', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('date', day + k, 'predictedCount', "
								"(SELECT round(level)::bigint FROM s WHERE "
								"n = 20)) ORDER BY k) FROM pg_catalog.generate_series(1, 7) k)) FROM d",
		2, params, into, err);
}
