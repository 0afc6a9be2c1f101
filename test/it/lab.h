/*
 * A laboratory for connectors: one database of a throwaway PostgreSQL, one connector that publishes into memory, a witness and writers.
 *
 * The witness is a second slot, of plugin test_decoding: it tells every change in commit order, without any code of ours between, and so is
 * what the connector's records are compared with. Main thread of a test, but for the writers, which have threads of their own.
 */
#ifndef WALMILL_TEST_LAB_H
#define WALMILL_TEST_LAB_H

#include "base/thread.h"
#include "capture/connector.h"
#include "memout.h"
#include "pgtemp.h"

struct lab {
	struct pgtemp *server;
	const char *name;            /* of the database, slot, publication, connector and topic prefix */
	PGconn *sql;
	struct memlog *log;
	struct connector *connector; /* NULL while there is none */
	struct wake wake;
	const char *more;            /* further keys of the configuration, beginning with a comma; or NULL */
};

enum { WRITERS = 3 };

/* Threads that insert, update, delete and roll back in public.t(id bigserial, n int) until told to stop; a lost connection is made anew. */
struct writers {
	struct writer {
		struct thread thread;
		struct writers *all;
		int number;
	} each[WRITERS];
	struct lock lock;            /* guards what follows */
	struct wake wake;            /* signalled after each transaction, and to stop */
	bool stop;
	unsigned commits;
	char dsn[256];
};

/* The server that the tests of one program share: fixtures of the group. */
extern struct pgtemp *lab_server;
int lab_server_start(void **state);
int lab_server_stop(void **state);

struct lab *lab_new(struct pgtemp *server, const char *name, const char *schema_sql);
void lab_free(struct lab *l);                    /* drops slots and database */
void lab_sql(struct lab *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *lab_value(struct lab *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3))); /* first cell, "" for NULL, "(none)" without rows; free it */
lsn_t lab_lsn(struct lab *l, const char *expression);
void lab_reconnect(struct lab *l);               /* the SQL session, after a crash of the server */

void lab_start(struct lab *l);                   /* a new connector over what the log has, on l->server */
void lab_start_out(struct lab *l, struct change_out *out);
void lab_stop(struct lab *l);                    /* and waits until the server knows that the slot is free */
void lab_caught_up(struct lab *l);               /* until all that the server has now is durable */
/* Until the connector is in that state (and step), or fails the test; its error is left in *ret when ret is given. */
void lab_wait_state(struct lab *l, enum connector_state state, struct err *ret);
void lab_wait_step(struct lab *l, enum connector_step step, struct err *ret);
/* Until the query says t. */
void lab_wait_sql(struct lab *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void lab_expect(const struct err *err, const char *text, const char *hint); /* both must occur in it */

void lab_witness(struct lab *l);                 /* from here on; before any row is written */
void lab_compare(struct lab *l); /* records of topic NAME.public.t against the witness: operation, key and transaction of each, in order */

void writers_start(struct writers *w, struct lab *l);
void writers_wait(struct writers *w, unsigned commits);   /* until so many more */
void writers_stop(struct writers *w);

#endif
