/* Connections, and errors in words. */
#include <stdio.h>

#include "app/app_int.h"
#include "base/mem.h"

struct app *app_new(const struct app_options *o)
{
	struct app *a = mem_zalloc(sizeof(*a));

	a->o = *o;
	pg_params_copy(&a->params[APP_SOURCE], &o->source);
	pg_params_copy(&a->params[APP_TARGET], &o->target);
	lock_init(&a->lock);
	wake_init(&a->freed);
	a->answers = app_answers_new();
	return a;
}

void app_free(struct app *a)
{
	unsigned which;

	if (!a)
		return;
	for (which = 0; which < 2; which++) {
		wm_assert(a->nused[which] == 0);
		while (a->nidle[which])
			pg_close(a->idle[which][--a->nidle[which]]);
		pg_params_release(&a->params[which]);
	}
	app_answers_free(a->answers);
	wake_release(&a->freed);
	lock_release(&a->lock);
	mem_free(a);
}

/* An idle connection, or leave to make one; false when all are in use, or when only few are and waiting is better. */
static bool admit(struct app *a, enum app_server which, bool patient, struct pg_conn **ret)
{
	bool ok;

	lock_take(&a->lock);
	ok = a->nidle[which] || a->nused[which] < (patient ? APP_POOL_SOON : APP_POOL);
	*ret = NULL;
	if (ok) {
		a->nused[which]++;
		if (a->nidle[which])
			*ret = a->idle[which][--a->nidle[which]];
	}
	lock_drop(&a->lock);
	return ok;
}

static void leave(struct app *a, enum app_server which, struct pg_conn *keep)
{
	lock_take(&a->lock);
	a->nused[which]--;
	if (keep)
		a->idle[which][a->nidle[which]++] = keep;
	lock_drop(&a->lock);
	wake_signal(&a->freed);
}

int app_take(struct app *a, enum app_server which, struct pg_conn **ret, struct err *err)
{
	int64_t came = io_monotonic_us(a->o.io), grow = came + APP_GROW_US, until = came + APP_WAIT_US;
	struct err gone = ERR_INIT;

	for (;;) {
		uint64_t seen = wake_seen(&a->freed);
		int64_t now = io_monotonic_us(a->o.io);

		if (admit(a, which, now < grow, ret))
			break;
		if (now >= until)
			return err_set(err, ERR_BUSY, "all %d connections to PostgreSQL are in use", APP_POOL);
		wake_wait(&a->freed, seen, (now < grow ? grow : until) - now);
	}
	/* one that the server has ended meanwhile is no use */
	if (*ret && pg_check(*ret, &gone)) {
		pg_close(*ret);
		*ret = NULL;
	}
	if (!*ret && pg_connect(&a->params[which], PG_CONN_PLAIN, "walmill application", -1, ret, err)) {
		leave(a, which, NULL);
		return -1;
	}
	pg_set_deadline(*ret, APP_DEADLINE_MS);
	return 0;
}

void app_give(struct app *a, enum app_server which, struct pg_conn *c)
{
	if (pg_is_broken(c)) {
		pg_close(c);
		c = NULL;
	}
	leave(a, which, c);
}

int app_explain(struct err *err)
{
	const char *state = err->sqlstate;

	if (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0) {
		err->code = ERR_UNSUPPORTED;
		snprintf(err->text, sizeof(err->text),
			"this database has no tables of the demonstration application (public.interventions, public.users, "
			"analytics.*)");
	} else if (strcmp(state, "23505") == 0) {
		err->code = ERR_EXISTS;
		snprintf(err->text, sizeof(err->text), "an intervention with this reference exists already");
	} else if (strcmp(state, "23503") == 0) {
		err->code = ERR_NOT_FOUND;
		snprintf(err->text, sizeof(err->text), "there is no such technician");
	}
	return -1;
}

int app_text(struct app *a, enum app_server which, const char *sql, unsigned nparams, const char *const *params, const char *missing,
	struct buf *into, struct err *err)
{
	struct pg_result *r;
	struct pg_conn *c;
	int rc = -1;

	if (app_take(a, which, &c, err))
		return -1;
	if (pg_query_prepared(c, sql, nparams, params, &r, err)) {
		app_explain(err);
	} else {
		if (pg_rows(r) == 0) {
			err_set(err, ERR_NOT_FOUND, "%s", missing);
		} else {
			buf_putv(into, pg_value(r, 0, 0));
			rc = 0;
		}
		pg_result_free(r);
	}
	app_give(a, which, c);
	return rc;
}

int app_ping(struct app *a, struct err *err)
{
	struct buf b = BUF_INIT(64);
	int rc = app_text(a, APP_SOURCE, "SELECT 1", 0, NULL, "", &b, err);

	buf_release(&b);
	return rc;
}

void app_stats(struct app *a, struct app_answers_stats *ret)
{
	app_answers_stats(a->answers, ret);
}
