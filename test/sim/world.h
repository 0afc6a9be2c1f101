/*
 * A log on a simulated machine, and beside it a model: what the log must say. Everything that happens comes from one seed.
 *
 * The model holds each unit that was closed, with its bytes, and which of them were acknowledged. After a crash and recovery the log
 * must hold exactly the units 1..R, for an R between the last acknowledged and the last closed one, each byte for byte and whole;
 * offsets without gap; topics, pins and notes as the calls that returned have left them.
 */
#ifndef WALMILL_TEST_WORLD_H
#define WALMILL_TEST_WORLD_H

#include "log/log.h"
#include "simio.h"

struct world;

struct world *world_new(uint64_t seed, unsigned bugs);
void world_free(struct world *w);

/* Each returns false when the log did not keep its word; world_why says how. */
bool world_open(struct world *w);                 /* opens the log, whatever crashes are set for the meantime, and checks all of it */
bool world_run(struct world *w, unsigned steps);  /* random work; ends early, with true, when the machine stops or the log fails */
bool world_check(struct world *w);                /* compares the whole log with the model */
bool world_verify(struct world *w);               /* log_verify finds nothing */
void world_close(struct world *w);                /* in good order, or after the machine has stopped */
bool world_crash(struct world *w);                /* closes, crashes the machine, opens again */
const char *world_why(const struct world *w);
struct simio *world_sim(struct world *w);
struct log *world_log(struct world *w);

struct world_counts {
	uint64_t units, batches, acked, crashes, recovered_more, topics, trims, rewrites, prepared, corrupt;
};
struct world_counts world_counts(const struct world *w);

#endif
