/*
 * The tables of a connector: stored schemas, compiled encoders, and what a RELATION message says against what the catalog says.
 *
 * The stream has no DDL. A RELATION message tells names and types as they were when the rows were written; the catalog tells keys, defaults
 * and attribute numbers as they are now, which may be later. The message decides which columns there are and of what type; the catalog, and
 * failing it the newest stored version, supply the rest.
 */
#include <stdio.h>

#include "base/mem.h"
#include "capture/connector_internal.h"

void tables_forget(struct connector *c)
{
	uint32_t i;

	for (i = 0; i < c->ntables; i++) {
		table_encoder_free(c->tables[i]->encoder);
		arena_release(&c->tables[i]->arena);
		mem_free(c->tables[i]);
	}
	c->ntables = 0;
}

/* ---- stored schemas ---- */

static void remember(struct connector *c, struct table *t)
{
	uint32_t i;

	if (t->version >= c->next_version)
		c->next_version = t->version + 1;
	for (i = 0; i < c->nknown; i++)
		if (c->known[i]->oid == t->oid) {
			c->known[i] = t;
			return;
		}
	if (c->nknown == c->cap_known) {
		c->cap_known = c->cap_known ? c->cap_known * 2 : 16;
		c->known = mem_realloc(c->known, c->cap_known * sizeof(*c->known));
	}
	c->known[c->nknown++] = t;
}

static int load_one(void *arg, struct view stored, struct err *err)
{
	struct connector *c = arg;
	struct table *t;

	if (table_load(stored, &c->schemas, &t, err))
		return -1;
	remember(c, t);
	return 0;
}

int tables_load_known(struct connector *c, struct err *err)
{
	arena_reset(&c->schemas);
	c->nknown = 0;
	c->next_version = 1;
	return c->out->ops->schemas(c->out, load_one, c, err);
}

static const struct table *known(const struct connector *c, uint32_t oid)
{
	uint32_t i;

	for (i = 0; i < c->nknown; i++)
		if (c->known[i]->oid == oid)
			return c->known[i];
	return NULL;
}

/* Gives the table its version: the stored one when nothing that matters has changed, else a new one, stored now. */
static int settle_version(struct connector *c, struct table *t, struct err *err)
{
	const struct table *old = known(c, t->oid);
	struct buf b = BUF_INIT(64 << 20);
	struct table *copy;
	int rc = -1;

	if (old && table_same(old, t)) {
		t->version = old->version;
		return 0;
	}
	t->version = c->next_version;
	table_store(&b, t);
	if (!buf_ok(&b)) {
		err_set(err, ERR_LIMIT, "the schema of table \"%.*s.%.*s\" is too large", (int)t->schema.len, (const char *)t->schema.ptr,
			(int)t->name.len, (const char *)t->name.ptr);
		goto out;
	}
	if (c->out->ops->schema(c->out, t->oid, t->version, buf_view(&b), err) || table_load(buf_view(&b), &c->schemas, &copy, err))
		goto out;
	remember(c, copy);
	rc = 0;
out:
	buf_release(&b);
	return rc;
}

/* ---- compiled tables ---- */

struct captured *tables_find(struct connector *c, uint32_t oid)
{
	uint32_t i;

	for (i = 0; i < c->ntables; i++)
		if (c->tables[i]->oid == oid)
			return c->tables[i];
	return NULL;
}

static struct captured *slot_for(struct connector *c, uint32_t oid)
{
	struct captured *t = tables_find(c, oid);

	if (t) {
		table_encoder_free(t->encoder);
		arena_reset(&t->arena);
		*t = (struct captured){.oid = oid, .arena = t->arena};
		return t;
	}
	if (c->ntables == c->cap_tables) {
		c->cap_tables = c->cap_tables ? c->cap_tables * 2 : 16;
		c->tables = mem_realloc(c->tables, c->cap_tables * sizeof(*c->tables));
	}
	t = mem_zalloc(sizeof(*t));
	t->oid = oid;
	t->arena = ARENA_INIT;
	c->tables[c->ntables++] = t;
	return t;
}

static int compile(struct connector *c, struct captured *t, struct err *err)
{
	struct view *constants = arena_zalloc(&t->arena, t->table->ncolumns * sizeof(*constants)), omitted;
	uint32_t i;

	for (i = 0; i < t->table->ncolumns; i++)
		if (t->table->columns[i].default_expr.ptr && pg_constant_default(c->plain, &t->arena, &t->table->columns[i], &constants[i], err))
			return -1;
	if (table_encoder_new(c->config, t->table, constants, c->database, &t->encoder, err) || settle_version(c, t->table, err) ||
	    c->out->ops->topic(c->out, t->table->topic, &t->topic, err))
		return err_context(err, "table \"%.*s.%.*s\"", (int)t->table->schema.len, (const char *)t->table->schema.ptr,
				   (int)t->table->name.len, (const char *)t->table->name.ptr);
	omitted = table_encoder_omitted(t->encoder);
	if (omitted.len)
		connector_warn(c, "Table \"%.*s.%.*s\": columns %.*s are left out of the events: generated, or of a type that is not supported.",
			       (int)t->table->schema.len, (const char *)t->table->schema.ptr, (int)t->table->name.len,
			       (const char *)t->table->name.ptr, (int)omitted.len, (const char *)omitted.ptr);
	if (t->table->nkey == 0)
		connector_warn(c, "Table \"%.*s.%.*s\" has no primary key: its records have no key, and its own updates and deletes fail unless it "
			       "has REPLICA IDENTITY FULL.", (int)t->table->schema.len, (const char *)t->table->schema.ptr,
			       (int)t->table->name.len, (const char *)t->table->name.ptr);
	t->wanted = true;
	return 0;
}

int tables_add_catalog(struct connector *c, uint32_t oid, struct captured **ret, struct err *err)
{
	struct captured *t = slot_for(c, oid);

	if (pg_load_table(c->plain, &t->arena, oid, &t->table, err) || compile(c, t, err))
		return -1;
	*ret = t;
	return 0;
}

/* ---- RELATION messages ---- */

/* A column that is neither in the catalog nor stored: dropped since. What is left of it is its type and its place. */
static int add_unknown(
	struct connector *c, struct captured *t, struct column *col, const struct pgoutput_column *m, int16_t after, struct err *err)
{
	static const char sql[] = "SELECT p.typtype, p.typbasetype, p.typtypmod FROM pg_catalog.pg_type p WHERE p.oid = $1::oid";
	char number[16];
	const char *param = number;
	struct pg_result *r;
	uint32_t oid = m->type_oid;
	int depth = 0;

	memset(col, 0, sizeof(*col));
	col->name = col->published = arena_view(&t->arena, m->name);
	col->attnum = (int16_t)(after + 1);
	col->type = (struct type){.kind = VALUE_OTHER, .oid = oid, .typmod = m->typmod};
	col->elem = (struct type){.typmod = -1};
	do {
		snprintf(number, sizeof(number), "%u", oid);
		if (pg_query(c->plain, sql, 1, &param, &r, err))
			return -1;
		if (pg_rows(r) == 1 && *pg_text(r, 0, 0) == 'd')
			oid = (uint32_t)pg_int(r, 0, 1);
		else
			depth = 64;
		pg_result_free(r);
	} while (++depth < 64);
	col->base = (struct type){.kind = (uint8_t)(oid < 10000 ? value_kind_of_oid(oid) : VALUE_OTHER), .oid = oid, .typmod = m->typmod};
	return 0;
}

static const struct column *same_column(const struct table *t, const struct pgoutput_column *m, bool type_too)
{
	int at = t ? table_find_column(t, m->name) : -1;

	if (at < 0 || (type_too && (t->columns[at].type.oid != m->type_oid || t->columns[at].type.typmod != m->typmod)))
		return NULL;
	return &t->columns[at];
}

/* The table as the message has it, from the catalog's columns where they agree, from the stored ones where those do. */
static int reconcile(
	struct connector *c, struct captured *t, const struct table *catalog, const struct pgoutput_message *m, struct err *err)
{
	const struct table *stored = known(c, m->relation);
	struct table *made = arena_zalloc(&t->arena, sizeof(*made));
	int16_t last = 0;
	uint32_t i, k;

	made->oid = m->relation;
	made->schema = arena_view(&t->arena, m->namespace.len ? m->namespace : view_str("pg_catalog"));
	made->name = arena_view(&t->arena, m->name);
	made->replica_identity = m->replica_identity;
	made->kind = catalog ? catalog->kind : stored ? stored->kind : 'r';
	made->ncolumns = m->ncolumns;
	made->columns = arena_zalloc(&t->arena, m->ncolumns * sizeof(*made->columns));
	for (i = 0; i < m->ncolumns; i++) {
		struct column *col = &made->columns[i];
		const struct column *from = same_column(catalog, &m->columns[i], true);

		if (!from)
			from = same_column(stored, &m->columns[i], true);
		if (from) {
			*col = *from;
		} else {
			const struct column *place = same_column(catalog, &m->columns[i], false);

			if (!place)
				place = same_column(stored, &m->columns[i], false);
			if (add_unknown(c, t, col, &m->columns[i], place ? (int16_t)(place->attnum - 1) : last, err))
				return -1;
			col->not_null = m->columns[i].identity && m->replica_identity != 'f';
		}
		col->key = 0;
		last = col->attnum;
	}
	/* the key: the catalog's or the stored one's where all of it is here, else the replica identity's columns */
	if (!catalog || catalog->nkey == 0)
		catalog = stored;
	for (i = 0; catalog && i < catalog->nkey; i++) {
		int at = table_find_column(made, catalog->columns[catalog->key[i]].name);

		if (at < 0)
			break;
		made->key[made->nkey++] = (uint16_t)at;
	}
	if (!catalog || made->nkey != catalog->nkey) {
		made->nkey = 0;
		for (k = 0; k < m->ncolumns && made->nkey < KEY_COLUMNS_MAX && m->replica_identity != 'f'; k++)
			if (m->columns[k].identity)
				made->key[made->nkey++] = (uint16_t)k;
	}
	for (i = 0; i < made->nkey; i++)
		made->columns[made->key[i]].key = (uint16_t)(i + 1);
	t->table = made;
	return 0;
}

/* Whether the catalog describes just what the message does (generated columns are not in the stream). */
static bool agrees(const struct table *catalog, const struct pgoutput_message *m)
{
	uint32_t i, k = 0;

	if (!view_eq(catalog->name, m->name) || catalog->replica_identity != m->replica_identity)
		return false;
	for (i = 0; i < catalog->ncolumns; i++) {
		const struct column *col = &catalog->columns[i];

		if (col->generated)
			continue;
		if (k == m->ncolumns || !view_eq(col->name, m->columns[k].name) || col->type.oid != m->columns[k].type_oid ||
		    col->type.typmod != m->columns[k].typmod)
			return false;
		k++;
	}
	return k == m->ncolumns;
}

int tables_add_relation(struct connector *c, const struct pgoutput_message *m, struct captured **ret, struct err *err)
{
	struct captured *t = slot_for(c, m->relation);
	struct table *catalog = NULL;
	struct view *names;
	struct err gone = ERR_INIT;
	uint32_t i;

	*ret = t;
	t->wanted = connector_config_wants(c->config, m->namespace, m->name);
	if (!t->wanted)
		return 0;
	if (pg_load_table(c->plain, &t->arena, m->relation, &catalog, &gone)) {
		if (gone.code != ERR_NOT_FOUND) {
			*err = gone;
			return -1;
		}
		catalog = NULL;
	}
	if (catalog && agrees(catalog, m))
		t->table = catalog;
	else if (reconcile(c, t, catalog, m, err))
		return -1;
	if (compile(c, t, err))
		return -1;
	names = arena_alloc(&t->arena, (m->ncolumns + 1) * sizeof(*names));
	for (i = 0; i < m->ncolumns; i++)
		names[i] = m->columns[i].name;
	table_encoder_map(t->encoder, names, m->ncolumns);
	return 0;
}
