/* The Kafka protocol's encoding; see wire.h. */
#include "kafka/wire.h"

#include "base/mem.h"

struct decoder {
	struct reader *r;
	struct arena *a;
	size_t room;        /* bytes of arrays that may still be allocated */
	int version;
	bool flexible;
};

static void decode_struct(struct decoder *d, const struct wire_struct *s, uint8_t *to);

static bool has(const struct wire_field *f, int version)
{
	return version >= f->from && version <= f->to;
}

static bool nullable(const struct wire_field *f, int version)
{
	return version >= f->null_from && version <= f->null_to;
}

static size_t scalar_size(unsigned type)
{
	static const uint8_t sizes[] = {
		[WIRE_BOOL] = sizeof(bool), [WIRE_I8] = 1, [WIRE_I16] = 2, [WIRE_U16] = 2, [WIRE_I32] = 4, [WIRE_U32] = 4, [WIRE_I64] = 8,
		[WIRE_UUID] = 16, [WIRE_STRING] = sizeof(struct view), [WIRE_BYTES] = sizeof(struct view),
		[WIRE_RECORDS] = sizeof(struct view)};

	return sizes[type];
}

/* The fewest bytes that a value takes on the wire: what a count is compared with. */
static size_t least(const struct wire_struct *s, unsigned type, int version, bool flexible)
{
	static const uint8_t sizes[] = {[WIRE_BOOL] = 1, [WIRE_I8] = 1, [WIRE_I16] = 2, [WIRE_U16] = 2, [WIRE_I32] = 4, [WIRE_U32] = 4,
		[WIRE_I64] = 8, [WIRE_UUID] = 16, [WIRE_STRING] = 2, [WIRE_BYTES] = 4, [WIRE_RECORDS] = 4, [WIRE_ARRAY] = 4,
		[WIRE_MAYBE] = 1};
	size_t sum = flexible;
	uint32_t i;

	if (type != WIRE_STRUCT)
		return flexible && (type == WIRE_STRING || type == WIRE_BYTES || type == WIRE_RECORDS || type == WIRE_ARRAY) ? 1 : sizes[type];
	for (i = 0; i < s->n; i++)
		if (has(&s->fields[i], version) && !(flexible && s->fields[i].tag >= 0))
			sum += least(s->fields[i].of, s->fields[i].type, version, flexible);
	return sum ? sum : 1;
}

/* ---- decoding ---- */

/* A length or count; -1: null. */
static int64_t decode_length(struct decoder *d, unsigned type)
{
	uint64_t n;

	if (d->flexible) {
		n = reader_uvarint(d->r);
		if (n > UINT32_MAX)
			d->r->bad = true;
		return (int64_t)n - 1;
	}
	return type == WIRE_STRING ? (int16_t)reader_be16(d->r) : (int32_t)reader_be32(d->r);
}

static struct view decode_view(struct decoder *d, unsigned type, bool may_be_null)
{
	int64_t n = decode_length(d, type);

	if (n == -1 && may_be_null)
		return VIEW_NULL;
	if (n < 0 || (uint64_t)n > reader_left(d->r)) {
		d->r->bad = true;
		return VIEW_NULL;
	}
	return n ? reader_view(d->r, (size_t)n) : view_of("", 0);
}

static void decode_scalar(struct decoder *d, unsigned type, bool may_be_null, uint8_t *to)
{
	struct reader *r = d->r;

	switch (type) {
	case WIRE_BOOL: *(bool *)to = reader_u8(r) != 0; break;
	case WIRE_I8: *to = reader_u8(r); break;
	case WIRE_I16:
	case WIRE_U16: *(uint16_t *)to = reader_be16(r); break;
	case WIRE_I32:
	case WIRE_U32: *(uint32_t *)to = reader_be32(r); break;
	case WIRE_I64: *(uint64_t *)to = reader_be64(r); break;
	case WIRE_UUID: {
		const uint8_t *p = reader_take(r, 16);

		if (p)
			memcpy(to, p, 16);
		break;
	}
	default: *(struct view *)to = decode_view(d, type, may_be_null);
	}
}

static void *decode_room(struct decoder *d, size_t size)
{
	if (size > d->room) {
		d->r->bad = true;
		return NULL;
	}
	d->room -= size;
	return arena_zalloc(d->a, size);
}

static void decode_array(struct decoder *d, const struct wire_field *f, uint8_t *base)
{
	size_t each = f->element == WIRE_STRUCT ? f->of->size : scalar_size(f->element);
	int64_t n = decode_length(d, WIRE_ARRAY), i;
	int32_t *count = (int32_t *)(base + f->count_at);
	uint8_t *to;

	*(void **)(base + f->at) = NULL;
	*count = 0;
	if (n == -1 && nullable(f, d->version)) {
		*count = -1;
		return;
	}
	if (n < 0 || (uint64_t)n > reader_left(d->r) / least(f->of, f->element, d->version, d->flexible)) {
		d->r->bad = true;
		return;
	}
	to = n ? decode_room(d, (size_t)n * each) : NULL;
	if (!to)
		return;
	*(void **)(base + f->at) = to;
	for (i = 0; i < n && !d->r->bad; i++, to += each)
		if (f->element == WIRE_STRUCT)
			decode_struct(d, f->of, to);
		else
			decode_scalar(d, f->element, false, to);
	*count = d->r->bad ? 0 : (int32_t)n;
}

static void decode_field(struct decoder *d, const struct wire_field *f, uint8_t *base)
{
	if (f->type == WIRE_ARRAY) {
		decode_array(d, f, base);
	} else if (f->type == WIRE_MAYBE) {
		void *to = NULL;

		if ((int8_t)reader_u8(d->r) >= 0) {
			to = decode_room(d, f->of->size);
			if (to)
				decode_struct(d, f->of, to);
		}
		*(void **)(base + f->at) = to;
	} else {
		decode_scalar(d, f->type, nullable(f, d->version), base + f->at);
	}
}

static void preset_field(const struct wire_field *f, uint8_t *base)
{
	uint8_t *to = base + f->at;

	switch (f->type) {
	case WIRE_BOOL: *(bool *)to = f->preset != 0; break;
	case WIRE_I8: *(int8_t *)to = (int8_t)f->preset; break;
	case WIRE_I16:
	case WIRE_U16: *(int16_t *)to = (int16_t)f->preset; break;
	case WIRE_I32:
	case WIRE_U32: *(int32_t *)to = (int32_t)f->preset; break;
	case WIRE_I64: *(int64_t *)to = f->preset; break;
	case WIRE_UUID: memset(to, 0, 16); break;
	case WIRE_ARRAY: *(int32_t *)(base + f->count_at) = 0; /* fall through */
	case WIRE_MAYBE: *(void **)to = NULL; break;
	default: *(struct view *)to = f->null_from <= f->null_to ? VIEW_NULL : view_of("", 0);
	}
}

static void decode_tags(struct decoder *d, const struct wire_struct *s, uint8_t *to)
{
	uint64_t n = reader_uvarint(d->r);

	for (; n > 0 && !d->r->bad; n--) {
		uint64_t tag = reader_uvarint(d->r), size = reader_uvarint(d->r);
		struct reader *outer = d->r, inner;
		struct view v;
		uint32_t i;

		if (size > reader_left(outer)) {
			outer->bad = true;
			return;
		}
		v = size ? reader_view(outer, (size_t)size) : view_of("", 0);
		for (i = 0; i < s->n; i++)
			if (s->fields[i].tag >= 0 && (uint64_t)s->fields[i].tag == tag && has(&s->fields[i], d->version))
				break;
		if (i == s->n)
			continue;
		inner = reader_of(v);
		d->r = &inner;
		decode_field(d, &s->fields[i], to);
		d->r = outer;
		outer->bad = outer->bad || !reader_done(&inner);
	}
}

static void decode_struct(struct decoder *d, const struct wire_struct *s, uint8_t *to)
{
	uint32_t i;

	for (i = 0; i < s->n && !d->r->bad; i++) {
		const struct wire_field *f = &s->fields[i];

		if (has(f, d->version) && f->tag < 0)
			decode_field(d, f, to);
		else
			preset_field(f, to);
	}
	if (d->flexible)
		decode_tags(d, s, to);
}

bool wire_decode_some(const struct wire_struct *s, int version, bool flexible, struct reader *r, struct arena *a, void *ret)
{
	struct decoder d = {.r = r, .a = a, .room = WIRE_DECODED_MAX, .version = version, .flexible = flexible};

	decode_struct(&d, s, ret);
	return !r->bad;
}

bool wire_decode(const struct wire_struct *s, int version, bool flexible, struct view bytes, struct arena *a, void *ret)
{
	struct reader r = reader_of(bytes);

	return wire_decode_some(s, version, flexible, &r, a, ret) && reader_done(&r);
}

void wire_skip_tags(struct reader *r)
{
	static const struct wire_struct nothing = {"", 0, NULL, 0};
	struct decoder d = {.r = r, .flexible = true};

	decode_tags(&d, &nothing, NULL);
}

void wire_init(const struct wire_struct *s, void *value)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		preset_field(&s->fields[i], value);
}

/* ---- encoding ---- */

enum { PIECE_MIN = 4096 };     /* below, copying costs less than another part of the message */

struct encoder {
	struct buf *b;
	int version;
	bool flexible;
	struct wire_pieces *pieces; /* or NULL */
};

static void encode_struct(const struct encoder *e, const struct wire_struct *s, const uint8_t *from);

static void encode_length(const struct encoder *e, unsigned type, int64_t n)
{
	if (e->flexible)
		buf_uvarint(e->b, (uint64_t)(n + 1));
	else if (type == WIRE_STRING)
		buf_be16(e->b, (uint16_t)n);
	else
		buf_be32(e->b, (uint32_t)n);
}

static void put_apart(const struct encoder *e, struct view v)
{
	struct wire_pieces *p = e->pieces;

	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->list = mem_realloc(p->list, p->cap * sizeof(*p->list));
	}
	p->list[p->n++] = (struct wire_piece){e->b->len, v};
	p->bytes += v.len;
}

static void encode_view(const struct encoder *e, unsigned type, struct view v, bool may_be_null)
{
	if (!v.ptr && may_be_null) {
		encode_length(e, type, -1);
		return;
	}
	/* what we say of ourselves (error texts) is cut, not refused */
	if (type == WIRE_STRING && v.len > INT16_MAX)
		v.len = INT16_MAX;
	encode_length(e, type, (int64_t)v.len);
	if (type == WIRE_RECORDS && e->pieces && v.len >= PIECE_MIN)
		put_apart(e, v);
	else
		buf_putv(e->b, v);
}

static void encode_scalar(const struct encoder *e, unsigned type, const uint8_t *from, bool may_be_null)
{
	switch (type) {
	case WIRE_BOOL: buf_u8(e->b, *(const bool *)from); break;
	case WIRE_I8: buf_u8(e->b, *from); break;
	case WIRE_I16:
	case WIRE_U16: buf_be16(e->b, *(const uint16_t *)from); break;
	case WIRE_I32:
	case WIRE_U32: buf_be32(e->b, *(const uint32_t *)from); break;
	case WIRE_I64: buf_be64(e->b, *(const uint64_t *)from); break;
	case WIRE_UUID: buf_put(e->b, from, 16); break;
	default: encode_view(e, type, *(const struct view *)from, may_be_null);
	}
}

static void encode_array(const struct encoder *e, const struct wire_field *f, const uint8_t *base)
{
	size_t each = f->element == WIRE_STRUCT ? f->of->size : scalar_size(f->element);
	int32_t n = *(const int32_t *)(base + f->count_at), i;
	const uint8_t *from = *(uint8_t *const *)(base + f->at);

	if (n < 0 && !nullable(f, e->version))
		n = 0;
	encode_length(e, WIRE_ARRAY, n);
	for (i = 0; i < n; i++, from += each)
		if (f->element == WIRE_STRUCT)
			encode_struct(e, f->of, from);
		else
			encode_scalar(e, f->element, from, false);
}

static void encode_field(const struct encoder *e, const struct wire_field *f, const uint8_t *base)
{
	if (f->type == WIRE_ARRAY) {
		encode_array(e, f, base);
	} else if (f->type == WIRE_MAYBE) {
		const void *from = *(void *const *)(base + f->at);

		buf_u8(e->b, from ? 1 : 0xff);
		if (from)
			encode_struct(e, f->of, from);
	} else {
		encode_scalar(e, f->type, base + f->at, nullable(f, e->version));
	}
}

static bool at_preset(const struct wire_field *f, const uint8_t *base)
{
	const uint8_t *v = base + f->at;

	switch (f->type) {
	case WIRE_BOOL:
	case WIRE_I8: return *(const int8_t *)v == f->preset;
	case WIRE_I16: return *(const int16_t *)v == f->preset;
	case WIRE_I32: return *(const int32_t *)v == f->preset;
	case WIRE_I64: return *(const int64_t *)v == f->preset;
	case WIRE_ARRAY: return *(const int32_t *)(base + f->count_at) <= 0;
	case WIRE_STRING: return ((const struct view *)v)->len == 0;
	default: return false;
	}
}

static void encode_tags(const struct encoder *e, const struct wire_struct *s, const uint8_t *from)
{
	struct buf value = BUF_INIT(1 << 20);
	struct encoder inner = {&value, e->version, true, NULL};
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < s->n; i++)
		n += s->fields[i].tag >= 0 && has(&s->fields[i], e->version) && !at_preset(&s->fields[i], from);
	buf_uvarint(e->b, n);
	/* the table names tags in ascending order, as the protocol wants them */
	for (i = 0; i < s->n && n > 0; i++) {
		const struct wire_field *f = &s->fields[i];

		if (f->tag < 0 || !has(f, e->version) || at_preset(f, from))
			continue;
		buf_clear(&value);
		encode_field(&inner, f, from);
		e->b->failed = e->b->failed || !buf_ok(&value);
		buf_uvarint(e->b, (uint64_t)f->tag);
		buf_bytes(e->b, buf_view(&value));
	}
	buf_release(&value);
}

static void encode_struct(const struct encoder *e, const struct wire_struct *s, const uint8_t *from)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (has(&s->fields[i], e->version) && s->fields[i].tag < 0)
			encode_field(e, &s->fields[i], from);
	if (e->flexible)
		encode_tags(e, s, from);
}

void wire_encode(const struct wire_struct *s, int version, bool flexible, const void *value, struct buf *out)
{
	wire_encode_apart(s, version, flexible, value, out, NULL);
}

void wire_encode_apart(
	const struct wire_struct *s, int version, bool flexible, const void *value, struct buf *out, struct wire_pieces *pieces)
{
	struct encoder e = {out, version, flexible, pieces};

	encode_struct(&e, s, value);
}

void wire_pieces_release(struct wire_pieces *p)
{
	mem_free(p->list);
	*p = (struct wire_pieces){0};
}
