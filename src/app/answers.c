/*
 * Answers kept while they are what PostgreSQL would say again.
 *
 * What a statement sees is its snapshot: with the same transactions ended and the same ones under way, it sees the same rows (PostgreSQL's
 * documentation, "Transaction ID and Snapshot Information Functions"). So an answer is kept with the snapshot that it was made under, taken
 * by the same statement, and given again only after the server has named that snapshot once more: it is exact at the moment of asking, for
 * the price of the shortest statement there is. Beside the snapshot stand the server's start, because another server's snapshots say
 * nothing about this one's rows, and the day, because "today" turns without a transaction. What is asked about are this server's own
 * tables: a foreign table changes without a word here.
 */
#include <string.h>

#include "app/app_int.h"
#include "base/map.h"
#include "base/mem.h"

/* Its one parameter is the zone. On a standby a snapshot does not name what is under way: NULL, and nothing is kept. */
#define STATE(zone)                                                                                                                        \
	"CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.concat_ws(' ', pg_catalog.pg_postmaster_start_time(), "                  \
	"pg_catalog.txid_current_snapshot(), (pg_catalog.now() AT TIME ZONE " zone ")::date) END"

struct answer {
	uint64_t hash; /* of the question */
	uint64_t used; /* larger = later */
	struct buf question, state, text;
};

struct app_answers {
	struct lock lock;
	struct answer list[APP_ANSWERS_MAX];
	unsigned n;
	size_t bytes;
	uint64_t uses;
	struct app_answers_stats stats;
};

struct app_answers *app_answers_new(void)
{
	struct app_answers *s = mem_zalloc(sizeof(*s));

	lock_init(&s->lock);
	return s;
}

static size_t weight(const struct answer *x)
{
	return x->question.len + x->state.len + x->text.len;
}

static void forget(struct app_answers *s, struct answer *x)
{
	s->bytes -= weight(x);
	buf_release(&x->question);
	buf_release(&x->state);
	buf_release(&x->text);
	*x = s->list[--s->n];
}

void app_answers_free(struct app_answers *s)
{
	while (s->n)
		forget(s, s->list);
	lock_release(&s->lock);
	mem_free(s);
}

static struct answer *find(struct app_answers *s, struct view question)
{
	uint64_t hash = hash_bytes(question.ptr, question.len);
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (s->list[i].hash == hash && view_eq(buf_view(&s->list[i].question), question))
			return &s->list[i];
	return NULL;
}

static bool known(struct app_answers *s, struct view question)
{
	bool yes;

	lock_take(&s->lock);
	yes = find(s, question) != NULL;
	lock_drop(&s->lock);
	return yes;
}

/* True, with the answer in `into`, when the one that is kept was made in this state. */
static bool recall(struct app_answers *s, struct view question, struct view state, struct buf *into)
{
	struct answer *x;
	bool same;

	lock_take(&s->lock);
	x = find(s, question);
	same = x && view_eq(buf_view(&x->state), state);
	if (same) {
		buf_putv(into, buf_view(&x->text));
		x->used = ++s->uses;
		s->stats.recalled++;
	}
	lock_drop(&s->lock);
	return same;
}

/* The one that was used longest ago gives way. */
static void make_room(struct app_answers *s, size_t bytes)
{
	while (s->n && (s->n == APP_ANSWERS_MAX || s->bytes + bytes > APP_ANSWERS_BYTES)) {
		struct answer *oldest = s->list;
		unsigned i;

		for (i = 1; i < s->n; i++)
			if (s->list[i].used < oldest->used)
				oldest = &s->list[i];
		forget(s, oldest);
	}
}

static void keep(struct app_answers *s, struct view question, struct view state, struct view text)
{
	struct answer made = {.hash = hash_bytes(question.ptr, question.len), .question = BUF_INIT(APP_ANSWERS_BYTES),
		.state = BUF_INIT(APP_ANSWERS_BYTES), .text = BUF_INIT(APP_ANSWERS_BYTES)}, *old;

	buf_putv(&made.question, question);
	buf_putv(&made.state, state);
	buf_putv(&made.text, text);
	lock_take(&s->lock);
	s->stats.made++;
	if ((old = find(s, question)))
		forget(s, old);
	make_room(s, weight(&made));
	made.used = ++s->uses;
	s->bytes += weight(&made);
	s->list[s->n++] = made;
	lock_drop(&s->lock);
}

void app_answers_stats(struct app_answers *s, struct app_answers_stats *ret)
{
	lock_take(&s->lock);
	*ret = s->stats;
	lock_drop(&s->lock);
}

/* The statement and its parameters: what the answer depends on besides the rows. */
static void put_question(struct buf *b, enum app_server which, const char *sql, unsigned nparams, const char *const *params)
{
	unsigned i;

	buf_putc(b, which == APP_SOURCE ? 's' : 't');
	buf_bytes(b, view_str(sql));
	for (i = 0; i < nparams; i++) {
		buf_putc(b, params[i] ? 'v' : 'n');
		buf_bytes(b, view_str(params[i] ? params[i] : ""));
	}
}

/* *told: the answer that is kept is true still, and in `into`. */
static int tell_again(struct app *a, struct pg_conn *c, struct view question, struct buf *into, bool *told, struct err *err)
{
	struct pg_result *r;

	*told = false;
	if (!known(a->answers, question))
		return 0;
	if (pg_query_prepared(c, "SELECT " STATE("$1"), 1, &a->o.timezone, &r, err))
		return -1;
	*told = !pg_null(r, 0, 0) && recall(a->answers, question, pg_value(r, 0, 0), into);
	pg_result_free(r);
	return 0;
}

/* The statement with the state that it sees beside its answer. */
static int ask(struct app *a, struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, struct view question,
	struct buf *into, struct err *err)
{
	const char *more[APP_PARAMS_MAX + 1];
	struct buf with = BUF_INIT(65536);
	struct pg_result *r;
	int rc;

	wm_assert(nparams <= APP_PARAMS_MAX);
	if (nparams)
		memcpy(more, params, nparams * sizeof(*params));
	more[nparams] = a->o.timezone;
	buf_printf(&with, "SELECT answer.*, state.* FROM (%s) answer, (SELECT " STATE("$%u") ") state", sql, nparams + 1);
	rc = pg_query_prepared(c, buf_cstr(&with), nparams + 1, more, &r, err);
	buf_release(&with);
	if (rc)
		return -1;
	if (!pg_null(r, 0, 1))
		keep(a->answers, question, pg_value(r, 0, 1), pg_value(r, 0, 0));
	buf_putv(into, pg_value(r, 0, 0));
	pg_result_free(r);
	return 0;
}

int app_answer(struct app *a, enum app_server which, const char *sql, unsigned nparams, const char *const *params, struct buf *into,
	struct err *err)
{
	struct buf question = BUF_INIT(APP_ANSWERS_BYTES);
	struct pg_conn *c;
	bool told;
	int rc;

	if (app_take(a, which, &c, err))
		return -1;
	put_question(&question, which, sql, nparams, params);
	rc = tell_again(a, c, buf_view(&question), into, &told, err);
	if (rc == 0 && !told)
		rc = ask(a, c, sql, nparams, params, buf_view(&question), into, err);
	if (rc)
		app_explain(err);
	app_give(a, which, c);
	buf_release(&question);
	return rc;
}
