/* What Kafka Connect's API asks of a connector beyond its life: position and topics; see registry.h. */
#include <stdlib.h>

#include "base/js.h"
#include "base/mem.h"
#include "job/registry_int.h"
#include "model/schema.h"
#include "stream/log_out.h"

void registry_capture_options(struct registry *r, enum capture_dialect *ret_dialect, const struct pg_params **ret_source)
{
	*ret_dialect = r->o.dialect;
	*ret_source = r->has_source ? &r->source : NULL;
}

/* ---- position ---- */

static struct entry_connector *found_connector(struct registry *r, struct view name, struct err *err)
{
	struct entry_connector *e = registry_find_connector(r, name);

	if (!e)
		err_set(err, ERR_NOT_FOUND, "Connector %.*s not found", (int)name.len, (const char *)name.ptr);
	return e;
}

static struct entry_connector *stopped_connector(struct registry *r, struct view name, struct err *err)
{
	struct entry_connector *e = found_connector(r, name, err);

	if (!e || e->desired == CONNECTOR_STOPPED)
		return e;
	err_set(err, ERR_STATE,
		"Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by "
		"issuing a 'PUT' request to the '/connectors/%s/stop' endpoint",
		e->name);
	return NULL;
}

static int load_position(
	struct registry *r, struct view name, struct arena *a, bool *ret_found, struct unit_payload *ret, struct err *err)
{
	struct buf bytes = BUF_INIT((size_t)1 << 30);
	uint64_t seq;
	int rc = log_out_position(r->o.log, name, &bytes, &seq, err);

	*ret_found = bytes.len > 0;
	if (rc == 0 && bytes.len)
		rc = unit_payload_load(arena_view(a, buf_view(&bytes)), a, ret, err);
	buf_release(&bytes);
	return rc;
}

int registry_connector_offset(
	struct registry *r, struct view name, struct arena *a, bool *ret_found, struct unit_payload *ret, struct err *err)
{
	int rc = -1;

	lock_take(&r->lock);
	if (found_connector(r, name, err))
		rc = load_position(r, name, a, ret_found, ret, err);
	lock_drop(&r->lock);
	return rc;
}

static int forget(struct registry *r, void *arg, struct err *err)
{
	struct entry_connector *e = arg;

	return log_out_forget(r->o.log, view_str(e->name), err);
}

int registry_connector_reset(struct registry *r, struct view name, struct err *err)
{
	struct entry_connector *e;
	int rc = -1;

	lock_take(&r->lock);
	e = stopped_connector(r, name, err);
	if (e)
		rc = registry_renew_connector(r, e, forget, e, err);
	lock_drop(&r->lock);
	return rc;
}

/* Where the server's WAL ends now. No lock is held. */
static int wal_end(const struct pg_params *source, lsn_t *ret, struct err *err)
{
	struct pg_conn *conn;
	struct pg_result *res;
	int rc;

	if (pg_connect(source, PG_CONN_PLAIN, "walmill offsets", -1, &conn, err))
		return -1;
	rc = pg_query(conn, "SELECT pg_current_wal_insert_lsn()", 0, NULL, &res, err);
	if (rc == 0) {
		if (!lsn_parse(pg_value(res, 0, 0), ret))
			rc = err_set(err, ERR_PROTOCOL, "the server's WAL position cannot be read");
		pg_result_free(res);
	}
	pg_close(conn);
	return rc;
}

/* A job that reads what the connector publishes would not see what is left out. */
static int no_reader(struct registry *r, const struct entry_connector *e, struct err *err)
{
	uint32_t i;

	for (i = 0; i < r->njobs; i++) {
		struct job_status s;

		job_status(r->jobs[i]->pub.job, &s);
		if (r->jobs[i]->desired == JOB_CANCELED || strcmp(s.connector, e->name) != 0)
			continue;
		err_set(err, ERR_STATE, "job \"%s\" reads what connector \"%s\" publishes, and its tables would miss what is left out",
			job_name(r->jobs[i]->pub.job), e->name);
		return err_hint(
			err, "Cancel the job first, or reset the offsets (DELETE): the connector then takes a new snapshot, and jobs follow it.");
	}
	return 0;
}

static int check_move(
	struct registry *r, const struct entry_connector *e, const struct unit_payload *p, lsn_t lsn, lsn_t end, struct err *err)
{
	if (lsn < p->end_lsn) {
		err_set(err, ERR_INVALID, "position " LSN_FORMAT " lies before the connector's, " LSN_FORMAT ": changes in between are in its "
			"topics already and would be published twice", LSN_ARGS(lsn), LSN_ARGS(p->end_lsn));
		return err_hint(err, "Reset the offsets (DELETE) to begin anew with a snapshot.");
	}
	if (lsn > end)
		return err_set(err, ERR_INVALID, "position " LSN_FORMAT " lies beyond the end of the server's WAL, " LSN_FORMAT, LSN_ARGS(lsn),
			LSN_ARGS(end));
	return no_reader(r, e, err);
}

struct move {
	struct unit_payload p;
};

/* A unit without records that says where the connector goes on. Another incarnation, as the log is not whole before it. */
static int write_position(struct registry *r, void *arg, struct err *err)
{
	struct move *m = arg;
	struct unit_payload p = {.kind = UNIT_PROGRESS, .connector = m->p.connector, .system_id = m->p.system_id, .timeline = m->p.timeline,
		.commit_lsn = m->p.end_lsn, .end_lsn = m->p.end_lsn};
	struct buf bytes = BUF_INIT(1 << 16);
	struct log_close_args args;
	char note[LOG_OUT_NAME];
	int rc;

	io_random(r->o.io, &p.incarnation, sizeof(p.incarnation));
	unit_payload_store(&bytes, &p);
	log_out_note(p.connector, note);
	args = (struct log_close_args){.payload = buf_view(&bytes), .note = note};
	rc = log_unit_close_wait(log_unit_begin(r->o.log, LOG_CAPTURE), &args, NULL, err);
	buf_release(&bytes);
	return rc;
}

int registry_connector_move(struct registry *r, struct view name, lsn_t lsn, struct err *err)
{
	struct pg_params source = {0};
	struct entry_connector *e;
	struct arena a = ARENA_INIT;
	struct move m;
	lsn_t end;
	bool found;
	int rc = -1;

	lock_take(&r->lock);
	e = stopped_connector(r, name, err);
	if (e)
		pg_params_copy(&source, &connector_config(e->connector)->source);
	lock_drop(&r->lock);
	if (!e || wal_end(&source, &end, err))
		goto out;
	lock_take(&r->lock);
	e = stopped_connector(r, name, err);
	if (e && load_position(r, name, &a, &found, &m.p, err) == 0) {
		if (!found)
			err_set(err, ERR_STATE, "connector \"%s\" has no position yet: its first start takes a snapshot", e->name);
		else if (lsn == m.p.end_lsn)
			rc = 0;
		else if (check_move(r, e, &m.p, lsn, end, err) == 0) {
			m.p.end_lsn = lsn;
			rc = registry_renew_connector(r, e, write_position, &m, err);
		}
	}
	lock_drop(&r->lock);
out:
	pg_params_release(&source);
	arena_release(&a);
	return rc;
}

/* ---- topics ---- */

struct topics {
	struct registry *r;
	const struct entry_connector *e;
	struct arena arena;
	struct view *list;
	uint32_t n;
};

static void note_topic(struct topics *t, struct view topic)
{
	struct view *more;
	uint32_t i;

	for (i = 0; i < t->n; i++)
		if (view_eq(t->list[i], topic))
			return;
	more = arena_alloc(&t->arena, (t->n + 1) * sizeof(*more));
	if (t->n)
		memcpy(more, t->list, t->n * sizeof(*more));
	more[t->n++] = arena_view(&t->arena, topic);
	t->list = more;
}

static int note_schema(void *arg, struct view stored, struct err *err)
{
	struct topics *t = arg;
	struct table *table;

	if (table_load(stored, &t->arena, &table, err))
		return -1;
	note_topic(t, table->topic);
	return 0;
}

/* Every topic that the connector may have written to: those of the tables whose schemas it stored, and its heartbeats'. */
static int all_topics(struct topics *t, struct err *err)
{
	const struct connector_config *cfg = connector_config(t->e->connector);
	struct view heartbeat;

	if (log_out_schemas(t->r->o.log, view_str(t->e->name), note_schema, t, err))
		return -1;
	if (cfg->heartbeat_ms == 0)
		return 0;
	if (connector_heartbeat_topic(cfg, &t->arena, &heartbeat, err))
		return -1;
	note_topic(t, heartbeat);
	return 0;
}

/* So many records were ever written to the topic; its partition 0 is where connectors write. */
static int64_t written(struct registry *r, struct view topic)
{
	struct log_topic found;
	struct log_marks marks = {0};
	uint32_t part;

	if (log_topic_find(r->o.log, topic, &found) && log_part_find(r->o.log, found.id, 0, &part))
		log_marks(r->o.log, &part, 1, &marks, NULL);
	return marks.high;
}

static int64_t reset_at(const struct entry_connector *e, struct view topic)
{
	struct js_reader js;
	struct js_token t;
	int64_t at = 0;

	if (!e->topics_reset)
		return 0;
	js_reader_init(&js, view_str(e->topics_reset), 0);
	js_next(&js, &t);
	/* names of topics have no characters that JSON escapes */
	while (js_next(&js, &t) == JS_NUMBER)
		if (view_eq(t.key, topic))
			at = strtoll((const char *)t.text.ptr, NULL, 10);
	return at;
}

int registry_connector_topics(struct registry *r, struct view name, void (*fn)(void *arg, struct view topic), void *arg, struct err *err)
{
	struct topics t = {.r = r, .arena = ARENA_INIT};
	uint32_t i;
	int rc = -1;

	lock_take(&r->lock);
	t.e = found_connector(r, name, err);
	if (t.e && all_topics(&t, err) == 0) {
		for (i = 0; i < t.n; i++)
			if (written(r, t.list[i]) > reset_at(t.e, t.list[i]))
				fn(arg, t.list[i]);
		rc = 0;
	}
	lock_drop(&r->lock);
	arena_release(&t.arena);
	return rc;
}

int registry_connector_topics_reset(struct registry *r, struct view name, struct err *err)
{
	struct topics t = {.r = r, .arena = ARENA_INIT};
	struct entry_connector *e;
	struct buf b = BUF_INIT(1 << 20);
	uint32_t i;
	int rc = -1;

	lock_take(&r->lock);
	t.e = e = found_connector(r, name, err);
	if (e && all_topics(&t, err) == 0) {
		buf_putc(&b, '{');
		for (i = 0; i < t.n; i++)
			buf_printf(&b, "%s\"%.*s\":%lld", i ? "," : "", (int)t.list[i].len, (const char *)t.list[i].ptr,
				(long long)written(r, t.list[i]));
		buf_putc(&b, '}');
		mem_free(e->topics_reset);
		e->topics_reset = mem_strdup(buf_cstr(&b));
		rc = registry_store_connector(r, e, err);
	}
	lock_drop(&r->lock);
	buf_release(&b);
	arena_release(&t.arena);
	return rc;
}
