/*
 * Mapped rows into PostgreSQL: COPY into a temporary table, then one statement that inserts what is new and updates what differs. One
 * transaction. For load.c; one thread.
 */
#ifndef WALMILL_CLI_LOAD_COPY_H
#define WALMILL_CLI_LOAD_COPY_H

#include "cli/load.h"

struct load_copy;

int load_copy_begin(const struct pg_params *target, const char *user_domain, struct load_copy **ret, struct err *err) WM_MUST_USE;
int load_copy_put(struct load_copy *c, const struct load_row *row, struct err *err) WM_MUST_USE;

/* Upserts and commits. */
int load_copy_finish(struct load_copy *c, uint64_t *ret_inserted, uint64_t *ret_updated, struct err *err) WM_MUST_USE;
void load_copy_close(struct load_copy *c);  /* rolls back what is not finished; NULL is fine */

#endif
