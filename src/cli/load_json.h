/*
 * Cuts a stream of JSON into its top-level objects: [{...},{...}] or {...} {...}, without looking into them. For load_source.c; one thread.
 */
#ifndef WALMILL_CLI_LOAD_JSON_H
#define WALMILL_CLI_LOAD_JSON_H

#include "base/text.h"

struct json_cutter;

struct json_cutter *json_cutter_new(text_fill_fn fill, void *arg, size_t object_max);
void json_cutter_free(struct json_cutter *c);

/* 1: *ret is the text of the next object, until the next call, and *ret_line where it begins; 0: the end; -1: ERR_INVALID or ERR_LIMIT
 * with the line. */
int json_cutter_next(struct json_cutter *c, struct view *ret, uint64_t *ret_line, struct err *err) WM_MUST_USE;

#endif
