/* The inside of the registry, shared by registry.c and registry_files.c. */
#ifndef WALMILL_JOB_REGISTRY_INT_H
#define WALMILL_JOB_REGISTRY_INT_H

#include "job/registry.h"

enum { SQL_TEXT_MAX = 1 << 20 };

struct entry_connector {
	char *name;
	struct connector *connector;
	enum connector_state desired;
	bool has_task;               /* it ran since it was made or last stopped; follows from `desired` but when that is PAUSED */
	char *topics_reset;          /* JSON: where each topic's records ended when its list was emptied; NULL = never was */
};

struct entry_job {
	struct registry_job pub;
	bool replace;
	enum job_state desired;      /* RUNNING, PAUSED, CANCELED */
};

struct registry {
	struct registry_options o;
	char *dir, *checkpoint_dir;
	struct pg_params target, source;
	bool has_source;             /* the setting names one */
	struct tz_cache *zones;
	struct job_env env;
	struct lock lock;
	struct entry_connector **connectors;
	uint32_t nconnectors;
	struct entry_job **jobs;
	uint32_t njobs;
};

/* registry_files.c; the lock is held */
int registry_store_connector(struct registry *r, const struct entry_connector *e, struct err *err);
int registry_unlink_connector(struct registry *r, const char *name, struct err *err);
int registry_store_job(struct registry *r, const struct entry_job *e, struct err *err); /* a canceled one's file is removed */
int registry_load(struct registry *r, struct err *err);

/* registry.c, for registry_load */
struct loaded_connector {
	enum connector_state desired;
	bool has_task;
	struct view config, topics_reset;
};
int registry_add_loaded_connector(struct registry *r, struct view name, const struct loaded_connector *l, struct err *err);
void registry_add_loaded_job(struct registry *r, const char *name, struct view text, bool replace, const char *id, enum job_state desired);
/* registry.c, for registry_connect.c; the lock is held */
struct entry_connector *registry_find_connector(struct registry *r, struct view name);
/* A new connector of the same configuration in the place of a stopped one, so that nothing remembers what was; its thread is gone when
 * this returns. */
int registry_renew_connector(struct registry *r, struct entry_connector *e, int (*between)(struct registry *r, void *arg, struct err *err),
	void *arg, struct err *err);

#endif
