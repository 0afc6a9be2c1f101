/*
 * Reading and mapping of walmill load, without a server. The expected figures of the NYC files were worked out by a program of its own that
 * shares nothing with the loader and that agreed with it on every field of every row.
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
#include "cli/load_json.h"
#include "cli/load_source.h"
#include "model/datetime.h"

static struct tz_cache *zones;
static const struct tz *new_york;
static char path[64];

static int setup(void **state)
{
	struct err err = ERR_INIT;

	zones = tz_cache_new(io_system(), NULL);
	new_york = tz_open(zones, "America/New_York", &err);
	snprintf(path, sizeof(path), "/tmp/walmill-load-%d", (int)getpid());
	return new_york ? 0 : -1;
}

static int teardown(void **state)
{
	tz_cache_release(zones);
	unlink(path);
	return 0;
}

static int64_t utc(int64_t year, int month, int day, int hour, int minute)
{
	return civil_us(&(struct civil){.year = year, .month = month, .day = day, .hour = hour, .minute = minute});
}

static void wall_times_of_every_form_are_read(void **state)
{
	static const char *const good[] = {"06/26/2018 10:58:54 PM", "2018-06-26T22:58:54.000", "2018-06-26T22:58:54",
		"2018 Jun 26 10:58:54 PM", "2018-06-26 22:58:54", "6/26/2018 10:58:54 PM"};
	static const char *const bad[] = {"", "x", "06/26/2018 10:58:54", "06/26/2018 13:58:54 PM", "06/26/2018 0:58:54 AM", "02/30/2018",
		"2018-06-26  22:58:54", "2018-06-26T24:00:00", "2018-13-01", "2018 Foo 26", "06/26/18", "06/26/2018 10:58:54 PM x",
		"2018-06-26T22:58",
		"2018 anf 26", "2018-06-26T10:58:54 PM"};
	int64_t us;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(load_wall_time(view_str(good[i]), &us));
		assert_int_equal(us, utc(2018, 6, 26, 22, 58) + 54 * US_PER_SECOND);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(load_wall_time(view_str(bad[i]), &us));
	assert_true(load_wall_time(view_str("01/01/1900 12:00:00 AM"), &us) && us == utc(1900, 1, 1, 0, 0));
	assert_true(load_wall_time(view_str("12/31/2020 12:30:00 PM"), &us) && us == utc(2020, 12, 31, 12, 30));
	assert_true(load_wall_time(view_str("2020-03-10T00:00:00.125"), &us) && us == utc(2020, 3, 10, 0, 0) + 125000);
	assert_true(load_wall_time(view_str("03/22/2016"), &us) && us == utc(2016, 3, 22, 0, 0));
}

static void repeated_hour_is_the_first_and_missing_hour_moves_forward(void **state)
{
	/* clocks went back on 2024-11-03 at 06:00 UTC, forward on 2024-03-10 at 07:00 UTC */
	assert_int_equal(load_wall_to_utc(new_york, utc(2024, 11, 3, 1, 30)), utc(2024, 11, 3, 5, 30));
	assert_int_equal(load_wall_to_utc(new_york, utc(2024, 11, 3, 0, 59)), utc(2024, 11, 3, 4, 59));
	assert_int_equal(load_wall_to_utc(new_york, utc(2024, 11, 3, 2, 0)), utc(2024, 11, 3, 7, 0));
	assert_int_equal(load_wall_to_utc(new_york, utc(2024, 3, 10, 2, 30)), utc(2024, 3, 10, 7, 30));
	assert_int_equal(load_wall_to_utc(new_york, utc(2024, 3, 10, 1, 59)), utc(2024, 3, 10, 6, 59));
	assert_int_equal(load_wall_to_utc(new_york, utc(2024, 3, 10, 3, 0)), utc(2024, 3, 10, 7, 0));
	assert_int_equal(load_wall_to_utc(new_york, utc(2024, 7, 1, 12, 0)), utc(2024, 7, 1, 16, 0));
}

/* ---- files ---- */

struct figures {
	uint64_t rows, scheduled, in_progress, completed, automatic, placed;
	int64_t duration_s, planned_s;      /* sums */
	uint64_t repaired[LOAD_REPAIR_COUNT];
};

static struct load_context context_at(int64_t now_us)
{
	return (struct load_context){.zone = new_york, .now_us = now_us, .arena = ARENA_INIT};
}

/* Maps all of a file; `last` (may be NULL) gets its last row, whose texts live in ctx->arena. */
static void map_file(struct load_context *ctx, const char *file, struct figures *f, struct load_row *last, const char **ret_layout)
{
	struct load_source *s = NULL;
	struct load_record record;
	struct err err = ERR_INIT;
	struct load_row row;
	int rc;

	memset(f, 0, sizeof(*f));
	if (load_source_open(io_system(), file, &load_nyc311, &s, &err))
		fail_msg("%s", err.text);
	while ((rc = load_source_next(s, &ctx->arena, &record, &err)) > 0) {
		enum load_skip skip = record.skip ? record.skip : load_nyc311.map(ctx, record.values, &row);

		if (skip)
			fail_msg("line %llu: %s", (unsigned long long)record.line, load_skip_text(skip));
		f->rows++;
		f->scheduled += row.status == LOAD_SCHEDULED;
		f->in_progress += row.status == LOAD_IN_PROGRESS;
		f->completed += row.status == LOAD_COMPLETED;
		f->automatic += row.automatic;
		f->placed += row.latitude.len != 0;
		f->duration_s += row.completed_us == LOAD_NO_TIME ? 0 : (row.completed_us - row.started_us) / US_PER_SECOND;
		f->planned_s += row.planned_us / US_PER_SECOND;
		assert_true((row.started_us == LOAD_NO_TIME) == (row.status == LOAD_SCHEDULED));
		assert_true(row.technician.len > 0 && row.title.len > 0 && row.title.len <= 640);
		if (last)
			*last = row;
	}
	if (rc < 0)
		fail_msg("%s", err.text);
	memcpy(f->repaired, ctx->repairs, sizeof(f->repaired));
	if (ret_layout)
		*ret_layout = load_source_layout(s);
	load_source_close(s);
}

static void every_published_layout_is_mapped(void **state)
{
	static const struct {
		const char *file, *layout;
		struct figures f;
	} files[] = {
		{"nyc311_csv39_2026-02_excerpt.csv", "L3v", {13, 12, 0, 1, 0, 13, 1980, 10733163960, {0}}},
		{"nyc311_csv41_2011.csv", "L2", {2000, 44, 0, 1956, 60, 1402, 2145089550, 704839249238, {0}}},
		{"nyc311_csv41_2014-2019.csv", "L2", {1000, 25, 5, 970, 337, 893, 730657091, 591234784812, {[LOAD_REPAIR_NO_CLOSE] = 1}}},
		{"nyc311_csv52_2013-10.csv", "L0", {199, 116, 0, 83, 0, 193, 457552, 86864683915, {0}}},
		{"nyc311_csv53_2018-01.csv", "L1", {155, 79, 0, 76, 0, 154, 10271337, 88345148400, {0}}},
		{"nyc311_soda_2012.json", "A2", {1000, 34, 0, 966, 159, 1000, 1598110872, 406711715620, {0}}},
		{"nyc311_sodacsv_2024-04.csv", "A1", {1000, 430, 277, 293, 604, 977, 724995, 766554059694, {[LOAD_REPAIR_CLOSED_EARLY] = 1}}},
	};
	size_t i, k;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct load_context ctx = context_at(utc(2026, 11, 23, 0, 0));
		const char *layout;
		struct figures f;
		char file[512];

		snprintf(file, sizeof(file), DEMO_DIR "/nyc311/%s", files[i].file);
		map_file(&ctx, file, &f, NULL, &layout);
		assert_memory_equal(layout, files[i].layout, strlen(files[i].layout));
		assert_int_equal(f.rows, files[i].f.rows);
		assert_int_equal(f.scheduled, files[i].f.scheduled);
		assert_int_equal(f.in_progress, files[i].f.in_progress);
		assert_int_equal(f.completed, files[i].f.completed);
		assert_int_equal(f.automatic, files[i].f.automatic);
		assert_int_equal(f.placed, files[i].f.placed);
		assert_int_equal(f.duration_s, files[i].f.duration_s);
		assert_int_equal(f.planned_s, files[i].f.planned_s);
		for (k = 0; k < LOAD_REPAIR_COUNT; k++)
			assert_int_equal(f.repaired[k], files[i].f.repaired[k]);
		arena_release(&ctx.arena);
	}
}

static void write_file(struct view bytes)
{
	struct err err = ERR_INIT;

	if (io_replace(io_system(), path, bytes, &err))
		fail_msg("%s", err.text);
}

#define HEADER " unique key ,Created Date,Closed Date,Agency,Complaint Type,Descriptor,Status,Resolution Action Updated Date," \
	"Latitude,Longitude,Location,Open Data Channel Type\n"

/* Maps one line under HEADER; the texts live in ctx->arena. */
static enum load_skip map_line(struct load_context *ctx, const char *line, struct load_row *row)
{
	struct load_record record;
	struct load_source *s;
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT(1 << 20);
	enum load_skip skip;

	buf_puts(&b, HEADER);
	buf_puts(&b, line);
	write_file(buf_view(&b));
	buf_release(&b);
	assert_int_equal(load_source_open(io_system(), path, &load_nyc311, &s, &err), 0);
	assert_int_equal(load_source_next(s, &ctx->arena, &record, &err), 1);
	skip = record.skip ? record.skip : load_nyc311.map(ctx, record.values, row);
	load_source_close(s);
	return skip;
}

static void assert_text(struct view v, const char *text)
{
	assert_int_equal(v.len, strlen(text));
	assert_memory_equal(v.len ? v.ptr : (const uint8_t *)"", text, v.len);
}

static void row_becomes_an_intervention(void **state)
{
	struct load_context ctx = context_at(utc(2024, 1, 1, 0, 0));
	struct load_row row;

	assert_int_equal(map_line(&ctx, "123,07/01/2018 08:00:00 AM,07/01/2018 09:30:00 AM,NYPD,Noise,\"Loud\tTalk\ning\",closed ,,"
		"40.69,-73.84,,MOBILE\n", &row), LOAD_TAKEN);
	assert_text(row.reference, "NYC311-123");
	assert_text(row.title, "Noise - Loud Talk ing");
	assert_text(row.description, "Channel: MOBILE");
	assert_text(row.technician, "NYPD");
	assert_text(row.latitude, "40.69");
	assert_text(row.longitude, "-73.84");
	assert_int_equal(row.status, LOAD_COMPLETED);
	assert_true(row.automatic);
	assert_int_equal(row.planned_us, utc(2018, 7, 1, 12, 0));
	assert_int_equal(row.started_us, utc(2018, 7, 1, 12, 0));
	assert_int_equal(row.completed_us, utc(2018, 7, 1, 13, 30));
	arena_release(&ctx.arena);
}

static void rows_that_cannot_be_used_are_told_apart(void **state)
{
	static const struct {
		const char *line;
		enum load_skip skip;
	} cases[] = {
		{",07/01/2018 08:00:00 AM,,A,P,,Open,,,,,\n", LOAD_SKIP_KEY},
		{"12x,07/01/2018 08:00:00 AM,,A,P,,Open,,,,,\n", LOAD_SKIP_KEY},
		{"123456789012345678901,07/01/2018 08:00:00 AM,,A,P,,Open,,,,,\n", LOAD_SKIP_KEY},
		{"1,,,A,P,,Open,,,,,\n", LOAD_SKIP_CREATED},
		{"1,yesterday,,A,P,,Open,,,,,\n", LOAD_SKIP_CREATED_FORM},
		{"1,07/01/2018 08:00:00 AM,,A,P,,CANCELLED,,,,,\n", LOAD_SKIP_CANCELED},
		{"1,07/01/2018 08:00:00 AM,,A,P,,Open,,,,\n", LOAD_SKIP_FIELDS},
		{"1,07/01/2018 08:00:00 AM,,A,P,,Open,,,,,,,\n", LOAD_SKIP_FIELDS},
	};
	struct load_context ctx = context_at(utc(2024, 1, 1, 0, 0));
	struct load_row row;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(map_line(&ctx, cases[i].line, &row), cases[i].skip);
	arena_release(&ctx.arena);
}

static void status_decides_and_unknown_words_are_counted(void **state)
{
	static const struct {
		const char *word;
		enum load_status status;
	} cases[] = {{"CLOSED", LOAD_COMPLETED}, {"Closed - Testing", LOAD_COMPLETED}, {"Email Sent", LOAD_COMPLETED},
		{"Started", LOAD_IN_PROGRESS}, {"in progress", LOAD_IN_PROGRESS}, {"Pending", LOAD_SCHEDULED},
		{"Draft", LOAD_SCHEDULED}, {"Exploded", LOAD_SCHEDULED}};
	struct load_context ctx = context_at(utc(2024, 1, 1, 0, 0));
	struct load_row row;
	char line[128];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "1,07/01/2018 08:00:00 AM,07/02/2018 08:00:00 AM,A,P,,%s,,,,,\n", cases[i].word);
		assert_int_equal(map_line(&ctx, line, &row), LOAD_TAKEN);
		assert_int_equal(row.status, cases[i].status);
		/* a closing date on a row that is not closed does not close it */
		assert_true((row.completed_us != LOAD_NO_TIME) == (row.status == LOAD_COMPLETED));
	}
	assert_int_equal(ctx.repairs[LOAD_REPAIR_STATUS], 1);
	arena_release(&ctx.arena);
}

static void impossible_closing_times_are_repaired(void **state)
{
	static const struct {
		const char *closed, *updated;
		int64_t hours;          /* from creation to completion */
		enum load_repair repair;
	} cases[] = {
		{"01/01/1900 12:00:00 AM", "07/01/2018 10:00:00 AM", 2, LOAD_REPAIR_CLOSED_EARLY},
		{"01/01/2100 12:00:00 AM", "07/01/2018 11:00:00 AM", 3, LOAD_REPAIR_CLOSED_EARLY},
		{"", "01/01/1900 12:00:00 AM", 0, LOAD_REPAIR_NO_CLOSE},
		{"06/30/2018 12:00:00 AM", "", 0, LOAD_REPAIR_NO_CLOSE},
		{"soon", "later", 0, LOAD_REPAIR_NO_CLOSE},
	};
	struct load_context ctx = context_at(utc(2024, 1, 1, 0, 0));
	struct load_row row;
	char line[160];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(ctx.repairs, 0, sizeof(ctx.repairs));
		snprintf(line, sizeof(line), "1,07/01/2018 08:00:00 AM,%s,A,P,,Closed,%s,,,,\n", cases[i].closed, cases[i].updated);
		assert_int_equal(map_line(&ctx, line, &row), LOAD_TAKEN);
		assert_int_equal((row.completed_us - row.planned_us) / (3600 * US_PER_SECOND), cases[i].hours);
		assert_int_equal(ctx.repairs[cases[i].repair], 1);
	}
	arena_release(&ctx.arena);
}

static void places_of_every_form_are_read_and_checked(void **state)
{
	static const struct {
		const char *fields, *lat, *lon;  /* Latitude, Longitude, Location; what comes out */
		unsigned repaired;
	} cases[] = {
		{"40.5,-74.1,\"(1, 2)\"", "40.5", "-74.1", 0},
		{",,\"(40.69, -73.84)\"", "40.69", "-73.84", 0},
		{",,\"\n,  \n(40.69, -73.84)\"", "40.69", "-73.84", 0},
		{",,POINT (-73.83 40.87)", "40.87", "-73.83", 0},
		{",,\"{\"\"type\"\":\"\"Point\"\",\"\"coordinates\"\":[-73.9,40.7]}\"", "40.7", "-73.9", 0},
		{",,\"{\"\"latitude\"\":\"\"40.7\"\",\"\"longitude\"\":\"\"-73.9\"\",\"\"human_address\"\":\"\"{}\"\"}\"", "40.7", "-73.9", 0},
		{",,", "", "", 0},
		{",,nowhere", "", "", 0},
		{",,\"{\"\"type\"\":\"", "", "", 0},
		{"0,0,", "", "", 1},
		{"40.1123853,-77.5195844,", "", "", 1},
		{"40.7,,", "", "", 1},
		{"nan,-74,", "", "", 1},
		{"-73.9,40.7,", "", "", 1},
	};
	struct load_context ctx = context_at(utc(2024, 1, 1, 0, 0));
	struct load_row row;
	char line[256];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(ctx.repairs, 0, sizeof(ctx.repairs));
		snprintf(line, sizeof(line), "1,07/01/2018 08:00:00 AM,,A,P,,Open,,%s,\n", cases[i].fields);
		assert_int_equal(map_line(&ctx, line, &row), LOAD_TAKEN);
		assert_text(row.latitude, cases[i].lat);
		assert_text(row.longitude, cases[i].lon);
		assert_int_equal(ctx.repairs[LOAD_REPAIR_PLACE], cases[i].repaired);
	}
	arena_release(&ctx.arena);
}

static void titles_are_cut_by_characters_and_old_encodings_are_read(void **state)
{
	struct load_context ctx = context_at(utc(2024, 1, 1, 0, 0));
	struct load_row row;
	struct buf b = BUF_INIT(4096);
	int i;

	buf_puts(&b, "1,07/01/2018 08:00:00 AM,,A,");
	for (i = 0; i < 200; i++)
		buf_puts(&b, "\xc3\xa9");
	buf_puts(&b, ",x,Open,,,,,\n");
	assert_int_equal(map_line(&ctx, buf_cstr(&b), &row), LOAD_TAKEN);
	assert_int_equal(row.title.len, 320);
	assert_int_equal(ctx.repairs[LOAD_REPAIR_TITLE], 1);
	assert_int_equal(map_line(&ctx, "1,07/01/2018 08:00:00 AM,,A,Caf\xe9 \x96 x,N/A,Open,,,,,\n", &row), LOAD_TAKEN);
	assert_text(row.title, "Caf\xc3\xa9 \xe2\x80\x93 x");
	assert_int_equal(map_line(&ctx, "1,07/01/2018 08:00:00 AM,,N/A,,Unspecified,Open,,,,,\n", &row), LOAD_TAKEN);
	assert_text(row.title, "Service request");
	assert_int_equal(row.technician.len, 0);
	assert_int_equal(row.description.len, 0);
	buf_release(&b);
	arena_release(&ctx.arena);
}

static void other_files_are_refused_with_what_is_missing(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {{"a,b\n1,2\n", "it has no column \"Unique Key\""}, {"", "is empty"},
		{"Unique Key,Status\n", "it has no column \"Created Date\""}};
	struct load_source *s;
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(view_str(cases[i].text));
		assert_int_equal(load_source_open(io_system(), path, &load_nyc311, &s, &err), -1);
		assert_non_null(strstr(err.text, cases[i].error));
	}
	assert_int_equal(load_source_open(io_system(), "/nonexistent", &load_nyc311, &s, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

/* ---- JSON ---- */

struct text_input {
	const char *text;
	size_t pos, step;
};

static int fill(void *arg, void *ptr, size_t len, size_t *ret_len, struct err *err)
{
	struct text_input *in = arg;
	size_t n = strnlen(in->text + in->pos, in->step < len ? in->step : len);

	memcpy(ptr, in->text + in->pos, n);
	in->pos += n;
	*ret_len = n;
	return 0;
}

static void expect_cut(const char *text, const char *result)
{
	size_t step;

	for (step = 1; step < 9; step++) {
		struct text_input in = {text, 0, step};
		struct json_cutter *c = json_cutter_new(fill, &in, 20);
		struct buf b = BUF_INIT(4096);
		struct err err = ERR_INIT;
		struct view v;
		uint64_t line;
		int rc;

		while ((rc = json_cutter_next(c, &v, &line, &err)) > 0)
			buf_printf(&b, "%llu%.*s|", (unsigned long long)line, (int)v.len, (const char *)v.ptr);
		buf_puts(&b, rc ? err.text : "");
		assert_string_equal(buf_cstr(&b), result);
		buf_release(&b);
		json_cutter_free(c);
	}
}

static void json_is_cut_into_its_objects(void **state)
{
	expect_cut("[{\"a\":\"}\\\"{\"}\n,{\"b\":[{}]}]\n", "1{\"a\":\"}\\\"{\"}|2{\"b\":[{}]}|");
	expect_cut(" {\"a\":1}\n{\"a\":2} ", "1{\"a\":1}|2{\"a\":2}|");
	expect_cut("[]", "");
	expect_cut("", "");
	expect_cut("[{}", "1{}|line 1: the file ends within the array");
	expect_cut("[{},\n{\"a\":", "1{}|line 2: the file ends within an object");
	expect_cut("[{}{}]", "1{}|line 1: neither an array of objects nor objects one after the other");
	expect_cut("[1]", "line 1: neither an array of objects nor objects one after the other");
	expect_cut("[{}] x", "1{}|line 1: neither an array of objects nor objects one after the other");
	expect_cut("[{\"a\":\"0123456789012345678\"}]", "line 1: an object of more than 20 bytes");
}

static void json_rows_have_the_same_rules(void **state)
{
	struct load_context ctx = context_at(utc(2024, 1, 1, 0, 0));
	struct load_row row;

	write_file(view_str("[{\"unique_key\":\"7\",\"created_date\":\"2018-07-01T08:00:00.000\",\"status\":\"Open\",\"agency\":null,"
		"\"complaint_type\":\"A\\u00e9\\n\",\"unknown\":[1,{}],\"location\":{\"type\":\"Point\",\"coordinates\":[-73.9,40.7]}}\n,"
		"{\"unique_key\":8,\"status\":\"Open\"},"
		"{\"unique_key\":\"9\",\"created_date\":\"2018-07-01T08:00:00.000\",\"status\":\"Open\",\"agency\":\"A\\u0000B\"},"
		"{\"unique_key\":10,\"created_date\":\"2018-07-01T08:00:00.000\",\"status\":\"Open\",\"agency\":\"DOT\","
		"\"complaint_type\":\"B\\u00e9\",\"location\":{\"type\":\"Point\",\"coordinates\":[-73.9,40.7]}}]"));
	{
		struct load_source *s;
		struct load_record r;
		struct err err = ERR_INIT;

		assert_int_equal(load_source_open(io_system(), path, &load_nyc311, &s, &err), 0);
		assert_int_equal(load_source_next(s, &ctx.arena, &r, &err), 1);
		assert_int_equal(load_nyc311.map(&ctx, r.values, &row), LOAD_TAKEN);
		assert_text(row.title, "A\xc3\xa9");
		assert_int_equal(row.technician.len, 0);
		assert_int_equal(load_source_next(s, &ctx.arena, &r, &err), 1);
		assert_int_equal(r.line, 2);
		assert_int_equal(load_nyc311.map(&ctx, r.values, &row), LOAD_SKIP_CREATED);
		assert_int_equal(load_source_next(s, &ctx.arena, &r, &err), 1);
		assert_int_equal(r.skip, LOAD_SKIP_ZERO);
		assert_int_equal(load_source_next(s, &ctx.arena, &r, &err), 1);
		assert_int_equal(load_nyc311.map(&ctx, r.values, &row), LOAD_TAKEN);
		assert_text(row.reference, "NYC311-10");
		assert_text(row.latitude, "40.7");
		assert_int_equal(load_source_next(s, &ctx.arena, &r, &err), 0);
		load_source_close(s);
	}
	write_file(view_str("[{\"unique_key\":}]"));
	{
		struct load_source *s;
		struct load_record r;
		struct err err = ERR_INIT;

		assert_int_equal(load_source_open(io_system(), path, &load_nyc311, &s, &err), 0);
		assert_int_equal(load_source_next(s, &ctx.arena, &r, &err), -1);
		assert_non_null(strstr(err.text, "line 1"));
		load_source_close(s);
	}
	arena_release(&ctx.arena);
}

static void dry_run_reads_everything_and_lists_what_it_skips(void **state)
{
	struct load_options opts = {.path = path, .rejects = "/tmp/walmill-load-rejects", .now_us = utc(2024, 1, 1, 0, 0)};
	struct buf b = BUF_INIT(1 << 16);
	struct load_report report;
	struct err err = ERR_INIT;

	write_file(view_str(HEADER "1,07/01/2018 08:00:00 AM,,A,P,,Open,,,,,\n\"a\"\"b\",07/01/2018 08:00:00 AM,,A,P,,Open,,,,,\n"
		"2,,,A,P,,Open,,,,,\n3,07/01/2018 08:00:00 AM,,A,P,,?,,,,,\n"));
	assert_int_equal(load_run(io_system(), load_dataset_find("nyc311"), &opts, &report, &err), 0);
	assert_int_equal(report.read, 4);
	assert_int_equal(report.taken, 2);
	assert_int_equal(io_read_file(io_system(), opts.rejects, &b, &err), 0);
	assert_string_equal(buf_cstr(&b), "line,key,reason\n3,\"a\"\"b\",key missing or not a number\n4,\"2\",creation time missing\n");
	buf_clear(&b);
	load_report_put(&report, true, true, &b);
	assert_string_equal(buf_cstr(&b), "{\"layout\":\"L2 (portal, 2018 to 2025)\",\"dry_run\":true,\"read\":4,\"taken\":2,"
		"\"inserted\":0,\"updated\":0,"
		"\"skipped\":{\"key missing or not a number\":1,\"creation time missing\":1},"
		"\"repaired\":{\"unknown status: taken as scheduled\":1}}\n");
	buf_clear(&b);
	load_report_put(&report, true, false, &b);
	assert_non_null(strstr(buf_cstr(&b), "4 rows read, 2 taken (dry run, nothing written)\nskipped 1: key missing"));
	unlink(opts.rejects);
	assert_null(load_dataset_find("nyc"));
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wall_times_of_every_form_are_read),
		cmocka_unit_test(repeated_hour_is_the_first_and_missing_hour_moves_forward),
		cmocka_unit_test(every_published_layout_is_mapped),
		cmocka_unit_test(row_becomes_an_intervention),
		cmocka_unit_test(rows_that_cannot_be_used_are_told_apart),
		cmocka_unit_test(status_decides_and_unknown_words_are_counted),
		cmocka_unit_test(impossible_closing_times_are_repaired),
		cmocka_unit_test(places_of_every_form_are_read_and_checked),
		cmocka_unit_test(titles_are_cut_by_characters_and_old_encodings_are_read),
		cmocka_unit_test(other_files_are_refused_with_what_is_missing),
		cmocka_unit_test(json_is_cut_into_its_objects),
		cmocka_unit_test(json_rows_have_the_same_rules),
		cmocka_unit_test(dry_run_reads_everything_and_lists_what_it_skips),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
