/*
 * What mappings of data sets share: references, titles, descriptions, times, places. For the load_*.c of data sets; any thread: nothing is
 * shared. Texts go into the context's arena.
 */
#ifndef WALMILL_CLI_LOAD_MAP_H
#define WALMILL_CLI_LOAD_MAP_H

#include "base/bytes.h"
#include "cli/load.h"

/* Empty, or one of the data set's words for "nothing" (NULL ends them; the list may be NULL). */
bool load_is_nothing(struct view v, const char *const *words);

/* prefix and key; LOAD_SKIP_KEY when there is no key, it is too long, or holds blanks or control characters. */
enum load_skip load_map_reference(struct load_context *ctx, const char *prefix, struct view key, struct load_row *ret);

/* At most 160 code points, control characters become blanks; empties `b`. */
void load_map_title(struct load_context *ctx, struct buf *b, struct load_row *ret);
/* Adds a part that is not nothing, with what stands between it and what is there already. */
void load_title_part(struct buf *b, const char *between, struct view part, const char *const *nothing);

/* A line of the description for each column that has something: "LABEL: value", or the value alone when the label is "". */
struct load_line {
	const char *label;
	unsigned column;
};
void load_map_lines(struct load_context *ctx, const struct load_line *lines, size_t n, const struct view *values,
	const char *const *nothing, struct load_row *ret);

struct load_word {
	const char *word;
	int value;
};
/* Of the word that is v, without regard to case; -1 when there is none. */
int load_word(const struct load_word *words, size_t n, struct view v);
bool load_contains(struct view v, const char *word);   /* without regard to the case of ASCII letters */

/* The instant of a time: with Z or an offset behind it, or in the data set's zone. */
bool load_time(const struct load_context *ctx, struct view text, int64_t *ret_us) WM_MUST_USE;
/* Not before `from`, not later than tomorrow. */
bool load_plausible(const struct load_context *ctx, int64_t from_us, int64_t us);

/* Both coordinates within the area, or none: those outside, zeroes and halves are counted as repaired. */
struct load_area {
	double south, north, west, east;
};
void load_map_place(struct load_context *ctx, const struct load_area *area, struct view lat, struct view lon, struct view location,
	struct load_row *ret);

#endif
