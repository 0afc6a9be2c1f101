/* The demonstration's simulator: moves interventions through their life cycle in the source database, in a thread of its own. */
#ifndef WALMILL_CLI_SIMULATOR_H
#define WALMILL_CLI_SIMULATOR_H

#include "pg/conn.h"

struct simulator;

/* rate: transactions a second. Connection troubles are waited out. */
struct simulator *simulator_start(const struct pg_params *source, double rate);
void simulator_stop(struct simulator *s);  /* NULL is fine */
uint64_t simulator_done(struct simulator *s);

#endif
