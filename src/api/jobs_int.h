/* The rooms of the jobs face: jobs.c (routes, walmill's own verbs), jobs_show.c (lists and one job), jobs_graph.c (plan and vertices),
 * jobs_metrics.c (lists of metrics), jobs_checkpoints.c (checkpoints, exceptions), jobs_cluster.c (what is no job), jobs_errors.c. */
#ifndef WALMILL_API_JOBS_INT_H
#define WALMILL_API_JOBS_INT_H

#include "api/route.h"
#include "base/js.h"

/* One job on the way into an answer, with everything that is asked of it. */
struct job_view {
	struct call *call;
	struct buf *b;
	const struct registry_job *j;
	struct job_status s;
	int64_t now_ms, start_ms, end_ms;   /* end_ms: -1 while it goes on */
};

/* jobs_errors.c: {"errors":[...]}. */
void jobs_fail(struct call *c, const struct err *err);
void jobs_fail_text(struct call *c, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* jobs_show.c. Calls fn with the job that args[0] names, by id or name; answers when there is none. */
void jobs_with(struct call *c, void (*fn)(struct job_view *v));
bool jobs_is_id(struct view v);                    /* 32 hex digits */
bool jobs_is_number(struct view v);                /* digits alone */
const char *jobs_state(enum job_state s);          /* Flink's word for the job */
const char *jobs_task_state(enum job_state s);     /* and for its tasks */
/* {"CREATED":0,...}: `count` under the one state, 0 under the others. lower: as jobs' lists spell them, with the total. */
void jobs_put_counts(struct buf *b, const char *state, unsigned count, bool lower);
void jobs_overview(struct call *c);
void jobs_list(struct call *c);
void jobs_list_overview(struct call *c);
void jobs_detail(struct call *c);
void jobs_status(struct call *c);
void jobs_config(struct call *c);
void jobs_accumulators(struct call *c);
void jobs_metrics(struct call *c);
void jobs_all_metrics(struct call *c);
void jobs_result(struct call *c);

/* jobs_graph.c */
void jobs_put_vertices(struct job_view *v);        /* "vertices", "status-counts" and "plan" of the detail */
void jobs_plan(struct call *c);
void jobs_vertex(struct call *c);
void jobs_vertex_times(struct call *c);
void jobs_vertex_taskmanagers(struct call *c);
void jobs_vertex_watermarks(struct call *c);
void jobs_vertex_accumulators(struct call *c);
void jobs_vertex_subtask(struct call *c);
void jobs_vertex_metrics(struct call *c);
void jobs_vertex_subtask_metrics(struct call *c);
void jobs_vertex_subtasks_metrics(struct call *c);
void jobs_vertex_subtasks_accumulators(struct call *c);
void jobs_vertex_attempt_accumulators(struct call *c);
void jobs_vertex_backpressure(struct call *c);
void jobs_vertex_flamegraph(struct call *c);

/* jobs_checkpoints.c */
void jobs_checkpoints(struct call *c);
void jobs_checkpoints_config(struct call *c);
void jobs_checkpoint(struct call *c);
void jobs_exceptions(struct call *c);

/* jobs_cluster.c */
#define TASKMANAGER "walmill"
unsigned jobs_slots(const struct call *c, unsigned *ret_used);   /* one for each job that is not over, and one to spare */
void jobs_cluster_config(struct call *c);
void jobs_taskmanagers(struct call *c);
void jobs_taskmanager(struct call *c);
void jobs_jobmanager_config(struct call *c);
void jobs_jobmanager_metrics(struct call *c);
void jobs_taskmanagers_metrics(struct call *c);
void jobs_jars(struct call *c);
void jobs_datasets(struct call *c);
void jobs_no_logs(struct call *c);

/* jobs_metrics.c. A list of metrics: names alone, or with ?get=a,b their values as text. fn sets *ret and says whether the metric is there
 * at all. */
struct job_metric {
	const char *name;
	bool (*fn)(const void *of, double *ret);
};
void jobs_put_metrics(struct call *c, const struct job_metric *list, unsigned n, const char *prefix, const void *of);
/* The same over several: with ?get= the aggregates of each, those of ?agg=min,max,avg,sum. Answers a wrong agg itself. */
void jobs_put_aggregates(struct call *c, const struct job_metric *list, unsigned n, const void *const *of, unsigned nof);
const char *jobs_query_list(struct call *c, const char *name);   /* "a,b" of ?name=a&name=b; in the arena */
struct view jobs_list_next(const char **at);                     /* its first item; moves on behind the comma */

#endif
