/* Unit payloads while they grow; see payload.h. */
#include "capture/payload.h"

#include "base/mem.h"

/* how far back an exception is looked for that the new one continues; a table rarely has more such columns */
enum { LOOK_BACK = 16 };

void payload_init(struct payload *p)
{
	memset(p, 0, sizeof(*p));
	p->stored = BUF_INIT((size_t)1 << 30);
	p->names = ARENA_INIT;
}

void payload_release(struct payload *p)
{
	mem_free(p->unit.topics);
	mem_free(p->unit.runs);
	mem_free(p->unit.exceptions);
	mem_free(p->unit.events);
	buf_release(&p->stored);
	arena_release(&p->names);
}

void payload_begin(struct payload *p)
{
	p->unit.ntopics = p->unit.nruns = p->unit.nexceptions = p->unit.nevents = 0;
	arena_reset(&p->names);
}

#define ROOM(list, n, cap) \
	do { \
		if ((n) == (cap)) { \
			(cap) = (cap) ? (cap) * 2 : 8; \
			(list) = mem_realloc((list), (cap) * sizeof(*(list))); \
		} \
	} while (0)

static uint32_t topic_index(struct payload *p, struct view name)
{
	uint32_t i;

	/* the last ones first: a transaction stays with few topics */
	for (i = p->unit.ntopics; i-- > 0;)
		if (view_eq(p->unit.topics[i], name))
			return i;
	ROOM(p->unit.topics, p->unit.ntopics, p->cap_topics);
	/* a copy: the table that has the name is compiled anew when it changes in the middle of a transaction */
	p->unit.topics[p->unit.ntopics] = arena_view(&p->names, name);
	return p->unit.ntopics++;
}

static void add_exception(struct payload *p, struct unit_exception x)
{
	uint32_t i, from = p->unit.nexceptions > LOOK_BACK ? p->unit.nexceptions - LOOK_BACK : 0;

	for (i = p->unit.nexceptions; i-- > from;) {
		struct unit_exception *e = &p->unit.exceptions[i];

		if (e->topic == x.topic && e->attnum == x.attnum && e->kind == x.kind && e->record + e->count == x.record) {
			e->count++;
			return;
		}
	}
	ROOM(p->unit.exceptions, p->unit.nexceptions, p->cap_exceptions);
	p->unit.exceptions[p->unit.nexceptions++] = x;
}

void payload_record(struct payload *p, struct view topic_name, uint32_t index, uint32_t table_oid, uint32_t version,
		    const struct unit_exception *exceptions, unsigned n)
{
	uint32_t topic = topic_index(p, topic_name);
	struct unit_run *last = p->unit.nruns ? &p->unit.runs[p->unit.nruns - 1] : NULL;
	unsigned i;

	if (last && last->topic == topic && last->table_oid == table_oid && last->version == version) {
		last->count++;
	} else {
		ROOM(p->unit.runs, p->unit.nruns, p->cap_runs);
		p->unit.runs[p->unit.nruns++] = (struct unit_run){topic, table_oid, version, 1};
	}
	for (i = 0; i < n; i++)
		add_exception(p, (struct unit_exception){topic, index, 1, exceptions[i].attnum, exceptions[i].kind});
}

void payload_event(struct payload *p, enum unit_event_kind kind, uint32_t table_oid)
{
	uint32_t before = 0, i;

	for (i = 0; i < p->unit.nruns; i++)
		if (p->unit.runs[i].table_oid == table_oid)
			before += p->unit.runs[i].count;
	ROOM(p->unit.events, p->unit.nevents, p->cap_events);
	p->unit.events[p->unit.nevents++] = (struct unit_event){table_oid, before, (uint8_t)kind};
}

struct view payload_stored(struct payload *p)
{
	buf_clear(&p->stored);
	unit_payload_store(&p->stored, &p->unit);
	return buf_view(&p->stored);
}
