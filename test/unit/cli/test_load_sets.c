/*
 * Mapping of the data sets beside NYC's, row by row over short files: those of kinds that no public copy is at hand of (Chicago's layouts
 * * C0, C1 and C2) are written from the published headers, the others after rows of published files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "cli/load.h"
#include "cli/load_source.h"
#include "model/datetime.h"

static struct tz_cache *zones;
static char path[64];

static int setup(void **state)
{
	zones = tz_cache_new(io_system(), NULL);
	snprintf(path, sizeof(path), "/tmp/walmill-load-sets-%d", (int)getpid());
	return 0;
}

static int teardown(void **state)
{
	tz_cache_release(zones);
	unlink(path);
	return 0;
}

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
}

/* A row as text: "reference|title|description|technician|status|mode|planned|started|completed|lat,lon", times as YYYY-MM-DDTHH:MMZ, or
 * "skip: why". Line ends in the description are shown as a slash. */
static void put_view(struct buf *b, struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++)
		buf_putc(b, v.ptr[i] == '\n' ? '/' : (char)v.ptr[i]);
	buf_putc(b, '|');
}

static void put_time(struct buf *b, int64_t us)
{
	struct civil c;

	if (us != LOAD_NO_TIME) {
		c = civil_of_us(us);
		buf_printf(b, "%04d-%02d-%02dT%02d:%02dZ", (int)c.year, c.month, c.day, c.hour, c.minute);
	}
	buf_putc(b, '|');
}

static void put_row(struct buf *b, const struct load_row *row)
{
	static const char *const status[] = {"SCHEDULED|", "IN_PROGRESS|", "COMPLETED|"};

	put_view(b, row->reference);
	put_view(b, row->title);
	put_view(b, row->description);
	put_view(b, row->technician);
	buf_puts(b, status[row->status]);
	buf_puts(b, row->automatic ? "AUTO|" : "MANUAL|");
	put_time(b, row->planned_us);
	put_time(b, row->started_us);
	put_time(b, row->completed_us);
	buf_printf(b, "%.*s,%.*s\n", (int)row->latitude.len, (const char *)row->latitude.ptr, (int)row->longitude.len,
		(const char *)row->longitude.ptr);
}

/* The layout and every row of a file. */
static void map_all(const struct load_dataset *set, const char *text, struct buf *b)
{
	struct load_context ctx = {.now_us = civil_us(&(struct civil){.year = 2026, .month = 6, .day = 1}), .arena = ARENA_INIT};
	struct load_source *s = NULL;
	struct load_record record;
	struct err err = ERR_INIT;
	struct load_row row;

	write_file(text);
	if (load_source_open(io_system(), path, set, &s, &err)) {
		buf_printf(b, "error: %s\n", strchr(err.text + 1, '"') ? strchr(err.text + 1, '"') + 2 : err.text);
		return;
	}
	set = load_source_set(s);
	ctx.zone = tz_open(zones, set->zone, &err);
	ctx.day_first = set->day_first;
	assert_non_null(ctx.zone);
	buf_printf(b, "%s\n", load_source_layout(s));
	while (arena_reset(&ctx.arena), load_source_next(s, &ctx.arena, &record, &err) > 0) {
		enum load_skip skip = record.skip ? record.skip : set->map(&ctx, record.values, &row);

		buf_printf(b, "%llu ", (unsigned long long)record.line);
		if (skip)
			buf_printf(b, "skip: %s\n", load_skip_text(skip));
		else
			put_row(b, &row);
	}
	assert_int_equal(err.code, ERR_NONE);
	load_source_close(s);
	arena_release(&ctx.arena);
}

struct sample {
	const struct load_dataset *set;
	const char *text, *want;
};

static const struct sample samples[] = {
	/* C2, written by hand */
	{&load_chicago,
		"ID,PERMIT#,PERMIT_STATUS,PERMIT_TYPE,REVIEW_TYPE,APPLICATION_START_DATE,ISSUE_DATE,STREET_NUMBER,STREET DIRECTION,"
		"STREET_NAME,WORK_TYPE,"
		"WORK_DESCRIPTION,PERMIT_CONDITION,CONTACT_1_TYPE,CONTACT_1_NAME,CONTACT_2_TYPE,CONTACT_2_NAME,REPORTED_COST,WARD,"
		"LATITUDE,LONGITUDE,"
		"LOCATION\n"
		"1,100000001,ACTIVE,PERMIT - NEW CONSTRUCTION,STANDARD PLAN REVIEW,01/05/2024,03/01/2024,10,N,STATE ST,New House,Build it,,"
		"OWNER AS GENERAL CONTRACTOR,Jane Doe,CONTRACTOR-GENERAL CONTRACTOR,Acme & Sons,1000,42,41.9,-87.6,\n"
		"2,100000002,COMPLETE,PERMIT - RENOVATION/ALTERATION,SELF CERT,07/01/2024,07/03/2024,,,,,,,MASONRY CONTRACTOR,"
		"Brick Co,OWNER,John,,,,,"
		"\"(41.8, -87.7)\"\n"
		"3,100000003,REVOKED,PERMIT - SIGNS,,01/05/2024,03/01/2024,,,,,,,,,,,,,,,\n"
		"4,,,PERMIT \xe2\x80\x93 EXPRESS PERMIT PROGRAM,,,12/31/2024,,,,,,,,,,,,,0,0,\n"
		"5,100000005,,PERMIT - SIGNS,,02/01/2024,01/15/2024,,,,,,,,,,,,,,,\n"
		"6,100000006,,PERMIT - SIGNS,,,,,,,,,,,,,,,,,,\n"
		"7,100000007,,PERMIT - SIGNS,,02/01/2024,,,,,,,,,,,,,,40.1,-77.5,\n",
		"C2 (portal, with permit status)\n"
		"2 CHI-100000001|NEW CONSTRUCTION - New House, 10 N STATE ST|Build it/Review: STANDARD PLAN REVIEW/Reported cost: 1000/Ward: 42|"
		"Acme & Sons|IN_PROGRESS|MANUAL|2024-01-05T06:00Z|2024-01-05T06:00Z||41.9,-87.6\n"
		"3 CHI-100000002|RENOVATION/ALTERATION|Review: SELF CERT|Brick Co|COMPLETED|AUTO|2024-07-01T05:00Z|2024-07-01T05:00Z|"
		"2024-07-03T05:00Z|41.8,-87.7\n"
		"4 skip: expired, canceled or revoked\n"
		"5 CHI-ID-4|EXPRESS PERMIT PROGRAM|||COMPLETED|AUTO|2024-12-31T06:00Z|2024-12-31T06:00Z|2024-12-31T06:00Z|,\n"
		"6 CHI-100000005|SIGNS|||COMPLETED|MANUAL|2024-01-15T06:00Z|2024-01-15T06:00Z|2024-01-15T06:00Z|,\n"
		"7 skip: creation time missing\n"
		"8 CHI-100000007|SIGNS|||SCHEDULED|MANUAL|2024-02-01T06:00Z|||,\n"},
	/* C1 and C0, written by hand: blanks in the names, dates that were saved again */
	{&load_chicago,
		"ID,PERMIT#,PERMIT_TYPE,REVIEW_TYPE,APPLICATION_START_DATE,ISSUE_DATE,STREET_NUMBER,STREET DIRECTION,STREET_NAME,"
		"SUFFIX,LATITUDE,LONGITUDE\n"
		"1,100000001,PERMIT - ELEVATOR EQUIPMENT,,2/4/2020,12/24/2020,1,S,WACKER,DR,41.88,-87.63\n",
		"C1 (portal, 2019 to 2023)\n"
		"2 CHI-100000001|ELEVATOR EQUIPMENT, 1 S WACKER DR|||COMPLETED|MANUAL|2020-02-04T06:00Z|2020-02-04T06:00Z|"
		"2020-12-24T06:00Z|41.88,-87.63\n"},
	{&load_chicago,
		"ID,PERMIT#,  PERMIT_TYPE,         ISSUE_DATE,        ESTIMATED_COST,STREET_NUMBER,STREET DIRECTION,STREET_NAME,  SUFFIX,"
		"WORK_DESCRIPTION,CONTRACTOR_1_TYPE,CONTRACTOR_1_NAME,LATITUDE,LONGITUDE,LOCATION\n"
		"1,B20000001,PERMIT - EASY PERMIT PROCESS,03/22/2016,$20000.00,2,W,LAKE,ST,Roof,CONTRACTOR-ROOFING,Roofers Inc,41.7,-87.6,\n",
		"C0 (portal, to 2019)\n"
		"2 CHI-B20000001|EASY PERMIT PROCESS, 2 W LAKE ST|Roof/Reported cost: $20000.00|Roofers Inc|COMPLETED|AUTO|2016-03-22T05:00Z|"
		"2016-03-22T05:00Z|2016-03-22T05:00Z|41.7,-87.6\n"},
	{&load_chicago,
		"[{\"id\":\"3100486\",\"permit_\":\"100858762\",\"permit_type\":\"PERMIT - NEW CONSTRUCTION\",\"application_start_date\":"
		"\"2020-03-10T00:00:00.000\",\"issue_date\":\"2020-08-24T00:00:00.000\",\"location\":{\"type\":\"Point\","
		"\"coordinates\":[-87.9,41.95]}}]",
		"API, JSON\n"
		"1 CHI-100858762|NEW CONSTRUCTION|||COMPLETED|MANUAL|2020-03-10T05:00Z|2020-03-10T05:00Z|2020-08-24T05:00Z|41.95,-87.9\n"},
	/* fires: lines before the header, two kinds of line ends */
	{&load_datagouv,
		"\"Certaines données sont associées, à l'ancienne version.\"\n\"Nombre d'incendies : 2\"\n\"Critères =>\";\"Date\";\"Type\"\n"
		"Année;Numéro;Département;\"Code INSEE\";\"Nom de la commune\";\"Date de première alerte\";\"Surface parcourue (m2)\";Nature\n"
		"2014;6330;\"66\";\"66190\";\"Salses-le-Château\";\"2014-01-02 14:56:00\";10000;\"Involontaire (particulier)\"\r\n"
		"2020;1;4;4043;Riez;02/01/2020 14:11;5;\r\n"
		"2020;;4;4043;Riez;02/01/2020 14:11;5;\r\n"
		"2020;3;4;4043;Riez;;5;\r\n"
		"2020;4;4;4043;Riez;30/02/2020 14:11;5;\r\n",
		"BDIFF (public form)\n"
		"5 BDIFF-2014-6330|Incendie - Salses-le-Château - Involontaire (particulier)|Surface parcourue (m2): 10000/"
		"Code INSEE: 66190|SDIS 66|"
		"COMPLETED|MANUAL|2014-01-02T13:56Z|2014-01-02T13:56Z||,\n"
		"6 BDIFF-2020-1|Incendie - Riez|Surface parcourue (m2): 5/Code INSEE: 4043|SDIS 4|COMPLETED|MANUAL|"
		"2020-01-02T13:11Z|2020-01-02T13:11Z||,\n"
		"7 skip: key missing or not a number\n"
		"8 skip: creation time missing\n"
		"9 skip: creation time not understood\n"},
	{&load_datagouv,
		"\xef\xbb\xbf" "Date d'extraction : 12/08/22\nType de feu : Forêt, A partir du : 01/01/2000\n"
		"Année;Numéro;Type de feu;Département;Code INSEE;Commune;Lieu-dit;Code du carreau DFCI;Alerte;Origine de l'alerte;"
		"Surface parcourue (m2)\n"
		"2015;4210;0;66;66012;Baho;\"Els pinyers\"  bordure;GC24L21;2015-07-06 17:24:00;3;1500\n",
		"Promethee\n"
		"4 PROM-2015-4210|Incendie - Baho|Surface parcourue (m2): 1500/Lieu-dit: \"Els pinyers\"  bordure/Carreau DFCI: GC24L21/"
		"Origine de l'alerte: 3/Code INSEE: 66012|SDIS 66|COMPLETED|MANUAL|2015-07-06T15:24Z|2015-07-06T15:24Z||,\n"},
	{&load_datagouv,
		"operation_id,type_operation,cross,departement,evenement,latitude,longitude,date_heure_reception_alerte,"
		"date_heure_fin_operation\n"
		"-108900,MAS,La Garde,Var,Avarie,43.0917,5.9188,2019-07-11T15:13:00Z,2019-07-11T16:36:00Z\n"
		"-90105.0,DIV,Corse,,Panne,\"41,6083\",\"9,3417\",2018-01-03 12:32:00,2018-01-02 07:35:00\n"
		"7,SAR,Corse,,Panne,47,,2019-07-11 13:13:00.000000 +0000,2019-07-11 14:36:00.000000 +0000\n"
		"8,SAR,Corse,,Panne,-21.5,0.0,2019-07-11T13:13:00Z,\n",
		"SECMAR operations\n"
		"2 SECMAR--108900|MAS - Avarie - Var||CROSS La Garde|COMPLETED|MANUAL|2019-07-11T15:13Z|2019-07-11T15:13Z|"
		"2019-07-11T16:36Z|43.0917,5.9188\n"
		"3 SECMAR--90105|DIV - Panne||CROSS Corse|COMPLETED|MANUAL|2018-01-03T12:32Z|2018-01-03T12:32Z||41.6083,9.3417\n"
		"4 SECMAR-7|SAR - Panne||CROSS Corse|COMPLETED|MANUAL|2019-07-11T13:13Z|2019-07-11T13:13Z|2019-07-11T14:36Z|,\n"
		"5 SECMAR-8|SAR - Panne||CROSS Corse|COMPLETED|MANUAL|2019-07-11T13:13Z|2019-07-11T13:13Z||,\n"},
	{&load_datagouv,
		"numero,type,soustype,adresse,arrondissement,datedecl,prefixe,intervenant,id_dmr,geo_point_2d\n"
		"79992,Propreté,Déchets,\"17 Cours de Vincennes, 75020 PARIS\",20,2024-07-25,Android,DPE,G2024G079992,"
		"\"{'lon': 2.400698662235647, 'lat': 48.84822845327008}\"\n"
		"1,Voirie,,x,1,2024-01-25,Back Office,DVD,B1,\"48.85, 2.35\"\n",
		"Dans Ma Rue\n"
		"2 DMR-G2024G079992|Propreté - Déchets|17 Cours de Vincennes, 75020 PARIS/Arrondissement: 20/Source: Android|DPE|SCHEDULED|AUTO|"
		"2024-07-24T22:00Z|||48.84822845327008,2.400698662235647\n"
		"3 DMR-B1|Voirie|x/Arrondissement: 1/Source: Back Office|DVD|SCHEDULED|MANUAL|2024-01-24T23:00Z|||48.85,2.35\n"},
	{&load_datagouv,
		"[{\"id_dmr\":\"G1\",\"type\":\"Eau\",\"datedecl\":\"2024-01-25\",\"geo_point_2d\":{\"lon\":2.35,\"lat\":48.85}}]",
		"Dans Ma Rue (API, JSON)\n"
		"1 DMR-G1|Eau|||SCHEDULED|MANUAL|2024-01-24T23:00Z|||48.85,2.35\n"},
	/* sums of a year, in ISO-8859-1: said to be what they are */
	{&load_datagouv,
		"Ann\xe9" "e;Zone;R\xe9gion;Num\xe9ro;D\xe9partement;Incendies;Total interventions\r\n2019;Sud;PACA;BMPM;13;5 400;123 863\r\n",
		"error: cannot be loaded: it holds counts by year and service,"
		" not interventions: nothing could be said of when and where each one was\n"},
	/* another data set's file */
	{&load_datagouv, "Unique Key,Created Date,Status\n1,x,y\n",
		"error: is not an export of BDIFF, Promethee, SECMAR or Dans Ma Rue: it has no column \"Année\"\n"},
	{&load_chicago, "Unique Key,Created Date,Status\n1,x,y\n", "error: is not Chicago building permits: it has no column \"permit_\"\n"},
	{&load_nyc311, "a;b\n\"unclosed", "error: is not NYC 311 data: it has no column \"Unique Key\"\n"},
};

static void every_kind_of_file_is_mapped_as_its_table_says(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct buf got = BUF_INIT(1 << 20);

		map_all(samples[i].set, samples[i].text, &got);
		assert_string_equal(buf_cstr(&got), samples[i].want);
		buf_release(&got);
	}
}

static void data_sets_are_found_by_name(void **state)
{
	assert_ptr_equal(load_dataset_find("nyc311"), &load_nyc311);
	assert_ptr_equal(load_dataset_find("chicago-permits"), &load_chicago);
	assert_ptr_equal(load_dataset_find("datagouv"), &load_datagouv);
	assert_null(load_dataset_find("Datagouv"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_file_is_mapped_as_its_table_says),
		cmocka_unit_test(data_sets_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
