/*
 * NYC 311 Service Requests (City of New York, Socrata id erm2-nwe9) as interventions; see load.h. Any thread: nothing is shared.
 *
 * The layouts of the years differ in columns and spellings, all of which are in the table below: L0 (2013), L1 (2016 to early 2018), L2
 * (2018 to 2025), L3 and L3v (2026: "Problem (formerly Complaint Type)"), A1 and A2 (the API's CSV and JSON).
 *
 * The data set knows neither a start of work nor a validation: started_at is the creation for whatever was begun, so that durations are
 * "time to close"; validated_at stays empty.
 */
#include "base/js.h"
#include "base/text.h"
#include "cli/load.h"
#include "model/datetime.h"

enum column {
	KEY, CREATED, CLOSED, AGENCY, AGENCY_NAME, PROBLEM, DETAIL, LOCATION_TYPE, ADDRESS, STATUS, DUE, RESOLUTION, UPDATED, BOROUGH, CHANNEL,
	LATITUDE, LONGITUDE, LOCATION, SCHOOL, COLUMNS
};

static const char *const columns[COLUMNS] = {
	[KEY] = "Unique Key|unique_key",
	[CREATED] = "Created Date|created_date",
	[CLOSED] = "Closed Date|closed_date",
	[AGENCY] = "Agency",
	[AGENCY_NAME] = "Agency Name|agency_name",
	[PROBLEM] = "Complaint Type|complaint_type|Problem (formerly Complaint Type)|problem|problem_formerly_complaint_type",
	[DETAIL] = "Descriptor|Problem Detail (formerly Descriptor)|problem_detail|problem_detail_formerly_descriptor",
	[LOCATION_TYPE] = "Location Type|location_type",
	[ADDRESS] = "Incident Address|incident_address",
	[STATUS] = "Status",
	[DUE] = "Due Date|due_date",
	[RESOLUTION] = "Resolution Description|resolution_description",
	[UPDATED] = "Resolution Action Updated Date|resolution_action_updated_date",
	[BOROUGH] = "Borough",
	[CHANNEL] = "Open Data Channel Type|open_data_channel_type",
	[LATITUDE] = "Latitude",
	[LONGITUDE] = "Longitude",
	[LOCATION] = "Location",
	[SCHOOL] = "School Name",
};

static const char *layout(const bool *found, size_t header_fields, enum load_form form)
{
	if (form != LOAD_PORTAL)
		return form == LOAD_API_JSON ? "A2 (API, JSON)" : "A1 (API, CSV)";
	if (found[SCHOOL])
		return found[RESOLUTION] ? "L1 (portal, 2016 to 2018)" : "L0 (portal, 2013)";
	if (!found[CHANNEL])
		return "L3v (portal view, 2026)";
	if (header_fields > 41)
		return "L3 (portal, 2026)";
	return "L2 (portal, 2018 to 2025)";
}

/* Empty, or one of the words that stand for it. */
static bool is_nothing(struct view v)
{
	return !v.len || text_is(v, "N/A") || text_is(v, "Unspecified") || text_is(v, "0 Unspecified");
}

static enum load_skip map_reference(struct load_context *ctx, struct view key, struct load_row *ret)
{
	size_t i;

	for (i = 0; i < key.len; i++)
		if (key.ptr[i] < '0' || key.ptr[i] > '9')
			return LOAD_SKIP_KEY;
	if (!key.len || key.len > 20)
		return LOAD_SKIP_KEY;
	ret->reference = view_str(arena_printf(&ctx->arena, "NYC311-%.*s", (int)key.len, (const char *)key.ptr));
	return LOAD_TAKEN;
}

/* Problem, and its detail if there is one; no control characters; at most 160 code points. */
static void map_title(struct load_context *ctx, struct view problem, struct view detail, struct load_row *ret)
{
	struct buf b = BUF_INIT(1 << 22);
	struct view whole;
	size_t i;

	if (is_nothing(problem) && is_nothing(detail))
		problem = view_str("Service request");
	if (!is_nothing(problem))
		buf_putv(&b, problem);
	if (!is_nothing(problem) && !is_nothing(detail))
		buf_puts(&b, " - ");
	if (!is_nothing(detail))
		buf_putv(&b, detail);
	for (i = 0; i < b.len; i++)
		if (b.ptr[i] < ' ' || b.ptr[i] == 0x7f)
			b.ptr[i] = ' ';
	whole = buf_view(&b);
	ret->title = arena_view(&ctx->arena, text_utf8_cut(whole, 160));
	ctx->repairs[LOAD_REPAIR_TITLE] += ret->title.len < whole.len;
	buf_release(&b);
}

static void map_description(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	static const struct {
		const char *label;
		enum column column;
	} lines[] = {
		{"", RESOLUTION}, {"Address: ", ADDRESS}, {"Borough: ", BOROUGH}, {"Location type: ", LOCATION_TYPE}, {"Channel: ", CHANNEL},
		{"Agency: ", AGENCY_NAME}, {"Due: ", DUE},
	};
	struct buf b = BUF_INIT(1 << 22);
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (is_nothing(v[lines[i].column]))
			continue;
		if (b.len)
			buf_putc(&b, '\n');
		buf_puts(&b, lines[i].label);
		buf_putv(&b, v[lines[i].column]);
	}
	ret->description = arena_view(&ctx->arena, buf_view(&b));
	buf_release(&b);
}

/* False for a canceled one. "Pending" is a judgement: the city's data dictionary does not say whether work has begun. */
static bool map_status(struct load_context *ctx, struct view word, struct load_row *ret)
{
	static const struct {
		const char *word;
		enum load_status status;
	} words[] = {
		{"Closed", LOAD_COMPLETED}, {"Closed - Testing", LOAD_COMPLETED}, {"Email Sent", LOAD_COMPLETED},
		{"In Progress", LOAD_IN_PROGRESS}, {"Started", LOAD_IN_PROGRESS},
		{"Open", LOAD_SCHEDULED}, {"Assigned", LOAD_SCHEDULED}, {"Pending", LOAD_SCHEDULED}, {"Unassigned", LOAD_SCHEDULED},
		{"Unspecified", LOAD_SCHEDULED}, {"Draft", LOAD_SCHEDULED},
	};
	size_t i;

	if (text_is(word, "Cancelled") || text_is(word, "Canceled"))
		return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (text_is(word, words[i].word)) {
			ret->status = words[i].status;
			return true;
		}
	ret->status = LOAD_SCHEDULED;
	ctx->repairs[LOAD_REPAIR_STATUS]++;
	return true;
}

/* A closing time that can be true: not before the creation, not later than tomorrow. */
static bool closing(const struct load_context *ctx, struct view text, int64_t created_us, int64_t *ret)
{
	int64_t local;

	if (!load_wall_time(text, &local))
		return false;
	*ret = load_wall_to_utc(ctx->zone, local);
	return *ret >= created_us && *ret <= ctx->now_us + US_PER_DAY;
}

static enum load_skip map_times(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	int64_t local;

	if (!v[CREATED].len)
		return LOAD_SKIP_CREATED;
	if (!load_wall_time(v[CREATED], &local))
		return LOAD_SKIP_CREATED_FORM;
	ret->planned_us = load_wall_to_utc(ctx->zone, local);
	ret->started_us = ret->completed_us = LOAD_NO_TIME;
	if (ret->status != LOAD_SCHEDULED)
		ret->started_us = ret->planned_us;
	if (ret->status != LOAD_COMPLETED || closing(ctx, v[CLOSED], ret->planned_us, &ret->completed_us))
		return LOAD_TAKEN;
	if (closing(ctx, v[UPDATED], ret->planned_us, &ret->completed_us)) {
		ctx->repairs[LOAD_REPAIR_CLOSED_EARLY]++;
	} else {
		ret->completed_us = ret->planned_us;
		ctx->repairs[LOAD_REPAIR_NO_CLOSE]++;
	}
	return LOAD_TAKEN;
}

/* ---- place ---- */

/* The first two numbers in a text such as "(40.69, -73.84)" or "POINT (-73.83 40.87)". */
static bool two_numbers(struct view v, struct view *first, struct view *second)
{
	struct view found[2];
	size_t i = 0, n = 0;

	while (n < 2) {
		size_t from;

		while (i < v.len && !(v.ptr[i] == '-' || v.ptr[i] == '.' || (v.ptr[i] >= '0' && v.ptr[i] <= '9')))
			i++;
		for (from = i; i < v.len && (v.ptr[i] == '-' || v.ptr[i] == '.' || (v.ptr[i] >= '0' && v.ptr[i] <= '9')); i++)
			;
		if (i == from)
			return false;
		found[n++] = view_of(v.ptr + from, i - from);
	}
	*first = found[0];
	*second = found[1];
	return true;
}

/* {"type":"Point","coordinates":[lon,lat]} or {"latitude":"..","longitude":".."} */
static bool json_place(struct load_context *ctx, struct view text, struct view *lat, struct view *lon)
{
	struct js_reader r;
	struct js_token t;
	unsigned n = 0;

	js_reader_init(&r, text, 0);
	if (js_next(&r, &t) != JS_OBJECT)
		return false;
	while (js_next(&r, &t) != JS_OBJECT_END) {
		if (t.kind == JS_BAD || t.kind == JS_END)
			return false;
		if (t.kind == JS_STRING && view_is(t.key, "latitude"))
			*lat = js_unescape(&ctx->arena, t.text, t.text_escaped);
		else if (t.kind == JS_STRING && view_is(t.key, "longitude"))
			*lon = js_unescape(&ctx->arena, t.text, t.text_escaped);
		else if (t.kind == JS_ARRAY && view_is(t.key, "coordinates"))
			while (js_next(&r, &t) == JS_NUMBER)
				*(n++ ? lat : lon) = t.text; /* GeoJSON: longitude first */
		else if (js_skip(&r, &t) == JS_BAD)
			return false;
	}
	return lat->len && lon->len;
}

static bool location_place(struct load_context *ctx, struct view text, struct view *lat, struct view *lon)
{
	if (text.len && text.ptr[0] == '{')
		return json_place(ctx, text, lat, lon);
	if (text_starts(text, "POINT"))
		return two_numbers(text, lon, lat);
	return two_numbers(text, lat, lon);
}

/* Both coordinates within the city and its surroundings, or none: 0/0 and a point in Pennsylvania stand for "unknown" in the data. */
static void map_place(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	struct view lat = v[LATITUDE], lon = v[LONGITUDE];
	double y, x;

	if (!lat.len && !lon.len && !location_place(ctx, v[LOCATION], &lat, &lon))
		return;
	if (!text_f64(lat, &y) || !text_f64(lon, &x) || y < 40.4 || y > 41.0 || x < -74.4 || x > -73.6) {
		ctx->repairs[LOAD_REPAIR_PLACE]++;
		return;
	}
	ret->latitude = lat;
	ret->longitude = lon;
}

static enum load_skip map(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	enum load_skip skip;

	memset(ret, 0, sizeof(*ret));
	skip = map_reference(ctx, v[KEY], ret);
	if (skip)
		return skip;
	if (!map_status(ctx, v[STATUS], ret))
		return LOAD_SKIP_CANCELED;
	skip = map_times(ctx, v, ret);
	if (skip)
		return skip;
	map_title(ctx, v[PROBLEM], v[DETAIL], ret);
	map_description(ctx, v, ret);
	map_place(ctx, v, ret);
	/* the agency's code, not its name: names have hundreds of spellings */
	ret->technician = is_nothing(v[AGENCY]) ? VIEW_NULL : text_utf8_cut(v[AGENCY], 100);
	ret->automatic = text_is(v[CHANNEL], "ONLINE") || text_is(v[CHANNEL], "MOBILE");
	return LOAD_TAKEN;
}

const struct load_dataset load_nyc311 = {
	.name = "nyc311", .title = "NYC 311 data", .zone = "America/New_York", .user_domain = "nyc311.example", .columns = columns,
	.n_columns = COLUMNS, .required = 1u << KEY | 1u << CREATED | 1u << STATUS, .layout = layout, .map = map,
};
