/*
 * Answers kept while they are what PostgreSQL would say again.
 *
 * What a statement sees is its snapshot: with the same transactions ended and the same ones under way, it sees the same rows (PostgreSQL's
 * documentation, "Transaction ID and Snapshot Information Functions"). So an answer is kept with the snapshot that it was made under, taken
 * by the same statement, and given again only after the server has named that snapshot once more: it is exact at the moment of asking, for
 * the price of the shortest statement there is. Beside the snapshot stand the server's start, because another server's snapshots say
 * nothing about this one's rows, and the day, because "today" turns without a transaction. What is asked about are this server's own
 * tables: a foreign table changes without a word here. Those who want to know at the same time are told together: a look at the server's
 * state serves all who came before it was sent.
 *
 * Of those who ask the same at the same time, one asks the server and the others wait for its answer: after a change, a hundred readers do
 * not each have it sort ten thousand rows. The answer is theirs if its statement began after they had come, because then it sees whatever
 * had been committed when they came; else they look again whether it still holds, and one of them asks. So nobody waits for more than two
 * statements, and nobody is told what was true before he asked.
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
	uint64_t begun; /* tick at which its statement was sent */
	struct buf question, state, text;
};

/* A question that somebody is asking the server; his. */
struct asking {
	uint64_t hash, begun;
	struct view question;
	struct asking *next;
};

/* The last look at a server's state that has ended. */
struct look {
	bool under_way;  /* and another one is */
	uint64_t begun;  /* tick at which it was sent */
	struct buf state; /* empty: the server names no snapshot */
	struct err err;  /* why there is none */
};

struct app_answers {
	struct lock lock;
	struct wake answered, looked;
	struct asking *asking;
	struct look looks[2]; /* by app_server */
	uint64_t ticks;
	bool unkept; /* the server last named no snapshot: nobody can be told what another has asked */
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
	wake_init(&s->answered);
	wake_init(&s->looked);
	s->looks[APP_SOURCE].state = s->looks[APP_TARGET].state = BUF_INIT(APP_ANSWERS_BYTES);
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
	wm_assert(!s->asking);
	buf_release(&s->looks[APP_SOURCE].state);
	buf_release(&s->looks[APP_TARGET].state);
	wake_release(&s->looked);
	wake_release(&s->answered);
	lock_release(&s->lock);
	mem_free(s);
}

static struct answer *find(struct app_answers *s, const struct asking *q)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (s->list[i].hash == q->hash && view_eq(buf_view(&s->list[i].question), q->question))
			return &s->list[i];
	return NULL;
}

static bool known(struct app_answers *s, const struct asking *q)
{
	bool yes;

	lock_take(&s->lock);
	yes = find(s, q) != NULL;
	lock_drop(&s->lock);
	return yes;
}

/* True, with the answer in `into`, when the one that is kept was made in this state, or its statement sent after tick `since`. */
static bool recall(struct app_answers *s, const struct asking *q, struct view state, uint64_t since, struct buf *into)
{
	struct answer *x;
	bool same;

	lock_take(&s->lock);
	x = find(s, q);
	same = x && (x->begun > since || view_eq(buf_view(&x->state), state));
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

static void keep(struct app_answers *s, const struct asking *q, struct view state, struct view text)
{
	struct answer made = {.hash = q->hash, .begun = q->begun, .question = BUF_INIT(APP_ANSWERS_BYTES),
		.state = BUF_INIT(APP_ANSWERS_BYTES), .text = BUF_INIT(APP_ANSWERS_BYTES)}, *old;

	if (q->question.len + state.len + text.len > APP_ANSWERS_BYTES)
		return;
	buf_putv(&made.question, q->question);
	buf_putv(&made.state, state);
	buf_putv(&made.text, text);
	lock_take(&s->lock);
	if ((old = find(s, q)))
		forget(s, old);
	make_room(s, weight(&made));
	made.used = ++s->uses;
	s->bytes += weight(&made);
	s->list[s->n++] = made;
	lock_drop(&s->lock);
}

static uint64_t tick(struct app_answers *s)
{
	uint64_t now;

	lock_take(&s->lock);
	now = ++s->ticks;
	lock_drop(&s->lock);
	return now;
}

static struct asking *find_asking(struct app_answers *s, const struct asking *q)
{
	struct asking *x;

	for (x = s->asking; x; x = x->next)
		if (x->hash == q->hash && view_eq(x->question, q->question))
			return x;
	return NULL;
}

/* True: q's owner is the one to ask, and says when he has. Else *ret_begun tells who is asking already. */
static bool begin_asking(struct app_answers *s, struct asking *q, uint64_t *ret_begun)
{
	struct asking *other;

	lock_take(&s->lock);
	other = s->unkept ? NULL : find_asking(s, q);
	q->begun = ++s->ticks;
	if (other) {
		*ret_begun = other->begun;
	} else {
		q->next = s->asking;
		s->asking = q;
	}
	lock_drop(&s->lock);
	return !other;
}

static void end_asking(struct app_answers *s, struct asking *q)
{
	struct asking **at;

	lock_take(&s->lock);
	for (at = &s->asking; *at != q; at = &(*at)->next)
		;
	*at = q->next;
	lock_drop(&s->lock);
	wake_signal(&s->answered);
}

static void wait_answered(struct app_answers *s, const struct asking *q, uint64_t begun)
{
	for (;;) {
		uint64_t seen = wake_seen(&s->answered);
		struct asking *x;
		bool there;

		lock_take(&s->lock);
		x = find_asking(s, q);
		there = x && x->begun == begun;
		lock_drop(&s->lock);
		if (!there)
			return;
		wake_wait(&s->answered, seen, -1); /* whoever asks has a deadline */
	}
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

static void look_now(struct app *a, enum app_server which, uint64_t begun)
{
	struct app_answers *s = a->answers;
	struct look *l = &s->looks[which];
	struct err err = ERR_INIT;
	struct pg_result *r = NULL;
	struct pg_conn *c;

	if (app_take(a, which, &c, &err) == 0) {
		if (pg_query_prepared(c, "SELECT " STATE("$1"), 1, &a->o.timezone, &r, &err))
			r = NULL;
		app_give(a, which, c);
	}
	lock_take(&s->lock);
	l->under_way = false;
	l->begun = begun;
	l->err = err;
	buf_clear(&l->state);
	if (r && !pg_null(r, 0, 0))
		buf_putv(&l->state, pg_value(r, 0, 0));
	s->stats.looked++;
	lock_drop(&s->lock);
	if (r)
		pg_result_free(r);
	wake_signal(&s->looked);
}

/* The server's state as it was at some time after tick `since`. Empty: it names no snapshot. */
static int look(struct app *a, enum app_server which, uint64_t since, struct buf *state, struct err *err)
{
	struct app_answers *s = a->answers;
	struct look *l = &s->looks[which];
	uint64_t seen, begun = 0;
	bool there, ours, failed = false;

	for (;;) {
		seen = wake_seen(&s->looked);
		lock_take(&s->lock);
		there = l->begun > since;
		ours = !there && !l->under_way;
		if (there) {
			failed = l->err.code != ERR_NONE;
			if (failed)
				*err = l->err;
			buf_putv(state, buf_view(&l->state));
		} else if (ours) {
			l->under_way = true;
			begun = ++s->ticks;
		}
		lock_drop(&s->lock);
		if (there)
			return failed ? -1 : 0;
		if (ours)
			look_now(a, which, begun);
		else
			wake_wait(&s->looked, seen, -1); /* whoever looks has a deadline */
	}
}

/* *told: the answer that is kept is true still, and in `into`. */
static int tell_again(
	struct app *a, enum app_server which, const struct asking *q, uint64_t came, struct buf *into, bool *told, struct err *err)
{
	struct buf state = BUF_INIT(APP_ANSWERS_BYTES);
	int rc = 0;

	*told = false;
	if (known(a->answers, q)) {
		rc = look(a, which, came, &state, err);
		*told = rc == 0 && state.len && recall(a->answers, q, buf_view(&state), came, into);
	}
	buf_release(&state);
	return rc;
}

/* The statement with the state that it sees beside its answer. */
static int ask(struct app *a, enum app_server which, const char *sql, unsigned nparams, const char *const *params, const struct asking *q,
	struct buf *into, struct err *err)
{
	const char *more[APP_PARAMS_MAX + 1];
	struct buf with = BUF_INIT(65536);
	struct pg_result *r;
	struct pg_conn *c;
	int rc;

	wm_assert(nparams <= APP_PARAMS_MAX);
	if (app_take(a, which, &c, err))
		return -1;
	if (nparams)
		memcpy(more, params, nparams * sizeof(*params));
	more[nparams] = a->o.timezone;
	buf_printf(&with, "SELECT answer.*, state.* FROM (%s) answer, (SELECT " STATE("$%u") ") state", sql, nparams + 1);
	rc = pg_query_prepared(c, buf_cstr(&with), nparams + 1, more, &r, err);
	app_give(a, which, c);
	buf_release(&with);
	if (rc)
		return -1;
	if (!pg_null(r, 0, 1))
		keep(a->answers, q, pg_value(r, 0, 1), pg_value(r, 0, 0));
	lock_take(&a->answers->lock);
	a->answers->unkept = pg_null(r, 0, 1);
	a->answers->stats.made++;
	lock_drop(&a->answers->lock);
	buf_putv(into, pg_value(r, 0, 0));
	pg_result_free(r);
	return 0;
}

/* One try: 1 when another asks the same, whose number is then in *ret_begun. */
static int try_answer(struct app *a, enum app_server which, const char *sql, unsigned nparams, const char *const *params, struct asking *q,
	uint64_t came, struct buf *into, uint64_t *ret_begun, struct err *err)
{
	bool told;
	int rc = tell_again(a, which, q, came, into, &told, err);

	if (rc == 0 && !told) {
		if (!begin_asking(a->answers, q, ret_begun))
			return 1;
		rc = ask(a, which, sql, nparams, params, q, into, err);
		end_asking(a->answers, q);
	}
	return rc ? app_explain(err) : 0;
}

int app_answer(struct app *a, enum app_server which, const char *sql, unsigned nparams, const char *const *params, struct buf *into,
	struct err *err)
{
	struct buf question = BUF_INIT(APP_QUESTION_BYTES);
	uint64_t came = tick(a->answers), begun = 0;
	struct asking q;
	int rc;

	put_question(&question, which, sql, nparams, params);
	q = (struct asking){.hash = hash_bytes(question.ptr, question.len), .question = buf_view(&question)};
	if (!buf_ok(&question)) {
		buf_release(&question);
		return err_set(err, ERR_LIMIT, "a question to PostgreSQL of more than %d MB", APP_QUESTION_BYTES >> 20);
	}
	while ((rc = try_answer(a, which, sql, nparams, params, &q, came, into, &begun, err)) == 1) {
		wait_answered(a->answers, &q, begun);
		if (begun > came && recall(a->answers, &q, VIEW_NULL, came, into)) {
			rc = 0;
			break;
		}
	}
	buf_release(&question);
	return rc;
}
