/* Reading a configuration: state and helpers shared by config.c and config_transforms.c. */
#ifndef WALMILL_CAPTURE_CONFIG_INTERNAL_H
#define WALMILL_CAPTURE_CONFIG_INTERNAL_H

#include "base/map.h"
#include "capture/config.h"

struct config_reader {
	struct connector_config *config;
	const struct pg_params *source;   /* of a configuration that names no server; or NULL */
	struct map values;      /* key -> struct view * in the arena */
	struct map asked;       /* keys that somebody asked for */
	struct buf faults;      /* a line each */
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
void config_fault(struct config_reader *r, const char *key, struct view value, const char *why);
void config_warn(struct config_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reads "transforms" and everything below "transforms.*". */
void config_transforms(struct config_reader *r);

#endif
