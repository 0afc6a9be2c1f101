/*
 * Rows of named columns from a file: CSV with a header, or JSON (an array of objects, or objects one after the other), whichever the file
 * holds. Columns are found by name, never by position. Texts come out as valid UTF-8.
 *
 * For load.c; one thread. A record is at most 1 MiB.
 */
#ifndef WALMILL_CLI_LOAD_SOURCE_H
#define WALMILL_CLI_LOAD_SOURCE_H

#include "base/arena.h"
#include "cli/load.h"

struct load_source;

/*
 * Which of the data set's kinds the file is (set, set->next and so on) is told by its header, which may stand behind a few lines of other
 * text, or by the keys of its first object. ERR_NOT_FOUND without the file, ERR_INVALID when a required column is not in
 * it, or when files of
 * its kind are not loaded.
 */
int load_source_open(struct io *io, const char *path, const struct load_dataset *set, struct load_source **ret,
	struct err *err) WM_MUST_USE;
void load_source_close(struct load_source *s);  /* NULL is fine */

const struct load_dataset *load_source_set(const struct load_source *s);
const char *load_source_layout(const struct load_source *s);
uint64_t load_source_size(const struct load_source *s);  /* bytes of the file */
uint64_t load_source_pos(const struct load_source *s);   /* bytes read */

struct load_record {
	struct view values[LOAD_COLUMNS_MAX];  /* trimmed; in the arena or the source's buffer, until the next call */
	uint64_t line;
	unsigned recoded;                      /* values that were not UTF-8 and were read as Windows-1252 */
	enum load_skip skip;                   /* LOAD_TAKEN, or why the record cannot be used */
};

/* 1: a record; 0: the end; -1: the file is broken, with the line. */
int load_source_next(struct load_source *s, struct arena *a, struct load_record *ret, struct err *err) WM_MUST_USE;

#endif
