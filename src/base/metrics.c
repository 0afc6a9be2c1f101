/*
 * Metrics; see metrics.h. The registry's lock guards the lists of families and metrics; values are atomics beside it.
 *
 * A histogram's buckets are counted each by itself and added up when shown, so that an observation is two atomic operations. Its count is
 * the sum of its buckets, so that the two can never disagree within one answer.
 */
#include "base/metrics.h"

#include <math.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/thread.h"

struct metric_family {
	struct metrics *owner;
	enum metric_kind kind;
	char *name, *help;
	char *labels[METRIC_LABELS];
	size_t n_labels;
	double *bounds;
	size_t n_bounds;
	size_t max_series, n_series;
	struct metric *first, **last;   /* in the order of making */
	struct map by_values;
	struct metric_family *next;     /* by name */
};

struct metrics {
	struct lock lock;
	struct metric_family *families;
};

const double metric_latency_bounds[] = {
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
};
const size_t metric_latency_n = sizeof(metric_latency_bounds) / sizeof(metric_latency_bounds[0]);

struct metrics *metrics_new(void)
{
	struct metrics *m = mem_zalloc(sizeof(*m));

	lock_init(&m->lock);
	return m;
}

static void metric_free(struct metric *m, size_t n_labels)
{
	size_t i;

	for (i = 0; i < n_labels; i++)
		mem_free((void *)(uintptr_t)m->values[i].ptr);
	mem_free(m->buckets);
	mem_free(m);
}

static void family_free(struct metric_family *f)
{
	struct metric *m, *next;
	size_t i;

	for (m = f->first; m; m = next) {
		next = m->next;
		metric_free(m, f->n_labels);
	}
	for (i = 0; i < f->n_labels; i++)
		mem_free(f->labels[i]);
	map_release(&f->by_values);
	mem_free(f->bounds);
	mem_free(f->name);
	mem_free(f->help);
	mem_free(f);
}

void metrics_free(struct metrics *m)
{
	struct metric_family *f, *next;

	if (!m)
		return;
	for (f = m->families; f; f = next) {
		next = f->next;
		family_free(f);
	}
	lock_release(&m->lock);
	mem_free(m);
}

/* ---- making ---- */

static bool is_name(const char *s)
{
	size_t i;

	for (i = 0; s[i]; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || s[i] == '_' || (i && s[i] >= '0' && s[i] <= '9')))
			return false;
	return i != 0;
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static void check_def(const struct metric_def *def)
{
	static const char *const reserved[] = {"_bucket", "_sum", "_count"};
	size_t i;

	wm_assert(is_name(def->name) && strncmp(def->name, "walmill_", 8) == 0);
	wm_assert(ends_in(def->name, "_total") == (def->kind == METRIC_COUNTER));
	for (i = 0; i < 3; i++)
		wm_assert(!ends_in(def->name, reserved[i]));
	for (i = 0; i < METRIC_LABELS && def->labels[i]; i++)
		wm_assert(is_name(def->labels[i]) && strncmp(def->labels[i], "__", 2) != 0 && strcmp(def->labels[i], "le") != 0);
	wm_assert((def->n_bounds != 0) == (def->kind == METRIC_HISTOGRAM));
	for (i = 1; i < def->n_bounds; i++)
		wm_assert(def->bounds[i - 1] < def->bounds[i]);
}

static void check_same(const struct metric_family *f, const struct metric_def *def)
{
	size_t i;

	wm_assert(f->kind == def->kind && f->n_bounds == def->n_bounds);
	for (i = 0; i < f->n_labels; i++)
		wm_assert(def->labels[i] && strcmp(f->labels[i], def->labels[i]) == 0);
	wm_assert(f->n_labels == METRIC_LABELS || !def->labels[f->n_labels]);
	for (i = 0; i < f->n_bounds; i++)
		wm_assert(!(f->bounds[i] < def->bounds[i]) && !(f->bounds[i] > def->bounds[i]));
}

static struct metric_family *family_new(struct metrics *m, const struct metric_def *def)
{
	struct metric_family *f = mem_zalloc(sizeof(*f));

	f->owner = m;
	f->kind = def->kind;
	f->name = mem_strdup(def->name);
	f->help = mem_strdup(def->help);
	while (f->n_labels < METRIC_LABELS && def->labels[f->n_labels]) {
		f->labels[f->n_labels] = mem_strdup(def->labels[f->n_labels]);
		f->n_labels++;
	}
	if (def->n_bounds) {
		f->bounds = mem_alloc(def->n_bounds * sizeof(double));
		memcpy(f->bounds, def->bounds, def->n_bounds * sizeof(double));
		f->n_bounds = def->n_bounds;
	}
	f->max_series = def->max_series ? def->max_series : 1000;
	f->last = &f->first;
	return f;
}

struct metric_family *metrics_family(struct metrics *m, const struct metric_def *def)
{
	struct metric_family **at, *f;
	int c = 1;

	check_def(def);
	lock_take(&m->lock);
	for (at = &m->families; *at; at = &(*at)->next) {
		c = strcmp((*at)->name, def->name);
		if (c >= 0)
			break;
	}
	f = c == 0 ? *at : NULL;
	if (f) {
		check_same(f, def);
	} else {
		f = family_new(m, def);
		f->next = *at;
		*at = f;
	}
	lock_drop(&m->lock);
	return f;
}

/* The label values behind one another, each with its length: what by_values knows a metric by. */
static void values_key(const struct metric_family *f, const char *const *values, struct buf *key)
{
	size_t i;

	for (i = 0; i < f->n_labels; i++)
		buf_bytes(key, view_str(values[i]));
}

static struct metric *metric_new(struct metric_family *f, const char *const *values, struct view key)
{
	struct metric *m = mem_zalloc(sizeof(*m));
	size_t i;

	m->family = f;
	for (i = 0; i < f->n_labels; i++)
		m->values[i] = view_of(mem_strdup(values[i]), strlen(values[i]));
	if (f->kind == METRIC_HISTOGRAM)
		m->buckets = mem_zalloc((f->n_bounds + 1) * sizeof(*m->buckets));
	*f->last = m;
	f->last = &m->next;
	f->n_series++;
	map_put(&f->by_values, key, m);
	return m;
}

struct metric *metric_get(struct metric_family *f, const char *const *values)
{
	static const char *const other[METRIC_LABELS] = {"other", "other", "other", "other"};
	struct buf key = BUF_INIT(SIZE_MAX);
	struct metric *m;

	lock_take(&f->owner->lock);
	values_key(f, values, &key);
	m = map_get(&f->by_values, buf_view(&key));
	if (!m && f->n_series >= f->max_series) {
		buf_clear(&key);
		values_key(f, values = other, &key);
		m = map_get(&f->by_values, buf_view(&key));
	}
	if (!m)
		m = metric_new(f, values, buf_view(&key));
	lock_drop(&f->owner->lock);
	buf_release(&key);
	return m;
}

struct metric *metric_latency(struct metrics *m, const char *name, const char *help, const char *label, const char *value)
{
	const struct metric_def def = {.kind = METRIC_HISTOGRAM, .name = name, .help = help, .labels = {label}, .bounds = metric_latency_bounds,
		.n_bounds = metric_latency_n};

	return metric_get(metrics_family(m, &def), label ? &value : NULL);
}

void metric_drop(struct metric_family *f, const char *const *values)
{
	struct buf key = BUF_INIT(SIZE_MAX);
	struct metric *m, **at;

	lock_take(&f->owner->lock);
	values_key(f, values, &key);
	m = map_remove(&f->by_values, buf_view(&key));
	if (m) {
		for (at = &f->first; *at != m; at = &(*at)->next)
			;
		*at = m->next;
		if (f->last == &m->next)
			f->last = at;
		f->n_series--;
		metric_free(m, f->n_labels);
	}
	lock_drop(&f->owner->lock);
	buf_release(&key);
}

/* ---- values ---- */

static double as_double(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

void metric_move(struct metric *m, double by)
{
	uint64_t old = atomic_load_explicit(&m->bits, memory_order_relaxed), new;
	double sum;

	do {
		sum = as_double(old) + by;
		memcpy(&new, &sum, sizeof(new));
	} while (!atomic_compare_exchange_weak_explicit(&m->bits, &old, new, memory_order_relaxed, memory_order_relaxed));
}

void metric_observe(struct metric *m, double value)
{
	const struct metric_family *f = m->family;
	size_t i = 0;

	while (i < f->n_bounds && value > f->bounds[i])
		i++;
	atomic_fetch_add_explicit(&m->buckets[i], 1, memory_order_relaxed);
	metric_move(m, value);
}

double metric_value(const struct metric *m)
{
	uint64_t bits = atomic_load_explicit(&m->bits, memory_order_relaxed);

	return m->family->kind == METRIC_COUNTER ? (double)bits : as_double(bits);
}

uint64_t metric_observed(const struct metric *m)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i <= m->family->n_bounds; i++)
		n += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
	return n;
}

/* ---- text ---- */

/* Help texts escape \ and line ends; label values the quote as well. */
static void put_escaped(struct buf *out, struct view v, bool quote)
{
	size_t i;

	for (i = 0; i < v.len; i++) {
		if (v.ptr[i] == '\n')
			buf_puts(out, "\\n");
		else if (v.ptr[i] == '\\' || (quote && v.ptr[i] == '"'))
			buf_printf(out, "\\%c", v.ptr[i]);
		else
			buf_u8(out, v.ptr[i]);
	}
}

/* The shortest text that reads back as the same number. */
static void put_number(struct buf *out, double d)
{
	if (isnan(d))
		buf_puts(out, "NaN");
	else if (isinf(d))
		buf_puts(out, d < 0 ? "-Inf" : "+Inf");
	else
		buf_printf(out, fabs(d) < 1e15 && d - floor(d) == 0 ? "%.0f" : "%.15g", d);
}

/* name_suffix{a="x",le="0.5"} ; le is NAN for none */
static void put_name(struct buf *out, const struct metric *m, const char *suffix, double le)
{
	const struct metric_family *f = m->family;
	size_t i;

	buf_printf(out, "%s%s", f->name, suffix);
	if (!f->n_labels && isnan(le)) {
		buf_putc(out, ' ');
		return;
	}
	for (i = 0; i < f->n_labels; i++) {
		buf_printf(out, "%c%s=\"", i ? ',' : '{', f->labels[i]);
		put_escaped(out, m->values[i], true);
		buf_putc(out, '"');
	}
	if (!isnan(le)) {
		buf_printf(out, "%cle=\"", f->n_labels ? ',' : '{');
		put_number(out, le);
		buf_putc(out, '"');
	}
	buf_puts(out, "} ");
}

static void put_histogram(struct buf *out, const struct metric *m)
{
	const struct metric_family *f = m->family;
	uint64_t n = 0;
	size_t i;

	for (i = 0; i <= f->n_bounds; i++) {
		n += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
		put_name(out, m, "_bucket", i < f->n_bounds ? f->bounds[i] : INFINITY);
		buf_u64(out, n);
		buf_putc(out, '\n');
	}
	put_name(out, m, "_sum", NAN);
	put_number(out, metric_value(m));
	buf_putc(out, '\n');
	put_name(out, m, "_count", NAN);
	buf_u64(out, n);
	buf_putc(out, '\n');
}

void metrics_expose(struct metrics *m, struct buf *out)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	const struct metric_family *f;
	const struct metric *one;

	lock_take(&m->lock);
	for (f = m->families; f; f = f->next) {
		buf_printf(out, "# HELP %s ", f->name);
		put_escaped(out, view_str(f->help), false);
		buf_printf(out, "\n# TYPE %s %s\n", f->name, kinds[f->kind]);
		for (one = f->first; one; one = one->next) {
			if (f->kind == METRIC_HISTOGRAM) {
				put_histogram(out, one);
				continue;
			}
			put_name(out, one, "", NAN);
			if (f->kind == METRIC_COUNTER)
				buf_u64(out, atomic_load_explicit(&one->bits, memory_order_relaxed));
			else
				put_number(out, metric_value(one));
			buf_putc(out, '\n');
		}
	}
	lock_drop(&m->lock);
}
