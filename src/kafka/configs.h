/*
 * Configurations of topics as Apache Kafka names them: one table of keys with types and defaults. The log itself obeys retention.ms,
 * retention.bytes and cleanup.policy, Produce max.message.bytes and message.timestamp.type; the others are kept and shown. Any thread.
 */
#ifndef WALMILL_KAFKA_CONFIGS_H
#define WALMILL_KAFKA_CONFIGS_H

#include "log/log.h"

enum config_type { CONFIG_BOOLEAN = 1, CONFIG_STRING = 2, CONFIG_INT = 3, CONFIG_LONG = 5, CONFIG_DOUBLE = 6, CONFIG_LIST = 7 };
enum config_source { SOURCE_TOPIC = 1, SOURCE_STATIC_BROKER = 4, SOURCE_DEFAULT = 5 };

struct config_key {
	const char *name;
	enum config_type type;
	const char *preset;
	int64_t min, max;            /* of numbers */
	const char *words;           /* of strings and lists: what may stand, separated by blanks; NULL: anything */
	const char *doc;
};

extern const struct config_key config_keys[];
extern const unsigned n_config_keys;

const struct config_key *config_key(struct view name); /* NULL: there is none */
/* Whether the key takes the value; *err says why not. */
int config_check(const struct config_key *key, struct view value, struct err *err) WM_MUST_USE;
/* The topic's own value in `into`, or the default; which of the two. */
enum config_source config_value(struct log *log, const uint8_t topic[16], const struct config_key *key, struct buf *into);

#endif
