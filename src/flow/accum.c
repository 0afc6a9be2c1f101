/*
 * Exact accumulators; see accum.h.
 *
 * Stored form: the kind's fields as varints, 128-bit integers as 16 bytes; numerics with `more` as a count of scales, then (scale, count)
 * pairs, the
 * special counts and the sum as sign byte + limbs.
 */
#include "flow/accum.h"

#include <gmp.h>
#include <math.h>

#include "base/mem.h"
#include "flow/accum_float.h"
#include "model/datetime.h"
#include "model/num_int.h"

struct acc_int {
	int128 sum;
	int64_t n;
};

/* A numeric sum whose values have had several scales, or did not fit 128 bits, or were not finite. */
struct num_more {
	mpz_t sum;                  /* / 10^scale of the largest scale seen since this was made */
	int64_t nan, pos_inf, neg_inf;
	uint32_t scale, nscales;
	struct { uint32_t scale; int64_t n; } *scales;
};

struct acc_num {
	int128 sum;                 /* / 10^scale, while more is NULL: then all n values have that scale */
	int64_t n;                  /* non-null values, special ones included */
	struct num_more *more;
	uint32_t scale;
};

struct acc_float {
	struct float_sum sum;
	int64_t n, nan, pos_inf, neg_inf;
};

struct acc_interval {
	int128 us;
	int64_t days, months, n;
};

struct acc_bool {
	int64_t yes, no;
};

enum accum_kind accum_kind_of(enum sql_agg_kind agg, enum value_kind arg)
{
	bool sum = agg == SQL_SUM, avg = agg == SQL_AVG;

	if (agg == SQL_COUNT)
		return ACCUM_COUNT;
	if (agg == SQL_BOOL_AND || agg == SQL_BOOL_OR)
		return agg == SQL_BOOL_AND ? ACCUM_BOOL_AND : ACCUM_BOOL_OR;
	if (!sum && !avg)
		return ACCUM_NONE;
	switch (arg) {
	case VALUE_INT2: case VALUE_INT4: return sum ? ACCUM_SUM_INT : ACCUM_AVG_INT;
	case VALUE_INT8: return sum ? ACCUM_SUM_INT8 : ACCUM_AVG_INT;
	case VALUE_NUMERIC: return sum ? ACCUM_SUM_NUM : ACCUM_AVG_NUM;
	case VALUE_FLOAT4: return sum ? ACCUM_SUM_FLOAT4 : ACCUM_AVG_FLOAT;
	case VALUE_FLOAT8: return sum ? ACCUM_SUM_FLOAT8 : ACCUM_AVG_FLOAT;
	case VALUE_INTERVAL: return sum ? ACCUM_SUM_INTERVAL : ACCUM_AVG_INTERVAL;
	default: return ACCUM_NONE;
	}
}

size_t accum_size(enum accum_kind kind)
{
	switch (kind) {
	case ACCUM_COUNT: return 16;
	case ACCUM_SUM_INT: case ACCUM_SUM_INT8: case ACCUM_AVG_INT: return sizeof(struct acc_int);
	case ACCUM_SUM_NUM: case ACCUM_AVG_NUM: return sizeof(struct acc_num);
	case ACCUM_SUM_FLOAT4: case ACCUM_SUM_FLOAT8: case ACCUM_AVG_FLOAT: return sizeof(struct acc_float);
	case ACCUM_SUM_INTERVAL: case ACCUM_AVG_INTERVAL: return sizeof(struct acc_interval);
	case ACCUM_BOOL_AND: case ACCUM_BOOL_OR: return sizeof(struct acc_bool);
	default: return 0;
	}
}

/* ---- numeric ---- */

static void make_more(struct acc_num *s)
{
	struct num n = num_small(s->sum, s->scale);
	struct num_more *m = mem_zalloc(sizeof(*m));
	uint64_t tmp[2];
	mpz_t z;

	num_mpz(z, &n, tmp);
	mpz_init_set(m->sum, z);
	m->scale = s->scale;
	if (s->n) {
		m->nscales = 1;
		m->scales = mem_alloc(sizeof(*m->scales));
		m->scales[0].scale = s->scale;
		m->scales[0].n = s->n;
	}
	s->more = m;
}

static void free_more(struct acc_num *s)
{
	if (!s->more)
		return;
	mpz_clear(s->more->sum);
	mem_free(s->more->scales);
	mem_free(s->more);
	s->more = NULL;
}

static void count_scale(struct num_more *m, uint32_t scale, int64_t weight)
{
	uint32_t i = 0;

	while (i < m->nscales && m->scales[i].scale != scale)
		i++;
	if (i == m->nscales) {
		m->scales = mem_realloc(m->scales, (i + 1) * sizeof(*m->scales));
		m->scales[i].scale = scale;
		m->scales[i].n = 0;
		m->nscales++;
	}
	m->scales[i].n += weight;
	if (!m->scales[i].n)
		m->scales[i] = m->scales[--m->nscales];
}

static void add_more(struct num_more *m, const struct num *n, int64_t weight)
{
	uint64_t tmp[2], wtmp[2];
	struct num w = num_of_int(weight);
	mpz_t z, zw, p;

	switch (n->form) {
	case NUM_NAN: m->nan += weight; return;
	case NUM_POS_INF: m->pos_inf += weight; return;
	case NUM_NEG_INF: m->neg_inf += weight; return;
	default: break;
	}
	count_scale(m, n->scale, weight);
	num_mpz(z, n, tmp);
	num_mpz(zw, &w, wtmp);
	mpz_init(p);
	if (n->scale > m->scale) {
		num_mpz_pow10(p, n->scale - m->scale);
		mpz_mul(m->sum, m->sum, p);
		m->scale = n->scale;
	}
	num_mpz_pow10(p, m->scale - n->scale);
	mpz_mul(p, p, z);
	mpz_mul(p, p, zw);
	mpz_add(m->sum, m->sum, p);
	mpz_clear(p);
}

static void add_num(struct acc_num *s, const struct value *v, int64_t weight)
{
	struct num n = value_num(v);
	int128 sum;

	if (!s->more) {
		if (!s->n && !s->sum)
			s->scale = n.scale;
		/* |coefficient| * |weight| stays in 128 bits where both are within 63 */
		if (n.form == NUM_SMALL && n.scale == s->scale && n.coef == (int64_t)n.coef &&
		    !__builtin_add_overflow(s->sum, n.coef * weight, &sum) && sum >= -INT128_LARGEST) {
			s->sum = sum;
			s->n += weight;
			return;
		}
		make_more(s);
	}
	add_more(s->more, &n, weight);
	s->n += weight;
	/* back to the compact form as soon as nothing is left */
	if (!s->n && !s->more->nscales && !s->more->nan && !s->more->pos_inf && !s->more->neg_inf) {
		free_more(s);
		s->sum = 0;
	}
}

static int more_sum(const struct num_more *m, struct arena *a, struct num *ret, struct err *err)
{
	uint32_t scale = 0, i;
	mpz_t z, p;
	int rc;

	if (m->nan || (m->pos_inf && m->neg_inf)) {
		*ret = num_special(NUM_NAN);
		return 0;
	}
	if (m->pos_inf || m->neg_inf) {
		*ret = num_special(m->pos_inf ? NUM_POS_INF : NUM_NEG_INF);
		return 0;
	}
	for (i = 0; i < m->nscales; i++)
		scale = m->scales[i].scale > scale ? m->scales[i].scale : scale;
	/* no value of the larger scale is left, so the decimals dropped here are zeros */
	mpz_inits(z, p, NULL);
	num_mpz_pow10(p, m->scale - scale);
	mpz_divexact(z, m->sum, p);
	rc = num_make(z, scale, a, ret, err);
	mpz_clears(z, p, NULL);
	return rc;
}

static int num_result(const struct acc_num *s, bool avg, struct arena *a, struct value *ret, struct err *err)
{
	struct num sum = num_small(s->sum, s->scale), n = num_of_int(s->n);

	if (!s->n) {
		*ret = value_null(VALUE_NUMERIC);
		return 0;
	}
	if (s->more && more_sum(s->more, a, &sum, err) != 0)
		return -1;
	if (avg && num_div(&sum, &n, a, &sum, err) != 0)
		return -1;
	*ret = value_of_num(sum);
	return 0;
}

/* ---- the other kinds ---- */

static void add_float(struct acc_float *s, double d, int64_t weight)
{
	s->n += weight;
	if (isnan(d))
		s->nan += weight;
	else if (isinf(d))
		*(d > 0 ? &s->pos_inf : &s->neg_inf) += weight;
	else
		float_sum_add(&s->sum, d, weight);
	if (!s->n)
		float_sum_release(&s->sum);
}

void accum_add(enum accum_kind kind, void *state, const struct value *v, int64_t weight)
{
	struct acc_interval *iv = state;
	struct acc_int *in = state;

	if (v->null)
		return;
	switch (kind) {
	case ACCUM_COUNT: *(int64_t *)state += weight; break;
	case ACCUM_SUM_INT: case ACCUM_SUM_INT8: case ACCUM_AVG_INT:
		in->sum += (int128)v->i * weight;
		in->n += weight;
		break;
	case ACCUM_SUM_NUM: case ACCUM_AVG_NUM: add_num(state, v, weight); break;
	case ACCUM_SUM_FLOAT4: case ACCUM_SUM_FLOAT8: case ACCUM_AVG_FLOAT: add_float(state, v->d, weight); break;
	case ACCUM_SUM_INTERVAL: case ACCUM_AVG_INTERVAL:
		iv->us += (int128)v->interval.us * weight;
		iv->days += v->interval.days * weight;
		iv->months += v->interval.months * weight;
		iv->n += weight;
		break;
	case ACCUM_BOOL_AND: case ACCUM_BOOL_OR:
		*(v->i ? &((struct acc_bool *)state)->yes : &((struct acc_bool *)state)->no) += weight;
		break;
	default: wm_assert(!"accumulator kind");
	}
}

static int range_error(struct err *err, const char *sqlstate, const char *text)
{
	err_set(err, ERR_DATA, "%s", text);
	memcpy(err->sqlstate, sqlstate, 6);
	return -1;
}

static int int_result(enum accum_kind kind, const struct acc_int *s, struct arena *a, struct value *ret, struct err *err)
{
	struct num sum = num_small(s->sum, 0), n = num_of_int(s->n);

	if (!s->n) {
		*ret = value_null(kind == ACCUM_SUM_INT ? VALUE_INT8 : VALUE_NUMERIC);
		return 0;
	}
	if (kind == ACCUM_SUM_INT) {
		if (s->sum != (int64_t)s->sum)
			return range_error(err, "22003", "bigint out of range");
		*ret = value_int(VALUE_INT8, (int64_t)s->sum);
		return 0;
	}
	if (kind == ACCUM_AVG_INT && num_div(&sum, &n, a, &sum, err) != 0)
		return -1;
	*ret = value_of_num(sum);
	return 0;
}

static int float_result(enum accum_kind kind, const struct acc_float *s, struct value *ret, struct err *err)
{
	enum value_kind out = kind == ACCUM_SUM_FLOAT4 ? VALUE_FLOAT4 : VALUE_FLOAT8;
	double d;

	if (!s->n) {
		*ret = value_null(out);
		return 0;
	}
	if (s->nan || (s->pos_inf && s->neg_inf)) {
		d = (double)NAN;
	} else if (s->pos_inf || s->neg_inf) {
		d = s->pos_inf ? (double)INFINITY : -(double)INFINITY;
	} else {
		d = float_sum_round(&s->sum, kind == ACCUM_SUM_FLOAT4 ? 24 : 53);
		if (isinf(d))
			return range_error(err, "22003", "value out of range: overflow");
		if (kind == ACCUM_AVG_FLOAT)
			d /= (double)s->n;
	}
	*ret = (struct value){.kind = (uint8_t)out, .d = d};
	return 0;
}

static int interval_result(enum accum_kind kind, const struct acc_interval *s, struct value *ret, struct err *err)
{
	struct interval i = {(int64_t)s->us, (int32_t)s->days, (int32_t)s->months};

	if (!s->n) {
		*ret = value_null(VALUE_INTERVAL);
		return 0;
	}
	if (i.us != s->us || i.days != s->days || i.months != s->months)
		return range_error(err, "22008", "interval out of range");
	if (kind == ACCUM_AVG_INTERVAL && interval_div(i, (double)s->n, &i, err) != 0)
		return -1;
	*ret = value_of_interval(i);
	return 0;
}

int accum_result(enum accum_kind kind, const void *state, struct arena *a, struct value *ret, struct err *err)
{
	const struct acc_bool *b = state;

	switch (kind) {
	case ACCUM_COUNT: *ret = value_int(VALUE_INT8, *(const int64_t *)state); return 0;
	case ACCUM_SUM_INT: case ACCUM_SUM_INT8: case ACCUM_AVG_INT: return int_result(kind, state, a, ret, err);
	case ACCUM_SUM_NUM: case ACCUM_AVG_NUM: return num_result(state, kind == ACCUM_AVG_NUM, a, ret, err);
	case ACCUM_SUM_FLOAT4: case ACCUM_SUM_FLOAT8: case ACCUM_AVG_FLOAT: return float_result(kind, state, ret, err);
	case ACCUM_SUM_INTERVAL: case ACCUM_AVG_INTERVAL: return interval_result(kind, state, ret, err);
	case ACCUM_BOOL_AND: case ACCUM_BOOL_OR:
		if (!b->yes && !b->no)
			*ret = value_null(VALUE_BOOL);
		else
			*ret = value_bool(kind == ACCUM_BOOL_AND ? !b->no : b->yes != 0);
		return 0;
	default: wm_assert(!"accumulator kind"); return -1;
	}
}

void accum_release(enum accum_kind kind, void *state)
{
	if (kind == ACCUM_SUM_NUM || kind == ACCUM_AVG_NUM)
		free_more(state);
	else if (kind == ACCUM_SUM_FLOAT4 || kind == ACCUM_SUM_FLOAT8 || kind == ACCUM_AVG_FLOAT)
		float_sum_release(&((struct acc_float *)state)->sum);
}

size_t accum_heap_bytes(enum accum_kind kind, const void *state)
{
	const struct acc_num *n = state;

	if (kind == ACCUM_SUM_NUM || kind == ACCUM_AVG_NUM)
		return n->more ? sizeof(*n->more) + n->more->nscales * sizeof(*n->more->scales) + mpz_size(n->more->sum) * 8 : 0;
	if (kind == ACCUM_SUM_FLOAT4 || kind == ACCUM_SUM_FLOAT8 || kind == ACCUM_AVG_FLOAT)
		return ((const struct acc_float *)state)->sum.n * sizeof(uint64_t);
	return 0;
}

/* ---- stored form ---- */

static void store_more(const struct num_more *m, struct buf *b)
{
	buf_varint(b, m->nan);
	buf_varint(b, m->pos_inf);
	buf_varint(b, m->neg_inf);
	buf_uvarint(b, m->scale);
	buf_uvarint(b, m->nscales);
	for (uint32_t i = 0; i < m->nscales; i++) {
		buf_uvarint(b, m->scales[i].scale);
		buf_varint(b, m->scales[i].n);
	}
	buf_u8(b, mpz_sgn(m->sum) < 0);
	buf_bytes(b, view_of(mpz_limbs_read(m->sum), mpz_size(m->sum) * 8));
}

static bool load_more(struct acc_num *s, struct reader *r)
{
	struct num_more *m = mem_zalloc(sizeof(*m));
	uint64_t scale, n;
	struct view limbs;
	bool neg;

	s->more = m;
	mpz_init(m->sum);
	m->nan = reader_varint(r);
	m->pos_inf = reader_varint(r);
	m->neg_inf = reader_varint(r);
	scale = reader_uvarint(r);
	n = reader_uvarint(r);
	if (r->bad || scale > NUM_SCALE_MAX || n > NUM_SCALE_MAX + 1)
		return false;
	m->scale = (uint32_t)scale;
	m->scales = mem_zalloc((n + 1) * sizeof(*m->scales));
	for (; m->nscales < n; m->nscales++) {
		scale = reader_uvarint(r);
		if (r->bad || scale > m->scale)
			return false;
		m->scales[m->nscales].scale = (uint32_t)scale;
		m->scales[m->nscales].n = reader_varint(r);
	}
	neg = reader_u8(r);
	limbs = reader_bytes(r);
	if (r->bad || limbs.len % 8 || limbs.len > 128 * 1024)
		return false;
	mpz_import(m->sum, limbs.len / 8, -1, 8, -1, 0, limbs.ptr);
	if (neg)
		mpz_neg(m->sum, m->sum);
	return true;
}

void accum_store(enum accum_kind kind, const void *state, struct buf *b)
{
	const struct acc_num *n = state;
	const struct acc_float *f = state;
	const struct acc_interval *i = state;

	switch (kind) {
	case ACCUM_COUNT: buf_varint(b, *(const int64_t *)state); break;
	case ACCUM_SUM_INT: case ACCUM_SUM_INT8: case ACCUM_AVG_INT:
		buf_varint(b, ((const struct acc_int *)state)->n);
		buf_put(b, &((const struct acc_int *)state)->sum, 16);
		break;
	case ACCUM_SUM_NUM: case ACCUM_AVG_NUM:
		buf_varint(b, n->n);
		buf_u8(b, n->more != NULL);
		if (n->more) {
			store_more(n->more, b);
		} else {
			buf_uvarint(b, n->scale);
			buf_put(b, &n->sum, 16);
		}
		break;
	case ACCUM_SUM_FLOAT4: case ACCUM_SUM_FLOAT8: case ACCUM_AVG_FLOAT:
		buf_varint(b, f->n);
		buf_varint(b, f->nan);
		buf_varint(b, f->pos_inf);
		buf_varint(b, f->neg_inf);
		float_sum_store(&f->sum, b);
		break;
	case ACCUM_SUM_INTERVAL: case ACCUM_AVG_INTERVAL:
		buf_varint(b, i->n);
		buf_varint(b, i->months);
		buf_varint(b, i->days);
		buf_put(b, &i->us, 16);
		break;
	case ACCUM_BOOL_AND: case ACCUM_BOOL_OR:
		buf_varint(b, ((const struct acc_bool *)state)->yes);
		buf_varint(b, ((const struct acc_bool *)state)->no);
		break;
	default: wm_assert(!"accumulator kind");
	}
}

static void read_128(struct reader *r, int128 *ret)
{
	const uint8_t *p = reader_take(r, 16);

	if (p)
		memcpy(ret, p, 16);
}

static bool load_num(struct acc_num *n, struct reader *r)
{
	uint64_t scale;

	n->n = reader_varint(r);
	if (reader_u8(r))
		return load_more(n, r);
	scale = reader_uvarint(r);
	read_128(r, &n->sum);
	n->scale = (uint32_t)scale;
	return scale <= NUM_SCALE_MAX;
}

int accum_load(enum accum_kind kind, void *state, struct reader *r, struct err *err)
{
	struct acc_float *f = state;
	struct acc_interval *i = state;
	bool good = true;

	switch (kind) {
	case ACCUM_COUNT: *(int64_t *)state = reader_varint(r); break;
	case ACCUM_SUM_INT: case ACCUM_SUM_INT8: case ACCUM_AVG_INT:
		((struct acc_int *)state)->n = reader_varint(r);
		read_128(r, &((struct acc_int *)state)->sum);
		break;
	case ACCUM_SUM_NUM: case ACCUM_AVG_NUM: good = load_num(state, r); break;
	case ACCUM_SUM_FLOAT4: case ACCUM_SUM_FLOAT8: case ACCUM_AVG_FLOAT:
		f->n = reader_varint(r);
		f->nan = reader_varint(r);
		f->pos_inf = reader_varint(r);
		f->neg_inf = reader_varint(r);
		good = float_sum_load(&f->sum, r);
		break;
	case ACCUM_SUM_INTERVAL: case ACCUM_AVG_INTERVAL:
		i->n = reader_varint(r);
		i->months = reader_varint(r);
		i->days = reader_varint(r);
		read_128(r, &i->us);
		break;
	case ACCUM_BOOL_AND: case ACCUM_BOOL_OR:
		((struct acc_bool *)state)->yes = reader_varint(r);
		((struct acc_bool *)state)->no = reader_varint(r);
		break;
	default: good = false; break;
	}
	if (good && !r->bad)
		return 0;
	accum_release(kind, state);
	memset(state, 0, accum_size(kind));
	return err_set(err, ERR_CORRUPT, "stored accumulator is damaged");
}
