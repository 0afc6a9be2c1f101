/*
 * Interventions that French authorities publish (data.gouv.fr): forest fires (BDIFF, Promethee), sea rescue (SECMAR), reports from the
 * streets of Paris (Dans Ma Rue); see load.h. Any thread: nothing is shared.
 *
 * Each kind is a row of tables: its columns, and which of them become what. A fire is published without its end and without
 * coordinates. BDIFF and Promethee number their fires independently, hence the prefixes.
 */
#include "base/text.h"
#include "cli/load_map.h"

enum { WORDS_MAX = 4, LINES_MAX = 12, NONE = 255 };

/* How a row of one kind is mapped. Columns are numbers of its table; NONE = there is none. */
struct kind {
	const char *prefix;
	uint8_t key[2];                /* joined by "-" */
	const char *title_first;       /* before the title's columns, or "" */
	uint8_t title[3];              /* joined by " - " */
	uint8_t planned, completed;
	enum load_status status;
	const char *technician_before; /* "SDIS " */
	uint8_t technician;
	uint8_t mode;                  /* AUTO when it holds one of the words */
	const char *automatic[WORDS_MAX];
	uint8_t latitude, longitude, location;
	struct load_area area;
	size_t n_lines;
	struct load_line lines[LINES_MAX];
};

static struct view get(const struct view *v, uint8_t column)
{
	return column == NONE ? VIEW_NULL : v[column];
}

/* "-108900.0" is how a program wrote the number -108900 */
static struct view whole_number(struct view v)
{
	return v.len > 2 && memcmp(v.ptr + v.len - 2, ".0", 2) == 0 ? view_of(v.ptr, v.len - 2) : v;
}

static enum load_skip map_key(struct load_context *ctx, const struct kind *k, const struct view *v, struct load_row *ret)
{
	struct view first = whole_number(v[k->key[0]]), second = whole_number(get(v, k->key[1]));

	if (k->key[1] == NONE)
		return load_map_reference(ctx, k->prefix, first, ret);
	if (!first.len || !second.len)
		return LOAD_SKIP_KEY;
	return load_map_reference(ctx, k->prefix,
		view_str(arena_printf(&ctx->arena, "%.*s-%.*s", (int)first.len, (const char *)first.ptr, (int)second.len,
			(const char *)second.ptr)),
		ret);
}

static enum load_skip map_times(struct load_context *ctx, const struct kind *k, const struct view *v, struct load_row *ret)
{
	if (!v[k->planned].len)
		return LOAD_SKIP_CREATED;
	if (!load_time(ctx, v[k->planned], &ret->planned_us))
		return LOAD_SKIP_CREATED_FORM;
	ret->started_us = k->status == LOAD_SCHEDULED ? LOAD_NO_TIME : ret->planned_us;
	ret->completed_us = LOAD_NO_TIME;
	if (!get(v, k->completed).len)
		return LOAD_TAKEN;
	if (!load_time(ctx, v[k->completed], &ret->completed_us) || !load_plausible(ctx, ret->planned_us, ret->completed_us)) {
		ret->completed_us = LOAD_NO_TIME;
		ctx->repairs[LOAD_REPAIR_END]++;
	}
	return LOAD_TAKEN;
}

static void map_title(struct load_context *ctx, const struct kind *k, const struct view *v, struct load_row *ret)
{
	struct buf b = BUF_INIT(1 << 22);
	unsigned i;

	buf_puts(&b, k->title_first);
	for (i = 0; i < 3; i++)
		load_title_part(&b, " - ", get(v, k->title[i]), NULL);
	if (!b.len)
		buf_puts(&b, "Intervention");
	load_map_title(ctx, &b, ret);
}

static enum load_skip map_kind(struct load_context *ctx, const struct kind *k, const struct view *v, struct load_row *ret)
{
	enum load_skip skip;
	struct view who = get(v, k->technician);
	unsigned i;

	memset(ret, 0, sizeof(*ret));
	ret->status = k->status;
	if ((skip = map_key(ctx, k, v, ret)) || (skip = map_times(ctx, k, v, ret)))
		return skip;
	map_title(ctx, k, v, ret);
	load_map_lines(ctx, k->lines, k->n_lines, v, NULL, ret);
	load_map_place(ctx, &k->area, get(v, k->latitude), get(v, k->longitude), get(v, k->location), ret);
	if (who.len)
		ret->technician = text_utf8_cut(view_str(arena_printf(&ctx->arena, "%s%.*s", k->technician_before, (int)who.len,
			(const char *)who.ptr)), 100);
	for (i = 0; i < WORDS_MAX && k->automatic[i]; i++)
		ret->automatic = ret->automatic || load_contains(get(v, k->mode), k->automatic[i]);
	return LOAD_TAKEN;
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* ---- forest fires ---- */

enum {
	FIRE_YEAR, FIRE_NUMBER, FIRE_DEPARTMENT, FIRE_INSEE, FIRE_COMMUNE, FIRE_ALERT, FIRE_ORIGIN, FIRE_MEANS, FIRE_SURFACE, FIRE_FOREST,
	FIRE_SCRUB, FIRE_PRECISION, FIRE_NATURE, FIRE_DEATHS, FIRE_PLACE, FIRE_SQUARE, FIRE_COLUMNS
};

static const char *const bdiff_columns[FIRE_COLUMNS] = {
	[FIRE_YEAR] = "Année",
	[FIRE_NUMBER] = "Numéro",
	[FIRE_DEPARTMENT] = "Département",
	[FIRE_INSEE] = "Code INSEE",
	[FIRE_COMMUNE] = "Nom de la commune",
	[FIRE_ALERT] = "Date de première alerte",
	[FIRE_ORIGIN] = "Origine de l'alerte",
	[FIRE_MEANS] = "Moyens de première intervention",
	[FIRE_SURFACE] = "Surface parcourue (m2)",
	[FIRE_FOREST] = "Surface forêt (m2)",
	[FIRE_SCRUB] = "Surface maquis garrigues (m2)",
	[FIRE_PRECISION] = "Précision des surfaces",
	[FIRE_NATURE] = "Nature",
	[FIRE_DEATHS] = "Nombre de décès",
	[FIRE_PLACE] = "-",
	[FIRE_SQUARE] = "-",
};

static const char *const promethee_columns[FIRE_COLUMNS] = {
	[FIRE_YEAR] = "Année",
	[FIRE_NUMBER] = "Numéro",
	[FIRE_DEPARTMENT] = "Département",
	[FIRE_INSEE] = "Code INSEE",
	[FIRE_COMMUNE] = "Commune",
	[FIRE_ALERT] = "Alerte",
	[FIRE_ORIGIN] = "Origine de l'alerte",
	[FIRE_MEANS] = "-",
	[FIRE_SURFACE] = "Surface parcourue (m2)",
	[FIRE_FOREST] = "-",
	[FIRE_SCRUB] = "-",
	[FIRE_PRECISION] = "-",
	[FIRE_NATURE] = "-",
	[FIRE_DEATHS] = "-",
	[FIRE_PLACE] = "Lieu-dit",
	[FIRE_SQUARE] = "Code du carreau DFCI",
};

#define FIRE(prefix_, nature) { \
	.prefix = prefix_, .key = {FIRE_YEAR, FIRE_NUMBER}, .title_first = "Incendie", .title = {FIRE_COMMUNE, nature, NONE}, \
	.planned = FIRE_ALERT, .completed = NONE, .status = LOAD_COMPLETED, .technician_before = "SDIS ", .technician = FIRE_DEPARTMENT, \
	.mode = FIRE_ORIGIN, .automatic = {"caméra", "vidéo"}, .latitude = NONE, .longitude = NONE, .location = NONE, .n_lines = 10, \
	.lines = {{"Surface parcourue (m2)", FIRE_SURFACE}, {"Forêt (m2)", FIRE_FOREST}, {"Maquis et garrigues (m2)", FIRE_SCRUB}, \
		{"Précision", FIRE_PRECISION}, {"Lieu-dit", FIRE_PLACE}, {"Carreau DFCI", FIRE_SQUARE}, {"Origine de l'alerte", FIRE_ORIGIN}, \
		{"Premiers moyens", FIRE_MEANS}, {"Décès", FIRE_DEATHS}, {"Code INSEE", FIRE_INSEE}}}

static const struct kind bdiff = FIRE("BDIFF-", FIRE_NATURE), promethee = FIRE("PROM-", NONE);

static enum load_skip map_bdiff(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	return map_kind(ctx, &bdiff, v, ret);
}

static enum load_skip map_promethee(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	return map_kind(ctx, &promethee, v, ret);
}

static const char *bdiff_layout(const bool *found, size_t header_fields, enum load_form form)
{
	return found[FIRE_ORIGIN] ? "BDIFF (full form)" : "BDIFF (public form)";
}

static const char *promethee_layout(const bool *found, size_t header_fields, enum load_form form)
{
	return "Promethee";
}

/* ---- sea rescue ---- */

enum {
	SEA_ID, SEA_TYPE, SEA_WHY, SEA_MEANS, SEA_WHO, SEA_CROSS, SEA_DEPARTMENT, SEA_EVENT, SEA_CATEGORY, SEA_ZONE, SEA_LATITUDE,
	SEA_LONGITUDE, SEA_WIND, SEA_SEA, SEA_ALERT, SEA_END, SEA_SITREP, SEA_COLUMNS
};

static const char *const sea_columns[SEA_COLUMNS] = {
	[SEA_ID] = "operation_id",
	[SEA_TYPE] = "type_operation",
	[SEA_WHY] = "pourquoi_alerte",
	[SEA_MEANS] = "moyen_alerte",
	[SEA_WHO] = "qui_alerte",
	[SEA_CROSS] = "cross",
	[SEA_DEPARTMENT] = "departement",
	[SEA_EVENT] = "evenement",
	[SEA_CATEGORY] = "categorie_evenement",
	[SEA_ZONE] = "zone_responsabilite",
	[SEA_LATITUDE] = "latitude",
	[SEA_LONGITUDE] = "longitude",
	[SEA_WIND] = "vent_force",
	[SEA_SEA] = "mer_force",
	[SEA_ALERT] = "date_heure_reception_alerte",
	[SEA_END] = "date_heure_fin_operation",
	[SEA_SITREP] = "cross_sitrep",
};

/* The seas of all of France: anywhere but 0, which stands for "unknown". */
static const struct kind secmar = {
	.prefix = "SECMAR-", .key = {SEA_ID, NONE}, .title_first = "", .title = {SEA_TYPE, SEA_EVENT, SEA_DEPARTMENT}, .planned = SEA_ALERT,
	.completed = SEA_END, .status = LOAD_COMPLETED, .technician_before = "CROSS ", .technician = SEA_CROSS, .mode = NONE,
	.latitude = SEA_LATITUDE, .longitude = SEA_LONGITUDE, .location = NONE, .area = {-80, 80, -180, 180}, .n_lines = 8,
	.lines = {{"Pourquoi", SEA_WHY}, {"Moyen d'alerte", SEA_MEANS}, {"Qui a alerté", SEA_WHO}, {"Catégorie", SEA_CATEGORY},
		{"Zone", SEA_ZONE}, {"Vent (force)", SEA_WIND}, {"Mer (force)", SEA_SEA}, {"Sitrep", SEA_SITREP}}};

static enum load_skip map_secmar(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	return map_kind(ctx, &secmar, v, ret);
}

static const char *secmar_layout(const bool *found, size_t header_fields, enum load_form form)
{
	return found[SEA_TYPE] ? "SECMAR operations" : "SECMAR operations (raw)";
}

/* ---- Dans Ma Rue ---- */

enum {
	STREET_ID, STREET_TYPE, STREET_SUBTYPE, STREET_ADDRESS, STREET_CODE, STREET_DISTRICT, STREET_QUARTER, STREET_DATE, STREET_TOOL,
	STREET_TEAM, STREET_POINT, STREET_COLUMNS
};

static const char *const street_columns[STREET_COLUMNS] = {
	[STREET_ID] = "id_dmr",
	[STREET_TYPE] = "type|TYPE DECLARATION",
	[STREET_SUBTYPE] = "soustype|SOUS TYPE DECLARATION",
	[STREET_ADDRESS] = "adresse",
	[STREET_CODE] = "code_postal|CODE POSTAL",
	[STREET_DISTRICT] = "arrondissement",
	[STREET_QUARTER] = "conseilquartier|CONSEIL DE QUARTIER",
	[STREET_DATE] = "datedecl|DATE DECLARATION",
	[STREET_TOOL] = "prefixe|OUTIL SOURCE",
	[STREET_TEAM] = "intervenant",
	[STREET_POINT] = "geo_point_2d",
};

static const struct kind street = {
	.prefix = "DMR-", .key = {STREET_ID, NONE}, .title_first = "", .title = {STREET_TYPE, STREET_SUBTYPE, NONE}, .planned = STREET_DATE,
	.completed = NONE, .status = LOAD_SCHEDULED, .technician_before = "", .technician = STREET_TEAM, .mode = STREET_TOOL,
	.automatic = {"Android", "iOS", "application", "iPhone"}, .latitude = NONE, .longitude = NONE, .location = STREET_POINT,
	.area = {48.6, 49.1, 2.0, 2.7}, .n_lines = 4,
	.lines = {{"", STREET_ADDRESS}, {"Arrondissement", STREET_DISTRICT}, {"Conseil de quartier", STREET_QUARTER}, {"Source", STREET_TOOL}}};

static enum load_skip map_street(struct load_context *ctx, const struct view *v, struct load_row *ret)
{
	return map_kind(ctx, &street, v, ret);
}

static const char *street_layout(const bool *found, size_t header_fields, enum load_form form)
{
	return form == LOAD_API_JSON ? "Dans Ma Rue (API, JSON)" : "Dans Ma Rue";
}

/* ---- counts of the fire brigades: a year's sum is no intervention ---- */

static const char *const sis_columns[] = {"Zone", "Incendies", "Total interventions"};

static const char *sis_layout(const bool *found, size_t header_fields, enum load_form form)
{
	return "interventions of the SIS, by year";
}

/* ---- the kinds ---- */

#define KIND(title_, zone_, columns_, needs, layout_, map_) \
	.name = "datagouv", .title = title_, .zone = zone_, .user_domain = "datagouv.example", .columns = columns_, \
	.n_columns = COUNT(columns_), .required = needs, .layout = layout_, .map = map_, .day_first = true

static const struct load_dataset sis = {
	KIND("the yearly counts of fire and rescue services", "Europe/Paris", sis_columns, LOAD_NEEDS(0) | LOAD_NEEDS(1) | LOAD_NEEDS(2),
		sis_layout, NULL),
	.refused = "it holds counts by year and service, not interventions: nothing could be said of when and where each one was"};

static const struct load_dataset paris = {
	KIND("reports of Dans Ma Rue", "Europe/Paris", street_columns,
		LOAD_NEEDS(STREET_ID) | LOAD_NEEDS(STREET_TYPE) | LOAD_NEEDS(STREET_DATE), street_layout, map_street),
	.next = &sis};

static const struct load_dataset sea = {
	KIND("operations of the CROSS (SECMAR)", "UTC", sea_columns, LOAD_NEEDS(SEA_ID) | LOAD_NEEDS(SEA_ALERT), secmar_layout, map_secmar),
	.next = &paris};

static const struct load_dataset mediterranean = {
	KIND("fires of Promethee", "Europe/Paris", promethee_columns,
		LOAD_NEEDS(FIRE_YEAR) | LOAD_NEEDS(FIRE_NUMBER) | LOAD_NEEDS(FIRE_ALERT), promethee_layout, map_promethee),
	.literal_quotes = true,
	.next = &sea};

const struct load_dataset load_datagouv = {
	KIND("an export of BDIFF, Promethee, SECMAR or Dans Ma Rue", "Europe/Paris", bdiff_columns,
		LOAD_NEEDS(FIRE_YEAR) | LOAD_NEEDS(FIRE_NUMBER) | LOAD_NEEDS(FIRE_ALERT), bdiff_layout, map_bdiff),
	.next = &mediterranean};
