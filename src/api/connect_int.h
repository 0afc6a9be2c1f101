/* The rooms of the Connect face: connect.c (routes, life cycle), connect_show.c (what is there), connect_configs.c (creating, changing,
 * checking), connect_offsets.c, connect_plugins.c (plugins, loggers), connect_errors.c. */
#ifndef WALMILL_API_CONNECT_INT_H
#define WALMILL_API_CONNECT_INT_H

#include "api/route.h"
#include "base/js.h"

#define CONNECTOR_CLASS "io.debezium.connector.postgresql.PostgresConnector"

/* connect_errors.c. The sentences that a worker has for a connector that is not there. */
enum connect_missing { MISSING_CONNECTOR, MISSING_UNKNOWN, MISSING_RESTART, MISSING_STATUS, MISSING_TASK_STATUS, MISSING_TASK };
void connect_missing(struct call *c, enum connect_missing which);   /* 404; args[0] is the connector, args[1] the task */
/* The body as one JSON object, its reader behind the opening brace; false when it was answered with 400. */
bool connect_body(struct call *c, const char *what, struct js_reader *js);
void connect_bad_body(struct call *c, const struct js_reader *js, const char *what);

/* connect.c. A parameter as Java reads it: "true" in any case, all else is false; `otherwise` when it is not given or empty. */
bool connect_flag(const struct call *c, const char *name, bool otherwise);
/* args[1] as a task's number, which is made plain in place ("00" is task 0); false when it was answered, as it is none. */
bool connect_task(struct call *c, bool *ret_first);

/* connect_show.c */
void connect_list(struct call *c);
void connect_info(struct call *c);
void connect_config(struct call *c);
void connect_status(struct call *c);
void connect_tasks(struct call *c);
void connect_tasks_config(struct call *c);
void connect_task_status(struct call *c);
/* The same for a name; false when there is no such connector. restarting: 0, or which states say so. */
enum { RESTARTING_CONNECTOR = 1, RESTARTING_TASK = 2 };
bool connect_put_info(struct call *c, struct view name, bool tasks);
bool connect_put_status(struct call *c, struct view name, unsigned restarting);

/* connect_configs.c */
void connect_create(struct call *c);
void connect_put(struct call *c);
void connect_patch(struct call *c);
void connect_validate(struct call *c);

/* connect_offsets.c */
void connect_offsets(struct call *c);
void connect_alter_offsets(struct call *c);
void connect_reset_offsets(struct call *c);
void connect_topics(struct call *c);
void connect_reset_topics(struct call *c);

/* connect_plugins.c */
void connect_plugins(struct call *c);
void connect_plugin_config(struct call *c);
void connect_loggers(struct call *c);
void connect_logger(struct call *c);
void connect_set_logger(struct call *c);
bool connect_plugin_is(struct view name);   /* the class by one of its names */
/* One definition, as an object; NULL puts null. */
struct config_def;
void connect_put_definition(struct buf *b, const struct config_def *d, enum capture_dialect dialect);
const char *connect_plugin_version(enum capture_dialect dialect);

#endif
