/*
 * A connector's configuration: the flat map of strings that Debezium's users write, read into typed fields.
 *
 * Three kinds of keys. Known ones are checked and obeyed. Unknown ones (a JVM's tuning, another tool's) are kept, ignored and listed as
 * warnings, because an unchanged file must work. Ones that Debezium knows and that would change the published bytes in a way walmill does
 * not have are refused by name: silently ignoring a mask would publish what its owner wanted hidden. Nothing in a configuration can name
 * code, a URL to fetch, or a file outside the connection's certificates: class names are looked up in a fixed table.
 */
#ifndef WALMILL_CAPTURE_CONFIG_H
#define WALMILL_CAPTURE_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "pg/conn.h"

enum capture_dialect { DIALECT_2_6, DIALECT_3_2 };
enum snapshot_mode { SNAPSHOT_INITIAL, SNAPSHOT_NO_DATA };
enum publication_mode { PUBLICATION_DISABLED, PUBLICATION_ALL_TABLES, PUBLICATION_FILTERED, PUBLICATION_NO_TABLES };
enum decimal_mode { DECIMAL_PRECISE, DECIMAL_DOUBLE, DECIMAL_STRING };
enum time_mode { TIME_ADAPTIVE, TIME_ADAPTIVE_MICROS, TIME_CONNECT, TIME_ISOSTRING, TIME_MICROS, TIME_NANOS };
enum interval_mode { INTERVAL_NUMERIC, INTERVAL_STRING };
enum binary_mode { BINARY_BYTES, BINARY_BASE64, BINARY_BASE64_URL, BINARY_HEX };
enum delete_mode { DELETE_DROP, DELETE_TOMBSTONE, DELETE_REWRITE, DELETE_REWRITE_TOMBSTONE, DELETE_TO_TOMBSTONE, DELETE_NONE };

enum transform_kind { TRANSFORM_UNWRAP, TRANSFORM_REGEX_ROUTER, TRANSFORM_LOGICAL_ROUTER };

struct add_field {
	struct view block;      /* "source", "transaction", "before", "after"; empty = looked up by name */
	struct view field;
	struct view name;       /* with prefix, as published */
};

struct regex;               /* regex.h */

struct transform {
	enum transform_kind kind;
	struct view name;                /* the user's */
	/* unwrap */
	enum delete_mode deletes;
	bool drop_tombstones;            /* legacy modes only: the modern ones say it themselves */
	struct add_field *add_fields, *add_headers;
	unsigned nadd_fields, nadd_headers;
	/* routers */
	struct regex *topic;
	struct view replacement;
	bool key_uniqueness;
	struct view key_field;
};

struct connector_config {
	struct arena arena;              /* owns all views below */
	struct view name;
	struct view json;                /* {"key":"value",...} as given, name added, keys in the order given */
	struct pg_params source;
	struct view prefix, slot, publication, delimiter;
	struct view unavailable;         /* unavailable.value.placeholder */
	struct view heartbeat_prefix;
	struct regex *table_include, *table_exclude, *schema_include, *schema_exclude; /* NULL = not given */
	enum capture_dialect dialect;
	enum snapshot_mode snapshot;
	enum publication_mode publication_mode;
	enum decimal_mode decimals;
	enum time_mode times;
	enum interval_mode intervals;
	enum binary_mode binaries;
	bool key_schemas, value_schemas; /* converters' schemas.enable */
	bool replace_null;               /* value converter's replace.null.with.default */
	bool key_replace_null;
	bool tombstones;                 /* tombstones.on.delete */
	bool drop_slot_on_stop;
	bool skip_create, skip_update, skip_delete, skip_truncate;
	int64_t heartbeat_ms;            /* 0 = off */
	int64_t slot_retry_ms;
	struct transform *transforms;
	unsigned ntransforms;
	struct view *warnings;           /* sentences */
	unsigned nwarnings;
};

/*
 * Reads {"key":"value",...} (numbers and booleans are taken as their text). ERR_INVALID with every fault that was found, one a
 * line in the detail, in Connect's and Debezium's words where they have them. `source` (may be NULL) is what a
 * configuration that names no server (no key database.hostname, .user or .dbname) connects to; it is copied.
 */
int connector_config_read(struct view json, struct view name, enum capture_dialect dialect, const struct pg_params *source,
	struct connector_config **ret, struct err *err) WM_MUST_USE;
/*
 * All that is wrong with a configuration, in the order of config_defs.h, into the arena. name: VIEW_NULL = what the configuration says.
 * *ret_source (to be released) is the server that it names. -1 when there is no map of strings to look at, or another name in it.
 */
struct config_fault {
	struct view key, text;
};
int connector_config_check(struct view json, struct view name, enum capture_dialect dialect, const struct pg_params *source,
	struct arena *a, struct config_fault **ret, unsigned *ret_n, struct pg_params *ret_source, struct err *err) WM_MUST_USE;
bool connector_class_is_ours(struct view class_name);
void connector_config_free(struct connector_config *c);

/* Whether a table is captured under this configuration. */
bool connector_config_wants(const struct connector_config *c, struct view schema, struct view table);

/* "2.6", "2.6.2", "3.2", "3.2.3.Final"; false for others. */
bool capture_dialect_parse(struct view text, enum capture_dialect *ret);

#endif
