/* Shared by the mappings of data sets; see load_map.h. */
#include "cli/load_map.h"

#include "base/js.h"
#include "base/text.h"
#include "model/datetime.h"

bool load_is_nothing(struct view v, const char *const *words)
{
	for (; words && *words; words++)
		if (text_is(v, *words))
			return true;
	return v.len == 0;
}

enum load_skip load_map_reference(struct load_context *ctx, const char *prefix, struct view key, struct load_row *ret)
{
	size_t i;

	for (i = 0; i < key.len; i++)
		if (key.ptr[i] <= ' ' || key.ptr[i] == 0x7f)
			return LOAD_SKIP_KEY;
	if (!key.len || strlen(prefix) + text_utf8_points(key) > 50)
		return LOAD_SKIP_KEY;
	ret->reference = view_str(arena_printf(&ctx->arena, "%s%.*s", prefix, (int)key.len, (const char *)key.ptr));
	return LOAD_TAKEN;
}

void load_title_part(struct buf *b, const char *between, struct view part, const char *const *nothing)
{
	if (load_is_nothing(part, nothing))
		return;
	if (b->len)
		buf_puts(b, between);
	buf_putv(b, part);
}

void load_map_title(struct load_context *ctx, struct buf *b, struct load_row *ret)
{
	struct view whole;
	size_t i;

	for (i = 0; i < b->len; i++)
		if (b->ptr[i] < ' ' || b->ptr[i] == 0x7f)
			b->ptr[i] = ' ';
	whole = buf_view(b);
	ret->title = arena_view(&ctx->arena, text_utf8_cut(whole, 160));
	ctx->repairs[LOAD_REPAIR_TITLE] += ret->title.len < whole.len;
	buf_release(b);
}

void load_map_lines(struct load_context *ctx, const struct load_line *lines, size_t n, const struct view *values,
	const char *const *nothing, struct load_row *ret)
{
	struct buf b = BUF_INIT(1 << 22);
	size_t i;

	for (i = 0; i < n; i++) {
		if (load_is_nothing(values[lines[i].column], nothing))
			continue;
		if (b.len)
			buf_putc(&b, '\n');
		if (lines[i].label[0])
			buf_printf(&b, "%s: ", lines[i].label);
		buf_putv(&b, values[lines[i].column]);
	}
	ret->description = arena_view(&ctx->arena, buf_view(&b));
	buf_release(&b);
}

int load_word(const struct load_word *words, size_t n, struct view v)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (text_is(v, words[i].word))
			return words[i].value;
	return -1;
}

bool load_contains(struct view v, const char *word)
{
	size_t n = strlen(word), i;

	for (i = 0; i + n <= v.len; i++)
		if (text_starts(view_of(v.ptr + i, v.len - i), word))
			return true;
	return false;
}

/* ---- times ---- */

bool load_time(const struct load_context *ctx, struct view text, int64_t *ret_us)
{
	static const char *const utc[] = {"Z", " +0000", "+00:00", "+0000"};
	int64_t local;
	size_t i;

	for (i = 0; i < sizeof(utc) / sizeof(utc[0]); i++) {
		size_t n = strlen(utc[i]);

		if (text.len > n + 10 && memcmp(text.ptr + text.len - n, utc[i], n) == 0)
			return load_wall_time_of(view_of(text.ptr, text.len - n), ctx->day_first, ret_us);
	}
	if (!load_wall_time_of(text, ctx->day_first, &local))
		return false;
	*ret_us = load_wall_to_utc(ctx->zone, local);
	return true;
}

bool load_plausible(const struct load_context *ctx, int64_t from_us, int64_t us)
{
	return us >= from_us && us <= ctx->now_us + US_PER_DAY;
}

/* ---- places ---- */

static bool in_number(uint8_t c)
{
	return c == '-' || c == '.' || (c >= '0' && c <= '9');
}

/* The first two numbers in a text such as "(40.69, -73.84)" or "POINT (-73.83 40.87)". */
static bool two_numbers(struct view v, struct view *first, struct view *second)
{
	struct view found[2];
	size_t i = 0, n = 0;

	while (n < 2) {
		size_t from;

		while (i < v.len && !in_number(v.ptr[i]))
			i++;
		for (from = i; i < v.len && in_number(v.ptr[i]); i++)
			;
		if (i == from)
			return false;
		found[n++] = view_of(v.ptr + from, i - from);
	}
	*first = found[0];
	*second = found[1];
	return true;
}

/* {"type":"Point","coordinates":[lon,lat]}, {"latitude":"..","longitude":".."} or {"lat":..,"lon":..} */
static bool json_place(struct load_context *ctx, struct view text, struct view *lat, struct view *lon)
{
	struct js_reader r;
	struct js_token t;
	unsigned n = 0;

	js_reader_init(&r, text, 0);
	if (js_next(&r, &t) != JS_OBJECT)
		return false;
	while (js_next(&r, &t) != JS_OBJECT_END) {
		bool scalar = t.kind == JS_STRING || t.kind == JS_NUMBER;

		if (t.kind == JS_BAD || t.kind == JS_END)
			return false;
		if (scalar && (view_is(t.key, "latitude") || view_is(t.key, "lat")))
			*lat = js_unescape(&ctx->arena, t.text, t.text_escaped);
		else if (scalar && (view_is(t.key, "longitude") || view_is(t.key, "lon")))
			*lon = js_unescape(&ctx->arena, t.text, t.text_escaped);
		else if (t.kind == JS_ARRAY && view_is(t.key, "coordinates"))
			while (js_next(&r, &t) == JS_NUMBER)
				*(n++ ? lat : lon) = t.text; /* GeoJSON: longitude first */
		else if (js_skip(&r, &t) == JS_BAD)
			return false;
	}
	return lat->len && lon->len;
}

/* "{'lon': 2.33, 'lat': 48.88}": a dictionary of Python's, which some republish. */
static bool dict_place(struct load_context *ctx, struct view text, struct view *lat, struct view *lon)
{
	struct view json = arena_view(&ctx->arena, text);
	uint8_t *at = (uint8_t *)(uintptr_t)json.ptr;
	size_t i;

	for (i = 0; i < json.len; i++)
		if (at[i] == '\'')
			at[i] = '"';
	return json_place(ctx, json, lat, lon);
}

static bool location_place(struct load_context *ctx, struct view text, struct view *lat, struct view *lon)
{
	if (text.len && text.ptr[0] == '{')
		return json_place(ctx, text, lat, lon) || dict_place(ctx, text, lat, lon);
	if (text_starts(text, "POINT"))
		return two_numbers(text, lon, lat);
	return two_numbers(text, lat, lon);
}

/* 48,85 as it is written in French files */
static struct view with_point(struct load_context *ctx, struct view v)
{
	uint8_t *comma;

	if (!v.len || memchr(v.ptr, '.', v.len) || !memchr(v.ptr, ',', v.len))
		return v;
	v = arena_view(&ctx->arena, v);
	comma = memchr((uint8_t *)(uintptr_t)v.ptr, ',', v.len);
	*comma = '.';
	return v;
}

void load_map_place(struct load_context *ctx, const struct load_area *area, struct view lat, struct view lon, struct view location,
	struct load_row *ret)
{
	double y, x;

	if (!lat.len && !lon.len && !location_place(ctx, location, &lat, &lon))
		return;
	lat = with_point(ctx, lat);
	lon = with_point(ctx, lon);
	if (!text_f64(lat, &y) || !text_f64(lon, &x) || y < area->south || y > area->north || x < area->west || x > area->east || y == 0 ||
		x == 0) {
		ctx->repairs[LOAD_REPAIR_PLACE]++;
		return;
	}
	ret->latitude = lat;
	ret->longitude = lon;
}
