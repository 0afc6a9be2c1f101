/*
 * Metrics: counters, gauges and histograms, shown in Prometheus' text format 0.0.4.
 *
 * A family has a name, a help sentence and up to METRIC_LABELS label names; each combination of label values is one metric. Make it once
 * (metric_get), keep the pointer, and count on it: counting is one relaxed atomic operation, from any thread, never a lock or a look-up.
 *
 * Names are checked when a family is made: walmill_[a-z0-9_]+, counters end in _total, histograms and gauges do not, and a
 * unit, if there is one, is a base unit at the end (_seconds, _bytes). A wrong name is a bug and aborts.
 * A family holds at most `max_series` combinations: beyond them metric_get returns the family's metric whose label values are all
 * "other", so that names that peers choose cannot eat memory.
 *
 * The registry is thread safe. Metrics live until metrics_free(); one of something that is gone (a dropped topic) is taken out with
 * metric_drop(), after which its pointer is dead.
 */
#ifndef WALMILL_BASE_METRICS_H
#define WALMILL_BASE_METRICS_H

#include <stdatomic.h>

#include "base/bytes.h"

enum { METRIC_LABELS = 4 };
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics;
struct metric_family;

struct metric {
	_Atomic uint64_t bits;         /* counter: its count; gauge: a double's bits; histogram: the sum, a double's bits */
	_Atomic uint64_t *buckets;     /* histogram: counts of each bucket by itself, the last one is above all bounds */
	const struct metric_family *family;
	struct view values[METRIC_LABELS];
	struct metric *next;
};

struct metric_def {
	enum metric_kind kind;
	const char *name, *help;
	const char *labels[METRIC_LABELS];  /* NULL behind the last */
	const double *bounds;               /* histogram: ascending upper bounds */
	size_t n_bounds;
	size_t max_series;                  /* 0: 1,000 */
};

/* Upper bounds that suit latencies: 100 us to 30 s. */
extern const double metric_latency_bounds[];
extern const size_t metric_latency_n;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/* The family of that name, made the first time; texts are copied. Asking again with another kind, labels or bounds is a bug: aborts. */
struct metric_family *metrics_family(struct metrics *m, const struct metric_def *def);

/* The metric with these label values, as many as the family has labels (NULL when none). Values are copied. */
struct metric *metric_get(struct metric_family *f, const char *const *values);
/* A histogram over metric_latency_bounds with one label, or without (label NULL). */
struct metric *metric_latency(struct metrics *m, const char *name, const char *help, const char *label, const char *value);
void metric_drop(struct metric_family *f, const char *const *values);

static inline void metric_add(struct metric *m, uint64_t n)    /* counter */
{
	atomic_fetch_add_explicit(&m->bits, n, memory_order_relaxed);
}

static inline void metric_set(struct metric *m, double value)  /* gauge */
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	atomic_store_explicit(&m->bits, bits, memory_order_relaxed);
}

void metric_move(struct metric *m, double by);                 /* gauge: up or down */
void metric_observe(struct metric *m, double value);           /* histogram */
double metric_value(const struct metric *m);                   /* counter, gauge; of a histogram the sum */
uint64_t metric_observed(const struct metric *m);              /* histogram: how many */

/* Everything, families by name, as text/plain; version=0.0.4. */
void metrics_expose(struct metrics *m, struct buf *out);

#endif
