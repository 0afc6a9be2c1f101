/*
 * A small world for integration tests: a throwaway PostgreSQL, a log in a directory of its own, one connector, any number of jobs. The
 * composition that `walmill up` makes, without its listeners. Main thread of a test.
 */
#ifndef WALMILL_TEST_WORLD_H
#define WALMILL_TEST_WORLD_H

#include "capture/connector.h"
#include "job/job.h"
#include "pgtemp.h"

struct world {
	struct pgtemp *server;
	PGconn *sql;                /* database "app" */
	char dir[256];              /* the log's */
	char checkpoints[256];      /* directory of the jobs' checkpoints, which they make every 20 ms */
	struct log *log;
	struct connector *connector;
	struct job_env env;
	struct wake wake;
	char connector_json[4096];
};

void world_start(struct world *w, const char *schema_sql, const char *tables);  /* tables: table.include.list; no connector yet */
void world_stop(struct world *w);
void world_open_log(struct world *w);
void world_close_log(struct world *w);         /* connector and jobs must be gone */
void world_setting(struct world *w, const char *key, const char *value);  /* of the connector's configuration, before it is made */
void world_connect(struct world *w);           /* connector of the configuration, started */
void world_disconnect(struct world *w);
void world_sql(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *world_value(struct world *w, const char *sql); /* first cell; free it */
void world_expect(struct world *w, const char *want, const char *sql); /* the first cell is that, or the test fails */
lsn_t world_lsn(struct world *w);              /* end of the source's WAL now */
struct job *world_job(struct world *w, const char *name, const char *text);
void world_wait_job(struct world *w, struct job *j, enum job_state want);
void world_wait_connector(struct world *w, lsn_t durable);
void world_verify(struct world *w, struct job *j); /* fails the test with the differences */

#endif
