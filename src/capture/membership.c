/*
 * Whether what is published now was published all along, and the slot is the one that was read. The connector's thread.
 *
 * pgoutput asks the catalog as it was when a row was written (seen on 15.18): rows that are written while their table is out of the
 * publication, or does not pass its filter, are left out of the stream without a word, also when the table has been put back long before
 * they are read. So what is published is looked at in every session and every few seconds while streaming, and the last look is kept in the
 * log (UNIT_KEPT). Whatever differs may have left a gap: ERR_LOST. A table that was not there at the last look is new, and its changes are
 * captured from now on, as Debezium has it; one that the configuration does not want any more is forgotten, as is all of a publication or
 * slot when the configuration names another. Nothing kept, as by an
 * earlier version, and what was kept for another incarnation say nothing: the present state is taken as it is.
 *
 * While a publication is not there under its name, the server refuses to decode rows, so one that was renamed and is back has lost nothing
 * by that. But its xmin is another, as after a change of what it publishes: whether it was missed when somebody looked (xmin 0) tells.
 *
 * A server that was put back to an older state, on the same timeline, has a slot that stands further back than it was seen to stand: its
 * restart position is on its disk before it means anything, so it never goes back, whatever crashes (the confirmed one may). That tells
 * also when the server has since written beyond the log's position. What is kept is the look before the last, which is on that disk by
 * now, or where the slot stands when nobody reads it.
 *
 * Kept bytes: u8 format = 1, u8 publishes; uvarint publication, xmin, owner, slot's restart position, n; n times uvarint table, by; bytes
 * name of the publication, of the slot.
 */
#include "capture/connector_internal.h"

struct kept {
	struct pg_membership members;
	lsn_t restart;
};

enum { KEPT_FORMAT = 1, KEPT_MAX = 64 << 20, NAMES_MAX = 600 };

static struct view publication(const struct connector *c)
{
	return c->config->publication;
}

/* ---- looking ---- */

/* The last look becomes this one. */
static void take(struct connector *c, struct arena *a, const struct pg_membership *m)
{
	arena_release(&c->members_arena);
	c->members_arena = *a;
	c->members = *m;
}

static int look(struct connector *c, struct arena *a, struct pg_membership *ret, struct err *err)
{
	return pg_publication_members(c->plain, a, publication(c), c->server.version, ret, err);
}

int membership_look(struct connector *c, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct pg_membership now;

	if (look(c, &a, &now, err)) {
		arena_release(&a);
		return -1;
	}
	take(c, &a, &now);
	return 0;
}

/* ---- what is kept ---- */

/* members.publication is 0 when nothing is kept that this incarnation of the connector wrote. */
static int load_kept(struct connector *c, struct arena *a, struct kept *kept, struct err *err)
{
	struct pg_membership *ret = &kept->members;
	struct buf b = BUF_INIT(KEPT_MAX);
	struct unit_payload p = {0};
	struct reader r;
	uint32_t i;
	int rc;

	*kept = (struct kept){.restart = 0};
	rc = c->out->ops->kept(c->out, &b, err);
	if (rc == 0 && b.len)
		rc = unit_payload_load(arena_view(a, buf_view(&b)), a, &p, err);
	buf_release(&b);
	if (rc || p.incarnation != c->incarnation)
		return rc;
	r = reader_of(p.kept);
	if (reader_u8(&r) != KEPT_FORMAT)
		return 0; /* a later version's: as good as none */
	ret->publishes = reader_u8(&r);
	ret->publication = reader_uvarint32(&r);
	ret->xmin = reader_uvarint32(&r);
	ret->owner = reader_uvarint32(&r);
	kept->restart = reader_uvarint(&r);
	ret->nmembers = reader_uvarint32(&r);
	if (ret->nmembers > reader_left(&r) / 2)
		r.bad = true;
	ret->members = r.bad ? NULL : arena_zalloc(a, (ret->nmembers + 1) * sizeof(*ret->members));
	for (i = 0; i < ret->nmembers && !r.bad; i++) {
		ret->members[i].table = reader_uvarint32(&r);
		ret->members[i].by = reader_uvarint32(&r);
	}
	if (!view_eq(reader_bytes(&r), publication(c)))
		ret->publication = 0;
	if (!view_eq(reader_bytes(&r), c->config->slot))
		kept->restart = 0;
	if (!reader_done(&r))
		return err_set(err, ERR_CORRUPT, "what connector \"%.*s\" keeps about its publication cannot be read", (int)p.connector.len,
			       (const char *)p.connector.ptr);
	return 0;
}

static void store(const struct connector *c, struct buf *b, const struct pg_membership *m)
{
	uint32_t i;

	buf_u8(b, KEPT_FORMAT);
	buf_u8(b, m->publishes);
	buf_uvarint(b, m->publication);
	buf_uvarint(b, m->xmin);
	buf_uvarint(b, m->owner);
	buf_uvarint(b, c->slot_restart);
	buf_uvarint(b, m->nmembers);
	for (i = 0; i < m->nmembers; i++) {
		buf_uvarint(b, m->members[i].table);
		buf_uvarint(b, m->members[i].by);
	}
	buf_bytes(b, publication(c));
	buf_bytes(b, c->config->slot);
}

static bool same(const struct pg_membership *x, const struct pg_membership *y)
{
	uint32_t i;

	if (x->publication != y->publication || x->xmin != y->xmin || x->owner != y->owner || x->publishes != y->publishes ||
	    x->nmembers != y->nmembers)
		return false;
	for (i = 0; i < x->nmembers; i++)
		if (x->members[i].table != y->members[i].table || x->members[i].by != y->members[i].by)
			return false;
	return true;
}

static const struct pg_table_ref *wanted(const struct pg_table_ref *tables, uint32_t n, uint32_t oid)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (tables[i].oid == oid)
			return &tables[i];
	return NULL;
}

static int write_kept(struct connector *c, const struct pg_membership *m, struct err *err)
{
	struct buf b = BUF_INIT(KEPT_MAX);
	int rc;

	store(c, &b, m);
	payload_begin(&c->payload);
	c->payload.unit.kept = buf_view(&b);
	rc = c->out->ops->begin(c->out, err);
	if (rc == 0)
		rc = unit_close(c, UNIT_KEPT, 0, 0, 0, 0, err);
	c->payload.unit.kept = VIEW_NULL;
	buf_release(&b);
	return rc;
}

int membership_keep(struct connector *c, const struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct pg_membership now = c->members;
	struct kept was;
	const struct pg_table_ref *t;
	uint32_t i;
	int rc;

	now.members = arena_zalloc(&a, (now.nmembers + 1) * sizeof(*now.members));
	now.nmembers = 0;
	for (i = 0; i < c->members.nmembers; i++) {
		const struct pg_member *m = &c->members.members[i];

		t = wanted(tables, n, m->table);
		if (!t)
			continue;
		now.members[now.nmembers++] = *m;
		if (m->filtered)
			connector_warn(c,
				"Publication \"%.*s\" has a row filter or a column list for table \"%.*s.%.*s\": jobs over it would be wrong.",
				(int)publication(c).len, (const char *)publication(c).ptr, (int)t->schema.len, (const char *)t->schema.ptr,
				(int)t->name.len, (const char *)t->name.ptr);
	}
	rc = load_kept(c, &a, &was, err);
	if (rc == 0 && (!same(&was.members, &now) || was.restart != c->slot_restart))
		rc = write_kept(c, &now, err);
	arena_release(&a);
	return rc;
}

int membership_missed(struct connector *c, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct kept was;
	int rc = load_kept(c, &a, &was, err);

	if (rc == 0 && was.members.publication && was.members.xmin) {
		was.members.xmin = 0;
		rc = write_kept(c, &was.members, err);
	}
	arena_release(&a);
	return rc;
}

/* ---- comparing ---- */

static int gap(struct connector *c, const char *written, const char *names, struct err *err)
{
	err_detail(err,
		"Changes are captured up to about " LSN_FORMAT "; what was written since then while it was %s is neither in the log nor to be had "
		"any more.%s",
		LSN_ARGS(c->closed_lsn), written, names);
	return connector_hint_reset(c, err, "");
}

/* Whether the table is in `now` by all the ways by which it is in `was`; *ret_gone: by none at all. */
static bool still_there(const struct pg_membership *was, const struct pg_membership *now, uint32_t table, bool *ret_gone)
{
	bool same = true;
	uint32_t i, k;

	*ret_gone = true;
	for (i = 0; i < now->nmembers; i++)
		*ret_gone = *ret_gone && now->members[i].table != table;
	for (i = 0; i < was->nmembers; i++) {
		if (was->members[i].table != table)
			continue;
		for (k = 0; k < now->nmembers; k++)
			if (now->members[k].table == table && now->members[k].by == was->members[i].by)
				break;
		same = same && k < now->nmembers;
	}
	return same;
}

static int compare_tables(struct connector *c, const struct pg_membership *was, const struct pg_membership *now,
			  const struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct buf names = BUF_INIT(1 << 20);
	struct buf add = BUF_INIT(1 << 16);
	const struct pg_table_ref *first = NULL;
	struct view p = publication(c);
	bool gone, first_gone = false;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (still_there(was, now, tables[i].oid, &gone))
			continue;
		if (first) {
			if (names.len < NAMES_MAX)
				buf_printf(&names, "%s \"%.*s.%.*s\"", names.len ? "," : " The same goes for", (int)tables[i].schema.len,
					   (const char *)tables[i].schema.ptr, (int)tables[i].name.len, (const char *)tables[i].name.ptr);
			else if (names.ptr[names.len - 1] != '.')
				buf_puts(&names, ", ...");
			continue;
		}
		first = &tables[i];
		first_gone = gone;
	}
	if (first) {
		err_set(err, ERR_LOST, first_gone ? "table \"%.*s.%.*s\" is not in publication \"%.*s\" any more" :
			"table \"%.*s.%.*s\" was taken out of publication \"%.*s\" and put back, or its filter was changed",
			(int)first->schema.len, (const char *)first->schema.ptr, (int)first->name.len, (const char *)first->name.ptr, (int)p.len,
			(const char *)p.ptr);
		gap(c, first_gone ? "not in it" : "out of it or filtered", names.len ? buf_cstr(&names) : "", err);
		if (first_gone && c->config->publication_mode != PUBLICATION_FILTERED) {
			buf_puts(&add, "Run ALTER PUBLICATION ");
			pg_put_ident(&add, p);
			buf_puts(&add, " ADD TABLE ");
			pg_put_table_list(&add, first, 1);
			buf_puts(&add, "; or take it out of table.include.list. ");
			connector_hint_reset(c, err, buf_cstr(&add));
		}
	}
	buf_release(&names);
	buf_release(&add);
	return first ? -1 : 0;
}

static int compare(struct connector *c, const struct pg_membership *was, const struct pg_membership *now, const struct pg_table_ref *tables,
		   uint32_t n, struct err *err)
{
	struct view p = publication(c);

	if (was->publication == 0)
		return 0;
	if (was->publication != now->publication) {
		err_set(err, ERR_LOST, "publication \"%.*s\" was dropped and made anew", (int)p.len, (const char *)p.ptr);
		return gap(c, "not there, or had other tables,", "", err);
	}
	if (was->xmin != now->xmin && ((was->xmin && was->owner == now->owner) || was->publishes != now->publishes)) {
		err_set(err, ERR_LOST, "publication \"%.*s\" was altered", (int)p.len, (const char *)p.ptr);
		return gap(c, "not publishing all of insert, update, delete and truncate", "", err);
	}
	if (was->xmin != now->xmin)
		connector_warn(c,
			"Publication \"%.*s\" was renamed or has another owner. If its publish parameter was changed meanwhile, changes are missing.",
			(int)p.len, (const char *)p.ptr);
	return compare_tables(c, was, now, tables, n, err);
}

int membership_check(struct connector *c, const struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct pg_membership now;
	struct kept was;
	int rc = -1;

	if (load_kept(c, &a, &was, err) == 0 && look(c, &a, &now, err) == 0)
		rc = compare(c, &was.members, &now, tables, n, err);
	arena_release(&a);
	return rc;
}

int membership_check_slot(struct connector *c, const struct pg_slot *slot, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct kept was;
	struct view name = c->config->slot;
	int rc = load_kept(c, &a, &was, err);

	arena_release(&a);
	c->slot_restart = slot->restart_lsn;
	if (rc || slot->restart_lsn >= was.restart)
		return rc;
	err_set(err, ERR_LOST, "replication slot \"%.*s\" stands before where it stood already: at " LSN_FORMAT ", it was at " LSN_FORMAT,
		(int)name.len, (const char *)name.ptr, LSN_ARGS(slot->restart_lsn), LSN_ARGS(was.restart));
	err_detail(err,
		"The server was put back to an older state, from a backup or a copy of its data directory. The log has changes up to " LSN_FORMAT
		" of what it was before.",
		LSN_ARGS(c->position.end_lsn));
	return connector_hint_reset(c, err, "");
}

/* Only the slot has moved on. */
static int keep_restart(struct connector *c, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct kept was;
	int rc = load_kept(c, &a, &was, err);

	if (rc == 0 && was.members.publication && was.restart < c->slot_restart)
		rc = write_kept(c, &was.members, err);
	arena_release(&a);
	return rc;
}

int membership_watch(struct connector *c, lsn_t restart, struct err *err)
{
	struct arena a = ARENA_INIT, listed = ARENA_INIT;
	struct pg_table_ref *tables;
	struct pg_membership now;
	uint32_t n, all;
	bool moved = restart > c->slot_restart;
	int rc = look(c, &a, &now, err);

	if (moved)
		c->slot_restart = restart;
	/* one that is gone the server itself tells of, at the next row */
	if (rc || now.publication == 0 || same(&c->members, &now)) {
		arena_release(&a);
		return rc == 0 && moved ? keep_restart(c, err) : rc;
	}
	rc = connector_wanted_tables(c, &listed, &tables, &n, &all, err);
	if (rc == 0)
		rc = compare(c, &c->members, &now, tables, n, err);
	if (rc == 0) {
		take(c, &a, &now);
		rc = membership_keep(c, tables, n, err);
	} else {
		arena_release(&a);
	}
	arena_release(&listed);
	return rc;
}
