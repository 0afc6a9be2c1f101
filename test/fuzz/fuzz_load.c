/* Whatever a file holds, the loader reads it, refuses it, or skips rows; what it takes keeps to the columns' bounds and to valid UTF-8. */
#include "base/text.h"
#include "cli/load.h"
#include "cli/load_source.h"
#include "model/datetime.h"
#include "onefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_text(struct view v, size_t points)
{
	wm_assert(text_utf8_valid(v) && (!v.len || !memchr(v.ptr, 0, v.len)));
	wm_assert(text_utf8_points(v) <= points);
}

static void check_row(const struct load_row *row)
{
	double d;

	check_text(row->reference, 50);
	check_text(row->title, 160);
	check_text(row->description, SIZE_MAX);
	check_text(row->technician, 100);
	wm_assert(row->reference.len && row->title.len);
	wm_assert((row->latitude.len == 0) == (row->longitude.len == 0));
	wm_assert(!row->latitude.len || (text_f64(row->latitude, &d) && d >= -80 && d <= 80 && d != 0));
	wm_assert(row->completed_us == LOAD_NO_TIME || (row->completed_us >= row->started_us && row->started_us >= row->planned_us));
}

static void load(const struct load_dataset *set, struct view text, const struct tz *zone)
{
	struct load_context ctx = {.now_us = 800000000 * US_PER_SECOND, .arena = ARENA_INIT, .zone = zone};
	struct load_source *s = NULL;
	struct load_record record;
	struct err err = ERR_INIT;
	struct load_row row;

	if (load_source_open(onefile(text), "f", set, &s, &err))
		return;
	set = load_source_set(s);
	ctx.day_first = set->day_first;
	while (arena_reset(&ctx.arena), load_source_next(s, &ctx.arena, &record, &err) > 0)
		if (!record.skip && set->map(&ctx, record.values, &row) == LOAD_TAKEN)
			check_row(&row);
	load_source_close(s);
	arena_release(&ctx.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct load_dataset *const sets[] = {&load_nyc311, &load_chicago, &load_datagouv};
	static struct tz_cache *zones;
	static const struct tz *zone;
	struct err err = ERR_INIT;
	size_t i;

	if (!zones) {
		zones = tz_cache_new(io_system(), NULL);
		zone = tz_open(zones, load_nyc311.zone, &err);
		wm_assert(zone);
	}
	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		load(sets[i], view_of(data, len), zone);
	return 0;
}
