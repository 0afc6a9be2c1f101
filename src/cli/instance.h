/*
 * A running walmill: log, registry and listeners put together. What `up` and `demo` share. Main thread.
 */
#ifndef WALMILL_CLI_INSTANCE_H
#define WALMILL_CLI_INSTANCE_H

#include "api/api.h"
#include "base/logger.h"
#include "cli/cli.h"
#include "kafka/kafka.h"

struct instance {
	struct cli *cli;
	struct logger *logger;
	struct metrics *metrics;
	struct log *log;
	struct registry *registry;
	struct wake wake;
	struct api api;
	struct kafka *kafka;     /* NULL: nowhere */
	struct live *live;
	struct http_server *servers[12];
	unsigned nservers;
	unsigned ports[4];       /* connect, jobs, api, console; 0 = not open */
	struct pg_params source, target;
};

/* Takes the data directory, opens the log, starts what was running, opens the listeners. */
int instance_start(struct instance *in, struct cli *c, struct err *err) WM_MUST_USE;
void instance_stop(struct instance *in);

/* Signals: set by SIGINT and SIGTERM. */
void instance_catch_signals(void);
bool instance_stopping(void);

/* Waits until something changes, the time is over, or a signal came. */
void instance_wait(struct instance *in, int64_t timeout_us);

/* Logs what changed of connectors and jobs since the last call. */
void instance_report_changes(struct instance *in);

#endif
