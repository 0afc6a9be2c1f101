/* Counters, gauges and histograms of base/metrics.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/metrics.h"
#include "base/thread.h"

static const double bounds[] = {0.1, 1, 10};

static const struct metric_def requests = {METRIC_COUNTER, "walmill_requests_total", "Requests, by API.\nSecond \\ line.", {"api", "code"},
	NULL, 0, 3};
static const struct metric_def lag = {METRIC_GAUGE, "walmill_lag_bytes", "How far behind.", {NULL}, NULL, 0, 0};
static const struct metric_def latency = {METRIC_HISTOGRAM, "walmill_step_seconds", "Step.", {"job"}, bounds, 3, 0};

static void text_is_what_prometheus_reads(void **state)
{
	struct metrics *m = metrics_new();
	struct buf out = BUF_INIT(1 << 16);
	struct metric *h;

	metric_add(metric_get(metrics_family(m, &requests), (const char *[]){"fetch", "0"}), 41);
	metric_add(metric_get(metrics_family(m, &requests), (const char *[]){"fetch", "0"}), 1);
	metric_add(metric_get(metrics_family(m, &requests), (const char *[]){"a\"b\\c\nd", "1"}), 1);
	metric_set(metric_get(metrics_family(m, &lag), NULL), 12.5);
	h = metric_get(metrics_family(m, &latency), (const char *[]){"j"});
	metric_observe(h, 0.1);
	metric_observe(h, 0.5);
	metric_observe(h, 100);
	metrics_expose(m, &out);
	assert_string_equal(buf_cstr(&out),
		"# HELP walmill_lag_bytes How far behind.\n"
		"# TYPE walmill_lag_bytes gauge\n"
		"walmill_lag_bytes 12.5\n"
		"# HELP walmill_requests_total Requests, by API.\\nSecond \\\\ line.\n"
		"# TYPE walmill_requests_total counter\n"
		"walmill_requests_total{api=\"fetch\",code=\"0\"} 42\n"
		"walmill_requests_total{api=\"a\\\"b\\\\c\\nd\",code=\"1\"} 1\n"
		"# HELP walmill_step_seconds Step.\n"
		"# TYPE walmill_step_seconds histogram\n"
		"walmill_step_seconds_bucket{job=\"j\",le=\"0.1\"} 1\n"
		"walmill_step_seconds_bucket{job=\"j\",le=\"1\"} 2\n"
		"walmill_step_seconds_bucket{job=\"j\",le=\"10\"} 2\n"
		"walmill_step_seconds_bucket{job=\"j\",le=\"+Inf\"} 3\n"
		"walmill_step_seconds_sum{job=\"j\"} 100.6\n"
		"walmill_step_seconds_count{job=\"j\"} 3\n");
	assert_int_equal(metric_observed(h), 3);
	buf_release(&out);
	metrics_free(m);
}

static void gauges_show_every_kind_of_number(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {{0, "0"}, {-3, "-3"}, {1e14, "100000000000000"}, {1e300, "1e+300"}, {0.1, "0.1"}, {(double)INFINITY, "+Inf"},
		{(double)-INFINITY, "-Inf"}, {(double)NAN, "NaN"}};
	struct metrics *m = metrics_new();
	struct metric *g = metric_get(metrics_family(m, &lag), NULL);
	struct buf out = BUF_INIT(1 << 16);
	char line[64];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&out);
		metric_set(g, cases[i].value);
		metrics_expose(m, &out);
		snprintf(line, sizeof(line), "\nwalmill_lag_bytes %s\n", cases[i].text);
		assert_non_null(strstr(buf_cstr(&out), line));
	}
	metric_set(g, 5);
	metric_move(g, -7.5);
	assert_true(metric_value(g) == -2.5);
	buf_release(&out);
	metrics_free(m);
}

static void label_values_are_bounded(void **state)
{
	struct metrics *m = metrics_new();
	struct metric_family *f = metrics_family(m, &requests);
	struct metric *first = metric_get(f, (const char *[]){"0", "x"}), *over;
	char name[16];
	int i;

	for (i = 1; i < 3; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_ptr_not_equal(metric_get(f, (const char *[]){name, "x"}), first);
	}
	over = metric_get(f, (const char *[]){"3", "x"});
	assert_int_equal(over->values[0].len, 5);
	assert_memory_equal(over->values[0].ptr, "other", 5);
	assert_ptr_equal(metric_get(f, (const char *[]){"4", "x"}), over);
	assert_ptr_equal(metric_get(f, (const char *[]){"0", "x"}), first);
	metrics_free(m);
}

static void dropped_metrics_are_gone_and_their_room_is_free(void **state)
{
	struct metrics *m = metrics_new();
	struct metric_family *f = metrics_family(m, &requests);
	struct buf out = BUF_INIT(1 << 16);

	metric_add(metric_get(f, (const char *[]){"a", "x"}), 1);
	metric_add(metric_get(f, (const char *[]){"b", "x"}), 2);
	metric_drop(f, (const char *[]){"b", "x"});
	metric_drop(f, (const char *[]){"never", "x"});
	metric_add(metric_get(f, (const char *[]){"c", "x"}), 3);
	metric_add(metric_get(f, (const char *[]){"b", "x"}), 4);
	metrics_expose(m, &out);
	assert_non_null(strstr(buf_cstr(&out), "{api=\"a\",code=\"x\"} 1\nwalmill_requests_total{api=\"c\",code=\"x\"} 3\n"
		"walmill_requests_total{api=\"b\",code=\"x\"} 4\n"));
	buf_release(&out);
	metrics_free(m);
}

/* The family is made in a child, which is to die by the assertion. */
static bool aborts(struct metric_def def)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct metrics *m = metrics_new();

		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		close(STDERR_FILENO);
		metrics_family(m, &lag);
		metrics_family(m, &def);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void wrong_names_do_not_get_in(void **state)
{
	struct metric_def d = lag;

	assert_false(aborts(d));
	d.name = "requests";
	assert_true(aborts(d));
	d.name = "walmill_Requests";
	assert_true(aborts(d));
	d.name = "walmill_x_total";
	assert_true(aborts(d));
	d.name = "walmill_x_bucket";
	assert_true(aborts(d));
	d = requests;
	d.name = "walmill_requests";
	assert_true(aborts(d));
	d = requests;
	d.labels[1] = "le";
	assert_true(aborts(d));
	d = latency;
	d.n_bounds = 0;
	assert_true(aborts(d));
	d = lag; /* the same name with another kind */
	d.kind = METRIC_HISTOGRAM;
	d.bounds = bounds;
	d.n_bounds = 3;
	assert_true(aborts(d));
}

struct counted {
	struct metrics *m;
	struct metric *counter, *histogram, *gauge;
};

static void count(void *arg)
{
	struct counted *c = arg;
	int i;

	for (i = 0; i < 10000; i++) {
		metric_add(c->counter, 1);
		metric_observe(c->histogram, 0.5);
		metric_move(c->gauge, i % 2 ? 1 : -1);
		if (i % 1000 == 0)
			metric_get(metrics_family(c->m, &latency), (const char *[]){i % 2000 ? "k" : "l"});
	}
}

static void threads_lose_no_count(void **state)
{
	struct counted c = {.m = metrics_new()};
	struct thread threads[4];
	struct buf out = BUF_INIT(1 << 16);
	int i;

	c.counter = metric_get(metrics_family(c.m, &requests), (const char *[]){"a", "x"});
	c.histogram = metric_get(metrics_family(c.m, &latency), (const char *[]){"j"});
	c.gauge = metric_get(metrics_family(c.m, &lag), NULL);
	for (i = 0; i < 4; i++)
		thread_start(&threads[i], "counts", count, &c);
	for (i = 0; i < 20; i++) {
		buf_clear(&out);
		metrics_expose(c.m, &out);
	}
	for (i = 0; i < 4; i++)
		thread_join(&threads[i]);
	assert_true(metric_value(c.counter) == 40000);
	assert_int_equal(metric_observed(c.histogram), 40000);
	assert_true(metric_value(c.histogram) == 20000);
	assert_true(metric_value(c.gauge) == 0);
	buf_release(&out);
	metrics_free(c.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_what_prometheus_reads),
		cmocka_unit_test(gauges_show_every_kind_of_number),
		cmocka_unit_test(label_values_are_bounded),
		cmocka_unit_test(dropped_metrics_are_gone_and_their_room_is_free),
		cmocka_unit_test(wrong_names_do_not_get_in),
		cmocka_unit_test(threads_lose_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
