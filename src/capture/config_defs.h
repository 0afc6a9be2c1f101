/*
 * Every key that a connector's configuration may have under the names of Kafka Connect and Debezium: one table, from which faults get their
 * words and their order, unknown keys are told, and GET /connector-plugins/.../config is answered. Never changed; any thread.
 */
#ifndef WALMILL_CAPTURE_CONFIG_DEFS_H
#define WALMILL_CAPTURE_CONFIG_DEFS_H

#include "base/bytes.h"
#include "capture/config.h"

enum config_group {
	/* Connect's own */
	GROUP_COMMON, GROUP_TRANSFORMS, GROUP_PREDICATES, GROUP_ERRORS, GROUP_TOPICS, GROUP_ONCE, GROUP_OFFSETS,
	/* the connector's */
	GROUP_POSTGRES, GROUP_CONNECTOR, GROUP_EVENTS
};

enum config_role {
	OBEYED,
	ACCEPTED,   /* of no consequence here, or answered by walmill's own settings */
	REFUSED,    /* changes what is published or read, and walmill does not have it: better refused than half obeyed */
	IGNORED,    /* with a warning */
};

struct config_def {
	const char *key;
	const char *type;        /* STRING, INT, LONG, BOOLEAN, LIST, CLASS, PASSWORD */
	const char *preset;      /* NULL = none */
	const char *importance, *width;
	uint8_t group;           /* enum config_group */
	uint8_t order[2];        /* within its group, by enum capture_dialect; 0 = that version does not have it */
	uint8_t role;            /* enum config_role */
	const char *choices;     /* "a,b", in the order in which they are told; or NULL */
	const char *checks;      /* what the value is held against, a letter each, in order: see config_check.c; NULL = by type */
	const char *about;       /* a sentence; NULL = what its role says */
};

extern const struct config_def config_defs[];
extern const unsigned config_ndefs;

const struct config_def *config_def_find(struct view key);   /* NULL when it is not one of them */
const char *config_group_name(enum config_group g);
const char *config_def_about(const struct config_def *d);
static inline bool config_def_is_connects(const struct config_def *d) { return d->group < GROUP_POSTGRES; }

#endif
