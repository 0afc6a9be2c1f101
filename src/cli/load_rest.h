/*
 * Mapped rows through the application's REST API instead of into its table: POST /api/interventions/bulk, BATCH items a request. For
 * load.c; one thread.
 *
 *	request  {"items":[{"reference","title","description","status","assignmentMode","plannedAt","startedAt","completedAt",
 *	         "technician":{"email","fullName"},"latitude","longitude"}]}     absent values are null, times are ISO 8601 in UTC
 *	answer   {"created":n,"updated":n,"unchanged":n,"rejected":[{"index":i,"errors":[{"pointer","detail"}]}]}
 *
 * Unlike COPY it is not one transaction: what was accepted stays when a later request fails.
 */
#ifndef WALMILL_CLI_LOAD_REST_H
#define WALMILL_CLI_LOAD_REST_H

#include "cli/load.h"

struct load_rest;

/* refused: a row that the application did not take, with the line of the file that it stood in. */
typedef int (*load_refused_fn)(void *arg, uint64_t line, struct view reference, struct view why, struct err *err);

struct load_rest *load_rest_new(const struct load_poster *poster, const char *user_domain, load_refused_fn refused, void *arg);
int load_rest_put(struct load_rest *r, const struct load_row *row, uint64_t line, struct err *err) WM_MUST_USE;
int load_rest_finish(struct load_rest *r, uint64_t *ret_inserted, uint64_t *ret_updated, struct err *err) WM_MUST_USE;
void load_rest_free(struct load_rest *r);   /* NULL is fine */

#endif
