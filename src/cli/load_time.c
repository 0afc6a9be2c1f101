/* Wall times of published files; see load.h. Any thread: nothing is shared. */
#include "base/text.h"
#include "cli/load.h"
#include "model/datetime.h"

struct scan {
	const uint8_t *ptr, *end;
	bool bad;
};

/* A number of min to max digits. */
static int number(struct scan *s, unsigned min, unsigned max)
{
	unsigned n = 0;
	int v = 0;

	while (n < max && s->ptr < s->end && *s->ptr >= '0' && *s->ptr <= '9') {
		v = v * 10 + (*s->ptr++ - '0');
		n++;
	}
	s->bad |= n < min;
	return v;
}

static bool accept(struct scan *s, char c)
{
	if (s->ptr == s->end || *s->ptr != (uint8_t)c)
		return false;
	s->ptr++;
	return true;
}

static void expect(struct scan *s, char c)
{
	s->bad |= !accept(s, c);
}

static int month_name(struct scan *s)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	char word[4];
	const char *at;
	size_t i;

	if (s->end - s->ptr < 3) {
		s->bad = true;
		return 0;
	}
	for (i = 0; i < 3; i++)
		word[i] = (char)(s->ptr[i] | 0x20);
	word[3] = '\0';
	s->ptr += 3;
	at = strstr(names, word);
	s->bad |= !at || (at - names) % 3 != 0;
	return s->bad ? 0 : (int)(at - names) / 3 + 1;
}

/* How the time behind a date is written. */
enum clock_form { CLOCK_TWELVE, CLOCK_ISO, CLOCK_SHORT };

/* hh:mm:ss with AM or PM behind it (twelve), HH:MM:SS with a fraction, or the same with the seconds left out (short) */
static void clock_time(struct scan *s, enum clock_form form, struct civil *c)
{
	bool twelve = form == CLOCK_TWELVE;
	int factor = 100000;

	c->hour = number(s, 1, 2);
	expect(s, ':');
	c->minute = number(s, 2, 2);
	if (form == CLOCK_SHORT && s->ptr == s->end)
		return;
	expect(s, ':');
	c->second = number(s, 2, 2);
	if (!twelve && accept(s, '.'))
		for (; s->ptr < s->end && *s->ptr >= '0' && *s->ptr <= '9'; factor /= 10)
			c->us += (*s->ptr++ - '0') * factor;
	if (twelve) {
		bool pm;

		expect(s, ' ');
		pm = s->ptr < s->end && (*s->ptr == 'P' || *s->ptr == 'p');
		s->bad |= c->hour < 1 || c->hour > 12 || !text_is(view_of(s->ptr, (size_t)(s->end - s->ptr)), pm ? "PM" : "AM");
		s->ptr = s->end;
		c->hour = c->hour % 12 + (pm ? 12 : 0);
	}
}

static enum clock_form date(struct scan *s, bool day_first, struct civil *c)
{
	const uint8_t *slash = memchr(s->ptr, '/', s->end - s->ptr < 3 ? (size_t)(s->end - s->ptr) : 3);

	if (slash) {
		int *first = day_first ? &c->day : &c->month, *second = day_first ? &c->month : &c->day;

		*first = number(s, 1, 2);
		expect(s, '/');
		*second = number(s, 1, 2);
		expect(s, '/');
		c->year = number(s, 4, 4);
		return day_first ? CLOCK_SHORT : CLOCK_TWELVE;
	}
	c->year = number(s, 4, 4);
	if (accept(s, '-')) {
		c->month = number(s, 2, 2);
		expect(s, '-');
		c->day = number(s, 2, 2);
		return CLOCK_ISO;
	}
	expect(s, ' ');
	c->month = month_name(s);
	expect(s, ' ');
	c->day = number(s, 1, 2);
	return CLOCK_TWELVE;
}

bool load_wall_time_of(struct view text, bool day_first, int64_t *ret_local_us)
{
	struct scan s = {text.ptr, text.ptr + text.len, !text.len};
	struct civil c = {.year = 0};
	enum clock_form form = text.len ? date(&s, day_first, &c) : CLOCK_ISO;

	if (s.ptr < s.end) {
		if (form != CLOCK_ISO || !accept(&s, 'T'))
			expect(&s, ' ');
		clock_time(&s, form, &c);
	}
	if (s.bad || s.ptr != s.end || c.year < 1 || c.month < 1 || c.month > 12 || c.day < 1 || c.day > civil_month_length(c.year, c.month) ||
		c.hour > 23 || c.minute > 59 || c.second > 59)
		return false;
	*ret_local_us = civil_us(&c);
	return true;
}

int64_t load_wall_to_utc(const struct tz *zone, int64_t local_us)
{
	int64_t second = tz_to_utc(zone, local_us);
	/* the offset in force some hours before: before the clocks went back, if they have just done so */
	int64_t first = local_us - tz_offset(zone, second - 6 * 3600 * US_PER_SECOND) * US_PER_SECOND;

	return first < second && tz_to_local(zone, first) == local_us ? first : second;
}
