/* Lists of metrics as the JobManager answers them: names, values as text (?get=), aggregates over several (?get=, ?agg=). A parameter that
 * is given several times is one list. Names that there are none of are left out; a JobManager's aggregates are empty then. */
#include <stdio.h>

#include "api/jobs_int.h"

const char *jobs_query_list(struct call *c, const char *name)
{
	struct http_query_values all = http_query_all(c->r, name);
	const char *list = "";
	unsigned i;

	for (i = 0; i < all.n; i++)
		list = arena_printf(&c->arena, "%s%s%s", list, i ? "," : "", all.values[i]);
	return list;
}

struct view jobs_list_next(const char **at)
{
	size_t n = strcspn(*at, ",");
	struct view item = view_of(*at, n);

	*at += n + ((*at)[n] == ',');
	return item;
}

static bool wanted(const char *get, const char *name)
{
	while (*get)
		if (view_is(jobs_list_next(&get), name))
			return true;
	return false;
}

void jobs_put_metrics(struct call *c, const struct job_metric *list, unsigned n, const char *prefix, const void *of)
{
	bool values = http_query_given(c->r, "get");
	const char *get = jobs_query_list(c, "get");
	struct buf *b = &c->out->body;
	char name[128];
	unsigned i;
	double v;

	c->out->status = 200;
	buf_putc(b, '[');
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s%s", prefix, list[i].name);
		if ((values && !wanted(get, name)) || !list[i].fn(of, &v))
			continue;
		js_put_comma(b);
		buf_printf(b, "{\"id\":\"%s\"", name);
		if (values)
			buf_printf(b, ",\"value\":\"%.15g\"", v);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

/* ---- aggregates ---- */

enum { AGG_MIN = 1, AGG_MAX = 2, AGG_AVG = 4, AGG_SUM = 8 };

/* Which are asked for, all when none is; 0 when it was answered. */
static unsigned aggregates(struct call *c)
{
	static const char *const names[] = {"min", "max", "avg", "sum"};
	const char *at = jobs_query_list(c, "agg");
	unsigned found = 0, i;

	if (!http_query_given(c->r, "agg"))
		return AGG_MIN | AGG_MAX | AGG_AVG | AGG_SUM;
	do {
		struct view word = jobs_list_next(&at);

		for (i = 0; i < 4; i++)
			if (word.len == 3 && strncasecmp((const char *)word.ptr, names[i], 3) == 0)
				break;
		if (i == 4) {
			jobs_fail_text(c, 400, "Cannot resolve query parameter (agg) from value \"%.*s\".", (int)word.len, (const char *)word.ptr);
			return 0;
		}
		found |= 1u << i;
	} while (*at);
	return found;
}

static void put_aggregate(struct buf *b, const struct job_metric *m, const void *const *of, unsigned nof, unsigned which)
{
	double min = 0, max = 0, sum = 0, v;
	unsigned i, n = 0;

	for (i = 0; i < nof; i++) {
		if (!m->fn(of[i], &v))
			continue;
		min = n == 0 || v < min ? v : min;
		max = n == 0 || v > max ? v : max;
		sum += v;
		n++;
	}
	if (n == 0)
		return;
	js_put_comma(b);
	buf_printf(b, "{\"id\":\"%s\"", m->name);
	if (which & AGG_MIN)
		buf_printf(b, ",\"min\":%.15g", min);
	if (which & AGG_MAX)
		buf_printf(b, ",\"max\":%.15g", max);
	if (which & AGG_AVG)
		buf_printf(b, ",\"avg\":%.15g", sum / n);
	if (which & AGG_SUM)
		buf_printf(b, ",\"sum\":%.15g", sum);
	buf_putc(b, '}');
}

void jobs_put_aggregates(struct call *c, const struct job_metric *list, unsigned n, const void *const *of, unsigned nof)
{
	unsigned i, which = aggregates(c);
	bool values = http_query_given(c->r, "get");
	const char *get = jobs_query_list(c, "get");
	struct buf *b = &c->out->body;

	if (!which)
		return;
	c->out->status = 200;
	buf_putc(b, '[');
	for (i = 0; i < n; i++)
		if (!values || wanted(get, list[i].name))
			put_aggregate(b, &list[i], of, nof, values ? which : 0);
	buf_putc(b, ']');
}
