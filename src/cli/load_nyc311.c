/*
 * NYC 311 Service Requests (City of New York, Socrata id erm2-nwe9) as interventions; see load.h. Any thread: nothing is shared.
 *
 * The layouts of the years differ in columns and spellings, all of which are in the table below: L0 (2013), L1 (2016 to early 2018), L2
 * (2018 to 2025), L3 and L3v (2026: "Problem (formerly Complaint Type)"), A1 and A2 (the API's CSV and JSON).
 *
 * The data set knows neither a start of work nor a validation: started_at is the creation for whatever was begun, so that durations are
 * "time to close"; validated_at stays empty.
 */
#include "base/text.h"
#include "cli/load_map.h"

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

static const char *const nothing[] = {"N/A", "Unspecified", "0 Unspecified", NULL};

static enum load_skip map_reference(struct load_context *ctx, struct view key, struct load_row *ret)
{
	size_t i;

	for (i = 0; i < key.len; i++)
		if (key.ptr[i] < '0' || key.ptr[i] > '9')
			return LOAD_SKIP_KEY;
	return key.len > 20 ? LOAD_SKIP_KEY : load_map_reference(ctx, "NYC311-", key, ret);
}

/* Problem, and its detail if there is one. */
static void map_title(struct load_context *ctx, struct view problem, struct view detail, struct load_row *ret)
{
	struct buf b = BUF_INIT(1 << 22);

	load_title_part(&b, "", problem, nothing);
	load_title_part(&b, " - ", detail, nothing);
	if (!b.len)
		buf_puts(&b, "Service request");
	load_map_title(ctx, &b, ret);
}

/* False for a canceled one. "Pending" is a judgement: the city's data dictionary does not say whether work has begun. */
static bool map_status(struct load_context *ctx, struct view word, struct load_row *ret)
{
	static const struct load_word words[] = {
		{"Closed", LOAD_COMPLETED}, {"Closed - Testing", LOAD_COMPLETED}, {"Email Sent", LOAD_COMPLETED},
		{"In Progress", LOAD_IN_PROGRESS}, {"Started", LOAD_IN_PROGRESS},
		{"Open", LOAD_SCHEDULED}, {"Assigned", LOAD_SCHEDULED}, {"Pending", LOAD_SCHEDULED}, {"Unassigned", LOAD_SCHEDULED},
		{"Unspecified", LOAD_SCHEDULED}, {"Draft", LOAD_SCHEDULED},
	};
	int known = load_word(words, sizeof(words) / sizeof(words[0]), word);

	if (text_is(word, "Cancelled") || text_is(word, "Canceled"))
		return false;
	if (known >= 0) {
		ret->status = (enum load_status)known;
		return true;
	}
	ret->status = LOAD_SCHEDULED;
	ctx->repairs[LOAD_REPAIR_STATUS]++;
	return true;
}

/* A closing time that can be true. */
static bool closing(const struct load_context *ctx, struct view text, int64_t created_us, int64_t *ret)
{
	return load_time(ctx, text, ret) && load_plausible(ctx, created_us, *ret);
}

static enum load_skip map_times(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	if (!v[CREATED].len)
		return LOAD_SKIP_CREATED;
	if (!load_time(ctx, v[CREATED], &ret->planned_us))
		return LOAD_SKIP_CREATED_FORM;
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

/* 0/0 and a point in Pennsylvania stand for "unknown" in the data. */
static const struct load_area city = {40.4, 41.0, -74.4, -73.6};

static const struct load_line lines[] = {
	{"", RESOLUTION}, {"Address", ADDRESS}, {"Borough", BOROUGH}, {"Location type", LOCATION_TYPE}, {"Channel", CHANNEL},
	{"Agency", AGENCY_NAME}, {"Due", DUE},
};

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
	load_map_lines(ctx, lines, sizeof(lines) / sizeof(lines[0]), v, nothing, ret);
	load_map_place(ctx, &city, v[LATITUDE], v[LONGITUDE], v[LOCATION], ret);
	/* the agency's code, not its name: names have hundreds of spellings */
	ret->technician = load_is_nothing(v[AGENCY], nothing) ? VIEW_NULL : text_utf8_cut(v[AGENCY], 100);
	ret->automatic = text_is(v[CHANNEL], "ONLINE") || text_is(v[CHANNEL], "MOBILE");
	return LOAD_TAKEN;
}

const struct load_dataset load_nyc311 = {
	.name = "nyc311", .title = "NYC 311 data", .zone = "America/New_York", .user_domain = "nyc311.example", .columns = columns,
	.n_columns = COLUMNS, .required = LOAD_NEEDS(KEY) | LOAD_NEEDS(CREATED) | LOAD_NEEDS(STATUS), .layout = layout, .map = map,
};
