/*
 * A change_out that keeps everything in memory: what capture published, for tests that need no log.
 *
 * The connector's thread writes; the test's thread looks through the functions below, which lock. Durability is immediate unless
 * memout_hold(): then durable() stays where it is until memout_hold(false), which is how a test sees that nothing is confirmed early.
 */
#ifndef WALMILL_TEST_MEMOUT_H
#define WALMILL_TEST_MEMOUT_H

#include "model/change.h"
#include "model/unit.h"

struct memlog; /* what outlives a connector: give it to the next memout to test restarts */

struct memlog *memlog_new(void);
void memlog_free(struct memlog *m);
struct change_out *memout_new(struct memlog *m);

void memlog_hold(struct memlog *m, bool hold);
void memlog_fail_next(struct memlog *m, enum err_code code); /* the next append fails */

void memlog_forget_kept(struct memlog *m);                   /* as if no UNIT_KEPT had ever been closed */

unsigned memlog_units(struct memlog *m);                     /* closed */
/* Payload of unit i, loaded into the arena. */
void memlog_unit(struct memlog *m, unsigned i, struct arena *a, struct unit_payload *ret);
unsigned memlog_records(struct memlog *m, const char *topic); /* in closed units; NULL = all topics */
/* Value (or key) of record i of a topic, NUL-terminated, NULL for null; valid until the memlog is freed. */
const char *memlog_value(struct memlog *m, const char *topic, unsigned i);
const char *memlog_key(struct memlog *m, const char *topic, unsigned i);
lsn_t memlog_position(struct memlog *m);                     /* end LSN of the last unit with a position */
lsn_t memlog_durable(struct memlog *m);                      /* the same among the durable ones */
/* A file per topic in the golden files' line format. */
int memlog_dump(struct memlog *m, const char *dir, struct err *err);

#endif
