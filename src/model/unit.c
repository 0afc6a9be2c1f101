/*
 * Unit payloads; see unit.h. Stored form, version 1 (all integers uvarint unless said otherwise):
 *
 *	u8 format = 1, u8 kind
 *	bytes connector, le64 incarnation, le64 system_id, timeline, xid, commit_lsn, end_lsn - commit_lsn (varint), commit_us (varint)
 *	ntopics, bytes each
 *	nruns: topic, table_oid, version, count
 *	nexceptions: topic, record, count, attnum (varint), u8 kind
 *	nevents: table_oid, before_record, u8 kind
 *	kind UNIT_KEPT: bytes kept
 */
#include "model/unit.h"

enum { FORMAT = 1 };

bool lsn_parse(struct view text, lsn_t *ret)
{
	uint64_t half[2] = {0, 0};
	unsigned h = 0, n = 0;
	size_t i;

	for (i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i], d;

		if (c == '/' && h == 0 && n > 0) {
			h = 1;
			n = 0;
			continue;
		}
		d = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
		if (d == 16 || ++n > 8)
			return false;
		half[h] = half[h] << 4 | d;
	}
	if (h != 1 || n == 0)
		return false;
	*ret = half[0] << 32 | half[1];
	return true;
}

void unit_payload_store(struct buf *b, const struct unit_payload *p)
{
	uint32_t i;

	buf_u8(b, FORMAT);
	buf_u8(b, p->kind);
	buf_bytes(b, p->connector);
	buf_le64(b, p->incarnation);
	buf_le64(b, p->system_id);
	buf_uvarint(b, p->timeline);
	buf_uvarint(b, p->xid);
	buf_uvarint(b, p->commit_lsn);
	buf_varint(b, (int64_t)(p->end_lsn - p->commit_lsn));
	buf_varint(b, p->commit_us);
	buf_uvarint(b, p->ntopics);
	for (i = 0; i < p->ntopics; i++)
		buf_bytes(b, p->topics[i]);
	buf_uvarint(b, p->nruns);
	for (i = 0; i < p->nruns; i++) {
		buf_uvarint(b, p->runs[i].topic);
		buf_uvarint(b, p->runs[i].table_oid);
		buf_uvarint(b, p->runs[i].version);
		buf_uvarint(b, p->runs[i].count);
	}
	buf_uvarint(b, p->nexceptions);
	for (i = 0; i < p->nexceptions; i++) {
		buf_uvarint(b, p->exceptions[i].topic);
		buf_uvarint(b, p->exceptions[i].record);
		buf_uvarint(b, p->exceptions[i].count);
		buf_varint(b, p->exceptions[i].attnum);
		buf_u8(b, p->exceptions[i].kind);
	}
	buf_uvarint(b, p->nevents);
	for (i = 0; i < p->nevents; i++) {
		buf_uvarint(b, p->events[i].table_oid);
		buf_uvarint(b, p->events[i].before_record);
		buf_u8(b, p->events[i].kind);
	}
	if (p->kind == UNIT_KEPT)
		buf_bytes(b, p->kept);
}

/* A count of things that take at least `least` bytes each; bounded by what is left before anything is allocated for them. */
static uint32_t load_count(struct reader *r, size_t least)
{
	uint32_t n = reader_uvarint32(r);

	if (r->bad || n > reader_left(r) / least) {
		r->bad = true;
		return 0;
	}
	return n;
}

static void load_lists(struct reader *r, struct arena *a, struct unit_payload *p)
{
	uint32_t i;

	p->ntopics = load_count(r, 1);
	p->topics = arena_zalloc(a, p->ntopics * sizeof(*p->topics));
	for (i = 0; i < p->ntopics; i++)
		p->topics[i] = reader_bytes(r);
	p->nruns = load_count(r, 4);
	p->runs = arena_zalloc(a, p->nruns * sizeof(*p->runs));
	for (i = 0; i < p->nruns; i++) {
		p->runs[i] = (struct unit_run){reader_uvarint32(r), 0, 0, 0};
		p->runs[i].table_oid = reader_uvarint32(r);
		p->runs[i].version = reader_uvarint32(r);
		p->runs[i].count = reader_uvarint32(r);
		if (p->runs[i].topic >= p->ntopics)
			r->bad = true;
	}
	p->nexceptions = load_count(r, 5);
	p->exceptions = arena_zalloc(a, p->nexceptions * sizeof(*p->exceptions));
	for (i = 0; i < p->nexceptions; i++) {
		p->exceptions[i].topic = reader_uvarint32(r);
		p->exceptions[i].record = reader_uvarint32(r);
		p->exceptions[i].count = reader_uvarint32(r);
		p->exceptions[i].attnum = (int16_t)reader_varint(r);
		p->exceptions[i].kind = reader_u8(r);
		if (p->exceptions[i].topic >= p->ntopics)
			r->bad = true;
	}
	p->nevents = load_count(r, 3);
	p->events = arena_zalloc(a, p->nevents * sizeof(*p->events));
	for (i = 0; i < p->nevents; i++) {
		p->events[i].table_oid = reader_uvarint32(r);
		p->events[i].before_record = reader_uvarint32(r);
		p->events[i].kind = reader_u8(r);
	}
}

int unit_payload_load(struct view bytes, struct arena *a, struct unit_payload *ret, struct err *err)
{
	struct reader r = reader_of(bytes);
	struct unit_payload p = {0};
	uint8_t format = reader_u8(&r);

	if (!r.bad && format != FORMAT)
		return err_set(err, ERR_CORRUPT, "a commit record's payload has format %u, this walmill reads %u", format, FORMAT);
	p.kind = reader_u8(&r);
	p.connector = reader_bytes(&r);
	p.incarnation = reader_le64(&r);
	p.system_id = reader_le64(&r);
	p.timeline = reader_uvarint32(&r);
	p.xid = reader_uvarint32(&r);
	p.commit_lsn = reader_uvarint(&r);
	p.end_lsn = p.commit_lsn + (uint64_t)reader_varint(&r);
	p.commit_us = reader_varint(&r);
	load_lists(&r, a, &p);
	if (p.kind == UNIT_KEPT)
		p.kept = reader_bytes(&r);
	if (!reader_done(&r))
		return err_set(err, ERR_CORRUPT, "a commit record's payload of %zu bytes cannot be read", bytes.len);
	*ret = p;
	return 0;
}
