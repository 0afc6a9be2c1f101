/* Reading a configuration: state and helpers shared by config.c, config_check.c and config_transforms.c. */
#ifndef WALMILL_CAPTURE_CONFIG_INTERNAL_H
#define WALMILL_CAPTURE_CONFIG_INTERNAL_H

#include "base/map.h"
#include "capture/config.h"
#include "capture/config_defs.h"

struct config_reader {
	struct connector_config *config;
	const struct pg_params *source;   /* of a configuration that names no server; or NULL */
	struct map values;      /* key -> struct view * in the arena */
	struct map asked;       /* keys that somebody asked for */
	struct config_fault *faults;  /* texts in the configuration's arena */
	unsigned nfaults;
};

struct config_choice {
	const char *word;
	int value;
};

struct view config_get(struct config_reader *r, const char *key);
struct view config_string(struct config_reader *r, const char *key, const char *preset);
int config_choice(struct config_reader *r, const char *key, const struct config_choice *choices, int preset);
bool config_bool(struct config_reader *r, const char *key, bool preset);
int64_t config_int(struct config_reader *r, const char *key, int64_t preset, int64_t least, int64_t most);
/* config_check.c. In Debezium's words where the key is the connector's, else in Connect's. value.ptr NULL = nothing was given. */
void config_fault(struct config_reader *r, const char *key, struct view value, const char *why);
void config_missing(struct config_reader *r, const char *key);
void config_fault_text(struct config_reader *r, const char *key, const char *text);  /* the whole sentence */
void config_fault_choice(struct config_reader *r, const char *key, struct view value, const char *choices);
bool config_check_value(struct config_reader *r, const struct config_def *d, struct view value);   /* its type; false: faults were noted */
bool config_text_is_bool(struct view v);
bool config_text_is_int(struct view v, int64_t *ret);
bool config_among(const char *choices, struct view v);   /* whether v is one of "a,b", without regard to case */
/* Everything that nobody asked for: its type, what is refused, what is not known. */
void config_check_others(struct config_reader *r);
void config_sort_faults(struct config_reader *r);   /* in the order of the table, keys that are not in it last */

void config_warn(struct config_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reads "transforms" and everything below "transforms.*". */
void config_transforms(struct config_reader *r);

#endif
