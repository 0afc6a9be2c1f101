/*
 * Units of the log into the flow.
 *
 * A unit's batches come in append order, which is each topic's order; the payload's runs say which table and schema version the records of
 * a topic belong to, its exceptions what their bytes do not say, its events what happened to whole tables, at their place among the table's
 * records.
 */
#include "base/mem.h"
#include "job/job_int.h"
#include "log/batch.h"
#include "model/datetime.h"
#include "model/num.h"

/* Where the records of one topic of a unit stand in the payload's lists. */
struct topic_place {
	uint32_t part;
	bool resolved;
	uint32_t run;             /* index of the present run in the payload, UINT32_MAX = none yet */
	uint32_t left;            /* records of it that are still to come */
	uint32_t record;          /* of the topic in this unit */
	uint32_t exception;       /* first exception that may still apply */
};

struct unit {
	struct job *j;
	struct unit_payload p;
	struct topic_place *places;
	uint32_t next_event;
};

static struct job_table *table_of(struct job *j, uint32_t oid)
{
	uint32_t i;

	for (i = 0; i < j->plan->ntables; i++)
		if (j->tables[i].sql->oid == oid)
			return &j->tables[i];
	return NULL;
}

/* ---- decoders ---- */

static const struct table *stored_version(const struct job *j, uint32_t oid, uint32_t version)
{
	uint32_t i;

	for (i = j->nstored; i-- > 0;)
		if (j->stored[i]->oid == oid && j->stored[i]->version == version)
			return j->stored[i];
	return NULL;
}

static bool same_labels(const struct sql_enum *planned, const struct column *stored)
{
	uint32_t i, k;

	for (i = 0; planned && i < stored->nlabels; i++) {
		for (k = 0; k < planned->n && !view_eq(planned->labels[k], stored->labels[i]); k++)
			;
		if (k == planned->n)
			return false;
	}
	return true;
}

/*
 * Added or renamed since the job was planned, or before the log's version was written. Planned anew, the job knows an added label, and
 * starts from the tables where the log has rows under a name that is gone.
 */
static int other_labels(const struct job_table *t, const struct sql_column *c, struct err *err)
{
	err_set(err, ERR_STATE, "the enum of column \"%s\" of table \"%s.%s\" has other labels than when the job was planned", c->name,
		t->sql->schema, t->sql->name);
	err->retriable = true;
	return -1;
}

/*
 * A plan is bound to attribute numbers and types: another type for a column that it uses is another plan. Records of a version that has not
 * got the column do not say what it holds: ADD COLUMN ... DEFAULT gives old rows a value without a word in the WAL.
 */
static int same_types(const struct job_table *t, const struct table *stored, struct err *err)
{
	uint32_t i;

	for (i = 0; i < t->sql->ncolumns; i++) {
		int at = table_find_attnum(stored, t->sql->columns[i].attnum);

		/* to a plan a domain is its base type */
		if (at >= 0 && stored->columns[at].base.oid == t->sql->columns[i].type.oid &&
			stored->columns[at].base.typmod == t->sql->columns[i].type.typmod) {
			if (!same_labels(t->sql->columns[i].labels, &stored->columns[at]))
				return other_labels(t, &t->sql->columns[i], err);
			continue;
		}
		if (at < 0)
			err_set(err, ERR_STATE,
				"column \"%s\" of table \"%s.%s\", which the job uses, is not in the log: it was dropped, or is not captured",
				t->sql->columns[i].name, t->sql->schema, t->sql->name);
		else
			err_set(err, ERR_STATE, "column \"%s\" of table \"%s.%s\", which the job uses, has another type than when the job was planned",
				t->sql->columns[i].name, t->sql->schema, t->sql->name);
		return err_hint(err, "Submit the job again: it is planned anew and starts from the tables as they are.");
	}
	return 0;
}

static int reader_of_version(struct job *j, struct job_table *t, uint32_t version, struct row_decoder **ret, struct err *err)
{
	const struct table *stored;
	struct row_decoder *d;
	uint32_t i;

	for (i = t->nreaders; i-- > 0;)
		if (t->readers[i].version == version) {
			*ret = t->readers[i].decoder;
			return 0;
		}
	stored = stored_version(j, t->sql->oid, version);
	if (!stored) {
		if (job_load_schemas(j, err))
			return -1;
		stored = stored_version(j, t->sql->oid, version);
	}
	if (!stored)
		return err_set(
			err, ERR_CORRUPT, "version %u of the schema of table \"%s.%s\" is not in the log", version, t->sql->schema, t->sql->name);
	if (same_types(t, stored, err) || row_decoder_new(stored, t->attnums, t->sql->ncolumns, &d, err))
		return -1;
	t->readers = mem_realloc(t->readers, (t->nreaders + 1) * sizeof(*t->readers));
	t->readers[t->nreaders++] = (struct version_reader){version, d};
	*ret = d;
	return 0;
}

/* ---- records ---- */

static void set_special(struct value *v, uint8_t kind)
{
	bool numeric = v->kind == VALUE_NUMERIC;

	v->null = kind == EXCEPTION_NULL;
	if (kind == EXCEPTION_NAN)
		*v = numeric ? value_of_num(num_special(NUM_NAN)) : *v;
	else if (kind == EXCEPTION_INFINITY)
		*v = numeric ? value_of_num(num_special(NUM_POS_INF))
					 : value_int((enum value_kind)v->kind, v->kind == VALUE_DATE ? DATE_POS_INF : TIMESTAMP_POS_INF);
	else if (kind == EXCEPTION_NEG_INFINITY)
		*v = numeric ? value_of_num(num_special(NUM_NEG_INF))
					 : value_int((enum value_kind)v->kind, v->kind == VALUE_DATE ? DATE_NEG_INF : TIMESTAMP_NEG_INF);
}

/*
 * Exceptions come in order of their first record; those that lie wholly behind are left behind when they are at the front. Before
 * the record is read it is told what not to look at (values false), afterwards what its values are.
 */
static bool apply_exceptions(struct unit *u, struct topic_place *place, uint32_t topic, struct job_table *t, bool values)
{
	bool any = false;
	uint32_t i, k;

	if (!values)
		memset(t->unchanged, 0, t->sql->ncolumns);
	for (i = place->exception; i < u->p.nexceptions; i++) {
		const struct unit_exception *x = &u->p.exceptions[i];

		if (x->topic != topic || x->record + x->count <= place->record) {
			if (i == place->exception)
				place->exception++;
			continue;
		}
		if (x->record > place->record)
			break;
		for (k = 0; k < t->sql->ncolumns; k++) {
			if (t->attnums[k] != x->attnum)
				continue;
			any = any || x->kind == EXCEPTION_UNCHANGED;
			if (x->kind == EXCEPTION_UNCHANGED)
				t->unchanged[k] = true;
			else if (values)
				set_special(&t->row[k], x->kind);
		}
	}
	return any;
}

/* Events of a table whose place is behind `records` of its records; with UINT32_MAX all that are left. */
static int apply_events(struct unit *u, const struct job_table *t, uint32_t records, struct err *err)
{
	uint32_t i;

	for (i = 0; i < u->p.nevents; i++) {
		struct unit_event *e = &u->p.events[i];

		if (!e->kind || e->table_oid != t->sql->oid || e->before_record > records)
			continue;
		e->kind = 0; /* done */
		if (flow_clear(u->j->flow, (uint32_t)(t - u->j->tables), err))
			return -1;
	}
	return 0;
}

/* A row some of whose values are left unchanged, among them those of rows whose key has changed. */
static int upsert_unchanged(struct job *j, struct job_table *t, uint32_t index, struct err *err)
{
	struct view stored;
	bool known = flow_stored(j->flow, index, t->row, &stored);

	if (flow_upsert(j->flow, index, t->row, t->unchanged, err)) {
		/* a checkpoint's rows are from within its window: one that is gone by then is taken away or written whole by a later unit */
		if (err->code != ERR_STATE || j->next_unit >= j->window_end)
			return -1;
		err_clear(err);
	} else if (!known && flow_stored(j->flow, index, t->row, &stored)) {
		checkpoint_add(j, index, stored);
	}
	return 0;
}

static int fold_record(struct unit *u, struct topic_place *place, uint32_t topic, const struct record *rec, struct err *err)
{
	const struct unit_run *run = &u->p.runs[place->run];
	struct job *j = u->j;
	struct job_table *t = table_of(j, run->table_oid);
	struct row_decoder *d;
	enum row_op op;
	uint32_t index;
	bool unchanged;

	if (!t)
		return 0;
	index = (uint32_t)(t - j->tables);
	if (u->p.nevents && apply_events(u, t, t->in_unit, err))
		return -1;
	t->in_unit++;
	arena_reset(&j->scratch);
	unchanged = u->p.nexceptions && apply_exceptions(u, place, topic, t, false);
	if (reader_of_version(j, t, run->version, &d, err) ||
		row_decode(d, rec->key, rec->value, unchanged ? t->unchanged : NULL, &j->scratch, &op, t->row, err))
		return -1;
	switch (op) {
	case ROW_UPSERT:
		if (u->p.nexceptions)
			apply_exceptions(u, place, topic, t, true);
		return unchanged ? upsert_unchanged(j, t, index, err) : flow_upsert(j->flow, index, t->row, NULL, err);
	case ROW_DELETE:
		return flow_delete(j->flow, index, t->row, err);
	case ROW_NOTHING:
		break;
	}
	return 0;
}

/* The place of a batch's topic; ret_topic UINT32_MAX for a topic that the payload does not name. */
static struct topic_place *place_of(struct unit *u, uint32_t part, uint32_t *ret_topic)
{
	struct log_topic topic;
	uint32_t i, partition;

	for (i = 0; i < u->p.ntopics; i++)
		if (u->places[i].resolved && u->places[i].part == part) {
			*ret_topic = i;
			return &u->places[i];
		}
	*ret_topic = UINT32_MAX;
	if (!log_part_topic(u->j->env->log, part, &topic, &partition))
		return NULL;
	for (i = 0; i < u->p.ntopics; i++) {
		if (!view_is(u->p.topics[i], topic.name))
			continue;
		u->places[i].resolved = true;
		u->places[i].part = part;
		*ret_topic = i;
		return &u->places[i];
	}
	return NULL;
}

/* Moves on to the run that the next record of the topic belongs to. */
static bool next_run(struct unit *u, struct topic_place *place, uint32_t topic)
{
	while (place->left == 0) {
		uint32_t i = place->run == UINT32_MAX ? 0 : place->run + 1;

		while (i < u->p.nruns && u->p.runs[i].topic != topic)
			i++;
		if (i == u->p.nruns)
			return false;
		place->run = i;
		place->left = u->p.runs[i].count;
	}
	place->left--;
	return true;
}

static int fold_batch(struct unit *u, const struct log_batch *b, struct err *err)
{
	struct record_reader rr;
	struct topic_place *place;
	struct record rec;
	uint32_t topic;
	int more;

	place = place_of(u, b->part, &topic);
	if (!place)
		return 0; /* a heartbeat's topic, or one that was deleted since */
	if (batch_records(&rr, b->bytes, err))
		return -1;
	while ((more = record_next(&rr, &rec, err)) > 0) {
		if (!next_run(u, place, topic))
			return err_set(err, ERR_CORRUPT, "a commit record names fewer records than its unit has");
		if (fold_record(u, place, topic, &rec, err))
			return -1;
		place->record++;
		u->j->records++;
	}
	return more;
}

/* ---- units ---- */

/* Whether the payload's events replace every table of the job. */
static bool replaces_all(const struct job *j, const struct unit_payload *p)
{
	uint32_t i, k;

	for (i = 0; i < j->plan->ntables; i++) {
		for (k = 0; k < p->nevents; k++)
			if (p->events[k].kind == EVENT_REPLACE && p->events[k].table_oid == j->tables[i].sql->oid)
				break;
		if (k == p->nevents)
			return false;
	}
	return true;
}

static bool concerns(const struct job *j, const struct unit_payload *p)
{
	uint32_t i;

	for (i = 0; i < p->nruns; i++)
		if (table_of((struct job *)j, p->runs[i].table_oid))
			return true;
	for (i = 0; i < p->nevents; i++)
		if (table_of((struct job *)j, p->events[i].table_oid))
			return true;
	return false;
}

static int fold_unit(struct unit *u, const struct log_unit_info *info, struct err *err)
{
	struct job *j = u->j;
	struct log_batch b;
	uint32_t i;

	for (i = 0; i < j->plan->ntables; i++)
		j->tables[i].in_unit = 0;
	for (i = 0; i < u->p.ntopics; i++)
		u->places[i].run = UINT32_MAX;
	for (i = 0; i < info->n_entries; i++)
		if (log_cursor_batch(j->cursor, i, &b, err) || fold_batch(u, &b, err))
			return -1;
	for (i = 0; i < j->plan->ntables; i++)
		if (u->p.nevents && apply_events(u, &j->tables[i], UINT32_MAX, err))
			return -1;
	return 0;
}

static int check_lost(struct job *j, const struct unit_payload *p, const struct unit_exception *x, struct err *err)
{
	struct job_table *t = NULL;
	uint32_t i, k, record = 0;

	for (i = 0; i < p->nruns; i++) {
		if (p->runs[i].topic != x->topic)
			continue;
		record += p->runs[i].count;
		if (record <= x->record)
			continue;
		t = table_of(j, p->runs[i].table_oid);
		for (k = 0; t && k < t->sql->ncolumns; k++) {
			if (t->attnums[k] != x->attnum)
				continue;
			err_set(err, ERR_UNSUPPORTED, "a value of column \"%s\" of table \"%s.%s\" cannot be told from its event",
				t->sql->columns[k].name, t->sql->schema, t->sql->name);
			err_detail(err, "It is an array whose subscripts do not begin with 1, or something that the connector's settings cannot "
				"show.");
			return err_hint(err, "Resume the job: it starts from the tables as they are.");
		}
		if (record >= x->record + x->count)
			break;
	}
	return 0;
}

/* Every version that the unit uses can be read: asked before anything of it is folded, so that the flow still stands before it if not. */
static int check_readers(struct job *j, const struct unit_payload *p, struct err *err)
{
	struct row_decoder *d;
	uint32_t i;

	for (i = 0; i < p->nruns; i++) {
		struct job_table *t = table_of(j, p->runs[i].table_oid);

		if (t && reader_of_version(j, t, p->runs[i].version, &d, err))
			return -1;
	}
	for (i = 0; i < p->nexceptions; i++)
		if (p->exceptions[i].kind == EXCEPTION_LOST && check_lost(j, p, &p->exceptions[i], err))
			return -1;
	return 0;
}

static void note_position(struct job *j, const struct unit_payload *p)
{
	if (p->kind == UNIT_NOTE || p->kind == UNIT_KEPT || p->kind == UNIT_SNAPSHOT_PART)
		return;
	j->passed_lsn = p->end_lsn;
	if (p->kind == UNIT_PROGRESS)
		return;
	j->folded_lsn = p->commit_lsn;
	if (p->commit_us)
		j->source_us = p->commit_us;
}

int follow_unit(struct job *j, const struct log_unit_info *info, struct err *err)
{
	struct unit u = {.j = j};
	struct arena a = ARENA_INIT;
	int rc = -1;

	if (info->payload.len == 0)
		return 0; /* a client's */
	if (unit_payload_load(info->payload, &a, &u.p, err))
		goto out;
	rc = 0;
	if (!view_is(u.p.connector, j->connector))
		goto out;
	if (u.p.incarnation != j->incarnation) {
		/* the connector was made anew: what follows begins with its snapshot, which replaces the tables */
		j->incarnation = u.p.incarnation;
		j->system_id = u.p.system_id;
		j->first_write_replaces = true;
		j->skip_below = 0;
		j->nstored = 0;
	}
	if (u.p.kind == UNIT_TRANSACTION && u.p.commit_lsn < j->skip_below)
		goto out;
	if (u.p.kind == UNIT_SNAPSHOT_PART || u.p.kind == UNIT_SNAPSHOT_END) {
		/* parts of a snapshot whose beginning was not seen are older than what the flow has */
		if (replaces_all(j, &u.p)) {
			j->in_snapshot = true;
			j->skip_below = 0;
		}
		if (!j->in_snapshot)
			goto out;
		j->in_snapshot = u.p.kind == UNIT_SNAPSHOT_PART;
	}
	if (concerns(j, &u.p)) {
		u.places = arena_zalloc(&a, (u.p.ntopics + 1) * sizeof(*u.places));
		rc = check_readers(j, &u.p, err);
		j->changes++;
		if (rc)
			checkpoint_forget(j); /* what starts anew from before this unit would only get here again */
		j->torn = rc == 0;
		if (rc == 0 && (rc = fold_unit(&u, info, err)) != 0)
			err_context(err, "unit %llu of the log, transaction at " LSN_FORMAT, (unsigned long long)info->seq, LSN_ARGS(u.p.commit_lsn));
	}
	if (rc == 0) {
		j->torn = false;
		note_position(j, &u.p);
	}
out:
	arena_release(&a);
	return rc;
}

/* ---- where to start ---- */

int follow_find_start(struct job *j, uint64_t *ret_seq, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct log_unit_info info;
	struct log_cursor *c;
	uint64_t first, last, begin = 0, found = 0, incarnation = 0;
	bool readable = true;
	int rc;

	log_unit_span(j->env->log, &first, &last);
	c = log_cursor_open(j->env->log, first);
	while ((rc = log_cursor_next(c, &info, err)) > 0) {
		struct unit_payload p;
		struct err ignored = ERR_INIT;

		arena_reset(&a);
		if (info.payload.len == 0)
			continue;
		if (unit_payload_load(info.payload, &a, &p, err)) {
			rc = -1;
			break;
		}
		if (!view_is(p.connector, j->connector))
			continue;
		/* a position that somebody moved: what lies between is not in the log */
		if (p.incarnation != incarnation)
			begin = 0;
		incarnation = p.incarnation;
		if (p.nevents && replaces_all(j, &p)) {
			begin = info.seq;
			readable = true;
			j->nstored = 0;
		}
		if (readable && begin && check_readers(j, &p, &ignored))
			readable = false;
		if (p.kind == UNIT_SNAPSHOT_END && begin)
			found = begin;
	}
	log_cursor_close(c);
	arena_release(&a);
	if (rc < 0)
		return -1;
	*ret_seq = found;
	return found && found == begin && readable ? 0 : 1;
}
