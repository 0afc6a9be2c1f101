/*
 * Chicago building permits (City of Chicago, Socrata id ydr8-5enu) as interventions; see load.h. Any thread: nothing is shared.
 *
 * Layouts: C0 (to July 2019: contractors, no application date), C1 (2019 to 2023: contacts), C2 (with a status), the API's names,
 * and a reduced one that is republished (RECORD_ID). A permit's status is published for three of
 * its types only; for the others an issued permit is a
 * case that has ended. No date of finished work is published: completed_at is the issue, so that durations are the city's processing time.
 *
 * Contacts are owners, architects and other private persons too: only contractors become technicians.
 */
#include "base/text.h"
#include "cli/load_map.h"

enum { CONTACTS = 15 };

enum column {
	PERMIT, ID, STATUS, TYPE, REVIEW, APPLIED, ISSUED, NUMBER, DIRECTION, STREET, SUFFIX, WORK_TYPE, DESCRIPTION, CONDITION, COST, WARD,
	AREA, LATITUDE, LONGITUDE, LOCATION, CONTACT_TYPE, CONTACT_NAME = CONTACT_TYPE + CONTACTS, COLUMNS = CONTACT_NAME + CONTACTS
};

#define CONTACT(what, n) "contact_" #n "_" what "|contractor_" #n "_" what
#define CONTACT_COLUMNS(at, what) \
	[at + 0] = CONTACT(what, 1), [at + 1] = CONTACT(what, 2), [at + 2] = CONTACT(what, 3), [at + 3] = CONTACT(what, 4), \
	[at + 4] = CONTACT(what, 5), [at + 5] = CONTACT(what, 6), [at + 6] = CONTACT(what, 7), [at + 7] = CONTACT(what, 8), \
	[at + 8] = CONTACT(what, 9), [at + 9] = CONTACT(what, 10), [at + 10] = CONTACT(what, 11), [at + 11] = CONTACT(what, 12), \
	[at + 12] = CONTACT(what, 13), [at + 13] = CONTACT(what, 14), [at + 14] = CONTACT(what, 15)

static const char *const columns[COLUMNS] = {
	[PERMIT] = "permit_|permit#|record_id",
	[ID] = "id",
	[STATUS] = "permit_status",
	[TYPE] = "permit_type",
	[REVIEW] = "review_type",
	[APPLIED] = "application_start_date",
	[ISSUED] = "issue_date",
	[NUMBER] = "street_number",
	[DIRECTION] = "street_direction|street direction",
	[STREET] = "street_name",
	[SUFFIX] = "suffix",
	[WORK_TYPE] = "work_type",
	[DESCRIPTION] = "work_description",
	[CONDITION] = "permit_condition",
	[COST] = "reported_cost|estimated_cost",
	[WARD] = "ward",
	[AREA] = "community_area_name",
	[LATITUDE] = "latitude",
	[LONGITUDE] = "longitude",
	[LOCATION] = "location",
	CONTACT_COLUMNS(CONTACT_TYPE, "type"),
	CONTACT_COLUMNS(CONTACT_NAME, "name"),
};

static const char *layout(const bool *found, size_t header_fields, enum load_form form)
{
	if (form == LOAD_API_JSON)
		return "API, JSON";
	if (found[STATUS])
		return "C2 (portal, with permit status)";
	if (found[APPLIED])
		return "C1 (portal, 2019 to 2023)";
	return found[NUMBER] ? "C0 (portal, to 2019)" : "reduced (republished)";
}

static const char *const nothing[] = {"Unknown", "N/A", "NA", NULL};

static enum load_skip map_reference(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	return v[PERMIT].len ? load_map_reference(ctx, "CHI-", v[PERMIT], ret) : load_map_reference(ctx, "CHI-ID-", v[ID], ret);
}

/* "PERMIT - SIGNS" is "SIGNS"; one type is written with an en dash */
static struct view without_prefix(struct view type)
{
	static const char *const prefixes[] = {"PERMIT - ", "PERMIT \xe2\x80\x93 "};
	size_t i;

	for (i = 0; i < 2; i++)
		if (text_starts(type, prefixes[i]))
			return view_of(type.ptr + strlen(prefixes[i]), type.len - strlen(prefixes[i]));
	return type;
}

static void map_title(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	struct buf b = BUF_INIT(1 << 22), address = BUF_INIT(1 << 22);

	load_title_part(&b, "", without_prefix(v[TYPE]), nothing);
	load_title_part(&b, " - ", v[WORK_TYPE], nothing);
	load_title_part(&address, "", v[NUMBER], nothing);
	load_title_part(&address, " ", v[DIRECTION], nothing);
	load_title_part(&address, " ", v[STREET], nothing);
	load_title_part(&address, " ", v[SUFFIX], nothing);
	load_title_part(&b, ", ", buf_view(&address), nothing);
	if (!b.len)
		buf_puts(&b, "Building permit");
	buf_release(&address);
	load_map_title(ctx, &b, ret);
}

/* LOAD_TAKEN, or why not. */
static enum load_skip map_status(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	enum { OVER = 100 };
	static const struct load_word words[] = {
		{"ACTIVE", LOAD_IN_PROGRESS}, {"SUSPENDED", LOAD_IN_PROGRESS}, {"PHASED PERMITTING", LOAD_IN_PROGRESS},
		{"COMPLETE", LOAD_COMPLETED}, {"EXPIRED", OVER}, {"CANCELLED", OVER}, {"CANCELED", OVER}, {"REVOKED", OVER},
	};
	int status = load_word(words, sizeof(words) / sizeof(words[0]), v[STATUS]);

	if (status == OVER)
		return LOAD_SKIP_REVOKED;
	ret->status = status >= 0 ? (enum load_status)status : v[ISSUED].len ? LOAD_COMPLETED : LOAD_SCHEDULED;
	ctx->repairs[LOAD_REPAIR_STATUS] += status < 0 && v[STATUS].len;
	return LOAD_TAKEN;
}

static enum load_skip map_times(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	int64_t applied, issued;
	bool has_applied = v[APPLIED].len != 0, has_issued = v[ISSUED].len != 0;

	if (!has_applied && !has_issued)
		return LOAD_SKIP_CREATED;
	if ((has_applied && !load_time(ctx, v[APPLIED], &applied)) || (has_issued && !load_time(ctx, v[ISSUED], &issued)))
		return LOAD_SKIP_CREATED_FORM;
	if (has_applied && has_issued && issued < applied) {
		applied = issued;
		ctx->repairs[LOAD_REPAIR_ORDER]++;
	}
	ret->planned_us = has_applied ? applied : issued;
	ret->started_us = ret->status == LOAD_SCHEDULED ? LOAD_NO_TIME : ret->planned_us;
	ret->completed_us = LOAD_NO_TIME;
	if (ret->status == LOAD_COMPLETED)
		ret->completed_us = has_issued ? issued : ret->planned_us;
	return LOAD_TAKEN;
}

/* The general contractor, else any contractor or mason; never an owner. */
static struct view contractor(const struct view *v)
{
	struct view other = VIEW_NULL;
	unsigned i;

	for (i = 0; i < CONTACTS; i++) {
		struct view type = v[CONTACT_TYPE + i], name = v[CONTACT_NAME + i];

		if (!name.len || load_contains(type, "OWNER"))
			continue;
		if (load_contains(type, "GENERAL CONTRACTOR"))
			return name;
		if (!other.len && (load_contains(type, "CONTRACTOR") || load_contains(type, "MASON")))
			other = name;
	}
	return other;
}

static enum load_skip map(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	static const struct load_line lines[] = {
		{"", DESCRIPTION}, {"Condition", CONDITION}, {"Review", REVIEW}, {"Reported cost", COST}, {"Ward", WARD}, {"Community area", AREA},
	};
	static const struct load_area city = {41.6, 42.1, -88.0, -87.5};
	enum load_skip skip;

	memset(ret, 0, sizeof(*ret));
	if ((skip = map_reference(ctx, v, ret)) || (skip = map_status(ctx, v, ret)) || (skip = map_times(ctx, v, ret)))
		return skip;
	map_title(ctx, v, ret);
	load_map_lines(ctx, lines, sizeof(lines) / sizeof(lines[0]), v, nothing, ret);
	load_map_place(ctx, &city, v[LATITUDE], v[LONGITUDE], v[LOCATION], ret);
	ret->technician = text_utf8_cut(contractor(v), 100);
	/* no plan review by a person */
	ret->automatic = load_contains(v[TYPE], "EXPRESS PERMIT PROGRAM") || load_contains(v[TYPE], "EASY PERMIT") ||
		load_contains(v[REVIEW], "SELF CERT");
	return LOAD_TAKEN;
}

const struct load_dataset load_chicago = {
	.name = "chicago-permits", .title = "Chicago building permits", .zone = "America/Chicago", .user_domain = "chicago-permits.example",
	.columns = columns, .n_columns = COLUMNS, .required = LOAD_NEEDS(PERMIT) | LOAD_NEEDS(ISSUED) | LOAD_NEEDS(TYPE), .layout = layout,
	.map = map,
};
