/* pgoutput decoding; see pgoutput.h. */
#include "pg/pgoutput.h"

#include "base/mem.h"

#define POSTGRES_EPOCH_US INT64_C(946684800000000)

struct pgoutput_decoder *pgoutput_decoder_new(void)
{
	return mem_zalloc(sizeof(struct pgoutput_decoder));
}

void pgoutput_decoder_free(struct pgoutput_decoder *d)
{
	if (!d)
		return;
	mem_free(d->relations);
	mem_free(d);
}

static struct pg_tuple *read_tuple(struct reader *r, struct pg_tuple *t)
{
	uint32_t i, n = reader_be16(r);

	if (n > COLUMNS_MAX)
		r->bad = true;
	for (i = 0; i < n && !r->bad; i++) {
		struct pg_datum *d = &t->cols[i];

		d->kind = (char)reader_u8(r);
		d->bytes = VIEW_NULL;
		if (d->kind == 't' || d->kind == 'b')
			d->bytes = reader_view(r, reader_be32(r));
		else if (d->kind != 'n' && d->kind != 'u')
			r->bad = true;
	}
	t->n = r->bad ? 0 : n;
	return t;
}

static void read_relation(struct pgoutput_decoder *d, struct reader *r, struct pgoutput_message *m)
{
	uint32_t i;

	m->relation = reader_be32(r);
	m->namespace = reader_cstr(r);
	m->name = reader_cstr(r);
	m->replica_identity = (char)reader_u8(r);
	m->ncolumns = reader_be16(r);
	m->columns = d->columns;
	if (m->ncolumns > COLUMNS_MAX)
		r->bad = true;
	for (i = 0; i < m->ncolumns && !r->bad; i++) {
		struct pgoutput_column *c = &d->columns[i];

		c->identity = reader_u8(r) & 1;
		c->name = reader_cstr(r);
		c->type_oid = reader_be32(r);
		c->typmod = (int32_t)reader_be32(r);
	}
}

static void read_update(struct pgoutput_decoder *d, struct reader *r, struct pgoutput_message *m)
{
	char tag;

	m->relation = reader_be32(r);
	tag = (char)reader_u8(r);
	if (tag == 'K' || tag == 'O') {
		m->old_kind = tag;
		m->old = read_tuple(r, &d->old);
		tag = (char)reader_u8(r);
	}
	if (tag != 'N')
		r->bad = true;
	m->new = read_tuple(r, &d->new);
}

static void read_delete(struct pgoutput_decoder *d, struct reader *r, struct pgoutput_message *m)
{
	m->relation = reader_be32(r);
	m->old_kind = (char)reader_u8(r);
	if (m->old_kind != 'K' && m->old_kind != 'O')
		r->bad = true;
	m->old = read_tuple(r, &d->old);
}

static void read_truncate(struct pgoutput_decoder *d, struct reader *r, struct pgoutput_message *m)
{
	uint32_t i, n = reader_be32(r);

	m->truncate_flags = reader_u8(r);
	if (n > reader_left(r) / 4) {
		r->bad = true;
		return;
	}
	if (n > d->relations_cap) {
		d->relations = mem_realloc(d->relations, n * sizeof(*d->relations));
		d->relations_cap = n;
	}
	for (i = 0; i < n; i++)
		d->relations[i] = reader_be32(r);
	m->relations = d->relations;
	m->nrelations = n;
}

static void read_message(struct reader *r, struct pgoutput_message *m)
{
	m->transactional = reader_u8(r) & 1;
	m->message_lsn = reader_be64(r);
	m->prefix = reader_cstr(r);
	m->content = reader_view(r, reader_be32(r));
}

int pgoutput_decode(struct pgoutput_decoder *d, struct view bytes, struct pgoutput_message *m, struct err *err)
{
	struct reader r = reader_of(bytes);

	memset(m, 0, sizeof(*m));
	m->kind = (enum pgoutput_kind)reader_u8(&r);
	switch (m->kind) {
	case PGOUTPUT_BEGIN:
		m->commit_lsn = reader_be64(&r);
		m->commit_us = (int64_t)reader_be64(&r) + POSTGRES_EPOCH_US;
		m->xid = reader_be32(&r);
		break;
	case PGOUTPUT_COMMIT:
		reader_u8(&r); /* flags, none defined */
		m->commit_lsn = reader_be64(&r);
		m->end_lsn = reader_be64(&r);
		m->commit_us = (int64_t)reader_be64(&r) + POSTGRES_EPOCH_US;
		break;
	case PGOUTPUT_ORIGIN:
		reader_be64(&r);
		m->name = reader_cstr(&r);
		break;
	case PGOUTPUT_RELATION:
		read_relation(d, &r, m);
		break;
	case PGOUTPUT_TYPE:
		m->type_oid = reader_be32(&r);
		m->namespace = reader_cstr(&r);
		m->name = reader_cstr(&r);
		break;
	case PGOUTPUT_INSERT:
		m->relation = reader_be32(&r);
		if (reader_u8(&r) != 'N')
			r.bad = true;
		m->new = read_tuple(&r, &d->new);
		break;
	case PGOUTPUT_UPDATE:
		read_update(d, &r, m);
		break;
	case PGOUTPUT_DELETE:
		read_delete(d, &r, m);
		break;
	case PGOUTPUT_TRUNCATE:
		read_truncate(d, &r, m);
		break;
	case PGOUTPUT_MESSAGE:
		read_message(&r, m);
		break;
	default:
		r.bad = true;
	}
	if (!reader_done(&r))
		return err_set(
			err, ERR_PROTOCOL, "a pgoutput message of kind %u and %zu bytes cannot be read", bytes.len ? bytes.ptr[0] : 0, bytes.len);
	return 0;
}

int pg_copy_row_decode(struct view bytes, struct pg_tuple *t, struct err *err)
{
	struct reader r = reader_of(bytes);
	uint32_t i, n = reader_be16(&r);

	if (n > COLUMNS_MAX)
		r.bad = true;
	for (i = 0; i < n && !r.bad; i++) {
		int32_t len = (int32_t)reader_be32(&r);

		t->cols[i].kind = len < 0 ? 'n' : 'b';
		t->cols[i].bytes = len < 0 ? VIEW_NULL : reader_view(&r, (uint32_t)len);
		if (len < -1)
			r.bad = true;
	}
	if (!reader_done(&r))
		return err_set(err, ERR_PROTOCOL, "a row of a binary COPY of %zu bytes cannot be read", bytes.len);
	t->n = n;
	return 0;
}
