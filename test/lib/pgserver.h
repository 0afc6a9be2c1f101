/* A libpq connection as module sql's server, for tests. */
#ifndef WALMILL_TEST_PGSERVER_H
#define WALMILL_TEST_PGSERVER_H

#include <libpq-fe.h>

#include "sql/sql.h"

struct sql_server pgserver_of(PGconn *conn);

#endif
